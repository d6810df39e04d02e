//! Dials, links and what travels on them.
//!
//! Not responsible for what a trace shows of it (`report`).
//!
//! Invariant: what was sent on a connection arrives once and in order, unless the connection was
//! closed or reset by somebody; nothing arrives through a held direction.

use super::{ClosedBy, Conn, Down, Near, Up, World};
use crate::chair::Loss;
use crate::link::{Condition, Dials, OpenConnections};
use crate::realm::ConnId;
use crate::wire::Counters;
use crate::world::{Sight, Sink};
use smol_str::SmolStr;
use stateline_core::scenario::{ClientIx, LinkAct};
use stateline_core::time::Micros;
use stateline_core::turn::Input;
use stateline_core::value::Fields;

/// How long it takes a client to learn that nothing listens.
const UNHEARD: Micros = Micros::from_millis(1);

impl World {
    pub(super) fn dial(&mut self, now: Micros, client: ClientIx, number: u32, sink: &mut dyn Sink) {
        if self.find(client, number).is_some() {
            self.note(now, client, number, "dialled with a number that is in use", sink);
            return;
        }
        let conn = self.conns.len();
        // In real time there is nothing to see, so nothing is told here either.
        let unseen = self.hides_dials(client);
        if !unseen {
            self.report_network(now, client, "attempt", number, sink);
        }
        self.conns.push(Conn {
            client,
            number,
            near: Near::Dialling,
            far: false,
            disowned: false,
            unseen,
            counters: Counters::default(),
        });
        let link = &mut self.links[client];
        link.alive.push(conn);
        if unseen {
            link.unseen.push_back((now + UNHEARD, conn));
        } else {
            link.up.send(now, Up::Dial(conn));
        }
    }

    pub(super) fn send(
        &mut self,
        now: Micros,
        client: ClientIx,
        number: u32,
        text: &SmolStr,
        sink: &mut dyn Sink,
    ) {
        let Some(conn) = self.find(client, number).filter(|conn| self.near(*conn) == Near::Open)
        else {
            self.note(now, client, number, "sent on a connection that is not open", sink);
            return;
        };
        let messages = match self.codec.decode(text) {
            Ok(messages) => {
                self.report_sent(now, client, number, &messages, text, sink);
                for message in &messages {
                    match message.name.as_str() {
                        "login" => self.conns[conn].disowned = false,
                        "logout" => self.disown(client),
                        _ => {}
                    }
                }
                Some(messages)
            }
            Err(error) => {
                self.report_undecodable(now, client, number, &error, text, sink);
                None
            }
        };
        self.links[client].up.send(now, Up::Frame(conn, messages));
    }

    pub(super) fn close(
        &mut self,
        now: Micros,
        client: ClientIx,
        number: u32,
        sink: &mut dyn Sink,
    ) {
        // Closing what is closed already is no fault: both sides may do it at once.
        let Some(conn) = self.find(client, number) else { return };
        self.conns[conn].near = Near::Gone;
        if self.conns[conn].unseen {
            self.forget(conn);
            return;
        }
        self.report_dropped(now, client, number, sink);
        if let Some(loss) = self.links[client].chair.dropped(number) {
            self.report_loss(now, client, loss, sink);
        }
        let link = &mut self.links[client];
        if let Some(at) = link.hanging.iter().position(|hanging| *hanging == conn) {
            link.hanging.remove(at);
        } else {
            link.up.send(now, Up::Close(conn));
        }
        self.forget(conn);
    }

    /// Something reached the server.
    pub(super) fn arrived(&mut self, now: Micros, client: ClientIx, up: Up, sink: &mut dyn Sink) {
        match up {
            Up::Dial(conn) => {
                if self.near(conn) == Near::Gone {
                    return;
                }
                let link = &mut self.links[client];
                match link.dials {
                    Dials::Hang => link.hanging.push(conn),
                    Dials::Connect if !self.realm.refuses_dials(now) => {
                        self.conns[conn].far = true;
                        self.realm.opened(conn, client);
                        link.down.send(now, Down::Opened(conn));
                    }
                    Dials::Connect | Dials::Refuse | Dials::Unseen => {
                        link.down.send(now, Down::Failed(conn))
                    }
                }
            }
            Up::Frame(conn, messages) => {
                if !self.conns[conn].far {
                    return;
                }
                match messages {
                    Some(messages) => {
                        for message in messages {
                            self.realm.received(now, conn, message);
                        }
                    }
                    None => self.realm.received_noise(now, conn),
                }
            }
            Up::Ping(conn, payload) => {
                if self.conns[conn].far {
                    self.links[client].down.send(now, Down::Pong(conn, payload));
                }
            }
            Up::Close(conn) => {
                if std::mem::take(&mut self.conns[conn].far) {
                    self.realm.closed(now, conn);
                    self.forget(conn);
                }
            }
        }
        self.flush(now, sink);
    }

