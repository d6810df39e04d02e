//! Reads the grid: state x stimulus, every cell written down.
//!
//! Not responsible for judging what happens in a cell.
//!
//! Invariant: a cell lists the rows of its machine that speak of it, neither more nor fewer, and no
//! cell is left out.

use super::Tables;
use super::times::delay;
use crate::diagnostic::{Sink, Span, nearest};
use crate::expr;
use crate::node::{Kind, Node};
use crate::reader::{self, MapReader};
use smol_str::SmolStr;
use stateline_core::profile::grid::{Cell, Grid, Says, Stimulus, StimulusIs};
use stateline_core::profile::machine::{Machine, Modality, Row, RowBody, StateSet, Trigger};
use stateline_core::profile::{MachineIx, RowIx, StateIx};

struct Reading<'a> {
    machine: &'a Machine,
    main: MachineIx,
    rows: &'a [Option<Row>],
    tables: &'a Tables<'a>,
    /// Nothing was wrong so far, so that what is missing in a cell is missing indeed.
    sound: bool,
}

/// Reads `grid`. A profile without states has none.
pub(super) fn read(
    node: Option<&Node>,
    main: Option<MachineIx>,
    machines: &[Machine],
    rows: &[Option<Row>],
    tables: &Tables<'_>,
    whole: Span,
    sink: &mut Sink,
) -> Option<Grid> {
    let Some(main) = main else { return Some(Grid::default()) };
    let machine = machines.get(main)?;
    let Some(node) = node else {
        sink.error(
            whole,
            "a profile lacks the key `grid`",
            "needs `grid`: state x stimulus, every cell written down",
        );
        return None;
    };
    let mut map = MapReader::new(node, "a grid", sink)?;
    let stimuli_node = map.need("stimuli");
    let cells_node = map.need("cells");
    map.finish(sink);
    let reading = Reading { machine, main, rows, tables, sound: sink.is_empty() };
    let mut stimuli = Vec::new();
    for (name, stimulus) in reader::entries_or_none(stimuli_node, "`stimuli`", sink) {
        // A column that can't be read stays one, so that its cells are not told as unknown.
        let id = SmolStr::from(&name.text);
        let read = reading.stimulus(id.clone(), stimulus, sink);
        stimuli.push(read.unwrap_or_else(|| Stimulus {
            id,
            title: String::new(),
            is: StimulusIs::On(Vec::new()),
            states: StateSet::default(),
        }));
    }
    let mut cells = Vec::new();
    let by_state = reader::entries_or_none(cells_node, "`cells`", sink);
    for (name, _) in by_state {
        if !machine.states.iter().any(|state| *state == name.text) {
            sink.unknown(
                name.span.clone(),
                "state",
                &name.text,
                machine.states.iter().map(SmolStr::as_str),
            );
        }
    }
    for (state, state_name) in machine.states.iter().enumerate() {
        let listed = by_state.iter().find(|(name, _)| name.text == *state_name);
        let place = listed
            .map(|(name, _)| name.span.clone())
            .or_else(|| cells_node.map(|node| node.span.clone()));
        let listed =
            reader::entries_or_none(listed.map(|(_, node)| node), "the cells of a state", sink);
        reading.unknown_stimuli(listed, &stimuli, state_name, sink);
        for (ix, stimulus) in
            stimuli.iter().enumerate().filter(|(_, stimulus)| stimulus.states.has(state))
        {
            match listed.iter().find(|(name, _)| name.text == stimulus.id) {
                Some((_, node)) => {
                    if let Some(says) = reading.cell(state, stimulus, node, sink) {
                        cells.push(Cell { state, stimulus: ix, says });
                    }
                }
                None => {
                    let title =
                        format!("the cell `{state_name}` x `{}` is not listed", stimulus.id);
                    sink.error(place.clone().unwrap_or_default(), title, format!("needs `{}`", stimulus.id))
                        .help("list its rows, or write `forbidden`, or `{ silent: [..] }` where the document says nothing");
                }
            }
        }
    }
    Some(Grid { stimuli, cells })
}

