//! Runs: their exit codes, their totals, and that they are the same again.
//!
//! Not responsible for which defect breaks what.
//!
//! Invariant: planned = pass + inconclusive + fail + error + not applicable + not run, in every
//! record that is read here.

use crate::program::{Run, keys, without_wall};
use serde_json::Value;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The totals of a run, after they were found to add up.
fn totals(record: &Value) -> Value {
    let totals = &record["totals"];
    let parts = ["pass", "inconclusive", "fail", "error", "not_applicable", "not_run"];
    let sum: u64 = parts.iter().map(|part| totals[part].as_u64().unwrap()).sum();
    assert_eq!(totals["planned"], sum, "{totals}");
    assert_eq!(record["cases"].as_array().unwrap().len() as u64, sum);
    totals.clone()
}

#[test]
fn a_conforming_client_passes() {
    let run = Run::of(&["login/accepted"]);
    assert_eq!(run.code(), 0);
    let record = run.record();
    assert_eq!(totals(&record)["pass"], 1);
    assert_eq!(record["schema"], "stateline.run/1");
    assert_eq!(record["interrupted"], false);
    for key in
        ["id", "verdict", "requirements", "findings", "warnings", "choices", "planned_ms", "trace"]
    {
        assert!(keys(&record["cases"][0]).contains(&key), "{key}");
    }
    assert!(std::fs::read_to_string(run.file("report.html")).unwrap().contains("login/accepted"));
}

#[test]
fn a_defect_fails() {
    let run = Run::of(&["login/accepted", "--client", "builtin:skips-connecting"]);
    assert_eq!(run.code(), 1);
    let record = run.record();
    assert_eq!(totals(&record)["fail"], 1);
    assert_eq!(record["cases"][0]["findings"][0]["requirement"], "RTM-LOGIN-01");
}

#[test]
fn quiet_prints_nothing_and_no_trace_writes_none() {
    let run = Run::of(&["login/accepted", "--quiet", "--no-trace"]);
    assert_eq!(run.code(), 0);
    assert!(run.output.stdout.is_empty() && run.output.stderr.is_empty());
    assert_eq!(run.record()["cases"][0]["trace"], Value::Array(Vec::new()));
    assert!(run.record()["cases"][0]["events"].as_u64().unwrap() > 0);
}

#[test]
fn too_little_coverage_fails() {
    let run = Run::of(&["login/accepted", "--min-coverage", "100"]);
    assert_eq!(run.code(), 1);
    let error = String::from_utf8_lossy(&run.output.stderr).into_owned();
    assert!(error.contains("below --min-coverage 100"), "{error}");
    assert_eq!(Run::of(&["login/accepted", "--min-coverage", "0"]).code(), 0);
}

#[test]
fn failing_fast_counts_what_was_not_run() {
    let args = ["login/*", "--client", "builtin:skips-connecting", "--fail-fast", "--jobs"];
    let [one, two] = ["1", "2"].map(|jobs| Run::of(&[&args[..], &[jobs]].concat()));
    for run in [&one, &two] {
        assert_eq!(run.code(), 1);
        let totals = totals(&run.record());
        assert_eq!(totals["fail"], 1);
        assert!(totals["not_run"].as_u64().unwrap() > 0, "{totals}");
    }
    assert_eq!(without_wall(one.record()), without_wall(two.record()));
}

#[test]
fn repetitions_are_planned_and_draw_anew() {
    let run = Run::of(&["network-drop/around-interruption[kind=black-hole,*", "--repeat", "2"]);
    let record = run.record();
    totals(&record);
    let cases = record["cases"].as_array().unwrap();
    let (first, second) = cases.split_at(cases.len() / 2);
    for (first, second) in first.iter().zip(second) {
        assert_eq!(first["id"], second["id"]);
        assert_ne!(first["digest"], second["digest"], "{}", first["id"]);
    }
}

#[test]
fn one_seed_gives_one_record_whatever_the_threads() {
    let record = |seed: &str, jobs: &str| {
        let run = Run::of(&["network-drop/around-interruption", "--seed", seed, "--jobs", jobs]);
        without_wall(run.record())
    };
    let one = record("7", "1");
    totals(&one);
    let bytes = |record: &Value| serde_json::to_vec(record).unwrap();
    assert!(bytes(&one) == bytes(&record("7", "1")), "two runs with one seed differ");
    assert!(bytes(&one) == bytes(&record("7", "2")), "a run with two threads differs");
    assert_ne!(one["cases"][0]["digest"], record("8", "1")["cases"][0]["digest"]);
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().to_str().unwrap();
    for args in [
        &["run", "login/accepted", "--out", out][..],
        &["list", "requirements"],
        &["explain", "C2"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_stateline"));
        let output = command.args(args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {error}");
        assert_eq!(error, "", "{args:?}");
    }
}
