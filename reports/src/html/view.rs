//! What several templates show, prepared so that they only have to place it.
//!
//! Not responsible for markup but for that of marks, nor for escaping: the templates escape.
//!
//! Invariant: what is marked as safe markup is put together from constants of this crate alone.

use super::anchor::{Anchors, CaseLink, href};
use crate::outline::{Chosen, Group, Reason};
use crate::text::{self, Mark};
use crate::trace_slice::{self, Line};
use askama::filters::HtmlSafe;
use stateline_core::profile::requirement::{Basis, Requirement, Strictness};
use stateline_core::record::{CaseRecord, ProfileRecord, RunRecord, Totals};
use std::fmt::{self, Display};

/// What a client said, at most: a page is for reading.
pub(super) const MOST_TEXT: usize = 600;
/// Links to cases in one list.
const MOST_LINKS: usize = 30;

/// A mark as markup.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Badge(pub(crate) Mark);

impl Display for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark { glyph, word, tone } = self.0;
        write!(f, "<span class=\"mark {tone}\"><i aria-hidden=\"true\">{glyph}</i> {word}</span>")
    }
}

impl HtmlSafe for Badge {}

/// What a breach costs and how the document carries it, in words: one never stands without the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Force(pub(crate) Strictness, pub(crate) Basis);

impl Display for Force {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (strictness, basis) = (self.0.as_str(), self.1.as_str());
        write!(f, "<span class=\"force {basis}\"><b>{strictness}</b> {basis}</span>")
    }
}

impl HtmlSafe for Force {}

/// How the document carries a requirement, in a letter: where there is no room for the word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letter(pub(super) Basis);

impl Letter {
    pub(super) const ALL: [Self; 4] =
        [Self(Basis::Explicit), Self(Basis::Implied), Self(Basis::Erratum), Self(Basis::Advice)];

    pub(super) const fn word(self) -> &'static str {
        match self.0 {
            Basis::Explicit => "explicit: the document says it",
            Basis::Implied => "implied: it follows from the document",
            Basis::Erratum => "erratum: the document slipped",
            Basis::Advice => "advice to the application",
        }
    }
}

impl Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.0 {
            Basis::Explicit => "E",
            Basis::Implied => "I",
            Basis::Erratum => "Er",
            Basis::Advice => "A",
        };
        write!(f, "<abbr title=\"{}\">{letter}</abbr>", self.0.as_str())
    }
}

impl HtmlSafe for Letter {}

/// A link to a requirement that says how the document carries it.
pub(crate) struct RequirementLink<'a> {
    pub(crate) id: &'a str,
    /// `None` where the catalogue does not hold it, as for the letter.
    pub(crate) href: Option<String>,
    pub(super) letter: Option<Letter>,
}

impl<'a> RequirementLink<'a> {
    pub(super) fn new(profile: &ProfileRecord, anchors: Anchors, id: &'a str) -> Self {
        let known = profile.requirements.iter().find(|requirement| requirement.id == *id);
        Self {
            id,
            href: known.map(|_| href(&anchors.requirement(id))),
            letter: known.map(|requirement| Letter(requirement.basis)),
        }
    }
}

pub(super) fn requirement_links<'a, T: AsRef<str>>(
    profile: &ProfileRecord,
    anchors: Anchors,
    ids: &'a [T],
) -> Vec<RequirementLink<'a>> {
    ids.iter().map(|id| RequirementLink::new(profile, anchors, id.as_ref())).collect()
}

/// One summand of what was planned.
pub(super) struct Part {
    pub(super) mark: Mark,
    pub(super) key: &'static str,
    pub(super) start: u64,
    pub(super) n: u64,
    /// How many of them a list expects.
    pub(super) known: u64,
}

pub(super) fn parts(totals: &Totals) -> Vec<Part> {
    let mut start = 0;
    let parts = [
        (Mark::PASS, "pass", totals.pass, 0),
        (Mark::FAIL, "fail", totals.fail, totals.known),
        (Mark::INCONCLUSIVE, "inconclusive", totals.inconclusive, 0),
        (Mark::ERROR, "error", totals.error, 0),
        (Mark::NOT_APPLICABLE, "not-applicable", totals.not_applicable, 0),
        (Mark::NOT_RUN, "not-run", totals.not_run, 0),
    ];
    let part = |(mark, key, n, known)| {
        start += n;
        Part { mark, key, start: start - n, n, known }
    };
    parts.into_iter().map(part).collect()
}

