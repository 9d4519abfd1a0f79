//! A real bundle, the keys behind it, and the real verifier to judge what was made of it.

use crate::world::{World, admissions};
use crate::{Said, forge, run};
use ed25519_dalek::SigningKey;
use fedaudit_core::bundle::{Bundle, LogPart, pack, unpack};
use fedaudit_core::codec::{self, Valid};
use fedaudit_core::envelope::{Head, ReportClaim, Seen};
use fedaudit_core::ids::Digest;
use fedaudit_core::merkle::{Frontier, leaf_hash};
use fedaudit_core::note::Checkpoint;
use fedaudit_core::render;
use fedaudit_core::report::{self, Input, Report};
use fedaudit_core::roster::{Registry, Trust, plan_origin, registry_origin};
use fedaudit_core::time::Time;
use fedaudit_core::verify::{self, Kind, VerifiedAbstention, VerifiedRelease};
use fedaudit_link::home::load_key;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;

/// What a federation left, and the aggregator's keys.
pub struct Evidence {
    /// `bundle.zip`.
    pub bytes: Vec<u8>,
    /// `trust.json`.
    pub trust: Vec<u8>,
    /// Signs reports.
    pub attest: SigningKey,
    /// Signs logs.
    pub log: SigningKey,
}

/// A check, as the verifier prints it.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Its name.
    pub check: String,
    /// What it looked at.
    pub subject: String,
    /// What it came to.
    pub outcome: String,
    /// What it met.
    pub found: String,
    /// Whose document it is about.
    pub signer: Option<String>,
}

/// What the verifier said of one bundle.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its exit code.
    pub code: i32,
    /// Its first line.
    pub first_line: String,
    /// The checks, in order.
    pub checks: Vec<Checked>,
    /// Files that it did not look at.
    pub not_evidence: Vec<String>,
}

impl Verdict {
    /// The first check that did not pass.
    pub fn first(&self) -> Option<&Checked> {
        self.checks.iter().find(|check| check.outcome != "pass")
    }

    /// The exit code and the first check that did not pass, with something of its subject.
    ///
    /// # Panics
    /// They are others.
    #[track_caller]
    pub fn is(&self, code: i32, check: &str, subject: &str) -> &Checked {
        let first = self.first().unwrap_or_else(|| panic!("everything passed: {self:#?}"));
        assert_eq!((self.code, first.check.as_str()), (code, check), "{self:#?}");
        assert!(first.subject.contains(subject), "{subject}: {self:#?}");
        first
    }
}

/// Has the verifier look at the bytes of a bundle.
///
/// # Panics
/// Its answer is none, or does not agree with its exit code.
pub fn judge(bundle: &[u8], trust: &[u8]) -> Verdict {
    judge_with(bundle, trust, &[])
}

/// The same, asked more.
///
/// # Panics
/// Its answer is none, or does not agree with its exit code.
pub fn judge_with(bundle: &[u8], trust: &[u8], more: &[&OsStr]) -> Verdict {
    let dir = tempfile::tempdir().expect("a folder");
    let paths = [dir.path().join("bundle.zip"), dir.path().join("trust.json")];
    std::fs::write(&paths[0], bundle).expect("writes");
    std::fs::write(&paths[1], trust).expect("writes");
    let args = [paths[0].as_os_str(), "--trust".as_ref(), paths[1].as_os_str(), "--json".as_ref()];
    verdict(&run("fedaudit-verify", &[&args, more].concat()))
}

/// Runs the verifier over files.
pub fn verifier(bundles: &[&Path], trust: &Path) -> Said {
    let mut args: Vec<_> = bundles.iter().map(|path| path.as_os_str()).collect();
    args.extend(["--trust".as_ref(), trust.as_os_str(), "--json".as_ref()]);
    run("fedaudit-verify", &args)
}

fn verdict(said: &Said) -> Verdict {
    let answers: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:#?}"));
    let answer = &answers[0];
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let checks = answer["checks"].as_array().expect("checks").iter().map(|check| Checked {
        check: text(&check["check"]),
        subject: text(&check["subject"]),
        outcome: text(&check["outcome"]),
        found: text(&check["found"]),
        signer: check["signer"].as_str().map(str::to_owned),
    });
    let not_evidence = answer["not_evidence"].as_array().expect("a list").iter().map(text).collect();
    let code = said.code.expect("an exit code");
    assert_eq!(answer["exit_code"], code, "{said:#?}");
    Verdict { code, first_line: text(&answer["first_line"]), checks: checks.collect(), not_evidence }
}

impl Evidence {
    /// Runs a whole federation called `federation`, with these sites; all but the last are required.
    ///
    /// # Panics
    /// It fails.
    pub fn make(federation: &str, sites: &[&str]) -> Evidence {
        Evidence::from_dataset(federation, |dataset| admissions(dataset, sites))
    }

