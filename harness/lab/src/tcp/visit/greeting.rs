//! The first part of a visit: the dial hangs until it is answered, then TLS, then the HTTP upgrade.
//!
//! Not responsible for frames.
//!
//! Invariant: nothing is sent before [`Order::Answer`], and nothing that came before it is lost.

use super::stream::{Kept, Stream};
use super::{Arrival, Desk, Manner, Order, Over, PATIENCE};
use crate::tcp::line::Line;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, rustls};
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// The most bytes of an HTTP request.
const LONGEST_REQUEST: usize = 1 << 14;

/// The most bytes that are kept of a client that is not answered: a request, or a TLS greeting.
const LONGEST_WAIT: usize = 1 << 16;

/// The header that names subprotocols.
const SUBPROTOCOL: &str = "sec-websocket-protocol";

/// A request that is not answered with an upgrade.
struct Refused {
    status: &'static str,
    why: String,
}

/// Brings a dial to where messages can be sent.
pub(super) async fn greet(
    mut line: Line,
    Manner { path, subprotocol, tls }: Manner,
    desk: &mut Desk,
    tell: &mut impl FnMut(Arrival),
) -> Result<Stream, Over> {
    let kept = Kept::new(hang(&mut line, desk).await?, line);
    let mut stream = match tls {
        None => Stream::Plain(kept),
        Some(acceptor) => Stream::Tls(Box::new(desk.amid(secure(acceptor, kept)).await??)),
    };
    let request = desk.amid(read_request(&mut stream)).await??;
    match request.and_then(|request| upgrade(&request, &path, subprotocol.as_deref())) {
        Ok(response) => {
            desk.amid(write(&mut stream, &response)).await??;
            Ok(stream)
        }
        Err(Refused { status, why }) => {
            // Told before it is answered: the client may be slow to read.
            desk.told_all = true;
            tell(Arrival::Wrong(why.clone()));
            let dismiss = tokio::time::timeout(PATIENCE, dismiss(&mut stream, status, &why));
            desk.amid(dismiss).await.and(Err(Over::Settled))
        }
    }
}

/// Keeps what comes until the dial is answered.
async fn hang(line: &mut Line, desk: &mut Desk) -> Result<Vec<u8>, Over> {
    let mut bytes = Vec::new();
    loop {
        tokio::select! {
            biased;
            order = desk.orders.recv() => match order {
                Some(Order::Answer) => return Ok(bytes),
                order => desk.take(order)?,
            },
            read = line.read_buf(&mut bytes) => match read {
                Ok(1..) if bytes.len() <= LONGEST_WAIT => {}
                Ok(1..) => {
                    let why = format!("sent more than {LONGEST_WAIT} bytes without an answer");
                    return Err(Arrival::Wrong(why).into());
                }
                Ok(0) | Err(_) => return Err(Arrival::Gone.into()),
            },
        }
    }
}

async fn secure(acceptor: TlsAcceptor, kept: Kept) -> Result<TlsStream<Kept>, Arrival> {
    acceptor.accept(kept).await.map_err(|error| lost(&error))
}

async fn write(stream: &mut Stream, response: &[u8]) -> Result<(), Arrival> {
    stream.write_all(response).await.map_err(|error| lost(&error))?;
    stream.flush().await.map_err(|error| lost(&error))
}

/// What an error of the stream says about the client.
pub(super) fn lost(error: &io::Error) -> Arrival {
    use rustls::Error::AlertReceived;
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(AlertReceived(alert)) => {
            Arrival::Wrong(format!("TLS: the client ended it with the alert {alert:?}"))
        }
        Some(error) => Arrival::Wrong(format!("TLS: {error}")),
        None => Arrival::Gone,
    }
}

/// A request as it came; the outer error is the client's end, the inner one no request at all.
async fn read_request(stream: &mut Stream) -> Result<Result<Request, Refused>, Arrival> {
    let mut bytes = Vec::new();
    loop {
        match stream.read_buf(&mut bytes).await {
            Ok(0) => return Err(Arrival::Gone),
            Ok(_) => {}
            Err(error) => return Err(lost(&error)),
        }
        match Request::try_parse(&bytes) {
            Ok(Some((size, request))) if size == bytes.len() => return Ok(Ok(request)),
            Ok(Some(_)) => {
                return Ok(refused("sent more after its HTTP request, before the answer"));
            }
            Ok(None) if bytes.len() <= LONGEST_REQUEST => {}
            Ok(None) => {
                let why = format!("an HTTP request of more than {LONGEST_REQUEST} bytes");
                return Ok(refused(&why));
            }
            Err(_) if bytes.starts_with(&[0x16, 3]) => {
                return Ok(refused("began TLS, and the endpoint is without TLS (ws, not wss)"));
            }
            Err(error) => return Ok(refused(&format!("not an HTTP request: {error}"))),
        }
    }
}

/// The response to a request, as it is written.
fn upgrade(request: &Request, path: &str, subprotocol: Option<&str>) -> Result<Vec<u8>, Refused> {
    let asked = request.uri().path();
    if asked != path {
        let why = format!("asked for the path {asked}; the endpoint's path is {path}");
        return Err(Refused { status: "404 Not Found", why });
    }
    let mut response = create_response(request).or_else(|error| refused(&words(&error)))?;
    if let Some(subprotocol) = subprotocol {
        let offered = request.headers().get_all(SUBPROTOCOL).iter();
        let offered: Vec<&str> = offered
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        if !offered.contains(&subprotocol) {
            let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
            return refused(&format!(
                "offered the subprotocols: {offered}; the endpoint's is {subprotocol}"
            ));
        }
        let value = HeaderValue::from_str(subprotocol)
            .or_else(|_| refused("the endpoint's subprotocol cannot stand in a header"))?;
        response.headers_mut().insert(SUBPROTOCOL, value);
    }
    let mut bytes = Vec::new();
    write_response(&mut bytes, &response).or_else(|error| refused(&words(&error)))?;
    Ok(bytes)
}

fn refused<T>(why: &str) -> Result<T, Refused> {
    Err(Refused { status: "400 Bad Request", why: why.to_owned() })
}

/// What a request lacks, with the header's name.
fn words(error: &Error) -> String {
    use ProtocolError as P;
    let lacks = match error {
        Error::Protocol(P::MissingConnectionUpgradeHeader) => "`Connection: Upgrade`",
        Error::Protocol(P::MissingUpgradeWebSocketHeader) => "`Upgrade: websocket`",
        Error::Protocol(P::MissingSecWebSocketVersionHeader) => "`Sec-WebSocket-Version: 13`",
        Error::Protocol(P::MissingSecWebSocketKey | P::InvalidSecWebSocketKey) => {
            "`Sec-WebSocket-Key` with 16 bytes in base64"
        }
        other => return format!("not a WebSocket upgrade: {other}"),
    };
    format!("not a WebSocket upgrade: the request has no header {lacks}")
}

/// Answers without an upgrade, and lets the client read it.
async fn dismiss(stream: &mut Stream, status: &str, why: &str) -> io::Result<()> {
    let length = why.len();
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{why}"
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    // A connection that is dropped with bytes unread is reset, and a reset overtakes the answer.
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}
