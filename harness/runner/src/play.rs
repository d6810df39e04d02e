//! One case being played: world, script, trace and oracle, without clients and without a clock.
//!
//! An executor tells it what time it is and what clients did, and gets what reaches them. Not
//! responsible for where clients live or how time passes.
//!
//! Invariant: time never goes back; the trace holds what happened in the order in which it was told.

use crate::draw::Draw;
use crate::recorder::Recorder;
use crate::script::{Do, Look, Script};
use crate::source::{Broken, Ended};
use smol_str::SmolStr;
use stateline_core::oracle::index::Index;
use stateline_core::oracle::verdict::Conduct;
use stateline_core::oracle::{Judged, Oracle, Settings};
use stateline_core::profile::Profile;
use stateline_core::scenario::{Case, ClientIx, LinkAct};
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};
use stateline_core::turn::{Input, Observation, Open, Output};
use stateline_core::value::{Fields, Value};
use stateline_lab::token_service::{Answer, What};
use stateline_lab::world::{Setup, Sink, World};

/// More events in one case than this are a client that floods.
const MOST_EVENTS: u32 = 200_000;
/// Longest nested value of a client that is kept, in bytes of JSON.
const MOST_NESTED: usize = 64 << 10;
/// How long a case goes on after its script, so that reactions to the last step are seen.
pub(crate) const TAIL: Micros = Micros::from_millis(1_500);
/// How long a case may go on after its script at most.
const LONGEST_TAIL: Micros = Micros::from_secs(900);

/// What all cases of a profile share.
#[derive(Clone, Copy)]
pub struct Stage<'p> {
    /// The contract.
    pub profile: &'p Profile,
    /// Its index.
    pub index: &'p Index,
    /// How it is judged.
    pub settings: &'p Settings,
    /// Keep the events.
    pub keep_trace: bool,
    /// Who looks on while a case is played.
    pub watch: Option<&'p dyn Watch>,
}

/// Looks on while a case is played.
pub trait Watch: Sync {
    /// Something was written into the trace.
    fn event(&self, event: &Event);
    /// A client has had its turn; what it did in it were the events before this. `next` is when it
    /// wants the next one.
    fn turn(&self, now: Micros, client: &str, next: Option<Micros>);
}

/// A case that was played.
pub struct Played {
    /// What the oracle found.
    pub judged: Judged,
    /// How it went.
    pub conduct: Conduct,
    /// Why it is not applicable to this client, if it is not.
    pub not_applicable: Option<String>,
    /// Hash of the trace.
    pub digest: SmolStr,
    /// Length of the trace.
    pub n_events: u32,
    /// When it ended.
    pub end: Micros,
    /// The trace, where it is kept.
    pub trace: Vec<Event>,
    /// Rules of the script that never met a request, in words.
    pub unfired: Vec<SmolStr>,
    /// What the clients wrote to stderr.
    pub stderr: String,
    /// The run was interrupted in the middle of it.
    pub interrupted: bool,
}

/// What an executor makes a case from.
pub(crate) struct Start<'p> {
    pub(crate) stage: Stage<'p>,
    pub(crate) case: &'p Case,
    pub(crate) repeat: u32,
    pub(crate) seed: u64,
    /// The wall clock at time 0.
    pub(crate) epoch_ms: u64,
}

/// A case being played.
pub(crate) struct Play<'p> {
    profile: &'p Profile,
    case: &'p Case,
    pub(crate) opens: Vec<Open>,
    world: World,
    recorder: Recorder<'p>,
    script: Script<'p>,
    slots: Vec<Slot>,
    draw: Draw,
    /// What the script is told of each client, kept to be filled anew.
    heard: Vec<bool>,
    calling: Vec<bool>,
    now: Micros,
    /// When the script was over.
    over: Option<Micros>,
    pub(crate) conduct: Conduct,
    pub(crate) not_applicable: Option<String>,
    pub(crate) interrupted: bool,
    pub(crate) stderr: String,
}

/// A client's place: what has arrived for it, and what its application called.
#[derive(Default)]
struct Slot {
    inbox: Vec<Input>,
    /// Answers to pings of its transport.
    pongs: Vec<(u32, Vec<u8>)>,
    calls: Vec<MadeCall>,
    heard: bool,
    /// What the script made of its link last.
    link: Option<LinkAct>,
}

struct MadeCall {
    op: SmolStr,
    args: Fields,
    open: bool,
}

/// Where the world puts what happens.
struct Outlet<'a, 'p> {
    now: Micros,
    recorder: &'a mut Recorder<'p>,
    slots: &'a mut [Slot],
}

