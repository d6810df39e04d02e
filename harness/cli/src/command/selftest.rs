//! `stateline selftest`: every defect of the reference clients against every case, and the suite
//! against itself.
//!
//! Not responsible for what a defect does or what a requirement says.
//!
//! Invariant: a defect is killed when some case first finds what it breaks, and no case finds
//! anything that it is not known to break.

mod soundness;

use super::layout::{count, table};
use super::list::{also, breakers};
use super::play::{Playing, play};
use super::{print, threads};
use crate::Failure;
use crate::args::{Format, SelftestArgs};
use crate::client_spec::Builtin;
use crate::exit::Exit;
use crate::suite::{Contract, Suite};
use indexmap::IndexMap;
use serde_json::{Value, json};
use smol_str::SmolStr;
use stateline_core::profile::ReqIx;
use stateline_core::profile::requirement::{Basis, Strictness, TestedBy};
use stateline_core::record::{CaseRecord, Finding, Verdict};
use stateline_reference::DefectInfo;
use std::collections::BTreeSet;

/// What became of one defect.
struct Trial<'a> {
    contract: &'a Contract,
    defect: &'static DefectInfo,
    /// Requirements of the first finding of each case.
    first: BTreeSet<ReqIx>,
    /// Requirements of all findings that are not consequent.
    violated: BTreeSet<ReqIx>,
    /// The cases that found something, and what each found first.
    cases: Vec<(SmolStr, ReqIx)>,
}

/// A MUST that a client can violate, with the defects that break it.
struct Demand<'a> {
    id: &'a str,
    defects: Vec<&'static str>,
}

/// Everything that a selftest finds out.
struct Outcome<'a> {
    trials: Vec<Trial<'a>>,
    demands: Vec<Demand<'a>>,
    problems: Vec<String>,
}

/// Runs the command.
pub(crate) fn selftest(args: &SelftestArgs) -> Result<Exit, Failure> {
    let contracts = Suite::new(&[]).and_then(|suite| suite.read(&[])).map_err(Failure::usage)?;
    let mut problems = soundness::problems(&contracts, args.seed, threads(args.jobs));
    let mut trials = Vec::new();
    for defect in stateline_reference::defects() {
        let Some(contract) =
            contracts.iter().find(|contract| contract.profile.id == defect.profile)
        else {
            problems.push(format!(
                "defect {} is for profile {}, which there is not",
                defect.id, defect.profile
            ));
            continue;
        };
        trials.push(attempt(contract, defect, args, &mut problems));
    }
    let demands = contracts.iter().flat_map(demands).collect();
    let outcome = Outcome { trials, demands, problems };
    match args.format {
        Format::Text => print(&outcome.text()),
        Format::Json => print(&format!("{:#}\n", outcome.json())),
    }
    Ok(if outcome.is_good() { Exit::Ok } else { Exit::Fail })
}

/// Plays all cases with one defect.
fn attempt<'a>(
    contract: &'a Contract,
    defect: &'static DefectInfo,
    args: &SelftestArgs,
    problems: &mut Vec<String>,
) -> Trial<'a> {
    let breaks = contract.profile.requirement(defect.breaks);
    let strictness = breaks.map(|req| contract.profile.requirements[req].strictness);
    for id in std::iter::once(defect.breaks).chain(defect.also.iter().map(|(id, _)| *id)) {
        if contract.profile.requirement(id).is_none() {
            problems.push(format!(
                "defect {} is said to break {id}, which is no requirement of {}",
                defect.id, defect.profile
            ));
        }
    }
    let client = Builtin { design: None, defects: vec![defect.id.into()] };
    let playing =
        Playing { seed: args.seed, threads: threads(args.jobs), traces: false, done: &|_| () };
    let records = play([contract], &client, &playing).records;
    let mut trial = Trial {
        contract,
        defect,
        first: BTreeSet::new(),
        violated: BTreeSet::new(),
        cases: Vec::new(),
    };
    for record in &records {
        if record.verdict == Some(Verdict::Error) {
            let reason = record.reason.as_deref().unwrap_or("no reason given");
            problems
                .push(format!("with defect {}, {} ends in ERROR: {reason}", defect.id, record.id));
        }
        trial.add(record, strictness == Some(Strictness::Should));
    }
    trial
}

