//! Drives the [`Shipper`] with a site's home: builds requests, keeps what was verified.

use crate::compare;
use crate::home::SOFTWARE;
use crate::leave::{leaving, listed};
use crate::outbox::{Beat, Kind, Outgoing};
use crate::ship::{Asked, Keep, Shipper, Step};
use crate::site::{Site, refused};
use crate::{epoch, fence, heartbeat, mine, rotate};
use fedaudit_core::codec;
use fedaudit_core::envelope::Claimed;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::note::Checkpoint;
use fedaudit_core::roster::{Party, Position, heartbeats_origin, journal_origin, plan_origin, registry_origin};
use fedaudit_core::time::{SECOND_NS, Time};
use fedaudit_core::verify;
use fedaudit_link::protocol::{Consistency, Hello, PROTOCOL, Request, Response, Submission};

/// A request, and what its answer is judged by.
pub struct Ask {
    step: Step,
    /// The frame to send.
    pub frame: Vec<u8>,
    release: Option<Outgoing>,
    beat: Option<Beat>,
    /// What it says was seen of the aggregator's logs. Another process of this home may have seen more when the answer comes.
    seen: Vec<Checkpoint>,
}

impl Ask {
    fn of(step: Step) -> Ask {
        Ask { step, frame: Vec::new(), release: None, beat: None, seen: Vec::new() }
    }

    /// A hello, as if it had been sent.
    pub(crate) fn hello() -> Ask {
        Ask::of(Step::Hello)
    }

    /// A question for registry entries, as if it had been sent.
    pub(crate) fn registry(from: u64) -> Ask {
        Ask::of(Step::Registry(from))
    }

    /// A release, as if it had been sent.
    pub(crate) fn release(release: Outgoing, seen: Option<Checkpoint>) -> Ask {
        Ask { release: Some(release), seen: seen.into_iter().collect(), ..Ask::of(Step::Submit) }
    }

    /// A heartbeat, as if it had been sent.
    pub(crate) fn heartbeat(beat: Beat, seen: Option<Checkpoint>) -> Ask {
        Ask { beat: Some(beat), seen: seen.into_iter().collect(), ..Ask::of(Step::Heartbeat) }
    }

    /// What it says was seen of one log.
    pub(crate) fn seen_of(&self, origin: &str) -> Option<Checkpoint> {
        self.seen.iter().find(|seen| seen.origin == origin).cloned()
    }
}

/// A link for `site`.
///
/// # Errors
/// Never.
pub fn shipper(site: &Site) -> Result<Shipper, Fault> {
    Ok(Shipper::new(note_keys(site), i64::from(site.home.config.poll_seconds).saturating_mul(SECOND_NS)))
}

/// The keys that sign this site's checkpoints, or signed them; of a home that has not seen itself in the roster, its own.
fn note_keys(site: &Site) -> Vec<PublicKey> {
    let party = Party::Site(site.enrolment.site.clone());
    let mut keys = site.mirror.registry().keys_of(&party, KeyUse::Note);
    if let Ok(own) = site.home.key(KeyUse::Note).map(|key| PublicKey::of(&key))
        && !keys.contains(&own)
    {
        keys.push(own);
    }
    keys
}

/// What to do next.
///
/// # Errors
/// An outbox or journal that cannot be read.
pub fn next(site: &mut Site, shipper: &Shipper, now: Time) -> Result<Step, Fault> {
    let ready = shipper.is_up() && !leaving(&listed(site)?).is_empty();
    let beat = shipper.is_settled() && site.outbox.pending_beat()?.is_some();
    Ok(shipper.next(ready, beat, site.mirror.registry().size(), now))
}

