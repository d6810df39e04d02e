//! Everything that has an id, and what an id means.
//!
//! Not responsible for telling of a thing.
//!
//! Invariant: each thing has a qualified id, which means it alone.

use super::glossary::{self, Word};
use crate::suite::Contract;
use smol_str::{SmolStr, format_smolstr};
use stateline_core::profile::{CapIx, ClockIx, ReqIx, RowIx, StateIx};
use stateline_core::record::Conflict;
use stateline_core::scenario::{Case, Scenario};
use stateline_reference::{DefectInfo, DesignInfo};

/// How many ids are offered for one that means nothing.
const NEAREST: usize = 3;

/// Something that has an id.
pub(super) enum Thing<'a> {
    Call(&'a Contract, &'a SmolStr),
    Cap(&'a Contract, CapIx),
    Case(&'a Contract, &'a Scenario, &'a Case),
    Cell(&'a Contract, usize),
    Clock(&'a Contract, ClockIx),
    Conflict(&'a Contract, &'a Conflict),
    Defect(&'static DefectInfo),
    Design(&'static DesignInfo),
    /// A value of an enumeration of the SDK.
    Name(&'a Contract, &'a SmolStr, &'a SmolStr),
    Profile(&'a Contract),
    Requirement(&'a Contract, ReqIx),
    Row(&'a Contract, RowIx),
    Scenario(&'a Contract, &'a Scenario),
    State(&'a Contract, StateIx),
    Stimulus(&'a Contract, usize),
    Timer(&'a Contract, &'a SmolStr),
    /// A word of the program's own.
    Word(Word),
}

/// A thing with its names.
pub(super) struct Entry<'a> {
    /// The word that it can be asked for by: `row C2`.
    pub(super) kind: SmolStr,
    /// Its id.
    pub(super) id: SmolStr,
    profile: Option<&'a SmolStr>,
    aliases: Vec<SmolStr>,
    /// The thing.
    pub(super) thing: Thing<'a>,
}

impl Entry<'_> {
    /// What means it alone, unless it is meant anyway.
    pub(super) fn qualified(&self) -> String {
        match (&self.thing, self.profile) {
            (Thing::Case(..) | Thing::Scenario(..), _) | (_, None) => {
                format!("{} {}", self.kind, self.id)
            }
            (_, Some(profile)) => format!("{} {profile}/{}", self.kind, self.id),
        }
    }

    /// Whether it is meant, letter case aside, with or without its profile.
    pub(super) fn is_named(&self, asked: &str) -> bool {
        let own = |name: &str| {
            name.eq_ignore_ascii_case(asked)
                || self.profile.is_some_and(|profile| {
                    asked.split_at_checked(profile.len()).is_some_and(|(of, rest)| {
                        of.eq_ignore_ascii_case(profile)
                            && rest
                                .strip_prefix('/')
                                .is_some_and(|rest| name.eq_ignore_ascii_case(rest))
                    })
                })
        };
        own(&self.id) || self.aliases.iter().any(|alias| own(alias))
    }

    fn is_of(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
            // `code` means the codes of all methods.
            || self.kind.split_once('.').is_some_and(|(whole, _)| whole.eq_ignore_ascii_case(kind))
    }
}

/// Everything that has an id.
pub(super) fn all(contracts: &[Contract]) -> Vec<Entry<'_>> {
    let mut all = Vec::new();
    for contract in contracts {
        of_contract(contract, &mut all);
    }
    let client = |kind, id: &str, thing| Entry {
        kind: SmolStr::new_static(kind),
        id: id.into(),
        profile: None,
        aliases: Vec::new(),
        thing,
    };
    let defects = stateline_reference::defects().iter();
    all.extend(defects.map(|defect| client("defect", defect.id, Thing::Defect(defect))));
    let designs = stateline_reference::designs().iter();
    all.extend(designs.map(|design| client("design", design.id, Thing::Design(design))));
    all.extend(glossary::words().map(|word| client(word.kind, word.id, Thing::Word(word))));
    all
}

fn of_contract<'a>(contract: &'a Contract, all: &mut Vec<Entry<'a>>) {
    let profile = &contract.profile;
    let mut add = |kind: &str, id: &str, aliases: Vec<SmolStr>, thing| {
        let of = (id != profile.id).then_some(&profile.id);
        all.push(Entry { kind: kind.into(), id: id.into(), profile: of, aliases, thing });
    };
    add("profile", &profile.id, Vec::new(), Thing::Profile(contract));
    for (ix, requirement) in profile.requirements.iter().enumerate() {
        add("requirement", &requirement.id, Vec::new(), Thing::Requirement(contract, ix));
    }
    for (ix, row) in profile.rows.iter().enumerate() {
        add("row", &row.id, Vec::new(), Thing::Row(contract, ix));
    }
    for conflict in &profile.conflicts {
        add("conflict", &conflict.id, Vec::new(), Thing::Conflict(contract, conflict));
    }
    for (ix, state) in states(contract).iter().enumerate() {
        add("state", state, spellings(contract, "state", state), Thing::State(contract, ix));
    }
    for (ix, stimulus) in profile.grid.stimuli.iter().enumerate() {
        add("stimulus", &stimulus.id, Vec::new(), Thing::Stimulus(contract, ix));
    }
    for (ix, cell) in profile.grid.cells.iter().enumerate() {
        let (state, stimulus) =
            (&states(contract)[cell.state], &profile.grid.stimuli[cell.stimulus].id);
        let spoken = format_smolstr!("{state} x {stimulus}");
        add("cell", &format!("{state}/{stimulus}"), vec![spoken], Thing::Cell(contract, ix));
    }
    for (name, method) in &profile.names.calls {
        add("call", name, method.spellings.clone(), Thing::Call(contract, name));
    }
    for (kind, values) in profile.names.enums.iter().filter(|(kind, _)| *kind != "state") {
        for (name, spellings) in values.values() {
            let mut aliases = spellings.to_vec();
            aliases.push(format_smolstr!("{kind}/{name}"));
            add(kind, name, aliases, Thing::Name(contract, kind, name));
        }
    }
    for name in profile.timers.keys() {
        add("timer", name, Vec::new(), Thing::Timer(contract, name));
    }
    for (ix, name) in profile.caps.keys().enumerate() {
        add("cap", name, Vec::new(), Thing::Cap(contract, ix));
    }
    for (ix, clock) in profile.clocks.iter().enumerate() {
        add("clock", &clock.name, Vec::new(), Thing::Clock(contract, ix));
    }
    for scenario in &contract.scenarios {
        let path = format!("{}/{}", profile.id, scenario.id);
        // A scenario without a matrix is its only case.
        if !scenario.cases.iter().any(|case| case.id == path) {
            let short = vec![scenario.id.clone()];
            add("scenario", &path, short, Thing::Scenario(contract, scenario));
        }
        for case in &scenario.cases {
            let short = case.id.split_once('/').map(|(_, rest)| rest.into());
            let short = short.into_iter().collect();
            add("case", &case.id, short, Thing::Case(contract, scenario, case));
        }
    }
}

/// The states of the grid.
pub(super) fn states(contract: &Contract) -> &[SmolStr] {
    contract.profile.main_machine().map_or(&[], |(_, machine)| &machine.states)
}

/// How a value of an enumeration may be spelled.
pub(super) fn spellings(contract: &Contract, kind: &str, name: &str) -> Vec<SmolStr> {
    let values = contract.profile.names.enums.get(kind);
    let mut values = values.into_iter().flat_map(|values| values.values());
    values.find(|(have, _)| *have == name).map(|(_, aliases)| aliases.to_vec()).unwrap_or_default()
}

/// What an id means: `C2`, `agora-rtm-1x/C2`, `row C2`.
pub(super) fn meant<'a, 'e>(
    all: &'e [Entry<'a>],
    kind: Option<&str>,
    asked: &str,
) -> Vec<&'e Entry<'a>> {
    all.iter()
        .filter(|entry| kind.is_none_or(|kind| entry.is_of(kind)) && entry.is_named(asked))
        .collect()
}

/// Whether a word is a kind of thing.
pub(super) fn is_kind(all: &[Entry<'_>], word: &str) -> bool {
    of_kind(all, word).next().is_some()
}

/// Everything of a kind.
pub(super) fn of_kind<'a, 'e>(
    all: &'e [Entry<'a>],
    kind: &str,
) -> impl Iterator<Item = &'e Entry<'a>> {
    all.iter().filter(move |entry| entry.is_of(kind))
}

/// The nearest ids to one that means nothing.
pub(super) fn nearest<'a>(
    all: &'a [Entry<'_>],
    kind: Option<&str>,
    asked: &str,
) -> impl Iterator<Item = &'a str> {
    let ids = all.iter().filter(|entry| kind.is_none_or(|kind| entry.is_of(kind)));
    ranked(asked, ids.map(|entry| entry.id.as_str())).into_iter()
}

fn ranked<'a>(asked: &str, ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_ids_come_first_and_once() {
        let ids = ["RTM-CONN-02", "rtm/login/accepted", "C2", "RTM-CONN-02", "silent"];
        assert_eq!(ranked("rtm-conn-2", ids.into_iter())[0], "RTM-CONN-02");
        assert_eq!(ranked("login/acepted", ids.into_iter())[0], "rtm/login/accepted");
        let near = ranked("RTM-CONN-0", ids.into_iter());
        assert_eq!(near.iter().filter(|id| **id == "RTM-CONN-02").count(), 1);
    }
}
