//! Known failures, and running again what failed.
//!
//! Not responsible for which defect breaks what: the defects here are taken as the selftest finds them.
//!
//! Invariant: whatever a list says, verdicts are those of a run without one.

use crate::program::{Place, code, read, stderr, stdout, texts};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::process::Output;

/// Reports Reconnecting too early, in whatever meets an interruption.
const EARLY: &str = "builtin:early-reconnecting";
/// Ends Aborted for a wrong reason, in some cases of `remote-login`.
const WRONG: &str = "builtin:abort-wrong-reason";
const FILE: &str = "stateline.expect.toml";

/// `stateline run` of a client, with a list of known failures.
struct Run {
    place: Place,
    output: Output,
}

impl Run {
    fn of(list: &str, args: &[&str]) -> Self {
        let place = Place::with(&[(FILE, list)]);
        let output = place.run(&[&["run"], args].concat());
        Self { place, output }
    }

    fn record(&self) -> Value {
        read(&self.place.path("stateline-out/run.json"))
    }

    /// How the entries stand.
    fn standings(&self) -> Vec<String> {
        let record = self.record();
        texts(&record["known"]["entries"], "standing").into_iter().map(str::to_owned).collect()
    }
}

/// An entry.
fn entry(cases: &str, requirement: &str, more: &str) -> String {
    format!(
        "[[expect]]\ncases = \"{cases}\"\nrequirement = \"{requirement}\"\nreason = \"why\"\n{more}\n"
    )
}

#[test]
fn a_known_failure_stays_a_fail_and_does_not_fail_the_run() {
    let list = entry("network-drop/reported", "RTM-CONN-02", "link = \"https://example.org/1\"");
    let run = Run::of(&list, &["network-drop/reported", "--client", EARLY]);
    assert_eq!(code(&run.output), 0, "{}", stderr(&run.output));
    assert_eq!(stderr(&run.output), "");
    let record = run.record();
    let cases = record["cases"].as_array().unwrap();
    assert!(cases.len() > 1);
    for case in cases {
        assert_eq!(case["verdict"], "FAIL");
        let expected = json!({"entry": 1, "reason": "why", "link": "https://example.org/1"});
        assert_eq!(case["expected"], expected);
    }
    let totals = &record["totals"];
    assert_eq!((&totals["fail"], &totals["known"]), (&json!(cases.len()), &json!(cases.len())));
    let entry = &record["known"]["entries"][0];
    assert_eq!((&entry["standing"], &entry["line"]), (&json!("holds"), &json!(1)));
    assert_eq!(entry["cases_known"], cases.len());
    assert_eq!(record["known"]["file"], FILE);
    let said = stdout(&run.output);
    assert!(said.contains(&format!("{} known failures", cases.len())), "{said}");
    // Without the list it is the same run, and fails.
    let bare = run.place.run(&["run", "network-drop/reported", "--client", EARLY, "--no-expect"]);
    assert_eq!(code(&bare), 1);
    let without = run.record();
    assert_eq!((&without["totals"]["known"], &without["known"]), (&json!(0), &Value::Null));
    assert_eq!(texts(&without["cases"], "verdict"), texts(&record["cases"], "verdict"));
}

#[test]
fn what_no_entry_names_fails_the_run() {
    // The requirement is another one.
    let run = Run::of(
        &entry("network-drop/reported", "RTM-CONN-01", ""),
        &["network-drop/reported", "--client", EARLY],
    );
    assert_eq!(code(&run.output), 1);
    assert_eq!(run.standings(), ["stale"]);
    assert_eq!(run.record()["totals"]["known"], 0);
    let error = stderr(&run.output);
    assert!(error.contains("12 failed, none as expected"), "{error}");
    // The case is another one; a list of requirements is met by any of them.
    let list = "[[expect]]\ncases = 'network-drop/reported[kind=reset,beat=on]'\nrequirement = \
                ['RTM-CONN-01', 'RTM-CONN-02']\nreason = 'why'\n";
    let run = Run::of(list, &["network-drop/reported", "--client", EARLY]);
    assert_eq!(code(&run.output), 1);
    assert_eq!((run.standings(), stderr(&run.output)), (vec!["holds".to_owned()], String::new()));
    assert_eq!(run.record()["totals"]["known"], 1);
    let said = stdout(&run.output);
    assert!(said.contains("12 fail (1 known) = 12 planned"), "{said}");
}

