//! Who is who, and which contracts and plans hold: what follows from the registry, entry by entry.

mod entry;
mod governed;
mod members;
mod trust;
mod waivers;

pub use entry::{EndedKey, Ending, LastNumber, LogSize, Party, RosterEntry, RosterKey, RosterText, attest_entry};
pub use governed::describe;
pub use members::{Member, Position};
pub use trust::{Governance, Trust, Witnesses};
pub use waivers::PublishedWaiver;

use crate::codec::{self, Valid};
use crate::continuity::{Epoch, TransportKey};
use crate::contract::Contract;
use crate::envelope::{Claim, Claimed, Seen, Statement};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::key::{KeyUse, PublicKey};
use crate::merkle::{Frontier, empty_root, leaf_hash};
use crate::note::{Checkpoint, NoteError, VerifierKey};
use crate::plan::Plan;
use crate::time::Time;
use governed::Governed;
use members::Members;
use std::collections::BTreeMap;

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

/// Origin of the checkpoints of the log of heartbeats.
pub fn heartbeats_origin(federation: &Name) -> String {
    format!("{federation}/heartbeats")
}

/// Origin of a checkpoint of a site's journal.
pub fn journal_origin(federation: &Name, site: &Name, epoch: u32, log: &str) -> String {
    format!("{federation}/{site}/{epoch}/{log}")
}

/// What follows from the first `size` entries of the registry.
#[derive(Clone, Debug)]
pub struct Registry {
    trust: Valid<Trust>,
    governance: Governance,
    tree: Frontier,
    /// Roots at all sizes, from 0 on.
    roots: Vec<Digest>,
    members: Members,
    contracts: BTreeMap<Digest, Contract>,
    plans: BTreeMap<Digest, PublishedPlan>,
    waivers: Vec<PublishedWaiver>,
    epochs: Vec<PublishedEpoch>,
}

/// A new epoch and where it stands.
#[derive(Clone, Debug)]
pub struct PublishedEpoch {
    /// Its index in the registry.
    pub index: u64,
    /// SHA-256 of `epoch.json`.
    pub artifact: Digest,
    /// The epoch.
    pub epoch: Epoch,
}

/// A plan and when governance says it was published.
#[derive(Clone, Debug)]
pub struct PublishedPlan {
    /// The plan.
    pub plan: Plan,
    /// When governance signed it.
    pub issued_at: Time,
    /// Its index in the registry.
    pub index: u64,
}

impl Registry {
    /// No entries yet; `trust` says whose signature counts.
    pub fn new(trust: Valid<Trust>) -> Self {
        let (contracts, plans, waivers, epochs) = Default::default();
        let governance = trust.governance.clone();
        let members = Members::new(&governance.keys);
        let (tree, roots) = (Frontier::new(), vec![empty_root()]);
        Registry { trust, governance, tree, roots, members, contracts, plans, waivers, epochs }
    }

    /// Checks and takes the next entry. On an error nothing has changed.
    ///
    /// # Errors
    /// Which check the entry did not pass.
    pub fn apply(&mut self, envelope: &[u8], artifact: &[u8]) -> Result<(), Refusal> {
        let claimed = Claimed::parse(envelope)?;
        match claimed.claimed_statement()?.predicate.claim {
            // The only thing that somebody else than governance says here.
            Claim::Transport(_) => self.apply_transport(envelope, artifact)?,
            _ => self.apply_governed(&claimed, artifact)?,
        }
        self.tree.push(leaf_hash(envelope));
        self.roots.push(self.tree.root());
        Ok(())
    }

