//! The second part of a visit: frames are read and told, orders are written, until both have
//! said goodbye or one is gone.
//!
//! One task does it all, and neither side waits for the other: what cannot be written waits in the
//! outbox while reading goes on. Not responsible for the upgrade.
//!
//! Invariant: nothing is told after a goodbye or a fault of the client, and as long as it is held
//! the connection does not end in order.

use super::stream::Stream;
use super::{Arrival, Desk, Order, PATIENCE, greeting};
use crate::tcp::frame::{Decoder, Message};
use std::future::{Future, poll_fn};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How much is read at once. On the stack: a thousand idle connections need none of it.
const CHUNK: usize = 1 << 14;

/// Converses until the connection is over.
pub(super) async fn converse(stream: Stream, desk: Desk, tell: impl FnMut(Arrival)) {
    let mut conversation = Conversation {
        stream,
        desk,
        tell,
        decoder: Decoder::default(),
        shut: false,
        patience: Patience::Endless,
    };
    poll_fn(|cx| conversation.poll(cx)).await;
}

struct Conversation<F> {
    stream: Stream,
    desk: Desk,
    tell: F,
    decoder: Decoder,
    /// Our side of the connection has ended.
    shut: bool,
    patience: Patience,
}

/// How long the client's end is waited for.
enum Patience {
    /// Nobody said goodbye.
    Endless,
    /// It is running out.
    Until(Pin<Box<Sleep>>),
    /// It is over.
    Over,
}

/// The connection is over; it is dropped at once.
struct End;

impl<F: FnMut(Arrival)> Conversation<F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.step(cx) {
            Ok(()) => Poll::Pending,
            Err(End) => Poll::Ready(()),
        }
    }

    /// Does all that can be done now. Writing comes after reading, which may have something to say.
    fn step(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        while !self.desk.deserted
            && let Poll::Ready(order) = self.desk.orders.poll_recv(cx)
        {
            // What was ordered before a hold or a reset goes out before it, as far as it can.
            if matches!(order, None | Some(Order::HoldDown(true) | Order::Reset)) {
                let _ = self.write(cx);
            }
            self.desk.take(order).map_err(|_| End)?;
        }
        self.read(cx)?;
        let written = self.write(cx);
        self.part(cx, written)
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        loop {
            let mut chunk = [MaybeUninit::uninit(); CHUNK];
            let mut chunk = ReadBuf::uninit(&mut chunk);
            let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, &mut chunk) else {
                return Ok(());
            };
            let last = match read {
                Ok(()) if !chunk.filled().is_empty() => {
                    self.hear(chunk.filled());
                    continue;
                }
                Ok(()) => Arrival::Gone,
                Err(error) => greeting::lost(&error),
            };
            if !self.desk.told_all {
                (self.tell)(last);
            }
            return Err(End);
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.decoder.push(bytes);
        while !self.desk.told_all {
            let arrival = match self.decoder.message() {
                Ok(None) => return,
                Ok(Some(Message::Binary(bytes))) => Arrival::Binary(bytes.len()),
                Ok(Some(Message::Close { code, .. })) => {
                    self.desk.told_all = true;
                    self.desk.outbox.close(code, "");
                    Arrival::Closed(code)
                }
                Ok(Some(Message::Ping(bytes))) => Arrival::Ping(bytes),
                // Nobody asked: it may be sent, and means nothing.
                Ok(Some(Message::Pong(_))) => continue,
                Ok(Some(Message::Text(text))) => Arrival::Text(text),
                Err(fault) => {
                    self.desk.told_all = true;
                    let why = fault.to_string();
                    self.desk.outbox.close(Some(fault.code()), &why);
                    Arrival::Wrong(format!("WebSocket: {why}"))
                }
            };
            (self.tell)(arrival);
        }
        self.decoder = Decoder::default();
    }

    /// Ready when all that was ordered is written.
    fn write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let written = ready!(self.desk.outbox.poll_write(cx, Pin::new(&mut self.stream)));
        if written.is_err() {
            // What the client said before it was gone may still be there to be read, and that it is
            // gone will be read as well.
            self.desk.outbox.discard();
        }
        Poll::Ready(())
    }

    /// Ends the connection in order, once there is nothing more to say.
    fn part(&mut self, cx: &mut Context<'_>, written: Poll<()>) -> Result<(), End> {
        let said = written.is_ready() && self.desk.outbox.is_closed();
        if said && self.desk.told_all && !self.shut {
            self.shut = Pin::new(&mut self.stream).poll_shutdown(cx).is_ready();
        }
        if said || self.desk.told_all {
            if let Patience::Endless = self.patience {
                self.patience = Patience::Until(Box::pin(tokio::time::sleep(PATIENCE)));
            }
            if let Patience::Until(sleep) = &mut self.patience
                && sleep.as_mut().poll(cx).is_ready()
            {
                self.patience = Patience::Over;
            }
        }
        match self.patience {
            Patience::Over if !self.desk.gate.is_down_held() => Err(End),
            // Nobody will release it, and an end in order would come through the hold.
            Patience::Over if self.desk.deserted => {
                self.desk.gate.cut();
                Err(End)
            }
            _ => Ok(()),
        }
    }
}
