//! Dials: they hang, are given up, refused, answered, or ask for what is not there.
//!
//! Not responsible for what follows the upgrade.
//!
//! Invariant: see the crate's.

use super::*;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::http::StatusCode;

#[test]
fn a_dial_that_hangs_is_given_up() {
    run(async {
        let dock = dock();
        let (client, mut visit) = dial(&dock, manner()).await;
        drop(client);
        visit.expect(Arrival::Gone).await;
        visit.ends().await;

        let (mut client, mut visit) = dial(&dock, manner()).await;
        client.write_all(b"GET /lab").await.unwrap();
        client.set_zero_linger().unwrap();
        drop(client);
        visit.expect(Arrival::Gone).await;
        visit.ends().await;
    });
}

#[test]
fn a_dial_is_answered_late_with_what_it_sent_early() {
    run(async {
        let dock = dock();
        let (client, mut visit) = dial(&dock, manner()).await;
        let (socket, visit) = tokio::join!(
            async { client_async(request(PATH, Some(SUBPROTOCOL)), client).await.unwrap().0 },
            async {
                // By now the request is there, and another connection was served meanwhile.
                let (mut other, mut others) = opened(&dock).await;
                say(&mut other, "first").await;
                others.expect_text("first").await;
                assert!(visit.arrivals.try_recv().is_err());
                drop(other);
                others.expect(Arrival::Gone).await;
                visit.order(Order::Answer);
                visit.expect(Arrival::Opened).await;
                visit
            }
        );
        drop(visit.orders);
        visit.task.await.unwrap();
        drop(socket);
    });
}

#[test]
fn nothing_is_answered_before_the_order() {
    run(async {
        let dock = dock();
        let (mut client, visit) = dial(&dock, manner()).await;
        client.write_all(b"GET /lab/v1 HTTP/1.1\r\n\r\n").await.unwrap();
        let (mut other, mut others) = opened(&dock).await;
        say(&mut other, "later").await;
        others.expect_text("later").await;
        assert!(is_silent(&client));
        visit.order(Order::Refuse);
        expect_reset(&mut client).await;
        visit.ends().await;
    });
}

#[test]
fn refusing_is_a_reset() {
    run(async {
        let dock = dock();
        let (mut client, visit) = dial(&dock, manner()).await;
        visit.order(Order::Refuse);
        expect_reset(&mut client).await;
        visit.ends().await;
    });
}

#[test]
fn a_visit_without_orders_is_reset() {
    run(async {
        let dock = dock();
        let (mut client, visit) = dial(&dock, manner()).await;
        drop(visit.orders);
        expect_reset(&mut client).await;
        visit.task.await.unwrap();
    });
}

/// Sends a request that must not be answered with an upgrade; gives the status, and what was told.
async fn asked(request: Request) -> (StatusCode, String) {
    let dock = dock();
    let (client, mut visit) = dial(&dock, manner()).await;
    visit.order(Order::Answer);
    let Err(tungstenite::Error::Http(response)) = client_async(request, client).await else {
        panic!("the upgrade is refused");
    };
    let why = visit.wrong().await;
    // A program that only shows what it was answered is of use to its author, too.
    assert_eq!(response.body().as_deref(), Some(why.as_bytes()));
    visit.ends().await;
    (response.status(), why)
}

#[test]
fn a_wrong_path_is_not_found() {
    run(async {
        let (status, why) = asked(request("/lab/v2", Some(SUBPROTOCOL))).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(why, "asked for the path /lab/v2; the endpoint's path is /lab/v1");
    });
}

