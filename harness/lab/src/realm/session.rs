//! Sessions: when they were heard, where they are members, and how they end.
//!
//! Not responsible for how a session begins (`login`).
//!
//! Invariant: an interrupted session is removed exactly `presence` after it was last heard, and
//! its end takes its memberships and attributes with it.

use super::{ConnId, Effect, FAREWELL, LOGGED_OUT, Note, Outgoing, Realm};
use crate::wire::Message;
use smallvec::SmallVec;
use smol_str::{SmolStr, format_smolstr};
use stateline_core::scenario::ClientIx;
use stateline_core::time::Micros;
use stateline_core::value::{Fields, Value};

/// Numbers sessions over a case.
pub(super) type SessionNo = u64;

/// A living session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) no: SessionNo,
    /// What a client names it by.
    pub(super) id: SmolStr,
    pub(super) uid: SmolStr,
    /// `None` for an instance that the lab plays: it is always heard.
    pub(super) client: Option<ClientIx>,
    /// The connection that it is served on.
    pub(super) conn: Option<ConnId>,
    pub(super) heard: Micros,
    pub(super) unheard: bool,
    /// In the order in which they were joined.
    pub(super) channels: Vec<SmolStr>,
    pub(super) attributes: Value,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Banned,
    Kicked,
    Logout,
    Outage,
    /// By a newer login of the same client.
    Replaced,
    Superseded,
}

impl Why {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::Kicked => "kicked",
            Self::Logout => "logout",
            Self::Outage => "outage",
            Self::Replaced => "replaced",
            Self::Superseded => "superseded",
        }
    }
}

impl Realm {
    /// When a session that stays silent is unheard, then removed.
    pub(super) fn session_due(&self, session: &Session) -> Option<Micros> {
        session.client?;
        let removed = session.heard + self.spec.presence;
        Some(if session.unheard { removed } else { removed.min(session.heard + self.patience) })
    }

    /// A session has been silent for too long.
    pub(super) fn session_overdue(&mut self, now: Micros, at: usize) {
        self.miss(at);
        let Session { no, heard, conn, .. } = self.sessions[at];
        if heard + self.spec.presence > now {
            return;
        }
        self.end(no, Why::Outage);
        // A connection without a session must not look alive when its client is back on it.
        if let Some(conn) = conn {
            self.close(now, conn, "normal", false);
        }
    }

    /// A frame arrived on a connection.
    pub(super) fn hear(&mut self, now: Micros, conn: ConnId) {
        let Some(no) = self.conns.get(&conn).and_then(|conn| conn.session) else { return };
        if let Some(at) = self.sessions.iter().position(|session| session.no == no) {
            self.hear_session(now, at);
        }
    }

    pub(super) fn hear_session(&mut self, now: Micros, at: usize) {
        let session = &mut self.sessions[at];
        session.heard = now;
        if session.unheard {
            session.unheard = false;
            let client = session.client;
            self.signal(client, "server.heard", Fields::new());
        }
    }

    fn miss(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        if !session.unheard {
            session.unheard = true;
            let (client, heard) = (session.client, session.heard);
            self.signal(client, "server.unheard", Fields::new().with("heard_ms", heard));
        }
    }

    /// A connection is gone: the session that was served on it is interrupted.
    pub(super) fn detach(&mut self, now: Micros, conn: ConnId) {
        if let Some(at) = self.sessions.iter().position(|session| session.conn == Some(conn)) {
            let session = &mut self.sessions[at];
            session.conn = None;
            // Once a session is unheard, the end of its connection is no news from it.
            if !session.unheard {
                session.heard = now;
                self.miss(at);
            }
        }
    }

    /// Ends a session of a client with a last word.
    pub(super) fn expel(&mut self, now: Micros, client: ClientIx, word: &'static str, why: Why) {
        let Some(session) = self.sessions.iter().find(|session| session.client == Some(client))
        else {
            return;
        };
        let (no, conn) = (session.no, session.conn);
        if let Some(conn) = conn {
            self.say(conn, word, Fields::new());
            self.close_later(now + FAREWELL, conn, word);
        }
        self.end(no, why);
    }

    /// Ends a session.
    pub(super) fn end(&mut self, no: SessionNo, why: Why) {
        let Some(at) = self.sessions.iter().position(|session| session.no == no) else { return };
        let session = self.sessions.remove(at);
        if let Some(conn) = session.conn.and_then(|conn| self.conns.get_mut(&conn)) {
            conn.session = None;
        }
        let outage = why == Why::Outage;
        // Only the end of the presence time removes; the other ends have a cause of their own.
        let kind = if outage { "presence.removed" } else { "presence.ended" };
        let data = Fields::new().with("uid", session.uid.clone()).with("why", why.as_str());
        self.signal(session.client, kind, data);
        // A session that its own client replaces has not changed what an outage has cost.
        if !matches!(why, Why::Outage | Why::Replaced) {
            self.lapsed.retain(|(uid, _)| *uid != session.uid);
        }
        for channel in session.channels {
            let note = Note::Member { outage, about: session.client };
            self.tell_members(no, &channel, "member-left", &session.uid, &note);
            if outage {
                self.lapsed.push((session.uid.clone(), channel));
            }
        }
    }

