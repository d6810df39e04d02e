//! The command line.
//!
//! Not responsible for what commands do. Its help texts are documentation: they say the unit and
//! the default.
//!
//! Invariant: names and meanings of flags are a promise; they are extended, never renamed.

use crate::client_spec::ClientSpec;
use clap::{Args, Parser, Subcommand, ValueEnum};
use stateline_core::time::Micros;
use std::path::PathBuf;

/// Protocol conformance harness for the connection life cycle of realtime SDK clients.
#[derive(Debug, Parser)]
#[command(name = "stateline", version, arg_required_else_help = true, after_help = EXIT_CODES)]
#[command(args_override_self = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all is well, 1 a FAIL that is no known failure, an entry for known \
failures that no longer fits, or too little coverage, 2 usage, authoring or unwritable \
output, 3 an ERROR of harness or adapter, 4 nothing to run, 5 something INCONCLUSIVE, 130 interrupted.";

const SETTINGS: &str = "Settings: every flag that is about more than one run can stand in \
`stateline.toml`, below `[run]`, under its name: `client = \"python3 adapter.py\"`, \
`suite = [\"suite\"]`, `strict = true`, `cap = { redial = \"90s\" }`. The file is looked for in the working \
folder and above it, up to the folder that holds `.git`; its paths start from its own folder. The command \
line comes before the environment, that before the file, and that before the default; a list takes the \
place of a list. `--strict=false` switches off what the file switches on.

Known failures: `stateline.expect.toml`, found in the same way, lists failures that are tolerated. They \
stay FAIL, and do not make the run fail.

Exit codes: 0 all is well, 1 a FAIL that is no known failure, an entry for known failures that no longer \
fits, or too little coverage, 2 usage, authoring or unwritable output, 3 an ERROR of harness or adapter, \
4 nothing to run (also: nothing to run again), 5 something INCONCLUSIVE, 130 interrupted.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play scenarios against a client and judge what it does.
    #[command(after_long_help = SETTINGS, after_help = EXIT_CODES)]
    Run(Box<RunArgs>),
    /// List what there is.
    List(ListArgs),
    /// Explain a requirement, row, state, scenario, case, finding, reason, code, exit code, or any other id.
    Explain(ExplainArgs),
    /// Check a folder of profiles and scenarios, and report all errors at once.
    Check(CheckArgs),
    /// Judge recorded traces again.
    Judge(JudgeArgs),
    /// Show the record of a run in another format.
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Run every defect of the reference clients against every case.
    Selftest(SelftestArgs),
    /// Check an adapter before it is used.
    Doctor(DoctorArgs),
    /// Write the skeleton of an adapter.
    Init(InitArgs),
    /// Print what completes commands and flags in a shell.
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them.
    Man(ManArgs),
    /// Runs an adapter and kills what it leaves behind.
    #[command(name = "__guard", hide = true, disable_help_flag = true)]
    Guard {
        /// The adapter's words.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<std::ffi::OsString>,
    },
    /// Runs an adapter whose stdin ends at a word of its own, for `doctor`.
    #[command(name = "__hang-up", hide = true, disable_help_flag = true)]
    HangUp {
        /// The adapter's words.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<std::ffi::OsString>,
    },
    /// The reference clients as an adapter on real connections.
    #[command(name = "__client", hide = true, disable_help_flag = true)]
    Client {
        /// As `--client` has it.
        spec: ClientSpec,
    },
    /// Reserved for a later version.
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// Names that later versions will use.
pub(crate) const RESERVED: [&str; 4] = ["explore", "merge", "diff", "serve"];

