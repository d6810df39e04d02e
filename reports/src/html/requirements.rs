//! The requirements of one contract with what was seen of each, the matrix of requirement and scenario, and
//! the matrix of known fault and requirement.
//!
//! Not responsible for judging: it takes the worst of what the cases say, in the order of
//! [`Judgement`].
//!
//! Invariant: each requirement of the record stands in the table and in the first matrix.

use super::anchor::{Anchors, CaseLink, href, scenario_anchor, scenario_of, within_profile};
use super::view::{Badge, Force, Letter, RequirementLink};
use crate::outline::n_covered_in;
use crate::text::{Mark, STATUSES};
use askama::filters::HtmlSafe;
use indexmap::IndexMap;
use smol_str::SmolStr;
use stateline_core::profile::requirement::{Requirement, Strictness, TestedBy};
use stateline_core::record::{
    CaseRecord, Coverage, CoverageStatus, DefectRecord, Judgement, ProfileRecord, RunRecord,
};
use std::fmt::{self, Display};

/// Cases named beside a requirement: the rest is one filter away.
const MOST_CASES: usize = 3;

/// The catalogue of one contract.
pub(super) struct Catalogue<'a> {
    pub(super) lines: Vec<RequirementView<'a>>,
    pub(super) statuses: Vec<(usize, Badge)>,
    pub(super) matrix: Matrix<'a>,
    pub(super) faults: Faults<'a>,
}

/// A requirement with what was seen of it.
pub(super) struct RequirementView<'a> {
    pub(super) requirement: &'a Requirement,
    pub(super) anchor: String,
    pub(super) href: String,
    pub(super) force: Force,
    pub(super) mark: Mark,
    pub(super) badge: Badge,
    pub(super) by: &'a str,
    pub(super) n_cases: usize,
    /// The first cases that decided it, those that broke it before others.
    pub(super) cases: Vec<CaseLink>,
    /// These are cases that broke it.
    pub(super) broken: bool,
    pub(super) decided_href: String,
    /// The known faults that break it.
    pub(super) faults: Vec<(&'a str, String)>,
}

/// Requirement by scenario.
pub(super) struct Matrix<'a> {
    /// How many of the columns belong to each folder of scenarios.
    pub(super) families: Vec<usize>,
    pub(super) columns: Vec<Column<'a>>,
    pub(super) lines: Vec<(RequirementLink<'a>, Vec<Seen>)>,
}

/// A scenario in a matrix.
pub(super) struct Column<'a> {
    /// Its folder, with the stroke that ends it.
    pub(super) family: &'a str,
    pub(super) name: &'a str,
    pub(super) href: String,
}

/// What a scenario says of a requirement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    judgement: Option<Judgement>,
    /// It is what the scenario is there for.
    named: bool,
}

impl Display for Seen {
    /// Thousands of these stand on a page, so their end tags are left to the parser.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, glyph) = match self.judgement {
            None => return f.write_str("<td>"),
            Some(Judgement::Satisfied) => ("", "✓"),
            Some(Judgement::Violated) => (" class=b", "✗"),
            Some(Judgement::Warned) => (" class=w", "▲"),
            Some(Judgement::Undetermined) => (" class=d", "?"),
            Some(Judgement::Recorded) => (" class=r", "◆"),
        };
        if self.named {
            write!(f, "<td{class}><b>{glyph}</b>")
        } else {
            write!(f, "<td{class}>{glyph}")
        }
    }
}

impl HtmlSafe for Seen {}

/// Known fault by requirement.
pub(super) struct Faults<'a> {
    /// The requirements that some fault breaks.
    pub(super) columns: Vec<RequirementLink<'a>>,
    pub(super) lines: Vec<FaultView<'a>>,
    /// What a client can violate, and no known fault does.
    pub(super) untried: Vec<RequirementLink<'a>>,
}

