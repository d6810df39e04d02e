//! The run record: what `run.json` holds, and what every report is a view of.
//!
//! Not responsible for writing files or rendering. Whatever depends on the wall clock or the
//! machine sits under a key named `wall`, and nowhere else.
//!
//! Invariant: planned = pass + inconclusive + fail + error + not applicable + not run.

mod contract;
mod known;
mod story;

use crate::profile::requirement::{Basis, Strictness};
use crate::time::Micros;
use crate::trace::{Event, read_ms, write_ms};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub use contract::{
    CellRecord, Conflict, DefectRecord, ProfileRecord, RowRecord, StimulusRecord, TransitionRecord,
};
pub use known::{Expected, KnownFailure, KnownFailures, Standing};
pub use story::{End, Force, MoveSeen, Stay, Story, Wait};

/// The name of the format.
pub const SCHEMA: &str = "stateline.run/1";

/// Everything about one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`SCHEMA`].
    pub schema: SmolStr,
    /// The run was stopped before its end.
    pub interrupted: bool,
    /// What was run, how.
    pub run: RunInfo,
    /// The contracts that were tested against.
    pub profiles: Vec<ProfileRecord>,
    /// Counts over all cases.
    pub totals: Totals,
    /// All cases, in planned order.
    pub cases: Vec<CaseRecord>,
    /// Every requirement of the selected profiles.
    pub coverage: Vec<Coverage>,
    /// The list of known failures, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<KnownFailures>,
}

/// What was run, how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Version of the harness.
    pub version: SmolStr,
    /// The client under test.
    pub client: ClientInfo,
    /// `virtual`, `real`, or `scaled=N`.
    pub time: SmolStr,
    /// Seeds every draw.
    pub seed: u64,
    /// Added to the late side of windows.
    pub slack_ms: u64,
    /// A breach of a SHOULD fails.
    pub strict: bool,
    /// The filters, as given.
    pub filters: Vec<String>,
    /// Only what was no PASS in the run before.
    #[serde(default)]
    pub rerun_failed: bool,
    /// How often each case was run.
    pub repeat: u32,
    /// Folders with further profiles and scenarios, as given.
    #[serde(default)]
    pub suites: Vec<String>,
    /// The longest planned length of a case, in milliseconds, where the command line named one.
    #[serde(default)]
    pub max_length_ms: Option<f64>,
    /// Policy caps in force that differ from the profile's, in milliseconds.
    pub caps: indexmap::IndexMap<SmolStr, f64>,
    /// What depends on the machine.
    pub wall: RunWall,
}

/// The client under test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientInfo {
    /// Its name, as it says itself.
    pub name: String,
    /// Its version, as it says itself.
    pub version: String,
    /// What was given to `--client`.
    pub spec: String,
    /// What cases or requirements `need` and the client does not have.
    #[serde(default)]
    pub lacks: Vec<SmolStr>,
}

/// What of a run depends on the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunWall {
    /// When it started, RFC 3339.
    pub started: String,
    /// From the first case's start to the last verdict.
    pub ms: u64,
    /// Threads.
    pub jobs: u32,
    /// What went wrong outside of any case, in words.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Counts over all cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Selected cases times repetitions.
    pub planned: u64,
    /// PASS.
    pub pass: u64,
    /// INCONCLUSIVE.
    pub inconclusive: u64,
    /// FAIL, known failures included.
    pub fail: u64,
    /// How many of the FAILs are known failures.
    #[serde(default)]
    pub known: u64,
    /// ERROR.
    pub error: u64,
    /// Not applicable to this client.
    pub not_applicable: u64,
    /// Not run, because the run was interrupted or stopped at the first failure.
    pub not_run: u64,
    /// Warnings over all cases.
    pub warnings: u64,
    /// Cases whose attempts differed.
    pub flaky: u64,
    /// Different traces.
    pub distinct_traces: u64,
}

/// The verdict of a case; the worst wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// What it names was satisfied, and nothing was violated.
    Pass,
    /// Nothing was violated, but something that it names was not decided.
    Inconclusive,
    /// A MUST row was violated.
    Fail,
    /// The harness or the adapter failed.
    Error,
}

impl Verdict {
    /// As every output writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Fail => "FAIL",
            Self::Error => "ERROR",
        }
    }
}

