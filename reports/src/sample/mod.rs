//! A small record that shows everything a report can show, for tests.
//!
//! Not responsible for being true to any document: its contract is made up.
//!
//! Shared with `examples/sample.rs`. Invariant: its totals add up, as those of a real run do, and it never changes by itself.

mod contract;
mod faults;
pub(crate) mod story;

use contract::{PROFILE, requirements};
pub(crate) use faults::with_known;
use indexmap::IndexMap;
use stateline_core::profile::requirement::{Basis, Requirement, Strictness};
use stateline_core::record::{
    CaseRecord, CaseWall, CellSeen, Choice, ClientInfo, Coverage, CoverageStatus, Finding,
    Judgement, RequirementRecord, RunInfo, RunRecord, RunWall, SCHEMA, Totals, Verdict,
};
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};
use stateline_core::value::Fields;
use story::story;

/// What a hostile client says: markup, terminal escapes, overrides of the direction of text.
pub(crate) const HOSTILE: &str = "</td><script>alert('x')</script><img src=x onerror=alert(1)>\u{1b}[2J\u{202e}gnitcennocer\u{0}";

fn event(n: u32, ms: u64, plane: Plane, kind: &str, data: Fields) -> Event {
    Event {
        n,
        at: Micros::from_millis(ms),
        client: Some("alice".into()),
        plane,
        kind: kind.into(),
        data,
    }
}

/// A login, heartbeats, and a link that goes dark for `dark` seconds.
pub(crate) fn trace_of(dark: u64) -> Vec<Event> {
    let fields = Fields::new;
    let wire = |dir: &'static str, message: &'static str| {
        fields().with("dir", dir).with("message", message)
    };
    let mut trace: Vec<Event> = Vec::new();
    let mut add = |ms: u64, plane, kind: &str, data| {
        let n = u32::try_from(trace.len()).unwrap();
        trace.push(event(n, ms, plane, kind, data));
    };
    add(0, Plane::Control, "call", fields().with("op", "login").with("token", "valid"));
    add(0, Plane::Control, "state", fields().with("state", "connecting").with("reason", "login"));
    add(1, Plane::Network, "attempt", fields());
    add(2, Plane::Network, "opened", fields());
    add(2, Plane::Wire, "frame", wire("sent", "login").with("user", "alice"));
    add(3, Plane::Server, "server.accepted", fields().with("resumed", false));
    add(4, Plane::Wire, "frame", wire("received", "accept"));
    add(
        4,
        Plane::Control,
        "state",
        fields().with("state", "connected").with("reason", "login-success"),
    );
    add(4, Plane::Control, "result", fields().with("op", "login").with("code", "ok"));
    for second in 1..4 {
        add(second * 1_000, Plane::Wire, "frame", wire("sent", "ping"));
        add(second * 1_000 + 2, Plane::Wire, "frame", wire("received", "pong"));
    }
    add(3_100, Plane::Network, "down", fields().with("kind", "black-hole"));
    for second in 4..4 + dark {
        add(second * 1_000, Plane::Wire, "frame", wire("sent", "ping"));
    }
    add((4 + dark) * 1_000, Plane::Network, "up", fields());
    add((4 + dark) * 1_000 + 1, Plane::Control, "state", fields().with("state", HOSTILE));
    for second in 5 + dark..8 + dark {
        add(second * 1_000, Plane::Wire, "frame", wire("sent", "ping"));
    }
    trace
}

/// A report that did not come.
pub(crate) fn overdue_finding(trace: &[Event]) -> Finding {
    let down = trace.iter().find(|event| event.kind == "down").map_or(0, |event| event.n);
    let until =
        trace.iter().filter(|event| event.at <= Micros::from_secs(9)).map(|event| event.n).max();
    Finding {
        requirement: "SR-CONN-02".into(),
        row: "C2".into(),
        basis: Basis::Explicit,
        strictness: Strictness::Must,
        client: "alice".into(),
        side: "client".into(),
        at: Micros::from_ms(9_000.001),
        expected: "state reconnecting, reason interrupted, between 7.002 s and 9.000 s".to_owned(),
        observed: "no report of a state until 9.000 s".to_owned(),
        consequent: false,
        trace: (down, until.unwrap_or(down)),
    }
}

