//! Checkpoints (C2SP tlog-checkpoint v1.0.0) and log proofs (C2SP tlog-proof).

use super::{NoteError, VerifierKey, from_base64, from_decimal, malformed, open_note, read, sign_note};
use crate::ids::Digest;
use crate::key::PublicKey;
use crate::limits;
use crate::merkle::{self, PROOF_HASHES};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;

/// First line of a log proof.
const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The state of a log at one size. Neither this type nor its text says that anybody signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, which is its key's name as well.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The note text: origin, size and root, a line each.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// Reads a note text. Extension lines are refused, and so is a tree without leaves that has another root than
    /// that of the empty tree.
    ///
    /// # Errors
    /// Any other form.
    pub fn parse_text(text: &str) -> Result<Self, NoteError> {
        let form = || malformed("the three lines origin, size and root", text);
        let lines: Vec<_> = text.strip_suffix('\n').ok_or_else(form)?.split('\n').take(4).collect();
        let &[origin, size, root] = &lines[..] else { return Err(form()) };
        if origin.is_empty() || origin.bytes().any(|c| c < 0x20) {
            return Err(malformed("an origin that is not empty and has no control characters", origin));
        }
        let checkpoint = Checkpoint { origin: origin.to_owned(), size: from_decimal(size)?, root: parse_hash(root)? };
        if checkpoint.size == 0 && checkpoint.root != merkle::empty_root() {
            return Err(malformed("the root of an empty tree for size 0", root));
        }
        Ok(checkpoint)
    }

    /// Signs the checkpoint as its origin; the note.
    ///
    /// # Errors
    /// An origin that cannot be a key name, or a checkpoint that [`Self::parse_text`] would refuse.
    pub fn sign(&self, key: &SigningKey) -> Result<String, NoteError> {
        let text = self.text();
        Checkpoint::parse_text(&text)?;
        sign_note(&text, &self.origin, key)
    }

    /// What a note says, whoever signed it.
    ///
    /// # Errors
    /// As [`Checkpoint::parse_text`].
    pub fn claimed(note: &str) -> Result<Self, NoteError> {
        let end = note.find("\n\n").map_or(note.len(), |at| at + 1);
        Checkpoint::parse_text(&note[..end])
    }

    /// Opens a checkpoint of the log `origin`, signed under that name by `key`.
    ///
    /// # Errors
    /// What [`open_note`] and [`Self::parse_text`] refuse, and a checkpoint of another origin.
    pub fn open(note: &[u8], origin: &str, key: &PublicKey) -> Result<Self, NoteError> {
        Checkpoint::open_by(note, origin, &[*key]).map(|(checkpoint, _)| checkpoint)
    }

    /// The same by at least one of `keys`, and those that signed.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn open_by(note: &[u8], origin: &str, keys: &[PublicKey]) -> Result<(Self, Vec<PublicKey>), NoteError> {
        let keys: Vec<_> = keys.iter().map(|key| VerifierKey { name: origin.to_owned(), key: *key }).collect();
        let note = open_note(note, &keys)?;
        let checkpoint = Checkpoint::parse_text(&note.text)?;
        if checkpoint.origin == origin {
            return Ok((checkpoint, note.signers.into_iter().map(|signer| signer.key).collect()));
        }
        Err(NoteError::Origin { expected: origin.to_owned(), found: checkpoint.origin })
    }

    /// The same of a note with one signature line, and whose it is: what a note says of its signers must not change as more
    /// keys become known, and a line of a key that nobody knows yet, or one with the id of another, may say something else
    /// then.
    ///
    /// # Errors
    /// As [`Checkpoint::open`]; another number of lines.
    pub fn open_sole(note: &[u8], origin: &str, keys: &[PublicKey]) -> Result<(Self, PublicKey), NoteError> {
        let (_, lines) = read(note)?;
        if lines.len() != 1 {
            return Err(malformed("one signature line", &format!("{} of them", lines.len())));
        }
        let opened = |key: &PublicKey| Checkpoint::open(note, origin, key).ok().map(|checkpoint| (checkpoint, *key));
        let refused = || match Checkpoint::open_by(note, origin, keys) {
            Err(error) => error,
            Ok(_) => NoteError::UnknownSigner { expected: origin.to_owned(), found: 1 },
        };
        keys.iter().find_map(opened).ok_or_else(refused)
    }
}

