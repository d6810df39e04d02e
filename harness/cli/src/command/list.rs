//! `stateline list`: what there is, for people and for programs.
//!
//! Not responsible for explaining a single thing; `explain` does.
//!
//! Invariant: the keys of the JSON are a promise; they are extended, never renamed.

mod cells;

use super::layout::{count, table};
use super::print;
use crate::Failure;
use crate::args::{Format, ListArgs, Listed};
use crate::exit::Exit;
use crate::suite::{Contract, Suite};
use indexmap::IndexMap;
use serde_json::{Value, json};
use smol_str::SmolStr;
use stateline_core::profile::ReqIx;
use stateline_core::scenario::Scenario;
use stateline_reference::DefectInfo;
use stateline_runner::plan::planned;

/// A listing in both forms.
struct Answer {
    json: Value,
    text: String,
    exit: Exit,
}

impl Answer {
    fn new(json: Vec<Value>, text: String) -> Self {
        Self { json: Value::Array(json), text, exit: Exit::Ok }
    }
}

/// Runs the command.
pub(crate) fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let contracts = Suite::new(&args.suite)
        .and_then(|suite| suite.read(&args.profiles))
        .map_err(Failure::usage)?;
    let answer = match args.what {
        Listed::Scenarios => scenarios(&contracts),
        Listed::Cases => cases(&contracts),
        Listed::Cells => cells::cells(&contracts),
        Listed::Requirements => requirements(&contracts),
        Listed::Profiles => profiles(&contracts),
        Listed::Defects => defects(&contracts),
        Listed::Designs => designs(&contracts),
    };
    match args.format {
        Format::Text => print(&answer.text),
        Format::Json => print(&format!("{:#}\n", answer.json)),
    }
    Ok(answer.exit)
}

/// `profile/scenario`.
fn path(scenario: &Scenario) -> String {
    format!("{}/{}", scenario.profile, scenario.id)
}

/// The requirements that some case of the scenario names, in the order of the catalogue.
pub(super) fn named(contract: &Contract, scenario: &Scenario) -> Vec<SmolStr> {
    let mut all: Vec<ReqIx> =
        scenario.cases.iter().flat_map(|case| case.named.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(|req| contract.profile.requirements[req].id.clone()).collect()
}

/// The defects that break a requirement of a profile.
pub(super) fn breakers<'a>(
    profile: &'a str,
    requirement: &'a str,
) -> impl Iterator<Item = &'static DefectInfo> + 'a {
    stateline_reference::defects()
        .iter()
        .filter(move |defect| defect.profile == profile && defect.breaks == requirement)
}

/// The reasons why a defect breaks more than one requirement, by requirement.
pub(super) fn also(defect: &DefectInfo) -> IndexMap<&'static str, &'static str> {
    defect.also.iter().copied().collect()
}

/// One block for each profile, under its name where there are several.
fn blocks(blocks: Vec<(&str, String)>) -> String {
    let several = blocks.len() > 1;
    let headed = blocks
        .into_iter()
        .map(|(profile, text)| if several { format!("{profile}\n{text}") } else { text });
    headed.collect::<Vec<_>>().join("\n")
}

fn scenarios(contracts: &[Contract]) -> Answer {
    let all = || {
        contracts.iter().flat_map(|contract| {
            contract.scenarios.iter().map(move |scenario| (contract, scenario))
        })
    };
    let json = all().map(|(contract, scenario)| {
        let cases: Vec<_> = scenario.cases.iter().map(|case| &case.id).collect();
        json!({
            "id": path(scenario),
            "profile": scenario.profile,
            "purpose": scenario.purpose,
            "tags": scenario.tags,
            "requirements": named(contract, scenario),
            "cases": cases,
        })
    });
    let lines = all().map(|(_, scenario)| {
        vec![path(scenario), scenario.cases.len().to_string(), scenario.purpose.clone()]
    });
    let n_cases = all().map(|(_, scenario)| scenario.cases.len()).sum();
    let foot = format!("\n{}, {}\n", count(all().count(), "scenario"), count(n_cases, "case"));
    Answer::new(json.collect(), table(&["scenario", "cases", "purpose"], lines) + &foot)
}

fn cases(contracts: &[Contract]) -> Answer {
    let all: Vec<_> = contracts
        .iter()
        .flat_map(|contract| {
            contract.cases().map(move |(scenario, case)| (contract, scenario, case))
        })
        .collect();
    let json = all.iter().map(|(contract, scenario, case)| {
        json!({
            "id": case.id,
            "profile": contract.profile.id,
            "scenario": path(scenario),
            "tags": scenario.tags,
            "requirements": contract.named(case),
            "planned_ms": planned(&contract.profile, &contract.settings, case).as_ms(),
        })
    });
    // One id a line, nothing else: it is what a filter takes.
    let text = all.iter().map(|(_, _, case)| format!("{}\n", case.id)).collect();
    Answer::new(json.collect(), text)
}

