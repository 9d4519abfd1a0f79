//! Signed notes (C2SP signed-note v1.0.0) with Ed25519 keys, and what is built of them: checkpoints, cosignatures of
//! witnesses, log proofs.
//!
//! Lines of unknown keys and signature types are carried and ignored; cosignatures are, where signatures are asked for.

mod checkpoint;
mod cosignature;
#[cfg(test)]
mod tests;

pub use checkpoint::{Checkpoint, LogProof, parse_hashes};
pub use cosignature::{Cosigner, WitnessRequest, cosignatures};

use crate::ids::{Digest, hex, unhex};
use crate::key::{self, PublicKey};
use crate::limits;
use crate::merkle::ProofError;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use std::fmt;

/// Signature type byte of Ed25519 (signed-note, "Signature types").
const ED25519: u8 = 0x01;
/// What stands before a signature: em dash and space.
const SIGNATURE_MARK: &str = "\u{2014} ";

/// Why a note, checkpoint or log proof is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not the form of the specification; nothing was decided about signatures.
    #[error("malformed: expected {expected}, found {found}")]
    Malformed {
        /// The rule.
        expected: &'static str,
        /// What stands there instead, shortened and escaped.
        found: String,
    },
    /// A signature line of a known key whose signature is not by that key.
    #[error("expected a signature by key {key}, found one that does not verify")]
    BadSignature {
        /// `name+hex8` of the key.
        key: String,
    },
    /// No signature by any of the keys given.
    #[error("expected a signature by {expected}, found {found} signature line(s), all by other keys")]
    UnknownSigner {
        /// `name+hex8` of the keys that would do.
        expected: String,
        /// Signature lines in the note.
        found: usize,
    },
    /// Two different keys given have the same name and id, so that a line does not say which of them it is by.
    #[error("expected keys with different names or ids, found two keys called {key}")]
    AmbiguousKey {
        /// `name+hex8` of both keys.
        key: String,
    },
    /// A checkpoint of another log.
    #[error("expected origin `{expected}`, found `{found}`")]
    Origin {
        /// The log asked for.
        expected: String,
        /// The log that the checkpoint is of.
        found: String,
    },
    /// Signed by a key of the aggregator that had ended before.
    #[error("signed by a key that had ended: {why}")]
    Ended {
        /// The key and what ended it.
        why: String,
    },
    /// Fewer cosignatures of witnesses than are needed.
    #[error("cosignatures of {found} of {known} known witnesses, {needed} are needed")]
    Witnesses {
        /// Known witnesses that cosigned.
        found: usize,
        /// Known witnesses.
        known: usize,
        /// How many must have cosigned.
        needed: usize,
    },
    /// An inclusion proof that does not hold.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// A key that checks notes: its name and its Ed25519 key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    /// Key name: not empty, without spaces and plus signs.
    pub name: String,
    /// The key.
    pub key: PublicKey,
}

impl VerifierKey {
    /// Reads `name+hex8+base64(type ‖ key)`, the form of signed-note's reference implementation.
    ///
    /// # Errors
    /// Any other form, an id that does not belong to the key, a type other than Ed25519, an unusable key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let key = parse_key(text, ED25519, "an Ed25519 key (type byte 1 and 32 bytes, a usable point)");
        key.map(|(name, key)| VerifierKey { name, key })
    }

    /// First 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key) (signed-note, "Ed25519 signatures").
    pub fn key_id(&self) -> [u8; 4] {
        key_id(&self.name, ED25519, &self.key)
    }

    /// `name+hex8`, for people.
    fn label(&self) -> String {
        format!("{}+{}", self.name, hex(&self.key_id()))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_key(f, &self.label(), ED25519, &self.key)
    }
}

/// Name and key of `name+hex8+base64(type ‖ key)`; `expected` says what is wanted of the key itself.
fn parse_key(text: &str, kind: u8, expected: &'static str) -> Result<(String, PublicKey), NoteError> {
    let form = || malformed("a verifier key `name+id+base64`, the id of 8 lowercase hexadecimal digits", text);
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(form());
    };
    check_name(name)?;
    let id = unhex(id).filter(|id| id.len() == 4).ok_or_else(form)?;
    let data = from_base64(data)?;
    let key = match data.split_first() {
        Some((found, key)) if *found == kind => <&[u8; 32]>::try_from(key).ok().and_then(PublicKey::from_bytes),
        _ => None,
    };
    let key = key.ok_or_else(|| malformed(expected, text))?;
    if key_id(name, kind, &key)[..] == id[..] {
        return Ok((name.to_owned(), key));
    }
    Err(malformed("a verifier key with the id that belongs to it", text))
}

