//! Reads `stateline.expect.toml`.
//!
//! Not responsible for whether its cases and requirements exist: that hangs on the profiles.
//!
//! Invariant: all mistakes are told at once, and an entry with a mistake is none.

use super::{Entry, Expectations};
use crate::toml_text::{Value, boolean, mismatch, read, text, texts};
use jiff::civil::Date;
use stateline_authoring::{Diagnostic, Filter, Sink, Source, parse_filter};
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// The keys of an entry.
pub(super) const KEYS: [&str; 6] = ["cases", "requirement", "reason", "link", "until", "flaky"];

impl Expectations {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn parse(path: &Path, text: String) -> Result<Self, Vec<Diagnostic>> {
        let source = Source::new(path.display().to_string(), text);
        let (entries, source) = read(source, entries)?;
        Ok(Self { path: path.to_owned(), source, entries })
    }
}

fn entries(table: &DeTable<'_>, sink: &mut Sink) -> Vec<Entry> {
    let mut all = Vec::new();
    for (key, value) in table {
        if key.get_ref() != "expect" {
            unknown(key, "in this file", ["expect"], sink);
            continue;
        }
        let DeValue::Array(list) = value.get_ref() else {
            let found = value.get_ref();
            mismatch::<()>("a list of entries, each below `[[expect]]`", found, value.span(), sink);
            continue;
        };
        for value in list {
            match value.get_ref() {
                DeValue::Table(table) => all.extend(entry(table, value.span(), sink)),
                other => {
                    mismatch::<()>("an entry below `[[expect]]`", other, value.span(), sink);
                }
            }
        }
    }
    all
}

fn unknown<'k>(
    key: &Spanned<DeString<'_>>,
    place: &str,
    known: impl IntoIterator<Item = &'k str>,
    sink: &mut Sink,
) {
    sink.unknown_in(key.span(), "key", key.get_ref(), place, known);
}

fn entry(table: &DeTable<'_>, span: Range<usize>, sink: &mut Sink) -> Option<Entry> {
    for (key, _) in table {
        if !KEYS.contains(&key.get_ref().as_ref()) {
            unknown(key, "in an entry", KEYS, sink);
        }
    }
    let cases = needed(table, "cases", "which cases fail, as a filter", &span, sink);
    let requirement =
        needed(table, "requirement", "what they violate first: an id, or a list", &span, sink);
    let reason = needed(table, "reason", "why that is tolerated", &span, sink);
    let filter = cases.and_then(|value| Some((filter(value, sink)?, value.span())));
    let requirements =
        requirement.map(|value| texts(value, sink)).filter(|texts| !texts.is_empty());
    let reason = reason.and_then(|value| Some((text(value, sink)?, value.span())));
    let link = table.get("link").and_then(|value| text(value, sink));
    let until = table.get("until").and_then(|value| Some((date(value, sink)?, value.span())));
    let flaky = table.get("flaky").and_then(|value| boolean(value, sink)).unwrap_or(false);
    let ((cases, filter), cases_span) = filter?;
    let (reason, reason_span) = reason?;
    let requirements = requirements?.into_iter().map(|(id, span)| (id.into(), span)).collect();
    Some(Entry {
        span,
        cases,
        cases_span,
        filter,
        requirements,
        reason,
        reason_span,
        link,
        until,
        flaky,
    })
}

/// The value of a key that an entry must have.
fn needed<'v, 't>(
    table: &'v DeTable<'t>,
    key: &str,
    what: &str,
    span: &Range<usize>,
    sink: &mut Sink,
) -> Option<&'v Value<'t>> {
    let value = table.get(key);
    if value.is_none() {
        sink.error(span.clone(), format!("an entry needs `{key}`"), format!("no `{key}`"))
            .help(format!("`{key}` says {what}"));
    }
    value
}

fn filter(value: &Value<'_>, sink: &mut Sink) -> Option<(String, Filter)> {
    let text = text(value, sink)?;
    let loaded = parse_filter(&text);
    for found in loaded.diagnostics {
        let diagnostic =
            sink.error(inside(value.span(), &text, &found, sink), found.title, found.label);
        diagnostic.help = found.help;
    }
    Some((text, loaded.value?))
}

/// Where in the file a mistake in a text is: exactly, where the text stands there as it is.
fn inside(span: Range<usize>, text: &str, found: &Diagnostic, sink: &Sink) -> Range<usize> {
    let written = &sink.source.text[span.clone()];
    match written.find(text) {
        Some(at) => span.start + at + found.span.start..span.start + at + found.span.end,
        None => span,
    }
}

fn date(value: &Value<'_>, sink: &mut Sink) -> Option<Date> {
    let DeValue::Datetime(given) = value.get_ref() else {
        let found = value.get_ref();
        return mismatch("a date without quotes, such as 2027-01-31", found, value.span(), sink);
    };
    let day = given.date.filter(|_| given.time.is_none() && given.offset.is_none());
    let Some(day) = day else {
        sink.error(value.span(), "expected a day, without a time", "such as 2027-01-31");
        return None;
    };
    let [month, day_of_month] = [day.month, day.day].map(|n| i8::try_from(n).unwrap_or(0));
    let date = i16::try_from(day.year).ok();
    let date = date.and_then(|year| Date::new(year, month, day_of_month).ok());
    if date.is_none() {
        sink.error(value.span(), "there is no such day", "not in the calendar");
    }
    date
}
