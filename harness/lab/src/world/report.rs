//! What a trace and a client get to see of the world.
//!
//! Not responsible for deciding anything: it puts facts into words, without tokens.
//!
//! Invariant: a signal is stamped when what it tells reaches the end that it is about: the
//! client's for answers and losses, the server's for presence. At one instant, signals come before
//! `service.back`, and both before the client's own turn.

use super::{Near, Sight, World};
use crate::realm::{ConnId, Note, Outgoing};
use crate::wire::{Message, Undecodable};
use crate::world::Sink;
use smol_str::SmolStr;
use stateline_core::scenario::ClientIx;
use stateline_core::time::Micros;
use stateline_core::trace::Plane;
use stateline_core::turn::Input;
use stateline_core::value::{Fields, Value};

const FRAME: SmolStr = SmolStr::new_static("frame");

impl World {
    pub(super) fn report_network(
        &self,
        now: Micros,
        client: ClientIx,
        kind: &'static str,
        number: u32,
        sink: &mut dyn Sink,
    ) {
        network(now, client, kind, Fields::new().with("conn", number), sink);
    }

    pub(super) fn report_down(
        &self,
        now: Micros,
        client: ClientIx,
        kind: &'static str,
        sight: Option<Sight>,
        sink: &mut dyn Sink,
    ) {
        let data = Fields::new().with("kind", Value::name(kind));
        network(now, client, "down", with_sight(data, sight), sink);
    }

    pub(super) fn report_up(
        &self,
        now: Micros,
        client: ClientIx,
        sight: Option<Sight>,
        sink: &mut dyn Sink,
    ) {
        network(now, client, "up", with_sight(Fields::new(), sight), sink);
    }

    /// The client closed a connection or gave up a dial.
    pub(super) fn report_dropped(
        &self,
        now: Micros,
        client: ClientIx,
        number: u32,
        sink: &mut dyn Sink,
    ) {
        let data = Fields::new().with("conn", number).with("by", Value::name("client"));
        network(now, client, "closed", data, sink);
    }

    /// A close or reset reached the client.
    pub(super) fn report_closed(
        &self,
        now: Micros,
        client: ClientIx,
        number: u32,
        code: Option<u16>,
        by_server: bool,
        sink: &mut dyn Sink,
    ) {
        let mut data = Fields::new().with("conn", number);
        if let Some(code) = code {
            data = data.with("code", i64::from(code));
        }
        network(now, client, "closed", data.clone(), sink);
        if by_server {
            self.report_signal(now, client, "server.closed", data, sink);
        }
    }

    pub(super) fn report_signal(
        &self,
        now: Micros,
        client: ClientIx,
        kind: &'static str,
        data: Fields,
        sink: &mut dyn Sink,
    ) {
        self.report_server(now, Some(client), kind, data, sink);
    }

    pub(super) fn report_server(
        &self,
        now: Micros,
        client: Option<ClientIx>,
        kind: &'static str,
        data: Fields,
        sink: &mut dyn Sink,
    ) {
        // A client may give a token as its name, as a channel or in a message, and peers are told of it.
        let data = self.realm.tokens.redact_fields(data);
        sink.event(now, client, Plane::Server, SmolStr::new_static(kind), data);
    }

    /// Something that only the author of a client or of a wire can have done wrong.
    pub(super) fn note(
        &self,
        now: Micros,
        client: ClientIx,
        number: u32,
        text: &'static str,
        sink: &mut dyn Sink,
    ) {
        let data = Fields::new().with("text", Value::name(text)).with("conn", number);
        sink.event(now, Some(client), Plane::Harness, SmolStr::new_static("note"), data);
    }

    pub(super) fn note_unspoken(
        &self,
        now: Micros,
        client: ClientIx,
        message: &str,
        sink: &mut dyn Sink,
    ) {
        let text = format!("the wire has no template for `{message}`: it was not sent");
        let data = Fields::new().with("text", text);
        sink.event(now, Some(client), Plane::Harness, SmolStr::new_static("note"), data);
    }

