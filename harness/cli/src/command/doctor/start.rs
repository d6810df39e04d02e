//! Checks of the greeting: what an adapter says of itself.
//!
//! Not responsible for whether it is true.
//!
//! Invariant: a name that is not known here is advice, because a newer stateline may know it.

use super::answer::{Came, Id, read, request};
use super::finding::{Finding, Halt, Outcome, Tried};
use super::patient::Patient;
use serde_json::{Value, json};
use stateline_client::process::Process;
use stateline_client::protocol::{Method, TimeMode, VERSIONS, WRONG_VERSION};
use std::sync::atomic::AtomicBool;

/// A version that there will not be.
const FUTURE: u32 = 99;
/// The keys of the answer to `hello`.
const KEYS: [&str; 8] =
    ["version", "client", "profiles", "time", "clients", "reuse", "capabilities", "unsupported"];

/// A process that was not greeted yet.
struct Stranger {
    process: Process,
    sent: String,
    came: String,
}

impl Stranger {
    fn start(patient: &Patient<'_>) -> Tried<Self> {
        let process = Process::start(patient.command())
            .map_err(|fault| Halt::from(Finding::new(fault.what, "try again")))?;
        Ok(Self { process, sent: String::new(), came: String::new() })
    }

    /// Greets it with these versions.
    fn greet(&mut self, patient: &Patient<'_>, id: u64, versions: &[u32]) -> Tried<Came> {
        let harness = json!({ "name": "stateline", "version": env!("CARGO_PKG_VERSION") });
        let params = json!({ "versions": versions, "harness": harness });
        self.sent = request(id, "hello", Some(&params));
        self.came.clear();
        let line = format!("{}\n", self.sent);
        let limit = patient.command().start_limit;
        let never = AtomicBool::new(false);
        match self.process.exchange(Method::Hello, line.as_bytes(), limit, &never) {
            Ok(came) => self.came = String::from_utf8_lossy(came).into_owned(),
            Err(fault) => {
                let mut halt =
                    self.fault(&fault.what, "answer `hello`, whatever versions it offers");
                if let Halt::Fault(finding) = &mut halt {
                    finding.hear(&self.process.take_stderr());
                }
                return Err(halt);
            }
        }
        read(&self.came, Id::Is(id))
            .map_err(|_| self.fault("this is no answer", "answer with a result or an error"))
    }

    fn fault(&self, what: &str, help: &str) -> Halt {
        Finding::new(what, help).with(&self.sent, &self.came).into()
    }

    /// Whether an answer chooses a version that is spoken here.
    fn chosen(&self, came: &Came) -> Tried<()> {
        let help = format!("choose the one of `versions` that you speak: {}", VERSIONS[0]);
        match came {
            Came::Result(result) if result["version"] == VERSIONS[0] => Ok(()),
            Came::Result(result) => {
                Err(self.fault(&format!("it chose version {}", result["version"]), &help))
            }
            Came::Error(code, message) => {
                Err(self.fault(&format!("it answered with error {code}: {message}"), &help))
            }
        }
    }
}

/// Offered versions that it cannot know, it says so.
pub(super) fn unknown_version(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let mut stranger = Stranger::start(patient)?;
    let help = format!("answer with error {WRONG_VERSION} if none of `versions` is spoken here");
    match stranger.greet(patient, 0, &[FUTURE])? {
        Came::Error(WRONG_VERSION, _) => {}
        Came::Error(code, _) => {
            return Err(stranger.fault(&format!("it answered with error {code}"), &help));
        }
        Came::Result(_) => {
            return Err(stranger.fault("it took a version that it cannot know", &help));
        }
    }
    Ok(Outcome::well())
}

/// Offered several versions, it picks the one that it knows.
pub(super) fn picks_version(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let mut stranger = Stranger::start(patient)?;
    let came = stranger.greet(patient, 0, &[FUTURE, VERSIONS[0]])?;
    stranger.chosen(&came)?;
    Ok(Outcome::well())
}

/// The word of a list that is spelled most like another one.
fn near<'a>(word: &str, all: impl IntoIterator<Item = &'a str>) -> String {
    let like = |have: &str| strsim::jaro_winkler(have, word);
    let near = all.into_iter().max_by(|a, b| like(a).total_cmp(&like(b)));
    near.map(|near| format!("the nearest is `{near}`")).unwrap_or_default()
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// It says nothing that the protocol does not know.
pub(super) fn keys(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let said: Value = serde_json::from_str(&patient.said).unwrap_or_default();
    let unknown = |object: &Value, known: &[&'static str]| -> Vec<String> {
        let keys = object.as_object().into_iter().flat_map(|object| object.keys());
        keys.filter(|key| !known.contains(&key.as_str())).cloned().collect()
    };
    let mut strange = unknown(&said["result"], &KEYS);
    strange.extend(unknown(&said["result"]["client"], &["name", "version"]));
    let Some(first) = strange.first() else { return Ok(Outcome::well()) };
    let names: Vec<&str> = strange.iter().map(String::as_str).collect();
    let what = format!("`hello` has keys that mean nothing here: {}", listed(&names));
    Ok(Outcome::Advice(Finding::new(what, near(first, KEYS)).with("", &patient.said)))
}

/// Its profiles are known to this stateline.
pub(super) fn profiles(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let known: Vec<&str> = patient.known.iter().map(String::as_str).collect();
    let said: Vec<&str> = patient.hello.profiles.iter().map(|name| name.as_str()).collect();
    if let Some(asked) = patient.asked.as_deref().filter(|asked| !said.contains(asked)) {
        let what = format!("it does not name `{asked}`, but {}", listed(&said));
        let help = "add it to `profiles`, if this is its SDK, or ask for another with --profile";
        return Err(Finding::new(what, help).with("", &patient.said).into());
    }
    let strange: Vec<&str> = said.iter().copied().filter(|name| !known.contains(name)).collect();
    let Some(first) = strange.first() else { return Ok(Outcome::Well(said.join(", "))) };
    let what = format!("no profile here is called {}", listed(&strange));
    let help = format!("{}; --suite DIR adds a folder of profiles", near(first, known));
    Ok(Outcome::Advice(Finding::new(what, help).with("", &patient.said)))
}

/// It can be driven by this stateline.
pub(super) fn lockstep(patient: &mut Patient<'_>) -> Tried<Outcome> {
    if patient.hello.time.contains(&TimeMode::Lockstep) {
        return Ok(Outcome::well());
    }
    let what = "`time` has no `lockstep`, and this version of stateline plays in nothing else";
    let help = "drive the SDK in turns, on a clock and a network of the adapter's own";
    Err(Finding::new(what, help).with("", &patient.said).into())
}

/// What it lacks are methods of the profile.
pub(super) fn unsupported(patient: &mut Patient<'_>) -> Tried<Outcome> {
    let Some(contract) = patient.contract else { return Ok(Outcome::NotClaimed) };
    let calls = &contract.profile.names.calls;
    let known: Vec<&str> = calls
        .iter()
        .flat_map(|(op, method)| std::iter::once(op).chain(&method.spellings))
        .map(|name| name.as_str())
        .collect();
    let lacks = patient.hello.unsupported.iter().map(|name| name.as_str());
    let is_known = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    let strange: Vec<&str> = lacks.filter(|name| !is_known(name)).collect();
    let Some(first) = strange.first() else { return Ok(Outcome::well()) };
    let what = format!("`unsupported` has what is no method of the profile: {}", listed(&strange));
    Ok(Outcome::Advice(Finding::new(what, near(first, known)).with("", &patient.said)))
}
