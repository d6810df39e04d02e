//! Checks that the same turns bring the same answers: again, beside others, after others, with empty
//! turns in between, and with real pauses.
//!
//! Not responsible for what the answers should be.
//!
//! Invariant: an answer is compared as a whole, with the order of its keys.

use super::clients::{SEED, UID};
use super::finding::{Halt, Outcome, Tried};
use super::patient::Patient;
use super::record::{Tape, Taped};
use serde_json::json;
use stateline_core::time::Micros;
use std::time::Duration;

/// How long a real pause is.
const PAUSE: Duration = Duration::from_millis(50);
/// How many pauses are made.
const PAUSES: usize = 16;
/// So much of a difference is shown.
const SHOWN: usize = 100;
/// So much before it.
const BEFORE: usize = 30;

/// Replays one turn, and compares.
fn again(patient: &mut Patient<'_>, client: u32, at: usize, taped: &Taped) -> Tried<()> {
    let step = patient.turn(client, taped.now, &taped.input)?;
    let (first, now) = (taped.result.to_string(), step.result.to_string());
    if first == now {
        return Ok(());
    }
    let (first, now) = difference(&first, &now);
    let what = format!(
        "turn {} at {} had another answer than the first time: it was `{first}`, and is `{now}`",
        at + 1,
        Micros(taped.now)
    );
    Err(patient.fault(what, ""))
}

/// Both texts from shortly before the place where they part.
fn difference(a: &str, b: &str) -> (String, String) {
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(BEFORE);
    let part = |text: &str| {
        let lead = if from > 0 { "…" } else { "" };
        let mut rest = text.chars().skip(from);
        let shown: String = rest.by_ref().take(SHOWN).collect();
        let tail = if rest.next().is_some() { "…" } else { "" };
        format!("{lead}{shown}{tail}")
    };
    (part(a), part(b))
}

/// Replays a whole tape with a client.
fn whole(patient: &mut Patient<'_>, client: u32, tape: &Tape) -> Tried<()> {
    for (at, taped) in tape.turns.iter().enumerate() {
        again(patient, client, at, taped)?;
    }
    Ok(())
}

/// Does this with every tape.
fn each(
    patient: &mut Patient<'_>,
    help: &str,
    run: impl Fn(&mut Patient<'_>, &Tape) -> Tried<()>,
) -> Tried<Outcome> {
    let tapes = patient.tapes.clone();
    for tape in &tapes {
        run(patient, tape).map_err(|halt| explain(halt, help))?;
    }
    Ok(Outcome::well())
}

/// Advice for an answer that differs; other faults have their own.
fn explain(halt: Halt, help: &str) -> Halt {
    match halt {
        Halt::Fault(finding) if finding.help.is_empty() => Halt::Fault(finding).advise(help),
        halt => halt,
    }
}

/// A fresh process gives the same answers.
pub(super) fn same_answers(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let help = "draw all chance from `seed`, take the time from `now_us` and `epoch_ms` alone, and \
                let nothing hang on the order of a set or map";
    each(patient, help, |patient, tape| {
        patient.lose();
        let client = patient.fresh_as(&tape.uid, tape.seed)?;
        whole(patient, client, tape)
    })
}

/// A process that has served gives the same answers.
pub(super) fn reuse(patient: &mut Patient<'_>) -> Tried<Outcome> {
    if !patient.hello.reuse {
        return Ok(Outcome::NotClaimed);
    }
    let help = "keep nothing of a client that was closed, or say `\"reuse\":false`";
    each(patient, help, |patient, tape| {
        // One that is closed in the middle of its life, with its timers and connections.
        let client = patient.fresh_as(UID, SEED)?;
        for taped in &tape.turns[..tape.turns.len() / 2] {
            let params = json!({ "client": client, "now_us": taped.now, "input": taped.input });
            patient.ask("turn", Some(&params))?;
        }
        let client = patient.fresh_as(&tape.uid, tape.seed)?;
        whole(patient, client, tape)
    })
}

/// Clients that are open at once give the same answers as each alone.
pub(super) fn two_clients(patient: &mut Patient<'_>) -> Tried<Outcome> {
    if patient.hello.clients < 2 {
        return Ok(Outcome::NotClaimed);
    }
    let (Some(one), Some(other)) = (patient.tapes.first().cloned(), patient.tapes.last().cloned())
    else {
        return Ok(Outcome::NotClaimed);
    };
    let help = "let clients share nothing, neither clock nor chance nor numbers, or say \
                `\"clients\":1`";
    patient.lose();
    let first = patient.fresh_as(&one.uid, one.seed)?;
    let second = patient.one_more(&other.uid, other.seed)?;
    for at in 0..one.turns.len().max(other.turns.len()) {
        for (client, tape) in [(first, &one), (second, &other)] {
            if let Some(taped) = tape.turns.get(at) {
                again(patient, client, at, taped).map_err(|halt| explain(halt, help))?;
            }
        }
    }
    Ok(Outcome::well())
}

/// A client can be closed and another one opened while a third goes on.
pub(super) fn close_and_open(patient: &mut Patient<'_>) -> Tried<Outcome> {
    if patient.hello.clients < 2 {
        return Ok(Outcome::NotClaimed);
    }
    let help = "`close` ends one client and leaves the others alone; a new one starts from nothing";
    let Some(tape) = patient.tapes.first().cloned() else { return Ok(Outcome::NotClaimed) };
    let half = tape.turns.len() / 2;
    patient.lose();
    let stays = patient.fresh_as(&tape.uid, tape.seed)?;
    let goes = patient.one_more(&tape.uid, tape.seed)?;
    let run = |patient: &mut Patient<'_>| {
        for (at, taped) in tape.turns.iter().enumerate().take(half) {
            again(patient, stays, at, taped)?;
            again(patient, goes, at, taped)?;
        }
        patient.close(goes)?;
        let comes = patient.one_more(&tape.uid, tape.seed)?;
        whole(patient, comes, &tape)?;
        for (at, taped) in tape.turns.iter().enumerate().skip(half) {
            again(patient, stays, at, taped)?;
        }
        Ok(())
    };
    run(patient).map_err(|halt| explain(halt, help))?;
    Ok(Outcome::well())
}

