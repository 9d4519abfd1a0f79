//! What this site signed, the aggregator logged and this home lost: taken back, so that the next number follows.
//!
//! The aggregator is not believed: each document carries this site's own signature and the proof of the log, and names the
//! one before it that is here.
//!
//! Crash order: (1) the ledger names it, and what it cost, for the ledger decides what may leave, (2) the outbox has it with its
//! receipt, (3) the fence names it. After a crash before (2) it is shown again, and named once; after (2) the fence is behind, which
//! the next document makes good.

use crate::close::ledger_entry;
use crate::compare::about;
use crate::drive::{Ask, plan_seen};
use crate::fence;
use crate::outbox::{Beat, Kind, Outgoing, State};
use crate::privacy;
use crate::ship::{Shipper, proven};
use crate::site::Site;
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::ids::Digest;
use fedaudit_core::note::Checkpoint;
use fedaudit_core::roster::{heartbeats_origin, plan_origin};
use fedaudit_core::verify::{self, Numbered};
use fedaudit_link::home::Lock;
use fedaudit_link::protocol::{Have, HaveOf, Logged};

/// What this home has, and the checkpoints that this names as seen.
///
/// # Errors
/// An outbox that cannot be read.
pub fn have(site: &Site) -> Result<(Have, Vec<Checkpoint>), Fault> {
    let (mut plans, mut all) = (Vec::new(), Vec::new());
    let mut of = |last: Option<u64>, seen: Option<Checkpoint>| {
        let size = seen.as_ref().map_or(0, |seen| seen.size);
        all.extend(seen);
        HaveOf { next: last.map_or(0, |last| last + 1), seen: size }
    };
    for (plan, _) in site.mirror.registry().plans() {
        let last = site.outbox.last_of(plan)?.map(|last| last.sequence);
        plans.push((*plan, of(last, plan_seen(site, plan)?)));
    }
    let heartbeats = of(site.outbox.last_beat()?.map(|last| last.sequence), beats_seen(site)?);
    Ok((Have { plans, heartbeats }, all))
}

/// The last checkpoint of the log of heartbeats that was verified.
///
/// # Errors
/// An outbox that is damaged.
pub fn beats_seen(site: &Site) -> Result<Option<Checkpoint>, Fault> {
    crate::drive::seen_of(site, &heartbeats_origin(&site.enrolment.federation))
}

/// Takes back a document, unless another process of this home did meanwhile.
///
/// # Errors
/// One that does not pass, or that contradicts what is here: another copy of this home signs too, and the link halts.
pub fn take(site: &mut Site, shipper: &mut Shipper, ask: &Ask, logged: &Logged) -> Result<(), Fault> {
    let _import = Lock::acquire(&site.home.import_lock())?;
    match &logged.plan {
        Some(plan) => take_document(site, shipper, (plan, ask), logged),
        None => take_beat(site, shipper, ask, logged),
    }
}

fn take_document(
    site: &mut Site,
    shipper: &mut Shipper,
    (plan, ask): (&Digest, &Ask),
    logged: &Logged,
) -> Result<(), Fault> {
    if site.outbox.of(&Digest::of(&logged.envelope))?.is_some_and(|of| of.state == State::Received) {
        return Ok(());
    }
    let found = verify::numbered(&logged.envelope, &logged.artifact, site.mirror.registry()).map_err(untrue)?;
    let last = site.outbox.last_of(plan)?;
    let next = last.as_ref().map_or(0, |last| last.sequence + 1);
    same("signer", &site.enrolment.site, found.site()).map_err(untrue)?;
    same("plan", &plan.to_string(), &found.plan().to_string()).map_err(untrue)?;
    same("sequence", &next, &found.sequence()).map_err(untrue)?;
    let origin = plan_origin(&site.enrolment.federation, plan);
    let note = proven(&logged.receipt, &logged.envelope, &origin, ask.seen_of(&origin), &site.mirror)?;
    if found.previous() != last.map(|last| Digest::of(&last.envelope)) {
        return Err(shipper.halt(twice(&format!("{} {next} of plan {}", found.word(), plan.short()))));
    }
    let mut document = outgoing(&found, logged);
    name_in_ledger(site, &mut document)?;
    site.outbox.adopt(&document, &logged.receipt.proof, &origin, &note)?;
    fence::record(site, &[document])
}

