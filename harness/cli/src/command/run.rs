//! `stateline run`: plays cases and judges them.
//!
//! Not responsible for the executor or the report.
//!
//! Invariant: what was asked for is checked before the first case, all of it.

use super::known::Known;
use super::live::Live;
use super::{exit_of, settle, show, threads};
use crate::Failure;
use crate::args::RunArgs;
use crate::client::{Client, LONGEST};
use crate::exit::Exit;
use crate::expect::Scope;
use crate::journal::Journal;
use crate::output::OutFolder;
use crate::progress::Progress;
use crate::rerun;
use crate::select::{SelectError, select};
use crate::suite::{Contract, Suite};
use indexmap::IndexMap;
use signal_hook::consts::SIGINT;
use smol_str::SmolStr;
use stateline_core::record::{
    CaseRecord, DefectRecord, ProfileRecord, RunInfo, RunRecord, RunWall, SCHEMA,
};
use stateline_core::scenario::{Case, Scenario};
use stateline_core::time::Micros;
use stateline_runner::play::{Stage, Watch};
use stateline_runner::rejudge::story;
use stateline_runner::suite::{Job, Options, Results};
use stateline_runner::summary::{coverage, profile_record, told_in_full, totals};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Added to windows in real time when nobody says otherwise.
const SLACK: Micros = Micros::from_millis(250);