#[test]
fn entries_that_no_longer_fit_fail_the_run_with_their_places() {
    let list = [
        &entry("login/accepted", "RTM-CONN-02", ""),
        &entry("network-drop/reported", "RTM-CONN-02", "until = 2001-02-03"),
        "# A name with a mistake.\n",
        &entry("login/acepted", "RTM-CONN-02", ""),
        &entry("login/twice", "RTM-CONN-05", "flaky = true"),
        &entry("*", "RTM-CONN-02", "until = 9999-12-31"),
    ];
    let run = Run::of(&list.concat(), &["--client", EARLY]);
    assert_eq!(code(&run.output), 1);
    assert_eq!(run.standings(), ["stale", "expired", "unmatched", "undecided", "holds"]);
    let record = run.record();
    assert_eq!(record["totals"]["known"], record["totals"]["fail"]);
    let said = stdout(&run.output);
    let counted = "1 stale entry, 1 expired entry, 1 unmatched entry, 1 undecided entry";
    assert!(said.contains(counted), "{said}");
    assert_snapshot!(stderr(&run.output));
}

#[test]
fn what_was_left_out_says_nothing_of_an_entry() {
    let list = [
        entry("login/*", "RTM-CONN-02", ""),
        entry("no/such", "RTM-CONN-02", ""),
        entry("logout/*", "RTM-CONN-02", "until = 2001-02-03"),
    ];
    let run = Run::of(&list.concat(), &["login/accepted"]);
    assert_eq!((code(&run.output), stderr(&run.output)), (0, String::new()));
    assert_eq!(run.standings(), ["undecided"; 3]);
    // A longer run may show what this one was too short for.
    let list = entry("network-drop/*", "RTM-CONN-01", "");
    let run = Run::of(&list, &["network-drop/*", "--max-length", "30s"]);
    assert_eq!((code(&run.output), run.standings()), (0, vec!["undecided".to_owned()]));
    assert!(run.record()["totals"]["not_applicable"].as_u64().unwrap() > 0);
    let run = Run::of(&list, &["network-drop/*"]);
    assert_eq!((code(&run.output), run.standings()), (1, vec!["stale".to_owned()]));
}