impl Reading<'_> {
    fn stimulus(&self, id: SmolStr, node: &Node, sink: &mut Sink) -> Option<Stimulus> {
        reader::check_name(&id, node.span.clone(), "a stimulus", sink);
        let mut map = MapReader::new(node, "a stimulus", sink)?;
        let title = map.need("says").and_then(|node| reader::text(node, "`says`", sink));
        let (on, since) = (map.get("on"), map.get("since"));
        let (after, register) = match map.get("after") {
            Some(node) => delay(node, self.tables.scope, sink),
            None => (None, None),
        };
        let is = match (on, since) {
            (Some(node), None) => self.tables.words.any(node, sink).map(StimulusIs::On),
            (None, Some(node)) => {
                let clocks = reader::one_or_many(node).iter().filter_map(|item| {
                    let name = reader::text(item, "a clock", sink)?;
                    self.tables.scope.clock(name, item.span.clone(), sink)
                });
                let clocks = clocks.collect();
                Some(match register {
                    Some(register) => StimulusIs::SinceRegister(clocks, register),
                    None => StimulusIs::Since(clocks, after.unwrap_or_default()),
                })
            }
            _ => {
                sink.error(
                    node.span.clone(),
                    "a stimulus is an event or a clock",
                    "needs `on` or `since`, one of them",
                );
                None
            }
        };
        if on.is_some() && map.has("after") {
            sink.error(
                map.key_span("after"),
                "`after` counts from a clock",
                "the stimulus has none",
            );
        }
        let states = match map.get("in") {
            Some(node) => expr::states(node, &self.machine.states, sink),
            None => Some((0..self.machine.states.len()).fold(StateSet::default(), StateSet::with)),
        };
        map.finish(sink);
        Some(Stimulus { id, title: title?.to_owned(), is: is?, states: states? })
    }

    fn unknown_stimuli(
        &self,
        listed: &[(crate::node::Key, Node)],
        stimuli: &[Stimulus],
        state: &str,
        sink: &mut Sink,
    ) {
        let state_ix = self.machine.states.iter().position(|have| have == state);
        for (name, _) in listed {
            match stimuli.iter().find(|stimulus| stimulus.id == name.text) {
                None => {
                    sink.unknown(
                        name.span.clone(),
                        "stimulus",
                        &name.text,
                        stimuli.iter().map(|stimulus| stimulus.id.as_str()),
                    );
                }
                Some(stimulus)
                    if stimulus.states != StateSet::default()
                        && state_ix.is_some_and(|ix| !stimulus.states.has(ix)) =>
                {
                    let title = format!("the stimulus `{}` can't occur in `{state}`", stimulus.id);
                    sink.error(name.span.clone(), title, "its `in` leaves this state out");
                }
                Some(_) => {}
            }
        }
    }

    fn cell(
        &self,
        state: StateIx,
        stimulus: &Stimulus,
        node: &Node,
        sink: &mut Sink,
    ) -> Option<Says> {
        let says = match &node.kind {
            Kind::Scalar(_) if node.text() == Some("forbidden") => match self.machine.otherwise {
                Some(req) => Says::Forbidden(req),
                None => {
                    sink.error(
                        node.span.clone(),
                        "this breaks no requirement",
                        "the machine has no `otherwise`",
                    )
                    .help("write `{ forbidden: REQUIREMENT }`");
                    return None;
                }
            },
            Kind::Seq(items) => Says::Rows(self.row_list(state, items, sink)?),
            Kind::Map(entries) => match &entries[..] {
                [(key, value)] if key.text == "forbidden" => {
                    Says::Forbidden(self.tables.requirement(value, sink)?)
                }
                [(key, value)] if key.text == "silent" => {
                    let items = reader::items(value, "`silent`", sink);
                    Says::Silent(self.silent_rows(state, items, sink)?)
                }
                _ => return cell_error(node, sink),
            },
            Kind::Scalar(_) => return cell_error(node, sink),
        };
        if self.sound {
            self.compare(state, stimulus, &says, node, sink);
        }
        Some(says)
    }

    fn row_list(&self, state: StateIx, items: &[Node], sink: &mut Sink) -> Option<Vec<RowIx>> {
        let before = sink.len();
        let mut rows = Vec::new();
        for item in items {
            let Some(id) = reader::text(item, "a row", sink) else { continue };
            let Some(ix) = self.tables.scope.rows.get_index_of(id) else {
                sink.unknown(
                    item.span.clone(),
                    "row",
                    id,
                    self.tables.scope.rows.keys().map(SmolStr::as_str),
                );
                continue;
            };
            let row = self.rows.get(ix).and_then(Option::as_ref);
            if let Some(from) = row.and_then(|row| row.from)
                && !from.has(state)
            {
                let title =
                    format!("the row `{id}` does not speak of `{}`", self.machine.states[state]);
                let states =
                    self.machine.states.iter().enumerate().filter(|(state, _)| from.has(*state));
                let states: Vec<String> = states.map(|(_, name)| format!("`{name}`")).collect();
                sink.error(item.span.clone(), title, format!("it speaks of {}", states.join(", ")));
            }
            if rows.contains(&ix) {
                sink.error(
                    item.span.clone(),
                    format!("the row `{id}` stands twice in a cell"),
                    "again here",
                );
            }
            rows.push(ix);
        }
        (sink.len() == before).then_some(rows)
    }

    fn silent_rows(&self, state: StateIx, items: &[Node], sink: &mut Sink) -> Option<Vec<RowIx>> {
        let rows = self.row_list(state, items, sink)?;
        for (ix, item) in rows.iter().zip(items) {
            let Some(row) = self.rows[*ix].as_ref() else { continue };
            let permits = match &row.body {
                RowBody::Expect(expect) => expect.modality == Modality::May,
                RowBody::Choice { .. } => true,
                _ => false,
            };
            if !permits {
                let title =
                    format!("the row `{}` demands or forbids, so the cell is not silent", row.id);
                sink.error(item.span.clone(), title, "no `may` and no `choice`");
            }
        }
        Some(rows)
    }

    /// A cell that leaves out a row, or forbids what a row permits, contradicts the table. A row
    /// with conditions on fields is about less than the cell, so it may be left out.
    fn compare(
        &self,
        state: StateIx,
        stimulus: &Stimulus,
        says: &Says,
        node: &Node,
        sink: &mut Sink,
    ) {
        for (ix, row) in self.rows.iter().enumerate() {
            let Some(row) = row.as_ref().filter(|row| row.machine == self.main) else { continue };
            if !row.from.is_some_and(|from| from.has(state)) || !speaks_of(row, stimulus) {
                continue;
            }
            match says {
                Says::Rows(rows) | Says::Silent(rows) if rows.contains(&ix) => {}
                Says::Rows(_) | Says::Silent(_) if narrows(row) => {}
                Says::Rows(_) | Says::Silent(_) => {
                    let title =
                        format!("the row `{}` speaks of this cell, which does not list it", row.id);
                    sink.error(node.span.clone(), title, format!("needs `{}`", row.id));
                }
                Says::Forbidden(_) => {
                    let title =
                        format!("the cell is forbidden, though the row `{}` speaks of it", row.id);
                    sink.error(node.span.clone(), title, "one of the two is wrong");
                }
            }
        }
    }
}

