//! Properties that hold under every script.
//!
//! Not responsible for single behaviours; the other modules have them.
//!
//! Invariant: what is checked here needs no knowledge of the script that was played.

use super::*;
use proptest::prelude::*;
use stateline_core::scenario::When;

#[derive(Clone, Debug)]
enum Step {
    Link(LinkAct),
    Act(ServerAct),
    Release,
    Dial,
    Login(bool),
    Close,
    Request(&'static str),
    Raw(String),
    Run(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let link = prop::sample::select(vec![
        LinkAct::BlackHole,
        LinkAct::Blip,
        LinkAct::Closed,
        LinkAct::ClosedPort,
        LinkAct::Delay(ms(120)),
        LinkAct::HalfOpenDown,
        LinkAct::HalfOpenUp,
        LinkAct::Refused,
        LinkAct::Reset,
        LinkAct::Up,
        LinkAct::Up,
        LinkAct::Up,
    ]);
    let act = prop::sample::select(vec![
        ServerAct::Ban(BOB),
        ServerAct::Close(ALICE),
        ServerAct::Expire(ALICE),
        ServerAct::Hold { client: ALICE, until: When::after(Micros::ZERO) },
        ServerAct::Kick(ALICE),
        ServerAct::Mute(ALICE, true),
        ServerAct::Mute(ALICE, false),
        ServerAct::Restart(ms(500)),
        ServerAct::Supersede(ALICE),
        ServerAct::Twice { client: ALICE, times: Some(1) },
        ServerAct::Unanswered { client: ALICE, times: Some(1) },
    ]);
    let request = prop::sample::select(vec![
        r#""op":"ping""#,
        r#""op":"join","channel":"lobby""#,
        r#""op":"leave","channel":"lobby""#,
        r#""op":"send","channel":"lobby","text":"hi""#,
        r#""op":"logout""#,
    ]);
    prop_oneof![
        4 => link.prop_map(Step::Link),
        2 => act.prop_map(Step::Act),
        1 => Just(Step::Release),
        4 => Just(Step::Dial),
        4 => any::<bool>().prop_map(Step::Login),
        1 => Just(Step::Close),
        4 => request.prop_map(Step::Request),
        1 => ".{0,20}".prop_map(Step::Raw),
        4 => (0u64..40_000).prop_map(Step::Run),
        4 => (0u64..60).prop_map(Step::Run),
    ]
}

/// Plays a script for alice, with bob in the same channel and beating.
fn play(seed: u64, steps: &[Step]) -> Driver {
    let mut driver = lobby(seed);
    let mut conn = 1;
    for step in steps {
        match step {
            Step::Link(act) => driver.link(ALICE, *act),
            Step::Act(act) => driver.act(act.clone()),
            Step::Release => driver.release(ALICE),
            Step::Dial => {
                conn += 1;
                driver.dial(ALICE, conn);
            }
            Step::Login(resume) => {
                let session = resume.then_some("s1");
                driver.ask_again(ALICE, conn, "same", session);
            }
            Step::Close => driver.out(ALICE, Output::Close { conn }),
            Step::Request(members) => driver.request(ALICE, conn, members),
            Step::Raw(text) => driver.out(ALICE, Output::Send { conn, text: text.into() }),
            Step::Run(time) => driver.run(*time),
        }
    }
    driver.link(ALICE, LinkAct::Up);
    driver.run(1_000);
    driver
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_script_keeps_the_laws(seed in 0u64..8, steps in prop::collection::vec(step(), 0..40)) {
        let driver = play(seed, &steps);
        let mut lost = false;
        let mut held = false;
        let mut at = Micros::ZERO;
        let mut seq = std::collections::BTreeMap::new();
        for seen in &driver.log.seen {
            prop_assert!(seen.at >= at, "time ran backwards\n{}", driver.story());
            at = seen.at;
            if seen.client != Some(ALICE) {
                continue;
            }
            match seen.kind.as_str() {
                "service.lost" => {
                    prop_assert!(!lost, "lost twice\n{}", driver.story());
                    lost = true;
                    let heard = seen.data.time("heard_ms").unwrap();
                    let sure = seen.data.time("sure_ms").unwrap();
                    prop_assert!(heard <= seen.at && heard <= sure, "{}", driver.story());
                }
                "service.back" => {
                    prop_assert!(lost, "back without a loss\n{}", driver.story());
                    lost = false;
                }
                // An end of service ends a loss without a return.
                "server.superseded" | "server.kicked" | "server.banned" => lost = false,
                "frame" if seen.data.text("message") == Some("logout") => lost = false,
                "down" => {
                    held = matches!(seen.data.text("kind"), Some("black-hole" | "half-open-down"));
                }
                "up" => held = false,
                _ => {}
            }
            if seen.data.text("dir") == Some("received") {
                prop_assert!(!held, "delivered through a held link\n{}", driver.story());
            }
        }
        // Frames of one connection arrive in the order in which the server numbered them.
        for (_, client, input) in &driver.log.inputs {
            if let Input::Message { conn, text } = input {
                let json: serde_json::Value = serde_json::from_str(text).unwrap();
                let list = json.as_array().cloned().unwrap_or_else(|| vec![json]);
                for message in list {
                    let number = message["seq"].as_u64().unwrap();
                    let last = seq.insert((*client, *conn), number).unwrap_or(0);
                    prop_assert_eq!(number, last + 1, "{}", driver.story());
                }
            }
        }
        // A connection is closed or refused at most once, and silent afterwards.
        let mut gone = std::collections::BTreeSet::new();
        for (_, client, input) in &driver.log.inputs {
            let conn = match input {
                Input::Opened { conn } | Input::Message { conn, .. } => *conn,
                Input::Closed { conn, .. } | Input::DialFailed { conn } => {
                    prop_assert!(gone.insert((*client, *conn)), "{}", driver.story());
                    continue;
                }
                Input::Call { .. } => continue,
            };
            prop_assert!(!gone.contains(&(*client, conn)), "{}", driver.story());
        }
        prop_assert!(!driver.story().contains("lab1."), "a token in the trace");
    }

    #[test]
    fn one_seed_gives_one_trace(seed: u64, steps in prop::collection::vec(step(), 0..25)) {
        let (first, second) = (play(seed, &steps), play(seed, &steps));
        prop_assert_eq!(first.story(), second.story());
        prop_assert_eq!(first.log.inputs, second.log.inputs);
    }
}
