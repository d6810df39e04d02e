//! One observation of a life, spoiled.
//!
//! Not responsible for judging. Where the table permits the spoiled trace, there is no fault:
//! those are left out by asking the rows, never the oracle.
//!
//! Invariant: every fault says which requirements may be named for it, read from the rows.

use crate::facts::{Origin, Seen};
use crate::table::{Ids, Table};
use crate::tape::Tape;
use crate::world::World;
use stateline_core::profile::machine::{Constraint, Modality, Pattern, RowBody, Trigger};
use stateline_core::profile::{RowIx, StateIx};
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};
use stateline_core::value::{Fields, Value};

/// What is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    AlteredCode,
    AlteredReason,
    AlteredState,
    Doubled,
    DoubledResult,
    Early,
    Extra,
    Late,
    LeftOut,
    NoReason,
    Swapped,
    UnknownState,
}

/// All of them.
pub(crate) const KINDS: [Kind; 12] = [
    Kind::AlteredCode,
    Kind::AlteredReason,
    Kind::AlteredState,
    Kind::Doubled,
    Kind::DoubledResult,
    Kind::Early,
    Kind::Extra,
    Kind::Late,
    Kind::LeftOut,
    Kind::NoReason,
    Kind::Swapped,
    Kind::UnknownState,
];

/// A spoiled trace.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) events: Vec<Event>,
    /// Requirements that may be named first.
    pub(crate) names: Ids,
    /// What was done, in words.
    pub(crate) what: String,
}

const MS: Micros = Micros::from_millis(1);

/// A fault of this kind in a life, where the life has a place for it.
pub(crate) fn spoil(world: &World<'_>, kind: Kind, tape: &mut Tape) -> Option<Fault> {
    let places: Vec<usize> =
        (0..world.trace.len()).filter(|at| eligible(world, kind, *at)).collect();
    // Several places are tried, for the table may permit what is tried first.
    for _ in 0..6 {
        if places.is_empty() {
            return None;
        }
        let at = *tape.one_of(&places);
        if let Some(fault) = fault_at(world, kind, at, tape) {
            return Some(fault);
        }
    }
    None
}

fn eligible(world: &World<'_>, kind: Kind, at: usize) -> bool {
    let seen = &world.trace[at];
    let owed = seen.origin.as_ref().is_some_and(|origin| origin.demanded);
    match kind {
        Kind::AlteredCode => owed && seen.event.kind == "result" && is_certain(world, at),
        Kind::DoubledResult => seen.event.kind == "result" && seen.origin.is_some(),
        Kind::Extra => seen.quiet && seen.origin.is_none() && at > 0,
        _ => owed && seen.event.kind == "state",
    }
}

/// Whether the state at the call was certain: no other call of the method can still be under way,
/// nothing was owed, and no interruption had just ended.
fn is_certain(world: &World<'_>, at: usize) -> bool {
    let Some(origin) = &world.trace[at].origin else { return false };
    let op = world.trace[at].event.data.text("op");
    let late = world.table.profile.tolerance.late;
    let blurs = |seen: &Seen| {
        let ago = origin.lo.since(seen.event.at);
        let same = seen.event.kind == "call" && seen.event.data.text("op") == op;
        same && ago <= Micros::from_secs(60)
            || seen.event.kind == "service.back" && ago <= late + late
    };
    world.trace[origin.cause].quiet && !world.trace[..origin.cause].iter().any(blurs)
}

