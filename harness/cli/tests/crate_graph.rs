//! Holds the crate graph: who may depend on whom, and what the pure crates never see.
//!
//! Not responsible for what the crates do. The table is the one of `harness/ARCHITECTURE.md`.
//!
//! Invariant: a dependency that the table does not list fails, and so does a crate that it has not
//! heard of.

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, PackageId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each crate with the crates of this workspace that it may use.
const MAY_USE: [(&str, &[&str]); 9] = [
    ("stateline-core", &[]),
    ("stateline-authoring", &["stateline-core"]),
    ("stateline-lab", &["stateline-core"]),
    ("stateline-client", &["stateline-core"]),
    ("stateline-reports", &["stateline-core"]),
    ("stateline-reference", &["stateline-core"]),
    ("stateline-live", &["stateline-core"]),
    ("stateline-runner", &["stateline-core", "stateline-lab", "stateline-client"]),
    (
        "stateline",
        &[
            "stateline-core",
            "stateline-authoring",
            "stateline-lab",
            "stateline-client",
            "stateline-reports",
            "stateline-reference",
            "stateline-live",
            "stateline-runner",
        ],
    ),
];

/// What tests may use beyond that: the oracle's tests read the real tables, the live client's play a
/// reference client.
const TESTS_MAY_USE: [(&str, &str); 2] =
    [("stateline-core", "stateline-authoring"), ("stateline-live", "stateline-reference")];

/// Crates that are functions of their arguments, with their sources.
const PURE: [(&str, &str); 2] =
    [("stateline-core", "harness/core/src"), ("stateline-reports", "reports/src")];

/// Crates that bring a runtime, sockets, files, a clock, threads or chance with them.
const IMPURE: [&str; 24] = [
    "async-io",
    "async-std",
    "chrono",
    "fastrand",
    "fs-err",
    "getrandom",
    "hyper",
    "jiff",
    "mio",
    "nix",
    "notify",
    "polling",
    "process-wrap",
    "rand",
    "rayon",
    "rustix",
    "signal-hook",
    "smol",
    "socket2",
    "tempfile",
    "terminal_size",
    "time",
    "tokio",
    "walkdir",
];

/// What a pure crate may reach all the same, without the feature that makes it impure: JUnit's data model has
/// dates of `chrono`, which reads no clock unless it is told to.
const PURE_WITHOUT: [(&str, &str, &str); 1] = [("stateline-reports", "chrono", "now")];

/// Modules of `std` that the pure crates do not use.
const IMPURE_MODULES: [&str; 5] = ["env", "fs", "net", "process", "thread"];

/// Clocks that the pure crates do not read, by whatever path they are named.
const CLOCKS: [&str; 2] = ["Instant", "SystemTime"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The workspace as cargo sees it on this machine. Other platforms are left out, because their
/// packages need not be here.
fn metadata() -> Metadata {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("-vV").output().expect("rustc runs");
    let version = String::from_utf8(version.stdout).expect("rustc writes text");
    let host =
        version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(["--locked", "--filter-platform", host].map(str::to_owned))
        .exec()
        .expect("cargo describes the workspace")
}

#[test]
fn crates_use_only_what_the_table_allows() {
    let metadata = metadata();
    let members: BTreeSet<String> =
        metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    let listed: BTreeSet<String> = MAY_USE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(members, listed, "the table lists exactly the crates of the workspace");
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let (_, may) = MAY_USE.iter().find(|(have, _)| *have == name).expect("compared above");
        for dependency in
            package.dependencies.iter().filter(|dependency| members.contains(&dependency.name))
        {
            let edge = (name, dependency.name.as_str());
            let in_tests =
                dependency.kind == DependencyKind::Development && TESTS_MAY_USE.contains(&edge);
            if !in_tests && !may.contains(&edge.1) {
                wrong.push(format!("{} uses {}", edge.0, edge.1));
            }
        }
    }
    assert!(wrong.is_empty(), "edges that the table does not allow: {wrong:#?}");
}

