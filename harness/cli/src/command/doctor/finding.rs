//! What a check came to.
//!
//! Not responsible for how it is shown.
//!
//! Invariant: whatever is not well says what was seen and what to do about it; no token is in it.

use stateline_lab::tokens::mask;
use stateline_reports::text::{shorten, visible};

/// So much of a line is shown.
const MOST_LINE: usize = 300;
/// So many of the last lines of stderr are shown.
const MOST_STDERR: usize = 4;

/// Something that is not as it should be.
#[derive(Clone, Debug, Default)]
pub(super) struct Finding {
    /// What it is.
    pub(super) what: String,
    /// The line that was sent.
    pub(super) sent: Option<String>,
    /// The line that came.
    pub(super) came: Option<String>,
    /// The last lines of stderr.
    pub(super) stderr: Option<String>,
    /// What to do.
    pub(super) help: String,
}

impl Finding {
    /// Something that shows without any line.
    #[must_use]
    pub(super) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: mask(&what.into()).into(), help: mask(&help.into()).into(), ..Self::default() }
    }

    /// With the lines that show it; an empty one is none.
    #[must_use]
    pub(super) fn with(mut self, sent: &str, came: &str) -> Self {
        let shown = |line: &str| {
            let line = line.trim_end_matches(['\r', '\n']);
            // Before anything is left out of it: half of a token is not known for what it is.
            (!line.is_empty()).then(|| shorten(&visible(&mask(line), &[]), MOST_LINE))
        };
        self.sent = shown(sent);
        self.came = shown(came);
        self
    }

    /// With the end of what it wrote to stderr.
    pub(super) fn hear(&mut self, stderr: &str) {
        let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(MOST_STDERR)..];
        if !last.is_empty() {
            let shown: Vec<String> =
                last.iter().map(|line| shorten(&visible(&mask(line), &[]), MOST_LINE)).collect();
            self.stderr = Some(shown.join("\n"));
        }
    }
}

/// What a check that was made came to.
pub(super) enum Outcome {
    /// Nothing was found; what was looked at, where that is worth a word.
    Well(String),
    /// Nothing is broken, but something can be better.
    Advice(Finding),
    /// The adapter does not claim what would be checked.
    NotClaimed,
}

impl Outcome {
    /// Nothing was found.
    #[must_use]
    pub(super) const fn well() -> Self {
        Self::Well(String::new())
    }
}

/// Why a check came to no end.
#[derive(Debug)]
pub(super) enum Halt {
    /// The fault that it looks for.
    Fault(Box<Finding>),
    /// A fault that another check tells: this one is not decided.
    Elsewhere,
}

impl From<Finding> for Halt {
    fn from(finding: Finding) -> Self {
        Self::Fault(Box::new(finding))
    }
}

impl Halt {
    /// The same fault with other advice.
    #[must_use]
    pub(super) fn advise(mut self, help: &str) -> Self {
        if let Self::Fault(finding) = &mut self {
            help.clone_into(&mut finding.help);
        }
        self
    }
}

/// What a step of a check gives, or why the check ends there.
pub(super) type Tried<T> = Result<T, Halt>;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Nothing was found.
    Ok,
    /// The protocol is broken.
    Fault,
    /// Something can be better.
    Advice,
}

/// A check that was made.
#[derive(Debug)]
pub(super) struct Check {
    /// Its group.
    pub(super) group: &'static str,
    /// Its name, unique.
    pub(super) name: &'static str,
    /// What it shows where nothing is found.
    pub(super) says: &'static str,
    /// How it ended.
    pub(super) status: Status,
    /// What was looked at, where that is worth a word.
    pub(super) note: String,
    /// What was found.
    pub(super) finding: Option<Finding>,
}
