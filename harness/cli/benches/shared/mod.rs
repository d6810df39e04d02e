//! The case that the project's speed is quoted for, and playing it again and again.
//!
//! Not responsible for whose client plays it.
//!
//! Invariant: what is measured is what `run` does for each case, record included.

use stateline_authoring::{ProfileFiles, Source as Text, load_profile, load_scenario};
use stateline_core::oracle::Settings;
use stateline_core::oracle::index::Index;
use stateline_core::profile::Profile;
use stateline_core::record::Verdict;
use stateline_core::scenario::Scenario;
use stateline_runner::play::Stage;
use stateline_runner::source::Source;
use stateline_runner::suite::{Job, Options, run};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

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

/// A profile with that case.
pub(crate) struct Bench {
    profile: Profile,
    scenario: Scenario,
    index: Index,
    settings: Settings,
}

/// What was played.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Played {
    pub(crate) cases: f64,
    pub(crate) events: f64,
    pub(crate) seconds: f64,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let file = |name: &str| {
            let path =
                format!("{}/../../scenarios/agora-rtm-1x/{name}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).expect("the profile is in the repository");
            Text::new(name, text)
        };
        let files = ProfileFiles {
            profile: file("profile.yaml"),
            requirements: file("requirements.yaml"),
            wire: Some(file("wire.yaml")),
            conflicts: None,
        };
        let profile = load_profile(files, None).value.expect("the tests check the profile");
        let text = Text::new("bench", SCENARIO);
        let loaded = load_scenario(&profile, text, "bench/refused-from-5-to-10");
        let scenario = loaded.value.expect("the scenario above is well-formed");
        let (index, settings) = (Index::new(&profile), Settings::of(&profile));
        Self { profile, scenario, index, settings }
    }

    /// Plays the case on one thread for so long.
    pub(crate) fn play(&self, source: &dyn Source, keep_trace: bool, length: Duration) -> Played {
        let Self { profile, index, settings, .. } = self;
        let stage = Stage { profile, index, settings, keep_trace, watch: None };
        let stop = AtomicBool::new(false);
        let options = Options {
            seed: 1,
            jobs: 1,
            fail_fast: None,
            max_length: None,
            stop: &stop,
            done: &|_| (),
        };
        let (mut n_cases, mut played) = (0, Played::default());
        let started = Instant::now();
        while started.elapsed() < length {
            let jobs: Vec<Job<'_>> = (n_cases..n_cases + 50)
                .map(|repeat| Job { stage, case: &self.scenario.cases[0], repeat })
                .collect();
            let records = run(&jobs, source, &options).records;
            for record in &records {
                let pass = Some(Verdict::Pass);
                assert_eq!(record.verdict, pass, "{}: {:?}", record.id, record.reason);
                assert!(record.events >= 60, "the shape has at least 60 events");
                played.events += f64::from(record.events);
            }
            n_cases += 50;
        }
        played.cases = f64::from(n_cases);
        played.seconds = started.elapsed().as_secs_f64();
        played
    }
}

/// The number given on the command line, or this one.
pub(crate) fn seconds(usual: u64) -> Duration {
    let asked = std::env::args().filter_map(|arg| arg.parse().ok()).next();
    Duration::from_secs(asked.unwrap_or(usual))
}
