//! What a line costs, and how soon its gate acts: relays over lines against bare ones.
//!
//! Prints (a) the throughput of a relay, (b) the latency that it adds to a small message, each over
//! lines and over bare sockets in turns, with their ratio, and (c) how late a cut is seen and how
//! late a byte still comes after a hold. Not a test: it asserts no time. Run it with
//! `cargo bench -p stateline-lab --bench link`.
//!
//! Invariant: both relays are the same code with the same buffers; only the type of their two
//! connections differs.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use stateline_lab::tcp::dock::Dock;
use stateline_lab::tcp::line::Line;
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::task::LocalSet;

const ROUNDS: usize = 5;
/// A round goes back and forth between both relays: what else the machine does meets both.
const TURNS: usize = 8;
const BYTES: usize = 64 << 20;
const MESSAGES: usize = 500;
const MESSAGE: usize = 100;
const EVENTS: usize = 200;
/// How long nothing must come before a hold is taken to be complete.
const QUIET: Duration = Duration::from_millis(20);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("there is a runtime");
    runtime.block_on(LocalSet::new().run_until(async {
        for buffer in [64 << 10, 256 << 10] {
            throughput(buffer).await;
        }
        latency().await;
        cuts().await;
        holds().await;
    }));
}

/// Measures bare and lined in turns, and gives the medians of both and of their ratio.
async fn alternate<F: Future<Output = f64>>(measure: impl Fn(bool) -> F) -> (f64, f64, f64) {
    let (mut bare, mut lined, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut sums = [0.0, 0.0];
        for turn in 0..TURNS {
            // Each is first as often as the other.
            for lines in [turn % 2 == 0, turn % 2 != 0] {
                sums[usize::from(lines)] += measure(lines).await / TURNS as f64;
            }
        }
        bare.push(sums[0]);
        lined.push(sums[1]);
        ratio.push(sums[0] / sums[1]);
    }
    (median(bare), median(lined), median(ratio))
}

async fn throughput(buffer: usize) {
    let (bare, lined, ratio) = alternate(|lines| async move {
        let (source, sink, relay) = relay(lines, buffer).await;
        let started = Instant::now();
        let writer = std::thread::spawn(move || pour(source));
        let reader = std::thread::spawn(move || drain(sink));
        relay.await;
        writer.join().expect("the writer ends");
        let ended = reader.join().expect("the reader ends");
        ended.duration_since(started).as_secs_f64()
    })
    .await;
    let speed = |seconds| BYTES as f64 / seconds / 1e9;
    println!(
        "throughput, buffers of {:>3} KiB: bare {:.2} GB/s, lines {:.2} GB/s, ratio {ratio:.3} \
         (median of {ROUNDS}; target >= 0.90)",
        buffer >> 10,
        speed(bare),
        speed(lined)
    );
}

async fn latency() {
    let (client, server) = pair();
    let times = echo(client, server);
    let direct = tokio::task::spawn_blocking(|| times.join()).await.expect("a thread ends");
    let direct = median(direct.expect("the client ends"));
    let (bare, lined, _) = alternate(|lines| async move {
        let (client, server, relay) = relay(lines, 64 << 10).await;
        let times = echo(client, server);
        relay.await;
        median(times.join().expect("the client ends"))
    })
    .await;
    // There and back, so two ways through the relay.
    let (bare, lined) = ((bare - direct) / 2.0, (lined - direct) / 2.0);
    println!(
        "added latency of {MESSAGE} bytes: bare {bare:.1} us, lines {lined:.1} us, \
         ratio {:.2} (median; target < 2.0)",
        lined / bare
    );
}

