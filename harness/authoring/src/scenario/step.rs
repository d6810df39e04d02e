//! Reads steps: what is played.
//!
//! A step is a map with one key that says what is done; `repeat` is unrolled, and a step for several
//! clients becomes one step each. Not responsible for the server's acts, which `server` reads.
//!
//! Invariant: every client, state, method and machine that a step names exists.

use super::Stage;
use super::matrix::Binding;
use super::server;
use super::time::{self, Boundaries};
use crate::diagnostic::{Sink, Span};
use crate::node::{Kind, Node};
use crate::profile::call;
use crate::reader::{self, MapReader};
use smol_str::SmolStr;
use stateline_core::profile::{Length, Profile};
use stateline_core::scenario::{Act, ClientIx, LinkAct, Step};
use stateline_core::time::Micros;
use stateline_core::value::{Fields, Value};

/// The most steps of a case.
const MAX_STEPS: usize = 10_000;

/// The keys that say what a step does.
const ACTS: [&str; 12] = [
    "call",
    "expect",
    "join",
    "leave",
    "network",
    "reach",
    "repeat",
    "send",
    "server",
    "set-attributes",
    "wait",
    "watch",
];

const LINKS: [(&str, LinkAct); 11] = [
    ("black-hole", LinkAct::BlackHole),
    ("blip", LinkAct::Blip),
    ("closed", LinkAct::Closed),
    ("closed-port", LinkAct::ClosedPort),
    ("expired-certificate", LinkAct::ExpiredCertificate),
    ("foreign-certificate", LinkAct::ForeignCertificate),
    ("half-open-down", LinkAct::HalfOpenDown),
    ("half-open-up", LinkAct::HalfOpenUp),
    ("refused", LinkAct::Refused),
    ("reset", LinkAct::Reset),
    ("up", LinkAct::Up),
];

/// Reads the steps of a case whose `when` holds.
pub(super) fn steps(
    nodes: &[Node],
    preamble: bool,
    binding: &Binding<'_>,
    stage: &Stage<'_>,
    probed: &mut Boundaries,
    sink: &mut Sink,
) -> Vec<Step> {
    let mut reading = Reading { preamble, binding, stage, probed, steps: Vec::new() };
    reading.all(nodes, sink);
    reading.steps
}

struct Reading<'a, 'b> {
    preamble: bool,
    binding: &'a Binding<'a>,
    stage: &'a Stage<'a>,
    probed: &'b mut Boundaries,
    steps: Vec<Step>,
}

impl Reading<'_, '_> {
    fn all(&mut self, nodes: &[Node], sink: &mut Sink) {
        for node in nodes {
            let when = match &node.kind {
                Kind::Map(entries) => {
                    entries.iter().find(|(key, _)| key.text == "when").map(|(_, value)| value)
                }
                _ => None,
            };
            if when.is_none_or(|when| self.binding.holds(when, sink)) {
                self.step(node, sink);
            }
            if self.steps.len() > MAX_STEPS {
                sink.error(
                    node.span.clone(),
                    "a case has more than 10,000 steps",
                    "here it got too many",
                );
                return;
            }
        }
    }

    fn step(&mut self, node: &Node, sink: &mut Sink) {
        let Some(entries) = reader::entries(node, "a step", sink) else { return };
        let acts: Vec<_> =
            entries.iter().filter(|(key, _)| ACTS.contains(&key.text.as_str())).collect();
        let (key, value) = match acts[..] {
            [act] => act,
            [] => {
                match entries.iter().find(|(key, _)| key.text != "when") {
                    Some((key, _)) => {
                        sink.unknown(key.span.clone(), "step", &key.text, ACTS);
                    }
                    None => {
                        sink.error(node.span.clone(), "the step does nothing", "needs an act");
                    }
                }
                return;
            }
            [(first, _), (second, _), ..] => {
                sink.error(second.span.clone(), "a step does one thing", "the second thing")
                    .also(first.span.clone(), "the first thing")
                    .help("write two steps");
                return;
            }
        };
        if key.text == "repeat" {
            self.repeat(node, value, sink);
            return;
        }
        let before = sink.len();
        let filled = self.binding.fill(node, sink);
        if sink.len() > before {
            return;
        }
        let text = SmolStr::from(line(&filled));
        let Some(mut map) = MapReader::new(&filled, "a step", sink) else { return };
        map.get("when");
        let Some(act) = ACTS.iter().find(|act| **act == key.text) else { return };
        let Some(value) = map.get(act) else { return };
        let mut acts = Vec::new();
        match *act {
            "call" => self.calls(value, &mut map, &mut acts, sink),
            "expect" => self.expect(value, &mut acts, sink),
            "join" => self.channel_call("join", value, &mut acts, sink),
            "leave" => self.channel_call("leave", value, &mut acts, sink),
            "network" => self.network(value, &mut map, &mut acts, sink),
            "reach" => self.reach(value, &mut acts, sink),
            "send" => self.channel_call("send-message", value, &mut acts, sink),
            "server" => server::acts(value, self.stage, self.probed, sink, &mut acts),
            "set-attributes" => self.channel_call("set-attributes", value, &mut acts, sink),
            "wait" => {
                acts.extend(time::when(value, None, self.stage, self.probed, sink).map(Act::Wait))
            }
            _ => self.watch(value, &mut acts, sink),
        }
        map.finish(sink);
        if sink.len() == before {
            self.steps.extend(acts.into_iter().map(|act| Step { text: text.clone(), act }));
        }
    }

