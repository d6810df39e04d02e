//! Starts the program and reads what it leaves behind.
//!
//! Not responsible for what is expected of it.
//!
//! Invariant: what depends on the machine is taken out by its key, `wall`, and by nothing else.

use assert_cmd::Command;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// The program with these arguments.
pub(crate) fn stateline<'a>(args: impl IntoIterator<Item = &'a str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stateline"));
    command.args(args).output().unwrap()
}

/// The program in a folder of its own, with nothing around it that changes what it does.
pub(crate) struct Place(TempDir);

impl Place {
    /// An empty folder, above which nothing is looked for.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        Self(folder)
    }

    /// With these files in it.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let place = Self::new();
        files.iter().for_each(|(name, text)| place.write(name, text));
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The program in this folder.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.run_with("", &[], args)
    }

    /// The program in a folder below, with variables.
    pub(crate) fn run_with(
        &self,
        folder: &str,
        variables: &[(&str, &str)],
        args: &[&str],
    ) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stateline"));
        command.args(args).current_dir(self.path(folder)).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.envs(variables.iter().copied());
        command.output().unwrap()
    }
}

/// The exit code.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// What was printed.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What was complained about.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What was printed, as JSON.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A run into a folder of its own.
pub(crate) struct Run {
    pub(crate) output: Output,
    folder: TempDir,
}

impl Run {
    /// `stateline run` with these arguments.
    pub(crate) fn of(args: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let out = folder.path().to_str().unwrap();
        let output = stateline(["run", "--out", out].into_iter().chain(args.iter().copied()));
        Self { output, folder }
    }

    pub(crate) fn code(&self) -> i32 {
        code(&self.output)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `run.json`.
    pub(crate) fn record(&self) -> Value {
        read(&self.file("run.json"))
    }
}

/// A JSON file.
pub(crate) fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Without what depends on the machine.
pub(crate) fn without_wall(mut json: Value) -> Value {
    match &mut json {
        Value::Object(fields) => {
            fields.retain(|name, _| name != "wall");
            fields.values_mut().for_each(|field| *field = without_wall(field.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_wall(item.take())),
        _ => {}
    }
    json
}

/// The folder of all profiles.
pub(crate) fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// The texts in a list of objects.
pub(crate) fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap()).collect()
}

/// The keys of an object.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
