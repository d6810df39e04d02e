//! What can be asked of the token service, read from paths and bodies.
//!
//! Not responsible for whether a token exists, nor for bytes on a connection.
//!
//! Invariant: a body that is refused is refused in words that name the right one, and that repeat
//! nothing of it.

use crate::tokens::TokenBook;
use serde_json::{Map, Value as Json};
use smol_str::SmolStr;
use stateline_core::scenario::ClientIx;
use stateline_core::time::Micros;
use std::fmt;

/// The longest life that can be asked for: some thirty years.
const LONGEST_LIFE_MS: u64 = 1_000_000_000_000;

/// The text of a token, which is printed nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(super) SmolStr);

impl Secret {
    /// What a trace shows for it.
    #[must_use]
    pub fn label(&self, book: &TokenBook, client: ClientIx) -> SmolStr {
        book.label(client, &self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<token>")
    }
}

/// What an application asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A token.
    Issue {
        /// How long it holds, where that is said.
        life: Option<Micros>,
    },
    /// Another token.
    Renew {
        /// The one that it has.
        token: Secret,
        /// Whether that one is taken back.
        revoke: bool,
        /// How long the new one holds, where that is said.
        life: Option<Micros>,
    },
    /// That a token is taken back.
    Revoke {
        /// Which.
        token: Secret,
    },
    /// That a token expires now.
    Expire {
        /// Which.
        token: Secret,
    },
    /// How a token stands.
    Tell {
        /// Which.
        token: Secret,
    },
}

impl What {
    /// What is asked for, as the path says it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Issue { .. } => "issue",
            Self::Renew { .. } => "renew",
            Self::Revoke { .. } => "revoke",
            Self::Expire { .. } => "expire",
            Self::Tell { .. } => "tell",
        }
    }

    /// The token that is named, if one is.
    #[must_use]
    pub const fn token(&self) -> Option<&Secret> {
        match self {
            Self::Issue { .. } => None,
            Self::Renew { token, .. }
            | Self::Revoke { token }
            | Self::Expire { token }
            | Self::Tell { token } => Some(token),
        }
    }
}

/// The last part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Issue,
    Renew,
    Revoke,
    Expire,
    Tell,
}

impl Verb {
    /// All of them, for whoever asks for another one.
    pub(super) const ALL: &str = "issue, renew, revoke, expire, tell";

    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "issue" => Self::Issue,
            "renew" => Self::Renew,
            "revoke" => Self::Revoke,
            "expire" => Self::Expire,
            "tell" => Self::Tell,
            _ => return None,
        })
    }

    /// Reads the body of such a request.
    ///
    /// # Errors
    /// What is wrong, and how it is right.
    pub(super) fn read(self, body: &[u8]) -> Result<What, String> {
        self.parse(body).map_err(|why| format!("{why}; the body is {}", self.usage()))
    }

    fn parse(self, body: &[u8]) -> Result<What, String> {
        let body = body.trim_ascii();
        let json = if body.is_empty() { b"{}" } else { body };
        let json = serde_json::from_slice(json).map_err(|error| format!("no JSON: {error}"))?;
        let Json::Object(mut keys) = json else { return Err("no JSON object".to_owned()) };
        let what = match self {
            Self::Issue => What::Issue { life: life(&mut keys)? },
            Self::Renew => What::Renew {
                token: token(&mut keys)?,
                revoke: revoke(&mut keys)?,
                life: life(&mut keys)?,
            },
            Self::Revoke => What::Revoke { token: token(&mut keys)? },
            Self::Expire => What::Expire { token: token(&mut keys)? },
            Self::Tell => What::Tell { token: token(&mut keys)? },
        };
        // A key that is misspelt would be a wish that nobody hears.
        if keys.is_empty() { Ok(what) } else { Err("there is another key".to_owned()) }
    }

    const fn usage(self) -> &'static str {
        match self {
            Self::Issue => r#"{"life_ms": 20000}, and `life_ms` may be left out"#,
            Self::Renew => {
                r#"{"token": "…", "revoke": false, "life_ms": 20000}, and only `token` is needed"#
            }
            Self::Revoke | Self::Expire | Self::Tell => r#"{"token": "…"}"#,
        }
    }
}

