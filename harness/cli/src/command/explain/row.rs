//! A row of a table: what opens it, its window, what closes it, and how it is written.
//!
//! Conditions are shown as they are written in the profile. Not responsible for what a row means;
//! the oracle decides that.
//!
//! Invariant: lengths are shown as the document or the policy has them, without any slack.

use super::article::Article;
use super::conflicts::touching;
use super::demand;
use super::given::Given;
use super::grid::cells;
use crate::suite::{Contract, Suite};
use stateline_core::oracle::pattern_text;
use stateline_core::profile::grid::Says;
use stateline_core::profile::machine::{
    Expect, Keep, Modality, Never, Pattern, Row, RowBody, Settles, StateSet, Target, Trigger,
};
use stateline_core::profile::requirement::Basis;
use stateline_core::profile::{Length, Profile, RowIx};
use stateline_core::time::Micros;
use stateline_runner::summary::row_record;

/// Tells of a row, and of what a run says of it.
pub(super) fn tell(
    suite: &Suite,
    contract: &Contract,
    ix: RowIx,
    given: Option<&Given>,
) -> Article {
    let profile = &contract.profile;
    let words = Words { contract, profile };
    let row = &profile.rows[ix];
    let machine = &profile.machines[row.machine];
    let is = format!("row of machine {} of {}", machine.name, profile.id);
    let mut article = Article::new("row", row.id.as_str(), &is).of(&profile.id);
    article.text(&row.title);
    article.data(row_record(profile, row));
    article.labelled("kind", kind(row));
    let implied = machine.basis == Basis::Implied;
    article.listed(
        "basis",
        implied.then_some("implied: the document has no such table, its prose does"),
    );
    article.listed("requirements", row.req.iter().map(|case| demand(profile, case.req)));
    article.listed("early", row.early.map(|req| demand(profile, req)));
    article.listed("withdrawn", row.withdrawn.map(|req| demand(profile, req)));
    article.listed("at most", row.strict.map(|strict| strict.as_str()));
    let from = row.from.map(|from| states_of(profile, row, from));
    article.labelled("from", from.unwrap_or_else(|| "any state".to_owned()));
    match &row.body {
        RowBody::Expect(expect) => words.expect(&mut article, row, expect),
        RowBody::Silent { trigger, to } => {
            article.labelled("trigger", words.trigger(trigger));
            let to = to.map(|to| states_of(profile, row, StateSet::default().with(to)));
            article.listed("moves to", to);
        }
        RowBody::Never(never) => words.never(&mut article, never),
        RowBody::Keep(keep) => words.keep(&mut article, keep),
        RowBody::Settles(settles) => words.settles(&mut article, settles),
        RowBody::Choice { trigger, choice } => {
            article.labelled("trigger", words.trigger(trigger));
            article.labelled("records", choice);
        }
    }
    if let Some(given) = given {
        given.of_row(&mut article, profile, &row.id);
    }
    let decided = cells(contract, |cell| match &cell.says {
        Says::Rows(rows) | Says::Silent(rows) => rows.contains(&ix),
        Says::Forbidden(_) => false,
    });
    article.listed("cells", decided);
    article.listed("conflicts", touching(profile, |conflict| conflict.rows.contains(&row.id)));
    if let Some(source) = suite.source(&profile.id, "profile.yaml")
        && let Some((line, lines)) = written(&source.text, &row.id)
    {
        article.labelled("file", format!("{}:{line}", source.name));
        article.verbatim("as written", lines);
    }
    article
}

/// What opens a row, and when, in one sentence or two.
pub(super) fn in_words(contract: &Contract, row: &Row) -> String {
    let words = Words { contract, profile: &contract.profile };
    match &row.body {
        RowBody::Expect(expect) => {
            format!("Trigger: {}; {}.", words.trigger(&expect.trigger), words.window(expect))
        }
        RowBody::Silent { trigger, .. } | RowBody::Choice { trigger, .. } => {
            format!("Trigger: {}.", words.trigger(trigger))
        }
        RowBody::Never(never) => match &never.on {
            Some((on, Some(length))) => {
                format!("Trigger: {}, for {}.", patterns(words.profile, on), words.length(*length))
            }
            Some((on, None)) => format!("Trigger: {}.", patterns(words.profile, on)),
            None => match row.from {
                Some(from) => format!("Always while {}.", states_of(words.profile, row, from)),
                None => "Always.".to_owned(),
            },
        },
        RowBody::Keep(keep) => format!(
            "At least every {}: {}.",
            words.length(keep.every),
            pattern_text(words.profile, &keep.pattern)
        ),
        RowBody::Settles(settles) => {
            format!("Trigger: call.{}; completes within {}.", settles.op, words.length(settles.cap))
        }
    }
}

