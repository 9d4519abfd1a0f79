//! The documents of `schemas/vectors/documents`, signed again by other keys, and ends of keys, written by hand.

use super::State;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use fedaudit_core::codec::{self, Valid};
use fedaudit_core::fault::Refusal;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_core::note::{Checkpoint, NoteError};
use fedaudit_core::roster::{Registry, Trust};
use fedaudit_core::verify::{self, At, BeatState, Entry, PlanState};
use fedaudit_tests::forge;
use serde_json::{Value, json};
use std::path::Path;

/// The keys of the world, by their seed.
pub const KEYS: [(&str, u8); 7] = [
    ("governance", 1),
    ("aggregator attest", 2),
    ("aggregator log", 3),
    ("aggregator transport", 4),
    ("site attest", 5),
    ("site note", 6),
    ("site transport", 7),
];
/// Each kind of document, and whose key signs it.
pub const MAY: [(&str, &str); 9] = [
    ("contract", "governance"),
    ("plan", "governance"),
    ("waiver", "governance"),
    ("epoch", "governance"),
    ("release", "site attest"),
    ("abstention", "site attest"),
    ("dispute", "site attest"),
    ("heartbeat", "site attest"),
    ("report", "aggregator attest"),
];
const STRANGER: u8 = 11;
/// Which take the place of keys that end.
const NEXT: u8 = 31;
/// The neutral element: of order one.
const WEAK: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// A checkpoint's size, wherever one is opened.
const SIZE: u64 = 5;

/// An envelope and its artifact.
pub type Entered = (Vec<u8>, Vec<u8>);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn spki(key: &[u8; 32]) -> Vec<u8> {
    [&SPKI[..], key].concat()
}

fn id(seed: u8) -> Digest {
    Digest::of(&spki(PublicKey::of(&key(seed)).as_bytes()))
}

fn named(usage: &str, seed: u8) -> Value {
    json!({ "use": usage, "key": STANDARD.encode(spki(PublicKey::of(&key(seed)).as_bytes())) })
}

/// R is the neutral element and S is 0: what plain verification takes for the weak key's signature of anything.
fn weak_signature() -> Vec<u8> {
    [WEAK, [0; 32]].concat()
}

pub fn vector(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/vectors/documents");
    let text = std::fs::read(folder.join(format!("{name}.json"))).expect("the vectors are in the tree");
    let vector: Value = serde_json::from_slice(&text).expect("JSON");
    vector["input"].clone()
}

pub fn entered(of: &Value) -> Entered {
    let text = |name: &str| of[name].as_str().expect("text").as_bytes().to_vec();
    (text("envelope"), text("artifact"))
}

fn sealed(kind: &str, file: &str, claim: &Value, text: &Value, seed: u8) -> Entered {
    let artifact = text.to_string().into_bytes();
    let named = if kind == "roster" { "roster-entry" } else { kind };
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": file, "digest": { "sha256": Digest::of(&artifact).to_string() } }],
        "predicateType": format!("urn:fedaudit:{named}:v1"),
        "predicate": {
            "format": 1, "federation": "fed", "issued_at": "2025-12-01T00:00:00Z", "seen": null, "claim": { kind: claim },
        },
    });
    (signed(&statement, seed), artifact)
}

pub fn signed(statement: &Value, seed: u8) -> Vec<u8> {
    forge::envelope(statement.to_string().as_bytes(), &key(seed), id(seed))
}

/// What a document needs around it.
pub struct Template {
    pub statement: Value,
    pub artifact: Vec<u8>,
    /// What stands before it in its log.
    pub after: Vec<Entered>,
}

