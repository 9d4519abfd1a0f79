//! The aggregator's folder.
//!
//! | path | what | worst if altered by others |
//! |---|---|---|
//! | `config.toml` | addresses | nobody reaches the aggregator |
//! | `keys/` | attest, log and transport keys, 0600; see [`crate::keys`] for next ones | reports and checkpoints in the aggregator's name |
//! | `trust.json` | what relying parties need | this daemon trusts another governance |
//! | `logs/` | tlog-tiles folders: registry, heartbeats, one a plan | noticed: every document is checked again when read; cosignatures are missing |
//! | `artifacts/` | what the envelopes speak of, by digest | noticed: digests |
//! | `joins/` | requests to join, and for other keys, that wait for governance | a site must ask again |
//! | `fence.json` | see [`crate::fence`]; in no backup | nothing is served, or the sites are asked first |
//! | `carried.json` | which heartbeats came by file | a site is called silent, or is not |
//! | `conflicts/` | refused documents that contradict logged ones: evidence | evidence is lost |

use crate::store::LogDir;
use ed25519_dalek::SigningKey;
use fedaudit_core::codec::{self, Valid};
use fedaudit_core::envelope::Head;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::note::{Cosigner, VerifierKey};
use fedaudit_core::roster::{
    self, Governance, Party, PublishedPlan, Registry, RosterEntry, RosterKey, RosterText, Trust, Witnesses,
    registry_origin,
};
use fedaudit_link::home::{create_dir_private, create_key, create_new, load_key, now, os_random, write_atomic};
use fedaudit_link::trust;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Name and version of this software, as documents carry them.
pub const SOFTWARE: &str = concat!("fedaudit-aggregator ", env!("CARGO_PKG_VERSION"));

/// An aggregator's folder, opened.
pub struct Home {
    /// The folder.
    pub dir: PathBuf,
    /// `config.toml`.
    pub config: Config,
    /// `trust.json`.
    pub trust: Valid<Trust>,
}

/// `config.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and UDP port to listen on.
    pub listen: String,
    /// `host:port` at which sites reach it; join tokens carry it.
    pub address: String,
    /// Minutes between the heartbeats that sites are expected to send; 0 if none are.
    #[serde(default = "quarter")]
    pub heartbeat_minutes: u32,
    /// Days after which a site whose heartbeats come by file counts as silent.
    #[serde(default = "month")]
    pub by_file_days: u32,
    /// Who is asked to cosign the logs' checkpoints; who must have, `trust.json` says.
    #[serde(default)]
    pub witnesses: Vec<WitnessAt>,
}

/// What sites do by themselves.
fn quarter() -> u32 {
    15
}

/// Parcels are carried at least monthly.
fn month() -> u32 {
    31
}

/// A witness and where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessAt {
    /// What stands before `/add-checkpoint`, `http://` or `https://`.
    pub url: String,
    /// Its verifier key.
    pub key: String,
}

impl std::str::FromStr for WitnessAt {
    type Err = String;

    /// Reads `KEY@URL`, the key as the witness prints it.
    fn from_str(text: &str) -> Result<Self, String> {
        let at = text.rfind("@http://").or_else(|| text.rfind("@https://"));
        let at =
            at.ok_or("write KEY@URL: the verifier key that the witness prints, and its http:// or https:// address")?;
        let witness = WitnessAt { key: text[..at].to_owned(), url: text[at + 1..].to_owned() };
        witness.check().map(|()| witness)
    }
}

impl WitnessAt {
    fn check(&self) -> Result<(), String> {
        Cosigner::parse(&self.key).map_err(|e| format!("`key`: {e}"))?;
        let host = self.url.strip_prefix("http://").or_else(|| self.url.strip_prefix("https://"));
        let plain = host.is_some_and(|host| !host.is_empty() && !host.contains(['?', '#', ' ']));
        if plain { Ok(()) } else { Err(format!("`url` is {:?}: write http:// or https://, host and path", self.url)) }
    }
}

