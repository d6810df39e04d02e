//! The front of the page: what follows from the answer, and what must be known to trust it.
//!
//! Not responsible for the answer itself, which all reports share.
//!
//! Invariant: what is said of a run follows from its totals, its groups and its coverage alone.

use super::anchor::{Anchors, href};
use super::view::Badge;
use crate::outline::{Group, Outline, n_covered};
use crate::text::{self, Mark, count, count_of};
use stateline_core::profile::requirement::Basis;
use stateline_core::record::{CoverageStatus, KnownFailure, RunRecord, Standing};
use std::collections::BTreeSet;

/// What to do with the answer, in a sentence or two.
pub(super) fn advice(record: &RunRecord, outline: &Outline<'_>) -> String {
    let totals = &record.totals;
    if totals.fail > 0 && outline.blames_only_lab() {
        return "The fault is in stateline, not in the client: report it, and decide nothing from this run."
            .to_owned();
    }
    if totals.fail > 0 && totals.fail == totals.known {
        return "Nothing new is violated. Whether the build may ship with its known failures is for their reasons to say."
            .to_owned();
    }
    if totals.fail > 0 {
        let new: Vec<&Group<'_>> =
            outline.findings.iter().filter(|group| !group.is_known()).collect();
        return format!("As it stands, the build does not conform. {}", by_basis(&new));
    }
    if totals.error > 0 {
        return "The result is open: mend what failed, as told under “Not decided”, and run again before you decide."
            .to_owned();
    }
    if totals.inconclusive > 0 {
        return "The result is open until these cases are decided: “Not decided” says what to do about each."
            .to_owned();
    }
    if totals.pass > 0 {
        return "Nothing that was tested speaks against this build.".to_owned();
    }
    "Choose other cases, and run again.".to_owned()
}

/// How much of what is violated the document says outright.
fn by_basis(groups: &[&Group<'_>]) -> String {
    let ids = |of: fn(Basis) -> bool| {
        let ids: BTreeSet<&str> = groups
            .iter()
            .filter(|group| of(group.finding.basis))
            .map(|group| group.finding.requirement.as_str())
            .collect();
        ids.len()
    };
    let explicit = ids(|basis| basis == Basis::Explicit);
    let rest = ids(|basis| basis != Basis::Explicit);
    match (explicit, rest) {
        (0, _) => {
            "None of it breaks a sentence of the document outright: the findings rest on what the document implies."
                .to_owned()
        }
        (1, 0) => "What it violates is explicit in the document.".to_owned(),
        (_, 0) => "All that it violates is explicit in the document.".to_owned(),
        (explicit, rest) => format!(
            "Of what it violates, {explicit} {} explicit in the document, and {rest} {} from it.",
            if explicit == 1 { "is" } else { "are" },
            if rest == 1 { "follows" } else { "follow" }
        ),
    }
}

/// What limits the answer, a sentence each.
pub(super) fn caveats(record: &RunRecord) -> Vec<String> {
    let totals = &record.totals;
    let mut told = Vec::new();
    if record.run.rerun_failed {
        told.push("Only cases that had not passed in the run before were selected.".to_owned());
    } else if !record.run.filters.is_empty() {
        told.push("Only a part of the suite was selected; the filters stand above.".to_owned());
    }
    if totals.not_run > 0 {
        told.push(format!("{} not run.", were(totals.not_run, "case")));
    }
    let unexercised = n_covered(record, CoverageStatus::Unexercised) as u64;
    if unexercised > 0 {
        told.push(format!("{} not exercised.", were(unexercised, "requirement")));
    }
    if totals.flaky > 0 {
        told.push(format!(
            "{} did not give the same verdict each time: look at the time and the load before the client.",
            count_of(totals.flaky, "case")
        ));
    }
    if let Some(known) = record.known.as_ref().filter(|known| known.fails()) {
        told.push(format!(
            "The list of known failures makes the run fail, too: {}.",
            text::known_failures(totals.known, known)
        ));
    }
    told
}

fn were(n: u64, noun: &str) -> String {
    format!("{} {}", count_of(n, noun), if n == 1 { "was" } else { "were" })
}

/// What stands below the sum.
pub(super) fn aside(record: &RunRecord, outline: &Outline<'_>) -> String {
    let told = [
        count_of(record.totals.warnings, "warning"),
        count(outline.choices.len(), "recorded choice"),
        count_of(record.totals.distinct_traces, "distinct trace"),
    ];
    told.join(", ")
}

/// An entry of the list of known failures.
pub(super) struct KnownView<'a> {
    pub(super) entry: &'a KnownFailure,
    pub(super) badge: Badge,
    /// Its requirements, with links where the catalogues hold them.
    pub(super) requirements: Vec<(&'a str, Option<String>)>,
}

pub(super) fn known<'a>(record: &'a RunRecord) -> Vec<KnownView<'a>> {
    let link = |id: &str| {
        let at = record
            .profiles
            .iter()
            .position(|profile| profile.requirements.iter().any(|one| one.id == id))?;
        Some(href(&Anchors::new(at).requirement(id)))
    };
    let entries = record.known.iter().flat_map(|known| &known.entries);
    let view = |entry: &'a KnownFailure| {
        let KnownFailure { standing, requirements, .. } = entry;
        KnownView {
            entry,
            badge: Badge(match standing {
                Standing::Holds => Mark { word: "holds", ..Mark::KNOWN },
                Standing::Undecided => Mark { word: standing.as_str(), ..Mark::INCONCLUSIVE },
                Standing::Expired | Standing::Stale | Standing::Unmatched => {
                    Mark { word: standing.as_str(), ..Mark::FAIL }
                }
            }),
            requirements: requirements.iter().map(|id| (id.as_str(), link(id))).collect(),
        }
    };
    entries.map(view).collect()
}

/// What it means that an entry stands so.
pub(super) const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Expired => "failed as expected, but its last day is over",
        Standing::Holds => "failed as expected",
        Standing::Stale => "nothing failed as it expects: remove it",
        Standing::Undecided => "this run does not tell",
        Standing::Unmatched => "it selects no case: mend or remove it",
    }
}
