//! Plays cases against clients, records their traces, and gathers the run record.
//!
//! - [`draw`]: what a seed decides. [`recorder`]: the trace of a case, judged while it grows.
//! - [`script`]: the steps of a case, and what they wait for.
//! - [`source`]: where clients come from. [`adapters`]: from processes of their own.
//! - [`play`]: a case being played, without clients and without a clock.
//! - [`virtual_time`]: the executor that jumps from timer to timer.
//! - [`real_time`]: the executor on real connections and the real clock.
//! - [`suite`]: all cases of a run over some threads. [`summary`]: totals, coverage, the grid.
//! - [`plan`]: how long a case takes. [`rejudge`]: judges recorded traces again.
//!
//! Not responsible for reading files, for what rows mean, or for how anything is shown.
//!
//! Invariant: whatever is run on how many threads, the record is the same, keys named `wall` apart.

pub mod adapters;
pub mod draw;
pub mod plan;
pub mod play;
pub mod real_time;
pub mod recorder;
pub mod rejudge;
pub mod script;
pub mod source;
pub mod suite;
pub mod summary;
pub mod virtual_time;
