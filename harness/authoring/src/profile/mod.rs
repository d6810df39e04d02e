//! Lowers a profile with its catalogue and its wire to the compiled profile.
//!
//! The modules follow the file from top to bottom: `words` (names and calls), `times` (timers, caps,
//! clocks, registers), `machines`, `rows` and `settles`, `grid`; `requirements` and `conflicts` are further
//! files, `check` compares all of it in the end. Not responsible for reading files.
//!
//! Invariant: each part is read as far as it can be, so that one mistake hides no other.

mod check;
mod conflicts;
mod grid;
mod machines;
mod requirements;
mod rows;
mod settles;
mod times;
mod words;

pub(crate) use words::call;

use crate::diagnostic::{Diagnostic, Loaded, Sink, Source, Span};
use crate::expr::{Scope, Used};
use crate::node::{self, Node};
use crate::pattern::{Words, vocabulary};
use crate::reader::{self, MapReader};
use crate::wire;
use indexmap::IndexMap;
use requirements::Catalogue;
use smol_str::SmolStr;
use stateline_core::profile::requirement::Requirement;
use stateline_core::profile::{Document, Profile, RealmSpec, ReqIx};
use stateline_core::wire::Wire;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// The wire of profiles that have none of their own.
const LAB_WIRE: &str = include_str!("../../../../scenarios/agora-rtm-1x/wire.yaml");

/// The causes for which the lab's server refuses a login.
const REFUSALS: [&str; 7] =
    ["banned", "expired", "invalid", "malformed", ELSEWHERE, "refused", "revoked"];
/// The cause that only SDKs know which can log in without ending the session of another instance.
const ELSEWHERE: &str = "online-elsewhere";

/// The files of a profile's folder.
#[derive(Clone, Debug)]
pub struct ProfileFiles {
    /// `profile.yaml`.
    pub profile: Source,
    /// `requirements.yaml`.
    pub requirements: Source,
    /// `wire.yaml`, where the profile has one.
    pub wire: Option<Source>,
    /// `conflicts.yaml`, where the profile has one.
    pub conflicts: Option<Source>,
}

/// Reads a profile for a variant, or as the document has it.
#[must_use]
pub fn load_profile(files: ProfileFiles, variant: Option<&str>) -> Loaded<Profile> {
    let digest = digest(&files, variant);
    let wire = files.wire.unwrap_or_else(|| Source::new("the built-in wire", LAB_WIRE));
    let has_conflicts = files.conflicts.is_some();
    let conflicts = files.conflicts.unwrap_or_default();
    let mut sinks = [files.profile, files.requirements, wire, conflicts].map(Sink::new);
    let [sink, catalogue_sink, wire_sink, conflicts_sink] = &mut sinks;
    let wire = node::parse_one(wire_sink).and_then(|node| wire::read(&node, wire_sink));
    let catalogue =
        node::parse_one(catalogue_sink).and_then(|node| requirements::read(&node, catalogue_sink));
    let root = node::parse_one(sink);
    let conflicts = if has_conflicts { node::parse_one(conflicts_sink) } else { None };
    let profile = match (root, wire, catalogue) {
        (Some(root), Some(wire), Some((of, catalogue))) => {
            let parts = Parts { wire, of, catalogue, conflicts, variant, digest };
            lower(&root, parts, [sink, catalogue_sink, conflicts_sink])
        }
        _ => None,
    };
    let diagnostics: Vec<Diagnostic> = sinks.into_iter().flat_map(Sink::into_diagnostics).collect();
    Loaded::new(profile, diagnostics)
}

fn digest(files: &ProfileFiles, variant: Option<&str>) -> SmolStr {
    let mut hasher = blake3::Hasher::new();
    let wire = files.wire.as_ref().map_or(LAB_WIRE, |wire| &wire.text);
    let conflicts = files.conflicts.as_ref().map_or("", |conflicts| &conflicts.text);
    let profile = [&files.profile.text, &files.requirements.text];
    for text in
        profile.into_iter().map(String::as_str).chain([wire, conflicts, variant.unwrap_or("")])
    {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().to_hex()[..32].into()
}

/// What stands outside `profile.yaml`.
struct Parts<'a> {
    wire: Wire,
    of: SmolStr,
    catalogue: Catalogue,
    conflicts: Option<Node>,
    variant: Option<&'a str>,
    digest: SmolStr,
}

/// What rows, machines and the grid need to know.
struct Tables<'a> {
    scope: &'a Scope<'a>,
    words: Words<'a>,
    catalogue: &'a Catalogue,
    /// Requirements that something can break or satisfy.
    carried: RefCell<BTreeSet<ReqIx>>,
}

impl Tables<'_> {
    fn requirement(&self, node: &Node, sink: &mut Sink) -> Option<ReqIx> {
        let id = reader::text(node, "a requirement", sink)?;
        let found = self.catalogue.get_index_of(id);
        match found {
            Some(req) => {
                self.carried.borrow_mut().insert(req);
            }
            None => {
                sink.unknown(
                    node.span.clone(),
                    "requirement",
                    id,
                    self.catalogue.keys().map(SmolStr::as_str),
                );
            }
        }
        found
    }

    fn strictness(&self, req: ReqIx) -> &Requirement {
        &self.catalogue[req].0
    }
}

