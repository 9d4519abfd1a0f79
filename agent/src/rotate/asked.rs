//! Keys that governance is asked for.
//!
//! Crash order: (1) the next keys are durable, and from the first one on nothing new is signed, (2) the request is on its way:
//! made again, it is the same, (3) governance signs, (4) the registry is read and kept, (5) the next keys take the place of those
//! before, one by one. After a crash before (2) the command is run again; after (4) whatever opens this home goes on with (5).

use super::{named, send, waits, waits_for_any};
use crate::close::recover;
use crate::home::KEYS;
use crate::run::{Until, run};
use crate::site::{Site, refused};
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::parcel::{Bytes, Content, Join};
use fedaudit_core::roster::{LastNumber, Party, RosterKey};
use fedaudit_link::home::{Lock, drop_next_key, make_next_key, next_key};
use fedaudit_link::parcel::write_parcel;
use fedaudit_link::protocol::{Request, Response, RotateRequest};
use std::collections::BTreeMap;
use std::path::Path;

/// Asks governance for new keys of these uses, and of those that wait already; what was done, in a line.
///
/// # Errors
/// A site that is not enrolled, or may sign nothing; an aggregator that is away or refuses. The next keys then wait all the same.
pub async fn ask(site: Site, uses: &[KeyUse], to: Option<&Path>) -> Result<String, Fault> {
    let mut site = site;
    if site.home.config.offline && to.is_none() {
        let what = "this site never connects (config.toml: offline = true)";
        return Err(Fault::new(Blame::Operator, what, "write the request into a file: key rotate --to FILE"));
    }
    let before = waits(&site.home)?;
    if to.is_none() {
        site = run(site, Until::Synced, |_| {}).await?;
    }
    if before && !waits(&site.home)? {
        return Ok("the keys that were asked for are this site's from now on; those before are gone".to_owned());
    }
    if !site.enrolled() {
        let what = format!("site {} is not in the roster", site.enrolment.site);
        return Err(Fault::new(Blame::Operator, what, "wait until governance has approved it; nothing was changed"));
    }
    let (request, new) = request(&mut site, uses)?;
    let name = site.enrolment.site.clone();
    let way = match to {
        Some(to) => {
            let bytes = codec::encode(&request).map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))?;
            write_parcel(to, &site.enrolment.federation, Content::Rotation(Join { request: Bytes(bytes) }))?;
            format!("{}: carry it to the aggregator, fedaudit-aggregator import FILE", to.display())
        }
        None => {
            kept(send(&mut site, &Request::Rotate(Some(Box::new(request)))).await?)?;
            "the aggregator keeps the request".to_owned()
        }
    };
    Ok(format!(
        "{way}\nasked for: {new}\nnext: governance compares these with you, and signs: fedaudit-aggregator site rotate {name}; \
         until then nothing new is signed here"
    ))
}

fn kept(response: Response) -> Result<(), Fault> {
    match response {
        Response::Kept => Ok(()),
        _ => Err(Fault::new(Blame::Aggregator, "the answer is none to a request for keys", "report it to governance")),
    }
}

/// The request, and the new keys in it. Nothing is signed meanwhile, and nothing new afterwards.
fn request(site: &mut Site, uses: &[KeyUse]) -> Result<(RotateRequest, String), Fault> {
    let _import = Lock::try_acquire(&site.home.import_lock()).map_err(|fault| {
        Fault::new(fault.blame, fault.what, "an import is at work on this home, or something is signed: try again then")
    })?;
    recover(site)?;
    site.standing.clear()?;
    let folder = site.home.keys();
    let (mut keys, mut public, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for usage in KEYS {
        let next = match next_key(&folder, usage)? {
            None if uses.contains(&usage) => Some(make_next_key(&folder, usage)?),
            next => next,
        };
        new.extend(next.as_ref().map(|key| named(usage, key)));
        let key = next.map_or_else(|| site.key(usage), Ok)?;
        public.push(RosterKey { usage, key: PublicKey::of(&key) });
        keys.push(key);
    }
    let mut last: BTreeMap<Digest, u64> = BTreeMap::new();
    for of in site.outbox.list()? {
        let number = last.entry(of.plan).or_insert(of.sequence);
        *number = (*number).max(of.sequence);
    }
    let party = Party::Site(site.enrolment.site.clone());
    let request = RotateRequest {
        federation: site.enrolment.federation.clone(),
        replaces: site.mirror.registry().party_digest(&party).unwrap_or(Digest([0; 32])),
        party,
        keys: public,
        last: last.into_iter().map(|(plan, sequence)| LastNumber { plan, sequence }).collect(),
        proofs: Vec::new(),
        signature: Vec::new(),
    };
    let signed = request.sign(&keys.iter().collect::<Vec<_>>(), Some(&site.key(KeyUse::Attest)?));
    let signed = signed.map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))?;
    signed.check(site.mirror.registry()).map_err(refused)?;
    Ok((signed, new.join(", ")))
}

/// Takes the request back, and goes on with the present keys; what was done, in a line.
///
/// # Errors
/// No request; an aggregator that is away. Then the next keys wait on.
pub async fn cancel(site: Site) -> Result<String, Fault> {
    let mut site = site;
    if !waits_for_any(&site.home)? {
        return Err(Fault::new(Blame::Operator, "no new keys wait for governance", "nothing has to be done"));
    }
    if !site.home.config.offline {
        // Whether they are named by now is known only after the aggregator has forgotten the request.
        kept(send(&mut site, &Request::Rotate(None)).await?)?;
        site = run(site, Until::Synced, |_| {}).await?;
    }
    let _import = Lock::acquire(&site.home.import_lock())?;
    site.reload_mirror()?;
    if !waits_for_any(&site.home)? || named_already(&site)? {
        return Ok("too late: governance signed them, and they are this site's from now on".to_owned());
    }
    for usage in KEYS {
        drop_next_key(&site.home.keys(), usage)?;
    }
    Ok("the present keys go on; if the request went by file, or with a token, tell governance: it may still sign"
        .to_owned())
}

fn named_already(site: &Site) -> Result<bool, Fault> {
    let party = Party::Site(site.enrolment.site.clone());
    let registry = site.mirror.registry();
    KEYS.iter().try_fold(false, |any, usage| {
        Ok(any || fedaudit_link::home::next_named(&site.home.keys(), registry, &party, *usage)?)
    })
}