    /// A request other than a login.
    pub(super) fn request(&mut self, now: Micros, conn: ConnId, name: &str, fields: &Fields) {
        if !matches!(name, "join" | "leave" | "logout" | "send" | "set-attributes") {
            return;
        }
        let answer =
            fields.get("id").map_or_else(Fields::new, |id| Fields::new().with("id", id.clone()));
        let no = self.conns.get(&conn).and_then(|conn| conn.session);
        let Some(at) = self.sessions.iter().position(|session| Some(session.no) == no) else {
            if name == "logout" {
                self.forget_held(conn);
            }
            self.say(conn, "failed", answer.with("code", "not-logged-in"));
            return;
        };
        let channel = SmolStr::from(fields.text("channel").unwrap_or_default());
        let session = &mut self.sessions[at];
        let (no, client, uid) = (session.no, session.client, session.uid.clone());
        let member = session.channels.iter().position(|joined| *joined == channel);
        match name {
            "join" => {
                if member.is_none() {
                    session.channels.push(channel.clone());
                    let lapsed = self
                        .lapsed
                        .iter()
                        .position(|(user, left)| *user == uid && *left == channel)
                        .map(|at| self.lapsed.remove(at));
                    let note = Note::Member { outage: lapsed.is_some(), about: client };
                    self.tell_members(no, &channel, "member-joined", &uid, &note);
                }
                self.say(conn, "done", answer);
            }
            "leave" => {
                if let Some(member) = member {
                    session.channels.remove(member);
                    let note = Note::Member { outage: false, about: client };
                    self.tell_members(no, &channel, "member-left", &uid, &note);
                }
                self.say(conn, "done", answer);
            }
            "send" if member.is_none() => {
                self.say(conn, "failed", answer.with("code", "not-a-member"));
            }
            "send" => {
                self.say(conn, "done", answer);
                self.publish(no, &channel, &uid, fields.get("text").cloned().unwrap_or_default());
            }
            "set-attributes" => {
                session.attributes = fields.get("attributes").cloned().unwrap_or_default();
                self.say(conn, "done", answer);
            }
            _ => {
                self.say(conn, "done", answer);
                self.signal(client, "server.logged-out", Fields::new());
                self.end(no, Why::Logout);
                self.close_later(now + LOGGED_OUT, conn, "logged-out");
            }
        }
    }

    /// A client that logs out wants no answer to its login any more.
    fn forget_held(&mut self, conn: ConnId) {
        if let Some(client) = self.conns.get(&conn).map(|conn| conn.client)
            && let Some(held) = &mut self.users[client].held
        {
            held.retain(|login| login.is_not_on(conn));
        }
    }

    fn publish(&mut self, no: SessionNo, channel: &SmolStr, uid: &SmolStr, text: Value) {
        self.n_messages += 1;
        let id = format_smolstr!("m{}", self.n_messages);
        let fields = Fields::new()
            .with("channel", channel.clone())
            .with("from", uid.clone())
            .with("text", text);
        let message = Message { name: SmolStr::new_static("message"), fields };
        for conn in self.others(no, channel) {
            let note = Note::Peer { id: id.clone() };
            self.send(conn, Outgoing { message: message.clone(), note });
        }
        let members: SmallVec<[ClientIx; 4]> = self
            .sessions
            .iter()
            .filter(|session| session.channels.contains(channel))
            .filter_map(|session| session.client)
            .collect();
        let sender = self.sessions.iter().find(|session| session.no == no);
        if let Some(sender) = sender.and_then(|session| session.client) {
            let (channel, from) = (channel.clone(), uid.clone());
            self.effects.push(Effect::Published { channel, from, sender, id, members });
        }
    }

    fn tell_members(
        &mut self,
        no: SessionNo,
        channel: &SmolStr,
        name: &'static str,
        uid: &SmolStr,
        note: &Note,
    ) {
        for conn in self.others(no, channel) {
            let fields = Fields::new().with("channel", channel.clone()).with("uid", uid.clone());
            let message = Message { name: SmolStr::new_static(name), fields };
            self.send(conn, Outgoing { message, note: note.clone() });
        }
    }

    /// The connections of the other members of a channel.
    fn others(&self, no: SessionNo, channel: &SmolStr) -> SmallVec<[ConnId; 4]> {
        self.sessions
            .iter()
            .filter(|session| session.no != no && session.channels.contains(channel))
            .filter_map(|session| session.conn)
            .collect()
    }
}
