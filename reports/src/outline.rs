//! A record in groups: what the reports list, counted once for all of them.
//!
//! Not responsible for words or layout, and it computes no verdict: it only sorts and counts what
//! the record says.
//!
//! Invariant: groups stand in an order that is a function of the record alone.

use indexmap::{IndexMap, IndexSet};
use smol_str::SmolStr;
use stateline_core::profile::requirement::{Basis, Requirement, Strictness};
use stateline_core::record::{
    CaseRecord, Choice, Coverage, CoverageStatus, Finding, ProfileRecord, RowRecord, RunRecord,
    Totals, Verdict,
};

/// Everything that a report lists.
pub(crate) struct Outline<'a> {
    /// Breaches that fail, the most important first.
    pub(crate) findings: Vec<Group<'a>>,
    /// Breaches that warn.
    pub(crate) warnings: Vec<Group<'a>>,
    /// Findings that only follow from others and are in no group.
    pub(crate) consequent: usize,
    /// INCONCLUSIVE cases by reason.
    pub(crate) inconclusive: Vec<Reason<'a>>,
    /// ERROR cases by reason.
    pub(crate) errors: Vec<Reason<'a>>,
    /// Cases that do not apply, by reason.
    pub(crate) not_applicable: Vec<Reason<'a>>,
    /// What the client chose.
    pub(crate) choices: Vec<Chosen<'a>>,
    /// Time in cases, in milliseconds.
    pub(crate) simulated_ms: f64,
}

/// All findings of one row against one requirement.
pub(crate) struct Group<'a> {
    pub(crate) profile: Option<&'a ProfileRecord>,
    pub(crate) requirement: Option<&'a Requirement>,
    pub(crate) row: Option<&'a RowRecord>,
    /// The first case that shows it.
    pub(crate) case: &'a CaseRecord,
    /// Its finding there.
    pub(crate) finding: &'a Finding,
    /// All cases that show it.
    pub(crate) cases: Vec<&'a CaseRecord>,
}

/// A breach that fails, and the cases that show it.
#[derive(Clone, Debug)]
pub struct Breach<'a> {
    /// The first case.
    pub case: &'a CaseRecord,
    /// Its finding there.
    pub finding: &'a Finding,
    /// All cases.
    pub cases: Vec<&'a CaseRecord>,
}

/// The breaches of a run in the order in which the terminal tells them: known failures last, consequent
/// findings not at all.
#[must_use]
pub fn breaches(record: &RunRecord) -> Vec<Breach<'_>> {
    let (known, new): (Vec<_>, Vec<_>) =
        Outline::of(record).findings.into_iter().partition(Group::is_known);
    let told = new.into_iter().chain(known);
    told.map(|Group { case, finding, cases, .. }| Breach { case, finding, cases }).collect()
}

/// All cases with one reason.
pub(crate) struct Reason<'a> {
    pub(crate) reason: &'a str,
    pub(crate) cases: Vec<&'a CaseRecord>,
}

/// All choices that are alike.
pub(crate) struct Chosen<'a> {
    pub(crate) choice: &'a Choice,
    pub(crate) row: Option<&'a RowRecord>,
    pub(crate) cases: Vec<&'a CaseRecord>,
}

impl<'a> Outline<'a> {
    pub(crate) fn of(record: &'a RunRecord) -> Self {
        let mut findings = groups(record, |case| &case.findings);
        // Stable: what is equally important stays in planned order.
        findings.sort_by_key(Group::importance);
        let mut warnings = groups(record, |case| &case.warnings);
        warnings.sort_by_key(Group::importance);
        let of_verdict = |verdict| {
            reasons(record, move |case| {
                (case.verdict == Some(verdict))
                    .then(|| case.reason.as_deref().unwrap_or("no reason given"))
            })
        };
        Self {
            findings,
            warnings,
            consequent: record
                .cases
                .iter()
                .flat_map(|case| &case.findings)
                .filter(|finding| finding.consequent)
                .count(),
            inconclusive: of_verdict(Verdict::Inconclusive),
            errors: of_verdict(Verdict::Error),
            not_applicable: reasons(record, |case| case.not_applicable.as_deref()),
            choices: choices(record),
            simulated_ms: record.cases.iter().map(|case| case.simulated_ms).sum(),
        }
    }

    /// The requirements that were violated, each once.
    pub(crate) fn violated(&self) -> usize {
        let ids: IndexSet<&str> =
            self.findings.iter().map(|group| group.finding.requirement.as_str()).collect();
        ids.len()
    }

