//! A federation with real signatures, up to its sites' releases.

use ed25519_dalek::SigningKey;
use fedaudit_core::aggregate::Aggregate;
use fedaudit_core::bundle::LogPart;
use fedaudit_core::codec::Valid;
use fedaudit_core::contract::{self, Contract};
use fedaudit_core::disclosure::disclose;
use fedaudit_core::envelope::{Attestation, Head, ReleaseClaim, attest_contract, attest_plan, attest_release};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::merkle::empty_root;
use fedaudit_core::note::{Checkpoint, VerifierKey};
use fedaudit_core::plan::{self, Plan};
use fedaudit_core::roster::{
    FORMAT, Governance, Party, Registry, RosterKey, RosterText, Trust, Witnesses, attest_entry, journal_origin,
    registry_origin,
};
use fedaudit_core::time::{Time, Window};

/// What sites and the aggregator agree on.
pub struct Federation {
    /// The registry, replayed.
    pub registry: Registry,
    /// Its entries.
    pub registry_part: LogPart,
    /// The plan's digest.
    pub plan: Digest,
    /// Its windows.
    pub windows: Vec<Window>,
}

impl Federation {
    /// Sites, contract and plan, and no releases yet.
    pub fn new(names: &[Name], contract: &str, plan: &str) -> (Federation, Contract, Plan) {
        let contract = contract::from_toml(contract).expect("a contract");
        let mut federation = Federation {
            registry: Registry::new(trust()),
            registry_part: LogPart::default(),
            plan: Digest([0; 32]),
            windows: Vec::new(),
        };
        federation.publish(attest_entry(&entry(Party::Aggregator, 0), head(), &[&governance()]).expect("attests"));
        for (at, site) in names.iter().enumerate() {
            let entry = entry(Party::Site(site.clone()), at + 1);
            federation.publish(attest_entry(&entry, head(), &[&governance()]).expect("attests"));
        }
        let contract_digest =
            federation.publish(attest_contract(&contract, head(), &[&governance()]).expect("attests"));
        let plan = plan::from_toml(plan, |_| Some(contract_digest)).expect("a plan");
        federation.plan = federation.publish(attest_plan(&plan, head(), &[&governance()]).expect("attests"));
        federation.windows = plan.all_windows();
        (federation, contract, plan)
    }

    /// Of those who had seen the registry.
    pub fn head(&self) -> Head {
        Head { seen: self.registry.seen(), ..head() }
    }

    fn publish(&mut self, made: Attestation) -> Digest {
        self.registry.apply(&made.envelope, &made.artifacts[0]).expect("applies");
        let digest = Digest::of(&made.artifacts[0]);
        self.registry_part.artifacts.insert(digest, made.artifacts[0].clone());
        self.registry_part.entries.push(made.envelope);
        digest
    }

    /// What a site releases of `aggregate`.
    pub fn release(
        &self,
        plan: &Plan,
        contract: &Contract,
        (at, site): (usize, &Name),
        window: Window,
        (sequence, previous): (u64, Option<Digest>),
        aggregate: &Aggregate,
    ) -> Attestation {
        let release = disclose(aggregate, plan, contract, self.plan, site, window).expect("belongs together").release;
        let journal = contract.journal_logs().map(|log| {
            let origin = journal_origin(&federation(), site, 1, &log);
            Checkpoint { origin, size: 0, root: empty_root() }.sign(&key(at + 1, KeyUse::Note)).expect("signs")
        });
        let claim = ReleaseClaim {
            site: site.clone(),
            plan: self.plan,
            contract: plan.contract_digest,
            window,
            epoch: 1,
            sequence,
            previous,
            amends: None,
            journal: journal.to_vec(),
            raw: Digest([0; 32]),
            software: "bench".to_owned(),
        };
        attest_release(&release, self.head(), claim, &key(at + 1, KeyUse::Attest)).expect("attests")
    }
}

/// What the verifier trusts.
pub fn trust() -> Valid<Trust> {
    let registry = VerifierKey { name: registry_origin(&federation()), key: PublicKey::of(&key(0, KeyUse::Log)) };
    let trust = Trust {
        format: FORMAT,
        version: 1,
        federation: federation(),
        governance: Governance { threshold: 1, keys: vec![PublicKey::of(&governance())] },
        registry: registry.to_string(),
        witnesses: Witnesses { threshold: 0, keys: Vec::new() },
    };
    Valid::new(trust).expect("a trust file")
}

fn entry(party: Party, number: usize) -> Valid<RosterText> {
    let keys = party.uses().iter().map(|usage| RosterKey { usage: *usage, key: PublicKey::of(&key(number, *usage)) });
    let keys = keys.collect();
    Valid::new(RosterText::of(party, keys)).expect("an entry")
}

/// The keys of party `number`; 0 is the aggregator.
pub fn key(number: usize, usage: KeyUse) -> SigningKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
    seed[8] = 1 + usage as u8;
    SigningKey::from_bytes(&seed)
}

fn governance() -> SigningKey {
    SigningKey::from_bytes(&[255; 32])
}

/// Its name.
pub fn federation() -> Name {
    name("bench")
}

/// A name.
pub fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// Statements are of one time.
fn head() -> Head {
    let issued_at = Time::parse("2019-12-01T00:00:00Z").expect("a time");
    Head { federation: federation(), issued_at, seen: None, replaces: None }
}
