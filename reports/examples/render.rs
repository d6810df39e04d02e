//! Renders a run record from standard input as the HTML report on standard output.
//!
//! `cargo run -p stateline-reports --example render < stateline-out/run.json > report.html` shows an
//! old record as today's page; the browser tests render records with it that no real run would give.
//!
//! Not responsible for judging anything: the verdicts are those of the record. Invariant: it reads
//! standard input and writes standard output, and nothing else.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use stateline_core::record::RunRecord;
use stateline_reports::html;

fn main() -> std::io::Result<()> {
    let record: RunRecord = serde_json::from_reader(std::io::stdin().lock())?;
    print!("{}", html::render(&record, &html::Options::default()));
    Ok(())
}
