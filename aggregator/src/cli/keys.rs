//! Commands about keys: those that end, and the files of those that are here.

use super::{ByFile, cosigned, say};
use crate::basis::Basis;
use crate::by_file;
use crate::centre::Centre;
use crate::governance::{Governance, Signed, Signers};
use crate::home::{Home, operator_hint};
use crate::keys::Rotated;
use clap::{Subcommand, ValueEnum};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_core::roster::Party;
use fedaudit_link::home::{Lock, key_files, new_passphrase, now, passphrase, protect_keys, unprotect_keys};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum KeyCommand {
    /// Make new keys of the aggregator and ask governance for them: site rotate aggregator.
    Rotate {
        /// Which ones.
        #[arg(value_enum, value_name = "USE", required_unless_present = "cancel")]
        uses: Vec<Rotated>,
        /// The present keys of these uses are lost: the request goes without a signature, and governance has to know.
        #[arg(long)]
        lost: bool,
        /// Take the request back, and remove the new keys.
        #[arg(long, conflicts_with_all = ["uses", "lost"])]
        cancel: bool,
    },
    /// Put key files under a passphrase: from the file that FEDAUDIT_PASSPHRASE_FILE names, from FEDAUDIT_PASSPHRASE, or typed
    /// at the terminal. Whoever uses the keys gives it the same way from then on.
    Protect {
        /// Whose.
        #[arg(long, value_enum, default_value_t = Whose::Home)]
        of: Whose,
    },
    /// Take the passphrase off key files.
    Unprotect {
        /// Whose.
        #[arg(long, value_enum, default_value_t = Whose::Home)]
        of: Whose,
    },
}

/// Whose keys.
#[derive(Clone, Copy, ValueEnum)]
pub enum Whose {
    /// The aggregator's.
    Home,
    /// That of the governance folder.
    Governance,
}

/// Carries a command about the aggregator's keys, or about key files, out.
pub fn run(
    command: KeyCommand,
    open: impl FnOnce() -> Result<Centre, Fault>,
    home: &Path,
    governance: &Path,
) -> Result<(), Fault> {
    match command {
        KeyCommand::Rotate { cancel: true, .. } => {
            open()?.cancel_keys()?;
            say(["the present keys go on".to_owned()])
        }
        KeyCommand::Rotate { uses, lost, .. } => {
            let new = open()?.ask_for_keys(&uses, lost)?;
            let flag = if lost { " --lost" } else { "" };
            say([format!("asked for: {new}"), format!("next: fedaudit-aggregator site rotate aggregator{flag}")])
        }
        KeyCommand::Protect { of } => {
            let (files, _lock) = files(of, home, governance)?;
            let new = protect_keys(&files, &new_passphrase()?)?;
            let all = files.len();
            say([format!("{all} key files are protected, {new} of them since now; keep the passphrase elsewhere")])
        }
        KeyCommand::Unprotect { of } => {
            let (files, _lock) = files(of, home, governance)?;
            let new = unprotect_keys(&files, &passphrase(&files[0])?)?;
            say([format!("{} key files are plain, {new} of them since now", files.len())])
        }
    }
}

/// The key files, at least one; no daemon reads them meanwhile.
fn files(of: Whose, home: &Path, governance: &Path) -> Result<(Vec<PathBuf>, Option<Lock>), Fault> {
    let (files, lock) = match of {
        Whose::Home => {
            let home = Home::open(home)?;
            let lock = Lock::try_acquire(&home.run_lock()).map_err(|fault| {
                let hint = "stop the aggregator, and start it again in the environment that gives the passphrase";
                Fault { hint: hint.to_owned(), ..fault }
            })?;
            (key_files(&home.dir.join("keys"))?, Some(lock))
        }
        Whose::Governance => (key_files(governance)?, None),
    };
    if files.is_empty() {
        let what = format!("{} has no key", governance.display());
        return Err(operator_hint(what, "name the governance folder with --governance"));
    }
    Ok((files, lock))
}

/// Ends all keys of a site; with `--from` and `--to`, signs that to be published elsewhere.
pub fn revoke(
    site: &Name,
    reason: Option<&str>,
    by_file: ByFile,
    open: impl FnOnce() -> Result<Centre, Fault>,
    governance: &Path,
) -> Result<(), Fault> {
    if let Some(to) = by_file.to {
        let make = |governance: &Governance, basis: &Basis| {
            let signed = governance.sign_revocation(basis, site, reason, now())?;
            let already = || operator_hint(format!("site {site} was revoked before"), "nothing has to be signed");
            signed.map(Signed::New).ok_or_else(already)
        };
        return say([by_file::sign(governance, &by_file.from, &to, make)?]);
    }
    let mut centre = open()?;
    let new = Governance::open(governance, &centre)?.revoke(&mut centre, site, reason, now())?;
    cosigned(&mut centre)?;
    say([format!("site {site} {}", if new { "is revoked" } else { "was revoked before" })])
}

/// Publishes who governs from now on; with `--from` and `--to`, signs it for the next signer, or to be published elsewhere.
pub fn rotate(
    wanted: &Signers,
    by_file: ByFile,
    open: impl FnOnce() -> Result<Centre, Fault>,
    governance: &Path,
) -> Result<(), Fault> {
    if let Some(to) = by_file.to {
        let make =
            |governance: &Governance, basis: &Basis| governance.sign_rotation(basis, wanted, now()).map(Signed::New);
        return say([by_file::sign(governance, &by_file.from, &to, make)?]);
    }
    let mut centre = open()?;
    Governance::open(governance, &centre)?.rotate(&mut centre, wanted, now())?;
    cosigned(&mut centre)?;
    let now = centre.registry().governance();
    say([format!("{} of {} governance keys must sign from now on", now.threshold, now.keys.len())])
}

/// Gives a party the keys that it asked for; with `--from` and `--to`, signs that to be published elsewhere.
pub fn grant(
    name: &Name,
    lost: bool,
    by_file: ByFile,
    open: impl FnOnce() -> Result<Centre, Fault>,
    governance: &Path,
) -> Result<(), Fault> {
    let party = if name.as_str() == "aggregator" { Party::Aggregator } else { Party::Site(name.clone()) };
    if let Some(to) = by_file.to {
        let make = |governance: &Governance, basis: &Basis| {
            let (attestation, new) = governance.sign_asked(basis, party, lost, now())?;
            say([format!("{name} is to have: {new}")])?;
            Ok(Signed::New(attestation))
        };
        return say([by_file::sign(governance, &by_file.from, &to, make)?]);
    }
    let mut centre = open()?;
    let new = Governance::open(governance, &centre)?.grant(&mut centre, party, lost, now())?;
    cosigned(&mut centre)?;
    say([format!("{name} has from now on: {new}")])
}
