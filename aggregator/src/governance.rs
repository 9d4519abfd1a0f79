//! What governance signs: roster entries, contracts, plans, waivers. The daemon never opens the governance folder.
//!
//! | path | what |
//! |---|---|
//! | `governance.key` | the key, 0600 |
//! | `trust.json` | the federation that it governs |
//! | `invites/SITE.invite` | a join token that was given out and not used up; holds its secret, 0600 |
//!
//! Signing needs the folder and a [`Basis`]: what governance knows of the federation. That comes from the aggregator's
//! home, or, where the folder lies on a machine of its own, from parcels.

mod epoch;
mod keys;
mod rotate;
mod waiver;

pub use epoch::Begin;
pub use keys::new_keys;
pub use rotate::{Signers, new_folder};
pub use waiver::Waive;

use crate::basis::Basis;
use crate::centre::Centre;
use crate::home::{operator, operator_hint, refused};
use ed25519_dalek::SigningKey;
use fedaudit_core::codec::Valid;
use fedaudit_core::envelope::{Attestation, Head, attest_contract, attest_plan, cosign};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::KeyUse;
use fedaudit_core::parcel::{Bytes, Document};
use fedaudit_core::roster::{self, Party, RosterEntry, RosterText, Trust};
use fedaudit_core::time::Time;
use fedaudit_core::{contract, plan};
use fedaudit_link::home::{Lock, load_key, os_random, write_atomic};
use fedaudit_link::protocol::{JoinRequest, Token, governance_fingerprint};
use std::path::{Path, PathBuf};

/// The governance folder, opened.
pub struct Governance {
    dir: PathBuf,
    /// The federation that it governs.
    pub trust: Valid<Trust>,
    key: SigningKey,
}

/// A published document.
pub struct PublishedAs {
    /// SHA-256 of its JSON.
    pub digest: Digest,
    /// Whether it stood in the registry before.
    pub already: bool,
}

/// What signing came to.
pub enum Signed {
    /// The registry has it already.
    Already(Digest),
    /// A document for the registry.
    New(Attestation),
}

impl Governance {
    /// Opens the folder.
    ///
    /// # Errors
    /// A folder that is none.
    pub fn load(dir: &Path) -> Result<Governance, Fault> {
        let trust = fedaudit_link::trust::read(&dir.join("trust.json")).map_err(|fault| {
            Fault::new(fault.blame, fault.what, "name the governance folder with --governance; `init` made it")
        })?;
        Ok(Governance { dir: dir.to_owned(), trust, key: load_key(&dir.join("governance.key"))? })
    }

    /// Opens the folder that governs the federation of `centre`.
    ///
    /// # Errors
    /// A folder that is none, or of another federation.
    pub fn open(dir: &Path, centre: &Centre) -> Result<Governance, Fault> {
        let governance = Governance::load(dir)?;
        if *governance.trust != *centre.home.trust {
            let what = format!(
                "{} governs {}, not this {}",
                dir.display(),
                governance.trust.federation,
                centre.home.trust.federation
            );
            return Err(operator_hint(what, "name the governance folder that `init` made with this home"));
        }
        Ok(governance)
    }

    /// The token's file; of a site in the roster it names the entry, so that no token outlives what it was given out for.
    fn invite_path(&self, basis: &Basis, site: &Name) -> PathBuf {
        let entry = basis.registry.party_digest(&Party::Site(site.clone()));
        let entry = entry.map_or(String::new(), |digest| format!("@{}", digest.short()));
        self.dir.join("invites").join(format!("{site}{entry}.invite"))
    }

    /// Makes a join token for `site`; for one that is in the roster, to have all of its keys replaced. A token given out before
    /// for the same site is void from now on.
    ///
    /// # Errors
    /// A name that no site may have, or a folder that cannot be written.
    pub fn invite(&self, basis: &Basis, site: &Name, expires: Time) -> Result<Token, Fault> {
        if ["aggregator", "governance"].contains(&site.as_str()) {
            return Err(operator_hint(format!("no site may be called {site}"), "choose another name"));
        }
        let transport = basis.registry.party(&Party::Aggregator).and_then(|entry| entry.key(KeyUse::Transport));
        let token = Token {
            federation: self.trust.federation.clone(),
            site: site.clone(),
            governance: governance_fingerprint(&self.trust),
            address: basis.address.clone(),
            transport: transport.map_err(refused)?.id(),
            expires_unix_s: expires.unix_seconds(),
            secret: os_random(),
        };
        let text = token.to_text().map_err(|e| operator(e.to_string()))?;
        write_atomic(&self.invite_path(basis, site), text.as_bytes(), 0o600)?;
        Ok(token)
    }

