//! The table, read a second time: which rows speak of an event, what they allow, whom they name.
//!
//! Not responsible for time or configurations.
//!
//! Invariant: requirement sets come from the rows of the profile, never from a list of ids here.

use crate::tape::Tape;
use smol_str::SmolStr;
use stateline_authoring::{ProfileFiles, Source, load_profile};
use stateline_core::oracle::index::Index;
use stateline_core::oracle::{Judged, Oracle, Settings};
use stateline_core::profile::machine::{
    Constraint, Expect, Modality, Pattern, Row, RowBody, StateSet, Target, Trigger, ValueCheck,
};
use stateline_core::profile::{ClockIx, HeadIx, Length, Profile, ReqIx, RowIx, StateIx};
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Head};
use stateline_core::value::{Fields, Value};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Requirement ids.
pub(crate) type Ids = BTreeSet<String>;

/// A profile with what judging by it needs.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) profile: Profile,
    pub(crate) index: Index,
    pub(crate) settings: Settings,
}

/// The one client of most traces; its user has the same name.
pub(crate) const ALICE: &str = "alice";

/// `agora-rtm-1x`, read once.
pub(crate) fn agora() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        read(
            Source::new(
                "profile.yaml",
                include_str!("../../../../scenarios/agora-rtm-1x/profile.yaml"),
            ),
            Source::new(
                "requirements.yaml",
                include_str!("../../../../scenarios/agora-rtm-1x/requirements.yaml"),
            ),
            Some(Source::new(
                "wire.yaml",
                include_str!("../../../../scenarios/agora-rtm-1x/wire.yaml"),
            )),
        )
    })
}

/// A profile that is right.
pub(crate) fn read(profile: Source, requirements: Source, wire: Option<Source>) -> Table {
    let loaded = load_profile(ProfileFiles { profile, requirements, wire, conflicts: None }, None);
    let told: String = loaded.diagnostics.iter().map(|found| found.render(false)).collect();
    let profile = loaded.value.unwrap_or_else(|| panic!("{told}"));
    let (index, settings) = (Index::new(&profile), Settings::of(&profile));
    Table { profile, index, settings }
}

impl Table {
    /// An oracle for alice and, where a peer matters, bob.
    pub(crate) fn oracle<'t>(&'t self, settings: &'t Settings) -> Oracle<'t> {
        let clients = [ALICE, "bob"].map(|name| (SmolStr::new(name), SmolStr::new(name)));
        Oracle::new(&self.profile, &self.index, settings, clients)
    }

    /// Judges a trace that lasts until `end`.
    pub(crate) fn judge(&self, trace: &[Event], end: Micros) -> Judged {
        self.judge_by(&self.settings, trace, end)
    }

    /// Judges a trace by other settings than the profile's.
    pub(crate) fn judge_by(&self, settings: &Settings, trace: &[Event], end: Micros) -> Judged {
        let mut oracle = self.oracle(settings);
        for event in trace {
            oracle.observe(event);
        }
        oracle.finish(end, true)
    }

    pub(crate) fn words(&self, event: &Event) -> Vec<HeadIx> {
        self.profile.heads.of(event.head()).into_iter().flatten().collect()
    }

    pub(crate) fn state(&self, name: &str) -> StateIx {
        self.states().iter().position(|have| have == name).unwrap()
    }

    pub(crate) fn states(&self) -> &[SmolStr] {
        &self.profile.main_machine().unwrap().1.states
    }

    pub(crate) fn clock(&self, name: &str) -> ClockIx {
        self.profile.clocks.iter().position(|clock| clock.name == name).unwrap()
    }

    fn length(&self, length: Length) -> Micros {
        match length {
            Length::Fixed(time) => time,
            Length::Late => self.profile.tolerance.late,
            Length::Cap(cap) => self.profile.caps[cap],
        }
    }

    /// How long a report may take without so much as a warning.
    pub(crate) fn window(&self, expect: &Expect) -> Option<Micros> {
        let own = [expect.within, expect.warn_after].into_iter().flatten();
        let own = own.map(|length| self.length(length)).min();
        let late = (expect.modality == Modality::Must).then_some(self.profile.tolerance.late);
        own.or(late)
    }

