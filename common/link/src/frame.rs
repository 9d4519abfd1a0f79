//! Frames: `u32` big-endian length, then that many bytes. A stream carries one each way, and nothing after it.

use quinn::{ReadError, ReadExactError, RecvStream, SendStream, VarInt, WriteError};

/// Why a frame was not taken, or could not be handed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The body is longer than allowed.
    #[error("the frame has {bytes} bytes, of which {limit} are allowed")]
    TooLarge {
        /// Bytes of the body, as announced.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The stream ended inside the frame.
    #[error("the frame is cut off")]
    Truncated,
    /// Something follows the frame.
    #[error("bytes follow the frame")]
    TrailingBytes,
    /// The peer gave the stream up, with a [`refusal_code`] or a code of its own.
    #[error("the peer gave the stream up: {}", refusal_text(*.0))]
    Refused(u64),
    /// The stream or its connection broke.
    #[error("the stream broke: {0}")]
    Stream(String),
    /// It took too long.
    #[error("the frame took too long")]
    TimedOut,
}

/// Bytes of the length before a body.
pub const HEADER_BYTES: usize = 4;

/// The frame that holds `body`.
///
/// A body of 2^32 bytes or more does not fit; its frame announces 2^32 - 1 and is refused by every reader.
pub fn encode_frame(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_BYTES + body.len());
    frame.extend_from_slice(&header(body));
    frame.extend_from_slice(body);
    frame
}

/// The body of `frame`, which must be exactly one frame with at most `limit_bytes` of body.
///
/// # Errors
/// [`FrameError::TooLarge`], [`FrameError::Truncated`] or [`FrameError::TrailingBytes`].
pub fn decode_frame(frame: &[u8], limit_bytes: usize) -> Result<&[u8], FrameError> {
    let (header, body) = frame.split_first_chunk().ok_or(FrameError::Truncated)?;
    let bytes = body_bytes(*header, limit_bytes)?;
    match body.len().cmp(&bytes) {
        std::cmp::Ordering::Less => Err(FrameError::Truncated),
        std::cmp::Ordering::Greater => Err(FrameError::TrailingBytes),
        std::cmp::Ordering::Equal => Ok(body),
    }
}

/// Reads exactly one frame and the end of the stream; memory grows only with bytes that arrived.
///
/// It waits as long as the peer does: callers bound the whole request with a timeout.
///
/// # Errors
/// Any [`FrameError`] but [`FrameError::TimedOut`].
pub async fn read_frame(recv: &mut RecvStream, limit_bytes: usize) -> Result<Vec<u8>, FrameError> {
    let mut header = [0; HEADER_BYTES];
    recv.read_exact(&mut header).await?;
    let bytes = body_bytes(header, limit_bytes)?;
    let mut body = Vec::new();
    while body.len() < bytes {
        let chunk = recv.read_chunk(bytes - body.len(), true).await?.ok_or(FrameError::Truncated)?;
        body.extend_from_slice(&chunk.bytes);
    }
    match recv.read(&mut [0]).await? {
        None => Ok(body),
        Some(_) => Err(FrameError::TrailingBytes),
    }
}

/// Writes `body` as one frame and ends the stream.
///
/// # Errors
/// [`FrameError::TooLarge`] for 2^32 bytes or more, and what the peer or the connection does.
pub async fn write_frame(send: &mut SendStream, body: &[u8]) -> Result<(), FrameError> {
    let limit = u32::MAX as usize;
    if body.len() > limit {
        return Err(FrameError::TooLarge { bytes: body.len(), limit });
    }
    send.write_all(&header(body)).await?;
    send.write_all(body).await?;
    send.finish().map_err(|_| FrameError::Stream("it was ended already".to_owned()))
}

/// The stream error code that tells a peer why its frame was refused.
pub fn refusal_code(error: &FrameError) -> u32 {
    match error {
        FrameError::TooLarge { .. } => REFUSED_TOO_LARGE,
        FrameError::Truncated => REFUSED_TRUNCATED,
        FrameError::TrailingBytes => REFUSED_TRAILING_BYTES,
        FrameError::TimedOut => REFUSED_TIMED_OUT,
        FrameError::Refused(_) | FrameError::Stream(_) => UNANSWERED,
    }
}

