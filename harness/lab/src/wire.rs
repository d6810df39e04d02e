//! Interprets a [`Wire`]: frames of a client to abstract messages, abstract messages to frames.
//!
//! Not responsible for what a message means (the realm's), nor for when and where a frame travels
//! (the link's).
//!
//! Invariant: text from outside never panics. It becomes messages, or an [`Undecodable`] that says
//! why.

use indexmap::{IndexMap, IndexSet};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use smallvec::SmallVec;
use smol_str::{SmolStr, format_smolstr};
use stateline_core::value::{Fields, Value};
use stateline_core::wire::{Codec, Match, ReceiveRule, Template, Wire};
use std::fmt::{self, Write as _};
use std::mem;

/// The longest frame that is read: a client must not be able to stall its judge.
const MAX_FRAME: usize = 1 << 20;
/// The most keys that a message may have; looking them up is linear.
const MAX_KEYS: usize = 1_000;
/// The name of the message that stands for a frame of an opaque wire.
const OPAQUE: SmolStr = SmolStr::new_static("opaque");

/// An abstract message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Its name: `login`, `pong`, …
    pub name: SmolStr,
    /// Its fields.
    pub fields: Fields,
}

/// The messages of one frame; nearly always one.
pub type Messages = SmallVec<[Message; 1]>;

/// A frame that is no message of this wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Undecodable {
    /// What is wrong with it.
    pub why: SmolStr,
}

/// The counters of one connection; each starts at 1.
#[derive(Clone, Debug, Default)]
pub struct Counters(SmallVec<[u64; 2]>);

impl Counters {
    fn next(&mut self, counter: usize) -> u64 {
        if self.0.len() <= counter {
            self.0.resize(counter + 1, 0);
        }
        self.0[counter] += 1;
        self.0[counter]
    }
}

/// A wire, made ready for many frames.
#[derive(Clone, Debug)]
pub struct FrameCodec {
    codec: Codec,
    batch: bool,
    rules: Vec<ReceiveRule>,
    templates: IndexMap<SmolStr, Node>,
}

/// A template with its literals already spelled as JSON.
#[derive(Clone, Debug)]
enum Node {
    Spelled(String),
    Field(SmolStr),
    Counter(usize),
    Now,
    /// Members with their key spelled as `"key":`.
    Object(Vec<(String, Self)>),
    List(Vec<Self>),
}

impl FrameCodec {
    /// Makes a wire ready.
    #[must_use]
    pub fn new(wire: &Wire) -> Self {
        let mut counters = IndexSet::new();
        let templates = wire
            .send
            .iter()
            .map(|(name, template)| (name.clone(), Node::new(template, &mut counters)))
            .collect();
        Self { codec: wire.codec, batch: wire.batch, rules: wire.receive.clone(), templates }
    }

    /// Whether the server can say this message at all.
    #[must_use]
    pub fn speaks(&self, message: &str) -> bool {
        self.templates.contains_key(message)
    }

    /// Whether one frame may carry several messages.
    #[must_use]
    pub const fn batches(&self) -> bool {
        self.batch || matches!(self.codec, Codec::JsonLines)
    }

    /// Reads a frame of a client.
    ///
    /// # Errors
    /// The frame is no JSON, not of the expected shape, or no rule matches one of its messages.
    pub fn decode(&self, text: &str) -> Result<Messages, Undecodable> {
        if text.len() > MAX_FRAME {
            return Err(undecodable("the frame is longer than 1 MiB"));
        }
        match self.codec {
            Codec::Opaque => {
                Ok(SmallVec::from_iter([Message { name: OPAQUE, fields: Fields::new() }]))
            }
            Codec::Json => {
                let mut messages = Messages::new();
                self.decode_value(text, &mut messages)?;
                Ok(messages)
            }
            Codec::JsonLines => {
                let mut messages = Messages::new();
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    self.decode_value(line, &mut messages)?;
                }
                if messages.is_empty() {
                    return Err(undecodable("the frame holds no line"));
                }
                Ok(messages)
            }
        }
    }

    fn decode_value(&self, text: &str, messages: &mut Messages) -> Result<(), Undecodable> {
        let frame: Frame = serde_json::from_str(text).map_err(|error| Undecodable {
            why: format_smolstr!("it is no JSON message: {error}"),
        })?;
        match frame {
            Frame::One(keys) => messages.push(self.name(keys)?),
            Frame::Many(_) if !self.batch => {
                return Err(undecodable("it is a list, and this wire knows no batches"));
            }
            Frame::Many(list) if list.is_empty() => {
                return Err(undecodable("it is an empty list"));
            }
            Frame::Many(list) => {
                for keys in list {
                    messages.push(self.name(keys)?);
                }
            }
        }
        Ok(())
    }

    /// Applies the rules to one object.
    fn name(&self, mut keys: Keys) -> Result<Message, Undecodable> {
        let mut nearest = None;
        for rule in &self.rules {
            let fits = rule.matches.iter().all(|(key, wanted)| match (wanted, keys.get(key)) {
                (Match::Literal(literal), Some(value)) => literal == value,
                (Match::Present, Some(_)) | (Match::Absent, None) => true,
                _ => false,
            });
            if !fits {
                continue;
            }
            let lacks = rule.captures.iter().find(|(_, key, optional)| {
                !optional && keys.get(key).is_none_or(|value| *value == Value::Null)
            });
            if let Some((_, key, _)) = lacks {
                nearest.get_or_insert((&rule.message, key));
                continue;
            }
            // A key can feed two fields, so only its last use may take the value away.
            let mut fields = Vec::with_capacity(rule.captures.len());
            for (n, (field, key, _)) in rule.captures.iter().enumerate() {
                let again = rule.captures[n + 1..].iter().any(|(_, other, _)| other == key);
                let value = match keys.get_mut(key) {
                    Some(value) if again => value.clone(),
                    Some(value) => mem::take(value),
                    None => continue,
                };
                if value != Value::Null {
                    fields.push((field.clone(), value));
                }
            }
            return Ok(Message {
                name: rule.message.clone(),
                fields: fields.into_iter().collect(),
            });
        }
        Err(match nearest {
            Some((message, key)) => {
                Undecodable { why: format_smolstr!("`{message}` lacks `{key}`") }
            }
            None => undecodable("no rule of the wire matches it"),
        })
    }

    /// Appends one message to a frame. The first call of a frame gets an empty `frame`; call
    /// [`Self::finish`] after the last. Gives `false`, and changes nothing, when the wire has no
    /// template for the message.
    pub fn encode(
        &self,
        name: &str,
        fields: &Fields,
        counters: &mut Counters,
        now_ms: u64,
        frame: &mut String,
    ) -> bool {
        let Some(node) = self.templates.get(name) else { return false };
        if !frame.is_empty() {
            frame.push(if matches!(self.codec, Codec::JsonLines) { '\n' } else { ',' });
        }
        if !node.write(fields, counters, now_ms, frame) {
            frame.push_str("null");
        }
        true
    }

    /// Closes a frame of `n` messages: a batch becomes a list.
    pub fn finish(&self, n: usize, frame: &mut String) {
        if n > 1 && !matches!(self.codec, Codec::JsonLines) {
            frame.insert(0, '[');
            frame.push(']');
        }
    }
}

