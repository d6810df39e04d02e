//! Reads guards: the conditions of rows, clocks and codes.
//!
//! The grammar, from weak to strong: `or`, `and`, `not`, then comparisons and functions; it stands
//! with examples in `harness/docs/table-language.md`. Not responsible for evaluating anything.
//!
//! Invariant: every name on the left of a comparison is known. A bare name on the right that is
//! neither register nor time stands for itself.

use crate::diagnostic::{Sink, Span, shorten};
use crate::node::Node;
use crate::reader;
use crate::token::{SyntaxError, Token, Tokens};
use indexmap::IndexMap;
use smol_str::SmolStr;
use stateline_core::profile::expr::{Compare, Expr, Term};
use stateline_core::profile::machine::StateSet;
use stateline_core::profile::{ClockIx, HeadIx, Heads, RegisterIx, RowIx};
use stateline_core::time::Micros;
use stateline_core::trace::Head;
use stateline_core::value::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Nesting of parentheses and `not`.
const MAX_DEPTH: usize = 64;

/// Words that a condition takes for itself.
pub(crate) const RESERVED: [&str; 16] = [
    "and", "or", "not", "in", "only", "state", "via", "held", "age", "running", "exact", "elapsed",
    "count", "since", "true", "false",
];

/// The names that conditions of a profile can use.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) rows: &'a IndexMap<SmolStr, Span>,
    pub(crate) clocks: &'a IndexMap<SmolStr, Span>,
    pub(crate) registers: &'a IndexMap<SmolStr, Value>,
    pub(crate) timers: &'a IndexMap<SmolStr, Micros>,
    pub(crate) caps: &'a IndexMap<SmolStr, Micros>,
    pub(crate) heads: &'a Heads,
    /// What was read so far; the rest is dead.
    pub(crate) used: RefCell<Used>,
}

/// Registers and clocks that something asks for.
#[derive(Debug, Default)]
pub(crate) struct Used {
    pub(crate) registers: BTreeSet<RegisterIx>,
    pub(crate) clocks: BTreeSet<ClockIx>,
}

impl Scope<'_> {
    pub(crate) fn clock(&self, name: &str, span: Span, sink: &mut Sink) -> Option<ClockIx> {
        let found = self.clocks.get_index_of(name);
        match found {
            Some(clock) => {
                self.used.borrow_mut().clocks.insert(clock);
            }
            None => {
                sink.unknown(span, "clock", name, self.clocks.keys().map(SmolStr::as_str));
            }
        }
        found
    }

    pub(crate) fn register(&self, name: &str) -> Option<RegisterIx> {
        let found = self.registers.get_index_of(name)?;
        self.used.borrow_mut().registers.insert(found);
        Some(found)
    }

    pub(crate) fn time(&self, name: &str) -> Option<Micros> {
        self.timers.get(name).or_else(|| self.caps.get(name)).copied()
    }
}

/// The index of a word that tables listen for.
pub(crate) fn head(heads: &Heads, word: &str) -> Option<HeadIx> {
    let head = Head::parse(word);
    let [own, whole] = heads.of(head);
    if head.name.is_empty() { whole } else { own }
}

/// Tells a word that no event bears.
pub(crate) fn unknown_head(heads: &Heads, word: &str, span: Span, sink: &mut Sink) {
    let known =
        (0..heads.len()).filter_map(|ix| HeadIx::try_from(ix).ok()).map(|ix| heads.text(ix));
    sink.unknown(span, "event", word, known);
}

/// Reads a set of states, as a list or one name.
pub(crate) fn states(node: &Node, of: &[SmolStr], sink: &mut Sink) -> Option<StateSet> {
    let mut set = StateSet::default();
    let before = sink.len();
    for item in reader::one_or_many(node) {
        let Some(name) = reader::text(item, "a state", sink) else { continue };
        match of.iter().position(|state| state == name) {
            Some(state) => set = set.with(state),
            None => {
                sink.unknown(item.span.clone(), "state", name, of.iter().map(SmolStr::as_str));
            }
        }
    }
    if set == StateSet::default() && sink.len() == before {
        sink.error(node.span.clone(), "the list of states is empty", "name at least one state");
    }
    (sink.len() == before).then_some(set)
}

/// Reads a condition; states are those of the machine at hand.
pub(crate) fn expr(
    node: &Node,
    of: &[SmolStr],
    scope: &Scope<'_>,
    sink: &mut Sink,
) -> Option<Expr> {
    let text = reader::text(node, "a condition", sink)?;
    let before = sink.len();
    let read = Tokens::new(text).and_then(|tokens| {
        let mut parser = Parser { tokens, node, states: of, scope, sink, depth: 0 };
        let expr = parser.or()?;
        match parser.tokens.peek() {
            Token::End => Ok(expr),
            _ => Err(parser.tokens.unexpected("`and`, `or` or the end")),
        }
    });
    match read {
        Ok(expr) => (sink.len() == before).then_some(expr),
        Err(SyntaxError { span, title, label }) => {
            sink.error(node.part(span), title, label);
            None
        }
    }
}

