//! What files are lowered to: the parts that a snapshot of errors can't show.
//!
//! Not responsible for wording.
//!
//! Invariant: everything is read from texts in here and the tiny profile of `fixtures/malformed`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use stateline_authoring::{ProfileFiles, Source, load_profile, load_scenario};
use stateline_core::profile::grid::{Says, StimulusIs};
use stateline_core::profile::machine::{
    Constraint, Modality, RowBody, Target, Trigger, ValueCheck,
};
use stateline_core::profile::requirement::Basis;
use stateline_core::profile::{Length, Profile};
use stateline_core::scenario::{Act, LinkAct, Scenario, ServerAct, When};
use stateline_core::time::Micros;
use stateline_core::value::Value;

const PROFILE: &str = include_str!("../../../fixtures/malformed/base/profile.yaml");
const REQUIREMENTS: &str = include_str!("../../../fixtures/malformed/base/requirements.yaml");

fn files(profile: &str) -> ProfileFiles {
    ProfileFiles {
        profile: Source::new("profile.yaml", profile),
        requirements: Source::new("requirements.yaml", REQUIREMENTS),
        wire: None,
        conflicts: None,
    }
}

fn tiny() -> Profile {
    load_profile(files(PROFILE), None).value.unwrap()
}

fn scenario(id: &str, rest: &str) -> Scenario {
    let text = format!("id: {id}\npurpose: To be read.\nrequirements: [T-01]\n{rest}");
    let loaded = load_scenario(&tiny(), Source::new("s.yaml", text), id);
    let told: String = loaded.diagnostics.iter().map(|found| found.render(false) + "\n").collect();
    loaded.value.unwrap_or_else(|| panic!("{told}"))
}

fn secs(n: u64) -> Micros {
    Micros::from_secs(n)
}

/// The tiny profile with something open, something read in two ways, and a silent cell.
fn loose(conflicts: Option<&str>) -> ProfileFiles {
    let profile = PROFILE
        .replace("idle: { login: [A1]", "idle: { login: { silent: [A1] }")
        .replace("says: a login starts, req: T-01", "may: a login may start, req: T-01");
    let requirements = REQUIREMENTS.replace(
        "basis: explicit, section: Login, text: A login makes",
        "basis: erratum, strictness: OPEN, section: Login, text: A login makes",
    );
    ProfileFiles {
        profile: Source::new("profile.yaml", profile),
        requirements: Source::new("requirements.yaml", requirements),
        conflicts: conflicts.map(|text| Source::new("conflicts.yaml", text)),
        wire: None,
    }
}

const CONFLICT: &str = "profile: tiny\nconflicts:\n  - { id: start, kind: gap, title: Who starts, sections: Login, says: Nothing., judged: Recorded., why: It may., requirements: REQ, rows: ROW }\n";

#[test]
fn conflicts_that_are_written_down_are_all_of_them() {
    let without = load_profile(loose(None), None).value.unwrap();
    assert!(without.conflicts.is_empty());
    let whole = CONFLICT.replace("REQ", "[T-01]").replace("ROW", "A1");
    let with = load_profile(loose(Some(&whole)), None).value.unwrap();
    let conflict = &with.conflicts[0];
    assert_eq!((conflict.id.as_str(), conflict.kind.as_str()), ("start", "gap"));
    assert_eq!(
        (&conflict.sections[..], &conflict.says[..]),
        (&["Login".to_owned()][..], "Nothing.")
    );
    assert_eq!((&conflict.requirements[0][..], &conflict.rows[0][..]), ("T-01", "A1"));
    assert_ne!(with.digest, without.digest);

    let told = |requirements: &str, rows: &str| -> Vec<String> {
        let text = CONFLICT.replace("REQ", requirements).replace("ROW", rows);
        let loaded = load_profile(loose(Some(&text)), None);
        assert!(loaded.value.is_none());
        loaded.diagnostics.into_iter().map(|found| found.title).collect()
    };
    assert_eq!(
        told("[T-02]", "[A1]"),
        ["no conflict touches the requirement `T-01`, which is an erratum"]
    );
    assert_eq!(
        told("[T-01]", "[A2]"),
        ["no conflict touches the row `A1`, which permits in a cell where the document is silent"]
    );
}

