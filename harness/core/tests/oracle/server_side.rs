//! The server's own duties: presence.
//!
//! Not responsible for clients' duties.
//!
//! Invariant: what the server breaks is said of the server, and marks no client's breach as
//! consequent.

use crate::conforming::config;
use crate::script::{Script, found, with};
use crate::table::agora;
use proptest::prelude::*;
use stateline_core::oracle::Judged;
use stateline_core::time::Micros;
use stateline_core::value::Fields;

/// A client that logged out, whose session the server has not heard from since 10 s.
fn unheard() -> Script {
    Script::connected()
        .beats(1_000, 4_000)
        .call(5_000, "logout")
        .state(5_000, "disconnected", "logout")
        .network(5_000, "closed", 1)
        .result(5_000, "logout", "ok")
        .signal(10_000, "server.unheard", with("heard_ms", Micros::from_secs(10)))
}

fn removed(at: Option<u64>) -> Judged {
    let script = unheard();
    let script = match at {
        Some(ms) => script.signal(ms, "presence.removed", Fields::new()),
        None => script,
    };
    script.judged(60_000)
}

fn breach(judged: &Judged) -> Option<(String, String)> {
    let first = judged.findings.iter().find(|finding| finding.side == "server")?;
    assert!(!first.consequent);
    Some((first.requirement.to_string(), first.row.to_string()))
}

proptest! {
    #![proptest_config(config(256, 300))]

    #[test]
    fn a_removal_is_right_from_30_s_to_the_tolerance(ms in 10_001u64..59_000) {
        let presence = agora().profile.timers["presence"].0 / 1_000;
        let late = agora().profile.tolerance.late.0 / 1_000;
        let wanted = match ms - 10_000 {
            after if after < presence => Some("RTM-RECON-02"),
            after if after > presence + late => Some("RTM-RECON-03"),
            _ => None,
        };
        let found = breach(&removed(Some(ms)));
        prop_assert_eq!(found.as_ref().map(|(req, _)| req.as_str()), wanted);
        prop_assert!(found.is_none_or(|(_, row)| row == "V1"));
    }
}

#[test]
fn both_ends_of_the_window_are_inside() {
    for ms in [40_000, 40_500, 41_000] {
        assert_eq!(removed(Some(ms)).findings, [], "{ms}");
    }
    for (ms, req) in [(39_999, "RTM-RECON-02"), (41_001, "RTM-RECON-03")] {
        let judged = removed(Some(ms));
        assert_eq!(breach(&judged).unwrap().0, req, "{ms}");
        assert!(judged.findings.iter().all(|finding| finding.side == "server"), "{ms}");
    }
}

#[test]
fn an_instance_that_is_never_removed_is_found_once() {
    let judged = removed(None);
    assert_eq!(breach(&judged).unwrap().0, "RTM-RECON-03");
    assert_eq!(judged.findings.len(), 1);
    assert_eq!(judged.findings[0].at, Micros::from_secs(41));
}

#[test]
fn a_removal_without_a_cause_is_found() {
    let script = Script::connected().signal(150, "presence.removed", Fields::new());
    let judged = script.judged(200);
    assert_eq!(found(&judged).0, ["RTM-CONN-08"]);
    assert_eq!(judged.findings[0].side, "server");
}

#[test]
fn one_that_was_heard_again_is_not_removed() {
    let heard = || unheard().signal(20_000, "server.heard", Fields::new());
    assert_eq!(found(&heard().judged(60_000)), (vec![], vec![]));
    let judged = heard().signal(40_000, "presence.removed", Fields::new()).judged(60_000);
    assert_eq!(breach(&judged).unwrap().0, "RTM-RECON-02");
}

#[test]
fn one_that_is_not_online_after_an_accept_is_found() {
    let offline = Fields::new().with("conn", 1i64).with("resumed", false).with("online", false);
    let script = Script::default()
        .call(0, "login")
        .state(0, "connecting", "login")
        .network(10, "attempt", 1)
        .signal(100, "server.accepted", offline)
        .state(100, "connected", "login-success")
        .result(100, "login", "ok");
    let judged = script.judged(200);
    assert_eq!(breach(&judged).unwrap(), ("RTM-CONN-08".to_owned(), "values".to_owned()));
}

#[test]
fn the_servers_fault_makes_no_clients_fault_consequent() {
    let judged = unheard()
        .signal(15_000, "presence.removed", Fields::new())
        .state(16_000, "connected", "login-success")
        .judged(16_500);
    let sides: Vec<_> =
        judged.findings.iter().map(|found| (&*found.side, found.consequent)).collect();
    assert_eq!(sides, [("server", false), ("client", false)]);
}
