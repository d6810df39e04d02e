//! Judging a record again.
//!
//! Not responsible for traces from elsewhere.
//!
//! Invariant: what `judge` writes differs from the record that it read in nothing but `wall`.

use crate::program::{Run, code, read, stateline, stderr, without_wall};
use tempfile::TempDir;

/// Judges a run again and compares everything.
fn agrees(args: &[&str], expected: i32) {
    let run = Run::of(args);
    assert_eq!(run.code(), expected, "{args:?}");
    let folder = TempDir::new().unwrap();
    let (file, out) = (run.file("run.json"), folder.path().to_str().unwrap());
    let again = stateline(["judge", file.to_str().unwrap(), "--out", out]);
    assert_eq!(code(&again), expected, "{}", stderr(&again));
    let (first, second) =
        (without_wall(run.record()), without_wall(read(&folder.path().join("run.json"))));
    for key in ["totals", "coverage", "profiles"] {
        assert_eq!(first[key], second[key], "{key}");
    }
    let cases = first["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for (first, second) in cases.iter().zip(second["cases"].as_array().unwrap()) {
        for key in [
            "id",
            "verdict",
            "reason",
            "findings",
            "warnings",
            "choices",
            "requirements",
            "cells",
            "digest",
        ] {
            assert_eq!(first[key], second[key], "{key} of {}", first["id"]);
        }
    }
    assert!(folder.path().join("report.html").is_file());
}

#[test]
fn a_passing_record_passes_again() {
    agrees(&["login/*"], 0);
}

#[test]
fn a_failing_record_fails_again() {
    agrees(&["remote-login/*", "--client", "builtin:abort-wrong-reason"], 1);
}

#[test]
fn the_settings_of_the_run_are_kept() {
    agrees(&["login/accepted", "--client", "builtin:repeats-connected", "--strict"], 1);
    agrees(&["login/accepted", "--client", "builtin:repeats-connected"], 0);
    agrees(&["login/accepted", "--cap", "settle=30s", "--slack", "100ms"], 0);
}

#[test]
fn a_record_without_traces_cannot_be_judged() {
    let run = Run::of(&["login/accepted", "--no-trace"]);
    let again = stateline(["judge", run.file("run.json").to_str().unwrap()]);
    assert_eq!(code(&again), 2);
    assert!(stderr(&again).contains("--no-trace"), "{}", stderr(&again));
}
