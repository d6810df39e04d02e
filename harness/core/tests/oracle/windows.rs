//! Each rule about windows, by a trace written down for it.
//!
//! Not responsible for breadth; the generated lives are.
//!
//! Invariant: each rule is shown from both sides: what it lets pass, and what it does not.

use crate::script::Script;
use crate::script::with;
use crate::table::agora;
use stateline_core::oracle::Settings;
use stateline_core::record::Judgement;
use stateline_core::time::Micros;
use stateline_core::value::Fields;

/// Ids of findings that are not consequent, and of warnings.
type Found = (Vec<String>, Vec<String>);

fn clean() -> Found {
    (vec![], vec![])
}

fn fails(id: &str) -> Found {
    (vec![id.to_owned()], vec![])
}

fn warns(id: &str) -> Found {
    (vec![], vec![id.to_owned()])
}

/// Lost by a reset at 1 s: Reconnecting is due from 5 s to 6 s.
fn lost() -> Script {
    Script::connected().beats(500, 500).reset(1_000)
}

/// The same, Reconnecting at 5 s.
fn reconnecting() -> Script {
    lost().state(5_000, "reconnecting", "interrupted")
}

#[test]
fn a_window_is_closed_at_both_ends() {
    for ms in [5_000, 5_500, 6_000] {
        let script = lost().state(ms, "reconnecting", "interrupted");
        assert_eq!(script.found(6_500), clean(), "{ms}");
    }
    assert_eq!(
        lost().state(4_999, "reconnecting", "interrupted").found(6_500),
        fails("RTM-CONN-02")
    );
    assert_eq!(
        lost().state(6_001, "reconnecting", "interrupted").found(6_500),
        fails("RTM-CONN-02")
    );
}

#[test]
fn a_late_report_closes_its_row_without_a_second_finding() {
    let judged = lost().state(7_000, "reconnecting", "interrupted").judged(8_000);
    assert_eq!(judged.findings.len(), 1);
}

#[test]
fn a_demand_that_is_withdrawn_before_its_window_is_gone() {
    let back = lost().back(3_000, 2).beats(4_000, 6_000);
    assert_eq!(back.found(7_000), clean());
    let reported = lost().back(3_000, 2).state(4_500, "reconnecting", "interrupted");
    assert_eq!(reported.found(4_600), fails("RTM-CONN-03"));
    let reported =
        lost().back(3_000, 2).beats(4_000, 5_000).state(5_500, "reconnecting", "interrupted");
    assert_eq!(reported.found(5_600), fails("RTM-CONN-03"));
}

#[test]
fn a_withdrawal_before_the_window_satisfies_what_it_withdraws() {
    let back = lost().back(3_000, 2).beats(4_000, 5_000);
    let req = agora().profile.requirement("RTM-CONN-03").unwrap();
    let status = |end| {
        back.judged(end)
            .requirements
            .iter()
            .find(|(have, _)| *have == req)
            .map(|(_, status)| *status)
    };
    assert_eq!(status(6_000), Some(Judgement::Undetermined));
    assert_eq!(status(6_001), Some(Judgement::Satisfied));
}

#[test]
fn a_withdrawal_within_the_tolerance_leaves_either_answer_right() {
    // Served again at 4.5 s, half a second before the window.
    let grazed = || lost().back(4_500, 2);
    assert_eq!(grazed().beats(5_000, 8_000).found(8_500), clean());
    let reported = grazed().state(5_200, "reconnecting", "interrupted").state(
        5_200,
        "connected",
        "login-success",
    );
    assert_eq!(reported.found(5_500), clean());
    let late = grazed().beats(5_000, 6_000).state(6_001, "reconnecting", "interrupted");
    assert_eq!(late.found(6_100).0.len(), 1);
}

#[test]
fn a_withdrawal_inside_the_window_leaves_either_answer_right() {
    let served = || lost().back(5_300, 2);
    assert_eq!(served().beats(6_000, 8_000).found(8_500), clean());
    let both = served().state(6_000, "reconnecting", "interrupted").state(
        7_000,
        "connected",
        "login-success",
    );
    assert_eq!(both.beats(7_500, 7_500).found(8_000), clean());
    // Who says Reconnecting owes Connected: the move counts from its window, not from its report.
    let half = served().state(6_000, "reconnecting", "interrupted");
    assert_eq!(half.found(7_500), fails("RTM-RECON-04"));
}

