//! A row of a table: what opens it, its window, what closes it, and how it is written.
//!
//! Conditions are shown as they are written in the profile. Not responsible for what a row means;
//! the oracle decides that.
//!
//! Invariant: lengths are shown as the document or the policy has them, without any slack.

use super::demand;
use crate::command::layout::Page;
use crate::suite::{Contract, Suite};
use stateline_core::oracle::pattern_text;
use stateline_core::profile::machine::{
    Expect, Keep, Modality, Never, Pattern, Row, RowBody, Settles, StateSet, Target, Trigger,
};
use stateline_core::profile::{Length, Profile, RowIx};
use stateline_core::time::Micros;

/// Tells of a row.
pub(super) fn tell(page: &mut Page, suite: &Suite, contract: &Contract, ix: RowIx) {
    let words = Words { contract, profile: &contract.profile };
    let row = &words.profile.rows[ix];
    let machine = &words.profile.machines[row.machine];
    page.title(&format!("{}: row of machine {} of {}", row.id, machine.name, words.profile.id));
    if !row.title.is_empty() {
        page.text(&row.title);
    }
    page.labelled("kind", kind(row));
    page.listed("requirements", row.req.iter().map(|case| demand(contract, case.req)));
    page.listed("early", row.early.map(|req| demand(contract, req)));
    page.listed("withdrawn", row.withdrawn.map(|req| demand(contract, req)));
    page.listed("at most", row.strict.map(|strict| strict.as_str().to_owned()));
    page.labelled(
        "from",
        &row.from.map_or_else(|| "any state".to_owned(), |from| words.states(row, from)),
    );
    match &row.body {
        RowBody::Expect(expect) => words.expect(page, row, expect),
        RowBody::Silent { trigger, to } => {
            page.labelled("trigger", &words.trigger(trigger));
            page.listed("moves to", to.map(|to| words.states(row, StateSet::default().with(to))));
        }
        RowBody::Never(never) => words.never(page, never),
        RowBody::Keep(keep) => words.keep(page, keep),
        RowBody::Settles(settles) => words.settles(page, settles),
        RowBody::Choice { trigger, choice } => {
            page.labelled("trigger", &words.trigger(trigger));
            page.labelled("records", choice);
        }
    }
    if let Some(source) = suite.source(&words.profile.id, "profile.yaml") {
        page.listed(
            "file",
            written(&source.text, &row.id).map(|(line, _)| format!("{}:{line}", source.name)),
        );
        page.verbatim(
            "as written",
            written(&source.text, &row.id).into_iter().flat_map(|(_, lines)| lines),
        );
    }
}

const fn kind(row: &Row) -> &'static str {
    match &row.body {
        RowBody::Expect(Expect { modality: Modality::May, .. }) => {
            "may: permits, and demands nothing"
        }
        RowBody::Expect(Expect { to: Target::Stay, .. }) => "expect: demands, and moves nothing",
        RowBody::Expect(_) => "transition: demands, and moves",
        RowBody::Silent { to: Some(_), .. } => "silent: moves without being seen",
        RowBody::Silent { to: None, .. } => "silent: remembers",
        RowBody::Never(_) => "never: forbids",
        RowBody::Keep(_) => "keep: demands again and again",
        RowBody::Settles(_) => "settles: a call completes",
        RowBody::Choice { .. } => "choice: records what the document leaves open",
    }
}

/// The words of one profile.
#[derive(Clone, Copy)]
struct Words<'a> {
    contract: &'a Contract,
    profile: &'a Profile,
}

