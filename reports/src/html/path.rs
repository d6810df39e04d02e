//! The nearest allowed path: how far the table explains a case, the step that left it, and what would
//! have been allowed instead.
//!
//! Not responsible for judging: it tells what the findings and the story of a case say.
//!
//! Invariant: it names no row that the story or a finding does not name.

use crate::text;
use stateline_core::record::{
    CaseRecord, End, Finding, Force, ProfileRecord, RowRecord, Stay, Story, Wait,
};
use stateline_core::time::Micros;

/// A state is a word of the document, or what a client said instead.
const MOST_TEXT: usize = 80;
/// What was expected or seen, at most: a page is for reading.
const MOST_SAID: usize = 600;
/// So many steps are told before some are left out.
const MOST_STEPS: usize = 12;
/// So many of the last steps are then told.
const LAST_STEPS: usize = 8;

/// How far the table explains what a client did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) client: String,
    pub(crate) steps: Vec<Step>,
    /// How many steps between the first and the last ones are left out.
    pub(crate) n_left_out: usize,
    /// Where it ends, if the client left it.
    pub(crate) departure: Option<Departure>,
    /// What would have been allowed then, or was still awaited at the end.
    pub(crate) instead: Vec<Instead>,
}

/// A change of state that a row explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its place among all steps, from 1.
    pub(crate) number: usize,
    pub(crate) at: Micros,
    pub(crate) to: String,
    /// The row and what it says; none for the state that a client starts in.
    pub(crate) row: Option<(String, String)>,
}

/// The first step that no row explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Departure {
    pub(crate) at: Micros,
    /// In a word: `overdue`, `too early`, `forbidden`, `unexplained`, `not as documented`.
    pub(crate) word: &'static str,
    pub(crate) row: String,
    pub(crate) observed: String,
    /// The event that shows it; none where nothing came.
    pub(crate) n: Option<u32>,
}

/// Something that was allowed, demanded or forbidden at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instead {
    /// `must`, `may`, `must not`, or `expected` where the story knows of no wait.
    pub(crate) force: &'static str,
    /// The row, where one says so.
    pub(crate) row: Option<String>,
    pub(crate) wanted: String,
    /// When.
    pub(crate) window: String,
}

impl Path {
    /// The path of the client that a case is about.
    pub(crate) fn of(profile: Option<&ProfileRecord>, case: &CaseRecord) -> Self {
        Self::until(profile, case, first_finding(case))
    }

    /// The path of the client that a finding of the case is about, up to there.
    pub(crate) fn until(
        profile: Option<&ProfileRecord>,
        case: &CaseRecord,
        finding: Option<&Finding>,
    ) -> Self {
        let nothing = Story::default();
        let story = case.story.as_ref().unwrap_or(&nothing);
        let named = finding.map(|finding| &finding.client).filter(|name| !name.is_empty());
        let client = named.map_or_else(|| main_client(case), ToString::to_string);
        let departure = finding.map(|finding| departure(profile, case, finding));
        let before = |stay: &&Stay| match &departure {
            None => true,
            Some(Departure { n: Some(n), .. }) => stay.n.is_none_or(|stay| stay < *n),
            Some(Departure { at, .. }) => stay.from < *at,
        };
        let stays = story.stays.iter().filter(|stay| stay.client == client && stay.allowed);
        let step = |(at, stay): (usize, &Stay)| Step {
            number: at + 1,
            at: stay.from,
            to: text::shorten(&stay.state, MOST_TEXT),
            row: stay.row.as_ref().map(|row| (row.to_string(), title(profile, row).to_owned())),
        };
        let mut steps: Vec<Step> = stays.filter(before).enumerate().map(step).collect();
        let n_left_out = if steps.len() > MOST_STEPS {
            steps.drain(MOST_STEPS - LAST_STEPS..steps.len() - LAST_STEPS).count()
        } else {
            0
        };
        let instead = match (&departure, finding) {
            (Some(departure), Some(finding)) => {
                let state = steps.last().map(|step| step.to.as_str());
                instead(profile, story, &client, departure, finding, state)
            }
            _ => still_awaited(story, &client),
        };
        Self { client, steps, n_left_out, departure, instead }
    }
}

/// The finding that a case is told by.
pub(crate) fn first_finding(case: &CaseRecord) -> Option<&Finding> {
    case.findings.iter().find(|finding| !finding.consequent).or_else(|| case.findings.first())
}

/// The client that a case is told of: the one that the first finding is about, or the first of the case.
pub(crate) fn main_client(case: &CaseRecord) -> String {
    let found = first_finding(case).map(|finding| &finding.client).filter(|name| !name.is_empty());
    let story = case.story.as_ref().and_then(|story| story.stays.first()).map(|stay| &stay.client);
    let seen = || case.trace.iter().find_map(|event| event.client.as_ref());
    found.or(story).or_else(seen).map(ToString::to_string).unwrap_or_default()
}

fn row_of<'a>(profile: Option<&'a ProfileRecord>, id: &str) -> Option<&'a RowRecord> {
    profile?.rows.iter().find(|row| row.id == *id)
}

