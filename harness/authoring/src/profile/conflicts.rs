//! Reads the conflicts: where the document contradicts itself or leaves gaps, and how the harness judges there.
//!
//! Not responsible for judging: rows do that, and a conflict says why they do it so.
//!
//! Invariant: whatever the tables leave open, or take in two readings, is touched by a conflict.

use super::Places;
use super::requirements::Catalogue;
use crate::diagnostic::{Sink, Span};
use crate::node::Node;
use crate::reader::{self, MapReader};
use indexmap::IndexMap;
use smol_str::SmolStr;
use stateline_core::profile::grid::{Grid, Says};
use stateline_core::profile::requirement::{Basis, Strictness};
use stateline_core::record::Conflict;
use std::collections::BTreeSet;

const KINDS: [(&str, &str); 4] =
    [("contradiction", "contradiction"), ("gap", "gap"), ("slip", "slip"), ("vague", "vague")];

/// The conflicts as they were read.
pub(super) struct Conflicts {
    /// In their order.
    pub(super) list: Vec<Conflict>,
    /// Where to say that one is missing.
    place: Span,
}

/// Reads `conflicts.yaml` of the profile with this id.
pub(super) fn read(
    node: &Node,
    of: &str,
    catalogue: &Catalogue,
    rows: &Places,
    sink: &mut Sink,
) -> Option<Conflicts> {
    let mut map = MapReader::new(node, "the conflicts", sink)?;
    let profile =
        map.need("profile").and_then(|node| Some((node, reader::name(node, "a profile", sink)?)));
    if let Some((node, profile)) = profile
        && profile != of
    {
        let title =
            format!("the conflicts are those of `{profile}`, the catalogue is that of `{of}`");
        sink.error(node.span.clone(), title, "these must agree");
    }
    let items =
        map.need("conflicts").map_or(&[][..], |node| reader::items(node, "`conflicts`", sink));
    let place = map.key_span("conflicts");
    map.finish(sink);
    let mut seen: IndexMap<SmolStr, Span> = IndexMap::new();
    let mut list = Vec::new();
    for item in items {
        let Some((conflict, span)) = conflict(item, catalogue, rows, sink) else { continue };
        if let Some(first) = seen.get(&conflict.id) {
            let title = format!("the conflict `{}` stands twice", conflict.id);
            sink.error(span, title, "again here").also(first.clone(), "first here");
            continue;
        }
        seen.insert(conflict.id.clone(), span);
        list.push(conflict);
    }
    Some(Conflicts { list, place })
}

fn conflict(
    node: &Node,
    catalogue: &Catalogue,
    rows: &Places,
    sink: &mut Sink,
) -> Option<(Conflict, Span)> {
    let mut map = MapReader::new(node, "a conflict", sink)?;
    let id = map
        .need("id")
        .and_then(|node| Some((reader::name(node, "a conflict", sink)?, node.span.clone())));
    let kind = map.need("kind").and_then(|node| reader::choice(node, "kind", &KINDS, sink));
    let mut text = |key, sink: &mut Sink| {
        map.need(key)
            .and_then(|node| reader::text(node, &format!("`{key}`"), sink))
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    };
    let title = text("title", sink);
    let says = text("says", sink);
    let judged = text("judged", sink);
    let why = text("why", sink);
    let sections = map.need("sections").map_or(&[][..], reader::one_or_many).iter();
    let sections = sections
        .filter_map(|node| Some(reader::text(node, "a section", sink)?.to_owned()))
        .collect();
    let mut touched = |key, what, known: &dyn Fn(&str) -> bool, all: &[&str], sink: &mut Sink| {
        let items = map.get(key).map_or(&[][..], reader::one_or_many);
        let mut names: Vec<SmolStr> = Vec::new();
        for item in items {
            let Some(name) = reader::text(item, what, sink) else { continue };
            if !known(name) {
                sink.unknown(item.span.clone(), what, name, all.iter().copied());
            } else if names.iter().any(|have| have == name) {
                sink.error(item.span.clone(), format!("`{name}` stands twice"), "again here");
            } else {
                names.push(name.into());
            }
        }
        (names, !items.is_empty())
    };
    let all: Vec<&str> = catalogue.keys().map(SmolStr::as_str).collect();
    let (requirements, some) =
        touched("requirements", "requirement", &|id| catalogue.contains_key(id), &all, sink);
    let all: Vec<&str> = rows.keys().map(SmolStr::as_str).collect();
    let (rows, more) = touched("rows", "row", &|id| rows.contains_key(id), &all, sink);
    if !some && !more {
        sink.error(
            map.span(),
            "a conflict touches a requirement or a row",
            "needs `requirements` or `rows`",
        );
    }
    map.finish(sink);
    let (id, span) = id?;
    let kind = SmolStr::new_static(kind.unwrap_or_default());
    let id = SmolStr::from(id);
    Some((Conflict { id, kind, title, sections, says, judged, why, requirements, rows }, span))
}

/// Tells what is open in the tables, or read in two ways, and touched by no conflict: who wrote the page down
/// once would take it for the whole.
pub(super) fn incomplete(
    conflicts: &Conflicts,
    catalogue: &Catalogue,
    grid: &Grid,
    rows: &Places,
    sink: &mut Sink,
) {
    let requirements: BTreeSet<&str> = conflicts
        .list
        .iter()
        .flat_map(|conflict| &conflict.requirements)
        .map(SmolStr::as_str)
        .collect();
    let touched: BTreeSet<&str> =
        conflicts.list.iter().flat_map(|conflict| &conflict.rows).map(SmolStr::as_str).collect();
    let mut missing = |what: &str, id: &str, because: &str| {
        let title = format!("no conflict touches the {what} `{id}`, {because}");
        sink.error(conflicts.place.clone(), title, "one is missing here");
    };
    for (requirement, _) in catalogue.values() {
        let because = match (requirement.basis, requirement.strictness) {
            (Basis::Erratum, _) => "which is an erratum",
            (_, Strictness::Open) => "which is OPEN",
            _ => continue,
        };
        if !requirements.contains(requirement.id.as_str()) {
            missing("requirement", &requirement.id, because);
        }
    }
    let silent = grid.cells.iter().filter_map(|cell| match &cell.says {
        Says::Silent(rows) => Some(rows),
        Says::Rows(_) | Says::Forbidden(_) => None,
    });
    for row in silent.flatten().collect::<BTreeSet<_>>() {
        let id = rows.get_index(*row).map_or("", |(id, _)| id.as_str());
        if !touched.contains(id) {
            missing("row", id, "which permits in a cell where the document is silent");
        }
    }
}
