//! The guard: processes between the harness and an adapter that leave nothing behind.
//!
//! There are two, one below the other, so that an adapter that kills its parent gains nothing. The
//! inner one starts the adapter in a process group of its own, with the pipes that it was started with.
//! Both are sub-reapers: whatever descendants orphan, in whatever session, becomes a child of a guard.
//! When the adapter ends, when the harness closes the adapter's stdin, which the kernel does for it if
//! it is killed, or when the process above is gone, a guard kills all that is below it, and ends as the
//! adapter did. Not responsible for messages, nor for an adapter that hunts down every process above it.
//!
//! Invariant: the guards read nothing from stdin and write nothing to stdout: both are the adapter's.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, getppid,
    kill_process, kill_process_group, pidfd_open, set_child_subreaper, setrlimit, wait, waitpid,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

/// How each word of a guard begins, on stderr.
pub(crate) const GUARD: &str = "stateline guard: ";
/// What follows when the adapter cannot be started.
pub(crate) const CANNOT_START: &str = "cannot start ";
/// What follows when the inner guard was killed.
pub(crate) const GUARD_KILLED: &str = "it killed its guard";
/// The exit code when the adapter cannot be started, as a shell's.
pub(crate) const NOT_STARTED: u8 = 126;
/// How long an adapter has after its stdin has ended, and again after SIGTERM.
const GRACE: Duration = Duration::from_millis(150);
/// How long the inner guard has for all of that.
const INNER_GRACE: Duration = Duration::from_secs(1);
/// How long it is tried to kill what is left.
const SWEEP: Duration = Duration::from_secs(3);

/// Runs an adapter until it ends, or until the harness has no more use for it.
#[must_use]
pub fn run(words: &[OsString]) -> ExitCode {
    // Without it children of dead children escape; where it fails the process group is all there is.
    let _ = set_child_subreaper(Some(getpid()));
    let parent = getppid().and_then(|parent| pidfd_open(parent, PidfdFlags::empty()).ok());
    match words.split_first() {
        None => {
            complain("cannot start nothing: there is no program");
            ExitCode::from(NOT_STARTED)
        }
        // No program has an empty name: it marks the words of the inner guard.
        Some((first, words)) if first.is_empty() => inner(words, parent.as_ref()),
        Some(_) => outer(words, parent.as_ref()),
    }
}

/// Runs the inner guard, and kills what is left should that one be killed.
fn outer(words: &[OsString], parent: Option<&OwnedFd>) -> ExitCode {
    let own: Vec<OsString> = std::env::args_os().collect();
    let Some((program, first)) = own.strip_suffix(words).and_then(|own| own.split_first()) else {
        return inner(words, parent);
    };
    let mut command = Command::new("/proc/self/exe");
    command.arg0(program).args(first).arg("").args(words).process_group(0);
    let Ok(Some(guard)) = command.spawn().map(|child| pid_of(&child)) else {
        return inner(words, parent);
    };
    // The inner guard does the same, and needs some time for it.
    let last = watch(guard, parent, &[(None, INNER_GRACE), (Some(Signal::KILL), GRACE)]);
    let left = sweep(guard);
    if let Last::Ended(status) = last
        && status.signaled()
        && left > 0
    {
        // It leaves nobody alive when it ends by itself.
        complain(GUARD_KILLED);
    }
    last.status().map_or_else(|| ExitCode::from(NOT_STARTED), end_like)
}