fn title<'a>(profile: Option<&'a ProfileRecord>, id: &str) -> &'a str {
    row_of(profile, id).map_or("", |row| row.title.as_str())
}

fn departure(profile: Option<&ProfileRecord>, case: &CaseRecord, finding: &Finding) -> Departure {
    let waits = case.story.iter().flat_map(|story| &story.waits);
    let mut mine = waits.filter(|wait| wait.client == finding.client && wait.row == finding.row);
    let n = finding.trace.1;
    let shown = case.trace.iter().find(|event| event.n == n);
    // A breach by absence becomes certain later than the last event that shows it.
    let nothing_came = shown.is_some_and(|event| event.at < finding.at)
        || mine.clone().any(|wait| {
            wait.end == End::Overdue && wait.until.is_some_and(|until| until <= finding.at)
        });
    let is_running = |wait: &Wait| was_open(wait, finding.at, Some(n));
    let kind = row_of(profile, &finding.row).map(|row| row.kind.as_str());
    let word = if nothing_came {
        "overdue"
    } else if mine.clone().any(|wait| wait.force == Force::Never) || kind == Some("never") {
        "forbidden"
    } else if mine.any(|wait| is_running(wait) && wait.from > finding.at) {
        "too early"
    } else if kind.is_none() {
        "unexplained"
    } else {
        "not as documented"
    };
    Departure {
        at: finding.at,
        word,
        row: finding.row.to_string(),
        observed: text::shorten(&finding.observed, MOST_SAID),
        n: (!nothing_came).then_some(n),
    }
}

/// Whether a wait went on just before an instant: before the event of that number, where one shows it.
fn was_open(wait: &Wait, at: Micros, n: Option<u32>) -> bool {
    let began = n.is_none_or(|n| wait.cause < n);
    let ended = match (wait.ended, n) {
        (None, _) => false,
        (Some(ended), None) => ended < at,
        (Some(ended), Some(n)) => ended < at || (ended == at && wait.by.is_some_and(|by| by < n)),
    };
    began && !ended
}

fn instead(
    profile: Option<&ProfileRecord>,
    story: &Story,
    client: &str,
    departure: &Departure,
    finding: &Finding,
    state: Option<&str>,
) -> Vec<Instead> {
    let last = departure.n.unwrap_or_else(|| finding.trace.1.saturating_add(1));
    let at_issue = |wait: &Wait| wait.row == departure.row;
    // A breach may lead to a state in which a row applies whose trigger was there before.
    let applies = |wait: &Wait| {
        let from = row_of(profile, &wait.row).map_or(&[][..], |row| &row.from);
        from.is_empty() || state.is_none_or(|state| from.iter().any(|one| one == state))
    };
    let mut open: Vec<&Wait> = story
        .waits
        .iter()
        .filter(|wait| at_issue(wait) || applies(wait))
        .filter(|wait| wait.client == client && was_open(wait, departure.at, Some(last)))
        .filter(|wait| !(wait.end == End::Met && wait.by == departure.n && departure.n.is_some()))
        // What became overdue earlier is told by an earlier finding.
        .filter(|wait| at_issue(wait) || wait.until.is_none_or(|until| until >= departure.at))
        .collect();
    open.sort_by_key(|wait| (!at_issue(wait), rank(wait.force), wait.from));
    open.dedup_by(|a, b| a.row == b.row && a.wanted == b.wanted && a.until == b.until);
    let mut told: Vec<Instead> = open.iter().map(|wait| told(wait, departure.at)).collect();
    if !open.iter().any(|wait| at_issue(wait)) && !finding.expected.is_empty() {
        let row = Some(departure.row.clone()).filter(|row| !row.is_empty());
        let one = Instead {
            force: "expected",
            row,
            wanted: text::shorten(&finding.expected, MOST_SAID),
            window: String::new(),
        };
        told.insert(0, one);
    }
    if let (Some(state), Some(_)) = (state, departure.n) {
        told.push(Instead {
            force: "may",
            row: None,
            wanted: format!("stay in {state}"),
            window: String::new(),
        });
    }
    told
}

/// What was demanded and had not come when the case ended.
fn still_awaited(story: &Story, client: &str) -> Vec<Instead> {
    let open = story
        .waits
        .iter()
        .filter(|wait| wait.client == client && wait.force == Force::Must && wait.end == End::Open);
    open.map(|wait| told(wait, wait.from)).collect()
}

const fn rank(force: Force) -> u8 {
    match force {
        Force::Must => 0,
        Force::May => 1,
        Force::Never => 2,
    }
}

