//! The coverage as a table for spreadsheets: one line a requirement.
//!
//! Not responsible for files. Invariant: no cell is a formula, whatever stands in it.

use crate::terminal::profile_name;
use crate::text::{Mark, visible};
use csv::Writer;
use indexmap::IndexSet;
use stateline_core::record::{ProfileRecord, RunRecord};

/// The names of the columns.
pub const COLUMNS: [&str; 9] =
    ["profile", "id", "section", "basis", "strictness", "status", "by", "cases", "defects"];

/// The table with its head: `cases` is how many decided it, `defects` are the known faults of the reference
/// clients that break it.
#[must_use]
pub fn render(record: &RunRecord) -> String {
    let mut out = Writer::from_writer(Vec::new());
    // Writing into memory cannot fail, and every line has as many cells as the head.
    let _ = out.write_record(COLUMNS);
    let mut entries = record.coverage.as_slice();
    for profile in &record.profiles {
        // Entries stand profile by profile, and an id may stand in two of them.
        let of = |id: &str| profile.requirements.iter().find(|known| known.id == id);
        let mut told = IndexSet::new();
        while let Some((entry, rest)) = entries.split_first()
            && let Some(requirement) = of(&entry.requirement)
            && told.insert(&entry.requirement)
        {
            entries = rest;
            let cells = [
                profile_name(profile),
                entry.requirement.to_string(),
                requirement.section.clone(),
                requirement.basis.as_str().to_owned(),
                requirement.strictness.as_str().to_owned(),
                Mark::of_coverage(entry.status).word.replace(' ', "-"),
                entry.by.to_string(),
                entry.cases.len().to_string(),
                defects(profile, &entry.requirement),
            ];
            let _ = out.write_record(cells.map(|cell| inert(&cell)));
        }
    }
    // Flushing into memory cannot fail, and only UTF-8 was written.
    out.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

fn defects(profile: &ProfileRecord, id: &str) -> String {
    let breaking = profile.defects.iter().filter(|defect| defect.breaks == id);
    breaking.map(|defect| defect.id.as_str()).collect::<Vec<_>>().join(" ")
}

/// A cell that a spreadsheet takes for text: an apostrophe stands before what would begin a formula.
fn inert(cell: &str) -> String {
    let cell = visible(cell, &[]);
    if cell.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        format!("'{cell}")
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    fn lines(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader.records().map(|line| line.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn each_requirement_has_a_line() {
        let record = sample();
        let text = render(&record);
        assert!(text.starts_with("profile,id,section,"), "{text}");
        let lines = lines(&text);
        assert_eq!(lines.len(), record.coverage.len());
        for (line, entry) in lines.iter().zip(&record.coverage) {
            assert_eq!(line.len(), COLUMNS.len());
            assert_eq!(line[1], entry.requirement);
            assert_eq!(line[7], entry.cases.len().to_string());
        }
        let violated = lines.iter().find(|line| line[1] == "SR-CONN-02").unwrap();
        assert_eq!(violated[2..7], ["Connected", "explicit", "MUST", "violated", "client"]);
    }

    #[test]
    fn an_id_of_two_profiles_is_told_for_each() {
        let mut record = sample();
        let mut twin = record.profiles[0].clone();
        twin.variant = Some("web".into());
        twin.requirements[0].section = "Elsewhere".to_owned();
        record.profiles.push(twin);
        record.coverage.extend(record.coverage.clone());
        let lines = lines(&render(&record));
        let n = record.profiles[0].requirements.len();
        assert_eq!(lines.len(), 2 * n);
        assert_eq!((lines[0][0].as_str(), lines[0][2].as_str()), ("sample-rtm", "Definitions"));
        assert_eq!((lines[n][0].as_str(), lines[n][2].as_str()), ("sample-rtm@web", "Elsewhere"));
    }

    #[test]
    fn no_cell_is_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r\n=1", "＝1"] {
            let mut record = sample();
            record.profiles[0].requirements[0].section = formula.to_owned();
            let cell = lines(&render(&record))[0][2].clone();
            let first = cell.trim_start().chars().next().unwrap();
            assert!(first == '\'' || first == '\\', "{formula:?} became {cell:?}");
        }
    }
}
