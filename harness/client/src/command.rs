//! How an adapter is started, and how long it may take.
//!
//! Not responsible for starting it.
//!
//! Invariant: words are split as a shell splits them, and no shell sees them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How an adapter is started.
#[derive(Clone, Debug)]
pub struct Command {
    /// The guard: a program with its first arguments, after which the adapter's words come.
    pub guard: Vec<OsString>,
    /// The adapter's words, the program first.
    pub words: Vec<String>,
    /// The folder that it runs in; that of the harness without one.
    pub folder: Option<PathBuf>,
    /// Variables that its environment has in addition.
    pub environment: Vec<(String, String)>,
    /// Where its messages and its stderr are written, and where it may put logs of its own.
    pub logs: Option<PathBuf>,
    /// How long `hello` may take; for ever without a limit.
    pub start_limit: Option<Duration>,
    /// How long any other request may take; for ever without a limit.
    pub call_limit: Option<Duration>,
}

/// How long it may take from the start to the answer to `hello`.
pub const START_LIMIT: Duration = Duration::from_secs(10);
/// How long any other answer may take.
pub const CALL_LIMIT: Duration = Duration::from_secs(5);

/// Splits a command line.
///
/// # Errors
/// When it has an open quote, or no words.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    match shlex::split(line) {
        None => Err("it ends within a quote".to_owned()),
        Some(words) if words.is_empty() => Err("it is empty".to_owned()),
        Some(words) => Ok(words),
    }
}

impl Command {
    /// An adapter with these words under this guard, with the usual limits.
    #[must_use]
    pub const fn new(guard: Vec<OsString>, words: Vec<String>) -> Self {
        Self {
            guard,
            words,
            folder: None,
            environment: Vec::new(),
            logs: None,
            start_limit: Some(START_LIMIT),
            call_limit: Some(CALL_LIMIT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        assert_eq!(
            split("python3 'my adapter.py' --x=\"a b\"").unwrap(),
            ["python3", "my adapter.py", "--x=a b"]
        );
        assert!(split("a 'b").is_err());
        assert!(split("  ").is_err());
    }
}
