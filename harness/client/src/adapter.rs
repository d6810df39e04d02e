//! An adapter: a process that speaks the control protocol, in lockstep.
//!
//! Not responsible for worlds or cases. Checks all that an adapter says before anybody acts on it.
//!
//! Invariant: one request at a time, its answer before the next; after a [`Fault`] the adapter is of no
//! further use.

use crate::command::Command;
use crate::fault::{Fault, FaultId, clip};
use crate::process::{Farewell, Process};
use crate::protocol::{
    Answer, CloseParams, Echo, Hello, HelloParams, Idle, Inputs, LARGEST, Method, Nothing,
    OpenParams, Opened, Request, TimeMode, TurnParams, VERSIONS, WRONG_VERSION,
};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use stateline_core::time::Micros;
use stateline_core::turn::{Input, Observation, Open, Output, Turn};
use stateline_core::value::Fields;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// A timer later than this after now was set on another clock.
const FARTHEST: Micros = Micros::from_secs(366 * 24 * 60 * 60);
/// More dials in one turn than this are a loop without a pause.
const MOST_DIALS: usize = 1_000;
/// How much of the messages of a case is kept for a log.
const MOST_LOG: usize = 16 << 20;
/// More than this in one case is a flood, though each of its lines may be honest.
const MOST_CASE: usize = 64 << 20;
/// How many characters of an adapter's own words are shown.
pub(crate) const MOST_WORDS: usize = 400;
/// How many characters its name may have, and its version.
const MOST_NAME: usize = 80;

/// A process that speaks the control protocol.
#[derive(Debug)]
pub struct Adapter {
    process: Process,
    hello: Hello,
    call_limit: Option<Duration>,
    stop: Arc<AtomicBool>,
    requests: u64,
    opened: u32,
    open: BTreeMap<u32, Ledger>,
    /// Bytes that came since no client was open.
    received: usize,
    line: Vec<u8>,
    log: Option<String>,
}

/// What a client has done that later answers must fit.
#[derive(Debug, Default)]
pub struct Ledger {
    /// For each call whether it has completed.
    calls: Vec<bool>,
    dialled: BTreeSet<u32>,
}

