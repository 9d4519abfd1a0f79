//! What is asked and answered over HTTP. The document of it is `openapi.json`, the specification `schemas/intake.md`.

#![expect(
    clippy::result_large_err,
    reason = "an early answer is as large as any, and a box for it would only hide that"
)]

use super::body::{self, Format, Reject, Rows, Useless};
use super::cloudevents::{self, Asked, Taken};
use super::contracts::{self, Contracts};
use super::json::Kind;
use super::limits::{
    BODY_BYTES, BODY_SECONDS, BYTES_IN_FLIGHT, EVENTS_PER_REQUEST, INLINE_BYTES, READERS, RETRY_SECONDS,
};
use super::queue::{CLOSED, Queue, Turned};
use super::token::Token;
use super::writer::{Group, Job, Written};
use crate::journal::RowResult;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedaudit_link::home::now;
use serde::Serialize;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all requests share.
pub(crate) struct Shared {
    token: Token,
    pub queue: Arc<Queue>,
    /// Replaced as a whole; held only for as long as it takes to clone it.
    contracts: RwLock<Arc<Contracts>>,
    /// A permit a byte.
    room: Arc<Semaphore>,
    readers: Semaphore,
}

impl Shared {
    pub fn new(token: Token, queue: Arc<Queue>, contracts: Contracts) -> Self {
        let room = Arc::new(Semaphore::new(BYTES_IN_FLIGHT));
        Shared { token, queue, contracts: RwLock::new(Arc::new(contracts)), room, readers: Semaphore::new(READERS) }
    }

    /// Later requests are read by these contracts.
    pub fn learn(&self, contracts: Contracts) {
        *self.contracts.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(contracts);
    }

    /// Reads a body that has this much room; a large one by another thread, so that others are still answered.
    async fn read<T: Send + 'static>(
        &self,
        room: &OwnedSemaphorePermit,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Response> {
        if room.num_permits() <= INLINE_BYTES {
            return Ok(read());
        }
        let _reader = self.readers.acquire().await.map_err(|_| broken())?;
        tokio::task::spawn_blocking(read).await.map_err(|_| broken())
    }

