//! An adapter in real time: requests overlap, and what applications are told comes by itself.
//!
//! A thread of its own talks to the process, so that what comes is stamped when it comes, however busy
//! those are who listen. Not responsible for cases or for what is done with a fault.
//!
//! Invariant: whoever opened a client is told of everything that concerns it, in the order in which it
//! came, and last of its end: [`Tale::Closed`] or [`Tale::Broken`].

use crate::adapter::{Adapter, Ledger, MOST_WORDS, diagnosis, refused, told};
use crate::fault::{Fault, FaultId, clip};
use crate::process::{Farewell, Process};
use crate::protocol::{
    CallParams, CloseParams, Echo, Endpoint, ErrorObject, Hello, Incoming, LARGEST, Method,
    Observed, OpenParams, Request, TimeMode,
};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, OwnedFd};
use serde::Serialize;
use serde_json::json;
use smol_str::SmolStr;
use stateline_core::time::Micros;
use stateline_core::turn::{Observation, Open, Output, Turn};
use stateline_core::value::Fields;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// More bytes told of one client than these are a flood.
const MOST_TOLD: usize = 16 << 20;
/// How much of the messages is kept for a log.
const MOST_LOG: usize = 64 << 20;
/// How much of stderr is kept for the cases that are open.
const MOST_STDERR: usize = 256 << 10;

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

/// A process that speaks the control protocol in real time.
#[derive(Debug)]
pub struct Live {
    hello: Hello,
    orders: Sender<Order>,
    wake: Arc<OwnedFd>,
    opened: AtomicU32,
    thread: JoinHandle<(Farewell, String)>,
}

enum Order {
    Open { client: u32, line: OpenLine, listener: Listener },
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
        let talk = Talk {
            process,
            inbox,
            wake: Arc::clone(&wake),
            limit,
            stop,
            requests: 1,
            pending: BTreeMap::new(),
            guests: BTreeMap::new(),
            outbox: Vec::new(),
            heard: String::new(),
            forgotten: 0,
            log: log.then(String::new),
            leaving: false,
        };
        let thread =
            std::thread::Builder::new().name("adapter".to_owned()).spawn(move || talk.run())?;
        Ok(Self { hello, orders, wake, opened: AtomicU32::new(0), thread })
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
        let line = OpenLine {
            profile: profile.clone(),
            variant: variant.cloned(),
            open: open.clone(),
            endpoint,
        };
        self.order(Order::Open { client, line, listener });
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

    /// Whether the process is still talked to.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
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

    fn end(self) -> (Farewell, String) {
        // The thread only panics by a bug of ours; its panic is the run's.
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A thread that has ended hears nothing, and has told so before.
    fn order(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
        }
    }
}

/// A request without an answer yet.
struct Pending {
    method: Method,
    client: u32,
    sent: Instant,
    heard: Option<Box<dyn FnOnce(Duration) + Send>>,
}

/// A client that is open.
struct Guest {
    listener: Listener,
    ledger: Ledger,
    told: usize,
    /// Where stderr was when it was opened.
    stderr: usize,
}

/// The thread that talks to the process.
struct Talk {
    process: Process,
    inbox: Receiver<Order>,
    wake: Arc<OwnedFd>,
    limit: Option<Duration>,
    stop: Arc<AtomicBool>,
    requests: u64,
    pending: BTreeMap<u64, Pending>,
    guests: BTreeMap<u32, Guest>,
    /// What was not written yet.
    outbox: Vec<u8>,
    /// The last of stderr, and how much was forgotten before it.
    heard: String,
    forgotten: usize,
    log: Option<String>,
    /// `bye` was sent.
    leaving: bool,
}

/// How the talk ends.
enum End {
    Bye,
    Killed,
    Fault(Fault),
}

impl Talk {
    fn run(mut self) -> (Farewell, String) {
        let end = loop {
            if let Some(end) = self.step() {
                break end;
            }
        };
        self.listen();
        let log = self.log.take().unwrap_or_default();
        let guests = std::mem::take(&mut self.guests);
        let (fault, farewell) = match end {
            End::Bye => (None, self.process.farewell()),
            End::Killed => (None, self.process.kill()),
            End::Fault(fault) => (Some(fault), self.process.kill()),
        };
        self.heard.push_str(&farewell.stderr);
        let fault = fault.unwrap_or_else(|| Fault::new(FaultId::Interrupted, "it was ended"));
        for mut guest in guests.into_values() {
            let from = guest.stderr.saturating_sub(self.forgotten).min(self.heard.len());
            let stderr = self.heard.get(from..).unwrap_or_default().to_owned();
            let fault = fault.clone();
            (guest.listener)(Instant::now(), Tale::Broken { fault, stderr, alone: false });
        }
        let mut log = log;
        for line in self.heard.lines() {
            log.push_str("! ");
            log.push_str(line);
            log.push('\n');
        }
        (farewell, log)
    }