#[test]
fn pure_crates_depend_on_nothing_impure() {
    let metadata = metadata();
    for (name, _) in PURE {
        let reached = reached(&metadata, name);
        assert!(reached.contains("serde"), "the walk from {name} reaches its dependencies");
        let is_pure = |package: &str| {
            PURE_WITHOUT.iter().any(|(of, pure, without)| {
                (*of, *pure) == (name, package) && !features(&metadata, package).contains(*without)
            })
        };
        let impure: Vec<_> =
            IMPURE.iter().filter(|impure| reached.contains(**impure) && !is_pure(impure)).collect();
        assert!(impure.is_empty(), "{name} depends on {impure:?}");
    }
    // The walk would find one if it were there: the program itself waits for signals.
    assert!(reached(&metadata, "stateline").contains("signal-hook"));
}

/// The features with which a package is built.
fn features(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().expect("cargo resolves the workspace");
    let is_it = |id: &PackageId| metadata[id].name.as_str() == name;
    let nodes = resolve.nodes.iter().filter(|node| is_it(&node.id));
    nodes.flat_map(|node| node.features.iter().map(ToString::to_string)).collect()
}

/// The names of all packages that a crate needs at run time.
fn reached(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let resolve = metadata.resolve.as_ref().expect("cargo resolves the workspace");
    let nodes: BTreeMap<&PackageId, _> =
        resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let start =
        metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == name);
    let mut open = vec![&start.expect("the crate is in the workspace").id];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let normal = nodes[id]
            .deps
            .iter()
            .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        open.extend(normal.map(|dep| &dep.pkg));
    }
    seen.into_iter().map(|id| names[id].to_owned()).collect()
}

#[test]
fn pure_sources_name_no_file_socket_clock_or_thread() {
    let mut wrong = Vec::new();
    for (_, folder) in PURE {
        let files = rust_files(&root().join(folder));
        assert!(files.len() > 5, "{folder} has sources");
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a source is readable");
            wrong.extend(
                impurities(&text).into_iter().map(|what| format!("{}: {what}", file.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_scan_sees_every_spelling() {
    let found = |text: &str| impurities(text);
    assert_eq!(found("use std::fs;"), ["std::fs"]);
    assert_eq!(found("use std::{io::Write, fs::{self, File}};"), ["std::fs"]);
    assert_eq!(
        found("use ::std :: {collections::{BTreeMap}, net, thread};"),
        ["std::net", "std::thread"]
    );
    assert_eq!(found("let x = std::env::var(\"A\");"), ["std::env"]);
    assert_eq!(found("use std::time::{Duration, Instant};"), ["Instant"]);
    assert_eq!(found("let at = web_time::SystemTime::now();"), ["SystemTime"]);
    assert_eq!(
        found("// std::fs is not used, nor is Instant\nuse std::fmt; struct Instants;"),
        [""; 0]
    );
    assert_eq!(found("/// `std::thread`\nuse std::{fmt, io::{self, Write}};"), [""; 0]);
}

/// What a source names of files, sockets, clocks, threads and the environment. Comments do not
/// count; texts do, which errs on the safe side.
fn impurities(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found: Vec<String> = Vec::new();
    for word in code.split(|c: char| !is_word(c)) {
        if CLOCKS.contains(&word) {
            found.push(word.to_owned());
        }
    }
    // Blanks separate words and stand nowhere else, so that a path has one spelling.
    let mut dense = String::with_capacity(code.len());
    for part in code.split_whitespace() {
        if dense.ends_with(is_word) && part.starts_with(is_word) {
            dense.push(' ');
        }
        dense.push_str(part);
    }
    for (at, path) in dense.match_indices("std::") {
        if dense[..at].ends_with(is_word) {
            continue;
        }
        for module in first_modules(&dense[at + path.len()..]) {
            if IMPURE_MODULES.contains(&module) {
                found.push(format!("std::{module}"));
            }
        }
    }
    found
}

/// The modules that a path names first: one, or those of a group at its top level.
fn first_modules(rest: &str) -> Vec<&str> {
    let ident =
        |text: &str| text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    if !rest.starts_with('{') {
        return vec![&rest[..ident(rest)]];
    }
    let mut modules = Vec::new();
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 1 && matches!(c, '{' | ',') {
            let after = &rest[at + 1..];
            modules.push(&after[..ident(after)]);
        }
        if depth == 0 {
            break;
        }
    }
    modules
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a source folder is readable") {
        let path = entry.expect("an entry is readable").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}
