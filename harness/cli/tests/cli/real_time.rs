//! Real time: the same cases on real connections as in virtual time, with the same outcome.
//!
//! Not responsible for adapters that misbehave. The machine may be busy: what a stall excuses is no
//! fault here either, but most must be decided.
//!
//! Invariant: order is compared client by client; between clients there is none.

use crate::adapters::{python_for_real_time, with_python_for_real_time};
use crate::program::{Run, code, read, stateline, stderr};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Longest planned length of what is played here.
const LONGEST: &str = "20s";

/// What is compared of a case.
#[derive(Debug, PartialEq)]
struct Outcome {
    verdict: String,
    requirements: Vec<(String, String)>,
    /// What each application did, in order.
    called: BTreeMap<String, Vec<String>>,
    /// What each application was told, in order. A call may come before or after what the client told in
    /// the same instant, so the two have no order between them.
    observed: BTreeMap<String, Vec<String>>,
    /// It was ended at its longest time.
    cut: bool,
}

fn outcomes(record: &Value) -> BTreeMap<String, Outcome> {
    let cases = record["cases"].as_array().unwrap();
    cases.iter().filter(|case| !case["verdict"].is_null()).map(outcome).collect()
}

fn outcome(case: &Value) -> (String, Outcome) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let requirements = case["requirements"].as_array().unwrap();
    let mut called: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut observed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in case["trace"].as_array().unwrap() {
        if event["plane"] != "control" {
            continue;
        }
        let words = ["op", "call", "state", "reason", "code", "event"]
            .map(|name| event["data"][name].to_string());
        let seen = format!("{} {}", text(&event["kind"]), words.join(" "));
        let of = if event["kind"] == "call" { &mut called } else { &mut observed };
        of.entry(text(&event["client"])).or_default().push(seen);
    }
    let outcome = Outcome {
        verdict: text(&case["verdict"]),
        requirements: requirements
            .iter()
            .map(|requirement| {
                let mut judgement = text(&requirement["judgement"]);
                // Where the machine is late, a case lasts longer, and more of what it does not name has had
                // its exposure.
                if requirement["named"] == false && judgement == "undetermined" {
                    judgement = "satisfied".to_owned();
                }
                (text(&requirement["id"]), judgement)
            })
            .collect(),
        called,
        observed,
        cut: case["trace"].as_array().unwrap().last().unwrap()["data"]["cut"] == true,
    };
    (text(&case["id"]), outcome)
}

/// Plays in both times and compares. Gives how many cases were decided in both: all of some sixty, unless
/// the machine is very busy.
fn compare(client: &str) -> usize {
    let played = |time: &str| {
        // Patience, where the machine has other things to do.
        let patience = ["--call-timeout", "60s", "--start-timeout", "60s"];
        let how = ["--time", time, "--max-length", LONGEST, "--client", client];
        let run = Run::of(&[&how[..], &patience].concat());
        let record = run.record();
        assert_eq!(record["run"]["time"], time);
        judged_again(&run, &record);
        outcomes(&record)
    };
    let (in_virtual, in_real) = (played("virtual"), played("real"));
    let mut n_compared = 0;
    for (id, real) in &in_real {
        if real.verdict == "INCONCLUSIVE" || real.cut {
            continue;
        }
        // Planned lengths are longer by the slack, so virtual time plays more.
        assert_eq!(real, &in_virtual[id], "{id}");
        n_compared += 1;
    }
    n_compared
}

/// Judging the record again comes to the same, stalls of the machine included.
fn judged_again(run: &Run, record: &Value) {
    let out = run.file("again");
    let (file, out) = (run.file("run.json"), out.to_str().unwrap());
    let judged = stateline(["judge", file.to_str().unwrap(), "--out", out, "--quiet"]);
    assert_eq!(code(&judged), run.code(), "{}", stderr(&judged));
    let again = read(&run.file("again/run.json"));
    for (case, again) in
        record["cases"].as_array().unwrap().iter().zip(again["cases"].as_array().unwrap())
    {
        for key in ["verdict", "reason", "requirements", "findings", "warnings", "choices"] {
            assert_eq!(case[key], again[key], "{} {key}", case["id"]);
        }
    }
}

#[test]
fn the_reference_client_does_the_same_in_both_times() {
    assert!(compare("builtin") > 30);
}

#[test]
fn the_independent_client_does_the_same_in_both_times() {
    assert!(compare(&python_for_real_time("")) > 30);
}

/// Defects that show in a short case: what they break, and where.
const DEFECTS: [(&str, &str, &str); 6] = [
    ("timeout-12s", "RTM-LOGIN-06", "login/unanswered"),
    ("timeout-4s", "RTM-LOGIN-06", "login/unanswered"),
    ("refusal-ok", "RTM-LOGIN-04", "login/refused*"),
    ("early-reconnecting", "RTM-CONN-02", "network-drop/reported*"),
    ("abort-as-disconnected", "RTM-CONN-04", "remote-login/connected"),
    ("dials-after-logout", "RTM-CONN-07", "logout/connected"),
];

