//! What governance signs: roster entries, contracts, plans, waivers. The daemon never opens the governance folder.
//!
//! | path | what |
//! |---|---|
//! | `governance.key` | the key, 0600 |
//! | `trust.json` | the federation that it governs |
//! | `invites/SITE.invite` | a join token that was given out and not used up; holds its secret, 0600 |

mod waiver;

pub use waiver::Waive;

use crate::centre::Centre;
use crate::home::{operator, operator_hint, read_trust, refused};
use ed25519_dalek::SigningKey;
use fedaudit_core::codec;
use fedaudit_core::envelope::{Attestation, Head, attest_contract, attest_plan};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::KeyUse;
use fedaudit_core::roster::{self, Party, RosterEntry, RosterText};
use fedaudit_core::time::Time;
use fedaudit_core::{contract, plan};
use fedaudit_link::home::{load_key, os_random, write_atomic};
use fedaudit_link::protocol::{JoinRequest, Token, governance_fingerprint};
use std::path::{Path, PathBuf};

/// The governance folder, opened.
pub struct Governance {
    dir: PathBuf,
    key: SigningKey,
}

/// A published document.
pub struct PublishedAs {
    /// SHA-256 of its JSON.
    pub digest: Digest,
    /// Whether it stood in the registry before.
    pub already: bool,
}

impl Governance {
    /// Opens the folder that governs the federation of `centre`.
    ///
    /// # Errors
    /// A folder that is none, or of another federation.
    pub fn open(dir: &Path, centre: &Centre) -> Result<Governance, Fault> {
        let trust = read_trust(&dir.join("trust.json"))?;
        if *trust != *centre.home.trust {
            let what =
                format!("{} governs {}, not this {}", dir.display(), trust.federation, centre.home.trust.federation);
            return Err(operator_hint(what, "name the governance folder that `init` made with this home"));
        }
        Ok(Governance { dir: dir.to_owned(), key: load_key(&dir.join("governance.key"))? })
    }

    fn invite_path(&self, site: &Name) -> PathBuf {
        self.dir.join("invites").join(format!("{site}.invite"))
    }

    /// Makes a join token for `site`. A token given out before for the same site is void from now on.
    ///
    /// # Errors
    /// A site that is enrolled, or a folder that cannot be written.
    pub fn invite(&self, centre: &Centre, site: &Name, expires: Time) -> Result<Token, Fault> {
        if centre.registry().sites().any(|known| known == site) || site.as_str() == "aggregator" {
            return Err(operator_hint(format!("site {site} is enrolled"), "choose another name"));
        }
        let transport = centre.registry().party(&Party::Aggregator).and_then(|entry| entry.key(KeyUse::Transport));
        let governance = &centre.home.trust.governance;
        let token = Token {
            federation: centre.home.trust.federation.clone(),
            site: site.clone(),
            governance: governance_fingerprint(governance.threshold, &governance.keys),
            address: centre.home.config.address.clone(),
            transport: transport.map_err(refused)?.id(),
            expires_unix_s: expires.unix_seconds(),
            secret: os_random(),
        };
        let text = token.to_text().map_err(|e| operator(e.to_string()))?;
        write_atomic(&self.invite_path(site), text.as_bytes(), 0o600)?;
        Ok(token)
    }

    /// Checks a waiting join request against the token's secret and enrols the site.
    ///
    /// # Errors
    /// No request, no token, an expired token, a wrong secret.
    pub fn approve(&self, centre: &mut Centre, site: &Name, now: Time) -> Result<(), Fault> {
        let lock = centre.lock()?;
        if centre.registry().sites().any(|known| known == site) {
            return Ok(());
        }
        let waiting: Vec<_> = centre.home.joins()?.into_iter().filter(|(of, _)| of == site).collect();
        if waiting.is_empty() {
            let hint = format!("at the site: fedaudit-agent join TOKEN (make one with: site add {site})");
            return Err(operator_hint(format!("site {site} has not asked to join"), hint));
        }
        let invite = std::fs::read_to_string(self.invite_path(site)).map_err(|_| {
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
        let text = RosterText { format: roster::FORMAT, party: Party::Site(site.clone()), keys: request.keys };
        let entry = RosterEntry::new(text).map_err(operator)?;
        let attestation = roster::attest_entry(&entry, self.head(centre, now, None), &[&self.key]).map_err(refused)?;
        centre.publish(&attestation, &lock)?;
        // Only after the entry is durable: a crash in between leaves files that the next approval finds used up.
        let _ = std::fs::remove_file(self.invite_path(site));
        for (_, path) in waiting {
            let _ = std::fs::remove_file(path);
        }
        Ok(())
    }

    fn head(&self, centre: &Centre, now: Time, replaces: Option<Digest>) -> Head {
        Head { federation: centre.home.trust.federation.clone(), issued_at: now, seen: centre.seen(), replaces }
    }

    /// Publishes a contract written in TOML.
    ///
    /// # Errors
    /// A contract that breaks its rules or does not follow the published version.
    pub fn publish_contract(&self, centre: &mut Centre, source: &Path, now: Time) -> Result<PublishedAs, Fault> {
        let contract = contract::from_toml(&read_input(source)?).map_err(|e| input(source, &e))?;
        let lock = centre.lock()?;
        let last = centre.registry().contract(&contract.contract).map(|(digest, ..)| digest);
        let attestation = attest_contract(&contract, self.head(centre, now, last), &[&self.key]).map_err(refused)?;
        publish(centre, &attestation, last, &lock).map_err(|fault| fault.while_(source.display()))
    }

    /// Publishes a plan written in TOML, over the latest contract of the name that it gives.
    ///
    /// # Errors
    /// A plan that breaks its rules, does not fit its contract, or does not follow the published version.
    pub fn publish_plan(&self, centre: &mut Centre, source: &Path, now: Time) -> Result<PublishedAs, Fault> {
        let lock = centre.lock()?;
        let resolve = |name: &Name| centre.registry().contract(name).map(|(digest, ..)| digest);
        let plan = plan::from_toml(&read_input(source)?, resolve).map_err(|e| input(source, &e))?;
        let contract = centre.registry().contract_of(&plan).map_err(refused)?;
        plan.check_against(contract).map_err(|e| input(source, &e))?;
        let last = centre.registry().plan_named(&plan.plan).map(|(digest, ..)| digest);
        let attestation = attest_plan(&plan, self.head(centre, now, last), &[&self.key]).map_err(refused)?;
        publish(centre, &attestation, last, &lock).map_err(|fault| fault.while_(source.display()))
    }
}

/// The one waiting request whose sender holds the token's secret; those of others under the same name change nothing.
fn find_join(waiting: &[(Name, PathBuf)], site: &Name, token: &Token) -> Result<JoinRequest, Fault> {
    let (mut proven, mut refused) = (Vec::new(), None);
    for (_, path) in waiting {
        let bytes = std::fs::read(path).map_err(|e| operator(format!("{}: {e}", path.display())))?;
        let request: JoinRequest = codec::decode(&bytes).map_err(|e| operator(format!("{}: {e}", path.display())))?;
        match request.check_possession().and_then(|()| request.check_secret(&token.secret)) {
            Ok(()) => proven.push(request),
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

fn publish(
    centre: &mut Centre,
    attestation: &Attestation,
    last: Option<Digest>,
    lock: &fedaudit_link::home::Lock,
) -> Result<PublishedAs, Fault> {
    let digest = Digest::of(attestation.artifacts.first().map_or(&[], |artifact| artifact));
    if last == Some(digest) {
        return Ok(PublishedAs { digest, already: true });
    }
    centre.publish(attestation, lock)?;
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
