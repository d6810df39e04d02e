//! A case in full: what was expected and seen, how far the table explains it, and what happened.
//!
//! Not responsible for judging, nor for where the page places it. It stands inside an element that names
//! the case.
//!
//! Invariant: it needs nothing but the record, and holds no `id`, so that it can stand anywhere.

use super::anchor::{Anchors, href};
use super::key_events::{self, Line};
use super::markup::Markup;
use super::path::{Path, first_finding};
use super::timeline::{Detail, Timeline};
use crate::text::{self, Mark};
use askama::Template;
use stateline_core::profile::requirement::Requirement;
use stateline_core::record::{
    CaseRecord, Choice, Finding, Judgement, ProfileRecord, RowRecord, RunRecord, Verdict,
};
use stateline_core::trace::Event;

/// What a client said, at most: a page is for reading.
const MOST_TEXT: usize = 600;
/// Lines of stderr.
const MOST_LINES: usize = 20;

/// A case in full.
#[derive(Template)]
#[template(path = "case.html", whitespace = "minimize")]
pub(super) struct CaseView<'a> {
    case: &'a CaseRecord,
    mark: Mark,
    anchors: Anchors,
    path: Path,
    timeline: Option<Markup>,
    finding: Option<FindingView<'a>>,
    /// Findings after the first, as many as are told.
    further: Vec<&'a Finding>,
    n_further: usize,
    judged: Vec<(Mark, Vec<&'a str>)>,
    lines: Vec<Line<'a>>,
    several: bool,
    stderr: String,
    command: String,
    debug: Option<String>,
}

// The template escapes what is not markup of this crate.
impl askama::filters::HtmlSafe for CaseView<'_> {}

/// The first finding with what the document says.
struct FindingView<'a> {
    record: &'a Finding,
    expected: String,
    observed: String,
    requirement: Option<&'a Requirement>,
    row: Option<&'a RowRecord>,
    /// When the row applies.
    trigger: String,
    /// Its window.
    window: String,
}

/// Findings after the first that are told one by one.
const MOST_FURTHER: usize = 12;

impl<'a> CaseView<'a> {
    /// A case of a record.
    pub(super) fn new(record: &'a RunRecord, case: &'a CaseRecord) -> Self {
        let profile = record.profiles.iter().find(|profile| profile.id == case.profile);
        let detail = if case.verdict == Some(Verdict::Pass) { Detail::Small } else { Detail::Full };
        let first = first_finding(case);
        let path = Path::of(profile, case);
        let timeline = Timeline::of(case, path.departure.as_ref(), detail);
        let rest =
            case.findings.iter().filter(|one| !first.is_some_and(|it| std::ptr::eq(it, *one)));
        let further: Vec<&Finding> = rest.take(MOST_FURTHER).collect();
        let command = text::reproduce(record, case);
        // What is printed while it happens needs one case, and one repetition of it.
        let debug = (detail == Detail::Full && case.repeat == 0).then(|| debug(&command, case));
        let mut clients: Vec<&str> =
            case.trace.iter().filter_map(|event| event.client.as_deref()).collect();
        clients.sort_unstable();
        clients.dedup();
        Self {
            case,
            mark: Mark::of_case(case),
            anchors: Anchors::of(&record.profiles, &case.profile),
            timeline: timeline.map(|timeline| timeline.svg()),
            finding: first.map(|finding| FindingView::new(profile, finding)),
            n_further: case.findings.len().saturating_sub(1 + further.len()),
            further,
            judged: judged(case),
            lines: key_events::lines(case, path.departure.as_ref(), detail),
            several: clients.len() > 1,
            stderr: text::last_lines(&case.wall.stderr, MOST_LINES)
                .map(|line| text::shorten(line, MOST_TEXT))
                .collect::<Vec<_>>()
                .join("\n"),
            command,
            debug: debug.flatten(),
            path,
        }
    }

    fn passed(&self) -> bool {
        self.case.verdict == Some(Verdict::Pass)
    }

    fn requirement(&self, id: &str) -> String {
        href(&self.anchors.requirement(id))
    }

    fn row(&self, id: &str) -> String {
        href(&self.anchors.row(id))
    }

    /// Choices, each once.
    fn choices(&self) -> Vec<&'a Choice> {
        let mut told: Vec<&Choice> = Vec::new();
        for choice in &self.case.choices {
            if !told.iter().any(|have| have.row == choice.row && have.choice == choice.choice) {
                told.push(choice);
            }
        }
        told
    }
}

impl<'a> FindingView<'a> {
    fn new(profile: Option<&'a ProfileRecord>, finding: &'a Finding) -> Self {
        let row = profile.and_then(|profile| profile.rows.iter().find(|row| row.id == finding.row));
        let requirement = profile.and_then(|profile| {
            profile.requirements.iter().find(|one| one.id == finding.requirement)
        });
        Self {
            record: finding,
            expected: text::shorten(&finding.expected, MOST_TEXT),
            observed: text::shorten(&finding.observed, MOST_TEXT),
            requirement,
            row,
            trigger: row.map(trigger).unwrap_or_default(),
            window: row.map(window).unwrap_or_default(),
        }
    }
}

/// When a row applies, in words.
fn trigger(row: &RowRecord) -> String {
    let words = |list: &[smol_str::SmolStr]| list.join(" or ");
    match (row.from.is_empty(), row.on.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!("in {}", words(&row.from)),
        (true, false) => words(&row.on),
        (false, false) => format!("{}, in {}", words(&row.on), words(&row.from)),
    }
}

