//! The token service over HTTP: a test plays the case, hyper's client or a bare socket the application.
//!
//! Not responsible for what the book says (`token_service::answer`), nor for how bodies are read
//! (`token_service::request`). Every test waits for something that must happen; the one time-out is
//! the outer limit.
//!
//! Invariant: each test has a service of its own, on a port of its own.
#![expect(clippy::unwrap_used, reason = "a test panics where its premise does not hold")]

use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use stateline_core::scenario::ClientIx;
use stateline_core::time::Micros;
use stateline_lab::token_service::{
    Answer, Ask, BadKey, Deed, Desk, Outcome, TokenService, What, answer,
};
use stateline_lab::tokens::TokenBook;
use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, spawn_local};

const EPOCH: u64 = 1_700_000_000_000;
const ALICE: ClientIx = 0;
const BOB: ClientIx = 1;

/// Runs a test on one thread.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(30), test).await };
    runtime.block_on(tokio::task::LocalSet::new().run_until(limited)).expect("a test ends");
}

/// A service with one client, for whom the test is the case.
struct Lab {
    service: TokenService,
    address: SocketAddr,
    url: String,
    asks: UnboundedReceiver<Ask>,
}

impl Lab {
    fn start() -> Self {
        let (service, address) = TokenService::start().unwrap();
        let (url, asks) = desk(&service, "7-alice", ALICE);
        Self { service, address, url, asks }
    }

    async fn asked(&mut self) -> Ask {
        self.asks.recv().await.unwrap()
    }

    /// A request for a token that the case answers like this.
    async fn answered(&mut self, with: Answer) -> Reply {
        let reply = post(&self.url, "issue", "");
        let case = async {
            self.asks.recv().await.unwrap().reply.send(with).unwrap();
        };
        tokio::join!(reply, case).0
    }
}

/// Opens a desk: its URL, and what is asked there.
fn desk(service: &TokenService, key: &str, client: ClientIx) -> (String, UnboundedReceiver<Ask>) {
    let (asks, asked) = unbounded_channel();
    (service.register(key, Desk { client, asks }).unwrap(), asked)
}

/// What an application got.
#[derive(Debug)]
struct Reply {
    status: u16,
    retry_after: Option<String>,
    allow: Option<String>,
    body: String,
}

impl Reply {
    fn json(&self) -> Json {
        serde_json::from_str(&self.body).expect("it is JSON")
    }

    /// The words of a refusal.
    fn error(&self) -> String {
        self.json()["error"].as_str().expect("a refusal has words").to_owned()
    }
}

async fn post(url: &str, path: &str, body: impl Into<String>) -> Reply {
    send(Method::POST, &format!("{url}/{path}"), body.into()).await.expect("it is answered")
}

/// Sends a request with hyper's client.
async fn send(method: Method, url: &str, body: String) -> hyper::Result<Reply> {
    let uri: hyper::Uri = url.parse().unwrap();
    let authority = uri.authority().unwrap().clone();
    let stream = TcpStream::connect(authority.as_str()).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Both are dropped together: who gives up a request has hung up.
    let mut request = Request::new(Full::new(hyper::body::Bytes::from(body)));
    *request.method_mut() = method;
    *request.uri_mut() = uri.path().parse().unwrap();
    request.headers_mut().insert(HOST, authority.as_str().parse().unwrap());
    let answering = async {
        let response = sender.send_request(request).await?;
        let header = |name| response.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
        let (status, retry_after, allow) =
            (response.status().as_u16(), header("retry-after"), header("allow"));
        let body = response.into_body().collect().await?.to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Ok(Reply { status, retry_after, allow, body })
    };
    let mut answering = Box::pin(answering);
    let mut connection = Box::pin(connection);
    tokio::select! {
        reply = &mut answering => reply,
        _ = &mut connection => answering.await,
    }
}

/// Asks for a token, and waits for as long as it takes.
fn waiting(url: &str) -> JoinHandle<hyper::Result<Reply>> {
    let url = format!("{url}/issue");
    spawn_local(async move { send(Method::POST, &url, String::new()).await })
}

/// Writes bytes as they are: all that comes back.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("it ends without a reset");
    String::from_utf8(bytes).unwrap()
}

