//! What a broken or refused connection means to the client: whose fault it is and what to do next.

use crate::frame::{FrameError, REFUSED_TIMED_OUT, REFUSED_TOO_LARGE, UNANSWERED};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use quinn::{ConnectionClose, ConnectionError, TransportErrorCode, VarInt};

/// Why one side closes a connection; the code travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Nothing is left to say.
    Done,
    /// The program stops, or starts again.
    Shutdown,
    /// The peer's key may not speak here: unknown, revoked or expired.
    NotAdmitted,
    /// Too much is asked for at the moment.
    Busy,
    /// The peer broke the protocol.
    Protocol,
}

impl CloseReason {
    /// The application error code on the wire.
    pub fn code(self) -> u32 {
        match self {
            CloseReason::Done => 0,
            CloseReason::Shutdown => 1,
            CloseReason::NotAdmitted => 2,
            CloseReason::Busy => 3,
            CloseReason::Protocol => 4,
        }
    }

    /// The reason with this code; an unknown code, of a later version, is none.
    pub fn of_code(code: u64) -> Option<Self> {
        let all = [Self::Done, Self::Shutdown, Self::NotAdmitted, Self::Busy, Self::Protocol];
        all.into_iter().find(|reason| u64::from(reason.code()) == code)
    }
}

/// A connection to `address` that failed or ended with `error`.
pub(crate) fn connection_fault(address: &str, error: &ConnectionError) -> Fault {
    match error {
        ConnectionError::TimedOut => no_answer(address),
        ConnectionError::ApplicationClosed(close) => closed_fault(address, close.error_code, &close.reason),
        ConnectionError::ConnectionClosed(close) => refused_fault(address, close),
        ConnectionError::TransportError(error) => Fault::new(
            Blame::Aggregator,
            format!("{address} does not speak this protocol as it should: {}", plain(error.to_string().as_bytes())),
            "check that the address is the aggregator's and that both sides run the same version",
        ),
        ConnectionError::VersionMismatch => Fault::new(
            Blame::Aggregator,
            format!("{address} speaks no version of QUIC that this program knows"),
            "check that the address is the aggregator's",
        ),
        ConnectionError::Reset => Fault::new(
            Blame::Aggregator,
            format!("the aggregator at {address} no longer knows this connection; it was probably restarted"),
            "connect again",
        ),
        ConnectionError::LocallyClosed => Fault::new(
            Blame::Operator,
            format!("the connection to {address} was closed on this side"),
            "connect again, unless this program is being stopped",
        ),
        ConnectionError::CidsExhausted => Fault::new(
            Blame::Operator,
            format!("this program has too many connections open to reach {address}"),
            "restart it; if it repeats, report this",
        ),
    }
}

/// No answer came from `address` in time.
pub(crate) fn no_answer(address: &str) -> Fault {
    Fault::new(
        Blame::Network,
        format!("no answer from {address}"),
        "check the address, that the aggregator is running, and that UDP to this port may pass",
    )
}

/// A request to `address` that failed with `error` while its connection lives on.
pub(crate) fn request_fault(address: &str, error: &FrameError) -> Fault {
    match error {
        FrameError::TimedOut => no_answer(address).while_("request"),
        FrameError::Refused(code) => stream_fault(address, *code, error),
        FrameError::TooLarge { .. } | FrameError::Truncated | FrameError::TrailingBytes => Fault::new(
            Blame::Aggregator,
            format!("the aggregator at {address} sent a bad answer: {error}"),
            "check that both sides run the same version; if it repeats, report it to the aggregator's operator",
        ),
        FrameError::Stream(_) => {
            Fault::new(Blame::Network, format!("request to {address}: {error}"), "connect again and repeat the request")
        }
    }
}

fn stream_fault(address: &str, code: u64, error: &FrameError) -> Fault {
    let what = format!("the aggregator at {address} refused the request: {error}");
    let (blame, hint) = match u32::try_from(code).unwrap_or(u32::MAX) {
        REFUSED_TOO_LARGE => {
            (Blame::Site, "a peer that is not in the roster may only join; otherwise send less at once")
        }
        REFUSED_TIMED_OUT => (Blame::Network, "the link may be too slow; try again"),
        UNANSWERED => (Blame::Aggregator, "try again; the reason stands in the aggregator's log"),
        _ => (Blame::Site, "check that both sides run the same version"),
    };
    Fault::new(blame, what, hint)
}

fn closed_fault(address: &str, code: VarInt, text: &[u8]) -> Fault {
    let said = if text.is_empty() { String::new() } else { format!(": {}", plain(text)) };
    let (blame, did, hint) = match CloseReason::of_code(code.into_inner()) {
        Some(CloseReason::Done) => (Blame::Aggregator, "ended the connection", "connect again"),
        Some(CloseReason::Shutdown) => (Blame::Aggregator, "is stopping", "try again when it runs"),
        Some(CloseReason::NotAdmitted) => (
            Blame::Operator,
            "does not admit this key",
            "ask who keeps the roster whether this key is in it; join anew if it was revoked",
        ),
        Some(CloseReason::Busy) => (Blame::Aggregator, "is busy", "try again later"),
        Some(CloseReason::Protocol) => {
            (Blame::Site, "says that this side broke the protocol", "check that both sides run the same version")
        }
        None => (Blame::Aggregator, "closed the connection", "check that both sides run the same version"),
    };
    Fault::new(blame, format!("the aggregator at {address} {did}{said}"), hint)
}

