//! The client under test, ready to be played: built-in, or an adapter that was greeted.
//!
//! Not responsible for what `--client` may say, nor for driving clients.
//!
//! Invariant: an adapter that cannot be greeted is found before the first case; each case then is an
//! ERROR with that reason, so that every report says why there is nothing else in it.

use crate::Failure;
use crate::args::{AdapterArgs, RunArgs};
use crate::client_spec::{Builtin, ClientSpec, builtin_info};
use crate::exit::Exit;
use crate::suite::Contract;
use smol_str::SmolStr;
use stateline_client::Command;
use stateline_client::command::{CALL_LIMIT, START_LIMIT, split};
use stateline_client::protocol::Hello;
use stateline_core::record::ClientInfo;
use stateline_core::time::Micros;
use stateline_lab::tokens::mask;
use stateline_reports::text::{last_lines, visible};
use stateline_runner::adapters::{Adapters, Settings};
use stateline_runner::real_time::{Authority, Conditions, RealTime, Tls};
use stateline_runner::source::Broken;
use stateline_runner::suite::{Job, Options, Results, run as run_jobs};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The client under test.
pub(crate) enum Client {
    /// In this process.
    Builtin(Builtin),
    /// In processes of its own, in lockstep.
    Adapters(Box<Adapters>),
    /// On real connections.
    Real(Box<RealTime>),
}

/// In real time a case ends by then, whatever it waits for.
pub(crate) const LONGEST: Micros = Micros::from_secs(90);

impl Client {
    /// Makes the client ready, for so many threads.
    ///
    /// # Errors
    /// When its command line or a folder is no good.
    pub(crate) fn start(
        args: &RunArgs,
        workers: usize,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        let real = args.is_real();
        let mut command = match &args.client {
            ClientSpec::Builtin { design, defects } if !real => {
                let defects = defects.iter().map(SmolStr::from).collect();
                return Ok(Self::Builtin(Builtin { design: design.clone(), defects }));
            }
            ClientSpec::Builtin { .. } => {
                let own = own_path()?.to_string_lossy().into_owned();
                guarded(vec![own, "__client".to_owned(), args.client.text()], &args.adapter)?
            }
            ClientSpec::Command(line) => command(line, &args.adapter)?,
        };
        if args.debug.is_some() {
            command.start_limit = None;
            command.call_limit = None;
        }
        let (max_sessions, stop) = (args.max_sessions, Arc::clone(stop));
        let client = if real {
            let longest = args.max_length.unwrap_or(LONGEST);
            let retries = args.retries;
            let tls = if args.tls { Some(authority(&args.out)?) } else { None };
            let conditions =
                Conditions { command, workers, max_sessions, retries, longest, tls, stop };
            Self::Real(Box::new(RealTime::new(conditions)))
        } else {
            Self::Adapters(Box::new(Adapters::new(Settings {
                command,
                workers,
                max_sessions,
                stop,
            })))
        };
        if let Some(Err((Broken::Fault(why), stderr))) = client.hello() {
            eprintln!("error: {}", mask(why));
            for line in last_lines(&mask(stderr), 8) {
                eprintln!("  stderr: {}", visible(line, &[]));
            }
        }
        Ok(client)
    }

    /// What its adapter said, where it is one.
    fn hello(&self) -> Option<Result<&Hello, &(Broken, String)>> {
        match self {
            Self::Builtin(_) => None,
            Self::Adapters(adapters) => Some(adapters.hello()),
            Self::Real(real) => Some(real.hello()),
        }
    }

