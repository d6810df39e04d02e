//! How long an adapter takes: to start, for a turn, for an echo.
//!
//! Not responsible for judging: a slow adapter is as right as a fast one.
//!
//! Invariant: what is measured stands under a key named `wall`.

use super::answer::request;
use super::finding::Tried;
use super::patient::Patient;
use serde_json::{Value, json};
use stateline_client::pin::pin_thread;
use std::time::{Duration, Instant};

/// How often it is started.
const STARTS: usize = 5;
/// How many turns and echoes are made.
const TRIPS: usize = 2_000;

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    /// From the start to the answer to `hello`.
    hello: Option<Duration>,
    /// From a turn to its answer.
    turn: Option<Duration>,
    /// From an echo to its answer.
    echo: Option<Duration>,
}

impl Times {
    /// Measures what can be measured.
    pub(super) fn measure(patient: &mut Patient<'_>) -> Self {
        // As in a run.
        pin_thread(0);
        Self { hello: hello(patient).ok(), turn: turn(patient).ok(), echo: echo(patient).ok() }
    }

    /// For programs, in microseconds.
    #[must_use]
    pub(super) fn json(&self) -> Value {
        let us = |time: Option<Duration>| time.map(|time| micros(time).round() as u64);
        json!({ "hello_us": us(self.hello), "turn_us": us(self.turn), "echo_us": us(self.echo) })
    }

    /// For people.
    #[must_use]
    pub(super) fn text(&self) -> Vec<String> {
        [
            ("start to hello", self.hello, STARTS),
            ("empty turn", self.turn, TRIPS),
            ("echo", self.echo, TRIPS),
        ]
        .into_iter()
        .filter_map(|(what, time, n)| {
            let time = written(time?);
            Some(format!("{what:<16}{time:>9}   median of {n}"))
        })
        .collect()
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn written(time: Duration) -> String {
    let us = micros(time);
    if us < 1_000.0 { format!("{us:.0} µs") } else { format!("{:.1} ms", us / 1_000.0) }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn hello(patient: &mut Patient<'_>) -> Tried<Duration> {
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        patient.lose();
        let started = Instant::now();
        patient.running()?;
        times.push(started.elapsed());
    }
    Ok(median(times))
}

fn turn(patient: &mut Patient<'_>) -> Tried<Duration> {
    let client = patient.fresh()?;
    let next = patient.turn(client, 0, &[])?.next;
    let mut times = Vec::with_capacity(TRIPS);
    for n in 1..=TRIPS as u64 {
        // Not past a timer that is due.
        let now = next.map_or(n, |next| n.min(next.saturating_sub(1)));
        let id = patient.number()?;
        let params = json!({ "client": client, "now_us": now, "input": [] });
        times.push(patient.time(request(id, "turn", Some(&params)).as_bytes())?);
    }
    Ok(median(times))
}

fn echo(patient: &mut Patient<'_>) -> Tried<Duration> {
    let mut times = Vec::with_capacity(TRIPS);
    for _ in 0..TRIPS {
        let id = patient.number()?;
        let line = request(id, "echo", Some(&json!({ "data": ["any", 1] })));
        times.push(patient.time(line.as_bytes())?);
    }
    Ok(median(times))
}
