//! How far a run is: a bar where there is a terminal, a line now and then elsewhere and in CI.
//!
//! Not responsible for results; the summary tells them, this is never the only place of anything.
//!
//! Invariant: it writes to stderr alone, and nothing with `--quiet`.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use stateline_core::record::{CaseRecord, Verdict};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(15);

/// How far a run is.
pub(crate) struct Progress {
    bar: ProgressBar,
    plain: Option<Mutex<Plain>>,
    total: usize,
}

/// Lines instead of a bar.
struct Plain {
    counts: Counts,
    next: Instant,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    done: usize,
    fail: usize,
    error: usize,
    inconclusive: usize,
}

impl Progress {
    /// Of so many cases; of nothing, when nobody wants to see it.
    pub(crate) fn new(total: usize, quiet: bool) -> Self {
        let terminal = has_bar(std::io::stderr().is_terminal(), |name| std::env::var_os(name));
        let hidden = quiet || !terminal;
        let target =
            if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(total as u64), target);
        if let Ok(style) = ProgressStyle::with_template(
            "{spinner} {pos} of {len} cases done {wide_bar} {elapsed_precise}",
        ) {
            bar.set_style(style);
        }
        if !hidden {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        let plain = (!quiet && !terminal)
            .then(|| Mutex::new(Plain { counts: Counts::default(), next: Instant::now() + EVERY }));
        Self { bar, plain, total }
    }

    /// A case is done.
    pub(crate) fn done(&self, case: &CaseRecord) {
        self.bar.inc(1);
        if let Some(verdict @ (Verdict::Fail | Verdict::Error)) = case.verdict {
            let word = if verdict == Verdict::Fail { "FAIL" } else { "ERROR" };
            self.bar.println(format!("{word} {}", case.id));
        }
        let Some(plain) = &self.plain else { return };
        let mut plain = plain.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = &mut plain.counts;
        counts.done += 1;
        match case.verdict {
            Some(Verdict::Fail) => counts.fail += 1,
            Some(Verdict::Error) => counts.error += 1,
            Some(Verdict::Inconclusive) => counts.inconclusive += 1,
            Some(Verdict::Pass) | None => {}
        }
        if Instant::now() >= plain.next {
            plain.next = Instant::now() + EVERY;
            let Counts { done, fail, error, inconclusive } = plain.counts;
            eprintln!(
                "{done} of {} cases done: {fail} FAIL, {error} ERROR, {inconclusive} INCONCLUSIVE",
                self.total
            );
        }
    }

    /// The run is over.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// Whether a bar can be drawn: on a terminal that moves its cursor, and not for the log of a build, which
/// keeps every line. `CI` set to nothing or to `false` is not set.
fn has_bar(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let in_ci = variable("CI").is_some_and(|value| !value.is_empty() && value != "false");
    let is_dumb = variable("TERM").is_some_and(|value| value == "dumb");
    is_terminal && !in_ci && !is_dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_for_terminals_alone() {
        let with = |is_terminal, set: &[(&str, &str)]| {
            has_bar(is_terminal, |name| {
                let found = set.iter().find(|(have, _)| *have == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        assert!(with(true, &[]));
        assert!(with(true, &[("CI", ""), ("TERM", "xterm")]));
        assert!(with(true, &[("CI", "false")]));
        assert!(!with(true, &[("CI", "true")]));
        assert!(!with(true, &[("CI", "1")]));
        assert!(!with(true, &[("TERM", "dumb")]));
        assert!(!with(false, &[]));
    }
}
