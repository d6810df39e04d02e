//! Which cases a run plays.
//!
//! Not responsible for the filter language itself; authoring parses and matches.
//!
//! Invariant: cases keep the order of the suite, whatever the filters' order.

use crate::suite::Contract;
use smol_str::SmolStr;
use stateline_authoring::{Filter, parse_filter};
use stateline_core::scenario::{Case, Scenario};

/// Why nothing is selected.
#[derive(Debug)]
pub(crate) enum SelectError {
    /// A filter is malformed, as rendered diagnostics.
    Malformed(String),
    /// A filter selects nothing.
    Nothing {
        /// The filters.
        filters: Vec<String>,
        /// The nearest ids.
        nearest: Vec<String>,
    },
}

/// A case with all that filters look at.
type Whole<'a> = (&'a Contract, &'a Scenario, &'a Case, Vec<SmolStr>);

/// All cases, with the requirements that they name.
pub(crate) fn all(contracts: &[Contract]) -> Vec<Whole<'_>> {
    contracts
        .iter()
        .flat_map(|contract| {
            contract
                .cases()
                .map(move |(scenario, case)| (contract, scenario, case, contract.named(case)))
        })
        .collect()
}

/// The cases that the filters select: contract, scenario, case.
///
/// # Errors
/// When a filter is malformed, or none selects anything.
pub(crate) fn select<'a>(
    contracts: &'a [Contract],
    filters: &[String],
) -> Result<Vec<(&'a Contract, &'a Scenario, &'a Case)>, SelectError> {
    let mut parsed = Vec::new();
    let mut wrong = Vec::new();
    for text in filters {
        let loaded = parse_filter(text);
        parsed.extend(loaded.value);
        wrong.extend(loaded.diagnostics.iter().map(|diagnostic| diagnostic.render(false)));
    }
    if !wrong.is_empty() {
        return Err(SelectError::Malformed(wrong.join("\n")));
    }
    let filter = Filter::union(parsed);
    let all = all(contracts);
    let chosen: Vec<_> = all
        .iter()
        .filter(|(contract, scenario, case, named)| {
            filter.matches(&contract.info(scenario, case, named))
        })
        .map(|(contract, scenario, case, _)| (*contract, *scenario, *case))
        .collect();
    if chosen.is_empty() {
        let infos: Vec<_> = all
            .iter()
            .map(|(contract, scenario, case, named)| contract.info(scenario, case, named))
            .collect();
        return Err(SelectError::Nothing {
            filters: filters.to_vec(),
            nearest: filter.nearest(&infos),
        });
    }
    Ok(chosen)
}
