//! Words for findings: an event and a pattern as a person reads them.
//!
//! Not responsible for layout or for masking secrets; what is secret never enters a trace.
//!
//! Invariant: free text of a client is shortened, so that a finding stays readable.

use crate::profile::Profile;
use crate::profile::machine::{Constraint, Pattern};
use crate::trace::{Event, Head, Plane};
use crate::value::Value;

const LONGEST: usize = 80;
/// Before the name of a field whose value a client said in other words: what it said itself.
const RAW: &str = "raw-";

/// An event in words, such as `state reconnecting (reason interrupted)`.
pub(super) fn describe(event: &Event) -> String {
    let head = event.head();
    let (text, hide): (String, &[&str]) = match (event.plane, head.kind) {
        (Plane::Control, "state") => {
            (format!("state {}", shown(event, "state")), &["state", "raw", "raw-reason"])
        }
        (Plane::Control, "result") => (format!("{} completes", head.name), &["op", "call", "raw"]),
        (Plane::Control, "event") => {
            (format!("callback {}", shorten(head.name)), &["event", "raw"])
        }
        (Plane::Control, _) => (format!("call {}", head.name), &["op", "call", "raw"]),
        (Plane::Wire, kind) => {
            (format!("frame {} {kind}", shorten(head.name)), &["dir", "message", "text", "conn"])
        }
        (Plane::Network, _) => (network(head), &["conn"]),
        _ => (head.to_string(), &[]),
    };
    let fields: Vec<String> = event
        .data
        .iter()
        .filter(|(name, value)| !hide.contains(&name.as_str()) && **value != Value::Null)
        .filter(|(name, _)| !name.starts_with(RAW))
        .map(|(name, value)| {
            format!("{} {}", name.trim_end_matches("_ms"), shorten(&value.to_string()))
        })
        .collect();
    let own = ["state", "code", "event"].into_iter().map(|name| (name, event.data.get("raw")));
    let apart =
        event.data.iter().filter_map(|(name, said)| Some((name.strip_prefix(RAW)?, Some(said))));
    let strange: Vec<String> = own
        .chain(apart)
        .filter(|_| event.plane == Plane::Control)
        .filter_map(|(name, raw)| event.data.get(name).zip(raw))
        // What the profile knows has its own name, and another word under `raw`.
        .filter(|(name, raw)| name == raw)
        .map(|(_, raw)| shorten(&raw.to_string()))
        .collect();
    let text = in_brackets(text, &fields);
    if strange.is_empty() {
        text
    } else {
        format!("{text}; the profile does not know the word {}", strange.join(" or "))
    }
}

fn in_brackets(text: String, fields: &[String]) -> String {
    if fields.is_empty() { text } else { format!("{text} ({})", fields.join(", ")) }
}

fn network(head: Head<'_>) -> String {
    match (head.kind, head.name) {
        ("attempt", _) => "a connection attempt".to_owned(),
        ("dial", _) => "a failed dial".to_owned(),
        (_, name) => format!("link {name}"),
    }
}

fn shown(event: &Event, field: &str) -> String {
    event
        .data
        .get(field)
        .map_or_else(|| "without a name".to_owned(), |value| shorten(&value.to_string()))
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

/// What a pattern waits for, in words.
#[must_use]
pub fn pattern_text(profile: &Profile, pattern: &Pattern) -> String {
    let heads: Vec<String> = pattern
        .heads
        .iter()
        .map(|head| {
            let head = Head::parse(profile.heads.text(*head));
            match head.kind {
                "state" => "a report".to_owned(),
                "event" if head.name.is_empty() => "a callback".to_owned(),
                "event" => format!("callback {}", head.name),
                "result" => format!("completion of {}", head.name),
                "sent" => format!("frame {}", head.name),
                "attempt" => "a connection attempt".to_owned(),
                _ => head.to_string(),
            }
        })
        .collect();
    let fields: Vec<String> =
        pattern.fields.iter().filter_map(|(name, want)| constraint(name, want)).collect();
    let text = heads.join(" or ");
    in_brackets(text, &fields)
}

/// A constraint in words; `None` where it allows everything.
pub(super) fn constraint(name: &str, want: &Constraint) -> Option<String> {
    let list =
        |values: &[Value]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    match want {
        Constraint::Any => None,
        Constraint::OneOf(values) => Some(format!("{name} {}", list(values))),
        Constraint::NoneOf(values) => Some(format!("{name} other than {}", list(values))),
        Constraint::Same(_) => Some(format!("the same {name}")),
        Constraint::Register(_) => Some(format!("{name} as given")),
        Constraint::Current => Some(format!("the same {name} again")),
        Constraint::Own => Some(format!("{name} its own")),
    }
}
