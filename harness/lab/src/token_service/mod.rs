//! The token service over HTTP: where an application fetches its tokens in real time.
//!
//! Each client of a case has a URL of its own, `http://127.0.0.1:<port>/<key>`. Below it everything is
//! a `POST` with a JSON object as body; no body counts as `{}`.
//!
//! | path | body | does |
//! |---|---|---|
//! | `/issue` | `life_ms`? | issues a token, for a day where `life_ms` is left out |
//! | `/renew` | `token`, `revoke`?, `life_ms`? | issues another one. The old one stays as good as it is, unless `revoke` is true |
//! | `/revoke` | `token` | takes a token back: it is good for nothing from now on |
//! | `/expire` | `token` | lets a token expire now |
//! | `/tell` | `token` | tells how a token stands |
//!
//! The answer to each is 200 and how the token stands: `{"good":true,"expires_ms":1704153600000}` or
//! `{"good":false,"why":"revoked","expires_ms":…}`. Times are milliseconds since 1970. `why` is `expired`,
//! `revoked`, `invalid` or `malformed`; of the last two the service knows no time. `/issue` and
//! `/renew` put the new `token` before that.
//!
//! Whatever is wrong is told as `{"error":"…"}`: 400 a body that makes no sense, 404 no such client or
//! path, 405 no `POST`, 408 a body that does not come, 413 one of more than 64 KiB, 422 a token that
//! this user never got, 503 more than 16 requests at once. Only the desk answers with anything else.
//!
//! Each connection serves one request, so that no request meets a connection that is just ending.
//! Not responsible for when a token is checked (the realm's), nor for what a script wants answered.
//!
//! Invariant: a request reaches the desk of its key or none, and nothing prints a token.

mod answer;
mod http;
mod request;

pub use answer::{Answer, Deed, Outcome, answer};
pub use request::{Secret, What};

use smol_str::SmolStr;
use stateline_core::scenario::ClientIx;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::AbortHandle;

/// Requests of one key that may wait for an answer.
const MOST_AT_ONCE: usize = 16;

/// What a client's application asked for. The case answers it when it likes.
#[derive(Debug)]
pub struct Ask {
    /// Whose application.
    pub client: ClientIx,
    /// What for.
    pub what: What,
    /// Where the answer goes. It is closed when the application has given up; dropping it ends the
    /// connection without an answer.
    pub reply: oneshot::Sender<Answer>,
}

/// Where the requests of one client go.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Whose application asks here.
    pub client: ClientIx,
    /// The case's end.
    pub asks: UnboundedSender<Ask>,
}

/// Why there is no desk under a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It would not survive in a URL.
    #[error("the key `{0}` has something else than letters, digits, `-`, `_` and `.`")]
    Spelling(SmolStr),
    /// Another desk has it.
    #[error("the key `{0}` has a desk already")]
    Taken(SmolStr),
}

/// The service of a run. Dropping it ends every connection, and frees the port.
#[derive(Debug)]
pub struct TokenService {
    address: SocketAddr,
    desks: Arc<Desks>,
    door: AbortHandle,
}

impl TokenService {
    /// Starts it on the runtime of the caller, on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// There is no port.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start() -> io::Result<(Self, SocketAddr)> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let desks = Arc::<Desks>::default();
        let door = tokio::spawn(http::accept(listener, Arc::clone(&desks))).abort_handle();
        Ok((Self { address, desks, door }, address))
    }

    /// Opens a desk under a key that no other client of the run has: the URL that its application is
    /// given.
    ///
    /// # Errors
    /// The key is taken, or cannot be part of a URL.
    pub fn register(&self, key: &str, desk: Desk) -> Result<String, BadKey> {
        let spelt = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        // A path of dots means something else to whoever resolves it.
        if !key.chars().all(spelt) || key.trim_matches('.').is_empty() {
            return Err(BadKey::Spelling(key.into()));
        }
        match self.desks.all().entry(key.into()) {
            Entry::Occupied(_) => Err(BadKey::Taken(key.into())),
            Entry::Vacant(free) => {
                let room = Arc::new(Semaphore::new(MOST_AT_ONCE));
                free.insert(Registered { desk, room, over: watch::Sender::default() });
                Ok(format!("http://{}/{key}", self.address))
            }
        }
    }

    /// Closes a desk: what waits there for an answer gets none, and what comes later is told that
    /// nobody is there.
    pub fn withdraw(&self, key: &str) {
        self.desks.all().remove(key);
    }
}

impl Drop for TokenService {
    fn drop(&mut self) {
        // With it go the connections, and the desks that it shares.
        self.door.abort();
    }
}

/// The desks that are open.
#[derive(Debug, Default)]
struct Desks(Mutex<HashMap<SmolStr, Registered>>);

#[derive(Debug)]
struct Registered {
    desk: Desk,
    room: Arc<Semaphore>,
    /// Is dropped with the desk; whoever waits there hears of it.
    over: watch::Sender<()>,
}

/// What a request holds while it is served.
struct Seat {
    desk: Desk,
    over: watch::Receiver<()>,
    /// `None` when there was no room.
    place: Option<OwnedSemaphorePermit>,
}

impl Desks {
    fn seat(&self, key: &str) -> Option<Seat> {
        let all = self.all();
        let Registered { desk, room, over } = all.get(key)?;
        let place = Arc::clone(room).try_acquire_owned().ok();
        Some(Seat { desk: desk.clone(), over: over.subscribe(), place })
    }

    fn all(&self) -> MutexGuard<'_, HashMap<SmolStr, Registered>> {
        // Every change is one step, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
