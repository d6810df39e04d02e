//! Folds what repeats in a trace: heartbeats, dials that all end alike, refusals of the server.
//!
//! It knows no protocol: the same few words over and over are a run, whatever they are. Not responsible
//! for showing it.
//!
//! Invariant: a run holds nothing but what it says; whatever differs stands outside.

use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};
use std::collections::BTreeMap;

/// So many beats that are alike are a run.
const LEAST: usize = 3;
/// Events of one beat, at most.
const LONGEST: usize = 3;

/// Things that are alike and follow one another, told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) from: Micros,
    pub(super) to: Micros,
    /// What it is, with how often: `14 × ping, pong`.
    pub(super) text: String,
}

/// A dial and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dial {
    pub(super) from: Micros,
    pub(super) to: Option<Micros>,
    pub(super) outcome: Outcome,
    /// The number of its end.
    end: Option<u32>,
}

/// How a dial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Opened,
    Failed,
    /// The client gave it up.
    Given,
    /// The case ended first.
    Pending,
}

impl Outcome {
    /// As a label says it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Opened => "dial ✓",
            Self::Failed => "dial ✗",
            Self::Given => "dial given up",
            Self::Pending => "dial, no answer",
        }
    }
}

/// A client's frames and dials, folded.
#[derive(Clone, Debug, Default)]
pub(super) struct Folded<'a> {
    pub(super) frames: Vec<&'a Event>,
    pub(super) beats: Vec<Run>,
    pub(super) dials: Vec<Dial>,
    pub(super) redials: Vec<Run>,
    /// What else happened to the link.
    pub(super) link: Vec<&'a Event>,
    pub(super) signals: Vec<&'a Event>,
    pub(super) resignals: Vec<Run>,
    /// The first event of each run, by number, with the run.
    heads: BTreeMap<u32, Run>,
    /// The events within runs, each with the first one of its run.
    within: BTreeMap<u32, u32>,
}

impl<'a> Folded<'a> {
    /// What repeats in a client's part of a trace. The events in `apart` are never folded.
    pub(super) fn of(trace: &'a [Event], client: &str, apart: &[u32]) -> Self {
        let mine = || trace.iter().filter(|event| event.client.as_deref() == Some(client));
        let mut folded = Self::default();
        let on = |plane| mine().filter(|event| event.plane == plane).collect::<Vec<_>>();
        folded.fold_frames(&on(Plane::Wire), apart);
        folded.fold_network(&on(Plane::Network), apart);
        folded.fold_signals(&on(Plane::Server), apart);
        folded
    }

    /// The run that begins with an event.
    pub(super) fn begins(&self, n: u32) -> Option<&Run> {
        self.heads.get(&n)
    }

    /// Whether an event is told as part of a run.
    pub(super) fn holds(&self, n: u32) -> bool {
        self.within.contains_key(&n)
    }

    /// The first event of the run that an event is part of.
    pub(super) fn head_of(&self, n: u32) -> Option<u32> {
        self.within.get(&n).copied()
    }

