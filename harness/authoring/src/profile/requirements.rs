//! Reads the catalogue: what the document demands, statement by statement.
//!
//! Not responsible for who carries a requirement; `check` compares the catalogue with the tables.
//!
//! Invariant: ids are unique, and what nobody can test says why.

use crate::diagnostic::{Sink, Span};
use crate::node::Node;
use crate::reader::{self, MapReader};
use indexmap::IndexMap;
use smol_str::SmolStr;
use stateline_core::profile::requirement::{Basis, Requirement, Strictness, TestedBy};

const KINDS: [(&str, &str); 9] = [
    ("callback", "callback"),
    ("error-code", "error-code"),
    ("invariant", "invariant"),
    ("parameter", "parameter"),
    ("prohibition", "prohibition"),
    ("remote-observation", "remote-observation"),
    ("server-behaviour", "server-behaviour"),
    ("timing", "timing"),
    ("transition", "transition"),
];

const TESTED_BY: [(&str, TestedBy); 5] = [
    ("client", TestedBy::Client),
    ("none", TestedBy::None),
    ("peer", TestedBy::Peer),
    ("server", TestedBy::Server),
    ("wire", TestedBy::Wire),
];

const BASES: [(&str, Basis); 4] = [
    ("advice", Basis::Advice),
    ("erratum", Basis::Erratum),
    ("explicit", Basis::Explicit),
    ("implied", Basis::Implied),
];

pub(super) const STRICTNESSES: [(&str, Strictness); 3] =
    [("MUST", Strictness::Must), ("OPEN", Strictness::Open), ("SHOULD", Strictness::Should)];

/// The catalogue with the place of each id, in its order.
pub(super) type Catalogue = IndexMap<SmolStr, (Requirement, Span)>;

/// Reads `requirements.yaml`.
pub(super) fn read(node: &Node, sink: &mut Sink) -> Option<(SmolStr, Catalogue)> {
    let mut map = MapReader::new(node, "a catalogue", sink)?;
    let profile = map.need("profile").and_then(|node| reader::name(node, "a profile", sink));
    let list = map
        .need("requirements")
        .map_or(&[][..], |node| reader::items(node, "`requirements`", sink));
    map.finish(sink);
    let mut catalogue = Catalogue::new();
    for item in list {
        let Some((requirement, span)) = requirement(item, sink) else { continue };
        if let Some((_, first)) = catalogue.get(&requirement.id) {
            let title =
                format!("the requirement `{}` stands twice in the catalogue", requirement.id);
            sink.error(span, title, "again here").also(first.clone(), "first here");
            continue;
        }
        catalogue.insert(requirement.id.clone(), (requirement, span));
    }
    Some((profile?.into(), catalogue))
}

fn requirement(node: &Node, sink: &mut Sink) -> Option<(Requirement, Span)> {
    let mut map = MapReader::new(node, "a requirement", sink)?;
    let id = map
        .need("id")
        .and_then(|node| Some((reader::name(node, "a requirement", sink)?, node.span.clone())));
    let kind = map.need("kind").and_then(|node| reader::choice(node, "kind", &KINDS, sink));
    let test_node = map.need("test");
    let test = test_node.and_then(|node| reader::choice(node, "test", &TESTED_BY, sink));
    let basis = map.need("basis").and_then(|node| reader::choice(node, "basis", &BASES, sink));
    let strictness = match map.get("strictness") {
        Some(node) => reader::choice(node, "strictness", &STRICTNESSES, sink),
        None => Some(Strictness::Must),
    };
    let mut text = |key, needed: bool, sink: &mut Sink| {
        let node = if needed { map.need(key) } else { map.get(key) };
        node.and_then(|node| reader::text(node, &format!("`{key}`"), sink))
            .map(|text| text.trim().to_owned())
    };
    let section = text("section", true, sink);
    let statement = text("text", true, sink);
    let needs = text("needs", false, sink);
    let must = text("must", false, sink);
    let untestable = text("untestable", false, sink);
    if let (Some(TestedBy::None), None, Some(node)) = (test, &untestable, test_node) {
        sink.error(
            node.span.clone(),
            "a requirement that nobody tests says why",
            "needs `untestable` beside it",
        );
    }
    if let (Some(test), Some(_)) = (test, &untestable)
        && test != TestedBy::None
    {
        sink.error(
            map.key_span("untestable"),
            "a requirement is untestable though somebody tests it",
            "take this away",
        )
        .help("or write `test: none`");
    }
    if must.is_some() && strictness == Some(Strictness::Must) {
        sink.error(
            map.key_span("must"),
            "`must` says what still fails in a SHOULD or OPEN requirement",
            "this one is a MUST",
        );
    }
    map.finish(sink);
    // With its id it exists, whatever else is wrong with it: rows that name it are right.
    let (id, span) = id?;
    let requirement = Requirement {
        id: id.into(),
        kind: kind.unwrap_or_default().into(),
        test: test.unwrap_or(TestedBy::Client),
        basis: basis.unwrap_or(Basis::Explicit),
        strictness: strictness.unwrap_or(Strictness::Open),
        section: section.unwrap_or_default(),
        text: statement.unwrap_or_default(),
        needs: needs.map(SmolStr::from),
        untestable,
    };
    Some((requirement, span))
}
