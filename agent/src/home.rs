//! The agent's folder.
//!
//! | path | what | worst if altered by others |
//! |---|---|---|
//! | `config.toml` | the site's own policy | a plan is accepted that the steward would refuse |
//! | `keys/` | attest, note and transport keys, 0600; see [`crate::rotate`] for next ones | releases in the site's name |
//! | `keys/archive.key` | what archive files are encrypted under, 0600 | they can be read |
//! | `keys/intake.token` | what senders of events show, 0600 | events that the model never decided |
//! | `trust.json`, `enrolment.json` | the federation, and where its aggregator is | the agent talks to nobody |
//! | `invitation.json` | what the token said, until the registry comes by file | the registry is refused |
//! | `journal/`, `sidecar.sqlite` | see [`crate::journal`] | noticed by `journal verify`; never leaves |
//! | `archive-staging/` | archive files on their way, and records read back, see [`crate::archive`] | noticed before a record is deleted, or used |
//! | `fence.json` | see [`crate::fence`]; in no backup | nothing is signed, or the aggregator is asked first |
//! | `outbox.sqlite` | see [`crate::outbox`] | noticed: signatures and receipts are checked again |

use crate::archive::Retention;
use crate::intake::{self, IntakeConfig};
use crate::journal::Journal;
use crate::privacy::{self, PrivacyConfig};
use ed25519_dalek::SigningKey;
use fedaudit_core::codec::{self, Valid};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::KeyUse;
use fedaudit_core::plan::PlanText;
use fedaudit_core::roster::Trust;
use fedaudit_link::home::{
    create_dir_private, create_key, create_new, key_files, load_key, os_random, sync_dir, write_atomic,
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Name and version of this software, as documents carry them.
pub const SOFTWARE: &str = concat!("fedaudit-agent ", env!("CARGO_PKG_VERSION"));

/// An agent's folder, opened.
pub struct Home {
    /// The folder.
    pub dir: PathBuf,
    /// `config.toml`.
    pub config: Config,
}

/// `config.toml`: what this site allows, whatever a plan asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Least k of a plan that this site accepts.
    pub k_floor: u64,
    /// Attributes that never leave this site, not even as counts.
    pub never_report: Vec<String>,
    /// Seconds between looks at the registry and at windows that are due.
    pub poll_seconds: u32,
    /// How many different persons approve a release that waits for review.
    #[serde(default = "one")]
    pub approvals: u32,
    /// Before the size of a log leaves, the log is filled with pads to a multiple of so many blocks of 1,024 records.
    #[serde(default = "one")]
    pub pad_blocks: u32,
    /// Minutes between heartbeats, which pin the journal; 0 for none.
    #[serde(default = "quarter")]
    pub heartbeat_minutes: u32,
    /// This site never connects: all that leaves and comes is carried by file.
    #[serde(default)]
    pub offline: bool,
    /// Where serving systems hand over events; nowhere, if there is no such table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intake: Option<IntakeConfig>,
    /// What releases with noise may cost in all; without it, plans that ask for noise are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PrivacyConfig>,
    /// How long records stay where.
    #[serde(default)]
    pub retention: Retention,
}

/// Most persons that a release can wait for.
const APPROVALS_MAX: u32 = 5;
/// Most blocks that a log is filled to a multiple of: a million records.
const PAD_BLOCKS_MAX: u32 = 1_024;

fn one() -> u32 {
    1
}

fn quarter() -> u32 {
    15
}

impl Default for Config {
    fn default() -> Self {
        Config {
            k_floor: 10,
            never_report: Vec::new(),
            poll_seconds: 10,
            approvals: 1,
            pad_blocks: 1,
            heartbeat_minutes: quarter(),
            offline: false,
            intake: None,
            privacy: None,
            retention: Retention::default(),
        }
    }
}

impl Config {
    fn to_toml(&self) -> String {
        format!(
            "# Least k (smallest count that may be seen, 0 apart) of a plan that this site accepts.\nk_floor = {}\n\n\
             # Attributes that never leave this site, not even as counts. A plan that cuts by one is refused.\n\
             never_report = {:?}\n\n\
             # Seconds between looks at the registry and at windows that are due.\npoll_seconds = {}\n\n\
             # How many different persons approve a release of a plan that was accepted with --review, 1 to {}.\napprovals = {}\n\n\
             # Sizes of the journal's logs leave with every release: they are filled up to multiples of so many blocks of\n\
             # 1,024 records, 1 to {}. More hides better how many events there are, and takes as much more room.\npad_blocks = {}\n\n\
             # Minutes between heartbeats: signed sizes of the journal's logs, at the last multiple of 1,024 records (or as above),\n\
             # that let nobody rewrite what is older. 0: none.\nheartbeat_minutes = {}\n\n\
             # Whether this site never connects: all that leaves and comes is then carried by file.\noffline = {}\n\n{}\n{}\n{}",
            self.k_floor,
            self.never_report,
            self.poll_seconds,
            APPROVALS_MAX,
            self.approvals,
            PAD_BLOCKS_MAX,
            self.pad_blocks,
            self.heartbeat_minutes,
            self.offline,
            intake::config::SAMPLE,
            privacy::SAMPLE,
            self.retention.to_toml()
        )
    }

