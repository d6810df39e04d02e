//! What a script makes the server do with login requests.
//!
//! Not responsible for doing it (`login` is).
//!
//! Invariant: a rule fires at most as often as it was told to, and one that never fired is known
//! by name: silent under-coverage is the worst fault of a suite.

use smol_str::{SmolStr, format_smolstr};
use stateline_core::scenario::{ClientIx, ServerAct};

/// The rules of a case, in the order of the script.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    client: ClientIx,
    kind: Kind,
    left: Option<u32>,
    fired: bool,
    text: SmolStr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Hold,
    Refuse(SmolStr),
    Twice,
    Unanswered,
}

impl Rules {
    /// Adds what a script says about login requests.
    pub(super) fn add(&mut self, act: &ServerAct, client: ClientIx, name: &str) {
        let (kind, left, text) = match act {
            ServerAct::Refuse { code, times, .. } => {
                let text = format_smolstr!("refuse the login of {name} with {code}");
                (Kind::Refuse(code.clone()), *times, text)
            }
            ServerAct::Twice { times, .. } => {
                (Kind::Twice, *times, format_smolstr!("accept the login of {name} twice"))
            }
            ServerAct::Unanswered { times, .. } => {
                (Kind::Unanswered, *times, format_smolstr!("leave the login of {name} unanswered"))
            }
            _ => return,
        };
        self.0.push(Rule { client, kind, left, fired: false, text });
    }

    /// Notes that login requests are held.
    pub(super) fn add_hold(&mut self, client: ClientIx, name: &str) {
        let text = format_smolstr!("hold the login of {name}");
        self.0.push(Rule { client, kind: Kind::Hold, left: None, fired: false, text });
    }

    /// A request was held.
    pub(super) fn held(&mut self, client: ClientIx) {
        let holds = |rule: &&mut Rule| rule.client == client && rule.kind == Kind::Hold;
        if let Some(rule) = self.0.iter_mut().rev().find(holds) {
            rule.fired = true;
        }
    }

    /// Whether this request stays unanswered.
    pub(super) fn unanswered(&mut self, client: ClientIx) -> bool {
        self.fire(client, |kind| *kind == Kind::Unanswered).is_some()
    }

    /// Whether this request is accepted twice.
    pub(super) fn twice(&mut self, client: ClientIx) -> bool {
        self.fire(client, |kind| *kind == Kind::Twice).is_some()
    }

    /// The code that this request is refused with.
    pub(super) fn refused(&mut self, client: ClientIx) -> Option<SmolStr> {
        match &self.fire(client, |kind| matches!(kind, Kind::Refuse(_)))?.kind {
            Kind::Refuse(code) => Some(code.clone()),
            _ => None,
        }
    }

    /// Rules that never fired.
    pub(super) fn unfired(&self) -> impl Iterator<Item = (ClientIx, &SmolStr)> {
        self.0.iter().filter(|rule| !rule.fired).map(|rule| (rule.client, &rule.text))
    }

    fn fire(&mut self, client: ClientIx, is: impl Fn(&Kind) -> bool) -> Option<&Rule> {
        let rule = self
            .0
            .iter_mut()
            .find(|rule| rule.client == client && rule.left != Some(0) && is(&rule.kind))?;
        rule.fired = true;
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        Some(rule)
    }
}