/// Flags that judging shares with running.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct JudgingArgs {
    /// A breach of a SHOULD fails instead of warning.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Least share of testable requirements that must be decided, in percent.
    #[arg(long, value_name = "PCT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) min_coverage: Option<u8>,
    /// Replaces a policy cap of the profile, such as `redial=90s`.
    #[arg(long = "cap", value_name = "NAME=D", value_parser = cap)]
    pub(crate) caps: Vec<(String, Micros)>,
    /// The list of known failures. Default: `stateline.expect.toml` here, or in the nearest folder above.
    #[arg(long, value_name = "FILE", overrides_with = "no_expect")]
    pub(crate) expect: Option<PathBuf>,
    /// Look for no list of known failures.
    #[arg(long, overrides_with = "expect")]
    pub(crate) no_expect: bool,
    /// Print nothing but errors.
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// Flags of `run`.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Case ids with `*` and `?`, and terms `req:…`, `tag:…`, `profile:…`, with `and`, `or`, `not`
    /// and parentheses; several select the union. Default: everything.
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Only this profile, in this variant. Default: all.
    #[arg(long = "profile", value_name = "P[@VARIANT]")]
    pub(crate) profiles: Vec<String>,
    /// The client: `builtin`, `builtin/DESIGN`, `builtin:DEFECT[,DEFECT]`, `builtin/DESIGN:DEFECT`,
    /// or the command line of an adapter.
    #[arg(
        long,
        value_name = "SPEC",
        default_value = "builtin",
        env = "STATELINE_CLIENT",
        hide_env_values = true
    )]
    pub(crate) client: ClientSpec,
    /// `virtual`, `real` or `scaled=N`.
    #[arg(long, value_name = "TIME", default_value = "virtual")]
    pub(crate) time: String,
    /// Seeds every draw.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        env = "STATELINE_SEED",
        hide_env_values = true
    )]
    pub(crate) seed: u64,
    /// How often each case is run, with other draws each time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,
    /// Where to write `run.json`, `report.html` and `junit.xml`.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "stateline-out",
        env = "STATELINE_OUT",
        hide_env_values = true
    )]
    pub(crate) out: PathBuf,
    /// Adds a folder of profiles and scenarios.
    #[arg(long, value_name = "DIR")]
    pub(crate) suite: Vec<PathBuf>,
    /// Threads. Default: one for each processor.
    #[arg(long, value_name = "N", env = "STATELINE_JOBS", hide_env_values = true)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Cases planned to be longer are not applicable, such as `90s`. Default: none in virtual time, `90s`
    /// in real time, where each case also ends by then.
    #[arg(long, value_name = "D", value_parser = duration)]
    pub(crate) max_length: Option<Micros>,
    /// Added to the late side of every window. Default: `0` in virtual time, `250ms` in real time.
    #[arg(long, value_name = "D", value_parser = duration, env = "STATELINE_SLACK", hide_env_values = true)]
    pub(crate) slack: Option<Micros>,
    /// How an adapter is started and how long it may take.
    #[command(flatten)]
    pub(crate) adapter: AdapterArgs,
    /// Most clients open at once. Default: no limit beyond `--jobs`; in real time 2000.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_sessions: Option<u32>,
    /// Real time: how often a case that was INCONCLUSIVE is played again. A FAIL never is.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) retries: u32,
    /// Real time: encrypt connections, with an authority made for this run.
    #[arg(long)]
    pub(crate) tls: bool,
    /// Play one case, print what happens while it happens, and let the client take its time.
    #[arg(long, value_name = "CASE")]
    pub(crate) debug: Option<String>,
    /// Stop at the first FAIL that is no known failure.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Only cases that were FAIL, ERROR or INCONCLUSIVE in the run before, of which `--out` has `run.json`.
    #[arg(long)]
    pub(crate) rerun_failed: bool,
    /// After a run of all cases, rewrite the list of known failures: what is new is added, what is stale or
    /// matches nothing is removed.
    #[arg(long, visible_alias = "fix")]
    pub(crate) fix_expect: bool,
    /// Judge as ever, but write no traces.
    #[arg(long)]
    pub(crate) no_trace: bool,
    /// How findings are judged.
    #[command(flatten)]
    pub(crate) judging: JudgingArgs,
    /// The file with settings. Default: `stateline.toml` here, or in the nearest folder above.
    #[arg(long, help_heading = "Settings", value_name = "FILE", overrides_with = "no_settings")]
    pub(crate) settings: Option<PathBuf>,
    /// Look for no file with settings.
    #[arg(long, help_heading = "Settings", overrides_with = "settings")]
    pub(crate) no_settings: bool,
    /// Play nothing, print each setting and where it comes from.
    #[arg(long, help_heading = "Settings")]
    pub(crate) show_settings: bool,
}

