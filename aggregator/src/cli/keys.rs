//! Commands about keys: those that end, and the files of those that are here.

use super::{ByFile, cosigned, say};
use crate::basis::Basis;
use crate::by_file;
use crate::centre::Centre;
use crate::governance::{Governance, Rotate, Signed};
use crate::home::{Home, operator_hint};
use clap::{Subcommand, ValueEnum};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_link::home::{Lock, key_files, new_passphrase, now, passphrase, protect_keys, unprotect_keys};
use std::path::Path;

#[derive(Subcommand)]
pub enum KeyCommand {
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

/// Carries a command about key files out.
pub fn run(command: &KeyCommand, home: &Path, governance: &Path) -> Result<(), Fault> {
    let (KeyCommand::Protect { of } | KeyCommand::Unprotect { of }) = command;
    let (files, _lock) = match of {
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
    let Some(first) = files.first() else {
        let what = format!("{} has no key", governance.display());
        return Err(operator_hint(what, "name the governance folder with --governance"));
    };
    let all = files.len();
    say([match command {
        KeyCommand::Protect { .. } => {
            let new = protect_keys(&files, &new_passphrase()?)?;
            format!("{all} key files are protected, {new} of them since now; keep the passphrase elsewhere")
        }
        KeyCommand::Unprotect { .. } => {
            let new = unprotect_keys(&files, &passphrase(first)?)?;
            format!("{all} key files are plain, {new} of them since now")
        }
    }])
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
    wanted: &Rotate,
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
