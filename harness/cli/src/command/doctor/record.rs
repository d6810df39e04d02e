//! Records what a client does in cases of its profile, to ask for the same again.
//!
//! A case is played as `run` plays it, with the scripted server and network; what it comes to is of no
//! interest here. Not responsible for comparing.
//!
//! Invariant: a tape holds every turn of its client, in order.

use super::clients::{EPOCH_MS, SEED, UID};
use super::finding::{Halt, Outcome, Tried};
use super::patient::Patient;
use super::requests::call;
use crate::command::run::stage;
use crate::suite::Contract;
use serde_json::{Value, json};
use smol_str::SmolStr;
use stateline_client::fault::FaultId;
use stateline_client::protocol::{Inputs, LARGEST};
use stateline_core::profile::Profile;
use stateline_core::scenario::{Case, ClientIx};
use stateline_core::time::Micros;
use stateline_core::turn::{Input, Open, Turn};
use stateline_runner::plan::planned;
use stateline_runner::source::{Broken, Cast, Ended, Refusal, Source};
use stateline_runner::virtual_time::play;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many cases are tried, where they are not applicable.
const TRIES: usize = 12;
/// Cases that are longer than this are not tried.
const LONGEST: Micros = Micros::from_secs(120);

/// What a client did in a case.
#[derive(Clone, Debug, Default)]
pub(super) struct Tape {
    /// The user.
    pub(super) uid: SmolStr,
    /// The client's seed.
    pub(super) seed: u64,
    /// Its turns.
    pub(super) turns: Vec<Taped>,
}

/// A turn with its answer.
#[derive(Clone, Debug)]
pub(super) struct Taped {
    /// The time.
    pub(super) now: u64,
    /// What arrived.
    pub(super) input: Vec<Value>,
    /// The result.
    pub(super) result: Value,
    /// When its next timer is due.
    pub(super) next: Option<u64>,
}

/// Plays some cases, and keeps what the client did.
pub(super) fn cases(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let Some(contract) = patient.contract else { return plain(patient) };
    let mut seen: Vec<(&str, usize)> = Vec::new();
    for order in orders(contract) {
        for case in order.into_iter().take(TRIES) {
            if seen.iter().any(|(id, _)| *id == short(case)) {
                continue;
            }
            if let Some(tape) = record(patient, contract, case)? {
                seen.push((short(case), tape.turns.len()));
                patient.tapes.push(tape);
                break;
            }
        }
    }
    if seen.is_empty() {
        return plain(patient);
    }
    let seen: Vec<String> =
        seen.iter().map(|(id, turns)| format!("{id} ({turns} turns)")).collect();
    Ok(Outcome::Well(seen.join(", ")))
}

/// The id of a case without its profile.
fn short(case: &Case) -> &str {
    case.id.split_once('/').map_or(case.id.as_str(), |(_, short)| short)
}

/// Cases of one client, one of each scenario: those first that show the most, and those first that do
/// the most. One is recorded of each order.
fn orders(contract: &Contract) -> [Vec<&Case>; 2] {
    let length = |case: &Case| planned(&contract.profile, &contract.settings, case);
    let mut cases: Vec<&Case> = contract
        .scenarios
        .iter()
        .filter_map(|scenario| scenario.cases.first())
        .filter(|case| case.clients.len() == 1 && case.needs.is_empty())
        .filter(|case| length(case) <= LONGEST)
        .collect();
    cases.sort_by(|a, b| b.named.len().cmp(&a.named.len()).then_with(|| a.id.cmp(&b.id)));
    let mut eventful = cases.clone();
    eventful.sort_by_key(|case| std::cmp::Reverse(case.preamble.len() + case.body.len()));
    [cases, eventful]
}

/// A few turns without any server, where there is no case to play.
fn plain(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let client = patient.fresh()?;
    let mut tape = Tape { uid: UID.into(), seed: SEED, turns: Vec::new() };
    let mut now = 0;
    let ops = patient.methods(UID);
    let mut calls = ops.iter().enumerate();
    for _ in 0..20 {
        let input: Vec<Value> =
            calls.next().map(|(n, (op, args))| call(n, op, args)).into_iter().collect();
        let step = patient.turn(client, now, &input)?;
        tape.turns.push(Taped { now, input, result: step.result, next: step.next });
        now = step.next.map_or(now + 1_000, |next| next.min(now + 1_000_000));
    }
    patient.tapes.push(tape);
    Ok(Outcome::Well("some turns, because no case can be played with it".to_owned()))
}

