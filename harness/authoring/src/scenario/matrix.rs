//! The matrix: axes, the cases that they span, `${axis}` holes and `when`.
//!
//! Not responsible for what steps do.
//!
//! Invariant: the first axis turns slowest, so that the order of cases is the order of the file. An
//! axis that nothing uses and a `when` that never holds are errors.

use crate::diagnostic::{Sink, Span};
use crate::node::{Key, Kind, Node};
use crate::reader::{self, MapReader};
use crate::token::{SyntaxError, Token, Tokens};
use smol_str::SmolStr;
use stateline_core::profile::Profile;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// The most cases of one scenario.
const MAX_CASES: usize = 1_000;
/// Nesting of parentheses and `not`.
const MAX_DEPTH: usize = 64;
/// Words that a condition takes for itself.
const RESERVED: [&str; 4] = ["and", "or", "not", "in"];

/// All axes of a scenario.
#[derive(Debug, Default)]
pub(super) struct Matrix {
    axes: Vec<Axis>,
    /// It can't be read: no case is expanded, lest its mistakes be told again in every step.
    broken: bool,
    /// The `when`s that were asked, by place, and whether one ever held.
    asked: RefCell<BTreeMap<usize, (Span, bool)>>,
}

#[derive(Debug)]
struct Axis {
    name: SmolStr,
    span: Span,
    values: Vec<SmolStr>,
    /// The documented time that the axis goes around.
    around: Option<SmolStr>,
    used: Cell<bool>,
}

impl Matrix {
    pub(super) fn read(node: Option<&Node>, profile: &Profile, sink: &mut Sink) -> Self {
        let mut matrix = Self::default();
        let before = sink.len();
        for (key, value) in reader::entries_or_none(node, "`matrix`", sink) {
            reader::check_name(&key.text, key.span.clone(), "an axis", sink);
            if RESERVED.contains(&key.text.as_str()) {
                sink.error(
                    key.span.clone(),
                    format!("`{}` can't name an axis", key.text),
                    "conditions take this word",
                );
            }
            let (values, around) = match &value.kind {
                Kind::Map(_) => {
                    let Some(mut map) = MapReader::new(value, "an axis", sink) else { continue };
                    let timer =
                        map.need("around").and_then(|node| super::time::timer(node, profile, sink));
                    map.finish(sink);
                    (super::time::SIDES.map(|(side, _)| SmolStr::new_static(side)).to_vec(), timer)
                }
                _ => (axis_values(value, sink), None),
            };
            let (name, span) = (SmolStr::from(&key.text), key.span.clone());
            matrix.axes.push(Axis { name, span, values, around, used: Cell::new(false) });
        }
        let n_cases =
            matrix.axes.iter().fold(1usize, |n, axis| n.saturating_mul(axis.values.len()));
        if n_cases > MAX_CASES {
            let at = node.map_or(0..0, |node| node.span.clone());
            sink.error(at, format!("the matrix spans {n_cases} cases"), "at most 1,000")
                .help("write several scenarios with smaller matrices");
        }
        matrix.broken = sink.len() > before;
        matrix
    }

    /// All cases, in order.
    pub(super) fn bindings(&self) -> Vec<Binding<'_>> {
        if self.broken {
            return Vec::new();
        }
        let mut all = vec![Vec::new()];
        for axis in &self.axes {
            all = all
                .into_iter()
                .flat_map(|chosen: Vec<usize>| {
                    (0..axis.values.len()).map(move |value| {
                        let mut chosen = chosen.clone();
                        chosen.push(value);
                        chosen
                    })
                })
                .collect();
        }
        all.into_iter().map(|chosen| Binding { matrix: self, chosen }).collect()
    }

    pub(super) fn check_used(&self, sink: &mut Sink) {
        for axis in self.axes.iter().filter(|axis| !axis.used.get() && !self.broken) {
            sink.error(
                axis.span.clone(),
                format!("nothing uses the axis `{}`", axis.name),
                "never used",
            )
            .help(format!("write `${{{}}}` in a step, or ask for it in a `when`", axis.name));
        }
        for (span, held) in self.asked.borrow().values() {
            if !held {
                sink.error(
                    span.clone(),
                    "this condition never holds",
                    "true in no case of the matrix",
                );
            }
        }
    }

    fn axis(&self, name: &str) -> Option<usize> {
        let found = self.axes.iter().position(|axis| axis.name == name)?;
        self.axes[found].used.set(true);
        Some(found)
    }
}

