//! One client under the oracle: its clocks, counters and calls, and its groups of machines.
//!
//! At one event: clocks start, rows are matched, what is unexplained is named, clocks stop. Not
//! responsible for time passing between events; [`super::Oracle`] steps through deadlines.
//!
//! Invariant: clocks and counters are ground truth and do not hang on what the client reported.

use super::Law;
use super::calls::{self, Completion};
use super::config::seconds;
use super::duty::is_repetition;
use super::facts::{ClockState, Clocks, OpenCall, matches};
use super::group::{Env, Explained, Group, holds, view};
use super::index::{Index, Words};
use super::judge::{Breach, Judge};
use super::overdue::Soonest;
use super::sight::{Sight, turns};
use super::words::describe;
use crate::profile::grid::{Cell, Says, StimulusIs, StimulusIx};
use crate::profile::machine::{RowBody, ValueCheck};
use crate::profile::{KeepStart, Profile, ReqIx, RowIx, StateIx};
use crate::time::Micros;
use crate::trace::{Event, Plane};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::rc::Rc;

/// One client of a case.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) name: SmolStr,
    pub(super) uid: SmolStr,
    pub(super) clocks: Clocks,
    pub(super) counts: Vec<u32>,
    pub(super) calls: Vec<OpenCall>,
    pub(super) groups: Vec<Group>,
    /// Dials that have not come to an end.
    dials: SmallVec<[i64; 2]>,
    link_up: bool,
    sight: Sight,
    last_attempt: Option<Micros>,
    longest_gap: Micros,
    last_n: u32,
    /// Value rules that an observation met.
    values_met: Vec<ReqIx>,
    /// Machines of which an owned observation was seen.
    owned_seen: Vec<bool>,
    last_cell: Option<(StateIx, StimulusIx)>,
    /// Time columns of the grid already counted for this start of their clock.
    crossed: Vec<(StimulusIx, usize, Micros)>,
}

impl Client {
    pub(super) fn new(profile: &Profile, index: &Index, name: SmolStr, uid: SmolStr) -> Self {
        let groups =
            (0..index.groups.len()).map(|ix| Group::new(profile, index, ix, &uid)).collect();
        Self {
            name,
            uid,
            clocks: SmallVec::from_elem(ClockState::default(), profile.clocks.len()),
            counts: vec![0; profile.heads.len()],
            calls: Vec::new(),
            groups,
            dials: SmallVec::new(),
            link_up: true,
            sight: Sight::default(),
            last_attempt: None,
            longest_gap: Micros::ZERO,
            last_n: 0,
            values_met: Vec::new(),
            owned_seen: vec![false; profile.machines.len()],
            last_cell: None,
            crossed: Vec::new(),
        }
    }

    /// What a group may look at; the groups are taken out while it is in use.
    fn env<'a>(&'a self, law: Law<'a>, now: Micros) -> Env<'a> {
        Env {
            profile: law.profile,
            index: law.index,
            settings: law.settings,
            client: &self.name,
            clocks: &self.clocks,
            counts: &self.counts,
            now,
            link_up: self.link_up,
            sight: self.sight,
            dialling: !self.dials.is_empty(),
            longest_gap: self.longest_gap,
            last_n: self.last_n,
        }
    }

