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

/// Runs the command.
pub(crate) fn check(args: &CheckArgs) -> Result<Exit, Failure> {
    let contracts =
        Suite::of_folder(&args.dir).and_then(|suite| suite.read(&[])).map_err(Failure::usage)?;
    for contract in &contracts {
        let scenarios = contract.scenarios.len();
        let cases = contract.cases().count();
        let requirements = contract.profile.requirements.len();
        print(&format!(
            "{}: {requirements} requirements, {} rows, {} cells, {scenarios} scenarios, {cases} cases\n",
            contract.profile.id,
            contract.profile.rows.len(),
            contract.profile.grid.cells.len(),
        ));
    }
    Ok(Exit::Ok)
}