/// Runs the adapter.
fn inner(words: &[OsString], parent: Option<&OwnedFd>) -> ExitCode {
    let Some((program, arguments)) = words.split_first() else {
        complain("cannot start nothing: there is no program");
        return ExitCode::from(NOT_STARTED);
    };
    let adapter = match Command::new(program).args(arguments).process_group(0).spawn() {
        Ok(child) => pid_of(&child),
        Err(error) => {
            let why = why(program, &error);
            complain(&format!("{CANNOT_START}`{}`: {why}", program.display()));
            return ExitCode::from(NOT_STARTED);
        }
    };
    let Some(adapter) = adapter else {
        return ExitCode::from(NOT_STARTED);
    };
    let steps = [(None, GRACE), (Some(Signal::TERM), GRACE), (Some(Signal::KILL), GRACE)];
    let last = watch(adapter, parent, &steps);
    match (sweep(adapter), last) {
        // Who is made to end has no time to tidy up.
        (0, _) | (_, Last::Made(_)) => {}
        (1, _) => complain("it left 1 process behind, which was killed"),
        (left, _) => complain(&format!("it left {left} processes behind, which were killed")),
    }
    last.status().map_or_else(|| ExitCode::from(NOT_STARTED), end_like)
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Why a program cannot be started, and what to do.
fn why(program: &OsStr, error: &io::Error) -> String {
    // A name without a slash is looked for in PATH.
    let is_path = program.as_encoded_bytes().contains(&b'/');
    let file = Path::new(program);
    match error.kind() {
        io::ErrorKind::NotFound if is_path && file.exists() => {
            let first = File::open(file).and_then(|file| {
                let mut line = Vec::new();
                BufReader::new(file.take(128)).read_until(b'\n', &mut line).map(|_| line)
            });
            match first.unwrap_or_default().strip_prefix(b"#!") {
                Some(first) => {
                    let first = String::from_utf8_lossy(first);
                    format!("the interpreter `{}` in its first line does not exist", first.trim())
                }
                None => "it, or the loader that it names, does not exist".to_owned(),
            }
        }
        io::ErrorKind::NotFound if is_path => {
            "there is no such file; a relative path begins in the folder of --cwd, or in this one"
                .to_owned()
        }
        io::ErrorKind::NotFound => "there is no such program in PATH".to_owned(),
        io::ErrorKind::PermissionDenied if file.is_dir() => "it is a folder".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "it may not be executed; `chmod +x` it, or name its interpreter before it".to_owned()
        }
        _ if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => {
            "it is no program; a script begins with a line such as `#!/usr/bin/env python3`"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

/// How a child came to its end.
#[derive(Clone, Copy)]
enum Last {
    /// By itself.
    Ended(WaitStatus),
    /// Because nobody has any use for it; without a status where it outlived even SIGKILL.
    Made(Option<WaitStatus>),
}

impl Last {
    const fn status(self) -> Option<WaitStatus> {
        match self {
            Self::Ended(status) => Some(status),
            Self::Made(status) => status,
        }
    }
}

/// Waits until a child has ended. When stdin has, or the process above, takes the steps that make the
/// child end, one after the other: a signal to its group, and how long it may take then.
fn watch(child: Pid, parent: Option<&OwnedFd>, steps: &[(Option<Signal>, Duration)]) -> Last {
    let pidfd = pidfd_open(child, PidfdFlags::empty()).ok();
    let stdin = io::stdin();
    let mut fds: Vec<PollFd<'_>> = Vec::new();
    fds.extend(pidfd.iter().chain(parent).map(|process| PollFd::new(process, PollFlags::IN)));
    // Asked for nothing, the kernel still tells when the writing end is gone.
    fds.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::empty()));
    wait_for(&mut fds, None);
    let ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
    let others = &fds[pidfd.iter().count()..];
    if parent.is_some() && others.first().is_some_and(ready) {
        // If it was the harness that is gone, nobody reads this.
        complain(GUARD_KILLED);
    }
    // Whoever ends because its stdin has does not end by itself.
    let asked = others.iter().any(ready);
    match reap(child) {
        Some(status) if !asked => return Last::Ended(status),
        Some(status) => return Last::Made(Some(status)),
        None => {}
    }
    for (signal, grace) in steps {
        if let Some(signal) = signal {
            let _ = kill_process_group(child, *signal);
        }
        let mut fds: Vec<PollFd<'_>> =
            pidfd.iter().map(|process| PollFd::new(process, PollFlags::IN)).collect();
        wait_for(&mut fds, Some(*grace));
        if let Some(status) = reap(child) {
            return Last::Made(Some(status));
        }
    }
    Last::Made(None)
}

/// Waits until one of them is ready.
fn wait_for(fds: &mut [PollFd<'_>], longest: Option<Duration>) {
    let longest = longest.and_then(|longest| Timespec::try_from(longest).ok());
    while let Err(Errno::INTR) = poll(fds, longest.as_ref()) {}
}

fn reap(pid: Pid) -> Option<WaitStatus> {
    waitpid(Some(pid), WaitOptions::NOHANG).ok().flatten().map(|(_, status)| status)
}

/// Kills all descendants until there are none. How many were still alive.
fn sweep(child: Pid) -> usize {
    let mut killed = BTreeSet::new();
    let deadline = Instant::now() + SWEEP;
    loop {
        // Reap whatever has ended; no child at all means that nothing is left.
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return killed.len(),
            }
        }
        for Descendant { pid, .. } in descendants(getpid()) {
            if pid != child && kill_process(pid, Signal::KILL).is_ok() {
                killed.insert(pid.as_raw_nonzero());
            }
        }
        // At one blow, so that those which multiply cannot outrun it.
        let _ = kill_process_group(child, Signal::KILL);
        if Instant::now() > deadline {
            return killed.len();
        }
        wait_for(&mut [], Some(Duration::from_millis(1)));
    }
}

