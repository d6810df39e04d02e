//! The documented grid: what the document says for each state and stimulus, and what was seen there; and
//! its rows in words.
//!
//! Not responsible for counting: the record says how many cases exercised a cell.
//!
//! Invariant: each cell of the record stands in the grid, in the state and stimulus that it names.

use super::anchor::{Anchors, href};
use super::view::{Badge, Letter, RequirementLink, requirement_links};
use crate::text::{self, Mark};
use indexmap::IndexMap;
use smol_str::SmolStr;
use stateline_core::profile::requirement::Basis;
use stateline_core::record::{CellRecord, ProfileRecord, RowRecord, StimulusRecord};

/// Not exercised by any case.
pub(super) const UNSEEN: Mark = Mark { glyph: "○", word: "not exercised", tone: "mute" };

/// The grid of one contract.
pub(super) struct Grid<'a> {
    pub(super) lines: Vec<GridLine<'a>>,
    /// How many cells stand so.
    pub(super) legend: Vec<(usize, Badge, &'static str)>,
    pub(super) rows: Vec<RowView<'a>>,
}

/// What the document says of one stimulus, state by state.
pub(super) struct GridLine<'a> {
    pub(super) stimulus: &'a StimulusRecord,
    /// `None` where the stimulus cannot occur.
    pub(super) cells: Vec<Option<CellView<'a>>>,
}

/// A cell of the grid.
pub(super) struct CellView<'a> {
    pub(super) record: &'a CellRecord,
    pub(super) mark: Mark,
    pub(super) seen: String,
    pub(super) rows: Vec<RowLink<'a>>,
    pub(super) requirements: Vec<RequirementLink<'a>>,
    /// Where its cases are.
    pub(super) cases_href: String,
}

/// A row, with where it stands in words and how the document carries it.
pub(super) struct RowLink<'a> {
    pub(super) id: &'a str,
    pub(super) href: String,
    pub(super) letter: Option<Letter>,
}

/// A row in words.
pub(super) struct RowView<'a> {
    pub(super) record: &'a RowRecord,
    pub(super) anchor: String,
    pub(super) kind: &'static str,
    pub(super) basis: Option<&'static str>,
    pub(super) moves: String,
    pub(super) on: String,
    pub(super) window: String,
    pub(super) requirements: Vec<RequirementLink<'a>>,
}

impl<'a> Grid<'a> {
    pub(super) fn new(profile: &'a ProfileRecord, anchors: Anchors) -> Self {
        let cells: IndexMap<(&str, &str), &CellRecord> = profile
            .cells
            .iter()
            .map(|cell| ((cell.stimulus.as_str(), cell.state.as_str()), cell))
            .collect();
        let line = |stimulus: &'a StimulusRecord| GridLine {
            stimulus,
            cells: profile
                .states
                .iter()
                .map(|state| {
                    cells
                        .get(&(stimulus.id.as_str(), state.as_str()))
                        .map(|cell| CellView::new(profile, anchors, cell))
                })
                .collect(),
        };
        let n = |of: Mark| profile.cells.iter().filter(|cell| mark(cell) == of).count();
        let row = |record: &'a RowRecord| RowView {
            record,
            anchor: anchors.row(&record.id),
            kind: kind(&record.kind),
            basis: record.basis.map(Basis::as_str),
            moves: moves(record),
            on: record.on.join(", "),
            window: window(record),
            requirements: requirement_links(profile, anchors, &record.requirements),
        };
        Self {
            lines: profile.stimuli.iter().map(line).collect(),
            legend: vec![
                (n(KEPT), Badge(KEPT), "never violated"),
                (n(VIOLATED), Badge(VIOLATED), "in some case"),
                (n(Mark::CHOICE), Badge(Mark::CHOICE), "the document is silent"),
                (n(UNSEEN), Badge(UNSEEN), "by any case"),
            ],
            rows: profile.rows.iter().map(row).collect(),
        }
    }
}

const KEPT: Mark = Mark { glyph: "✓", word: "kept", tone: "good" };
const VIOLATED: Mark = Mark { glyph: "✗", word: "violated", tone: "bad" };

