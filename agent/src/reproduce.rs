//! A release computed again: the raw aggregate from the journal, held against the digest that was signed, and what
//! disclosure control lets out of it, held against what left.

use crate::archive::Thaw;
use crate::beside;
use crate::close::Question;
use crate::home::Enrolment;
use crate::journal::aggregate;
use crate::outbox::{Kind, Outgoing};
use crate::privacy;
use crate::site::{Site, refused};
use fedaudit_core::contract::Contract;
use fedaudit_core::disclosure::disclose;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::note::Checkpoint;
use fedaudit_core::plan::Plan;
use fedaudit_core::roster::{PublishedEpoch, journal_origin};
use fedaudit_core::verify::{self, VerifiedRelease};
use std::path::Path;

/// What was compared, and is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reproduced {
    /// Sizes of the predictions and the outcomes log that the release was computed from.
    pub sizes: [u64; 2],
    /// The salted digest of the raw aggregate.
    pub raw: Digest,
    /// Digest of the artifact that left.
    pub artifact: Digest,
    /// Which noise was taken off, where there was any.
    pub noise: Option<&'static str>,
}

/// Computes releases again, from the sizes that each names, and hands them to `done`. Records that have left the journal
/// are read from the archive: in `archive`, or where the configuration says.
///
/// # Errors
/// The journal or the rule gives something else now: what, and for which window; or records are in no archive.
pub fn reproduce(
    site: &mut Site,
    releases: &[&Outgoing],
    archive: Option<&Path>,
    mut done: impl FnMut(&Outgoing, Reproduced),
) -> Result<(), Fault> {
    let mut thaw = Thaw::new(archive);
    let reproduced = releases.iter().try_for_each(|release| {
        let reproduced = one(site, release, &mut thaw)?;
        done(release, reproduced);
        Ok(())
    });
    // The first error is the one to tell.
    let closed = thaw.close(site);
    reproduced.and(closed)
}

fn one(site: &mut Site, release: &Outgoing, thaw: &mut Thaw) -> Result<Reproduced, Fault> {
    if release.kind != Kind::Release {
        let what = format!("{} is an abstention: there is nothing to compute", Digest::of(&release.envelope));
        return Err(Fault::new(Blame::Operator, what, "`release list` shows the releases"));
    }
    let registry = site.mirror.registry();
    let verified = verify::release(&release.envelope, &release.artifact, registry).map_err(refused)?;
    let plan = registry.plan(&release.plan).map_err(refused)?.plan.clone();
    let contract = registry.contract_of(&plan).map_err(refused)?.clone();
    thaw.need(site, &contract, release.window)?;
    let (aggregate, sizes) = raw(site, &plan, &contract, release, &verified)?;
    if privacy::is_private(&plan) {
        let question = Question { plan, contract, digest: release.plan, window: release.window };
        let key = privacy::reproduce(site, &question, &aggregate, verified.text())?;
        let noise =
            Some(if key { "fresh from the key, as in the ledger" } else { "as in the ledger; the key is not here" });
        return Ok(Reproduced { sizes, raw: verified.claim().raw, artifact: Digest::of(&release.artifact), noise });
    }
    let name = &site.enrolment.site;
    let mut now = disclose(&aggregate, &plan, &contract, release.plan, name, release.window).map_err(damaged)?.release;
    let earlier = site.outbox.releases()?.into_iter().filter(|old| {
        old.kind == Kind::Release
            && old.plan == release.plan
            && old.window == release.window
            && old.sequence < release.sequence
    });
    for old in earlier {
        now.hide_differences(&crate::amend::text(&old)?);
    }
    let envelope = Digest::of(&release.envelope);
    let others = beside::others(site, (&release.plan, &plan), release.window, Some(envelope))?;
    beside::withhold(site, &plan, &others, &mut now)?;
    if *now != *verified.text() {
        let what = format!("disclosure control gives another release {} of {} now", release.sequence, release.window);
        return Err(damaged(what));
    }
    Ok(Reproduced { sizes, raw: verified.claim().raw, artifact: Digest::of(&release.artifact), noise: None })
}

/// The raw aggregate of a release, computed again and held against the digest that was signed, and the sizes of the logs
/// that it was computed from. What it needs must be in the journal ([`Thaw`]).
///
/// # Errors
/// The journal gives something else now; the release was taken back from the log, without its salt.
pub(crate) fn raw(
    site: &mut Site,
    plan: &Plan,
    contract: &Contract,
    release: &Outgoing,
    verified: &VerifiedRelease,
) -> Result<(fedaudit_core::aggregate::Aggregate, [u64; 2]), Fault> {
    if release.is_unsalted() {
        let what =
            format!("release {} of {} was taken back from the log: its salt is lost", release.sequence, release.window);
        let hint = "what it was computed from cannot be shown again, so it cannot be amended either; its numbers stand";
        return Err(Fault::new(Blame::Operator, what, hint));
    }
    let mut sizes = [0; 2];
    for (size, checkpoint) in sizes.iter_mut().zip(verified.journal()) {
        *size = checkpoint.size;
    }
    let aggregate = aggregate(&mut site.journal, plan, contract, release.window, sizes[0], sizes[1])?;
    if aggregate.salted_digest(&release.salt).ok() != Some(verified.claim().raw) {
        let (number, window) = (release.sequence, release.window);
        return Err(damaged(format!("the journal does not give release {number} of {window} any more")));
    }
    Ok((aggregate, sizes))
}

/// Compares the journal with every checkpoint of it that ever left; how many. What a later epoch did not keep is no longer
/// asked for: governance signed that it is lost.
///
/// # Errors
/// The first that it does not continue.
pub fn check_left(site: &mut Site) -> Result<usize, Fault> {
    let mut count = 0;
    for release in site.outbox.releases()? {
        for checkpoint in crate::drive::named_checkpoints(site, &release)? {
            let Some(log) = kept_log(site, &checkpoint) else { continue };
            let own = if site.journal.size(&log)? < checkpoint.size {
                None
            } else {
                Some(site.journal.checkpoint(&log, checkpoint.size, &checkpoint.origin)?.root)
            };
            if own != Some(checkpoint.root) {
                let what = format!(
                    "{log} does not continue the checkpoint of {} records that left with release {} of {}",
                    checkpoint.size, release.sequence, release.window
                );
                return Err(damaged(what));
            }
            count += 1;
        }
    }
    Ok(count)
}

/// The log that a checkpoint is of, if every epoch since kept all its records.
fn kept_log(site: &Site, checkpoint: &Checkpoint) -> Option<String> {
    let Enrolment { federation, site: name, .. } = &site.enrolment;
    let base = journal_origin(federation, name, 0, "");
    // `<federation>/<site>/<epoch>/<log>`, and the log's own name may have slashes.
    let (epoch, log) = checkpoint.origin.strip_prefix(base.strip_suffix("0/")?)?.split_once('/')?;
    let epoch: u32 = epoch.parse().ok()?;
    let mut since = site.mirror.registry().epochs_of(name).filter(|of| of.epoch.epoch > epoch);
    let keeps = |of: &PublishedEpoch| of.epoch.kept.iter().any(|kept| kept.log == log && kept.size >= checkpoint.size);
    since.all(keeps).then(|| log.to_owned())
}

fn damaged(what: impl Into<String>) -> Fault {
    let hint = "run `fedaudit-agent journal verify`: it names what is damaged; nothing was signed";
    Fault::new(Blame::Site, what.into(), hint)
}
