//! What a run says: its findings one by one, and its part in the explanation of a requirement, row or case.
//!
//! Not responsible for judging; the record has been judged.
//!
//! Invariant: all that is told stands in the record.

use super::article::Article;
use super::conflicts::touching;
use super::glossary::{self, meaning};
use crate::Failure;
use crate::command::layout::count;
use crate::command::list::breakers;
use crate::suite::Contract;
use serde_json::json;
use stateline_core::profile::Profile;
use stateline_core::record::{CaseRecord, CoverageStatus, Finding, RunRecord, SCHEMA, Verdict};
use stateline_core::trace::{Event, Plane};
use stateline_reports::text::{case_name, event_fields, event_head, instant, reproduce, shorten};
use stateline_reports::way::{Way, way};
use stateline_reports::{Breach, breaches};
use std::fs;
use std::path::Path;

/// How many events of a finding's span are shown, and how many cases of a list.
const MOST: usize = 12;
/// How many events are shown at least, where there are so many.
const LEAST: usize = 6;
/// The longest text of a client that is shown.
const LONGEST: usize = 300;

/// A run that was given with `--run`.
pub(super) struct Given {
    record: RunRecord,
}

impl Given {
    /// Reads `run.json` of a folder, or a file.
    ///
    /// # Errors
    /// When there is none, or it is no record that this version reads.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let file = if path.is_dir() { path.join("run.json") } else { path.to_owned() };
        let failed = |why: String| Failure::usage(format!("cannot read {}: {why}", file.display()));
        let text = fs::read_to_string(&file).map_err(|error| {
            let journal = file.with_file_name("journal.jsonl");
            let hint = if journal.is_file() {
                format!(
                    "; the run was cut short: `stateline judge {} --out DIR` makes a record of it",
                    journal.display()
                )
            } else {
                String::new()
            };
            failed(format!("{error}{hint}"))
        })?;
        let json: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| failed(format!("it is no JSON: {error}")))?;
        match json["schema"].as_str() {
            Some(SCHEMA) => {}
            Some(schema) => {
                return Err(failed(format!(
                    "its schema is `{schema}`, and this version reads `{SCHEMA}`"
                )));
            }
            None => return Err(failed("it is no run record".to_owned())),
        }
        let record = serde_json::from_value(json)
            .map_err(|error| failed(format!("it is no run record: {error}")))?;
        Ok(Self { record })
    }

    /// Which run it was.
    fn named(&self) -> String {
        let run = &self.record.run;
        format!(
            "{} {} ({}, seed {})",
            run.client.name, run.client.version, run.client.spec, run.seed
        )
    }

    /// What it says of a requirement.
    pub(super) fn of_requirement(&self, article: &mut Article, profile: &Profile, id: &str) {
        article.labelled("run", self.named());
        self.changed(article, profile);
        let own = self.record.profiles.iter().any(|of| of.id == profile.id);
        let status = self.record.coverage.iter().find(|entry| own && entry.requirement == id);
        let Some(entry) = status else {
            article.labelled("status", format!("the run was not about {}", profile.id));
            return;
        };
        let (kind, word) = match entry.status {
            CoverageStatus::NotTestable => ("status", "not-testable"),
            CoverageStatus::Unexercised => ("status", "unexercised"),
            CoverageStatus::Recorded => ("judgement", "recorded"),
            CoverageStatus::Satisfied => ("judgement", "satisfied"),
            CoverageStatus::Undetermined => ("judgement", "undetermined"),
            CoverageStatus::Violated => ("judgement", "violated"),
            CoverageStatus::Warned => ("judgement", "warned"),
        };
        let in_cases = match entry.cases.len() {
            0 => String::new(),
            n => format!(" In {}.", count(n, "case")),
        };
        article.labelled("status", format!("{word}: {}{in_cases}", meaning(kind, word)));
        self.findings(article, |finding| finding.requirement == id);
    }

    /// What it says of a row.
    pub(super) fn of_row(&self, article: &mut Article, profile: &Profile, id: &str) {
        article.labelled("run", self.named());
        self.changed(article, profile);
        self.findings(article, |finding| finding.row == id);
    }

    fn findings(&self, article: &mut Article, wanted: impl Fn(&Finding) -> bool) {
        let all = breaches(&self.record);
        let own = all.iter().enumerate().filter(|(_, breach)| wanted(breach.finding));
        article.listed("findings", own.map(|(at, breach)| in_short(at, breach)));
    }

    fn changed(&self, article: &mut Article, profile: &Profile) {
        let of = self.record.profiles.iter().find(|of| of.id == profile.id);
        let changed = of.is_some_and(|of| of.digest != profile.digest);
        article.listed("note", changed.then_some("the profile has changed since the run"));
    }

    /// The plays of a case.
    pub(super) fn plays(&self, id: &str) -> Vec<&CaseRecord> {
        self.record.cases.iter().filter(|case| case.id == id).collect()
    }

    /// What it says of a case.
    pub(super) fn of_case(&self, article: &mut Article, id: &str) {
        article.labelled("run", self.named());
        let plays = self.plays(id);
        if plays.is_empty() {
            article.labelled("verdict", "the run did not select it");
        }
        for case in plays {
            self.play(article, case);
        }
    }

    fn play(&self, article: &mut Article, case: &CaseRecord) {
        if case.repeat > 0 {
            article.labelled("repetition", (case.repeat + 1).to_string());
        }
        let Some(verdict) = case.verdict else {
            let why = case.not_applicable.as_deref();
            article.labelled(
                "verdict",
                why.map_or_else(|| "not run".to_owned(), |why| format!("not applicable: {why}")),
            );
            return;
        };
        article.labelled(
            "verdict",
            format!("{}: {}", verdict.as_str(), meaning("verdict", verdict.as_str())),
        );
        if let Some(reason) = &case.reason {
            article.labelled("reason", shorten(reason, LONGEST));
            article.listed("that is", glossary::of_reason(reason).map(|word| word.in_words()));
        }
        if let Some(expected) = &case.expected {
            article.labelled("known failure", &expected.reason);
        }
        let leading = case.findings.iter().filter(|finding| !finding.consequent);
        for finding in leading {
            self.breach(article, case, finding);
        }
        let consequent: Vec<String> = case
            .findings
            .iter()
            .filter(|finding| finding.consequent)
            .map(|finding| {
                format!("{} {} at {}", finding.requirement, finding.row, instant(finding.at))
            })
            .collect();
        article.listed("may follow", consequent);
        if case.findings.is_empty() {
            self.way(article, case, None);
        }
        let judged = case.requirements.iter().filter(|judged| judged.named);
        let judged = judged.map(|judged| {
            let word = serde_json::to_value(judged.judgement).unwrap_or_default();
            format!("{}: {}", judged.id, word.as_str().unwrap_or_default())
        });
        article.listed("judged", judged);
        let chosen = case.choices.iter().map(|choice| {
            format!("{} {}: {}", choice.client, choice.row, shorten(&choice.choice, LONGEST))
        });
        article.listed("choices", chosen);
        if verdict != Verdict::Pass {
            article.command("play it again", reproduce(&self.record, case));
        }
    }

    /// What was expected, what was seen, and how far the table explains it. Gives what is wrong in a word.
    fn breach(
        &self,
        article: &mut Article,
        case: &CaseRecord,
        finding: &Finding,
    ) -> Option<&'static str> {
        article.labelled("violates", format!("{} by row {}", finding.requirement, finding.row));
        article.labelled("expected", &finding.expected);
        article.labelled("observed", shorten(&finding.observed, LONGEST));
        let side = if finding.side == "server" { "the lab" } else { &finding.client };
        article.labelled("when", format!("{} at {side}", instant(finding.at)));
        let word = self.way(article, case, Some(finding));
        let (first, last) = finding.trace;
        let own = |event: &&Event| {
            event.n <= last && event.client.as_ref().is_none_or(|client| *client == finding.client)
        };
        let until: Vec<&Event> = case.trace.iter().filter(own).collect();
        // Of a breach that one event shows, what came just before it says more.
        let first = until.partition_point(|event| event.n < first);
        let span = &until[first.min(until.len().saturating_sub(LEAST))..];
        // What is nearest to the end of the span is worth most; the event that began it is kept.
        let skipped = span.len().saturating_sub(MOST);
        let shown = span.iter().enumerate().filter(|(at, _)| *at == 0 || *at > skipped);
        let mut lines: Vec<String> = shown.map(|(_, event)| line(event)).collect();
        if skipped > 0 {
            lines.insert(1, format!("… {} …", count(skipped, "event")));
        }
        article.verbatim("trace", lines);
        word
    }

    fn way(
        &self,
        article: &mut Article,
        case: &CaseRecord,
        finding: Option<&Finding>,
    ) -> Option<&'static str> {
        let Some(Way { allowed, left, word, instead }) = way(&self.record, case, finding) else {
            article.labelled(
                "allowed",
                "the record does not hold what the table expected in this case",
            );
            return None;
        };
        article.listed("allowed", allowed);
        article.listed("then", left);
        article.listed(if finding.is_some() { "instead" } else { "still awaited" }, instead);
        word
    }

    /// All findings, on a line each.
    pub(super) fn overview(&self) -> Article {
        let all = breaches(&self.record);
        let mut article = Article::new("findings", count(all.len(), "finding"), &self.named());
        article.text(if all.is_empty() {
            "The run violates nothing."
        } else {
            "`stateline explain finding N --run DIR` tells one of them in full."
        });
        article.listed("findings", all.iter().enumerate().map(|(at, breach)| in_short(at, breach)));
        let data = all.iter().enumerate().map(|(at, Breach { case, finding, cases })| {
            json!({
                "number": at + 1,
                "requirement": finding.requirement,
                "row": finding.row,
                "case": case.id,
                "cases": cases.len(),
            })
        });
        article.data(data.collect::<Vec<_>>());
        article
    }

    /// One finding, by its number from 1.
    ///
    /// # Errors
    /// When there is none of that number.
    pub(super) fn finding(&self, number: &str, contracts: &[Contract]) -> Result<Article, Failure> {
        let all = breaches(&self.record);
        let found = number.parse::<usize>().ok().and_then(|n| all.get(n.checked_sub(1)?));
        let Some(breach) = found else {
            let range = match all.len() {
                0 => "the run has none".to_owned(),
                n => format!("they are numbered from 1 to {n}"),
            };
            return Err(Failure::usage(format!("there is no finding `{number}`; {range}")));
        };
        let Breach { case, finding, cases } = breach;
        let is = format!("{} violated, row {}", finding.requirement, finding.row);
        let mut article =
            Article::new("finding", format!("finding {number}"), &is).of(&case.profile);
        let all: Vec<_> = cases.iter().map(|case| &case.id).collect();
        article.data(
            json!({ "case": case.id, "repeat": case.repeat, "cases": all, "finding": finding }),
        );
        let profile = self.record.profiles.iter().find(|profile| profile.id == case.profile);
        let requirement = profile.and_then(|profile| {
            profile.requirements.iter().find(|req| req.id == finding.requirement)
        });
        if let Some(requirement) = requirement {
            article.text(&requirement.text);
            article.labelled("section", &requirement.section);
        }
        let said = |kind, word: &str| format!("{word}: {}", meaning(kind, word));
        article.labelled("basis", said("basis", finding.basis.as_str()));
        article.labelled("strictness", said("strictness", finding.strictness.as_str()));
        article.labelled("run", self.named());
        article.labelled("case", case_name(case));
        if cases.len() > 1 {
            let names: Vec<String> =
                cases.iter().skip(1).take(MOST).map(|case| case_name(case)).collect();
            let rest = cases.len() - 1 - names.len();
            let more = (rest > 0).then(|| format!("and {rest} more"));
            article.listed("also in", names.into_iter().chain(more));
        }
        let word = self.breach(&mut article, case, finding);
        article.listed("look at", hints(finding, word, contracts, &case.profile));
        article.command("play it again", reproduce(&self.record, case));
        Ok(article)
    }
}

