//! The documented grid: state x stimulus, each cell a row, forbidden, or silent.
//!
//! Not responsible for what a run saw in a cell; the oracle reports that per case.
//!
//! Invariant: every cell is listed. A profile with an unlisted cell does not load.

use super::machine::StateSet;
use super::{ClockIx, RegisterIx, ReqIx, RowIx, StateIx};
use crate::profile::machine::Pattern;
use crate::time::Micros;
use smol_str::SmolStr;

/// Index of a stimulus in [`Grid::stimuli`].
pub type StimulusIx = usize;

/// State x stimulus.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    /// The columns.
    pub stimuli: Vec<Stimulus>,
    /// All cells: for each state those stimuli that can occur in it.
    pub cells: Vec<Cell>,
}

/// A column of the grid.
#[derive(Clone, Debug)]
pub struct Stimulus {
    /// Its id.
    pub id: SmolStr,
    /// In words.
    pub title: String,
    /// What counts as this stimulus.
    pub is: StimulusIs,
    /// The states in which it can occur at all.
    pub states: StateSet,
}

/// What counts as a stimulus.
#[derive(Clone, Debug)]
pub enum StimulusIs {
    /// One of these events.
    On(Vec<Pattern>),
    /// One of these clocks has run for this long.
    Since(Vec<ClockIx>, Micros),
    /// One of these clocks has run for as many seconds as the register holds.
    SinceRegister(Vec<ClockIx>, RegisterIx),
}

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Its state.
    pub state: StateIx,
    /// Its stimulus.
    pub stimulus: StimulusIx,
    /// What the document says there.
    pub says: Says,
}

/// What the document says in a cell.
#[derive(Clone, Debug)]
pub enum Says {
    /// These rows.
    Rows(Vec<RowIx>),
    /// Any reaction, of the kinds that the machine owns, is a violation of this.
    Forbidden(ReqIx),
    /// Nothing: these rows permit, and what was seen is a choice.
    Silent(Vec<RowIx>),
}

impl Says {
    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Rows(_) => "row",
            Self::Forbidden(_) => "forbidden",
            Self::Silent(_) => "silent",
        }
    }
}

impl Grid {
    /// The cell of a state and a stimulus, where it exists.
    #[must_use]
    pub fn cell(&self, state: StateIx, stimulus: StimulusIx) -> Option<usize> {
        self.cells.iter().position(|cell| cell.state == state && cell.stimulus == stimulus)
    }
}
