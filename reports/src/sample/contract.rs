//! The made-up contract of the sample: five states, ten stimuli, a cell for nearly each pair.
//!
//! Not responsible for cases. Invariant: every row of the grid names a requirement of the catalogue,
//! or none where the document is silent.

use super::faults;
use stateline_core::profile::Document;
use stateline_core::profile::requirement::{Basis, Requirement, Strictness, TestedBy};
use stateline_core::record::{CellRecord, ProfileRecord, RowRecord, StimulusRecord};

/// The profile's id.
pub(crate) const PROFILE: &str = "sample-rtm";
const STATES: [&str; 5] = ["disconnected", "connecting", "connected", "reconnecting", "aborted"];
const STIMULI: [(&str, &str); 10] = [
    ("call.login", "the app calls login"),
    ("call.logout", "the app calls logout"),
    ("server.accepted", "the server accepts the login"),
    ("server.rejected", "the server refuses the login"),
    ("server.superseded", "the user logs in elsewhere"),
    ("server.kicked", "the server ends the session"),
    ("token.expired", "the token expires"),
    ("login-timeout", "the login stays unanswered for 6 s"),
    ("interruption", "the connection is interrupted for 4 s"),
    ("dial.failed", "a connection attempt fails"),
];

/// Row, title, requirement, state, stimulus.
const ROWS: [(&str, &str, &str, &str, &str); 13] = [
    ("L1", "login moves to connecting", "SR-LOGIN-01", "disconnected", "call.login"),
    ("L3", "an accepted login moves to connected", "SR-LOGIN-03", "connecting", "server.accepted"),
    ("L5", "a refused login moves to disconnected", "SR-LOGIN-05", "connecting", "server.rejected"),
    ("L6", "an unanswered login ends at 6 s", "SR-LOGIN-06", "connecting", "login-timeout"),
    ("S3", "logout during login", "", "connecting", "call.logout"),
    (
        "C2",
        "an interruption of 4 s moves to reconnecting",
        "SR-CONN-02",
        "connected",
        "interruption",
    ),
    ("C4", "a login elsewhere moves to aborted", "SR-CONN-04", "connected", "server.superseded"),
    ("C5", "logout moves to disconnected", "SR-CONN-05", "connected", "call.logout"),
    ("R4", "a reconnection moves to connected", "SR-RECON-04", "reconnecting", "server.accepted"),
    ("R15", "logout ends the reconnection", "SR-RECON-15", "reconnecting", "call.logout"),
    ("A2", "logout leaves aborted", "SR-ABORT-02", "aborted", "call.logout"),
    ("S6", "login in another state", "", "aborted", "call.login"),
    ("S7", "ban or kick", "", "connected", "server.kicked"),
];

fn requirement(
    id: &str,
    strictness: Strictness,
    basis: Basis,
    section: &str,
    text: &str,
) -> Requirement {
    Requirement {
        id: id.into(),
        kind: "transition".into(),
        test: TestedBy::Client,
        basis,
        strictness,
        section: section.to_owned(),
        text: text.to_owned(),
        needs: None,
        untestable: None,
    }
}

