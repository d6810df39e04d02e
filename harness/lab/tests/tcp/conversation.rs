//! Conversations: messages both ways, pings, holds, goodbyes and resets.
//!
//! Not responsible for TLS.
//!
//! Invariant: see the crate's.

use super::*;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

fn farewell(code: u16) -> Message {
    let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
    Message::Close(Some(frame))
}

/// Reads to the end, which must be one in order, after a goodbye with this code.
async fn expect_farewell(socket: &mut Socket, code: u16) {
    assert_eq!(hear(socket).await, farewell(code));
    assert!(socket.next().await.is_none());
}

#[test]
fn messages_go_both_ways_in_order() {
    run(async {
        let dock = dock();
        let (mut socket, mut visit) = opened(&dock).await;
        for n in 0..50 {
            socket.feed(Message::text(n.to_string())).await.unwrap();
            visit.text(&format!("{n}!"));
        }
        socket.flush().await.unwrap();
        for n in 0..50 {
            visit.expect_text(&n.to_string()).await;
            hear_text(&mut socket, &format!("{n}!")).await;
        }
        socket.send(Message::binary(vec![0; 300])).await.unwrap();
        visit.expect(Arrival::Binary(300)).await;
        drop(socket);
        visit.expect(Arrival::Gone).await;
        visit.ends().await;
    });
}

#[test]
fn who_does_not_read_is_heard_and_gets_all_of_it_later() {
    run(async {
        let dock = dock();
        let (mut socket, mut visit) = opened(&dock).await;
        let texts = ["a", "b", "c"].map(|letter| letter.repeat(900_000));
        for text in &texts {
            visit.text(text);
        }
        visit.order(Order::Close(4001));
        // What was ordered is more than the system takes, and the client reads none of it.
        let long = "x".repeat(900_000);
        say(&mut socket, &long).await;
        visit.expect_text(&long).await;
        for text in &texts {
            hear_text(&mut socket, text).await;
        }
        expect_farewell(&mut socket, 4001).await;
        visit.expect(Arrival::Closed(Some(4001))).await;
        drop(socket);
        visit.ends().await;
    });
}

#[test]
fn what_is_held_comes_later_and_in_order() {
    run(async {
        let dock = dock();
        let (mut socket, mut visit) = opened(&dock).await;
        visit.text("before");
        hear_text(&mut socket, "before").await;
        for round in 0..3 {
            visit.order(Order::HoldDown(true));
            visit.text("one");
            visit.text("two");
            // Told also while it is held. What was ordered was looked at before.
            say(&mut socket, "are you there?").await;
            visit.expect_text("are you there?").await;
            visit.text("three");
            say(&mut socket, "still?").await;
            visit.expect_text("still?").await;
            assert!(is_silent(socket.get_ref()), "round {round}");
            visit.order(Order::HoldDown(false));
            for text in ["one", "two", "three"] {
                hear_text(&mut socket, text).await;
            }
        }
        visit.order(Order::Reset);
        visit.ends().await;
    });
}

#[test]
fn what_was_ordered_before_a_hold_or_a_reset_goes_out_before_it() {
    run(async {
        let dock = dock();
        let (mut socket, visit) = opened(&dock).await;
        visit.text("before the hold");
        visit.order(Order::HoldDown(true));
        visit.text("in the hold");
        hear_text(&mut socket, "before the hold").await;
        assert!(is_silent(socket.get_ref()));
        visit.order(Order::HoldDown(false));
        visit.text("before the reset");
        visit.order(Order::Reset);
        hear_text(&mut socket, "in the hold").await;
        hear_text(&mut socket, "before the reset").await;
        let error = socket.next().await.unwrap().unwrap_err();
        assert!(is_reset(&error), "{error:?}");
        visit.ends().await;
    });
}

