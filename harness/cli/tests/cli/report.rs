//! `stateline report`: other formats of a run that is over.
//!
//! Not responsible for what stands in a format; the tests of the reports are.
//!
//! Invariant: what a run has written itself is written again byte for byte, wall clock included.

use crate::program::{Run, code, stateline, stderr, stdout};
use assert_cmd::Command;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// `stateline report` over a run's folder.
fn report(run: &Run, args: &[&str]) -> std::process::Output {
    let file = run.file("run.json");
    let folder = file.parent().unwrap().to_str().unwrap();
    stateline(["report", folder].into_iter().chain(args.iter().copied()))
}

/// Writes the run's own formats again, to stdout and to a file, far from its suite.
fn writes_the_same(run: &Run) {
    let elsewhere = TempDir::new().unwrap();
    for (format, name) in [("html", "report.html"), ("junit", "junit.xml"), ("json", "run.json")] {
        let written = fs::read(run.file(name)).unwrap();
        let told = report(run, &["--format", format]);
        assert_eq!((code(&told), stderr(&told)), (0, String::new()), "{format}");
        assert!(told.stdout == written, "{format} differs");
        let copy = elsewhere.path().join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_stateline"));
        let file = run.file("run.json");
        command.current_dir(elsewhere.path()).args(["report", file.to_str().unwrap()]);
        let output = command.args(["--format", format, "--output", name]).output().unwrap();
        assert!(code(&output) == 0 && output.stdout.is_empty(), "{}", stderr(&output));
        assert!(fs::read(copy).unwrap() == written, "{format} differs in a file");
    }
    assert!(report(run, &[]).stdout == fs::read(run.file("report.html")).unwrap());
}

#[test]
fn a_runs_own_formats_are_written_byte_for_byte() {
    let run = Run::of(&["login/*"]);
    assert_eq!(run.code(), 0);
    writes_the_same(&run);
}

#[test]
fn so_are_those_of_a_run_with_findings_and_repetitions() {
    let args = ["network-drop/reported", "--client", "builtin:early-reconnecting", "--repeat", "2"];
    let run = Run::of(&args);
    assert_eq!(run.code(), 1);
    writes_the_same(&run);
}

#[test]
fn so_are_those_of_a_run_in_real_time() {
    let run = Run::of(&["login/accepted", "login/refused", "--time", "real"]);
    assert!([0, 5].contains(&run.code()), "{}", stderr(&run.output));
    writes_the_same(&run);
}

#[test]
fn every_format_shows_a_run_with_findings() {
    let run = Run::of(&["network-drop/reported", "--client", "builtin:early-reconnecting"]);
    for (format, part) in [
        ("markdown", "#### ✗ ` RTM-CONN-02 ` · MUST explicit"),
        ("github", "::error title=RTM-CONN-02 C2"),
        ("gitlab", "\"check_name\": \"RTM-CONN-02\""),
        ("csv", "agora-rtm-1x,RTM-CONN-02,Connected,explicit,MUST,violated,client,"),
        ("text", "✗ RTM-CONN-02  MUST explicit"),
    ] {
        let told = report(&run, &["--format", format]);
        assert_eq!(code(&told), 0, "{}", stderr(&told));
        assert!(stdout(&told).contains(part), "{format}: {}", stdout(&told));
    }
    let shown = stdout(&run.output);
    let shown = shown.split_once("\nreport: ").unwrap().0;
    assert_eq!(stdout(&report(&run, &["--format", "text"])), shown);
}

#[test]
fn a_case_is_drawn() {
    let run = Run::of(&["network-drop/reported", "--client", "builtin:early-reconnecting"]);
    let draw = |case| report(&run, &["--format", "mermaid", "--case", case]);
    let drawn = draw("network-drop/reported[kind=reset,beat=on]");
    assert_eq!(code(&drawn), 0, "{}", stderr(&drawn));
    assert!(stdout(&drawn).starts_with("sequenceDiagram\n"));
    assert!(stdout(&drawn).contains(" RTM-CONN-02 row C2\n"), "{}", stdout(&drawn));
    let wrong = draw("network-drop/reported[kind=reset,beat=of]");
    assert_eq!(code(&wrong), 2);
    assert!(
        stderr(&wrong)
            .contains("the nearest:\n  agora-rtm-1x/network-drop/reported[kind=reset,beat=o")
    );
    assert_eq!(code(&report(&run, &["--format", "mermaid"])), 2);
    assert_eq!(code(&report(&run, &["--case", "network-drop/reported[kind=reset,beat=on]"])), 2);
    let bare = Run::of(&["login/accepted", "--no-trace"]);
    let untold = report(&bare, &["--format", "mermaid", "--case", "login/accepted"]);
    assert_eq!(code(&untold), 2);
    assert!(stderr(&untold).contains("--no-trace"), "{}", stderr(&untold));
}

