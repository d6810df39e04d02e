//! Tests of a whole world, with a small driver in place of clients.
//!
//! The modules: `service` (links and the client's chair), `presence` (the server's chair, logins
//! and their ends), `scripted` (deviations and tokens), `laws` (properties over arbitrary scripts).
//! Not responsible for what single modules promise: they test that themselves.
//!
//! Invariant: time only moves to the next deadline of anybody, as in the real executor.

mod laws;
mod presence;
mod scripted;
mod service;

use crate::sample::{lab_wire, realm_spec};
use crate::world::{Setup, Sink, World};
use smol_str::SmolStr;
use stateline_core::scenario::{CaseClient, ClientIx, LinkAct, ServerAct};
use stateline_core::time::Micros;
use stateline_core::trace::Plane;
use stateline_core::turn::{Input, Output};
use stateline_core::value::Fields;
use std::fmt::Write as _;

pub(crate) const ALICE: ClientIx = 0;
pub(crate) const BOB: ClientIx = 1;
pub(crate) const ALICE2: ClientIx = 2;
pub(crate) const EPOCH: u64 = 1_700_000_000_000;

/// One line of a trace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) at: Micros,
    pub(crate) client: Option<ClientIx>,
    pub(crate) plane: Plane,
    pub(crate) kind: SmolStr,
    pub(crate) data: Fields,
}

/// Keeps everything that a world tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) seen: Vec<Seen>,
    pub(crate) inputs: Vec<(Micros, ClientIx, Input)>,
    now: Micros,
}

impl Sink for Log {
    fn event(
        &mut self,
        at: Micros,
        client: Option<ClientIx>,
        plane: Plane,
        kind: SmolStr,
        data: Fields,
    ) {
        self.now = at;
        self.seen.push(Seen { at, client, plane, kind, data });
    }

    fn input(&mut self, client: ClientIx, input: Input) {
        self.inputs.push((self.now, client, input));
    }
}

/// Plays clients that beat on the connections that they were told to beat on.
pub(crate) struct Driver {
    pub(crate) world: World,
    pub(crate) log: Log,
    pub(crate) now: Micros,
    beats: Vec<(ClientIx, u32, Micros)>,
    ids: i64,
}

impl Driver {
    pub(crate) fn new(seed: u64) -> Self {
        let clients = [("alice", "alice"), ("bob", "bob"), ("alice2", "alice")]
            .map(|(name, uid)| CaseClient { name: name.into(), uid: uid.into() });
        let world = World::new(Setup {
            spec: &realm_spec(),
            wire: &lab_wire(),
            clients: &clients,
            epoch_ms: EPOCH,
            seed,
        });
        Self { world, log: Log::default(), now: Micros::ZERO, beats: Vec::new(), ids: 0 }
    }

    pub(crate) fn out(&mut self, client: ClientIx, output: Output) {
        self.log.now = self.now;
        self.world.output(self.now, client, output, &mut self.log);
    }

    pub(crate) fn link(&mut self, client: ClientIx, act: LinkAct) {
        self.log.now = self.now;
        self.world.link(self.now, client, act, &mut self.log);
    }

    pub(crate) fn act(&mut self, act: ServerAct) {
        self.log.now = self.now;
        self.world.act(self.now, &act, &mut self.log);
    }

    pub(crate) fn release(&mut self, client: ClientIx) {
        self.world.release(self.now, client, &mut self.log);
    }

    /// Runs for some milliseconds.
    pub(crate) fn run(&mut self, ms: u64) {
        self.run_to(self.now + Micros::from_millis(ms));
    }

