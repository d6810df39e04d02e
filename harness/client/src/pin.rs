//! Keeps a thread, and the processes that it starts from then on, on one processor.
//!
//! In lockstep harness and adapter take turns, so they never need two processors; waking an idle one
//! costs several times as much as the turn itself. Not responsible for who shares a processor.
//!
//! Invariant: where this cannot be done, nothing happens.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps the calling thread on the n-th of the processors that it may use, counted around.
pub fn pin_thread(nth: usize) {
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    if processors.is_empty() {
        return;
    }
    let mut one = CpuSet::new();
    one.set(processors[nth % processors.len()]);
    // Refused in some containers; then the scheduler decides, which is slower and as right.
    let _ = sched_setaffinity(None, &one);
}
