//! `--rerun-failed`: what the run before left to be desired.
//!
//! Not responsible for selecting cases: it names them.
//!
//! Invariant: a case that was not played is not named, for nothing is known of it.

use crate::Failure;
use crate::exit::Exit;
use serde::Deserialize;
use smol_str::SmolStr;
use stateline_core::record::{SCHEMA, Verdict};
use std::collections::BTreeSet;
use std::path::Path;

/// Of a run record, what is needed here.
#[derive(Deserialize)]
struct Previous {
    schema: SmolStr,
    cases: Vec<PreviousCase>,
}

#[derive(Deserialize)]
struct PreviousCase {
    id: SmolStr,
    verdict: Option<Verdict>,
    not_applicable: Option<String>,
}

/// The cases in `run.json` of this folder that are FAIL, ERROR or INCONCLUSIVE.
///
/// # Errors
/// Without a record, or without such a case in it.
pub(crate) fn not_passed(folder: &Path) -> Result<BTreeSet<SmolStr>, Failure> {
    let file = folder.join("run.json");
    let path = file.display();
    let refuse = |why: String| {
        Failure::usage(format!(
            "there is no run to repeat: {why}; `--out` names the folder of the last"
        ))
    };
    let text =
        std::fs::read(&file).map_err(|error| refuse(format!("cannot read {path}: {error}")))?;
    let previous: Previous = serde_json::from_slice(&text)
        .map_err(|error| refuse(format!("{path} is no run record: {error}")))?;
    if previous.schema != SCHEMA {
        return Err(refuse(format!("the schema of {path} is `{}`", previous.schema)));
    }
    let never = |case: &&PreviousCase| case.verdict.is_none() && case.not_applicable.is_none();
    let n_never = previous.cases.iter().filter(never).count();
    if n_never > 0 {
        eprintln!("note: {n_never} cases of {path} were not run; --rerun-failed leaves them out");
    }
    let cases = previous.cases.into_iter();
    let ids: BTreeSet<SmolStr> = cases
        .filter(|case| case.verdict.is_some_and(|verdict| verdict != Verdict::Pass))
        .map(|case| case.id)
        .collect();
    if ids.is_empty() {
        let text =
            format!("nothing to run again: no case that was played for {path} is other than PASS");
        return Err(Failure { text, exit: Exit::Nothing });
    }
    Ok(ids)
}
