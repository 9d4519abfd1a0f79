//! Two sites and an aggregator in folders, joined by function calls in place of a network.

use crate::answer;
use fedaudit_agent::close::close_due;
use fedaudit_agent::drive;
use fedaudit_agent::home::{Config, Enrolment, Home as AgentHome};
use fedaudit_agent::journal::EventRow;
use fedaudit_agent::outbox::{Kind, State};
use fedaudit_agent::ship::{Shipper, Step};
use fedaudit_agent::site::{Act, Site};
use fedaudit_aggregator::basis::Basis;
use fedaudit_aggregator::centre::Centre;
use fedaudit_aggregator::governance::Governance;
use fedaudit_aggregator::home::{Config as CentreConfig, Home as CentreHome, init};
use fedaudit_core::codec;
use fedaudit_core::contract::Contract;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::report::{Input, compile};
use fedaudit_core::roster::RosterKey;
use fedaudit_core::time::{HOUR_NS, Time, Window};
use fedaudit_link::protocol::{JoinRequest, Request, Response};
use fedaudit_tests::world::{copy, restore};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const CONTRACT: &str = r#"
contract = "credit"
version = 1
title = "Credit decisions"
task = "binary"
model = "scorer"
[decision]
values = ["no", "yes"]
favourable = "yes"
[label]
values = ["paid", "lost"]
positive = "lost"
[[attribute]]
name = "sex"
categories = ["f", "m"]
"#;

const PLAN: &str = r#"
plan = "weekly"
version = 1
title = "Is credit given alike?"
contract = "credit"
model_versions = ["v1"]
required_sites = ["site-0", "site-1"]
min_site_n = 1
disclosure = { k = 1 }
[windows]
start = "2026-01-05T00:00:00Z"
end = "2026-03-02T00:00:00Z"
every = "week"
release_after_hours = 24
[[slice]]
attributes = ["sex"]
reference = ["m"]
"#;

const DAY_NS: i64 = 24 * HOUR_NS;

/// Everything there is, and the plain count of it.
pub struct World {
    pub dir: TempDir,
    pub now: Time,
    rng: StdRng,
    pub centre: Option<Centre>,
    pub sites: Vec<(Option<Site>, Shipper)>,
    contract: Contract,
    events: u64,
    /// (site, window, sex, decision) -> events, of windows that were open when the event was observed.
    counts: BTreeMap<(usize, Window, u16, u8), u64>,
    receipts: Vec<usize>,
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

impl World {
    pub fn new(seed: u64) -> World {
        let dir = tempfile::tempdir().expect("a folder");
        let (home, governance) = (dir.path().join("aggregator"), dir.path().join("governance"));
        let here = || "127.0.0.1:1".to_owned();
        let config = CentreConfig { heartbeat_minutes: 0, ..CentreConfig::of(here(), here()) };
        init(&home, &governance, &name("sim"), &config, 0).expect("a federation");
        let mut centre = Centre::open(CentreHome::open(&home).expect("a home")).expect("opens");
        let now = Time::parse("2026-01-05T00:00:00Z").expect("a time");
        let govern = Governance::open(&governance, &centre).expect("governance");
        for (file, text) in [("contract.toml", CONTRACT), ("plan.toml", PLAN)] {
            std::fs::write(dir.path().join(file), text).expect("writes");
        }
        govern.publish_contract(&mut centre, &dir.path().join("contract.toml"), now).expect("published");
        govern.publish_plan(&mut centre, &dir.path().join("plan.toml"), now).expect("published");
        let mut sites = Vec::new();
        for number in 0..2 {
            let site = name(&format!("site-{number}"));
            let home = enrol(&mut centre, &govern, &dir.path().join(site.as_str()), &site, now);
            let site = Site::open_seeded(home, StdRng::seed_from_u64(seed + number)).expect("opens");
            let shipper = drive::shipper(&site).expect("a shipper");
            sites.push((Some(site), shipper));
        }
        let contract = fedaudit_core::contract::from_toml(CONTRACT).expect("valid");
        let mut world = World {
            dir,
            now,
            rng: StdRng::seed_from_u64(seed),
            centre: Some(centre),
            sites,
            contract,
            events: 0,
            counts: BTreeMap::new(),
            receipts: vec![0; 2],
        };
        for site in 0..2 {
            world.ship(site, 10);
            let act = Act { by: "the steward".to_owned(), at: world.now };
            world.site(site).accept(&name("weekly"), false, &act).expect("accepted");
        }
        world
    }

