//! Reads one row of a table.
//!
//! The keys of a row say what kind of row it is: `settles`, `keep`, `never`, `choice`, `expect` or
//! `emit`; a row with none of them is silent. Not responsible for ids, which are given out before.
//!
//! Invariant: a row that demands or forbids names a requirement, and one that permits breaks none.

use super::Tables;
use super::requirements::STRICTNESSES;
use super::settles;
use super::times::{delay, fixed, length};
use crate::diagnostic::Sink;
use crate::expr::{self, expr};
use crate::node::{Kind, Node};
use crate::reader::{self, MapReader};
use smol_str::SmolStr;
use stateline_core::profile::expr::Expr;
use stateline_core::profile::machine::{
    Assign, Constraint, Expect, Keep, Modality, Never, Pattern, ReqCase, Row, RowBody, Source,
    Target, Trigger,
};
use stateline_core::profile::requirement::Strictness;
use stateline_core::profile::{Length, MachineIx};
use stateline_core::time::Micros;
use stateline_core::value::Value;

/// Where a row stands.
pub(super) struct Place<'a> {
    pub(super) id: SmolStr,
    pub(super) machine: MachineIx,
    /// The states that it speaks of.
    pub(super) states: &'a [SmolStr],
}

/// The keys that make a row what it is, and what it is called then.
const KINDS: [(&str, &str); 6] = [
    ("settles", "a `settles` row"),
    ("keep", "a `keep` row"),
    ("never", "a `never` row"),
    ("choice", "a `choice` row"),
    ("expect", "an `expect` row"),
    ("emit", "a row with `emit`"),
];

/// Reads a row.
pub(super) fn row(
    node: &Node,
    place: Place<'_>,
    tables: &Tables<'_>,
    sink: &mut Sink,
) -> Option<Row> {
    let kind = kind_of(node, sink)?;
    let what =
        KINDS.iter().find(|(word, _)| *word == kind).map_or("a silent row", |(_, what)| *what);
    let map = MapReader::new(node, what, sink)?;
    let mut reading = RowReading { map, states: place.states, tables };
    let before = sink.len();
    reading.map.get("id");
    let title = reading.title(kind, sink);
    let permits = kind == "choice" || reading.map.has("may");
    let req = reading.requirements(kind, permits, sink);
    let strict = reading.strict(&req, sink);
    let from_key = if matches!(kind, "never" | "keep") { "while" } else { "from" };
    let from = reading.map.get(from_key).and_then(|node| expr::states(node, place.states, sink));
    let mut guard = reading.condition("if", sink);
    let set = reading.assignments(sink);
    let (mut early, mut withdrawn) = (None, None);
    let body = match kind {
        "settles" => settles::read(&mut reading.map, place.states, !req.is_empty(), tables, sink)
            .map(RowBody::Settles),
        "keep" => reading.keep(&mut guard, sink),
        "never" => reading.never(sink),
        "choice" => {
            let trigger = reading.trigger(sink);
            trigger.map(|trigger| RowBody::Choice { trigger, choice: title.clone() })
        }
        "expect" | "emit" => {
            early = reading.requirement("early", sink);
            withdrawn = reading.requirement("withdrawn", sink);
            let modality = if permits { Modality::May } else { Modality::Must };
            reading
                .expect(if kind == "emit" { "emit" } else { "expect" }, modality, sink)
                .map(RowBody::Expect)
        }
        _ => reading.silent(!set.is_empty(), sink),
    };
    let span = reading.map.span();
    reading.map.finish(sink);
    if body.is_none() && sink.len() == before {
        sink.error(span, "nothing triggers this row", "needs `on` or `since`");
    }
    if sink.len() > before {
        return None;
    }
    Some(Row {
        id: place.id,
        machine: place.machine,
        title,
        req,
        early,
        withdrawn,
        strict,
        from,
        guard,
        body: body?,
        set,
    })
}

/// The key that says the kind, or nothing for a silent row.
fn kind_of(node: &Node, sink: &mut Sink) -> Option<&'static str> {
    let entries = reader::entries(node, "a row", sink)?;
    let mut found: Option<(&'static str, &crate::node::Key)> = None;
    for (key, _) in entries {
        let Some((kind, _)) = KINDS.iter().find(|(kind, _)| *kind == key.text) else { continue };
        if let Some((first, first_key)) = found {
            sink.error(
                key.span.clone(),
                format!("a row has both `{first}` and `{kind}`"),
                "the second kind of row",
            )
            .also(first_key.span.clone(), "the first kind")
            .help("write two rows");
            return None;
        }
        found = Some((kind, key));
    }
    Some(found.map_or("", |(kind, _)| kind))
}

