//! What must hold of every summary.
//!
//! Not responsible for how GitHub looks. Invariant: the checks read it with a Markdown parser, tables and
//! strike-through included, and hold the structure with hostile texts against the one with harmless texts.

use super::*;
use crate::sample::{HOSTILE, green, large, sample};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use stateline_core::record::{CaseRecord, Expected, KnownFailure, Standing, Verdict};

fn events(text: &str) -> Vec<Event<'_>> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_GFM;
    Parser::new_ext(text, options).collect()
}

/// The structure without the texts; what is no markup of ours panics.
fn structure(text: &str) -> Vec<String> {
    let name = |event: &Event<'_>| match event {
        Event::Text(_) => "text".to_owned(),
        Event::Code(_) => "code".to_owned(),
        Event::Html(html) | Event::InlineHtml(html) => panic!("HTML: {html}"),
        Event::Start(Tag::Link { .. } | Tag::Image { .. }) => panic!("a link: {event:?}"),
        Event::Start(Tag::Paragraph | Tag::Heading { .. } | Tag::List(_) | Tag::Item)
        | Event::Start(Tag::CodeBlock(_))
        | Event::Start(Tag::Table(_) | Tag::TableHead | Tag::TableRow | Tag::TableCell)
        | Event::End(_) => format!("{event:?}"),
        other => panic!("{other:?}"),
    };
    let mut names: Vec<String> = events(text).iter().map(name).collect();
    // One text may come in several parts.
    names.dedup();
    names
}

/// All that stands in no code span.
fn plain(text: &str) -> String {
    let mut in_command = false;
    let mut plain = String::new();
    for event in events(text) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_command = true,
            Event::End(TagEnd::CodeBlock) => in_command = false,
            Event::Text(text) if !in_command => plain.push_str(&text),
            _ => {}
        }
    }
    plain
}

/// A record in which every text that a client, its adapter or its command line has a part in is this one.
fn with(said: &str) -> RunRecord {
    let mut record = sample();
    record.run.client.name = said.to_owned();
    record.run.client.version = said.to_owned();
    record.run.client.spec = said.to_owned();
    for case in &mut record.cases {
        let CaseRecord { findings, warnings, reason, .. } = case;
        for finding in findings.iter_mut().chain(warnings) {
            finding.observed = said.to_owned();
            finding.expected = said.to_owned();
            finding.client = said.into();
        }
        *reason = reason.take().map(|_| said.to_owned());
    }
    record
}

#[test]
fn a_run_with_findings() {
    insta::assert_snapshot!(render(&sample()));
}

#[test]
fn a_green_run_is_short() {
    let text = render(&green());
    assert!(!text.contains("###"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn no_text_is_markup() {
    let harmless = with("said");
    let expected = structure(&render(&harmless));
    for evil in [
        HOSTILE,
        "`",
        "`` a ``` b ````",
        "a | b || c \\| d",
        "\n\n# heading\n\n- item\n\n---\n\n```\ncode\n```\n",
        "@somebody and @org/team",
        "[a](https://example.com) ![b](https://example.com/c.png) <https://example.com>",
        "https://example.com www.example.com #1 GH-2 a@example.com",
        "<!-- <details> &lt; &#64;",
        "$x$ ~~y~~ *z* __w__ :tada:",
        "\\",
        "\\`",
        " ` leading and trailing ` ",
        "\r\n\u{2028}\u{85}\t",
    ] {
        let text = render(&with(evil));
        assert_eq!(structure(&text), expected, "{evil:?}\n{text}");
        for part in ["@some", "example.com", "#1", "script", "tada", "a | b"] {
            assert!(!plain(&text).contains(part), "{part} is no code: {text}");
        }
    }
}

#[test]
fn words_of_a_suite_are_text_and_the_text_that_they_were() {
    let mut record = sample();
    let said = "1. *login* [moves](x) <b> `to` | a_b & c - d + e = f! $x$ \\ 4.5 s: ok";
    for requirement in &mut record.profiles[0].requirements {
        requirement.text = said.to_owned();
    }
    let text = render(&record);
    structure(&text);
    assert!(plain(&text).contains(said), "{text}");
    for requirement in &mut record.profiles[0].requirements {
        requirement.section = "see @somebody, https://example.com".to_owned();
    }
    assert!(!plain(&render(&record)).contains("@somebody"));
    record.profiles[0].id = "a|b".into();
    let cells = events(&render(&record))
        .iter()
        .filter(|event| matches!(event, Event::Start(Tag::TableCell)))
        .count();
    assert_eq!(cells % 2, 0, "a cell more");
}

#[test]
fn what_is_left_out_is_counted() {
    let text = render(&large(1_000));
    assert_eq!(text.matches("#### ").count(), MOST_FINDINGS);
    assert!(text.contains("And 60 more: ` SR-CONN-02 X"), "{text}");
}

#[test]
fn it_is_never_longer_than_a_summary_may_be() {
    let mut record = large(2_000);
    let long = "` | <b> \u{1b}".repeat(1_000);
    for (at, case) in record.cases.iter_mut().enumerate() {
        case.reason = Some(format!("{at} {long}"));
        case.verdict = [Verdict::Fail, Verdict::Error, Verdict::Inconclusive][at % 3].into();
        for finding in &mut case.findings {
            finding.row = format!("X{at}").into();
            finding.observed.clone_from(&long);
            finding.requirement = long.as_str().into();
        }
    }
    record.run.client.spec = long;
    let text = render(&record);
    assert!(text.len() <= LIMIT, "{}", text.len());
    structure(&text);
    // Authors of suites have no limit of their own.
    let mut profile = record.profiles[0].clone();
    profile.id = "p".repeat(LONGEST).into();
    record.profiles.resize(2_000, profile);
    let text = render(&record);
    assert!(text.len() <= LIMIT && text.contains("left out"), "{}", text.len());
}

#[test]
fn known_failures_are_told_apart() {
    let mut record = sample();
    for case in record.cases.iter_mut().filter(|case| case.verdict == Some(Verdict::Fail)) {
        let reason = "mended in 2.2 @somebody".to_owned();
        case.expected = Some(Expected { entry: 1, reason, link: None });
    }
    let entry = |entry, standing| KnownFailure {
        entry,
        line: entry * 10,
        cases: "login/*".to_owned(),
        requirements: Vec::new(),
        reason: "x".to_owned(),
        link: None,
        until: None,
        flaky: false,
        cases_known: 1,
        standing,
    };
    let entries = vec![entry(1, Standing::Holds), entry(2, Standing::Stale)];
    record.known = Some(KnownFailures { file: "stateline.expect.toml".to_owned(), entries });
    crate::sample::count(&mut record);
    let text = render(&record);
    assert!(!text.contains("### Findings"), "{text}");
    assert!(text.contains("- ` SR-CONN-02 C2 ` in 3 cases: ` mended in 2.2 @somebody `"), "{text}");
    assert!(text.contains("` stateline.expect.toml ` line 20, stale: ` login/* `"), "{text}");
    assert!(!text.contains("line 10"), "{text}");
    assert!(text.contains("Take the entries that do not hold out"), "{text}");
}
