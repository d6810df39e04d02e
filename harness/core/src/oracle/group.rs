//! One group of machines of one client: its configurations, and how an event moves them.
//!
//! Rows of an event are matched against the state before it; guards, requirements and sets are
//! taken at the trigger; a report closes its row and moves, and what came after the closed row's
//! own trigger is replayed in the new state. Not responsible for prohibitions that last
//! ([`super::duty`]), calls ([`super::calls`]) or naming a breach ([`super::attribution`]).
//!
//! Invariant: an observation that some configuration explains is never a violation.

use super::config::{Armed, Config, Open, Trigger};
use super::duty::Duty;
use super::facts::{Clocks, View, allows, matches};
use super::index::{Index, Words, demands};
use super::judge::{Breach, Judge};
use super::sight::Sight;
use super::windows::{assign, cancels, exercised, on, open_on, rank, remove, withdraw};
use super::words::describe;
use super::{MAX_CONFIGURATIONS, Settings};
use crate::profile::expr::Expr;
use crate::profile::machine::{Modality, ReqCase, RowBody, StateSet, Subject, Target};
use crate::profile::{ClockIx, MachineIx, Profile, ReqIx, RowIx, StateIx};
use crate::time::Micros;
use crate::trace::Event;
use crate::value::Value;
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::rc::Rc;

/// What a group may look at.
#[derive(Clone, Copy)]
pub(super) struct Env<'a> {
    pub(super) profile: &'a Profile,
    pub(super) index: &'a Index,
    pub(super) settings: &'a Settings,
    pub(super) client: &'a SmolStr,
    pub(super) clocks: &'a Clocks,
    pub(super) counts: &'a [u32],
    pub(super) now: Micros,
    pub(super) link_up: bool,
    pub(super) sight: Sight,
    pub(super) dialling: bool,
    pub(super) longest_gap: Micros,
    /// The last event, for spans of what was not seen.
    pub(super) last_n: u32,
}

/// A group of machines that share configurations.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) ix: usize,
    pub(super) leader: MachineIx,
    pub(super) configs: Vec<Config>,
    /// A violation was found: what follows is consequent.
    pub(super) failed: bool,
    pub(super) overflow: bool,
    pub(super) duty: Duty,
    pub(super) history: Vec<Past>,
}

/// An event that rows listened to, with the clocks around it.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) event: Rc<Event>,
    pub(super) words: Words,
    pub(super) before: Clocks,
    pub(super) after: Clocks,
}

impl Group {
    pub(super) fn new(profile: &Profile, index: &Index, ix: usize, uid: &SmolStr) -> Self {
        let leader = index.groups[ix].0;
        let config = Config {
            state: profile.machines[leader].start,
            via: None,
            entered: Micros::ZERO,
            seen: 0,
            registers: profile.registers.values().cloned().collect(),
            uid: uid.clone(),
            open: Vec::new(),
            armed: Vec::new(),
        };
        Self {
            ix,
            leader,
            configs: vec![config],
            failed: false,
            overflow: false,
            duty: Duty::new(profile, index, ix),
            history: Vec::new(),
        }
    }

    pub(super) fn has(&self, env: &Env<'_>, row: RowIx) -> bool {
        env.index.group_of[env.profile.rows[row].machine] == self.ix
    }

    /// All states of the leader.
    pub(super) fn all_states(&self, profile: &Profile) -> StateSet {
        StateSet(u32::MAX >> (32 - profile.machines[self.leader].states.len().max(1)))
    }

    /// The states that the client may be in by now.
    pub(super) fn possible(&self, profile: &Profile, now: Micros) -> StateSet {
        let all = self.all_states(profile);
        StateSet(self.configs.iter().fold(0, |set, config| set | config.possible(now, all).0))
    }

    pub(super) fn is_server(&self, profile: &Profile) -> bool {
        profile.machines[self.leader].subject == Subject::Server
    }