    /// Plays all jobs.
    ///
    /// # Errors
    /// The harness lacks what it needs for that.
    pub(crate) fn play(&self, jobs: &[Job<'_>], options: &Options<'_>) -> io::Result<Results> {
        match self {
            Self::Builtin(builtin) => Ok(run_jobs(jobs, builtin, options)),
            Self::Adapters(adapters) => Ok(run_jobs(jobs, &**adapters, options)),
            Self::Real(real) => real.run(jobs, options),
        }
    }

    /// Whether the client says that it knows a profile.
    pub(crate) fn knows(&self, profile: &str) -> bool {
        match self.hello() {
            Some(Ok(hello)) => hello.profiles.iter().any(|known| known == profile),
            Some(Err(_)) | None => true,
        }
    }

    /// What the record says of it.
    pub(crate) fn info(&self, spec: &ClientSpec, contracts: &[Contract]) -> ClientInfo {
        let hello = match self.hello() {
            Some(hello) if !spec.is_builtin() => hello,
            _ => return builtin_info(spec.text()),
        };
        let Ok(hello) = hello else {
            let (name, version) = ("unknown".to_owned(), String::new());
            return ClientInfo { name, version, spec: spec.text(), lacks: Vec::new() };
        };
        let asked = contracts.iter().flat_map(|contract| {
            let requirements = contract.profile.requirements.iter();
            let cases = contract.cases().flat_map(|(_, case)| &case.needs);
            requirements.filter_map(|requirement| requirement.needs.as_ref()).chain(cases)
        });
        let mut lacks: Vec<SmolStr> =
            asked.filter(|need| !hello.capabilities.contains(need)).cloned().collect();
        lacks.sort_unstable();
        lacks.dedup();
        let [name, version] =
            [&hello.client.name, &hello.client.version].map(|said| mask(said).into());
        ClientInfo { name, version, spec: spec.text(), lacks }
    }

    /// How many of these threads may play these cases at once.
    pub(crate) fn threads(&self, threads: usize, jobs: &[Job<'_>]) -> usize {
        match self {
            Self::Builtin(_) | Self::Real(_) => threads,
            Self::Adapters(adapters) => {
                let most = jobs.iter().map(|job| job.case.clients.len()).max().unwrap_or(1);
                threads.min(adapters.most_at_once(most))
            }
        }
    }

    /// Says goodbye. What went wrong outside of cases, in words.
    pub(crate) fn dismiss(self) -> Vec<String> {
        match self {
            Self::Builtin(_) => Vec::new(),
            Self::Adapters(adapters) => adapters.dismiss(),
            Self::Real(real) => real.dismiss(),
        }
    }
}

/// How an adapter is started.
pub(crate) fn command(line: &str, args: &AdapterArgs) -> Result<Command, Failure> {
    let words = split(line)
        .map_err(|why| Failure::usage(format!("the command `{line}` is wrong: {why}")))?;
    guarded(words, args)
}

/// An authority for this run, whose certificate lies in the output folder for adapters to read.
fn authority(out: &Path) -> Result<Tls, Failure> {
    let failed = |text: String| Failure { text, exit: Exit::Error };
    let authority = Authority::new().map_err(|error| failed(error.to_string()))?;
    let file = authority
        .write_pem(out)
        .and_then(|path| path.canonicalize())
        .map_err(|error| failed(format!("cannot write into {}: {error}", out.display())))?;
    Ok(Tls { authority: Arc::new(authority), file: file.to_string_lossy().into_owned() })
}

/// This program.
fn own_path() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::usage(format!("cannot find this program: {error}")))
}

fn guarded(words: Vec<String>, args: &AdapterArgs) -> Result<Command, Failure> {
    // By this link also while the file is replaced by a newer build.
    let own = PathBuf::from("/proc/self/exe");
    let own = if own.exists() { own } else { own_path()? };
    let mut command = Command::new(vec![own.into(), "__guard".into(), "--".into()], words);
    if let Some(folder) = args.cwd.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(Failure::usage(format!("--cwd {}: there is no such folder", folder.display())));
    }
    command.folder.clone_from(&args.cwd);
    command.environment.clone_from(&args.env);
    command.logs = logs(args)?;
    command.start_limit = Some(args.start_timeout.map_or(START_LIMIT, real));
    command.call_limit = Some(args.call_timeout.map_or(CALL_LIMIT, real));
    Ok(command)
}

/// The folder of the logs, made, as an absolute path: the adapter may run elsewhere.
fn logs(args: &AdapterArgs) -> Result<Option<PathBuf>, Failure> {
    let Some(folder) = &args.log_dir else { return Ok(None) };
    std::fs::create_dir_all(folder)
        .and_then(|()| folder.canonicalize())
        .map(Some)
        .map_err(|error| Failure::usage(format!("cannot write {}: {error}", folder.display())))
}

const fn real(length: Micros) -> Duration {
    Duration::from_micros(length.0)
}
