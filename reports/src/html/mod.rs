//! The conformance report: one self-contained file for whoever must decide whether a build ships.
//!
//! The markup stands in `templates/`, look and behaviour in `assets/`; this fills them. Not
//! responsible for files, and not for verdicts.
//!
//! Invariant: the page fetches nothing and runs nothing but the script that is part of it; each
//! text of a client is escaped, and no character in it can hide or reorder what stands around it.

mod view;

use crate::outline::{Outline, answer, applicable};
use crate::text::{self, Mark};
use crate::trace_slice::Line;
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use stateline_core::record::RunRecord;
use view::{ChoiceView, FindingView, Part, ProfileView, ReasonView, Scenario};

const STYLE: &str = include_str!("../../assets/report.css");
const SCRIPT: &str = include_str!("../../assets/report.js");

/// How much to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Findings told in full; the rest is listed.
    pub max_findings: usize,
    /// Up to how many cases the passes are listed one by one; beyond, they are counted by scenario.
    pub max_cases: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_findings: 50, max_cases: 2_000 }
    }
}

#[derive(Template)]
#[template(path = "report.html", whitespace = "preserve")]
struct Report<'a> {
    policy: String,
    style: &'static str,
    script: &'static str,
    record: &'a RunRecord,
    outline: &'a Outline<'a>,
    client: String,
    spent: String,
    aside: String,
    consequent: String,
    caps: Vec<(&'a str, String)>,
    answer: (Mark, String),
    applicable: u64,
    links: Vec<(String, String, usize)>,
    parts: Vec<Part>,
    findings: Vec<FindingView<'a>>,
    more_findings: Vec<FindingView<'a>>,
    undecided: Vec<ReasonView<'a>>,
    profiles: Vec<ProfileView<'a>>,
    warnings: Vec<FindingView<'a>>,
    choices: Vec<ChoiceView<'a>>,
    scenarios: Vec<Scenario<'a>>,
    not_applicable: Vec<ReasonView<'a>>,
}

/// The page.
#[must_use]
pub fn render(record: &RunRecord, options: &Options) -> String {
    let outline = Outline::of(record);
    let n_full = outline.findings.len().min(options.max_findings);
    let (full, more) = outline.findings.split_at(n_full);
    let profiles: Vec<_> = record
        .profiles
        .iter()
        .enumerate()
        .map(|(at, profile)| ProfileView::new(record, profile, at))
        .collect();
    let reasons = |mark, reasons| view::reasons(mark, reasons);
    let report = Report {
        policy: policy(),
        style: STYLE,
        script: SCRIPT,
        record,
        client: text::name_and_version(&record.run.client),
        spent: format!(
            "{} for cases that lasted {}",
            text::wall_time(record),
            text::duration(outline.simulated_ms)
        ),
        aside: aside(record, &outline),
        consequent: text::count(outline.consequent, "further finding"),
        caps: record
            .run
            .caps
            .iter()
            .map(|(name, ms)| (name.as_str(), text::duration(*ms)))
            .collect(),
        answer: answer(record, &outline),
        applicable: applicable(&record.totals),
        links: links(record, &outline, &profiles),
        parts: view::parts(&record.totals),
        findings: full.iter().map(|group| FindingView::new(record, group, true)).collect(),
        more_findings: more.iter().map(|group| FindingView::new(record, group, false)).collect(),
        undecided: [
            reasons(Mark::ERROR, &outline.errors),
            reasons(Mark::INCONCLUSIVE, &outline.inconclusive),
        ]
        .concat(),
        warnings: outline
            .warnings
            .iter()
            .map(|group| FindingView::new(record, group, false))
            .collect(),
        choices: outline.choices.iter().map(ChoiceView::new).collect(),
        scenarios: view::scenarios(record, full, options.max_cases),
        not_applicable: reasons(Mark::NOT_APPLICABLE, &outline.not_applicable),
        profiles,
        outline: &outline,
    };
    // Formatting into a `String` cannot fail, and the templates call nothing that can.
    let page = report.render().unwrap_or_default();
    text::visible(&page, &['\n'])
}

/// The sections that the page has, with how much is in them.
fn links(
    record: &RunRecord,
    outline: &Outline<'_>,
    profiles: &[ProfileView<'_>],
) -> Vec<(String, String, usize)> {
    let mut links = vec![("findings".to_owned(), "Findings".to_owned(), outline.findings.len())];
    let n_undecided = [&outline.errors, &outline.inconclusive]
        .into_iter()
        .flatten()
        .map(|reason| reason.cases.len())
        .sum();
    if n_undecided > 0 {
        links.push(("undecided".to_owned(), "Not decided".to_owned(), n_undecided));
    }
    for profile in profiles {
        let of = if profiles.len() > 1 { format!(" of {}", profile.name) } else { String::new() };
        links.push((profile.grid_anchor.clone(), format!("Grid{of}"), profile.record.cells.len()));
        links.push((
            profile.coverage_anchor.clone(),
            format!("Coverage{of}"),
            profile.record.requirements.len(),
        ));
    }
    let n_not_applicable = outline.not_applicable.iter().map(|reason| reason.cases.len()).sum();
    for (anchor, title, n) in [
        ("warnings", "Warnings", outline.warnings.len()),
        ("choices", "Choices", outline.choices.len()),
        ("cases", "Cases", record.cases.len() - n_not_applicable),
        ("not-applicable", "Not applicable", n_not_applicable),
    ] {
        links.push((anchor.to_owned(), title.to_owned(), n));
    }
    links
}

/// What stands below the sum.
fn aside(record: &RunRecord, outline: &Outline<'_>) -> String {
    let totals = &record.totals;
    let mut told = vec![
        text::count_of(totals.warnings, "warning"),
        text::count(outline.choices.len(), "recorded choice"),
        text::count_of(totals.distinct_traces, "distinct trace"),
    ];
    if totals.flaky > 0 {
        told.push(text::count_of(totals.flaky, "flaky case"));
    }
    told.join(", ")
}

/// Nothing is fetched; of scripts and styles, only those of this page.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

#[cfg(test)]
mod tests;
