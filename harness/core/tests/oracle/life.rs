//! What happens to a client: logins, losses, returns, expulsions and logouts, as the tape says.
//!
//! Not responsible for how the client takes it; [`crate::world`] is.
//!
//! Invariant: ground truth is consistent. A connection opens before it serves, a session that was
//! removed is not resumed, and every life ends logged out, with nothing owed.

use crate::table::Table;
use crate::tape::Tape;
use crate::world::World;
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};
use stateline_core::value::{Fields, Value};

/// How wild a life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The application waits for the client before it calls again.
    Patient,
    /// Calls also come while the client still owes reports.
    Hasty,
}

struct Life<'t> {
    world: World<'t>,
    pace: Pace,
    conns: i64,
    /// The connection that is open.
    conn: Option<i64>,
    /// The connection on which a login was last sent.
    asked: i64,
    tokens: i64,
    channels: i64,
    link_up: bool,
}

/// A whole life: the world after it, and its end.
pub(crate) fn live<'t>(table: &'t Table, numbers: &[u32], pace: Pace) -> (World<'t>, Micros) {
    let world = World::new(table, Tape::new(numbers));
    let mut life =
        Life { world, pace, conns: 0, conn: None, asked: 0, tokens: 0, channels: 0, link_up: true };
    while !life.world.tape.is_over() {
        life.step();
    }
    life.finish();
    let end = life.world.now;
    (life.world, end)
}

