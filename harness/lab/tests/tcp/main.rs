//! Links on real sockets: a test plays the world, an independent WebSocket client calls.
//!
//! Not responsible for the codec alone (`tcp::frame`), nor for speed (`benches/link.rs`). Every test
//! waits for something that must happen; the one time-out is the outer limit.
//!
//! Invariant: a test ends when its visits have ended, so none leaves a connection behind.
#![expect(clippy::unwrap_used, reason = "a test panics where its premise does not hold")]

mod conversation;
mod dial;
mod dock;
mod line;
mod secure;

use futures_util::{SinkExt, StreamExt};
use socket2::SockRef;
use stateline_lab::tcp::dock::{Caller, Dock};
use stateline_lab::tcp::visit::{Arrival, Manner, Order, host};
use std::future::Future;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, LocalSet};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

const PATH: &str = "/lab/v1";
const SUBPROTOCOL: &str = "lab.stateline.v1";

/// Runs a test on one thread.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(30), test).await };
    runtime.block_on(LocalSet::new().run_until(limited)).expect("a test ends");
}

fn manner() -> Manner {
    Manner { path: PATH.to_owned(), subprotocol: Some(SUBPROTOCOL.to_owned()), tls: None }
}

fn dock() -> Dock {
    Dock::open(std::process::id() % 10_000).unwrap()
}

/// A visit for which the test is the world.
struct Visit {
    orders: UnboundedSender<Order>,
    arrivals: UnboundedReceiver<Arrival>,
    task: JoinHandle<()>,
}

impl Visit {
    fn of(caller: Caller, manner: Manner) -> Self {
        let (orders, ordered) = unbounded_channel();
        let (tell, arrivals) = unbounded_channel();
        let tell = move |arrival| drop(tell.send(arrival));
        let task = tokio::task::spawn_local(host(caller, manner, ordered, tell));
        Self { orders, arrivals, task }
    }

    fn order(&self, order: Order) {
        self.orders.send(order).expect("the visit takes orders");
    }

    fn text(&self, text: &str) {
        self.order(Order::Text(text.into()));
    }

    async fn told(&mut self) -> Arrival {
        self.arrivals.recv().await.expect("something more is told")
    }

    /// Checks what is told next.
    async fn expect(&mut self, arrival: Arrival) {
        assert_eq!(self.told().await, arrival);
    }

    async fn expect_text(&mut self, text: &str) {
        self.expect(Arrival::Text(text.into())).await;
    }

    /// The fault that is told next.
    async fn wrong(&mut self) -> String {
        match self.told().await {
            Arrival::Wrong(why) => why,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the end, and checks that nothing more is told.
    async fn ends(mut self) {
        self.task.await.unwrap();
        assert_eq!(self.arrivals.recv().await, None);
    }
}

/// A client's connection and the visit that it pays.
async fn dial(dock: &Dock, manner: Manner) -> (TcpStream, Visit) {
    let client = TcpStream::connect(dock.address()).await.unwrap();
    let caller = dock.accept().await.unwrap();
    assert_eq!(caller.from, client.local_addr().unwrap());
    (client, Visit::of(caller, manner))
}

fn request(path: &str, subprotocol: Option<&str>) -> Request {
    let mut request = format!("ws://dock{path}").into_client_request().unwrap();
    if let Some(subprotocol) = subprotocol {
        let value = HeaderValue::from_str(subprotocol).unwrap();
        request.headers_mut().insert("sec-websocket-protocol", value);
    }
    request
}

type Socket = WebSocketStream<TcpStream>;

/// A client with an open connection.
async fn opened(dock: &Dock) -> (Socket, Visit) {
    let (client, mut visit) = dial(dock, manner()).await;
    visit.order(Order::Answer);
    let (socket, response) = client_async(request(PATH, Some(SUBPROTOCOL)), client).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], SUBPROTOCOL);
    visit.expect(Arrival::Opened).await;
    (socket, visit)
}

async fn say(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

async fn hear(socket: &mut Socket) -> Message {
    socket.next().await.expect("a message comes").expect("it is a good one")
}

async fn hear_text(socket: &mut Socket, text: &str) {
    assert_eq!(hear(socket).await, Message::text(text));
}

/// Whether nothing lies in the client's socket, its end included. Asks the system, not a runtime.
fn is_silent(client: &TcpStream) -> bool {
    match SockRef::from(client).peek(&mut [MaybeUninit::uninit()]) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => true,
        Err(error) => panic!("{error}"),
        Ok(_) => false,
    }
}

/// Reads until the connection is reset.
async fn expect_reset(client: &mut TcpStream) {
    let error = client.read_to_end(&mut Vec::new()).await.expect_err("no end in order");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// Whether it is a reset of the system's, not merely an end without a goodbye.
fn is_reset(error: &tungstenite::Error) -> bool {
    matches!(error, tungstenite::Error::Io(error) if error.kind() == ErrorKind::ConnectionReset)
}
