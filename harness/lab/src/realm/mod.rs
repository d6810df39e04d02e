//! The server's state machine: connections in, effects out, no I/O.
//!
//! The modules: [`rules`] (what a script makes it do), `login` (who may have a session), `session`
//! (presence, channels, requests). Not responsible for frames or links: it hears abstract messages
//! when they have arrived, and what it sends is somebody else's to carry.
//!
//! Invariant: it behaves as documented unless a rule or an act deviates. A user is online exactly
//! while one of its sessions lives, and a session lives until it is ended by a logout, another
//! login, the server, or `presence` after it was last heard.

mod login;
pub mod rules;
mod session;

use crate::token_service::{self, Answer, Deed, Outcome, What};
use crate::tokens::{TokenBook, TokenIx};
use crate::wire::Message;
use indexmap::IndexMap;
use login::Login;
use rules::Rules;
use session::{Session, SessionNo, Why};
use smallvec::SmallVec;
use smol_str::SmolStr;
use stateline_core::profile::RealmSpec;
use stateline_core::scenario::{CaseClient, ClientIx, ServerAct, TokenAnswers};
use stateline_core::time::Micros;
use stateline_core::value::{Fields, Value};
use stateline_core::wire::{Heartbeat, Wire};
use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

/// A connection, numbered over the whole case in the order in which dials were made.
pub type ConnId = usize;

/// How long a connection stays open after the message that ends its session.
const FAREWELL: Micros = Micros::from_millis(500);
/// How long a connection stays open after a logout was answered.
const LOGGED_OUT: Micros = Micros::from_millis(200);
/// How long a connection stays open after a refusal.
const REFUSED: Micros = Micros::from_secs(5);

/// What the realm wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Close a connection after what was sent on it.
    Close {
        /// Which.
        conn: ConnId,
        /// With which code.
        code: u16,
        /// It was replaced by a newer one of the same client, and no script asked for it.
        silent: bool,
    },
    /// A message went out to a channel; who should have received it is for the world to say.
    Published {
        /// To which channel.
        channel: SmolStr,
        /// By which user.
        from: SmolStr,
        /// By which client.
        sender: ClientIx,
        /// The number of the message.
        id: SmolStr,
        /// The clients that the realm counts as members.
        members: SmallVec<[ClientIx; 4]>,
    },
    /// Send a message.
    Send {
        /// On which connection.
        conn: ConnId,
        /// Which.
        message: Outgoing,
    },
    /// The server's own view changed.
    Signal {
        /// Of whom; `None` for an instance that the lab plays itself.
        client: Option<ClientIx>,
        /// The signal.
        kind: &'static str,
        /// Its fields.
        data: Fields,
    },
}

/// A message of the server with what a trace must know about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outgoing {
    /// The message.
    pub message: Message,
    /// What its delivery means beyond its fields.
    pub note: Note,
}

/// What the delivery of a message means beyond its fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Note {
    /// A login was accepted.
    Accepted {
        /// It ended the session of another instance.
        took: bool,
        /// The user is in the online list.
        online: bool,
    },
    /// A member came or went.
    Member {
        /// Because of an interruption, not of a call.
        outage: bool,
        /// Whose instance.
        about: Option<ClientIx>,
    },
    /// Nothing.
    #[default]
    None,
    /// A message of a channel.
    Peer {
        /// Its number.
        id: SmolStr,
    },
}

/// What the realm knows about a client.
#[derive(Clone, Debug)]
struct User {
    name: SmolStr,
    uid: SmolStr,
    muted: bool,
    /// Login requests that a script holds back; `None` while none are held.
    held: Option<Vec<Login>>,
    /// The token of its last login request.
    token: Option<TokenIx>,
    /// When that token expires, while that is still to come.
    token_expires: Option<Micros>,
    /// How the token service answers its application.
    token_answers: TokenAnswers,
}

/// A connection as the server sees it.
#[derive(Clone, Debug)]
struct Conn {
    client: ClientIx,
    open: bool,
    session: Option<SessionNo>,
}

/// A close that is due.
#[derive(Clone, Copy, Debug)]
struct DueClose {
    conn: ConnId,
    cause: &'static str,
}

