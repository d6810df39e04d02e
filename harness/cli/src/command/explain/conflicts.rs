//! Where a document contradicts itself or leaves gaps: one conflict, and the page of all.
//!
//! Not responsible for what they say; the profile's `conflicts.yaml` does.
//!
//! Invariant: the page and its JSON hold the same conflicts in the order of the file.

use super::article::Article;
use super::demand_of;
use crate::command::layout::{Page, count};
use crate::suite::Contract;
use serde_json::{Value, json};
use stateline_core::profile::Profile;
use stateline_core::record::Conflict;

/// Those that something touches, a line each.
pub(super) fn touching(
    profile: &Profile,
    wanted: impl Fn(&Conflict) -> bool,
) -> impl Iterator<Item = String> {
    profile
        .conflicts
        .iter()
        .filter(move |conflict| wanted(conflict))
        .map(|conflict| format!("{} ({}): {}", conflict.id, conflict.kind, conflict.title))
}

/// Tells of one.
pub(super) fn tell(contract: &Contract, conflict: &Conflict) -> Article {
    let profile = &contract.profile;
    let is = format!("conflict of {}, {}", profile.id, conflict.kind);
    let mut article = Article::new("conflict", conflict.id.as_str(), &is).of(&profile.id);
    article.text(&conflict.title);
    article.data(conflict);
    article.labelled("sections", conflict.sections.join("; "));
    article.labelled("it says", &conflict.says);
    article.labelled("judged", &conflict.judged);
    article.labelled("because", &conflict.why);
    article.listed("requirements", conflict.requirements.iter().map(|id| demand_of(profile, id)));
    let rows = conflict.rows.iter().filter_map(|id| profile.row(id));
    let rows = rows.map(|row| format!("{}: {}", profile.rows[row].id, profile.rows[row].title));
    article.listed("rows", rows.map(|row| row.trim_end_matches([':', ' ']).to_owned()));
    article
}

/// All of them, for people.
pub(super) fn page(contracts: &[Contract]) -> String {
    let mut page = Page::new();
    for contract in contracts {
        let Profile { id, document, conflicts, .. } = &contract.profile;
        if conflicts.is_empty() {
            page.title(&format!("{id}: no conflict is written down"));
            continue;
        }
        page.title(&format!("{id}: {}", kinds(conflicts)));
        page.text(&format!(
            "Where \"{}\" ({}, {}) contradicts itself, slips, is vague or says nothing, how the tables judge there, and why.",
            document.title, document.product, document.updated
        ));
        for conflict in conflicts {
            page.title(&format!("{} ({})", conflict.id, conflict.kind));
            page.text(&conflict.title);
            page.labelled("sections", &conflict.sections.join("; "));
            page.labelled("it says", &conflict.says);
            page.labelled("judged", &conflict.judged);
            page.labelled("because", &conflict.why);
            let touched =
                [&conflict.requirements[..], &conflict.rows[..]].map(|ids| ids.join(", "));
            let [requirements, rows] = touched.map(|ids| (!ids.is_empty()).then_some(ids));
            page.listed("requirements", requirements);
            page.listed("rows", rows);
        }
    }
    page.into_text()
}

/// How many of which kind.
fn kinds(conflicts: &[Conflict]) -> String {
    let of = |kind: &str| conflicts.iter().filter(|conflict| conflict.kind == kind).count();
    let counts = ["contradiction", "slip", "gap"]
        .into_iter()
        .map(|kind| count(of(kind), kind))
        .chain([format!("{} vague", of("vague"))]);
    format!("{}: {}", count(conflicts.len(), "conflict"), counts.collect::<Vec<_>>().join(", "))
}

/// All of them, for programs.
pub(super) fn json(contracts: &[Contract]) -> Value {
    let all = contracts.iter().flat_map(|contract| {
        let profile = &contract.profile;
        profile.conflicts.iter().map(move |conflict| {
            json!({
                "id": conflict.id,
                "profile": profile.id,
                "kind": conflict.kind,
                "title": conflict.title,
                "sections": conflict.sections,
                "says": conflict.says,
                "judged": conflict.judged,
                "why": conflict.why,
                "requirements": conflict.requirements,
                "rows": conflict.rows,
            })
        })
    });
    Value::Array(all.collect())
}
