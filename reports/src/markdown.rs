//! The summary of a job, in the Markdown that GitHub shows: `stateline report DIR --format markdown >>
//! "$GITHUB_STEP_SUMMARY"`.
//!
//! Whatever a client can say stands in a code span, where nothing is markup, nobody is mentioned and nothing
//! becomes a link. Words of a suite stand as text, escaped. Not responsible for verdicts.
//!
//! Invariant: it is never longer than a summary may be; what is left out is counted.

use crate::outline::{Group, Outline, Reason, answer, applicable, n_covered, profile_totals};
use crate::terminal::profile_name;
use crate::text::{self, Mark, STATUSES, case_name, known_failures, visible};
use stateline_core::record::{CaseRecord, Finding, KnownFailures, RunRecord, Totals};

/// GitHub takes so many bytes from a step.
pub const LIMIT: usize = 1 << 20;
/// Findings that are told; the rest is listed.
const MOST_FINDINGS: usize = 20;
/// Items of any other list.
const MOST_ITEMS: usize = 50;
/// Characters of a text of a client.
const LONGEST: usize = 600;

/// The summary.
#[must_use]
pub fn render(record: &RunRecord) -> String {
    let outline = Outline::of(record);
    let mut page = Page::default();
    page.head(record, &outline);
    page.totals(record);
    page.findings(record, &outline);
    page.undecided(Mark::ERROR, &outline.errors);
    page.undecided(Mark::INCONCLUSIVE, &outline.inconclusive);
    page.known(record, &outline);
    page.warnings(&outline);
    page.advice(record, &outline);
    page.out
}

/// Text of anybody as a code span.
fn code(said: &str) -> String {
    let said = visible(&text::shorten(said, LONGEST), &[]);
    let said = if said.trim().is_empty() { "(nothing)" } else { &said };
    let fence = fence(said, 1);
    format!("{fence} {said} {fence}")
}

/// A command as a block of its own, to be copied.
fn command(said: &str) -> String {
    let said = visible(&text::shorten(said, 10 * LONGEST), &[]);
    let fence = fence(&said, 3);
    format!("\n{fence}\n{said}\n{fence}\n")
}

/// A fence is longer than any run of its own marks inside.
fn fence(said: &str, least: usize) -> String {
    let longest = said.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat((longest + 1).max(least))
}

