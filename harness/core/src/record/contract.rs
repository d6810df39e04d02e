//! The contract that was tested against, as far as a report needs it, with what the cases saw of it.
//!
//! Not responsible for counting: that is the runner's summary.
//!
//! Invariant: a report needs nothing of a suite's files but what stands here.

use crate::profile::Document;
use crate::profile::requirement::{Basis, Requirement};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A contract, as far as a report needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileRecord {
    /// Its id.
    pub id: SmolStr,
    /// Its variant.
    pub variant: Option<SmolStr>,
    /// Hash of its files.
    pub digest: SmolStr,
    /// The document.
    pub document: Document,
    /// The states that clients report.
    pub states: Vec<SmolStr>,
    /// The columns of the grid.
    pub stimuli: Vec<StimulusRecord>,
    /// The grid.
    pub cells: Vec<CellRecord>,
    /// Rows by id, in words.
    pub rows: Vec<RowRecord>,
    /// The catalogue.
    pub requirements: Vec<Requirement>,
    /// Changes of state: the documented ones in the order of the table, then others that were seen.
    #[serde(default)]
    pub transitions: Vec<TransitionRecord>,
    /// Where the document contradicts itself or leaves gaps, and how the harness judges there.
    #[serde(default)]
    pub conflicts: Vec<Conflict>,
    /// Known faults of the reference clients: what each requirement has been seen to catch.
    #[serde(default)]
    pub defects: Vec<DefectRecord>,
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionRecord {
    /// The state that is left.
    pub from: SmolStr,
    /// The state that is entered.
    pub to: SmolStr,
    /// The rows that document it; none: forbidden.
    pub rows: Vec<SmolStr>,
    /// In how many cases it was seen.
    pub cases: u32,
    /// In how many of these no row explained it.
    pub violated: u32,
}

/// A known fault of a reference client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefectRecord {
    /// Its name in a client specification.
    pub id: SmolStr,
    /// What it does.
    pub text: String,
    /// The requirement that it breaks.
    pub breaks: SmolStr,
    /// Requirements that it cannot help breaking as well.
    pub also: Vec<SmolStr>,
}

/// A column of the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StimulusRecord {
    /// Its id.
    pub id: SmolStr,
    /// In words.
    pub title: String,
}

/// A cell of the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// Its state.
    pub state: SmolStr,
    /// Its stimulus.
    pub stimulus: SmolStr,
    /// `row`, `forbidden` or `silent`.
    pub says: SmolStr,
    /// The rows, where it has any.
    pub rows: Vec<SmolStr>,
    /// The requirements that decide it.
    pub requirements: Vec<SmolStr>,
    /// How many cases exercised it.
    pub cases: u32,
    /// In how many of these it was violated.
    pub violated: u32,
}

/// A row in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RowRecord {
    /// Its id.
    pub id: SmolStr,
    /// In words.
    pub title: String,
    /// Its requirements.
    pub requirements: Vec<SmolStr>,
    /// Whether the document has the table that it stands in (`explicit`), or its prose implies it.
    #[serde(default)]
    pub basis: Option<Basis>,
    /// `transition`, `expect`, `may`, `silent`, `never`, `keep`, `settles` or `choice`.
    #[serde(default)]
    pub kind: SmolStr,
    /// The states in which it applies; none: in any.
    #[serde(default)]
    pub from: Vec<SmolStr>,
    /// The state that it leads to.
    #[serde(default)]
    pub to: Option<SmolStr>,
    /// What triggers it, in words of the table.
    #[serde(default)]
    pub on: Vec<SmolStr>,
    /// From when on after its trigger, in milliseconds, where it has a time.
    #[serde(default)]
    pub after_ms: Option<f64>,
    /// How long its window is, in milliseconds, where it has an end.
    #[serde(default)]
    pub within_ms: Option<f64>,
}

/// Where a document contradicts itself or leaves a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Its id, unique in the profile.
    pub id: SmolStr,
    /// What kind it is: `contradiction`, `gap`, `slip` or `vague`.
    pub kind: SmolStr,
    /// In one line.
    pub title: String,
    /// The sections of the document.
    pub sections: Vec<String>,
    /// What the document says.
    pub says: String,
    /// How the harness judges.
    pub judged: String,
    /// Why.
    pub why: String,
    /// The requirements that it touches.
    pub requirements: Vec<SmolStr>,
    /// The rows that it touches.
    pub rows: Vec<SmolStr>,
}