fn mark(cell: &CellRecord) -> Mark {
    match (cell.cases, cell.violated, cell.says.as_str()) {
        (0, ..) => UNSEEN,
        (_, 1.., _) => VIOLATED,
        (.., "silent") => Mark::CHOICE,
        _ => KEPT,
    }
}

impl<'a> CellView<'a> {
    fn new(profile: &'a ProfileRecord, anchors: Anchors, cell: &'a CellRecord) -> Self {
        let row = |id: &'a SmolStr| RowLink {
            id,
            href: href(&anchors.row(id)),
            letter: profile
                .rows
                .iter()
                .find(|row| row.id == *id)
                .and_then(|row| row.basis)
                .map(Letter),
        };
        let mark = mark(cell);
        let seen = match mark {
            UNSEEN => UNSEEN.word.to_owned(),
            VIOLATED => format!("violated in {} of {}", cell.violated, cell.cases),
            _ => format!("{}, {}", mark.word, text::count(cell.cases as usize, "case")),
        };
        Self {
            record: cell,
            mark,
            seen,
            rows: cell.rows.iter().map(row).collect(),
            requirements: requirement_links(profile, anchors, &cell.requirements),
            cases_href: href(&anchors.cell(&cell.state, &cell.stimulus)),
        }
    }
}

/// What a row does, as a verb.
fn kind(kind: &str) -> &'static str {
    match kind {
        "transition" => "moves",
        "expect" => "demands",
        "may" => "permits",
        "never" => "forbids",
        "keep" => "demands again and again",
        "settles" => "completes a call",
        "silent" => "leaves open",
        "choice" => "records",
        _ => "",
    }
}

/// From which states to which.
fn moves(row: &RowRecord) -> String {
    let from = row.from.join(", ");
    match &row.to {
        Some(to) if from.is_empty() => format!("any → {to}"),
        Some(to) => format!("{from} → {to}"),
        None if from.is_empty() => "any".to_owned(),
        None => from,
    }
}

/// The time that a row gives, in words.
fn window(row: &RowRecord) -> String {
    let length = |ms: f64| text::duration(ms).replace(".0 s", " s");
    match (row.kind.as_str(), row.after_ms, row.within_ms) {
        ("keep", _, Some(within)) => format!("at least every {}", length(within)),
        ("never", None, Some(within)) => format!("for {}", length(within)),
        ("never", Some(after), Some(within)) => {
            format!("from {} to {} after", length(after), length(after + within))
        }
        ("never", None, None) => "as long as it lasts".to_owned(),
        (_, Some(after), Some(within)) => {
            format!("{} to {} after", length(after), length(after + within))
        }
        (_, Some(after), None) => format!("not before {}", length(after)),
        (_, None, Some(within)) => format!("within {}", length(within)),
        (_, None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_told_as_the_row_means_it() {
        let of = |kind: &str, after_ms, within_ms| {
            window(&RowRecord { kind: kind.into(), after_ms, within_ms, ..RowRecord::default() })
        };
        assert_eq!(of("transition", Some(4_000.0), Some(1_000.0)), "4 s to 5 s after");
        assert_eq!(of("transition", None, Some(500.0)), "within 500 ms");
        assert_eq!(of("expect", Some(30_000.0), None), "not before 30 s");
        assert_eq!(of("keep", None, Some(60_000.0)), "at least every 1 min");
        assert_eq!(of("never", None, Some(1_500.0)), "for 1.5 s");
        assert_eq!(of("never", None, None), "as long as it lasts");
        assert_eq!(of("may", None, None), "");
    }

    #[test]
    fn a_row_without_states_applies_in_any() {
        let row = |from: &[&str], to: Option<&str>| RowRecord {
            from: from.iter().map(|id| (*id).into()).collect(),
            to: to.map(Into::into),
            ..RowRecord::default()
        };
        assert_eq!(moves(&row(&[], Some("aborted"))), "any → aborted");
        assert_eq!(moves(&row(&["a", "b"], Some("c"))), "a, b → c");
        assert_eq!(moves(&row(&["a"], None)), "a");
        assert_eq!(moves(&row(&[], None)), "any");
    }
}
