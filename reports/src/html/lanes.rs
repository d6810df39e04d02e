//! Places what a timeline shows: bars and marks in lanes, labels where they have room.
//!
//! Not responsible for what is shown, nor for markup.
//!
//! Invariant: lanes do not overlap, bars of a strip do not, and no label runs into another one or leaves
//! its lane or the drawing. A label that has no room is left out; its mark stays.

use super::axis::Axis;
use super::markup::{FONT, fitted, width};
use stateline_core::time::Micros;

/// How wide every timeline is, in units of the drawing.
pub(super) const WIDTH: i32 = 1_040;
/// Where the axis begins: left of it stand the names of lanes.
pub(super) const LEFT: i32 = 86;
/// Where it ends: right of it, the last labels have room.
pub(super) const RIGHT: i32 = WIDTH - 84;
/// The height of a row of labels.
const ROW: i32 = 14;
/// Labels of this many characters say something.
const TELLING: usize = 6;

/// How a bar or a mark is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Frames that repeat, or dials that do.
    Beats,
    /// A call, from call to result.
    Call,
    /// A dial.
    Dial,
    /// The link does not carry.
    Down,
    /// What is forbidden while it lasts.
    Forbidden,
    /// A mark: something happened.
    Mark,
    /// What may come.
    May,
    /// What had to come and did not.
    Missed,
    /// What must come.
    Must,
    /// A frame that was received.
    Received,
    /// A frame that was sent.
    Sent,
    /// The user is online.
    Session,
    /// A state that the table allows.
    State,
    /// A state that no row explains.
    Strange,
}

/// Something that lasts.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) from: Micros,
    pub(super) to: Micros,
    pub(super) shape: Shape,
    pub(super) label: String,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) at: Micros,
    pub(super) shape: Option<Shape>,
    pub(super) label: String,
}

/// Something in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) shape: Shape,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) w: i32,
    pub(super) h: i32,
}

/// A label in its place; `y` is its base line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) text: String,
    /// Where the line from its mark begins, if it is not right below.
    pub(super) leader: Option<i32>,
}

/// A lane.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) y: i32,
    pub(super) h: i32,
    pub(super) items: Vec<Item>,
    pub(super) labels: Vec<Label>,
}

/// Places lane by lane, downwards.
#[derive(Debug)]
pub(super) struct Placer<'a> {
    pub(super) axis: &'a Axis,
    pub(super) lanes: Vec<Lane>,
    /// The first free line.
    pub(super) y: i32,
}

