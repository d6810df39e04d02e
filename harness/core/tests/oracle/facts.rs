//! What is known of a life: its events, its clocks, its calls, and what guards can ask of it.
//!
//! Not responsible for changing any of it.
//!
//! Invariant: guards are answered from ground truth, and from where the client really is.

use crate::world::World;
use stateline_core::profile::expr::{Facts, Term};
use stateline_core::profile::machine::StateSet;
use stateline_core::profile::{ClockIx, HeadIx, RowIx, StateIx};
use stateline_core::time::Micros;
use stateline_core::trace::Event;
use stateline_core::value::Value;

/// An event of a life, and why a client showed it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) event: Event,
    pub(crate) origin: Option<Origin>,
    /// Nothing was owed when it came.
    pub(crate) quiet: bool,
    /// The state that the client had last reported.
    pub(crate) state: StateIx,
}

/// Why a client showed something.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) row: RowIx,
    /// The state that it left.
    pub(crate) from: StateIx,
    pub(crate) lo: Micros,
    pub(crate) hi: Micros,
    /// The trigger, or the event that started the clock.
    pub(crate) cause: usize,
    pub(crate) timed: bool,
    /// Nothing excuses its absence.
    pub(crate) demanded: bool,
}

/// A named interval of ground truth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Clock {
    pub(crate) started: bool,
    pub(crate) heard: Micros,
    pub(crate) sure: Micros,
    pub(crate) stopped: Option<Micros>,
    /// The event that started it.
    pub(crate) cause: usize,
}

impl Clock {
    pub(crate) const fn running(&self) -> bool {
        self.started && self.stopped.is_none()
    }
}

/// A call that has not completed.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) number: i64,
    pub(crate) event: Event,
    pub(crate) possible: StateSet,
    pub(crate) counts: Vec<u32>,
    pub(crate) scheduled: bool,
}

/// What a guard sees.
pub(crate) struct View<'a> {
    pub(crate) world: &'a World<'a>,
    pub(crate) state: StateIx,
    pub(crate) event: Option<&'a Event>,
    pub(crate) call: Option<&'a Call>,
}

impl Facts for View<'_> {
    fn state_in(&self, set: StateSet) -> bool {
        set.has(self.state)
    }
    fn state_only_in(&self, set: StateSet) -> bool {
        self.call.map_or_else(|| self.world.possible(), |call| call.possible).within(set)
    }
    fn via(&self, _: &[RowIx]) -> bool {
        false
    }
    fn running(&self, clock: ClockIx) -> bool {
        self.world.clocks[clock].running()
    }
    fn exact(&self, clock: ClockIx) -> bool {
        self.world.clocks[clock].heard == self.world.clocks[clock].sure
    }
    fn since(&self, heads: &[HeadIx]) -> bool {
        let more = |call: &Call, head: &HeadIx| {
            self.world.counts[usize::from(*head)] > call.counts[usize::from(*head)]
        };
        self.call.is_some_and(|call| heads.iter().any(|head| more(call, head)))
    }
    fn term(&self, term: &Term) -> Value {
        let world = self.world;
        match term {
            Term::Literal(value) => value.clone(),
            Term::Duration(time) => (*time).into(),
            Term::Register(register) => world.registers[*register].clone(),
            Term::Trigger(name) | Term::Event(name) => self
                .event
                .or_else(|| self.call.map(|call| &call.event))
                .and_then(|event| event.data.get(name))
                .cloned()
                .unwrap_or_default(),
            Term::Elapsed(clock) => {
                let clock = &world.clocks[*clock];
                clock.stopped.unwrap_or(world.now).since(clock.heard).into()
            }
            Term::Held => world.now.since(world.entered).into(),
            Term::Age => {
                self.call.map_or(Value::Null, |call| world.now.since(call.event.at).into())
            }
            Term::Count(head) => world.counts[usize::from(*head)].into(),
        }
    }
}
