//! The `stateline` program.
//!
//! Not responsible for judging, playing or rendering: it reads the command line, calls the crates
//! that do, writes files and ends with a documented exit code.
//!
//! Invariant: errors go to stderr, what was asked for to stdout.
#![expect(clippy::print_stderr, reason = "a command line program prints")]

mod args;
mod client;
mod client_spec;
mod command;
mod exit;
mod journal;
mod output;
mod progress;
mod select;
mod suite;

// A case is thousands of small allocations; a run is hundreds of thousands of cases.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use args::{Cli, Command, RESERVED};
use clap::Parser;
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap says which.
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            return match error.print() {
                Ok(()) => ExitCode::from(code as u8),
                Err(_) => ExitCode::from(Exit::Usage as u8),
            };
        }
    };
    let exit = match cli.command {
        Command::Run(args) => command::run::run(&args),
        Command::List(args) => command::list::list(&args),
        Command::Explain(args) => command::explain::explain(&args),
        Command::Check(args) => command::check::check(&args),
        Command::Judge(args) => command::judge::judge(&args),
        Command::Selftest(args) => command::selftest::selftest(&args),
        Command::Doctor(args) => command::doctor::doctor(&args),
        Command::Init(args) => command::init::init(&args),
        Command::Guard { words } => return stateline_client::guard::run(&words),
        Command::HangUp { words } => return command::doctor::hang_up(&words),
        Command::Client { spec } => command::serve_builtin(&spec),
        Command::Other(words) => other(&words),
    };
    match exit {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            eprintln!("error: {}", failure.text.trim_start_matches("error: ").trim_end());
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// A command that cannot go on.
#[derive(Debug)]
struct Failure {
    text: String,
    exit: Exit,
}

impl Failure {
    fn usage(text: impl ToString) -> Self {
        Self { text: text.to_string(), exit: Exit::Usage }
    }
}

fn other(words: &[String]) -> Result<Exit, Failure> {
    let name = words.first().map_or("", String::as_str);
    if RESERVED.contains(&name) {
        return Err(Failure::usage(format!("`stateline {name}` is not in this version")));
    }
    let known = ["run", "list", "explain", "check", "judge", "selftest", "doctor", "init"];
    let near = known
        .into_iter()
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(Failure::usage(format!(
        "there is no command `{name}`{near} (`stateline --help` lists all)"
    )))
}