/// First 4 bytes of SHA-256(name ‖ 0x0A ‖ type ‖ key).
fn key_id(name: &str, kind: u8, key: &PublicKey) -> [u8; 4] {
    let mut bytes = Vec::with_capacity(name.len() + 34);
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(&[b'\n', kind]);
    bytes.extend_from_slice(key.as_bytes());
    let [a, b, c, d, ..] = Digest::of(&bytes).0;
    [a, b, c, d]
}

fn write_key(f: &mut fmt::Formatter<'_>, label: &str, kind: u8, key: &PublicKey) -> fmt::Result {
    let mut data = vec![kind];
    data.extend_from_slice(key.as_bytes());
    write!(f, "{label}+{}", STANDARD.encode(data))
}

/// A note whose text at least one known key signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The signed text, final LF included.
    pub text: String,
    /// The known keys that signed it, in the order of their first lines, each once.
    pub signers: Vec<VerifierKey>,
}

/// Signs `text` as `name`; the same arguments always give the same note.
///
/// # Errors
/// A text that does not end in LF or holds other control characters, an unusable name, a note above
/// [`limits::NOTE_BYTES`].
pub fn sign_note(text: &str, name: &str, key: &SigningKey) -> Result<String, NoteError> {
    check_name(name)?;
    check_characters(text)?;
    if !text.ends_with('\n') {
        return Err(malformed("a text that ends in a newline", text));
    }
    let verifier = VerifierKey { name: name.to_owned(), key: PublicKey::of(key) };
    let mut signature = verifier.key_id().to_vec();
    signature.extend_from_slice(&key::sign(key, text.as_bytes()));
    let note = format!("{text}\n{SIGNATURE_MARK}{name} {}\n", STANDARD.encode(signature));
    check_size(note.len())?;
    Ok(note)
}

/// Opens a note: checks its form and every signature by one of `keys`.
///
/// Lines by other keys are ignored. A key may sign more than once; each of its signatures must verify.
///
/// # Errors
/// A malformed note, one above [`limits::NOTE_BYTES`] or [`limits::NOTE_SIGNATURES`], a bad signature of a known key,
/// no signature by a known key, or `keys` that cannot be told apart.
pub fn open_note(bytes: &[u8], keys: &[VerifierKey]) -> Result<Note, NoteError> {
    let (text, lines) = read(bytes)?;
    let mut signers: Vec<VerifierKey> = Vec::new();
    for line in &lines {
        let Some(key) = known(keys, line)? else { continue };
        if !key.key.verifies(text.as_bytes(), &line.signature) {
            return Err(NoteError::BadSignature { key: key.label() });
        }
        if !signers.contains(key) {
            signers.push(key.clone());
        }
    }
    if signers.is_empty() {
        let labels: Vec<_> = keys.iter().map(VerifierKey::label).collect();
        return Err(NoteError::UnknownSigner { expected: labels.join(" or "), found: lines.len() });
    }
    Ok(Note { text: text.to_owned(), signers })
}

/// One signature line: `— name base64(id ‖ signature)`.
struct SignatureLine<'a> {
    name: &'a str,
    id: [u8; 4],
    signature: Vec<u8>,
}

impl<'a> SignatureLine<'a> {
    /// Reads a line with its LF.
    fn parse(line: &'a str) -> Result<Self, NoteError> {
        let form = || malformed("a signature line `\u{2014} name base64`", line);
        let rest = line.strip_prefix(SIGNATURE_MARK).and_then(|rest| rest.strip_suffix('\n')).ok_or_else(form)?;
        let (name, data) = rest.split_once(' ').ok_or_else(form)?;
        check_name(name)?;
        let data = from_base64(data)?;
        match data.split_first_chunk::<4>() {
            Some((id, signature)) if !signature.is_empty() => {
                Ok(SignatureLine { name, id: *id, signature: signature.to_vec() })
            }
            _ => Err(malformed("a key id of 4 bytes and a signature", line)),
        }
    }
}

