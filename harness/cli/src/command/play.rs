//! Plays the whole suite with a reference client, for commands that look at the suite itself.
//!
//! Not responsible for what the records mean.
//!
//! Invariant: profiles without a reference client are left out, and nothing else is.

use super::run::stage;
use crate::client_spec::Builtin;
use crate::suite::Contract;
use stateline_core::record::CaseRecord;
use stateline_runner::suite::{Job, Options, Results, run};
use std::sync::atomic::AtomicBool;

/// How to play.
pub(crate) struct Playing<'a> {
    /// Seeds every draw.
    pub(crate) seed: u64,
    /// Threads.
    pub(crate) threads: usize,
    /// Keep the traces.
    pub(crate) traces: bool,
    /// Called for each case when it is done, from any thread.
    pub(crate) done: &'a (dyn Fn(&CaseRecord) + Sync),
}

/// Plays every case of the contracts once.
#[must_use]
pub(crate) fn play<'a>(
    contracts: impl IntoIterator<Item = &'a Contract>,
    client: &Builtin,
    playing: &Playing<'_>,
) -> Results {
    let jobs: Vec<Job<'_>> = contracts
        .into_iter()
        .filter(|contract| has_reference(contract))
        .flat_map(|contract| contract.cases().map(move |(_, case)| (contract, case)))
        .map(|(contract, case)| Job { stage: stage(contract, playing.traces), case, repeat: 0 })
        .collect();
    let stop = AtomicBool::new(false);
    let options = Options {
        seed: playing.seed,
        jobs: playing.threads,
        fail_fast: None,
        max_length: None,
        stop: &stop,
        done: playing.done,
    };
    run(&jobs, client, &options)
}

/// Whether there is a reference client for the profile.
#[must_use]
pub(crate) fn has_reference(contract: &Contract) -> bool {
    stateline_reference::designs().iter().any(|design| contract.profile.id == design.profile)
}

/// The default design without a defect.
#[must_use]
pub(crate) const fn conforming() -> Builtin {
    Builtin { design: None, defects: Vec::new() }
}