#[test]
fn mistakes_are_told_at_once_before_anything_is_played() {
    let list = "\
expct = 1
[[expect]]
cases = \"login/(accepted or\"
requirements = [\"RTM-CONN-02\"]
until = 2027-01-01T00:00:00
[[expect]]
cases = 'login/* or colour:red'
requirement = \"RTM-CONN-02\"
reason = ''
until = \"2027-01-01\"
flaky = 'yes'
[[expect]]
cases = 'login/*'
requirement = []
reason = 'why'
until = 2027-02-30
";
    let run = Run::of(list, &[]);
    assert_eq!((code(&run.output), stdout(&run.output)), (2, String::new()));
    assert!(!run.place.path("stateline-out").exists());
    assert_snapshot!(stderr(&run.output));
    let run = Run::of(&entry("login/*", "RTM-CONN-O2", ""), &[]);
    assert_eq!(code(&run.output), 2);
    assert!(stderr(&run.output).contains("did you mean `RTM-CONN-02`?"), "{}", stderr(&run.output));
    let missing = Place::new().run(&["run", "--expect", "missing.toml"]);
    assert_eq!(code(&missing), 2);
    assert!(stderr(&missing).contains("missing.toml"));
}

#[test]
fn the_list_is_found_above_and_can_be_named() {
    let place = Place::with(&[(FILE, &entry("*", "RTM-CONN-02", "")), ("below/x", "")]);
    let args = ["run", "network-drop/reported", "--client", EARLY, "--quiet"];
    assert_eq!(code(&place.run_with("below", &[], &args)), 0);
    place.write("other.toml", "");
    assert_eq!(code(&place.run(&[&args[..], &["--expect", "other.toml"]].concat())), 1);
    assert_eq!(code(&place.run(&[&args[..], &["--no-expect"]].concat())), 1);
    let last_wins = [&args[..], &["--no-expect", "--expect", FILE]].concat();
    assert_eq!(code(&place.run(&last_wins)), 0);
}

#[test]
fn judging_again_knows_the_same_failures() {
    let list = entry("network-drop/reported", "RTM-CONN-02", "");
    let run = Run::of(&list, &["network-drop/reported", "--client", EARLY]);
    let judge = |place: &Place| place.run(&["judge", "stateline-out/run.json", "--out", "again"]);
    let again = judge(&run.place);
    assert_eq!((code(&again), stderr(&again)), (0, String::new()));
    let (first, second) = (run.record(), read(&run.place.path("again/run.json")));
    for key in ["totals", "known", "cases"] {
        assert_eq!(first[key], second[key], "{key}");
    }
    // The list has changed since.
    run.place.write(FILE, &entry("network-drop/reported", "RTM-CONN-01", ""));
    assert_eq!(code(&judge(&run.place)), 1);
    let record = read(&run.place.path("again/run.json"));
    assert_eq!(record["cases"][0]["expected"], Value::Null);
}

#[test]
fn the_list_is_rewritten_to_fit_the_run() {
    let list = format!(
        "# About all entries.\n\n# This one is gone.\n{}# This one stays.  \n{}# The end.\n",
        entry("login/accepted", "RTM-CONN-04", ""),
        entry("remote-login/connected", "RTM-CONN-04", "# Not asked for.\nflaky = true  # really"),
    );
    let run = Run::of(&list, &["--client", WRONG, "--fix"]);
    assert_eq!(code(&run.output), 0, "{}", stderr(&run.output));
    let said = stderr(&run.output);
    assert!(said.contains("is rewritten: 5 added, 1 removed"), "{said}");
    assert!(said.contains("5 known failures without a reason"), "{said}");
    let text = run.place.text(FILE);
    assert_snapshot!(text);
    // The record is that of the new list.
    let record = run.record();
    assert_eq!(record["totals"]["known"], record["totals"]["fail"]);
    assert_eq!(run.standings(), ["holds"; 6]);
    // It fits now.
    let again = run.place.run(&["run", "--client", WRONG, "--fix-expect"]);
    assert_eq!(code(&again), 0);
    assert!(stderr(&again).contains("fits the run"), "{}", stderr(&again));
    assert_eq!(run.place.text(FILE), text);
}

#[test]
fn of_some_cases_of_a_scenario_each_is_named() {
    let place = Place::new();
    let output = place.run(&["run", "--client", EARLY, "--fix-expect", "--quiet"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = place.text(FILE);
    assert!(text.starts_with("# Known failures of this client."), "{text}");
    assert!(text.contains("cases = \"agora-rtm-1x/login/twice[state=reconnecting]\""), "{text}");
    let several = "cases = '''\nagora-rtm-1x/network-drop/";
    assert!(text.contains(several) && text.contains(" or\n"), "{text}");
    // Nothing is expected of a client that conforms.
    let output = place.run(&["run", "--fix-expect", "--quiet"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = place.text(FILE);
    assert!(!text.contains("[[expect]]"), "{text}");
    assert!(text.starts_with("# Known failures of this client."), "{text}");
}

#[test]
fn only_a_run_of_all_cases_rewrites_the_list() {
    let list = entry("login/accepted", "RTM-CONN-04", "");
    let place = Place::with(&[(FILE, &list)]);
    for args in [&["login/*"][..], &["--fail-fast"], &["--no-expect"], &["--rerun-failed"]] {
        let output = place.run(&[&["run", "--fix-expect"], args].concat());
        assert_eq!((code(&output), stdout(&output)), (2, String::new()), "{args:?}");
        assert!(stderr(&output).contains("a run of all cases"), "{}", stderr(&output));
    }
    // An adapter that cannot be started.
    let output = place.run(&["run", "--client", "./missing", "--fix-expect", "--quiet"]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("is left as it is: the run has"), "{}", stderr(&output));
    assert_eq!(place.text(FILE), list);
}

#[test]
fn failing_fast_passes_over_known_failures() {
    let list = entry("login/twice[state=reconnecting]", "RTM-CONN-02", "");
    let args = ["login/*", "network-drop/reported", "--client", EARLY, "--fail-fast"];
    let run = Run::of(&list, &args);
    assert_eq!(code(&run.output), 1);
    let record = run.record();
    assert_eq!((&record["totals"]["fail"], &record["totals"]["known"]), (&json!(2), &json!(1)));
}

#[test]
fn what_failed_is_run_again() {
    let place = Place::new();
    let ids = |place: &Place| -> Vec<String> {
        let record = read(&place.path("stateline-out/run.json"));
        texts(&record["cases"], "id").into_iter().map(str::to_owned).collect()
    };
    let again = |more: &[&str]| {
        place.run(&[&["run", "--rerun-failed", "--quiet", "--client", WRONG], more].concat())
    };
    assert_eq!(code(&again(&[])), 2);
    assert!(stderr(&again(&[])).contains("there is no run to repeat"));
    assert!(!place.path("stateline-out").exists());

    let all = ["run", "remote-login/*", "login/accepted", "--quiet", "--client", WRONG];
    assert_eq!(code(&place.run(&all)), 1);
    let record = read(&place.path("stateline-out/run.json"));
    let failed: Vec<String> = record["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["verdict"] == "FAIL")
        .map(|case| case["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(failed.len() > 1 && failed.len() < ids(&place).len());
    // Nothing of what failed is selected: the record stays.
    assert_eq!(code(&again(&["login/accepted"])), 4);
    assert_eq!(code(&again(&[])), 1);
    assert_eq!(ids(&place), failed);
    assert_eq!(read(&place.path("stateline-out/run.json"))["run"]["rerun_failed"], true);
    assert_eq!(code(&again(&["remote-login/connected"])), 1);
    assert!(ids(&place).iter().all(|id| id.contains("remote-login/connected")));
    // A client that was mended leaves nothing to be run again.
    let mended = ["run", "--rerun-failed", "--quiet"];
    assert_eq!(code(&place.run(&mended)), 0);
    let nothing = place.run(&mended);
    assert_eq!(code(&nothing), 4);
    assert!(stderr(&nothing).contains("nothing to run again"), "{}", stderr(&nothing));
}
