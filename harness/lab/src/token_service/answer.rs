//! What the token service answers: as the book of the case says, or as a script wants it.
//!
//! Not responsible for bytes, nor for telling anybody what was done; [`Deed`]s say what there is to
//! tell.
//!
//! Invariant: [`answer`] is a function of its arguments, and a refusal changes nothing in the book.

use super::request::{Secret, What};
use crate::tokens::{Fault, TokenBook, TokenIx};
use hyper::StatusCode;
use serde_json::{Map, Value as Json, json};
use smol_str::SmolStr;
use stateline_core::scenario::ClientIx;
use stateline_core::time::Micros;
use std::fmt;
use std::time::Duration;

/// What a proxy says where it should have passed something on.
const NO_JSON: &str = "<!doctype html><title>Sign in</title><p>Sign in to use this network.";

/// What goes back to the application.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// How long it is held back.
    pub(super) after: Duration,
    /// `None` is no answer at all.
    pub(super) page: Option<Page>,
}

/// One response.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) content: &'static str,
    pub(super) body: String,
}

impl Answer {
    /// 401: the application is not to have a token.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::refused(StatusCode::UNAUTHORIZED, "you are not signed in")
    }

    /// 429: it is to ask again, but not before this time is over.
    #[must_use]
    pub fn too_many(retry_after: Duration) -> Self {
        let mut page = Page::refused(StatusCode::TOO_MANY_REQUESTS, "too many requests");
        page.retry_after = Some(retry_after);
        page.into()
    }

    /// 500: the service fails.
    #[must_use]
    pub fn failure() -> Self {
        Self::refused(StatusCode::INTERNAL_SERVER_ERROR, "the token service failed")
    }

    /// 200 with a body that is no JSON.
    #[must_use]
    pub fn no_json() -> Self {
        let body = NO_JSON.to_owned();
        Page { status: StatusCode::OK, retry_after: None, content: "text/html", body }.into()
    }

    /// No answer, until the application gives up.
    #[must_use]
    pub const fn never() -> Self {
        Self { after: Duration::ZERO, page: None }
    }

    /// The same answer, this much later.
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.after = self.after.saturating_add(delay);
        self
    }

    /// Its status; `None` where there is no answer at all.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.page.as_ref().map(|page| page.status.as_u16())
    }

    pub(super) fn refused(status: StatusCode, why: &str) -> Self {
        Page::refused(status, why).into()
    }
}

impl Page {
    fn json(status: StatusCode, body: &Json) -> Self {
        Self { status, retry_after: None, content: "application/json", body: body.to_string() }
    }

    fn refused(status: StatusCode, why: &str) -> Self {
        Self::json(status, &json!({"error": why}))
    }
}

impl From<Page> for Answer {
    fn from(page: Page) -> Self {
        Self { after: Duration::ZERO, page: Some(page) }
    }
}

/// Without the body, in which a token may be.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after, page } = self;
        let retry_after = page.as_ref().and_then(|page| page.retry_after);
        f.debug_struct("Answer")
            .field("status", &self.status())
            .field("retry_after", &retry_after)
            .field("after", after)
            .finish_non_exhaustive()
    }
}

/// What an answer changed, for the trace and for whoever holds the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A token was issued.
    Minted {
        /// As a trace shows it.
        label: SmolStr,
    },
    /// A token was taken back.
    Revoked {
        /// In the book.
        token: TokenIx,
        /// As a trace shows it.
        label: SmolStr,
    },
    /// A token that had time left has none any more.
    Expired {
        /// In the book.
        token: TokenIx,
        /// As a trace shows it.
        label: SmolStr,
    },
}

/// An answer, and what it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What goes back.
    pub answer: Answer,
    /// What was done, in this order.
    pub deeds: Vec<Deed>,
}

/// Does what the application of a client asks for, as documented.
#[must_use]
pub fn answer(
    book: &mut TokenBook,
    now: Micros,
    client: ClientIx,
    name: &str,
    uid: &SmolStr,
    what: &What,
) -> Outcome {
    let mut service = Service { book, now, client, name, uid, deeds: Vec::new() };
    let answer = match service.answer(what) {
        Ok(body) => Page::json(StatusCode::OK, &Json::Object(body)).into(),
        Err(NeverIssued) => Answer::refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            "this user never got this token from the token service",
        ),
    };
    Outcome { answer, deeds: service.deeds }
}

/// The token that is named is nobody's, or of another user.
struct NeverIssued;

struct Service<'a> {
    book: &'a mut TokenBook,
    now: Micros,
    client: ClientIx,
    name: &'a str,
    uid: &'a SmolStr,
    deeds: Vec<Deed>,
}

