//! The small dynamic values that calls, observations, signals and registers carry.
//!
//! Not responsible for meaning: which field holds what is the profile's and the lab's business.
//!
//! Invariant: fields keep their order, so a trace written twice is the same bytes.

use crate::time::Micros;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use std::fmt;

/// One value. What no table can speak of (nested data of a client) is kept whole as `Json`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number; times in milliseconds are these.
    Num(f64),
    /// A name or free text.
    Text(SmolStr),
    /// Lists and objects, kept and shown, never compared by a table.
    Json(Box<serde_json::Value>),
}

impl Value {
    /// A text without allocation.
    #[must_use]
    pub const fn name(text: &'static str) -> Self {
        Self::Text(SmolStr::new_static(text))
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Guards take `null`, `false`, `0` and the empty text for untrue.
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(b) => *b,
            Self::Int(n) => *n != 0,
            Self::Num(n) => *n != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Json(_) => true,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_num(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "counters stay far below 2^53")]
            Self::Int(n) => Some(*n as f64),
            Self::Num(n) => Some(*n),
            _ => None,
        }
    }

    /// Reads any JSON value.
    #[must_use]
    pub fn from_json(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(b) => Self::Bool(b),
            serde_json::Value::Number(n) => {
                n.as_i64().map_or_else(|| Self::Num(n.as_f64().unwrap_or(f64::MAX)), Self::Int)
            }
            serde_json::Value::String(text) => Self::Text(text.into()),
            other => Self::Json(Box::new(other)),
        }
    }

    /// The same value as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(b) => (*b).into(),
            Self::Int(n) => (*n).into(),
            Self::Num(n) => (*n).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Json(json) => (**json).clone(),
        }
    }

    /// Equality as tables mean it: names without regard to case, numbers by value.
    #[must_use]
    pub fn means(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b || a.eq_ignore_ascii_case(b),
            (Self::Int(_) | Self::Num(_), Self::Int(_) | Self::Num(_)) => {
                self.as_num() == other.as_num()
            }
            _ => self == other,
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}
impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}
impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Int(i64::from(n))
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}
impl From<SmolStr> for Value {
    fn from(text: SmolStr) -> Self {
        Self::Text(text)
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}
impl From<Micros> for Value {
    /// A time is a number of milliseconds.
    fn from(time: Micros) -> Self {
        Self::Num(time.as_ms())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => write!(f, "nothing"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::Num(n) => write!(f, "{n}"),
            Self::Text(text) => write!(f, "{text}"),
            Self::Json(json) => write!(f, "{json}"),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Int(n) => serializer.serialize_i64(*n),
            Self::Num(n) => serializer.serialize_f64(*n),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Json(json) => json.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "any JSON value")
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
                Ok(Value::Bool(b))
            }
            fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
                Ok(Value::Int(n))
            }
            fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "beyond i64 only the magnitude counts"
                )]
                Ok(i64::try_from(n).map_or(Value::Num(n as f64), Value::Int))
            }
            fn visit_f64<E>(self, n: f64) -> Result<Value, E> {
                Ok(Value::Num(n))
            }
            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element::<serde_json::Value>()? {
                    list.push(item);
                }
                Ok(Value::Json(Box::new(serde_json::Value::Array(list))))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut object = serde_json::Map::new();
                while let Some((key, item)) = map.next_entry::<String, serde_json::Value>()? {
                    object.insert(key, item);
                }
                Ok(Value::Json(Box::new(serde_json::Value::Object(object))))
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}

/// Named values in the order in which they were set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<(SmolStr, Value)>);

impl Fields {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a field with a name known at compile time, for chaining.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.set(SmolStr::new_static(name), value.into());
        self
    }

    /// Sets a field, replacing an earlier value of that name.
    pub fn set(&mut self, name: SmolStr, value: Value) {
        match self.0.iter_mut().find(|(have, _)| *have == name) {
            Some((_, old)) => *old = value,
            None => {
                // Most events have four to six fields.
                if self.0.is_empty() {
                    self.0.reserve(6);
                }
                self.0.push((name, value));
            }
        }
    }

    /// The value of a field, `None` when it was not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, value)| value)
    }

    /// The text of a field, `None` when it was not set or is no text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_text)
    }

    /// Whether a field is set and true.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(Value::is_truthy)
    }

    /// A field in milliseconds as a time.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<Micros> {
        self.get(name).and_then(Value::as_num).map(Micros::from_ms)
    }

    /// A field as a small whole number.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Int(n)) => Some(*n),
            _ => None,
        }
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&SmolStr, &Value)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// All values, to rewrite them in place.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(SmolStr, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (SmolStr, Value)>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name.as_str(), value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyFields;
        impl<'de> Visitor<'de> for AnyFields {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::new();
                while let Some((name, value)) = map.next_entry::<SmolStr, Value>()? {
                    fields.set(name, value);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(AnyFields)
    }
}
