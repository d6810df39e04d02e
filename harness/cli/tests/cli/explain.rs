//! `explain`: every kind of thing, what a run adds to it, and what is said of ids that mean nothing.
//!
//! Not responsible for what the tables say. Words are compared on a tiny profile, so that nothing here hangs on a
//! suite that grows.
//!
//! Invariant: whatever `list` prints can be explained.

use crate::program::{Run, code, json, keys, stateline, stderr, stdout, texts};
use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

/// The keys of an explanation.
const KEYS: [&str; 7] = ["kind", "id", "profile", "title", "text", "facts", "data"];

const CONFLICTS: &str = "
profile: tiny
conflicts:
  - id: who-starts
    kind: gap
    title: Nobody is said to start
    sections: [Login, States]
    says: A login begins. Who begins it is not said.
    judged: The application begins it; whatever else begins one is a violation.
    why: Somebody must.
    requirements: [T-01, T-04]
    rows: [A1]
  - { id: six, kind: vague, title: From when 6 s count, sections: Login, says: 6 s., judged: From the call., why: It is known., rows: A3 }
";

const SCENARIO: &str = "
# Why it exists: there must be one.
id: login/works
purpose: A login works, soon or late.
tags: [first]
requirements: [T-01, T-02]
matrix: { wait: [1s, 2s], reply: { around: limit } }
body:
  - call: { alice: login }
  - server: { hold: { accept: alice }, until: \"login + ${reply}\" }
  - wait: ${wait}
";

/// A folder with the tiny profile, its conflicts and a scenario.
fn tiny() -> TempDir {
    let folder = TempDir::new().unwrap();
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/malformed/base");
    let suite = folder.path().join("suite/tiny");
    fs::create_dir_all(suite.join("login")).unwrap();
    for file in ["profile.yaml", "requirements.yaml"] {
        fs::copy(base.join(file), suite.join(file)).unwrap();
    }
    fs::write(suite.join("conflicts.yaml"), CONFLICTS).unwrap();
    fs::write(suite.join("login/works.yaml"), SCENARIO).unwrap();
    folder
}

/// `stateline explain` of the tiny profile alone.
fn of_tiny(folder: &TempDir, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stateline"));
    command.current_dir(folder.path());
    command.args(["explain", "--suite", "suite", "--profile", "tiny"]).args(args).output().unwrap()
}

fn explained(args: &[&str]) -> String {
    let output = stateline(["explain"].into_iter().chain(args.iter().copied()));
    assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
    stdout(&output)
}

fn articles(args: &[&str]) -> Vec<Value> {
    let output = stateline(["explain", "--format", "json"].into_iter().chain(args.iter().copied()));
    assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
    json(&output).as_array().unwrap().clone()
}

/// What is complained about.
fn refused(args: &[&str]) -> String {
    let output = stateline(["explain"].into_iter().chain(args.iter().copied()));
    assert_eq!(code(&output), 2, "{args:?}: {}", stdout(&output));
    assert_eq!(stdout(&output), "", "{args:?}");
    stderr(&output)
}

#[test]
fn every_kind_of_thing_is_told_in_words() {
    let folder = tiny();
    for (name, args) in [
        ("profile", &["profile", "tiny"][..]),
        ("requirement", &["T-01"]),
        ("requirement-untestable", &["T-05"]),
        ("row", &["A3"]),
        ("row-never", &["A4"]),
        ("row-settles", &["Q1"]),
        ("state", &["busy"]),
        ("stimulus", &["silence"]),
        ("cell", &["busy/silence"]),
        ("cell-forbidden", &["ready x accepted"]),
        ("scenario", &["login/works"]),
        ("case", &["login/works[wait=1s,reply=after]"]),
        ("conflict", &["who-starts"]),
        ("method", &["signIn"]),
        ("reason", &["failed"]),
        ("code", &["code.login/token-expired"]),
        ("callback", &["onTold"]),
        ("timer", &["limit"]),
        ("cap", &["settle"]),
        ("clock", &["clock", "login"]),
        ("exit", &["exit", "5"]),
        ("verdict", &["fail"]),
        ("steering-missed", &["steering-missed"]),
        ("adapter-died", &["adapter-died"]),
        ("basis", &["erratum"]),
        ("several", &["login"]),
        ("of-a-kind", &["conflict"]),
        ("conflicts", &["--conflicts"]),
    ] {
        let output = of_tiny(&folder, args);
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
        let text = stdout(&output);
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!(format!("explain-{name}"), text);
        });
    }
}

