//! Reads what a profile measures by: timers, caps, tolerance, variants, clocks, registers.
//!
//! Not responsible for when a clock starts; the oracle runs them.
//!
//! Invariant: timers, caps, clocks and registers share no name, so that a condition means one thing.

use super::{Places, Tables};
use crate::diagnostic::Sink;
use crate::expr::{self, RESERVED, Scope};
use crate::node::Node;
use crate::reader::{self, MapReader};
use indexmap::IndexMap;
use smol_str::SmolStr;
use stateline_core::profile::{Clock, KeepStart, Length, RegisterIx, Tolerance};
use stateline_core::time::Micros;
use stateline_core::value::Value;

/// All durations with a name.
pub(super) struct Times {
    pub(super) timers: IndexMap<SmolStr, Micros>,
    pub(super) caps: IndexMap<SmolStr, Micros>,
    pub(super) tolerance: Tolerance,
    places: Places,
}

/// Reads `timers`, `caps` and `tolerance`. The timer value `wire` is the wire's heartbeat period.
pub(super) fn read(map: &mut MapReader<'_>, heartbeat: Micros, sink: &mut Sink) -> Times {
    let (timers_node, caps_node) = (map.get("timers"), map.get("caps"));
    let mut times = Times {
        timers: IndexMap::new(),
        caps: IndexMap::new(),
        tolerance: Tolerance { early: Micros::ZERO, late: Micros::ZERO },
        places: Places::new(),
    };
    for (name, value) in reader::entries_or_none(timers_node, "`timers`", sink) {
        let time = if value.text() == Some("wire") {
            Some(heartbeat)
        } else {
            reader::duration(value, "a timer", sink)
        };
        // A time that can't be read is still a name that exists.
        if claim(&name.text, name.span.clone(), "a timer", &mut times.places, sink) {
            times.timers.insert(SmolStr::from(&name.text), time.unwrap_or_default());
        }
    }
    for (name, value) in reader::entries_or_none(caps_node, "`caps`", sink) {
        let time = reader::duration(value, "a cap", sink);
        if claim(&name.text, name.span.clone(), "a cap", &mut times.places, sink) {
            times.caps.insert(SmolStr::from(&name.text), time.unwrap_or_default());
        }
    }
    if let Some(mut tolerance) =
        map.need("tolerance").and_then(|node| MapReader::new(node, "a tolerance", sink))
    {
        let mut part = |key, sink: &mut Sink| {
            tolerance
                .need(key)
                .and_then(|node| reader::duration(node, "a tolerance", sink))
                .unwrap_or_default()
        };
        times.tolerance = Tolerance { early: part("early", sink), late: part("late", sink) };
        tolerance.finish(sink);
    }
    times
}

/// Takes a name for itself.
fn claim(
    name: &str,
    span: crate::diagnostic::Span,
    what: &str,
    places: &mut Places,
    sink: &mut Sink,
) -> bool {
    if !reader::check_name(name, span.clone(), what, sink) {
        return false;
    }
    if RESERVED.contains(&name) || name == "late" {
        sink.error(
            span,
            format!("`{name}` can't name {what}"),
            "conditions take this word for themselves",
        );
        return false;
    }
    if let Some(first) = places.get(name) {
        sink.error(span, format!("the name `{name}` is taken"), format!("can't name {what}, too"))
            .also(first.clone(), "taken here");
        return false;
    }
    places.insert(name.into(), span);
    true
}

/// Applies a variant: a platform's deviation in timers, caps or tolerance.
pub(super) fn vary(node: Option<&Node>, chosen: Option<&str>, times: &mut Times, sink: &mut Sink) {
    let variants = reader::entries_or_none(node, "`variants`", sink);
    for (name, variant) in variants {
        let Some(mut map) = MapReader::new(variant, "a variant", sink) else { continue };
        if let Some(says) = map.need("says") {
            reader::text(says, "`says`", sink);
        }
        let applies = chosen == Some(name.text.as_str());
        for (key, of) in [("timers", &mut times.timers), ("caps", &mut times.caps)] {
            for (name, value) in reader::entries_or_none(map.get(key), "times", sink) {
                let time = reader::duration(value, "a time", sink);
                match of.get_mut(name.text.as_str()) {
                    Some(have) if applies => *have = time.unwrap_or(*have),
                    Some(_) => {}
                    None => {
                        sink.unknown(
                            name.span.clone(),
                            "time",
                            &name.text,
                            of.keys().map(SmolStr::as_str),
                        );
                    }
                }
            }
        }
        if let Some(mut tolerance) =
            map.get("tolerance").and_then(|node| MapReader::new(node, "a tolerance", sink))
        {
            for (key, of) in
                [("early", &mut times.tolerance.early), ("late", &mut times.tolerance.late)]
            {
                let time =
                    tolerance.get(key).and_then(|node| reader::duration(node, "a tolerance", sink));
                *of = time.filter(|_| applies).unwrap_or(*of);
            }
            tolerance.finish(sink);
        }
        map.finish(sink);
    }
    if let Some(chosen) = chosen
        && !variants.iter().any(|(name, _)| name.text == chosen)
    {
        sink.unknown(
            node.map_or(0..0, |node| node.span.clone()),
            "variant",
            chosen,
            variants.iter().map(|(name, _)| name.text.as_str()),
        );
    }
}

