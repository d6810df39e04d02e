//! Checks of the end: at `bye`, and when stdin ends.
//!
//! The guard makes an adapter end when its stdin has, so whether it would by itself is seen from a
//! process in between, which ends the adapter's stdin and keeps its own. Not responsible for the guard.
//!
//! Invariant: whatever is started here runs under a guard, too.

use super::finding::{Finding, Halt, Outcome, Tried};
use super::patient::Patient;
use serde_json::json;
use stateline_client::process::{BYE_GRACE, Process};
use stateline_client::protocol::Method;
use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// The line at which the adapter's stdin ends: no JSON, so no message.
const HANG_UP: &[u8] = b"hang up\n";
/// How the answer to it begins.
const ANSWER: &str = "hung up: ";
/// How often it is looked whether the adapter has ended.
const LOOK: Duration = Duration::from_millis(5);
/// How the guard says that something was left behind.
const LEFT: &str = "it left ";

/// `bye` is answered, and the process ends.
pub(super) fn bye(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let client = patient.fresh()?;
    patient.turn(client, 0, &[])?;
    patient.close(client)?;
    let farewell = patient.dismiss()?;
    let (left, wrong): (Vec<String>, Vec<String>) =
        farewell.notes.into_iter().partition(|note| note.starts_with(LEFT));
    patient.left = Some(left.into_iter().next());
    match wrong.into_iter().next() {
        None => Ok(Outcome::well()),
        Some(what) => {
            let help = "answer `bye` with `{}`, flush stdout, and end with exit code 0 within 2 s";
            Err(Finding::new(what, help).into())
        }
    }
}

/// It leaves no process behind.
pub(super) fn left_behind(patient: &mut Patient<'_>) -> Tried<Outcome> {
    match patient.left.take() {
        None => Err(Halt::Elsewhere),
        Some(None) => Ok(Outcome::well()),
        Some(Some(what)) => {
            let help = "end the processes that you start before you end";
            Err(Finding::new(what, help).into())
        }
    }
}

/// It ends when its stdin does.
pub(super) fn stdin_ends(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let failed = |what: String| {
        let help = "end when stdin does: stateline may be gone without a `bye`";
        Finding::new(what, help)
    };
    let mut command = patient.command().clone();
    let Some(own) = command.guard.first().and_then(|own| own.to_str()) else {
        return Ok(Outcome::NotClaimed);
    };
    let mut words: Vec<String> = [own, "__hang-up", "--"].map(str::to_owned).into();
    words.append(&mut command.words);
    command.words = words;
    let never = AtomicBool::new(false);
    let mut process = Process::start(&command).map_err(|fault| failed(fault.what))?;
    let hello = super::answer::request(
        0,
        "hello",
        Some(&json!({ "versions": [1], "harness": { "name": "stateline", "version": "" } })),
    );
    let hello = format!("{hello}\n");
    process
        .exchange(Method::Hello, hello.as_bytes(), command.start_limit, &never)
        .map_err(|fault| failed(fault.what))?;
    // Longer than it may take: the process in between answers.
    let limit = Some(2 * BYE_GRACE + Duration::from_secs(5));
    let came = process
        .exchange(Method::Bye, HANG_UP, limit, &never)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .map_err(|fault| failed(fault.what))?;
    let _ = process.kill();
    match came.strip_prefix(ANSWER) {
        Some("") => Ok(Outcome::well()),
        Some(how) => Err(failed(how.to_owned()).into()),
        None => Err(failed("it wrote something more".to_owned()).with("", &came).into()),
    }
}

/// Runs an adapter, hands it its lines, and ends its stdin when it is told to.
pub(crate) fn hang_up(words: &[OsString]) -> ExitCode {
    match relay(words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn relay(words: &[OsString]) -> std::io::Result<()> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let mut adapter = Command::new(program).args(arguments).stdin(Stdio::piped()).spawn()?;
    let Some(mut to_adapter) = adapter.stdin.take() else { return Ok(()) };
    let mut from_harness = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        if from_harness.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line == HANG_UP {
            break;
        }
        to_adapter.write_all(&line)?;
        to_adapter.flush()?;
    }
    drop(to_adapter);
    let how = ending(&mut adapter)?;
    // Not through a buffer that somebody else shares.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{ANSWER}{how}")?;
    stdout.flush()?;
    // Until the guard ends all of this.
    while from_harness.read_until(b'\n', &mut line)? > 0 {}
    Ok(())
}

/// How a process whose stdin has ended comes to its end; nothing where that is as it should be.
fn ending(adapter: &mut Child) -> std::io::Result<String> {
    let begun = Instant::now();
    loop {
        if let Some(status) = adapter.try_wait()? {
            return Ok(if status.success() {
                String::new()
            } else {
                format!("when its stdin ended, it ended with {status}")
            });
        }
        if begun.elapsed() > BYE_GRACE {
            return Ok(format!("it did not end within {BYE_GRACE:?} after its stdin had ended"));
        }
        std::thread::sleep(LOOK);
    }
}
