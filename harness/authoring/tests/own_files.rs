//! Our own profiles and scenarios load without a word.
//!
//! Not responsible for what they say.
//!
//! Invariant: every folder of `scenarios/` is covered, in the order of names.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use stateline_authoring::{Diagnostic, ProfileFiles, Source, load_profile};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn source(path: &Path) -> Source {
    let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    Source::new(name, fs::read_to_string(path).unwrap())
}

fn files(folder: &Path) -> ProfileFiles {
    let wire = folder.join("wire.yaml");
    ProfileFiles {
        profile: source(&folder.join("profile.yaml")),
        requirements: source(&folder.join("requirements.yaml")),
        wire: wire.exists().then(|| source(&wire)),
    }
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn told(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|found| found.render(false) + "\n\n").collect()
}

#[test]
fn our_profiles_load() {
    for folder in sorted(&root()).into_iter().filter(|path| path.join("profile.yaml").exists()) {
        let started = std::time::Instant::now();
        let loaded = load_profile(files(&folder), None);
        println!("{}: {:?}", folder.display(), started.elapsed());
        assert!(loaded.value.is_some(), "{}", told(&loaded.diagnostics));
    }
}
