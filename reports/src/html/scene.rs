//! What a timeline shows of a case, lane by lane, before anything has a place.
//!
//! Not responsible for places or markup. A window that was over before it began, such as the end of a login
//! that was answered at once, is not shown.
//!
//! Invariant: what is shown at an instant happened then; each demand whose window began and has an end is
//! shown.

use super::fold::{Folded, Run, lost, message, signal};
use super::lanes::{Bar, LEFT, Mark, Shape};
use super::markup::fitted;
use super::path::{Departure, first_finding};
use super::timeline::Detail;
use crate::text;
use stateline_core::record::{CaseRecord, End, Force, Stay, Wait};
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};

/// What is drawn of one client, and its case.
pub(super) struct Scene<'a> {
    pub(super) case: &'a CaseRecord,
    pub(super) client: String,
    pub(super) folded: Folded<'a>,
    pub(super) stays: Vec<&'a Stay>,
    pub(super) waits: Vec<&'a Wait>,
    pub(super) departure: Option<&'a Departure>,
    pub(super) detail: Detail,
    pub(super) end: Micros,
}

impl Scene<'_> {
    /// Instants that need a tick more than others.
    pub(super) fn important(&self) -> Vec<Micros> {
        let at_issue = self.departure.map(|departure| departure.row.as_str());
        let issue = self.waits.iter().filter(|wait| Some(wait.row.as_str()) == at_issue);
        let issue = issue.flat_map(|wait| [Some(wait.from), wait.until]).flatten();
        let stays = self.stays.iter().map(|stay| stay.from);
        let found = self.departure.map(|departure| departure.at);
        found.into_iter().chain(issue).filter(|at| *at <= self.end).chain(stays).collect()
    }

    /// What the first finding is about: from what began it to the last instant at which it would be right.
    pub(super) fn focus(&self) -> Option<(Micros, Micros)> {
        let departure = self.departure?;
        let issue = || self.waits.iter().filter(|wait| wait.row == departure.row);
        let near = |wait: &&&Wait| wait.ended.is_none_or(|ended| ended >= departure.at);
        let wait = issue().find(near)?;
        let cause = self.case.trace.iter().find(|event| event.n == wait.cause)?;
        let until = wait.until.filter(|until| *until <= self.end);
        Some((cause.at, until.unwrap_or(departure.at).max(departure.at)))
    }

    /// Every instant that has a place of its own.
    pub(super) fn instants(&self, lanes: &[Content]) -> Vec<Micros> {
        let at_issue = self.departure.map(|departure| departure.row.as_str());
        let bars = lanes.iter().flat_map(|lane| &lane.bars).flat_map(|bar| [bar.from, bar.to]);
        let marks = lanes.iter().flat_map(|lane| &lane.marks).map(|mark| mark.at);
        // The ends of other windows lie where they lie: they need no room of their own.
        let issue = self.waits.iter().filter(|wait| Some(wait.row.as_str()) == at_issue);
        let issue = issue.flat_map(|wait| [Some(wait.from), wait.until]).flatten();
        let issue = issue.filter(|at| *at <= self.end);
        let found = self.departure.map(|departure| departure.at);
        let ends = [Micros::ZERO, self.end];
        bars.chain(marks).chain(issue).chain(found).chain(ends).collect()
    }

    pub(super) fn lanes(&self) -> Vec<Content> {
        let mut lanes = vec![self.application(), self.states()];
        for lane in [self.wire(), self.network(), self.server()] {
            if !lane.is_empty() {
                lanes.push(lane);
            }
        }
        for peer in self.peers() {
            let lane = self.peer(&peer);
            if !lane.is_empty() {
                lanes.push(lane);
            }
        }
        lanes.retain(|lane| !lane.is_empty());
        lanes
    }

    fn mine(&self, plane: Plane) -> impl Iterator<Item = &Event> {
        let events = self.case.trace.iter().filter(move |event| event.plane == plane);
        events.filter(|event| event.client.as_deref() == Some(self.client.as_str()))
    }

    fn application(&self) -> Content {
        let mut lane = Content::new("application", 6, 3);
        lane.take_calls(&calls(&self.case.trace, &self.client), self.end);
        lane
    }

    fn states(&self) -> Content {
        let name = if self.client.is_empty() { "client" } else { &self.client };
        let mut lane = Content::new(name, 18, self.detail.rows(3));
        for stay in self.stays.iter().filter(|stay| stay.to != Some(stay.from)) {
            let shape = if stay.allowed { Shape::State } else { Shape::Strange };
            let label =
                if stay.allowed { stay.state.to_string() } else { format!("✗ {}", stay.state) };
            lane.bars.push(Bar { from: stay.from, to: stay.to.unwrap_or(self.end), shape, label });
        }
        for wait in &self.waits {
            lane.bands.push(band(wait, self.end));
        }
        lane.bands.extend(self.missed());
        for event in self.mine(Plane::Control) {
            let label = match event.kind.as_str() {
                "state" => report(event, &self.stays),
                "event" => event.data.text("event").unwrap_or_default().to_owned(),
                _ => continue,
            };
            lane.marks.push(Mark { at: event.at, shape: Some(Shape::Mark), label });
        }
        lane
    }

    fn wire(&self) -> Content {
        let mut lane = Content::new("wire", 6, self.detail.rows(3));
        for run in &self.folded.beats {
            lane.take_run(run);
        }
        for event in &self.folded.frames {
            let sent = event.data.text("dir") == Some("sent");
            let (shape, arrow) = if sent { (Shape::Sent, "→") } else { (Shape::Received, "←") };
            let label = format!("{arrow} {}", message(event));
            lane.marks.push(Mark { at: event.at, shape: Some(shape), label });
        }
        lane
    }

    fn network(&self) -> Content {
        let mut lane = Content::new("network", 6, self.detail.rows(2));
        let mut down: Option<(Micros, String)> = None;
        for event in &self.folded.link {
            match event.kind.as_str() {
                "down" => {
                    let kind = event.data.text("kind").unwrap_or_default();
                    down.get_or_insert_with(|| (event.at, format!("down: {kind}")));
                }
                "up" => lane.take_down(down.take(), event.at),
                "closed" => {
                    let (at, label) = (event.at, lost(event));
                    lane.marks.push(Mark { at, shape: Some(Shape::Mark), label });
                }
                _ => {}
            }
        }
        lane.take_down(down, self.end);
        for dial in &self.folded.dials {
            let to = dial.to.unwrap_or(self.end);
            lane.bars.push(Bar { from: dial.from, to, shape: Shape::Dial, label: String::new() });
            lane.marks.push(Mark {
                at: dial.from,
                shape: None,
                label: dial.outcome.word().to_owned(),
            });
        }
        for run in &self.folded.redials {
            lane.take_run(run);
        }
        lane
    }

    fn server(&self) -> Content {
        let mut lane = Content::new("server", 4, self.detail.rows(2));
        let mut online: Option<Micros> = None;
        for event in &self.folded.signals {
            let ends = match event.kind.as_str() {
                "presence.online" => {
                    online.get_or_insert(event.at);
                    false
                }
                "presence.ended" | "presence.removed" => true,
                _ => false,
            };
            if let (true, Some(from)) = (ends, online) {
                lane.bars.push(Bar {
                    from,
                    to: event.at,
                    shape: Shape::Session,
                    label: String::new(),
                });
                online = None;
            }
            let label = signal(event).to_owned();
            lane.marks.push(Mark { at: event.at, shape: Some(Shape::Mark), label });
        }
        for run in &self.folded.resignals {
            lane.take_run(run);
        }
        if let Some(from) = online {
            lane.bars.push(Bar { from, to: self.end, shape: Shape::Session, label: String::new() });
        }
        lane
    }

    /// What did not come though no wait asked for it: an answer, or one more of what must not stop.
    fn missed(&self) -> Option<Bar> {
        let departure = self.departure.filter(|departure| departure.n.is_none())?;
        if self.waits.iter().any(|wait| wait.row == departure.row) {
            return None;
        }
        let finding = first_finding(self.case)?;
        let since = self.case.trace.iter().find(|event| event.n == finding.trace.0)?;
        let label = format!("{} ✗", departure.row);
        Some(Bar { from: since.at, to: departure.at, shape: Shape::Missed, label })
    }

    /// The other clients of the case, in order of their first appearance.
    fn peers(&self) -> Vec<String> {
        let mut peers: Vec<String> = Vec::new();
        let story = self.case.story.iter().flat_map(|story| &story.stays);
        let names = story.map(|stay| &stay.client);
        for name in names.chain(self.case.trace.iter().filter_map(|event| event.client.as_ref())) {
            if *name != self.client && !peers.iter().any(|have| have == name) {
                peers.push(name.to_string());
            }
        }
        peers
    }

    /// Another client in one lane: its states, and what it and its application told each other.
    fn peer(&self, name: &str) -> Content {
        let mut lane = Content::new(name, 14, 1);
        let stays = self.case.story.iter().flat_map(|story| &story.stays);
        for stay in stays.filter(|stay| stay.client == *name && stay.to != Some(stay.from)) {
            let shape = if stay.allowed { Shape::State } else { Shape::Strange };
            let to = stay.to.unwrap_or(self.end);
            lane.bars.push(Bar { from: stay.from, to, shape, label: stay.state.to_string() });
        }
        let trace = self.case.trace.iter().filter(|event| event.plane == Plane::Control);
        for event in trace.filter(|event| event.client.as_deref() == Some(name)) {
            let field = |name| event.data.text(name).unwrap_or_default().to_owned();
            let label = match event.kind.as_str() {
                "call" => field("op"),
                "event" => field("event"),
                _ => continue,
            };
            lane.marks.push(Mark { at: event.at, shape: Some(Shape::Mark), label });
        }
        lane
    }

    pub(super) fn describe(&self) -> String {
        if self.detail == Detail::Small {
            return "The path below says the same in words.".to_owned();
        }
        let mut told: Vec<String> = Vec::new();
        for stay in self.stays.iter().take(12) {
            let by = stay.row.as_ref().map(|row| format!(" by {row}")).unwrap_or_default();
            let seen = if stay.allowed { "" } else { ", which no row explains" };
            let state = text::shorten(&stay.state, 80);
            told.push(format!("{state} from {}{by}{seen}", stay.from));
        }
        if let Some(departure) = self.departure {
            told.push(format!("{} at {}: {}", departure.word, departure.at, departure.row));
        }
        format!("{}.", told.join("; "))
    }
}