    /// Something reached a client.
    pub(super) fn delivered(
        &mut self,
        now: Micros,
        client: ClientIx,
        seq: u64,
        down: Down,
        sink: &mut dyn Sink,
    ) {
        match down {
            Down::Opened(conn) if self.near(conn) == Near::Dialling => {
                self.conns[conn].near = Near::Open;
                let conn = self.conns[conn].number;
                self.report_network(now, client, "opened", conn, sink);
                sink.input(client, Input::Opened { conn });
            }
            Down::Failed(conn) if self.near(conn) == Near::Dialling => {
                self.fail(now, client, conn, sink);
            }
            Down::Closed { conn, code, by } if self.near(conn) == Near::Open => {
                let (kind, signal) = match by {
                    ClosedBy::Network => ("closed", false),
                    ClosedBy::Server => ("server", true),
                    ClosedBy::Silently => ("server", false),
                };
                self.hang_up(now, client, conn, Some(code), kind, signal, sink);
            }
            Down::Frame { conn, text, messages } if self.near(conn) == Near::Open => {
                self.deliver_frame(now, client, conn, seq, text, &messages, sink);
            }
            Down::Owed { conn, peer } if self.near(conn) == Near::Open => {
                self.report_signal(now, client, "peer.sent", peer, sink);
            }
            Down::Pong(conn, payload) if self.near(conn) == Near::Open => {
                sink.pong(client, self.conns[conn].number, payload);
            }
            // The client gave up this connection.
            _ => {}
        }
        self.settle(now, client, sink);
    }

    /// The client's end of a connection is gone, and it learns so.
    #[expect(clippy::too_many_arguments, reason = "one close with everything that is told of it")]
    fn hang_up(
        &mut self,
        now: Micros,
        client: ClientIx,
        conn: ConnId,
        code: Option<u16>,
        kind: &'static str,
        signal: bool,
        sink: &mut dyn Sink,
    ) {
        let number = self.conns[conn].number;
        self.conns[conn].near = Near::Gone;
        self.forget(conn);
        self.report_closed(now, client, number, code, signal, sink);
        if let Some(loss) = self.links[client].chair.gone(now, number, kind) {
            self.report_loss(now, client, loss, sink);
        }
        sink.input(client, Input::Closed { conn: number, code });
    }

    /// A dial that nobody saw comes to nothing, unless the client gave it up.
    pub(super) fn fail_unseen(&mut self, now: Micros, client: ClientIx, sink: &mut dyn Sink) {
        while let Some((_, conn)) =
            self.links[client].unseen.front().copied().filter(|(due, _)| *due <= now)
        {
            self.links[client].unseen.pop_front();
            if self.conns[conn].near == Near::Dialling {
                self.fail(now, client, conn, sink);
            }
        }
    }

    fn fail(&mut self, now: Micros, client: ClientIx, conn: ConnId, sink: &mut dyn Sink) {
        let number = self.conns[conn].number;
        self.conns[conn].near = Near::Gone;
        self.forget(conn);
        if !self.conns[conn].unseen {
            self.report_network(now, client, "failed", number, sink);
        }
        sink.input(client, Input::DialFailed { conn: number });
    }

    /// Changes a link.
    pub(super) fn change_link(
        &mut self,
        now: Micros,
        client: ClientIx,
        act: LinkAct,
        sink: &mut dyn Sink,
    ) {
        let link = &mut self.links[client];
        if let LinkAct::Delay(time) = act {
            link.up.slow(time);
            link.down.slow(time);
        }
        let Some(condition) = Condition::after(act) else { return };
        link.up.hold(now, condition.hold_up);
        link.down.hold(now, condition.hold_down);
        let before = std::mem::replace(&mut link.dials, condition.dials);
        let sight = Sight::between(before, condition.dials);
        if act != LinkAct::Up {
            self.report_down(now, client, condition.kind, sight, sink);
        }
        match condition.open {
            OpenConnections::Keep => {}
            OpenConnections::Close => self.close_in_order(now, client),
            OpenConnections::Reset => self.reset(now, client, condition.kind, sink),
        }
        if condition.hold_down {
            let loss = self.links[client].chair.cut(now, self.period, condition.kind);
            if let Some(loss) = loss {
                self.report_loss(now, client, loss, sink);
            }
        } else if condition.hold_up {
            self.cut_off(now, client, condition.kind, sink);
        }
        if matches!(act, LinkAct::Up | LinkAct::Blip) {
            self.report_up(now, client, sight, sink);
        }
        self.restored(client);
        let link = &mut self.links[client];
        if link.dials != Dials::Hang {
            for conn in std::mem::take(&mut link.hanging) {
                link.up.send(now, Up::Dial(conn));
            }
        }
        self.flush(now, sink);
    }