fn requirements(contracts: &[Contract]) -> Answer {
    let mut json = Vec::new();
    let mut text = Vec::new();
    for contract in contracts {
        let profile = contract.profile.id.as_str();
        let mut lines = Vec::new();
        for (ix, requirement) in contract.profile.requirements.iter().enumerate() {
            let names =
                |scenario: &&Scenario| scenario.cases.iter().any(|case| case.named.contains(&ix));
            let scenarios: Vec<String> =
                contract.scenarios.iter().filter(names).map(path).collect();
            let defects: Vec<&str> =
                breakers(profile, &requirement.id).map(|defect| defect.id).collect();
            lines.push(vec![
                requirement.id.to_string(),
                requirement.strictness.as_str().to_owned(),
                requirement.basis.as_str().to_owned(),
                requirement.test.as_str().to_owned(),
                scenarios.len().to_string(),
                defects.len().to_string(),
                requirement.text.clone(),
            ]);
            json.push(json!({
                "id": requirement.id,
                "profile": profile,
                "kind": requirement.kind,
                "basis": requirement.basis,
                "strictness": requirement.strictness,
                "test": requirement.test,
                "untestable": requirement.untestable,
                "scenarios": scenarios,
                "defects": defects,
                "section": requirement.section,
                "text": requirement.text,
            }));
        }
        let headings =
            ["requirement", "strictness", "basis", "test", "scenarios", "defects", "text"];
        text.push((profile, table(&headings, lines)));
    }
    Answer::new(json, blocks(text))
}

fn profiles(contracts: &[Contract]) -> Answer {
    let json = contracts.iter().map(|contract| {
        let profile = &contract.profile;
        let states =
            profile.main_machine().map(|(_, machine)| machine.states.clone()).unwrap_or_default();
        json!({
            "id": profile.id,
            "variant": profile.variant,
            "digest": profile.digest,
            "document": profile.document,
            "states": states,
            "requirements": profile.requirements.len(),
            "rows": profile.rows.len(),
            "cells": profile.grid.cells.len(),
            "scenarios": contract.scenarios.len(),
            "cases": contract.cases().count(),
        })
    });
    let lines = contracts.iter().map(|contract| {
        let profile = &contract.profile;
        let document = &profile.document;
        vec![
            profile.id.to_string(),
            profile.requirements.len().to_string(),
            profile.rows.len().to_string(),
            contract.cases().count().to_string(),
            format!("{}, {} ({})", document.title, document.product, document.updated),
        ]
    });
    Answer::new(
        json.collect(),
        table(&["profile", "requirements", "rows", "cases", "document"], lines),
    )
}

fn has(contracts: &[Contract], profile: &str) -> bool {
    contracts.iter().any(|contract| contract.profile.id == profile)
}

fn defects(contracts: &[Contract]) -> Answer {
    let all =
        || stateline_reference::defects().iter().filter(|defect| has(contracts, defect.profile));
    let json = all().map(|defect| {
        json!({
            "id": defect.id,
            "profile": defect.profile,
            "breaks": defect.breaks,
            "also": also(defect),
            "text": defect.text,
        })
    });
    let mut by_profile: IndexMap<&str, Vec<Vec<String>>> = IndexMap::new();
    for defect in all() {
        let line = vec![defect.id.to_owned(), defect.breaks.to_owned(), defect.text.to_owned()];
        by_profile.entry(defect.profile).or_default().push(line);
    }
    let text = by_profile
        .into_iter()
        .map(|(profile, lines)| (profile, table(&["defect", "breaks", "what it does"], lines)));
    Answer::new(json.collect(), blocks(text.collect()))
}

fn designs(contracts: &[Contract]) -> Answer {
    let all =
        || stateline_reference::designs().iter().filter(|design| has(contracts, design.profile));
    let json = all()
        .map(|design| json!({"id": design.id, "profile": design.profile, "text": design.text}));
    let mut by_profile: IndexMap<&str, Vec<Vec<String>>> = IndexMap::new();
    for design in all() {
        by_profile
            .entry(design.profile)
            .or_default()
            .push(vec![design.id.to_owned(), design.text.to_owned()]);
    }
    let text = by_profile.into_iter().map(|(profile, lines)| {
        (profile, table(&["design", "what is particular about it"], lines))
    });
    Answer::new(json.collect(), blocks(text.collect()))
}
