//! The conformance report: one self-contained file for whoever must decide whether a build ships.
//!
//! The markup stands in `templates/`, look and behaviour in `assets/`; this fills them:
//!
//! - `front`: what follows from the answer;
//! - `view`: findings, reasons and choices;
//! - `grid`: the documented grid and its rows;
//! - `requirements`: the catalogue, what each scenario says of it, and the known faults;
//! - `cases`: a line for each case;
//! - `anchor`: where things stand, and the links that lead there.
//!
//! Not responsible for files, and not for verdicts.
//!
//! Invariant: the page fetches nothing and runs nothing but the script that is part of it; each
//! text of a client is escaped, and no character in it can hide or reorder what stands around it.

mod anchor;
mod axis;
mod case;
mod cases;
mod diagram;
mod fold;
mod front;
mod grid;
mod key_events;
mod lanes;
mod markup;
pub(crate) mod path;
mod requirements;
mod scene;
mod timeline;
mod view;

use crate::outline::{Outline, answer, applicable};
use crate::text::{self, Mark};
use crate::trace_slice::Line;
use anchor::{Anchors, href};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cases::{Aim, Scenario};
use front::KnownView;
use grid::Grid;
use markup::Markup;
use requirements::Catalogue;
use sha2::{Digest, Sha256};
use stateline_core::record::{Conflict, ProfileRecord, RunRecord};
use view::{ChoiceView, FindingView, Part, ReasonView, RequirementLink};

const STYLE: &str =
    concat!(include_str!("../../assets/report.css"), include_str!("../../assets/figures.css"));
const SCRIPT: &str = include_str!("../../assets/report.js");

/// The name of a client, at most.
const MOST_NAME: usize = 160;
/// A note, at most.
const MOST_NOTE: usize = 600;

/// How much to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Findings told in full; the rest is listed.
    pub max_findings: usize,
    /// Cases told in full that did not pass, and as many that did; the rest is listed.
    pub max_told: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_findings: 50, max_told: 300 }
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
    advice: String,
    caveats: Vec<String>,
    notes: Vec<String>,
    consequent: String,
    caps: Vec<(&'a str, String)>,
    answer: (Mark, String),
    applicable: u64,
    longest: Option<String>,
    links: Vec<Link>,
    parts: Vec<Part>,
    coverage: Vec<(usize, Mark)>,
    findings: Vec<FindingView<'a>>,
    more_findings: Vec<FindingView<'a>>,
    undecided: Vec<ReasonView<'a>>,
    known: Vec<KnownView<'a>>,
    profiles: Vec<ProfileView<'a>>,
    warnings: Vec<FindingView<'a>>,
    choices: Vec<ChoiceView<'a>>,
    aims: Vec<Aim>,
    scenarios: Vec<Scenario<'a>>,
    not_applicable: Vec<ReasonView<'a>>,
}

/// A section of the page, with how much is in it.
struct Link {
    href: String,
    title: &'static str,
    n: Option<usize>,
    /// The contract that it is of, where there are several.
    of: Option<String>,
    /// It is the first of its contract, or of the whole run again, in a row.
    first: bool,
}

/// A contract with what was seen of it.
struct ProfileView<'a> {
    record: &'a ProfileRecord,
    name: String,
    digest: &'a str,
    anchors: Anchors,
    grid: Grid<'a>,
    diagram: Markup,
    catalogue: Catalogue<'a>,
    conflicts: Vec<ConflictView<'a>>,
}

/// Where a document contradicts itself or leaves a gap.
struct ConflictView<'a> {
    conflict: &'a Conflict,
    rows: Vec<(&'a str, String)>,
    requirements: Vec<RequirementLink<'a>>,
}

