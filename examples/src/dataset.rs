//! A folder with `contract.toml`, one or more `plan*.toml`, `sites/*.csv` or `*.csv.gz`, and, where their columns have
//! other names than the contract's, `map.toml`.

use fedaudit_agent::draft::rename_of;
use fedaudit_agent::import::Map;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::plan::{Plan, from_toml};
use std::path::{Path, PathBuf};

/// A data set, looked at before anything is started.
pub struct Dataset {
    /// What the federation is called.
    pub federation: Name,
    /// The contract.
    pub contract: PathBuf,
    /// The plans, by file name.
    pub plans: Vec<(PathBuf, Plan)>,
    /// Sites and their files, by name.
    pub sites: Vec<(Name, PathBuf)>,
    /// What the files' columns are called, if there is such a file.
    pub map: Option<PathBuf>,
}

impl Dataset {
    /// Reads what is in `folder`.
    ///
    /// # Errors
    /// What is missing or wrong, before any process is started.
    pub fn open(folder: &Path) -> Result<Dataset, Fault> {
        let contract = folder.join("contract.toml");
        if !contract.is_file() {
            let hint =
                "write one, or have it drafted from the files: fedaudit-agent contract draft FILE... --out FOLDER";
            return Err(Fault::new(Blame::Input, format!("{} is missing", contract.display()), hint));
        }
        let mut plans = Vec::new();
        for path in files(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("plan") && name.ends_with(".toml") {
                let text = std::fs::read_to_string(&path).map_err(|e| wrong(format!("{}: {e}", path.display())))?;
                // The contract's digest is known when it is published; any stands for it here.
                let plan = from_toml(&text, |_| Some(Digest([0; 32])));
                plans.push((path.clone(), plan.map_err(|e| wrong(format!("{}: {e}", path.display())))?));
            }
        }
        let sites = sites(&folder.join("sites"))?;
        let map = Some(folder.join("map.toml")).filter(|path| path.is_file());
        map.as_deref().map(Map::open).transpose()?;
        if plans.is_empty() || sites.is_empty() {
            return Err(wrong(format!("{} has {} plans and {} sites", folder.display(), plans.len(), sites.len())));
        }
        let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().to_lowercase()));
        let federation = Name::new(&name.unwrap_or_default().replace([' ', '_'], "-"));
        let federation = federation.or_else(|_| Name::new("federation")).map_err(wrong)?;
        Ok(Dataset { federation, contract, plans, sites, map })
    }

    /// The least k that a plan asks for: public example data, so each site's floor allows it.
    pub fn least_k(&self) -> u64 {
        self.plans.iter().map(|(_, plan)| plan.disclosure.k).min().unwrap_or(1)
    }
}

/// The sites of a folder, each with its file.
fn sites(folder: &Path) -> Result<Vec<(Name, PathBuf)>, Fault> {
    let mut sites: Vec<(Name, PathBuf)> = Vec::new();
    for path in files(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let refuse = |what: String| {
            let hint = match rename_of(&path) {
                Some(right) => format!("rename it to {right}, or move it out of the folder"),
                None => "name it as its site is called, in letters a-z, digits and -, and end it with .csv".to_owned(),
            };
            Err(Fault::new(Blame::Input, format!("{}: {what}", path.display()), hint))
        };
        let Some(stem) = name.strip_suffix(".csv").or_else(|| name.strip_suffix(".csv.gz")) else {
            if is_table(&name) {
                return refuse("a site's file ends with .csv or .csv.gz".to_owned());
            }
            continue;
        };
        match Name::new(stem) {
            Ok(site) if sites.iter().any(|(other, _)| *other == site) => {
                return refuse(format!("there is another file of site {site}"));
            }
            Ok(site) => sites.push((site, path)),
            Err(why) => return refuse(why),
        }
    }
    Ok(sites)
}

/// Whether a file that is not taken looks as if it should have been.
fn is_table(name: &str) -> bool {
    let name = name.to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    !name.starts_with('.') && [".csv", ".tsv", ".tab", ".txt", ".xlsx"].iter().any(|end| name.ends_with(end))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = std::fs::read_dir(folder).map_err(|e| wrong(format!("{}: {e}", folder.display())))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

fn wrong(what: String) -> Fault {
    let hint = "a data set is a folder with contract.toml, plan*.toml and sites/*.csv; see examples/ucb-admissions";
    Fault::new(Blame::Input, what, hint)
}
