//! The suite against itself: a conforming client passes every case, and nothing in the tables or the
//! scripts is dead.
//!
//! Not responsible for defects.
//!
//! Invariant: what was never exercised is a problem of the suite, never of a client.

use crate::command::play::{Playing, conforming, has_reference, play};
use crate::suite::Contract;
use stateline_core::profile::RowIx;
use stateline_core::record::{CaseRecord, CoverageStatus, Totals, Verdict};
use stateline_runner::rejudge::rejudge;
use stateline_runner::suite::Results;
use stateline_runner::summary::{coverage, totals};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What is wrong with the suite, one sentence each.
pub(super) fn problems(contracts: &[Contract], seed: u64, threads: usize) -> Vec<String> {
    let mut problems = Vec::new();
    for contract in contracts {
        if has_reference(contract) {
            examine(contract, seed, threads, &mut problems);
        } else {
            problems
                .push(format!("there is no reference client for profile {}", contract.profile.id));
        }
    }
    problems
}

fn examine(contract: &Contract, seed: u64, threads: usize, problems: &mut Vec<String>) {
    let profile = &contract.profile;
    let alive: Mutex<(BTreeSet<RowIx>, Vec<String>)> = Mutex::default();
    // Records keep no rows: judging a trace again says which it exercised.
    let done = |record: &CaseRecord| {
        let again = rejudge(profile, &contract.index, &contract.settings, &record.trace);
        let mut alive = alive.lock().unwrap_or_else(PoisonError::into_inner);
        match again {
            Ok(again) if again.judged.findings == record.findings => {
                alive.0.extend(again.judged.rows)
            }
            Ok(_) => alive
                .1
                .push(format!("{} has other findings when its trace is judged again", record.id)),
            Err(error) => alive.1.push(format!("{} cannot be judged again: {error}", record.id)),
        }
    };
    let Results { records, unfired } =
        play([contract], &conforming(), &Playing { seed, threads, traces: true, done: &done });
    problems.extend(records.iter().filter_map(not_passed));
    problems.extend(
        unfired
            .iter()
            .map(|(case, rule)| format!("in {case} a rule of the server never fired: {rule}")),
    );
    let (rows, mut unlike) = alive.into_inner().unwrap_or_else(PoisonError::into_inner);
    unlike.sort();
    problems.extend(unlike);
    for (ix, row) in profile.rows.iter().enumerate().filter(|(ix, _)| !rows.contains(ix)) {
        let title = if row.title.is_empty() { "it has no words" } else { &row.title };
        problems.push(format!(
            "row {} of {} is dead, no case exercises it: {title}",
            profile.rows[ix].id, profile.id
        ));
    }
    for entry in coverage(profile, &records, &[]) {
        let what = match entry.status {
            CoverageStatus::Unexercised => "exercised",
            CoverageStatus::Undetermined => "decided",
            _ => continue,
        };
        problems.push(format!("{} is {what} by no case", entry.requirement));
    }
    problems.extend(miscounted(&totals(&records), contract.cases().count()));
}

fn not_passed(record: &CaseRecord) -> Option<String> {
    let id = &record.id;
    let finding = record
        .findings
        .first()
        .map(|finding| format!("{}: {}", finding.requirement, finding.observed));
    let why = [&record.reason, &record.not_applicable, &finding].into_iter().flatten().next();
    let why = why.map_or("no reason given", String::as_str);
    match record.verdict {
        Some(Verdict::Pass) => None,
        Some(verdict) => {
            Some(format!("the conforming client's {id} is {}: {why}", verdict.as_str()))
        }
        None => Some(format!("{id} is not applicable to the conforming client: {why}")),
    }
}

fn miscounted(totals: &Totals, planned: usize) -> Option<String> {
    let sum = totals.pass
        + totals.inconclusive
        + totals.fail
        + totals.error
        + totals.not_applicable
        + totals.not_run;
    let good = sum == totals.planned && totals.planned == planned as u64;
    (!good).then(|| {
        format!(
            "{planned} cases were planned, {} recorded, and the totals add up to {sum}",
            totals.planned
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_that_do_not_add_up_are_told() {
        let totals = Totals { planned: 3, pass: 2, not_run: 1, ..Totals::default() };
        assert_eq!(miscounted(&totals, 3), None);
        assert!(miscounted(&totals, 4).is_some());
        assert!(miscounted(&Totals { fail: 1, ..totals }, 3).is_some());
    }
}
