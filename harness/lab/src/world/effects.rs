//! Carries out what the realm wants: frames, closes, signals.
//!
//! Not responsible for what travels afterwards (`network`).
//!
//! Invariant: to one connection, messages and closes go out in the order in which the realm wanted
//! them.

use super::{ClosedBy, Conn, Down, World};
use crate::realm::{ConnId, Effect, Outgoing};
use crate::world::Sink;
use smallvec::SmallVec;
use smol_str::SmolStr;
use stateline_core::scenario::ClientIx;
use stateline_core::time::Micros;
use stateline_core::value::Fields;

/// Messages that go to connections in one step of the server.
type Batches = SmallVec<[(ConnId, SmallVec<[Outgoing; 1]>); 2]>;

impl World {
    /// Carries out what the realm wants. What it says to a connection in one step goes into one
    /// frame.
    pub(super) fn flush(&mut self, now: Micros, sink: &mut dyn Sink) {
        let mut effects = std::mem::take(&mut self.effects);
        self.realm.take_effects(&mut effects);
        let mut batches = Batches::new();
        for effect in effects.drain(..) {
            match effect {
                Effect::Send { conn, message } => {
                    match batches.iter_mut().find(|(to, _)| *to == conn) {
                        Some((_, batch)) => batch.push(message),
                        None => batches.push((conn, SmallVec::from_iter([message]))),
                    }
                }
                Effect::Close { conn, code, silent } => {
                    if let Some(at) = batches.iter().position(|(to, _)| *to == conn) {
                        let (conn, batch) = batches.remove(at);
                        self.send_batch(now, conn, batch, sink);
                    }
                    // An answer to the same client goes out before its old connection is closed.
                    let client = self.conns[conn].client;
                    while silent
                        && let Some(at) =
                            batches.iter().position(|(to, _)| self.conns[*to].client == client)
                    {
                        let (conn, batch) = batches.remove(at);
                        self.send_batch(now, conn, batch, sink);
                    }
                    let by = if silent { ClosedBy::Silently } else { ClosedBy::Server };
                    self.conns[conn].far = false;
                    self.links[client].down.send(now, Down::Closed { conn, code, by });
                    self.forget(conn);
                }
                Effect::Signal { client, kind, data } => {
                    self.report_server(now, client, kind, data, sink);
                }
                Effect::Published { channel, from, sender, id, members } => {
                    self.owe(now, sender, &members, &channel, &from, &id);
                }
            }
        }
        for (conn, batch) in batches {
            self.send_batch(now, conn, batch, sink);
        }
        self.effects = effects;
        self.report_agreement(now, sink);
    }

    /// A message that the server does not send to a client whose application counts itself a
    /// member and which is served: what it should hear is timed as if it travelled.
    fn owe(
        &mut self,
        now: Micros,
        sender: ClientIx,
        members: &[ClientIx],
        channel: &SmolStr,
        from: &SmolStr,
        id: &SmolStr,
    ) {
        for client in 0..self.links.len() {
            let chair = &self.links[client].chair;
            if client == sender
                || members.contains(&client)
                || !chair.served()
                || self.realm.is_muted(client)
                || !chair.app.channels.contains(channel)
            {
                continue;
            }
            let Some(conn) = chair.conn().and_then(|number| self.find(client, number)) else {
                continue;
            };
            let peer = Fields::new()
                .with("channel", channel.clone())
                .with("from", from.clone())
                .with("id", id.clone());
            self.links[client].down.send(now, Down::Owed { conn, peer });
        }
    }

    fn send_batch(
        &mut self,
        now: Micros,
        conn: ConnId,
        mut batch: SmallVec<[Outgoing; 1]>,
        sink: &mut dyn Sink,
    ) {
        if !self.conns[conn].far {
            return;
        }
        let client = self.conns[conn].client;
        batch.retain(|outgoing| {
            let spoken = self.codec.speaks(&outgoing.message.name);
            if !spoken {
                self.note_unspoken(now, client, &outgoing.message.name, sink);
            }
            spoken
        });
        if self.codec.batches() {
            self.send_frame(now, conn, batch);
        } else {
            for outgoing in batch {
                self.send_frame(now, conn, SmallVec::from_iter([outgoing]));
            }
        }
    }

    fn send_frame(&mut self, now: Micros, conn: ConnId, mut messages: SmallVec<[Outgoing; 1]>) {
        if messages.is_empty() {
            return;
        }
        let Conn { client, counters, .. } = &mut self.conns[conn];
        let client = *client;
        let now_ms = self.epoch_ms + now.0 / 1_000;
        self.frame.clear();
        for Outgoing { message, .. } in &messages {
            self.codec.encode(&message.name, &message.fields, counters, now_ms, &mut self.frame);
        }
        self.codec.finish(messages.len(), &mut self.frame);
        for outgoing in &mut messages {
            self.mark_outage(outgoing);
        }
        let text = SmolStr::new(&self.frame);
        self.links[client].down.send(now, Down::Frame { conn, text, messages });
    }
}
