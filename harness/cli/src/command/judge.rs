//! `stateline judge`: judges a run record or a bare trace again.
//!
//! Not responsible for judging itself; [`stateline_runner::rejudge`] does that.
//!
//! Invariant: over a record of `run` it gives the verdicts and findings that the run gave.

use super::known::{Known, Outcome};
use super::run::{is_narrowed, record, spec};
use super::{exit_of, settle, show};
use crate::Failure;
use crate::args::JudgeArgs;
use crate::exit::Exit;
use crate::expect::Scope;
use crate::journal;
use crate::output::OutFolder;
use crate::suite::{Contract, Suite};
use smol_str::SmolStr;
use stateline_core::record::{CaseRecord, ClientInfo, RunInfo, RunRecord, RunWall, SCHEMA};
use stateline_core::time::Micros;
use stateline_core::trace::{Digest, Event};
use stateline_runner::rejudge::{Rejudged, rejudge, say};
use stateline_runner::suite::put;
use std::fs;

/// Runs the command.
pub(crate) fn judge(args: &JudgeArgs) -> Result<Exit, Failure> {
    let path = args.file.display();
    let text = fs::read_to_string(&args.file)
        .map_err(|error| Failure::usage(format!("cannot read {path}: {error}")))?;
    let out = args.out.as_deref().map(OutFolder::probe).transpose().map_err(Failure::usage)?;
    let suite = Suite::new(&args.suite).map_err(Failure::usage)?;
    let (judged, compared) =
        match parse(&text).map_err(|why| Failure::usage(format!("cannot read {path}: {why}")))? {
            Given::Record(run) => judge_record(args, &suite, *run)?,
            Given::Journal(journal) => judge_journal(args, &suite, *journal)?,
            Given::Trace(trace) => (judge_trace(args, &suite, trace)?, Outcome::default()),
        };
    if let Some(out) = &out {
        out.write(&judged)
            .map_err(|error| Failure { text: error.to_string(), exit: Exit::Error })?;
    }
    if !args.judging.quiet {
        show(&judged);
    }
    let (exit, why) = exit_of(&judged, &args.judging);
    if let Some(why) = why {
        eprintln!("error: {why}");
    }
    Ok(compared.tell(exit, args.judging.quiet))
}

/// What a file holds.
enum Given {
    Record(Box<RunRecord>),
    Journal(Box<journal::Read>),
    Trace(Vec<Event>),
}

fn parse(text: &str) -> Result<Given, String> {
    if journal::is_journal(text) {
        return journal::read(text).map(|read| Given::Journal(Box::new(read)));
    }
    let start = text.trim_start();
    if start.starts_with('[') {
        return serde_json::from_str(text)
            .map(Given::Trace)
            .map_err(|error| format!("it is no list of events: {error}"));
    }
    let schema = serde_json::from_str::<serde_json::Value>(text)
        .ok()
        .and_then(|json| json["schema"].as_str().map(str::to_owned));
    match schema {
        Some(schema) if schema == SCHEMA => serde_json::from_str(text)
            .map(|run| Given::Record(Box::new(run)))
            .map_err(|error| format!("it is no run record: {error}")),
        Some(schema) => Err(format!("its schema is `{schema}`, and this version reads `{SCHEMA}`")),
        None => text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(at, line)| {
                serde_json::from_str(line)
                    .map_err(|error| format!("line {} is no event: {error}", at + 1))
            })
            .collect::<Result<_, _>>()
            .map(Given::Trace),
    }
}

/// A run that was killed: what it had played by then.
fn judge_journal(
    args: &JudgeArgs,
    suite: &Suite,
    journal: journal::Read,
) -> Result<(RunRecord, Outcome), Failure> {
    let journal::Read { run, profiles, cases } = journal;
    let contracts = suite.read(&profiles).map_err(Failure::usage)?;
    judge_cases(args, suite, contracts, run, cases, true)
}

fn judge_record(
    args: &JudgeArgs,
    suite: &Suite,
    run: RunRecord,
) -> Result<(RunRecord, Outcome), Failure> {
    let asked: Vec<String> =
        run.profiles.iter().map(|profile| spec(&profile.id, profile.variant.as_ref())).collect();
    let contracts = suite.read(&asked).map_err(Failure::usage)?;
    for (contract, profile) in contracts.iter().zip(&run.profiles) {
        if contract.profile.digest != profile.digest {
            eprintln!(
                "note: profile {} has changed since the run; it is judged by the present one",
                profile.id
            );
        }
    }
    let RunRecord { run, cases, interrupted, .. } = run;
    judge_cases(args, suite, contracts, run, cases, interrupted)
}

