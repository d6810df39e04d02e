//! Holds what a tool can hold of the house style, over all files of the repository.
//!
//! Not responsible for what clippy and rustfmt hold, nor for whether a text is true.
//!
//! Invariant: only files that git tracks are looked at, so that nobody's scratch file fails; an
//! exported tree without git is looked at as a whole.

use stateline_authoring::{ProfileFiles, Source, load_profile, load_scenario};
use stateline_core::profile::requirement::TestedBy;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The most lines of a source file.
const MOST_LINES: usize = 800;

/// What may stand at the top of the repository, names with a leading dot apart.
const TOP: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "fixtures",
    "harness",
    "reports",
    "scenarios",
];

/// What no source says. The words are cut in two, because this file is a source as well.
const UNFINISHED: [&str; 4] = [
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
    concat!("#[ign", "ore"),
    concat!("allow(dead_", "code"),
];

/// Folders of somebody's machine.
const MACHINE: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// A file by its path from the top, with `/`.
struct Tracked {
    path: String,
    /// What it holds, where that is text.
    text: Option<String>,
}

impl Tracked {
    fn is(&self, ending: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|have| have == ending)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All files of the repository.
fn tracked() -> Vec<Tracked> {
    let root = root();
    let git = Command::new("git")
        // A checkout that another user owns is as good as one's own for reading names.
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(&root)
        .output();
    let mut paths: Vec<String> = match git {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout)
            .expect("paths are UTF-8")
            .split_terminator('\0')
            .map(str::to_owned)
            .collect(),
        _ => walk(&root, ""),
    };
    // What was removed and not yet committed is gone.
    paths.retain(|path| root.join(path).is_file());
    assert!(paths.len() > 100, "only {} files found", paths.len());
    let read = |path: String| {
        let bytes = std::fs::read(root.join(&path)).expect("a tracked file is readable");
        Tracked { path, text: String::from_utf8(bytes).ok() }
    };
    paths.into_iter().map(read).collect()
}

/// The files of a tree without git: everything but what builds and runs leave behind.
fn walk(folder: &Path, prefix: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder is readable") {
        let entry = entry.expect("an entry is readable");
        let name = entry.file_name().into_string().expect("names are UTF-8");
        let path = entry.path();
        if [".git", "target", "stateline-out", "__pycache__"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            paths.extend(walk(&path, &format!("{prefix}{name}/")));
        } else {
            paths.push(format!("{prefix}{name}"));
        }
    }
    paths
}

fn assert_none(wrong: &[String], what: &str) {
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}

#[test]
fn sources_say_what_they_are_and_stay_short() {
    let mut wrong = Vec::new();
    for Tracked { path, text } in tracked().iter().filter(|file| file.is("rs")) {
        let text = text.as_deref().unwrap_or("");
        if !text.starts_with("//! ") {
            wrong.push(format!("{path}: does not begin with `//!`"));
        }
        let n_lines = text.lines().count();
        if n_lines > MOST_LINES {
            wrong.push(format!("{path}: has {n_lines} lines, at most {MOST_LINES}"));
        }
    }
    assert_none(&wrong, "sources");
}

#[test]
fn nothing_is_left_unfinished() {
    let mut wrong = Vec::new();
    for Tracked { path, text } in tracked().iter().filter(|file| file.is("rs")) {
        for (n, line) in text.as_deref().unwrap_or("").lines().enumerate() {
            for word in UNFINISHED.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{path}:{}: {word}", n + 1));
            }
        }
    }
    assert_none(&wrong, "unfinished");
}

#[test]
fn tests_wait_for_nothing_by_the_clock() {
    let mut wrong = Vec::new();
    for Tracked { path, text } in tracked().iter().filter(|file| file.is("rs")) {
        let whole = path.contains("/tests/") || path.ends_with("/tests.rs");
        let mut in_tests = whole;
        for (n, line) in text.as_deref().unwrap_or("").lines().enumerate() {
            in_tests |= line.trim() == "#[cfg(test)]";
            if in_tests && line.contains(concat!("sle", "ep(")) {
                wrong.push(format!("{path}:{}: {}", n + 1, line.trim()));
            }
        }
    }
    assert_none(&wrong, "tests that sleep");
}

#[test]
fn the_top_holds_only_what_belongs_there() {
    let tops: BTreeSet<String> =
        tracked().iter().map(|file| file.path.split('/').next().unwrap_or("").to_owned()).collect();
    let wrong: Vec<String> = tops
        .iter()
        .filter(|top| !top.starts_with('.') && !TOP.contains(&top.as_str()))
        .cloned()
        .collect();
    assert_none(&wrong, "strangers at the top");
    let missing: Vec<String> =
        TOP.iter().filter(|top| !root().join(top).exists()).map(|top| (*top).to_owned()).collect();
    assert_none(&missing, "missing at the top");
}

#[test]
fn no_file_names_a_folder_of_a_machine() {
    let mut wrong = Vec::new();
    for Tracked { path, text } in tracked() {
        for (n, line) in text.as_deref().unwrap_or("").lines().enumerate() {
            wrong.extend(machine_path(line).map(|found| format!("{path}:{}: {found}", n + 1)));
        }
    }
    assert_none(&wrong, "paths of a machine");
    // A part of a longer relative path is none.
    assert_eq!(machine_path(&format!("see docs{}x", MACHINE[0])), None);
    assert_eq!(machine_path(&format!("see \"{}x\"", MACHINE[0])), Some(MACHINE[0]));
}

fn machine_path(line: &str) -> Option<&'static str> {
    MACHINE.into_iter().find(|folder| {
        line.match_indices(folder).any(|(at, _)| {
            !line[..at].ends_with(|c: char| {
                c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '*')
            })
        })
    })
}

