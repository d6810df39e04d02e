//! Clients in processes of their own: the control protocol, adapters under a guard, lockstep.
//!
//! Not responsible for worlds, cases or verdicts. What an adapter does wrong is a [`Fault`], never a
//! panic and never a hang: every wait has an end, every line a limit, and every process a guard that
//! outlives the harness.
//!
//! Invariant: an adapter is untrusted. Nothing that it sends is believed before it was checked, and
//! nothing that it does reaches beyond its own processes.

pub mod adapter;
pub mod command;
pub mod fault;
pub mod guard;
pub mod live;
pub mod pin;
pub mod process;
pub mod protocol;

pub use adapter::Adapter;
pub use command::Command;
pub use fault::Fault;
pub use live::Live;
