//! From case records to the totals, the coverage and the grid of a run.
//!
//! Coverage is computed from what traces exercised, never from what authors claim. Not responsible
//! for judging or showing anything.
//!
//! Invariant: planned = pass + inconclusive + fail + error + not applicable + not run.

use indexmap::IndexMap;
use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::SmolStr;
use stateline_core::oracle::{Settings, pattern_text};
use stateline_core::profile::grid::{Cell, Says};
use stateline_core::profile::machine::{
    Expect, Modality, Pattern, Row, RowBody, StateSet, Target, Trigger,
};
use stateline_core::profile::requirement::TestedBy;
use stateline_core::profile::{Profile, StateIx};
use stateline_core::record::{
    CaseRecord, CellRecord, Coverage, CoverageStatus, Judgement, MoveSeen, ProfileRecord,
    RowRecord, StimulusRecord, Totals, TransitionRecord, Verdict,
};
use stateline_core::time::Micros;

/// The counts over all cases.
#[must_use]
pub fn totals(cases: &[CaseRecord]) -> Totals {
    let mut totals = Totals { planned: cases.len() as u64, ..Totals::default() };
    let mut digests = FxHashSet::default();
    for case in cases {
        *match (case.verdict, &case.not_applicable) {
            (Some(Verdict::Pass), _) => &mut totals.pass,
            (Some(Verdict::Inconclusive), _) => &mut totals.inconclusive,
            (Some(Verdict::Fail), _) => &mut totals.fail,
            (Some(Verdict::Error), _) => &mut totals.error,
            (None, Some(_)) => &mut totals.not_applicable,
            (None, None) => &mut totals.not_run,
        } += 1;
        totals.known += u64::from(case.expected.is_some());
        if says_something(case) {
            totals.warnings += case.warnings.len() as u64;
        }
        totals.flaky +=
            u64::from(case.attempts.iter().any(|attempt| Some(attempt.verdict) != case.verdict));
        if case.verdict.is_some() {
            digests.insert(&case.digest);
        }
    }
    totals.distinct_traces = digests.len() as u64;
    totals
}

/// An ERROR says nothing about the client, whatever was seen before it.
fn says_something(case: &CaseRecord) -> bool {
    case.verdict != Some(Verdict::Error)
}

/// The cases that a report tells in full: what did not pass, and one pass of each scenario.
#[must_use]
pub fn told_in_full(cases: &[CaseRecord]) -> Vec<bool> {
    let mut shown = FxHashSet::default();
    let tells = |case: &CaseRecord| match case.verdict {
        Some(Verdict::Pass) => shown.insert(
            case.id.split_once('[').map_or(case.id.as_str(), |(scenario, _)| scenario).to_owned(),
        ),
        Some(_) => true,
        None => false,
    };
    cases.iter().map(tells).collect()
}

/// What the run says about every requirement of a profile. `lacks` is what the client cannot show.
#[must_use]
pub fn coverage(profile: &Profile, cases: &[CaseRecord], lacks: &[SmolStr]) -> Vec<Coverage> {
    let mut decided: FxHashMap<&SmolStr, (Judgement, Vec<SmolStr>)> = FxHashMap::default();
    for case in cases.iter().filter(|case| case.profile == profile.id && says_something(case)) {
        for record in &case.requirements {
            let entry = decided.entry(&record.id).or_insert((record.judgement, Vec::new()));
            if record.judgement > entry.0 {
                *entry = (record.judgement, Vec::new());
            }
            if record.judgement == entry.0 && entry.1.last() != Some(&case.id) {
                entry.1.push(case.id.clone());
            }
        }
    }
    profile
        .requirements
        .iter()
        .map(|requirement| {
            let (status, mut cases) = match decided.remove(&requirement.id) {
                _ if requirement.test == TestedBy::None
                    || requirement.needs.as_ref().is_some_and(|need| lacks.contains(need)) =>
                {
                    (CoverageStatus::NotTestable, Vec::new())
                }
                None => (CoverageStatus::Unexercised, Vec::new()),
                Some((judgement, cases)) => (status(judgement), cases),
            };
            let mut seen = FxHashSet::default();
            cases.retain(|case| seen.insert(case.clone()));
            let by = SmolStr::new_static(if requirement.test == TestedBy::Server {
                "server"
            } else {
                "client"
            });
            Coverage { requirement: requirement.id.clone(), status, by, cases }
        })
        .collect()
}