impl Life<'_> {
    fn step(&mut self) {
        let states = self.world.table.states();
        match states[self.world.actual].as_str() {
            "disconnected" => self.disconnected(),
            "connecting" => self.connecting(),
            "connected" => self.connected(),
            "reconnecting" => self.reconnecting(),
            _ => self.aborted(),
        }
    }

    fn finish(&mut self) {
        for _ in 0..64 {
            let states = self.world.table.states();
            match states[self.world.actual].as_str() {
                "disconnected" => break,
                "connecting" => self.world.wait(Micros::from_millis(1_500)),
                _ => self.logout(),
            }
        }
        self.link(true);
        self.world.drain();
        self.world.wait(Micros::from_secs(6));
    }

    fn wait(&mut self, lo: u64, hi: u64) {
        let length = self.world.tape.millis(lo, hi);
        self.world.wait(length);
    }

    fn breathe(&mut self) {
        if self.pace == Pace::Patient || self.world.tape.below(2) == 0 {
            self.world.settle();
        }
    }

    fn signal(&mut self, kind: &'static str, data: Fields) {
        self.world.stimulus(Plane::Server, kind, data);
    }

    fn network(&mut self, kind: &'static str, conn: i64) {
        self.world.stimulus(Plane::Network, kind, Fields::new().with("conn", conn));
    }

    fn link(&mut self, up: bool) {
        if self.link_up != up {
            self.link_up = up;
            let kind = if up { "up" } else { "down" };
            self.world.stimulus(Plane::Network, kind, Fields::new());
        }
    }

    fn disconnected(&mut self) {
        self.close();
        match self.world.tape.below(8) {
            0..=5 => self.login(),
            6 => self.logout(),
            _ => self.wait(0, 7_000),
        }
    }

    fn login(&mut self) {
        self.breathe();
        self.tokens += 1;
        self.channels = 0;
        let kind = if self.world.tape.once_in(12) { "malformed" } else { "valid" };
        let args = Fields::new().with("token", self.token()).with("token-kind", kind);
        self.world.call("login", args);
        self.wait(0, 4_500);
        if self.world.is("connecting") {
            self.dial();
        }
    }

    fn token(&self) -> String {
        format!("alice#{}", self.tokens)
    }

    fn logout(&mut self) {
        self.breathe();
        let served = self.world.served;
        self.world.served = false;
        self.world.call("logout", Fields::new());
        if let Some(conn) = self.conn.take() {
            let at = self.world.now + self.world.tape.millis(0, 900);
            self.world.close_later(at, conn);
            if served {
                self.signal("server.logged-out", Fields::new());
            }
        }
        self.channels = 0;
    }

    /// A client that is done with its connection closes it.
    fn close(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.world.served = false;
            self.network("closed", conn);
        }
    }

    /// Dials; gives whether the connection opened.
    fn dial(&mut self) -> bool {
        self.close();
        self.conns += 1;
        let conn = self.conns;
        self.network("attempt", conn);
        self.wait(0, 400);
        if !self.link_up || self.world.tape.once_in(5) {
            self.network("failed", conn);
            return false;
        }
        self.network("opened", conn);
        self.conn = Some(conn);
        true
    }

    fn sends_login(&mut self) {
        self.asked = self.conns;
        let data =
            Fields::new().with("dir", "sent").with("message", "login").with("token", self.token());
        self.world.stimulus(Plane::Wire, "frame", data);
    }

    fn heard(&mut self) {
        if self.world.running("unheard") {
            self.world.forget("presence.removed");
            self.signal("server.heard", Fields::new());
        }
    }

    fn connecting(&mut self) {
        let fresh = self.conn.is_some_and(|conn| conn != self.asked);
        self.wait(0, 900);
        if !self.world.is("connecting") || !(fresh || self.dial()) {
            return;
        }
        if !self.world.is("connecting") {
            return;
        }
        let resumable = self.world.running("unheard");
        self.sends_login();
        self.heard();
        match self.world.tape.below(10) {
            0..=4 => {
                self.wait(0, 3_000);
                self.accept(resumable);
            }
            5 => {
                self.wait(0, 7_200);
                self.reject(&["invalid-token", "refused", "token-expired"]);
            }
            6 => self.wait(0, 7_500),
            7 => {
                self.wait(0, 2_000);
                self.reset(true);
            }
            8 => {
                self.wait(0, 2_000);
                self.signal("token.expired", Fields::new());
            }
            _ => {
                self.wait(0, 7_200);
                self.logout();
            }
        }
    }

    fn accept(&mut self, resumed: bool) {
        let Some(conn) = self.conn else { return };
        if !self.world.is("connecting")
            && !self.world.is("reconnecting")
            && !self.world.is("connected")
        {
            return;
        }
        let lost = self.world.running("outage");
        let data = Fields::new()
            .with("conn", conn)
            .with("resumed", resumed)
            .with("took", false)
            .with("online", true)
            .with("channels", self.channels)
            .with("attributes", false);
        self.world.served = true;
        self.signal("server.accepted", data);
        if lost {
            self.signal("service.back", Fields::new().with("conn", conn).with("same", false));
            self.world.ping();
        }
        if self.channels > 0 && !resumed {
            let at = self.world.now + self.world.tape.millis(0, 10_000);
            self.world.later(at, "server.channels-agree", Fields::new());
        }
    }

    fn reject(&mut self, codes: &[&'static str]) {
        let Some(conn) = self.conn else { return };
        if self.world.is("connecting") || self.world.is("reconnecting") {
            let code = *self.world.tape.one_of(codes);
            self.signal("server.rejected", Fields::new().with("conn", conn).with("code", code));
        }
    }

    /// The connection is reset, or closed by the server.
    fn reset(&mut self, by_server: bool) {
        let Some(conn) = self.conn.take() else { return };
        let served = std::mem::take(&mut self.world.served);
        self.network("closed", conn);
        if by_server {
            self.signal("server.closed", Fields::new().with("conn", conn));
        }
        if served {
            self.lost(self.world.now, self.world.now);
        }
    }

    fn lost(&mut self, heard: Micros, sure: Micros) {
        self.world.served = false;
        let data = Fields::new().with("heard_ms", heard).with("sure_ms", sure);
        self.signal("service.lost", data);
        let presence = self.world.table.profile.timers["presence"];
        self.signal("server.unheard", Fields::new().with("heard_ms", heard));
        let lo = heard + presence;
        let at = self.world.tape.within(lo, lo + self.world.table.profile.tolerance.late);
        self.world.later(at, "presence.removed", Fields::new());
    }

    fn connected(&mut self) {
        if self.world.running("outage") {
            return self.away();
        }
        match self.world.tape.below(12) {
            0 => self.wait(0, 14_000),
            1 => {
                self.link(false);
                self.reset(false);
            }
            2 => self.reset(true),
            3..=5 => {
                self.wait(1_000, 3_000);
                if self.world.is("connected") && self.world.served {
                    // Silence: the loss is an interval, from what was heard last to one beat on.
                    let heard = self.world.now - self.world.tape.millis(1, 900);
                    self.link(false);
                    self.lost(heard, self.world.now + Micros::from_secs(1));
                }
            }
            6 => self.superseded(),
            7 => self.logout(),
            8 => self.signal("token.expired", Fields::new()),
            9 => {
                self.channels = 1;
                self.world.call("join", Fields::new().with("channel", "lobby"));
            }
            10 => self.wait(11_000, 13_000),
            _ => self.society(),
        }
    }

    /// What others do in a channel.
    fn society(&mut self) {
        self.world.settle();
        self.wait(0, 500);
        if !self.world.served {
            return;
        }
        let in_channel = || Fields::new().with("channel", "lobby");
        let outage = self.world.tape.below(2) == 0;
        let member = in_channel().with("uid", "bob").with("outage", outage);
        match self.world.tape.below(3) {
            0 => self.signal("peer.sent", in_channel().with("from", "bob")),
            1 => self.signal("server.member-left", member),
            _ => self.signal("server.member-joined", member),
        }
        self.world.settle();
    }

    fn superseded(&mut self) {
        let Some(conn) = self.conn else { return };
        self.world.served = false;
        if self.world.running("unheard") {
            self.world.forget("presence.removed");
            self.signal("presence.ended", Fields::new());
        }
        self.signal("server.superseded", Fields::new().with("conn", conn));
        self.wait(0, 200);
        if let Some(conn) = self.conn.take() {
            self.network("closed", conn);
            self.signal("server.closed", Fields::new().with("conn", conn));
        }
    }

    /// Service is lost; whether the client has noticed is its own business.
    fn away(&mut self) {
        match self.world.tape.below(8) {
            0 => self.wait(0, 2_000),
            1 => self.wait(2_000, 6_000),
            2 => self.link(true),
            3 if self.conn.is_some() && self.world.is("connected") => {
                // The old connection lives again, before the client gave it up.
                self.link(true);
                self.heard();
                let data = Fields::new().with("conn", self.conn.unwrap_or(0)).with("same", true);
                self.world.served = true;
                self.signal("service.back", data);
                self.world.ping();
            }
            4 if self.world.is("reconnecting") => self.signal("token.expired", Fields::new()),
            5 if self.world.tape.below(3) == 0 => self.logout(),
            _ => self.returns(),
        }
    }

    fn reconnecting(&mut self) {
        if self.world.tape.once_in(4) {
            self.wait(5_000, 35_000);
        } else if self.world.tape.once_in(10) {
            self.wait(28_000, 31_500);
        }
        self.returns();
        if self.world.is("reconnecting") {
            self.away();
        }
    }

    fn returns(&mut self) {
        self.wait(0, 1_500);
        if self.world.tape.below(2) == 0 {
            self.link(true);
        }
        if !self.world.running("outage") || !self.dial() {
            return;
        }
        let unheard = self.world.running("unheard");
        self.sends_login();
        self.heard();
        self.wait(0, 1_000);
        match self.world.tape.below(6) {
            0..=2 => self.accept(unheard),
            3 => self.reject(&["token-expired", "invalid-token"]),
            4 if self.world.is("reconnecting") => self.superseded(),
            _ => self.close(),
        }
        if !self.world.served && !self.world.running("unheard") && self.world.running("outage") {
            // It went unheard again: the server had only heard a login that came to nothing.
            let lo = self.world.now + self.world.table.profile.timers["presence"];
            self.signal("server.unheard", Fields::new().with("heard_ms", self.world.now));
            let at = self.world.tape.within(lo, lo + self.world.table.profile.tolerance.late);
            self.world.later(at, "presence.removed", Fields::new());
        }
    }

    fn aborted(&mut self) {
        self.close();
        match self.world.tape.below(4) {
            0 => self.wait(0, 12_000),
            1 => self.signal("token.expired", Fields::new()),
            _ => self.logout(),
        }
    }
}

/// An event that is nobody's, or another client's.
pub(crate) fn irrelevant(at: Micros, which: u32) -> Event {
    let (client, plane, kind, data) = match which % 4 {
        0 => (None, Plane::Harness, "note", Fields::new().with("text", "a note")),
        1 => (Some("bob"), Plane::Harness, "step", Fields::new()),
        2 => (Some("carol"), Plane::Control, "state", Fields::new().with("state", "aborted")),
        _ => (
            Some("carol"),
            Plane::Server,
            "server.superseded",
            Fields::new().with("x", Value::Null),
        ),
    };
    Event { n: 0, at, client: client.map(Into::into), plane, kind: kind.into(), data }
}