fn axis_values(node: &Node, sink: &mut Sink) -> Vec<SmolStr> {
    let mut values: Vec<SmolStr> = Vec::new();
    let items = reader::items(node, "an axis", sink);
    if items.is_empty() && matches!(node.kind, Kind::Seq(_)) {
        sink.error(node.span.clone(), "the axis has no values", "needs at least one");
    }
    for item in items {
        let Some(value) = reader::text(item, "a value of an axis", sink) else { continue };
        // Values stand in case ids, where these characters have a meaning.
        if value.contains(['[', ']', ',', '=', '*', '?', ' ', '\n']) {
            sink.error(
                item.span.clone(),
                "a value of an axis stands in case ids",
                "has a space or one of `[],=*?`",
            );
        } else if values.iter().any(|have| have == value) {
            sink.error(
                item.span.clone(),
                format!("the value `{value}` stands twice"),
                "again here",
            );
        } else {
            values.push(value.into());
        }
    }
    values
}

/// One case: a value for each axis.
#[derive(Clone, Debug)]
pub(super) struct Binding<'m> {
    matrix: &'m Matrix,
    chosen: Vec<usize>,
}

impl Binding<'_> {
    /// `axis=value,…`
    pub(super) fn label(&self) -> String {
        self.pairs()
            .iter()
            .map(|(axis, value)| format!("{axis}={value}"))
            .collect::<Vec<_>>()
            .join(",")
    }

    pub(super) fn pairs(&self) -> Vec<(SmolStr, SmolStr)> {
        let axes = self.matrix.axes.iter().zip(&self.chosen);
        axes.map(|(axis, value)| (axis.name.clone(), axis.values[*value].clone())).collect()
    }

    /// The node with its holes filled.
    pub(super) fn fill(&self, node: &Node, sink: &mut Sink) -> Node {
        match &node.kind {
            Kind::Scalar(scalar) if !scalar.text.contains("$(") => node.clone(),
            Kind::Scalar(scalar) => {
                node.derived(self.fill_text(&scalar.text, |part| node.part(part), sink))
            }
            Kind::Seq(items) => {
                let items = items.iter().map(|item| self.fill(item, sink)).collect();
                node.with_kind(Kind::Seq(items))
            }
            Kind::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| {
                    let text = self.fill_text(&key.text, |_| key.span.clone(), sink);
                    (Key { text, span: key.span.clone() }, self.fill(value, sink))
                });
                node.with_kind(Kind::Map(entries.collect()))
            }
        }
    }

    fn fill_text(&self, text: &str, place: impl Fn(Span) -> Span, sink: &mut Sink) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut done = 0;
        while let Some(at) = text[done..].find("$(").map(|at| done + at) {
            let Some(end) = text[at..].find(')').map(|end| at + end) else { break };
            let name = &text[at + 2..end];
            filled.push_str(&text[done..at]);
            match self.matrix.axis(name) {
                Some(ix) => {
                    let axis = &self.matrix.axes[ix];
                    let value = &axis.values[self.chosen[ix]];
                    match &axis.around {
                        Some(timer) => filled.extend([value, "(", timer, ")"]),
                        None => filled.push_str(value),
                    }
                }
                None => self.unknown_axis(name, place(at + 2..end), sink),
            }
            done = end + 1;
        }
        filled.push_str(&text[done..]);
        filled
    }

    fn unknown_axis(&self, name: &str, span: Span, sink: &mut Sink) {
        sink.unknown(span, "axis", name, self.matrix.axes.iter().map(|axis| axis.name.as_str()));
    }

    /// Whether a `when` holds in this case.
    pub(super) fn holds(&self, node: &Node, sink: &mut Sink) -> bool {
        let Some(text) = reader::text(node, "`when`", sink) else { return false };
        let before = sink.len();
        let read = Tokens::new(text).and_then(|tokens| {
            let mut when = When { tokens, node, binding: self, sink, depth: 0 };
            let holds = when.or()?;
            match when.tokens.peek() {
                Token::End => Ok(holds),
                _ => Err(when.tokens.unexpected("`and`, `or` or the end")),
            }
        });
        let holds = match read {
            Ok(holds) => holds,
            Err(SyntaxError { span, title, label }) => {
                sink.error(node.part(span), title, label);
                false
            }
        };
        // A condition that can't be read is not also told for never holding.
        let counts = holds || sink.len() > before;
        let mut asked = self.matrix.asked.borrow_mut();
        asked.entry(node.span.start).or_insert_with(|| (node.span.clone(), false)).1 |= counts;
        holds
    }
}