fn take_beat(site: &mut Site, shipper: &mut Shipper, ask: &Ask, logged: &Logged) -> Result<(), Fault> {
    let last = site.outbox.last_beat()?;
    if last.as_ref().is_some_and(|last| last.envelope == logged.envelope && last.receipt.is_some()) {
        return Ok(());
    }
    let beat = verify::heartbeat(&logged.envelope, &logged.artifact, site.mirror.registry()).map_err(untrue)?;
    same("signer", &site.enrolment.site, &beat.claim.site).map_err(untrue)?;
    let next = last.map_or(0, |last| last.sequence + 1);
    if beat.claim.sequence < next {
        return Err(untrue(Refusal::new("sequence", format!("{next} or above"), beat.claim.sequence)));
    }
    let origin = heartbeats_origin(&site.enrolment.federation);
    let note = proven(&logged.receipt, &logged.envelope, &origin, ask.seen_of(&origin), &site.mirror)?;
    if site.outbox.pending_beat()?.is_some() {
        return Err(shipper.halt(twice(&format!("heartbeat {}", beat.claim.sequence))));
    }
    let kept = Beat {
        sequence: beat.claim.sequence,
        at: beat.issued_at,
        envelope: logged.envelope.clone(),
        artifact: logged.artifact.clone(),
        receipt: Some(logged.receipt.proof.clone()),
    };
    site.outbox.adopt_beat(&kept, &origin, &note)?;
    fence::record_beat(site, kept.sequence, &[])
}

/// Its salt is lost, unless the ledger is here that names it, and with it the proof of what it was computed from; the numbers
/// stand.
fn outgoing(found: &Numbered, logged: &Logged) -> Outgoing {
    let (kind, amends) = match found {
        Numbered::Release(release) => (Kind::Release, release.claim().amends.as_ref().map(|amends| amends.envelope)),
        Numbered::Abstention(_) => (Kind::Abstention, None),
        Numbered::Dispute(it) => (Kind::Dispute, Some(about(&it.text().report, &it.text().release))),
    };
    Outgoing {
        kind,
        plan: found.plan(),
        window: found.window(),
        sequence: found.sequence(),
        envelope: logged.envelope.clone(),
        artifact: logged.artifact.clone(),
        amends,
        salt: [0; 16],
        state: State::Prepared,
        answer: None,
    }
}

/// Has the ledger name what is taken back, and what it cost; what it names already is not named again.
fn name_in_ledger(site: &mut Site, document: &mut Outgoing) -> Result<(), Fault> {
    let (digest, mut named) = (Digest::of(&document.envelope), None);
    site.journal.ledger(|_, entry| {
        match entry {
            LedgerEntry::Released { envelope, salt, .. } if envelope == digest => named = Some(salt),
            LedgerEntry::Abstained { envelope, .. } | LedgerEntry::Disputed { envelope, .. } if envelope == digest => {
                named = Some(document.salt);
            }
            _ => {}
        }
        Ok(())
    })?;
    if let Some(salt) = named {
        document.salt = salt;
        return Ok(());
    }
    let mut entries = vec![ledger_entry(document)];
    if document.kind == Kind::Release {
        entries.extend(privacy::owed(site, document.plan, document.window)?);
    }
    site.journal.append(&entries, &mut site.rng)
}

fn same<T: PartialEq + std::fmt::Display>(check: &str, expected: &T, found: &T) -> Result<(), Refusal> {
    if expected == found { Ok(()) } else { Err(Refusal::new(check, expected, found)) }
}

fn untrue(refusal: Refusal) -> Fault {
    let what = format!("the aggregator shows a document of this site that does not pass: {refusal}");
    Fault::new(Blame::Aggregator, what, "report it to governance; nothing was taken")
}

fn twice(what: &str) -> Fault {
    let what = format!("the aggregator holds {what}, signed by this site, which does not follow from what is here");
    Fault::new(Blame::Site, what, "another copy of this home signs too: stop one of them, and keep both as they are")
}
