//! A requirement: its text and source, and everything that carries, exercises or breaks it.
//!
//! Not responsible for whether it holds; a run shows that.
//!
//! Invariant: whatever in the profile can break the requirement is named.

use super::cells;
use crate::command::layout::Page;
use crate::command::list::breakers;
use crate::suite::Contract;
use stateline_core::profile::grid::Says;
use stateline_core::profile::machine::{Row, RowBody};
use stateline_core::profile::{Profile, ReqIx};

/// Tells of a requirement.
pub(super) fn tell(page: &mut Page, contract: &Contract, ix: ReqIx) {
    let profile = &contract.profile;
    let requirement = &profile.requirements[ix];
    let document = &profile.document;
    page.title(&format!("{}: requirement of {}", requirement.id, profile.id));
    page.text(&requirement.text);
    page.labelled(
        "source",
        &format!(
            "\"{}\", {}, {}, section \"{}\"",
            document.title, document.product, document.updated, requirement.section
        ),
    );
    let kind = [
        format!("kind {}", requirement.kind),
        format!("basis {}", requirement.basis.as_str()),
        format!("strictness {}", requirement.strictness.as_str()),
        format!("test {}", requirement.test.as_str()),
    ];
    page.labelled("is", &kind.join(", "));
    page.listed("needs", requirement.needs.iter().map(ToString::to_string));
    page.listed("untestable", requirement.untestable.iter().cloned());
    page.listed(
        "rows",
        profile
            .rows
            .iter()
            .filter_map(|row| Some(format!("{} ({}): {}", row.id, role(row, ix)?, row.title))),
    );
    page.listed("machines", by_machine(profile, ix));
    let carries = |row: usize| role(&profile.rows[row], ix).is_some();
    let decided = cells(contract, |cell| match &cell.says {
        Says::Forbidden(req) => *req == ix,
        Says::Rows(rows) | Says::Silent(rows) => rows.iter().any(|row| carries(*row)),
    });
    page.listed("cells", decided);
    let scenarios = contract.scenarios.iter().filter_map(|scenario| {
        let n = scenario.cases.iter().filter(|case| case.named.contains(&ix)).count();
        (n > 0).then(|| {
            format!("{} ({n} of {} cases): {}", scenario.id, scenario.cases.len(), scenario.purpose)
        })
    });
    page.listed("scenarios", scenarios);
    page.listed(
        "defects",
        breakers(&profile.id, &requirement.id)
            .map(|defect| format!("{}: {}", defect.id, defect.text)),
    );
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