/// What a lane shows, before it has a place.
pub(super) struct Content {
    pub(super) name: String,
    /// How high its bars are.
    pub(super) height: i32,
    pub(super) bars: Vec<Bar>,
    pub(super) bands: Vec<Bar>,
    pub(super) marks: Vec<Mark>,
    /// How many rows of labels it may have.
    pub(super) rows: usize,
}

impl Content {
    fn new(name: &str, height: i32, rows: usize) -> Self {
        let name = fitted(name, LEFT - 8).unwrap_or_default();
        Self { name, height, bars: Vec::new(), bands: Vec::new(), marks: Vec::new(), rows }
    }

    fn is_empty(&self) -> bool {
        self.bars.is_empty() && self.bands.is_empty() && self.marks.is_empty()
    }

    fn take_calls(&mut self, calls: &[Call], end: Micros) {
        for call in calls {
            let to = call.to.unwrap_or(end);
            self.bars.push(Bar { from: call.from, to, shape: Shape::Call, label: String::new() });
            self.marks.push(Mark { at: call.from, shape: None, label: call.label.clone() });
        }
    }

    fn take_run(&mut self, run: &Run) {
        let shape = Shape::Beats;
        self.bars.push(Bar { from: run.from, to: run.to, shape, label: String::new() });
        self.marks.push(Mark { at: run.from, shape: None, label: run.text.clone() });
    }

