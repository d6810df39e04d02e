//! What lasts: prohibitions that hold as long as a state does, and demands that recur.
//!
//! Not responsible for naming an unexplained report; [`super::attribution`] asks here.
//!
//! Invariant: while the client may have left the state without having said so, nothing of that
//! state is judged.

use super::config::{Armed, Config};
use super::facts::matches;
use super::group::{Env, Group, choose_req, holds, view};
use super::index::{Index, Words};
use super::judge::{Breach, Judge};
use super::overdue::Soonest;
use super::words::pattern_text;
use crate::profile::machine::{Keep, Never, RowBody, StateSet};
use crate::profile::{Length, Profile, ReqIx, RowIx};
use crate::record::Judgement;
use crate::time::Micros;
use crate::trace::Event;
use std::rc::Rc;

/// How long a prohibition must have been tempted to count as kept.
const EXPOSURE: Micros = Micros::from_secs(10);
/// Added to the longest gap between attempts.
const EXPOSURE_MARGIN: Micros = Micros::from_secs(1);

/// The lasting rows of a group.
#[derive(Clone, Debug)]
pub(super) struct Duty {
    nevers: Vec<Lasting>,
    keeps: Vec<Lasting>,
}

#[derive(Clone, Debug)]
struct Lasting {
    row: RowIx,
    /// In force since then.
    since: Option<Micros>,
    /// For a recurring demand: when it was last met.
    last: Micros,
    req: Option<ReqIx>,
    satisfied: bool,
    warned: bool,
    violated: bool,
    /// The client may have left the state: nothing is demanded, and the gap starts anew.
    paused: bool,
}

impl Duty {
    pub(super) fn new(profile: &Profile, index: &Index, group: usize) -> Self {
        let lasting = |rows: &[RowIx]| {
            rows.iter()
                .filter(|row| index.group_of[profile.rows[**row].machine] == group)
                .map(|row| Lasting {
                    row: *row,
                    since: None,
                    last: Micros::ZERO,
                    req: None,
                    satisfied: false,
                    warned: false,
                    violated: false,
                    paused: false,
                })
                .collect()
        };
        Self { nevers: lasting(&index.while_nevers), keeps: lasting(&index.keeps) }
    }

    /// Looks anew at which lasting rows are in force.
    pub(super) fn rescope(&mut self, env: &Env<'_>, configs: &[Config], judge: &mut Judge) {
        for (lasting, is_keep) in self
            .nevers
            .iter_mut()
            .map(|l| (l, false))
            .chain(self.keeps.iter_mut().map(|l| (l, true)))
        {
            let row = &env.profile.rows[lasting.row];
            let mut req = None;
            let in_force = configs.iter().any(|config| {
                if row.from.is_some_and(|from| !from.has(config.state)) {
                    return false;
                }
                let possible = StateSet::default().with(config.state);
                let view = view(env, config, env.clocks, None, None, possible);
                let suspended = matches!(&row.body, RowBody::Keep(keep) if keep.suspended.as_ref().is_some_and(|guard| guard.holds(&view)));
                // A guard that speaks of the event at hand is looked at when there is one.
                let force = !suspended && (speaks_of_event(row) || holds(row.guard.as_ref(), &view));
                if force {
                    req = choose_req(&row.req, &view);
                }
                force
            }) && (is_keep || !env.index.needs_network[lasting.row] || env.link_up)
                && !env.hides(lasting.row);
            if lasting.paused && !configs.iter().any(|config| config.leaving(env.now)) {
                lasting.paused = false;
                lasting.last = env.now;
            }
            match (in_force, lasting.since) {
                (true, None) => {
                    lasting.since = Some(env.now);
                    lasting.last = env.now;
                    lasting.req = req;
                    lasting.warned = false;
                    judge.row(lasting.row);
                    if let Some(req) = req {
                        judge.mark(req, Judgement::Undetermined);
                    }
                }
                (false, Some(_)) => lasting.since = None,
                _ => {}
            }
        }
    }

    /// A recurring demand was met.
    pub(super) fn beat(&mut self, env: &Env<'_>, configs: &[Config], event: &Event, words: &Words) {
        for keep in &mut self.keeps {
            let RowBody::Keep(Keep { pattern, .. }) = &env.profile.rows[keep.row].body else {
                continue;
            };
            let own = matches(pattern, words, event, &configs[0], None, None);
            // A dial in progress counts as an attempt, and so does its end.
            let dial = counts_dials(env, pattern) && event.plane == crate::trace::Plane::Network;
            if own || dial {
                keep.last = env.now;
                keep.warned = false;
            }
        }
    }