struct Parser<'a, 's> {
    tokens: Tokens<'a>,
    node: &'a Node,
    states: &'a [SmolStr],
    scope: &'a Scope<'a>,
    sink: &'s mut Sink,
    depth: usize,
}

type Parsed<T> = Result<T, SyntaxError>;

impl<'a> Parser<'a, '_> {
    fn or(&mut self) -> Parsed<Expr> {
        let mut any = vec![self.and()?];
        while self.tokens.take_word("or") {
            any.push(self.and()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Expr::Or(any) })
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut all = vec![self.not()?];
        while self.tokens.take_word("and") {
            all.push(self.not()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::And(all) })
    }

    fn not(&mut self) -> Parsed<Expr> {
        if self.depth >= MAX_DEPTH {
            return Err(SyntaxError::new(
                self.tokens.span(),
                "the condition is nested too deeply",
                "here",
            ));
        }
        self.depth += 1;
        let read = if self.tokens.take_word("not") {
            self.not().map(|inner| Expr::Not(Box::new(inner)))
        } else if self.tokens.take_sign("(") {
            let inner = self.or()?;
            self.tokens.expect_sign(")")?;
            Ok(inner)
        } else {
            self.atom()
        };
        self.depth -= 1;
        read
    }

    fn atom(&mut self) -> Parsed<Expr> {
        match self.tokens.peek() {
            Token::Word("state") => {
                self.tokens.next();
                self.state()
            }
            Token::Word("via") => {
                self.tokens.next();
                self.via()
            }
            Token::Word(word @ ("running" | "exact")) => {
                self.tokens.next();
                let clock = self.clock_argument()?;
                Ok(if word == "running" { Expr::Running(clock) } else { Expr::Exact(clock) })
            }
            Token::Word("since") => {
                self.tokens.next();
                let heads = self.words("(", ")")?;
                Ok(Expr::Since(
                    heads.into_iter().filter_map(|(word, span)| self.head(word, span)).collect(),
                ))
            }
            Token::Word(word @ ("and" | "or" | "in" | "only")) => {
                Err(self.tokens.unexpected(&format!("a condition before `{word}`")))
            }
            _ => self.comparison(),
        }
    }

    fn state(&mut self) -> Parsed<Expr> {
        if self.tokens.take_word("only") {
            if !self.tokens.take_word("in") {
                return Err(self.tokens.unexpected("`in`"));
            }
            return Ok(Expr::StateOnly(self.state_list()?));
        }
        if self.tokens.take_word("in") {
            return Ok(Expr::State(self.state_list()?));
        }
        let negated = self.tokens.take_sign("!=");
        if !negated && !self.tokens.take_sign("=") {
            return Err(self.tokens.unexpected("`=`, `!=`, `in [..]` or `only in [..]`"));
        }
        let (word, span) = self.word("a state")?;
        let set = self.one_state(StateSet::default(), word, span);
        Ok(if negated { Expr::Not(Box::new(Expr::State(set))) } else { Expr::State(set) })
    }

    fn state_list(&mut self) -> Parsed<StateSet> {
        let words = self.words("[", "]")?;
        Ok(words
            .into_iter()
            .fold(StateSet::default(), |set, (word, span)| self.one_state(set, word, span)))
    }

    fn one_state(&mut self, set: StateSet, word: &str, span: Span) -> StateSet {
        if let Some(state) = self.states.iter().position(|state| state == word) {
            return set.with(state);
        }
        let known = self.states.iter().map(SmolStr::as_str);
        self.sink.unknown(self.node.part(span), "state", word, known);
        set
    }

    fn via(&mut self) -> Parsed<Expr> {
        let negated = self.tokens.take_sign("!=");
        let words = if negated || self.tokens.take_sign("=") {
            vec![self.word("the id of a row")?]
        } else if self.tokens.take_word("in") {
            self.words("[", "]")?
        } else {
            return Err(self.tokens.unexpected("`=`, `!=` or `in [..]`"));
        };
        let rows: Vec<RowIx> =
            words.into_iter().filter_map(|(word, span)| self.row(word, span)).collect();
        let via = Expr::Via(rows);
        Ok(if negated { Expr::Not(Box::new(via)) } else { via })
    }

    fn row(&mut self, word: &str, span: Span) -> Option<RowIx> {
        let found = self.scope.rows.get_index_of(word);
        if found.is_none() {
            let known = self.scope.rows.keys().map(SmolStr::as_str);
            self.sink.unknown(self.node.part(span), "row", word, known);
        }
        found
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.term(false)?;
        if self.tokens.take_word("in") {
            let values = self.tokens.list("[", "]", |token, _| match token {
                Token::Word(word) => literal(word),
                Token::Quoted(text) => Value::from(text),
                Token::Sign(_) | Token::End => Value::Null,
            })?;
            return Ok(Expr::In(left, values));
        }
        let signs = [
            ("=", Compare::Eq),
            ("!=", Compare::Ne),
            ("<=", Compare::Le),
            ("<", Compare::Lt),
            (">=", Compare::Ge),
            (">", Compare::Gt),
        ];
        for (sign, compare) in signs {
            if self.tokens.take_sign(sign) {
                let right = self.term(true)?;
                return Ok(Expr::Compare(compare, left, right));
            }
        }
        Ok(match left {
            Term::Literal(Value::Bool(b)) => Expr::Const(b),
            left => Expr::Truthy(left),
        })
    }

    /// One side of a comparison. On the right, a name that is not known stands for itself.
    fn term(&mut self, right: bool) -> Parsed<Term> {
        if let Token::Quoted(text) = self.tokens.peek() {
            self.tokens.next();
            return Ok(Term::Literal(Value::from(text)));
        }
        let (word, span) = self.word("a name, a number or a duration")?;
        match word {
            "held" => return Ok(Term::Held),
            "age" => return Ok(Term::Age),
            "elapsed" => return Ok(Term::Elapsed(self.clock_argument()?)),
            "count" => {
                let words = self.words("(", ")")?;
                let heads: Vec<HeadIx> =
                    words.into_iter().filter_map(|(word, span)| self.head(word, span)).collect();
                return match heads[..] {
                    [head] => Ok(Term::Count(head)),
                    // Its name was told; the value no longer matters.
                    [] => Ok(Term::Held),
                    _ => Err(SyntaxError::new(
                        span,
                        "`count` takes one word",
                        "counts one kind of event",
                    )),
                };
            }
            _ => {}
        }
        if let Some(field) = word.strip_prefix("trigger.").filter(|field| !field.is_empty()) {
            return Ok(Term::Trigger(field.into()));
        }
        if let Some(field) = word.strip_prefix("event.").filter(|field| !field.is_empty()) {
            return Ok(Term::Event(field.into()));
        }
        if let Some(register) = self.scope.register(word) {
            return Ok(Term::Register(register));
        }
        if let Some(time) = self.scope.time(word) {
            return Ok(Term::Duration(time));
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            if let Ok(time) = Micros::parse(word)
                .map_err(|_| ())
                .and_then(|time| if word == "0" { Err(()) } else { Ok(time) })
            {
                return Ok(Term::Duration(time));
            }
            let value = literal(word);
            if value.as_num().is_none() {
                return Err(SyntaxError::new(
                    span,
                    format!("`{}` is neither a number nor a duration", shorten(word)),
                    "write 3, 250ms, 4s or 2m",
                ));
            }
            return Ok(Term::Literal(value));
        }
        if right || matches!(word, "true" | "false") {
            return Ok(Term::Literal(literal(word)));
        }
        let scope = self.scope;
        let known = scope
            .registers
            .keys()
            .chain(scope.timers.keys())
            .chain(scope.caps.keys())
            .map(SmolStr::as_str)
            .chain([
                "state", "via", "held", "age", "running", "exact", "elapsed", "count", "since",
            ]);
        self.sink.unknown(self.node.part(span), "name", word, known);
        Ok(Term::Held)
    }

    fn clock_argument(&mut self) -> Parsed<ClockIx> {
        self.tokens.expect_sign("(")?;
        let (word, span) = self.word("a clock")?;
        self.tokens.expect_sign(")")?;
        Ok(self.scope.clock(word, self.node.part(span), self.sink).unwrap_or_default())
    }

    fn head(&mut self, word: &str, span: Span) -> Option<HeadIx> {
        let found = head(self.scope.heads, word);
        if found.is_none() {
            unknown_head(self.scope.heads, word, self.node.part(span), self.sink);
        }
        found
    }

    fn word(&mut self, wanted: &str) -> Parsed<(&'a str, Span)> {
        match self.tokens.peek() {
            Token::Word(word) => {
                let (_, span) = self.tokens.next();
                Ok((word, span))
            }
            _ => Err(self.tokens.unexpected(wanted)),
        }
    }

    fn words(&mut self, open: &'static str, close: &'static str) -> Parsed<Vec<(&'a str, Span)>> {
        self.tokens.list(open, close, |token, span| match token {
            Token::Word(word) | Token::Quoted(word) => (word, span),
            Token::Sign(sign) => (sign, span),
            Token::End => ("", span),
        })
    }
}

/// A value in a list or on the right of a comparison; a duration counts in milliseconds.
fn literal(word: &str) -> Value {
    match reader::value(word, true) {
        Value::Text(text) if text.starts_with(|c: char| c.is_ascii_digit()) => {
            Micros::parse(&text).map_or(Value::Text(text), Value::from)
        }
        value => value,
    }
}

#[cfg(test)]
mod tests;
