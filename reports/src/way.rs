//! How far the table explains a case, the step that left it, and what would have been allowed instead, line by
//! line.
//!
//! Not responsible for finding any of that; the report's page of a case shows the same.
//!
//! Invariant: what a client said reaches a line only through the record's own words.

use crate::html::path::{Departure, Instead, Path, Step};
use crate::text;
use stateline_core::record::{CaseRecord, Finding, RunRecord};

/// The way of one client, in lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What rows explain, from the start.
    pub allowed: Vec<String>,
    /// The first step that no row explains.
    pub left: Option<String>,
    /// What is wrong with it: `overdue`, `too early`, `forbidden`, `unexplained`, `not as documented`.
    pub word: Option<&'static str>,
    /// What would have been allowed then, or was still awaited at the end.
    pub instead: Vec<String>,
}

/// The way of the client that a finding is about, up to there; without a finding, of the whole case. `None`
/// where the record does not hold what the table expected.
#[must_use]
pub fn way(record: &RunRecord, case: &CaseRecord, finding: Option<&Finding>) -> Option<Way> {
    case.story.as_ref()?;
    let profile = record.profiles.iter().find(|profile| profile.id == case.profile);
    let Path { steps, n_left_out, departure, instead, .. } = Path::until(profile, case, finding);
    let mut allowed: Vec<String> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        // Steps that are left out leave a gap in the numbers.
        if step.number == at + 1 + n_left_out && allowed.len() == at && n_left_out > 0 {
            allowed.push(format!("… {} …", text::count(n_left_out, "step")));
        }
        allowed.push(told(step));
    }
    Some(Way {
        allowed,
        left: departure.as_ref().map(departed),
        word: departure.as_ref().map(|departure| departure.word),
        instead: instead.iter().map(permitted).collect(),
    })
}

fn told(step: &Step) -> String {
    let at = text::instant(step.at);
    match &step.row {
        None => format!("{at}: {}", step.to),
        Some((row, title)) if title.is_empty() => format!("{at}: {} by {row}", step.to),
        Some((row, title)) => format!("{at}: {} by {row}: {title}", step.to),
    }
}

fn departed(Departure { at, word, row, observed, n }: &Departure) -> String {
    let event = n.map(|n| format!(" (event {n})")).unwrap_or_default();
    format!("{}: {observed}{event}, {word}, by {row}", text::instant(*at))
}

fn permitted(Instead { force, row, wanted, window }: &Instead) -> String {
    match row {
        None => format!("{force} {wanted}"),
        // What is wanted without a window is what the row says as a whole.
        Some(row) if window.is_empty() => format!("{row}: {wanted}"),
        Some(row) => format!("{row}: {force} {wanted}, {window}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;
    use stateline_core::record::{Stay, Story};
    use stateline_core::time::Micros;

    /// A case in which a client goes to and fro `n` times, once a second.
    fn case(n: u64) -> CaseRecord {
        let stays = (0..n).map(|at| Stay {
            client: "alice".into(),
            state: if at % 2 == 0 { "there".into() } else { "here".into() },
            from: Micros::from_secs(at),
            to: Some(Micros::from_secs(at + 1)),
            n: Some(u32::try_from(at).unwrap()),
            row: (at > 0).then(|| format!("R{at}").into()),
            allowed: true,
        });
        let story = Story { stays: stays.collect(), waits: Vec::new() };
        CaseRecord { story: Some(story), ..CaseRecord::blank("p/a".into(), "p".into(), 0) }
    }

    #[test]
    fn a_long_way_is_told_by_its_ends() {
        let record = sample();
        let told = way(&record, &case(3), None).unwrap();
        assert_eq!(told.allowed, ["0.000 s: there", "1.000 s: here by R1", "2.000 s: there by R2"]);
        assert_eq!((told.left, told.word, told.instead), (None, None, Vec::new()));
        let told = way(&record, &case(30), None).unwrap().allowed;
        let gap = told.iter().position(|line| line.starts_with('…')).unwrap();
        let left_out: usize = told[gap].split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(told.len() - 1 + left_out, 30, "{told:?}");
        assert_eq!(
            (told[0].as_str(), told.last().unwrap().as_str()),
            ("0.000 s: there", "29.000 s: here by R29")
        );
        assert!(told[gap + 1].contains(&format!("R{}", gap + left_out)), "{told:?}");
    }

    #[test]
    fn a_finding_ends_the_way() {
        let record = sample();
        let all = record
            .cases
            .iter()
            .flat_map(|case| case.findings.iter().map(move |found| (case, found)));
        let told: Vec<Way> =
            all.filter_map(|(case, finding)| way(&record, case, Some(finding))).collect();
        assert!(!told.is_empty());
        for way in &told {
            assert!(way.left.is_some() && way.word.is_some(), "{way:?}");
        }
        let blank = CaseRecord::blank("p/a".into(), "p".into(), 0);
        assert_eq!(way(&record, &blank, None), None);
    }
}
