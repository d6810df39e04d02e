//! Reads patterns: what rows, clocks and scenarios wait for, in one spelling.
//!
//! `attempt`, `call.login`, `server.accepted`, or a map with one word for the kind of event
//! (`state`, `event`, `frame`, `received`, `result`, `call`, `signal`) and constraints on fields.
//! Not responsible for when a pattern applies.
//!
//! Invariant: a constraint on a field that has an enumeration names values of it.

use crate::diagnostic::{Sink, Span};
use crate::expr::{Scope, head, unknown_head};
use crate::node::{Key, Kind, Node};
use crate::reader;
use smallvec::SmallVec;
use smol_str::{SmolStr, format_smolstr};
use stateline_core::profile::machine::{Constraint, Pattern};
use stateline_core::profile::names::{Enumeration, Names};
use stateline_core::profile::{HeadIx, Heads};
use stateline_core::value::Value;

/// The signals of the lab, that is, its ground truth about a client.
const SIGNALS: [&str; 27] = [
    "presence.ended",
    "presence.online",
    "presence.removed",
    "peer.sent",
    "server.accepted",
    "server.attributes-agree",
    "server.banned",
    "server.channels-agree",
    "server.closed",
    "server.heard",
    "server.kicked",
    "server.logged-out",
    "server.member-joined",
    "server.member-left",
    "server.rejected",
    "server.superseded",
    "server.unheard",
    "service.back",
    "service.lost",
    "token.expired",
    "token.issued",
    "token.revoked",
    "link.closed",
    "link.down",
    "link.opened",
    "link.up",
    "dial.failed",
];

/// The kinds of event as a whole.
const KINDS: [&str; 7] = ["state", "attempt", "call", "result", "event", "sent", "received"];

/// The keys that say what kind of event a pattern is about, with the kind.
const KEYS: [(&str, &str); 8] = [
    ("state", "state"),
    ("event", "event"),
    ("frame", "sent"),
    ("sent", "sent"),
    ("received", "received"),
    ("result", "result"),
    ("call", "call"),
    ("signal", ""),
];

/// All words that an event of this profile can bear, so that one table knows what exists.
pub(crate) fn vocabulary<'a>(
    names: &Names,
    client_messages: impl Iterator<Item = &'a SmolStr>,
    server_messages: impl Iterator<Item = &'a SmolStr>,
) -> Heads {
    let mut heads = Heads::default();
    for word in KINDS.iter().chain(&SIGNALS) {
        heads.intern(word);
    }
    for call in names.calls.keys() {
        heads.intern(&format!("call.{call}"));
        heads.intern(&format!("result.{call}"));
    }
    for (event, _) in names.enums.get("event").iter().flat_map(|events| events.values()) {
        heads.intern(&format!("event.{event}"));
    }
    for message in client_messages {
        heads.intern(&format!("sent.{message}"));
    }
    for message in server_messages {
        heads.intern(&format!("received.{message}"));
    }
    heads
}

/// What patterns need to know of a profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    pub(crate) heads: &'a Heads,
    pub(crate) names: &'a Names,
    /// Registers for `$name`; none in a scenario.
    pub(crate) scope: Option<&'a Scope<'a>>,
}