    fn repeat(&mut self, step: &Node, node: &Node, sink: &mut Sink) {
        if let Some(mut map) = MapReader::new(step, "a step", sink) {
            map.get("when");
            map.get("repeat");
            map.finish(sink);
        }
        let filled = self.binding.fill(node, sink);
        let Some(mut map) = MapReader::new(&filled, "a `repeat`", sink) else { return };
        let times =
            map.need("times").and_then(|node| reader::number(node, "`times`", 1, 1_000, sink));
        map.get("steps");
        map.finish(sink);
        // The steps keep their holes until each is read, so that spans stay exact.
        let inner = match &node.kind {
            Kind::Map(entries) => {
                entries.iter().find(|(key, _)| key.text == "steps").map(|(_, value)| value)
            }
            _ => None,
        };
        let Some(inner) = inner else {
            sink.error(node.span.clone(), "a `repeat` lacks the key `steps`", "needs `steps`");
            return;
        };
        let items = reader::items(inner, "`steps`", sink);
        if items.is_empty() && matches!(inner.kind, Kind::Seq(_)) {
            sink.error(inner.span.clone(), "the repeated steps are empty", "nothing is repeated");
        }
        for _ in 0..times.unwrap_or(1) {
            self.all(items, sink);
            if self.steps.len() > MAX_STEPS {
                return;
            }
        }
    }

    fn reach(&mut self, node: &Node, acts: &mut Vec<Act>, sink: &mut Sink) {
        let profile = self.stage.profile;
        let states = profile.main_machine().map_or(&[][..], |(_, machine)| &machine.states);
        let mut targets: Vec<(ClientIx, usize)> = Vec::new();
        for (who, value) in reader::entries_or_none(Some(node), "`reach`", sink) {
            let clients = clients(&who.text, who.span.clone(), self.stage, sink);
            let Some(name) = reader::text(value, "a state", sink) else { continue };
            let Some(state) = states.iter().position(|state| state == name) else {
                sink.unknown(value.span.clone(), "state", name, states.iter().map(SmolStr::as_str));
                continue;
            };
            if self.preamble && !profile.reach.contains_key(name) {
                let known: Vec<&str> = profile.reach.keys().map(SmolStr::as_str).collect();
                sink.error(
                    value.span.clone(),
                    format!("the profile does not say how to reach `{name}`"),
                    "no recipe",
                )
                .help(format!("recipes: {}; make the calls in the body instead", known.join(", ")));
            }
            for client in clients {
                if targets.iter().any(|(have, _)| *have == client) {
                    sink.error(
                        who.span.clone(),
                        "a client can reach one state at a time",
                        "named again",
                    );
                }
                targets.push((client, state));
            }
        }
        acts.push(Act::Reach { targets, perform: self.preamble });
    }

    fn calls(
        &mut self,
        node: &Node,
        map: &mut MapReader<'_>,
        acts: &mut Vec<Act>,
        sink: &mut Sink,
    ) {
        let settle = map
            .get("settle")
            .and_then(|node| reader::flag(node, "`settle`", sink))
            .unwrap_or(false);
        for (who, value) in reader::entries_or_none(Some(node), "`call`", sink) {
            let clients = clients(&who.text, who.span.clone(), self.stage, sink);
            let Some((op, args)) = call(value, &self.stage.profile.names, sink) else { continue };
            let call = |client| Act::Call { client, op: op.clone(), args: args.clone(), settle };
            acts.extend(clients.into_iter().map(call));
        }
    }

    /// The short forms of calls that scenarios make again and again.
    fn channel_call(
        &mut self,
        op: &'static str,
        node: &Node,
        acts: &mut Vec<Act>,
        sink: &mut Sink,
    ) {
        if !self.stage.profile.names.calls.contains_key(op) {
            let known = self.stage.profile.names.calls.keys().map(SmolStr::as_str);
            sink.unknown(node.span.clone(), "method", op, known);
            return;
        }
        for (who, value) in reader::entries_or_none(Some(node), "a step", sink) {
            let clients = clients(&who.text, who.span.clone(), self.stage, sink);
            let Some(text) = reader::text(value, "what to name here", sink) else { continue };
            let value = Value::from(text);
            let args = match op {
                "set-attributes" => Fields::new().with("attributes", value),
                "send-message" => Fields::new().with("channel", value).with("text", "hello"),
                _ => Fields::new().with("channel", value),
            };
            let call = |client| Act::Call {
                client,
                op: SmolStr::new_static(op),
                args: args.clone(),
                settle: true,
            };
            acts.extend(clients.into_iter().map(call));
        }
    }