    /// Runs a whole federation called `federation` over the data set that `write` writes into a folder.
    ///
    /// # Panics
    /// It fails.
    pub fn from_dataset(federation: &str, write: impl FnOnce(&Path)) -> Evidence {
        let dir = tempfile::tempdir().expect("a folder");
        let dataset = dir.path().join(federation);
        write(&dataset);
        let out = dir.path().join("out");
        run("federation", &[dataset.as_os_str(), "--out".as_ref(), out.as_os_str()]).good();
        Evidence::read(&out, &out.join("federation/homes/aggregator"))
    }

    /// Builds the report of a federation.
    ///
    /// # Panics
    /// It cannot be built.
    pub fn of(world: &World) -> Evidence {
        let out = tempfile::tempdir().expect("a folder");
        let folder = out.path().to_str().expect("UTF-8");
        world.aggregator(&["report", "build", world.plan().as_str(), "--out", folder]).good();
        Evidence::read(out.path(), &world.home())
    }

    fn read(out: &Path, aggregator: &Path) -> Evidence {
        let read = |name: &str| std::fs::read(out.join(name)).expect("reads");
        let key = |usage: &str| load_key(&aggregator.join(format!("keys/{usage}.key")));
        Evidence {
            bytes: read("bundle.zip"),
            trust: read("trust.json"),
            attest: key("attest").expect("a key"),
            log: key("log").expect("a key"),
        }
    }

    /// The bundle, unpacked.
    ///
    /// # Panics
    /// It is none.
    pub fn bundle(&self) -> Bundle {
        unpack(&self.bytes).expect("a bundle")
    }

    /// What the verifier says of the bundle once `edit` has changed it.
    ///
    /// # Panics
    /// It cannot be packed.
    pub fn altered(&self, edit: impl FnOnce(&mut Bundle)) -> Verdict {
        let mut bundle = self.bundle();
        let before = bundle.clone();
        edit(&mut bundle);
        assert!(bundle != before, "nothing was changed");
        judge(&pack(&bundle).expect("packs"), &self.trust)
    }

    /// The trust file, read.
    ///
    /// # Panics
    /// It is none.
    pub fn trust(&self) -> Valid<Trust> {
        codec::from_json(&self.trust).expect("a trust file")
    }

    /// What the report claims.
    ///
    /// # Panics
    /// There is no report.
    pub fn claim(&self) -> ReportClaim {
        let statement = forge::payload(&self.bundle().report_envelope);
        serde_json::from_value(statement["predicate"]["claim"]["report"].clone()).expect("a claim")
    }

    /// Of whoever had seen what the aggregator had when it reported.
    ///
    /// # Panics
    /// There is no report.
    pub fn head(&self) -> Head {
        let statement = forge::payload(&self.bundle().report_envelope);
        let seen = serde_json::from_value(statement["predicate"]["seen"].clone()).expect("a checkpoint");
        Head { federation: self.trust().federation.clone(), issued_at: Time(0), seen, replaces: None }
    }

    /// Signs a report in the bundle by `key`, in the place of the one that is there; the log stays as it is.
    ///
    /// # Panics
    /// A report without an encoding.
    pub fn sign_report(&self, bundle: &mut Bundle, claim: ReportClaim, key: &SigningKey) {
        let mut head = self.head();
        // A forger who cut the registry says that he had seen no more than is left.
        if let Some(seen) = head.seen.as_mut().filter(|seen| seen.size > bundle.registry.entries.len() as u64) {
            let left = checkpoint(&bundle.registry, &seen.origin);
            *seen = Seen { origin: left.origin, size: left.size, root: left.root };
        }
        let (json, html) = (bundle.report_json.clone(), bundle.report_html.clone());
        bundle.report_envelope = report::attest(json, html, claim, head, key).expect("signs").envelope;
    }

    /// Replaces the report, its signature and its entry in the log, all with the aggregator's own keys.
    ///
    /// # Panics
    /// A report without an encoding.
    pub fn forge_report(&self, bundle: &mut Bundle, report: &Report, claim: ReportClaim) {
        bundle.report_json = codec::to_json(report).expect("encodes");
        bundle.report_html = render::html(report).into_bytes();
        let old = bundle.report_envelope.clone();
        self.sign_report(bundle, claim, &self.attest);
        let entry = bundle.plan.entries.iter_mut().find(|entry| **entry == old).expect("the report is logged");
        *entry = bundle.report_envelope.clone();
        sign_log(&mut bundle.plan, &plan_origin(&self.trust().federation, &self.claim().plan), &self.log);
    }

    /// Signs the registry as it is in the bundle.
    pub fn sign_registry(&self, bundle: &mut Bundle) {
        sign_log(&mut bundle.registry, &registry_origin(&self.trust().federation), &self.log);
    }