async fn cuts() {
    let dock = Dock::open(1).expect("there is a loopback network");
    let mut late = Vec::new();
    for _ in 0..EVENTS {
        let mut client = TcpStream::connect(dock.address()).expect("the dock is open");
        let mut line = dock.accept().await.expect("somebody called").into_line();
        let gate = line.gate();
        let seen = std::thread::spawn(move || {
            let error = client.read(&mut [0]).expect_err("it is cut");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            Instant::now()
        });
        let reader = tokio::task::spawn_local(async move { line.read(&mut [0]).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        let cut = Instant::now();
        gate.cut();
        reader.await.expect("the reader ends").expect_err("it is cut");
        let seen = tokio::task::spawn_blocking(|| seen.join()).await.expect("a thread");
        late.push(millis(seen.expect("it was seen").saturating_duration_since(cut)));
    }
    show("cut until the client sees it", late);
}

async fn holds() {
    let (source, server) = pair();
    let dock = Dock::open(2).expect("there is a loopback network");
    let sink = TcpStream::connect(dock.address()).expect("the dock is open");
    let mut line = dock.accept().await.expect("somebody called").into_line();
    let gate = line.gate();
    let writer = std::thread::spawn(move || {
        let mut source = source;
        while source.write_all(&[1; MESSAGE]).is_ok() {}
    });
    let last = Arc::new(Mutex::new(Instant::now()));
    let seen = Arc::clone(&last);
    let reader = std::thread::spawn(move || watch(sink, &seen));
    let relay = tokio::task::spawn_local(async move {
        let mut server = into_tokio(server);
        copy_bidirectional_with_sizes(&mut server, &mut line, 65_536, 65_536).await
    });
    let last_byte = || *last.lock().expect("no thread panicked");
    let mut late = Vec::new();
    let mut released = Instant::now();
    for _ in 0..EVENTS {
        while last_byte() <= released {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let held = Instant::now();
        gate.hold_down(true);
        while last_byte().max(held).elapsed() < QUIET {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        late.push(millis(last_byte().saturating_duration_since(held)));
        released = Instant::now();
        gate.hold_down(false);
    }
    gate.cut();
    relay.await.expect("the relay ends").expect_err("it is cut");
    writer.join().expect("the writer ends");
    reader.join().expect("the reader ends");
    show("hold until the last byte", late);
}

/// Keeps when the last byte came.
fn watch(mut sink: TcpStream, last: &Mutex<Instant>) {
    let mut chunk = [0; 65_536];
    while let Ok(1..) = sink.read(&mut chunk) {
        *last.lock().expect("no thread panicked") = Instant::now();
    }
}

/// Two connections with a relay between them: its client's end, its server's end, and its run.
async fn relay(lines: bool, buffer: usize) -> (TcpStream, TcpStream, impl Future<Output = ()>) {
    let (client, near) = pair();
    let (server, far) = pair();
    let (near, far) = (into_tokio(near), into_tokio(far));
    let run = async move {
        if lines {
            run_relay(Line::new(near), Line::new(far), buffer).await;
        } else {
            run_relay(near, far, buffer).await;
        }
    };
    (client, server, run)
}

async fn run_relay(
    mut near: impl AsyncRead + AsyncWrite + Unpin,
    mut far: impl AsyncRead + AsyncWrite + Unpin,
    buffer: usize,
) {
    // It ends when one side does; with what, the two ends know.
    let _ = copy_bidirectional_with_sizes(&mut near, &mut far, buffer, buffer).await;
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a loopback network");
    let client = listener.local_addr().and_then(TcpStream::connect).expect("it connects");
    let (server, _) = listener.accept().expect("it is accepted");
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a fresh socket has options");
    }
    (client, server)
}

fn into_tokio(stream: TcpStream) -> tokio::net::TcpStream {
    stream.set_nonblocking(true).expect("a fresh socket has options");
    tokio::net::TcpStream::from_std(stream).expect("a runtime is there")
}

fn pour(mut source: TcpStream) {
    let chunk = vec![7; 256 << 10];
    for _ in 0..BYTES / chunk.len() {
        source.write_all(&chunk).expect("the relay takes it");
    }
}

fn drain(mut sink: TcpStream) -> Instant {
    let mut chunk = vec![0; 256 << 10];
    let mut left = BYTES;
    while left > 0 {
        left -= sink.read(&mut chunk).expect("the relay gives it");
    }
    Instant::now()
}

/// Sends messages and waits for each to come back; gives the times in microseconds.
fn echo(mut client: TcpStream, mut server: TcpStream) -> JoinHandle<Vec<f64>> {
    std::thread::spawn(move || {
        let mut message = [0; MESSAGE];
        while server.read_exact(&mut message).and_then(|()| server.write_all(&message)).is_ok() {}
    });
    std::thread::spawn(move || {
        let mut message = [1; MESSAGE];
        let round_trip = |_| {
            let sent = Instant::now();
            client.write_all(&message).expect("the relay takes it");
            client.read_exact(&mut message).expect("the relay gives it");
            sent.elapsed().as_secs_f64() * 1e6
        };
        (0..MESSAGES).map(round_trip).collect()
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn median(figures: Vec<f64>) -> f64 {
    quantile(figures, 0.5)
}

fn quantile(mut figures: Vec<f64>, part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[((figures.len() - 1) as f64 * part).round() as usize]
}

fn show(what: &str, late: Vec<f64>) {
    let (median, p99) = (quantile(late.clone(), 0.5), quantile(late, 0.99));
    println!("{what}: median {median:.3} ms, p99 {p99:.3} ms (of {EVENTS}; target p99 <= 20)");
}
