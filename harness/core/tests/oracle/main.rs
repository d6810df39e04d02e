//! The oracle against a second reading of the table.
//!
//! The modules: [`table`] reads rows, patterns and requirement sets straight from the compiled
//! profile; [`tape`] turns a list of numbers into choices; [`facts`] and [`world`] are a conforming client and its
//! surroundings, [`life`] what happens to them; [`faults`] spoils one observation of a life; the
//! tests are `conforming`, `derived`, `found`, `hidden`, `trace_alone`, `telling`, `server_side` and `windows`.
//!
//! Not responsible for the lab or the reference client: nothing of them is used here.
//!
//! Invariant: nothing in here asks the oracle what is right. What a client may show is read from
//! the rows, and what a fault breaks, too.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod conforming;
mod derived;
mod facts;
mod faults;
mod found;
mod hidden;
mod life;
mod script;
mod server_side;
mod table;
mod tape;
mod telling;
mod trace_alone;
mod windows;
mod world;
