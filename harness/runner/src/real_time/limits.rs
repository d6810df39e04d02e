//! How much one case may cost the others: connections, dials, and what is sent over them.
//!
//! Not responsible for what an adapter tells over its stdout, nor for how long a case is.
//!
//! Invariant: whatever a client does with its connections, what waits because of it is bounded, in bytes
//! and in descriptors.

use stateline_lab::tcp::visit::Arrival;
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// More dials of one client within a second than these are a loop without a pause.
const MOST_DIALS: u32 = 300;
/// More connections of one client at once than these are a leak.
const MOST_BERTHS: usize = 100;
/// More bytes sent in one case than these are a flood.
const MOST_SENT: usize = 64 << 20;
/// What a message costs beside its bytes.
const MESSAGE: usize = 256;

/// How quickly a client dials.
#[derive(Debug, Default)]
pub(super) struct Pace {
    second: Option<Instant>,
    dials: u32,
}

impl Pace {
    /// It dials.
    ///
    /// # Errors
    /// Why it may not.
    pub(super) fn dial(&mut self, now: Instant) -> Result<(), String> {
        let begun = *self.second.get_or_insert(now);
        if now.saturating_duration_since(begun) >= Duration::from_secs(1) {
            (self.second, self.dials) = (Some(now), 0);
        }
        self.dials += 1;
        if self.dials > MOST_DIALS {
            return Err(format!("adapter-flood: more than {MOST_DIALS} dials within a second"));
        }
        Ok(())
    }
}

/// The connections of one client, also those that were not looked at yet and those that are on their way
/// out.
#[derive(Debug, Default)]
pub(super) struct Berths(Arc<()>);

/// One of them, as long as it is kept.
#[derive(Debug)]
pub(super) struct Berth {
    _taken: Arc<()>,
}

impl Berths {
    /// Room for one more.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn take(&self) -> Result<Berth, String> {
        // One count is its own.
        if Arc::strong_count(&self.0) > MOST_BERTHS {
            return Err(format!("adapter-flood: more than {MOST_BERTHS} connections at once"));
        }
        Ok(Berth { _taken: Arc::clone(&self.0) })
    }
}

/// What was sent in a case.
#[derive(Debug, Default)]
pub(super) struct Meter(Cell<usize>);

/// What becomes of something that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measured {
    /// It is let through.
    Fits,
    /// It is the first that is too much.
    Bursts,
    /// It comes after that one.
    Late,
}

impl Meter {
    /// Something was sent.
    pub(super) fn measure(&self, arrival: &Arrival) -> Measured {
        let size = match arrival {
            Arrival::Text(text) => text.len(),
            Arrival::Binary(n) => *n,
            Arrival::Ping(payload) => payload.len(),
            Arrival::Opened | Arrival::Closed(_) | Arrival::Gone | Arrival::Wrong(_) => {
                return Measured::Fits;
            }
        };
        let before = self.0.get();
        let after = before.saturating_add(size + MESSAGE);
        self.0.set(after);
        match (before > MOST_SENT, after > MOST_SENT) {
            (true, _) => Measured::Late,
            (false, true) => Measured::Bursts,
            (false, false) => Measured::Fits,
        }
    }

    /// Why it is too much.
    pub(super) fn words() -> String {
        let messages = MOST_SENT / MESSAGE / 1_000;
        format!(
            "adapter-flood: more than {} MiB, or {messages},000 messages, sent in one case",
            MOST_SENT >> 20
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_dial_again_and_again_with_pauses_alone() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let mut pace = Pace::default();
        assert!((0..10_000).all(|n| pace.dial(at(n * 10)).is_ok()));
        let mut pace = Pace::default();
        let n_dials = (0..10_000).take_while(|n| pace.dial(at(*n)).is_ok()).count();
        assert_eq!(n_dials, 300);
    }

    #[test]
    fn a_connection_that_is_over_makes_room() {
        let berths = Berths::default();
        let mut taken: Vec<_> = (0..MOST_BERTHS).map(|_| berths.take().unwrap()).collect();
        assert!(berths.take().is_err());
        taken.clear();
        assert!(berths.take().is_ok());
    }

    #[test]
    fn a_flood_is_told_once() {
        let meter = Meter::default();
        let text = Arrival::Text("x".repeat(1 << 20).into());
        let empty = Arrival::Binary(0);
        for _ in 0..63 {
            assert_eq!(meter.measure(&text), Measured::Fits);
        }
        assert!((0..4_000).all(|_| meter.measure(&Arrival::Gone) == Measured::Fits));
        assert!((0..5_000).any(|_| meter.measure(&empty) == Measured::Bursts));
        assert_eq!(meter.measure(&text), Measured::Late);
        assert_eq!(meter.measure(&Arrival::Gone), Measured::Fits);
    }
}
