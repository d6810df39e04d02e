//! A case as swim lanes: what the application, the client, the wire, the network and the server did, on
//! one time axis, with the windows that the document gives.
//!
//! Not responsible for what is shown, for the table that says the same in words, nor for deciding what is at
//! fault.
//!
//! Invariant: what is drawn at an instant stands at the place of that instant.

use super::axis::{Axis, Tick};
use super::fold::Folded;
use super::lanes::{LEFT, Lane, Placer, RIGHT, Shape, WIDTH};
use super::markup::{Markup, Path, fitted, width};
use super::path::{Departure, main_client};
use super::scene::{Scene, end, is_drawn};
use stateline_core::record::CaseRecord;

/// How much to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// All that has room: something is to be found.
    Full,
    /// What tells the story of a pass.
    Small,
}

impl Detail {
    /// How much room ticks leave between them.
    const fn apart(self) -> i32 {
        match self {
            Self::Full => 6,
            Self::Small => 40,
        }
    }

    pub(super) const fn rows(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Small => 1,
        }
    }
}

/// A case as it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    pub(super) lanes: Vec<Lane>,
    pub(super) ticks: Vec<Tick>,
    pub(super) axis: Axis,
    /// Where the first finding stands, and what it says.
    pub(super) flag: Option<(i32, String)>,
    pub(super) height: i32,
    title: String,
    description: String,
}

/// The line of the axis.
const AXIS: i32 = 19;
/// The top of the first finding's flag.
const FLAG: i32 = AXIS + 18;

impl Timeline {
    /// The timeline of a case; none without a story and a trace.
    pub(super) fn of(
        case: &CaseRecord,
        departure: Option<&Departure>,
        detail: Detail,
    ) -> Option<Self> {
        let story = case.story.as_ref()?;
        let client = main_client(case);
        let apart: Vec<u32> = departure.and_then(|departure| departure.n).into_iter().collect();
        let scene = Scene {
            case,
            folded: Folded::of(&case.trace, &client, &apart),
            stays: story.stays.iter().filter(|stay| stay.client == client).collect(),
            waits: story
                .waits
                .iter()
                .filter(|wait| wait.client == client && is_drawn(wait, departure, detail))
                .collect(),
            departure,
            detail,
            end: end(case, departure),
            client,
        };
        Some(scene.place())
    }

    /// The drawing.
    pub(super) fn svg(&self) -> Markup {
        let mut svg = Markup::default();
        svg.raw("<svg class=\"tl\" viewBox=\"0 0 ").num(WIDTH).raw(" ").num(self.height);
        svg.raw("\" role=\"img\"><title>").text(&self.title).raw("</title><desc>");
        svg.text(&self.description).raw("</desc>");
        for cut in &self.axis.cuts {
            svg.rect("cut", cut.from, AXIS, cut.to - cut.from, self.height - AXIS);
        }
        self.draw_axis(&mut svg);
        let mut borders = Path::default();
        for lane in &self.lanes {
            borders.at(0, lane.y).across(WIDTH);
        }
        svg.path("e", &borders);
        for lane in &self.lanes {
            draw_lane(&mut svg, lane);
        }
        if let Some((x, label)) = &self.flag {
            let mut line = Path::default();
            line.at(*x, AXIS).down(self.height);
            svg.path("fl", &line);
            let start = (x - 2).min(WIDTH - 4 - width(label));
            svg.rect("fb", start, FLAG, width(label) + 6, 15);
            svg.label("ft", start + 3, FLAG + 11, label);
        }
        svg.raw("</svg>");
        svg
    }

    fn draw_axis(&self, svg: &mut Markup) {
        let (mut line, mut grid) = (Path::default(), Path::default());
        line.at(LEFT, AXIS);
        for cut in &self.axis.cuts {
            let middle = i32::midpoint(cut.from, cut.to);
            line.across(middle - 4).piece("m-2 4l4-8m4 8l4-8m-2 4");
        }
        line.across(self.axis.end().max(LEFT + 1));
        for tick in &self.ticks {
            grid.at(tick.x, AXIS - 3).down(self.height);
        }
        svg.path("g", &grid).path("a", &line);
        svg.raw("<g class=\"c t\">");
        for tick in &self.ticks {
            svg.label("", tick.middle, AXIS - 7, &tick.label);
        }
        svg.raw("</g><g class=\"c s\">");
        for cut in &self.axis.cuts {
            if let Some(label) = fitted(&cut.length, cut.to - cut.from) {
                svg.label("", i32::midpoint(cut.from, cut.to), AXIS + 14, &label);
            }
        }
        svg.raw("</g>");
    }
}

fn draw_lane(svg: &mut Markup, lane: &Lane) {
    svg.label("n", 0, lane.y + 15, &lane.name);
    // What looks alike is one path: half of a page of passes would be elements otherwise.
    let mut paths: Vec<(&'static str, Path)> = Vec::new();
    for item in &lane.items {
        let class = class(item.shape);
        let at = paths.iter().position(|(have, _)| *have == class).unwrap_or_else(|| {
            paths.push((class, Path::default()));
            paths.len() - 1
        });
        let path = &mut paths[at].1;
        let middle = item.x + item.w / 2;
        match item.shape {
            Shape::Mark => path.at(middle, item.y).piece("l3 4-3 4-3-4z"),
            Shape::Sent => path.at(middle, item.y + 8).piece("l-3-5h6z"),
            Shape::Received => path.at(middle, item.y).piece("l-3 5h6z"),
            _ => path.rect(item.x, item.y, item.w, item.h),
        };
    }
    for (class, path) in &paths {
        svg.path(class, path);
    }
    let mut leaders = Path::default();
    for label in &lane.labels {
        if let Some(from) = label.leader {
            leaders.at(label.x - 3, from).down(label.y - 2);
        }
    }
    svg.path("l", &leaders);
    for label in &lane.labels {
        svg.label("", label.x, label.y, &label.text);
    }
}

const fn class(shape: Shape) -> &'static str {
    match shape {
        Shape::Beats => "be",
        Shape::Call => "ca",
        Shape::Dial => "di",
        Shape::Down => "do",
        Shape::Forbidden => "fo",
        Shape::Mark | Shape::Sent => "m",
        Shape::May => "ma",
        Shape::Missed => "mx",
        Shape::Must => "mu",
        Shape::Received => "m r",
        Shape::Session => "se",
        Shape::State => "st",
        Shape::Strange => "sx",
    }
}

impl Scene<'_> {
    fn place(&self) -> Timeline {
        let lanes = self.lanes();
        let axis = Axis::new(self.instants(&lanes), self.focus(), LEFT, RIGHT);
        let top = if self.departure.is_some() { FLAG + 17 } else { AXIS + 18 };
        let mut placer = Placer { axis: &axis, lanes: Vec::new(), y: top };
        for lane in lanes {
            placer.lane(lane.name);
            placer.bars(lane.bars, lane.height);
            placer.bands(lane.bands);
            placer.marks(lane.marks, lane.rows);
        }
        placer.close();
        let (lanes, height) = (placer.lanes, placer.y);
        let flag = self.departure.map(|departure| {
            let label = format!("✗ {} {}", departure.word, departure.row);
            (axis.x(departure.at), fitted(&label, WIDTH / 3).unwrap_or_else(|| "✗".to_owned()))
        });
        Timeline {
            lanes,
            ticks: axis.ticks(&self.important(), WIDTH, self.detail.apart()),
            axis,
            flag,
            height,
            title: format!("Timeline of {}", self.client),
            description: self.describe(),
        }
    }
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
