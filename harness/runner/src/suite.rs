//! All cases of a run, over some threads.
//!
//! Not responsible for selecting cases or writing files.
//!
//! Invariant: records come in planned order, and hang on no thread but for their `wall`.

use crate::plan::planned;
use crate::play::{Played, Stage};
use crate::rejudge::{Said, say};
use crate::source::Source;
use crate::virtual_time::play;
use smol_str::SmolStr;
use stateline_core::record::{CaseRecord, Verdict};
use stateline_core::scenario::Case;
use stateline_core::time::Micros;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// One case to run.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// What it shares with its profile's other cases.
    pub stage: Stage<'a>,
    /// The case.
    pub case: &'a Case,
    /// Its repetition.
    pub repeat: u32,
}

/// How a suite is run.
pub struct Options<'a> {
    /// Seeds every draw.
    pub seed: u64,
    /// Threads.
    pub jobs: usize,
    /// Stop at the first FAIL of which this is true: cases planned after it count as not run.
    pub fail_fast: Option<&'a (dyn Fn(&CaseRecord) -> bool + Sync)>,
    /// Longer cases are not applicable, in microseconds of planned length.
    pub max_length: Option<Micros>,
    /// Raised from outside: no further case is begun.
    pub stop: &'a AtomicBool,
    /// Called for each case when it is done, from any thread.
    pub done: &'a (dyn Fn(&CaseRecord) + Sync),
}

impl Options<'_> {
    /// Whether nothing that is planned after this case need be played.
    pub(crate) fn is_enough(&self, record: &CaseRecord) -> bool {
        record.verdict == Some(Verdict::Fail) && self.fail_fast.is_some_and(|ends| ends(record))
    }
}

/// What came of all jobs.
#[derive(Default)]
pub struct Results {
    /// In planned order.
    pub records: Vec<CaseRecord>,
    /// Rules of scripts that no request met, in words, each with its case.
    pub unfired: Vec<(SmolStr, SmolStr)>,
}

/// Runs all jobs. A case that was not run has neither verdict nor reason.
#[must_use]
pub fn run(jobs: &[Job<'_>], source: &dyn Source, options: &Options<'_>) -> Results {
    let next = AtomicUsize::new(0);
    let first_fail = AtomicUsize::new(usize::MAX);
    let work = |worker: usize| {
        source.enlist(worker);
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= jobs.len() || options.stop.load(Ordering::Relaxed) {
                return done;
            }
            if at > first_fail.load(Ordering::Relaxed) {
                continue;
            }
            let (record, unfired) = run_one(&jobs[at], source, worker, options);
            if options.is_enough(&record) {
                first_fail.fetch_min(at, Ordering::Relaxed);
            }
            (options.done)(&record);
            done.push((at, record, unfired));
        }
    };
    let threads = options.jobs.clamp(1, jobs.len().max(1));
    // Also one worker has a thread of its own: what a source does to it ends with it.
    let mut results: Vec<_> = std::thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> =
            (0..threads).map(|worker| scope.spawn(move || work(worker))).collect();
        // A worker only panics by a bug of ours; its panic is the run's.
        workers
            .into_iter()
            .flat_map(|worker| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    results.sort_unstable_by_key(|(at, _, _)| *at);
    let last = first_fail.load(Ordering::Relaxed);
    let mut records: Vec<Option<CaseRecord>> = jobs.iter().map(|_| None).collect();
    let mut unfired = Vec::new();
    for (at, record, rules) in results {
        if at <= last {
            unfired.extend(rules.into_iter().map(|rule| (record.id.clone(), rule)));
            records[at] = Some(record);
        }
    }
    let records = records
        .into_iter()
        .zip(jobs)
        .map(|(record, job)| record.unwrap_or_else(|| blank(job)))
        .collect();
    Results { records, unfired }
}

fn run_one(
    job: &Job<'_>,
    source: &dyn Source,
    worker: usize,
    options: &Options<'_>,
) -> (CaseRecord, Vec<SmolStr>) {
    let started = Instant::now();
    let Job { stage, case, repeat } = *job;
    let mut record = blank(job);
    let (planned, too_long) = length(job, options.max_length);
    record.planned_ms = planned.as_ms();
    record.not_applicable = too_long.or_else(|| source.lacks(stage.profile, case));
    if record.not_applicable.is_some() {
        return (record, Vec::new());
    }
    let mut played = play(stage, case, repeat, options.seed, source, worker);
    let unfired = std::mem::take(&mut played.unfired);
    if !played.interrupted {
        fill(&mut record, job, played);
        record.wall.ms = started.elapsed().as_secs_f64() * 1_000.0;
    }
    (record, unfired)
}

/// How the reason of a case begins that is not applicable for its length alone.
pub const TOO_LONG: &str = "it is planned to be longer than --max-length";

/// The planned length of a case, and why it is too long, if it is.
pub(crate) fn length(job: &Job<'_>, longest: Option<Micros>) -> (Micros, Option<String>) {
    let Job { stage, case, .. } = job;
    let planned = planned(stage.profile, stage.settings, case);
    let too_long =
        longest.filter(|longest| planned > *longest).map(|longest| format!("{TOO_LONG} {longest}"));
    (planned, too_long)
}

/// Writes down how a case went, and its verdict.
pub(crate) fn fill(record: &mut CaseRecord, job: &Job<'_>, played: Played) {
    let Job { stage, case, .. } = job;
    let Played { judged, conduct, not_applicable, digest, n_events, end, trace, stderr, .. } =
        played;
    record.digest = digest;
    record.simulated_ms = end.as_ms();
    record.events = n_events;
    record.trace = trace;
    record.wall.stderr = stderr;
    // Who has done something wrong before cannot take it back by lacking something.
    record.not_applicable =
        not_applicable.filter(|_| conduct.error.is_none() && judged.findings.is_empty());
    if record.not_applicable.is_none() {
        let Stage { profile, index, settings, .. } = stage;
        let said = say(profile, index, settings, judged, &case.named, &conduct, &record.trace);
        put(record, said);
    }
}

/// Writes down what is said of a case.
pub fn put(record: &mut CaseRecord, said: Said) {
    let Said { judged, verdict, reason, requirements } = said;
    record.verdict = Some(verdict);
    record.reason = reason;
    record.requirements = requirements;
    record.findings = judged.findings;
    record.warnings = judged.warnings;
    record.choices = judged.choices;
    record.cells = judged.cells;
    record.moves = judged.moves;
}

/// A case that was not run.
pub(crate) fn blank(job: &Job<'_>) -> CaseRecord {
    let Job { stage, case, repeat } = job;
    CaseRecord::blank(case.id.clone(), stage.profile.id.clone(), *repeat)
}
