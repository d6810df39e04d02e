//! `stateline doctor`: what keeps to the protocol has no fault, and each check finds its own.
//!
//! Not responsible for the adapters: `doctor/odd.py` is one without the kit that breaks what it is told to.
//!
//! Invariant: a run finds the faults that it was given, each under its name, and no other.

use crate::adapters::python;
use crate::program::{code, json, keys, stateline, stderr, stdout};
use insta::assert_snapshot;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use tempfile::TempDir;

/// What is broken, the check that finds it, and words of what it says.
type Broken = (&'static str, &'static str, &'static str);

/// Faults of which each is found beside the others of its line.
const FAULTS: &[&[Broken]] = &[
    &[
        ("first-version", "picks-version", "-32001"),
        ("one-code", "no-json", "-32603 instead of -32700"),
        ("no-method", "no-method", "-32603 instead of -32601"),
        ("defaults", "missing-keys", "a result instead of error -32602"),
        ("lenient-numbers", "wrong-types", "a result instead of error -32602"),
        ("any-input", "no-input", "a result instead of error -32602"),
        ("forgiving", "no-client", "a result instead of error -32602"),
        ("opens-twice", "opened-twice", "a result instead of error -32602"),
        ("any-profile", "not-offered", "a result instead of error -32602"),
        ("back-in-time", "time-goes-back", "a result instead of error -32602"),
        ("lingers", "bye", "did not end within 2s"),
    ],
    &[
        ("any-version", "unknown-version", "took a version"),
        ("strict-keys", "unknown-keys", "-32602"),
        ("strips", "texts", "something else"),
        ("short-lines", "long-lines", "-32700"),
        ("bare-lines", "line-ends", "-32700"),
        ("answers-nothing", "empty-lines", "empty line"),
        ("answers-notifications", "notifications", "null instead of"),
        ("plain-users", "uids", "-32602"),
        ("small-numbers", "largest-numbers", "-32603"),
        ("exit-code", "bye", "exit code 3"),
        ("leaves", "left-behind", "left 1 process behind"),
        ("outlives-stdin", "stdin-ends", "did not end within 2s"),
    ],
    &[
        ("dies-of-garbage", "no-json", "exit code 7"),
        ("frames-unguarded", "odd-frames", "-32603"),
        ("short-frames", "long-frame", "frame too long"),
        ("shallow", "deep-frames", "exit code 7"),
        ("dies-of-strays", "stray-connections", "exit code 7"),
        ("shares", "two-clients", "another answer"),
    ],
    &[("leftovers", "reuse", "another answer"), ("restless", "empty-turns", "nothing was due")],
    &[("unseeded", "same-answers", "another answer")],
    &[("strict-order", "key-order", "-32700"), ("close-all", "close-and-open", "no client")],
    &[("dies-of-pongs", "cases", "exit code 7")],
    &[("spins", "progress", "more than 1000 turns")],
    &[("wakes", "quiet-hour", "an hour later")],
    &[("past", "next-us", "which is over")],
    &[("wall-clock", "next-us", "not from 1970")],
    &[("same-conn", "turns", "a second time")],
    &[("no-code", "turns", "`code`")],
    &[("no-next", "turns", "`next_us`")],
    &[("wrong-id", "answers", "instead of")],
    &[("twice", "answers", "nothing had asked for")],
    &[("prints", "messages-only", "no message")],
    &[("prints-always", "messages-only", "no message")],
    &[("banner", "messages-only", "odd SDK 1.0")],
    &[("no-client-key", "hello", "`client`")],
    &[("real-only", "lockstep", "`lockstep`")],
    &[("echo-text", "echo", "something else")],
    &[("open-fails", "open", "no licence")],
    &[("turn-fails", "turn", "no turns today")],
    &[("close-fails", "close", "cannot close")],
    &[("call-fails", "calls", "loginByToken")],
    &[("ignores-calls", "unknown-call", "no such method")],
    &[("answers-calls", "unknown-call", "no such method")],
];

/// What is broken so that no answer comes.
const SILENCES: &[Broken] = &[
    ("silent-to-strangers", "no-request", "no answer within 2s"),
    ("sleeps", "quiet-hour", "no answer within 2s"),
];

/// What can be better.
const ADVICE: &[&[Broken]] = &[
    &[("typo-key", "keys", "`unsuported`"), ("open-unsupported", "open", "no such variant")],
    &[("typo-profile", "profiles", "`agora-rtm-1.x`")],
    &[
        ("typo-unsupported", "unsupported", "`joinWithCompletions`"),
        ("no-dial", "dials", "made it dial"),
    ],
];

fn odd(arguments: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/doctor/odd.py");
    format!("python3 -S '{}' {arguments}", script.display())
}

/// The exit code and the report for programs.
fn examined(command: &str, flags: &[&str]) -> (i32, Value) {
    let args = ["doctor", command, "--format", "json"].into_iter().chain(flags.iter().copied());
    let output = stateline(args);
    assert!(!output.stdout.is_empty(), "{command}: {}", stderr(&output));
    (code(&output), json(&output))
}

/// The checks that ended like this, with what they say.
fn ended(report: &Value, status: &str) -> Vec<(String, String)> {
    let checks = report["checks"].as_array().unwrap().iter();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    checks
        .filter(|check| check["status"] == status)
        .map(|check| (text(check, "name"), text(check, "detail")))
        .collect()
}

/// An adapter with these faults is found to have them, and no other.
fn finds(broken: &[Broken], status: &str, flags: &[&str]) {
    let names: Vec<&str> = broken.iter().map(|(name, _, _)| *name).collect();
    let (code, report) = examined(&odd(&format!("--bad {}", names.join(","))), flags);
    let found = ended(&report, status);
    let have: BTreeSet<&str> = found.iter().map(|(check, _)| check.as_str()).collect();
    let want: BTreeSet<&str> = broken.iter().map(|(_, check, _)| *check).collect();
    assert_eq!(have, want, "{names:?}: {found:#?}");
    for (name, check, words) in broken {
        let detail = &found.iter().find(|(have, _)| have == check).unwrap().1;
        assert!(detail.contains(words), "{name}: {detail}");
    }
    let other = if status == "fault" { "advice" } else { "fault" };
    assert_eq!(ended(&report, other), [], "{names:?}");
    assert_eq!(code, i32::from(status == "fault"), "{names:?}");
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["help"].is_null(), check["status"] == "ok", "{check}");
    }
}

