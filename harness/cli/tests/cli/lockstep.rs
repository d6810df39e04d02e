//! Adapters that behave: the independent client, clients that lack something, and the flags that
//! adapters have.
//!
//! Not responsible for adapters that misbehave (`hostile`).
//!
//! Invariant: each message of these runs that is looked at is valid under the schema of the protocol.

use crate::adapters::{Site, endings, names, printed, python};
use crate::program::{code, stderr, stdout};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

const CLIENT: &str = "python/agora_rtm_1x.py";

/// A client on the kit that is the independent one, with other words in `hello` and other manners.
const OTHER: &str = r#"
import os, sys
sys.path.insert(0, os.environ["KIT"])
import agora_rtm_1x as theirs
import stateline_adapter as kit

class Other(theirs.Rtm):
    def __init__(self, host, opening):
        if MODE == "no-open":
            raise kit.Unsupported("the SDK has no such parameter")
        print("made by", os.environ.get("WHO"), "in", os.path.basename(os.getcwd()), file=sys.stderr)
        super().__init__(host, opening)

    def call(self, call, op, args):
        if MODE == "no-leave-late" and op == "leaveWithCompletion":
            return self.host.unsupported(call)
        if "token" in args:
            print("the token is", args["token"], file=sys.stderr)
        super().call(call, op, args)

MODE = sys.argv[1]
hello = dict(name="other", version="7", profiles=["agora-rtm-1x"])
hello.update({
    "plain": {},
    "one": {"clients": 1, "reuse": False},
    "no-leave": {"unsupported": ["LEAVEwithCompletion"]},
    "no-login": {"unsupported": ["loginByToken"]},
    "stranger": {"profiles": ["no-such-profile"]},
}.get(MODE, {}))
if MODE == "real":
    take = kit._encode
    kit._encode = lambda value: take(value).replace('"time":["lockstep"]', '"time":["real"]')
kit.serve(Other, **hello)
"#;

/// Runs the other client, in a mode.
fn other(site: &Site, mode: &str, more: &[&str]) -> std::process::Output {
    let script = site.work().join("other.py");
    fs::write(&script, OTHER).unwrap();
    let kit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/clients/python");
    let client = format!("python3 -S '{}' {mode}", script.display());
    let kit = format!("KIT={kit}");
    let more: Vec<&str> = more.iter().copied().chain(["--env", &kit]).collect();
    site.run(&client, &more)
}

fn not_applicable(record: &Value) -> BTreeSet<&str> {
    let cases = record["cases"].as_array().unwrap();
    cases.iter().filter_map(|case| case["not_applicable"].as_str()).collect()
}

