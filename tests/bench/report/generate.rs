//! A federation of any size with real signatures: registry, releases, logs.

use ed25519_dalek::SigningKey;
use fedaudit_core::aggregate::{Aggregate, Truth};
use fedaudit_core::bundle::{Bundle, LogPart};
use fedaudit_core::codec::Valid;
use fedaudit_core::contract::{self, Contract};
use fedaudit_core::disclosure::disclose;
use fedaudit_core::envelope::{
    Attestation, Head, ReleaseClaim, ReportClaim, attest_contract, attest_plan, attest_release,
};
use fedaudit_core::event::{Prediction, SCORE_ONE, Tier};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, PublicKey, sign};
use fedaudit_core::merkle::empty_root;
use fedaudit_core::note::{Checkpoint, VerifierKey};
use fedaudit_core::plan::{self, Plan};
use fedaudit_core::report;
use fedaudit_core::roster::{
    FORMAT, Governance, Party, Registry, RosterKey, RosterText, Trust, Witnesses, attest_entry, journal_origin,
    plan_origin, registry_origin,
};
use fedaudit_core::time::{HOUR_NS, Time, Window};
use fedaudit_tests::evidence::sign_log;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Events of a release.
pub const EVENTS: u64 = 2_000;
/// The plan's k.
pub const K: u64 = 10;

const CONTRACT: &str = r#"
contract = "risk"
version = 1
title = "A risk score"
task = "binary"
model = "risk"
[decision]
values = ["0", "1"]
favourable = "0"
[label]
values = ["0", "1"]
positive = "1"
[score]
min = 0.0
max = 1.0
[[attribute]]
name = "sex"
categories = ["female", "male"]
[[attribute]]
name = "age"
categories = ["young", "middle", "old"]
[[attribute]]
name = "region"
categories = ["north", "south"]
"#;

/// Everything that a report needs, and the keys.
pub struct Federation {
    registry: Registry,
    registry_part: LogPart,
    /// The plan's digest.
    pub plan: Digest,
    /// Its windows.
    pub windows: Vec<Window>,
    /// A release for each site and window.
    pub releases: Vec<Attestation>,
}

impl Federation {
    /// `sites` sites over `windows` months.
    pub fn generate(sites: usize, windows: usize) -> Federation {
        let names: Vec<Name> = (0..sites).map(|at| name(&format!("site-{at:04}"))).collect();
        let contract = contract::from_toml(CONTRACT).expect("a contract");
        let mut federation = Federation {
            registry: Registry::new(trust()),
            registry_part: LogPart::default(),
            plan: Digest([0; 32]),
            windows: Vec::new(),
            releases: Vec::new(),
        };
        federation.publish(attest_entry(&entry(Party::Aggregator, 0), head(), &[&governance()]).expect("attests"));
        for (at, site) in names.iter().enumerate() {
            let entry = entry(Party::Site(site.clone()), at + 1);
            federation.publish(attest_entry(&entry, head(), &[&governance()]).expect("attests"));
        }
        let contract_digest =
            federation.publish(attest_contract(&contract, head(), &[&governance()]).expect("attests"));
        let plan = plan(&names, windows, contract_digest);
        federation.plan = federation.publish(attest_plan(&plan, head(), &[&governance()]).expect("attests"));
        federation.windows = plan.all_windows();
        let mut rng = StdRng::seed_from_u64(1);
        let mut last: Vec<Option<Digest>> = vec![None; sites];
        for (sequence, window) in (0..).zip(federation.windows.clone()) {
            for (at, site) in names.iter().enumerate() {
                let made = federation.release(&plan, &contract, (at, site), window, (sequence, last[at]), &mut rng);
                last[at] = Some(Digest::of(&made.envelope));
                federation.releases.push(made);
            }
        }
        federation
    }

    fn publish(&mut self, made: Attestation) -> Digest {
        self.registry.apply(&made.envelope, &made.artifacts[0]).expect("applies");
        let digest = Digest::of(&made.artifacts[0]);
        self.registry_part.artifacts.insert(digest, made.artifacts[0].clone());
        self.registry_part.entries.push(made.envelope);
        digest
    }

    fn release(
        &self,
        plan: &Plan,
        contract: &Contract,
        (at, site): (usize, &Name),
        window: Window,
        (sequence, previous): (u64, Option<Digest>),
        rng: &mut StdRng,
    ) -> Attestation {
        let mut aggregate = Aggregate::empty(plan, contract).expect("fits");
        for _ in 0..EVENTS {
            let attributes = vec![rng.random_range(0..2_u16), rng.random_range(0..3_u16), rng.random_range(0..2_u16)];
            let score: f64 = rng.random::<f64>() * rng.random::<f64>();
            let q = (score * SCORE_ONE as f64) as u64;
            let label = u64::from(rng.random::<f64>() < score);
            let decision = u8::from(score > 0.3);
            let occurred_at = window.start;
            let latency_us = Some(rng.random_range(1_000..100_000_u64));
            let score_q = Some(q);
            let event = Prediction { occurred_at, decision, score_q, attributes, latency_us, ..Prediction::default() };
            aggregate.describe(&event).expect("inside the contract");
            aggregate.delay(occurred_at, occurred_at.plus_ns(rng.random_range(0..30 * 24) * HOUR_NS));
            aggregate.add((0, Tier::Full), &event, Some(Truth::new(label))).expect("inside the contract");
        }
        let release = disclose(&aggregate, plan, contract, self.plan, site, window).expect("belongs together").release;
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
        attest_release(&release, head(), claim, &key(at + 1, KeyUse::Attest)).expect("attests")
    }

