//! A list of numbers read as choices.
//!
//! Not responsible for where the numbers come from; proptest makes and shrinks them.
//!
//! Invariant: an empty tape always chooses the first, so that a shorter tape is a simpler life.

use stateline_core::time::Micros;

/// Choices, in the order in which they are made.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    numbers: Vec<u32>,
    at: usize,
}

impl Tape {
    pub(crate) fn new(numbers: &[u32]) -> Self {
        Self { numbers: numbers.to_vec(), at: 0 }
    }

    /// Whether all choices were made.
    pub(crate) fn is_over(&self) -> bool {
        self.at >= self.numbers.len()
    }

    fn next(&mut self) -> u32 {
        let number = self.numbers.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        number
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        self.next() % n.max(1)
    }

    /// True once in `n` times, never on an empty tape.
    pub(crate) fn once_in(&mut self, n: u32) -> bool {
        self.below(n) == n - 1
    }

    /// An instant of a closed interval; both ends are likely.
    pub(crate) fn within(&mut self, lo: Micros, hi: Micros) -> Micros {
        let number = u64::from(self.next());
        let length = hi.since(lo).0;
        match number % 6 {
            0 => lo,
            1 => lo + Micros(length),
            _ => lo + Micros((number / 6).wrapping_mul(7_919) % (length + 1)),
        }
    }

    /// A duration between two numbers of milliseconds.
    pub(crate) fn millis(&mut self, lo: u64, hi: u64) -> Micros {
        self.within(Micros::from_millis(lo), Micros::from_millis(hi))
    }

    /// One of a list that is not empty.
    pub(crate) fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(u32::try_from(list.len()).unwrap()) as usize]
    }
}
