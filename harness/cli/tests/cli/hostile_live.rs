//! Hostile adapters in real time, and runs that are interrupted: whatever happens costs its case, never
//! the run, and leaves nothing behind.
//!
//! Not responsible for the misdeeds themselves: `fixtures/clients/hostile/live.py` has one a name. All of
//! them are run; what each is answered with stands in the snapshot.
//!
//! Invariant: every other case passes. What a stall of the machine spoils is no fault, and is rare.

use crate::adapters::{Site, interrupted_until_gone, printed, python, signal};
use crate::hostile::without_id;
use crate::program::{code, read, scenarios, stateline, stderr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::retry_on_intr;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Mutex;
use tempfile::TempDir;

/// A login and a logout, of clients that are good and of one that is not; and a case that takes long.
const SCENARIOS: [(&str, &str, &str); 3] =
    [("good", "alice", "\"${pause}\""), ("spoilt", "mallory", "600ms"), ("slow", "alice", "60s")];
const SPOILT: &str = "agora-rtm-1x/quick/spoilt";

/// The longest that the quick cases are planned to be, and so the longest that one may last.
const LONGEST: &str = "9s";

/// What costs more than the case that is spoilt.
const COSTS_ALL: [&str; 2] = ["restarts-fail", "lockstep-alone"];

/// What is only noticed because nothing comes. These have short limits.
const SILENT: [&str; 10] = [
    "never-answers-open",
    "never-answers-call",
    "hangs-in-open",
    "hangs-in-call",
    "hangs-in-close",
    "hangs-in-bye",
    "stops-itself",
    "stops-reading",
    "half-a-line",
    "closes-stdout",
];

/// What a client does on its connections and is judged for, if it comes to that: the adapter does nothing
/// wrong.
const JUDGED: [&str; 8] = [
    "dials-and-never-speaks",
    "garbage-instead-of-http",
    "much-before-the-answer",
    "wrong-path",
    "no-subprotocol",
    "unmasked",
    "long-frame",
    "never-reads",
];

/// What may be over before it is too much: then it is nobody's business, or judged.
const RACES: [&str; 2] = ["floods-frames", "floods-pings"];

/// The scenarios, with the profile that they are of.
pub(crate) fn suite() -> TempDir {
    let folder = TempDir::new().unwrap();
    let profile = folder.path().join("agora-rtm-1x");
    fs::create_dir_all(profile.join("quick")).unwrap();
    for name in ["profile.yaml", "requirements.yaml", "wire.yaml"] {
        fs::copy(scenarios().join("agora-rtm-1x").join(name), profile.join(name)).unwrap();
    }
    for (name, uid, pause) in SCENARIOS {
        let matrix = if name == "good" { "matrix: { pause: [300ms, 400ms, 500ms] }\n" } else { "" };
        let text = format!(
            "id: quick/{name}\npurpose: A login that is accepted, and a logout.\ntags: [login]\n\
             clients: [{uid}]\n{matrix}requirements: [RTM-LOGIN-02]\nbody:\n\
             \x20 - call: {{ {uid}: login }}\n  - reach: {{ {uid}: connected }}\n\
             \x20 - wait: {pause}\n  - call: {{ {uid}: logout }}\n\
             \x20 - reach: {{ {uid}: disconnected }}\n"
        );
        fs::write(profile.join(format!("quick/{name}.yaml")), text).unwrap();
    }
    folder
}

fn live(fault: &str) -> String {
    let fault = if fault.is_empty() { String::new() } else { format!("--fault {fault}") };
    python("hostile/live.py", &fault)
}

/// What a trial came to.
#[derive(Default)]
struct Outcome {
    text: String,
    others: usize,
    stalled: usize,
    wrong: Vec<String>,
}

fn attempt(name: &str, does: &str, suite: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let limit = if SILENT.contains(&name) { "5s" } else { "100s" };
    let judged = JUDGED.contains(&name);
    let mut args = vec!["--time", "real", "--suite", suite, "--max-length", LONGEST];
    args.extend(["--call-timeout", limit, "--start-timeout", "100s"]);
    args.extend(if judged { ["--retries", "0"].as_slice() } else { &["--no-trace"] });
    let site = Site::new();
    let output = site.run(&live(name), &args);
    let Some(record) = site.record() else {
        outcome.wrong.push(format!("{name}: there is no record: {}", stderr(&output)));
        return outcome;
    };
    let (work, out) = site.left_behind();
    if !work.is_empty() || out != ["junit.xml", "report.html", "run.json"] {
        outcome.wrong.push(format!("{name}: files were left behind: {work:?} {out:?}"));
    }
    let mut text = format!("{name}: {does}\n");
    let mut lines = BTreeSet::new();
    for case in record["cases"].as_array().unwrap() {
        let verdict = case["verdict"].as_str().unwrap_or("not applicable");
        let reason = ["reason", "not_applicable"].into_iter().find_map(|key| case[key].as_str());
        let reason = reason.unwrap_or_default();
        if case["id"] == "agora-rtm-1x/quick/slow" {
            assert_eq!(verdict, "not applicable", "{reason}");
            continue;
        }
        if case["id"] == SPOILT && RACES.contains(&name) {
            if verdict == "ERROR" && !reason.contains("flood: more than ") {
                outcome.wrong.push(format!("{name}: {reason}"));
            }
            lines.insert("  is judged, or too much".to_owned());
        } else if case["id"] == SPOILT && judged {
            if ["PASS", "ERROR"].contains(&verdict) {
                outcome.wrong.push(format!("{name}: is judged as {verdict}: {reason}"));
            }
            lines.insert("  is judged".to_owned());
            lines.extend(remarks(case).map(|remark| format!("  remark {remark}")));
        } else if case["id"] == SPOILT || COSTS_ALL.contains(&name) {
            lines.insert(format!("  {verdict} {}", stable(reason)));
        } else {
            outcome.others += 1;
            let is_stalled = verdict == "INCONCLUSIVE" && code(&output) != 0;
            outcome.stalled += usize::from(is_stalled);
            if verdict != "PASS" && !is_stalled {
                let id = &case["id"];
                outcome.wrong.push(format!("{name}: {id} is {verdict}: {reason}"));
            }
        }
    }
    for line in lines {
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    let notes = record["run"]["wall"]["notes"].as_array().unwrap();
    let notes = notes.iter().map(|note| note.as_str().unwrap());
    // A fault of the process is told to the cases that are open by then, if there are any.
    for note in notes.filter(|note| !note.contains("told of closed clients")) {
        writeln!(text, "  note {note}").unwrap();
    }
    if !judged && !RACES.contains(&name) && outcome.stalled == 0 {
        let expected = match name {
            "lockstep-alone" => 4,
            _ if text.contains("\n  ERROR ") => 3,
            _ => 0,
        };
        if code(&output) != expected {
            outcome.wrong.push(format!("{name}: ends with {}", code(&output)));
        }
    }
    outcome.text = text;
    outcome
}

/// What the harness remarked on a client, once each.
fn remarks(case: &Value) -> impl Iterator<Item = &str> {
    let events = case["trace"].as_array().unwrap().iter();
    let remarks = events.filter(|event| event["kind"] == "note" && event["client"] == "mallory");
    remarks.filter_map(|event| event["data"]["text"].as_str())
}

/// Without what hangs on how many requests were sent before, and on whether an echo is among them.
fn stable(reason: &str) -> String {
    if reason.starts_with("adapter-hung: ") {
        return reason.replace("`echo`", "`call`").replace("; it has not read the request", "");
    }
    let Some((before, after)) = reason.split_once("an answer to request ") else {
        return without_id(reason);
    };
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
    let after = after.split('{').next().unwrap_or_default();
    format!("{before}an answer to request N{after}")
}

#[test]
fn each_misdeed_in_real_time_costs_its_case_alone() {
    let suite = suite();
    let suite = suite.path().to_str().unwrap();
    let listed = printed("hostile/live.py", "--list");
    let trials: Vec<_> = listed.lines().map(|line| line.split_once('\t').unwrap()).collect();
    let all: BTreeSet<&str> = trials.iter().map(|(name, _)| *name).collect();
    let named = COSTS_ALL.iter().chain(&SILENT).chain(&JUDGED);
    let unknown: Vec<_> = named.filter(|name| !all.contains(**name)).collect();
    assert!(unknown.is_empty(), "no such misdeeds: {unknown:?}");
    // They wait most of the time.
    let queue = Mutex::new(trials.iter().enumerate());
    let outcomes = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                loop {
                    let Some((at, (name, does))) = queue.lock().unwrap().next() else { return };
                    let outcome = attempt(name, does, suite);
                    outcomes.lock().unwrap().insert(at, outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    let wrong: Vec<&str> =
        outcomes.values().flat_map(|outcome| &outcome.wrong).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (others, stalled) = outcomes.values().fold((0, 0), |(others, stalled), outcome| {
        (others + outcome.others, stalled + outcome.stalled)
    });
    assert!(stalled * 10 <= others, "{stalled} of {others} other cases were not decided");
    let texts: Vec<&str> = outcomes.values().map(|outcome| outcome.text.as_str()).collect();
    insta::assert_snapshot!("live_faults", texts.join("\n"));
}

/// A run of quick cases and a slow one.
fn start(site: &Site, suite: &str, fault: &str) -> Child {
    let args = ["--time", "real", "--suite", suite, "--max-length", "120s", "quick/slow"];
    let more = ["quick/good*", "--call-timeout", "100s", "--start-timeout", "100s"];
    site.start(&live(fault), &[&args[..], &more].concat())
}

fn journal(site: &Site) -> PathBuf {
    site.work().join("../out/journal.jsonl")
}

/// Starts a run of quick cases and a slow one, and waits until its journal holds so many of them.
fn started(site: &Site, suite: &str, n: usize) -> Child {
    let folder = site.work().join("../out");
    fs::create_dir(&folder).unwrap();
    let changes = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&changes, &folder, inotify::WatchFlags::MODIFY).unwrap();
    let run = start(site, suite, "");
    let patience = Timespec { tv_sec: 100, tv_nsec: 0 };
    while fs::read_to_string(journal(site)).map_or(0, |text| text.matches('\n').count()) <= n {
        let mut fds = [PollFd::new(&changes, PollFlags::IN)];
        let n_ready = retry_on_intr(|| poll(&mut fds, Some(&patience))).unwrap();
        assert!(n_ready > 0, "the quick cases are not over");
        rustix::io::read(&changes, &mut [0; 4096]).unwrap();
    }
    run
}

#[test]
fn a_killed_run_in_real_time_can_be_judged_and_leaves_no_process_behind() {
    let suite = suite();
    let suite = suite.path().to_str().unwrap();
    let site = Site::new();
    let mut run = started(&site, suite, 3);
    run.kill().unwrap();
    run.wait().unwrap();
    let out = site.work().join("../judged");
    let journal = journal(&site);
    let (journal, folder) = (journal.to_str().unwrap(), out.to_str().unwrap());
    let judged = stateline(["judge", "--suite", suite, "--out", folder, journal]);
    assert_eq!(code(&judged), 130, "{}", stderr(&judged));
    let record = read(&out.join("run.json"));
    let cases = record["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    assert!(cases.iter().all(|case| case["verdict"] == "PASS"), "{cases:?}");
    assert_eq!(record["interrupted"], true);
    let (work, out) = site.left_behind();
    assert_eq!(work, [""; 0]);
    assert_eq!(out, ["journal.jsonl"]);
}

#[test]
fn an_interrupted_run_in_real_time_keeps_what_it_has() {
    let suite = suite();
    let site = Site::new();
    let mut run = started(&site, suite.path().to_str().unwrap(), 3);
    assert!(signal("kill -INT $1", run.id()).status().unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let record = site.record().unwrap();
    assert_eq!(record["interrupted"], true);
    assert_eq!(record["totals"]["pass"], 3);
    assert_eq!(record["totals"]["not_run"], 1);
    assert_eq!(record["run"]["wall"]["notes"], Value::Array(Vec::new()));
    let (work, out) = site.left_behind();
    assert_eq!(work, [""; 0]);
    assert_eq!(out, ["junit.xml", "report.html", "run.json"]);
}

#[test]
fn an_interrupt_reaches_a_run_whose_adapter_hangs() {
    let suite = suite();
    let suite = suite.path().to_str().unwrap();
    std::thread::scope(|scope| {
        for fault in ["hangs-in-open", "hangs-in-call", "dies-with-a-child"] {
            scope.spawn(move || {
                let site = Site::new();
                let args = ["--time", "real", "--suite", suite, "--max-length", LONGEST];
                let more = ["--call-timeout", "100s", "--start-timeout", "100s"];
                let mut run = site.start(&live(fault), &[args.as_slice(), &more].concat());
                site.wait_for(b'h');
                assert!(signal("kill -INT $1", run.id()).status().unwrap().success());
                assert_eq!(run.wait().unwrap().code(), Some(130), "{fault}");
                let record = site.record().unwrap();
                assert_eq!(record["interrupted"], true, "{fault}");
                // A case that was lost with a process and not played again was not played.
                assert_eq!(record["totals"]["error"], 0, "{fault}");
                let (work, out) = site.left_behind();
                assert_eq!((work.len(), out.len()), (0, 3), "{fault}");
            });
        }
    });
}

#[test]
fn a_second_interrupt_ends_a_run_in_real_time_at_once() {
    let suite = suite();
    let site = Site::new();
    // At its end a run waits, and does not look whether it was interrupted.
    let suite = suite.path().to_str().unwrap();
    let args = ["--time", "real", "--suite", suite, "--max-length", LONGEST];
    let mut run = site.start(&live("stays-after-bye"), &args);
    site.wait_for(b'h');
    assert_eq!(interrupted_until_gone(&mut run), Some(130));
    assert!(site.record().is_none(), "it wrote its record");
    let (work, out) = site.left_behind();
    assert_eq!(work, [""; 0]);
    // Nobody was left to take it away.
    assert_eq!(out, ["journal.jsonl"]);
}
