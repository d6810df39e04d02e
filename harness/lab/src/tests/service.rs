//! Links, and what a client can know at its end of them.
//!
//! Not responsible for what the server makes of it (`presence`).
//!
//! Invariant: each kind of cut is seen with the loss and the return that the design gives it.

use super::*;

#[test]
fn a_login_is_told_once_without_its_token() {
    let mut driver = Driver::new(1);
    driver.login(ALICE, 1);
    let seen = driver.one("server.accepted");
    assert_eq!(
        serde_json::to_string(&seen.data).unwrap(),
        r#"{"conn":1,"resumed":false,"took":false,"online":true,"channels":0,"attributes":false}"#
    );
    assert_eq!(driver.signals(), ["presence.online", "server.accepted"]);
    let login = driver.frames(ALICE, "sent", "login")[0];
    assert_eq!(login.data.text("token"), Some("alice#1"));
    assert!(login.data.text("text").unwrap().contains("<token alice#1>"));
    assert!(!driver.story().contains("lab1."), "{}", driver.story());
    driver.run(1_100);
    for frame in [driver.frames(ALICE, "sent", "ping"), driver.frames(ALICE, "received", "pong")] {
        assert_eq!(frame.len(), 1);
        assert_eq!(frame[0].data.get("text"), None);
        assert!(frame[0].data.int("id").is_some());
    }
}

#[test]
fn a_reset_is_a_point_and_ends_with_a_resumed_login() {
    let mut driver = lobby(2);
    driver.forget();
    let cut = driver.now;
    driver.link(ALICE, LinkAct::Reset);
    let lost = driver.one("service.lost");
    assert_eq!(lost.data.time("heard_ms"), Some(cut));
    assert_eq!(lost.data.time("sure_ms"), Some(cut));
    assert_eq!(driver.one("server.unheard").at, cut);
    assert!(matches!(driver.log.inputs[0].2, Input::Closed { conn: 1, code: None }));
    driver.stop_beating(ALICE);
    driver.dial(ALICE, 2);
    driver.run(5_000);
    driver.none("opened");
    driver.link(ALICE, LinkAct::Up);
    driver.run(50);
    driver.one("opened");
    driver.ask_again(ALICE, 2, "same", Some("s1"));
    driver.beat(ALICE, 2);
    driver.run(60_000);
    assert!(driver.one("server.accepted").data.flag("resumed"));
    let back = driver.one("service.back");
    assert_eq!((back.data.int("conn"), back.data.flag("same")), (Some(2), false));
    assert_eq!(back.at, driver.one("server.accepted").at);
    driver.one("server.heard");
    driver.none("server.member-left");
    driver.none("presence.removed");
}

#[test]
fn a_black_hole_holds_and_gives_back() {
    let mut driver = lobby(3);
    let heard = driver.frames(ALICE, "received", "pong").last().unwrap().at;
    driver.forget();
    let cut = driver.now;
    driver.link(ALICE, LinkAct::BlackHole);
    driver.dial(ALICE, 2);
    let lost = driver.one("service.lost");
    assert_eq!(lost.data.time("heard_ms"), Some(heard));
    assert_eq!(lost.data.time("sure_ms"), Some(cut + ms(1_000)));
    driver.run(8_000);
    assert!(driver.log.inputs.iter().all(|(_, client, _)| *client == BOB), "{}", driver.story());
    // Unheard 2.5 periods after the last ping that got through.
    assert!(driver.one("server.unheard").at < cut + ms(2_500));
    driver.link(ALICE, LinkAct::Up);
    driver.run(60);
    // What was held arrives in order: eight pings, then their answers; the dial completes, too.
    assert_eq!(driver.frames(ALICE, "received", "pong").len(), 8);
    driver.one("server.heard");
    let back = driver.one("service.back");
    assert!(back.data.flag("same"));
    driver.one("opened");
}