/// The profiles of `scenarios/` with the ids of their scenarios, by folder.
fn folders() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut folders: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for Tracked { path, text } in tracked() {
        if let Some((profile, file)) =
            path.strip_prefix("scenarios/").and_then(|rest| rest.split_once('/'))
            && let Some(id) = file.strip_suffix(".yaml")
        {
            let text = text.expect("YAML is text");
            folders.entry(profile.to_owned()).or_default().insert(id.to_owned(), text);
        }
    }
    assert!(!folders.is_empty(), "there are profiles");
    folders
}

/// The files of a folder that are no scenarios.
const CONTRACT: [&str; 4] = ["conflicts", "profile", "requirements", "wire"];

#[test]
fn scenarios_say_why_they_exist() {
    let mut wrong = Vec::new();
    for (profile, files) in folders() {
        for (id, text) in files.iter().filter(|(id, _)| !CONTRACT.contains(&id.as_str())) {
            let comment: Vec<&str> =
                text.lines().map_while(|line| line.strip_prefix("# ")).collect();
            if !comment.last().is_some_and(|line| line.ends_with(['.', '?', ':'])) {
                wrong.push(format!(
                    "{profile}/{id}: does not begin with a comment that says why it exists"
                ));
            }
        }
    }
    assert_none(&wrong, "scenarios");
}

#[test]
fn scenarios_name_every_requirement() {
    let mut wrong = Vec::new();
    for (name, files) in folders() {
        let source = |id: &str| {
            Source::new(format!("{name}/{id}.yaml"), files.get(id).cloned().unwrap_or_default())
        };
        let profile = load_profile(
            ProfileFiles {
                profile: source("profile"),
                requirements: source("requirements"),
                wire: files.contains_key("wire").then(|| source("wire")),
                conflicts: files.contains_key("conflicts").then(|| source("conflicts")),
            },
            None,
        );
        let profile = profile
            .value
            .unwrap_or_else(|| panic!("{name} does not load: see `stateline check scenarios`"));
        let mut named = BTreeSet::new();
        for (id, _) in files.iter().filter(|(id, _)| !CONTRACT.contains(&id.as_str())) {
            let scenario = load_scenario(&profile, source(id), id);
            let scenario = scenario.value.unwrap_or_else(|| {
                panic!("{name}/{id} does not load: see `stateline check scenarios`")
            });
            named.extend(scenario.cases.iter().flat_map(|case| case.named.iter().copied()));
        }
        for (ix, requirement) in profile.requirements.iter().enumerate() {
            let owed = !matches!(requirement.test, TestedBy::None | TestedBy::Server);
            if owed && !named.contains(&ix) {
                wrong.push(format!("{name}: {}", requirement.id));
            }
        }
    }
    assert_none(&wrong, "requirements that no scenario names");
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_readme_begins_with_its_two_commands() {
    let readme = text_of("README.md");
    let block = readme.split("```").nth(1).expect("the README has a block of commands");
    let commands: Vec<&str> = block
        .lines()
        // The language of the block.
        .skip(1)
        .map(|line| line.split('#').next().unwrap_or("").trim())
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(commands, ["cargo run --release -- run", "bash .ci/test"]);
}

/// Every key that a file may have stands in the page that explains the file.
#[test]
fn the_pages_explain_every_key() {
    let pages = [
        ("conflicts", "harness/docs/table-language.md"),
        ("profile", "harness/docs/table-language.md"),
        ("requirements", "harness/docs/table-language.md"),
        ("scenario", "harness/docs/scenarios.md"),
        ("wire", "harness/WIRE.md"),
    ];
    let mut wrong = Vec::new();
    for (schema, page) in pages {
        let schema = text_of(&format!("harness/authoring/schemas/{schema}.schema.json"));
        let schema = serde_json::from_str(&schema).expect("a schema is JSON");
        let mut keys = BTreeSet::new();
        collect_keys(&schema, &mut keys);
        assert!(keys.len() > 10, "{page}: the schema has only {} keys", keys.len());
        let text = text_of(page);
        wrong.extend(
            keys.iter().filter(|key| !explains(&text, key)).map(|key| format!("{page}: `{key}`")),
        );
    }
    assert_none(&wrong, "keys that no page explains");
}

/// Whether a page has the key in code, alone or with a value after it.
fn explains(text: &str, key: &str) -> bool {
    text.contains(&format!("`{key}`"))
        || text
            .match_indices(&format!("{key}:"))
            .any(|(at, _)| text[..at].ends_with([' ', '`', '{', '"', '\n']))
}

fn collect_keys(schema: &serde_json::Value, keys: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        keys.extend(properties.keys().cloned());
    }
    let inner = schema.as_object().into_iter().flat_map(|map| map.values());
    inner
        .chain(schema.as_array().into_iter().flatten())
        .for_each(|schema| collect_keys(schema, keys));
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut wrong = Vec::new();
    let mut n_links = 0;
    for Tracked { path, text } in tracked().iter().filter(|file| file.is("md")) {
        let folder = root().join(path).parent().map(Path::to_owned).unwrap_or_default();
        for link in text
            .as_deref()
            .unwrap_or("")
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = link.split('#').next().unwrap_or("");
            if file.is_empty() || file.contains("://") {
                continue;
            }
            n_links += 1;
            if !folder.join(file).exists() {
                wrong.push(format!("{path}: {link}"));
            }
        }
    }
    assert!(n_links > 0, "the pages have links");
    assert_none(&wrong, "links into nothing");
}