fn fault_at(world: &World<'_>, kind: Kind, at: usize, tape: &mut Tape) -> Option<Fault> {
    let table = world.table;
    let seen = &world.trace[at];
    let mut events = world.events();
    let what = format!("{kind:?} at event {at}");
    let (names, events) = match kind {
        Kind::AlteredCode => {
            let code = if seen.event.data.text("code") == Some("ok") { "refused" } else { "ok" };
            set(&mut events[at], "code", code);
            (table.ids_of(seen.origin.as_ref()?.row), events)
        }
        Kind::DoubledResult => {
            events.insert(at + 1, seen.event.clone());
            let mut names = table.otherwise(&seen.event.head().to_string());
            for state in 0..table.states().len() {
                names.extend(table.forbidding(state, &seen.event));
            }
            (names, events)
        }
        Kind::Extra => return extra(world, at, tape, what),
        Kind::AlteredReason => {
            let origin = seen.origin.as_ref()?;
            let wrong = wrong_reason(table, origin, tape)?;
            set(&mut events[at], "reason", wrong);
            if permitted(world, at, origin.from, &events[at]) {
                return None;
            }
            let mut names = table.ids_of(origin.row);
            names.extend(table.forbidding(origin.from, &events[at]));
            (names, events)
        }
        Kind::NoReason => {
            set(&mut events[at], "reason", Value::Null);
            (table.values("reason", true), events)
        }
        Kind::UnknownState => {
            set(&mut events[at], "state", "limbo");
            (table.values("state", false), events)
        }
        Kind::AlteredState => {
            let origin = seen.origin.as_ref()?;
            let others: Vec<StateIx> = (0..table.states().len())
                .filter(|state| {
                    Some(table.states()[*state].as_str()) != seen.event.data.text("state")
                })
                .collect();
            let state = *tape.one_of(&others);
            set(&mut events[at], "state", table.states()[state].clone());
            if permitted(world, at, origin.from, &events[at]) {
                return None;
            }
            let mut names = table.ids_of(origin.row);
            names.extend(table.forbidding(origin.from, &events[at]));
            names.extend(rivals(world, origin, at));
            (names, events)
        }
        Kind::Doubled => {
            let state = table.state(seen.event.data.text("state")?);
            if permitted(world, at + 1, state, &seen.event) {
                return None;
            }
            events.insert(at + 1, seen.event.clone());
            (table.forbidding_repetition(state, &seen.event), events)
        }
        Kind::LeftOut => {
            let origin = seen.origin.as_ref()?;
            if excused_by_next(world, at, origin) {
                return None;
            }
            events.remove(at);
            let mut names = table.ids_of(origin.row);
            let next = events[at..].iter().find(|event| event.kind == "state");
            if let Some(next) = next
                && next.data.text("state") == Some(table.states()[origin.from].as_str())
            {
                names.extend(table.forbidding_repetition(origin.from, next));
            }
            (names, events)
        }
        Kind::Late => {
            let origin = seen.origin.as_ref()?;
            let to = origin.hi + MS;
            let between = world.trace[at + 1..].iter().take_while(|next| next.event.at <= to + MS);
            if between.clone().any(|next| next.event.data.text("message") != Some("ping")) {
                return None;
            }
            let n = between.count();
            events[at].at = to;
            events[at..=at + n].rotate_left(1);
            events[at..=at + n].sort_by_key(|event| event.at);
            (table.ids_of(origin.row), events)
        }
        Kind::Early => return early(world, at, tape, what),
        Kind::Swapped => {
            let origin = seen.origin.as_ref()?;
            let next = (at + 1..world.trace.len())
                .find(|next| world.trace[*next].event.kind == "state")?;
            let second = world.trace[next].origin.as_ref()?;
            let data = std::mem::take(&mut events[at].data);
            events[at].data = std::mem::replace(&mut events[next].data, data);
            if events[at].data.text("state") == events[next].data.text("state")
                || !second.demanded
                || permitted(world, at, origin.from, &events[at])
                || explains(
                    world,
                    &world.trace[..at],
                    origin.cause,
                    origin.from,
                    &events[at],
                    Modality::Must,
                )
            {
                return None;
            }
            let mut names = table.ids_of(origin.row);
            names.extend(table.ids_of(second.row));
            names.extend(table.without_cause(origin.from, &events[at]));
            (names, events)
        }
    };
    Some(Fault { events: renumbered(events), names, what })
}

