//! `stateline.toml`: what `run` is asked for when the command line does not say.
//!
//! A setting is a flag of `run` under the flag's name, and is read by the reader of that flag. So the file
//! knows every flag, and no flag is described twice. Not responsible for what flags mean.
//!
//! Invariant: the command line comes before the environment, that before the file, and that before the
//! default.

use crate::args::Cli;
use crate::suite::render;
use crate::toml_text::{Value, boolean, mismatch, read, text, texts};
use crate::{Failure, upward};
use clap::builder::ValueHint;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};
use stateline_authoring::{Sink, Source};
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The name of the file.
pub(crate) const FILE: &str = "stateline.toml";

/// Flags that are about one run alone, or about the file itself.
const NOT_IN_FILE: [&str; 6] =
    ["debug", "fix-expect", "no-settings", "rerun-failed", "settings", "show-settings"];

/// The command line, with settings where it says nothing.
pub(crate) struct Parsed {
    /// The command line.
    pub(crate) cli: Cli,
    /// Where each flag of `run` comes from.
    pub(crate) origins: Vec<Origin>,
    /// The file with settings.
    pub(crate) file: Option<PathBuf>,
}

/// Where a flag comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The flag.
    pub(crate) flag: String,
    /// What it is set to.
    pub(crate) value: String,
    /// In words.
    pub(crate) from: String,
}

/// Why there is no command line.
pub(crate) enum Refusal {
    /// The command line is wrong, or asks for help.
    Words(clap::Error),
    /// The file is.
    File(Failure),
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Self {
        Self::Words(error)
    }
}

/// The program's commands; what the file can switch on can be switched off by the command line.
pub(crate) fn command() -> Command {
    Cli::command().mut_subcommand("run", |run| {
        run.mut_args(|arg| {
            if !matches!(arg.get_action(), ArgAction::SetTrue) || !is_setting(&arg) {
                return arg;
            }
            arg.action(ArgAction::Set)
                .num_args(0..=1)
                .require_equals(true)
                .default_value("false")
                .default_missing_value("true")
                .value_name("BOOL")
                .hide_default_value(true)
                .hide_possible_values(true)
        })
    })
}

/// Reads the command line and, for `run`, the settings.
///
/// # Errors
/// Either is wrong.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Parsed, Refusal> {
    let mut command = command();
    let given = command.try_get_matches_from_mut(&words)?;
    let Some(("run", run)) = given.subcommand() else {
        let cli = Cli::from_arg_matches(&given)?;
        return Ok(Parsed { cli, origins: Vec::new(), file: None });
    };
    let file = match run.get_one::<PathBuf>("settings") {
        Some(file) => Some(file.clone()),
        None if run.get_flag("no_settings") => None,
        None => upward::find(FILE),
    };
    // Building the command gave every argument its final form.
    let flags = command.find_subcommand("run").cloned().unwrap_or_default();
    let settings = file.as_ref().map(|file| settings(file, &flags)).transpose();
    let settings = settings.map_err(Refusal::File)?.unwrap_or_default();
    let unsaid =
        |flag: &str| flags.get_arguments().any(|arg| name(arg) == flag && !is_said(arg, run));
    let is_used = |setting: &&Setting| unsaid(&setting.flag) && setting.with.is_none_or(unsaid);
    let used: Vec<&Setting> = settings.iter().filter(is_used).collect();
    // In front of everything else, so that of flags that exclude each other the given one wins.
    let at = words.iter().skip(1).position(|word| word == "run").map_or(words.len(), |at| at + 2);
    let (before, after) = words.split_at(at);
    let added = used.iter().flat_map(|setting| &setting.words).map(OsString::from);
    let all: Vec<OsString> =
        before.iter().cloned().chain(added).chain(after.iter().cloned()).collect();
    let matches = command.try_get_matches_from_mut(all)?;
    let origins = match matches.subcommand() {
        Some((_, settled)) => origins(&flags, settled, run, &used),
        None => Vec::new(),
    };
    Ok(Parsed { cli: Cli::from_arg_matches(&matches)?, origins, file })
}

/// The name of a flag.
fn name(arg: &Arg) -> &str {
    arg.get_long().unwrap_or_default()
}

fn is_setting(arg: &Arg) -> bool {
    !matches!(name(arg), "" | "help" | "version") && !NOT_IN_FILE.contains(&name(arg))
}

/// Whether the command line or the environment says it.
fn is_said(arg: &Arg, run: &ArgMatches) -> bool {
    let source = run.value_source(arg.get_id().as_str());
    matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

/// A flag that the file sets.
struct Setting {
    flag: String,
    /// As they would stand on the command line.
    words: Vec<String>,
    /// `stateline.toml:3`.
    place: String,
    /// A setting without which this one makes no sense.
    with: Option<&'static str>,
}

/// Reads the file.
fn settings(file: &Path, run: &Command) -> Result<Vec<Setting>, Failure> {
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let reader = Reader { run, folder, file: &shown };
    let (settings, _) =
        read(Source::new(shown.clone(), text), |table, sink| reader.file(table, sink))
            .map_err(|wrong| Failure::usage(render(&wrong)))?;
    Ok(settings)
}

/// Reads the tables of the file.
struct Reader<'a> {
    run: &'a Command,
    folder: &'a Path,
    file: &'a str,
}

