//! Rewrites a list of known failures, so that it fits a run.
//!
//! Not responsible for whether the run may be trusted, nor for writing the file.
//!
//! Invariant: what is kept is kept byte by byte, comments and order included.

use super::{Expectations, Settled, UNEXPLAINED};
use indexmap::IndexMap;
use smol_str::SmolStr;
use stateline_core::record::{CaseRecord, Standing};
use std::collections::BTreeSet;
use std::fmt::Write;
use toml_edit::{ArrayOfTables, DocumentMut, Item, RawString, Table, Value, value};

/// How a file begins that did not exist.
const HEAD: &str = "\
# Known failures of this client. Each entry says which cases fail, what they violate first, and why
# that is tolerated. An entry that no longer fits makes the run fail.

";

/// A rewritten list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Amended {
    /// The text of the file.
    pub(crate) text: String,
    /// How many entries are new.
    pub(crate) added: usize,
    /// How many are gone.
    pub(crate) removed: usize,
}

/// The list without entries that are stale or match nothing, and with entries for what is new.
///
/// # Errors
/// When the entries are written in a way that cannot be added to.
pub(crate) fn amend(
    list: &Expectations,
    settled: &Settled,
    cases: &[CaseRecord],
) -> Result<Amended, String> {
    let mut document: DocumentMut = list
        .source
        .text
        .parse()
        .map_err(|error| format!("{} cannot be rewritten: {error}", list.path.display()))?;
    let is_new = list.source.text.trim().is_empty();
    let entries = document.entry("expect").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let entries = entries.as_array_of_tables_mut().ok_or_else(|| {
        let path = list.path.display();
        format!("{path} cannot be rewritten: its entries do not stand below `[[expect]]`")
    })?;
    let gone: Vec<usize> = settled
        .known
        .entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| matches!(entry.standing, Standing::Stale | Standing::Unmatched))
        .map(|(at, _)| at)
        .collect();
    let mut orphans = String::new();
    for at in gone.iter().rev() {
        remove(entries, *at, &mut orphans);
    }
    let new = new_entries(settled, cases);
    for (at, new) in new.iter().enumerate() {
        let mut table = table(new);
        let before = if is_new && at == 0 { HEAD } else { "\n" };
        table.decor_mut().set_prefix(before);
        entries.push(table);
    }
    if entries.is_empty() {
        document.remove("expect");
    }
    let mut trailing = format!("{orphans}{}", raw(Some(document.trailing())));
    // A comment at the end is not about the entry that is now above it.
    if !new.is_empty() && trailing.starts_with('#') {
        trailing.insert(0, '\n');
    }
    document.set_trailing(trailing);
    Ok(Amended { text: document.to_string(), added: new.len(), removed: gone.len() })
}

fn raw(text: Option<&RawString>) -> String {
    text.and_then(RawString::as_str).unwrap_or_default().to_owned()
}

/// Removes an entry with the comment on it. What stands above, apart by an empty line, is about more
/// than this entry, and goes to the next one, or where there is none to the end.
fn remove(entries: &mut ArrayOfTables, at: usize, orphans: &mut String) {
    let removed = entries.remove(at);
    let above = raw(removed.decor().prefix());
    let Some((kept, _)) = above.rsplit_once("\n\n").filter(|(kept, _)| kept.contains('#')) else {
        return;
    };
    match entries.get_mut(at) {
        Some(next) => {
            let own = raw(next.decor().prefix());
            let own = own.trim_start_matches('\n');
            next.decor_mut().set_prefix(format!("{kept}\n\n{own}"));
        }
        None => *orphans = format!("{kept}\n{orphans}"),
    }
}

/// An entry to be added.
#[derive(Debug)]
struct New {
    cases: Vec<String>,
    requirement: SmolStr,
    flaky: bool,
}

/// One entry for each scenario and requirement.
fn new_entries(settled: &Settled, cases: &[CaseRecord]) -> Vec<New> {
    let mut groups: IndexMap<(&str, &SmolStr), Vec<usize>> = IndexMap::new();
    for (at, requirement) in &settled.new {
        groups.entry((scenario(&cases[*at].id), requirement)).or_default().push(*at);
    }
    let played = |ids: &BTreeSet<&str>| {
        let mine = |case: &&CaseRecord| case.verdict.is_some() && ids.contains(case.id.as_str());
        cases.iter().filter(mine).count()
    };
    groups
        .into_iter()
        .map(|((scenario_id, requirement), failed)| {
            let ids: BTreeSet<&str> = failed.iter().map(|at| cases[*at].id.as_str()).collect();
            let all = cases
                .iter()
                .filter(|case| case.verdict.is_some() && scenario(&case.id) == scenario_id)
                .map(|case| case.id.as_str())
                .collect::<BTreeSet<_>>();
            // Of several repetitions, some did not fail so.
            let flaky = played(&ids) > failed.len();
            let cases = if all == ids {
                vec![as_glob(scenario_id)]
            } else {
                ids.into_iter().map(as_glob).collect()
            };
            New { cases, requirement: requirement.clone(), flaky }
        })
        .collect()
}

fn scenario(id: &str) -> &str {
    id.split_once('[').map_or(id, |(scenario, _)| scenario)
}

/// An id as a filter: what has a meaning there, or in TOML, stands for any character.
fn as_glob(id: &str) -> String {
    let special = |c: char| c.is_whitespace() || c.is_control() || "():'\"\\".contains(c);
    id.chars().map(|c| if special(c) { '?' } else { c }).collect()
}

fn table(new: &New) -> Table {
    let mut table = Table::new();
    table.insert("cases", value(cases(&new.cases)));
    table.insert("requirement", value(new.requirement.as_str()));
    table.insert("reason", value(UNEXPLAINED));
    if new.flaky {
        table.insert("flaky", value(true));
    }
    table
}

/// A filter that selects these: a line each, where there are several.
fn cases(ids: &[String]) -> Value {
    if let [one] = ids {
        return one.into();
    }
    let mut text = String::new();
    for (at, id) in ids.iter().enumerate() {
        let or = if at + 1 < ids.len() { " or" } else { "" };
        let _ = writeln!(text, "{id}{or}");
    }
    // No id has a quote in it by now, so the lines can stand as they are.
    format!("'''\n{text}'''").parse().unwrap_or_else(|_| text.into())
}
