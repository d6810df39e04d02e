//! The thread that talks to one process in real time.
//!
//! Not responsible for who opens clients or what their cases make of a fault.
//!
//! Invariant: every wait has an end, unless no limit was wanted; no buffer is without a limit; what one
//! client breaks alone ends that client, what breaks the process ends all that are open in it.

use super::{Ear, Epitaph, OpenLine, Order, Tale};
use crate::adapter::{Ledger, MOST_WORDS, diagnosis, note, refused, text_of, told};
use crate::fault::{Fault, FaultId, clip};
use crate::process::{Farewell, Process};
use crate::protocol::{
    CallParams, CloseParams, Echo, ErrorObject, Incoming, LARGEST, Method, Observed, OpenParams,
    Request, TimeMode,
};
use rustix::fd::{AsFd, OwnedFd};
use serde::Serialize;
use serde_json::{Value, json};
use stateline_core::time::Micros;
use stateline_core::turn::{Output, Turn};
use stateline_core::value::Fields;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

/// More bytes told of one client than these are a flood; so are those of all clients that are gone.
pub(super) const MOST_TOLD: usize = 16 << 20;
/// How much of the messages is kept for a log.
const MOST_LOG: usize = 64 << 20;
/// How much of stderr is kept for the cases that are open.
const MOST_STDERR: usize = 256 << 10;
/// How often is read on past the limit, for an answer behind what has come: more than any pipe holds.
const MOST_LATE_READS: u32 = 32;

/// A request without an answer yet.
struct Pending {
    method: Method,
    client: u32,
    sent: Instant,
    heard: Option<Box<dyn FnOnce(Duration) + Send>>,
}

/// A client that is open.
struct Guest {
    ear: Ear,
    ledger: Ledger,
    told: usize,
    /// Where stderr was when it was opened.
    stderr: usize,
}

/// The thread that talks to the process.
pub(super) struct Talk {
    process: Process,
    inbox: Receiver<Order>,
    wake: Arc<OwnedFd>,
    epitaph: Epitaph,
    limit: Option<Duration>,
    stop: Arc<AtomicBool>,
    requests: u64,
    pending: BTreeMap<u64, Pending>,
    guests: BTreeMap<u32, Guest>,
    /// The highest number that a client had.
    highest: u32,
    /// Clients that were given up: their `close` is under way.
    closing: BTreeSet<u32>,
    /// Bytes told of clients that are gone.
    stray: usize,
    /// What was not written yet.
    outbox: Vec<u8>,
    /// The last of stderr, and how much was forgotten before it.
    heard: String,
    forgotten: usize,
    log: Option<String>,
    notes: BTreeSet<String>,
    late_reads: u32,
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
    pub(super) fn new(
        process: Process,
        inbox: Receiver<Order>,
        wake: Arc<OwnedFd>,
        epitaph: Epitaph,
        (limit, stop): (Option<Duration>, Arc<AtomicBool>),
        log: bool,
    ) -> Self {
        Self {
            process,
            inbox,
            wake,
            epitaph,
            limit,
            stop,
            requests: 1,
            pending: BTreeMap::new(),
            guests: BTreeMap::new(),
            highest: 0,
            closing: BTreeSet::new(),
            stray: 0,
            outbox: Vec::new(),
            heard: String::new(),
            forgotten: 0,
            log: log.then(String::new),
            notes: BTreeSet::new(),
            late_reads: 0,
            leaving: false,
        }
    }

    pub(super) fn run(mut self) -> (Farewell, String) {
        let end = loop {
            if let Some(end) = self.step() {
                break end;
            }
        };
        self.listen();
        let fault = match &end {
            End::Bye => Fault::new(FaultId::Died, "it had been asked to end before"),
            End::Killed => Fault::new(FaultId::Interrupted, "it was ended"),
            End::Fault(fault) => fault.clone(),
        };
        // From here on nobody is sent here, although it may take a while until the process is gone.
        let _ = self.epitaph.set(fault.clone());
        let nobodys = self.guests.is_empty() && fault.id != FaultId::Interrupted;
        let mut farewell = match end {
            End::Bye => self.process.farewell(),
            End::Killed | End::Fault(_) => self.process.kill(),
        };
        let mut notes = Vec::from_iter(self.notes);
        if nobodys && !matches!(end, End::Bye) {
            notes.insert(0, fault.to_string());
        }
        farewell.notes.splice(0..0, notes);
        self.heard.push_str(&farewell.stderr);
        for mut guest in self.guests.into_values() {
            let stderr = since(&self.heard, self.forgotten, guest.stderr);
            let fault = fault.clone();
            guest.ear.hear(Instant::now(), Tale::Broken { fault, stderr, alone: false });
        }
        let mut log = self.log.unwrap_or_default();
        log.extend(self.heard.lines().flat_map(|line| ["! ", line, "\n"]));
        (farewell, log)
    }