/// The catalogue.
pub(crate) fn requirements() -> Vec<Requirement> {
    use Basis::{Advice, Erratum, Explicit, Implied};
    use Strictness::{Must, Open, Should};
    let mut all = vec![
        requirement(
            "SR-STATE-04",
            Must,
            Implied,
            "Definitions",
            "With no trigger of its own no state changes, and the impossible pairs do not occur.",
        ),
        requirement(
            "SR-STATE-05",
            Should,
            Implied,
            "Definitions",
            "A report is a change: no report repeats the state that the client is already in.",
        ),
        requirement(
            "SR-LOGIN-01",
            Must,
            Erratum,
            "Disconnected",
            "login moves Disconnected to Connecting; both printed reasons pass.",
        ),
        requirement(
            "SR-LOGIN-03",
            Must,
            Explicit,
            "Connecting",
            "A login that succeeds moves Connecting to Connected with reason LoginSuccess.",
        ),
        requirement(
            "SR-LOGIN-05",
            Must,
            Explicit,
            "Connecting",
            "A login that the system refuses moves Connecting to Disconnected with reason LoginFailure.",
        ),
        requirement(
            "SR-LOGIN-06",
            Must,
            Explicit,
            "Connecting",
            "A login that the system leaves unanswered ends 6 s after the call: Connecting to Disconnected, reason LoginTimeout.",
        ),
        requirement(
            "SR-CONN-02",
            Must,
            Explicit,
            "Connected",
            "An interruption that does not recover within 4 s moves Connected to Reconnecting with reason Interrupted, not earlier than 4 s after it began.",
        ),
        requirement(
            "SR-CONN-04",
            Must,
            Explicit,
            "Connected",
            "A login of the same user elsewhere moves the current instance from Connected to Aborted with reason RemoteLogin.",
        ),
        requirement(
            "SR-CONN-05",
            Must,
            Explicit,
            "Connected",
            "logout moves Connected to Disconnected with reason Logout.",
        ),
        requirement(
            "SR-RECON-04",
            Must,
            Explicit,
            "Reconnecting",
            "A reconnection within 30 s of the interruption moves Reconnecting to Connected with reason LoginSuccess.",
        ),
        requirement(
            "SR-RECON-15",
            Must,
            Implied,
            "Reconnecting",
            "logout while Reconnecting moves to Disconnected with reason Logout.",
        ),
        requirement(
            "SR-ABORT-02",
            Must,
            Explicit,
            "Aborted",
            "logout while Aborted moves to Disconnected.",
        ),
        requirement(
            "SR-ABORT-05",
            Open,
            Implied,
            "Aborted",
            "What a login elsewhere does to a client that is Reconnecting is left open.",
        ),
        requirement(
            "SR-APP-01",
            Must,
            Advice,
            "Considerations",
            "The app calls logout before it leaves an Aborted client.",
        ),
    ];
    if let Some(advice) = all.last_mut() {
        advice.test = TestedBy::None;
        advice.untestable = Some("it is addressed to the application".to_owned());
    }
    all
}

fn cells() -> Vec<CellRecord> {
    let mut cells = Vec::new();
    for (at, state) in STATES.iter().enumerate() {
        for (column, (stimulus, _)) in STIMULI.iter().enumerate() {
            // Some pairs cannot occur at all; a cell is then left out.
            if (at, column) == (0, 8) || (at, column) == (4, 8) {
                continue;
            }
            let row = ROWS.iter().find(|row| row.3 == *state && row.4 == *stimulus);
            let (says, cases, violated) = match row {
                Some(row) if row.2.is_empty() => ("silent", 3, 0),
                Some(row) if row.0 == "C2" => ("row", 12, 3),
                Some(row) if row.0 == "R15" => ("row", 0, 0),
                Some(_) => ("row", 24, 0),
                None if column == 6 => ("forbidden", 4, u32::from(at == 2)),
                None => ("forbidden", u32::from(column % 3 != 0) * 9, 0),
            };
            cells.push(CellRecord {
                state: (*state).into(),
                stimulus: (*stimulus).into(),
                says: says.into(),
                rows: row.iter().map(|row| row.0.into()).collect(),
                requirements: row
                    .map_or(Some("SR-STATE-04"), |row| Some(row.2).filter(|id| !id.is_empty()))
                    .into_iter()
                    .map(Into::into)
                    .collect(),
                cases,
                violated,
            });
        }
    }
    cells
}

/// The contract as a report sees it.
pub(crate) fn profile() -> ProfileRecord {
    ProfileRecord {
        id: PROFILE.into(),
        variant: None,
        digest: "5f2a".repeat(8).into(),
        document: Document {
            title: "Manage Connection States".to_owned(),
            product: "Sample RTM".to_owned(),
            platform: "iOS/macOS".to_owned(),
            updated: "2025-11-02".to_owned(),
        },
        states: STATES.map(Into::into).to_vec(),
        stimuli: STIMULI
            .iter()
            .map(|(id, title)| StimulusRecord { id: (*id).into(), title: (*title).to_owned() })
            .collect(),
        cells: cells(),
        rows: ROWS
            .iter()
            .map(|row| RowRecord {
                id: row.0.into(),
                title: row.1.to_owned(),
                requirements: if row.2.is_empty() { Vec::new() } else { vec![row.2.into()] },
                basis: Some(if row.2.is_empty() { Basis::Implied } else { Basis::Explicit }),
                kind: if row.2.is_empty() { "silent" } else { "transition" }.into(),
                from: vec![row.3.into()],
                to: faults::transitions()
                    .into_iter()
                    .find(|change| change.rows.iter().any(|id| *id == row.0))
                    .map(|change| change.to),
                on: vec![row.4.into()],
                after_ms: match row.0 {
                    "C2" => Some(4_000.0),
                    "L6" => Some(6_000.0),
                    _ => None,
                },
                within_ms: (!row.2.is_empty()).then_some(1_000.0),
            })
            .collect(),
        requirements: requirements(),
        transitions: faults::transitions(),
        conflicts: faults::conflicts(),
        defects: faults::defects(),
    }
}
