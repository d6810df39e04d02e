//! The messages of the control protocol, as `PROTOCOL.md` has them.
//!
//! Not responsible for processes or for the order of messages.
//!
//! Invariant: what is written here is valid under `protocol.schema.json`, and whatever that schema
//! allows an adapter to send is read here.

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use smol_str::SmolStr;
use stateline_core::time::Micros;
use stateline_core::turn::{Input, Observation, Output, Turn};
use stateline_core::value::{Fields, Value};
use std::fmt;
use std::marker::PhantomData;

/// The versions that are spoken here, newest first.
pub const VERSIONS: [u32; 1] = [1];
/// Longest line, in bytes.
pub const LONGEST_LINE: usize = 8 << 20;
/// Error code: none of the versions is spoken there.
pub const WRONG_VERSION: i64 = -32_001;
/// Seeds and times stay below this: every language's numbers hold them.
pub const LARGEST: u64 = 1 << 53;

/// What the harness asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Who is there?
    Hello,
    /// Make a client.
    Open,
    /// Run a client until it is idle.
    Turn,
    /// Real time: call a method.
    Call,
    /// Send back what came.
    Echo,
    /// Throw a client away.
    Close,
    /// End.
    Bye,
}

impl Method {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Open => "open",
            Self::Turn => "turn",
            Self::Call => "call",
            Self::Echo => "echo",
            Self::Close => "close",
            Self::Bye => "bye",
        }
    }
}

/// A request.
#[derive(Debug, Serialize)]
pub struct Request<P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<P>,
}

impl<P: Serialize> Request<P> {
    /// A request with this number.
    #[must_use]
    pub const fn new(id: u64, method: Method, params: Option<P>) -> Self {
        Self { jsonrpc: "2.0", id, method: method.as_str(), params }
    }
}

/// Parameters of `hello`.
#[derive(Debug, Serialize)]
pub struct HelloParams {
    versions: [u32; VERSIONS.len()],
    harness: Named,
}

impl Default for HelloParams {
    fn default() -> Self {
        let harness =
            Named { name: "stateline".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        Self { versions: VERSIONS, harness }
    }
}

/// A name with a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
}

/// How a client's time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeMode {
    /// In turns.
    Lockstep,
    /// By itself.
    Real,
}

/// Who an adapter is and what it can do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Hello {
    /// The version that it chose.
    pub version: u32,
    /// The client under test.
    pub client: Named,
    /// The profiles whose SDK this is.
    pub profiles: Vec<SmolStr>,
    /// How its time can pass.
    pub time: Vec<TimeMode>,
    /// How many clients may be open at once in one process.
    #[serde(default = "one")]
    pub clients: u32,
    /// A process may serve another case.
    #[serde(default)]
    pub reuse: bool,
    /// What scenarios and requirements may ask for.
    #[serde(default)]
    pub capabilities: Vec<SmolStr>,
    /// Methods that the client does not have.
    #[serde(default)]
    pub unsupported: Vec<SmolStr>,
}

const fn one() -> u32 {
    1
}

/// Parameters of `open`.
#[derive(Debug, Serialize)]
pub struct OpenParams<'a> {
    /// The number of the client from here on.
    pub client: u32,
    /// Whose contract it is judged by.
    pub profile: &'a str,
    /// In which variant.
    pub variant: Option<&'a str>,
    /// The user.
    pub uid: &'a str,
    /// How its time passes.
    pub time: TimeMode,
    /// Wall clock at time 0, in milliseconds since 1970.
    pub epoch_ms: u64,
    /// Seeds its chance; below [`LARGEST`].
    pub seed: u64,
    /// Configuration of the SDK.
    pub parameters: &'a Fields,
    /// Real time: where to dial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<&'a Endpoint>,
}

/// Where a client dials in real time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// `ws` or `wss`.
    pub scheme: &'static str,
    /// An address of the loopback.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path of the WebSocket.
    pub path: String,
    /// Its subprotocol, where the wire has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subprotocol: Option<String>,
    /// With `wss`: the file of the authority that alone is to be trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Where the application may ask for tokens by itself.
    pub tokens: String,
}