impl Words<'_> {
    /// Reads one pattern; a list of bare words is one pattern with several heads.
    pub(crate) fn pattern(&self, node: &Node, sink: &mut Sink) -> Option<Pattern> {
        let Kind::Seq(items) = &node.kind else { return self.single(node, sink) };
        let mut whole = Pattern::default();
        let before = sink.len();
        for item in items {
            let Some(one) = self.single(item, sink) else { continue };
            if !one.fields.is_empty() || one.of_self {
                sink.error(
                    item.span.clone(),
                    "a pattern in a list can't have fields here",
                    "only a kind of event",
                )
                .help("write a row of its own for it");
            }
            whole.heads.extend(one.heads);
        }
        if items.is_empty() {
            sink.error(node.span.clone(), "the list of patterns is empty", "name at least one");
        }
        (sink.len() == before).then_some(whole)
    }

    /// Reads one pattern or a list of them, any of which fits.
    pub(crate) fn any(&self, node: &Node, sink: &mut Sink) -> Option<Vec<Pattern>> {
        let before = sink.len();
        let items = reader::one_or_many(node);
        if items.is_empty() {
            sink.error(node.span.clone(), "the list of patterns is empty", "name at least one");
        }
        let all: Vec<Pattern> = items.iter().filter_map(|item| self.single(item, sink)).collect();
        (sink.len() == before).then_some(all)
    }

    fn single(&self, node: &Node, sink: &mut Sink) -> Option<Pattern> {
        match &node.kind {
            Kind::Scalar(_) => {
                let word = reader::text(node, "a pattern", sink)?;
                let head = self.head(word, node.span.clone(), sink)?;
                Some(Pattern { heads: SmallVec::from_slice(&[head]), ..Pattern::default() })
            }
            Kind::Map(entries) => self.map(node, entries, sink),
            Kind::Seq(_) => {
                sink.error(node.span.clone(), "a pattern can't be a list here", "a list in a list");
                None
            }
        }
    }

    fn map(&self, node: &Node, entries: &[(Key, Node)], sink: &mut Sink) -> Option<Pattern> {
        let before = sink.len();
        let mut pattern = Pattern::default();
        let kind = KEYS.iter().find_map(|(word, kind)| {
            let (key, value) = entries.iter().find(|(key, _)| key.text == *word)?;
            Some((*kind, key, value))
        });
        let Some((kind, kind_key, value)) = kind else {
            sink.error(node.span.clone(), "the pattern does not say which kind of event it is about", "needs a kind")
                .help("kinds: state, event, frame, received, result, call, signal; or a bare word such as `attempt`");
            return None;
        };
        self.heads(kind, value, &mut pattern, sink);
        for (key, value) in entries {
            match key.text.as_str() {
                "of" => match reader::text(value, "`of`", sink) {
                    Some("self") => pattern.of_self = true,
                    Some(other) => {
                        sink.unknown(value.span.clone(), "owner", other, ["self"]);
                    }
                    None => {}
                },
                _ if key.span == kind_key.span => {}
                other if KEYS.iter().any(|(word, _)| *word == other) => {
                    sink.error(
                        key.span.clone(),
                        "the pattern names two kinds of event",
                        "the second kind",
                    )
                    .also(kind_key.span.clone(), "the first kind");
                }
                field => {
                    if let Some(constraint) =
                        self.constraint(value, field, self.values_of(field, &pattern), sink)
                    {
                        pattern.fields.push((field.into(), constraint));
                    }
                }
            }
        }
        (sink.len() == before).then_some(pattern)
    }

    /// Reads the value of the key that says the kind: names become words, and a constraint where
    /// the word is the kind as a whole.
    fn heads(&self, kind: &str, value: &Node, pattern: &mut Pattern, sink: &mut Sink) {
        if kind == "state" {
            pattern.heads.extend(head(self.heads, "state"));
            if let Some(constraint) =
                self.constraint(value, "state", self.names.enums.get("state"), sink)
                && !matches!(constraint, Constraint::Any)
            {
                pattern.fields.push(("state".into(), constraint));
            }
            return;
        }
        if let (Some(word @ ("any" | "same")), "event") = (value.text(), kind) {
            pattern.heads.extend(head(self.heads, kind));
            if word == "same" {
                pattern.fields.push((kind.into(), Constraint::Same(kind.into())));
            }
            return;
        }
        let items = reader::one_or_many(value);
        if items.is_empty() {
            sink.error(value.span.clone(), "the list is empty", "name at least one");
        }
        for item in items {
            let Some(name) = reader::text(item, "the name of an event", sink) else { continue };
            let word = if kind.is_empty() {
                SmolStr::from(name)
            } else {
                format_smolstr!("{kind}.{name}")
            };
            match head(self.heads, &word) {
                Some(head) => pattern.heads.push(head),
                None if kind.is_empty() => unknown_head(self.heads, name, item.span.clone(), sink),
                None => self.unknown_of(kind, name, item.span.clone(), sink),
            }
        }
    }

    /// Tells an unknown name among those of one kind.
    fn unknown_of(&self, kind: &str, name: &str, span: Span, sink: &mut Sink) {
        let known = (0..self.heads.len())
            .filter_map(|ix| HeadIx::try_from(ix).ok())
            .filter_map(|ix| self.heads.text(ix).strip_prefix(kind)?.strip_prefix('.'));
        let what = match kind {
            "sent" => "message of the client",
            "received" => "message of the server",
            "event" => "callback",
            _ => "method",
        };
        sink.unknown(span, what, name, known);
    }

    pub(crate) fn head(&self, word: &str, span: Span, sink: &mut Sink) -> Option<HeadIx> {
        let found = head(self.heads, word);
        if found.is_none() {
            unknown_head(self.heads, word, span, sink);
        }
        found
    }

    /// The enumeration of a field in the events of a pattern.
    pub(crate) fn values_of(&self, field: &str, pattern: &Pattern) -> Option<&Enumeration> {
        let word = match pattern.heads[..] {
            [head] => self.heads.text(head),
            _ => "",
        };
        // A callback may have words of its own for a field.
        if let Some(event) = word.strip_prefix("event.") {
            return self
                .names
                .enums
                .get(&format_smolstr!("{field}.{event}"))
                .or_else(|| self.names.enums.get(field).filter(|_| field != "code"));
        }
        match (field, word) {
            ("code", "server.rejected") => self.names.refusals(),
            ("code", word) => self.codes(word.strip_prefix("result.")?),
            _ => self.names.enums.get(field),
        }
    }

    pub(crate) fn codes(&self, op: &str) -> Option<&Enumeration> {
        self.names.enums.get(&self.names.code_enum(op))
    }

    /// Reads a constraint: `any`, `same`, `self`, `current`, `$register`, a value, a list, `{ not: … }`.
    pub(crate) fn constraint(
        &self,
        node: &Node,
        field: &str,
        values: Option<&Enumeration>,
        sink: &mut Sink,
    ) -> Option<Constraint> {
        match &node.kind {
            Kind::Scalar(scalar) if scalar.plain => match scalar.text.as_str() {
                "any" => return Some(Constraint::Any),
                "same" => return Some(Constraint::Same(field.into())),
                "self" => return Some(Constraint::Own),
                "current" if field == "state" => return Some(Constraint::Current),
                text => {
                    if let Some(name) = text.strip_prefix('$') {
                        return self.register(node, name, sink);
                    }
                }
            },
            Kind::Map(entries) => {
                return match &entries[..] {
                    [(key, value)] if key.text == "not" => {
                        self.values(value, field, values, sink).map(Constraint::NoneOf)
                    }
                    [(key, value)] if key.text == "same" => reader::name(value, "a field", sink)
                        .map(|other| Constraint::Same(other.into())),
                    _ => {
                        sink.error(
                            node.span.clone(),
                            format!("`{field}` has no such constraint"),
                            "not understood",
                        )
                        .help("write a value, a list of values, `any`, `same`, `self`, or `{ not: … }`");
                        None
                    }
                };
            }
            _ => {}
        }
        self.values(node, field, values, sink).map(Constraint::OneOf)
    }

    fn register(&self, node: &Node, name: &str, sink: &mut Sink) -> Option<Constraint> {
        let Some(scope) = self.scope else {
            sink.error(node.span.clone(), "a scenario knows no registers", "only rows do");
            return None;
        };
        let found = scope.register(name);
        if found.is_none() {
            sink.unknown(
                node.part(1..name.len() + 1),
                "register",
                name,
                scope.registers.keys().map(SmolStr::as_str),
            );
        }
        found.map(Constraint::Register)
    }

    fn values(
        &self,
        node: &Node,
        field: &str,
        of: Option<&Enumeration>,
        sink: &mut Sink,
    ) -> Option<Vec<Value>> {
        let before = sink.len();
        let items = reader::one_or_many(node);
        if items.is_empty() {
            sink.error(
                node.span.clone(),
                format!("the list of values of `{field}` is empty"),
                "name at least one",
            );
        }
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            // Nothing, and the empty text, are values of any field.
            if let Kind::Scalar(scalar) = &item.kind
                && matches!((scalar.text.as_str(), scalar.plain), ("null", true) | ("", false))
            {
                values.push(reader::node_value(item));
                continue;
            }
            let Some(text) = reader::text(item, &format!("`{field}`"), sink) else { continue };
            match of {
                Some(names) if !names.has(text) && self.names.groups.contains_key(text) => {
                    let group = &self.names.groups[text];
                    if let Some(odd) = group.iter().find(|value| !names.has(value)) {
                        let title = format!("`{odd}` of the group `{text}` is no `{field}` here");
                        sink.error(item.span.clone(), title, "a group of other values");
                    }
                    values.extend(group.iter().cloned().map(Value::Text));
                }
                Some(names) if !names.has(text) => {
                    let meant = names.name(text).cloned();
                    let known = names.values().map(|(name, _)| name.as_str());
                    let told = sink.unknown(item.span.clone(), field, text, known);
                    if let Some(meant) = meant {
                        told.help(format!(
                            "`{text}` is a spelling of the SDK; tables write `{meant}`"
                        ));
                    }
                }
                Some(_) => values.push(Value::from(text)),
                None => values.push(reader::node_value(item)),
            }
        }
        (sink.len() == before).then_some(values)
    }
}
