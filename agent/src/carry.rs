//! The way by file, for a site without a network: what leaves as parcels, and what comes back as parcels.
//!
//! A parcel that came is judged by the same state machine as an answer over the network ([`crate::ship`]). One thing
//! differs: nobody signs a refusal, so one that came by file is shown and changes nothing, unless the registry bears it out.

use crate::close::close_due;
use crate::desk::Desk;
use crate::drive::{self, Ask, named_checkpoints};
use crate::epoch;
use crate::fence;
use crate::heartbeat::{self, beat_if_due};
use crate::home::{Enrolment, Home, Invitation};
use crate::join::{check_trust, request};
use crate::leave::{leaving, listed};
use crate::mine;
use crate::outbox::{Beat, Listed, Outgoing, State};
use crate::ship::Shipper;
use crate::site::Site;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::PARCEL_BYTES;
use fedaudit_core::note::{Checkpoint, LogProof};
use fedaudit_core::parcel::{
    Answer, Bytes, Content, Document, Join, Outbox, Outcome, Proof, Receipt, Receipts, RegistryText,
};
use fedaudit_core::roster::{heartbeats_origin, registry_origin};
use fedaudit_core::time::Time;
use fedaudit_link::home::Lock;
use fedaudit_link::parcel::{misdirected, read_any, write_parcel};
use fedaudit_link::protocol::{self, PROTOCOL, RegistryPart, Response, Token, Welcome};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Releases of one export: proofs are needed between any two of the checkpoints that they name.
const RELEASES: usize = 100;

/// Writes the request to join into a file instead of sending it. The home keeps what the token says of the federation,
/// so that the registry can be taken by file too; not its secret.
///
/// # Errors
/// A token that expired, a home that joined elsewhere, a file that cannot be written.
pub fn join_by_file(home: &Home, token: &Token, new_keys: bool, out: &Path, now: Time) -> Result<Enrolment, Fault> {
    let (enrolment, request, _) = request(home, token, new_keys, now)?;
    let bytes = codec::encode(&request).map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))?;
    write_parcel(out, &token.federation, Content::Join(Join { request: Bytes(bytes) }))?;
    if home.enrolment().is_err() {
        home.keep_invitation(&Invitation { enrolment: enrolment.clone(), governance: token.governance })?;
    }
    Ok(enrolment)
}

/// Closes what is due, and writes every release without a receipt that may leave into a file, and a heartbeat if one is due;
/// what was done, a line each.
///
/// A release stays ready until its receipt comes back; exporting again does no harm. What the steward holds stays here.
///
/// # Errors
/// A journal or outbox that fails, a site that is not enrolled, a file that cannot be written.
pub fn export(site: &mut Site, out: &Path, now: Time) -> Result<Vec<String>, Fault> {
    // A daemon that runs closes windows itself.
    if let Ok(_run) = Lock::try_acquire(&site.home.run_lock()) {
        site.standing.clear()?;
        close_due(site, now)?;
    }
    beat_if_due(site, now)?;
    let beat = site.outbox.pending_beat()?;
    if let Some(beat) = &beat {
        // What a crash left out: the fence names it before it leaves.
        fence::record_beat(site, beat.sequence, &heartbeat::named(beat)?)?;
    }
    let releases = site.outbox.releases()?;
    let listed = listed(site)?;
    let by_digest: BTreeMap<Digest, &Outgoing> = releases.iter().map(|of| (Digest::of(&of.envelope), of)).collect();
    let find = |of: &Listed| by_digest.get(&of.envelope).copied();
    let ready: Vec<&Outgoing> = leaving(&listed).into_iter().filter_map(find).collect();
    let held: Vec<&Outgoing> = listed.iter().filter(|of| of.state == State::Held).filter_map(find).collect();
    let stay = format!("{} held: this site refused their plan; plan accept lets them go", held.len());
    let stay = (!held.is_empty()).then_some(stay);
    let waiting = Desk::read(site)?.waiting().count();
    let waits = (waiting > 0).then(|| format!("{waiting} not signed yet, for they wait for approval: release list"));
    if ready.is_empty() && beat.is_none() {
        let nothing = "nothing is ready to leave; no file was written".to_owned();
        return Ok([nothing].into_iter().chain(stay).chain(waits).collect());
    }
    if !site.enrolled() {
        let what = format!("site {} is not in this home's copy of the registry", site.enrolment.site);
        let hint = "take the registry in once governance has approved: fedaudit-agent outbox import FILE";
        return Err(Fault::new(Blame::Operator, what, hint));
    }
    let mut ready = in_order(site, ready)?;
    let all = ready.len();
    ready.truncate(RELEASES);
    // Base64 makes four bytes of three; the rest of the parcel is for proofs.
    let mut room = usize::try_from(PARCEL_BYTES / 2).unwrap_or(usize::MAX);
    ready.retain(|release| {
        let bytes = release.envelope.len() + release.artifact.len();
        let fits = room >= bytes;
        room = if fits { room - bytes } else { 0 };
        fits
    });
    // What is held now may have been brought there before it was.
    let waiting: Vec<&Outgoing> = ready.iter().chain(&held).copied().collect();
    let proofs = proofs(site, &releases, &waiting, beat.as_ref())?;
    let and = if beat.is_some() { " and a heartbeat" } else { "" };
    let documents = ready.iter().map(|release| Document::new(release.envelope.clone(), release.artifact.clone()));
    let content = Content::Outbox(Outbox {
        site: site.enrolment.site.clone(),
        seen: site.outbox.seen()?,
        releases: documents.collect(),
        proofs,
        heartbeat: beat.map(|beat| Document::new(beat.envelope, beat.artifact)),
    });
    write_parcel(out, &site.enrolment.federation, content)?;
    let mut said = vec![format!("{} releases{and} in {}", ready.len(), out.display())];
    if ready.len() < all {
        said.push(format!("{} more do not fit: export again when the receipts for these are in", all - ready.len()));
    }
    said.extend(stay.into_iter().chain(waits));
    said.push(
        "next, at the aggregator: fedaudit-aggregator import FILE --receipts RECEIPTS; carry RECEIPTS back".to_owned(),
    );
    Ok(said)
}