struct RowReading<'n, 'a> {
    map: MapReader<'n>,
    states: &'a [SmolStr],
    tables: &'a Tables<'a>,
}

impl<'n> RowReading<'n, '_> {
    /// What the row says in words. A silent row needs none: what it sets says it.
    fn title(&mut self, kind: &str, sink: &mut Sink) -> String {
        let says = self.map.get("says");
        let permits = if kind == "emit" || kind == "expect" { self.map.get("may") } else { None };
        let words = match (says, permits, kind) {
            (Some(_), Some(_), _) => {
                sink.error(
                    self.map.key_span("may"),
                    "a row has both `says` and `may`",
                    "one of them must go",
                );
                says
            }
            (_, _, "choice") => self.map.need("choice"),
            (Some(_), ..) => says,
            (None, Some(_), _) => permits,
            (None, None, "") => None,
            (None, None, _) => self.map.need("says"),
        };
        words
            .and_then(|node| reader::text(node, "what a row says", sink))
            .unwrap_or_default()
            .to_owned()
    }

    fn requirement(&mut self, key: &'static str, sink: &mut Sink) -> Option<usize> {
        let node = self.map.get(key)?;
        self.tables.requirement(node, sink)
    }

    fn requirements(&mut self, kind: &str, permits: bool, sink: &mut Sink) -> Vec<ReqCase> {
        if kind.is_empty() {
            return Vec::new();
        }
        // The codes of a call can carry the requirements instead.
        let needed = !permits && kind != "settles";
        let node = if needed { self.map.need("req") } else { self.map.get("req") };
        let Some(node) = node else { return Vec::new() };
        let mut cases = Vec::new();
        let items = reader::one_or_many(node);
        for (n, item) in items.iter().enumerate() {
            let (when, req) = match &item.kind {
                Kind::Map(_) => {
                    let Some(mut map) =
                        MapReader::new(item, "a requirement with a condition", sink)
                    else {
                        continue;
                    };
                    let when = map
                        .need("if")
                        .and_then(|node| expr(node, self.states, self.tables.scope, sink));
                    let req = map.need("req").and_then(|node| self.tables.requirement(node, sink));
                    map.finish(sink);
                    let Some(when) = when else { continue };
                    (Some(when), req)
                }
                _ => (None, self.tables.requirement(item, sink)),
            };
            let Some(req) = req else { continue };
            if when.is_none() && n + 1 < items.len() {
                sink.error(
                    item.span.clone(),
                    "nothing after this requirement is ever reached",
                    "it has no condition",
                )
                .help("the first whose condition holds counts; put this one last");
            }
            let strictness = self.tables.strictness(req).strictness;
            if permits && strictness != Strictness::Open {
                let id = &self.tables.strictness(req).id;
                sink.error(
                    item.span.clone(),
                    format!("a row that only permits can't break `{id}`"),
                    format!("this one is a {}", strictness.as_str()),
                );
            }
            cases.push(ReqCase { when, req });
        }
        cases
    }

    fn strict(&mut self, req: &[ReqCase], sink: &mut Sink) -> Option<Strictness> {
        let node = self.map.get("strict")?;
        let strict = reader::choice(node, "strictness", &STRICTNESSES, sink)?;
        let lowest = req.iter().map(|case| self.tables.strictness(case.req).strictness).min()?;
        if strict > lowest {
            sink.error(
                node.span.clone(),
                "`strict` can only lower what the requirement says",
                format!("the requirement is a {}", lowest.as_str()),
            );
        }
        Some(strict)
    }

    fn condition(&mut self, key: &'static str, sink: &mut Sink) -> Option<Expr> {
        let node = self.map.get(key)?;
        expr(node, self.states, self.tables.scope, sink)
    }

    fn length(&mut self, key: &'static str, sink: &mut Sink) -> Option<Length> {
        let node = self.map.get(key)?;
        length(node, self.tables.scope, sink)
    }

    fn fixed(&mut self, key: &'static str, sink: &mut Sink) -> Option<Micros> {
        let node = self.map.get(key)?;
        fixed(node, self.tables.scope, sink)
    }

    fn patterns(&mut self, key: &'static str, sink: &mut Sink) -> Option<Vec<Pattern>> {
        let node = self.map.get(key)?;
        self.tables.words.any(node, sink)
    }

    fn pattern(&mut self, key: &'static str, sink: &mut Sink) -> Option<Pattern> {
        let node = self.map.need(key)?;
        self.tables.words.pattern(node, sink)
    }

    /// `on` or `since`, exactly one of them.
    fn trigger(&mut self, sink: &mut Sink) -> Option<Trigger> {
        let (on, since) = (self.map.get("on"), self.map.get("since"));
        match (on, since) {
            (Some(on), None) => self.tables.words.any(on, sink).map(Trigger::On),
            (None, Some(node)) => {
                let name = reader::text(node, "a clock", sink)?;
                self.tables.scope.clock(name, node.span.clone(), sink).map(Trigger::Since)
            }
            (Some(_), Some(_)) => {
                sink.error(
                    self.map.key_span("since"),
                    "a row has both `on` and `since`",
                    "one of them must go",
                );
                None
            }
            (None, None) if self.map.misspells(&["on", "since"]) => None,
            (None, None) => {
                sink.error(self.map.span(), "nothing triggers this row", "needs `on` or `since`");
                None
            }
        }
    }

    fn expect(&mut self, key: &'static str, modality: Modality, sink: &mut Sink) -> Option<Expect> {
        let trigger = self.trigger(sink);
        let (after, after_register) = match self.map.get("after") {
            Some(node) => delay(node, self.tables.scope, sink),
            None => (None, None),
        };
        if self.map.has("after") && matches!(trigger, Some(Trigger::On(_))) {
            sink.error(
                self.map.key_span("after"),
                "`after` counts from a clock",
                "the row has none",
            )
            .help("write `since: CLOCK` instead of `on`");
        }
        let within = self.length("within", sink);
        let warn_after = self.length("warn-after", sink);
        let unless = self.patterns("unless", sink).unwrap_or_default();
        let emit_node = self.map.get(key);
        let emit = self.pattern(key, sink);
        let prefer_node = self.map.get("prefer");
        let prefer = reader::entries_or_none(prefer_node, "`prefer`", sink).iter().filter_map(
            |(field, value)| {
                let values =
                    emit.as_ref().and_then(|emit| self.tables.words.values_of(&field.text, emit));
                let constraint = self.tables.words.constraint(value, &field.text, values, sink)?;
                Some((SmolStr::from(&field.text), constraint))
            },
        );
        let prefer = prefer.collect();
        let note_node = self.map.get("note");
        let note = note_node.map_or(&[][..], reader::one_or_many).iter();
        let note = note
            .filter_map(|node| reader::name(node, "a field", sink))
            .map(SmolStr::from)
            .collect();
        let to = self.target(emit.as_ref(), emit_node, sink);
        let answered = self.requirement("answered", sink);
        if answered.is_some() && modality == Modality::Must {
            sink.error(
                self.map.key_span("answered"),
                "only a row that permits has `answered`",
                "this row demands",
            );
        }
        let within = match modality {
            Modality::Must => Some(within.unwrap_or(Length::Late)),
            Modality::May => within,
        };
        Some(Expect {
            trigger: trigger?,
            after: after.unwrap_or_default(),
            after_register,
            within,
            warn_after,
            unless,
            modality,
            emit: emit?,
            prefer,
            note,
            to,
            answered,
        })
    }

    /// Reads `to`, and compares it with the state that the row emits.
    fn target(
        &mut self,
        emit: Option<&Pattern>,
        emit_node: Option<&Node>,
        sink: &mut Sink,
    ) -> Target {
        let Some(node) = self.map.get("to") else { return Target::Stay };
        if !self.map.has("from") {
            sink.error(self.map.key_span("to"), "a row that moves says from where", "needs `from`");
        }
        if node.text() == Some("observed") {
            return Target::Observed;
        }
        let Some(name) = reader::text(node, "a state", sink) else { return Target::Stay };
        let Some(state) = self.states.iter().position(|state| state == name) else {
            sink.unknown(
                node.span.clone(),
                "state",
                name,
                self.states.iter().map(SmolStr::as_str).chain(["observed"]),
            );
            return Target::Stay;
        };
        let reported = emit.and_then(|emit| emit.fields.iter().find(|(field, _)| field == "state"));
        if let Some((_, Constraint::OneOf(values))) = reported
            && !values.contains(&Value::from(name))
        {
            let told = sink.error(
                node.span.clone(),
                "the row moves to a state that it does not report",
                "another state",
            );
            if let Some(emit) = emit_node {
                told.also(emit.span.clone(), "what it reports");
            }
        }
        Target::State(state)
    }

    fn silent(&mut self, sets: bool, sink: &mut Sink) -> Option<RowBody> {
        let trigger = self.trigger(sink);
        if matches!(trigger, Some(Trigger::Since(_))) {
            sink.error(
                self.map.key_span("since"),
                "a row that waits for nothing is triggered by an event",
                "a clock triggers no silent row",
            )
            .help("write `on` with what starts the clock");
        }
        let to = match self.target(None, None, sink) {
            Target::State(state) => Some(state),
            Target::Stay => None,
            Target::Observed => {
                sink.error(self.map.key_span("to"), "nothing is observed here", "name the state");
                None
            }
        };
        if to.is_none() && !sets {
            sink.error(
                self.map.span(),
                "the row does nothing",
                "needs `emit`, `expect`, `never`, `to` or `set`",
            );
        }
        Some(RowBody::Silent { trigger: trigger?, to })
    }

    fn never(&mut self, sink: &mut Sink) -> Option<RowBody> {
        let on = self.patterns("on", sink);
        let lasts = self.length("for", sink);
        if lasts.is_some() && !self.map.has("on") {
            sink.error(
                self.map.key_span("for"),
                "`for` counts from an event",
                "needs `on` beside it",
            );
        }
        let unless = self.patterns("unless", sink).unwrap_or_default();
        let grace = self.length("grace", sink);
        let exposure = self.fixed("exposure", sink);
        let pattern = self.pattern("never", sink)?;
        Some(RowBody::Never(Never {
            on: on.map(|on| (on, lasts)),
            unless,
            pattern,
            grace,
            exposure,
        }))
    }

    /// A `keep` row's `if` is what must hold for the demand: its opposite suspends.
    fn keep(&mut self, guard: &mut Option<Expr>, sink: &mut Sink) -> Option<RowBody> {
        let pattern = self.pattern("keep", sink);
        let every = self.map.need("every").and_then(|node| length(node, self.tables.scope, sink));
        let tolerance = self.length("tolerance", sink).unwrap_or(Length::Fixed(Micros::ZERO));
        let mut suspended = self.condition("suspended", sink);
        if let Some(guard) = guard {
            let opposite = Expr::Not(Box::new(guard.clone()));
            suspended = Some(match suspended {
                Some(suspended) => Expr::Or(vec![suspended, opposite]),
                None => opposite,
            });
        }
        Some(RowBody::Keep(Keep { pattern: pattern?, every: every?, tolerance, suspended }))
    }

    fn assignments(&mut self, sink: &mut Sink) -> Vec<Assign> {
        let node = self.map.get("set");
        let scope = self.tables.scope;
        let mut set = Vec::new();
        for (name, value) in reader::entries_or_none(node, "`set`", sink) {
            let Some(register) = scope.registers.get_index_of(name.text.as_str()) else {
                let known = scope.registers.keys().map(SmolStr::as_str);
                sink.unknown(name.span.clone(), "register", &name.text, known);
                continue;
            };
            let text = value.text().unwrap_or_default();
            let source = if let Some(field) = text.strip_prefix("trigger.") {
                Source::Trigger(field.into())
            } else if let Some(field) = text.strip_prefix("not trigger.") {
                Source::NotTrigger(field.into())
            } else if let Some(n) = text.strip_prefix('+').and_then(|n| n.parse().ok()) {
                Source::Plus(n)
            } else if text.starts_with("not ") || text.starts_with("event.") {
                sink.error(value.span.clone(), "a register can't be set to this", "not understood")
                    .help("write a value, `+1`, `trigger.FIELD` or `not trigger.FIELD`");
                continue;
            } else {
                Source::Literal(reader::node_value(value))
            };
            set.push(Assign { register, value: source });
        }
        set
    }
}
