//! The words and signs of conditions.
//!
//! Not responsible for what they mean together: `expr` and `matrix` parse them.
//!
//! Invariant: the spans of the tokens are in order and inside the text.

use crate::diagnostic::Span;

/// One word or sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A name, number or duration.
    Word(&'a str),
    /// A text in quotes.
    Quoted(&'a str),
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`, `(`, `)`, `[`, `]`, `,`
    Sign(&'static str),
    /// The end of the text.
    End,
}

/// What is wrong with a condition as a whole.
#[derive(Clone, Debug)]
pub(crate) struct SyntaxError {
    pub(crate) span: Span,
    pub(crate) title: String,
    pub(crate) label: String,
}

impl SyntaxError {
    pub(crate) fn new(span: Span, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { span, title: title.into(), label: label.into() }
    }
}

const SIGNS: [&str; 11] = ["!=", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ","];

/// Reads tokens one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    all: Vec<(Token<'a>, Span)>,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Result<Self, SyntaxError> {
        let mut all = Vec::new();
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            if c.is_whitespace() {
                at += c.len_utf8();
            } else if rest.starts_with("==") {
                return Err(SyntaxError::new(
                    at..at + 2,
                    "equality is written `=`",
                    "one sign too many",
                ));
            } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                all.push((Token::Sign(sign), at..at + sign.len()));
                at += sign.len();
            } else if c == '\'' || c == '"' {
                let Some(end) = rest[1..].find(c) else {
                    return Err(SyntaxError::new(
                        at..text.len(),
                        "a quote is never closed",
                        "opened here",
                    ));
                };
                all.push((Token::Quoted(&rest[1..=end]), at..at + end + 2));
                at += end + 2;
            } else {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || "-_.$/".contains(c)))
                    .unwrap_or(rest.len());
                if end == 0 {
                    let label = match c {
                        '&' => "write `and`",
                        '|' => "write `or`",
                        '!' => "write `not`",
                        _ => "not expected here",
                    };
                    let title = format!("`{c}` has no meaning in a condition");
                    return Err(SyntaxError::new(at..at + c.len_utf8(), title, label));
                }
                all.push((Token::Word(&rest[..end]), at..at + end));
                at += end;
            }
        }
        all.push((Token::End, text.len()..text.len()));
        Ok(Self { all, at: 0 })
    }

    pub(crate) fn peek(&self) -> Token<'a> {
        self.all[self.at].0
    }

    pub(crate) fn span(&self) -> Span {
        self.all[self.at].1.clone()
    }

    /// Takes a token; the end is never passed.
    pub(crate) fn next(&mut self) -> (Token<'a>, Span) {
        let found = self.all[self.at].clone();
        if self.at + 1 < self.all.len() {
            self.at += 1;
        }
        found
    }

    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let fits = self.peek() == Token::Word(word);
        if fits {
            self.next();
        }
        fits
    }

    pub(crate) fn take_sign(&mut self, sign: &str) -> bool {
        let fits = matches!(self.peek(), Token::Sign(have) if have == sign);
        if fits {
            self.next();
        }
        fits
    }

    pub(crate) fn expect_sign(&mut self, sign: &'static str) -> Result<(), SyntaxError> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    /// A list of words or texts in the brackets given, with what `read` makes of each.
    pub(crate) fn list<T>(
        &mut self,
        open: &'static str,
        close: &'static str,
        mut read: impl FnMut(Token<'a>, Span) -> T,
    ) -> Result<Vec<T>, SyntaxError> {
        self.expect_sign(open)?;
        let mut list = Vec::new();
        loop {
            if matches!(self.peek(), Token::Sign(_) | Token::End) {
                return Err(self.unexpected("a name"));
            }
            let (token, span) = self.next();
            list.push(read(token, span));
            if self.take_sign(close) {
                return Ok(list);
            }
            if !self.take_sign(",") {
                return Err(self.unexpected(&format!("`,` or `{close}`")));
            }
        }
    }

    pub(crate) fn unexpected(&self, wanted: &str) -> SyntaxError {
        let (token, span) = &self.all[self.at];
        let found = match token {
            Token::Word(word) => format!("`{word}`"),
            Token::Quoted(text) => format!("'{text}'"),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end".to_owned(),
        };
        SyntaxError::new(
            span.clone(),
            format!("expected {wanted}, found {found}"),
            format!("expected {wanted}"),
        )
    }
}
