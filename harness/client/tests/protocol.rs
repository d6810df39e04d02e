//! The messages against `protocol.schema.json` and `PROTOCOL.md`, in both directions.
//!
//! Not responsible for processes; the tests of the program play whole sessions.
//!
//! Invariant: what is written here is valid under the schema, what the schema allows is read, and what
//! the document shows is both.
#![expect(clippy::unwrap_used, reason = "a test panics where its premise does not hold")]

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use stateline_client::protocol::{
    Answer, CallParams, CloseParams, Echo, Endpoint, Hello, HelloParams, Idle, Inputs, LARGEST,
    Method, OpenParams, Request, TimeMode, TurnParams,
};
use stateline_core::time::Micros;
use stateline_core::turn::{Input, Observation, Output, Turn};
use stateline_core::value::{Fields, Value};

const DOCUMENT: &str = include_str!("../../PROTOCOL.md");

fn schema() -> Json {
    serde_json::from_str(include_str!("../../protocol.schema.json")).unwrap()
}

/// A validator for one definition of the schema.
fn validator(name: &str) -> Validator {
    let mut schema = schema();
    schema["anyOf"] = json!([{ "$ref": format!("#/$defs/{name}") }]);
    jsonschema::validator_for(&schema).unwrap()
}

fn check(validator: &Validator, message: &Json) {
    let errors: Vec<String> =
        validator.iter_errors(message).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{message}: {errors:?}");
}

fn sent<P: serde::Serialize>(method: Method, params: Option<P>) -> Json {
    serde_json::to_value(Request::new(7, method, params)).unwrap()
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<String>().prop_map(Value::from),
        Just(Value::Json(Box::new(json!({ "a": [1, "b", null] })))),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    // A key of its own for each: twice the same is no object.
    prop::collection::btree_map("[a-z]{1,8}", value(), 0..4)
        .prop_map(|all| all.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        (any::<u32>(), any::<String>(), fields()).prop_map(|(call, op, args)| Input::Call {
            call,
            op: op.into(),
            args
        }),
        any::<u32>().prop_map(|conn| Input::Opened { conn }),
        any::<u32>().prop_map(|conn| Input::DialFailed { conn }),
        (any::<u32>(), any::<String>())
            .prop_map(|(conn, text)| Input::Message { conn, text: text.into() }),
        (any::<u32>(), any::<Option<u16>>()).prop_map(|(conn, code)| Input::Closed { conn, code }),
    ]
}

fn output() -> impl Strategy<Value = Output> {
    let word =
        || prop_oneof![any::<i64>().prop_map(Value::Int), any::<String>().prop_map(Value::from)];
    let with = |key: &'static str| {
        (fields(), word()).prop_map(move |(mut fields, value)| {
            fields.set(key.into(), value);
            fields
        })
    };
    prop_oneof![
        any::<u32>().prop_map(|conn| Output::Dial { conn }),
        any::<u32>().prop_map(|conn| Output::Close { conn }),
        (any::<u32>(), any::<String>())
            .prop_map(|(conn, text)| Output::Send { conn, text: text.into() }),
        with("state").prop_map(|data| Output::Observe(Observation::State(data))),
        (any::<u32>(), with("code"))
            .prop_map(|(call, data)| Output::Observe(Observation::Result { call, data })),
        (any::<String>(), fields()).prop_map(|(event, data)| Output::Observe(Observation::Event {
            event: event.into(),
            data
        })),
        any::<u32>().prop_map(|call| Output::Observe(Observation::Unsupported { call })),
    ]
}

/// An output as an adapter would write it.
fn written(output: &Output) -> Json {
    match output {
        Output::Dial { conn } => json!({ "kind": "dial", "conn": conn }),
        Output::Close { conn } => json!({ "conn": conn, "kind": "close", "more": 1 }),
        Output::Send { conn, text } => json!({ "kind": "send", "conn": conn, "text": text }),
        Output::Observe(seen) => match seen {
            Observation::State(data) => json!({ "kind": "state", "data": data }),
            Observation::Result { call, data } => {
                json!({ "data": data, "kind": "result", "call": call })
            }
            Observation::Event { event, data } => {
                json!({ "kind": "event", "event": event, "data": data })
            }
            Observation::Unsupported { call } => json!({ "kind": "unsupported", "call": call }),
        },
    }
}