impl Trial<'_> {
    fn add(&mut self, record: &CaseRecord, warns: bool) {
        let found: &[Finding] = if warns { &record.warnings } else { &record.findings };
        let own = found.iter().filter(|finding| !finding.consequent);
        let requirements: Vec<ReqIx> = own
            .filter_map(|finding| self.contract.profile.requirement(&finding.requirement))
            .collect();
        if let Some(first) = requirements.first() {
            self.first.insert(*first);
            self.cases.push((record.id.clone(), *first));
        }
        self.violated.extend(requirements);
    }

    fn ids(&self, set: &BTreeSet<ReqIx>) -> Vec<&str> {
        set.iter().map(|req| self.contract.profile.requirements[*req].id.as_str()).collect()
    }

    /// What it is not known to break, and breaks.
    fn besides(&self) -> Vec<&str> {
        let mut all = self.ids(&self.violated);
        all.retain(|id| {
            *id != self.defect.breaks && !self.defect.also.iter().any(|(also, _)| also == id)
        });
        all
    }

    fn is_killed(&self) -> bool {
        self.ids(&self.first).contains(&self.defect.breaks) && self.besides().is_empty()
    }

    /// What was found instead, as a line of a table.
    fn line(&self) -> Vec<String> {
        let found = |set: &BTreeSet<ReqIx>| {
            if set.is_empty() { "nothing".to_owned() } else { self.ids(set).join(" ") }
        };
        let (defect, breaks) = (self.defect.id.to_owned(), self.defect.breaks.to_owned());
        vec![defect, breaks, found(&self.first), found(&self.violated), self.example().to_owned()]
    }

    /// The case that shows best what is wrong: one that first finds what the defect does not break.
    fn example(&self) -> &str {
        let besides = self.besides();
        let odd =
            |req: ReqIx| besides.contains(&self.contract.profile.requirements[req].id.as_str());
        let case = self.cases.iter().find(|(_, first)| odd(*first)).or_else(|| self.cases.first());
        case.map_or("", |(case, _)| case)
    }
}

fn demands(contract: &Contract) -> impl Iterator<Item = Demand<'_>> {
    let binding = contract.profile.requirements.iter().filter(|requirement| {
        requirement.strictness == Strictness::Must
            && requirement.basis != Basis::Advice
            && matches!(requirement.test, TestedBy::Client | TestedBy::Peer | TestedBy::Wire)
    });
    binding.map(|requirement| Demand {
        id: &requirement.id,
        defects: breakers(&contract.profile.id, &requirement.id).map(|defect| defect.id).collect(),
    })
}