    pub(super) fn report_sent(
        &self,
        now: Micros,
        client: ClientIx,
        number: u32,
        messages: &[Message],
        text: &SmolStr,
        sink: &mut dyn Sink,
    ) {
        for (n, message) in messages.iter().enumerate() {
            let text = (n == 0 && !self.is_beat(messages.len(), message)).then_some(text);
            let data = self.frame_fields(client, "sent", number, message, text);
            sink.event(now, Some(client), Plane::Wire, FRAME, data);
        }
    }

    pub(super) fn report_undecodable(
        &self,
        now: Micros,
        client: ClientIx,
        number: u32,
        error: &Undecodable,
        text: &SmolStr,
        sink: &mut dyn Sink,
    ) {
        let data = Fields::new()
            .with("dir", Value::name("sent"))
            .with("message", Value::name("?"))
            .with("conn", number)
            .with("why", self.redact(&error.why))
            .with("text", self.redact(text));
        sink.event(now, Some(client), Plane::Wire, FRAME, data);
    }

    /// A frame reached a client that has its end of the connection.
    #[expect(clippy::too_many_arguments, reason = "one frame with everything that is told of it")]
    pub(super) fn deliver_frame(
        &mut self,
        now: Micros,
        client: ClientIx,
        conn: ConnId,
        seq: u64,
        text: SmolStr,
        messages: &[Outgoing],
        sink: &mut dyn Sink,
    ) {
        debug_assert_eq!(self.conns[conn].near, Near::Open);
        let number = self.conns[conn].number;
        let mut back = None;
        let mut accepted = false;
        for (n, Outgoing { message, .. }) in messages.iter().enumerate() {
            let shown = (n == 0 && !self.is_beat(messages.len(), message)).then_some(&text);
            let data = self.frame_fields(client, "received", number, message, shown);
            sink.event(now, Some(client), Plane::Wire, FRAME, data);
        }
        for Outgoing { message, note } in messages {
            self.report_delivery(now, client, number, message, note, sink);
            let chair = &mut self.links[client].chair;
            match message.name.as_str() {
                "accepted" => {
                    self.report_held(now, client, sink);
                    if !self.conns[conn].disowned {
                        accepted = true;
                        back = self.links[client].chair.accepted(now, number).or(back);
                    }
                }
                "superseded" | "kicked" | "banned" => {
                    chair.ended();
                    chair.app.expelled();
                }
                _ => {}
            }
        }
        let heard = self.links[client].chair.hears(now, number, seq);
        if let Some(same) = back.or_else(|| heard.then_some(true)) {
            let data = Fields::new().with("conn", number).with("same", same);
            self.report_signal(now, client, "service.back", data, sink);
        }
        if accepted || heard {
            self.still_cut_off(now, client, sink);
        }
        sink.input(client, Input::Message { conn: number, text });
    }

    /// The signal that the delivery of a message is.
    fn report_delivery(
        &self,
        now: Micros,
        client: ClientIx,
        number: u32,
        message: &Message,
        note: &Note,
        sink: &mut dyn Sink,
    ) {
        let field = |name| message.fields.get(name).cloned().unwrap_or_default();
        let app = &self.links[client].chair.app;
        let of_conn = || Fields::new().with("conn", number);
        let (kind, data) = match (message.name.as_str(), note) {
            ("accepted", note) => {
                let channels = i64::try_from(app.channels.len()).unwrap_or(i64::MAX);
                let mut data = of_conn().with("resumed", message.fields.flag("resumed"));
                // An accept that a script made up says nothing about the online list.
                if let Note::Accepted { took, online } = note {
                    data = data.with("took", *took).with("online", *online);
                }
                let data =
                    data.with("channels", channels).with("attributes", app.attributes.is_some());
                ("server.accepted", data)
            }
            ("rejected", _) => ("server.rejected", of_conn().with("code", field("code"))),
            ("superseded", _) => ("server.superseded", of_conn()),
            ("kicked", _) => ("server.kicked", of_conn()),
            ("banned", _) => ("server.banned", of_conn()),
            (name @ ("member-joined" | "member-left"), Note::Member { outage, .. }) => {
                let data = Fields::new()
                    .with("channel", field("channel"))
                    .with("uid", field("uid"))
                    .with("outage", *outage);
                let joined = name == "member-joined";
                (if joined { "server.member-joined" } else { "server.member-left" }, data)
            }
            ("message", Note::Peer { id }) => {
                let joined = message.fields.text("channel").unwrap_or_default();
                if !app.channels.iter().any(|channel| channel == joined) {
                    return;
                }
                let data = Fields::new()
                    .with("channel", field("channel"))
                    .with("from", field("from"))
                    .with("id", id.clone());
                ("peer.sent", data)
            }
            _ => return,
        };
        self.report_signal(now, client, kind, data, sink);
    }

