//! What a seed decides: one ChaCha8 stream for each case and repetition.
//!
//! Not responsible for what is drawn for: phases, durations within a class, delays.
//!
//! Invariant: a stream hangs on seed, case id and repetition alone, not on what ran before.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stateline_core::time::Micros;

/// The chance of one case.
#[derive(Clone, Debug)]
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of a case.
    #[must_use]
    pub fn new(seed: u64, case: &str, repeat: u32) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(&repeat.to_le_bytes());
        hasher.update(case.as_bytes());
        Self(ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    /// A seed for somebody else's chance.
    pub fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A time in the closed range.
    pub fn between(&mut self, min: Micros, max: Micros) -> Micros {
        let width = max.since(min).0.saturating_add(1);
        // The bias of a remainder is far below a microsecond in any range that a case draws from.
        min + Micros(self.0.next_u64() % width.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_hangs_on_seed_case_and_repetition() {
        let first = |seed, case, repeat| Draw::new(seed, case, repeat).seed();
        assert_eq!(first(1, "a", 0), first(1, "a", 0));
        assert_ne!(first(1, "a", 0), first(2, "a", 0));
        assert_ne!(first(1, "a", 0), first(1, "b", 0));
        assert_ne!(first(1, "a", 0), first(1, "a", 1));
    }

    #[test]
    fn ranges_are_closed() {
        let mut draw = Draw::new(0, "x", 0);
        let drawn: Vec<_> = (0..200).map(|_| draw.between(Micros(3), Micros(5)).0).collect();
        assert!((3..=5).all(|n| drawn.contains(&n)) && drawn.iter().all(|n| (3..=5).contains(n)));
        assert_eq!(draw.between(Micros(7), Micros(7)), Micros(7));
    }
}
