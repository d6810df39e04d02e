//! Guards: conditions on state, clocks, registers and the event at hand.
//!
//! Not responsible for parsing (authoring does) nor for where the facts come from: the oracle
//! hands them in as a [`Facts`].
//!
//! Invariant: evaluation is total and has no side effect; a fact that is missing is untrue.

use super::machine::StateSet;
use super::{ClockIx, HeadIx, RegisterIx, RowIx};
use crate::time::Micros;
use crate::value::Value;
use smol_str::SmolStr;

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Written out.
    Const(bool),
    /// The opposite.
    Not(Box<Self>),
    /// All of these.
    And(Vec<Self>),
    /// Any of these.
    Or(Vec<Self>),
    /// A comparison.
    Compare(Compare, Term, Term),
    /// The value is in the list.
    In(Term, Vec<Value>),
    /// The value is neither nothing, nor zero, nor empty.
    Truthy(Term),
    /// The state is in the set.
    State(StateSet),
    /// Every state that the client may be in by now is in the set.
    StateOnly(StateSet),
    /// The state was entered by one of these rows.
    Via(Vec<RowIx>),
    /// The clock runs.
    Running(ClockIx),
    /// The clock's start is a point, not an interval.
    Exact(ClockIx),
    /// One of these was seen since the call at hand.
    Since(Vec<HeadIx>),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Equal.
    Eq,
    /// Different.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// More.
    Gt,
    /// More or equal.
    Ge,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// Written out.
    Literal(Value),
    /// A duration, in milliseconds when compared.
    Duration(Micros),
    /// A register.
    Register(RegisterIx),
    /// A field of the trigger.
    Trigger(SmolStr),
    /// A field of the event at hand.
    Event(SmolStr),
    /// Time since a clock started; of a stopped clock, its whole length.
    Elapsed(ClockIx),
    /// Time since the state was entered.
    Held,
    /// Time since the call at hand.
    Age,
    /// How many of these the instance has seen.
    Count(HeadIx),
}

/// What a guard can ask.
pub trait Facts {
    /// Whether the current state is in the set.
    fn state_in(&self, set: StateSet) -> bool;
    /// Whether every state that the client may be in is in the set.
    fn state_only_in(&self, set: StateSet) -> bool;
    /// Whether the state was entered by one of these rows.
    fn via(&self, rows: &[RowIx]) -> bool;
    /// Whether the clock runs.
    fn running(&self, clock: ClockIx) -> bool;
    /// Whether the clock's start is a point.
    fn exact(&self, clock: ClockIx) -> bool;
    /// Whether one of these was seen since the call at hand.
    fn since(&self, heads: &[HeadIx]) -> bool;
    /// The value of a term that is not written out.
    fn term(&self, term: &Term) -> Value;
}

impl Expr {
    /// Whether the condition holds.
    #[must_use]
    pub fn holds(&self, facts: &dyn Facts) -> bool {
        match self {
            Self::Const(b) => *b,
            Self::Not(inner) => !inner.holds(facts),
            Self::And(all) => all.iter().all(|inner| inner.holds(facts)),
            Self::Or(any) => any.iter().any(|inner| inner.holds(facts)),
            Self::Compare(op, left, right) => op.holds(&left.value(facts), &right.value(facts)),
            Self::In(term, list) => {
                let value = term.value(facts);
                list.iter().any(|have| have.means(&value))
            }
            Self::Truthy(term) => term.value(facts).is_truthy(),
            Self::State(set) => facts.state_in(*set),
            Self::StateOnly(set) => facts.state_only_in(*set),
            Self::Via(rows) => facts.via(rows),
            Self::Running(clock) => facts.running(*clock),
            Self::Exact(clock) => facts.exact(*clock),
            Self::Since(heads) => facts.since(heads),
        }
    }
}

impl Term {
    fn value(&self, facts: &dyn Facts) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Duration(time) => Value::from(*time),
            other => facts.term(other),
        }
    }
}

impl Compare {
    /// Compares numbers by size and everything else for equality; an order of what has none is
    /// untrue.
    #[must_use]
    pub fn holds(self, left: &Value, right: &Value) -> bool {
        match self {
            Self::Eq => left.means(right),
            Self::Ne => !left.means(right),
            _ => {
                let (Some(left), Some(right)) = (left.as_num(), right.as_num()) else {
                    return false;
                };
                match self {
                    Self::Lt => left < right,
                    Self::Le => left <= right,
                    Self::Gt => left > right,
                    _ => left >= right,
                }
            }
        }
    }
}
