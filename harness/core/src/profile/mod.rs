//! A profile: one SDK's documented contract, compiled from data and free of source positions.
//!
//! The modules: [`requirement`] (what the document demands), [`names`] (the SDK's words and their
//! aliases), [`machine`] (tables of rows), [`expr`] (guards), [`grid`] (state x stimulus).
//!
//! Not responsible for reading files (that is `stateline-authoring`) nor for judging (that is
//! [`crate::oracle`]).
//!
//! Invariant: every index in here points into the same profile; the reader checked it.

pub mod expr;
pub mod grid;
pub mod machine;
pub mod names;
pub mod requirement;

use crate::time::Micros;
use crate::trace::Head;
use crate::value::{Fields, Value};
use crate::wire::Wire;
use expr::Expr;
use grid::Grid;
use indexmap::IndexMap;
use machine::{Machine, Pattern};
use names::Names;
use requirement::Requirement;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

/// Index of a requirement in [`Profile::requirements`].
pub type ReqIx = usize;
/// Index of a clock in [`Profile::clocks`].
pub type ClockIx = usize;
/// Index of a register in [`Profile::registers`].
pub type RegisterIx = usize;
/// Index of a cap in [`Profile::caps`].
pub type CapIx = usize;
/// Index of a machine in [`Profile::machines`].
pub type MachineIx = usize;
/// Index of a row in [`Profile::rows`].
pub type RowIx = usize;
/// Index of a state in its machine.
pub type StateIx = usize;

/// One SDK's documented contract.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its id, the name of its folder.
    pub id: SmolStr,
    /// The variant that this profile was compiled for, if any.
    pub variant: Option<SmolStr>,
    /// Hash of the files that it was compiled from.
    pub digest: SmolStr,
    /// The document that it writes down.
    pub document: Document,
    /// What the document demands, in the order of the catalogue.
    pub requirements: Vec<Requirement>,
    /// The SDK's words.
    pub names: Names,
    /// Documented times by name.
    pub timers: IndexMap<SmolStr, Micros>,
    /// Policy caps: ours, and a flag of the command line.
    pub caps: IndexMap<SmolStr, Micros>,
    /// How early and how late a report may be.
    pub tolerance: Tolerance,
    /// Named intervals of ground truth.
    pub clocks: Vec<Clock>,
    /// Memory of an instance, with initial values.
    pub registers: IndexMap<SmolStr, Value>,
    /// The tables.
    pub machines: Vec<Machine>,
    /// The rows of all machines.
    pub rows: Vec<machine::Row>,
    /// The words that rows, clocks and guards listen for.
    pub heads: Heads,
    /// State x stimulus of the machine that owns the reported states.
    pub grid: Grid,
    /// How a preamble reaches a state: the calls to make, in order.
    pub reach: IndexMap<SmolStr, Vec<(SmolStr, Fields)>>,
    /// What the scripted server does unless a script deviates.
    pub realm: RealmSpec,
    /// Where the document contradicts itself or leaves gaps, and how the harness judges there.
    pub conflicts: Vec<crate::record::Conflict>,
    /// The frames, where the profile has a wire of its own; the built-in `lab` wire otherwise.
    pub wire: Wire,
}

/// The document that a profile writes down.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// Whose product it describes.
    pub product: String,
    /// The platform that it is written for.
    pub platform: String,
    /// When it was last changed, as it says itself.
    pub updated: String,
}

/// How early and how late a report may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// Subtracted from the start of every window.
    pub early: Micros,
    /// The default length of every window.
    pub late: Micros,
}

/// A named interval of ground truth, shared by all rows.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Its name.
    pub name: SmolStr,
    /// What starts it. A signal with `heard_ms` and `sure_ms` starts it as an interval.
    pub start: Vec<Pattern>,
    /// Condition on the start.
    pub guard: Option<Expr>,
    /// What stops it.
    pub stop: Vec<Pattern>,
    /// Whether a second start while it runs is ignored (`first`) or restarts it (`last`).
    pub keep: KeepStart,
}

/// What a second start of a running clock does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepStart {
    /// It belongs to the first.
    First,
    /// It restarts the clock.
    Last,
}

/// A duration as a table writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Documented, or written out.
    Fixed(Micros),
    /// The profile's `late`.
    Late,
    /// A policy cap: a breach warns, twice the cap with nothing at all fails.
    Cap(CapIx),
}

/// What the scripted server of this profile does unless a script deviates.
#[derive(Clone, Debug, PartialEq)]
pub struct RealmSpec {
    /// How long an interrupted session counts as online.
    pub presence: Micros,
    /// A second login of a user ends the first session.
    pub supersede: bool,
    /// The abstract code that a refusal carries, by cause: `invalid`, `expired`, `revoked`,
    /// `malformed`, `banned`, `refused`.
    pub codes: IndexMap<SmolStr, SmolStr>,
}

/// The words that a profile listens for, interned.
#[derive(Clone, Debug, Default)]
pub struct Heads {
    texts: Vec<SmolStr>,
    by_kind: FxHashMap<SmolStr, (Option<HeadIx>, FxHashMap<SmolStr, HeadIx>)>,
}

/// Index of a word in [`Heads`].
pub type HeadIx = u16;

impl Heads {
    /// The index of `kind.name` or `kind`, added when it is new.
    ///
    /// # Panics
    /// With more than 65,535 words, which the reader's size budget rules out.
    pub fn intern(&mut self, text: &str) -> HeadIx {
        if let Some(at) = self.texts.iter().position(|have| have == text) {
            return HeadIx::try_from(at).expect("bounded below");
        }
        let ix = HeadIx::try_from(self.texts.len()).expect("a profile has fewer than 65,536 words");
        self.texts.push(text.into());
        let head = Head::parse(text);
        let (whole, names) = self.by_kind.entry(head.kind.into()).or_default();
        if head.name.is_empty() {
            *whole = Some(ix);
        } else {
            names.insert(head.name.into(), ix);
        }
        ix
    }

    /// The indices that an event answers to: its own word, and its kind as a whole.
    #[must_use]
    pub fn of(&self, head: Head<'_>) -> [Option<HeadIx>; 2] {
        let Some((whole, names)) = self.by_kind.get(head.kind) else {
            return [None, None];
        };
        [names.get(head.name).copied(), *whole]
    }

    /// The word.
    #[must_use]
    pub fn text(&self, ix: HeadIx) -> &str {
        &self.texts[usize::from(ix)]
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

impl Profile {
    /// The requirement with this id.
    #[must_use]
    pub fn requirement(&self, id: &str) -> Option<ReqIx> {
        self.requirements.iter().position(|req| req.id == id)
    }

    /// The machine whose states clients report, or the first with states.
    #[must_use]
    pub fn main_machine(&self) -> Option<(MachineIx, &Machine)> {
        self.machines.iter().enumerate().find(|(_, machine)| !machine.states.is_empty())
    }

    /// Whether clients report the states of the main machine; otherwise they are hidden, and the tables alone say
    /// which one a client is in.
    #[must_use]
    pub fn reports_states(&self) -> bool {
        self.main_machine().is_some_and(|(_, machine)| {
            machine.owns.iter().any(|head| self.heads.text(*head) == "state")
        })
    }

    /// The row with this id.
    #[must_use]
    pub fn row(&self, id: &str) -> Option<RowIx> {
        self.rows.iter().position(|row| row.id == id)
    }
}
