//! A client's own address: a listener on the loopback network that can be shut and reopened.
//!
//! Not responsible for what a caller wants, nor for what becomes of its connection (the visit's).
//!
//! Invariant: a dock has one descriptor while it is open and none while it is shut, and its address
//! stays the same for its life.

use crate::tcp::line::Line;
use socket2::{Domain, Protocol, Socket, Type};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// How many callers may wait to be accepted.
const BACKLOG: i32 = 1024;

/// How many addresses are tried before the one that every system has.
const TRIES: u32 = 3;

/// How long an error that only time can mend is held back.
const PAUSE: Duration = Duration::from_millis(20);

/// A listener on an address of its own.
#[derive(Debug)]
pub struct Dock {
    address: SocketAddr,
    door: Mutex<Door>,
}

/// What of a dock changes.
#[derive(Debug)]
struct Door {
    listener: Option<TcpListener>,
    /// Who waits for a caller, also while the dock is shut.
    waiting: Option<Waker>,
}

/// A client that dialled: its connection, of which nothing was read yet.
#[derive(Debug)]
pub struct Caller {
    /// Where it dialled from.
    pub from: SocketAddr,
    stream: TcpStream,
}

impl Dock {
    /// Opens the dock of this number, on a free port of an address that other numbers do not have.
    /// Where the system has only 127.0.0.1, all docks are there, with a port each.
    ///
    /// # Errors
    /// No address could be listened on.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open(number: u32) -> io::Result<Self> {
        for address in (0..TRIES).map(|n| address_of(number.wrapping_add(n))) {
            if let Ok(listener) = listen(SocketAddr::new(address, 0)) {
                return Self::of(listener);
            }
        }
        Self::of(listen(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))?)
    }

    fn of(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self { address, door: Mutex::new(Door { listener: Some(listener), waiting: None }) })
    }

    /// Where to dial.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the next caller; while the dock is shut, until it is open again and somebody calls.
    /// One task at a time may wait.
    ///
    /// # Errors
    /// The process or the system has no descriptor or memory left. The error comes after a pause,
    /// and the caller is still there: whoever tries again at once does not spin.
    pub async fn accept(&self) -> io::Result<Caller> {
        loop {
            match poll_fn(|cx| self.poll_accept(cx)).await {
                Ok((stream, from)) => return Ok(Caller { from, stream }),
                Err(error) if is_the_callers(&error) => tokio::task::yield_now().await,
                Err(error) => {
                    tokio::time::sleep(PAUSE).await;
                    return Err(error);
                }
            }
        }
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let mut door = self.door();
        if let Some(listener) = &door.listener
            && let Poll::Ready(accepted) = listener.poll_accept(cx)
        {
            return Poll::Ready(accepted);
        }
        if !door.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(cx.waker())) {
            door.waiting = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Closes the port: the system refuses later dials. Callers that were not accepted yet are
    /// reset; accepted ones stay.
    pub fn shut(&self) {
        self.door().listener = None;
    }

    /// Listens again on the same address and port; nothing happens if the dock is open.
    ///
    /// # Errors
    /// Somebody took the port meanwhile. On an address of the dock's own that can only be somebody
    /// who listens on all addresses; where all docks share 127.0.0.1 it can be anybody who asked
    /// for a free port.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn reopen(&self) -> io::Result<()> {
        let mut door = self.door();
        if door.listener.is_none() {
            door.listener = Some(listen(self.address)?);
            if let Some(waiting) = door.waiting.take() {
                waiting.wake();
            }
        }
        Ok(())
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.door().listener.is_some()
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    /// Its connection.
    #[must_use]
    pub fn into_line(self) -> Line {
        Line::new(self.stream)
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier listener must not keep a dock from reopening. On Windows the option
    // means that a port can be stolen, and is not needed.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The address of a number: 127.1.0.1 and on, without the first and the last of each block.
const fn address_of(number: u32) -> IpAddr {
    let last = (number % 254 + 1) as u8;
    let third = (number / 254 % 256) as u8;
    let second = (number / (254 * 256) % 254 + 1) as u8;
    IpAddr::V4(Ipv4Addr::new(127, second, third, last))
}

/// Whether an error is about the one caller, who was gone before it was accepted.
fn is_the_callers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    [ConnectionAborted, ConnectionReset, Interrupted].contains(&error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_have_addresses_of_their_own() {
        assert_eq!(address_of(0).to_string(), "127.1.0.1");
        assert_eq!(address_of(253).to_string(), "127.1.0.254");
        assert_eq!(address_of(254).to_string(), "127.1.1.1");
        assert_eq!(address_of(254 * 256).to_string(), "127.2.0.1");
        let distinct: BTreeSet<_> = (0..100_000).map(address_of).collect();
        assert_eq!(distinct.len(), 100_000);
        assert!(address_of(u32::MAX).is_loopback());
    }
}
