//! Checks of the clock: that time is `now_us` and nothing else.
//!
//! Not responsible for what is due when.
//!
//! Invariant: real time is looked at only beside the time of the case, never alone.

use super::finding::{Outcome, Tried};
use super::frames::dials;
use super::patient::Patient;
use std::time::{Duration, Instant};

/// How far timers are followed.
const FAR: u64 = 3_600_000_000;
/// More turns than this at one instant are no idleness.
const MOST_AT_ONCE: usize = 1_000;
/// How many turns are enough.
const ENOUGH: usize = 1_200;
/// Real time beside less than this says nothing.
const LEAST: Duration = Duration::from_secs(2);
/// How long is looked at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do about a turn that takes as long as the case.
const NOT_REAL: &str =
    "a turn does what is due by `now_us` and returns: nothing in it waits for real";

/// Gives a client its turn at each of its timers, until an hour has passed or it has none. How many
/// turns it took, and when it ended.
fn follow(
    patient: &mut Patient<'_>,
    client: u32,
    mut now: u64,
    mut next: Option<u64>,
) -> Tried<(usize, u64, Option<u64>)> {
    let (begun, first) = (Instant::now(), now);
    let (mut turns, mut at_once) = (0, 0);
    while let Some(due) = next.filter(|due| *due < FAR) {
        at_once = if due == now { at_once + 1 } else { 0 };
        now = due;
        next = patient.turn(client, now, &[]).map_err(|halt| halt.advise(NOT_REAL))?.next;
        turns += 1;
        if at_once > MOST_AT_ONCE {
            let what = format!("it wanted more than {MOST_AT_ONCE} turns at one instant");
            let help = "fire what is due at `now_us` in the same turn; if its timer is due, and \
                        nothing comes of that, name another time";
            return Err(patient.fault(what, help));
        }
        let (took, passed) = (begun.elapsed(), Duration::from_micros(now - first));
        if passed >= LEAST && took >= passed / 2 {
            let what = format!("{passed:?} of the case took {took:?} for real");
            return Err(patient.fault(what, NOT_REAL));
        }
        if turns >= ENOUGH && at_once == 0 || took > PATIENCE {
            break;
        }
    }
    Ok((turns, now, next))
}

/// A client that nobody called stays quiet for an hour, which takes no time.
pub(super) fn quiet_hour(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let client = patient.fresh()?;
    let step = patient.turn(client, 0, &[])?;
    let (_, now, next) = follow(patient, client, 0, step.next)?;
    silent(patient, client, now, next)?;
    Ok(Outcome::well())
}

/// A client that has no timer does nothing an hour later.
fn silent(patient: &mut Patient<'_>, client: u32, now: u64, next: Option<u64>) -> Tried<()> {
    if next.is_some() {
        return Ok(());
    }
    let step = patient.turn(client, now + FAR, &[]).map_err(|halt| halt.advise(NOT_REAL))?;
    if !step.output.is_empty() || step.next.is_some() {
        let what = "`next_us` was null, and an hour later it did something without any input";
        let help = "with `next_us` null only input wakes the client, however late it is";
        return Err(patient.fault(what, help));
    }
    Ok(())
}

/// Timers come due one after the other, and take no real time.
pub(super) fn progress(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let Some(line) = dials(patient)? else { return Ok(Outcome::well()) };
    // Nothing answers its dials.
    let (turns, now, next) = follow(patient, line.client, line.now, line.next)?;
    silent(patient, line.client, now, next)?;
    Ok(Outcome::Well(match turns {
        0 => "there are none".to_owned(),
        1 => "followed 1".to_owned(),
        n => format!("followed {n}"),
    }))
}
