//! The summary after a run, for people at a terminal and in CI logs.
//!
//! Not responsible for finding out whether there is a terminal, how wide it is, or whether colour
//! is wanted: all of that is in [`Options`].
//!
//! Invariant: failures stand alone and before everything else; warnings and choices never take
//! more than a line a requirement. No byte of a client reaches the terminal as a control character.

use crate::outline::{Group, Outline, Reason, answer, applicable, n_covered, profile_totals};
use crate::text::{self, Mark, STATUSES, name_and_version};
use anstyle::{AnsiColor, Style};
use stateline_core::record::{Finding, ProfileRecord, RunRecord, Totals};
use std::fmt::Write;
use tabled::Table;
use tabled::builder::Builder;
use tabled::settings::object::{Columns, Object, Rows};
use tabled::settings::{Alignment, Color, Modify, Style as TableStyle, Width};
use textwrap::WordSplitter;

/// How to render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Use ANSI colours.
    pub colour: bool,
    /// Columns; commands that are to be copied may be longer.
    pub width: usize,
    /// Failures told in full.
    pub max_findings: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { colour: false, width: 100, max_findings: 20 }
    }
}

/// The summary, ending with a line feed.
#[must_use]
pub fn render(record: &RunRecord, options: &Options) -> String {
    let outline = Outline::of(record);
    let mut page =
        Page { out: String::new(), colour: options.colour, width: options.width.clamp(40, 160) };
    page.head(record, &outline);
    page.profiles(record);
    page.findings(record, &outline, options.max_findings);
    page.reasons(Mark::ERROR, &outline.errors);
    page.reasons(Mark::INCONCLUSIVE, &outline.inconclusive);
    page.reasons(Mark::NOT_APPLICABLE, &outline.not_applicable);
    page.foot(record, &outline);
    page.out
}

