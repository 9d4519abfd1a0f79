//! A small federation with real signatures, from counts to a report.

use crate::codec::Valid;
use crate::contract::{self, Contract, Feature};
use crate::disclosure::{
    Block, Cell, Counts, Decimal, FeatureQuality, Operations, Quality, RELEASE_FORMAT, RULE, ReleaseText,
    ReleasedGroup, ReleasedSlice, ReleasedStratum, Sum,
};
use crate::envelope::{Attestation, Claim, Head, ReleaseClaim, attest_contract, attest_plan, json, seal};
use crate::event::{IntakeCounts, Tier};
use crate::ids::{Digest, Name};
use crate::key::{KeyUse, PublicKey};
use crate::merkle::empty_root;
use crate::note::{Checkpoint, VerifierKey};
use crate::plan::{self, Plan};
use crate::report::{Input, Report, compile};
use crate::roster::{
    FORMAT, Governance, Party, Registry, RosterKey, RosterText, Trust, Witnesses, attest_entry, journal_origin,
    registry_origin,
};
use crate::time::Time;
use crate::verify::{self, VerifiedRelease};
use ed25519_dalek::SigningKey;

/// What a site gave.
#[derive(Clone, Debug)]
pub(crate) enum Gave {
    /// A group each, `other` and `unknown` last: selected, not selected.
    Counts(Vec<[u64; 2]>),
    /// A group each, as above: decisions and labels.
    Blocks(Vec<Counts>),
    /// The slice is suppressed; this many events.
    Hidden(u64),
    /// All events, a group each, and folds.
    Rungs(Block, Vec<Block>, Vec<Block>),
    /// These slices.
    Slices(Vec<ReleasedSlice>),
    /// No release.
    Nothing,
}