    /// Entering again is the consequence of an outage when the application still counts the
    /// client a member; a join that it called for is none.
    pub(super) fn mark_outage(&self, outgoing: &mut Outgoing) {
        if let Note::Member { outage, about } = &mut outgoing.note
            && outgoing.message.name == "member-joined"
        {
            let channel = outgoing.message.fields.text("channel").unwrap_or_default();
            *outage &= about.is_some_and(|client| {
                self.links[client].chair.app.channels.iter().any(|joined| joined == channel)
            });
        }
    }

    /// A login was accepted: whether the server holds what the application holds.
    fn report_held(&mut self, now: Micros, client: ClientIx, sink: &mut dyn Sink) {
        let chair = &mut self.links[client].chair;
        chair.owes_attributes = chair.app.attributes.is_some();
        chair.owes_channels = !chair.app.channels.is_empty();
        self.report_agreement(now, sink);
    }

    /// Tells of clients whose channels or attributes on the server agree again.
    pub(super) fn report_agreement(&mut self, now: Micros, sink: &mut dyn Sink) {
        for client in 0..self.links.len() {
            let chair = &self.links[client].chair;
            if !chair.owes_attributes && !chair.owes_channels {
                continue;
            }
            let Some((channels, attributes)) = self.realm.holdings(client) else { continue };
            let app = &chair.app;
            let attributes_agree = chair.owes_attributes
                && app.attributes.as_ref().is_none_or(|held| held == attributes);
            let channels_agree = chair.owes_channels
                && app.channels.len() == channels.len()
                && app.channels.iter().all(|channel| channels.contains(channel));
            let chair = &mut self.links[client].chair;
            chair.owes_attributes &= !attributes_agree;
            chair.owes_channels &= !channels_agree;
            if channels_agree {
                self.report_signal(now, client, "server.channels-agree", Fields::new(), sink);
            }
            if attributes_agree {
                self.report_signal(now, client, "server.attributes-agree", Fields::new(), sink);
            }
        }
    }

    fn is_beat(&self, n: usize, message: &Message) -> bool {
        n == 1 && self.heartbeat.contains(&message.name)
    }

    fn frame_fields(
        &self,
        client: ClientIx,
        dir: &'static str,
        number: u32,
        message: &Message,
        text: Option<&SmolStr>,
    ) -> Fields {
        let mut data = Vec::with_capacity(8);
        data.push((SmolStr::new_static("dir"), Value::name(dir)));
        data.push((SmolStr::new_static("message"), Value::Text(message.name.clone())));
        data.push((SmolStr::new_static("conn"), number.into()));
        let tokens = &self.realm.tokens;
        for (name, value) in message.fields.iter() {
            // The frame's own text stands under `text`; a captured field of that name is part of
            // it.
            if !matches!(name.as_str(), "dir" | "message" | "conn" | "text") {
                data.push((name.clone(), tokens.redact_field(client, name, value)));
            }
        }
        if let Some(text) = text {
            data.push((SmolStr::new_static("text"), Value::Text(tokens.redact(text))));
        }
        data.into_iter().collect()
    }
}

/// Says from when on dials are hidden, and from when on they are seen again.
fn with_sight(data: Fields, sight: Option<Sight>) -> Fields {
    match sight {
        Some(Sight::Hidden) => data.with("dials", Value::name("hidden")),
        Some(Sight::Seen) => data.with("dials", Value::name("seen")),
        None => data,
    }
}

fn network(now: Micros, client: ClientIx, kind: &'static str, data: Fields, sink: &mut dyn Sink) {
    sink.event(now, Some(client), Plane::Network, SmolStr::new_static(kind), data);
}
