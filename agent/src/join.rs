//! Joining a federation with a token.

use crate::home::{Enrolment, Home, KEYS};
use ed25519_dalek::SigningKey;
use fedaudit_core::codec::{self, Valid};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::limits;
use fedaudit_core::roster::{RosterKey, Trust};
use fedaudit_core::time::Time;
use fedaudit_link::home::{Lock, make_next_key};
use fedaudit_link::protocol::{JoinRequest, Request, Response, Token, governance_fingerprint};
use fedaudit_link::quic::connect;
use std::time::Duration;

/// Longest time that the aggregator may take to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Sends this home's public keys to the aggregator, with proofs that it holds them and the token's secret.
///
/// The site is enrolled when governance approves it. The same token and keys may be sent again. With `new_keys`, a home whose
/// site is in the roster asks to have all of its keys replaced: they were lost, or revoked.
///
/// # Errors
/// A token that expired, a home that joined elsewhere or never connects, an aggregator that cannot be reached, refuses,
/// or is not the one that the token names.
pub async fn join(home: &Home, token: &Token, new_keys: bool, now: Time) -> Result<Enrolment, Fault> {
    if home.config.offline {
        let what = "this site never connects (config.toml: offline = true)";
        return Err(Fault::new(
            Blame::Operator,
            what,
            "write the request into a file: fedaudit-agent join TOKEN --to FILE",
        ));
    }
    let (enrolment, request, transport) = request(home, token, new_keys, now)?;
    let internal = |e: codec::CodecError| Fault::new(Blame::Site, e.to_string(), "report this");
    let frame = codec::encode(&Request::Join(Box::new(request))).map_err(internal)?;
    let connection = connect(&token.address, &transport, token.transport).await?;
    let answer = connection.request(&frame, limits::FRAME_BYTES, ANSWER).await?;
    connection.close().await;
    match codec::decode::<Response>(&answer) {
        Ok(Response::Joined { trust }) => {
            check_trust(&trust, &enrolment, token.governance)?;
            home.keep_enrolment(&enrolment, &trust)?;
            Ok(enrolment)
        }
        Ok(Response::Refused(refused)) => {
            Err(Fault::new(refused.blame, format!("the aggregator refused to join: {}", refused.refusal), refused.hint))
        }
        _ => Err(Fault::new(Blame::Aggregator, "the answer to the join request is none", "report it to governance")),
    }
}

/// The request to join that `token` allows this home, and what the home keeps once it is answered.
///
/// # Errors
/// A token that expired, a home that joined elsewhere; keys that are lost, or a home that never joined and asks for new ones.
pub(crate) fn request(
    home: &Home,
    token: &Token,
    new_keys: bool,
    now: Time,
) -> Result<(Enrolment, JoinRequest, SigningKey), Fault> {
    if now.unix_seconds() >= token.expires_unix_s {
        let expired = Time(token.expires_unix_s.saturating_mul(1_000_000_000));
        return Err(Fault::new(
            Blame::Operator,
            format!("the join token expired {expired}"),
            "ask governance for a new one",
        ));
    }
    let mut enrolment = Enrolment {
        federation: token.federation.clone(),
        site: token.site.clone(),
        address: token.address.clone(),
        transport: token.transport,
        epoch: 1,
    };
    let known = home.enrolment().ok().map(|(known, _)| known);
    if let Some(known) = &known
        && (known.federation != enrolment.federation || known.site != enrolment.site)
    {
        let what = format!("this home joined {} as {}", known.federation, known.site);
        return Err(Fault::new(
            Blame::Operator,
            what,
            "make another home for another site: fedaudit-agent init --home DIR",
        ));
    }
    // The journal goes on, whatever became of the keys.
    enrolment.epoch = known.as_ref().map_or(1, |known| known.epoch);
    let keys = match (new_keys, known) {
        (true, Some(_)) => next_keys(home)?,
        (true, None) => {
            let what = format!("{} has not joined: its keys are new", home.dir.display());
            return Err(Fault::new(Blame::Operator, what, "join without --new-keys"));
        }
        (false, _) => present_keys(home)?,
    };
    let public = KEYS.iter().zip(&keys).map(|(usage, key)| RosterKey { usage: *usage, key: PublicKey::of(key) });
    let signing: Vec<_> = keys.iter().collect();
    let (federation, site) = (token.federation.clone(), token.site.clone());
    let request = JoinRequest::new(federation, site, public.collect(), &signing, &token.secret);
    let request = request.map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))?;
    let [_, _, transport] = keys;
    Ok((enrolment, request, transport))
}

fn present_keys(home: &Home) -> Result<[SigningKey; 3], Fault> {
    let lost = |fault: Fault| {
        let hint = "restore it from a backup; if it is lost, and the site in the roster: a token of governance (site add SITE), then \
                    join TOKEN --new-keys";
        Fault::new(fault.blame, fault.what, hint)
    };
    let key = |usage: KeyUse| home.key(usage).map_err(lost);
    Ok([key(KEYS[0])?, key(KEYS[1])?, key(KEYS[2])?])
}

/// From here on nothing new is signed, until the roster names them.
fn next_keys(home: &Home) -> Result<[SigningKey; 3], Fault> {
    let _import = Lock::try_acquire(&home.import_lock())?;
    let key = |usage: KeyUse| make_next_key(&home.keys(), usage);
    Ok([key(KEYS[0])?, key(KEYS[1])?, key(KEYS[2])?])
}

/// Whoever brings `trust.json` only carries it: it counts if it is the one that governance put into the token.
pub(crate) fn check_trust(bytes: &[u8], joined: &Enrolment, governance: Digest) -> Result<(), Fault> {
    let hint = "the aggregator is not the one that governance meant, or the token is old; ask governance";
    let wrong = |what: String| Fault::new(Blame::Aggregator, what, hint);
    let trust: Valid<Trust> = codec::from_json(bytes).map_err(|e| wrong(format!("trust.json is {e}")))?;
    let fingerprint = governance_fingerprint(&trust);
    if fingerprint != governance {
        return Err(wrong(format!("governance fingerprint {fingerprint}; the token says {governance}")));
    }
    if trust.federation != joined.federation {
        return Err(wrong(format!("federation {}; the token says {}", trust.federation, joined.federation)));
    }
    Ok(())
}
