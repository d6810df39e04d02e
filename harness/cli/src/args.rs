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

const EXIT_CODES: &str = "Exit codes: 0 all is well, 1 a FAIL or too little coverage, 2 usage, authoring or unwritable \
output, 3 an ERROR of harness or adapter, 4 nothing to run, 5 something INCONCLUSIVE, 130 interrupted.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play scenarios against a client and judge what it does.
    Run(Box<RunArgs>),
    /// List what there is.
    List(ListArgs),
    /// Explain a requirement, row, scenario, case, defect or design.
    Explain(ExplainArgs),
    /// Check a folder of profiles and scenarios, and report all errors at once.
    Check(CheckArgs),
    /// Judge recorded traces again.
    Judge(JudgeArgs),
    /// Run every defect of the reference clients against every case.
    Selftest(SelftestArgs),
    /// Check an adapter before it is used.
    Doctor(DoctorArgs),
    /// Write the skeleton of an adapter.
    Init(InitArgs),
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
pub(crate) const RESERVED: [&str; 5] = ["explore", "report", "merge", "diff", "serve"];

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
    #[arg(long, value_name = "SPEC", default_value = "builtin")]
    pub(crate) client: ClientSpec,
    /// `virtual`, `real` or `scaled=N`.
    #[arg(long, value_name = "TIME", default_value = "virtual")]
    pub(crate) time: String,
    /// Seeds every draw.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// How often each case is run, with other draws each time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,
    /// Where to write `run.json` and `report.html`.
    #[arg(long, value_name = "DIR", default_value = "stateline-out")]
    pub(crate) out: PathBuf,
    /// Adds a folder of profiles and scenarios.
    #[arg(long, value_name = "DIR")]
    pub(crate) suite: Vec<PathBuf>,
    /// Threads. Default: one for each processor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Cases planned to be longer are not applicable, such as `90s`. Default: none in virtual time, `90s`
    /// in real time, where each case also ends by then.
    #[arg(long, value_name = "D", value_parser = duration)]
    pub(crate) max_length: Option<Micros>,
    /// Added to the late side of every window. Default: `0` in virtual time, `250ms` in real time.
    #[arg(long, value_name = "D", value_parser = duration)]
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
    /// Stop at the first FAIL.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Judge as ever, but write no traces.
    #[arg(long)]
    pub(crate) no_trace: bool,
    /// How findings are judged.
    #[command(flatten)]
    pub(crate) judging: JudgingArgs,
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
    pub(crate) start_timeout: Option<Micros>,
    /// How long it may take to answer anything else. Default: `5s`.
    #[arg(long, help_heading = "Adapters", value_name = "D", value_parser = duration)]
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
    /// Adds a folder of profiles and scenarios.
    #[arg(long, value_name = "DIR")]
    pub(crate) suite: Vec<PathBuf>,
}

/// Flags of `explain`.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The id of a profile (its words), requirement, row, state, stimulus, scenario, case, defect or design.
    pub(crate) id: String,
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
    /// Where to write `run.json` and `report.html`. Default: nowhere.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Adds a folder of profiles and scenarios.
    #[arg(long, value_name = "DIR")]
    pub(crate) suite: Vec<PathBuf>,
    /// How findings are judged.
    #[command(flatten)]
    pub(crate) judging: JudgingArgs,
}

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