/// The earliest first, by what the journal held when they were signed; those of a plan in their sequence.
///
/// The journal only grows. So whatever an earlier export brought to the aggregator, and is not received, or is at least
/// of the same journal, stands in the next export again, and proofs between the checkpoints of one export are all that
/// the aggregator can need.
fn in_order<'a>(site: &Site, ready: Vec<&'a Outgoing>) -> Result<Vec<&'a Outgoing>, Fault> {
    let mut ready = ready;
    ready.sort_by_key(|release| (release.plan, release.sequence));
    let mut grown: BTreeMap<Digest, u64> = BTreeMap::new();
    let mut keyed = Vec::new();
    for release in ready {
        let records: u64 = named_checkpoints(site, release)?.iter().map(|checkpoint| checkpoint.size).sum();
        // An abstention names no checkpoint: it goes with the one before it.
        let place = grown.entry(release.plan).or_default();
        *place = (*place).max(records);
        keyed.push((*place, release));
    }
    keyed.sort_by_key(|(place, release)| (*place, release.sequence, release.plan));
    Ok(keyed.into_iter().map(|(_, release)| release).collect())
}

/// Proofs between all checkpoints that the aggregator may hold when it comes to one of `waiting`: the last that it surely
/// has, and those of the releases and of the heartbeat that wait, some of which an earlier export may have brought there.
fn proofs(
    site: &mut Site,
    releases: &[Outgoing],
    waiting: &[&Outgoing],
    beat: Option<&Beat>,
) -> Result<Vec<Proof>, Fault> {
    let mut sizes: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut received: BTreeMap<String, u64> = BTreeMap::new();
    let mut has = site.outbox.received_beat()?.as_ref().map_or(Ok(Vec::new()), heartbeat::named)?;
    for release in releases.iter().filter(|release| release.state == State::Received) {
        has.extend(named_checkpoints(site, release)?);
    }
    for checkpoint in has {
        let known = received.entry(checkpoint.origin).or_default();
        *known = (*known).max(checkpoint.size);
    }
    let mut named = beat.map_or(Ok(Vec::new()), heartbeat::named)?;
    for release in waiting {
        named.extend(named_checkpoints(site, release)?);
    }
    for checkpoint in named {
        sizes.entry(checkpoint.origin).or_default().insert(checkpoint.size);
    }
    let mut proofs = Vec::new();
    for (origin, mut sizes) in sizes {
        sizes.extend(received.get(&origin));
        let sizes: Vec<u64> = sizes.into_iter().collect();
        let log = drive::log_of(site, &origin);
        for (nth, old) in sizes.iter().enumerate() {
            for new in &sizes[nth + 1..] {
                let hashes = site.journal.consistency(&log, *old, *new)?;
                proofs.push(Proof { origin: origin.clone(), old: *old, new: *new, hashes });
            }
        }
    }
    Ok(proofs)
}