/// Code: the receiver gave no answer.
pub const UNANSWERED: u32 = 1;
/// Code: the frame is longer than this peer may send.
pub const REFUSED_TOO_LARGE: u32 = 2;
/// Code: the stream ended inside the frame.
pub const REFUSED_TRUNCATED: u32 = 3;
/// Code: bytes follow the frame.
pub const REFUSED_TRAILING_BYTES: u32 = 4;
/// Code: the frame did not arrive in time.
pub const REFUSED_TIMED_OUT: u32 = 5;

fn refusal_text(code: u64) -> String {
    let known = match u32::try_from(code).unwrap_or(u32::MAX) {
        UNANSWERED => "no answer",
        REFUSED_TOO_LARGE => "the frame is longer than this peer may send",
        REFUSED_TRUNCATED => "the frame is cut off",
        REFUSED_TRAILING_BYTES => "bytes follow the frame",
        REFUSED_TIMED_OUT => "the frame did not arrive in time",
        _ => return format!("code {code}"),
    };
    known.to_owned()
}

fn header(body: &[u8]) -> [u8; HEADER_BYTES] {
    u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes()
}

fn body_bytes(header: [u8; HEADER_BYTES], limit: usize) -> Result<usize, FrameError> {
    let bytes = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    if bytes > limit { Err(FrameError::TooLarge { bytes, limit }) } else { Ok(bytes) }
}

impl From<ReadError> for FrameError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) => FrameError::Refused(VarInt::into_inner(code)),
            ReadError::ConnectionLost(cause) => FrameError::Stream(cause.to_string()),
            other => FrameError::Stream(other.to_string()),
        }
    }
}

impl From<ReadExactError> for FrameError {
    fn from(error: ReadExactError) -> Self {
        match error {
            ReadExactError::FinishedEarly(_) => FrameError::Truncated,
            ReadExactError::ReadError(error) => error.into(),
        }
    }
}

impl From<WriteError> for FrameError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(code) => FrameError::Refused(VarInt::into_inner(code)),
            WriteError::ConnectionLost(cause) => FrameError::Stream(cause.to_string()),
            other => FrameError::Stream(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_is_length_and_body() {
        assert_eq!(encode_frame(b"ab"), [0, 0, 0, 2, b'a', b'b']);
        assert_eq!(encode_frame(b""), [0; 4]);
        assert_eq!(decode_frame(&[0; 4], 0), Ok(&b""[..]));
    }

    #[test]
    fn bad_frames_are_refused() {
        let cases: [(&[u8], FrameError); 6] = [
            (b"", FrameError::Truncated),
            (&[0, 0, 0], FrameError::Truncated),
            (&[0, 0, 0, 1], FrameError::Truncated),
            (&[0, 0, 0, 0, 0], FrameError::TrailingBytes),
            (&[0, 0, 0, 9], FrameError::TooLarge { bytes: 9, limit: 8 }),
            (&[255; 4], FrameError::TooLarge { bytes: u32::MAX as usize, limit: 8 }),
        ];
        for (frame, error) in cases {
            assert_eq!(decode_frame(frame, 8), Err(error), "{frame:?}");
        }
    }

    #[test]
    fn refusals_say_why() {
        let error = FrameError::Refused(REFUSED_TOO_LARGE.into());
        assert_eq!(error.to_string(), "the peer gave the stream up: the frame is longer than this peer may send");
        assert_eq!(FrameError::Refused(1 << 40).to_string(), "the peer gave the stream up: code 1099511627776");
    }

    proptest! {
        #[test]
        fn frames_come_back(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let frame = encode_frame(&body);
            prop_assert_eq!(decode_frame(&frame, body.len()), Ok(&body[..]));
            prop_assert!(decode_frame(&frame[..frame.len() - 1], body.len()).is_err());
            let longer = [&frame[..], &[0]].concat();
            prop_assert_eq!(decode_frame(&longer, body.len()), Err(FrameError::TrailingBytes));
            if let Some(limit) = body.len().checked_sub(1) {
                prop_assert_eq!(decode_frame(&frame, limit), Err(FrameError::TooLarge { bytes: body.len(), limit }));
            }
        }

        #[test]
        fn a_frame_has_one_encoding(frame in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(body) = decode_frame(&frame, 40) {
                prop_assert_eq!(encode_frame(body), frame);
            }
        }
    }
}
