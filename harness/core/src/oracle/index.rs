//! Which rows, clocks and stimuli an event touches, by its word.
//!
//! Built once per profile and shared by all cases. Not responsible for guards or fields; those are
//! looked at when an event arrives.
//!
//! Invariant: an event whose words are not in here changes nothing but the time.

use crate::profile::grid::{StimulusIs, StimulusIx};
use crate::profile::machine::{Modality, Pattern, RowBody, Trigger};
use crate::profile::{ClockIx, HeadIx, MachineIx, Profile, RowIx};
use crate::trace::Head;
use smallvec::SmallVec;

/// What one word touches.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    /// Rows that it may open, arm or fire.
    pub(super) triggers: Vec<RowIx>,
    /// Rows that it may withdraw.
    pub(super) cancels: Vec<RowIx>,
    /// Rows that it may close.
    pub(super) closes: Vec<RowIx>,
    /// Rows that may forbid it.
    pub(super) nevers: Vec<RowIx>,
    /// Rows that may forbid it when another client sees it about this one.
    pub(super) nevers_of_self: Vec<RowIx>,
    /// Rows that demand it again and again.
    pub(super) keeps: Vec<RowIx>,
    /// Clocks that it may start.
    pub(super) starts: Vec<ClockIx>,
    /// Clocks that it may stop.
    pub(super) stops: Vec<ClockIx>,
    /// Columns of the grid that it may be.
    pub(super) stimuli: Vec<StimulusIx>,
    /// The machine that owns it.
    pub(super) owner: Option<MachineIx>,
    /// Calls that it opens or completes.
    pub(super) settles: Vec<RowIx>,
    /// Value rules, as machine and position.
    pub(super) values: Vec<(MachineIx, usize)>,
    /// The groups that it may open, withdraw or close rows of, or owns it, as bits.
    pub(super) groups: u64,
    /// Nothing but heartbeats hang on it.
    pub(super) only_keeps: bool,
}

/// The index of a profile.
#[derive(Clone, Debug)]
pub struct Index {
    touched: Vec<Touched>,
    /// Rows that hang on a clock.
    pub(super) since: Vec<Vec<RowIx>>,
    /// Rows that forbid for as long as a state lasts.
    pub(super) while_nevers: Vec<RowIx>,
    /// Rows that demand again and again.
    pub(super) keeps: Vec<RowIx>,
    /// Groups of machines that share configurations, by leader, with their members.
    pub(super) groups: Vec<(MachineIx, Vec<MachineIx>)>,
    /// For each machine its group.
    pub(super) group_of: Vec<usize>,
    /// Whether a row of an attempt or a frame needs the network up to be a temptation.
    pub(super) needs_network: Vec<bool>,
    /// The word for an attempt.
    pub(super) attempt: Option<HeadIx>,
    /// The words for dials, which may be hidden.
    pub(super) dials: SmallVec<[HeadIx; 2]>,
    /// For each row whether what it demands or forbids is a dial.
    pub(super) waits_for_dial: Vec<bool>,
    /// Rows that a dial opens, or starts the clock of.
    pub(super) opened_by_dial: Vec<RowIx>,
    /// Rows that a dial withdraws, or stops the clock of.
    pub(super) ended_by_dial: Vec<RowIx>,
}

/// The words of one event: at most its own and its kind.
pub(super) type Words = SmallVec<[HeadIx; 2]>;

