//! The near end of a client's link on real sockets: what happens on a dock, told and carried out.
//!
//! - [`dock`]: a client's own address on the loopback network, which can be shut and reopened.
//! - [`line`](mod@line): a connection whose two directions can be held, and which can be cut.
//! - [`frame`]: WebSocket frames to messages and back, without I/O and without a will of its own.
//! - [`tls`]: a certificate authority for one run, and certificates good and bad.
//! - [`visit`]: one dial, from the accepted connection to its end.
//!
//! Not responsible for what any of it means: the world decides, this module tells it what a client
//! did and does what it orders. Nothing here answers, waits or gives up out of politeness, the end
//! of a connection apart.
//!
//! Invariant: what a client does is told when it is read, in its order, whatever is held.

pub mod dock;
pub mod frame;
pub mod line;
pub mod tls;
pub mod visit;
