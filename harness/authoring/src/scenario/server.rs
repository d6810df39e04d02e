//! Reads what the server does in a step.
//!
//! Not responsible for doing it: the lab's realm does.
//!
//! Invariant: a code is one of the profile's, a message one of its wire.

use super::Stage;
use super::step::clients;
use super::time::{self, Boundaries};
use crate::diagnostic::{Sink, Span};
use crate::node::{Key, Node};
use crate::reader::{self, MapReader};
use smol_str::SmolStr;
use stateline_core::scenario::{Act, ClientIx, ServerAct, TokenAnswers};
use stateline_core::value::Fields;

/// The acts, as a step writes them.
const ACTS: [&str; 16] = [
    "ban",
    "close",
    "expire",
    "hold",
    "issue",
    "kick",
    "mute",
    "push",
    "refuse",
    "restart",
    "revoke",
    "supersede",
    "token-service",
    "twice",
    "unanswered",
    "unmute",
];

/// Reads the value of `server`.
pub(super) fn acts(
    node: &Node,
    stage: &Stage<'_>,
    probed: &mut Boundaries,
    sink: &mut Sink,
    acts: &mut Vec<Act>,
) {
    let Some(entries) = reader::entries(node, "`server`", sink) else { return };
    let found: Vec<_> =
        entries.iter().filter(|(key, _)| ACTS.contains(&key.text.as_str())).collect();
    let name = match found[..] {
        [(key, _)] => ACTS.iter().find(|act| **act == key.text).copied(),
        [] => {
            match entries.first() {
                Some((key, _)) => {
                    sink.unknown(key.span.clone(), "act of the server", &key.text, ACTS)
                }
                None => sink.error(node.span.clone(), "the server does nothing", "needs an act"),
            };
            None
        }
        [(first, _), (second, _), ..] => {
            sink.error(
                second.span.clone(),
                "the server does one thing in a step",
                "the second thing",
            )
            .also(first.span.clone(), "the first thing")
            .help("write two steps");
            None
        }
    };
    let (Some(name), Some(mut map)) = (name, MapReader::new(node, "an act of the server", sink))
    else {
        return;
    };
    let Some(value) = map.get(name) else { return };
    match name {
        "hold" => {
            let who = login_of(value, "hold", "accept", stage, sink);
            let until = map.need("until");
            for client in who {
                let until =
                    until.and_then(|node| time::when(node, Some(client), stage, probed, sink));
                acts.extend(until.map(|until| Act::Server(ServerAct::Hold { client, until })));
            }
        }
        "refuse" => {
            let who = login_of(value, "refuse", "login", stage, sink);
            let code = map.need("code").and_then(|node| code(node, stage, sink));
            let times = times(&mut map, sink);
            if let Some(code) = code {
                acts.extend(who.into_iter().map(|client| {
                    Act::Server(ServerAct::Refuse { client, code: code.clone(), times })
                }));
            }
        }
        "twice" => {
            let who = login_of(value, "twice", "accept", stage, sink);
            let times = times(&mut map, sink);
            acts.extend(
                who.into_iter().map(|client| Act::Server(ServerAct::Twice { client, times })),
            );
        }
        "unanswered" => {
            let who = login_of(value, "unanswered", "login", stage, sink);
            let times = times(&mut map, sink);
            acts.extend(
                who.into_iter().map(|client| Act::Server(ServerAct::Unanswered { client, times })),
            );
        }
        "restart" => acts.extend(
            reader::duration(value, "`restart`", sink)
                .map(|time| Act::Server(ServerAct::Restart(time))),
        ),
        "push" => push(value, &mut map, stage, sink, acts),
        "token-service" => {
            let who = named_clients(value, stage, sink);
            let answers = map.need("answers").and_then(|node| answers(node, sink));
            if let Some(answers) = answers {
                let act = |client| Act::Server(ServerAct::TokenService(client, answers));
                acts.extend(who.into_iter().map(act));
            }
        }
        _ => {
            let who = named_clients(value, stage, sink);
            acts.extend(
                who.into_iter().filter_map(|client| on_client(name, client)).map(Act::Server),
            );
        }
    }
    map.finish(sink);
}

