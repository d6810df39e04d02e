//! Checks of proper requests, the plain ones and the odd ones.
//!
//! Not responsible for lines that are no request.
//!
//! Invariant: everything here is a line that stateline may send.

use super::answer::{Came, Id, request};
use super::clients::{SEED, Step, UID};
use super::finding::{Halt, Outcome, Tried};
use super::patient::{Patient, Rule};
use serde_json::{Value, json};
use stateline_client::protocol::LARGEST;
use stateline_core::turn::{Observation, Output};
use std::fmt::Write;

/// A method that no SDK has.
const NO_METHOD: &str = "statelineNoSuchMethod";

/// `echo` brings back what was sent.
pub(super) fn echo(patient: &mut Patient<'_>) -> Tried<Outcome> {
    for data in [
        json!(["any", 1]),
        json!("text"),
        json!({ "a": [null, true, false], "b": { "c": [0, -1, 0.5, []] } }),
        json!(null),
    ] {
        patient.echo(&data)?;
    }
    Ok(Outcome::well())
}

/// A client can be opened.
pub(super) fn open(patient: &mut Patient<'_>) -> Tried<Outcome> {
    match patient.fresh() {
        Ok(_) => Ok(Outcome::well()),
        // It answered as it may, and there is nothing to be checked.
        Err(Halt::Fault(finding)) if finding.what.starts_with("it cannot make a client") => {
            Ok(Outcome::Advice(*finding))
        }
        Err(halt) => Err(halt),
    }
}

/// A turn without input is answered.
pub(super) fn turn(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let client = patient.fresh()?;
    patient.turn(client, 0, &[])?;
    Ok(Outcome::well())
}

/// A client can be closed.
pub(super) fn close(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let client = patient.fresh()?;
    patient.close(client)?;
    Ok(Outcome::well())
}

/// The input of a call.
pub(super) fn call(number: usize, op: &str, args: &Value) -> Value {
    json!({ "kind": "call", "call": number, "op": op, "args": args })
}

/// Every method of the profile can be called.
pub(super) fn calls(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let methods = patient.methods(UID);
    if methods.is_empty() {
        return Ok(Outcome::NotClaimed);
    }
    let mut failed: Vec<(String, Halt)> = Vec::new();
    let mut client = None;
    let mut made = 0;
    for (op, args) in &methods {
        let open = match client {
            Some(client) => client,
            None => patient.fresh()?,
        };
        let result = patient.turn(open, 0, &[call(made, op, args)]);
        made += 1;
        client = Some(open);
        if let Err(halt) = result {
            failed.push((op.to_string(), halt));
            (client, made) = (None, 0);
        }
    }
    let names: Vec<&str> = failed.iter().map(|(op, _)| op.as_str()).collect();
    let names = names.join(", ");
    match failed.into_iter().next().map(|(_, halt)| halt) {
        None => {
            let ops: Vec<&str> = methods.iter().map(|(op, _)| op.as_str()).collect();
            Ok(Outcome::Well(ops.join(", ")))
        }
        Some(Halt::Fault(mut finding)) => {
            finding.what = format!("{names}: {}", finding.what);
            "a method that fails has a `result`; one that the SDK does not have is `unsupported`"
                .clone_into(&mut finding.help);
            Err(Halt::Fault(finding))
        }
        Some(halt) => Err(halt),
    }
}

/// A method that the SDK does not have is unsupported.
pub(super) fn unknown_call(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let client = patient.fresh()?;
    let input = [call(0, NO_METHOD, &json!({}))];
    let help = "tell `{\"kind\":\"unsupported\",\"call\":0}` in the turn of a call of a method that \
                you do not know";
    let step = patient.turn(client, 0, &input).map_err(|halt| halt.advise(help))?;
    if is_unsupported(&step) {
        return Ok(Outcome::well());
    }
    Err(patient.fault("it does not say that it has no such method", help))
}

