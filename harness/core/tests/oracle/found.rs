//! One observation left out, early, late, doubled, re-ordered, altered or uncalled for is always
//! found, and named for the right row.
//!
//! Not responsible for making the faults; [`crate::faults`] is.
//!
//! Invariant: the first breach that is not consequent is one that the row in question carries.

use crate::conforming::{config, numbers};
use crate::faults::{KINDS, Kind, spoil};
use crate::life::{Pace, live};
use crate::script::told;
use crate::table::agora;
use crate::tape::Tape;
use proptest::prelude::*;
use stateline_core::oracle::Judged;
use stateline_core::record::Finding;
use stateline_core::time::Micros;

/// What was found first: at one instant, what fails comes before what warns.
fn first(judged: &Judged) -> Option<&Finding> {
    let failing = judged.findings.iter().filter(|finding| !finding.consequent);
    failing.chain(&judged.warnings).min_by_key(|finding| finding.at)
}

/// Spoils a life; gives whether it had a place for the fault.
fn check(kind: Kind, numbers: &[u32], choices: &[u32]) -> Result<bool, TestCaseError> {
    let table = agora();
    let (world, end) = live(table, numbers, Pace::Patient);
    let Some(fault) = spoil(&world, kind, &mut Tape::new(choices)) else {
        return Ok(false);
    };
    // Long enough for every cap, twice.
    let judged = table.judge(&fault.events, end + Micros::from_secs(130));
    let found = first(&judged).map(|finding| finding.requirement.to_string());
    let right = found.as_ref().is_some_and(|found| fault.names.contains(found));
    prop_assert!(
        right,
        "{}: {found:?} is none of {:?}\n{:#?}\n{}",
        fault.what,
        fault.names,
        first(&judged),
        told(&fault.events)
    );
    Ok(true)
}

macro_rules! found {
    ($($name:ident: $kind:ident;)*) => {
        proptest! {
            #![proptest_config(config(256, 100))]
            $(
                #[test]
                fn $name(
                    numbers in numbers(120),
                    choices in prop::collection::vec(any::<u32>(), 24),
                ) {
                    check(Kind::$kind, &numbers, &choices)?;
                }
            )*
        }
    };
}

found! {
    an_altered_code_is_found: AlteredCode;
    an_altered_reason_is_found: AlteredReason;
    an_altered_state_is_found: AlteredState;
    a_doubled_report_is_found: Doubled;
    a_doubled_result_is_found: DoubledResult;
    an_early_report_is_found: Early;
    an_uncalled_for_report_is_found: Extra;
    a_late_report_is_found: Late;
    a_report_left_out_is_found: LeftOut;
    a_missing_reason_is_found: NoReason;
    swapped_reports_are_found: Swapped;
    an_unknown_state_is_found: UnknownState;
}

/// The properties above are about many faults of each kind.
#[test]
fn lives_have_places_for_every_fault() {
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;
    let table = agora();
    let mut runner = TestRunner::new(config(1, 9));
    let mut places = [0u32; KINDS.len()];
    for _ in 0..200 {
        let numbers = numbers(120).new_tree(&mut runner).unwrap().current();
        let (world, _) = live(table, &numbers, Pace::Patient);
        for (kind, places) in KINDS.iter().zip(&mut places) {
            let tape = &mut Tape::new(&numbers);
            *places += u32::from(spoil(&world, *kind, tape).is_some());
        }
    }
    assert!(places.iter().all(|places| *places >= 40), "{KINDS:?} {places:?}");
}
