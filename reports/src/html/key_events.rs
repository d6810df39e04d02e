//! The events of a case that matter, as a short table: what repeats is folded, what is far from the first
//! finding is left out and counted.
//!
//! Not responsible for the drawing above it, nor for markup.
//!
//! Invariant: no more than [`MOST`] events or runs are chosen; the event that shows the first finding, or the instant at
//! which it was overdue, is always among them; each event is shown,
//! folded or counted, once; notes of the harness are none.

use super::fold::{Folded, Run};
use super::path::{Departure, main_client};
use super::timeline::Detail;
use crate::text;
use stateline_core::record::CaseRecord;
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};

/// Events and runs of a table.
pub(super) const MOST: usize = 56;
/// A gap of so few events is filled: saying that they are left out takes as much room.
const FILLED: usize = 2;
/// Events of the table of a pass.
const MOST_OF_A_PASS: usize = 16;

/// A line of the table.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// Something happened.
    Event { event: &'a Event, marked: bool },
    /// Things that are alike happened.
    Run { at: Micros, client: &'a str, plane: &'static str, text: String, until: Micros },
    /// The deadline of the first finding passed.
    Overdue(Micros),
    /// So many events are not shown.
    Gap(usize),
}

/// The lines for a case.
pub(super) fn lines<'a>(
    case: &'a CaseRecord,
    departure: Option<&Departure>,
    detail: Detail,
) -> Vec<Line<'a>> {
    let client = main_client(case);
    let shows = departure.and_then(|departure| departure.n);
    let apart: Vec<u32> = shows.into_iter().collect();
    let folded = Folded::of(&case.trace, &client, &apart);
    let trace = case.trace.as_slice();
    let centre = departure.map_or(0, |departure| match departure.n {
        Some(n) => trace.partition_point(|event| event.n < n),
        None => trace.partition_point(|event| event.at <= departure.at),
    });
    let cause = departure.and_then(|departure| cause(case, departure, &client));
    let level = |event: &Event| level(event, &client, &folded, shows, cause, detail);
    let mut wanted: Vec<(u8, usize, usize)> = trace
        .iter()
        .enumerate()
        .filter_map(|(at, event)| level(event).map(|level| (level, at.abs_diff(centre), at)))
        .collect();
    wanted.sort_unstable();
    wanted.truncate(if detail == Detail::Full { MOST } else { MOST_OF_A_PASS });
    let mut shown: Vec<usize> = wanted.into_iter().map(|(_, _, at)| at).collect();
    shown.sort_unstable();
    if detail == Detail::Full {
        fill(&mut shown, trace, &folded);
    }

    let overdue = departure.filter(|departure| departure.n.is_none()).map(|departure| departure.at);
    let mut lines = Vec::new();
    let mut told = Told { overdue, hidden: 0 };
    let mut next = shown.iter().copied().peekable();
    for (at, event) in trace.iter().enumerate() {
        told.pass(&mut lines, event.at);
        if next.next_if_eq(&at).is_none() {
            // What a run that is shown holds is told by it.
            told.hidden += usize::from(!is_note(event) && !is_told(&folded, trace, &shown, event));
            continue;
        }
        told.gap(&mut lines);
        lines.push(match folded.begins(event.n) {
            Some(run) => run_line(event, run),
            None => Line::Event { event, marked: shows == Some(event.n) },
        });
    }
    told.pass(&mut lines, Micros::MAX);
    told.gap(&mut lines);
    lines
}

/// Shows what stands alone between events that are shown.
fn fill(shown: &mut Vec<usize>, trace: &[Event], folded: &Folded<'_>) {
    let between = shown.windows(2).map(|pair| pair[0] + 1..pair[1]);
    let small = between.filter(|gap| gap.len() <= FILLED).flatten();
    let alone = small.filter(|at| !folded.holds(trace[*at].n)).collect::<Vec<_>>();
    shown.extend(alone);
    shown.sort_unstable();
}

/// What is still to be told on the way through a trace.
struct Told {
    overdue: Option<Micros>,
    hidden: usize,
}

impl Told {
    fn gap<'a>(&mut self, lines: &mut Vec<Line<'a>>) {
        if self.hidden > 0 {
            lines.push(Line::Gap(std::mem::take(&mut self.hidden)));
        }
    }

    fn pass<'a>(&mut self, lines: &mut Vec<Line<'a>>, at: Micros) {
        if let Some(overdue) = self.overdue.take_if(|overdue| *overdue < at) {
            self.gap(lines);
            lines.push(Line::Overdue(overdue));
        }
    }
}

fn run_line<'a>(event: &'a Event, run: &Run) -> Line<'a> {
    Line::Run {
        at: run.from,
        client: event.client.as_deref().unwrap_or_default(),
        plane: text::plane(event.plane),
        text: run.text.clone(),
        until: run.to,
    }
}

/// What the harness notes for itself is no event of the case.
fn is_note(event: &Event) -> bool {
    event.plane == Plane::Harness && event.kind == "note"
}

