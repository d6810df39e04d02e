//! States that no client reports, derived from callbacks: times that calls bring along, whose callback it is,
//! and what an unexplained one breaks.
//!
//! Not responsible for machines whose states are reported.
//!
//! Invariant: every trace here is by the tables of `rc-im`, in which no state is reported.

use crate::script::{Script, found, with};
use crate::table::{Table, read};
use stateline_authoring::Source;
use stateline_core::oracle::Oracle;
use stateline_core::time::Micros;
use stateline_core::trace::Plane;
use stateline_core::value::{Fields, Value};
use std::sync::OnceLock;

fn rc() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let profile = include_str!("../../../../scenarios/rc-im/profile.yaml");
        let requirements = include_str!("../../../../scenarios/rc-im/requirements.yaml");
        read(
            Source::new("profile.yaml", profile),
            Source::new("requirements.yaml", requirements),
            None,
        )
    })
}

type Found = (Vec<String>, Vec<String>);

fn judged(script: &Script, end: u64) -> Found {
    found(&rc().judge(&script.events, Micros::from_millis(end)))
}

fn one(requirement: &str) -> Found {
    (vec![requirement.to_owned()], Vec::new())
}

fn warned(requirement: &str) -> Found {
    (Vec::new(), vec![requirement.to_owned()])
}

fn nothing() -> Found {
    (Vec::new(), Vec::new())
}

/// Initialised, and connecting with a time limit, or without one; the database is open.
fn connecting(limit: Option<i64>) -> Script {
    let data = Fields::new().with("op", "connect").with("call", 2i64).with("token", "t");
    let data = data.with("token-kind", "valid");
    let data = match limit {
        Some(limit) => data.with("time-limit", limit),
        None => data,
    };
    Script::default().call(0, "init").on(0, Plane::Control, "call", data).opened(0)
}

