//! One case's world in virtual time: the realm, a link per client, and the trace of both.
//!
//! The modules: `network` (dials, links, what travels), `effects` (what the realm wants), `report`
//! (what a trace and a client get to see). Not responsible for the clients or for when a step is played (the runner's).
//!
//! Invariant: the same calls with the same seed give the same events, in the same order; at one
//! instant the network comes before the server's timers.

mod effects;
mod network;
mod report;

use crate::chair::Chair;
use crate::link::{Dials, Pipe};
use crate::realm::{ConnId, Effect, Outgoing, Realm};
use crate::token_service::{Answer, What};
use crate::tokens::{Minted, UnknownKind};
use crate::wire::{Counters, FrameCodec, Messages};
use smallvec::SmallVec;
use smol_str::SmolStr;
use stateline_core::profile::RealmSpec;
use stateline_core::scenario::{CaseClient, ClientIx, LinkAct, ServerAct};
use stateline_core::time::Micros;
use stateline_core::trace::Plane;
use stateline_core::turn::{Input, Output};
use stateline_core::value::Fields;
use stateline_core::wire::Wire;
use std::collections::VecDeque;

/// What a world is made from.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// What the server does unless a script deviates.
    pub spec: &'a RealmSpec,
    /// The frames.
    pub wire: &'a Wire,
    /// The clients of the case.
    pub clients: &'a [CaseClient],
    /// The wall clock at the start of the case.
    pub epoch_ms: u64,
    /// Seeds every draw.
    pub seed: u64,
}

/// Where a world's facts go.
pub trait Sink {
    /// Something happened that belongs into the trace.
    fn event(
        &mut self,
        at: Micros,
        client: Option<ClientIx>,
        plane: Plane,
        kind: SmolStr,
        data: Fields,
    );
    /// Something reaches a client now.
    fn input(&mut self, client: ClientIx, input: Input);
    /// The answer to a ping of the transport reaches a client now. Only sockets have those.
    fn pong(&mut self, _client: ClientIx, _conn: u32, _payload: Vec<u8>) {}
}

/// The world of one case.
#[derive(Clone, Debug)]
pub struct World {
    realm: Realm,
    codec: FrameCodec,
    /// The two messages of a heartbeat: most of a trace, so their text is left out.
    heartbeat: [SmolStr; 2],
    period: Micros,
    epoch_ms: u64,
    links: Vec<Link>,
    conns: Vec<Conn>,
    effects: Vec<Effect>,
    frame: String,
}

/// A client's end of the world.
#[derive(Clone, Debug)]
struct Link {
    name: SmolStr,
    uid: SmolStr,
    up: Pipe<Up>,
    down: Pipe<Down>,
    dials: Dials,
    hanging: Vec<ConnId>,
    /// Dials that only the client knows of, and when each fails. They take no part in the pipes, so that
    /// they leave no mark on what can be seen.
    unseen: VecDeque<(Micros, ConnId)>,
    /// Connections that somebody still has an end of.
    alive: Vec<ConnId>,
    chair: Chair,
}

/// A connection with both its ends.
#[derive(Clone, Debug)]
struct Conn {
    client: ClientIx,
    number: u32,
    near: Near,
    /// The server has its end.
    far: bool,
    /// The client logged out: an answer that still comes gives no service.
    disowned: bool,
    /// It is a dial that only the client knows of: nothing listened.
    unseen: bool,
    counters: Counters,
}

/// The client's end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Near {
    Dialling,
    Gone,
    Open,
}

/// What travels to the server.
#[derive(Clone, Debug)]
enum Up {
    Close(ConnId),
    Dial(ConnId),
    /// A frame; `None` when it is no message of the wire.
    Frame(ConnId, Option<Messages>),
    /// A ping of the transport below the wire.
    Ping(ConnId, Vec<u8>),
}

/// What travels to a client.
#[derive(Clone, Debug)]
enum Down {
    Closed {
        conn: ConnId,
        code: u16,
        by: ClosedBy,
    },
    Failed(ConnId),
    Frame {
        conn: ConnId,
        text: SmolStr,
        messages: SmallVec<[Outgoing; 1]>,
    },
    /// Stands where a message would travel that the server owes and does not send.
    Owed {
        conn: ConnId,
        peer: Fields,
    },
    Opened(ConnId),
    Pong(ConnId, Vec<u8>),
}

/// Whether dials can be seen, where a link's change says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    Hidden,
    Seen,
}

impl Sight {
    /// What is to be told of a change. Dials are seen unless something else was said.
    fn between(before: Dials, after: Dials) -> Option<Self> {
        match (before, after) {
            (_, Dials::Unseen) => Some(Self::Hidden),
            (Dials::Unseen, _) => Some(Self::Seen),
            _ => None,
        }
    }
}

/// Who closed a connection in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClosedBy {
    Network,
    Server,
    /// The server, because the same client has a newer connection.
    Silently,
}

impl World {
    /// A world in which nothing has happened.
    #[must_use]
    pub fn new(setup: Setup<'_>) -> Self {
        let links = setup.clients.iter().enumerate().map(|(client, spec)| Link {
            name: spec.name.clone(),
            uid: spec.uid.clone(),
            up: Pipe::new(setup.seed, 2 * client as u64),
            down: Pipe::new(setup.seed, 2 * client as u64 + 1),
            dials: Dials::Connect,
            hanging: Vec::new(),
            unseen: VecDeque::new(),
            alive: Vec::new(),
            chair: Chair::default(),
        });
        let heartbeat = &setup.wire.heartbeat;
        Self {
            realm: Realm::new(setup.spec, setup.wire, setup.clients, setup.epoch_ms),
            codec: FrameCodec::new(setup.wire),
            heartbeat: [heartbeat.message.clone(), heartbeat.answer.clone()],
            period: heartbeat.period,
            epoch_ms: setup.epoch_ms,
            links: links.collect(),
            conns: Vec::new(),
            effects: Vec::new(),
            frame: String::new(),
        }
    }

