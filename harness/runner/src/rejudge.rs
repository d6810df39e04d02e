//! Judges recorded traces again: the same verdicts and findings, from the record alone.
//!
//! A trace begins with a note that says who its clients are and what the case names, and ends with
//! one that says how the case went. Not responsible for playing anything.
//!
//! Invariant: judging is a function of the trace and the profile; gaps in `n` are no error.

use serde_json::json;
use smol_str::SmolStr;
use stateline_core::oracle::index::Index;
use stateline_core::oracle::verdict::{Conduct, conclude};
use stateline_core::oracle::{Judged, Oracle, Settings};
use stateline_core::profile::{Profile, ReqIx};
use stateline_core::record::{RequirementRecord, Story, Verdict};
use stateline_core::scenario::Case;
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};
use stateline_core::value::{Fields, Value};

/// The note that begins a trace.
#[must_use]
pub fn header(profile: &Profile, case: &Case) -> Fields {
    let clients: Vec<_> =
        case.clients.iter().map(|client| json!({"name": client.name, "uid": client.uid})).collect();
    let named: Vec<_> =
        case.named.iter().map(|req| profile.requirements[*req].id.as_str()).collect();
    Fields::new()
        .with("note", "begin")
        .with("clients", Value::Json(Box::new(json!(clients))))
        .with("named", Value::Json(Box::new(json!(named))))
}

/// The note that ends a trace.
#[must_use]
pub fn footer(conduct: &Conduct) -> Fields {
    let mut note = Fields::new().with("note", "end");
    for (name, value) in [("error", &conduct.error), ("missed", &conduct.missed)] {
        if let Some(value) = value {
            note.set(SmolStr::new_static(name), value.as_str().into());
        }
    }
    if conduct.cut {
        note.set(SmolStr::new_static("cut"), true.into());
    }
    if conduct.stalled > Micros::ZERO {
        let wall = json!({"stalled_ms": conduct.stalled.as_ms()});
        note.set(SmolStr::new_static("wall"), Value::Json(Box::new(wall)));
    }
    note
}

/// What is said of a case in the end.
pub struct Said {
    /// What the oracle found.
    pub judged: Judged,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, unless it is plain.
    pub reason: Option<String>,
    /// What was judged of each requirement.
    pub requirements: Vec<RequirementRecord>,
}

/// A stall pushes what waits behind it as well.
pub(crate) const KNOCK_ON: u32 = 2;

/// The verdict of a case. What would fail it, and would not if everything might take longer by what the
/// machine was measured to be late, is undecided: load can only push later.
#[must_use]
pub fn say(
    profile: &Profile,
    index: &Index,
    settings: &Settings,
    judged: Judged,
    named: &[ReqIx],
    conduct: &Conduct,
    trace: &[Event],
) -> Said {
    let (verdict, reason, requirements) = conclude(profile, &judged, named, conduct);
    let said = Said { judged, verdict, reason, requirements };
    if verdict != Verdict::Fail || conduct.stalled == Micros::ZERO {
        return said;
    }
    let longer = Micros(conduct.stalled.0.saturating_mul(u64::from(KNOCK_ON)));
    let patient = Settings { slack: settings.slack + longer, ..settings.clone() };
    let Ok(Rejudged { judged, .. }) = rejudge(profile, index, &patient, trace) else { return said };
    let (verdict, _, requirements) = conclude(profile, &judged, named, conduct);
    if verdict == Verdict::Fail {
        return said;
    }
    let reason = format!(
        "harness-stalled: the machine was late by {} in all; nothing is violated if everything may take {longer} longer",
        conduct.stalled
    );
    Said { judged, verdict: Verdict::Inconclusive, reason: Some(reason), requirements }
}

/// A trace that was judged again.
pub struct Rejudged {
    /// What the oracle found.
    pub judged: Judged,
    /// How the case went, as the trace says.
    pub conduct: Conduct,
    /// What the case names, as the trace says.
    pub named: Vec<ReqIx>,
}

/// Judges a trace.
///
/// # Errors
/// What the trace lacks, as a fragment for "cannot judge …: {error}".
pub fn rejudge(
    profile: &Profile,
    index: &Index,
    settings: &Settings,
    trace: &[Event],
) -> Result<Rejudged, RejudgeError> {
    judge(profile, index, settings, trace, |oracle| oracle)
}

/// What the table expected while a case went on; `None` where its trace cannot be judged.
#[must_use]
pub fn story(
    profile: &Profile,
    index: &Index,
    settings: &Settings,
    trace: &[Event],
) -> Option<Story> {
    let rejudged = judge(profile, index, settings, trace, Oracle::telling).ok()?;
    Some(rejudged.judged.story)
}