    /// Checks a waiting join request against the token's secret and signs the site's roster entry; none if the site is
    /// enrolled, and no token was given out to have its keys replaced.
    ///
    /// # Errors
    /// No request, no token, an expired token, a wrong secret.
    pub fn sign_entry(&self, basis: &Basis, site: &Name, now: Time) -> Result<Option<Attestation>, Fault> {
        if basis.enrolled(site) && !self.invite_path(basis, site).exists() {
            self.use_up(site);
            return Ok(None);
        }
        let waiting: Vec<_> = basis.joins.iter().filter(|request| request.site == *site).collect();
        if waiting.is_empty() {
            let hint = format!("at the site: fedaudit-agent join TOKEN (make one with: site add {site})");
            return Err(operator_hint(format!("site {site} has not asked to join"), hint));
        }
        let invite = std::fs::read_to_string(self.invite_path(basis, site)).map_err(|_| {
            operator_hint(format!("no token was given out for site {site}"), format!("make one with: site add {site}"))
        })?;
        let token = Token::parse(&invite).map_err(operator)?;
        if now.unix_seconds() >= token.expires_unix_s {
            return Err(operator_hint(
                format!("the token of site {site} expired"),
                format!("make a new one: site add {site}"),
            ));
        }
        let request = find_join(&waiting, site, &token)?;
        if basis.enrolled(site) {
            return self.sign_replaced(basis, site, request.keys, now).map(Some);
        }
        let text = RosterText::of(Party::Site(site.clone()), request.keys);
        let entry = RosterEntry::new(text).map_err(operator)?;
        roster::attest_entry(&entry, self.head(basis, now, None), &[&self.key]).map(Some).map_err(refused)
    }

    /// Forgets a token that did its work.
    fn use_up(&self, site: &Name) {
        let Ok(invites) = std::fs::read_dir(self.dir.join("invites")) else { return };
        let of = |name: &str| name.strip_suffix(".invite").map(|name| name.split('@').next() == Some(site.as_str()));
        for invite in invites.flatten().filter(|invite| invite.file_name().to_str().and_then(of) == Some(true)) {
            let _ = std::fs::remove_file(invite.path());
        }
    }

    /// Enrols a site that waits at `centre`, or has its keys replaced.
    ///
    /// # Errors
    /// As [`Governance::sign_entry`], or a disk that fails.
    pub fn approve(&self, centre: &mut Centre, site: &Name, now: Time) -> Result<(), Fault> {
        let lock = centre.lock()?;
        let basis = Basis::of(centre)?;
        if let Some(attestation) = self.sign_entry(&basis, site, now)? {
            centre.publish(&attestation, &lock)?;
            // Only after the entry is durable: a crash in between leaves files that the next approval finds used up.
            self.use_up(site);
        }
        centre.drop_joins()
    }

    fn head(&self, basis: &Basis, now: Time, replaces: Option<Digest>) -> Head {
        Head { federation: self.trust.federation.clone(), issued_at: now, seen: basis.seen.clone(), replaces }
    }

    /// Signs a contract written in TOML.
    ///
    /// # Errors
    /// A contract that breaks its rules.
    pub fn sign_contract(&self, basis: &Basis, source: &Path, now: Time) -> Result<Signed, Fault> {
        let contract = contract::from_toml(&read_input(source)?).map_err(|e| input(source, &e))?;
        let last = basis.registry.contract(&contract.contract).map(|(digest, ..)| digest);
        let attestation = attest_contract(&contract, self.head(basis, now, last), &[&self.key]).map_err(refused)?;
        Ok(signed(attestation, last))
    }

    /// Signs a plan written in TOML, over the latest contract of the name that it gives.
    ///
    /// # Errors
    /// A plan that breaks its rules or does not fit its contract.
    pub fn sign_plan(&self, basis: &Basis, source: &Path, now: Time) -> Result<Signed, Fault> {
        let resolve = |name: &Name| basis.registry.contract(name).map(|(digest, ..)| digest);
        let plan = plan::from_toml(&read_input(source)?, resolve).map_err(|e| input(source, &e))?;
        let contract = basis.registry.contract_of(&plan).map_err(refused)?;
        plan.check_against(contract).map_err(|e| input(source, &e))?;
        let last = basis.registry.plan_named(&plan.plan).map(|(digest, ..)| digest);
        let attestation = attest_plan(&plan, self.head(basis, now, last), &[&self.key]).map_err(refused)?;
        Ok(signed(attestation, last))
    }

