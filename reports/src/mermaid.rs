//! A case as a sequence diagram, in the language of Mermaid: GitHub, GitLab and many wikis draw it.
//!
//! Application, clients, network and server stand side by side; what happened goes from one to another, states
//! and findings are notes. Heartbeats are folded, because they are most of a trace and none of the story.
//!
//! Not responsible for drawing. Invariant: no text of a client is read as anything but text, and the diagram
//! has not more characters than a page draws, whatever the trace holds.

use crate::text::{self, event_fields, event_head, instant};
use indexmap::IndexMap;
use smol_str::SmolStr;
use stateline_core::record::{CaseRecord, Finding};
use stateline_core::trace::{Event, Plane};
use std::fmt::Write;

/// Where a page stops to draw is at 50,000 characters.
const MOST: usize = 45_000;
/// Characters of the text of a line, as it is written.
const LONGEST: usize = 400;
/// Findings that are told; all that a case has follow from the first ones.
const MOST_FINDINGS: usize = 20;
/// Frames that are alike, in a row of frames, from which on they are folded.
const OFTEN: usize = 3;

/// The diagram; `None` where the record has no trace of the case.
#[must_use]
pub fn render(case: &CaseRecord) -> Option<String> {
    if case.trace.is_empty() {
        return None;
    }
    let drawn = draw(case, |_| true);
    if drawn.len() <= MOST {
        return Some(drawn);
    }
    // What the application sees, and as much around the findings as there is room for.
    let near = |event: &Event| {
        let shows = |finding: &Finding| {
            event.n.abs_diff(finding.trace.0) < 20 || event.n.abs_diff(finding.trace.1) < 20
        };
        case.findings.iter().take(MOST_FINDINGS).any(shows)
    };
    let drawn = draw(case, |event| event.plane == Plane::Control || near(event));
    if drawn.len() <= MOST {
        return Some(drawn);
    }
    Some(draw(case, near)).filter(|drawn| drawn.len() <= MOST).or_else(|| Some(beginning(case)))
}

/// As much of the beginning as there is room for.
fn beginning(case: &CaseRecord) -> String {
    let (mut from, mut to) = (0, case.trace.len());
    while to - from > 1 {
        let middle = from.midpoint(to);
        let last = case.trace[middle].n;
        if draw(case, |event| event.n < last).len() <= MOST { from = middle } else { to = middle }
    }
    let last = case.trace[from].n;
    draw(case, |event| event.n < last)
}

fn draw(case: &CaseRecord, shown: impl Fn(&Event) -> bool) -> String {
    let mut page = Page::of(case);
    let mut findings = case.findings.iter().take(MOST_FINDINGS).peekable();
    let mut left_out = 0;
    let mut at = 0;
    while let Some(event) = case.trace.get(at) {
        while let Some(finding) = findings.next_if(|finding| finding.at < event.at) {
            page.finding(finding);
        }
        let until = findings.peek().map(|finding| finding.trace.1);
        let n_folded = folded(&case.trace[at..], until);
        if !shown(event) {
            left_out += 1;
            at += 1;
        } else {
            page.left_out(std::mem::take(&mut left_out));
            if n_folded > 0 {
                page.fold(&case.trace[at..at + n_folded]);
            } else {
                page.event(event);
            }
            at += n_folded.max(1);
        }
        while let Some(finding) = findings
            .next_if(|finding| finding.at == event.at && finding.trace.1 <= case.trace[at - 1].n)
        {
            page.finding(finding);
        }
    }
    page.left_out(left_out);
    findings.for_each(|finding| page.finding(finding));
    let more = case.findings.len().saturating_sub(MOST_FINDINGS);
    if more > 0 {
        page.note(APPLICATION, Some(SERVER), &text::count(more, "more finding"));
    }
    page.out
}

/// How many events from here on are frames that only repeat each other, or 0. What shows a finding stands
/// for itself.
fn folded(trace: &[Event], until: Option<u32>) -> usize {
    let is_frame = |event: &&Event| event.plane == Plane::Wire && Some(event.n) != until;
    let frames: Vec<&Event> = trace.iter().take_while(is_frame).collect();
    let mut often: IndexMap<(&str, String), usize> = IndexMap::new();
    let key = |event: &'_ Event| event_head(event);
    for frame in &frames {
        *often.entry((client(frame), key(frame))).or_default() += 1;
    }
    let is_often = |frame: &&&Event| often[&(client(frame), key(frame))] >= OFTEN;
    let n = frames.iter().take_while(is_often).count();
    if n >= OFTEN { n } else { 0 }
}

fn client(event: &Event) -> &str {
    event.client.as_deref().unwrap_or("")
}

/// The diagram as it grows.
struct Page {
    out: String,
    /// The clients, each with the name of its line.
    clients: IndexMap<SmolStr, String>,
}

const APPLICATION: &str = "App";
const NETWORK: &str = "Net";
const SERVER: &str = "Srv";

impl Page {
    fn of(case: &CaseRecord) -> Self {
        let mut clients: IndexMap<SmolStr, String> = IndexMap::new();
        for name in case.trace.iter().filter_map(|event| event.client.as_ref()) {
            let line = format!("C{}", clients.len() + 1);
            clients.entry(name.clone()).or_insert(line);
        }
        let mut page = Self { out: "sequenceDiagram\n".to_owned(), clients };
        page.line(&format!("participant {APPLICATION} as application"));
        for (name, line) in page.clients.clone() {
            page.line(&format!("participant {line} as {}", words(&name)));
        }
        page.line(&format!("participant {NETWORK} as network"));
        page.line(&format!("participant {SERVER} as server"));
        let verdict = text::Mark::of_case(case);
        let title = format!("{} {} {}", verdict.glyph, verdict.word, text::case_name(case));
        page.note(APPLICATION, Some(SERVER), &title);
        page
    }