    /// Marks and reports what is decided by `env.now`.
    pub(super) fn deadlines(
        &mut self,
        env: &Env<'_>,
        configs: &[Config],
        failed: &mut bool,
        server_side: bool,
        judge: &mut Judge,
    ) {
        for never in &mut self.nevers {
            let Some(since) = never.since.filter(|_| !never.satisfied) else {
                continue;
            };
            if since + exposure(env, never.row) <= env.now {
                never.satisfied = true;
                if let Some(req) = never.req {
                    judge.satisfy(env.profile, req);
                }
            }
        }
        for keep in &mut self.keeps {
            let Some(since) = keep.since else { continue };
            let RowBody::Keep(body) = &env.profile.rows[keep.row].body else {
                continue;
            };
            let every = env.settings.length(env.profile, body.every);
            if !keep.satisfied && !keep.violated && since + every <= env.now {
                keep.satisfied = true;
                if let Some(req) = keep.req {
                    judge.satisfy(env.profile, req);
                }
            }
            let (warn, fail) = gap(env, body, keep.last);
            let leaving = configs.iter().any(|config| config.leaving(env.now));
            if leaving || keep.paused {
                keep.paused = leaving;
                keep.last = env.now;
                continue;
            }
            if keep.violated {
                continue;
            }
            let breach = |at: Micros, req: ReqIx| Breach {
                req,
                row: Some(keep.row),
                rule: "",
                client: env.client,
                server_side,
                at,
                expected: format!(
                    "{}: {} by {at}",
                    env.profile.rows[keep.row].title,
                    pattern_text(env.profile, &body.pattern)
                ),
                observed: format!("the last one at {}", keep.last),
                trace: (env.last_n, env.last_n),
                consequent: *failed,
            };
            if fail < env.now {
                keep.violated = true;
                if let Some(req) = keep.req {
                    *failed |= judge.breach(env.profile, env.settings, breach(fail, req));
                }
            } else if warn.is_some_and(|warn| warn < env.now) && !keep.warned {
                keep.warned = true;
                if let Some(req) = keep.req {
                    judge.warn(env.profile, env.settings, breach(warn.unwrap_or(fail), req));
                }
            }
        }
    }

    /// Marks armed prohibitions that were kept, and drops those that are over.
    pub(super) fn armed(&self, env: &Env<'_>, config: &mut Config, judge: &mut Judge) {
        for armed in &mut config.armed {
            if !armed.satisfied && !env.hides(armed.row) && armed_decided(env, armed) <= env.now {
                armed.satisfied = true;
                if let Some(req) = armed.req {
                    judge.satisfy(env.profile, req);
                }
            }
        }
        config.armed.retain(|armed| armed.until.is_none_or(|until| until >= env.now));
    }

    /// Offers when armed prohibitions are decided.
    pub(super) fn armed_deadlines(&self, env: &Env<'_>, config: &Config, soonest: &mut Soonest) {
        for armed in config.armed.iter().filter(|armed| !armed.satisfied) {
            soonest.offer(Some(before(armed_decided(env, armed))));
        }
    }

    /// Offers when something of the lasting rows is next decided or overdue.
    pub(super) fn deadline(&self, env: &Env<'_>, soonest: &mut Soonest) {
        for never in self.nevers.iter().filter(|never| !never.satisfied) {
            soonest.offer(never.since.map(|since| before(since + exposure(env, never.row))));
        }
        for keep in self.keeps.iter().filter(|keep| !keep.violated) {
            let RowBody::Keep(body) = &env.profile.rows[keep.row].body else { continue };
            let Some(since) = keep.since else { continue };
            if !keep.satisfied {
                soonest.offer(Some(before(since + env.settings.length(env.profile, body.every))));
            }
            if !keep.paused {
                let (warn, fail) = gap(env, body, keep.last);
                soonest.offer(warn.filter(|_| !keep.warned));
                soonest.offer(Some(fail));
            }
        }
    }

    /// When what a case names is decided, of the lasting rows in force.
    pub(super) fn pending<'a>(
        &'a self,
        env: &'a Env<'a>,
        wanted: impl Fn(ReqIx) -> bool + Copy + 'a,
    ) -> impl Iterator<Item = Micros> + 'a {
        let open = move |lasting: &&Lasting| {
            !lasting.satisfied && !lasting.violated && lasting.req.is_some_and(wanted)
        };
        let nevers = self
            .nevers
            .iter()
            .filter(open)
            .filter_map(|never| Some(never.since? + exposure(env, never.row)));
        let keeps = self.keeps.iter().filter(open).filter_map(|keep| {
            let RowBody::Keep(body) = &env.profile.rows[keep.row].body else {
                return None;
            };
            Some(keep.since? + env.settings.length(env.profile, body.every))
        });
        nevers.chain(keeps)
    }
}

/// The instant before which a decision is not yet due: deadlines are exclusive.
fn before(at: Micros) -> Micros {
    Micros(at.0.saturating_sub(1))
}

fn counts_dials(env: &Env<'_>, pattern: &crate::profile::machine::Pattern) -> bool {
    env.index.attempt.is_some_and(|attempt| pattern.heads.contains(&attempt))
}

