//! A requirement: its text and source, and everything that carries, exercises or breaks it.
//!
//! Not responsible for whether it holds; a run shows that.
//!
//! Invariant: whatever in the profile can break the requirement is named.

use super::article::Article;
use super::conflicts::touching;
use super::given::Given;
use super::glossary::meaning;
use super::grid::cells;
use super::row;
use crate::command::layout::count;
use crate::command::list::breakers;
use crate::suite::Contract;
use stateline_core::profile::grid::Says;
use stateline_core::profile::machine::{Row, RowBody};
use stateline_core::profile::requirement::TestedBy;
use stateline_core::profile::{Profile, ReqIx};

/// Tells of a requirement, and of what a run says of it.
pub(super) fn tell(contract: &Contract, ix: ReqIx, given: Option<&Given>) -> Article {
    let profile = &contract.profile;
    let requirement = &profile.requirements[ix];
    let document = &profile.document;
    let mut article = Article::new(
        "requirement",
        requirement.id.as_str(),
        &format!("requirement of {}", profile.id),
    )
    .of(&profile.id);
    article.text(&requirement.text);
    article.data(requirement);
    article.labelled(
        "source",
        format!(
            "\"{}\", {}, {}, section \"{}\"",
            document.title, document.product, document.updated, requirement.section
        ),
    );
    article.labelled("kind", requirement.kind.as_str());
    let said = |kind, word: &str| format!("{word}: {}", meaning(kind, word));
    article.labelled("basis", said("basis", requirement.basis.as_str()));
    // What nobody tests costs nothing.
    if requirement.test != TestedBy::None {
        article.labelled("strictness", said("strictness", requirement.strictness.as_str()));
    }
    article.labelled("shown by", said("shown-by", requirement.test.as_str()));
    article.listed("needs", requirement.needs.as_deref());
    article.listed("untestable", requirement.untestable.as_deref());
    if let Some(given) = given {
        given.of_requirement(&mut article, profile, &requirement.id);
    }
    let rows = profile.rows.iter().filter_map(|row| Some((row, role(row, ix)?)));
    let rows = rows.map(|(row, role)| {
        format!("{} ({role}): {}. {}", row.id, row.title, row::in_words(contract, row))
    });
    article.listed("rows", rows);
    article.listed("machines", by_machine(profile, ix));
    let carries = |row: usize| role(&profile.rows[row], ix).is_some();
    let decided = cells(contract, |cell| match &cell.says {
        Says::Forbidden(req) => *req == ix,
        Says::Rows(rows) | Says::Silent(rows) => rows.iter().any(|row| carries(*row)),
    });
    article.listed("cells", decided);
    let named = contract.scenarios.iter().filter_map(|scenario| {
        let n = scenario.cases.iter().filter(|case| case.named.contains(&ix)).count();
        (n > 0).then_some((scenario, n))
    });
    let named: Vec<_> = named.collect();
    if !named.is_empty() {
        let n_cases = named.iter().map(|(_, n)| n).sum();
        let (scenarios, cases) = (count(named.len(), "scenario"), count(n_cases, "case"));
        article.labelled("named by", format!("{scenarios}, {cases}"));
    }
    let scenarios = named.iter().map(|(scenario, n)| {
        format!("{} ({n} of {} cases): {}", scenario.id, scenario.cases.len(), scenario.purpose)
    });
    article.listed("scenarios", scenarios);
    article.listed(
        "defects",
        breakers(&profile.id, &requirement.id)
            .map(|defect| format!("{}: {}", defect.id, defect.text)),
    );
    article.listed(
        "conflicts",
        touching(profile, |conflict| conflict.requirements.contains(&requirement.id)),
    );
    article
}

/// How a row carries a requirement.
fn role(row: &Row, req: ReqIx) -> Option<&'static str> {
    let answered = matches!(&row.body, RowBody::Expect(expect) if expect.answered == Some(req));
    let code = matches!(&row.body, RowBody::Settles(settles) if settles.codes.iter().any(|rule| rule.req == Some(req)));
    let preferred = matches!(&row.body, RowBody::Settles(settles) if settles.codes.iter().any(|rule| rule.prefer_req == Some(req)));
    if row.req.iter().any(|case| case.req == req) {
        Some("carries it")
    } else if row.early == Some(req) {
        Some("when it comes too early")
    } else if row.withdrawn == Some(req) {
        Some("when it comes although its trigger was withdrawn")
    } else if answered {
        Some("when it is answered")
    } else if code {
        Some("for its code")
    } else if preferred {
        Some("for the code that it should have")
    } else {
        None
    }
}

/// What whole machines say of a requirement.
fn by_machine(profile: &Profile, req: ReqIx) -> Vec<String> {
    let mut lines = Vec::new();
    for machine in &profile.machines {
        if machine.otherwise == Some(req) {
            let owned: Vec<&str> =
                machine.owns.iter().map(|head| profile.heads.text(*head)).collect();
            lines.push(format!(
                "{}: any {} that no row explains",
                machine.name,
                owned.join(" or ")
            ));
        }
        for rule in machine.values.iter().filter(|rule| rule.req == req) {
            lines.push(format!(
                "{}: the field {} of every {}",
                machine.name,
                rule.field,
                profile.heads.text(rule.head)
            ));
        }
    }
    lines
}
