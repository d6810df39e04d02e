//! The cases by scenario: a line for each, repetitions counted, and what is told in full.
//!
//! Not responsible for how a case is told; that is its own view's part.
//!
//! Invariant: each case that was to run is in one line, and an anchor of [`case_anchor`] is on the page.

use super::anchor::{
    Anchors, case_anchor, line_anchor, scenario_anchor, scenario_of, within_profile,
};
use super::case::CaseView;
use super::view::{Badge, MOST_TEXT};
use crate::text::{self, Mark};
use indexmap::IndexMap;
use stateline_core::record::{CaseRecord, Judgement, ProfileRecord, RunRecord, Verdict};
use std::fmt::Write;

/// The cases of one scenario.
pub(super) struct Scenario<'a> {
    pub(super) anchor: String,
    /// Its id without its profile.
    pub(super) name: &'a str,
    pub(super) counts: Vec<(usize, Mark)>,
    pub(super) lines: Vec<CaseLine<'a>>,
}

/// A case in the list, with its repetitions.
pub(super) struct CaseLine<'a> {
    pub(super) anchor: String,
    pub(super) mark: Mark,
    /// What sets it apart within its scenario; empty where nothing does.
    pub(super) axes: &'a str,
    /// What it violates, each requirement once.
    pub(super) violated: Vec<&'a str>,
    pub(super) reason: String,
    /// Why its failure is expected.
    pub(super) known: Option<String>,
    pub(super) n_warnings: usize,
    /// Verdicts of attempts that a policy repeated.
    pub(super) attempts: Vec<&'static str>,
    pub(super) simulated: String,
    pub(super) events: u32,
    /// How often each outcome was seen, where it was repeated.
    pub(super) repeats: Vec<(usize, Mark)>,
    /// Repetitions that did not pass, but for the one that stands for all: anchor, number, mark.
    pub(super) further: Vec<(String, u32, Mark)>,
    /// The contract, by its place; the first needs no number.
    pub(super) profile: usize,
    /// The requirements that it decided, and the cells that it exercised, by their places, as bits.
    pub(super) decided: String,
    pub(super) cells: String,
    /// The case in full, where it is told.
    pub(super) told: Option<CaseView<'a>>,
}

/// Sets of places in a contract, as the filter of the page reads them.
#[derive(Default)]
struct Places<'a> {
    requirements: IndexMap<&'a str, usize>,
    cells: IndexMap<(&'a str, &'a str), usize>,
}

impl<'a> Places<'a> {
    fn of(profile: &'a ProfileRecord) -> Self {
        let numbered = |(at, id)| (id, at);
        Self {
            requirements: profile
                .requirements
                .iter()
                .map(|one| one.id.as_str())
                .enumerate()
                .map(numbered)
                .collect(),
            cells: profile
                .cells
                .iter()
                .enumerate()
                .map(|(at, cell)| ((cell.state.as_str(), cell.stimulus.as_str()), at))
                .collect(),
        }
    }
}

/// A set of small numbers in hexadecimal: the last digit holds 0 to 3.
fn bits(set: impl Iterator<Item = usize>) -> String {
    let mut digits: Vec<u8> = Vec::new();
    for at in set {
        if digits.len() <= at / 4 {
            digits.resize(at / 4 + 1, 0);
        }
        digits[at / 4] |= 1 << (at % 4);
    }
    let mut text = String::with_capacity(digits.len());
    for digit in digits.iter().rev() {
        // Writing into a string cannot fail.
        let _ = write!(text, "{digit:x}");
    }
    text
}

/// What a filter link leads to: the place that its name stands for.
pub(super) struct Aim {
    pub(super) anchor: String,
    pub(super) profile: usize,
    pub(super) at: usize,
}

/// All filters that a link on the page may ask for.
pub(super) fn aims(profiles: &[ProfileRecord]) -> Vec<Aim> {
    let mut aims = Vec::new();
    for (profile, record) in profiles.iter().enumerate() {
        let anchors = Anchors::new(profile);
        let requirements = record.requirements.iter().map(|one| anchors.decided(&one.id));
        let cells = record.cells.iter().map(|cell| anchors.cell(&cell.state, &cell.stimulus));
        let place = |(at, anchor)| Aim { anchor, profile, at };
        aims.extend(requirements.enumerate().map(place));
        aims.extend(cells.enumerate().map(place));
    }
    aims
}

/// How many more cases are told in full.
struct Room {
    passed: usize,
    others: usize,
}

impl Room {
    /// Whether a case is told: it has a story, and there is room for it.
    fn takes(&mut self, case: &CaseRecord) -> bool {
        let room = match case.verdict {
            Some(Verdict::Pass) => &mut self.passed,
            _ => &mut self.others,
        };
        let takes = case.story.is_some() && *room > 0;
        *room -= usize::from(takes);
        takes
    }
}