/// A known fault with what it breaks.
pub(super) struct FaultView<'a> {
    pub(super) defect: &'a DefectRecord,
    pub(super) anchor: String,
    pub(super) cells: Vec<Broken>,
}

/// What a known fault does to a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    No,
    /// It is what the fault is there for.
    Itself,
    /// The fault cannot help it.
    Also,
}

impl Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "<td>",
            Self::Itself => "<td class=b>✗",
            Self::Also => "<td class=a>+",
        })
    }
}

impl HtmlSafe for Broken {}

impl<'a> Catalogue<'a> {
    pub(super) fn new(record: &'a RunRecord, profile: &'a ProfileRecord, anchors: Anchors) -> Self {
        let coverage: IndexMap<&str, &Coverage> =
            record.coverage.iter().map(|one| (one.requirement.as_str(), one)).collect();
        // The first repetition stands for all: links lead to where they are counted.
        let mut by_id: IndexMap<&str, &CaseRecord> = IndexMap::new();
        for case in record.cases.iter().filter(|case| case.profile == profile.id) {
            by_id.entry(&case.id).or_insert(case);
        }
        let mut breaking: IndexMap<&str, Vec<&CaseRecord>> = IndexMap::new();
        for case in record.cases.iter().filter(|case| case.profile == profile.id) {
            for finding in case.findings.iter().chain(&case.warnings) {
                let cases = breaking.entry(&finding.requirement).or_default();
                if cases.len() < MOST_CASES && !cases.iter().any(|have| std::ptr::eq(*have, case)) {
                    cases.push(case);
                }
            }
        }
        let mut faults: IndexMap<&str, Vec<&DefectRecord>> = IndexMap::new();
        for defect in &profile.defects {
            faults.entry(&defect.breaks).or_default().push(defect);
        }
        let line = |requirement: &'a Requirement| {
            let id = requirement.id.as_str();
            let coverage = coverage.get(id);
            let mark = coverage.map_or(Mark::NOT_RUN, |one| Mark::of_coverage(one.status));
            let broken = breaking.get(id).map(Vec::as_slice).unwrap_or_default();
            let decided = coverage.map(|one| one.cases.as_slice()).unwrap_or_default();
            let first = decided.iter().filter_map(|id| by_id.get(id.as_str()));
            let link = |case: &&CaseRecord| {
                let CaseLink { href, name } = CaseLink::new(case);
                CaseLink { href, name: within_profile(&name, &profile.id).to_owned() }
            };
            let cases = if broken.is_empty() {
                first.take(1).map(link).collect()
            } else {
                broken.iter().map(link).collect()
            };
            let anchor = anchors.requirement(id);
            RequirementView {
                requirement,
                href: href(&anchor),
                anchor,
                force: Force(requirement.strictness, requirement.basis),
                mark,
                badge: Badge(mark),
                by: coverage.map_or(requirement.test.as_str(), |one| one.by.as_str()),
                n_cases: decided.len(),
                cases,
                broken: !broken.is_empty(),
                decided_href: href(&anchors.decided(id)),
                faults: faults
                    .get(id)
                    .into_iter()
                    .flatten()
                    .map(|defect| (defect.id.as_str(), href(&anchors.defect(&defect.id))))
                    .collect(),
            }
        };
        let statuses = STATUSES.iter().map(|status| {
            (n_covered_in(record, profile, *status), Badge(Mark::of_coverage(*status)))
        });
        Self {
            lines: profile.requirements.iter().map(line).collect(),
            statuses: statuses.filter(|(n, _)| *n > 0).collect(),
            matrix: Matrix::new(record, profile, anchors),
            faults: Faults::new(profile, anchors),
        }
    }
}

