//! What to do with a request: a pure function of the centre's state. [`crate::answer`] carries it out.

mod mine;
mod transport;

use crate::centre::{Centre, PlanLog};
use crate::checked::Checked;
use crate::home::SOFTWARE;
use fedaudit_core::envelope::Attestation;
use fedaudit_core::fault::{Blame, Refusal};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::limits;
use fedaudit_core::merkle::verify_consistency;
use fedaudit_core::note::Checkpoint;
use fedaudit_core::roster::{Party, RosterText};
use fedaudit_core::verify::{self, At};
use fedaudit_link::protocol::{
    Hello, JoinRequest, PROTOCOL, Refused, Request, Response, RotateRequest, Submission, Welcome,
};
use mine::{heartbeat, mine};
use transport::{rotation, transport};

/// What a request comes to.
pub enum Decision {
    /// Nothing to write.
    Reply(Response),
    /// Send registry entries from this index on.
    Registry(u64),
    /// Keep a join request for governance.
    Join(Box<JoinRequest>),
    /// What was sent is in its log already: send the receipt again.
    Again(Book, u64),
    /// Append what was sent and checked to its log, and send the receipt.
    Append(Book, Box<Attestation>, Checked),
    /// Append what was sent to the registry.
    Publish(Box<Attestation>),
    /// Keep a site's request for other keys, or forget the one that waits.
    Rotate(Name, Option<Box<RotateRequest>>),
    /// Send the site a document of its own: where it stands, and how much of that log the site has seen.
    Mine(Option<(Book, u64, u64)>),
    /// Send the first report in a plan's log from an index on; the site has seen so much of the log.
    Reports(Digest, u64, u64),
    /// Refuse, and keep what was sent as evidence beside the logged envelope that it contradicts.
    Conflict(Refused, Option<Digest>),
    /// A site holds a checkpoint of ours that our logs do not lead to: stop serving and say so.
    Halt(String),
}

/// A log that takes what sites sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Book {
    /// The log of the plan with this digest.
    Plan(Digest),
    /// The log of heartbeats.
    Heartbeats,
}

/// Decides about `request` from the holder of `peer`. What it sends to be logged was `checked` before, if this was a site then.
pub fn decide(
    centre: &Centre,
    peer: &PublicKey,
    request: Request,
    checked: Option<Result<Checked, Refusal>>,
) -> Decision {
    let site = centre.registry().site_of(peer).cloned();
    // Of a restored home: the site may have been enrolled, or its key replaced, after the copy was made.
    if let (Request::Hello(hello), None, Err(_)) = (&request, &site, centre.standing.clear())
        && let Some(problem) = ahead(centre, hello)
    {
        return Decision::Halt(format!("the holder of key {} has {problem}", peer.id().short()));
    }
    match (request, site) {
        (Request::Join(request), site) => join(centre, peer, request, site.as_ref()),
        (_, None) if centre.registry().member(&peer.id()).is_some() => Decision::Reply(refused(
            Blame::Operator,
            Refusal::new("key", "a transport key that holds", format!("{}, which has ended", peer.id().short())),
            "this key was replaced or revoked: use the one that took its place, or ask governance",
        )),
        (_, None) => Decision::Reply(refused(
            Blame::Operator,
            Refusal::new("signer", "a transport key in the roster", peer.id()),
            "if this site has joined, ask governance to approve it",
        )),
        (Request::Hello(hello), Some(site)) => greet(centre, &hello, &site),
        (Request::Registry { from }, Some(_)) => Decision::Registry(from),
        (Request::Submit(sent), Some(site)) => {
            let checked =
                checked.unwrap_or_else(|| Checked::of_site(&sent.envelope, &sent.artifact, centre.registry()));
            submit(centre, &sent, &site, checked)
        }
        (Request::Reports { plan, from, seen }, Some(_)) => match plan_log(centre, &plan) {
            Ok(_) => Decision::Reports(plan, from, seen),
            Err(decision) => *decision,
        },
        (Request::Heartbeat(sent), Some(site)) => {
            let checked =
                checked.unwrap_or_else(|| Checked::heartbeat(&sent.envelope, &sent.artifact, centre.registry()));
            heartbeat(centre, &sent, &site, checked)
        }
        (Request::Transport(document), Some(site)) => transport(centre, document, &site),
        (Request::Rotate(request), Some(site)) => rotation(centre, request, &site),
        (Request::Mine(have), Some(site)) => Decision::Mine(mine(centre, &have, &site)),
    }
}

