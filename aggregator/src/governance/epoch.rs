//! Epochs: governance lets a site go on whose journal was lost, or is older than what it signed.

use super::Governance;
use crate::basis::Basis;
use crate::centre::Centre;
use crate::home::{operator_hint, refused};
use clap::Args;
use fedaudit_core::continuity::{Epoch, EpochText, FORMAT, KeptLog, attest_epoch};
use fedaudit_core::envelope::Attestation;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_core::roster::{Party, journal_origin};
use fedaudit_core::time::Time;

/// `site epoch SITE --reason TEXT [--kept LOG=SIZE]...`
#[derive(Args)]
pub struct Begin {
    /// The site.
    pub site: Name,
    /// What happened; everybody reads it.
    #[arg(long)]
    reason: String,
    /// A log of its journal and how many records it still has, as LOG=SIZE; may be given several times. What is not named
    /// is lost.
    #[arg(long, value_parser = kept)]
    kept: Vec<KeptLog>,
}

fn kept(text: &str) -> Result<KeptLog, String> {
    let (log, size) = text.rsplit_once('=').ok_or("write it as LOG=SIZE, such as ledger=1024")?;
    let size = size.parse().map_err(|_| format!("`{size}` is no number of records"))?;
    Ok(KeptLog { log: log.to_owned(), size })
}

impl Governance {
    /// Signs the next epoch of a site.
    ///
    /// # Errors
    /// A site that is not enrolled, a reason that is none.
    pub fn sign_epoch(&self, basis: &Basis, wanted: &Begin, now: Time) -> Result<Attestation, Fault> {
        let site = wanted.site.clone();
        basis.registry.party(&Party::Site(site.clone())).map_err(|refusal| {
            operator_hint(
                refusal.to_string(),
                "fedaudit-aggregator site list shows who is enrolled; nothing was signed",
            )
        })?;
        let mut kept = wanted.kept.clone();
        kept.sort_by(|a, b| a.log.cmp(&b.log));
        let epoch = basis.registry.epoch(&site) + 1;
        let epoch = Epoch::new(EpochText { format: FORMAT, site, epoch, kept, reason: wanted.reason.clone() });
        let epoch = epoch.map_err(|e| operator_hint(e, "name each log once, and say in a line what happened"))?;
        attest_epoch(&epoch, self.head(basis, now, None), &[&self.key]).map_err(refused)
    }

    /// Publishes the next epoch of a site; its number.
    ///
    /// # Errors
    /// As [`Governance::sign_epoch`]; more records kept than were ever seen; a disk that fails.
    pub fn begin_epoch(&self, centre: &mut Centre, wanted: &Begin, now: Time) -> Result<u32, Fault> {
        let lock = centre.lock()?;
        let (site, epoch) = (&wanted.site, centre.registry().epoch(&wanted.site));
        for KeptLog { log, size } in &wanted.kept {
            let origin = journal_origin(&centre.home.trust.federation, site, epoch, log);
            let seen = centre.journal(site, &origin).map_or(0, |seen| seen.checkpoint.size);
            if *size > seen {
                let known: Vec<_> = centre.journals_of(site).map(|seen| &seen.checkpoint).collect();
                let known: Vec<_> = known.iter().map(|of| format!("{} of {}", of.size, of.origin)).collect();
                let what =
                    format!("--kept {log}={size}: of {origin} {seen} records were seen; in all {}", known.join(", "));
                return Err(operator_hint(
                    what,
                    "keep at most what was seen: the rest cannot be told; nothing was signed",
                ));
            }
        }
        let attestation = self.sign_epoch(&Basis::of(centre)?, wanted, now)?;
        centre.publish(&attestation, &lock)?;
        Ok(centre.registry().epoch(site))
    }
}