/// A count of the table: its heading, the mark that colours it, where it stands.
type Column = (&'static str, Option<Mark>, fn(&Totals) -> u64);

/// Text as it grows. Everything that is shown goes through [`Page::span`].
struct Page {
    out: String,
    colour: bool,
    width: usize,
}

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
/// Where the text of a labelled line starts.
const LABEL: usize = 12;

fn styled(lines: Vec<Vec<String>>) -> Table {
    let mut table = Builder::from(lines).build();
    let counts = Columns::new(1..).not(Rows::first());
    table
        .with(TableStyle::sharp().remove_frame())
        .with(Modify::new(counts).with(Alignment::right()));
    table
}

fn transposed(lines: &[Vec<String>]) -> Vec<Vec<String>> {
    let n_columns = lines.first().map_or(0, Vec::len);
    (0..n_columns)
        .map(|at| lines.iter().filter_map(|line| line.get(at).cloned()).collect())
        .collect()
}

fn tone(mark: Mark) -> Style {
    let colour = match mark.tone {
        "good" => AnsiColor::Green,
        "bad" => AnsiColor::Red,
        "warn" | "doubt" => AnsiColor::Yellow,
        "note" => AnsiColor::Cyan,
        _ => return DIM,
    };
    colour.on_default().bold()
}

impl Page {
    fn span(&mut self, style: Style, shown: &str) {
        let shown = text::visible(shown, &[]);
        if self.colour && style != PLAIN {
            let _ = write!(self.out, "{style}{shown}{style:#}");
        } else {
            self.out.push_str(&shown);
        }
    }

    fn end(&mut self) {
        while self.out.ends_with(' ') {
            self.out.pop();
        }
        self.out.push('\n');
    }

    /// Text wrapped behind a mark and a label.
    fn marked(&mut self, mark: Mark, label: &str, shown: &str) {
        self.wrapped(
            &format!("{} {label:<width$}", mark.glyph, width = LABEL - 2),
            tone(mark),
            shown,
            PLAIN,
        );
    }

    /// Text wrapped behind a label.
    fn labelled(&mut self, label: &str, shown: &str) {
        self.wrapped(&format!("  {label:<width$}", width = LABEL - 2), DIM, shown, PLAIN);
    }

    fn wrapped(&mut self, lead: &str, lead_style: Style, shown: &str, style: Style) {
        // Made visible first: an escape that is shown is wider than the character it stands for.
        let shown = text::visible(shown, &[]);
        let indent = " ".repeat(lead.chars().count());
        let room = self.width.saturating_sub(indent.len()).max(20);
        // An id that is broken cannot be copied; a longer word than the line is the terminal's to wrap.
        let whole_words = textwrap::Options::new(room)
            .word_splitter(WordSplitter::NoHyphenation)
            .break_words(false);
        for (n, line) in textwrap::wrap(&shown, whole_words).iter().enumerate() {
            if n == 0 {
                self.span(lead_style, lead);
            } else {
                self.out.push_str(&indent);
            }
            self.span(style, line);
            self.end();
        }
    }

    fn head(&mut self, record: &RunRecord, outline: &Outline<'_>) {
        let run = &record.run;
        self.wrapped("", PLAIN, &name_and_version(&run.client), BOLD);
        let started = if run.client.spec.is_empty() {
            String::new()
        } else {
            format!("{} · ", run.client.spec)
        };
        let how =
            format!("{started}{} time · seed {} · stateline {}", run.time, run.seed, run.version);
        self.wrapped("", PLAIN, &how, DIM);
        let (mark, said) = answer(record, outline);
        self.wrapped(&format!("{} ", mark.glyph), tone(mark), &said, tone(mark));
        self.end();
    }

    fn profiles(&mut self, record: &RunRecord) {
        let shown: Vec<Totals> =
            record.profiles.iter().map(|profile| profile_totals(record, profile)).collect();
        let columns: [Column; 8] = [
            ("planned", None, |totals| totals.planned),
            ("pass", Some(Mark::PASS), |totals| totals.pass),
            ("fail", Some(Mark::FAIL), |totals| totals.fail),
            ("inconclusive", Some(Mark::INCONCLUSIVE), |totals| totals.inconclusive),
            ("error", Some(Mark::ERROR), |totals| totals.error),
            ("not applicable", None, |totals| totals.not_applicable),
            ("not run", None, |totals| totals.not_run),
            ("warnings", Some(Mark::WARNING), |totals| totals.warnings),
        ];
        // A column of zeros says nothing, but the first three are always looked for.
        let columns = columns
            .iter()
            .enumerate()
            .filter(|(at, column)| *at < 3 || shown.iter().any(|totals| column.2(totals) > 0));
        let columns: Vec<_> = columns.map(|(_, column)| column).collect();
        let names =
            record.profiles.iter().map(|profile| text::visible(&profile_name(profile), &[]));
        let mut lines = vec![std::iter::once(String::new()).chain(names).collect::<Vec<_>>()];
        for column in &columns {
            let counts = shown.iter().map(|totals| column.2(totals).to_string());
            lines.push(std::iter::once(column.0.to_owned()).chain(counts).collect());
        }
        // A profile a line reads best, but a narrow terminal may have no room for the columns.
        let mut table = styled(transposed(&lines));
        let is_across = table.total_width() <= self.width;
        if !is_across {
            table = styled(lines);
        }
        if self.colour {
            for (at, column) in columns.iter().enumerate() {
                for (row, totals) in shown.iter().enumerate() {
                    let colour = match column.1.map(|mark| mark.tone) {
                        Some("good") => Color::FG_GREEN,
                        Some("bad") => Color::FG_RED,
                        Some(_) => Color::FG_YELLOW,
                        None => continue,
                    };
                    if column.2(totals) > 0 {
                        table.modify(
                            if is_across { (row + 1, at + 1) } else { (at + 1, row + 1) },
                            colour,
                        );
                    }
                }
            }
        }
        table.with(Width::wrap(self.width));
        for line in table.to_string().lines() {
            self.out.push_str(line);
            self.end();
        }
    }

    fn findings(&mut self, record: &RunRecord, outline: &Outline<'_>, most: usize) {
        let (known, new): (Vec<_>, Vec<_>) =
            outline.findings.iter().partition(|group| group.is_known());
        for group in new.iter().take(most) {
            self.finding(record, group);
        }
        let rest = new.iter().skip(most);
        if rest.len() > 0 {
            self.end();
            let names: Vec<String> = rest
                .clone()
                .map(|group| format!("{} {}", group.finding.requirement, group.finding.row))
                .collect();
            self.wrapped(
                "✗ ",
                tone(Mark::FAIL),
                &format!("and {} more: {}", rest.len(), names.join(", ")),
                PLAIN,
            );
        }
        if !known.is_empty() {
            self.end();
        }
        for group in known {
            let Finding { requirement, row, .. } = group.finding;
            let n = text::count(group.cases.len(), "case");
            let said = format!("{requirement} {row} in {n}: {}", group.reasons());
            self.marked(Mark::KNOWN, "known", &text::shorten(&said, 300));
        }
        if outline.consequent > 0 {
            self.end();
            let n = text::count(outline.consequent, "further finding");
            self.wrapped(
                "  ",
                PLAIN,
                &format!("{n} of the same clients in the same cases: see run.json."),
                DIM,
            );
        }
    }

    fn finding(&mut self, record: &RunRecord, group: &Group<'_>) {
        let finding = group.finding;
        self.end();
        self.span(tone(Mark::FAIL), &format!("✗ {}", finding.requirement));
        self.span(
            PLAIN,
            &format!(
                "  {} {} · row {}",
                finding.strictness.as_str(),
                finding.basis.as_str(),
                finding.row
            ),
        );
        if let Some(requirement) = group.requirement {
            self.span(PLAIN, &format!(" · section “{}”", requirement.section));
        }
        if finding.side == "server" {
            self.span(tone(Mark::ERROR), " · the lab's own duty");
        }
        self.end();
        if let Some(requirement) = group.requirement {
            self.wrapped("  ", PLAIN, &requirement.text, BOLD);
        }
        self.labelled("expected", &text::shorten(&finding.expected, 600));
        self.labelled("observed", &text::shorten(&finding.observed, 600));
        let client = if finding.client.is_empty() {
            String::new()
        } else {
            format!(" at {}", finding.client)
        };
        self.labelled(
            "when",
            &format!("{}{client}, in {}", text::instant(finding.at), text::case_name(group.case)),
        );
        if group.cases.len() > 1 {
            self.labelled("cases", &format!("{} in all", group.cases.len()));
        }
        // Not wrapped: it is there to be copied.
        self.span(DIM, &format!("  {:<width$}", "again", width = LABEL - 2));
        self.span(PLAIN, &text::reproduce(record, group.case));
        self.end();
    }

    fn reasons(&mut self, mark: Mark, reasons: &[Reason<'_>]) {
        if reasons.is_empty() {
            return;
        }
        self.end();
        let cases: usize = reasons.iter().map(|reason| reason.cases.len()).sum();
        self.span(tone(mark), &format!("{} {}", mark.glyph, mark.word));
        self.span(PLAIN, &format!("  {}", text::count(cases, "case")));
        self.end();
        for reason in reasons {
            let first = reason.cases.first().map(|case| text::case_name(case)).unwrap_or_default();
            let first = if reason.cases.len() == 1 {
                format!("in {first}")
            } else {
                format!("first in {first}")
            };
            let lead = format!("{:>6} × ", reason.cases.len());
            self.wrapped(
                &lead,
                PLAIN,
                &format!("{}, {first}", text::shorten(reason.reason, 300)),
                PLAIN,
            );
            let told = reason.cases.first().map_or("", |case| case.wall.stderr.as_str());
            if mark == Mark::ERROR {
                for line in text::last_lines(told, 6) {
                    self.wrapped("         │ ", DIM, &text::shorten(line, 300), DIM);
                }
            }
        }
    }

    fn foot(&mut self, record: &RunRecord, outline: &Outline<'_>) {
        let totals = &record.totals;
        self.end();
        if !outline.warnings.is_empty() {
            let each = outline
                .warnings
                .iter()
                .map(|group| format!("{} × {}", group.finding.requirement, group.cases.len()));
            self.marked(Mark::WARNING, "warned", &each.collect::<Vec<_>>().join(", "));
        }
        if !outline.choices.is_empty() {
            let n = text::count(outline.choices.len(), "choice");
            self.marked(
                Mark::CHOICE,
                "recorded",
                &format!("{n} where the document leaves it open"),
            );
        }
        let covered = STATUSES
            .iter()
            .map(|status| (n_covered(record, *status), Mark::of_coverage(*status).word));
        let covered: Vec<String> =
            covered.filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        self.labelled(
            "coverage",
            &format!(
                "{} of {}",
                covered.join(", "),
                text::count(record.coverage.len(), "requirement")
            ),
        );
        self.labelled(
            "cases",
            &format!("{} of {} applicable; {}", applicable(totals), totals.planned, sum(totals)),
        );
        if let Some(known) = &record.known {
            let said = text::known_failures(totals.known, known);
            let mark = if known.fails() { Mark::FAIL } else { Mark::KNOWN };
            self.marked(mark, "expected", &said);
        }
        if totals.flaky > 0 {
            self.labelled(
                "flaky",
                &format!("{} whose attempts differed", text::count_of(totals.flaky, "case")),
            );
        }
        for note in &record.run.wall.notes {
            self.marked(Mark::WARNING, "adapter", &text::shorten(note, 300));
        }
        let threads = text::count(record.run.wall.jobs as usize, "thread");
        let (spent, lasted) = (text::wall_time(record), text::duration(outline.simulated_ms));
        self.labelled("time", &format!("{spent} on {threads}; the cases lasted {lasted}"));
    }
}

/// `31 pass + 3 fail + … = 40 planned`: the numbers that add up to what was planned, zeros left out.
fn sum(totals: &Totals) -> String {
    let parts = [
        (totals.pass, "pass"),
        (totals.fail, "fail"),
        (totals.inconclusive, "inconclusive"),
        (totals.error, "error"),
        (totals.not_applicable, "not applicable"),
        (totals.not_run, "not run"),
    ];
    let word = |word: &str| match (word, totals.known) {
        ("fail", known @ 1..) => format!("fail ({known} known)"),
        _ => word.to_owned(),
    };
    let parts = parts.iter().filter(|(n, _)| *n > 0);
    let parts: Vec<String> = parts.map(|(n, what)| format!("{n} {}", word(what))).collect();
    format!("{} = {} planned", parts.join(" + "), totals.planned)
}

/// A profile with its variant.
pub(crate) fn profile_name(profile: &ProfileRecord) -> String {
    match &profile.variant {
        Some(variant) => format!("{}@{variant}", profile.id),
        None => profile.id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{green, sample};

    #[test]
    fn wide() {
        insta::assert_snapshot!(render(&sample(), &Options { width: 120, ..Options::default() }));
    }

    #[test]
    fn eighty_columns() {
        let text = render(&sample(), &Options { width: 80, ..Options::default() });
        for line in text.lines().filter(|line| !line.contains("stateline run")) {
            assert!(line.chars().count() <= 80 || line.trim().split(' ').count() == 1, "{line}");
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn all_green_is_short() {
        let text = render(&green(), &Options::default());
        assert!(text.lines().count() <= 13, "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn colour_changes_no_word_and_no_client_writes_escapes() {
        let plain = render(&sample(), &Options::default());
        let coloured = render(&sample(), &Options { colour: true, ..Options::default() });
        let mut stripped = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            stripped.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        stripped.push_str(rest);
        // Trailing blanks aside, which a closing escape can hide.
        let lines =
            |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
        assert_eq!(lines(&stripped), lines(&plain));
        assert!(
            coloured.contains("\u{1b}[1m\u{1b}[31m")
                && !plain.contains('\u{1b}')
                && !plain.contains('\u{202e}')
        );
    }

    #[test]
    fn many_failures_are_named_but_not_all_told() {
        let text = render(&sample(), &Options { max_findings: 1, ..Options::default() });
        assert!(text.contains("and 1 more: SR-STATE-04 otherwise"), "{text}");
    }
}
