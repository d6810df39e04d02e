//! TOML with places: what a text holds, and everything that is wrong with it at once.
//!
//! Not responsible for what keys mean.
//!
//! Invariant: a value comes out exactly when nothing is wrong.

use stateline_authoring::{Diagnostic, Sink, Source};
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with its place.
pub(crate) type Value<'t> = Spanned<DeValue<'t>>;

/// What `make` makes of a text, with the text; or all that is wrong with it. Of a line whose form is
/// wrong, nothing else is said.
pub(crate) fn read<T>(
    source: Source,
    make: impl FnOnce(&DeTable<'_>, &mut Sink) -> T,
) -> Result<(T, Arc<Source>), Vec<Diagnostic>> {
    let mut sink = Sink::new(source);
    let source = Arc::clone(&sink.source);
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let value = make(table.get_ref(), &mut sink);
    if sink.is_empty() && errors.is_empty() {
        return Ok((value, source));
    }
    let mut form = Sink::new((*source).clone());
    for error in &errors {
        let span = error.span().unwrap_or(source.text.len()..source.text.len());
        form.error(span, error.message().to_owned(), "here");
    }
    let mut wrong = form.into_diagnostics();
    let lines: Vec<usize> = wrong.iter().map(|found| found.position().0).collect();
    let meant = sink.into_diagnostics().into_iter();
    wrong.extend(meant.filter(|found| !lines.contains(&found.position().0)));
    wrong.sort_by_key(|found| found.span.start);
    Err(wrong)
}

/// A text that says something.
pub(crate) fn text(value: &Value<'_>, sink: &mut Sink) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) if text.trim().is_empty() => {
            sink.error(value.span(), "this says nothing", "an empty text");
            None
        }
        DeValue::String(text) => Some(text.clone().into_owned()),
        other => mismatch("a text", other, value.span(), sink),
    }
}

/// `true` or `false`.
pub(crate) fn boolean(value: &Value<'_>, sink: &mut Sink) -> Option<bool> {
    match value.get_ref() {
        DeValue::Boolean(flag) => Some(*flag),
        other => mismatch("true or false", other, value.span(), sink),
    }
}

/// One text, or a list of some.
pub(crate) fn texts(value: &Value<'_>, sink: &mut Sink) -> Vec<(String, Range<usize>)> {
    let one = |value: &Value<'_>, sink: &mut Sink| Some((text(value, sink)?, value.span()));
    match value.get_ref() {
        DeValue::Array(list) if list.is_empty() => {
            sink.error(value.span(), "this says nothing", "an empty list");
            Vec::new()
        }
        DeValue::Array(list) => list.iter().filter_map(|value| one(value, sink)).collect(),
        _ => one(value, sink).into_iter().collect(),
    }
}

/// Says that something else was expected.
pub(crate) fn mismatch<T>(
    expected: &str,
    found: &DeValue<'_>,
    span: Range<usize>,
    sink: &mut Sink,
) -> Option<T> {
    let found = match found {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    sink.error(span, format!("expected {expected}, found {found}"), format!("not {expected}"));
    None
}
