//! What the sample's contract says beside its grid: changes of state, known faults, contradictions, and a
//! list of known failures.
//!
//! Not responsible for the contract itself. Invariant: what is named here is in the catalogue, but for the
//! one change of state that no row documents.

use super::count;
use stateline_core::record::{
    Conflict, DefectRecord, Expected, KnownFailure, KnownFailures, RunRecord, Standing,
    TransitionRecord, Verdict,
};

/// From, to, rows, cases, violated.
const TRANSITIONS: [(&str, &str, &[&str], u32, u32); 9] = [
    ("disconnected", "connecting", &["L1"], 16, 0),
    ("connecting", "connected", &["L3"], 12, 0),
    ("connecting", "disconnected", &["L5", "L6", "S3"], 4, 0),
    ("connected", "reconnecting", &["C2"], 9, 3),
    ("connected", "aborted", &["C4"], 1, 0),
    ("connected", "disconnected", &["C5"], 2, 0),
    ("reconnecting", "connected", &["R4"], 6, 0),
    ("reconnecting", "disconnected", &["R15"], 0, 0),
    ("aborted", "connected", &[], 1, 1),
];

/// Name, what it does, what it breaks, what it cannot help.
const DEFECTS: [(&str, &str, &str, &[&str]); 7] = [
    ("never-interrupted", "Never reports an interruption.", "SR-CONN-02", &["SR-RECON-04"]),
    ("early-interrupted", "Reports an interruption after 2 s.", "SR-CONN-02", &[]),
    ("login-silent", "Does not report that it logs in.", "SR-LOGIN-01", &["SR-STATE-04"]),
    ("refusal-ignored", "Stays Connecting when it is refused.", "SR-LOGIN-05", &[]),
    ("login-timeout-late", "Gives a login up after 9 s.", "SR-LOGIN-06", &[]),
    ("wakes-up", "Connects again after it was aborted.", "SR-STATE-04", &[]),
    ("repeats-itself", "Reports Disconnected twice.", "SR-STATE-05", &[]),
];

pub(super) fn transitions() -> Vec<TransitionRecord> {
    let change =
        |(from, to, rows, cases, violated): (&str, &str, &[&str], u32, u32)| TransitionRecord {
            from: from.into(),
            to: to.into(),
            rows: rows.iter().map(|row| (*row).into()).collect(),
            cases,
            violated,
        };
    TRANSITIONS.map(change).to_vec()
}

pub(super) fn defects() -> Vec<DefectRecord> {
    let defect = |(id, text, breaks, also): (&str, &str, &str, &[&str])| DefectRecord {
        id: id.into(),
        text: text.to_owned(),
        breaks: breaks.into(),
        also: also.iter().map(|id| (*id).into()).collect(),
    };
    DEFECTS.map(defect).to_vec()
}

pub(super) fn conflicts() -> Vec<Conflict> {
    let conflict =
        |id: &str, kind: &str, title: &str, says: &str, judged: &str, why: &str| Conflict {
            id: id.into(),
            kind: kind.into(),
            title: title.to_owned(),
            sections: vec!["Connected".to_owned(), "Aborted".to_owned()],
            says: says.to_owned(),
            judged: judged.to_owned(),
            why: why.to_owned(),
            requirements: vec!["SR-CONN-04".into(), "SR-ABORT-05".into()],
            rows: vec!["C4".into()],
        };
    vec![
        conflict(
            "elsewhere-while-reconnecting",
            "gap",
            "A login elsewhere while Reconnecting",
            "One section names the states that a login elsewhere ends; Reconnecting is in none of them.",
            "What the client does is recorded.",
            "A client that is away cannot know, and the document does not say when it learns of it.",
        ),
        conflict(
            "reason-of-login",
            "slip",
            "The reason of the change to Connecting",
            "The table prints the reason of another line.",
            "Both reasons pass, and the one that was seen is recorded.",
            "Nobody can have meant the printed one, and some builds may have followed it.",
        ),
    ]
}

/// The sample with a list of known failures: an entry for each standing.
pub(crate) fn with_known() -> RunRecord {
    let mut record = super::sample();
    let entry = |entry: u32, cases: &str, reason: &str, n: u32, standing| KnownFailure {
        entry,
        line: entry * 6,
        cases: format!("{}/{cases}", super::PROFILE),
        requirements: vec!["SR-CONN-02".into()],
        reason: reason.to_owned(),
        link: None,
        until: None,
        flaky: false,
        cases_known: n,
        standing,
    };
    let mut entries = vec![
        entry(
            1,
            "network-drop/*kind=refused*",
            "the stack waits for its own timer",
            1,
            Standing::Holds,
        ),
        entry(2, "login/*", "fixed in 2.0?", 0, Standing::Stale),
        entry(3, "network-drop/*", "until the next release", 0, Standing::Expired),
        entry(4, "network-drp/*", "a typing error", 0, Standing::Unmatched),
        entry(5, "token/*", "now and then", 0, Standing::Undecided),
    ];
    entries[0].link = Some("javascript:alert(1)".to_owned());
    entries[2].until = Some("2026-01-31".to_owned());
    entries[4].flaky = true;
    let expected = |case: &&mut stateline_core::record::CaseRecord| {
        case.verdict == Some(Verdict::Fail) && case.id.contains("kind=refused")
    };
    for case in record.cases.iter_mut().filter(expected) {
        case.expected = Some(Expected {
            entry: 1,
            reason: entries[0].reason.clone(),
            link: entries[0].link.clone(),
        });
    }
    record.known = Some(KnownFailures { file: "stateline.expect.toml".to_owned(), entries });
    count(&mut record);
    record
}