    pub(crate) fn run_to(&mut self, end: Micros) {
        loop {
            let beat = self.beats.iter().map(|beat| beat.2).min();
            let next = self.world.next_deadline().into_iter().chain(beat).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.world.advance(self.now, &mut self.log);
            for n in 0..self.beats.len() {
                let (client, conn, due) = self.beats[n];
                if due <= self.now {
                    self.beats[n].2 = due + Micros::from_secs(1);
                    self.request(client, conn, r#""op":"ping""#);
                }
            }
        }
        self.now = end;
    }

    /// Sends a message with a fresh id.
    pub(crate) fn request(&mut self, client: ClientIx, conn: u32, members: &str) {
        self.ids += 1;
        let text = format!(r#"{{{members},"id":{}}}"#, self.ids).into();
        self.out(client, Output::Send { conn, text });
    }

    pub(crate) fn beat(&mut self, client: ClientIx, conn: u32) {
        self.beats.push((client, conn, self.now + Micros::from_secs(1)));
    }

    pub(crate) fn stop_beating(&mut self, client: ClientIx) {
        self.beats.retain(|beat| beat.0 != client);
    }

    pub(crate) fn dial(&mut self, client: ClientIx, conn: u32) {
        self.out(client, Output::Dial { conn });
    }

    pub(crate) fn mint(&mut self, client: ClientIx, kind: &str, life: Option<u64>) -> SmolStr {
        let life = life.map(Micros::from_secs);
        self.world.mint(self.now, client, kind, life, &mut self.log).unwrap().text
    }

    /// Dials and sends a login request; gives the token.
    pub(crate) fn ask(&mut self, client: ClientIx, conn: u32, kind: &str, session: Option<&str>) {
        self.dial(client, conn);
        self.run(50);
        self.ask_again(client, conn, kind, session);
    }

    /// Sends a login request on an open connection.
    pub(crate) fn ask_again(
        &mut self,
        client: ClientIx,
        conn: u32,
        kind: &str,
        session: Option<&str>,
    ) {
        let token = self.mint(client, kind, None);
        let uid = if client == BOB { "bob" } else { "alice" };
        let mut members = format!(r#""op":"login","user":"{uid}","token":"{token}""#);
        if let Some(session) = session {
            let _ = write!(members, r#","session":"{session}""#);
        }
        self.request(client, conn, &members);
    }

    /// Logs in as an application does, and beats.
    pub(crate) fn login(&mut self, client: ClientIx, conn: u32) {
        self.ask(client, conn, "valid", None);
        self.run(50);
        assert!(self.last("server.accepted").is_some(), "{}", self.story());
        self.done(client, "login", &[]);
        self.beat(client, conn);
    }

    /// Logs in with a session on a new connection.
    pub(crate) fn resume(&mut self, client: ClientIx, conn: u32, session: &str) {
        self.stop_beating(client);
        self.ask(client, conn, "same", Some(session));
        self.run(50);
        self.beat(client, conn);
    }

    pub(crate) fn join(&mut self, client: ClientIx, conn: u32) {
        self.request(client, conn, r#""op":"join","channel":"lobby""#);
        self.run(50);
        self.done(client, "join", &[("channel", "lobby")]);
    }

    pub(crate) fn done(&mut self, client: ClientIx, op: &str, args: &[(&'static str, &str)]) {
        let args = args.iter().fold(Fields::new(), |args, (name, value)| args.with(name, *value));
        self.world.call_done(self.now, client, op, &args);
    }

    /// Forgets what was seen so far.
    pub(crate) fn forget(&mut self) {
        self.log.seen.clear();
        self.log.inputs.clear();
    }

    pub(crate) fn all(&self, kind: &str) -> Vec<&Seen> {
        self.log.seen.iter().filter(|seen| seen.kind == kind).collect()
    }

    pub(crate) fn last(&self, kind: &str) -> Option<&Seen> {
        self.log.seen.iter().rev().find(|seen| seen.kind == kind)
    }

    /// The only event of this kind.
    pub(crate) fn one(&self, kind: &str) -> &Seen {
        let all = self.all(kind);
        assert_eq!(all.len(), 1, "{kind}\n{}", self.story());
        all[0]
    }

    pub(crate) fn none(&self, kind: &str) {
        assert!(self.all(kind).is_empty(), "{kind}\n{}", self.story());
    }

    /// The frames that a client sent or received, by message.
    pub(crate) fn frames(&self, client: ClientIx, dir: &str, message: &str) -> Vec<&Seen> {
        self.log
            .seen
            .iter()
            .filter(|seen| {
                seen.client == Some(client)
                    && seen.data.text("dir") == Some(dir)
                    && seen.data.text("message") == Some(message)
            })
            .collect()
    }

    /// The signals of the server plane without heartbeats, in order.
    pub(crate) fn signals(&self) -> Vec<&str> {
        self.log
            .seen
            .iter()
            .filter(|seen| seen.plane == Plane::Server && seen.kind != "token.minted")
            .map(|seen| seen.kind.as_str())
            .collect()
    }

    /// The whole trace as text, for messages and for comparing.
    pub(crate) fn story(&self) -> String {
        self.log.seen.iter().fold(String::new(), |mut story, seen| {
            let data = serde_json::to_string(&seen.data).unwrap();
            let _ = writeln!(
                story,
                "{:>12} {:?} {:?} {} {data}",
                seen.at.to_string(),
                seen.client,
                seen.plane,
                seen.kind
            );
            story
        })
    }
}

/// Alice and bob are logged in on connection 1 and members of the lobby.
pub(crate) fn lobby(seed: u64) -> Driver {
    let mut driver = Driver::new(seed);
    driver.login(ALICE, 1);
    driver.login(BOB, 1);
    driver.join(ALICE, 1);
    driver.join(BOB, 1);
    driver.run(3_000);
    driver
}

pub(crate) fn ms(n: u64) -> Micros {
    Micros::from_millis(n)
}
