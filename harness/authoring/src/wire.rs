//! Reads a wire: how abstract messages map to frames.
//!
//! The format is documented in `harness/WIRE.md`. Not responsible for interpreting it.
//!
//! Invariant: every field that a template of the server names is a field, counter or the clock; and
//! a message that the client sends has a rule.

use crate::diagnostic::Sink;
use crate::node::{Key, Kind, Node};
use crate::reader::{self, MapReader};
use indexmap::IndexMap;
use smol_str::SmolStr;
use stateline_core::time::Micros;
use stateline_core::wire::{Codec, Heartbeat, Match, ReceiveRule, Template, Wire};

const CODECS: [(&str, Codec); 3] =
    [("json", Codec::Json), ("json-lines", Codec::JsonLines), ("opaque", Codec::Opaque)];

/// Reads `wire.yaml`.
pub(crate) fn read(node: &Node, sink: &mut Sink) -> Option<Wire> {
    let before = sink.len();
    let mut map = MapReader::new(node, "a wire", sink)?;
    let name = map.need("wire").and_then(|node| reader::name(node, "a wire", sink));
    let codec = map.need("codec").and_then(|node| reader::choice(node, "codec", &CODECS, sink));
    let batch =
        map.get("batch").and_then(|node| reader::flag(node, "`batch`", sink)).unwrap_or(false);
    let path = map.need("path").and_then(|node| reader::text(node, "`path`", sink));
    let subprotocol =
        map.get("subprotocol").and_then(|node| reader::text(node, "`subprotocol`", sink));
    let heartbeat = map.need("heartbeat");
    let close_codes = map.get("close");
    let receive_rules = map.need("receive");
    let send_templates = map.need("send");
    map.finish(sink);

    let mut close = IndexMap::new();
    for (cause, code) in reader::entries_or_none(close_codes, "`close`", sink) {
        if let Some(code) = reader::number(code, "a close code", 1000, 4999, sink) {
            close.insert(SmolStr::from(&cause.text), u16::try_from(code).unwrap_or(u16::MAX));
        }
    }
    let rules = receive_rules.map_or(&[][..], |node| reader::items(node, "`receive`", sink));
    let receive: Vec<ReceiveRule> =
        rules.iter().filter_map(|rule| receive_rule(rule, sink)).collect();
    let mut send = IndexMap::new();
    for (message, frame) in reader::entries_or_none(send_templates, "`send`", sink) {
        if let Some(template) = template(frame, sink) {
            send.insert(SmolStr::from(&message.text), template);
        }
    }
    let heartbeat = heartbeat.and_then(|node| heartbeat_of(node, &receive, &send, sink));
    if sink.len() > before {
        return None;
    }
    Some(Wire {
        name: name?.into(),
        codec: codec?,
        batch,
        heartbeat: heartbeat?,
        receive,
        send,
        close,
        path: path?.into(),
        subprotocol: subprotocol.map(str::to_owned),
    })
}

fn heartbeat_of(
    node: &Node,
    receive: &[ReceiveRule],
    send: &IndexMap<SmolStr, Template>,
    sink: &mut Sink,
) -> Option<Heartbeat> {
    let mut map = MapReader::new(node, "a heartbeat", sink)?;
    let period = map.need("period").and_then(|node| {
        let period = reader::duration(node, "`period`", sink)?;
        if period == Micros::ZERO {
            sink.error(node.span.clone(), "a heartbeat needs a period", "longer than nothing");
        }
        Some(period)
    });
    let mut message = |key, known: Vec<&str>, sink: &mut Sink| -> Option<SmolStr> {
        let node = map.need(key)?;
        let name = reader::name(node, "a message", sink)?;
        if !known.contains(&name) {
            sink.unknown(node.span.clone(), "message", name, known);
        }
        Some(name.into())
    };
    let asks = message("message", receive.iter().map(|rule| rule.message.as_str()).collect(), sink);
    let answer = message("answer", send.keys().map(SmolStr::as_str).collect(), sink);
    map.finish(sink);
    Some(Heartbeat { period: period?, message: asks?, answer: answer? })
}

fn receive_rule(node: &Node, sink: &mut Sink) -> Option<ReceiveRule> {
    let mut map = MapReader::new(node, "a rule", sink)?;
    let message = map.need("message").and_then(|node| reader::name(node, "a message", sink));
    let conditions = map.need("match");
    let fields = map.get("take");
    map.finish(sink);
    let matches = reader::entries_or_none(conditions, "`match`", sink)
        .iter()
        .map(|(key, value)| (SmolStr::from(&key.text), condition(value)))
        .collect();
    let captures = reader::entries_or_none(fields, "`take`", sink)
        .iter()
        .filter_map(|(field, key)| capture(field, key, sink))
        .collect();
    Some(ReceiveRule { message: message?.into(), matches, captures })
}

/// `$present` and `$absent` ask for the key alone; all else is literal.
fn condition(node: &Node) -> Match {
    match node.text() {
        Some("$present") => Match::Present,
        Some("$absent") => Match::Absent,
        _ => Match::Literal(reader::node_value(node)),
    }
}

/// `field: key`, or `field?: key` where the key may be missing.
fn capture(field: &Key, key: &Node, sink: &mut Sink) -> Option<(SmolStr, SmolStr, bool)> {
    let from = reader::text(key, "the key to take", sink)?;
    let (name, optional) = match field.text.strip_suffix('?') {
        Some(name) => (name, true),
        None => (field.text.as_str(), false),
    };
    reader::check_name(name, field.span.clone(), "a field", sink)
        .then(|| (name.into(), from.into(), optional))
}

fn template(node: &Node, sink: &mut Sink) -> Option<Template> {
    match &node.kind {
        Kind::Seq(items) => {
            Some(Template::List(items.iter().filter_map(|item| template(item, sink)).collect()))
        }
        Kind::Map(entries) => Some(Template::Object(
            entries
                .iter()
                .filter_map(|(key, value)| Some((SmolStr::from(&key.text), template(value, sink)?)))
                .collect(),
        )),
        Kind::Scalar(scalar) => {
            let hole = scalar.text.strip_prefix('$').filter(|_| scalar.plain);
            let Some(hole) = hole else { return Some(Template::Literal(reader::json(node))) };
            if hole == "now" {
                return Some(Template::Now);
            }
            if let Some(counter) =
                hole.strip_prefix("counter(").and_then(|rest| rest.strip_suffix(')'))
            {
                return reader::check_name(counter, node.span.clone(), "a counter", sink)
                    .then(|| Template::Counter(counter.into()));
            }
            reader::check_name(hole, node.span.clone(), "a field", sink)
                .then(|| Template::Field(hole.into()))
        }
    }
}
