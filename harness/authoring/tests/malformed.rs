//! What authors are told about malformed files, word by word.
//!
//! Not responsible for the wording being good: that is read by people before it is committed.
//!
//! Invariant: every file of `fixtures/malformed` is refused, and has a snapshot.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use stateline_authoring::{
    Diagnostic, ProfileFiles, Source, load_profile, load_scenario, parse_filter,
};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/malformed")
}

fn source(name: &str) -> Source {
    Source::new(name, fs::read_to_string(root().join(name)).unwrap())
}

fn base() -> ProfileFiles {
    ProfileFiles {
        profile: source("base/profile.yaml"),
        requirements: source("base/requirements.yaml"),
        wire: None,
        conflicts: None,
    }
}

/// Renders what is wrong with each file of a folder, in the order of names.
fn check(folder: &str, refuse: impl Fn(&str, Source) -> Vec<Diagnostic>) {
    let mut names: Vec<String> = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(!names.is_empty(), "{folder} is empty");
    for name in names {
        let stem = name.split_once('.').unwrap().0;
        let diagnostics = refuse(stem, source(&format!("{folder}/{name}")));
        assert!(!diagnostics.is_empty(), "{folder}/{name} is not refused");
        let told: Vec<String> = diagnostics.iter().map(|found| found.render(false)).collect();
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!(format!("{folder}-{stem}"), told.join("\n\n"));
        });
    }
}

#[test]
fn the_base_is_right() {
    let loaded = load_profile(base(), None);
    let told: String =
        loaded.diagnostics.iter().map(|found| found.render(false) + "\n\n").collect();
    assert!(loaded.value.is_some(), "{told}");
}

#[test]
fn profiles() {
    check("profiles", |_, profile| {
        load_profile(ProfileFiles { profile, ..base() }, None).diagnostics
    });
}

#[test]
fn requirements() {
    check("requirements", |_, requirements| {
        load_profile(ProfileFiles { requirements, ..base() }, None).diagnostics
    });
}

#[test]
fn wires() {
    check("wires", |_, wire| {
        load_profile(ProfileFiles { wire: Some(wire), ..base() }, None).diagnostics
    });
}

#[test]
fn conflicts() {
    check("conflicts", |_, conflicts| {
        load_profile(ProfileFiles { conflicts: Some(conflicts), ..base() }, None).diagnostics
    });
}

#[test]
fn scenarios() {
    let profile = load_profile(base(), None).value.unwrap();
    check("scenarios", |id, scenario| load_scenario(&profile, scenario, id).diagnostics);
}

#[test]
fn filters() {
    check("filters", |_, filter| parse_filter(filter.text.trim_end()).diagnostics);
}
