//! An adapter's process, and lines to it and from it.
//!
//! One thread talks to one process: it writes, and waits for stdout and stderr at once, so that neither
//! side can block the other for ever. Not responsible for what the lines mean.
//!
//! Invariant: no wait without an end, unless no limit was wanted; no buffer without a limit; when a
//! [`Process`] is gone, so is everything that it started.

use crate::command::Command;
use crate::fault::{Fault, FaultId, excerpt};
use crate::guard::{CANNOT_START, LEFT_BEHIND};
use crate::protocol::{LONGEST_LINE, Method};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How much of stderr is kept: the last of it.
const MOST_STDERR: usize = 64 << 10;
/// How often a wait looks whether the harness was asked to stop.
const LOOK: Duration = Duration::from_millis(100);
/// How long an adapter may take to end after `bye`.
pub const BYE_GRACE: Duration = Duration::from_secs(2);
/// The guard kills within a second; one that does not is killed itself.
const GUARD_GRACE: Duration = Duration::from_secs(5);

/// A running adapter.
#[derive(Debug)]
pub struct Process {
    guard: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stderr: ChildStderr,
    /// What came from stdout. `taken` bytes of it were given out as the last line.
    inbox: Vec<u8>,
    taken: usize,
    told: VecDeque<u8>,
    /// Ends of stdout and stderr were seen.
    ended: [bool; 2],
    gone: bool,
}

/// How a process ended, where that is worth a word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Farewell {
    /// What it did not do properly.
    pub notes: Vec<String>,
    /// What it wrote to stderr since this was asked for last.
    pub stderr: String,
}

impl Process {
    /// Starts an adapter under its guard.
    ///
    /// # Errors
    /// When the guard cannot be started. That the adapter cannot shows at the first exchange.
    pub fn start(command: &Command) -> Result<Self, Fault> {
        let failed = |error: io::Error| {
            Fault::new(FaultId::CannotStart, format!("the guard cannot be started: {error}"))
        };
        let (program, first) = command
            .guard
            .split_first()
            .ok_or_else(|| Fault::new(FaultId::CannotStart, "there is no guard".to_owned()))?;
        let mut guard = std::process::Command::new(program);
        guard
            .args(first)
            .args(&command.words)
            .env("STATELINE_PROTOCOL", "1")
            .envs(command.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C at the terminal is the harness's business.
            .process_group(0);
        if let Some(logs) = &command.logs {
            guard.env("STATELINE_LOG_DIR", logs);
        }
        if let Some(folder) = &command.folder {
            guard.current_dir(folder);
        }
        let mut guard = guard.spawn().map_err(failed)?;
        let pipes = (guard.stdin.take(), guard.stdout.take(), guard.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        let calm = |result: Result<(), Errno>| result.map_err(|error| failed(error.into()));
        calm(ioctl_fionbio(&stdin, true))?;
        calm(ioctl_fionbio(&stdout, true))?;
        calm(ioctl_fionbio(&stderr, true))?;
        Ok(Self {
            guard,
            stdin: Some(stdin),
            stdout,
            stderr,
            inbox: Vec::with_capacity(16 << 10),
            taken: 0,
            told: VecDeque::new(),
            ended: [false; 2],
            gone: false,
        })
    }

    /// Sends a line, which ends with a newline, and waits for the next line that comes back.
    ///
    /// # Errors
    /// The adapter ended, did not answer within the limit, wrote what is no line, or had written
    /// something before it was asked.
    pub fn exchange(
        &mut self,
        method: Method,
        line: &[u8],
        limit: Option<Duration>,
        stop: &AtomicBool,
    ) -> Result<&[u8], Fault> {
        self.forget_taken()?;
        let deadline = limit.map(|limit| Instant::now() + limit);
        let mut unsent = line;
        loop {
            unsent = self.write(unsent);
            if let Some(end) = self.line_end()? {
                self.taken = end + 1;
                let line = &self.inbox[..end];
                return Ok(line.strip_suffix(b"\r").unwrap_or(line));
            }
            if self.ended[0] {
                return Err(self.died(method));
            }
            if stop.load(Ordering::Relaxed) {
                return Err(Fault::new(FaultId::Interrupted, "the run was interrupted"));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Fault::hung(method, limit.unwrap_or_default()));
            }
            self.wait(!unsent.is_empty(), left.map_or(LOOK, |left| left.min(LOOK)));
        }
    }

    /// Drops the line that was given out last. What stands behind it nobody asked for.
    fn forget_taken(&mut self) -> Result<(), Fault> {
        self.inbox.drain(..self.taken);
        self.taken = 0;
        self.skip_empty();
        if self.inbox.is_empty() { Ok(()) } else { Err(self.unasked()) }
    }

    fn unasked(&self) -> Fault {
        let line = self.inbox.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let text = format!("a line that nothing had asked for: {}", excerpt(line));
        Fault::new(FaultId::WrongMessage, text)
    }

    fn skip_empty(&mut self) {
        let empty = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let lead = self.inbox.iter().take_while(|byte| empty(byte)).count();
        self.inbox.drain(..lead);
    }

    /// Where the first line ends that is not empty.
    fn line_end(&mut self) -> Result<Option<usize>, Fault> {
        self.skip_empty();
        match self.inbox.iter().position(|byte| *byte == b'\n') {
            Some(end) if end <= LONGEST_LINE => Ok(Some(end)),
            None if self.inbox.len() <= LONGEST_LINE => Ok(None),
            _ => Err(Fault::too_long()),
        }
    }

    /// Writes as much as fits. A closed pipe is found by reading.
    fn write<'a>(&mut self, mut line: &'a [u8]) -> &'a [u8] {
        let Some(stdin) = &mut self.stdin else { return &[] };
        while !line.is_empty() {
            match stdin.write(line) {
                Ok(n) => line = &line[n..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return &[],
            }
        }
        line
    }