#[test]
fn rows_become_what_they_say() {
    let profile = tiny();
    assert_eq!(
        profile.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(),
        ["A1", "A2", "A3", "A4", "Q1"]
    );
    let RowBody::Expect(row) = &profile.rows[2].body else { panic!() };
    assert!(matches!(row.trigger, Trigger::Since(0)));
    assert_eq!((row.after, row.within), (secs(6), Some(Length::Late)));
    assert_eq!((row.modality, row.to), (Modality::Must, Target::State(0)));
    assert!(
        matches!(&row.emit.fields[1].1, Constraint::OneOf(values) if *values == [Value::from("failed")])
    );
    let RowBody::Settles(row) = &profile.rows[4].body else { panic!() };
    assert_eq!((row.cap, row.codes.len()), (Length::Cap(0), 2));
    assert_eq!(profile.heads.text(row.heads.1), "result.login");
    assert_eq!(profile.machines[1].leader, 0);
    assert_eq!(profile.wire.name, "lab");
}

#[test]
fn every_cell_is_there() {
    let grid = tiny().grid;
    assert_eq!(grid.cells.len(), 7, "`silence` can occur in one state only");
    assert!(matches!(&grid.cells[grid.cell(1, 2).unwrap()].says, Says::Rows(rows) if *rows == [2]));
    assert!(matches!(grid.cells[grid.cell(0, 1).unwrap()].says, Says::Forbidden(3)));
    assert_eq!(grid.cell(0, 2), None);
}

#[test]
fn a_variant_changes_times_and_the_digest_and_nothing_else() {
    let varied = PROFILE
        .replace("caps:", "variants: { web: { says: measured, timers: { limit: 12s } } }\ncaps:");
    let plain = load_profile(files(&varied), None).value.unwrap();
    let web = load_profile(files(&varied), Some("web")).value.unwrap();
    assert_eq!((plain.timers["limit"], web.timers["limit"]), (secs(6), secs(12)));
    assert_ne!(plain.digest, web.digest);
    assert_eq!(web.variant.as_deref(), Some("web"));
    assert!(load_profile(files(&varied), Some("wbe")).value.is_none());
    assert!(load_profile(files(PROFILE), Some("web")).value.is_none());
}

#[test]
fn line_ends_and_byte_order_marks_change_nothing() {
    let crlf = format!("\u{feff}{}", PROFILE.replace('\n', "\r\n"));
    let loaded = load_profile(files(&crlf), None);
    assert_eq!(loaded.value.unwrap().rows.len(), 5);
}

#[test]
fn a_matrix_spans_cases_in_the_order_of_the_file() {
    let scenario = scenario(
        "login/late",
        "matrix: { kind: [reset, up], answered: { around: limit } }\n\
         body:\n\
         - network: { alice: ${kind} }\n\
         - { server: { hold: { accept: alice }, until: \"login + ${answered}\" }, when: kind = reset }\n\
         - { wait: \"${answered}\", when: kind = up }\n",
    );
    let ids: Vec<&str> = scenario.cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids[0], "tiny/login/late[kind=reset,answered=before]");
    assert_eq!(ids[5], "tiny/login/late[kind=up,answered=after]");
    let Act::Server(ServerAct::Hold { client: 0, until }) = &scenario.cases[0].body[1].act else {
        panic!()
    };
    assert_eq!(*until, When { base: Some((0, 0)), min: secs(3), max: Micros::from_millis(4_500) });
    let Act::Wait(at) = &scenario.cases[4].body[1].act else { panic!() };
    assert_eq!((at.min, at.max), (Micros::from_millis(5_100), Micros::from_millis(6_900)));
    let Act::Wait(after) = &scenario.cases[5].body[1].act else { panic!() };
    assert_eq!((after.min, after.max), (Micros::from_millis(7_500), secs(9)));
    assert_eq!(scenario.cases[5].boundaries, [("limit".into(), "after".into())]);
    assert_eq!(scenario.cases[0].body[0].text, "network: {alice: reset}");
}

