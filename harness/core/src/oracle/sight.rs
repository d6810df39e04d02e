//! Dials that nobody can see, because nothing listens: what the table says of them is left undetermined.
//!
//! While dials are hidden, what waits for one is dropped, what one would withdraw is demanded no more, and what
//! one would open is permitted. Prohibitions and recurring demands of dials ([`super::duty`]) are not in
//! force, and start anew afterwards. Not responsible for anything that can be seen.
//!
//! Invariant: a client that dials while its dials are hidden is judged like one that does not.

use super::config::{Config, Open};
use super::group::{Env, Group};
use super::windows::window;
use crate::profile::RowIx;
use crate::profile::machine::{Modality, RowBody};
use crate::time::Micros;
use crate::trace::{Event, Plane};

/// Whether a client's dials can be seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sight {
    /// They are hidden now.
    pub(super) hidden: bool,
    /// They were last hidden until then.
    until: Micros,
}

/// Whether an event says how a link is from now on.
pub(super) fn turns(event: &Event) -> bool {
    event.plane == Plane::Network && matches!(event.kind.as_str(), "down" | "up")
}

impl Sight {
    /// Takes in how the link is from now on. Returns whether that changes what can be seen.
    pub(super) fn turn(&mut self, event: &Event) -> bool {
        let hidden = event.data.text("dials") == Some("hidden");
        let changes = self.hidden != hidden;
        if changes && !hidden {
            self.until = event.at;
        }
        self.hidden = hidden;
        changes
    }

    /// Whether a dial since `from` may have been missed.
    pub(super) fn missed(self, from: Micros) -> bool {
        self.hidden || from < self.until
    }
}

impl Env<'_> {
    /// Whether what a row forbids or demands cannot be seen now.
    pub(super) fn hides(&self, row: RowIx) -> bool {
        self.sight.hidden && self.index.waits_for_dial[row]
    }
}

impl Group {
    /// Dials are hidden from now on.
    pub(super) fn hide_dials(&mut self, env: &Env<'_>) {
        for at in 0..self.configs.len() {
            let mut config = self.configs[at].clone();
            config.open.retain_mut(|open| judgeable(env, open, env.now));
            config.armed.retain(|armed| !env.index.ended_by_dial.contains(&armed.row));
            self.permit_unseen(env, &mut config, env.now);
            self.configs[at] = config;
        }
    }

    /// Dials can be seen again. What one may have opened is permitted for as long as that can take; how
    /// long a prohibition of dials was kept is counted from here.
    pub(super) fn show_dials(&mut self, env: &Env<'_>) {
        for config in &mut self.configs {
            for open in config.open.iter_mut().filter(|open| open.trigger.is_none()) {
                if open.hi.is_none() && env.index.opened_by_dial.contains(&open.row) {
                    open.hi = end(env, open.row, env.now);
                }
            }
            for armed in &mut config.armed {
                if env.index.waits_for_dial[armed.row] {
                    armed.since = armed.since.max(env.now);
                }
            }
        }
    }

    /// Permits, in the state of a configuration, what a dial that nobody saw since `from` may have opened.
    pub(super) fn permit_unseen(&self, env: &Env<'_>, config: &mut Config, from: Micros) {
        if !env.sight.missed(from) {
            return;
        }
        for &row in &env.index.opened_by_dial {
            let own = &env.profile.rows[row];
            let RowBody::Expect(expect) = &own.body else { continue };
            if !self.has(env, row)
                || env.index.waits_for_dial[row]
                || own.from.is_some_and(|from| !from.has(config.state))
                || config.open.iter().any(|open| open.row == row && !open.watch)
            {
                continue;
            }
            let Some(after) = config.delay(expect) else { continue };
            let hi = if env.sight.hidden { None } else { end(env, row, env.sight.until) };
            config.open.push(Open {
                row,
                modality: Modality::May,
                lo: (from + after) - env.profile.tolerance.early,
                warn: None,
                hi,
                // It can satisfy nothing, because nobody knows that it was triggered.
                req: None,
                trigger: None,
                cause: env.last_n,
                to: expect.to,
                overdue: false,
                warned: false,
                watch: false,
                withdrawn: None,
            });
        }
    }
}

/// Whether a row that was opened at `from` is still to be kept, when dials since then may have been missed;
/// makes a permission of what one of them may have withdrawn.
pub(super) fn judgeable(env: &Env<'_>, open: &mut Open, from: Micros) -> bool {
    if !env.sight.missed(from) {
        return true;
    }
    if env.index.ended_by_dial.contains(&open.row) && !open.watch {
        open.modality = Modality::May;
        open.warn = None;
    }
    !env.index.waits_for_dial[open.row]
}

/// When the permission of a row ends that a dial at `at` may have opened.
fn end(env: &Env<'_>, row: RowIx, at: Micros) -> Option<Micros> {
    let RowBody::Expect(expect) = &env.profile.rows[row].body else { return None };
    window(env, expect, at + expect.after).1
}
