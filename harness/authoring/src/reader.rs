//! Reads nodes as what a format says they are, and tells everything that is not so.
//!
//! Not responsible for which keys exist where: the callers ask for them, and what nobody asked for
//! is unknown.
//!
//! Invariant: a reader that gives `None` has told why.

use crate::diagnostic::{Sink, Span, nearest, shorten};
use crate::node::{Key, Kind, Node};
use stateline_core::time::Micros;
use stateline_core::value::Value;

/// A map whose keys are known.
pub(crate) struct MapReader<'n> {
    span: Span,
    /// In words, for messages: `a row`.
    what: &'static str,
    entries: &'n [(Key, Node)],
    asked: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl<'n> MapReader<'n> {
    pub(crate) fn new(node: &'n Node, what: &'static str, sink: &mut Sink) -> Option<Self> {
        let entries = entries(node, what, sink)?;
        Some(Self {
            span: node.span.clone(),
            what,
            entries,
            asked: Vec::new(),
            missing: Vec::new(),
        })
    }

    /// The value of an optional key.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<&'n Node> {
        self.asked.push(key);
        self.entries.iter().find(|(have, _)| have.text == key).map(|(_, value)| value)
    }

    /// The value of a key that must be there. `finish` tells when it is not.
    pub(crate) fn need(&mut self, key: &'static str) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            self.missing.push(key);
        }
        found
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(have, _)| have.text == key)
    }

    pub(crate) fn key_span(&self, key: &str) -> Span {
        self.entries
            .iter()
            .find(|(have, _)| have.text == key)
            .map_or_else(|| self.span.clone(), |(have, _)| have.span.clone())
    }

    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The entries under keys that nobody asked for, for maps with one free key.
    pub(crate) fn rest(&self) -> impl Iterator<Item = &'n (Key, Node)> {
        self.entries.iter().filter(|(key, _)| !self.asked.contains(&key.text.as_str()))
    }

    /// Whether some key that nobody asked for looks like one of these.
    pub(crate) fn misspells(&self, keys: &[&str]) -> bool {
        self.rest().any(|(key, _)| nearest(&key.text, keys.iter().copied()).is_some())
    }

    /// Tells the keys that nobody asked for, and those that are missing.
    pub(crate) fn finish(mut self, sink: &mut Sink) {
        self.asked.sort_unstable();
        self.asked.dedup();
        for (key, _) in self.rest() {
            sink.unknown_in(
                key.span.clone(),
                "key",
                &key.text,
                &format!("in {}", self.what),
                self.asked.iter().copied(),
            );
        }
        // A key that is only misspelt is told once, as that.
        let meant: Vec<&str> = self
            .rest()
            .filter_map(|(key, _)| nearest(&key.text, self.asked.iter().copied()))
            .collect();
        self.missing.retain(|key| !meant.contains(key));
        self.finish_open(sink);
    }

    /// Tells the keys that are missing, where other keys are free.
    pub(crate) fn finish_open(self, sink: &mut Sink) {
        for key in &self.missing {
            sink.error(
                self.span.clone(),
                format!("{} lacks the key `{key}`", self.what),
                format!("needs `{key}`"),
            );
        }
    }
}

/// The entries of a map with free keys.
pub(crate) fn entries<'n>(
    node: &'n Node,
    what: &str,
    sink: &mut Sink,
) -> Option<&'n [(Key, Node)]> {
    match &node.kind {
        Kind::Map(entries) => Some(entries),
        _ => {
            sink.error(
                node.span.clone(),
                format!("{what} must be a map"),
                format!("this is {}", node.what()),
            );
            None
        }
    }
}

/// The entries of an optional map with free keys; none when it is not there.
pub(crate) fn entries_or_none<'n>(
    node: Option<&'n Node>,
    what: &str,
    sink: &mut Sink,
) -> &'n [(Key, Node)] {
    node.and_then(|node| entries(node, what, sink)).unwrap_or_default()
}

/// The items of a list.
pub(crate) fn items<'n>(node: &'n Node, what: &str, sink: &mut Sink) -> &'n [Node] {
    match &node.kind {
        Kind::Seq(items) => items,
        _ => {
            sink.error(
                node.span.clone(),
                format!("{what} must be a list"),
                format!("this is {}", node.what()),
            );
            &[]
        }
    }
}

