//! One case on real connections and the real clock.
//!
//! Feeds a [`Play`] with what sockets and adapter bring, and carries out what it wants. Not responsible
//! for which cases are played when, nor for what a stall excuses.
//!
//! Invariant: the case ends: by its script and the oracle, at the longest time, or by a fault.

use super::crew::{Crew, Ship};
use super::limits::{Berth, Berths, Measured, Meter, Pace};
use super::seat::{Life, Seat, accept};
use super::stalls::Stalls;
use crate::adapters::broken;
use crate::play::{Next, Play, Played, Start};
use crate::rejudge::KNOCK_ON;
use crate::source::{Broken, Ended};
use crate::suite::Job;
use stateline_client::fault::FaultId;
use stateline_client::live::Tale;
use stateline_client::protocol::Endpoint;
use stateline_core::profile::Profile;
use stateline_core::scenario::{ClientIx, LinkAct};
use stateline_core::time::Micros;
use stateline_core::turn::Output;
use stateline_lab::tcp::dock::{Caller, Dock};
use stateline_lab::tcp::tls::{Authority, Certificate, TlsAcceptor};
use stateline_lab::tcp::visit::{Arrival, Manner, Order, host};
use stateline_lab::token_service::{Ask, Desk, TokenService};
use stateline_lab::tokens::mask;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::spawn_local;

/// More than the grain of timers.
const GRAIN: Duration = Duration::from_millis(20);

/// More things than this are not taken in before the world has its turn again.
const MOST_AT_ONCE: usize = 256;

/// What a case is played with.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) crew: &'a Crew,
    /// Numbers the docks of the run.
    pub(super) docks: &'a AtomicU32,
    /// When a case ends that is not over by itself.
    pub(super) longest: Micros,
    /// When this thread was late.
    pub(super) stalls: &'a Stalls,
    /// Connections are encrypted.
    pub(super) tls: Option<&'a Tls>,
    /// Where applications fetch tokens by themselves.
    pub(super) tokens: &'a TokenService,
}

/// Whom clients are to trust.
#[derive(Clone)]
pub struct Tls {
    /// The authority of the run.
    pub authority: Arc<Authority>,
    /// The file of its certificate.
    pub file: String,
}

impl Tls {
    fn acceptor(&self, address: IpAddr, certificate: Certificate) -> Result<TlsAcceptor, String> {
        let made = self.authority.acceptor(address, certificate);
        made.map_err(|error| format!("no certificate: {error}"))
    }
}

/// How a case went.
pub(super) struct Attempt {
    pub(super) played: Played,
    /// How long it took.
    pub(super) took: Duration,
    /// A process ended under it, and others shared that process: it may have been their doing.
    pub(super) lost: bool,
    /// How late the machine was.
    pub(super) stalled: Duration,
}

/// What comes to a case.
pub(super) enum News {
    Tale(ClientIx, Tale),
    Dialled(ClientIx, Caller, Berth),
    Arrival(ClientIx, u32, Arrival),
    Asked(Ask),
    Undockable(std::io::Error),
    /// More than any honest client does.
    Flood(String),
}

/// Plays a case. `alone`: its clients share a process with nobody.
pub(super) async fn play(job: &Job<'_>, seed: u64, alone: bool, table: Table<'_>) -> Attempt {
    let Job { mut stage, case, repeat } = *job;
    // A FAIL is looked at again with the stalls of the machine in mind.
    stage.keep_trace = true;
    let begun = Instant::now();
    let start = Start { stage, case, repeat, seed, epoch_ms: epoch_ms() };
    let play = Play::new(start);
    let (tell, news) = unbounded_channel();
    let (ask, asks) = unbounded_channel();
    let mut floor = Floor {
        play,
        begun,
        longest: table.longest,
        table,
        profile: stage.profile,
        news,
        tell,
        asks,
        ask,
        seats: Vec::new(),
        meter: Rc::default(),
        lost: false,
        alone,
    };
    match floor.seat(job).await {
        Ok(()) => {
            if floor.wait_for_all().await {
                // How long the clients took to be made is not theirs.
                floor.longest = floor.now() + table.longest;
                floor.run().await;
            }
        }
        Err((broken, stderr)) => {
            floor.play.stderr = stderr;
            floor.play.breaks(broken);
        }
    }
    floor.end().await
}

