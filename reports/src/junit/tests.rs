//! What must hold of every file.
//!
//! Not responsible for the words in it. Invariant: the checks read the file with an XML reader and hold it
//! against the shape that is published for JUnit files, and against the record.

use super::*;
use crate::sample::{count, green, large, sample};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use stateline_core::record::{
    Attempt, Expected, KnownFailure, KnownFailures, RunRecord, Standing, Totals,
};
use std::collections::BTreeMap;

/// An element: its name, attributes, children and text.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Self>,
    text: String,
}

impl Element {
    fn begin(tag: &BytesStart<'_>) -> Self {
        let name = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
        let attributes = tag.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
            let value = String::from_utf8(attribute.value.to_vec()).unwrap();
            (key, quick_xml::escape::unescape(&value).unwrap().into_owned())
        });
        Self { name, attributes: attributes.collect(), ..Self::default() }
    }

    fn all(&self, name: &str) -> Vec<&Self> {
        self.children.iter().filter(|child| child.name == name).collect()
    }

    fn n(&self, attribute: &str) -> usize {
        self.attributes[attribute].parse().unwrap()
    }

    /// The tests with a child of this name.
    fn with(&self, name: &str) -> usize {
        self.all("testcase").iter().filter(|test| !test.all(name).is_empty()).count()
    }
}

