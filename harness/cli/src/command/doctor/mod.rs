//! `stateline doctor`: checks an adapter before it is used.
//!
//! Not responsible for clients.
//!
//! Invariant: the adapter is judged by the protocol alone.

use crate::Failure;
use crate::args::DoctorArgs;
use crate::exit::Exit;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<Exit, Failure> {
    Err(Failure::usage(format!("{args:?}")))
}

/// Runs an adapter until it is told to hang up.
pub(crate) fn hang_up(_words: &[OsString]) -> ExitCode {
    ExitCode::SUCCESS
}
