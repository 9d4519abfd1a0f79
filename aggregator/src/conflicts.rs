//! Evidence: releases that were refused because they contradict what their site signed before.
//!
//! Each is one file in `conflicts/`, a parcel, put there at once; its name is its id. The same bytes refused for another
//! reason, or against another document, are another conflict.

use crate::centre::Centre;
use crate::home::{operator, operator_hint, refused as broken};
use fedaudit_core::codec;
use fedaudit_core::envelope::Attestation;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::parcel::{Conflict, Content, Document, Refused};
use fedaudit_core::time::Time;
use fedaudit_link::parcel::{read_parcel, write_parcel};
use fedaudit_link::protocol;
use std::path::{Path, PathBuf};

/// Conflicts kept as evidence; a site that sends more is refused without a further copy.
const CONFLICTS: usize = 10_000;

/// A conflict on disk.
pub struct Kept {
    /// Its id, 16 hexadecimal digits.
    pub id: String,
    /// What is kept.
    pub conflict: Conflict,
    /// Index in a plan's log, if what was refused at first has been received since.
    pub received: Option<u64>,
}

impl Centre {
    /// Keeps both signed documents, the one refused and the one logged, and why.
    ///
    /// # Errors
    /// A log that cannot be read, or a disk that fails.
    pub fn keep_conflict(
        &self,
        site: &Name,
        refused: &protocol::Refused,
        sent: &Attestation,
        against: Option<Digest>,
        at: Time,
    ) -> Result<(), Fault> {
        let reason = parcel_refusal(refused);
        let told =
            codec::encode(&(Digest::of(&sent.envelope), against, &reason)).map_err(|e| operator(e.to_string()))?;
        let path = self.conflict_path(&Digest::of(&told).to_string()[..16]);
        if path.exists() || self.conflict_files()?.len() >= CONFLICTS {
            return Ok(());
        }
        let artifact = sent.artifacts.first().cloned().unwrap_or_default();
        let conflict = Conflict {
            at,
            site: site.clone(),
            reason,
            refused: Document::new(sent.envelope.clone(), artifact),
            logged: against.map(|digest| self.logged(&digest)).transpose()?.flatten(),
            registry: None,
        };
        write_parcel(&path, &self.home.trust.federation, Content::Conflict(Box::new(conflict)))
    }

    fn logged(&self, envelope: &Digest) -> Result<Option<Document>, Fault> {
        let plans = self.registry().plans().filter_map(|(digest, _)| self.plan(digest));
        let Some((plan, index)) = plans.filter_map(|plan| Some((plan, *plan.index.get(envelope)?))).next() else {
            return Ok(None);
        };
        let envelope = plan.log.entry(index)?;
        let subject = fedaudit_core::verify::claimed_subject(&envelope).map_err(broken)?;
        Ok(Some(Document::new(envelope, self.artifact(&subject)?)))
    }

    fn conflict_path(&self, id: &str) -> PathBuf {
        self.home.dir.join("conflicts").join(format!("{id}.json"))
    }

    fn conflict_files(&self) -> Result<Vec<PathBuf>, Fault> {
        let folder = self.home.dir.join("conflicts");
        let entries = std::fs::read_dir(&folder).map_err(|e| operator(format!("{}: {e}", folder.display())))?;
        let files = entries.flatten().map(|entry| entry.path());
        Ok(files.filter(|path| path.extension().is_some_and(|end| end == "json")).collect())
    }

    /// How many conflicts are kept.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn conflicts_kept(&self) -> Result<usize, Fault> {
        self.conflict_files().map(|files| files.len())
    }

    /// Every conflict kept, the earliest first.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn conflicts(&self) -> Result<Vec<Kept>, Fault> {
        let mut kept = Vec::new();
        for path in self.conflict_files()? {
            let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let Content::Conflict(conflict) = read_parcel(&path, &self.home.trust.federation)? else { continue };
            let envelope = Digest::of(&conflict.refused.envelope.0);
            let mut plans = self.registry().plans().filter_map(|(digest, _)| self.plan(digest));
            let received = plans.find_map(|plan| plan.index.get(&envelope).copied());
            kept.push(Kept { id, conflict: *conflict, received });
        }
        kept.sort_by(|a, b| (a.conflict.at, &a.id).cmp(&(b.conflict.at, &b.id)));
        Ok(kept)
    }

    /// Writes the conflict whose id begins with `id` to `out`, with the registry that its signatures are checked with.
    ///
    /// # Errors
    /// No such conflict, several, or a file that cannot be written.
    pub fn export_conflict(&self, id: &str, out: &Path) -> Result<(), Fault> {
        let mut found: Vec<_> = self.conflicts()?.into_iter().filter(|kept| kept.id.starts_with(id)).collect();
        if found.len() > 1 {
            found.clear();
        }
        let Some(mut kept) = found.pop() else {
            let what = format!("`{id}` is not the beginning of one conflict's id");
            return Err(operator_hint(what, "see: fedaudit-aggregator conflict list"));
        };
        kept.conflict.registry = Some(self.registry_text()?);
        write_parcel(out, &self.home.trust.federation, Content::Conflict(Box::new(kept.conflict)))
    }
}

/// A refusal as parcels carry it.
pub fn parcel_refusal(refused: &protocol::Refused) -> Refused {
    let (refusal, blame, hint) = (refused.refusal.clone(), refused.blame, refused.hint.clone());
    Refused { blame, check: refusal.check, expected: refusal.expected, found: refusal.found, hint }
}

/// How many are kept, as a line for people; none if there is nothing to say.
pub fn line(kept: usize) -> Option<String> {
    (kept > 0).then(|| format!("conflicts kept: {kept}; see: fedaudit-aggregator conflict list"))
}

/// One line a conflict: id, when, site, check, what, digests of both documents.
pub fn lines(kept: &[Kept]) -> Vec<String> {
    let line = |kept: &Kept| {
        let Conflict { at, site, reason, refused, logged, .. } = &kept.conflict;
        let logged = logged.as_ref().map_or("nothing".to_owned(), |d| Digest::of(&d.envelope.0).to_string());
        let since = kept.received.map_or(String::new(), |index| format!("\treceived since, as entry {index}"));
        format!(
            "{}\t{at}\t{site}\t{}: expected {}, found {}\trefused {}\tlogged {logged}{since}",
            kept.id,
            reason.check,
            reason.expected,
            reason.found,
            Digest::of(&refused.envelope.0)
        )
    };
    kept.iter().map(line).collect()
}

/// The same for programs.
pub fn json(kept: &[Kept]) -> serde_json::Value {
    let row = |kept: &Kept| {
        let Conflict { at, site, reason, refused, logged, .. } = &kept.conflict;
        serde_json::json!({
            "id": kept.id, "at": at, "site": site, "blame": reason.blame, "check": reason.check,
            "expected": reason.expected, "found": reason.found,
            "refused": Digest::of(&refused.envelope.0),
            "logged": logged.as_ref().map(|document| Digest::of(&document.envelope.0)),
            "received": kept.received,
        })
    };
    kept.iter().map(row).collect()
}
