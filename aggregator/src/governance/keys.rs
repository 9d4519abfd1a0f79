//! Roster entries after the first: keys that end, and those that take their place.

use super::Governance;
use crate::basis::Basis;
use crate::centre::Centre;
use crate::home::{Home, operator_hint, refused};
use fedaudit_core::codec;
use fedaudit_core::envelope::Attestation;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_core::key::KeyUse;
use fedaudit_core::roster::{
    self, EndedKey, Ending, LastNumber, LogSize, Party, Registry, RosterEntry, RosterKey, RosterText,
};
use fedaudit_core::time::Time;
use fedaudit_link::protocol::RotateRequest;

/// What becomes of a party's keys.
pub(super) struct Change {
    pub party: Party,
    /// Its keys from now on.
    pub keys: Vec<RosterKey>,
    pub threshold: Option<usize>,
    /// Why those that it has no more ended.
    pub why: Ending,
    /// The last numbers that they signed.
    pub last: Vec<LastNumber>,
    /// What happened, for people.
    pub reason: Option<String>,
}

impl Governance {
    /// Signs the end of all keys of a site; none if they have ended.
    ///
    /// # Errors
    /// A site that is not enrolled, a reason that is none.
    pub fn sign_revocation(
        &self,
        basis: &Basis,
        site: &Name,
        reason: Option<&str>,
        now: Time,
    ) -> Result<Option<Attestation>, Fault> {
        let party = Party::Site(site.clone());
        if basis.registry.party(&party).is_ok() && !basis.registry.is_member(site) {
            return Ok(None);
        }
        let (keys, threshold, why, last) = (Vec::new(), None, Ending::Revoked, Vec::new());
        let reason = reason.map(str::to_owned);
        self.sign_change(basis, Change { party, keys, threshold, why, last, reason }, now).map(Some)
    }

    /// Ends all keys of a site; whether it had any.
    ///
    /// # Errors
    /// As [`Governance::sign_revocation`], or a disk that fails.
    pub fn revoke(&self, centre: &mut Centre, site: &Name, reason: Option<&str>, now: Time) -> Result<bool, Fault> {
        let lock = centre.lock()?;
        let Some(attestation) = self.sign_revocation(&Basis::of(centre)?, site, reason, now)? else { return Ok(false) };
        centre.publish(&attestation, &lock)?;
        Ok(true)
    }

    /// Signs the keys that a party of the roster asked for, which are printed so that people can compare them. `lost`:
    /// those that they replace are, and people know of that.
    ///
    /// # Errors
    /// Nobody asked, or not by the rules; two different requests; a request that the attest key did not sign, unless it is
    /// lost.
    pub fn sign_asked(
        &self,
        basis: &Basis,
        party: Party,
        lost: bool,
        now: Time,
    ) -> Result<(Attestation, String), Fault> {
        let name = party.name().map_err(refused)?;
        let (mut fit, mut unfit) = (Vec::<&RotateRequest>::new(), None);
        for request in basis.rotations.iter().filter(|request| request.party == party) {
            match request.check(&basis.registry) {
                Ok(()) if fit.contains(&request) => {}
                Ok(()) => fit.push(request),
                Err(refusal) => unfit = Some(refusal),
            }
        }
        let ask = match party {
            Party::Aggregator => "ask again: fedaudit-aggregator key rotate",
            _ => "at the site: fedaudit-agent key rotate, which asks again",
        };
        let request = match (&fit[..], unfit) {
            ([request], _) => *request,
            ([], None) => return Err(operator_hint(format!("{name} has not asked for other keys"), ask)),
            ([], Some(refusal)) => {
                return Err(operator_hint(format!("the request of {name} for other keys: {refusal}"), ask));
            }
            _ => {
                let what = format!("two different requests of {name} for other keys");
                return Err(operator_hint(what, "give the one that its operator means; nothing was signed"));
            }
        };
        let new = new_keys(request, &basis.registry);
        if request.is_unsigned() != lost {
            let (what, hint) = match lost {
                true => ("is signed by its attest key, and says of none that it is lost", "leave --lost out"),
                false => (
                    "is not signed: it says that they are lost",
                    "let its operator say so, and read the new keys out, by another way; then repeat this with --lost",
                ),
            };
            return Err(operator_hint(format!("the request of {name} for {new} {what}"), hint));
        }
        let (keys, last) = (request.keys.clone(), request.last.clone());
        let why = if lost { Ending::Lost } else { Ending::Rotated };
        let change = Change { party, keys, threshold: None, why, reason: None, last };
        Ok((self.sign_change(basis, change, now)?, new))
    }