#[test]
fn what_a_withdrawal_left_outlives_the_next_start_of_the_clock() {
    let script = lost()
        .back(5_300, 2)
        .network(5_400, "closed", 2)
        .lost(5_400, 5_400, 5_400)
        .state(5_900, "reconnecting", "interrupted")
        .state(6_200, "connected", "login-success")
        .state(9_400, "reconnecting", "interrupted");
    assert_eq!(script.found(9_500), clean());
}

#[test]
fn who_is_served_again_has_no_leave_to_fall_back() {
    let script = reconnecting().back(7_000, 2).state(7_000, "connected", "login-success");
    assert_eq!(script.clone().beats(7_500, 9_500).found(10_000), clean());
    let flaps = script.state(7_400, "reconnecting", "interrupted");
    assert_eq!(flaps.found(7_500), fails("RTM-RECON-20"));
}

#[test]
fn a_second_trigger_of_an_open_row_changes_nothing() {
    let again = lost().lost(3_000, 3_000, 3_000);
    assert_eq!(again.clone().state(6_000, "reconnecting", "interrupted").found(6_500), clean());
    let late = again.state(6_500, "reconnecting", "interrupted");
    assert_eq!(late.found(7_000), fails("RTM-CONN-02"));
}

#[test]
fn silence_is_lost_between_two_instants() {
    let silent = || Script::connected().beats(500, 500).lost(1_200, 500, 2_000);
    for ms in [4_500, 7_000] {
        let script = silent().state(ms, "reconnecting", "interrupted");
        assert_eq!(script.found(8_000), clean(), "{ms}");
    }
    let early = silent().state(4_499, "reconnecting", "interrupted");
    assert_eq!(early.found(8_000), fails("RTM-CONN-02"));
    let late = silent().state(7_001, "reconnecting", "interrupted");
    assert_eq!(late.found(8_000), warns("RTM-CONN-02"));
}

#[test]
fn what_came_after_the_cause_is_replayed_at_a_late_report() {
    // Accepted and lost again at one instant, before Connected is said.
    let script = Script::default()
        .call(0, "login")
        .state(0, "connecting", "login")
        .network(0, "attempt", 1)
        .accepted(100, 1, false)
        .result(100, "login", "ok")
        .call(100, "logout")
        .network(100, "closed", 1)
        .result(100, "logout", "ok");
    let said = script.clone().state(900, "connected", "login-success");
    assert_eq!(said.clone().state(1_900, "disconnected", "logout").found(3_000), clean());
    assert_eq!(said.found(3_000), warns("RTM-CONN-05"));
}

#[test]
fn a_call_that_was_owed_an_answer_is_offered_again() {
    let script = Script::connected()
        .call(500, "logout")
        .signal(600, "server.superseded", Fields::new())
        .network(600, "closed", 1)
        .result(600, "logout", "ok")
        .state(700, "aborted", "remote-login");
    assert_eq!(script.clone().state(900, "disconnected", "logout").found(3_000), clean());
    assert_eq!(script.found(3_000), warns("RTM-ABORT-02"));
}

#[test]
fn a_call_to_which_nothing_was_owed_is_not_demanded_later() {
    // Logout while Connecting is not documented: obeyed late or never, either is right.
    let script = Script::default()
        .call(0, "login")
        .state(0, "connecting", "login")
        .network(0, "attempt", 1)
        .call(50, "logout")
        .result(60, "logout", "ok")
        .accepted(100, 1, false)
        .state(100, "connected", "login-success");
    assert_eq!(script.clone().beats(1_000, 4_000).found(4_500), clean());
    assert_eq!(script.state(300, "disconnected", "logout").found(2_000), clean());
}