#[test]
fn half_open_up_tells_the_loss_after_the_last_answer() {
    let mut driver = lobby(4);
    driver.link(ALICE, LinkAct::Delay(ms(100)));
    driver.run(5_000);
    // Cut while an answer is on its way: 150 ms after a ping, it is 50 ms from home.
    let ping = driver.frames(ALICE, "sent", "ping").last().unwrap().at;
    driver.run_to(ping + ms(1_150));
    driver.forget();
    let cut = driver.now;
    driver.link(ALICE, LinkAct::HalfOpenUp);
    driver.none("service.lost");
    driver.run(300);
    let pong = driver.frames(ALICE, "received", "pong")[0].at;
    assert_eq!(pong, cut + ms(50));
    let lost = driver.one("service.lost");
    assert_eq!(lost.at, pong);
    assert_eq!(lost.data.time("heard_ms"), Some(pong));
    assert_eq!(lost.data.time("sure_ms"), Some(cut + ms(1_000)));
    // What others make the server send does not bring service back.
    driver.request(BOB, 1, r#""op":"send","channel":"lobby","text":"hi""#);
    driver.run(3_000);
    driver.none("service.back");
    assert_eq!(driver.frames(ALICE, "received", "message").len(), 1);
    driver.link(ALICE, LinkAct::Up);
    driver.run(300);
    assert!(driver.one("service.back").data.flag("same"));
}

#[test]
fn half_open_down_keeps_the_server_content() {
    let mut driver = lobby(5);
    driver.forget();
    driver.link(ALICE, LinkAct::HalfOpenDown);
    driver.dial(ALICE, 2);
    driver.run(40_000);
    driver.one("service.lost");
    driver.none("server.unheard");
    driver.none("opened");
    driver.link(ALICE, LinkAct::Up);
    driver.run(60);
    driver.one("opened");
    assert!(driver.one("service.back").data.flag("same"));
}

#[test]
fn a_mute_server_hears() {
    let mut driver = lobby(6);
    driver.forget();
    driver.act(ServerAct::Mute(ALICE, true));
    driver.run(40_000);
    assert_eq!(driver.one("service.lost").data.text("kind"), Some("mute"));
    driver.none("server.unheard");
    assert!(driver.frames(ALICE, "received", "pong").len() <= 1);
    driver.forget();
    driver.act(ServerAct::Mute(ALICE, false));
    driver.run(1_100);
    assert!(driver.one("service.back").data.flag("same"));
    assert_eq!(driver.frames(ALICE, "received", "pong").len(), 1);
}

#[test]
fn refused_closed_and_blip_differ_in_what_dials_meet() {
    for (act, code, failed, opened) in [
        (LinkAct::Refused, None, 1, 0),
        (LinkAct::Closed, Some(1012), 0, 0),
        (LinkAct::Blip, None, 0, 1),
    ] {
        let mut driver = lobby(7);
        driver.forget();
        driver.link(ALICE, act);
        driver.run(60);
        let closed = driver.one("closed");
        assert_eq!(closed.data.int("code"), code, "{act:?}");
        assert_eq!(driver.one("service.lost").at, closed.at);
        driver.none("server.closed");
        driver.one("server.unheard");
        driver.dial(ALICE, 2);
        driver.run(2_000);
        assert_eq!(driver.all("failed").len(), failed, "{act:?}");
        assert_eq!(driver.all("opened").len(), opened, "{act:?}");
        driver.link(ALICE, LinkAct::Up);
        driver.run(60);
        assert_eq!(driver.all("opened").len(), 1 - failed, "{act:?}");
    }
}

#[test]
fn a_closed_port_shows_no_dial() {
    let play = |dials: bool| {
        let mut driver = lobby(11);
        driver.forget();
        driver.link(ALICE, LinkAct::ClosedPort);
        for conn in 2..5 {
            driver.run(700);
            if dials {
                driver.dial(ALICE, conn);
            }
        }
        if dials {
            // One is given up, and one is still under way when the port opens again.
            driver.out(ALICE, Output::Close { conn: 4 });
            driver.dial(ALICE, 5);
        }
        driver.link(ALICE, LinkAct::Up);
        driver.run(100);
        driver.resume(ALICE, 6, "s1");
        driver
    };
    let (dialled, idle) = (play(true), play(false));
    assert_eq!(dialled.story(), idle.story());
    let failed = |driver: &Driver| {
        let failed = |input: &(Micros, ClientIx, Input)| match input.2 {
            Input::DialFailed { conn } => Some(conn),
            _ => None,
        };
        driver.log.inputs.iter().filter_map(failed).collect::<Vec<_>>()
    };
    assert_eq!(failed(&dialled), [2, 3, 5]);
    assert!(failed(&idle).is_empty());
    let sights = |kind| dialled.one(kind).data.text("dials");
    assert_eq!((sights("down"), sights("up")), (Some("hidden"), Some("seen")));
    assert_eq!(dialled.one("attempt").data.int("conn"), Some(6));
    assert!(dialled.one("service.back").at > dialled.one("up").at);
}

#[test]
fn a_dial_that_was_seen_is_seen_to_fail_at_a_closed_port() {
    let mut driver = Driver::new(12);
    driver.link(ALICE, LinkAct::Reset);
    driver.dial(ALICE, 1);
    driver.run(1_000);
    driver.link(ALICE, LinkAct::ClosedPort);
    driver.run(60);
    assert_eq!(driver.one("failed").data.int("conn"), Some(1));
    // Any other state of the link shows dials again.
    driver.forget();
    driver.link(ALICE, LinkAct::Reset);
    driver.dial(ALICE, 2);
    assert_eq!(driver.one("down").data.text("dials"), Some("seen"));
    driver.one("attempt");
    driver.link(ALICE, LinkAct::Up);
    assert_eq!(driver.one("up").data.text("dials"), None);
}

#[test]
fn a_close_in_a_black_hole_arrives_afterwards() {
    let mut driver = lobby(8);
    driver.run(500);
    driver.forget();
    driver.link(ALICE, LinkAct::BlackHole);
    driver.stop_beating(ALICE);
    driver.run(1_000);
    driver.out(ALICE, Output::Close { conn: 1 });
    assert_eq!(driver.one("closed").data.text("by"), Some("client"));
    driver.request(ALICE, 1, r#""op":"ping""#);
    driver.one("note");
    driver.run(500);
    driver.none("server.unheard");
    driver.link(ALICE, LinkAct::Up);
    driver.run(60);
    driver.one("server.unheard");
    driver.one("service.lost");
    driver.none("service.back");
    // A session that is told nothing more is removed 30 s after its connection closed.
    let closed = driver.one("server.unheard").at;
    driver.run(31_000);
    assert_eq!(driver.one("presence.removed").at, closed + ms(30_000));
}

#[test]
fn a_dial_that_was_given_up_comes_to_nothing() {
    let mut driver = Driver::new(9);
    driver.link(ALICE, LinkAct::Reset);
    driver.dial(ALICE, 1);
    driver.run(5_000);
    driver.out(ALICE, Output::Close { conn: 1 });
    driver.dial(ALICE, 2);
    driver.link(ALICE, LinkAct::Up);
    driver.run(100);
    assert_eq!(driver.one("opened").data.int("conn"), Some(2));
}

#[test]
fn channel_messages_are_owed_to_members_by_their_own_account() {
    let mut driver = lobby(10);
    driver.forget();
    driver.request(BOB, 1, r#""op":"send","channel":"lobby","text":"hi""#);
    driver.run(50);
    let sent = driver.one("peer.sent");
    assert_eq!((sent.client, sent.data.text("from")), (Some(ALICE), Some("bob")));
    assert_eq!(sent.at, driver.frames(ALICE, "received", "message")[0].at);
    // After an absence the server has forgotten the membership, the application has not.
    driver.link(ALICE, LinkAct::Refused);
    driver.run(31_000);
    driver.link(ALICE, LinkAct::Up);
    driver.resume(ALICE, 2, "s1");
    driver.forget();
    driver.request(BOB, 1, r#""op":"send","channel":"lobby","text":"hi""#);
    driver.run(50);
    assert_eq!(driver.one("peer.sent").client, Some(ALICE));
    assert!(driver.frames(ALICE, "received", "message").is_empty());
    // A held link delivers it late; an interrupted client is owed nothing.
    driver.link(ALICE, LinkAct::BlackHole);
    driver.forget();
    driver.request(BOB, 1, r#""op":"send","channel":"lobby","text":"hi""#);
    driver.run(1_000);
    driver.none("peer.sent");
}
