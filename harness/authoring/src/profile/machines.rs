//! Reads the machines: their states, whom they follow, what they own, their static checks.
//!
//! Not responsible for single rows; `rows` reads them.
//!
//! Invariant: the ids of all rows are known before the first row is read, and keep its index.

use super::{Places, Tables, rows};
use crate::diagnostic::Sink;
use crate::node::{Kind, Node};
use crate::reader::{self, MapReader};
use smallvec::SmallVec;
use smol_str::{SmolStr, format_smolstr};
use stateline_core::profile::machine::{Machine, Pattern, Row, Subject, ValueCheck, ValueRule};
use stateline_core::profile::requirement::Basis;
use stateline_core::profile::{MachineIx, StateIx};

/// The most states of a machine; a set of them is a number of 32 bits.
const MAX_STATES: usize = 32;

/// The machines before their rows are read.
pub(super) struct Plan<'n> {
    pub(super) machines: Vec<Planned<'n>>,
    /// All rows in order, with the place to point at.
    pub(super) row_ids: Places,
}

/// One machine before its rows are read.
pub(super) struct Planned<'n> {
    name: SmolStr,
    node: &'n Node,
    /// The states of its own.
    pub(super) states: Vec<SmolStr>,
    leader: Option<MachineIx>,
    rows: &'n [Node],
    first_row: usize,
}

/// Names all machines, states and rows.
pub(super) fn plan<'n>(node: Option<&'n Node>, sink: &mut Sink) -> Plan<'n> {
    let mut plan = Plan { machines: Vec::new(), row_ids: Places::new() };
    let entries = reader::entries_or_none(node, "`machines`", sink);
    for (name, node) in entries {
        reader::check_name(&name.text, name.span.clone(), "a machine", sink);
        let Some(mut map) = MapReader::new(node, "a machine", sink) else { continue };
        let states = map.get("states").map(|node| states(node, sink)).unwrap_or_default();
        let rows = map.need("rows").map_or(&[][..], |node| reader::items(node, "`rows`", sink));
        let first_row = plan.row_ids.len();
        for (n, row) in rows.iter().enumerate() {
            claim(&name.text, n, row, &mut plan.row_ids, sink);
        }
        let name = SmolStr::from(&name.text);
        plan.machines.push(Planned { name, node, states, leader: None, rows, first_row });
    }
    if let (Some(node), true) = (node, plan.machines.is_empty())
        && sink.is_empty()
    {
        sink.error(node.span.clone(), "a profile needs at least one machine", "none here");
    }
    follow(&mut plan, sink);
    plan
}

fn states(node: &Node, sink: &mut Sink) -> Vec<SmolStr> {
    let mut states: Vec<SmolStr> = Vec::new();
    for item in reader::items(node, "`states`", sink) {
        let Some(name) = reader::name(item, "a state", sink) else { continue };
        if states.iter().any(|have| have == name) {
            sink.error(item.span.clone(), format!("the state `{name}` stands twice"), "again here");
        } else if states.len() == MAX_STATES {
            sink.error(item.span.clone(), "a machine has at most 32 states", "one too many");
        } else {
            states.push(name.into());
        }
    }
    states
}

/// Notes a row's id. A row without one is called after its machine and place.
fn claim(machine: &str, n: usize, row: &Node, ids: &mut Places, sink: &mut Sink) {
    let written = match &row.kind {
        Kind::Map(entries) => {
            entries.iter().find(|(key, _)| key.text == "id").map(|(_, value)| value)
        }
        _ => None,
    };
    let fallback = format_smolstr!("{machine}.{}", n + 1);
    let (id, span) = match written {
        Some(node) => match reader::name(node, "a row", sink) {
            Some(id) => (SmolStr::from(id), node.span.clone()),
            None => (fallback.clone(), node.span.clone()),
        },
        None => (fallback.clone(), row.span.clone()),
    };
    if let Some(first) = ids.get(&id) {
        let title = format!("two rows have the id `{id}`");
        sink.error(span.clone(), title, "again here").also(first.clone(), "first here");
        // The row keeps its place, so that indices stay what they are.
        ids.insert(format_smolstr!("{fallback}#{}", ids.len()), span);
    } else {
        ids.insert(id, span);
    }
}