/// Reads `registers` with their initial values.
pub(super) fn registers(
    node: Option<&Node>,
    times: &Times,
    sink: &mut Sink,
) -> IndexMap<SmolStr, Value> {
    let mut places = times.places.clone();
    let mut registers = IndexMap::new();
    for (name, value) in reader::entries_or_none(node, "`registers`", sink) {
        if claim(&name.text, name.span.clone(), "a register", &mut places, sink) {
            registers.insert(SmolStr::from(&name.text), reader::node_value(value));
        }
    }
    registers
}

/// The names of the clocks, before anything else is read.
pub(super) fn clock_names(
    node: Option<&Node>,
    times: &Times,
    registers: &IndexMap<SmolStr, Value>,
    sink: &mut Sink,
) -> Places {
    let mut places = times.places.clone();
    let mut names = Places::new();
    // What is wrong with the map itself is told when the clocks are read.
    let Some(crate::node::Kind::Map(entries)) = node.map(|node| &node.kind) else { return names };
    for (name, _) in entries {
        if registers.contains_key(name.text.as_str()) {
            let title = format!("the name `{}` is taken", name.text);
            sink.error(name.span.clone(), title, "a register is called so");
        } else {
            claim(&name.text, name.span.clone(), "a clock", &mut places, sink);
        }
        names.insert(SmolStr::from(&name.text), name.span.clone());
    }
    names
}

/// Reads `clocks`; conditions on their start speak of the main machine's states.
pub(super) fn clocks(
    node: Option<&Node>,
    states: &[SmolStr],
    tables: &Tables<'_>,
    sink: &mut Sink,
) -> Vec<Clock> {
    let mut clocks = Vec::new();
    for (name, clock) in reader::entries_or_none(node, "`clocks`", sink) {
        let Some(mut map) = MapReader::new(clock, "a clock", sink) else { continue };
        let start = map.need("start").and_then(|node| tables.words.any(node, sink));
        let guard = map.get("if").and_then(|node| expr::expr(node, states, tables.scope, sink));
        let stop = map.need("stop").and_then(|node| tables.words.any(node, sink));
        let keeps = [("first", KeepStart::First), ("last", KeepStart::Last)];
        let keep = map.need("keep").and_then(|node| reader::choice(node, "keep", &keeps, sink));
        map.finish(sink);
        let (Some(start), Some(stop), Some(keep)) = (start, stop, keep) else { continue };
        clocks.push(Clock { name: SmolStr::from(&name.text), start, guard, stop, keep });
    }
    clocks
}

/// A documented time: a timer's name or a duration.
pub(super) fn fixed(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<Micros> {
    let word = reader::text(node, "a time", sink)?;
    if let Some(time) = scope.timers.get(word) {
        return Some(*time);
    }
    if scope.caps.contains_key(word) {
        sink.error(
            node.span.clone(),
            format!("the cap `{word}` can't stand here"),
            "a policy, not a documented time",
        )
        .help("caps can be changed by a flag; write a timer or a duration");
        return None;
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return reader::duration(node, "a time", sink);
    }
    sink.unknown(node.span.clone(), "timer", word, scope.timers.keys().map(SmolStr::as_str));
    None
}

/// A delay: a documented time, or `$register`, which holds a number of seconds.
pub(super) fn delay(
    node: &Node,
    scope: &Scope<'_>,
    sink: &mut Sink,
) -> (Option<Micros>, Option<RegisterIx>) {
    let Some(name) = node.text().and_then(|text| text.strip_prefix('$')) else {
        return (fixed(node, scope, sink), None);
    };
    let found = scope.register(name);
    if found.is_none() {
        let at = node.part(1..name.len() + 1);
        sink.unknown(at, "register", name, scope.registers.keys().map(SmolStr::as_str));
    }
    (None, found)
}

/// A length: `late`, a timer, a cap or a duration.
pub(super) fn length(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<Length> {
    let word = reader::text(node, "a length", sink)?;
    if word == "late" {
        return Some(Length::Late);
    }
    if let Some(time) = scope.timers.get(word) {
        return Some(Length::Fixed(*time));
    }
    if let Some(cap) = scope.caps.get_index_of(word) {
        return Some(Length::Cap(cap));
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return reader::duration(node, "a length", sink).map(Length::Fixed);
    }
    let known = scope.timers.keys().chain(scope.caps.keys()).map(SmolStr::as_str).chain(["late"]);
    sink.unknown(node.span.clone(), "timer or cap", word, known);
    None
}
