//! `stateline init`: writes the skeleton of an adapter.
//!
//! Not responsible for what an adapter does, nor for the kit that it stands on.
//!
//! Invariant: a file that is there is never overwritten, and then none is written.

use super::print;
use crate::Failure;
use crate::args::InitArgs;
use crate::exit::Exit;
use crate::suite::{Contract, Suite};
use smol_str::SmolStr;
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
        (KIT, include_str!("../../../../fixtures/clients/python/stateline_adapter.py")),
        ("README.md", include_str!("../../templates/python/README.md")),
    ],
)];
/// The file that is copied as it is.
const KIT: &str = "stateline_adapter.py";
/// The profile that the templates are written for.
const TEMPLATE_PROFILE: &str = "agora-rtm-1x";

/// Runs the command.
pub(crate) fn init(args: &InitArgs) -> Result<Exit, Failure> {
    let files = LANGUAGES
        .iter()
        .find_map(|(name, files)| (*name == args.language).then_some(*files))
        .ok_or_else(|| Failure::usage(unknown(&args.language)))?;
    let contract = contract(args.profile.as_deref())?;
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
    let template = Template::new(&args.dir, &contract);
    let cannot = |path: &Path, error: io::Error| {
        Failure::usage(format!("cannot write {}: {error}", path.display()))
    };
    fs::create_dir_all(&args.dir).map_err(|error| cannot(&args.dir, error))?;
    let mut said = String::from("wrote\n");
    for (name, text) in files {
        let path = args.dir.join(name);
        let text = if *name == KIT { (*text).to_owned() } else { template.fill(text) };
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
    for command in ["@DOCTOR@", "@RUN@"] {
        said.push_str("  ");
        said.push_str(&template.fill(command));
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
fn contract(asked: Option<&str>) -> Result<Contract, Failure> {
    let suite = Suite::new(&[]).map_err(Failure::usage)?;
    let asked = asked.map(str::to_owned).or_else(|| suite.profiles().into_iter().next());
    let mut contracts = suite.read(asked.as_slice()).map_err(Failure::usage)?;
    contracts.pop().ok_or_else(|| Failure::usage("there is no profile to write an adapter for"))
}

/// What stands in the place of the holes of the templates.
struct Template(Vec<(&'static str, String)>);

impl Template {
    /// For an adapter in this folder.
    fn new(dir: &Path, contract: &Contract) -> Self {
        let script = dir.join("adapter.py").display().to_string();
        let adapter = quoted(&format!("python3 {}", shell_quote(&script)));
        let run = |what: &str| format!("stateline run{what} --client {adapter}");
        Self(vec![
            ("@DOCTOR@", format!("stateline doctor {adapter}")),
            ("@RUN@", run(" login/accepted")),
            ("@FAIL@", run(" 'network-drop/reported*'")),
            ("@DEBUG@", run(" --debug login/accepted")),
            ("@ALL@", run("")),
            ("@WORDS@", words(contract)),
            (TEMPLATE_PROFILE, contract.profile.id.to_string()),
        ])
    }

    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (hole, with)| text.replace(hole, with))
    }
}

/// One word for a shell that holds words in quotes of their own.
fn quoted(words: &str) -> String {
    let plain = |c: char| !c.is_control() && !"\"$`\\!".contains(c);
    if words.chars().all(plain) { format!("\"{words}\"") } else { shell_quote(words) }
}

/// The words of a profile, as rows of a table: what is called, and what may be told.
fn words(contract: &Contract) -> String {
    let names = &contract.profile.names;
    let code = |words: &mut dyn Iterator<Item = &SmolStr>| {
        words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    };
    let calls = names.calls.iter().map(|(op, method)| {
        let spelled = method.spellings.first().unwrap_or(op);
        let args = code(&mut method.args.iter());
        format!("| call | `{spelled}` | {args} |\n")
    });
    let told = names.enums.iter().flat_map(|(kind, values)| {
        values.values().map(move |(name, spellings)| {
            let spelled = code(&mut std::iter::once(name).chain(spellings));
            format!("| {kind} | {name} | {spelled} |\n")
        })
    });
    calls.chain(told).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_quoted_as_plainly_as_can_be() {
        assert_eq!(quoted("python3 a.py"), "\"python3 a.py\"");
        assert_eq!(quoted("python3 'a b.py'"), "\"python3 'a b.py'\"");
        assert_eq!(quoted("python3 $HOME"), "'python3 $HOME'");
    }
}
