//! The client under test, ready to be played: built-in, or an adapter that was greeted.
//!
//! Not responsible for what `--client` may say, nor for driving clients.
//!
//! Invariant: an adapter that cannot be greeted is found before the first case; each case then is an
//! ERROR with that reason, so that every report says why there is nothing else in it.

use crate::Failure;
use crate::args::{AdapterArgs, RunArgs};
use crate::client_spec::{Builtin, ClientSpec, builtin_info};
use crate::suite::Contract;
use smol_str::SmolStr;
use stateline_client::Command;
use stateline_client::command::{CALL_LIMIT, START_LIMIT, split};
use stateline_core::record::ClientInfo;
use stateline_core::time::Micros;
use stateline_reports::text::{last_lines, visible};
use stateline_runner::adapters::{Adapters, Settings};
use stateline_runner::source::{Broken, Source};
use stateline_runner::suite::Job;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The client under test.
pub(crate) enum Client {
    /// In this process.
    Builtin(Builtin),
    /// In processes of its own.
    Adapters(Box<Adapters>),
}

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
        let line = match &args.client {
            ClientSpec::Builtin { design, defects } => {
                let defects = defects.iter().map(SmolStr::from).collect();
                return Ok(Self::Builtin(Builtin { design: design.clone(), defects }));
            }
            ClientSpec::Command(line) => line,
        };
        let mut command = command(line, &args.adapter)?;
        if args.debug.is_some() {
            command.start_limit = None;
            command.call_limit = None;
        }
        let adapters = Adapters::new(Settings {
            command,
            workers,
            max_sessions: args.max_sessions,
            stop: Arc::clone(stop),
        });
        if let Err((Broken::Fault(why), stderr)) = adapters.hello() {
            eprintln!("error: {why}");
            for line in last_lines(stderr, 8) {
                eprintln!("  stderr: {}", visible(line, &[]));
            }
        }
        Ok(Self::Adapters(Box::new(adapters)))
    }

    /// Where the clients of cases come from.
    pub(crate) fn source(&self) -> &dyn Source {
        match self {
            Self::Builtin(builtin) => builtin,
            Self::Adapters(adapters) => &**adapters,
        }
    }

    /// Whether the client says that it knows a profile.
    pub(crate) fn knows(&self, profile: &str) -> bool {
        match self {
            Self::Adapters(adapters) => adapters
                .hello()
                .map_or(true, |hello| hello.profiles.iter().any(|known| known == profile)),
            Self::Builtin(_) => true,
        }
    }

    /// What the record says of it.
    pub(crate) fn info(&self, spec: &ClientSpec, contracts: &[Contract]) -> ClientInfo {
        let Self::Adapters(adapters) = self else { return builtin_info(spec.text()) };
        let Ok(hello) = adapters.hello() else {
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
        let client = hello.client.clone();
        ClientInfo { name: client.name, version: client.version, spec: spec.text(), lacks }
    }

    /// How many of these threads may play these cases at once.
    pub(crate) fn threads(&self, threads: usize, jobs: &[Job<'_>]) -> usize {
        match self {
            Self::Builtin(_) => threads,
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
        }
    }
}

/// How an adapter is started.
pub(crate) fn command(line: &str, args: &AdapterArgs) -> Result<Command, Failure> {
    let words = split(line)
        .map_err(|why| Failure::usage(format!("the command `{line}` is wrong: {why}")))?;
    // By this link also while the file is replaced by a newer build.
    let own = PathBuf::from("/proc/self/exe");
    let own = if own.exists() { Ok(own) } else { std::env::current_exe() }
        .map_err(|error| Failure::usage(format!("cannot find this program: {error}")))?;
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