    /// Rows that wait, and what they wait for.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (RowIx, &Row, &Expect)> {
        self.profile.rows.iter().enumerate().filter_map(|(ix, row)| match &row.body {
            RowBody::Expect(expect) => Some((ix, row, expect)),
            _ => None,
        })
    }

    /// Rows of the reported states that lead somewhere or permit a report.
    pub(crate) fn reports(&self) -> impl Iterator<Item = (RowIx, &Row, &Expect)> {
        let state = self.profile.heads.of(Head::parse("state"))[1];
        self.waiting()
            .filter(move |(_, _, expect)| expect.emit.heads.iter().any(|head| Some(*head) == state))
    }

    /// All requirements that a row carries.
    pub(crate) fn ids_of(&self, row: RowIx) -> Ids {
        let body = &self.profile.rows[row];
        let codes: Vec<ReqIx> = match &body.body {
            RowBody::Settles(settles) => settles
                .codes
                .iter()
                .flat_map(|rule| [rule.req, rule.prefer_req].into_iter().flatten())
                .collect(),
            _ => Vec::new(),
        };
        let cases = body.req.iter().map(|case| case.req);
        self.ids(cases.chain(codes).chain(body.early).chain(body.withdrawn))
    }

    /// What the closed machine says to what nothing explains.
    pub(crate) fn otherwise(&self, head: &str) -> Ids {
        let [own, kind] = self.profile.heads.of(Head::parse(head));
        let head = own.or(kind);
        let of = |machine: &&stateline_core::profile::machine::Machine| {
            machine.owns.iter().any(|own| Some(*own) == head)
        };
        self.ids(self.profile.machines.iter().find(of).and_then(|machine| machine.otherwise))
    }

    /// What the static check of a field says, by whether it is about presence or value.
    pub(crate) fn values(&self, field: &str, required: bool) -> Ids {
        let rules = self.profile.machines.iter().flat_map(|machine| &machine.values);
        self.ids(
            rules
                .filter(|rule| {
                    rule.field == field && matches!(rule.check, ValueCheck::Required) == required
                })
                .map(|rule| rule.req),
        )
    }

    /// Prohibitions that an observation in this state can meet, guards aside.
    pub(crate) fn forbidding(&self, state: StateIx, event: &Event) -> Ids {
        let met = |row: &&Row| match &row.body {
            RowBody::Never(never) => {
                row.from.is_none_or(|from| from.has(state))
                    && self.matches(&never.pattern, event, None, Some(&self.states()[state]))
            }
            _ => false,
        };
        self.ids(self.profile.rows.iter().filter(met).flat_map(|row| row.req.iter().map(|c| c.req)))
    }

    /// What a report that repeats the state breaks: the prohibition of that, or before it one that
    /// an event armed.
    pub(crate) fn forbidding_repetition(&self, state: StateIx, event: &Event) -> Ids {
        let current = Some(self.states()[state].as_str());
        let met = |row: &&Row| match &row.body {
            RowBody::Never(never) => {
                let repeats = |(_, want): &(_, Constraint)| matches!(want, Constraint::Current);
                (never.on.is_some() || never.pattern.fields.iter().any(repeats))
                    && row.from.is_none_or(|from| from.has(state))
                    && self.matches(&never.pattern, event, None, current)
            }
            _ => false,
        };
        let rows = self.profile.rows.iter().filter(met);
        self.ids(rows.flat_map(|row| row.req.iter().map(|case| case.req)))
    }

    /// All that a report without a cause can break: prohibitions, rows that would have led there,
    /// timed rows of the state, and the machine's `otherwise`.
    pub(crate) fn without_cause(&self, state: StateIx, event: &Event) -> Ids {
        let mut ids = self.forbidding(state, event);
        ids.extend(self.otherwise("state"));
        let to = event.data.text("state").map(|name| self.state(name));
        for (ix, row, expect) in self.reports() {
            let leads = matches!(expect.to, Target::State(target) if Some(target) == to);
            let timed = matches!(expect.trigger, Trigger::Since(_));
            if expect.modality == Modality::Must
                && row.from.is_some_and(|from| from.has(state))
                && (leads || timed)
            {
                ids.extend(self.ids_of(ix));
            }
        }
        ids
    }

    pub(crate) fn ids(&self, reqs: impl IntoIterator<Item = ReqIx>) -> Ids {
        reqs.into_iter().map(|req| self.profile.requirements[req].id.to_string()).collect()
    }

    /// Whether an event has one of the pattern's words and all of its fields.
    pub(crate) fn matches(
        &self,
        pattern: &Pattern,
        event: &Event,
        trigger: Option<&Event>,
        current: Option<&str>,
    ) -> bool {
        let words = self.words(event);
        pattern.heads.iter().any(|head| words.contains(head))
            && pattern.fields.iter().all(|(name, want)| {
                let have = event.data.get(name).cloned().unwrap_or_default();
                match want {
                    Constraint::Any | Constraint::Own | Constraint::Register(_) => true,
                    Constraint::OneOf(list) => list.iter().any(|value| value.means(&have)),
                    Constraint::NoneOf(list) => !list.iter().any(|value| value.means(&have)),
                    Constraint::Same(field) => {
                        trigger.and_then(|event| event.data.get(field)) == Some(&have)
                    }
                    Constraint::Current => have.as_text().is_some() && have.as_text() == current,
                }
            })
    }

    /// Something that a constraint allows.
    pub(crate) fn pick(
        &self,
        want: Option<&Constraint>,
        words: &str,
        trigger: Option<&Event>,
        tape: &mut Tape,
    ) -> Value {
        let all = |tape: &mut Tape, not: &[Value]| {
            let names = self.profile.names.enums.get(words).map(|names| names.values());
            let names: Vec<Value> = names
                .into_iter()
                .flatten()
                .map(|(name, _)| Value::Text(name.clone()))
                .filter(|name| !not.iter().any(|value| value.means(name)))
                .collect();
            if names.is_empty() { Value::Null } else { tape.one_of(&names).clone() }
        };
        match want {
            Some(Constraint::OneOf(list)) => tape.one_of(list).clone(),
            Some(Constraint::NoneOf(list)) => all(tape, list),
            Some(Constraint::Same(field)) => {
                trigger.and_then(|event| event.data.get(field)).cloned().unwrap_or_default()
            }
            _ => all(tape, &[]),
        }
    }

    /// The fields of a report that closes a row.
    pub(crate) fn report(
        &self,
        expect: &Expect,
        trigger: Option<&Event>,
        tape: &mut Tape,
    ) -> Fields {
        let want = |field: &str| {
            expect.emit.fields.iter().find(|(name, _)| name == field).map(|(_, want)| want)
        };
        let state = self.pick(want("state"), "state", trigger, tape);
        let reason = self.pick(want("reason"), "reason", trigger, tape);
        Fields::new().with("state", state).with("reason", reason)
    }
}

/// Whether a row without states, or with this one, applies.
pub(crate) fn has(set: Option<StateSet>, state: StateIx) -> bool {
    set.is_none_or(|set| set.has(state))
}
