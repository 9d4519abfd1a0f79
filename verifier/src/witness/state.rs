//! What a witness holds, and whether it cosigns. One request at a time: what is checked against is what is replaced.

use ed25519_dalek::SigningKey;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_core::merkle::{empty_root, verify_consistency};
use fedaudit_core::note::{Checkpoint, Cosigner, NoteError, VerifierKey, WitnessRequest, cosignatures};
use fedaudit_core::roster::{Trust, heartbeats_origin, registry_origin};
use fedaudit_core::time::Time;
use fedaudit_home::write_atomic;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Logs that one witness keeps: whoever holds a federation's log key can name new plans for ever.
const LOGS: usize = 100_000;

/// The log key of each federation that a witness knows, by federation. One each: a key that was given up may be in other
/// hands, and what it signed this witness has by its own cosignature.
#[derive(Default)]
pub struct Known(BTreeMap<String, PublicKey>);

impl Known {
    /// Takes a trust file.
    ///
    /// # Errors
    /// Another key of a federation than one before; a registry key that cannot be read, which the rules of trust files exclude.
    pub fn add(&mut self, trust: &Trust) -> Result<(), Fault> {
        let key = VerifierKey::parse(&trust.registry);
        let key = key.map_err(|e| Fault::new(Blame::Input, e.to_string(), "have the trust file exported again"))?;
        match self.0.insert(trust.federation.to_string(), key.key) {
            Some(before) if before != key.key => {
                let what = format!("two trust files name different log keys of federation {}", trust.federation);
                let hint = "name the newest alone: this witness goes on from what it cosigned under the key before";
                Err(Fault::new(Blame::Operator, what, hint))
            }
            _ => Ok(()),
        }
    }

    /// The key that signs the log of this origin: a federation's registry, heartbeats, or one of its plans.
    fn key(&self, origin: &str) -> Option<&PublicKey> {
        let (federation, log) = origin.split_once('/')?;
        let key = self.0.get(federation)?;
        let plan = log.strip_prefix("plan/").is_some_and(|digest| Digest::from_hex(digest).is_some());
        let name = fedaudit_core::ids::Name::new(federation).ok()?;
        let known = plan || origin == registry_origin(&name) || origin == heartbeats_origin(&name);
        known.then_some(key)
    }
}

/// A witness.
pub struct Witness {
    /// Where the checkpoints lie.
    pub dir: PathBuf,
    /// Its name and key.
    pub cosigner: Cosigner,
    /// Signs.
    pub key: SigningKey,
    /// Whose logs.
    pub known: Known,
}

/// The last checkpoint of a log.
struct Held {
    checkpoint: Checkpoint,
    at: Time,
}

/// An answer of tlog-witness, "add-checkpoint".
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: the cosignature line. It is durable.
    Cosigned(String),
    /// 409: the size that is held.
    Conflict(u64),
    /// Any other status, and why.
    Refused(u16, String),
    /// 500: this witness cannot answer; the fault is for its operator.
    Failed(Fault),
}

impl Witness {
    /// Answers a request at `now`, and keeps what it cosigned before it says so. Calls must not overlap.
    pub fn add(&self, body: &[u8], now: Time) -> Answer {
        self.take(body, now).map_or_else(|refused| refused, Answer::Cosigned)
    }

    fn take(&self, body: &[u8], now: Time) -> Result<String, Answer> {
        let bad = |why: String| Answer::Refused(400, why);
        let text = std::str::from_utf8(body).map_err(|_| bad("not text".to_owned()))?;
        let request = WitnessRequest::parse(text).map_err(|e| bad(e.to_string()))?;
        let origin = request.checkpoint.lines().next().unwrap_or_default();
        let unknown = || Answer::Refused(404, "this witness does not know the log".to_owned());
        let key = self.known.key(origin).ok_or_else(unknown)?;
        let opened = Checkpoint::open(request.checkpoint.as_bytes(), origin, key);
        let checkpoint = opened.map_err(|error| match error {
            NoteError::Malformed { .. } => bad(error.to_string()),
            _ => Answer::Refused(403, error.to_string()),
        })?;
        if request.old > checkpoint.size {
            return Err(bad(format!("old size {} above the checkpoint's {}", request.old, checkpoint.size)));
        }
        let held = self.held(origin).map_err(Answer::Failed)?;
        let (size, root) = held.as_ref().map_or((0, empty_root()), |h| (h.checkpoint.size, h.checkpoint.root));
        if request.old != size || (size == checkpoint.size && root != checkpoint.root) {
            return Err(Answer::Conflict(size));
        }
        let proven = verify_consistency(size, &root, checkpoint.size, &checkpoint.root, &request.proof);
        proven.map_err(|e| Answer::Refused(422, e.to_string()))?;
        self.keep(&checkpoint, &request.checkpoint, held, now)
    }

