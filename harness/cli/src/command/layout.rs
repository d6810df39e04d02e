//! Tables and labelled paragraphs for people, as wide as the terminal.
//!
//! Not responsible for what stands in them, nor for programs: those read JSON.
//!
//! Invariant: no line ends with a space, and words are never broken to fit.

use tabled::builder::Builder;
use tabled::settings::Style;
use textwrap::core::display_width;
use textwrap::{WordSeparator, WordSplitter};

/// Where the text behind a label starts.
const LABEL: usize = 17;

/// Columns, within reason: what `COLUMNS` says, else those of the terminal, else 100.
#[must_use]
pub(crate) fn width() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.trim().parse().ok());
    let columns = said
        .filter(|columns| *columns > 0)
        .or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)));
    columns.unwrap_or(100).clamp(60, 160)
}

/// A table with its headings, ending with a line feed.
#[must_use]
pub(crate) fn table(headings: &[&str], lines: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut all = vec![headings.iter().map(|&heading| heading.to_owned()).collect()];
    all.extend(lines);
    let mut builder = Builder::default();
    let widths = fitting(&all, width());
    for line in all {
        builder.push_record(line.iter().zip(&widths).map(|(cell, width)| wrap(cell, *width)));
    }
    let mut table = builder.build();
    table.with(Style::sharp().remove_frame());
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The widths of columns: the widest give way, down to their longest word, until a line fits.
fn fitting(lines: &[Vec<String>], room: usize) -> Vec<usize> {
    let columns = lines.first().map_or(0, Vec::len);
    let widest = |measure: fn(&str) -> usize| -> Vec<usize> {
        let of = |at| lines.iter().filter_map(move |line: &Vec<String>| line.get(at));
        (0..columns).map(|at| of(at).map(|cell| measure(cell)).max().unwrap_or(0)).collect()
    };
    let longest_word =
        |cell: &str| cell.split_whitespace().map(display_width).max().unwrap_or_default();
    let (mut widths, least) = (widest(display_width), widest(longest_word));
    // A space on either side of a cell, and a line between two.
    let room = room.saturating_sub(3 * columns);
    while widths.iter().sum::<usize>() > room {
        let wide = (0..columns).filter(|at| widths[*at] > least[*at]).max_by_key(|at| widths[*at]);
        let Some(wide) = wide else { break };
        widths[wide] -= 1;
    }
    widths
}

fn wrap(text: &str, width: usize) -> String {
    let options = textwrap::Options::new(width).break_words(false);
    let options = options.word_splitter(WordSplitter::NoHyphenation);
    let options = options.word_separator(WordSeparator::AsciiSpace);
    textwrap::wrap(text, options).join("\n")
}

/// `3 cases`, `1 case`.
#[must_use]
pub(crate) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Paragraphs with labels on their left.
#[derive(Debug)]
pub(crate) struct Page {
    out: String,
    width: usize,
}

impl Page {
    /// An empty page for this terminal.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self { out: String::new(), width: width() }
    }

    /// What the page is about; pages on one sheet are apart by an empty line.
    pub(crate) fn title(&mut self, text: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// A paragraph below the title.
    pub(crate) fn text(&mut self, text: &str) {
        self.wrapped("  ", text);
    }

    /// A paragraph behind a label.
    pub(crate) fn labelled(&mut self, label: &str, text: &str) {
        self.wrapped(&format!("  {label:<width$}", width = LABEL - 2), text);
    }

    /// A paragraph for each item, the first behind the label; nothing at all without items.
    pub(crate) fn listed(&mut self, label: &str, items: impl IntoIterator<Item = String>) {
        for (at, item) in items.into_iter().enumerate() {
            self.labelled(if at == 0 { label } else { "" }, &item);
        }
    }

    /// Lines as they are, behind a label.
    pub(crate) fn verbatim(&mut self, label: &str, lines: impl IntoIterator<Item = String>) {
        for (at, line) in lines.into_iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            let line = format!("  {label:<width$}{line}", width = LABEL - 2);
            self.out.push_str(line.trim_end());
            self.out.push('\n');
        }
    }

    /// The text of the page.
    #[must_use]
    pub(crate) fn into_text(self) -> String {
        self.out
    }

    fn wrapped(&mut self, lead: &str, text: &str) {
        let indent = " ".repeat(lead.len());
        // An id that is broken cannot be copied.
        let options = textwrap::Options::new(self.width)
            .initial_indent(lead)
            .subsequent_indent(&indent)
            .word_splitter(WordSplitter::NoHyphenation)
            .break_words(false);
        for line in textwrap::wrap(text, options) {
            self.out.push_str(line.trim_end());
            self.out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_once_and_text_is_indented() {
        let mut page = Page { out: String::new(), width: 30 };
        page.title("C2");
        page.listed("rows", ["one two three four five".to_owned(), "six".to_owned()]);
        page.listed("none", []);
        assert_eq!(
            page.into_text(),
            "C2\n  rows           one two three\n                 four five\n                 six\n"
        );
    }

    #[test]
    fn tables_have_no_trailing_spaces() {
        let text = table(&["a", "b"], [vec!["1".to_owned(), String::new()]]);
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn the_widest_columns_give_way_and_words_stay_whole() {
        let line = ["id", "some words of prose", "a/b-c[d=e]"].map(str::to_owned).to_vec();
        assert_eq!(fitting(std::slice::from_ref(&line), 100), [2, 19, 10]);
        assert_eq!(fitting(std::slice::from_ref(&line), 31), [2, 10, 10]);
        assert_eq!(fitting(&[line], 5), [2, 5, 10]);
        assert_eq!(wrap("some words of a/b-c[d=e]", 10), "some words\nof\na/b-c[d=e]");
    }
}
