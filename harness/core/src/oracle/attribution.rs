//! Names what an unexplained observation breaks: the first reason that fits.
//!
//! In this order: (1) it is not in the enumeration; (2) a triggered `never`; (3) an open row that
//! it satisfies but for being early, or that was withdrawn; (4) an open row with its target, or of a
//! hidden state with its word, another field wrong; (5) an open row, due, that it pre-empts; (6) it
//! repeats the state; (7) a `never` that lasts; (8) a row of this state with its target that nothing
//! triggered, save rows that only a call of the application triggers; (9) the machine's `otherwise`.
//! The first is looked at for every report, explained or not, in [`super::client`].
//!
//! Not responsible for deciding that it is unexplained.
//!
//! Invariant: an unexplained observation of a closed kind is always named.

use super::config::Open;
use super::duty::{Forbidden, is_repetition};
use super::facts::matches;
use super::group::{Env, Group, choose_req, view};
use super::index::{Words, demands};
use super::judge::{Breach, Judge};
use super::words::{describe, pattern_text};
use crate::profile::machine::{Expect, Modality, RowBody, Target, Trigger};
use crate::profile::{MachineIx, ReqIx, RowIx};
use crate::trace::{Event, Head};

/// What an observation breaks.
struct Named {
    req: ReqIx,
    row: Option<RowIx>,
    expected: String,
    since: Option<u32>,
}

impl Group {
    /// Reports an unexplained observation of a closed kind.
    pub(super) fn unexplained(
        &mut self,
        env: &Env<'_>,
        event: &Event,
        words: &Words,
        owner: MachineIx,
        judge: &mut Judge,
    ) {
        let state = self.reported(env.profile, event);
        let named = self.attribute(env, event, words, owner);
        if let Some(named) = named {
            let breach = Breach {
                req: named.req,
                row: named.row,
                rule: "otherwise",
                client: env.client,
                server_side: self.is_server(env.profile),
                at: event.at,
                expected: named.expected,
                observed: describe(event),
                trace: (named.since.unwrap_or(event.n).min(event.n), event.n),
                consequent: self.failed,
            };
            let violated = judge.breach(env.profile, env.settings, breach);
            self.failed |= violated;
        }
        self.force(env, state, judge);
    }

    fn attribute(
        &self,
        env: &Env<'_>,
        event: &Event,
        words: &Words,
        owner: MachineIx,
    ) -> Option<Named> {
        let config = &self.configs[0];
        let profile = env.profile;
        let name = self.state_name(profile, config);
        let nevers: Vec<RowIx> =
            words.iter().flat_map(|head| env.index.touched(*head).nevers.iter().copied()).collect();
        if let Some(met) = self.armed_forbids(env, config, event, words, &nevers) {
            let since = met.trigger.as_ref().map(|event| event.n);
            return Some(Named {
                req: met.req,
                row: Some(met.row),
                expected: profile.rows[met.row].title.clone(),
                since,
            });
        }
        let state = self.reported(profile, event);
        let opens = || {
            config.open.iter().filter_map(|open| match &profile.rows[open.row].body {
                RowBody::Expect(expect) => Some((open, expect)),
                _ => None,
            })
        };
        let full = |open: &Open, expect: &Expect| {
            matches(&expect.emit, words, event, config, name, open.event())
        };
        let since = |open: &Open| Some(open.cause);
        // A withdrawn report that comes when it would have been due is no early one of a later
        // trigger; one that comes before that is, if there is a later trigger.
        let late = profile.tolerance.late + env.settings.slack;
        let due = |open: &Open| open.hi.is_some_and(|hi| hi <= env.now + late);
        let fitting = |pass: u8| {
            opens()
                .filter(move |(open, _)| match pass {
                    0 => open.watch && due(open),
                    1 => !open.watch,
                    _ => open.watch && !due(open),
                })
                .filter(|(open, expect)| full(open, expect))
        };
        for (open, expect) in (0..3).flat_map(fitting) {
            let row = &profile.rows[open.row];
            let req = if open.watch { row.withdrawn.or(row.early) } else { row.early.or(open.req) };
            let early = if open.watch {
                format!("{}, and not when it was over before", row.title)
            } else {
                format!(
                    "{}: {} not before {}",
                    row.title,
                    pattern_text(profile, &expect.emit),
                    open.lo
                )
            };
            if let Some(req) = req.filter(|_| open.lo > env.now || open.watch) {
                return Some(Named {
                    req,
                    row: Some(open.row),
                    expected: early,
                    since: since(open),
                });
            }
        }
        let owing = || {
            opens().filter(|(open, _)| {
                !open.watch
                    && open.modality == Modality::Must
                    && demands(&profile.rows[open.row].body)
            })
        };
        // Of rows that end alike, the first says that there is an end, and the last, or the one that moves, with what.
        let moving = owing().filter(|(open, _)| open.moves());
        let staying: Vec<_> = owing().filter(|(open, _)| !open.moves()).collect();
        for (open, expect) in moving.chain(staying.into_iter().rev()) {
            let targets = match state {
                Some(state) => open.to == Target::State(state),
                // Of a hidden state, what is said in the row's own word is what was meant for it.
                None => {
                    event.kind != "state"
                        && expect.emit.heads.iter().any(|head| words.contains(head))
                }
            };
            if let Some(req) = open.req.filter(|_| targets && open.lo <= env.now) {
                let expected = format!(
                    "{}: {}",
                    profile.rows[open.row].title,
                    pattern_text(profile, &expect.emit)
                );
                return Some(Named { req, row: Some(open.row), expected, since: since(open) });
            }
        }
        for (open, expect) in owing() {
            let pre_empts = state.is_some_and(|state| {
                profile.rows[open.row].from.is_some_and(|from| !from.has(state))
            });
            if let Some(req) = open.req.filter(|_| pre_empts && open.lo <= env.now && open.moves())
            {
                let expected = format!(
                    "{}: {} first",
                    profile.rows[open.row].title,
                    pattern_text(profile, &expect.emit)
                );
                return Some(Named { req, row: Some(open.row), expected, since: since(open) });
            }
        }
        if state == Some(config.state) {
            for &ix in &nevers {
                let row = &profile.rows[ix];
                let RowBody::Never(never) = &row.body else {
                    continue;
                };
                if is_repetition(&never.pattern) && self.has(env, ix) {
                    let possible = self.possible(profile, env.now);
                    let req = choose_req(
                        &row.req,
                        &view(env, config, env.clocks, None, Some(event), possible),
                    )?;
                    return Some(Named {
                        req,
                        row: Some(ix),
                        expected: row.title.clone(),
                        since: None,
                    });
                }
            }
        }
        if let Some(met) = self.while_forbids(env, config, event, words, &nevers) {
            return Some(Named {
                req: met.req,
                row: Some(met.row),
                expected: profile.rows[met.row].title.clone(),
                since: None,
            });
        }
        if let Some(named) = self.untriggered(env, event, words) {
            return Some(named);
        }
        let req = profile.machines[owner].otherwise?;
        let state = name.unwrap_or("this state");
        Some(Named {
            req,
            row: None,
            expected: format!("no report of this kind in state {state} without a cause"),
            since: None,
        })
    }