    /// Crash order: the checkpoint is durable with the cosignature; then the cosignature leaves.
    fn keep(&self, checkpoint: &Checkpoint, note: &str, held: Option<Held>, now: Time) -> Result<String, Answer> {
        let failed = |what: String, hint: &str| Answer::Failed(Fault::new(Blame::Operator, what, hint));
        if let Some(held) = held.as_ref().filter(|held| held.at.unix_seconds() > now.unix_seconds()) {
            // A cosignature says that nothing larger was seen by its time.
            let what = format!("the clock says {now}; {} was cosigned at {}", checkpoint.origin, held.at);
            return Err(failed(what, "correct this machine's clock, or wait until it is later"));
        }
        if held.is_none() && std::fs::read_dir(&self.dir).map_or(0, Iterator::count) >= LOGS {
            return Err(Answer::Refused(503, format!("this witness keeps {LOGS} logs and takes no more")));
        }
        let line = self.cosigner.cosign(&checkpoint.text(), now, &self.key);
        let line = line.map_err(|e| failed(e.to_string(), "correct this machine's clock"))?;
        let note = format!("{note}{line}");
        // What could not be read again must not be kept: too many lines, or one in this witness's name that is not its own.
        let own = std::slice::from_ref(&self.cosigner);
        cosignatures(note.as_bytes(), own).map_err(|e| Answer::Refused(400, e.to_string()))?;
        write_atomic(&self.path(&checkpoint.origin), note.as_bytes(), 0o644).map_err(Answer::Failed)?;
        Ok(line)
    }

    /// The last signed checkpoint of the log whose origin has this digest, with the cosignature.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn note(&self, origin: &Digest) -> Result<Option<Vec<u8>>, Fault> {
        let path = self.dir.join(origin.to_string());
        match std::fs::read(&path) {
            Ok(note) => Ok(Some(note)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(damaged(&path, &e)),
        }
    }

    /// Checks everything that is kept; how many logs.
    ///
    /// # Errors
    /// A file that cannot be read, or was altered.
    pub fn check_all(&self) -> Result<usize, Fault> {
        let mut logs = 0;
        for entry in std::fs::read_dir(&self.dir).map_err(|e| damaged(&self.dir, &e))? {
            let path = entry.map_err(|e| damaged(&self.dir, &e))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).and_then(Digest::from_hex);
            // Others are what a crash left of a write that was never promised.
            let Some(name) = name else { continue };
            let note = std::fs::read_to_string(&path).map_err(|e| damaged(&path, &e))?;
            let origin = note.lines().next().unwrap_or_default();
            if Digest::of(origin.as_bytes()) != name {
                return Err(damaged(&path, &format!("it holds a checkpoint of {origin}")));
            }
            self.held(origin)?;
            logs += 1;
        }
        Ok(logs)
    }

    /// What is held of a log; it carries this witness's own cosignature, which proves it whichever log key signed it then.
    fn held(&self, origin: &str) -> Result<Option<Held>, Fault> {
        let path = self.path(origin);
        let Some(note) = self.note(&Digest::of(origin.as_bytes()))? else { return Ok(None) };
        let own = std::slice::from_ref(&self.cosigner);
        let cosigned = cosignatures(&note, own).map_err(|e| damaged(&path, &e))?;
        let Some(at) = cosigned.iter().map(|(_, time)| *time).max() else {
            return Err(damaged(&path, &"no cosignature of this witness"));
        };
        let text = std::str::from_utf8(&note).ok().and_then(|note| Some(&note[..=note.rfind("\n\n")?]));
        let checkpoint = Checkpoint::parse_text(text.unwrap_or_default()).map_err(|e| damaged(&path, &e))?;
        if checkpoint.origin != origin {
            return Err(damaged(&path, &format!("it holds a checkpoint of {}", checkpoint.origin)));
        }
        Ok(Some(Held { checkpoint, at }))
    }

    fn path(&self, origin: &str) -> PathBuf {
        self.dir.join(Digest::of(origin.as_bytes()).to_string())
    }
}

fn damaged(path: &std::path::Path, why: &dyn std::fmt::Display) -> Fault {
    let hint =
        "restore this file from the newest copy; without it this witness cannot tell a fork, and cosigns nothing";
    Fault::new(Blame::Operator, format!("{}: {why}", path.display()), hint)
}
