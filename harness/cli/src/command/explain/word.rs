//! The words of an SDK and of its profile: methods, reasons, codes, callbacks, and documented times.
//!
//! Not responsible for states and stimuli; `grid` has them.
//!
//! Invariant: a row speaks of a name when one of its patterns holds it, or when it completes the method that the
//! code is of.

use super::article::Article;
use super::demand;
use super::row::patterns;
use super::thing::spellings;
use crate::command::layout::count;
use crate::suite::Contract;
use indexmap::IndexMap;
use serde_json::json;
use smol_str::SmolStr;
use stateline_core::profile::machine::{
    CodeRule, Constraint, Never, Pattern, Row, RowBody, Trigger,
};
use stateline_core::profile::{CapIx, ClockIx, Length, Profile, ReqIx};
use stateline_core::time::Micros;
use stateline_core::value::Value;

/// Tells of a profile: what is called, and how what is told may be spelled.
pub(super) fn profile(contract: &Contract) -> Article {
    let profile = &contract.profile;
    let mut article = Article::new("profile", profile.id.as_str(), "profile").of(&profile.id);
    let document = &profile.document;
    article.text(format!("{}, {}, {}", document.title, document.product, document.platform));
    article.data(document);
    article.labelled("dated", &document.updated);
    article.listed(
        "calls",
        profile.names.calls.iter().map(|(name, method)| {
            let spelled = method.spellings.first().unwrap_or(name);
            format!("{spelled}({})", method.args.join(", "))
        }),
    );
    let words = profile.names.enums.iter().flat_map(|(kind, values)| {
        values.values().map(move |(name, spellings)| match spellings {
            [] => format!("{kind} {name}"),
            spellings => format!("{kind} {name}: {}", spellings.join(", ")),
        })
    });
    article.listed("words", words);
    article
        .listed("times", profile.timers.iter().map(|(name, time)| format!("timer {name}: {time}")));
    article.listed("caps", profile.caps.iter().map(|(name, time)| format!("cap {name}: {time}")));
    if !profile.conflicts.is_empty() {
        let n = profile.conflicts.len();
        article.labelled(
            "conflicts",
            format!("{n}; stateline explain --conflicts --profile {}", profile.id),
        );
    }
    article
}

/// Tells of a method.
pub(super) fn call(contract: &Contract, name: &SmolStr) -> Article {
    let profile = &contract.profile;
    let is = format!("method of {}", profile.id);
    let mut article = Article::new("call", name.as_str(), &is).of(&profile.id);
    if let Some(method) = profile.names.calls.get(name) {
        article.listed("spellings", method.spellings.iter().map(SmolStr::as_str));
        article.listed("arguments", method.args.iter().map(SmolStr::as_str));
        article.data(json!({ "spellings": method.spellings, "args": method.args }));
    }
    article.labelled("codes", profile.names.code_enum(name).as_str());
    let heads = ["call", "result"].map(|kind| format!("{kind}.{name}"));
    speaks(&mut article, profile, |row| {
        matches!(&row.body, RowBody::Settles(settles) if settles.op == *name)
            || all_patterns(row).iter().any(|pattern| is_about(profile, pattern, &heads))
    });
    article
}

