//! Whether two signed checkpoints prove that the aggregator keeps two histories of one log.

use super::{Content, read};
use crate::bundle::{Outcome, Verdict};
use crate::codec::Valid;
use crate::fault::Refusal;
use crate::merkle::verify_consistency;
use crate::note::{Checkpoint, LogProof, NoteError, parse_hashes};
use crate::roster::{Registry, Trust};

/// A file with a signed checkpoint, and what to call it.
pub type Named<'a> = (&'a str, &'a [u8]);

/// Judges two files, each a signed checkpoint or a log proof with one, and a consistency proof between them if there is one
/// (hashes in base64, a line each). Passed: a fork is proven. Failed: they are consistent. The log key is that of `trust`, or
/// those that the registry names, each up to where it ended, if a parcel with the registry is given.
///
/// Two sizes never prove a fork by themselves: that no proof leads from one to the other cannot be shown by a wrong one.
pub fn check_fork(a: Named, b: Named, proof: Option<Named>, trust: &Valid<Trust>, registry: Option<Named>) -> Verdict {
    let mut verdict = Verdict::empty();
    let registry = match registry {
        None => Registry::new(trust.clone()),
        Some((name, bytes)) => match rebuilt(bytes, trust) {
            Ok(registry) => {
                verdict.pass("registry", name, format!("{} entries signed by governance", registry.size()));
                registry
            }
            Err(refusal) if refusal.check == "parcel" => {
                verdict.push("parcel", name, Outcome::Malformed, refusal.expected, refusal.found);
                return verdict;
            }
            Err(refusal) => {
                verdict.refuse("registry", name, &refusal);
                return verdict;
            }
        },
    };
    let opened = [open(a, &registry, &mut verdict), open(b, &registry, &mut verdict)];
    if let [Some(a), Some(b)] = &opened {
        judge(a, b, proof, &mut verdict);
    }
    verdict
}

fn rebuilt(bytes: &[u8], trust: &Valid<Trust>) -> Result<Registry, Refusal> {
    let parcel = read(bytes)?;
    match &parcel.content {
        Content::Registry(text) => text.open(trust).map(|(registry, _)| registry),
        other => Err(Refusal::new("parcel", "a parcel with the registry", other.meant_for())),
    }
}

fn open((name, bytes): Named, registry: &Registry, verdict: &mut Verdict) -> Option<Checkpoint> {
    let proof = std::str::from_utf8(bytes).ok().and_then(|text| LogProof::parse(text).ok());
    let note = proof.as_ref().map_or(bytes, |proof| proof.checkpoint.as_bytes());
    let origin = String::from_utf8_lossy(note.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    match registry.open_checkpoint(note, &origin) {
        Ok(checkpoint) => {
            let found = format!("{}, {} entries, root {}", checkpoint.origin, checkpoint.size, checkpoint.root);
            verdict.pass("signed-checkpoint", name, found);
            Some(checkpoint)
        }
        Err(error) => {
            let outcome = match error {
                NoteError::UnknownSigner { .. } => Outcome::Undecidable,
                NoteError::Malformed { .. } => Outcome::Malformed,
                _ => Outcome::Fail,
            };
            let expected = "a checkpoint signed by a log key of the aggregator that held there".to_owned();
            verdict.push("signed-checkpoint", name, outcome, expected, error.to_string());
            None
        }
    }
}

fn judge(a: &Checkpoint, b: &Checkpoint, proof: Option<Named>, verdict: &mut Verdict) {
    const EXPECTED: &str = "two roots of one log at one size";
    let mut push = |outcome, found: String| verdict.push("fork", &a.origin, outcome, EXPECTED.to_owned(), found);
    if a.origin != b.origin {
        return push(Outcome::Undecidable, format!("two logs, {} and {}", a.origin, b.origin));
    }
    if a.size == b.size && a.root != b.root {
        return push(Outcome::Pass, format!("two roots at {} entries: {} and {}", a.size, a.root, b.root));
    }
    if a.size == b.size {
        return push(Outcome::Undecidable, format!("one and the same checkpoint of {} entries", a.size));
    }
    let (old, new) = if a.size < b.size { (a, b) } else { (b, a) };
    let sizes = format!("{} and {} entries", old.size, new.size);
    let Some((name, bytes)) = proof else {
        let what =
            "a checkpoint of either size from the other history, or a consistency proof between them, is missing";
        return push(Outcome::Undecidable, format!("{sizes}: {what}"));
    };
    let text = std::str::from_utf8(bytes).unwrap_or("not text");
    let hashes = match parse_hashes(text) {
        Ok(hashes) => hashes,
        Err(error) => {
            let expected = "a consistency proof: hashes in base64, a line each".to_owned();
            return verdict.push("consistency", name, Outcome::Malformed, expected, error.to_string());
        }
    };
    match verify_consistency(old.size, &old.root, new.size, &new.root, &hashes) {
        Ok(()) => push(Outcome::Fail, format!("{sizes}, consistent: the smaller is the beginning of the larger")),
        Err(error) => push(
            Outcome::Undecidable,
            format!("{sizes}, and a proof that does not hold ({error}), which says nothing: a right one may exist"),
        ),
    }
}
