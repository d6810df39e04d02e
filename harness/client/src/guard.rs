//! The guard: a process between the harness and an adapter that leaves nothing behind.
//!
//! It starts the adapter in a process group of its own, with the pipes that it was started with. It is the
//! adapter's sub-reaper: whatever its descendants orphan, in whatever session, becomes its child. When
//! the adapter ends, or when the harness closes the adapter's stdin, which the kernel does for it if it
//! is killed, the guard kills all of them, and ends as the adapter did. Not responsible for messages.
//!
//! Invariant: the guard reads nothing from stdin and writes nothing to stdout: both are the adapter's.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, kill_process,
    kill_process_group, pidfd_open, set_child_subreaper, setrlimit, waitpid,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// How the guard's word begins when the adapter cannot be started.
pub(crate) const CANNOT_START: &str = "stateline guard: cannot start ";
/// How the guard's word begins when the adapter left processes behind.
pub(crate) const LEFT_BEHIND: &str = "stateline guard: ";
/// The exit code when the adapter cannot be started, as a shell's.
const NOT_STARTED: u8 = 126;
/// How long an adapter has after its stdin has ended, and again after SIGTERM.
const GRACE: Duration = Duration::from_millis(150);

/// Runs an adapter until it ends, or until the harness has no more use for it.
#[must_use]
pub fn run(words: &[OsString]) -> ExitCode {
    let Some((program, arguments)) = words.split_first() else {
        complain(CANNOT_START, "nothing: there is no program");
        return ExitCode::from(NOT_STARTED);
    };
    // Without it children of dead children escape; where it fails the process group is all there is.
    let _ = set_child_subreaper(Some(getpid()));
    let spawned = Command::new(program).args(arguments).process_group(0).spawn();
    let child = match spawned {
        Ok(child) => child,
        Err(error) => {
            complain(CANNOT_START, &format!("`{}`: {error}", program.display()));
            return ExitCode::from(NOT_STARTED);
        }
    };
    let Some(adapter) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return ExitCode::from(NOT_STARTED);
    };
    let status = watch(adapter);
    let _ = kill_process_group(adapter, Signal::KILL);
    let left = sweep(adapter);
    if left > 0 {
        let s = if left == 1 { "process" } else { "processes" };
        complain(LEFT_BEHIND, &format!("it left {left} {s} behind, which were killed"));
    }
    status.map_or(ExitCode::from(NOT_STARTED), end_like)
}

/// Waits until the adapter has ended, and makes it end when its stdin has.
fn watch(adapter: Pid) -> Option<WaitStatus> {
    let pidfd = pidfd_open(adapter, PidfdFlags::empty()).ok();
    let stdin = io::stdin();
    // Asked for nothing, the kernel still tells when the writing end is gone.
    wait(&[(pidfd.as_ref(), PollFlags::IN)], Some((&stdin, PollFlags::empty())), None);
    let mut status = reap(adapter);
    for signal in [None, Some(Signal::TERM), Some(Signal::KILL)] {
        if status.is_some() {
            break;
        }
        if let Some(signal) = signal {
            let _ = kill_process_group(adapter, signal);
        }
        wait(&[(pidfd.as_ref(), PollFlags::IN)], None, Some(GRACE));
        status = reap(adapter);
    }
    status
}

/// Waits until one of them is ready.
fn wait(
    processes: &[(Option<&OwnedFd>, PollFlags)],
    stdin: Option<(&io::Stdin, PollFlags)>,
    longest: Option<Duration>,
) {
    let mut fds: Vec<PollFd<'_>> =
        processes.iter().filter_map(|(fd, flags)| fd.map(|fd| PollFd::new(fd, *flags))).collect();
    if let Some((stdin, flags)) = stdin {
        fds.push(PollFd::from_borrowed_fd(stdin.as_fd(), flags));
    }
    let longest = longest.and_then(|longest| Timespec::try_from(longest).ok());
    loop {
        match poll(&mut fds, longest.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            _ => return,
        }
    }
}

fn reap(pid: Pid) -> Option<WaitStatus> {
    waitpid(Some(pid), WaitOptions::NOHANG).ok().flatten().map(|(_, status)| status)
}

/// Kills all descendants until there are none. How many were still alive.
fn sweep(adapter: Pid) -> usize {
    let mut killed = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        // Reap whatever has ended; no child at all means that nothing is left.
        loop {
            match waitpid(None, WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return killed.len(),
            }
        }
        for pid in descendants() {
            if pid != adapter && kill_process(pid, Signal::KILL).is_ok() {
                killed.insert(pid.as_raw_nonzero());
            }
        }
        if Instant::now() > deadline {
            return killed.len();
        }
        wait(&[], None, Some(Duration::from_millis(1)));
    }
}

/// All living descendants of this process.
fn descendants() -> Vec<Pid> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // `pid (name) state ppid …`; the name may hold anything, brackets too.
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        let mut rest = rest.split(' ');
        let (state, parent) = (rest.next(), rest.next().and_then(|parent| parent.parse().ok()));
        if let (Some(state), Some(parent)) = (state, parent)
            && state != "Z"
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut all = Vec::new();
    let mut ask = vec![getpid().as_raw_nonzero().get()];
    while let Some(parent) = ask.pop() {
        for &child in children.get(&parent).into_iter().flatten() {
            all.extend(Pid::from_raw(child));
            ask.push(child);
        }
    }
    all
}

/// Ends as the adapter did: with its exit code, or by its signal.
fn end_like(status: WaitStatus) -> ExitCode {
    if let Some(code) = status.exit_status() {
        return ExitCode::from(u8::try_from(code).unwrap_or(NOT_STARTED));
    }
    let signal = status.terminating_signal().unwrap_or(9);
    if let Some(signal) = Signal::from_named_raw(signal) {
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        let _ = kill_process(getpid(), signal);
    }
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(NOT_STARTED))
}

fn complain(head: &str, text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "{head}{text}");
}
