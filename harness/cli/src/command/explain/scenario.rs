//! Scenarios and their cases.
//!
//! Not responsible for what their steps mean; they are shown as they are written.
//!
//! Invariant: an axis shows each of its values once, in the order of the matrix.

use super::article::Article;
use super::demand;
use super::given::Given;
use crate::command::layout::count;
use crate::command::list::named;
use crate::suite::{Contract, Suite};
use indexmap::{IndexMap, IndexSet};
use serde_json::json;
use stateline_core::scenario::{Case, Scenario};
use stateline_runner::plan::planned;

/// Tells of a scenario.
pub(super) fn scenario(suite: &Suite, contract: &Contract, scenario: &Scenario) -> Article {
    let profile = &contract.profile;
    let id = format!("{}/{}", profile.id, scenario.id);
    let is = format!("scenario of {}", count(scenario.cases.len(), "case"));
    let mut article = Article::new("scenario", id, &is).of(&profile.id);
    let clients = scenario.cases.first().map(|case| {
        case.clients.iter().map(|client| client.name.to_string()).collect::<Vec<_>>().join(", ")
    });
    about(&mut article, contract, scenario, &clients.unwrap_or_default());
    let mut axes: IndexMap<&str, IndexSet<&str>> = IndexMap::new();
    for (axis, value) in scenario.cases.iter().flat_map(|case| &case.bindings) {
        axes.entry(axis).or_default().insert(value);
    }
    let told = axes.iter().map(|(axis, values)| {
        format!("{axis}: {}", values.iter().copied().collect::<Vec<_>>().join(", "))
    });
    article.listed("axes", told);
    let ids: Vec<_> = scenario.cases.iter().map(|case| &case.id).collect();
    article.data(json!({ "axes": axes, "cases": ids }));
    let requirements = named(contract, scenario);
    let requirements = requirements.iter().filter_map(|id| profile.requirement(id));
    article.listed("requirements", requirements.map(|req| demand(profile, req)));
    article.listed("cases", ids.iter().map(ToString::to_string));
    let file = format!("{}.yaml", scenario.id);
    article.verbatim(
        "steps",
        suite.source(&profile.id, &file).map(|source| steps(&source.text)).unwrap_or_default(),
    );
    article.command("play it", format!("stateline run {}/{}", profile.id, scenario.id));
    article
}

/// The steps of a scenario as they are written, with its axes in place.
fn steps(text: &str) -> Vec<String> {
    let mut within = false;
    text.lines()
        .filter(|line| {
            if line.starts_with(|c: char| c.is_ascii_alphabetic()) {
                within = line.starts_with("preamble:") || line.starts_with("body:");
            }
            within && !line.trim().is_empty()
        })
        .map(str::to_owned)
        .collect()
}

fn about(article: &mut Article, contract: &Contract, scenario: &Scenario, clients: &str) {
    article.text(&scenario.purpose);
    article.labelled("file", format!("{}/{}.yaml", contract.profile.id, scenario.id));
    if !scenario.tags.is_empty() {
        article.labelled("tags", scenario.tags.join(", "));
    }
    article.labelled("clients", clients);
}

/// Tells of a case, and of what a run says of it.
pub(super) fn case(
    contract: &Contract,
    scenario: &Scenario,
    case: &Case,
    given: Option<&Given>,
) -> Article {
    let profile = &contract.profile;
    let mut article = Article::new("case", case.id.as_str(), "case").of(&profile.id);
    let clients =
        case.clients.iter().map(|client| format!("{} (user {})", client.name, client.uid));
    about(&mut article, contract, scenario, &clients.collect::<Vec<_>>().join(", "));
    let planned = planned(profile, &contract.settings, case);
    let axes: IndexMap<&str, &str> =
        case.bindings.iter().map(|(axis, value)| (axis.as_str(), value.as_str())).collect();
    article.data(json!({
        "axes": axes,
        "planned_ms": planned.as_ms(),
        "needs": case.needs,
        "requirements": contract.named(case),
        "runs": given.map(|given| given.plays(&case.id)),
    }));
    article.listed("axes", axes.iter().map(|(axis, value)| format!("{axis} = {value}")));
    article
        .listed("probes", case.boundaries.iter().map(|(timer, side)| format!("{timer}, {side}")));
    if !case.needs.is_empty() {
        article.labelled("needs", case.needs.join(", "));
    }
    article.labelled("planned", format!("{planned}, when a conforming client is done"));
    article.listed("preamble", case.preamble.iter().map(|step| step.text.as_str()));
    article.listed("body", case.body.iter().map(|step| step.text.as_str()));
    article.listed("requirements", case.named.iter().map(|req| demand(profile, *req)));
    article.command("play it", format!("stateline run '{}'", case.id));
    if let Some(given) = given {
        given.of_case(&mut article, &case.id);
    }
    article
}

#[cfg(test)]
mod tests {
    use super::steps;

    #[test]
    fn only_steps_are_shown() {
        let text = "# why\nid: a/b\nmatrix: { x: [1] }\npreamble:\n  - { a: b }\n\nbody:\n  # so\n  - wait: 1s\nother: 1\n  - no\n";
        assert_eq!(steps(text), ["preamble:", "  - { a: b }", "body:", "  # so", "  - wait: 1s"]);
    }
}
