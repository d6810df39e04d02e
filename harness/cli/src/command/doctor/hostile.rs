//! Checks of lines that are no proper request.
//!
//! stateline never sends them; a library, a proxy or a person at a terminal does. Not responsible for
//! frames, which are the client's business.
//!
//! Invariant: after each of them the adapter has to go on.

use super::answer::{Came, Id, request};
use super::clients::{SEED, UID};
use super::finding::{Outcome, Tried};
use super::patient::Patient;
use serde_json::{Value, json};
use stateline_client::protocol::TimeMode;

/// The line is no JSON.
const NO_JSON: i64 = -32_700;
/// It is no request.
const NO_REQUEST: i64 = -32_600;
/// There is no such method.
const NO_METHOD: i64 = -32_601;
/// The parameters make no sense.
const BAD_PARAMS: i64 = -32_602;

/// A number that no client ever gets.
const NOBODY: u32 = 4_000_000_001;

/// Sends a line that has to be refused with this code.
fn refused(patient: &mut Patient<'_>, line: &[u8], id: Id, code: i64) -> Tried<()> {
    let help = format!("answer with error {code}, and go on");
    match patient.provoke(line, id).map_err(|halt| halt.advise(&help))? {
        Came::Error(got, _) if got == code => patient.goes_on(),
        Came::Error(got, _) => {
            Err(patient.fault(format!("it answered with error {got} instead of {code}"), help))
        }
        Came::Result(_) => {
            Err(patient.fault(format!("it answered with a result instead of error {code}"), help))
        }
    }
}

/// The same for a request.
fn refused_request(
    patient: &mut Patient<'_>,
    method: &str,
    params: Option<&Value>,
    code: i64,
) -> Tried<()> {
    let id = patient.number()?;
    refused(patient, request(id, method, params).as_bytes(), Id::Is(id), code)
}

/// What is no JSON is told so.
pub(super) fn no_json(patient: &mut Patient<'_>) -> Tried<Outcome> {
    for line in [
        &b"hello"[..],
        b"{\"jsonrpc\":\"2.0\",\"id\":",
        b"{'jsonrpc':'2.0','id':1,'method':'echo','params':{'data':1}}",
        b"{\"a\":1}}",
        b"\xff\xfe{}",
    ] {
        refused(patient, line, Id::Null, NO_JSON)?;
    }
    Ok(Outcome::well())
}

/// What is no request is told so.
pub(super) fn no_request(patient: &mut Patient<'_>) -> Tried<Outcome> {
    for line in ["[]", "5", "null", "\"text\"", "[1,2]"] {
        refused(patient, line.as_bytes(), Id::Null, NO_REQUEST)?;
    }
    for request in [
        json!({ "jsonrpc": "2.0" }),
        json!({ "jsonrpc": "2.0", "method": 7 }),
        json!({ "method": "echo", "params": { "data": 1 } }),
        json!({ "jsonrpc": "1.0", "method": "echo", "params": { "data": 1 } }),
    ] {
        let id = patient.number()?;
        let mut line = request;
        line["id"] = json!(id);
        refused(patient, line.to_string().as_bytes(), Id::Is(id), NO_REQUEST)?;
    }
    Ok(Outcome::well())
}

/// A method that there is not.
pub(super) fn no_method(patient: &mut Patient<'_>) -> Tried<Outcome> {
    for method in ["stateline.none", "Turn", ""] {
        refused_request(patient, method, Some(&json!({})), NO_METHOD)?;
    }
    Ok(Outcome::well())
}

