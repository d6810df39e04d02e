//! One normative statement of a document.
//!
//! Not responsible for how it is judged: rows name it, and the oracle grades by its strictness.
//!
//! Invariant: the text of a requirement lives here and nowhere else.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// One normative statement with id, source, basis and strictness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Its fixed id.
    pub id: SmolStr,
    /// What it is about: `transition`, `callback`, `error-code`, `timing`, `prohibition`,
    /// `server-behaviour`, `remote-observation`, `parameter`, `invariant`.
    pub kind: SmolStr,
    /// Who can show it.
    pub test: TestedBy,
    /// How the document carries it.
    pub basis: Basis,
    /// What a breach costs.
    pub strictness: Strictness,
    /// The section of the document.
    pub section: String,
    /// The statement in our words.
    pub text: String,
    /// A capability without which it is not applicable.
    pub needs: Option<SmolStr>,
    /// Why it cannot be tested, where `test` is `none`.
    pub untestable: Option<String>,
}

/// Who can show a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestedBy {
    /// One client under test.
    Client,
    /// Nobody: listed, never counted as covered.
    None,
    /// A second client.
    Peer,
    /// The lab's own duty, judged on the lab.
    Server,
    /// The network side, whatever the client reports.
    Wire,
}

/// How the document carries a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Addressed to the application.
    Advice,
    /// The document slipped: the printed and the meant reading both pass.
    Erratum,
    /// The document says it.
    Explicit,
    /// It follows from the document.
    Implied,
}

/// What a breach costs, from nothing to the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Strictness {
    /// Recorded as a choice.
    #[serde(rename = "OPEN")]
    Open,
    /// Warns.
    #[serde(rename = "SHOULD")]
    Should,
    /// Fails.
    #[serde(rename = "MUST")]
    Must,
}

impl Strictness {
    /// As the documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Should => "SHOULD",
            Self::Must => "MUST",
        }
    }
}

impl Basis {
    /// As the catalogues write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advice => "advice",
            Self::Erratum => "erratum",
            Self::Explicit => "explicit",
            Self::Implied => "implied",
        }
    }
}

impl TestedBy {
    /// As the catalogues write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::None => "none",
            Self::Peer => "peer",
            Self::Server => "server",
            Self::Wire => "wire",
        }
    }
}