/// Kills a guard that does not answer, after everything below it: dead, it would reap no more.
pub(crate) fn uproot(guard: &mut Child) -> Option<ExitStatus> {
    if let Some(pid) = pid_of(guard) {
        // It would take the death of the inner guard for the adapter's doing.
        let _ = kill_process(pid, Signal::STOP);
        let deadline = Instant::now() + SWEEP;
        loop {
            let below = descendants(pid);
            if below.is_empty() || Instant::now() > deadline {
                break;
            }
            for Descendant { pid, .. } in below {
                let _ = kill_process(pid, Signal::KILL);
            }
            wait_for(&mut [], Some(Duration::from_millis(1)));
        }
    }
    let _ = guard.kill();
    guard.wait().ok()
}

/// What can be seen of an adapter that does not answer.
pub(crate) fn symptom(guard: &Child, stdout: &File) -> Option<&'static str> {
    let guard = pid_of(guard)?;
    let exe = |pid: Pid| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let guards = exe(guard);
    let mut below = descendants(guard);
    below.retain(|process| exe(process.pid) != guards);
    if below.iter().any(|process| process.stopped) {
        return Some("it is stopped, as by SIGSTOP");
    }
    let pipe = stdout.metadata().ok()?.ino();
    let holds = |process: &Descendant| {
        let fds = fs::read_dir(format!("/proc/{}/fd", process.pid)).ok()?;
        Some(fds.flatten().any(|fd| fs::metadata(fd.path()).is_ok_and(|fd| fd.ino() == pipe)))
    };
    // Whoever may not be looked at may hold it.
    let closed = !below.is_empty() && !below.iter().any(|process| holds(process).unwrap_or(true));
    closed.then_some("it has closed its stdout")
}

/// A living process below another one.
struct Descendant {
    pid: Pid,
    stopped: bool,
}

/// All living descendants of a process.
fn descendants(of: Pid) -> Vec<Descendant> {
    let mut children: BTreeMap<i32, Vec<Descendant>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // `pid (name) state ppid …`; the name may hold anything, brackets too.
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        let fields: Vec<&str> = rest.split(' ').collect();
        let (Some(state), Some(parent), Some(threads)) =
            (fields.first(), fields.get(1), fields.get(17))
        else {
            continue;
        };
        // One that ended only its main thread looks dead as well.
        let dead = matches!(*state, "Z" | "X") && matches!(*threads, "0" | "1");
        if let Some(parent) = parent.parse().ok().filter(|_| !dead) {
            children.entry(parent).or_default().push(Descendant { pid, stopped: *state == "T" });
        }
    }
    let mut all: Vec<Descendant> = Vec::new();
    let mut ask = vec![of];
    while let Some(parent) = ask.pop() {
        let below = children.remove(&parent.as_raw_nonzero().get()).unwrap_or_default();
        ask.extend(below.iter().map(|process| process.pid));
        all.extend(below);
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
        // The runtime catches the first SIGSEGV or SIGBUS, and returns to what would cause it again.
        for _ in 0..2 {
            let _ = kill_process(getpid(), signal);
        }
    }
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(NOT_STARTED))
}

fn complain(text: &str) {
    // On a line of its own, whatever the adapter wrote last. Nobody may be there to read it.
    let _ = io::stderr().write_all(format!("\n{GUARD}{text}\n").as_bytes());
}
