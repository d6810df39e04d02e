//! What the table expected in the cases of the sample, and a record of real cases with their stories.
//!
//! Not responsible for the cases themselves. Invariant: a made-up story speaks of events that its trace has.

use stateline_core::record::{End, Force, RunRecord, Stay, Story, Wait};
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};

/// Seven cases as the program recorded them, with the rows and requirements that they speak of: one that
/// was early, one overdue, one that did what is forbidden, two with a state that nothing explains, one that
/// never answered a call, and one that passed.
pub(crate) fn told() -> RunRecord {
    serde_json::from_str(include_str!("told.json")).expect("it was written by the program")
}

/// The story of a trace of [`super::trace_of`]: a login that is accepted, then an interruption whose report
/// is overdue.
pub(crate) fn story(trace: &[Event]) -> Story {
    let end = trace.last().map(|event| event.at);
    let state = |at: usize| {
        trace.iter().filter(|event| event.plane == Plane::Control && event.kind == "state").nth(at)
    };
    let named = |kind: &str| trace.iter().find(|event| event.kind == kind);
    let mut story = Story::default();
    let mut stay = |name: &str, event: Option<&Event>, row: Option<&str>, to: Option<Micros>| {
        story.stays.push(Stay {
            client: "alice".into(),
            state: name.into(),
            from: event.map(|event| event.at).unwrap_or_default(),
            to,
            n: event.map(|event| event.n),
            row: row.map(Into::into),
            allowed: event.is_none() || row.is_some(),
        });
    };
    let (connecting, connected, strange) = (state(0), state(1), state(2));
    let at = |event: Option<&Event>| event.map(|event| event.at);
    stay("disconnected", None, None, at(connecting));
    stay("connecting", connecting, Some("L1"), at(connected));
    stay("connected", connected, Some("L3"), at(strange).or(end));
    if let Some(event) = strange {
        stay(event.data.text("state").unwrap_or_default(), strange, None, end);
    }
    let wait = |row: &str, requirement: &str, cause: u32, from: u64, until: u64| Wait {
        client: "alice".into(),
        row: row.into(),
        requirement: Some(requirement.into()),
        force: Force::Must,
        wanted: "a report (state connected, reason login-success)".into(),
        cause,
        from: Micros::from_millis(from),
        until: Some(Micros::from_millis(until)),
        ended: None,
        by: None,
        end: End::Open,
    };
    if let (Some(cause), Some(met)) = (named("server.accepted"), connected) {
        story.waits.push(Wait {
            ended: Some(met.at),
            by: Some(met.n),
            end: End::Met,
            ..wait("L3", "SR-LOGIN-03", cause.n, 3, 1_003)
        });
    }
    if let Some(cause) = named("down") {
        story.waits.push(Wait {
            wanted: "a report (state reconnecting, reason interrupted)".into(),
            ended: Some(Micros::from_secs(9)),
            end: End::Overdue,
            ..wait("C2", "SR-CONN-02", cause.n, 7_002, 9_000)
        });
    }
    story
}
