//! What must hold of every timeline, whatever a case was like.
//!
//! Not responsible for the look; that is for eyes. Invariant: the checks look at places, not at markup.

use super::super::lanes::{Item, Label};
use super::super::path::Path as AllowedPath;
use super::*;
use crate::sample::sample;
use crate::sample::story::told;
use proptest::prelude::*;
use stateline_core::record::{End, Finding, Force, Stay, Story, Wait};
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};
use stateline_core::value::Fields;

const CLIENTS: [&str; 3] = ["alice", "bob", "</text><script>\u{202e}"];
const STATES: [&str; 4] =
    ["disconnected", "connected", "a state with a very long name indeed", "x"];

/// An event without a time.
fn event() -> impl Strategy<Value = (Plane, &'static str, Fields, usize, u64)> {
    let fields = Fields::new;
    let op = |op: &'static str| Fields::new().with("op", op).with("call", 0_i64);
    let frame = |dir: &'static str, message: &'static str| {
        Fields::new().with("dir", dir).with("message", message)
    };
    let kinds = vec![
        (Plane::Control, "call", op("login")),
        (Plane::Control, "result", op("login").with("code", "ok")),
        (Plane::Control, "state", fields().with("state", STATES[2]).with("reason", "]]>\"'&")),
        (Plane::Control, "event", fields().with("event", "member-joined")),
        (Plane::Wire, "frame", frame("sent", "ping")),
        (Plane::Wire, "frame", frame("received", "pong")),
        (Plane::Wire, "frame", frame("received", "\u{1b}[2J<b>")),
        (Plane::Network, "attempt", fields().with("conn", 1_i64)),
        (Plane::Network, "opened", fields().with("conn", 1_i64)),
        (Plane::Network, "failed", fields().with("conn", 1_i64)),
        (Plane::Network, "closed", fields().with("conn", 1_i64).with("by", "client")),
        (Plane::Network, "down", fields().with("kind", "black-hole")),
        (Plane::Network, "up", fields()),
        (Plane::Server, "presence.online", fields()),
        (Plane::Server, "presence.removed", fields()),
        (Plane::Server, "server.rejected", fields()),
        (Plane::Harness, "step", fields().with("text", "wait: 4s")),
    ];
    let gaps = prop_oneof![Just(0), 1..2_000u64, 10_000..5_000_000u64, 5_000_000..1_300_000_000u64];
    (prop::sample::select(kinds), 0..CLIENTS.len(), gaps)
        .prop_map(|((plane, kind, data), client, gap)| (plane, kind, data, client, gap))
}

prop_compose! {
    fn stay()(client in 0..CLIENTS.len(), state in 0..STATES.len(), length in 0..90_000_000u64, known in any::<bool>())
        -> (usize, Stay) {
        (client, Stay {
            client: CLIENTS[client].into(),
            state: STATES[state].into(),
            from: Micros::ZERO,
            to: Some(Micros(length)),
            n: None,
            row: known.then(|| "L1".into()),
            allowed: known,
        })
    }
}

prop_compose! {
    fn wait()(
        client in 0..CLIENTS.len(),
        row in "[A-Z][0-9]{1,2}",
        force in prop::sample::select(vec![Force::Must, Force::May, Force::Never]),
        end in prop::sample::select(vec![End::Met, End::Overdue, End::Withdrawn, End::Over, End::Open]),
        from in 0..200_000_000u64,
        until in prop::option::of(0..300_000_000u64),
        ended in prop::option::of(0..300_000_000u64),
        cause in 0..40u32,
    ) -> Wait {
        Wait {
            client: CLIENTS[client].into(),
            row: row.into(),
            requirement: None,
            force,
            wanted: "a report".into(),
            cause,
            from: Micros(from),
            until: until.map(|until| Micros(from + until)),
            ended: ended.map(|ended| Micros(from + ended)),
            by: None,
            end,
        }
    }
}

prop_compose! {
    fn case()(
        events in prop::collection::vec(event(), 0..120),
        stays in prop::collection::vec(stay(), 0..14),
        waits in prop::collection::vec(wait(), 0..24),
        found in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..9_000_000u64)),
    ) -> CaseRecord {
        let mut case = sample().cases.remove(0);
        let mut at = Micros::ZERO;
        case.findings.clear();
        case.trace = events
            .into_iter()
            .zip(0..)
            .map(|((plane, kind, data, client, gap), n)| {
                at += Micros(gap);
                let client = Some(CLIENTS[client].into());
                Event { n, at, client, plane, kind: kind.into(), data }
            })
            .collect();
        let mut since = [Micros::ZERO; CLIENTS.len()];
        let mut story = Story { stays: Vec::new(), waits };
        for (client, mut stay) in stays {
            stay.from = since[client];
            since[client] += stay.to.unwrap_or_default();
            stay.to = Some(since[client]);
            story.stays.push(stay);
        }
        if let (Some((event, wait, late)), false, false) =
            (found, case.trace.is_empty(), story.waits.is_empty())
        {
            let (event, wait) = (event.get(&case.trace), wait.get(&story.waits));
            let finding = told().cases.remove(0).findings.remove(0);
            case.findings.push(Finding {
                row: wait.row.clone(),
                client: wait.client.clone(),
                at: event.at + Micros(late),
                trace: (event.n, event.n),
                ..finding
            });
        }
        case.story = Some(story);
        case
    }
}

fn timelines(case: &CaseRecord) -> Vec<(Timeline, Detail, Option<Departure>)> {
    let departure = AllowedPath::of(None, case).departure;
    [Detail::Full, Detail::Small]
        .into_iter()
        .map(|detail| {
            let timeline = Timeline::of(case, departure.as_ref(), detail).unwrap();
            (timeline, detail, departure.clone())
        })
        .collect()
}

