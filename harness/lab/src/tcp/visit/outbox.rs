//! What was ordered and is not yet written: a server's frames, as bytes, in order.
//!
//! Not responsible for when anything is written, nor for what the client says.
//!
//! Invariant: nothing comes after a close frame, and what waits is no more than what was ordered.

use crate::tcp::frame::{self, Message};
use smol_str::SmolStr;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// How much of an empty buffer is kept, and how much that was written may lie in front of what was
/// not.
const KEPT: usize = 1 << 14;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// How much of them was written.
    start: usize,
    /// Something was written that may still lie in the TLS layer.
    unflushed: bool,
    closed: bool,
}

impl Outbox {
    pub(super) fn put(&mut self, message: &Message) {
        if !self.closed {
            self.closed = matches!(message, Message::Close { .. });
            frame::encode(message, &mut self.bytes);
        }
    }

    pub(super) fn close(&mut self, code: Option<u16>, reason: &str) {
        self.put(&Message::Close { code, reason: SmolStr::new(reason) });
    }

    /// Whether a close frame is among what was ordered.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes what can be written. Ready when nothing is left.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut stream: Pin<&mut impl AsyncWrite>,
    ) -> Poll<io::Result<()>> {
        while self.start < self.bytes.len() {
            let written = match stream.as_mut().poll_write(cx, &self.bytes[self.start..]) {
                Poll::Ready(written) => written?,
                Poll::Pending => {
                    self.tidy();
                    return Poll::Pending;
                }
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.start += written;
            self.unflushed = true;
        }
        self.tidy();
        if self.unflushed {
            ready!(stream.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Forgets everything: nobody is there to read it.
    pub(super) fn discard(&mut self) {
        *self = Self { closed: true, ..Self::default() };
    }

    fn tidy(&mut self) {
        // Moving what is left costs no more than the writing of what was before it.
        if self.start > KEPT && self.start * 2 > self.bytes.len() || self.start == self.bytes.len()
        {
            self.bytes.drain(..self.start);
            self.start = 0;
            self.bytes.shrink_to(KEPT.max(self.bytes.len() * 2));
        }
    }
}