impl Sink for Outlet<'_, '_> {
    fn event(
        &mut self,
        at: Micros,
        client: Option<ClientIx>,
        plane: Plane,
        kind: SmolStr,
        data: Fields,
    ) {
        // By the clock of real time a timer is seen a little after it was due.
        self.recorder.record(at.max(self.now), client, plane, kind, data);
    }

    fn input(&mut self, client: ClientIx, input: Input) {
        let slot = &mut self.slots[client];
        slot.heard |= matches!(input, Input::Message { .. });
        slot.inbox.push(input);
    }

    fn pong(&mut self, client: ClientIx, conn: u32, payload: Vec<u8>) {
        self.slots[client].pongs.push((conn, payload));
    }
}

impl<'p> Play<'p> {
    /// A case in which nothing has happened.
    pub(crate) fn new(start: Start<'p>) -> Self {
        let Start { stage, case, repeat, seed, epoch_ms } = start;
        let Stage { profile, index, settings, keep_trace, watch } = stage;
        let mut draw = Draw::new(seed, &case.id, repeat);
        let clients = case.clients.iter().map(|client| (client.name.clone(), client.uid.clone()));
        let oracle = Oracle::new(profile, index, settings, clients);
        let mut recorder = Recorder::new(profile, oracle, &case.clients, keep_trace, watch);
        recorder.note(Micros::ZERO, crate::rejudge::header(profile, case));
        let world_seed = draw.seed();
        let opens = case
            .clients
            .iter()
            .map(|client| Open { uid: client.uid.clone(), epoch_ms, seed: draw.seed() })
            .collect();
        let world = World::new(Setup {
            spec: &profile.realm,
            wire: &profile.wire,
            clients: &case.clients,
            epoch_ms,
            seed: world_seed,
        });
        Self {
            profile,
            case,
            opens,
            world,
            recorder,
            script: Script::new(case, profile, settings),
            slots: case.clients.iter().map(|_| Slot::default()).collect(),
            draw,
            heard: Vec::new(),
            calling: Vec::new(),
            now: Micros::ZERO,
            over: None,
            conduct: Conduct::default(),
            not_applicable: None,
            interrupted: false,
            stderr: String::new(),
        }
    }

    pub(crate) const fn now(&self) -> Micros {
        self.now
    }

    /// It is this late now. What is overdue by now is, also when nothing else happens.
    pub(crate) fn advance(&mut self, now: Micros) {
        self.now = now.max(self.now);
        self.recorder.oracle.advance(self.now);
    }

    /// Lets world and script do what is due now; whether there was anything.
    pub(crate) fn stir(&mut self) -> bool {
        let mut busy = false;
        if self.world.next_deadline().is_some_and(|due| due <= self.now) {
            busy = true;
            let Self { world, recorder, slots, now, .. } = self;
            world.advance(*now, &mut Outlet { now: *now, recorder, slots });
        }
        busy | self.steps()
    }

    /// What has reached a client and was not handed out yet.
    pub(crate) fn take_inbox(&mut self, client: ClientIx) -> Vec<Input> {
        std::mem::take(&mut self.slots[client].inbox)
    }

    /// Whether anything has reached a client.
    pub(crate) fn has_inbox(&self, client: ClientIx) -> bool {
        !self.slots[client].inbox.is_empty()
    }

    /// A client did something. False: the case cannot go on.
    pub(crate) fn done(&mut self, client: ClientIx, output: Output) -> bool {
        if self.recorder.n_events() > MOST_EVENTS {
            self.breaks(Broken::Fault(format!("flood: more than {MOST_EVENTS} events")));
            return false;
        }
        match output {
            Output::Observe(Observation::Unsupported { call }) => {
                let calls = &self.slots[client].calls;
                let op = calls.get(call as usize).map_or("it", |call| call.op.as_str());
                self.not_applicable = Some(format!("the client does not support {op}"));
                return false;
            }
            Output::Observe(seen) => self.observe(client, seen),
            output => {
                let Self { world, recorder, slots, now, .. } = self;
                world.output(*now, client, output, &mut Outlet { now: *now, recorder, slots });
            }
        }
        true
    }

    /// A client's transport asks whether its connection lives.
    pub(crate) fn ping(&mut self, client: ClientIx, conn: u32, payload: Vec<u8>) {
        self.world.ping(self.now, client, conn, payload);
    }

    /// Answers to such pings that have reached a client and were not handed out yet.
    pub(crate) fn take_pongs(&mut self, client: ClientIx) -> Vec<(u32, Vec<u8>)> {
        std::mem::take(&mut self.slots[client].pongs)
    }

    /// Whether what the server sends to a client is held.
    pub(crate) fn holds_down(&self, client: ClientIx) -> bool {
        self.world.holds_down(client)
    }

