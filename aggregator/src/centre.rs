//! What follows from the logs, and the one place that appends to them.
//!
//! The files are the truth. Every process that appends (the daemon, a governance command) holds the same lock, reads
//! what others appended, decides, writes artifacts, then tiles, then the checkpoint. A crash before the checkpoint leaves
//! nothing that counts; a crash after it leaves a whole entry, and the sender's retry is answered with its receipt.

use crate::beats::Beats;
use crate::checked::Checked;
use crate::fence::{self, Standing};
use crate::home::{Home, operator, refused};
use crate::intake::Book;
use crate::keys;
use crate::store::{Files, Head, LogDir};
use ed25519_dalek::SigningKey;
use fedaudit_core::envelope::Attestation;
use fedaudit_core::fault::{Fault, Refusal};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::note::Checkpoint;
use fedaudit_core::report::LoggedReport;
use fedaudit_core::roster::{Registry, journal_origin, plan_origin, registry_origin};
use fedaudit_core::verify::{self, At, Kind, PlanState, VerifiedAbstention, VerifiedDispute, VerifiedRelease};
use fedaudit_link::home::{Lock, write_all};
use std::collections::BTreeMap;

/// The aggregator's state.
pub struct Centre {
    /// Its folder.
    pub home: Home,
    /// None where its file is missing, or holds another key than the registry names: until it is there, nothing is logged.
    pub(crate) log_key: Option<SigningKey>,
    registry_log: LogDir,
    registry: Registry,
    plans: BTreeMap<Digest, PlanLog>,
    beats: Beats,
    journals: SeenJournals,
    /// Artifacts of entries that are staged: durable with the next commit.
    staged: Files,
    /// Whether the logs may grow.
    pub standing: Standing,
}

/// A plan's log and what follows from it.
pub struct PlanLog {
    /// The log.
    pub log: LogDir,
    /// Sequence and windows, site by site.
    pub state: PlanState,
    /// Releases with their indices.
    pub releases: Vec<(u64, VerifiedRelease)>,
    /// Abstentions with their indices.
    pub abstentions: Vec<(u64, VerifiedAbstention)>,
    /// Disputes with their indices.
    pub disputes: Vec<(u64, VerifiedDispute)>,
    /// Reports.
    pub reports: Vec<LoggedReport>,
    /// Index of each envelope.
    pub index: BTreeMap<Digest, u64>,
    read: u64,
}

impl PlanLog {
    fn new(log: LogDir) -> Self {
        let (state, releases, abstentions, disputes, reports, index) = Default::default();
        PlanLog { log, state, releases, abstentions, disputes, reports, index, read: 0 }
    }

    /// Takes the entry that comes next, which was checked by itself.
    fn admit(
        &mut self,
        envelope: Digest,
        checked: Checked,
        registry: &Registry,
        journals: &mut SeenJournals,
    ) -> Result<(), Refusal> {
        let index = self.read;
        let at = At { registry, index };
        match checked {
            Checked::Report(claim, signer) => {
                self.state.admit_report(envelope, &claim, &signer, at)?;
                self.reports.push(LoggedReport { index, envelope, windows: claim.windows });
            }
            Checked::Dispute(dispute) => {
                self.state.admit_dispute(&dispute, at).map_err(|conflict| conflict.refusal)?;
                self.disputes.push((index, *dispute));
            }
            Checked::Release(release) => {
                self.state.admit(&release, at).map_err(|conflict| conflict.refusal)?;
                let claim = release.claim();
                journals.note(&claim.site, release.journal(), &claim.journal, release.envelope());
                self.releases.push((index, *release));
            }
            Checked::Abstention(abstention) => {
                self.state.admit_abstention(&abstention, at).map_err(|conflict| conflict.refusal)?;
                self.abstentions.push((index, *abstention));
            }
            Checked::Heartbeat(_) => return Err(Refusal::new("statement", "an entry of a plan's log", "a heartbeat")),
        }
        self.index.insert(envelope, index);
        self.read += 1;
        Ok(())
    }