fn told(wait: &Wait, at: Micros) -> Instead {
    let from = text::instant(wait.from);
    let until = wait.until.map(text::instant);
    let window = match (wait.force, until) {
        (Force::Never, Some(until)) => format!("from {from} until {until}"),
        (Force::Never, None) => format!("from {from} on"),
        (_, Some(until)) if wait.from > at => format!("not before {from}, by {until}"),
        (_, Some(until)) => format!("between {from} and {until}"),
        (_, None) => format!("from {from} on"),
    };
    Instead {
        force: match wait.force {
            Force::Must => "must",
            Force::May => "may",
            Force::Never => "must not",
        },
        row: Some(wait.row.to_string()),
        wanted: text::shorten(&wait.wanted, MOST_SAID),
        window,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::story::told as cases_told;
    use std::fmt::Write;

    /// A path in words.
    fn in_words(path: &Path) -> String {
        let mut words = String::new();
        for step in &path.steps {
            let by = step.row.as_ref().map(|(row, _)| format!(" by {row}")).unwrap_or_default();
            writeln!(words, "{}. {} {}{by}", step.number, step.at, step.to).unwrap();
        }
        if let Some(left) = &path.departure {
            writeln!(words, "{} {} {}: {}", left.word, left.at, left.row, left.observed).unwrap();
        }
        for one in &path.instead {
            let row = one.row.as_deref().unwrap_or("-");
            writeln!(words, "{row} {}: {} [{}]", one.force, one.wanted, one.window).unwrap();
        }
        words
    }

    fn path_of(word: &str) -> String {
        let record = cases_told();
        let paths = record.cases.iter().map(|case| Path::of(record.profiles.first(), case));
        let mut mine = paths.filter(|path| match &path.departure {
            Some(left) => left.word == word,
            None => word == "pass",
        });
        in_words(&mine.next().unwrap())
    }

    #[test]
    fn a_report_that_was_too_early_may_come_later() {
        insta::assert_snapshot!(path_of("too early"), @r"
        1. 0s disconnected
        2. 0s connecting by L1
        3. 35.718ms connected by L3
        too early 3.182021s C2: state reconnecting (reason interrupted)
        C2 must: a report (state reconnecting, reason interrupted) [not before 5.682021 s, by 6.682021 s]
        - may: stay in connected []
        ");
    }

    #[test]
    fn a_report_that_did_not_come_had_a_deadline() {
        insta::assert_snapshot!(path_of("overdue"), @r"
        1. 0s disconnected
        2. 0s connecting by L1
        3. 57.662ms connected by L3
        overdue 10.057662s C5: nothing of the kind
        C5 must: a report (state disconnected, reason logout) [between 0.057662 s and 10.057662 s]
        ");
    }

    #[test]
    fn a_dial_that_is_forbidden_leaves_a_path_that_was_right() {
        insta::assert_snapshot!(path_of("forbidden"), @r"
        1. 0s disconnected
        2. 0s connecting by L1
        3. 35.87ms connected by L3
        4. 1.748746s disconnected by C5
        forbidden 4.748746s N8: a connection attempt
        N8 expected: no attempt after logout []
        - may: stay in disconnected []
        ");
    }

    #[test]
    fn a_state_that_nothing_explains_ends_the_path_before_it() {
        insta::assert_snapshot!(path_of("unexplained"), @r"
        1. 0s disconnected
        2. 0s connecting by L1
        3. 35.718ms connected by L3
        unexplained 3.682021s otherwise: state connecting (reason interrupted)
        otherwise expected: no report of this kind in state connected without a cause []
        C2 must: a report (state reconnecting, reason interrupted) [not before 5.682021 s, by 6.682021 s]
        - may: stay in connected []
        ");
    }

    #[test]
    fn a_pass_is_explained_to_its_end() {
        insta::assert_snapshot!(path_of("pass"), @r"
        1. 0s disconnected
        2. 0s connecting by L1
        3. 52.886ms connected by L3
        4. 1.542921s aborted by C4
        ");
    }

    #[test]
    fn a_long_path_tells_its_ends() {
        let mut record = cases_told();
        let case = record.cases.last_mut().unwrap();
        let client = main_client(case);
        let story = case.story.as_mut().unwrap();
        let stay = story.stays.iter().find(|stay| stay.client == client).unwrap().clone();
        story.stays = (0..40)
            .map(|at| Stay { from: Micros::from_secs(at), n: Some(at as u32), ..stay.clone() })
            .collect();
        let path = Path::of(None, case);
        let numbers: Vec<usize> = path.steps.iter().map(|step| step.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 33, 34, 35, 36, 37, 38, 39, 40]);
        assert_eq!(path.n_left_out, 28);
    }

    #[test]
    fn what_was_awaited_when_a_case_ended_is_told() {
        let mut record = cases_told();
        let case = record.cases.last_mut().unwrap();
        let client = main_client(case);
        let wait = case.story.as_mut().unwrap().waits.iter_mut().find(|wait| wait.client == client);
        let wait = wait.unwrap();
        (wait.ended, wait.by, wait.end) = (None, None, End::Open);
        let path = Path::of(None, case);
        assert_eq!(path.instead.len(), 1, "{path:?}");
        assert_eq!(path.instead[0].force, "must");
    }

    #[test]
    fn a_case_without_a_story_has_an_empty_path() {
        let mut case = cases_told().cases.remove(0);
        case.story = None;
        case.trace.clear();
        let path = Path::of(None, &case);
        assert!(path.steps.is_empty());
        assert_eq!(path.departure.map(|left| left.n), Some(Some(case.findings[0].trace.1)));
    }
}
