//! `stateline check`: reads a folder and reports all errors at once.
//!
//! Not responsible for what is an error.
//!
//! Invariant: exit 0 means that `run --suite` will read the folder.

use super::print;
use crate::Failure;
use crate::args::CheckArgs;
use crate::exit::Exit;
use crate::suite::Suite;
use stateline_reports::text::count;

/// Runs the command.
pub(crate) fn check(args: &CheckArgs) -> Result<Exit, Failure> {
    let contracts =
        Suite::of_folder(&args.dir).and_then(|suite| suite.read(&[])).map_err(Failure::usage)?;
    for contract in &contracts {
        let parts = [
            count(contract.profile.requirements.len(), "requirement"),
            count(contract.profile.rows.len(), "row"),
            count(contract.profile.grid.cells.len(), "cell"),
            count(contract.scenarios.len(), "scenario"),
            count(contract.cases().count(), "case"),
        ];
        print(&format!("{}: {}\n", contract.profile.id, parts.join(", ")));
    }
    Ok(Exit::Ok)
}
