//! Who is who, and which contracts and plans hold: what follows from the registry, entry by entry.

mod governed;
mod trust;
mod waivers;

pub use governed::describe;
pub use trust::{Governance, Trust, Witnesses};
pub use waivers::PublishedWaiver;

use crate::codec::{Rules, Valid};
use crate::contract::Contract;
use crate::envelope::{Attestation, Claim, Claimed, Head, Published, Statement, json, seal};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::key::{KeyUse, PublicKey};
use crate::limits;
use crate::note::VerifierKey;
use crate::plan::Plan;
use crate::time::Time;
use ed25519_dalek::SigningKey;
use governed::Governed;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Format of `roster-entry.json` and `trust.json`.
pub const FORMAT: u32 = 1;

/// Origin of the registry's checkpoints.
pub fn registry_origin(federation: &Name) -> String {
    format!("{federation}/registry")
}

/// Origin of a plan log's checkpoints.
pub fn plan_origin(federation: &Name, plan: &Digest) -> String {
    format!("{federation}/plan/{plan}")
}

/// Origin of a checkpoint of a site's journal.
pub fn journal_origin(federation: &Name, site: &Name, epoch: u32, log: &str) -> String {
    format!("{federation}/{site}/{epoch}/{log}")
}

/// A party with keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// The centre.
    Aggregator,
    /// A site.
    Site(Name),
}

/// The aggregator's name in claims and file names; no site may have it.
const AGGREGATOR: &str = "aggregator";

impl Party {
    /// The party's name in claims and file names.
    ///
    /// # Errors
    /// Never.
    pub fn name(&self) -> Result<Name, Refusal> {
        match self {
            Party::Site(site) => Ok(site.clone()),
            Party::Aggregator => Name::new(AGGREGATOR).map_err(|e| Refusal::new("roster", "a name", e)),
        }
    }
}

/// A roster entry that keeps its rules.
pub type RosterEntry = Valid<RosterText>;

/// Who a party is (`roster-entry.json`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterText {
    /// [`FORMAT`].
    pub format: u32,
    /// The party.
    pub party: Party,
    /// Its keys, one for each use.
    pub keys: Vec<RosterKey>,
}

/// A key and what it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterKey {
    /// What it is for.
    #[serde(rename = "use")]
    pub usage: KeyUse,
    /// The key.
    pub key: PublicKey,
}

impl Rules for RosterText {
    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("`format` is {}; this program knows {FORMAT}", self.format));
        }
        if matches!(&self.party, Party::Site(site) if site.as_str() == AGGREGATOR) {
            return Err(format!("`party` is a site called {AGGREGATOR}; choose another name"));
        }
        let wanted: BTreeSet<_> = match self.party {
            Party::Aggregator => [KeyUse::Attest, KeyUse::Log, KeyUse::Transport],
            Party::Site(_) => [KeyUse::Attest, KeyUse::Note, KeyUse::Transport],
        }
        .into();
        let uses: BTreeSet<_> = self.keys.iter().map(|key| key.usage).collect();
        let different: BTreeSet<_> = self.keys.iter().map(|key| key.key.id()).collect();
        if uses != wanted || self.keys.len() != wanted.len() || different.len() != wanted.len() {
            return Err(format!("`keys` must hold one key, different from the others, for each of {wanted:?}"));
        }
        Ok(())
    }
}

impl RosterText {
    /// The key for `usage`.
    ///
    /// # Errors
    /// `signer`: the entry has none.
    pub fn key(&self, usage: KeyUse) -> Result<PublicKey, Refusal> {
        let found = self.keys.iter().find(|key| key.usage == usage);
        found
            .map(|key| key.key)
            .ok_or_else(|| Refusal::new("signer", format!("a {usage} key of {:?}", self.party), "none"))
    }
}