/// The server.
#[derive(Clone, Debug)]
pub struct Realm {
    spec: RealmSpec,
    close: IndexMap<SmolStr, u16>,
    heartbeat: Heartbeat,
    /// How long a session may be silent before it counts as unheard.
    patience: Micros,
    /// The token service.
    pub tokens: TokenBook,
    users: Vec<User>,
    conns: BTreeMap<ConnId, Conn>,
    sessions: Vec<Session>,
    n_sessions: u64,
    n_messages: u64,
    rules: Rules,
    closes: BTreeMap<(Micros, u64), DueClose>,
    n_closes: u64,
    banned: Vec<SmolStr>,
    /// Memberships that an outage ended: entering again is its consequence, too.
    lapsed: Vec<(SmolStr, SmolStr)>,
    down_until: Micros,
    effects: Vec<Effect>,
}

impl Realm {
    /// A realm with nobody in it.
    #[must_use]
    pub fn new(spec: &RealmSpec, wire: &Wire, clients: &[CaseClient], epoch_ms: u64) -> Self {
        let users = clients
            .iter()
            .map(|client| User {
                name: client.name.clone(),
                uid: client.uid.clone(),
                muted: false,
                held: None,
                token: None,
                token_expires: None,
                token_answers: TokenAnswers::default(),
            })
            .collect();
        let period = wire.heartbeat.period;
        Self {
            spec: spec.clone(),
            close: wire.close.clone(),
            heartbeat: wire.heartbeat.clone(),
            patience: Micros(period.0.saturating_mul(5) / 2),
            tokens: TokenBook::new(epoch_ms),
            users,
            conns: BTreeMap::new(),
            sessions: Vec::new(),
            n_sessions: 0,
            n_messages: 0,
            rules: Rules::default(),
            closes: BTreeMap::new(),
            n_closes: 0,
            banned: Vec::new(),
            lapsed: Vec::new(),
            down_until: Micros::ZERO,
            effects: Vec::new(),
        }
    }

    /// Takes what is to be done. `into` must be empty; its room is used again.
    pub fn take_effects(&mut self, into: &mut Vec<Effect>) {
        mem::swap(&mut self.effects, into);
    }

    /// Whether the server takes no connection at this time.
    #[must_use]
    pub fn refuses_dials(&self, now: Micros) -> bool {
        now < self.down_until
    }

    /// The close code for a cause; a wire need not have one of its own for each.
    #[must_use]
    pub fn close_code(&self, cause: &str) -> u16 {
        self.close.get(cause).or_else(|| self.close.get("normal")).copied().unwrap_or(1000)
    }

    /// A connection of a client was opened.
    pub fn opened(&mut self, conn: ConnId, client: ClientIx) {
        self.conns.insert(conn, Conn { client, open: true, session: None });
    }

    /// A connection is gone, by whatever means.
    pub fn closed(&mut self, now: Micros, conn: ConnId) {
        self.conns.remove(&conn);
        self.closes.retain(|_, close| close.conn != conn);
        self.detach(now, conn);
    }

    /// A message arrived.
    pub fn received(&mut self, now: Micros, conn: ConnId, message: Message) {
        if !self.conns.get(&conn).is_some_and(|conn| conn.open) {
            return;
        }
        let Message { name, fields } = message;
        if name == self.heartbeat.message {
            self.hear(now, conn);
            let name = self.heartbeat.answer.clone();
            self.send(conn, Outgoing { message: Message { name, fields }, note: Note::None });
        } else if name == "login" {
            self.login(now, conn, &fields);
        } else {
            self.hear(now, conn);
            self.request(now, conn, &name, &fields);
        }
    }

    /// Something arrived that is no message; a sign of life all the same.
    pub fn received_noise(&mut self, now: Micros, conn: ConnId) {
        self.hear(now, conn);
    }

