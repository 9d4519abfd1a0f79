//! A federation in a folder: `aggregator/`, `governance/` and a folder a site under `sites/`.

use crate::dataset::Dataset;
use crate::process::{Programs, Running, command, failed, finish, finish_both};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A federation on this machine.
pub struct Federation {
    /// How its parties are started.
    pub programs: Programs,
    dir: PathBuf,
}

/// Sites that are set up side by side; more would only wait for the processors.
const SIDE_BY_SIDE: usize = 8;

impl Federation {
    /// Makes aggregator and governance in the new folder `dir`, on a free port of the loopback address.
    ///
    /// # Errors
    /// A folder that cannot be used.
    pub fn init(programs: Programs, dir: &Path, name: &Name) -> Result<Federation, Fault> {
        Federation::init_with(programs, dir, name, &[])
    }

    /// The same, with more arguments for the aggregator's `init`.
    ///
    /// # Errors
    /// A folder that cannot be used.
    pub fn init_with(programs: Programs, dir: &Path, name: &Name, more: &[&str]) -> Result<Federation, Fault> {
        std::fs::create_dir_all(dir.join("sites")).map_err(|e| failed(format!("{}: {e}", dir.display())))?;
        let federation = Federation { programs, dir: dir.to_owned() };
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = socket.map_err(|e| failed(format!("no free port: {e}")))?.to_string();
        let init = ["init", "--federation", name.as_str(), "--listen", &address, "--address", &address];
        federation.aggregator(&[&init[..], more].concat())?;
        Ok(federation)
    }

    /// Folder of a site's agent.
    pub fn site_dir(&self, site: &Name) -> PathBuf {
        self.dir.join("sites").join(site.as_str())
    }

    fn aggregator_args(&self, args: &[&str]) -> Vec<OsString> {
        let homes = [("--home", "aggregator"), ("--governance", "governance")];
        let homes = homes.iter().flat_map(|(flag, folder)| [OsString::from(*flag), self.dir.join(folder).into()]);
        homes.chain(args.iter().map(OsString::from)).collect()
    }

    fn agent_args(&self, site: &Name, args: &[&str]) -> Vec<OsString> {
        let home = [OsString::from("--home"), self.site_dir(site).into()];
        home.into_iter().chain(args.iter().map(OsString::from)).collect()
    }

    /// Runs a command of the aggregator.
    ///
    /// # Errors
    /// What it said.
    pub fn aggregator(&self, args: &[&str]) -> Result<String, Fault> {
        finish(command(&self.programs.aggregator, &self.aggregator_args(args)))
    }

    /// Runs a command of a site's agent.
    ///
    /// # Errors
    /// What it said.
    pub fn agent(&self, site: &Name, args: &[&str]) -> Result<String, Fault> {
        finish(command(&self.programs.agent, &self.agent_args(site, args)))
    }

    /// Starts the aggregator's daemon.
    ///
    /// # Errors
    /// It did not start.
    pub fn start_aggregator(&self) -> Result<Running, Fault> {
        Running::start(command(&self.programs.aggregator, &self.aggregator_args(&["run"])))
    }

    /// Starts a site's daemon; with `once` it ends when everything due is received.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_agent(&self, site: &Name, once: bool) -> Result<Running, Fault> {
        let args: &[&str] = if once { &["run", "--once"] } else { &["run"] };
        Running::spawn(command(&self.programs.agent, &self.agent_args(site, args)))
    }

    /// Starts an import without waiting for its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_import(&self, site: &Name, file: &Path) -> Result<Running, Fault> {
        Running::spawn(command(&self.programs.agent, &self.agent_args(site, &["import", &file.to_string_lossy()])))
    }

    /// Starts building a report without waiting for its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_report(&self, plan: &Name, out: &Path) -> Result<Running, Fault> {
        let args = ["report", "build", plan.as_str(), "--out", &out.to_string_lossy()];
        Running::spawn(command(&self.programs.aggregator, &self.aggregator_args(&args)))
    }

    /// Makes a site's home and enrols it: init, token, join, approval.
    ///
    /// # Errors
    /// The step that failed.
    pub fn enrol(&self, site: &Name, k_floor: u64) -> Result<(), Fault> {
        self.agent(site, &["init", "--k-floor", &k_floor.to_string(), "--poll-seconds", "1"])?;
        let token = self.aggregator(&["site", "add", site.as_str()])?;
        self.agent(site, &["join", token.trim()])?;
        self.aggregator(&["site", "approve", site.as_str()])?;
        Ok(())
    }

    /// Publishes a contract and plans.
    ///
    /// # Errors
    /// The document that was refused.
    pub fn publish(&self, dataset: &Dataset) -> Result<(), Fault> {
        self.aggregator(&["contract", "publish", &dataset.contract.to_string_lossy()])?;
        for (path, _) in &dataset.plans {
            self.aggregator(&["plan", "publish", &path.to_string_lossy()])?;
        }
        Ok(())
    }

    /// One site, from nothing to all of its receipts; what its import said.
    ///
    /// # Errors
    /// The step that failed.
    pub fn whole_site(&self, dataset: &Dataset, site: &Name, file: &Path) -> Result<String, Fault> {
        self.enrol(site, dataset.least_k())?;
        for (_, plan) in &dataset.plans {
            self.agent(site, &["plan", "accept", plan.plan.as_str()])?;
        }
        let file = file.to_string_lossy();
        let map = dataset.map.as_ref().map(|path| path.to_string_lossy().into_owned());
        let mut args = vec!["import", &file];
        args.extend(map.iter().flat_map(|map| ["--map", map]));
        let (imported, warned) = finish_both(command(&self.programs.agent, &self.agent_args(site, &args)))?;
        eprint!("{warned}");
        self.agent(site, &["run", "--once"])?;
        Ok(imported)
    }

    /// All sites of a data set, several side by side, each by its own processes. `said` is told what each import said.
    ///
    /// # Errors
    /// The first site that failed.
    pub fn whole_sites(&self, dataset: &Dataset, said: impl Fn(&Name, &str) + Sync) -> Result<(), Fault> {
        let next = AtomicUsize::new(0);
        let failure: Mutex<Option<Fault>> = Mutex::new(None);
        let failed = || failure.lock().map_or(true, |failure| failure.is_some());
        std::thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE.min(dataset.sites.len()) {
                scope.spawn(|| {
                    while let Some((site, file)) =
                        dataset.sites.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !failed())
                    {
                        match self.whole_site(dataset, site, file) {
                            Ok(imported) => said(site, &imported),
                            Err(fault) => {
                                if let Ok(mut failure) = failure.lock() {
                                    failure.get_or_insert(fault.while_(format!("site {site}")));
                                }
                            }
                        }
                    }
                });
            }
        });
        match failure.into_inner() {
            Ok(None) => Ok(()),
            Ok(Some(fault)) => Err(fault),
            Err(_) => Err(crate::process::failed("a worker of this program failed".to_owned())),
        }
    }

    /// Builds the report on `plan` into `out`.
    ///
    /// # Errors
    /// What the aggregator said.
    pub fn report(&self, plan: &Name, out: &Path) -> Result<String, Fault> {
        self.aggregator(&["report", "build", plan.as_str(), "--out", &out.to_string_lossy()])
    }
}