    /// Whether a client's port is closed.
    pub(crate) fn hides_dials(&self, client: ClientIx) -> bool {
        self.world.hides_dials(client)
    }

    /// What the script made of a client's link last.
    pub(crate) fn link(&self, client: ClientIx) -> Option<LinkAct> {
        self.slots[client].link
    }

    /// A client's application asks the token service for something.
    pub(crate) fn asked(&mut self, client: ClientIx, what: &What) -> Answer {
        let Self { world, recorder, slots, now, .. } = self;
        world.asked(*now, client, what, &mut Outlet { now: *now, recorder, slots })
    }

    /// Writes a remark of the harness into the trace.
    pub(crate) fn remark(&mut self, client: ClientIx, text: &str) {
        let data = Fields::new().with("text", self.world.redact(text));
        let kind = SmolStr::new_static("note");
        self.recorder.record(self.now, Some(client), Plane::Harness, kind, data);
    }

    /// Whether a client has violated something.
    pub(crate) fn has_failed(&self) -> bool {
        self.recorder.oracle.failed()
    }

    /// Nothing more can come of the case.
    pub(crate) const fn is_spoilt(&self) -> bool {
        self.conduct.error.is_some() || self.interrupted || self.not_applicable.is_some()
    }

    /// What the case comes to next, when everything that is due now was done.
    pub(crate) fn next(&mut self) -> Next {
        let mut until = None;
        if self.script.is_over() {
            let ended = *self.over.get_or_insert(self.now);
            let pending =
                self.recorder.oracle.pending(&self.case.named).map(|until| until + Micros(1));
            let tail = ended + TAIL;
            let goal = pending.unwrap_or(tail).max(tail).min(ended + LONGEST_TAIL);
            if self.now >= goal || self.script.missed().is_some() {
                return Next::End;
            }
            until = Some(goal);
        }
        let soonest = self
            .world
            .next_deadline()
            .into_iter()
            .chain(self.script.deadline(&self.recorder.oracle))
            .chain(until)
            .min();
        soonest.map_or(Next::Nothing, Next::At)
    }

    /// Plays the steps that are due.
    fn steps(&mut self) -> bool {
        let mut busy = false;
        loop {
            let Self { slots, heard, calling, recorder, script, draw, now, .. } = self;
            heard.clear();
            heard.extend(slots.iter_mut().map(|slot| std::mem::take(&mut slot.heard)));
            calling.clear();
            calling
                .extend(slots.iter().map(|slot| slot.calls.last().is_some_and(|call| call.open)));
            let (oracle, fresh) = recorder.fresh();
            let look = Look { now: *now, oracle, heard, fresh, calling };
            let act = script.next(&look, draw);
            let Some(act) = act else { return busy };
            busy = true;
            self.perform(act);
        }
    }

    fn perform(&mut self, act: Do) {
        let now = self.now;
        match act {
            Do::Note(text) => {
                let data = Fields::new().with("text", text);
                self.recorder.record(now, None, Plane::Harness, SmolStr::new_static("step"), data);
            }
            Do::Call { client, op, args } => self.call(client, op, args),
            Do::Link(client, link) => {
                self.slots[client].link = Some(link);
                let Self { world, recorder, slots, .. } = self;
                world.link(now, client, link, &mut Outlet { now, recorder, slots });
            }
            Do::Server(act) => {
                let Self { world, recorder, slots, .. } = self;
                world.act(now, &act, &mut Outlet { now, recorder, slots });
            }
            Do::Release(client) => {
                let Self { world, recorder, slots, .. } = self;
                world.release(now, client, &mut Outlet { now, recorder, slots });
            }
        }
    }

    /// The application of a client calls a method.
    fn call(&mut self, client: ClientIx, op: SmolStr, args: Fields) {
        let now = self.now;
        let number = u32::try_from(self.slots[client].calls.len()).unwrap_or(u32::MAX);
        let mut seen = Fields::new().with("op", op.clone()).with("call", number);
        let mut given = Fields::new();
        for (name, value) in args.iter() {
            match name.as_str() {
                "token" => {
                    let kind = value.as_text().unwrap_or("valid");
                    let life = args.time("token-life_ms");
                    let Self { world, recorder, slots, .. } = self;
                    match world.mint(now, client, kind, life, &mut Outlet { now, recorder, slots })
                    {
                        Ok(minted) => {
                            seen.set(SmolStr::new_static("token"), minted.label.into());
                            seen.set(SmolStr::new_static("token-kind"), kind.into());
                            given.set(name.clone(), minted.text.into());
                        }
                        Err(unknown) => self.conduct.error = Some(unknown.to_string()),
                    }
                }
                "token-life_ms" => {}
                _ => {
                    seen.set(name.clone(), value.clone());
                    given.set(name.clone(), value.clone());
                }
            }
        }
        let method = self.profile.names.calls.get(&op);
        if method.is_some_and(|method| method.args.iter().any(|arg| arg == "uid")) {
            given.set(SmolStr::new_static("uid"), self.case.clients[client].uid.clone().into());
        }
        let spelled = method.and_then(|method| method.spellings.first()).unwrap_or(&op).clone();
        self.recorder.record(now, Some(client), Plane::Control, SmolStr::new_static("call"), seen);
        let slot = &mut self.slots[client];
        slot.calls.push(MadeCall { op, args, open: true });
        slot.inbox.push(Input::Call { call: number, op: spelled, args: given });
    }

