//! What GitHub and GitLab show beside a change: workflow commands, and a code quality report.
//!
//! Neither can be without a place. GitHub's commands are written without one, because a run record does not
//! say which file of a client is at fault. GitLab wants one, so it is told the scenario: its path in its suite,
//! which is its id and `.yaml`.
//!
//! Known failures are not told to GitHub, and are of severity `info` for GitLab. Not responsible for verdicts.
//!
//! Invariant: no text of a client ends a command or begins another; a fingerprint hangs on what is wrong and
//! on nothing else, so it is the same in the next run.

use crate::outline::{Group, Outline, Reason, answer};
use crate::text::{self, case_name, known_failures, visible};
use indexmap::IndexMap;
use serde::Serialize;
use sha2::{Digest, Sha256};
use stateline_core::profile::requirement::{Basis, Strictness};
use stateline_core::record::{CaseRecord, Finding, RunRecord};
use std::fmt::Write;

/// GitHub shows so many annotations of one level for a step.
const MOST: usize = 10;
/// Characters of a line; GitHub cuts an annotation at 4 KiB.
const LONGEST: usize = 1_000;

/// The title of an annotation, and its lines.
type Told = (String, Vec<String>);

/// Workflow commands, one a line: errors, then warnings, then the answer of the run as a notice.
#[must_use]
pub fn github(record: &RunRecord) -> String {
    let outline = Outline::of(record);
    let mut errors: Vec<Told> = Vec::new();
    for (case, finding, n) in outline.findings.iter().filter_map(Group::unexpected) {
        let title = format!("{} {}", finding.requirement, finding.row);
        let mut told = broken(finding, case, n);
        told.push(text::reproduce(record, case));
        errors.push((title, told));
    }
    errors.extend(outline.errors.iter().map(|reason| undecided("ERROR", reason)));
    if let Some(known) = record.known.as_ref().filter(|known| known.fails()) {
        errors.push((known.file.clone(), vec![known_failures(record.totals.known, known)]));
    }
    let mut warnings: Vec<Told> =
        outline.inconclusive.iter().map(|reason| undecided("INCONCLUSIVE", reason)).collect();
    for group in &outline.warnings {
        let title = format!("{} {}", group.finding.requirement, group.finding.row);
        warnings.push((title, broken(group.finding, group.case, group.cases.len())));
    }
    let mut out = String::new();
    commands(&mut out, "error", &errors);
    commands(&mut out, "warning", &warnings);
    let client = text::name_and_version(&record.run.client);
    command(&mut out, "notice", "stateline", &[client, answer(record, &outline).1]);
    out
}

fn broken(finding: &Finding, case: &CaseRecord, n: usize) -> Vec<String> {
    let Finding { expected, observed, .. } = finding;
    vec![format!("expected {expected}"), format!("observed {observed}"), in_cases(case, n)]
}

fn in_cases(first: &CaseRecord, n: usize) -> String {
    match n {
        1 => format!("in {}", case_name(first)),
        n => format!("in {n} cases, first in {}", case_name(first)),
    }
}

fn undecided(word: &str, reason: &Reason<'_>) -> Told {
    let told = reason.cases.first().map(|first| in_cases(first, reason.cases.len()));
    (word.to_owned(), std::iter::once(reason.reason.to_owned()).chain(told).collect())
}

/// The annotations of a level; the last one that is shown sums up those that are not.
fn commands(out: &mut String, level: &str, all: &[Told]) {
    let n_shown = if all.len() > MOST { MOST - 1 } else { all.len() };
    for (title, told) in &all[..n_shown] {
        command(out, level, title, told);
    }
    let rest: Vec<&str> = all[n_shown..].iter().map(|(title, _)| title.as_str()).collect();
    if !rest.is_empty() {
        command(out, level, &format!("and {} more", rest.len()), &[rest.join(", ")]);
    }
}

fn command(out: &mut String, level: &str, title: &str, told: &[String]) {
    let clean = |text: &str| visible(&text::shorten(text, LONGEST), &[]);
    let lines: Vec<String> = told.iter().map(|line| clean(line)).collect();
    let message = escape(&lines.join("\n"), &[]);
    let title = escape(&clean(title), &[':', ',']);
    // Writing into memory cannot fail.
    let _ = writeln!(out, "::{level} title={title}::{message}");
}