fn cell_error(node: &Node, sink: &mut Sink) -> Option<Says> {
    let near = node.text().and_then(|text| nearest(text, ["forbidden", "silent"]));
    let label =
        near.map_or_else(|| "not understood".to_owned(), |near| format!("did you mean `{near}`?"));
    sink.error(node.span.clone(), "a cell is a list of rows, `forbidden` or `silent`", label).help(
        "write `[ROW, ..]`, `forbidden`, `{ forbidden: REQUIREMENT }` or `{ silent: [ROW, ..] }`",
    );
    None
}

/// Whether a row's trigger asks for more than the kind of event.
fn narrows(row: &Row) -> bool {
    let trigger = match &row.body {
        RowBody::Expect(expect) => &expect.trigger,
        RowBody::Silent { trigger, .. } => trigger,
        _ => return false,
    };
    match trigger {
        Trigger::On(patterns) => patterns.iter().any(|pattern| !pattern.fields.is_empty()),
        Trigger::Since(_) => false,
    }
}

/// Whether a row is about what happens when the stimulus occurs.
fn speaks_of(row: &Row, stimulus: &Stimulus) -> bool {
    let trigger = match &row.body {
        RowBody::Expect(expect) => &expect.trigger,
        RowBody::Silent { trigger, to: Some(_) } => trigger,
        _ => return false,
    };
    match (trigger, &stimulus.is) {
        (Trigger::On(patterns), StimulusIs::On(of)) => patterns
            .iter()
            .flat_map(|pattern| &pattern.heads)
            .any(|head| of.iter().any(|pattern| pattern.heads.contains(head))),
        (
            Trigger::Since(clock),
            StimulusIs::Since(clocks, _) | StimulusIs::SinceRegister(clocks, _),
        ) => clocks.contains(clock),
        _ => false,
    }
}
