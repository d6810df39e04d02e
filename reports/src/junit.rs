//! JUnit XML, for whatever shows test results: GitHub actions, GitLab, Jenkins.
//!
//! A profile is a suite, so what holds for the whole run is told once. A case is a test; its class is its
//! scenario, with dots for slashes, because that is what all of them draw folders from. Its name begins with
//! the scenario's last word, because some show the name alone. Its id as `stateline run` takes it is the
//! property `case`.
//!
//! What is no pass is never green: FAIL is a failure, ERROR and INCONCLUSIVE are errors, because a test that
//! is only skipped passes everywhere. What was not applicable or not run is skipped, and so is a known
//! failure, with its reason. What makes the run fail and belongs to no case (it was interrupted, nothing was
//! judged, an entry of the list of known failures does not hold) is a test of its own in the suite
//! `stateline`, which is not there when all is well.
//!
//! `time` is seconds of the machine; how long a case lasted in its own time is the property `simulated_ms`.
//!
//! Not responsible for files, and not for verdicts. Invariant: without that last suite there are as many
//! tests as the record has planned, and the counts of the file are those of the record's totals.

use crate::terminal::profile_name;
use crate::text::{self, case_name};
use indexmap::IndexSet;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};
use smol_str::SmolStr;
use stateline_core::record::{CaseRecord, Finding, ProfileRecord, RunRecord, Verdict};
use std::time::Duration;

/// Lines of stderr that go with a test that is not green.
const MOST_LINES: usize = 100;
/// Characters of a text of a client.
const MOST: usize = 2_000;

/// The file.
#[must_use]
pub fn render(record: &RunRecord) -> String {
    let mut report = Report::new("stateline");
    report.timestamp = record.run.wall.started.parse().ok();
    report.set_time(Duration::from_millis(record.run.wall.ms));
    let ids: IndexSet<&SmolStr> = record.cases.iter().map(|case| &case.profile).collect();
    for id in ids {
        report.add_test_suite(suite(record, id));
    }
    let troubles = troubles(record);
    if !troubles.is_empty() {
        let mut suite = TestSuite::new("stateline");
        suite.add_test_cases(troubles);
        report.add_test_suite(suite);
    }
    // Writing into memory cannot fail, and only UTF-8 is written.
    report.to_string().unwrap_or_default()
}

/// A text as XML can hold it: what cannot be seen, or cannot be in XML at all, is shown as an escape.
fn clean(shown: &str) -> String {
    let shown = text::visible(&text::shorten(shown, MOST), &['\n', '\t']);
    shown.replace('\u{fffe}', "\\u{fffe}").replace('\u{ffff}', "\\u{ffff}")
}