const fn status(judgement: Judgement) -> CoverageStatus {
    match judgement {
        Judgement::Undetermined => CoverageStatus::Undetermined,
        Judgement::Recorded => CoverageStatus::Recorded,
        Judgement::Satisfied => CoverageStatus::Satisfied,
        Judgement::Warned => CoverageStatus::Warned,
        Judgement::Violated => CoverageStatus::Violated,
    }
}

/// A profile as far as a report needs it, with what the cases saw in its grid.
#[must_use]
pub fn profile_record(profile: &Profile, cases: &[CaseRecord]) -> ProfileRecord {
    let mut seen: FxHashMap<(&str, &str), (u32, u32)> = FxHashMap::default();
    let told = cases.iter().filter(|case| case.profile == profile.id && says_something(case));
    for cell in told.flat_map(|case| &case.cells) {
        let entry = seen.entry((&cell.state, &cell.stimulus)).or_default();
        entry.0 += 1;
        entry.1 += u32::from(cell.violated);
    }
    let states =
        profile.main_machine().map(|(_, machine)| machine.states.clone()).unwrap_or_default();
    let cells = profile.grid.cells.iter().map(|cell| {
        let state = states[cell.state].clone();
        let stimulus = profile.grid.stimuli[cell.stimulus].id.clone();
        let (cases, violated) =
            seen.get(&(state.as_str(), stimulus.as_str())).copied().unwrap_or_default();
        let (rows, requirements) = cell_rows(profile, cell);
        CellRecord {
            state,
            stimulus,
            says: SmolStr::new_static(cell.says.as_str()),
            rows,
            requirements,
            cases,
            violated,
        }
    });
    ProfileRecord {
        id: profile.id.clone(),
        variant: profile.variant.clone(),
        digest: profile.digest.clone(),
        document: profile.document.clone(),
        cells: cells.collect(),
        stimuli: profile
            .grid
            .stimuli
            .iter()
            .map(|stimulus| StimulusRecord {
                id: stimulus.id.clone(),
                title: stimulus.title.clone(),
            })
            .collect(),
        rows: profile.rows.iter().map(|row| row_record(profile, row)).collect(),
        requirements: profile.requirements.clone(),
        transitions: transitions(profile, cases),
        conflicts: profile.conflicts.clone(),
        defects: Vec::new(),
        states,
    }
}

/// A row in words.
#[must_use]
pub fn row_record(profile: &Profile, row: &Row) -> RowRecord {
    let names = &profile.machines[profile.machines[row.machine].leader].states;
    let name = |state: StateIx| names.get(state).cloned();
    let (kind, trigger, to, after, within) = match &row.body {
        RowBody::Expect(expect) => {
            let to = match expect.to {
                Target::State(to) => name(to),
                Target::Stay | Target::Observed => None,
            };
            let kind = match (expect.modality, expect.to) {
                (Modality::May, _) => "may",
                (Modality::Must, Target::Stay) => "expect",
                (Modality::Must, _) => "transition",
            };
            (kind, Some(&expect.trigger), to, Some(expect.after), expect.within)
        }
        RowBody::Silent { trigger, to } => ("silent", Some(trigger), to.and_then(name), None, None),
        RowBody::Choice { trigger, .. } => ("choice", Some(trigger), None, None, None),
        RowBody::Never(never) => {
            ("never", None, None, None, never.on.as_ref().and_then(|(_, length)| *length))
        }
        RowBody::Keep(keep) => ("keep", None, None, None, Some(keep.every)),
        RowBody::Settles(settles) => ("settles", None, None, None, Some(settles.cap)),
    };
    let words = |patterns: &[Pattern]| {
        patterns.iter().map(|pattern| SmolStr::from(pattern_text(profile, pattern))).collect()
    };
    let on = match (trigger, &row.body) {
        (Some(Trigger::On(patterns)), _) => words(patterns),
        (Some(Trigger::Since(clock)), _) => vec![profile.clocks[*clock].name.clone()],
        (None, RowBody::Never(never)) => {
            never.on.as_ref().map(|(patterns, _)| words(patterns)).unwrap_or_default()
        }
        (None, RowBody::Settles(settles)) => vec![format!("call {}", settles.op).into()],
        (None, _) => Vec::new(),
    };
    let settings = Settings::of(profile);
    RowRecord {
        id: row.id.clone(),
        title: row.title.clone(),
        requirements: row
            .req
            .iter()
            .map(|case| profile.requirements[case.req].id.clone())
            .collect(),
        kind: SmolStr::new_static(kind),
        from: row.from.map(|from| from.iter().filter_map(name).collect()).unwrap_or_default(),
        basis: Some(profile.machines[row.machine].basis),
        to,
        on,
        after_ms: after.filter(|after| *after > Micros::ZERO).map(Micros::as_ms),
        within_ms: within.map(|length| settings.length(profile, length).as_ms()),
    }
}