/// Runs the command.
pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    check_time(&args.time)?;
    let suite = Suite::new(&args.suite).map_err(Failure::usage)?;
    let mut contracts = suite.read(&args.profiles).map_err(Failure::usage)?;
    let real = args.is_real();
    let slack = args.slack.unwrap_or(if real { SLACK } else { Micros::ZERO });
    let caps = settle(&mut contracts, &args.judging, slack)?;
    // Everything that can be wrong with the command line is, before a client is started.
    check_fix(args)?;
    let known = Known::find(&args.judging, args.fix_expect, &suite, &contracts)?;
    let again = args.rerun_failed.then(|| rerun::not_passed(&args.out)).transpose()?;
    choose(&contracts, args, again.as_ref())?;
    let out = OutFolder::probe(&args.out).map_err(Failure::usage)?;
    let stop = Arc::new(AtomicBool::new(false));
    // The first interrupt ends the run with what there is, the second ends the process. Without the
    // handlers an interrupt ends the process, which is all that is lost.
    let _ = signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&stop));
    let _ = signal_hook::flag::register(SIGINT, Arc::clone(&stop));
    let client = Client::start(args, threads(args.jobs), &stop)?;
    // Without --profile, what the client does not know is not asked of it.
    if args.profiles.is_empty()
        && contracts.iter().any(|contract| client.knows(&contract.profile.id))
    {
        contracts.retain(|contract| client.knows(&contract.profile.id));
    }
    let client_info = client.info(&args.client, &contracts);
    let chosen = choose(&contracts, args, again.as_ref())?;
    let live = args.debug.as_ref().map(|id| Live::of(id, &chosen)).transpose()?;
    let jobs: Vec<Job<'_>> = (0..args.repeat)
        .flat_map(|repeat| chosen.iter().map(move |(contract, _, case)| (repeat, *contract, *case)))
        .filter(|(_, _, case)| live.as_ref().is_none_or(|live| live.is_of(case)))
        .map(|(repeat, contract, case)| Job {
            stage: Stage {
                watch: live.as_ref().map(|live| live as &dyn Watch),
                ..stage(contract, !args.no_trace)
            },
            case,
            repeat,
        })
        .collect();
    // Two plays on one screen could not be told apart.
    let n_threads = if live.is_some() { 1 } else { client.threads(threads(args.jobs), &jobs) };
    let wall = RunWall {
        started: jiff::Timestamp::now().to_string(),
        ms: 0,
        jobs: u32::try_from(n_threads).unwrap_or(u32::MAX),
        notes: Vec::new(),
    };
    let mut info = RunInfo {
        version: SmolStr::new_static(env!("CARGO_PKG_VERSION")),
        client: client_info,
        time: args.time.as_str().into(),
        seed: args.seed,
        slack_ms: slack.0 / 1_000,
        strict: args.judging.strict,
        filters: args.filters.clone(),
        rerun_failed: args.rerun_failed,
        repeat: args.repeat,
        suites: args.suite.iter().map(|folder| folder.display().to_string()).collect(),
        max_length_ms: args.max_length.map(Micros::as_ms),
        caps,
        wall,
    };
    let failed = |text: String| Failure { text, exit: Exit::Error };
    // Where all is done in a moment, nothing is lost.
    let journal = (!args.client.is_builtin() || real)
        .then(|| Journal::begin(out.path(), &info, names(&contracts)))
        .transpose()
        .map_err(|error| Failure::usage(format!("cannot write the journal: {error}")))?;
    let progress = Progress::new(jobs.len(), args.judging.quiet || live.is_some() || !real);
    let done = |case: &CaseRecord| {
        progress.done(case);
        // What cannot be written down need not be played.
        if journal.as_ref().is_some_and(|journal| !journal.add(case)) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let is_new = |case: &CaseRecord| !known.expects(case, &contracts);
    let options = Options {
        seed: args.seed,
        jobs: n_threads,
        fail_fast: if args.fail_fast { Some(&is_new) } else { None },
        max_length: args.max_length.or_else(|| real.then_some(LONGEST)),
        stop: &stop,
        done: &done,
    };
    let started = Instant::now();
    let played = client.play(&jobs, &options);
    progress.end();
    let Results { records: mut cases, unfired } =
        played.map_err(|error| failed(format!("the run cannot be played: {error}")))?;
    info.wall.ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    info.wall.notes = client.dismiss();
    let unwritable = journal.as_ref().and_then(Journal::failure);
    let interrupted = stop.load(Ordering::Relaxed);
    let scope = Scope {
        suite: &suite,
        contracts: &contracts,
        narrowed: is_narrowed(&info) || live.is_some(),
        started: &info.wall.started,
    };
    let compared = known.compare(&mut cases, &scope, interrupted);
    let mut record = record(&contracts, info, cases, interrupted);
    record.known.clone_from(&compared.known);
    let written = out.write(&record);
    if let Some(why) = unwritable {
        let n = record.totals.planned - record.totals.not_run;
        let kept = match written {
            Ok(()) => format!("run.json holds the {n} cases until then"),
            Err(_) => {
                "the journal holds the cases until then, the last line perhaps not whole".to_owned()
            }
        };
        return Err(failed(format!(
            "the run was ended, because its journal cannot be written: {why}; {kept}"
        )));
    }
    written.map_err(|error| failed(error.to_string()))?;
    if let Some(journal) = journal {
        journal.remove();
    }
    if !args.judging.quiet {
        show(&record);
        // For who writes scenarios; a client of one's own may give a rule no reason to fire.
        if args.client.is_builtin() {
            tell_unfired(&unfired);
        }
        super::print(&format!("\nreport: {}\n", out.path().join("report.html").display()));
        if let Some(settings) = &args.settings {
            super::print(&format!("settings: {}\n", settings.display()));
        }
    }
    let applicable = record.totals.planned - record.totals.not_applicable;
    if applicable == 0 {
        return Err(Failure {
            text: "no selected case is applicable to this client".to_owned(),
            exit: Exit::Nothing,
        });
    }
    let (exit, why) = exit_of(&record, &args.judging);
    if let Some(why) = why {
        eprintln!("error: {why}");
    }
    Ok(compared.tell(exit, args.judging.quiet))
}

/// Whether cases were left out of a run on purpose.
pub(super) fn is_narrowed(run: &RunInfo) -> bool {
    !run.filters.is_empty() || run.rerun_failed
}

/// A list of known failures is rewritten by a run that leaves nothing out.
fn check_fix(args: &RunArgs) -> Result<(), Failure> {
    let hindered = [
        (!args.filters.is_empty(), "a FILTER"),
        (args.rerun_failed, "--rerun-failed"),
        (args.debug.is_some(), "--debug"),
        (args.fail_fast, "--fail-fast"),
        (args.judging.no_expect, "--no-expect"),
    ];
    match hindered.iter().find(|(given, _)| args.fix_expect && *given) {
        Some((_, what)) => Err(Failure::usage(format!(
            "--fix-expect needs a run of all cases, so it does not go with {what}"
        ))),
        None => Ok(()),
    }
}

/// The cases that were asked for.
fn choose<'a>(
    contracts: &'a [Contract],
    args: &RunArgs,
    again: Option<&BTreeSet<SmolStr>>,
) -> Result<Vec<(&'a Contract, &'a Scenario, &'a Case)>, Failure> {
    let mut chosen = select(contracts, &args.filters).map_err(refuse)?;
    if let Some(again) = again {
        chosen.retain(|(_, _, case)| again.contains(&case.id));
        if chosen.is_empty() {
            let text = format!("none of the {} cases to run again is selected", again.len());
            return Err(Failure { text, exit: Exit::Nothing });
        }
    }
    Ok(chosen)
}

