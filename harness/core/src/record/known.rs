//! What a run says of known failures: those that a list expects, with a reason.
//!
//! Not responsible for the list itself, or for deciding which failure it expects.
//!
//! Invariant: no verdict is changed by it. A known failure is a FAIL.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// What the list says of a case that failed as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The entry that expects the case's first finding: its number in [`KnownFailures::entries`].
    pub entry: u32,
    /// Why it is tolerated.
    pub reason: String,
    /// Where more is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// A list of known failures, and what it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFailures {
    /// The name of its file, without the folder.
    pub file: String,
    /// Its entries, in their order.
    pub entries: Vec<KnownFailure>,
}

impl KnownFailures {
    /// How many entries stand so.
    #[must_use]
    pub fn n(&self, standing: Standing) -> usize {
        self.entries.iter().filter(|entry| entry.standing == standing).count()
    }

    /// Whether an entry makes the run fail.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.entries.iter().any(|entry| entry.standing.fails())
    }
}

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFailure {
    /// Its number, from 1.
    pub entry: u32,
    /// Its first line in the file.
    pub line: u32,
    /// The filter that selects its cases.
    pub cases: String,
    /// The requirements that are expected to be violated.
    pub requirements: Vec<SmolStr>,
    /// Why that is tolerated.
    pub reason: String,
    /// Where more is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The last day on which it is tolerated, as `2027-01-31`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Its cases may also pass.
    #[serde(default)]
    pub flaky: bool,
    /// How many cases failed as it expects.
    pub cases_known: u32,
    /// What the run says of it.
    pub standing: Standing,
}

/// What a run says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// A case failed as it expects, but its last day is over.
    Expired,
    /// A case failed as it expects.
    Holds,
    /// All its cases were decided, and none failed as it expects.
    Stale,
    /// The run does not tell: too few of its cases were decided, or they may also pass.
    Undecided,
    /// It selects no case.
    Unmatched,
}

impl Standing {
    /// Whether an entry that stands so makes the run fail.
    #[must_use]
    pub const fn fails(self) -> bool {
        matches!(self, Self::Expired | Self::Stale | Self::Unmatched)
    }

    /// As every output writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Holds => "holds",
            Self::Stale => "stale",
            Self::Undecided => "undecided",
            Self::Unmatched => "unmatched",
        }
    }
}
