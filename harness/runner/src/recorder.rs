//! Records the trace of a case, and lets the oracle judge it while it grows.
//!
//! Maps what clients say to the profile's names. Not responsible for deciding when anything
//! happens.
//!
//! Invariant: the oracle sees exactly what the trace holds, in its order.

use crate::play::Watch;
use smol_str::{SmolStr, format_smolstr};
use stateline_core::oracle::Oracle;
use stateline_core::profile::Profile;
use stateline_core::scenario::{CaseClient, ClientIx};
use stateline_core::time::Micros;
use stateline_core::trace::{Digest, Event, Plane};
use stateline_core::turn::Observation;
use stateline_core::value::{Fields, Value};

/// The trace of one case.
pub struct Recorder<'p> {
    profile: &'p Profile,
    clients: Vec<SmolStr>,
    /// The oracle.
    pub oracle: Oracle<'p>,
    digest: Digest,
    events: Vec<Event>,
    keep: bool,
    n: u32,
    /// Events from here on the script has not looked at.
    fresh: usize,
    watch: Option<&'p dyn Watch>,
}

impl<'p> Recorder<'p> {
    /// A recorder that keeps the events only when told to.
    #[must_use]
    pub fn new(
        profile: &'p Profile,
        oracle: Oracle<'p>,
        clients: &[CaseClient],
        keep: bool,
        watch: Option<&'p dyn Watch>,
    ) -> Self {
        let clients = clients.iter().map(|client| client.name.clone()).collect();
        Self {
            profile,
            clients,
            oracle,
            digest: Digest::default(),
            // Most cases have one to two hundred events.
            events: Vec::with_capacity(if keep { 192 } else { 16 }),
            keep,
            n: 0,
            fresh: 0,
            watch,
        }
    }

    /// Appends an event.
    pub fn record(
        &mut self,
        at: Micros,
        client: Option<ClientIx>,
        plane: Plane,
        kind: SmolStr,
        data: Fields,
    ) {
        let client = client.map(|client| self.clients[client].clone());
        let event = Event { n: self.n, at, client, plane, kind, data };
        self.n += 1;
        self.digest.add(&event);
        self.oracle.observe(&event);
        if let Some(watch) = self.watch {
            watch.event(&event);
        }
        self.events.push(event);
    }

    /// How many events there are.
    #[must_use]
    pub const fn n_events(&self) -> u32 {
        self.n
    }

    /// A note of the harness.
    pub fn note(&mut self, at: Micros, data: Fields) {
        self.record(at, None, Plane::Harness, SmolStr::new_static("note"), data);
    }

    /// What a client told its application, in the profile's names. Returns the code of a result.
    pub fn observation(
        &mut self,
        at: Micros,
        client: ClientIx,
        seen: Observation,
        op_of: impl Fn(u32) -> Option<SmolStr>,
    ) -> Option<(u32, Value)> {
        let names = &self.profile.names;
        let mut result = None;
        let (kind, data) = match seen {
            Observation::State(mut data) => {
                names.normalise("state", "state", "raw", &mut data);
                names.normalise("reason", "reason", "raw-reason", &mut data);
                ("state", data)
            }
            Observation::Result { call, data } => {
                let op = op_of(call).unwrap_or_else(|| SmolStr::new_static("unknown"));
                let mut all = Fields::new().with("op", op.clone()).with("call", call);
                add(&mut all, &data, &["op", "call"]);
                names.normalise(&names.code_enum(&op), "code", "raw", &mut all);
                result = Some((call, all.get("code").cloned().unwrap_or_default()));
                ("result", all)
            }
            Observation::Event { event, data } => {
                let mut all = Fields::new().with("event", event);
                add(&mut all, &data, &["event"]);
                names.normalise("event", "event", "raw", &mut all);
                let event = SmolStr::from(all.text("event").unwrap_or_default());
                names.normalise_event(&event, &mut all);
                ("event", all)
            }
            Observation::Unsupported { call } => {
                ("result", Fields::new().with("op", "unsupported").with("call", call))
            }
        };
        self.record(at, Some(client), Plane::Control, SmolStr::new_static(kind), data);
        result
    }

    /// The events since this was called last.
    pub fn fresh(&mut self) -> (&Oracle<'p>, &[Event]) {
        let mut from = std::mem::replace(&mut self.fresh, self.events.len());
        if !self.keep {
            // What nobody will look at again goes.
            self.events.drain(..from);
            self.fresh -= from;
            from = 0;
        }
        (&self.oracle, &self.events[from..])
    }

    /// Ends the trace: its oracle, digest, length and events.
    #[must_use]
    pub fn end(self) -> (Oracle<'p>, SmolStr, u32, Vec<Event>) {
        let events = if self.keep { self.events } else { Vec::new() };
        (self.oracle, self.digest.to_hex(), self.n, events)
    }
}

/// Adds what a client told to what we know ourselves; its keys of those names get a name of their own.
fn add(all: &mut Fields, data: &Fields, ours: &[&str]) {
    for (name, value) in data.iter() {
        let name = if ours.contains(&name.as_str()) {
            format_smolstr!("data.{name}")
        } else {
            name.clone()
        };
        all.set(name, value.clone());
    }
}