#[test]
fn a_call_that_a_permission_took_in_is_demanded_nowhere() {
    // loginByToken while Aborted is not documented: a client that tries, and ends with a timeout, has
    // not been asked for another attempt.
    let aborted = || {
        Script::connected()
            .signal(100, "server.superseded", with("conn", 1_i64))
            .state(100, "aborted", "remote-login")
            .call(2_000, "login")
    };
    let tried = aborted()
        .state(2_000, "connecting", "login")
        .network(2_000, "attempt", 2)
        .state(8_000, "disconnected", "login-timeout")
        .result(8_000, "login", "timeout");
    assert_eq!(tried.clone().found(12_000), clean());
    // A further report nothing asked for, and it is found.
    assert_eq!(tried.state(30_000, "connecting", "login").found(32_000), fails("RTM-STATE-04"));
    // First Disconnected and then an attempt that succeeds is as right.
    let first = aborted()
        .state(2_000, "disconnected", "logout")
        .state(2_100, "connecting", "login")
        .network(2_100, "attempt", 2)
        .accepted(2_200, 2, false)
        .state(2_200, "connected", "login-success")
        .result(2_200, "login", "ok")
        .beats(3_000, 3_500);
    assert_eq!(first.found(4_000), clean());
}

#[test]
fn events_that_a_state_took_in_are_not_replayed_for_an_older_call() {
    let script = Script::default()
        .call(0, "logout")
        .result(0, "logout", "ok")
        .call(10, "login")
        .state(10, "connecting", "login")
        .network(20, "attempt", 1)
        .accepted(100, 1, false)
        .state(100, "connected", "login-success")
        .result(100, "login", "ok")
        .call(300, "logout")
        .network(300, "closed", 1)
        .state(350, "disconnected", "logout")
        .result(350, "logout", "ok");
    assert_eq!(script.found(9_000), clean());
}

#[test]
fn a_cap_warns_and_twice_the_cap_fails() {
    let script = || {
        Script::connected()
            .call(500, "logout")
            .state(500, "disconnected", "logout")
            .network(500, "closed", 1)
    };
    assert_eq!(script().found(60_500), clean());
    assert_eq!(script().found(60_501), warns("RTM-CONN-06"));
    assert_eq!(script().found(120_500), warns("RTM-CONN-06"));
    assert_eq!(script().found(120_501).0, ["RTM-CONN-06"]);
    assert_eq!(script().result(60_000, "logout", "ok").found(121_000), clean());
}

#[test]
fn a_cap_of_the_command_line_is_the_one_in_force() {
    let script = Script::connected()
        .call(500, "logout")
        .state(500, "disconnected", "logout")
        .network(500, "closed", 1);
    let cap = agora().profile.caps.get_index_of("settle").unwrap();
    let judged = script.judged_by(30_000, |settings| settings.caps[cap] = Micros::from_secs(10));
    assert_eq!(crate::script::found(&judged).0, ["RTM-CONN-06"]);
    assert_eq!(judged.findings[0].at, Micros::from_millis(20_500));
}

#[test]
fn slack_widens_the_late_side_alone() {
    let slack = |settings: &mut Settings| settings.slack = Micros::from_millis(250);
    let found = |ms| {
        let script = lost().state(ms, "reconnecting", "interrupted");
        crate::script::found(&script.judged_by(6_900, slack))
    };
    assert_eq!(found(6_250), clean());
    assert_eq!(found(6_251), fails("RTM-CONN-02"));
    assert_eq!(found(4_999), fails("RTM-CONN-02"));
}

#[test]
fn strict_turns_warnings_of_rows_into_findings() {
    let repeated = Script::connected().state(200, "connected", "login-success");
    assert_eq!(repeated.found(300), warns("RTM-STATE-05"));
    let judged = repeated.judged_by(300, |settings| settings.strict = true);
    assert_eq!(crate::script::found(&judged), fails("RTM-STATE-05"));
    // A cap is ours: its warning stays one.
    let slow = Script::connected()
        .call(500, "logout")
        .state(500, "disconnected", "logout")
        .network(500, "closed", 1);
    let judged = slow.judged_by(70_000, |settings| settings.strict = true);
    assert_eq!(crate::script::found(&judged), warns("RTM-CONN-06"));
}

#[test]
fn an_exposure_that_is_over_satisfies_a_prohibition() {
    let req = agora().profile.requirement("RTM-ABORT-01").unwrap();
    let script = Script::connected()
        .signal(500, "server.superseded", Fields::new())
        .network(500, "closed", 1)
        .state(500, "aborted", "remote-login");
    let status = |end| {
        let judged = script.judged(end);
        judged.requirements.iter().find(|(have, _)| *have == req).map(|(_, status)| *status)
    };
    assert_eq!(status(10_400), Some(Judgement::Undetermined));
    assert_eq!(status(10_600), Some(Judgement::Satisfied));
}