fn epoch_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A case being played, with the ends of its clients.
struct Floor<'p> {
    play: Play<'p>,
    begun: Instant,
    longest: Micros,
    table: Table<'p>,
    profile: &'p Profile,
    news: UnboundedReceiver<News>,
    tell: UnboundedSender<News>,
    /// What applications ask the token service for.
    asks: UnboundedReceiver<Ask>,
    ask: UnboundedSender<Ask>,
    seats: Vec<Seat>,
    /// What its clients sent.
    meter: Rc<Meter>,
    lost: bool,
    alone: bool,
}

impl Floor<'_> {
    /// Gives each client a dock and a place in a process.
    async fn seat(&mut self, job: &Job<'_>) -> Result<(), (Broken, String)> {
        let (table, alone) = (self.table, self.alone);
        let mut home: Option<Arc<Ship>> = None;
        for (client, open) in self.play.opens.clone().iter().enumerate() {
            // The clients of a case that is alone may still share a process with each other.
            let shared = home.as_ref().filter(|_| alone && table.crew.hello().clients > 1);
            let ship = match shared.and_then(|home| table.crew.join(home)) {
                Some(ship) => ship,
                None => table.crew.board(alone).await?,
            };
            let number = table.docks.fetch_add(1, Ordering::Relaxed);
            let key = format!("client-{number}");
            let desk = Desk { client, asks: self.ask.clone() };
            let opened = Dock::open(number).map_err(|error| error.to_string()).and_then(|dock| {
                let tls = table.tls.map(|tls| tls.acceptor(dock.address().ip(), Certificate::Good));
                let tls = tls.transpose()?;
                let url = table.tokens.register(&key, desk).map_err(|error| error.to_string())?;
                Ok((dock, tls, url))
            });
            let (dock, tls, tokens) = match opened {
                Ok(opened) => opened,
                Err(why) => {
                    ship.leave();
                    let text = format!("no listener for a client: {why}");
                    return Err((Broken::Fault(text), String::new()));
                }
            };
            let address = dock.address();
            let dock = Rc::new(dock);
            let visitors = accept(Rc::clone(&dock), client, Berths::default(), self.tell.clone());
            let door = spawn_local(visitors);
            home = Some(Arc::clone(&ship));
            let wire = &self.profile.wire;
            let endpoint = Endpoint {
                scheme: if table.tls.is_some() { "wss" } else { "ws" },
                host: address.ip().to_string(),
                port: address.port(),
                path: wire.path.to_string(),
                subprotocol: wire.subprotocol.as_ref().map(ToString::to_string),
                ca: table.tls.map(|tls| tls.file.clone()),
                tokens,
            };
            let tell = self.tell.clone();
            let number = ship.live.open(
                &job.stage.profile.id,
                job.stage.profile.variant.as_ref(),
                open,
                endpoint,
                Box::new(move |_, tale| {
                    let _ = tell.send(News::Tale(client, tale));
                }),
            );
            self.seats.push(Seat {
                ship,
                number,
                state: Life::Opening,
                key,
                address: address.ip(),
                tls,
                conns: BTreeMap::new(),
                doomed: BTreeMap::new(),
                leaving: Vec::new(),
                dials: 0,
                pace: Pace::default(),
                held: false,
                dock,
                door,
            });
        }
        Ok(())
    }

    /// Waits until all clients are there. False: one of them cannot be.
    async fn wait_for_all(&mut self) -> bool {
        while self.seats.iter().any(|seat| seat.state == Life::Opening) {
            let news = self.next().await;
            self.take(news);
            if self.play.is_spoilt() {
                return false;
            }
        }
        true
    }

    async fn run(&mut self) {
        loop {
            self.play.advance(self.now());
            while self.play.stir() | self.hand_out() {
                if self.play.is_spoilt() {
                    return;
                }
            }
            if self.play.is_spoilt() {
                return;
            }
            let due = match self.play.next() {
                Next::End => return self.wait_for_the_late().await,
                Next::At(due) => due,
                Next::Nothing => Micros::MAX,
            };
            if self.now() >= self.longest {
                self.play.cut();
                return;
            }
            let until = self.begun + Duration::from_micros(due.min(self.longest).0);
            tokio::select! {
                biased;
                news = self.next() => if self.take_all(news) {
                    // Whoever floods its case keeps no other one from its turn.
                    tokio::task::yield_now().await;
                },
                () = tokio::time::sleep_until(until.into()) => {}
            }
            if self.play.is_spoilt() {
                return;
            }
        }
    }

    /// A client that seems to have failed is listened to for as much longer as the machine was late: what
    /// is not there by then did not come late, it did not come.
    async fn wait_for_the_late(&mut self) {
        let over = Instant::now();
        while self.play.has_failed() && !self.play.is_spoilt() {
            let until = over + self.stalled(Instant::now()) * KNOCK_ON + GRAIN;
            if Instant::now() >= until {
                return;
            }
            tokio::select! {
                biased;
                news = self.next() => { self.take_all(news); }
                () = tokio::time::sleep_until(until.into()) => {}
            }
            self.play.advance(self.now());
            while !self.play.is_spoilt() && (self.play.stir() | self.hand_out()) {}
        }
    }

    /// How late this thread and the slowest of the processes were in all.
    fn stalled(&self, until: Instant) -> Duration {
        let late = |stalls: &Stalls| stalls.within(self.begun, until);
        let adapters = self.seats.iter().map(|seat| late(&seat.ship.stalls)).max();
        late(self.table.stalls) + adapters.unwrap_or_default()
    }

    /// What comes next. Both channels are open as long as this is.
    async fn next(&mut self) -> News {
        tokio::select! {
            biased;
            Some(news) = self.news.recv() => news,
            Some(ask) = self.asks.recv() => News::Asked(ask),
            else => std::future::pending().await,
        }
    }

    /// Takes in what has come by now; whether there may be more of it.
    fn take_all(&mut self, first: News) -> bool {
        self.play.advance(self.now());
        self.take(first);
        for _ in 0..MOST_AT_ONCE {
            match self.news.try_recv() {
                Ok(news) if !self.play.is_spoilt() => self.take(news),
                _ => return false,
            }
        }
        true
    }

    fn now(&self) -> Micros {
        Micros(u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn take(&mut self, news: News) {
        match news {
            News::Tale(client, tale) => self.told(client, tale),
            News::Asked(Ask { client, what, reply }) => {
                // An application that has given up hears nothing.
                let _ = reply.send(self.play.asked(client, &what));
            }
            News::Dialled(client, caller, berth) => self.dialled(client, caller, berth),
            News::Arrival(client, conn, arrival) => self.arrived(client, conn, arrival),
            News::Undockable(error) => {
                self.play.breaks(Broken::Fault(format!("cannot accept connections: {error}")));
            }
            News::Flood(why) => self.play.breaks(Broken::Fault(why)),
        }
    }

    fn told(&mut self, client: ClientIx, tale: Tale) {
        match tale {
            Tale::Opened(Ok(())) => self.seats[client].state = Life::Open,
            Tale::Opened(Err(why)) => {
                self.seats[client].state = Life::Over;
                self.play.not_applicable.get_or_insert(why);
            }
            Tale::Seen(seen) => {
                self.play.done(client, Output::Observe(seen));
            }
            Tale::Closed(stderr) => {
                self.seats[client].state = Life::Over;
                self.play.stderr.push_str(&stderr);
            }
            Tale::Broken { fault, stderr, alone } => {
                let seat = &mut self.seats[client];
                if std::mem::replace(&mut seat.state, Life::Over) == Life::Over {
                    return;
                }
                if !alone {
                    seat.ship.close();
                }
                self.play.stderr.push_str(&stderr);
                self.lost |= !alone && !self.alone && fault.id != FaultId::Interrupted;
                let broken = match broken(&fault) {
                    // It may show what was told of another case.
                    Broken::Fault(why) => Broken::Fault(mask(&self.play.redact(&why)).to_string()),
                    Broken::Interrupted => Broken::Interrupted,
                };
                self.play.breaks(broken);
            }
        }
    }

    fn dialled(&mut self, client: ClientIx, caller: Caller, berth: Berth) {
        let Some(seat) = self.seats.get_mut(client) else { return };
        if let Err(why) = seat.pace.dial(Instant::now()) {
            self.play.breaks(Broken::Fault(why));
            return;
        }
        seat.dials += 1;
        let conn = seat.dials;
        let bad = match self.play.link(client) {
            Some(LinkAct::ExpiredCertificate) => Some(Certificate::Expired),
            Some(LinkAct::ForeignCertificate) => Some(Certificate::WrongHost),
            _ => None,
        };
        let bad = bad.and_then(|bad| Some(self.table.tls?.acceptor(seat.address, bad)));
        let bad = match bad.transpose() {
            Ok(bad) => bad,
            Err(why) => {
                self.play.breaks(Broken::Fault(why));
                return;
            }
        };
        let (order, orders) = unbounded_channel();
        if seat.held {
            let _ = order.send(Order::HoldDown(true));
        }
        if bad.is_some() {
            seat.doomed.insert(conn, order.clone());
        }
        seat.conns.insert(conn, order);
        let wire = &self.profile.wire;
        let manner = Manner {
            path: wire.path.to_string(),
            subprotocol: wire.subprotocol.as_ref().map(ToString::to_string),
            tls: bad.or_else(|| seat.tls.clone()),
        };
        let tell = self.tell.clone();
        let meter = Rc::clone(&self.meter);
        let visit = host(caller, manner, orders, move |arrival| {
            let _ = match meter.measure(&arrival) {
                Measured::Fits => tell.send(News::Arrival(client, conn, arrival)),
                Measured::Bursts => tell.send(News::Flood(Meter::words())),
                Measured::Late => return,
            };
        });
        spawn_local(async move {
            visit.await;
            drop(berth);
        });
        self.play.done(client, Output::Dial { conn });
    }

    fn arrived(&mut self, client: ClientIx, conn: u32, arrival: Arrival) {
        if let Some(orders) = self.seats[client].doomed.get(&conn) {
            if arrival == Arrival::Opened {
                let _ = orders.send(Order::Reset);
                self.play.remark(client, "took a certificate that must not be trusted");
            }
            if arrival != Arrival::Gone {
                return;
            }
        }
        // What crossed an end that was ordered is nobody's any more.
        if !self.seats[client].conns.contains_key(&conn) {
            return;
        }
        match arrival {
            Arrival::Opened => {}
            Arrival::Text(text) => {
                self.play.done(client, Output::Send { conn, text });
            }
            Arrival::Binary(n) => {
                let text = format!("a binary message of {n} bytes, which no wire understands");
                self.play.remark(client, &text);
            }
            Arrival::Ping(payload) => self.play.ping(client, conn, payload),
            Arrival::Closed(_) | Arrival::Gone => self.left(client, conn),
            Arrival::Wrong(what) => {
                self.play.remark(client, &what);
                self.left(client, conn);
            }
        }
    }

    /// A client has ended a connection or given up a dial.
    fn left(&mut self, client: ClientIx, conn: u32) {
        self.seats[client].conns.remove(&conn);
        self.play.done(client, Output::Close { conn });
    }

    /// Hands out what has reached clients; whether there was anything.
    fn hand_out(&mut self) -> bool {
        let mut busy = false;
        for client in 0..self.seats.len() {
            let seat = &mut self.seats[client];
            // A client that dials again as soon as it is reset finds the port as the script wants it.
            if let Err(error) = seat.shut(self.play.hides_dials(client)) {
                let text = format!("the port of a client was taken while it was closed: {error}");
                self.play.breaks(Broken::Fault(text));
                return busy;
            }
            // A link that holds delivers nothing: what was delivered came before the hold, or after it.
            let held = self.play.holds_down(client);
            if !held {
                seat.hold(false);
            }
            for input in self.play.take_inbox(client) {
                busy = true;
                seat.hand(input);
            }
            for (conn, payload) in self.play.take_pongs(client) {
                seat.order(conn, Order::Pong(payload));
            }
            if held {
                seat.hold(true);
            }
        }
        busy
    }

    /// Throws the clients away.
    async fn end(mut self) -> Attempt {
        for seat in &mut self.seats {
            seat.door.abort();
            seat.dock.shut();
            if seat.state == Life::Over {
                continue;
            }
            seat.ship.live.close(seat.number);
        }
        let is_here = |seat: &Seat| seat.state != Life::Over;
        while self.seats.iter().any(is_here) {
            // While it waits nothing else is of interest, but a fault still is.
            match self.news.recv().await {
                Some(News::Tale(client, tale @ (Tale::Closed(_) | Tale::Broken { .. }))) => {
                    self.told(client, tale);
                }
                Some(News::Tale(client, Tale::Opened(Err(_)))) => {
                    self.seats[client].state = Life::Over;
                }
                Some(_) => {}
                None => break,
            }
        }
        let ended = Instant::now();
        for seat in &self.seats {
            seat.ship.leave();
            self.table.tokens.withdraw(&seat.key);
        }
        // Only what was waited for: how long the clients took to be closed is not in the trace.
        let stalled = self.stalled(self.begun + Duration::from_micros(self.play.now().0));
        self.play.conduct.stalled = Micros(u64::try_from(stalled.as_micros()).unwrap_or(u64::MAX));
        // Others that share the process write there as well.
        let stderr = mask(&self.play.redact(&self.play.stderr)).to_string();
        self.play.stderr = stderr;
        let (lost, took) = (self.lost, ended - self.begun);
        Attempt { played: self.play.end(Ended::default()), took, lost, stalled }
    }
}