proptest! {
    #[test]
    fn every_turn_is_valid(input in prop::collection::vec(input(), 0..5), now in 0..LARGEST) {
        let params = TurnParams { client: 3, now_us: now, input: Inputs(&input) };
        check(&validator("turn"), &sent(Method::Turn, Some(params)));
    }

    #[test]
    fn every_valid_answer_is_read(
        output in prop::collection::vec(output(), 0..5),
        next in prop::option::of(0..LARGEST),
    ) {
        let list: Vec<Json> = output.iter().map(written).collect();
        let answer = json!({
            "jsonrpc": "2.0", "id": 7, "result": { "next_us": next, "output": list },
        });
        check(&validator("turnAnswer"), &answer);
        let answer: Answer<Idle> = serde_json::from_str(&answer.to_string()).unwrap();
        let turn = Turn { output, next: next.map(Micros) };
        prop_assert_eq!(Turn::from(answer.result.unwrap()), turn);
    }

    #[test]
    fn every_open_is_valid(
        uid in any::<String>(),
        seed in 0..LARGEST,
        parameters in fields(),
        endpoint in prop::option::of(endpoint()),
    ) {
        let time = if endpoint.is_some() { TimeMode::Real } else { TimeMode::Lockstep };
        let params = OpenParams {
            client: 1,
            profile: "p",
            variant: None,
            uid: &uid,
            time,
            epoch_ms: 1_704_067_200_000,
            seed,
            parameters: &parameters,
            endpoint: endpoint.as_ref(),
        };
        check(&validator("open"), &sent(Method::Open, Some(params)));
    }

    #[test]
    fn every_call_is_valid(op in any::<String>(), args in fields(), call in any::<u32>()) {
        let params = CallParams { client: 1, call, op: &op, args: &args };
        check(&validator("call"), &sent(Method::Call, Some(params)));
    }
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let texts = (any::<String>(), prop::option::of(any::<String>()), any::<bool>());
    (texts, 1..u16::MAX).prop_map(|((path, subprotocol, tls), port)| Endpoint {
        scheme: if tls { "wss" } else { "ws" },
        host: "127.1.0.7".to_owned(),
        port,
        path,
        subprotocol,
        ca: tls.then(|| "authority.pem".to_owned()),
        tokens: format!("http://127.0.0.1:{port}/client-7"),
    })
}

#[test]
fn the_other_requests_are_valid() {
    check(&validator("hello"), &sent(Method::Hello, Some(HelloParams::default())));
    check(&validator("close"), &sent(Method::Close, Some(CloseParams { client: 1 })));
    check(&validator("echo"), &sent(Method::Echo, Some(Echo { data: "x" })));
    check(&validator("bye"), &sent(Method::Bye, None::<()>));
}

/// Lines of JSON in the document, those that stand alone.
fn lines() -> Vec<Json> {
    let mut in_block = false;
    let mut lines = Vec::new();
    for line in DOCUMENT.lines() {
        if line.starts_with("```") {
            in_block = line == "```json";
        } else if in_block {
            lines.push(serde_json::from_str(line).unwrap());
        }
    }
    lines
}

#[test]
fn what_the_document_shows_is_valid_and_every_kind_is_shown() {
    let (requests, answers) = (validator("request"), validator("answer"));
    let mut asked: Vec<String> = Vec::new();
    let mut shown = std::collections::BTreeSet::new();
    for line in lines() {
        if let (Some(method), Some(_)) = (line["method"].as_str(), line.get("id")) {
            check(&requests, &line);
            asked.push(method.to_owned());
            shown.insert(method.to_owned());
            continue;
        }
        check(&answers, &line);
        if line.get("method").is_some() {
            shown.insert("observe".to_owned());
        } else if line.get("error").is_some() {
            shown.insert("error".to_owned());
        } else {
            let method = asked.last().unwrap();
            check(&validator(&format!("{method}Answer")), &line);
        }
    }
    let all = ["bye", "call", "close", "echo", "error", "hello", "observe", "open", "turn"];
    assert_eq!(shown.into_iter().collect::<Vec<_>>(), all);
    for method in
        [Method::Hello, Method::Open, Method::Turn, Method::Echo, Method::Close, Method::Bye]
    {
        assert!(all.contains(&method.as_str()));
    }
}

