//! What conditions mean, what is told about those that mean nothing, and that none is too much.
//!
//! Not responsible for evaluating them.
//!
//! Invariant: every form of the grammar is read here once.

use super::*;
use crate::diagnostic::Source;
use crate::node;

fn read(text: &str) -> Result<Expr, Vec<String>> {
    let span = 0..0;
    let mut heads = Heads::default();
    for word in ["call.login", "server.accepted"] {
        heads.intern(word);
    }
    let scope = Scope {
        rows: &["L5", "A2"].map(|id| (SmolStr::new(id), span.clone())).into_iter().collect(),
        clocks: &["outage"].map(|name| (SmolStr::new(name), span.clone())).into_iter().collect(),
        registers: &["took", "token"]
            .map(|name| (SmolStr::new(name), Value::Null))
            .into_iter()
            .collect(),
        timers: &[(SmolStr::new("presence"), Micros::from_secs(30))].into_iter().collect(),
        caps: &[(SmolStr::new("rejoin"), Micros::from_secs(10))].into_iter().collect(),
        heads: &heads,
        used: RefCell::default(),
    };
    let mut sink = Sink::new(Source::new("t.yaml", format!("- |-\n  {text}\n")));
    let root = node::parse_one(&mut sink).expect("a text");
    let states = ["idle", "busy"].map(SmolStr::new);
    let node = reader::items(&root, "a list", &mut sink).first().expect("one item");
    let read = expr(node, &states, &scope, &mut sink);
    read.ok_or_else(|| sink.into_diagnostics().into_iter().map(|found| found.title).collect())
}

#[test]
fn conditions_mean_what_they_say() {
    use Expr::{And, Compare as Cmp, In, Not, Or, State, StateOnly, Truthy};
    let took = || Truthy(Term::Register(0));
    let (idle, both) = (StateSet(1), StateSet(3));
    let text = |text: &str| Term::Literal(Value::from(text));
    for (written, meant) in [
        ("took", took()),
        ("not took and took or took", Or(vec![And(vec![Not(Box::new(took())), took()]), took()])),
        ("not (took or took)", Not(Box::new(Or(vec![took(), took()])))),
        ("state = idle", State(idle)),
        ("state != idle", Not(Box::new(State(idle)))),
        ("state in [idle, busy]", State(both)),
        ("not state only in [idle]", Not(Box::new(StateOnly(idle)))),
        ("via in [A2, L5]", Expr::Via(vec![1, 0])),
        ("running(outage)", Expr::Running(0)),
        ("not exact(outage)", Not(Box::new(Expr::Exact(0)))),
        ("since(call.login, server.accepted)", Expr::Since(vec![0, 1])),
        ("count(call.login) = 0", Cmp(Compare::Eq, Term::Count(0), Term::Literal(Value::Int(0)))),
        ("held >= rejoin", Cmp(Compare::Ge, Term::Held, Term::Duration(Micros::from_secs(10)))),
        (
            "elapsed(outage) <= 30s",
            Cmp(Compare::Le, Term::Elapsed(0), Term::Duration(Micros::from_secs(30))),
        ),
        ("age < presence", Cmp(Compare::Lt, Term::Age, Term::Duration(Micros::from_secs(30)))),
        ("event.token != token", Cmp(Compare::Ne, Term::Event("token".into()), Term::Register(1))),
        (
            "trigger.kind = malformed",
            Cmp(Compare::Eq, Term::Trigger("kind".into()), text("malformed")),
        ),
        ("trigger.kind = 'took'", Cmp(Compare::Eq, Term::Trigger("kind".into()), text("took"))),
        (
            "trigger.n in [1, true, x]",
            In(Term::Trigger("n".into()), vec![Value::Int(1), Value::Bool(true), Value::from("x")]),
        ),
        (
            "trigger.resumed = true",
            Cmp(Compare::Eq, Term::Trigger("resumed".into()), Term::Literal(Value::Bool(true))),
        ),
        ("true", Expr::Const(true)),
    ] {
        assert_eq!(read(written), Ok(meant), "{written}");
    }
}

#[test]
fn all_unknown_names_of_a_condition_are_told() {
    let told = read("tok or state = idel or running(outtage) or count(call.logn) > 1").unwrap_err();
    assert_eq!(told.len(), 4, "{told:?}");
}

#[test]
fn nesting_has_an_end() {
    let deep = format!("{}took{}", "(".repeat(200), ")".repeat(200));
    assert_eq!(read(&deep), Err(vec!["the condition is nested too deeply".to_owned()]));
    assert!(read(&"not ".repeat(200)).is_err());
}

proptest::proptest! {
    #[test]
    fn reading_never_panics(text in "(took|state|in|not|and|or|via|count|running|[a-z=<>!()\\[\\],'\" 0-9s.-]|\u{e4}){1,30}") {
        let _ = read(&text);
    }
}
