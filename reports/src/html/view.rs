//! What the templates show, prepared so that they only have to place it.
//!
//! Not responsible for markup but for [`Badge`]'s, nor for escaping: the templates escape.
//!
//! Invariant: a link and the anchor that it leads to come from the same function.

use crate::outline::{Chosen, Group, Reason, n_covered_in};
use crate::terminal::profile_name;
use crate::text::{self, Mark, STATUSES};
use crate::trace_slice::{self, Line};
use indexmap::IndexMap;
use smol_str::SmolStr;
use stateline_core::profile::requirement::Requirement;
use stateline_core::record::{
    CaseRecord, CellRecord, Coverage, ProfileRecord, RunRecord, StimulusRecord, Totals, Verdict,
};
use std::fmt::{self, Display};

/// What a client said, at most: a page is for reading.
const MOST_TEXT: usize = 600;
/// Links to cases in one list.
const MOST_LINKS: usize = 30;

/// A mark as markup.
#[derive(Clone, Copy)]
pub(super) struct Badge(Mark);

impl Display for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark { glyph, word, tone } = self.0;
        write!(f, "<span class=\"mark {tone}\"><i aria-hidden=\"true\">{glyph}</i> {word}</span>")
    }
}

// Marks are constants of this crate; nothing of a client is in them.
impl askama::filters::HtmlSafe for Badge {}

/// A link to a case.
#[derive(Clone)]
pub(super) struct CaseLink {
    pub(super) href: String,
    pub(super) name: String,
}

impl CaseLink {
    fn new(case: &CaseRecord) -> Self {
        Self { href: href(&case_anchor(case)), name: text::case_name(case) }
    }
}

/// The anchor of a case: `case-` and its id, which is a promise.
fn case_anchor(case: &CaseRecord) -> String {
    let id = anchor("case-", &case.id);
    if case.repeat == 0 { id } else { format!("{id}~{}", case.repeat + 1) }
}

/// Anchors hold no white space.
fn anchor(prefix: &str, id: &str) -> String {
    let id: String =
        id.chars().map(|c| if c.is_whitespace() || c.is_control() { '_' } else { c }).collect();
    format!("{prefix}{id}")
}

/// A fragment that leads to an anchor.
fn href(anchor: &str) -> String {
    let mut href = String::from("#");
    for c in anchor.chars() {
        if c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?".contains(c) {
            href.push(c);
        } else {
            href.extend(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")));
        }
    }
    href
}

/// One summand of what was planned.
pub(super) struct Part {
    pub(super) mark: Mark,
    pub(super) key: &'static str,
    pub(super) start: u64,
    pub(super) n: u64,
}

pub(super) fn parts(totals: &Totals) -> Vec<Part> {
    let mut start = 0;
    let parts = [
        (Mark::PASS, "pass", totals.pass),
        (Mark::FAIL, "fail", totals.fail),
        (Mark::INCONCLUSIVE, "inconclusive", totals.inconclusive),
        (Mark::ERROR, "error", totals.error),
        (Mark::NOT_APPLICABLE, "not-applicable", totals.not_applicable),
        (Mark::NOT_RUN, "not-run", totals.not_run),
    ];
    let part = |(mark, key, n)| {
        start += n;
        Part { mark, key, start: start - n, n }
    };
    parts.into_iter().map(part).collect()
}

/// A group of findings or warnings.
pub(super) struct FindingView<'a> {
    pub(super) group: &'a Group<'a>,
    pub(super) requirement_anchor: String,
    pub(super) expected: String,
    pub(super) observed: String,
    pub(super) first: CaseLink,
    pub(super) command: String,
    pub(super) others: Vec<CaseLink>,
    pub(super) n_more: usize,
    pub(super) lines: Vec<Line<'a>>,
}

impl<'a> FindingView<'a> {
    pub(super) fn new(record: &RunRecord, group: &'a Group<'a>, full: bool) -> Self {
        let others = group.cases.get(1..).unwrap_or_default();
        let links = if full { others.len().min(MOST_LINKS) } else { 0 };
        let at = record
            .profiles
            .iter()
            .position(|profile| group.profile.is_some_and(|mine| std::ptr::eq(mine, profile)));
        Self {
            group,
            requirement_anchor: requirement_anchor(at.unwrap_or(0), &group.finding.requirement),
            expected: text::shorten(&group.finding.expected, MOST_TEXT),
            observed: text::shorten(&group.finding.observed, MOST_TEXT),
            first: CaseLink::new(group.case),
            command: if full { text::reproduce(record, group.case) } else { String::new() },
            others: others.iter().take(links).map(|case| CaseLink::new(case)).collect(),
            n_more: others.len() - links,
            lines: if full { trace_slice::slice(group.case, group.finding) } else { Vec::new() },
        }
    }
}

