//! Reads the SDK's words: enumerations with their aliases, methods, and how a state is reached.
//!
//! Not responsible for the words of the wire and of the lab; `pattern` joins them.
//!
//! Invariant: one spelling means one name.

use crate::diagnostic::Sink;
use crate::node::{Kind, Node};
use crate::reader::{self, MapReader};
use indexmap::IndexMap;
use smol_str::SmolStr;
use stateline_core::profile::names::{Enumeration, Method, Names};
use stateline_core::value::{Fields, Value};

/// The kinds of token that the lab mints.
const TOKENS: [&str; 6] = ["expired", "invalid", "malformed", "revoked", "same", "valid"];

/// What stands for an argument that is not given.
const ABSENT: &str = "absent";

/// Reads `names`, `groups` and `calls`.
pub(super) fn names(
    names: Option<&Node>,
    groups: Option<&Node>,
    calls: Option<&Node>,
    sink: &mut Sink,
) -> Names {
    let mut read = Names::default();
    for (name, values) in reader::entries_or_none(names, "`names`", sink) {
        if !reader::check_name(&name.text, name.span.clone(), "an enumeration", sink) {
            continue;
        }
        let enumeration = enumeration(values, sink);
        read.enums.insert(SmolStr::from(&name.text), enumeration);
    }
    for (name, values) in reader::entries_or_none(groups, "`groups`", sink) {
        if !reader::check_name(&name.text, name.span.clone(), "a group", sink) {
            continue;
        }
        if read.enums.values().any(|values| values.has(&name.text)) {
            let title = format!("the group `{}` is called like a value", name.text);
            sink.error(name.span.clone(), title, "a name means one thing");
        }
        let mut group = Vec::new();
        for item in reader::items(values, "a group", sink) {
            let Some(value) = reader::text(item, "a value", sink) else { continue };
            if read.enums.values().any(|values| values.has(value)) {
                group.push(SmolStr::from(value));
            } else {
                let known = read.enums.values().flat_map(Enumeration::values);
                let known: Vec<&str> = known.map(|(name, _)| name.as_str()).collect();
                sink.unknown(item.span.clone(), "value", value, known);
            }
        }
        read.groups.insert(SmolStr::from(&name.text), group);
    }
    for (name, method) in reader::entries_or_none(calls, "`calls`", sink) {
        if !reader::check_name(&name.text, name.span.clone(), "a method", sink) {
            continue;
        }
        let Some(mut map) = MapReader::new(method, "a method", sink) else { continue };
        let spellings =
            map.get("spellings").map(|node| strings(node, "a spelling", sink)).unwrap_or_default();
        let args =
            map.get("args").map(|node| strings(node, "an argument", sink)).unwrap_or_default();
        map.finish(sink);
        let spellings =
            if spellings.is_empty() { vec![SmolStr::from(&name.text)] } else { spellings };
        read.calls.insert(SmolStr::from(&name.text), Method { spellings, args });
    }
    read
}

fn enumeration(node: &Node, sink: &mut Sink) -> Enumeration {
    let mut enumeration = Enumeration::default();
    for (name, aliases) in reader::entries_or_none(Some(node), "an enumeration", sink) {
        if !reader::check_name(&name.text, name.span.clone(), "a value", sink) {
            continue;
        }
        let spellings = strings(aliases, "a spelling", sink);
        if let Err((spelling, other)) = enumeration.add(SmolStr::from(&name.text), spellings) {
            let items = reader::one_or_many(aliases);
            let at = items
                .iter()
                .find(|item| item.text() == Some(&spelling))
                .map_or(&name.span, |item| &item.span);
            sink.error(
                at.clone(),
                format!("the spelling `{spelling}` already means `{other}`"),
                "used twice",
            )
            .help("letter case does not tell spellings apart");
            // The name exists all the same, so that its uses are not told, too.
            let _ = enumeration.add(SmolStr::from(&name.text), Vec::new());
        }
    }
    enumeration
}

fn strings(node: &Node, what: &str, sink: &mut Sink) -> Vec<SmolStr> {
    let items = reader::one_or_many(node);
    items.iter().filter_map(|item| reader::text(item, what, sink)).map(SmolStr::from).collect()
}

/// Reads `reach`: the call that leads to a state, or the calls in order.
pub(super) fn reach(
    node: Option<&Node>,
    states: &[SmolStr],
    names: &Names,
    sink: &mut Sink,
) -> IndexMap<SmolStr, Vec<(SmolStr, Fields)>> {
    let mut reach = IndexMap::new();
    for (state, recipe) in reader::entries_or_none(node, "`reach`", sink) {
        if !states.iter().any(|have| *have == state.text) {
            sink.unknown(
                state.span.clone(),
                "state",
                &state.text,
                states.iter().map(SmolStr::as_str),
            );
        }
        let items = reader::one_or_many(recipe);
        let calls: Vec<_> = items.iter().filter_map(|item| call(item, names, sink)).collect();
        if items.is_empty() {
            sink.error(recipe.span.clone(), "no call leads to this state", "name at least one");
        }
        reach.insert(SmolStr::from(&state.text), calls);
    }
    reach
}

/// Reads a call: the name of a method, or `{ method: { argument: value } }`.
pub(crate) fn call(node: &Node, names: &Names, sink: &mut Sink) -> Option<(SmolStr, Fields)> {
    let (op, span, args) = match &node.kind {
        Kind::Map(entries) => match &entries[..] {
            [(key, args)] => (key.text.as_str(), key.span.clone(), Some(args)),
            _ => {
                sink.error(
                    node.span.clone(),
                    "a call is of one method",
                    format!("these are {}", entries.len()),
                );
                return None;
            }
        },
        _ => (reader::text(node, "a method", sink)?, node.span.clone(), None),
    };
    let Some(method) = names.calls.get(op) else {
        sink.unknown(span, "method", op, names.calls.keys().map(SmolStr::as_str));
        return None;
    };
    let takes_token = method.args.iter().any(|arg| arg == "token");
    let mut fields = Fields::new();
    let mut absent = Vec::new();
    for (key, value) in reader::entries_or_none(args, "the arguments of a call", sink) {
        if takes_token && key.text == "token-life" {
            if let Some(life) = reader::duration(value, "`token-life`", sink) {
                fields.set(SmolStr::new_static("token-life_ms"), Value::from(life));
            }
            continue;
        }
        if !method.args.iter().any(|arg| *arg == key.text) {
            let known =
                method.args.iter().map(SmolStr::as_str).chain(takes_token.then_some("token-life"));
            sink.unknown_in(key.span.clone(), "argument", &key.text, &format!("of `{op}`"), known);
            continue;
        }
        // What is left out can also be written, for axes that have it as one of their values.
        if value.text() == Some(ABSENT) {
            absent.push(key.text.as_str());
            continue;
        }
        if key.text == "token" {
            let Some(kind) = reader::text(value, "`token`", sink) else { continue };
            if !TOKENS.contains(&kind) {
                sink.unknown(value.span.clone(), "kind of token", kind, TOKENS);
            }
        }
        fields.set(SmolStr::from(&key.text), reader::node_value(value));
    }
    if takes_token && fields.get("token").is_none() && !absent.contains(&"token") {
        fields.set(SmolStr::new_static("token"), Value::name("valid"));
    }
    Some((op.into(), fields))
}
