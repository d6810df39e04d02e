//! Where things stand on the page, and the links that lead there.
//!
//! Not responsible for escaping: the templates escape. What `report.js` makes of a filter link is its own.
//!
//! Invariant: a link and the anchor that it leads to come from the same function, and an anchor holds no
//! white space and nothing that cannot be seen.

use crate::text;
use stateline_core::record::{CaseRecord, ProfileRecord, Verdict};

/// A link to a case.
#[derive(Clone, Debug)]
pub(crate) struct CaseLink {
    pub(crate) href: String,
    pub(crate) name: String,
}

impl CaseLink {
    pub(crate) fn new(case: &CaseRecord) -> Self {
        Self { href: href(&case_anchor(case)), name: text::case_name(case) }
    }
}

/// The anchor of a case: `case-` and its id, which is a promise. Repetitions that passed are counted where
/// the first one stands.
pub(crate) fn case_anchor(case: &CaseRecord) -> String {
    let id = line_anchor(&case.id);
    match (case.repeat, case.verdict) {
        (0, _) | (_, Some(Verdict::Pass)) => id,
        (n, _) => format!("{id}~{}", n + 1),
    }
}

/// The anchor of the line in which a case and its repetitions stand.
pub(crate) fn line_anchor(id: &str) -> String {
    anchor("case-", id)
}

/// The anchor of a scenario among the cases.
pub(crate) fn scenario_anchor(id: &str) -> String {
    anchor("scenario-", id)
}

/// The scenario of a case.
pub(crate) fn scenario_of(case: &CaseRecord) -> &str {
    case.id.split_once('[').map_or(case.id.as_str(), |(scenario, _)| scenario)
}

/// The id of a case or scenario without its profile, which the page says elsewhere.
pub(crate) fn within_profile<'a>(id: &'a str, profile: &str) -> &'a str {
    id.strip_prefix(profile).and_then(|rest| rest.strip_prefix('/')).unwrap_or(id)
}

/// The anchors of one contract. The first one needs no number, and hardly any run has a second one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchors {
    at: usize,
}

impl Anchors {
    /// Those of the profile at this place.
    pub(crate) const fn new(at: usize) -> Self {
        Self { at }
    }

    /// Those of the profile that a case belongs to.
    pub(crate) fn of(profiles: &[ProfileRecord], profile: &str) -> Self {
        Self::new(profiles.iter().position(|one| one.id == *profile).unwrap_or(0))
    }

    /// The anchor of a section.
    pub(crate) fn section(self, name: &str) -> String {
        if self.at == 0 { name.to_owned() } else { format!("{name}-{}", self.at + 1) }
    }

    pub(crate) fn row(self, id: &str) -> String {
        self.one("row", id)
    }

    pub(crate) fn requirement(self, id: &str) -> String {
        self.one("req", id)
    }

    pub(crate) fn defect(self, id: &str) -> String {
        self.one("defect", id)
    }

    pub(crate) fn conflict(self, id: &str) -> String {
        self.one("conflict", id)
    }

    /// The anchor that filters the cases by a cell.
    pub(crate) fn cell(self, state: &str, stimulus: &str) -> String {
        anchor("cases?cell=", &format!("{}{state}/{stimulus}", self.number()))
    }

    /// The anchor that filters the cases by a requirement that they decide.
    pub(crate) fn decided(self, id: &str) -> String {
        anchor("cases?req=", &format!("{}{id}", self.number()))
    }

    fn one(self, kind: &str, id: &str) -> String {
        anchor(&format!("{kind}-{}", self.number()), id)
    }

    fn number(self) -> String {
        if self.at == 0 { String::new() } else { format!("{}-", self.at + 1) }
    }
}

fn anchor(prefix: &str, id: &str) -> String {
    let id = text::visible(id, &[' ', '\n', '\t']);
    let id: String =
        id.chars().map(|c| if c.is_whitespace() || c.is_control() { '_' } else { c }).collect();
    format!("{prefix}{id}")
}

/// A fragment that leads to an anchor.
pub(crate) fn href(anchor: &str) -> String {
    let mut href = String::from("#");
    for c in anchor.chars() {
        if c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?".contains(c) {
            href.push(c);
        } else {
            href.extend(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")));
        }
    }
    href
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    #[test]
    fn what_passed_again_is_where_it_passed_first() {
        let mut case = sample().cases[0].clone();
        case.id = "p/a b[kind=\u{202e}x,n=1]".into();
        case.repeat = 2;
        case.verdict = Some(Verdict::Fail);
        assert_eq!(case_anchor(&case), "case-p/a_b[kind=\\u{202e}x,n=1]~3");
        case.verdict = Some(Verdict::Pass);
        assert_eq!(CaseLink::new(&case).href, "#case-p/a_b%5Bkind=%5Cu%7B202e%7Dx,n=1%5D");
    }

    #[test]
    fn the_first_contract_has_no_number() {
        assert_eq!(Anchors::new(0).row("C2"), "row-C2");
        assert_eq!(Anchors::new(1).row("C2"), "row-2-C2");
        assert_eq!(Anchors::new(1).section("grid"), "grid-2");
        assert_eq!(Anchors::new(1).cell("a", "b"), "cases?cell=2-a/b");
        assert_eq!(Anchors::new(0).decided("R-1"), "cases?req=R-1");
    }
}
