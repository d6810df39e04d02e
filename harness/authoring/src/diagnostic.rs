//! What is wrong with a text, and where: the one form of every authoring error.
//!
//! Not responsible for deciding what is wrong, nor for printing: [`Diagnostic::render`] gives text.
//!
//! Invariant: diagnostics of a file are sorted by position, and the same one is not told twice.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::ops::Range;
use std::sync::Arc;

/// A text with the name that diagnostics call it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Shown before the line number; usually a path.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// A named text.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// Bytes of a source.
pub type Span = Range<usize>;

/// What a reader made of a text: the value when nothing is wrong, and all that is wrong otherwise.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The value; `None` exactly when there are diagnostics.
    pub value: Option<T>,
    /// Everything that is wrong, by file and position.
    pub diagnostics: Vec<Diagnostic>,
}

impl<T> Loaded<T> {
    pub(crate) fn new(value: Option<T>, diagnostics: Vec<Diagnostic>) -> Self {
        debug_assert!(value.is_some() || !diagnostics.is_empty(), "a refusal says why");
        Self { value: if diagnostics.is_empty() { value } else { None }, diagnostics }
    }
}

/// One thing that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The text that it is about.
    pub source: Arc<Source>,
    /// The bytes to point at.
    pub span: Span,
    /// What is wrong: a lowercase sentence without its dot.
    pub title: String,
    /// Said at the caret.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Other places that matter, with what to say there.
    pub secondary: Vec<(Span, String)>,
}

impl Diagnostic {
    pub(crate) fn new(
        source: &Arc<Source>,
        span: Span,
        title: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        Self {
            source: Arc::clone(source),
            span,
            title: title.into(),
            label: label.into(),
            help: None,
            secondary: Vec::new(),
        }
    }

