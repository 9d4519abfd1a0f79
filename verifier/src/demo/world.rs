//! A federation of two sites, in memory: every document is made by the functions that real parties use, from fixed counts and
//! with keys whose seeds stand here for everybody to read.

use ed25519_dalek::SigningKey;
use fedaudit_core::aggregate::{Aggregate, Truth};
use fedaudit_core::bundle::{Bundle, LogPart};
use fedaudit_core::codec::{self, Valid};
use fedaudit_core::contract::{self, Contract};
use fedaudit_core::disclosure::disclose;
use fedaudit_core::envelope::{
    Attestation, Head, ReleaseClaim, ReportClaim, attest_contract, attest_plan, attest_release,
};
use fedaudit_core::event::{Prediction, Tier};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::merkle::{Frontier, empty_root, leaf_hash};
use fedaudit_core::note::{Checkpoint, VerifierKey};
use fedaudit_core::plan::{self, Plan};
use fedaudit_core::render;
use fedaudit_core::report::{self, Input, METHOD, Report};
use fedaudit_core::roster::{
    FORMAT, Governance, Party, Registry, RosterKey, RosterText, Trust, Witnesses, attest_entry, journal_origin,
    plan_origin, registry_origin,
};
use fedaudit_core::time::Time;
use fedaudit_core::verify;

/// What went wrong, in words: nothing, as all inputs are fixed.
pub type Made<T> = Result<T, String>;

/// Sites and their events: a row a group, refused and granted.
const SITES: [(&str, [[u64; 2]; 2]); 2] = [("site-a", [[40, 60], [30, 70]]), ("site-b", [[55, 45], [20, 80]])];

const CONTRACT: &str = r#"
contract = "loan"
version = 1
title = "Loans, made up for a demonstration"
task = "binary"
model = "demo"
[decision]
values = ["refuse", "grant"]
favourable = "grant"
[label]
values = ["default", "repaid"]
positive = "repaid"
[[attribute]]
name = "sex"
categories = ["female", "male"]
"#;

const PLAN: &str = r#"
plan = "demo"
version = 1
title = "Are loans granted as often to women as to men?"
contract = "loan"
model_versions = ["v1"]
required_sites = ["site-a", "site-b"]
[windows]
start = "2026-01-01T00:00:00Z"
end = "2026-02-01T00:00:00Z"
release_after_hours = 24
[disclosure]
k = 5
[[slice]]
attributes = ["sex"]
reference = ["male"]
"#;

/// The federation, and the bundle of its report.
pub struct Demo {
    /// What a regulator would have been given.
    pub trust: Valid<Trust>,
    /// The report and all evidence.
    pub bundle: Bundle,
    /// Digest of the plan.
    pub plan: Digest,
    registry: Registry,
}

/// Builds it; the same each time.
pub fn build() -> Made<Demo> {
    let trust = trust()?;
    let mut demo =
        Demo { registry: Registry::new(trust.clone()), trust, bundle: Bundle::default(), plan: Digest([0; 32]) };
    let governance = key("governance", KeyUse::Governance);
    demo.publish(attest_entry(&entry(Party::Aggregator)?, head()?, &[&governance]))?;
    let contract = contract::from_toml(CONTRACT).map_err(said)?;
    let digest = demo.publish(attest_contract(&contract, head()?, &[&governance]))?;
    let plan = plan::from_toml(PLAN, |_| Some(digest)).map_err(said)?;
    demo.plan = demo.publish(attest_plan(&plan, head()?, &[&governance]))?;
    for (site, _) in SITES {
        demo.publish(attest_entry(&entry(Party::Site(name(site)?))?, head()?, &[&governance]))?;
    }
    for (site, counts) in SITES {
        let release = demo.release(&plan, &contract, &name(site)?, counts)?;
        let artifact = release.artifacts.into_iter().next().unwrap_or_default();
        demo.bundle.plan.artifacts.insert(Digest::of(&artifact), artifact);
        demo.bundle.plan.entries.push(release.envelope);
    }
    let report = demo.report()?;
    demo.bundle.report_json = codec::to_json(&report).map_err(said)?;
    demo.bundle.report_html = render::html(&report).into_bytes();
    demo.bundle.report_envelope = demo.signed_report(&demo.bundle)?;
    demo.bundle.plan.entries.push(demo.bundle.report_envelope.clone());
    let mut bundle = std::mem::take(&mut demo.bundle);
    demo.sign_registry(&mut bundle)?;
    demo.sign_plan_log(&mut bundle)?;
    demo.bundle = bundle;
    Ok(demo)
}

impl Demo {
    fn publish(&mut self, made: Result<Attestation, impl std::fmt::Display>) -> Made<Digest> {
        let made = made.map_err(said)?;
        let artifact = made.artifacts.into_iter().next().unwrap_or_default();
        self.registry.apply(&made.envelope, &artifact).map_err(said)?;
        let digest = Digest::of(&artifact);
        self.bundle.registry.artifacts.insert(digest, artifact);
        self.bundle.registry.entries.push(made.envelope);
        Ok(digest)
    }

    /// Of those who had seen the registry.
    fn head(&self) -> Made<Head> {
        Ok(Head { seen: self.registry.seen(), ..head()? })
    }

    /// Signs the registry as it stands in a bundle, with the log's own key.
    pub fn sign_registry(&self, bundle: &mut Bundle) -> Made<()> {
        sign_log(&mut bundle.registry, &registry_origin(&self.trust.federation), &self.trust)
    }

    /// Signs the plan's log as it stands in a bundle, with the log's own key.
    pub fn sign_plan_log(&self, bundle: &mut Bundle) -> Made<()> {
        sign_log(&mut bundle.plan, &plan_origin(&self.trust.federation, &self.plan), &self.trust)
    }

