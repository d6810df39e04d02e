//! Hostile adapters: whatever one does costs its case, never the run, and leaves nothing behind.
//!
//! Not responsible for the faults themselves: `fixtures/clients/hostile/hostile.py` has one misdeed a
//! name. All of them are run; what each is answered with stands in the snapshot.
//!
//! Invariant: every other case ends as with the client that does nothing wrong, to its digest.

use crate::adapters::{
    Ending, Site, endings, interrupted_until_gone, names, printed, python, signal,
};
use crate::program::{code, stderr};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::Command;
use std::sync::Mutex;

/// Some quick cases. The second is the one that is spoilt: it has timers, and lasts a while.
const CASES: [&str; 4] =
    ["login/token-expires", "login/unanswered", "logout/connected", "logout/interrupted"];
const SPOILT: &str = "agora-rtm-1x/login/unanswered";

/// What is done at `bye`, and what is allowed: no case has to do with it.
const COSTS_NOTHING: [&str; 12] = [
    "long-line",
    "much-stderr",
    "dies-in-bye",
    "exits-3-after-bye",
    "hangs-in-bye",
    "stays-after-bye",
    "stays-after-bye-and-sigterm",
    "child-in-its-own-session",
    "orphan-in-its-own-session",
    "fifty-children",
    "child-without-main-thread",
    "leaves-a-zombie",
];

/// What every process does before it has answered `hello`.
const COSTS_ALL: [&str; 12] = [
    "exits-0-at-start",
    "exits-3-at-start",
    "dies-in-hello",
    "hangs-in-hello",
    "hello-version-2",
    "hello-refuses-versions",
    "hello-no-profiles",
    "hello-clients-0",
    "hello-wrong-type",
    "hello-no-client",
    "hello-unknown-time",
    "banner-before-hello",
];

/// What costs the next cases as well, because the process cannot be started again: how many in all.
const COSTS_MORE: [(&str, usize); 3] =
    [("restart-fails", 2), ("restart-hangs", 2), ("restarts-fail", 5)];

/// What is only noticed because nothing comes. These have short limits, and then a loaded machine may
/// make other cases wait too long as well.
const SILENT: [&str; 16] = [
    "restart-hangs",
    "hangs-in-hello",
    "half-a-line-and-hang",
    "empty-lines",
    "hangs-in-open",
    "hangs-in-turn",
    "hangs-and-ignores-signals",
    "hangs-in-close",
    "hangs-in-bye",
    "closes-stdout",
    "stops-itself",
    "stops-reading",
    "hangs-with-children",
    "stops-its-guard",
    "stops-both-guards",
    "holds-its-stdin",
];

/// What cannot be started: a name, a command that makes it in the folder of the run, the command line.
const NO_PROGRAMS: [(&str, &str, &str); 6] = [
    ("no such program", "", "no-such-program --verbose"),
    ("no such file", "", "./no-such-file"),
    ("not executable", "echo 'print()' > plain.py", "./plain.py"),
    (
        "no such interpreter",
        "printf '#!/no/such/python3\\n' > adapter && chmod +x adapter",
        "./adapter",
    ),
    ("no interpreter", "echo 'print()' > adapter && chmod +x adapter", "./adapter"),
    ("a folder", "mkdir adapter", "./adapter"),
];

/// One adapter to run.
struct Trial {
    name: String,
    does: String,
    prepare: &'static str,
    client: String,
    costs: usize,
}

fn trials(cases: usize) -> Vec<Trial> {
    let never = NO_PROGRAMS.map(|(name, prepare, client)| Trial {
        name: name.to_owned(),
        does: "cannot be started".to_owned(),
        prepare,
        client: client.to_owned(),
        costs: cases,
    });
    let listed = printed("hostile/hostile.py", "--list");
    let faults = listed.lines().map(|line| {
        let (name, does) = line.split_once('\t').unwrap();
        let more = COSTS_MORE.into_iter().find(|(more, _)| *more == name);
        let costs = match more {
            Some((_, costs)) => costs,
            None if COSTS_ALL.contains(&name) => cases,
            None => usize::from(!COSTS_NOTHING.contains(&name)),
        };
        let client = python("hostile/hostile.py", &format!("--fault {name}"));
        Trial { name: name.to_owned(), does: does.to_owned(), prepare: "", client, costs }
    });
    never.into_iter().chain(faults).collect()
}

