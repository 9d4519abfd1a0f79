//! The parties and every key that they ever had: which hold now, and which held where.

use super::entry::{EndedKey, Ending, Party, RosterEntry, RosterText};
use super::same;
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::key::{KeyUse, PublicKey};
use crate::limits;
use std::collections::BTreeMap;

/// Who is who.
#[derive(Clone, Debug)]
pub(super) struct Members {
    /// The keys of governance before it was the registry that named them.
    trusted: Vec<Digest>,
    parties: BTreeMap<Party, (Digest, RosterEntry)>,
    keys: BTreeMap<Digest, Member>,
    /// How many transport keys a site took by its own word since governance spoke last of it.
    own: BTreeMap<Name, u32>,
}

/// A key that stands, or stood, in the roster.
#[derive(Clone, Debug)]
pub struct Member {
    /// Whose it is.
    pub party: Party,
    /// What it is for.
    pub usage: KeyUse,
    /// The key.
    pub key: PublicKey,
    /// Index of the registry entry that brought it.
    pub since: u64,
    /// Index of the registry entry that ended it, and what that says.
    pub ended: Option<(u64, EndedKey)>,
}

/// Where a document stands: in a log, and, if it is one of those that a site numbers, with which number of which plan.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    /// The log's origin.
    pub origin: &'a str,
    /// Index in it.
    pub index: u64,
    /// Plan and number.
    pub number: Option<(Digest, u64)>,
}

impl Members {
    pub(super) fn new(trusted: &[PublicKey]) -> Members {
        let trusted = trusted.iter().map(PublicKey::id).collect();
        Members { trusted, parties: BTreeMap::new(), keys: BTreeMap::new(), own: BTreeMap::new() }
    }

    /// Takes what entry `index` of the registry says of a party.
    pub(super) fn apply(
        &mut self,
        index: u64,
        digest: Digest,
        entry: RosterEntry,
        replaces: Option<Digest>,
    ) -> Result<(), Refusal> {
        let known = self.parties.get(&entry.party);
        let version = known.map_or(1, |(_, before)| before.version.saturating_add(1));
        if entry.version != version {
            let found = format!("{:?} again, as version {}", entry.party, entry.version);
            let wanted = if known.is_none() {
                "a party that is not yet in the roster".to_owned()
            } else {
                format!("version {version}")
            };
            return Err(Refusal::new("roster", wanted, found));
        }
        same("roster", &known.map(|(digest, _)| *digest), &replaces)?;
        let before: Vec<Digest> =
            known.map_or(Vec::new(), |(_, before)| before.keys.iter().map(|key| key.key.id()).collect());
        self.check_keys(&entry, &before)?;
        if self.parties.len() >= limits::SITES && known.is_none() {
            return Err(Refusal::new("roster", format!("at most {} parties", limits::SITES), "one more"));
        }
        for ended in &entry.ended {
            if let Some(member) = self.keys.get_mut(&ended.key) {
                member.ended = Some((index, ended.clone()));
            }
        }
        for key in &entry.keys {
            let new =
                || Member { party: entry.party.clone(), usage: key.usage, key: key.key, since: index, ended: None };
            self.keys.entry(key.key.id()).or_insert_with(new);
        }
        if let Party::Site(site) = &entry.party {
            self.own.remove(site);
        }
        self.parties.insert(entry.party.clone(), (digest, entry));
        Ok(())
    }