    /// The reported state, by name.
    pub(super) fn state_name<'a>(&self, profile: &'a Profile, config: &Config) -> Option<&'a str> {
        profile.machines[self.leader].states.get(config.state).map(SmolStr::as_str)
    }

    /// Clocks that an event started: rows that hang on them are armed.
    pub(super) fn clock_started(&mut self, env: &Env<'_>, clock: ClockIx, judge: &mut Judge) {
        for at in 0..self.configs.len() {
            let mut config = self.configs[at].clone();
            for &row in &env.index.since[clock] {
                if self.has(env, row) {
                    // A restart is a new trigger: what hung on the old start is gone, save what is
                    // left of a demand that was withdrawn.
                    let demanded = demands(&env.profile.rows[row].body);
                    config.open.retain(|open| {
                        open.row != row
                            || demanded && (open.watch || open.modality == Modality::May)
                    });
                    self.arm_since(env, &mut config, row, clock, env.clocks, judge);
                }
            }
            self.configs[at] = config;
        }
    }

    /// Clocks that an event stopped: rows that hang on them are withdrawn.
    pub(super) fn clock_stopped(&mut self, env: &Env<'_>, clock: ClockIx, judge: &mut Judge) {
        for config in &mut self.configs {
            for &row in &env.index.since[clock] {
                withdraw(
                    env,
                    config,
                    |open| open.row == row && open.trigger.is_none(),
                    env.now,
                    judge,
                );
            }
        }
    }

    /// An event that rows listen to. Returns whether it was of an owned kind and unexplained.
    pub(super) fn event(
        &mut self,
        env: &Env<'_>,
        event: &Rc<Event>,
        words: &Words,
        judge: &mut Judge,
    ) -> Explained {
        let possible = self.possible(env.profile, env.now);
        let mut explained = Vec::new();
        let mut rest = Vec::new();
        let before = std::mem::take(&mut self.configs);
        for (nth, config) in before.into_iter().enumerate() {
            let opened = self.triggered(env, &config, event, words, possible, nth == 0, judge);
            let closers = self.closers(env, &config, event, words);
            if closers.is_empty() {
                rest.push(self.settle(env, config, opened, event, words, judge));
                continue;
            }
            for mut next in self.close(env, config, &closers, event, judge) {
                next = self.settle(env, next, opened.clone(), event, words, judge);
                if !explained.contains(&next) {
                    explained.push(next);
                }
            }
        }
        let verdict = if explained.is_empty() {
            self.configs = rest;
            Explained::No
        } else {
            // Of a closed kind, configurations that cannot explain the observation are gone; of an
            // open kind nothing obliged them to.
            let owned = words.iter().any(|head| env.index.touched(*head).owner.is_some());
            self.configs = explained;
            if !owned {
                self.configs.extend(rest);
            }
            Explained::Yes
        };
        if self.configs.len() > MAX_CONFIGURATIONS {
            self.configs.truncate(MAX_CONFIGURATIONS);
            self.overflow = true;
        }
        verdict
    }

    /// Remembers an event for replays.
    pub(super) fn remember(
        &mut self,
        event: &Rc<Event>,
        words: &Words,
        before: Clocks,
        after: Clocks,
    ) {
        self.history.push(Past { event: Rc::clone(event), words: words.clone(), before, after });
    }

    /// Sets the group to what was reported after a breach.
    pub(super) fn force(&mut self, env: &Env<'_>, state: Option<StateIx>, judge: &mut Judge) {
        // A report that repeats the state, or names none, says nothing of which way was taken.
        let Some(state) = state.filter(|state| *state != self.configs[0].state) else { return };
        let mut config = self.configs.swap_remove(0);
        self.enter(env, &mut config, state, None, env.now, None, judge);
        self.configs = vec![config];
    }

    /// What the event opens, arms and sets in this configuration.
    #[expect(clippy::too_many_arguments, reason = "one call site; the parts belong together")]
    fn triggered(
        &self,
        env: &Env<'_>,
        config: &Config,
        event: &Rc<Event>,
        words: &Words,
        possible: StateSet,
        first: bool,
        judge: &mut Judge,
    ) -> Opened {
        let mut opened = Opened::default();
        for head in words {
            for &ix in &env.index.touched(*head).triggers {
                let row = &env.profile.rows[ix];
                if !self.has(env, ix) || row.from.is_some_and(|from| !from.has(config.state)) {
                    continue;
                }
                let Some(patterns) = on(row) else { continue };
                if !patterns
                    .iter()
                    .any(|pattern| matches(pattern, words, event, config, None, None))
                {
                    continue;
                }
                let view = view(env, config, env.clocks, Some(event), Some(event), possible);
                if !holds(row.guard.as_ref(), &view) {
                    continue;
                }
                let req = choose_req(&row.req, &view);
                judge.row(ix);
                match &row.body {
                    RowBody::Expect(expect) => {
                        let open = open_on(env, row, ix, expect, req, event, config.entered);
                        exercised(judge, row, req);
                        opened.open.push(open);
                    }
                    RowBody::Never(never) => {
                        let length = never.on.as_ref().and_then(|(_, length)| *length);
                        if let Some(req) = req {
                            judge.mark(req, crate::record::Judgement::Undetermined);
                        }
                        if env.sight.hidden && env.index.ended_by_dial.contains(&ix) {
                            continue;
                        }
                        let from = env.now
                            + never.grace.map_or(Micros::ZERO, |grace| {
                                env.settings.length(env.profile, grace)
                            });
                        opened.armed.push(Armed {
                            row: ix,
                            req,
                            from,
                            until: length
                                .map(|length| env.now + env.settings.length(env.profile, length)),
                            since: from,
                            trigger: Trigger { event: Rc::clone(event) },
                            satisfied: false,
                        });
                    }
                    RowBody::Silent { to, .. } => {
                        let sets = assign(row, config, Some(event));
                        opened.sets.extend(sets);
                        opened.moves = opened.moves.or_else(|| to.map(|to| (to, ix)));
                    }
                    RowBody::Choice { choice, .. } if first => {
                        judge.choose(
                            env.profile,
                            req,
                            row.id.clone(),
                            env.client,
                            choice.clone(),
                            event.n,
                        );
                    }
                    RowBody::Choice { .. } | RowBody::Keep(_) | RowBody::Settles(_) => {}
                }
            }
        }
        opened
    }

    /// The open rows that the event closes.
    fn closers(
        &self,
        env: &Env<'_>,
        config: &Config,
        event: &Event,
        words: &Words,
    ) -> SmallVec<[usize; 4]> {
        let mut closers = SmallVec::new();
        for (at, open) in config.open.iter().enumerate() {
            if open.watch || open.lo > env.now {
                continue;
            }
            let RowBody::Expect(expect) = &env.profile.rows[open.row].body else {
                continue;
            };
            if matches(
                &expect.emit,
                words,
                event,
                config,
                self.state_name(env.profile, config),
                open.event(),
            ) {
                closers.push(at);
            }
        }
        closers
    }

    /// Closes rows: all that stay, and each way to move as a configuration of its own.
    fn close(
        &self,
        env: &Env<'_>,
        config: Config,
        closers: &[usize],
        event: &Rc<Event>,
        judge: &mut Judge,
    ) -> Vec<Config> {
        let mut ways: Vec<(StateIx, SmallVec<[Value; 8]>, usize)> = Vec::new();
        let mut stays: Vec<usize> = Vec::new();
        for &at in closers {
            let open = &config.open[at];
            let row = &env.profile.rows[open.row];
            let target = match open.to {
                Target::Stay => {
                    if !stays.iter().any(|have| config.open[*have].row == open.row) {
                        stays.push(at);
                    }
                    continue;
                }
                Target::State(state) => state,
                Target::Observed => match self.reported(env.profile, event) {
                    Some(state) => state,
                    None => continue,
                },
            };
            let mut registers = config.registers.clone();
            for (register, value) in assign(row, &config, open.event()) {
                registers[register] = value;
            }
            let same = |way: &&mut (StateIx, SmallVec<[Value; 8]>, usize)| {
                way.0 == target
                    && way.1 == registers
                    && !self.call_between(&config.open[way.2], open)
            };
            match ways.iter_mut().find(same) {
                // The same way twice: what demands is what was answered.
                Some(way) if rank(&config.open[way.2]) < rank(open) => way.2 = at,
                Some(_) => {}
                None => ways.push((target, registers, at)),
            }
        }
        for &at in stays.iter().chain(ways.iter().map(|way| &way.2)) {
            self.closed(env, &config, &config.open[at], event, judge);
        }
        let staying = |config: &Config| {
            let mut next = config.clone();
            for &at in &stays {
                for (register, value) in
                    assign(&env.profile.rows[config.open[at].row], config, config.open[at].event())
                {
                    next.registers[register] = value;
                }
            }
            next
        };
        if ways.is_empty() {
            let mut next = staying(&config);
            remove(&mut next, env, &stays, &config);
            return vec![next];
        }
        ways.into_iter()
            .map(|(state, registers, at)| {
                let mut next = staying(&config);
                let mut gone = stays.clone();
                gone.push(at);
                remove(&mut next, env, &gone, &config);
                next.registers = registers;
                let open = &config.open[at];
                if state != next.state {
                    let effective = open.event().map_or(open.lo, |event| event.at);
                    // What withdrew the row happened before its report, and is replayed, too.
                    let effective =
                        open.withdrawn.map_or(effective, |at| effective.min(at - Micros(1)));
                    // What follows the trigger is replayed. A permission leaves its own trigger to
                    // the new state, too; a demand that was offered as one does not pass it on.
                    let demands = demands(&env.profile.rows[open.row].body);
                    let cause = open.event().map(|event| {
                        (event.n, if demands { Modality::Must } else { Modality::May })
                    });
                    self.enter(env, &mut next, state, Some(open.row), effective, cause, judge);
                }
                next
            })
            .collect()
    }

    /// Whether a call came between the causes of two rows: by one way it was made in the old state,
    /// by the other in the new one.
    fn call_between(&self, a: &Open, b: &Open) -> bool {
        let place = |open: &Open| {
            self.history.partition_point(|past| {
                open.event().map_or(past.event.at <= open.lo, |event| past.event.n <= event.n)
            })
        };
        let (a, b) = (place(a), place(b));
        self.history[a.min(b)..a.max(b)].iter().any(|past| past.event.kind == "call")
    }

    /// Marks what the closing of a row says.
    fn closed(
        &self,
        env: &Env<'_>,
        config: &Config,
        open: &Open,
        event: &Rc<Event>,
        judge: &mut Judge,
    ) {
        let row = &env.profile.rows[open.row];
        let RowBody::Expect(expect) = &row.body else {
            return;
        };
        let span = (open.cause.min(event.n), event.n);
        if let Some(met) = &mut judge.met {
            met.push((open.row, open.cause));
        }
        for name in &expect.note {
            let value = super::facts::field(&event.data, name);
            judge.choose(
                env.profile,
                None,
                row.id.clone(),
                env.client,
                format!("{name}: {value}"),
                event.n,
            );
        }
        if demands(&row.body) {
            if open.overdue {
                return;
            }
            let Some(req) = open.req else { return };
            judge.satisfy(env.profile, req);
            if let Some(early) = row.early {
                judge.satisfy(env.profile, early);
            }
            let breach = |expected: String| Breach {
                req,
                row: Some(open.row),
                rule: "",
                client: env.client,
                server_side: self.is_server(env.profile),
                at: event.at,
                expected,
                observed: describe(event),
                trace: span,
                consequent: self.failed,
            };
            for (name, want) in &expect.prefer {
                if !allows(want, event.data.get(name), config, None, open.event()) {
                    judge.warn(
                        env.profile,
                        env.settings,
                        breach(format!("{}, with another {name}", row.title)),
                    );
                }
            }
        } else {
            if let Some(answered) = expect.answered {
                judge.satisfy(env.profile, answered);
            }
            judge.choose(
                env.profile,
                open.req,
                row.id.clone(),
                env.client,
                describe(event),
                event.n,
            );
        }
    }

    /// Opens what the event opened, withdraws what it withdraws, applies sets and silent moves.
    fn settle(
        &self,
        env: &Env<'_>,
        mut config: Config,
        opened: Opened,
        event: &Rc<Event>,
        words: &Words,
        judge: &mut Judge,
    ) -> Config {
        for head in words {
            for &ix in &env.index.touched(*head).cancels {
                if self.has(env, ix) && cancels(env.profile, ix, words, event, &config) {
                    withdraw(env, &mut config, |open| open.row == ix, env.now, judge);
                    config.armed.retain(|armed| armed.row != ix);
                }
            }
        }
        for open in opened.open {
            self.push(env, &mut config, open);
        }
        for armed in opened.armed {
            config.armed.retain(|have| have.row != armed.row);
            config.armed.push(armed);
        }
        for (register, value) in opened.sets {
            config.registers[register] = value;
        }
        if let Some((to, row)) = opened.moves.filter(|(to, _)| *to != config.state) {
            self.enter(env, &mut config, to, Some(row), env.now, None, judge);
        }
        config
    }

    /// The state that an observation reports.
    pub(super) fn reported(&self, profile: &Profile, event: &Event) -> Option<StateIx> {
        let state = event.data.text("state")?;
        profile.machines[self.leader].states.iter().position(|have| have == state)
    }
}

/// What an event opens in one configuration.
#[derive(Clone, Debug, Default)]
struct Opened {
    open: Vec<Open>,
    armed: Vec<Armed>,
    sets: Vec<(usize, Value)>,
    moves: Option<(StateIx, RowIx)>,
}

/// Whether some configuration explains an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Explained {
    Yes,
    No,
}

pub(super) fn view<'a>(
    env: &Env<'a>,
    config: &'a Config,
    clocks: &'a Clocks,
    trigger: Option<&'a Event>,
    event: Option<&'a Event>,
    possible: StateSet,
) -> View<'a> {
    View { config, clocks, counts: env.counts, now: env.now, trigger, event, call: None, possible }
}

pub(super) fn holds(guard: Option<&Expr>, view: &View<'_>) -> bool {
    guard.is_none_or(|guard| guard.holds(view))
}

/// The first requirement whose condition holds.
pub(super) fn choose_req(cases: &[ReqCase], view: &View<'_>) -> Option<ReqIx> {
    cases.iter().find(|case| holds(case.when.as_ref(), view)).map(|case| case.req)
}