    /// Whether this site's own policy allows `plan`.
    ///
    /// # Errors
    /// Why not.
    pub fn allows(&self, plan: &PlanText) -> Result<(), String> {
        if plan.disclosure.k < self.k_floor {
            return Err(format!("its k is {}; this site's k_floor is {}", plan.disclosure.k, self.k_floor));
        }
        PrivacyConfig::allows(self.privacy.as_ref(), plan)?;
        let kept = plan.slices.iter().flat_map(|slice| &slice.attributes).find(|name| self.never_report.contains(name));
        match kept {
            Some(name) => Err(format!("it cuts by `{name}`, which this site never reports")),
            None => Ok(()),
        }
    }
}

/// What joining a federation left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The federation.
    pub federation: Name,
    /// This site's name in it.
    pub site: Name,
    /// The aggregator's address, `host:port`.
    pub address: String,
    /// Fingerprint of the aggregator's transport key.
    pub transport: Digest,
    /// Epoch of the journal.
    pub epoch: u32,
}

/// What a site knows of the federation that it asked to join by file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// What it will keep once it has `trust.json`.
    pub enrolment: Enrolment,
    /// Fingerprint that `trust.json` must have.
    pub governance: Digest,
}

/// What a site's keys are for, one each.
pub const KEYS: [KeyUse; 3] = [KeyUse::Attest, KeyUse::Note, KeyUse::Transport];

impl Home {
    /// Makes a new home: configuration, keys, an empty journal. It has its name only when it is whole.
    ///
    /// # Errors
    /// A folder that exists or cannot be written.
    pub fn init(dir: &Path, config: &Config) -> Result<(), Fault> {
        if dir.exists() {
            let what = format!("{} exists", dir.display());
            return Err(Fault::new(Blame::Operator, what, "name a home that does not exist"));
        }
        let mut name = dir.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = dir.with_file_name(name);
        if partial.exists() {
            // What an interrupted init left: it never had the real name.
            std::fs::remove_dir_all(&partial).map_err(|e| io(&partial, &e))?;
        }
        create_dir_private(&partial.join("keys"))?;
        create_new(&partial.join("config.toml"), config.to_toml().as_bytes(), 0o600)?;
        for usage in KEYS {
            create_key(&partial.join("keys").join(format!("{usage}.key")), os_random())?;
        }
        intake::create_token(&partial)?;
        drop(Journal::create(&partial)?);
        crate::outbox::Outbox::create(&partial)?;
        crate::fence::create(&partial)?;
        std::fs::rename(&partial, dir).map_err(|e| io(dir, &e))?;
        sync_dir(dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    }

    /// Opens an existing home.
    ///
    /// # Errors
    /// A folder that is no home, or a configuration with a misspelt key.
    pub fn open(dir: &Path) -> Result<Home, Fault> {
        if dir.join("logs").join("registry").exists() {
            let what = format!("{}: this is an aggregator's home", dir.display());
            let hint = "name the site's home with --home, or run fedaudit-aggregator on this one";
            return Err(Fault::new(Blame::Operator, what, hint));
        }
        let path = dir.join("config.toml");
        let text = std::fs::read_to_string(&path).map_err(|e| {
            let hint = "name a home with --home, or make one: fedaudit-agent init";
            Fault::new(Blame::Operator, format!("{}: {e}", path.display()), hint)
        })?;
        let bad =
            |e: String| Fault::new(Blame::Operator, format!("{}: {e}", path.display()), "mend the key that is named");
        let config: Config = toml::from_str(&text).map_err(|e| bad(e.to_string()))?;
        config.retention.check().map_err(bad)?;
        config.privacy.map_or(Ok(()), |privacy| privacy.check()).map_err(bad)?;
        if !(1..=APPROVALS_MAX).contains(&config.approvals) {
            return Err(bad(format!("`approvals` is {}; 1 to {APPROVALS_MAX}", config.approvals)));
        }
        if !(1..=PAD_BLOCKS_MAX).contains(&config.pad_blocks) {
            return Err(bad(format!("`pad_blocks` is {}; 1 to {PAD_BLOCKS_MAX}", config.pad_blocks)));
        }
        Ok(Home { dir: dir.to_owned(), config })
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

    /// The federation that this site joined.
    ///
    /// # Errors
    /// It joined none.
    pub fn enrolment(&self) -> Result<(Enrolment, Valid<Trust>), Fault> {
        match (self.read("enrolment.json")?, self.read("trust.json")?) {
            (Some(enrolment), Some(trust)) => Ok((enrolment, trust)),
            _ if self.invitation()?.is_some() => {
                let what = format!("{} asked to join by file and has no registry yet", self.dir.display());
                let hint = "take the registry in: fedaudit-agent outbox import FILE; or join over the network";
                Err(Fault::new(Blame::Operator, what, hint))
            }
            _ => {
                let what = format!("{} has not joined a federation", self.dir.display());
                Err(Fault::new(Blame::Operator, what, "ask governance for a token, then: fedaudit-agent join TOKEN"))
            }
        }
    }

    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Fault> {
        let path = self.dir.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => codec::from_json(&bytes).map(Some).map_err(|e| {
                Fault::new(
                    Blame::Operator,
                    format!("{}: {e}", path.display()),
                    "restore it, or join again with a new home",
                )
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io(&path, &e)),
        }
    }

    /// Keeps the epoch that begins.
    ///
    /// # Errors
    /// A disk that fails: the epoch before goes on.
    pub fn keep_epoch(&self, enrolment: &Enrolment) -> Result<(), Fault> {
        let json = codec::to_json(enrolment).map_err(|e| Fault::new(Blame::Operator, e.to_string(), "report this"))?;
        write_atomic(&self.dir.join("enrolment.json"), &json, 0o600)
    }

    /// Keeps what joining gave; `enrolment.json` comes last, and with it the site has joined.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn keep_enrolment(&self, enrolment: &Enrolment, trust: &[u8]) -> Result<(), Fault> {
        write_atomic(&self.dir.join("trust.json"), trust, 0o600)?;
        let json = codec::to_json(enrolment).map_err(|e| Fault::new(Blame::Operator, e.to_string(), "report this"))?;
        write_atomic(&self.dir.join("enrolment.json"), &json, 0o600)?;
        let _ = std::fs::remove_file(self.dir.join("invitation.json"));
        Ok(())
    }

    /// The federation that this site asked to join by file, until it has joined.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn invitation(&self) -> Result<Option<Invitation>, Fault> {
        self.read("invitation.json")
    }