    /// A row of this state with the reported target that nothing triggered.
    fn untriggered(&self, env: &Env<'_>, event: &Event, words: &Words) -> Option<Named> {
        let config = &self.configs[0];
        let state = self.reported(env.profile, event)?;
        env.profile.rows.iter().enumerate().find_map(|(ix, row)| {
            let RowBody::Expect(expect) = &row.body else {
                return None;
            };
            let applies = self.has(env, ix)
                && demands(&row.body)
                && row.from.is_some_and(|from| from.has(config.state))
                && expect.to == Target::State(state)
                && expect.emit.heads.iter().any(|head| words.contains(head));
            let by_call = match &expect.trigger {
                Trigger::On(patterns) => patterns
                    .iter()
                    .flat_map(|pattern| &pattern.heads)
                    .all(|head| Head::parse(env.profile.heads.text(*head)).kind == "call"),
                Trigger::Since(_) => false,
            };
            if !applies || by_call {
                return None;
            }
            let possible = self.possible(env.profile, env.now);
            let req =
                choose_req(&row.req, &view(env, config, env.clocks, None, Some(event), possible))?;
            Some(Named {
                req,
                row: Some(ix),
                expected: format!("{}, and nothing else does", row.title),
                since: None,
            })
        })
    }

    /// The prohibition that an event of an open kind meets, where every configuration has one.
    pub(super) fn forbids(
        &self,
        env: &Env<'_>,
        event: &Event,
        words: &Words,
        rows: &[RowIx],
    ) -> Option<Forbidden> {
        let mut met = None;
        for config in &self.configs {
            let found = self
                .armed_forbids(env, config, event, words, rows)
                .or_else(|| self.while_forbids(env, config, event, words, rows));
            found.as_ref()?;
            met = met.or(found);
        }
        met
    }

    /// Reports an event of an open kind that meets a prohibition.
    pub(super) fn forbidden(
        &mut self,
        env: &Env<'_>,
        event: &Event,
        met: Forbidden,
        judge: &mut Judge,
    ) {
        let since = met.trigger.map_or(event.n, |event| event.n);
        let breach = Breach {
            req: met.req,
            row: Some(met.row),
            rule: "",
            client: env.client,
            server_side: self.is_server(env.profile),
            at: event.at,
            expected: env.profile.rows[met.row].title.clone(),
            observed: describe(event),
            trace: (since.min(event.n), event.n),
            consequent: self.failed,
        };
        let violated = judge.breach(env.profile, env.settings, breach);
        self.failed |= violated;
    }
}
