//! A folder with `contract.toml`, one or more `plan*.toml`, and `sites/*.csv` or `*.csv.gz`.

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
}

impl Dataset {
    /// Reads what is in `folder`.
    ///
    /// # Errors
    /// What is missing or wrong, before any process is started.
    pub fn open(folder: &Path) -> Result<Dataset, Fault> {
        let contract = folder.join("contract.toml");
        if !contract.is_file() {
            return Err(wrong(format!("{} is missing", contract.display())));
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
        let mut sites = Vec::new();
        for path in files(&folder.join("sites"))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let stem = name.strip_suffix(".csv").or_else(|| name.strip_suffix(".csv.gz"));
            if let Some(stem) = stem {
                let site = Name::new(stem).map_err(|e| wrong(format!("{}: {e}", path.display())))?;
                sites.push((site, path));
            }
        }
        if plans.is_empty() || sites.is_empty() {
            return Err(wrong(format!("{} has {} plans and {} sites", folder.display(), plans.len(), sites.len())));
        }
        let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().to_lowercase()));
        let federation = Name::new(&name.unwrap_or_default().replace([' ', '_'], "-"));
        let federation = federation.or_else(|_| Name::new("federation")).map_err(wrong)?;
        Ok(Dataset { federation, contract, plans, sites })
    }

    /// The least k that a plan asks for: public example data, so each site's floor allows it.
    pub fn least_k(&self) -> u64 {
        self.plans.iter().map(|(_, plan)| plan.disclosure.k).min().unwrap_or(1)
    }
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
