//! The documented states and the changes between them, with what a run saw of each.
//!
//! States stand below one another, in the document's order. A change leaves its state to the right when it
//! goes down and to the left when it goes up; on each side every change has a line of its own at both of
//! its states, so labels meet neither one another nor a state, however many changes there are. Its way
//! from line to line is a track of its own, further out the longer it is. Not responsible for counting.
//!
//! Invariant: no two labels overlap, none overlaps a state, and no two tracks that pass one another share
//! a place.

use super::markup::{Markup, Path, fitted, width};
use crate::text::{self, Mark};
use stateline_core::record::{ProfileRecord, TransitionRecord};
use std::cmp::Reverse;

/// The height of a change's line at a state.
const LINE: i32 = 19;
/// The space between two states.
const GAP: i32 = 16;
/// The space between two tracks.
const TRACK: i32 = 13;
/// The space around everything.
const EDGE: i32 = 8;
/// A label is no longer than this.
const LONGEST_LABEL: i32 = 190;
/// How round a corner is.
const ROUND: i32 = 5;

/// What a run says of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Documented and seen, each time as documented.
    Seen,
    /// Documented, in no case.
    Unseen,
    /// Documented, and seen when or how the document does not allow it.
    Violated,
    /// In no row, and seen.
    Forbidden,
}

impl Status {
    const fn of(change: &TransitionRecord) -> Self {
        match (change.rows.is_empty(), change.cases, change.violated) {
            (true, _, _) => Self::Forbidden,
            (false, 0, _) => Self::Unseen,
            (false, _, 0) => Self::Seen,
            (false, _, _) => Self::Violated,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Seen => "ds",
            Self::Unseen => "du",
            Self::Violated => "dv",
            Self::Forbidden => "df",
        }
    }

    /// The class of its arrow head.
    const fn head(self) -> &'static str {
        match self {
            Self::Seen => "h ds",
            Self::Unseen => "h du",
            Self::Violated => "h dv",
            Self::Forbidden => "h df",
        }
    }

    const fn mark(self) -> Mark {
        match self {
            Self::Seen => Mark { glyph: "✓", word: "seen", tone: "good" },
            Self::Unseen => Mark { glyph: "○", word: "not exercised", tone: "mute" },
            Self::Violated => Mark { glyph: "✗", word: "violated", tone: "bad" },
            Self::Forbidden => Mark { glyph: "✗", word: "forbidden", tone: "bad" },
        }
    }
}

/// The diagram of a contract: safe markup, with a title and a description.
pub(super) fn svg(profile: &ProfileRecord) -> Markup {
    Layout::of(profile).svg(profile)
}

/// The diagram in a region that scrolls, and beside it the same as a table.
pub(super) fn figure(profile: &ProfileRecord) -> Markup {
    let mut page = Markup::default();
    page.raw("<div class=\"sd\"><div class=\"fig\" role=\"region\" tabindex=\"0\" aria-label=\"Diagram of states\">");
    page.add(&svg(profile)).raw("</div>");
    if profile.transitions.is_empty() {
        return page.raw("<p>No change of state is documented.</p></div>").clone();
    }
    page.raw("<div class=\"fig\" role=\"region\" tabindex=\"0\" aria-label=\"Changes of state\">");
    page.raw("<table><caption>Changes of state</caption><thead><tr><th scope=\"col\">From</th>");
    page.raw("<th scope=\"col\">To</th><th scope=\"col\">Rows</th><th scope=\"col\">Seen</th></tr></thead><tbody>");
    for change in &profile.transitions {
        let mark = Status::of(change).mark();
        page.raw("<tr><th scope=\"row\">").text(&change.from).raw("</th><td>").text(&change.to);
        page.raw("</td><td>").text(&change.rows.join(" ")).raw("</td><td><span class=\"seen ");
        page.raw(mark.tone).raw("\"><i aria-hidden=\"true\">").raw(mark.glyph).raw("</i> ");
        page.text(&seen(change)).raw("</span></td></tr>");
    }
    page.raw("</tbody></table></div></div>");
    page
}

/// What was seen of a change, in words.
fn seen(change: &TransitionRecord) -> String {
    let cases = text::count_of(change.cases.into(), "case");
    match Status::of(change) {
        Status::Seen => format!("seen in {cases}"),
        Status::Unseen => "not exercised".to_owned(),
        Status::Violated => format!("violated in {} of {cases}", change.violated),
        Status::Forbidden => format!("forbidden, seen in {cases}"),
    }
}

/// A state in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    name: String,
    x: i32,
    y: i32,
    w: i32,
    h: i32,
}

/// A change in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edge {
    status: Status,
    /// To the right of the states.
    right: bool,
    /// The lines at which it leaves and arrives.
    from: i32,
    to: i32,
    /// Where it goes from line to line.
    track: i32,
    label: String,
    /// Where the label begins.
    label_x: i32,
}

