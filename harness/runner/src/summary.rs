//! From case records to the totals, the coverage and the grid of a run.
//!
//! Coverage is computed from what traces exercised, never from what authors claim. Not responsible
//! for judging or showing anything.
//!
//! Invariant: planned = pass + inconclusive + fail + error + not applicable + not run.

use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::SmolStr;
use stateline_core::profile::Profile;
use stateline_core::profile::grid::{Cell, Says};
use stateline_core::profile::requirement::TestedBy;
use stateline_core::record::{
    CaseRecord, CellRecord, Coverage, CoverageStatus, Judgement, ProfileRecord, RowRecord,
    StimulusRecord, Totals, Verdict,
};

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
        rows: profile
            .rows
            .iter()
            .map(|row| RowRecord {
                id: row.id.clone(),
                title: row.title.clone(),
                requirements: row
                    .req
                    .iter()
                    .map(|case| profile.requirements[case.req].id.clone())
                    .collect(),
            })
            .collect(),
        requirements: profile.requirements.clone(),
        states,
    }
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