/// The window of a row, in words.
fn window(row: &RowRecord) -> String {
    match (row.after_ms, row.within_ms) {
        (None, None) => String::new(),
        (None, Some(within)) => format!("within {}", text::duration(within)),
        (Some(after), None) => format!("from {} on", text::duration(after)),
        (Some(after), Some(within)) => {
            format!("from {} on, within {}", text::duration(after), text::duration(within))
        }
    }
}

/// What was judged, the worst first. A pass does not tell what it left open and did not name.
fn judged(case: &CaseRecord) -> Vec<(Mark, Vec<&str>)> {
    let marks = [
        (Judgement::Violated, Mark { glyph: "✗", word: "violated", tone: "bad" }),
        (Judgement::Warned, Mark { glyph: "▲", word: "warned", tone: "warn" }),
        (Judgement::Undetermined, Mark { glyph: "?", word: "undetermined", tone: "doubt" }),
        (Judgement::Recorded, Mark::CHOICE),
        (Judgement::Satisfied, Mark { glyph: "✓", word: "satisfied", tone: "good" }),
    ];
    let of = |judgement| {
        let mine = case.requirements.iter().filter(move |one| one.judgement == judgement);
        mine.map(|one| one.id.as_str()).collect::<Vec<_>>()
    };
    let passed = case.verdict == Some(Verdict::Pass);
    let told =
        marks.into_iter().filter(|(judgement, _)| !passed || *judgement != Judgement::Undetermined);
    let all = told.map(|(judgement, mark)| (mark, of(judgement)));
    all.filter(|(_, ids)| !ids.is_empty()).collect()
}

/// The same command, with what happens printed while it does.
fn debug(command: &str, case: &CaseRecord) -> Option<String> {
    let word = command.strip_prefix("stateline run ")?;
    let plain = format!("'{}'", case.id);
    let quoted = if word.starts_with(&plain) { plain } else { text::shell_quote(&case.id) };
    let rest = word.strip_prefix(&quoted)?;
    Some(format!("stateline run --debug {quoted}{rest}"))
}

/// An event in a few words.
fn head(event: &Event) -> String {
    text::shorten(&text::event_head(event), 120)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::story::told;
    use crate::sample::{HOSTILE, sample};

    fn article(record: &RunRecord, case: &CaseRecord) -> String {
        CaseView::new(record, case).to_string()
    }

    #[test]
    fn a_case_that_failed() {
        let record = told();
        insta::assert_snapshot!(article(&record, &record.cases[0]).replace("><", ">\n<"));
    }

    #[test]
    fn a_pass_is_short() {
        let record = told();
        let pass = record.cases.iter().find(|case| case.verdict == Some(Verdict::Pass)).unwrap();
        let article = article(&record, pass);
        assert!(article.len() < 5_000, "{} bytes", article.len());
        for word in ["role=\"img\"", "satisfied", "stateline run", "Path"] {
            assert!(article.contains(word), "{word}: {article}");
        }
    }

    #[test]
    fn what_a_client_says_is_text_in_every_field() {
        let mut record = told();
        let mut case = record.cases[0].clone();
        case.reason = Some(HOSTILE.to_owned());
        case.wall.stderr = HOSTILE.to_owned();
        case.attempts.push(stateline_core::record::Attempt {
            verdict: Verdict::Fail,
            reason: Some(HOSTILE.to_owned()),
        });
        for finding in &mut case.findings {
            finding.observed = HOSTILE.to_owned();
            finding.expected = HOSTILE.to_owned();
            finding.client = HOSTILE.into();
        }
        case.warnings = case.findings.clone();
        for choice in &mut case.choices {
            choice.choice = HOSTILE.to_owned();
        }
        let story = case.story.as_mut().unwrap();
        for stay in &mut story.stays {
            (stay.state, stay.client) = (HOSTILE.into(), HOSTILE.into());
        }
        for wait in &mut story.waits {
            (wait.wanted, wait.client) = (HOSTILE.into(), HOSTILE.into());
        }
        for event in &mut case.trace {
            event.client = event.client.as_ref().map(|_| HOSTILE.into());
            event.data.values_mut().for_each(|value| *value = HOSTILE.into());
        }
        record.run.client.spec = HOSTILE.to_owned();
        let harmless = article(&record, &record.cases[0]);
        let hostile = article(&record, &case);
        assert!(!hostile.contains("<script") && !hostile.contains("<img"), "{hostile}");
        assert!(harmless.contains("<article") && hostile.contains("&#60;script&#62;"));
    }

    #[test]
    fn a_case_that_was_not_decided_says_what_it_awaited() {
        let record = sample();
        let told = record.cases.iter().find(|case| case.story.is_some());
        let mut case = told.unwrap().clone();
        case.verdict = Some(Verdict::Inconclusive);
        case.reason = Some("steering-missed".to_owned());
        case.findings.clear();
        for wait in &mut case.story.as_mut().unwrap().waits {
            (wait.ended, wait.by, wait.end) = (None, None, stateline_core::record::End::Open);
        }
        let article = article(&record, &case);
        assert!(
            article.contains("steering-missed") && article.contains("Still awaited at the end")
        );
    }

    #[test]
    fn the_case_can_be_watched_alone() {
        let record = told();
        let view = CaseView::new(&record, &record.cases[0]);
        let debug = view.debug.unwrap();
        let case = format!("'{}'", record.cases[0].id);
        assert!(debug.starts_with(&format!("stateline run --debug {case} --client ")), "{debug}");
        assert!(!debug[case.len() + 22..].contains(&case), "{debug}");
    }
}
