//! One direction of a client's network path, in turns: a pipe that delays, holds and releases.
//!
//! A held pipe keeps what is in it, as TCP does with bytes that nobody acknowledges: what was sent
//! arrives after the outage unless somebody gave up the connection. Not responsible for what an
//! item is, nor for dials and connections (the world's).
//!
//! Invariant: what leaves a pipe leaves it in the order in which it was sent, and nothing leaves
//! while it is held.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use stateline_core::scenario::LinkAct;
use stateline_core::time::Micros;
use std::collections::VecDeque;

/// The least and the span of a drawn one-way delay, in microseconds: 1 to 20 ms.
const BASE: (u64, u64) = (1_000, 19_001);
/// The most that one message is later than the delay, in microseconds.
const JITTER: u64 = 400;

/// What a link does with dials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dials {
    /// They connect.
    #[default]
    Connect,
    /// They hang until the link is up again.
    Hang,
    /// They are answered and reset.
    Refuse,
    /// Nothing listens: they fail at once, and nobody but the client knows of them.
    Unseen,
}

/// What an act on a link means for dials, held directions and open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its name in a trace.
    pub kind: &'static str,
    /// What becomes of dials.
    pub dials: Dials,
    /// What the client sends is held.
    pub hold_up: bool,
    /// What the server sends is held.
    pub hold_down: bool,
    /// What becomes of open connections.
    pub open: OpenConnections,
}

/// What becomes of open connections when a link changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenConnections {
    /// They are closed in order, after what is under way.
    Close,
    /// They stay.
    Keep,
    /// They are reset, and what is under way is lost.
    Reset,
}

impl Condition {
    /// The condition that an act brings about; `None` for a mere delay.
    #[must_use]
    pub const fn after(act: LinkAct) -> Option<Self> {
        use OpenConnections::{Close, Keep, Reset};
        let (kind, dials, hold_up, hold_down, open) = match act {
            LinkAct::BlackHole => ("black-hole", Dials::Hang, true, true, Keep),
            LinkAct::Blip => ("blip", Dials::Connect, false, false, Reset),
            LinkAct::Closed => ("closed", Dials::Hang, false, false, Close),
            LinkAct::ClosedPort => ("closed-port", Dials::Unseen, false, false, Reset),
            LinkAct::Delay(_) => return None,
            LinkAct::ExpiredCertificate => {
                ("expired-certificate", Dials::Refuse, false, false, Reset)
            }
            LinkAct::ForeignCertificate => {
                ("foreign-certificate", Dials::Refuse, false, false, Reset)
            }
            LinkAct::HalfOpenDown => ("half-open-down", Dials::Hang, false, true, Keep),
            LinkAct::HalfOpenUp => ("half-open-up", Dials::Hang, true, false, Keep),
            LinkAct::Refused => ("refused", Dials::Refuse, false, false, Reset),
            LinkAct::Reset => ("reset", Dials::Hang, false, false, Reset),
            LinkAct::Up => ("up", Dials::Connect, false, false, Keep),
        };
        Some(Self { kind, dials, hold_up, hold_down, open })
    }
}

/// One direction.
#[derive(Clone, Debug)]
pub struct Pipe<T> {
    queue: VecDeque<Parcel<T>>,
    held: bool,
    delay: Micros,
    jitter: u64,
    /// When the last item that was sent is due: a later one is not due before it.
    last: Micros,
    next: u64,
    chance: ChaCha8Rng,
}

#[derive(Clone, Debug)]
struct Parcel<T> {
    due: Micros,
    seq: u64,
    item: T,
}

impl<T> Pipe<T> {
    /// A pipe with a delay drawn from this stream of the seed.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(stream);
        let delay = Micros(BASE.0 + chance.next_u64() % BASE.1);
        Self {
            queue: VecDeque::new(),
            held: false,
            delay,
            jitter: JITTER,
            last: Micros::ZERO,
            next: 0,
            chance,
        }
    }

    /// Sends an item.
    pub fn send(&mut self, now: Micros, item: T) {
        let due = self.due(now);
        self.queue.push_back(Parcel { due, seq: self.next, item });
        self.next += 1;
    }

    /// The number that the next item sent will have.
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        self.next
    }

    /// Whether anything sent before this number is still under way.
    #[must_use]
    pub fn carries_before(&self, seq: u64) -> bool {
        self.queue.front().is_some_and(|parcel| parcel.seq < seq)
    }

    /// When something arrives next.
    #[must_use]
    pub fn next_due(&self) -> Option<Micros> {
        if self.held { None } else { self.queue.front().map(|parcel| parcel.due) }
    }

    /// What has arrived by now, with its number.
    pub fn arrive(&mut self, now: Micros) -> Option<(u64, T)> {
        if self.held || self.queue.front()?.due > now {
            return None;
        }
        self.queue.pop_front().map(|parcel| (parcel.seq, parcel.item))
    }

    /// Whether it holds what is sent.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.held
    }

    /// Holds or releases. What was held sets out anew when it is released.
    pub fn hold(&mut self, now: Micros, held: bool) {
        if self.held && !held {
            let mut queue = std::mem::take(&mut self.queue);
            for parcel in &mut queue {
                parcel.due = self.due(now);
            }
            self.queue = queue;
        }
        self.held = held;
    }

    /// From now on messages take this long; what is under way is not overtaken.
    pub fn slow(&mut self, delay: Micros) {
        self.delay = delay;
        self.jitter = 0;
    }

    fn due(&mut self, now: Micros) -> Micros {
        let jitter =
            if self.jitter == 0 { 0 } else { u64::from(self.chance.next_u32()) % self.jitter };
        self.last = self.last.max(now + self.delay + Micros(jitter));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Send,
        Hold(bool),
        Slow(u64),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Send),
            1 => any::<bool>().prop_map(Step::Hold),
            1 => (0u64..200_000).prop_map(Step::Slow),
            3 => (0u64..50_000).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #[test]
        fn a_pipe_keeps_order_and_loses_nothing(seed: u64, steps in prop::collection::vec(step(), 0..80)) {
            let mut pipe = Pipe::new(seed, 0);
            let (mut now, mut sent, mut arrived) = (Micros::ZERO, 0u64, Vec::new());
            for step in steps {
                match step {
                    Step::Send => {
                        pipe.send(now, (sent, now));
                        sent += 1;
                    }
                    Step::Hold(held) => pipe.hold(now, held),
                    Step::Slow(us) => pipe.slow(Micros(us)),
                    Step::Wait(us) => now += Micros(us),
                }
                if pipe.is_held() {
                    prop_assert_eq!(pipe.next_due(), None);
                    prop_assert!(pipe.arrive(Micros::MAX).is_none());
                }
                while let Some((seq, (item, at))) = pipe.arrive(now) {
                    prop_assert_eq!(seq, item);
                    prop_assert!(at <= now);
                    arrived.push(item);
                }
            }
            pipe.hold(now, false);
            while let Some(due) = pipe.next_due() {
                let (_, (item, _)) = pipe.arrive(due).unwrap();
                arrived.push(item);
            }
            prop_assert_eq!(arrived, (0..sent).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_seed_gives_one_delay() {
        let due = |seed, stream| {
            let mut pipe = Pipe::new(seed, stream);
            pipe.send(Micros::ZERO, ());
            pipe.next_due().unwrap()
        };
        assert_eq!(due(1, 0), due(1, 0));
        assert_ne!(due(1, 0), due(1, 1));
        for seed in 0..200 {
            assert!((1_000..=20_400).contains(&due(seed, 0).0));
        }
    }
}
