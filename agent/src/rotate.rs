//! Next keys: `keys/USE.next.key`, until the roster names them.
//!
//! Crash order: (1) the next key is durable, (2) the aggregator logs it, (3) the registry is read and kept, (4) the next key
//! takes the place of the one before, which is gone. After a crash before (3) the next command finds that the aggregator
//! knows one of both keys; after (3) whatever opens this home goes on with (4).

use crate::close::head;
use crate::home::Home;
use crate::run::{Until, run};
use crate::site::{Site, refused};
use ed25519_dalek::SigningKey;
use fedaudit_core::codec;
use fedaudit_core::continuity::{FORMAT, TransportKey, TransportText, attest_transport};
use fedaudit_core::envelope::Head;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::limits;
use fedaudit_core::roster::{Party, Registry};
use fedaudit_core::time::Time;
use fedaudit_link::home::{Lock, create_key, load_key, now, os_random, sync_dir};
use fedaudit_link::protocol::{Request, Response};
use fedaudit_link::quic::connect;
use std::path::PathBuf;
use std::time::Duration;

/// Longest time that the aggregator may take to answer.
const ANSWER: Duration = Duration::from_secs(30);

fn next_path(home: &Home, usage: KeyUse) -> PathBuf {
    home.dir.join("keys").join(format!("{usage}.next.key"))
}

/// The next key for `usage`; none if there is none.
///
/// # Errors
/// A file that is no key.
pub fn next_key(home: &Home, usage: KeyUse) -> Result<Option<SigningKey>, Fault> {
    let path = next_path(home, usage);
    if path.exists() { load_key(&path).map(Some) } else { Ok(None) }
}

/// Puts each next key that the roster names by now in the place of the one before.
///
/// # Errors
/// A disk that fails; a file that is no key.
pub fn take(home: &Home, registry: &Registry, party: &Party) -> Result<(), Fault> {
    let Ok(entry) = registry.party(party) else { return Ok(()) };
    for held in &entry.keys {
        let Some(next) = next_key(home, held.usage)? else { continue };
        if PublicKey::of(&next) != held.key {
            continue;
        }
        let _lock = Lock::acquire(&home.keys_lock())?;
        let keys = home.dir.join("keys");
        let path = keys.join(format!("{}.key", held.usage));
        match std::fs::rename(next_path(home, held.usage), &path) {
            // Another process of this home was faster.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => {
                let hint = "check the path, its permissions and the disk";
                return Err(Fault::new(Blame::Operator, format!("{}: {e}", path.display()), hint));
            }
            Ok(()) => sync_dir(&keys)?,
        }
    }
    Ok(())
}

/// The key to connect with; with `other`, the next one, if it waits.
///
/// # Errors
/// As [`Site::key`].
pub fn transport_key(site: &mut Site, other: bool) -> Result<SigningKey, Fault> {
    site.reload_mirror()?;
    if let (true, Some(next)) = (other, next_key(&site.home, KeyUse::Transport)?) {
        return Ok(next);
    }
    site.key(KeyUse::Transport).or_else(|_| {
        // Another process of this home may be between keeping the registry and taking the key.
        site.reload_mirror()?;
        site.key(KeyUse::Transport)
    })
}

/// Replaces the transport key, under the attest key; true if there was a new one to make.
///
/// # Errors
/// A site that never connects, or is not enrolled; an aggregator that is away or refuses.
pub async fn rotate_transport(site: Site) -> Result<Site, Fault> {
    if site.home.config.offline {
        let what = "this site never connects (config.toml: offline = true): nobody asks for its transport key";
        return Err(Fault::new(Blame::Operator, what, "nothing has to be done"));
    }
    let before = next_key(&site.home, KeyUse::Transport)?.is_some();
    let site = run(site, Until::Synced, |_| {}).await?;
    if !site.enrolled() {
        let what = format!("site {} is not in the roster", site.enrolment.site);
        return Err(Fault::new(Blame::Operator, what, "wait until governance has approved it; nothing was changed"));
    }
    // An earlier attempt, whose end was not heard of, is done by now.
    if before && next_key(&site.home, KeyUse::Transport)?.is_none() {
        return Ok(site);
    }
    let next = match next_key(&site.home, KeyUse::Transport)? {
        Some(next) => next,
        None => create_key(&next_path(&site.home, KeyUse::Transport), os_random())?,
    };
    let frame = request(&site, &next, now())?;
    let sent = send(&site, &frame).await;
    // The answer may be lost with the connection, which ends with its key: the registry says what became of it.
    let site = match run(site, Until::Synced, |_| {}).await {
        Ok(site) => site,
        Err(fault) => return Err(sent.err().unwrap_or(fault)),
    };
    match next_key(&site.home, KeyUse::Transport)? {
        None => Ok(site),
        Some(_) => Err(sent.err().unwrap_or_else(|| {
            let what = "the aggregator took the next transport key and does not show it";
            Fault::new(Blame::Aggregator, what, "run this again; if it repeats, tell the aggregator's operator")
        })),
    }
}

fn request(site: &Site, next: &SigningKey, now: Time) -> Result<Vec<u8>, Fault> {
    let party = Party::Site(site.enrolment.site.clone());
    let registry = site.mirror.registry();
    let text = TransportText { format: FORMAT, site: site.enrolment.site.clone(), key: PublicKey::of(next) };
    let text = TransportKey::new(text).map_err(|e| Fault::new(Blame::Site, e, "report this"))?;
    let version = registry.party(&party).map_err(refused)?.version + 1;
    let head = Head { replaces: registry.party_digest(&party), ..head(site, now) };
    let mut signed = attest_transport(&text, version, head, &site.key(KeyUse::Attest)?).map_err(refused)?;
    let document = (signed.envelope, signed.artifacts.pop().unwrap_or_default());
    codec::encode(&Request::Transport(document)).map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))
}

async fn send(site: &Site, frame: &[u8]) -> Result<(), Fault> {
    let key = site.key(KeyUse::Transport)?;
    let connection = connect(&site.enrolment.address, &key, site.enrolment.transport).await?;
    let answer = connection.request(frame, limits::FRAME_BYTES, ANSWER).await?;
    connection.close().await;
    match codec::decode::<Response>(&answer) {
        Ok(Response::Published { .. }) => Ok(()),
        Ok(Response::Refused(refused)) => {
            let what = format!("the aggregator refused the next transport key: {}", refused.refusal);
            Err(Fault::new(refused.blame, what, refused.hint))
        }
        _ => Err(Fault::new(Blame::Aggregator, "the answer is none to a transport key", "report it to governance")),
    }
}
