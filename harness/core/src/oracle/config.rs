//! One configuration: what the table allows a client to be in, and what it owes.
//!
//! Not responsible for choosing between configurations; [`super::group`] does.
//!
//! Invariant: an open row's window never moves later after it was opened.

use crate::profile::machine::{Expect, Modality, StateSet, Target};
use crate::profile::{ReqIx, RowIx, StateIx};
use crate::time::Micros;
use crate::trace::Event;
use crate::value::Value;
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::rc::Rc;

/// One configuration of a group of machines.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Config {
    /// The state of the leader.
    pub(super) state: StateIx,
    /// The row that entered it.
    pub(super) via: Option<RowIx>,
    /// When that was seen.
    pub(super) entered: Micros,
    /// Events before this number were taken in by earlier states.
    pub(super) seen: u32,
    /// Memory.
    pub(super) registers: SmallVec<[Value; 8]>,
    /// The user of the client.
    pub(super) uid: SmolStr,
    /// Rows that wait.
    pub(super) open: Vec<Open>,
    /// Prohibitions that an event armed.
    pub(super) armed: Vec<Armed>,
}

/// A row that waits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Open {
    /// The row.
    pub(super) row: RowIx,
    /// Whether it still demands.
    pub(super) modality: Modality,
    /// When its window opens.
    pub(super) lo: Micros,
    /// From when on a late arrival warns.
    pub(super) warn: Option<Micros>,
    /// When it is overdue; `None`: never.
    pub(super) hi: Option<Micros>,
    /// The requirement, taken at the trigger.
    pub(super) req: Option<ReqIx>,
    /// What triggered it; `None` for a clock.
    pub(super) trigger: Option<Trigger>,
    /// The event that opened it, or that started its clock: where a finding begins to be seen.
    pub(super) cause: u32,
    /// Moves to.
    pub(super) to: Target,
    /// It was found overdue.
    pub(super) overdue: bool,
    /// The warning was given.
    pub(super) warned: bool,
    /// It only watches that a withdrawn report does not come.
    pub(super) watch: bool,
    /// When it was withdrawn, if its report may still come.
    pub(super) withdrawn: Option<Micros>,
}

/// The event that opened a row.
#[derive(Clone, Debug)]
pub(super) struct Trigger {
    pub(super) event: Rc<Event>,
}

impl PartialEq for Trigger {
    fn eq(&self, other: &Self) -> bool {
        self.event.n == other.event.n
    }
}

/// A prohibition that an event armed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Armed {
    pub(super) row: RowIx,
    pub(super) req: Option<ReqIx>,
    pub(super) from: Micros,
    pub(super) until: Option<Micros>,
    /// Since when it is tempted: what it forbids could be seen from then on.
    pub(super) since: Micros,
    pub(super) trigger: Trigger,
    pub(super) satisfied: bool,
}

impl Open {
    /// The state that it leaves to is reached at its report, whatever it is.
    pub(super) const fn moves(&self) -> bool {
        !matches!(self.to, Target::Stay)
    }

    /// The event that opened it.
    pub(super) fn event(&self) -> Option<&Event> {
        self.trigger.as_ref().map(|trigger| &*trigger.event)
    }
}

impl Config {
    /// The states that the client may be in by now: its own, and where rows that are due lead.
    pub(super) fn possible(&self, now: Micros, all: StateSet) -> StateSet {
        let mut set = StateSet::default().with(self.state);
        for open in self.open.iter().filter(|open| open.lo <= now && !open.watch) {
            match open.to {
                Target::Stay => {}
                Target::State(state) => set = set.with(state),
                Target::Observed => set = all,
            }
        }
        set
    }

    /// How long after its trigger the window of a row opens; `None` where a register should say and does not.
    pub(super) fn delay(&self, expect: &Expect) -> Option<Micros> {
        match expect.after_register {
            None => Some(expect.after),
            Some(register) => seconds(&self.registers[register]).map(|time| expect.after + time),
        }
    }

    /// Whether the client may have left its state by now without having said so.
    pub(super) fn leaving(&self, now: Micros) -> bool {
        self.open.iter().any(|open| open.lo <= now && open.moves() && !open.watch)
    }
}

/// A number of seconds above zero as a time.
pub(super) fn seconds(value: &Value) -> Option<Micros> {
    let seconds = value.as_num().filter(|n| *n > 0.0)?;
    Some(Micros::from_ms(seconds * 1_000.0))
}