/// The text of a note and its signature lines, of which nothing is checked but their form.
fn read(bytes: &[u8]) -> Result<(&str, Vec<SignatureLine<'_>>), NoteError> {
    check_size(bytes.len())?;
    let note = std::str::from_utf8(bytes).map_err(|e| Malformation::Utf8.at(e.valid_up_to()))?;
    check_characters(note)?;
    let (text, lines) = split(note)?;
    let mut parsed = Vec::new();
    for line in lines.split_inclusive('\n') {
        if parsed.len() == limits::NOTE_SIGNATURES {
            return Err(Malformation::Signatures.at(parsed.len()));
        }
        parsed.push(SignatureLine::parse(line)?);
    }
    Ok((text, parsed))
}

/// The key among `keys` that a line names.
fn known<'a>(keys: &'a [VerifierKey], line: &SignatureLine<'_>) -> Result<Option<&'a VerifierKey>, NoteError> {
    let mut found: Option<&VerifierKey> = None;
    for key in keys.iter().filter(|key| key.name == line.name && key.key_id() == line.id) {
        if found.is_some_and(|other| other != key) {
            return Err(NoteError::AmbiguousKey { key: key.label() });
        }
        found = Some(key);
    }
    Ok(found)
}

/// Splits a note at its last blank line into text and signature lines, both with their final LF.
fn split(note: &str) -> Result<(&str, &str), NoteError> {
    let blank = note.rfind("\n\n").ok_or_else(|| malformed("a blank line before the signatures", note))?;
    let (text, lines) = (&note[..=blank], &note[blank + 2..]);
    if lines.is_empty() {
        return Err(malformed("signature lines after the last blank line", lines));
    }
    Ok((text, lines))
}

fn check_size(bytes: usize) -> Result<(), NoteError> {
    if bytes <= limits::NOTE_BYTES { Ok(()) } else { Err(Malformation::Size.at(bytes)) }
}

/// No ASCII control characters but LF (signed-note, "Format").
fn check_characters(text: &str) -> Result<(), NoteError> {
    let control = text.bytes().find(|&c| c < 0x20 && c != b'\n');
    control.map_or(Ok(()), |c| Err(Malformation::Control.at(usize::from(c))))
}

fn check_name(name: &str) -> Result<(), NoteError> {
    let plain = |c: char| !(c.is_whitespace() || c == '+' || c < ' ');
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(());
    }
    Err(malformed("a key name without spaces, plus signs and control characters", name))
}

/// Standard base64 with padding, in the one form that an encoder gives (RFC 4648, sections 3.5 and 4).
fn from_base64(text: &str) -> Result<Vec<u8>, NoteError> {
    STANDARD.decode(text).map_err(|_| malformed("standard base64, padded and canonical", text))
}

/// A decimal number without sign and leading zeros.
fn from_decimal(text: &str) -> Result<u64, NoteError> {
    let form = || malformed("a decimal number below 2^64 without leading zeros", text);
    let digits = text.bytes().all(|c| c.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if digits { text.parse().map_err(|_| form()) } else { Err(form()) }
}

fn malformed(expected: &'static str, found: &str) -> NoteError {
    let mut shown: String = found.chars().take(SHOWN_CHARS).collect();
    if shown.len() < found.len() {
        shown.push('\u{2026}');
    }
    NoteError::Malformed { expected, found: format!("`{}`", shown.escape_debug()) }
}

/// Faults in form that are told by a number.
enum Malformation {
    Size,
    Signatures,
    Control,
    Utf8,
}

impl Malformation {
    fn at(self, number: usize) -> NoteError {
        let (expected, found) = match self {
            Malformation::Size => ("a note of at most 64 KiB", format!("{number} bytes")),
            Malformation::Signatures => ("at most 64 signature lines", "more".to_owned()),
            Malformation::Control => ("no control characters but newline", format!("byte {number:#04x}")),
            Malformation::Utf8 => ("UTF-8", format!("other bytes at offset {number}")),
        };
        NoteError::Malformed { expected, found }
    }
}

/// Characters of a faulty input that an error shows.
const SHOWN_CHARS: usize = 100;
/// The texts above name these numbers.
const _: () = assert!(limits::NOTE_BYTES == 64 << 10 && limits::NOTE_SIGNATURES == 64);
