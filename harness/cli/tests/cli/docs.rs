//! Runs the code blocks of the documentation, each page in an empty folder of its own.
//!
//! A comment before a block says what it is; it is not shown to readers:
//! - none, before `sh`: it is run, and every command of it must end well, or as `# ends with N` behind the
//!   last one says;
//! - `<!-- write: PATH -->`: a file of that folder;
//! - `<!-- prints -->`: what the last commands printed, line by line; `…` stands for anything;
//! - `<!-- shown: WHY -->`: it is not run.
//!
//! Not responsible for prose. Invariant: no block escapes: one without a meaning fails its page.

use assert_cmd::Command;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The pages, from the root of the repository.
const PAGES: [&str; 12] = [
    "README.md",
    "harness/docs/README.md",
    "harness/docs/adapters.md",
    "harness/docs/ci.md",
    "harness/docs/configuration.md",
    "harness/docs/first-run.md",
    "harness/docs/real-time.md",
    "harness/docs/reading-a-report.md",
    "harness/docs/three-ways-in.md",
    "harness/docs/verdicts.md",
    "harness/docs/writing-a-profile.md",
    "harness/docs/writing-a-scenario.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A block of code with what stands before it.
struct Block<'a> {
    line: usize,
    language: &'a str,
    meaning: Option<(&'a str, &'a str)>,
    text: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut meaning = None;
    let mut open: Option<(usize, &str, String)> = None;
    for (at, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((at + 1, language.trim(), String::new())),
            (Some(_), Some(_)) => {
                let Some((line, language, text)) = open.take() else { unreachable!() };
                blocks.push(Block { line, language, meaning: meaning.take(), text });
            }
            (Some((_, _, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {
                let comment = line.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
                if let Some(comment) = comment {
                    let comment = comment.trim();
                    let (what, more) = comment.split_once(':').unwrap_or((comment, ""));
                    meaning = Some((what.trim(), more.trim()));
                } else if !line.trim().is_empty() {
                    meaning = None;
                }
            }
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// The exit code that a block announces behind its last command.
fn announced(text: &str) -> i32 {
    let last = text.trim_end().lines().last().unwrap_or_default();
    last.rsplit_once("# ends with ").map_or(0, |(_, code)| code.trim().parse().unwrap())
}

/// Plays a page; what is wrong with it.
fn play(page: &str) -> Option<String> {
    let folder = TempDir::new().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_stateline")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut printed: Option<String> = None;
    for block in blocks(page) {
        let wrong = |what: &str| Some(format!("line {}: {what}\n{}", block.line, block.text));
        match (block.language, block.meaning) {
            (_, Some(("shown", why))) if !why.is_empty() => {}
            (_, Some(("write", path))) => {
                let path = folder.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, &block.text).unwrap();
            }
            (_, Some(("prints", ""))) => {
                let Some(printed) = &printed else { return wrong("nothing was run before") };
                if let Some(missing) = missing(&block.text, printed) {
                    return wrong(&format!("`{missing}` was not printed, but\n{printed}"));
                }
            }
            ("sh", None) => {
                let mut shell = Command::new("bash");
                shell.args(["-eu", "-o", "pipefail", "-c", &block.text]);
                shell.current_dir(folder.path()).env("PATH", &path).env("NO_COLOR", "1");
                shell.env_remove("CI").env_remove("GITHUB_ACTIONS");
                let output = shell.output().unwrap();
                let text = [&output.stdout[..], &output.stderr[..]].concat();
                let text = String::from_utf8(text).unwrap();
                let code = output.status.code();
                if code != Some(announced(&block.text)) {
                    return wrong(&format!("it ended with {code:?}:\n{text}"));
                }
                printed = Some(text);
            }
            (language, meaning) => {
                return wrong(&format!("a block of `{language}` means nothing as {meaning:?}"));
            }
        }
    }
    None
}

/// The first line of what should have been printed that was not, after those before it.
fn missing<'a>(expected: &'a str, printed: &str) -> Option<&'a str> {
    // Columns are as wide as what stands in them.
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = printed.lines().map(words);
    expected.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "…").find(|line| {
        let line = words(line);
        let parts: Vec<&str> = line.split('…').collect();
        !lines.any(|have| {
            let mut rest = have.as_str();
            let found = parts.iter().all(|part| {
                let part = part.trim();
                let Some(at) = rest.find(part) else { return false };
                rest = &rest[at + part.len()..];
                true
            });
            found && (line.starts_with('…') || have.starts_with(parts[0].trim()))
        })
    })
}

#[test]
fn what_the_pages_say_is_what_happens() {
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let pages: Vec<_> = PAGES
            .iter()
            .map(|page| {
                let text = fs::read_to_string(root().join(page)).unwrap();
                (page, scope.spawn(move || play(&text)))
            })
            .collect();
        for (page, played) in pages {
            wrong.extend(played.join().unwrap().map(|what| format!("{page}, {what}")));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn no_page_escapes() {
    // Pages that define a format; their examples are checked where the format is.
    let formats = ["adapter-faults.md", "configuration.md", "scenarios.md", "table-language.md"];
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("harness/docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !PAGES.contains(&&*format!("harness/docs/{name}")) && !formats.contains(&&*name) {
            found.push(name);
        }
    }
    assert_eq!(found, [""; 0]);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut broken = Vec::new();
    for page in
        PAGES.iter().chain(&["harness/ARCHITECTURE.md", "harness/PROTOCOL.md", "harness/WIRE.md"])
    {
        let path = root().join(page);
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let is_file = !file.is_empty() && !link.contains("://");
            if is_file && !path.parent().unwrap().join(file).exists() {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert_eq!(broken, [""; 0]);
}

#[test]
fn what_is_not_as_it_says_is_found() {
    let page = |text: &str| play(&text.replace('\'', "`"));
    assert_eq!(page("'''sh\ntrue\n'''"), None);
    assert!(page("'''sh\nfalse\n'''").is_some());
    assert_eq!(page("'''sh\nexit 3 # ends with 3\n'''"), None);
    assert!(page("'''yaml\na: b\n'''").is_some());
    let printed = |expected: &str| {
        page(&format!(
            "'''sh\nprintf \"one two three\\nfour\"\n'''\n<!-- prints -->\n'''\n{expected}\n'''"
        ))
    };
    assert_eq!(printed("one…three\nfour"), None);
    assert!(printed("four\none two three").is_some());
    assert!(printed("two").is_some());
}