/// Whether a turn says that call 0 is of no method, and not that it completed.
fn is_unsupported(step: &Step) -> bool {
    let said = |wanted: &dyn Fn(&Observation) -> bool| {
        step.output.iter().any(|output| matches!(output, Output::Observe(seen) if wanted(seen)))
    };
    said(&|seen| matches!(seen, Observation::Unsupported { call: 0 }))
        && !said(&|seen| matches!(seen, Observation::Result { .. }))
}

/// Keys that version 1 does not know are ignored.
pub(super) fn unknown_keys(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let help = "ignore keys that you do not know: within a version, keys may be added";
    strange_keys(patient).map_err(|halt| halt.advise(help))?;
    Ok(Outcome::well())
}

fn strange_keys(patient: &mut Patient<'_>) -> Tried<()> {
    let strange = |mut object: Value| {
        object["x-stateline"] = json!({ "added": ["later"] });
        object
    };
    let id = patient.number()?;
    let data = json!("data");
    let mut line = json!({ "jsonrpc": "2.0", "id": id, "method": "echo" });
    line["params"] = strange(json!({ "data": data }));
    match patient.send(strange(line).to_string().as_bytes(), Id::Unread(id))? {
        Came::Result(result) => patient.same_data(&result, &data)?,
        Came::Error(..) => return Err(patient.fault("it answered with an error", "")),
    }
    patient.room()?;
    let number = patient.next_client();
    let params = strange(patient.opening(number, UID, SEED));
    let client = patient.open(&params)?;
    let input = [strange(call(0, NO_METHOD, &json!({ "x-stateline": 1 })))];
    let params = strange(json!({ "client": client, "now_us": 0, "input": input }));
    let result = patient.demand("turn", Some(&params))?;
    patient.step(client, 0, &input, result)?;
    patient.demand("close", Some(&strange(json!({ "client": client }))))?;
    patient.open.remove(&client);
    Ok(())
}

/// Sends an `echo` that is written in an unusual way.
fn odd_echo(patient: &mut Patient<'_>, data: &Value, line: impl Fn(u64) -> String) -> Tried<()> {
    let id = patient.number()?;
    match patient.send(line(id).as_bytes(), Id::Unread(id))? {
        Came::Result(result) => patient.same_data(&result, data),
        Came::Error(code, message) => Err(patient.fault(
            format!("it answered with error {code}: {message}"),
            "this is JSON as good as any: read it with a JSON library",
        )),
    }
}

/// Keys come in any order, with any space between them.
pub(super) fn key_order(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let data = json!("x");
    odd_echo(patient, &data, |id| {
        format!(r#"{{"params":{{"data":"x"}},"method":"echo","id":{id},"jsonrpc":"2.0"}}"#)
    })?;
    odd_echo(patient, &data, |id| {
        format!(
            r#"{{ "id" : {id}, "method" : "echo", "params" : {{ "data" : "x" }}, "jsonrpc":	"2.0" }} "#
        )
    })?;
    Ok(Outcome::well())
}

/// Texts of all kinds come back as they were.
pub(super) fn texts(patient: &mut Patient<'_>) -> Tried<Outcome> {
    for text in [
        "",
        "  ",
        "\u{0}a\u{0}\u{1f}\u{7f}",
        "\"\\/\u{8}\u{c}\n\r\t",
        "größer 用户 \u{85}",
        "😀👩\u{200d}💻",
        "\u{202e}עברית \u{2066}",
        "\u{2028}\u{2029}\u{feff}",
    ] {
        let data = json!(text);
        patient.echo(&data)?;
        let mut escaped = String::new();
        for unit in text.encode_utf16() {
            let _ = write!(escaped, "\\u{unit:04x}");
        }
        odd_echo(patient, &data, |id| {
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"echo","params":{{"data":"{escaped}"}}}}"#
            )
        })?;
    }
    Ok(Outcome::well())
}

/// A line may be long.
pub(super) fn long_lines(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let data = json!("0123456789abcdef".repeat(1 << 16));
    patient.echo(&data).map_err(|halt| halt.advise("a line may be up to 8 MiB long"))?;
    Ok(Outcome::Well("1 MiB".to_owned()))
}

