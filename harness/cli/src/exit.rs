//! Exit codes: the contract with whoever calls the program.
//!
//! Not responsible for printing.
//!
//! Invariant: the numbers never change their meaning.

use stateline_core::record::Totals;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Ok = 0,
    /// Something failed that is no known failure, an entry for one no longer fits, or coverage is below
    /// what was asked for.
    Fail = 1,
    /// Usage, authoring, unwritable output.
    Usage = 2,
    /// The harness or the adapter failed.
    Error = 3,
    /// Nothing to run.
    Nothing = 4,
    /// Something was not decided.
    Inconclusive = 5,
    /// Interrupted.
    Interrupted = 130,
}

impl Exit {
    /// The worst of a run's totals.
    #[must_use]
    pub(crate) const fn of(totals: &Totals) -> Self {
        if totals.fail > totals.known {
            Self::Fail
        } else if totals.error > 0 {
            Self::Error
        } else if totals.inconclusive > 0 {
            Self::Inconclusive
        } else {
            Self::Ok
        }
    }
}