trait Callbacks {
    fn event(self, ms: u64, event: &'static str, data: Fields) -> Script;
    fn opened(self, ms: u64) -> Script;
    fn error(self, ms: u64, code: &'static str) -> Script;
    fn success(self, ms: u64, user: &'static str) -> Script;
    fn dialled(self, ms: u64) -> Script;
    fn refused(self, ms: u64, code: &'static str) -> Script;
}

impl Callbacks for Script {
    fn event(self, ms: u64, event: &'static str, data: Fields) -> Script {
        let all = data.iter().fold(Fields::new().with("event", event), |mut all, (name, value)| {
            all.set(name.clone(), value.clone());
            all
        });
        self.on(ms, Plane::Control, "event", all)
    }

    fn opened(self, ms: u64) -> Script {
        self.event(ms, "database-opened", with("status", "success"))
    }

    fn error(self, ms: u64, code: &'static str) -> Script {
        self.event(ms, "error", with("code", code))
    }

    fn success(self, ms: u64, user: &'static str) -> Script {
        self.event(ms, "success", with("user", user))
    }

    fn dialled(self, ms: u64) -> Script {
        self.network(ms, "attempt", 1).network(ms, "opened", 1).sent(ms, "login")
    }

    fn refused(self, ms: u64, code: &'static str) -> Script {
        self.signal(ms, "server.rejected", with("code", code))
    }
}

#[test]
fn a_window_opens_as_late_as_the_call_says() {
    for limit in [1, 3, 12] {
        let at = u64::try_from(limit).unwrap() * 1_000;
        let pending = || connecting(Some(limit)).dialled(10);
        assert_eq!(judged(&pending().error(at, "connect-timeout"), at + 2_000), nothing());
        assert_eq!(judged(&pending().error(at + 1_000, "connect-timeout"), at + 2_000), nothing());
        // Too early, not at all, and with another code are three faults, of two requirements.
        let early = pending().error(at - 200, "connect-timeout");
        assert_eq!(judged(&early, at), one("RC-TIME-01"));
        assert_eq!(judged(&pending(), at + 1_001), one("RC-TIME-01"));
        let other = pending().error(at, "unknown");
        assert_eq!(judged(&other, at + 500), one("RC-ERR-TIMEOUT"));
    }
}

#[test]
fn without_a_number_above_zero_no_window_opens() {
    for (limit, requirement) in
        [(Some(0), "RC-TIME-04"), (Some(-1), "RC-TIME-05"), (None, "RC-TIME-08")]
    {
        let pending = || connecting(limit).dialled(10);
        assert_eq!(judged(&pending(), 30_000), nothing(), "{limit:?}");
        let told = pending().error(5_000, "connect-timeout");
        assert_eq!(judged(&told, 6_000), one(requirement), "{limit:?}");
    }
}

#[test]
fn the_limit_is_that_of_the_last_call() {
    let again = |limit: i64| {
        let data = Fields::new().with("op", "connect").with("call", 3i64).with("token", "t");
        let data = data.with("token-kind", "valid").with("time-limit", limit);
        let first = connecting(Some(2)).dialled(10).error(2_000, "connect-timeout");
        first.on(5_000, Plane::Control, "call", data).opened(5_000).dialled(5_010)
    };
    assert_eq!(judged(&again(9).error(14_000, "connect-timeout"), 16_000), nothing());
    assert_eq!(judged(&again(9).error(7_000, "connect-timeout"), 8_000), one("RC-TIME-01"));
    assert_eq!(judged(&again(0).error(7_000, "connect-timeout"), 8_000), one("RC-TIME-04"));
}

#[test]
fn a_callback_is_about_the_clients_own_user() {
    let accepted = || connecting(Some(5)).dialled(10).accepted(100, 1, false);
    assert_eq!(judged(&accepted().success(100, "alice"), 3_000), nothing());
    assert_eq!(judged(&accepted().success(100, "bob"), 1_000), one("RC-CONN-01"));
    assert_eq!(judged(&accepted(), 1_101), one("RC-CONN-01"));
}

#[test]
fn an_uncalled_for_callback_breaks_the_otherwise_of_its_own_kind() {
    let pending = || connecting(Some(60)).dialled(10);
    assert_eq!(judged(&pending().success(500, "alice"), 1_000), one("RC-CONN-01"));
    assert_eq!(judged(&pending().error(500, "unknown"), 1_000), one("RC-CONN-02"));
    let refused = || pending().refused(200, "user-blocked");
    assert_eq!(judged(&refused().error(200, "user-blocked"), 1_000), nothing());
    assert_eq!(judged(&refused().error(200, "app-blocked"), 1_000), one("RC-ERR-USER"));
}

#[test]
fn what_is_forbidden_hangs_on_the_state_before_the_event() {
    // One callback ends the waiting that it is looked for in, and the second one of it is one too many.
    let accepted = || connecting(Some(5)).dialled(10).accepted(100, 1, false).success(100, "alice");
    assert_eq!(judged(&accepted(), 3_000), nothing());
    assert_eq!(judged(&accepted().opened(200), 3_000), warned("RC-DB-03"));
}

#[test]
fn a_code_that_the_profile_does_not_list_is_recorded() {
    let refused = connecting(None).dialled(10).refused(200, "internal");
    let told = refused.event(200, "error", with("code", 31_999i64).with("raw-code", 31_999i64));
    let judged = rc().judge(&told.events, Micros::from_millis(3_000));
    assert_eq!(found(&judged), nothing());
    let undocumented = judged.choices.iter().find(|choice| {
        choice.requirement.as_deref() == Some("RC-ERR-TABLE")
            && choice.choice.contains("does not know the word 31999")
    });
    assert!(undocumented.is_some(), "{:#?}", judged.choices);
}

#[test]
fn a_script_goes_on_when_what_is_due_was_told() {
    let table = rc();
    let mut oracle = Oracle::new(
        &table.profile,
        &table.index,
        &table.settings,
        [("alice".into(), "alice".into())],
    );
    let state = |oracle: &Oracle<'_>| {
        let (_, machine) = table.profile.main_machine().unwrap();
        (machine.states[oracle.state(0).unwrap()].to_string(), oracle.is_settled(0))
    };
    let script = connecting(Some(5)).dialled(10).accepted(100, 1, false).success(100, "alice");
    let (last, before) = script.events.split_last().unwrap();
    before[..4].iter().for_each(|event| oracle.observe(event));
    // The time limit is no reason to wait: its time has not come.
    assert_eq!(state(&oracle), ("connecting".to_owned(), true));
    before[4..].iter().for_each(|event| oracle.observe(event));
    assert_eq!(state(&oracle), ("connected".to_owned(), false));
    oracle.observe(last);
    assert_eq!(state(&oracle), ("connected".to_owned(), true));
    // What is overdue is not waited for, either.
    let mut silent = Oracle::new(
        &table.profile,
        &table.index,
        &table.settings,
        [("alice".into(), "alice".into())],
    );
    before.iter().for_each(|event| silent.observe(event));
    silent.advance(Micros::from_millis(1_200));
    assert_eq!(state(&silent), ("connected".to_owned(), true));
}

#[test]
fn fields_of_callbacks_have_words_of_their_own() {
    let names = &rc().profile.names;
    let mut data = with("code", 31_020i64).with("status", "DATABASE_OPEN_SUCCESS");
    names.normalise_event("error", &mut data);
    assert_eq!(data.text("code"), Some("token-expired"));
    assert_eq!(data.get("raw-code"), Some(&Value::Int(31_020)));
    // A status belongs to another callback.
    assert_eq!(data.text("status"), Some("DATABASE_OPEN_SUCCESS"));
    names.normalise_event("database-opened", &mut data);
    assert_eq!(data.text("status"), Some("success"));
}