/// Plays a case. `None`: it is nothing for this client.
fn record(patient: &mut Patient<'_>, contract: &Contract, case: &Case) -> Tried<Option<Tape>> {
    let recorder =
        Recorder { studio: Mutex::new(Studio { patient, tape: Tape::default(), halt: None }) };
    let played = play(stage(contract, false), case, 0, 0, &recorder, 0);
    let Studio { patient, tape, halt } =
        recorder.studio.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(halt) = halt {
        return Err(halt);
    }
    if let Some(error) = played.conduct.error {
        let what = format!("in {}: {error}", short(case));
        if !error.starts_with(FaultId::NotIdle.as_str()) {
            return Err(patient.fault(what, "see the messages with --log-dir DIR"));
        }
        // Found at its end, and told by the check of empty turns.
        if let Halt::Fault(finding) = patient.fault(what, "") {
            patient.not_idle.get_or_insert(*finding);
        }
    }
    Ok(played.not_applicable.is_none().then_some(tape))
}

/// The adapter as the source of a case's one client.
struct Recorder<'m, 'a> {
    studio: Mutex<Studio<'m, 'a>>,
}

struct Studio<'m, 'a> {
    patient: &'m mut Patient<'a>,
    tape: Tape,
    halt: Option<Halt>,
}

impl<'m, 'a> Recorder<'m, 'a> {
    fn studio(&self) -> MutexGuard<'_, Studio<'m, 'a>> {
        // Only one thread is here.
        self.studio.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Studio<'_, '_> {
    /// Keeps why it cannot go on; what the case makes of it is thrown away.
    fn keep(&mut self, halt: Halt) -> Broken {
        self.halt.get_or_insert(halt);
        Broken::Fault(String::new())
    }
}

impl Source for Recorder<'_, '_> {
    fn open<'s>(
        &'s self,
        _worker: usize,
        _profile: &Profile,
        _case: &Case,
        clients: &[Open],
    ) -> Result<Box<dyn Cast + 's>, Refusal> {
        let mut studio = self.studio();
        let [open] = clients else {
            return Err(Refusal::NotApplicable("it has several clients".to_owned(), String::new()));
        };
        // Other cases begin at other times of day; those played here do not.
        debug_assert_eq!(open.epoch_ms, EPOCH_MS, "cases begin when clients of this module do");
        let seed = open.seed % LARGEST;
        studio.tape = Tape { uid: open.uid.clone(), seed, turns: Vec::new() };
        // What was left behind by others would be taped, too.
        studio.patient.lose();
        match studio.patient.fresh_as(&open.uid, seed) {
            Ok(client) => Ok(Box::new(Take { home: self, client })),
            Err(halt) => Err(Refusal::Broken(studio.keep(halt), String::new())),
        }
    }
}

/// More turns in one short case than this are a mistake, and would be played for minutes.
const MOST_TURNS: usize = 5_000;

/// The client of the case.
struct Take<'s, 'm, 'a> {
    home: &'s Recorder<'m, 'a>,
    client: u32,
}

impl Cast for Take<'_, '_, '_> {
    fn turn(&mut self, _client: ClientIx, now: Micros, input: Vec<Input>) -> Result<Turn, Broken> {
        let mut studio = self.home.studio();
        if studio.tape.turns.len() >= MOST_TURNS {
            let what = format!("{MOST_TURNS} turns, and the case is at {now} only");
            let help = "timers in a quick row: are `next_us` and the SDK's delays microseconds? Every turn \
                        is played several times, so this was not gone on with";
            let halt = studio.patient.fault(what, help);
            return Err(studio.keep(halt));
        }
        let input = match serde_json::to_value(Inputs(&input)) {
            Ok(Value::Array(input)) => input,
            _ => vec![json!(null)],
        };
        match studio.patient.turn(self.client, now.0, &input) {
            Ok(step) => {
                let (result, next) = (step.result, step.next);
                studio.tape.turns.push(Taped { now: now.0, input, result, next });
                Ok(Turn { output: step.output, next: next.map(Micros) })
            }
            Err(halt) => Err(studio.keep(halt)),
        }
    }

    fn end(self: Box<Self>, _spoilt: bool, _redact: &dyn Fn(&str) -> SmolStr) -> Ended {
        // The next client of the adapter closes it.
        Ended::default()
    }
}