#[test]
fn half_a_frame_is_held() {
    run(async {
        let dock = dock();
        let (mut socket, mut visit) = opened(&dock).await;
        // More than the system takes at once, so the hold comes in the middle.
        let long = "x".repeat(16 << 20);
        visit.text(&long);
        say(&mut socket, "first").await;
        visit.expect_text("first").await;
        visit.order(Order::HoldDown(true));
        say(&mut socket, "held").await;
        visit.expect_text("held").await;
        let client = socket.get_mut();
        let mut taken = 0;
        let mut chunk = vec![0; 1 << 20];
        while !is_silent(client) {
            taken += client.read(&mut chunk).await.unwrap();
        }
        assert!(taken > 10 && taken < long.len(), "{taken}");
        visit.order(Order::HoldDown(false));
        let mut rest = vec![0; long.len() + 10 - taken];
        client.read_exact(&mut rest).await.unwrap();
        assert!(rest.ends_with(b"xxx"));
        visit.text("next");
        hear_text(&mut socket, "next").await;
    });
}

#[test]
fn the_server_says_goodbye() {
    run(async {
        let dock = dock();
        let (mut socket, mut visit) = opened(&dock).await;
        visit.text("last");
        visit.order(Order::Close(4001));
        visit.text("never sent");
        hear_text(&mut socket, "last").await;
        expect_farewell(&mut socket, 4001).await;
        visit.expect(Arrival::Closed(Some(4001))).await;
        drop(socket);
        visit.ends().await;
    });
}

#[test]
fn what_the_client_says_before_it_answers_a_goodbye_is_told() {
    run(async {
        let dock = dock();
        let (mut socket, mut visit) = opened(&dock).await;
        visit.order(Order::Close(1000));
        say(&mut socket, "one moment").await;
        visit.expect_text("one moment").await;
        expect_farewell(&mut socket, 1000).await;
        visit.expect(Arrival::Closed(Some(1000))).await;
        drop(socket);
        visit.ends().await;
    });
}

#[test]
fn a_goodbye_that_is_not_answered_ends_nevertheless() {
    run(async {
        let dock = dock();
        let (mut socket, visit) = opened(&dock).await;
        visit.order(Order::Close(1000));
        let mut bytes = Vec::new();
        socket.get_mut().read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, [0x88, 2, 0x03, 0xe8]);
        visit.ends().await;
    });
}

#[test]
fn the_client_says_goodbye() {
    run(async {
        let dock = dock();
        for (frame, code, answer) in [
            (farewell(4009), Some(4009), farewell(4009)),
            (Message::Close(None), None, Message::Close(None)),
        ] {
            let (mut socket, mut visit) = opened(&dock).await;
            socket.send(frame).await.unwrap();
            // What it sends afterwards is ignored, also what is no frame at all.
            socket.get_mut().write_all(&[0x81, 0x80, 0, 0, 0, 0, 0xff, 0xff]).await.unwrap();
            visit.expect(Arrival::Closed(code)).await;
            // It is answered, and the connection ends in order, also without anybody to order it.
            drop(visit.orders);
            assert_eq!(hear(&mut socket).await, answer);
            assert!(socket.next().await.is_none());
            drop(socket);
            visit.task.await.unwrap();
            assert_eq!(visit.arrivals.recv().await, None);
        }
    });
}

#[test]
fn what_was_ordered_before_a_goodbye_arrives_also_when_nobody_orders_any_more() {
    run(async {
        let dock = dock();
        let (mut socket, mut visit) = opened(&dock).await;
        // More than the system takes at once, so most of it is still to be written.
        let long = 8 << 20;
        visit.text(&"x".repeat(long));
        socket.send(farewell(1000)).await.unwrap();
        visit.expect(Arrival::Closed(Some(1000))).await;
        drop(visit.orders);
        let mut bytes = Vec::new();
        socket.get_mut().read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes.len(), 10 + long + 4);
        assert!(bytes.ends_with(&[b'x', 0x88, 2, 0x03, 0xe8]));
        drop(socket);
        visit.task.await.unwrap();
    });
}

#[test]
fn a_goodbye_through_a_hold_is_answered_after_it() {
    run(async {
        let dock = dock();
        let (mut socket, mut visit) = opened(&dock).await;
        visit.order(Order::HoldDown(true));
        visit.text("held");
        socket.send(farewell(1000)).await.unwrap();
        visit.expect(Arrival::Closed(Some(1000))).await;
        assert!(is_silent(socket.get_ref()));
        visit.order(Order::HoldDown(false));
        hear_text(&mut socket, "held").await;
        expect_farewell(&mut socket, 1000).await;
        drop(socket);
        visit.ends().await;
    });
}