    /// A site's home.
    pub fn site(&mut self, site: usize) -> &mut Site {
        self.sites[site].0.as_mut().expect("is open")
    }

    fn centre(&mut self) -> &mut Centre {
        self.centre.as_mut().expect("is open")
    }

    /// A random number below `n`.
    pub fn below(&mut self, n: u32) -> u32 {
        self.rng.next_u32() % n
    }

    /// A few events of the last days, so that some come late; those of closed windows are not counted.
    pub fn observe(&mut self, site: usize) {
        let closed = self.closed_windows(site);
        let mut rows = Vec::new();
        for _ in 0..1 + self.below(6) {
            let back_ns = i64::from(self.below(20 * 24)) * HOUR_NS;
            let occurred_at =
                self.now.plus_ns(-back_ns.min(self.now.0 - Time::parse("2026-01-05T00:00:00Z").expect("a time").0));
            let (sex, decision) = (self.below(2) as u16, self.below(2) as u8);
            let labelled = self.below(2) == 0;
            self.events += 1;
            rows.push(EventRow {
                event_id: format!("event-{}", self.events),
                occurred_at,
                model_version: "v1".to_owned(),
                decision,
                attributes: vec![sex],
                outcome: labelled.then_some((decision.into(), occurred_at)),
                ..EventRow::default()
            });
            let window = fedaudit_core::time::tumbling(fedaudit_core::time::Every::Week, occurred_at);
            if !closed.contains(&window) {
                *self.counts.entry((site, window, sex, decision)).or_default() += 1;
            }
        }
        let contract = self.contract.clone();
        let mut rng = StdRng::seed_from_u64(self.events);
        let journal = &mut self.site(site).journal;
        // Handed in twice: the second time changes nothing.
        for _ in 0..2 {
            journal.record_events(&contract, &rows, &mut rng).expect("journaled");
        }
        self.now = self.now.plus_ns(6 * HOUR_NS);
    }

    fn closed_windows(&mut self, site: usize) -> Vec<Window> {
        let listed = self.site(site).outbox.list().expect("reads");
        listed.iter().filter(|listed| listed.kind == Kind::Release).map(|release| release.window).collect()
    }

    pub fn close(&mut self, site: usize) {
        self.now = self.now.plus_ns(3 * DAY_NS);
        let now = self.now;
        close_due(self.site(site), now).expect("closes");
    }

    /// Steps of the site's link; faults of the link are part of the game.
    pub fn ship(&mut self, site: usize, steps: u32) {
        for _ in 0..steps {
            if !self.step(site, false) {
                break;
            }
        }
    }

    /// Goes on until a reply to something sent is lost.
    pub fn lose_reply(&mut self, site: usize) {
        for _ in 0..20 {
            let submits = matches!(self.next(site), Step::Submit);
            if !self.step(site, submits) || submits {
                break;
            }
        }
    }

    fn next(&mut self, site: usize) -> Step {
        let now = self.now;
        let (home, shipper) = &mut self.sites[site];
        drive::next(home.as_mut().expect("is open"), shipper, now).expect("reads")
    }

    /// One step; false if there is nothing to do now.
    fn step(&mut self, site: usize, lose: bool) -> bool {
        self.faulty_step(site, lose).unwrap_or(true)
    }