struct When<'a, 's> {
    tokens: Tokens<'a>,
    node: &'a Node,
    binding: &'a Binding<'a>,
    sink: &'s mut Sink,
    depth: usize,
}

impl When<'_, '_> {
    fn or(&mut self) -> Result<bool, SyntaxError> {
        let mut holds = self.and()?;
        while self.tokens.take_word("or") {
            holds |= self.and()?;
        }
        Ok(holds)
    }

    fn and(&mut self) -> Result<bool, SyntaxError> {
        let mut holds = self.not()?;
        while self.tokens.take_word("and") {
            holds &= self.not()?;
        }
        Ok(holds)
    }

    fn not(&mut self) -> Result<bool, SyntaxError> {
        if self.depth >= MAX_DEPTH {
            return Err(SyntaxError::new(
                self.tokens.span(),
                "the condition is nested too deeply",
                "here",
            ));
        }
        self.depth += 1;
        let holds = if self.tokens.take_word("not") {
            !self.not()?
        } else if self.tokens.take_sign("(") {
            let holds = self.or()?;
            self.tokens.expect_sign(")")?;
            holds
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(holds)
    }

    fn comparison(&mut self) -> Result<bool, SyntaxError> {
        let Token::Word(name) = self.tokens.peek() else {
            return Err(self.tokens.unexpected("the name of an axis"));
        };
        let (_, span) = self.tokens.next();
        let axis = self.binding.matrix.axis(name);
        if axis.is_none() {
            self.binding.unknown_axis(name, self.node.part(span), self.sink);
        }
        let negated = self.tokens.take_sign("!=");
        let words = if negated || self.tokens.take_sign("=") {
            let (Token::Word(word) | Token::Quoted(word)) = self.tokens.peek() else {
                return Err(self.tokens.unexpected("a value"));
            };
            let (_, span) = self.tokens.next();
            vec![(word, span)]
        } else if self.tokens.take_word("in") {
            self.tokens.list("[", "]", |token, span| match token {
                Token::Word(word) | Token::Quoted(word) => (word, span),
                Token::Sign(_) | Token::End => ("", span),
            })?
        } else {
            return Err(self.tokens.unexpected("`=`, `!=` or `in [..]`"));
        };
        let Some(axis) = axis else { return Ok(false) };
        let values = &self.binding.matrix.axes[axis].values;
        let mut fits = false;
        for (word, span) in words {
            match values.iter().position(|value| value == word) {
                Some(value) => fits |= value == self.binding.chosen[axis],
                None => {
                    let place = format!("of the axis `{name}`");
                    self.sink.unknown_in(
                        self.node.part(span),
                        "value",
                        word,
                        &place,
                        values.iter().map(SmolStr::as_str),
                    );
                }
            }
        }
        Ok(fits != negated)
    }
}