/// A group of findings or warnings.
pub(super) struct FindingView<'a> {
    pub(super) group: &'a Group<'a>,
    pub(super) requirement: Option<&'a Requirement>,
    pub(super) requirement_href: Option<String>,
    pub(super) row_href: Option<String>,
    pub(super) force: Force,
    pub(super) expected: String,
    pub(super) observed: String,
    pub(super) first: CaseLink,
    pub(super) command: String,
    pub(super) others: Vec<CaseLink>,
    pub(super) n_more: usize,
    pub(super) lines: Vec<Line<'a>>,
    /// Why it is expected, in how many of its cases.
    pub(super) known: Vec<(String, usize)>,
    pub(super) decided_href: String,
}

impl<'a> FindingView<'a> {
    pub(super) fn new(record: &'a RunRecord, group: &'a Group<'a>, full: bool) -> Self {
        let others = group.cases.get(1..).unwrap_or_default();
        let links = if full { others.len().min(MOST_LINKS) } else { 0 };
        let anchors = Anchors::of(&record.profiles, &group.case.profile);
        let finding = group.finding;
        let mut known = indexmap::IndexMap::<&str, usize>::new();
        for expected in group.cases.iter().filter_map(|case| case.expected.as_ref()) {
            *known.entry(&expected.reason).or_default() += 1;
        }
        Self {
            group,
            requirement: group.requirement,
            requirement_href: group.requirement.map(|one| href(&anchors.requirement(&one.id))),
            row_href: group.row.map(|row| href(&anchors.row(&row.id))),
            force: Force(finding.strictness, finding.basis),
            expected: text::shorten(&finding.expected, MOST_TEXT),
            observed: text::shorten(&finding.observed, MOST_TEXT),
            first: CaseLink::new(group.case),
            command: if full { text::reproduce(record, group.case) } else { String::new() },
            others: others.iter().take(links).map(|case| CaseLink::new(case)).collect(),
            n_more: others.len() - links,
            lines: if full { trace_slice::slice(group.case, finding) } else { Vec::new() },
            known: known.into_iter().map(|(why, n)| (text::shorten(why, MOST_TEXT), n)).collect(),
            decided_href: href(&anchors.decided(&finding.requirement)),
        }
    }
}

/// A reason with its cases.
pub(super) struct ReasonView<'a> {
    pub(super) badge: Badge,
    pub(super) reason: String,
    /// What to do about it.
    pub(super) advice: &'static str,
    pub(super) n: usize,
    pub(super) first: CaseLink,
    pub(super) names: Vec<String>,
    /// The last that was written to stderr in the first case.
    pub(super) stderr: String,
    pub(super) command: String,
    /// What the cases named and did not decide.
    pub(super) open: Vec<RequirementLink<'a>>,
}

pub(super) fn reasons<'a>(
    record: &'a RunRecord,
    mark: Mark,
    reasons: &[Reason<'a>],
) -> Vec<ReasonView<'a>> {
    let view = |reason: &Reason<'a>| {
        // A group is made with its first case.
        let first = *reason.cases.first()?;
        Some(ReasonView {
            badge: Badge(mark),
            reason: text::shorten(reason.reason, MOST_TEXT),
            advice: advice(mark, reason.reason),
            n: reason.cases.len(),
            first: CaseLink::new(first),
            names: reason.cases.iter().take(200).map(|case| text::case_name(case)).collect(),
            stderr: text::shorten(
                &text::last_lines(&first.wall.stderr, 20).collect::<Vec<_>>().join("\n"),
                4_000,
            ),
            command: text::reproduce(record, first),
            open: open(record, first),
        })
    };
    reasons.iter().filter_map(view).collect()
}

