//! How long a case takes with a conforming client: documented windows and exposures, no caps.
//!
//! An estimate from the script alone, on the safe side. Not responsible for playing anything.
//!
//! Invariant: it hangs on the case, the profile and the settings, on nothing that was measured.

use crate::play::TAIL;
use smol_str::SmolStr;
use stateline_core::oracle::Settings;
use stateline_core::profile::machine::{RowBody, Source, Target, Trigger};
use stateline_core::profile::{ClockIx, Length, Profile, RegisterIx, StateIx};
use stateline_core::scenario::{Act, Case, ClientIx, LinkAct, ServerAct, When};
use stateline_core::time::Micros;
use stateline_core::trace::Head;
use stateline_core::value::Value;

/// What a prohibition without a time of its own is exposed for, with its margin.
const EXPOSURE: Micros = Micros::from_secs(11);

/// When a conforming client is done with a case.
#[must_use]
pub fn planned(profile: &Profile, settings: &Settings, case: &Case) -> Micros {
    let late = profile.tolerance.late + settings.slack;
    let period = profile.wire.heartbeat.period;
    let mut plan = Plan {
        profile,
        now: Micros::ZERO,
        starts: Vec::new(),
        holds: Vec::new(),
        given: Vec::new(),
    };
    for step in case.preamble.iter().chain(&case.body) {
        match &step.act {
            Act::Reach { targets, .. } => {
                for (client, state) in targets {
                    plan.reach(*client, *state, late);
                }
            }
            Act::Call { client, op, args, settle } => {
                plan.begin(*client, &format!("call.{op}"));
                plan.given.extend(args.iter().map(|(name, value)| (*client, name, value)));
                if *settle {
                    plan.now += late;
                }
            }
            Act::Network { client, link, .. } => {
                if !matches!(link, LinkAct::Up | LinkAct::Delay(_)) {
                    plan.now += period;
                    plan.begin(*client, "link.down");
                    plan.begin(*client, "service.lost");
                } else {
                    plan.begin(*client, "link.up");
                }
            }
            Act::Server(act) => plan.server(act),
            Act::Wait(when) => plan.now = plan.now.max(plan.when(when)),
            Act::Expect { within, .. } => {
                plan.now += match within {
                    Length::Cap(_) => late,
                    length => settings.length(profile, *length),
                };
            }
            Act::Watch { .. } => plan.now += late,
        }
    }
    let ends = plan.holds.iter().map(|(_, end)| *end).max().unwrap_or_default();
    plan.now.max(ends) + TAIL.max(exposure(profile, settings, case))
}

struct Plan<'p> {
    profile: &'p Profile,
    now: Micros,
    starts: Vec<(ClientIx, ClockIx, Micros)>,
    holds: Vec<(ClientIx, Micros)>,
    /// The arguments of calls, in order.
    given: Vec<(ClientIx, &'p SmolStr, &'p Value)>,
}

impl Plan<'_> {
    /// Clocks that this word starts.
    fn begin(&mut self, client: ClientIx, word: &str) {
        for (ix, clock) in self.profile.clocks.iter().enumerate() {
            let starts = clock.start.iter().flat_map(|pattern| &pattern.heads);
            if starts
                .into_iter()
                .any(|head| Head::parse(self.profile.heads.text(*head)) == Head::parse(word))
            {
                self.starts.retain(|(who, have, _)| (*who, *have) != (client, ix));
                self.starts.push((client, ix, self.now));
            }
        }
    }

    fn start(&self, client: ClientIx, clock: ClockIx) -> Option<Micros> {
        self.starts
            .iter()
            .find(|(who, have, _)| (*who, *have) == (client, clock))
            .map(|(_, _, at)| *at)
    }

    /// The seconds that a register holds: what the last call gave for an argument that a row remembers in it.
    fn given(&self, client: ClientIx, register: RegisterIx) -> Micros {
        let sets = self.profile.rows.iter().flat_map(|row| &row.set);
        let fields =
            sets.filter(|set| set.register == register).filter_map(|set| match &set.value {
                Source::Trigger(field) => Some(field),
                _ => None,
            });
        let last = |field| {
            let given =
                self.given.iter().rev().find(|(who, name, _)| (*who, *name) == (client, field));
            given.and_then(|(_, _, value)| value.as_num())
        };
        let seconds = fields.filter_map(last).fold(0.0, f64::max);
        Micros::from_ms(seconds * 1_000.0)
    }

    fn when(&self, when: &When) -> Micros {
        when.base.and_then(|(client, clock)| self.start(client, clock)).unwrap_or(self.now)
            + when.max
    }

    /// A state is reached when its slowest row may be, and not before a hold ends.
    fn reach(&mut self, client: ClientIx, state: StateIx, late: Micros) {
        let timed = self.profile.rows.iter().filter_map(|row| match &row.body {
            RowBody::Expect(expect) if expect.to == Target::State(state) => match expect.trigger {
                Trigger::Since(clock) => {
                    let later = expect.after_register.map(|register| self.given(client, register));
                    self.start(client, clock)
                        .map(|start| start + expect.after + later.unwrap_or_default())
                }
                Trigger::On(_) => None,
            },
            _ => None,
        });
        let slowest = timed.max().unwrap_or_default();
        let held = self.holds.iter().filter(|(who, _)| *who == client).map(|(_, end)| *end).max();
        self.now = self.now.max(slowest).max(held.unwrap_or_default()) + late;
    }

    fn server(&mut self, act: &ServerAct) {
        match act {
            ServerAct::Hold { client, until } => {
                let end = self.when(until);
                self.holds.push((*client, end));
            }
            ServerAct::Restart(down) => self.now += *down,
            ServerAct::Mute(client, true) | ServerAct::Close(client) => {
                self.begin(*client, "service.lost")
            }
            _ => {}
        }
    }
}

/// What the rows that the case names need after its script.
fn exposure(profile: &Profile, settings: &Settings, case: &Case) -> Micros {
    let rows =
        profile.rows.iter().filter(|row| row.req.iter().any(|req| case.named.contains(&req.req)));
    rows.map(|row| match &row.body {
        RowBody::Never(never) => match (&never.on, never.exposure) {
            (_, Some(exposure)) => exposure,
            (Some((_, Some(length))), None) => settings.length(profile, *length),
            _ => EXPOSURE,
        },
        RowBody::Keep(keep) => match keep.every {
            Length::Cap(_) => Micros::ZERO,
            every => settings.length(profile, every),
        },
        _ => Micros::ZERO,
    })
    .max()
    .unwrap_or_default()
}