    /// Orders out, lines in.
    fn step(&mut self) -> Option<End> {
        // Before the orders are looked at, so that none is overslept.
        let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
        while let Ok(order) = self.inbox.try_recv() {
            if let Some(end) = self.take(order) {
                return Some(end);
            }
        }
        let wake = Arc::clone(&self.wake);
        let left = self.process.pump(&self.outbox, wake.as_fd()).len();
        self.outbox.drain(..self.outbox.len() - left);
        let at = Instant::now();
        loop {
            match self.process.next_line() {
                Ok(Some(line)) => {
                    let line = line.to_vec();
                    if let Err(fault) = self.read(at, &line) {
                        return Some(End::Fault(fault));
                    }
                }
                Ok(None) => break,
                Err(fault) => return Some(End::Fault(fault)),
            }
        }
        if self.leaving && self.pending.is_empty() {
            return Some(End::Bye);
        }
        if self.process.has_ended() {
            return Some(End::Fault(self.process.died_in_play()));
        }
        if self.stop.load(Ordering::Relaxed) {
            return Some(End::Fault(Fault::new(FaultId::Interrupted, "the run was interrupted")));
        }
        self.overdue(at).map(End::Fault)
    }

    fn take(&mut self, order: Order) -> Option<End> {
        match order {
            Order::Open { client, line, listener } => {
                self.listen();
                let stderr = self.forgotten + self.heard.len();
                let ledger = Ledger::default();
                self.guests.insert(client, Guest { listener, ledger, told: 0, stderr });
                let OpenLine { profile, variant, open, endpoint } = line;
                self.request(
                    Method::Open,
                    client,
                    Some(OpenParams {
                        client,
                        profile: &profile,
                        variant: variant.as_deref(),
                        uid: &open.uid,
                        time: TimeMode::Real,
                        epoch_ms: open.epoch_ms,
                        seed: open.seed % LARGEST,
                        parameters: &Fields::new(),
                        endpoint: Some(&endpoint),
                    }),
                );
            }
            Order::Call { client, call, op, args } => {
                if let Some(guest) = self.guests.get_mut(&client) {
                    guest.ledger.called(1);
                    let params = CallParams { client, call, op: &op, args: &args };
                    self.request(Method::Call, client, Some(params));
                }
            }
            Order::Close { client } => {
                if self.guests.contains_key(&client) {
                    self.request(Method::Close, client, Some(CloseParams { client }));
                }
            }
            Order::Echo { heard } => {
                let id = self.request(Method::Echo, 0, Some(Echo { data: json!("late?") }));
                if let Some(pending) = self.pending.get_mut(&id) {
                    pending.heard = Some(heard);
                }
            }
            Order::Bye => {
                self.leaving = true;
                self.request(Method::Bye, 0, None::<()>);
            }
            Order::Kill => return Some(End::Killed),
        }
        None
    }

    fn request<P: Serialize>(&mut self, method: Method, client: u32, params: Option<P>) -> u64 {
        let id = self.requests;
        self.requests += 1;
        // What is written here are texts and numbers: JSON can say them.
        let line = serde_json::to_vec(&Request::new(id, method, params)).unwrap_or_default();
        if let Some(log) = &mut self.log {
            note(log, "→ ", &line);
        }
        self.outbox.extend_from_slice(&line);
        self.outbox.push(b'\n');
        self.pending.insert(id, Pending { method, client, sent: Instant::now(), heard: None });
        id
    }

    fn read(&mut self, at: Instant, line: &[u8]) -> Result<(), Fault> {
        if let Some(log) = &mut self.log {
            note(log, "← ", line);
        }
        let text = std::str::from_utf8(line).map_err(|error| {
            let at = error.valid_up_to();
            Fault::no_message(format_args!("no UTF-8 from byte {} on", at + 1), line, at)
        })?;
        let incoming: Incoming = serde_json::from_str(text).map_err(|error| {
            if serde_json::from_str::<serde_json::Value>(text).is_err() {
                return diagnosis(Method::Call, 0, text, Some(&error));
            }
            Fault::wrong_at(told(&error), line, error.column())
        })?;
        let is_object = text.trim_start().starts_with('{');
        if !is_object || incoming.jsonrpc != "2.0" {
            return Err(Fault::wrong("its `jsonrpc` is not \"2.0\"", line));
        }
        match incoming {
            Incoming { id: None, method: Some(method), params: Some(observed), .. }
                if method == "observe" =>
            {
                self.observed(at, observed, line.len());
                Ok(())
            }
            Incoming { id: None, method: Some(method), .. } if method == "observe" => {
                Err(Fault::wrong("an `observe` without `params`", line))
            }
            Incoming { method: Some(method), .. } => {
                let method = clip(&method, 80);
                Err(Fault::wrong(format_args!("there is no notification `{method}`"), line))
            }
            Incoming { id: Some(id), result, error, .. } => {
                let Some(pending) = self.pending.remove(&id) else {
                    return Err(Fault::wrong(
                        format_args!("an answer to request {id}, which is not open"),
                        line,
                    ));
                };
                match (result, error) {
                    (Some(result), None) => self.answered(at, pending, Ok(result.unsupported)),
                    (None, Some(error)) => self.answered(at, pending, Err(error)),
                    _ => {
                        let method = pending.method.as_str();
                        let why = format!("in the answer to `{method}`: neither result nor error");
                        return Err(Fault::wrong(why, line));
                    }
                }
                Ok(())
            }
            Incoming { id: None, method: None, .. } => {
                Err(Fault::wrong("neither an answer nor a notification", line))
            }
        }
    }