#[test]
fn a_goodbye_through_a_hold_that_nobody_releases_is_never_answered() {
    run(async {
        let dock = dock();
        let (mut socket, mut visit) = opened(&dock).await;
        visit.order(Order::HoldDown(true));
        socket.send(farewell(1000)).await.unwrap();
        visit.expect(Arrival::Closed(Some(1000))).await;
        drop(visit.orders);
        let error = socket.next().await.unwrap().unwrap_err();
        assert!(is_reset(&error), "{error:?}");
        visit.task.await.unwrap();
    });
}

#[test]
fn a_reset_loses_what_is_held() {
    run(async {
        let dock = dock();
        for held in [false, true] {
            let (mut socket, mut visit) = opened(&dock).await;
            visit.order(Order::HoldDown(held));
            say(&mut socket, "last words").await;
            visit.expect_text("last words").await;
            visit.order(Order::Reset);
            visit.text("lost");
            let error = socket.next().await.unwrap().unwrap_err();
            assert!(is_reset(&error), "{error:?}");
            visit.ends().await;
        }
    });
}

#[test]
fn nobody_left_to_order_is_a_reset() {
    run(async {
        let dock = dock();
        let (mut socket, visit) = opened(&dock).await;
        drop(visit.orders);
        let error = socket.next().await.unwrap().unwrap_err();
        assert!(is_reset(&error), "{error:?}");
        visit.task.await.unwrap();
    });
}

#[test]
fn a_client_that_is_gone_is_told_once() {
    run(async {
        let dock = dock();
        for reset in [false, true] {
            let (socket, mut visit) = opened(&dock).await;
            if reset {
                socket.get_ref().set_zero_linger().unwrap();
            }
            drop(socket);
            visit.expect(Arrival::Gone).await;
            visit.ends().await;
        }
        // Also while something waits that it will never read.
        let (mut socket, mut visit) = opened(&dock).await;
        visit.text(&"x".repeat(16 << 20));
        say(&mut socket, "no").await;
        visit.expect_text("no").await;
        drop(socket);
        visit.expect(Arrival::Gone).await;
        visit.ends().await;
    });
}

#[test]
fn a_ping_is_answered_only_on_order() {
    run(async {
        let dock = dock();
        let (mut socket, mut visit) = opened(&dock).await;
        socket.send(Message::Ping("one".into())).await.unwrap();
        visit.expect(Arrival::Ping(b"one".to_vec())).await;
        socket.send(Message::Pong("nobody asked".into())).await.unwrap();
        say(&mut socket, "well?").await;
        visit.expect_text("well?").await;
        assert!(is_silent(socket.get_ref()));
        visit.order(Order::Pong(b"one".to_vec()));
        assert_eq!(hear(&mut socket).await, Message::Pong("one".into()));
        visit.order(Order::Reset);
        visit.ends().await;
    });
}

#[test]
fn a_fault_is_told_and_ends_the_connection() {
    run(async {
        let dock = dock();
        for (bytes, code, expected) in [
            (&[0x81, 0x02, b'h', b'i'][..], 1002, "without a mask"),
            (&[0xc1, 0x80, 0, 0, 0, 0], 1002, "reserved bits"),
            (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007, "not UTF-8"),
            (&[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4], 1009, "more than"),
        ] {
            let (mut socket, mut visit) = opened(&dock).await;
            say(&mut socket, "good").await;
            visit.expect_text("good").await;
            socket.get_mut().write_all(bytes).await.unwrap();
            let why = visit.wrong().await;
            assert!(why.starts_with("WebSocket: ") && why.contains(expected), "{why}");
            let Message::Close(Some(frame)) = hear(&mut socket).await else { panic!("a goodbye") };
            assert_eq!(u16::from(frame.code), code);
            // The client learns what it did, too.
            assert!(why.ends_with(frame.reason.as_str()), "{why}");
            drop(socket);
            visit.ends().await;
        }
    });
}

#[test]
fn a_visit_can_go_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    run(async {
        let dock = dock();
        let _client = TcpStream::connect(dock.address()).await.unwrap();
        let (_orders, ordered) = unbounded_channel();
        let visit = host(dock.accept().await.unwrap(), manner(), ordered, |_| {});
        is_send(&visit);
        is_send(&dock);
    });
}
