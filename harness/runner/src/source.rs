//! Where the clients of a run come from: this process, or adapters.
//!
//! Not responsible for playing cases.
//!
//! Invariant: whatever a client does, its case gets an answer: a turn, or the reason why there is none.

use smol_str::SmolStr;
use stateline_core::profile::Profile;
use stateline_core::scenario::{Case, ClientIx};
use stateline_core::time::Micros;
use stateline_core::turn::{Client, Input, Open, Turn};

/// Makes clients for cases.
pub trait Source: Sync {
    /// Why a case is nothing for these clients.
    fn lacks(&self, _profile: &Profile, _case: &Case) -> Option<String> {
        None
    }

    /// Called once by each thread before its first case. `worker` counts them from 0.
    fn enlist(&self, _worker: usize) {}

    /// Opens the clients of a case, in its order.
    ///
    /// # Errors
    /// Why there are none.
    fn open<'s>(
        &'s self,
        worker: usize,
        profile: &Profile,
        case: &Case,
        clients: &[Open],
    ) -> Result<Box<dyn Cast + 's>, Refusal>;
}

/// The clients of one case.
pub trait Cast {
    /// Gives one of them its turn.
    ///
    /// # Errors
    /// Why it cannot go on.
    fn turn(&mut self, client: ClientIx, now: Micros, input: Vec<Input>) -> Result<Turn, Broken>;

    /// Throws them away, and what they live in, too, where the case was `spoilt` by a fault. `redact`
    /// replaces what must not be shown.
    fn end(self: Box<Self>, spoilt: bool, redact: &dyn Fn(&str) -> SmolStr) -> Ended;
}

/// Why there are no clients for a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// They cannot be made as the case wants them; with what was written to stderr.
    NotApplicable(String, String),
    /// They should be there, and are not; with what was written to stderr.
    Broken(Broken, String),
}

/// Why a case cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The run was interrupted.
    Interrupted,
    /// The client's own doing: the case is an ERROR with this reason.
    Fault(String),
}

/// What is left of the clients of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// They could not be thrown away properly.
    pub broken: Option<Broken>,
    /// What they wrote to stderr during the case.
    pub stderr: String,
}

/// Clients in this process.
pub struct InProcess(pub Vec<Box<dyn Client>>);

impl Cast for InProcess {
    fn turn(&mut self, client: ClientIx, now: Micros, input: Vec<Input>) -> Result<Turn, Broken> {
        Ok(self.0[client].turn(now, input))
    }

    fn end(self: Box<Self>, _spoilt: bool, _redact: &dyn Fn(&str) -> SmolStr) -> Ended {
        Ended::default()
    }
}
