//! What the table expected in a case, for the timelines of a report.
//!
//! Not responsible for judging: that is what findings say.
//!
//! Invariant: times are those of the case, and numbers are those of its trace.

use crate::time::Micros;
use crate::trace::{read_ms, some_ms, write_ms};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A change of state that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveSeen {
    /// The state that was left.
    pub from: SmolStr,
    /// The state that was entered.
    pub to: SmolStr,
    /// The row that explains it; none: it was a breach.
    pub row: Option<SmolStr>,
}

/// What the table expected of the clients of a case as it went on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The states that the clients were in, by the table, in order.
    pub stays: Vec<Stay>,
    /// What was awaited or forbidden, in order.
    pub waits: Vec<Wait>,
}

/// A client in a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// The client.
    pub client: SmolStr,
    /// The state.
    pub state: SmolStr,
    /// Since when.
    #[serde(rename = "from_ms", serialize_with = "write_ms", deserialize_with = "read_ms")]
    pub from: Micros,
    /// Until when.
    #[serde(rename = "to_ms", with = "some_ms")]
    pub to: Option<Micros>,
    /// The event that led to it.
    pub n: Option<u32>,
    /// The row that led to it.
    pub row: Option<SmolStr>,
    /// The table allows that it was entered.
    pub allowed: bool,
}

/// Something that a row awaits, permits or forbids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The client.
    pub client: SmolStr,
    /// The row.
    pub row: SmolStr,
    /// The requirement that it carries there.
    pub requirement: Option<SmolStr>,
    /// What the row says.
    pub force: Force,
    /// What it is about, in words.
    pub wanted: SmolStr,
    /// The event that began it.
    pub cause: u32,
    /// Since when it may come, or must not.
    #[serde(rename = "from_ms", serialize_with = "write_ms", deserialize_with = "read_ms")]
    pub from: Micros,
    /// Until when it must have come, may come, or must not; none: without an end.
    #[serde(rename = "until_ms", with = "some_ms")]
    pub until: Option<Micros>,
    /// When it ended.
    #[serde(rename = "ended_ms", with = "some_ms")]
    pub ended: Option<Micros>,
    /// The event that ended it.
    pub by: Option<u32>,
    /// How it ended.
    pub end: End,
}

/// What a row says of what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Force {
    /// It is demanded.
    Must,
    /// It is permitted.
    May,
    /// It is forbidden.
    Never,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// What it waits for came.
    Met,
    /// It did not come in time.
    Overdue,
    /// What was demanded no longer is.
    Withdrawn,
    /// The state was left, or its time is over.
    Over,
    /// The case ended first.
    Open,
}
