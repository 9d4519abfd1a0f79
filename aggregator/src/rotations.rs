//! Requests that wait for governance: of parties of the roster that want other keys. `joins/PARTY.rotate`, one a party.
//!
//! Whoever writes or removes one holds `logs.lock`, and so does governance while it reads and signs: a request that was taken back
//! is not signed afterwards.

use crate::centre::Centre;
use crate::home::{Home, operator};
use fedaudit_core::codec;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_core::roster::{Party, RosterEntry};
use fedaudit_link::home::write_atomic;
use fedaudit_link::protocol::{JoinRequest, RotateRequest};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl Home {
    fn rotation_path(&self, party: &Name) -> PathBuf {
        self.dir.join("joins").join(format!("{party}.rotate"))
    }

    /// Keeps the request of a party, in the place of an earlier one; without one, forgets that.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn keep_rotation(&self, party: &Name, request: Option<&RotateRequest>) -> Result<(), Fault> {
        let path = self.rotation_path(party);
        match request {
            None => remove(&path),
            Some(request) => {
                let bytes = codec::encode(request).map_err(|e| operator(e.to_string()))?;
                write_atomic(&path, &bytes, 0o600)
            }
        }
    }

    /// The requests for other keys that wait, as they crossed the wire.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn rotations(&self) -> Result<Vec<Vec<u8>>, Fault> {
        let folder = self.dir.join("joins");
        let broken = |path: &Path, e: std::io::Error| operator(format!("{}: {e}", path.display()));
        let entries = std::fs::read_dir(&folder).map_err(|e| broken(&folder, e))?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|of| of == "rotate"));
        paths.sort();
        paths.iter().map(|path| std::fs::read(path).map_err(|e| broken(path, e))).collect()
    }
}

impl Centre {
    /// Forgets what waited for a roster entry that stands in the registry by now: the requests of its party.
    ///
    /// # Errors
    /// A disk that fails.
    pub(crate) fn drop_asked(&self, artifact: &[u8]) -> Result<(), Fault> {
        let Ok(entry) = codec::from_json::<RosterEntry>(artifact) else { return Ok(()) };
        self.home.keep_rotation(&entry.party.name().map_err(crate::home::refused)?, None)?;
        let Party::Site(site) = &entry.party else { return Ok(()) };
        let joins = self.home.joins()?.into_iter().filter(|(of, _)| of == site);
        joins.map(|(_, path)| path).try_for_each(|path| remove(&path))
    }

    /// Forgets what a crash left of that: requests to join with keys that the roster has.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn drop_joins(&self) -> Result<(), Fault> {
        for (site, path) in self.home.joins()? {
            let bytes = std::fs::read(&path).unwrap_or_default();
            let held = self.registry().party(&Party::Site(site)).map(|entry| &entry.keys).ok();
            if codec::decode::<JoinRequest>(&bytes).is_ok_and(|request| held == Some(&request.keys)) {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<(), Fault> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(operator(format!("{}: {e}", path.display()))),
        _ => Ok(()),
    }
}