    /// Takes a site's own word for its next transport key: entry `index` of the registry.
    pub(super) fn replace_transport(
        &mut self,
        index: u64,
        digest: Digest,
        site: &Name,
        key: PublicKey,
        (version, replaces): (u32, Option<Digest>),
    ) -> Result<(), Refusal> {
        let party = Party::Site(site.clone());
        let Some((_, before)) = self.party(&party) else {
            return Err(Refusal::new("signer", "a party in the roster", format!("{party:?}")));
        };
        let mut text: RosterText = (**before).clone();
        text.version = version;
        text.ended.clear();
        for held in text.keys.iter_mut().filter(|held| held.usage == KeyUse::Transport) {
            // What a transport key did is not looked up again: no log holds it.
            let (logs, last) = Default::default();
            text.ended.push(EndedKey { key: held.key.id(), why: Ending::Rotated, logs, last });
            held.key = key;
        }
        let entry = RosterEntry::new(text).map_err(|e| Refusal::new("roster", "a site's keys", e))?;
        let taken = self.own.get(site).copied().unwrap_or(0);
        if taken >= limits::OWN_TRANSPORT_KEYS {
            let expected = format!("at most {} transport keys by a site's own word", limits::OWN_TRANSPORT_KEYS);
            return Err(Refusal::new("roster", expected, "one more, before governance spoke of the site again"));
        }
        self.apply(index, digest, entry, replaces)?;
        self.own.insert(site.clone(), taken + 1);
        Ok(())
    }

    /// Every key of before is kept for the same use, or ended; every other one is new to the federation.
    fn check_keys(&self, entry: &RosterEntry, before: &[Digest]) -> Result<(), Refusal> {
        for key in &entry.keys {
            let id = key.key.id();
            let trusted = entry.party != Party::Governance && self.trusted.contains(&id);
            let taken = self.keys.get(&id).is_some_and(|of| !before.contains(&id) || of.usage != key.usage);
            if trusted || taken {
                let found = format!("a shared key of {:?}", entry.party);
                return Err(Refusal::new("roster", "keys that no other party has, nor had", found));
            }
        }
        let kept = |id: &Digest| entry.keys.iter().any(|key| key.key.id() == *id);
        let ended = |id: &Digest| entry.ended.iter().any(|ended| ended.key == *id);
        let forgotten = before.iter().find(|id| !kept(id) && !ended(id));
        let foreign = entry.ended.iter().find(|ended| !before.contains(&ended.key));
        match forgotten.copied().or(foreign.map(|ended| ended.key)) {
            Some(id) => {
                Err(Refusal::new("roster", "an end of each key of the version before that is kept no more", id))
            }
            None => Ok(()),
        }
    }

    pub(super) fn party(&self, party: &Party) -> Option<&(Digest, RosterEntry)> {
        self.parties.get(party)
    }

    pub(super) fn sites(&self) -> impl Iterator<Item = &Name> {
        self.parties.keys().filter_map(|party| match party {
            Party::Site(site) => Some(site),
            Party::Governance | Party::Aggregator => None,
        })
    }

    pub(super) fn key(&self, id: &Digest) -> Option<&Member> {
        self.keys.get(id)
    }

    /// Every key that a party has or had for a use, those that hold first.
    pub(super) fn keys_of(&self, party: &Party, usage: KeyUse) -> Vec<PublicKey> {
        let of = |member: &&Member| member.party == *party && member.usage == usage;
        let (ended, held): (Vec<&Member>, Vec<&Member>) =
            self.keys.values().filter(of).partition(|member| member.ended.is_some());
        held.into_iter().chain(ended).map(|member| member.key).collect()
    }

    /// Whether the key held where a document stands that it signed.
    pub(super) fn holds(&self, id: &Digest, at: Position) -> Result<(), Refusal> {
        let Some(member) = self.keys.get(id) else {
            return Err(Refusal::new("signer", "a key in the roster", id));
        };
        let Some((entry, ended)) = &member.ended else { return Ok(()) };
        let logged = ended.logs.iter().any(|log| log.origin == at.origin && at.index < log.size);
        if logged || at.number.is_some_and(|number| ended.holds_number(number)) {
            return Ok(());
        }
        let expected = format!("a {} key that holds at entry {} of {}", member.usage, at.index, at.origin);
        let found = format!("{}, {} by entry {entry} of the registry", id.short(), ended.why);
        Err(Refusal::new("key", expected, found))
    }
}
