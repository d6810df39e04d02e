//! `stateline report`: shows the record of a run in another format.
//!
//! Not responsible for the formats, and it judges nothing: what stands in the record is shown, and neither
//! profile nor scenario is read.
//!
//! Invariant: of a run's own formats it writes what the run wrote, byte for byte.

use super::{layout, show};
use crate::Failure;
use crate::args::{ReportArgs, ReportFormat};
use crate::exit::Exit;
use crate::journal;
use crate::output::replace;
use serde::Deserialize;
use stateline_core::record::{CaseRecord, RunRecord, SCHEMA};
use stateline_reports::{annotations, csv, html, json, junit, markdown, mermaid, terminal};
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Runs the command.
pub(crate) fn report(args: &ReportArgs) -> Result<Exit, Failure> {
    if args.case.is_some() != (args.format == ReportFormat::Mermaid) {
        return Err(Failure::usage(
            "`--format mermaid` draws one case, and `--case ID` says which; they go together",
        ));
    }
    let record = read(&args.record)?;
    let out = args.output.as_deref().filter(|path| *path != Path::new("-"));
    if args.format == ReportFormat::Text && out.is_none() {
        show(&record);
        return Ok(Exit::Ok);
    }
    let text = render(args, &record)?;
    match out {
        Some(path) => write(path, &text),
        // Whoever has closed the pipe has read enough.
        None => match io::stdout().lock().write_all(&text) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Failure::usage(format!("cannot write to stdout: {error}")))
            }
            _ => Ok(()),
        },
    }?;
    Ok(Exit::Ok)
}

fn render(args: &ReportArgs, record: &RunRecord) -> Result<Vec<u8>, Failure> {
    let text = match args.format {
        ReportFormat::Html => html::render(record, &html::Options::default()),
        ReportFormat::Junit => junit::render(record),
        ReportFormat::Markdown => markdown::render(record),
        ReportFormat::Github => annotations::github(record),
        ReportFormat::Gitlab => annotations::gitlab(record),
        ReportFormat::Csv => csv::render(record),
        ReportFormat::Text => {
            let width = layout::width();
            terminal::render(record, &terminal::Options { width, ..Default::default() })
        }
        ReportFormat::Json => {
            let mut text = Vec::new();
            json::write(record, &mut text)
                .map_err(|error| Failure::usage(format!("cannot write the record: {error}")))?;
            return Ok(text);
        }
        ReportFormat::Mermaid => {
            let case = find(record, args.case.as_deref().unwrap_or_default())?;
            mermaid::render(case).ok_or_else(|| {
                let why = match (case.verdict, &case.not_applicable) {
                    (None, Some(why)) => format!("it was not applicable: {why}"),
                    (None, None) => "it was not run".to_owned(),
                    _ => "the run was made with --no-trace".to_owned(),
                };
                Failure::usage(format!("{} has no trace: {why}", case.id))
            })?
        }
    };
    Ok(text.into_bytes())
}

/// The case with this id, with or without its profile; of its repetitions the worst.
fn find<'r>(record: &'r RunRecord, id: &str) -> Result<&'r CaseRecord, Failure> {
    let is_it = |case: &&CaseRecord| {
        case.id == id || case.id.split_once('/').is_some_and(|(_, short)| short == id)
    };
    // The first of several that are alike.
    let found = record.cases.iter().filter(is_it).rev().max_by_key(|case| case.verdict);
    found.ok_or_else(|| {
        let mut near: Vec<&str> = record.cases.iter().map(|case| case.id.as_str()).collect();
        let short = |near: &str| near.split_once('/').map_or(near, |(_, short)| short).to_owned();
        let alike =
            |near: &str| strsim::jaro_winkler(near, id).max(strsim::jaro_winkler(&short(near), id));
        near.sort_by(|a, b| alike(b).total_cmp(&alike(a)));
        near.dedup();
        near.truncate(3);
        let near = if near.is_empty() {
            String::new()
        } else {
            format!("; the nearest:\n  {}", near.join("\n  "))
        };
        Failure::usage(format!("the record has no case `{id}`{near}"))
    })
}

fn write(path: &Path, text: &[u8]) -> Result<(), Failure> {
    // A pipe or a device cannot be replaced.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return fs::write(path, text)
            .map_err(|error| Failure::usage(format!("cannot write {}: {error}", path.display())));
    }
    replace(path, |out| out.write_all(text)).map_err(Failure::usage)
}

/// Reads a record; a folder stands for the `run.json` in it.
fn read(path: &Path) -> Result<RunRecord, Failure> {
    let failed =
        |path: &Path, why: String| Failure::usage(format!("cannot read {}: {why}", path.display()));
    let path = if path.is_dir() { in_folder(path)? } else { path.to_owned() };
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(&path)
    };
    let text = text.map_err(|error| failed(&path, error.to_string()))?;
    if journal::is_journal(&text) {
        return Err(Failure::usage(judge_first(&path)));
    }
    parse(&text).map_err(|why| failed(&path, why))
}

fn in_folder(folder: &Path) -> Result<PathBuf, Failure> {
    let (record, journal) = (folder.join("run.json"), folder.join("journal.jsonl"));
    if record.is_file() {
        Ok(record)
    } else if journal.is_file() {
        Err(Failure::usage(judge_first(&journal)))
    } else {
        Err(Failure::usage(format!("there is no run.json in {}", folder.display())))
    }
}

fn judge_first(journal: &Path) -> String {
    let journal = journal.display();
    format!(
        "{journal} is the journal of a run that did not end. It has no totals and no coverage yet: \
         `stateline judge {journal} --out DIR` makes a record of it"
    )
}

/// What every record begins with.
#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
}

fn parse(text: &str) -> Result<RunRecord, String> {
    let told = |error: serde_json::Error| {
        let what = if error.is_eof() {
            "it ends too early"
        } else if error.is_syntax() {
            "it is no JSON"
        } else {
            "it is no run record"
        };
        format!("{what}: {error}")
    };
    if text.trim_start().starts_with('[') {
        let why =
            "it is a list, perhaps a trace, and no run record: `stateline judge` judges traces";
        return Err(why.to_owned());
    }
    let Head { schema } = serde_json::from_str(text).map_err(told)?;
    match schema {
        Some(schema) if schema == SCHEMA => serde_json::from_str(text).map_err(told),
        Some(schema) => Err(format!("its schema is `{schema}`, and this version reads `{SCHEMA}`")),
        None => Err(format!("it is no run record: it does not say `\"schema\": \"{SCHEMA}\"`")),
    }
}
