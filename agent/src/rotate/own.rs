//! The transport key, which a site replaces by its own word.
//!
//! Crash order: (1) the next key is durable, (2) the aggregator logs it, (3) the registry is read and kept, (4) the next key
//! takes the place of the one before, which is gone. After a crash before (3) the next command finds that the aggregator
//! knows one of both keys; after (3) whatever opens this home goes on with (4).

use super::{check, send};
use crate::close::head;
use crate::run::{Until, run};
use crate::site::{Site, refused};
use ed25519_dalek::SigningKey;
use fedaudit_core::continuity::{FORMAT, TransportKey, TransportText, attest_transport};
use fedaudit_core::envelope::Head;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::roster::Party;
use fedaudit_core::time::Time;
use fedaudit_link::home::{Lock, make_next_key, next_key, now};
use fedaudit_link::protocol::Request;

/// Replaces the transport key, under the attest key.
///
/// # Errors
/// A site that never connects, is not enrolled, or waits for other keys; an aggregator that is away or refuses.
pub async fn rotate_transport(site: Site) -> Result<Site, Fault> {
    if site.home.config.offline {
        let what = "this site never connects (config.toml: offline = true): nobody asks for its transport key";
        return Err(Fault::new(Blame::Operator, what, "nothing has to be done"));
    }
    check(&site.home)?;
    let keys = site.home.keys();
    let before = next_key(&keys, KeyUse::Transport)?.is_some();
    let mut site = run(site, Until::Synced, |_| {}).await?;
    if !site.enrolled() {
        let what = format!("site {} is not in the roster", site.enrolment.site);
        return Err(Fault::new(Blame::Operator, what, "wait until governance has approved it; nothing was changed"));
    }
    // An earlier attempt, whose end was not heard of, is done by now.
    if before && next_key(&keys, KeyUse::Transport)?.is_none() {
        return Ok(site);
    }
    let request = {
        // Another process of this home may have asked for other keys meanwhile.
        let _import = Lock::acquire(&site.home.import_lock())?;
        site.reload_mirror()?;
        check(&site.home)?;
        request(&site, &make_next_key(&keys, KeyUse::Transport)?, now())?
    };
    let sent = send(&mut site, &request).await;
    // The answer may be lost with the connection, which ends with its key: the registry says what became of it.
    let site = match run(site, Until::Synced, |_| {}).await {
        Ok(site) => site,
        Err(fault) => return Err(sent.err().unwrap_or(fault)),
    };
    match next_key(&keys, KeyUse::Transport)? {
        None => Ok(site),
        Some(_) => Err(sent.err().unwrap_or_else(|| {
            let what = "the aggregator took the next transport key and does not show it";
            Fault::new(Blame::Aggregator, what, "run this again; if it repeats, tell the aggregator's operator")
        })),
    }
}

fn request(site: &Site, next: &SigningKey, now: Time) -> Result<Request, Fault> {
    let party = Party::Site(site.enrolment.site.clone());
    let registry = site.mirror.registry();
    let text = TransportText { format: FORMAT, site: site.enrolment.site.clone(), key: PublicKey::of(next) };
    let text = TransportKey::new(text).map_err(|e| Fault::new(Blame::Site, e, "report this"))?;
    let version = registry.party(&party).map_err(refused)?.version + 1;
    let head = Head { replaces: registry.party_digest(&party), ..head(site, now) };
    let mut signed = attest_transport(&text, version, head, &site.key(KeyUse::Attest)?).map_err(refused)?;
    Ok(Request::Transport((signed.envelope, signed.artifacts.pop().unwrap_or_default())))
}