    /// The site whose release, abstention or dispute stands at an index of the log.
    pub fn site_at(&self, index: u64) -> Option<&Name> {
        fn at<T>(all: &[(u64, T)], index: u64) -> Option<&T> {
            all.binary_search_by_key(&index, |(index, _)| *index).ok().and_then(|at| all.get(at)).map(|(_, one)| one)
        }
        let release = at(&self.releases, index).map(|release| &release.claim().site);
        let abstention = || at(&self.abstentions, index).map(|abstention| &abstention.claim().site);
        release.or_else(abstention).or_else(|| at(&self.disputes, index).map(|dispute| &dispute.claim().site))
    }
}

/// What was seen of all journals, with releases and with heartbeats.
#[derive(Clone, Debug, Default)]
pub struct SeenJournals(BTreeMap<(Name, String), SeenJournal>);

impl SeenJournals {
    /// Takes verified checkpoints of a site's journal, and the logged envelope that names their notes.
    pub fn note(&mut self, site: &Name, checkpoints: &[Checkpoint], notes: &[String], envelope: Digest) {
        for (checkpoint, note) in checkpoints.iter().zip(notes) {
            let key = (site.clone(), checkpoint.origin.clone());
            if self.0.get(&key).is_none_or(|seen| seen.checkpoint.size < checkpoint.size) {
                self.0.insert(key, SeenJournal { checkpoint: checkpoint.clone(), note: note.clone(), envelope });
            }
        }
    }
}

/// The largest checkpoint of a journal log that a site signed and the aggregator verified.
#[derive(Clone, Debug)]
pub struct SeenJournal {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
    /// The logged envelope that names it.
    pub envelope: Digest,
}

impl Centre {
    /// Reads all logs, checking every document again.
    ///
    /// # Errors
    /// A home that is damaged.
    pub fn open(home: Home) -> Result<Centre, Fault> {
        let registry = Registry::new(home.trust.clone());
        // What is logged while all this is read could stand under a registry entry that was not there yet.
        let _lock = Lock::acquire(&home.lock_path())?;
        Centre::open_with(home, registry)
    }

    /// The same, held against a registry that may be ahead of the log.
    ///
    /// # Errors
    /// As [`Centre::open`].
    pub(crate) fn open_with(home: Home, registry: Registry) -> Result<Centre, Fault> {
        let log_key = home.log_key()?;
        let registry_log = LogDir::unread(&home.registry_dir(), &registry_origin(&home.trust.federation));
        let beats = Beats::of(&home);
        let (plans, journals) = Default::default();
        let fence = fence::read(&home.dir)?;
        let (standing, staged) = (Standing::Unknown(Default::default()), Vec::new());
        let mut centre = Centre { home, log_key, registry_log, registry, plans, beats, journals, staged, standing };
        centre.refresh()?;
        centre.standing = centre.stand(fence)?;
        Ok(centre)
    }

    /// Reads what other processes appended.
    ///
    /// # Errors
    /// A home that is damaged, or went back in time.
    pub fn refresh(&mut self) -> Result<(), Fault> {
        let (home, registry) = (&self.home, &mut self.registry);
        self.registry_log.refresh_with(|log, grown| {
            while registry.size() < log.size() {
                for envelope in log.entries(registry.size())? {
                    let artifact = home.artifact(&verify::claimed_subject(&envelope).map_err(refused)?)?;
                    registry.apply(&envelope, &artifact).map_err(refused)?;
                }
            }
            if grown {
                keys::check_note(log, registry)?;
            }
            registry.log_keys().map_err(|e| operator(e.to_string()))
        })?;
        self.take_keys()?;
        let digests: Vec<Digest> = self.registry.plans().map(|(digest, _)| *digest).collect();
        for digest in digests {
            if !self.plans.contains_key(&digest) {
                let origin = plan_origin(&self.home.trust.federation, &digest);
                let log = LogDir::unread(&self.home.plan_dir(&digest), &origin);
                self.plans.insert(digest, PlanLog::new(log));
            }
            self.refresh_plan(&digest)?;
        }
        self.beats.refresh(&self.home, &self.registry, &mut self.journals)
    }