/// Turns that nothing is due in change nothing.
pub(super) fn empty_turns(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let help = "in a turn without input do what is due by `now_us` and nothing else; where that is \
                nothing, answer with no output and the same `next_us`";
    let outcome = each(patient, help, |patient, tape| {
        patient.lose();
        let client = patient.fresh_as(&tape.uid, tape.seed)?;
        let mut before: Option<&Taped> = None;
        for (at, taped) in tape.turns.iter().enumerate() {
            if let Some(before) = before {
                nothing_due(patient, client, before, taped.now)
                    .map_err(|halt| explain(halt, help))?;
            }
            again(patient, client, at, taped)?;
            before = Some(taped);
        }
        Ok(())
    })?;
    // The last empty turn of a case is the executor's own.
    match patient.not_idle.take() {
        Some(finding) => Err(explain(finding.into(), help)),
        None => Ok(outcome),
    }
}

/// Gives a client turns in which nothing is due, at the time of its last one and half way to the next.
fn nothing_due(patient: &mut Patient<'_>, client: u32, last: &Taped, next: u64) -> Tried<()> {
    for now in [last.now, last.now + (next - last.now) / 2] {
        if last.next.is_some_and(|due| due <= now) || now == next && next > last.now {
            continue;
        }
        let step = patient.turn(client, now, &[])?;
        if !step.output.is_empty() || step.next != last.next {
            let said =
                |next: Option<u64>| next.map_or_else(|| "null".to_owned(), |next| next.to_string());
            let what = format!(
                "nothing was due at {}, and an empty turn there brought {} outputs and `next_us` {} \
                 instead of {}",
                Micros(now),
                step.output.len(),
                said(step.next),
                said(last.next),
            );
            return Err(patient.fault(what, ""));
        }
    }
    Ok(())
}

/// Real time between turns changes nothing.
pub(super) fn pauses(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let help = "nothing happens between turns: read no real clock, and let no thread, event loop or \
                socket of the SDK go on by itself";
    let Some(tape) = patient.tapes.first().cloned() else { return Ok(Outcome::NotClaimed) };
    let every = tape.turns.len().div_ceil(PAUSES).max(1);
    patient.lose();
    let client = patient.fresh_as(&tape.uid, tape.seed)?;
    for (at, taped) in tape.turns.iter().enumerate() {
        if at % every == 0 {
            std::thread::sleep(PAUSE);
        }
        again(patient, client, at, taped).map_err(|halt| explain(halt, help))?;
    }
    Ok(Outcome::Well(format!("{} of {PAUSE:?}", tape.turns.len().div_ceil(every))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown_with_what_is_before_it() {
        assert_eq!(difference("abc", "abd"), ("abc".to_owned(), "abd".to_owned()));
        let long = "ä".repeat(200);
        let (a, b) = difference(&format!("{long}1{long}"), &format!("{long}2"));
        assert_eq!(a, format!("…{}1{}…", "ä".repeat(30), "ä".repeat(69)));
        assert_eq!(b, format!("…{}2", "ä".repeat(30)));
    }
}