impl Service<'_> {
    fn answer(&mut self, what: &What) -> Result<Map<String, Json>, NeverIssued> {
        match what {
            What::Issue { life } => Ok(self.issue(*life)),
            What::Renew { token, revoke, life } => {
                self.known(token)?;
                if *revoke {
                    self.revoke(token)?;
                }
                Ok(self.issue(*life))
            }
            What::Revoke { token } => {
                self.revoke(token)?;
                Ok(self.standing(token))
            }
            What::Expire { token } => {
                self.expire(token)?;
                Ok(self.standing(token))
            }
            What::Tell { token } => Ok(self.standing(token)),
        }
    }

    fn issue(&mut self, life: Option<Micros>) -> Map<String, Json> {
        let minted = self.book.mint(self.now, self.client, self.name, self.uid, "valid", life);
        let minted = minted.expect("`valid` is a kind of token");
        self.deeds.push(Deed::Minted { label: minted.label });
        let mut body = Map::new();
        body.insert("token".to_owned(), minted.text.as_str().into());
        body.append(&mut self.standing(&Secret(minted.text)));
        body
    }

    fn revoke(&mut self, secret: &Secret) -> Result<(), NeverIssued> {
        let token = self.known(secret)?;
        if self.fault(secret) != Some(Fault::Revoked) {
            self.book.revoke(token);
            self.deeds.push(Deed::Revoked { token, label: self.label(secret) });
        }
        Ok(())
    }

    fn expire(&mut self, secret: &Secret) -> Result<(), NeverIssued> {
        let token = self.known(secret)?;
        if self.book.expire(self.now, token) {
            self.deeds.push(Deed::Expired { token, label: self.label(secret) });
        }
        Ok(())
    }

    /// How a token stands.
    fn standing(&self, secret: &Secret) -> Map<String, Json> {
        let mut body = Map::new();
        let fault = self.fault(secret);
        body.insert("good".to_owned(), fault.is_none().into());
        if let Some(fault) = fault {
            body.insert("why".to_owned(), fault.cause().into());
        }
        if let Ok(token) = self.known(secret) {
            let expires_ms = self.book.wall_ms(self.book.expires(token));
            body.insert("expires_ms".to_owned(), expires_ms.into());
        }
        body
    }

    /// The token in the book, if this user got it, good or not.
    fn known(&self, secret: &Secret) -> Result<TokenIx, NeverIssued> {
        match self.fault(secret) {
            Some(Fault::Invalid | Fault::Malformed) => Err(NeverIssued),
            None | Some(Fault::Expired | Fault::Revoked) => {
                self.book.find(self.client, &secret.0).ok_or(NeverIssued)
            }
        }
    }

    fn fault(&self, secret: &Secret) -> Option<Fault> {
        self.book.fault(self.now, self.client, self.uid, &secret.0)
    }

    fn label(&self, secret: &Secret) -> SmolStr {
        secret.label(self.book, self.client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: u64 = 1_700_000_000_000;
    const ALICE: ClientIx = 0;

    /// A case with a client, at a time.
    struct Case {
        book: TokenBook,
        now: Micros,
    }

    impl Case {
        fn new() -> Self {
            Self { book: TokenBook::new(EPOCH), now: Micros::from_secs(5) }
        }

        fn ask_as(&mut self, client: ClientIx, uid: &str, what: &What) -> (u16, Json, Vec<Deed>) {
            let Outcome { answer, deeds } =
                answer(&mut self.book, self.now, client, uid, &uid.into(), what);
            let page = answer.page.expect("a documented answer is one");
            let body = serde_json::from_str(&page.body).expect("it is JSON");
            (page.status.as_u16(), body, deeds)
        }

        fn ask(&mut self, what: &What) -> (u16, Json, Vec<Deed>) {
            self.ask_as(ALICE, "alice", what)
        }

        fn issue(&mut self) -> Secret {
            let life = Some(Micros::from_secs(20));
            let (status, body, deeds) = self.ask(&What::Issue { life });
            assert_eq!((status, deeds.len()), (200, 1));
            let token = body["token"].as_str().expect("a token is text");
            assert_eq!(body, json!({"token": token, "good": true, "expires_ms": EPOCH + 25_000}));
            Secret(token.into())
        }

        fn stands(&mut self, token: &Secret) -> Json {
            let (status, body, deeds) = self.ask(&What::Tell { token: token.clone() });
            assert_eq!((status, deeds), (200, Vec::new()));
            body
        }
    }

    #[test]
    fn an_issued_token_is_one_of_the_book() {
        let mut case = Case::new();
        let token = case.issue();
        assert_eq!(token.0, format!("lab1.alice.{}.1", EPOCH + 25_000));
        assert_eq!(case.book.fault(case.now, ALICE, "alice", &token.0), None);
        let (_, body, deeds) = case.ask(&What::Issue { life: None });
        assert_eq!(body["expires_ms"], EPOCH + 5_000 + 24 * 60 * 60 * 1_000);
        assert_eq!(deeds, [Deed::Minted { label: "alice#2".into() }]);
    }

    #[test]
    fn a_token_is_good_until_its_time() {
        let mut case = Case::new();
        let token = case.issue();
        case.now = Micros(24_999_999);
        assert_eq!(case.stands(&token), json!({"good": true, "expires_ms": EPOCH + 25_000}));
        case.now = Micros(25_000_000);
        let over = json!({"good": false, "why": "expired", "expires_ms": EPOCH + 25_000});
        assert_eq!(case.stands(&token), over);
        // It was not this that ended it.
        let (status, body, deeds) = case.ask(&What::Expire { token });
        assert_eq!((status, body, deeds), (200, over, Vec::new()));
    }

    #[test]
    fn a_token_is_expired_or_revoked_once() {
        let mut case = Case::new();
        let (first, second) = (case.issue(), case.issue());
        case.now = Micros::from_secs(7);
        let expired = json!({"good": false, "why": "expired", "expires_ms": EPOCH + 7_000});
        let deed = Deed::Expired { token: 0, label: "alice#1".into() };
        for deeds in [vec![deed], Vec::new()] {
            let asked = case.ask(&What::Expire { token: first.clone() });
            assert_eq!(asked, (200, expired.clone(), deeds));
        }
        let revoked = json!({"good": false, "why": "revoked", "expires_ms": EPOCH + 25_000});
        let deed = Deed::Revoked { token: 1, label: "alice#2".into() };
        for deeds in [vec![deed], Vec::new()] {
            let asked = case.ask(&What::Revoke { token: second.clone() });
            assert_eq!(asked, (200, revoked.clone(), deeds));
        }
        assert_eq!(case.stands(&first), expired);
        assert_eq!(case.stands(&second), revoked);
    }

    #[test]
    fn renewing_keeps_the_old_token_or_takes_it_back() {
        let mut case = Case::new();
        for (revoke, good) in [(false, true), (true, false)] {
            let token = case.issue();
            let what = What::Renew { token: token.clone(), revoke, life: None };
            let (status, body, deeds) = case.ask(&what);
            assert_eq!((status, &body["good"]), (200, &json!(true)));
            assert_ne!(body["token"], token.0.as_str());
            assert_eq!(deeds.len(), 1 + usize::from(revoke));
            assert!(matches!(deeds.last(), Some(Deed::Minted { .. })));
            assert_eq!(case.stands(&token)["good"], good);
        }
    }

    #[test]
    fn nobody_touches_the_tokens_of_another_user() {
        let mut case = Case::new();
        let token = case.issue();
        for what in [
            What::Renew { token: token.clone(), revoke: true, life: None },
            What::Renew { token: token.clone(), revoke: false, life: None },
            What::Revoke { token: token.clone() },
            What::Expire { token: token.clone() },
        ] {
            let (status, body, deeds) = case.ask_as(1, "bob", &what);
            assert_eq!((status, deeds), (422, Vec::new()), "{what:?}");
            assert!(body["error"].is_string());
        }
        let (_, body, _) = case.ask_as(1, "bob", &What::Tell { token: token.clone() });
        assert_eq!(body, json!({"good": false, "why": "invalid"}));
        assert_eq!(case.stands(&token)["good"], true);
        // The same user on another device.
        let what = What::Revoke { token };
        assert_eq!(case.ask_as(1, "alice", &what).0, 200);
    }

    #[test]
    fn what_was_never_issued_is_told_as_such() {
        let mut case = Case::new();
        let uid = "alice".into();
        for (kind, why) in [("invalid", "invalid"), ("malformed", "malformed")] {
            let minted = case.book.mint(case.now, ALICE, "alice", &uid, kind, None).unwrap();
            let token = Secret(minted.text);
            assert_eq!(case.stands(&token), json!({"good": false, "why": why}));
            assert_eq!(case.ask(&What::Revoke { token }).0, 422);
        }
    }

    #[test]
    fn no_token_is_printed() {
        let mut case = Case::new();
        let what = What::Issue { life: None };
        let outcome = answer(&mut case.book, case.now, ALICE, "alice", &"alice".into(), &what);
        assert!(outcome.answer.page.as_ref().is_some_and(|page| page.body.contains("lab1.")));
        let printed = format!("{outcome:?}");
        assert!(printed.contains("status: Some(200)") && !printed.contains("lab1."), "{printed}");
    }

    #[test]
    fn delays_add_up() {
        let late = Answer::failure().after(Duration::from_secs(1)).after(Duration::from_secs(2));
        assert_eq!((late.after, late.status()), (Duration::from_secs(3), Some(500)));
        assert_eq!(Answer::never().status(), None);
    }
}
