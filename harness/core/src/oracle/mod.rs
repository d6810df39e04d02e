//! The oracle: judges a trace by a profile.
//!
//! It keeps, for each client, the set of configurations that the table allows, and reports what
//! none of them explains, what is overdue in all of them, what a `never` forbids, and what breaks
//! a count or a rate. The modules: [`index`] (which rows an event touches), `facts` (clocks and
//! guards), `config`, `group`, `moves`, `windows` and `overdue` (configurations and how events and time
//! move them), `duty` (what lasts),
//! `calls`, `attribution` (names what is unexplained), `judge` (grades and collects), `story` (what was
//! expected, for timelines), `sight` (dials that nobody can see), [`verdict`].
//!
//! Not responsible for playing scenarios or knowing any clock: events bring their times.
//!
//! Invariant: judging is a function of the trace alone. The same events give the same findings,
//! whether they come one by one from a run or at once from its record.

mod attribution;
mod calls;
mod client;
mod config;
mod duty;
mod facts;
mod group;
pub mod index;
mod judge;
mod moves;
mod overdue;
mod sight;
mod story;
pub mod verdict;
mod windows;
mod words;

use crate::profile::machine::Modality;
use crate::profile::{CapIx, ClockIx, Length, Profile, ReqIx, RowIx, StateIx};
use crate::record::{CellSeen, Choice, Finding, Judgement, MoveSeen, Story};
use crate::time::Micros;
use crate::trace::Event;
use client::Client;
use index::{Index, Words};
use judge::Judge;
use overdue::Soonest;
use smol_str::SmolStr;
use std::rc::Rc;
use story::{Moment, Teller};
pub use words::pattern_text;

/// More configurations than this make a case INCONCLUSIVE.
pub const MAX_CONFIGURATIONS: usize = 64;

/// What the user can set about judging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Added to the late side of every window.
    pub slack: Micros,
    /// The policy caps in force, in the order of the profile's.
    pub caps: Vec<Micros>,
    /// A breach of a SHOULD fails.
    pub strict: bool,
}

impl Settings {
    /// The profile's own caps, no slack.
    #[must_use]
    pub fn of(profile: &Profile) -> Self {
        Self { slack: Micros::ZERO, caps: profile.caps.values().copied().collect(), strict: false }
    }

    /// A duration as a table writes it.
    #[must_use]
    pub fn length(&self, profile: &Profile, length: Length) -> Micros {
        match length {
            Length::Fixed(time) => time,
            Length::Late => profile.tolerance.late,
            Length::Cap(cap) => self.cap(cap),
        }
    }

    fn cap(&self, cap: CapIx) -> Micros {
        self.caps.get(cap).copied().unwrap_or(Micros::MAX)
    }
}

/// What a case is judged by.
#[derive(Clone, Copy, Debug)]
struct Law<'p> {
    profile: &'p Profile,
    index: &'p Index,
    settings: &'p Settings,
}

/// Judges one case while its trace grows.
#[derive(Clone, Debug)]
pub struct Oracle<'p> {
    law: Law<'p>,
    clients: Vec<Client>,
    judge: Judge,
    now: Micros,
    /// Nothing is due before this; a lower bound.
    next: Option<Micros>,
    teller: Option<Teller>,
}

/// What the oracle found in a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What was judged of each requirement that was exercised, in the order of the catalogue.
    pub requirements: Vec<(ReqIx, Judgement)>,
    /// Breaches that fail, in order.
    pub findings: Vec<Finding>,
    /// Breaches that warn, in order.
    pub warnings: Vec<Finding>,
    /// What the clients chose.
    pub choices: Vec<Choice>,
    /// The cells of the grid that were exercised.
    pub cells: Vec<CellSeen>,
    /// The rows that were triggered, armed or in force, in the order of the table.
    pub rows: Vec<RowIx>,
    /// The changes of state that were seen.
    pub moves: Vec<MoveSeen>,
    /// What the table expected as the case went on; empty unless it was asked for.
    pub story: Story,
    /// Too many configurations to follow.
    pub overflow: bool,
}

impl<'p> Oracle<'p> {
    /// An oracle for a case with these clients: name and user.
    #[must_use]
    pub fn new(
        profile: &'p Profile,
        index: &'p Index,
        settings: &'p Settings,
        clients: impl IntoIterator<Item = (SmolStr, SmolStr)>,
    ) -> Self {
        let clients =
            clients.into_iter().map(|(name, uid)| Client::new(profile, index, name, uid)).collect();
        let mut oracle = Self {
            law: Law { profile, index, settings },
            clients,
            judge: Judge::new(profile),
            now: Micros::ZERO,
            next: None,
            teller: None,
        };
        for client in &mut oracle.clients {
            client.start(oracle.law, &mut oracle.judge);
        }
        oracle.look_ahead();
        oracle
    }

    /// The same oracle, which also keeps what the table expected. To be asked for before the first event.
    #[must_use]
    pub fn telling(mut self) -> Self {
        self.teller = Some(Teller::default());
        self.judge.met = Some(Vec::new());
        self.tell(None);
        self
    }

    fn tell(&mut self, n: Option<u32>) {
        if let (Some(teller), Some(met)) = (&mut self.teller, &mut self.judge.met) {
            let now = Moment { at: self.now, n };
            teller.look(self.law.profile, &self.clients, met, now);
            met.clear();
        }
    }

