//! Compares a list of known failures with what was played.
//!
//! Not responsible for verdicts, nor for what the entries make of the exit code.
//!
//! Invariant: a failure is known when every finding in it that stands for itself is expected, and an
//! entry is blamed only for cases that were all decided.

use super::{Entry, Expectations, UNEXPLAINED};
use crate::select::all;
use crate::suite::{Contract, Suite};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use smol_str::SmolStr;
use stateline_authoring::{CaseInfo, Diagnostic, Sink};
use stateline_core::record::{
    CaseRecord, Expected, Finding, KnownFailure, KnownFailures, Standing, Verdict,
};
use stateline_runner::suite::TOO_LONG;
use std::collections::BTreeSet;

/// What there was to play.
pub(crate) struct Scope<'a> {
    /// All profiles.
    pub(crate) suite: &'a Suite,
    /// Those that were played.
    pub(crate) contracts: &'a [Contract],
    /// Some of their cases were left out on purpose.
    pub(crate) narrowed: bool,
    /// When it was played, RFC 3339.
    pub(crate) started: &'a str,
}

/// What a list came to.
pub(crate) struct Settled {
    /// For the record.
    pub(crate) known: KnownFailures,
    /// Entries that make the run fail, with their places.
    pub(crate) wrong: Vec<Diagnostic>,
    /// Findings that no entry expects, each with the place of its case.
    pub(crate) new: Vec<(usize, SmolStr)>,
}

/// Marks the cases that failed as expected, and says how each entry stands.
pub(crate) fn settle(list: &Expectations, cases: &mut [CaseRecord], scope: &Scope<'_>) -> Settled {
    let today = scope.started.parse::<Timestamp>().ok();
    let today = today.map(|now| now.to_zoned(TimeZone::UTC).date());
    let whole = all(scope.contracts);
    let infos: Vec<CaseInfo<'_>> = whole
        .iter()
        .map(|(contract, scenario, case, named)| contract.info(scenario, case, named))
        .collect();
    let mut entries: Vec<Matched<'_>> =
        list.entries.iter().map(|entry| Matched::new(entry, &infos)).collect();
    let mut new = Vec::new();
    for (at, case) in cases.iter_mut().enumerate() {
        case.expected = None;
        if case.verdict == Some(Verdict::Fail) {
            mark(case, &mut entries, |requirement| new.push((at, requirement.clone())));
        }
    }
    let elsewhere = Elsewhere::of(scope, &entries);
    let mut sink = sink(list);
    let mut known = Vec::new();
    for (at, matched) in entries.iter().enumerate() {
        let tally = matched.tally(cases);
        let standing = matched.standing(&tally, scope.narrowed, today, &elsewhere);
        matched.tell(standing, &tally, &infos, &mut sink);
        known.push(matched.record(at, standing, list));
    }
    let known = KnownFailures { file: list.name(), entries: known };
    Settled { known, wrong: sink.into_diagnostics(), new }
}

fn sink(list: &Expectations) -> Sink {
    Sink::new((*list.source).clone())
}

/// Every requirement that entries name must exist; what is wrong otherwise.
pub(crate) fn check(
    list: &Expectations,
    suite: &Suite,
    contracts: &[Contract],
) -> Result<(), Vec<Diagnostic>> {
    let ids = |contracts: &[Contract]| -> BTreeSet<SmolStr> {
        let all = contracts.iter().flat_map(|contract| &contract.profile.requirements);
        all.map(|requirement| requirement.id.clone()).collect()
    };
    let mut known = ids(contracts);
    let named = || list.entries.iter().flat_map(|entry| &entry.requirements);
    if named().all(|(id, _)| known.contains(id)) {
        return Ok(());
    }
    // It may be one of a profile that is not played this time.
    known.extend(suite.read(&[]).map(|all| ids(&all)).unwrap_or_default());
    let mut sink = sink(list);
    for (id, span) in named().filter(|(id, _)| !known.contains(id)) {
        sink.unknown(span.clone(), "requirement", id, known.iter().map(SmolStr::as_str));
    }
    if sink.is_empty() { Ok(()) } else { Err(sink.into_diagnostics()) }
}

/// Entries that say no more than that nobody knows why: their lines.
pub(crate) fn unexplained(list: &Expectations) -> Vec<usize> {
    let entries = list.entries.iter().filter(|entry| entry.reason == UNEXPLAINED);
    entries.map(|entry| line(list, entry.reason_span.start)).collect()
}