fn case(id: &str, verdict: Option<Verdict>) -> CaseRecord {
    let ran = verdict.is_some();
    CaseRecord {
        id: format!("{PROFILE}/{id}").into(),
        repeat: 0,
        profile: PROFILE.into(),
        verdict,
        reason: None,
        not_applicable: None,
        expected: None,
        digest: "0".repeat(32).into(),
        requirements: vec![RequirementRecord {
            id: "SR-LOGIN-03".into(),
            judgement: Judgement::Satisfied,
            named: true,
        }],
        findings: Vec::new(),
        warnings: Vec::new(),
        choices: Vec::new(),
        cells: Vec::new(),
        moves: Vec::new(),
        story: None,
        planned_ms: 42_000.0,
        simulated_ms: if ran { 42_000.0 } else { 0.0 },
        events: if ran { 160 } else { 0 },
        attempts: Vec::new(),
        wall: CaseWall { ms: 1.25, stderr: String::new() },
        trace: Vec::new(),
    }
}

/// What a case says of a requirement that it names.
fn judged(id: &str, judgement: Judgement) -> RequirementRecord {
    RequirementRecord { id: id.into(), judgement, named: true }
}

fn cell(state: &str, stimulus: &str, violated: bool) -> CellSeen {
    CellSeen { state: state.into(), stimulus: stimulus.into(), violated }
}

fn cases() -> Vec<CaseRecord> {
    let mut cases = Vec::new();
    for kind in ["black-hole", "reset", "refused"] {
        for side in ["before", "at", "after"] {
            let mut drop = case(
                &format!("network-drop/around-presence[kind={kind},served-again={side}]"),
                Some(Verdict::Pass),
            );
            if side == "after" {
                drop.verdict = Some(Verdict::Fail);
                drop.trace = trace_of(40);
                drop.story = Some(story(&drop.trace));
                let first = overdue_finding(&drop.trace);
                let later = Finding {
                    requirement: "SR-RECON-04".into(),
                    row: "R4".into(),
                    consequent: true,
                    at: Micros::from_secs(44),
                    ..first.clone()
                };
                drop.findings = vec![first, later];
            }
            let broken = side == "after";
            let judgement = if broken { Judgement::Violated } else { Judgement::Satisfied };
            drop.requirements.push(judged("SR-CONN-02", judgement));
            drop.cells.push(cell("connected", "interruption", broken));
            drop.choices.push(Choice {
                requirement: None,
                row: "S7".into(),
                client: "alice".into(),
                choice: "stays connected".to_owned(),
                n: 9,
            });
            cases.push(drop);
        }
    }
    let mut hostile = case("token/expires-while-connected", Some(Verdict::Fail));
    hostile.trace = trace_of(2);
    hostile.story = Some(story(&hostile.trace));
    let said = hostile
        .trace
        .iter()
        .find(|event| event.data.text("state") == Some(HOSTILE))
        .unwrap()
        .clone();
    hostile.findings.push(Finding {
        requirement: "SR-STATE-04".into(),
        row: "otherwise".into(),
        basis: Basis::Implied,
        at: said.at,
        expected: "no report of a state".to_owned(),
        observed: format!("state {HOSTILE}"),
        trace: (said.n, said.n),
        ..overdue_finding(&hostile.trace)
    });
    hostile.requirements.push(judged("SR-STATE-04", Judgement::Violated));
    hostile.cells.push(cell("connected", "token.expired", true));
    cases.push(hostile);
    for n in 1..=4 {
        let mut login = case(&format!("login/refused[code={n}]"), Some(Verdict::Pass));
        login.warnings.push(Finding {
            requirement: "SR-STATE-05".into(),
            row: "never-repeat".into(),
            strictness: Strictness::Should,
            basis: Basis::Implied,
            expected: "no second report of disconnected".to_owned(),
            observed: "state disconnected, reason login-failure".to_owned(),
            ..overdue_finding(&trace_of(1))
        });
        login.choices.push(Choice {
            requirement: Some("SR-ABORT-05".into()),
            row: "S3".into(),
            client: "alice".into(),
            choice: HOSTILE.to_owned(),
            n: 3,
        });
        login.requirements.push(judged("SR-STATE-05", Judgement::Warned));
        login.requirements.push(judged("SR-ABORT-05", Judgement::Recorded));
        login.cells.push(cell("connecting", "server.rejected", false));
        cases.push(login);
    }
    for repeat in 0..2 {
        let mut elsewhere = case("login/elsewhere", Some(Verdict::Inconclusive));
        elsewhere.repeat = repeat;
        elsewhere.reason =
            Some("steering-missed: bob did not reach connected within 60s".to_owned());
        elsewhere.requirements.push(judged("SR-CONN-04", Judgement::Undetermined));
        cases.push(elsewhere);
    }
    let mut crash = case("logout/while-reconnecting", Some(Verdict::Error));
    crash.wall.stderr =
        "connecting\nTraceback <script>:\n\nRuntimeError: \u{1b}[2J gone\n".to_owned();
    crash.reason = Some("the adapter ended with signal 11".to_owned());
    cases.push(crash);
    let mut long = case("network-drop/twenty-minutes", None);
    long.not_applicable = Some("planned length 20 min exceeds --max-length 90s".to_owned());
    cases.push(long);
    cases
}

