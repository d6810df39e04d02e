//! What becomes overdue in the configurations of a group, and what is decided by mere time.
//!
//! Not responsible for rows that last ([`super::duty`]) or calls ([`super::calls`]).
//!
//! Invariant: one obligation is reported at most once.

use super::Settings;
use super::config::Open;
use super::group::{Env, Group};
use super::judge::{Breach, Judge};
use super::windows::left;
use super::words::pattern_text;
use crate::profile::Profile;
use crate::profile::machine::{Modality, RowBody};
use crate::time::Micros;

/// The earliest of the instants offered that have not passed. What has passed was looked at; if it
/// stayed open, nothing but an event can decide it.
pub(super) struct Soonest {
    now: Micros,
    /// The earliest, if any.
    pub(super) at: Option<Micros>,
}

impl Soonest {
    pub(super) const fn from(now: Micros) -> Self {
        Self { now, at: None }
    }

    pub(super) fn offer(&mut self, due: Option<Micros>) {
        if let Some(due) = due.filter(|due| *due >= self.now)
            && self.at.is_none_or(|at| due < at)
        {
            self.at = Some(due);
        }
    }
}

impl Group {
    /// Reports what is overdue at `env.now`, exclusively.
    pub(super) fn deadlines(&mut self, env: &Env<'_>, judge: &mut Judge) {
        for config in &mut self.configs {
            // A withdrawn report that did not come.
            config.open.retain(|open| {
                let over = open.watch && open.hi.is_some_and(|hi| hi < env.now);
                if over {
                    let row = &env.profile.rows[open.row];
                    for req in [row.withdrawn, row.early].into_iter().flatten() {
                        judge.satisfy(env.profile, req);
                    }
                }
                let gone = !open.watch
                    && open.modality == Modality::May
                    && open.hi.is_some_and(|hi| hi < env.now);
                if gone {
                    left(env, open, judge);
                }
                !over && !gone
            });
            self.duty.armed(env, config, judge);
        }
        self.overdue(env, judge);
    }

    /// A demand that is overdue in every configuration is a breach; configurations in which
    /// something is overdue are gone as long as others remain.
    fn overdue(&mut self, env: &Env<'_>, judge: &mut Judge) {
        let late = |open: &Open| {
            !open.overdue
                && !open.watch
                && open.modality == Modality::Must
                && open.hi.is_some_and(|hi| hi < env.now)
        };
        if self.configs.iter().any(|config| !config.open.iter().any(late)) {
            self.configs.retain(|config| !config.open.iter().any(late));
        } else {
            let mut named: Vec<Open> =
                self.configs[0].open.iter().filter(|open| late(open)).cloned().collect();
            named.sort_by_key(|open| open.hi);
            for config in &mut self.configs {
                for open in config.open.iter_mut().filter(|open| late(open)) {
                    open.overdue = true;
                    open.warned = true;
                }
            }
            for open in named {
                let hi = open.hi.unwrap_or(env.now);
                let violated = self.not_seen(env, &open, hi, judge, Judge::breach);
                self.failed |= violated;
            }
        }
        let slow = |open: &Open| {
            !open.warned
                && !open.watch
                && open.modality == Modality::Must
                && open.warn.is_some_and(|warn| warn < env.now)
        };
        let named: Vec<Open> =
            self.configs[0].open.iter().filter(|open| slow(open)).cloned().collect();
        for open in named {
            let warn = open.warn.unwrap_or(env.now);
            self.not_seen(env, &open, warn, judge, |judge, profile, settings, breach| {
                judge.warn(profile, settings, breach);
                false
            });
            for config in &mut self.configs {
                for have in config
                    .open
                    .iter_mut()
                    .filter(|have| have.row == open.row && have.trigger == open.trigger)
                {
                    have.warned = true;
                }
            }
        }
    }

    /// Reports that what a row demands was not seen by `deadline`.
    fn not_seen(
        &self,
        env: &Env<'_>,
        open: &Open,
        deadline: Micros,
        judge: &mut Judge,
        grade: impl Fn(&mut Judge, &Profile, &Settings, Breach<'_>) -> bool,
    ) -> bool {
        let Some(req) = open.req else { return false };
        let row = &env.profile.rows[open.row];
        let RowBody::Expect(expect) = &row.body else {
            return false;
        };
        let since = open.cause;
        let wanted = pattern_text(env.profile, &expect.emit);
        grade(
            judge,
            env.profile,
            env.settings,
            Breach {
                req,
                row: Some(open.row),
                rule: "",
                client: env.client,
                server_side: self.is_server(env.profile),
                at: deadline,
                expected: format!("{}: {wanted} between {} and {deadline}", row.title, open.lo),
                observed: "nothing of the kind".to_owned(),
                trace: (since.min(env.last_n), env.last_n),
                consequent: self.failed,
            },
        )
    }

    /// Offers when something next becomes overdue, is to be warned of, or is decided.
    pub(super) fn deadline(&self, env: &Env<'_>, soonest: &mut Soonest) {
        for config in &self.configs {
            for open in config.open.iter().filter(|open| !open.overdue) {
                soonest.offer(open.hi);
                soonest.offer(open.warn.filter(|_| !open.warned));
            }
            for armed in &config.armed {
                soonest.offer(armed.until);
            }
            self.duty.armed_deadlines(env, config, soonest);
        }
        self.duty.deadline(env, soonest);
    }

    /// Records, at the end, what permissions were left unused.
    pub(super) fn unused(&self, env: &Env<'_>, judge: &mut Judge) {
        for open in self.configs.iter().flat_map(|config| &config.open) {
            left(env, open, judge);
        }
    }
}