    /// Orders out, lines in.
    fn step(&mut self) -> Option<End> {
        // Before the orders are looked at, so that none is overslept.
        let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
        loop {
            let order = match self.inbox.try_recv() {
                Ok(order) => order,
                // Nobody is left who could say so.
                Err(TryRecvError::Disconnected) if !self.leaving => Order::Bye,
                Err(_) => break,
            };
            if let Some(end) = self.take(order) {
                return Some(end);
            }
        }
        let wake = Arc::clone(&self.wake);
        let left = self.process.pump(&self.outbox, wake.as_fd()).len();
        self.outbox.drain(..self.outbox.len() - left);
        let at = Instant::now();
        let mut came = false;
        loop {
            match self.process.next_line() {
                Ok(Some(line)) => {
                    came = true;
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
            return Some(End::Fault(self.died()));
        }
        if self.stop.load(Ordering::Relaxed) {
            return Some(End::Fault(Fault::new(FaultId::Interrupted, "the run was interrupted")));
        }
        self.overdue(at, came).map(End::Fault)
    }

    fn take(&mut self, order: Order) -> Option<End> {
        match order {
            Order::Kill => return Some(End::Killed),
            // Whoever wants to be opened now is told by its ear that it is too late.
            _ if self.leaving => {}
            Order::Open { client, line, ear } => self.open(client, *line, ear),
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
        }
        None
    }

    fn open(&mut self, client: u32, line: OpenLine, ear: Ear) {
        self.listen();
        let stderr = self.forgotten + self.heard.len();
        let ledger = Ledger::default();
        self.guests.insert(client, Guest { ear, ledger, told: 0, stderr });
        self.highest = self.highest.max(client);
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

    fn request<P: Serialize>(&mut self, method: Method, client: u32, params: Option<P>) -> u64 {
        let id = self.requests;
        self.requests += 1;
        // What is written here are texts and numbers: JSON can say them.
        let line = serde_json::to_vec(&Request::new(id, method, params)).unwrap_or_default();
        if let Some(log) = &mut self.log {
            note(log, MOST_LOG, "→ ", &line);
        }
        self.outbox.extend_from_slice(&line);
        self.outbox.push(b'\n');
        self.pending.insert(id, Pending { method, client, sent: Instant::now(), heard: None });
        id
    }

    fn read(&mut self, at: Instant, line: &[u8]) -> Result<(), Fault> {
        if let Some(log) = &mut self.log {
            note(log, MOST_LOG, "← ", line);
        }
        let text = text_of(line)?;
        let incoming: Incoming =
            serde_json::from_str(text).map_err(|error| unreadable(text, &error))?;
        // Also a list of the right length would be taken for one.
        if !text.trim_start().starts_with('{') {
            return Err(Fault::no_message("no JSON object", line, 0));
        }
        if incoming.jsonrpc != "2.0" {
            return Err(Fault::wrong("its `jsonrpc` is not \"2.0\"", line));
        }
        match incoming {
            Incoming { method: Some(method), .. } if method != "observe" => {
                Err(no_such_notification(&method, line))
            }
            Incoming { id: Some(_), method: Some(_), .. } => {
                Err(Fault::wrong("an `observe` with an `id`: a notification has none", line))
            }
            Incoming { method: Some(_), params: Some(observed), .. } => {
                self.observed(at, observed, line)
            }
            Incoming { method: Some(_), params: None, .. } => {
                Err(Fault::wrong("an `observe` without `params`", line))
            }
            Incoming { id: Some(id), result, error, .. } => {
                let Some(pending) = self.pending.remove(&id) else {
                    let asked = (1..self.requests).contains(&id);
                    let why = if asked { "was answered before" } else { "was never sent" };
                    let why = format!("an answer to request {id}, which {why}");
                    return Err(Fault::wrong(why, line));
                };
                match (result, error) {
                    (Some(result), None) => self.answered(at, pending, Ok(result.unsupported)),
                    (None, Some(error)) => self.answered(at, pending, Err(error)),
                    (both, _) => {
                        let method = pending.method.as_str();
                        let what = if both.is_some() { "both" } else { "neither" };
                        let join = if both.is_some() { "and" } else { "nor" };
                        let why =
                            format!("in the answer to `{method}`: {what} result {join} error");
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
        if method == Method::Close {
            self.closing.remove(&client);
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
            // There is no client any more: whoever asked for its end would only be told so, with an error.
            (Method::Open | Method::Close, Err(error)) => {
                self.breaks(at, client, refused(method, error.code, &error.message));
            }
            (Method::Call, Err(error)) => {
                self.gives_up(at, client, refused(method, error.code, &error.message));
            }
            (Method::Bye, Err(error)) => {
                self.notes.insert(refused(method, error.code, &error.message).to_string());
            }
            _ => {}
        }
    }

    fn observed(&mut self, at: Instant, observed: Observed, line: &[u8]) -> Result<(), Fault> {
        let Observed { client, seen } = observed;
        let Some(guest) = self.guests.get_mut(&client) else { return self.strayed(client, line) };
        guest.told += line.len();
        let turn = Turn { output: vec![Output::Observe(seen)], next: None };
        let wrong = guest.ledger.check(Micros::ZERO, &turn).err();
        if guest.told > MOST_TOLD {
            let text = format!("more than {} MiB told of one client", MOST_TOLD >> 20);
            self.gives_up(at, client, Fault::new(FaultId::Flood, text));
        } else if let Some(why) = wrong {
            self.gives_up(at, client, Fault::new(FaultId::WrongTurn, why));
        } else {
            for output in turn.output {
                if let Output::Observe(seen) = output {
                    self.tell(at, client, Tale::Seen(seen));
                }
            }
        }
        Ok(())
    }

    /// Something was told of a client that is not open.
    fn strayed(&mut self, client: u32, line: &[u8]) -> Result<(), Fault> {
        if client == 0 || client > self.highest {
            let why = format!("an `observe` of client {client}, which was never opened");
            return Err(Fault::wrong(why, line));
        }
        // Before its `close` is answered it may tell. After that it should not, and harms nobody.
        if !self.closing.contains(&client) {
            self.notes.insert("it told something of a client that was closed before".to_owned());
        }
        self.stray += line.len();
        if self.stray > MOST_TOLD {
            let text = format!("more than {} MiB told of closed clients", MOST_TOLD >> 20);
            return Err(Fault::new(FaultId::Flood, text));
        }
        Ok(())
    }

    /// A client is of no further use; the process goes on.
    fn breaks(&mut self, at: Instant, client: u32, fault: Fault) {
        let stderr = self.stderr_of(client);
        self.tell(at, client, Tale::Broken { fault, stderr, alone: true });
        self.guests.remove(&client);
    }

    /// The same for one that is still there, which is to end.
    fn gives_up(&mut self, at: Instant, client: u32, fault: Fault) {
        if self.guests.contains_key(&client) {
            self.breaks(at, client, fault);
            self.closing.insert(client);
            self.request(Method::Close, client, Some(CloseParams { client }));
        }
    }

    fn tell(&mut self, at: Instant, client: u32, tale: Tale) {
        if let Some(guest) = self.guests.get_mut(&client) {
            guest.ear.hear(at, tale);
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
        since(&self.heard, self.forgotten, guest.stderr)
    }

    /// What was not answered in time. `came`: something has come just now, and the answer may be behind it.
    fn overdue(&mut self, now: Instant, came: bool) -> Option<Fault> {
        let limit = self.limit?;
        let (_, late) = self.pending.first_key_value()?;
        if now.saturating_duration_since(late.sent) <= limit {
            self.late_reads = 0;
            return None;
        }
        self.late_reads += 1;
        if came && self.late_reads < MOST_LATE_READS {
            return None;
        }
        let symptom = self.process.symptom(!self.outbox.is_empty());
        Some(Fault::hung(late.method, limit, &symptom))
    }

    fn died(&mut self) -> Fault {
        let when = match (self.guests.is_empty(), self.leaving) {
            (false, _) => "while clients were open",
            (true, true) => "before it answered `bye`",
            (true, false) => "between cases",
        };
        self.process.died_at(when, "within a line")
    }
}

/// What stands in stderr from `start` on; `forgotten` bytes before `heard` are gone.
fn since(heard: &str, forgotten: usize, start: usize) -> String {
    let from = start.saturating_sub(forgotten).min(heard.len());
    heard.get(from..).unwrap_or_default().to_owned()
}

/// What is wrong with a line that cannot be read.
fn unreadable(text: &str, error: &serde_json::Error) -> Fault {
    match serde_json::from_str::<Value>(text) {
        Err(error) => diagnosis(Method::Call, 0, text, Some(&error)),
        Ok(value) if !value.is_object() => Fault::no_message("no JSON object", text.as_bytes(), 0),
        Ok(value) => match value.get("method").and_then(Value::as_str) {
            // Its parameters are its own.
            Some(method) if method != "observe" => no_such_notification(method, text.as_bytes()),
            _ => Fault::wrong_at(told(error), text.as_bytes(), error.column()),
        },
    }
}

fn no_such_notification(method: &str, line: &[u8]) -> Fault {
    Fault::wrong(format_args!("there is no notification `{}`", clip(method, 80)), line)
}