/// One case of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseRecord {
    /// Its id.
    pub id: SmolStr,
    /// Its repetition, from 0.
    pub repeat: u32,
    /// Its profile.
    pub profile: SmolStr,
    /// `None` when it was not applicable or not run.
    pub verdict: Option<Verdict>,
    /// Why it is INCONCLUSIVE or ERROR.
    pub reason: Option<String>,
    /// Why it was not applicable.
    pub not_applicable: Option<String>,
    /// It is a FAIL that the list of known failures expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// Hash of its trace.
    pub digest: SmolStr,
    /// What was judged of each requirement that it exercised or names.
    pub requirements: Vec<RequirementRecord>,
    /// Breaches that fail.
    pub findings: Vec<Finding>,
    /// Breaches that warn.
    pub warnings: Vec<Finding>,
    /// What the client chose where the document leaves it open.
    pub choices: Vec<Choice>,
    /// The cells of the grid that it exercised.
    pub cells: Vec<CellSeen>,
    /// The changes of state that were seen in it.
    #[serde(default)]
    pub moves: Vec<MoveSeen>,
    /// What the table expected as it went on; only of cases that a report tells in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story: Option<Story>,
    /// When a conforming client is done.
    pub planned_ms: f64,
    /// How long it took in the time of the case.
    pub simulated_ms: f64,
    /// Length of the trace.
    pub events: u32,
    /// Earlier attempts that a policy repeated.
    pub attempts: Vec<Attempt>,
    /// What depends on the machine.
    pub wall: CaseWall,
    /// The trace; empty with `--no-trace`.
    pub trace: Vec<Event>,
}

impl CaseRecord {
    /// A case of which nothing is known yet.
    #[must_use]
    pub fn blank(id: SmolStr, profile: SmolStr, repeat: u32) -> Self {
        Self {
            id,
            repeat,
            profile,
            verdict: None,
            reason: None,
            not_applicable: None,
            expected: None,
            digest: SmolStr::default(),
            requirements: Vec::new(),
            findings: Vec::new(),
            warnings: Vec::new(),
            choices: Vec::new(),
            cells: Vec::new(),
            moves: Vec::new(),
            story: None,
            planned_ms: 0.0,
            simulated_ms: 0.0,
            events: 0,
            attempts: Vec::new(),
            wall: CaseWall::default(),
            trace: Vec::new(),
        }
    }
}

/// What of a case depends on the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CaseWall {
    /// How long it took.
    pub ms: f64,
    /// What the client wrote to its stderr.
    pub stderr: String,
}

/// An earlier attempt of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its verdict.
    pub verdict: Verdict,
    /// Its reason.
    pub reason: Option<String>,
}

/// What was judged of a requirement in a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementRecord {
    /// The requirement.
    pub id: SmolStr,
    /// What was judged.
    pub judgement: Judgement,
    /// The case names it: undetermined is not green.
    pub named: bool,
}

/// What is judged of a requirement; the worst of several wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// The trace does not decide it.
    Undetermined,
    /// An OPEN row: what was seen is a choice.
    Recorded,
    /// It held.
    Satisfied,
    /// It was broken where a breach only warns.
    Warned,
    /// It was broken.
    Violated,
}

/// A breach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was broken.
    pub requirement: SmolStr,
    /// The row that says so.
    pub row: SmolStr,
    /// How the document carries it.
    pub basis: Basis,
    /// What the breach costs.
    pub strictness: Strictness,
    /// The client that it was seen at.
    pub client: SmolStr,
    /// Who broke it: `client` or `server`.
    pub side: SmolStr,
    /// When it became certain.
    #[serde(rename = "at_ms", serialize_with = "write_ms", deserialize_with = "read_ms")]
    pub at: Micros,
    /// What the row allows.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// It follows an earlier finding of the same client.
    pub consequent: bool,
    /// First and last event that show it.
    pub trace: (u32, u32),
}

/// What a client chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The OPEN requirement, where there is one.
    pub requirement: Option<SmolStr>,
    /// The row.
    pub row: SmolStr,
    /// The client.
    pub client: SmolStr,
    /// What it did.
    pub choice: String,
    /// The event that shows it.
    pub n: u32,
}

/// A cell that was exercised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellSeen {
    /// Its state.
    pub state: SmolStr,
    /// Its stimulus.
    pub stimulus: SmolStr,
    /// The first finding in it.
    pub violated: bool,
}

/// What a run says about a requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The requirement.
    pub requirement: SmolStr,
    /// The worst over all cases, or why there is none.
    pub status: CoverageStatus,
    /// Who had to show it.
    pub by: SmolStr,
    /// The cases that decided it.
    pub cases: Vec<SmolStr>,
}

/// What a run says about a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoverageStatus {
    /// Not observable, or the client lacks what it needs.
    NotTestable,
    /// An OPEN row: the choice was recorded.
    Recorded,
    /// It held.
    Satisfied,
    /// Exercised, never decided.
    Undetermined,
    /// No case exercised it.
    Unexercised,
    /// Broken.
    Violated,
    /// Broken where a breach only warns.
    Warned,
}
