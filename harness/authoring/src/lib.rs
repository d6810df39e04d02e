//! Reads what authors write into stateline's compiled types, and tells everything that is wrong.
//!
//! The modules, from text to meaning: [`diagnostic`] (what is wrong, and where), `node` (YAML with
//! places), `reader` (typed access), `token` and `expr` (conditions), `pattern` (what rows wait
//! for), `profile`, `wire`, `scenario` (the files), [`filter`] (which cases to run), [`schema`]
//! (JSON Schemas for editors).
//!
//! Not responsible for files: names and texts come in, values and diagnostics go out.
//!
//! Invariant: a value comes out exactly when nothing is wrong, and never a panic.

pub mod diagnostic;
mod expr;
pub mod filter;
mod node;
mod pattern;
mod profile;
mod reader;
mod scenario;
pub mod schema;
mod token;
mod wire;

pub use diagnostic::{Diagnostic, Loaded, Sink, Source};
pub use filter::{CaseInfo, Filter, parse_filter};
pub use profile::{ProfileFiles, load_profile};
pub use scenario::load_scenario;
