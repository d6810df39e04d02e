//! A conforming client and its surroundings.
//!
//! The client moves the instant its cause reaches it and says so later, at an instant of its
//! choice within the row's closed window, one report after the other. Not responsible for what
//! happens to it; [`crate::life`] is.
//!
//! Invariant: a report is one that a row demands or permits, at a time that the row allows without
//! a warning.

use crate::facts::{Call, Clock, Origin, Seen, View};
use crate::table::{ALICE, Table, has};
use crate::tape::Tape;
use smol_str::SmolStr;
use stateline_core::profile::expr::Expr;
use stateline_core::profile::machine::{
    Constraint, Expect, Modality, RowBody, Source, StateSet, Target, Trigger,
};
use stateline_core::profile::{ClockIx, KeepStart, RowIx, StateIx};
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Head, Plane};
use stateline_core::value::{Fields, Value};

#[derive(Clone, Debug)]
enum Due {
    /// The client's own clock runs out: it moves, and reports at the second time.
    Timer {
        row: RowIx,
        clock: ClockIx,
        lo: Micros,
        hi: Micros,
        report: Micros,
    },
    Report {
        origin: Origin,
        data: Fields,
    },
    Callback {
        origin: Origin,
        data: Fields,
    },
    Result {
        number: i64,
    },
    Ping {
        chain: u32,
    },
    Signal {
        plane: Plane,
        kind: &'static str,
        data: Fields,
    },
}

/// The client, its surroundings, and what was seen.
#[derive(Clone, Debug)]
pub(crate) struct World<'t> {
    pub(crate) table: &'t Table,
    pub(crate) tape: Tape,
    pub(crate) now: Micros,
    pub(crate) trace: Vec<Seen>,
    /// Where the client is, whatever it has said.
    pub(crate) actual: StateIx,
    reported: StateIx,
    pub(crate) entered: Micros,
    last_report: Micros,
    pub(crate) clocks: Vec<Clock>,
    pub(crate) counts: Vec<u32>,
    pub(crate) registers: Vec<Value>,
    calls: Vec<Call>,
    due: Vec<(Micros, u32, Due)>,
    numbers: u32,
    pings: u32,
    /// A login was called, and the client has not dialled for it: it does not give up yet.
    before_dial: bool,
    /// The connection that serves the client.
    pub(crate) served: bool,
}

impl<'t> World<'t> {
    pub(crate) fn new(table: &'t Table, tape: Tape) -> Self {
        let start = table.profile.main_machine().unwrap().1.start;
        Self {
            table,
            tape,
            now: Micros::ZERO,
            trace: Vec::new(),
            actual: start,
            reported: start,
            entered: Micros::ZERO,
            last_report: Micros::ZERO,
            clocks: vec![Clock::default(); table.profile.clocks.len()],
            counts: vec![0; table.profile.heads.len()],
            registers: table.profile.registers.values().cloned().collect(),
            calls: Vec::new(),
            due: Vec::new(),
            numbers: 0,
            pings: 0,
            before_dial: false,
            served: false,
        }
    }