    /// Says what to do about it.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn help_if(&mut self, help: Option<String>) -> &mut Self {
        if help.is_some() {
            self.help = help;
        }
        self
    }

    /// Points at another place that matters.
    pub fn also(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        self.secondary.push((span, label.into()));
        self
    }

    /// Line and column of the start, both from 1, the column in characters.
    #[must_use]
    pub fn position(&self) -> (usize, usize) {
        let text = &self.source.text;
        let before = &text[..floor(text, self.span.start)];
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[start..].chars().count() + 1)
    }

    /// The lines with carets, label and help, coloured for a terminal or plain.
    #[must_use]
    pub fn render(&self, coloured: bool) -> String {
        let text = &self.source.text;
        let first = self.spans().map(|span| span.start).min().unwrap_or(0);
        let last = self.spans().map(|span| span.end).max().unwrap_or(0);
        // Only the lines that matter are handed over: a renderer need not count a megabyte.
        let start = text[..floor(text, first)].rfind('\n').map_or(0, |at| at + 1);
        let end = floor(text, last);
        let end = text[end..].find('\n').map_or(text.len(), |at| end + at);
        let line = text[..start].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let window = &text[start..end];
        let inside = |span: &Span| {
            let from = floor(text, span.start).clamp(start, end) - start;
            let to = floor(text, span.end).clamp(start, end) - start;
            from..to.max(from)
        };
        let mut snippet =
            Snippet::source(window).line_start(line).path(self.source.name.as_str()).annotation(
                AnnotationKind::Primary.span(inside(&self.span)).label(self.label.as_str()),
            );
        for (span, label) in &self.secondary {
            let annotation = AnnotationKind::Context.span(inside(span)).label(label.as_str());
            snippet = snippet.annotation(annotation);
        }
        let mut group = Level::ERROR.primary_title(self.title.as_str()).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    fn spans(&self) -> impl Iterator<Item = &Span> {
        std::iter::once(&self.span).chain(self.secondary.iter().map(|(span, _)| span))
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Collects what is wrong with one source.
#[derive(Debug)]
pub struct Sink {
    /// The text that it is about.
    pub source: Arc<Source>,
    found: Vec<Diagnostic>,
}

impl Sink {
    /// Of a text. A byte order mark is no text; it goes, so that spans count from the first character.
    #[must_use]
    pub fn new(mut source: Source) -> Self {
        if source.text.starts_with('\u{feff}') {
            source.text.drain(..'\u{feff}'.len_utf8());
        }
        Self { source: Arc::new(source), found: Vec::new() }
    }

    /// Something is wrong at these bytes.
    pub fn error(
        &mut self,
        span: Span,
        title: impl Into<String>,
        label: impl Into<String>,
    ) -> &mut Diagnostic {
        self.found.push(Diagnostic::new(&self.source, span, title, label));
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    /// A word that is not among those which are known.
    pub fn unknown<'a>(
        &mut self,
        span: Span,
        what: &str,
        word: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> &mut Diagnostic {
        self.unknown_in(span, what, word, "", known)
    }

    /// The same, with where it is unknown: `in a row`.
    pub fn unknown_in<'a>(
        &mut self,
        span: Span,
        what: &str,
        word: &str,
        place: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> &mut Diagnostic {
        let known: Vec<&str> = known.into_iter().collect();
        let label = match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("no such {what}"),
        };
        let help = match known.len() {
            0 => Some(format!("there is no {what} at all")),
            1..=24 => Some(format!("known here: {}", known.join(", "))),
            _ => None,
        };
        let blank = if place.is_empty() { "" } else { " " };
        self.error(span, format!("unknown {what} `{}`{blank}{place}", shorten(word)), label)
            .help_if(help)
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    /// Everything that is wrong, by position, each once.
    #[must_use]
    pub fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.found.sort_by(|a, b| {
            (a.span.start, a.span.end, &a.title).cmp(&(b.span.start, b.span.end, &b.title))
        });
        self.found.dedup_by(|a, b| a.span == b.span && a.title == b.title);
        self.found
    }
}

/// A word as a message can bear it.
pub(crate) fn shorten(word: &str) -> String {
    const LONGEST: usize = 60;
    if word.chars().count() <= LONGEST && !word.contains('\n') {
        return word.to_owned();
    }
    let line = word.lines().next().unwrap_or("");
    let mut text: String = line.chars().take(LONGEST).collect();
    text.push('…');
    text
}

/// The word that was probably meant: at most a third of its letters are different.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    ranked(word, known).into_iter().next().filter(|(score, _)| *score <= 100).map(|(_, word)| word)
}

/// All words by likeness, with a score; up to 100 is near.
pub(crate) fn ranked<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Vec<(usize, &'a str)> {
    let plain = |text: &str| -> String {
        text.chars()
            .take(80)
            .flat_map(char::to_lowercase)
            .map(|c| if c == '_' { '-' } else { c })
            .collect()
    };
    let wanted = plain(word);
    let mut all: Vec<(usize, &str)> = known
        .into_iter()
        .map(|have| {
            let plain = plain(have);
            let longest = wanted.chars().count().max(plain.chars().count());
            let edits = strsim::damerau_levenshtein(&wanted, &plain);
            // Of one or two letters, none may differ: that would fit anything.
            let score = match (edits, longest / 3) {
                (0, _) => 0,
                _ if wanted.len() >= 3 && plain.starts_with(&wanted) => 50,
                (edits, 0) => 101 + edits,
                (edits, allowed) => edits * 100 / allowed,
            };
            (score, have)
        })
        .collect();
    all.sort_by_key(|(score, _)| *score);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["connected", "connecting", "disconnected", "aborted"];
        assert_eq!(nearest("conected", known), Some("connected"));
        assert_eq!(nearest("Connected", known), Some("connected"));
        assert_eq!(nearest("abort", known), Some("aborted"));
        assert_eq!(nearest("kettle", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("A9", ["A1", "A2"]), None);
    }

    #[test]
    fn spans_are_clamped_to_characters() {
        let source = Arc::new(Source::new("a.yaml", "naïve: ☃\r\nsecond: line\n"));
        for start in 0..40 {
            for end in start..40 {
                let mut diagnostic = Diagnostic::new(&source, start..end, "odd", "here");
                diagnostic.also(2..3, "and here");
                assert!(diagnostic.render(false).contains("odd"));
                assert!(diagnostic.position().0 >= 1);
            }
        }
    }
}