/// Runs one, and tells what it was answered with; whatever is not as it should be goes to `wrong`.
fn attempt(trial: &Trial, good: &BTreeMap<String, Ending>, wrong: &Mutex<Vec<String>>) -> String {
    let fail = |what: String| wrong.lock().unwrap().push(format!("{}: {what}", trial.name));
    let silent = SILENT.contains(&trial.name.as_str());
    let limits = if silent {
        ["--call-timeout", "2s", "--start-timeout", "5s"]
    } else {
        ["--call-timeout", "60s", "--start-timeout", "60s"]
    };
    let site = Site::new();
    if !trial.prepare.is_empty() {
        let made = Command::new("sh").args(["-c", trial.prepare]).current_dir(site.work()).status();
        assert!(made.unwrap().success(), "{}", trial.prepare);
    }
    let before = names(&site.work());
    let output = site.run(&trial.client, &[&CASES[..], &limits, &["--no-trace"]].concat());
    let Some(record) = site.record() else {
        fail(format!("there is no record: {}", stderr(&output)));
        return String::new();
    };
    let (work, out) = site.left_behind();
    if work != before || out != ["junit.xml", "report.html", "run.json"] {
        fail(format!("files were left behind: {work:?} {out:?}"));
    }
    let mut reasons: Vec<String> = Vec::new();
    let (mut spoilt, mut target) = (0, false);
    for (id, ending) in endings(&record) {
        // Where limits are short, a good process may have been too slow.
        let hung = ending.reason.starts_with("adapter-hung: ");
        let slow = silent && trial.costs < 2 && id != SPOILT && hung;
        if ending == good[&id] {
            continue;
        }
        if id == SPOILT {
            target = true;
        } else if slow {
            continue;
        }
        spoilt += 1;
        if ending.verdict != "ERROR" {
            fail(format!("{id} is {}", ending.verdict));
        }
        let reason = stable(&ending.reason);
        if reasons.last() != Some(&reason) {
            reasons.push(reason);
        }
    }
    if spoilt != trial.costs {
        fail(format!("{spoilt} cases are spoilt instead of {}: {reasons:?}", trial.costs));
    }
    if trial.costs == 1 && !target {
        fail("it is another case that is spoilt".to_owned());
    }
    let expected = if trial.costs == 0 { 0 } else { 3 };
    if code(&output) != expected && !(silent && code(&output) == 3) {
        fail(format!("the exit code is {} instead of {expected}", code(&output)));
    }
    let mut text =
        format!("{}: {}\n  costs {} of {}\n", trial.name, trial.does, spoilt, good.len());
    for reason in reasons {
        writeln!(text, "  ERROR {reason}").unwrap();
    }
    for note in record["run"]["wall"]["notes"].as_array().unwrap() {
        writeln!(text, "  note  {}", stable(note.as_str().unwrap())).unwrap();
    }
    text
}

/// The text without times of the case and numbers of requests: both hang on the good client.
fn stable(text: &str) -> String {
    let (text, line) = text.split_once('{').map_or((text, None), |(text, line)| (text, Some(line)));
    let words: Vec<&str> = text.split(' ').collect();
    let mut told = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let number = word.trim_matches(|c: char| !c.is_ascii_digit());
        let is_number = number.parse::<f64>().is_ok();
        told.push(match at.checked_sub(1).map(|before| words[before]) {
            Some("at") if is_number => {
                format!("TIME{}", &word[word.trim_end_matches([':', ',']).len()..])
            }
            Some("byte") if is_number => word.replace(number, "N"),
            Some("is" | "of") if is_number && text.contains("`id`") => word.replace(number, "N"),
            _ => (*word).to_owned(),
        });
    }
    let mut told = told.join(" ");
    if let Some(line) = line {
        told.push('{');
        told.push_str(&without_id(line));
    }
    told
}

/// A message without its `id`, which hangs on how many requests were sent before.
pub(crate) fn without_id(message: &str) -> String {
    let digits = |c: char| c.is_ascii_digit() || c == '"';
    message.split_once(r#""id":"#).map_or_else(
        || message.to_owned(),
        |(before, after)| format!(r#"{before}"id":N{}"#, after.trim_start_matches(digits)),
    )
}

/// The page that says what to do about each fault.
const PAGE: &str = include_str!("../../../docs/adapter-faults.md");

fn assert_explained<'a>(ids: impl IntoIterator<Item = &'a str>) {
    let rows: Vec<&str> =
        PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let missing: BTreeSet<&str> = ids.into_iter().filter(|id| !rows.contains(id)).collect();
    assert!(missing.is_empty(), "docs/adapter-faults.md has no row for {missing:?}");
}