impl RunArgs {
    /// Whether it is played on real connections.
    pub(crate) fn is_real(&self) -> bool {
        self.time == "real"
    }
}

/// How an adapter is started and how long it may take.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct AdapterArgs {
    /// The folder that the adapter runs in. Default: this one.
    #[arg(long, help_heading = "Adapters", value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
    /// Adds a variable to the adapter's environment.
    #[arg(long, help_heading = "Adapters", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,
    /// Writes the adapter's messages and stderr into a file for each process, `adapter-N.log`.
    #[arg(long, help_heading = "Adapters", value_name = "DIR")]
    pub(crate) log_dir: Option<PathBuf>,
    /// How long the adapter may take until it has answered `hello`. Default: `10s`.
    #[arg(long, help_heading = "Adapters", value_name = "D", value_parser = duration)]
    #[arg(env = "STATELINE_START_TIMEOUT", hide_env_values = true)]
    pub(crate) start_timeout: Option<Micros>,
    /// How long it may take to answer anything else. Default: `5s`.
    #[arg(long, help_heading = "Adapters", value_name = "D", value_parser = duration)]
    #[arg(env = "STATELINE_CALL_TIMEOUT", hide_env_values = true)]
    pub(crate) call_timeout: Option<Micros>,
}

/// What `list` lists.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Listed {
    /// Scenarios with the number of their cases.
    Scenarios,
    /// Cases.
    Cases,
    /// Cells of the documented grids, and documented times, with the cases that exercise them.
    Cells,
    /// Requirements with the scenarios that name them and the defects that break them.
    Requirements,
    /// Profiles.
    Profiles,
    /// Defects of the reference clients.
    Defects,
    /// Designs of the reference clients.
    Designs,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Flags of `list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// What to list.
    pub(crate) what: Listed,
    /// For people or programs.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Only of this profile; all when left out.
    #[arg(long = "profile", value_name = "P[@VARIANT]")]
    pub(crate) profiles: Vec<String>,
    /// Adds a folder of profiles and scenarios.
    #[arg(long, value_name = "DIR")]
    pub(crate) suite: Vec<PathBuf>,
}

/// Flags of `explain`.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// Ids of profiles, requirements, rows, states, stimuli, cells (`connected/interrupted`), scenarios, cases,
    /// conflicts, defects or designs; reasons, codes, callbacks and methods in any spelling; why a case has no
    /// PASS (`steering-missed`), and verdicts. A kind before them says what is meant: `row C2`, `exit 5`,
    /// `reason 5`. With `--run` also `finding 3`, or `finding` for all of them in short.
    #[arg(value_name = "ID", required_unless_present = "conflicts")]
    pub(crate) ids: Vec<String>,
    /// Where the documents contradict themselves or leave gaps, how that is judged, and why.
    #[arg(long, conflicts_with_all = ["ids", "run"])]
    pub(crate) conflicts: bool,
    /// Only of this profile, in this variant. Default: all.
    #[arg(long = "profile", value_name = "P[@VARIANT]")]
    pub(crate) profiles: Vec<String>,
    /// Adds what a run says: a folder with `run.json`, or the file. Default: nothing.
    #[arg(long, value_name = "DIR")]
    pub(crate) run: Option<PathBuf>,
    /// For people or programs.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Adds a folder of profiles and scenarios.
    #[arg(long, value_name = "DIR")]
    pub(crate) suite: Vec<PathBuf>,
}

/// Flags of `check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// A folder with one folder for each profile, or the folder of one profile.
    pub(crate) dir: PathBuf,
}