    /// Whether every group blames the lab: then the client is not what failed.
    pub(crate) fn blames_only_lab(&self) -> bool {
        !self.findings.is_empty()
            && self.findings.iter().all(|group| group.finding.side == "server")
    }
}

impl Group<'_> {
    /// Whether the list of known failures expects all of its cases.
    pub(crate) fn is_known(&self) -> bool {
        self.cases.iter().all(|case| case.expected.is_some())
    }

    /// Why its known failures are tolerated, each reason once.
    pub(crate) fn reasons(&self) -> String {
        let expected = self.cases.iter().filter_map(|case| case.expected.as_ref());
        let reasons: IndexSet<&str> = expected.map(|expected| expected.reason.as_str()).collect();
        reasons.into_iter().collect::<Vec<_>>().join("; ")
    }

    /// The first case that is no known failure, its finding, and how many such cases there are.
    pub(crate) fn unexpected(&self) -> Option<(&CaseRecord, &Finding, usize)> {
        let mut cases = self.cases.iter().filter(|case| case.expected.is_none());
        let case = *cases.next()?;
        let Finding { requirement, row, .. } = self.finding;
        let is_mine = |finding: &&Finding| {
            !finding.consequent && finding.requirement == *requirement && finding.row == *row
        };
        let finding = case.findings.iter().chain(&case.warnings).find(is_mine)?;
        Some((case, finding, 1 + cases.count()))
    }

    /// The client before the lab, MUST before SHOULD, what the document says before what follows
    /// from it, many cases before few.
    fn importance(&self) -> impl Ord + use<> {
        let strictness = match self.finding.strictness {
            Strictness::Must => 0,
            Strictness::Should => 1,
            Strictness::Open => 2,
        };
        let basis = match self.finding.basis {
            Basis::Explicit => 0,
            Basis::Implied => 1,
            Basis::Erratum => 2,
            Basis::Advice => 3,
        };
        (self.finding.side == "server", strictness, basis, std::cmp::Reverse(self.cases.len()))
    }
}

fn groups(record: &RunRecord, of: impl Fn(&CaseRecord) -> &Vec<Finding>) -> Vec<Group<'_>> {
    let mut groups: IndexMap<(&str, &str, &str), Group<'_>> = IndexMap::new();
    for case in &record.cases {
        for finding in of(case).iter().filter(|finding| !finding.consequent) {
            let key = (case.profile.as_str(), finding.requirement.as_str(), finding.row.as_str());
            let group = groups.entry(key).or_insert_with(|| {
                let profile = record.profiles.iter().find(|profile| profile.id == case.profile);
                Group {
                    profile,
                    requirement: profile.and_then(|profile| {
                        profile.requirements.iter().find(|req| req.id == finding.requirement)
                    }),
                    row: row(record, case, &finding.row),
                    case,
                    finding,
                    cases: Vec::new(),
                }
            });
            // Two findings of one row in one case are one case.
            if !group.cases.last().is_some_and(|last| std::ptr::eq(*last, case)) {
                group.cases.push(case);
            }
        }
    }
    groups.into_values().collect()
}

fn row<'a>(record: &'a RunRecord, case: &CaseRecord, id: &SmolStr) -> Option<&'a RowRecord> {
    let profile = record.profiles.iter().find(|profile| profile.id == case.profile)?;
    profile.rows.iter().find(|row| row.id == *id)
}

fn reasons<'a>(
    record: &'a RunRecord,
    of: impl Fn(&'a CaseRecord) -> Option<&'a str>,
) -> Vec<Reason<'a>> {
    let mut reasons: IndexMap<&str, Vec<&CaseRecord>> = IndexMap::new();
    for case in &record.cases {
        if let Some(reason) = of(case) {
            reasons.entry(reason).or_default().push(case);
        }
    }
    let mut reasons: Vec<_> =
        reasons.into_iter().map(|(reason, cases)| Reason { reason, cases }).collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.cases.len()));
    reasons
}

fn choices(record: &RunRecord) -> Vec<Chosen<'_>> {
    let mut chosen: IndexMap<(&str, &str, &str), Chosen<'_>> = IndexMap::new();
    for case in &record.cases {
        for choice in &case.choices {
            let key = (case.profile.as_str(), choice.row.as_str(), choice.choice.as_str());
            let group = chosen.entry(key).or_insert_with(|| Chosen {
                choice,
                row: row(record, case, &choice.row),
                cases: Vec::new(),
            });
            if !group.cases.last().is_some_and(|last| std::ptr::eq(*last, case)) {
                group.cases.push(case);
            }
        }
    }
    chosen.sort_by(|a, _, b, _| (a.0, a.1).cmp(&(b.0, b.1)));
    chosen.into_values().collect()
}