/// Resolves `follows`.
fn follow(plan: &mut Plan<'_>, sink: &mut Sink) {
    for ix in 0..plan.machines.len() {
        let Kind::Map(entries) = &plan.machines[ix].node.kind else { continue };
        let Some((_, node)) = entries.iter().find(|(key, _)| key.text == "follows") else {
            continue;
        };
        let Some(name) = reader::text(node, "`follows`", sink) else { continue };
        let leaders = || {
            plan.machines
                .iter()
                .filter(|machine| !machine.states.is_empty())
                .map(|machine| machine.name.as_str())
        };
        let found = plan
            .machines
            .iter()
            .position(|machine| machine.name == name && !machine.states.is_empty());
        if found.is_none() {
            sink.unknown_in(node.span.clone(), "machine", name, "with states", leaders());
        } else if !plan.machines[ix].states.is_empty() {
            sink.error(
                node.span.clone(),
                "a machine that follows another has no states of its own",
                "take `states` or this away",
            );
        }
        plan.machines[ix].leader = found;
    }
}

/// Reads the machines and their rows. A row that can't be read leaves its place empty.
pub(super) fn lower(
    plan: &Plan<'_>,
    tables: &Tables<'_>,
    sink: &mut Sink,
) -> (Vec<Machine>, Vec<Option<Row>>) {
    let mut machines = Vec::new();
    let mut all = Vec::new();
    for (ix, planned) in plan.machines.iter().enumerate() {
        let Some(mut map) = MapReader::new(planned.node, "a machine", sink) else { continue };
        map.get("follows");
        map.get("states");
        map.get("rows");
        let leader = planned.leader.unwrap_or(ix);
        let states = &plan.machines[leader].states;
        let owns_node = map.get("owns");
        let owns = owns_node.map_or(&[][..], reader::one_or_many).iter().filter_map(|item| {
            let word = reader::text(item, "a kind of event", sink)?;
            tables.words.head(word, item.span.clone(), sink)
        });
        let owns = owns.collect();
        // A misspelt one was told; what stands here then no longer matters.
        let otherwise =
            map.get("otherwise").map(|node| tables.requirement(node, sink).unwrap_or_default());
        let start = match map.get("start") {
            Some(node) => start(node, planned, sink),
            None if planned.states.is_empty() => 0,
            None => {
                map.need("start");
                0
            }
        };
        let subjects = [("client", Subject::Client), ("server", Subject::Server)];
        let subject =
            map.get("subject").and_then(|node| reader::choice(node, "subject", &subjects, sink));
        let bases = [("explicit", Basis::Explicit), ("implied", Basis::Implied)];
        let basis = map.get("basis").and_then(|node| reader::choice(node, "basis", &bases, sink));
        let values_node = map.get("values");
        map.finish(sink);
        let values = values_node.map_or(&[][..], |node| reader::items(node, "`values`", sink));
        let values =
            values.iter().flat_map(|node| value_rules(node, states, tables, sink)).collect();
        reported(planned, owns_node, tables, sink);
        let rows_of: Vec<usize> =
            (planned.first_row..planned.first_row + planned.rows.len()).collect();
        for (row_ix, node) in rows_of.iter().zip(planned.rows) {
            let place = rows::Place {
                id: plan.row_ids.get_index(*row_ix).map(|(id, _)| id.clone()).unwrap_or_default(),
                machine: ix,
                states,
            };
            all.push(rows::row(node, place, tables, sink));
        }
        machines.push(Machine {
            name: planned.name.clone(),
            leader,
            owns,
            otherwise,
            states: planned.states.clone(),
            start,
            subject: subject.unwrap_or(Subject::Client),
            basis: basis.unwrap_or(Basis::Explicit),
            values,
            rows: rows_of,
        });
    }
    (machines, all)
}

