//! The windows of open rows: how they open, are withdrawn, and what is left of them.
//!
//! Windows are closed intervals. Not responsible for moving configurations.
//!
//! Invariant: a withdrawal within the tolerance of a window's start leaves either answer right.

use super::config::{Config, Open, Trigger};
use super::facts::matches;
use super::group::Env;
use super::index::{Words, demands};
use super::judge::Judge;
use crate::profile::machine::{
    Constraint, Expect, Modality, Pattern, Row, RowBody, Source, Trigger as On,
};
use crate::profile::{Length, Profile, ReqIx, RowIx};
use crate::record::Judgement;
use crate::time::Micros;
use crate::trace::Event;
use crate::value::Value;
use std::rc::Rc;

pub(super) fn on(row: &Row) -> Option<&[Pattern]> {
    match &row.body {
        RowBody::Expect(Expect { trigger: On::On(patterns), .. })
        | RowBody::Silent { trigger: On::On(patterns), .. }
        | RowBody::Choice { trigger: On::On(patterns), .. } => Some(patterns),
        RowBody::Never(never) => never.on.as_ref().map(|(patterns, _)| patterns.as_slice()),
        _ => None,
    }
}

pub(super) fn cancels(
    profile: &Profile,
    row: RowIx,
    words: &Words,
    event: &Event,
    config: &Config,
) -> bool {
    let unless = match &profile.rows[row].body {
        RowBody::Expect(expect) => &expect.unless,
        RowBody::Never(never) => &never.unless,
        _ => return false,
    };
    unless.iter().any(|pattern| matches(pattern, words, event, config, None, None))
}

/// A row that binds fields of its trigger waits for each trigger apart.
pub(super) fn binds(row: &Row) -> bool {
    match &row.body {
        RowBody::Expect(expect) => {
            expect.emit.fields.iter().any(|(_, want)| matches!(want, Constraint::Same(_)))
        }
        _ => false,
    }
}

pub(super) fn open_on(
    env: &Env<'_>,
    row: &Row,
    ix: RowIx,
    expect: &Expect,
    req: Option<ReqIx>,
    event: &Rc<Event>,
    entered: Micros,
) -> Open {
    let at = event.at + expect.after;
    let base = if row.from.is_some() { at.max(entered) } else { at };
    let (warn, hi) = window(env, expect, base);
    Open {
        row: ix,
        modality: expect.modality,
        lo: at - env.profile.tolerance.early,
        warn,
        hi,
        req,
        trigger: Some(Trigger { event: Rc::clone(event) }),
        cause: event.n,
        to: expect.to,
        overdue: false,
        warned: false,
        watch: false,
        withdrawn: None,
    }
}

/// From when on an arrival warns, and when it is overdue, counted from `base`.
pub(super) fn window(
    env: &Env<'_>,
    expect: &Expect,
    base: Micros,
) -> (Option<Micros>, Option<Micros>) {
    let slack = env.settings.slack;
    let (warn, hi) = match (expect.within, expect.modality) {
        (None, Modality::May) => (None, None),
        (None, Modality::Must) => (None, Some(base + env.profile.tolerance.late + slack)),
        (Some(length @ Length::Cap(_)), Modality::Must) => {
            let cap = env.settings.length(env.profile, length);
            (Some(base + cap + slack), Some(base + cap + cap + slack))
        }
        (Some(length), _) => (None, Some(base + env.settings.length(env.profile, length) + slack)),
    };
    let own =
        expect.warn_after.map(|length| base + env.settings.length(env.profile, length) + slack);
    (own.or(warn), hi)
}

/// Withdraws rows. Before its window a demand is gone, and only a watch stays that the report does
/// not come all the same; from its window on, or within the tolerance before it, the report may
/// still come for a while.
pub(super) fn withdraw(
    env: &Env<'_>,
    config: &mut Config,
    which: impl Fn(&Open) -> bool,
    at: Micros,
    judge: &mut Judge,
) {
    let late = env.profile.tolerance.late + env.settings.slack;
    let mut watches = Vec::new();
    config.open.retain_mut(|open| {
        if open.watch || !which(open) {
            return true;
        }
        let row = &env.profile.rows[open.row];
        if at < open.lo
            && open.modality == Modality::Must
            && (row.withdrawn.is_some() || row.early.is_some())
        {
            for req in [row.withdrawn, row.early].into_iter().flatten() {
                judge.mark(req, Judgement::Undetermined);
            }
            watches.push(Open { watch: true, lo: at, hi: Some(open.lo + late), ..open.clone() });
        }
        if at + late < open.lo {
            return false;
        }
        open.modality = Modality::May;
        open.withdrawn = Some(at);
        open.warn = None;
        let until = at.max(open.lo) + late;
        open.hi = Some(open.hi.map_or(until, |hi| hi.min(until)));
        true
    });
    config.open.append(&mut watches);
}

/// Takes closed rows out; a plain permission stays as long as its state does.
pub(super) fn remove(next: &mut Config, env: &Env<'_>, gone: &[usize], before: &Config) {
    let mut at = 0;
    next.open.retain(|_| {
        let index = at;
        at += 1;
        if !gone.contains(&index) {
            return true;
        }
        let row = &env.profile.rows[before.open[index].row];
        matches!(&row.body, RowBody::Expect(expect) if expect.modality == Modality::May)
            && !binds(row)
    });
}

/// A permission that ends unused is a choice, too.
pub(super) fn left(env: &Env<'_>, open: &Open, judge: &mut Judge) {
    let row = &env.profile.rows[open.row];
    let may = matches!(&row.body, RowBody::Expect(expect) if expect.modality == Modality::May);
    if may
        && open.req.is_some()
        && !judge.choices.iter().any(|have| have.row == row.id && have.client == *env.client)
    {
        let n = open.cause;
        judge.choose(env.profile, open.req, row.id.clone(), env.client, "no report".to_owned(), n);
    }
}

pub(super) fn exercised(judge: &mut Judge, row: &Row, req: Option<ReqIx>) {
    if let Some(req) = req.filter(|_| demands(&row.body)) {
        judge.mark(req, Judgement::Undetermined);
    }
}

pub(super) fn assign(row: &Row, config: &Config, trigger: Option<&Event>) -> Vec<(usize, Value)> {
    let field = |name: &str| {
        trigger.map(|event| super::facts::field(&event.data, name)).unwrap_or_default()
    };
    row.set
        .iter()
        .map(|set| {
            let value = match &set.value {
                Source::Literal(value) => value.clone(),
                Source::Plus(n) => match &config.registers[set.register] {
                    Value::Int(have) => Value::Int(have.saturating_add(*n)),
                    _ => Value::Int(*n),
                },
                Source::Trigger(name) => field(name),
                Source::NotTrigger(name) => Value::Bool(!field(name).is_truthy()),
            };
            (set.register, value)
        })
        .collect()
}

/// What demands is the better explanation, and the earlier one among equals.
pub(super) fn rank(open: &Open) -> (Modality, std::cmp::Reverse<Micros>) {
    (open.modality, std::cmp::Reverse(open.lo))
}
