//! The tables: machines of rows, and the patterns that rows wait for.
//!
//! Semantics stand in `docs/table-language.md`; the oracle implements them. Not responsible for
//! evaluating anything.
//!
//! Invariant: a row is as strict as its requirement, `strict` can only lower it.

use super::expr::Expr;
use super::requirement::{Basis, Strictness};
use super::{ClockIx, HeadIx, Length, MachineIx, RegisterIx, ReqIx, RowIx, StateIx};
use crate::time::Micros;
use crate::value::Value;
use smallvec::SmallVec;
use smol_str::SmolStr;

/// A set of states of one machine, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StateSet(pub u32);

impl StateSet {
    /// Whether the state is in the set.
    #[must_use]
    pub const fn has(self, state: StateIx) -> bool {
        self.0 & (1 << state) != 0
    }

    /// The set with one more state.
    #[must_use]
    pub const fn with(self, state: StateIx) -> Self {
        Self(self.0 | (1 << state))
    }

    /// Whether all of `self` is in `other`.
    #[must_use]
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The states in order.
    pub fn iter(self) -> impl Iterator<Item = StateIx> {
        (0..32).filter(move |state| self.has(*state))
    }
}

/// One table. Machines that follow another share its configurations, and `from` and `while` of
/// their rows speak of its states.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its name.
    pub name: SmolStr,
    /// The machine whose states its rows speak of: itself, or the one that it follows.
    pub leader: MachineIx,
    /// Kinds of observation that it owns; closed where `otherwise` is set.
    pub owns: Vec<HeadIx>,
    /// What an unexplained observation of an owned kind breaks.
    pub otherwise: Option<ReqIx>,
    /// Its states; none for a follower.
    pub states: Vec<SmolStr>,
    /// The state at the start.
    pub start: StateIx,
    /// Whose behaviour it describes.
    pub subject: Subject,
    /// Whether the document has this table, or its prose merely implies it.
    pub basis: Basis,
    /// Static checks of reports.
    pub values: Vec<ValueRule>,
    /// Its rows, as indices into the profile's.
    pub rows: Vec<RowIx>,
}

/// Whose behaviour a machine describes, and who is at fault when it is violated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The client under test.
    Client,
    /// The scripted server: the lab's own duty.
    Server,
}

/// A static check of one field of one kind of observation.
#[derive(Clone, Debug)]
pub struct ValueRule {
    /// The observations.
    pub head: HeadIx,
    /// The field.
    pub field: SmolStr,
    /// What a breach breaks.
    pub req: ReqIx,
    /// The check.
    pub check: ValueCheck,
}

/// A static check of a value.
#[derive(Clone, Debug)]
pub enum ValueCheck {
    /// It is one of these names.
    OneOf(Vec<SmolStr>),
    /// It is there at all.
    Required,
}

/// One row of a table.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id, unique in the profile.
    pub id: SmolStr,
    /// Its machine.
    pub machine: MachineIx,
    /// In words, for findings and the grid: what is permitted, expected or forbidden.
    pub title: String,
    /// The requirements that it carries; the first whose condition holds at the trigger counts.
    pub req: Vec<ReqCase>,
    /// What a report before the window breaks, where that is another requirement.
    pub early: Option<ReqIx>,
    /// What a report breaks whose trigger was withdrawn before the window opened.
    pub withdrawn: Option<ReqIx>,
    /// Lowers the strictness.
    pub strict: Option<Strictness>,
    /// States in which it applies; `None`: in any, and it stays when the state is left.
    pub from: Option<StateSet>,
    /// Condition at the trigger.
    pub guard: Option<Expr>,
    /// What kind of row it is.
    pub body: RowBody,
    /// Registers that it sets: with the report that closes it, or at once where it waits for none.
    pub set: Vec<Assign>,
}

/// A requirement, and when it is the one.
#[derive(Clone, Debug)]
pub struct ReqCase {
    /// Condition at the trigger.
    pub when: Option<Expr>,
    /// The requirement.
    pub req: ReqIx,
}

/// The kinds of row.
#[derive(Clone, Debug)]
pub enum RowBody {
    /// Waits for an observation or a signal: `transition`, `expect`, `may`.
    Expect(Expect),
    /// Moves without being seen (a hidden state), or only sets registers.
    Silent {
        /// What triggers it.
        trigger: Trigger,
        /// The state that it moves to, if any.
        to: Option<StateIx>,
    },
    /// Forbids.
    Never(Never),
    /// Demands again and again.
    Keep(Keep),
    /// A call completes.
    Settles(Settles),
    /// Records what the client chose where the document leaves it open.
    Choice {
        /// What triggers it.
        trigger: Trigger,
        /// What was chosen.
        choice: String,
    },
}

