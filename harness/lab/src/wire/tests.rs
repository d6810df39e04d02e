//! Tests of the wire interpreter: what is read, what is written, and that nothing panics.
//!
//! Not responsible for the wire file itself; the authoring crate reads that.
//!
//! Invariant: what a client spells in JSON is what the realm gets to read.

use super::*;
use crate::sample::lab_wire;
use proptest::prelude::*;

fn decode(text: &str) -> Result<Messages, Undecodable> {
    FrameCodec::new(&lab_wire()).decode(text)
}

fn encode(messages: &[(&str, Fields)]) -> String {
    let codec = FrameCodec::new(&lab_wire());
    let (mut counters, mut frame) = (Counters::default(), String::new());
    for (name, fields) in messages {
        assert!(codec.encode(name, fields, &mut counters, 7, &mut frame), "{name}");
    }
    codec.finish(messages.len(), &mut frame);
    frame
}

#[test]
fn a_frame_is_named_by_the_first_rule_that_matches() {
    let messages = decode(r#"{"op":"ping","id":17,"more":[1,{"x":null}]}"#).unwrap();
    assert_eq!(messages[0].name, "ping");
    assert_eq!(messages[0].fields, Fields::new().with("id", 17i64));
    let messages =
        decode(r#"[{"op":"join","id":1,"channel":"lobby"},{"op":"ping","id":2}]"#).unwrap();
    let names: Vec<_> = messages.iter().map(|message| message.name.as_str()).collect();
    assert_eq!(names, ["join", "ping"]);
}

#[test]
fn what_is_no_message_says_why() {
    for (text, why) in [
        ("", "no JSON"),
        ("7", "expected a message"),
        ("[]", "empty list"),
        ("[7]", "expected a message"),
        (r#"{"op":"fly"}"#, "no rule"),
        (r#"{"op":"login","id":1,"user":"alice"}"#, "`login` lacks `token`"),
        (r#"{"op":"ping","op":"ping","id":1}"#, "twice"),
    ] {
        let error = decode(text).unwrap_err();
        assert!(error.why.contains(why), "{text}: {error}");
    }
    assert!(decode(&"[".repeat(100_000)).is_err());
    assert!(decode(&" ".repeat(MAX_FRAME + 1)).unwrap_err().why.contains("1 MiB"));
}

#[test]
fn a_null_is_an_absent_field() {
    let text = r#"{"op":"login","id":1,"user":"alice","token":"t","session":null}"#;
    assert_eq!(decode(text).unwrap()[0].fields.get("session"), None);
}

#[test]
fn frames_are_filled_in_and_counted() {
    let accepted = Fields::new().with("id", 3i64).with("session", "s1").with("resumed", false);
    let joined = Fields::new().with("channel", "a\"b").with("uid", "bob");
    assert_eq!(
        encode(&[("accepted", accepted), ("member-joined", joined), ("superseded", Fields::new())]),
        concat!(
            r#"[{"seq":1,"op":"welcome","re":3,"session":"s1","resumed":false,"at":7},"#,
            r#"{"seq":2,"op":"joined","channel":"a\"b","user":"bob"},"#,
            r#"{"seq":3,"op":"bye","why":"remote-login"}]"#
        )
    );
    // A field that the message lacks leaves its key out, wherever it stands.
    assert_eq!(encode(&[("pong", Fields::new())]), r#"{"seq":1,"op":"pong"}"#);
}

#[test]
fn a_message_without_a_template_is_not_sent() {
    let codec = FrameCodec::new(&lab_wire());
    let mut frame = String::new();
    let fields = Fields::new();
    assert!(!codec.encode("nonsense", &fields, &mut Counters::default(), 0, &mut frame));
    assert!(frame.is_empty() && !codec.speaks("nonsense"));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in ".*") {
        let _ = decode(&text);
    }

    #[test]
    fn near_misses_never_panic(text in r#"[\[\]{}":,a-z0-9\\ .eE+-]{0,60}"#) {
        let _ = decode(&text);
        let _ = decode(&format!(r#"{{"op":"ping","id":{text}}}"#));
    }

    #[test]
    fn values_survive_the_wire(text in ".*", number: i64, fraction: f64, flag: bool) {
        let fields = Fields::new()
            .with("channel", text.as_str()).with("from", number).with("text", flag);
        let frame = encode(&[("message", fields)]);
        let json: serde_json::Value = serde_json::from_str(&frame).unwrap();
        prop_assert_eq!(json["channel"].as_str(), Some(text.as_str()));
        prop_assert_eq!(json["from"].as_i64(), Some(number));
        prop_assert_eq!(json["text"].as_bool(), Some(flag));
        let frame = encode(&[("done", Fields::new().with("id", Value::Num(fraction)))]);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&frame).is_ok());
    }

    #[test]
    fn what_a_client_spells_is_what_the_realm_reads(channel in ".*", id: i64, token in ".*") {
        let join = serde_json::json!({"op": "join", "id": id, "channel": channel});
        let message = decode(&join.to_string()).unwrap().remove(0);
        prop_assert_eq!(message.fields.text("channel"), Some(channel.as_str()));
        prop_assert_eq!(message.fields.int("id"), Some(id));
        let login = serde_json::json!({"user": channel, "token": token, "id": id, "op": "login"});
        let message = decode(&login.to_string()).unwrap().remove(0);
        prop_assert_eq!(message.fields.text("token"), Some(token.as_str()));
    }
}
