//! A new epoch of the journal: governance lets a site go on whose journal was lost, or is older than what it signed.
//!
//! Crash order: (1) the ledger names epoch, document, and the sizes that the journal really has, (2) `enrolment.json` has
//! the new epoch, and with it checkpoints carry its name. A crash before (1) leaves nothing; after (1), what is missing is
//! done when the document is next looked at, and the ledger names the epoch once. The fence is of the epoch before, and so
//! counts as absent: nothing is signed until the aggregator has shown what it has of this site.

use crate::abstain::renew;
use crate::fence::{self, standing};
use crate::outbox::{Kind, Outgoing, State};
use crate::site::Site;
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::roster::PublishedEpoch;
use fedaudit_core::time::Time;
use fedaudit_link::home::Lock;

/// Begins the last epoch that this home's copy of the registry holds, if its enrolment does not; whether there was one.
///
/// # Errors
/// A journal that lacks records which the document says are kept: nothing begins. A disk that fails.
pub fn begin(site: &mut Site) -> Result<bool, Fault> {
    if site.mirror.registry().epoch(&site.enrolment.site) <= site.enrolment.epoch {
        return Ok(false);
    }
    let _import = Lock::acquire(&site.home.import_lock())?;
    // Another process of this home may have begun it.
    site.enrolment = site.home.enrolment()?.0;
    // One that never began, for it kept more than there is, is overtaken by the next.
    let last: Option<PublishedEpoch> = site.mirror.registry().epochs_of(&site.enrolment.site).last().cloned();
    if let Some(published) = last.filter(|of| of.epoch.epoch > site.enrolment.epoch) {
        begin_one(site, &published)?;
    }
    site.standing = standing(&site.home, site.enrolment.epoch, &mut site.journal, &site.outbox)?;
    Ok(true)
}

/// Refuses to sign in an epoch that is over: another process of this home read of the next one meanwhile.
///
/// # Errors
/// There is a next one.
pub(crate) fn check(site: &Site) -> Result<(), Fault> {
    let (read, here) = (site.mirror.registry().epoch(&site.enrolment.site), site.enrolment.epoch);
    if read == here {
        return Ok(());
    }
    let what =
        format!("epoch {read} of this site's journal began, and this command is in epoch {here}: nothing was signed");
    let hint = "run it again; if it says the same, fedaudit-agent run --once says why the epoch cannot begin here";
    Err(Fault::new(Blame::Operator, what, hint))
}

/// Gives up a document that was never received and never will be, for its epoch is over or its key has ended, and what was
/// numbered after it. Windows that were released are answered anew, abstentions signed anew, and reports compared anew; amendments
/// are for people to make again. The aggregator said that it takes it no more; nobody signs that, so it counts only for what the
/// registry bears out.
///
/// Crash order: (1) the fence goes back, (2) the ledger says so, (3) the outbox forgets, (4) abstentions are signed. Until (3) it is
/// sent, and refused, again. After a crash before (4) the windows stay here until the steward abstains again, or withdraws.
///
/// # Errors
/// A home that cannot be written.
pub fn give_up(site: &mut Site, first: &Outgoing, now: Time) -> Result<(), Fault> {
    let _import = Lock::acquire(&site.home.import_lock())?;
    // Another process of this home may have given it up, and signed its number anew.
    if site.outbox.of(&Digest::of(&first.envelope))?.is_none_or(|of| of.state == State::Received) {
        return Ok(());
    }
    let mut lost: Vec<Outgoing> = site.outbox.releases()?.into_iter().filter(|of| of.plan == first.plan).collect();
    let last = lost.iter().rfind(|of| of.sequence < first.sequence).map(|of| (of.sequence, Digest::of(&of.envelope)));
    lost.retain(|of| of.sequence >= first.sequence);
    for of in &lost {
        let anew = match (of.kind, of.amends) {
            (Kind::Release, Some(_)) => "amend the window again: release amend",
            (Kind::Release, None) => "the window is answered anew",
            (Kind::Abstention, _) => "it is signed anew if it still holds",
            (Kind::Dispute, _) => "its report is compared anew",
        };
        tracing::warn!(window = %of.window, "a {} in an ended epoch, or by an ended key, never arrived: {anew}", of.kind.word());
    }
    fence::go_back(site, first.plan, last)?;
    let entries: Vec<_> = lost.iter().map(|of| LedgerEntry::Lost { envelope: Digest::of(&of.envelope) }).collect();
    site.journal.append(&entries, &mut site.rng)?;
    let disputed = lost.iter().any(|of| of.kind == Kind::Dispute);
    site.outbox.forget(&first.plan, first.sequence, disputed)?;
    renew(site, &lost, now)
}

fn begin_one(site: &mut Site, published: &PublishedEpoch) -> Result<(), Fault> {
    let number = published.epoch.epoch;
    for kept in &published.epoch.kept {
        let size = site.journal.size(&kept.log)?;
        if size < kept.size {
            let what =
                format!("epoch {number} says that {} keeps {} records; this journal has {size}", kept.log, kept.size);
            let hint = "restore a newer copy of this home, or let governance sign an epoch that keeps less: \
                        fedaudit-aggregator site epoch SITE --kept LOG=SIZE --reason TEXT";
            return Err(Fault::new(Blame::Site, what, hint));
        }
    }
    let mut said = false;
    site.journal.ledger(|_, entry| {
        said |= matches!(entry, LedgerEntry::Epoch { epoch, .. } if epoch == number);
        Ok(())
    })?;
    if !said {
        let mut sizes = Vec::new();
        for log in site.journal.logs()? {
            let size = site.journal.size(&log)?;
            sizes.push((log, size));
        }
        let entry = LedgerEntry::Epoch { epoch: number, document: published.artifact, sizes };
        site.journal.append(&[entry], &mut site.rng)?;
    }
    let mut enrolment = site.enrolment.clone();
    enrolment.epoch = number;
    site.home.keep_epoch(&enrolment)?;
    site.enrolment = enrolment;
    Ok(())
}
