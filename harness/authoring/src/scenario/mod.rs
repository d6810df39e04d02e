//! Reads one scenario file and expands its matrix into cases.
//!
//! The modules: `matrix` (axes, holes and `when`), `step` and `server` (what is played), `time`
//! (when). Not responsible for playing anything.
//!
//! Invariant: a scenario whose id is not its path, that plays nothing, or that has a part which no
//! case ever uses does not load.

mod matrix;
mod server;
mod step;
mod time;

use crate::diagnostic::{Loaded, Sink, Source, Span};
use crate::node::{self, Kind, Node};
use crate::pattern::Words;
use crate::reader::{self, MapReader};
use matrix::{Binding, Matrix};
use smol_str::{SmolStr, format_smolstr};
use stateline_core::profile::requirement::TestedBy;
use stateline_core::profile::{Profile, ReqIx};
use stateline_core::scenario::{Case, CaseClient, Scenario};
use time::Boundaries;

/// Reads a scenario. `id` is what its path says: without the folder of the profile, without the
/// extension, such as `network-drop/around-presence`.
#[must_use]
pub fn load_scenario(profile: &Profile, source: Source, id: &str) -> Loaded<Scenario> {
    let mut sink = Sink::new(source);
    let scenario =
        node::parse_one_with_holes(&mut sink).and_then(|root| read(profile, &root, id, &mut sink));
    Loaded::new(scenario, sink.into_diagnostics())
}

/// What the steps of a case need to know.
struct Stage<'a> {
    profile: &'a Profile,
    words: Words<'a>,
    clients: &'a [CaseClient],
}

fn read(profile: &Profile, root: &Node, expected: &str, sink: &mut Sink) -> Option<Scenario> {
    let mut map = MapReader::new(root, "a scenario", sink)?;
    let id_node = map.need("id");
    if let Some(node) = id_node
        && let Some(id) = reader::name(node, "a scenario", sink)
        && id != expected
    {
        sink.error(
            node.span.clone(),
            format!("the id is not the file's path, which is `{expected}`"),
            "another path",
        )
        .help(format!("write `id: {expected}` or move the file"));
    }
    let purpose = map.need("purpose").and_then(|node| reader::text(node, "`purpose`", sink));
    let tags = names(map.get("tags"), "a tag", sink);
    let needs = names(map.get("needs"), "a capability", sink);
    let requirements = map.need("requirements");
    let clients = clients(map.get("clients"), sink);
    let matrix = Matrix::read(map.get("matrix"), profile, sink);
    let boundaries = map.get("boundaries");
    let preamble_node = map.get("preamble");
    let body_node = map.need("body");
    map.finish(sink);
    let steps_of = |node: Option<&'_ Node>, what: &str, sink: &mut Sink| -> Vec<Node> {
        node.map(|node| reader::items(node, what, sink).to_vec()).unwrap_or_default()
    };
    let before = sink.len();
    let preamble = steps_of(preamble_node, "`preamble`", sink);
    let body = steps_of(body_node, "`body`", sink);
    if let (Some(node), true) = (body_node, body.is_empty() && sink.len() == before) {
        sink.error(node.span.clone(), "the body is empty", "nothing is played");
    }

    let words = Words { heads: &profile.heads, names: &profile.names, scope: None };
    let stage = Stage { profile, words, clients: &clients };
    let mut cases = Vec::new();
    for binding in matrix.bindings() {
        let mut probed = Boundaries::default();
        let named = named(requirements, &binding, &stage, sink);
        written_boundaries(boundaries, &binding, &stage, &mut probed, sink);
        let preamble = step::steps(&preamble, true, &binding, &stage, &mut probed, sink);
        let played = step::steps(&body, false, &binding, &stage, &mut probed, sink);
        if played.is_empty() && !body.is_empty() && sink.is_empty() {
            let at = body_node.map_or(0..0, |node| node.span.clone());
            sink.error(
                at,
                format!("the body of the case [{}] is empty", binding.label()),
                "no `when` holds there",
            );
        }
        let id = match binding.label() {
            label if label.is_empty() => format_smolstr!("{}/{expected}", profile.id),
            label => format_smolstr!("{}/{expected}[{label}]", profile.id),
        };
        cases.push(Case {
            id,
            bindings: binding.pairs(),
            named,
            clients: clients.clone(),
            needs: needs.clone(),
            boundaries: probed.into_pairs(),
            preamble,
            body: played,
        });
    }
    matrix.check_used(sink);
    Some(Scenario {
        id: expected.into(),
        profile: profile.id.clone(),
        purpose: purpose?.trim().to_owned(),
        tags,
        cases,
    })
}

