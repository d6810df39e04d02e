//! Reads when something happens: a duration, a range, or so long after a clock's start, also placed
//! around a documented time.
//!
//! Not responsible for drawing an instant from a range; the runner does, by the seed.
//!
//! Invariant: the ranges `before`, `at` and `after` of a time never touch, and only `at` reaches
//! within the profile's `late` of it.

use super::Stage;
use crate::diagnostic::{Sink, Span, shorten};
use crate::node::Node;
use crate::reader;
use smol_str::SmolStr;
use stateline_core::profile::Profile;
use stateline_core::scenario::{ClientIx, When};
use stateline_core::time::Micros;

/// The sides of a boundary, in the order of an `around` axis.
pub(super) const SIDES: [(&str, &str); 3] =
    [("before", "before"), ("at", "at"), ("after", "after")];

/// The documented times that a case probes.
#[derive(Debug, Default)]
pub(super) struct Boundaries(Vec<(SmolStr, SmolStr)>);

impl Boundaries {
    pub(super) fn add(&mut self, timer: SmolStr, side: &str) {
        let pair = (timer, SmolStr::from(side));
        if !self.0.contains(&pair) {
            self.0.push(pair);
        }
    }

    pub(super) fn into_pairs(self) -> Vec<(SmolStr, SmolStr)> {
        self.0
    }
}

/// Reads the name of a timer.
pub(super) fn timer(node: &Node, profile: &Profile, sink: &mut Sink) -> Option<SmolStr> {
    let name = reader::text(node, "a timer", sink)?;
    if profile.timers.contains_key(name) {
        return Some(name.into());
    }
    sink.unknown(node.span.clone(), "timer", name, profile.timers.keys().map(SmolStr::as_str));
    None
}

/// Reads `10s`, `8s..12s`, `TIMER`, `CLOCK + 29s`, `CLOCK(client) + before(TIMER)`. Without a client
/// the clock is that of `client`.
pub(super) fn when(
    node: &Node,
    client: Option<ClientIx>,
    stage: &Stage<'_>,
    probed: &mut Boundaries,
    sink: &mut Sink,
) -> Option<When> {
    let text = reader::text(node, "a time", sink)?;
    let mut reading = Reading { node, stage, probed, sink };
    let (base, offset) = match text.split_once('+') {
        Some((base, offset)) => {
            let base = reading.clock(trimmed(base, 0), client);
            (Some(base), trimmed(offset, text.len() - offset.len()))
        }
        None => (None, trimmed(text, 0)),
    };
    let range = reading.offset(offset, base.is_none());
    let base = match base {
        Some(base) => Some(base?),
        None => None,
    };
    let (min, max) = range?;
    Some(When { base, min, max })
}

/// A part of a text without the blanks around it, and where it stands.
type Part<'a> = (&'a str, Span);

fn trimmed(text: &str, at: usize) -> Part<'_> {
    let start = at + text.len() - text.trim_start().len();
    let text = text.trim();
    (text, start..start + text.len())
}

struct Reading<'a, 's> {
    node: &'a Node,
    stage: &'a Stage<'a>,
    probed: &'s mut Boundaries,
    sink: &'s mut Sink,
}

impl Reading<'_, '_> {
    fn clock(
        &mut self,
        (text, span): Part<'_>,
        client: Option<ClientIx>,
    ) -> Option<(ClientIx, usize)> {
        let clocks = &self.stage.profile.clocks;
        let (name, of) = match text.split_once('(') {
            Some((name, rest)) => (name.trim(), Some(rest.trim_end_matches(')').trim())),
            None => (text, None),
        };
        let clock = clocks.iter().position(|clock| clock.name == name);
        if clock.is_none() {
            let known = clocks.iter().map(|clock| clock.name.as_str());
            self.sink.unknown(self.node.part(span.clone()), "clock", name, known);
        }
        let client = match of {
            Some(of) => {
                let found = self.stage.clients.iter().position(|client| client.name == of);
                if found.is_none() {
                    let known = self.stage.clients.iter().map(|client| client.name.as_str());
                    self.sink.unknown(self.node.part(span), "client", of, known);
                }
                found
            }
            None => Some(client.unwrap_or(0)),
        };
        Some((client?, clock?))
    }

    fn offset(&mut self, (text, span): Part<'_>, alone: bool) -> Option<(Micros, Micros)> {
        for (side, _) in SIDES {
            let inner = text
                .strip_prefix(side)
                .and_then(|rest| rest.trim().strip_prefix('(')?.strip_suffix(')'));
            if let Some(timer) = inner {
                return self.around(side, timer.trim(), span);
            }
        }
        let Some((from, to)) = text.split_once("..") else {
            let time = self.time((text, span), alone)?;
            return Some((time, time));
        };
        let min = self.time(trimmed(from, span.start), alone);
        let max = self.time(trimmed(to, span.end - to.len()), alone);
        let (min, max) = (min?, max?);
        if min > max {
            self.sink.error(
                self.node.part(span),
                "the range ends before it starts",
                format!("{min} is more than {max}"),
            );
            return None;
        }
        Some((min, max))
    }

    fn time(&mut self, (text, span): Part<'_>, alone: bool) -> Option<Micros> {
        let profile = self.stage.profile;
        if let Some(time) = profile.timers.get(text).or_else(|| profile.caps.get(text)) {
            return Some(*time);
        }
        let at = self.node.part(span);
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return Micros::parse(text)
                .map_err(|why| {
                    let title = format!("`{}` is no duration: {why}", shorten(text));
                    self.sink
                        .error(at, title, "not a duration")
                        .help("write a number and a unit: 250ms, 4s, 2m");
                })
                .ok();
        }
        let known = profile.timers.keys().chain(profile.caps.keys()).map(SmolStr::as_str);
        let told = self.sink.unknown(at, "timer or cap", text, known);
        if alone && profile.clocks.iter().any(|clock| clock.name == text) {
            told.help(format!("`{text}` is a clock: write `{text} + 5s`"));
        }
        None
    }

    /// The range on one side of a documented time, wide enough that no conforming client's lateness
    /// carries it over, and as near as that allows.
    fn around(&mut self, side: &'static str, timer: &str, span: Span) -> Option<(Micros, Micros)> {
        let profile = self.stage.profile;
        let Some(time) = profile.timers.get(timer).copied() else {
            let known = profile.timers.keys().map(SmolStr::as_str);
            self.sink.unknown(self.node.part(span), "timer", timer, known);
            return None;
        };
        self.probed.add(timer.into(), side);
        let tenths = |n: u64| Micros(profile.tolerance.late.0.saturating_mul(n) / 10);
        Some(match side {
            "before" => (time - tenths(30), time - tenths(15)),
            "at" => (time - tenths(9), time + tenths(9)),
            _ => (time + tenths(15), time + tenths(30)),
        })
    }
}
