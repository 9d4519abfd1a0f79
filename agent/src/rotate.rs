//! Next keys: `keys/USE.next.key`, until the roster names them. The transport key is the site's own word ([`own`]); for the others
//! governance must sign ([`asked`]).
//!
//! While a next attest or note key waits, nothing new is signed: what governance is asked for names the last numbers that the
//! present keys signed, and only these hold afterwards. Whoever signs holds `import.lock`, and so does whoever makes a next key or
//! takes it: nobody signs with one key what another one is asked to follow.

pub mod asked;
pub mod own;

use crate::home::{Home, KEYS};
use crate::site::Site;
use ed25519_dalek::SigningKey;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::limits;
use fedaudit_core::roster::Party;
use fedaudit_link::home::{Lock, next_key, next_named, take_next_key};
use fedaudit_link::protocol::{Request, Response};
use fedaudit_link::quic::connect_any;
use std::time::Duration;

/// Longest time that the aggregator may take to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Keys that sign what is looked up again in a log.
const SIGNING: [KeyUse; 2] = [KeyUse::Attest, KeyUse::Note];

/// Whether a next attest or note key waits.
///
/// # Errors
/// A file that is no key.
pub fn waits(home: &Home) -> Result<bool, Fault> {
    let keys = home.keys();
    Ok(next_key(&keys, SIGNING[0])?.is_some() || next_key(&keys, SIGNING[1])?.is_some())
}

/// Whether a next key of any use waits.
///
/// # Errors
/// A file that is no key.
fn waits_for_any(home: &Home) -> Result<bool, Fault> {
    let keys = home.keys();
    KEYS.iter().try_fold(false, |any, usage| Ok(any || next_key(&keys, *usage)?.is_some()))
}

/// Whether next keys wait for all uses: the present ones may be lost.
///
/// # Errors
/// A file that is no key.
pub fn waits_for_all(home: &Home) -> Result<bool, Fault> {
    let keys = home.keys();
    KEYS.iter().try_fold(true, |all, usage| Ok(all && next_key(&keys, *usage)?.is_some()))
}

/// Whether something new may be signed.
///
/// # Errors
/// Next keys wait.
pub fn check(home: &Home) -> Result<(), Fault> {
    if !waits(home)? {
        return Ok(());
    }
    let what = "new keys wait for governance, and until then nothing new is signed";
    let hint = "governance signs them: fedaudit-aggregator site rotate SITE, or, where keys were lost, site approve SITE; to go on with \
                the present ones: key rotate --cancel";
    Err(Fault::new(Blame::Operator, what, hint))
}

impl Site {
    /// Puts next keys that this home's copy of the registry names in their place; while something is signed, another time.
    ///
    /// # Errors
    /// A disk that fails; a file that is no key.
    pub fn take_keys(&self) -> Result<(), Fault> {
        let (keys, registry) = (self.home.keys(), self.mirror.registry());
        let party = Party::Site(self.enrolment.site.clone());
        let named = |usage| next_named(&keys, registry, &party, usage);
        // Nobody puts files under a passphrase meanwhile.
        let _keys = Lock::acquire(&self.home.keys_lock())?;
        if named(KeyUse::Transport)? {
            take_next_key(&keys, KeyUse::Transport)?;
        }
        if !named(SIGNING[0])? && !named(SIGNING[1])? {
            return Ok(());
        }
        let Ok(_import) = Lock::try_acquire(&self.home.import_lock()) else { return Ok(()) };
        for usage in SIGNING {
            if named(usage)? {
                take_next_key(&keys, usage)?;
            }
        }
        Ok(())
    }
}

/// The key to connect with, and whether it is the next one: with `other`, or where there is no present one.
///
/// # Errors
/// As [`Site::key`].
pub fn transport_key(site: &mut Site, other: bool) -> Result<(SigningKey, bool), Fault> {
    site.reload_mirror()?;
    let present = site.key(KeyUse::Transport).or_else(|_| {
        // Another process of this home may be between keeping the registry and taking the key.
        site.reload_mirror()?;
        site.key(KeyUse::Transport)
    });
    match (present, next_key(&site.home.keys(), KeyUse::Transport)?) {
        (Ok(_), Some(next)) if other => Ok((next, true)),
        (Err(_), Some(next)) => Ok((next, true)),
        (present, _) => present.map(|key| (key, false)),
    }
}

/// Asks the aggregator, and waits for its answer.
///
/// # Errors
/// No answer, or a refusal.
async fn send(site: &mut Site, request: &Request) -> Result<Response, Fault> {
    let frame = codec::encode(request).map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))?;
    let (key, _) = transport_key(site, false)?;
    let connection = connect_any(&site.enrolment.address, &key, &site.server_keys()).await?;
    let answer = connection.request(&frame, limits::FRAME_BYTES, ANSWER).await?;
    connection.close().await;
    match codec::decode::<Response>(&answer) {
        Ok(Response::Refused(refused)) => {
            let what = format!("the aggregator refused: {}", refused.refusal);
            Err(Fault::new(refused.blame, what, refused.hint))
        }
        Ok(response) => Ok(response),
        Err(e) => {
            let hint = "use versions of agent and aggregator that overlap";
            Err(Fault::new(Blame::Aggregator, format!("an answer that is {e}"), hint))
        }
    }
}

/// What a key is called, as both sides print it.
fn named(usage: KeyUse, key: &SigningKey) -> String {
    format!("{usage} {}", PublicKey::of(key).id())
}