fn names(node: Option<&Node>, what: &str, sink: &mut Sink) -> Vec<SmolStr> {
    let mut names: Vec<SmolStr> = Vec::new();
    for item in node.map_or(&[][..], reader::one_or_many) {
        let Some(name) = reader::name(item, what, sink) else { continue };
        if names.iter().any(|have| have == name) {
            sink.error(item.span.clone(), format!("`{name}` stands twice"), "again here");
        }
        names.push(name.into());
    }
    names
}

/// Reads `clients`; `alice` alone when it is not there.
fn clients(node: Option<&Node>, sink: &mut Sink) -> Vec<CaseClient> {
    let mut clients: Vec<CaseClient> = Vec::new();
    let Some(node) = node else {
        return vec![CaseClient { name: "alice".into(), uid: "alice".into() }];
    };
    let mut add = |name: &str, uid: &str, span: Span, sink: &mut Sink| {
        if matches!(name, "both" | "all") {
            sink.error(span, format!("`{name}` means every client"), "not a name for one");
        } else if clients.iter().any(|client| client.name == name) {
            sink.error(span, format!("the client `{name}` stands twice"), "again here");
        } else {
            clients.push(CaseClient { name: name.into(), uid: uid.into() });
        }
    };
    match &node.kind {
        Kind::Map(entries) => {
            for (key, value) in entries {
                reader::check_name(&key.text, key.span.clone(), "a client", sink);
                let Some(mut map) = MapReader::new(value, "a client", sink) else { continue };
                let uid = map
                    .get("uid")
                    .and_then(|node| reader::name(node, "a user", sink))
                    .unwrap_or(&key.text);
                map.finish(sink);
                add(&key.text, uid, key.span.clone(), sink);
            }
        }
        _ => {
            for item in reader::items(node, "`clients`", sink) {
                if let Some(name) = reader::name(item, "a client", sink) {
                    add(name, name, item.span.clone(), sink);
                }
            }
        }
    }
    if clients.is_empty() && sink.is_empty() {
        sink.error(node.span.clone(), "a scenario needs a client", "none here");
    }
    clients
}

/// The requirements that a case names.
fn named(
    node: Option<&Node>,
    binding: &Binding<'_>,
    stage: &Stage<'_>,
    sink: &mut Sink,
) -> Vec<ReqIx> {
    let mut named: Vec<(ReqIx, Span)> = Vec::new();
    let mut name = |node: &Node, sink: &mut Sink| {
        let Some(id) = reader::text(node, "a requirement", sink) else { return };
        let all = &stage.profile.requirements;
        let Some(req) = stage.profile.requirement(id) else {
            sink.unknown(
                node.span.clone(),
                "requirement",
                id,
                all.iter().map(|req| req.id.as_str()),
            );
            return;
        };
        if all[req].test == TestedBy::None {
            sink.error(node.span.clone(), format!("nobody can show `{id}`"), "its `test` is none");
        }
        if let Some((_, first)) = named.iter().find(|(have, _)| *have == req) {
            sink.error(
                node.span.clone(),
                format!("a case names the requirement `{id}` twice"),
                "again here",
            )
            .also(first.clone(), "first here");
            return;
        }
        named.push((req, node.span.clone()));
    };
    let Some(list) = node else { return Vec::new() };
    for item in reader::items(list, "`requirements`", sink) {
        if !matches!(item.kind, Kind::Map(_)) {
            name(item, sink);
            continue;
        }
        let Some(mut map) = MapReader::new(item, "an entry with a condition", sink) else {
            continue;
        };
        let applies = map.need("when").is_some_and(|node| binding.holds(node, sink));
        let of = map.need("of");
        map.finish(sink);
        if applies {
            of.map_or(&[][..], reader::one_or_many).iter().for_each(|node| name(node, sink));
        }
    }
    named.into_iter().map(|(req, _)| req).collect()
}

/// Boundaries that the author places by hand: `{ of: TIMER, side: before, when: … }`.
fn written_boundaries(
    node: Option<&Node>,
    binding: &Binding<'_>,
    stage: &Stage<'_>,
    probed: &mut Boundaries,
    sink: &mut Sink,
) {
    for item in node.map_or(&[][..], |node| reader::items(node, "`boundaries`", sink)) {
        let Some(mut map) = MapReader::new(item, "a boundary", sink) else { continue };
        let applies = map.get("when").is_none_or(|node| binding.holds(node, sink));
        let timer = map.need("of").and_then(|node| time::timer(node, stage.profile, sink));
        let side =
            map.need("side").and_then(|node| reader::choice(node, "side", &time::SIDES, sink));
        map.finish(sink);
        if let (true, Some(timer), Some(side)) = (applies, timer, side) {
            probed.add(timer, side);
        }
    }
}