#[test]
fn the_session_of_the_guide_is_valid() {
    let guide = include_str!("../../docs/adapters.md");
    let requests = validator("request");
    let (mut asked, mut n) = (Json::Null, 0);
    for line in guide.lines() {
        if let Some(line) = line.strip_prefix("→ ") {
            asked = serde_json::from_str(line).unwrap();
            check(&requests, &asked);
        } else if let Some(line) = line.strip_prefix("← ") {
            let answer: Json = serde_json::from_str(line).unwrap();
            check(&validator(&format!("{}Answer", asked["method"].as_str().unwrap())), &answer);
            assert_eq!((&answer["id"], n), (&asked["id"], asked["id"].as_u64().unwrap()));
            n += 1;
        }
    }
    assert_eq!(n, 9);
}

#[test]
fn the_tables_of_the_document_show_every_kind_of_the_schema() {
    let schema = schema();
    let kinds = ["input", "seen", "output"].map(|name| schema["$defs"][name]["oneOf"].clone());
    let kinds = kinds.iter().flat_map(|kinds| kinds.as_array().unwrap());
    let mut n = 0;
    for kind in kinds.filter_map(|kind| kind["properties"]["kind"]["const"].as_str()) {
        assert!(DOCUMENT.contains(&format!("| `{{\"kind\":\"{kind}\"")), "{kind}");
        n += 1;
    }
    assert_eq!(n, 12);
    for key in schema["$defs"]["helloAnswer"]["properties"]["result"]["properties"]
        .as_object()
        .unwrap()
        .keys()
    {
        assert!(DOCUMENT.contains(&format!("| `{key}` |")), "{key}");
    }
}

#[test]
fn what_may_be_left_out_has_its_documented_value() {
    let hello = json!({
        "version": 1, "client": { "name": "c", "version": "1" }, "profiles": ["p"], "time": ["real"],
    });
    let hello: Hello = serde_json::from_value(hello).unwrap();
    assert_eq!((hello.clients, hello.reuse), (1, false));
    assert!(hello.capabilities.is_empty() && hello.unsupported.is_empty());
    let result = &schema()["$defs"]["helloAnswer"]["properties"]["result"]["properties"];
    assert_eq!(result["clients"]["default"], json!(1));
    assert_eq!(result["reuse"]["default"], json!(false));
}

#[test]
fn what_the_schema_forbids_is_not_read() {
    let schema = validator("turnAnswer");
    for result in [
        json!({ "output": [] }),
        json!({ "next_us": 5 }),
        json!({ "output": [], "next_us": -1 }),
        json!({ "output": [], "next_us": 1.5 }),
        json!({ "output": [{ "kind": "stat", "data": {} }], "next_us": null }),
        json!({ "output": [{ "kind": "state", "data": { "reason": "x" } }], "next_us": null }),
        json!({ "output": [{ "kind": "state" }], "next_us": null }),
        json!({ "output": [{ "kind": "result", "call": 0, "data": {} }], "next_us": null }),
        json!({ "output": [{ "kind": "result", "data": { "code": 0 } }], "next_us": null }),
        json!({ "output": [{ "kind": "event" }], "next_us": null }),
        json!({ "output": [{ "kind": "unsupported" }], "next_us": null }),
        json!({ "output": [{ "kind": "dial" }], "next_us": null }),
        json!({ "output": [{ "kind": "dial", "conn": -1 }], "next_us": null }),
        json!({ "output": [{ "kind": "dial", "conn": 4_294_967_296_u64 }], "next_us": null }),
        json!({ "output": [{ "kind": "send", "conn": 1 }], "next_us": null }),
        json!({ "output": [{ "kind": "send", "text": "x" }], "next_us": null }),
        json!({ "output": [{ "kind": "close" }], "next_us": null }),
        json!({ "output": {}, "next_us": null }),
        json!([[], null]),
        json!({ "output": [{ "kind": "state", "data": { "state": null } }], "next_us": null }),
        json!({ "output": [{ "kind": "state", "data": { "state": 1.5 } }], "next_us": null }),
        json!({ "output": [{ "kind": "state", "data": { "state": 1, "reason": [] } }], "next_us": null }),
        json!({ "output": [{ "kind": "result", "call": 0, "data": { "code": true } }], "next_us": null }),
        json!({ "output": [["dial", 1, null, null, null, null]], "next_us": null }),
    ] {
        let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": result });
        assert!(!schema.is_valid(&answer), "{answer}");
        let read = serde_json::from_str::<Answer<Idle>>(&answer.to_string());
        assert!(read.is_err(), "{answer}");
    }
}
