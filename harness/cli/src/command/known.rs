//! The list of known failures of a run: found before it, compared with it afterwards.
//!
//! Not responsible for what an entry expects.
//!
//! Invariant: what is wrong with the list is told before the first case, all of it at once; the file is
//! rewritten only by a run that can be trusted to have seen everything.

use crate::Failure;
use crate::args::JudgingArgs;
use crate::exit::Exit;
use crate::expect::{Expectations, FILE, Scope, Settled, amend, check, settle, unexplained};
use crate::output::replace;
use crate::select::all;
use crate::suite::{Contract, Suite, render};
use crate::upward;
use stateline_authoring::Diagnostic;
use stateline_core::record::{CaseRecord, KnownFailures, Verdict};
use stateline_reports::text::count;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

/// The list of a run, if it has one.
pub(super) struct Known {
    list: Option<Expectations>,
    fix: bool,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Outcome {
    /// For the record.
    pub(super) known: Option<KnownFailures>,
    wrong: Vec<Diagnostic>,
    notes: Vec<String>,
    /// Why the file was not rewritten, though that was asked for.
    refusal: Option<String>,
}

impl Known {
    /// Finds and reads the list.
    ///
    /// # Errors
    /// When it cannot be read, or something is wrong with it.
    pub(super) fn find(
        args: &JudgingArgs,
        fix: bool,
        suite: &Suite,
        contracts: &[Contract],
    ) -> Result<Self, Failure> {
        let Some(path) = Self::path(args, fix) else { return Ok(Self { list: None, fix }) };
        let list = match std::fs::read_to_string(&path) {
            Ok(text) => Expectations::parse(&path, text).map_err(|wrong| refuse(&wrong))?,
            Err(error) if fix && error.kind() == ErrorKind::NotFound => Expectations::none(&path),
            Err(error) => {
                return Err(Failure::usage(format!("cannot read {}: {error}", path.display())));
            }
        };
        check(&list, suite, contracts).map_err(|wrong| refuse(&wrong))?;
        Ok(Self { list: Some(list), fix })
    }

    fn path(args: &JudgingArgs, fix: bool) -> Option<PathBuf> {
        if args.no_expect {
            return None;
        }
        let found = args.expect.clone().or_else(|| upward::find(FILE));
        found.or_else(|| fix.then(|| PathBuf::from(FILE)))
    }

    /// Whether the list expects a failure as a whole.
    pub(super) fn expects(&self, case: &CaseRecord, contracts: &[Contract]) -> bool {
        let Some(list) = &self.list else { return false };
        let whole = all(contracts);
        let info = whole.iter().find(|(_, _, known, _)| known.id == case.id);
        let Some((contract, scenario, case_of, named)) = info else { return false };
        let info = contract.info(scenario, case_of, named);
        let mut first = case.findings.iter().filter(|finding| !finding.consequent).peekable();
        first.peek().is_some()
            && first.all(|finding| {
                list.entries.iter().any(|entry| entry.expects(&info, &finding.requirement))
            })
    }

    /// Marks the cases that failed as expected, and rewrites the file if that was asked for.
    pub(super) fn compare(
        &self,
        cases: &mut [CaseRecord],
        scope: &Scope<'_>,
        interrupted: bool,
    ) -> Outcome {
        let Some(list) = &self.list else {
            cases.iter_mut().for_each(|case| case.expected = None);
            return Outcome::default();
        };
        let settled = settle(list, cases, scope);
        if !self.fix {
            return outcome(list, settled);
        }
        if let Some(why) = doubts(cases, interrupted) {
            let refusal = format!("{} is left as it is: {why}", list.path.display());
            return Outcome { refusal: Some(refusal), ..outcome(list, settled) };
        }
        match rewrite(list, &settled, cases) {
            Ok((list, note)) => {
                let mut outcome = outcome(&list, settle(&list, cases, scope));
                outcome.notes.insert(0, note);
                outcome
            }
            Err(why) => Outcome { refusal: Some(why), ..outcome(list, settled) },
        }
    }
}

impl Outcome {
    /// Tells what is wrong with the list. `exit` is how the run ends otherwise.
    pub(super) fn tell(&self, exit: Exit, quiet: bool) -> Exit {
        if !self.wrong.is_empty() {
            eprintln!("{}", render(&self.wrong));
        }
        if !quiet {
            self.notes.iter().for_each(|note| eprintln!("note: {note}"));
        }
        let Some(refusal) = &self.refusal else { return exit };
        eprintln!("error: {refusal}");
        if exit == Exit::Ok { Exit::Usage } else { exit }
    }
}

fn refuse(wrong: &[Diagnostic]) -> Failure {
    Failure::usage(render(wrong))
}

fn outcome(list: &Expectations, settled: Settled) -> Outcome {
    let lines = unexplained(list);
    let note = lines.first().map(|first| {
        let (n, path) = (count(lines.len(), "known failure"), list.path.display());
        format!("{n} without a reason, the first at {path}:{first}")
    });
    // A list without entries has nothing to say.
    let known = (!settled.known.entries.is_empty()).then_some(settled.known);
    Outcome { known, wrong: settled.wrong, notes: note.into_iter().collect(), refusal: None }
}

/// Why a run is no basis for a list.
fn doubts(cases: &[CaseRecord], interrupted: bool) -> Option<String> {
    let n = |verdict| cases.iter().filter(|case| case.verdict == Some(verdict)).count();
    let (errors, inconclusive) = (n(Verdict::Error), n(Verdict::Inconclusive));
    if interrupted {
        Some("the run was interrupted".to_owned())
    } else if errors + inconclusive > 0 {
        Some(format!("the run has {errors} ERROR and {inconclusive} INCONCLUSIVE"))
    } else {
        None
    }
}

/// Rewrites the file. The list that it holds now, and what was done.
fn rewrite(
    list: &Expectations,
    settled: &Settled,
    cases: &[CaseRecord],
) -> Result<(Expectations, String), String> {
    let path = list.path.display();
    let amended = amend(list, settled, cases)?;
    if amended.added + amended.removed > 0 {
        replace(&list.path, |out| out.write_all(amended.text.as_bytes()))
            .map_err(|error| error.to_string())?;
    }
    let note = match (amended.added, amended.removed) {
        (0, 0) => format!("{path} fits the run"),
        (added, removed) => format!("{path} is rewritten: {added} added, {removed} removed"),
    };
    let again = Expectations::parse(&list.path, amended.text).map_err(|wrong| render(&wrong))?;
    Ok((again, note))
}