/// A reason with its cases.
#[derive(Clone)]
pub(super) struct ReasonView<'a> {
    pub(super) badge: Badge,
    pub(super) reason: &'a str,
    pub(super) n: usize,
    pub(super) first: CaseLink,
    pub(super) names: Vec<String>,
    /// The last that was written to stderr in the first case.
    pub(super) stderr: String,
}

pub(super) fn reasons<'a>(mark: Mark, reasons: &[Reason<'a>]) -> Vec<ReasonView<'a>> {
    let view = |reason: &Reason<'a>| {
        // A group is made with its first case.
        let first = reason.cases.first()?;
        Some(ReasonView {
            badge: Badge(mark),
            reason: reason.reason,
            n: reason.cases.len(),
            first: CaseLink::new(first),
            names: reason.cases.iter().take(200).map(|case| text::case_name(case)).collect(),
            stderr: text::last_lines(&first.wall.stderr, 20).collect::<Vec<_>>().join("\n"),
        })
    };
    reasons.iter().filter_map(view).collect()
}

/// Choices that are alike.
pub(super) struct ChoiceView<'a> {
    pub(super) row: &'a str,
    pub(super) title: Option<&'a str>,
    pub(super) choice: String,
    pub(super) requirement: Option<&'a str>,
    pub(super) n: usize,
    pub(super) first: CaseLink,
}

impl<'a> ChoiceView<'a> {
    pub(super) fn new(chosen: &Chosen<'a>) -> Self {
        Self {
            row: &chosen.choice.row,
            title: chosen.row.map(|row| row.title.as_str()),
            choice: text::shorten(&chosen.choice.choice, MOST_TEXT),
            requirement: chosen.choice.requirement.as_deref(),
            n: chosen.cases.len(),
            first: chosen.cases.first().map_or_else(
                || CaseLink { href: String::new(), name: String::new() },
                |case| CaseLink::new(case),
            ),
        }
    }
}

/// A contract with what was seen of it.
pub(super) struct ProfileView<'a> {
    pub(super) record: &'a ProfileRecord,
    pub(super) name: String,
    pub(super) digest: &'a str,
    pub(super) grid_anchor: String,
    pub(super) coverage_anchor: String,
    pub(super) grid: Vec<GridLine<'a>>,
    pub(super) statuses: Vec<(usize, Badge)>,
    pub(super) coverage: Vec<CoverageLine<'a>>,
    at: usize,
}

/// What the document says of one stimulus, state by state.
pub(super) struct GridLine<'a> {
    pub(super) stimulus: &'a StimulusRecord,
    /// `None` where the stimulus cannot occur.
    pub(super) cells: Vec<Option<CellView<'a>>>,
}

/// A cell of the grid.
pub(super) struct CellView<'a> {
    pub(super) record: &'a CellRecord,
    pub(super) mark: Mark,
    pub(super) seen: String,
}

/// A requirement with what was seen of it.
pub(super) struct CoverageLine<'a> {
    pub(super) requirement: &'a Requirement,
    pub(super) badge: Badge,
    pub(super) by: &'a str,
    pub(super) n_cases: usize,
}

impl<'a> ProfileView<'a> {
    pub(super) fn new(record: &'a RunRecord, profile: &'a ProfileRecord, at: usize) -> Self {
        let cells: IndexMap<(&str, &str), &CellRecord> = profile
            .cells
            .iter()
            .map(|cell| ((cell.stimulus.as_str(), cell.state.as_str()), cell))
            .collect();
        let line = |stimulus: &'a StimulusRecord| GridLine {
            stimulus,
            cells: profile
                .states
                .iter()
                .map(|state| {
                    cells
                        .get(&(stimulus.id.as_str(), state.as_str()))
                        .map(|cell| CellView::new(cell))
                })
                .collect(),
        };
        let coverage: IndexMap<&str, &Coverage> = record
            .coverage
            .iter()
            .map(|coverage| (coverage.requirement.as_str(), coverage))
            .collect();
        let covered = |requirement: &'a Requirement| {
            let coverage = coverage.get(requirement.id.as_str());
            CoverageLine {
                requirement,
                badge: Badge(
                    coverage.map_or(Mark::NOT_RUN, |coverage| Mark::of_coverage(coverage.status)),
                ),
                by: coverage.map_or(requirement.test.as_str(), |coverage| coverage.by.as_str()),
                n_cases: coverage.map_or(0, |coverage| coverage.cases.len()),
            }
        };
        let statuses = STATUSES.iter().map(|status| {
            (n_covered_in(record, profile, *status), Badge(Mark::of_coverage(*status)))
        });
        let suffix = if at == 0 { String::new() } else { format!("-{}", at + 1) };
        Self {
            record: profile,
            name: profile_name(profile),
            digest: profile.digest.get(..12).unwrap_or(&profile.digest),
            grid_anchor: format!("grid{suffix}"),
            coverage_anchor: format!("coverage{suffix}"),
            grid: profile.stimuli.iter().map(line).collect(),
            statuses: statuses.filter(|(n, _)| *n > 0).collect(),
            coverage: profile.requirements.iter().map(covered).collect(),
            at,
        }
    }

    pub(super) fn row_anchor(&self, id: &SmolStr) -> String {
        anchor(&numbered("row", self.at), id)
    }

    pub(super) fn requirement_anchor(&self, id: &SmolStr) -> String {
        requirement_anchor(self.at, id)
    }
}