/// Parameters of `call`.
#[derive(Debug, Serialize)]
pub struct CallParams<'a> {
    /// Whose method it is.
    pub client: u32,
    /// Numbers the calls of a client from 0.
    pub call: u32,
    /// The method, as the SDK spells it.
    pub op: &'a str,
    /// Its arguments.
    pub args: &'a Fields,
}

/// The answer to `open`.
#[derive(Debug, Deserialize)]
pub struct Opened {
    /// Why the client cannot be made as asked.
    pub unsupported: Option<String>,
}

/// Parameters of `turn`.
#[derive(Debug, Serialize)]
pub struct TurnParams<'a> {
    /// Whose turn it is.
    pub client: u32,
    /// The time of the case, in microseconds.
    pub now_us: u64,
    /// What arrived.
    pub input: Inputs<'a>,
}

/// Inputs as the protocol writes them.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a>(pub &'a [Input]);

impl Serialize for Inputs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(OneInput))
    }
}

struct OneInput<'a>(&'a Input);

impl Serialize for OneInput<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Input::Call { call, op, args } => {
                map.serialize_entry("kind", "call")?;
                map.serialize_entry("call", call)?;
                map.serialize_entry("op", op.as_str())?;
                map.serialize_entry("args", args)?;
            }
            Input::Opened { conn } => {
                map.serialize_entry("kind", "opened")?;
                map.serialize_entry("conn", conn)?;
            }
            Input::DialFailed { conn } => {
                map.serialize_entry("kind", "dial-failed")?;
                map.serialize_entry("conn", conn)?;
            }
            Input::Message { conn, text } => {
                map.serialize_entry("kind", "message")?;
                map.serialize_entry("conn", conn)?;
                map.serialize_entry("text", text.as_str())?;
            }
            Input::Closed { conn, code } => {
                map.serialize_entry("kind", "closed")?;
                map.serialize_entry("conn", conn)?;
                map.serialize_entry("code", code)?;
            }
        }
        map.end()
    }
}

/// Parameters of `close`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CloseParams {
    /// Who is thrown away.
    pub client: u32,
}

/// Parameters and result of `echo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Echo<T> {
    /// Anything.
    pub data: T,
}

/// A result without content: any object.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Nothing {}

/// The idle result of a turn.
#[derive(Debug, Deserialize)]
pub struct Idle {
    output: Vec<OneOutput>,
    #[serde(deserialize_with = "required")]
    next_us: Option<u64>,
}

/// A key that may be `null` and may not be missing.
fn required<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Option::deserialize(from)
}

impl From<Idle> for Turn {
    fn from(idle: Idle) -> Self {
        Self {
            output: idle.output.into_iter().map(|output| output.0).collect(),
            next: idle.next_us.map(Micros),
        }
    }
}

/// An object, and nothing else: serde would read a list of the right length, too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OnlyMaps<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMaps<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        from.deserialize_any(OnlyMaps(PhantomData))
    }
}

/// One output; keys may come in any order, and those that its kind does not have are ignored.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Object<AnyOutput>")]
struct OneOutput(Output);

#[derive(Deserialize)]
struct AnyOutput {
    kind: Kind,
    conn: Option<u32>,
    call: Option<u32>,
    text: Option<SmolStr>,
    event: Option<SmolStr>,
    data: Option<Fields>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Close,
    Dial,
    Event,
    Result,
    Send,
    State,
    Unsupported,
}

impl TryFrom<Object<AnyOutput>> for OneOutput {
    type Error = &'static str;

