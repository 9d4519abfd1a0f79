//! What relying parties believe beforehand, and the next version of it.

use super::say;
use crate::centre::Centre;
use crate::home::{Home, operator, operator_hint};
use clap::Subcommand;
use fedaudit_core::codec::{self, Valid};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_core::roster::{Trust, Witnesses};
use fedaudit_link::home::{Lock, write_atomic};
use fedaudit_link::protocol::governance_fingerprint;
use fedaudit_link::trust;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum TrustCommand {
    /// Print trust.json, and the fingerprints to compare by another way.
    Export {
        /// File to write instead.
        #[arg(long)]
        out: Option<PathBuf>,
        /// After a change of the log key: the same with the present one, to be given to witnesses. For nobody else.
        #[arg(long)]
        for_witness: bool,
    },
    /// Write the next version of trust.json, with other witnesses. It counts where its holder takes it: trust take.
    Draft {
        /// The verifier key of a witness that counts from then on; all of them, so those that stay as well.
        #[arg(long)]
        witness: Vec<String>,
        /// How many of them must have cosigned; all, unless this says fewer.
        #[arg(long)]
        witness_threshold: Option<usize>,
        /// File to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Put the next version of trust.json in its place, here and in the governance folder.
    Take {
        /// The file.
        file: PathBuf,
        /// Its governance fingerprint.
        #[arg(long)]
        fingerprint: Digest,
    },
}

/// Carries a command about trust.json out.
pub fn run(
    command: TrustCommand,
    open: impl FnOnce() -> Result<Centre, Fault>,
    home: &Path,
    governance: &Path,
) -> Result<(), Fault> {
    match command {
        TrustCommand::Export { out, for_witness } => {
            let centre = open()?;
            let trust = if for_witness { centre.trust_of_witnesses()? } else { centre.home.trust };
            write(&trust, out.as_deref())?;
            fingerprints(&trust);
            Ok(())
        }
        TrustCommand::Draft { witness: keys, witness_threshold, out } => {
            let before = Home::open(home)?.trust;
            let threshold = witness_threshold.unwrap_or(keys.len());
            let (version, witnesses) = (before.version.saturating_add(1), Witnesses { threshold, keys });
            let next = Valid::new(Trust { version, witnesses, ..(*before).clone() });
            let next =
                next.map_err(|e| operator_hint(e, "mend --witness and --witness-threshold; nothing was written"))?;
            write(&next, Some(&out))?;
            fingerprints(&next);
            say([trust::describe(&next)])
        }
        TrustCommand::Take { file, fingerprint } => {
            let home = Home::open(home)?;
            let _run = Lock::try_acquire(&home.run_lock()).map_err(|fault| {
                let hint = "stop the aggregator, and start it again afterwards";
                Fault { hint: hint.to_owned(), ..fault }
            })?;
            if governance.join("trust.json").exists() {
                trust::take(&governance.join("trust.json"), &file, &fingerprint, 0o644)?;
            }
            let taken = trust::take(&home.dir.join("trust.json"), &file, &fingerprint, 0o644)?;
            say([trust::describe(&taken)])
        }
    }
}

fn write(trust: &Valid<Trust>, out: Option<&Path>) -> Result<(), Fault> {
    let json = codec::to_json(trust).map_err(|e| operator(e.to_string()))?;
    match out {
        Some(path) => write_atomic(path, &json, 0o644),
        None => say([String::from_utf8_lossy(&json).trim_end().to_owned()]),
    }
}

fn fingerprints(trust: &Trust) {
    eprintln!("federation {}", trust.federation);
    eprintln!("governance fingerprint {}", governance_fingerprint(trust));
    eprintln!("registry log {}", trust.registry);
}