/// All scenarios in planned order; of those that passed and of the others, as many cases are told in full.
pub(super) fn scenarios<'a>(record: &'a RunRecord, max_told: usize) -> Vec<Scenario<'a>> {
    let mut room = Room { passed: max_told, others: max_told };
    let places: Vec<Places<'a>> = record.profiles.iter().map(Places::of).collect();
    let mut groups: IndexMap<&'a str, IndexMap<&'a str, Vec<&'a CaseRecord>>> = IndexMap::new();
    for case in record.cases.iter().filter(|case| case.not_applicable.is_none()) {
        groups.entry(scenario_of(case)).or_default().entry(&case.id).or_default().push(case);
    }
    let mut scenario = |id, cases: &IndexMap<&str, Vec<&'a CaseRecord>>| Scenario {
        anchor: scenario_anchor(id),
        name: cases.values().flatten().next().map_or(id, |case| within_profile(id, &case.profile)),
        counts: counts(cases.values().flatten().copied()),
        lines: cases
            .values()
            .filter_map(|repeats| CaseLine::new(record, &places, id, repeats, &mut room))
            .collect(),
    };
    groups.iter().map(|(id, cases)| scenario(*id, cases)).collect()
}

/// How many cases have each outcome, the worst first.
fn counts<'a>(cases: impl Iterator<Item = &'a CaseRecord>) -> Vec<(usize, Mark)> {
    let mut counts: Vec<(Option<Verdict>, usize, Mark)> = Vec::new();
    for case in cases {
        match counts.iter_mut().find(|(verdict, ..)| *verdict == case.verdict) {
            Some((_, n, _)) => *n += 1,
            None => counts.push((case.verdict, 1, Mark::of_case(case))),
        }
    }
    counts.sort_by_key(|(verdict, ..)| std::cmp::Reverse(*verdict));
    counts.into_iter().map(|(_, n, mark)| (n, mark)).collect()
}

/// The repetition that is told for all: the first of the worst.
pub(super) fn worst<'a>(repeats: &[&'a CaseRecord]) -> Option<&'a CaseRecord> {
    repeats
        .iter()
        .copied()
        .reduce(|worst, case| if case.verdict > worst.verdict { case } else { worst })
}

impl<'a> CaseLine<'a> {
    fn new(
        record: &'a RunRecord,
        places: &[Places<'a>],
        scenario: &str,
        repeats: &[&'a CaseRecord],
        room: &mut Room,
    ) -> Option<Self> {
        let case = worst(repeats)?;
        let profile =
            record.profiles.iter().position(|profile| profile.id == case.profile).unwrap_or(0);
        let none = Places::default();
        let places = places.get(profile).unwrap_or(&none);
        let decided = repeats.iter().flat_map(|case| &case.requirements);
        let decided = decided.filter(|one| one.judgement != Judgement::Undetermined);
        let cells = repeats.iter().flat_map(|case| &case.cells);
        let mut violated: Vec<&str> = Vec::new();
        for finding in case.findings.iter().filter(|finding| !finding.consequent) {
            if !violated.contains(&finding.requirement.as_str()) {
                violated.push(&finding.requirement);
            }
        }
        let repeats_told =
            if repeats.len() > 1 { counts(repeats.iter().copied()) } else { Vec::new() };
        let further = repeats
            .iter()
            .filter(|case| case.repeat > 0 && case.verdict != Some(Verdict::Pass))
            .map(|case| (case_anchor(case), case.repeat + 1, Mark::of_case(case)));
        Some(Self {
            anchor: line_anchor(&case.id),
            mark: Mark::of_case(case),
            axes: case.id.strip_prefix(scenario).unwrap_or(&case.id),
            violated,
            reason: text::shorten(case.reason.as_deref().unwrap_or_default(), MOST_TEXT),
            known: case
                .expected
                .as_ref()
                .map(|expected| text::shorten(&expected.reason, MOST_TEXT)),
            n_warnings: case.warnings.len(),
            attempts: case.attempts.iter().map(|one| one.verdict.as_str()).collect(),
            simulated: text::duration(case.simulated_ms),
            events: case.events,
            repeats: repeats_told,
            further: further.collect(),
            profile,
            decided: bits(
                decided.filter_map(|one| places.requirements.get(one.id.as_str()).copied()),
            ),
            cells: bits(cells.filter_map(|cell| {
                places.cells.get(&(cell.state.as_str(), cell.stimulus.as_str())).copied()
            })),
            told: room.takes(case).then(|| CaseView::new(record, case)),
        })
    }

    /// Whether there is more to say of it than its verdict.
    pub(super) fn tells(&self) -> bool {
        !self.violated.is_empty()
            || !self.reason.is_empty()
            || self.known.is_some()
            || self.n_warnings > 0
            || !self.attempts.is_empty()
            || !self.repeats.is_empty()
    }

    pub(super) const fn badge(&self) -> Badge {
        Badge(self.mark)
    }
}