    /// Signs that a site lost its keys, if it had any, and has these from now on.
    pub(super) fn sign_replaced(
        &self,
        basis: &Basis,
        site: &Name,
        keys: Vec<RosterKey>,
        now: Time,
    ) -> Result<Attestation, Fault> {
        let (party, threshold, why, last) = (Party::Site(site.clone()), None, Ending::Lost, Vec::new());
        self.sign_change(basis, Change { party, keys, threshold, why, reason: None, last }, now)
    }

    /// Publishes the keys that a party of the roster asked for; what they are.
    ///
    /// # Errors
    /// As [`Governance::sign_asked`], or a disk that fails.
    pub fn grant(&self, centre: &mut Centre, party: Party, lost: bool, now: Time) -> Result<String, Fault> {
        let lock = centre.lock()?;
        let (attestation, new) = self.sign_asked(&Basis::of(centre)?, party, lost, now)?;
        centre.publish(&attestation, &lock)?;
        Ok(new)
    }

    /// Signs what becomes of a party's keys: the next version of its roster entry.
    pub(super) fn sign_change(&self, basis: &Basis, change: Change, now: Time) -> Result<Attestation, Fault> {
        let Change { party, keys, threshold, why, last, reason } = change;
        let before = basis.registry.party(&party).map(Some).or_else(|refusal| {
            let hint = "fedaudit-aggregator site list shows who is enrolled; nothing was signed";
            // Governance is that of trust.json until an entry says otherwise.
            if party == Party::Governance { Ok(None) } else { Err(operator_hint(refusal.to_string(), hint)) }
        })?;
        let held = before.map_or(&[][..], |before| &before.keys);
        let given_up = held.iter().filter(|old| keys.iter().all(|new| new.key != old.key));
        let ended = given_up.map(|old| {
            let (logs, last) =
                if unlogged(old.usage) { Default::default() } else { (basis.sizes.clone(), last.clone()) };
            EndedKey { key: old.key.id(), why, logs, last }
        });
        let (format, ended) = (roster::FORMAT, ended.collect());
        let replaces = basis.registry.party_digest(&party);
        let version = before.map_or(1, |before| before.version + 1);
        let text = RosterText { format, version, party, keys, threshold, ended, reason };
        let entry = RosterEntry::new(text).map_err(|e| {
            operator_hint(e, "name the keys and the threshold that are to hold, or another reason; nothing was signed")
        })?;
        roster::attest_entry(&entry, self.head(basis, now, replaces), &[&self.key]).map_err(refused)
    }
}

/// The keys of a request that are new, as both sides print them.
pub fn new_keys(request: &RotateRequest, registry: &Registry) -> String {
    let held = registry.party(&request.party).map(|entry| entry.keys.clone()).unwrap_or_default();
    let new = request.keys.iter().filter(|key| !held.contains(key));
    new.map(|key| format!("{} {}", key.usage, key.key.id())).collect::<Vec<_>>().join(", ")
}

/// Transport and governance keys sign nothing that is looked up again in a log of their time.
fn unlogged(usage: KeyUse) -> bool {
    matches!(usage, KeyUse::Transport | KeyUse::Governance)
}

impl Centre {
    /// Whether all that is logged still holds when a document that was signed elsewhere, and that `after` has taken, is
    /// published: the logs may have grown since.
    ///
    /// # Errors
    /// They have, by keys that the document ends. Then it must not be published: this home could not be read any more.
    pub fn check_ends(&self, after: &Registry, artifact: &[u8]) -> Result<(), Fault> {
        let Ok(entry) = codec::from_json::<RosterEntry>(artifact) else { return Ok(()) };
        // Transport and governance keys name no logs.
        let signs = |ended: &&EndedKey| after.member(&ended.key).is_some_and(|member| !unlogged(member.usage));
        let mut logs = self.logs();
        let grown = logs.any(|log| {
            let within = |of: &LogSize| of.origin == log.origin() && of.size >= log.size();
            let ends = |ended: &EndedKey| ended.logs.iter().any(within);
            // In the registry only the log key signs: its checkpoints.
            let registry = after.is_origin(log.origin());
            let signs_here =
                |of: &&EndedKey| !registry || after.member(&of.key).is_some_and(|it| it.usage == KeyUse::Log);
            log.size() > 0 && !entry.ended.iter().filter(signs).filter(signs_here).all(ends)
        });
        if !grown {
            return Ok(());
        }
        Centre::open_with(Home::open(&self.home.dir)?, after.clone()).map(drop).map_err(|fault| {
            let what = format!("what was logged since this was signed would not hold: {}", fault.what);
            operator_hint(what, "sign it again after a fresh `registry export`; nothing was published")
        })
    }
}
