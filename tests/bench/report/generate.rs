//! Releases of any number of sites and windows, and the bundle around their report.

use super::federation::{Federation, federation as name_of, key, name, trust};
use fedaudit_core::aggregate::{Aggregate, Truth};
use fedaudit_core::bundle::{Bundle, LogPart};
use fedaudit_core::contract::Contract;
use fedaudit_core::envelope::{Attestation, ReportClaim};
use fedaudit_core::event::{Prediction, SCORE_ONE, Tier};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, PublicKey, sign};
use fedaudit_core::plan::Plan;
use fedaudit_core::report;
use fedaudit_core::roster::{plan_origin, registry_origin};
use fedaudit_core::time::{HOUR_NS, Window};
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

/// `sites` sites over `windows` months, and a release for each of both.
pub fn generate(sites: usize, windows: usize) -> (Federation, Vec<Attestation>) {
    let names: Vec<Name> = (0..sites).map(|at| name(&format!("site-{at:04}"))).collect();
    let (federation, contract, plan) = Federation::new(&names, CONTRACT, &plan(&names, windows));
    let mut rng = StdRng::seed_from_u64(1);
    let mut last: Vec<Option<Digest>> = vec![None; sites];
    let mut releases = Vec::new();
    for (sequence, window) in (0..).zip(federation.windows.clone()) {
        for (at, site) in names.iter().enumerate() {
            let aggregate = drawn(&plan, &contract, window, &mut rng);
            let made = federation.release(&plan, &contract, (at, site), window, (sequence, last[at]), &aggregate);
            last[at] = Some(Digest::of(&made.envelope));
            releases.push(made);
        }
    }
    (federation, releases)
}

/// Events of one site.
fn drawn(plan: &Plan, contract: &Contract, window: Window, rng: &mut StdRng) -> Aggregate {
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
    aggregate
}

/// The bundle around a report.
pub fn bundle(federation: &Federation, releases: &[Attestation], json: Vec<u8>, html: Vec<u8>) -> Bundle {
    let claim = ReportClaim {
        plan: federation.plan,
        windows: federation.windows.clone(),
        log_size: releases.len() as u64,
        registry_size: federation.registry.size(),
        method: report::METHOD.to_owned(),
        number: 0,
        supersedes: None,
    };
    let attested =
        report::attest(json.clone(), html.clone(), claim, federation.head(), &key(0, KeyUse::Attest)).expect("attests");
    let mut plan = LogPart::default();
    for made in releases {
        plan.artifacts.insert(Digest::of(&made.artifacts[0]), made.artifacts[0].clone());
        plan.entries.push(made.envelope.clone());
    }
    plan.entries.push(attested.envelope.clone());
    let mut registry = federation.registry_part.clone();
    publish_log(&mut registry, &registry_origin(&name_of()));
    publish_log(&mut plan, &plan_origin(&name_of(), &federation.plan));
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
pub fn check_signatures(count: usize) {
    let (signer, message) = (key(1, KeyUse::Attest), [7; 300]);
    let (public, signature) = (PublicKey::of(&signer), sign(&signer, &message));
    assert!((0..count).all(|_| public.verifies(&message, &signature)));
}

fn publish_log(part: &mut LogPart, origin: &str) {
    sign_log(part, origin, &key(0, KeyUse::Log));
    part.policy = trust().policy(origin, &PublicKey::of(&key(0, KeyUse::Log))).into_bytes();
}

fn plan(sites: &[Name], windows: usize) -> String {
    let quoted: Vec<_> = sites.iter().map(|site| format!("\"{site}\"")).collect();
    let end = format!("{:04}-{:02}-01T00:00:00Z", 2020 + windows / 12, 1 + windows % 12);
    format!(
        "plan = \"risk\"\nversion = 1\ntitle = \"A plan\"\ncontract = \"risk\"\nmodel_versions = [\"v1\"]\n\
         required_sites = [{}]\n[windows]\nstart = \"2020-01-01T00:00:00Z\"\nend = \"{end}\"\nevery = \"month\"\n\
         release_after_hours = 24\n[disclosure]\nk = {K}\n[[slice]]\nattributes = [\"sex\"]\nreference = [\"male\"]\n\
         [[slice]]\nattributes = [\"age\"]\nreference = [\"middle\"]\n[[slice]]\nattributes = [\"region\"]\nreference = [\"north\"]\n",
        quoted.join(", ")
    )
}
