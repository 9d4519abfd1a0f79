//! Commands for what is carried by file and kept as evidence.

use super::{ByFile, cosigned, keys, say};
use crate::backup::backup;
use crate::centre::Centre;
use crate::governance::{Signers, new_folder};
use crate::{by_file, conflicts, status};
use clap::Subcommand;
use fedaudit_core::fault::Fault;
use fedaudit_link::home::now;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum Carried {
    /// The registry.
    #[command(subcommand)]
    Registry(RegistryCommand),
    /// Documents that several governance keys sign.
    #[command(subcommand)]
    Governance(GovernanceCommand),
    /// Evidence that a site contradicted itself.
    #[command(subcommand)]
    Conflict(ConflictCommand),
    /// Take in what was carried by file: a join, governance documents, a site's releases.
    Import {
        /// The file.
        file: PathBuf,
        /// Where the receipts for a site's releases go; carry them back to the site.
        #[arg(long)]
        receipts: Option<PathBuf>,
    },
    /// Copy this home into a new folder.
    Backup {
        /// The folder; it must not exist.
        dir: PathBuf,
        /// Leave the keys out.
        #[arg(long)]
        without_keys: bool,
    },
    /// Who is enrolled, and how far each plan is.
    Status {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
pub enum RegistryCommand {
    /// Write the registry, with the joins that wait, for sites and governance without a network.
    Export {
        /// The file.
        file: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum GovernanceCommand {
    /// Make a further governance folder, with a key of its own, for a signer on another machine.
    New {
        /// The folder; it must not exist.
        dir: PathBuf,
        /// The federation's trust.json.
        #[arg(long)]
        trust: PathBuf,
    },
    /// Say which keys govern from now on, and how many of them must sign.
    Rotate {
        #[command(flatten)]
        wanted: Signers,
        #[command(flatten)]
        by_file: ByFile,
    },
    /// Show what documents in a file would say, and who signed them.
    Show {
        /// The file.
        file: PathBuf,
    },
    /// Add this governance folder's signature to every document in a file.
    Sign {
        /// The file.
        file: PathBuf,
        /// Where the documents with the further signature go.
        #[arg(long)]
        to: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum ConflictCommand {
    /// List the conflicts kept: when, which site, what.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Write one for others, who check it with `fedaudit-verify conflict`.
    Export {
        /// Its id, or the beginning of it.
        id: String,
        /// The file.
        #[arg(long)]
        out: PathBuf,
    },
}

/// Carries a command out.
pub fn run(command: Carried, open: impl FnOnce() -> Result<Centre, Fault>, governance: &Path) -> Result<(), Fault> {
    match command {
        Carried::Registry(RegistryCommand::Export { file }) => say([by_file::export_registry(&open()?, &file)?]),
        Carried::Governance(GovernanceCommand::New { dir, trust }) => {
            let public = new_folder(&dir, &trust)?;
            say([format!(
                "its public key is {}; governance names it: governance rotate --key FILE...",
                public.display()
            )])
        }
        Carried::Governance(GovernanceCommand::Rotate { wanted, by_file }) => {
            keys::rotate(&wanted, by_file, open, governance)
        }
        Carried::Governance(GovernanceCommand::Show { file }) => say(by_file::show(governance, &file)?),
        Carried::Governance(GovernanceCommand::Sign { file, to }) => say(by_file::cosign(governance, &file, &to)?),
        Carried::Conflict(ConflictCommand::List { json }) => {
            let centre = open()?;
            let kept = centre.conflicts()?;
            if json {
                return say([conflicts::json(&kept).to_string()]);
            }
            say(conflicts::lines(&kept).into_iter().chain(conflicts::not_kept(&centre.conflicts_kept()?)))
        }
        Carried::Conflict(ConflictCommand::Export { id, out }) => {
            open()?.export_conflict(&id, &out)?;
            say([format!("{}; check it with: fedaudit-verify conflict FILE --trust TRUST", out.display())])
        }
        Carried::Import { file, receipts } => {
            let mut centre = open()?;
            let said = by_file::import(&mut centre, &file, receipts.as_deref(), now())?;
            cosigned(&mut centre)?;
            say(said)
        }
        Carried::Backup { dir, without_keys } => {
            let files = backup(&open()?.home, &dir, !without_keys)?;
            say([format!("{}: {files} files; check with: sha256sum --check SHA256SUMS", dir.display())])
        }
        Carried::Status { json } => {
            let status = status::status(&open()?, now())?;
            if json { say([serde_json::json!(status).to_string()]) } else { say(status::lines(&status)) }
        }
    }
}