    fn apply_governed(&mut self, claimed: &Claimed, artifact: &[u8]) -> Result<(), Refusal> {
        let statement = claimed.verify(&self.governance.keys, self.governance.threshold)?;
        self.check_seen(statement.predicate.seen.as_ref())?;
        let governed = Governed::open(&statement, &self.trust.federation, artifact)?;
        let digest = statement.only_subject()?;
        match governed {
            Governed::Entry(entry, replaces) => self.apply_entry(digest, entry, replaces)?,
            Governed::Contract(contract, replaces) => {
                self.next_version("contract", self.contract(&contract.contract), contract.version, replaces)?;
                self.contracts.insert(digest, *contract);
            }
            Governed::Plan(plan, replaces) => {
                let contract = self.contract_of(&plan)?;
                plan.check_against(contract).map_err(|e| Refusal::new("plan", "a plan that fits its contract", e))?;
                self.next_version("plan", self.plan_named(&plan.plan), plan.version, replaces)?;
                let (issued_at, index) = (statement.predicate.issued_at, self.size());
                self.plans.insert(digest, PublishedPlan { plan: *plan, issued_at, index });
            }
            Governed::Waiver(waiver) => {
                self.check_waiver(&waiver)?;
                self.waivers.push(PublishedWaiver { index: self.size(), artifact: digest, waiver });
            }
            Governed::Epoch(epoch) => {
                self.party(&Party::Site(epoch.site.clone()))?;
                same("epoch", &(self.epoch(&epoch.site) + 1), &epoch.epoch)?;
                self.epochs.push(PublishedEpoch { index: self.size(), artifact: digest, epoch });
            }
        }
        Ok(())
    }

    fn apply_transport(&mut self, envelope: &[u8], artifact: &[u8]) -> Result<(), Refusal> {
        let (claimed, keyid) = Claimed::parse_exact(envelope)?;
        let attest = |of: &&Member| of.usage == KeyUse::Attest && of.ended.is_none();
        let Some(signer) = self.member(&keyid).filter(attest) else {
            return Err(Refusal::new("signer", "an attest key in the roster that holds", keyid.short()));
        };
        let (party, statement) = (signer.party.clone(), claimed.verify(&[signer.key], 1)?);
        check_federation(&statement, &self.trust.federation)?;
        self.check_seen(statement.predicate.seen.as_ref())?;
        statement.check_artifacts(&[artifact])?;
        let Claim::Transport(claim) = &statement.predicate.claim else {
            return Err(Refusal::new("statement", "a transport key", statement.predicate.claim.predicate_type()));
        };
        let text: TransportKey =
            codec::from_json(artifact).map_err(|e| Refusal::new("artifact", "a valid document", e))?;
        same("signer", &party, &Party::Site(text.site.clone()))?;
        same("roster", &text.site, &claim.name)?;
        let (digest, change) = (statement.only_subject()?, (claim.version, claim.replaces));
        self.members.replace_transport(self.size(), digest, &text.site, text.key, change)
    }

    fn apply_entry(&mut self, digest: Digest, entry: RosterEntry, replaces: Option<Digest>) -> Result<(), Refusal> {
        if entry.party == Party::Aggregator && entry.version == 1 {
            let log = entry.key(KeyUse::Log)?;
            let registry =
                VerifierKey::parse(&self.trust.registry).map_err(|e| Refusal::new("roster", "a registry key", e))?;
            same("roster", &log.id(), &registry.key.id())?;
        }
        let governance = (entry.party == Party::Governance).then(|| Governance {
            threshold: entry.threshold.unwrap_or(usize::MAX),
            keys: entry.keys.iter().map(|key| key.key).collect(),
        });
        self.members.apply(self.size(), digest, entry, replaces)?;
        self.governance = governance.unwrap_or_else(|| self.governance.clone());
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
        self.tree.size()
    }

    /// The root over the first `size` entries; none if there are fewer.
    pub fn root_at(&self, size: u64) -> Option<Digest> {
        self.roots.get(usize::try_from(size).ok()?).copied()
    }

    /// What a signer names that has seen all of it; none of an empty one.
    pub fn seen(&self) -> Option<Seen> {
        let origin = registry_origin(&self.trust.federation);
        self.roots.last().filter(|_| self.size() > 0).map(|root| Seen { origin, size: self.size(), root: *root })
    }

    /// Whether an origin is that of this registry.
    pub fn is_origin(&self, origin: &str) -> bool {
        registry_origin(&self.trust.federation) == origin
    }

    /// Who must sign the next entry.
    pub fn governance(&self) -> &Governance {
        &self.governance
    }

