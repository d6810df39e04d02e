//! The virtual executor: one engine, no clock of any runtime.
//!
//! It advances to the earliest deadline of anybody. At one instant: network, server, scenario,
//! then clients by name, repeated until quiet. Not responsible for threads or for what a verdict
//! means.
//!
//! Invariant: two plays of a case with one seed are the same trace.

use crate::draw::Draw;
use crate::recorder::Recorder;
use crate::script::{Do, Look, Script};
use crate::source::{Broken, Cast, Ended, Refusal, Source};
use smol_str::SmolStr;
use stateline_core::oracle::index::Index;
use stateline_core::oracle::verdict::Conduct;
use stateline_core::oracle::{Judged, Oracle, Settings};
use stateline_core::profile::Profile;
use stateline_core::scenario::{Case, ClientIx};
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};
use stateline_core::turn::{Input, Observation, Open, Output};
use stateline_core::value::{Fields, Value};
use stateline_lab::world::{Setup, Sink, World};

/// More rounds at one instant than this are a client that never gets idle.
const MOST_ROUNDS: u32 = 1_000;
/// More instants in one case than this are a client that lives on its own timers.
const MOST_INSTANTS: u32 = 100_000;
/// More events in one case than this are a client that floods.
const MOST_EVENTS: u32 = 200_000;
/// Longest nested value of a client that is kept, in bytes of JSON.
const MOST_NESTED: usize = 64 << 10;
/// How long a case goes on after its script, so that reactions to the last step are seen.
pub(crate) const TAIL: Micros = Micros::from_millis(1_500);
/// How long a case may go on after its script at most.
const LONGEST_TAIL: Micros = Micros::from_secs(900);
/// Wall clock at the start of every virtual case: 2024-01-01T00:00:00Z.
const EPOCH_MS: u64 = 1_704_067_200_000;

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

/// A client's end: what has arrived for it, and when it wants a turn.
struct Slot {
    inbox: Vec<Input>,
    next: Option<Micros>,
    calls: Vec<MadeCall>,
    heard: bool,
}

struct MadeCall {
    op: SmolStr,
    args: Fields,
    open: bool,
}

/// Where the world puts what happens.
struct Outlet<'a, 'p> {
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
        self.recorder.record(at, client, plane, kind, data);
    }

    fn input(&mut self, client: ClientIx, input: Input) {
        let slot = &mut self.slots[client];
        slot.heard |= matches!(input, Input::Message { .. });
        slot.inbox.push(input);
    }
}

/// Plays a case on the given thread of a source.
#[must_use]
pub fn play(
    stage: Stage<'_>,
    case: &Case,
    repeat: u32,
    seed: u64,
    source: &dyn Source,
    worker: usize,
) -> Played {
    let Stage { profile, index, settings, keep_trace, watch } = stage;
    let mut draw = Draw::new(seed, &case.id, repeat);
    let clients = case.clients.iter().map(|client| (client.name.clone(), client.uid.clone()));
    let oracle = Oracle::new(profile, index, settings, clients);
    let mut recorder = Recorder::new(profile, oracle, &case.clients, keep_trace, watch);
    recorder.note(Micros::ZERO, crate::rejudge::header(profile, case));
    let world_seed = draw.seed();
    let opens: Vec<Open> = case
        .clients
        .iter()
        .map(|client| Open { uid: client.uid.clone(), epoch_ms: EPOCH_MS, seed: draw.seed() })
        .collect();
    let fresh =
        |_| Slot { inbox: Vec::new(), next: Some(Micros::ZERO), calls: Vec::new(), heard: false };
    let world = World::new(Setup {
        spec: &profile.realm,
        wire: &profile.wire,
        clients: &case.clients,
        epoch_ms: EPOCH_MS,
        seed: world_seed,
    });
    let mut engine = Engine {
        profile,
        case,
        world,
        recorder,
        cast: None,
        slots: case.clients.iter().map(fresh).collect(),
        script: Script::new(case, profile, settings),
        heard: Vec::new(),
        calling: Vec::new(),
        now: Micros::ZERO,
        conduct: Conduct::default(),
        not_applicable: None,
        interrupted: false,
        stderr: String::new(),
        watch,
    };
    match source.open(worker, profile, case, &opens) {
        Ok(cast) => {
            engine.cast = Some(cast);
            engine.run(&mut draw);
        }
        Err(Refusal::NotApplicable(why, stderr)) => {
            engine.stderr = stderr;
            engine.not_applicable = Some(why);
        }
        Err(Refusal::Broken(broken, stderr)) => {
            engine.stderr = stderr;
            engine.breaks(broken);
        }
    }
    engine.end()
}

