//! The pure heart of stateline.
//!
//! The module list below is a map of the code:
//!
//! - [`time`], [`value`], [`trace`]: instants, dynamic values, the events of a case.
//! - [`profile`]: a document as data, compiled; [`wire`]: its frames; [`scenario`]: its scripts.
//! - [`turn`]: a client as a pure machine.
//! - [`oracle`]: judges a trace by a profile.
//! - [`record`]: what a run leaves behind.
//!
//! Not responsible for files, sockets, clocks, threads or rendering: nothing in here knows them.
//!
//! Invariant: everything is a function of its arguments. Two calls with the same input give the
//! same output, byte by byte.

pub mod oracle;
pub mod profile;
pub mod record;
pub mod scenario;
pub mod time;
pub mod trace;
pub mod turn;
pub mod value;
pub mod wire;