impl Config {
    /// What `init` writes, without witnesses.
    pub fn of(listen: String, address: String) -> Config {
        let (heartbeat_minutes, by_file_days, witnesses) = (quarter(), month(), Vec::new());
        Config { listen, address, heartbeat_minutes, by_file_days, witnesses }
    }

    fn to_toml(&self) -> String {
        let mut text = format!(
            "# Address and UDP port that the daemon listens on.\nlisten = {:?}\n\n\
             # host:port at which sites reach it. Join tokens carry it.\naddress = {:?}\n\n\
             # Minutes between the heartbeats of a site; `site list` calls it silent after three times as many. 0: none expected.\n\
             heartbeat_minutes = {}\n\n\
             # The same for a site whose last heartbeat came by file: it is silent after so many days.\nby_file_days = {}\n\n\
             # Witnesses that are asked to cosign the logs' checkpoints, a table each: `key`, the verifier key that the\n\
             # witness prints, and `url`, its http:// or https:// address. Who must have cosigned, trust.json says.\n",
            self.listen, self.address, self.heartbeat_minutes, self.by_file_days
        );
        for WitnessAt { url, key } in &self.witnesses {
            text += &format!("\n[[witnesses]]\nkey = {key:?}\nurl = {url:?}\n");
        }
        text
    }

    fn check(&self) -> Result<(), String> {
        self.witnesses.iter().try_for_each(WitnessAt::check).map_err(|e| format!("[[witnesses]]: {e}"))
    }
}

impl Home {
    /// Opens an existing home.
    ///
    /// # Errors
    /// A folder that is no home, or a file in it that cannot be read.
    pub fn open(dir: &Path) -> Result<Home, Fault> {
        if dir.join("outbox.sqlite").exists() {
            let what = format!("{}: this is an agent's home", dir.display());
            return Err(operator_hint(
                what,
                "name the aggregator's home with --home, or run fedaudit-agent on this one",
            ));
        }
        let text = read_text(&dir.join("config.toml")).map_err(|fault| {
            Fault::new(Blame::Operator, fault.what, "name a home with --home, or make one: fedaudit-aggregator init")
        })?;
        let bad = |e: String| operator_hint(format!("{}: {e}", dir.join("config.toml").display()), "mend that key");
        let config: Config = toml::from_str(&text).map_err(|e| bad(e.to_string()))?;
        config.check().map_err(bad)?;
        let trust = trust::read(&dir.join("trust.json"))?;
        Ok(Home { dir: dir.to_owned(), config, trust })
    }

