//! Speed of lockstep: cases of 35 simulated seconds with one reused Python process, on one core.
//!
//! Prints cases a second, what a turn takes, and what it takes to send a line of the same size to a
//! process that only sends it back, with the same pipes on the same processor. Not a test: it asserts no
//! time. Run it with `cargo bench -p stateline --bench lockstep`; a number as argument sets the seconds
//! of each of the five rounds.
//!
//! Invariant: what is measured is what `run` does for each case, record included.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod shared;

use smol_str::SmolStr;
use stateline_client::Command;
use stateline_client::pin::pin_thread;
use stateline_client::process::Process;
use stateline_client::protocol::{Inputs, Method, Request, TurnParams};
use stateline_core::profile::Profile;
use stateline_core::scenario::{Case, ClientIx};
use stateline_core::time::Micros;
use stateline_core::turn::{Input, Open, Turn};
use stateline_runner::adapters::{Adapters, Settings};
use stateline_runner::source::{Broken, Cast, Ended, Refusal, Source};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sends each line back.
const ECHO: &str = "import sys
i, o = sys.stdin.buffer, sys.stdout.buffer
while line := i.readline():
    o.write(line)
    o.flush()
";

/// A source with a clock at every turn.
struct Timed {
    adapters: Adapters,
    turns: AtomicU64,
    nanos: AtomicU64,
    request_bytes: AtomicU64,
}

struct TimedCast<'s>(Box<dyn Cast + 's>, &'s Timed);

impl Source for Timed {
    fn enlist(&self, worker: usize) {
        self.adapters.enlist(worker);
    }

    fn open<'s>(
        &'s self,
        worker: usize,
        profile: &Profile,
        case: &Case,
        clients: &[Open],
    ) -> Result<Box<dyn Cast + 's>, Refusal> {
        let cast = self.adapters.open(worker, profile, case, clients)?;
        Ok(Box::new(TimedCast(cast, self)))
    }
}

impl Cast for TimedCast<'_> {
    fn turn(&mut self, client: ClientIx, now: Micros, input: Vec<Input>) -> Result<Turn, Broken> {
        let params = TurnParams { client: 1, now_us: now.0, input: Inputs(&input) };
        let line = serde_json::to_vec(&Request::new(1_000, Method::Turn, Some(params)));
        let n_bytes = line.map_or(0, |line| line.len());
        let started = Instant::now();
        let turn = self.0.turn(client, now, input);
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.1.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.1.turns.fetch_add(1, Ordering::Relaxed);
        self.1.request_bytes.fetch_add(n_bytes as u64, Ordering::Relaxed);
        turn
    }

    fn end(self: Box<Self>, spoilt: bool, redact: &dyn Fn(&str) -> SmolStr) -> Ended {
        self.0.end(spoilt, redact)
    }
}

fn command(words: &[&str]) -> Command {
    let guard = [env!("CARGO_BIN_EXE_stateline"), "__guard", "--"];
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    Command::new(guard.iter().map(Into::into).collect(), words)
}

/// A process that sends lines back, for as long as this is there.
struct Echo {
    process: Process,
    command: Command,
    stop: AtomicBool,
}

impl Echo {
    fn new() -> Self {
        let command = command(&["python3", "-c", ECHO]);
        let process = Process::start(&command).expect("the guard is this program");
        Self { process, command, stop: AtomicBool::new(false) }
    }

    /// Seconds for one line there and back.
    fn measure(&mut self, n_bytes: usize, length: Duration) -> f64 {
        let mut line = vec![b'x'; n_bytes.saturating_sub(1)];
        line.push(b'\n');
        let Self { process, command, stop } = self;
        let mut exchange = || {
            process
                .exchange(Method::Echo, &line, command.call_limit, stop)
                .expect("python3 is there");
        };
        exchange();
        let (started, mut n) = (Instant::now(), 0.0);
        while started.elapsed() < length {
            for _ in 0..100 {
                exchange();
            }
            n += 100.0;
        }
        started.elapsed().as_secs_f64() / n
    }
}

/// Counters, to be reset between slices.
fn take(counter: &AtomicU64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let count = counter.swap(0, Ordering::Relaxed) as f64;
    count
}

/// Slices of a round: turns and echoes alternate, so that both see the same machine.
const SLICES: u32 = 8;

fn main() {
    let length = shared::seconds(4);
    let client =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/clients/python/agora_rtm_1x.py");
    let bench = shared::Bench::new();
    let timed = Timed {
        adapters: Adapters::new(Settings {
            command: command(&["python3", client]),
            workers: 1,
            max_sessions: None,
            stop: Arc::default(),
        }),
        turns: AtomicU64::default(),
        nanos: AtomicU64::default(),
        request_bytes: AtomicU64::default(),
    };
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    // Everything on the processor that the first adapter was started on.
    pin_thread(0);
    let mut echo = Echo::new();
    for round in 1..=5 {
        // The rate is that of the adapters alone; the clock at every turn is for the ratio.
        let played = bench.play(&timed.adapters, true, length);
        let rate = played.cases / played.seconds;
        let (mut turn_us, mut echo_us, mut turns_a_case, mut bytes) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..SLICES {
            let played = bench.play(&timed, true, length / SLICES / 2);
            let turns = take(&timed.turns);
            bytes = take(&timed.request_bytes) / turns;
            turn_us += take(&timed.nanos) / turns / 1e3 / f64::from(SLICES);
            turns_a_case = turns / played.cases;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a size of a few hundred bytes"
            )]
            let each = echo.measure(bytes as usize, length / SLICES / 2);
            echo_us += each * 1e6 / f64::from(SLICES);
        }
        let ratio = turn_us / echo_us;
        println!(
            "round {round}: {rate:.0} cases/s of {turns_a_case:.0} turns; a turn {turn_us:.1} us, \
             an echo of {bytes:.0} bytes {echo_us:.1} us: {ratio:.2} times"
        );
        rates.push(rate);
        ratios.push(ratio);
    }
    let _ = echo.process.kill();
    let notes = timed.adapters.dismiss();
    assert!(notes.is_empty(), "{notes:?}");
    rates.sort_unstable_by(f64::total_cmp);
    ratios.sort_unstable_by(f64::total_cmp);
    println!("median: {:.0} cases/s, a turn {:.2} times an echo", rates[2], ratios[2]);
}