    /// Takes in what a client did. Observations are the application's business, not the world's.
    pub fn output(&mut self, now: Micros, client: ClientIx, output: Output, sink: &mut dyn Sink) {
        match output {
            Output::Dial { conn } => self.dial(now, client, conn, sink),
            Output::Send { conn, text } => self.send(now, client, conn, &text, sink),
            Output::Close { conn } => self.close(now, client, conn, sink),
            Output::Observe(_) => {}
        }
    }

    /// A client's transport asks whether its connection lives. The way there and back is that of frames;
    /// to the server it means nothing.
    pub fn ping(&mut self, now: Micros, client: ClientIx, number: u32, payload: Vec<u8>) {
        if let Some(conn) = self.find(client, number) {
            self.links[client].up.send(now, Up::Ping(conn, payload));
        }
    }

    /// Whether what the server sends to a client is held.
    #[must_use]
    pub fn holds_down(&self, client: ClientIx) -> bool {
        self.links[client].down.is_held()
    }

    /// Whether a client's port is closed: what it dials fails at once, and nobody sees it.
    #[must_use]
    pub fn hides_dials(&self, client: ClientIx) -> bool {
        self.links[client].dials == Dials::Unseen
    }

    /// When something happens by itself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Micros> {
        // Asked for at every instant, so a plain loop.
        let mut soonest = self.realm.next_deadline();
        for link in &self.links {
            let unseen = link.unseen.front().map(|(due, _)| *due);
            for due in [link.up.next_due(), link.down.next_due(), unseen].into_iter().flatten() {
                soonest = Some(soonest.map_or(due, |at| at.min(due)));
            }
        }
        soonest
    }

    /// Lets everything happen that is due by now: network first, then the server's timers, until
    /// nothing is due.
    pub fn advance(&mut self, now: Micros, sink: &mut dyn Sink) {
        while let Some(due) = self.next_deadline().filter(|due| *due <= now) {
            for client in 0..self.links.len() {
                self.fail_unseen(due, client, sink);
                while let Some((_, up)) = self.links[client].up.arrive(due) {
                    self.arrived(due, client, up, sink);
                }
                while let Some((seq, down)) = self.links[client].down.arrive(due) {
                    self.delivered(due, client, seq, down, sink);
                }
            }
            // What a timer sets in motion may be due at once.
            while self.realm.advance(due) {
                self.flush(due, sink);
            }
        }
    }

    /// Changes a client's link.
    pub fn link(&mut self, now: Micros, client: ClientIx, act: LinkAct, sink: &mut dyn Sink) {
        self.change_link(now, client, act, sink);
    }

    /// Lets the server act or deviate. A hold starts here and ends with [`Self::release`].
    pub fn act(&mut self, now: Micros, act: &ServerAct, sink: &mut dyn Sink) {
        self.realm.act(now, act);
        if let ServerAct::Mute(client, muted) = *act {
            if muted {
                self.cut_off(now, client, "mute", sink);
            } else {
                self.restored(client);
            }
        }
        self.flush(now, sink);
    }

    /// Ends a hold: login requests that it held are processed now, in order; later ones are not
    /// held.
    pub fn release(&mut self, now: Micros, client: ClientIx, sink: &mut dyn Sink) {
        self.realm.release(now, client);
        self.flush(now, sink);
    }

    /// Mints a token for a client: `valid`, `expired`, `invalid`, `malformed`, `revoked`, or
    /// `same` for its last one.
    ///
    /// # Errors
    /// No kind has this name.
    pub fn mint(
        &mut self,
        now: Micros,
        client: ClientIx,
        kind: &str,
        life: Option<Micros>,
        sink: &mut dyn Sink,
    ) -> Result<Minted, UnknownKind> {
        let Link { name, uid, .. } = &self.links[client];
        let minted = self.realm.tokens.mint(now, client, name, uid, kind, life)?;
        let data = Fields::new().with("token", minted.label.clone()).with("kind", kind);
        let signal = SmolStr::new_static("token.minted");
        sink.event(now, Some(client), Plane::Server, signal, data);
        Ok(minted)
    }

    /// The application of a client asks the token service for something.
    pub fn asked(
        &mut self,
        now: Micros,
        client: ClientIx,
        what: &What,
        sink: &mut dyn Sink,
    ) -> Answer {
        let answer = self.realm.asked(now, client, what);
        self.flush(now, sink);
        answer
    }

    /// Tells that a call of the application succeeded (`login`, `logout`, `join`, `leave`,
    /// `set-attributes`): this is how the world knows what the application holds.
    pub fn call_done(&mut self, _now: Micros, client: ClientIx, op: &str, args: &Fields) {
        let chair = &mut self.links[client].chair;
        chair.app.call_done(op, args);
        if op == "logout" {
            chair.logged_out();
        }
    }

    /// The text with every minted token replaced by its label: `<token alice#1>`.
    #[must_use]
    pub fn redact(&self, text: &str) -> SmolStr {
        self.realm.tokens.redact(text)
    }

    /// The scripted rules (refuse, hold, unanswered, twice) that never met a login request, each
    /// with its client and in words.
    pub fn unfired_rules(&self) -> impl Iterator<Item = (ClientIx, &SmolStr)> {
        self.realm.unfired()
    }

    /// Whether a user is in the online list.
    #[must_use]
    pub fn is_online(&self, uid: &str) -> bool {
        self.realm.is_online(uid)
    }
}