/// The items of a list, or the one thing that stands instead of a list.
pub(crate) fn one_or_many(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::Seq(items) => items,
        _ => std::slice::from_ref(node),
    }
}

/// A text that says something.
pub(crate) fn text<'n>(node: &'n Node, what: &str, sink: &mut Sink) -> Option<&'n str> {
    match node.text() {
        Some(text) if !text.trim().is_empty() => Some(text),
        _ => {
            let is = if node.text().is_some() { "nothing" } else { node.what() };
            sink.error(
                node.span.clone(),
                format!("{what} must be a text"),
                format!("this is {is}"),
            );
            None
        }
    }
}

/// A name as ids, states and channels are: letters, digits, `-`, `_`, `.`, `/`.
pub(crate) fn name<'n>(node: &'n Node, what: &str, sink: &mut Sink) -> Option<&'n str> {
    let text = text(node, what, sink)?;
    check_name(text, node.span.clone(), what, sink).then_some(text)
}

pub(crate) fn check_name(text: &str, span: Span, what: &str, sink: &mut Sink) -> bool {
    let fits =
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if !fits {
        sink.error(span, format!("`{}` is no name for {what}", shorten(text)), "not a name")
            .help("names are of letters, digits, `-`, `_`, `.` and `/`");
    }
    fits
}

/// A duration such as `4s`.
pub(crate) fn duration(node: &Node, what: &str, sink: &mut Sink) -> Option<Micros> {
    let written = text(node, what, sink)?;
    match Micros::parse(written) {
        Ok(time) => Some(time),
        Err(why) => {
            sink.error(
                node.span.clone(),
                format!("`{}` is no duration: {why}", shorten(written)),
                "not a duration",
            )
            .help("write a number and a unit: 250ms, 4s, 2m");
            None
        }
    }
}

/// `true` or `false`.
pub(crate) fn flag(node: &Node, what: &str, sink: &mut Sink) -> Option<bool> {
    match node.text() {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => {
            sink.error(
                node.span.clone(),
                format!("{what} must be true or false"),
                format!("this is {}", node.what()),
            );
            None
        }
    }
}

/// A whole number in a range.
pub(crate) fn number(node: &Node, what: &str, min: u32, max: u32, sink: &mut Sink) -> Option<u32> {
    let found = node.text().and_then(|text| text.parse().ok()).filter(|n| (min..=max).contains(n));
    if found.is_none() {
        sink.error(
            node.span.clone(),
            format!("{what} must be a whole number from {min} to {max}"),
            node.text().map_or_else(
                || format!("this is {}", node.what()),
                |text| format!("`{}` is not", shorten(text)),
            ),
        );
    }
    found
}

/// One of a set of words.
pub(crate) fn choice<T: Copy>(
    node: &Node,
    what: &str,
    of: &[(&str, T)],
    sink: &mut Sink,
) -> Option<T> {
    let written = text(node, what, sink)?;
    let found = of.iter().find(|(word, _)| *word == written).map(|(_, value)| *value);
    if found.is_none() {
        sink.unknown(node.span.clone(), what, written, of.iter().map(|(word, _)| *word));
    }
    found
}

/// What a scalar says when it stands for data: `true`, `12`, `null`, or a text. Quotes make a text
/// of anything.
pub(crate) fn value(text: &str, plain: bool) -> Value {
    if !plain {
        return Value::from(text);
    }
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" | "~" | "" => Value::Null,
        _ if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(n), _) => Value::Int(n),
                (_, Ok(n)) if n.is_finite() => Value::Num(n),
                _ => Value::from(text),
            }
        }
        _ => Value::from(text),
    }
}

/// A node as a value of a call's argument or a frame's field.
pub(crate) fn node_value(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar(scalar) => value(&scalar.text, scalar.plain),
        _ => Value::Json(Box::new(json(node))),
    }
}

/// A node as JSON.
pub(crate) fn json(node: &Node) -> serde_json::Value {
    match &node.kind {
        Kind::Scalar(scalar) => value(&scalar.text, scalar.plain).to_json(),
        Kind::Seq(items) => items.iter().map(json).collect(),
        Kind::Map(entries) => serde_json::Value::Object(
            entries.iter().map(|(key, value)| (key.text.clone(), json(value))).collect(),
        ),
    }
}