    fn take_down(&mut self, down: Option<(Micros, String)>, to: Micros) {
        if let Some((from, label)) = down {
            self.bars.push(Bar { from, to, shape: Shape::Down, label: String::new() });
            self.marks.push(Mark { at: from, shape: None, label });
        }
    }
}

/// A call of the application.
struct Call {
    from: Micros,
    to: Option<Micros>,
    label: String,
}

fn calls(trace: &[Event], client: &str) -> Vec<Call> {
    let mut calls: Vec<(Option<i64>, Call)> = Vec::new();
    let control = trace.iter().filter(|event| event.plane == Plane::Control);
    for event in control.filter(|event| event.client.as_deref() == Some(client)) {
        let (op, id) = (event.data.text("op").unwrap_or_default(), event.data.int("call"));
        match event.kind.as_str() {
            "call" => {
                let label = format!("{op} → nothing");
                calls.push((id, Call { from: event.at, to: None, label }));
            }
            "result" => {
                let code = event.data.get("code").map(ToString::to_string).unwrap_or_default();
                let label = format!("{op} → {code}");
                let open = calls.iter_mut().find(|(of, call)| *of == id && call.to.is_none());
                match open {
                    Some((_, call)) => {
                        call.to = Some(event.at);
                        call.label = label;
                    }
                    // A result without a call, or a second one.
                    None => calls.push((id, Call { from: event.at, to: Some(event.at), label })),
                }
            }
            _ => {}
        }
    }
    calls.into_iter().map(|(_, call)| call).collect()
}

