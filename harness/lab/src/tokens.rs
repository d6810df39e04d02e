//! The token service: mints tokens, remembers them, and names them for the trace.
//!
//! A token says in plain text until when it holds (`lab1.<uid>.<expiry>.<serial>`), because some
//! clients read that. Not responsible for when a token is checked (the realm's).
//!
//! Invariant: no text that was minted reaches a trace; its label stands there instead.

use smol_str::{SmolStr, format_smolstr};
use stateline_core::scenario::ClientIx;
use stateline_core::time::Micros;
use stateline_core::value::{Fields, Value};

/// How long a token holds when nobody says otherwise.
const LIFE: Micros = Micros::from_secs(24 * 60 * 60);
/// How long ago an expired token expired when nobody says otherwise.
const AGE_MS: u64 = 60 * 60 * 1_000;
/// What is no token at all.
const MALFORMED: &str = "not-a-token";
/// How every token starts that this service spells.
const PREFIX: &str = "lab1.";
/// Serials of another service: well formed, and unknown to the realm.
const FOREIGN: u64 = 9_000_000;

/// A token as the application gets it, and as a trace shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minted {
    /// What is given to the client.
    pub text: SmolStr,
    /// What stands in the trace: `alice#1`.
    pub label: SmolStr,
}

/// No kind of token has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of token (valid, expired, invalid, malformed, revoked, same)")]
pub struct UnknownKind(pub SmolStr);

/// Why a token is not good for a login; the names are those of `RealmSpec::codes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its time is over.
    Expired,
    /// The service never minted it, or not for this user.
    Invalid,
    /// It is no token.
    Malformed,
    /// It was taken back.
    Revoked,
}

impl Fault {
    /// The cause as profiles write it.
    #[must_use]
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Invalid => "invalid",
            Self::Malformed => "malformed",
            Self::Revoked => "revoked",
        }
    }
}

/// Index of a token in the book.
pub type TokenIx = usize;

/// All tokens of a case.
#[derive(Clone, Debug)]
pub struct TokenBook {
    epoch_ms: u64,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    minted: Minted,
    client: ClientIx,
    uid: SmolStr,
    /// When it expires, in the time of the case; zero where it had expired before.
    expires: Micros,
    known: bool,
    revoked: bool,
    /// The application has it.
    given: bool,
}

impl TokenBook {
    /// An empty book; the case starts at this wall clock.
    #[must_use]
    pub const fn new(epoch_ms: u64) -> Self {
        Self { epoch_ms, entries: Vec::new() }
    }

    /// Mints a token for a client.
    ///
    /// # Errors
    /// No kind has this name.
    pub fn mint(
        &mut self,
        now: Micros,
        client: ClientIx,
        name: &str,
        uid: &SmolStr,
        kind: &str,
        life: Option<Micros>,
    ) -> Result<Minted, UnknownKind> {
        if kind == "same"
            && let Some(last) =
                self.entries.iter().rev().find(|entry| entry.client == client && entry.given)
        {
            return Ok(last.minted.clone());
        }
        let good = now + life.unwrap_or(LIFE);
        let (expires, known, revoked) = match kind {
            "valid" | "same" => (good, true, false),
            "expired" => (Micros::ZERO, true, false),
            "invalid" | "malformed" => (good, false, false),
            "revoked" => (good, true, true),
            _ => return Err(UnknownKind(kind.into())),
        };
        let serial = self.entries.len() as u64 + if known { 1 } else { FOREIGN };
        let expiry_ms = if kind == "expired" {
            (self.epoch_ms + now.0 / 1_000).saturating_sub(AGE_MS)
        } else {
            self.wall_ms(expires)
        };
        let text = if kind == "malformed" {
            SmolStr::new_static(MALFORMED)
        } else {
            format_smolstr!("{PREFIX}{uid}.{expiry_ms}.{serial}")
        };
        let nth = self.entries.iter().filter(|entry| entry.client == client).count() + 1;
        let minted = Minted { text, label: format_smolstr!("{name}#{nth}") };
        let uid = uid.clone();
        let entry =
            Entry { minted: minted.clone(), client, uid, expires, known, revoked, given: true };
        self.entries.push(entry);
        Ok(minted)
    }

