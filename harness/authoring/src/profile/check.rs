//! Compares the parts of a profile in the end: what the catalogue demands and no row carries, what
//! is declared and nothing uses.
//!
//! Not responsible for single rows.
//!
//! Invariant: what was misspelt elsewhere is told there, and only there.

use super::requirements::Catalogue;
use crate::diagnostic::Sink;
use crate::expr::Scope;
use crate::node::{Kind, Node};
use stateline_core::profile::ReqIx;
use stateline_core::profile::requirement::TestedBy;
use std::collections::BTreeSet;

/// Tells the requirements that somebody tests and no row carries.
pub(super) fn uncarried(catalogue: &Catalogue, carried: &BTreeSet<ReqIx>, sink: &mut Sink) {
    for (ix, (requirement, span)) in catalogue.values().enumerate() {
        if requirement.test == TestedBy::None || carried.contains(&ix) {
            continue;
        }
        sink.error(
            span.clone(),
            format!("no row carries the requirement `{}`", requirement.id),
            "nothing can show it",
        )
        .help("name it in a row, or write `test: none` and why it is `untestable`");
    }
}

/// Tells the clocks and registers that nothing reads.
pub(super) fn unused(scope: &Scope<'_>, root: &Node, sink: &mut Sink) {
    let used = scope.used.borrow();
    for (ix, (name, span)) in scope.clocks.iter().enumerate() {
        if !used.clocks.contains(&ix) {
            sink.error(span.clone(), format!("nothing asks for the clock `{name}`"), "never used");
        }
    }
    let Kind::Map(entries) = &root.kind else { return };
    let registers =
        entries.iter().find(|(key, _)| key.text == "registers").map(|(_, node)| &node.kind);
    let Some(Kind::Map(registers)) = registers else { return };
    for (name, _) in registers {
        if scope
            .registers
            .get_index_of(name.text.as_str())
            .is_some_and(|ix| !used.registers.contains(&ix))
        {
            sink.error(
                name.span.clone(),
                format!("nothing reads the register `{}`", name.text),
                "never used",
            );
        }
    }
}
