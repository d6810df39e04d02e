//! `stateline init`: writes the skeleton of an adapter.
//!
//! Not responsible for what an adapter does, nor for the kit that it stands on.
//!
//! Invariant: a file that is there is never overwritten, and then none is written.

use super::print;
use crate::Failure;
use crate::args::InitArgs;
use crate::exit::Exit;
use crate::suite::Suite;
use stateline_reports::text::{shell_quote, visible};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// The languages that there is a skeleton for, with their files.
const LANGUAGES: [(&str, &[(&str, &str)]); 1] = [(
    "python",
    &[
        ("adapter.py", include_str!("../../templates/python/adapter.py")),
        ("demo_sdk.py", include_str!("../../templates/python/demo_sdk.py")),
        (
            "stateline_adapter.py",
            include_str!("../../../../fixtures/clients/python/stateline_adapter.py"),
        ),
        ("README.md", include_str!("../../templates/python/README.md")),
    ],
)];
/// The profile that the templates are written for.
const TEMPLATE_PROFILE: &str = "agora-rtm-1x";

/// Runs the command.
pub(crate) fn init(args: &InitArgs) -> Result<Exit, Failure> {
    let files = LANGUAGES
        .iter()
        .find_map(|(name, files)| (*name == args.language).then_some(*files))
        .ok_or_else(|| Failure::usage(unknown(&args.language)))?;
    let profile = profile(args.profile.as_deref())?;
    let taken: Vec<String> = files
        .iter()
        .map(|(name, _)| args.dir.join(name))
        // Also a link to nowhere is somebody's.
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if !taken.is_empty() {
        let files = taken.join(", ");
        let hint = "nothing was written; name another folder, or move them away";
        return Err(Failure::usage(format!("{files}: there already; {hint}")));
    }
    let commands = Commands::new(&args.dir);
    let cannot = |path: &Path, error: io::Error| {
        Failure::usage(format!("cannot write {}: {error}", path.display()))
    };
    fs::create_dir_all(&args.dir).map_err(|error| cannot(&args.dir, error))?;
    let mut said = String::from("wrote\n");
    for (name, text) in files {
        let path = args.dir.join(name);
        let text = commands.fill(&text.replace(TEMPLATE_PROFILE, &profile));
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| cannot(&path, error))?;
        said.push_str("  ");
        said.push_str(&visible(&path.display().to_string(), &[]));
        said.push('\n');
    }
    said.push_str("next\n");
    for command in [&commands.doctor, &commands.run] {
        said.push_str("  ");
        said.push_str(command);
        said.push('\n');
    }
    print(&said);
    Ok(Exit::Ok)
}

fn unknown(language: &str) -> String {
    let all: Vec<&str> = LANGUAGES.iter().map(|(name, _)| *name).collect();
    format!(
        "there is no skeleton for `{language}`; there is one for {}. \
         harness/docs/adapters.md says how to speak the protocol from any language",
        all.join(", ")
    )
}

/// The profile that was asked for; the first that there is, if none was.
fn profile(asked: Option<&str>) -> Result<String, Failure> {
    let suite = Suite::new(&[]).map_err(Failure::usage)?;
    let all = suite.profiles();
    match asked {
        None => Ok(all.into_iter().next().unwrap_or_else(|| TEMPLATE_PROFILE.to_owned())),
        Some(asked) if all.iter().any(|have| have == asked) => Ok(asked.to_owned()),
        // Says which there are.
        Some(asked) => Err(suite.read(&[asked.to_owned()]).map_or_else(
            Failure::usage,
            |_| Failure::usage(format!("`{asked}` is no profile")),
        )),
    }
}

/// What to type next, for an adapter in this folder.
struct Commands {
    doctor: String,
    run: String,
    fill: [(&'static str, String); 6],
}

impl Commands {
    fn new(dir: &Path) -> Self {
        let script = dir.join("adapter.py").display().to_string();
        let adapter = shell_quote(&format!("python3 {}", shell_quote(&script)));
        let doctor = format!("stateline doctor {adapter}");
        let run = |what: &str| format!("stateline run{what} --client {adapter}");
        Self {
            doctor: doctor.clone(),
            run: run(" login/accepted"),
            fill: [
                ("@DOCTOR@", doctor),
                ("@RUN@", run(" login/accepted")),
                ("@FAIL@", run(" 'network-drop/reported*'")),
                ("@EXPLAIN@", "stateline explain login".to_owned()),
                ("@DEBUG@", run(" --debug login/accepted")),
                ("@ALL@", run("")),
            ],
        }
    }

    fn fill(&self, text: &str) -> String {
        self.fill.iter().fold(text.to_owned(), |text, (hole, with)| text.replace(hole, with))
    }
}