impl Outcome<'_> {
    fn killed(&self) -> usize {
        self.trials.iter().filter(|trial| trial.is_killed()).count()
    }

    fn is_good(&self) -> bool {
        self.killed() == self.trials.len()
            && self.problems.is_empty()
            && self.demands.iter().all(|demand| !demand.defects.is_empty())
    }

    /// Groups of requirements that no defect tells apart: found first, and found at all, with the
    /// same defects.
    fn indistinguishable(&self) -> Vec<Vec<&str>> {
        let mut found: IndexMap<(&str, &str), Vec<(usize, bool)>> = IndexMap::new();
        for (at, trial) in self.trials.iter().enumerate() {
            for req in &trial.violated {
                let profile = &trial.contract.profile;
                let key = (profile.id.as_str(), profile.requirements[*req].id.as_str());
                found.entry(key).or_default().push((at, trial.first.contains(req)));
            }
        }
        let mut groups: IndexMap<Vec<(usize, bool)>, Vec<&str>> = IndexMap::new();
        for ((_, id), by) in found {
            groups.entry(by).or_default().push(id);
        }
        groups.into_values().filter(|group| group.len() > 1).collect()
    }

    fn json(&self) -> Value {
        let defects = self.trials.iter().map(|trial| {
            json!({
                "id": trial.defect.id,
                "profile": trial.defect.profile,
                "breaks": trial.defect.breaks,
                "also": also(trial.defect),
                "first": trial.ids(&trial.first),
                "violated": trial.ids(&trial.violated),
                "cases": trial.cases.iter().map(|(case, _)| case).collect::<Vec<_>>(),
            })
        });
        let requirements =
            self.demands.iter().map(|demand| json!({"id": demand.id, "defects": demand.defects}));
        json!({
            "defects": defects.collect::<Vec<_>>(),
            "requirements": requirements.collect::<Vec<_>>(),
            "indistinguishable": self.indistinguishable(),
            "score": {"killed": self.killed(), "total": self.trials.len()},
            "problems": self.problems,
        })
    }

    fn text(&self) -> String {
        let survivors: Vec<_> = self.trials.iter().filter(|trial| !trial.is_killed()).collect();
        let mut blocks = vec![if survivors.is_empty() {
            let lines = self
                .demands
                .iter()
                .map(|demand| vec![demand.id.to_owned(), demand.defects.join(", ")]);
            table(&["requirement", "defects"], lines)
        } else {
            table(
                &["not killed", "breaks", "found first", "found at all", "such as in"],
                survivors.into_iter().map(Trial::line),
            )
        }];
        let unbroken: Vec<&str> = self
            .demands
            .iter()
            .filter(|demand| demand.defects.is_empty())
            .map(|demand| demand.id)
            .collect();
        if !unbroken.is_empty() {
            blocks.push(format!("no defect breaks {}\n", unbroken.join(", ")));
        }
        let groups: Vec<String> =
            self.indistinguishable().iter().map(|group| group.join(" = ")).collect();
        if !groups.is_empty() {
            blocks.push(format!("no defect tells these apart: {}\n", groups.join("; ")));
        }
        if !self.problems.is_empty() {
            blocks.push(format!(
                "{} of the suite:\n  {}\n",
                count(self.problems.len(), "problem"),
                self.problems.join("\n  ")
            ));
        }
        blocks.push(format!(
            "{} of {} killed\n",
            self.killed(),
            count(self.trials.len(), "defect")
        ));
        blocks.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The built-in suite with few cases, so that a trial is short.
    fn small() -> Vec<Contract> {
        let mut contracts = Suite::new(&[]).and_then(|suite| suite.read(&[])).unwrap();
        for contract in &mut contracts {
            contract.scenarios.retain(|scenario| scenario.id == "login/accepted");
        }
        contracts
    }

    fn outcome<'a>(contracts: &'a [Contract], defects: &[&str]) -> Outcome<'a> {
        let args = SelftestArgs { format: Format::Json, seed: 0, jobs: Some(1) };
        let mut problems = Vec::new();
        let chosen =
            stateline_reference::defects().iter().filter(|defect| defects.contains(&defect.id));
        let trials =
            chosen.map(|defect| attempt(&contracts[0], defect, &args, &mut problems)).collect();
        Outcome { trials, demands: contracts.iter().flat_map(demands).collect(), problems }
    }

    #[test]
    fn defects_are_killed_by_what_finds_them_first() {
        let contracts = small();
        let outcome =
            outcome(&contracts, &["skips-connecting", "repeats-connected", "logout-unreported"]);
        let killed: Vec<_> =
            outcome.trials.iter().map(|trial| (trial.defect.id, trial.is_killed())).collect();
        // The second breaks a SHOULD and warns; no case of these few logs out.
        assert_eq!(
            killed,
            [("repeats-connected", true), ("skips-connecting", true), ("logout-unreported", false)]
        );
        assert!(!outcome.is_good());
        let text = outcome.text();
        assert!(text.starts_with(" not killed"), "{text}");
        assert!(text.contains("logout-unreported") && !text.contains("skips-connecting"), "{text}");
        assert!(text.ends_with("\n2 of 3 defects killed\n"), "{text}");
    }

    #[test]
    fn the_json_has_the_keys_of_the_contract() {
        let contracts = small();
        let json = outcome(&contracts, &["skips-connecting"]).json();
        let keys =
            |json: &Value| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(keys(&json), "defects requirements indistinguishable score problems");
        assert_eq!(keys(&json["defects"][0]), "id profile breaks also first violated cases");
        assert_eq!(keys(&json["requirements"][0]), "id defects");
        assert_eq!(json["defects"][0]["first"], json!(["RTM-LOGIN-01"]));
        assert_eq!(json["defects"][0]["cases"], json!(["agora-rtm-1x/login/accepted"]));
        assert_eq!(json["score"], json!({"killed": 1, "total": 1}));
    }

    #[test]
    fn what_no_case_exercises_is_a_problem_of_the_suite() {
        let problems = soundness::problems(&small(), 0, 1);
        let told = |part: &str| problems.iter().any(|problem| problem.contains(part));
        assert!(told("row C4 of agora-rtm-1x is dead"), "{problems:#?}");
        assert!(told("RTM-CONN-04 is exercised by no case"), "{problems:#?}");
        assert!(!told("row L1 of agora-rtm-1x "), "{problems:#?}");
        assert!(!told("RTM-LOGIN-01 "), "{problems:#?}");
    }

    #[test]
    fn requirements_found_with_the_same_defects_are_not_told_apart() {
        let contracts = small();
        let mut outcome = outcome(&contracts, &["skips-connecting", "login-unanswered"]);
        assert!(outcome.indistinguishable().is_empty());
        let [one, two] =
            ["RTM-CONN-04", "RTM-CONN-05"].map(|id| contracts[0].profile.requirement(id).unwrap());
        outcome.trials[0].violated.extend([one, two]);
        assert_eq!(outcome.indistinguishable(), [["RTM-CONN-04", "RTM-CONN-05"]]);
        outcome.trials[0].first.insert(two);
        assert!(!outcome.indistinguishable().iter().flatten().any(|id| *id == "RTM-CONN-04"));
    }
}
