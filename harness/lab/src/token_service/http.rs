//! HTTP/1.1 to asks, and answers back: all of the service's I/O.
//!
//! Not responsible for what an answer says, except where a request never reaches a desk.
//!
//! Invariant: what one connection can hold is bounded in bytes, and every wait ends when the client
//! hangs up, when the desk is withdrawn, or when the service is dropped.

use super::answer::{Answer, Page};
use super::request::Verb;
use super::{Ask, Desk, Desks, MOST_AT_ONCE, Seat};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Connections at once; more wait to be accepted.
const MOST_VISITS: usize = 4_096;
/// The longest body.
const LONGEST_BODY: usize = 64 << 10;
/// What is read ahead of a request: its head, and a piece of its body.
const READ_AHEAD: usize = 16 << 10;
/// How long a head may take, and a body.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an error that only time can mend is held back.
const PAUSE: Duration = Duration::from_millis(20);

/// Accepts connections until it is dropped, and they with it.
pub(super) async fn accept(listener: TcpListener, desks: Arc<Desks>) {
    let mut visits = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if visits.len() < MOST_VISITS => match accepted {
                Ok((stream, _)) => {
                    visits.spawn(visit(stream, Arc::clone(&desks)));
                }
                // No descriptors are left, or the caller was gone before it was accepted.
                Err(_) => sleep(PAUSE).await,
            },
            Some(_) = visits.join_next() => {}
        }
    }
}

/// Serves the one request of a connection.
async fn visit(stream: TcpStream, desks: Arc<Desks>) {
    // Without it the answer is as good, only later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| serve(&desks, request));
    // It ends with an error when the client hangs up or when it is not to be answered.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .keep_alive(false)
        .max_buf_size(READ_AHEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the request is not answered")]
struct Unanswered;

async fn serve(
    desks: &Desks,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Unanswered> {
    let found = find(desks, &request);
    let body = request.into_body();
    match found {
        Ok((Seat { desk, mut over, place: _place }, verb)) => tokio::select! {
            biased;
            _ = over.changed() => Err(Unanswered),
            response = async { respond(consult(&desk, verb, body).await?).await } => response,
        },
        Err(answer) => {
            // A connection that ends with something unread would take the answer with it.
            let _ = timeout(PATIENCE, read(body, 0)).await;
            respond(answer).await
        }
    }
}

/// The desk that a request goes to, and with what.
///
/// # Errors
/// What it is told instead.
fn find(desks: &Desks, request: &Request<Incoming>) -> Result<(Seat, Verb), Answer> {
    let not_found = |why: &str| Answer::refused(StatusCode::NOT_FOUND, why);
    let path = request.uri().path().strip_prefix('/').unwrap_or_default();
    let (key, rest) = path.split_once('/').unwrap_or((path, ""));
    let seat = desks.seat(key).ok_or_else(|| {
        not_found("no client that is being tested has this URL, or its case is over")
    })?;
    let verb = Verb::named(rest)
        .ok_or_else(|| not_found(&format!("after the client's URL comes one of: {}", Verb::ALL)))?;
    if request.method() != Method::POST {
        return Err(Answer::refused(StatusCode::METHOD_NOT_ALLOWED, "every request is a POST"));
    }
    if seat.place.is_none() {
        let why = format!("more than {MOST_AT_ONCE} requests of this client wait for an answer");
        return Err(Answer::refused(StatusCode::SERVICE_UNAVAILABLE, &why));
    }
    Ok((seat, verb))
}

/// Asks the desk, if the body makes sense.
async fn consult(desk: &Desk, verb: Verb, body: Incoming) -> Result<Answer, Unanswered> {
    let what = match timeout(PATIENCE, read(body, LONGEST_BODY)).await {
        Ok(Ok(body)) => verb.read(&body).map_err(|why| (StatusCode::BAD_REQUEST, why)),
        Ok(Err(refused)) => Err(refused),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body does not come".to_owned())),
    };
    let what = match what {
        Ok(what) => what,
        Err((status, why)) => return Ok(Answer::refused(status, &why)),
    };
    let (reply, answer) = oneshot::channel();
    desk.asks.send(Ask { client: desk.client, what, reply }).map_err(|_| Unanswered)?;
    answer.await.map_err(|_| Unanswered)
}

/// Reads a body to its end, and keeps so many bytes at most.
///
/// # Errors
/// There were more, or it has no end.
async fn read(mut body: Incoming, most: usize) -> Result<Vec<u8>, (StatusCode, String)> {
    let mut kept = Vec::new();
    let mut fits = true;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err((StatusCode::BAD_REQUEST, "the body breaks off".to_owned()));
        };
        if let Ok(data) = frame.into_data() {
            fits &= kept.len() + data.len() <= most;
            if fits {
                kept.extend_from_slice(&data);
            }
        }
    }
    if fits {
        Ok(kept)
    } else {
        let why = format!("the body has more than {most} bytes");
        Err((StatusCode::PAYLOAD_TOO_LARGE, why))
    }
}

/// Lets an answer go when its time has come.
async fn respond(Answer { after, page }: Answer) -> Result<Response<Full<Bytes>>, Unanswered> {
    let Some(page) = page else { return std::future::pending().await };
    sleep(after).await;
    let Page { status, retry_after, content, body } = page;
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if let Some(time) = retry_after {
        // The header knows whole seconds, and earlier than asked would be wrong.
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        headers.insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
}