    fn faulty_step(&mut self, site: usize, lose: bool) -> Result<bool, Fault> {
        let (step, now) = (self.next(site), self.now);
        match step {
            Step::Connect => {
                self.sites[site].1.up();
                return Ok(true);
            }
            Step::Wait(_) => return Ok(false),
            Step::Halt(fault) => return Err(fault),
            _ => {}
        }
        let (home, shipper) = &mut self.sites[site];
        let home = home.as_mut().expect("is open");
        let ask = drive::ask(home, shipper, step)?.expect("something to send");
        let peer = PublicKey::of(&home.home.key(KeyUse::Transport)?);
        let response = answer(self.centre.as_mut().expect("is open"), &peer, &ask.frame, now)?;
        let (home, shipper) = &mut self.sites[site];
        if lose {
            shipper.down(now, 0.5);
            self.now = now.plus_ns(DAY_NS / 2);
            return Ok(false);
        }
        drive::hear(home.as_mut().expect("is open"), shipper, &ask, response, now, 0.5)?;
        Ok(true)
    }

    /// 0 and 1 are the sites, 2 is the aggregator.
    pub fn crash(&mut self, who: usize) {
        let dir = self.dir.path().to_owned();
        if who == 2 {
            self.centre = None;
            let home = CentreHome::open(&dir.join("aggregator")).expect("a home");
            self.centre = Some(Centre::open(home).expect("opens again"));
        } else {
            self.reopen_site(who);
        }
    }

    fn reopen_site(&mut self, who: usize) {
        let path = self.dir.path().join(format!("site-{who}"));
        self.sites[who].0 = None;
        let rng = StdRng::seed_from_u64(u64::from(self.rng.next_u32()));
        let site = Site::open_seeded(AgentHome::open(&path).expect("a home"), rng).expect("opens again");
        self.sites[who].1 = drive::shipper(&site).expect("a shipper");
        self.sites[who].0 = Some(site);
    }

