//! The scripted world of one case: what a client under test talks to.
//!
//! - [`wire`]: frames to abstract messages and back, by a wire's rules.
//! - [`tokens`]: what the token service minted, and under which label a trace shows it.
//! - [`token_service`]: where an application fetches its tokens over HTTP.
//! - [`realm`]: the server's state machine: users, sessions, channels, presence, scripted rules.
//! - [`link`]: a client's network path in turns: two pipes that delay and hold.
//! - [`chair`]: what one client can know: whether it is served, and what its application holds.
//! - [`tcp`]: the near end of a link on real sockets; all of the lab's I/O.
//! - [`world`]: puts them together for one case in virtual time, and reports ground truth.
//!
//! Not responsible for judging, and, [`tcp`] apart, not for clocks and sockets either: everything is
//! a function of the calls made.
//!
//! Invariant: the realm follows the document unless a script deviates, and every deviation and
//! every fact that a verdict may rest on is reported to the world's [`world::Sink`].

pub mod chair;
pub mod link;
pub mod realm;
pub mod tcp;
pub mod token_service;
pub mod tokens;
pub mod wire;
pub mod world;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