#[test]
fn an_application_gets_and_loses_its_tokens() {
    run(async {
        let mut lab = Lab::start();
        let mut book = TokenBook::new(EPOCH);
        let mut play = async |path: &str, body: Json| {
            let reply = post(&lab.url, path, body.to_string());
            let case = async {
                let Ask { client, what, reply } = lab.asks.recv().await.unwrap();
                assert_eq!(what.name(), path);
                let now = Micros::from_secs(1);
                let Outcome { answer, deeds } =
                    answer(&mut book, now, client, "alice", &"alice".into(), &what);
                assert!(!format!("{what:?} {answer:?} {deeds:?}").contains("lab1."));
                reply.send(answer).unwrap();
                deeds
            };
            let (reply, deeds) = tokio::join!(reply, case);
            assert_eq!(reply.status, 200, "{path}");
            (reply.json(), deeds)
        };
        let (issued, deeds) = play("issue", json!({"life_ms": 9_000})).await;
        let old = issued["token"].clone();
        assert_eq!(issued, json!({"token": old, "good": true, "expires_ms": EPOCH + 10_000}));
        assert_eq!(deeds, [Deed::Minted { label: "alice#1".into() }]);
        let (renewed, deeds) = play("renew", json!({"token": old, "revoke": true})).await;
        assert_eq!((&renewed["good"], deeds.len()), (&json!(true), 2));
        let revoked = json!({"good": false, "why": "revoked", "expires_ms": EPOCH + 10_000});
        assert_eq!(play("tell", json!({"token": old})).await.0, revoked);
        let new = renewed["token"].clone();
        let expired = json!({"good": false, "why": "expired", "expires_ms": EPOCH + 1_000});
        assert_eq!(play("expire", json!({"token": new})).await.0, expired);
        assert_eq!(play("revoke", json!({"token": new})).await.0["why"], "revoked");
    });
}

#[test]
fn each_request_goes_to_the_desk_of_its_key() {
    run(async {
        let mut lab = Lab::start();
        // Cases are played on threads of their own.
        let service = &lab.service;
        let another = std::thread::scope(|threads| {
            threads.spawn(|| desk(service, "7-bob", BOB)).join().unwrap()
        });
        let (url, mut asks) = another;
        let (alice, bob) = (waiting(&lab.url), waiting(&url));
        // The later one is answered first.
        let (asked, ask) = (lab.asked().await, asks.recv().await.unwrap());
        assert_eq!((asked.client, ask.client), (ALICE, BOB));
        ask.reply.send(Answer::unauthorized()).unwrap();
        assert_eq!(bob.await.unwrap().unwrap().status, 401);
        asked.reply.send(Answer::failure()).unwrap();
        assert_eq!(alice.await.unwrap().unwrap().status, 500);
        assert!(asks.try_recv().is_err() && lab.asks.try_recv().is_err());
    });
}

#[test]
fn a_script_can_have_it_deviate() {
    run(async {
        let mut lab = Lab::start();
        for (with, status, retry_after) in [
            (Answer::unauthorized(), 401, None),
            (Answer::too_many(Duration::from_secs(3)), 429, Some("3")),
            (Answer::too_many(Duration::from_millis(1_001)), 429, Some("2")),
            (Answer::failure(), 500, None),
        ] {
            let reply = lab.answered(with).await;
            assert_eq!((reply.status, reply.retry_after.as_deref()), (status, retry_after));
            assert!(!reply.error().is_empty());
        }
        let reply = lab.answered(Answer::no_json()).await;
        assert_eq!(reply.status, 200);
        assert!(serde_json::from_str::<Json>(&reply.body).is_err());
        let delay = Duration::from_millis(40);
        let started = Instant::now();
        assert_eq!(lab.answered(Answer::failure().after(delay)).await.status, 500);
        assert!(started.elapsed() >= delay, "it was early");
    });
}

#[test]
fn a_case_hears_that_an_application_gave_up() {
    run(async {
        let mut lab = Lab::start();
        let application = waiting(&lab.url);
        let mut ask = lab.asked().await;
        application.abort();
        ask.reply.closed().await;
    });
}

