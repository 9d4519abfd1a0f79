//! A site that has joined: its journal, its outbox, its copy of the registry, and what it decided about plans.

use crate::fence::{self, Standing};
use crate::home::{Enrolment, Home};
use crate::journal::{Journal, LEDGER, StdRng};
use crate::mirror::Mirror;
use crate::outbox::Outbox;
use ed25519_dalek::SigningKey;
use fedaudit_core::codec::Valid;
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::roster::{Ending, Party, PublishedPlan, Trust};
use fedaudit_core::time::Time;
use fedaudit_link::home::os_random;
use rand::SeedableRng as _;
use std::collections::BTreeMap;

/// A site's home, opened for work.
pub struct Site {
    /// Its folder.
    pub home: Home,
    /// What joining left.
    pub enrolment: Enrolment,
    /// Who governs.
    pub trust: Valid<Trust>,
    /// The journal.
    pub journal: Journal,
    /// The outbox.
    pub outbox: Outbox,
    /// The verified copy of the registry.
    pub mirror: Mirror,
    /// Whether anything new may be signed.
    pub standing: Standing,
    /// Salts come from here; seeded by the composition root.
    pub rng: StdRng,
}

/// What the site decided about a plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Its releases are approved.
    Accepted,
    /// Each of its releases waits for the data steward.
    Review,
    /// They are not, and why.
    Refused(String),
}

/// Who does something, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// A person at the site.
    pub by: String,
    /// When.
    pub at: Time,
}

impl Site {
    /// Opens a home that has joined, with randomness from the operating system.
    ///
    /// # Errors
    /// A home that has not joined, or is damaged.
    pub fn open(home: Home) -> Result<Site, Fault> {
        Site::open_seeded(home, StdRng::from_seed(os_random()))
    }

    /// Opens a home that has joined.
    ///
    /// # Errors
    /// As [`Site::open`].
    pub fn open_seeded(home: Home, rng: StdRng) -> Result<Site, Fault> {
        let (enrolment, trust) = home.enrolment()?;
        let mut journal = Journal::open(&home.dir)?;
        let outbox = Outbox::open(&home.dir)?;
        let mirror = read_mirror(&trust, &outbox)?;
        let standing = fence::standing(&home, enrolment.epoch, &mut journal, &outbox)?;
        let mut site = Site { home, enrolment, trust, journal, outbox, mirror, standing, rng };
        site.take_keys()?;
        site.begin_ledger()?;
        Ok(site)
    }

    /// Whether this home's copy of the registry holds keys of the site: governance has approved it, and not revoked it.
    pub fn enrolled(&self) -> bool {
        self.mirror.registry().is_member(&self.enrolment.site)
    }

    /// Whether this home's copy of the registry says that governance revoked the site.
    pub fn revoked(&self) -> bool {
        let party = Party::Site(self.enrolment.site.clone());
        self.mirror.registry().party(&party).is_ok_and(|entry| entry.keys.is_empty())
    }

    /// This site's key for `usage`. One that the roster does not name would be blamed on the aggregator, or worse, sign.
    ///
    /// # Errors
    /// A key file that cannot be read, or holds another key than the site was enrolled with.
    pub fn key(&self, usage: KeyUse) -> Result<SigningKey, Fault> {
        let key = self.home.key(usage)?;
        if self.revoked() {
            let what = format!("governance revoked site {}: its keys are in the roster no more", self.enrolment.site);
            let hint = "nothing is signed or sent; ask governance, which may give a new token: join TOKEN --new-keys";
            return Err(Fault::new(Blame::Operator, what, hint));
        }
        if let Ok(entry) = self.mirror.registry().party(&Party::Site(self.enrolment.site.clone()))
            && entry.key(usage).map_err(refused)? != PublicKey::of(&key)
        {
            let what = format!("keys/{usage}.key is not the key that this site was enrolled with");
            let hint = "restore keys/ from a backup of this home; if there is none, governance gives a token (site add SITE): \
                        join TOKEN --new-keys. Until then nothing is signed or sent";
            return Err(Fault::new(Blame::Site, what, hint));
        }
        Ok(key)
    }

    /// The transport keys that the aggregator may show: that of the roster, and before there is one that of the token. It may
    /// go on with the one directly before it, if that was rotated, until it is started again.
    pub fn server_keys(&self) -> Vec<Digest> {
        let registry = self.mirror.registry();
        let all = registry.keys_of(&Party::Aggregator, KeyUse::Transport);
        let member = |id: &Digest| registry.member(id);
        let since = all.iter().filter_map(|key| member(&key.id()).map(|member| member.since)).max();
        let known = all.iter().map(|key| key.id());
        let held = |id: &Digest| {
            let ended = member(id).and_then(|member| member.ended.as_ref());
            ended.is_none_or(|(entry, ended)| ended.why == Ending::Rotated && Some(*entry) == since)
        };
        let (held, ended): (Vec<Digest>, Vec<Digest>) = known.partition(held);
        // A token may be newer than this home's copy of the registry.
        let token = Some(self.enrolment.transport).filter(|pin| !held.contains(pin) && !ended.contains(pin));
        held.into_iter().chain(token).collect()
    }

