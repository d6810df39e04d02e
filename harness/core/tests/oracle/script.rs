//! Traces written by hand, and traces in words for failures.
//!
//! Not responsible for judging.
//!
//! Invariant: a script's times are what it says, in milliseconds from the start.

use crate::table::{ALICE, agora};
use stateline_core::oracle::{Judged, Settings};
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};
use stateline_core::value::{Fields, Value};

/// A trace in words, one line an event, heartbeats left out.
pub(crate) fn told(events: &[Event]) -> String {
    let line = |event: &Event| {
        let data: Vec<String> =
            event.data.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{:>4} {:>12.3} {} {}\n", event.n, event.at.as_ms(), event.head(), data.join(" "))
    };
    events.iter().filter(|event| event.data.text("message") != Some("ping")).map(line).collect()
}

/// A trace of alice that is written down event by event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) events: Vec<Event>,
    calls: i64,
}

impl Script {
    /// An event at a time.
    pub(crate) fn on(mut self, ms: u64, plane: Plane, kind: &'static str, data: Fields) -> Self {
        let n = u32::try_from(self.events.len()).unwrap();
        let at = Micros::from_millis(ms);
        self.events.push(Event {
            n,
            at,
            client: Some(ALICE.into()),
            plane,
            kind: kind.into(),
            data,
        });
        self
    }

    /// The last event is another client's.
    pub(crate) fn by(mut self, client: &'static str) -> Self {
        self.events.last_mut().unwrap().client = Some(client.into());
        self
    }

    pub(crate) fn call(mut self, ms: u64, op: &'static str) -> Self {
        self.calls += 1;
        let data = Fields::new().with("op", op).with("call", self.calls);
        let data =
            if op == "login" { data.with("token", "t").with("token-kind", "valid") } else { data };
        self.on(ms, Plane::Control, "call", data)
    }

    /// The last call completes.
    pub(crate) fn result(self, ms: u64, op: &'static str, code: &'static str) -> Self {
        let data = Fields::new().with("op", op).with("call", self.calls).with("code", code);
        self.on(ms, Plane::Control, "result", data)
    }

    pub(crate) fn state(self, ms: u64, state: &'static str, reason: &'static str) -> Self {
        let data = Fields::new().with("state", state).with("reason", reason);
        self.on(ms, Plane::Control, "state", data)
    }

    pub(crate) fn network(self, ms: u64, kind: &'static str, conn: i64) -> Self {
        self.on(ms, Plane::Network, kind, Fields::new().with("conn", conn))
    }

    pub(crate) fn signal(self, ms: u64, kind: &'static str, data: Fields) -> Self {
        self.on(ms, Plane::Server, kind, data)
    }

    pub(crate) fn sent(self, ms: u64, message: &'static str) -> Self {
        let data = Fields::new().with("dir", "sent").with("message", message).with("token", "t");
        self.on(ms, Plane::Wire, "frame", data)
    }

    /// Heartbeats every second, from and to.
    pub(crate) fn beats(mut self, from: u64, to: u64) -> Self {
        for ms in (from..=to).step_by(1_000) {
            self = self.sent(ms, "ping");
        }
        self
    }

    /// Accepted; `resumed` as in a return.
    pub(crate) fn accepted(self, ms: u64, conn: i64, resumed: bool) -> Self {
        let data = Fields::new()
            .with("conn", conn)
            .with("resumed", resumed)
            .with("took", false)
            .with("online", true)
            .with("channels", 0i64)
            .with("attributes", false);
        self.signal(ms, "server.accepted", data)
    }

    /// Connected from 100 ms on.
    pub(crate) fn connected() -> Self {
        Self::default()
            .call(0, "login")
            .state(0, "connecting", "login")
            .network(10, "attempt", 1)
            .network(20, "opened", 1)
            .sent(20, "login")
            .accepted(100, 1, false)
            .state(100, "connected", "login-success")
            .result(100, "login", "ok")
    }

    /// Service is lost by a reset.
    pub(crate) fn reset(self, ms: u64) -> Self {
        self.network(ms, "closed", 1).lost(ms, ms, ms)
    }

    /// Service is lost between two instants.
    pub(crate) fn lost(self, ms: u64, heard: u64, sure: u64) -> Self {
        let data = Fields::new()
            .with("heard_ms", Micros::from_millis(heard))
            .with("sure_ms", Micros::from_millis(sure));
        self.signal(ms, "service.lost", data)
    }

    /// Service is back on another connection.
    pub(crate) fn back(self, ms: u64, conn: i64) -> Self {
        self.network(ms, "attempt", conn)
            .network(ms, "opened", conn)
            .sent(ms, "login")
            .accepted(ms, conn, true)
            .signal(ms, "service.back", Fields::new().with("conn", conn).with("same", false))
    }

    /// Judges the script until `end`, by settings that `change` makes of the profile's.
    pub(crate) fn judged_by(&self, end: u64, change: impl Fn(&mut Settings)) -> Judged {
        let table = agora();
        let mut settings = table.settings.clone();
        change(&mut settings);
        table.judge_by(&settings, &self.events, Micros::from_millis(end))
    }

    /// Judges the script until `end`.
    pub(crate) fn judged(&self, end: u64) -> Judged {
        self.judged_by(end, |_| {})
    }

    /// Ids of findings that are not consequent, and of warnings.
    pub(crate) fn found(&self, end: u64) -> (Vec<String>, Vec<String>) {
        found(&self.judged(end))
    }
}

/// Ids of findings that are not consequent, and of warnings.
pub(crate) fn found(judged: &Judged) -> (Vec<String>, Vec<String>) {
    let first = judged.findings.iter().filter(|finding| !finding.consequent);
    let warned = judged.warnings.iter();
    (
        first.map(|finding| finding.requirement.to_string()).collect(),
        warned.map(|finding| finding.requirement.to_string()).collect(),
    )
}

/// A field with a value, for signals.
pub(crate) fn with(name: &'static str, value: impl Into<Value>) -> Fields {
    Fields::new().with(name, value)
}
