//! HTTP/1.1 for a witness: few connections, small bodies, short times; what is wrong with one ends that one.

use super::state::{Answer, Witness};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_home::now;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Bytes of a request: a note, 63 hashes and a number.
const BODY_BYTES: usize = 72 << 10;
/// Connections held at once; more wait to be accepted.
const CONNECTIONS: usize = 256;
/// Longest time that the head of a request may take.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longest time that a body may take.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Longest time that a connection may last, whatever is done with it.
const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// Wait after a connection could not be accepted.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);
/// Longest time for requests that have begun when the witness is told to stop.
const STOP_TIME: Duration = Duration::from_secs(5);

type Reply = Response<Full<Bytes>>;

/// What all connections share: the state is behind the lock, so that no two requests are judged at once.
struct Shared {
    witness: Mutex<Witness>,
}

/// Serves until a signal. `ready` is told the address.
///
/// # Errors
/// An address that cannot be used.
pub fn run(witness: Witness, listen: SocketAddr, ready: impl FnOnce(SocketAddr)) -> Result<(), Fault> {
    let failed = |e: std::io::Error| {
        Fault::new(Blame::Operator, format!("cannot listen on {listen}: {e}"), "free it, or name another with --listen")
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(failed)?;
        ready(listener.local_addr().map_err(failed)?);
        let shared = Arc::new(Shared { witness: Mutex::new(witness) });
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        tokio::select! {
            () = accept(&listener, &shared, &slots) => {}
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok::<_, Fault>(())
    })?;
    // A write that has begun is finished.
    runtime.shutdown_timeout(STOP_TIME);
    Ok(())
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>, slots: &Arc<Semaphore>) {
    loop {
        // The semaphore is never closed.
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(shared);
                tokio::spawn(async move {
                    connection(shared, stream).await;
                    drop(slot);
                });
            }
            // Too many open files, a connection that is gone again: neither is a reason to end.
            Err(_) => tokio::time::sleep(ACCEPT_WAIT).await,
        }
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(shared, request).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(16 << 10);
    // Errors of a connection are the connection's.
    let _ = tokio::time::timeout(CONNECTION_TIME, http.serve_connection(TokioIo::new(stream), service)).await;
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    match (request.method(), path.as_str()) {
        (&Method::POST, "/add-checkpoint") => add(shared, request.into_body()).await,
        (_, "/add-checkpoint") => reply(StatusCode::METHOD_NOT_ALLOWED, "POST a checkpoint (c2sp.org/tlog-witness)\n"),
        (&Method::GET, "/") => {
            let known = with(shared, |witness| format!("{}\n", witness.cosigner)).await;
            known.map_or_else(broken, |key| reply(StatusCode::OK, key))
        }
        (&Method::GET, path) => match path.strip_prefix("/checkpoint/").and_then(Digest::from_hex) {
            Some(origin) => held(shared, origin).await,
            None => reply(StatusCode::NOT_FOUND, "GET / or /checkpoint/<sha256 of the origin>, POST /add-checkpoint\n"),
        },
        _ => reply(StatusCode::METHOD_NOT_ALLOWED, "GET or POST\n"),
    }
}

async fn held(shared: Arc<Shared>, origin: Digest) -> Reply {
    match with(shared, move |witness| witness.note(&origin)).await {
        Some(Ok(Some(note))) => reply(StatusCode::OK, note),
        Some(Ok(None)) => reply(StatusCode::NOT_FOUND, "this witness cosigned nothing of that log\n"),
        Some(Err(fault)) => failed(&fault),
        None => broken(),
    }
}

async fn add(shared: Arc<Shared>, body: Incoming) -> Reply {
    let body = tokio::time::timeout(BODY_TIME, Limited::new(body, BODY_BYTES).collect()).await;
    let body = match body {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(e)) if e.is::<http_body_util::LengthLimitError>() => {
            return reply(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {BODY_BYTES} bytes\n"));
        }
        Ok(Err(_)) => return reply(StatusCode::BAD_REQUEST, "the body was cut off\n"),
        Err(_) => return reply(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
    };
    match with(shared, move |witness| witness.add(&body, now())).await {
        Some(Answer::Cosigned(line)) => reply(StatusCode::OK, line),
        Some(Answer::Conflict(size)) => {
            let mut reply = reply(StatusCode::CONFLICT, format!("{size}\n"));
            reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/x.tlog.size"));
            reply
        }
        Some(Answer::Refused(status, why)) => {
            reply(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), format!("{why}\n"))
        }
        Some(Answer::Failed(fault)) => failed(&fault),
        None => broken(),
    }
}

/// Does something with the state, away from the threads that serve; none if that failed.
async fn with<T: Send + 'static>(shared: Arc<Shared>, work: impl FnOnce(&Witness) -> T + Send + 'static) -> Option<T> {
    let work = move || work(&shared.witness.lock().unwrap_or_else(PoisonError::into_inner));
    tokio::task::spawn_blocking(work).await.ok()
}

fn reply(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}

/// What is wrong here is for the operator; who asked learns that it was not their fault.
fn failed(fault: &Fault) -> Reply {
    eprintln!("{fault}");
    broken()
}

fn broken() -> Reply {
    reply(StatusCode::INTERNAL_SERVER_ERROR, "this witness cannot answer; its operator must look after it\n")
}