impl<'a> ProfileView<'a> {
    fn new(record: &'a RunRecord, profile: &'a ProfileRecord, at: usize) -> Self {
        let anchors = Anchors::new(at);
        let conflict = |conflict: &'a Conflict| ConflictView {
            conflict,
            rows: conflict.rows.iter().map(|id| (id.as_str(), href(&anchors.row(id)))).collect(),
            requirements: view::requirement_links(profile, anchors, &conflict.requirements),
        };
        Self {
            record: profile,
            name: crate::terminal::profile_name(profile),
            digest: profile.digest.get(..12).unwrap_or(&profile.digest),
            anchors,
            grid: Grid::new(profile, anchors),
            diagram: diagram::figure(profile),
            catalogue: Catalogue::new(record, profile, anchors),
            conflicts: profile.conflicts.iter().map(conflict).collect(),
        }
    }
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
    let reasons = |mark, reasons| view::reasons(record, mark, reasons);
    let mut undecided = reasons(Mark::ERROR, &outline.errors);
    undecided.extend(reasons(Mark::INCONCLUSIVE, &outline.inconclusive));
    let report = Report {
        policy: policy(),
        style: STYLE,
        script: SCRIPT,
        record,
        client: text::shorten(&text::name_and_version(&record.run.client), MOST_NAME),
        spent: format!(
            "{} for cases that lasted {}",
            text::wall_time(record),
            text::duration(outline.simulated_ms)
        ),
        aside: front::aside(record, &outline),
        advice: front::advice(record, &outline),
        caveats: front::caveats(record),
        notes: record.run.wall.notes.iter().map(|note| text::shorten(note, MOST_NOTE)).collect(),
        consequent: text::count(outline.consequent, "further finding"),
        caps: record
            .run
            .caps
            .iter()
            .map(|(name, ms)| (name.as_str(), text::duration(*ms)))
            .collect(),
        answer: answer(record, &outline),
        applicable: applicable(&record.totals),
        longest: record.run.max_length_ms.map(text::duration),
        links: links(record, &outline, &profiles),
        parts: view::parts(&record.totals),
        coverage: requirements::coverage_line(record),
        findings: full.iter().map(|group| FindingView::new(record, group, true)).collect(),
        more_findings: more.iter().map(|group| FindingView::new(record, group, false)).collect(),
        undecided,
        known: front::known(record),
        warnings: outline
            .warnings
            .iter()
            .map(|group| FindingView::new(record, group, false))
            .collect(),
        choices: outline.choices.iter().map(|one| ChoiceView::new(record, one)).collect(),
        aims: cases::aims(&record.profiles),
        scenarios: cases::scenarios(record, options.max_told),
        not_applicable: reasons(Mark::NOT_APPLICABLE, &outline.not_applicable),
        profiles,
        outline: &outline,
    };
    // Formatting into a `String` cannot fail, and the templates call nothing that can.
    let page = report.render().unwrap_or_default();
    text::visible(&page, &['\n'])
}

/// The sections that the page has, with how much is in them.
fn links(record: &RunRecord, outline: &Outline<'_>, profiles: &[ProfileView<'_>]) -> Vec<Link> {
    let link =
        |anchor: &str, title, n| Link { href: href(anchor), title, n, of: None, first: false };
    let n_cases = |reasons: &[crate::outline::Reason<'_>]| {
        reasons.iter().map(|reason| reason.cases.len()).sum::<usize>()
    };
    let of_each = |sections: fn(&ProfileView<'_>) -> Vec<(&'static str, &'static str, usize)>| {
        let mut links = Vec::new();
        for profile in profiles {
            let some = sections(profile).into_iter().filter(|(.., n)| *n > 0);
            links.extend(some.enumerate().map(|(at, (section, title, n))| Link {
                of: (profiles.len() > 1).then(|| profile.name.clone()),
                first: at == 0,
                ..link(&profile.anchors.section(section), title, Some(n))
            }));
        }
        links
    };
    let mut links = vec![
        link("answer", "Answer", None),
        link("findings", "Findings", Some(outline.findings.len())),
    ];
    let n_undecided = n_cases(&outline.errors) + n_cases(&outline.inconclusive);
    if n_undecided > 0 {
        links.push(link("undecided", "Not decided", Some(n_undecided)));
    }
    if let Some(known) = &record.known {
        links.push(link("known", "Known failures", Some(known.entries.len())));
    }
    links.extend(of_each(|profile| {
        vec![
            ("grid", "Grid", profile.record.cells.len()),
            ("diagram", "Diagram", profile.record.transitions.len()),
            ("rows", "Rows", profile.record.rows.len()),
            ("coverage", "Requirements", profile.record.requirements.len()),
            ("matrix", "By scenario", profile.catalogue.matrix.columns.len()),
        ]
    }));
    let n_not_applicable = n_cases(&outline.not_applicable);
    for (anchor, title, n) in [
        ("cases", "Cases", record.cases.len() - n_not_applicable),
        ("not-applicable", "Not applicable", n_not_applicable),
        ("warnings", "Warnings", outline.warnings.len()),
        ("choices", "Choices", outline.choices.len()),
    ] {
        let first = anchor == "cases" && profiles.len() > 1;
        links.push(Link { first, ..link(anchor, title, Some(n)) });
    }
    links.extend(of_each(|profile| {
        vec![
            ("conflicts", "Conflicts", profile.conflicts.len()),
            ("defects", "Known faults", profile.record.defects.len()),
        ]
    }));
    links
}

/// Day and time of day at which a run started, by the clock of its record.
fn moment(record: &RunRecord) -> Option<(&str, String)> {
    let (day, time) = record.run.wall.started.split_once('T')?;
    let zone = if time.ends_with('Z') { " UTC" } else { "" };
    let time = time.split(['.', 'Z']).next()?;
    Some((day, format!("{time}{zone}")))
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