fn line(list: &Expectations, at: usize) -> usize {
    list.source.text[..at].bytes().filter(|byte| *byte == b'\n').count() + 1
}

/// Marks a failure that is expected as a whole; tells what of it is not.
fn mark(case: &mut CaseRecord, entries: &mut [Matched<'_>], mut new: impl FnMut(&SmolStr)) {
    let mut first = None;
    let mut is_known = true;
    let mut told: Vec<&SmolStr> = Vec::new();
    for finding in case.findings.iter().filter(|finding| !finding.consequent) {
        let mut expects = None;
        for (at, entry) in entries.iter_mut().enumerate() {
            if entry.expects(&case.id, finding) {
                entry.holds = true;
                expects = expects.or(Some(at));
            }
        }
        if expects.is_none() && !told.contains(&&finding.requirement) {
            told.push(&finding.requirement);
            new(&finding.requirement);
        }
        is_known &= expects.is_some();
        first = first.or(expects);
    }
    if let (Some(at), true) = (first, is_known) {
        entries[at].n_known += 1;
        let Entry { reason, link, .. } = entries[at].entry;
        case.expected =
            Some(Expected { entry: number(at), reason: reason.clone(), link: link.clone() });
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

/// Cases of profiles that were not played, looked at only for an entry that selects nothing.
struct Elsewhere(Vec<Contract>);

impl Elsewhere {
    fn of(scope: &Scope<'_>, entries: &[Matched<'_>]) -> Self {
        let needed = !scope.narrowed
            && scope.suite.profiles().len() > scope.contracts.len()
            && entries.iter().any(|entry| entry.cases.is_empty());
        let read = needed.then(|| scope.suite.read(&[]).unwrap_or_default());
        Self(read.unwrap_or_default())
    }

    fn has(&self, entry: &Entry) -> bool {
        all(&self.0).iter().any(|(contract, scenario, case, named)| {
            entry.filter.matches(&contract.info(scenario, case, named))
        })
    }
}

/// An entry with the cases that it selects.
struct Matched<'a> {
    entry: &'a Entry,
    cases: BTreeSet<&'a str>,
    /// A finding was as it expects.
    holds: bool,
    n_known: u32,
}

/// How the cases of an entry went.
#[derive(Default)]
struct Tally {
    selected: bool,
    pass: usize,
    fail: usize,
    /// A case was left out, or nothing came of it.
    open: bool,
}

impl<'a> Matched<'a> {
    fn new(entry: &'a Entry, infos: &[CaseInfo<'a>]) -> Self {
        let cases = infos.iter().filter(|info| entry.filter.matches(info));
        Self { entry, cases: cases.map(|info| info.id).collect(), holds: false, n_known: 0 }
    }

    fn expects(&self, case: &str, finding: &Finding) -> bool {
        self.cases.contains(case)
            && self.entry.requirements.iter().any(|(id, _)| *id == finding.requirement)
    }

    fn tally(&self, cases: &[CaseRecord]) -> Tally {
        let mut tally = Tally::default();
        let mut seen = BTreeSet::new();
        for case in cases.iter().filter(|case| self.cases.contains(case.id.as_str())) {
            seen.insert(case.id.as_str());
            tally.selected = true;
            match (case.verdict, &case.not_applicable) {
                (Some(Verdict::Pass), _) => tally.pass += 1,
                (Some(Verdict::Fail), _) => tally.fail += 1,
                (Some(Verdict::Inconclusive | Verdict::Error), _) | (None, None) => {
                    tally.open = true;
                }
                // What this client cannot do it will not do in another run either; another run may be
                // allowed to take longer.
                (None, Some(why)) => tally.open |= why.starts_with(TOO_LONG),
            }
        }
        tally.open |= seen.len() < self.cases.len();
        tally
    }

    fn standing(
        &self,
        tally: &Tally,
        narrowed: bool,
        today: Option<Date>,
        elsewhere: &Elsewhere,
    ) -> Standing {
        let entry = self.entry;
        let is_over = entry.until.as_ref().zip(today).is_some_and(|((last, _), now)| *last < now);
        let decided = tally.pass + tally.fail > 0 && !tally.open;
        if self.cases.is_empty() && !narrowed && !elsewhere.has(entry) {
            Standing::Unmatched
        } else if decided && !self.holds && !entry.flaky {
            Standing::Stale
        } else if is_over && tally.selected {
            Standing::Expired
        } else if self.holds {
            Standing::Holds
        } else {
            Standing::Undecided
        }
    }

    /// Says why an entry makes the run fail.
    fn tell(&self, standing: Standing, tally: &Tally, infos: &[CaseInfo<'_>], sink: &mut Sink) {
        let entry = self.entry;
        match standing {
            Standing::Holds | Standing::Undecided => {}
            Standing::Unmatched => {
                let near = entry.filter.nearest(infos);
                let label = if near.is_empty() {
                    "no such case".to_owned()
                } else {
                    format!("the nearest: {}", near.join(", "))
                };
                sink.error(entry.cases_span.clone(), "a known failure matches no case", label);
            }
            Standing::Stale => {
                let label = match (tally.pass, tally.fail) {
                    (1, 0) => "its case passed".to_owned(),
                    (n, 0) => format!("its {n} cases passed"),
                    (0, n) => format!("{n} failed, none as expected"),
                    (pass, fail) => format!("{pass} passed, and {fail} failed otherwise"),
                };
                sink.error(entry.cases_span.clone(), "a known failure is stale", label)
                    .help("remove the entry; where a case fails now and then, say `flaky = true`");
            }
            Standing::Expired => {
                let span = entry.until.as_ref().map_or(&entry.span, |(_, span)| span);
                sink.error(span.clone(), "a known failure has expired", "its last day is over")
                    .help("have the client mended, or choose a later day");
            }
        }
    }

    fn record(&self, at: usize, standing: Standing, list: &Expectations) -> KnownFailure {
        let Entry { span, cases, requirements, reason, link, until, flaky, .. } = self.entry;
        KnownFailure {
            entry: number(at),
            line: u32::try_from(line(list, span.start)).unwrap_or(u32::MAX),
            cases: cases.clone(),
            requirements: requirements.iter().map(|(id, _)| id.clone()).collect(),
            reason: reason.clone(),
            link: link.clone(),
            until: until.as_ref().map(|(last, _)| last.to_string()),
            flaky: *flaky,
            cases_known: self.n_known,
            standing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stateline_core::profile::requirement::{Basis, Strictness};
    use stateline_core::time::Micros;
    use std::path::Path;

    fn finding(requirement: &str, consequent: bool) -> Finding {
        Finding {
            requirement: requirement.into(),
            row: "R".into(),
            basis: Basis::Explicit,
            strictness: Strictness::Must,
            client: "alice".into(),
            side: "client".into(),
            at: Micros::ZERO,
            expected: String::new(),
            observed: String::new(),
            consequent,
            trace: (0, 0),
        }
    }

    /// Marks a case with these findings by entries for these requirements: the entry that expects it, and
    /// what is new.
    fn marked(findings: Vec<Finding>, entries: &[&str]) -> (Option<u32>, Vec<String>) {
        let entry = |requirement: &&str| {
            format!("[[expect]]\ncases = '*'\nrequirement = '{requirement}'\nreason = 'why'\n")
        };
        let text: String = entries.iter().map(entry).collect();
        let list = Expectations::parse(Path::new("list.toml"), text).unwrap();
        let info = CaseInfo { id: "p/case", profile: "p", tags: &[], requirements: &[] };
        let mut matched: Vec<_> =
            list.entries.iter().map(|entry| Matched::new(entry, &[info])).collect();
        let blank = CaseRecord::blank("p/case".into(), "p".into(), 0);
        let mut case = CaseRecord { findings, ..blank };
        let mut new = Vec::new();
        mark(&mut case, &mut matched, |requirement| new.push(requirement.to_string()));
        (case.expected.map(|expected| expected.entry), new)
    }

    #[test]
    fn a_failure_is_known_when_all_that_stands_for_itself_is_expected() {
        let two = || vec![finding("A", false), finding("B", false)];
        assert_eq!(marked(two(), &["B", "A"]), (Some(2), vec![]));
        assert_eq!(marked(two(), &["B"]), (None, vec!["A".to_owned()]));
        assert_eq!(marked(two(), &["A"]), (None, vec!["B".to_owned()]));
        let followed = vec![finding("A", false), finding("B", true)];
        assert_eq!(marked(followed.clone(), &["A"]), (Some(1), vec![]));
        assert_eq!(marked(followed, &["B"]), (None, vec!["A".to_owned()]));
        let twice = vec![finding("A", false), finding("A", false)];
        assert_eq!(marked(twice, &[]), (None, vec!["A".to_owned()]));
        assert_eq!(marked(Vec::new(), &["A"]), (None, vec![]));
    }
}