    /// The events alone.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.trace.iter().map(|seen| seen.event.clone()).collect()
    }

    pub(crate) fn is(&self, state: &str) -> bool {
        self.actual == self.table.state(state)
    }

    pub(crate) fn running(&self, clock: &str) -> bool {
        self.clocks[self.table.clock(clock)].running()
    }

    /// Whether everything that the client knows has been said.
    pub(crate) fn is_settled(&self) -> bool {
        !self.due.iter().any(|(_, _, due)| matches!(due, Due::Report { .. } | Due::Callback { .. }))
    }

    pub(crate) fn possible(&self) -> StateSet {
        StateSet::default().with(self.actual).with(self.reported)
    }

    fn holds(&self, guard: Option<&Expr>, state: StateIx, event: Option<&Event>) -> bool {
        guard.is_none_or(|guard| guard.holds(&View { world: self, state, event, call: None }))
    }

    fn at(&mut self, at: Micros, due: Due) {
        self.numbers += 1;
        self.due.push((at, self.numbers, due));
    }

    /// Lets time pass; what falls on the last instant stays for after its stimuli.
    pub(crate) fn wait(&mut self, length: Micros) {
        let until = self.now + length;
        while let Some(next) = self
            .due
            .iter()
            .enumerate()
            .filter(|(_, (at, ..))| *at < until)
            .min_by_key(|(_, (at, number, _))| (*at, *number))
            .map(|(next, _)| next)
        {
            let (at, _, due) = self.due.remove(next);
            self.now = at;
            self.fire(due);
        }
        self.now = until;
    }

    /// Waits until the client has said all that it knows.
    pub(crate) fn settle(&mut self) {
        while !self.is_settled() {
            self.wait(Micros::from_millis(50));
        }
    }

    /// Waits until every call has completed and every signal has come.
    pub(crate) fn drain(&mut self) {
        while self.due.iter().any(|(_, _, due)| !matches!(due, Due::Ping { .. })) {
            self.wait(Micros::from_millis(250));
        }
    }

    /// A signal of the surroundings later on.
    pub(crate) fn later(&mut self, at: Micros, kind: &'static str, data: Fields) {
        self.at(at, Due::Signal { plane: Plane::Server, kind, data });
    }

    /// The client closes a connection later on.
    pub(crate) fn close_later(&mut self, at: Micros, conn: i64) {
        let data = Fields::new().with("conn", conn);
        self.at(at, Due::Signal { plane: Plane::Network, kind: "closed", data });
    }

    /// A signal that was to come does not.
    pub(crate) fn forget(&mut self, kind: &str) {
        self.due
            .retain(|(_, _, due)| !matches!(due, Due::Signal { kind: have, .. } if *have == kind));
    }

    fn fire(&mut self, due: Due) {
        match due {
            Due::Timer { row, clock, lo, hi, report } => {
                let cause = self.clocks[clock].cause;
                let from = self.actual;
                let origin = Origin { row, from, lo, hi, cause, timed: true, demanded: true };
                self.moves(origin, None, report);
            }
            Due::Report { origin, data } => {
                let state = self.table.state(data.text("state").unwrap());
                self.push(Plane::Control, "state", data, Some(origin));
                self.reported = state;
                self.entered = self.now;
                self.ping();
            }
            Due::Callback { origin, data } => {
                self.push(Plane::Control, "event", data, Some(origin));
            }
            Due::Result { number } => self.complete(number),
            Due::Ping { chain } if chain == self.pings => {
                if self.served && self.reported == self.table.state("connected") {
                    let data = Fields::new().with("dir", "sent").with("message", "ping");
                    self.push(Plane::Wire, "frame", data, None);
                    self.ping();
                }
            }
            Due::Ping { .. } => {}
            Due::Signal { plane, kind, data } => self.stimulus(plane, kind, data),
        }
    }

    /// Heartbeats start anew; at most two periods pass between them.
    pub(crate) fn ping(&mut self) {
        self.pings += 1;
        let at = self.now + self.tape.millis(400, 2_000);
        self.at(at, Due::Ping { chain: self.pings });
    }

    fn push(&mut self, plane: Plane, kind: &'static str, data: Fields, origin: Option<Origin>) {
        let event = Event {
            n: u32::try_from(self.trace.len()).unwrap(),
            at: self.now,
            client: Some(ALICE.into()),
            plane,
            kind: kind.into(),
            data,
        };
        let stimulus = origin.is_none();
        let owed = |due: &Due| match due {
            Due::Report { .. } | Due::Callback { .. } => true,
            Due::Timer { lo, .. } => *lo <= self.now,
            _ => false,
        };
        let quiet = !self.due.iter().any(|(_, _, due)| owed(due));
        self.trace.push(Seen { event: event.clone(), origin, quiet, state: self.reported });
        self.start_clocks(&event);
        self.apply_sets(&event);
        if stimulus {
            self.react(&event);
        }
        self.stop_clocks(&event);
    }

    /// Something that happens to the client, or that it does without a report.
    pub(crate) fn stimulus(&mut self, plane: Plane, kind: &'static str, data: Fields) {
        self.before_dial &= kind != "attempt";
        self.push(plane, kind, data, None);
    }

    /// The application calls a method.
    pub(crate) fn call(&mut self, op: &'static str, args: Fields) {
        self.numbers += 1;
        let number = i64::from(self.numbers);
        let mut data = Fields::new().with("op", op).with("call", number);
        for (name, value) in args.iter() {
            data.set(name.clone(), value.clone());
        }
        let (possible, counts) = (self.possible(), self.counts.clone());
        self.before_dial |= op == "login";
        if op == "login" {
            // In any other state than Disconnected the table permits whatever follows.
            let now = self.now;
            self.excuse(|_, origin| origin.hi >= now);
        }
        self.stimulus(Plane::Control, "call", data);
        let event = self.trace.iter().rev().find(|seen| seen.event.kind == "call").unwrap();
        let event = event.event.clone();
        self.calls.push(Call { number, event, possible, counts, scheduled: false });
        match op {
            "login" => self.outcome(),
            // A login that a logout interrupts is over, too.
            "logout" => self.complete_all(),
            _ => self.completes(number),
        }
    }

    /// A login that is over completes soon.
    fn outcome(&mut self) {
        if !self.is("connecting") {
            self.complete_all();
        }
    }

    fn complete_all(&mut self) {
        let open: Vec<i64> =
            self.calls.iter().filter(|call| !call.scheduled).map(|call| call.number).collect();
        for number in open {
            self.completes(number);
        }
    }

    fn completes(&mut self, number: i64) {
        let at = self.now + self.tape.millis(0, 2_500);
        for call in self.calls.iter_mut().filter(|call| call.number == number) {
            call.scheduled = true;
        }
        self.at(at, Due::Result { number });
    }

    /// A call completes with a code that the table allows, the preferred one where there is one.
    fn complete(&mut self, number: i64) {
        let at = self.calls.iter().position(|call| call.number == number).unwrap();
        let call = self.calls.remove(at);
        let op = SmolStr::new(call.event.data.text("op").unwrap());
        let row = self
            .table
            .profile
            .rows
            .iter()
            .position(|row| matches!(&row.body, RowBody::Settles(settles) if settles.op == op));
        let mut code = Value::name("ok");
        let mut origin = None;
        if let Some(row) = row {
            let table = self.table;
            let RowBody::Settles(settles) = &table.profile.rows[row].body else { return };
            let view = View { world: self, state: self.actual, event: None, call: Some(&call) };
            let rule = settles
                .codes
                .iter()
                .find(|rule| rule.when.as_ref().is_none_or(|when| when.holds(&view)));
            let want = rule.map(|rule| rule.prefer.as_ref().unwrap_or(&rule.code));
            let want = match want {
                Some(Constraint::Register(register)) => match &self.registers[*register] {
                    Value::Null => rule.map(|rule| &rule.code).cloned(),
                    code => Some(Constraint::OneOf(vec![code.clone()])),
                },
                want => want.cloned(),
            };
            let words = format!("code.{op}");
            code = table.pick(want.as_ref(), &words, None, &mut self.tape);
            let free = rule.is_none_or(|rule| matches!(rule.code, Constraint::Any));
            origin = Some(Origin {
                row,
                from: self.actual,
                lo: call.event.at,
                hi: self.now,
                cause: call.event.n as usize,
                timed: false,
                demanded: !free,
            });
        }
        let data = Fields::new().with("op", op).with("call", number).with("code", code);
        self.push(Plane::Control, "result", data, origin);
    }

    fn start_clocks(&mut self, event: &Event) {
        for (ix, clock) in self.table.profile.clocks.iter().enumerate() {
            let starts = clock.start.iter().any(|p| self.table.matches(p, event, None, None))
                && !(self.clocks[ix].running() && clock.keep == KeepStart::First)
                && self.holds(clock.guard.as_ref(), self.actual, Some(event));
            if starts {
                let heard = event.data.time("heard_ms").unwrap_or(event.at);
                let sure = event.data.time("sure_ms").unwrap_or(heard);
                let cause = event.n as usize;
                self.drop_timers(ix);
                self.clocks[ix] = Clock { started: true, heard, sure, stopped: None, cause };
                self.arm();
            }
        }
    }

    fn stop_clocks(&mut self, event: &Event) {
        for (ix, clock) in self.table.profile.clocks.iter().enumerate() {
            let stops = clock.stop.iter().any(|p| self.table.matches(p, event, None, None));
            if stops && self.clocks[ix].running() {
                self.clocks[ix].stopped = Some(event.at);
                self.drop_timers(ix);
            }
        }
    }

    /// A clock ended: what the client has not decided it does not do, and what it has decided is
    /// said soon.
    fn drop_timers(&mut self, clock: ClockIx) {
        let now = self.now;
        let table = self.table;
        let of_clock = |row: RowIx| {
            matches!(&table.profile.rows[row].body,
                RowBody::Expect(Expect { trigger: Trigger::Since(have), .. }) if *have == clock)
        };
        self.due
            .retain(|(_, _, due)| !matches!(due, Due::Timer { clock: have, .. } if *have == clock));
        self.excuse(|_, origin| of_clock(origin.row) && origin.hi >= now);
        let until = now + table.profile.tolerance.late;
        let late = table.profile.tolerance.late;
        let mut last = None;
        self.due.sort_by_key(|(_, number, _)| *number);
        for (at, _, due) in &mut self.due {
            let Due::Report { origin, .. } = due else { continue };
            if of_clock(origin.row) {
                *at = (*at).min(until);
            } else if let Some(last) = last {
                // The state is entered earlier, and so the next report is due earlier.
                let base = origin.lo.max(last);
                origin.hi = base + late;
                *at = (*at).max(base).min(origin.hi);
            }
            last = Some(*at);
            self.last_report = *at;
        }
    }

    /// Marks what was owed as no longer demanded.
    fn excuse(&mut self, which: impl Fn(usize, &Origin) -> bool) {
        for (at, seen) in self.trace.iter_mut().enumerate() {
            if let Some(origin) = seen.origin.as_mut().filter(|_| seen.event.kind == "state")
                && which(at, origin)
            {
                origin.demanded = false;
            }
        }
        for (_, _, due) in &mut self.due {
            if let Due::Report { origin, .. } = due
                && which(usize::MAX, origin)
            {
                origin.demanded = false;
            }
        }
    }

    fn apply_sets(&mut self, event: &Event) {
        for head in self.table.words(event) {
            self.counts[usize::from(head)] += 1;
        }
        for row in &self.table.profile.rows {
            let RowBody::Silent { trigger: Trigger::On(patterns), .. } = &row.body else {
                continue;
            };
            if patterns.iter().any(|p| self.table.matches(p, event, None, None))
                && has(row.from, self.actual)
                && self.holds(row.guard.as_ref(), self.actual, Some(event))
            {
                self.set(&row.set, Some(event));
            }
        }
    }

    fn set(&mut self, sets: &[stateline_core::profile::machine::Assign], trigger: Option<&Event>) {
        let field = |name: &str| {
            trigger.and_then(|event| event.data.get(name)).cloned().unwrap_or_default()
        };
        for set in sets {
            let have = &mut self.registers[set.register];
            *have = match &set.value {
                Source::Literal(value) => value.clone(),
                Source::Plus(n) => {
                    Value::Int(if let Value::Int(have) = have { *have } else { 0 } + n)
                }
                Source::Trigger(name) => field(name),
                Source::NotTrigger(name) => Value::Bool(!field(name).is_truthy()),
            };
        }
    }

    /// What the client makes of an event: what it must, and now and then what it may.
    fn react(&mut self, event: &Event) {
        let table = self.table;
        let from = self.actual;
        let (now, cause) = (self.now, event.n as usize);
        let mut moved = false;
        for (ix, row, expect) in table.waiting() {
            let Trigger::On(patterns) = &expect.trigger else { continue };
            if !has(row.from, from)
                || !patterns.iter().any(|p| table.matches(p, event, None, None))
                || !self.holds(row.guard.as_ref(), from, Some(event))
            {
                continue;
            }
            let must = expect.modality == Modality::Must;
            let callback =
                expect.emit.heads.iter().map(|head| Head::parse(table.profile.heads.text(*head)));
            let callback = callback.clone().find(|head| head.kind == "event");
            let report = table.reports().any(|(have, ..)| have == ix);
            let everything = matches!(expect.to, Target::Observed)
                && expect.emit.fields.iter().all(|(_, want)| matches!(want, Constraint::Any));
            // What only repeats the state is said at once or not at all.
            let repeats = report && expect.to == Target::Stay;
            if everything
                || (moved && report)
                || (repeats && !self.is_settled())
                || (!must && self.before_dial && event.kind != "call")
                || !(must || self.tape.once_in(3))
            {
                continue;
            }
            let base = (now + expect.after).max(self.last_report);
            let mut hi = base + table.window(expect).unwrap_or(table.profile.tolerance.late);
            if !must {
                // What is only permitted puts off nothing that is owed.
                let owed = self.due.iter().filter_map(|(_, _, due)| match due {
                    Due::Timer { hi, .. } => Some(*hi),
                    _ => None,
                });
                hi = owed.chain([hi]).min().unwrap_or(hi).max(base);
            }
            let origin = Origin {
                row: ix,
                from,
                lo: now + expect.after,
                hi,
                cause,
                timed: false,
                demanded: must,
            };
            let at = if repeats { now } else { self.tape.within(base, hi) };
            if report {
                moved = true;
                self.moves(origin, Some(event), at);
            } else if let Some(callback) = callback {
                let mut data = Fields::new().with("event", callback.name);
                for (name, want) in &expect.emit.fields {
                    let value = table.pick(Some(want), "", Some(event), &mut self.tape);
                    data.set(name.clone(), value);
                }
                self.at(at, Due::Callback { origin, data });
            }
        }
    }

    /// The client moves, and will say so.
    fn moves(&mut self, origin: Origin, trigger: Option<&Event>, at: Micros) {
        let table = self.table;
        let row = &table.profile.rows[origin.row];
        let RowBody::Expect(expect) = &row.body else { return };
        let data = table.report(expect, trigger, &mut self.tape);
        self.set(&row.set, trigger);
        let from = self.actual;
        if let Target::State(_) | Target::Observed = expect.to {
            self.actual = table.state(data.text("state").unwrap());
        }
        let at = at.max(self.last_report);
        self.last_report = at;
        self.at(at, Due::Report { origin, data });
        if self.actual != from {
            self.due.retain(|(_, _, due)| !matches!(due, Due::Timer { .. }));
            self.arm();
            self.outcome();
        }
    }

    /// Sets the client's own clocks for the state that it is in.
    fn arm(&mut self) {
        let table = self.table;
        for (ix, row, expect) in table.reports() {
            let Trigger::Since(clock) = expect.trigger else { continue };
            let state = self.clocks[clock];
            if expect.modality != Modality::Must
                || !state.running()
                || !has(row.from, self.actual)
                || !self.holds(row.guard.as_ref(), self.actual, None)
                || self
                    .due
                    .iter()
                    .any(|(_, _, due)| matches!(due, Due::Timer { row, .. } if *row == ix))
            {
                continue;
            }
            let lo = state.heard + expect.after;
            let base = (state.sure + expect.after).max(self.last_report);
            let hi = base + table.window(expect).unwrap();
            let at = self.tape.within(lo.max(self.now), hi);
            let report = self.tape.within(at.max(self.last_report), hi);
            self.at(at, Due::Timer { row: ix, clock, lo, hi, report });
        }
    }
}
