//! Calls of the application: each completes at most once, in time, with a code that fits.
//!
//! Not responsible for what a call does to the state; rows of machines say that.
//!
//! Invariant: a completion belongs to exactly one call, by its number.

use super::config::Config;
use super::facts::{OpenCall, View, allows};
use super::group::{Env, Group, choose_req, holds};
use super::judge::{Breach, Judge};
use super::words::{constraint, describe};
use crate::profile::machine::{CodeRule, Constraint, RowBody, Settles};
use crate::profile::{HeadIx, Length, Profile, ReqIx, RowIx};
use crate::time::Micros;
use crate::trace::Event;
use smallvec::SmallVec;

/// A call was made.
pub(super) fn made(
    env: &Env<'_>,
    groups: &[Group],
    rows: &[RowIx],
    event: &Event,
    head: HeadIx,
    calls: &mut Vec<OpenCall>,
) {
    for &row in rows {
        let RowBody::Settles(settles) = &env.profile.rows[row].body else {
            continue;
        };
        if settles.heads.0 != head {
            continue;
        }
        let group = &groups[env.index.group_of[env.profile.rows[row].machine]];
        calls.push(OpenCall {
            call: event.data.int("call").unwrap_or(-1),
            row,
            at: event.at,
            event: event.clone(),
            possible: group.possible(env.profile, event.at),
            counts: env.counts.into(),
            unseen: if env.sight.hidden { env.index.dials.clone() } else { SmallVec::new() },
            warned: false,
            overdue: false,
        });
    }
}

/// What became of a completion.
pub(super) enum Completion {
    /// It belongs to no open call.
    Unasked,
    /// It was judged.
    Judged {
        /// It violated something.
        violated: bool,
    },
}

/// A call completed.
pub(super) fn completed(
    env: &Env<'_>,
    group: &Group,
    calls: &mut Vec<OpenCall>,
    event: &Event,
    head: HeadIx,
    judge: &mut Judge,
) -> Completion {
    let number = event.data.int("call").unwrap_or(-1);
    let at = calls.iter().position(|call| {
        let RowBody::Settles(settles) = &env.profile.rows[call.row].body else {
            return false;
        };
        call.call == number && settles.heads.1 == head
    });
    let Some(at) = at else {
        return Completion::Unasked;
    };
    let call = calls.remove(at);
    let row = &env.profile.rows[call.row];
    let RowBody::Settles(settles) = &row.body else {
        return Completion::Unasked;
    };
    judge.row(call.row);
    let facts = call_view(env, &group.configs[0], &call, Some(event));
    let own = choose_req(&row.req, &facts);
    if let (Some(req), false) = (own, call.overdue) {
        judge.satisfy(env.profile, req);
    }
    let Some(rule) = settles.codes.iter().find(|rule| holds(rule.when.as_ref(), &facts)) else {
        return Completion::Judged { violated: false };
    };
    let violated = judge_code(env, group, &call, rule.req.or(own), rule, event, judge);
    Completion::Judged { violated }
}

fn judge_code(
    env: &Env<'_>,
    group: &Group,
    call: &OpenCall,
    req: Option<ReqIx>,
    rule: &CodeRule,
    event: &Event,
    judge: &mut Judge,
) -> bool {
    let config = &group.configs[0];
    let code = event.data.get("code");
    let breach = |req: ReqIx, want: &Constraint| Breach {
        req,
        row: Some(call.row),
        rule: "",
        client: env.client,
        server_side: false,
        at: event.at,
        expected: format!(
            "{}: {}",
            env.profile.rows[call.row].title,
            match want {
                Constraint::Register(register) => format!("code {}", config.registers[*register]),
                want => constraint("code", want).unwrap_or_default(),
            }
        ),
        observed: describe(event),
        trace: (call.event.n, event.n),
        consequent: group.failed,
    };
    if !allows(&rule.code, code, config, None, Some(&call.event)) {
        return req
            .is_some_and(|req| judge.breach(env.profile, env.settings, breach(req, &rule.code)));
    }
    if let Some(req) = rule.req {
        judge.satisfy(env.profile, req);
    }
    if matches!(rule.code, Constraint::Any) && rule.prefer.is_none() {
        let row = env.profile.rows[call.row].id.clone();
        judge.choose(env.profile, None, row, env.client, describe(event), event.n);
    }
    if let Some(prefer) = &rule.prefer {
        let preferred = rule.prefer_req.or(req);
        if allows(prefer, code, config, None, Some(&call.event)) {
            if let Some(req) = preferred {
                judge.satisfy(env.profile, req);
            }
        } else if let Some(req) = preferred {
            return judge.not_preferred(env.profile, env.settings, breach(req, prefer));
        }
    }
    false
}

/// The instants from which an open call warns and fails.
pub(super) fn due(env: &Env<'_>, call: &OpenCall) -> (Option<Micros>, Micros) {
    let RowBody::Settles(Settles { cap, .. }) = &env.profile.rows[call.row].body else {
        return (None, Micros::MAX);
    };
    let length = env.settings.length(env.profile, *cap);
    match cap {
        Length::Cap(_) => (
            Some(call.at + length + env.settings.slack),
            call.at + length + length + env.settings.slack,
        ),
        _ => (None, call.at + length + env.settings.slack),
    }
}

/// Reports calls that are overdue at `env.now`. Returns whether one violates.
pub(super) fn overdue(
    env: &Env<'_>,
    group: &Group,
    calls: &mut [OpenCall],
    judge: &mut Judge,
) -> bool {
    let mut violated = false;
    for call in calls {
        let (warn, fail) = due(env, call);
        let deadline = if fail < env.now && !call.overdue {
            fail
        } else if warn.is_some_and(|warn| warn < env.now) && !call.warned {
            warn.unwrap_or(fail)
        } else {
            continue;
        };
        let row = &env.profile.rows[call.row];
        let facts = call_view(env, &group.configs[0], call, None);
        if let Some(req) = choose_req(&row.req, &facts) {
            let breach = Breach {
                req,
                row: Some(call.row),
                rule: "",
                client: env.client,
                server_side: false,
                at: deadline,
                expected: format!("{} by {deadline}", row.title),
                observed: "no completion".to_owned(),
                trace: (call.event.n, env.last_n.max(call.event.n)),
                consequent: group.failed,
            };
            if deadline == fail {
                violated |= judge.breach(env.profile, env.settings, breach);
            } else {
                judge.warn(env.profile, env.settings, breach);
            }
        }
        call.warned = true;
        call.overdue |= deadline == fail;
    }
    violated
}

/// What a call may come to satisfy: for the end of a case.
pub(super) fn may_satisfy<'a>(
    profile: &'a Profile,
    call: &OpenCall,
) -> impl Iterator<Item = ReqIx> + 'a {
    let row = &profile.rows[call.row];
    let codes: &[CodeRule] = match &row.body {
        RowBody::Settles(settles) => &settles.codes,
        _ => &[],
    };
    row.req
        .iter()
        .map(|case| case.req)
        .chain(codes.iter().flat_map(|rule| [rule.req, rule.prefer_req].into_iter().flatten()))
}

/// A guard of a call sees the states at the call, and what was seen since.
fn call_view<'a>(
    env: &Env<'a>,
    config: &'a Config,
    call: &'a OpenCall,
    event: Option<&'a Event>,
) -> View<'a> {
    View {
        config,
        clocks: env.clocks,
        counts: env.counts,
        now: env.now,
        trigger: None,
        event,
        call: Some(call),
        possible: call.possible,
    }
}