impl Reader<'_> {
    fn file(&self, table: &DeTable<'_>, sink: &mut Sink) -> Vec<Setting> {
        let mut settings = Vec::new();
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("run", DeValue::Table(run)) => settings.extend(self.table(run, sink)),
                ("run", other) => {
                    mismatch::<()>("a table, `[run]`", other, value.span(), sink);
                }
                (other, _) => {
                    let found = sink.unknown_in(key.span(), "key", other, "in this file", ["run"]);
                    if self.flags().any(|flag| flag == other) {
                        found.help("settings stand below `[run]`");
                    }
                }
            }
        }
        settings
    }

    fn flags(&self) -> impl Iterator<Item = &str> {
        self.run.get_arguments().filter(|arg| is_setting(arg)).map(name)
    }

    fn table(&self, table: &DeTable<'_>, sink: &mut Sink) -> Vec<Setting> {
        let mut settings = Vec::new();
        for (key, value) in table {
            let flag = key.get_ref().as_ref();
            let arg = self.run.get_arguments().find(|arg| is_setting(arg) && name(arg) == flag);
            let Some(arg) = arg else {
                self.unknown(flag, key.span(), sink);
                continue;
            };
            let words = self.words(arg, value, sink);
            let line = 1 + sink.source.text[..key.span().start].matches('\n').count();
            let place = format!("{}:{line}", self.file);
            settings.push(Setting { flag: flag.to_owned(), words, place, with: None });
        }
        let has = |flag: &str| table.contains_key(flag);
        // An adapter that the file names is started where the file is.
        if has("client") && !has("cwd") && !self.folder.as_os_str().is_empty() {
            let words = vec![format!("--cwd={}", self.folder.display())];
            let place = format!("{}, by its client", self.file);
            let with = Some("client");
            settings.push(Setting { flag: "cwd".to_owned(), words, place, with });
        }
        settings
    }

    fn unknown(&self, flag: &str, span: Range<usize>, sink: &mut Sink) {
        if NOT_IN_FILE.contains(&flag) {
            let title = format!("`{flag}` is for one run");
            sink.error(span, title, "not in a file")
                .help(format!("give it on the command line: --{flag}"));
            return;
        }
        sink.unknown_in(span, "key", flag, "in `[run]`", self.flags())
            .help("keys are the flags of `stateline run`, which `stateline run --help` explains");
    }

    /// A setting as it would stand on the command line, each value read by the reader of its flag.
    fn words(&self, arg: &Arg, value: &Value<'_>, sink: &mut Sink) -> Vec<String> {
        let flag = name(arg);
        let values = if is_boolean(arg) {
            let flag = boolean(value, sink);
            flag.map(|flag| (flag.to_string(), value.span())).into_iter().collect()
        } else {
            self.values(arg, value, sink)
        };
        let mut words = Vec::new();
        for (value, span) in values {
            let is_path = matches!(arg.get_value_hint(), ValueHint::AnyPath);
            let value = if is_path { self.folder.join(value).display().to_string() } else { value };
            let word = format!("--{flag}={value}");
            match self.run.clone().no_binary_name(true).try_get_matches_from([&word]) {
                Ok(_) => words.push(word),
                Err(error) => {
                    sink.error(span, format!("this is no value of `{flag}`"), why(&error));
                }
            }
        }
        words
    }

    fn values(&self, arg: &Arg, value: &Value<'_>, sink: &mut Sink) -> Vec<(String, Range<usize>)> {
        let is_list = matches!(arg.get_action(), ArgAction::Append);
        match value.get_ref() {
            DeValue::Integer(n) if n.radix() == 10 => vec![(n.as_str().to_owned(), value.span())],
            // Flags that take NAME=VALUE are tables here.
            DeValue::Table(table) if is_list => {
                let mut pairs = Vec::new();
                for (key, value) in table {
                    let text = text(value, sink);
                    pairs.extend(
                        text.map(|text| (format!("{}={text}", key.get_ref()), value.span())),
                    );
                }
                pairs
            }
            DeValue::Array(_) if is_list => texts(value, sink),
            _ => {
                let text = text(value, sink);
                text.map(|text| (text, value.span())).into_iter().collect()
            }
        }
    }
}

/// Whether a flag is on or off.
fn is_boolean(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.min_values() == 0)
}

/// What the reader of a flag says, without the flag.
fn why(error: &clap::Error) -> String {
    let said = error.source().map(ToString::to_string);
    said.unwrap_or_else(|| {
        let text = error.to_string();
        text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })
}

/// Prints what holds.
pub(crate) fn show(origins: &[Origin]) {
    let lines = origins.iter().map(|origin| {
        let Origin { flag, value, from } = origin;
        vec![flag.clone(), value.clone(), from.clone()]
    });
    crate::command::print(&crate::command::table(&["setting", "value", "from"], lines));
}

/// What holds, and where it comes from.
fn origins(
    flags: &Command,
    settled: &ArgMatches,
    given: &ArgMatches,
    used: &[&Setting],
) -> Vec<Origin> {
    let places: BTreeMap<&str, &str> =
        used.iter().map(|setting| (setting.flag.as_str(), setting.place.as_str())).collect();
    let origin = |arg: &Arg| {
        let id = arg.get_id().as_str();
        let values = settled.get_raw(id).into_iter().flatten();
        let value = values.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(", ");
        let from = match given.value_source(id) {
            Some(ValueSource::CommandLine) => "command line".to_owned(),
            Some(ValueSource::EnvVariable) => {
                arg.get_env().map(OsStr::to_string_lossy).unwrap_or_default().into_owned()
            }
            // Another flag may have taken its place.
            _ if value.is_empty() => "default".to_owned(),
            _ => places.get(name(arg)).map_or("default", |place| place).to_owned(),
        };
        Origin { flag: name(arg).to_owned(), value, from }
    };
    flags.get_arguments().filter(|arg| is_setting(arg)).map(origin).collect()
}
