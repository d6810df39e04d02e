//! The SDK's words: enumerations with their aliases, and the methods that scenarios call.
//!
//! Adapters report the SDK's own names or numbers; this maps them to the profile's names, letter
//! case aside. Not responsible for what the names mean.
//!
//! Invariant: one spelling maps to one name; the reader rejects a clash.

use crate::value::{Fields, Value};
use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

/// All words of an SDK.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Enumerations by name: `state`, `reason`, `event`, `code.login`, …
    pub enums: IndexMap<SmolStr, Enumeration>,
    /// Values that tables speak of together, by the name of the group.
    pub groups: IndexMap<SmolStr, Vec<SmolStr>>,
    /// Methods by the profile's name.
    pub calls: IndexMap<SmolStr, Method>,
}

/// One enumeration.
#[derive(Clone, Debug, Default)]
pub struct Enumeration {
    values: IndexMap<SmolStr, Vec<SmolStr>>,
    spellings: FxHashMap<String, SmolStr>,
}

/// One method of the SDK.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Method {
    /// What the SDK calls it; the first is used towards clients.
    pub spellings: Vec<SmolStr>,
    /// Arguments by name.
    pub args: Vec<SmolStr>,
}

impl Enumeration {
    /// Adds a name with its aliases. The name itself is a spelling, too.
    ///
    /// # Errors
    /// The spelling that already means another name, with that name.
    pub fn add(&mut self, name: SmolStr, aliases: Vec<SmolStr>) -> Result<(), (SmolStr, SmolStr)> {
        for spelling in std::iter::once(&name).chain(&aliases) {
            let key = spelling.to_lowercase();
            match self.spellings.get(&key) {
                Some(other) if *other != name => return Err((spelling.clone(), other.clone())),
                _ => self.spellings.insert(key, name.clone()),
            };
        }
        self.values.insert(name, aliases);
        Ok(())
    }

    /// The profile's name for what a client said.
    #[must_use]
    pub fn name(&self, said: &str) -> Option<&SmolStr> {
        if let Some((name, _)) = self.values.get_key_value(said) {
            return Some(name);
        }
        self.spellings.get(said.trim()).or_else(|| self.spellings.get(&said.trim().to_lowercase()))
    }

    /// The names with their aliases, in order.
    pub fn values(&self) -> impl Iterator<Item = (&SmolStr, &[SmolStr])> {
        self.values.iter().map(|(name, aliases)| (name, aliases.as_slice()))
    }

    /// Whether this is one of the names.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }
}

impl Names {
    /// Replaces what a client said in the fields of an event that have an enumeration of their own, `FIELD.EVENT`,
    /// and keeps its own words under `raw-FIELD`.
    pub fn normalise_event(&self, event: &str, data: &mut Fields) {
        for name in self.enums.keys() {
            if let Some(field) = name.strip_suffix(event).and_then(|rest| rest.strip_suffix('.')) {
                self.normalise(name, field, &format!("raw-{field}"), data);
            }
        }
    }

    /// Replaces what a client said in `field` by the profile's name, and keeps its own words under
    /// `raw` where they differ. What is in no enumeration stays as it was said.
    pub fn normalise(&self, enumeration: &str, field: &str, raw: &str, data: &mut Fields) {
        let Some(said) = data.get(field) else { return };
        let text: SmolStr = match said {
            Value::Text(text) => text.clone(),
            Value::Int(n) => SmolStr::from(n.to_string()),
            _ => return,
        };
        let name = self.enums.get(enumeration).and_then(|values| values.name(&text));
        if name == Some(&text) {
            return;
        }
        let said = said.clone();
        if let Some(name) = name {
            data.set(field.into(), Value::Text(name.clone()));
        }
        data.set(raw.into(), said);
    }

    /// The codes that the server refuses a login with: `code.rejected` where the profile lists them apart from
    /// those of a method.
    #[must_use]
    pub fn refusals(&self) -> Option<&Enumeration> {
        self.enums.get("code.rejected").or_else(|| self.enums.get(&self.code_enum("login")))
    }

    /// The enumeration of a call's result codes.
    #[must_use]
    pub fn code_enum(&self, op: &str) -> SmolStr {
        let own = smol_str::format_smolstr!("code.{op}");
        if self.enums.contains_key(&own) { own } else { SmolStr::new_static("code") }
    }
}
