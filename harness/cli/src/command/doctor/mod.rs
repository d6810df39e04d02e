//! `stateline doctor`: checks an adapter before it is used.
//!
//! Not responsible for clients: what an SDK should do, the cases of its profile ask.
//!
//! Invariant: an adapter is judged by PROTOCOL.md alone, and one that keeps to it has no fault here; a
//! fault ends the check that found it, and no other.

mod answer;
mod clients;
mod end;
mod finding;
mod frames;
mod hostile;
mod patient;
mod record;
mod replay;
mod report;
mod requests;
mod start;
mod timers;
mod times;

pub(crate) use end::hang_up;

use super::print;
use crate::Failure;
use crate::args::{DoctorArgs, Format};
use crate::client::command;
use crate::client_spec::ClientSpec;
use crate::exit::Exit;
use crate::suite::{Contract, Suite};
use finding::{Check, Finding, Halt, Outcome, Status, Tried};
use patient::Patient;
use report::Report;
use stateline_client::fault::{Fault, FaultId};
use stateline_client::process::Farewell;
use stateline_lab::tokens::mask;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use times::Times;

/// A check that can be made.
struct Spec {
    /// Its group.
    group: &'static str,
    /// Its name, unique.
    name: &'static str,
    /// What is so where it finds nothing.
    says: &'static str,
    /// The checks without which it says nothing.
    needs: &'static [&'static str],
    /// Makes it.
    run: fn(&mut Patient<'_>) -> Tried<Outcome>,
}

/// The groups, as they are shown.
const GROUPS: [&str; 7] = ["start", "messages", "clients", "determinism", "clock", "end", "stdout"];

/// A line of the table below.
macro_rules! checks {
    ($($group:literal $name:literal [$($needs:literal)*] $run:path, $says:literal;)*) => {
        &[$(Spec { group: $group, name: $name, says: $says, needs: &[$($needs),*], run: $run }),*]
    };
}

