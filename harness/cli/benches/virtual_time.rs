//! Speed of virtual time: cases of 35 simulated seconds, traced and judged, on one core.
//!
//! Prints cases and events a second, and the ratio to playing the same cases without keeping their
//! traces. Not a test: it asserts no time. Run it with `cargo bench -p stateline`; a number as
//! argument sets the seconds to measure.
//!
//! Invariant: what is measured is what `run` does for each case, record included.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use stateline_authoring::{ProfileFiles, Source as Text, load_profile, load_scenario};
use stateline_core::oracle::Settings;
use stateline_core::oracle::index::Index;
use stateline_core::profile::Profile;
use stateline_core::record::Verdict;
use stateline_core::scenario::Case;
use stateline_core::turn::Open;
use stateline_runner::source::{Cast, InProcess, Refusal, Source};
use stateline_runner::suite::{Job, Options, run};
use stateline_runner::virtual_time::Stage;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SCENARIO: &str = "
# The shape that the project's speed is quoted for.
id: bench/refused-from-5-to-10
purpose: 35 simulated seconds with a heartbeat of 1 s, refused from 5 to 10 s.
requirements: [RTM-LOGIN-03, RTM-CONN-02]
body:
  - call: { alice: login }
  - reach: { alice: connected }
  - wait: login + 4500ms
  - network: { alice: refused }
  - wait: login + 10s
  - network: { alice: up }
  - wait: login + 33500ms
";

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
    let seconds = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(5);
    let file = |name: &str| {
        let path = format!("{}/../../scenarios/agora-rtm-1x/{name}", env!("CARGO_MANIFEST_DIR"));
        Text::new(name, std::fs::read_to_string(path).expect("the profile is in the repository"))
    };
    let files = ProfileFiles {
        profile: file("profile.yaml"),
        requirements: file("requirements.yaml"),
        wire: Some(file("wire.yaml")),
    };
    let profile = load_profile(files, None).value.expect("the profile is checked by the tests");
    let loaded =
        load_scenario(&profile, Text::new("bench", SCENARIO), "bench/refused-from-5-to-10");
    let scenario = loaded.value.expect("the scenario above is well-formed");
    let (index, settings) = (Index::new(&profile), Settings::of(&profile));
    for keep_trace in [true, false] {
        let stage = Stage {
            profile: &profile,
            index: &index,
            settings: &settings,
            keep_trace,
            watch: None,
        };
        let (mut n_cases, mut n_events) = (0_u64, 0_u64);
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(seconds) {
            let first = u32::try_from(n_cases).unwrap_or(0);
            let jobs: Vec<Job<'_>> = (first..first + 50)
                .map(|repeat| Job { stage, case: &scenario.cases[0], repeat })
                .collect();
            let stop = AtomicBool::new(false);
            let options = Options {
                seed: 1,
                jobs: 1,
                fail_fast: false,
                max_length: None,
                stop: &stop,
                done: &|_| (),
            };
            let (records, _) = run(&jobs, &Reference, &options);
            for record in &records {
                assert_eq!(
                    record.verdict,
                    Some(Verdict::Pass),
                    "{}: {:?}",
                    record.id,
                    record.reason
                );
                assert!(record.events >= 60, "the shape has at least 60 events");
                n_events += u64::from(record.events);
            }
            n_cases += records.len() as u64;
        }
        let elapsed = started.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let (cases, events) = (n_cases as f64 / elapsed, n_events as f64 / elapsed);
        let kept = if keep_trace { "traces kept" } else { "traces not kept" };
        println!(
            "{kept}: {cases:.0} cases/s, {events:.0} events/s, {:.0} events a case",
            events / cases
        );
    }
}
