//! Judging a record again.
//!
//! Not responsible for what a verdict rests on; the tests of the oracle are.
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

/// A bare trace is judged, or refused for a reason.
fn trace(lines: &[&str]) -> (i32, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("trace.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let output = stateline(["judge", file.to_str().unwrap(), "--profile", "agora-rtm-1x"]);
    (code(&output), stderr(&output))
}

const STATE: &str = r#"{"n":1,"at_ms":1.0,"client":"alice","plane":"control","kind":"state","data":{"state":"nonsense","reason":"x"}}"#;

#[test]
fn a_trace_that_shows_nothing_is_refused() {
    let none = r#"{"n":0,"at_ms":0.0,"client":null,"plane":"harness","kind":"note","data":{"note":"begin","clients":[],"named":[]}}"#;
    let twice = r#"{"n":0,"at_ms":0.0,"client":null,"plane":"harness","kind":"note","data":{"note":"begin","clients":[{"name":"alice","uid":"a"},{"name":"alice","uid":"b"}],"named":[]}}"#;
    let late = STATE.replace("1.0", "1e12");
    for (lines, why) in [
        (&[][..], "no events"),
        (&[none, STATE], "does not list"),
        (&[twice, STATE], "twice"),
        (&[late.as_str()], "week"),
        (&[STATE, STATE], "out of order"),
    ] {
        let (code, error) = trace(lines);
        assert!(code == 2 && error.contains(why), "{code}: {error}");
    }
}

#[test]
fn a_bare_trace_is_judged() {
    assert_eq!(trace(&[STATE]).0, 1);
}

#[test]
fn days_of_silence_after_a_kick_are_judged_at_once() {
    let event = |n: u32, ms: f64, plane: &str, kind: &str, data: &str| {
        format!(
            r#"{{"n":{n},"at_ms":{ms},"client":"alice","plane":"{plane}","kind":"{kind}","data":{data}}}"#
        )
    };
    let lines = [
        event(
            0,
            0.0,
            "control",
            "call",
            r#"{"op":"login","call":0,"token":"t","token-kind":"valid"}"#,
        ),
        event(1, 0.0, "control", "state", r#"{"state":"connecting","reason":"login"}"#),
        event(2, 0.0, "network", "attempt", r#"{"conn":1}"#),
        event(3, 5.0, "server", "server.accepted", r#"{"conn":1,"resumed":false,"online":true}"#),
        event(4, 5.0, "control", "state", r#"{"state":"connected","reason":"login-success"}"#),
        event(5, 5.0, "control", "result", r#"{"op":"login","call":0,"code":"ok"}"#),
        event(6, 10.0, "server", "server.kicked", r#"{"conn":1}"#),
        event(7, 500_000_000.0, "network", "up", "{}"),
    ];
    assert_eq!(trace(&lines.each_ref().map(String::as_str)).0, 0);
}
