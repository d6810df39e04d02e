//! What guards and patterns can ask: clocks, counters, and a view of one configuration.
//!
//! Not responsible for moving anything.
//!
//! Invariant: clocks are ground truth, shared by all configurations of a client.

use super::config::Config;
use crate::profile::expr::{Facts, Term};
use crate::profile::machine::{Constraint, Pattern, StateSet};
use crate::profile::{ClockIx, HeadIx, RowIx};
use crate::time::Micros;
use crate::trace::Event;
use crate::value::{Fields, Value};
use smallvec::SmallVec;

/// One clock of one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClockState {
    /// It has been started.
    pub(super) started: bool,
    /// Since when it may have been running: for a silent link, the last byte heard.
    pub(super) heard: Micros,
    /// Since when it has surely been running.
    pub(super) sure: Micros,
    /// When it was stopped, if it was.
    pub(super) stopped: Option<Micros>,
    /// The event that started it.
    pub(super) n: u32,
}

impl ClockState {
    pub(super) const fn running(&self) -> bool {
        self.started && self.stopped.is_none()
    }

    /// Starts by a signal: `heard_ms` alone is a point in the past, both make an interval.
    pub(super) fn start(&mut self, event: &Event) {
        let heard = event.data.time("heard_ms");
        let sure = event.data.time("sure_ms").or(heard);
        *self = Self {
            started: true,
            heard: heard.unwrap_or(event.at),
            sure: sure.unwrap_or(event.at),
            stopped: None,
            n: event.n,
        };
    }
}

/// All clocks of one client at one moment.
pub(super) type Clocks = SmallVec<[ClockState; 6]>;

/// A call of the application that has not completed.
#[derive(Clone, Debug)]
pub(super) struct OpenCall {
    /// Its number.
    pub(super) call: i64,
    /// The row that demands its completion.
    pub(super) row: RowIx,
    /// When it was made.
    pub(super) at: Micros,
    /// Its event.
    pub(super) event: Event,
    /// The states that the client may have been in.
    pub(super) possible: StateSet,
    /// The counters at the call.
    pub(super) counts: Box<[u32]>,
    /// Words that may have come since then without being seen.
    pub(super) unseen: SmallVec<[HeadIx; 2]>,
    /// The cap's warning was given.
    pub(super) warned: bool,
    /// It was found overdue.
    pub(super) overdue: bool,
}

/// What a guard sees.
pub(super) struct View<'a> {
    pub(super) config: &'a Config,
    pub(super) clocks: &'a [ClockState],
    pub(super) counts: &'a [u32],
    pub(super) now: Micros,
    pub(super) trigger: Option<&'a Event>,
    pub(super) event: Option<&'a Event>,
    pub(super) call: Option<&'a OpenCall>,
    /// The states that the client may be in by now, over all configurations.
    pub(super) possible: StateSet,
}

impl Facts for View<'_> {
    fn state_in(&self, set: StateSet) -> bool {
        set.has(self.config.state)
    }

    fn state_only_in(&self, set: StateSet) -> bool {
        self.call.map_or(self.possible, |call| call.possible).within(set)
    }

    fn via(&self, rows: &[RowIx]) -> bool {
        self.config.via.is_some_and(|via| rows.contains(&via))
    }

    fn running(&self, clock: ClockIx) -> bool {
        self.clocks[clock].running()
    }

    fn exact(&self, clock: ClockIx) -> bool {
        self.clocks[clock].heard == self.clocks[clock].sure
    }

    fn since(&self, heads: &[HeadIx]) -> bool {
        self.call.is_some_and(|call| {
            heads.iter().any(|head| {
                self.counts[usize::from(*head)] > call.counts[usize::from(*head)]
                    || call.unseen.contains(head)
            })
        })
    }

    fn term(&self, term: &Term) -> Value {
        let field = |event: Option<&Event>, name: &str| {
            event.and_then(|event| event.data.get(name)).cloned().unwrap_or_default()
        };
        match term {
            Term::Literal(value) => value.clone(),
            Term::Duration(time) => (*time).into(),
            Term::Register(register) => self.config.registers[*register].clone(),
            Term::Trigger(name) => {
                field(self.trigger.or_else(|| self.call.map(|call| &call.event)), name)
            }
            Term::Event(name) => field(self.event, name),
            Term::Elapsed(clock) => {
                let clock = &self.clocks[*clock];
                if clock.started {
                    clock.stopped.unwrap_or(self.now).since(clock.heard).into()
                } else {
                    Value::Null
                }
            }
            Term::Held => self.now.since(self.config.entered).into(),
            Term::Age => self.call.map_or(Value::Null, |call| self.now.since(call.at).into()),
            Term::Count(head) => self.counts[usize::from(*head)].into(),
        }
    }
}

/// Whether an event has one of the pattern's words and all of its fields.
pub(super) fn matches(
    pattern: &Pattern,
    words: &[HeadIx],
    event: &Event,
    config: &Config,
    state: Option<&str>,
    trigger: Option<&Event>,
) -> bool {
    pattern.heads.iter().any(|head| words.contains(head))
        && pattern
            .fields
            .iter()
            .all(|(name, want)| allows(want, event.data.get(name), config, state, trigger))
}

/// Whether a field has a value that the constraint allows.
pub(super) fn allows(
    want: &Constraint,
    have: Option<&Value>,
    config: &Config,
    state: Option<&str>,
    trigger: Option<&Event>,
) -> bool {
    let null = Value::Null;
    let have = have.unwrap_or(&null);
    match want {
        Constraint::Any => true,
        Constraint::OneOf(list) => list.iter().any(|value| value.means(have)),
        Constraint::NoneOf(list) => !list.iter().any(|value| value.means(have)),
        Constraint::Same(field) => {
            trigger.and_then(|event| event.data.get(field)).is_some_and(|value| value.means(have))
        }
        Constraint::Register(register) => {
            let value = &config.registers[*register];
            *value == Value::Null || value.means(have)
        }
        Constraint::Current => state.is_some_and(|state| have.as_text() == Some(state)),
        Constraint::Own => have.as_text() == Some(config.uid.as_str()),
    }
}

/// The value of a field, or nothing.
pub(super) fn field(data: &Fields, name: &str) -> Value {
    data.get(name).cloned().unwrap_or_default()
}