    fn answered(
        &mut self,
        at: Instant,
        pending: Pending,
        answer: Result<Option<String>, ErrorObject>,
    ) {
        let Pending { method, client, sent, heard } = pending;
        if let Some(heard) = heard {
            heard(at.saturating_duration_since(sent));
        }
        match (method, answer) {
            (Method::Open, Ok(None)) => self.tell(at, client, Tale::Opened(Ok(()))),
            (Method::Open, Ok(Some(why))) => {
                self.tell(at, client, Tale::Opened(Err(clip(&why, MOST_WORDS))));
                self.guests.remove(&client);
            }
            (Method::Close, Ok(_)) => {
                let stderr = self.stderr_of(client);
                self.tell(at, client, Tale::Closed(stderr));
                self.guests.remove(&client);
            }
            (Method::Open | Method::Call | Method::Close, Err(error)) => {
                self.breaks(at, client, refused(method, error.code, &error.message));
            }
            _ => {}
        }
    }

    fn observed(&mut self, at: Instant, observed: Observed, n_bytes: usize) {
        let Observed { client, seen } = observed;
        // What was told just before the close is still under way then; nobody asks for it any more.
        let Some(guest) = self.guests.get_mut(&client) else { return };
        guest.told += n_bytes;
        let turn = Turn { output: vec![Output::Observe(seen)], next: None };
        let wrong = guest.ledger.check(Micros::ZERO, &turn).err();
        if guest.told > MOST_TOLD {
            let text = format!("more than {} MiB told of one client", MOST_TOLD >> 20);
            self.breaks(at, client, Fault::new(FaultId::Flood, text));
        } else if let Some(why) = wrong {
            self.breaks(at, client, Fault::new(FaultId::WrongTurn, why));
        } else {
            for output in turn.output {
                if let Output::Observe(seen) = output {
                    self.tell(at, client, Tale::Seen(seen));
                }
            }
        }
    }

    /// A client is of no further use; the process goes on.
    fn breaks(&mut self, at: Instant, client: u32, fault: Fault) {
        let stderr = self.stderr_of(client);
        self.tell(at, client, Tale::Broken { fault, stderr, alone: true });
        self.guests.remove(&client);
        self.request(Method::Close, 0, Some(CloseParams { client }));
    }

    fn tell(&mut self, at: Instant, client: u32, tale: Tale) {
        if let Some(guest) = self.guests.get_mut(&client) {
            (guest.listener)(at, tale);
        }
    }

    /// Takes in what was written to stderr.
    fn listen(&mut self) {
        self.heard.push_str(&self.process.take_stderr());
        let mut over = self.heard.len().saturating_sub(MOST_STDERR);
        while !self.heard.is_char_boundary(over) {
            over += 1;
        }
        self.heard.drain(..over);
        self.forgotten += over;
    }

    fn stderr_of(&mut self, client: u32) -> String {
        self.listen();
        let Some(guest) = self.guests.get(&client) else { return String::new() };
        let from = guest.stderr.saturating_sub(self.forgotten).min(self.heard.len());
        self.heard.get(from..).unwrap_or_default().to_owned()
    }

    /// What was not answered in time.
    fn overdue(&mut self, now: Instant) -> Option<Fault> {
        let limit = self.limit?;
        let (_, late) = self.pending.first_key_value()?;
        if now.saturating_duration_since(late.sent) <= limit {
            return None;
        }
        let symptom = self.process.symptom(!self.outbox.is_empty());
        Some(Fault::hung(late.method, limit, &symptom))
    }
}

fn note(log: &mut String, mark: &str, line: &[u8]) {
    if log.len() < MOST_LOG {
        log.push_str(mark);
        log.push_str(String::from_utf8_lossy(line).trim_end());
        log.push('\n');
    }
}
