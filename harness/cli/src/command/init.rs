//! `stateline init`: writes the skeleton of an adapter.
//!
//! Not responsible for what an adapter does.
//!
//! Invariant: nothing is overwritten.

use crate::Failure;
use crate::args::InitArgs;
use crate::exit::Exit;

/// Runs the command.
pub(crate) fn init(args: &InitArgs) -> Result<Exit, Failure> {
    Err(Failure::usage(format!("{args:?}")))
}