/// What a report is made of.
pub(crate) struct World {
    pub title: String,
    pub model: String,
    pub categories: [String; 2],
    pub favourable: String,
    pub retrospective: bool,
    /// Whether a second version of the plan is signed in the middle of its window.
    pub changed: bool,
    pub k: u64,
    pub min_site_n: u64,
    pub min_coverage: f64,
    pub sites: Vec<(&'static str, Gave)>,
    /// Site, one in so many, counts of that tier.
    pub sampled: Vec<(&'static str, u32, Gave)>,
    /// What intake counted at each site.
    pub intake: IntakeCounts,
    /// Whether the contract has a feature.
    pub features: bool,
    /// The whole contract, where it is another one.
    pub contract: Option<&'static str>,
    /// Policy packs that the plan names.
    pub packs: Vec<&'static str>,
    /// Tables at the end of the plan.
    pub plan: String,
}

impl World {
    pub fn new(sites: Vec<(&'static str, Gave)>) -> World {
        World {
            title: "A plan".to_owned(),
            model: "committee".to_owned(),
            categories: ["Female", "Male"].map(str::to_owned),
            favourable: "1".to_owned(),
            retrospective: false,
            changed: false,
            k: 1,
            min_site_n: 10,
            min_coverage: 0.8,
            sites,
            sampled: Vec::new(),
            intake: IntakeCounts::new(),
            features: false,
            contract: None,
            packs: Vec::new(),
            plan: String::new(),
        }
    }

    pub fn report(&self) -> Report {
        let contract = self.contract();
        let (registry, plan) = self.registry(&contract);
        let windows = registry.plan(&plan).expect("a plan").plan.all_windows();
        let releases: Vec<_> = self
            .sites
            .iter()
            .enumerate()
            .filter_map(|(at, (site, gave))| self.release(at, site, gave, &registry, plan))
            .enumerate()
            .map(|(index, release)| (index as u64, release))
            .collect();
        let log_size = releases.len() as u64;
        compile(&Input {
            disputes: &[],
            reports: &[],
            registry: &registry,
            plan,
            windows: &windows,
            log_size,
            releases: &releases,
            abstentions: &[],
        })
        .expect("a report")
    }

    fn contract(&self) -> Contract {
        let quoted = |text: &String| toml::Value::String(text.clone()).to_string();
        let source = format!(
            "contract = \"admission\"\nversion = 1\ntitle = \"Admission to graduate study\"\ntask = \"binary\"\nmodel = {}\n\
             [decision]\nvalues = [\"0\", \"1\"]\nfavourable = {}\n[label]\nvalues = [\"0\", \"1\"]\npositive = \"1\"\n\
             [[attribute]]\nname = \"gender\"\ncategories = [{}, {}]\n{}",
            quoted(&self.model),
            quoted(&self.favourable),
            quoted(&self.categories[0]),
            quoted(&self.categories[1]),
            if self.features { "[[feature]]\nname = \"grade <b>\"\ntype = \"text\"\n" } else { "" }
        );
        contract::from_toml(self.contract.unwrap_or(&source)).expect("a contract")
    }

    fn plan(&self, contract: Digest) -> Plan {
        let quoted = |text: &String| toml::Value::String(text.clone()).to_string();
        let required: Vec<_> = self.sites.iter().map(|(site, _)| format!("\"{site}\"")).collect();
        let source = format!(
            "plan = \"admissions\"\nversion = 1\ntitle = {}\ncontract = \"admission\"\nmodel_versions = [\"v1\"]\n\
             required_sites = [{}]\nmin_site_n = {}\nmin_coverage = {:?}\npacks = {:?}\n[windows]\nstart = \"2026-01-01T00:00:00Z\"\n\
             end = \"2026-02-01T00:00:00Z\"\nrelease_after_hours = 24\n[disclosure]\nk = {}\n\
             [[slice]]\nattributes = [\"gender\"]\nreference = [{}]\n{}",
            quoted(&self.title),
            required.join(", "),
            self.min_site_n,
            self.min_coverage,
            self.packs,
            self.k,
            quoted(&self.categories[1]),
            self.plan
        );
        plan::from_toml(&source, |_| Some(contract)).expect("a plan")
    }

    fn registry(&self, contract: &Contract) -> (Registry, Digest) {
        let governance = key(1, 0);
        let registry = VerifierKey { name: registry_origin(&federation()), key: PublicKey::of(&key(2, 1)) };
        let trust = Trust {
            format: FORMAT,
            version: 1,
            federation: federation(),
            governance: Governance { threshold: 1, keys: vec![PublicKey::of(&governance)] },
            registry: registry.to_string(),
            witnesses: Witnesses { threshold: 0, keys: Vec::new() },
        };
        let mut state = Registry::new(Valid::new(trust).expect("a trust"));
        let mut apply = |made: Attestation| state.apply(&made.envelope, &made.artifacts[0]).expect("applies");
        let uses = [KeyUse::Attest, KeyUse::Log, KeyUse::Transport];
        apply(attest_entry(&entry(Party::Aggregator, 2, uses), head(), &[&governance]).expect("an entry"));
        for (at, (site, _)) in self.sites.iter().enumerate() {
            let uses = [KeyUse::Attest, KeyUse::Note, KeyUse::Transport];
            let entry = entry(Party::Site(name(site)), seed(at), uses);
            apply(attest_entry(&entry, head(), &[&governance]).expect("an entry"));
        }
        let attested = attest_contract(contract, head(), &[&governance]).expect("attests");
        let plan = self.plan(Digest::of(&attested.artifacts[0]));
        apply(attested);
        let issued = if self.retrospective { "2026-03-01T00:00:00Z" } else { "2025-12-01T00:00:00Z" };
        let head = Head { issued_at: Time::parse(issued).expect("a time"), ..head() };
        let attested = attest_plan(&plan, head, &[&governance]).expect("attests");
        let digest = Digest::of(&attested.artifacts[0]);
        apply(attested);
        if self.changed {
            let mut next = (*plan).clone();
            next.version = 2;
            let issued_at = Time::parse("2026-01-15T00:00:00Z").expect("a time");
            let head = Head { issued_at, replaces: Some(digest), ..self::head() };
            apply(attest_plan(&Plan::new(next).expect("a plan"), head, &[&governance]).expect("attests"));
        }
        (state, digest)
    }

    fn release(
        &self,
        at: usize,
        site: &str,
        gave: &Gave,
        registry: &Registry,
        plan: Digest,
    ) -> Option<VerifiedRelease> {
        let published = &registry.plan(&plan).expect("a plan").plan;
        let contract = registry.contract_of(published).expect("a contract");
        let groups = published.slices[0].groups(contract);
        if matches!(gave, Gave::Nothing) {
            return None;
        }
        let tiers = self.sampled.iter().filter(|(of, ..)| *of == site).map(|(_, n, gave)| (Tier::Sampled(*n), gave));
        let strata = [(Tier::Full, gave)].into_iter().chain(tiers).map(|(tier, gave)| {
            let slices = slices(gave, &groups);
            ReleasedStratum { model_version: "v1".to_owned(), tier, identity: None, slices }
        });
        let strata: Vec<_> = strata.collect();
        let whole = || strata.iter().map(|stratum| &stratum.slices[0].groups[0].counts);
        let events = whole().filter_map(Block::events).sum();
        let outcomes = whole().filter_map(Block::margins).map(|of| of.labels[0] + of.labels[1]).sum();
        let one = |feature: &Feature| FeatureQuality {
            feature: feature.name.clone(),
            missing: Cell::Value(0),
            violations: Cell::Suppressed,
            histogram: Cell::Suppressed,
        };
        let features: Vec<_> = contract.features.iter().map(one).collect();
        let window = published.all_windows()[0];
        let text = ReleaseText {
            operations: (outcomes > 0).then(hidden_operations),
            format: RELEASE_FORMAT,
            site: name(site),
            plan,
            window,
            rule: RULE.to_owned(),
            k: self.k,
            noise: None,
            events,
            outcomes,
            intake: self.intake.clone(),
            quality: self.features.then_some(Quality { events: Cell::Value(events), features }),
            strata,
        };
        let journal = contract.journal_logs().map(|log| {
            let origin = journal_origin(&federation(), &name(site), 1, &log);
            Checkpoint { origin, size: 0, root: empty_root() }.sign(&key(seed(at), 1)).expect("a note")
        });
        let claim = ReleaseClaim {
            site: name(site),
            plan,
            contract: published.contract_digest,
            window,
            epoch: 1,
            sequence: 0,
            previous: None,
            amends: None,
            journal: journal.to_vec(),
            raw: Digest([0; 32]),
            software: "test".to_owned(),
        };
        let files = vec![json(&text).expect("encodes")];
        let head = Head { seen: registry.seen(), ..head() };
        let made = seal(head.predicate(Claim::Release(claim)), files, &[&key(seed(at), 0)]).expect("seals");
        Some(verify::release(&made.envelope, &made.artifacts[0], registry).expect("a verified release"))
    }
}

/// How long labels took is not seen.
fn hidden_operations() -> Operations {
    let nothing = || Cell::Value(Sum { events: 0, sum: Decimal(0) });
    Operations {
        latency_us: Cell::Value(Vec::new()),
        label_delay_s: Cell::Suppressed,
        cost_micros: nothing(),
        tokens_in: nothing(),
        tokens_out: nothing(),
    }
}

/// Nothing is labelled.
fn block([selected, rest]: [u64; 2]) -> Counts {
    [[0, 0, rest], [0, 0, selected], [0; 3]]
}

fn federation() -> Name {
    name("berkeley")
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn head() -> Head {
    let issued_at = Time::parse("2025-12-01T00:00:00Z").expect("a time");
    Head { federation: federation(), issued_at, seen: None, replaces: None }
}

fn seed(site: usize) -> u8 {
    10 + site as u8
}

fn key(party: u8, number: u8) -> SigningKey {
    let mut bytes = [party; 32];
    bytes[0] = number;
    SigningKey::from_bytes(&bytes)
}

fn entry(party: Party, seed: u8, uses: [KeyUse; 3]) -> Valid<RosterText> {
    let keys = uses.iter().zip(0..).map(|(usage, at)| RosterKey { usage: *usage, key: PublicKey::of(&key(seed, at)) });
    Valid::new(RosterText::of(party, keys.collect())).expect("an entry")
}

/// What a site gave of one tier: the slice without attributes, and the one of both categories.
fn slices(gave: &Gave, groups: &[Vec<String>]) -> Vec<ReleasedSlice> {
    let mut folds = Vec::new();
    let (whole, cells) = match gave {
        Gave::Slices(slices) => return slices.clone(),
        Gave::Rungs(whole, blocks, of) => {
            folds.clone_from(of);
            (whole.clone(), blocks.clone())
        }
        Gave::Nothing => (Block::Full(block([0, 0])), vec![Block::Full(block([0, 0])); groups.len()]),
        Gave::Hidden(events) => (Block::Full(block([*events, 0])), vec![Block::Withheld; groups.len()]),
        Gave::Blocks(blocks) => {
            let sum = |decision: usize, label: usize| blocks.iter().map(|block| block[decision][label]).sum();
            let sum = [0, 1, 2].map(|decision| [0, 1, 2].map(|label| sum(decision, label)));
            (Block::Full(sum), blocks.iter().copied().map(Block::Full).collect())
        }
        Gave::Counts(counts) => {
            let sum = counts.iter().fold([0, 0], |sum, part| [sum[0] + part[0], sum[1] + part[1]]);
            (Block::Full(block(sum)), counts.iter().map(|part| Block::Full(block(*part))).collect())
        }
    };
    let released = |group: Vec<String>, counts| ReleasedGroup::new(group, counts, None);
    let groups = groups.iter().cloned().zip(cells).map(|(group, counts)| released(group, counts));
    vec![
        ReleasedSlice { attributes: Vec::new(), groups: vec![released(Vec::new(), whole)], folds: Vec::new() },
        ReleasedSlice { attributes: vec!["gender".to_owned()], groups: groups.collect(), folds },
    ]
}
