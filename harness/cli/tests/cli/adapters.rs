//! Runs with adapters from `fixtures/clients`, in folders of their own, and what they leave behind.
//!
//! Not responsible for what is expected of a run.
//!
//! Invariant: nothing here waits by the clock alone: a FIFO that an adapter and all its descendants hold
//! open tells when the last of them is gone, and deadlines only end a test that has failed already.

use crate::program::read;
use assert_cmd::Command;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;
use tempfile::TempDir;

/// Longer than anything here takes on the slowest machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// The folder of the adapters.
fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/clients").canonicalize().unwrap()
}

/// The command line of a Python adapter in that folder. It needs nothing that is installed beside Python,
/// and starts twice as fast without looking for it.
pub(crate) fn python(script: &str, arguments: &str) -> String {
    format!("python3 -S '{}' {arguments}", clients().join(script).display())
}

/// The command line of the independent client for real time.
pub(crate) fn python_for_real_time(arguments: &str) -> String {
    let script = clients().join("python/agora_rtm_1x.py");
    format!("'{}' '{}' {arguments}", live_python(), script.display())
}

/// The command line of a script that imports the kit and the independent client, from the folder that is
/// its argument.
pub(crate) fn with_python_for_real_time(script: &Path) -> String {
    format!("'{}' '{}' '{}'", live_python(), script.display(), clients().join("python").display())
}

/// A Python with the library that real time needs. `.ci/test` installs it into `target/venv`; where the
/// system's Python has it, that will do.
fn live_python() -> &'static str {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let own = clients().join("../../target/venv/bin/python");
        [own.display().to_string(), "python3".to_owned()].into_iter().find(|python| {
            let mut command = process::Command::new(python);
            let import = command.args(["-c", "import websockets.asyncio.client"]);
            import.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        })
    });
    let found = found.as_deref();
    found.expect("these tests need the Python library `websockets`: `bash .ci/test` installs it")
}

/// What a Python adapter prints when it is called like this.
pub(crate) fn printed(script: &str, argument: &str) -> String {
    need_python();
    let mut command = process::Command::new("python3");
    let output = command.arg(clients().join(script)).arg(argument).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Says so at once where Python is missing, rather than in the words of whatever fails then.
fn need_python() {
    static FOUND: OnceLock<bool> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let test = "import sys; sys.exit(sys.version_info < (3, 9))";
        let mut command = process::Command::new("python3");
        command.args(["-S", "-c", test]).status().is_ok_and(|status| status.success())
    });
    assert!(found, "these tests need `python3`, in version 3.9 or newer");
}

/// Sends a signal to a process, by the shell's means.
pub(crate) fn signal(script: &str, pid: u32) -> process::Command {
    let mut command = process::Command::new("sh");
    command.args(["-c", script, "sh", &pid.to_string()]);
    command
}

/// Interrupts a run until it is gone, because two signals at once are one: its exit code.
pub(crate) fn interrupted_until_gone(run: &mut Child) -> Option<i32> {
    let mut signals = signal("while kill -INT $1 2>&-; do :; done", run.id()).spawn().unwrap();
    let code = run.wait().unwrap().code();
    assert!(signals.wait().is_ok_and(|status| status.success()));
    code
}

/// Where a run takes place.
pub(crate) struct Site {
    folder: TempDir,
    /// Keeps the FIFO from ending before the adapter has opened it.
    keeper: File,
    said: Receiver<u8>,
}

impl Site {
    pub(crate) fn new() -> Self {
        need_python();
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        let fifo = folder.path().join("fifo");
        let made = process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success(), "mkfifo failed");
        // Opened for both, because opening one end waits for the other.
        let keeper = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
        let mut reader = File::open(&fifo).unwrap();
        let (say, said) = channel();
        std::thread::spawn(move || {
            let mut byte = [0];
            while reader.read(&mut byte).is_ok_and(|n| n > 0) && say.send(byte[0]).is_ok() {}
        });
        Self { folder, keeper, said }
    }

    /// The folder in which the program and the adapter run.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// `run.json`, if there is one.
    pub(crate) fn record(&self) -> Option<Value> {
        let path = self.folder.path().join("out/run.json");
        path.is_file().then(|| read(&path))
    }

    fn arguments(&self, client: &str, more: &[&str]) -> Vec<String> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        // Python compiles its files once for all runs, and into no folder of the sources.
        let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
        let own = [
            "run",
            "--client",
            client,
            "--out",
            &path("out"),
            "--env",
            &format!("HOSTILE_ONCE={}", path("once")),
            "--env",
            &format!("HOSTILE_PIPE={}", path("fifo")),
            "--env",
            &format!("PYTHONPYCACHEPREFIX={}", compiled.display()),
            "--env",
            "PYTHONDONTWRITEBYTECODE=",
            "--jobs",
            "1",
        ];
        own.into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, client: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stateline"));
        command.current_dir(self.work()).args(self.arguments(client, more));
        command.timeout(DEADLINE).output().unwrap()
    }

    /// Starts the program.
    pub(crate) fn start(&self, client: &str, more: &[&str]) -> Child {
        let mut command = process::Command::new(env!("CARGO_BIN_EXE_stateline"));
        command.current_dir(self.work()).args(self.arguments(client, more));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Waits until an adapter says this.
    pub(crate) fn wait_for(&self, what: u8) {
        while self.said.recv_timeout(DEADLINE).expect("the adapter says something") != what {}
    }

    /// Waits until every process that held the FIFO is dead, and says which files there are: in the
    /// folder of the run, and in that of the results.
    pub(crate) fn left_behind(self) -> (Vec<String>, Vec<String>) {
        let Self { folder, keeper, said } = self;
        drop(keeper);
        loop {
            match said.recv_timeout(DEADLINE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("a process was left behind"),
            }
        }
        (names(&folder.path().join("work")), names(&folder.path().join("out")))
    }
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) verdict: String,
    pub(crate) reason: String,
    pub(crate) digest: String,
}

/// How the cases of a record ended, with their ids, in the record's order.
pub(crate) fn endings(record: &Value) -> Vec<(String, Ending)> {
    let text = |case: &Value, key: &str| case[key].as_str().unwrap_or_default().to_owned();
    let cases = record["cases"].as_array().unwrap().iter();
    cases
        .map(|case| {
            let verdict = text(case, "verdict");
            let (reason, digest) = (text(case, "reason"), text(case, "digest"));
            (text(case, "id"), Ending { verdict, reason, digest })
        })
        .collect()
}