/// Adds the cases up.
pub(crate) fn count(record: &mut RunRecord) {
    let n =
        |of: fn(&CaseRecord) -> bool| record.cases.iter().filter(|case| of(case)).count() as u64;
    record.totals = Totals {
        planned: record.cases.len() as u64,
        pass: n(|case| case.verdict == Some(Verdict::Pass)),
        inconclusive: n(|case| case.verdict == Some(Verdict::Inconclusive)),
        fail: n(|case| case.verdict == Some(Verdict::Fail)),
        known: n(|case| case.expected.is_some()),
        error: n(|case| case.verdict == Some(Verdict::Error)),
        not_applicable: n(|case| case.not_applicable.is_some()),
        not_run: n(|case| case.verdict.is_none() && case.not_applicable.is_none()),
        warnings: record.cases.iter().map(|case| case.warnings.len() as u64).sum(),
        flaky: 0,
        distinct_traces: 9,
    };
}

/// The record.
pub(crate) fn sample() -> RunRecord {
    let cases = cases();
    let status = |req: &Requirement| match req.id.as_str() {
        "SR-CONN-02" | "SR-STATE-04" => CoverageStatus::Violated,
        "SR-STATE-05" => CoverageStatus::Warned,
        "SR-ABORT-05" => CoverageStatus::Recorded,
        "SR-RECON-15" => CoverageStatus::Unexercised,
        "SR-CONN-04" => CoverageStatus::Undetermined,
        "SR-APP-01" => CoverageStatus::NotTestable,
        _ => CoverageStatus::Satisfied,
    };
    let decided =
        |status| !matches!(status, CoverageStatus::NotTestable | CoverageStatus::Unexercised);
    let catalogue = requirements();
    let coverage = catalogue.iter().map(|req| Coverage {
        requirement: req.id.clone(),
        status: status(req),
        by: req.test.as_str().into(),
        cases: if decided(status(req)) {
            cases.iter().take(9).map(|case| case.id.clone()).collect()
        } else {
            Vec::new()
        },
    });
    let mut record = RunRecord {
        schema: SCHEMA.into(),
        interrupted: false,
        run: RunInfo {
            version: "0.1.0".into(),
            client: ClientInfo {
                name: "sample-sdk".to_owned(),
                version: "2.1.0".to_owned(),
                spec: "python3 my_adapter.py".to_owned(),
                lacks: Vec::new(),
            },
            time: "virtual".into(),
            seed: 7,
            slack_ms: 0,
            strict: false,
            filters: Vec::new(),
            rerun_failed: false,
            repeat: 1,
            suites: Vec::new(),
            max_length_ms: None,
            caps: IndexMap::new(),
            wall: RunWall {
                started: "2026-11-22T05:00:00Z".to_owned(),
                ms: 1_240,
                jobs: 2,
                notes: vec!["it left 2 processes behind, which were killed".to_owned()],
            },
        },
        profiles: vec![contract::profile()],
        totals: Totals::default(),
        coverage: coverage.collect(),
        cases,
        known: None,
    };
    count(&mut record);
    record
}

/// A run in which all went well.
pub(crate) fn green() -> RunRecord {
    let mut record = sample();
    record.cases.retain(|case| case.verdict == Some(Verdict::Pass) && case.warnings.is_empty());
    for coverage in &mut record.coverage {
        if coverage.status != CoverageStatus::NotTestable {
            coverage.status = CoverageStatus::Satisfied;
        }
    }
    count(&mut record);
    record
}

/// As many cases as a full run of a large suite has; every seventh fails.
pub(crate) fn large(n: usize) -> RunRecord {
    let mut record = sample();
    let failed =
        record.cases.iter().find(|case| case.verdict == Some(Verdict::Fail)).unwrap().clone();
    record.cases = (0..n)
        .map(|at| {
            let id = format!(
                "family-{}/scenario-{}[kind=black-hole,served-again=before,n={at}]",
                at / 200,
                at / 20
            );
            let mut case = case(&id, Some(Verdict::Pass));
            if at % 7 == 0 {
                case = CaseRecord { id: case.id, ..failed.clone() };
                for finding in &mut case.findings {
                    finding.row = format!("X{}", at % 80).into();
                }
            }
            case
        })
        .collect();
    count(&mut record);
    record
}
