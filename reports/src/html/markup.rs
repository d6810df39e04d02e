//! Writes markup so that no text of a client can become any: literals of this crate are markup, and
//! everything else is text or a number.
//!
//! Not responsible for what is drawn where. Labels are measured in a monospaced font, whose advance
//! is nearly the same in all of them.
//!
//! Invariant: what is not a literal of this crate is escaped, and shows what is invisible in it.

use crate::text;
use std::fmt;

/// The size of labels, in units of a drawing.
pub(super) const FONT: i32 = 11;
/// How far a character of a label reaches, in hundredths of a unit: 0.6 em and some room.
const ADVANCE: i32 = 675;

/// Markup that is safe to place on a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markup(String);

impl Markup {
    /// A literal of this crate.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Anything that is said by others, as text or in an attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for c in text::visible(text, &[]).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// A coordinate or a count.
    pub(super) fn num(&mut self, n: i32) -> &mut Self {
        use fmt::Write;
        // Formatting into a `String` cannot fail.
        let _ = write!(self.0, "{n}");
        self
    }

    /// What was written elsewhere.
    pub(super) fn add(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// A rectangle of a class.
    pub(super) fn rect(
        &mut self,
        class: &'static str,
        x: i32,
        y: i32,
        w: i32,
        h: i32,
    ) -> &mut Self {
        self.raw("<rect class=\"").raw(class).raw("\" x=\"").num(x).raw("\" y=\"").num(y);
        self.raw("\" width=\"").num(w).raw("\" height=\"").num(h).raw("\"/>")
    }

    /// A label; `class` may be empty.
    pub(super) fn label(&mut self, class: &'static str, x: i32, y: i32, text: &str) -> &mut Self {
        self.raw("<text");
        if !class.is_empty() {
            self.raw(" class=\"").raw(class).raw("\"");
        }
        self.raw(" x=\"").num(x).raw("\" y=\"").num(y).raw("\">").text(text).raw("</text>")
    }

    /// A path of a class; none where it draws nothing.
    pub(super) fn path(&mut self, class: &'static str, path: &Path) -> &mut Self {
        if path.0.0.is_empty() {
            return self;
        }
        self.raw("<path class=\"").raw(class).raw("\" d=\"").add(&path.0).raw("\"/>")
    }

    /// The markup.
    #[cfg(test)]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// What is written by others was escaped on its way in.
impl askama::filters::HtmlSafe for Markup {}

/// The outline of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(Markup);

impl Path {
    /// Goes somewhere without drawing.
    pub(super) fn at(&mut self, x: i32, y: i32) -> &mut Self {
        self.0.raw("M").num(x).raw(" ").num(y);
        self
    }

    /// Draws sideways to a place.
    pub(super) fn across(&mut self, x: i32) -> &mut Self {
        self.0.raw("H").num(x);
        self
    }

    /// A box.
    pub(super) fn rect(&mut self, x: i32, y: i32, w: i32, h: i32) -> &mut Self {
        self.at(x, y).0.raw("h").num(w).raw("v").num(h).raw("h").num(-w).raw("z");
        self
    }

    /// Draws up or down to a place.
    pub(super) fn down(&mut self, y: i32) -> &mut Self {
        self.0.raw("V").num(y);
        self
    }

    /// A piece of outline that is the same everywhere.
    pub(super) fn piece(&mut self, piece: &'static str) -> &mut Self {
        self.0.raw(piece);
        self
    }

    /// Rounds a corner: from here by `(dx, dy)`, bending at its corner. `across` says which way it starts.
    pub(super) fn bend(&mut self, dx: i32, dy: i32, across: bool) -> &mut Self {
        let (cx, cy) = if across { (dx, 0) } else { (0, dy) };
        self.0.raw("q").num(cx).raw(" ").num(cy).raw(" ").num(dx).raw(" ").num(dy);
        self
    }
}

/// How wide a label is.
pub(super) fn width(text: &str) -> i32 {
    // A character of East Asia is as wide as two; taking every other one for wide errs on the safe side.
    let cells: usize =
        text.chars().map(|c| if c.is_ascii() || NARROW.contains(c) { 1 } else { 2 }).sum();
    (i32::try_from(cells).unwrap_or(i32::MAX / ADVANCE).saturating_mul(ADVANCE) + 99) / 100
}

/// Signs of this crate that are as wide as a letter.
const NARROW: &str = "→←✓✗○◆×…–·“”⋯";

/// A text as a label: no longer than `most` units, with an ellipsis where something is left out; none
/// where not even three characters have room.
pub(super) fn fitted(text: &str, most: i32) -> Option<String> {
    // What is shown is measured. A client can say a megabyte, and no label has room for it.
    let text: String = text.chars().take(200).collect();
    let text = text::visible(&text, &[]);
    if width(&text) <= most {
        return Some(text);
    }
    let mut fitted = String::new();
    for c in text.chars() {
        fitted.push(c);
        if width(&fitted) + width("…") > most {
            fitted.pop();
            break;
        }
    }
    (fitted.chars().count() >= 3).then(|| fitted + "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_text() {
        let mut markup = Markup::default();
        markup.label("s", 1, 2, "</text><script>'\"&]]>\u{1b}\u{202e}");
        assert_eq!(
            markup.to_string(),
            "<text class=\"s\" x=\"1\" y=\"2\">&lt;/text&gt;&lt;script&gt;&#39;&quot;&amp;]]&gt;\\u{1b}\\u{202e}</text>"
        );
    }

    #[test]
    fn a_label_has_room_or_says_that_it_has_not() {
        assert_eq!(fitted("connected", 100).as_deref(), Some("connected"));
        assert_eq!(fitted("connected", 40).as_deref(), Some("conn…"));
        assert_eq!(fitted("connected", 20), None);
        assert_eq!(fitted("連線中連線中", 60).as_deref(), Some("連線中…"));
    }

    proptest::proptest! {
        #[test]
        fn no_label_is_longer_than_its_room(text in ".{0,300}", most in 0i32..400) {
            if let Some(label) = fitted(&text, most) {
                proptest::prop_assert!(width(&label) <= most, "{label:?}");
                proptest::prop_assert_eq!(&text::visible(&label, &[]), &label);
            }
        }

        #[test]
        fn no_text_is_markup(text in ".{0,80}") {
            let mut markup = Markup::default();
            markup.text(&text);
            proptest::prop_assert!(!markup.as_str().contains(['<', '>', '"', '\'']));
            proptest::prop_assert!(!markup.as_str().contains(char::is_control));
        }
    }
}