impl<'a> Matrix<'a> {
    fn new(record: &'a RunRecord, profile: &'a ProfileRecord, anchors: Anchors) -> Self {
        let at: IndexMap<&str, usize> = profile
            .requirements
            .iter()
            .enumerate()
            .map(|(at, one)| (one.id.as_str(), at))
            .collect();
        let mut columns: IndexMap<&str, Vec<Seen>> = IndexMap::new();
        for case in &record.cases {
            if case.profile != profile.id || case.verdict.is_none() {
                continue;
            }
            let column = columns
                .entry(scenario_of(case))
                .or_insert_with(|| vec![Seen::default(); profile.requirements.len()]);
            for judged in &case.requirements {
                if let Some(seen) = at.get(judged.id.as_str()).and_then(|at| column.get_mut(*at)) {
                    seen.judgement = seen.judgement.max(Some(judged.judgement));
                    seen.named |= judged.named;
                }
            }
        }
        let mut families: IndexMap<&str, Vec<(&str, &[Seen])>> = IndexMap::new();
        for (id, column) in &columns {
            let short = within_profile(id, &profile.id);
            let (family, _) = short.split_at(short.rfind('/').map_or(0, |at| at + 1));
            families.entry(family).or_default().push((id, column));
        }
        let ordered: Vec<_> = families.values().flatten().copied().collect();
        let named = families.iter().flat_map(|(family, columns)| {
            columns.iter().map(|(id, _)| Column {
                family,
                name: id.rsplit('/').next().unwrap_or(id),
                href: href(&scenario_anchor(id)),
            })
        });
        let line = |(at, requirement): (usize, &'a Requirement)| {
            let seen =
                ordered.iter().map(|(_, column)| column.get(at).copied().unwrap_or_default());
            (RequirementLink::new(profile, anchors, &requirement.id), seen.collect())
        };
        Self {
            families: families.values().map(Vec::len).collect(),
            columns: named.collect(),
            lines: profile.requirements.iter().enumerate().map(line).collect(),
        }
    }
}

impl<'a> Faults<'a> {
    fn new(profile: &'a ProfileRecord, anchors: Anchors) -> Self {
        let broken = |id: &SmolStr| {
            profile.defects.iter().any(|defect| defect.breaks == *id || defect.also.contains(id))
        };
        let (tried, rest): (Vec<&Requirement>, Vec<&Requirement>) =
            profile.requirements.iter().partition(|one| broken(&one.id));
        // In the order of the requirements, the marks go down like stairs, and a gap is seen.
        let mut defects: Vec<&DefectRecord> = profile.defects.iter().collect();
        defects.sort_by_key(|defect| tried.iter().position(|one| one.id == defect.breaks));
        let line = |defect: &'a DefectRecord| FaultView {
            defect,
            anchor: anchors.defect(&defect.id),
            cells: tried
                .iter()
                .map(|one| match one {
                    one if one.id == defect.breaks => Broken::Itself,
                    one if defect.also.contains(&one.id) => Broken::Also,
                    _ => Broken::No,
                })
                .collect(),
        };
        let link = |one: &'a Requirement| RequirementLink::new(profile, anchors, &one.id);
        Self {
            lines: defects.into_iter().map(line).collect(),
            untried: rest
                .into_iter()
                .filter(|one| !matches!(one.test, TestedBy::None | TestedBy::Server))
                .filter(|one| one.strictness != Strictness::Open)
                .map(link)
                .collect(),
            columns: tried.into_iter().map(link).collect(),
        }
    }
}

/// The letters in which the matrices say how the document carries a requirement.
pub(super) fn letters() -> impl Iterator<Item = (Letter, &'static str)> {
    Letter::ALL.into_iter().map(|letter| (letter, letter.word()))
}

/// How many requirements of the whole run stand so: what adds up to all of them.
pub(super) fn coverage_line(record: &RunRecord) -> Vec<(usize, Mark)> {
    let n = |status: CoverageStatus| {
        record.coverage.iter().filter(|coverage| coverage.status == status).count()
    };
    let counted = STATUSES.iter().map(|status| (n(*status), Mark::of_coverage(*status)));
    counted.filter(|(n, _)| *n > 0).collect()
}