/// The profiles as `--profile` has them.
fn names(contracts: &[Contract]) -> Vec<String> {
    let names = contracts.iter().map(|contract| &contract.profile);
    names.map(|profile| spec(&profile.id, profile.variant.as_ref())).collect()
}

/// A profile in its variant, as `--profile` has it.
pub(crate) fn spec(id: &str, variant: Option<&SmolStr>) -> String {
    variant.map_or_else(|| id.to_owned(), |variant| format!("{id}@{variant}"))
}

/// Rules of the server that no request met: each case once, and not more than fit on a screen.
fn tell_unfired(unfired: &[(SmolStr, SmolStr)]) {
    const MOST: usize = 5;
    let mut seen: IndexMap<&(SmolStr, SmolStr), u32> = IndexMap::new();
    for rule in unfired {
        *seen.entry(rule).or_default() += 1;
    }
    for ((case, rule), n) in seen.iter().take(MOST) {
        let times = if *n > 1 { format!(", {n} times") } else { String::new() };
        eprintln!("note: in {case} a rule of the server never fired{times}: {rule}");
    }
    if seen.len() > MOST {
        eprintln!("note: and so in {} more cases", seen.len() - MOST);
    }
}

fn check_time(time: &str) -> Result<(), Failure> {
    match time {
        "virtual" | "real" => Ok(()),
        scaled if scaled.starts_with("scaled=") => {
            Err(Failure::usage("`--time scaled` is not in this version"))
        }
        other => {
            Err(Failure::usage(format!("`{other}` is no time: it is virtual, real or scaled=N")))
        }
    }
}

fn refuse(error: SelectError) -> Failure {
    match error {
        SelectError::Malformed(text) => Failure::usage(text),
        SelectError::Nothing { filters, nearest } => {
            let near = if nearest.is_empty() {
                String::new()
            } else {
                format!("; the nearest: {}", nearest.join(", "))
            };
            let text = format!("nothing is selected by {}{near}", filters.join(" "));
            Failure { text, exit: Exit::Nothing }
        }
    }
}

/// What the cases of a contract share.
pub(crate) fn stage(contract: &Contract, keep_trace: bool) -> Stage<'_> {
    Stage {
        profile: &contract.profile,
        index: &contract.index,
        settings: &contract.settings,
        keep_trace,
        watch: None,
    }
}

/// Gathers the record of a run.
pub(crate) fn record(
    contracts: &[Contract],
    run: RunInfo,
    mut cases: Vec<CaseRecord>,
    interrupted: bool,
) -> RunRecord {
    tell(contracts, &mut cases);
    let used: Vec<&Contract> = contracts
        .iter()
        .filter(|contract| cases.iter().any(|case| case.profile == contract.profile.id))
        .collect();
    RunRecord {
        schema: SmolStr::new_static(SCHEMA),
        interrupted,
        known: None,
        profiles: used.iter().map(|contract| profile(contract, &cases)).collect(),
        totals: totals(&cases),
        coverage: used
            .iter()
            .flat_map(|contract| coverage(&contract.profile, &cases, &run.client.lacks))
            .collect(),
        cases,
        run,
    }
}

/// Adds what the table expected to the cases that a report tells in full.
fn tell(contracts: &[Contract], cases: &mut [CaseRecord]) {
    let full = told_in_full(cases);
    for (case, full) in cases.iter_mut().zip(full) {
        let contract = contracts.iter().find(|contract| contract.profile.id == case.profile);
        case.story = contract.filter(|_| full).and_then(|contract| {
            story(&contract.profile, &contract.index, &contract.settings, &case.trace)
        });
    }
}

fn profile(contract: &Contract, cases: &[CaseRecord]) -> ProfileRecord {
    let mut record = profile_record(&contract.profile, cases);
    let mine = stateline_reference::defects().iter();
    record.defects = mine
        .filter(|defect| defect.profile == record.id)
        .map(|defect| DefectRecord {
            id: SmolStr::new_static(defect.id),
            text: defect.text.to_owned(),
            breaks: SmolStr::new_static(defect.breaks),
            also: defect.also.iter().map(|(id, _)| SmolStr::new_static(id)).collect(),
        })
        .collect();
    record
}