/// Tells of a value of an enumeration: a reason, a code, a callback.
pub(super) fn name(contract: &Contract, kind: &SmolStr, name: &SmolStr) -> Article {
    let profile = &contract.profile;
    let what = match kind.as_str() {
        "reason" => "reason of a change of state".to_owned(),
        "event" => "callback".to_owned(),
        "code" => "result of a call".to_owned(),
        kind => kind
            .strip_prefix("code.")
            .map_or_else(|| kind.to_owned(), |op| format!("result of {op}")),
    };
    let is = format!("{what}, {}", profile.id);
    let mut article = Article::new("name", name.as_str(), &is).of(&profile.id);
    let spelled = spellings(contract, kind, name);
    let (numbers, words): (Vec<_>, Vec<_>) =
        spelled.iter().partition(|spelled| spelled.parse::<i64>().is_ok());
    article.data(json!({ "enumeration": kind, "spellings": words, "numbers": numbers }));
    article.listed("spellings", words.iter().map(|word| word.as_str()));
    article.listed("numbers", numbers.iter().map(|number| number.as_str()));
    // The refusals of the scripted server are codes of a login, or have an enumeration of their own.
    if ["code.login", "code.rejected"].contains(&kind.as_str()) {
        let causes = profile.realm.codes.iter().filter(|(_, code)| *code == name);
        let causes: Vec<&str> = causes.map(|(cause, _)| cause.as_str()).collect();
        let refusal = format!("refuses a login with it: {}", causes.join(", "));
        article.listed("the lab", (!causes.is_empty()).then_some(refusal));
    }
    let speaking = |row: &Row| names(profile, row, kind, name);
    speaks(&mut article, profile, speaking);
    let texts = profile.requirements.iter().enumerate().filter(|(_, requirement)| {
        let mut text = requirement.text.split(|c: char| !c.is_alphanumeric());
        text.any(|word| word.len() > 4 && words.iter().any(|own| own.ends_with(word)))
    });
    article.listed("told of in", texts.map(|(ix, _)| demand(profile, ix)));
    article
}

/// Whether a row names a value of an enumeration.
fn names(profile: &Profile, row: &Row, kind: &str, name: &str) -> bool {
    if kind == "event" {
        let head = [format!("event.{name}")];
        return all_patterns(row).iter().any(|pattern| is_about(profile, pattern, &head));
    }
    let (field, op) = kind.split_once('.').map_or((kind, None), |(field, op)| (field, Some(op)));
    let holds = |constraint: &Constraint| match constraint {
        Constraint::OneOf(values) | Constraint::NoneOf(values) => {
            values.iter().any(|value| matches!(value, Value::Text(text) if text == name))
        }
        _ => false,
    };
    let rules = |CodeRule { code, prefer, .. }: &CodeRule| {
        holds(code) || prefer.as_ref().is_some_and(holds)
    };
    let by_pattern = all_patterns(row).iter().any(|pattern| {
        pattern.fields.iter().any(|(of, constraint)| of == field && holds(constraint))
    });
    // What completes a method may complete it with any of its codes.
    let by_rule = matches!(&row.body, RowBody::Settles(settles)
        if op.map_or_else(|| settles.codes.iter().any(rules), |op| settles.op == op));
    // Codes of a login are refused by the server, too; those of other methods only complete.
    (by_pattern && (field != "code" || op == Some("login"))) || (field == "code" && by_rule)
}

/// Lists the rows that match, with the requirements that they carry.
fn speaks(article: &mut Article, profile: &Profile, wanted: impl Fn(&Row) -> bool) {
    let rows: Vec<&Row> = profile.rows.iter().filter(|row| wanted(row)).collect();
    let told = rows.iter().map(|row| match row.title.as_str() {
        "" => format!("{}: remembers", row.id),
        title => format!("{}: {title}", row.id),
    });
    article.listed("rows", told);
    let mut requirements: Vec<ReqIx> =
        rows.iter().flat_map(|row| &row.req).map(|case| case.req).collect();
    requirements.sort_unstable();
    requirements.dedup();
    article.listed("requirements", requirements.into_iter().map(|req| demand(profile, req)));
}

fn is_about(profile: &Profile, pattern: &Pattern, heads: &[String]) -> bool {
    pattern.heads.iter().any(|head| heads.iter().any(|have| have == profile.heads.text(*head)))
}

