//! The adapter that is being checked: its processes, and lines to it and from it.
//!
//! Every answer, whatever it was asked for, is held against the rules that hold for all of them; a breach
//! is kept for the check that tells it, and ends the one in which it came up. Not responsible for what is
//! asked.
//!
//! Invariant: after anything that makes the next line doubtful the process is gone, and the next line
//! goes to a fresh one.

use super::answer::{Came, Id, Misfit, read, request};
use super::finding::{Finding, Halt, Tried};
use super::record::Tape;
use crate::suite::Contract;
use serde_json::{Value, json};
use smol_str::SmolStr;
use stateline_client::adapter::Ledger;
use stateline_client::fault::{Fault, FaultId};
use stateline_client::process::Farewell;
use stateline_client::protocol::Hello;
use stateline_client::{Adapter, Command};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What holds for every answer. Each is told by a check of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// stdout carries messages and nothing else.
    Stdout,
    /// Each request has one answer, which is one.
    Answers,
    /// The outputs of a turn are well-formed, and fit what went before.
    Turns,
    /// `next_us` is a time of the case, and not over.
    Timers,
}

/// The adapter that is being checked.
pub(super) struct Patient<'a> {
    command: Command,
    adapter: Option<Adapter>,
    logs: Option<PathBuf>,
    log: String,
    stderr: String,
    /// Who it said it was.
    pub(super) hello: Hello,
    /// The same, as it came.
    pub(super) said: String,
    /// What its clients are opened for, where there is such a profile here.
    pub(super) contract: Option<&'a Contract>,
    /// The id of that profile.
    pub(super) profile: SmolStr,
    /// The ids of all profiles that are known here.
    pub(super) known: Vec<String>,
    /// The profile that the user asked for.
    pub(super) asked: Option<String>,
    /// What its client did in some cases.
    pub(super) tapes: Vec<Tape>,
    /// What was found at the end of a case: a timer that its `next_us` had not named.
    pub(super) not_idle: Option<Finding>,
    /// What the guard said that it left behind, if anything, once it has ended.
    pub(super) left: Option<Option<String>>,
    requests: u64,
    /// The last number that a client got.
    pub(super) clients: u32,
    /// The clients that are open.
    pub(super) open: BTreeMap<u32, Ledger>,
    /// A client was opened in this process.
    pub(super) served: bool,
    breaches: BTreeMap<Rule, Finding>,
    /// Rules that something was held against.
    pub(super) observed: BTreeSet<Rule>,
    sent: String,
    came: String,
}

impl<'a> Patient<'a> {
    /// Starts an adapter and greets it.
    ///
    /// # Errors
    /// Why there is nothing to check, with what it wrote to stderr.
    pub(super) fn admit(
        command: Command,
        logs: Option<PathBuf>,
    ) -> Result<Self, (Fault, Farewell)> {
        let mut adapter = start(&command)?;
        let log = adapter.take_log();
        let said = log.lines().find_map(|line| line.strip_prefix("← ")).unwrap_or("").to_owned();
        let hello = adapter.hello().clone();
        let profile = hello.profiles.first().cloned().unwrap_or_default();
        Ok(Self {
            command,
            adapter: Some(adapter),
            logs,
            log,
            stderr: String::new(),
            hello,
            said,
            contract: None,
            profile,
            known: Vec::new(),
            asked: None,
            tapes: Vec::new(),
            not_idle: None,
            left: None,
            requests: 1,
            clients: 0,
            open: BTreeMap::new(),
            served: false,
            breaches: BTreeMap::new(),
            observed: BTreeSet::from([Rule::Stdout]),
            sent: String::new(),
            came: String::new(),
        })
    }

    /// Opens clients for this contract from here on.
    pub(super) fn use_contract(&mut self, contract: &'a Contract) {
        self.contract = Some(contract);
        self.profile = contract.profile.id.clone();
    }

    /// How it is started.
    pub(super) const fn command(&self) -> &Command {
        &self.command
    }

    /// Begins a check: what was said before belongs to others. Gives back the messages since the
    /// last one, for a log.
    pub(super) fn turn_page(&mut self) -> (String, String) {
        if let Some(adapter) = &mut self.adapter {
            self.log.push_str(&adapter.take_log());
            self.stderr.push_str(&adapter.take_stderr());
        }
        self.sent.clear();
        self.came.clear();
        (std::mem::take(&mut self.log), std::mem::take(&mut self.stderr))
    }

