//! An adapter's process, and lines to it and from it.
//!
//! One thread talks to one process: it writes, and waits for stdout and stderr at once, so that neither
//! side can block the other for ever. Not responsible for what the lines mean.
//!
//! Invariant: no wait without an end, unless no limit was wanted; no buffer without a limit; when a
//! [`Process`] is gone, so is everything that it started.

use crate::command::Command;
use crate::fault::{Fault, FaultId, clip, excerpt};
use crate::guard::{CANNOT_START, GUARD, GUARD_KILLED, NOT_STARTED, symptom, uproot};
use crate::protocol::{LONGEST_LINE, Method};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio, ioctl_fionread};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How much of stderr is kept: the last of it.
const MOST_STDERR: usize = 64 << 10;
/// How many characters of what a guard says are shown.
const MOST_WORDS: usize = 600;
/// How often a wait looks whether the harness was asked to stop.
const LOOK: Duration = Duration::from_millis(100);
/// How long an adapter may take to end after `bye`.
pub const BYE_GRACE: Duration = Duration::from_secs(2);
/// The guard kills within a second; one that does not is killed, after everything below it.
const GUARD_GRACE: Duration = Duration::from_secs(3);

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
    /// So many bytes of it were looked through for the end of a line.
    scanned: usize,
    /// The last of stderr, and whether there was more.
    told: VecDeque<u8>,
    cut: bool,
    /// What the guards said.
    words: Vec<String>,
    scratch: Box<[u8]>,
    /// Wakes whoever waits now and then. A time-out of its own for each wait would set a timer of the
    /// processor each time, which costs about as much as the wait itself.
    tick: OwnedFd,
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
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let tick = timerfd_create(TimerfdClockId::Monotonic, flags);
        let tick = tick.map_err(|error| failed(error.into()))?;
        let look = Timespec::try_from(LOOK).unwrap_or_default();
        let every = Itimerspec { it_interval: look, it_value: look };
        calm(timerfd_settime(&tick, TimerfdTimerFlags::empty(), &every).map(|_| ()))?;
        Ok(Self {
            guard,
            stdin: Some(stdin),
            stdout,
            stderr,
            inbox: Vec::with_capacity(16 << 10),
            taken: 0,
            scanned: 0,
            told: VecDeque::new(),
            cut: false,
            words: Vec::new(),
            scratch: vec![0; 64 << 10].into(),
            tick,
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
            if left.is_some_and(|left| left.is_zero()) && !self.has_news() {
                let symptom = self.symptom(!unsent.is_empty());
                return Err(Fault::hung(method, limit.unwrap_or_default(), &symptom));
            }
            self.wait(!unsent.is_empty(), None);
        }
    }

    /// In real time: writes what it can, then waits until something comes, `wake` is readable, or the tick,
    /// and reads. Gives what is left to be written.
    pub fn pump<'a>(&mut self, line: &'a [u8], wake: BorrowedFd<'_>) -> &'a [u8] {
        let unsent = self.write(line);
        self.wait_for(!unsent.is_empty(), None, Some(wake));
        unsent
    }

    /// In real time: the next whole line that has come, if there is one.
    ///
    /// # Errors
    /// It is longer than any honest one.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, Fault> {
        self.inbox.drain(..self.taken);
        self.scanned = self.scanned.saturating_sub(self.taken);
        self.taken = 0;
        let Some(end) = self.line_end()? else { return Ok(None) };
        self.taken = end + 1;
        let line = &self.inbox[..end];
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// Whether nothing more will come from its stdout.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended[0]
    }

    /// Whether something has come meanwhile: who was not let run must not say that nobody answered.
    fn has_news(&mut self) -> bool {
        let (n, ended) = (self.inbox.len(), self.ended[0]);
        self.wait(false, Some(Duration::ZERO));
        (n, ended) != (self.inbox.len(), self.ended[0])
    }

    /// Drops the line that was given out last. What stands behind it nobody asked for.
    fn forget_taken(&mut self) -> Result<(), Fault> {
        self.inbox.drain(..self.taken);
        self.taken = 0;
        self.scanned = 0;
        self.skip_empty();
        if self.inbox.is_empty() { Ok(()) } else { Err(self.unasked()) }
    }

    fn unasked(&self) -> Fault {
        let line = self.inbox.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let text = format!("an unasked line after the last answer: {}", excerpt(line));
        Fault::new(FaultId::WrongMessage, text)
    }

    fn skip_empty(&mut self) {
        let empty = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let lead = self.inbox.iter().take_while(|byte| empty(byte)).count();
        self.inbox.drain(..lead);
        self.scanned = self.scanned.saturating_sub(lead);
    }

    /// Where the first line ends that is not empty.
    fn line_end(&mut self) -> Result<Option<usize>, Fault> {
        self.skip_empty();
        // Nothing twice: a long line comes in many pieces.
        let fresh = self.inbox[self.scanned..].iter().position(|byte| *byte == b'\n');
        let end = fresh.map(|at| self.scanned + at);
        self.scanned = end.unwrap_or(self.inbox.len());
        match end {
            Some(end) if end <= LONGEST_LINE => Ok(Some(end)),
            None if self.inbox.len() <= LONGEST_LINE => Ok(None),
            _ => Err(Fault::too_long(&self.inbox)),
        }
    }

    /// What can be seen of an adapter that does not answer, as the end of "no answer …".
    pub(crate) fn symptom(&self, writing: bool) -> String {
        if !self.inbox.is_empty() {
            return format!(", but half a line: {}", excerpt(&self.inbox));
        }
        let stdout = self.stdout.as_fd().try_clone_to_owned().map(File::from).ok();
        if let Some(seen) = stdout.and_then(|stdout| symptom(&self.guard, &stdout)) {
            return format!("; {seen}");
        }
        let unread = |stdin: &ChildStdin| ioctl_fionread(stdin).is_ok_and(|bytes| bytes > 0);
        if writing || self.stdin.as_ref().is_some_and(unread) {
            return "; it has not read the request".to_owned();
        }
        String::new()
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
    fn wait(&mut self, writing: bool, longest: Option<Duration>) {
        self.wait_for(writing, longest, None);
    }

    fn wait_for(&mut self, writing: bool, longest: Option<Duration>, wake: Option<BorrowedFd<'_>>) {
        // A stream that has ended is always ready, so it is left out.
        let mut fds: SmallVec<[PollFd<'_>; 5]> = SmallVec::new();
        let wanted = [(0, self.stdout.as_fd()), (1, self.stderr.as_fd())];
        let open = wanted.into_iter().filter(|(at, _)| !self.ended[*at]);
        fds.extend(open.map(|(_, fd)| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        if let Some(stdin) = self.stdin.as_ref().filter(|_| writing) {
            fds.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::OUT));
        }
        fds.extend(wake.map(|wake| PollFd::from_borrowed_fd(wake, PollFlags::IN)));
        if longest.is_none() {
            fds.push(PollFd::new(&self.tick, PollFlags::IN));
        }
        let longest = longest.map(|longest| Timespec::try_from(longest).unwrap_or_default());
        if poll(&mut fds, longest.as_ref()).is_err() {
            // Interrupted by a signal: the caller looks around and comes back.
            return;
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let stdout = !self.ended[0] && ready.next() == Some(true);
        let stderr = !self.ended[1] && ready.next() == Some(true);
        let ticked = ready.next_back() == Some(true);
        drop(fds);
        if ticked && longest.is_none() {
            // How often it has ticked is of no interest.
            let _ = rustix::io::read(&self.tick, &mut [0; 8]);
        }
        if stdout {
            let (n, ended) = read_some(&mut self.stdout, &mut self.scratch);
            self.inbox.extend_from_slice(&self.scratch[..n]);
            self.ended[0] = ended;
        }
        if stderr {
            self.hear();
        }
    }

    /// Reads some of stderr. How much there was.
    fn hear(&mut self) -> usize {
        let (n, ended) = read_some(&mut self.stderr, &mut self.scratch);
        self.told.extend(&self.scratch[..n]);
        self.ended[1] = ended;
        let over = self.told.len().saturating_sub(MOST_STDERR);
        self.told.drain(..over);
        self.cut |= over > 0;
        n
    }

    /// How it died, once its stdout has ended.
    fn died(&mut self, method: Method) -> Fault {
        let method = method.as_str();
        self.died_at(
            &format!("before it answered `{method}`"),
            &format!("within its answer to `{method}`"),
        )
    }

    /// `idle` says when it died, `speaking` the same where it had begun a line.
    pub(crate) fn died_at(&mut self, idle: &str, speaking: &str) -> Fault {
        let status = self.bury(GUARD_GRACE);
        self.sift();
        let said = |words: &mut Vec<String>, head: &str| {
            let at = words.iter().position(|word| word.starts_with(head))?;
            Some(words.swap_remove(at))
        };
        let never = status.is_some_and(|status| status.code() == Some(i32::from(NOT_STARTED)));
        if let Some(why) = never.then(|| said(&mut self.words, CANNOT_START)).flatten() {
            return Fault::new(FaultId::CannotStart, why[CANNOT_START.len()..].to_owned());
        }
        let end = match said(&mut self.words, GUARD_KILLED) {
            // What its end would say is what the guard did then.
            Some(_) => "killed its guard, the process that started it,".to_owned(),
            None => status.map_or_else(|| "ended in an unknown way".to_owned(), in_words),
        };
        let text = if self.inbox.is_empty() {
            format!("it {end} {idle}")
        } else {
            format!("it {end} {speaking}: {}", excerpt(&self.inbox))
        };
        Fault::new(FaultId::Died, text)
    }

    /// Takes what the guards said out of stderr. They speak last, when the adapter has ended.
    fn sift(&mut self) {
        if !self.ended[1] {
            return;
        }
        let all = String::from_utf8_lossy(self.told.make_contiguous()).into_owned();
        let mut rest = String::new();
        for line in all.split_inclusive('\n') {
            if let Some(word) = line.strip_prefix(GUARD) {
                self.words.push(clip(word.trim_end(), MOST_WORDS));
                // Guards begin a new line, whether or not they have to.
                rest.pop();
            } else {
                rest.push_str(line);
            }
        }
        self.told = rest.into_bytes().into();
    }

    /// What it wrote to stderr since this was asked for last: whole lines, while it runs.
    pub fn take_stderr(&mut self) -> String {
        // As much as a pipe may hold, but not for ever.
        for _ in 0..16 {
            if self.ended[1] || self.hear() == 0 {
                break;
            }
        }
        self.sift();
        // A line that is not whole waits for its rest: half of a token is not known for what it is.
        let whole =
            |told: &VecDeque<u8>| told.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let n = if self.ended[1] { self.told.len() } else { whole(&self.told).unwrap_or(0) };
        if n == 0 {
            return String::new();
        }
        let bytes: Vec<u8> = self.told.drain(..n).collect();
        let told = String::from_utf8_lossy(&bytes).into_owned();
        if !std::mem::take(&mut self.cut) {
            return told;
        }
        // Not half a line, which may be half a token.
        let whole = told.split_once('\n').map_or("", |(_, whole)| whole);
        format!("(only the last {} KiB are kept)\n{whole}", MOST_STDERR >> 10)
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
        let stderr = self.take_stderr();
        notes.append(&mut self.words);
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
            self.wait(false, Some(left));
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
            // Stopped by what it guards, or not told that its stdin has ended.
            status = uproot(&mut self.guard);
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

/// Reads what is there: how much, and whether nothing more will come.
fn read_some(from: &mut impl Read, into: &mut [u8]) -> (usize, bool) {
    loop {
        match from.read(into) {
            Ok(n) => return (n, n == 0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (0, error.kind() != io::ErrorKind::WouldBlock),
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