    /// Publishes a contract written in TOML.
    ///
    /// # Errors
    /// As [`Governance::sign_contract`], or a contract that does not follow the published version.
    pub fn publish_contract(&self, centre: &mut Centre, source: &Path, now: Time) -> Result<PublishedAs, Fault> {
        let lock = centre.lock()?;
        let signed = self.sign_contract(&Basis::of(centre)?, source, now)?;
        publish(centre, signed, &lock).map_err(|fault| fault.while_(source.display()))
    }

    /// Publishes a plan written in TOML.
    ///
    /// # Errors
    /// As [`Governance::sign_plan`], or a plan that does not follow the published version.
    pub fn publish_plan(&self, centre: &mut Centre, source: &Path, now: Time) -> Result<PublishedAs, Fault> {
        let lock = centre.lock()?;
        let signed = self.sign_plan(&Basis::of(centre)?, source, now)?;
        publish(centre, signed, &lock).map_err(|fault| fault.while_(source.display()))
    }

    /// What a document is, in a line, before anybody sees or signs it: it is of this federation and of a kind that
    /// governance signs, and the file is the one that the envelope speaks of.
    ///
    /// # Errors
    /// A document that is none of that.
    pub fn read(&self, document: &Document) -> Result<String, Fault> {
        let Document { envelope, artifact } = document;
        roster::describe(&envelope.0, &artifact.0, &self.trust.federation).map_err(|refusal| {
            let hint = "have it signed and sent again; who altered the file cannot be told. Nothing was signed";
            Fault::new(Blame::Input, format!("a document that must not be signed: {refusal}"), hint)
        })
    }

    /// The document with this key's signature too.
    ///
    /// # Errors
    /// As [`Governance::read`].
    pub fn cosign(&self, document: &Document) -> Result<Document, Fault> {
        self.read(document)?;
        let envelope = cosign(&document.envelope.0, &self.key).map_err(refused)?;
        Ok(Document { envelope: Bytes(envelope), artifact: document.artifact.clone() })
    }
}

/// The one waiting request whose sender holds the token's secret; those of others under the same name change nothing.
fn find_join(waiting: &[&JoinRequest], site: &Name, token: &Token) -> Result<JoinRequest, Fault> {
    let (mut proven, mut refused) = (Vec::<JoinRequest>::new(), None);
    for request in waiting {
        match request.check_possession().and_then(|()| request.check_secret(&token.secret)) {
            // The same keys by two ways are one request.
            Ok(()) if proven.iter().any(|other| other.keys == request.keys) => {}
            Ok(()) => proven.push((*request).clone()),
            Err(refusal) => refused = Some(refusal),
        }
    }
    let (what, hint) = match (proven.pop(), refused) {
        (Some(request), _) if proven.is_empty() => return Ok(request),
        (Some(_), _) => {
            ("two different requests hold the token's secret".to_owned(), "the token is in other hands too")
        }
        (None, Some(refusal)) => (refusal.to_string(), "whoever asked does not hold the token that you gave out last"),
        (None, None) => ("nobody asked".to_owned(), "the site has to join first"),
    };
    let what = format!("join of {site} refused: {what}");
    let hint = format!("{hint}; make a new one (site add {site}) and hand it over safely");
    Err(Fault::new(Blame::Site, what, hint))
}

fn signed(attestation: Attestation, last: Option<Digest>) -> Signed {
    let digest = Digest::of(attestation.artifacts.first().map_or(&[], |artifact| artifact));
    if last == Some(digest) { Signed::Already(digest) } else { Signed::New(attestation) }
}

fn publish(centre: &mut Centre, signed: Signed, lock: &Lock) -> Result<PublishedAs, Fault> {
    let attestation = match signed {
        Signed::Already(digest) => return Ok(PublishedAs { digest, already: true }),
        Signed::New(attestation) => attestation,
    };
    centre.publish(&attestation, lock)?;
    let digest = Digest::of(attestation.artifacts.first().map_or(&[], |artifact| artifact));
    Ok(PublishedAs { digest, already: false })
}

fn read_input(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|e| input(path, &e.to_string()))
}

fn input(path: &Path, what: &str) -> Fault {
    Fault::new(
        Blame::Input,
        format!("{}: {what}", path.display()),
        "mend the file and publish it again; nothing was published",
    )
}