/// The same in one line.
fn line(shown: &str) -> String {
    clean(&shown.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn suite(record: &RunRecord, id: &SmolStr) -> TestSuite {
    let profile = record.profiles.iter().find(|profile| profile.id == *id);
    let mut suite = TestSuite::new(line(&profile.map_or_else(|| id.to_string(), profile_name)));
    let run = &record.run;
    let facts = [
        ("client", run.client.name.clone()),
        ("client_version", run.client.version.clone()),
        ("client_spec", run.client.spec.clone()),
        ("stateline", run.version.to_string()),
        ("time", run.time.to_string()),
        ("seed", run.seed.to_string()),
        ("slack_ms", run.slack_ms.to_string()),
        ("strict", run.strict.to_string()),
    ];
    suite.add_properties(facts.map(|(name, value)| (name.to_owned(), line(&value))));
    if let Some(ProfileRecord { variant, document, .. }) = profile {
        let facts = [
            ("profile", id.as_str()),
            ("variant", variant.as_deref().unwrap_or("none")),
            ("document", document.title.as_str()),
            ("document_product", document.product.as_str()),
            ("document_platform", document.platform.as_str()),
            ("document_updated", document.updated.as_str()),
        ];
        suite.add_properties(facts.map(|(name, value)| (name.to_owned(), line(value))));
    }
    let mine = record.cases.iter().filter(|case| case.profile == *id);
    let mut ms = 0.0;
    for case in mine {
        ms += case.wall.ms;
        suite.add_test_case(test(record, case));
    }
    suite.set_time(seconds(ms));
    suite
}

fn seconds(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or_default()
}

fn test(record: &RunRecord, case: &CaseRecord) -> TestCase {
    let scenario = case.id.split_once('[').map_or(case.id.as_str(), |(scenario, _)| scenario);
    let from = scenario.rfind('/').map_or(0, |at| at + 1);
    let name = &case_name(case)[from..];
    let mut test = TestCase::new(line(name), status(record, case));
    test.set_classname(line(&scenario.replace('/', ".")));
    test.set_time(seconds(case.wall.ms));
    test.add_property(("case", line(&case.id).as_str()));
    test.add_property(("simulated_ms", case.simulated_ms.to_string().as_str()));
    let not_green = !matches!(case.verdict, None | Some(Verdict::Pass));
    if not_green && !case.wall.stderr.is_empty() {
        let lines: Vec<String> =
            text::last_lines(&case.wall.stderr, MOST_LINES).map(clean).collect();
        test.set_system_err(lines.join("\n"));
    }
    test
}

fn status(record: &RunRecord, case: &CaseRecord) -> TestCaseStatus {
    let mut status = match (case.verdict, &case.expected) {
        (Some(Verdict::Pass), _) => TestCaseStatus::success(),
        (Some(Verdict::Fail), Some(known)) => {
            let link = known.link.as_ref().map(|link| format!(" ({link})")).unwrap_or_default();
            skipped(&format!("known failure: {}{link}", known.reason), Some(story(record, case)))
        }
        (Some(Verdict::Fail), None) => {
            let first = case.findings.first();
            let kind = first.map_or("FAIL", |first| first.requirement.as_str());
            let message = first.map_or_else(String::new, in_a_line);
            unsuccessful(NonSuccessKind::Failure, kind, &message, story(record, case))
        }
        (Some(verdict @ (Verdict::Error | Verdict::Inconclusive)), _) => {
            let reason = case.reason.as_deref().unwrap_or("no reason given");
            let told = story(record, case);
            unsuccessful(NonSuccessKind::Error, verdict.as_str(), reason, told)
        }
        (None, _) => match &case.not_applicable {
            Some(why) => skipped(&format!("not applicable: {why}"), None),
            None => skipped("not run", None),
        },
    };
    if case.verdict.is_some() && !matches!(status, TestCaseStatus::Skipped { .. }) {
        status.add_reruns(case.attempts.iter().map(|attempt| {
            let kind = match attempt.verdict {
                Verdict::Fail => NonSuccessKind::Failure,
                _ => NonSuccessKind::Error,
            };
            let mut rerun = TestRerun::new(kind);
            rerun.set_type(attempt.verdict.as_str());
            rerun.set_message(line(attempt.reason.as_deref().unwrap_or("no reason given")));
            rerun
        }));
    }
    status
}

fn skipped(message: &str, body: Option<String>) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(line(message));
    if let Some(body) = body {
        status.set_description(body);
    }
    status
}

fn unsuccessful(kind: NonSuccessKind, ty: &str, message: &str, body: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(line(ty)).set_message(line(message)).set_description(body);
    status
}

fn in_a_line(finding: &Finding) -> String {
    format!("expected {}; observed {}", finding.expected, finding.observed)
}

/// What is to be known about a case that is not green.
fn story(record: &RunRecord, case: &CaseRecord) -> String {
    let mut told: Vec<String> = Vec::new();
    let profile = record.profiles.iter().find(|profile| profile.id == case.profile);
    for finding in case.findings.iter().filter(|finding| !finding.consequent) {
        let requirement = profile.and_then(|profile| {
            profile.requirements.iter().find(|known| known.id == finding.requirement)
        });
        let section = requirement.map_or("", |requirement| requirement.section.as_str());
        let (from, to) = finding.trace;
        told.push(format!(
            "{} · {} {} · row {} · section “{section}”",
            finding.requirement,
            finding.strictness.as_str(),
            finding.basis.as_str(),
            finding.row
        ));
        told.extend(requirement.map(|requirement| requirement.text.clone()));
        told.push(format!("expected  {}", finding.expected));
        told.push(format!("observed  {}", finding.observed));
        let when = text::instant(finding.at);
        told.push(format!("when      {when} at {}, events {from} to {to}", finding.client));
    }
    let consequent = case.findings.iter().filter(|finding| finding.consequent).count();
    if consequent > 0 {
        told.push(format!("and {} that may follow", text::count(consequent, "further finding")));
    }
    told.push(format!("again     {}", text::reproduce(record, case)));
    let told: Vec<String> = told.iter().map(|told| clean(told)).collect();
    told.join("\n")
}

/// What makes the run fail and belongs to no case.
fn troubles(record: &RunRecord) -> Vec<TestCase> {
    let mut troubles = Vec::new();
    let mut add = |name: &str, kind, ty: &str, message: &str| {
        let mut test = TestCase::new(line(name), unsuccessful(kind, ty, message, String::new()));
        test.set_classname("stateline");
        test.set_time(Duration::ZERO);
        troubles.push(test);
    };
    let totals = &record.totals;
    if record.interrupted {
        let message =
            format!("it was ended before {} were run", text::count_of(totals.not_run, "case"));
        add("interrupted", NonSuccessKind::Error, "interrupted", &message);
    }
    if totals.pass + totals.fail + totals.inconclusive + totals.error == 0 {
        let message = "no case was judged, so nothing is known of the client";
        add("nothing judged", NonSuccessKind::Error, "nothing-to-run", message);
    }
    let known = record.known.iter();
    for entry in
        known.clone().flat_map(|known| &known.entries).filter(|entry| entry.standing.fails())
    {
        let file = known.clone().next().map_or("", |known| known.file.as_str());
        let name = format!("{file} line {}: {}", entry.line, entry.cases);
        let standing = entry.standing.as_str();
        let message = format!("this entry of known failures is {standing}: {}", entry.reason);
        add(&name, NonSuccessKind::Failure, standing, &message);
    }
    troubles
}

#[cfg(test)]
mod tests;