/// What a report adds to the state that it leads to.
fn report(event: &Event, stays: &[&Stay]) -> String {
    let field = |name| event.data.text(name).unwrap_or_default();
    let (state, reason) = (field("state"), field("reason"));
    let is_shown = stays.iter().any(|stay| stay.n == Some(event.n));
    match (is_shown, reason) {
        (true, "") => "no reason".to_owned(),
        (true, reason) => reason.to_owned(),
        (false, "") => state.to_owned(),
        (false, reason) => format!("{state}, {reason}"),
    }
}

/// Whether a wait has a band. What is permitted or forbidden is drawn where something is to be found.
pub(super) fn is_drawn(wait: &Wait, departure: Option<&Departure>, detail: Detail) -> bool {
    let at_issue = departure.is_some_and(|departure| departure.row == wait.row);
    let began = wait.ended.is_none_or(|ended| ended >= wait.from);
    match wait.force {
        Force::Must => wait.until.is_some() && (began || at_issue),
        Force::May => detail == Detail::Full && began && wait.ended != Some(wait.from),
        Force::Never => at_issue,
    }
}

fn band(wait: &Wait, end: Micros) -> Bar {
    let shape = match (wait.force, wait.end) {
        (Force::Must, End::Overdue) => Shape::Missed,
        (Force::Must, _) => Shape::Must,
        (Force::May, _) => Shape::May,
        (Force::Never, _) => Shape::Forbidden,
    };
    let word = match (wait.force, wait.end) {
        (Force::Never, _) => " must not",
        (Force::May, _) => " may",
        (_, End::Met) => " ✓",
        (_, End::Overdue) => " ✗",
        (_, End::Withdrawn) => " withdrawn",
        (_, End::Over | End::Open) => "",
    };
    let until = wait.until.or(wait.ended).unwrap_or(end);
    let beyond = if until > end { " …" } else { "" };
    Bar {
        from: wait.from.min(end),
        to: until.min(end),
        shape,
        label: format!("{}{word}{beyond}", wait.row),
    }
}

/// When the drawing ends: with the case, or with the window that the first finding is about.
pub(super) fn end(case: &CaseRecord, departure: Option<&Departure>) -> Micros {
    let story = case.story.iter();
    let stays =
        story.clone().flat_map(|story| &story.stays).flat_map(|stay| [Some(stay.from), stay.to]);
    let at_issue = |wait: &&Wait| departure.is_some_and(|departure| departure.row == wait.row);
    let issue = story.flat_map(|story| &story.waits).filter(at_issue).filter_map(|wait| wait.until);
    let trace = case.trace.iter().map(|event| event.at);
    let found = departure.map(|departure| departure.at);
    stays.flatten().chain(issue).chain(trace).chain(found).max().unwrap_or_default()
}