    /// Waits until something can be read, or written, and reads it.
    fn wait(&mut self, writing: bool, longest: Duration) {
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(3);
        let mut who = Vec::with_capacity(3);
        if !self.ended[0] {
            fds.push(PollFd::new(&self.stdout, PollFlags::IN));
            who.push(0);
        }
        if !self.ended[1] {
            fds.push(PollFd::new(&self.stderr, PollFlags::IN));
            who.push(1);
        }
        if let Some(stdin) = self.stdin.as_ref().filter(|_| writing) {
            fds.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::OUT));
            who.push(2);
        }
        let longest = Timespec::try_from(longest).unwrap_or_default();
        if poll(&mut fds, Some(&longest)).is_err() {
            // Interrupted by a signal: the caller looks around and comes back.
            return;
        }
        let ready: Vec<usize> = fds
            .iter()
            .zip(who)
            .filter(|(fd, _)| !fd.revents().is_empty())
            .map(|(_, who)| who)
            .collect();
        if ready.contains(&0) {
            self.ended[0] = read_some(&mut self.stdout, &mut self.inbox);
        }
        if ready.contains(&1) {
            let mut fresh = Vec::new();
            self.ended[1] = read_some(&mut self.stderr, &mut fresh);
            self.told.extend(fresh);
            let over = self.told.len().saturating_sub(MOST_STDERR);
            self.told.drain(..over);
        }
    }

    /// How it died, once its stdout has ended.
    fn died(&mut self, method: Method) -> Fault {
        let status = self.bury(GUARD_GRACE);
        let told = String::from_utf8_lossy(self.told.make_contiguous()).into_owned();
        if let Some(why) = told.lines().find_map(|line| line.strip_prefix(CANNOT_START)) {
            return Fault::new(FaultId::CannotStart, why.to_owned());
        }
        let status = status.map_or_else(|| "in an unknown way".to_owned(), in_words);
        let method = method.as_str();
        if self.inbox.is_empty() {
            Fault::new(FaultId::Died, format!("it {status} before it answered `{method}`"))
        } else {
            let half = excerpt(&self.inbox);
            let text = format!("it {status} within its answer to `{method}`: {half}");
            Fault::new(FaultId::Died, text)
        }
    }

    /// What it wrote to stderr since this was asked for last.
    pub fn take_stderr(&mut self) -> String {
        if !self.ended[1] {
            self.wait(false, Duration::ZERO);
        }
        let bytes: Vec<u8> = self.told.drain(..).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// After `bye`: waits until it has ended.
    #[must_use]
    pub fn farewell(mut self) -> Farewell {
        let mut notes = Vec::new();
        if self.forget_taken().is_err() {
            notes.push(self.unasked().what);
        }
        match self.wait_for_end(BYE_GRACE) {
            Some(status) if status.success() => {}
            Some(status) => notes.push(format!("after `bye` it {}", in_words(status))),
            None => {
                notes.push(format!("it did not end within {BYE_GRACE:?} after `bye`"));
                self.bury(GUARD_GRACE);
            }
        }
        self.gone = true;
        self.leave(notes)
    }

    /// Kills it with everything that it started.
    #[must_use]
    pub fn kill(mut self) -> Farewell {
        self.bury(GUARD_GRACE);
        self.leave(Vec::new())
    }

    fn leave(&mut self, mut notes: Vec<String>) -> Farewell {
        let all = self.take_stderr();
        let mut stderr = String::new();
        for line in all.split_inclusive('\n') {
            match line.strip_prefix(LEFT_BEHIND) {
                Some(note) => notes.push(note.trim_end().to_owned()),
                None => stderr.push_str(line),
            }
        }
        Farewell { notes, stderr }
    }

    /// Waits until both its outputs have ended, which they do when the guard has.
    fn wait_for_end(&mut self, longest: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + longest;
        while self.ended != [true; 2] {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.wait(false, left);
            // Nobody reads it any more.
            self.inbox.clear();
        }
        self.guard.wait().ok()
    }

    /// Closes its stdin, which makes the guard kill what is left.
    fn bury(&mut self, longest: Duration) -> Option<ExitStatus> {
        self.stdin = None;
        let half = std::mem::take(&mut self.inbox);
        let mut status = self.wait_for_end(longest);
        self.inbox = half;
        if status.is_none() {
            // The guard itself does not answer: stopped, or killed by what it guards.
            let _ = self.guard.kill();
            status = self.guard.wait().ok();
        }
        self.gone = true;
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.gone {
            self.bury(GUARD_GRACE);
        }
    }
}

/// Reads what is there. True: there will be nothing more.
fn read_some(from: &mut impl Read, into: &mut Vec<u8>) -> bool {
    let old = into.len();
    into.resize(old + (16 << 10), 0);
    loop {
        match from.read(&mut into[old..]) {
            Ok(n) => {
                into.truncate(old + n);
                return n == 0;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                into.truncate(old);
                return error.kind() != io::ErrorKind::WouldBlock;
            }
        }
    }
}

/// A status as the end of "it …".
fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        // The signal's name stands in brackets in what std makes of it.
        (None, _) => format!("was killed by {}", status.to_string().replace(" (core dumped)", "")),
    }
}