fn read(text: &str) -> Element {
    let legal = |c: char| matches!(c, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(legal), "a character that XML cannot hold");
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => open.push(Element::begin(&tag)),
            Event::Empty(tag) => open.last_mut().unwrap().children.push(Element::begin(&tag)),
            Event::End(_) => {
                let ended = open.pop().unwrap();
                open.last_mut().unwrap().children.push(ended);
            }
            Event::Text(text) => open.last_mut().unwrap().text.push_str(&text.decode().unwrap()),
            Event::GeneralRef(name) => {
                let name = name.decode().unwrap();
                let entity =
                    quick_xml::escape::unescape(&format!("&{name};")).unwrap().into_owned();
                open.last_mut().unwrap().text.push_str(&entity);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let mut roots = open.pop().unwrap().children;
    assert!(open.is_empty() && roots.len() == 1);
    roots.remove(0)
}

/// An element of the published shape.
type Shape =
    (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

/// For each element the attributes that it has to have, those that it may have, and its children in order.
const SHAPE: [Shape; 14] = [
    (
        "testsuites",
        &["tests", "failures", "errors"],
        &["name", "time", "timestamp", "skipped"],
        &["testsuite"],
    ),
    (
        "testsuite",
        &["name", "tests", "failures", "errors", "skipped"],
        &["time", "timestamp"],
        &["properties", "testcase", "system-out", "system-err"],
    ),
    ("properties", &[], &[], &["property"]),
    ("property", &["name", "value"], &[], &[]),
    (
        "testcase",
        &["name", "classname", "time"],
        &[],
        &[
            "properties",
            "skipped",
            "error",
            "failure",
            "flakyFailure",
            "flakyError",
            "rerunFailure",
            "rerunError",
            "system-out",
            "system-err",
        ],
    ),
    ("skipped", &[], &["message", "type"], &[]),
    ("failure", &["type"], &["message"], &[]),
    ("error", &["type"], &["message"], &[]),
    ("flakyFailure", &["type"], &["message"], &["stackTrace", "system-out", "system-err"]),
    ("flakyError", &["type"], &["message"], &["stackTrace", "system-out", "system-err"]),
    ("rerunFailure", &["type"], &["message"], &["stackTrace", "system-out", "system-err"]),
    ("rerunError", &["type"], &["message"], &["stackTrace", "system-out", "system-err"]),
    ("system-out", &[], &[], &[]),
    ("system-err", &[], &[], &[]),
];

fn fits(element: &Element) {
    let (_, required, optional, children) =
        SHAPE.iter().find(|shape| shape.0 == element.name).unwrap_or_else(|| panic!("{element:?}"));
    for name in *required {
        assert!(element.attributes.contains_key(*name), "no {name}: {element:?}");
    }
    for (name, value) in &element.attributes {
        assert!(required.contains(&name.as_str()) || optional.contains(&name.as_str()), "{name}");
        assert!(!value.contains('\n'), "an attribute is one line: {value}");
    }
    // Outcomes stand in any order among themselves.
    let is_outcome = |name: &str| name.ends_with("Failure") || name.ends_with("Error");
    let place = |child: &Element| {
        let alike =
            |name: &&str| *name == child.name || is_outcome(name) && is_outcome(&child.name);
        children.iter().position(alike)
    };
    let places: Vec<_> = element.children.iter().map(|child| place(child).unwrap()).collect();
    assert!(places.is_sorted(), "children out of order: {element:?}");
    element.children.iter().for_each(fits);
}

/// Reads a file and checks its shape and its sums.
fn checked(record: &RunRecord) -> Element {
    let root = read(&render(record));
    fits(&root);
    let suites = root.all("testsuite");
    for name in ["tests", "failures", "errors", "skipped"] {
        assert_eq!(root.n(name), suites.iter().map(|suite| suite.n(name)).sum::<usize>(), "{name}");
    }
    for suite in suites {
        assert_eq!(suite.n("tests"), suite.all("testcase").len());
        for (name, child) in [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]
        {
            assert_eq!(suite.n(name), suite.with(child), "{name}");
        }
        suite.all("testcase").iter().for_each(|test| {
            test.attributes["time"].parse::<f64>().unwrap();
        });
    }
    root
}

/// The tests of cases alone.
fn sums_agree(root: &Element, totals: &Totals) {
    let of_cases = |root: &Element, name: &str| -> u64 {
        let suites = root.all("testsuite");
        let suites = suites.iter().filter(|suite| suite.attributes["name"] != "stateline");
        suites.map(|suite| suite.n(name) as u64).sum()
    };
    assert_eq!(of_cases(root, "tests"), totals.planned);
    assert_eq!(of_cases(root, "failures"), totals.fail - totals.known);
    assert_eq!(of_cases(root, "errors"), totals.error + totals.inconclusive);
    assert_eq!(of_cases(root, "skipped"), totals.not_applicable + totals.not_run + totals.known);
}

fn test<'a>(root: &'a Element, name: &str) -> &'a Element {
    let tests = root.all("testsuite").into_iter().flat_map(|suite| suite.all("testcase"));
    tests
        .into_iter()
        .find(|test| test.attributes["name"] == name)
        .unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn every_file_has_the_shape_and_adds_up() {
    let mut none = green();
    none.cases.clear();
    count(&mut none);
    for record in [sample(), green(), large(300), none] {
        sums_agree(&checked(&record), &record.totals);
    }
}

#[test]
fn the_first_lines_are_those_that_tools_read() {
    let text = render(&sample());
    let text: Vec<&str> = text.lines().take(24).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn a_failure_says_what_where_and_how_to_see_it_again() {
    let root = checked(&sample());
    let test = test(&root, "around-presence[kind=reset,served-again=after]");
    assert_eq!(test.attributes["classname"], "sample-rtm.network-drop.around-presence");
    let failure = test.all("failure")[0];
    assert_eq!(failure.attributes["type"], "SR-CONN-02");
    assert_eq!(
        failure.attributes["message"],
        "expected state reconnecting, reason interrupted, between 7.002 s and 9.000 s; \
         observed no report of a state until 9.000 s"
    );
    insta::assert_snapshot!(failure.text);
}

#[test]
fn what_is_no_pass_is_not_green() {
    let root = checked(&sample());
    let first = test(&root, "elsewhere");
    let second = test(&root, "elsewhere (repetition 2)");
    for test in [first, second] {
        assert_eq!(test.all("error")[0].attributes["type"], "INCONCLUSIVE");
    }
    let crash = test(&root, "while-reconnecting");
    assert_eq!(crash.all("error")[0].attributes["message"], "the adapter ended with signal 11");
    assert_eq!(
        crash.all("system-err")[0].text,
        "connecting\nTraceback <script>:\nRuntimeError: \\u{1b}[2J gone"
    );
    let long = test(&root, "twenty-minutes");
    assert!(long.all("skipped")[0].attributes["message"].starts_with("not applicable: planned"));
}

#[test]
fn attempts_are_flaky_where_the_last_one_passed_and_reruns_where_it_did_not() {
    let mut record = sample();
    let attempt = |verdict| Attempt { verdict, reason: Some("harness-stalled".to_owned()) };
    let attempts = vec![attempt(Verdict::Inconclusive), attempt(Verdict::Fail)];
    let at = |record: &RunRecord, verdict| {
        record.cases.iter().position(|case| case.verdict == Some(verdict)).unwrap()
    };
    for verdict in [Verdict::Pass, Verdict::Inconclusive] {
        let at = at(&record, verdict);
        record.cases[at].attempts.clone_from(&attempts);
    }
    let root = checked(&record);
    let names = |test: &Element| {
        let reruns = test.children.iter().filter(|child| child.name != "properties");
        reruns.map(|child| child.name.clone()).collect::<Vec<_>>()
    };
    let flaky = test(&root, "around-presence[kind=black-hole,served-again=before]");
    assert_eq!(names(flaky), ["flakyError", "flakyFailure"]);
    assert_eq!(names(test(&root, "elsewhere")), ["error", "rerunError", "rerunFailure"]);
}

fn known(standing: Standing) -> KnownFailures {
    let entry = KnownFailure {
        entry: 1,
        line: 12,
        cases: "login/*".to_owned(),
        requirements: vec!["SR-CONN-02".into()],
        reason: "it is mended in 2.2".to_owned(),
        link: None,
        until: None,
        flaky: false,
        cases_known: 1,
        standing,
    };
    KnownFailures { file: "stateline.expect.toml".to_owned(), entries: vec![entry] }
}

#[test]
fn a_known_failure_is_skipped_and_an_entry_that_does_not_hold_fails() {
    let mut record = sample();
    record.known = Some(known(Standing::Holds));
    let failed = record.cases.iter_mut().find(|case| case.verdict == Some(Verdict::Fail)).unwrap();
    let link = Some("https://example.com/7".to_owned());
    failed.expected = Some(Expected { entry: 1, reason: "it is mended in 2.2".to_owned(), link });
    count(&mut record);
    let root = checked(&record);
    sums_agree(&root, &record.totals);
    let skipped = test(&root, "around-presence[kind=black-hole,served-again=after]").all("skipped");
    assert_eq!(
        skipped[0].attributes["message"],
        "known failure: it is mended in 2.2 (https://example.com/7)"
    );
    assert!(skipped[0].text.contains("SR-CONN-02"));
    for standing in [Standing::Stale, Standing::Expired, Standing::Unmatched] {
        record.known = Some(known(standing));
        let root = checked(&record);
        let entry = test(&root, "stateline.expect.toml line 12: login/*");
        assert_eq!(entry.all("failure")[0].attributes["type"], standing.as_str());
    }
}

#[test]
fn a_run_that_says_nothing_of_the_client_is_not_green() {
    let mut record = green();
    record.interrupted = true;
    record.cases[0].verdict = None;
    count(&mut record);
    let root = checked(&record);
    let message = &test(&root, "interrupted").all("error")[0].attributes["message"];
    assert_eq!(message, "it was ended before 1 case were run");
    for case in &mut record.cases {
        case.verdict = None;
        case.not_applicable = Some("the client lacks it".to_owned());
    }
    count(&mut record);
    assert_eq!(checked(&record).n("errors"), 2);
}

#[test]
fn no_text_breaks_the_file() {
    let mut record = sample();
    let evil = "]]>\u{0}\u{8}\u{1b}[31m\u{fffe}\u{ffff}<!--&amp;\"'\r\n</failure>\u{85}\u{2028}é";
    record.run.client.name = evil.to_owned();
    record.run.client.spec = evil.to_owned();
    for case in &mut record.cases {
        case.reason = case.reason.take().map(|_| evil.to_owned());
        case.wall.stderr = evil.to_owned();
        for finding in &mut case.findings {
            finding.observed = evil.to_owned();
            finding.requirement = evil.into();
        }
    }
    let root = checked(&record);
    sums_agree(&root, &record.totals);
    let failure = test(&root, "around-presence[kind=reset,served-again=after]").all("failure")[0];
    assert!(failure.text.contains("]]>\\u{0}\\u{8}\\u{1b}[31m\\u{fffe}\\u{ffff}<!--&amp;\"'"));
}
