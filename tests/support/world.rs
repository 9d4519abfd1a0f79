//! A federation of real processes in a temporary folder.

use crate::{Said, program, programs, run};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_examples::dataset::Dataset;
use fedaudit_examples::federation::Federation;
use fedaudit_examples::process::Programs;
use fedaudit_examples::ucb;
use fedaudit_link::home::load_key;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A federation over the admissions data, in monthly windows.
pub struct World {
    /// How its parties are run.
    pub federation: Federation,
    /// Its data set.
    pub dataset: Dataset,
    daemon: Option<Daemon>,
    dir: TempDir,
}

/// A daemon whose standard error goes to a file; it is killed with its owner.
struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Longest time that a daemon may take to do what a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes the admissions data with these `sites` into `folder`, as six monthly windows; all sites but the last are required.
///
/// # Panics
/// A folder that cannot be written.
pub fn admissions(folder: &Path, sites: &[&str]) {
    ucb::write(folder).expect("writes");
    let path = folder.join("plan.toml");
    let plan = std::fs::read_to_string(&path).expect("reads");
    let (mut toml, mut patched) = (String::new(), 0);
    for line in plan.lines() {
        let line = match line.split(" =").next() {
            Some("required_sites") => format!("required_sites = {:?}", &sites[..sites.len() - 1]),
            Some("release_after_hours") => format!("{line}\nevery = \"month\""),
            _ => {
                toml += &format!("{line}\n");
                continue;
            }
        };
        patched += 1;
        toml += &format!("{line}\n");
    }
    assert_eq!(patched, 2, "the plan has both lines");
    std::fs::write(&path, toml).expect("writes");
    for file in std::fs::read_dir(folder.join("sites")).expect("lists").flatten() {
        let known = file.path().file_stem().is_some_and(|stem| sites.iter().any(|site| stem == *site));
        if !known {
            std::fs::remove_file(file.path()).expect("removes");
        }
    }
}

/// A valid name.
///
/// # Panics
/// It is none.
pub fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

impl World {
    /// Aggregator running, contract and plan published, nobody enrolled.
    ///
    /// # Panics
    /// A step that fails.
    pub fn new(sites: &[&str]) -> World {
        World::with_plan(sites, |plan| plan)
    }

    /// The same, with the text of the plan changed.
    ///
    /// # Panics
    /// A step that fails.
    pub fn with_plan(sites: &[&str], edit: impl FnOnce(String) -> String) -> World {
        World::with(sites, edit, &[])
    }

    /// The same, with more arguments for the aggregator's `init`.
    ///
    /// # Panics
    /// A step that fails.
    pub fn with(sites: &[&str], edit: impl FnOnce(String) -> String, init: &[&str]) -> World {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("admissions");
        admissions(&folder, sites);
        let path = folder.join("plan.toml");
        let plan = edit(std::fs::read_to_string(&path).expect("reads"));
        std::fs::write(&path, plan).expect("writes");
        let dataset = Dataset::open(&folder).expect("a data set");
        for name in ["fedaudit-agent", "fedaudit-aggregator"] {
            program(name);
        }
        let homes = dir.path().join("homes");
        let federation = Federation::init_with(Programs::in_folder(&programs()), &homes, &dataset.federation, init);
        let mut world = World { federation: federation.expect("a federation"), dataset, daemon: None, dir };
        world.federation.publish(&world.dataset).expect("publishes");
        world.start();
        world
    }

