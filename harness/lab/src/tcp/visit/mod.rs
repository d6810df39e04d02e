//! One dial, from the accepted connection to its end: tells what the client did, carries out orders.
//!
//! Before [`Order::Answer`] the dial hangs. Then comes the greeting (`greeting`: TLS, HTTP), then
//! the conversation (`conversation`: frames). Not responsible for when anything is answered: pings
//! are told, not answered, because through a link whose up direction is held nothing may answer.
//!
//! Invariant: the last arrival is exactly one of [`Arrival::Closed`], [`Arrival::Gone`] and
//! [`Arrival::Wrong`], unless an order ended the connection first.

mod conversation;
mod greeting;
mod outbox;
mod stream;

use crate::tcp::dock::Caller;
use crate::tcp::frame::Message;
use crate::tcp::line::Gate;
use outbox::Outbox;
use smol_str::SmolStr;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_rustls::TlsAcceptor;

/// How long the client is given to end its side after a goodbye, or after a refused request.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a server asks of a client that dials it.
#[derive(Clone)]
pub struct Manner {
    /// The path of the endpoint; a request for any other is answered with 404.
    pub path: String,
    /// The subprotocol that the client must offer; a request without it is answered with 400.
    pub subprotocol: Option<String>,
    /// With TLS.
    pub tls: Option<TlsAcceptor>,
}

/// What the world wants done with a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Let the dial come through: TLS if any, then the WebSocket upgrade.
    Answer,
    /// Say goodbye with this code, after what was ordered before; end the connection when the
    /// client has ended its side, or 2 s later. What is ordered after it is not sent.
    Close(u16),
    /// Hold what goes to the client, to the byte, or let it go on. What was ordered before goes out
    /// as far as the system takes it. An end in order waits for this, too; a reset does not.
    HoldDown(bool),
    /// Answer a ping. At most 125 bytes are sent.
    Pong(Vec<u8>),
    /// Reset the dial instead of answering it.
    Refuse,
    /// Reset the connection now; what the system has not taken by then is lost.
    Reset,
    /// Send a text message.
    Text(SmolStr),
}

/// What a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It sent a binary message of this length, which no wire understands.
    Binary(usize),
    /// It said goodbye, with its code if it gave one; also in answer to [`Order::Close`]. The last
    /// arrival.
    Closed(Option<u16>),
    /// It ended or reset the connection, or gave up the dial, without a goodbye. The last arrival.
    Gone,
    /// The upgrade is done: from here on it can send and receive messages.
    Opened,
    /// It sent a ping, which [`Order::Pong`] answers.
    Ping(Vec<u8>),
    /// It sent a text message.
    Text(SmolStr),
    /// It did this against HTTP, WebSocket or TLS, in words for whoever wrote the adapter. The
    /// connection is over. The last arrival.
    Wrong(String),
}

/// Receives a caller, tells what it does at the moment it is read, carries out orders in order, and
/// returns when the connection is over.
///
/// Dropping the sender of the orders resets the connection; so it is to be kept until this returns,
/// also after [`Order::Close`]. Once the client's last arrival was told it may go: the connection
/// then ends by itself, in order, within 2 s. A client that does not read is still listened to; what
/// waits to be written is what was ordered. The future is `Send` if `tell` is.
pub async fn host<F>(caller: Caller, manner: Manner, orders: UnboundedReceiver<Order>, mut tell: F)
where
    F: FnMut(Arrival),
{
    let line = caller.into_line();
    let mut desk = Desk {
        gate: line.gate(),
        orders,
        outbox: Outbox::default(),
        told_all: false,
        deserted: false,
    };
    match greeting::greet(line, manner, &mut desk, &mut tell).await {
        Ok(stream) => {
            tell(Arrival::Opened);
            conversation::converse(stream, desk, tell).await;
        }
        Err(Over::Client(arrival)) => tell(arrival),
        Err(Over::Settled) => {}
    }
}

/// Where orders come in.
struct Desk {
    gate: Gate,
    orders: UnboundedReceiver<Order>,
    outbox: Outbox,
    /// The last arrival was told.
    told_all: bool,
    /// Nobody is there to give orders, and none is needed.
    deserted: bool,
}

/// How a visit can end before its conversation.
enum Over {
    /// By what the client did, which is still to be told.
    Client(Arrival),
    /// By an order, or after all was told.
    Settled,
}

impl From<Arrival> for Over {
    fn from(arrival: Arrival) -> Self {
        Self::Client(arrival)
    }
}

impl Desk {
    /// Carries out an order, as far as that can be done at once; `None` when nobody is there to
    /// give any more.
    fn take(&mut self, order: Option<Order>) -> Result<(), Over> {
        match order {
            Some(Order::Answer) => {}
            Some(Order::Close(code)) => self.outbox.close(Some(code), ""),
            Some(Order::HoldDown(held)) => self.gate.hold_down(held),
            Some(Order::Pong(bytes)) => self.outbox.put(&Message::Pong(bytes)),
            Some(Order::Text(text)) => self.outbox.put(&Message::Text(text)),
            None if self.told_all => self.deserted = true,
            Some(Order::Refuse | Order::Reset) | None => {
                self.gate.cut();
                return Err(Over::Settled);
            }
        }
        Ok(())
    }

    /// Takes orders while something else is done with the connection.
    async fn amid<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Over> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                order = self.orders.recv(), if !self.deserted => self.take(order)?,
                done = &mut work => return Ok(done),
            }
        }
    }
}