/// Attests a roster entry.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_entry(entry: &RosterEntry, head: Head, keys: &[&SigningKey]) -> Result<Attestation, Refusal> {
    let claim = Published { name: entry.party.name()?, version: 1, replaces: head.replaces };
    seal(head.predicate(Claim::Roster(claim)), vec![json(entry)?], keys)
}

/// What follows from the first `size` entries of the registry.
#[derive(Clone, Debug)]
pub struct Registry {
    trust: Valid<Trust>,
    size: u64,
    parties: BTreeMap<Party, RosterEntry>,
    keys: BTreeMap<Digest, (Party, KeyUse)>,
    contracts: BTreeMap<Digest, Contract>,
    plans: BTreeMap<Digest, PublishedPlan>,
    waivers: Vec<PublishedWaiver>,
}

/// A plan and when governance says it was published.
#[derive(Clone, Debug)]
pub struct PublishedPlan {
    /// The plan.
    pub plan: Plan,
    /// When governance signed it.
    pub issued_at: Time,
}

impl Registry {
    /// No entries yet; `trust` says whose signature counts.
    pub fn new(trust: Valid<Trust>) -> Self {
        let (parties, keys, contracts, plans, waivers) = Default::default();
        Registry { trust, size: 0, parties, keys, contracts, plans, waivers }
    }

    /// Checks and takes the next entry. On an error nothing has changed.
    ///
    /// # Errors
    /// Which check the entry did not pass.
    pub fn apply(&mut self, envelope: &[u8], artifact: &[u8]) -> Result<(), Refusal> {
        let governance = &self.trust.governance;
        let statement = Claimed::parse(envelope)?.verify(&governance.keys, governance.threshold)?;
        let governed = Governed::open(&statement, &self.trust.federation, artifact)?;
        let digest = statement.only_subject()?;
        match governed {
            Governed::Entry(entry) => self.apply_entry(entry)?,
            Governed::Contract(contract, replaces) => {
                self.next_version("contract", self.contract(&contract.contract), contract.version, replaces)?;
                self.contracts.insert(digest, contract);
            }
            Governed::Plan(plan, replaces) => {
                let contract = self.contract_of(&plan)?;
                plan.check_against(contract).map_err(|e| Refusal::new("plan", "a plan that fits its contract", e))?;
                self.next_version("plan", self.plan_named(&plan.plan), plan.version, replaces)?;
                self.plans.insert(digest, PublishedPlan { plan, issued_at: statement.predicate.issued_at });
            }
            Governed::Waiver(waiver) => {
                self.check_waiver(&waiver)?;
                self.waivers.push(PublishedWaiver { index: self.size, artifact: digest, waiver });
            }
        }
        self.size += 1;
        Ok(())
    }

    fn apply_entry(&mut self, entry: RosterEntry) -> Result<(), Refusal> {
        if self.parties.contains_key(&entry.party) {
            return Err(Refusal::new(
                "roster",
                "a party that is not yet in the roster",
                format!("{:?} again", entry.party),
            ));
        }
        if entry.keys.iter().any(|key| self.keys.contains_key(&key.key.id())) {
            return Err(Refusal::new(
                "roster",
                "keys that no other party has",
                format!("a shared key of {:?}", entry.party),
            ));
        }
        if self.parties.len() >= limits::SITES {
            return Err(Refusal::new("roster", format!("at most {} parties", limits::SITES), "one more"));
        }
        if entry.party == Party::Aggregator {
            let log = entry.key(KeyUse::Log)?;
            let registry =
                VerifierKey::parse(&self.trust.registry).map_err(|e| Refusal::new("roster", "a registry key", e))?;
            same("roster", &log.id(), &registry.key.id())?;
        }
        self.keys.extend(entry.keys.iter().map(|key| (key.key.id(), (entry.party.clone(), key.usage))));
        self.parties.insert(entry.party.clone(), entry);
        Ok(())
    }