    /// Keeps what a token said of the federation.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn keep_invitation(&self, invitation: &Invitation) -> Result<(), Fault> {
        let json = codec::to_json(invitation).map_err(|e| Fault::new(Blame::Operator, e.to_string(), "report this"))?;
        write_atomic(&self.dir.join("invitation.json"), &json, 0o600)
    }

    /// Lock that one daemon holds.
    pub fn run_lock(&self) -> PathBuf {
        self.dir.join("run.lock")
    }

    /// Lock that is held while key files take the place of others.
    pub fn keys_lock(&self) -> PathBuf {
        self.dir.join("keys.lock")
    }

    /// All key files that may be protected by a passphrase.
    ///
    /// # Errors
    /// A folder or file that cannot be read.
    pub fn key_files(&self) -> Result<Vec<PathBuf>, Fault> {
        let mut files = key_files(&self.dir.join("keys"))?;
        files.extend(key_files(&self.dir)?);
        Ok(files)
    }

    /// Lock that is held while segments are archived, deleted or copied.
    pub fn archive_lock(&self) -> PathBuf {
        self.dir.join("archive.lock")
    }

    /// Lock that an import holds from first to last row: no window is closed in the middle of one.
    pub fn import_lock(&self) -> PathBuf {
        self.dir.join("import.lock")
    }
}

fn io(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Blame::Operator, format!("{}: {error}", path.display()), "check the path, its permissions and the disk")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_configuration_is_read_back() {
        let (archive, never_report) = ("cold \"a\"".to_owned(), vec!["race".to_owned()]);
        let retention = Retention { archive, hot_days: 7, segment_days: 2, encrypt: true, delete_after_days: 9 };
        let config = Config {
            k_floor: 5,
            never_report,
            poll_seconds: 3,
            approvals: 2,
            pad_blocks: 8,
            heartbeat_minutes: 7,
            offline: true,
            intake: None,
            privacy: None,
            retention,
        };
        assert_eq!(toml::from_str::<Config>(&config.to_toml()), Ok(config.clone()));
        assert!(toml::from_str::<Config>(&config.to_toml().replace("k_floor", "k_flor")).is_err());
        assert!(toml::from_str::<Config>(&config.to_toml().replace("hot_days", "hot_day")).is_err());
        let older = "k_floor = 5\nnever_report = []\npoll_seconds = 3\n";
        assert_eq!(toml::from_str::<Config>(older).map(|config| config.retention), Ok(Retention::default()));
    }
}