/// Changes of state: what rows document, in their order, then what else was seen.
fn transitions(profile: &Profile, cases: &[CaseRecord]) -> Vec<TransitionRecord> {
    let Some((main, machine)) = profile.main_machine() else { return Vec::new() };
    let mut all: IndexMap<(SmolStr, SmolStr), TransitionRecord> = IndexMap::new();
    let mut at = |from: &SmolStr, to: &SmolStr, row: Option<&SmolStr>| {
        let key = (from.clone(), to.clone());
        let index = all.entry(key).or_insert_with(|| TransitionRecord {
            from: from.clone(),
            to: to.clone(),
            rows: Vec::new(),
            cases: 0,
            violated: 0,
        });
        if let Some(row) = row.filter(|row| !index.rows.contains(row)) {
            index.rows.push(row.clone());
        }
    };
    for row in profile.rows.iter().filter(|row| profile.machines[row.machine].leader == main) {
        let to = match &row.body {
            RowBody::Expect(Expect { to: Target::State(to), .. })
            | RowBody::Silent { to: Some(to), .. } => *to,
            _ => continue,
        };
        for from in row.from.into_iter().flat_map(StateSet::iter).filter(|from| *from != to) {
            at(&machine.states[from], &machine.states[to], Some(&row.id));
        }
    }
    let told = || cases.iter().filter(|case| case.profile == profile.id && says_something(case));
    for seen in told().flat_map(|case| &case.moves) {
        at(&seen.from, &seen.to, seen.row.as_ref());
    }
    for case in told() {
        let mut counted = FxHashSet::default();
        for seen in &case.moves {
            let Some(transition) = all.get_mut(&(seen.from.clone(), seen.to.clone())) else {
                continue;
            };
            if counted.insert((&seen.from, &seen.to)) {
                transition.cases += 1;
                let breach = |other: &MoveSeen| {
                    other.row.is_none() && (&other.from, &other.to) == (&seen.from, &seen.to)
                };
                transition.violated += u32::from(case.moves.iter().any(breach));
            }
        }
    }
    all.into_values().collect()
}

/// The rows and requirements that decide a cell.
#[must_use]
pub fn cell_rows(profile: &Profile, cell: &Cell) -> (Vec<SmolStr>, Vec<SmolStr>) {
    match &cell.says {
        Says::Forbidden(req) => (Vec::new(), vec![profile.requirements[*req].id.clone()]),
        Says::Rows(rows) | Says::Silent(rows) => {
            let mut requirements: Vec<SmolStr> = Vec::new();
            for case in rows.iter().flat_map(|row| &profile.rows[*row].req) {
                let id = &profile.requirements[case.req].id;
                if !requirements.contains(id) {
                    requirements.push(id.clone());
                }
            }
            (rows.iter().map(|row| profile.rows[*row].id.clone()).collect(), requirements)
        }
    }
}