/// As the runner reads it back; `more` is what else means something there.
fn escape(text: &str, more: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '\r' | '\n') || more.contains(&c) {
            let _ = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// An issue of a code quality report.
#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// A code quality report as GitLab reads it: one issue for each row of a requirement that was broken, and one
/// for each reason for which cases of a scenario were not decided.
#[must_use]
pub fn gitlab(record: &RunRecord) -> String {
    let outline = Outline::of(record);
    let mut issues: Vec<Issue> = Vec::new();
    for (group, word) in outline
        .findings
        .iter()
        .map(|group| (group, "violates"))
        .chain(outline.warnings.iter().map(|group| (group, "deviates from")))
    {
        let (case, finding, n) =
            group.unexpected().unwrap_or((group.case, group.finding, group.cases.len()));
        let severity = match (finding.strictness, finding.basis) {
            _ if group.is_known() => "info",
            (Strictness::Must, Basis::Explicit) => "critical",
            (Strictness::Must, _) => "major",
            (Strictness::Should | Strictness::Open, _) => "minor",
        };
        let what = format!(
            "{word} {} (row {}): expected {}; observed {}; {}",
            finding.requirement,
            finding.row,
            finding.expected,
            finding.observed,
            in_cases(case, n)
        );
        let is = [case.profile.as_str(), word, &finding.requirement, &finding.row];
        issues.push(issue(case, &what, &finding.requirement, severity, &is));
    }
    let undecided = outline.errors.iter().map(|reason| (reason, "ERROR", "major"));
    let undecided = undecided
        .chain(outline.inconclusive.iter().map(|reason| (reason, "INCONCLUSIVE", "minor")));
    // What a reason says may change from run to run, so it is told and is in no fingerprint.
    let mut told: IndexMap<(&str, &str), (Issue, usize)> = IndexMap::new();
    for (reason, word, severity) in undecided {
        for case in &reason.cases {
            let scenario = scenario(case);
            let entry = told.entry((word, scenario)).or_insert_with(|| {
                let what = format!("{word}: {}; first in {}", reason.reason, case_name(case));
                (issue(case, &what, word, severity, &[word, scenario]), 0)
            });
            entry.1 += 1;
        }
    }
    issues.extend(told.into_values().map(|(mut issue, n)| {
        if n > 1 {
            issue.description = format!("{} ({n} cases)", issue.description);
        }
        issue
    }));
    // Texts and numbers can always be written.
    let mut text = serde_json::to_string_pretty(&issues).unwrap_or_default();
    text.push('\n');
    text
}

fn scenario(case: &CaseRecord) -> &str {
    case.id.split_once('[').map_or(case.id.as_str(), |(scenario, _)| scenario)
}

fn issue(case: &CaseRecord, what: &str, check: &str, severity: &'static str, is: &[&str]) -> Issue {
    Issue {
        description: visible(&text::shorten(what, LONGEST), &[]),
        check_name: check.to_owned(),
        fingerprint: fingerprint(is),
        severity,
        location: Location {
            path: visible(&format!("{}.yaml", scenario(case)), &[]),
            lines: Lines { begin: 1 },
        },
    }
}

fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{HOSTILE, large, sample};
    use serde_json::Value;
    use stateline_core::record::{Expected, Verdict};
    use std::collections::BTreeSet;

    /// A command as the runner reads it: level, properties, message.
    fn read(line: &str) -> (String, String, String) {
        let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (level, properties) = head.split_once(' ').unwrap();
        assert!(!properties.contains(','), "a second property: {properties}");
        let decoded = |text: &str, more: &[(&str, &str)]| {
            let pairs = more.iter().chain(&[("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]);
            pairs.fold(text.to_owned(), |text, (code, c)| text.replace(code, c))
        };
        let title = properties.strip_prefix("title=").unwrap();
        let title = decoded(title, &[("%3A", ":"), ("%2C", ",")]);
        (level.to_owned(), title, decoded(message, &[]))
    }

    fn commands_of(record: &RunRecord) -> Vec<(String, String, String)> {
        github(record).lines().map(read).collect()
    }

    fn n(commands: &[(String, String, String)], level: &str) -> usize {
        commands.iter().filter(|command| command.0 == level).count()
    }

    #[test]
    fn what_is_wrong_is_an_error_and_what_is_open_a_warning() {
        let commands = commands_of(&sample());
        let titles: Vec<_> =
            commands.iter().map(|(level, title, _)| format!("{level} {title}")).collect();
        assert_eq!(
            titles,
            [
                "error SR-CONN-02 C2",
                "error SR-STATE-04 otherwise",
                "error ERROR",
                "warning INCONCLUSIVE",
                "warning SR-STATE-05 never-repeat",
                "notice stateline",
            ]
        );
        let told = &commands[0].2;
        assert!(told.contains("observed no report of a state until 9.000 s\nin 3 cases, first in"));
        assert!(told.contains("\nstateline run 'sample-rtm/"), "{told}");
    }

    #[test]
    fn no_text_ends_a_command_or_begins_one() {
        let mut record = sample();
        let evil = "a\r\n::set-output name=x::y%0A::stop-commands::z,line=1:2%25";
        for case in &mut record.cases {
            for finding in &mut case.findings {
                finding.observed = evil.to_owned();
                finding.row = evil.into();
            }
            case.reason = case.reason.take().map(|_| evil.to_owned());
        }
        record.run.client.name = evil.to_owned();
        let commands = commands_of(&record);
        assert_eq!(commands.len(), commands_of(&sample()).len());
        let (_, title, told) = &commands[0];
        let shown = evil.replace('\r', "\\u{d}").replace('\n', "\\u{a}");
        assert_eq!(*title, format!("SR-CONN-02 {shown}"));
        assert!(told.contains(&shown), "{told}");
    }

    #[test]
    fn no_more_than_are_shown_and_the_rest_is_summed() {
        let commands = commands_of(&large(1_000));
        assert_eq!(n(&commands, "error"), MOST);
        // 80 rows.
        let last = &commands[MOST - 1];
        assert_eq!(last.1, "and 71 more");
        assert!(last.2.contains("SR-CONN-02 X"), "{last:?}");
        let exactly = |n: usize| {
            let mut record = large(7 * n);
            for (at, case) in record.cases.iter_mut().enumerate() {
                case.findings.iter_mut().for_each(|finding| finding.row = format!("X{at}").into());
            }
            commands_of(&record)
        };
        assert!(!exactly(MOST).iter().any(|command| command.1.starts_with("and ")));
        assert!(exactly(MOST + 1).iter().any(|command| command.1 == "and 2 more"));
    }

    /// Makes the case of this number a known failure.
    fn expect(record: &mut RunRecord, at: usize) {
        let reason = "known".to_owned();
        record.cases[at].expected = Some(Expected { entry: 1, reason, link: None });
    }

    #[test]
    fn known_failures_are_no_errors() {
        let mut record = sample();
        let failed: Vec<usize> = (0..record.cases.len())
            .filter(|at| record.cases[*at].verdict == Some(Verdict::Fail))
            .collect();
        expect(&mut record, failed[0]);
        let second = record.cases[failed[1]].id.clone();
        let told = commands_of(&record)[0].2.clone();
        assert!(told.contains(&format!("in 2 cases, first in {second}")), "{told}");
        failed.iter().for_each(|at| expect(&mut record, *at));
        assert!(!commands_of(&record).iter().any(|command| command.1.starts_with("SR-CONN-02")));
        let severities = |record: &RunRecord| -> Vec<String> {
            issues(record).iter().map(|issue| issue["severity"].as_str().unwrap().into()).collect()
        };
        assert_eq!(severities(&record)[..2], ["info", "info"]);
        assert_eq!(severities(&sample())[..2], ["critical", "major"]);
    }

    fn issues(record: &RunRecord) -> Vec<Value> {
        serde_json::from_str(&gitlab(record)).unwrap()
    }

    fn fingerprints(record: &RunRecord) -> Vec<String> {
        issues(record).iter().map(|issue| issue["fingerprint"].as_str().unwrap().into()).collect()
    }

    #[test]
    fn an_issue_has_what_gitlab_wants_and_its_fingerprint_stays() {
        let record = sample();
        for issue in issues(&record) {
            for key in ["description", "check_name", "fingerprint"] {
                assert!(!issue[key].as_str().unwrap().is_empty(), "{issue}");
            }
            let severity = issue["severity"].as_str().unwrap();
            assert!(["info", "minor", "major", "critical", "blocker"].contains(&severity));
            assert!(issue["location"]["path"].as_str().unwrap().ends_with(".yaml"));
            assert_eq!(issue["location"]["lines"]["begin"], 1);
            assert!(!issue["description"].as_str().unwrap().contains(HOSTILE));
        }
        let first = fingerprints(&record);
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), first.len(), "one stands twice");
        let mut again = record;
        again.run.seed = 99;
        again.run.wall.started = String::new();
        for case in &mut again.cases {
            case.findings.iter_mut().for_each(|finding| finding.observed.push('!'));
            case.reason = case.reason.take().map(|reason| reason + "!");
        }
        assert_eq!(fingerprints(&again), first);
        again.cases[2].findings[0].row = "C3".into();
        assert_ne!(fingerprints(&again), first);
    }

    #[test]
    fn a_green_run_has_no_issues() {
        assert_eq!(gitlab(&crate::sample::green()), "[]\n");
        assert_eq!(commands_of(&crate::sample::green()).len(), 1);
    }
}
