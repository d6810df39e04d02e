//! Judging is a function of the trace alone.
//!
//! Not responsible for what is found, only for its being the same.
//!
//! Invariant: neither when time was let pass, nor copies, nor files, nor strangers' events matter.

use crate::conforming::{config, numbers};
use crate::faults::{KINDS, spoil};
use crate::life::{Pace, irrelevant, live};
use crate::table::{Table, agora};
use crate::tape::Tape;
use proptest::prelude::*;
use stateline_core::oracle::Judged;
use stateline_core::time::Micros;
use stateline_core::trace::Event;

/// A life, spoiled or not.
fn trace(table: &Table, numbers: &[u32], tape: &mut Tape) -> (Vec<Event>, Micros) {
    let (world, end) = live(table, numbers, Pace::Hasty);
    let kind = *tape.one_of(&KINDS);
    let events = match spoil(&world, kind, tape) {
        Some(fault) if tape.below(3) > 0 => fault.events,
        _ => world.events(),
    };
    (events, end + Micros::from_secs(130))
}

/// Positions are the trace's own, and strangers shift them.
fn without_positions(mut judged: Judged) -> Judged {
    for finding in judged.findings.iter_mut().chain(&mut judged.warnings) {
        finding.trace = (0, 0);
    }
    for choice in &mut judged.choices {
        choice.n = 0;
    }
    judged
}

proptest! {
    #![proptest_config(config(256, 200))]

    #[test]
    fn letting_time_pass_changes_nothing(
        numbers in numbers(100),
        choices in prop::collection::vec(any::<u32>(), 200),
    ) {
        let table = agora();
        let tape = &mut Tape::new(&choices);
        let (events, end) = trace(table, &numbers, tape);
        let mut oracle = table.oracle(&table.settings);
        let mut last = Micros::ZERO;
        for event in &events {
            for _ in 0..tape.below(3) {
                let to = tape.within(last, event.at);
                last = to;
                oracle.advance(to);
            }
            if tape.once_in(4) {
                let kept = oracle.clone();
                oracle.advance(event.at);
                oracle = kept;
            }
            oracle.observe(event);
            last = event.at;
        }
        prop_assert_eq!(oracle.finish(end, true), table.judge(&events, end));
    }

    #[test]
    fn a_copy_judges_alike(
        numbers in numbers(100),
        choices in prop::collection::vec(any::<u32>(), 40),
    ) {
        let table = agora();
        let tape = &mut Tape::new(&choices);
        let (events, end) = trace(table, &numbers, tape);
        let half = tape.below(u32::try_from(events.len() + 1).unwrap()) as usize;
        let mut oracle = table.oracle(&table.settings);
        events[..half].iter().for_each(|event| oracle.observe(event));
        let mut copy = oracle.clone();
        events[half..].iter().for_each(|event| oracle.observe(event));
        events[half..].iter().for_each(|event| copy.observe(event));
        prop_assert_eq!(copy.finish(end, true), oracle.finish(end, true));
    }

    #[test]
    fn a_record_judges_alike(
        numbers in numbers(100),
        choices in prop::collection::vec(any::<u32>(), 40),
    ) {
        let table = agora();
        let (events, end) = trace(table, &numbers, &mut Tape::new(&choices));
        let text = serde_json::to_string(&events).unwrap();
        let read: Vec<Event> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(table.judge(&read, end), table.judge(&events, end));
    }

    #[test]
    fn strangers_change_nothing(
        numbers in numbers(100),
        choices in prop::collection::vec(any::<u32>(), 200),
    ) {
        let table = agora();
        let tape = &mut Tape::new(&choices);
        let (events, end) = trace(table, &numbers, tape);
        let mut more = Vec::new();
        for event in &events {
            if tape.once_in(3) {
                more.push(irrelevant(event.at, tape.below(4)));
            }
            more.push(event.clone());
        }
        let more = crate::faults::renumbered(more);
        prop_assert_eq!(
            without_positions(table.judge(&more, end)),
            without_positions(table.judge(&events, end))
        );
    }
}
