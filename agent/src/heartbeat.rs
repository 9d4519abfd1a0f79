//! Heartbeats: signed checkpoints of all logs of the journal, every so many minutes, so that nothing in it can be rewritten
//! unnoticed.
//!
//! Crash order: (1) the signed bytes are durable in the outbox, (2) the fence names them, (3) they are sent, again and
//! again, until the receipt is verified; only then is the next one signed.

use crate::close::head;
use crate::epoch;
use crate::fence;
use crate::outbox::Beat;
use crate::rotate;
use crate::site::{Site, refused};
use fedaudit_core::continuity::{FORMAT, Heartbeat, HeartbeatText, attest_heartbeat};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::KeyUse;
use fedaudit_core::limits::BLOCK_RECORDS;
use fedaudit_core::note::Checkpoint;
use fedaudit_core::roster::{Position, heartbeats_origin, journal_origin};
use fedaudit_core::time::{HOUR_NS, Time};
use fedaudit_core::verify;
use fedaudit_link::home::Lock;

/// Signs a heartbeat if one is due and none waits for its receipt; whether it did.
///
/// # Errors
/// A journal or outbox that fails.
pub fn beat_if_due(site: &mut Site, now: Time) -> Result<bool, Fault> {
    let every = i64::from(site.home.config.heartbeat_minutes).saturating_mul(HOUR_NS / 60);
    if every == 0 || !site.enrolled() || site.standing.clear().is_err() {
        return Ok(false);
    }
    let due = |last: &Option<Beat>| match last {
        Some(last) => last.receipt.is_some() && now.0.saturating_sub(last.at.0) >= every,
        None => true,
    };
    if !due(&site.outbox.last_beat()?) {
        return Ok(false);
    }
    let Ok(_import) = Lock::try_acquire(&site.home.import_lock()) else { return Ok(false) };
    site.reload_mirror()?;
    if rotate::waits(&site.home)? || epoch::check(site).is_err() {
        return Ok(false);
    }
    let last = site.outbox.last_beat()?;
    if !due(&last) {
        return Ok(false);
    }
    let (sequence, previous) = last.map_or((0, None), |last| (last.sequence + 1, Some(Digest::of(&last.envelope))));
    let checkpoints = checkpoints(site)?;
    let key = site.key(KeyUse::Note)?;
    let sign = |checkpoint: &Checkpoint| {
        let bad = |e| Fault::new(Blame::Site, format!("checkpoint of {}: {e}", checkpoint.origin), "report this");
        checkpoint.sign(&key).map_err(bad)
    };
    let journal = checkpoints.iter().map(sign).collect::<Result<_, _>>()?;
    let (name, epoch) = (site.enrolment.site.clone(), site.enrolment.epoch);
    let text = Heartbeat::new(HeartbeatText { format: FORMAT, site: name, epoch, journal });
    let text = text.map_err(|e| Fault::new(Blame::Site, e, "run `fedaudit-agent journal verify`"))?;
    let attest = site.key(KeyUse::Attest)?;
    let mut attestation = attest_heartbeat(&text, head(site, now), sequence, previous, &attest).map_err(refused)?;
    let artifact = attestation.artifacts.pop().unwrap_or_default();
    site.outbox.keep_beat(&Beat { sequence, at: now, envelope: attestation.envelope, artifact, receipt: None })?;
    fence::record_beat(site, sequence, &checkpoints)?;
    Ok(true)
}

/// All logs at their last block boundary, by origin; with `pad_blocks`, at its multiples, so that sizes tell no more than
/// those that releases name.
fn checkpoints(site: &mut Site) -> Result<Vec<Checkpoint>, Fault> {
    let step = BLOCK_RECORDS.saturating_mul(u64::from(site.home.config.pad_blocks.max(1)));
    let base = journal_origin(&site.enrolment.federation, &site.enrolment.site, site.enrolment.epoch, "");
    let mut logs = site.journal.logs()?;
    logs.sort();
    let mut checkpoints = Vec::new();
    for log in logs {
        let size = site.journal.size(&log)?;
        checkpoints.push(site.journal.checkpoint(&log, size - size % step, &format!("{base}{log}"))?);
    }
    Ok(checkpoints)
}

/// Forgets a heartbeat that was refused, if the registry bears out that it will never be taken: its epoch is over, or a key that
/// signed it has ended. By the aggregator's word alone, which it does not sign, its number would be signed twice. Whether it did.
///
/// # Errors
/// A disk that fails.
pub fn forget_void(site: &Site, beat: &Beat) -> Result<bool, Fault> {
    let registry = site.mirror.registry();
    let origin = heartbeats_origin(&site.enrolment.federation);
    let at = Position { origin: &origin, index: u64::MAX, number: None };
    let void = verify::heartbeat(&beat.envelope, &beat.artifact, registry).is_ok_and(|of| {
        of.claim.epoch < site.enrolment.epoch || of.signers.iter().any(|id| registry.holds(id, at).is_err())
    });
    if !void {
        return Ok(false);
    }
    let _import = Lock::acquire(&site.home.import_lock())?;
    // Another process of this home may have forgotten it, and signed its number anew.
    if site.outbox.pending_beat()?.is_some_and(|of| of.envelope == beat.envelope) {
        fence::forget_beats(site)?;
        site.outbox.forget_beats()?;
    }
    Ok(true)
}

/// The checkpoints that a heartbeat of this home names.
///
/// # Errors
/// A heartbeat that was altered.
pub fn named(beat: &Beat) -> Result<Vec<Checkpoint>, Fault> {
    let text: Heartbeat = fedaudit_core::codec::from_json(&beat.artifact).map_err(|e| {
        Fault::new(
            Blame::Site,
            format!("a heartbeat in outbox.sqlite: {e}"),
            "restore this home from its newest backup",
        )
    })?;
    let read =
        |note: &String| note.split_once("\n\n").and_then(|(of, _)| Checkpoint::parse_text(&format!("{of}\n")).ok());
    Ok(text.journal.iter().filter_map(read).collect())
}