    /// When something is due by itself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Micros> {
        let mut soonest = self.closes.first_key_value().map(|((at, _), _)| *at);
        let mut offer = |due: Option<Micros>| {
            if let Some(due) = due {
                soonest = Some(soonest.map_or(due, |at| at.min(due)));
            }
        };
        for session in &self.sessions {
            offer(self.session_due(session));
        }
        for user in &self.users {
            offer(user.token_expires);
        }
        soonest
    }

    /// Does the next thing that is due by now; `false` when there is none.
    pub fn advance(&mut self, now: Micros) -> bool {
        if let Some(entry) = self.closes.first_entry()
            && entry.key().0 <= now
        {
            let DueClose { conn, cause } = entry.remove();
            self.close(now, conn, cause, false);
            return true;
        }
        let due = |at: Option<Micros>| at.is_some_and(|at| at <= now);
        if let Some(client) = self.users.iter().position(|user| due(user.token_expires)) {
            self.users[client].token_expires = None;
            self.signal(Some(client), "token.expired", Fields::new());
            return true;
        }
        if let Some(at) = self.sessions.iter().position(|session| due(self.session_due(session))) {
            self.session_overdue(now, at);
            return true;
        }
        false
    }

    /// A script acts. A hold only starts here; [`Self::release`] ends it.
    pub fn act(&mut self, now: Micros, act: &ServerAct) {
        match act {
            ServerAct::Ban(client) => {
                let uid = self.users[*client].uid.clone();
                if !self.banned.contains(&uid) {
                    self.banned.push(uid);
                }
                self.expel(now, *client, "banned", Why::Banned);
            }
            ServerAct::Close(client) => self.close_all(now, Some(*client), "normal"),
            ServerAct::Expire(client) => {
                if let Some(token) = self.token_of(*client)
                    && self.tokens.expire(now, token)
                {
                    for user in self.users.iter_mut().filter(|user| user.token == Some(token)) {
                        user.token_expires = None;
                    }
                    self.signal(Some(*client), "token.expired", Fields::new());
                }
            }
            ServerAct::Hold { client, .. } => {
                self.users[*client].held.get_or_insert_default();
                self.rules.add_hold(*client, &self.users[*client].name);
            }
            ServerAct::Issue(client) => {
                let User { name, uid, .. } = &self.users[*client];
                let (name, uid) = (name.clone(), uid.clone());
                let label = self.tokens.issue(now, *client, &name, &uid).label;
                let data = Fields::new().with("token", label);
                self.signal(Some(*client), "token.issued", data);
            }
            ServerAct::Kick(client) => self.expel(now, *client, "kicked", Why::Kicked),
            ServerAct::Mute(client, muted) => self.users[*client].muted = *muted,
            ServerAct::Push { client, message, fields } => self.push(*client, message, fields),
            ServerAct::Restart(time) => {
                self.down_until = now + *time;
                self.close_all(now, None, "restart");
            }
            ServerAct::Revoke(client) => {
                if let Some(token) = self.token_of(*client) {
                    self.tokens.revoke(token);
                    self.signal(Some(*client), "token.revoked", Fields::new());
                }
            }
            ServerAct::Refuse { client, .. }
            | ServerAct::Twice { client, .. }
            | ServerAct::Unanswered { client, .. } => {
                self.rules.add(act, *client, &self.users[*client].name);
            }
            ServerAct::Supersede(client) => self.haunt(now, *client),
            ServerAct::TokenService(client, answers) => {
                self.users[*client].token_answers = *answers;
            }
        }
    }

    /// The application of a client asks the token service for something.
    pub fn asked(&mut self, now: Micros, client: ClientIx, what: &What) -> Answer {
        const LATE: Duration = Duration::from_secs(5);
        let User { name, uid, token_answers, .. } = &self.users[client];
        let (name, uid, answers) = (name.clone(), uid.clone(), *token_answers);
        let asked = Fields::new().with("what", Value::name(what.name()));
        self.signal(Some(client), "token.asked", asked);
        match answers {
            TokenAnswers::Failure => return Answer::failure(),
            TokenAnswers::Never => return Answer::never(),
            TokenAnswers::NoJson => return Answer::no_json(),
            TokenAnswers::TooMany => return Answer::too_many(LATE),
            TokenAnswers::Unauthorized => return Answer::unauthorized(),
            TokenAnswers::Late | TokenAnswers::Well => {}
        }
        let Outcome { answer, deeds } =
            token_service::answer(&mut self.tokens, now, client, &name, &uid, what);
        for deed in deeds {
            let holds = |user: &User, token| user.token == Some(token);
            match deed {
                Deed::Minted { label } => {
                    let data = Fields::new().with("token", label).with("kind", "valid");
                    self.signal(Some(client), "token.minted", data);
                }
                // Only the token of the last login means something to a client.
                Deed::Revoked { token, .. } if holds(&self.users[client], token) => {
                    self.signal(Some(client), "token.revoked", Fields::new());
                }
                Deed::Expired { token, .. } if holds(&self.users[client], token) => {
                    self.users[client].token_expires = None;
                    self.signal(Some(client), "token.expired", Fields::new());
                }
                Deed::Revoked { .. } | Deed::Expired { .. } => {}
            }
        }
        if answers == TokenAnswers::Late { answer.after(LATE) } else { answer }
    }

    /// Ends a hold: what it held is processed now, in order.
    pub fn release(&mut self, now: Micros, client: ClientIx) {
        for login in self.users[client].held.take().unwrap_or_default() {
            self.decide(now, &login);
        }
    }

    /// Rules of the script that never met what they were for.
    pub fn unfired(&self) -> impl Iterator<Item = (ClientIx, &SmolStr)> {
        self.rules.unfired()
    }

    /// Whether the server sends this client nothing.
    #[must_use]
    pub fn is_muted(&self, client: ClientIx) -> bool {
        self.users[client].muted
    }

    /// The channels and attributes that the server holds for a client's living session.
    #[must_use]
    pub fn holdings(&self, client: ClientIx) -> Option<(&[SmolStr], &Value)> {
        self.sessions
            .iter()
            .find(|session| session.client == Some(client))
            .map(|session| (session.channels.as_slice(), &session.attributes))
    }

    /// Whether a user is in the online list.
    #[must_use]
    pub fn is_online(&self, uid: &str) -> bool {
        self.sessions.iter().any(|session| session.uid == uid)
    }

    fn token_of(&self, client: ClientIx) -> Option<TokenIx> {
        self.users[client].token.or_else(|| self.tokens.last(client))
    }

    fn push(&mut self, client: ClientIx, name: &SmolStr, fields: &Fields) {
        let latest = self.conns.iter().rev().find(|(_, conn)| conn.open && conn.client == client);
        let Some((&conn, _)) = latest else { return };
        let note = match name.as_str() {
            "member-joined" | "member-left" => Note::Member { outage: false, about: None },
            _ => Note::None,
        };
        let message = Message { name: name.clone(), fields: fields.clone() };
        // A script may speak while the server is mute otherwise.
        self.effects.push(Effect::Send { conn, message: Outgoing { message, note } });
    }

    fn send(&mut self, conn: ConnId, message: Outgoing) {
        let Some(open) = self.conns.get(&conn).filter(|conn| conn.open) else { return };
        if !self.users[open.client].muted {
            self.effects.push(Effect::Send { conn, message });
        }
    }

    fn say(&mut self, conn: ConnId, name: &'static str, fields: Fields) {
        let message = Message { name: SmolStr::new_static(name), fields };
        self.send(conn, Outgoing { message, note: Note::None });
    }

    fn signal(&mut self, client: Option<ClientIx>, kind: &'static str, data: Fields) {
        self.effects.push(Effect::Signal { client, kind, data });
    }

    fn close_later(&mut self, at: Micros, conn: ConnId, cause: &'static str) {
        self.closes.insert((at, self.n_closes), DueClose { conn, cause });
        self.n_closes += 1;
    }

    fn close_all(&mut self, now: Micros, client: Option<ClientIx>, cause: &'static str) {
        let conns: Vec<_> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.open && client.is_none_or(|client| conn.client == client))
            .map(|(id, _)| *id)
            .collect();
        for conn in conns {
            self.close(now, conn, cause, false);
        }
    }

    fn close(&mut self, now: Micros, conn: ConnId, cause: &'static str, silent: bool) {
        if self.conns.remove(&conn).is_some() {
            self.closes.retain(|_, close| close.conn != conn);
            let code = self.close_code(cause);
            self.effects.push(Effect::Close { conn, code, silent });
            self.detach(now, conn);
        }
    }
}
