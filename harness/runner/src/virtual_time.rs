//! The virtual executor: one engine, no clock of any runtime.
//!
//! It advances to the earliest deadline of anybody. At one instant: network, server, scenario,
//! then clients by name, repeated until quiet. Not responsible for threads or for what a verdict
//! means.
//!
//! Invariant: two plays of a case with one seed are the same trace.

use crate::play::{Next, Play, Played, Stage, Start, Watch};
use crate::source::{Cast, Ended, Refusal, Source};
use stateline_core::scenario::Case;
use stateline_core::time::Micros;

/// More rounds at one instant than this are a client that never gets idle.
const MOST_ROUNDS: u32 = 1_000;
/// More instants in one case than this are a client that lives on its own timers.
const MOST_INSTANTS: u32 = 100_000;
/// Wall clock at the start of every virtual case: 2024-01-01T00:00:00Z.
const EPOCH_MS: u64 = 1_704_067_200_000;

/// Plays a case on the given thread of a source.
#[must_use]
pub fn play(
    stage: Stage<'_>,
    case: &Case,
    repeat: u32,
    seed: u64,
    source: &dyn Source,
    worker: usize,
) -> Played {
    let play = Play::new(Start { stage, case, repeat, seed, epoch_ms: EPOCH_MS });
    let opened = source.open(worker, stage.profile, case, &play.opens);
    let timers = vec![Some(Micros::ZERO); case.clients.len()];
    let mut engine = Engine { case, play, cast: None, timers, watch: stage.watch };
    match opened {
        Ok(cast) => {
            engine.cast = Some(cast);
            engine.run();
        }
        Err(Refusal::NotApplicable(why, stderr)) => {
            engine.play.stderr = stderr;
            engine.play.not_applicable = Some(why);
        }
        Err(Refusal::Broken(broken, stderr)) => {
            engine.play.stderr = stderr;
            engine.play.breaks(broken);
        }
    }
    engine.end()
}

struct Engine<'p> {
    case: &'p Case,
    play: Play<'p>,
    cast: Option<Box<dyn Cast + 'p>>,
    /// When each client wants its next turn.
    timers: Vec<Option<Micros>>,
    watch: Option<&'p dyn Watch>,
}

impl Engine<'_> {
    fn run(&mut self) {
        let mut now = Micros::ZERO;
        for _ in 0..MOST_INSTANTS {
            if !self.instant(now) {
                return;
            }
            let due = match self.play.next() {
                Next::End => return,
                Next::At(due) => Some(due),
                Next::Nothing => None,
            };
            match self.timers.iter().copied().flatten().chain(due).min() {
                Some(next) => now = next.max(now),
                None => return,
            }
        }
        let text = format!("never-idle: more than {MOST_INSTANTS} instants by {now}");
        self.play.conduct.error = Some(text);
    }

    /// Everything that happens at this instant. False: the case cannot go on.
    fn instant(&mut self, now: Micros) -> bool {
        self.play.advance(now);
        for _ in 0..MOST_ROUNDS {
            let mut busy = self.play.stir();
            for at in 0..self.timers.len() {
                busy |= self.turn(at);
                if self.play.is_spoilt() {
                    return false;
                }
            }
            if self.play.is_spoilt() {
                return false;
            }
            if !busy {
                return true;
            }
        }
        self.play.conduct.error = Some(self.restless());
        false
    }

    /// Who keeps an instant from ending.
    fn restless(&self) -> String {
        let now = self.play.now();
        let who = (0..self.timers.len()).find(|at| self.is_due(*at));
        let who = who.map(|at| &self.case.clients[at].name);
        let who = who.map_or_else(String::new, |name| {
            format!(": {name} wants one turn after the other, as if its clock stood still")
        });
        format!("never-idle: more than {MOST_ROUNDS} turns at {now}{who}")
    }

    fn is_due(&self, client: usize) -> bool {
        self.timers[client].is_some_and(|next| next <= self.play.now())
    }

    /// Gives a client its turn, if it has anything to do.
    fn turn(&mut self, client: usize) -> bool {
        if !self.play.has_inbox(client) && !self.is_due(client) {
            return false;
        }
        let input = self.play.take_inbox(client);
        let Some(cast) = &mut self.cast else { return false };
        let turn = match cast.turn(client, self.play.now(), input) {
            Ok(turn) => turn,
            Err(broken) => {
                self.play.breaks(broken);
                return false;
            }
        };
        self.timers[client] = turn.next;
        for output in turn.output {
            if !self.play.done(client, output) {
                return false;
            }
        }
        if let Some(watch) = self.watch {
            watch.turn(self.play.now(), &self.case.clients[client].name, turn.next);
        }
        true
    }

    /// A client that said when it would do something next does nothing when asked before.
    fn make_sure(&mut self) {
        let clients = 0..self.timers.len();
        if clients.clone().any(|client| self.play.has_inbox(client) || self.is_due(client)) {
            return;
        }
        for at in clients {
            let Some(cast) = &mut self.cast else { return };
            let name = &self.case.clients[at].name;
            match cast.turn(at, self.play.now(), Vec::new()) {
                Ok(turn) if turn.output.is_empty() => {}
                Ok(turn) => {
                    let said = self.timers[at].map_or_else(
                        || "that it had no timer".to_owned(),
                        |next| format!("that its next timer was due at {next}"),
                    );
                    let n = turn.output.len();
                    let text = format!(
                        "adapter-not-idle: {name} had said {said}, and did {n} more things when asked at {}",
                        self.play.now()
                    );
                    self.play.conduct.error.get_or_insert(text);
                }
                Err(broken) => self.play.breaks(broken),
            }
        }
    }

    fn end(mut self) -> Played {
        if !self.play.is_spoilt() {
            self.make_sure();
        }
        let ended = match self.cast.take() {
            Some(cast) => {
                let spoilt = self.play.conduct.error.is_some() || self.play.interrupted;
                cast.end(spoilt, &|text| self.play.redact(text))
            }
            None => Ended::default(),
        };
        self.play.end(ended)
    }
}