/// Every third of the table, so that the tests share the work.
fn third(n: usize) {
    for broken in FAULTS.iter().skip(n).step_by(3) {
        finds(broken, "fault", &[]);
    }
}

#[test]
fn each_check_finds_its_fault_1() {
    third(0);
}

#[test]
fn each_check_finds_its_fault_2() {
    third(1);
}

#[test]
fn each_check_finds_its_fault_3() {
    third(2);
}

#[test]
fn silence_is_a_fault() {
    for broken in SILENCES {
        finds(&[*broken], "fault", &["--call-timeout", "2s"]);
    }
}

#[test]
fn advice_is_no_fault() {
    for broken in ADVICE {
        finds(broken, "advice", &[]);
    }
}

#[test]
fn a_clock_of_its_own_is_found_by_real_pauses() {
    let (code, report) = examined(&odd("--bad ticks"), &[]);
    assert_eq!(code, 1);
    let found = ended(&report, "fault");
    assert!(!found.is_empty());
    // A machine that is slow enough pauses by itself, and then a check before that one finds it.
    let replays =
        ["same-answers", "reuse", "two-clients", "close-and-open", "empty-turns", "pauses"];
    for (check, detail) in found {
        assert!(replays.contains(&check.as_str()) && detail.contains("another answer"), "{detail}");
    }
}

#[test]
fn what_does_not_start_ends_with_3() {
    for (command, flags, words) in [
        ("no-such-program".to_owned(), &[][..], "no such program"),
        (odd("--bad no-start"), &[], "exit code 1"),
        (odd("--bad mute"), &["--start-timeout", "1s"], "no answer"),
    ] {
        let (code, report) = examined(&command, flags);
        assert_eq!(code, 3, "{command}");
        let found = ended(&report, "fault");
        assert!(found.len() == 1 && found[0].0 == "starts", "{found:?}");
        assert!(found[0].1.contains(words), "{found:?}");
    }
}

#[test]
fn what_keeps_to_the_protocol_has_no_fault() {
    let mut all: BTreeSet<String> = BTreeSet::new();
    for command in [odd(""), odd("--clients 1 --reuse no"), python("python/agora_rtm_1x.py", "")] {
        let (code, report) = examined(&command, &[]);
        assert_eq!(ended(&report, "fault"), [], "{command}");
        assert_eq!(ended(&report, "advice"), [], "{command}");
        assert_eq!((code, report["skipped"].as_array().unwrap().len()), (0, 0), "{command}");
        for time in ["hello_us", "turn_us", "echo_us"] {
            assert!(report["times"]["wall"][time].as_u64().unwrap() > 0, "{command}: {time}");
        }
        all.extend(ended(&report, "ok").into_iter().map(|(name, _)| name));
    }
    // Every check was seen to find something in this file.
    let broken = FAULTS.iter().chain(ADVICE).copied().flatten().chain(SILENCES);
    let mut found: BTreeSet<String> = broken.map(|(_, check, _)| (*check).to_owned()).collect();
    found.extend(["starts".to_owned(), "pauses".to_owned()]);
    assert_eq!(all, found);
}

