//! Dials that nobody can see: what rows about dials say then, and that all other rows go on.
//!
//! Not responsible for hiding them; the lab does. Half of the tests are about a small profile with rows that
//! the real one does not have.
//!
//! Invariant: each trace is also judged with its dials in sight, where that comes to something else.

use crate::script::{Script, found, with};
use crate::table::{ALICE, Table, agora, read};
use stateline_authoring::Source;
use stateline_core::oracle::{Judged, Oracle};
use stateline_core::record::Judgement;
use stateline_core::time::Micros;
use stateline_core::trace::Plane;
use std::sync::OnceLock;

/// Whether the port is closed, or dials are seen and refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Closed,
    Refusing,
}

use Port::{Closed, Refusing};

impl Script {
    /// The network goes, as a closed port or as one that refuses.
    fn down(self, ms: u64, port: Port) -> Self {
        let data = match port {
            Closed => with("kind", "closed-port").with("dials", "hidden"),
            Refusing => with("kind", "refused"),
        };
        self.on(ms, Plane::Network, "down", data)
    }

    fn up(self, ms: u64) -> Self {
        self.on(ms, Plane::Network, "up", with("dials", "seen"))
    }

    /// A dial that comes to nothing.
    fn refused(self, ms: u64, conn: i64) -> Self {
        self.network(ms, "attempt", conn).network(ms + 1, "failed", conn)
    }
}

fn clean() -> (Vec<String>, Vec<String>) {
    (vec![], vec![])
}

fn fails(id: &str) -> (Vec<String>, Vec<String>) {
    (vec![id.to_owned()], vec![])
}

fn warns(id: &str) -> (Vec<String>, Vec<String>) {
    (vec![], vec![id.to_owned()])
}

fn status(table: &Table, judged: &Judged, id: &str) -> Option<Judgement> {
    let req = table.profile.requirement(id).unwrap();
    judged.requirements.iter().find(|(have, _)| *have == req).map(|(_, status)| *status)
}

/// Reconnecting from 5 s on, without a network since 1 s.
fn reconnecting(port: Port) -> Script {
    let lost = Script::connected().beats(500, 500).down(1_000, port).reset(1_000);
    lost.state(5_000, "reconnecting", "interrupted")
}

#[test]
fn nobody_is_asked_for_dials_that_are_hidden() {
    assert_eq!(reconnecting(Closed).found(1_000_000), clean());
    assert_eq!(reconnecting(Refusing).found(1_000_000).0, ["RTM-RECON-01"]);
    let judged = reconnecting(Closed).judged(1_000_000);
    assert_eq!(status(agora(), &judged, "RTM-RECON-01"), None);
}

#[test]
fn what_is_no_dial_is_judged_as_ever() {
    let late = |port| Script::connected().beats(500, 500).down(1_000, port).reset(1_000);
    assert_eq!(late(Closed).found(7_000), fails("RTM-CONN-02"));
    let gives_up = reconnecting(Closed).state(40_000, "disconnected", "interrupted");
    assert_eq!(gives_up.found(41_000), fails("RTM-RECON-14"));
    let stays = Script::default()
        .down(0, Closed)
        .call(10, "login")
        .state(10, "connecting", "login")
        .result(6_000, "login", "timeout");
    assert_eq!(stays.found(8_000), fails("RTM-LOGIN-06"));
}

#[test]
fn who_never_dials_again_is_found_once_dials_can_be_seen() {
    let idle = reconnecting(Closed).up(900_000);
    assert_eq!(idle.found(960_000), clean());
    assert_eq!(idle.found(960_001), warns("RTM-RECON-01"));
    assert_eq!(idle.found(1_020_001).0, ["RTM-RECON-01"]);
    // Who dials keeps the requirement after a full period in sight, and not before.
    let dials = idle.refused(930_000, 2).refused(950_000, 3);
    for (end, wanted) in [(959_999, Judgement::Undetermined), (960_001, Judgement::Satisfied)] {
        let judged = dials.judged(end);
        assert_eq!(found(&judged), clean());
        assert_eq!(status(agora(), &judged, "RTM-RECON-01"), Some(wanted), "{end}");
    }
}

#[test]
fn a_period_that_was_hidden_in_the_middle_begins_anew() {
    let script = reconnecting(Refusing).refused(20_000, 2).down(30_000, Closed).up(70_000);
    assert_eq!(script.found(130_000), clean());
    let judged = script.refused(129_000, 3).judged(129_500);
    assert_eq!(status(agora(), &judged, "RTM-RECON-01"), Some(Judgement::Undetermined));
    // The same gap in sight.
    let script = reconnecting(Refusing).refused(20_000, 2).refused(129_000, 3);
    assert_eq!(script.found(129_500), warns("RTM-RECON-01"));
}

