//! What owners of a process in real time are told, whatever becomes of it.
//!
//! Not responsible for cases. The adapters are a few lines of Python, without a guard: they end when
//! their stdin does.
//!
//! Invariant: nothing here waits by the clock; what is waited for comes over a channel.

use super::*;
use crate::command::Command;
use proptest::prelude::*;
use std::sync::mpsc::Receiver;

/// An adapter: `ANSWER` makes of a request what is written.
const ADAPTER: &str = r#"
import json, os, sys
def say(**message): os.write(1, (json.dumps({"jsonrpc": "2.0", **message}) + "\n").encode())
HELLO = {"version": 1, "client": {"name": "n", "version": "1"}, "profiles": ["p"], "time": ["real"],
         "clients": 9, "reuse": True}
for line in sys.stdin:
    asked = json.loads(line)
    id, method, client = asked["id"], asked["method"], asked.get("params", {}).get("client")
    error = {"code": -32602, "message": "no client %s is open" % client}
    if method == "hello": say(id=id, result=HELLO)
    elif ANSWER: pass
    else: say(id=id, result={})
    if method == "bye": break
"#;

fn live(answer: &str) -> Live {
    let script = ADAPTER.replace("ANSWER", answer);
    let words = ["python3", "-S", "-c", &script].map(str::to_owned).to_vec();
    let command = Command::new(vec!["env".into()], words);
    let adapter = Adapter::start(&command, false, Arc::default());
    let adapter = adapter.map_err(|(fault, _)| fault).unwrap();
    Live::new(adapter, Some(Duration::from_secs(60)), true, Arc::default()).unwrap()
}

fn open(live: &Live) -> (u32, Receiver<Tale>) {
    let (tell, told) = channel();
    let open = Open { uid: "alice".into(), epoch_ms: 0, seed: 1 };
    let endpoint = Endpoint {
        scheme: "ws",
        host: "127.0.0.1".to_owned(),
        port: 1,
        path: "/".to_owned(),
        subprotocol: None,
        ca: None,
        tokens: String::new(),
    };
    let listener = Box::new(move |_, tale| tell.send(tale).unwrap());
    (live.open(&"p".into(), None, &open, endpoint, listener), told)
}

/// How often a method was asked for.
fn asked(log: &str, method: &str) -> usize {
    let method = format!("\"method\":\"{method}\"");
    log.lines().filter(|line| line.starts_with("→ ") && line.contains(&method)).count()
}

/// Waits until all that was ordered was done.
fn settle(live: &Live) {
    let (tell, told) = channel();
    live.echo(move |took| tell.send(took).unwrap());
    told.recv().unwrap();
}

fn is_refused(tale: &Tale, method: &str) -> bool {
    matches!(tale, Tale::Broken { fault, alone: true, .. }
        if fault.what.starts_with(&format!("`{method}` was answered with error -32602")))
}

