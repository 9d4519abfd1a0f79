//! `import FILE...`

use super::plan::synced;
use crate::import::{ImportSummary, Map, Reading, Released, import_file};
use crate::journal::StdRng;
use crate::outbox::Kind;
use crate::site::Site;
use clap::Args;
use fedaudit_core::contract::Contract;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Name;
use fedaudit_link::home::{Lock, create_dir_private, os_random};
use fedaudit_link::say;
use rand::SeedableRng as _;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// `import FILE... [--contract NAME] [--map MAP]`
#[derive(Args)]
pub struct Import {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Name of the contract; may be left out where there is one.
    #[arg(long)]
    contract: Option<Name>,
    /// What the files' columns are called, where not as the contract calls them (TOML).
    #[arg(long)]
    map: Option<PathBuf>,
}

impl Import {
    /// Takes the files in, one after another.
    ///
    /// # Errors
    /// The first file that is no good, or no contract to read it by.
    pub async fn run(&self, site: Site) -> Result<(), Fault> {
        let map = self.map.as_deref().map(Map::open).transpose()?.unwrap_or_default();
        let mut site = if site.mirror.registry().size() == 0 { synced(site).await? } else { site };
        let contract = match contract_of(&site, self.contract.as_ref()) {
            Ok(contract) => contract,
            Err(_) => {
                site = synced(site).await?;
                contract_of(&site, self.contract.as_ref())?
            }
        };
        // Held until the last file is in: no window is closed in the middle of an import.
        let _lock = Lock::acquire(&site.home.import_lock())?;
        let mut rng = StdRng::from_seed(os_random());
        let released = released(&site, &contract)?;
        let reading = Reading { contract: &contract, map: &map, released: &released };
        for file in &self.files {
            let summary = import_one(&mut site, &reading, file, &mut rng)?;
            print_summary(file, &summary);
            summary.refused(file).map_or(Ok(()), Err)?;
        }
        Ok(())
    }
}

fn contract_of(site: &Site, name: Option<&Name>) -> Result<Contract, Fault> {
    let registry = site.mirror.registry();
    let mut names: Vec<_> = registry.contracts().map(|contract| contract.contract.clone()).collect();
    names.dedup();
    let known = names.iter().map(Name::to_string).collect::<Vec<_>>().join(", ");
    let wanted = match (name, &names[..]) {
        (Some(name), _) => name.clone(),
        (None, [only]) => only.clone(),
        (None, []) => {
            let hint = "governance publishes one: fedaudit-aggregator contract publish FILE";
            return Err(Fault::new(Blame::Operator, "the federation has no contract yet", hint));
        }
        (None, _) => {
            let what = format!("there are several contracts: {known}");
            return Err(Fault::new(Blame::Operator, what, "name one with --contract"));
        }
    };
    let found = registry.contract(&wanted).map(|(_, _, contract)| contract.clone());
    found.ok_or_else(|| {
        Fault::new(Blame::Operator, format!("no contract is called {wanted}"), format!("published contracts: {known}"))
    })
}

/// The windows of plans over `contract` that this site has released: what comes later is in no report until amended.
fn released(site: &Site, contract: &Contract) -> Result<Vec<Released>, Fault> {
    let registry = site.mirror.registry();
    let mut released = Vec::new();
    for listed in site.outbox.list()?.into_iter().filter(|listed| listed.kind == Kind::Release) {
        let Ok(published) = registry.plan(&listed.plan) else { continue };
        let same = |other: &Contract| other.journal_logs() == contract.journal_logs();
        if registry.contract_of(&published.plan).is_ok_and(same) {
            let until = published.plan.release_time(&listed.window);
            released.push(Released { window: listed.window, until });
        }
    }
    Ok(released)
}

fn import_one(site: &mut Site, reading: &Reading, file: &Path, rng: &mut StdRng) -> Result<ImportSummary, Fault> {
    let rejects = site.home.dir.join("rejects");
    create_dir_private(&rejects)?;
    let reject_name = format!("{}.rejects.csv", file.file_name().unwrap_or_default().to_string_lossy());
    let bar = indicatif::ProgressBar::new(0);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    let mut progress = |done: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let rejects = rejects.join(&reject_name);
    let summary = import_file(&mut site.journal, reading, file, &rejects, rng, &mut progress)?;
    bar.finish_and_clear();
    if summary.rejected > 0 {
        eprintln!("{}: {} rows rejected, see {}", file.display(), summary.rejected, rejects.display());
        for reject in &summary.first_rejects {
            eprintln!("  {} {}: {}", summary.unit, reject.number, reject.reason);
        }
    }
    Ok(summary)
}

fn print_summary(file: &Path, s: &ImportSummary) {
    say!(
        "{}: {} rows, {} new events, {} new outcomes, {} duplicates, {} rejected",
        file.display(),
        s.rows,
        s.events,
        s.outcomes,
        s.duplicates,
        s.rejected
    );
    match s.late {
        0 => {}
        1 => say!("1 event falls into a window already released: see `release amend`"),
        late => say!("{late} events fall into windows already released: see `release amend`"),
    }
    if !s.ignored_columns.is_empty() {
        say!("  columns that the contract does not know, ignored: {}", s.ignored_columns.join(", "));
    }
}