/// The states of a set, as the row's machine calls them.
pub(super) fn states_of(profile: &Profile, row: &Row, set: StateSet) -> String {
    let machine = &profile.machines[profile.machines[row.machine].leader];
    let names = set.iter().filter_map(|state| machine.states.get(state)).map(ToString::to_string);
    names.collect::<Vec<_>>().join(" or ")
}

/// Patterns in words.
pub(super) fn patterns(profile: &Profile, patterns: &[Pattern]) -> String {
    let texts = patterns.iter().map(|pattern| pattern_text(profile, pattern));
    texts.collect::<Vec<_>>().join(" or ")
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
    fn trigger(self, trigger: &Trigger) -> String {
        match trigger {
            Trigger::On(on) => patterns(self.profile, on),
            Trigger::Since(clock) => {
                let clock = &self.profile.clocks[*clock];
                format!(
                    "the clock {}, which {} starts",
                    clock.name,
                    patterns(self.profile, &clock.start)
                )
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

    fn window(self, expect: &Expect) -> String {
        let opens = match expect.after_register {
            Some(register) => {
                let name = self.profile.registers.get_index(register).map_or("", |(name, _)| name);
                format!(
                    "opens as many seconds after the trigger as {name} holds, if that is more than none"
                )
            }
            None if expect.after == Micros::ZERO => "opens with the trigger".to_owned(),
            None => format!("opens {} after the trigger", expect.after),
        };
        let closes = match (expect.within, expect.modality) {
            (Some(length), _) => format!("lasts {}", self.length(length)),
            (None, Modality::Must) => format!("lasts {}", self.length(Length::Late)),
            (None, Modality::May) => "lasts until the state is left".to_owned(),
        };
        format!("{opens}, {closes}")
    }

    fn expect(self, article: &mut Article, row: &Row, expect: &Expect) {
        article.labelled("trigger", self.trigger(&expect.trigger));
        article.labelled("window", self.window(expect));
        article.listed(
            "warns",
            expect
                .warn_after
                .map(|length| format!("when it comes later than {}", self.length(length))),
        );
        article.labelled("closed by", pattern_text(self.profile, &expect.emit));
        match expect.to {
            Target::Stay => {}
            Target::State(to) => article
                .labelled("moves to", states_of(self.profile, row, StateSet::default().with(to))),
            Target::Observed => article.labelled("moves to", "what was reported"),
        }
        let mut withdrawn = Vec::new();
        if !expect.unless.is_empty() {
            withdrawn.push(patterns(self.profile, &expect.unless));
        }
        if let Trigger::Since(clock) = expect.trigger {
            let clock = &self.profile.clocks[clock];
            withdrawn.push(format!(
                "the end of the clock {}: {}",
                clock.name,
                patterns(self.profile, &clock.stop)
            ));
        }
        article.listed("withdrawn by", withdrawn);
        article.listed(
            "dropped",
            row.from
                .filter(|_| expect.to != Target::Stay)
                .map(|_| "when its state is left otherwise"),
        );
    }

    fn never(self, article: &mut Article, never: &Never) {
        let (trigger, length) = match &never.on {
            Some((on, length)) => {
                (patterns(self.profile, on), length.map(|length| self.length(length)))
            }
            None => ("none: in force as long as its state lasts".to_owned(), None),
        };
        article.labelled("trigger", trigger);
        article.listed("for", length);
        article.labelled("forbids", pattern_text(self.profile, &never.pattern));
        article.listed("not before", never.grace.map(|grace| self.length(grace)));
        let unless = (!never.unless.is_empty()).then(|| patterns(self.profile, &never.unless));
        article.listed("withdrawn by", unless);
        article.listed("kept after", never.exposure.map(|exposure| exposure.to_string()));
    }

    fn keep(self, article: &mut Article, keep: &Keep) {
        article.labelled("demands", pattern_text(self.profile, &keep.pattern));
        article.labelled("at least every", self.length(keep.every));
        article.labelled("tolerance", self.length(keep.tolerance));
    }

    fn settles(self, article: &mut Article, settles: &Settles) {
        article.labelled("trigger", format!("call.{}", settles.op));
        article
            .labelled("window", format!("opens with the call, lasts {}", self.length(settles.cap)));
        article.labelled(
            "closed by",
            format!("completion of {}, the first; the codes are below", settles.op),
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