/// All patterns of a row.
fn all_patterns(row: &Row) -> Vec<&Pattern> {
    let mut all = Vec::new();
    match &row.body {
        RowBody::Expect(expect) => {
            if let Trigger::On(on) = &expect.trigger {
                all.extend(on);
            }
            all.extend(&expect.unless);
            all.push(&expect.emit);
        }
        RowBody::Silent { trigger: Trigger::On(on), .. }
        | RowBody::Choice { trigger: Trigger::On(on), .. } => all.extend(on),
        RowBody::Never(Never { on, unless, pattern, .. }) => {
            all.extend(on.iter().flat_map(|(on, _)| on));
            all.extend(unless);
            all.push(pattern);
        }
        RowBody::Keep(keep) => all.push(&keep.pattern),
        RowBody::Silent { .. } | RowBody::Choice { .. } | RowBody::Settles(_) => {}
    }
    all
}

/// Tells of a documented time.
pub(super) fn timer(contract: &Contract, name: &SmolStr) -> Article {
    let profile = &contract.profile;
    let is = format!("documented time of {}", profile.id);
    let mut article = Article::new("timer", name.as_str(), &is).of(&profile.id);
    let time = profile.timers.get(name).copied().unwrap_or_default();
    article.labelled("is", time.to_string());
    article.data(json!({ "ms": time.as_ms() }));
    // Rows hold the length alone. Two timers of one length would share their rows.
    let measures = |row: &Row| match &row.body {
        RowBody::Expect(expect) => {
            time > Micros::ZERO
                && (expect.after == time || expect.within == Some(Length::Fixed(time)))
        }
        RowBody::Never(Never { on: Some((_, Some(length))), .. }) => *length == Length::Fixed(time),
        _ => false,
    };
    speaks(&mut article, profile, measures);
    let mut probing: IndexMap<String, usize> = IndexMap::new();
    for (scenario, case) in contract.cases() {
        for (_, side) in case.boundaries.iter().filter(|(timer, _)| timer == name) {
            *probing.entry(format!("{}, {side}", scenario.id)).or_default() += 1;
        }
    }
    let cases = probing.iter().map(|(place, n)| format!("{place}: {}", count(*n, "case")));
    article.listed("probed by", cases);
    article
}

/// Tells of a policy cap.
pub(super) fn cap(contract: &Contract, ix: CapIx) -> Article {
    let profile = &contract.profile;
    let (name, time) =
        profile.caps.get_index(ix).map_or(("", Micros::ZERO), |(name, time)| (name, *time));
    let is = format!("policy cap of {}", profile.id);
    let mut article = Article::new("cap", name, &is).of(&profile.id);
    article.text("A time that the document does not give. A breach warns; twice the cap with nothing at all fails.");
    article.labelled("is", time.to_string());
    article.command("change it", format!("stateline run --cap {name}={time}"));
    article.data(json!({ "ms": time.as_ms() }));
    let own = Length::Cap(ix);
    speaks(&mut article, profile, |row| match &row.body {
        RowBody::Expect(expect) => expect.within == Some(own) || expect.warn_after == Some(own),
        RowBody::Never(never) => {
            never.grace == Some(own)
                || never.on.as_ref().is_some_and(|(_, length)| *length == Some(own))
        }
        RowBody::Keep(keep) => keep.every == own || keep.tolerance == own,
        RowBody::Settles(settles) => settles.cap == own,
        RowBody::Silent { .. } | RowBody::Choice { .. } => false,
    });
    article
}

/// Tells of a clock.
pub(super) fn clock(contract: &Contract, ix: ClockIx) -> Article {
    let profile = &contract.profile;
    let clock = &profile.clocks[ix];
    let is = format!("clock of {}", profile.id);
    let mut article = Article::new("clock", clock.name.as_str(), &is).of(&profile.id);
    article.labelled("starts with", patterns(profile, &clock.start));
    article.labelled("stops with", patterns(profile, &clock.stop));
    speaks(&mut article, profile, |row| {
        let trigger = match &row.body {
            RowBody::Expect(expect) => Some(&expect.trigger),
            RowBody::Silent { trigger, .. } | RowBody::Choice { trigger, .. } => Some(trigger),
            _ => None,
        };
        matches!(trigger, Some(Trigger::Since(own)) if *own == ix)
    });
    article
}
