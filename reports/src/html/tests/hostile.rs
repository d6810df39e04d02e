//! Whatever a client says, the page has the same elements: the parsed page of a hostile record is compared
//! with that of the same record with letters in the place of everything that could be markup.
//!
//! Not responsible for what a script could do; the policy of the page forbids all but its own.
//!
//! Invariant: both records have texts of the same length when they are shown, so that nothing but markup
//! can make their pages differ.

use super::*;
use proptest::prelude::*;
use serde_json::Value;

/// Keys of what a client says, and of what is said about it in its words.
const SAID: [&str; 14] = [
    "name",
    "version",
    "spec",
    "notes",
    "lacks",
    "stderr",
    "reason",
    "not_applicable",
    "expected",
    "observed",
    "choice",
    "data",
    "wanted",
    "link",
];

/// Puts a text behind every text under one of these keys.
fn put(value: &mut Value, said: bool, tail: &str) {
    match value {
        Value::String(text) if said => text.push_str(tail),
        Value::Array(values) => values.iter_mut().for_each(|one| put(one, said, tail)),
        Value::Object(fields) => {
            for (key, one) in fields.iter_mut() {
                let here = SAID.contains(&key.as_str());
                put(one, here || (said && key != "entry"), tail);
            }
        }
        _ => {}
    }
}

fn with(record: &RunRecord, tail: &str) -> RunRecord {
    let mut value = serde_json::to_value(record).unwrap();
    for key in ["run", "cases", "known"] {
        put(&mut value[key], false, tail);
    }
    serde_json::from_value(value).unwrap()
}

/// A run whose client says much.
fn flooded(text: &str) -> RunRecord {
    let mut record = with(&sample(), text);
    // What is not the client's.
    record.run.version = sample().run.version;
    record.run.client.spec = sample().run.client.spec;
    record.run.client.lacks.clear();
    record
}

/// As long as the text is when it is shown, in letters; lines and spaces stay.
fn tame(text: &str) -> String {
    let shown = text::visible(text, &['\n']);
    shown.chars().map(|c| if c == '\n' || c == ' ' { c } else { 'x' }).collect()
}

/// What a drawing is made of. Which labels it has room for hangs on how wide they are.
const DRAWN: [&str; 12] = [
    "title", "desc", "text", "tspan", "rect", "path", "line", "g", "use", "circle", "defs",
    "pattern",
];

fn is_drawn(element: &ElementRef<'_>) -> bool {
    let mut around = element.ancestors().filter_map(ElementRef::wrap);
    around.any(|one| one.value().name() == "svg")
}

/// All elements outside of drawings, with the names of their attributes, and the values of those that never hold a text.
fn shape(page: &str) -> Vec<String> {
    let html = Html::parse_document(page);
    let shape = |element: ElementRef<'_>| {
        let mut told = format!("{} {}", element.ancestors().count(), element.value().name());
        let mut attributes: Vec<_> = element.value().attrs().collect();
        attributes.sort_unstable();
        for (name, value) in attributes {
            told.extend([" ", name]);
            if matches!(name, "class" | "role" | "scope" | "tabindex") {
                told.extend(["=", value]);
            }
        }
        told
    };
    let (drawn, others): (Vec<_>, Vec<_>) = all(&html, "*").into_iter().partition(is_drawn);
    for element in drawn {
        assert!(DRAWN.contains(&element.value().name()), "{}", element.html());
        let mut names = element.value().attrs().map(|(name, _)| name);
        assert!(names.all(|name| !name.starts_with("on") && name != "style"), "{}", element.html());
    }
    others.into_iter().map(shape).collect()
}

fn hostile() -> impl Strategy<Value = String> {
    let markup = prop::sample::select(vec![
        "</td></tr></table></section></main>",
        "</script><script>x()</script>",
        "</style><style>*{display:none}</style>",
        "</title></textarea></svg></desc></text>",
        "<svg/onload=x()>",
        "\" onmouseover=\"x()",
        "' autofocus onfocus='x()",
        "<!-- --!> -->",
        "]]> <![CDATA[",
        "&lt;b&gt; &#60;b&#62; &",
        "javascript:x()",
        "{{ 7*7 }} {% raw %}",
        "`x` \\u{3c} %3Cb%3E",
        "<p><a href=x><details open><summary>",
        "\u{202e}\u{2066}\u{0}\u{1b}[2J\u{feff}",
        "\u{e000}\u{fffd}\u{10ffff}",
        "<template><table><tr>",
        "\r\n<b>\n",
    ]);
    let any = prop_oneof![3 => markup.prop_map(str::to_owned), 1 => "\\PC{0,4}", 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(any, 1..3).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_text_makes_no_element(tail in hostile()) {
        let record = two();
        let page = render(&with(&record, &tail), &Options::default());
        let plain = render(&with(&record, &tame(&tail)), &Options::default());
        let (hostile, tame) = (shape(&page), shape(&plain));
        let differ = hostile.iter().zip(&tame).find(|(one, other)| one != other);
        prop_assert_eq!(differ, None);
        prop_assert_eq!(hostile.len(), tame.len());
        prop_assert!(Html::parse_document(&page).errors.is_empty());
    }
}

#[test]
fn a_megabyte_is_cut_short_wherever_it_is_said() {
    let page = render(&sample(), &Options::default()).len();
    let flooded = render(&flooded(&"<b>W</b>".repeat(131_072)), &Options::default()).len();
    assert!(flooded < page + 600_000, "{page} grew to {flooded}");
}
