//! Settings: the file, the environment, the command line, and what terminals and builds say.
//!
//! Not responsible for what flags mean.
//!
//! Invariant: nothing of the machine's own environment reaches the program, but for `PATH`.

use crate::program::{Place, code, read, stderr, stdout};
use insta::assert_snapshot;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

const FILE: &str = "stateline.toml";
const QUICK: [&str; 3] = ["run", "login/accepted", "--quiet"];

/// What `--show-settings` prints: each flag with its value and where it comes from.
fn shown(place: &Place, args: &[&str]) -> BTreeMap<String, (String, String)> {
    let output = place.run(&[&["run", "--show-settings"], args].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let line = |line: &str| {
        let [flag, value, from] = line.split('│').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        (flag.to_owned(), (value.to_owned(), from.to_owned()))
    };
    stdout(&output).lines().skip(2).map(line).collect()
}

fn record(place: &Place, folder: &str) -> Value {
    read(&place.path(folder).join("run.json"))
}

/// The long flags that a help text lists.
fn flags(help: &str) -> Vec<String> {
    help.lines()
        .filter_map(|line| {
            line.trim().strip_prefix("-h, ").unwrap_or_else(|| line.trim()).strip_prefix("--")
        })
        .map(|rest| rest.split([' ', '[', '=']).next().unwrap().to_owned())
        // An alias stands in brackets.
        .filter(|flag| !flag.ends_with(']'))
        .collect()
}

#[test]
fn the_command_line_comes_before_the_environment_and_that_before_the_file() {
    let place = Place::with(&[(FILE, "[run]\nseed = 1\nslack = '1ms'\nstrict = true\n")]);
    let seed = |variables: &[(&str, &str)], more: &[&str]| {
        let output = place.run_with("", variables, &[&QUICK[..], more].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let run = record(&place, "stateline-out")["run"].clone();
        (run["seed"].as_u64().unwrap(), run["slack_ms"].as_u64().unwrap())
    };
    assert_eq!(seed(&[], &["--no-settings"]), (0, 0));
    assert_eq!(seed(&[], &[]), (1, 1));
    assert_eq!(seed(&[("STATELINE_SEED", "2")], &[]), (2, 1));
    assert_eq!(seed(&[("STATELINE_SEED", "2")], &["--seed", "3"]), (3, 1));
    assert_eq!(seed(&[("STATELINE_SLACK", "2ms")], &["--seed", "3"]), (3, 2));
    // What the file switches on can be switched off.
    let strict = |more: &[&str]| {
        assert_eq!(code(&place.run(&[&QUICK[..], more].concat())), 0);
        record(&place, "stateline-out")["run"]["strict"].as_bool().unwrap()
    };
    assert!(strict(&[]) && strict(&["--strict"]) && !strict(&["--strict=false"]));
    assert!(!strict(&["--no-settings"]));
}

#[test]
fn every_flag_that_is_not_about_one_run_is_a_setting() {
    let place = Place::new();
    let settings = shown(&place, &[]);
    let help = stdout(&place.run(&["run", "-h"]));
    let mut flags = flags(&help);
    assert!(flags.len() > 20, "{help}");
    let about_one_run =
        ["debug", "fix-expect", "help", "no-settings", "rerun-failed", "settings", "show-settings"];
    flags.retain(|flag| !about_one_run.contains(&flag.as_str()));
    flags.sort();
    assert_eq!(settings.keys().collect::<Vec<_>>(), flags.iter().collect::<Vec<_>>());
    assert!(settings.values().all(|(_, from)| from == "default"), "{settings:?}");

    // Each of them is taken from the file.
    let value = |flag: &str| match flag {
        "fail-fast" | "no-expect" | "no-trace" | "quiet" | "strict" | "tls" => "true",
        "jobs" | "max-sessions" | "min-coverage" | "repeat" | "retries" | "seed" => "9",
        "profile" => "['agora-rtm-1x']",
        "suite" => "['one', 'two']",
        "cap" => "{ redial = '9s' }",
        "env" => "{ NAME = 'value' }",
        "client" => "'builtin/lazy'",
        "time" => "'real'",
        "cwd" | "expect" | "log-dir" | "out" => "'somewhere'",
        "call-timeout" | "max-length" | "slack" | "start-timeout" => "'9s'",
        other => panic!("{other} is new: what is it set to?"),
    };
    for flag in &flags {
        place.write(FILE, &format!("[run]\n{flag} = {}\n", value(flag)));
        let (shown, from) = shown(&place, &[])[flag].clone();
        assert_eq!(from, "stateline.toml:2", "{flag}");
        assert!(!shown.is_empty() && shown != settings[flag].0, "{flag}: {shown}");
    }
}

#[test]
fn a_list_takes_the_place_of_a_list() {
    let place = Place::with(&[(FILE, "[run]\ncap = { redial = '9s', settle = '8s' }\n")]);
    assert_eq!(shown(&place, &[])["cap"].0, "redial=9s, settle=8s");
    let (value, from) = shown(&place, &["--cap", "recovery=7s"])["cap"].clone();
    assert_eq!((value.as_str(), from.as_str()), ("recovery=7s", "command line"));
    place.write(FILE, "[run.cap]\nredial = '9s'\n");
    assert_eq!(shown(&place, &[])["cap"].0, "redial=9s");
    place.write(FILE, "[run]\nsuite = ['one', 'two']\nexpect = 'list.toml'\n");
    assert_eq!(shown(&place, &[])["suite"].0, "one, two");
    // Of flags that exclude each other the given one wins.
    let given = shown(&place, &["--no-expect"]);
    assert_eq!((given["expect"].0.as_str(), given["expect"].1.as_str()), ("", "default"));
    assert_eq!(given["no-expect"].0, "true");
    place.write(FILE, "[run]\nprofile = 'agora-rtm-1x'\n");
    assert_eq!(shown(&place, &[])["profile"].0, "agora-rtm-1x");
}

#[test]
fn the_nearest_file_is_taken_and_its_paths_start_where_it_is() {
    let place = Place::with(&[
        (FILE, "[run]\nout = 'results'\nseed = 1\n"),
        ("near/stateline.toml", "[run]\nseed = 2\n"),
        ("near/deep/x", ""),
        ("far/deep/x", ""),
        ("far/other.toml", "[run]\nout = 'elsewhere'\n"),
    ]);
    let run = |folder: &str, more: &[&str]| {
        let output = place.run_with(folder, &[], &[&["run", "login/accepted"], more].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output)
    };
    let said = run("far/deep", &[]);
    assert!(said.ends_with("settings: ../../stateline.toml\n"), "{said}");
    assert_eq!(record(&place, "results")["run"]["seed"], 1);
    // The nearest one alone.
    run("near/deep", &[]);
    assert_eq!(record(&place, "near/deep/stateline-out")["run"]["seed"], 2);
    run("", &["--settings", "far/other.toml"]);
    assert_eq!(record(&place, "far/elsewhere")["run"]["seed"], 0);
    // A path of the command line starts where it is given.
    run("far", &["--out", "here"]);
    assert!(place.path("far/here/run.json").is_file());
}

#[test]
fn an_adapter_that_the_file_names_starts_where_the_file_is() {
    let place = Place::with(&[
        ("top/stateline.toml", "[run]\nclient = 'sh adapter.sh'\n"),
        ("top/adapter.sh", "pwd > started-in; exit 1\n"),
        ("top/deep/adapter.sh", "pwd > started-in; exit 1\n"),
        ("other/x", ""),
    ]);
    let started = |folder: &str| {
        let file = place.path(folder).join("started-in");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(&file);
        text.trim().ends_with(folder)
    };
    // An adapter that does not answer is an ERROR of every case.
    assert_eq!(code(&place.run_with("top/deep", &[], &QUICK)), 3);
    assert!(started("top") && !started("top/deep"));
    let named = [&QUICK[..], &["--client", "sh adapter.sh"]].concat();
    assert_eq!(code(&place.run_with("top/deep", &[], &named)), 3);
    assert!(!started("top") && started("top/deep"));
    place.write("top/stateline.toml", "[run]\nclient = 'sh ../top/adapter.sh'\ncwd = '../other'\n");
    assert_eq!(code(&place.run_with("top/deep", &[], &QUICK)), 3);
    assert!(started("other"));
}

#[test]
fn mistakes_in_the_file_are_told_at_once() {
    let file = "\
seed = 1
[run]
clinet = 'builtin'
seed = 'seven'
jobs = 0
strict = 'yes'
debug = 'x'
max_length = '3s'
max-length = 3
cap = { redial = 'soon' }
client = 'builtin:stops-ping'
";
    let place = Place::with(&[(FILE, file)]);
    let output = place.run(&QUICK);
    assert_eq!((code(&output), stdout(&output)), (2, String::new()));
    assert_snapshot!(stderr(&output));
    assert!(!place.path("stateline-out").exists());
    // Nothing is read of it by other commands, or when it is not wanted.
    assert_eq!(code(&place.run(&["list", "profiles"])), 0);
    assert_eq!(code(&place.run(&[&QUICK[..], &["--no-settings"]].concat())), 0);
    place.write(FILE, "[run\n");
    assert_eq!(code(&place.run(&QUICK)), 2);
    let missing = place.run(&["run", "--settings", "missing.toml"]);
    assert_eq!(code(&missing), 2);
    assert!(stderr(&missing).contains("cannot read missing.toml"));
    let bad = place.run_with("", &[("STATELINE_SEED", "x")], &QUICK);
    assert_eq!(code(&bad), 2, "{}", stderr(&bad));
}

#[test]
fn colour_is_for_those_who_can_see_it() {
    let place = Place::new();
    let coloured = |variables: &[(&str, &str)]| {
        let output = place.run_with("", variables, &["run", "login/accepted"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output).contains('\u{1b}')
    };
    // stdout is a pipe here.
    assert!(!coloured(&[]));
    assert!(!coloured(&[("CI", "true")]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "0")]));
}

#[test]
fn columns_say_how_wide_a_text_is() {
    let place = Place::new();
    let widest = |columns: &str| {
        let output = place.run_with("", &[("COLUMNS", columns)], &["explain", "RTM-CONN-02"]);
        let text = stdout(&output);
        text.lines().map(|line| line.chars().count()).max().unwrap()
    };
    let (narrow, wide) = (widest("60"), widest("140"));
    assert!(narrow <= 60, "{narrow}");
    assert!(wide > 100 && wide <= 140, "{wide}");
    for odd in ["", "0", "-3", "wide"] {
        assert!((61..=100).contains(&widest(odd)), "{odd}");
    }
}

/// The names of all commands, from the help text.
fn commands(place: &Place) -> Vec<String> {
    let help = stdout(&place.run(&["--help"]));
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' '));
    names.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn completions_and_pages_know_every_command() {
    let place = Place::new();
    let commands = commands(&place);
    assert!(commands.len() >= 10 && commands.iter().any(|name| name == "completions"));
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = place.run(&["completions", shell]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let script = stdout(&output);
        for name in &commands {
            assert!(script.contains(name.as_str()), "{shell} does not know {name}");
        }
        for word in ["rerun-failed", "fix-expect"] {
            assert!(script.contains(word), "{shell} does not know --{word}");
        }
        assert!(!script.contains("__guard"), "{shell} offers what is hidden");
    }
    assert_eq!(code(&place.run(&["completions", "tcsh"])), 2);

    let page = stdout(&place.run(&["man"]));
    assert!(page.contains(".TH stateline 1"), "{page}");
    assert_eq!(code(&place.run(&["man", "--out", "pages/man1"])), 0);
    for name in commands.iter().filter(|name| *name != "help") {
        let escaped = name.replace('-', "\\-");
        assert!(page.contains(&format!("stateline\\-{escaped}(1)")), "{name}");
        let own = place.text(&format!("pages/man1/stateline-{name}.1"));
        assert!(own.contains(".SH SYNOPSIS"), "{name}");
    }
    assert!(place.text("pages/man1/stateline-run.1").contains("STATELINE_SEED"));
    assert!(
        fs::read_dir(place.path("pages/man1"))
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_string_lossy().contains("__") })
    );
}

#[test]
fn a_word_that_is_no_command_comes_with_the_nearest() {
    let output = Place::new().run(&["completion"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("did you mean `completions`?"), "{}", stderr(&output));
}
