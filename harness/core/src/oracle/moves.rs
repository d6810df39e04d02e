//! How a configuration moves: rows open, a state is entered, and what came after the closed row's
//! own trigger is replayed in it.
//!
//! A move counts from its trigger, though it is seen only at its report. Not responsible for
//! deciding which row a report closes ([`super::group`]).
//!
//! Invariant: a row that has seen its trigger in the old state is not triggered by it again.

use super::config::{Config, Open};
use super::facts::{ClockState, Clocks, View, matches};
use super::group::{Env, Group, Past, choose_req, holds, view};
use super::judge::Judge;
use super::sight::judgeable;
use super::windows::{binds, cancels, exercised, left, on, open_on, window, withdraw};
use crate::profile::machine::{Modality, RowBody, StateSet};
use crate::profile::{ClockIx, RowIx, StateIx};
use crate::time::Micros;
use crate::trace::Event;
use smallvec::SmallVec;

impl Group {
    pub(super) fn push(&self, env: &Env<'_>, config: &mut Config, mut open: Open) {
        let row = &env.profile.rows[open.row];
        if row.from.is_some_and(|from| !from.has(config.state)) {
            return;
        }
        let opened = open.event().map_or(env.now, |event| event.at);
        if !judgeable(env, &mut open, opened) {
            return;
        }
        // A second trigger of an open row changes nothing; rows that bind fields of their trigger
        // wait for each trigger apart, and what is only left of a withdrawn demand does not count.
        let bound = binds(row);
        let known = config.open.iter().any(|have| {
            have.row == open.row
                && !have.watch
                && if bound { have.trigger == open.trigger } else { have.modality == open.modality }
        });
        if !known {
            config.open.push(open);
        }
    }

    /// Moves a configuration to a state, and replays in it what came after `effective`: after the
    /// event with the number of the cause where an event was one, for one instant holds many. A
    /// permission leaves its own cause to the new state, too, as no more than a permission.
    #[expect(clippy::too_many_arguments, reason = "a move is all of these")]
    pub(super) fn enter(
        &self,
        env: &Env<'_>,
        config: &mut Config,
        state: StateIx,
        via: Option<RowIx>,
        effective: Micros,
        cause: Option<(u32, Modality)>,
        judge: &mut Judge,
    ) {
        let own = cause.map(|(n, _)| n + 1);
        let old = config.state;
        let stays = |row: RowIx| env.profile.rows[row].from.is_none_or(|from| from.has(state));
        // What was only permitted is offered once: to the state that follows the one of its cause.
        let mut offered: SmallVec<[(u32, Modality); 2]> = cause
            .filter(|(n, modality)| *modality != Modality::Must && *n >= config.seen)
            .into_iter()
            .collect();
        config.open.retain(|open| {
            if stays(open.row) {
                return true;
            }
            left(env, open, judge);
            let goes_on = |event: &Event| {
                event.kind == "call" && (open.modality == Modality::Must || event.n >= config.seen)
            };
            if let Some(event) = open.event().filter(|event| goes_on(event) && !open.watch) {
                offered.push((event.n, open.modality));
            }
            false
        });
        config.armed.retain(|armed| stays(armed.row));
        config.state = state;
        config.via = via;
        config.entered = env.now;
        let from = self.history.partition_point(|past| {
            past.event.n < config.seen
                || own.map_or(past.event.at <= effective, |own| past.event.n < own)
        });
        let first = self.history.get(from).map(|past| past.event.n);
        config.seen = own.or(first).unwrap_or(env.last_n).max(config.seen);
        let at_entry = self.history.get(from).map_or(env.clocks, |past| &past.before);
        for (clock, state_of) in at_entry.iter().enumerate() {
            // Who is served again by what moves it is not interrupted in its new state.
            let ends = self.history[from..]
                .iter()
                .take_while(|past| past.event.at <= effective)
                .any(|past| past.before[clock].running() && !past.after[clock].running());
            if state_of.running() && !ends {
                self.arm_clock(env, config, clock, at_entry, old, judge);
            }
        }
        self.permit_unseen(env, config, effective);
        let first = offered.iter().map(|(n, _)| *n).min();
        let start = first.map_or(from, |first| {
            from.min(self.history.partition_point(|past| past.event.n < first))
        });
        for (at, past) in self.history.iter().enumerate().skip(start) {
            let offer = offered.iter().filter(|(n, _)| *n == past.event.n);
            let again = offer.map(|(_, modality)| *modality).max();
            if at < from && again.is_none() {
                continue;
            }
            // A call to which the old state owed nothing is not owed an answer by the new one.
            let at_most = if at < from { again } else { None }.unwrap_or(Modality::Must);
            if at >= from {
                for (clock, after) in past.after.iter().enumerate() {
                    let before = &past.before[clock];
                    if after.running() && after != before {
                        self.arm_clock(env, config, clock, &past.after, old, judge);
                    }
                }
            }
            self.replay(env, config, past, old, again.is_some(), at_most, judge);
            if at >= from {
                for (clock, after) in past.after.iter().enumerate() {
                    if past.before[clock].running() && !after.running() {
                        for &row in &env.index.since[clock] {
                            withdraw(
                                env,
                                config,
                                |open| open.row == row && open.trigger.is_none(),
                                past.event.at,
                                judge,
                            );
                        }
                    }
                }
            }
        }
    }