fn start(node: &Node, planned: &Planned<'_>, sink: &mut Sink) -> StateIx {
    let Some(name) = reader::text(node, "`start`", sink) else { return 0 };
    planned.states.iter().position(|state| state == name).unwrap_or_else(|| {
        sink.unknown(node.span.clone(), "state", name, planned.states.iter().map(SmolStr::as_str));
        0
    })
}

/// The states of a machine whose states clients report are words of the SDK.
fn reported(planned: &Planned<'_>, owns: Option<&Node>, tables: &Tables<'_>, sink: &mut Sink) {
    let owns_state = owns.is_some_and(|node| {
        reader::one_or_many(node).iter().any(|item| item.text() == Some("state"))
    });
    let Some(names) = tables.words.names.enums.get("state").filter(|_| owns_state) else { return };
    let Kind::Map(entries) = &planned.node.kind else { return };
    let Some((key, list)) = entries.iter().find(|(key, _)| key.text == "states") else { return };
    for item in reader::one_or_many(list) {
        let Some(state) = item.text().filter(|state| !names.has(state)) else { continue };
        let known = names.values().map(|(name, _)| name.as_str());
        sink.unknown_in(item.span.clone(), "state", state, "in a machine that owns `state`", known)
            .help("`names.state` has no such word of the SDK");
    }
    for (name, _) in names.values().filter(|(name, _)| !planned.states.contains(*name)) {
        let title = format!("the SDK reports `{name}`, and the machine has no such state");
        sink.error(key.span.clone(), title, "not among these");
    }
}

fn value_rules(
    node: &Node,
    states: &[SmolStr],
    tables: &Tables<'_>,
    sink: &mut Sink,
) -> Vec<ValueRule> {
    let Some(mut map) = MapReader::new(node, "a check of values", sink) else { return Vec::new() };
    let head = map.need("on").and_then(|node| {
        let word = reader::text(node, "a kind of event", sink)?;
        tables.words.head(word, node.span.clone(), sink)
    });
    let field = map.need("field").and_then(|node| reader::name(node, "a field", sink));
    let req = map.need("req").and_then(|node| tables.requirement(node, sink));
    let mut checks = Vec::new();
    if let Some(node) = map.get("one-of") {
        let own = node.text().filter(|text| *text == "names");
        let names = if node.text() == Some("states") {
            states.to_vec()
        } else if let (Some(_), Some(head), Some(field)) = (own, head, field) {
            let pattern = Pattern { heads: SmallVec::from_slice(&[head]), ..Pattern::default() };
            match tables.words.values_of(field, &pattern) {
                Some(values) => values.values().map(|(name, _)| name.clone()).collect(),
                None => {
                    let title = format!("`{field}` has no enumeration in these events");
                    sink.error(node.span.clone(), title, "no names to choose from");
                    Vec::new()
                }
            }
        } else {
            reader::items(node, "`one-of`", sink)
                .iter()
                .filter_map(|item| reader::text(item, "a value", sink))
                .map(SmolStr::from)
                .collect()
        };
        checks.push(ValueCheck::OneOf(names));
    }
    if let Some(node) = map.get("required")
        && reader::flag(node, "`required`", sink) == Some(true)
    {
        checks.push(ValueCheck::Required);
    }
    if checks.is_empty() {
        sink.error(
            node.span.clone(),
            "the check demands nothing",
            "needs `one-of` or `required: true`",
        );
    }
    map.finish(sink);
    let (Some(head), Some(field), Some(req)) = (head, field, req) else { return Vec::new() };
    checks.into_iter().map(|check| ValueRule { head, field: field.into(), req, check }).collect()
}
