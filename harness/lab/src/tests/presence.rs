//! The server's chair: presence, sessions, and how they end.
//!
//! Not responsible for the client's chair (`service`).
//!
//! Invariant: removal comes `presence` after the last sign of life, to the microsecond.

use super::*;

#[test]
fn a_long_absence_removes_and_a_return_restores() {
    let mut driver = lobby(1);
    driver.request(ALICE, 1, r#""op":"set","attributes":"mood=calm""#);
    driver.run(50);
    driver.done(ALICE, "set-attributes", &[("attributes", "mood=calm")]);
    driver.forget();
    driver.link(ALICE, LinkAct::BlackHole);
    driver.run(40_000);
    let unheard = driver.one("server.unheard");
    let heard = unheard.data.time("heard_ms").unwrap();
    assert_eq!(unheard.at, heard + ms(2_500));
    let removed = driver.one("presence.removed");
    assert_eq!((removed.at, removed.data.text("why")), (heard + ms(30_000), Some("outage")));
    let left = driver.one("server.member-left");
    assert_eq!((left.client, left.data.flag("outage")), (Some(BOB), true));
    assert!(left.at > removed.at && left.at < removed.at + ms(25));
    assert!(!driver.world.is_online("alice"));
    // Back: the old connection has no session any more, and is closed.
    driver.link(ALICE, LinkAct::Up);
    driver.stop_beating(ALICE);
    driver.run(50);
    assert_eq!(driver.one("server.closed").data.int("code"), Some(1000));
    driver.none("service.back");
    driver.ask(ALICE, 2, "same", Some("s1"));
    driver.run(50);
    let accepted = driver.one("server.accepted");
    assert!(!accepted.data.flag("resumed"));
    assert_eq!(accepted.data.int("channels"), Some(1));
    assert!(accepted.data.flag("attributes"));
    driver.none("server.channels-agree");
    driver.request(ALICE, 2, r#""op":"join","channel":"lobby""#);
    driver.run(50);
    driver.one("server.channels-agree");
    driver.none("server.attributes-agree");
    driver.request(ALICE, 2, r#""op":"set","attributes":"mood=calm""#);
    driver.run(50);
    driver.one("server.attributes-agree");
    let joined = driver.one("server.member-joined");
    assert_eq!((joined.client, joined.data.flag("outage")), (Some(BOB), true));
}

#[test]
fn the_end_of_a_silent_connection_is_no_sign_of_life() {
    let mut driver = lobby(12);
    driver.forget();
    driver.link(ALICE, LinkAct::BlackHole);
    driver.run(10_000);
    let heard = driver.one("server.unheard").data.time("heard_ms").unwrap();
    driver.link(ALICE, LinkAct::Reset);
    driver.run(30_000);
    driver.one("server.unheard");
    driver.one("service.lost");
    assert_eq!(driver.one("presence.removed").at, heard + ms(30_000));
}

#[test]
fn a_resumed_session_agrees_at_once_and_nobody_notices() {
    let mut driver = lobby(2);
    driver.link(ALICE, LinkAct::Blip);
    driver.run(29_800);
    driver.forget();
    driver.resume(ALICE, 2, "s1");
    let seen = driver.signals();
    assert_eq!(
        seen,
        ["server.heard", "server.accepted", "server.channels-agree", "service.back"],
        "{}",
        driver.story()
    );
    driver.run(40_000);
    driver.none("server.member-left");
    driver.none("server.member-joined");
}

#[test]
fn a_newer_connection_replaces_the_older_silently() {
    let mut driver = lobby(3);
    driver.forget();
    driver.resume(ALICE, 2, "s1");
    assert!(driver.one("server.accepted").data.flag("resumed"));
    let closed = driver.one("closed");
    assert_eq!((closed.client, closed.data.int("conn")), (Some(ALICE), Some(1)));
    for kind in ["server.closed", "service.lost", "service.back", "server.unheard"] {
        driver.none(kind);
    }
}

#[test]
fn another_instance_supersedes() {
    let mut driver = lobby(4);
    driver.forget();
    driver.login(ALICE2, 1);
    let accepted = driver.one("server.accepted");
    assert_eq!((accepted.client, accepted.data.flag("took")), (Some(ALICE2), true));
    let told = driver.one("server.superseded");
    assert_eq!(told.client, Some(ALICE));
    let told = told.at;
    assert!(!driver.one("server.member-left").data.flag("outage"));
    driver.run(1_000);
    let closed = driver.one("server.closed");
    assert_eq!((closed.client, closed.data.int("code")), (Some(ALICE), Some(4001)));
    assert!(closed.at >= told + ms(490) && closed.at <= told + ms(510));
    driver.none("service.lost");
    driver.none("presence.removed");
    let ended = driver.one("presence.ended");
    assert_eq!((ended.client, ended.data.text("why")), (Some(ALICE), Some("superseded")));
    assert!(driver.world.is_online("alice"));
}

#[test]
fn a_login_that_kicks_nobody_is_refused_while_another_instance_is_online() {
    let mut driver = Driver::new(21);
    driver.login(ALICE, 1);
    driver.forget();
    let ask = |driver: &mut Driver, client, conn, more: &str| {
        driver.dial(client, conn);
        driver.run(50);
        let token = driver.mint(client, "valid", None);
        let login = format!(r#""op":"login","user":"alice","token":"{token}""#);
        driver.request(client, conn, &format!("{login}{more}"));
        driver.run(50);
    };
    ask(&mut driver, ALICE2, 1, r#","kick":false"#);
    let refused = driver.one("server.rejected");
    assert_eq!(
        (refused.client, refused.data.text("code")),
        (Some(ALICE2), Some("online-elsewhere"))
    );
    driver.none("server.superseded");
    // The session that is online is its own: it takes it up again, or begins a new one.
    ask(&mut driver, ALICE, 2, r#","kick":false,"session":"s1""#);
    assert!(driver.one("server.accepted").data.flag("resumed"));
    driver.forget();
    ask(&mut driver, ALICE, 3, r#","kick":false"#);
    assert!(!driver.one("server.accepted").data.flag("resumed"));
    // What says nothing, or that it kicks, takes over.
    driver.forget();
    ask(&mut driver, ALICE2, 2, r#","kick":true"#);
    assert_eq!(driver.one("server.superseded").client, Some(ALICE));
    assert_eq!(driver.one("server.accepted").client, Some(ALICE2));
    let sent = driver.frames(ALICE2, "sent", "login");
    assert!(sent.iter().all(|frame| frame.data.flag("kick")), "{}", driver.story());
}

#[test]
fn a_ghost_supersedes_and_is_superseded() {
    let mut driver = lobby(5);
    driver.forget();
    driver.act(ServerAct::Supersede(ALICE));
    driver.run(1_000);
    driver.one("server.superseded");
    driver.stop_beating(ALICE);
    driver.run(120_000);
    driver.none("presence.removed");
    driver.done(ALICE, "logout", &[]);
    driver.forget();
    driver.login(ALICE, 2);
    let accepted = driver.one("server.accepted");
    assert!(accepted.data.flag("took") && !accepted.data.flag("resumed"));
    assert_eq!(accepted.data.int("channels"), Some(0));
}

#[test]
fn a_clients_own_old_session_ends_silently() {
    let mut driver = lobby(6);
    driver.forget();
    driver.stop_beating(ALICE);
    driver.ask(ALICE, 2, "valid", None);
    driver.run(1_000);
    let accepted = driver.one("server.accepted");
    assert!(!accepted.data.flag("took") && !accepted.data.flag("resumed"));
    for kind in ["server.superseded", "server.closed", "service.lost"] {
        driver.none(kind);
    }
    assert_eq!(driver.one("closed").data.int("conn"), Some(1));
}

#[test]
fn a_session_that_its_own_client_replaces_leaves_the_outage_what_it_was() {
    let mut driver = lobby(8);
    driver.stop_beating(ALICE);
    driver.run(40_000);
    driver.one("presence.removed");
    driver.login(ALICE, 2);
    // Nobody knows this session: the client asks again, and then enters its channels.
    driver.login(ALICE, 3);
    driver.forget();
    driver.join(ALICE, 3);
    assert!(driver.one("server.member-joined").data.flag("outage"));
}

#[test]
fn a_logout_ends_the_session_and_then_the_connection() {
    let mut driver = lobby(7);
    driver.forget();
    driver.request(ALICE, 1, r#""op":"logout""#);
    driver.stop_beating(ALICE);
    driver.run(1_000);
    assert_eq!(
        driver.signals(),
        ["server.logged-out", "presence.ended", "server.member-left", "server.closed"]
    );
    assert_eq!(driver.one("server.closed").data.int("code"), Some(4004));
    assert!(!driver.one("server.member-left").data.flag("outage"));
    assert_eq!(driver.frames(ALICE, "received", "done").len(), 1);
    // A later join is the application's own, not a consequence of an outage.
    driver.done(ALICE, "logout", &[]);
    driver.login(ALICE, 2);
    driver.join(ALICE, 2);
    assert!(!driver.one("server.member-joined").data.flag("outage"));
}

#[test]
fn a_kick_and_a_ban_end_the_session() {
    for (act, signal, code, again) in [
        (ServerAct::Kick(ALICE), "server.kicked", 4002, "server.accepted"),
        (ServerAct::Ban(ALICE), "server.banned", 4003, "server.rejected"),
    ] {
        let mut driver = lobby(8);
        driver.forget();
        driver.act(act);
        driver.run(1_000);
        driver.one(signal);
        assert_eq!(driver.one("server.closed").data.int("code"), Some(code));
        assert!(!driver.one("server.member-left").data.flag("outage"));
        driver.none("service.lost");
        driver.ask(ALICE, 2, "valid", Some("s1"));
        driver.run(50);
        driver.one(again);
    }
}

#[test]
fn a_close_and_a_restart_leave_the_session() {
    for (act, code, n) in
        [(ServerAct::Close(ALICE), 1000, 1), (ServerAct::Restart(ms(2_000)), 1012, 2)]
    {
        let mut driver = lobby(9);
        driver.forget();
        driver.act(act);
        driver.run(50);
        assert_eq!(driver.all("server.closed").len(), n);
        assert_eq!(driver.all("service.lost").len(), n);
        assert_eq!(driver.last("server.closed").unwrap().data.int("code"), Some(code));
        driver.dial(ALICE, 7);
        driver.run(50);
        assert_eq!(driver.all("failed").len(), n - 1);
        driver.run(2_000);
        driver.resume(ALICE, 2, "s1");
        assert!(driver.one("server.accepted").data.flag("resumed"));
    }
}

#[test]
fn requests_without_a_session_fail() {
    let mut driver = Driver::new(10);
    driver.dial(ALICE, 1);
    driver.run(50);
    for op in ["join", "leave", "send", "set"] {
        let members = format!(r#""op":"{op}","channel":"lobby","text":"","attributes":"a""#);
        driver.request(ALICE, 1, &members);
    }
    driver.run(50);
    let failed = driver.frames(ALICE, "received", "failed");
    assert_eq!(failed.len(), 4);
    assert!(failed.iter().all(|frame| frame.data.text("code") == Some("not-logged-in")));
}

#[test]
fn an_accept_that_was_logged_out_of_gives_no_service() {
    let mut driver = Driver::new(11);
    driver.ask(ALICE, 1, "valid", None);
    driver.request(ALICE, 1, r#""op":"logout""#);
    driver.run(50);
    driver.one("server.accepted");
    driver.run(1_000);
    driver.one("server.logged-out");
    driver.none("service.lost");
    assert!(!driver.world.is_online("alice"));
}
