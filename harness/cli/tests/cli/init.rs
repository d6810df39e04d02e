//! `stateline init`: what it writes runs at once, and nothing is overwritten.
//!
//! Not responsible for the kit.
//!
//! Invariant: what the skeleton, its README and the page about adapters show is what happens, also in a
//! folder with a space and a quote in its name.

use crate::program::{Run, code, json, stateline, stderr, stdout};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const FILES: [&str; 4] = ["adapter.py", "demo_sdk.py", "stateline_adapter.py", "README.md"];
const PAGE: &str = include_str!("../../../docs/adapters.md");
const KIT: &str = include_str!("../../../../fixtures/clients/python/stateline_adapter.py");

/// A skeleton in a folder of its own, and what was said.
struct Skeleton {
    folder: TempDir,
    said: String,
}

impl Skeleton {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let dir = folder.path().join("it's mine");
        let output = stateline(["init", "python", dir.to_str().unwrap()]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        Self { said: stdout(&output), folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("it's mine").join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// The adapter's command line.
    fn command(&self) -> String {
        format!("python3 -S \"{}\"", self.file("adapter.py").display())
    }
}

#[test]
fn it_says_what_it_wrote_and_what_is_next() {
    let skeleton = Skeleton::new();
    for name in FILES {
        assert!(skeleton.file(name).is_file(), "{name}");
        assert!(skeleton.said.contains(skeleton.file(name).to_str().unwrap()), "{name}");
    }
    assert_eq!(skeleton.text("stateline_adapter.py"), KIT);
    let (_, next) = skeleton.said.split_once("next\n").unwrap();
    let next: Vec<&str> = next.lines().map(str::trim).collect();
    assert_eq!(next.len(), 2, "{next:?}");
    assert!(next[0].starts_with("stateline doctor "), "{next:?}");
    assert!(next[1].starts_with("stateline run login/accepted --client "), "{next:?}");
    // They are commands of a shell, and stand in the README.
    let readme = skeleton.text("README.md");
    assert!(next.iter().all(|command| readme.contains(command)), "{readme}");
    let bin = Path::new(env!("CARGO_BIN_EXE_stateline")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    for command in next {
        let ran = Command::new("sh")
            .args(["-c", command])
            .env("PATH", format!("{}:{path}", bin.display()))
            .current_dir(skeleton.folder.path())
            .output()
            .unwrap();
        assert_eq!(code(&ran), 0, "{command}: {}{}", stdout(&ran), stderr(&ran));
    }
}

#[test]
fn the_skeleton_has_five_places_in_order() {
    let skeleton = Skeleton::new();
    let text = skeleton.text("adapter.py");
    let marks: Vec<&str> =
        text.match_indices("FILL IN ").map(|(at, _)| &text[at..at + 11]).collect();
    let expected: Vec<String> = (1..=5).map(|n| format!("FILL IN {n}/5")).collect();
    assert_eq!(marks, expected);
    for name in FILES {
        let text = skeleton.text(name);
        assert!(!text.contains('@') || name.ends_with(".py"), "{name} has a hole");
        assert!(name == "adapter.py" || name == "README.md" || !text.contains("FILL IN"), "{name}");
    }
    for name in FILES.iter().filter(|name| name.ends_with(".py")) {
        let compiled = Command::new("python3")
            .args(["-m", "py_compile", skeleton.file(name).to_str().unwrap()])
            .output()
            .unwrap();
        assert!(compiled.status.success(), "{name}: {}", stderr(&compiled));
    }
}

#[test]
fn the_readme_lists_the_words_of_the_profile() {
    let readme = Skeleton::new().text("README.md");
    for words in [
        "| call | `loginByToken` | `token`, `uid` |",
        "`CONNECTION_STATE_ABORTED`",
        "onTokenExpired",
    ] {
        assert!(readme.contains(words), "{words}");
    }
}

#[test]
fn the_skeleton_has_nothing_for_the_doctor() {
    let skeleton = Skeleton::new();
    let output = stateline(["doctor", &skeleton.command(), "--format", "json"]);
    let report = json(&output);
    let checks = report["checks"].as_array().unwrap();
    let bad: Vec<&Value> = checks.iter().filter(|check| check["status"] != "ok").collect();
    assert!(bad.is_empty() && report["skipped"] == serde_json::json!([]), "{bad:#?}");
    assert_eq!(code(&output), 0);
}

#[test]
fn the_skeleton_passes_and_fails() {
    let skeleton = Skeleton::new();
    let command = skeleton.command();
    let run = |case: &str| Run::of(&[case, "--client", &command]);
    assert_eq!(run("login/accepted").code(), 0);
    let failed = run("network-drop/reported*");
    assert_eq!(failed.code(), 1);
    assert!(stdout(&failed.output).contains("RTM-CONN-02"), "{}", stdout(&failed.output));
    // What it lacks is left out.
    let all = run("profile:agora-rtm-1x").record();
    assert_eq!(all["totals"]["error"], 0, "{}", all["totals"]);
    assert!(all["totals"]["not_applicable"].as_u64().unwrap() > 0, "{}", all["totals"]);
}

#[test]
fn nothing_is_overwritten() {
    for name in FILES {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(name), "mine").unwrap();
        let output = stateline(["init", "python", folder.path().to_str().unwrap()]);
        assert_eq!(code(&output), 2, "{name}");
        assert_eq!(stdout(&output), "");
        assert!(stderr(&output).contains(name), "{}", stderr(&output));
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{name}");
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), "mine");
    }
}

#[test]
fn what_there_is_not_is_told_with_what_there_is() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("new");
    let path = dir.to_str().unwrap();
    for (args, words) in [
        (&["init", "cobol", path][..], "python"),
        (&["init", "python", path, "--profile", "agora"], "`agora-rtm-1x`"),
        (&["init", "python"], "DIR"),
    ] {
        let output = stateline(args.iter().copied());
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
        assert!(!dir.exists());
    }
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let output = stateline(["init", "python", file.join("in").to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("cannot write"), "{}", stderr(&output));
}

/// The lines of the session on the page that begin with a mark.
fn session(mark: &str) -> Vec<&'static str> {
    PAGE.lines().filter_map(|line| line.strip_prefix(mark)?.strip_prefix(' ')).collect()
}

#[test]
fn the_session_on_the_page_is_that_of_the_skeleton() {
    let (requests, answers) = (session("→"), session("←"));
    assert!(requests.len() == answers.len() && requests.len() > 6);
    let skeleton = Skeleton::new();
    let mut adapter = Command::new("python3")
        .arg("-S")
        .arg(skeleton.file("adapter.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = adapter.stdin.take().unwrap();
    stdin.write_all(format!("{}\n", requests.join("\n")).as_bytes()).unwrap();
    drop(stdin);
    let output = adapter.wait_with_output().unwrap();
    assert_eq!(code(&output), 0);
    let came = stdout(&output);
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let came: Vec<Value> = came.lines().map(read).collect();
    assert_eq!(came, answers.into_iter().map(read).collect::<Vec<_>>());
}