    fn release(&self, plan: &Plan, contract: &Contract, site: &Name, counts: [[u64; 2]; 2]) -> Made<Attestation> {
        let window = *plan.all_windows().first().ok_or("a plan has a window")?;
        let mut aggregate = Aggregate::empty(plan, contract).map_err(said)?;
        for (group, counts) in (0..).zip(counts) {
            for (decision, count) in (0..).zip(counts) {
                for nth in 0..count {
                    let (occurred_at, attributes) = (window.start, vec![group]);
                    let event = Prediction { occurred_at, decision, attributes, ..Prediction::default() };
                    aggregate.describe(&event).map_err(said)?;
                    // Four of five granted loans are paid back; of the refused ones nobody knows better than of half.
                    let repaid = u64::from(if decision == 1 { nth % 5 > 0 } else { nth % 2 > 0 });
                    aggregate.delay(occurred_at, occurred_at);
                    aggregate.add((0, Tier::Full), &event, Some(Truth::new(repaid))).map_err(said)?;
                }
            }
        }
        let release = disclose(&aggregate, plan, contract, self.plan, site, window)?.release;
        let note = key(site.as_str(), KeyUse::Note);
        let journal = contract.journal_logs().map(|log| {
            let origin = journal_origin(&self.trust.federation, site, 1, &log);
            Checkpoint { origin, size: 0, root: empty_root() }.sign(&note).map_err(said)
        });
        let claim = ReleaseClaim {
            site: site.clone(),
            plan: self.plan,
            contract: plan.contract_digest,
            window,
            epoch: 1,
            sequence: 0,
            previous: None,
            amends: None,
            journal: journal.into_iter().collect::<Made<_>>()?,
            raw: Digest([0; 32]),
            software: "demo".to_owned(),
        };
        attest_release(&release, self.head()?, claim, &key(site.as_str(), KeyUse::Attest)).map_err(said)
    }

    /// The report over all releases of the plan's log.
    pub fn report(&self) -> Made<Report> {
        let mut releases = Vec::new();
        for (index, envelope) in (0..).zip(self.bundle.plan.entries.iter().take(SITES.len())) {
            let artifact = &self.bundle.plan.artifacts[&verify::claimed_subject(envelope).map_err(said)?];
            releases.push((index, verify::release(envelope, artifact, &self.registry).map_err(said)?));
        }
        let windows = self.registry.plan(&self.plan).map_err(said)?.plan.all_windows();
        let input = Input {
            registry: &self.registry,
            plan: self.plan,
            windows: &windows,
            log_size: SITES.len() as u64,
            releases: &releases,
            abstentions: &[],
            disputes: &[],
            reports: &[],
        };
        report::compile(&input).map_err(said)
    }

    /// The aggregator's envelope over the report of a bundle.
    pub fn signed_report(&self, bundle: &Bundle) -> Made<Vec<u8>> {
        let claim = ReportClaim {
            plan: self.plan,
            windows: self.registry.plan(&self.plan).map_err(said)?.plan.all_windows(),
            log_size: SITES.len() as u64,
            registry_size: self.registry.size(),
            method: METHOD.to_owned(),
            number: 0,
            supersedes: None,
        };
        let (json, html) = (bundle.report_json.clone(), bundle.report_html.clone());
        let signer = key("aggregator", KeyUse::Attest);
        Ok(report::attest(json, html, claim, self.head()?, &signer).map_err(said)?.envelope)
    }
}

fn sign_log(part: &mut LogPart, origin: &str, trust: &Trust) -> Made<()> {
    let log = key("aggregator", KeyUse::Log);
    let mut tree = Frontier::new();
    part.entries.iter().for_each(|entry| tree.push(leaf_hash(entry)));
    let checkpoint = Checkpoint { origin: origin.to_owned(), size: tree.size(), root: tree.root() };
    part.checkpoint = checkpoint.sign(&log).map_err(said)?.into_bytes();
    part.policy = trust.policy(origin, &PublicKey::of(&log)).into_bytes();
    Ok(())
}

fn trust() -> Made<Valid<Trust>> {
    let federation = name("demo")?;
    let registry =
        VerifierKey { name: registry_origin(&federation), key: PublicKey::of(&key("aggregator", KeyUse::Log)) };
    Valid::new(Trust {
        format: FORMAT,
        version: 1,
        federation,
        governance: Governance { threshold: 1, keys: vec![PublicKey::of(&key("governance", KeyUse::Governance))] },
        registry: registry.to_string(),
        witnesses: Witnesses { threshold: 0, keys: Vec::new() },
    })
    .map_err(said)
}

fn entry(party: Party) -> Made<Valid<RosterText>> {
    let owner = party.name().map_err(said)?;
    let of = |usage: &KeyUse| RosterKey { usage: *usage, key: PublicKey::of(&key(owner.as_str(), *usage)) };
    let keys = party.uses().iter().map(of).collect();
    Valid::new(RosterText::of(party, keys)).map_err(said)
}

/// A key whose seed anybody can compute: it must never sign anything else.
pub fn key(owner: &str, usage: KeyUse) -> SigningKey {
    SigningKey::from_bytes(&Digest::of(format!("fedaudit demo {owner} {usage}").as_bytes()).0)
}

fn head() -> Made<Head> {
    let issued_at = Time::parse("2025-12-01T00:00:00Z")?;
    Ok(Head { federation: name("demo")?, issued_at, seen: None, replaces: None })
}

fn name(text: &str) -> Made<Name> {
    Name::new(text).map_err(said)
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}
