//! Adapters as the clients of a run: started when needed, reused where they allow it.
//!
//! Each thread has processes of its own, so nothing is shared between cases that are played at once.
//! Not responsible for what travels between harness and adapter.
//!
//! Invariant: a fault costs the case in which it happened; the next case gets a fresh process.

use crate::source::{Broken, Cast, Ended, Refusal, Source};
use smol_str::SmolStr;
use stateline_client::fault::{Fault, FaultId};
use stateline_client::pin::pin_thread;
use stateline_client::process::Farewell;
use stateline_client::protocol::{Hello, TimeMode};
use stateline_client::{Adapter, Command};
use stateline_core::profile::Profile;
use stateline_core::scenario::{Act, Case, ClientIx};
use stateline_core::time::Micros;
use stateline_core::turn::{Input, Open, Turn};
use stateline_lab::tokens::mask;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// After so many starts in a row that failed, no further one is tried.
pub(crate) const MOST_STARTS: u32 = 3;

/// How adapters are used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How they are started.
    pub command: Command,
    /// Threads that play cases.
    pub workers: usize,
    /// Most clients open at once.
    pub max_sessions: Option<u32>,
    /// Raised from outside: nothing is waited for any more.
    pub stop: Arc<AtomicBool>,
}

/// The adapters of a run.
#[derive(Debug)]
pub struct Adapters {
    settings: Settings,
    /// Who the first one said it was, or why it did not, with what it wrote to stderr.
    hello: Result<Hello, (Broken, String)>,
    workers: Vec<Mutex<Worker>>,
    notes: Mutex<Vec<String>>,
}

/// The processes of one thread.
#[derive(Debug, Default)]
struct Worker {
    idle: Vec<Adapter>,
    failed_starts: u32,
}

impl Settings {
    fn start(&self) -> Result<Adapter, (Fault, Farewell)> {
        Adapter::start(&self.command, self.command.logs.is_some(), Arc::clone(&self.stop))
    }
}

impl Adapters {
    /// Starts the first adapter, to learn who it is.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        // On a thread of its own: what it starts stays on the processor of the first worker.
        let first = std::thread::scope(|scope| {
            let start = scope.spawn(|| {
                pin_thread(0);
                settings.start()
            });
            start.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let mut workers: Vec<Worker> = Vec::new();
        workers.resize_with(settings.workers.max(1), Worker::default);
        let mut notes = Vec::new();
        let hello = match first {
            Ok(adapter) => {
                let hello = adapter.hello().clone();
                workers[0].idle.push(adapter);
                Ok(hello)
            }
            Err((fault, farewell)) => {
                notes = farewell.notes;
                Err((broken(&fault), mask(&farewell.stderr).into()))
            }
        };
        let workers = workers.into_iter().map(Mutex::new).collect();
        Self { settings, hello, workers, notes: Mutex::new(notes) }
    }

    /// Who they are; the fault where the first one could not be greeted.
    ///
    /// # Errors
    /// That fault.
    pub const fn hello(&self) -> Result<&Hello, &(Broken, String)> {
        self.hello.as_ref()
    }

    /// Most cases that can be played at once, given the clients of the largest.
    #[must_use]
    pub fn most_at_once(&self, clients: usize) -> usize {
        let sessions = self.settings.max_sessions.map_or(usize::MAX, |most| most as usize);
        (sessions / clients.max(1)).max(1)
    }

    /// Says goodbye to all. What went wrong outside of cases, in words.
    #[must_use]
    pub fn dismiss(self) -> Vec<String> {
        for worker in &self.workers {
            for adapter in std::mem::take(&mut lock(worker).idle) {
                let farewell = adapter.bye();
                self.note(farewell.notes);
            }
        }
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, notes: Vec<String>) {
        lock(&self.notes).extend(notes.iter().map(|note| mask(note).to_string()));
    }

    fn start(&self, worker: &mut Worker) -> Result<Adapter, (Broken, String)> {
        let first = self.hello.as_ref().map_err(Clone::clone)?;
        if worker.failed_starts >= MOST_STARTS {
            return Err((no_more_starts(), String::new()));
        }
        let Settings { command, stop, .. } = &self.settings;
        match start_another(command, stop, first) {
            Ok(adapter) => {
                worker.failed_starts = 0;
                Ok(adapter)
            }
            Err((fault, Farewell { notes, stderr })) => {
                worker.failed_starts += 1;
                self.note(notes);
                Err((broken(&fault), mask(&stderr).to_string()))
            }
        }
    }

    fn log(&self, worker: usize, case: &str, messages: &str, stderr: &str) {
        let Some(folder) = &self.settings.command.logs else { return };
        let path = folder.join(format!("adapter-{worker}.log"));
        let mut text = format!("== {case}\n{messages}");
        for line in stderr.lines() {
            text.push_str("! ");
            text.push_str(line);
            text.push('\n');
        }
        if let Err(why) = append(&path, &text) {
            lock(&self.notes).push(why);
        }
    }
}

/// Appends to a log.
///
/// # Errors
/// Why it cannot be written, as a note.
pub(crate) fn append(path: &Path, text: &str) -> Result<(), String> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The list behind a mutex.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking thread left is still a list.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a fault of an adapter is to a case.
pub(crate) fn broken(fault: &Fault) -> Broken {
    match fault.id {
        FaultId::Interrupted => Broken::Interrupted,
        _ => Broken::Fault(fault.to_string()),
    }
}

impl Source for Adapters {
    fn lacks(&self, profile: &Profile, case: &Case) -> Option<String> {
        let hello = self.hello.as_ref().ok()?;
        lacking(hello, TimeMode::Lockstep, self.settings.max_sessions, profile, case)
    }

