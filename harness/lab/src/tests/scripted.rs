//! What a script makes the server do, and what tokens are good for.
//!
//! Not responsible for the documented behaviour (`presence`).
//!
//! Invariant: a deviation shows in the trace where it was scripted, and nowhere else.

use super::*;
use stateline_core::scenario::When;

fn refuse(code: &str, times: Option<u32>) -> ServerAct {
    ServerAct::Refuse { client: ALICE, code: code.into(), times }
}

fn hold() -> ServerAct {
    ServerAct::Hold { client: ALICE, until: When::after(Micros::ZERO) }
}

#[test]
fn a_refusal_leaves_the_connection_to_the_client_for_a_while() {
    let mut driver = Driver::new(1);
    driver.act(refuse("too-often", Some(1)));
    assert_eq!(driver.world.unfired_rules().count(), 1);
    driver.ask(ALICE, 1, "valid", None);
    driver.run(4_900);
    assert_eq!(driver.one("server.rejected").data.text("code"), Some("too-often"));
    driver.none("server.closed");
    driver.run(200);
    driver.one("server.closed");
    assert_eq!(driver.world.unfired_rules().count(), 0);
    driver.login(ALICE, 2);
    driver.run(10_000);
    driver.one("server.closed");
}

#[test]
fn a_login_after_a_refusal_on_the_same_connection_stays() {
    let mut driver = Driver::new(2);
    driver.act(refuse("refused", Some(1)));
    driver.ask(ALICE, 1, "valid", None);
    driver.run(100);
    driver.ask_again(ALICE, 1, "valid", None);
    driver.beat(ALICE, 1);
    driver.run(10_000);
    driver.one("server.accepted");
    driver.none("server.closed");
}

#[test]
fn each_kind_of_token_has_its_answer() {
    for (kind, code) in [
        ("expired", "token-expired"),
        ("invalid", "invalid-token"),
        ("malformed", "invalid-token"),
        ("revoked", "invalid-token"),
    ] {
        let mut driver = Driver::new(3);
        driver.ask(ALICE, 1, kind, None);
        driver.run(50);
        assert_eq!(driver.one("server.rejected").data.text("code"), Some(code), "{kind}");
        let login = driver.frames(ALICE, "sent", "login")[0];
        assert_eq!(login.data.text("token"), Some("alice#1"), "{kind}");
        driver.none("token.expired");
    }
}

#[test]
fn a_hold_keeps_logins_and_their_order() {
    let mut driver = Driver::new(4);
    driver.act(hold());
    driver.ask(ALICE, 1, "valid", None);
    driver.ask(ALICE, 2, "same", None);
    driver.out(ALICE, Output::Close { conn: 1 });
    driver.run(5_000);
    driver.none("server.accepted");
    driver.none("presence.online");
    driver.release(ALICE);
    driver.run(50);
    // The first was given up meanwhile.
    assert_eq!(driver.one("server.accepted").data.int("conn"), Some(2));
    driver.ask(ALICE, 3, "same", None);
    driver.run(50);
    assert_eq!(driver.all("server.accepted").len(), 2);
}

#[test]
fn a_held_request_is_no_sign_of_life() {
    let mut driver = lobby(5);
    driver.link(ALICE, LinkAct::Blip);
    driver.stop_beating(ALICE);
    let cut = driver.now;
    driver.act(hold());
    driver.run(10_000);
    driver.ask(ALICE, 2, "same", Some("s1"));
    driver.run_to(cut + ms(29_999));
    driver.none("presence.removed");
    driver.run(1);
    assert_eq!(driver.one("presence.removed").at, cut + ms(30_000));
    driver.release(ALICE);
    driver.run(50);
    assert!(!driver.last("server.accepted").unwrap().data.flag("resumed"));
}

#[test]
fn unanswered_and_twice_count() {
    let mut driver = Driver::new(6);
    driver.act(ServerAct::Unanswered { client: ALICE, times: Some(1) });
    driver.act(ServerAct::Twice { client: ALICE, times: None });
    driver.ask(ALICE, 1, "valid", None);
    driver.run(10_000);
    driver.none("server.accepted");
    driver.ask(ALICE, 2, "same", None);
    driver.run(50);
    assert_eq!(driver.all("server.accepted").len(), 2);
    // Both answers travel in one frame: a trace shows its text once.
    let frames = driver.frames(ALICE, "received", "accepted");
    assert!(frames[0].data.text("text").unwrap().starts_with('['));
    assert_eq!(frames[1].data.get("text"), None);
    assert_eq!(driver.world.unfired_rules().count(), 0);
}

#[test]
fn a_token_expires_once_and_spoils_later_logins() {
    let mut driver = Driver::new(7);
    let token = driver.mint(ALICE, "valid", Some(20));
    driver.login_with(&token, 1);
    driver.run_to(ms(60_000));
    assert_eq!(driver.one("token.expired").at, ms(20_000));
    driver.none("server.closed");
    driver.link(ALICE, LinkAct::Blip);
    driver.ask(ALICE, 2, "same", Some("s1"));
    driver.run(50);
    assert_eq!(driver.one("server.rejected").data.text("code"), Some("token-expired"));
    driver.act(ServerAct::Expire(ALICE));
    driver.one("token.expired");
}

#[test]
fn a_script_expires_and_revokes() {
    for (act, signal) in
        [(ServerAct::Expire(ALICE), "token.expired"), (ServerAct::Revoke(ALICE), "token.revoked")]
    {
        let mut driver = lobby(8);
        driver.act(act);
        driver.run(5_000);
        assert_eq!(driver.one(signal).client, Some(ALICE));
        driver.none("server.closed");
        driver.ask(ALICE, 2, "same", Some("s1"));
        driver.run(50);
        driver.one("server.rejected");
    }
}

#[test]
fn a_script_can_say_anything() {
    let mut driver = lobby(9);
    driver.forget();
    let push = |message: &str| ServerAct::Push {
        client: ALICE,
        message: message.into(),
        fields: Fields::new().with("code", "refused"),
    };
    driver.act(push("rejected"));
    driver.act(push("superseded"));
    driver.act(push("gibberish"));
    driver.run(50);
    assert_eq!(driver.one("server.rejected").data.text("code"), Some("refused"));
    driver.one("server.superseded");
    driver.one("note");
}

#[test]
fn nonsense_from_a_client_is_shown_and_survived() {
    let mut driver = lobby(10);
    driver.forget();
    driver.out(ALICE, Output::Send { conn: 1, text: "{".into() });
    driver.out(ALICE, Output::Dial { conn: 1 });
    driver.out(ALICE, Output::Close { conn: 99 });
    driver.run(2_000);
    let frame = driver.frames(ALICE, "sent", "?")[0];
    assert!(frame.data.text("why").is_some());
    driver.one("note");
    driver.none("server.closed");
}

impl Driver {
    fn login_with(&mut self, token: &str, conn: u32) {
        self.dial(ALICE, conn);
        self.run(50);
        let members = format!(r#""op":"login","user":"alice","token":"{token}""#);
        self.request(ALICE, conn, &members);
        self.run(50);
        self.beat(ALICE, conn);
    }
}
