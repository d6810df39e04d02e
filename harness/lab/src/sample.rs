//! The built-in `lab` wire and the realm of `agora-rtm-1x`, written out for tests.
//!
//! Not responsible for production: there the wire comes from
//! `scenarios/agora-rtm-1x/wire.yaml`, which says the same.
//!
//! Invariant: it stays equal to that file in everything that a test relies on.

use smol_str::SmolStr;
use stateline_core::profile::RealmSpec;
use stateline_core::time::Micros;
use stateline_core::value::Value;
use stateline_core::wire::{Codec, Heartbeat, Match, ReceiveRule, Template, Wire};

pub(crate) fn lab_wire() -> Wire {
    Wire {
        name: "lab".into(),
        codec: Codec::Json,
        batch: true,
        heartbeat: Heartbeat {
            period: Micros::from_secs(1),
            message: "ping".into(),
            answer: "pong".into(),
        },
        receive: vec![
            rule("login", "login", &["id", "uid=user", "token", "session?", "kick?"]),
            rule("logout", "logout", &["id"]),
            rule("ping", "ping", &["id"]),
            rule("join", "join", &["id", "channel"]),
            rule("leave", "leave", &["id", "channel"]),
            rule("send", "send", &["id", "channel", "text"]),
            rule("set-attributes", "set", &["id", "attributes"]),
        ],
        send: [
            template("accepted", "welcome", &["re=id", "session", "resumed", "at=now"]),
            template("rejected", "refused", &["re=id", "code"]),
            template("pong", "pong", &["re=id"]),
            template("done", "done", &["re=id"]),
            template("failed", "failed", &["re=id", "code"]),
            template("message", "message", &["channel", "from", "text"]),
            template("member-joined", "joined", &["channel", "user=uid"]),
            template("member-left", "left", &["channel", "user=uid"]),
            template("superseded", "bye", &["why:remote-login"]),
            template("kicked", "bye", &["why:kicked"]),
            template("banned", "bye", &["why:banned"]),
        ]
        .into_iter()
        .collect(),
        close: [
            ("normal", 1000),
            ("restart", 1012),
            ("superseded", 4001),
            ("kicked", 4002),
            ("banned", 4003),
            ("logged-out", 4004),
        ]
        .into_iter()
        .map(|(cause, code)| (cause.into(), code))
        .collect(),
        path: "/lab/v1".into(),
        subprotocol: Some("lab.stateline.v1".into()),
    }
}

pub(crate) fn realm_spec() -> RealmSpec {
    RealmSpec {
        presence: Micros::from_secs(30),
        supersede: true,
        codes: [
            ("invalid", "invalid-token"),
            ("expired", "token-expired"),
            ("revoked", "invalid-token"),
            ("malformed", "invalid-token"),
            ("banned", "refused"),
            ("refused", "refused"),
        ]
        .into_iter()
        .map(|(cause, code)| (cause.into(), code.into()))
        .collect(),
    }
}

/// Captures are written `field`, `field=key`, or `field?` where they are optional.
fn rule(message: &str, op: &str, captures: &[&str]) -> ReceiveRule {
    ReceiveRule {
        message: message.into(),
        matches: vec![("op".into(), Match::Literal(Value::from(op)))],
        captures: captures
            .iter()
            .map(|text| {
                let optional = text.ends_with('?');
                let text = text.trim_end_matches('?');
                let (field, key) = text.split_once('=').unwrap_or((text, text));
                (field.into(), key.into(), optional)
            })
            .collect(),
    }
}

/// Members are written `key`, `key=field`, or `key:literal`; `now` is the clock.
fn template(message: &str, op: &str, members: &[&str]) -> (SmolStr, Template) {
    let mut object = vec![
        ("seq".into(), Template::Counter("seq".into())),
        ("op".into(), Template::Literal(op.into())),
    ];
    for text in members {
        object.push(if let Some((key, literal)) = text.split_once(':') {
            (key.into(), Template::Literal(literal.into()))
        } else {
            let (key, field) = text.split_once('=').unwrap_or((text, text));
            let hole = if field == "now" { Template::Now } else { Template::Field(field.into()) };
            (key.into(), hole)
        });
    }
    (message.into(), Template::Object(object))
}