fn meet(a: (i32, i32, i32, i32), b: (i32, i32, i32, i32)) -> bool {
    a.0 < b.0 + b.2 && b.0 < a.0 + a.2 && a.1 < b.1 + b.3 && b.1 < a.1 + a.3
}

fn label_box(label: &Label) -> (i32, i32, i32, i32) {
    (label.x, label.y - 8, width(&label.text), 9)
}

fn item_box(item: &Item) -> (i32, i32, i32, i32) {
    (item.x, item.y, item.w, item.h)
}

/// What must hold of a drawing.
fn check(timeline: &Timeline) -> Result<(), TestCaseError> {
    let mut below = 0;
    for lane in &timeline.lanes {
        prop_assert!(lane.y >= below && lane.h > 0, "lane {} begins in the one above", lane.name);
        below = lane.y + lane.h;
        prop_assert!(below <= timeline.height);
        let within = |(x, y, w, h): (i32, i32, i32, i32)| {
            x >= 0 && x + w <= WIDTH && y >= lane.y && y + h <= lane.y + lane.h
        };
        for item in &lane.items {
            prop_assert!(within(item_box(item)), "{item:?} leaves lane {lane:?}");
        }
        for (at, label) in lane.labels.iter().enumerate() {
            prop_assert!(within(label_box(label)), "{label:?} leaves lane {} {}", lane.y, lane.h);
            for other in &lane.labels[at + 1..] {
                prop_assert!(
                    !meet(label_box(label), label_box(other)),
                    "{label:?} meets {other:?}"
                );
            }
        }
        let lasting: Vec<&Item> = lane.items.iter().filter(|item| is_lasting(item.shape)).collect();
        for (at, item) in lasting.iter().enumerate() {
            for other in &lasting[at + 1..] {
                prop_assert!(!meet(item_box(item), item_box(other)), "{item:?} meets {other:?}");
            }
        }
    }
    for pair in timeline.ticks.windows(2) {
        prop_assert!(pair[0].at < pair[1].at && pair[0].x <= pair[1].x);
        let end = pair[0].middle + width(&pair[0].label) / 2;
        prop_assert!(end <= pair[1].middle - width(&pair[1].label) / 2, "{pair:?}");
    }
    if let Some((x, label)) = &timeline.flag {
        prop_assert!((LEFT..=RIGHT).contains(x) && label.starts_with('✗'));
    }
    Ok(())
}

fn is_lasting(shape: Shape) -> bool {
    !matches!(shape, Shape::Mark | Shape::Sent | Shape::Received)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn everything_has_its_place(case in case()) {
        for (timeline, ..) in timelines(&case) {
            check(&timeline)?;
            let svg = timeline.svg();
            prop_assert!(!svg.as_str().contains("<script") && !svg.as_str().contains("]]>"));
            prop_assert!(!svg.as_str().contains(char::is_control));
        }
    }

    #[test]
    fn each_demand_with_an_end_is_drawn(case in case()) {
        let client = main_client(&case);
        for (timeline, detail, departure) in timelines(&case) {
            let demands = case.story.iter().flat_map(|story| &story.waits).filter(|wait| {
                let began = wait.ended.is_none_or(|ended| ended >= wait.from);
                wait.client == client && wait.force == Force::Must && wait.until.is_some() && began
            });
            let bands: Vec<String> = timeline
                .lanes
                .iter()
                .flat_map(|lane| &lane.labels)
                .map(|label| label.text.clone())
                .collect();
            for wait in demands {
                prop_assert!(
                    bands.iter().any(|label| label.split(' ').next() == Some(wait.row.as_str())),
                    "{wait:?} {bands:?} {detail:?} {departure:?}"
                );
            }
        }
    }

    #[test]
    fn two_drawings_of_a_case_are_the_same(case in case()) {
        for ((one, ..), (other, ..)) in timelines(&case).into_iter().zip(timelines(&case.clone())) {
            prop_assert_eq!(one.svg(), other.svg());
        }
    }
}

#[test]
fn real_cases_have_their_place() {
    for case in told().cases.iter().chain(&sample().cases).filter(|case| case.story.is_some()) {
        for (timeline, ..) in timelines(case) {
            check(&timeline).unwrap();
        }
    }
}

#[test]
fn a_case_without_a_story_has_no_timeline() {
    let mut case = told().cases.remove(0);
    case.story = None;
    assert!(Timeline::of(&case, None, Detail::Full).is_none());
}

/// A drawing with an element a line.
fn drawn(timeline: &Timeline) -> String {
    timeline.svg().to_string().replace('<', "\n<").replace("\n</", "</")
}

#[test]
fn a_report_that_was_too_early() {
    let case = told().cases.remove(0);
    let departure = AllowedPath::of(None, &case).departure;
    let timeline = Timeline::of(&case, departure.as_ref(), Detail::Full).unwrap();
    insta::assert_snapshot!(drawn(&timeline));
}

#[test]
fn an_answer_that_never_came_has_a_band_up_to_its_deadline() {
    let case = told().cases.remove(5);
    let (timeline, ..) = timelines(&case).remove(0);
    let missed = timeline.lanes.iter().flat_map(|lane| &lane.items);
    let missed: Vec<&Item> = missed.filter(|item| item.shape == Shape::Missed).collect();
    assert_eq!(missed.len(), 1, "{missed:?}");
    let (flag, label) = timeline.flag.clone().unwrap();
    assert_eq!(label, format!("✗ overdue {}", case.findings[0].row));
    assert_eq!(missed[0].x + missed[0].w, flag);
}
