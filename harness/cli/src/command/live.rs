//! `--debug`: prints a case while it is played.
//!
//! Not responsible for playing it.
//!
//! Invariant: what is printed is what stands in the trace, tokens replaced, and when each client wants
//! its next turn.

use crate::Failure;
use crate::suite::Contract;
use smol_str::SmolStr;
use stateline_core::scenario::{Case, Scenario};
use stateline_core::time::Micros;
use stateline_core::trace::Event;
use stateline_reports::text::{event_fields, event_head, plane, visible};
use stateline_runner::play::Watch;

/// Looks on at one case.
pub(crate) struct Live {
    case: SmolStr,
}

impl Live {
    /// The case with this id among those that are selected.
    ///
    /// # Errors
    /// When it is not one case.
    pub(crate) fn of(id: &str, chosen: &[(&Contract, &Scenario, &Case)]) -> Result<Self, Failure> {
        let is_it = |case: &Case| {
            case.id == id || case.id.split_once('/').is_some_and(|(_, short)| short == id)
        };
        let begins = |case: &Case| case.id.contains(id);
        let ids = |fits: &dyn Fn(&Case) -> bool| -> Vec<SmolStr> {
            let fitting = chosen.iter().filter(|(_, _, case)| fits(case));
            fitting.map(|(_, _, case)| case.id.clone()).collect()
        };
        let mut found = ids(&is_it);
        if found.is_empty() {
            found = ids(&begins);
        }
        match &found[..] {
            [case] => Ok(Self { case: case.clone() }),
            [] => Err(Failure::usage(format!("--debug {id}: no selected case has this id"))),
            several => {
                let shown: Vec<&str> = several.iter().take(8).map(SmolStr::as_str).collect();
                let more = several.len() - shown.len();
                let more = if more == 0 {
                    String::new()
                } else {
                    format!("\n  and {more} more: `stateline list cases` shows all")
                };
                Err(Failure::usage(format!(
                    "--debug {id}: {} cases have it in their id, say which:\n  {}{more}",
                    several.len(),
                    shown.join("\n  ")
                )))
            }
        }
    }

    /// Whether this is the one.
    pub(crate) fn is_of(&self, case: &Case) -> bool {
        self.case == case.id
    }
}

fn line(at: Micros, who: &str, plane: &str, text: &str) {
    super::print(&format!("{:>14} {who:<10} {plane:<8} {}\n", at.to_string(), visible(text, &[])));
}

impl Watch for Live {
    fn event(&self, event: &Event) {
        // What the note at the beginning holds stands in the script and in the summary.
        if event.data.text("note") == Some("begin") {
            return;
        }
        let fields: Vec<String> = event_fields(event)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let who = event.client.as_deref().unwrap_or("");
        let text = format!("{}  {}", event_head(event), fields.join(" "));
        line(event.at, who, plane(event.plane), text.trim_end());
    }

    fn turn(&self, now: Micros, client: &str, next: Option<Micros>) {
        let next = next.map_or_else(
            || "waits for input".to_owned(),
            |next| format!("waits for input, or until {next}"),
        );
        line(now, client, "turn", &next);
    }
}