/// Whether an event is part of a run whose first event is shown.
fn is_told(folded: &Folded<'_>, trace: &[Event], shown: &[usize], event: &Event) -> bool {
    folded
        .head_of(event.n)
        .is_some_and(|head| shown.binary_search_by(|at| trace[*at].n.cmp(&head)).is_ok())
}

/// The event that began the wait that the first finding is about.
fn cause(case: &CaseRecord, departure: &Departure, client: &str) -> Option<u32> {
    let waits = case.story.iter().flat_map(|story| &story.waits);
    let mine = waits.filter(|wait| wait.client == *client && wait.row == departure.row);
    let before = mine.filter(|wait| wait.ended.is_none_or(|ended| ended >= departure.at));
    before.map(|wait| wait.cause).next()
}

/// How much an event matters, the least number most; none: not at all.
fn level(
    event: &Event,
    client: &str,
    folded: &Folded<'_>,
    shows: Option<u32>,
    cause: Option<u32>,
    detail: Detail,
) -> Option<u8> {
    let is_one = |n: Option<u32>| n == Some(event.n);
    if is_one(shows) || is_one(cause) {
        return Some(0);
    }
    if event.plane == Plane::Control {
        return Some(1);
    }
    if detail == Detail::Small {
        return None;
    }
    let mine = event.client.as_deref().is_none_or(|name| name == client);
    match event.plane {
        _ if folded.begins(event.n).is_some() => Some(2),
        _ if folded.holds(event.n) || !mine => None,
        Plane::Network | Plane::Server => Some(2),
        Plane::Wire => Some(3),
        Plane::Harness if event.kind == "step" => Some(4),
        Plane::Harness | Plane::Control => None,
    }
}

/// The fields of an event that are for readers: numbers of frames and calls, and frames as they were
/// written, are not.
pub(super) fn fields(event: &Event, marked: bool) -> Vec<(String, String)> {
    let is_told = |name: &str| match name {
        "conn" | "id" | "call" | "seq" | "heard_ms" | "sure_ms" => false,
        "raw" | "raw-reason" => marked,
        "text" => event.plane != Plane::Wire,
        _ => true,
    };
    let all = text::event_fields(event).into_iter().filter(|(name, _)| is_told(name));
    all.map(|(name, value)| (name.to_string(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::path::Path;
    use super::*;
    use crate::sample::story::told;
    use crate::sample::{sample, trace_of};
    use stateline_core::record::Verdict;

    /// How many events the lines tell, shown or counted.
    fn n_told(case: &CaseRecord, lines: &[Line<'_>]) -> usize {
        let folded = Folded::of(&case.trace, &main_client(case), &[]);
        let is_shown = |run: &Run| {
            let same = |line: &Line<'_>| matches!(line, Line::Run { at, text, .. } if *at == run.from && *text == run.text);
            lines.iter().any(same)
        };
        let heads = case.trace.iter().filter_map(|event| folded.head_of(event.n));
        let in_runs = heads.filter(|head| folded.begins(*head).is_some_and(is_shown)).count();
        let of = |line: &Line<'_>| match line {
            Line::Event { .. } => 1,
            Line::Gap(n) => *n,
            Line::Run { .. } | Line::Overdue(_) => 0,
        };
        lines.iter().map(of).sum::<usize>() + in_runs
    }

    #[test]
    fn the_event_that_shows_the_finding_is_marked_once() {
        for case in told().cases.iter().filter(|case| case.verdict == Some(Verdict::Fail)) {
            let departure = Path::of(None, case).departure;
            let lines = lines(case, departure.as_ref(), Detail::Full);
            let marks = lines.iter().filter(|line| match line {
                Line::Event { marked, .. } => *marked,
                Line::Overdue(_) => true,
                Line::Run { .. } | Line::Gap(_) => false,
            });
            assert_eq!(marks.count(), 1, "{} {lines:?}", case.id);
        }
    }

    #[test]
    fn nothing_is_lost_and_a_table_stays_short() {
        let mut case = sample().cases.into_iter().find(|case| case.story.is_some()).unwrap();
        for dark in [3, 400] {
            case.trace = trace_of(dark);
            // Callbacks without number are what no run holds.
            let said = case.trace[1].clone();
            for (event, at) in case.trace.iter_mut().zip(0..).skip(120).step_by(3) {
                *event = Event { n: at, at: event.at, ..said.clone() };
            }
            let departure = Path::of(None, &case).departure;
            let lines = lines(&case, departure.as_ref(), Detail::Full);
            let n_shown = lines.iter().filter(|line| !matches!(line, Line::Gap(_))).count();
            assert!(n_shown <= MOST * 2, "{n_shown} lines");
            assert_eq!(n_told(&case, &lines), case.trace.len(), "{lines:?}");
        }
    }

    #[test]
    fn a_pass_tells_what_the_client_told() {
        let record = told();
        let case = record.cases.iter().find(|case| case.verdict == Some(Verdict::Pass)).unwrap();
        for line in lines(case, None, Detail::Small) {
            match line {
                Line::Event { event, marked } => {
                    assert!(event.plane == Plane::Control && !marked, "{event:?}");
                }
                Line::Gap(_) => {}
                line => panic!("{line:?}"),
            }
        }
    }
}
