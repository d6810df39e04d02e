//! Prints a report over a made-up run, to look at while working on the reports.
//!
//! `cargo run -p stateline-reports --example sample -- html > sample.html`; the first argument is
//! `html`, `terminal` or `json`, the second, if any, `green` or a number of cases.
//!
//! Not responsible for real runs; the command line tool renders those. Invariant: it writes to
//! standard output alone.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "the sample belongs to the tests and serves them, too"
)]

use stateline_reports::{html, json, terminal};

#[path = "../src/sample/mod.rs"]
mod sample;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let format = args.next().unwrap_or_default();
    let record = match args.next() {
        None => sample::with_known(),
        Some(word) => word.parse().map_or_else(|_| sample::green(), sample::large),
    };
    match format.as_str() {
        "html" => print!("{}", html::render(&record, &html::Options::default())),
        "json" => json::write(&record, std::io::stdout().lock())?,
        _ => print!(
            "{}",
            terminal::render(&record, &terminal::Options { colour: true, ..Default::default() })
        ),
    }
    Ok(())
}