/// From when on a gap warns, and when it fails; a dial in progress stretches it.
fn gap(env: &Env<'_>, keep: &Keep, last: Micros) -> (Option<Micros>, Micros) {
    let every = env.settings.length(env.profile, keep.every);
    if counts_dials(env, &keep.pattern) && env.dialling {
        // Systems give a dial up after some two minutes; no dial is an attempt for ever.
        return (None, last + every + every + every + every);
    }
    let tolerance = env.settings.length(env.profile, keep.tolerance) + env.settings.slack;
    match keep.every {
        Length::Cap(_) => (Some(last + every + tolerance), last + every + every + tolerance),
        _ => (None, last + every + tolerance),
    }
}

fn exposure(env: &Env<'_>, row: RowIx) -> Micros {
    let RowBody::Never(never) = &env.profile.rows[row].body else {
        return Micros::ZERO;
    };
    let grace = never.grace.map_or(Micros::ZERO, |grace| env.settings.length(env.profile, grace));
    grace
        + match never.exposure {
            Some(exposure) => exposure,
            None if env.index.needs_network[row] => EXPOSURE.max(env.longest_gap + EXPOSURE_MARGIN),
            None => EXPOSURE,
        }
}

fn armed_decided(env: &Env<'_>, armed: &Armed) -> Micros {
    let RowBody::Never(never) = &env.profile.rows[armed.row].body else {
        return armed.since;
    };
    let lasts = armed.until.map(|until| until.since(armed.from));
    let enough = never.exposure.into_iter().chain(lasts).min();
    armed.since + enough.unwrap_or(EXPOSURE)
}

fn speaks_of_event(row: &crate::profile::machine::Row) -> bool {
    fn any(expr: &crate::profile::expr::Expr) -> bool {
        use crate::profile::expr::{Expr, Term};
        match expr {
            Expr::Not(inner) => any(inner),
            Expr::And(all) | Expr::Or(all) => all.iter().any(any),
            Expr::Compare(_, left, right) => {
                matches!(left, Term::Event(_)) || matches!(right, Term::Event(_))
            }
            Expr::In(term, _) | Expr::Truthy(term) => matches!(term, Term::Event(_)),
            _ => false,
        }
    }
    row.guard.as_ref().is_some_and(any)
}

/// A prohibition that an event met.
pub(super) struct Forbidden {
    pub(super) row: RowIx,
    pub(super) req: ReqIx,
    pub(super) trigger: Option<Rc<Event>>,
}

impl Group {
    /// The armed prohibition that forbids this event in this configuration.
    pub(super) fn armed_forbids(
        &self,
        env: &Env<'_>,
        config: &Config,
        event: &Event,
        words: &Words,
        rows: &[RowIx],
    ) -> Option<Forbidden> {
        config.armed.iter().find_map(|armed| {
            let RowBody::Never(never) = &env.profile.rows[armed.row].body else {
                return None;
            };
            let in_time = armed.from <= env.now && armed.until.is_none_or(|until| env.now <= until);
            let own = armed.trigger.event.n != event.n;
            let met = rows.contains(&armed.row)
                && in_time
                && own
                && matches(
                    &never.pattern,
                    words,
                    event,
                    config,
                    self.state_name(env.profile, config),
                    Some(&armed.trigger.event),
                );
            let req = armed.req.filter(|_| met)?;
            Some(Forbidden { row: armed.row, req, trigger: Some(Rc::clone(&armed.trigger.event)) })
        })
    }

    /// The lasting prohibition that forbids this event in this configuration.
    pub(super) fn while_forbids(
        &self,
        env: &Env<'_>,
        config: &Config,
        event: &Event,
        words: &Words,
        rows: &[RowIx],
    ) -> Option<Forbidden> {
        rows.iter().find_map(|&ix| {
            let row = &env.profile.rows[ix];
            let RowBody::Never(Never { on: None, pattern, grace, .. }) = &row.body else {
                return None;
            };
            if !self.has(env, ix)
                || row.from.is_some_and(|from| !from.has(config.state))
                || is_repetition(pattern)
            {
                return None;
            }
            if row.from.is_some() && config.leaving(env.now) {
                return None;
            }
            let from = grace.map_or(Micros::ZERO, |grace| {
                config.entered + env.settings.length(env.profile, grace) + env.settings.slack
            });
            let possible = self.possible(env.profile, env.now);
            let view = view(env, config, env.clocks, None, Some(event), possible);
            let met = env.now >= from
                && matches(
                    pattern,
                    words,
                    event,
                    config,
                    self.state_name(env.profile, config),
                    None,
                )
                && holds(row.guard.as_ref(), &view);
            let req = choose_req(&row.req, &view).filter(|_| met)?;
            Some(Forbidden { row: ix, req, trigger: None })
        })
    }
}

/// Whether a prohibition is of a report that repeats the state.
pub(super) fn is_repetition(pattern: &crate::profile::machine::Pattern) -> bool {
    pattern
        .fields
        .iter()
        .any(|(_, want)| matches!(want, crate::profile::machine::Constraint::Current))
}