    /// Mints a good token that the application of the client does not get: its own one stays the last.
    ///
    /// # Panics
    /// Never: `valid` is a kind of token.
    pub fn issue(&mut self, now: Micros, client: ClientIx, name: &str, uid: &SmolStr) -> Minted {
        let minted =
            self.mint(now, client, name, uid, "valid", None).expect("`valid` is a kind of token");
        if let Some(entry) = self.entries.last_mut() {
            entry.given = false;
        }
        minted
    }

    /// The token with this text: the client's own last one, else anybody's.
    #[must_use]
    pub fn find(&self, client: ClientIx, text: &str) -> Option<TokenIx> {
        let fits = |entry: &Entry| entry.minted.text == text;
        self.entries
            .iter()
            .rposition(|entry| entry.client == client && fits(entry))
            .or_else(|| self.entries.iter().rposition(fits))
    }

    /// The token that was minted last for a client.
    #[must_use]
    pub fn last(&self, client: ClientIx) -> Option<TokenIx> {
        self.entries.iter().rposition(|entry| entry.client == client)
    }

    /// What speaks against a login of this user with this text.
    #[must_use]
    pub fn fault(&self, now: Micros, client: ClientIx, uid: &str, text: &str) -> Option<Fault> {
        if !text.starts_with(PREFIX) {
            return Some(Fault::Malformed);
        }
        let entry = self.find(client, text).map(|ix| &self.entries[ix]);
        match entry {
            Some(entry) if !entry.known || entry.uid != uid => Some(Fault::Invalid),
            None => Some(Fault::Invalid),
            Some(entry) if entry.revoked => Some(Fault::Revoked),
            Some(entry) if entry.expires <= now => Some(Fault::Expired),
            Some(_) => None,
        }
    }

    /// When a token expires.
    #[must_use]
    pub fn expires(&self, ix: TokenIx) -> Micros {
        self.entries[ix].expires
    }

    /// An instant of the case as milliseconds since 1970, rounded up.
    #[must_use]
    pub const fn wall_ms(&self, at: Micros) -> u64 {
        self.epoch_ms + at.0.div_ceil(1_000)
    }

    /// Lets a token expire; `false` when it had expired before.
    pub fn expire(&mut self, now: Micros, ix: TokenIx) -> bool {
        let before = self.entries[ix].expires;
        self.entries[ix].expires = before.min(now);
        before > now
    }

    /// Takes a token back.
    pub fn revoke(&mut self, ix: TokenIx) {
        self.entries[ix].revoked = true;
    }

    /// What a trace shows for a token that a client sent.
    #[must_use]
    pub fn label(&self, client: ClientIx, text: &str) -> SmolStr {
        self.find(client, text)
            .map_or(SmolStr::new_static("unknown"), |ix| self.entries[ix].minted.label.clone())
    }

    /// The text with every minted token replaced by `<token alice#1>`.
    #[must_use]
    pub fn redact(&self, text: &str) -> SmolStr {
        if !has_token(text) && !has_encoded(text) {
            return text.into();
        }
        // One token can be the beginning of another, so the longest go first.
        let mut entries: Vec<_> = self.entries.iter().rev().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.minted.text.len()));
        let mut text = text.to_owned();
        for entry in entries {
            if text.contains(entry.minted.text.as_str()) {
                let label = format!("<token {}>", entry.minted.label);
                text = text.replace(entry.minted.text.as_str(), &label);
            }
        }
        mask(&text)
    }

    /// A field as a trace may show it.
    #[must_use]
    pub fn redact_field(&self, client: ClientIx, name: &str, value: &Value) -> Value {
        match value {
            Value::Text(text) if name == "token" => Value::Text(self.label(client, text)),
            _ if name == "token" => Value::name("unknown"),
            other => self.redact_value(other),
        }
    }

    /// Fields in whose texts every minted token is replaced.
    #[must_use]
    pub fn redact_fields(&self, fields: Fields) -> Fields {
        let may_hold = |value: &Value| match value {
            Value::Text(text) => has_token(text) || has_encoded(text),
            Value::Json(_) => true,
            _ => false,
        };
        if !fields.iter().any(|(_, value)| may_hold(value)) {
            return fields;
        }
        fields.iter().map(|(name, value)| (name.clone(), self.redact_value(value))).collect()
    }

    fn redact_value(&self, value: &Value) -> Value {
        match value {
            Value::Text(text) => Value::Text(self.redact(text)),
            Value::Json(json) => {
                let text = json.to_string();
                let shown = self.redact(&text);
                if shown == text { value.clone() } else { Value::Text(shown) }
            }
            other => other.clone(),
        }
    }
}