impl Words<'_> {
    fn states(self, row: &Row, set: StateSet) -> String {
        let machine = &self.profile.machines[self.profile.machines[row.machine].leader];
        set.iter()
            .filter_map(|state| machine.states.get(state))
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" or ")
    }

    fn patterns(self, patterns: &[Pattern]) -> String {
        patterns
            .iter()
            .map(|pattern| pattern_text(self.profile, pattern))
            .collect::<Vec<_>>()
            .join(" or ")
    }

    fn trigger(self, trigger: &Trigger) -> String {
        match trigger {
            Trigger::On(patterns) => self.patterns(patterns),
            Trigger::Since(clock) => {
                let clock = &self.profile.clocks[*clock];
                format!("the clock {}, which {} starts", clock.name, self.patterns(&clock.start))
            }
        }
    }

    fn length(self, length: Length) -> String {
        let time = self.contract.settings.length(self.profile, length);
        match length {
            Length::Fixed(_) => time.to_string(),
            Length::Late => format!("{time} (the tolerance)"),
            Length::Cap(cap) => {
                let name = self.profile.caps.get_index(cap).map_or("", |(name, _)| name);
                format!("{time} (the cap {name}: a warning then, a failure at twice)")
            }
        }
    }

    fn expect(self, page: &mut Page, row: &Row, expect: &Expect) {
        page.labelled("trigger", &self.trigger(&expect.trigger));
        let opens = if expect.after == Micros::ZERO {
            "opens with the trigger".to_owned()
        } else {
            format!("opens {} after the trigger", expect.after)
        };
        let closes = match (expect.within, expect.modality) {
            (Some(length), _) => format!("lasts {}", self.length(length)),
            (None, Modality::Must) => format!("lasts {}", self.length(Length::Late)),
            (None, Modality::May) => "lasts until the state is left".to_owned(),
        };
        page.labelled("window", &format!("{opens}, {closes}"));
        page.listed(
            "warns",
            expect
                .warn_after
                .map(|length| format!("when it comes later than {}", self.length(length))),
        );
        page.labelled("closed by", &pattern_text(self.profile, &expect.emit));
        match expect.to {
            Target::Stay => {}
            Target::State(to) => {
                page.labelled("moves to", &self.states(row, StateSet::default().with(to)))
            }
            Target::Observed => page.labelled("moves to", "what was reported"),
        }
        let mut withdrawn = Vec::new();
        if !expect.unless.is_empty() {
            withdrawn.push(self.patterns(&expect.unless));
        }
        if let Trigger::Since(clock) = expect.trigger {
            let clock = &self.profile.clocks[clock];
            withdrawn.push(format!(
                "the end of the clock {}: {}",
                clock.name,
                self.patterns(&clock.stop)
            ));
        }
        page.listed("withdrawn by", withdrawn);
        page.listed(
            "dropped",
            row.from
                .filter(|_| expect.to != Target::Stay)
                .map(|_| "when its state is left otherwise".to_owned()),
        );
    }

    fn never(self, page: &mut Page, never: &Never) {
        let (trigger, length) = match &never.on {
            Some((patterns, length)) => {
                (self.patterns(patterns), length.map(|length| self.length(length)))
            }
            None => ("none: in force as long as its state lasts".to_owned(), None),
        };
        page.labelled("trigger", &trigger);
        page.listed("for", length);
        page.labelled("forbids", &pattern_text(self.profile, &never.pattern));
        page.listed("not before", never.grace.map(|grace| self.length(grace)));
        let unless = (!never.unless.is_empty()).then(|| self.patterns(&never.unless));
        page.listed("withdrawn by", unless);
        page.listed("kept after", never.exposure.map(|exposure| exposure.to_string()));
    }

    fn keep(self, page: &mut Page, keep: &Keep) {
        page.labelled("demands", &pattern_text(self.profile, &keep.pattern));
        page.labelled("at least every", &self.length(keep.every));
        page.labelled("tolerance", &self.length(keep.tolerance));
    }

    fn settles(self, page: &mut Page, settles: &Settles) {
        page.labelled("trigger", &format!("call.{}", settles.op));
        page.labelled(
            "window",
            &format!("opens with the call, lasts {}", self.length(settles.cap)),
        );
        page.labelled(
            "closed by",
            &format!("completion of {}, the first; the codes are below", settles.op),
        );
    }
}

/// The lines of a profile that write the row with this id, and the number of the first.
fn written(text: &str, id: &str) -> Option<(usize, Vec<String>)> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = |line: &str| {
        let item = line.trim_start().strip_prefix("- ")?;
        let rest = item.trim_start_matches(['{', ' ']).strip_prefix("id:")?;
        let found = rest.trim().split([',', ' ', '}']).next()? == id;
        found.then_some(line.len() - line.trim_start().len())
    };
    let (first, indent) =
        lines.iter().enumerate().find_map(|(at, line)| Some((at, starts(line)?)))?;
    let own =
        |line: &&&str| !line.trim().is_empty() && line.len() - line.trim_start().len() > indent;
    let rest = lines[first + 1..].iter().take_while(own);
    let block = std::iter::once(&lines[first]).chain(rest).map(|line| line[indent..].to_owned());
    Some((first + 1, block.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_where_it_is_written() {
        let text = "rows:\n  - id: C2s\n    x: 1\n  - id: C2\n    to: a\n    set: {}\n\n  - { id: C4, to: b }\n";
        assert_eq!(
            written(text, "C2"),
            Some((4, vec!["- id: C2".into(), "  to: a".into(), "  set: {}".into()]))
        );
        assert_eq!(written(text, "C4"), Some((8, vec!["- { id: C4, to: b }".into()])));
        assert_eq!(written(text, "C5"), None);
    }
}
