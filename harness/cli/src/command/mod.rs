//! The commands.
//!
//! Not responsible for anything that two of them need: that lives in modules beside this one.
//!
//! Invariant: a command returns its exit code and never ends the process by itself.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod init;
pub(crate) mod judge;
mod known;
mod layout;
pub(crate) mod list;
mod live;
pub(crate) mod man;
mod play;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod selftest;
mod serve_builtin;

pub(crate) use layout::table;
pub(crate) use serve_builtin::serve_builtin;

use crate::Failure;
use crate::args::JudgingArgs;
use crate::exit::Exit;
use crate::suite::Contract;
use indexmap::IndexMap;
use smol_str::SmolStr;
use stateline_core::record::{CoverageStatus, RunRecord};
use stateline_core::time::Micros;

/// How many threads to use.
pub(crate) fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// Prints text to stdout; a reader that has gone is no error.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    let mut out = anstream::stdout().lock();
    // A closed pipe (`stateline … | head`) is the reader's choice.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Applies `--cap`, `--strict` and the slack to the contracts.
pub(crate) fn settle(
    contracts: &mut [Contract],
    judging: &JudgingArgs,
    slack: Micros,
) -> Result<IndexMap<SmolStr, f64>, Failure> {
    let mut changed = IndexMap::new();
    for (name, length) in &judging.caps {
        let mut known = false;
        for contract in contracts.iter_mut() {
            if let Some(at) = contract.profile.caps.get_index_of(name.as_str()) {
                contract.settings.caps[at] = *length;
                known = true;
            }
        }
        if !known {
            let all: Vec<&str> = contracts
                .iter()
                .flat_map(|contract| contract.profile.caps.keys().map(SmolStr::as_str))
                .collect();
            return Err(Failure::usage(format!(
                "there is no cap `{name}`; there are {}",
                all.join(", ")
            )));
        }
        changed.insert(name.as_str().into(), length.as_ms());
    }
    for contract in contracts {
        contract.settings.slack = slack;
        contract.settings.strict = judging.strict;
    }
    Ok(changed)
}

/// The share of testable requirements that were decided, in percent.
pub(crate) fn decided(record: &RunRecord) -> f64 {
    let testable =
        record.coverage.iter().filter(|entry| entry.status != CoverageStatus::NotTestable);
    let (mut n, mut decided) = (0_u32, 0_u32);
    for entry in testable {
        n += 1;
        decided += u32::from(!matches!(
            entry.status,
            CoverageStatus::Undetermined | CoverageStatus::Unexercised
        ));
    }
    if n == 0 { 100.0 } else { f64::from(decided) * 100.0 / f64::from(n) }
}

/// The exit code of a record, and a word on coverage where that decides it.
pub(crate) fn exit_of(record: &RunRecord, judging: &JudgingArgs) -> (Exit, Option<String>) {
    if record.interrupted {
        return (Exit::Interrupted, None);
    }
    let totals = match &record.known {
        Some(known) if known.fails() => Exit::Fail,
        _ => Exit::of(&record.totals),
    };
    match judging.min_coverage {
        Some(least) if decided(record) < f64::from(least) => {
            let text =
                format!("coverage is {:.1} %, below --min-coverage {least}", decided(record));
            (Exit::Fail, Some(text))
        }
        _ => (totals, None),
    }
}

/// Shows a record on the terminal.
pub(crate) fn show(record: &RunRecord) {
    let colour = anstream::stdout().current_choice() != anstream::ColorChoice::Never;
    let options = stateline_reports::terminal::Options {
        colour,
        width: layout::width(),
        ..Default::default()
    };
    print(&stateline_reports::terminal::render(record, &options));
}