/// Takes in a parcel from the aggregator: the registry, or receipts; what was done, a line each.
///
/// # Errors
/// A file that is no such parcel, or does not pass: whose fault it is, and what next.
pub fn import(home: Home, path: &Path, now: Time) -> Result<Vec<String>, Fault> {
    let parcel = read_any(path)?;
    let mut said = Vec::new();
    if let (Content::Registry(registry), Err(_), Some(invitation)) =
        (&parcel.content, home.enrolment(), home.invitation()?)
    {
        let trust =
            codec::to_json(&registry.trust).map_err(|e| Fault::new(Blame::Input, e.to_string(), "report this"))?;
        check_trust(&trust, &invitation.enrolment, invitation.governance)?;
        home.keep_enrolment(&invitation.enrolment, &trust)?;
        said.push(format!("joined {} as {}", invitation.enrolment.federation, invitation.enrolment.site));
    }
    let mut site = Site::open(home)?;
    if parcel.federation != site.enrolment.federation {
        let what = format!("{} belongs to federation {}", path.display(), parcel.federation);
        let hint = format!("this home is a site of {}; nothing was taken", site.enrolment.federation);
        return Err(Fault::new(Blame::Input, what, hint));
    }
    match parcel.content.clone() {
        Content::Registry(registry) => said.push(import_registry(&mut site, registry, now)?),
        Content::Receipts(receipts) => said.extend(import_receipts(&mut site, receipts, now)?),
        other => return Err(misdirected(path, &other)),
    }
    Ok(said)
}

/// The link as it stands after a hello that was answered, with what the aggregator says it has of this journal.
fn greeted(site: &mut Site, seen: Vec<String>, now: Time) -> Result<Shipper, Fault> {
    let mut shipper = drive::shipper(site)?;
    // The registry comes, or came, by its own parcel: here it is the one that this home has.
    let origin = registry_origin(&site.enrolment.federation);
    if let Some(registry) = site.outbox.seen_of(&origin)? {
        let welcome = Welcome { protocol: PROTOCOL, software: "a parcel".to_owned(), registry, seen };
        drive::hear(site, &mut shipper, &Ask::hello(), Response::Hello(welcome), now, 0.0)?;
        if let Some(fault) = shipper.doubted() {
            return Err(fault);
        }
    }
    Ok(shipper)
}

fn import_registry(site: &mut Site, text: RegistryText, now: Time) -> Result<String, Fault> {
    // Its witnesses may be others by now: who must have cosigned says this home's own.
    text.trust.check_same_but_witnesses(&site.trust).map_err(|e| {
        let what = format!("the parcel's trust.json is not the one that this home joined under: {e}");
        Fault::new(Blame::Aggregator, what, "compare fingerprints with governance; nothing was taken")
    })?;
    let from = site.mirror.registry().size();
    let entries: Vec<_> = text.entries.into_iter().map(|d| (d.envelope.0, d.artifact.0)).collect();
    let size = entries.len() as u64;
    if size < from {
        return Ok(format!("this home has {from} entries of the registry already, the file {size}: nothing to take"));
    }
    if text.checkpoint.lines().nth(1) != Some(&size.to_string()) {
        let what = format!("the registry's checkpoint is not over the {size} entries that the file holds");
        return Err(Fault::new(Blame::Input, what, "have it exported again; nothing was taken"));
    }
    let mut shipper = greeted(site, Vec::new(), now)?;
    let new = entries.into_iter().skip(usize::try_from(from).unwrap_or(usize::MAX)).collect();
    let part = RegistryPart { checkpoint: text.checkpoint, from, entries: new };
    drive::hear(site, &mut shipper, &Ask::registry(from), Response::Registry(part), now, 0.0)?;
    let word = match (site.enrolled(), site.revoked()) {
        (true, _) => "is enrolled",
        (false, true) => "was revoked by governance",
        (false, false) => "is not enrolled yet",
    };
    Ok(format!("registry: {size} entries, {} new; {} {word}", size - from, site.enrolment.site))
}