    /// The registry, replayed.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What the verifier trusts.
    pub fn trust(&self) -> &'static Valid<Trust> {
        static TRUST: std::sync::OnceLock<Valid<Trust>> = std::sync::OnceLock::new();
        TRUST.get_or_init(trust)
    }

    /// The bundle around a report.
    pub fn bundle(&self, json: Vec<u8>, html: Vec<u8>) -> Bundle {
        let claim = ReportClaim {
            plan: self.plan,
            windows: self.windows.clone(),
            log_size: self.releases.len() as u64,
            registry_size: self.registry.size(),
            method: report::METHOD.to_owned(),
        };
        let attested =
            report::attest(json.clone(), html.clone(), claim, head(), &key(0, KeyUse::Attest)).expect("attests");
        let mut plan = LogPart::default();
        for made in &self.releases {
            plan.artifacts.insert(Digest::of(&made.artifacts[0]), made.artifacts[0].clone());
            plan.entries.push(made.envelope.clone());
        }
        plan.entries.push(attested.envelope.clone());
        let mut registry = self.registry_part.clone();
        publish_log(&mut registry, &registry_origin(&federation()));
        publish_log(&mut plan, &plan_origin(&federation(), &self.plan));
        Bundle {
            report_json: json,
            report_html: html,
            report_envelope: attested.envelope,
            registry,
            plan,
            not_evidence: Default::default(),
        }
    }

    /// Checks `count` signatures over 300 bytes.
    pub fn check_signatures(&self, count: usize) {
        let (signer, message) = (key(1, KeyUse::Attest), [7; 300]);
        let (public, signature) = (PublicKey::of(&signer), sign(&signer, &message));
        assert!((0..count).all(|_| public.verifies(&message, &signature)));
    }
}

fn publish_log(part: &mut LogPart, origin: &str) {
    sign_log(part, origin, &key(0, KeyUse::Log));
    part.policy = trust().policy(origin, &PublicKey::of(&key(0, KeyUse::Log))).into_bytes();
}

fn plan(sites: &[Name], windows: usize, contract: Digest) -> Plan {
    let quoted: Vec<_> = sites.iter().map(|site| format!("\"{site}\"")).collect();
    let end = format!("{:04}-{:02}-01T00:00:00Z", 2020 + windows / 12, 1 + windows % 12);
    let source = format!(
        "plan = \"risk\"\nversion = 1\ntitle = \"A plan\"\ncontract = \"risk\"\nmodel_versions = [\"v1\"]\n\
         required_sites = [{}]\n[windows]\nstart = \"2020-01-01T00:00:00Z\"\nend = \"{end}\"\nevery = \"month\"\n\
         release_after_hours = 24\n[disclosure]\nk = {K}\n[[slice]]\nattributes = [\"sex\"]\nreference = [\"male\"]\n\
         [[slice]]\nattributes = [\"age\"]\nreference = [\"middle\"]\n[[slice]]\nattributes = [\"region\"]\nreference = [\"north\"]\n",
        quoted.join(", ")
    );
    plan::from_toml(&source, |_| Some(contract)).expect("a plan")
}

fn trust() -> Valid<Trust> {
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
    let uses = match party {
        Party::Aggregator => [KeyUse::Attest, KeyUse::Log, KeyUse::Transport],
        Party::Site(_) => [KeyUse::Attest, KeyUse::Note, KeyUse::Transport],
    };
    let keys = uses.map(|usage| RosterKey { usage, key: PublicKey::of(&key(number, usage)) });
    Valid::new(RosterText { format: FORMAT, party, keys: keys.to_vec() }).expect("an entry")
}

/// The keys of party `number`; 0 is the aggregator.
fn key(number: usize, usage: KeyUse) -> SigningKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
    seed[8] = 1 + usage as u8;
    SigningKey::from_bytes(&seed)
}

fn governance() -> SigningKey {
    SigningKey::from_bytes(&[255; 32])
}

fn federation() -> Name {
    name("bench")
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn head() -> Head {
    let issued_at = Time::parse("2019-12-01T00:00:00Z").expect("a time");
    Head { federation: federation(), issued_at, seen: None, replaces: None }
}
