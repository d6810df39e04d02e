//! The adapters of a run in real time: processes with many clients each.
//!
//! Not responsible for cases. Clients are spread over as many processes as there are threads, and
//! over more where a process takes no more clients.
//!
//! Invariant: a process of which anything went wrong is asked for nothing more; who is alone by wish
//! shares a process with nobody; no thread that plays waits for a process to start or to end.

use super::stalls::Stalls;
use crate::adapters::{MOST_STARTS, append, broken, lock, no_more_starts, start_another};
use crate::source::Broken;
use stateline_client::fault::{Fault, FaultId};
use stateline_client::process::Farewell;
use stateline_client::protocol::Hello;
use stateline_client::{Adapter, Command, Live};
use stateline_lab::tokens::mask;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How often the way through an adapter is measured.
const ECHO: Duration = Duration::from_millis(100);
/// Cases that have processes of their own at once, because the one that they shared is gone.
const MOST_ALONE: usize = 32;

/// The processes of a run.
pub(crate) struct Crew {
    command: Command,
    /// Processes that are started before any has two clients.
    spread: usize,
    stop: Arc<AtomicBool>,
    hello: Hello,
    ships: Mutex<Vec<Arc<Ship>>>,
    /// Those that were told goodbye.
    leaving: Mutex<Vec<Ship>>,
    /// Who may start a process: more at once would only be late together.
    starters: Semaphore,
    failed_starts: AtomicU32,
    /// Who may be alone.
    pub(crate) hermits: Semaphore,
    notes: Mutex<Vec<String>>,
}

/// One process.
pub(crate) struct Ship {
    pub(crate) live: Live,
    pub(crate) stalls: Stalls,
    /// Clients that are open in it.
    aboard: AtomicU32,
    /// Takes nobody any more.
    closed: AtomicBool,
    /// An echo is under way.
    asked: Arc<AtomicBool>,
}

impl Crew {
    /// Takes over the adapter that was greeted first.
    ///
    /// # Errors
    /// It cannot be talked to in real time.
    pub(crate) fn new(
        command: Command,
        spread: usize,
        stop: Arc<AtomicBool>,
        first: Adapter,
    ) -> Result<Self, Fault> {
        let hello = first.hello().clone();
        let crew = Self {
            command,
            spread,
            stop,
            hello,
            ships: Mutex::default(),
            leaving: Mutex::default(),
            starters: Semaphore::new(spread.max(1)),
            failed_starts: AtomicU32::new(0),
            hermits: Semaphore::new(MOST_ALONE),
            notes: Mutex::default(),
        };
        let ship = crew.launch(first)?;
        lock(&crew.ships).push(ship);
        Ok(crew)
    }

    pub(crate) const fn hello(&self) -> &Hello {
        &self.hello
    }

    fn launch(&self, adapter: Adapter) -> Result<Arc<Ship>, Fault> {
        let log = self.command.logs.is_some();
        let live = Live::new(adapter, self.command.call_limit, log, Arc::clone(&self.stop))
            .map_err(|error| {
                Fault::new(FaultId::CannotStart, format!("it cannot be talked to: {error}"))
            })?;
        Ok(Arc::new(Ship {
            live,
            stalls: Stalls::default(),
            aboard: AtomicU32::new(0),
            closed: AtomicBool::new(false),
            asked: Arc::default(),
        }))
    }

    /// Starts the processes that so many clients at once will need, before anybody's time runs. What cannot
    /// be started now is tried again when it is needed.
    pub(crate) fn prepare(&self, clients: usize) {
        if !self.hello.reuse {
            return;
        }
        let needed = clients.div_ceil(self.hello.clients as usize).max(self.spread).min(clients);
        while lock(&self.ships).len() < needed {
            let Ok(ship) = self.started(self.start()()) else { return };
            lock(&self.ships).push(ship);
        }
    }

