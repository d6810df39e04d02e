//! The suite: profiles and scenarios from the binary and from folders, read when used.
//!
//! Not responsible for meaning; authoring reads, this finds the files and prints what is wrong.
//!
//! Invariant: files come in the order of their paths, the binary's own first.

use smol_str::SmolStr;
use stateline_authoring::{
    CaseInfo, Diagnostic, ProfileFiles, Source, load_profile, load_scenario,
};
use stateline_core::oracle::Settings;
use stateline_core::oracle::index::Index;
use stateline_core::profile::Profile;
use stateline_core::scenario::{Case, Scenario};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

static EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The texts of one profile's folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folder {
    files: BTreeMap<String, Source>,
}

/// All folders by profile id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suite {
    folders: BTreeMap<String, Folder>,
}

/// A profile with its scenarios, read.
#[derive(Debug)]
pub(crate) struct Contract {
    /// The profile.
    pub(crate) profile: Profile,
    /// Its index.
    pub(crate) index: Index,
    /// How it is judged.
    pub(crate) settings: Settings,
    /// Its scenarios by id.
    pub(crate) scenarios: Vec<Scenario>,
}

/// Why a suite cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SuiteError {
    /// Files have faults; all of them.
    #[error("{}", render(.0))]
    Authoring(Vec<Diagnostic>),
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// There is no profile in a folder.
    #[error(
        "{0} holds no profile: neither it nor a folder in it has a profile.yaml, or the name of a built-in profile"
    )]
    Empty(String),
    /// No profile has this name.
    #[error("there is no profile `{name}`; there {}", list(.all))]
    Unknown {
        /// The name.
        name: String,
        /// All names.
        all: Vec<String>,
    },
}

fn list(all: &[String]) -> String {
    let names: Vec<String> = all.iter().map(|name| format!("`{name}`")).collect();
    format!("{} {}", if all.len() == 1 { "is" } else { "are" }, names.join(", "))
}

/// All that is wrong, as text.
pub(crate) fn render(diagnostics: &[Diagnostic]) -> String {
    let mut text: Vec<String> = diagnostics
        .iter()
        .map(|diagnostic| diagnostic.render(false).trim_end().to_owned())
        .collect();
    let n = diagnostics.len();
    text.push(format!("{n} error{} found", if n == 1 { "" } else { "s" }));
    text.join("\n\n")
}

impl Suite {
    /// The binary's own suite, and folders.
    ///
    /// # Errors
    /// When a folder cannot be read, or holds no profile.
    pub(crate) fn new(folders: &[PathBuf]) -> Result<Self, SuiteError> {
        let mut suite = Self::default();
        suite.add_embedded(|_| true);
        for folder in folders {
            suite.add_folder(folder)?;
        }
        Ok(suite)
    }

    /// A folder alone.
    ///
    /// # Errors
    /// When it cannot be read, or holds no profile.
    pub(crate) fn of_folder(folder: &Path) -> Result<Self, SuiteError> {
        let mut suite = Self::default();
        suite.add_folder(folder)?;
        Ok(suite)
    }

    fn add_embedded(&mut self, wanted: impl Fn(&str) -> bool) {
        for (path, text) in EMBEDDED {
            let Some((profile, file)) = path.split_once('/') else { continue };
            if wanted(profile) {
                self.add(profile, file, Source::new(format!("scenarios/{path}"), *text));
            }
        }
    }

    fn add(&mut self, profile: &str, file: &str, source: Source) {
        self.folders.entry(profile.to_owned()).or_default().files.insert(file.to_owned(), source);
    }

    /// A folder of profiles, or of one. Without a profile.yaml, a folder that is named as one of the binary's
    /// own adds scenarios to it.
    fn add_folder(&mut self, root: &Path) -> Result<(), SuiteError> {
        let is_profile = |folder: &Path| folder.join("profile.yaml").is_file();
        let adds = |folder: &Path| folder.is_dir() && is_embedded(&name_of(folder));
        let folders =
            if is_profile(root) || adds(root) { vec![root.to_owned()] } else { entries(root)? };
        let mut found = false;
        for folder in folders {
            let profile = name_of(&folder);
            if is_profile(&folder) {
                // A folder from outside replaces the binary's own of that name as a whole.
                self.folders.remove(&profile);
            } else if !adds(&folder) {
                continue;
            } else if !self.folders.contains_key(&profile) {
                self.add_embedded(|id| id == profile);
            }
            found = true;
            self.add_files(&profile, &folder, &folder)?;
        }
        if found { Ok(()) } else { Err(SuiteError::Empty(root.display().to_string())) }
    }

