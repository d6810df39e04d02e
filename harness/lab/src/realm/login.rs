//! Login requests: scripted rules first, then bans, then the token, then a session.
//!
//! Not responsible for what a session does afterwards (`session` is).
//!
//! Invariant: with `supersede` a user has at most one living session, and only the instance that
//! knows its session can resume it.

use super::session::{Session, Why};
use super::{ConnId, FAREWELL, Note, Outgoing, REFUSED, Realm};
use crate::wire::Message;
use smol_str::{SmolStr, format_smolstr};
use stateline_core::scenario::ClientIx;
use stateline_core::time::Micros;
use stateline_core::value::{Fields, Value};

/// The code of a login that kicks nobody while another instance is online, where the profile names no other.
const ELSEWHERE: &str = "online-elsewhere";

/// A login request.
#[derive(Clone, Debug)]
pub(super) struct Login {
    conn: ConnId,
    id: Value,
    uid: SmolStr,
    token: SmolStr,
    session: Option<SmolStr>,
    /// Whether it ends the session of another instance; else it is refused while there is one.
    kicks: bool,
}

impl Login {
    /// Whether it arrived on another connection.
    pub(super) fn is_not_on(&self, conn: ConnId) -> bool {
        self.conn != conn
    }
}

impl Realm {
    /// A login request arrived.
    pub(super) fn login(&mut self, now: Micros, conn: ConnId, fields: &Fields) {
        let Some(client) = self.conns.get(&conn).map(|conn| conn.client) else { return };
        let login = Login {
            conn,
            id: fields.get("id").cloned().unwrap_or_default(),
            uid: fields.text("uid").unwrap_or(&self.users[client].uid).into(),
            token: fields.text("token").unwrap_or_default().into(),
            session: fields.text("session").map(SmolStr::from),
            kicks: fields.get("kick") != Some(&Value::Bool(false)),
        };
        let token = self.tokens.find(client, &login.token);
        let user = &mut self.users[client];
        user.token = token.or(user.token);
        user.token_expires =
            token.map(|token| self.tokens.expires(token)).filter(|expires| *expires > now);
        if user.muted {
            // The server hears and does nothing that it would have to tell; the old connection
            // stays the one that is served, so that a client can come back on it.
            if let Some(at) = self.resumable(&login) {
                self.hear_session(now, at);
            }
            return;
        }
        if self.rules.unanswered(client) {
            return;
        }
        if let Some(held) = &mut self.users[client].held {
            held.push(login);
            self.rules.held(client);
            return;
        }
        self.decide(now, &login);
    }

    /// Answers a login request.
    pub(super) fn decide(&mut self, now: Micros, login: &Login) {
        // The client may have given up while the request was held.
        let Some(client) = self.conns.get(&login.conn).map(|conn| conn.client) else { return };
        let code = self.rules.refused(client).or_else(|| {
            let cause = if self.banned.contains(&login.uid) {
                "banned"
            } else if let Some(fault) = self.tokens.fault(now, client, &login.uid, &login.token) {
                fault.cause()
            } else {
                self.elsewhere(client, login).then_some(ELSEWHERE)?
            };
            Some(self.spec.codes.get(cause).cloned().unwrap_or_else(|| cause.into()))
        });
        match code {
            Some(code) => {
                self.say(
                    login.conn,
                    "rejected",
                    Fields::new().with("id", login.id.clone()).with("code", code),
                );
                self.close_later(now + REFUSED, login.conn, "normal");
            }
            None => self.accept(now, client, login),
        }
    }