/// What is said of a file with this in it; the place in the file comes at the end.
fn refused(text: &str) -> String {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("run.json");
    fs::write(&file, text).unwrap();
    let output = stateline(["report", file.to_str().unwrap()]);
    assert!(code(&output) == 2 && output.stdout.is_empty(), "{text}");
    stderr(&output).replace(folder.path().to_str().unwrap(), "DIR")
}

#[test]
fn what_is_no_record_is_refused_with_its_place() {
    let run = Run::of(&["login/accepted"]);
    let whole = fs::read_to_string(run.file("run.json")).unwrap();
    let half = &whole[..whole.len() / 2];
    let (line, column) = (half.lines().count(), half.lines().last().unwrap().len());
    let told = refused(half);
    assert!(told.starts_with("error: cannot read DIR/run.json: it ends too early: "), "{told}");
    assert!(told.ends_with(&format!("at line {line} column {column}\n")), "{told}");
    let newer = whole.replacen("stateline.run/1", "stateline.run/2", 1);
    let why = "its schema is `stateline.run/2`, and this version reads `stateline.run/1`";
    assert_eq!(refused(&newer), format!("error: cannot read DIR/run.json: {why}\n"));
    let wrong = whole.replacen("\"interrupted\":false", "\"interrupted\":7", 1);
    assert!(refused(&wrong).contains("it is no run record: invalid type: integer `7`"));
    assert!(refused(&wrong).ends_with("at line 3 column 15\n"), "{}", refused(&wrong));
    assert!(
        refused("{\"schema\": oops}")
            .ends_with("it is no JSON: expected value at line 1 column 12\n")
    );
    assert!(refused("{}").contains("it is no run record: it does not say"));
    assert!(refused("7").contains("it is no run record: invalid type: integer `7`"));
    assert!(refused("[]").contains("stateline judge"));
    assert!(refused("").contains("it ends too early"));
}

#[test]
fn the_journal_of_a_killed_run_is_to_be_judged_first() {
    let journal = "{\"schema\":\"stateline.journal/1\",\"run\":{},\"profiles\":[]}\n";
    assert!(refused(journal).contains("`stateline judge DIR/run.json --out DIR`"));
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    let told = stderr(&stateline(["report", path]));
    assert!(told.contains("there is no run.json in"), "{told}");
    fs::write(folder.path().join("journal.jsonl"), journal).unwrap();
    let told = stderr(&stateline(["report", path]));
    assert!(told.contains("journal.jsonl --out DIR` makes a record of it"), "{told}");
}

#[test]
fn what_cannot_be_written_is_told() {
    let run = Run::of(&["login/accepted"]);
    let nowhere = report(&run, &["--output", "/no/such/folder/report.html"]);
    assert_eq!(code(&nowhere), 2);
    assert!(stderr(&nowhere).contains("cannot write /no/such/folder/report.html"));
    // A device is written to, and not replaced.
    let full = report(&run, &["--output", "/dev/full"]);
    assert_eq!(code(&full), 2);
    assert!(stderr(&full).contains("cannot write /dev/full"), "{}", stderr(&full));
    assert!(!Path::new("/dev/full").is_file());
    assert_eq!(code(&report(&run, &["--output", "/dev/null"])), 0);
}

#[test]
fn a_record_may_come_from_a_pipe() {
    let run = Run::of(&["login/accepted"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_stateline"));
    let record = fs::read(run.file("run.json")).unwrap();
    let output = command.args(["report", "-", "--format", "junit"]).write_stdin(record).output();
    assert!(output.unwrap().stdout == fs::read(run.file("junit.xml")).unwrap());
}
