//! Traces that the table itself generates always pass, whole and cut short.
//!
//! Not responsible for traces with faults; `found` is.
//!
//! Invariant: a false alarm in here is a bug of the oracle or a hole of the table.

use crate::life::{Pace, live};
use crate::table::agora;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use stateline_core::record::Judgement;
use std::collections::BTreeMap;

/// The same cases on every machine.
pub(crate) fn config(cases: u32, seed: u64) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        max_shrink_iters: 1_000,
        ..ProptestConfig::default()
    }
}

/// Numbers for a life.
pub(crate) fn numbers(most: usize) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 1..most)
}

fn check(numbers: &[u32], pace: Pace) -> Result<(), TestCaseError> {
    let table = agora();
    let (world, end) = live(table, numbers, pace);
    let judged = table.judge(&world.events(), end);
    let found: Vec<_> = judged.findings.iter().chain(&judged.warnings).collect();
    let told = crate::script::told(&world.events());
    prop_assert!(found.is_empty(), "{found:#?}\n{told}");
    prop_assert!(!judged.overflow);
    Ok(())
}

proptest! {
    #![proptest_config(config(512, 1))]

    #[test]
    fn a_patient_life_passes(numbers in numbers(160)) {
        check(&numbers, Pace::Patient)?;
    }

    #[test]
    fn a_hasty_life_passes(numbers in numbers(160)) {
        check(&numbers, Pace::Hasty)?;
    }

    #[test]
    fn a_life_cut_short_passes(numbers in numbers(80), at in any::<prop::sample::Index>()) {
        let table = agora();
        let (world, _) = live(table, &numbers, Pace::Hasty);
        let events = world.events();
        let cut = &events[..at.index(events.len() + 1)];
        let judged = table.judge(cut, cut.last().map(|event| event.at).unwrap_or_default());
        prop_assert!(judged.findings.is_empty() && judged.warnings.is_empty(), "{judged:#?}");
    }
}

/// The lives above are no idle ones: together they satisfy what one client alone can.
#[test]
fn lives_reach_every_reported_row() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let table = agora();
    let mut runner = TestRunner::new(config(1, 7));
    let mut rows: BTreeMap<String, u32> = BTreeMap::new();
    let mut satisfied: BTreeMap<String, u32> = BTreeMap::new();
    for nth in 0..200 {
        let numbers = numbers(160).new_tree(&mut runner).unwrap().current();
        let pace = if nth % 2 == 0 { Pace::Patient } else { Pace::Hasty };
        let (world, end) = live(table, &numbers, pace);
        for origin in world.trace.iter().filter_map(|seen| seen.origin.as_ref()) {
            *rows.entry(table.profile.rows[origin.row].id.to_string()).or_default() += 1;
        }
        for (req, judgement) in table.judge(&world.events(), end).requirements {
            if judgement == Judgement::Satisfied {
                let id = table.profile.requirements[req].id.to_string();
                *satisfied.entry(id).or_default() += 1;
            }
        }
    }
    let missed: Vec<&str> = table
        .reports()
        .filter(|(_, _, expect)| {
            expect.modality == stateline_core::profile::machine::Modality::Must
        })
        .map(|(ix, ..)| table.profile.rows[ix].id.as_str())
        .filter(|id| rows.get(*id).copied().unwrap_or(0) < 5)
        .collect();
    assert!(missed.is_empty(), "{missed:?} of {rows:?}");
    assert!(satisfied.len() >= 30, "{satisfied:?}");
}
