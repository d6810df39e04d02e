//! `list`: what programs read, and what people read.
//!
//! Not responsible for how much the suite covers.
//!
//! Invariant: keys of the JSON are compared as whole lists, so that none is renamed unseen.

use crate::program::{code, json, keys, scenarios, stateline, stderr, stdout, texts};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A listing for programs.
fn listed(what: &str) -> serde_json::Value {
    let output = stateline(["list", what, "--format", "json"]);
    assert_eq!(code(&output), 0, "{what}: {}", stderr(&output));
    json(&output)
}

/// A copy of the built-in profile with one scenario alone.
fn small_suite() -> TempDir {
    let folder = TempDir::new().unwrap();
    let (from, to) = (scenarios().join("agora-rtm-1x"), folder.path().join("agora-rtm-1x"));
    fs::create_dir_all(to.join("login")).unwrap();
    for file in ["profile.yaml", "requirements.yaml", "wire.yaml", "login/accepted.yaml"] {
        fs::copy(from.join(file), to.join(Path::new(file))).unwrap();
    }
    folder
}

#[test]
fn listings_have_the_keys_of_the_contract() {
    for (what, expected) in [
        ("scenarios", &["id", "profile", "purpose", "tags", "requirements", "cases"][..]),
        ("cases", &["id", "profile", "scenario", "tags", "requirements", "planned_ms"]),
        (
            "requirements",
            &[
                "id",
                "profile",
                "kind",
                "basis",
                "strictness",
                "test",
                "untestable",
                "scenarios",
                "defects",
                "section",
                "text",
            ],
        ),
        (
            "profiles",
            &[
                "id",
                "variant",
                "digest",
                "document",
                "states",
                "requirements",
                "rows",
                "cells",
                "scenarios",
                "cases",
            ],
        ),
        ("defects", &["id", "profile", "breaks", "also", "text"]),
        ("designs", &["id", "profile", "text"]),
    ] {
        let list = listed(what);
        let entries = list.as_array().unwrap();
        assert!(!entries.is_empty(), "{what}");
        for entry in entries {
            assert_eq!(keys(entry), expected, "{what}");
        }
        let output = stateline(["list", what]);
        assert_eq!(code(&output), 0, "{what}");
        let text = stdout(&output);
        assert!(texts(&list, "id").iter().all(|id| text.contains(id)), "{what}: {text}");
        assert!(text.lines().all(|line| line == line.trim_end()), "{what}: {text}");
    }
}

#[test]
fn requirements_know_who_names_and_who_breaks_them() {
    let (requirements, scenarios, defects) =
        (listed("requirements"), listed("scenarios"), listed("defects"));
    for requirement in requirements.as_array().unwrap() {
        let named = scenarios.as_array().unwrap().iter().filter(|scenario| {
            scenario["requirements"].as_array().unwrap().contains(&requirement["id"])
        });
        let named: Vec<_> = named.map(|scenario| scenario["id"].clone()).collect();
        assert_eq!(requirement["scenarios"].as_array().unwrap(), &named, "{}", requirement["id"]);
        let breaking = defects
            .as_array()
            .unwrap()
            .iter()
            .filter(|defect| defect["breaks"] == requirement["id"]);
        let breaking: Vec<_> = breaking.map(|defect| defect["id"].clone()).collect();
        assert_eq!(requirement["defects"].as_array().unwrap(), &breaking, "{}", requirement["id"]);
        assert_eq!(
            requirement["test"] == "none",
            !requirement["untestable"].is_null(),
            "{}",
            requirement["id"]
        );
    }
}

#[test]
fn listed_cases_can_be_selected() {
    let cases = listed("cases");
    let first = texts(&cases, "id")[0];
    let run = crate::program::Run::of(&[first, "--quiet"]);
    assert_eq!(texts(&run.record()["cases"], "id"), [first]);
}

#[test]
fn cells_and_boundaries_without_a_case_fail_the_listing() {
    let suite = small_suite();
    let path = suite.path().to_str().unwrap();
    let output = stateline([
        "list",
        "cells",
        "--profile",
        "agora-rtm-1x",
        "--suite",
        path,
        "--format",
        "json",
    ]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let list = json(&output);
    assert_eq!(keys(&list), ["cells", "boundaries"]);
    for cell in list["cells"].as_array().unwrap() {
        assert_eq!(
            keys(cell),
            ["profile", "state", "stimulus", "says", "rows", "requirements", "cases"]
        );
        let first = cell["state"] == "disconnected" && cell["stimulus"] == "login"
            || cell["state"] == "connecting" && cell["stimulus"] == "accepted";
        let expected = if first { vec!["agora-rtm-1x/login/accepted".into()] } else { Vec::new() };
        assert_eq!(cell["cases"], serde_json::Value::Array(expected), "{cell}");
    }
    let boundaries = list["boundaries"].as_array().unwrap();
    let mut timers = texts(&list["boundaries"], "timer");
    timers.dedup();
    assert_eq!(timers, ["login-timeout", "interruption", "presence"]);
    assert_eq!(boundaries.len(), 3 * timers.len());
    for boundary in boundaries {
        assert_eq!(keys(boundary), ["profile", "timer", "time_ms", "side", "cases"]);
        assert!(boundary["cases"].as_array().unwrap().is_empty());
    }
    let text = stdout(&stateline(["list", "cells", "--profile", "agora-rtm-1x", "--suite", path]));
    let cells = list["cells"].as_array().unwrap().len();
    let foot =
        format!("{cells} cells, {} without a case; 9 boundaries, 9 without a case\n", cells - 2);
    assert!(text.ends_with(&foot), "{text}");
    assert_eq!(text.matches("none !").count(), cells - 2 + 9);
}

#[test]
fn the_built_in_suite_leaves_no_cell_and_no_boundary_out() {
    let output = stateline(["list", "cells"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(!stdout(&output).contains("none !"));
}