    fn add_files(&mut self, profile: &str, root: &Path, folder: &Path) -> Result<(), SuiteError> {
        for path in entries(folder)? {
            if path.is_dir() {
                self.add_files(profile, root, &path)?;
            } else if path.extension().is_some_and(|ending| ending == "yaml") {
                let text = fs::read(&path).map_err(|source| SuiteError::Read {
                    path: path.display().to_string(),
                    source,
                })?;
                let file =
                    path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                let text = String::from_utf8_lossy(&text).into_owned();
                self.add(profile, &file, Source::new(path.display().to_string(), text));
            }
        }
        Ok(())
    }

    /// A file of a profile's folder.
    #[must_use]
    pub(crate) fn source(&self, profile: &str, file: &str) -> Option<&Source> {
        self.folders.get(profile)?.files.get(file)
    }

    /// The ids of all profiles.
    #[must_use]
    pub(crate) fn profiles(&self) -> Vec<String> {
        self.folders.keys().cloned().collect()
    }

    /// Reads profiles with their scenarios: those asked for as `P` or `P@VARIANT`, or all.
    ///
    /// # Errors
    /// Everything that is wrong with their files, or an unknown name.
    pub(crate) fn read(&self, asked: &[String]) -> Result<Vec<Contract>, SuiteError> {
        let all: Vec<(String, Option<String>)> = if asked.is_empty() {
            self.folders.keys().map(|name| (name.clone(), None)).collect()
        } else {
            asked
                .iter()
                .map(|text| match text.split_once('@') {
                    Some((profile, variant)) => (profile.to_owned(), Some(variant.to_owned())),
                    None => (text.clone(), None),
                })
                .collect()
        };
        let mut contracts = Vec::new();
        let mut wrong = Vec::new();
        for (name, variant) in all {
            let folder = self
                .folders
                .get(&name)
                .ok_or_else(|| SuiteError::Unknown { name: name.clone(), all: self.profiles() })?;
            match folder.read(&name, variant.as_deref()) {
                Ok(contract) => contracts.push(contract),
                Err(diagnostics) => wrong.extend(diagnostics),
            }
        }
        if wrong.is_empty() { Ok(contracts) } else { Err(SuiteError::Authoring(wrong)) }
    }
}

impl Folder {
    fn read(&self, name: &str, variant: Option<&str>) -> Result<Contract, Vec<Diagnostic>> {
        let file = |file: &str| {
            self.files
                .get(file)
                .cloned()
                .unwrap_or_else(|| Source::new(format!("{name}/{file}"), String::new()))
        };
        let files = ProfileFiles {
            profile: file("profile.yaml"),
            requirements: file("requirements.yaml"),
            wire: self.files.get("wire.yaml").cloned(),
            conflicts: self.files.get("conflicts.yaml").cloned(),
        };
        let loaded = load_profile(files, variant);
        let Some(profile) = loaded.value else { return Err(loaded.diagnostics) };
        let mut scenarios = Vec::new();
        let mut wrong = Vec::new();
        for (file, source) in &self.files {
            let Some(id) = file.strip_suffix(".yaml") else { continue };
            if ["conflicts", "profile", "requirements", "wire"].contains(&id) {
                continue;
            }
            let loaded = load_scenario(&profile, source.clone(), id);
            scenarios.extend(loaded.value);
            wrong.extend(loaded.diagnostics);
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let index = Index::new(&profile);
        let settings = Settings::of(&profile);
        Ok(Contract { profile, index, settings, scenarios })
    }
}

impl Contract {
    /// All cases with the facts that filters look at.
    pub(crate) fn cases(&self) -> impl Iterator<Item = (&Scenario, &Case)> {
        self.scenarios
            .iter()
            .flat_map(|scenario| scenario.cases.iter().map(move |case| (scenario, case)))
    }

    /// The ids of the requirements that a case names.
    #[must_use]
    pub(crate) fn named(&self, case: &Case) -> Vec<SmolStr> {
        case.named.iter().map(|req| self.profile.requirements[*req].id.clone()).collect()
    }

    /// What filters look at.
    #[must_use]
    pub(crate) fn info<'a>(
        &'a self,
        scenario: &'a Scenario,
        case: &'a Case,
        named: &'a [SmolStr],
    ) -> CaseInfo<'a> {
        CaseInfo {
            id: &case.id,
            profile: &self.profile.id,
            tags: &scenario.tags,
            requirements: named,
        }
    }
}

fn is_embedded(profile: &str) -> bool {
    EMBEDDED.iter().any(|(path, _)| path.split_once('/').is_some_and(|(id, _)| id == profile))
}

fn name_of(folder: &Path) -> String {
    let name = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    name.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, SuiteError> {
    let failed = |source| SuiteError::Read { path: folder.display().to_string(), source };
    let mut paths = fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    paths.sort();
    Ok(paths)
}
