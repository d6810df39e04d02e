//! The cells of the documented grids and the documented times, with the cases that exercise them.
//!
//! Cells are measured: the suite is played with the conforming reference client, and what its
//! traces crossed counts. Not responsible for what a cell says.
//!
//! Invariant: a cell or a boundary without a case makes the listing fail.

use super::{Answer, blocks};
use crate::command::layout::table;
use crate::command::play::{Playing, conforming, has_reference, play};
use crate::command::threads;
use crate::exit::Exit;
use crate::suite::Contract;
use serde_json::{Value, json};
use smol_str::SmolStr;
use stateline_core::profile::Profile;
use stateline_core::profile::expr::{Expr, Term};
use stateline_core::profile::machine::RowBody;
use stateline_core::record::CaseRecord;
use stateline_core::time::Micros;
use stateline_runner::summary::cell_rows;

/// The sides of a documented time.
const SIDES: [&str; 3] = ["before", "at", "after"];
/// The timer that belongs to the wire: nothing the document says is measured by it.
const HEARTBEAT: &str = "heartbeat";
/// Stands in a table where a case is missing.
const NONE: &str = "none !";

/// Lists cells and boundaries.
pub(super) fn cells(contracts: &[Contract]) -> Answer {
    let playing = Playing { seed: 0, threads: threads(None), traces: false, done: &|_| () };
    let records = play(contracts, &conforming(), &playing).records;
    let mut cells = Vec::new();
    let mut boundaries = Vec::new();
    let mut text = Vec::new();
    for contract in contracts {
        let id = &contract.profile.id;
        if !has_reference(contract) {
            eprintln!(
                "note: there is no reference client for profile {id}: its cells are not measured"
            );
        }
        let own_cells = cells_of(&contract.profile, &records);
        let own_boundaries = boundaries_of(contract);
        let mut block = table(
            &["state", "stimulus", "says", "rows", "requirements", "cases"],
            own_cells.iter().map(cell_line),
        );
        block.push('\n');
        block.push_str(&table(
            &["time", "length", "side", "cases"],
            own_boundaries.iter().map(boundary_line),
        ));
        text.push((id.as_str(), block));
        cells.extend(own_cells);
        boundaries.extend(own_boundaries);
    }
    let [no_cell, no_boundary] =
        [&cells, &boundaries].map(|all| all.iter().filter(|entry| is_bare(entry)).count());
    let foot = format!(
        "\n{} cells, {no_cell} without a case; {} boundaries, {no_boundary} without a case\n",
        cells.len(),
        boundaries.len()
    );
    Answer {
        json: json!({"cells": cells, "boundaries": boundaries}),
        text: blocks(text) + &foot,
        exit: if no_cell + no_boundary > 0 { Exit::Fail } else { Exit::Ok },
    }
}

fn is_bare(entry: &Value) -> bool {
    entry["cases"].as_array().is_none_or(Vec::is_empty)
}

fn cells_of(profile: &Profile, records: &[CaseRecord]) -> Vec<Value> {
    let states = profile.main_machine().map_or(&[][..], |(_, machine)| &machine.states);
    let own = || records.iter().filter(|record| record.profile == profile.id);
    profile
        .grid
        .cells
        .iter()
        .map(|cell| {
            let state = &states[cell.state];
            let stimulus = &profile.grid.stimuli[cell.stimulus].id;
            let (rows, requirements) = cell_rows(profile, cell);
            let cases: Vec<&SmolStr> = own()
                .filter(|record| {
                    record
                        .cells
                        .iter()
                        .any(|seen| seen.state == *state && seen.stimulus == *stimulus)
                })
                .map(|record| &record.id)
                .collect();
            json!({
                "profile": profile.id,
                "state": state,
                "stimulus": stimulus,
                "says": cell.says.as_str(),
                "rows": rows,
                "requirements": requirements,
                "cases": cases,
            })
        })
        .collect()
}

fn boundaries_of(contract: &Contract) -> Vec<Value> {
    let profile = &contract.profile;
    let mut all = Vec::new();
    for (timer, length) in probed(profile) {
        for side in SIDES {
            let cases: Vec<&SmolStr> = contract
                .cases()
                .filter(|(_, case)| {
                    case.boundaries.iter().any(|(of, at)| *of == timer && at == side)
                })
                .map(|(_, case)| &case.id)
                .collect();
            let ms = length.as_ms();
            all.push(json!({"profile": profile.id, "timer": timer, "time_ms": ms, "side": side, "cases": cases}));
        }
    }
    all
}

/// The documented times that rows measure from a trigger or by a clock.
fn probed(profile: &Profile) -> Vec<(SmolStr, Micros)> {
    let mut used = Vec::new();
    // A time that calls bring along has the values that scenarios give it, and these have names, too.
    let mut given = false;
    for row in &profile.rows {
        let conditions =
            row.guard.iter().chain(row.req.iter().filter_map(|case| case.when.as_ref()));
        conditions.for_each(|condition| measured(condition, &mut used));
        match &row.body {
            RowBody::Expect(expect) => {
                used.push(expect.after);
                given |= expect.after_register.is_some();
            }
            RowBody::Settles(settles) => {
                let conditions = settles.codes.iter().filter_map(|rule| rule.when.as_ref());
                conditions.for_each(|condition| measured(condition, &mut used));
            }
            _ => {}
        }
    }
    let timers = profile
        .timers
        .iter()
        .filter(|(name, length)| *name != HEARTBEAT && (given || used.contains(length)));
    timers.map(|(name, length)| (name.clone(), *length)).collect()
}

/// Collects the lengths that a condition compares a running time with.
fn measured(condition: &Expr, used: &mut Vec<Micros>) {
    match condition {
        Expr::Not(inner) => measured(inner, used),
        Expr::And(all) | Expr::Or(all) => all.iter().for_each(|inner| measured(inner, used)),
        Expr::Compare(_, Term::Elapsed(_) | Term::Age, Term::Duration(length))
        | Expr::Compare(_, Term::Duration(length), Term::Elapsed(_) | Term::Age) => {
            used.push(*length)
        }
        _ => {}
    }
}

fn cell_line(cell: &Value) -> Vec<String> {
    let word = |key: &str| cell[key].as_str().unwrap_or_default().to_owned();
    vec![
        word("state"),
        word("stimulus"),
        word("says"),
        words(&cell["rows"]),
        words(&cell["requirements"]),
        n_cases(cell),
    ]
}

fn boundary_line(boundary: &Value) -> Vec<String> {
    let word = |key: &str| boundary[key].as_str().unwrap_or_default().to_owned();
    let length = Micros::from_ms(boundary["time_ms"].as_f64().unwrap_or_default());
    vec![word("timer"), length.to_string(), word("side"), n_cases(boundary)]
}

fn words(list: &Value) -> String {
    let words = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    words.collect::<Vec<_>>().join(" ")
}

fn n_cases(entry: &Value) -> String {
    match entry["cases"].as_array().map_or(0, Vec::len) {
        0 => NONE.to_owned(),
        n => n.to_string(),
    }
}