impl Node {
    fn new(template: &Template, counters: &mut IndexSet<SmolStr>) -> Self {
        match template {
            Template::Literal(json) => Self::Spelled(json.to_string()),
            Template::Field(name) => Self::Field(name.clone()),
            Template::Counter(name) => Self::Counter(counters.insert_full(name.clone()).0),
            Template::Now => Self::Now,
            Template::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|(key, node)| {
                        let mut spelled = String::with_capacity(key.len() + 3);
                        push_text(&mut spelled, key);
                        spelled.push(':');
                        (spelled, Self::new(node, counters))
                    })
                    .collect(),
            ),
            Template::List(items) => {
                Self::List(items.iter().map(|item| Self::new(item, counters)).collect())
            }
        }
    }

    /// Appends this node; `false` when it is a field that the message does not have.
    fn write(
        &self,
        fields: &Fields,
        counters: &mut Counters,
        now_ms: u64,
        out: &mut String,
    ) -> bool {
        match self {
            Self::Spelled(json) => out.push_str(json),
            Self::Field(name) => match fields.get(name) {
                None | Some(Value::Null) => return false,
                Some(value) => push_value(out, value),
            },
            Self::Counter(counter) => push_number(out, counters.next(*counter)),
            Self::Now => push_number(out, now_ms),
            Self::Object(members) => {
                out.push('{');
                let mut written = false;
                for (key, node) in members {
                    let rewind = out.len();
                    if written {
                        out.push(',');
                    }
                    out.push_str(key);
                    if node.write(fields, counters, now_ms, out) {
                        written = true;
                    } else {
                        out.truncate(rewind);
                    }
                }
                out.push('}');
            }
            Self::List(items) => {
                out.push('[');
                let mut written = false;
                for node in items {
                    let rewind = out.len();
                    if written {
                        out.push(',');
                    }
                    if node.write(fields, counters, now_ms, out) {
                        written = true;
                    } else {
                        out.truncate(rewind);
                    }
                }
                out.push(']');
            }
        }
        true
    }
}

fn undecodable(why: &'static str) -> Undecodable {
    Undecodable { why: SmolStr::new_static(why) }
}

fn push_number(out: &mut String, n: u64) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{n}");
}

fn push_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Value::Num(n) => {
            let _ = write!(out, "{}", serde_json::Value::from(*n));
        }
        Value::Text(text) => push_text(out, text),
        Value::Json(json) => {
            let _ = write!(out, "{json}");
        }
    }
}

/// Most texts need no escapes; only the others pay for the general writer.
fn push_text(out: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        let _ = write!(out, "{}", serde_json::Value::from(text));
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

/// One JSON object, flat: nested values stay whole.
struct Keys(SmallVec<[(SmolStr, Value); 6]>);

impl Keys {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.0.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

#[expect(clippy::large_enum_variant, reason = "it lives for one call; a box costs an allocation")]
enum Frame {
    One(Keys),
    Many(Vec<Keys>),
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message (an object)")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut keys: SmallVec<[(SmolStr, Value); 6]> = SmallVec::new();
        while let Some((key, value)) = map.next_entry::<SmolStr, Value>()? {
            if keys.iter().any(|(have, _)| *have == key) {
                return Err(A::Error::custom(format_args!("the key `{key}` stands there twice")));
            }
            if keys.len() == MAX_KEYS {
                return Err(A::Error::custom("a message has more than 1,000 keys"));
            }
            keys.push((key, value));
        }
        Ok(Keys(keys))
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FrameVisitor;
        impl<'de> Visitor<'de> for FrameVisitor {
            type Value = Frame;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a message (an object) or a list of messages")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Frame, A::Error> {
                KeysVisitor.visit_map(map).map(Frame::One)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Frame, A::Error> {
                let mut list = Vec::new();
                while let Some(keys) = seq.next_element()? {
                    list.push(keys);
                }
                Ok(Frame::Many(list))
            }
        }
        deserializer.deserialize_any(FrameVisitor)
    }
}

#[cfg(test)]
mod tests;
