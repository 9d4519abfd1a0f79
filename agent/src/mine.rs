//! What this site signed, the aggregator logged and this home lost: taken back, so that the next number follows.
//!
//! The aggregator is not believed: each document carries this site's own signature and the proof of the log, and names the
//! one before it that is here.

use crate::compare::about;
use crate::drive::plan_seen;
use crate::fence;
use crate::outbox::{Beat, Kind, Outgoing, State};
use crate::ship::{Shipper, proven};
use crate::site::Site;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::ids::Digest;
use fedaudit_core::note::Checkpoint;
use fedaudit_core::roster::{heartbeats_origin, plan_origin};
use fedaudit_core::verify::{self, Numbered};
use fedaudit_link::protocol::{Have, HaveOf, Logged};

/// What this home has.
///
/// # Errors
/// An outbox that cannot be read.
pub fn have(site: &Site) -> Result<Have, Fault> {
    let mut plans = Vec::new();
    for (plan, _) in site.mirror.registry().plans() {
        let next = site.outbox.last_of(plan)?.map_or(0, |last| last.sequence + 1);
        let seen = plan_seen(site, plan)?.map_or(0, |seen| seen.size);
        plans.push((*plan, HaveOf { next, seen }));
    }
    let next = site.outbox.last_beat()?.map_or(0, |last| last.sequence + 1);
    Ok(Have { plans, heartbeats: HaveOf { next, seen: beats_seen(site)?.map_or(0, |seen| seen.size) } })
}

/// The last checkpoint of the log of heartbeats that was verified.
///
/// # Errors
/// An outbox that is damaged.
pub fn beats_seen(site: &Site) -> Result<Option<Checkpoint>, Fault> {
    crate::drive::seen_of(site, &heartbeats_origin(&site.enrolment.federation))
}

/// Takes back a document.
///
/// # Errors
/// One that does not pass, or that contradicts what is here: another copy of this home signs too, and the link halts.
pub fn take(site: &mut Site, shipper: &mut Shipper, logged: &Logged) -> Result<(), Fault> {
    let untrue = |refusal: Refusal| {
        let what = format!("the aggregator shows a document of this site that does not pass: {refusal}");
        Fault::new(Blame::Aggregator, what, "report it to governance; nothing was taken")
    };
    match &logged.plan {
        Some(plan) => {
            let found = verify::numbered(&logged.envelope, &logged.artifact, site.mirror.registry()).map_err(untrue)?;
            let last = site.outbox.last_of(plan)?;
            let next = last.as_ref().map_or(0, |last| last.sequence + 1);
            same("signer", &site.enrolment.site, found.site()).map_err(untrue)?;
            same("plan", &plan.to_string(), &found.plan().to_string()).map_err(untrue)?;
            same("sequence", &next, &found.sequence()).map_err(untrue)?;
            let origin = plan_origin(&site.enrolment.federation, plan);
            let seen = plan_seen(site, plan)?;
            let note = proven(&logged.receipt, &logged.envelope, &origin, seen, &site.mirror)?;
            if found.previous() != last.map(|last| Digest::of(&last.envelope)) {
                return Err(shipper.halt(twice(&format!("{} {next} of plan {}", found.word(), plan.short()))));
            }
            let document = outgoing(&found, logged);
            site.outbox.adopt(&document, &logged.receipt.proof, &origin, &note)?;
            fence::record(site, &[document])
        }
        None => {
            let beat = verify::heartbeat(&logged.envelope, &logged.artifact, site.mirror.registry()).map_err(untrue)?;
            same("signer", &site.enrolment.site, &beat.claim.site).map_err(untrue)?;
            let next = site.outbox.last_beat()?.map_or(0, |last| last.sequence + 1);
            if beat.claim.sequence < next {
                return Err(untrue(Refusal::new("sequence", format!("{next} or above"), beat.claim.sequence)));
            }
            let origin = heartbeats_origin(&site.enrolment.federation);
            let note = proven(&logged.receipt, &logged.envelope, &origin, beats_seen(site)?, &site.mirror)?;
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
    }
}

/// Its salt is lost, and with it the proof of what it was computed from; the numbers stand.
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

fn same<T: PartialEq + std::fmt::Display>(check: &str, expected: &T, found: &T) -> Result<(), Refusal> {
    if expected == found { Ok(()) } else { Err(Refusal::new(check, expected, found)) }
}

fn twice(what: &str) -> Fault {
    let what = format!("the aggregator holds {what}, signed by this site, which does not follow from what is here");
    Fault::new(Blame::Site, what, "another copy of this home signs too: stop one of them, and keep both as they are")
}
