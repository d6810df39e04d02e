//! An adapter in real time: requests overlap, and what applications are told comes by itself.
//!
//! `talk` is the thread that talks to the process: what comes is stamped when it comes, however busy
//! those are who listen. Not responsible for cases or for what is done with a fault.
//!
//! Invariant: whoever opened a client is told of everything that concerns it, in the order in which it
//! came, and last of its end: [`Tale::Closed`], [`Tale::Broken`], or that it cannot be made. That holds
//! also if the process, its thread or its owner is gone before the client was opened.

mod talk;

#[cfg(test)]
mod tests;

use crate::adapter::Adapter;
use crate::fault::{Fault, FaultId};
use crate::process::Farewell;
use crate::protocol::{Endpoint, Hello};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use smol_str::SmolStr;
use stateline_core::turn::{Observation, Open};
use stateline_core::value::Fields;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use talk::Talk;

/// Hears of one client, on the thread that talks to the process: it must not wait.
pub type Listener = Box<dyn FnMut(Instant, Tale) + Send>;

/// What is told of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Tale {
    /// It was made, or cannot be made as asked.
    Opened(Result<(), String>),
    /// Its application was told something.
    Seen(Observation),
    /// It was thrown away. What the process wrote to stderr since it was opened comes along.
    Closed(String),
    /// Its process or the adapter is no good, and nothing more is told; with stderr as above. `alone`: it
    /// was this client's own doing, and the process goes on.
    Broken {
        /// What went wrong.
        fault: Fault,
        /// What was written to stderr since this client was opened.
        stderr: String,
        /// The process goes on.
        alone: bool,
    },
}

impl Tale {
    /// Whether nothing more is told after it.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Opened(Err(_)) | Self::Closed(_) | Self::Broken { .. })
    }
}

/// A process that speaks the control protocol in real time. Dropped, it says goodbye by itself, and nobody
/// hears how it ended.
#[derive(Debug)]
pub struct Live {
    hello: Hello,
    orders: Sender<Order>,
    wake: Arc<OwnedFd>,
    opened: AtomicU32,
    epitaph: Epitaph,
    thread: Option<JoinHandle<(Farewell, String)>>,
}

/// Why nobody can be opened any more, once that is so.
type Epitaph = Arc<OnceLock<Fault>>;

enum Order {
    Open { client: u32, line: Box<OpenLine>, ear: Ear },
    Call { client: u32, call: u32, op: SmolStr, args: Fields },
    Close { client: u32 },
    Echo { heard: Box<dyn FnOnce(Duration) + Send> },
    Bye,
    Kill,
}

struct OpenLine {
    profile: SmolStr,
    variant: Option<SmolStr>,
    open: Open,
    endpoint: Endpoint,
}

/// A listener that is told of the end, whatever becomes of what holds it.
struct Ear {
    listener: Listener,
    epitaph: Epitaph,
    told_last: bool,
}

impl Ear {
    fn hear(&mut self, at: Instant, tale: Tale) {
        if !self.told_last {
            self.told_last = tale.is_last();
            (self.listener)(at, tale);
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let fault = self.epitaph.get().cloned();
        let gone = || Fault::new(FaultId::Died, "its process was gone before a client was opened");
        let fault = fault.unwrap_or_else(gone);
        self.hear(Instant::now(), Tale::Broken { fault, stderr: String::new(), alone: false });
    }
}

impl Live {
    /// Takes over an adapter that was greeted and has opened nobody. `limit`: how long it may take to
    /// answer a request. With `log`, its messages are kept until the end.
    ///
    /// # Errors
    /// No thread or no descriptor is left for it.
    pub fn new(
        adapter: Adapter,
        limit: Option<Duration>,
        log: bool,
        stop: Arc<AtomicBool>,
    ) -> std::io::Result<Self> {
        let (process, hello) = adapter.into_process();
        let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let (orders, inbox) = channel();
        let epitaph = Epitaph::default();
        let (heard, end) = (Arc::clone(&wake), Arc::clone(&epitaph));
        let talk = Talk::new(process, inbox, heard, end, (limit, stop), log);
        let thread =
            std::thread::Builder::new().name("adapter".to_owned()).spawn(move || talk.run())?;
        let opened = AtomicU32::new(0);
        Ok(Self { hello, orders, wake, opened, epitaph, thread: Some(thread) })
    }

    /// What it said when it was greeted.
    #[must_use]
    pub const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Opens a client: its number.
    pub fn open(
        &self,
        profile: &SmolStr,
        variant: Option<&SmolStr>,
        open: &Open,
        endpoint: Endpoint,
        listener: Listener,
    ) -> u32 {
        let client = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        let line = Box::new(OpenLine {
            profile: profile.clone(),
            variant: variant.cloned(),
            open: open.clone(),
            endpoint,
        });
        let ear = Ear { listener, epitaph: Arc::clone(&self.epitaph), told_last: false };
        self.order(Order::Open { client, line, ear });
        client
    }

    /// Calls a method of a client's SDK.
    pub fn call(&self, client: u32, call: u32, op: SmolStr, args: Fields) {
        self.order(Order::Call { client, call, op, args });
    }

    /// Throws a client away.
    pub fn close(&self, client: u32) {
        self.order(Order::Close { client });
    }

    /// Measures the way through the adapter.
    pub fn echo(&self, heard: impl FnOnce(Duration) + Send + 'static) {
        self.order(Order::Echo { heard: Box::new(heard) });
    }

    /// Whether a client can still be opened. One that is opened while this changes is told so.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.epitaph.get().is_none() && !self.has_ended()
    }

    /// Says goodbye and does not wait; whoever asks for a client then is told that the process is gone.
    pub fn part(&self) {
        self.order(Order::Bye);
    }

    /// Whether the process is gone, so that [`Self::bye`] waits for nothing.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Says goodbye, and waits until the process has ended: how, and the log.
    #[must_use]
    pub fn bye(self) -> (Farewell, String) {
        self.order(Order::Bye);
        self.end()
    }

    /// Kills the process with everything that it started.
    #[must_use]
    pub fn kill(self) -> (Farewell, String) {
        self.order(Order::Kill);
        self.end()
    }

    fn end(mut self) -> (Farewell, String) {
        let Some(thread) = self.thread.take() else { return Default::default() };
        // The thread only panics by a bug of ours; its panic is the run's.
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A thread that has ended hears nothing. What it does not hear is dropped, which tells an [`Ear`].
    fn order(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.order(Order::Bye);
    }
}