    /// Runs `body` on the groups, with a view of everything else.
    fn with<R>(
        &mut self,
        law: Law<'_>,
        now: Micros,
        body: impl FnOnce(&Env<'_>, &mut [Group]) -> R,
    ) -> R {
        let mut groups = std::mem::take(&mut self.groups);
        let result = body(&self.env(law, now), &mut groups);
        self.groups = groups;
        result
    }

    /// Takes in what only shifts recurring demands.
    pub(super) fn beat(&mut self, law: Law<'_>, event: &Event, words: &Words) {
        self.last_n = event.n;
        self.with(law, event.at, |env, groups| {
            for group in groups {
                let Group { duty, configs, .. } = group;
                duty.beat(env, configs, event, words);
            }
        });
    }

    /// Takes in an event of this client.
    pub(super) fn event(
        &mut self,
        law: Law<'_>,
        event: &Rc<Event>,
        words: &Words,
        judge: &mut Judge,
    ) {
        self.last_n = event.n;
        self.network(event);
        let turned = turns(event) && self.sight.turn(event);
        let findings = judge.findings.len();
        let before = self.state();
        self.cells(law, event, words, judge);
        let clocks = self.clocks.clone();
        self.start_clocks(law, event, words, judge);
        if turned {
            self.sight_changed(law, event.at);
        }
        for head in words {
            let rows = &law.index.touched(*head).settles;
            let mut calls = std::mem::take(&mut self.calls);
            self.with(law, event.at, |env, groups| {
                calls::made(env, groups, rows, event, *head, &mut calls);
            });
            self.calls = calls;
        }
        for head in words {
            self.counts[usize::from(*head)] += 1;
        }
        self.values(law, event, words, judge);
        let mut calls = std::mem::take(&mut self.calls);
        let owned_seen = self.with(law, event.at, |env, groups| {
            let mut seen = None;
            for group in groups.iter_mut() {
                let owner = group_event(env, group, &mut calls, event, words, judge);
                seen = seen.or(owner);
                let Group { duty, configs, .. } = group;
                duty.beat(env, configs, event, words);
            }
            seen
        });
        self.calls = calls;
        if let Some(owner) = owned_seen {
            self.owned_seen[owner] = true;
        }
        self.stop_clocks(law, event, words, judge);
        let times = law.index.times(words);
        self.with(law, event.at, |env, groups| {
            for group in groups {
                if times || law.index.listens(words, group.ix) {
                    group.remember(event, words, clocks.clone(), env.clocks.clone());
                }
                let Group { duty, configs, .. } = group;
                duty.rescope(env, configs, judge);
            }
        });
        self.after(law.profile, findings, before, judge);
    }

    /// Reports what is overdue at `now`, exclusively.
    pub(super) fn deadlines(&mut self, law: Law<'_>, now: Micros, judge: &mut Judge) {
        let findings = judge.findings.len();
        let before = self.state();
        let mut calls = std::mem::take(&mut self.calls);
        self.with(law, now, |env, groups| {
            for group in groups.iter_mut() {
                group.deadlines(env, judge);
                let server_side = group.is_server(law.profile);
                let Group { duty, configs, failed, .. } = group;
                duty.deadlines(env, configs, failed, server_side, judge);
            }
            if let Some(group) = groups.first_mut() {
                let violated = calls::overdue(env, group, &mut calls, judge);
                group.failed |= violated;
            }
        });
        self.calls = calls;
        self.after(law.profile, findings, before, judge);
    }

    /// Starts what lasts from the beginning.
    pub(super) fn start(&mut self, law: Law<'_>, judge: &mut Judge) {
        self.with(law, Micros::ZERO, |env, groups| {
            for group in groups {
                let Group { duty, configs, .. } = group;
                duty.rescope(env, configs, judge);
            }
        });
    }

    /// Offers when something next becomes overdue or decided.
    pub(super) fn deadline(&self, law: Law<'_>, now: Micros, soonest: &mut Soonest) {
        let env = self.env(law, now);
        for call in &self.calls {
            let (warn, fail) = calls::due(&env, call);
            soonest.offer(warn.filter(|_| !call.warned));
            soonest.offer(Some(fail).filter(|_| !call.overdue));
        }
        for group in &self.groups {
            group.deadline(&env, soonest);
        }
    }

    /// The latest instant at which something that the case names will be decided.
    pub(super) fn pending(
        &self,
        law: Law<'_>,
        now: Micros,
        wanted: &dyn Fn(ReqIx) -> bool,
    ) -> Option<Micros> {
        let env = self.env(law, now);
        let calls = self
            .calls
            .iter()
            .filter(|call| !call.overdue && calls::may_satisfy(law.profile, call).any(wanted));
        let calls = calls.map(|call| calls::due(&env, call).1);
        let groups = self.groups.iter().flat_map(|group| {
            let open = group.configs.iter().flat_map(|config| {
                let rows =
                    config.open.iter().filter(move |open| !open.overdue).filter_map(|open| {
                        let row = &law.profile.rows[open.row];
                        let named = open.req.is_some_and(wanted)
                            || [row.early, row.withdrawn]
                                .into_iter()
                                .flatten()
                                .any(|req| open.watch && wanted(req));
                        let documented =
                            super::index::demands(&row.body) && open.warn.is_none() && !open.watch;
                        open.hi.filter(|_| {
                            named || (documented && !group.failed && !group.is_server(law.profile))
                        })
                    });
                rows.chain(
                    config
                        .armed
                        .iter()
                        .filter(|armed| !armed.satisfied && armed.req.is_some_and(wanted))
                        .filter_map(|armed| armed.until),
                )
            });
            open.chain(group.duty.pending(&env, wanted)).collect::<Vec<_>>()
        });
        calls.chain(groups).max()
    }

    /// The end of the case: what held to the end is satisfied.
    pub(super) fn finish(&mut self, law: Law<'_>, now: Micros, complete: bool, judge: &mut Judge) {
        self.crossings(law.profile, now, judge);
        self.with(law, now, |env, groups| {
            for group in groups {
                group.unused(env, judge);
            }
        });
        if !complete {
            return;
        }
        for req in &self.values_met {
            judge.satisfy(law.profile, *req);
        }
        for (machine, seen) in law.profile.machines.iter().zip(&self.owned_seen) {
            if let (Some(req), true) = (machine.otherwise, seen) {
                judge.satisfy(law.profile, req);
            }
        }
    }

    /// The state that the client last reported, by the table.
    pub(super) fn state(&self) -> Option<StateIx> {
        self.groups.first().map(|group| group.configs[0].state)
    }

    fn network(&mut self, event: &Event) {
        let conn = event.data.int("conn").unwrap_or(-1);
        match (event.plane, event.kind.as_str()) {
            (Plane::Network, "attempt") => {
                if let Some(last) = self.last_attempt {
                    self.longest_gap = self.longest_gap.max(event.at.since(last));
                }
                self.last_attempt = Some(event.at);
                self.dials.push(conn);
            }
            (Plane::Network, "failed" | "opened" | "closed") => {
                self.dials.retain(|dial| *dial != conn)
            }
            (Plane::Network, "up") => self.link_up = true,
            (Plane::Network, "down") => self.link_up = false,
            // Gaps within one spell of reconnecting are what counts.
            (Plane::Server, "server.accepted") => self.last_attempt = None,
            _ => {}
        }
    }

    /// From now on dials are hidden, or can be seen again.
    fn sight_changed(&mut self, law: Law<'_>, now: Micros) {
        // A gap in which dials may have been missed is none.
        self.last_attempt = None;
        let hidden = self.sight.hidden;
        for call in self.calls.iter_mut().filter(|_| hidden) {
            call.unseen = law.index.dials.clone();
        }
        self.with(law, now, |env, groups| {
            for group in groups {
                if hidden { group.hide_dials(env) } else { group.show_dials(env) }
            }
        });
    }

    fn start_clocks(&mut self, law: Law<'_>, event: &Rc<Event>, words: &Words, judge: &mut Judge) {
        for head in words {
            for &ix in &law.index.touched(*head).starts {
                let clock = &law.profile.clocks[ix];
                let runs = self.clocks[ix].running() && clock.keep == KeepStart::First;
                let starts = !runs
                    && self.groups.first().is_some_and(|group| {
                        let config = &group.configs[0];
                        let env = self.env(law, event.at);
                        let possible = group.possible(law.profile, event.at);
                        clock
                            .start
                            .iter()
                            .any(|pattern| matches(pattern, words, event, config, None, None))
                            && holds(
                                clock.guard.as_ref(),
                                &view(
                                    &env,
                                    config,
                                    &self.clocks,
                                    Some(event),
                                    Some(event),
                                    possible,
                                ),
                            )
                    });
                if starts {
                    self.clocks[ix].start(event);
                    self.with(law, event.at, |env, groups| {
                        for group in groups {
                            group.clock_started(env, ix, judge);
                        }
                    });
                }
            }
        }
    }

    fn stop_clocks(&mut self, law: Law<'_>, event: &Rc<Event>, words: &Words, judge: &mut Judge) {
        for head in words {
            for &ix in &law.index.touched(*head).stops {
                let stops = self.clocks[ix].running()
                    && self.groups.first().is_some_and(|group| {
                        law.profile.clocks[ix].stop.iter().any(|pattern| {
                            matches(pattern, words, event, &group.configs[0], None, None)
                        })
                    });
                if stops {
                    self.clocks[ix].stopped = Some(event.at);
                    self.with(law, event.at, |env, groups| {
                        for group in groups {
                            group.clock_stopped(env, ix, judge);
                        }
                    });
                }
            }
        }
    }

    /// Checks the values of an observation, explained or not.
    fn values(&mut self, law: Law<'_>, event: &Event, words: &Words, judge: &mut Judge) {
        for head in words {
            for &(machine, at) in &law.index.touched(*head).values {
                let rule = &law.profile.machines[machine].values[at];
                let value = event
                    .data
                    .get(&rule.field)
                    .filter(|value| **value != crate::value::Value::Null);
                let (met, expected) = match (&rule.check, value) {
                    (ValueCheck::Required, value) => {
                        (value.is_some(), format!("a {} with every report", rule.field))
                    }
                    (ValueCheck::OneOf(_), None) => (true, String::new()),
                    (ValueCheck::OneOf(names), Some(value)) => {
                        let text = value.to_string();
                        (
                            names.iter().any(|name| *name == text),
                            format!("{} one of {}", rule.field, names.join(", ")),
                        )
                    }
                };
                if met {
                    if !self.values_met.contains(&rule.req) {
                        self.values_met.push(rule.req);
                    }
                    continue;
                }
                let group = &mut self.groups[law.index.group_of[machine]];
                let violated = judge.breach(
                    law.profile,
                    law.settings,
                    Breach {
                        req: rule.req,
                        row: None,
                        rule: "values",
                        client: &self.name,
                        server_side: group.is_server(law.profile),
                        at: event.at,
                        expected,
                        observed: describe(event),
                        trace: (event.n, event.n),
                        consequent: group.failed,
                    },
                );
                group.failed |= violated;
            }
        }
    }

    /// Records which cells of the grid the event exercises, in the state before it.
    fn cells(&mut self, law: Law<'_>, event: &Event, words: &Words, judge: &mut Judge) {
        self.crossings(law.profile, event.at, judge);
        for head in words {
            for &stimulus in &law.index.touched(*head).stimuli {
                let StimulusIs::On(patterns) = &law.profile.grid.stimuli[stimulus].is else {
                    continue;
                };
                let Some(group) = self.groups.first() else {
                    continue;
                };
                let config = &group.configs[0];
                if patterns.iter().any(|pattern| matches(pattern, words, event, config, None, None))
                {
                    self.cell(law.profile, config.state, stimulus, judge);
                }
            }
        }
    }

    /// Records time columns that were crossed by now.
    fn crossings(&mut self, profile: &Profile, now: Micros, judge: &mut Judge) {
        let Some(state) = self.state() else { return };
        for (stimulus, column) in profile.grid.stimuli.iter().enumerate() {
            let (clocks, after) = match &column.is {
                StimulusIs::Since(clocks, after) => (clocks, Some(*after)),
                StimulusIs::SinceRegister(clocks, register) => {
                    let config = self.groups.first().map(|group| &group.configs[0]);
                    (clocks, config.and_then(|config| seconds(&config.registers[*register])))
                }
                StimulusIs::On(_) => continue,
            };
            let Some(after) = after else { continue };
            for &clock in clocks {
                let ClockState { heard, .. } = self.clocks[clock];
                let key = (stimulus, clock, heard);
                if self.clocks[clock].running()
                    && heard + after <= now
                    && !self.crossed.contains(&key)
                {
                    self.crossed.push(key);
                    self.cell(profile, state, stimulus, judge);
                }
            }
        }
    }

    fn cell(&mut self, profile: &Profile, state: StateIx, stimulus: StimulusIx, judge: &mut Judge) {
        if profile.grid.stimuli[stimulus].states.has(state) {
            judge.cell(state, stimulus);
            self.last_cell = Some((state, stimulus));
        }
    }

    /// After new findings: what follows is consequent, and a cell was violated. `before` is the
    /// state that the client was in.
    fn after(
        &mut self,
        profile: &Profile,
        findings: usize,
        before: Option<StateIx>,
        judge: &mut Judge,
    ) {
        if let (Some(before), Some(group)) = (before, self.groups.first()) {
            judge.moved(before, group.configs[0].state, group.configs[0].via);
        }
        let first = judge.findings[findings..]
            .iter()
            .find(|finding| !finding.consequent && finding.side == "client");
        let Some(row) = first.map(|finding| finding.row.clone()) else { return };
        for group in &mut self.groups {
            group.failed |= !group.is_server(profile);
        }
        let last = self.last_cell.filter(|(state, _)| Some(*state) == before);
        let listed = profile.row(&row).zip(before).and_then(|(row, before)| {
            let lists = |cell: &&Cell| {
                let (Says::Rows(rows) | Says::Silent(rows)) = &cell.says else { return false };
                cell.state == before && rows.contains(&row)
            };
            let mut cells =
                profile.grid.cells.iter().filter(lists).map(|cell| (cell.state, cell.stimulus));
            // The stimulus that came last, where its cell is one of the row's; else the first.
            let first = cells.clone().next();
            cells.find(|cell| Some(*cell) == last).or(first)
        });
        if let Some((state, stimulus)) = listed.or(last) {
            judge.cell(state, stimulus);
            for cell in judge.cells.iter_mut().filter(|cell| (cell.0, cell.1) == (state, stimulus))
            {
                cell.2 = true;
            }
        }
    }

    /// Something that another client saw about this one.
    pub(super) fn seen_by_other(
        &mut self,
        law: Law<'_>,
        event: &Rc<Event>,
        words: &Words,
        judge: &mut Judge,
    ) {
        let findings = judge.findings.len();
        let before = self.state();
        self.with(law, event.at, |env, groups| {
            for head in words {
                let rows = &law.index.touched(*head).nevers_of_self;
                for group in groups.iter_mut() {
                    if let Some(met) = group.forbids(env, event, words, rows) {
                        group.forbidden(env, event, met, judge);
                    }
                }
            }
        });
        self.after(law.profile, findings, before, judge);
    }
}

/// Takes an event through one group. Returns the machine that owns it, if it is of this group.
fn group_event(
    env: &Env<'_>,
    group: &mut Group,
    calls: &mut Vec<OpenCall>,
    event: &Rc<Event>,
    words: &Words,
    judge: &mut Judge,
) -> Option<usize> {
    let owner = words
        .iter()
        .find_map(|head| env.index.touched(*head).owner.map(|owner| (*head, owner)))
        .filter(|(_, owner)| env.index.group_of[*owner] == group.ix);
    // What an event of an open kind is forbidden by hangs on the state before it.
    let met = match owner {
        Some(_) => None,
        None => {
            let nevers: SmallVec<[RowIx; 8]> = words
                .iter()
                .flat_map(|head| env.index.touched(*head).nevers.iter().copied())
                .filter(|row| group.has(env, *row) && !repeats(env, *row))
                .collect();
            if nevers.is_empty() { None } else { group.forbids(env, event, words, &nevers) }
        }
    };
    // An event that no row of the group listens to leaves its configurations alone.
    let mut explained = if env.index.listens(words, group.ix) {
        group.event(env, event, words, judge)
    } else {
        Explained::No
    };
    if let Some((head, _)) = owner.filter(|_| event.head().kind == "result") {
        match calls::completed(env, group, calls, event, head, judge) {
            Completion::Judged { violated } => {
                group.failed |= violated;
                return owner.map(|(_, owner)| owner);
            }
            Completion::Unasked => explained = Explained::No,
        }
    }
    if explained == Explained::No {
        match (owner, met) {
            (Some((_, owner)), _) => group.unexplained(env, event, words, owner, judge),
            (None, Some(met)) => group.forbidden(env, event, met, judge),
            (None, None) => {}
        }
    }
    owner.map(|(_, owner)| owner)
}

fn repeats(env: &Env<'_>, row: RowIx) -> bool {
    matches!(&env.profile.rows[row].body, RowBody::Never(never) if is_repetition(&never.pattern))
}