#[test]
fn the_report_has_the_keys_of_the_contract() {
    let (_, report) = examined(&odd("--bad open-fails"), &[]);
    assert_eq!(keys(&report), ["adapter", "checks", "skipped", "times"]);
    let adapter = ["command", "client", "profile", "profiles", "time", "clients", "reuse"];
    assert_eq!(keys(&report["adapter"])[..7], adapter);
    assert_eq!(keys(&report["adapter"])[7..], ["capabilities", "unsupported"]);
    for check in report["checks"].as_array().unwrap() {
        let expected =
            ["group", "name", "status", "says", "detail", "sent", "came", "stderr", "help"];
        assert_eq!(keys(check), expected);
    }
    assert_eq!(keys(&report["skipped"][0]), ["group", "name"]);
    assert_eq!(keys(&report["times"]), ["wall"]);
    assert_eq!(keys(&report["times"]["wall"]), ["hello_us", "turn_us", "echo_us"]);
    let open = report["checks"].as_array().unwrap().iter();
    let open = open.clone().find(|check| check["name"] == "open").unwrap();
    assert!(open["sent"].as_str().unwrap().contains(r#""method":"open""#), "{open}");
    assert!(open["came"].as_str().unwrap().contains("-32603"), "{open}");
    assert!(open["stderr"].as_str().unwrap().contains("no licence"), "{open}");
}

/// The report for people, without what depends on the machine.
fn shown(arguments: &str) -> String {
    let command = odd(arguments);
    let output = stateline(["doctor", &command]);
    let text = stdout(&output);
    for line in text.lines() {
        assert!(line.chars().count() <= 80 || line.contains(&command), "{line}");
        assert_eq!(line, line.trim_end());
    }
    // The command begins in the second line or the first, and may take several.
    let begin = text.find("python3").unwrap();
    let end = begin + text[begin..].find("\nagora").unwrap();
    let times = text.find("\ntimes (never judged)").unwrap_or(text.len());
    let rest = text[times..].rsplit_once("\n\n").map_or("", |(_, rest)| rest);
    format!("{}COMMAND{}\n{rest}", &text[..begin], &text[end..times])
}

#[test]
fn the_report_for_people() {
    let text = shown("--clients 1");
    // Which cases those are hangs on the suite.
    let (before, rest) = text.split_once("cases can be played: ").unwrap();
    let (_, after) = rest.split_once("\n  ✓").unwrap();
    let text = format!("{before}cases can be played: …\n  ✓{after}");
    assert_snapshot!("doctor_finds_nothing", text);
    assert_snapshot!("doctor_finds_something", shown("--bad open-fails"));
}

#[test]
fn messages_are_logged() {
    let folder = TempDir::new().unwrap();
    let logs = ["--log-dir", folder.path().to_str().unwrap()];
    assert_eq!(examined(&odd("--bad open-fails"), &logs).0, 1);
    let log = std::fs::read_to_string(folder.path().join("adapter-0.log")).unwrap();
    for line in ["== echo", "→ {\"jsonrpc\"", "← {\"jsonrpc\"", "! RuntimeError"] {
        assert!(log.contains(line), "{line}");
    }
}

#[test]
fn what_cannot_be_asked_is_a_usage_error() {
    for (args, words) in [
        (&["doctor"][..], "CMD"),
        (&["doctor", " "], "empty"),
        (&["doctor", "python3 'a"], "quote"),
        (&["doctor", "builtin"], "no adapter"),
        (&["doctor", "true", "--profile", "agora"], "agora-rtm-1x"),
        (&["doctor", "true", "--cwd", "no/such/folder"], "no such folder"),
        (&["doctor", "true", "--env", "NAME"], "NAME=VALUE"),
    ] {
        let output = stateline(args.iter().copied());
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn a_profile_that_was_asked_for_has_to_be_named() {
    let asked = ["--profile", "agora-rtm-1x"];
    let (code, report) = examined(&odd("--bad typo-profile,real-only"), &asked);
    assert_eq!(code, 1);
    let found = ended(&report, "fault");
    assert!(found[0].0 == "profiles" && found[0].1.contains("`agora-rtm-1.x`"), "{found:?}");
}