impl Adapter {
    /// Starts an adapter and greets it. With `log`, its messages are kept for [`Self::take_log`].
    ///
    /// # Errors
    /// It cannot be started, or does not greet properly. What it wrote to stderr comes along.
    pub fn start(
        command: &Command,
        log: bool,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, (Fault, Farewell)> {
        let process = Process::start(command).map_err(|fault| (fault, Farewell::default()))?;
        let hello = Hello {
            version: 0,
            client: crate::protocol::Named::default(),
            profiles: Vec::new(),
            time: Vec::new(),
            clients: 1,
            reuse: false,
            capabilities: Vec::new(),
            unsupported: Vec::new(),
        };
        let mut adapter = Self {
            process,
            hello,
            call_limit: command.start_limit,
            stop,
            requests: 0,
            opened: 0,
            open: BTreeMap::new(),
            received: 0,
            line: Vec::with_capacity(1 << 10),
            log: log.then(String::new),
        };
        match adapter.greet() {
            Ok(hello) => {
                adapter.hello = hello;
                adapter.call_limit = command.call_limit;
                Ok(adapter)
            }
            Err(fault) => Err((fault, adapter.kill())),
        }
    }

    fn greet(&mut self) -> Result<Hello, Fault> {
        let spoken = || VERSIONS.map(|version| version.to_string()).join(", ");
        let mut hello: Hello = match self.ask(Method::Hello, Some(HelloParams::default()))? {
            Ok(hello) => hello,
            Err((WRONG_VERSION, message)) => {
                let message = clip(&message, MOST_WORDS);
                let text = format!("it speaks none of the versions {}: {message}", spoken());
                return Err(Fault::new(FaultId::WrongVersion, text));
            }
            Err((code, message)) => return Err(refused(Method::Hello, code, &message)),
        };
        if !VERSIONS.contains(&hello.version) {
            let text = format!("it chose version {}; spoken here is {}", hello.version, spoken());
            return Err(Fault::new(FaultId::WrongVersion, text));
        }
        let wrong = [
            (hello.profiles.is_empty(), "`profiles` is empty"),
            (hello.time.is_empty(), "`time` is empty"),
            (hello.clients == 0, "`clients` is 0"),
        ];
        match wrong.into_iter().find(|(wrong, _)| *wrong) {
            Some((_, why)) => {
                Err(Fault::new(FaultId::WrongMessage, format!("in the answer to `hello`: {why}")))
            }
            None => {
                hello.client.name = clip(&hello.client.name, MOST_NAME);
                hello.client.version = clip(&hello.client.version, MOST_NAME);
                Ok(hello)
            }
        }
    }

    /// What it said when it was greeted.
    #[must_use]
    pub const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Its process, for a life in real time. What it said before is known.
    pub(crate) fn into_process(self) -> (Process, Hello) {
        (self.process, self.hello)
    }

    /// Opens a client: its number, or why it cannot be made as asked.
    ///
    /// # Errors
    /// The adapter's fault.
    pub fn open(
        &mut self,
        profile: &str,
        variant: Option<&str>,
        open: &Open,
    ) -> Result<Result<u32, String>, Fault> {
        if self.open.is_empty() {
            self.received = 0;
        }
        self.opened += 1;
        let client = self.opened;
        let params = OpenParams {
            client,
            profile,
            variant,
            uid: &open.uid,
            time: TimeMode::Lockstep,
            epoch_ms: open.epoch_ms,
            seed: open.seed % LARGEST,
            parameters: &Fields::new(),
            endpoint: None,
        };
        let opened: Opened = self.demand(Method::Open, Some(params))?;
        Ok(match opened.unsupported {
            Some(why) => Err(clip(&why, MOST_WORDS)),
            None => {
                self.open.insert(client, Ledger::default());
                Ok(client)
            }
        })
    }

    /// Gives a client its turn.
    ///
    /// # Errors
    /// The adapter's fault.
    pub fn turn(&mut self, client: u32, now: Micros, input: &[Input]) -> Result<Turn, Fault> {
        if let Some(ledger) = self.open.get_mut(&client) {
            ledger.called(input.iter().filter(|input| matches!(input, Input::Call { .. })).count());
        }
        let params = TurnParams { client, now_us: now.0, input: Inputs(input) };
        let place = |fault: Fault| fault.with(format_args!("at {now}"));
        let idle: Idle = self.demand(Method::Turn, Some(params)).map_err(place)?;
        let turn = Turn::from(idle);
        match self.open.get_mut(&client) {
            Some(ledger) => ledger.check(now, &turn).map(|()| turn),
            None => Ok(turn),
        }
        .map_err(|why| place(Fault::new(FaultId::WrongTurn, why)))
    }

    /// Throws a client away. After the last one makes sure that the adapter is still there and has
    /// nothing more to say, so that what it does wrong then is not taken for the next case's.
    ///
    /// # Errors
    /// The adapter's fault.
    pub fn close(&mut self, client: u32) -> Result<(), Fault> {
        self.open.remove(&client);
        let Nothing {} = self.demand(Method::Close, Some(CloseParams { client }))?;
        if self.open.is_empty() {
            // Any answer will do, an error too.
            self.ask::<_, IgnoredAny>(Method::Echo, Some(Echo { data: "closed" }))
                .map_err(|fault| fault.with("after `close`"))?
                .ok();
        }
        Ok(())
    }

    /// Says goodbye, and waits until the process has ended.
    #[must_use]
    pub fn bye(mut self) -> Farewell {
        match self.demand(Method::Bye, None::<()>) {
            Ok(Nothing {}) => self.process.farewell(),
            Err(fault) => {
                let mut farewell = self.process.kill();
                if fault.id != FaultId::Interrupted {
                    farewell.notes.insert(0, fault.to_string());
                }
                farewell
            }
        }
    }

    /// Kills the process with everything that it started.
    #[must_use]
    pub fn kill(self) -> Farewell {
        self.process.kill()
    }

    /// What it wrote to stderr since this was asked for last.
    pub fn take_stderr(&mut self) -> String {
        self.process.take_stderr()
    }

    /// The messages since this was asked for last: `→ ` is what was sent, `← ` what came back.
    pub fn take_log(&mut self) -> String {
        self.log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Sends any line and gives back the line that came, unread.
    ///
    /// # Errors
    /// The adapter's fault.
    pub fn raw(&mut self, line: &[u8]) -> Result<Vec<u8>, Fault> {
        self.line.clear();
        self.line.extend_from_slice(line);
        self.line.push(b'\n');
        self.exchange(Method::Turn).map(<[u8]>::to_vec)
    }

    /// Asks, and takes an error for a fault.
    fn demand<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: Method,
        params: Option<P>,
    ) -> Result<R, Fault> {
        self.ask(method, params)?.map_err(|(code, message)| refused(method, code, &message))
    }

    /// Asks: the result, or code and message of an error.
    fn ask<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: Method,
        params: Option<P>,
    ) -> Result<Result<R, (i64, String)>, Fault> {
        let id = self.requests;
        self.requests += 1;
        self.line.clear();
        serde_json::to_writer(&mut self.line, &Request::new(id, method, params))
            .map_err(|error| Fault::new(FaultId::WrongMessage, error.to_string()))?;
        self.line.push(b'\n');
        let line = self.exchange(method)?;
        read(method, id, line)
    }

