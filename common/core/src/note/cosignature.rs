//! Cosignatures (C2SP tlog-cosignature v1, Ed25519): a witness says that a checkpoint was the largest that it had seen
//! of a log, at a time, and that it continues all smaller ones. And what a log sends to get one (C2SP tlog-witness).

use super::checkpoint::parse_hashes;
use super::{NoteError, SIGNATURE_MARK, from_decimal, key_id, malformed, parse_key, read, write_key};
use crate::ids::{Digest, hex};
use crate::key::{self, PublicKey};
use crate::time::{SECOND_NS, Time};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use std::fmt;

/// Signature type byte of an Ed25519 cosignature (tlog-cosignature, "Format").
const COSIGNATURE: u8 = 0x04;

/// A witness: its name and its Ed25519 key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigner {
    /// Key name: not empty, without spaces and plus signs.
    pub name: String,
    /// The key, which cosigns and does nothing else.
    pub key: PublicKey,
}

impl Cosigner {
    /// Reads the verifier key `name+hex8+base64(0x04 ‖ key)`.
    ///
    /// # Errors
    /// Any other form, an id that does not belong to the key, another type, an unusable key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let key = parse_key(text, COSIGNATURE, "a witness's key (type byte 4 and 32 bytes, a usable point)");
        key.map(|(name, key)| Cosigner { name, key })
    }

    /// `name+hex8`, for people.
    pub fn label(&self) -> String {
        format!("{}+{}", self.name, hex(&self.id()))
    }

    fn id(&self) -> [u8; 4] {
        key_id(&self.name, COSIGNATURE, &self.key)
    }

    /// The signature line over the text of a checkpoint, as of whole seconds at `now`.
    ///
    /// # Errors
    /// A time before 1970.
    pub fn cosign(&self, text: &str, now: Time, key: &SigningKey) -> Result<String, NoteError> {
        let early = |_| malformed("a time from 1970 on", &now.to_string());
        let seconds = u64::try_from(now.unix_seconds()).map_err(early)?;
        let mut bytes = self.id().to_vec();
        bytes.extend_from_slice(&seconds.to_be_bytes());
        bytes.extend_from_slice(&key::sign(key, &signed_message(text, seconds)));
        Ok(format!("{SIGNATURE_MARK}{} {}\n", self.name, STANDARD.encode(bytes)))
    }

    /// The time of a cosignature by this key over `text`; none if it is not by this key, or of a time after 2262.
    fn opens(&self, text: &str, signature: &[u8]) -> Option<Time> {
        let (seconds, signature) = signature.split_first_chunk::<8>()?;
        let seconds = u64::from_be_bytes(*seconds);
        let time = i64::try_from(seconds).ok()?.checked_mul(SECOND_NS).map(Time)?;
        self.key.verifies(&signed_message(text, seconds), signature).then_some(time)
    }
}

impl fmt::Display for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_key(f, &self.label(), COSIGNATURE, &self.key)
    }
}

/// Who of `known` cosigned a note, and when: in the order of the lines, one a cosignature. Whether the log signed it is not
/// looked at.
///
/// # Errors
/// A malformed note, or a line of a known cosigner that is not its cosignature.
pub fn cosignatures<'a>(note: &[u8], known: &'a [Cosigner]) -> Result<Vec<(&'a Cosigner, Time)>, NoteError> {
    let (text, lines) = read(note)?;
    let mut found = Vec::new();
    for line in lines {
        // Two keys with one name and one id cannot be told apart by a line: it is by the one whose signature it holds.
        let mut named = known.iter().filter(|of| of.name == line.name && of.id() == line.id).peekable();
        let Some(first) = named.peek().map(|of| of.label()) else { continue };
        let opened = named.find_map(|of| Some((of, of.opens(text, &line.signature)?)));
        found.push(opened.ok_or(NoteError::BadSignature { key: first })?);
    }
    Ok(found)
}

fn signed_message(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

/// What a log sends to a witness (tlog-witness, "add-checkpoint").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessRequest {
    /// Size of the last checkpoint that the witness cosigned; 0 if none.
    pub old: u64,
    /// Consistency proof from there.
    pub proof: Vec<Digest>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

impl WitnessRequest {
    /// The body of the request.
    pub fn to_text(&self) -> String {
        let proof: String = self.proof.iter().map(|hash| STANDARD.encode(hash.0) + "\n").collect();
        format!("old {}\n{proof}\n{}", self.old, self.checkpoint)
    }

    /// Reads the body. The checkpoint is taken as it stands.
    ///
    /// # Errors
    /// Any other form, or more hashes than may be sent.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let split = text.split_once("\n\n");
        let (head, checkpoint) = split.ok_or_else(|| malformed("a blank line before the checkpoint", text))?;
        let (old, proof) =
            head.split_once('\n').map_or((head, String::new()), |(old, rest)| (old, format!("{rest}\n")));
        let old = old.strip_prefix("old ").ok_or_else(|| malformed("a line `old <size>`", old))?;
        Ok(WitnessRequest { old: from_decimal(old)?, proof: parse_hashes(&proof)?, checkpoint: checkpoint.to_owned() })
    }
}

#[cfg(test)]
mod tests;