    fn fold_frames(&mut self, frames: &[&'a Event], apart: &[u32]) {
        let word = |event: &Event| (dir(event).to_owned(), message(event).to_owned());
        for piece in pieces(frames, apart, word, is_close) {
            match piece {
                Piece::One(event) => self.frames.push(event),
                Piece::Run { events, period } => {
                    let told: Vec<&str> =
                        events[..period].iter().map(|event| message(event)).collect();
                    let run = run(events, period, &told.join(", "));
                    self.take(run.clone(), events);
                    self.beats.push(run);
                }
            }
        }
    }

    fn fold_network(&mut self, network: &[&'a Event], apart: &[u32]) {
        let word = |event: &Event| {
            let by = event.data.text("by").unwrap_or_default();
            (event.kind.to_string(), by.to_owned())
        };
        let mut alone = Vec::new();
        for piece in pieces(network, apart, word, is_dial) {
            match piece {
                Piece::One(event) => alone.push(event),
                Piece::Run { events, period } => {
                    let dials = dials(events[..period].iter().copied());
                    let ends = dials.iter().filter_map(|dial| dial.end).collect::<Vec<_>>();
                    let rest = events[..period]
                        .iter()
                        .filter(|event| event.kind != "attempt" && !ends.contains(&event.n));
                    let told = dials.iter().map(|dial| dial.outcome.word().to_owned());
                    let told: Vec<String> = told.chain(rest.map(|event| lost(event))).collect();
                    let run = run(events, period, &told.join(", "));
                    self.take(run.clone(), events);
                    self.redials.push(run);
                }
            }
        }
        self.dials = dials(alone.iter().copied());
        let ends: Vec<u32> = self.dials.iter().filter_map(|dial| dial.end).collect();
        let is_link = |event: &&Event| event.kind != "attempt" && !ends.contains(&event.n);
        self.link = alone.into_iter().filter(is_link).collect();
    }

    fn fold_signals(&mut self, signals: &[&'a Event], apart: &[u32]) {
        for piece in pieces(signals, apart, |event| event.kind.to_string(), |_| true) {
            match piece {
                Piece::One(event) => self.signals.push(event),
                Piece::Run { events, period } => {
                    let told: Vec<&str> =
                        events[..period].iter().map(|event| signal(event)).collect();
                    let run = run(events, period, &told.join(", "));
                    self.take(run.clone(), events);
                    self.resignals.push(run);
                }
            }
        }
    }

    fn take(&mut self, run: Run, events: &[&Event]) {
        let Some(first) = events.first().map(|event| event.n) else { return };
        self.heads.insert(first, run);
        self.within.extend(events.iter().map(|event| (event.n, first)));
    }
}

/// A part of a list of events.
enum Piece<'s, 'a> {
    One(&'a Event),
    /// The same few events over and over.
    Run {
        events: &'s [&'a Event],
        period: usize,
    },
}

/// Cuts a list of events where the same few words, at most [`LONGEST`], begin to repeat and where they end.
/// `is_whole` says where a beat may begin; it is asked with the first event of the next one.
fn pieces<'s, 'a, W: PartialEq>(
    events: &'s [&'a Event],
    apart: &[u32],
    word: impl Fn(&Event) -> W,
    is_whole: impl Fn(&[&Event]) -> bool,
) -> Vec<Piece<'s, 'a>> {
    let words: Vec<W> = events.iter().map(|event| word(event)).collect();
    let is_apart = |at: usize| apart.contains(&events[at].n);
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(event) = events.get(at) {
        let repeats = |period: &usize| {
            let mut end = at;
            while end < events.len()
                && !is_apart(end)
                && words[end] == words[at + (end - at) % period]
            {
                end += 1;
            }
            (end - at) / period
        };
        let is_beat = |period: &usize| {
            repeats(period) >= LEAST && is_whole(&events[at..(at + period + 1).min(events.len())])
        };
        let period = (1..=LONGEST).find(is_beat);
        let Some(period) = period else {
            pieces.push(Piece::One(event));
            at += 1;
            continue;
        };
        let end = at + repeats(&period) * period;
        pieces.push(Piece::Run { events: &events[at..end], period });
        at = end;
    }
    pieces
}

/// What belongs together is nearer to one another than to the next of its kind: an answer to its question.
fn is_close(beat: &[&Event]) -> bool {
    let gaps: Vec<Micros> = beat.windows(2).map(|pair| pair[1].at.since(pair[0].at)).collect();
    gaps.split_last().is_none_or(|(between, within)| within.iter().all(|gap| gap <= between))
}

/// A beat with a dial begins with it.
fn is_dial(beat: &[&Event]) -> bool {
    let of_beat = beat.split_last().map_or(beat, |(_, rest)| rest);
    !of_beat.iter().skip(1).any(|event| event.kind == "attempt")
}

fn run(events: &[&Event], period: usize, told: &str) -> Run {
    Run {
        from: events.first().map(|event| event.at).unwrap_or_default(),
        to: events.last().map(|event| event.at).unwrap_or_default(),
        text: format!("{} × {told}", events.len() / period),
    }
}

fn dir(event: &Event) -> &str {
    event.data.text("dir").unwrap_or_default()
}

/// The end of a connection, as a label says it.
pub(super) fn lost(event: &Event) -> String {
    event
        .data
        .text("by")
        .map_or_else(|| event.kind.to_string(), |by| format!("{} by {by}", event.kind))
}

/// What a signal of the server is called.
pub(super) fn signal(event: &Event) -> &str {
    event.kind.strip_prefix("server.").unwrap_or(&event.kind)
}

/// What a frame is called.
pub(super) fn message(event: &Event) -> &str {
    event.data.text("message").unwrap_or_default()
}

fn dials<'a>(network: impl Iterator<Item = &'a Event>) -> Vec<Dial> {
    let mut dials: Vec<(i64, Dial)> = Vec::new();
    for event in network {
        let conn = event.data.int("conn").unwrap_or_default();
        if event.kind == "attempt" {
            let dial = Dial { from: event.at, to: None, outcome: Outcome::Pending, end: None };
            dials.push((conn, dial));
            continue;
        }
        let outcome = match event.kind.as_str() {
            "opened" => Outcome::Opened,
            "failed" => Outcome::Failed,
            "closed" => Outcome::Given,
            _ => continue,
        };
        let open = dials.iter_mut().rev().find(|(of, dial)| *of == conn && dial.to.is_none());
        if let Some((_, dial)) = open {
            dial.to = Some(event.at);
            dial.outcome = outcome;
            dial.end = Some(event.n);
        }
    }
    dials.into_iter().map(|(_, dial)| dial).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stateline_core::value::Fields;

    fn frames(words: &str) -> Vec<Event> {
        let event = |(n, word): (usize, &str)| {
            let (dir, message) = word.split_at(1);
            let dir = if dir == ">" { "sent" } else { "received" };
            Event {
                n: u32::try_from(n).unwrap(),
                at: Micros::from_secs(n as u64),
                client: Some("alice".into()),
                plane: Plane::Wire,
                kind: "frame".into(),
                data: Fields::new().with("dir", dir).with("message", message),
            }
        };
        words.split(' ').enumerate().map(event).collect()
    }

    fn told(words: &str, apart: &[u32]) -> (Vec<String>, Vec<String>) {
        let trace = frames(words);
        let folded = Folded::of(&trace, "alice", apart);
        for event in &trace {
            let alone = folded.frames.iter().any(|frame| frame.n == event.n);
            assert_ne!(alone, folded.holds(event.n), "{} is told once", event.n);
        }
        (
            folded.beats.iter().map(|run| run.text.clone()).collect(),
            folded.frames.iter().map(|event| message(event).to_owned()).collect(),
        )
    }

    #[test]
    fn beats_that_are_alike_are_a_run() {
        let (runs, rest) =
            told(">login <ok >ping <pong >ping <pong >ping <pong >ping >ping >ping >ping", &[]);
        assert_eq!(runs, ["3 × ping, pong", "4 × ping"]);
        assert_eq!(rest, ["login", "ok"]);
    }

    #[test]
    fn two_are_no_run_and_other_frames_end_one() {
        let (runs, rest) = told(">a <b >a <b >c <d >a <b >a <b", &[]);
        assert!(runs.is_empty(), "{runs:?}");
        assert_eq!(rest.len(), 10);
    }

    #[test]
    fn the_event_that_matters_stands_alone() {
        let (runs, rest) = told(">a >a >a >a >a >a >a", &[3]);
        assert_eq!(runs, ["3 × a", "3 × a"]);
        assert_eq!(rest, ["a"]);
    }

    #[test]
    fn dials_that_end_alike_are_a_run() {
        let event = |n: u32, kind: &str, conn: i64| Event {
            n,
            at: Micros::from_secs(n.into()),
            client: Some("alice".into()),
            plane: Plane::Network,
            kind: kind.into(),
            data: Fields::new().with("conn", conn),
        };
        let mut trace = Vec::new();
        for conn in 0..5 {
            let n = u32::try_from(conn).unwrap() * 2;
            trace.push(event(n, "attempt", conn));
            trace.push(event(n + 1, if conn == 4 { "opened" } else { "failed" }, conn));
        }
        let folded = Folded::of(&trace, "alice", &[]);
        assert_eq!(folded.redials.len(), 1);
        assert_eq!(folded.redials[0].text, "4 × dial ✗");
        assert_eq!(folded.begins(0), Some(&folded.redials[0]));
        assert_eq!(folded.dials.len(), 1);
        assert_eq!(folded.dials[0].outcome, Outcome::Opened);
        assert!(folded.holds(7) && !folded.holds(8));
    }
}