    /// Holds at any time: receipts are never lost, and no window has two releases.
    pub fn check(&mut self, when: &str) {
        for site in 0..2 {
            let releases = self.site(site).outbox.releases().expect("reads");
            let received = releases.iter().filter(|release| release.state == State::Received).count();
            assert!(received >= self.receipts[site], "{when}: a receipt was lost");
            self.receipts[site] = received;
            assert!(releases.iter().all(|release| release.state != State::Refused), "{when}: {releases:?}");
        }
        let all = self.released();
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), different.len(), "{when}: a window has two releases");
    }

    fn released(&mut self) -> Vec<(Name, Window)> {
        let centre = self.centre();
        let (digest, ..) = centre.registry().plan_named(&name("weekly")).expect("is published");
        let releases = &centre.plan(&digest).expect("has a log").releases;
        releases.iter().map(|(_, release)| (release.claim().site.clone(), release.claim().window)).collect()
    }

    /// Releases in the plan's log.
    pub fn logged(&mut self) -> usize {
        self.released().len()
    }

    /// Releases of a site that are ready and not known to be received.
    pub fn waiting(&mut self, site: usize) -> usize {
        let releases = self.site(site).outbox.releases().expect("reads");
        releases.iter().filter(|release| release.state == State::Ready).count()
    }

    /// The plan ends; everybody closes and ships what is left.
    pub fn finish(&mut self) {
        self.now = Time::parse("2026-03-10T00:00:00Z").expect("a time").max(self.now);
        for site in 0..2 {
            // A site that journaled nothing says nothing: one event opens its mouth.
            if self.site(site).journal.size("predictions/credit/1").expect("reads") == 0 {
                self.observe(site);
            }
            // What was not said in time is said after all: nothing was lost meanwhile.
            self.withdraw(site);
            self.close(site);
            for _ in 0..10 {
                self.now = self.now.plus_ns(DAY_NS);
                self.ship(site, 200);
            }
            assert_eq!(self.waiting(site), 0, "everything is received in the end");
        }
    }

    /// The report's counts are the plain ones.
    pub fn check_report(&mut self, what: &str) {
        let counts = self.counts.clone();
        let centre = self.centre();
        let (digest, _, published) = centre.registry().plan_named(&name("weekly")).expect("is published");
        let windows = published.plan.all_windows();
        let log = centre.plan(&digest).expect("has a log");
        assert_eq!(log.releases.len(), 2 * windows.len(), "{what}: one release a site and window");
        for window in &windows {
            let one = [*window];
            let (plan, releases, abstentions) = (digest, &log.releases[..], &log.abstentions[..]);
            let (registry, log_size, disputes, reports) = (centre.registry(), log.log.size(), &[], &[]);
            let input = Input { registry, plan, windows: &one, log_size, releases, abstentions, disputes, reports };
            let report = compile(&input).expect("compiles");
            let slice = &report.scopes[0].slices[1];
            for (sex, group) in slice.groups.iter().take(2).enumerate() {
                for (site, selection) in group.sites.iter().enumerate() {
                    let selection = selection.as_ref().expect("k = 1 hides nothing");
                    let count = |decision| counts.get(&(site, *window, sex as u16, decision)).copied().unwrap_or(0);
                    assert_eq!(
                        (selection.n, selection.selected),
                        (count(0) + count(1), count(1)),
                        "{what}: {window} site {site}"
                    );
                }
            }
        }
    }

    /// A copy of a site's folder.
    pub fn copy_site(&mut self, site: usize) -> PathBuf {
        let to = self.dir.path().join(format!("copy-{site}"));
        self.sites[site].0 = None;
        copy(&self.dir.path().join(format!("site-{site}")), &to);
        self.reopen_site(site);
        to
    }

    /// Puts a copy in the place of a site's folder.
    pub fn restore_site(&mut self, site: usize, from: &Path) {
        let to = self.dir.path().join(format!("site-{site}"));
        self.sites[site].0 = None;
        restore(from, &to);
        self.reopen_site(site);
    }

    /// The first fault of a site's link, if one comes.
    pub fn first_fault(&mut self, site: usize) -> Option<Fault> {
        (0..10).find_map(|_| self.faulty_step(site, false).err())
    }

    /// Whether a site's link has halted for good.
    pub fn halted(&mut self, site: usize) -> bool {
        matches!(self.next(site), Step::Halt(_))
    }
}

/// Init, token, join, approval, without a network.
fn enrol(centre: &mut Centre, governance: &Governance, dir: &Path, site: &Name, now: Time) -> AgentHome {
    AgentHome::init(dir, &Config { k_floor: 1, never_report: Vec::new(), poll_seconds: 1, ..Config::default() })
        .expect("a home");
    let home = AgentHome::open(dir).expect("a home");
    let token = governance.invite(&Basis::of(centre).expect("readable"), site, now.plus_ns(HOUR_NS)).expect("a token");
    let uses = [KeyUse::Attest, KeyUse::Note, KeyUse::Transport];
    let keys = uses.map(|usage| home.key(usage).expect("a key"));
    let public = uses.iter().zip(&keys).map(|(usage, key)| RosterKey { usage: *usage, key: PublicKey::of(key) });
    let signing: Vec<_> = keys.iter().collect();
    let join = JoinRequest::new(token.federation.clone(), site.clone(), public.collect(), &signing, &token.secret);
    let frame = codec::encode(&Request::Join(Box::new(join.expect("signs")))).expect("encodes");
    let Ok(Response::Joined { trust }) = answer(centre, &PublicKey::of(&keys[2]), &frame, now) else {
        panic!("not joined")
    };
    governance.approve(centre, site, now).expect("approved");
    let enrolment = Enrolment {
        federation: token.federation,
        site: site.clone(),
        address: token.address,
        transport: token.transport,
        epoch: 1,
    };
    home.keep_enrolment(&enrolment, &trust).expect("kept");
    home
}