    fn refresh_plan(&mut self, digest: &Digest) -> Result<(), Fault> {
        let Some(plan) = self.plans.get_mut(digest) else { return Ok(()) };
        keys::refresh(&mut plan.log, &self.registry)?;
        while plan.read < plan.log.size() {
            for envelope in plan.log.entries(plan.read)? {
                let checked = match verify::claimed_kind(&envelope).map_err(refused)? {
                    Kind::Other => Checked::report(&envelope, &self.registry),
                    _ => {
                        let artifact = self.home.artifact(&verify::claimed_subject(&envelope).map_err(refused)?)?;
                        Checked::of_site(&envelope, &artifact, &self.registry)
                    }
                };
                let checked = checked.map_err(refused)?;
                plan.admit(Digest::of(&envelope), checked, &self.registry, &mut self.journals).map_err(refused)?;
            }
        }
        Ok(())
    }

    /// The registry as of now.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The registry's log.
    pub fn registry_log(&self) -> &LogDir {
        &self.registry_log
    }

    /// All logs.
    pub fn logs(&self) -> impl Iterator<Item = &LogDir> {
        let plans = self.plans.values().map(|plan| &plan.log);
        std::iter::once(&self.registry_log).chain(plans).chain([&self.beats.log])
    }

    /// Reads what witnesses cosigned since, and nothing else.
    ///
    /// # Errors
    /// As [`Centre::refresh`].
    pub fn refresh_cosigned(&mut self) -> Result<(), Fault> {
        let plans = self.plans.values_mut().map(|plan| &mut plan.log);
        let all = std::iter::once(&mut self.registry_log).chain(plans).chain([&mut self.beats.log]);
        all.into_iter().try_for_each(LogDir::refresh_cosigned)
    }