impl Index {
    /// Indexes a profile.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        let mut groups: Vec<(MachineIx, Vec<MachineIx>)> = Vec::new();
        let mut group_of = Vec::new();
        for (ix, machine) in profile.machines.iter().enumerate() {
            let group = groups
                .iter()
                .position(|(leader, _)| *leader == machine.leader)
                .unwrap_or_else(|| {
                    groups.push((machine.leader, Vec::new()));
                    groups.len() - 1
                });
            groups[group].1.push(ix);
            group_of.push(group);
        }
        let mut index = Self {
            touched: vec![Touched::default(); profile.heads.len()],
            since: vec![Vec::new(); profile.clocks.len()],
            while_nevers: Vec::new(),
            keeps: Vec::new(),
            groups,
            group_of,
            needs_network: Vec::new(),
            attempt: (0..profile.heads.len())
                .filter_map(|ix| HeadIx::try_from(ix).ok())
                .find(|ix| profile.heads.text(*ix) == "attempt"),
            dials: (0..profile.heads.len())
                .filter_map(|ix| HeadIx::try_from(ix).ok())
                .filter(|ix| {
                    matches!(Head::parse(profile.heads.text(*ix)).kind, "attempt" | "dial")
                })
                .collect(),
            waits_for_dial: Vec::new(),
            opened_by_dial: Vec::new(),
            ended_by_dial: Vec::new(),
        };
        for (ix, row) in profile.rows.iter().enumerate() {
            index.add_row(profile, ix, &row.body);
            index.add_dials(profile, ix, &row.body);
        }
        for (ix, clock) in profile.clocks.iter().enumerate() {
            index.each(&clock.start, |touched| touched.starts.push(ix));
            index.each(&clock.stop, |touched| touched.stops.push(ix));
        }
        for (ix, stimulus) in profile.grid.stimuli.iter().enumerate() {
            if let StimulusIs::On(patterns) = &stimulus.is {
                index.each(patterns, |touched| touched.stimuli.push(ix));
            }
        }
        for (ix, machine) in profile.machines.iter().enumerate() {
            if machine.otherwise.is_some() {
                for head in &machine.owns {
                    index.touched[usize::from(*head)].owner = Some(ix);
                }
            }
            for (at, rule) in machine.values.iter().enumerate() {
                index.touched[usize::from(rule.head)].values.push((ix, at));
            }
        }
        for touched in &mut index.touched {
            let rows = touched.triggers.iter().chain(&touched.cancels).chain(&touched.closes);
            let machines = rows.map(|row| profile.rows[*row].machine).chain(touched.owner);
            touched.groups = machines.fold(0, |bits, machine| bits | 1 << index.group_of[machine]);
            touched.only_keeps = touched.triggers.is_empty()
                && touched.cancels.is_empty()
                && touched.closes.is_empty()
                && touched.nevers.is_empty()
                && touched.nevers_of_self.is_empty()
                && touched.starts.is_empty()
                && touched.stops.is_empty()
                && touched.stimuli.is_empty()
                && touched.owner.is_none()
                && touched.settles.is_empty()
                && touched.values.is_empty();
        }
        index
    }

    fn add_row(&mut self, profile: &Profile, ix: RowIx, body: &RowBody) {
        let mut tempting = false;
        match body {
            RowBody::Expect(expect) => {
                self.trigger(ix, &expect.trigger);
                self.each(&expect.unless, |touched| touched.cancels.push(ix));
                self.each([&expect.emit], |touched| touched.closes.push(ix));
            }
            RowBody::Silent { trigger, .. } | RowBody::Choice { trigger, .. } => {
                self.trigger(ix, trigger)
            }
            RowBody::Never(never) => {
                match &never.on {
                    Some((on, _)) => self.each(on, |touched| touched.triggers.push(ix)),
                    None => self.while_nevers.push(ix),
                }
                self.each(&never.unless, |touched| touched.cancels.push(ix));
                let of_self = never.pattern.of_self;
                self.each([&never.pattern], |touched| {
                    if of_self { &mut touched.nevers_of_self } else { &mut touched.nevers }
                        .push(ix);
                });
                tempting = never.exposure.is_none()
                    && never.pattern.heads.iter().any(|head| {
                        matches!(Head::parse(profile.heads.text(*head)).kind, "attempt" | "sent")
                    });
            }
            RowBody::Keep(keep) => {
                self.keeps.push(ix);
                self.each([&keep.pattern], |touched| touched.keeps.push(ix));
            }
            RowBody::Settles(settles) => {
                for head in [settles.heads.0, settles.heads.1] {
                    self.touched[usize::from(head)].settles.push(ix);
                }
            }
        }
        self.needs_network.push(tempting);
    }

    /// What of a row hangs on dials.
    fn add_dials(&mut self, profile: &Profile, ix: RowIx, body: &RowBody) {
        let names = |patterns: &[Pattern]| {
            patterns.iter().flat_map(|pattern| &pattern.heads).any(|head| self.dials.contains(head))
        };
        let (mut opened, mut ended) = (false, false);
        let waits = match body {
            RowBody::Expect(expect) => {
                (opened, ended) = match &expect.trigger {
                    Trigger::On(patterns) => (names(patterns), names(&expect.unless)),
                    Trigger::Since(clock) => {
                        let clock = &profile.clocks[*clock];
                        (names(&clock.start), names(&expect.unless) || names(&clock.stop))
                    }
                };
                names(std::slice::from_ref(&expect.emit))
            }
            RowBody::Never(never) => {
                ended = names(&never.unless);
                names(std::slice::from_ref(&never.pattern))
            }
            RowBody::Keep(keep) => names(std::slice::from_ref(&keep.pattern)),
            RowBody::Silent { .. } | RowBody::Choice { .. } | RowBody::Settles(_) => false,
        };
        self.waits_for_dial.push(waits);
        self.opened_by_dial.extend(opened.then_some(ix));
        self.ended_by_dial.extend(ended.then_some(ix));
    }

    fn trigger(&mut self, ix: RowIx, trigger: &Trigger) {
        match trigger {
            Trigger::On(patterns) => self.each(patterns, |touched| touched.triggers.push(ix)),
            Trigger::Since(clock) => self.since[*clock].push(ix),
        }
    }

    fn each<'a>(
        &mut self,
        patterns: impl IntoIterator<Item = &'a Pattern>,
        mut add: impl FnMut(&mut Touched),
    ) {
        for pattern in patterns {
            for head in &pattern.heads {
                add(&mut self.touched[usize::from(*head)]);
            }
        }
    }

    /// Whether rows of a group listen to one of the words.
    pub(super) fn listens(&self, words: &Words, group: usize) -> bool {
        words.iter().any(|head| self.touched(*head).groups & 1 << group != 0)
    }

    /// Whether one of the words starts or stops clocks.
    pub(super) fn times(&self, words: &Words) -> bool {
        words.iter().any(|head| {
            let touched = self.touched(*head);
            !touched.starts.is_empty() || !touched.stops.is_empty()
        })
    }

    /// What a word touches.
    pub(super) fn touched(&self, head: HeadIx) -> &Touched {
        &self.touched[usize::from(head)]
    }
}

/// Whether a row demands something.
pub(super) const fn demands(body: &RowBody) -> bool {
    match body {
        RowBody::Expect(expect) => matches!(expect.modality, Modality::Must),
        _ => false,
    }
}