/// A line may end with a carriage return and a line feed.
pub(super) fn line_ends(patient: &mut Patient<'_>) -> Tried<Outcome> {
    odd_echo(patient, &json!("x"), |id| {
        format!("{}\r", request(id, "echo", Some(&json!({ "data": "x" }))))
    })?;
    Ok(Outcome::well())
}

/// An empty line means nothing.
pub(super) fn empty_lines(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let id = patient.number()?;
    let line = format!("\n\n{}", request(id, "echo", Some(&json!({ "data": "x" }))));
    // What comes for an empty line would come first.
    match patient.send(line.as_bytes(), Id::Unread(id))? {
        Came::Result(_) => Ok(Outcome::well()),
        Came::Error(..) => {
            let halt = patient.fault("it answered an empty line", "skip lines that are empty");
            patient.lose();
            Err(halt)
        }
    }
}

/// A request without a number is a notification.
pub(super) fn notifications(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let id = patient.number()?;
    let echo = json!({ "data": "x" });
    let silent = json!({ "jsonrpc": "2.0", "method": "echo", "params": echo });
    // What comes for it would come first, and without a number.
    let line = format!("{silent}\n{}", request(id, "echo", Some(&echo)));
    let help = "answer nothing to a line without `id`";
    match patient.provoke(line.as_bytes(), Id::Is(id)) {
        Ok(Came::Result(_)) => Ok(Outcome::well()),
        Ok(Came::Error(..)) => Err(patient.fault("it answered with an error", help)),
        Err(halt) => {
            patient.lose();
            Err(halt.advise(help))
        }
    }
}

/// A user may be called anything.
pub(super) fn uids(patient: &mut Patient<'_>) -> Tried<Outcome> {
    for uid in ["a b", "o'neil \"x\" \\", "grün 用户 😀", "\u{202e}../%00"] {
        let client = patient
            .fresh_as(uid, SEED)
            .map_err(|halt| halt.advise("a `uid` is any text: hand it to the SDK as it is"))?;
        patient.turn(client, 0, &[])?;
    }
    Ok(Outcome::well())
}

/// Numbers may be as large as the protocol allows.
pub(super) fn largest_numbers(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let help = "`client`, `conn` and `call` go up to 2^32-1, `now_us`, `seed` and `id` to 2^53-1: \
                use 64 bits";
    large(patient).map_err(|halt| halt.advise(help))?;
    Ok(Outcome::well())
}

fn large(patient: &mut Patient<'_>) -> Tried<()> {
    let data = json!(LARGEST - 1);
    let line = request(LARGEST - 1, "echo", Some(&json!({ "data": data })));
    match patient.provoke(line.as_bytes(), Id::Is(LARGEST - 1))? {
        Came::Result(result) => patient.same_data(&result, &data)?,
        Came::Error(..) => return Err(patient.fault("it answered with an error", "")),
    }
    patient.room()?;
    let params = patient.opening(u32::MAX, UID, LARGEST - 1);
    let client = patient.open(&params)?;
    let step = patient.turn(client, 0, &[])?;
    if step.next.is_none() {
        patient.turn(client, LARGEST - 1, &[])?;
    }
    patient.close(client)
}

/// What was found against a rule that holds for every answer.
fn rule(patient: &mut Patient<'_>, rule: Rule) -> Tried<Outcome> {
    match patient.against(rule) {
        None => Ok(Outcome::NotClaimed),
        Some(result) => result.map(|()| Outcome::well()),
    }
}

/// Each request has one answer, which is one.
pub(super) fn answers(patient: &mut Patient<'_>) -> Tried<Outcome> {
    rule(patient, Rule::Answers)
}

/// Outputs are well-formed, and fit what went before.
pub(super) fn turns(patient: &mut Patient<'_>) -> Tried<Outcome> {
    rule(patient, Rule::Turns)
}

/// `next_us` is a time of the case.
pub(super) fn timers(patient: &mut Patient<'_>) -> Tried<Outcome> {
    rule(patient, Rule::Timers)
}

/// stdout carries messages and nothing else.
pub(super) fn stdout(patient: &mut Patient<'_>) -> Tried<Outcome> {
    rule(patient, Rule::Stdout)
}
