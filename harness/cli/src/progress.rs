//! How far a run is: a bar where there is a terminal, a line now and then elsewhere.
//!
//! Not responsible for results; the summary tells them, this is never the only place of anything.
//!
//! Invariant: it writes to stderr alone, and nothing with `--quiet`.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use stateline_core::record::{CaseRecord, Verdict};
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
        let terminal = std::io::stderr().is_terminal();
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