    /// Whether a checkpoint that a signer names as seen is one of this registry: of another one, somebody was shown a fork.
    /// Checkpoints of other logs are not looked at.
    ///
    /// # Errors
    /// `seen`: another root at that size. `missing`: more entries than there are here.
    pub fn check_seen(&self, seen: Option<&Seen>) -> Result<(), Refusal> {
        let Some(seen) = seen.filter(|seen| self.is_origin(&seen.origin)) else { return Ok(()) };
        match self.root_at(seen.size) {
            Some(root) => same("seen", &root, &seen.root),
            None => {
                let expected = format!("{} entries of the registry, which the signer had seen", seen.size);
                Err(Refusal::new("missing", expected, self.size()))
            }
        }
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

    /// The latest roster entry of `party`.
    ///
    /// # Errors
    /// `signer`: it is not in the roster.
    pub fn party(&self, party: &Party) -> Result<&RosterEntry, Refusal> {
        let found = self.members.party(party).map(|(_, entry)| entry);
        found.ok_or_else(|| Refusal::new("signer", "a party in the roster", format!("{party:?}")))
    }

    /// The digest of the latest roster entry of `party`, which the next one replaces.
    pub fn party_digest(&self, party: &Party) -> Option<Digest> {
        self.members.party(party).map(|(digest, _)| *digest)
    }

    /// The enrolled sites, by name; those that left too.
    pub fn sites(&self) -> impl Iterator<Item = &Name> {
        self.members.sites()
    }

    /// Whether a site has keys: it is enrolled, and was not revoked.
    pub fn is_member(&self, site: &Name) -> bool {
        self.party(&Party::Site(site.clone())).is_ok_and(|entry| !entry.keys.is_empty())
    }

    /// A key that stands in the roster, or stood there.
    pub fn member(&self, keyid: &Digest) -> Option<&Member> {
        self.members.key(keyid)
    }

    /// Every key that a party has or had for a use, those that hold first.
    pub fn keys_of(&self, party: &Party, usage: KeyUse) -> Vec<PublicKey> {
        self.members.keys_of(party, usage)
    }

    /// Whether a key held where a document stands that it signed.
    ///
    /// # Errors
    /// `key`: it had ended. `signer`: it was never in the roster.
    pub fn holds(&self, keyid: &Digest, at: Position) -> Result<(), Refusal> {
        self.members.holds(keyid, at)
    }

    /// The epochs of a site that governance let begin, in order.
    pub fn epochs_of(&self, site: &Name) -> impl Iterator<Item = &PublishedEpoch> {
        self.epochs.iter().filter(move |published| published.epoch.site == *site)
    }

    /// The epoch of a site's journal.
    pub fn epoch(&self, site: &Name) -> u32 {
        self.epoch_at(site, self.size())
    }

    /// The epoch of a site's journal as of the first `size` entries.
    pub fn epoch_at(&self, site: &Name, size: u64) -> u32 {
        self.epochs_of(site).filter(|of| of.index < size).last().map_or(1, |of| of.epoch.epoch)
    }

    /// The site whose transport key this is; of a key that ended, none.
    pub fn site_of(&self, transport: &PublicKey) -> Option<&Name> {
        match self.member(&transport.id()) {
            Some(Member { party: Party::Site(site), usage: KeyUse::Transport, ended: None, .. }) => Some(site),
            _ => None,
        }
    }

    /// The keys that sign, or signed, checkpoints of the aggregator's logs: before its roster entry the one of `trust.json`.
    ///
    /// # Errors
    /// Never: `trust.json` holds a key.
    pub fn log_keys(&self) -> Result<Vec<PublicKey>, NoteError> {
        let keys = self.keys_of(&Party::Aggregator, KeyUse::Log);
        if keys.is_empty() { Ok(vec![VerifierKey::parse(&self.trust.registry)?.key]) } else { Ok(keys) }
    }

    /// Opens a checkpoint of one of the aggregator's logs: signed by a log key that holds, or held up to that size.
    ///
    /// # Errors
    /// As [`Checkpoint::open`]; a checkpoint of another origin, or signed by a key that had ended.
    pub fn open_checkpoint(&self, note: &[u8], origin: &str) -> Result<Checkpoint, NoteError> {
        let (checkpoint, signers) = Checkpoint::open_by(note, origin, &self.log_keys()?)?;
        let at = Position { origin, index: checkpoint.size.saturating_sub(1), number: None };
        let mut ended = None;
        for id in signers.iter().map(PublicKey::id) {
            match self.member(&id).map_or(Ok(()), |_| self.holds(&id, at)) {
                Ok(()) => return Ok(checkpoint),
                Err(refusal) => ended = Some(refusal),
            }
        }
        Err(NoteError::Ended { why: ended.map_or(String::new(), |refusal| refusal.to_string()) })
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
