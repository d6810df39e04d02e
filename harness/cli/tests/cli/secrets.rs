//! No token that the harness has minted is in anything that it writes.
//!
//! Not responsible for the words that stand there instead. `fixtures/clients/hostile/echo.py` repeats its
//! tokens wherever it can say anything, as they are and encoded, and says which tokens it was given.
//!
//! Invariant: every file and every output of a run is searched, and the search has found something before.

use crate::adapters::python;
use crate::hostile_live::suite;
use crate::program::{code, read, stateline, stderr};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// In which ways a case may tell its tokens; each is to be seen.
const WAYS: [&str; 8] =
    ["closes", "dies", "error", "frames", "noise", "says", "unsupported", "wrong"];

/// What the harness may have written, to be searched.
struct Written {
    folder: TempDir,
    texts: Vec<(String, String)>,
}

impl Written {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), texts: Vec::new() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn add(&mut self, name: &str, output: &Output) {
        for (what, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            let text = String::from_utf8_lossy(bytes).into_owned();
            self.texts.push((format!("{what} of {name}"), text));
        }
    }

    fn add_files(&mut self, folder: &Path) {
        for path in files(folder) {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            self.texts.push((path.display().to_string(), text));
        }
    }

    /// The tokens and ways that the adapter has written down, each once.
    fn told(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let told = fs::read_to_string(self.path("tokens")).unwrap();
        let (ways, tokens) =
            told.lines().map(str::to_owned).partition(|line| line.starts_with("way "));
        (tokens, ways)
    }

    /// Every place where a token stands, or the better part of it.
    fn leaks(&self, tokens: &BTreeSet<String>) -> Vec<String> {
        let mut leaks = Vec::new();
        for token in tokens {
            for form in forms(token) {
                for (name, text) in &self.texts {
                    if let Some(at) = text.find(&form) {
                        let near = text[at..].chars().take(60).collect::<String>();
                        leaks.push(format!("{form} in {name}: {near}"));
                    }
                }
            }
        }
        leaks
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A token, its two ends, and what it is in other words.
fn forms(token: &str) -> Vec<String> {
    let mut forms = vec![token.to_owned(), token.replace('.', "%2E")];
    forms.extend(["\\u002e", "\\\\u002e", "\\\\\\\\u002e"].map(|dot| token.replace('.', dot)));
    if token.starts_with("lab1.") {
        // The rest of a token whose beginning was cut off, and the beginning without the rest.
        forms.push(token[token.len() - 9..].to_owned());
        forms.push(token[..token.len() - 9].to_owned());
        for before in ["", "x", "xx"] {
            let word = STANDARD.encode(format!("{before}{token}"));
            // Without the letters in which its neighbours have a say.
            forms.push(word[4..word.len() - 4].to_owned());
        }
    }
    forms
}

fn trace_of(case: &Value) -> String {
    case["trace"].to_string()
}

/// Runs it with all that can be asked for, and looks for its tokens.
fn keeps_secrets(flag: &str, args: &[&str], repeat: &str) {
    let mut written = Written::new();
    let (out, logs, tokens) = (written.path("out"), written.path("logs"), written.path("tokens"));
    fs::create_dir(&logs).unwrap();
    let client = python("hostile/echo.py", flag);
    let known = format!("ECHO_TOKENS={tokens}");
    let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let compiled = format!("PYTHONPYCACHEPREFIX={}", compiled.display());
    let adapter = ["--env", &known, "--env", &compiled, "--log-dir", &logs];
    let run = ["run", "--client", &client, "--out", &out];
    let output = stateline([&run[..], &adapter, args, &["--repeat", repeat]].concat());
    assert!([1, 3].contains(&code(&output)), "{}", stderr(&output));
    written.add("run", &output);
    for format in ["html", "junit", "markdown", "github", "gitlab", "csv", "text"] {
        written.add(format, &stateline(["report", &out, "--format", format]));
    }
    let record = read(Path::new(&out).join("run.json").as_path());
    let cases = record["cases"].as_array().unwrap().iter();
    // A repetition can be played again only after those before it.
    let telling = cases.filter(|case| case["repeat"] == 0 && trace_of(case).contains("<token "));
    let telling: Vec<&str> = telling.map(|case| case["id"].as_str().unwrap()).collect();
    for id in telling.iter().take(3) {
        let drawn = stateline(["report", &out, "--format", "mermaid", "--case", id]);
        written.add("mermaid", &drawn);
    }
    let aside = written.path("debug");
    let live = ["run", "--client", &client, "--out", &aside, "--debug", telling[0]];
    written.add("debug", &stateline([&live[..], &adapter, args].concat()));
    written.add_files(Path::new(&out));
    written.add_files(Path::new(&logs));
    written.add_files(Path::new(&aside));
    let (tokens, ways) = written.told();
    assert_eq!(ways, WAYS.iter().map(|way| format!("way {way}")).collect::<BTreeSet<_>>());
    assert!(tokens.len() > 3, "{tokens:?}");
    let leaks = written.leaks(&tokens);
    let shown: Vec<&String> = leaks.iter().take(20).collect();
    assert!(leaks.is_empty(), "{} leaks: {shown:#?}", leaks.len());
    // Something was there to be masked, and the search finds what is there.
    let masked = |text: &str| text.contains("<token ") || text.contains("&lt;token ");
    for name in ["run.json", "junit.xml", "adapter-", "stdout of debug"] {
        let all = written.texts.iter().filter(|(text, _)| text.contains(name));
        assert!(all.clone().any(|(_, text)| masked(text)), "nothing was masked in {name}");
    }
    for form in forms(tokens.last().unwrap()) {
        written.texts.push(("here".to_owned(), format!("({form})")));
        assert!(!written.leaks(&tokens).is_empty(), "{form}");
        written.texts.pop();
    }
}

#[test]
fn in_virtual_time() {
    keeps_secrets("", &["logout/*", "token/*", "--no-expect"], "1");
}

#[test]
fn in_real_time() {
    let suite = suite();
    let suite = suite.path().to_str().unwrap();
    let args = ["--time", "real", "--suite", suite, "--max-length", "9s", "--retries", "0"];
    keeps_secrets("--real", &args, "5");
}

#[test]
fn the_doctor_keeps_them_too() {
    let mut written = Written::new();
    let client = python("hostile/echo.py", "");
    let (known, logs) = (format!("ECHO_TOKENS={}", written.path("tokens")), written.path("logs"));
    fs::create_dir(&logs).unwrap();
    for format in ["text", "json"] {
        let args = ["doctor", &client, "--format", format, "--env", &known, "--log-dir", &logs];
        let output = stateline(args);
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        written.add(format, &output);
    }
    written.add_files(Path::new(&logs));
    let (tokens, _) = written.told();
    assert!(!tokens.is_empty());
    assert_eq!(written.leaks(&tokens), [""; 0]);
    assert!(written.texts.iter().any(|(_, text)| text.contains("<token ")));
}
