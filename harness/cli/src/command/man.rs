//! `stateline man`: the manual pages.
//!
//! Not responsible for installing them.
//!
//! Invariant: they are made from the command line that the program reads, and hold no date.

use super::print;
use crate::Failure;
use crate::args::ManArgs;
use crate::exit::Exit;
use crate::settings::command;
use std::io;

/// Runs the command.
pub(crate) fn man(args: &ManArgs) -> Result<Exit, Failure> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command())
            .render(&mut page)
            .map_err(|error| Failure::usage(format!("the page cannot be made: {error}")))?;
        print(&String::from_utf8_lossy(&page));
        return Ok(Exit::Ok);
    };
    let failed = |error: io::Error| {
        Failure::usage(format!("cannot write into {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(command(), folder).map_err(failed)?;
    Ok(Exit::Ok)
}