/// What opens a row.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// Any of these events.
    On(Vec<Pattern>),
    /// A clock that runs, whenever the state is in `from`.
    Since(ClockIx),
}

/// A row that waits.
#[derive(Clone, Debug)]
pub struct Expect {
    /// What opens it.
    pub trigger: Trigger,
    /// How long after the trigger its window opens.
    pub after: Micros,
    /// The register that holds how many seconds later still: a time that a call brings along. While it holds no
    /// number above zero, the row does not open.
    pub after_register: Option<RegisterIx>,
    /// How long the window is. `None` for a `may`: until the state is left.
    pub within: Option<Length>,
    /// From when on a late arrival warns, counted like `within`.
    pub warn_after: Option<Length>,
    /// What withdraws it.
    pub unless: Vec<Pattern>,
    /// Whether it demands.
    pub modality: Modality,
    /// What closes it.
    pub emit: Pattern,
    /// Graded fields: another value than these warns.
    pub prefer: Vec<(SmolStr, Constraint)>,
    /// Fields whose value is recorded.
    pub note: Vec<SmolStr>,
    /// Where it moves.
    pub to: Target,
    /// Requirement that a permitted answer, once given, satisfies.
    pub answered: Option<ReqIx>,
}

/// Whether a row demands or permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Modality {
    /// Permits.
    May,
    /// Demands; the requirement's strictness grades a breach.
    Must,
}

/// Where a row moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nowhere.
    Stay,
    /// To this state.
    State(StateIx),
    /// To whatever was reported.
    Observed,
}

/// A row that forbids.
#[derive(Clone, Debug)]
pub struct Never {
    /// What arms it, and for how long; `None`: the states of `from`, for as long as they last.
    pub on: Option<(Vec<Pattern>, Option<Length>)>,
    /// What disarms it.
    pub unless: Vec<Pattern>,
    /// What is forbidden.
    pub pattern: Pattern,
    /// Not yet forbidden for this long after it was armed.
    pub grace: Option<Length>,
    /// How long it must have been armed to count as satisfied; `None`: the longest gap between
    /// attempts plus 1 s, at least 10 s, with the network up.
    pub exposure: Option<Micros>,
}

/// A row that demands again and again.
#[derive(Clone, Debug)]
pub struct Keep {
    /// What must keep coming.
    pub pattern: Pattern,
    /// The longest gap.
    pub every: Length,
    /// Added to the gap.
    pub tolerance: Length,
    /// While this holds nothing is demanded, and the gap starts anew afterwards.
    pub suspended: Option<Expr>,
}

/// A row about the completion of calls.
#[derive(Clone, Debug)]
pub struct Settles {
    /// The call.
    pub op: SmolStr,
    /// Its heads: `call.op`, `result.op`.
    pub heads: (HeadIx, HeadIx),
    /// The longest time that a call may stay unanswered.
    pub cap: Length,
    /// The codes allowed; the first whose condition holds at the result counts.
    pub codes: Vec<CodeRule>,
}

/// The codes allowed in one situation.
#[derive(Clone, Debug)]
pub struct CodeRule {
    /// The situation.
    pub when: Option<Expr>,
    /// What it must be.
    pub code: Constraint,
    /// What it should be.
    pub prefer: Option<Constraint>,
    /// What another code breaks, where that differs from the row's requirement.
    pub req: Option<ReqIx>,
    /// What another code than the preferred one breaks.
    pub prefer_req: Option<ReqIx>,
}

/// Sets a register.
#[derive(Clone, Debug)]
pub struct Assign {
    /// Which.
    pub register: RegisterIx,
    /// To what.
    pub value: Source,
}

/// Where an assigned value comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Written out.
    Literal(Value),
    /// The register's own value plus this.
    Plus(i64),
    /// A field of the trigger.
    Trigger(SmolStr),
    /// Whether a field of the trigger is untrue.
    NotTrigger(SmolStr),
}

/// Matches events: one of the heads, and all fields.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    /// The words; the kind as a whole is a word, too.
    pub heads: SmallVec<[HeadIx; 2]>,
    /// Constraints on fields.
    pub fields: Vec<(SmolStr, Constraint)>,
    /// Looks at other clients' events, too, where the field `uid` is this client's.
    pub of_self: bool,
}

/// A constraint on a field.
#[derive(Clone, Debug)]
pub enum Constraint {
    /// Anything, also nothing.
    Any,
    /// One of these.
    OneOf(Vec<Value>),
    /// None of these.
    NoneOf(Vec<Value>),
    /// What the trigger has in this field.
    Same(SmolStr),
    /// What the register holds; anything while it holds nothing.
    Register(RegisterIx),
    /// The state that the instance is already in.
    Current,
    /// The user of this client.
    Own,
}