#[test]
fn the_page_explains_every_kind_of_fault() {
    let source = include_str!("../../../client/src/fault.rs");
    let ids: Vec<&str> = source
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("Self::")?.split_once(" => \"")?.1.split('"').next()
        })
        .collect();
    assert!(ids.len() > 10, "{ids:?}");
    assert_explained(ids.into_iter().chain(["never-idle", "flood", "adapter-not-idle"]));
}

#[test]
fn each_fault_costs_its_case_alone() {
    let site = Site::new();
    let output = site.run(&python("python/agora_rtm_1x.py", ""), &CASES);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let good: BTreeMap<String, Ending> = endings(&site.record().unwrap()).into_iter().collect();
    assert_eq!(good.len(), 6);
    let trials = trials(good.len());
    let all: BTreeSet<&str> = trials.iter().map(|trial| trial.name.as_str()).collect();
    let named = COSTS_NOTHING.iter().chain(&COSTS_ALL).chain(&SILENT);
    let unknown: Vec<_> = named.filter(|name| !all.contains(**name)).collect();
    assert!(unknown.is_empty(), "no such misdeeds: {unknown:?}");
    // Most of them wait for something most of the time.
    let queue = Mutex::new(trials.iter().enumerate());
    let texts = Mutex::new(BTreeMap::new());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some((at, trial)) = queue.lock().unwrap().next() else { return };
                    let text = attempt(trial, &good, &wrong);
                    texts.lock().unwrap().insert(at, text);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let texts: Vec<String> = texts.into_inner().unwrap().into_values().collect();
    let texts = texts.join("\n");
    let ids = texts.lines().filter_map(|line| line.strip_prefix("  ERROR ")?.split(':').next());
    assert_explained(ids);
    insta::assert_snapshot!("faults", texts);
}

/// Limits that are not reached.
const PATIENT: [&str; 4] = ["--call-timeout", "600s", "--start-timeout", "600s"];

fn hostile(fault: &str) -> String {
    python("hostile/hostile.py", &format!("--fault {fault}"))
}

#[test]
fn a_killed_run_leaves_no_process_behind() {
    std::thread::scope(|scope| {
        for fault in ["hangs-in-hello", "hangs-with-children", "holds-its-stdin", "endless-lines"] {
            scope.spawn(move || {
                let site = Site::new();
                let mut run = site.start(&hostile(fault), &[&CASES[..], &PATIENT].concat());
                site.wait_for(b'h');
                run.kill().unwrap();
                run.wait().unwrap();
                let (work, mut out) = site.left_behind();
                // Once it plays, what it has finished is there to be read.
                out.retain(|name| name != "journal.jsonl" || fault == "hangs-in-hello");
                assert_eq!([work, out].concat(), [""; 0], "{fault}");
            });
        }
    });
}

#[test]
fn an_interrupted_run_keeps_what_it_has() {
    let site = Site::new();
    let args = [&CASES[..], &PATIENT, &["--no-trace"]].concat();
    let good = Site::new();
    assert_eq!(code(&good.run(&python("python/agora_rtm_1x.py", ""), &args)), 0);
    let good: BTreeMap<String, Ending> = endings(&good.record().unwrap()).into_iter().collect();
    let mut run = site.start(&hostile("hangs-and-ignores-signals"), &args);
    site.wait_for(b'h');
    assert!(signal("kill -INT $1", run.id()).status().unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let record = site.record().unwrap();
    assert_eq!(record["interrupted"], true);
    assert_eq!(record["totals"]["not_run"], 5);
    assert_eq!(record["totals"]["pass"], 1);
    assert_eq!(record["run"]["wall"]["notes"].as_array().unwrap().len(), 0);
    for (id, ending) in endings(&record) {
        if id == "agora-rtm-1x/login/token-expires" {
            assert_eq!(ending, good[&id]);
        } else {
            assert_eq!((ending.verdict, ending.reason, ending.digest), Default::default(), "{id}");
        }
    }
    let (work, out) = site.left_behind();
    assert_eq!(work, [""; 0]);
    assert_eq!(out, ["junit.xml", "report.html", "run.json"]);
}

#[test]
fn a_second_interrupt_ends_the_run_at_once() {
    let site = Site::new();
    // At its end a run waits, and does not look whether it was interrupted.
    let client = hostile("stays-after-bye-and-sigterm");
    let mut run = site.start(&client, &[&CASES[..], &PATIENT].concat());
    site.wait_for(b'h');
    assert_eq!(interrupted_until_gone(&mut run), Some(130));
    assert!(site.record().is_none(), "it wrote its record");
    let (work, out) = site.left_behind();
    assert_eq!((work, out), (vec![], vec!["journal.jsonl".to_owned()]));
}