#[test]
fn a_prohibition_is_not_kept_by_not_being_looked_at() {
    let logged_out = |port| {
        reconnecting(port)
            .call(6_000, "logout")
            .state(6_000, "disconnected", "logout")
            .result(6_000, "logout", "ok")
            .up(100_000)
    };
    let of = |end| status(agora(), &logged_out(Closed).judged(end), "RTM-RECON-17");
    assert_eq!(of(105_000), Some(Judgement::Undetermined));
    assert_eq!(of(112_000), Some(Judgement::Satisfied));
    let dials = logged_out(Closed).network(100_500, "attempt", 2);
    assert_eq!(dials.found(112_000), fails("RTM-RECON-17"));
}

#[test]
fn a_refusal_that_nobody_saw_may_be_the_reason() {
    // Without a dial that failed, a login that ends after 6 s has only one good code.
    let ends = |script: Script| {
        script
            .call(10, "login")
            .state(10, "connecting", "login")
            .state(6_010, "disconnected", "login-failure")
            .result(6_010, "login", "unknown")
            .found(7_500)
    };
    assert_eq!(ends(Script::default().down(0, Closed)), clean());
    assert_eq!(ends(Script::default().down(0, Refusing)), warns("RTM-LOGIN-10"));
    // It may also have come while the call was open, but not before it.
    let hidden = Script::default().down(0, Closed).down(5, Refusing);
    assert_eq!(ends(hidden), warns("RTM-LOGIN-10"));
}

/// Rows about dials of every kind.
const PROFILE: &str = r#"
profile: dials
document: { title: Dials, product: Dials, platform: any, updated: "2026-01-01" }
names:
  state: { idle: [IDLE], busy: [BUSY], ready: [READY] }
  reason: { asked: [], failed: [] }
  event: { told: [] }
  code: { ok: [], refused: [] }
  code.login: { ok: ["0"], refused: ["1"], token-expired: ["2"] }
calls: { login: {}, logout: {}, join: {}, leave: {}, send: {}, ping: {} }
reach: { ready: login }
timers: { presence: 30s }
caps: { settle: 60s }
tolerance: { early: 0s, late: 1s }
realm:
  presence: presence
  supersede: true
  codes: { invalid: refused, expired: token-expired, revoked: refused, malformed: refused, banned: refused, refused: refused }
clocks:
  asked: { start: call.send, stop: attempt, keep: last }
machines:
  connection:
    owns: [state]
    otherwise: D-00
    states: [idle, busy, ready]
    start: idle
    rows:
      - { id: A1, says: a login starts, req: D-00, from: idle, on: call.login, emit: { state: busy, reason: asked }, to: busy }
      - { id: A2, says: a dial that fails ends it, req: D-02, from: busy, on: dial.failed, within: 3s, emit: { state: idle, reason: failed }, to: idle }
      - { id: A3, says: a logout ends it unless it dials, req: D-03, from: busy, on: call.logout, unless: attempt, within: 3s, emit: { state: idle, reason: asked }, to: idle }
      - { id: A4, says: what nothing stops is ready after 4 s, req: D-03, from: busy, since: asked, after: 4s, emit: { state: ready }, to: ready }
  dialling:
    follows: connection
    rows:
      - { id: D1, says: a join dials, req: D-01, on: call.join, within: 5s, expect: attempt }
      - { id: D2, says: an idle client does not dial, req: D-04, while: idle, if: count(call.leave) = 0, never: attempt, exposure: 5s }
      - { id: D3, says: nobody dials after leaving, req: D-05, on: call.leave, for: 20s, never: attempt }
      - { id: D4, says: nobody dials soon after a login, req: D-06, on: call.login, for: 30s, exposure: 5s, never: attempt }
      - { id: D5, says: a ready client dials every 10 s, req: D-07, while: ready, keep: attempt, every: 10s }
      - { id: D6, says: until a dial nothing is told, req: D-08, on: call.leave, for: 60s, unless: attempt, never: { event: told } }
  calls:
    follows: connection
    owns: [result.ping]
    otherwise: D-00
    rows:
      - { id: Q1, says: a ping succeeds unless a dial failed, settles: ping, req: D-09, cap: settle, codes: [{ if: since(dial.failed), code: any }, { code: ok }] }
