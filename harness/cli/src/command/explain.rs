//! `stateline explain`: one thing in words, with everything that hangs on it.
//!
//! Not responsible for lists; `list` has them.
//!
//! Invariant: every id that `list`, a report or a finding shows can be explained.

mod requirement;
mod row;

use super::layout::{Page, count};
use super::list::named;
use super::print;
use crate::Failure;
use crate::args::ExplainArgs;
use crate::exit::Exit;
use crate::suite::{Contract, Suite};
use smol_str::SmolStr;
use stateline_core::oracle::pattern_text;
use stateline_core::profile::grid::{Cell, Says, StimulusIs, StimulusIx};
use stateline_core::profile::{ReqIx, RowIx, StateIx};
use stateline_core::scenario::{Case, Scenario};
use stateline_reference::{DefectInfo, DesignInfo};
use stateline_runner::plan::planned;
use stateline_runner::summary::cell_rows;

/// How many ids are offered for one that means nothing.
const NEAREST: usize = 3;

/// Something that has an id.
enum Thing<'a> {
    Profile(&'a Contract),
    Requirement(&'a Contract, ReqIx),
    Row(&'a Contract, RowIx),
    State(&'a Contract, StateIx),
    Stimulus(&'a Contract, StimulusIx),
    Scenario(&'a Contract, &'a Scenario),
    Case(&'a Contract, &'a Scenario, &'a Case),
    Defect(&'static DefectInfo),
    Design(&'static DesignInfo),
}

/// Runs the command.
pub(crate) fn explain(args: &ExplainArgs) -> Result<Exit, Failure> {
    let suite = Suite::new(&args.suite).map_err(Failure::usage)?;
    let contracts = suite.read(&[]).map_err(Failure::usage)?;
    let all = things(&contracts);
    let asked = args.id.trim();
    let meant: Vec<_> = all.iter().filter(|(id, thing)| is_named(id, thing, asked)).collect();
    if meant.is_empty() {
        let near = nearest(asked, all.iter().map(|(id, _)| id.as_str()));
        return Err(Failure::usage(format!(
            "nothing has the id `{asked}`; the nearest: {}",
            near.join(", ")
        )));
    }
    let mut page = Page::new();
    for (_, thing) in meant {
        tell(&mut page, &suite, &contracts, thing);
    }
    print(&page.into_text());
    Ok(Exit::Ok)
}

/// Everything that has an id, by its full id.
fn things(contracts: &[Contract]) -> Vec<(SmolStr, Thing<'_>)> {
    let mut all = Vec::new();
    for contract in contracts {
        let profile = &contract.profile;
        all.push((profile.id.clone(), Thing::Profile(contract)));
        let requirements = profile.requirements.iter().enumerate();
        all.extend(
            requirements.map(|(ix, requirement)| {
                (requirement.id.clone(), Thing::Requirement(contract, ix))
            }),
        );
        all.extend(
            profile
                .rows
                .iter()
                .enumerate()
                .map(|(ix, row)| (row.id.clone(), Thing::Row(contract, ix))),
        );
        all.extend(
            states(contract)
                .iter()
                .enumerate()
                .map(|(ix, state)| (state.clone(), Thing::State(contract, ix))),
        );
        let stimuli = profile.grid.stimuli.iter().enumerate();
        all.extend(
            stimuli.map(|(ix, stimulus)| (stimulus.id.clone(), Thing::Stimulus(contract, ix))),
        );
        for scenario in &contract.scenarios {
            let path = smol_str::format_smolstr!("{}/{}", profile.id, scenario.id);
            // A scenario without a matrix is its only case.
            if !scenario.cases.iter().any(|case| case.id == path) {
                all.push((path, Thing::Scenario(contract, scenario)));
            }
            all.extend(
                scenario
                    .cases
                    .iter()
                    .map(|case| (case.id.clone(), Thing::Case(contract, scenario, case))),
            );
        }
    }
    all.extend(
        stateline_reference::defects()
            .iter()
            .map(|defect| (defect.id.into(), Thing::Defect(defect))),
    );
    all.extend(
        stateline_reference::designs()
            .iter()
            .map(|design| (design.id.into(), Thing::Design(design))),
    );
    all
}

/// Whether an id is meant, letter case aside, and of a path with or without its profile.
fn is_named(id: &str, thing: &Thing<'_>, asked: &str) -> bool {
    let short = match thing {
        Thing::Scenario(..) | Thing::Case(..) => id.split_once('/').map_or(id, |(_, rest)| rest),
        _ => id,
    };
    [id, short].into_iter().any(|id| id.eq_ignore_ascii_case(asked))
}

fn nearest<'a>(asked: &str, ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let asked = asked.to_lowercase();
    let score = |id: &str| {
        let id = id.to_lowercase();
        let short = id.split_once('/').map_or(id.as_str(), |(_, rest)| rest);
        strsim::jaro_winkler(&id, &asked).max(strsim::jaro_winkler(short, &asked))
    };
    let mut scored: Vec<(f64, &str)> = ids.map(|id| (score(id), id)).collect();
    scored.sort_by(|(a, left), (b, right)| b.total_cmp(a).then_with(|| left.cmp(right)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(NEAREST).map(|(_, id)| id).collect()
}

fn tell(page: &mut Page, suite: &Suite, contracts: &[Contract], thing: &Thing<'_>) {
    match *thing {
        Thing::Profile(contract) => profile(page, contract),
        Thing::Requirement(contract, ix) => requirement::tell(page, contract, ix),
        Thing::Row(contract, ix) => row::tell(page, suite, contract, ix),
        Thing::State(contract, ix) => state(page, contract, ix),
        Thing::Stimulus(contract, ix) => stimulus(page, contract, ix),
        Thing::Scenario(contract, told) => scenario(page, contract, told),
        Thing::Case(contract, scenario, told) => case(page, contract, scenario, told),
        Thing::Defect(told) => defect(page, contracts, told),
        Thing::Design(design) => {
            page.title(&format!(
                "{}: design of the reference client for {}",
                design.id, design.profile
            ));
            page.text(design.text);
            page.labelled("play it", &format!("stateline run --client builtin/{}", design.id));
        }
    }
}

/// The words of a profile: what is called, and how what is told may be spelled.
fn profile(page: &mut Page, contract: &Contract) {
    let profile = &contract.profile;
    page.title(&format!("{}: profile", profile.id));
    let document = &profile.document;
    page.text(&format!("{}, {}, {}", document.title, document.product, document.platform));
    page.listed(
        "calls",
        profile.names.calls.iter().map(|(name, method)| {
            let spelled = method.spellings.first().unwrap_or(name);
            format!("{spelled}({})", method.args.join(", "))
        }),
    );
    for (kind, values) in &profile.names.enums {
        page.listed(
            kind,
            values.values().map(|(name, spellings)| {
                if spellings.is_empty() {
                    name.to_string()
                } else {
                    format!("{name}: {}", spellings.join(", "))
                }
            }),
        );
    }
}

/// The states of the grid.
fn states(contract: &Contract) -> &[SmolStr] {
    contract.profile.main_machine().map_or(&[], |(_, machine)| &machine.states)
}

/// A requirement on one line.
fn demand(contract: &Contract, req: ReqIx) -> String {
    let requirement = &contract.profile.requirements[req];
    format!("{} ({}): {}", requirement.id, requirement.strictness.as_str(), requirement.text)
}

/// The cells that match, one line each.
fn cells(contract: &Contract, wanted: impl Fn(&Cell) -> bool) -> Vec<String> {
    let profile = &contract.profile;
    let lines = profile.grid.cells.iter().filter(|cell| wanted(cell)).map(|cell| {
        let (rows, requirements) = cell_rows(profile, cell);
        let place = format!(
            "{} x {}",
            states(contract)[cell.state],
            profile.grid.stimuli[cell.stimulus].id
        );
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

fn state(page: &mut Page, contract: &Contract, ix: StateIx) {
    page.title(&format!("{}: state of {}", states(contract)[ix], contract.profile.id));
    let spellings =
        contract.profile.names.enums.get("state").into_iter().flat_map(|names| names.values());
    let own = spellings
        .filter(|(name, _)| **name == states(contract)[ix])
        .map(|(_, aliases)| aliases.join(", "));
    page.listed("spellings", own);
    page.listed("cells", cells(contract, |cell| cell.state == ix));
}

fn stimulus(page: &mut Page, contract: &Contract, ix: StimulusIx) {
    let profile = &contract.profile;
    let stimulus = &profile.grid.stimuli[ix];
    page.title(&format!("{}: stimulus of {}", stimulus.id, profile.id));
    page.text(&stimulus.title);
    let is = match &stimulus.is {
        StimulusIs::On(patterns) => patterns
            .iter()
            .map(|pattern| pattern_text(profile, pattern))
            .collect::<Vec<_>>()
            .join(" or "),
        StimulusIs::Since(clocks, length) => {
            let clocks: Vec<&str> =
                clocks.iter().map(|clock| profile.clocks[*clock].name.as_str()).collect();
            format!("the clock {} has run for {length}", clocks.join(" or "))
        }
    };
    page.labelled("is", &is);
    page.listed("cells", cells(contract, |cell| cell.stimulus == ix));
}

fn scenario(page: &mut Page, contract: &Contract, scenario: &Scenario) {
    page.title(&format!(
        "{}/{}: scenario of {}",
        contract.profile.id,
        scenario.id,
        count(scenario.cases.len(), "case")
    ));
    about(
        page,
        contract,
        scenario,
        &scenario.cases[0].clients.iter().map(|client| client.name.as_str()).collect::<Vec<_>>(),
    );
    page.listed("requirements", named(contract, scenario).into_iter().map(String::from));
    page.listed("cases", scenario.cases.iter().map(|case| case.id.to_string()));
}

fn about(page: &mut Page, contract: &Contract, scenario: &Scenario, clients: &[&str]) {
    page.text(&scenario.purpose);
    page.labelled("file", &format!("{}/{}.yaml", contract.profile.id, scenario.id));
    if !scenario.tags.is_empty() {
        page.labelled("tags", &scenario.tags.join(", "));
    }
    page.labelled("clients", &clients.join(", "));
}

fn case(page: &mut Page, contract: &Contract, scenario: &Scenario, case: &Case) {
    page.title(&format!("{}: case", case.id));
    let clients: Vec<String> = case
        .clients
        .iter()
        .map(|client| format!("{} (user {})", client.name, client.uid))
        .collect();
    about(page, contract, scenario, &clients.iter().map(String::as_str).collect::<Vec<_>>());
    page.listed("bindings", case.bindings.iter().map(|(axis, value)| format!("{axis} = {value}")));
    page.listed("probes", case.boundaries.iter().map(|(timer, side)| format!("{timer}, {side}")));
    if !case.needs.is_empty() {
        page.labelled("needs", &case.needs.join(", "));
    }
    page.labelled("planned", &planned(&contract.profile, &contract.settings, case).to_string());
    page.listed("preamble", case.preamble.iter().map(|step| step.text.to_string()));
    page.listed("body", case.body.iter().map(|step| step.text.to_string()));
    page.listed("requirements", case.named.iter().map(|req| demand(contract, *req)));
    page.labelled("play it", &format!("stateline run '{}'", case.id));
}

fn defect(page: &mut Page, contracts: &[Contract], defect: &DefectInfo) {
    page.title(&format!("{}: defect of the reference client for {}", defect.id, defect.profile));
    page.text(defect.text);
    let contract = contracts.iter().find(|contract| contract.profile.id == defect.profile);
    let text = |id: &str| {
        let found =
            contract.and_then(|contract| Some(demand(contract, contract.profile.requirement(id)?)));
        found.unwrap_or_else(|| id.to_owned())
    };
    page.labelled("breaks", &text(defect.breaks));
    page.listed("also", defect.also.iter().map(|(id, why)| format!("{id}: {why}")));
    page.labelled("play it", &format!("stateline run --client builtin:{}", defect.id));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_ids_come_first_and_once() {
        let ids = ["RTM-CONN-02", "rtm/login/accepted", "C2", "RTM-CONN-02", "silent"];
        assert_eq!(nearest("rtm-conn-2", ids.into_iter())[0], "RTM-CONN-02");
        assert_eq!(nearest("login/acepted", ids.into_iter())[0], "rtm/login/accepted");
        assert_eq!(
            nearest("RTM-CONN-0", ids.into_iter())
                .iter()
                .filter(|id| **id == "RTM-CONN-02")
                .count(),
            1
        );
    }
}
