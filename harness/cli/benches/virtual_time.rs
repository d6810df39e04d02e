//! Speed of virtual time: cases of 35 simulated seconds, traced and judged, on one core.
//!
//! Prints cases and events a second, with and without keeping the traces. Not a test: it asserts no
//! time. Run it with `cargo bench -p stateline --bench virtual_time`; a number as argument sets the
//! seconds to measure.
//!
//! Invariant: what is measured is what `run` does for each case, record included.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod shared;

use stateline_core::profile::Profile;
use stateline_core::scenario::Case;
use stateline_core::turn::Open;
use stateline_runner::source::{Cast, InProcess, Refusal, Source};

// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Reference;

impl Source for Reference {
    fn open<'s>(
        &'s self,
        _worker: usize,
        profile: &Profile,
        _case: &Case,
        clients: &[Open],
    ) -> Result<Box<dyn Cast + 's>, Refusal> {
        let open = |open| stateline_reference::open(&profile.id, None, &[], open);
        let clients: Result<Vec<_>, _> = clients.iter().map(open).collect();
        Ok(Box::new(InProcess(clients.expect("there is a reference client for this profile"))))
    }
}

fn main() {
    let bench = shared::Bench::new();
    for keep_trace in [true, false] {
        let played = bench.play(&Reference, keep_trace, shared::seconds(5));
        let (cases, events) = (played.cases / played.seconds, played.events / played.seconds);
        let kept = if keep_trace { "traces kept" } else { "traces not kept" };
        println!(
            "{kept}: {cases:.0} cases/s, {events:.0} events/s, {:.0} events a case",
            events / cases
        );
    }
}
