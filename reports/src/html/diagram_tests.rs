//! What must hold of every diagram.
//!
//! Not responsible for the look; that is for eyes. Invariant: the checks look at places, not at markup.

use super::*;
use crate::sample::sample;
use crate::sample::story::told;
use proptest::prelude::*;
use stateline_core::record::TransitionRecord;

fn profile(states: &[&str], changes: Vec<(usize, usize, usize, u32, u32)>) -> ProfileRecord {
    let mut profile = sample().profiles.remove(0);
    profile.states = states.iter().map(|state| (*state).into()).collect();
    let change =
        |(from, to, rows, cases, violated): (usize, usize, usize, u32, u32)| TransitionRecord {
            from: states[from].into(),
            to: states[to].into(),
            rows: (0..rows).map(|row| format!("R{row}").into()).collect(),
            cases,
            violated: violated.min(cases),
        };
    profile.transitions = changes.into_iter().map(change).collect();
    profile
}

fn check(layout: &Layout) -> Result<(), TestCaseError> {
    let label = |edge: &Edge| (edge.label_x, edge.from - 12, width(&edge.label), 12);
    let meet = |a: (i32, i32, i32, i32), b: (i32, i32, i32, i32)| {
        a.0 < b.0 + b.2 && b.0 < a.0 + a.2 && a.1 < b.1 + b.3 && b.1 < a.1 + a.3
    };
    for (at, node) in layout.nodes.iter().enumerate() {
        prop_assert!(node.x >= 0 && node.x + node.w <= layout.width);
        prop_assert!(node.y >= 0 && node.y + node.h <= layout.height);
        prop_assert!(width(&node.name) + 30 <= node.w, "{node:?}");
        for other in &layout.nodes[at + 1..] {
            prop_assert!(node.y + node.h < other.y);
        }
    }
    for (at, edge) in layout.edges.iter().enumerate() {
        let mine = label(edge);
        prop_assert!(mine.0 >= 0 && mine.0 + mine.2 <= layout.width, "{edge:?}");
        prop_assert!((0..=layout.width).contains(&edge.track));
        for node in &layout.nodes {
            let node = (node.x, node.y, node.w, node.h);
            prop_assert!(!meet(mine, node), "{edge:?} meets {node:?}");
        }
        for other in &layout.edges[at + 1..] {
            prop_assert!(!meet(mine, label(other)), "{edge:?} meets {other:?}");
            let (a, b) = (
                (edge.from.min(edge.to), edge.from.max(edge.to)),
                (other.from.min(other.to), other.from.max(other.to)),
            );
            let pass = edge.track == other.track && a.0 <= b.1 && b.0 <= a.1;
            prop_assert!(!pass, "{edge:?} and {other:?} share a way");
            let ends = [other.from, other.to];
            let same_side = edge.right == other.right;
            prop_assert!(!same_side || !(ends.contains(&edge.from) || ends.contains(&edge.to)));
        }
        // No track runs through labels.
        let beside = layout
            .edges
            .iter()
            .map(label)
            .all(|other| edge.track <= other.0 || edge.track >= other.0 + other.2);
        prop_assert!(beside, "{edge:?} runs through a label");
    }
    Ok(())
}

const NAMES: [&str; 12] = [
    "disconnected",
    "connecting",
    "connected",
    "reconnecting",
    "aborted",
    "</text><script>",
    "g",
    "h",
    "一個很長的狀態名稱一個很長的狀態名稱",
    "a state with a very long name that nobody can read",
    "k",
    "l",
];

proptest! {
    #[test]
    fn nothing_meets_anything(
        n in 1usize..=12,
        changes in prop::collection::vec((0usize..12, 0usize..12, 0usize..9, 0u32..300, 0u32..300), 0..60),
    ) {
        let changes = changes.into_iter().map(|(a, b, rows, cases, bad)| (a % n, b % n, rows, cases, bad));
        let profile = profile(&NAMES[..n], changes.collect());
        let layout = Layout::of(&profile);
        check(&layout)?;
        prop_assert_eq!(layout.edges.len(), profile.transitions.len());
        let page = figure(&profile).to_string();
        prop_assert!(!page.contains("<script"));
        prop_assert_eq!(page, figure(&profile).to_string());
    }
}

#[test]
fn one_state_and_no_change_is_a_diagram_too() {
    let alone = profile(&["on"], Vec::new());
    assert!(svg(&alone).as_str().contains(">on</text>"));
    assert!(figure(&alone).as_str().contains("No change of state is documented."));
    let none = profile(&[], Vec::new());
    assert!(svg(&none).as_str().ends_with("</svg>"));
}

#[test]
fn a_change_to_a_state_that_the_document_does_not_know_is_drawn() {
    let mut profile = profile(&["on", "off"], vec![(0, 1, 0, 3, 3)]);
    profile.transitions[0].to = "limbo".into();
    let drawn = svg(&profile).to_string();
    assert!(drawn.contains(">limbo</text>") && drawn.contains("✗ 3 · no row"), "{drawn}");
}

#[test]
fn each_status_has_a_word_and_a_look_of_its_own() {
    let all = [(2, 5, 0), (2, 0, 0), (2, 5, 1), (0, 5, 5)];
    let told: Vec<(String, &str)> = all
        .map(|(rows, cases, violated)| {
            let profile = profile(&["a", "b"], vec![(0, 1, rows, cases, violated)]);
            let change = &profile.transitions[0];
            (seen(change), Status::of(change).class())
        })
        .to_vec();
    assert_eq!(
        told.iter().map(|(words, class)| (words.as_str(), *class)).collect::<Vec<_>>(),
        [
            ("seen in 5 cases", "ds"),
            ("not exercised", "du"),
            ("violated in 1 of 5 cases", "dv"),
            ("forbidden, seen in 5 cases", "df")
        ]
    );
}

#[test]
fn the_states_of_a_real_document() {
    let record = told();
    let drawn = svg(&record.profiles[0]).to_string().replace('<', "\n<").replace("\n</", "</");
    insta::assert_snapshot!(drawn);
}
