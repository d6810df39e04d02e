//! The steps of a case: what is done next, and what is waited for.
//!
//! Not responsible for doing it: the executor asks [`Script::next`] and carries it out. A script
//! steers; when what it waits for does not come, it says so and ends, and judges nothing.
//!
//! Invariant: every wait has an end.

use crate::draw::Draw;
use smol_str::SmolStr;
use stateline_core::oracle::{Oracle, Settings};
use stateline_core::profile::machine::{Constraint, Pattern};
use stateline_core::profile::{Profile, StateIx};
use stateline_core::scenario::{Act, Case, ClientIx, LinkAct, ServerAct, Step, When};
use stateline_core::time::Micros;
use stateline_core::trace::Event;
use stateline_core::value::Fields;
use std::collections::VecDeque;

/// How long a step waits for something that the table sets no time for.
const PATIENCE: Micros = Micros::from_secs(250);
/// How long a cut waits for something to be heard before it happens anyway.
const BEAT_PATIENCE: Micros = Micros::from_secs(3);

/// A case being played.
pub struct Script<'c> {
    case: &'c Case,
    profile: &'c Profile,
    settings: &'c Settings,
    at: usize,
    /// What is left of the step at hand.
    queue: VecDeque<Item<'c>>,
    holds: Vec<Held<'c>>,
    missed: Option<SmolStr>,
}

/// One part of a step.
enum Item<'c> {
    Do(Do),
    Wait(Wait<'c>),
}

/// A wait with its end.
struct Wait<'c> {
    until: Until<'c>,
    /// When waiting ends in vain.
    give_up: Micros,
    step: &'c Step,
}

/// What a step waits for.
enum Until<'c> {
    /// An instant.
    At(Micros),
    /// That long after the start of a clock.
    Clock(&'c When, Micros),
    /// These states; a state that was passed through counts.
    States(Vec<(ClientIx, StateIx)>),
    /// The end of the call that this client made last.
    Call(ClientIx),
    /// This client hears something.
    Beat(ClientIx),
    /// Something is seen of this client.
    Seen(ClientIx, &'c Pattern),
    /// This client owes nothing.
    Owes(ClientIx),
}

/// Login requests that are held.
struct Held<'c> {
    client: ClientIx,
    until: &'c When,
    offset: Micros,
    /// Counted from the hold itself.
    from: Micros,
}

impl Held<'_> {
    fn end(&self, oracle: &Oracle<'_>) -> Option<Micros> {
        match self.until.base {
            None => Some(self.from + self.offset),
            Some((client, clock)) => oracle.clock(client, clock).map(|start| start + self.offset),
        }
    }
}

/// What the executor does for a script.
#[derive(Clone, Debug)]
pub enum Do {
    /// Writes the step into the trace.
    Note(SmolStr),
    /// Makes a call.
    Call {
        /// Whose.
        client: ClientIx,
        /// Which.
        op: SmolStr,
        /// Its arguments.
        args: Fields,
    },
    /// Changes a link.
    Link(ClientIx, LinkAct),
    /// Lets the server act.
    Server(ServerAct),
    /// Ends a hold.
    Release(ClientIx),
}

/// What a script looks at.
pub struct Look<'a, 'p> {
    /// The instant.
    pub now: Micros,
    /// The oracle.
    pub oracle: &'a Oracle<'p>,
    /// Clients that heard something since the script looked last.
    pub heard: &'a [bool],
    /// Events since the script looked last.
    pub fresh: &'a [Event],
    /// Clients whose last call has not completed.
    pub calling: &'a [bool],
}

impl<'c> Script<'c> {
    /// The script of a case.
    #[must_use]
    pub fn new(case: &'c Case, profile: &'c Profile, settings: &'c Settings) -> Self {
        Self {
            case,
            profile,
            settings,
            at: 0,
            queue: VecDeque::new(),
            holds: Vec::new(),
            missed: None,
        }
    }

    /// What a step waited for in vain.
    #[must_use]
    pub const fn missed(&self) -> Option<&SmolStr> {
        self.missed.as_ref()
    }

