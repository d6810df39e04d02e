//! What an oracle tells of a case: the states and waits of its story.
//!
//! Not responsible for what is found; telling must not change it.
//!
//! Invariant: a story is compared with the trace that it was told of, or with a script that is written out.

use crate::conforming::{config, numbers};
use crate::faults::{KINDS, spoil};
use crate::life::{Pace, live};
use crate::script::Script;
use crate::table::agora;
use crate::tape::Tape;
use proptest::prelude::*;
use stateline_core::oracle::Judged;
use stateline_core::record::{End, Force, Stay, Story, Wait};
use stateline_core::time::Micros;
use stateline_core::trace::Event;
use std::collections::BTreeSet;

fn telling(events: &[Event], end: Micros) -> Judged {
    let table = agora();
    let mut oracle = table.oracle(&table.settings).telling();
    for event in events {
        oracle.observe(event);
    }
    oracle.finish(end, true)
}

fn story(script: &Script, end: u64) -> Story {
    telling(&script.events, Micros::from_millis(end)).story
}

/// The waits of a row: how each ended, when, and by which event.
fn ends(script: &Script, end: u64, row: &str) -> Vec<(Force, End, Option<u64>, bool)> {
    let mine = story(script, end).waits.into_iter().filter(|wait| wait.row == row);
    let told =
        |wait: Wait| (wait.force, wait.end, wait.ended.map(|at| at.0 / 1_000), wait.by.is_some());
    mine.map(told).collect()
}

/// Lost by a reset at 1 s: Reconnecting is due from 5 s to 6 s.
fn lost() -> Script {
    Script::connected().beats(500, 500).reset(1_000)
}

#[test]
fn what_came_in_time_is_met_by_its_event() {
    let script = lost().state(5_500, "reconnecting", "interrupted");
    assert_eq!(ends(&script, 6_500, "C2"), [(Force::Must, End::Met, Some(5_500), true)]);
    let wait = story(&script, 6_500).waits.into_iter().find(|wait| wait.row == "C2").unwrap();
    assert_eq!((wait.from, wait.until), (Micros::from_secs(5), Some(Micros::from_secs(6))));
    let cause = script.events.iter().find(|event| event.n == wait.cause).unwrap();
    assert_eq!(cause.kind, "service.lost");
    let met = script.events.iter().find(|event| Some(event.n) == wait.by).unwrap();
    assert_eq!(met.data.text("state"), Some("reconnecting"));
}

#[test]
fn what_did_not_come_is_overdue_at_its_deadline_by_no_event() {
    assert_eq!(ends(&lost(), 9_000, "C2"), [(Force::Must, End::Overdue, Some(6_000), false)]);
    // An event that is seen later does not move the deadline.
    let late = lost().state(7_000, "reconnecting", "interrupted");
    assert_eq!(ends(&late, 9_000, "C2")[0], (Force::Must, End::Overdue, Some(6_000), false));
}

#[test]
fn a_demand_whose_reason_is_gone_is_withdrawn_or_over() {
    let back = lost().back(2_000, 2);
    let ends = ends(&back, 9_000, "C2");
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert!(
        matches!(ends[0], (Force::Must, End::Withdrawn | End::Over, Some(2_000), true)),
        "{ends:?}"
    );
    // Just before the window, either answer is right: the demand is withdrawn, and the permission stays.
    let crossing = lost().back(4_500, 2);
    let crossing = self::ends(&crossing, 4_900, "C2");
    assert!(crossing.contains(&(Force::Must, End::Withdrawn, Some(4_500), true)), "{crossing:?}");
}

#[test]
fn a_wait_is_over_when_nothing_asks_for_it_any_more() {
    // A login that was accepted cannot time out.
    assert_eq!(ends(&lost(), 9_000, "L6"), [(Force::Must, End::Over, Some(100), true)]);
    // After a call of logout, no interruption needs a report.
    let out = lost().call(2_000, "logout").state(2_100, "disconnected", "logout");
    assert_eq!(ends(&out, 9_000, "C2"), [(Force::Must, End::Over, Some(2_000), true)]);
}

#[test]
fn a_wait_is_open_when_the_case_ends_first() {
    assert_eq!(ends(&lost(), 4_000, "C2"), [(Force::Must, End::Open, None, false)]);
}

#[test]
fn a_change_that_no_row_explains_is_a_stay_that_is_not_allowed() {
    let strange = Script::connected().state(2_000, "connecting", "login");
    let stays = story(&strange, 3_000).stays;
    let alice: Vec<&Stay> = stays.iter().filter(|stay| stay.client == "alice").collect();
    let told: Vec<(&str, bool)> =
        alice.iter().map(|stay| (stay.state.as_str(), stay.allowed)).collect();
    assert_eq!(
        told,
        [("disconnected", true), ("connecting", true), ("connected", true), ("connecting", false)]
    );
    assert_eq!(alice[1].row.as_deref(), Some("L1"));
    assert_eq!(alice[3].row, None);
    assert_eq!(alice[3].to, Some(Micros::from_secs(3)));
}

proptest! {
    #![proptest_config(config(192, 150))]

    #[test]
    fn telling_changes_nothing(
        numbers in numbers(100),
        choices in prop::collection::vec(any::<u32>(), 60),
    ) {
        let table = agora();
        let tape = &mut Tape::new(&choices);
        let (world, end) = live(table, &numbers, Pace::Hasty);
        let kind = *tape.one_of(&KINDS);
        let events = match spoil(&world, kind, tape) {
            Some(fault) if tape.below(3) > 0 => fault.events,
            _ => world.events(),
        };
        let end = end + Micros::from_secs(130);
        let told = telling(&events, end);
        let untold = table.judge(&events, end);
        prop_assert_eq!(&untold.story, &Story::default());
        let silent = Judged { story: Story::default(), ..told.clone() };
        prop_assert_eq!(silent, untold);
        check(&told.story, &events)?;
    }
}

/// What must hold of every story.
fn check(story: &Story, events: &[Event]) -> Result<(), TestCaseError> {
    let numbers: BTreeSet<u32> = events.iter().map(|event| event.n).collect();
    let clients: BTreeSet<&str> = story.stays.iter().map(|stay| stay.client.as_str()).collect();
    for client in clients {
        let mine: Vec<&Stay> = story.stays.iter().filter(|stay| stay.client == *client).collect();
        for pair in mine.windows(2) {
            prop_assert_eq!(pair[0].to, Some(pair[1].from), "a client is in one state at a time");
            prop_assert_ne!(&pair[0].state, &pair[1].state);
        }
        prop_assert!(mine[0].allowed && mine[0].n.is_none());
    }
    for stay in &story.stays {
        prop_assert!(stay.to.is_some_and(|to| stay.from <= to), "{stay:?}");
        prop_assert!(stay.row.is_none() || stay.allowed);
    }
    for wait in &story.waits {
        prop_assert!(!wait.wanted.is_empty() && numbers.contains(&wait.cause), "{wait:?}");
        prop_assert!(wait.by.is_none_or(|by| numbers.contains(&by)), "{wait:?}");
        prop_assert_eq!(wait.end == End::Open, wait.ended.is_none(), "{:?}", wait);
        if wait.end == End::Met {
            prop_assert!(wait.by.is_some(), "only an event meets a demand: {wait:?}");
        }
        if wait.end == End::Overdue {
            prop_assert_eq!(wait.ended, wait.until, "{:?}", wait);
            prop_assert!(wait.by.is_none());
        }
    }
    Ok(())
}
