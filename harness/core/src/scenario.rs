//! Scenarios after their matrix is expanded: the steps that the runner plays.
//!
//! Not responsible for reading them (authoring does), playing them (the runner does), or judging:
//! scenarios steer, only table rows fail a client.
//!
//! Invariant: a case holds no free variable; what the seed draws is a range in here.

use crate::profile::machine::Pattern;
use crate::profile::{ClockIx, Length, ReqIx, StateIx};
use crate::time::Micros;
use crate::value::Fields;
use smol_str::SmolStr;

/// One authored script with its cases.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its id without the profile, a path.
    pub id: SmolStr,
    /// Its profile.
    pub profile: SmolStr,
    /// What it shows.
    pub purpose: String,
    /// For filters.
    pub tags: Vec<SmolStr>,
    /// Its instances, in the order of the matrix.
    pub cases: Vec<Case>,
}

/// One instance of a scenario.
#[derive(Clone, Debug)]
pub struct Case {
    /// `profile/scenario[axis=value,…]`.
    pub id: SmolStr,
    /// The axes and the values chosen, in order.
    pub bindings: Vec<(SmolStr, SmolStr)>,
    /// The requirements that it must exercise.
    pub named: Vec<ReqIx>,
    /// The clients that it opens.
    pub clients: Vec<CaseClient>,
    /// Capabilities without which it is not applicable.
    pub needs: Vec<SmolStr>,
    /// Documented times that it probes, with the side: `before`, `at`, `after`.
    pub boundaries: Vec<(SmolStr, SmolStr)>,
    /// Reaches the state to start from.
    pub preamble: Vec<Step>,
    /// What is played.
    pub body: Vec<Step>,
}

/// A client of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseClient {
    /// Its name in the trace.
    pub name: SmolStr,
    /// The user that it logs in as; two clients can share one.
    pub uid: SmolStr,
}

/// Index of a client in [`Case::clients`].
pub type ClientIx = usize;

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// As it was written, on one line.
    pub text: SmolStr,
    /// What is done.
    pub act: Act,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Waits until the clients have reported these states; a preamble first makes the call that
    /// the profile names for it.
    Reach {
        /// Who, and what.
        targets: Vec<(ClientIx, StateIx)>,
        /// Make the call that leads there.
        perform: bool,
    },
    /// The application calls a method.
    Call {
        /// Whose.
        client: ClientIx,
        /// The profile's name of the method.
        op: SmolStr,
        /// Its arguments. `token` names the kind of token that the lab mints: `valid`, `expired`,
        /// `invalid`, `malformed`, `revoked`, `same` (the last one); `token-life_ms` its life.
        args: Fields,
        /// Wait until it has completed.
        settle: bool,
    },
    /// Something happens to a link.
    Network {
        /// Whose.
        client: ClientIx,
        /// What.
        link: LinkAct,
        /// Do it right after the client heard something, instead of at a drawn phase.
        on_beat: bool,
    },
    /// The server deviates or acts.
    Server(ServerAct),
    /// Time passes.
    Wait(When),
    /// Waits until something is seen; steering only.
    Expect {
        /// Whose.
        client: ClientIx,
        /// What.
        pattern: Pattern,
        /// How long at most.
        within: Length,
    },
    /// Waits until the client owes nothing.
    Watch {
        /// Whose.
        client: ClientIx,
    },
}

/// What happens to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkAct {
    /// Nothing passes, nobody is told; bytes are held, dials hang.
    BlackHole,
    /// Open connections are reset, new dials work at once.
    Blip,
    /// Open connections are closed by the network side in order; dials hang until `Up`.
    Closed,
    /// Open connections are reset, and nothing listens any more: dials fail at once, and nobody sees them.
    ClosedPort,
    /// Messages take this long each way.
    Delay(Micros),
    /// Open connections are reset, and dials fail: whatever answers shows a certificate that is over.
    ExpiredCertificate,
    /// The same with a certificate for another host.
    ForeignCertificate,
    /// Only what the server sends is held.
    HalfOpenDown,
    /// Only what the client sends is held.
    HalfOpenUp,
    /// Open connections are reset, dials are answered and reset.
    Refused,
    /// Open connections are reset, dials hang until `Up`.
    Reset,
    /// Everything passes; what was held arrives.
    Up,
}

/// How the token service answers an application. It is asked in real time alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenAnswers {
    /// As documented, 5 s late.
    Late,
    /// Not at all.
    Never,
    /// With something that is no JSON.
    NoJson,
    /// With 429: ask again in 5 s.
    TooMany,
    /// With 500.
    Failure,
    /// With 401.
    Unauthorized,
    /// As documented.
    #[default]
    Well,
}

/// What the server does.
#[derive(Clone, Debug)]
pub enum ServerAct {
    /// Refuses the user from now on and ends the session.
    Ban(ClientIx),
    /// Closes the client's connections with the wire's normal code.
    Close(ClientIx),
    /// The token that the client logged in with expires now.
    Expire(ClientIx),
    /// Login requests are answered only from then on.
    Hold {
        /// Whose.
        client: ClientIx,
        /// Until when.
        until: When,
    },
    /// The token service issues a further token for the client's user, which its application does not fetch.
    Issue(ClientIx),
    /// Ends the session with the wire's `kicked` message.
    Kick(ClientIx),
    /// Hears the client and answers nothing (`true`), or answers again.
    Mute(ClientIx, bool),
    /// Sends an abstract message that nothing called for.
    Push {
        /// To whom.
        client: ClientIx,
        /// Which.
        message: SmolStr,
        /// With which fields.
        fields: Fields,
    },
    /// Refuses login requests with an abstract code.
    Refuse {
        /// Whose.
        client: ClientIx,
        /// The code.
        code: SmolStr,
        /// How often; `None`: until the end.
        times: Option<u32>,
    },
    /// Closes all connections, refuses dials for this long; sessions survive.
    Restart(Micros),
    /// The token that the client logged in with is revoked.
    Revoke(ClientIx),
    /// Another instance of the same user, played by the lab, logs in.
    Supersede(ClientIx),
    /// From now on the token service answers the client's application like this.
    TokenService(ClientIx, TokenAnswers),
    /// Accepts login requests twice.
    Twice {
        /// Whose.
        client: ClientIx,
        /// How often.
        times: Option<u32>,
    },
    /// Leaves login requests unanswered for good.
    Unanswered {
        /// Whose.
        client: ClientIx,
        /// How often; `None`: until the end.
        times: Option<u32>,
    },
}

/// An instant, drawn from a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// Counted from the start of a clock of a client; from now when there is none, or while the
    /// clock has not started.
    pub base: Option<(ClientIx, ClockIx)>,
    /// The earliest offset.
    pub min: Micros,
    /// The latest offset.
    pub max: Micros,
}

impl When {
    /// That long from now.
    #[must_use]
    pub const fn after(time: Micros) -> Self {
        Self { base: None, min: time, max: time }
    }
}