/// Masks whatever has the shape of a token, or of the beginning of one: tokens of another case, of a text that
/// was cut, and of one that was encoded for JSON, for an address or in base64.
#[must_use]
pub fn mask(text: &str) -> SmolStr {
    if !has_token(text) && !has_encoded(text) {
        return text.into();
    }
    let text = text.replace(MALFORMED, "<token unknown>");
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(HEAD) {
        let (before, found) = rest.split_at(at);
        masked.push_str(before);
        let dot = dot_length(&found[HEAD.len()..]);
        let body = HEAD.len() + dot;
        let n = if dot == 0 { 0 } else { token_length(&found[body..]) };
        let (token, after) = found.split_at(body + n);
        match token.strip_suffix('…') {
            _ if n == 0 => masked.push_str(token),
            Some(_) => masked.push_str("<token unknown>…"),
            None => masked.push_str("<token unknown>"),
        }
        rest = after;
    }
    masked.push_str(rest);
    if has_encoded(&masked) { mask_encoded(&masked).into() } else { masked.into() }
}

/// How every token starts, up to the dot.
const HEAD: &str = "lab1";
/// What `lab1.` is in base64, by where in a group of three bytes it begins, as far as its neighbours have no
/// say.
const ENCODED: [&str; 3] = ["bGFiMS", "xhYjEu", "sYWIxL"];

/// How long the dot is that a text begins with: plain, in an address, or in JSON; 0: there is none.
fn dot_length(text: &str) -> usize {
    let escaped = escape_length(text);
    let ends_in = |n: usize| text.get(n - 2..n).is_some_and(|code| code.eq_ignore_ascii_case("2e"));
    match text {
        _ if text.starts_with('.') => 1,
        _ if escaped > 0 && ends_in(escaped) => escaped,
        _ if text.starts_with("%25") && ends_in(5) => 5,
        _ if text.starts_with('%') && ends_in(3) => 3,
        _ => 0,
    }
}

/// How long the escape is that a text begins with, as JSON has them, and JSON within JSON: `\u002e`; 0: there
/// is none.
fn escape_length(text: &str) -> usize {
    let code = text.trim_start_matches('\\');
    let n = text.len() - code.len();
    let digits = code.strip_prefix('u').and_then(|rest| rest.get(..4));
    let is_code = digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if n > 0 && is_code { n + 5 } else { 0 }
}

/// How long the rest of a token is, in a text that goes on after it.
fn token_length(text: &str) -> usize {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let escaped = escape_length(&text[at..]);
        if escaped > 0 {
            // A character that JSON has escaped is still one of the token.
            at += escaped;
        } else if c.is_whitespace() || "\"'`\\,;<>[]{}()".contains(c) {
            break;
        } else {
            at += c.len_utf8();
        }
    }
    at
}

/// Masks whole words of base64 that have a token in them.
fn mask_encoded(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "+/-_=".contains(c);
    let mut masked = String::with_capacity(text.len());
    for part in text.split_inclusive(|c| !is_word(c)) {
        let word = part.trim_end_matches(|c| !is_word(c));
        if has_encoded(word) {
            masked.push_str("<token encoded>");
            masked.push_str(&part[word.len()..]);
        } else {
            masked.push_str(part);
        }
    }
    masked
}

fn has_token(text: &str) -> bool {
    text.contains(HEAD) || text.contains(MALFORMED)
}

