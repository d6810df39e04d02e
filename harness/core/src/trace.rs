//! The trace of a case: every stimulus and observation, totally ordered and timestamped.
//!
//! Not responsible for judging what it holds, nor for storing it anywhere.
//!
//! Invariant: it is the only evidence. Whatever a verdict rests on is an event here, and the
//! digest covers all of it.

use crate::time::Micros;
use crate::value::{Fields, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use xxhash_rust::xxh3::Xxh3;

/// Where an event was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    /// Between harness and client: `call`, `state`, `result`, `event`.
    Control,
    /// The client's frames: `frame`, with `dir` `sent` or `received` as the client sees it.
    Wire,
    /// The client's link: `attempt`, `failed`, `opened`, `closed`, `up`, `down`.
    Network,
    /// The lab's ground truth; the kind is the signal's name, such as `server.accepted`.
    Server,
    /// The harness itself: `step`, `note`.
    Harness,
}

/// One entry of a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the trace, from 0.
    pub n: u32,
    /// When the harness saw it.
    #[serde(rename = "at_ms", serialize_with = "write_ms", deserialize_with = "read_ms")]
    pub at: Micros,
    /// The client that it is about, if it is about one.
    pub client: Option<SmolStr>,
    /// Where it was seen.
    pub plane: Plane,
    /// What it is; the set depends on the plane.
    pub kind: SmolStr,
    /// Its fields; which there are depends on the kind.
    pub data: Fields,
}

impl Event {
    /// The word that tables match an event by: `call.login`, `result.login`, `state`,
    /// `event.member-left`, `sent.login`, `received.pong`, `attempt`, `dial.failed`, `link.up`,
    /// or a signal's own name. The first part alone names the whole kind.
    #[must_use]
    pub fn head(&self) -> Head<'_> {
        let text = |name| self.data.text(name).unwrap_or("");
        let (kind, name) = match (self.plane, self.kind.as_str()) {
            (Plane::Control, "call") => ("call", text("op")),
            (Plane::Control, "result") => ("result", text("op")),
            (Plane::Control, "event") => ("event", text("event")),
            (Plane::Control, _) => ("state", ""),
            (Plane::Wire, _) if text("dir") == "sent" => ("sent", text("message")),
            (Plane::Wire, _) => ("received", text("message")),
            (Plane::Network, "attempt") => ("attempt", ""),
            (Plane::Network, "failed") => ("dial", "failed"),
            (Plane::Network, kind) => ("link", kind),
            (Plane::Server, kind) => kind.split_once('.').unwrap_or((kind, "")),
            (Plane::Harness, kind) => ("harness", kind),
        };
        Head { kind, name }
    }
}

/// The two parts of the word that tables match an event by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head<'a> {
    /// `call`, `result`, `state`, `event`, `sent`, `received`, `attempt`, `dial`, `link`, or what
    /// stands before the dot of a signal.
    pub kind: &'a str,
    /// The rest; empty where the kind says all.
    pub name: &'a str,
}

impl<'a> Head<'a> {
    /// Splits `kind.name` at its first dot.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        let (kind, name) = text.split_once('.').unwrap_or((text, ""));
        Self { kind, name }
    }
}

impl std::fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.name.is_empty() {
            write!(f, "{}", self.kind)
        } else {
            write!(f, "{}.{}", self.kind, self.name)
        }
    }
}

/// Tells traces apart as they grow: a fast hash of 128 bits, no proof against forgery, in a form of its own that does not hang on the JSON writer.
#[derive(Clone, Default)]
pub struct Digest {
    hasher: Xxh3,
    /// What is not hashed yet.
    pending: Vec<u8>,
}

/// How much is gathered before it is hashed: short updates cost more than the hashing.
const CHUNK: usize = 4_096;

impl Digest {
    /// Takes in one event.
    pub fn add(&mut self, event: &Event) {
        let line = &mut self.pending;
        line.extend_from_slice(&event.at.0.to_le_bytes());
        line.push(event.plane as u8);
        text(line, event.client.as_deref().unwrap_or(""));
        text(line, &event.kind);
        for (name, value) in event.data.iter() {
            text(line, name);
            match value {
                Value::Null => line.push(0),
                Value::Bool(b) => line.extend_from_slice(&[1, u8::from(*b)]),
                Value::Int(n) => {
                    line.push(2);
                    line.extend_from_slice(&n.to_le_bytes());
                }
                Value::Num(n) => {
                    line.push(3);
                    line.extend_from_slice(&n.to_bits().to_le_bytes());
                }
                Value::Text(value) => {
                    line.push(4);
                    text(line, value);
                }
                Value::Json(json) => {
                    line.push(5);
                    text(line, &json.to_string());
                }
            }
        }
        line.push(0xff);
        if self.pending.len() >= CHUNK {
            self.hasher.update(&self.pending);
            self.pending.clear();
        }
    }

    /// The hash so far, as 32 hexadecimal digits (128 bits).
    #[must_use]
    pub fn to_hex(&self) -> SmolStr {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.pending);
        smol_str::format_smolstr!("{:032x}", hasher.digest128())
    }
}

fn text(line: &mut Vec<u8>, text: &str) {
    #[expect(clippy::cast_possible_truncation, reason = "a length prefix; no text is 4 GiB")]
    line.extend_from_slice(&(text.len() as u32).to_le_bytes());
    line.extend_from_slice(text.as_bytes());
}

pub(crate) fn write_ms<S: Serializer>(at: &Micros, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(at.as_ms())
}

/// [`write_ms`] and [`read_ms`] for times that need not be there.
pub(crate) mod some_ms {
    use super::{Deserialize, Deserializer, Micros, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde asks for it")]
    pub(crate) fn serialize<S: Serializer>(
        at: &Option<Micros>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Micros::as_ms).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Micros>, D::Error> {
        Ok(Option::<f64>::deserialize(deserializer)?.map(Micros::from_ms))
    }
}

pub(crate) fn read_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Micros, D::Error> {
    f64::deserialize(deserializer).map(Micros::from_ms)
}