grid:
  stimuli:
    login: { says: login is called, on: call.login }
  cells: { idle: { login: [A1] }, busy: { login: forbidden }, ready: { login: forbidden } }
"#;

/// The profile of dials. It has no word for how the network is.
fn dials() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let requirement = |n: u32| {
            format!("  - {{ id: D-{n:02}, kind: timing, test: client, basis: explicit, section: S, text: T. }}\n")
        };
        let all: String = (0..10).map(requirement).collect();
        let requirements = format!("profile: dials\nrequirements:\n{all}");
        let source = Source::new("requirements.yaml", requirements);
        read(Source::new("profile.yaml", PROFILE), source, None)
    })
}

fn judged(script: &Script, end: u64) -> Judged {
    // A second client that does nothing would keep every prohibition.
    let Table { profile, index, settings } = dials();
    let mut oracle = Oracle::new(profile, index, settings, [(ALICE.into(), ALICE.into())]);
    script.events.iter().for_each(|event| oracle.observe(event));
    oracle.finish(Micros::from_millis(end), true)
}

fn finds(script: &Script, end: u64) -> (Vec<String>, Vec<String>) {
    found(&judged(script, end))
}

#[test]
fn a_demand_that_may_have_been_met_unseen_is_dropped() {
    // Called before dials are hidden, or while they are.
    for (call, down) in [(100, 2_000), (2_500, 2_000)] {
        let script = |port| {
            let script = Script::default();
            if call < down {
                script.call(call, "join").down(down, port)
            } else {
                script.down(down, port).call(call, "join")
            }
        };
        assert_eq!(finds(&script(Refusing), 60_000), fails("D-01"));
        let hidden = script(Closed).up(20_000);
        assert_eq!(finds(&hidden, 60_000), clean());
        assert_eq!(
            status(dials(), &judged(&hidden, 60_000), "D-01"),
            Some(Judgement::Undetermined)
        );
        // A dial that is seen later does not answer it either.
        let later = hidden.network(20_100, "attempt", 1);
        assert_eq!(status(dials(), &judged(&later, 60_000), "D-01"), Some(Judgement::Undetermined));
    }
    // What is asked for afterwards is owed.
    let after = Script::default().down(0, Closed).up(1_000).call(1_000, "join");
    assert_eq!(finds(&after, 60_000), fails("D-01"));
}

#[test]
fn what_an_unseen_dial_opens_is_permitted_and_satisfies_nothing() {
    let fails_at = |port, ms| {
        Script::default()
            .call(0, "login")
            .state(0, "busy", "asked")
            .down(1_000, port)
            .up(10_000)
            .state(ms, "idle", "failed")
    };
    for ms in [1_500, 9_000, 13_000] {
        let judged = judged(&fails_at(Closed, ms), 20_000);
        assert_eq!(found(&judged), clean(), "{ms}");
        assert_eq!(status(dials(), &judged, "D-02"), None);
        assert_eq!(finds(&fails_at(Refusing, ms), 20_000), fails("D-02"), "{ms}");
    }
    // It may have failed just before the port opened, and the report takes 3 s at most.
    assert_eq!(finds(&fails_at(Closed, 13_001), 20_000), fails("D-02"));
    assert_eq!(finds(&fails_at(Closed, 500), 20_000), fails("D-02"));
    // A state that is entered in the dark is no different, and nothing is owed.
    let hidden = || Script::default().down(0, Closed).call(100, "login");
    let entered = hidden().state(200, "busy", "asked");
    assert_eq!(finds(&entered, 60_000), clean());
    assert_eq!(finds(&entered.state(5_000, "idle", "failed"), 60_000), clean());
    // So is one that is told of only afterwards.
    let told = hidden().up(600).state(700, "busy", "asked").state(1_000, "idle", "failed");
    assert_eq!(finds(&told, 60_000), clean());
}

#[test]
fn what_an_unseen_dial_withdraws_is_demanded_no_more() {
    let busy = || Script::default().call(0, "login").state(0, "busy", "asked");
    let logout = |port| busy().call(500, "logout").down(1_000, port);
    assert_eq!(finds(&logout(Refusing), 9_000), fails("D-03"));
    assert_eq!(finds(&logout(Closed), 9_000), clean());
    assert_eq!(finds(&logout(Closed).state(3_000, "idle", "asked"), 9_000), clean());
    // Also when a dial stops its clock.
    let asked = |port| busy().down(500, port).call(1_000, "send");
    assert_eq!(finds(&asked(Refusing), 9_000), fails("D-03"));
    assert_eq!(finds(&asked(Closed), 9_000), clean());
    assert_eq!(finds(&asked(Closed).state(5_500, "ready", "asked"), 6_000), clean());
}

