//! The real executor: every case at once, on real connections and the real clock.
//!
//! - `case`: one case. `seat`: a client's end in it. `limits`: how much it may cost the others. `crew`: the
//!   processes that clients live in. `stalls`: when the harness or an adapter was late.
//!
//! A suite takes as long as its longest case. Not responsible for sockets (the lab's) or for what a
//! verdict means.
//!
//! Invariant: what a stall of the machine explains fails nobody: it is INCONCLUSIVE and is played again;
//! what no stall explains is never played again, unless a process that it shared is gone.

mod case;
mod crew;
mod limits;
mod seat;
mod stalls;

use crate::adapters::{broken, lacking};
use crate::source::Broken;
use crate::suite::{Job, Options, Results, blank, fill, length};
pub use case::Tls;
use case::{Attempt, Table};
use crew::Crew;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use smol_str::SmolStr;
use stalls::Stalls;
use stateline_client::process::Farewell;
use stateline_client::protocol::{Hello, TimeMode};
use stateline_client::{Adapter, Command, Fault};
use stateline_core::record::{Attempt as Earlier, CaseRecord, Verdict};
use stateline_core::time::Micros;
pub use stateline_lab::tcp::tls::Authority;
use stateline_lab::token_service::TokenService;
use stateline_lab::tokens::mask;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

/// Clients that may be open at once when nobody says otherwise.
const MOST_SESSIONS: u32 = 2_000;
/// Who was not late by this much would only do the same again.
const WORTH: Duration = Duration::from_millis(50);
/// Descriptors that a client may need: its listener, two connections, and one to spare.
const DESCRIPTORS: u64 = 4;
/// Descriptors for all else.
const OTHERS: u64 = 128;
/// How often processes that nobody is in are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// How clients are played in real time.
#[derive(Clone)]
pub struct Conditions {
    /// How their adapter is started.
    pub command: Command,
    /// Threads that play, and processes that clients are spread over.
    pub workers: usize,
    /// Most clients open at once.
    pub max_sessions: Option<u32>,
    /// How often a case that was INCONCLUSIVE is played again.
    pub retries: u32,
    /// No case is longer than this, whatever it waits for.
    pub longest: Micros,
    /// Connections are encrypted.
    pub tls: Option<Tls>,
    /// Raised from outside: nothing is waited for any more.
    pub stop: Arc<AtomicBool>,
}

/// Clients on real connections.
pub struct RealTime {
    conditions: Conditions,
    crew: Result<Crew, (Broken, String)>,
    docks: AtomicU32,
    /// Clients that may be open at once.
    most: u32,
}

impl RealTime {
    /// Starts the first adapter, to learn who it is.
    #[must_use]
    pub fn new(conditions: Conditions) -> Self {
        let Conditions { command, stop, workers, max_sessions, .. } = &conditions;
        // Before the first process is started, which inherits them.
        let room = u32::try_from(descriptors().saturating_sub(OTHERS) / DESCRIPTORS);
        let most = max_sessions.unwrap_or(MOST_SESSIONS).min(room.unwrap_or(u32::MAX)).max(1);
        let crew = Adapter::start(command, command.logs.is_some(), Arc::clone(stop))
            .and_then(|first| {
                Crew::new(command.clone(), *workers, Arc::clone(stop), first)
                    .map_err(|fault| (fault, Farewell::default()))
            })
            .map_err(|(fault, farewell): (Fault, Farewell)| (broken(&fault), farewell.stderr));
        Self { conditions, crew, docks: AtomicU32::new(0), most }
    }

    /// Who they are; the fault where the first one could not be greeted.
    ///
    /// # Errors
    /// That fault, and what was written to stderr.
    pub fn hello(&self) -> Result<&Hello, &(Broken, String)> {
        self.crew.as_ref().map(Crew::hello)
    }

    /// Says goodbye to all. What went wrong outside of cases, in words.
    #[must_use]
    pub fn dismiss(self) -> Vec<String> {
        self.crew.map_or_else(|_| Vec::new(), Crew::dismiss)
    }

