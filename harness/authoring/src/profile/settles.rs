//! Reads a `settles` row: with which codes a call may complete.
//!
//! Not responsible for the keys that every row has.
//!
//! Invariant: the codes cover every situation, each rule is reached, and each can break something.

use super::Tables;
use super::times::length;
use crate::diagnostic::Sink;
use crate::expr::{expr, head};
use crate::node::Node;
use crate::reader::{self, MapReader};
use smol_str::SmolStr;
use stateline_core::profile::machine::{CodeRule, Constraint, Settles};

/// Reads `settles`, `cap` and `codes` of a row; `named` says whether the row names requirements.
pub(super) fn read(
    map: &mut MapReader<'_>,
    states: &[SmolStr],
    named: bool,
    tables: &Tables<'_>,
    sink: &mut Sink,
) -> Option<Settles> {
    let node = map.need("settles")?;
    let op = reader::text(node, "a method", sink);
    let cap = map.need("cap").and_then(|node| length(node, tables.scope, sink));
    let codes_node = map.need("codes");
    let op = op?;
    let calls = &tables.words.names.calls;
    if !calls.contains_key(op) {
        sink.unknown(node.span.clone(), "method", op, calls.keys().map(SmolStr::as_str));
        return None;
    }
    let word = |kind: &str| head(tables.scope.heads, &format!("{kind}.{op}"));
    let heads = (word("call")?, word("result")?);
    let items = codes_node.map_or(&[][..], |node| reader::items(node, "`codes`", sink));
    let mut codes: Vec<CodeRule> = Vec::new();
    for item in items {
        let Some(rule) = code_rule(item, op, states, tables, sink) else { continue };
        if !named && rule.req.is_none() && !matches!(rule.code, Constraint::Any) {
            sink.error(
                item.span.clone(),
                "this rule breaks no requirement",
                "needs `req`, here or in the row",
            );
        }
        if codes.last().is_some_and(|before| before.when.is_none()) {
            sink.error(
                item.span.clone(),
                "this rule is never reached",
                "the one before has no condition",
            );
        }
        codes.push(rule);
    }
    let covered = codes.last().is_some_and(|last| last.when.is_none());
    if let Some(node) = codes_node
        && codes.len() == items.len()
        && !covered
    {
        sink.error(
            node.span.clone(),
            "the codes don't cover every situation",
            "the last rule has a condition",
        )
        .help("end with a rule without `if`, such as `{ code: any }`");
    }
    Some(Settles { op: op.into(), heads, cap: cap?, codes })
}

fn code_rule(
    node: &Node,
    op: &str,
    states: &[SmolStr],
    tables: &Tables<'_>,
    sink: &mut Sink,
) -> Option<CodeRule> {
    let mut map = MapReader::new(node, "a rule for codes", sink)?;
    let before = sink.len();
    let when = map.get("if").and_then(|node| expr(node, states, tables.scope, sink));
    let values = tables.words.codes(op);
    let code =
        map.need("code").and_then(|node| tables.words.constraint(node, "code", values, sink));
    let prefer =
        map.get("prefer").and_then(|node| tables.words.constraint(node, "code", values, sink));
    let req = map.get("req").and_then(|node| tables.requirement(node, sink));
    let prefer_req = map.get("prefer-req").and_then(|node| tables.requirement(node, sink));
    if prefer_req.is_some() && !map.has("prefer") {
        sink.error(
            map.key_span("prefer-req"),
            "`prefer-req` says what another code than `prefer` breaks",
            "needs `prefer`",
        );
    }
    map.finish(sink);
    let rule = CodeRule { when, code: code?, prefer, req, prefer_req };
    (sink.len() == before).then_some(rule)
}
