//! What is asked and answered over HTTP. The document of it is `openapi.json`, the specification `schemas/intake.md`.

use super::body::{self, Format, Reject, Rows, Useless};
use super::contracts::{self, Contracts};
use super::json::Kind;
use super::limits::{BODY_BYTES, BODY_SECONDS, BYTES_IN_FLIGHT, EVENTS_PER_REQUEST, INLINE_BYTES, RETRY_SECONDS};
use super::queue::{CLOSED, Queue, Turned};
use super::token::Token;
use super::writer::{Job, Written};
use crate::journal::RowResult;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
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
}

impl Shared {
    pub fn new(token: Token, queue: Arc<Queue>, contracts: Contracts) -> Self {
        let room = Arc::new(Semaphore::new(BYTES_IN_FLIGHT));
        Shared { token, queue, contracts: RwLock::new(Arc::new(contracts)), room }
    }

    /// Later requests are read by these contracts.
    pub fn learn(&self, contracts: Contracts) {
        *self.contracts.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(contracts);
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
    Router::new()
        .route("/v1/predictions", post(predictions))
        .route("/v1/outcomes", post(outcomes))
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
    let read = move || body::read(kind, format, &body, &contracts);
    let rows = match room.num_permits() > INLINE_BYTES {
        true => tokio::task::spawn_blocking(read).await.map_err(|_| broken())?,
        false => read(),
    };
    let Rows { groups, lines, rejected } = rows.map_err(useless)?;
    let mut answer = Answer { rejected, ..Answer::default() };
    if !groups.is_empty() {
        let (job, written) = Job::new(groups, Some(room));
        shared.queue.push(job).map_err(|turned| match turned {
            Turned::Full => busy("as many events as may wait do wait"),
            Turned::Closed => busy(CLOSED),
        })?;
        answer.add(written.await.map_err(|_| busy(CLOSED))?, lines)?;
    }
    answer.rejected.sort_by_key(|reject| reject.line);
    let status = if answer.taken + answer.duplicates + answer.waiting + answer.sampled > 0 {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Ok(json(status, &answer))
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

fn check_token(token: &Token, headers: &HeaderMap) -> Result<(), Response> {
    let shown = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let bearer =
        shown.and_then(|shown| shown.split_at_checked(7)).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    if bearer.is_some_and(|(_, shown)| token.is(shown.trim_ascii())) {
        return Ok(());
    }
    let hint = "send `Authorization: Bearer TOKEN`; the token is in keys/intake.token of the agent's home";
    let mut refusal = refused(StatusCode::UNAUTHORIZED, "no token, or a wrong one", hint);
    refusal.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    Err(refusal)
}

fn format(headers: &HeaderMap) -> Result<Format, Response> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?")).unwrap_or_default();
    let encoding = text(header::CONTENT_ENCODING);
    if !matches!(encoding, "" | "identity") {
        return Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a compressed body", "send it as it is"));
    }
    let media = text(header::CONTENT_TYPE);
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
    refusal.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(RETRY_SECONDS));
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