    fn network(
        &mut self,
        node: &Node,
        map: &mut MapReader<'_>,
        acts: &mut Vec<Act>,
        sink: &mut Sink,
    ) {
        let on_beat = map
            .get("on-beat")
            .and_then(|node| reader::flag(node, "`on-beat`", sink))
            .unwrap_or(false);
        for (who, value) in reader::entries_or_none(Some(node), "`network`", sink) {
            let clients = clients(&who.text, who.span.clone(), self.stage, sink);
            let link = match &value.kind {
                Kind::Map(_) => MapReader::new(value, "a link", sink).and_then(|mut map| {
                    let delay =
                        map.need("delay").and_then(|node| reader::duration(node, "`delay`", sink));
                    map.finish(sink);
                    delay.map(LinkAct::Delay)
                }),
                _ => reader::choice(value, "kind of network", &LINKS, sink),
            };
            let Some(link) = link else { continue };
            acts.extend(clients.into_iter().map(|client| Act::Network { client, link, on_beat }));
        }
    }

    fn expect(&mut self, node: &Node, acts: &mut Vec<Act>, sink: &mut Sink) {
        let Some(mut map) = MapReader::new(node, "an `expect`", sink) else { return };
        let within = map.need("within").and_then(|node| length(node, self.stage.profile, sink));
        let rest: Vec<_> = map.rest().collect();
        map.finish_open(sink);
        if rest.is_empty() {
            sink.error(
                node.span.clone(),
                "the step does not say who shows it",
                "needs a client and a pattern",
            );
        }
        for (who, value) in rest {
            let clients = clients(&who.text, who.span.clone(), self.stage, sink);
            let pattern = self.stage.words.pattern(value, sink);
            let (Some(pattern), Some(within)) = (pattern, within) else { continue };
            acts.extend(clients.into_iter().map(|client| Act::Expect {
                client,
                pattern: pattern.clone(),
                within,
            }));
        }
    }

    fn watch(&mut self, node: &Node, acts: &mut Vec<Act>, sink: &mut Sink) {
        let machines = &self.stage.profile.machines;
        match &node.kind {
            Kind::Map(entries) => {
                for (who, value) in entries {
                    let clients = clients(&who.text, who.span.clone(), self.stage, sink);
                    if let Some(name) = reader::text(value, "a machine", sink)
                        && !machines.iter().any(|machine| machine.name == name)
                    {
                        sink.unknown(
                            value.span.clone(),
                            "machine",
                            name,
                            machines.iter().map(|machine| machine.name.as_str()),
                        );
                    }
                    acts.extend(clients.into_iter().map(|client| Act::Watch { client }));
                }
            }
            _ => {
                for item in reader::one_or_many(node) {
                    let Some(name) = reader::text(item, "a client", sink) else { continue };
                    let clients = clients(name, item.span.clone(), self.stage, sink);
                    acts.extend(clients.into_iter().map(|client| Act::Watch { client }));
                }
            }
        }
    }
}

/// The clients that a name means: one, or every client.
pub(super) fn clients(name: &str, span: Span, stage: &Stage<'_>, sink: &mut Sink) -> Vec<ClientIx> {
    if matches!(name, "both" | "all") {
        return (0..stage.clients.len()).collect();
    }
    match stage.clients.iter().position(|client| client.name == name) {
        Some(client) => vec![client],
        None => {
            sink.unknown(
                span,
                "client",
                name,
                stage.clients.iter().map(|client| client.name.as_str()),
            );
            Vec::new()
        }
    }
}

/// A length in a scenario: `late`, a timer, a cap or a duration.
fn length(node: &Node, profile: &Profile, sink: &mut Sink) -> Option<Length> {
    let word = reader::text(node, "a length", sink)?;
    if word == "late" {
        return Some(Length::Late);
    }
    if let Some(time) = profile.timers.get(word) {
        return Some(Length::Fixed(*time));
    }
    if let Some(cap) = profile.caps.get_index_of(word) {
        return Some(Length::Cap(cap));
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return reader::duration(node, "a length", sink)
            .map(Length::Fixed)
            .filter(|length| *length != Length::Fixed(Micros::ZERO));
    }
    let known =
        profile.timers.keys().chain(profile.caps.keys()).map(SmolStr::as_str).chain(["late"]);
    sink.unknown(node.span.clone(), "timer or cap", word, known);
    None
}

/// A step as it was written, without its condition.
fn line(node: &Node) -> String {
    match &node.kind {
        Kind::Map(entries) => {
            let entries = entries.iter().filter(|(key, _)| key.text != "when");
            entries
                .map(|(key, value)| format!("{}: {}", key.text, value.line()))
                .collect::<Vec<_>>()
                .join(", ")
        }
        _ => node.line(),
    }
}