pub fn template(kind: &str) -> Template {
    if kind == "epoch" {
        let text = json!({ "format": 1, "site": "site-a", "epoch": 2, "kept": [], "reason": "the disk was lost" });
        let claim = json!({ "name": "site-a", "version": 2, "replaces": null });
        let (envelope, artifact) = sealed("epoch", "epoch.json", &claim, &text, 1);
        return Template { statement: forge::payload(&envelope), artifact, after: Vec::new() };
    }
    let input = vector(match kind {
        "contract" => "registry-next-contract",
        "plan" => "registry-plan-next",
        "waiver" => "registry-waiver",
        "release" => "release-good",
        "abstention" => "abstention-good",
        "dispute" => "dispute-good",
        "heartbeat" => "heartbeat-good",
        "report" => "report-first",
        other => panic!("no kind {other}"),
    });
    let (envelope, artifact) = entered(&input);
    let after = input["after"].as_array().into_iter().flatten().map(entered).collect();
    Template { statement: forge::payload(&envelope), artifact, after }
}

/// The federation of the vectors.
pub struct Federation {
    trust: Value,
    /// Its registry.
    pub entries: Vec<Entered>,
    /// Digest of its plan.
    pub plan: String,
    registry: Registry,
}

fn goes_on(registry: &mut Registry, entries: &[Entered]) {
    for (envelope, artifact) in entries {
        registry.apply(envelope, artifact).expect("the registry goes on");
    }
}

fn said(result: Result<(), Refusal>) -> String {
    result.map_or_else(|refusal| refusal.check.to_string(), |()| String::new())
}

impl Federation {
    pub fn open() -> Federation {
        let world = vector("world");
        let trust = serde_json::from_str(world["trust"].as_str().expect("text")).expect("JSON");
        let entries: Vec<_> = world["registry"].as_array().expect("a list").iter().map(entered).collect();
        let plan = Digest::of(&entries[2].1).to_string();
        let mut registry = Registry::new(Federation::trust(&trust).expect("the world's trust"));
        goes_on(&mut registry, &entries);
        Federation { trust, entries, plan, registry }
    }

    fn trust(text: &Value) -> Result<Valid<Trust>, String> {
        codec::from_json(text.to_string().as_bytes()).map_err(|e| e.to_string())
    }

    pub fn registry(&self, more: &[Entered]) -> Registry {
        let mut registry = self.registry.clone();
        goes_on(&mut registry, more);
        registry
    }

    /// The next version of a party, whose key `old` for `usage` ends.
    fn next(&self, party: &str, usage: &str, old: u8, end: &Value) -> Entered {
        let (place, uses): (usize, [(&str, u8); 3]) = match party {
            "aggregator" => (0, [("attest", 2), ("log", 3), ("transport", 4)]),
            _ => (3, [("attest", 5), ("note", 6), ("transport", 7)]),
        };
        let keys: Vec<_> = uses.map(|(of, seed)| named(of, if of == usage { NEXT } else { seed })).into();
        let mut ended = end.clone();
        ended["key"] = json!(id(old).to_string());
        let named = if party == "aggregator" { json!(party) } else { json!({ "site": party }) };
        let text = json!({ "format": 1, "party": named, "version": 2, "keys": keys, "ended": [ended] });
        let replaces = Digest::of(&self.entries[place].1).to_string();
        sealed("roster", "roster-entry.json", &json!({ "name": party, "version": 2, "replaces": replaces }), &text, 1)
    }

    /// Governance names its key, and then gives it up.
    fn governance_ends(why: &str) -> [Entered; 2] {
        let claim =
            |version: u32, replaces: Value| json!({ "name": "governance", "version": version, "replaces": replaces });
        let text = json!({ "format": 1, "party": "governance", "keys": [named("governance", 1)], "threshold": 1 });
        let first = sealed("roster", "roster-entry.json", &claim(1, Value::Null), &text, 1);
        let replaces = json!(Digest::of(&first.1).to_string());
        let text = json!({
            "format": 1, "party": "governance", "version": 2, "keys": [named("governance", NEXT)], "threshold": 1,
            "ended": [{ "key": id(1).to_string(), "why": why }],
        });
        [first, sealed("roster", "roster-entry.json", &claim(2, replaces), &text, 1)]
    }

