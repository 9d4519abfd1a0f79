//! Kill -9 at any moment: nothing is lost, nothing counts twice, the report is the same.

use fedaudit_core::bundle::unpack;
use fedaudit_core::codec;
use fedaudit_core::report::{Report, Use};
use fedaudit_examples::dataset::Dataset;
use fedaudit_examples::federation::Federation;
use fedaudit_examples::process::{Programs, Running};
use fedaudit_examples::ucb;
use fedaudit_tests::{programs, run};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Six departments, enrolled, with the plan accepted; nothing imported yet.
struct Berkeley {
    dir: TempDir,
    dataset: Dataset,
    federation: Federation,
    aggregator: Running,
}

/// Longest that anything here may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(120);

impl Berkeley {
    fn new() -> Berkeley {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("berkeley");
        ucb::write(&folder).expect("writes");
        let dataset = Dataset::open(&folder).expect("a data set");
        let programs = Programs::in_folder(&programs());
        let federation = Federation::init(programs, &dir.path().join("homes"), &dataset.federation).expect("made");
        let aggregator = federation.start_aggregator().expect("starts");
        federation.publish(&dataset).expect("published");
        for (site, _) in &dataset.sites {
            federation.enrol(site, dataset.least_k()).expect("enrolled");
            federation.agent(site, &["plan", "accept", "admissions-1973"]).expect("accepted");
        }
        Berkeley { dir, dataset, federation, aggregator }
    }

    fn import(&self, site: usize) {
        let (site, file) = &self.dataset.sites[site];
        self.federation.agent(site, &["import", &file.display().to_string()]).expect("imported");
    }

    fn restart_aggregator(&mut self) {
        self.aggregator.kill();
        self.aggregator = self.federation.start_aggregator().expect("starts again");
    }

    /// Lets every site finish, builds the report, verifies it, and holds its counts against the 24 printed ones.
    fn check(&self) {
        for (site, _) in &self.dataset.sites {
            self.federation.agent(site, &["run", "--once"]).expect("finishes");
            self.federation.agent(site, &["journal", "verify"]).expect("is whole");
        }
        self.federation.aggregator(&["log", "verify"]).expect("is whole");
        let out = self.dir.path().join("out");
        self.federation.report(&self.dataset.plans[0].1.plan, &out).expect("built");
        let path = |name: &str| out.join(name).display().to_string();
        run("fedaudit-verify", &[path("bundle.zip"), "--trust".to_owned(), path("trust.json")]).good();
        check_counts(&out);
    }
}

fn check_counts(out: &Path) {
    let report: Report = codec::from_json(&std::fs::read(out.join("report.json")).expect("written")).expect("a report");
    assert_eq!(report.releases.len(), 6, "one release a site, and no other");
    assert!(report.releases.iter().all(|release| release.used == Use::Used));
    let gender = &report.scopes[0].slices[1];
    let counts = |group: usize| {
        gender.groups[group].sites.iter().map(|s| s.as_ref().map(|s| (s.selected, s.n))).collect::<Vec<_>>()
    };
    // Bickel, Hammel and O'Connell, as UCBAdmissions prints them: (admitted, all).
    assert_eq!(counts(0), [(89, 108), (17, 25), (202, 593), (131, 375), (94, 393), (24, 341)].map(Some));
    assert_eq!(counts(1), [(512, 825), (353, 560), (120, 325), (138, 417), (53, 191), (22, 373)].map(Some));
}

fn after(rng: &mut StdRng, most_ms: u32) -> Duration {
    Duration::from_micros(u64::from(rng.next_u32() % (most_ms * 1_000)))
}

/// Waits for a process to end by itself.
fn wait(process: &mut Running, what: &str) -> bool {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(good) = process.ended() {
            return good;
        }
        assert!(Instant::now() < until, "{what} hangs");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_aggregator_that_is_away_costs_nothing_but_time() {
    let mut berkeley = Berkeley::new();
    (0..6).for_each(|site| berkeley.import(site));
    berkeley.federation.agent(&berkeley.dataset.sites[0].0, &["run", "--once"]).expect("ships");
    berkeley.aggregator.kill();
    let sites: Vec<_> = berkeley.dataset.sites.iter().map(|(site, _)| site.clone()).collect();
    let mut agents: Vec<_> =
        sites.iter().map(|site| berkeley.federation.start_agent(site, true).expect("starts")).collect();
    std::thread::sleep(Duration::from_millis(500));
    assert!(agents[1..].iter_mut().all(|agent| agent.ended().is_none()), "agents wait for the aggregator");
    berkeley.restart_aggregator();
    for (agent, site) in agents.iter_mut().zip(&sites) {
        assert!(wait(agent, site.as_str()), "{site} ships in the end");
    }
    berkeley.check();
}

/// How many kills: ten in every run of the tests, as many as `FEDAUDIT_KILLS` says in a long one.
fn kills() -> u32 {
    std::env::var("FEDAUDIT_KILLS").ok().map_or(10, |text| text.parse().expect("FEDAUDIT_KILLS is a number"))
}

/// What must not depend on who was killed when: every release byte for byte, and every figure of the report.
fn outcome(berkeley: &Berkeley) -> (BTreeSet<Vec<u8>>, String) {
    let out = berkeley.dir.path().join("out");
    let bundle = unpack(&std::fs::read(out.join("bundle.zip")).expect("written")).expect("a bundle");
    let report: Value = serde_json::from_slice(&bundle.report_json).expect("a report");
    let figures = [&report["scopes"], &report["sites"], &report["windows"]].map(Value::to_string);
    (bundle.plan.artifacts.into_values().collect(), figures.concat())
}

#[test]
fn killed_at_random_moments_it_is_the_same_report() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}, {} kills", kills());
    let undisturbed = Berkeley::new();
    (0..6).for_each(|site| undisturbed.import(site));
    undisturbed.check();

    let mut rng = StdRng::seed_from_u64(seed);
    let mut berkeley = Berkeley::new();
    let sites: Vec<_> = berkeley.dataset.sites.iter().map(|(site, file)| (site.clone(), file.clone())).collect();
    let (plan, out) = (berkeley.dataset.plans[0].1.plan.clone(), berkeley.dir.path().join("killed"));
    let mut done = 0;
    while done < kills() {
        let (site, file) = &sites[rng.next_u32() as usize % sites.len()];
        let mut victim = match rng.next_u32() % 8 {
            0..=2 => berkeley.federation.start_import(site, file),
            3..=5 => berkeley.federation.start_agent(site, false),
            6 => berkeley.federation.start_report(&plan, &out),
            _ => {
                // The aggregator, in the middle of a site's shipping.
                let agent = berkeley.federation.start_agent(site, true).expect("starts");
                std::thread::sleep(after(&mut rng, 80));
                berkeley.restart_aggregator();
                done += 1;
                Ok(agent)
            }
        }
        .expect("starts");
        std::thread::sleep(after(&mut rng, 120));
        victim.kill();
        done += 1;
    }
    (0..6).for_each(|site| berkeley.import(site));
    berkeley.check();
    assert!(outcome(&berkeley) == outcome(&undisturbed), "the report or a release is another");
}
