//! Weight of real time: what a suite and a thousand live cases take.
//!
//! Prints how long the whole suite takes against its longest planned length, and how much memory and
//! how many descriptors the harness needs at most with a thousand cases at once. Not a test: it asserts
//! no time. Run it with `cargo bench -p stateline --bench real_time`; a number as argument sets
//! `--max-length` in seconds.
//!
//! Invariant: what is measured is the program itself, from the outside.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How many cases are to be live at once.
const CASES: usize = 1_000;

/// The most that was seen of a process.
#[derive(Default)]
struct Peak {
    resident_kib: u64,
    descriptors: usize,
}

fn main() {
    let seconds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(90u32);
    let folder = std::env::temp_dir().join(format!("stateline-bench-{}", std::process::id()));
    let length = format!("{seconds}s");
    let (record, peak) = run(&folder, &["--max-length", &length]);
    let played = cases(&record);
    let longest = played.iter().map(|case| case["planned_ms"].as_f64().unwrap_or_default());
    let longest = longest.fold(0.0, f64::max);
    let wall = record["run"]["wall"]["ms"].as_f64().unwrap_or_default();
    println!(
        "the suite to {length}: {} cases in {:.1} s, {:.3} times its longest planned length; {}",
        played.len(),
        wall / 1_000.0,
        wall / longest,
        peak.words(played.len()),
    );
    let repeat = CASES.div_ceil(played.len().max(1)).to_string();
    let (record, peak) = run(&folder, &["--max-length", &length, "--repeat", &repeat]);
    let played = cases(&record);
    let wall = record["run"]["wall"]["ms"].as_f64().unwrap_or_default();
    println!(
        "{} cases at once in {:.1} s; {}",
        played.len(),
        wall / 1_000.0,
        peak.words(played.len())
    );
    println!("verdicts: {}", record["totals"]);
    // What is left of it does no harm.
    let _ = std::fs::remove_dir_all(folder);
}

impl Peak {
    fn words(&self, cases: usize) -> String {
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let each = self.descriptors as f64 / cases.max(1) as f64;
        format!(
            "at most {} MiB resident, {} descriptors, {each:.2} a case",
            self.resident_kib >> 10,
            self.descriptors
        )
    }

    fn look(&mut self, child: &Child) {
        let process = Path::new("/proc").join(child.id().to_string());
        let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = resident.and_then(|line| line.split_whitespace().next()?.parse().ok());
        self.resident_kib = self.resident_kib.max(kib.unwrap_or_default());
        let descriptors = std::fs::read_dir(process.join("fd")).map_or(0, Iterator::count);
        self.descriptors = self.descriptors.max(descriptors);
    }
}

/// The cases that were played.
fn cases(record: &Value) -> Vec<&Value> {
    let cases = record["cases"].as_array().map(Vec::as_slice).unwrap_or_default();
    cases.iter().filter(|case| !case["verdict"].is_null()).collect()
}

fn run(folder: &Path, arguments: &[&str]) -> (Value, Peak) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stateline"))
        .args(["run", "--time", "real", "--quiet", "--no-trace", "--out"])
        .arg(folder)
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("it was built for this");
    let mut peak = Peak::default();
    while child.try_wait().expect("it is our child").is_none() {
        peak.look(&child);
        std::thread::sleep(Duration::from_millis(50));
    }
    let text = std::fs::read(folder.join("run.json")).expect("a run leaves its record");
    (serde_json::from_slice(&text).expect("it is JSON"), peak)
}
