//! `list` and `explain`: what programs read, and what people read.
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

/// An explanation.
fn explained(id: &str) -> String {
    let output = stateline(["explain", id]);
    assert_eq!(code(&output), 0, "{id}: {}", stderr(&output));
    stdout(&output)
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
    let output = stateline(["list", "cells", "--suite", path, "--format", "json"]);
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
    let text = stdout(&stateline(["list", "cells", "--suite", path]));
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

#[test]
fn every_kind_of_id_is_explained() {
    for (id, says) in [
        ("RTM-CONN-02", "requirement of agora-rtm-1x"),
        ("C2", "row of machine connection of agora-rtm-1x"),
        ("reconnecting", "state of agora-rtm-1x"),
        ("interrupted", "stimulus of agora-rtm-1x"),
        ("network-drop/around-presence", "scenario of "),
        ("agora-rtm-1x/login/accepted", "case"),
        ("stops-pinging", "defect of the reference client for agora-rtm-1x"),
        ("prompt", "design of the reference client for agora-rtm-1x"),
    ] {
        let text = explained(id);
        assert!(
            text.lines().next().unwrap().contains(&format!("{id}: {says}")) || text.contains(says),
            "{text}"
        );
        assert_eq!(explained(&id.to_uppercase()), text, "{id}");
    }
    let short = explained("network-drop/around-presence");
    assert_eq!(explained("agora-rtm-1x/network-drop/around-presence"), short);
}

#[test]
fn everything_that_is_listed_can_be_explained() {
    let requirement = &listed("requirements")[0];
    let text = explained(requirement["id"].as_str().unwrap());
    for list in ["scenarios", "defects"] {
        for id in requirement[list].as_array().unwrap() {
            let id = id.as_str().unwrap();
            assert!(text.contains(id.strip_prefix("agora-rtm-1x/").unwrap_or(id)), "{id}: {text}");
        }
    }
    let all = ["cases", "scenarios", "designs"].map(listed);
    for id in all.iter().flat_map(|list| texts(list, "id").into_iter().rev().take(2)) {
        assert!(!explained(id).is_empty());
    }
}

#[test]
fn a_row_is_told_in_words_and_as_it_is_written() {
    let text = explained("C4");
    for part in [
        "a login elsewhere moves Connected to Aborted",
        "RTM-CONN-04 (MUST)",
        "from           connected\n",
        "trigger        server.superseded\n",
        "window         opens with the trigger, lasts 5s (the cap dial: a warning then, a failure at twice)\n",
        "closed by      a report (state aborted, reason remote-login)\n",
        "moves to       aborted\n",
        "scenarios/agora-rtm-1x/profile.yaml:",
        "- id: C4\n",
        "emit: { state: aborted, reason: remote-login }\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
