//! Speed and size of the HTML report: 200 and 10,000 cases.
//!
//! Prints medians. Not a test: it asserts no time. Run it with `cargo bench -p stateline-reports --bench
//! html`; with `-- RUN.JSON` it deals out the cases of that record, timelines included, instead of those of
//! the made-up one: 300 of 10,000 did not pass, where the record has any.
//!
//! Invariant: what is measured is rendering alone.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the sample belongs to the tests and serves the benchmark, too"
)]

use stateline_core::record::{CaseRecord, RunRecord, Verdict};
use stateline_reports::html::{Options, render};
use std::time::Instant;

#[path = "../src/sample/mod.rs"]
mod sample;

fn main() {
    let path = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let record: Option<RunRecord> = path.map(|path| {
        let text = std::fs::read(&path).expect("the argument is a file");
        serde_json::from_slice(&text).expect("it holds a run record")
    });
    for n in [200, 10_000] {
        let record = record.as_ref().map_or_else(|| sample::large(n), |record| dealt(record, n));
        let told = record.cases.iter().filter(|case| case.story.is_some()).count();
        let times = if n < 1_000 { 31 } else { 5 };
        let mut spent: Vec<f64> = (0..times).map(|_| timed(&record)).collect();
        spent.sort_by(f64::total_cmp);
        let size = render(&record, &Options::default()).len();
        println!(
            "{n} cases, {told} of them told: {:.1} ms, {:.2} MB",
            spent[times / 2],
            size as f64 / 1e6
        );
    }
}

fn timed(record: &RunRecord) -> f64 {
    let start = Instant::now();
    std::hint::black_box(render(record, &Options::default()));
    start.elapsed().as_secs_f64() * 1_000.0
}

/// As many cases, in scenarios of 20: the record's own, again and again, and 3 of 100 that did not pass.
fn dealt(record: &RunRecord, n: usize) -> RunRecord {
    let (passed, others): (Vec<&CaseRecord>, Vec<&CaseRecord>) =
        record.cases.iter().partition(|case| case.verdict == Some(Verdict::Pass));
    let case = |at: usize| {
        let from = if (at % 100 < 3 && !others.is_empty()) || passed.is_empty() {
            &others
        } else {
            &passed
        };
        let mut case = from[at % from.len()].clone();
        case.id =
            format!("{}/family-{}/scenario-{}[n={at}]", case.profile, at / 200, at / 20).into();
        if case.verdict == Some(Verdict::Pass) && at % 20 != 3 {
            case.story = None;
        }
        case
    };
    RunRecord { cases: (0..n).map(case).collect(), ..record.clone() }
}