/// Text of a suite's author.
fn prose(said: &str) -> String {
    let names_somebody = ["@", "://", "www.", "#"].iter().any(|part| said.contains(part));
    if names_somebody {
        return code(said);
    }
    let said = visible(&text::shorten(said.trim(), LONGEST), &[]);
    let mut safe = String::with_capacity(said.len());
    for c in said.chars() {
        // What Markdown may take for markup, wherever it stands in a line.
        if "\\`*_{}[]()<>+!|~&$-:.=".contains(c) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

/// What stands in a cell: nothing in it ends the cell.
fn cell(said: &str) -> String {
    said.replace("\\|", "|").replace('|', "\\u{7c}")
}

#[derive(Default)]
struct Page {
    out: String,
}

/// A column of the totals.
type Column = (&'static str, fn(&Totals) -> u64);

const COLUMNS: [Column; 9] = [
    ("planned", |totals| totals.planned),
    ("pass", |totals| totals.pass),
    ("fail", |totals| totals.fail),
    ("known failures", |totals| totals.known),
    ("inconclusive", |totals| totals.inconclusive),
    ("error", |totals| totals.error),
    ("not applicable", |totals| totals.not_applicable),
    ("not run", |totals| totals.not_run),
    ("warnings", |totals| totals.warnings),
];

impl Page {
    /// Adds a line, if there is room for it and for the words that say there is none.
    fn line(&mut self, line: &str) {
        const FULL: &str = "\n(The rest is left out: a summary has no more room.)\n";
        let room = LIMIT - FULL.len();
        if self.out.ends_with(FULL) {
            return;
        }
        if self.out.len() + line.len() < room {
            self.out.push_str(line);
            self.out.push('\n');
        } else {
            self.out.push_str(FULL);
        }
    }

    fn head(&mut self, record: &RunRecord, outline: &Outline<'_>) {
        let run = &record.run;
        let (mark, said) = answer(record, outline);
        self.line(&format!("## {} {}\n", mark.glyph, prose(&said)));
        let client = code(&text::name_and_version(&run.client));
        let spec = if run.client.spec.is_empty() {
            String::new()
        } else {
            format!(" · {}", code(&run.client.spec))
        };
        self.line(&format!(
            "{client}{spec} · {} time · seed {} · stateline {}\n",
            prose(&run.time),
            run.seed,
            prose(&run.version)
        ));
    }

    fn totals(&mut self, record: &RunRecord) {
        let all: Vec<Totals> =
            record.profiles.iter().map(|profile| profile_totals(record, profile)).collect();
        let columns: Vec<&Column> = COLUMNS
            .iter()
            .enumerate()
            .filter(|(at, column)| *at < 3 || all.iter().any(|totals| column.1(totals) > 0))
            .map(|(_, column)| column)
            .collect();
        let names: Vec<&str> = columns.iter().map(|column| column.0).collect();
        self.line(&format!("| profile | {} |", names.join(" | ")));
        self.line(&format!("|:--|{}", "--:|".repeat(columns.len())));
        for (profile, totals) in record.profiles.iter().zip(&all) {
            let counts: Vec<String> =
                columns.iter().map(|column| column.1(totals).to_string()).collect();
            let name = cell(&code(&profile_name(profile)));
            self.line(&format!("| {name} | {} |", counts.join(" | ")));
        }
        let covered: Vec<String> = STATUSES
            .iter()
            .map(|status| (n_covered(record, *status), Mark::of_coverage(*status).word))
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        self.line(&format!(
            "\n{} of {} applicable · coverage: {} of {} · {}\n",
            applicable(&record.totals),
            text::count_of(record.totals.planned, "planned case"),
            covered.join(", "),
            text::count(record.coverage.len(), "requirement"),
            text::wall_time(record)
        ));
    }

    fn findings(&mut self, record: &RunRecord, outline: &Outline<'_>) {
        let groups: Vec<&Group<'_>> =
            outline.findings.iter().filter(|group| !group.is_known()).collect();
        if groups.is_empty() {
            return;
        }
        self.line("### Findings\n");
        for group in groups.iter().take(MOST_FINDINGS) {
            self.finding(record, group);
        }
        let rest = groups.iter().skip(MOST_FINDINGS);
        let rest =
            rest.map(|group| code(&format!("{} {}", group.finding.requirement, group.finding.row)));
        self.list_rest(rest.collect());
    }

    /// What a list does not tell.
    fn list_rest(&mut self, rest: Vec<String>) {
        if rest.is_empty() {
            return;
        }
        let named = &rest[..rest.len().min(MOST_ITEMS)];
        let dots = if named.len() < rest.len() { ", …" } else { "" };
        self.line(&format!("\nAnd {} more: {}{dots}\n", rest.len(), named.join(", ")));
    }

    fn finding(&mut self, record: &RunRecord, group: &Group<'_>) {
        let Some((case, finding, n)) = group.unexpected() else { return };
        let section =
            group.requirement.map(|known| format!(" · section “{}”", prose(&known.section)));
        let lab = if finding.side == "server" { " · the lab's own duty" } else { "" };
        self.line(&format!(
            "#### {} {} · {} {} · row {}{}{lab}\n",
            Mark::FAIL.glyph,
            code(&finding.requirement),
            finding.strictness.as_str(),
            finding.basis.as_str(),
            code(&finding.row),
            section.unwrap_or_default()
        ));
        if let Some(requirement) = group.requirement {
            self.line(&format!("{}\n", prose(&requirement.text)));
        }
        let Finding { expected, observed, client, at, .. } = finding;
        self.line(&format!("- expected {}", code(expected)));
        self.line(&format!("- observed {}", code(observed)));
        let who = if client.is_empty() { String::new() } else { format!(" at {}", code(client)) };
        self.line(&format!("- when {}{who}, {}", text::instant(*at), in_cases(case, n)));
        self.line(&command(&text::reproduce(record, case)));
    }

    fn undecided(&mut self, mark: Mark, reasons: &[Reason<'_>]) {
        if reasons.is_empty() {
            return;
        }
        self.line(&format!("### {} {}\n", mark.glyph, mark.word));
        for reason in reasons.iter().take(MOST_ITEMS) {
            let first = reason.cases.first().map(|case| in_cases(case, reason.cases.len()));
            self.line(&format!("- {}, {}", code(reason.reason), first.unwrap_or_default()));
        }
        let rest = reasons.iter().skip(MOST_ITEMS).map(|reason| code(reason.reason));
        self.list_rest(rest.collect());
        self.line("");
    }

    fn known(&mut self, record: &RunRecord, outline: &Outline<'_>) {
        let Some(known) = &record.known else { return };
        self.line(&format!("### {} Known failures\n", Mark::KNOWN.glyph));
        self.line(&format!("{}\n", prose(&known_failures(record.totals.known, known))));
        let groups: Vec<_> = outline.findings.iter().filter(|group| group.is_known()).collect();
        for group in groups.iter().take(MOST_ITEMS) {
            let id = format!("{} {}", group.finding.requirement, group.finding.row);
            let n = text::count(group.cases.len(), "case");
            self.line(&format!("- {} in {n}: {}", code(&id), code(&group.reasons())));
        }
        let rest = groups.iter().skip(MOST_ITEMS).map(|group| code(&group.finding.requirement));
        self.list_rest(rest.collect());
        for entry in known.entries.iter().filter(|entry| entry.standing.fails()).take(MOST_ITEMS) {
            self.line(&format!(
                "- {} {} line {}, {}: {}",
                Mark::FAIL.glyph,
                code(&known.file),
                entry.line,
                entry.standing.as_str(),
                code(&entry.cases)
            ));
        }
        self.line("");
    }

    fn warnings(&mut self, outline: &Outline<'_>) {
        if outline.warnings.is_empty() {
            return;
        }
        let each: Vec<String> = outline
            .warnings
            .iter()
            .take(MOST_ITEMS)
            .map(|group| format!("{} × {}", code(&group.finding.requirement), group.cases.len()))
            .collect();
        let more = outline.warnings.len() - each.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        self.line(&format!("{} warned: {}{more}\n", Mark::WARNING.glyph, each.join(", ")));
    }

    fn advice(&mut self, record: &RunRecord, outline: &Outline<'_>) {
        let mut todo: Vec<String> = Vec::new();
        let totals = &record.totals;
        if totals.fail > totals.known {
            let what =
                "Play the first case of a finding again with the command that stands with it";
            todo.push(format!("{what}; `report.html` shows its trace."));
        }
        if let Some(first) = outline.errors.first().and_then(|reason| reason.cases.first()) {
            let first = code(&case_name(first));
            todo.push(format!(
                "An ERROR says nothing of the client. `report.html` shows what its adapter wrote to stderr, \
                 {first} first; `stateline doctor` looks an adapter over."
            ));
        }
        if totals.inconclusive > 0 {
            let what = "What is INCONCLUSIVE was not decided, and is no pass: the reason says what was \
                        waited for.";
            todo.push(what.to_owned());
        }
        if record.known.as_ref().is_some_and(KnownFailures::fails) {
            let what = "Take the entries that do not hold out of the list of known failures, or mend them.";
            todo.push(what.to_owned());
        }
        if record.interrupted {
            todo.push("The run was ended early: run it again.".to_owned());
        }
        if todo.is_empty() {
            return;
        }
        self.line("### What to do\n");
        for todo in todo {
            self.line(&format!("- {todo}"));
        }
    }
}

fn in_cases(first: &CaseRecord, n: usize) -> String {
    match n {
        1 => format!("in {}", code(&case_name(first))),
        n => format!("in {n} cases, first in {}", code(&case_name(first))),
    }
}

#[cfg(test)]
mod tests;