fn lower(
    root: &Node,
    parts: Parts<'_>,
    [sink, catalogue_sink, conflicts_sink]: [&mut Sink; 3],
) -> Option<Profile> {
    let Parts { wire, of, catalogue, conflicts, variant, digest } = parts;
    let mut map = MapReader::new(root, "a profile", sink)?;
    let id_node = map.need("profile");
    let id = id_node.and_then(|node| reader::name(node, "a profile", sink));
    if let (Some(id), Some(node)) = (id, id_node)
        && id != of
    {
        let title = format!("the catalogue is that of `{of}`, the profile is `{id}`");
        sink.error(node.span.clone(), title, "these must agree");
    }
    let document = map.need("document").and_then(|node| document(node, sink));
    let names = words::names(map.get("names"), map.get("groups"), map.get("calls"), sink);
    let reach_node = map.get("reach");
    let mut times = times::read(&mut map, wire.heartbeat.period, sink);
    times::vary(map.get("variants"), variant, &mut times, sink);
    let registers = times::registers(map.get("registers"), &times, sink);
    let realm_node = map.need("realm");
    let clocks_node = map.get("clocks");
    let machines_node = map.need("machines");
    let grid_node = map.get("grid");
    let whole = map.span();
    map.finish(sink);

    let client = wire.receive.iter().map(|rule| &rule.message);
    let heads = vocabulary(&names, client, wire.send.keys());
    let clock_names = times::clock_names(clocks_node, &times, &registers, sink);
    let plan = machines::plan(machines_node, sink);
    let scope = Scope {
        rows: &plan.row_ids,
        clocks: &clock_names,
        registers: &registers,
        timers: &times.timers,
        caps: &times.caps,
        heads: &heads,
        used: RefCell::new(Used::default()),
    };
    let tables = Tables {
        scope: &scope,
        words: Words { heads: &heads, names: &names, scope: Some(&scope) },
        catalogue: &catalogue,
        carried: RefCell::default(),
    };
    let main = plan.machines.iter().position(|machine| !machine.states.is_empty());
    let main_states = main.map_or(&[][..], |main| &plan.machines[main].states);
    let clocks = times::clocks(clocks_node, main_states, &tables, sink);
    let (machines, rows) = machines::lower(&plan, &tables, sink);
    let grid = grid::read(grid_node, main, &machines, &rows, &tables, whole, sink);
    let reach = words::reach(reach_node, main_states, &names, sink);
    let realm = realm_node.and_then(|node| realm(node, &tables, sink));

    let conflicts = conflicts
        .and_then(|node| conflicts::read(&node, &of, &catalogue, &plan.row_ids, conflicts_sink));

    let carried = tables.carried.into_inner();
    // What is misspelt is also unused; telling both would hide the one that matters.
    if sink.is_empty() && catalogue_sink.is_empty() {
        check::uncarried(&catalogue, &carried, catalogue_sink);
        check::unused(&scope, root, sink);
        if let (Some(conflicts), Some(grid), true) = (&conflicts, &grid, conflicts_sink.is_empty())
        {
            conflicts::incomplete(conflicts, &catalogue, grid, &plan.row_ids, conflicts_sink);
        }
    }
    if [sink, catalogue_sink, conflicts_sink].iter().any(|sink| !sink.is_empty()) {
        return None;
    }
    Some(Profile {
        id: id?.into(),
        variant: variant.map(SmolStr::from),
        digest,
        document: document?,
        requirements: catalogue.into_values().map(|(requirement, _)| requirement).collect(),
        names,
        timers: times.timers.clone(),
        caps: times.caps.clone(),
        tolerance: times.tolerance,
        clocks,
        registers: registers.clone(),
        machines,
        rows: rows.into_iter().flatten().collect(),
        heads,
        grid: grid?,
        reach,
        realm: realm?,
        conflicts: conflicts.map(|conflicts| conflicts.list).unwrap_or_default(),
        wire,
    })
}

fn document(node: &Node, sink: &mut Sink) -> Option<Document> {
    let mut map = MapReader::new(node, "a document", sink)?;
    let mut text = |key, sink: &mut Sink| {
        map.need(key)
            .and_then(|node| reader::text(node, &format!("`{key}`"), sink))
            .map(str::to_owned)
    };
    let title = text("title", sink);
    let product = text("product", sink);
    let platform = text("platform", sink);
    let updated = text("updated", sink);
    map.finish(sink);
    Some(Document { title: title?, product: product?, platform: platform?, updated: updated? })
}

fn realm(node: &Node, tables: &Tables<'_>, sink: &mut Sink) -> Option<RealmSpec> {
    let mut map = MapReader::new(node, "a realm", sink)?;
    let presence = map.need("presence").and_then(|node| times::fixed(node, tables.scope, sink));
    let supersede = map.need("supersede").and_then(|node| reader::flag(node, "`supersede`", sink));
    let codes_node = map.need("codes");
    map.finish(sink);
    let mut codes = IndexMap::new();
    if let Some(mut map) = codes_node.and_then(|node| MapReader::new(node, "the refusals", sink)) {
        for cause in REFUSALS {
            let node = if cause == ELSEWHERE { map.get(cause) } else { map.need(cause) };
            let Some(node) = node else { continue };
            let Some(code) = reader::name(node, "a code", sink) else { continue };
            match tables.words.names.refusals() {
                Some(known) if !known.has(code) => {
                    sink.unknown(
                        node.span.clone(),
                        "code",
                        code,
                        known.values().map(|(name, _)| name.as_str()),
                    );
                }
                _ => {
                    codes.insert(SmolStr::new_static(cause), SmolStr::from(code));
                }
            }
        }
        map.finish(sink);
    }
    Some(RealmSpec { presence: presence?, supersede: supersede?, codes })
}

/// Where the names of a part were written, for messages about what is never used.
type Places = IndexMap<SmolStr, Span>;