/// A finding on a line, with its number.
fn in_short(at: usize, Breach { case, finding, cases }: &Breach<'_>) -> String {
    let first = if cases.len() == 1 { "in" } else { "first in" };
    format!(
        "{}. {} by row {} ({}), {}, {first} {}",
        at + 1,
        finding.requirement,
        finding.row,
        finding.strictness.as_str(),
        count(cases.len(), "case"),
        case_name(case)
    )
}

/// An event on a line.
fn line(event: &Event) -> String {
    let fields: Vec<String> = event_fields(event)
        .into_iter()
        // What a client said word by word is in the record; here its names say it.
        .filter(|(name, _)| {
            !name.starts_with("raw") && (event.plane != Plane::Wire || name != "text")
        })
        .map(|(name, value)| format!("{name} {}", shorten(&value, 60)))
        .collect();
    let fields =
        if fields.is_empty() { String::new() } else { format!(" ({})", fields.join(", ")) };
    format!("{:>5} {:>12}  {}{fields}", event.n, instant(event.at), event_head(event))
}

/// What to look at in the trace, and where to go on reading.
fn hints(
    finding: &Finding,
    word: Option<&str>,
    contracts: &[Contract],
    profile: &str,
) -> Vec<String> {
    let mut hints = Vec::new();
    hints.extend(word.and_then(hint).map(str::to_owned));
    hints.push(format!(
        "stateline explain {} and stateline explain row {profile}/{}: what is demanded, and when",
        finding.requirement, finding.row
    ));
    let Some(contract) = contracts.iter().find(|contract| contract.profile.id == profile) else {
        return hints;
    };
    let faults: Vec<&str> =
        breakers(profile, &finding.requirement).map(|defect| defect.id).collect();
    if !faults.is_empty() {
        hints.push(format!("known faults that break it as well: {}", faults.join(", ")));
    }
    let touched = touching(&contract.profile, |conflict| {
        conflict.requirements.contains(&finding.requirement) && conflict.rows.contains(&finding.row)
    });
    hints.extend(touched.map(|conflict| format!("conflict {conflict}")));
    hints
}

/// What to look at, by what is wrong with a step.
fn hint(word: &str) -> Option<&'static str> {
    Some(match word {
        "overdue" => {
            "the trace begins with what demanded it: what reached the client since then, and what did it do?"
        }
        "too early" => "the trace begins with the trigger: from when does the client count?",
        "forbidden" => "the events just before: what made the client do this?",
        "not as documented" => "expected against observed: what came differs in a field",
        "unexplained" => "the events just before: which of them does the client take for a cause?",
        _ => return None,
    })
}
