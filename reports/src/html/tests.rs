//! What must hold of every page.
//!
//! Not responsible for the look; that is for eyes and for the browser.
//!
//! Invariant: the checks read the page as a browser's parser does, not the templates.

mod hostile;

use super::*;
use crate::sample::{HOSTILE, count, green, large, sample, with_known};
use scraper::{ElementRef, Html, Selector};
use stateline_core::record::Verdict;
use std::collections::BTreeSet;

fn parsed(page: &str) -> Html {
    let html = Html::parse_document(page);
    assert!(html.errors.is_empty(), "{:?}", html.errors);
    html
}

fn all<'a>(html: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    html.select(&Selector::parse(selector).unwrap()).collect()
}

fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text of what stands side by side.
fn parts(element: ElementRef<'_>) -> String {
    let parts: Vec<&str> = element.text().flat_map(str::split_whitespace).collect();
    parts.join(" ")
}

/// The text of the only element that fits.
fn only(html: &Html, selector: &str) -> String {
    let found = all(html, selector);
    assert_eq!(found.len(), 1, "{selector}");
    text(found[0])
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

/// Two contracts in one run.
fn two() -> RunRecord {
    let mut record = with_known();
    let mut second = record.profiles[0].clone();
    second.id = "second-rtm".into();
    second.variant = Some("web".into());
    record.profiles.push(second);
    for at in 0..3 {
        let mut case = record.cases[at].clone();
        case.id = case.id.replacen("sample-rtm", "second-rtm", 1).into();
        case.profile = "second-rtm".into();
        record.cases.push(case);
    }
    count(&mut record);
    record
}

fn nothing() -> RunRecord {
    let mut record = green();
    record.cases.clear();
    record.profiles.clear();
    record.coverage.clear();
    count(&mut record);
    record
}

#[test]
fn pages_are_well_formed_and_every_link_leads_somewhere() {
    for record in [sample(), with_known(), green(), large(60), two(), nothing()] {
        let page = render(&record, &Options { max_findings: 3, ..Options::default() });
        let html = parsed(&page);
        let mut ids = BTreeSet::new();
        for element in all(&html, "[id]") {
            let id = element.attr("id").unwrap();
            assert!(ids.insert(id), "{id} stands twice");
            assert!(!id.contains(char::is_whitespace), "{id:?}");
        }
        for element in all(&html, "*") {
            for (name, value) in element.value().attrs() {
                assert!(!name.starts_with("on") && name != "style", "{name}={value}");
                match name {
                    "href" => {
                        let id = value.strip_prefix('#').expect(value);
                        assert!(ids.contains(decoded(id).as_str()), "{value} leads nowhere");
                    }
                    "aria-labelledby" => assert!(ids.contains(value), "{value}"),
                    _ => {}
                }
            }
        }
        for table in all(&html, "table") {
            let has = |what: &str| table.select(&Selector::parse(what).unwrap()).next().is_some();
            assert!(has("caption") && has("th[scope=col]"), "{}", text(table));
        }
        assert_eq!(all(&html, "h1, main, nav").len(), 3);
        for section in all(&html, "main > section") {
            assert_eq!(section.select(&Selector::parse("h2").unwrap()).count(), 1);
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
    assert!(!page.contains("http://") && !page.contains("https://"));
    assert!(page.contains("default-src &#39;none&#39;"));
}

#[test]
fn the_answer_is_a_sentence_with_what_follows_from_it_and_a_sum_that_adds_up() {
    let html = parsed(&render(&with_known(), &Options::default()));
    assert_eq!(
        only(&html, "#answer .lead"),
        "The client violates 2 documented requirements, seen in 4 of 17 applicable cases; 1 of them are known failures."
    );
    assert_eq!(
        only(&html, "#answer .advice"),
        "As it stands, the build does not conform. Of what it violates, 1 is explicit in the document, and 1 follows from it."
    );
    let numbers: Vec<u64> =
        all(&html, "#answer .sum b").into_iter().map(|n| text(n).parse().unwrap()).collect();
    assert_eq!(numbers[0], numbers[1..].iter().sum::<u64>(), "{numbers:?}");
    assert_eq!(numbers[0], 18);
    let top: Vec<String> = all(&html, "#answer .top tbody tr").into_iter().map(parts).collect();
    assert!(top[0].starts_with("SR-CONN-02 MUST explicit C2"), "{top:?}");
    assert!(top[1].starts_with("SR-STATE-04 MUST implied"), "{top:?}");
}

#[test]
fn advice_and_caveats_follow_from_the_totals() {
    let of = |change: fn(&mut RunRecord)| {
        let mut record = sample();
        change(&mut record);
        count(&mut record);
        let outline = Outline::of(&record);
        (front::advice(&record, &outline), front::caveats(&record).join(" "))
    };
    let (advice, caveats) = of(|record| {
        record.cases.retain(|case| case.verdict == Some(Verdict::Pass));
        record.run.filters.push("login/*".to_owned());
    });
    assert!(advice.starts_with("Nothing that was tested speaks against"), "{advice}");
    assert!(caveats.contains("Only a part of the suite"), "{caveats}");
    let (advice, _) = of(|record| record.cases.retain(|case| case.verdict != Some(Verdict::Fail)));
    assert!(advice.starts_with("The result is open: mend"), "{advice}");
    let (advice, _) = of(|record| {
        record
            .cases
            .retain(|case| matches!(case.verdict, Some(Verdict::Inconclusive | Verdict::Pass)));
    });
    assert!(advice.starts_with("The result is open until these cases"), "{advice}");
    let (advice, _) = of(|record| {
        record.cases.retain(|case| case.id.contains("token/expires"));
    });
    assert!(advice.contains("None of it breaks a sentence of the document outright"), "{advice}");
    let (advice, caveats) = of(|record| {
        let known = with_known();
        record.cases = known.cases.into_iter().filter(|case| case.expected.is_some()).collect();
        record.known = known.known;
    });
    assert!(advice.starts_with("Nothing new is violated"), "{advice}");
    assert!(caveats.contains("makes the run fail, too"), "{caveats}");
}

#[test]
fn a_cell_says_what_the_document_says_and_leads_to_its_cases() {
    let html = parsed(&render(&sample(), &Options::default()));
    let cells: Vec<String> = all(&html, "table.grid td").into_iter().map(parts).collect();
    assert!(cells.contains(&"C2 E SR-CONN-02 E ✗ violated in 3 of 12".to_owned()), "{cells:?}");
    assert!(cells.contains(&"forbidden SR-STATE-04 I ○ not exercised".to_owned()), "{cells:?}");
    assert!(cells.contains(&"cannot occur".to_owned()));
    // What the link names is the place of the cell, and the bits of the cases that exercised it hold that place.
    let aim = all(&html, "[id='cases?cell=connected/interruption']")[0];
    let at: usize = aim.attr("data-at").unwrap().parse().unwrap();
    let holds = |case: &ElementRef<'_>| {
        let set = case.attr("data-c").unwrap();
        let digit = set.len().checked_sub(1 + at / 4).map_or("0", |from| &set[from..=from]);
        u8::from_str_radix(digit, 16).unwrap() >> (at % 4) & 1 == 1
    };
    let cases = all(&html, "ul.cases > li");
    let ids: Vec<&str> =
        cases.iter().filter(|one| holds(one)).filter_map(|one| one.attr("id")).collect();
    assert_eq!(ids.len(), 9);
    assert!(ids.iter().all(|id| id.contains("network-drop/around-presence")), "{ids:?}");
}

#[test]
fn the_matrix_has_the_worst_of_each_scenario_in_its_place() {
    let record = sample();
    let html = parsed(&render(&record, &Options::default()));
    let heads: Vec<String> = all(&html, ".by-scenario thead th").into_iter().map(text).collect();
    assert_eq!(
        heads,
        [
            "Requirement",
            "network-drop/around-presence",
            "token/expires-while-connected",
            "login/refused",
            "login/elsewhere",
            "logout/while-reconnecting"
        ]
    );
    let lines = all(&html, ".by-scenario tbody tr");
    assert_eq!(lines.len(), record.profiles[0].requirements.len());
    let line = |id: &str| {
        let cell = Selector::parse("td").unwrap();
        let line = lines.iter().find(|line| line.attr("data-req") == Some(id)).unwrap();
        line.select(&cell).map(text).collect::<Vec<_>>()
    };
    assert_eq!(line("SR-CONN-02"), ["✗", "", "", "", ""]);
    assert_eq!(line("SR-STATE-05"), ["", "", "▲", "", ""]);
    assert_eq!(line("SR-ABORT-05"), ["", "", "◆", "", ""]);
    assert_eq!(line("SR-CONN-04"), ["", "", "", "?", ""]);
    assert_eq!(line("SR-LOGIN-03"), ["✓"; 5]);
}

#[test]
fn known_faults_stand_under_what_they_break() {
    let html = parsed(&render(&sample(), &Options::default()));
    let row = parts(all(&html, "[id='defect-login-silent']")[0]);
    assert_eq!(row, "login-silent Does not report that it logs in. + ✗");
    let untried = only(&html, "#defects > .aside");
    assert!(untried.contains("SR-CONN-05 E") && !untried.contains("SR-APP-01"), "{untried}");
    assert!(!untried.contains("SR-ABORT-05"), "nobody can violate what is open: {untried}");
    let requirement = text(all(&html, "[id=req-SR-CONN-02]")[0]);
    assert!(
        requirement.contains("Known to catch never-interrupted, early-interrupted"),
        "{requirement}"
    );
    assert!(
        requirement.contains("Broken in network-drop/around-presence[kind=black-hole"),
        "{requirement}"
    );
}

#[test]
fn each_entry_of_the_known_failures_says_how_it_stands() {
    let html = parsed(&render(&with_known(), &Options::default()));
    let entries: Vec<String> = all(&html, "#known tbody tr").into_iter().map(text).collect();
    for (entry, word) in entries.iter().zip(["holds", "stale", "expired", "unmatched", "undecided"])
    {
        assert!(entry.contains(word), "{entry}");
        assert_eq!(
            entry.contains("makes the run fail"),
            !["holds", "undecided"].contains(&word),
            "{entry}"
        );
    }
    assert_eq!(entries.len(), 5);
    assert!(all(&html, "a[href^=javascript]").is_empty());
    assert_eq!(all(&html, "ul.cases > li[data-known]").len(), 1);
}

#[test]
fn repetitions_are_counted_in_one_line_and_each_that_did_not_pass_has_its_anchor() {
    let mut record = green();
    let case = record.cases[0].clone();
    record.cases.truncate(1);
    for repeat in 1..4 {
        let mut again = case.clone();
        again.repeat = repeat;
        if repeat == 2 {
            again.verdict = Some(Verdict::Inconclusive);
            again.reason = Some("undetermined: SR-CONN-02".to_owned());
        }
        record.cases.push(again);
    }
    count(&mut record);
    let html = parsed(&render(&record, &Options::default()));
    let lines = all(&html, "ul.cases > li");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].attr("data-is"), Some("INCONCLUSIVE"));
    let told = text(lines[0]);
    assert!(told.contains("1 × INCONCLUSIVE, 3 × PASS"), "{told}");
    assert_eq!(all(&html, "ul.cases small[id$='~3']").len(), 1);
    assert!(
        only(&html, "#undecided tbody")
            .contains("The case was over before what it names was decided"),
        "advice is there"
    );
}

#[test]
fn as_many_cases_are_told_as_there_is_room_for() {
    let record = sample();
    let told = |max_told| {
        let html = parsed(&render(&record, &Options { max_told, ..Options::default() }));
        all(&html, "ul.cases > li > details > .told > article").len()
    };
    let with_story = record.cases.iter().filter(|case| case.story.is_some()).count();
    assert!(with_story > 2, "the sample has stories");
    assert_eq!(told(300), with_story);
    assert_eq!(told(1), 1, "one that failed, none that passed");
    assert_eq!(told(0), 0);
}

#[test]
fn a_page_stays_small() {
    let usual = render(&large(200), &Options::default()).len();
    assert!(usual < 600_000, "{usual}");
    let large_run = render(&large(10_000), &Options::default()).len();
    assert!(large_run < 15_000_000, "{large_run}");
}

#[test]
fn nothing_at_all_is_a_page_too() {
    let html = parsed(&render(&nothing(), &Options::default()));
    assert_eq!(only(&html, "#answer .lead"), "No case was run.");
}