    /// The ledger's first record, and what a crash left it owing; a crash between joining and this one is mended here.
    fn begin_ledger(&mut self) -> Result<(), Fault> {
        if self.journal.size(LEDGER)? > 0 {
            return self.journal.settle_erasures(&mut self.rng);
        }
        let (federation, site) = (self.enrolment.federation.clone(), self.enrolment.site.clone());
        self.journal.append(&[LedgerEntry::Genesis { federation, site, epoch: self.enrolment.epoch }], &mut self.rng)
    }

    /// Reads the registry entries that another process of this home kept.
    ///
    /// # Errors
    /// An outbox that is damaged.
    pub fn reload_mirror(&mut self) -> Result<(), Fault> {
        if self.outbox.registry_size()? != self.mirror.registry().size() {
            self.mirror = read_mirror(&self.trust, &self.outbox)?;
        }
        self.take_keys()
    }

    /// What the site decided last about each plan.
    ///
    /// # Errors
    /// A journal that is damaged.
    pub fn decisions(&mut self) -> Result<BTreeMap<Digest, Decision>, Fault> {
        let mut decisions = BTreeMap::new();
        self.journal.ledger(|_, entry| {
            match entry {
                LedgerEntry::Accepted { plan, review: false, .. } => decisions.insert(plan, Decision::Accepted),
                LedgerEntry::Accepted { plan, review: true, .. } => decisions.insert(plan, Decision::Review),
                LedgerEntry::Refused { plan, reason, .. } => decisions.insert(plan, Decision::Refused(reason)),
                _ => None,
            };
            Ok(())
        })?;
        Ok(decisions)
    }

    /// The latest plan of a name.
    ///
    /// # Errors
    /// No such plan in this site's copy of the registry.
    pub fn plan_named(&self, name: &Name) -> Result<(Digest, PublishedPlan), Fault> {
        let registry = self.mirror.registry();
        let found = registry.plan_named(name).map(|(digest, _, published)| (digest, published.clone()));
        found.ok_or_else(|| {
            let known: Vec<_> = registry.plans().map(|(_, p)| p.plan.plan.to_string()).collect();
            let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
            Fault::new(Blame::Operator, format!("no plan is called {name}"), format!("published plans: {known}"))
        })
    }

    /// Accepts a plan, with a review of each release or for good, if this site's own policy allows it; true if that is new.
    /// The ledger keeps either answer.
    ///
    /// # Errors
    /// A plan below the site's policy: it is refused, with the reason.
    pub fn accept(&mut self, name: &Name, review: bool, act: &Act) -> Result<bool, Fault> {
        let (plan, published) = self.plan_named(name)?;
        if let Err(reason) = self.home.config.allows(&published.plan) {
            self.decide(plan, Decision::Refused(reason.clone()), act)?;
            let hint = "ask governance for another plan, or let the data steward change config.toml";
            return Err(Fault::new(Blame::Operator, format!("plan {name} is refused: {reason}"), hint));
        }
        self.decide(plan, if review { Decision::Review } else { Decision::Accepted }, act)
    }

    /// Writes a decision to the ledger, unless it stands there already.
    ///
    /// # Errors
    /// A journal that cannot be written.
    pub fn decide(&mut self, plan: Digest, decision: Decision, act: &Act) -> Result<bool, Fault> {
        if self.decisions()?.get(&plan) == Some(&decision) {
            return Ok(false);
        }
        let Act { by, at } = act.clone();
        let entry = match decision {
            Decision::Accepted => LedgerEntry::Accepted { plan, review: false, by, at },
            Decision::Review => LedgerEntry::Accepted { plan, review: true, by, at },
            Decision::Refused(reason) => LedgerEntry::Refused { plan, reason, by, at },
        };
        self.journal.append(&[entry], &mut self.rng)?;
        Ok(true)
    }
}

fn read_mirror(trust: &Valid<Trust>, outbox: &Outbox) -> Result<Mirror, Fault> {
    Mirror::of(trust, &outbox.registry()?).map_err(|refusal| {
        let what = format!("the copy of the registry in outbox.sqlite does not pass: {refusal}");
        Fault::new(Blame::Site, what, "outbox.sqlite is damaged: restore this home as a whole from its newest backup")
    })
}

/// A document that this program made or kept and that does not pass its own checks.
pub(crate) fn refused(refusal: Refusal) -> Fault {
    Fault::new(Blame::Site, refusal.to_string(), "run `fedaudit-agent journal verify` and report what it says")
}