    /// Signs the plan's log as it is in the bundle.
    pub fn sign_plan_log(&self, bundle: &mut Bundle) {
        sign_log(&mut bundle.plan, &plan_origin(&self.trust().federation, &self.claim().plan), &self.log);
    }

    /// The registry as of the claim.
    ///
    /// # Panics
    /// An entry that does not pass.
    pub fn registry(&self, bundle: &Bundle, claim: &ReportClaim) -> Registry {
        let mut registry = Registry::new(self.trust());
        for envelope in bundle.registry.entries.iter().take(claim.registry_size as usize) {
            let artifact = &bundle.registry.artifacts[&verify::claimed_subject(envelope).expect("a subject")];
            registry.apply(envelope, artifact).expect("applies");
        }
        registry
    }

    /// The releases in the plan's log, with their indices.
    ///
    /// # Panics
    /// One that does not pass.
    pub fn releases(&self, bundle: &Bundle) -> Vec<(u64, VerifiedRelease)> {
        let registry = self.registry(bundle, &self.claim());
        let release = |(index, envelope): (u64, &Vec<u8>)| {
            (verify::claimed_kind(envelope) == Ok(Kind::Release)).then(|| {
                let artifact = &bundle.plan.artifacts[&verify::claimed_subject(envelope).expect("a subject")];
                (index, verify::release(envelope, artifact, &registry).expect("a release"))
            })
        };
        (0..).zip(&bundle.plan.entries).filter_map(release).collect()
    }

    /// The abstentions in the plan's log, likewise.
    ///
    /// # Panics
    /// One that does not pass.
    pub fn abstentions(&self, bundle: &Bundle) -> Vec<(u64, VerifiedAbstention)> {
        let registry = self.registry(bundle, &self.claim());
        let abstention = |(index, envelope): (u64, &Vec<u8>)| {
            (verify::claimed_kind(envelope) == Ok(Kind::Abstention)).then(|| {
                let artifact = &bundle.plan.artifacts[&verify::claimed_subject(envelope).expect("a subject")];
                (index, verify::abstention(envelope, artifact, &registry).expect("an abstention"))
            })
        };
        (0..).zip(&bundle.plan.entries).filter_map(abstention).collect()
    }

    /// The report itself.
    ///
    /// # Panics
    /// It is none.
    pub fn figures(&self) -> Report {
        codec::from_json(&self.bundle().report_json).expect("a report")
    }

    /// The report that follows from some releases, as an aggregator that knows no others would make it.
    ///
    /// # Panics
    /// Nothing follows from them.
    pub fn report(&self, bundle: &Bundle, claim: &ReportClaim, releases: &[(u64, VerifiedRelease)]) -> Report {
        let registry = self.registry(bundle, claim);
        let (plan, windows, log_size) = (claim.plan, &claim.windows[..], claim.log_size);
        let abstentions = &self.abstentions(bundle)[..];
        let (registry, disputes, reports) = (&registry, &[], &[]);
        let input = Input { registry, plan, windows, log_size, releases, abstentions, disputes, reports };
        report::compile(&input).expect("compiles")
    }
}

/// Signs a log as it is in a bundle.
///
/// # Panics
/// An origin that is none.
pub fn sign_log(part: &mut LogPart, origin: &str, key: &SigningKey) {
    part.checkpoint = checkpoint(part, origin).sign(key).expect("signs").into_bytes();
}

fn checkpoint(part: &LogPart, origin: &str) -> Checkpoint {
    let mut tree = Frontier::new();
    part.entries.iter().for_each(|entry| tree.push(leaf_hash(entry)));
    Checkpoint { origin: origin.to_owned(), size: tree.size(), root: tree.root() }
}

/// Every file of a bundle that is evidence, by its path.
pub fn evidence_files(bundle: &mut Bundle) -> Vec<(String, &mut Vec<u8>)> {
    let mut files = vec![
        ("report.json".to_owned(), &mut bundle.report_json),
        ("report.html".to_owned(), &mut bundle.report_html),
        ("report.dsse.json".to_owned(), &mut bundle.report_envelope),
    ];
    for (folder, part) in [("registry", &mut bundle.registry), ("plan", &mut bundle.plan)] {
        files.push((format!("{folder}/checkpoint"), &mut part.checkpoint));
        files.push((format!("{folder}/policy"), &mut part.policy));
        let entries = part.entries.iter_mut().enumerate();
        files.extend(entries.map(|(index, bytes)| (format!("{folder}/entries/{index}"), bytes)));
        let artifacts = part.artifacts.iter_mut();
        files.extend(artifacts.map(|(digest, bytes): (&Digest, _)| (format!("{folder}/artifacts/{digest}"), bytes)));
    }
    files
}