    /// What the product says of a document that this key signs, or the weak one.
    fn envelope(template: &Template, seed: Option<u8>) -> Vec<u8> {
        let Some(seed) = seed else {
            let envelope = json!({
                "payload": STANDARD.encode(template.statement.to_string()),
                "payloadType": "application/vnd.in-toto+json",
                "signatures": [{
                    "keyid": Digest::of(&spki(&WEAK)).to_string(), "sig": STANDARD.encode(weak_signature()),
                }],
            });
            return envelope.to_string().into_bytes();
        };
        signed(&template.statement, seed)
    }

    pub fn verdict(&self, kind: &str, state: State, before: bool) -> String {
        match kind {
            "registry note" => self.note("fed/registry", state, before),
            "plan log note" => self.note(&format!("fed/plan/{}", self.plan), state, before),
            _ => self.document(kind, state, before),
        }
    }

    fn document(&self, kind: &str, state: State, before: bool) -> String {
        let owner = MAY.iter().find(|(of, _)| *of == kind).expect("a kind").1;
        let right = KEYS.iter().find(|(name, _)| *name == owner).expect("a key").1;
        let wrong = if owner == "governance" { 2 } else { right + 1 };
        let template = template(kind);
        let envelope = Federation::envelope(&template, signer(state, right, wrong));
        let why = if state == State::Rotated { "rotated" } else { "revoked" };
        if owner == "governance" {
            let more = Federation::governance_ends(why);
            let behind = if before || state == State::Active { &[][..] } else { &more };
            let mut registry = self.registry(behind);
            let verdict = said(registry.apply(&envelope, &template.artifact));
            if before && verdict.is_empty() {
                goes_on(&mut registry, &more);
            }
            return verdict;
        }
        let mut more = Vec::new();
        if state != State::Active {
            let end = self.end(kind, &template, before, why);
            let party = if owner == "site attest" { "site-a" } else { "aggregator" };
            more.push(self.next(party, "attest", right, &end));
        }
        taken(kind, &template, &envelope, &self.registry(&more))
    }

    /// How the key ends: with the last number of the plan, or the size of the log.
    fn end(&self, kind: &str, template: &Template, before: bool, why: &str) -> Value {
        let place = template.after.len();
        let claim = &template.statement["predicate"]["claim"][kind];
        match claim["sequence"].as_u64().filter(|_| why == "rotated" && kind != "heartbeat") {
            Some(number) if before => json!({ "why": why, "last": [{ "plan": self.plan, "sequence": number }] }),
            Some(0) => json!({ "why": why }),
            Some(number) => json!({ "why": why, "last": [{ "plan": self.plan, "sequence": number - 1 }] }),
            None => {
                let origin =
                    if kind == "heartbeat" { "fed/heartbeats".into() } else { format!("fed/plan/{}", self.plan) };
                json!({ "why": why, "logs": [{ "origin": origin, "size": if before { place + 1 } else { place } }] })
            }
        }
    }

    fn note(&self, origin: &str, state: State, before: bool) -> String {
        let why = if state == State::Rotated { "rotated" } else { "revoked" };
        let size = if before { SIZE } else { SIZE - 1 };
        let end = json!({ "why": why, "logs": [{ "origin": origin, "size": size }] });
        let more = [self.next("aggregator", "log", 3, &end)];
        let registry = self.registry(if state == State::Active { &[] } else { &more });
        let checkpoint = Checkpoint { origin: origin.to_owned(), size: SIZE, root: Digest::of(b"any") };
        let note = match signer(state, 3, 2) {
            Some(seed) => checkpoint.sign(&key(seed)).expect("signs"),
            None => {
                let text = checkpoint.text();
                let id = Digest::of(&[origin.as_bytes(), b"\n\x01", &WEAK].concat());
                let line = STANDARD.encode([&id.0[..4], &weak_signature()].concat());
                format!("{text}\n\u{2014} {origin} {line}\n")
            }
        };
        match registry.open_checkpoint(note.as_bytes(), origin) {
            Ok(found) => {
                assert_eq!(found.size, SIZE);
                String::new()
            }
            Err(NoteError::Ended { .. }) => "ended".to_owned(),
            Err(NoteError::UnknownSigner { .. }) => "unknown signer".to_owned(),
            Err(other) => other.to_string(),
        }
    }