/// A report that nothing caused, at a moment when nothing is owed.
fn extra(world: &World<'_>, at: usize, tape: &mut Tape, what: String) -> Option<Fault> {
    let table = world.table;
    let before = &world.trace[at - 1];
    let state = world.trace[at].state;
    let to = tape.below(u32::try_from(table.states().len()).unwrap()) as usize;
    let reason = table.pick(None, "reason", None, tape);
    let data = Fields::new().with("state", table.states()[to].clone()).with("reason", reason);
    let event = report(before.event.at, data);
    if permitted(world, at, state, &event) {
        return None;
    }
    let names = if to == state {
        table.forbidding_repetition(to, &event)
    } else {
        table.without_cause(state, &event)
    };
    let mut events = world.events();
    events.insert(at, event);
    Some(Fault { events: renumbered(events), names, what })
}

/// A report before its window.
fn early(world: &World<'_>, at: usize, tape: &mut Tape, what: String) -> Option<Fault> {
    let table = world.table;
    let seen = &world.trace[at];
    let origin = seen.origin.as_ref()?;
    let entered = (0..at)
        .rev()
        .find(|before| world.trace[*before].event.kind == "state")
        .map_or(0, |before| before + 1);
    let cause = &world.trace[origin.cause].event;
    let after_cause = origin.timed && entered <= origin.cause;
    let first = if after_cause { origin.cause + 1 } else { entered };
    let opens = if entered > 0 { world.trace[entered - 1].event.at } else { Micros::ZERO };
    let (lo, hi) = if after_cause {
        (cause.at, origin.lo.since(MS))
    } else if origin.timed {
        (opens, origin.lo.since(MS))
    } else {
        (opens, cause.at.since(MS))
    };
    let lo = lo + MS;
    if hi < lo || hi >= origin.lo {
        return None;
    }
    let to = tape.within(lo, hi);
    // It goes behind everything of its new instant.
    let place = (first..at).find(|next| world.trace[*next].event.at > to).unwrap_or(at);
    let event = Event { at: to, ..seen.event.clone() };
    if permitted(world, place, origin.from, &event) {
        return None;
    }
    let mut names = table.ids_of(origin.row);
    if !after_cause {
        names.extend(table.without_cause(origin.from, &event));
    }
    let mut events = world.events();
    events.remove(at);
    events.insert(place, event);
    Some(Fault { events: renumbered(events), names, what })
}

/// A reason that the row does not accept.
fn wrong_reason(table: &Table, origin: &Origin, tape: &mut Tape) -> Option<Value> {
    let RowBody::Expect(expect) = &table.profile.rows[origin.row].body else { return None };
    let (_, want) = expect.emit.fields.iter().find(|(name, _)| name == "reason")?;
    let wrong = match want {
        Constraint::OneOf(list) => Constraint::NoneOf(list.clone()),
        Constraint::NoneOf(list) => Constraint::OneOf(list.clone()),
        _ => return None,
    };
    Some(table.pick(Some(&wrong), "reason", None, tape))
}

/// Whether the table lets this report pass at this place: by a permission of the state that was
/// triggered in it, or by a call of the last minute that is still unanswered.
fn permitted(world: &World<'_>, at: usize, state: StateIx, event: &Event) -> bool {
    let before = &world.trace[..at.min(world.trace.len())];
    let enters = |seen: &&Seen| {
        let reported = seen.event.data.text("state").map(|name| world.table.state(name));
        seen.event.kind == "state" && seen.origin.as_ref().map(|origin| origin.from) != reported
    };
    let entry = before.iter().rev().find(enters);
    let entered = match entry.and_then(|seen| seen.origin.as_ref()) {
        Some(origin) if origin.timed => before.partition_point(|seen| seen.event.at < origin.lo),
        // What was only permitted leaves its own trigger to the new state, too.
        Some(origin) => origin.cause + usize::from(demands(world.table, origin.row)),
        None => 0,
    };
    explains(world, before, entered, state, event, Modality::May)
}

