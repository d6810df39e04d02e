//! The part of a trace around a finding: what led to it, the event that shows it, what came next.
//!
//! Not responsible for markup. Nor does it know any protocol: what is routine is told by plane and
//! by client alone.
//!
//! Invariant: at most [`MOST`] lines; what is left out is counted in its place; the event that shows
//! the finding, or the instant at which it was overdue, is always there.

use stateline_core::record::{CaseRecord, Finding};
use stateline_core::trace::{Event, Plane};

/// Lines of a slice; heartbeats are most of a trace and none of the story.
pub(crate) const MOST: usize = 28;
const BEFORE: usize = 4;
const AFTER: usize = 3;
/// Lines kept free for the two ends, the deadline, and the gaps around them.
const RESERVED: usize = 12;

/// One line of a slice.
#[derive(Debug)]
pub(crate) enum Line<'a> {
    /// Something happened.
    Event {
        event: &'a Event,
        /// It shows the finding.
        marked: bool,
    },
    /// This many events are not shown.
    Gap(usize),
    /// The deadline of the finding passed.
    Overdue,
}

/// The slice of a finding; empty when no trace was kept.
pub(crate) fn slice<'a>(case: &'a CaseRecord, finding: &Finding) -> Vec<Line<'a>> {
    let trace = case.trace.as_slice();
    // Positions are looked up, because a trace may have gaps in `n`.
    let first = trace.partition_point(|event| event.n < finding.trace.0);
    let last =
        trace.partition_point(|event| event.n <= finding.trace.1).saturating_sub(1).max(first);
    if trace.is_empty() || first >= trace.len() {
        return Vec::new();
    }
    // A breach by absence becomes certain later than the last event that shows it.
    let overdue = trace[last].at < finding.at;
    let from = first.saturating_sub(BEFORE);
    let resumed =
        if overdue { trace.partition_point(|event| event.at <= finding.at) } else { last + 1 };
    let to = (resumed.max(last + 1) + AFTER).min(trace.len());

    let mut shown: Vec<bool> = (from..to).map(|_| true).collect();
    let near = |at: usize| at.abs_diff(first) <= 1 || at.abs_diff(last) <= 1 || at + 1 == resumed;
    let is_routine = |event: &Event| {
        let mine = event.client.as_ref().is_none_or(|client| *client == finding.client);
        !mine || matches!(event.plane, Plane::Wire | Plane::Harness)
    };
    if shown.len() > MOST {
        for (at, shown) in (from..to).zip(&mut shown) {
            *shown = near(at) || !is_routine(&trace[at]);
        }
    }
    // Still too long: what is nearest to the end of the span is worth most.
    let (mut n_lines, mut in_gap) = (0, false);
    for (at, shown) in (from..to).zip(&mut shown).rev() {
        *shown = near(at) || (*shown && n_lines < MOST - RESERVED);
        n_lines += usize::from(*shown || !in_gap);
        in_gap = !*shown;
    }

    let mut lines: Vec<Line<'_>> = (from > 0).then_some(Line::Gap(from)).into_iter().collect();
    for (at, shown) in (from..to).zip(shown) {
        if overdue && at == resumed {
            lines.push(Line::Overdue);
        }
        match lines.last_mut() {
            _ if shown => {
                lines.push(Line::Event { event: &trace[at], marked: !overdue && at == last })
            }
            Some(Line::Gap(n)) => *n += 1,
            _ => lines.push(Line::Gap(1)),
        }
    }
    if overdue && resumed >= to {
        lines.push(Line::Overdue);
    }
    if to < trace.len() {
        lines.push(Line::Gap(trace.len() - to));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{overdue_finding, sample, trace_of};

    fn drawn(case: &CaseRecord, finding: &Finding) -> Vec<String> {
        let line = |line: &Line<'_>| match line {
            Line::Event { event, marked } => {
                format!("{}{}", if *marked { "*" } else { "" }, event.n)
            }
            Line::Gap(n) => format!("gap {n}"),
            Line::Overdue => "overdue".to_owned(),
        };
        slice(case, finding).iter().map(line).collect()
    }

    #[test]
    fn a_long_silence_is_counted_and_ends_with_the_deadline() {
        let mut case = sample().cases[0].clone();
        case.trace = trace_of(40);
        let finding = overdue_finding(&case.trace);
        let lines = drawn(&case, &finding);
        assert!(lines.len() <= MOST, "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("gap")), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("overdue")).count(), 1, "{lines:?}");
        assert!(lines.iter().all(|line| !line.starts_with('*')), "{lines:?}");
    }

    #[test]
    fn the_event_that_shows_it_is_marked_once() {
        let mut case = sample().cases[0].clone();
        case.trace = trace_of(10);
        let mut finding = overdue_finding(&case.trace);
        let last = case.trace.len() - 4;
        finding.trace = (case.trace[last - 2].n, case.trace[last].n);
        finding.at = case.trace[last].at;
        let marked: Vec<_> =
            drawn(&case, &finding).into_iter().filter(|line| line.starts_with('*')).collect();
        assert_eq!(marked, [format!("*{}", case.trace[last].n)]);
    }

    #[test]
    fn no_trace_or_a_span_outside_of_it_is_no_slice() {
        let mut case = sample().cases[0].clone();
        case.trace = trace_of(3);
        let mut finding = overdue_finding(&case.trace);
        finding.trace = (900, 901);
        assert!(slice(&case, &finding).is_empty());
        case.trace.clear();
        finding.trace = (0, 1);
        assert!(slice(&case, &finding).is_empty());
    }
}