/// All checks, in the order in which they are made.
const CHECKS: &[Spec] = checks! {
    "start" "unknown-version" [] start::unknown_version,
        "refuses versions that it cannot know";
    "start" "picks-version" [] start::picks_version, "picks its version among others";
    "start" "keys" [] start::keys, "`hello` has known keys alone";
    "start" "profiles" [] start::profiles, "its profiles are known";
    "start" "lockstep" [] start::lockstep, "can be driven in lockstep";
    "start" "unsupported" [] start::unsupported, "what it lacks are methods of the profile";

    "messages" "echo" [] requests::echo, "`echo` brings back what was sent";
    "messages" "open" ["lockstep"] requests::open, "`open` makes a client";
    "messages" "turn" ["open"] requests::turn, "`turn` gives it a turn";
    "messages" "close" ["open"] requests::close, "`close` throws it away";
    "clock" "quiet-hour" ["turn"] timers::quiet_hour,
        "without timers nothing happens, and an hour takes no time";
    "messages" "unknown-call" ["turn"] requests::unknown_call,
        "a method that the SDK lacks is unsupported";
    "messages" "calls" ["turn"] requests::calls, "methods of the profile can be called";

    "messages" "unknown-keys" ["echo" "unknown-call" "close"] requests::unknown_keys,
        "unknown keys are ignored";
    "messages" "key-order" ["echo"] requests::key_order, "keys come in any order";
    "messages" "texts" ["echo"] requests::texts, "texts hold any character, escaped or not";
    "messages" "long-lines" ["echo"] requests::long_lines, "a line may be long";
    "messages" "line-ends" ["echo"] requests::line_ends, "a line may end with CR LF";
    "messages" "empty-lines" ["echo"] requests::empty_lines, "an empty line means nothing";
    "messages" "notifications" ["echo"] requests::notifications,
        "a line without `id` is not answered";
    "messages" "uids" ["turn"] requests::uids, "a user may be called anything";
    "messages" "largest-numbers" ["echo" "quiet-hour" "close"] requests::largest_numbers,
        "numbers may be as large as the protocol allows";

    "messages" "no-json" ["echo"] hostile::no_json, "a line that is no JSON: error -32700";
    "messages" "no-request" ["echo"] hostile::no_request, "JSON that is no request: -32600";
    "messages" "no-method" ["echo"] hostile::no_method, "a method that there is not: -32601";
    "messages" "missing-keys" ["echo" "turn"] hostile::missing_keys, "missing keys: -32602";
    "messages" "wrong-types" ["echo" "turn"] hostile::wrong_types,
        "values of the wrong type: -32602";
    "messages" "no-input" ["echo" "turn"] hostile::no_input, "an input that is none: -32602";
    "messages" "no-client" ["echo" "turn" "close"] hostile::no_client,
        "a client that is not open: -32602";
    "messages" "opened-twice" ["echo" "turn" "close"] hostile::opened_twice,
        "a number that was used before: -32602";
    "messages" "not-offered" ["echo" "turn"] hostile::not_offered,
        "a profile or time mode that it did not name: -32602";
    "messages" "time-goes-back" ["echo" "turn"] hostile::time_goes_back,
        "a time that goes back: -32602";

    "messages" "dials" ["calls"] frames::dialling, "a call makes it dial";
    "messages" "odd-frames" ["dials" "echo"] frames::odd_frames, "frames may hold any text";
    "messages" "long-frame" ["dials" "long-lines"] frames::long_frame, "a frame may be long";
    "messages" "deep-frames" ["dials" "long-lines"] frames::deep_frames,
        "a frame may be nested deeply";
    "messages" "stray-connections" ["calls" "echo"] frames::stray_connections,
        "survives words about connections that are not there";

    "clock" "progress" ["calls" "quiet-hour"] timers::progress,
        "timers come due one after the other, in no time";

    "messages" "cases" ["calls" "progress"] record::cases, "cases can be played";

    "determinism" "same-answers" ["cases"] replay::same_answers,
        "the same turns bring the same answers, in a fresh process";
    "clients" "reuse" ["same-answers" "close"] replay::reuse,
        "a process that has served answers as a fresh one";
    "clients" "two-clients" ["same-answers"] replay::two_clients,
        "two clients at once do not mix";
    "clients" "close-and-open" ["two-clients" "close"] replay::close_and_open,
        "one is closed and another opened beside a third";
    "clock" "empty-turns" ["same-answers"] replay::empty_turns,
        "a turn in which nothing is due changes nothing";
    "clock" "pauses" ["same-answers"] replay::pauses, "real pauses between turns change nothing";

    "end" "bye" ["turn" "close"] end::bye, "answers `bye`, and ends within 2 s with exit code 0";
    "end" "left-behind" [] end::left_behind, "leaves no process behind";
    "end" "stdin-ends" [] end::stdin_ends, "ends when its stdin does";

    "messages" "answers" [] requests::answers, "each request has one answer, and that is one";
    "messages" "turns" [] requests::turns, "what clients do is well-formed and fits together";
    "clock" "next-us" [] requests::timers, "`next_us` is a time of the case, and not over";
    "stdout" "messages-only" [] requests::stdout, "stdout carries messages and nothing else";
};

/// Runs the command.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<Exit, Failure> {
    let line = match args.adapter_command.parse() {
        Ok(ClientSpec::Command(line)) => line,
        Ok(ClientSpec::Builtin { .. }) => {
            return Err(Failure::usage("the built-in client has no adapter to check"));
        }
        Err(why) => return Err(Failure::usage(format!("the command of the adapter: {why}"))),
    };
    let suite = Suite::new(&args.suite).map_err(Failure::usage)?;
    let asked: Vec<String> = args.profile.iter().cloned().collect();
    let contracts = suite.read(&asked).map_err(Failure::usage)?;
    let command = command(&line, &args.adapter)?;
    let mut report = Report {
        command: line,
        hello: None,
        profile: None,
        checks: Vec::new(),
        skipped: Vec::new(),
        times: Times::default(),
    };
    let logs = command.logs.clone();
    let exit = match Patient::admit(command, logs) {
        Err((fault, farewell)) => stillborn(&mut report, &fault, &farewell),
        Ok(mut patient) => {
            patient.known = suite.profiles();
            examine(&mut report, &mut patient, args.profile.as_deref(), &contracts);
            if report.n(Status::Fault) > 0 { Exit::Fail } else { Exit::Ok }
        }
    };
    match args.format {
        Format::Text => print(&mask(&report.text())),
        Format::Json => print(&mask(&format!("{:#}\n", report.json()))),
    }
    Ok(exit)
}