fn has_encoded(text: &str) -> bool {
    ENCODED.iter().any(|core| text.contains(core))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: u64 = 1_700_000_000_000;

    #[test]
    fn what_looks_like_a_token_is_masked() {
        let book = TokenBook::new(EPOCH);
        assert_eq!(book.redact("{\"token\":\"lab1.a.17…"), "{\"token\":\"<token unknown>…");
        assert_eq!(book.redact("lab1.b.1.2, and lab1. is"), "<token unknown>, and lab1. is");
        assert_eq!(
            book.redact("lab1 and lab10.5, not-a-token"),
            "lab1 and lab10.5, <token unknown>"
        );
    }

    #[test]
    fn so_is_what_was_encoded() {
        let token = "lab1.al\u{e9}.1700000000000.12";
        let json = r#"{\"t\":\"lab1\u002eal\u00e9.1700000000000.12\"}"#;
        let twice = r#"lab1\\u002eal\\u00e9\\u002e1700000000000.12"#;
        let often = r"lab1\\\\u002Ealice\\\\u002E1700000000000.12";
        let again = "lab1%252ealice%252e1700000000000.12";
        let address = "/x?t=lab1%2Eal%C3%A9%2E1700000000000%2E12#";
        for text in [token, json, twice, often, again, address, "LAB lab1.a.1.2&b"] {
            let shown = mask(text);
            assert!(shown.contains("<token unknown>"), "{text} became {shown}");
            assert!(!shown.contains("1700") && !shown.contains("e9"), "{text} became {shown}");
        }
        for (encoded, n) in [
            ("bGFiMS5hLjE3LjE=", 1),
            ("eGxhYjEuYS4xNy4x", 1),
            ("eHhsYWIxLmEuMTcuMQ==", 1),
            ("a=eHhsYWIxLmEuMTcuMQ==,bGFiMS5h:Y", 2),
        ] {
            let shown = mask(encoded);
            assert_eq!(shown.matches("<token encoded>").count(), n, "{encoded} became {shown}");
            assert!(!has_encoded(&shown) && !shown.contains("MTcu"), "{encoded} became {shown}");
        }
        let shown = mask("bGFiMS5hLjE3LjE=, then bGFpMS5h");
        assert_eq!(shown, "<token encoded>, then bGFpMS5h");
    }

    fn mint(book: &mut TokenBook, kind: &str, life: Option<Micros>) -> Minted {
        book.mint(Micros::ZERO, 0, "alice", &"alice".into(), kind, life).unwrap()
    }

    #[test]
    fn each_kind_has_its_fault() {
        let mut book = TokenBook::new(EPOCH);
        for (kind, fault) in [
            ("valid", None),
            ("expired", Some(Fault::Expired)),
            ("invalid", Some(Fault::Invalid)),
            ("malformed", Some(Fault::Malformed)),
            ("revoked", Some(Fault::Revoked)),
        ] {
            let minted = mint(&mut book, kind, None);
            assert_eq!(book.fault(Micros::ZERO, 0, "alice", &minted.text), fault, "{kind}");
        }
        let valid = book.entries[0].minted.text.clone();
        assert_eq!(book.fault(Micros::ZERO, 1, "bob", &valid), Some(Fault::Invalid));
        let wrong = book.mint(Micros::ZERO, 0, "alice", &"alice".into(), "golden", None);
        assert_eq!(wrong, Err(UnknownKind("golden".into())));
    }

    #[test]
    fn a_token_holds_for_its_life() {
        let mut book = TokenBook::new(EPOCH);
        let minted = mint(&mut book, "valid", Some(Micros::from_secs(20)));
        assert_eq!(minted.text, format!("lab1.alice.{}.1", EPOCH + 20_000));
        let fault = |at| book.fault(at, 0, "alice", &minted.text);
        assert_eq!(fault(Micros(19_999_999)), None);
        assert_eq!(fault(Micros(20_000_000)), Some(Fault::Expired));
    }

    #[test]
    fn same_is_the_last_one() {
        let mut book = TokenBook::new(EPOCH);
        let first = mint(&mut book, "same", None);
        assert_eq!(mint(&mut book, "same", None), first);
        let second = mint(&mut book, "valid", None);
        assert_eq!(second.label, "alice#2");
        assert_eq!(mint(&mut book, "same", None), second);
        // What nobody fetched is good, and is nobody's last one.
        let issued = book.issue(Micros::ZERO, 0, "alice", &"alice".into());
        assert_eq!(issued.label, "alice#3");
        assert_eq!(book.fault(Micros::ZERO, 0, "alice", &issued.text), None);
        assert_eq!(book.fault(Micros::ZERO, 0, "alice", &second.text), None);
        assert_eq!(mint(&mut book, "same", None), second);
    }

    #[test]
    fn a_trace_shows_labels_only() {
        let mut book = TokenBook::new(EPOCH);
        let minted: Vec<_> = (0..12).map(|_| mint(&mut book, "valid", None)).collect();
        let text = format!("{} {} {MALFORMED}", minted[0].text, minted[11].text);
        let shown = book.redact(&text);
        assert!(shown.starts_with("<token alice#1> <token alice#12>"), "{shown}");
        let token = Value::Text(minted[1].text.clone());
        assert_eq!(book.redact_field(0, "token", &token), Value::name("alice#2"));
        assert_eq!(book.redact_field(0, "other", &token), Value::name("<token alice#2>"));
        assert_eq!(book.label(0, "something else"), "unknown");
    }
}
