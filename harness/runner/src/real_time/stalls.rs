//! When the harness or an adapter was late, measured.
//!
//! A task that wakes itself tells how late it woke; an echo through an adapter tells how late that is.
//! Load can only push later, so what was late within such a time may not be the client's fault. Not
//! responsible for what is made of it.
//!
//! Invariant: only lateness that was measured is kept, and each with when it was.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a thread looks whether it is late.
const LOOK: Duration = Duration::from_millis(10);
/// Lateness below this is the grain of timers, not a stall.
const GRAIN: Duration = Duration::from_millis(15);

/// Stalls of one thread or one adapter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stalls(Arc<Mutex<Vec<Stall>>>);

/// Something was late by `length`, noticed at `until`.
#[derive(Clone, Copy, Debug)]
struct Stall {
    until: Instant,
    length: Duration,
}

impl Stalls {
    /// Something took this long, and ended at `until`.
    pub(crate) fn note(&self, until: Instant, length: Duration) {
        if length > GRAIN {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Stall { until, length });
        }
    }

    /// How long all stalls together were that touched the time between, counted whole.
    pub(crate) fn within(&self, from: Instant, until: Instant) -> Duration {
        let stalls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let touches = |stall: &&Stall| {
            stall.until >= from
                && stall.until.checked_sub(stall.length).is_none_or(|begin| begin <= until)
        };
        stalls.iter().filter(touches).map(|stall| stall.length).sum()
    }

    /// Looks again and again whether this thread is late.
    pub(crate) async fn watch(self) {
        loop {
            let due = Instant::now() + LOOK;
            tokio::time::sleep_until(due.into()).await;
            let now = Instant::now();
            self.note(now, now.saturating_duration_since(due));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalls_that_touch_a_time_count_whole() {
        let stalls = Stalls::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        stalls.note(at(1_000), Duration::from_millis(5));
        stalls.note(at(1_100), Duration::from_millis(100));
        stalls.note(at(2_050), Duration::from_millis(200));
        stalls.note(at(4_000), Duration::from_millis(300));
        let within = |from, until| stalls.within(at(from), at(until)).as_millis();
        assert_eq!(within(0, 900), 0);
        assert_eq!(within(1_050, 2_000), 300);
        assert_eq!(within(2_051, 3_699), 0);
        assert_eq!(within(0, 9_000), 600);
    }
}