/// The request for a step that sends one; none if what was to be sent is held by now.
///
/// # Errors
/// A journal or outbox that fails.
pub fn ask(site: &mut Site, shipper: &Shipper, step: Step) -> Result<Option<Ask>, Fault> {
    let (mut release, mut beat, mut seen) = (None, None, Vec::new());
    let size = |seen: &[Checkpoint]| seen.first().map_or(0, |seen| seen.size);
    let request = match &step {
        Step::Mine => {
            let have = mine::have(site)?;
            seen = have.1;
            Request::Mine(have.0)
        }
        Step::Heartbeat => {
            let Some(next) = site.outbox.pending_beat()? else { return Ok(None) };
            let (envelope, artifact) = (next.envelope.clone(), next.artifact.clone());
            let named = heartbeat::named(&next)?;
            // What a crash left out: the fence names it before it leaves.
            fence::record_beat(site, next.sequence, &named)?;
            let journal = proofs(site, shipper, named)?;
            beat = Some(next);
            seen.extend(mine::beats_seen(site)?);
            Request::Heartbeat(Box::new(Submission { envelope, artifact, journal, plan_seen: size(&seen) }))
        }
        Step::Registry(from) => Request::Registry { from: *from },
        Step::Reports(plan, from) => {
            seen.extend(plan_seen(site, plan)?);
            Request::Reports { plan: *plan, from: *from, seen: size(&seen) }
        }
        Step::Submit => {
            let listed = listed(site)?;
            let Some(first) = leaving(&listed).first().copied() else { return Ok(None) };
            let Some(next) = site.outbox.of(&first.envelope)? else { return Ok(None) };
            seen.extend(plan_seen(site, &next.plan)?);
            let submission = submission(site, shipper, &next, size(&seen))?;
            release = Some(next);
            Request::Submit(Box::new(submission))
        }
        _ => Request::Hello(Hello {
            protocol: PROTOCOL,
            site: site.enrolment.site.clone(),
            software: SOFTWARE.to_owned(),
            seen: site.outbox.seen()?,
        }),
    };
    let frame = codec::encode(&request).map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))?;
    Ok(Some(Ask { step, frame, release, beat, seen }))
}

fn submission(site: &mut Site, shipper: &Shipper, next: &Outgoing, plan_seen: u64) -> Result<Submission, Fault> {
    let named = named_checkpoints(site, next)?;
    let journal = proofs(site, shipper, named)?;
    Ok(Submission { envelope: next.envelope.clone(), artifact: next.artifact.clone(), journal, plan_seen })
}

/// For each of the journal's checkpoints the proof between it and what the aggregator has seen.
fn proofs(site: &mut Site, shipper: &Shipper, named: Vec<Checkpoint>) -> Result<Vec<Consistency>, Fault> {
    let mut journal = Vec::new();
    for checkpoint in named {
        let Some(seen) = shipper.journals().get(&checkpoint.origin) else { continue };
        let (old, new) = (seen.size.min(checkpoint.size), seen.size.max(checkpoint.size));
        let log = log_of(site, &checkpoint.origin);
        let hashes = site.journal.consistency(&log, old, new)?;
        journal.push(Consistency { origin: checkpoint.origin, old, new, hashes });
    }
    Ok(journal)
}

/// The journal checkpoints that a release of this site names; others name none.
pub(crate) fn named_checkpoints(site: &Site, release: &Outgoing) -> Result<Vec<Checkpoint>, Fault> {
    if release.kind != Kind::Release {
        return Ok(Vec::new());
    }
    let verified = verify::release(&release.envelope, &release.artifact, site.mirror.registry());
    // A site that is not enrolled yet cannot check its own release against the roster; it sends nothing either.
    Ok(verified.map_err(refused)?.journal().to_vec())
}

pub(crate) fn log_of(site: &Site, origin: &str) -> String {
    let prefix = journal_origin(&site.enrolment.federation, &site.enrolment.site, site.enrolment.epoch, "");
    origin.strip_prefix(&prefix).unwrap_or(origin).to_owned()
}

pub(crate) fn plan_seen(site: &Site, plan: &Digest) -> Result<Option<Checkpoint>, Fault> {
    seen_of(site, &plan_origin(&site.enrolment.federation, plan))
}

