//! Docks: addresses of their own, shut and reopened, and many callers at once.
//!
//! Not responsible for what callers do.
//!
//! Invariant: see the crate's.

use super::*;
use std::rc::Rc;

#[test]
fn docks_have_addresses_of_their_own() {
    run(async {
        let docks: Vec<Dock> = (0..20).map(|number| Dock::open(number).unwrap()).collect();
        for (n, dock) in docks.iter().enumerate() {
            assert!(dock.address().ip().is_loopback());
            assert!(docks[..n].iter().all(|other| other.address() != dock.address()));
        }
    });
}

#[test]
fn a_shut_dock_refuses_and_a_reopened_one_does_not() {
    run(async {
        let dock = dock();
        let (mut socket, mut visit) = opened(&dock).await;
        for round in 0..3 {
            dock.shut();
            assert!(!dock.is_open());
            let refused = TcpStream::connect(dock.address()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            // Who came before is still there.
            say(&mut socket, &round.to_string()).await;
            visit.expect_text(&round.to_string()).await;

            dock.reopen().unwrap();
            assert!(dock.is_open());
            let (mut client, visit) = dial(&dock, manner()).await;
            visit.order(Order::Refuse);
            expect_reset(&mut client).await;
            visit.ends().await;
        }
        dock.reopen().expect("an open dock stays open");
    });
}

#[test]
fn who_waits_at_a_shut_dock_gets_the_first_caller() {
    run(async {
        let dock = Rc::new(dock());
        let address = dock.address();
        let waiting = Rc::clone(&dock);
        // It waits before the dock is shut, while it is, and after it was.
        let caller = tokio::task::spawn_local(async move { waiting.accept().await.unwrap() });
        tokio::task::yield_now().await;
        dock.shut();
        tokio::task::yield_now().await;
        dock.reopen().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        assert_eq!(caller.await.unwrap().from, client.local_addr().unwrap());
    });
}

#[test]
fn a_port_that_was_taken_is_not_reopened() {
    run(async {
        let dock = dock();
        dock.shut();
        let _other = std::net::TcpListener::bind(dock.address()).unwrap();
        assert_eq!(dock.reopen().unwrap_err().kind(), ErrorKind::AddrInUse);
        assert!(!dock.is_open());
    });
}

#[test]
fn a_caller_that_is_gone_before_it_is_accepted_is_told() {
    run(async {
        let dock = dock();
        drop(TcpStream::connect(dock.address()).await.unwrap());
        let mut visit = Visit::of(dock.accept().await.unwrap(), manner());
        visit.expect(Arrival::Gone).await;
        visit.ends().await;
    });
}

#[test]
fn three_hundred_connections_live_on_one_thread() {
    run(async {
        let dock = Rc::new(dock());
        let address = dock.address();
        let clients: Vec<_> = (0..300)
            .map(|n: u32| {
                tokio::task::spawn_local(async move {
                    let client = TcpStream::connect(address).await.unwrap();
                    let request = request(PATH, Some(SUBPROTOCOL));
                    let (mut socket, _) = client_async(request, client).await.unwrap();
                    say(&mut socket, &n.to_string()).await;
                    hear_text(&mut socket, &format!("{n}, too")).await;
                    socket
                })
            })
            .collect();
        let mut visits = Vec::new();
        for _ in 0..300 {
            let visit = Visit::of(dock.accept().await.unwrap(), manner());
            visit.order(Order::Answer);
            visits.push(visit);
        }
        // All are open before the first is answered.
        let mut heard = Vec::new();
        for visit in &mut visits {
            visit.expect(Arrival::Opened).await;
            let Arrival::Text(text) = visit.told().await else { panic!("a text") };
            heard.push(text);
        }
        for (visit, text) in visits.iter().zip(&heard) {
            visit.text(&format!("{text}, too"));
        }
        for client in clients {
            drop(client.await.unwrap());
        }
        for mut visit in visits {
            visit.expect(Arrival::Gone).await;
            visit.ends().await;
        }
        heard.sort_unstable();
        heard.dedup();
        assert_eq!(heard.len(), 300);
    });
}