    /// The checkpoint of a log as others are shown it, and its size: the last one that enough witnesses cosigned. There may
    /// be none yet; then, and where no witness is asked for, the last one.
    pub fn shown<'a>(&self, log: &'a LogDir) -> (u64, &'a str) {
        let trust = &self.home.trust;
        let enough = |head: &&Head| trust.check_quorum(head.note.as_bytes()).is_ok();
        let asked = trust.witnesses.threshold > 0;
        let cosigned = log.cosigned().filter(enough).filter(|head| asked || head.checkpoint.size == log.size());
        cosigned.map_or((log.size(), log.note()), |head| (head.checkpoint.size, &head.note))
    }

    /// A plan's log.
    pub fn plan(&self, digest: &Digest) -> Option<&PlanLog> {
        self.plans.get(digest)
    }

    /// The last checkpoint seen of one of a site's journal logs.
    pub fn journal(&self, site: &Name, origin: &str) -> Option<&SeenJournal> {
        self.journals.0.get(&(site.clone(), origin.to_owned()))
    }

    /// The last checkpoints seen of all logs of a site's journal, in its epoch.
    pub fn journals_of(&self, site: &Name) -> impl Iterator<Item = &SeenJournal> {
        let base = journal_origin(&self.home.trust.federation, site, self.registry.epoch(site), "");
        let all = self.journals.0.range((site.clone(), base.clone())..);
        all.take_while(move |((of, origin), _)| of == site && origin.starts_with(&base)).map(|(_, seen)| seen)
    }

    /// An artifact that some envelope names.
    ///
    /// # Errors
    /// A file that cannot be read, or was altered.
    pub fn artifact(&self, digest: &Digest) -> Result<Vec<u8>, Fault> {
        self.home.artifact(digest)
    }

    /// Takes the lock under which logs grow, and reads what others appended.
    ///
    /// # Errors
    /// As [`Centre::refresh`].
    pub fn lock(&mut self) -> Result<Lock, Fault> {
        self.standing.serve()?;
        let lock = Lock::acquire(&self.home.lock_path())?;
        self.refresh()?;
        self.standing = self.stand(fence::read(&self.home.dir)?)?;
        self.standing.serve()?;
        Ok(lock)
    }

    /// Publishes a governance document. `lock` shows that nobody else appends.
    ///
    /// # Errors
    /// A document that the registry refuses, or a disk that fails.
    pub fn publish(&mut self, attestation: &Attestation, lock: &Lock) -> Result<u64, Fault> {
        self.standing.clear()?;
        let mut after = self.registry.clone();
        let artifact = attestation.artifacts.first().map(Vec::as_slice).unwrap_or_default();
        after.apply(&attestation.envelope, artifact).map_err(|refusal| {
            let hint = match refusal.check.as_str() {
                "signer" => "have as many governance keys sign as must: by file, --from and --to, then governance sign",
                _ => "publish a document that follows from the registry as it is",
            };
            crate::home::operator_hint(refusal.to_string(), hint)
        })?;
        let key = self.next_log_key(&after)?.map_or_else(|| self.log_key(), Ok)?;
        self.stage_artifacts(attestation);
        write_all(&std::mem::take(&mut self.staged), 0o644)?;
        self.registry_log.append(&[&attestation.envelope], &key)?;
        self.refresh()?;
        self.drop_asked(attestation.artifacts.first().map(Vec::as_slice).unwrap_or_default())?;
        self.move_fence(lock)?;
        Ok(self.registry.size() - 1)
    }

    /// Puts an attestation that was checked behind its log; [`Centre::commit`] makes it part of it. Its index.
    ///
    /// # Errors
    /// A plan that is not in the registry, or a document that does not come next: nothing is staged.
    pub fn stage(&mut self, book: Book, attestation: &Attestation, checked: Checked) -> Result<u64, Fault> {
        self.standing.clear()?;
        let (registry, journals) = (&self.registry, &mut self.journals);
        let log = match (book, checked) {
            (Book::Plan(plan), checked) => {
                let none = || operator(format!("no plan {plan} in the registry"));
                let log = self.plans.get_mut(&plan).ok_or_else(none)?;
                log.admit(Digest::of(&attestation.envelope), checked, registry, journals).map_err(refused)?;
                &mut log.log
            }
            (Book::Heartbeats, Checked::Heartbeat(beat)) => {
                self.beats.admit(&beat, registry, journals)?;
                &mut self.beats.log
            }
            (Book::Heartbeats, _) => return Err(refused(Refusal::new("statement", "a heartbeat", "another document"))),
        };
        let index = log.stage(&attestation.envelope);
        self.stage_artifacts(attestation);
        Ok(index)
    }

    /// The log of heartbeats.
    pub fn beats(&self) -> &Beats {
        &self.beats
    }

    /// Makes all that is staged durable, and part of its logs. `lock` shows that nobody else appends.
    ///
    /// Receipt of a document means that all of it is durable: artifacts and tiles come before the checkpoint over them.
    ///
    /// # Errors
    /// A disk that fails: this state is ahead of its logs then, and must not be used again.
    pub fn commit(&mut self, lock: &Lock) -> Result<(), Fault> {
        let key = self.log_key()?;
        let mut files = std::mem::take(&mut self.staged);
        let logs = self.plans.values_mut().map(|plan| &mut plan.log).chain([&mut self.beats.log]);
        let mut grown = Vec::new();
        for log in logs.filter(|log| log.next() > log.size()) {
            let (after, tiles) = log.grow()?;
            files.extend(tiles);
            grown.push((log, after));
        }
        if grown.is_empty() {
            return Ok(());
        }
        write_all(&files, 0o644)?;
        grown.into_iter().try_for_each(|(log, after)| log.seal(after, &key))?;
        self.move_fence(lock)
    }

    fn stage_artifacts(&mut self, attestation: &Attestation) {
        for artifact in &attestation.artifacts {
            self.staged.push((self.home.artifact_path(&Digest::of(artifact)), artifact.clone()));
        }
    }
}