pub(crate) fn seen_of(site: &Site, origin: &str) -> Result<Option<Checkpoint>, Fault> {
    let Some(note) = site.outbox.seen_of(origin)? else { return Ok(None) };
    let opened = site.mirror.registry().open_checkpoint(note.as_bytes(), origin);
    let hint = "outbox.sqlite is damaged: restore this home as a whole from its newest backup";
    opened.map(Some).map_err(|e| Fault::new(Blame::Site, format!("outbox.sqlite: {e}"), hint))
}

/// Judges the answer to `ask` and keeps what was verified. The error is for people; the link has gone on by itself: what
/// could not be kept, or not be done, is asked for anew after a while.
///
/// # Errors
/// An answer that cannot be used, or a disk that fails.
pub fn hear(
    site: &mut Site,
    shipper: &mut Shipper,
    ask: &Ask,
    response: Response,
    now: Time,
    jitter: f64,
) -> Result<(), Fault> {
    let heard = judge(site, shipper, ask, response, (now, jitter));
    if heard.is_err() && shipper.is_up() {
        shipper.down(now, jitter);
    }
    heard
}

fn judge(
    site: &mut Site,
    shipper: &mut Shipper,
    ask: &Ask,
    response: Response,
    (now, jitter): (Time, f64),
) -> Result<(), Fault> {
    let keep = match (&ask.step, &ask.release) {
        (Step::Submit, Some(release)) => {
            let origin = plan_origin(&site.enrolment.federation, &release.plan);
            let asked = Asked::Submit { envelope: &release.envelope, origin: &origin, seen: ask.seen_of(&origin) };
            shipper.heard(response, asked, &site.mirror, now, jitter)?
        }
        (Step::Heartbeat, _) => return hear_beat(site, shipper, ask, response, (now, jitter)),
        (Step::Mine, _) => shipper.heard(response, Asked::Mine, &site.mirror, now, jitter)?,
        (Step::Registry(_), _) => shipper.heard(response, Asked::Registry, &site.mirror, now, jitter)?,
        (Step::Reports(plan, from), _) => {
            let origin = plan_origin(&site.enrolment.federation, plan);
            let asked = Asked::Reports { origin: &origin, from: *from, seen: ask.seen_of(&origin) };
            shipper.heard(response, asked, &site.mirror, now, jitter)?
        }
        _ => {
            let base = journal_origin(&site.enrolment.federation, &site.enrolment.site, site.enrolment.epoch, "");
            let journal = &mut site.journal;
            let mut own = |origin: &str, size: u64| {
                let Some(log) = origin.strip_prefix(&base) else { return Ok(None) };
                if journal.size(log)? < size {
                    return Ok(None);
                }
                journal.checkpoint(log, size, origin).map(|checkpoint| Some(checkpoint.root))
            };
            let heard = shipper.heard(response, Asked::Hello(&mut own), &site.mirror, now, jitter);
            heard.map_err(|fault| if shipper.is_pending() { pending(&site.enrolment.site) } else { fault })?
        }
    };
    keep_what(site, shipper, ask, keep, now)?;
    go_on(site, shipper, ask)
}