fn token(keys: &mut Map<String, Json>) -> Result<Secret, String> {
    match keys.shift_remove("token") {
        Some(Json::String(text)) => Ok(Secret(text.into())),
        Some(_) => Err("the key `token` is no text".to_owned()),
        None => Err("the key `token` is missing".to_owned()),
    }
}

fn revoke(keys: &mut Map<String, Json>) -> Result<bool, String> {
    match keys.shift_remove("revoke") {
        None | Some(Json::Null) => Ok(false),
        Some(Json::Bool(revoke)) => Ok(revoke),
        Some(_) => Err("the key `revoke` is neither true nor false".to_owned()),
    }
}

fn life(keys: &mut Map<String, Json>) -> Result<Option<Micros>, String> {
    match keys.shift_remove("life_ms") {
        None | Some(Json::Null) => Ok(None),
        Some(json) => json
            .as_u64()
            .filter(|ms| (1..=LONGEST_LIFE_MS).contains(ms))
            .map(|ms| Some(Micros::from_millis(ms)))
            .ok_or_else(|| {
                format!("the key `life_ms` is no whole number from 1 to {LONGEST_LIFE_MS}")
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "lab1.alice.1700000000000.1";

    fn secret() -> Secret {
        Secret(TOKEN.into())
    }

    #[test]
    fn each_path_has_its_body() {
        let both = format!(r#"{{"life_ms":20000,"revoke":true,"token":"{TOKEN}"}}"#);
        let token = format!(r#" {{"token":"{TOKEN}"}} "#);
        let life = Some(Micros::from_secs(20));
        for (path, body, what) in [
            ("issue", "", What::Issue { life: None }),
            ("issue", "\r\n", What::Issue { life: None }),
            ("issue", r#"{"life_ms":null}"#, What::Issue { life: None }),
            ("issue", r#"{"life_ms":20000}"#, What::Issue { life }),
            ("renew", &token, What::Renew { token: secret(), revoke: false, life: None }),
            ("renew", &both, What::Renew { token: secret(), revoke: true, life }),
            ("revoke", &token, What::Revoke { token: secret() }),
            ("expire", &token, What::Expire { token: secret() }),
            ("tell", &token, What::Tell { token: secret() }),
        ] {
            let verb = Verb::named(path).unwrap();
            assert_eq!(verb.read(body.as_bytes()).as_ref(), Ok(&what), "{path} {body}");
            assert_eq!(what.name(), path);
            assert!(Verb::ALL.contains(path));
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_right() {
        for (path, body, why) in [
            ("issue", "[]", "no JSON object"),
            ("issue", "nil", "no JSON: expected"),
            ("issue", r#"{"life":20}"#, "there is another key"),
            ("issue", r#"{"life_ms":0}"#, "no whole number from 1 to 1000000000000"),
            ("issue", r#"{"life_ms":-1}"#, "no whole number"),
            ("issue", r#"{"life_ms":1.5}"#, "no whole number"),
            ("issue", r#"{"life_ms":"20s"}"#, "no whole number"),
            ("issue", r#"{"life_ms":1000000000001}"#, "no whole number"),
            ("renew", r#"{"token":"x","revoke":"no"}"#, "neither true nor false"),
            ("revoke", "", "`token` is missing"),
            ("tell", r#"{"token":7}"#, "`token` is no text"),
            ("tell", "\"\u{1}\"", "no JSON: control character"),
        ] {
            let said = Verb::named(path).unwrap().read(body.as_bytes()).unwrap_err();
            assert!(said.contains(why), "{path} {body}: {said}");
            assert!(said.contains(r#"; the body is {""#), "{said}");
        }
        assert!(Verb::Tell.read(&[b'"', 0xff, b'"']).is_err());
        assert!(Verb::Tell.read("[".repeat(60_000).as_bytes()).is_err());
    }

    #[test]
    fn no_token_is_printed() {
        let body = format!(r#"{{"token":"{TOKEN}"}}"#);
        let what = Verb::Renew.read(body.as_bytes()).unwrap();
        assert_eq!(format!("{what:?}"), "Renew { token: <token>, revoke: false, life: None }");
        for body in [format!(r#"{{"token":"{TOKEN}","{TOKEN}":1}}"#), format!("\"{TOKEN}")] {
            let said = Verb::Tell.read(body.as_bytes()).unwrap_err();
            assert!(!said.contains("lab1"), "{said}");
        }
    }
}
