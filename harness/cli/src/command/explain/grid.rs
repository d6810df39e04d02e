//! The documented grid: states, stimuli, and the cells between them.
//!
//! Not responsible for which cases exercised a cell; `list cells` plays them.
//!
//! Invariant: rows and requirements of a cell are those of the profile, in its order.

use super::article::Article;
use super::conflicts::touching;
use super::thing::{spellings, states};
use super::{demand, demand_of, row};
use crate::suite::Contract;
use serde_json::json;
use stateline_core::profile::grid::{Cell, Says, StimulusIs, StimulusIx};
use stateline_core::profile::machine::{Expect, Row, RowBody, Target};
use stateline_core::profile::{ClockIx, Profile, StateIx};
use stateline_runner::summary::cell_rows;

/// The cells that match, one line each.
pub(super) fn cells(contract: &Contract, wanted: impl Fn(&Cell) -> bool) -> Vec<String> {
    let profile = &contract.profile;
    let lines = profile.grid.cells.iter().filter(|cell| wanted(cell)).map(|cell| {
        let (rows, requirements) = cell_rows(profile, cell);
        let stimulus = &profile.grid.stimuli[cell.stimulus].id;
        let place = format!("{}/{stimulus}", states(contract)[cell.state]);
        let (rows, requirements) = (rows.join(", "), requirements.join(", "));
        match &cell.says {
            Says::Rows(_) if requirements.is_empty() => format!("{place}: rows {rows}"),
            Says::Rows(_) => format!("{place}: rows {rows} ({requirements})"),
            Says::Forbidden(_) => format!("{place}: forbidden ({requirements})"),
            Says::Silent(_) => format!("{place}: silent, permitted by {rows}"),
        }
    });
    lines.collect()
}

/// Tells of a state.
pub(super) fn state(contract: &Contract, ix: StateIx) -> Article {
    let profile = &contract.profile;
    let name = &states(contract)[ix];
    let is = format!("state of {}", profile.id);
    let mut article = Article::new("state", name.as_str(), &is).of(&profile.id);
    article.data(json!({ "spellings": spellings(contract, "state", name) }));
    article.listed("spellings", spellings(contract, "state", name));
    let start = profile.main_machine().is_some_and(|(_, machine)| machine.start == ix);
    article.listed("start", start.then_some("a client begins in it"));
    let own = || {
        let main = profile.main_machine().map(|(main, _)| main);
        profile.rows.iter().filter(move |row| Some(row.machine) == main)
    };
    let told = |row: &Row, way: String| format!("{way} by {}: {}", row.id, row.title);
    let into = own().filter(|row| target(row) == Some(Target::State(ix)));
    let into = into.map(|row| {
        let from = row
            .from
            .map_or_else(|| "any state".to_owned(), |from| row::states_of(profile, row, from));
        told(row, format!("from {from}"))
    });
    article.listed("led into", into);
    let away = own().filter(|row| row.from.is_some_and(|from| from.has(ix)));
    let away = away.filter_map(|row| match target(row)? {
        Target::Stay => None,
        Target::State(to) if to == ix => None,
        Target::State(to) => Some(told(row, format!("to {}", states(contract).get(to)?))),
        Target::Observed => Some(told(row, "to what is reported".to_owned())),
    });
    article.listed("left", away);
    article.listed("cells", cells(contract, |cell| cell.state == ix));
    article
}

/// Where a row moves, if it can.
fn target(row: &Row) -> Option<Target> {
    match &row.body {
        RowBody::Expect(Expect { to, .. }) => Some(*to),
        RowBody::Silent { to: Some(to), .. } => Some(Target::State(*to)),
        _ => None,
    }
}

/// Clocks by name.
fn named(profile: &Profile, clocks: &[ClockIx]) -> String {
    let clocks: Vec<&str> =
        clocks.iter().map(|clock| profile.clocks[*clock].name.as_str()).collect();
    clocks.join(" or ")
}

/// What counts as a stimulus, in words.
fn counts_as(contract: &Contract, is: &StimulusIs) -> String {
    let profile = &contract.profile;
    match is {
        StimulusIs::On(patterns) => row::patterns(profile, patterns),
        StimulusIs::Since(clocks, length) => {
            format!("the clock {} has run for {length}", named(profile, clocks))
        }
        StimulusIs::SinceRegister(clocks, register) => {
            let register = profile.registers.get_index(*register).map_or("", |(name, _)| name);
            let clocks = named(profile, clocks);
            format!("the clock {clocks} has run for as many seconds as {register} holds")
        }
    }
}

/// Tells of a stimulus.
pub(super) fn stimulus(contract: &Contract, ix: StimulusIx) -> Article {
    let profile = &contract.profile;
    let stimulus = &profile.grid.stimuli[ix];
    let is = format!("stimulus of {}", profile.id);
    let mut article = Article::new("stimulus", stimulus.id.as_str(), &is).of(&profile.id);
    article.text(&stimulus.title);
    article.labelled("is", counts_as(contract, &stimulus.is));
    article.listed("cells", cells(contract, |cell| cell.stimulus == ix));
    article
}

/// Tells of a cell.
pub(super) fn cell(contract: &Contract, ix: usize) -> Article {
    let profile = &contract.profile;
    let cell = &profile.grid.cells[ix];
    let (state, stimulus) = (&states(contract)[cell.state], &profile.grid.stimuli[cell.stimulus]);
    let is = format!("cell of {}", profile.id);
    let mut article = Article::new("cell", format!("{state}/{}", stimulus.id), &is).of(&profile.id);
    article.text(format!("While {state}: {}.", stimulus.title));
    let (rows, requirements) = cell_rows(profile, cell);
    article.data(json!({ "state": state, "stimulus": stimulus.id, "says": cell.says.as_str(), "rows": rows, "requirements": requirements }));
    article.labelled("stimulus", counts_as(contract, &stimulus.is));
    match &cell.says {
        Says::Rows(_) => article.labelled("says", "row: the rows below decide it"),
        Says::Forbidden(req) => {
            let owned = profile.main_machine().into_iter().flat_map(|(_, machine)| &machine.owns);
            let owned: Vec<&str> = owned.map(|head| profile.heads.text(*head)).collect();
            let owned = owned.join(" or ");
            article.labelled("says", format!("forbidden: any {owned} for it alone is a violation"));
            article.listed("requirements", [demand(profile, *req)]);
        }
        Says::Silent(_) => article.labelled(
            "says",
            "silent: the document leaves it open, the rows below permit, and what is seen is recorded as a choice",
        ),
    }
    let told = rows.iter().filter_map(|id| profile.row(id)).map(|ix| {
        let row = &profile.rows[ix];
        format!("{}: {}. {}", row.id, row.title, row::in_words(contract, row))
    });
    article.listed("rows", told);
    if !matches!(cell.says, Says::Forbidden(_)) {
        article.listed("requirements", requirements.iter().map(|id| demand_of(profile, id)));
    }
    article.listed(
        "conflicts",
        touching(profile, |conflict| rows.iter().any(|row| conflict.rows.contains(row))),
    );
    article
}
