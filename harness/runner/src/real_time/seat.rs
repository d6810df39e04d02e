//! A client's end: its place in a process, its listener, and its connections.
//!
//! Not responsible for what happens on them (the case's), nor for bytes (the lab's).
//!
//! Invariant: a connection that was given its last order gets no other one.

use super::case::News;
use super::crew::Ship;
use super::limits::{Berths, Pace};
use stateline_core::scenario::ClientIx;
use stateline_core::turn::Input;
use stateline_lab::tcp::dock::Dock;
use stateline_lab::tcp::tls::TlsAcceptor;
use stateline_lab::tcp::visit::Order;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// A client's end.
pub(super) struct Seat {
    pub(super) ship: Arc<Ship>,
    /// Its number in its process.
    pub(super) number: u32,
    pub(super) state: Life,
    /// Where its application asks for tokens.
    pub(super) key: String,
    /// Where it dials.
    pub(super) address: IpAddr,
    /// What it is shown when it dials, where connections are encrypted.
    pub(super) tls: Option<TlsAcceptor>,
    /// Orders for its connections, by the number of the dial.
    pub(super) conns: BTreeMap<u32, UnboundedSender<Order>>,
    /// Dials that were shown a certificate that nobody may trust.
    pub(super) doomed: BTreeMap<u32, UnboundedSender<Order>>,
    /// Those that were given their last order, until they are over.
    pub(super) leaving: Vec<UnboundedSender<Order>>,
    pub(super) dials: u32,
    pub(super) pace: Pace,
    pub(super) held: bool,
    /// Where it is dialled.
    pub(super) dock: Rc<Dock>,
    /// Accepts what is dialled.
    pub(super) door: tokio::task::JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Opening,
    Open,
    Over,
}

impl Seat {
    /// Carries out what has reached the client.
    pub(super) fn hand(&mut self, input: Input) {
        match input {
            Input::Call { call, op, args } => self.ship.live.call(self.number, call, op, args),
            Input::Opened { conn } => self.order(conn, Order::Answer),
            Input::DialFailed { conn } if self.doomed.contains_key(&conn) => {
                self.end(conn, Order::Answer);
            }
            Input::DialFailed { conn } => self.end(conn, Order::Refuse),
            Input::Message { conn, text } => self.order(conn, Order::Text(text)),
            Input::Closed { conn, code: Some(code) } => self.end(conn, Order::Close(code)),
            Input::Closed { conn, code: None } => self.end(conn, Order::Reset),
        }
    }

    /// Closes its port, or opens it again.
    pub(super) fn shut(&self, shut: bool) -> io::Result<()> {
        if shut {
            self.dock.shut();
            return Ok(());
        }
        self.dock.reopen()
    }

    /// Holds what goes to the client, or lets it go on.
    pub(super) fn hold(&mut self, held: bool) {
        if std::mem::replace(&mut self.held, held) != held {
            for conn in self.conns.keys() {
                self.order(*conn, Order::HoldDown(held));
            }
        }
    }

    pub(super) fn order(&self, conn: u32, order: Order) {
        if let Some(orders) = self.conns.get(&conn) {
            let _ = orders.send(order);
        }
    }

    /// The last order of a connection.
    fn end(&mut self, conn: u32, order: Order) {
        if let Some(orders) = self.conns.remove(&conn) {
            let _ = orders.send(order);
            // Who drops the sender resets the connection, so it stays until the visit is over, or the case.
            self.leaving.retain(|orders| !orders.is_closed());
            self.leaving.push(orders);
        }
    }
}

/// Accepts whatever a client dials, as long as the case goes on.
pub(super) async fn accept(
    dock: Rc<Dock>,
    client: ClientIx,
    berths: Berths,
    tell: UnboundedSender<News>,
) {
    let mut failures = 0;
    loop {
        let news = match dock.accept().await {
            Ok(caller) => match berths.take() {
                Ok(berth) => News::Dialled(client, caller, berth),
                Err(why) => News::Flood(why),
            },
            // The dock pauses by itself before it says so.
            Err(_) if failures < 100 => {
                failures += 1;
                continue;
            }
            Err(error) => News::Undockable(error),
        };
        let is_last = !matches!(news, News::Dialled(..));
        if tell.send(news).is_err() || is_last {
            return;
        }
    }
}
