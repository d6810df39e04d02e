//! Our own profiles and scenarios load without a word, and mean what they should.
//!
//! Not responsible for what the documents say.
//!
//! Invariant: every folder of `scenarios/` is covered, in the order of names.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use stateline_authoring::{Diagnostic, ProfileFiles, Source, load_profile, load_scenario};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a folder that are no scenarios.
const CONTRACT: [&str; 4] = ["conflicts", "profile", "requirements", "wire"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn source(path: &Path) -> Source {
    let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    Source::new(name, fs::read_to_string(path).unwrap())
}

fn files(folder: &Path) -> ProfileFiles {
    let [wire, conflicts] = ["wire.yaml", "conflicts.yaml"].map(|name| folder.join(name));
    ProfileFiles {
        profile: source(&folder.join("profile.yaml")),
        requirements: source(&folder.join("requirements.yaml")),
        wire: wire.exists().then(|| source(&wire)),
        conflicts: conflicts.exists().then(|| source(&conflicts)),
    }
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The scenarios under a folder, with their ids.
fn scenarios(folder: &Path, prefix: &str, found: &mut Vec<(PathBuf, String)>) {
    for path in sorted(folder) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            scenarios(&path, &format!("{prefix}{name}/"), found);
        } else if path.extension().is_some_and(|extension| extension == "yaml")
            && !(prefix.is_empty() && CONTRACT.contains(&name.as_str()))
        {
            found.push((path, format!("{prefix}{name}")));
        }
    }
}

fn told(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|found| found.render(false) + "\n\n").collect()
}

#[test]
fn our_files_load() {
    for folder in sorted(&root()).into_iter().filter(|path| path.join("profile.yaml").exists()) {
        let loaded = load_profile(files(&folder), None);
        let profile = loaded.value.unwrap_or_else(|| panic!("{}", told(&loaded.diagnostics)));
        assert_eq!(folder.file_name().and_then(|name| name.to_str()), Some(profile.id.as_str()));
        let mut found = Vec::new();
        scenarios(&folder, "", &mut found);
        for (path, id) in found {
            let loaded = load_scenario(&profile, source(&path), &id);
            assert!(loaded.value.is_some(), "{}", told(&loaded.diagnostics));
        }
    }
}