    /// A site's document, once its attest key has ended like this.
    pub fn site_ended(&self, kind: &str, end: &Value) -> String {
        self.under(kind, &[self.next("site-a", "attest", 5, end)])
    }

    /// A site's document, once its note key has ended like this.
    pub fn note_ended(&self, kind: &str, end: &Value) -> String {
        self.under(kind, &[self.next("site-a", "note", 6, end)])
    }

    fn under(&self, kind: &str, more: &[Entered]) -> String {
        let template = template(kind);
        let envelope = signed(&template.statement, 5);
        taken(kind, &template, &envelope, &self.registry(more))
    }

    /// A document signed by some key of the world.
    pub fn signed_by(&self, kind: &str, seed: u8) -> String {
        let template = template(kind);
        taken(kind, &template, &signed(&template.statement, seed), &self.registry(&[]))
    }

    /// A roster entry with a weak key.
    pub fn enrol_weak(&self) -> String {
        let weak = json!({ "use": "attest", "key": STANDARD.encode(spki(&WEAK)) });
        let keys = [weak, named("note", 9), named("transport", 10)];
        let text = json!({ "format": 1, "party": { "site": "site-b" }, "keys": keys });
        let claim = json!({ "name": "site-b", "version": 1, "replaces": null });
        let (envelope, artifact) = sealed("roster", "roster-entry.json", &claim, &text, 1);
        said(self.registry(&[]).apply(&envelope, &artifact))
    }

    /// A trust file with a weak key.
    pub fn trust_weak(&self) -> Result<Valid<Trust>, String> {
        let mut trust = self.trust.clone();
        trust["governance"]["keys"] = json!([STANDARD.encode(spki(&WEAK))]);
        Federation::trust(&trust)
    }
}

fn signer(state: State, right: u8, wrong: u8) -> Option<u8> {
    match state {
        State::Active | State::Rotated | State::Revoked => Some(right),
        State::Unknown => Some(STRANGER),
        State::WrongUse => Some(wrong),
        State::Weak => None,
    }
}

/// What the product says of a document where it stands: behind those of its template.
pub fn taken(kind: &str, template: &Template, envelope: &[u8], registry: &Registry) -> String {
    let mut state = PlanState::default();
    for (index, (envelope, artifact)) in (0..).zip(&template.after) {
        let kind = forge::payload(envelope)["predicate"]["claim"].as_object().and_then(|of| of.keys().next().cloned());
        let taken = admit(&kind.expect("a kind"), envelope, artifact, At { registry, index }, &mut state);
        taken.expect("what came before is good");
    }
    let index = template.after.len() as u64;
    said(admit(kind, envelope, &template.artifact, At { registry, index }, &mut state))
}

fn admit(kind: &str, envelope: &[u8], artifact: &[u8], at: At, state: &mut PlanState) -> Result<(), Refusal> {
    let registry = at.registry;
    let admitted = match kind {
        "release" => state.admit(&verify::release(envelope, artifact, registry)?, at),
        "abstention" => state.admit_abstention(&verify::abstention(envelope, artifact, registry)?, at),
        "dispute" => state.admit_dispute(&verify::dispute(envelope, artifact, registry)?, at),
        "heartbeat" => BeatState::default().admit(&verify::heartbeat(envelope, artifact, registry)?, at),
        "report" => {
            let Entry::Report(claim, signer) = verify::entry(envelope, registry)? else { panic!("a report") };
            return state.admit_report(Digest::of(envelope), &claim, &signer, at);
        }
        _ => return registry.clone().apply(envelope, artifact),
    };
    admitted.map_err(|conflict| conflict.refusal)
}