    fn try_from(Object(any): Object<AnyOutput>) -> Result<Self, Self::Error> {
        let AnyOutput { kind, conn, call, text, event, data } = any;
        Ok(Self(match kind {
            Kind::Dial => Output::Dial { conn: conn.ok_or("a `dial` needs a `conn`")? },
            Kind::Close => Output::Close { conn: conn.ok_or("a `close` needs a `conn`")? },
            Kind::Send => Output::Send {
                conn: conn.ok_or("a `send` needs a `conn`")?,
                text: text.ok_or("a `send` needs a `text`")?,
            },
            Kind::State => {
                let mut data = data.ok_or("a `state` needs `data`")?;
                if !word(&mut data, "state")? {
                    return Err("the `data` of a `state` needs a `state`");
                }
                word(&mut data, "reason")?;
                Output::Observe(Observation::State(data))
            }
            Kind::Result => {
                let mut data = data.ok_or("a `result` needs `data`")?;
                if !word(&mut data, "code")? {
                    return Err("the `data` of a `result` needs a `code`");
                }
                let call = call.ok_or("a `result` needs a `call`")?;
                Output::Observe(Observation::Result { call, data })
            }
            Kind::Event => Output::Observe(Observation::Event {
                event: event.ok_or("an `event` has an `event`")?,
                data: data.unwrap_or_default(),
            }),
            Kind::Unsupported => Output::Observe(Observation::Unsupported {
                call: call.ok_or("an `unsupported` needs a `call`")?,
            }),
        }))
    }
}

/// Whether there is a word of the SDK in this field. A number is whole, however it is written.
fn word(data: &mut Fields, name: &'static str) -> Result<bool, &'static str> {
    #[expect(clippy::cast_possible_truncation, reason = "looked at before")]
    let whole = match data.get(name) {
        None | Some(Value::Null) => return Ok(false),
        Some(Value::Text(_) | Value::Int(_)) => return Ok(true),
        Some(Value::Num(n)) if n.fract() == 0.0 && n.abs() < LARGEST as f64 => *n as i64,
        Some(_) => return Err("a state, reason or code is a text or a whole number"),
    };
    data.set(SmolStr::new_static(name), Value::Int(whole));
    Ok(true)
}

/// In real time: an answer, or what an application was told.
#[derive(Debug, Deserialize)]
pub struct Incoming {
    /// `2.0`.
    #[serde(default)]
    pub jsonrpc: SmolStr,
    /// The request's number; none in a notification.
    pub id: Option<u64>,
    /// `observe`, in a notification.
    pub method: Option<SmolStr>,
    /// Of a notification.
    pub params: Option<Observed>,
    /// Of an answer.
    #[serde(default, deserialize_with = "object")]
    pub result: Option<Opened>,
    /// Of an answer.
    pub error: Option<ErrorObject>,
}

/// What the application of a client was told.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Object<AnyObserved>")]
pub struct Observed {
    /// Whose.
    pub client: u32,
    /// What.
    pub seen: Observation,
}

#[derive(Deserialize)]
struct AnyObserved {
    client: u32,
    seen: OneOutput,
}

impl TryFrom<Object<AnyObserved>> for Observed {
    type Error = &'static str;

    fn try_from(Object(any): Object<AnyObserved>) -> Result<Self, Self::Error> {
        match any.seen.0 {
            Output::Observe(seen) => Ok(Self { client: any.client, seen }),
            _ => Err("in real time a client dials, sends and closes by itself"),
        }
    }
}

/// An answer: `result` or `error`. With a method it is no answer.
#[derive(Debug, Deserialize)]
#[serde(bound = "R: Deserialize<'de>")]
pub struct Answer<R> {
    /// `2.0`.
    #[serde(default)]
    pub jsonrpc: SmolStr,
    /// The request's number.
    pub id: Option<u64>,
    /// What it would ask for.
    pub method: Option<SmolStr>,
    /// What was asked for.
    #[serde(default, deserialize_with = "object")]
    pub result: Option<R>,
    /// Why it cannot be done.
    pub error: Option<ErrorObject>,
}

fn object<'de, R, D>(from: D) -> Result<Option<R>, D::Error>
where
    R: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Ok(Option::<Object<R>>::deserialize(from)?.map(|Object(result)| result))
}

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ErrorObject {
    /// Its number.
    pub code: i64,
    /// In words.
    pub message: String,
}