#[test]
fn explanations_have_one_shape_for_programs() {
    let folder = tiny();
    let args = ["--format", "json", "A3", "busy/silence", "login"];
    let output = of_tiny(&folder, &args);
    let all = json(&output);
    for article in all.as_array().unwrap() {
        assert_eq!(keys(article), KEYS);
        assert_eq!(article["profile"], "tiny");
        let (id, title) = (article["id"].as_str().unwrap(), article["title"].as_str().unwrap());
        assert!(title.starts_with(&format!("{id}: ")), "{title}");
        assert!(!article["facts"].as_object().unwrap().is_empty(), "{article}");
    }
    // Programs get everything that an id may mean.
    let kinds = texts(&all, "kind");
    assert_eq!(kinds, ["row", "cell", "stimulus", "call", "clock"]);
    assert_eq!(all[0]["data"]["kind"], "transition");
    assert_eq!(all[0]["data"]["requirements"], serde_json::json!(["T-03"]));
    assert_eq!(all[1]["data"]["rows"], serde_json::json!(["A3"]));
    assert_eq!(all[0]["facts"]["moves-to"], "idle");
}

#[test]
fn letter_case_and_the_profile_do_not_matter() {
    let only =
        |asked: &[&'static str]| explained(&[&["--profile", "agora-rtm-1x"], asked].concat());
    let plain = only(&["C2"]);
    for asked in ["c2", "agora-rtm-1x/C2", "AGORA-RTM-1X/c2"] {
        assert_eq!(only(&[asked]), plain);
        assert_eq!(only(&["row", asked]), plain);
    }
    assert_eq!(explained(&["agora-rtm-1x/C2"]), plain);
    assert_eq!(only(&["network-drop/reported"]), only(&["agora-rtm-1x/network-drop/reported"]));
    assert_eq!(only(&["LOGIN_ERR_TIMEOUT"]), only(&["code.login", "timeout"]));
    let both = only(&["C2", "L6"]);
    assert_eq!(both, format!("{plain}\n{}", only(&["L6"])));
}

#[test]
fn everything_that_is_listed_can_be_explained() {
    let mut n_told = 0;
    for what in ["scenarios", "cases", "requirements", "profiles", "defects", "designs"] {
        let list = json(&stateline(["list", what, "--format", "json"]));
        let ids = texts(&list, "id");
        let all = articles(&ids);
        for id in &ids {
            assert!(all.iter().any(|article| article["id"] == *id), "{what}: {id}");
        }
        n_told += ids.len();
    }
    let cells = json(&stateline(["list", "cells", "--format", "json"]));
    let cells = cells["cells"].as_array().unwrap();
    let ids = cells.iter().map(|cell| {
        format!("{}/{}", cell["state"].as_str().unwrap(), cell["stimulus"].as_str().unwrap())
    });
    let ids: Vec<String> = ids.collect();
    let all = articles(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    for (id, cell) in ids.iter().zip(cells) {
        let told = all.iter().find(|article| {
            article["kind"] == "cell"
                && article["id"] == **id
                && article["profile"] == cell["profile"]
        });
        assert_eq!(told.unwrap()["data"]["rows"], cell["rows"], "{id}");
    }
    let mut rows: Vec<String> = Vec::new();
    for cell in cells {
        let profile = cell["profile"].as_str().unwrap();
        let own = cell["rows"].as_array().unwrap().iter().filter_map(Value::as_str);
        rows.extend(own.map(|row| format!("{profile}/{row}")));
    }
    rows.sort_unstable();
    rows.dedup();
    let asked: Vec<&str> = std::iter::once("row").chain(rows.iter().map(String::as_str)).collect();
    let told = articles(&asked);
    let told: Vec<String> = told
        .iter()
        .map(|row| format!("{}/{}", row["profile"].as_str().unwrap(), row["id"].as_str().unwrap()))
        .collect();
    assert_eq!(told, rows);
    assert!(n_told > 100 && !cells.is_empty());
    let requirement = &json(&stateline(["list", "requirements", "--format", "json"]))[0];
    let text = explained(&[requirement["id"].as_str().unwrap()]);
    for id in ["scenarios", "defects"].iter().flat_map(|list| requirement[list].as_array().unwrap())
    {
        let id = id.as_str().unwrap();
        assert!(text.contains(id.strip_prefix("agora-rtm-1x/").unwrap_or(id)), "{id}: {text}");
    }
}

#[test]
fn ids_that_mean_nothing_have_neighbours() {
    let text = refused(&["RTM-CONN-2"]);
    assert!(text.contains("nothing has the id `RTM-CONN-2`; the nearest: RTM-CONN-02"), "{text}");
    let text = refused(&["row", "C22"]);
    assert!(text.contains("no row has the id `C22`; the nearest: C2"), "{text}");
    let text = refused(&["login/acepted"]);
    assert!(text.contains("agora-rtm-1x/login/accepted"), "{text}");
    // A kind with an id of another kind.
    let text = refused(&["row", "RTM-CONN-02"]);
    assert!(text.contains("no row has the id `RTM-CONN-02`"), "{text}");
    // One of several is enough.
    assert!(refused(&["C2", "C22"]).contains("`C22`"));
    assert!(refused(&[]).contains("<ID>"));
}

#[test]
fn conflicts_are_told_on_a_page_and_as_data() {
    let output = stateline(["explain", "--conflicts", "--format", "json"]);
    let list = json(&output);
    let all = list.as_array().unwrap();
    assert!(all.iter().any(|conflict| conflict["profile"] == "agora-rtm-1x"));
    for conflict in all {
        assert_eq!(
            keys(conflict),
            [
                "id",
                "profile",
                "kind",
                "title",
                "sections",
                "says",
                "judged",
                "why",
                "requirements",
                "rows"
            ]
        );
    }
    let page = explained(&["--conflicts", "--profile", "agora-rtm-1x"]);
    for id in texts(&list, "id") {
        assert!(page.contains(&format!("\n{id} (")), "{id}");
    }
    let ids = texts(&list, "id");
    assert_eq!(articles(&ids).len(), ids.len());
    assert!(refused(&["--conflicts", "C2"]).contains("cannot be used with"));
}

#[test]
fn what_a_run_says_is_told_beside() {
    let run = Run::of(&[
        "network-drop/reported[kind=reset*",
        "login/accepted",
        "--client",
        "builtin:early-reconnecting",
        "--quiet",
    ]);
    assert_eq!(run.code(), 1);
    let file = run.file("run.json");
    let (file, folder) = (file.to_str().unwrap(), file.parent().unwrap().to_str().unwrap());

    let all = articles(&["finding", "--run", folder]);
    assert_eq!(all[0]["data"].as_array().unwrap().len(), 1);
    assert_eq!(all[0]["data"][0]["requirement"], "RTM-CONN-02");
    assert_eq!(all[0]["data"][0]["cases"], 2);

    let finding = &articles(&["finding", "1", "--run", file])[0];
    assert_eq!(
        (&finding["kind"], &finding["data"]["finding"]["row"]),
        (&"finding".into(), &"C2".into())
    );
    let facts = &finding["facts"];
    let list =
        |key: &str| facts[key].as_array().unwrap_or_else(|| panic!("{key}: {facts}")).clone();
    // The way from the start, by the rows that explain it; then the step that no row explains.
    let way: Vec<String> =
        list("allowed").iter().map(|step| step.as_str().unwrap().to_owned()).collect();
    for (step, part) in
        way.iter().zip([": disconnected", ": connecting by L1: ", ": connected by L3: "])
    {
        assert!(step.contains(part), "{step}");
    }
    assert_eq!(way.len(), 3);
    let left = list("then")[0].as_str().unwrap().to_owned();
    assert!(left.contains("state reconnecting") && left.ends_with("too early, by C2"), "{left}");
    assert!(
        list("instead")[0].as_str().unwrap().starts_with("C2: must a report (state reconnecting")
    );
    assert!(list("trace").len() > 2);
    assert!(
        facts["play-it-again"].as_str().unwrap().contains("--client builtin:early-reconnecting")
    );
    assert!(list("look-at")[0].as_str().unwrap().contains("trigger"));

    let case =
        &articles(&["agora-rtm-1x/network-drop/reported[kind=reset,beat=on]", "--run", folder])[0];
    assert!(case["facts"]["verdict"].as_str().unwrap().starts_with("FAIL: "));
    assert_eq!(case["facts"]["allowed"], facts["allowed"]);
    assert_eq!(case["data"]["runs"].as_array().unwrap().len(), 1);
    let passed = &articles(&["login/accepted", "--run", folder])[0];
    assert!(passed["facts"]["verdict"].as_str().unwrap().starts_with("PASS: "));
    let other = &articles(&["login/twice[state=connected]", "--run", folder])[0];
    assert_eq!(other["facts"]["verdict"], "the run did not select it");

    let told = articles(&[
        "RTM-CONN-02",
        "RTM-LOGIN-03",
        "RTM-ABORT-01",
        "agora-rtm-1x/C2",
        "--run",
        folder,
    ]);
    let status = |at: usize| told[at]["facts"]["status"].as_str().unwrap_or_default().to_owned();
    assert!(
        status(0).starts_with("violated: ") && status(0).ends_with("In 2 cases."),
        "{}",
        status(0)
    );
    assert!(status(1).starts_with("satisfied: "), "{}", status(1));
    assert!(status(2).starts_with("unexercised: "), "{}", status(2));
    assert!(
        told[3]["facts"]["findings"][0].as_str().unwrap().starts_with("1. RTM-CONN-02 by row C2")
    );
}

/// A record as a run left it, with one case undecided and told in no story.
#[test]
fn undecided_cases_and_hostile_words_are_told() {
    let run = Run::of(&["login/accepted", "--quiet"]);
    let file = run.file("run.json");
    let mut record = run.record();
    let case = &mut record["cases"][0];
    case["verdict"] = "INCONCLUSIVE".into();
    case["reason"] = "steering-missed: \u{1b}[31mreach".into();
    case["story"] = Value::Null;
    fs::write(&file, record.to_string()).unwrap();
    let text = explained(&["login/accepted", "--run", file.to_str().unwrap()]);
    assert!(
        text.contains("INCONCLUSIVE: ") && text.contains("A step of the script waited"),
        "{text}"
    );
    assert!(text.contains("the record does not hold what the table expected"), "{text}");
    assert!(!text.contains('\u{1b}') && text.contains("\\u{1b}[31mreach"), "{text}");

    let case = &mut record["cases"][0];
    case["verdict"] = Value::Null;
    case["not_applicable"] = "the client lacks x".into();
    record["profiles"][0]["digest"] = "another".into();
    fs::write(&file, record.to_string()).unwrap();
    let text = explained(&["login/accepted", "RTM-LOGIN-02", "--run", file.to_str().unwrap()]);
    assert!(text.contains("not applicable: the client lacks x"), "{text}");
    assert!(text.contains("the profile has changed since the run"), "{text}");
}

#[test]
fn a_run_that_cannot_be_read_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    assert!(refused(&["C2", "--run", &path("none")]).contains("cannot read"));
    fs::write(path("journal.jsonl"), "{}").unwrap();
    assert!(refused(&["C2", "--run", &path("")]).contains("stateline judge"));
    for (text, why) in [
        ("{", "it is no JSON"),
        ("{}", "it is no run record"),
        (r#"{"schema": "stateline.run/99"}"#, "stateline.run/99"),
        (r#"{"schema": "stateline.run/1"}"#, "missing field"),
    ] {
        fs::write(path("run.json"), text).unwrap();
        let told = refused(&["C2", "--run", &path("")]);
        assert!(told.contains(why), "{told}");
    }
    assert!(refused(&["finding", "1"]).contains("--run"));
}