fn requirement_anchor(profile: usize, id: &str) -> String {
    anchor(&numbered("req", profile), id)
}

/// The first profile needs no number, and hardly any run has a second one.
fn numbered(kind: &str, profile: usize) -> String {
    if profile == 0 { format!("{kind}-") } else { format!("{kind}-{}-", profile + 1) }
}

impl<'a> CellView<'a> {
    fn new(cell: &'a CellRecord) -> Self {
        let cases = text::count(cell.cases as usize, "case");
        let (mark, seen) = if cell.cases == 0 {
            (Mark { glyph: "○", word: "not exercised", tone: "mute" }, "not exercised".to_owned())
        } else if cell.violated > 0 {
            (Mark::FAIL, format!("violated in {} of {}", cell.violated, cell.cases))
        } else if cell.says == "silent" {
            (Mark::CHOICE, format!("recorded, {cases}"))
        } else {
            (Mark::PASS, format!("kept, {cases}"))
        };
        Self { record: cell, mark, seen }
    }
}

/// The cases of one scenario.
pub(super) struct Scenario<'a> {
    /// Its id, where it has several cases.
    pub(super) head: Option<&'a str>,
    pub(super) counts: String,
    pub(super) rows: Vec<CaseRow<'a>>,
    /// Passes that are not listed one by one.
    pub(super) folded: usize,
}

/// A case in the list.
pub(super) struct CaseRow<'a> {
    pub(super) mark: Mark,
    pub(super) anchor: String,
    pub(super) name: String,
    /// The findings told in full, by their number on the page.
    pub(super) findings: Vec<(usize, &'a str)>,
    pub(super) reason: &'a str,
    pub(super) n_warnings: usize,
    pub(super) simulated: String,
    pub(super) events: u32,
}

pub(super) fn scenarios<'a>(
    record: &'a RunRecord,
    told: &[Group<'a>],
    max_cases: usize,
) -> Vec<Scenario<'a>> {
    let fold = record.cases.len() > max_cases;
    let mut by_case: IndexMap<*const CaseRecord, Vec<(usize, &'a str)>> = IndexMap::new();
    for (at, group) in told.iter().enumerate() {
        for case in &group.cases {
            by_case
                .entry(std::ptr::from_ref(*case))
                .or_default()
                .push((at + 1, group.finding.requirement.as_str()));
        }
    }
    let mut groups: IndexMap<&str, Vec<&CaseRecord>> = IndexMap::new();
    for case in record.cases.iter().filter(|case| case.not_applicable.is_none()) {
        let scenario = case.id.split_once('[').map_or(case.id.as_str(), |(scenario, _)| scenario);
        groups.entry(scenario).or_default().push(case);
    }
    let view = |(id, cases): (&'a str, Vec<&'a CaseRecord>)| {
        let head = (cases.len() > 1).then_some(id);
        let mut counts: IndexMap<&str, usize> = IndexMap::new();
        for case in &cases {
            *counts.entry(Mark::of_case(case).word).or_default() += 1;
        }
        let counts: Vec<String> = counts.iter().map(|(word, n)| format!("{n} {word}")).collect();
        let is_folded = |case: &&&CaseRecord| fold && case.verdict == Some(Verdict::Pass);
        let row = |case: &&'a CaseRecord| CaseRow {
            mark: Mark::of_case(case),
            anchor: case_anchor(case),
            name: match head {
                Some(head) => short_name(case, head),
                None => text::case_name(case),
            },
            findings: by_case.get(&std::ptr::from_ref(*case)).cloned().unwrap_or_default(),
            reason: case.reason.as_deref().unwrap_or_default(),
            n_warnings: case.warnings.len(),
            simulated: text::duration(case.simulated_ms),
            events: case.events,
        };
        Scenario {
            head,
            counts: counts.join(", "),
            rows: cases.iter().filter(|case| !is_folded(case)).map(row).collect(),
            folded: cases.iter().filter(is_folded).count(),
        }
    };
    groups.into_iter().map(view).collect()
}

/// What sets a case apart within its scenario: its axes, its repetition.
fn short_name(case: &CaseRecord, scenario: &str) -> String {
    let axes = case.id.strip_prefix(scenario).unwrap_or(&case.id);
    match (axes, case.repeat) {
        ("", n) => format!("repetition {}", n + 1),
        (axes, 0) => axes.to_owned(),
        (axes, n) => format!("{axes} repetition {}", n + 1),
    }
}