    fn next_version<T>(
        &self,
        what: &str,
        last: Option<(Digest, u32, T)>,
        version: u32,
        replaces: Option<Digest>,
    ) -> Result<(), Refusal> {
        match last {
            None => same(what, &None, &replaces),
            Some((digest, last, _)) if version > last => same(what, &Some(digest), &replaces),
            Some((_, last, _)) => Err(Refusal::new(what, format!("a version above {last}"), version)),
        }
    }

    /// Entries taken so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The trust that this registry is checked against.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The latest contract called `name`: digest, version, contract.
    pub fn contract(&self, name: &Name) -> Option<(Digest, u32, &Contract)> {
        let named = self.contracts.iter().filter(|(_, contract)| contract.contract == *name);
        named.map(|(digest, contract)| (*digest, contract.version, contract)).max_by_key(|found| found.1)
    }

    /// All contracts, sorted by name.
    pub fn contracts(&self) -> impl Iterator<Item = &Contract> {
        let mut contracts: Vec<_> = self.contracts.values().collect();
        contracts.sort_by(|a, b| a.contract.cmp(&b.contract));
        contracts.into_iter()
    }

    /// The latest plan called `name`: digest, version, plan.
    pub fn plan_named(&self, name: &Name) -> Option<(Digest, u32, &PublishedPlan)> {
        let named = self.plans.iter().filter(|(_, published)| published.plan.plan == *name);
        named.map(|(digest, published)| (*digest, published.plan.version, published)).max_by_key(|found| found.1)
    }

    /// All plans, by digest.
    pub fn plans(&self) -> impl Iterator<Item = (&Digest, &PublishedPlan)> {
        self.plans.iter()
    }

    /// The plan with this digest.
    ///
    /// # Errors
    /// `plan`: no such plan is in the registry.
    pub fn plan(&self, digest: &Digest) -> Result<&PublishedPlan, Refusal> {
        self.plans.get(digest).ok_or_else(|| Refusal::new("plan", "the digest of a plan in the registry", digest))
    }

    /// The contract that `plan` measures.
    ///
    /// # Errors
    /// `contract`: it is not in the registry.
    pub fn contract_of(&self, plan: &Plan) -> Result<&Contract, Refusal> {
        let found = self.contracts.get(&plan.contract_digest);
        found.ok_or_else(|| Refusal::new("contract", "the digest of a contract in the registry", plan.contract_digest))
    }

    /// The roster entry of `party`.
    ///
    /// # Errors
    /// `signer`: it is not in the roster.
    pub fn party(&self, party: &Party) -> Result<&RosterEntry, Refusal> {
        self.parties.get(party).ok_or_else(|| Refusal::new("signer", "a party in the roster", format!("{party:?}")))
    }

    /// The enrolled sites, by name.
    pub fn sites(&self) -> impl Iterator<Item = &Name> {
        self.parties.keys().filter_map(|party| match party {
            Party::Site(site) => Some(site),
            Party::Aggregator => None,
        })
    }

    /// The party whose key, and for what use, has this id.
    pub fn owner(&self, keyid: &Digest) -> Option<&(Party, KeyUse)> {
        self.keys.get(keyid)
    }

    /// The site whose transport key this is.
    pub fn site_of(&self, transport: &PublicKey) -> Option<&Name> {
        match self.owner(&transport.id()) {
            Some((Party::Site(site), KeyUse::Transport)) => Some(site),
            _ => None,
        }
    }
}

/// Checks that a statement belongs to `federation`.
///
/// # Errors
/// `federation`: it is of another one.
pub fn check_federation(statement: &Statement, federation: &Name) -> Result<(), Refusal> {
    same("federation", federation, &statement.predicate.federation)
}

/// `found` is what was `expected`.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(check: &str, expected: &T, found: &T) -> Result<(), Refusal> {
    if expected == found { Ok(()) } else { Err(Refusal::new(check, format!("{expected:?}"), format!("{found:?}"))) }
}