    fn accept(&mut self, now: Micros, client: ClientIx, login: &Login) {
        let conn = login.conn;
        // A close that an earlier refusal or logout on this connection left behind is off.
        self.closes.retain(|_, close| close.conn != conn);
        let mut replaced = None;
        let mut took = false;
        let resumed = self.resumable(login);
        // A connection serves one session: a new login on it gives up the one before.
        let before = self.conns.get(&conn).and_then(|conn| conn.session);
        if let Some(before) = before
            && resumed.is_none_or(|at| self.sessions[at].no != before)
        {
            self.end(before, Why::Replaced);
        }
        let id = if let Some(at) = self.resumable(login) {
            self.hear_session(now, at);
            let session = &mut self.sessions[at];
            session.client = Some(client);
            replaced = session.conn.replace(conn).filter(|old| *old != conn);
            session.id.clone()
        } else {
            if self.spec.supersede {
                (took, replaced) = self.supersede(now, &login.uid, Some(client));
            }
            self.start(now, login.uid.clone(), Some(client), Some(conn))
        };
        let no = self.sessions.iter().find(|session| session.id == id).map(|session| session.no);
        if let Some(conn) = self.conns.get_mut(&conn) {
            conn.session = no;
        }
        let fields = Fields::new()
            .with("id", login.id.clone())
            .with("session", id)
            .with("resumed", resumed.is_some());
        let note = Note::Accepted { took, online: self.is_online(&login.uid) };
        let message = Message { name: SmolStr::new_static("accepted"), fields };
        let answer = Outgoing { message, note };
        if self.rules.twice(client) {
            self.send(conn, answer.clone());
        }
        self.send(conn, answer);
        // Only after the answer, or the client would seem to have lost its service meanwhile.
        if let Some(old) = replaced {
            if let Some(conn) = self.conns.get_mut(&old) {
                conn.session = None;
            }
            self.close(now, old, "normal", true);
        }
    }

    /// Whether a login that kicks nobody comes too late, because another instance of its user is online.
    fn elsewhere(&self, client: ClientIx, login: &Login) -> bool {
        !login.kicks
            && self.resumable(login).is_none()
            && self
                .sessions
                .iter()
                .any(|session| session.uid == login.uid && session.client != Some(client))
    }

    /// Another instance of the client's user, played by the lab, logs in.
    pub(super) fn haunt(&mut self, now: Micros, client: ClientIx) {
        let uid = self.users[client].uid.clone();
        let haunted =
            self.sessions.iter().any(|session| session.uid == uid && session.client.is_none());
        if !haunted {
            if self.spec.supersede {
                self.supersede(now, &uid, None);
            }
            self.start(now, uid, None, None);
        }
    }

    /// Ends the sessions of a user because one of its instances logs in. Tells the other
    /// instances, and gives back whether there were any, and a connection of this client's own
    /// older session.
    fn supersede(
        &mut self,
        now: Micros,
        uid: &SmolStr,
        client: Option<ClientIx>,
    ) -> (bool, Option<ConnId>) {
        let (mut took, mut own) = (false, None);
        while let Some(old) = self.sessions.iter().find(|session| session.uid == *uid) {
            let (no, conn) = (old.no, old.conn);
            let is_own = client.is_some() && old.client == client;
            if is_own {
                own = conn;
            } else {
                took = true;
                if let Some(conn) = conn {
                    self.say(conn, "superseded", Fields::new());
                    self.close_later(now + FAREWELL, conn, "superseded");
                }
            }
            self.end(no, if is_own { Why::Replaced } else { Why::Superseded });
        }
        (took, own)
    }

    /// Starts a session and gives back its id.
    fn start(
        &mut self,
        now: Micros,
        uid: SmolStr,
        client: Option<ClientIx>,
        conn: Option<ConnId>,
    ) -> SmolStr {
        self.n_sessions += 1;
        let id = format_smolstr!("s{}", self.n_sessions);
        self.signal(client, "presence.online", Fields::new().with("uid", uid.clone()));
        self.sessions.push(Session {
            no: self.n_sessions,
            id: id.clone(),
            uid,
            client,
            conn,
            heard: now,
            unheard: false,
            channels: Vec::new(),
            attributes: Value::Null,
        });
        id
    }

    /// The living session that a request names.
    fn resumable(&self, login: &Login) -> Option<usize> {
        let id = login.session.as_ref()?;
        self.sessions.iter().position(|session| session.uid == login.uid && session.id == *id)
    }
}