/// Whether the report that comes next is right without the one that is left out.
fn excused_by_next(world: &World<'_>, at: usize, origin: &Origin) -> bool {
    let next = (at + 1..world.trace.len()).find(|next| world.trace[*next].event.kind == "state");
    next.is_some_and(|next| {
        let event = &world.trace[next].event;
        let before = &world.trace[..next];
        permitted(world, at, origin.from, event)
            || explains(world, before, origin.cause, origin.from, event, Modality::Must)
    })
}

/// Whether a row of the state, triggered since `entered`, explains a report. A clock may have
/// started, and a call may have been made, before.
fn explains(
    world: &World<'_>,
    before: &[Seen],
    entered: usize,
    state: StateIx,
    event: &Event,
    at_most: Modality,
) -> bool {
    let table = world.table;
    let now = before.last().map(|seen| seen.event.at).unwrap_or_default();
    let recent = before.partition_point(|seen| seen.event.at + Micros::from_secs(60) < now);
    let answered = |call: usize| {
        let by = |seen: &Seen| seen.origin.as_ref().is_some_and(|origin| origin.cause == call);
        before.iter().any(|seen| seen.event.kind == "state" && by(seen))
    };
    table.reports().any(|(_, row, expect)| {
        let met = |patterns: &[Pattern], seen: &Seen| {
            patterns.iter().any(|pattern| table.matches(pattern, &seen.event, None, None))
        };
        let triggered = match &expect.trigger {
            Trigger::On(patterns) => before.iter().enumerate().any(|(n, seen)| {
                let since = n >= entered && expect.modality <= at_most;
                let call = n >= recent && seen.event.kind == "call" && n + 1 < before.len();
                let offered = call && row.from.is_some_and(|from| !from.has(seen.state));
                (since || offered && !answered(n)) && met(patterns, seen)
            }),
            Trigger::Since(clock) => {
                let clock = &table.profile.clocks[*clock];
                let late = table.profile.tolerance.late;
                // What a withdrawal leaves of a demand lasts for twice the tolerance at most.
                let left = |seen: &Seen| seen.event.at + late + late >= event.at;
                before.iter().any(|seen| match expect.modality {
                    Modality::May => met(&clock.start, seen),
                    Modality::Must => left(seen) && met(&clock.stop, seen),
                })
            }
        };
        triggered
            && row.from.is_none_or(|from| from.has(state))
            && table.matches(&expect.emit, event, None, None)
    })
}

/// What other rows of the state carry that were triggered while the report was owed.
fn rivals(world: &World<'_>, origin: &Origin, at: usize) -> Ids {
    let table = world.table;
    let since = &world.trace[origin.cause..at];
    let triggered = |trigger: &Trigger| match trigger {
        Trigger::On(patterns) => since.iter().any(|seen| {
            patterns.iter().any(|pattern| table.matches(pattern, &seen.event, None, None))
        }),
        Trigger::Since(_) => false,
    };
    table
        .reports()
        .filter(|(_, row, expect)| {
            row.from.is_some_and(|from| from.has(origin.from)) && triggered(&expect.trigger)
        })
        .flat_map(|(ix, ..)| table.ids_of(ix))
        .collect()
}

fn demands(table: &Table, row: RowIx) -> bool {
    let body = &table.profile.rows[row].body;
    matches!(body, RowBody::Expect(expect) if expect.modality == Modality::Must)
}

fn report(at: Micros, data: Fields) -> Event {
    let client = Some(crate::table::ALICE.into());
    Event { n: 0, at, client, plane: Plane::Control, kind: "state".into(), data }
}

fn set(event: &mut Event, field: &'static str, value: impl Into<Value>) {
    event.data.set(field.into(), value.into());
}

/// Positions anew.
pub(crate) fn renumbered(mut events: Vec<Event>) -> Vec<Event> {
    for (n, event) in (0u32..).zip(&mut events) {
        event.n = n;
    }
    events
}
