//! A client as a pure machine that advances in turns.
//!
//! The harness hands in what arrived, the client runs until only timers are left, and answers in
//! one ordered list what it observed, dialled, sent and closed, and when its next timer is due.
//! Lockstep is the same type as JSON lines. Not responsible for links, servers or time itself.
//!
//! Invariant: the unit is the message, never bytes, and `now` never runs backwards.

use crate::time::Micros;
use crate::value::Fields;
use smol_str::SmolStr;

/// A client under test that is driven in turns.
pub trait Client {
    /// Runs the client at `now` with what arrived since its last turn, in order. An empty input
    /// means that the timer it asked for is due.
    fn turn(&mut self, now: Micros, input: Vec<Input>) -> Turn;
}

/// What a client answers to one turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// What it did, in order.
    pub output: Vec<Output>,
    /// When its earliest timer is due; `None` when it waits for input alone.
    pub next: Option<Micros>,
}

/// How a client is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// The user that it will log in as.
    pub uid: SmolStr,
    /// Wall clock at the start of the case, in milliseconds since 1970: tokens expire by it.
    pub epoch_ms: u64,
    /// Seeds whatever chance the client plays with.
    pub seed: u64,
}

/// One thing that reaches a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The application calls a method of the SDK.
    Call {
        /// Identifies the call; its result carries the same number.
        call: u32,
        /// The SDK's own name of the method, as the profile writes it.
        op: SmolStr,
        /// Its arguments.
        args: Fields,
    },
    /// A connection that the client dialled is open.
    Opened {
        /// The number that the client gave to its dial.
        conn: u32,
    },
    /// A dial came to nothing.
    DialFailed {
        /// The number that the client gave to its dial.
        conn: u32,
    },
    /// A frame arrived.
    Message {
        /// On which connection.
        conn: u32,
        /// The frame's text.
        text: SmolStr,
    },
    /// A connection is gone.
    Closed {
        /// Which.
        conn: u32,
        /// The close code, when the other side said goodbye; `None` after a reset.
        code: Option<u16>,
    },
}

/// One thing that a client does.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// It tells the application something.
    Observe(Observation),
    /// It starts a connection attempt.
    Dial {
        /// A number of the client's choice, fresh for each dial.
        conn: u32,
    },
    /// It sends a frame.
    Send {
        /// On which connection.
        conn: u32,
        /// The frame's text.
        text: SmolStr,
    },
    /// It closes a connection or gives up a dial.
    Close {
        /// Which.
        conn: u32,
    },
}

/// Something that the application was told, in the SDK's own words.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// A change of state was reported.
    State(Fields),
    /// A call completed.
    Result {
        /// Which call.
        call: u32,
        /// `code`, and what else came with it.
        data: Fields,
    },
    /// A callback other than a state change.
    Event {
        /// The callback's name.
        event: SmolStr,
        /// Its arguments.
        data: Fields,
    },
    /// The client cannot do what was called.
    Unsupported {
        /// Which call.
        call: u32,
    },
}