#[test]
fn a_gap_between_attempts_warns_and_twice_the_cap_fails() {
    let gap = || reconnecting().network(6_000, "attempt", 2).network(6_100, "failed", 2);
    assert_eq!(gap().found(66_100), clean());
    assert_eq!(gap().network(66_100, "attempt", 3).found(66_200), clean());
    assert_eq!(gap().found(66_101), warns("RTM-RECON-01"));
    assert_eq!(gap().found(126_101).0, ["RTM-RECON-01"]);
}

#[test]
fn a_dial_in_progress_counts_as_an_attempt() {
    let hangs = || reconnecting().network(6_000, "attempt", 2);
    assert_eq!(hangs().found(246_000), clean());
    assert_eq!(hangs().found(246_001), fails("RTM-RECON-01"));
    assert_eq!(hangs().network(200_000, "failed", 2).found(260_000), clean());
    assert_eq!(hangs().network(200_000, "failed", 2).found(260_001), warns("RTM-RECON-01"));
}

#[test]
fn heartbeats_are_owed_while_connected_and_served() {
    assert_eq!(Script::connected().beats(2_100, 4_100).found(6_100), clean());
    assert_eq!(Script::connected().beats(2_100, 4_100).found(6_101), fails("RTM-CONN-01"));
    assert_eq!(reconnecting().found(20_000), clean());
}

#[test]
fn attempts_and_logins_are_forbidden_where_the_table_says_so() {
    let before = Script::default().network(100, "attempt", 1);
    assert_eq!(before.found(200), warns("RTM-STATE-06"));
    let out = |ms| {
        Script::connected()
            .call(500, "logout")
            .state(500, "disconnected", "logout")
            .network(500, "closed", 1)
            .result(500, "logout", "ok")
            .network(ms, "attempt", 2)
    };
    assert_eq!(out(1_499).found(1_600), clean());
    assert_eq!(out(1_501).found(1_600), fails("RTM-CONN-07"));
    assert_eq!(out(900).sent(910, "login").found(1_600), fails("RTM-CONN-07"));
    let aborted = || {
        Script::connected()
            .signal(500, "server.superseded", Fields::new())
            .network(500, "closed", 1)
            .state(500, "aborted", "remote-login")
            .network(600, "attempt", 2)
    };
    assert_eq!(aborted().found(700), warns("RTM-ABORT-01"));
    assert_eq!(aborted().sent(700, "login").found(800).0, ["RTM-ABORT-01"]);
    let refused = Script::default()
        .call(0, "login")
        .state(0, "connecting", "login")
        .network(0, "attempt", 1)
        .signal(100, "server.rejected", with("code", "invalid-token"))
        .network(100, "closed", 1)
        .state(100, "disconnected", "login-failure")
        .result(100, "login", "invalid-token")
        .network(300, "attempt", 2);
    assert_eq!(refused.found(400), warns("RTM-LOGIN-07"));
}

#[test]
fn a_login_carries_the_token_that_was_given() {
    let other = Fields::new().with("dir", "sent").with("message", "login").with("token", "other");
    let script = Script::default()
        .call(0, "login")
        .state(0, "connecting", "login")
        .network(0, "attempt", 1)
        .on(10, stateline_core::trace::Plane::Wire, "frame", other);
    assert_eq!(script.found(100), fails("RTM-LOGIN-04"));
}

#[test]
fn a_peer_that_notices_a_short_absence_is_found() {
    let resumed = Fields::new()
        .with("conn", 2i64)
        .with("resumed", true)
        .with("online", true)
        .with("channels", 1i64);
    let gone = with("channel", "lobby").with("uid", "alice").with("outage", true);
    let script = |uid: &'static str| {
        let mut gone = gone.clone();
        gone.set("uid".into(), uid.into());
        reconnecting()
            .network(6_000, "attempt", 2)
            .signal(6_100, "server.accepted", resumed.clone())
            .signal(6_100, "service.back", with("same", false))
            .state(6_100, "connected", "login-success")
            .signal(6_500, "server.member-left", gone)
            .by("bob")
    };
    assert_eq!(script("alice").found(6_600), fails("RTM-RECON-11"));
    assert_eq!(script("carol").found(6_600), clean());
}