    /// Whether all steps are done.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.missed.is_some() || (self.queue.is_empty() && self.step().is_none())
    }

    /// When the script wants to look again by itself.
    #[must_use]
    pub fn deadline(&self, oracle: &Oracle<'_>) -> Option<Micros> {
        let wait = match self.queue.front() {
            Some(Item::Wait(wait)) => {
                let due = match &wait.until {
                    Until::At(at) => Some(*at),
                    Until::Clock(when, offset) => start(oracle, when).map(|start| start + *offset),
                    Until::Owes(client) => oracle.owes(*client).map(|until| until + Micros(1)),
                    _ => None,
                };
                Some(due.map_or(wait.give_up, |due| due.min(wait.give_up)))
            }
            _ => None,
        };
        wait.into_iter().chain(self.holds.iter().filter_map(|held| held.end(oracle))).min()
    }

    /// What to do now; `None` when there is nothing before something happens.
    pub fn next(&mut self, look: &Look<'_, '_>, draw: &mut Draw) -> Option<Do> {
        let due = self
            .holds
            .iter()
            .position(|held| held.end(look.oracle).is_some_and(|at| at <= look.now));
        if let Some(due) = due {
            return Some(Do::Release(self.holds.remove(due).client));
        }
        while self.missed.is_none() {
            match self.queue.front() {
                None => {
                    let step = self.step()?;
                    self.at += 1;
                    self.begin(step, look, draw);
                    return Some(Do::Note(step.text.clone()));
                }
                Some(Item::Wait(_)) => {
                    self.tick_off(look);
                    let Some(Item::Wait(wait)) = self.queue.front() else { return None };
                    if !self.is_met(wait, look) {
                        if look.now < wait.give_up {
                            return None;
                        }
                        // A cut that waits for a beat, and a client that owes for ever, are no
                        // reason to stop.
                        if !matches!(wait.until, Until::Beat(_) | Until::Owes(_)) {
                            self.missed = Some(wait.step.text.clone());
                        }
                    }
                    self.queue.pop_front();
                }
                Some(Item::Do(_)) => match self.queue.pop_front() {
                    Some(Item::Do(act)) => return Some(act),
                    _ => return None,
                },
            }
        }
        None
    }

    fn step(&self) -> Option<&'c Step> {
        let preamble = self.case.preamble.len();
        if self.at < preamble {
            self.case.preamble.get(self.at)
        } else {
            self.case.body.get(self.at - preamble)
        }
    }

    fn is_met(&self, wait: &Wait<'_>, look: &Look<'_, '_>) -> bool {
        match &wait.until {
            Until::At(at) => *at <= look.now,
            Until::Clock(when, offset) => {
                start(look.oracle, when).is_some_and(|start| start + *offset <= look.now)
            }
            Until::States(left) => left.is_empty(),
            Until::Call(client) => !look.calling[*client],
            Until::Beat(client) => look.heard[*client],
            Until::Seen(client, pattern) => {
                look.fresh.iter().any(|event| self.is_seen(event, *client, pattern))
            }
            Until::Owes(client) => look.oracle.owes(*client).is_none(),
        }
    }

    /// Ticks off the states that were reported since the wait began.
    fn tick_off(&mut self, look: &Look<'_, '_>) {
        let Some((_, machine)) = self.profile.main_machine() else { return };
        let Some(Item::Wait(Wait { until: Until::States(left), .. })) = self.queue.front_mut()
        else {
            return;
        };
        left.retain(|(client, state)| {
            let reported = look.fresh.iter().any(|event| {
                event.client.as_ref() == Some(&self.case.clients[*client].name)
                    && event.kind == "state"
                    && event.data.text("state") == Some(machine.states[*state].as_str())
            });
            // A state that nobody reports is there when the table says so, and what the client had to tell of the
            // way is told: steps do not come between a frame and what its client makes of it.
            let shown = self.profile.reports_states() || look.oracle.is_settled(*client);
            !(reported || shown && look.oracle.state(*client) == Some(*state))
        });
    }

    /// Steering looks at words and plain values only.
    fn is_seen(&self, event: &Event, client: ClientIx, pattern: &Pattern) -> bool {
        let words = self.profile.heads.of(event.head());
        let value = |name: &str| event.data.get(name).cloned().unwrap_or_default();
        event.client.as_ref() == Some(&self.case.clients[client].name)
            && pattern.heads.iter().any(|head| words.contains(&Some(*head)))
            && pattern.fields.iter().all(|(name, want)| match want {
                Constraint::OneOf(list) => list.iter().any(|have| have.means(&value(name))),
                Constraint::NoneOf(list) => !list.iter().any(|have| have.means(&value(name))),
                Constraint::Own => {
                    value(name).as_text() == Some(self.case.clients[client].uid.as_str())
                }
                _ => true,
            })
    }

    /// Puts the parts of a step into the queue.
    fn begin(&mut self, step: &'c Step, look: &Look<'_, '_>, draw: &mut Draw) {
        let now = look.now;
        let patience =
            self.holds.iter().filter_map(|held| held.end(look.oracle)).fold(now, Micros::max)
                + PATIENCE;
        let wait = |until, give_up| Item::Wait(Wait { until, give_up, step });
        match &step.act {
            Act::Reach { targets, perform } => {
                if *perform {
                    // Calls may have to be made in a hidden state that is the same before and after them.
                    let hidden = !self.profile.reports_states();
                    for (client, state) in targets.iter().filter(|(client, state)| {
                        hidden || look.oracle.state(*client) != Some(*state)
                    }) {
                        let calls: Vec<_> = self.recipe(*client, *state).map(Item::Do).collect();
                        self.queue.extend(calls);
                    }
                }
                self.queue.push_back(wait(Until::States(targets.clone()), patience));
            }
            Act::Call { client, op, args, settle } => {
                self.queue.push_back(Item::Do(Do::Call {
                    client: *client,
                    op: op.clone(),
                    args: args.clone(),
                }));
                if *settle {
                    self.queue.push_back(wait(Until::Call(*client), patience));
                }
            }
            Act::Network { client, link, on_beat } => {
                match link {
                    LinkAct::Up | LinkAct::Delay(_) => {}
                    _ if *on_beat => {
                        self.queue.push_back(wait(Until::Beat(*client), now + BEAT_PATIENCE))
                    }
                    _ => {
                        let phase = draw.between(Micros::ZERO, self.profile.wire.heartbeat.period);
                        self.queue.push_back(wait(Until::At(now + phase), Micros::MAX));
                    }
                }
                self.queue.push_back(Item::Do(Do::Link(*client, *link)));
            }
            Act::Server(act) => {
                if let ServerAct::Hold { client, until } = act {
                    let offset = draw.between(until.min, until.max);
                    self.holds.push(Held { client: *client, until, offset, from: now });
                }
                self.queue.push_back(Item::Do(Do::Server(act.clone())));
            }
            Act::Wait(when) => {
                let offset = draw.between(when.min, when.max);
                self.queue.push_back(match when.base {
                    None => wait(Until::At(now + offset), Micros::MAX),
                    Some(_) => wait(Until::Clock(when, offset), patience + offset),
                });
            }
            Act::Expect { client, pattern, within } => {
                let until = now + self.settings.length(self.profile, *within) + self.settings.slack;
                self.queue.push_back(wait(Until::Seen(*client, pattern), until));
            }
            Act::Watch { client } => self.queue.push_back(wait(Until::Owes(*client), patience)),
        }
    }

    /// The calls that lead to a state, as the profile names them.
    fn recipe(&self, client: ClientIx, state: StateIx) -> impl Iterator<Item = Do> {
        let machine = self.profile.main_machine().map(|(_, machine)| machine);
        let calls = machine.and_then(|machine| self.profile.reach.get(&machine.states[state]));
        calls.into_iter().flatten().map(move |(op, args)| Do::Call {
            client,
            op: op.clone(),
            args: args.clone(),
        })
    }
}

fn start(oracle: &Oracle<'_>, when: &When) -> Option<Micros> {
    when.base.and_then(|(client, clock)| oracle.clock(client, clock))
}