/// Nothing can be checked without a proper answer to `hello`.
fn stillborn(report: &mut Report, fault: &Fault, farewell: &Farewell) -> Exit {
    let mut add = |group, name, says, finding: Option<Finding>| {
        let status = if finding.is_some() { Status::Fault } else { Status::Ok };
        let note = String::new();
        report.checks.push(Check { group, name, says, status, note, finding });
    };
    let found = |help: &str| {
        let mut finding = Finding::new(fault.what.clone(), help);
        finding.hear(&farewell.stderr);
        Some(finding)
    };
    let starts = "starts, and answers";
    match fault.id {
        FaultId::CannotStart | FaultId::Died | FaultId::Hung | FaultId::Interrupted => {
            let help = match fault.id {
                FaultId::CannotStart => "try the command in a shell: it has to start the adapter",
                FaultId::Hung => {
                    "answer `hello` with one line, and flush stdout after it; --start-timeout \
                     gives it more time"
                }
                _ => "it has to wait for lines on stdin and answer them until `bye`",
            };
            add("start", "starts", starts, found(help));
            Exit::Error
        }
        FaultId::NoMessage if !fault.what.contains(": {") => {
            add("start", "starts", starts, None);
            let says = "stdout carries messages and nothing else";
            let help = "print to stderr: stdout carries answers and nothing else, from the start";
            add("stdout", "messages-only", says, found(help));
            Exit::Fail
        }
        _ => {
            add("start", "starts", starts, None);
            let help = "see `hello` in PROTOCOL.md; everything else hangs on its answer";
            add("start", "hello", "its answer to `hello` is well-formed", found(help));
            Exit::Fail
        }
    }
}

/// Makes all checks.
fn examine<'a>(
    report: &mut Report,
    patient: &mut Patient<'a>,
    asked: Option<&str>,
    contracts: &'a [Contract],
) {
    let hello = patient.hello.clone();
    let is_said = |contract: &&Contract| hello.profiles.contains(&contract.profile.id);
    if let Some(contract) = contracts.iter().find(is_said) {
        patient.use_contract(contract);
    }
    patient.asked = asked.and_then(|asked| asked.split('@').next()).map(str::to_owned);
    report.profile = Some(patient.profile.to_string());
    for (name, says) in
        [("starts", "starts, and answers"), ("hello", "its answer to `hello` is well-formed")]
    {
        let (status, note) = (Status::Ok, String::new());
        report.checks.push(Check { group: "start", name, says, status, note, finding: None });
    }
    let mut well: BTreeSet<&str> = BTreeSet::new();
    for spec in CHECKS {
        let log = patient.turn_page();
        write_log(patient, spec.name, &log);
        if !spec.needs.iter().all(|need| well.contains(need)) {
            report.skipped.push((spec.group, spec.name));
            continue;
        }
        let (status, note, finding) = match (spec.run)(patient) {
            Ok(Outcome::Well(note)) => (Status::Ok, note, None),
            Ok(Outcome::Advice(finding)) => (Status::Advice, String::new(), Some(finding)),
            Ok(Outcome::NotClaimed) => {
                well.insert(spec.name);
                continue;
            }
            Err(Halt::Fault(mut finding)) => {
                if finding.stderr.is_none() {
                    finding.hear(patient.stderr());
                }
                // Whatever it is up to now is no start for the next check.
                patient.lose();
                (Status::Fault, String::new(), Some(*finding))
            }
            Err(Halt::Elsewhere) => {
                report.skipped.push((spec.group, spec.name));
                continue;
            }
        };
        if status == Status::Ok {
            well.insert(spec.name);
        }
        let Spec { group, name, says, .. } = *spec;
        report.checks.push(Check { group, name, says, status, note, finding });
    }
    // How fast something wrong is says nothing.
    if report.n(Status::Fault) == 0 {
        report.times = Times::measure(patient);
    }
    patient.lose();
    let log = patient.turn_page();
    write_log(patient, "end", &log);
    report.checks.sort_by_key(|check| GROUPS.iter().position(|group| *group == check.group));
    report.hello = Some(hello);
}

/// Keeps the messages of the check before this one.
fn write_log(patient: &Patient<'_>, next: &str, (messages, stderr): &(String, String)) {
    let Some(folder) = patient.logs() else { return };
    let mut text = messages.clone();
    for line in stderr.lines() {
        text.extend(["! ", line, "\n"]);
    }
    text.extend(["== ", next, "\n"]);
    let path: &Path = &folder.join("adapter-0.log");
    let written = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(mask(&text).as_bytes()));
    if let Err(error) = written {
        eprintln!("note: cannot write {}: {error}", path.display());
    }
}