    /// Folder of the keys.
    pub fn keys(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// The signing key for `usage`.
    ///
    /// # Errors
    /// A key file that is missing, readable by others, or no key.
    pub fn key(&self, usage: KeyUse) -> Result<SigningKey, Fault> {
        load_key(&self.keys().join(format!("{usage}.key")))
    }

    /// The log key; none if its file is missing.
    ///
    /// # Errors
    /// As [`Home::key`].
    pub fn log_key(&self) -> Result<Option<SigningKey>, Fault> {
        match self.keys().join("log.key").exists() {
            true => self.key(KeyUse::Log).map(Some),
            false => Ok(None),
        }
    }

    /// Folder of the registry's log.
    pub fn registry_dir(&self) -> PathBuf {
        self.dir.join("logs/registry")
    }

    /// Folder of a plan's log.
    pub fn plan_dir(&self, plan: &Digest) -> PathBuf {
        self.dir.join("logs/plan").join(plan.to_string())
    }

    /// Folder of the log of heartbeats.
    pub fn heartbeats_dir(&self) -> PathBuf {
        self.dir.join("logs/heartbeats")
    }

    /// File of an artifact.
    pub fn artifact_path(&self, digest: &Digest) -> PathBuf {
        self.dir.join("artifacts").join(digest.to_string())
    }

    /// An artifact, which is the one that its digest names.
    ///
    /// # Errors
    /// A file that cannot be read, or was altered.
    pub fn artifact(&self, digest: &Digest) -> Result<Vec<u8>, Fault> {
        let path = self.artifact_path(digest);
        let hint = || format!("restore {} from a backup of this home; the log names it by its digest", path.display());
        let bytes = std::fs::read(&path).map_err(|e| operator_hint(format!("{}: {e}", path.display()), hint()))?;
        match Digest::of(&bytes) {
            found if found == *digest => Ok(bytes),
            found => {
                let what = format!("{} was altered: its digest is {found}", path.display());
                Err(Fault::new(Blame::Aggregator, what, hint()))
            }
        }
    }

    /// File of a join request: anyone may ask under any name, so that each key has its own.
    pub fn join_path(&self, site: &Name, transport: &PublicKey) -> PathBuf {
        self.dir.join("joins").join(format!("{site}@{}.join", transport.id().short()))
    }

    /// The join requests that wait: site and file, by name.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn joins(&self) -> Result<Vec<(Name, PathBuf)>, Fault> {
        let folder = self.dir.join("joins");
        let entries = std::fs::read_dir(&folder).map_err(|e| operator(format!("{}: {e}", folder.display())))?;
        let mut joins: Vec<_> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                let (site, _) = name.to_str()?.strip_suffix(".join")?.split_once('@')?;
                Some((Name::new(site).ok()?, entry.path()))
            })
            .collect();
        joins.sort();
        Ok(joins)
    }

    /// Lock that one daemon holds: whatever port another is given, it would serve the same logs.
    pub fn run_lock(&self) -> PathBuf {
        self.dir.join("run.lock")
    }

    /// Lock that a process holds while it asks witnesses: they see no two requests of this home at once.
    pub fn witness_lock(&self) -> PathBuf {
        self.dir.join("witness.lock")
    }

    /// Lock that every process holds while it appends to a log.
    pub fn lock_path(&self) -> PathBuf {
        self.dir.join("logs.lock")
    }
}

/// Makes a federation: governance folder, aggregator's home, and a registry whose first entry names the aggregator's keys.
///
/// Both folders are made under another name and renamed when they are whole.
///
/// # Errors
/// A folder that exists, or cannot be written; witnesses that the rules of `trust.json` refuse.
pub fn init(
    dir: &Path,
    governance: &Path,
    federation: &Name,
    config: &Config,
    witness_threshold: usize,
) -> Result<Valid<Trust>, Fault> {
    let keys = config.witnesses.iter().map(|witness| witness.key.clone()).collect();
    let witnesses = Witnesses { threshold: witness_threshold, keys };
    for (folder, what) in [(dir, "home"), (governance, "governance folder")] {
        if folder.exists() {
            return Err(operator_hint(
                format!("{} exists", folder.display()),
                format!("name a {what} that does not exist"),
            ));
        }
    }
    let partial = [dir, governance].map(partial_path);
    for folder in &partial {
        // What an interrupted init left: it never had the real name.
        if folder.exists() {
            std::fs::remove_dir_all(folder).map_err(|e| operator(format!("{}: {e}", folder.display())))?;
        }
        create_dir_private(folder)?;
    }
    for sub in ["keys", "logs", "artifacts", "joins", "conflicts"] {
        create_dir_private(&partial[0].join(sub))?;
    }
    create_dir_private(&partial[1].join("invites"))?;
    let governance_key = create_key(&partial[1].join("governance.key"), os_random())?;
    let keys = [KeyUse::Attest, KeyUse::Log, KeyUse::Transport].map(|usage| {
        create_key(&partial[0].join("keys").join(format!("{usage}.key")), os_random()).map(|key| (usage, key))
    });
    let [attest, log, transport] = keys;
    let keys = [attest?, log?, transport?];
    let trust = make_trust(federation, &governance_key, &keys[1].1, witnesses)?;
    let json = codec::to_json(&trust).map_err(|e| operator(e.to_string()))?;
    create_new(&partial[0].join("trust.json"), &json, 0o644)?;
    create_new(&partial[1].join("trust.json"), &json, 0o644)?;
    create_new(&partial[0].join("config.toml"), config.to_toml().as_bytes(), 0o644)?;
    first_entry(&partial[0], &trust, &governance_key, &keys)?;
    for (from, to) in partial.iter().zip([dir, governance]) {
        std::fs::rename(from, to).map_err(|e| operator(format!("{}: {e}", to.display())))?;
    }
    Ok(trust)
}

