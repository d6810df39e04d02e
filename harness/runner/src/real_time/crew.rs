//! The adapters of a run in real time: processes with many clients each.
//!
//! Not responsible for cases. Clients are spread over as many processes as there are threads, and
//! over more where a process takes no more clients.
//!
//! Invariant: a process of which anything went wrong is asked for nothing more; who is alone by wish
//! shares a process with nobody.

use super::stalls::Stalls;
use crate::adapters::agrees;
use stateline_client::fault::{Fault, FaultId};
use stateline_client::process::Farewell;
use stateline_client::protocol::Hello;
use stateline_client::{Adapter, Command, Live};
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the way through an adapter is measured.
const ECHO: Duration = Duration::from_millis(100);

/// The processes of a run.
pub(crate) struct Crew {
    command: Command,
    /// Processes that are started before any has two clients.
    spread: usize,
    stop: Arc<AtomicBool>,
    hello: Hello,
    ships: Mutex<Vec<Arc<Ship>>>,
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
        let crew =
            Self { command, spread, stop, hello, ships: Mutex::default(), notes: Mutex::default() };
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
            let Ok(ship) = self.start() else { return };
            lock(&self.ships).push(ship);
        }
    }

    fn start(&self) -> Result<Arc<Ship>, (Fault, String)> {
        let log = self.command.logs.is_some();
        let adapter = Adapter::start(&self.command, log, Arc::clone(&self.stop)).map_err(
            |(fault, farewell)| {
                lock(&self.notes).extend(farewell.notes);
                (fault, farewell.stderr)
            },
        )?;
        agrees(&self.hello, &adapter)
            .and_then(|()| self.launch(adapter))
            .map_err(|fault| (fault, String::new()))
    }

    /// A place for a client, in a process of its own if it is to be `alone`. Blocks while a process starts.
    ///
    /// # Errors
    /// No process can be started; what it wrote to stderr comes along.
    pub(crate) fn board(&self, alone: bool) -> Result<Arc<Ship>, (Fault, String)> {
        let mut ships = lock(&self.ships);
        let capacity = if self.hello.reuse { self.hello.clients } else { 1 };
        let open = |ship: &&Arc<Ship>| !ship.closed.load(Ordering::Relaxed) && ship.live.is_alive();
        let n_open = ships.iter().filter(open).count();
        let aboard = |ship: &Arc<Ship>| ship.aboard.load(Ordering::Relaxed);
        let emptiest = ships
            .iter()
            .filter(open)
            .filter(|ship| aboard(ship) < capacity)
            .min_by_key(|ship| aboard(ship))
            .filter(|ship| aboard(ship) == 0 || n_open >= self.spread)
            .filter(|_| !alone)
            .cloned();
        let ship = match emptiest {
            Some(ship) => ship,
            None => {
                let ship = self.start()?;
                ships.push(Arc::clone(&ship));
                ship
            }
        };
        ship.aboard.fetch_add(1, Ordering::Relaxed);
        if alone || !self.hello.reuse {
            ship.closed.store(true, Ordering::Relaxed);
        }
        Ok(ship)
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
                    ship.live.echo(move |took| {
                        stalls.note(Instant::now(), took);
                        asked.store(false, Ordering::Relaxed);
                    });
                }
            }
        }
    }

    /// Ends processes that nobody is in and that take nobody any more.
    pub(crate) fn sweep(&self) {
        let mut done = Vec::new();
        lock(&self.ships).retain(|ship| {
            let over = ship.aboard.load(Ordering::Relaxed) == 0
                && (ship.closed.load(Ordering::Relaxed) || !ship.live.is_alive());
            if over {
                done.push(Arc::clone(ship));
            }
            !over
        });
        for ship in done {
            self.end(ship);
        }
    }

    /// Says goodbye to all. What went wrong outside of cases, in words.
    pub(crate) fn dismiss(self) -> Vec<String> {
        for ship in std::mem::take(&mut *lock(&self.ships)) {
            self.end(ship);
        }
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, ship: Arc<Ship>) {
        // Whoever still holds it is about to let go; then its thread ends it.
        let Ok(ship) = Arc::try_unwrap(ship) else { return };
        let (farewell, log) = ship.live.bye();
        let Farewell { notes, .. } = farewell;
        lock(&self.notes)
            .extend(notes.iter().map(|note| stateline_lab::tokens::mask(note).to_string()));
        self.log(&log);
    }

    fn log(&self, messages: &str) {
        let Some(folder) = &self.command.logs else { return };
        let path = folder.join("adapter-real.log");
        let text = format!("== a process\n{}", stateline_lab::tokens::mask(messages));
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        if let Err(error) = written {
            lock(&self.notes).push(format!("cannot write {}: {error}", path.display()));
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking thread left is still a list.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
