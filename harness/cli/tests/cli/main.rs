//! The real program, from the outside: exit codes, files, formats.
//!
//! Not responsible for verdicts of particular cases; the suite and its selftest are. Cases are
//! played in virtual time, but for those of `real_time`, so little here waits.
//!
//! Invariant: every test writes into a folder of its own and leaves nothing behind.
#![expect(clippy::unwrap_used, reason = "a test panics where its premise does not hold")]

mod adapters;
mod docs;
mod doctor;
mod expect;
mod explain;
mod hostile;
mod hostile_live;
mod init;
mod listings;
mod lockstep;
mod program;
mod real_time;
mod recorded;
mod refusals;
mod report;
mod runs;
mod secrets;
mod settings;
