//! What must hold of every diagram.
//!
//! Not responsible for Mermaid itself. Invariant: the checks know the grammar of a line, and nothing of how it
//! was written.

use super::*;
use crate::sample::{HOSTILE, sample, trace_of};
use stateline_core::record::Verdict;
use stateline_core::time::Micros;
use stateline_core::value::Fields;

fn failed() -> CaseRecord {
    sample().cases.into_iter().find(|case| case.verdict == Some(Verdict::Fail)).unwrap()
}

/// Each line is one that the language has, and its text holds nothing but what is inert.
fn is_sound(diagram: &str) {
    let mut lines = diagram.lines();
    assert_eq!(lines.next(), Some("sequenceDiagram"));
    let is_name = |name: &str| {
        let name = name.trim_start_matches('C');
        ["App", "Net", "Srv"].contains(&name) || name.parse::<u32>().is_ok()
    };
    let inert = |text: &str| {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('#') {
            let (code, after) = after.split_once(';').expect("an entity ends");
            assert!(code.parse::<u32>().is_ok(), "{text}");
            assert!(!before.contains(';'), "{text}");
            rest = after;
        }
        assert!(!rest.contains([';', '<', '>', '{', '}', '%', ':', '"', '\\', '`', '$', '@', '&']));
        let words = text.split(|c: char| !c.is_alphanumeric());
        assert!(words.clone().all(|word| !word.eq_ignore_ascii_case("end")), "{text}");
        assert!(!text.trim().is_empty(), "a line without a text");
    };
    for line in lines {
        let line = line.strip_prefix("    ").expect("lines are indented");
        if let Some(participant) = line.strip_prefix("participant ") {
            let (name, text) = participant.split_once(" as ").unwrap();
            assert!(is_name(name), "{line}");
            inert(text);
        } else if let Some(note) = line.strip_prefix("Note over ") {
            let (names, text) = note.split_once(": ").unwrap();
            assert!(names.split(',').all(is_name), "{line}");
            inert(text);
        } else {
            let (ends, text) = line.split_once(": ").unwrap();
            let arrows = ["-->>", "->>", "--x", "--)", "-)"];
            let arrow = arrows.into_iter().find(|arrow| ends.contains(arrow)).expect(line);
            let (from, to) = ends.split_once(arrow).unwrap();
            assert!(is_name(from) && is_name(to), "{line}");
            inert(text);
        }
    }
}

#[test]
fn a_case_is_drawn() {
    let diagram = render(&failed()).unwrap();
    is_sound(&diagram);
    insta::assert_snapshot!(diagram);
}

#[test]
fn no_trace_is_no_diagram() {
    let mut case = failed();
    case.trace.clear();
    assert_eq!(render(&case), None);
}

#[test]
fn what_repeats_itself_is_folded_and_what_shows_a_finding_is_not() {
    let mut case = failed();
    case.trace = trace_of(40);
    let diagram = render(&case).unwrap();
    let pings = case.trace.iter().filter(|event| event.data.text("message") == Some("ping"));
    let n: usize = diagram
        .lines()
        .flat_map(|line| line.split(", "))
        .filter_map(|part| {
            part.strip_suffix("→ ping")?.trim().strip_suffix('×')?.trim().parse().ok()
        })
        .map(|n: usize| n)
        .sum();
    let alone = diagram.lines().filter(|line| line.ends_with("→ ping") && line.contains(">>"));
    assert_eq!(n + alone.count(), pings.count(), "{diagram}");
    assert!(diagram.lines().count() < case.trace.len(), "{diagram}");
    let shown = case.findings[0].trace.1;
    let at = instant(case.trace[shown as usize].at);
    let arrow = diagram.lines().position(|line| line.contains("C1->>") && line.contains(&at));
    let finding = diagram.lines().position(|line| line.contains("✗ 9.000001 s SR-CONN-02"));
    assert!(arrow.unwrap() < finding.unwrap(), "{diagram}");
}

#[test]
fn each_finding_is_told_once_even_after_the_last_event() {
    let mut case = failed();
    case.findings[0].at = Micros::from_secs(10_000);
    case.findings.truncate(1);
    let diagram = render(&case).unwrap();
    assert_eq!(diagram.matches("✗ 10000.000 s SR-CONN-02 row C2").count(), 1, "{diagram}");
    assert!(diagram.lines().last().unwrap().contains("observed"), "{diagram}");
}

#[test]
fn no_text_is_read_as_anything_but_text() {
    let texts = [
        HOSTILE,
        "end",
        "the END; loop every minute\nend",
        "#quot;%%{init: {'theme':'x'}}%%",
        "wrap:a;participant B",
        "style x:#1;",
        "ende bend end-of (end)",
        "$$\\frac$$ `x` @{a: b} --> ->> -) :",
        "",
    ];
    for text in texts {
        let mut case = failed();
        case.id = text.into();
        for event in &mut case.trace {
            event.client = Some(text.into());
            event.data = Fields::new().with("state", text).with("reason", text).with("op", text);
            event.kind =
                if event.plane == Plane::Control { event.kind.clone() } else { text.into() };
        }
        for finding in &mut case.findings {
            finding.client = text.into();
            finding.observed = text.to_owned();
            finding.row = text.into();
        }
        is_sound(&render(&case).unwrap());
    }
    assert_eq!(words("the End of ends"), "the #69;nd of ends");
}

#[test]
fn a_diagram_never_grows_too_large_to_be_drawn() {
    let mut case = failed();
    let first = case.trace.clone();
    for n in 1..600_u32 {
        let shift = |event: &Event| {
            let n_events = u32::try_from(first.len()).unwrap();
            let at = event.at + Micros::from_secs(u64::from(n) * 100);
            Event { n: event.n + n * n_events, at, ..event.clone() }
        };
        let more: Vec<Event> = first.iter().map(shift).collect();
        case.trace.extend(more);
        if n == 99 || n == 599 {
            let diagram = render(&case).unwrap();
            assert!(diagram.len() <= MOST, "{}", diagram.len());
            is_sound(&diagram);
            assert!(diagram.contains("left out"), "{n}");
            assert!(diagram.contains("✗ 9.000001 s SR-CONN-02"), "{n}");
        }
    }
    // Nothing but findings.
    let finding = case.findings[0].clone();
    case.findings = vec![finding; 5_000];
    assert!(render(&case).unwrap().len() <= MOST);
}