fn import_receipts(site: &mut Site, receipts: Receipts, now: Time) -> Result<Vec<String>, Fault> {
    if receipts.site != site.enrolment.site {
        let what = format!("these are the receipts of {}; this home is {}", receipts.site, site.enrolment.site);
        return Err(Fault::new(Blame::Input, what, "carry them to their site; nothing was taken"));
    }
    let mut shipper = greeted(site, receipts.seen, now)?;
    let (mut new, mut known, mut void, mut refused) = (0, 0, 0, None);
    for Answer { envelope, result } in receipts.answers {
        let beat = site.outbox.last_beat()?.filter(|beat| Digest::of(&beat.envelope) == envelope);
        let release = site.outbox.of(&envelope)?;
        match (result, beat, release) {
            (Outcome::Receipt(_), Some(Beat { receipt: Some(_), .. }), _)
            | (Outcome::Receipt(_), _, Some(Outgoing { state: State::Received, .. })) => known += 1,
            (Outcome::Receipt(receipt), Some(beat), _) => {
                let seen = mine::beats_seen(site)?;
                let response = answer(seen.as_ref(), receipt)?;
                drive::hear(site, &mut shipper, &Ask::heartbeat(beat, seen), response, now, 0.0)?;
                new += 1;
            }
            (Outcome::Receipt(receipt), None, Some(release)) => {
                let seen = drive::plan_seen(site, &release.plan)?;
                let response = answer(seen.as_ref(), receipt)?;
                drive::hear(site, &mut shipper, &Ask::release(release, seen), response, now, 0.0)?;
                new += 1;
            }
            (Outcome::Refused(reason), Some(beat), _) => {
                match beat.receipt.is_none() && late(&reason.check) && heartbeat::forget_void(site, &beat)? {
                    true => void += 1,
                    false => _ = refused.get_or_insert((format!("heartbeat {}", beat.sequence), reason)),
                }
            }
            (Outcome::Refused(reason), None, Some(of)) => {
                match of.state != State::Received && drive::is_void(site, &of, &reason.check) {
                    true => {
                        epoch::give_up(site, &of, now)?;
                        void += 1;
                    }
                    false => _ = refused.get_or_insert((format!("release {} of {}", of.sequence, of.window), reason)),
                }
            }
            // Of heartbeats the last one is here; what was given up is here no more.
            (Outcome::Receipt(receipt), ..) if is_of(&receipt, &heartbeats_origin(&site.enrolment.federation)) => {
                known += 1
            }
            (Outcome::Refused(reason), ..) if late(&reason.check) => known += 1,
            _ => {
                let what = format!("an answer to {envelope}, which this home never signed");
                let hint = "if this home was restored from an older copy, restore the newest one";
                return Err(Fault::new(Blame::Input, what, hint));
            }
        }
    }
    let mut said = format!("{new} receipts verified and kept, {known} known before");
    if void > 0 {
        said += &format!(", {void} refused for a key or an epoch that has ended: what is due is signed anew");
    }
    match refused {
        None => Ok(vec![said]),
        Some((document, reason)) => {
            let what = format!(
                "{said}; the file says that {document} was refused: {}: expected {}, found {}",
                reason.check, reason.expected, reason.found
            );
            let hint = format!("{}; nobody signs a refusal, so this home still offers it", reason.hint);
            Err(Fault::new(reason.blame, what, hint))
        }
    }
}

/// Whether a document was refused because it came too late, if that is so.
fn late(check: &str) -> bool {
    ["key", "epoch"].contains(&check)
}

/// Whether a receipt says that it is of this log.
fn is_of(receipt: &Receipt, origin: &str) -> bool {
    LogProof::parse(&receipt.proof).is_ok_and(|proof| proof.checkpoint.lines().next() == Some(origin))
}

/// The receipt as the answer to a submission of now: it leads on from what this home has seen of the log, or to the very
/// checkpoint that it has seen.
fn answer(seen: Option<&Checkpoint>, receipt: Receipt) -> Result<Response, Fault> {
    let Receipt { proof, from, mut consistency } = receipt;
    if let Some(seen) = seen.filter(|seen| seen.size != from) {
        let note = LogProof::parse(&proof).map(|proof| proof.checkpoint).unwrap_or_default();
        if note.lines().nth(1) != Some(&seen.size.to_string()) {
            let what =
                format!("a receipt that leads on from {from} entries of its log; this home has seen {}", seen.size);
            let hint = "export the outbox again and have it imported again: that gives fresh receipts";
            return Err(Fault::new(Blame::Operator, what, hint));
        }
        consistency.clear();
    }
    Ok(Response::Receipt(protocol::Receipt { proof, consistency }))
}