/// Keeps what was verified.
fn keep_what(site: &mut Site, shipper: &mut Shipper, ask: &Ask, keep: Keep, now: Time) -> Result<(), Fault> {
    match (keep, &ask.release) {
        (Keep::Registry { from, entries, note, mirror }, _) => {
            let origin = registry_origin(&site.enrolment.federation);
            site.outbox.keep_registry(from, &entries, &origin, &note)?;
            site.mirror = *mirror;
        }
        (Keep::Mine(logged), _) => mine::take(site, shipper, ask, &logged)?,
        (Keep::Receipt { proof, origin, note }, Some(release)) => {
            let checkpoints = named_checkpoints(site, release)?;
            site.outbox.mark_received(&Digest::of(&release.envelope), &proof, &origin, &note)?;
            shipper.journal_seen(checkpoints);
        }
        (Keep::Refused(refused), Some(release)) if is_void(site, release, &refused.refusal.check) => {
            epoch::give_up(site, release, now)?;
            // A dispute that was given up is found again in its report.
            shipper.ask_reports(compare::wanted(site)?);
        }
        (Keep::Refused(refused), Some(release)) => {
            site.outbox.mark_refused(&Digest::of(&release.envelope), &refused)?;
            let what = format!(
                "the aggregator refused release {} of {}: {}",
                release.sequence, release.window, refused.refusal
            );
            return Err(Fault::new(refused.blame, what, refused.hint));
        }
        (Keep::Report(report), _) => {
            if let Step::Reports(plan, _) = &ask.step {
                compare::take(site, plan, &report, now)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// What the registry, and the aggregator's word that it has no more of this site, lead to.
fn go_on(site: &mut Site, shipper: &mut Shipper, ask: &Ask) -> Result<(), Fault> {
    if let Step::Registry(_) = &ask.step {
        site.take_keys()?;
    }
    match &ask.step {
        // The aggregator may have named what a key signed that was not known then.
        Step::Registry(_) if shipper.learn(note_keys(site)) => shipper.again(),
        Step::Registry(_) if epoch::begin(site)? => shipper.again(),
        Step::Registry(_) => {
            if let Some(fault) = shipper.doubted() {
                return Err(shipper.halt(fault));
            }
            if shipper.is_read() && !rotate::waits(&site.home)? {
                shipper.ask_reports(compare::wanted(site)?);
            }
        }
        Step::Mine if shipper.is_settled() => fence::settle(site, shipper.journals())?,
        _ => {}
    }
    Ok(())
}

/// Whether the registry bears out that a document which was refused by this check will never be taken: its epoch is over, or its
/// key has ended and not for its number. By the aggregator's word alone, which it does not sign, a number would be signed twice.
pub(crate) fn is_void(site: &Site, document: &Outgoing, check: &str) -> bool {
    let registry = site.mirror.registry();
    match check {
        "epoch" => {
            let verified = verify::release(&document.envelope, &document.artifact, registry);
            verified.is_ok_and(|verified| verified.claim().epoch < site.enrolment.epoch)
        }
        "key" => {
            let origin = plan_origin(&site.enrolment.federation, &document.plan);
            let number = Some((document.plan, document.sequence));
            let at = Position { origin: &origin, index: u64::MAX, number };
            let claimed = Claimed::parse(&document.envelope);
            claimed.is_ok_and(|claimed| claimed.signers().all(|id| registry.holds(&id, at).is_err()))
        }
        _ => false,
    }
}

fn hear_beat(
    site: &mut Site,
    shipper: &mut Shipper,
    ask: &Ask,
    response: Response,
    (now, jitter): (Time, f64),
) -> Result<(), Fault> {
    let Some(beat) = &ask.beat else { return Ok(()) };
    let origin = heartbeats_origin(&site.enrolment.federation);
    let asked = Asked::Submit { envelope: &beat.envelope, origin: &origin, seen: ask.seen_of(&origin) };
    match shipper.heard(response, asked, &site.mirror, now, jitter)? {
        Keep::Receipt { proof, note, .. } => {
            let named = heartbeat::named(beat)?;
            site.outbox.beat_received(beat.sequence, &proof, &origin, &note)?;
            shipper.journal_seen(named);
        }
        Keep::Refused(refused) => {
            let what = format!("the aggregator refused heartbeat {}: {}", beat.sequence, refused.refusal);
            let fault = Fault::new(refused.blame, what, refused.hint);
            if ["sequence", "previous", "journal"].contains(&refused.refusal.check.as_str()) {
                return Err(shipper.halt(fault));
            }
            // On the next connection the aggregator is asked first whether it has one of this number.
            heartbeat::forget_void(site, beat)?;
            return Err(fault);
        }
        _ => {}
    }
    Ok(())
}

fn pending(site: &Name) -> Fault {
    let what = format!("site {site} waits for approval by governance");
    Fault::new(Blame::Operator, what, format!("governance approves it: fedaudit-aggregator site approve {site}"))
}