    fn contracts(&self) -> Arc<Contracts> {
        Arc::clone(&self.contracts.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The paths.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let predictions =
        |State(shared): State<Arc<Shared>>, request| async move { take(&shared, Kind::Predictions, request).await };
    let outcomes =
        |State(shared): State<Arc<Shared>>, request| async move { take(&shared, Kind::Outcomes, request).await };
    let conversation = |State(shared): State<Arc<Shared>>, request| async move { told(&shared, request).await };
    Router::new()
        .route("/v1/predictions", post(predictions))
        .route("/v1/outcomes", post(outcomes))
        .route("/v1/cloudevents", post(conversation))
        // Loggers post to the root of what they are given.
        .route("/", post(conversation))
        .route("/openapi.json", get(async || ([(header::CONTENT_TYPE, JSON)], OPENAPI)))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .fallback(async || {
            refused(StatusCode::NOT_FOUND, "there is nothing here", "GET /openapi.json says what there is")
        })
        .method_not_allowed_fallback(async || {
            refused(StatusCode::METHOD_NOT_ALLOWED, "not with this method", "GET /openapi.json says which")
        })
        .with_state(shared)
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    match shared.queue.trouble() {
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")).into_response(),
        None if shared.contracts().is_empty() => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", contracts::NONE)).into_response()
        }
        None => "ready\n".into_response(),
    }
}

async fn take(shared: &Shared, kind: Kind, request: Request) -> Response {
    taken(shared, kind, request).await.unwrap_or_else(|refusal| refusal)
}

/// Answers a request; early, where it cannot be taken.
async fn taken(shared: &Shared, kind: Kind, request: Request) -> Result<Response, Response> {
    let (head, body) = request.into_parts();
    check_token(&shared.token, &head.headers)?;
    let format = format(&head.headers)?;
    let (body, room) = arrive(shared, &head.headers, body).await?;
    let contracts = shared.contracts();
    let read = move || body::read(kind, format, &body, &contracts, now());
    let Rows { groups, lines, rejected, .. } = shared.read(&room, read).await?.map_err(useless)?;
    let mut answer = Answer { rejected, ..Answer::default() };
    if !groups.is_empty() {
        answer.add(written(shared, groups, room).await?, lines)?;
    }
    answer.rejected.sort_by_key(|reject| reject.line);
    let status = if answer.taken + answer.duplicates + answer.waiting + answer.sampled > 0 {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Ok(json(status, &answer))
}

/// What became of groups, once that is durable.
async fn written(shared: &Shared, groups: Vec<Group>, room: OwnedSemaphorePermit) -> Result<Written, Response> {
    let (job, written) = Job::new(groups, Some(room));
    shared.queue.push(job).map_err(|turned| match turned {
        Turned::Full => busy("as many events as may wait do wait"),
        Turned::Closed => busy(CLOSED),
    })?;
    written.await.map_err(|_| busy(CLOSED))
}

async fn told(shared: &Shared, request: Request) -> Response {
    heard(shared, request).await.unwrap_or_else(|refusal| refusal)
}

/// Answers a message of an inference logger: with 200 where it is journaled, waits, is known, contradicts or cannot be
/// read, for all of these are counted, and the logger can mend none.
async fn heard(shared: &Shared, request: Request) -> Result<Response, Response> {
    let (head, body) = request.into_parts();
    check_token(&shared.token, &head.headers)?;
    check_encoding(&head.headers)?;
    let asked = Asked::of_query(head.uri.query().unwrap_or_default());
    let (body, room) = arrive(shared, &head.headers, body).await?;
    let contracts = shared.contracts();
    let read = move || cloudevents::read(&head.headers, &body, &asked, &contracts, now());
    let taken = shared.read(&room, read).await?;
    let hint = "see schemas/intake.md; nothing was taken or counted";
    let mut answer = Answer::default();
    match taken.map_err(|error| refused(StatusCode::BAD_REQUEST, &format!("no CloudEvent to take: {error}"), hint))? {
        Taken::Other(kind) => answer.rejected.push(Reject::new(1, &format!("messages of type {kind} are passed over"))),
        Taken::Items(contract, items) => {
            let lines = vec![(1..).take(items.len()).collect()];
            answer.add(written(shared, vec![Group { contract, items }], room).await?, lines)?;
        }
    }
    Ok(json(StatusCode::OK, &answer))
}

/// What became of a request's lines. Each is in exactly one of them.
#[derive(Debug, Default, Serialize)]
struct Answer {
    /// New, and durable.
    taken: u64,
    /// Durable before.
    duplicates: u64,
    /// Labels that are durable and wait for their event.
    #[serde(skip_serializing_if = "is_none")]
    waiting: u64,
    /// Left out by sampling, and counted.
    #[serde(skip_serializing_if = "is_none")]
    sampled: u64,
    rejected: Vec<Reject>,
}

impl Answer {
    fn add(&mut self, written: Written, lines: Vec<Vec<u32>>) -> Result<(), Response> {
        let written = written.map_err(|fault| busy(&fault.to_string().replace("\nhint: ", "; ")))?;
        for (result, line) in written.into_iter().flatten().zip(lines.into_iter().flatten()) {
            match result {
                RowResult::Event { .. } | RowResult::Outcome => self.taken += 1,
                RowResult::Duplicate => self.duplicates += 1,
                RowResult::Waiting => self.waiting += 1,
                RowResult::Sampled => self.sampled += 1,
                RowResult::Rejected(reason) => self.rejected.push(Reject::new(line, &reason)),
            }
        }
        Ok(())
    }
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The token is shown as such, or as the password of whatever user: loggers take an address, `http://x:TOKEN@host/`, and
/// nothing else.
fn check_token(token: &Token, headers: &HeaderMap) -> Result<(), Response> {
    let shown = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let (scheme, shown) = shown.split_at(shown.iter().position(|byte| *byte == b' ').unwrap_or(shown.len()));
    let good = match scheme.to_ascii_lowercase().as_slice() {
        b"bearer" => token.is(shown.trim_ascii()),
        b"basic" => STANDARD.decode(shown.trim_ascii()).is_ok_and(|pair| {
            let password = pair.iter().position(|byte| *byte == b':').and_then(|colon| pair.get(colon + 1..));
            password.is_some_and(|password| token.is(password))
        }),
        _ => false,
    };
    if good {
        return Ok(());
    }
    let hint = "send `Authorization: Bearer TOKEN`; the token is in keys/intake.token of the agent's home";
    let mut refusal = refused(StatusCode::UNAUTHORIZED, "no token, or a wrong one", hint);
    refusal.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Err(refusal)
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Response> {
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"" | b"identity") => Ok(()),
        Some(_) => Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a compressed body", "send it as it is")),
    }
}

fn format(headers: &HeaderMap) -> Result<Format, Response> {
    check_encoding(headers)?;
    let media = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?")).unwrap_or_default();
    match media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => Ok(Format::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Format::Lines),
        _ => {
            let what = format!("content type `{}`", media.escape_debug());
            let hint = "send application/json (an object or an array) or application/x-ndjson (an object a line)";
            Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, &what, hint))
        }
    }
}