#[test]
fn an_error_to_each_close_is_asked_for_no_further_one() {
    let live = live(r#"method in ("open", "close") and (say(id=id, error=error) or True)"#);
    let (_, told) = open(&live);
    assert!(is_refused(&told.recv().unwrap(), "open"));
    settle(&live);
    let (_, log) = live.bye();
    assert_eq!(asked(&log, "close"), 0, "{log}");
    assert!(told.recv().is_err());
}

#[test]
fn a_client_that_breaks_is_closed_once() {
    let live = live(r#"method in ("call", "close") and (say(id=id, error=error) or True)"#);
    let (client, told) = open(&live);
    assert_eq!(told.recv().unwrap(), Tale::Opened(Ok(())));
    live.call(client, 0, "login".into(), Fields::new());
    assert!(is_refused(&told.recv().unwrap(), "call"));
    // That is none of its owner's business any more.
    live.close(client);
    settle(&live);
    let (farewell, log) = live.bye();
    assert_eq!(asked(&log, "close"), 1, "{log}");
    assert_eq!(farewell.notes, [""; 0]);
    assert!(told.recv().is_err());
}

#[test]
fn who_opens_a_client_in_a_dead_process_is_told() {
    let live = live(r#"method == "open" and sys.exit(3)"#);
    let (_, first) = open(&live);
    let Tale::Broken { fault, alone: false, .. } = first.recv().unwrap() else { panic!() };
    assert_eq!(fault.id, FaultId::Died);
    assert!(!live.is_alive());
    // The thread may be on its way out, or gone: either way it is told once, and the same.
    for _ in 0..100 {
        let (client, told) = open(&live);
        live.close(client);
        let Tale::Broken { fault: late, alone: false, .. } = told.recv().unwrap() else { panic!() };
        assert_eq!(late, fault);
        assert!(told.recv().is_err());
    }
}

#[test]
fn a_process_that_nobody_has_any_more_ends() {
    let live = live("False");
    let (_, told) = open(&live);
    assert_eq!(told.recv().unwrap(), Tale::Opened(Ok(())));
    drop(live);
    assert!(matches!(told.recv().unwrap(), Tale::Broken { alone: false, .. }));
    assert!(told.recv().is_err());
}

#[test]
fn who_comes_after_the_goodbye_is_told() {
    let live = live("False");
    live.part();
    let (_, told) = open(&live);
    assert!(matches!(told.recv().unwrap(), Tale::Broken { alone: false, .. }));
    let (farewell, log) = live.bye();
    assert_eq!((farewell.notes.len(), asked(&log, "bye"), asked(&log, "open")), (0, 1, 0));
}

#[test]
fn what_is_told_of_nobody_ends_the_process_and_of_the_closed_does_not() {
    let observe = r#"say(method="observe", params={"client": CLIENT, "seen": {"kind": "event", "event": "e"}})"#;
    let of_the_closed = observe.replace("CLIENT", "client");
    let late =
        format!(r#"method == "close" and (say(id=id, result={{}}) or {of_the_closed} or True)"#);
    let live_late = live(&late);
    let (client, told) = open(&live_late);
    live_late.close(client);
    assert_eq!(told.iter().count(), 2);
    settle(&live_late);
    let (farewell, _) = live_late.bye();
    assert_eq!(farewell.notes, ["it told something of a client that was closed before"]);
    let stranger = live(&format!(r#"method == "call" and {}"#, observe.replace("CLIENT", "2")));
    let (client, told) = open(&stranger);
    stranger.call(client, 0, "login".into(), Fields::new());
    let Some(Tale::Broken { fault, alone: false, .. }) = told.iter().last() else { panic!() };
    assert!(fault.what.starts_with("an `observe` of client 2, which was never opened"), "{fault}");
}

#[test]
fn each_wrong_line_is_named() {
    for (line, named) in [
        (r#"{"jsonrpc":"2.0","method":"log","params":[1]}"#, "there is no notification `log`"),
        (r#"{"jsonrpc":"2.0","method":"observe","params":[1]}"#, "invalid type"),
        (r#"{"jsonrpc":"2.0","method":"observe"}"#, "an `observe` without `params`"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "an answer to request 1, which was answered"),
        (r#"{"jsonrpc":"2.0","id":99,"result":{}}"#, "an answer to request 99, which was never"),
        (r#"{"jsonrpc":"2.0"}"#, "neither an answer nor a notification"),
        (r#"{"id":2,"result":{}}"#, "its `jsonrpc` is not"),
        (r#"["2.0",2,null,null,{},null]"#, "no JSON object"),
        ("[]", "no JSON object"),
        ("7", "no JSON object"),
        ("DEBUG", "no JSON (expected value at byte 1)"),
    ] {
        let live = live(&format!(r#"method == "call" and os.write(1, b'{line}\n')"#));
        let (client, told) = open(&live);
        live.call(client, 0, "login".into(), Fields::new());
        let Some(Tale::Broken { fault, alone: false, .. }) = told.iter().last() else { panic!() };
        assert!(fault.what.starts_with(named), "{line}: {fault}");
    }
}

fn any_tale() -> impl Strategy<Value = Tale> {
    prop_oneof![
        Just(Tale::Opened(Ok(()))),
        Just(Tale::Opened(Err("why".to_owned()))),
        Just(Tale::Seen(Observation::Unsupported { call: 0 })),
        Just(Tale::Closed(String::new())),
        any::<bool>().prop_map(|alone| {
            let fault = Fault::new(FaultId::Died, "it ended");
            Tale::Broken { fault, stderr: String::new(), alone }
        }),
    ]
}

proptest! {
    #[test]
    fn each_ear_hears_one_end_and_nothing_after_it(tales in prop::collection::vec(any_tale(), 0..9)) {
        let (tell, told) = channel();
        let listener: Listener = Box::new(move |_, tale| tell.send(tale).unwrap());
        let mut ear = Ear { listener, epitaph: Epitaph::default(), told_last: false };
        for tale in tales.clone() {
            ear.hear(Instant::now(), tale);
        }
        drop(ear);
        let told: Vec<Tale> = told.iter().collect();
        prop_assert_eq!(told.iter().filter(|tale| tale.is_last()).count(), 1);
        prop_assert!(told.last().is_some_and(Tale::is_last));
        prop_assert_eq!(&told[..told.len() - 1], &tales[..told.len() - 1]);
    }
}