    /// What starts a process, on a thread that may wait for it.
    fn start(&self) -> impl FnOnce() -> Result<Adapter, (Fault, Farewell)> + Send + 'static {
        let (command, hello, stop) =
            (self.command.clone(), self.hello.clone(), Arc::clone(&self.stop));
        move || start_another(&command, &stop, &hello)
    }

    fn started(
        &self,
        adapter: Result<Adapter, (Fault, Farewell)>,
    ) -> Result<Arc<Ship>, (Broken, String)> {
        let launched = adapter
            .and_then(|adapter| self.launch(adapter).map_err(|fault| (fault, Farewell::default())));
        match launched {
            Ok(ship) => {
                self.failed_starts.store(0, Ordering::Relaxed);
                Ok(ship)
            }
            Err((fault, Farewell { notes, stderr })) => {
                if fault.id != FaultId::Interrupted {
                    self.failed_starts.fetch_add(1, Ordering::Relaxed);
                }
                self.note(&notes);
                Err((broken(&fault), mask(&stderr).to_string()))
            }
        }
    }

    /// A place for a client, in a process of its own if it is to be `alone`.
    ///
    /// # Errors
    /// No process can be started; what it wrote to stderr comes along.
    pub(crate) async fn board(&self, alone: bool) -> Result<Arc<Ship>, (Broken, String)> {
        let place = |spread| if alone { None } else { self.place(spread) };
        if let Some(ship) = place(self.spread) {
            return Ok(ship);
        }
        // It is never closed.
        let _turn = self.starters.acquire().await;
        // Whoever had the turn before may have started one that has room for both.
        if let Some(ship) = place(self.spread) {
            return Ok(ship);
        }
        let ship = match self.start_elsewhere().await {
            Ok(ship) => ship,
            Err(why) => return place(0).ok_or(why),
        };
        ship.aboard.fetch_add(1, Ordering::Relaxed);
        if alone || !self.hello.reuse {
            ship.close();
        }
        lock(&self.ships).push(Arc::clone(&ship));
        Ok(ship)
    }

    /// Starts a process without keeping the thread from playing.
    async fn start_elsewhere(&self) -> Result<Arc<Ship>, (Broken, String)> {
        if self.stop.load(Ordering::Relaxed) {
            return Err((Broken::Interrupted, String::new()));
        }
        if self.failed_starts.load(Ordering::Relaxed) >= MOST_STARTS {
            return Err((no_more_starts(), String::new()));
        }
        match tokio::task::spawn_blocking(self.start()).await {
            Ok(adapter) => self.started(adapter),
            // It only panics by a bug of ours; its panic is the run's.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err((Broken::Interrupted, String::new())),
            },
        }
    }

    /// A place in a process that is there. One that others are in already is none before there are so many
    /// as clients are to be spread over.
    fn place(&self, spread: usize) -> Option<Arc<Ship>> {
        let ships = lock(&self.ships);
        let capacity = if self.hello.reuse { self.hello.clients } else { 1 };
        let open = |ship: &&Arc<Ship>| !ship.closed.load(Ordering::Relaxed) && ship.live.is_alive();
        let n_open = ships.iter().filter(open).count();
        let aboard = |ship: &Arc<Ship>| ship.aboard.load(Ordering::Relaxed);
        let ship = ships
            .iter()
            .filter(open)
            .filter(|ship| aboard(ship) < capacity)
            .min_by_key(|ship| aboard(ship))
            .filter(|ship| aboard(ship) == 0 || n_open >= spread)?;
        ship.aboard.fetch_add(1, Ordering::Relaxed);
        if !self.hello.reuse {
            ship.close();
        }
        Some(Arc::clone(ship))
    }

    /// One more client for a process that has a place for it.
    pub(crate) fn join(&self, ship: &Arc<Ship>) -> Option<Arc<Ship>> {
        let room = ship.aboard.load(Ordering::Relaxed) < self.hello.clients && ship.live.is_alive();
        room.then(|| {
            ship.aboard.fetch_add(1, Ordering::Relaxed);
            Arc::clone(ship)
        })
    }

    /// Measures how late each process is, again and again.
    pub(crate) async fn sound(&self) {
        loop {
            tokio::time::sleep(ECHO).await;
            let ships = lock(&self.ships).clone();
            for ship in ships.iter().filter(|ship| ship.aboard.load(Ordering::Relaxed) > 0) {
                if !ship.asked.swap(true, Ordering::Relaxed) {
                    let (stalls, asked) = (ship.stalls.clone(), Arc::clone(&ship.asked));
                    // From here on: the thread that talks to the process may be late itself.
                    let asked_at = Instant::now();
                    ship.live.echo(move |_| {
                        let now = Instant::now();
                        stalls.note(now, now.saturating_duration_since(asked_at));
                        asked.store(false, Ordering::Relaxed);
                    });
                }
            }
        }
    }

    /// Says goodbye to processes that nobody is in and that take nobody any more, and waits for none.
    pub(crate) fn sweep(&self) {
        let is_over = |ship: &Arc<Ship>| {
            let useless = ship.closed.load(Ordering::Relaxed) || !ship.live.is_alive();
            // Whoever holds it besides is about to let go: next time.
            useless && ship.aboard.load(Ordering::Relaxed) == 0 && Arc::strong_count(ship) == 1
        };
        let over: Vec<_> = lock(&self.ships).extract_if(.., |ship| is_over(ship)).collect();
        self.part_from(over);
        let ended: Vec<_> =
            lock(&self.leaving).extract_if(.., |ship| ship.live.has_ended()).collect();
        ended.into_iter().for_each(|ship| self.end(ship));
    }

    /// Says goodbye to all. What went wrong outside of cases, in words.
    pub(crate) fn dismiss(self) -> Vec<String> {
        // To all at once: one that does not go takes its time.
        self.part_from(std::mem::take(&mut *lock(&self.ships)));
        for ship in std::mem::take(&mut *lock(&self.leaving)) {
            self.end(ship);
        }
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn part_from(&self, ships: Vec<Arc<Ship>>) {
        for ship in ships.into_iter().filter_map(Arc::into_inner) {
            ship.live.part();
            lock(&self.leaving).push(ship);
        }
    }

    fn end(&self, ship: Ship) {
        let (Farewell { notes, .. }, log) = ship.live.bye();
        self.note(&notes);
        self.log(&log);
    }

    fn note(&self, notes: &[String]) {
        lock(&self.notes).extend(notes.iter().map(|note| mask(note).to_string()));
    }

    fn log(&self, messages: &str) {
        let Some(folder) = &self.command.logs else { return };
        let path = folder.join("adapter-real.log");
        let text = format!("== a process\n{}", mask(messages));
        if let Err(why) = append(&path, &text) {
            lock(&self.notes).push(why);
        }
    }
}

impl Ship {
    /// A client has left.
    pub(crate) fn leave(&self) {
        self.aboard.fetch_sub(1, Ordering::Relaxed);
    }

    /// It takes nobody any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}
