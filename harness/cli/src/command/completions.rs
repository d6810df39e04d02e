//! `stateline completions`: what a shell needs to complete commands and flags.
//!
//! Not responsible for installing it.
//!
//! Invariant: it is made from the command line that the program reads.

use super::print;
use crate::Failure;
use crate::args::CompletionsArgs;
use crate::exit::Exit;
use crate::settings::command;
use clap::Command;

/// The commands that help lists: some shells would offer the others as well.
fn shown() -> Command {
    let all = command();
    let listed = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new("stateline").version(env!("CARGO_PKG_VERSION")).subcommands(listed)
}

/// Runs the command.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut shown(), "stateline", &mut script);
    print(&String::from_utf8_lossy(&script));
    Ok(Exit::Ok)
}