impl Placer<'_> {
    /// Begins a lane.
    pub(super) fn lane(&mut self, name: String) {
        self.close();
        self.y += 4;
        self.lanes.push(Lane { name, y: self.y, h: 0, items: Vec::new(), labels: Vec::new() });
        self.y += 4;
    }

    /// Ends the last lane.
    pub(super) fn close(&mut self) {
        if let Some(lane) = self.lanes.last_mut().filter(|lane| lane.h == 0) {
            // A lane has room for its name.
            self.y = self.y.max(lane.y + FONT + 6) + 3;
            lane.h = self.y - lane.y;
        }
    }

    fn last(&mut self) -> Option<&mut Lane> {
        self.lanes.last_mut()
    }

    /// Bars in as few rows as they need, with their labels inside, or nowhere.
    pub(super) fn bars(&mut self, mut bars: Vec<Bar>, h: i32) {
        bars.sort_by_key(|bar| bar.from);
        let mut rows: Vec<i32> = Vec::new();
        let y = self.y;
        for bar in bars {
            let (x, to) = (self.axis.x(bar.from), self.axis.x(bar.to));
            // States follow one another: one that is short must not push the next one down.
            let least = if matches!(bar.shape, Shape::State | Shape::Strange) { 1 } else { 3 };
            let w = (to - x).max(least);
            let row = row_of(&mut rows, x, x + w);
            let top = y + row * (h + 2);
            let label = fitted(&bar.label, w - 8).filter(|_| h >= FONT);
            let Some(lane) = self.last() else { return };
            lane.items.push(Item { shape: bar.shape, x, y: top, w, h });
            lane.labels.extend(label.map(|text| Label {
                x: x + 5,
                y: top + (h + FONT) / 2 - 2,
                text,
                leader: None,
            }));
        }
        self.y += i32::try_from(rows.len()).unwrap_or(0) * (h + 2);
    }

    /// Bars in as few rows as they need, with their labels inside or beside, always.
    pub(super) fn bands(&mut self, mut bands: Vec<Bar>) {
        bands.sort_by_key(|band| band.from);
        let mut rows: Vec<i32> = Vec::new();
        let (y, h) = (self.y, FONT + 2);
        for band in bands {
            let (x, to) = (self.axis.x(band.from), self.axis.x(band.to));
            let w = (to - x).max(3);
            let text = fitted(&band.label, WIDTH / 4).unwrap_or_default();
            let beside = if width(&text) + 6 <= w { x + 3 } else { x + w + 2 };
            let label = beside.min(WIDTH - 2 - width(&text));
            let row = row_of(&mut rows, x.min(label), (x + w).max(label + width(&text)) + 4);
            let top = y + row * (h + 2);
            let Some(lane) = self.last() else { return };
            lane.items.push(Item { shape: band.shape, x, y: top, w, h });
            lane.labels.push(Label { x: label, y: top + h - 3, text, leader: None });
        }
        self.y += i32::try_from(rows.len()).unwrap_or(0) * (h + 2);
    }

    /// Marks on a line, and below them their labels in rows, as far as they have room.
    pub(super) fn marks(&mut self, mut marks: Vec<Mark>, rows: usize) {
        if marks.is_empty() {
            return;
        }
        marks.sort_by_key(|mark| mark.at);
        let y = self.y;
        let has_marks = marks.iter().any(|mark| mark.shape.is_some());
        let strip = if has_marks { 8 } else { 1 };
        let mut at_once: Vec<(i32, Vec<String>)> = Vec::new();
        for mark in marks {
            let x = self.axis.x(mark.at);
            if let (Some(shape), Some(lane)) = (mark.shape, self.lanes.last_mut()) {
                let item = Item { shape, x: x - 3, y, w: 6, h: strip };
                if lane.items.last() != Some(&item) {
                    lane.items.push(item);
                }
            }
            match at_once.last_mut() {
                Some((same, labels)) if *same == x => labels.push(mark.label),
                _ => at_once.push((x, vec![mark.label])),
            }
        }
        // From right to left, nearest row first: so a line from a mark down to a farther row meets no label.
        let mut free = vec![WIDTH; rows];
        let mut used = 0;
        for (x, labels) in at_once.into_iter().rev() {
            let Some((row, text)) = room(&free, x, &together(&labels)) else { continue };
            used = used.max(row + 1);
            for free in &mut free[..=row] {
                *free = x - 2;
            }
            let down = i32::try_from(row).unwrap_or(0) * ROW;
            let label = Label {
                x: x + 3,
                y: y + strip + down + FONT,
                text,
                leader: (row > 0).then_some(y + strip),
            };
            if let Some(lane) = self.last() {
                lane.labels.push(label);
            }
        }
        self.y += strip + i32::try_from(used).unwrap_or(0) * ROW;
    }
}

/// Labels of one instant as one.
fn together(labels: &[String]) -> String {
    let mut told: Vec<(&str, usize)> = Vec::new();
    for label in labels.iter().filter(|label| !label.is_empty()) {
        match told.iter_mut().find(|(have, _)| have == label) {
            Some((_, n)) => *n += 1,
            None => told.push((label, 1)),
        }
    }
    let one = |(label, n): &(&str, usize)| match n {
        1 => (*label).to_owned(),
        n => format!("{n} × {label}"),
    };
    told.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The row in which a label has room, and as much of it as has.
fn room(free: &[i32], x: i32, text: &str) -> Option<(usize, String)> {
    if text.is_empty() {
        return None;
    }
    // No label needs more than a third of the width: the table says the rest.
    let text = fitted(text, WIDTH / 3)?;
    let whole = free.iter().position(|free| x + 3 + width(&text) <= free - 4);
    if let Some(row) = whole {
        return Some((row, text));
    }
    let (row, free) =
        free.iter().enumerate().max_by_key(|(row, free)| (**free, usize::MAX - row))?;
    let part = fitted(&text, free - 4 - x - 3)?;
    (part.chars().count() >= TELLING).then_some((row, part))
}

/// The first row in which something has room.
fn row_of(rows: &mut Vec<i32>, from: i32, to: i32) -> i32 {
    let row = match rows.iter().position(|end| *end <= from) {
        Some(row) => row,
        None => {
            rows.push(0);
            rows.len() - 1
        }
    };
    rows[row] = to;
    i32::try_from(row).unwrap_or(i32::MAX)
}
