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

    /// `symptom` is what can be seen of it, as the end of the sentence.
    pub(crate) fn hung(method: Method, limit: std::time::Duration, symptom: &str) -> Self {
        let text = format!("no answer to `{}` within {limit:?}{symptom}", method.as_str());
        Self::new(FaultId::Hung, text)
    }

    pub(crate) fn too_long(line: &[u8]) -> Self {
        let most = LONGEST_LINE >> 20;
        Self::new(FaultId::Flood, format!("a line of more than {most} MiB: {}", excerpt(line)))
    }

    /// `at` is the byte of the line where it shows.
    pub(crate) fn no_message(why: impl fmt::Display, line: &[u8], at: usize) -> Self {
        Self::new(FaultId::NoMessage, format!("{why}: {}", excerpt_at(line, at)))
    }

    pub(crate) fn wrong(why: impl fmt::Display, line: &[u8]) -> Self {
        Self::new(FaultId::WrongMessage, format!("{why}: {}", excerpt(line)))
    }

    /// `at` is the byte of the line up to which it was read.
    pub(crate) fn wrong_at(why: impl fmt::Display, line: &[u8], at: usize) -> Self {
        let read = &line[..at.min(line.len())];
        let text = format!("{why}, at the end of {}", excerpt_at(read, read.len()));
        Self::new(FaultId::WrongMessage, text)
    }

    /// The same, said of a place or time, in the words that come before.
    pub(crate) fn with(mut self, place: impl fmt::Display) -> Self {
        if self.id != FaultId::Interrupted {
            self.what = format!("{place}: {}", self.what);
        }
        self
    }
}

/// The beginning of a line, printable.
pub(crate) fn excerpt(line: &[u8]) -> String {
    excerpt_at(line, 0)
}

/// The part of a line around a byte, printable.
fn excerpt_at(line: &[u8], at: usize) -> String {
    const MOST: usize = 160;
    const BEFORE: usize = 100;
    let mut from = at.min(line.len()).saturating_sub(BEFORE);
    if line.len() <= MOST {
        from = 0;
    }
    // Not in the middle of a character.
    while from > 0 && line.get(from).is_some_and(|byte| byte & 0xc0 == 0x80) {
        from += 1;
    }
    // Nor in the middle of a word, whose rest nobody would know for a token.
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-%+=/\\".contains(byte);
    let is_inside = |from: usize| from > 0 && line[from - 1..].iter().take(2).all(is_word);
    while from < at && is_inside(from) {
        from += 1;
    }
    let part = &line[from..];
    let text = String::from_utf8_lossy(&part[..part.len().min(4 * MOST)]);
    let mut shown = clip(&text, MOST);
    if part.len() > 4 * MOST && !shown.ends_with('…') {
        shown.push('…');
    }
    if from > 0 {
        shown.insert(0, '…');
    }
    if shown.is_empty() { "(nothing)".to_owned() } else { shown }
}

/// At most so many characters of a text, printable.
pub(crate) fn clip(text: &str, most: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(most)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_shows_the_place() {
        assert_eq!(excerpt(b""), "(nothing)");
        assert_eq!(excerpt(b"a\tb\xff"), "a\u{fffd}b\u{fffd}");
        let long = format!("{}HERE{}", "ä".repeat(300), "z".repeat(9_000));
        let shown = excerpt_at(long.as_bytes(), 600);
        assert!(shown.starts_with("…ä") && shown.ends_with("z…"), "{shown}");
        assert!(shown.contains("äHEREz"), "{shown}");
        assert_eq!(excerpt(long.as_bytes()), format!("{}…", "ä".repeat(160)));
        assert_eq!(excerpt_at(b"short", 9_000), "short");
    }
}