/// The peer's QUIC or TLS ended the connection. A TLS 1.3 client learns only here that its key was refused.
fn refused_fault(address: &str, close: &ConnectionClose) -> Fault {
    let (code, said) = (close.error_code, close.to_string());
    let alert = u64::from(code).checked_sub(0x100).filter(|alert| *alert < 0x100);
    match alert {
        Some(ALERT_NO_APPLICATION_PROTOCOL) => Fault::new(
            Blame::Aggregator,
            format!("{address} does not speak fedaudit/1"),
            "check that the address is the aggregator's and that both sides run the same version",
        ),
        Some(ALERT_BAD_CERTIFICATE..=ALERT_UNKNOWN_CA | ALERT_DECRYPT_ERROR | ALERT_CERTIFICATE_REQUIRED) => {
            Fault::new(
                Blame::Operator,
                format!("the aggregator at {address} refused this side's transport key"),
                "check that the transport key file is an Ed25519 key made by this program",
            )
        }
        None if code == TransportErrorCode::CONNECTION_REFUSED => Fault::new(
            Blame::Aggregator,
            format!("the aggregator at {address} takes no more connections at the moment"),
            "try again later",
        ),
        None if code == TransportErrorCode::APPLICATION_ERROR => Fault::new(
            Blame::Aggregator,
            format!("the aggregator at {address} ended the connection before it stood; it is probably stopping"),
            "try again when it runs",
        ),
        _ => Fault::new(
            Blame::Aggregator,
            format!("the aggregator at {address} ended the connection: {}", plain(said.as_bytes())),
            "check that both sides run the same version",
        ),
    }
}

/// A peer's text, fit for a terminal and a log.
fn plain(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(TEXT_CHARS).flat_map(char::escape_debug).collect()
}

/// Characters of a peer's text that are shown.
const TEXT_CHARS: usize = 200;

// Alerts of RFC 8446, section 6, and RFC 7301.
const ALERT_BAD_CERTIFICATE: u64 = 42;
const ALERT_UNKNOWN_CA: u64 = 48;
const ALERT_DECRYPT_ERROR: u64 = 51;
const ALERT_CERTIFICATE_REQUIRED: u64 = 116;
const ALERT_NO_APPLICATION_PROTOCOL: u64 = 120;

/// A server that shows none of the keys that were wanted.
pub(crate) fn wrong_key(address: &str, expected: &[Digest], other: Digest) -> Fault {
    let expected = expected.iter().map(Digest::to_string).collect::<Vec<_>>().join(" or ");
    Fault::new(
        Blame::Aggregator,
        format!(
            "the aggregator at {address} holds a different key than the join token or roster says: \
             {other} instead of {expected}"
        ),
        "do not go on; check the address, and ask the aggregator's operator whether its transport key was rotated: then take the \
         registry in by file",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back() {
        for code in 0..5 {
            assert_eq!(CloseReason::of_code(code.into()).map(CloseReason::code), Some(code));
        }
        assert_eq!(CloseReason::of_code(5), None);
    }

    #[test]
    fn each_refusal_has_its_blame() {
        let closed = |reason: CloseReason| closed_fault("a:1", VarInt::from_u32(reason.code()), b"x\x1b[2J").blame;
        assert_eq!(closed(CloseReason::NotAdmitted), Blame::Operator);
        assert_eq!(closed(CloseReason::Shutdown), Blame::Aggregator);
        assert_eq!(closed(CloseReason::Protocol), Blame::Site);
        assert_eq!(connection_fault("a:1", &ConnectionError::TimedOut).blame, Blame::Network);
        assert_eq!(connection_fault("a:1", &ConnectionError::Reset).blame, Blame::Aggregator);
        let ended = |error_code| {
            let close = ConnectionClose { error_code, frame_type: None, reason: Default::default() };
            refused_fault("a:1", &close).blame
        };
        assert_eq!(ended(TransportErrorCode::crypto(116)), Blame::Operator);
        assert_eq!(ended(TransportErrorCode::crypto(120)), Blame::Aggregator);
        assert_eq!(ended(TransportErrorCode::CONNECTION_REFUSED), Blame::Aggregator);
        assert_eq!(request_fault("a:1", &FrameError::Refused(REFUSED_TOO_LARGE.into())).blame, Blame::Site);
        assert_eq!(request_fault("a:1", &FrameError::TrailingBytes).blame, Blame::Aggregator);
    }

    #[test]
    fn a_peers_text_is_tamed() {
        let fault = closed_fault("a:1", VarInt::from_u32(2), b"go\x1b[2J away\n");
        assert_eq!(fault.what, r"the aggregator at a:1 does not admit this key: go\u{1b}[2J away\n");
        assert_eq!(plain(&[b'a'; 1000]).len(), TEXT_CHARS);
    }
}
