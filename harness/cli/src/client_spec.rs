//! What `--client` says, and the reference clients as a source of clients.
//!
//! Not responsible for driving clients.
//!
//! Invariant: an unknown design or defect is found before the first case.

use smol_str::SmolStr;
use stateline_core::profile::Profile;
use stateline_core::record::ClientInfo;
use stateline_core::scenario::Case;
use stateline_core::turn::Open;
use stateline_runner::source::{Broken, Cast, InProcess, Refusal, Source};
use std::str::FromStr;

/// The client under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientSpec {
    /// A reference client in this process.
    Builtin {
        /// Its design; the profile's default without one.
        design: Option<String>,
        /// Its defects.
        defects: Vec<String>,
    },
    /// The command line of an adapter.
    Command(String),
}

impl FromStr for ClientSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = match text.strip_prefix("builtin") {
            Some(rest) if rest.is_empty() || rest.starts_with(['/', ':']) => rest,
            _ if text.trim().is_empty() => return Err("it is empty".to_owned()),
            _ => return Ok(Self::Command(text.to_owned())),
        };
        let (design, defects) =
            rest.split_once(':').map_or((rest, None), |(design, defects)| (design, Some(defects)));
        let design = design.strip_prefix('/').map(str::to_owned);
        let defects: Vec<String> =
            defects.map(|list| list.split(',').map(str::to_owned).collect()).unwrap_or_default();
        if let Some(design) = &design {
            let all = stateline_reference::designs().iter().map(|design| design.id);
            known("design", "designs", design, all)?;
        }
        for defect in &defects {
            known(
                "defect",
                "defects",
                defect,
                stateline_reference::defects().iter().map(|defect| defect.id),
            )?;
        }
        Ok(Self::Builtin { design, defects })
    }
}

fn known<'a>(
    what: &str,
    list: &str,
    name: &str,
    all: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), String> {
    if all.clone().any(|have| have == name) {
        return Ok(());
    }
    let near =
        all.max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(format!("there is no {what} `{name}`{hint} (`stateline list {list}` shows all)"))
}

impl ClientSpec {
    /// Whether it is a reference client.
    pub(crate) const fn is_builtin(&self) -> bool {
        matches!(self, Self::Builtin { .. })
    }

    /// As it was given.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Command(command) => command.clone(),
            Self::Builtin { design, defects } => {
                let design = design.as_ref().map(|design| format!("/{design}")).unwrap_or_default();
                let defects = if defects.is_empty() {
                    String::new()
                } else {
                    format!(":{}", defects.join(","))
                };
                format!("builtin{design}{defects}")
            }
        }
    }
}

/// What the record says of the reference clients.
pub(crate) fn builtin_info(spec: String) -> ClientInfo {
    ClientInfo {
        name: "stateline reference client".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        spec,
        lacks: Vec::new(),
    }
}

/// Reference clients, in this process.
#[derive(Clone, Debug)]
pub(crate) struct Builtin {
    /// The design.
    pub(crate) design: Option<String>,
    /// The defects.
    pub(crate) defects: Vec<SmolStr>,
}

impl Source for Builtin {
    fn lacks(&self, profile: &Profile, _case: &Case) -> Option<String> {
        let id = profile.id.as_str();
        if !stateline_reference::profiles().any(|known| known == id) {
            return Some(format!("there is no reference client for profile {id}: name a --client"));
        }
        let known = |name: &str| {
            let defects = stateline_reference::defects().iter();
            defects.filter(|defect| defect.profile == id).any(|defect| defect.id == name)
        };
        let design = |name: &str| {
            let designs = stateline_reference::designs().iter();
            designs.filter(|design| design.profile == id).any(|design| design.id == name)
        };
        let strange =
            self.defects.iter().find(|name| !known(name)).map(|name| ("defect", name.as_str()));
        let odd = self.design.as_deref().filter(|name| !design(name)).map(|name| ("design", name));
        let (what, name) = odd.or(strange)?;
        Some(format!("the reference client for profile {id} has no {what} `{name}`"))
    }

    fn open<'s>(
        &'s self,
        _worker: usize,
        profile: &Profile,
        _case: &Case,
        clients: &[Open],
    ) -> Result<Box<dyn Cast + 's>, Refusal> {
        let defects: Vec<&str> = self.defects.iter().map(SmolStr::as_str).collect();
        let design = self.design.as_deref();
        let open = |open| stateline_reference::open(&profile.id, design, &defects, open);
        match clients.iter().map(open).collect() {
            Ok(clients) => Ok(Box::new(InProcess(clients))),
            Err(unknown) => Err(Refusal::Broken(Broken::Fault(unknown.to_string()), String::new())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_round_trip() {
        let design = stateline_reference::designs()[1].id;
        let defect = stateline_reference::defects()[0].id;
        for text in [
            "builtin".to_owned(),
            format!("builtin/{design}"),
            format!("builtin:{defect}"),
            format!("builtin/{design}:{defect},{defect}"),
        ] {
            assert_eq!(text.parse::<ClientSpec>().unwrap().text(), text);
        }
        assert_eq!("python3 a.py".parse(), Ok(ClientSpec::Command("python3 a.py".to_owned())));
        assert_eq!("builtins".parse(), Ok(ClientSpec::Command("builtins".to_owned())));
    }

    #[test]
    fn unknown_names_are_refused_with_the_nearest() {
        let near = format!("{}x", stateline_reference::designs()[0].id);
        let error = format!("builtin/{near}").parse::<ClientSpec>().unwrap_err();
        assert!(error.contains(stateline_reference::designs()[0].id), "{error}");
        assert!("builtin:nonsense".parse::<ClientSpec>().is_err());
        assert!("".parse::<ClientSpec>().is_err());
    }
}
