//! Known failures: `stateline.expect.toml`, its entries, and what a run says of them.
//!
//! `read` reads the file, `settle` compares it with what was played, `amend` rewrites it. Not
//! responsible for verdicts: a known failure stays a FAIL.
//!
//! Invariant: an entry says why it is there, and a failure is known only by the requirement that an
//! entry names.

mod amend;
mod read;
mod settle;

pub(crate) use amend::amend;
pub(crate) use settle::{Scope, Settled, check, settle, unexplained};

use jiff::civil::Date;
use smol_str::SmolStr;
use stateline_authoring::{CaseInfo, Filter, Source};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of the file.
pub(crate) const FILE: &str = "stateline.expect.toml";

/// The reason that `--fix-expect` writes, until somebody writes a better one.
pub(crate) const UNEXPLAINED: &str = "unexplained";

/// A list of known failures.
#[derive(Debug)]
pub(crate) struct Expectations {
    /// Its file.
    pub(crate) path: PathBuf,
    /// What the file holds.
    pub(crate) source: Arc<Source>,
    /// In the file's order.
    pub(crate) entries: Vec<Entry>,
}

/// A known failure.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its heading.
    pub(crate) span: Range<usize>,
    /// The filter, as it is written.
    pub(crate) cases: String,
    /// Where it is written.
    pub(crate) cases_span: Range<usize>,
    /// Selects the cases.
    pub(crate) filter: Filter,
    /// What may be violated first, with its place.
    pub(crate) requirements: Vec<(SmolStr, Range<usize>)>,
    /// Why that is tolerated.
    pub(crate) reason: String,
    /// Where that is written.
    pub(crate) reason_span: Range<usize>,
    /// Where more is said.
    pub(crate) link: Option<String>,
    /// The last day on which it is tolerated, with its place.
    pub(crate) until: Option<(Date, Range<usize>)>,
    /// The cases may also pass.
    pub(crate) flaky: bool,
}

impl Entry {
    /// Whether it expects that this case violates this requirement first.
    pub(crate) fn expects(&self, case: &CaseInfo<'_>, requirement: &SmolStr) -> bool {
        self.filter.matches(case) && self.requirements.iter().any(|(id, _)| id == requirement)
    }
}

impl Expectations {
    /// The file's name, without folders.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A list without entries, whose file need not exist.
    pub(crate) fn none(path: &Path) -> Self {
        let source = Source::new(path.display().to_string(), String::new());
        Self { path: path.to_owned(), source: Arc::new(source), entries: Vec::new() }
    }
}