fn join(centre: &Centre, peer: &PublicKey, request: Box<JoinRequest>, enrolled: Option<&Name>) -> Decision {
    let federation = &centre.home.trust.federation;
    let transport = request.keys.iter().find(|key| key.usage == KeyUse::Transport);
    let text = RosterText::of(Party::Site(request.site.clone()), request.keys.clone());
    let check = || {
        if request.federation != *federation {
            return Err(Refusal::new("federation", federation, &request.federation));
        }
        if transport.is_none_or(|key| key.key != *peer) {
            return Err(Refusal::new("possession", "the transport key of this connection", "another"));
        }
        fedaudit_core::codec::Rules::check(&text).map_err(|e| Refusal::new("roster", "a site's keys", e))?;
        request.check_possession()?;
        match centre.registry().party(&text.party) {
            // The same keys again: the site did not hear that it is enrolled.
            Ok(entry) if entry.keys == request.keys && enrolled == Some(&request.site) => Ok(()),
            // It may have lost its keys, or left: for governance to know, which gave out a token if it is so.
            Ok(_) if request.keys.iter().all(|key| centre.registry().member(&key.key.id()).is_none()) => Ok(()),
            Ok(_) => {
                let found = format!("some of those that {} has or had", request.site);
                Err(Refusal::new("roster", "keys that nobody has or had, for a site in the roster", found))
            }
            Err(_) => Ok(()),
        }
    };
    match check() {
        Ok(()) => Decision::Join(request),
        Err(refusal) => Decision::Reply(refused(
            Blame::Site,
            refusal,
            "ask governance for a new join token; join with a fresh home, or, if this one lost its keys, with --new-keys",
        )),
    }
}

fn greet(centre: &Centre, hello: &Hello, site: &Name) -> Decision {
    if hello.protocol != PROTOCOL {
        let refusal = Refusal::new("protocol", format!("version {PROTOCOL}"), hello.protocol);
        return Decision::Reply(refused(Blame::Operator, refusal, "use versions of agent and aggregator that overlap"));
    }
    if hello.site != *site {
        let refusal = Refusal::new("signer", format!("the site of this key, {site}"), &hello.site);
        return Decision::Reply(refused(Blame::Site, refusal, "this home belongs to another site"));
    }
    if let Some(problem) = ahead(centre, hello) {
        return Decision::Halt(format!("site {site} holds {problem}"));
    }
    Decision::Reply(Response::Hello(Welcome {
        protocol: PROTOCOL,
        software: SOFTWARE.to_owned(),
        registry: centre.shown(centre.registry_log()).1.to_owned(),
        seen: centre.journals_of(site).map(|seen| seen.note.clone()).collect(),
    }))
}

fn ahead(centre: &Centre, hello: &Hello) -> Option<String> {
    hello.seen.iter().find_map(|note| future(centre, note))
}

/// Whether `note`, a checkpoint of one of our logs, is ahead of what we have, or beside it.
fn future(centre: &Centre, note: &str) -> Option<String> {
    let origin = note.lines().next()?;
    let registry = Some(centre.registry_log()).filter(|log| log.origin() == origin);
    let plans = || centre.registry().plans().filter_map(|(digest, _)| centre.plan(digest)).map(|plan| &plan.log);
    let plan = || plans().find(|log| log.origin() == origin);
    let beats = || Some(&centre.beats().log).filter(|log| log.origin() == origin);
    let log = registry.or_else(plan).or_else(beats)?;
    // Only a checkpoint that we signed can stop us.
    let seen = centre.registry().open_checkpoint(note.as_bytes(), origin).ok()?;
    let behind = seen.size > log.size() || (seen.size == log.size() && seen.root != log.root());
    behind.then(|| {
        format!(
            "a checkpoint of {origin} with {} entries and root {}; here are {} and {}",
            seen.size,
            seen.root,
            log.size(),
            log.root()
        )
    })
}

fn submit(centre: &Centre, submission: &Submission, site: &Name, checked: Result<Checked, Refusal>) -> Decision {
    let envelope = Digest::of(&submission.envelope);
    let plans = || centre.registry().plans().filter_map(|(digest, _)| Some((digest, centre.plan(digest)?)));
    if let Some((plan, index)) = plans().find_map(|(digest, log)| Some((*digest, *log.index.get(&envelope)?)))
        && centre.plan(&plan).and_then(|log| log.site_at(index)) == Some(site)
    {
        return Decision::Again(Book::Plan(plan), index);
    }
    let placed = checked.map_err(not_logged).and_then(|checked| {
        let plan = place(centre, submission, site, &checked)?;
        Ok(Decision::Append(Book::Plan(plan), Box::new(submission.attestation()), checked))
    });
    placed.unwrap_or_else(|decision| *decision)
}

/// The plan whose log takes the document next. Of a dispute: whether the site is right is for whoever reads the log.
fn place(centre: &Centre, submission: &Submission, site: &Name, checked: &Checked) -> Result<Digest, Box<Decision>> {
    let (by, of) = match checked {
        Checked::Release(release) => (&release.claim().site, release.claim().plan),
        Checked::Abstention(abstention) => (&abstention.claim().site, abstention.claim().plan),
        Checked::Dispute(dispute) => (&dispute.claim().site, dispute.claim().plan),
        Checked::Report(..) | Checked::Heartbeat(_) => {
            return Err(not_logged(Refusal::new("statement", "what a site says of a plan", "another document")));
        }
    };
    check_sender(by, site)?;
    if let Checked::Release(release) = checked {
        check_epoch(centre, site, release.claim().epoch)?;
    }
    let plan = plan_log(centre, &of)?;
    let at = At { registry: centre.registry(), index: plan.log.next() };
    match checked {
        Checked::Release(release) => plan.state.check(release, at),
        Checked::Abstention(abstention) => plan.state.check_abstention(abstention, at),
        Checked::Dispute(dispute) => plan.state.check_dispute(dispute, at),
        Checked::Report(..) | Checked::Heartbeat(_) => Ok(()),
    }
    .map_err(conflict)?;
    if let Checked::Release(release) = checked {
        check_journal(centre, site, release.journal(), submission)?;
    }
    Ok(of)
}