/// Flags of `judge`.
#[derive(Args, Debug)]
pub(crate) struct JudgeArgs {
    /// A `run.json`; the `journal.jsonl` of a run that was killed; or a trace: a JSON list of events, or one
    /// event a line.
    pub(crate) file: PathBuf,
    /// The profile of a trace.
    #[arg(long, value_name = "P")]
    pub(crate) profile: Option<String>,
    /// Where to write `run.json`, `report.html` and `junit.xml`. Default: nowhere.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Adds a folder of profiles and scenarios.
    #[arg(long, value_name = "DIR")]
    pub(crate) suite: Vec<PathBuf>,
    /// How findings are judged.
    #[command(flatten)]
    pub(crate) judging: JudgingArgs,
}

/// How `report` shows a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// The conformance report, one file.
    #[default]
    Html,
    /// JUnit XML; what is not decided is an error there, and a known failure is skipped.
    Junit,
    /// The summary of a job on GitHub, at most 1 MiB.
    Markdown,
    /// Annotations of a job on GitHub, as workflow commands: at most 10 errors and 10 warnings.
    Github,
    /// A code quality report for GitLab.
    Gitlab,
    /// The coverage, a line for each requirement.
    Csv,
    /// One case as a sequence diagram; needs `--case`.
    Mermaid,
    /// The record itself.
    Json,
    /// The summary as `run` prints it.
    Text,
}

/// Flags of `report`.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// A `run.json`, or the folder that a run has written it into; `-` reads it from stdin.
    #[arg(value_name = "RUN.json|DIR")]
    pub(crate) record: PathBuf,
    /// What to make of it.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
    /// The case to draw, with or without its profile; of several repetitions the worst.
    #[arg(long, value_name = "ID")]
    pub(crate) case: Option<String>,
    /// The file to write. Default: `-`, which is stdout.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) output: Option<PathBuf>,
}

const REPORT_EXAMPLES: &str = "\
The files of a suite are not needed: a record holds all that is shown. It ends with 0 when the report was written, \
whatever stands in it, and with 2 when it cannot be read or written.

On GitHub:
  stateline report stateline-out --format github
  stateline report stateline-out --format markdown >> \"$GITHUB_STEP_SUMMARY\"
On GitLab:
  stateline report stateline-out --format gitlab --output gl-code-quality-report.json";

/// Flags of `selftest`.
#[derive(Args, Debug)]
pub(crate) struct SelftestArgs {
    /// For people or programs.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Seeds every draw.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Threads. Default: one for each processor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
}

/// Flags of `doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// The command line of the adapter, in one word: `"python3 my_adapter.py"`.
    #[arg(value_name = "CMD")]
    pub(crate) adapter_command: String,
    /// The profile to open clients for. Default: the first that the adapter names.
    #[arg(long, value_name = "P[@VARIANT]")]
    pub(crate) profile: Option<String>,
    /// Adds a folder of profiles and scenarios.
    #[arg(long, value_name = "DIR")]
    pub(crate) suite: Vec<PathBuf>,
    /// For people or programs.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// How the adapter is started and how long it may take.
    #[command(flatten)]
    pub(crate) adapter: AdapterArgs,
}

/// Flags of `init`.
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// The language: `python`.
    pub(crate) language: String,
    /// The folder to write into; it is made where there is none.
    pub(crate) dir: PathBuf,
    /// The profile of the SDK. Default: the first that there is.
    #[arg(long, value_name = "P")]
    pub(crate) profile: Option<String>,
}

/// Flags of `completions`.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

/// Flags of `man`.
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Writes a page for the program and one for each command into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

fn duration(text: &str) -> Result<Micros, String> {
    Micros::parse(text).map_err(str::to_owned)
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a variable is written NAME=VALUE".to_owned()),
    }
}

fn cap(text: &str) -> Result<(String, Micros), String> {
    let (name, length) =
        text.split_once('=').ok_or("a cap is written NAME=D, such as redial=90s")?;
    Ok((name.to_owned(), duration(length)?))
}
