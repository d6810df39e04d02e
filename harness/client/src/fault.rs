//! What an adapter can do wrong, in words.
//!
//! Each fault has an id; `docs/adapter-faults.md` says of each what it looks like and what to do. Not
//! responsible for what a fault costs: its case is an ERROR, which says nothing about the client.
//!
//! Invariant: a message hangs on nothing but what the adapter did, so two runs say the same.

use crate::protocol::{LONGEST_LINE, Method};
use std::fmt;

/// What an adapter did wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", .id.as_str())]
pub struct Fault {
    /// Which kind of fault.
    pub id: FaultId,
    /// What exactly.
    pub what: String,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultId {
    /// The program cannot be started.
    CannotStart,
    /// It ended in the middle.
    Died,
    /// It did not answer in time.
    Hung,
    /// What it wrote is no message.
    NoMessage,
    /// It is a message, and not one that belongs here.
    WrongMessage,
    /// It speaks none of our versions.
    WrongVersion,
    /// It answered with an error.
    Refused,
    /// A line or a case is longer than any honest one.
    Flood,
    /// A turn contradicts what went before.
    WrongTurn,
    /// It said that it was idle, and was not.
    NotIdle,
    /// The harness was asked to stop.
    Interrupted,
}

impl FaultId {
    /// As reasons begin.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CannotStart => "adapter-cannot-start",
            Self::Died => "adapter-died",
            Self::Hung => "adapter-hung",
            Self::NoMessage => "adapter-no-message",
            Self::WrongMessage => "adapter-wrong-message",
            Self::WrongVersion => "adapter-wrong-version",
            Self::Refused => "adapter-refused",
            Self::Flood => "adapter-flood",
            Self::WrongTurn => "adapter-wrong-turn",
            Self::NotIdle => "adapter-not-idle",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Fault {
    /// A fault in these words.
    #[must_use]
    pub fn new(id: FaultId, what: impl Into<String>) -> Self {
        Self { id, what: what.into() }
    }

    pub(crate) fn hung(method: Method, limit: std::time::Duration) -> Self {
        Self::new(FaultId::Hung, format!("no answer to `{}` within {limit:?}", method.as_str()))
    }

    pub(crate) fn too_long() -> Self {
        Self::new(FaultId::Flood, format!("a line of more than {} MiB", LONGEST_LINE >> 20))
    }

    pub(crate) fn no_message(why: impl fmt::Display, line: &[u8]) -> Self {
        Self::new(FaultId::NoMessage, format!("{why}: {}", excerpt(line)))
    }

    pub(crate) fn wrong(why: impl fmt::Display, line: &[u8]) -> Self {
        Self::new(FaultId::WrongMessage, format!("{why}: {}", excerpt(line)))
    }
}

/// The beginning of a line, printable.
pub(crate) fn excerpt(line: &[u8]) -> String {
    const MOST: usize = 160;
    let text = String::from_utf8_lossy(&line[..line.len().min(4 * MOST)]);
    let mut shown: String = text
        .chars()
        .take(MOST)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().count() > MOST || line.len() > 4 * MOST {
        shown.push('…');
    }
    if shown.is_empty() { "(nothing)".to_owned() } else { shown }
}