    fn exchange(&mut self, method: Method) -> Result<&[u8], Fault> {
        let Self { process, line, call_limit, stop, log, received, .. } = self;
        if let Some(log) = log {
            note(log, MOST_LOG, "→ ", line);
        }
        let came = process.exchange(method, line, *call_limit, stop)?;
        if let Some(log) = log {
            note(log, MOST_LOG, "← ", came);
        }
        *received += came.len();
        if *received > MOST_CASE {
            let text = format!("more than {} MiB of answers in one case", MOST_CASE >> 20);
            return Err(Fault::new(FaultId::Flood, text));
        }
        Ok(came)
    }
}

impl Ledger {
    /// The application made so many calls more.
    pub fn called(&mut self, n: usize) {
        self.calls.resize(self.calls.len() + n, false);
    }

    /// Whether an answer fits what was done before.
    ///
    /// # Errors
    /// What does not fit, in words.
    pub fn check(&mut self, now: Micros, turn: &Turn) -> Result<(), String> {
        if let Some(next) = turn.next {
            if next < now {
                return Err(format!("its next timer is due at {next}, which is over"));
            }
            if next > now + FARTHEST {
                let years = next.0 / FARTHEST.0;
                return Err(format!(
                    "its next timer is due in {years} years: `next_us` counts from the start of the case, not from 1970"
                ));
            }
        }
        let dials =
            turn.output.iter().filter(|output| matches!(output, Output::Dial { .. })).count();
        if dials > MOST_DIALS {
            return Err(format!("it dials {dials} connections at once"));
        }
        for output in &turn.output {
            match output {
                Output::Dial { conn } => {
                    if !self.dialled.insert(*conn) {
                        return Err(format!(
                            "it dials connection {conn} a second time; each dial has a new number"
                        ));
                    }
                }
                Output::Send { conn, .. } if !self.dialled.contains(conn) => {
                    return Err(format!("it sends on connection {conn}, which it never dialled"));
                }
                Output::Close { conn } if !self.dialled.contains(conn) => {
                    return Err(format!("it closes connection {conn}, which it never dialled"));
                }
                Output::Send { .. } | Output::Close { .. } => {}
                Output::Observe(
                    Observation::Result { call, .. } | Observation::Unsupported { call },
                ) => {
                    let Some(done) = self.calls.get_mut(*call as usize) else {
                        return Err(format!(
                            "it completes call {call}, which was never made; so far there were {}, counted from 0",
                            self.calls.len()
                        ));
                    };
                    let lacking =
                        matches!(output, Output::Observe(Observation::Unsupported { .. }));
                    if std::mem::replace(done, true) && lacking {
                        return Err(format!(
                            "it says that call {call} is unsupported, which has completed before"
                        ));
                    }
                }
                Output::Observe(_) => {}
            }
        }
        Ok(())
    }
}

pub(crate) fn refused(method: Method, code: i64, message: &str) -> Fault {
    let message = clip(message, MOST_WORDS);
    let text = format!("`{}` was answered with error {code}: {message}", method.as_str());
    Fault::new(FaultId::Refused, text)
}