#[test]
fn steps_become_acts() {
    let scenario = scenario(
        "steps",
        "clients: { alice: {}, alice2: { uid: alice } }\n\
         preamble: [{ reach: { both: ready } }]\n\
         body:\n\
         - call: { alice: { login: { token: expired, token-life: 20s } } }\n\
         - { call: { alice: login }, settle: true }\n\
         - { network: { alice2: { delay: 100ms } }, on-beat: true }\n\
         - server: { refuse: { login: alice }, code: token-expired, times: 2 }\n\
         - server: { push: { alice: rejected }, fields: { code: refused, n: 3 } }\n\
         - wait: 8s..12s\n\
         - wait: login(alice2) + 8s..9s\n\
         - expect: { alice: { event: message }, within: settle }\n\
         - repeat: { times: 3, steps: [{ join: { both: lobby } }] }\n",
    );
    let case = &scenario.cases[0];
    assert_eq!(case.id, "tiny/steps");
    assert_eq!(case.clients[1].uid, "alice");
    let Act::Reach { targets, perform: true } = &case.preamble[0].act else { panic!() };
    assert_eq!(*targets, [(0, 2), (1, 2)]);
    let Act::Call { args, settle: false, .. } = &case.body[0].act else { panic!() };
    assert_eq!((args.text("token"), args.time("token-life_ms")), (Some("expired"), Some(secs(20))));
    let Act::Call { args, settle: true, .. } = &case.body[1].act else { panic!() };
    assert_eq!(args.text("token"), Some("valid"));
    assert!(matches!(
        case.body[2].act,
        Act::Network { client: 1, link: LinkAct::Delay(Micros(100_000)), on_beat: true }
    ));
    assert!(matches!(&case.body[3].act, Act::Server(ServerAct::Refuse { times: Some(2), .. })));
    assert!(
        matches!(&case.body[4].act, Act::Server(ServerAct::Push { fields, .. }) if fields.int("n") == Some(3))
    );
    assert!(
        matches!(&case.body[5].act, Act::Wait(when) if when.base.is_none() && when.max == secs(12))
    );
    assert!(
        matches!(&case.body[6].act, Act::Wait(when) if when.base == Some((1, 0)) && when.min == secs(8))
    );
    assert!(matches!(&case.body[7].act, Act::Expect { within: Length::Cap(0), .. }));
    assert_eq!(case.body.len(), 8 + 3 * 2);
}

#[test]
fn reading_any_damaged_profile_never_panics() {
    // Cuts and doubled lines at every place: what is left is told or read, never a panic.
    let lines: Vec<&str> = PROFILE.lines().collect();
    for at in 0..lines.len() {
        for damaged in [
            lines
                .iter()
                .enumerate()
                .filter(|(n, _)| *n != at)
                .map(|(_, line)| *line)
                .collect::<Vec<_>>(),
            lines[..at].to_vec(),
            [&lines[..at], &[lines[at]], &lines[at..]].concat(),
        ] {
            let loaded = load_profile(files(&damaged.join("\n")), None);
            assert_eq!(loaded.value.is_none(), !loaded.diagnostics.is_empty());
            for found in &loaded.diagnostics {
                let _ = found.render(true);
            }
        }
    }
}