    /// Takes in the next event of the trace.
    pub fn observe(&mut self, event: &Event) {
        self.advance(event.at);
        let words: Words = self.law.profile.heads.of(event.head()).into_iter().flatten().collect();
        let Some(at) = event
            .client
            .as_ref()
            .and_then(|name| self.clients.iter().position(|client| client.name == *name))
        else {
            return;
        };
        let law = self.law;
        let index = law.index;
        let quiet = words.iter().all(|head| index.touched(*head).only_keeps);
        if quiet && !sight::turns(event) {
            if !words.is_empty() {
                self.clients[at].beat(law, event, &words);
            }
            return;
        }
        let event = Rc::new(event.clone());
        if words.iter().any(|head| !index.touched(*head).nevers_of_self.is_empty()) {
            for client in self.clients.iter_mut() {
                if event.data.text("uid") == Some(client.uid.as_str())
                    && event.client.as_ref() != Some(&client.name)
                {
                    client.seen_by_other(law, &event, &words, &mut self.judge);
                }
            }
        }
        self.clients[at].event(law, &event, &words, &mut self.judge);
        self.tell(Some(event.n));
        self.look_ahead();
    }

    /// Lets time pass: whatever is overdue strictly before `now` is found, in order.
    pub fn advance(&mut self, now: Micros) {
        while let Some(next) = self.next.filter(|next| *next < now) {
            let at = Micros(next.0 + 1).max(self.now);
            self.now = at;
            for client in &mut self.clients {
                client.deadlines(self.law, at, &mut self.judge);
            }
            self.tell(None);
            self.look_ahead();
        }
        self.now = self.now.max(now);
    }

    fn look_ahead(&mut self) {
        let mut soonest = Soonest::from(self.now);
        for client in &self.clients {
            client.deadline(self.law, self.now, &mut soonest);
        }
        self.next = soonest.at;
    }

    /// When something next becomes overdue or decided; a lower bound.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Micros> {
        self.next
    }

    /// When all that is still open of what the case names, and of what is documented with a time,
    /// will have been decided; `None` when nothing is open.
    #[must_use]
    pub fn pending(&self, named: &[ReqIx]) -> Option<Micros> {
        let wanted = |req: ReqIx| {
            // What was only warned of may still fail.
            named.contains(&req)
                && matches!(
                    self.judge.statuses[req],
                    None | Some(Judgement::Undetermined | Judgement::Warned)
                )
        };
        self.clients
            .iter()
            .filter_map(|client| client.pending(self.law, self.now, &wanted))
            .max()
            .filter(|until| *until >= self.now)
    }

    /// When a client will owe nothing that is documented with a time.
    #[must_use]
    pub fn owes(&self, client: usize) -> Option<Micros> {
        self.clients[client]
            .pending(self.law, self.now, &|_| false)
            .filter(|until| *until >= self.now)
    }

    /// The state that a client is in, by the table.
    #[must_use]
    pub fn state(&self, client: usize) -> Option<StateIx> {
        self.clients[client].state()
    }

    /// Whether a client owes nothing that is due by now, so that a script may go on from a hidden state: what it
    /// reports of the way there has been seen, or is overdue. What only a cap limits is not waited for.
    #[must_use]
    pub fn is_settled(&self, client: usize) -> bool {
        let profile = self.law.profile;
        let due = |open: &config::Open| {
            open.lo <= self.now
                && !(open.watch || open.overdue || open.warn.is_some())
                && open.modality == Modality::Must
                && index::demands(&profile.rows[open.row].body)
        };
        let groups = &self.clients[client].groups;
        !groups
            .iter()
            .filter(|group| !group.is_server(profile))
            .any(|group| group.configs[0].open.iter().any(due))
    }

    /// When a clock of a client started: the last byte heard, for a silent link.
    #[must_use]
    pub fn clock(&self, client: usize, clock: ClockIx) -> Option<Micros> {
        let clock = &self.clients[client].clocks[clock];
        clock.started.then_some(clock.heard)
    }

    /// Whether a client has violated something.
    #[must_use]
    pub fn failed(&self) -> bool {
        !self.judge.findings.is_empty()
    }

    /// Ends the case at `now`; `complete` when its script was played to the end.
    #[must_use]
    pub fn finish(mut self, now: Micros, complete: bool) -> Judged {
        self.advance(now);
        let law = self.law;
        let profile = law.profile;
        let mut overflow = false;
        for client in &mut self.clients {
            client.finish(law, now, complete, &mut self.judge);
            overflow |= client.groups.iter().any(|group| group.overflow);
        }
        let states: &[SmolStr] = profile.main_machine().map_or(&[], |(_, machine)| &machine.states);
        let name = |state: StateIx| states.get(state).cloned().unwrap_or_default();
        let Judge { statuses, findings, warnings, choices, cells, rows, moves, .. } = self.judge;
        Judged {
            requirements: statuses
                .into_iter()
                .enumerate()
                .filter_map(|(req, status)| Some((req, status?)))
                .collect(),
            findings,
            warnings,
            choices,
            cells: cells
                .into_iter()
                .map(|(state, stimulus, violated)| CellSeen {
                    state: name(state),
                    stimulus: profile.grid.stimuli[stimulus].id.clone(),
                    violated,
                })
                .collect(),
            rows: rows
                .into_iter()
                .enumerate()
                .filter_map(|(row, seen)| seen.then_some(row))
                .collect(),
            moves: moves
                .into_iter()
                .map(|(from, to, row)| MoveSeen {
                    from: name(from),
                    to: name(to),
                    row: row.map(|row| profile.rows[row].id.clone()),
                })
                .collect(),
            story: self.teller.map_or_else(Story::default, |teller| teller.end(now)),
            overflow,
        }
    }
}