    /// Offers a past event to the rows of a state that was entered later.
    #[expect(clippy::too_many_arguments, reason = "one call site; the parts belong together")]
    fn replay(
        &self,
        env: &Env<'_>,
        config: &mut Config,
        past: &Past,
        old: StateIx,
        again: bool,
        at_most: Modality,
        judge: &mut Judge,
    ) {
        for head in &past.words {
            let touched = env.index.touched(*head);
            for &ix in &touched.cancels {
                if self.has(env, ix) && cancels(env.profile, ix, &past.words, &past.event, config) {
                    withdraw(
                        env,
                        config,
                        |open| open.row == ix && open.lo < past.event.at,
                        past.event.at,
                        judge,
                    );
                }
            }
            for &ix in &touched.triggers {
                let row = &env.profile.rows[ix];
                let RowBody::Expect(expect) = &row.body else {
                    continue;
                };
                let Some(from) = row.from.filter(|from| from.has(config.state)) else {
                    continue;
                };
                if !self.has(env, ix)
                    || (from.has(old) && !again && expect.modality == Modality::Must)
                {
                    continue;
                }
                let Some(patterns) = on(row) else { continue };
                if !patterns
                    .iter()
                    .any(|pattern| matches(pattern, &past.words, &past.event, config, None, None))
                {
                    continue;
                }
                let possible = StateSet::default().with(config.state);
                let view = View {
                    now: past.event.at,
                    ..view(
                        env,
                        config,
                        &past.before,
                        Some(&past.event),
                        Some(&past.event),
                        possible,
                    )
                };
                if !holds(row.guard.as_ref(), &view) {
                    continue;
                }
                let req = choose_req(&row.req, &view);
                let mut open = open_on(env, row, ix, expect, req, &past.event, config.entered);
                if at_most == Modality::Must {
                    exercised(judge, row, req);
                    judge.row(ix);
                } else {
                    open.modality = at_most;
                    open.warn = None;
                }
                self.push(env, config, open);
            }
        }
    }

    fn arm_clock(
        &self,
        env: &Env<'_>,
        config: &mut Config,
        clock: ClockIx,
        clocks: &Clocks,
        old: StateIx,
        judge: &mut Judge,
    ) {
        for &row in &env.index.since[clock] {
            let seen = env.profile.rows[row].from.is_some_and(|from| from.has(old));
            if self.has(env, row) && !seen {
                self.arm_since(env, config, row, clock, clocks, judge);
            }
        }
    }

    /// Opens a row that hangs on a running clock, if the state and its guard allow.
    pub(super) fn arm_since(
        &self,
        env: &Env<'_>,
        config: &mut Config,
        ix: RowIx,
        clock: ClockIx,
        clocks: &Clocks,
        judge: &mut Judge,
    ) {
        let row = &env.profile.rows[ix];
        let RowBody::Expect(expect) = &row.body else {
            return;
        };
        if row.from.is_some_and(|from| !from.has(config.state))
            || config
                .open
                .iter()
                .any(|open| open.row == ix && !open.watch && open.modality == expect.modality)
        {
            return;
        }
        let possible = StateSet::default().with(config.state);
        let view = view(env, config, clocks, None, None, possible);
        if !holds(row.guard.as_ref(), &view) {
            return;
        }
        let req = choose_req(&row.req, &view);
        let ClockState { heard, sure, n, .. } = clocks[clock];
        let Some(after) = config.delay(expect) else { return };
        let base = (sure + after).max(config.entered);
        let (warn, hi) = window(env, expect, base);
        exercised(judge, row, req);
        judge.row(ix);
        let mut open = Open {
            row: ix,
            modality: expect.modality,
            lo: (heard + after) - env.profile.tolerance.early,
            warn,
            hi,
            req,
            trigger: None,
            cause: n,
            to: expect.to,
            overdue: false,
            warned: false,
            watch: false,
            withdrawn: None,
        };
        if judgeable(env, &mut open, heard) {
            config.open.push(open);
        }
    }
}
