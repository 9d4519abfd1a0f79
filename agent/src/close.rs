//! Closing a window: journal -> aggregate -> release -> attestation -> outbox.
//!
//! Crash order: (1) pads fill the journal's blocks, (2) the signed bytes are durable in the outbox as `prepared`, (3) the
//! ledger names them, (4) they are `ready` to be sent. A crash before (2) leaves nothing but pads, and the window is closed
//! anew; after (2) the same bytes go on, by [`recover`], which every run begins with. Nothing is ever signed twice.

use crate::home::{Enrolment, SOFTWARE};
use crate::journal::aggregate;
use crate::outbox::{Outgoing, State};
use crate::site::{Decision, Site, refused};
use fedaudit_core::contract::Contract;
use fedaudit_core::disclosure::disclose;
use fedaudit_core::envelope::{Head, ReleaseClaim, attest_release};
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::KeyUse;
use fedaudit_core::plan::Plan;
use fedaudit_core::roster::journal_origin;
use fedaudit_core::time::{Time, Window};
use fedaudit_link::home::Lock;
use rand::Rng as _;
use std::collections::BTreeSet;

/// Closes every window that is due of every accepted plan; how many.
///
/// A plan over a contract under which nothing was ever journaled waits: silence is not yet zero events. While an import
/// is at work nothing is closed.
///
/// # Errors
/// A journal or outbox that fails; an outbox that lacks a release which the ledger names. What was closed before stays
/// closed.
pub fn close_due(site: &mut Site, now: Time) -> Result<usize, Fault> {
    recover(site)?;
    let Ok(_import) = Lock::try_acquire(&site.home.import_lock()) else { return Ok(0) };
    let accepted = site.decisions()?.into_iter().filter(|(_, decision)| *decision == Decision::Accepted);
    let released = site.outbox.list()?;
    let mut closed = 0;
    for (digest, _) in accepted {
        let Ok(published) = site.mirror.registry().plan(&digest) else { continue };
        let plan = published.plan.clone();
        let contract = site.mirror.registry().contract_of(&plan).map_err(refused)?.clone();
        let [predictions, _] = contract.journal_logs();
        if site.journal.size(&predictions)? == 0 {
            continue;
        }
        let done: BTreeSet<_> = released.iter().filter(|r| r.plan == digest).map(|release| release.window).collect();
        for window in plan.windows_before(now) {
            if plan.release_time(&window) <= now && !done.contains(&window) {
                if closed == 0 {
                    check_outbox(site)?;
                }
                close(site, &plan, &contract, digest, window, now)?;
                closed += 1;
            }
        }
    }
    recover(site)?;
    Ok(closed)
}

/// Carries `prepared` releases to the ledger and to `ready`: the last step of closing, and of every recovery.
///
/// # Errors
/// A journal or outbox that fails.
pub fn recover(site: &mut Site) -> Result<(), Fault> {
    let prepared = site.outbox.prepared()?;
    if prepared.is_empty() {
        return Ok(());
    }
    let mut named = BTreeSet::new();
    site.journal.ledger(|_, entry| {
        if let LedgerEntry::Released { envelope, .. } = entry {
            named.insert(envelope);
        }
        Ok(())
    })?;
    let entries: Vec<_> = prepared
        .iter()
        .map(|release| LedgerEntry::Released {
            plan: release.plan,
            window: release.window,
            sequence: release.sequence,
            envelope: Digest::of(&release.envelope),
            salt: release.salt,
        })
        .filter(|entry| !matches!(entry, LedgerEntry::Released { envelope, .. } if named.contains(envelope)))
        .collect();
    if !entries.is_empty() {
        site.journal.append(&entries, &mut site.rng)?;
    }
    prepared.iter().try_for_each(|release| site.outbox.mark_ready(&Digest::of(&release.envelope)))
}

/// An outbox older than the ledger would have a window signed a second time: the ledger is asked first.
fn check_outbox(site: &mut Site) -> Result<(), Fault> {
    let kept: BTreeSet<_> = site.outbox.list()?.into_iter().map(|release| release.envelope).collect();
    let mut lost = None;
    site.journal.ledger(|_, entry| {
        if let LedgerEntry::Released { window, envelope, .. } = entry
            && !kept.contains(&envelope)
        {
            lost.get_or_insert(window);
        }
        Ok(())
    })?;
    match lost {
        None => Ok(()),
        Some(window) => {
            let what = format!(
                "outbox.sqlite lacks the release of {window} that the ledger names: it is older than the journal"
            );
            Err(Fault::new(Blame::Site, what, "restore the newest outbox.sqlite; nothing is signed until then"))
        }
    }
}

/// Computes and signs the release of one window, and keeps its bytes.
fn close(
    site: &mut Site,
    plan: &Plan,
    contract: &Contract,
    digest: Digest,
    window: Window,
    now: Time,
) -> Result<(), Fault> {
    let logs = contract.journal_logs();
    let mut sizes = [0; 2];
    let mut journal = Vec::new();
    for (log, size) in logs.iter().zip(&mut sizes) {
        *size = site.journal.pad(log, &mut site.rng)?;
        let Enrolment { federation, site: name, epoch, .. } = &site.enrolment;
        let origin = journal_origin(federation, name, *epoch, log);
        let checkpoint = site.journal.checkpoint(log, *size, &origin)?;
        let note = checkpoint.sign(&site.home.key(KeyUse::Note)?);
        journal.push(note.map_err(|e| Fault::new(Blame::Site, format!("checkpoint of {origin}: {e}"), "report this"))?);
    }
    let aggregate = aggregate(&mut site.journal, plan, contract, window, sizes[0], sizes[1])?;
    let misfit = |e: String| Fault::new(Blame::Site, e, "run `fedaudit-agent journal verify`");
    let name = &site.enrolment.site;
    let release = disclose(&aggregate, plan, contract, digest, name, window).map_err(misfit)?;
    let mut salt = [0; 16];
    site.rng.fill_bytes(&mut salt);
    let last = site.outbox.last_of(&digest)?;
    let claim = ReleaseClaim {
        site: name.clone(),
        plan: digest,
        contract: plan.contract_digest,
        window,
        epoch: site.enrolment.epoch,
        sequence: last.as_ref().map_or(0, |last| last.sequence + 1),
        previous: last.map(|last| Digest::of(&last.envelope)),
        amends: None,
        journal,
        raw: aggregate.salted_digest(&salt).map_err(|e| misfit(e.to_string()))?,
        software: SOFTWARE.to_owned(),
    };
    let head = Head {
        federation: site.enrolment.federation.clone(),
        issued_at: now,
        seen: site.mirror.seen(),
        replaces: None,
    };
    let sequence = claim.sequence;
    let mut attestation = attest_release(&release, head, claim, &site.home.key(KeyUse::Attest)?).map_err(refused)?;
    let artifact = attestation.artifacts.pop().unwrap_or_default();
    site.outbox.prepare(&Outgoing {
        plan: digest,
        window,
        sequence,
        envelope: attestation.envelope,
        artifact,
        salt,
        state: State::Prepared,
        answer: None,
    })
}