    fn enlist(&self, worker: usize) {
        pin_thread(worker);
    }

    fn open<'s>(
        &'s self,
        worker: usize,
        profile: &Profile,
        case: &Case,
        clients: &[Open],
    ) -> Result<Box<dyn Cast + 's>, Refusal> {
        let mut mine = lock(&self.workers[worker % self.workers.len()]);
        let failed = |(broken, stderr)| Refusal::Broken(broken, stderr);
        let mut hired = Hired {
            home: self,
            worker,
            case: case.id.clone(),
            adapters: Vec::new(),
            members: Vec::new(),
            broken: Vec::new(),
        };
        for open in clients {
            let most = hired.adapters.last().map_or(0, |adapter| adapter.hello().clients as usize);
            let here = hired.members.iter().filter(|(at, _)| at + 1 == hired.adapters.len());
            if here.count() >= most {
                let adapter = match mine.idle.pop() {
                    Some(adapter) => adapter,
                    None => match self.start(&mut mine) {
                        Ok(adapter) => adapter,
                        Err(error) => {
                            hired.release(&mut mine, false, &mask);
                            return Err(failed(error));
                        }
                    },
                };
                hired.adapters.push(adapter);
            }
            let at = hired.adapters.len() - 1;
            match hired.adapters[at].open(&profile.id, profile.variant.as_deref(), open) {
                Ok(Ok(client)) => hired.members.push((at, client)),
                Ok(Err(why)) => {
                    let Ended { broken, stderr } = hired.release(&mut mine, false, &mask);
                    return Err(match broken {
                        Some(broken) => Refusal::Broken(broken, stderr),
                        None => Refusal::NotApplicable(why, stderr),
                    });
                }
                Err(fault) => {
                    hired.broken.push(at);
                    let ended = hired.release(&mut mine, false, &mask);
                    return Err(Refusal::Broken(broken(&fault), ended.stderr));
                }
            }
        }
        Ok(Box::new(hired))
    }
}

/// Why a case is nothing for the clients of an adapter that said this of itself.
pub(crate) fn lacking(
    hello: &Hello,
    time: TimeMode,
    max_sessions: Option<u32>,
    profile: &Profile,
    case: &Case,
) -> Option<String> {
    if !hello.profiles.contains(&profile.id) {
        return Some(format!("the client does not know profile {}", profile.id));
    }
    if !hello.time.contains(&time) {
        let how = match time {
            TimeMode::Lockstep => "driven in lockstep",
            TimeMode::Real => "played in real time",
        };
        return Some(format!("the client cannot be {how}"));
    }
    if let Some(need) = case.needs.iter().find(|need| !hello.capabilities.contains(need)) {
        return Some(format!("the client lacks the capability {need}"));
    }
    let n_clients = case.clients.len();
    if let Some(most) = max_sessions.filter(|most| n_clients > *most as usize) {
        return Some(format!("it opens {n_clients} clients at once, and --max-sessions is {most}"));
    }
    let lacking = |op: &SmolStr| {
        let spelled = profile.names.calls.get(op).map_or(&[][..], |call| &call.spellings);
        hello.unsupported.iter().find(|lacking| {
            lacking.eq_ignore_ascii_case(op)
                || spelled.iter().any(|spelling| spelling.eq_ignore_ascii_case(lacking))
        })
    };
    calls(profile, case).find_map(lacking).map(|op| format!("the client does not support {op}"))
}

