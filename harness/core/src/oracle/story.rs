//! What the table expected of each client while a case went on: states and waits, for timelines.
//!
//! It watches the first configuration of each group, which is the one that findings speak of. Not
//! responsible for judging: whether it watches or not, the judgements are the same.
//!
//! Invariant: each wait ends at most once, and no stay overlaps another of its client.

use super::client::Client;
use super::config::Open;
use super::words::pattern_text;
use crate::profile::machine::{Expect, Modality, RowBody};
use crate::profile::{Profile, ReqIx, RowIx};
use crate::record::{End, Force, Stay, Story, Wait};
use crate::time::Micros;
use smol_str::SmolStr;

/// Watches an oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct Teller {
    story: Story,
    /// What goes on: its place in the story.
    running: Vec<Running>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    client: usize,
    group: usize,
    row: RowIx,
    cause: u32,
    force: Force,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    key: Key,
    at: usize,
}

/// A wait as a configuration has it now.
struct Seen {
    key: Key,
    wait: Wait,
    withdrawn: bool,
    overdue: bool,
}

/// What moved the clients on: an event, or time alone.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Micros,
    pub(super) n: Option<u32>,
}

impl Teller {
    /// Compares with what was seen before. `met` are the rows that were closed by what they wait for, each
    /// with its cause.
    pub(super) fn look(
        &mut self,
        profile: &Profile,
        clients: &[Client],
        met: &[(RowIx, u32)],
        now: Moment,
    ) {
        for client in clients {
            self.stay(profile, client, now);
        }
        let seen: Vec<Seen> = clients
            .iter()
            .enumerate()
            .flat_map(|(at, client)| waits(profile, at, client, now))
            .collect();
        let Self { story, running } = self;
        running.retain(|have| {
            let wait = &mut story.waits[have.at];
            let still = seen.iter().find(|seen| seen.key == have.key);
            let end = match still {
                Some(seen) if seen.overdue => End::Overdue,
                Some(seen) if seen.withdrawn => End::Withdrawn,
                Some(_) => return true,
                None if met.contains(&(have.key.row, have.key.cause)) => End::Met,
                None => End::Over,
            };
            wait.end = end;
            wait.ended =
                Some(if end == End::Overdue { wait.until.unwrap_or(now.at) } else { now.at });
            wait.by = now.n.filter(|_| end != End::Overdue);
            false
        });
        for Seen { key, wait, withdrawn, overdue } in seen {
            let known = running.iter().any(|have| have.key == key);
            if !known && !withdrawn && !overdue {
                running.push(Running { key, at: story.waits.len() });
                story.waits.push(wait);
            }
        }
    }

    fn stay(&mut self, profile: &Profile, client: &Client, now: Moment) {
        let Some((_, machine)) = profile.main_machine() else { return };
        let Some(config) = client.groups.first().map(|group| &group.configs[0]) else { return };
        let Some(state) = machine.states.get(config.state) else { return };
        let last = self.story.stays.iter_mut().rev().find(|stay| stay.client == client.name);
        let first = last.is_none();
        if let Some(last) = last {
            if last.state == *state {
                return;
            }
            last.to = Some(now.at);
        }
        self.story.stays.push(Stay {
            client: client.name.clone(),
            state: state.clone(),
            from: now.at,
            to: None,
            n: now.n,
            row: config.via.map(|row| profile.rows[row].id.clone()),
            allowed: first || config.via.is_some(),
        });
    }

    /// The story, at the end of the case.
    pub(super) fn end(mut self, now: Micros) -> Story {
        for stay in self.story.stays.iter_mut().filter(|stay| stay.to.is_none()) {
            stay.to = Some(now);
        }
        self.story
    }
}

/// What a client's first configurations wait for.
fn waits(profile: &Profile, at: usize, client: &Client, now: Moment) -> Vec<Seen> {
    let mut seen = Vec::new();
    let groups = client.groups.iter().enumerate();
    for (group, config) in groups
        .filter(|(_, group)| !group.is_server(profile))
        .map(|(ix, group)| (ix, &group.configs[0]))
    {
        let key = |row, cause, force| Key { client: at, group, row, cause, force };
        let wait = |row: RowIx, req: Option<ReqIx>, cause: u32, force: Force| Wait {
            client: client.name.clone(),
            row: profile.rows[row].id.clone(),
            requirement: req.map(|req| profile.requirements[req].id.clone()),
            force,
            wanted: SmolStr::default(),
            cause,
            from: now.at,
            until: None,
            ended: None,
            by: None,
            end: End::Open,
        };
        for open in config.open.iter().filter(|open| !open.watch) {
            let Some(expect) = expect_of(profile, open) else { continue };
            // A demand that was withdrawn turns into a permission; it is the same wait.
            let force = match expect.modality {
                Modality::Must => Force::Must,
                Modality::May => Force::May,
            };
            seen.push(Seen {
                key: key(open.row, open.cause, force),
                wait: Wait {
                    wanted: pattern_text(profile, &expect.emit).into(),
                    from: open.lo,
                    until: open.hi,
                    ..wait(open.row, open.req, open.cause, force)
                },
                withdrawn: open.withdrawn.is_some(),
                overdue: open.overdue,
            });
        }
        for armed in &config.armed {
            let RowBody::Never(never) = &profile.rows[armed.row].body else { continue };
            let cause = armed.trigger.event.n;
            seen.push(Seen {
                key: key(armed.row, cause, Force::Never),
                wait: Wait {
                    wanted: pattern_text(profile, &never.pattern).into(),
                    from: armed.from,
                    until: armed.until,
                    ..wait(armed.row, armed.req, cause, Force::Never)
                },
                withdrawn: false,
                overdue: false,
            });
        }
    }
    seen
}

fn expect_of<'p>(profile: &'p Profile, open: &Open) -> Option<&'p Expect> {
    match &profile.rows[open.row].body {
        RowBody::Expect(expect) => Some(expect),
        _ => None,
    }
}
