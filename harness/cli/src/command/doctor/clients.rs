//! The clients of the adapter that is being checked: opened, given turns, closed.
//!
//! Not responsible for what they are given.
//!
//! Invariant: a client is opened in a process that may serve another case, and no more than `clients`
//! are open at once.

use super::finding::Tried;
use super::patient::{Patient, Rule};
use serde_json::{Value, json};
use smol_str::SmolStr;
use stateline_client::adapter::Ledger;
use stateline_client::protocol::Idle;
use stateline_core::time::Micros;
use stateline_core::turn::{Output, Turn};

/// Wall clock at time 0: 2024-01-01T00:00:00Z.
pub(super) const EPOCH_MS: u64 = 1_704_067_200_000;
/// The user that clients log in as.
pub(super) const UID: &str = "doctor";
/// Seeds clients of which nothing more is asked.
pub(super) const SEED: u64 = 20_240_101;

/// What a client did in a turn.
pub(super) struct Step {
    /// As it came.
    pub(super) result: Value,
    /// As it is read.
    pub(super) output: Vec<Output>,
    /// When its next timer is due.
    pub(super) next: Option<u64>,
}

impl Patient<'_> {
    /// The number of the next client.
    pub(super) const fn next_client(&mut self) -> u32 {
        self.clients += 1;
        self.clients
    }

    /// Makes a process that may serve a case: no client is open, and none was if it serves but one.
    pub(super) fn room(&mut self) -> Tried<()> {
        if self.served && !self.hello.reuse {
            self.lose();
        }
        self.running()?;
        while let Some((client, _)) = self.open.first_key_value() {
            // That it cannot be closed is told by a check of its own.
            if self.close(*client).is_err() {
                self.lose();
                self.running()?;
            }
        }
        Ok(())
    }

    /// What `open` is sent.
    pub(super) fn opening(&self, client: u32, uid: &str, seed: u64) -> Value {
        json!({
            "client": client,
            "profile": self.profile,
            "variant": self.contract.and_then(|contract| contract.profile.variant.clone()),
            "uid": uid,
            "time": "lockstep",
            "epoch_ms": EPOCH_MS,
            "seed": seed,
            "parameters": {},
        })
    }

    /// Opens a client.
    pub(super) fn open(&mut self, params: &Value) -> Tried<u32> {
        self.running()?;
        let client = params["client"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let result = self.demand("open", Some(params))?;
        if !result.is_object() {
            let help = "the result of `open` is an object, `{}` or `{\"unsupported\":\"why\"}`";
            return Err(self.breach(Rule::Answers, "the result of `open` is no object", help));
        }
        self.served = true;
        if let Some(why) = result.get("unsupported") {
            let why = why.as_str().map_or_else(|| why.to_string(), str::to_owned);
            return Err(self.fault(
                format!("it cannot make a client: {why}"),
                "every case of this profile will be not applicable; `unsupported` is for \
                 parameters that the SDK does not have, and there were none",
            ));
        }
        self.open.insert(client, Ledger::default());
        Ok(client)
    }

    /// A client of its own case, of this user and with this seed.
    pub(super) fn fresh_as(&mut self, uid: &str, seed: u64) -> Tried<u32> {
        self.room()?;
        self.one_more(uid, seed)
    }

    /// A client of its own case.
    pub(super) fn fresh(&mut self) -> Tried<u32> {
        self.fresh_as(UID, SEED)
    }

    /// A client beside those that are open.
    pub(super) fn one_more(&mut self, uid: &str, seed: u64) -> Tried<u32> {
        let client = self.next_client();
        let params = self.opening(client, uid, seed);
        self.open(&params)
    }

    /// Throws a client away.
    pub(super) fn close(&mut self, client: u32) -> Tried<()> {
        self.open.remove(&client);
        self.demand("close", Some(&json!({ "client": client }))).map(drop)
    }

    /// Gives a client its turn.
    pub(super) fn turn(&mut self, client: u32, now: u64, input: &[Value]) -> Tried<Step> {
        let params = json!({ "client": client, "now_us": now, "input": input });
        let result = self.demand("turn", Some(&params))?;
        self.step(client, now, input, result)
    }

    /// Reads the result of a turn.
    pub(super) fn step(
        &mut self,
        client: u32,
        now: u64,
        input: &[Value],
        result: Value,
    ) -> Tried<Step> {
        self.observed.extend([Rule::Turns, Rule::Timers]);
        let help = "see `turn and idle` in PROTOCOL.md for what each output is made of";
        let turn = match serde_json::from_value::<Idle>(result.clone()) {
            Ok(idle) => Turn::from(idle),
            Err(error) => {
                let what = format!("the result of a turn is not well-formed: {error}");
                return Err(self.breach(Rule::Turns, what, help));
            }
        };
        let Turn { output, next } = turn;
        let ledger = self.open.entry(client).or_default();
        ledger.called(input.iter().filter(|input| input["kind"] == "call").count());
        let now = Micros(now);
        let told = Turn { output, next: None };
        if let Err(why) = ledger.check(now, &told) {
            return Err(self.breach(Rule::Turns, format!("at {now}: {why}"), help));
        }
        if let Err(why) = ledger.check(now, &Turn { output: Vec::new(), next }) {
            let help =
                "`next_us` is when the earliest timer is due, on the clock of `now_us`, or null";
            return Err(self.breach(Rule::Timers, format!("at {now}: {why}"), help));
        }
        Ok(Step { result, output: told.output, next: next.map(|next| next.0) })
    }

    /// The methods of the profile that it has, as they are called, with arguments.
    pub(super) fn methods(&self, uid: &str) -> Vec<(SmolStr, Value)> {
        let Some(contract) = self.contract else { return Vec::new() };
        let lacks = |name: &str| {
            self.hello.unsupported.iter().any(|lacking| lacking.eq_ignore_ascii_case(name))
        };
        let calls = &contract.profile.names.calls;
        let has = calls.iter().filter(|(op, method)| {
            !lacks(op) && !method.spellings.iter().any(|spelling| lacks(spelling))
        });
        has.map(|(op, method)| {
            let args = method.args.iter().map(|arg| {
                let value = match arg.as_str() {
                    "token" => format!("lab1.{uid}.{}.1", EPOCH_MS + 24 * 60 * 60 * 1_000),
                    "uid" => uid.to_owned(),
                    _ => "doctor".to_owned(),
                };
                (arg.to_string(), Value::from(value))
            });
            (method.spellings.first().unwrap_or(op).clone(), Value::Object(args.collect()))
        })
        .collect()
    }
}