    /// The case cannot go on.
    pub(crate) fn breaks(&mut self, broken: Broken) {
        match broken {
            Broken::Interrupted => self.interrupted = true,
            Broken::Fault(why) => {
                // It shows what the adapter wrote, and that may be a frame with a token.
                let why = self.world.redact(&why).to_string();
                self.conduct.error.get_or_insert(why);
            }
        }
    }

    fn observe(&mut self, at: usize, seen: Observation) {
        let seen = self.redacted(seen);
        let calls = &self.slots[at].calls;
        let op_of = |call: u32| calls.get(call as usize).map(|call| call.op.clone());
        let result = self.recorder.observation(self.now, at, seen, op_of);
        let Some((number, code)) = result else { return };
        let Some(call) = self.slots[at].calls.get_mut(number as usize) else { return };
        if std::mem::take(&mut call.open) && code.means(&Value::name("ok")) {
            self.world.call_done(self.now, at, &call.op, &call.args);
        }
    }

    /// What a client says, with every minted token replaced by its label.
    fn redacted(&self, seen: Observation) -> Observation {
        let fields = |data: Fields| {
            let field = |(name, value): (&SmolStr, &Value)| {
                let value = match value {
                    Value::Text(text) => Value::Text(self.world.redact(text)),
                    Value::Json(json) => {
                        let text = json.to_string();
                        let shown = self.world.redact(&text);
                        if text.len() > MOST_NESTED {
                            Value::from(
                                shown.chars().take(MOST_NESTED).chain(['…']).collect::<String>(),
                            )
                        } else if shown == text {
                            value.clone()
                        } else {
                            Value::Text(shown)
                        }
                    }
                    other => other.clone(),
                };
                (self.world.redact(name), value)
            };
            data.iter().map(field).collect()
        };
        match seen {
            Observation::State(data) => Observation::State(fields(data)),
            Observation::Result { call, data } => Observation::Result { call, data: fields(data) },
            Observation::Event { event, data } => {
                Observation::Event { event: self.world.redact(&event), data: fields(data) }
            }
            other => other,
        }
    }

    /// The case is ended at its longest time, whatever it waits for.
    pub(crate) fn cut(&mut self) {
        if self.script.is_over() {
            self.conduct.cut = true;
        } else {
            let text = format!("after {} it was ended in the middle of its script", self.now);
            self.conduct.missed = Some(text);
        }
    }

    /// The text with every minted token replaced by its label.
    pub(crate) fn redact(&self, text: &str) -> SmolStr {
        self.world.redact(text)
    }

    /// Ends the case, after its clients.
    pub(crate) fn end(mut self, ended: Ended) -> Played {
        let Ended { broken, stderr } = ended;
        self.stderr.push_str(&stderr);
        // Whatever came from the adapter, by whatever way.
        self.stderr = self.redact(&self.stderr).into();
        self.not_applicable = self.not_applicable.take().map(|why| self.redact(&why).into());
        if let Some(broken) = broken {
            self.breaks(broken);
        }
        if let Some(missed) = self.script.missed() {
            self.conduct.missed = Some(missed.to_string());
        }
        let complete = self.conduct.is_complete() && self.not_applicable.is_none();
        self.recorder.note(self.now, crate::rejudge::footer(&self.conduct));
        let unfired = self.world.unfired_rules().map(|(_, rule)| rule.clone()).collect();
        let (oracle, digest, n_events, trace) = self.recorder.end();
        Played {
            judged: oracle.finish(self.now, complete),
            conduct: self.conduct,
            not_applicable: self.not_applicable,
            digest,
            n_events,
            end: self.now,
            trace,
            unfired,
            stderr: self.stderr,
            interrupted: self.interrupted,
        }
    }
}

/// What a case comes to next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Something is due then.
    At(Micros),
    /// It is over.
    End,
    /// Nothing is due: only a client can bring something about.
    Nothing,
}