    /// Plays all jobs. A case that was not run has neither verdict nor reason.
    ///
    /// # Errors
    /// No runtime could be made for a thread.
    pub fn run(&self, jobs: &[Job<'_>], options: &Options<'_>) -> std::io::Result<Results> {
        let most = self.most;
        let run = Run {
            real: self,
            options,
            most,
            sessions: Semaphore::new(most as usize),
            first_fail: AtomicUsize::new(usize::MAX),
        };
        if let Ok(crew) = &self.crew {
            let clients: usize = jobs
                .iter()
                .filter(|job| length(job, options.max_length).1.is_none())
                .map(|job| job.case.clients.len())
                .sum();
            crew.prepare(clients.min(most as usize));
        }
        let threads = self.conditions.workers.clamp(1, jobs.len().max(1));
        let mut results = std::thread::scope(|scope| {
            let run = &run;
            let workers: Vec<_> = (0..threads)
                .map(|worker| scope.spawn(move || run.work(jobs, worker, threads)))
                .collect();
            let mut all = Vec::with_capacity(jobs.len());
            for worker in workers {
                // A worker only panics by a bug of ours; its panic is the run's.
                all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            Ok::<_, std::io::Error>(all)
        })?;
        results.sort_unstable_by_key(|(at, _, _)| *at);
        let mut all = Results::default();
        for (_, record, rules) in results {
            all.unfired.extend(rules.into_iter().map(|rule| (record.id.clone(), rule)));
            all.records.push(record);
        }
        Ok(all)
    }
}

/// What all threads of a run share.
struct Run<'a> {
    real: &'a RealTime,
    options: &'a Options<'a>,
    most: u32,
    sessions: Semaphore,
    first_fail: AtomicUsize,
}

/// A case that is done: its place among the jobs, its record, and rules that never fired.
type Done = (usize, CaseRecord, Vec<SmolStr>);

impl Run<'_> {
    /// Plays every n-th job, all at once.
    fn work(&self, jobs: &[Job<'_>], worker: usize, threads: usize) -> std::io::Result<Vec<Done>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let local = LocalSet::new();
        let stalls = Stalls::default();
        local.block_on(&runtime, async {
            let (tokens, _) = TokenService::start()?;
            let watch = tokio::task::spawn_local(stalls.clone().watch());
            let mine = jobs.iter().enumerate().skip(worker).step_by(threads);
            let mut cases: FuturesUnordered<_> =
                mine.map(|(at, job)| self.play(at, job, &stalls, &tokens)).collect();
            let mut results = Vec::with_capacity(cases.len());
            let mut upkeep = std::pin::pin!(self.upkeep(worker));
            loop {
                tokio::select! {
                    biased;
                    done = cases.next() => match done {
                        Some(done) => results.push(done),
                        None => break,
                    },
                    () = &mut upkeep => {}
                }
            }
            watch.abort();
            Ok(results)
        })
    }

    /// What the first thread does beside its cases, for ever.
    async fn upkeep(&self, worker: usize) {
        let Ok(crew) = &self.real.crew else { return std::future::pending().await };
        if worker > 0 {
            return std::future::pending().await;
        }
        let sweep = async {
            loop {
                tokio::time::sleep(SWEEP).await;
                crew.sweep();
            }
        };
        tokio::join!(crew.sound(), sweep);
    }

    /// Plays a case, again if a stall spoilt it.
    async fn play(&self, at: usize, job: &Job<'_>, stalls: &Stalls, tokens: &TokenService) -> Done {
        let mut record = blank(job);
        let (planned, too_long) = length(job, self.options.max_length);
        record.planned_ms = planned.as_ms();
        let n_clients = u32::try_from(job.case.clients.len()).unwrap_or(u32::MAX);
        let lacks = || {
            let hello = self.real.hello().ok()?;
            let most = self.real.conditions.max_sessions;
            lacking(hello, TimeMode::Real, most, job.stage.profile, job.case)
        };
        record.not_applicable = too_long.or_else(lacks);
        if record.not_applicable.is_some() {
            (self.options.done)(&record);
            return (at, record, Vec::new());
        }
        let crew = match &self.real.crew {
            Ok(crew) => crew,
            Err((Broken::Fault(why), stderr)) => {
                record.verdict = Some(Verdict::Error);
                record.reason = Some(mask(why).into());
                record.wall.stderr = mask(stderr).into();
                (self.options.done)(&record);
                return (at, record, Vec::new());
            }
            Err((Broken::Interrupted, _)) => return (at, record, Vec::new()),
        };
        let room = self.sessions.acquire_many(n_clients.min(self.most)).await;
        let Conditions { longest, tls, .. } = &self.real.conditions;
        let (docks, longest) = (&self.real.docks, *longest);
        let table = Table { crew, docks, longest, stalls, tls: tls.as_ref(), tokens };
        let mut unfired = Vec::new();
        let mut alone = None;
        let mut left = self.real.conditions.retries;
        let mut lost = false;
        loop {
            let over = self.options.stop.load(Ordering::Relaxed)
                || at > self.first_fail.load(Ordering::Relaxed);
            if over {
                break;
            }
            let seed = self.options.seed;
            let mut attempt = case::play(job, seed, alone.is_some(), table).await;
            if attempt.played.interrupted {
                break;
            }
            if record.verdict.is_some() || record.not_applicable.is_some() {
                let (verdict, reason) = (record.verdict, record.reason.take());
                let attempts = std::mem::take(&mut record.attempts);
                record = CaseRecord { planned_ms: record.planned_ms, attempts, ..blank(job) };
                record.attempts.extend(verdict.map(|verdict| Earlier { verdict, reason }));
            }
            unfired = std::mem::take(&mut attempt.played.unfired);
            lost = attempt.lost;
            let late = attempt.stalled >= WORTH;
            conclude_attempt(&mut record, job, attempt);
            if lost {
                // Whose doing it was shows when each has a process of its own. That is played whatever
                // `--retries` says: it was nobody's case, and cannot be lost again.
                alone = Some(crew.hermits.acquire().await);
            } else if record.verdict == Some(Verdict::Inconclusive) && late && left > 0 {
                left -= 1;
            } else {
                break;
            }
        }
        if lost {
            // It was not played again, so whose doing it was nobody knows.
            record = CaseRecord { planned_ms: record.planned_ms, ..blank(job) };
            unfired.clear();
        }
        drop(alone);
        drop(room);
        if self.options.is_enough(&record) {
            self.first_fail.fetch_min(at, Ordering::Relaxed);
        }
        if record.verdict.is_some() || record.not_applicable.is_some() {
            (self.options.done)(&record);
        }
        (at, record, unfired)
    }
}

/// How many descriptors this process may have, after it asked for as many as it can get.
fn descriptors() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: maximum, maximum };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(_) => current.unwrap_or(u64::MAX),
    }
}

/// Writes an attempt down.
fn conclude_attempt(record: &mut CaseRecord, job: &Job<'_>, attempt: Attempt) {
    let Attempt { played, took, .. } = attempt;
    fill(record, job, played);
    record.wall.ms = took.as_secs_f64() * 1_000.0;
    if !job.stage.keep_trace {
        record.trace = Vec::new();
    }
}
