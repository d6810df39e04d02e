//! Checks of what the network may bring: frames of any text, and ends of connections.
//!
//! Not responsible for what a client makes of them.
//!
//! Invariant: a frame goes to a connection that the client dialled and has not closed.

use super::clients::UID;
use super::finding::{Finding, Halt, Outcome, Tried};
use super::patient::Patient;
use super::requests::call;
use serde_json::{Value, json};
use stateline_core::turn::Output;

/// How long a client may take to dial after it was called.
const DIALS_BY: u64 = 60_000_000;
/// How many turns it may take.
const DIAL_TURNS: usize = 200;
/// From one frame to the next.
const PACE: u64 = 1_000;

/// A client with a connection of its own.
pub(super) struct Line {
    /// The client.
    pub(super) client: u32,
    /// Its connection.
    pub(super) conn: u32,
    /// The time.
    pub(super) now: u64,
    /// Its next timer.
    pub(super) next: Option<u64>,
}

/// A client that dials, at the moment when it does; `None` if nothing makes it.
pub(super) fn dials(patient: &mut Patient<'_>) -> Tried<Option<Line>> {
    let methods = patient.methods(UID);
    let client = patient.fresh()?;
    let mut calls = methods.iter().enumerate();
    let (mut now, mut next) = (0, None);
    for _ in 0..DIAL_TURNS {
        let input: Vec<Value> = match calls.next() {
            Some((number, (op, args))) => vec![call(number, op, args)],
            None => match next {
                Some(due) if due <= DIALS_BY => {
                    now = due;
                    Vec::new()
                }
                _ => return Ok(None),
            },
        };
        let step = patient.turn(client, now, &input)?;
        next = step.next;
        let dial = step.output.iter().find_map(|output| match output {
            Output::Dial { conn } => Some(*conn),
            _ => None,
        });
        if let Some(conn) = dial {
            return Ok(Some(Line { client, conn, now, next }));
        }
    }
    Ok(None)
}

/// Whether a call makes it dial.
pub(super) fn dialling(patient: &mut Patient<'_>) -> Tried<Outcome> {
    if patient.methods(UID).is_empty() {
        return Err(Halt::Elsewhere);
    }
    if dials(patient)?.is_some() {
        return Ok(Outcome::well());
    }
    let what = "no call of the profile made it dial within a minute: frames cannot be tried";
    let help = "dial when the SDK connects: tell `dial` in the turn, and wait for `opened`";
    Ok(Outcome::Advice(Finding::new(what, help)))
}

/// A client with an open connection.
fn opened(patient: &mut Patient<'_>) -> Tried<Line> {
    // Whether it dials is told by a check of its own.
    let mut line = dials(patient)?.ok_or(Halt::Elsewhere)?;
    let conn = line.conn;
    if !deliver(patient, &mut line, &json!({ "kind": "opened", "conn": conn }))? {
        return Err(Halt::Elsewhere);
    }
    Ok(line)
}

/// Hands a client what arrived on its connection. False: the client closed it.
fn deliver(patient: &mut Patient<'_>, line: &mut Line, input: &Value) -> Tried<bool> {
    line.now = line.next.map_or(line.now + PACE, |next| next.min(line.now + PACE));
    let step = patient.turn(line.client, line.now, std::slice::from_ref(input))?;
    line.next = step.next;
    let gone = |output: &Output| matches!(output, Output::Close { conn } if *conn == line.conn);
    Ok(!step.output.iter().any(gone))
}

/// Delivers these texts as frames.
fn frames<T: AsRef<str>>(patient: &mut Patient<'_>, texts: &[T]) -> Tried<()> {
    let help = "a frame is the client's business, whatever it holds: hand the text to the SDK, and \
                answer with what the SDK did";
    let mut line = opened(patient)?;
    for text in texts {
        let input = json!({ "kind": "message", "conn": line.conn, "text": text.as_ref() });
        let open = deliver(patient, &mut line, &input).map_err(|halt| halt.advise(help))?;
        patient.goes_on()?;
        if !open {
            line = opened(patient)?;
        }
    }
    Ok(())
}

/// Frames of any text.
pub(super) fn odd_frames(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let texts = [
        "",
        "hello",
        "null",
        "5",
        "\"text\"",
        "[]",
        "{}",
        "[1,null,\"x\",[],{}]",
        "{\"op\":null,\"id\":[],\"re\":{}}",
        "{\"op\":7,\"seq\":-1,\"re\":1e300}",
        "{\"op\":\"\\u0000\\ud83d\\ude00\",\"a\":1,\"a\":2}",
        "{\"op\":",
        "\u{0}",
        "\u{202e}עברית 😀 \u{2028}",
    ];
    frames(patient, &texts)?;
    Ok(Outcome::well())
}

/// A frame that is long.
pub(super) fn long_frame(patient: &mut Patient<'_>) -> Tried<Outcome> {
    frames(patient, &[format!("{{\"op\":\"{}\"}}", "x".repeat(1 << 20))])?;
    Ok(Outcome::Well("1 MiB".to_owned()))
}

/// Frames that are deeply nested.
pub(super) fn deep_frames(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let deep = |n, open: &str, close: &str| format!("{}1{}", open.repeat(n), close.repeat(n));
    frames(
        patient,
        &[deep(1_000, "[", "]"), deep(100_000, "[", "]"), deep(100_000, "{\"op\":", "}")],
    )?;
    Ok(Outcome::well())
}

/// Words about connections that are not there.
pub(super) fn stray_connections(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let help = "ignore it, or answer with error -32602; either way, go on";
    for input in [
        json!({ "kind": "closed", "conn": u32::MAX, "code": 1000 }),
        json!({ "kind": "closed", "conn": 0, "code": null }),
        json!({ "kind": "message", "conn": u32::MAX, "text": "{}" }),
        json!({ "kind": "opened", "conn": u32::MAX }),
        json!({ "kind": "dial-failed", "conn": u32::MAX }),
    ] {
        let client = patient.fresh()?;
        let params = json!({ "client": client, "now_us": 0, "input": [input] });
        patient.ask("turn", Some(&params)).map_err(|halt| halt.advise(help))?;
        patient.goes_on()?;
    }
    // The other side closes, and then speaks.
    let Some(mut line) = dials(patient)? else { return Ok(Outcome::well()) };
    for input in [
        json!({ "kind": "opened", "conn": line.conn }),
        json!({ "kind": "closed", "conn": line.conn, "code": 1000 }),
    ] {
        deliver(patient, &mut line, &input)?;
    }
    for input in [
        json!({ "kind": "message", "conn": line.conn, "text": "{}" }),
        json!({ "kind": "closed", "conn": line.conn, "code": null }),
    ] {
        let params = json!({ "client": line.client, "now_us": line.now, "input": [input] });
        patient.ask("turn", Some(&params)).map_err(|halt| halt.advise(help))?;
        patient.goes_on()?;
    }
    Ok(Outcome::well())
}
