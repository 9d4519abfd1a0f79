//! What follows from the logs, and the one place that appends to them.
//!
//! The files are the truth. Every process that appends (the daemon, a governance command) holds the same lock, reads
//! what others appended, decides, writes artifacts, then tiles, then the checkpoint. A crash before the checkpoint leaves
//! nothing that counts; a crash after it leaves a whole entry, and the sender's retry is answered with its receipt.

use crate::beats::Beats;
use crate::home::{Home, operator, refused};
use crate::keys;
use crate::store::{Head, LogDir};
use ed25519_dalek::SigningKey;
use fedaudit_core::envelope::{Attestation, Seen};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::KeyUse;
use fedaudit_core::note::Checkpoint;
use fedaudit_core::report::LoggedReport;
use fedaudit_core::roster::{Registry, journal_origin, plan_origin, registry_origin};
use fedaudit_core::verify::{self, At, Entry, PlanState, VerifiedAbstention, VerifiedDispute, VerifiedRelease};
use fedaudit_link::home::{Lock, write_atomic};
use std::collections::BTreeMap;

/// The aggregator's state.
pub struct Centre {
    /// Its folder.
    pub home: Home,
    pub(crate) log_key: SigningKey,
    registry_log: LogDir,
    registry: Registry,
    plans: BTreeMap<Digest, PlanLog>,
    beats: Beats,
    journals: SeenJournals,
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
        Centre::open_with(home, registry)
    }

    /// The same, held against a registry that may be ahead of the log.
    ///
    /// # Errors
    /// As [`Centre::open`].
    pub(crate) fn open_with(home: Home, registry: Registry) -> Result<Centre, Fault> {
        let log_key = home.key(KeyUse::Log)?;
        let registry_log = LogDir::unread(&home.registry_dir(), &registry_origin(&home.trust.federation));
        let beats = Beats::of(&home);
        let (plans, journals) = Default::default();
        let mut centre = Centre { home, log_key, registry_log, registry, plans, beats, journals };
        centre.refresh()?;
        Ok(centre)
    }

    /// Reads what other processes appended.
    ///
    /// # Errors
    /// A home that is damaged, or went back in time.
    pub fn refresh(&mut self) -> Result<(), Fault> {
        self.registry_log.know(&keys::candidates(&self.home, &self.registry, &self.registry_log)?);
        let (home, registry) = (&self.home, &mut self.registry);
        let read = self.registry_log.refresh_with(|log| {
            while registry.size() < log.size() {
                let envelope = log.entry(registry.size())?;
                let artifact = home.artifact(&verify::claimed_subject(&envelope).map_err(refused)?)?;
                registry.apply(&envelope, &artifact).map_err(refused)?;
            }
            registry.log_keys().map_err(|e| operator(e.to_string()))
        });
        if read? {
            keys::check_note(&self.registry_log, &self.registry)?;
        }
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
            let envelope = plan.log.entry(plan.read)?;
            let at = At { registry: &self.registry, index: plan.read };
            let artifact = || self.home.artifact(&verify::claimed_subject(&envelope).map_err(refused)?);
            match verify::entry(&envelope, &self.registry).map_err(refused)? {
                Entry::Report(claim, signer) => {
                    let digest = Digest::of(&envelope);
                    plan.state.admit_report(digest, &claim, &signer, at).map_err(refused)?;
                    let report = LoggedReport { index: plan.read, envelope: digest, windows: claim.windows };
                    plan.reports.push(report);
                }
                Entry::Dispute => {
                    let dispute = verify::dispute(&envelope, &artifact()?, &self.registry).map_err(refused)?;
                    plan.state.admit_dispute(&dispute, at).map_err(|conflict| refused(conflict.refusal))?;
                    plan.disputes.push((plan.read, dispute));
                }
                Entry::Release => {
                    let release = verify::release(&envelope, &artifact()?, &self.registry).map_err(refused)?;
                    plan.state.admit(&release, at).map_err(|conflict| refused(conflict.refusal))?;
                    let claim = release.claim();
                    self.journals.note(&claim.site, release.journal(), &claim.journal, release.envelope());
                    plan.releases.push((plan.read, release));
                }
                Entry::Abstention => {
                    let abstention = verify::abstention(&envelope, &artifact()?, &self.registry).map_err(refused)?;
                    plan.state.admit_abstention(&abstention, at).map_err(|conflict| refused(conflict.refusal))?;
                    plan.abstentions.push((plan.read, abstention));
                }
            }
            plan.index.insert(Digest::of(&envelope), plan.read);
            plan.read += 1;
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
        std::iter::once(&self.registry_log).chain(self.plans.values().map(|plan| &plan.log))
    }

    /// Reads what witnesses cosigned since, and nothing else.
    ///
    /// # Errors
    /// As [`Centre::refresh`].
    pub fn refresh_cosigned(&mut self) -> Result<(), Fault> {
        let plans = self.plans.values_mut().map(|plan| &mut plan.log);
        std::iter::once(&mut self.registry_log).chain(plans).try_for_each(LogDir::refresh_cosigned)
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

    /// The registry checkpoint that documents signed here name as seen.
    pub fn seen(&self) -> Option<Seen> {
        let log = &self.registry_log;
        Some(Seen { origin: log.origin().to_owned(), size: log.size(), root: log.root() })
    }

    /// Takes the lock under which logs grow, and reads what others appended.
    ///
    /// # Errors
    /// As [`Centre::refresh`].
    pub fn lock(&mut self) -> Result<Lock, Fault> {
        let lock = Lock::acquire(&self.home.lock_path())?;
        self.refresh()?;
        Ok(lock)
    }

    /// Publishes a governance document. `_lock` shows that nobody else appends.
    ///
    /// # Errors
    /// A document that the registry refuses, or a disk that fails.
    pub fn publish(&mut self, attestation: &Attestation, _lock: &Lock) -> Result<u64, Fault> {
        let mut after = self.registry.clone();
        let artifact = attestation.artifacts.first().map(Vec::as_slice).unwrap_or_default();
        after.apply(&attestation.envelope, artifact).map_err(|refusal| {
            let hint = match refusal.check.as_str() {
                "signer" => "have as many governance keys sign as must: by file, --from and --to, then governance sign",
                _ => "publish a document that follows from the registry as it is",
            };
            crate::home::operator_hint(refusal.to_string(), hint)
        })?;
        self.may_publish()?;
        let next = self.next_log_key(&after)?;
        self.keep_artifacts(attestation)?;
        let keys: Vec<_> = std::iter::once(&self.log_key).chain(&next).collect();
        self.registry_log.append(&[&attestation.envelope], &keys)?;
        self.refresh()?;
        self.keep_handover()?;
        self.drop_asked(artifact)?;
        Ok(self.registry.size() - 1)
    }

    /// Appends an attestation that was checked to a plan's log. `_lock` shows that nobody else appends.
    ///
    /// # Errors
    /// A plan that is not in the registry, or a disk that fails.
    pub fn append(&mut self, plan: &Digest, attestation: &Attestation, _lock: &Lock) -> Result<u64, Fault> {
        self.keep_artifacts(attestation)?;
        let Some(log) = self.plans.get_mut(plan) else {
            return Err(operator(format!("no plan {plan} in the registry")));
        };
        log.log.append(&[&attestation.envelope], &[&self.log_key])?;
        self.refresh_plan(plan)?;
        Ok(self.plans.get(plan).map_or(0, |log| log.log.size()) - 1)
    }

    /// The log of heartbeats.
    pub fn beats(&self) -> &Beats {
        &self.beats
    }

    /// Appends a heartbeat that was checked. `_lock` shows that nobody else appends.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn append_heartbeat(&mut self, attestation: &Attestation, _lock: &Lock) -> Result<u64, Fault> {
        self.keep_artifacts(attestation)?;
        self.beats.log.append(&[&attestation.envelope], &[&self.log_key])?;
        self.beats.refresh(&self.home, &self.registry, &mut self.journals)?;
        Ok(self.beats.log.size() - 1)
    }

    /// Receipt of both means both are durable: artifacts come before the entry that names them.
    fn keep_artifacts(&self, attestation: &Attestation) -> Result<(), Fault> {
        for artifact in &attestation.artifacts {
            write_atomic(&self.home.artifact_path(&Digest::of(artifact)), artifact, 0o644)?;
        }
        Ok(())
    }
}