/// Reads a body, for which there must be room first: what it announces, or the most it can be.
async fn arrive(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<(Bytes, OwnedSemaphorePermit), Response> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let bytes = announced.map_or(BODY_BYTES, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if bytes > BODY_BYTES {
        return Err(too_large());
    }
    let room = Arc::clone(&shared.room).try_acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX));
    let mut room = room.map_err(|_| busy("as many bytes as may wait do wait"))?;
    let read = tokio::time::timeout(Duration::from_secs(BODY_SECONDS), axum::body::to_bytes(body, BODY_BYTES));
    let body = match read.await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if too_long(&error) => return Err(too_large()),
        Ok(Err(_)) => {
            return Err(refused(StatusCode::BAD_REQUEST, "the body ends early", "send all that was announced"));
        }
        Err(_) => {
            let what = format!("the body took more than {BODY_SECONDS} s");
            return Err(refused(StatusCode::REQUEST_TIMEOUT, &what, "send it again, in smaller parts"));
        }
    };
    drop(room.split(bytes.saturating_sub(body.len())));
    Ok((body, room))
}

/// Whether it was the limit that a body did not pass.
fn too_long(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.to_string() == "length limit exceeded" {
            return true;
        }
        source = error.source();
    }
    false
}

fn useless(useless: Useless) -> Response {
    match useless {
        Useless::Malformed(error) => refused(
            StatusCode::BAD_REQUEST,
            &format!("the body is not JSON of this kind: {error}"),
            "nothing was taken; mend it",
        ),
        Useless::Long => refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("more than {EVENTS_PER_REQUEST} lines"),
            "nothing was taken; send it in parts",
        ),
    }
}

fn too_large() -> Response {
    let what = format!("a body of more than {BODY_BYTES} bytes");
    refused(StatusCode::PAYLOAD_TOO_LARGE, &what, "nothing was taken; send it in parts")
}

fn broken() -> Response {
    refused(StatusCode::INTERNAL_SERVER_ERROR, "this request broke its reader", "report this")
}

/// Nothing of the request is acknowledged, and it may be sent again as it is: what is durable all the same counts once.
fn busy(what: &str) -> Response {
    let mut refusal =
        refused(StatusCode::SERVICE_UNAVAILABLE, what, "send the same again after the seconds that Retry-After says");
    refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
    refusal
}

fn refused(status: StatusCode, error: &str, hint: &str) -> Response {
    #[derive(Serialize)]
    struct Refusal<'a> {
        error: &'a str,
        hint: &'a str,
    }
    json(status, &Refusal { error, hint })
}

fn json<T: Serialize>(status: StatusCode, answer: &T) -> Response {
    let body = serde_json::to_vec(answer).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, JSON)], body).into_response()
}

const JSON: &str = "application/json";
/// The document of this interface.
const OPENAPI: &str = include_str!("openapi.json");