    fn close_in_order(&mut self, now: Micros, client: ClientIx) {
        let code = self.realm.close_code("restart");
        let link = &mut self.links[client];
        for &conn in &link.alive {
            if self.conns[conn].far {
                link.down.send(now, Down::Closed { conn, code, by: ClosedBy::Network });
                link.up.send(now, Up::Close(conn));
            }
        }
    }

    /// Resets what is open at either end. What is under way on it finds its other end gone.
    fn reset(&mut self, now: Micros, client: ClientIx, kind: &'static str, sink: &mut dyn Sink) {
        let conns = &self.conns;
        let open = |conn: &ConnId| conns[*conn].far || conns[*conn].near == Near::Open;
        let lost: Vec<ConnId> = self.links[client].alive.iter().copied().filter(open).collect();
        for &conn in &lost {
            match self.near(conn) {
                Near::Open => self.hang_up(now, client, conn, None, kind, false, sink),
                Near::Dialling => self.fail(now, client, conn, sink),
                Near::Gone => {}
            }
        }
        for conn in lost {
            if std::mem::take(&mut self.conns[conn].far) {
                self.realm.closed(now, conn);
                self.forget(conn);
            }
        }
    }

    /// The server answers a client no more; what is under way to it still arrives.
    pub(super) fn cut_off(
        &mut self,
        now: Micros,
        client: ClientIx,
        kind: &'static str,
        sink: &mut dyn Sink,
    ) {
        let link = &mut self.links[client];
        link.chair.cut_off(now, self.period, kind, link.down.next_seq());
        self.settle(now, client, sink);
    }

    /// Tells a loss whose last answers have arrived.
    fn settle(&mut self, now: Micros, client: ClientIx, sink: &mut dyn Sink) {
        let link = &mut self.links[client];
        if let Some(mark) = link.chair.mark()
            && let Some(loss) = link.chair.settle(link.down.carries_before(mark))
        {
            self.report_loss(now, client, loss, sink);
        }
    }

    /// If the server hears and answers a client, what it sends from now on shows it.
    pub(super) fn restored(&mut self, client: ClientIx) {
        let link = &mut self.links[client];
        if !link.up.is_held() && !self.realm.is_muted(client) {
            link.chair.restored(link.down.next_seq());
        }
    }

    /// Service began or is back while the server is deaf or mute: it is lost again.
    pub(super) fn still_cut_off(&mut self, now: Micros, client: ClientIx, sink: &mut dyn Sink) {
        if self.links[client].up.is_held() {
            self.cut_off(now, client, "half-open-up", sink);
        } else if self.realm.is_muted(client) {
            self.cut_off(now, client, "mute", sink);
        }
    }

    /// The client logged out: whatever still comes on its connections gives it no service.
    fn disown(&mut self, client: ClientIx) {
        let link = &mut self.links[client];
        link.chair.ended();
        for &conn in &link.alive {
            self.conns[conn].disowned = true;
        }
    }

    /// The connection that a client has an end of, by its own number.
    pub(super) fn find(&self, client: ClientIx, number: u32) -> Option<ConnId> {
        let conns = &self.conns;
        let mine =
            |conn: &&ConnId| conns[**conn].number == number && conns[**conn].near != Near::Gone;
        self.links[client].alive.iter().rev().find(mine).copied()
    }

    fn near(&self, conn: ConnId) -> Near {
        self.conns[conn].near
    }

    /// Forgets a connection that nobody has an end of any more.
    pub(super) fn forget(&mut self, conn: ConnId) {
        let Conn { client, near, far, .. } = self.conns[conn];
        if near == Near::Gone && !far {
            self.links[client].alive.retain(|alive| *alive != conn);
        }
    }

    fn report_loss(&self, now: Micros, client: ClientIx, loss: Loss, sink: &mut dyn Sink) {
        let data = Fields::new()
            .with("heard_ms", loss.heard)
            .with("sure_ms", loss.sure)
            .with("kind", loss.kind);
        self.report_signal(now, client, "service.lost", data, sink);
    }
}