/// Counts over the cases of one profile.
pub(crate) fn profile_totals(record: &RunRecord, profile: &ProfileRecord) -> Totals {
    let mut totals = Totals::default();
    for case in record.cases.iter().filter(|case| case.profile == profile.id) {
        totals.planned += 1;
        totals.warnings += case.warnings.len() as u64;
        totals.known += u64::from(case.expected.is_some());
        let slot = match case.verdict {
            Some(Verdict::Pass) => &mut totals.pass,
            Some(Verdict::Inconclusive) => &mut totals.inconclusive,
            Some(Verdict::Fail) => &mut totals.fail,
            Some(Verdict::Error) => &mut totals.error,
            None if case.not_applicable.is_some() => &mut totals.not_applicable,
            None => &mut totals.not_run,
        };
        *slot += 1;
    }
    totals
}

/// How many requirements have this status.
pub(crate) fn n_covered(record: &RunRecord, status: CoverageStatus) -> usize {
    record.coverage.iter().filter(|coverage| coverage.status == status).count()
}

/// How many requirements of this profile have this status.
pub(crate) fn n_covered_in(
    record: &RunRecord,
    profile: &ProfileRecord,
    status: CoverageStatus,
) -> usize {
    let ids: IndexSet<&str> =
        profile.requirements.iter().map(|requirement| requirement.id.as_str()).collect();
    let mine = |coverage: &&Coverage| {
        coverage.status == status && ids.contains(coverage.requirement.as_str())
    };
    record.coverage.iter().filter(mine).count()
}

/// The answer of the whole run in one sentence, with the mark that goes with it.
pub(crate) fn answer(record: &RunRecord, outline: &Outline<'_>) -> (crate::text::Mark, String) {
    use crate::text::{Mark, count};
    let totals = &record.totals;
    let applicable = applicable(totals);
    let [fail, error, inconclusive] =
        [totals.fail, totals.error, totals.inconclusive].map(|n| n.to_string());
    let mut said = if totals.fail > 0 && outline.blames_only_lab() {
        (
            Mark::FAIL,
            format!(
                "The lab itself broke its duty in {fail} of {applicable} applicable cases; they say nothing about the client."
            ),
        )
    } else if totals.fail > 0 {
        let violated = count(outline.violated(), "documented requirement");
        (
            Mark::FAIL,
            format!(
                "The client violates {violated}, seen in {fail} of {applicable} applicable cases{}.",
                known_among(totals)
            ),
        )
    } else if totals.error > 0 && totals.error == applicable {
        let said =
            "No case could be played to its end: the harness or the adapter failed in all of them.";
        (Mark::ERROR, said.to_owned())
    } else if totals.error > 0 {
        (
            Mark::ERROR,
            format!(
                "Nothing was violated, but the harness or the adapter failed in {error} of {applicable} applicable cases."
            ),
        )
    } else if totals.inconclusive > 0 {
        (
            Mark::INCONCLUSIVE,
            format!(
                "Nothing was violated, but {inconclusive} of {applicable} applicable cases were not decided."
            ),
        )
    } else if totals.pass > 0 {
        let satisfied = n_covered(record, CoverageStatus::Satisfied);
        let testable = record.coverage.len() - n_covered(record, CoverageStatus::NotTestable);
        (
            Mark::PASS,
            format!(
                "Nothing was violated in any of {} cases; {satisfied} of {testable} testable requirements were satisfied.",
                totals.pass
            ),
        )
    } else {
        (Mark::INCONCLUSIVE, "No case was run.".to_owned())
    };
    if record.interrupted {
        said.1.push_str(" The run was interrupted: what follows is what there is.");
    }
    said
}

/// How many of the failures are known.
fn known_among(totals: &Totals) -> String {
    match (totals.known, totals.fail) {
        (0, _) => String::new(),
        (known, fail) if known == fail => ": known failures, all of them".to_owned(),
        (known, _) => format!("; {known} of them are known failures"),
    }
}

/// Cases that apply to this client.
pub(crate) const fn applicable(totals: &Totals) -> u64 {
    totals.planned.saturating_sub(totals.not_applicable)
}
