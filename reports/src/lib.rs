//! The run record as people and programs read it.
//!
//! The modules:
//!
//! - [`terminal`]: the summary after a run.
//! - [`html`]: the conformance report, one self-contained file.
//! - [`json`]: `run.json`, written a case at a time.
//! - [`junit`]: JUnit XML, for whatever shows test results.
//! - [`markdown`]: the summary of a job, for GitHub.
//! - [`annotations`]: what GitHub and GitLab show beside a change.
//! - [`csv`]: the coverage, for spreadsheets.
//! - [`mermaid`]: a case as a sequence diagram.
//! - [`way`]: how far the table explains a case, line by line.
//! - [`text`]: the words, glyphs and commands that all of them share.
//!
//! Not responsible for verdicts, files, clocks or the environment: a report is a view of a
//! [`stateline_core::record::RunRecord`], and what is not in the record is in no report.
//!
//! Invariant: every function is a function of its arguments. Two calls with the same record give
//! the same text, byte by byte.

pub mod annotations;
pub mod csv;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod mermaid;
mod outline;
#[cfg(test)]
mod sample;
pub mod terminal;
pub mod text;
mod trace_slice;
pub mod way;

pub use outline::{Breach, breaches};
