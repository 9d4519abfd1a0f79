//! What a site says of its journal, and what it asks of its own: heartbeats, and documents that its home lost.

use super::{Book, Decision, check_epoch, check_journal, check_sender, conflict, not_logged, refuse_site};
use crate::centre::Centre;
use crate::checked::Checked;
use fedaudit_core::fault::Refusal;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::limits;
use fedaudit_core::verify::At;
use fedaudit_link::protocol::{Have, HaveOf, Submission};

/// Where a heartbeat stands, or goes.
pub(super) fn heartbeat(
    centre: &Centre,
    submission: &Submission,
    site: &Name,
    checked: Result<Checked, Refusal>,
) -> Decision {
    decide(centre, submission, site, checked).unwrap_or_else(|decision| *decision)
}

fn decide(
    centre: &Centre,
    submission: &Submission,
    site: &Name,
    checked: Result<Checked, Refusal>,
) -> Result<Decision, Box<Decision>> {
    let checked = checked.map_err(not_logged)?;
    let Checked::Heartbeat(beat) = &checked else {
        return Err(not_logged(Refusal::new("statement", "a heartbeat", "another document")));
    };
    let beats = centre.beats();
    check_sender(&beat.claim.site, site)?;
    let number = usize::try_from(beat.claim.sequence).unwrap_or(usize::MAX);
    if let Some((index, _)) = beats.state.of(site).and_then(|of| of.logged.get(number))
        && beats.log.entry(*index).is_ok_and(|logged| logged == submission.envelope)
    {
        return Ok(Decision::Again(Book::Heartbeats, *index));
    }
    check_epoch(centre, site, beat.claim.epoch)?;
    let at = At { registry: centre.registry(), index: beats.log.next() };
    beats.state.check(beat, at).map_err(conflict)?;
    check_journal(centre, site, &beat.journal, submission)?;
    let new = beat.journal.iter().filter(|of| centre.journal(site, &of.origin).is_none()).count();
    let all = centre.journals_of(site).count() + new;
    if all > limits::JOURNAL_LOGS {
        let refusal = Refusal::new("journal", format!("at most {} logs of a journal", limits::JOURNAL_LOGS), all);
        return Err(refuse_site(refusal, "the site's operator must explain: a journal has two logs a contract"));
    }
    Ok(Decision::Append(Book::Heartbeats, Box::new(submission.attestation()), checked))
}

/// The first document of `site` in a log that its home does not have; of heartbeats the last one, which the next names.
pub(super) fn mine(centre: &Centre, have: &Have, site: &Name) -> Option<(Book, u64, u64)> {
    let of = |plan: &Digest| have.plans.iter().find(|(of, _)| of == plan).map_or(HaveOf::default(), |(_, of)| *of);
    let lacking = centre.registry().plans().find_map(|(digest, _)| {
        let (log, of) = (centre.plan(digest)?, of(digest));
        let released = log.releases.iter().map(|(index, it)| (*index, &it.claim().site, it.claim().sequence));
        let abstained = log.abstentions.iter().map(|(index, it)| (*index, &it.claim().site, it.claim().sequence));
        let disputed = log.disputes.iter().map(|(index, it)| (*index, &it.claim().site, it.claim().sequence));
        let (index, ..) =
            released.chain(abstained).chain(disputed).find(|(_, by, number)| *by == site && *number == of.next)?;
        Some((Book::Plan(*digest), index, of.seen))
    });
    lacking.or_else(|| {
        let logged = &centre.beats().state.of(site)?.logged;
        let (index, _) = logged.last().filter(|_| logged.len() as u64 > have.heartbeats.next)?;
        Some((Book::Heartbeats, *index, have.heartbeats.seen))
    })
}