/// Starts a further adapter, which has to say of itself what the first one said.
///
/// # Errors
/// It cannot be started, or says something else and was killed.
pub(crate) fn start_another(
    command: &Command,
    stop: &Arc<AtomicBool>,
    first: &Hello,
) -> Result<Adapter, (Fault, Farewell)> {
    let adapter = Adapter::start(command, command.logs.is_some(), Arc::clone(stop))?;
    if first == adapter.hello() {
        return Ok(adapter);
    }
    let why = "in the answer to `hello`: it says something else than the first process did";
    Err((Fault::new(FaultId::WrongMessage, why), adapter.kill()))
}

/// Why no further adapter is started.
pub(crate) fn no_more_starts() -> Broken {
    let text = format!(
        "adapter-cannot-start: {MOST_STARTS} starts in a row failed; no further one was tried"
    );
    Broken::Fault(text)
}

/// All methods that the script of a case calls.
fn calls<'a>(profile: &'a Profile, case: &'a Case) -> impl Iterator<Item = &'a SmolStr> {
    case.preamble.iter().chain(&case.body).flat_map(|step| match &step.act {
        Act::Call { op, .. } => vec![op],
        Act::Reach { targets, perform: true } => targets
            .iter()
            .filter_map(|(_, state)| {
                let (_, machine) = profile.main_machine()?;
                profile.reach.get(&machine.states[*state])
            })
            .flatten()
            .map(|(op, _)| op)
            .collect(),
        _ => Vec::new(),
    })
}

/// The adapters of one case.
struct Hired<'s> {
    home: &'s Adapters,
    worker: usize,
    case: SmolStr,
    adapters: Vec<Adapter>,
    /// For each client of the case its process and its number there.
    members: Vec<(usize, u32)>,
    /// Processes that are of no further use.
    broken: Vec<usize>,
}

impl Hired<'_> {
    /// Throws the clients away, and keeps what can be used again.
    fn release(
        &mut self,
        worker: &mut Worker,
        spoilt: bool,
        redact: &dyn Fn(&str) -> SmolStr,
    ) -> Ended {
        let mut ended = Ended::default();
        let members = std::mem::take(&mut self.members);
        for (at, mut adapter) in std::mem::take(&mut self.adapters).into_iter().enumerate() {
            let mut is_broken = spoilt || self.broken.contains(&at);
            for (_, client) in members.iter().filter(|(process, _)| *process == at) {
                if is_broken {
                    break;
                }
                if let Err(fault) = adapter.close(*client) {
                    is_broken = true;
                    ended.broken.get_or_insert_with(|| broken(&fault));
                }
            }
            let mut stderr = adapter.take_stderr();
            let messages = adapter.take_log();
            let farewell = if is_broken {
                adapter.kill()
            } else if adapter.hello().reuse {
                worker.idle.push(adapter);
                Farewell::default()
            } else {
                adapter.bye()
            };
            stderr.push_str(&farewell.stderr);
            let stderr = redact(&stderr);
            let told =
                farewell.notes.iter().map(|note| format!("in {}: {}", self.case, redact(note)));
            self.home.note(told.collect());
            self.home.log(self.worker, &self.case, &redact(&messages), &stderr);
            ended.stderr.push_str(&stderr);
        }
        ended
    }
}

impl Cast for Hired<'_> {
    fn turn(&mut self, client: ClientIx, now: Micros, input: Vec<Input>) -> Result<Turn, Broken> {
        let (at, number) = self.members[client];
        self.adapters[at].turn(number, now, &input).map_err(|fault| {
            self.broken.push(at);
            broken(&fault)
        })
    }

    fn end(mut self: Box<Self>, spoilt: bool, redact: &dyn Fn(&str) -> SmolStr) -> Ended {
        let home = self.home;
        let mut mine = lock(&home.workers[self.worker % home.workers.len()]);
        self.release(&mut mine, spoilt, redact)
    }
}
