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
mod expect;
mod journal;
mod output;
mod progress;
mod rerun;
mod select;
mod settings;
mod suite;
mod toml_text;
mod upward;

// A case is thousands of small allocations; a run is hundreds of thousands of cases.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use anstream::ColorChoice;
use args::{Command, RESERVED};
use exit::Exit;
use settings::Refusal;
use std::io::IsTerminal;
use std::process::ExitCode;

fn main() -> ExitCode {
    choose_colour();
    let parsed = match settings::parse(std::env::args_os().collect()) {
        Ok(parsed) => parsed,
        Err(Refusal::File(failure)) => return refuse(&failure),
        Err(Refusal::Words(error)) => {
            // Help and version are no errors; clap says which.
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            return match error.print() {
                Ok(()) => ExitCode::from(code as u8),
                Err(_) => ExitCode::from(Exit::Usage as u8),
            };
        }
    };
    let exit = match parsed.cli.command {
        Command::Run(args) if args.show_settings => {
            settings::show(&parsed.origins);
            Ok(Exit::Ok)
        }
        Command::Run(mut args) => {
            args.settings = parsed.file;
            command::run::run(&args)
        }
        Command::List(args) => command::list::list(&args),
        Command::Explain(args) => command::explain::explain(&args),
        Command::Check(args) => command::check::check(&args),
        Command::Judge(args) => command::judge::judge(&args),
        Command::Report(args) => command::report::report(&args),
        Command::Selftest(args) => command::selftest::selftest(&args),
        Command::Doctor(args) => command::doctor::doctor(&args),
        Command::Init(args) => command::init::init(&args),
        Command::Completions(args) => command::completions::completions(&args),
        Command::Man(args) => command::man::man(&args),
        Command::Guard { words } => return stateline_client::guard::run(&words),
        Command::HangUp { words } => return command::doctor::hang_up(&words),
        Command::Client { spec } => command::serve_builtin(&spec),
        Command::Other(words) => other(&words),
    };
    match exit {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => refuse(&failure),
    }
}

/// Everything but one case is found out by `anstream`: it takes `CLICOLOR_FORCE=0` for a wish to have colour.
fn choose_colour() {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if set("CLICOLOR_FORCE").is_some_and(|value| value == "0") {
        let wanted = std::io::stdout().is_terminal() && set("NO_COLOR").is_none();
        let choice = if wanted { ColorChoice::Always } else { ColorChoice::Never };
        choice.write_global();
    }
}

fn refuse(failure: &Failure) -> ExitCode {
    eprintln!("error: {}", failure.text.trim_start_matches("error: ").trim_end());
    ExitCode::from(failure.exit as u8)
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
    let commands = settings::command();
    let near = commands
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(clap::Command::get_name)
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(Failure::usage(format!(
        "there is no command `{name}`{near} (`stateline --help` lists all)"
    )))
}
