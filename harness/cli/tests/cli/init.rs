//! `stateline init`: the skeleton runs at once, and nothing is overwritten.
//!
//! Not responsible for the kit, nor for what `doctor` looks at.
//!
//! Invariant: what is tested is what a newcomer gets, in a folder with a space and a quote in its name.

use crate::adapters::names;
use crate::program::{code, json, stateline, stderr, stdout};
use std::fs;
use std::process::Command;
use tempfile::TempDir;

#[test]
fn the_skeleton_runs_at_once() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("it's mine");
    let dir = dir.to_str().unwrap();
    let output = stateline(["init", "python", dir]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let files = ["README.md", "adapter.py", "demo_sdk.py", "stateline_adapter.py"];
    assert_eq!(names(dir.as_ref()), files);

    // The two commands that it prints, as a shell understands them.
    let told = stdout(&output);
    let next: Vec<&str> =
        told.lines().filter_map(|line| line.trim().strip_prefix("stateline ")).collect();
    assert_eq!(next.len(), 2, "{told}");
    for command in &next {
        let out = folder.path().join("out").display().to_string();
        let out =
            if command.starts_with("run") { format!(" --out '{out}'") } else { String::new() };
        let line = format!("'{}' {command}{out}", env!("CARGO_BIN_EXE_stateline"));
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert_eq!(code(&output), 0, "{line}: {}{}", stdout(&output), stderr(&output));
    }
    let readme = fs::read_to_string(format!("{dir}/README.md")).unwrap();
    for command in next {
        assert!(readme.contains(&format!("stateline {command}")), "{command}: {readme}");
    }

    // Five places, in the order in which they are filled in.
    let text = fs::read_to_string(format!("{dir}/adapter.py")).unwrap();
    assert_eq!(text.matches("FILL IN ").count(), 5);
    (1..=5).for_each(|n| assert_eq!(text.matches(&format!("FILL IN {n}/5: ")).count(), 1, "{n}"));
    let kit = include_str!("../../../../fixtures/clients/python/stateline_adapter.py");
    assert_eq!(fs::read_to_string(format!("{dir}/stateline_adapter.py")).unwrap(), kit);
    assert!(!text.contains('@') && !readme.contains('@'));
}

#[test]
fn the_skeleton_is_found_out_where_its_stand_in_is_wrong() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("a");
    stateline(["init", "python", dir.to_str().unwrap()]);
    let client = format!("python3 {}", dir.join("adapter.py").display());
    let out = folder.path().join("out");
    let run = ["run", "--client", &client, "--out", out.to_str().unwrap()];
    let output = stateline(run.into_iter().chain(["network-drop/reported*", "connected/members"]));
    assert_eq!(code(&output), 1, "{}", stdout(&output));
    assert!(stdout(&output).contains("RTM-CONN-02"), "{}", stdout(&output));
    assert!(stdout(&output).contains("the client does not support joinWithCompletion"));
}

#[test]
fn nothing_is_overwritten() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().to_str().unwrap();
    fs::write(folder.path().join("adapter.py"), "mine").unwrap();
    let output = stateline(["init", "python", dir]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("adapter.py"), "{}", stderr(&output));
    assert_eq!(names(folder.path()), ["adapter.py"]);
    assert_eq!(fs::read_to_string(folder.path().join("adapter.py")).unwrap(), "mine");
}

#[test]
fn what_there_is_not_is_refused_with_what_there_is() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().to_str().unwrap();
    let output = stateline(["init", "cobol", dir]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("python"), "{}", stderr(&output));
    let output = stateline(["init", "python", dir, "--profile", "no-such-profile"]);
    assert_eq!(code(&output), 2);
    let profiles = json(&stateline(["list", "profiles", "--format", "json"]));
    assert!(stderr(&output).contains(profiles[0]["id"].as_str().unwrap()), "{}", stderr(&output));
    assert!(names(folder.path()).is_empty());
}