#[test]
fn no_answer_lasts_until_the_application_gives_up() {
    run(async {
        let mut lab = Lab::start();
        let mut applications = Vec::new();
        for _ in 0..16 {
            applications.push(waiting(&lab.url));
            lab.asked().await.reply.send(Answer::never()).unwrap();
        }
        let reply = post(&lab.url, "issue", "x".repeat(10_000)).await;
        assert_eq!(reply.status, 503);
        assert!(reply.error().contains("16"), "{reply:?}");
        assert!(lab.asks.try_recv().is_err());
        // Another client has room of its own.
        let (url, mut asks) = desk(&lab.service, "7-bob", BOB);
        let bob = waiting(&url);
        asks.recv().await.unwrap().reply.send(Answer::unauthorized()).unwrap();
        assert_eq!(bob.await.unwrap().unwrap().status, 401);
        // Nothing else than giving up makes room.
        assert!(applications.iter().all(|application| !application.is_finished()));
        applications.pop().unwrap().abort();
        while post(&lab.url, "issue", "[]").await.status == 503 {}
        assert_eq!(lab.answered(Answer::failure()).await.status, 500);
        assert!(applications.iter().all(|application| !application.is_finished()));
    });
}

#[test]
fn a_dropped_ask_ends_the_connection() {
    run(async {
        let mut lab = Lab::start();
        let application = waiting(&lab.url);
        drop(lab.asked().await);
        assert!(application.await.unwrap().is_err(), "there is no answer");
        // A case that takes nothing any more is no different.
        drop(lab.asks);
        assert!(waiting(&lab.url).await.unwrap().is_err());
    });
}