/// What a case named and did not decide.
fn open<'a>(record: &'a RunRecord, case: &'a CaseRecord) -> Vec<RequirementLink<'a>> {
    use stateline_core::record::Judgement::Undetermined;
    let Some(profile) = record.profiles.iter().find(|profile| profile.id == case.profile) else {
        return Vec::new();
    };
    let anchors = Anchors::of(&record.profiles, &case.profile);
    let open = case.requirements.iter().filter(|one| one.named && one.judgement == Undetermined);
    let known = open.filter(|one| profile.requirements.iter().any(|known| known.id == one.id));
    known.map(|one| RequirementLink::new(profile, anchors, &one.id)).collect()
}

/// What the reasons of undecided cases begin with, and what to do then.
const ADVICE: [(&str, &str); 13] = [
    (
        "steering-missed",
        "The script waited for something that no requirement demands there. Look at the timeline: either the client takes another way that the document allows, or it needs more time (--cap, --max-length).",
    ),
    (
        "undetermined",
        "The case was over before what it names was decided. Play it alone with --debug, and look for what did not happen.",
    ),
    (
        "harness-stalled",
        "The machine was too slow to tell whether the client was late. Run again with less load (--jobs), or grant more with --slack.",
    ),
    (
        "too-many-configurations",
        "The trace has more readings than the table can follow. Nothing is said of the client; a shorter case of the same scenario tells more.",
    ),
    (
        "lab-violation",
        "The server of stateline broke its own duty. Nothing is said of the client: report it to the maintainers of stateline.",
    ),
    (
        "adapter-cannot-start",
        "The adapter did not start: check the words of --client, and run it by hand with the same words.",
    ),
    (
        "adapter-died",
        "The adapter ended in the middle of a case: stderr has its last words, and stateline doctor plays it alone.",
    ),
    (
        "adapter-hung",
        "The adapter did not answer: a lock, a wait on a real clock, or an answer that was not flushed. stateline doctor says which.",
    ),
    (
        "adapter-not-idle",
        "The adapter has timers that it does not tell of. Mend that before any FAIL of it is trusted.",
    ),
    (
        "never-idle",
        "Time cannot go on: a timer fires again and again at one instant. The adapter's clock does not follow the harness.",
    ),
    ("flood", "Something is done again and again, often in one turn: a reconnect without a pause."),
    (
        "adapter-flood",
        "The adapter tells more than any client needs to: a callback that calls itself, or a reconnect without a pause.",
    ),
    ("interrupted", "The run was stopped before this case was over. Run it again."),
];

fn advice(mark: Mark, reason: &str) -> &'static str {
    let kind = reason.split(':').next().unwrap_or_default();
    if let Some((_, advice)) = ADVICE.iter().find(|(id, _)| *id == kind) {
        return advice;
    }
    match mark {
        Mark::ERROR => {
            "The harness or the adapter failed. Look at stderr, and run stateline doctor with the same --client."
        }
        Mark::INCONCLUSIVE => "Play the case alone with --debug, and look for what did not happen.",
        _ => "",
    }
}

/// Choices that are alike.
pub(super) struct ChoiceView<'a> {
    pub(super) row: &'a str,
    pub(super) row_href: Option<String>,
    pub(super) title: Option<&'a str>,
    pub(super) choice: String,
    pub(super) requirement: Option<RequirementLink<'a>>,
    pub(super) n: usize,
    pub(super) first: Option<CaseLink>,
}

impl<'a> ChoiceView<'a> {
    pub(super) fn new(record: &'a RunRecord, chosen: &Chosen<'a>) -> Self {
        let first = chosen.cases.first();
        let anchors =
            first.map_or(Anchors::new(0), |case| Anchors::of(&record.profiles, &case.profile));
        let profile = first
            .and_then(|case| record.profiles.iter().find(|profile| profile.id == case.profile));
        let requirement = chosen.choice.requirement.as_deref().zip(profile);
        Self {
            row: &chosen.choice.row,
            row_href: chosen.row.map(|row| href(&anchors.row(&row.id))),
            title: chosen.row.map(|row| row.title.as_str()),
            choice: text::shorten(&chosen.choice.choice, MOST_TEXT),
            requirement: requirement
                .map(|(id, profile)| RequirementLink::new(profile, anchors, id)),
            n: chosen.cases.len(),
            first: first.map(|case| CaseLink::new(case)),
        }
    }
}