struct Engine<'p> {
    profile: &'p Profile,
    case: &'p Case,
    world: World,
    recorder: Recorder<'p>,
    cast: Option<Box<dyn Cast + 'p>>,
    slots: Vec<Slot>,
    script: Script<'p>,
    /// What the script is told of each client, kept to be filled anew.
    heard: Vec<bool>,
    calling: Vec<bool>,
    now: Micros,
    conduct: Conduct,
    not_applicable: Option<String>,
    interrupted: bool,
    stderr: String,
    watch: Option<&'p dyn Watch>,
}

impl Engine<'_> {
    fn run(&mut self, draw: &mut Draw) {
        let mut over: Option<Micros> = None;
        for _ in 0..MOST_INSTANTS {
            if !self.instant(draw) || self.not_applicable.is_some() {
                return;
            }
            let mut until = None;
            if self.script.is_over() {
                let ended = *over.get_or_insert(self.now);
                let pending =
                    self.recorder.oracle.pending(&self.case.named).map(|until| until + Micros(1));
                let tail = ended + TAIL;
                let goal = pending.unwrap_or(tail).max(tail).min(ended + LONGEST_TAIL);
                if self.now >= goal || self.script.missed().is_some() {
                    return;
                }
                until = Some(goal);
            }
            let timers = self.slots.iter().filter_map(|slot| slot.next);
            let next = timers
                .chain(self.world.next_deadline())
                .chain(self.script.deadline(&self.recorder.oracle))
                .chain(until)
                .min();
            match next {
                Some(next) => self.now = next.max(self.now),
                None => return,
            }
        }
        self.conduct.error =
            Some(format!("never-idle: more than {MOST_INSTANTS} instants by {}", self.now));
    }

    /// Everything that happens at this instant. False: the case cannot go on.
    fn instant(&mut self, draw: &mut Draw) -> bool {
        // What is overdue by now is, also when nothing else happens at this instant.
        self.recorder.oracle.advance(self.now);
        for _ in 0..MOST_ROUNDS {
            let mut busy = false;
            if self.world.next_deadline().is_some_and(|due| due <= self.now) {
                busy = true;
                let Self { world, recorder, slots, now, .. } = self;
                world.advance(*now, &mut Outlet { recorder, slots });
            }
            busy |= self.steps(draw);
            for at in 0..self.slots.len() {
                busy |= self.turn(at);
                if self.is_over() {
                    return false;
                }
            }
            if self.is_over() {
                return false;
            }
            if !busy {
                return true;
            }
        }
        self.conduct.error = Some(self.restless());
        false
    }

    /// Nothing more can come of the case.
    fn is_over(&self) -> bool {
        self.conduct.error.is_some() || self.interrupted || self.not_applicable.is_some()
    }

    /// Who keeps an instant from ending.
    fn restless(&self) -> String {
        let now = self.now;
        let due = |slot: &Slot| slot.next.is_some_and(|next| next <= now);
        let who = self.slots.iter().position(due).map(|at| &self.case.clients[at].name);
        let who = who.map_or_else(String::new, |name| {
            format!(": {name} wants one turn after the other, as if its clock stood still")
        });
        format!("never-idle: more than {MOST_ROUNDS} turns at {now}{who}")
    }

    /// Plays the steps that are due.
    fn steps(&mut self, draw: &mut Draw) -> bool {
        let mut busy = false;
        loop {
            let Self { slots, heard, calling, recorder, script, now, .. } = self;
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
                let Self { world, recorder, slots, .. } = self;
                world.link(now, client, link, &mut Outlet { recorder, slots });
            }
            Do::Server(act) => {
                let Self { world, recorder, slots, .. } = self;
                world.act(now, &act, &mut Outlet { recorder, slots });
            }
            Do::Release(client) => {
                let Self { world, recorder, slots, .. } = self;
                world.release(now, client, &mut Outlet { recorder, slots });
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
                    match world.mint(now, client, kind, life, &mut Outlet { recorder, slots }) {
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

    /// Gives a client its turn, if it has anything to do.
    fn turn(&mut self, at: usize) -> bool {
        let slot = &mut self.slots[at];
        if slot.inbox.is_empty() && slot.next.is_none_or(|next| next > self.now) {
            return false;
        }
        let input = std::mem::take(&mut slot.inbox);
        let Some(cast) = &mut self.cast else { return false };
        let turn = match cast.turn(at, self.now, input) {
            Ok(turn) => turn,
            Err(broken) => {
                self.breaks(broken);
                return false;
            }
        };
        let next = turn.next;
        slot.next = next;
        for output in turn.output {
            if self.recorder.n_events() > MOST_EVENTS {
                self.breaks(Broken::Fault(format!("flood: more than {MOST_EVENTS} events")));
                return false;
            }
            match output {
                Output::Observe(Observation::Unsupported { call }) => {
                    let op = self.slots[at]
                        .calls
                        .get(call as usize)
                        .map_or("it", |call| call.op.as_str())
                        .to_owned();
                    self.not_applicable = Some(format!("the client does not support {op}"));
                    return false;
                }
                Output::Observe(seen) => self.observe(at, seen),
                output => {
                    let Self { world, recorder, slots, now, .. } = self;
                    world.output(*now, at, output, &mut Outlet { recorder, slots });
                }
            }
        }
        if let Some(watch) = self.watch {
            watch.turn(self.now, &self.case.clients[at].name, next);
        }
        true
    }

    /// The case cannot go on.
    fn breaks(&mut self, broken: Broken) {
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

    /// A client that said when it would do something next does nothing when asked before.
    fn make_sure(&mut self) {
        let idle =
            |slot: &Slot| slot.inbox.is_empty() && slot.next.is_none_or(|next| next > self.now);
        if !self.slots.iter().all(idle) {
            return;
        }
        for at in 0..self.slots.len() {
            let Some(cast) = &mut self.cast else { return };
            let name = &self.case.clients[at].name;
            match cast.turn(at, self.now, Vec::new()) {
                Ok(turn) if turn.output.is_empty() => {}
                Ok(turn) => {
                    let said = self.slots[at].next.map_or_else(
                        || "that it had no timer".to_owned(),
                        |next| format!("that its next timer was due at {next}"),
                    );
                    let n = turn.output.len();
                    let text = format!(
                        "adapter-not-idle: {name} had said {said}, and did {n} more things when asked at {}",
                        self.now
                    );
                    self.conduct.error.get_or_insert(text);
                }
                Err(broken) => self.breaks(broken),
            }
        }
    }

    fn end(mut self) -> Played {
        self.conduct.missed = self.script.missed().map(ToString::to_string);
        if !self.is_over() {
            self.make_sure();
        }
        if let Some(cast) = self.cast.take() {
            let spoilt = self.conduct.error.is_some() || self.interrupted;
            let Ended { broken, stderr } = cast.end(spoilt, &|text| self.world.redact(text));
            self.stderr.push_str(&stderr);
            if let Some(broken) = broken {
                self.breaks(broken);
            }
        }
        let complete = self.conduct == Conduct::default() && self.not_applicable.is_none();
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