#[test]
fn what_is_no_request_of_a_client_is_refused() {
    run(async {
        let mut lab = Lab::start();
        let (address, url) = (lab.address, lab.url.clone());
        for (method, path, body, status, words) in [
            (Method::POST, "/", "", 404, "no client"),
            (Method::POST, "/8-alice/issue", "", 404, "no client"),
            (Method::POST, "/7-alice", "", 404, "one of: issue, renew"),
            (Method::POST, "/7-alice/", "", 404, "one of: issue, renew"),
            (Method::POST, "/7-alice/tokens", "", 404, "one of: issue, renew"),
            (Method::POST, "/7-alice/issue/", "", 404, "one of: issue, renew"),
            (Method::GET, "/7-alice/issue", "", 405, "POST"),
            (Method::DELETE, "/7-alice/issue", "{}", 405, "POST"),
            (Method::POST, "/7-alice/issue", "{", 400, "no JSON: "),
            (Method::POST, "/7-alice/issue", "life_ms=1", 400, r#"{"life_ms": 20000}"#),
            (Method::POST, "/7-alice/tell", "{}", 400, "`token` is missing"),
        ] {
            let reply = send(method, &format!("http://{address}{path}"), body.to_owned()).await;
            let reply = reply.expect("it is answered");
            assert_eq!(reply.status, status, "{path} {body}");
            assert!(reply.error().contains(words), "{reply:?}");
            assert_eq!(reply.allow.as_deref(), (status == 405).then_some("POST"), "{path}");
        }
        let long = |more: usize| " ".repeat((64 << 10) - 2 + more) + "{}";
        let reply = post(&url, "issue", long(1)).await;
        assert_eq!((reply.status, reply.error().contains("65536 bytes")), (413, true));
        // What is refused is read all the same: who writes first and reads then is told, too.
        for (path, status) in [("7-alice/issue", 413), ("7-alice/tokens", 404)] {
            let head =
                format!("POST /{path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", 16 << 20);
            let came = raw(address, (head + &"x".repeat(16 << 20)).as_bytes()).await;
            assert!(came.starts_with(&format!("HTTP/1.1 {status} ")), "{came}");
        }
        assert!(lab.asks.try_recv().is_err());
        // It may be as long as that.
        let (url, body) = (format!("{url}/issue"), long(0));
        let application = spawn_local(async move { send(Method::POST, &url, body).await });
        let ask = lab.asked().await;
        assert_eq!(ask.what, What::Issue { life: None });
        ask.reply.send(Answer::failure()).unwrap();
        assert_eq!(application.await.unwrap().unwrap().status, 500);
    });
}

#[test]
fn what_is_no_http_reaches_nobody() {
    run(async {
        let mut lab = Lab::start();
        let issue = "POST /7-alice/issue HTTP/1.1\r\nhost: x\r\n";
        for (bytes, status) in [
            ("nonsense\r\n\r\n".to_owned(), "400 Bad Request"),
            ("\u{16}\u{3}\u{1}\0\r\n\r\n".to_owned(), "400 Bad Request"),
            (format!("{issue}content-length: x\r\n\r\n"), "400 Bad Request"),
            (format!("{issue}transfer-encoding: chunked\r\n\r\nno size\r\n"), "400 Bad Request"),
            (format!("{issue}x: {}\r\n\r\n", "x".repeat(20_000)), "431 Request Header"),
        ] {
            let came = raw(lab.address, bytes.as_bytes()).await;
            assert!(came.starts_with(&format!("HTTP/1.1 {status}")), "{bytes:.60}: {came}");
        }
        // Half a body, whose first half would be a whole one.
        let mut stream = TcpStream::connect(lab.address).await.unwrap();
        let half = format!("{issue}content-length: 4\r\n\r\n{{}}");
        stream.write_all(half.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        rest(&mut stream).await;
        assert!(lab.asks.try_recv().is_err());
        // The second of two requests on one connection is not read, and the client is told so.
        let two = format!("{issue}content-length: 1\r\n\r\n{{{issue}\r\n");
        let came = raw(lab.address, two.as_bytes()).await;
        assert_eq!(came.matches("HTTP/1.1").count(), 1, "{came}");
        assert!(came.contains("connection: close"), "{came}");
        assert!(lab.asks.try_recv().is_err());
    });
}

#[test]
fn a_key_belongs_to_one_desk() {
    run(async {
        let lab = Lab::start();
        let another = |key: &str| {
            let (asks, _) = unbounded_channel();
            lab.service.register(key, Desk { client: BOB, asks })
        };
        assert_eq!(another("7-alice"), Err(BadKey::Taken("7-alice".into())));
        for key in ["", ".", "..", "a/b", "a b", "ä", "a?b", "a%41"] {
            assert_eq!(another(key), Err(BadKey::Spelling(key.into())));
        }
        lab.service.withdraw("7-alice");
        assert_eq!(another("7-alice").as_ref(), Ok(&lab.url));
    });
}

#[test]
fn a_withdrawn_desk_answers_nobody() {
    run(async {
        let mut lab = Lab::start();
        let never = waiting(&lab.url);
        lab.asked().await.reply.send(Answer::never()).unwrap();
        let late = waiting(&lab.url);
        let hour = Duration::from_secs(3_600);
        lab.asked().await.reply.send(Answer::failure().after(hour)).unwrap();
        let asking = waiting(&lab.url);
        let ask = lab.asked().await;
        lab.service.withdraw("7-alice");
        for application in [never, late, asking] {
            assert!(application.await.unwrap().is_err(), "there is no answer");
        }
        assert!(ask.reply.is_closed());
        assert_eq!(post(&lab.url, "issue", "").await.status, 404);
        assert!(lab.asks.recv().await.is_none(), "the service has let go of it");
    });
}

#[test]
fn dropping_the_service_ends_everything() {
    run(async {
        let mut lab = Lab::start();
        let mut idle = TcpStream::connect(lab.address).await.unwrap();
        let mut half = TcpStream::connect(lab.address).await.unwrap();
        half.write_all(b"POST /7-alice/issue HTTP/1.1\r\nhost: x\r\n").await.unwrap();
        let application = waiting(&lab.url);
        let mut ask = lab.asked().await;
        drop(lab.service);
        ask.reply.closed().await;
        assert!(application.await.unwrap().is_err());
        assert!(lab.asks.recv().await.is_none());
        for stream in [&mut idle, &mut half] {
            // In order or with a reset, as the system likes it.
            assert!(matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_)));
        }
        // The port is free again.
        while TcpStream::connect(lab.address).await.is_ok() {}
    });
}
