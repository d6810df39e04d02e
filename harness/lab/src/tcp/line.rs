//! A connection whose two directions can be held, each on its own, and which can be cut.
//!
//! A hold eats nothing: what would be written stays with the writer and goes out, in order, on
//! release; what came is not read before it. Not responsible for what the bytes mean, nor for what
//! the system had already taken when a hold began.
//!
//! Invariant: while nothing is held or cut, a byte costs what it costs on the bare socket, and one
//! atomic load for each read or write.

use futures_util::task::AtomicWaker;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

const CUT: u8 = 4;

/// A connection with a [`Gate`]. Its reading side is *up*, what the client sends; its writing side
/// is *down*, what the client receives.
///
/// One dropped in order ends with a FIN, held or not; one that was cut ends with a reset.
#[derive(Debug)]
pub struct Line {
    /// `None` once it was cut and somebody noticed.
    stream: Option<TcpStream>,
    gate: Gate,
}

/// Holds, releases and cuts a [`Line`], from anywhere.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<State>);

/// A direction; its number is the flag that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Up = 1,
    Down = 2,
}

#[derive(Debug, Default)]
struct State {
    flags: AtomicU8,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Line {
    /// A line over this connection, with nothing held. It sends small writes at once.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        // This fails only on a connection that is gone, which reading will tell.
        let _ = stream.set_nodelay(true);
        Self { stream: Some(stream), gate: Gate::default() }
    }

    /// What holds and cuts it.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// Reads or writes, or parks whoever does.
    fn act<T>(
        &mut self,
        cx: &mut Context<'_>,
        side: Side,
        mut act: impl FnMut(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        loop {
            let flags = self.gate.flags();
            if flags & (CUT | side as u8) == 0 {
                if let Some(stream) = &mut self.stream
                    && let Poll::Ready(done) = act(Pin::new(stream), cx)
                {
                    return Poll::Ready(done);
                }
            } else if flags & CUT != 0 {
                self.reset();
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            // Also whoever waits for the socket is woken by what happens at the gate.
            self.gate.waker(side).register(cx.waker());
            if self.gate.flags() == flags {
                return Poll::Pending;
            }
        }
    }

    fn reset(&mut self) {
        if let Some(stream) = self.stream.take() {
            // Without it the connection would end in order; it fails only on one that is gone.
            let _ = stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.act(cx, Side::Up, |stream, cx| stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.act(cx, Side::Down, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.act(cx, Side::Down, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket has nothing to flush, and what is held was not taken.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.act(cx, Side::Down, |stream, cx| stream.poll_shutdown(cx))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.gate.is_cut() {
            self.reset();
        }
    }
}

impl Gate {
    /// Holds what the client sends, or lets it come again. While it is held the end of the
    /// connection is not seen either.
    pub fn hold_up(&self, held: bool) {
        self.set(Side::Up as u8, held);
    }

    /// Holds what is written to the client, its end in order included, or lets it go out again.
    pub fn hold_down(&self, held: bool) {
        self.set(Side::Down as u8, held);
    }

    /// Resets the connection, held or not: whoever reads or writes is woken, finds it reset, and by
    /// that makes it so; otherwise the line's drop does. What the system had not sent is lost.
    pub fn cut(&self) {
        self.set(CUT, true);
    }

    /// Whether what is written is held.
    #[must_use]
    pub fn is_down_held(&self) -> bool {
        self.flags() & Side::Down as u8 != 0
    }

    fn is_cut(&self) -> bool {
        self.flags() & CUT != 0
    }

    fn flags(&self) -> u8 {
        self.0.flags.load(Ordering::Acquire)
    }

    fn set(&self, flag: u8, on: bool) {
        if on {
            self.0.flags.fetch_or(flag, Ordering::AcqRel);
        } else {
            self.0.flags.fetch_and(!flag, Ordering::AcqRel);
        }
        self.0.reader.wake();
        self.0.writer.wake();
    }

    fn waker(&self, side: Side) -> &AtomicWaker {
        match side {
            Side::Up => &self.0.reader,
            Side::Down => &self.0.writer,
        }
    }
}