/// Proof that an entry is in a log: the receipt that can be checked offline (C2SP tlog-proof).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// Number of the entry in the log.
    pub index: u64,
    /// Data that nothing authenticates.
    pub extra: Option<Vec<u8>>,
    /// Inclusion proof, the leaf's sibling first.
    pub hashes: Vec<Digest>,
    /// The checkpoint, a signed note, verbatim.
    pub checkpoint: String,
}

impl LogProof {
    /// The proof as a `.tlog-proof` file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{PROOF_HEADER}\n");
        if let Some(extra) = &self.extra {
            text += &format!("extra {}\n", STANDARD.encode(extra));
        }
        text += &format!("index {}\n", self.index);
        for hash in &self.hashes {
            text += &format!("{}\n", STANDARD.encode(hash.0));
        }
        text + "\n" + &self.checkpoint
    }

    /// Reads a `.tlog-proof` file. The checkpoint is taken as it stands: only [`Self::verify`] looks into it.
    ///
    /// # Errors
    /// Any other form, more hashes than a proof can have, or extra data or a checkpoint above [`limits::NOTE_BYTES`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or_else(|| malformed("a blank line before the checkpoint", text))?;
        if checkpoint.is_empty() || checkpoint.starts_with('\n') || checkpoint.len() > limits::NOTE_BYTES {
            return Err(malformed("a checkpoint of at most 64 KiB after one blank line", checkpoint));
        }
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(PROOF_HEADER) {
            return Err(malformed("the first line `c2sp.org/tlog-proof@v1`", head));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) if line.len() > limits::NOTE_BYTES => {
                return Err(malformed("an extra line of at most 64 KiB", line));
            }
            Some(line) => Some(from_base64(&line["extra ".len()..])?),
            None => None,
        };
        let line = lines.next().unwrap_or_default();
        let index = line.strip_prefix("index ").ok_or_else(|| malformed("a line `index <number>`", line))?;
        let index = from_decimal(index)?;
        let hashes = lines.by_ref().take(PROOF_HASHES).map(parse_hash).collect::<Result<Vec<_>, _>>()?;
        if let Some(line) = lines.next() {
            return Err(malformed("no more hashes than an inclusion proof can have", line));
        }
        Ok(LogProof { index, extra, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that the log `origin`, whose key is `key`, holds `entry` at this index; the checkpoint that says so.
    ///
    /// # Errors
    /// What [`Checkpoint::open`] refuses, and an entry that does not reach the checkpoint's root.
    pub fn verify(&self, entry: &[u8], origin: &str, key: &PublicKey) -> Result<Checkpoint, NoteError> {
        let checkpoint = Checkpoint::open(self.checkpoint.as_bytes(), origin, key)?;
        self.verify_in(entry, &checkpoint).map(|()| checkpoint)
    }

    /// Checks that `entry` is in the log at this index, by the proof's checkpoint once it was opened.
    ///
    /// # Errors
    /// An entry that does not reach the checkpoint's root.
    pub fn verify_in(&self, entry: &[u8], checkpoint: &Checkpoint) -> Result<(), NoteError> {
        let leaf = merkle::leaf_hash(entry);
        Ok(merkle::verify_inclusion(&leaf, self.index, checkpoint.size, &self.hashes, &checkpoint.root)?)
    }
}

/// The hashes of a proof, one a line in base64, each line with its LF.
///
/// # Errors
/// Any other form, or more than [`limits::CONSISTENCY_HASHES`].
pub fn parse_hashes(text: &str) -> Result<Vec<Digest>, NoteError> {
    let lines = || text.split_inclusive('\n');
    if lines().count() > limits::CONSISTENCY_HASHES {
        return Err(malformed("at most 63 hashes", text));
    }
    let hash = |line: &str| {
        line.strip_suffix('\n').ok_or_else(|| malformed("a newline after each hash", line)).and_then(parse_hash)
    };
    lines().map(hash).collect()
}

/// Base64 of 32 bytes.
pub(super) fn parse_hash(text: &str) -> Result<Digest, NoteError> {
    let bytes: Result<[u8; 32], _> = from_base64(text)?.try_into();
    bytes.map(Digest).map_err(|_| malformed("base64 of a hash of 32 bytes", text))
}