#[test]
fn defects_are_found_on_real_connections_too() {
    // Runs wait most of the time, so all of them at once.
    std::thread::scope(|scope| {
        for (defect, breaks, filter) in DEFECTS {
            scope.spawn(move || {
                let (client, filter) =
                    (format!("builtin:{defect}"), format!("agora-rtm-1x/{filter}"));
                let run = Run::of(&["--time", "real", "--client", &client, &filter]);
                assert_eq!(run.code(), 1, "{defect}: {}", stderr(&run.output));
                let record = run.record();
                let cases = record["cases"].as_array().unwrap();
                let failed = cases.iter().filter(|case| case["verdict"] == "FAIL");
                for case in failed {
                    assert_eq!(case["findings"][0]["requirement"], breaks, "{defect}");
                }
            });
        }
    });
}

/// An adapter whose application asks the token service about its token before it logs in.
const ASKING: &str = r#"
import json, sys, urllib.request
sys.path.insert(0, sys.argv[1])
from agora_rtm_1x import Rtm
from stateline_adapter import serve

class Asking(Rtm):
    def __init__(self, host, opening):
        super().__init__(host, opening)
        self.tokens = opening.endpoint["tokens"]

    def call(self, call, op, args):
        if op.lower().startswith("login"):
            body = json.dumps({"token": args["token"]}).encode()
            with urllib.request.urlopen(self.tokens + "/tell", body) as answer:
                self.host.event("told", json.load(answer))
        super().call(call, op, args)

serve(Asking, name="asking", version="1", profiles=["agora-rtm-1x"], time=("real",))
"#;

/// The command line of an adapter that is written for one test.
fn written(folder: &tempfile::TempDir, text: &str) -> String {
    let script = folder.path().join("adapter.py");
    std::fs::write(&script, text).unwrap();
    with_python_for_real_time(&script)
}

#[test]
fn an_application_may_ask_the_token_service() {
    let folder = tempfile::TempDir::new().unwrap();
    let client = written(&folder, ASKING);
    let filter = "agora-rtm-1x/login/accepted";
    let run = Run::of(&["--time", "real", "--client", &client, filter]);
    assert_eq!(run.code(), 0, "{}", stderr(&run.output));
    let record = run.record();
    let trace = record["cases"][0]["trace"].as_array().unwrap();
    let at = |kind: &str| trace.iter().position(|event| event["kind"] == kind).unwrap();
    assert!(at("token.asked") < at("event"), "it is told after it asked");
    assert_eq!(trace[at("event")]["data"]["good"], true);
    let text = std::fs::read_to_string(run.file("run.json")).unwrap();
    assert!(!text.contains("lab1.alice"), "a token is in the record");
}

/// A login at a closed port.
const CLOSED: &str = "agora-rtm-1x/login/no-network[kind=closed-port]";

#[test]
fn a_closed_port_shows_no_dial_in_either_time() {
    for time in ["virtual", "real"] {
        let how = ["--time", time, "--client", "builtin/fail-fast", CLOSED];
        let run = Run::of(&how);
        assert_eq!(run.code(), 0, "{time}: {}", stderr(&run.output));
        let record = run.record();
        let trace = record["cases"][0]["trace"].as_array().unwrap();
        let of = |plane: &str| {
            let events = trace.iter().filter(|event| event["plane"] == plane);
            events.map(|event| (&event["kind"], &event["data"])).collect::<Vec<_>>()
        };
        // Only a dial that failed makes this design give up with this reason.
        let reported = of("control").iter().any(|(_, data)| data["reason"] == "login-failure");
        assert!(reported, "{time}: {trace:?}");
        let network = of("network");
        let told: Vec<_> = network.iter().map(|(kind, data)| (*kind, &data["dials"])).collect();
        assert_eq!(
            told,
            [(&json!("down"), &json!("hidden")), (&json!("up"), &json!("seen"))],
            "{time}"
        );
    }
}

/// An adapter that listens on the port itself as soon as nobody else does.
const THIEF: &str = r#"
import socket, sys
sys.path.insert(0, sys.argv[1])
from agora_rtm_1x import Rtm
from stateline_adapter import serve

class Thief(Rtm):
    def __init__(self, host, opening):
        super().__init__(host, opening)
        self.place = (opening.endpoint["host"], opening.endpoint["port"])
        self.taken = None

    def dial_failed(self, conn):
        if self.taken is None:
            self.taken = socket.create_server(self.place)
        super().dial_failed(conn)

serve(Thief, name="thief", version="1", profiles=["agora-rtm-1x"], time=("real",))
"#;

#[test]
fn a_port_that_was_taken_meanwhile_is_a_failure_of_the_harness() {
    let folder = tempfile::TempDir::new().unwrap();
    let client = written(&folder, THIEF);
    let run = Run::of(&["--time", "real", "--client", &client, CLOSED]);
    assert_eq!(run.code(), 3, "{}", stderr(&run.output));
    let record = run.record();
    let reason = record["cases"][0]["reason"].as_str().unwrap();
    let wanted = "the port of a client was taken while it was closed: ";
    assert!(reason.starts_with(wanted), "{reason}");
}