    /// Where messages are written to.
    pub(super) const fn logs(&self) -> Option<&PathBuf> {
        self.logs.as_ref()
    }

    /// What it wrote to stderr since the check began.
    pub(super) fn stderr(&mut self) -> &str {
        if let Some(adapter) = &mut self.adapter {
            self.stderr.push_str(&adapter.take_stderr());
        }
        &self.stderr
    }

    /// A fault, with the last lines.
    pub(super) fn fault(&self, what: impl Into<String>, help: impl Into<String>) -> Halt {
        Finding::new(what, help).with(&self.sent, &self.came).into()
    }

    /// What was found against a rule; `None` where nothing was there to hold against it.
    pub(super) fn against(&mut self, rule: Rule) -> Option<Tried<()>> {
        match self.breaches.remove(&rule) {
            Some(finding) => Some(Err(finding.into())),
            None => self.observed.contains(&rule).then_some(Ok(())),
        }
    }

    /// Keeps what breaks a rule for the check that tells it.
    pub(super) fn breach(&mut self, rule: Rule, what: impl Into<String>, help: &str) -> Halt {
        let mut finding = Finding::new(what, help).with(&self.sent, &self.came);
        finding.hear(self.stderr());
        self.breaches.entry(rule).or_insert(finding);
        // What comes next may belong to anything.
        self.lose();
        Halt::Elsewhere
    }

    /// Ends the process; the next line goes to a fresh one.
    pub(super) fn lose(&mut self) {
        if let Some(mut adapter) = self.adapter.take() {
            self.log.push_str(&adapter.take_log());
            self.stderr.push_str(&adapter.kill().stderr);
        }
    }

    /// Says goodbye to the process.
    pub(super) fn dismiss(&mut self) -> Tried<Farewell> {
        self.running()?;
        let Some(adapter) = self.adapter.take() else { return Err(Halt::Elsewhere) };
        let farewell = adapter.bye();
        self.stderr.push_str(&farewell.stderr);
        Ok(farewell)
    }

    /// The process, a fresh one if there is none.
    pub(super) fn running(&mut self) -> Tried<&mut Adapter> {
        if self.adapter.is_none() {
            let adapter = start(&self.command).map_err(|(fault, farewell)| {
                let mut finding = Finding::new(
                    format!("it could not be started again: {}", fault.what),
                    "an adapter can be started any number of times, one after the other",
                );
                finding.hear(&farewell.stderr);
                Halt::from(finding)
            })?;
            self.adapter = Some(adapter);
            self.open.clear();
            self.served = false;
            self.requests = 1;
        }
        self.adapter.as_mut().ok_or(Halt::Elsewhere)
    }

    /// Sends bytes as a line, and gives back the line that comes.
    fn exchange(&mut self, line: &[u8]) -> Tried<String> {
        self.sent = String::from_utf8_lossy(line).into_owned();
        self.came.clear();
        self.observed.insert(Rule::Answers);
        match self.running()?.raw(line) {
            Ok(came) => {
                self.came = String::from_utf8_lossy(&came).into_owned();
                match String::from_utf8(came) {
                    Ok(came) => Ok(came),
                    Err(error) => {
                        Err(self.no_message(&format!("no UTF-8 ({})", error.utf8_error())))
                    }
                }
            }
            Err(fault) => Err(self.broken(&fault)),
        }
    }

    /// A line that is no JSON: half an answer, or something that was printed.
    fn no_message(&mut self, why: &str) -> Halt {
        if self.came.trim_start().starts_with('{') {
            let help = "write one JSON object a line, in UTF-8, with a JSON library";
            return self.breach(Rule::Answers, format!("an answer is {why}"), help);
        }
        self.breach(
            Rule::Stdout,
            "it wrote a line to stdout that is no message",
            "print to stderr: stdout carries answers and nothing else, whoever writes there",
        )
    }

