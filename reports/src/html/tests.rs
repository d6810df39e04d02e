//! What must hold of every page.
//!
//! Not responsible for the look; that is for eyes.
//!
//! Invariant: the checks read the page as a browser's tokenizer would, not the templates.

use super::*;
use crate::sample::{HOSTILE, green, large, sample};
use std::collections::BTreeSet;

const VOID: [&str; 6] = ["br", "img", "input", "link", "meta", "rect"];

/// The names of all start tags with their attributes; panics where tags do not nest.
fn tags(page: &str) -> Vec<(String, String)> {
    let mut tags = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = page.strip_prefix("<!doctype html>").expect("a doctype comes first");
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, tail) = after.split_once('>').expect("every tag ends");
        rest = tail;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(
                open.pop().as_deref(),
                Some(name),
                "near {}",
                tail.chars().take(80).collect::<String>()
            );
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "<{tag}>");
        tags.push((name.to_owned(), attributes.to_owned()));
        if name == "style" || name == "script" {
            rest = tail.split_once(&format!("</{name}>")).expect("it is closed").1;
        } else if !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "{open:?}");
    tags
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let (_, value) = attributes.split_once(&format!("{name}=\""))?;
    Some(value.split_once('"')?.0.to_owned())
}

fn decoded(href: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = href.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let hex = String::from_utf8(vec![rest.next().unwrap(), rest.next().unwrap()]).unwrap();
            bytes.push(u8::from_str_radix(&hex, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn pages_are_well_formed_and_every_link_leads_somewhere() {
    for record in [sample(), green(), large(60)] {
        let page = render(&record, &Options { max_findings: 3, ..Options::default() });
        let tags = tags(&page);
        let ids: Vec<String> =
            tags.iter().filter_map(|(_, attributes)| attribute(attributes, "id")).collect();
        let unique: BTreeSet<&String> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "an id stands twice");
        for (name, attributes) in &tags {
            assert!(!attributes.contains(" on"), "<{name} {attributes}>");
            for of in ["href", "aria-labelledby"] {
                let Some(value) = attribute(attributes, of) else {
                    continue;
                };
                let id = decoded(value.trim_start_matches('#'));
                assert!(unique.contains(&id), "{of}={value} leads nowhere");
            }
        }
        for table in page.split("<table").skip(1) {
            assert!(table.contains("<caption") && table.contains("scope=\"col\""));
        }
    }
}

#[test]
fn what_a_client_says_is_text() {
    let page = render(&sample(), &Options::default());
    assert!(!page.contains(HOSTILE) && !page.contains("<script>alert") && !page.contains("<img"));
    assert!(page.contains("&#60;script&#62;alert"), "the text itself is shown");
    assert!(
        page.contains(r"\u{1b}[2J\u{202e}gnitcennocer\u{0}"),
        "what is invisible is shown as an escape"
    );
    assert!(page.chars().all(|c| c == '\n' || !c.is_control()));
    assert_eq!(page.matches("<script").count(), 1);
}

#[test]
fn the_policy_names_the_script_that_is_there() {
    let page = render(&sample(), &Options::default());
    let inner = |name: &str| {
        page.split_once(&format!("<{name}>"))
            .unwrap()
            .1
            .split_once(&format!("</{name}>"))
            .unwrap()
            .0
    };
    for (name, source) in [("style", STYLE), ("script", SCRIPT)] {
        assert_eq!(inner(name), source, "{name} was changed on its way");
    }
    assert!(!page.contains("style=\""), "the policy forbids style attributes");
    assert!(!page.contains("http://") && !page.contains("https://"));
    assert!(page.contains("default-src &#39;none&#39;"));
}

#[test]
fn verdicts_have_words() {
    let page = render(&sample(), &Options::default());
    for word in [
        "PASS",
        "FAIL",
        "INCONCLUSIVE",
        "ERROR",
        "not applicable",
        "violated in 3 of 12",
        "kept, 24 cases",
        "not exercised",
        "cannot occur",
    ] {
        assert!(page.contains(word), "{word}");
    }
    assert!(page.contains(
        "The client violates 2 documented requirements, seen in 4 of 17 applicable cases."
    ));
    assert!(page.contains("stateline run &#39;sample-rtm/"));
}

#[test]
fn a_page_stays_small() {
    let usual = render(&large(200), &Options::default()).len();
    assert!(usual < 600_000, "{usual}");
    let large_run = render(&large(10_000), &Options::default()).len();
    assert!(large_run < 2_500_000, "{large_run}");
}

#[test]
fn nothing_at_all_is_a_page_too() {
    let mut record = green();
    record.cases.clear();
    record.profiles.clear();
    record.coverage.clear();
    crate::sample::count(&mut record);
    let page = render(&record, &Options::default());
    tags(&page);
    assert!(page.contains("No case was run."));
}