/// Everything in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Layout {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    width: i32,
    height: i32,
    /// How many states are not drawn.
    n_more: usize,
}

/// States that are drawn; a table tells of all of them.
const MOST_STATES: usize = 40;

/// An end of a change at a state.
#[derive(Clone, Copy)]
struct Port {
    change: usize,
    leaves: bool,
    /// The state at the other end.
    other: usize,
}

impl Layout {
    fn of(profile: &ProfileRecord) -> Self {
        let mut states: Vec<&str> = Vec::new();
        let ends = profile.transitions.iter().flat_map(|change| [&change.from, &change.to]);
        for state in profile.states.iter().chain(ends) {
            if !states.contains(&state.as_str()) {
                states.push(state);
            }
        }
        let n_more = states.len().saturating_sub(MOST_STATES);
        states.truncate(MOST_STATES);
        let place = |state: &str| states.iter().position(|have| *have == state);
        let changes: Vec<(usize, usize, &TransitionRecord)> = profile
            .transitions
            .iter()
            .filter_map(|change| Some((place(&change.from)?, place(&change.to)?, change)))
            .collect();
        let is_right = |(from, to): (usize, usize)| from <= to;

        let names: Vec<String> =
            states.iter().map(|state| fitted(state, 170).unwrap_or_default()).collect();
        let node_width = names.iter().map(|name| width(name)).max().unwrap_or(0) + 40;
        let labels: Vec<String> = changes.iter().map(|(_, _, change)| label(change)).collect();
        let label_width = |right: bool| {
            let mine = changes
                .iter()
                .zip(&labels)
                .filter(|((from, to, _), _)| is_right((*from, *to)) == right);
            mine.map(|(_, label)| width(label) + 26).max().unwrap_or(0)
        };
        let (left_labels, right_labels) = (label_width(false), label_width(true));

        // Each end of a change has a line of its own on its side of its state.
        let mut y = EDGE;
        let mut lines = vec![(0, 0); changes.len()];
        let mut tops = Vec::new();
        for at in 0..states.len() {
            let sides = [false, true].map(|right| ports(&changes, at, right));
            let n_lines = sides.iter().map(Vec::len).max().unwrap_or(0).max(1);
            let h = i32::try_from(n_lines).unwrap_or(1) * LINE + 8;
            for side in &sides {
                let spare = h - i32::try_from(side.len()).unwrap_or(0) * LINE;
                for (n, port) in side.iter().enumerate() {
                    let line = y + spare / 2 + i32::try_from(n).unwrap_or(0) * LINE + LINE / 2;
                    let end = &mut lines[port.change];
                    *(if port.leaves { &mut end.0 } else { &mut end.1 }) = line;
                }
            }
            tops.push((y, h));
            y += h + GAP;
        }

        let tracks = [false, true].map(|right| tracks(&changes, &lines, right));
        let n_tracks = |right: usize| {
            let used = tracks[right].iter().flatten().max().map_or(0, |most| most + 1);
            i32::try_from(used).unwrap_or(0)
        };
        let node_x = EDGE + n_tracks(0) * TRACK + left_labels;
        let node_end = node_x + node_width;
        let nodes = names.into_iter().zip(tops);
        let nodes = nodes.map(|(name, (y, h))| Node { name, x: node_x, y, w: node_width, h });
        let edges =
            changes.iter().enumerate().zip(labels).map(|((at, (from, to, change)), label)| {
                let right = is_right((*from, *to));
                let track = tracks[usize::from(right)][at].unwrap_or(0);
                let out = (i32::try_from(track).unwrap_or(0) + 1) * TRACK;
                let (track, label_x) = if right {
                    (node_end + right_labels + out - TRACK / 2, node_end + 10)
                } else {
                    (node_x - left_labels - out + TRACK / 2, node_x - 10 - width(&label))
                };
                let (from, to) = lines[at];
                Edge { status: Status::of(change), right, from, to, track, label, label_x }
            });
        Self {
            nodes: nodes.collect(),
            edges: edges.collect(),
            width: node_end + right_labels + n_tracks(1) * TRACK + EDGE,
            height: (y - GAP + EDGE).max(EDGE * 2),
            n_more,
        }
    }