#[test]
fn a_subprotocol_must_be_offered() {
    run(async {
        let dock = dock();
        for (offered, shown) in [(None, "none"), (Some("a, lab.v2"), "a, lab.v2")] {
            let (mut client, mut visit) = dial(&dock, manner()).await;
            visit.order(Order::Answer);
            // Not by the library: its client is content with less than what it offered.
            client.write_all(&raw_request(offered)).await.unwrap();
            let expected =
                format!("offered the subprotocols: {shown}; the endpoint's is {SUBPROTOCOL}");
            assert_eq!(visit.wrong().await, expected);
            // It is answered also without anybody to order it.
            drop(visit.orders);
            let mut response = String::new();
            client.read_to_string(&mut response).await.unwrap();
            assert!(response.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{response}");
            assert!(response.ends_with(&expected), "{response}");
            drop(client);
            visit.task.await.unwrap();
        }
        let (client, mut visit) = dial(&dock, manner()).await;
        visit.order(Order::Answer);
        let both = request(PATH, Some("other, lab.stateline.v1"));
        let (_socket, response) = client_async(both, client).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], SUBPROTOCOL);
        visit.expect(Arrival::Opened).await;
    });
}

fn raw_request(subprotocol: Option<&str>) -> Vec<u8> {
    let offer = subprotocol
        .map_or_else(String::new, |offered| format!("Sec-WebSocket-Protocol: {offered}\r\n"));
    format!(
        "GET {PATH} HTTP/1.1\r\nHost: dock\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
    )
    .into_bytes()
}

#[test]
fn a_request_may_come_byte_by_byte() {
    run(async {
        let dock = dock();
        let (mut client, mut visit) = dial(&dock, manner()).await;
        visit.order(Order::Answer);
        for byte in raw_request(Some(SUBPROTOCOL)) {
            client.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        visit.expect(Arrival::Opened).await;
        let mut response = vec![0; 1024];
        let size = client.read(&mut response).await.unwrap();
        let response = String::from_utf8_lossy(&response[..size]);
        // The answer to the key that RFC 6455 takes as its example.
        assert!(response.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{response}");
        visit.order(Order::Reset);
        visit.ends().await;
    });
}

#[test]
fn what_is_no_upgrade_is_told() {
    let hello_tls = [&[0x16, 3, 1, 0, 5][..], &[0; 64]].concat();
    let crowd = [b"GET /lab/v1 HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 20_000]].concat();
    let eager = [raw_request(Some(SUBPROTOCOL)), vec![0x81, 0x80, 0, 0, 0, 0]].concat();
    let without = |header: &str| {
        let request = String::from_utf8(raw_request(Some(SUBPROTOCOL))).unwrap();
        let kept = request.split_inclusive("\r\n").filter(|line| !line.starts_with(header));
        kept.collect::<String>().into_bytes()
    };
    let cases: [(Vec<u8>, &str); 9] = [
        (b"hello?\0\x01\r\n\r\n".to_vec(), "not an HTTP request"),
        (hello_tls, "began TLS"),
        (crowd, "an HTTP request of more than 16384 bytes"),
        (eager, "sent more after its HTTP request"),
        (b"POST /lab/v1 HTTP/1.1\r\n\r\n".to_vec(), "not an HTTP request"),
        (without("Upgrade"), "no header `Upgrade: websocket`"),
        (without("Connection"), "no header `Connection: Upgrade`"),
        (without("Sec-WebSocket-Key"), "no header `Sec-WebSocket-Key`"),
        (without("Sec-WebSocket-Version"), "no header `Sec-WebSocket-Version: 13`"),
    ];
    run(async move {
        let dock = dock();
        for (bytes, expected) in cases {
            let (mut client, mut visit) = dial(&dock, manner()).await;
            visit.order(Order::Answer);
            client.write_all(&bytes).await.unwrap();
            let why = visit.wrong().await;
            assert!(why.contains(expected), "{why}");
            let mut response = Vec::new();
            client.read_to_end(&mut response).await.unwrap();
            assert!(response.starts_with(b"HTTP/1.1 400 "));
            drop(client);
            visit.ends().await;
        }
    });
}

#[test]
fn a_client_may_end_in_the_midst_of_its_request() {
    run(async {
        let dock = dock();
        let (mut client, mut visit) = dial(&dock, manner()).await;
        visit.order(Order::Answer);
        client.write_all(b"GET /lab").await.unwrap();
        drop(client);
        visit.expect(Arrival::Gone).await;
        visit.ends().await;
    });
}
