//! TLS: certificates good and bad, and what a client can do with them.
//!
//! Not responsible for what is the same without TLS.
//!
//! Invariant: the clients here trust the authority of their run and nobody else.

use super::*;
use stateline_lab::tcp::tls::{Authority, Certificate};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};
use tokio_tungstenite::WebSocketStream;

/// A client that trusts this authority, by its file.
fn connector(authority: &Authority) -> TlsConnector {
    let folder = tempfile::tempdir().unwrap();
    let path = authority.write_pem(folder.path()).unwrap();
    let certificate = CertificateDer::from_pem_file(&path).unwrap();
    assert_eq!(certificate, CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn connect(
    connector: &TlsConnector,
    client: TcpStream,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::from(client.peer_addr().unwrap().ip());
    connector.connect(name, client).await
}

fn secure(dock: &Dock, authority: &Authority, kind: Certificate) -> Manner {
    let acceptor = authority.acceptor(dock.address().ip(), kind).unwrap();
    Manner { tls: Some(acceptor), ..manner() }
}

/// A connection that was opened through TLS.
async fn opened() -> (WebSocketStream<TlsStream<TcpStream>>, Visit) {
    let (dock, authority) = (dock(), Authority::new().unwrap());
    let connector = connector(&authority);
    let (client, mut visit) = dial(&dock, secure(&dock, &authority, Certificate::Good)).await;
    visit.order(Order::Answer);
    let stream = connect(&connector, client).await.unwrap();
    let (socket, _) = client_async(request(PATH, Some(SUBPROTOCOL)), stream).await.unwrap();
    visit.expect(Arrival::Opened).await;
    (socket, visit)
}

#[test]
fn a_good_certificate_is_trusted() {
    run(async {
        let (mut socket, mut visit) = opened().await;

        let long = "x".repeat(900_000);
        visit.text(&long);
        socket.send(Message::text(long.as_str())).await.unwrap();
        visit.expect_text(&long).await;
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(long));

        visit.order(Order::HoldDown(true));
        visit.text("held");
        socket.send(Message::text("there?")).await.unwrap();
        visit.expect_text("there?").await;
        assert!(is_silent(socket.get_ref().get_ref().0));
        visit.order(Order::HoldDown(false));
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("held"));

        visit.order(Order::Close(4001));
        assert!(matches!(socket.next().await.unwrap().unwrap(), Message::Close(Some(_))));
        // In order also for TLS: rustls takes an end without its own goodbye for an error.
        assert!(socket.next().await.is_none());
        visit.expect(Arrival::Closed(Some(4001))).await;
        drop(socket);
        visit.ends().await;
    });
}

#[test]
fn a_reset_through_tls_is_a_reset() {
    run(async {
        let (mut socket, visit) = opened().await;
        visit.order(Order::Reset);
        let error = socket.next().await.unwrap().unwrap_err();
        assert!(is_reset(&error), "{error:?}");
        visit.ends().await;
    });
}

#[test]
fn bad_certificates_are_refused_for_what_they_are() {
    run(async {
        let (dock, authority) = (dock(), Authority::new().unwrap());
        let connector = connector(&authority);
        for kind in [Certificate::Expired, Certificate::WrongHost] {
            let (client, mut visit) = dial(&dock, secure(&dock, &authority, kind)).await;
            visit.order(Order::Answer);
            let error = connect(&connector, client).await.unwrap_err();
            let error: &rustls::Error = error.get_ref().unwrap().downcast_ref().unwrap();
            match (kind, error) {
                (
                    Certificate::Expired,
                    rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. }),
                )
                | (
                    Certificate::WrongHost,
                    rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                        ..
                    }),
                ) => {}
                other => panic!("{other:?}"),
            }
            let why = visit.wrong().await;
            assert!(why.starts_with("TLS: the client ended it with the alert "), "{why}");
            visit.ends().await;
        }
        // An authority of another run is nobody.
        let stranger = Authority::new().unwrap();
        let (client, mut visit) = dial(&dock, secure(&dock, &stranger, Certificate::Good)).await;
        visit.order(Order::Answer);
        connect(&connector, client).await.unwrap_err();
        assert!(visit.wrong().await.starts_with("TLS: "));
        visit.ends().await;
    });
}

#[test]
fn a_client_without_tls_is_told() {
    run(async {
        let (dock, authority) = (dock(), Authority::new().unwrap());
        let (mut client, mut visit) =
            dial(&dock, secure(&dock, &authority, Certificate::Good)).await;
        client.write_all(b"GET /lab/v1 HTTP/1.1\r\nHost: dock\r\n\r\n").await.unwrap();
        visit.order(Order::Answer);
        let why = visit.wrong().await;
        assert!(why.starts_with("TLS: "), "{why}");
        visit.ends().await;
    });
}

#[test]
fn a_greeting_of_tls_can_be_given_up_and_reset() {
    run(async {
        let (dock, authority) = (dock(), Authority::new().unwrap());
        let secured = secure(&dock, &authority, Certificate::Good);
        let (client, mut visit) = dial(&dock, secured.clone()).await;
        visit.order(Order::Answer);
        drop(client);
        visit.expect(Arrival::Gone).await;
        visit.ends().await;

        let (mut client, visit) = dial(&dock, secured).await;
        visit.order(Order::Answer);
        client.write_all(&[0x16, 3, 1]).await.unwrap();
        visit.order(Order::Reset);
        expect_reset(&mut client).await;
        visit.ends().await;
    });
}
