//! The run record as people and programs read it.
//!
//! The modules:
//!
//! - [`terminal`]: the summary after a run.
//! - [`html`]: the conformance report, one self-contained file.
//! - [`json`]: `run.json`, written a case at a time.
//! - [`text`]: the words, glyphs and commands that all of them share.
//!
//! Not responsible for verdicts, files, clocks or the environment: a report is a view of a
//! [`stateline_core::record::RunRecord`], and what is not in the record is in no report.
//!
//! Invariant: every function is a function of its arguments. Two calls with the same record give
//! the same text, byte by byte.

pub mod html;
pub mod json;
mod outline;
#[cfg(test)]
mod sample;
pub mod terminal;
pub mod text;
mod trace_slice;