/// Sends parameters that make no sense; the client is as it was before.
fn senseless(
    patient: &mut Patient<'_>,
    cases: impl Fn(u32) -> Vec<(&'static str, Value)>,
) -> Tried<Outcome> {
    let client = patient.fresh()?;
    let before = patient.turn(client, 0, &[])?;
    for (method, params) in cases(client) {
        refused_request(patient, method, Some(&params), BAD_PARAMS)?;
    }
    let after = patient.turn(client, 0, &[])?;
    if before.next.is_none_or(|next| next > 0) && after.next != before.next {
        let help = "a request that is refused changes nothing";
        return Err(patient.fault("its client was changed by a request that was refused", help));
    }
    Ok(Outcome::well())
}

/// Keys that are missing.
pub(super) fn missing_keys(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let id = patient.number()?;
    refused(patient, request(id, "turn", None).as_bytes(), Id::Is(id), BAD_PARAMS)?;
    let opening = patient.opening(NOBODY, UID, SEED);
    senseless(patient, |client| {
        let mut nobody = opening.clone();
        if let Some(keys) = nobody.as_object_mut() {
            keys.remove("client");
        }
        vec![
            ("echo", json!({})),
            ("open", nobody),
            ("turn", json!({ "now_us": 0, "input": [] })),
            ("turn", json!({ "client": client, "input": [] })),
            ("turn", json!({ "client": client, "now_us": 0 })),
            ("close", json!({})),
        ]
    })
}

/// Values of the wrong type.
pub(super) fn wrong_types(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let opening = patient.opening(NOBODY, UID, SEED);
    senseless(patient, |client| {
        let mut text = opening.clone();
        text["client"] = json!(NOBODY.to_string());
        vec![
            ("open", text),
            ("turn", json!([client, 0, []])),
            ("turn", json!({ "client": client.to_string(), "now_us": 0, "input": [] })),
            ("turn", json!({ "client": client, "now_us": "0", "input": [] })),
            ("turn", json!({ "client": client, "now_us": 0, "input": "none" })),
            ("close", json!({ "client": client.to_string() })),
        ]
    })
}

/// Entries of a turn that are no input.
pub(super) fn no_input(patient: &mut Patient<'_>) -> Tried<Outcome> {
    senseless(patient, |client| {
        let turn =
            |entry: Value| ("turn", json!({ "client": client, "now_us": 0, "input": [entry] }));
        vec![
            turn(json!({ "kind": "statelineNoSuchKind", "conn": 1 })),
            turn(json!({ "conn": 1 })),
            turn(json!(5)),
        ]
    })
}

/// Clients that are not open.
pub(super) fn no_client(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let turn = |client: u32| json!({ "client": client, "now_us": 0, "input": [] });
    let closed = patient.fresh()?;
    patient.turn(closed, 0, &[])?;
    refused_request(patient, "turn", Some(&turn(NOBODY)), BAD_PARAMS)?;
    refused_request(patient, "close", Some(&json!({ "client": NOBODY })), BAD_PARAMS)?;
    patient.close(closed)?;
    refused_request(patient, "turn", Some(&turn(closed)), BAD_PARAMS)?;
    refused_request(patient, "close", Some(&json!({ "client": closed })), BAD_PARAMS)?;
    Ok(Outcome::well())
}

/// A number that a client has, or had.
pub(super) fn opened_twice(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let client = patient.fresh()?;
    patient.turn(client, 0, &[])?;
    let again = patient.opening(client, UID, SEED);
    refused_request(patient, "open", Some(&again), BAD_PARAMS)?;
    patient.turn(client, 0, &[])?;
    if patient.hello.reuse {
        patient.close(client)?;
        refused_request(patient, "open", Some(&again), BAD_PARAMS)?;
    }
    Ok(Outcome::well())
}

/// A profile or a time mode that `hello` did not name.
pub(super) fn not_offered(patient: &mut Patient<'_>) -> Tried<Outcome> {
    patient.room()?;
    let opening = |patient: &mut Patient<'_>| {
        let number = patient.next_client();
        patient.opening(number, UID, SEED)
    };
    let mut profile = opening(patient);
    profile["profile"] = json!("stateline-no-such-profile");
    refused_request(patient, "open", Some(&profile), BAD_PARAMS)?;
    let mut time = opening(patient);
    // A mode that there is, unless it offers that, too.
    let real = patient.hello.time.contains(&TimeMode::Real);
    time["time"] = json!(if real { "stateline-no-such-time" } else { "real" });
    refused_request(patient, "open", Some(&time), BAD_PARAMS)?;
    Ok(Outcome::well())
}

/// A time that goes back.
pub(super) fn time_goes_back(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let client = patient.fresh()?;
    let next = patient.turn(client, 0, &[])?.next;
    let later = next.map_or(1_000, |next| next.min(1_000));
    if later == 0 {
        return Ok(Outcome::NotClaimed);
    }
    patient.turn(client, later, &[])?;
    let back = json!({ "client": client, "now_us": later - 1, "input": [] });
    refused_request(patient, "turn", Some(&back), BAD_PARAMS)?;
    patient.turn(client, later, &[])?;
    Ok(Outcome::well())
}
