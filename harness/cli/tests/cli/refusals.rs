//! What the program refuses before it plays anything, and how it says so.
//!
//! Not responsible for runs that begin.
//!
//! Invariant: a refusal has nothing on stdout and one error on stderr.

use crate::program::{Run, code, scenarios, stateline, stderr, stdout};
use insta::assert_snapshot;
use std::fs;
use tempfile::TempDir;

/// The error of a refusal.
fn refused(args: &[&str], expected: i32) -> String {
    let output = stateline(args.iter().copied());
    assert_eq!(code(&output), expected, "{args:?}: {}", stderr(&output));
    assert_eq!(stdout(&output), "", "{args:?}");
    stderr(&output)
}

#[test]
fn what_is_not_in_this_version_says_so() {
    for name in ["explore", "merge", "diff", "serve"] {
        let error = refused(&[name], 2);
        assert_eq!(error, format!("error: `stateline {name}` is not in this version\n"));
        assert_eq!(refused(&[name, "--any", "thing"], 2), error);
    }
    assert_snapshot!(refused(&["run", "--time", "scaled=8"], 2), @"error: `--time scaled` is not in this version");
}

#[test]
fn unknown_words_come_with_the_nearest() {
    assert_snapshot!(refused(&["rum"], 2), @"error: there is no command `rum`; did you mean `run`? (`stateline --help` lists all)");
    assert_snapshot!(refused(&["explain", "rtm-conn-2"], 2), @"error: nothing has the id `rtm-conn-2`; the nearest: RTM-CONN-02, RTM-CONN-01, RTM-CONN-03");
    for (spec, near) in [("builtin:stops-ping", "stops-pinging"), ("builtin/lazi", "lazy")] {
        let error = refused(&["run", "--client", spec], 2);
        assert!(error.contains(&format!("did you mean `{near}`?")), "{error}");
    }
    assert!(refused(&["run", "--profile", "agora"], 2).contains("`agora-rtm-1x`"));
}

#[test]
fn malformed_flags_are_usage_errors() {
    for args in [
        &["run", "--colour"][..],
        &["run", "--seed", "minus-one"],
        &["run", "--jobs", "0"],
        &["run", "--time", "fast"],
        &["run", "--max-length", "90"],
        &["run", "--min-coverage", "101"],
        &["run", "--cap", "redial"],
        &["run", "--cap", "redial=9"],
        &["run", "--cap", "no-such-cap=9s"],
        &["list", "nothing"],
        &["list", "cases", "--format", "xml"],
        &["selftest", "--format", "xml"],
        &["explain"],
        &["check"],
        &["judge"],
    ] {
        assert!(refused(args, 2).contains("error"), "{args:?}");
    }
    assert!(refused(&["run", "--cap", "no-such-cap=9s"], 2).contains("redial"));
}

#[test]
fn filters_are_checked_and_must_select_something() {
    for filter in ["(login/*", "req:", "login/* or", "colour:red"] {
        assert!(refused(&["run", filter], 2).contains("error"), "{filter}");
    }
    let error = refused(&["run", "login/acepted"], 4);
    assert!(error.contains("login/acepted") && error.contains("login/accepted"), "{error}");
}

#[test]
fn output_that_cannot_be_written_is_found_before_the_first_case() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("taken");
    fs::write(&file, "a file where the folder should be").unwrap();
    let out = file.to_str().unwrap();
    assert!(refused(&["run", "login/accepted", "--out", out], 2).contains("cannot write"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "a file where the folder should be");
}

#[test]
fn no_applicable_case_is_nothing_to_run() {
    let run = Run::of(&["login/accepted", "--max-length", "1ms", "--quiet"]);
    assert_eq!(run.code(), 4);
    assert_eq!(run.record()["totals"]["not_applicable"], run.record()["totals"]["planned"]);
}

#[test]
fn folders_are_checked_as_a_whole() {
    let good = stateline(["check", scenarios().to_str().unwrap()]);
    assert_eq!(code(&good), 0, "{}", stderr(&good));
    assert!(stdout(&good).starts_with("agora-rtm-1x: "), "{}", stdout(&good));

    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    assert!(refused(&["check", path], 2).contains("holds no profile"));
    let broken = folder.path().join("broken");
    fs::create_dir(&broken).unwrap();
    fs::write(
        broken.join("profile.yaml"),
        "profile: broken\ntimers: { late: 4 parsecs }\nhue: 1\n",
    )
    .unwrap();
    fs::write(broken.join("requirements.yaml"), "profile: broken\nrequirements: []\n").unwrap();
    let error = refused(&["check", path], 2);
    assert!(error.contains("4 parsecs") && error.contains("hue"), "{error}");
    assert!(error.contains("errors found"), "{error}");
    assert!(refused(&["run", "--suite", path], 2).contains("4 parsecs"));
}

#[test]
fn files_that_are_no_record_are_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("run.json");
    let path = file.to_str().unwrap();
    assert!(refused(&["judge", path], 2).contains("cannot read"));
    for (text, why) in
        [("{\"schema\": \"other/9\"}", "other/9"), ("[1]", "list of events"), ("no", "line 1")]
    {
        fs::write(&file, text).unwrap();
        let error = refused(&["judge", path], 2);
        assert!(error.contains(why), "{error}");
    }
    fs::write(&file, "[]").unwrap();
    assert!(refused(&["judge", path], 2).contains("--profile"));
}