/// Judges the cases of a run by these contracts.
fn judge_cases(
    args: &JudgeArgs,
    suite: &Suite,
    mut contracts: Vec<Contract>,
    run: RunInfo,
    mut cases: Vec<CaseRecord>,
    interrupted: bool,
) -> Result<(RunRecord, Outcome), Failure> {
    // The run's own settings, unless this command line says otherwise.
    let mut judging = args.judging.clone();
    judging.strict |= run.strict;
    for (name, ms) in &run.caps {
        if !judging.caps.iter().any(|(have, _)| have == name.as_str()) {
            judging.caps.push((name.to_string(), Micros::from_ms(*ms)));
        }
    }
    settle(&mut contracts, &judging, Micros::from_millis(run.slack_ms))?;
    for case in &mut cases {
        if case.verdict.is_none() {
            continue;
        }
        if case.trace.is_empty() {
            return Err(Failure::usage(format!(
                "{} has no trace: the run was made with --no-trace",
                case.id
            )));
        }
        let contract = contracts
            .iter()
            .find(|contract| contract.profile.id == case.profile)
            .ok_or_else(|| {
                Failure::usage(format!(
                    "{} is of profile {}, which the record does not list",
                    case.id, case.profile
                ))
            })?;
        judge_case(contract, case)?;
    }
    let known = Known::find(&args.judging, false, suite, &contracts)?;
    let scope = Scope {
        suite,
        contracts: &contracts,
        narrowed: is_narrowed(&run),
        started: &run.wall.started,
    };
    let compared = known.compare(&mut cases, &scope, interrupted);
    let mut record = record(&contracts, run, cases, interrupted);
    record.known.clone_from(&compared.known);
    Ok((record, compared))
}

fn judge_case(contract: &Contract, case: &mut CaseRecord) -> Result<(), Failure> {
    let again = rejudge(&contract.profile, &contract.index, &contract.settings, &case.trace)
        .map_err(|error| Failure::usage(format!("cannot judge {}: {error}", case.id)))?;
    let Rejudged { judged, conduct, named } = again;
    let Contract { profile, index, settings, .. } = contract;
    put(case, say(profile, index, settings, judged, &named, &conduct, &case.trace));
    Ok(())
}

fn judge_trace(args: &JudgeArgs, suite: &Suite, trace: Vec<Event>) -> Result<RunRecord, Failure> {
    let profile =
        args.profile.clone().ok_or_else(|| Failure::usage("a bare trace needs --profile"))?;
    let mut contracts = suite.read(&[profile]).map_err(Failure::usage)?;
    let caps = settle(&mut contracts, &args.judging, Micros::ZERO)?;
    let mut digest = Digest::default();
    trace.iter().for_each(|event| digest.add(event));
    let end = trace.last().map(|event| event.at.as_ms()).unwrap_or_default();
    let contract = &contracts[0];
    let id = format!("{}/trace", contract.profile.id);
    let mut case = CaseRecord {
        digest: digest.to_hex(),
        planned_ms: end,
        simulated_ms: end,
        events: u32::try_from(trace.len()).unwrap_or(u32::MAX),
        trace,
        ..CaseRecord::blank(id.into(), contract.profile.id.clone(), 0)
    };
    judge_case(contract, &mut case)?;
    let client = ClientInfo {
        name: "trace".to_owned(),
        version: String::new(),
        spec: args.file.display().to_string(),
        lacks: Vec::new(),
    };
    let run = RunInfo {
        version: SmolStr::new_static(env!("CARGO_PKG_VERSION")),
        client,
        time: SmolStr::new_static("virtual"),
        seed: 0,
        slack_ms: 0,
        strict: args.judging.strict,
        filters: Vec::new(),
        rerun_failed: false,
        repeat: 1,
        suites: args.suite.iter().map(|folder| folder.display().to_string()).collect(),
        max_length_ms: None,
        caps,
        wall: RunWall::default(),
    };
    Ok(record(&contracts, run, vec![case], false))
}