/// Reads an answer.
fn read<R: DeserializeOwned>(
    method: Method,
    id: u64,
    line: &[u8],
) -> Result<Result<R, (i64, String)>, Fault> {
    let text = text_of(line)?;
    let why = match serde_json::from_str::<Answer<R>>(text) {
        // Also a list of the right length would be taken for an answer.
        Ok(answer)
            if answer.jsonrpc == "2.0"
                && answer.id == Some(id)
                && answer.method.is_none()
                && text.trim_start().starts_with('{') =>
        {
            match (answer.result, answer.error) {
                (Some(result), None) => return Ok(Ok(result)),
                (None, Some(error)) => return Ok(Err((error.code, error.message))),
                _ => None,
            }
        }
        Ok(_) => None,
        Err(error) => Some(error),
    };
    Err(diagnosis(method, id, text, why.as_ref()))
}

/// What is wrong with a line that is no answer. Slow, and only once in the life of a process.
pub(crate) fn diagnosis(
    method: Method,
    id: u64,
    text: &str,
    why: Option<&serde_json::Error>,
) -> Fault {
    let line = text.as_bytes();
    let answer = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(answer)) => answer,
        Ok(_) => return Fault::no_message("no JSON object", line, 0),
        Err(error) => {
            let (why, at) = (told(&error), error.column());
            return Fault::no_message(format_args!("no JSON ({why} at byte {at})"), line, at);
        }
    };
    let method = method.as_str();
    if let Some(came) = answer.get("method") {
        let came = clip(&came.to_string(), MOST_NAME);
        let text = format!(
            "instead of the answer to `{method}` came method {came}; in lockstep an adapter only answers"
        );
        return Fault::wrong(text, line);
    }
    let unlike = |key: &str, wanted: &Value| match answer.get(key) {
        Some(got) if got == wanted => None,
        Some(got) => Some(format!(
            "its `{key}` is {} instead of {wanted}",
            clip(&got.to_string(), MOST_NAME)
        )),
        None => Some(format!("it has no `{key}`, which is {wanted}")),
    };
    let place = format!("in the answer to `{method}`");
    let both = match (answer.get("result"), answer.get("error")) {
        (Some(_), Some(error)) if !error.is_null() => Some("it has both result and error"),
        (None, None) => Some("it has neither result nor error"),
        _ => None,
    };
    let what = unlike("jsonrpc", &"2.0".into())
        .or_else(|| unlike("id", &id.into()))
        .or_else(|| both.map(str::to_owned));
    match (what, why) {
        (Some(what), _) => Fault::wrong(format_args!("{place}: {what}"), line),
        (None, Some(error)) => {
            Fault::wrong_at(format_args!("{place}: {}", told(error)), line, error.column())
        }
        // Of what else can be read, only this is no answer.
        (None, None) => {
            let what = "its result is null; with nothing to say it is {}";
            Fault::wrong(format_args!("{place}: {what}"), line)
        }
    }
}

/// What the reader of JSON says, in words that whoever wrote the adapter knows.
pub(crate) fn told(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let mut words = words.split(" at line 1 column ").next().unwrap_or_default().to_owned();
    for (jargon, plain) in [
        ("missing field", "missing key"),
        ("duplicate field", "twice the key"),
        ("unknown variant", "there is no"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected u64", "expected a whole number from 0 on"),
        ("expected i64", "expected a whole number"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected an object"),
    ] {
        words = words.replace(jargon, plain);
    }
    if let Some((before, _)) = words.split_once("expected struct ") {
        words = format!("{before}expected an object");
    }
    clip(&words, MOST_WORDS)
}

/// The text of a line.
pub(crate) fn text_of(line: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(line).map_err(|error| {
        let at = error.valid_up_to();
        Fault::no_message(format_args!("no UTF-8 from byte {} on", at + 1), line, at)
    })
}

/// Adds a line to a log, unless it has grown to `most` bytes.
pub(crate) fn note(log: &mut String, most: usize, mark: &str, line: &[u8]) {
    if log.len() < most {
        log.push_str(mark);
        log.push_str(String::from_utf8_lossy(line).trim_end());
        log.push('\n');
    }
}
