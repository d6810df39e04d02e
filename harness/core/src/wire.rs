//! A wire: how abstract messages map to frames, compiled from data.
//!
//! Not responsible for interpreting it (`stateline-lab` does) nor for sockets.
//!
//! Invariant: no loops and no conditions; a rule matches by key presence and literals only.

use crate::time::Micros;
use crate::value::Value;
use indexmap::IndexMap;
use smol_str::SmolStr;

/// How abstract messages map to frames.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Its name.
    pub name: SmolStr,
    /// How a frame is spelled.
    pub codec: Codec,
    /// A frame may hold several messages as a list.
    pub batch: bool,
    /// Who asks for a sign of life, how often, with which message.
    pub heartbeat: Heartbeat,
    /// Frames of the client, tried in order; the first that matches names the message.
    pub receive: Vec<ReceiveRule>,
    /// Frames of the server by abstract message.
    pub send: IndexMap<SmolStr, Template>,
    /// Close codes by cause: `superseded`, `kicked`, `banned`, `restart`, `normal`.
    pub close: IndexMap<SmolStr, u16>,
    /// Path of the endpoint.
    pub path: String,
    /// WebSocket subprotocol.
    pub subprotocol: Option<String>,
}

/// How a frame is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// One JSON value.
    Json,
    /// JSON values, one a line.
    JsonLines,
    /// Nothing is decoded.
    Opaque,
}

/// The sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// How often.
    pub period: Micros,
    /// The abstract message of the client.
    pub message: SmolStr,
    /// The abstract answer of the server.
    pub answer: SmolStr,
}

/// Names a frame of the client.
#[derive(Clone, Debug)]
pub struct ReceiveRule {
    /// The abstract message.
    pub message: SmolStr,
    /// What must be there.
    pub matches: Vec<(SmolStr, Match)>,
    /// Fields of the abstract message, by the key that holds them; `true` where it is optional.
    pub captures: Vec<(SmolStr, SmolStr, bool)>,
}

/// What a key must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Match {
    /// Exactly this.
    Literal(Value),
    /// Anything.
    Present,
    /// Nothing: the key is not there.
    Absent,
}

/// A frame of the server, with holes.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// Written out.
    Literal(serde_json::Value),
    /// A field of the abstract message; left out of an object when it has none.
    Field(SmolStr),
    /// The next number of a counter of this connection, from 1.
    Counter(SmolStr),
    /// The server's wall clock, in milliseconds.
    Now,
    /// An object.
    Object(Vec<(SmolStr, Self)>),
    /// A list.
    List(Vec<Self>),
}