/// The tiny profile with callbacks of its own words, and a time that a call brings along.
const HIDDEN: [(&str, &str); 9] = [
    (
        "told: [onTold] }",
        "told: [onTold] }\n  code.told: { soft: [\"7\"], hard: [\"8\"], other: [] }\ngroups: { firm: [soft, hard] }",
    ),
    ("args: [token] }", "args: [token, limit] }"),
    ("reach: { ready: login }", "reach: { ready: [logout, { login: { limit: 3 } }] }"),
    ("registers: { fails: 0 }", "registers: { fails: 0, wait: null }"),
    (
        "owns: [state]",
        "owns: [state]\n    basis: implied\n    values: [{ on: event.told, field: code, one-of: names, req: T-04 }]",
    ),
    (
        "since: login, after: limit, emit: { state: idle",
        "since: login, after: $wait, emit: { state: idle",
    ),
    (
        "if: fails = 0, never: { event: told }",
        "if: fails = 0, never: { event: told, code: { not: [firm, null] }, user: self, text: [null, \"\"] }",
    ),
    (
        "silence: { says: nothing answers, since: login, after: limit",
        "silence: { says: nothing answers, since: login, after: $wait",
    ),
    ("refused: refused }", "refused: refused, online-elsewhere: refused }"),
];

fn hidden() -> Profile {
    let text = HIDDEN.iter().fold(PROFILE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let loaded = load_profile(files(&text), None);
    let told: String = loaded.diagnostics.iter().map(|found| found.render(false) + "\n").collect();
    loaded.value.unwrap_or_else(|| panic!("{told}"))
}

#[test]
fn a_time_may_be_what_a_register_holds() {
    let profile = hidden();
    let RowBody::Expect(row) = &profile.rows[2].body else { panic!() };
    assert_eq!((row.after, row.after_register), (Micros::ZERO, Some(1)));
    assert!(matches!(profile.grid.stimuli[2].is, StimulusIs::SinceRegister(_, 1)));
    let calls: Vec<&str> = profile.reach["ready"].iter().map(|(op, _)| op.as_str()).collect();
    assert_eq!(calls, ["logout", "login"]);
    assert_eq!(profile.reach["ready"][1].1.int("limit"), Some(3));
    assert_eq!(profile.realm.codes["online-elsewhere"], "refused");
}

#[test]
fn callbacks_have_words_of_their_own() {
    let profile = hidden();
    let RowBody::Never(row) = &profile.rows[3].body else { panic!() };
    let [(_, Constraint::NoneOf(codes)), (_, Constraint::Own), (_, Constraint::OneOf(empty))] =
        &row.pattern.fields[..]
    else {
        panic!("{:?}", row.pattern)
    };
    assert_eq!(*codes, [Value::from("soft"), Value::from("hard"), Value::Null]);
    assert_eq!(*empty, [Value::Null, Value::from("")]);
    let machine = &profile.machines[0];
    assert_eq!(machine.basis, Basis::Implied);
    assert!(
        matches!(&machine.values[0].check, ValueCheck::OneOf(names) if *names == ["soft", "hard", "other"])
    );
    assert!(profile.reports_states());
}

#[test]
fn an_argument_may_be_absent() {
    let rest = "matrix: { limit: [3, -1, absent], token: [valid, absent] }\nbody:\n  - call: { alice: { login: { limit: ${limit}, token: ${token} } } }\n  - server: { issue: alice }\n";
    let text = format!("id: a\npurpose: To be read.\nrequirements: []\n{rest}");
    let scenario = load_scenario(&hidden(), Source::new("s.yaml", text), "a").value.unwrap();
    let given: Vec<_> = scenario
        .cases
        .iter()
        .map(|case| {
            let Act::Call { args, .. } = &case.body[0].act else { panic!() };
            (args.int("limit"), args.text("token").is_some())
        })
        .collect();
    let both = |limit| [(limit, true), (limit, false)];
    assert_eq!(given, [both(Some(3)), both(Some(-1)), both(None)].concat());
    assert!(matches!(scenario.cases[0].body[1].act, Act::Server(ServerAct::Issue(0))));
}