fn on_client(name: &str, client: ClientIx) -> Option<ServerAct> {
    Some(match name {
        "ban" => ServerAct::Ban(client),
        "close" => ServerAct::Close(client),
        "expire" => ServerAct::Expire(client),
        "issue" => ServerAct::Issue(client),
        "kick" => ServerAct::Kick(client),
        "mute" => ServerAct::Mute(client, true),
        "revoke" => ServerAct::Revoke(client),
        "supersede" => ServerAct::Supersede(client),
        "unmute" => ServerAct::Mute(client, false),
        _ => return None,
    })
}

/// Clients as a name or a list of names.
fn named_clients(node: &Node, stage: &Stage<'_>, sink: &mut Sink) -> Vec<ClientIx> {
    let mut found = Vec::new();
    for item in reader::one_or_many(node) {
        if let Some(name) = reader::text(item, "a client", sink) {
            found.extend(clients(name, item.span.clone(), stage, sink));
        }
    }
    found
}

/// `{ login: CLIENT }` or `{ accept: CLIENT }`: what of whom.
fn login_of(
    node: &Node,
    act: &'static str,
    word: &'static str,
    stage: &Stage<'_>,
    sink: &mut Sink,
) -> Vec<ClientIx> {
    let what = match act {
        "hold" => "a `hold`",
        "refuse" => "a `refuse`",
        "twice" => "a `twice`",
        _ => "an `unanswered`",
    };
    let Some(mut map) = MapReader::new(node, what, sink) else { return Vec::new() };
    let who = map.need(word).map(|node| named_clients(node, stage, sink));
    map.finish(sink);
    who.unwrap_or_default()
}

/// How the token service answers.
fn answers(node: &Node, sink: &mut Sink) -> Option<TokenAnswers> {
    const WORDS: [(&str, TokenAnswers); 7] = [
        ("401", TokenAnswers::Unauthorized),
        ("429", TokenAnswers::TooMany),
        ("500", TokenAnswers::Failure),
        ("late", TokenAnswers::Late),
        ("never", TokenAnswers::Never),
        ("no-json", TokenAnswers::NoJson),
        ("well", TokenAnswers::Well),
    ];
    let word = reader::text(node, "how the token service answers", sink)?;
    let found = WORDS.into_iter().find(|(name, _)| *name == word);
    if found.is_none() {
        let all = WORDS.map(|(name, _)| name);
        sink.unknown(node.span.clone(), "answer of the token service", word, all);
    }
    found.map(|(_, answers)| answers)
}

fn times(map: &mut MapReader<'_>, sink: &mut Sink) -> Option<u32> {
    map.get("times").and_then(|node| reader::number(node, "`times`", 1, 1_000_000, sink))
}

fn code(node: &Node, stage: &Stage<'_>, sink: &mut Sink) -> Option<SmolStr> {
    let code = reader::text(node, "a code", sink)?;
    match stage.words.names.refusals() {
        Some(known) if !known.has(code) => {
            sink.unknown(
                node.span.clone(),
                "code",
                code,
                known.values().map(|(name, _)| name.as_str()),
            );
            None
        }
        _ => Some(code.into()),
    }
}

fn push(
    value: &Node,
    map: &mut MapReader<'_>,
    stage: &Stage<'_>,
    sink: &mut Sink,
    acts: &mut Vec<Act>,
) {
    let fields_node = map.get("fields");
    let mut fields = Fields::new();
    for (name, value) in reader::entries_or_none(fields_node, "`fields`", sink) {
        fields.set(SmolStr::from(&name.text), reader::node_value(value));
    }
    for (Key { text, span }, value) in reader::entries_or_none(Some(value), "`push`", sink) {
        let who = clients(text, Span::clone(span), stage, sink);
        let Some(message) = reader::text(value, "a message", sink) else { continue };
        let known = &stage.profile.wire.send;
        if !known.contains_key(message) {
            sink.unknown(
                value.span.clone(),
                "message of the server",
                message,
                known.keys().map(SmolStr::as_str),
            );
            continue;
        }
        let act = |client| {
            Act::Server(ServerAct::Push { client, message: message.into(), fields: fields.clone() })
        };
        acts.extend(who.into_iter().map(act));
    }
}
