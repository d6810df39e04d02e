//! What is told of one thing: a title, a text, and facts behind labels, for people and for programs.
//!
//! Not responsible for what is told, nor for the width of a terminal.
//!
//! Invariant: both forms hold the same facts in the same order.

use crate::command::layout::Page;
use serde_json::map::Entry;
use serde_json::{Map, Value};
use smol_str::SmolStr;
use stateline_reports::text::visible;

/// What is told of one thing.
#[derive(Debug)]
pub(super) struct Article {
    kind: &'static str,
    id: String,
    profile: Option<SmolStr>,
    is: String,
    text: String,
    facts: Vec<Fact>,
    data: Value,
}

#[derive(Debug)]
struct Fact {
    label: &'static str,
    told: Told,
}

#[derive(Debug)]
enum Told {
    One(String),
    Many(Vec<String>),
    /// Made to be copied, so it stands on one line.
    Command(String),
    /// Lines whose spaces matter.
    Verbatim(Vec<String>),
}

impl Article {
    /// Of a kind of thing, with what it is for a title: `C2: row of …`.
    pub(super) fn new(kind: &'static str, id: impl Into<String>, is: &str) -> Self {
        let id = id.into();
        Self {
            is: is.to_owned(),
            kind,
            id,
            profile: None,
            text: String::new(),
            facts: Vec::new(),
            data: Value::Null,
        }
    }

    /// Of this profile.
    pub(super) fn of(mut self, profile: &SmolStr) -> Self {
        self.profile = Some(profile.clone());
        self
    }

    /// Its text.
    pub(super) fn text(&mut self, text: impl Into<String>) {
        self.text = text.into();
    }

    /// The thing itself, for programs.
    pub(super) fn data(&mut self, data: impl serde::Serialize) {
        self.data = serde_json::to_value(data).unwrap_or_default();
    }

    /// One fact.
    pub(super) fn labelled(&mut self, label: &'static str, text: impl Into<String>) {
        self.facts.push(Fact { label, told: Told::One(text.into()) });
    }

    /// Facts of a kind; nothing at all when there are none.
    pub(super) fn listed(
        &mut self,
        label: &'static str,
        items: impl IntoIterator<Item = impl Into<String>>,
    ) {
        let items: Vec<String> = items.into_iter().map(Into::into).collect();
        if !items.is_empty() {
            self.facts.push(Fact { label, told: Told::Many(items) });
        }
    }

    /// A command.
    pub(super) fn command(&mut self, label: &'static str, text: impl Into<String>) {
        self.facts.push(Fact { label, told: Told::Command(text.into()) });
    }

    /// Lines as they are; nothing at all when there are none.
    pub(super) fn verbatim(&mut self, label: &'static str, lines: Vec<String>) {
        if !lines.is_empty() {
            self.facts.push(Fact { label, told: Told::Verbatim(lines) });
        }
    }

    /// Its text, or what it is in a few words.
    pub(super) fn in_short(&self) -> &str {
        if self.text.is_empty() { &self.is } else { &self.text }
    }

    fn title(&self) -> String {
        format!("{}: {}", self.id, self.is)
    }

    /// For people. What a client said may be in it, so nothing reaches the terminal as a control character.
    pub(super) fn print(&self, page: &mut Page) {
        page.title(&visible(&self.title(), &[]));
        if !self.text.is_empty() {
            page.text(&visible(&self.text, &[]));
        }
        for Fact { label, told } in &self.facts {
            match told {
                Told::One(text) => page.labelled(label, &visible(text, &[])),
                Told::Many(items) => {
                    page.listed(label, items.iter().map(|item| visible(item, &[])));
                }
                Told::Command(line) => page.verbatim(label, [visible(line, &[])]),
                Told::Verbatim(lines) => {
                    page.verbatim(label, lines.iter().map(|line| visible(line, &[])));
                }
            }
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let mut facts = Map::new();
        for Fact { label, told } in &self.facts {
            let told = match told {
                Told::One(text) | Told::Command(text) => Value::from(text.as_str()),
                Told::Many(items) | Told::Verbatim(items) => Value::from(items.as_slice()),
            };
            match facts.entry(label.replace(' ', "-")) {
                Entry::Vacant(place) => {
                    place.insert(told);
                }
                // A label that stands again, such as that of a second finding, goes on with its list.
                Entry::Occupied(mut place) => {
                    let mut all = list(place.get_mut().take());
                    all.extend(list(told));
                    place.insert(Value::Array(all));
                }
            }
        }
        serde_json::json!({
            "kind": self.kind,
            "id": self.id,
            "profile": self.profile,
            "title": self.title(),
            "text": self.text,
            "facts": facts,
            "data": self.data,
        })
    }
}

fn list(told: Value) -> Vec<Value> {
    match told {
        Value::Array(items) => items,
        one => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_tell_the_same() {
        let mut article = Article::new("row", "C2", "a row").of(&"tiny".into());
        article.text("It \u{1b}[31mmoves.");
        article.labelled("moves to", "ready");
        article.listed("rows", ["A1", "A2"]);
        article.listed("none", [""; 0]);
        article.labelled("moves to", "busy");
        article.verbatim("as written", vec!["- id: C2".to_owned(), "  to: ready".to_owned()]);
        let mut page = Page::new();
        article.print(&mut page);
        assert_eq!(
            page.into_text(),
            "C2: a row\n  It \\u{1b}[31mmoves.\n  moves to       ready\n  rows           A1\n                 A2\n  moves to       busy\n  as written     - id: C2\n                   to: ready\n"
        );
        assert_eq!(
            article.json()["facts"],
            serde_json::json!({"moves-to": ["ready", "busy"], "rows": ["A1", "A2"], "as-written": ["- id: C2", "  to: ready"]})
        );
    }
}
