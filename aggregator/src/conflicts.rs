//! Evidence: releases that were refused because they contradict what their site signed before.
//!
//! Each is one file in `conflicts/`, a parcel, put there at once: `SITE+PLAN+ID.json`, with 16 hexadecimal digits of the
//! plan's digest. The same bytes refused for another reason, or against another document, are another conflict.
//!
//! A site can sign as many as it likes, so what is kept of each is bounded, and nobody's share is taken by another's.
//! `SITE.not-kept` counts what came on top.

use crate::by_file::claimed_plan;
use crate::centre::Centre;
use crate::home::{operator, operator_hint, refused as broken};
use crate::store::LogDir;
use fedaudit_core::codec;
use fedaudit_core::envelope::Attestation;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::parcel::{Conflict, Content, Document, Refused};
use fedaudit_core::time::Time;
use fedaudit_link::home::write_atomic;
use fedaudit_link::parcel::{read_parcel, write_parcel};
use fedaudit_link::protocol;
use std::path::{Path, PathBuf};

/// Conflicts kept of one site within one plan; one that sends more is refused without a further copy.
const OF_PLAN: usize = 100;
/// Bytes of the files kept of one site.
const OF_SITE_BYTES: u64 = 64 << 20;

/// A conflict on disk.
pub struct Kept {
    /// Its id, 16 hexadecimal digits.
    pub id: String,
    /// What is kept.
    pub conflict: Conflict,
    /// Index in a plan's log, if what was refused at first has been received since.
    pub received: Option<u64>,
}

/// How many conflicts there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Files in `conflicts/`.
    pub kept: usize,
    /// Refusals whose documents came when a site's share was full; the same one sent again counts again.
    pub not_kept: u64,
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
        let artifact = sent.artifacts.first().cloned().unwrap_or_default();
        let refused = Document::new(sent.envelope.clone(), artifact);
        // What is refused as a conflict was verified: it names its plan.
        let plan = claimed_plan(&refused).map_or(String::new(), |plan| plan.to_string());
        let plan = plan.get(..16).unwrap_or("unknown");
        let path = self.folder().join(format!("{site}+{plan}+{}.json", &Digest::of(&told).to_string()[..16]));
        if path.exists() {
            return Ok(());
        }
        if !self.room(site, plan)? {
            return self.count_not_kept(site);
        }
        let conflict = Conflict {
            at,
            site: site.clone(),
            reason,
            refused,
            logged: against.map(|digest| self.logged(&digest)).transpose()?.flatten(),
            registry: None,
        };
        write_parcel(&path, &self.home.trust.federation, Content::Conflict(Box::new(conflict)))
    }

    fn logged(&self, envelope: &Digest) -> Result<Option<Document>, Fault> {
        let plans = self.registry().plans().filter_map(|(digest, _)| self.plan(digest));
        let mut found = plans.filter_map(|plan| Some((&plan.log, *plan.index.get(envelope)?)));
        let found = found.next().map_or_else(|| self.heartbeat_at(envelope), |of_plan| Ok(Some(of_plan)))?;
        let Some((log, index)) = found else { return Ok(None) };
        let envelope = log.entry(index)?;
        let subject = fedaudit_core::verify::claimed_subject(&envelope).map_err(broken)?;
        Ok(Some(Document::new(envelope, self.artifact(&subject)?)))
    }

    fn heartbeat_at(&self, envelope: &Digest) -> Result<Option<(&LogDir, u64)>, Fault> {
        let log = &self.beats().log;
        for index in (0..log.size()).rev() {
            if Digest::of(&log.entry(index)?) == *envelope {
                return Ok(Some((log, index)));
            }
        }
        Ok(None)
    }

    fn folder(&self) -> PathBuf {
        self.home.dir.join("conflicts")
    }

    /// Whether another conflict of `site` may be kept.
    fn room(&self, site: &Name, plan: &str) -> Result<bool, Fault> {
        let (mut of_plan, mut bytes) = (0, 0);
        for path in self.files_ending("json")? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // No name has a plus sign in it.
            let Some(rest) = name.strip_prefix(site.as_str()).and_then(|rest| rest.strip_prefix('+')) else { continue };
            of_plan += usize::from(rest.starts_with(plan));
            bytes += std::fs::metadata(&path).map_err(|e| operator(format!("{}: {e}", path.display())))?.len();
        }
        Ok(of_plan < OF_PLAN && bytes < OF_SITE_BYTES)
    }

    fn count_not_kept(&self, site: &Name) -> Result<(), Fault> {
        let path = self.folder().join(format!("{site}.not-kept"));
        write_atomic(&path, (count_in(&path).saturating_add(1)).to_string().as_bytes(), 0o644)
    }

    fn files_ending(&self, end: &str) -> Result<Vec<PathBuf>, Fault> {
        let folder = self.folder();
        let entries = std::fs::read_dir(&folder).map_err(|e| operator(format!("{}: {e}", folder.display())))?;
        let files = entries.flatten().map(|entry| entry.path());
        Ok(files.filter(|path| path.extension().is_some_and(|found| found == end)).collect())
    }

    /// How many conflicts are kept, and how many are not.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn conflicts_kept(&self) -> Result<Counts, Fault> {
        let not_kept =
            self.files_ending("not-kept")?.iter().fold(0, |sum: u64, path| sum.saturating_add(count_in(path)));
        Ok(Counts { kept: self.files_ending("json")?.len(), not_kept })
    }

    /// Every conflict kept, the earliest first.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn conflicts(&self) -> Result<Vec<Kept>, Fault> {
        let mut kept = Vec::new();
        for path in self.files_ending("json")? {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let id = stem.rsplit('+').next().unwrap_or_default().to_owned();
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

/// The count in a file; one that is not there, or damaged, counts from 0, since a count is worth no halt.
fn count_in(path: &Path) -> u64 {
    std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// How many are kept and how many are not, as a line for people; none if there is nothing to say.
pub fn line(counts: &Counts) -> Option<String> {
    let more = not_kept(counts).map_or(String::new(), |more| format!(", {more}"));
    let Counts { kept, .. } = counts;
    (*kept > 0).then(|| format!("conflicts kept: {kept}{more}; see: fedaudit-aggregator conflict list"))
}

/// What came beyond the bounds, for people; none if nothing did.
pub fn not_kept(counts: &Counts) -> Option<String> {
    let more = counts.not_kept;
    let bounds = format!("at most {OF_PLAN} of a site within a plan and {} MiB of a site are", OF_SITE_BYTES >> 20);
    (more > 0).then(|| format!("{more} not kept ({bounds})"))
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