#[test]
fn a_prohibition_that_an_unseen_dial_ends_forbids_nothing() {
    let told = |script: Script| script.on(4_000, Plane::Control, "event", with("event", "told"));
    let before = |port| told(Script::default().call(600, "leave").down(700, port));
    assert_eq!(finds(&before(Refusing), 5_000), fails("D-08"));
    assert_eq!(finds(&before(Closed), 5_000), clean());
    let meanwhile = |port| told(Script::default().down(550, port).call(600, "leave").up(650));
    assert_eq!(finds(&meanwhile(Refusing), 5_000), fails("D-08"));
    assert_eq!(finds(&meanwhile(Closed), 5_000), clean());
}

#[test]
fn hidden_time_is_no_exposure() {
    let of = |script: &Script, id, end| status(dials(), &judged(script, end), id);
    // A prohibition that lasts.
    let script = Script::default().down(3_000, Closed).up(60_000);
    assert_eq!(of(&script, "D-04", 64_999), Some(Judgement::Undetermined));
    assert_eq!(of(&script, "D-04", 65_001), Some(Judgement::Satisfied));
    let in_sight = Script::default().down(3_000, Refusing);
    assert_eq!(of(&in_sight, "D-04", 5_001), Some(Judgement::Satisfied));
    // One that an event armed, with an exposure shorter than it holds.
    let script = Script::default().call(0, "login").state(0, "busy", "asked");
    let script = script.down(3_000, Closed).up(20_000);
    assert_eq!(of(&script, "D-06", 24_999), Some(Judgement::Undetermined));
    assert_eq!(of(&script, "D-06", 25_001), Some(Judgement::Satisfied));
    let dials = script.network(29_000, "attempt", 1);
    assert_eq!(finds(&dials, 29_500), fails("D-06"));
    // One that must hold for its whole time: nobody can say any more that it did.
    let script = Script::default().call(0, "leave").down(3_000, Closed).up(4_000);
    assert_eq!(of(&script, "D-05", 60_000), Some(Judgement::Undetermined));
    assert_eq!(finds(&script.network(19_000, "attempt", 1), 60_000), fails("D-05"));
}

#[test]
fn a_recurring_demand_for_dials_rests_in_the_dark() {
    let ready = Script::default().call(0, "login").state(0, "busy", "asked").call(500, "send");
    let ready = ready.state(4_500, "ready", "asked");
    let script = ready.clone().down(9_000, Closed).up(50_000);
    assert_eq!(finds(&script, 60_000), clean());
    assert_eq!(finds(&script, 60_001), fails("D-07"));
    assert_eq!(finds(&ready.down(9_000, Refusing), 62_000), fails("D-07"));
}

#[test]
fn a_call_that_was_open_in_the_dark_may_have_seen_a_dial_fail() {
    let refused = |script: Script| script.result(9_000, "ping", "refused");
    for down in [500, 1_500] {
        let script = |port| {
            let (first, call) = (Script::default(), |script: Script| script.call(1_000, "ping"));
            let open = if down < 1_000 {
                call(first.down(down, port))
            } else {
                call(first).down(down, port)
            };
            refused(open.up(2_000))
        };
        assert_eq!(finds(&script(Refusing), 10_000), fails("D-09"));
        assert_eq!(finds(&script(Closed), 10_000), clean());
    }
    let after = refused(Script::default().down(0, Closed).up(1_000).call(1_500, "ping"));
    assert_eq!(finds(&after, 10_000), fails("D-09"));
}

#[test]
fn a_gap_that_reaches_into_the_dark_is_none() {
    // The longest gap is how long a client has to stay quiet after its logout.
    let quiet = |port| {
        let script = reconnecting(Refusing).refused(6_000, 2).down(7_000, port).up(30_000);
        let script = script.refused(31_000, 3).call(31_500, "logout");
        let script = script.state(31_500, "disconnected", "logout").result(31_500, "logout", "ok");
        status(agora(), &script.judged(44_000), "RTM-RECON-17")
    };
    assert_eq!(quiet(Closed), Some(Judgement::Satisfied));
    assert_eq!(quiet(Refusing), Some(Judgement::Undetermined));
}