    /// What the process itself did wrong.
    fn broken(&mut self, fault: &Fault) -> Halt {
        match fault.id {
            FaultId::WrongMessage => {
                // A line that nothing had asked for.
                if let Some((_, line)) = fault.what.split_once(": ") {
                    line.clone_into(&mut self.came);
                }
                if !self.came.starts_with('{') {
                    return self.no_message("no JSON");
                }
                let help = "answer each request with one line, and write nothing in between";
                self.breach(Rule::Answers, "it wrote a line that nothing had asked for", help)
            }
            FaultId::Flood => {
                let help = "a line is at most 8 MiB long";
                self.breach(Rule::Answers, fault.what.clone(), help)
            }
            FaultId::Hung => {
                let limit = self.command.call_limit.unwrap_or_default();
                let halt = self.fault(
                    format!("no answer within {limit:?}"),
                    "answer every request at once; in lockstep nothing waits for a real clock, \
                     socket or thread",
                );
                self.lose();
                halt
            }
            _ => {
                // What it was asked for is shown below.
                let what = fault.what.split(" before it answered ").next().unwrap_or_default();
                let what = what.split(" within its answer to ").next().unwrap_or_default();
                let halt = self.fault(
                    format!("{what} instead of answering"),
                    "answer with an error (-32603 says that you failed), and go on with the next \
                     line",
                );
                self.lose();
                halt
            }
        }
    }

    /// The number of the next request.
    pub(super) fn number(&mut self) -> Tried<u64> {
        self.running()?;
        self.requests += 1;
        Ok(self.requests)
    }

    /// Sends a line, and reads what comes as an answer with this number.
    pub(super) fn send(&mut self, line: &[u8], id: Id) -> Tried<Came> {
        let text = self.exchange(line)?;
        match read(&text, id) {
            Ok(came) => Ok(came),
            Err(Misfit::NoMessage(why)) => Err(self.no_message(&why)),
            Err(Misfit::Wrong(why, help)) => Err(self.breach(Rule::Answers, why, help)),
        }
    }

    /// Sends a line that has no usual answer: one that does not fit is what the check looks for.
    pub(super) fn provoke(&mut self, line: &[u8], id: Id) -> Tried<Came> {
        let text = self.exchange(line)?;
        match read(&text, id) {
            Ok(came) => Ok(came),
            Err(Misfit::NoMessage(why)) => Err(self.no_message(&why)),
            Err(Misfit::Wrong(why, help)) => Err(self.fault(why, help)),
        }
    }

    /// Asks: what comes is a result or an error.
    pub(super) fn ask(&mut self, method: &str, params: Option<&Value>) -> Tried<Came> {
        let id = self.number()?;
        let line = request(id, method, params);
        self.send(line.as_bytes(), Id::Unread(id))
    }

    /// Asks for a result.
    pub(super) fn demand(&mut self, method: &str, params: Option<&Value>) -> Tried<Value> {
        match self.ask(method, params)? {
            Came::Result(result) => Ok(result),
            Came::Error(code, message) => Err(self.fault(
                format!("`{method}` was answered with error {code}: {message}"),
                "this is a proper request: answer it with a result",
            )),
        }
    }

    /// How long it takes to get an answer to a line, whatever that is.
    pub(super) fn time(&mut self, line: &[u8]) -> Tried<Duration> {
        let adapter = self.running()?;
        let started = Instant::now();
        let came = adapter.raw(line);
        let took = started.elapsed();
        let _ = adapter.take_log();
        came.map(|_| took).map_err(|fault| self.broken(&fault))
    }

    /// Sends something through it and back.
    pub(super) fn echo(&mut self, data: &Value) -> Tried<()> {
        let result = self.demand("echo", Some(&json!({ "data": data })))?;
        self.same_data(&result, data)
    }

    /// Whether the result of an `echo` has these data.
    pub(super) fn same_data(&self, result: &Value, data: &Value) -> Tried<()> {
        if result.get("data") == Some(data) {
            return Ok(());
        }
        let help = "the `data` of the result are those of the request, whatever they are";
        Err(self.fault("`echo` brought back something else", help))
    }

    /// Whether it goes on after the last line.
    pub(super) fn goes_on(&mut self) -> Tried<()> {
        let line = (self.sent.clone(), self.came.clone());
        let result = self.echo(&json!("still there?"));
        (self.sent, self.came) = line;
        result.map_err(|halt| match halt {
            Halt::Fault(_) => self.fault(
                "after this line it did not answer the next request properly",
                "an adapter goes on after an error, as if the line had never come",
            ),
            Halt::Elsewhere => halt,
        })
    }
}

fn start(command: &Command) -> Result<Adapter, (Fault, Farewell)> {
    // Nothing stops it from outside: an interrupt ends this program, and the guard sees that.
    Adapter::start(command, true, Arc::new(AtomicBool::new(false)))
}