/// It held when it was signed; since then the journal behind it was lost.
pub(crate) fn check_epoch(centre: &Centre, site: &Name, claimed: u32) -> Result<(), Box<Decision>> {
    let epoch = centre.registry().epoch(site);
    if claimed == epoch {
        return Ok(());
    }
    let hint = "governance began a new epoch: what was signed before and not received is lost";
    Err(refuse_site(Refusal::new("epoch", epoch, claimed), hint))
}

pub(crate) fn refuse_site(refusal: Refusal, hint: &str) -> Box<Decision> {
    Box::new(Decision::Reply(refused(Blame::Site, refusal, hint)))
}

pub(crate) fn not_logged(refusal: Refusal) -> Box<Decision> {
    refuse_site(refusal, "the release is not logged; report it to the site's operator")
}

pub(crate) fn check_sender(claimed: &Name, site: &Name) -> Result<(), Box<Decision>> {
    if claimed == site {
        return Ok(());
    }
    let refusal = Refusal::new("signer", format!("a release by {site}, whose connection this is"), claimed);
    Err(refuse_site(refusal, "send each release from its own site"))
}

fn plan_log<'a>(centre: &'a Centre, plan: &Digest) -> Result<&'a PlanLog, Box<Decision>> {
    centre.plan(plan).ok_or_else(|| {
        let refusal = Refusal::new("plan", "the digest of a plan in the registry", plan);
        refuse_site(refusal, "fetch the registry again")
    })
}

pub(crate) fn conflict(conflict: verify::Conflict) -> Box<Decision> {
    // Whoever signed with a key that has ended contradicts nothing.
    if conflict.refusal.check == "key" {
        return refuse_site(conflict.refusal, "its key was replaced or revoked: sign it again by the one that holds");
    }
    let hint = "both signed documents are kept as evidence; the site's operator must explain";
    let refused = Refused { blame: Blame::Site, refusal: conflict.refusal, hint: hint.to_owned() };
    Box::new(Decision::Conflict(refused, conflict.against))
}

/// Each journal checkpoint must be consistent with the last one seen, whichever is the larger. If it is not, that is a
/// conflict with the logged envelope that names that one; a proof that nobody sent tells nothing of either.
pub(crate) fn check_journal(
    centre: &Centre,
    site: &Name,
    journal: &[Checkpoint],
    submission: &Submission,
) -> Result<(), Box<Decision>> {
    for checkpoint in journal {
        let Some(known) = centre.journal(site, &checkpoint.origin) else { continue };
        let seen = &known.checkpoint;
        let (old, new) = if seen.size <= checkpoint.size { (seen, checkpoint) } else { (checkpoint, seen) };
        let proof =
            submission.journal.iter().find(|p| p.origin == old.origin && (p.old, p.new) == (old.size, new.size));
        // From the empty log, and between equal sizes, there is nothing to prove with.
        if proof.is_none() && old.size > 0 && old.size < new.size {
            let expected = format!("a proof from {} to {} records of {}", old.size, new.size, old.origin);
            let hint = format!(
                "send the release again with a proof from size {}; by file: take the receipts in, then export again",
                old.size
            );
            let refusal = Refusal::new("journal", expected, "none");
            return Err(Box::new(Decision::Reply(refused(Blame::Operator, refusal, &hint))));
        }
        let hashes = proof.map(|proof| &proof.hashes[..]).unwrap_or_default();
        verify_consistency(old.size, &old.root, new.size, &new.root, hashes).map_err(|e| {
            let expected = format!("{} of {} records to contain that of {}", old.origin, new.size, old.size);
            let hint = "the journal is not a continuation of what the aggregator saw; its operator must explain";
            let refusal = Refusal::new("journal", expected, e);
            let refused = Refused { blame: Blame::Site, refusal, hint: hint.to_owned() };
            Box::new(Decision::Conflict(refused, Some(known.envelope)))
        })?;
    }
    Ok(())
}

/// A refusal as a response.
pub fn refused(blame: Blame, refusal: Refusal, hint: &str) -> Response {
    Response::Refused(Refused { blame, refusal, hint: hint.to_owned() })
}

/// Bytes of a frame that the holder of `peer` may send.
pub fn frame_limit(centre: &Centre, peer: &PublicKey) -> usize {
    if centre.registry().site_of(peer).is_some() { limits::FRAME_BYTES } else { limits::UNKNOWN_PEER_FRAME_BYTES }
}