    /// The aggregator's home.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("homes/aggregator")
    }

    /// The governance folder.
    pub fn governance(&self) -> PathBuf {
        self.dir.path().join("homes/governance")
    }

    /// A file or folder for the test itself.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A site's home.
    pub fn site(&self, site: &str) -> PathBuf {
        self.federation.site_dir(&name(site))
    }

    /// Runs a command of the aggregator.
    pub fn aggregator(&self, args: &[&str]) -> Said {
        run("fedaudit-aggregator", &self.aggregator_args(args))
    }

    fn aggregator_args(&self, args: &[&str]) -> Vec<OsString> {
        let homes = ["--home".into(), self.home().into(), "--governance".into(), self.governance().into()];
        homes.into_iter().chain(args.iter().map(OsString::from)).collect()
    }

    /// Runs a command of a site's agent.
    pub fn agent(&self, site: &str, args: &[&str]) -> Said {
        let home = [OsString::from("--home"), self.site(site).into()];
        run("fedaudit-agent", &home.into_iter().chain(args.iter().map(OsString::from)).collect::<Vec<_>>())
    }

    /// Starts the aggregator's daemon.
    ///
    /// # Panics
    /// It does not say that it is ready.
    pub fn start(&mut self) {
        self.start_in(&[]);
    }

    /// The same, with more in its environment.
    ///
    /// # Panics
    /// As [`World::start`].
    pub fn start_in(&mut self, environment: &[(&str, &Path)]) {
        let log = self.dir.path().join("aggregator.log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("opens");
        let mut command = Command::new(program("fedaudit-aggregator"));
        command
            .envs(environment.iter().copied())
            .args(self.aggregator_args(&["run"]))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file);
        let mut daemon = Daemon { child: command.spawn().expect("starts"), log };
        let mut line = String::new();
        let stdout = daemon.child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("reads");
        assert!(line.starts_with("ready"), "{line}{}", std::fs::read_to_string(&daemon.log).unwrap_or_default());
        self.daemon = Some(daemon);
    }

    /// Kills the aggregator's daemon.
    pub fn stop(&mut self) {
        self.daemon = None;
    }

    /// Waits until the aggregator's daemon has ended by itself.
    ///
    /// # Panics
    /// It goes on.
    pub fn ended(&mut self) -> ExitStatus {
        let daemon = self.daemon.as_mut().expect("a daemon");
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = daemon.child.try_wait().expect("waits") {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the aggregator goes on: {}", self.log());
    }

    /// What the aggregator's daemon wrote to standard error so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("aggregator.log")).unwrap_or_default()
    }

    /// Waits until the aggregator's daemon has written `text` to standard error.
    ///
    /// # Panics
    /// It does not.
    #[track_caller]
    pub fn logged(&self, text: &str) {
        self.logged_times(text, 1);
    }

    /// Waits until the aggregator's log holds `text` that many times.
    ///
    /// # Panics
    /// It does not come.
    pub fn logged_times(&self, text: &str, times: usize) {
        let until = Instant::now() + PATIENCE;
        while self.log().matches(text).count() < times {
            let log = self.log();
            assert!(Instant::now() < until, "`{text}` is not {times} times in the aggregator's log:\n{log}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Enrols a site that accepts the plan and has no data yet.
    ///
    /// # Panics
    /// A step that fails.
    pub fn enrol(&self, site: &str) {
        self.federation.enrol(&name(site), 5).expect("enrols");
        self.agent(site, &["plan", "accept", self.plan().as_str()]).good();
    }

    /// One good site, from nothing to all of its receipts: the aggregator serves as it should.
    ///
    /// # Panics
    /// A step that fails.
    #[track_caller]
    pub fn ship(&self, site: &str) {
        let (site, file) = self.dataset.sites.iter().find(|(of, _)| of.as_str() == site).expect("a site with data");
        self.federation.whole_site(&self.dataset, site, file).expect("a good site ships");
    }

    /// The plan's name.
    pub fn plan(&self) -> Name {
        self.dataset.plans[0].1.plan.clone()
    }

    /// What `log verify` says: each log with its size and root.
    pub fn logs(&self) -> String {
        self.aggregator(&["log", "verify"]).good().out
    }

    /// The aggregator's address, and the pin of its transport key.
    ///
    /// # Errors
    /// A home that cannot be read.
    pub fn address(&self) -> Result<(String, Digest), Fault> {
        let key = load_key(&self.home().join("keys").join(format!("{}.key", KeyUse::Transport)))?;
        let home = fedaudit_aggregator::home::Home::open(&self.home())?;
        Ok((home.config.address, PublicKey::of(&key).id()))
    }
}

/// Copies a folder with all that is in it.
///
/// # Panics
/// A file that cannot be copied.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("makes a folder");
    for entry in std::fs::read_dir(from).expect("lists").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copies");
        }
    }
}

/// Puts a copy in the place of a folder.
///
/// # Panics
/// A file that cannot be moved.
pub fn restore(copied: &Path, place: &Path) {
    std::fs::remove_dir_all(place).expect("removes");
    copy(copied, place);
}