    fn line(&mut self, line: &str) {
        // Writing into memory cannot fail.
        let _ = writeln!(self.out, "    {line}");
    }

    fn note(&mut self, from: &str, to: Option<&str>, told: &str) {
        let over = to.map_or_else(|| from.to_owned(), |to| format!("{from},{to}"));
        self.line(&format!("Note over {over}: {}", words(told)));
    }

    fn arrow(&mut self, from: &str, arrow: &str, to: &str, told: &str) {
        self.line(&format!("{from}{arrow}{to}: {}", words(told)));
    }

    /// The line of a client; what is about none is about the application.
    fn of_client(&self, name: &str) -> String {
        self.clients.get(name).cloned().unwrap_or_else(|| APPLICATION.to_owned())
    }

    fn event(&mut self, event: &Event) {
        let client = self.of_client(client(event));
        let at = instant(event.at);
        let told = format!("{at} {}", told(event));
        match (event.plane, event.kind.as_str()) {
            (Plane::Control, "call") => self.arrow(APPLICATION, "->>", &client, &told),
            (Plane::Control, "state") => self.note(&client, None, &told),
            (Plane::Control, _) => self.arrow(&client, "-->>", APPLICATION, &told),
            (Plane::Wire, _) if event.data.text("dir") == Some("sent") => {
                self.arrow(&client, "->>", SERVER, &told);
            }
            (Plane::Wire, _) => self.arrow(SERVER, "->>", &client, &told),
            (Plane::Network, "attempt") => self.arrow(&client, "-)", NETWORK, &told),
            (Plane::Network, "failed") => self.arrow(NETWORK, "--x", &client, &told),
            (Plane::Network, "opened" | "closed") => self.arrow(NETWORK, "--)", &client, &told),
            (Plane::Network, _) => self.note(NETWORK, None, &told),
            (Plane::Server, _) => self.note(SERVER, None, &told),
            // They say that the trace begins and ends, which is to be seen.
            (Plane::Harness, "note")
                if matches!(event.data.text("note"), Some("begin" | "end")) => {}
            (Plane::Harness, _) => self.note(APPLICATION, None, &told),
        }
    }

    fn fold(&mut self, frames: &[Event]) {
        let mut counts: IndexMap<(&str, String), usize> = IndexMap::new();
        for frame in frames {
            *counts.entry((client(frame), event_head(frame))).or_default() += 1;
        }
        let several = counts.keys().any(|(name, _)| counts.keys().any(|(other, _)| other != name));
        let of = |name: &str| if several { format!(" of {name}") } else { String::new() };
        let parts = counts.iter().map(|((name, head), n)| format!("{n} × {head}{}", of(name)));
        let told = parts.collect::<Vec<_>>().join(", ");
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return };
        let told = format!("{} to {}, {told}", instant(first.at), instant(last.at));
        let line = self.of_client(client(first));
        self.note(&line, Some(SERVER), &told);
    }

    fn finding(&mut self, finding: &Finding) {
        let line = self.of_client(&finding.client);
        let Finding { requirement, row, expected, observed, .. } = finding;
        let follows = if finding.consequent { ", may follow" } else { "" };
        let told = format!("✗ {} {requirement} row {row}{follows}", instant(finding.at));
        self.note(&line, None, &told);
        if !finding.consequent {
            self.note(&line, None, &format!("expected {expected}"));
            self.note(&line, None, &format!("observed {observed}"));
        }
    }

    fn left_out(&mut self, n: usize) {
        if n > 0 {
            let told = format!("{} left out", text::count(n, "event"));
            self.note(APPLICATION, Some(SERVER), &told);
        }
    }
}

/// What happened, without what only programs read.
fn told(event: &Event) -> String {
    let is_for_people = |name: &str| match event.plane {
        Plane::Control => matches!(name, "reason" | "code" | "token" | "token-kind"),
        Plane::Wire => matches!(name, "code" | "reason" | "token"),
        _ => name != "conn",
    };
    let fields = event_fields(event).into_iter().filter(|(name, _)| is_for_people(name));
    let field = |(name, value): (SmolStr, String)| match (event.plane, name.as_str()) {
        (Plane::Harness, "text" | "note") => format!(" {value}"),
        _ => format!(" {name} {value}"),
    };
    format!("{}{}", event_head(event), fields.map(field).collect::<String>())
}

/// A text that Mermaid takes for nothing else: all but letters, digits and a few marks become its entities.
fn words(told: &str) -> String {
    let told = text::visible(&text::shorten(told, LONGEST), &[]);
    if told.trim().is_empty() {
        return "(nothing)".to_owned();
    }
    let mut safe = String::with_capacity(told.len());
    for (at, c) in told.char_indices() {
        if safe.len() >= LONGEST {
            safe.push('…');
            break;
        }
        let is_plain = match c {
            // A word of the language that would end a block.
            'e' | 'E' => !ends_a_block(&told, at),
            ' ' | '.' | ',' | '/' | '_' | '-' | '=' | '(' | ')' | '[' | ']' => true,
            c => c.is_ascii_alphanumeric() || (!c.is_ascii() && !c.is_whitespace()),
        };
        if is_plain {
            safe.push(c);
        } else {
            let _ = write!(safe, "#{};", u32::from(c));
        }
    }
    safe
}

fn ends_a_block(told: &str, at: usize) -> bool {
    let is_word = |c: char| c.is_alphanumeric();
    let starts = !told[..at].ends_with(is_word);
    let word = told[at..].get(..3).is_some_and(|word| word.eq_ignore_ascii_case("end"));
    starts && word && !told[at + 3..].starts_with(is_word)
}

#[cfg(test)]
mod tests;