fn make_trust(
    federation: &Name,
    governance: &SigningKey,
    log: &SigningKey,
    witnesses: Witnesses,
) -> Result<Valid<Trust>, Fault> {
    let registry = VerifierKey { name: registry_origin(federation), key: PublicKey::of(log) };
    let text = Trust {
        format: roster::FORMAT,
        version: 1,
        federation: federation.clone(),
        governance: Governance { threshold: 1, keys: vec![PublicKey::of(governance)] },
        registry: registry.to_string(),
        witnesses,
    };
    Valid::new(text).map_err(|e| operator_hint(e, "mend --witness and --witness-threshold; nothing was made"))
}

fn first_entry(
    dir: &Path,
    trust: &Valid<Trust>,
    governance: &SigningKey,
    keys: &[(KeyUse, SigningKey); 3],
) -> Result<(), Fault> {
    let public = keys.iter().map(|(usage, key)| RosterKey { usage: *usage, key: PublicKey::of(key) }).collect();
    let text = RosterText::of(Party::Aggregator, public);
    let entry = RosterEntry::new(text).map_err(operator)?;
    let head = Head { federation: trust.federation.clone(), issued_at: now(), seen: None, replaces: None };
    let attestation = roster::attest_entry(&entry, head, &[governance]).map_err(refused)?;
    Registry::new(trust.clone()).apply(&attestation.envelope, &attestation.artifacts[0]).map_err(refused)?;
    let digest = Digest::of(&attestation.artifacts[0]);
    write_atomic(&dir.join("artifacts").join(digest.to_string()), &attestation.artifacts[0], 0o644)?;
    let origin = registry_origin(&trust.federation);
    let mut log = LogDir::open(&dir.join("logs/registry"), &origin, &[PublicKey::of(&keys[1].1)])?;
    log.append(&[&attestation.envelope], &keys[1].1)?;
    crate::fence::create(dir, &log)
}

/// What a folder is called until it is whole.
pub(crate) fn partial_path(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    dir.with_file_name(name)
}

/// Reads a text file.
///
/// # Errors
/// A file that cannot be read.
pub fn read_text(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|e| operator(format!("{}: {e}", path.display())))
}

/// A fault of the operator without a better hint.
pub fn operator(what: impl Into<String>) -> Fault {
    operator_hint(what, "check the path, its permissions and the disk")
}

/// A fault of the operator.
pub fn operator_hint(what: impl Into<String>, hint: impl Into<String>) -> Fault {
    Fault::new(Blame::Operator, what, hint)
}

/// A document that this program made or kept and that does not pass its own checks.
pub fn refused(refusal: Refusal) -> Fault {
    Fault::new(
        Blame::Aggregator,
        refusal.to_string(),
        "run `fedaudit-aggregator log verify`; restore the home if it fails",
    )
}
/// The latest version of the plan called `name`: digest and plan.
///
/// # Errors
/// There is none; the fault lists those that there are.
pub fn plan_named<'a>(registry: &'a Registry, name: &Name) -> Result<(Digest, &'a PublishedPlan), Fault> {
    registry.plan_named(name).map(|(digest, _, published)| (digest, published)).ok_or_else(|| {
        let known: Vec<_> = registry.plans().map(|(_, published)| published.plan.plan.to_string()).collect();
        operator_hint(format!("no plan is called {name}"), format!("published plans: {}", known.join(", ")))
    })
}