/// A validator for one definition of the schema.
fn validator(name: &str) -> Validator {
    let text = include_str!("../../../protocol.schema.json");
    let mut schema: Value = serde_json::from_str(text).unwrap();
    schema["anyOf"] = json!([{ "$ref": format!("#/$defs/{name}") }]);
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn the_independent_client_passes_every_case_and_each_message_is_valid() {
    let site = Site::new();
    let logs = site.work().join("logs");
    let log_dir = logs.to_str().unwrap();
    let output =
        site.run(&python(CLIENT, ""), &["--seed", "3", "--no-trace", "--log-dir", log_dir]);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    let record = site.record().unwrap();
    let totals = &record["totals"];
    assert_eq!(totals["planned"], totals["pass"]);
    assert!(totals["planned"].as_u64().unwrap() >= 200, "{totals}");
    assert_eq!(totals["warnings"], 0);
    assert_eq!(record["run"]["client"]["name"], "agora-rtm-1x in Python");
    assert_eq!(record["run"]["wall"]["notes"], json!([]));

    assert_eq!(names(&logs), ["adapter-0.log"]);
    let text = fs::read_to_string(logs.join("adapter-0.log")).unwrap();
    let requests = validator("request");
    let kinds = ["hello", "open", "turn", "close", "echo"];
    let answers = kinds.map(|kind| (kind, validator(&format!("{kind}Answer"))));
    let (mut asked, mut counts) = (String::new(), [0_u32; 5]);
    for line in text.lines() {
        if let Some(sent) = line.strip_prefix("→ ") {
            let sent = serde_json::from_str(sent).unwrap();
            assert!(requests.is_valid(&sent), "{line}");
            asked = sent["method"].as_str().unwrap().to_owned();
        } else if let Some(came) = line.strip_prefix("← ") {
            let at = kinds.iter().position(|kind| *kind == asked).unwrap();
            let valid = answers[at].1.is_valid(&serde_json::from_str(came).unwrap());
            assert!(valid, "{asked}: {line}");
            counts[at] += 1;
        }
    }
    assert_eq!(counts[0], 1, "one process served all cases");
    assert!(counts[1] >= 200 && counts[1] == counts[3] && counts[2] > 10_000, "{counts:?}");
    let n_cases = text.lines().filter(|line| line.starts_with("== ")).count() as u64;
    assert_eq!(totals["planned"], n_cases);
}

#[test]
fn two_runs_with_one_seed_are_the_same_on_however_many_threads() {
    let run = |seed: &str, jobs: &str| {
        let site = Site::new();
        // The last --jobs counts.
        let more = ["token/*", "remote-login/*", "--repeat", "2", "--seed", seed, "--jobs", jobs];
        let output = site.run(&python(CLIENT, ""), &more);
        assert_eq!(code(&output), 0, "{}", stdout(&output));
        crate::program::without_wall(site.record().unwrap()).to_string()
    };
    let first = run("5", "1");
    assert_eq!(first, run("5", "2"));
    assert_ne!(first, run("6", "1"));
}

#[test]
fn each_fault_of_the_independent_client_is_named() {
    let faults = printed(CLIENT, "--list-faults");
    let mut n = 0;
    for line in faults.lines() {
        let (name, rest) = line.split_once('\t').unwrap();
        let (breaks, _) = rest.split_once('\t').unwrap();
        let site = Site::new();
        let client = python(CLIENT, &format!("--fault {name}"));
        // Some are found by what every outage demands, and named by no case.
        let filter = [&*format!("req:{breaks}"), "network-drop/within-presence*", "--no-trace"];
        let output = site.run(&client, &filter);
        assert_eq!(code(&output), 1, "{name}: {}", stdout(&output));
        let record = site.record().unwrap();
        let mut first = BTreeSet::new();
        for case in record["cases"].as_array().unwrap() {
            let finding = case["findings"].as_array().unwrap().first();
            first
                .extend(finding.map(|finding| finding["requirement"].as_str().unwrap().to_owned()));
        }
        assert!(first.contains(breaks), "{name}: {first:?}");
        n += 1;
    }
    assert!(n >= 6, "{faults}");
}

#[test]
fn what_a_client_lacks_is_not_applicable_and_told() {
    // Said at the beginning, and said when it is called: the same cases are left out.
    let mut left_out = Vec::new();
    for (mode, reason) in [
        ("no-leave", "the client does not support leaveWithCompletion"),
        ("no-leave-late", "the client does not support leave"),
    ] {
        let site = Site::new();
        let output = other(&site, mode, &["*leave*", "login/*", "presence/*", "connected/*"]);
        let record = site.record().unwrap();
        assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
        let reasons = not_applicable(&record);
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert!(reasons.iter().all(|have| have.eq_ignore_ascii_case(reason)), "{reasons:?}");
        let totals = &record["totals"];
        let (n, all) =
            (totals["not_applicable"].as_u64().unwrap(), totals["planned"].as_u64().unwrap());
        assert!(n > 0 && totals["pass"].as_u64().unwrap() == all - n, "{totals}");
        assert!(stdout(&output).contains(&format!("{} of {all} applicable", all - n)));
        assert!(stdout(&output).contains("not applicable"));
        let cases = record["cases"].as_array().unwrap().iter();
        let ids = cases.filter(|case| !case["not_applicable"].is_null()).map(|case| &case["id"]);
        left_out.push(ids.cloned().collect::<Vec<_>>());
    }
    assert_eq!(left_out[0], left_out[1]);
}

#[test]
fn a_client_for_which_nothing_is_applicable_is_no_success() {
    for (mode, reason) in [
        ("no-login", "the client does not support loginByToken"),
        ("no-open", "the SDK has no such parameter"),
        ("stranger", "the client does not know profile agora-rtm-1x"),
        ("real", "the client cannot be driven in lockstep"),
    ] {
        let site = Site::new();
        let output = other(&site, mode, &["login/*"]);
        assert_eq!(code(&output), 4, "{mode}: {}", stdout(&output));
        assert!(stderr(&output).contains("no selected case is applicable"), "{}", stderr(&output));
        let record = site.record().unwrap();
        assert_eq!(not_applicable(&record).into_iter().collect::<Vec<_>>(), [reason], "{mode}");
        assert_eq!(record["totals"]["planned"], record["totals"]["not_applicable"]);
    }
}

#[test]
fn too_little_coverage_is_no_success() {
    let site = Site::new();
    let output = other(&site, "plain", &["login/accepted", "--min-coverage", "50"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("below --min-coverage 50"), "{}", stderr(&output));
    let output = other(&site, "plain", &["login/accepted", "--min-coverage", "5"]);
    assert_eq!(code(&output), 0);
}

#[test]
fn more_clients_than_sessions_are_not_applicable() {
    let site = Site::new();
    let more = ["remote-login/*", "network-drop/around-presence*", "--max-sessions", "1"];
    let output = other(&site, "plain", &more);
    let record = site.record().unwrap();
    let reasons = not_applicable(&record);
    assert_eq!(
        reasons.into_iter().collect::<Vec<_>>(),
        ["it opens 2 clients at once, and --max-sessions is 1"]
    );
    let totals = &record["totals"];
    assert!(totals["pass"].as_u64() > Some(0), "{totals}{}", stderr(&output));
}

#[test]
fn a_process_that_serves_one_client_of_one_case_plays_the_same() {
    let filter = ["login/accepted", "network-drop/around-presence[kind=reset*"];
    let plain = Site::new();
    assert_eq!(code(&other(&plain, "plain", &filter)), 0);
    let one = Site::new();
    let logs = one.work().join("logs");
    let more: Vec<&str> =
        filter.iter().copied().chain(["--log-dir", logs.to_str().unwrap()]).collect();
    assert_eq!(code(&other(&one, "one", &more)), 0);
    assert_eq!(endings(&plain.record().unwrap()), endings(&one.record().unwrap()));
    let text = fs::read_to_string(logs.join("adapter-0.log")).unwrap();
    // One for the only client of a case, two for the other cases.
    let cases = one.record().unwrap()["cases"].as_array().unwrap().len();
    assert_eq!(text.matches(r#""method":"hello""#).count(), 1 + 2 * (cases - 1));
}

#[test]
fn folder_environment_and_stderr_reach_where_they_should_and_no_token_does() {
    let site = Site::new();
    let (cwd, logs) = (site.work().join("there"), site.work().join("logs"));
    fs::create_dir(&cwd).unwrap();
    let more = [
        "login/accepted",
        "--cwd",
        cwd.to_str().unwrap(),
        "--env",
        "WHO=nobody",
        "--log-dir",
        logs.to_str().unwrap(),
    ];
    assert_eq!(code(&other(&site, "plain", &more)), 0);
    let record = site.record().unwrap();
    let told = record["cases"][0]["wall"]["stderr"].as_str().unwrap();
    assert!(told.contains("made by nobody in there"), "{told}");
    assert!(told.contains("the token is <token alice#1>"), "{told}");
    let log = fs::read_to_string(logs.join("adapter-0.log")).unwrap();
    assert!(log.contains("! made by nobody in there"), "{log}");
    for text in [record.to_string(), log] {
        assert!(!text.contains("lab1."), "{text}");
    }
}

#[test]
fn a_case_can_be_watched() {
    let site = Site::new();
    let output = other(&site, "plain", &["--debug", "login/accepted", "--call-timeout", "1ms"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told = stdout(&output);
    for part in [
        "harness  step  text=reach: {alice: connected}",
        "control  call login",
        "control  state connected",
        "turn     waits for input, or until ",
        "wire     → login",
        "1 of 1 applicable",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("lab1."), "{told}");
    let several = other(&site, "plain", &["--debug", "login/"]);
    assert_eq!(code(&several), 2);
    assert!(stderr(&several).contains("say which"), "{}", stderr(&several));
    assert_eq!(code(&other(&site, "plain", &["--debug", "no-such-case"])), 2);
}

#[test]
fn mistakes_on_the_command_line_are_found_before_anything_is_started() {
    let site = Site::new();
    for (more, says) in [
        (["--cwd", "no-such-folder"], "there is no such folder"),
        (["--env", "NAME"], "NAME=VALUE"),
        (["--profile", "no-such-profile"], "there is no profile"),
        (["--call-timeout", "soon"], "soon"),
    ] {
        let output = site.run("false", &more);
        assert_eq!(code(&output), 2, "{more:?}");
        assert!(stderr(&output).contains(says), "{more:?}: {}", stderr(&output));
    }
    let output = site.run("'open quote", &[]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("ends within a quote"), "{}", stderr(&output));
}
