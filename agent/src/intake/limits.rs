//! Every limit of intake, with its unit.

/// Bytes of a request's body.
pub const BODY_BYTES: usize = 8 << 20;
/// Events or outcomes of a request.
pub const EVENTS_PER_REQUEST: usize = 20_000;
/// Bytes of bodies, and of the rows read from them, that wait or are being written; beyond, requests are turned away.
pub const BYTES_IN_FLIGHT: usize = 64 << 20;
/// Rows that wait to be written where `config.toml` does not say otherwise.
pub const QUEUE_EVENTS: usize = 50_000;
/// Rows after which a batch is written although more wait. The last request of a batch may go beyond.
pub const BATCH_EVENTS: usize = 20_000;
/// Connections at a time; further ones wait to be accepted.
pub const CONNECTIONS: usize = 256;
/// Bytes of a body above which it is read by a thread of its own, so that others are still answered.
pub const INLINE_BYTES: usize = 64 << 10;
/// Large bodies that are read at a time: the rows of one may take several times its room until they are queued.
pub const READERS: usize = 4;
/// Seconds that a body may take to arrive.
pub const BODY_SECONDS: u64 = 30;
/// Seconds after which to try again what was turned away.
pub const RETRY_SECONDS: u64 = 1;
/// Characters of a reason.
pub const REASON_CHARS: usize = 300;
/// Characters of a text of few values: caller, source, risk tier, class.
pub const TERM_CHARS: usize = 200;
/// Characters of a subject.
pub const SUBJECT_CHARS: usize = 200;
/// Characters of an explanation reference.
pub const EXPLANATION_CHARS: usize = 1_000;
