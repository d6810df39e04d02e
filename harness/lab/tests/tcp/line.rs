//! Lines by themselves: each direction held on its own, and cuts.
//!
//! Not responsible for visits.
//!
//! Invariant: see the crate's.

use super::*;
use futures_util::FutureExt;
use stateline_lab::tcp::line::{Gate, Line};
use tokio::io::AsyncWriteExt;

/// A client, and the line that ends at it.
async fn line() -> (TcpStream, Line, Gate) {
    let dock = dock();
    let client = TcpStream::connect(dock.address()).await.unwrap();
    let line = dock.accept().await.unwrap().into_line();
    let gate = line.gate();
    (client, line, gate)
}

#[test]
fn each_direction_is_held_on_its_own() {
    run(async {
        let (mut client, mut line, gate) = line().await;
        let mut letter = [0];
        gate.hold_up(true);
        client.write_all(b"ab").await.unwrap();
        line.write_all(b"x").await.unwrap();
        client.read_exact(&mut letter).await.unwrap();
        assert_eq!(letter, *b"x");
        assert!(line.read(&mut letter).now_or_never().is_none());

        gate.hold_up(false);
        gate.hold_down(true);
        line.read_exact(&mut letter).await.unwrap();
        assert_eq!(letter, *b"a");
        assert!(line.write_all(b"y").now_or_never().is_none());
        assert!(line.shutdown().now_or_never().is_none());
        assert!(is_silent(&client));

        gate.hold_down(false);
        line.write_all(b"y").await.unwrap();
        client.read_exact(&mut letter).await.unwrap();
        assert_eq!(letter, *b"y");
        line.shutdown().await.unwrap();
        assert_eq!(client.read(&mut letter).await.unwrap(), 0);
    });
}

#[test]
fn a_release_wakes_who_waits() {
    run(async {
        let (mut client, line, gate) = line().await;
        gate.hold_up(true);
        gate.hold_down(true);
        client.write_all(b"up").await.unwrap();
        let (mut reading, mut writing) = tokio::io::split(line);
        let reader = tokio::task::spawn_local(async move {
            let mut bytes = [0; 2];
            reading.read_exact(&mut bytes).await.unwrap();
            bytes
        });
        let writer = tokio::task::spawn_local(async move {
            writing.write_all(b"down").await.unwrap();
            writing
        });
        tokio::task::yield_now().await;
        assert!(is_silent(&client));
        gate.hold_down(false);
        let mut bytes = [0; 4];
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes, *b"down");
        assert!(!reader.is_finished());
        gate.hold_up(false);
        assert_eq!(reader.await.unwrap(), *b"up");
        writer.await.unwrap();
    });
}

#[test]
fn a_cut_wakes_who_waits_for_the_socket_and_resets() {
    run(async {
        for held in [false, true] {
            let (mut client, mut line, gate) = line().await;
            gate.hold_up(held);
            let reader = tokio::task::spawn_local(async move {
                let error = line.read(&mut [0]).await.unwrap_err();
                (error.kind(), line.write(b"x").await.unwrap_err().kind(), line)
            });
            tokio::task::yield_now().await;
            gate.cut();
            expect_reset(&mut client).await;
            let (read, written, _line) = reader.await.unwrap();
            assert_eq!((read, written), (ErrorKind::ConnectionReset, ErrorKind::ConnectionReset));
        }
    });
}

#[test]
fn a_cut_wakes_a_writer_that_nobody_reads() {
    run(async {
        let (mut client, mut line, gate) = line().await;
        let writer = tokio::task::spawn_local(async move {
            line.write_all(&vec![0; 64 << 20]).await.unwrap_err().kind()
        });
        tokio::task::yield_now().await;
        assert!(!writer.is_finished());
        gate.cut();
        assert_eq!(writer.await.unwrap(), ErrorKind::ConnectionReset);
        // What lay in the client's own socket it may read or not; then it is reset.
        expect_reset(&mut client).await;
    });
}

#[test]
fn a_line_that_was_cut_is_reset_when_it_is_dropped() {
    run(async {
        let (mut client, mut line, gate) = line().await;
        line.write_all(b"sent").await.unwrap();
        gate.cut();
        drop(line);
        expect_reset(&mut client).await;
    });
}

#[test]
fn a_line_that_was_not_cut_ends_in_order() {
    run(async {
        let (mut client, mut line, _gate) = line().await;
        line.write_all(b"sent").await.unwrap();
        drop(line);
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, b"sent");
    });
}