    fn svg(&self, profile: &ProfileRecord) -> Markup {
        let mut svg = Markup::default();
        svg.raw("<svg class=\"dg\" viewBox=\"0 0 ").num(self.width).raw(" ").num(self.height);
        // As wide as its labels need, and growing with the text around it.
        svg.raw("\" width=\"")
            .num(self.width / 13 + 1)
            .raw("em\" role=\"img\"><title>States of ")
            .text(&profile.document.title)
            .raw("</title><desc>");
        svg.text(&self.describe(profile)).raw("</desc>");
        for edge in &self.edges {
            self.draw(&mut svg, edge);
        }
        for (at, node) in self.nodes.iter().enumerate() {
            svg.rect(if at == 0 { "no start" } else { "no" }, node.x, node.y, node.w, node.h);
            let middle = node.y + node.h / 2 + 4;
            if at == 0 {
                let mut start = Path::default();
                start.at(node.x + 10, middle - 9).piece("l7 5-7 5z");
                svg.path("sm", &start);
            }
            svg.label("nn", node.x + node.w / 2 + if at == 0 { 6 } else { 0 }, middle, &node.name);
        }
        for edge in &self.edges {
            svg.raw("<text class=\"").raw(edge.status.class()).raw("\" x=\"").num(edge.label_x);
            svg.raw("\" y=\"").num(edge.from - 3).raw("\">").text(&edge.label).raw("</text>");
        }
        svg.raw("</svg>");
        svg
    }

    fn draw(&self, svg: &mut Markup, edge: &Edge) {
        let Some(node) = self.nodes.first() else { return };
        let (near, out) = if edge.right { (node.x + node.w, 1) } else { (node.x, -1) };
        let down = if edge.to >= edge.from { 1 } else { -1 };
        let round = ROUND.min((edge.to - edge.from).abs() / 2);
        let mut line = Path::default();
        line.at(near, edge.from).across(edge.track - out * round);
        line.bend(out * round, down * round, true).down(edge.to - down * round);
        line.bend(-out * round, down * round, false).across(near + out * 3);
        svg.path(edge.status.class(), &line);
        let mut head = Path::default();
        head.at(near, edge.to).piece(if edge.right { "l8-4v8z" } else { "l-8-4v8z" });
        svg.path(edge.status.head(), &head);
    }

    fn describe(&self, profile: &ProfileRecord) -> String {
        let start =
            self.nodes.first().map_or(String::new(), |node| format!(", starting in {}", node.name));
        let more = match self.n_more {
            0 => String::new(),
            n => format!("; {n} more are not drawn"),
        };
        format!(
            "{}{start}{more}, and {}; the table beside it says the same.",
            text::count(self.nodes.len(), "state"),
            text::count(profile.transitions.len(), "change")
        )
    }
}

/// What stands at a change: its mark, its rows, and how often it was seen.
fn label(change: &TransitionRecord) -> String {
    let status = Status::of(change);
    let rows = if change.rows.is_empty() { "no row".to_owned() } else { change.rows.join(" ") };
    let glyph = status.mark().glyph;
    let told = match status {
        Status::Unseen => format!("{glyph} {rows}"),
        Status::Seen | Status::Forbidden => format!("{glyph} {} · {rows}", change.cases),
        Status::Violated => format!("{glyph} {}/{} · {rows}", change.violated, change.cases),
    };
    fitted(&told, LONGEST_LABEL).unwrap_or_else(|| glyph.to_owned())
}

/// The ends of changes at one side of a state, downwards. In this order, what comes from or goes far lies
/// outside of what comes from or goes near, and the two do not cross.
fn ports(changes: &[(usize, usize, &TransitionRecord)], state: usize, right: bool) -> Vec<Port> {
    let mine = changes.iter().enumerate().filter(|(_, (from, to, _))| (from <= to) == right);
    let ends = mine.flat_map(|(change, (from, to, _))| {
        let leaves = (*from == state).then_some(Port { change, leaves: true, other: *to });
        let arrives = (*to == state).then_some(Port { change, leaves: false, other: *from });
        [leaves, arrives]
    });
    let mut ports: Vec<Port> = ends.flatten().collect();
    ports.sort_by_key(|port| (port.leaves == right, Reverse(port.other)));
    ports
}

/// The track of each change of a side: the innermost that is free all the way, short ways first.
fn tracks(
    changes: &[(usize, usize, &TransitionRecord)],
    lines: &[(i32, i32)],
    right: bool,
) -> Vec<Option<usize>> {
    let mut mine: Vec<usize> =
        (0..changes.len()).filter(|at| (changes[*at].0 <= changes[*at].1) == right).collect();
    mine.sort_by_key(|at| ((lines[*at].0 - lines[*at].1).abs(), *at));
    let mut taken: Vec<Vec<(i32, i32)>> = Vec::new();
    let mut tracks = vec![None; changes.len()];
    for at in mine {
        let (from, to) = (lines[at].0.min(lines[at].1), lines[at].0.max(lines[at].1));
        let is_free =
            |spans: &Vec<(i32, i32)>| spans.iter().all(|span| to < span.0 || from > span.1);
        let track = match taken.iter().position(is_free) {
            Some(track) => track,
            None => {
                taken.push(Vec::new());
                taken.len() - 1
            }
        };
        taken[track].push((from, to));
        tracks[at] = Some(track);
    }
    tracks
}

#[cfg(test)]
#[path = "diagram_tests.rs"]
mod tests;