fn judge<'p>(
    profile: &'p Profile,
    index: &'p Index,
    settings: &'p Settings,
    trace: &[Event],
    prepare: impl FnOnce(Oracle<'p>) -> Oracle<'p>,
) -> Result<Rejudged, RejudgeError> {
    let begin = note(trace, "begin");
    let end = note(trace, "end");
    let clients = match begin.and_then(|note| json_of(note, "clients")) {
        Some(clients) => clients_of(clients).ok_or(RejudgeError::Header)?,
        // A trace from elsewhere: whoever it speaks of is a client, under its own name.
        None => {
            let mut names: Vec<SmolStr> = Vec::new();
            for name in trace.iter().filter_map(|event| event.client.clone()) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            names.into_iter().map(|name| (name.clone(), name)).collect()
        }
    };
    let named =
        match begin.and_then(|note| json_of(note, "named")).and_then(|named| named.as_array()) {
            Some(ids) => ids
                .iter()
                .map(|id| {
                    id.as_str()
                        .and_then(|id| profile.requirement(id))
                        .ok_or_else(|| RejudgeError::Requirement(id.to_string()))
                })
                .collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
    let stalled = end
        .and_then(|note| json_of(note, "wall"))
        .and_then(|wall| wall["stalled_ms"].as_f64())
        .map_or(Micros::ZERO, Micros::from_ms);
    let conduct = Conduct {
        error: end.and_then(|note| note.data.text("error")).map(str::to_owned),
        missed: end.and_then(|note| note.data.text("missed")).map(str::to_owned),
        cut: end.is_some_and(|note| note.data.flag("cut")),
        stalled,
    };
    if let Some(pair) =
        trace.windows(2).find(|pair| pair[1].at < pair[0].at || pair[1].n <= pair[0].n)
    {
        return Err(RejudgeError::Order(pair[1].n));
    }
    if trace.is_empty() {
        return Err(RejudgeError::Empty);
    }
    let mut known: Vec<&SmolStr> = Vec::new();
    for (name, _) in &clients {
        if known.contains(&name) {
            return Err(RejudgeError::Twice(name.to_string()));
        }
        known.push(name);
    }
    let stranger =
        trace.iter().find(|event| event.client.as_ref().is_some_and(|name| !known.contains(&name)));
    if let Some(event) = stranger {
        let name = event.client.as_ref().map(ToString::to_string).unwrap_or_default();
        return Err(RejudgeError::Stranger(event.n, name));
    }
    if let Some(event) = trace.iter().find(|event| event.at > LONGEST) {
        return Err(RejudgeError::Long(event.n));
    }
    let mut oracle = prepare(Oracle::new(profile, index, settings, clients));
    for event in trace {
        oracle.observe(event);
    }
    let last = trace.last().map(|event| event.at).unwrap_or_default();
    let complete = end.is_some() && conduct.is_complete();
    Ok(Rejudged { judged: oracle.finish(last, complete), conduct, named })
}

/// No case is longer than a week; a time beyond that is a slip of a unit.
const LONGEST: Micros = Micros::from_secs(7 * 24 * 3_600);

/// Why a trace cannot be judged.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RejudgeError {
    /// There is nothing to judge.
    #[error("it has no events")]
    Empty,
    /// Its first note is malformed.
    #[error("its first note does not list clients with name and uid")]
    Header,
    /// Events are out of order.
    #[error("event {0} is out of order: n and at_ms must grow")]
    Order(u32),
    /// A time is beyond belief.
    #[error("event {0} is more than a week after the start: at_ms counts milliseconds")]
    Long(u32),
    /// It speaks of a client that its first note does not list.
    #[error("event {0} is of client `{1}`, which its first note does not list")]
    Stranger(u32, String),
    /// Its first note lists a client twice.
    #[error("its first note lists client `{0}` twice")]
    Twice(String),
    /// It names a requirement that the profile lacks.
    #[error("it names {0}, which the profile does not have")]
    Requirement(String),
}

fn note<'a>(trace: &'a [Event], name: &str) -> Option<&'a Event> {
    trace.iter().find(|event| {
        event.plane == Plane::Harness
            && event.kind == "note"
            && event.data.text("note") == Some(name)
    })
}

fn json_of<'a>(event: &'a Event, name: &str) -> Option<&'a serde_json::Value> {
    match event.data.get(name) {
        Some(Value::Json(json)) => Some(json),
        _ => None,
    }
}

fn clients_of(json: &serde_json::Value) -> Option<Vec<(SmolStr, SmolStr)>> {
    let client = |json: &serde_json::Value| {
        Some((json["name"].as_str()?.into(), json["uid"].as_str()?.into()))
    };
    json.as_array()?.iter().map(client).collect()
}
