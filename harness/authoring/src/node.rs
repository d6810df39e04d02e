//! YAML as nodes that know where they stand.
//!
//! Not responsible for meaning: scalars keep their text, so that `1.10`, `yes` and `on` stay what
//! the author wrote.
//!
//! Invariant: reading is bounded. Size, depth and the number of nodes after aliases are expanded
//! have limits, so no file takes more than a moment.

use crate::diagnostic::{Sink, Span};
use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use rustc_hash::FxHashMap;

/// The largest text.
const MAX_BYTES: usize = 1 << 20;
/// The most nodes, aliases expanded.
const MAX_NODES: usize = 50_000;
/// The deepest nesting.
const MAX_DEPTH: usize = 64;

/// One node of a document.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it stands. A block collection points at its first key or item.
    pub(crate) span: Span,
    pub(crate) kind: Kind,
    /// Nodes in it, itself included.
    size: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Seq(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Written without quotes.
    pub(crate) plain: bool,
    /// Where the text begins, when it stands in the source letter by letter.
    verbatim: Option<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl Node {
    /// A scalar whose text is not the source's own.
    pub(crate) fn derived(&self, text: String) -> Self {
        let plain = matches!(&self.kind, Kind::Scalar(scalar) if scalar.plain);
        Self {
            span: self.span.clone(),
            kind: Kind::Scalar(Scalar { text, plain, verbatim: None }),
            size: 1,
        }
    }

    /// A node in the same place that holds something else.
    pub(crate) fn with_kind(&self, kind: Kind) -> Self {
        Self { span: self.span.clone(), kind, size: self.size }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The bytes of a part of a scalar's text; the whole scalar where they can't be told.
    pub(crate) fn part(&self, part: Span) -> Span {
        match &self.kind {
            Kind::Scalar(Scalar { verbatim: Some(start), .. }) => {
                start + part.start..start + part.end
            }
            _ => self.span.clone(),
        }
    }

    /// What kind of node it is, in words.
    pub(crate) fn what(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.plain && scalar.text.is_empty() => "nothing",
            Kind::Scalar(_) => "a text",
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// On one line, as a flow style would write it.
    pub(crate) fn line(&self) -> String {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.text.split_whitespace().collect::<Vec<_>>().join(" "),
            Kind::Seq(items) => {
                format!("[{}]", items.iter().map(Self::line).collect::<Vec<_>>().join(", "))
            }
            Kind::Map(entries) => {
                let entries =
                    entries.iter().map(|(key, value)| format!("{}: {}", key.text, value.line()));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// A collection that is being read.
struct Open {
    anchor: usize,
    start: Span,
    flow: bool,
    size: usize,
    kind: OpenKind,
}

enum OpenKind {
    Seq(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, key: Option<Key>, seen: FxHashMap<String, Span> },
}

/// Reads all documents of the sink's source. After a syntax error nothing is given back.
pub(crate) fn parse(sink: &mut Sink) -> Option<Vec<Node>> {
    let source = std::sync::Arc::clone(&sink.source);
    parse_text(&source.text, sink)
}

/// Reads all documents of a text that has the bytes of the sink's source in the same places.
fn parse_text(text: &str, sink: &mut Sink) -> Option<Vec<Node>> {
    if text.len() > MAX_BYTES {
        sink.error(0..0, "the file is larger than 1 MiB", "")
            .help("split it: no profile or scenario needs this much");
        return None;
    }
    let mut options =
        granit_parser::options! { simple_key_max_lookahead: 1024, disallow_directives: true };
    options.set_emit_comments(false);
    let mut reading = Reading {
        documents: Vec::new(),
        open: Vec::new(),
        anchors: FxHashMap::default(),
        n_nodes: 0,
    };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match next {
            Ok(next) => next,
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(text.len());
                syntax_error(sink, text, at, &error.info());
                return None;
            }
        };
        let span = span.byte_range().unwrap_or(0..0);
        reading.event(event, span, text, sink)?;
    }
    Some(reading.documents)
}

/// The one document of a file that must hold exactly one.
pub(crate) fn parse_one(sink: &mut Sink) -> Option<Node> {
    let documents = parse(sink)?;
    only(documents, sink)
}

/// The one document of a file with holes. YAML takes the braces of `${axis}` in a flow map for its
/// own, so they are read as `$(axis)`, which is as long.
pub(crate) fn parse_one_with_holes(sink: &mut Sink) -> Option<Node> {
    let source = std::sync::Arc::clone(&sink.source);
    let mut text = String::with_capacity(source.text.len());
    let mut rest = source.text.as_str();
    while let Some(at) = rest.find("${") {
        let name = &rest[at + 2..];
        let end = name
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
            .unwrap_or(name.len());
        text.push_str(&rest[..at]);
        if end > 0 && name[end..].starts_with('}') {
            text.push_str("$(");
            text.push_str(&name[..end]);
            text.push(')');
            rest = &name[end + 1..];
        } else {
            text.push_str("${");
            rest = name;
        }
    }
    text.push_str(rest);
    let documents = parse_text(&text, sink)?;
    only(documents, sink)
}

fn only(documents: Vec<Node>, sink: &mut Sink) -> Option<Node> {
    let mut documents = documents.into_iter();
    let Some(first) = documents.next() else {
        sink.error(0..0, "the file is empty", "nothing here");
        return None;
    };
    if let Some(second) = documents.next() {
        sink.error(second.span, "the file holds a second document", "it starts here")
            .help("one file holds one document; write another file");
        return None;
    }
    Some(first)
}

fn syntax_error(sink: &mut Sink, text: &str, at: usize, info: &str) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let line_start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let indent = &text[line_start..at];
    let tab = text[line_start..]
        .chars()
        .take_while(|c| c.is_whitespace() && *c != '\n')
        .position(|c| c == '\t');
    let width =
        text[at..].chars().next().filter(|c| *c != '\n' && *c != '\r').map_or(0, char::len_utf8);
    if let Some(tab) = tab.filter(|_| indent.trim().is_empty()) {
        sink.error(
            line_start + tab..line_start + tab + 1,
            "a tab stands where YAML wants spaces",
            "indent with spaces",
        );
        return;
    }
    let label = if width == 0 && at >= text.len() { "the file ends here" } else { "here" };
    let told = sink.error(
        at..at + width,
        format!("this is no YAML: {}", info.trim_end_matches('.')),
        label,
    );
    if info.contains("flow") {
        told.help("inside `{ }` and `[ ]`, a text with a bracket, a brace or a comma needs quotes");
    } else if info.contains("mapping values are not allowed") {
        told.help("a text with `: ` in it needs quotes");
    }
}

struct Reading {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: FxHashMap<usize, Node>,
    n_nodes: usize,
}

impl Reading {
    fn event(&mut self, event: Event<'_>, span: Span, text: &str, sink: &mut Sink) -> Option<()> {
        if event.tag().is_some() {
            sink.error(span.clone(), "tags have no meaning here", "take its tag away");
        }
        match event {
            Event::Scalar(value, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let verbatim = match style {
                    ScalarStyle::Plain => Some(span.start),
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Some(span.start + 1),
                    _ => None,
                }
                .filter(|start| text.get(*start..*start + value.len()) == Some(&*value));
                let scalar = Scalar { text: value.into_owned(), plain, verbatim };
                self.done(Node { span, kind: Kind::Scalar(scalar), size: 1 }, anchor, 1, sink)
            }
            Event::Alias(id) => {
                let Some(target) = self.anchors.get(&id) else {
                    sink.error(
                        span,
                        "an alias stands inside what it names",
                        "this would never end",
                    );
                    return None;
                };
                let node = Node { span, ..target.clone() };
                // An alias counts for all that it stands for.
                let cost = node.size;
                self.done(node, 0, cost, sink)
            }
            Event::SequenceStart(style, anchor, _) => self.start(
                OpenKind::Seq(Vec::new()),
                style == StructureStyle::Flow,
                anchor,
                span,
                sink,
            ),
            Event::MappingStart(style, anchor, _) => {
                let kind =
                    OpenKind::Map { entries: Vec::new(), key: None, seen: FxHashMap::default() };
                self.start(kind, style == StructureStyle::Flow, anchor, span, sink)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&span, text, sink),
            _ => Some(()),
        }
    }

    fn start(
        &mut self,
        kind: OpenKind,
        flow: bool,
        anchor: usize,
        start: Span,
        sink: &mut Sink,
    ) -> Option<()> {
        if self.open.len() >= MAX_DEPTH {
            sink.error(
                start,
                "the file is nested more than 64 levels deep",
                "this is one level too many",
            );
            return None;
        }
        self.open.push(Open { anchor, start, flow, size: 1, kind });
        Some(())
    }

    fn end(&mut self, end: &Span, text: &str, sink: &mut Sink) -> Option<()> {
        let open = self.open.pop()?;
        let (kind, first) = match open.kind {
            OpenKind::Seq(items) => {
                let first = items.first().map(|item| item.span.clone());
                (Kind::Seq(items), first)
            }
            OpenKind::Map { entries, .. } => {
                let first = entries.first().map(|(key, _)| key.span.clone());
                (Kind::Map(entries), first)
            }
        };
        // A caret under a whole block says nothing; its first key does.
        let whole = open.start.start..end.end.max(open.start.start);
        let one_line =
            open.flow && text.get(whole.clone()).is_some_and(|text| !text.contains('\n'));
        let span = if one_line { whole } else { first.unwrap_or(open.start) };
        self.done(Node { span, kind, size: open.size }, open.anchor, 1, sink)
    }

    /// Puts a finished node where it belongs.
    fn done(&mut self, node: Node, anchor: usize, cost: usize, sink: &mut Sink) -> Option<()> {
        self.n_nodes += cost;
        if self.n_nodes > MAX_NODES {
            sink.error(
                node.span,
                "the file has more than 50,000 nodes",
                "this is where it got too many",
            )
            .help("aliases count as often as they are used");
            return None;
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Some(());
        };
        open.size += node.size;
        match &mut open.kind {
            OpenKind::Seq(items) => items.push(node),
            OpenKind::Map { entries, key, seen } => match key.take() {
                None => *key = Some(as_key(node, sink)),
                Some(key) => match seen.get(&key.text) {
                    Some(first) => {
                        sink.error(
                            key.span,
                            format!("the key `{}` stands twice in one map", key.text),
                            "again here",
                        )
                        .also(first.clone(), "first here");
                    }
                    None => {
                        seen.insert(key.text.clone(), key.span.clone());
                        entries.push((key, node));
                    }
                },
            },
        }
        Some(())
    }
}

fn as_key(node: Node, sink: &mut Sink) -> Key {
    match node.kind {
        Kind::Scalar(scalar) => Key { text: scalar.text, span: node.span },
        _ => {
            sink.error(node.span.clone(), "a key must be a name", "this is a collection");
            Key { text: String::new(), span: node.span }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

    fn read(text: &str) -> (Option<Vec<Node>>, Vec<String>) {
        let mut sink = Sink::new(Source::new("t.yaml", text));
        let nodes = parse(&mut sink);
        (nodes, sink.into_diagnostics().into_iter().map(|found| found.title).collect())
    }

    #[test]
    fn scalars_keep_their_text() {
        let (nodes, found) = read("\u{feff}a: [1.10, yes, on, 'it''s', \"x\"]\r\nb: ~\r\n");
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(nodes.unwrap()[0].line(), "{a: [1.10, yes, on, it's, x], b: ~}");
    }

    #[test]
    fn parts_of_scalars_point_into_the_source() {
        let text = "if: \"a = b\"\n";
        let (nodes, _) = read(text);
        let nodes = nodes.unwrap();
        let Kind::Map(entries) = &nodes[0].kind else { panic!() };
        assert_eq!(&text[entries[0].1.part(4..5)], "b");
    }

    #[test]
    fn bombs_end_at_the_budget() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..9 {
            let before = format!("*a{}, ", n - 1).repeat(10);
            let line = format!("a{n}: &a{n} [{before}]\n");
            bomb.push_str(&line);
        }
        let (nodes, found) = read(&bomb);
        assert!(nodes.is_none());
        assert_eq!(found, ["the file has more than 50,000 nodes"]);
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(read(&deep).1, ["the file is nested more than 64 levels deep"]);
        let large = "# large\n".repeat(200_000);
        assert_eq!(read(&large).1, ["the file is larger than 1 MiB"]);
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics(text in "[-a-c:\\[\\]{},&*!|>'\"%@` \t\r\n#?\u{e4}]{0,60}") {
            let mut sink = Sink::new(Source::new("t.yaml", text));
            let _ = parse(&mut sink);
            for found in sink.into_diagnostics() {
                let _ = found.render(true);
            }
        }
    }
}
