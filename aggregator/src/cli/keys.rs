//! Commands about keys.

use super::{ByFile, cosigned, say};
use crate::basis::Basis;
use crate::by_file;
use crate::centre::Centre;
use crate::governance::{Governance, Signed, Signers};
use crate::home::operator_hint;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_core::roster::Party;
use fedaudit_link::home::now;
use std::path::Path;

/// Ends all keys of a site; with `--from` and `--to`, signs that to be published elsewhere.
pub fn revoke(
    site: &Name,
    by_file: ByFile,
    open: impl FnOnce() -> Result<Centre, Fault>,
    governance: &Path,
) -> Result<(), Fault> {
    if let Some(to) = by_file.to {
        let make = |governance: &Governance, basis: &Basis| {
            let signed = governance.sign_revocation(basis, site, now())?;
            let already = || operator_hint(format!("site {site} was revoked before"), "nothing has to be signed");
            signed.map(Signed::New).ok_or_else(already)
        };
        return say([by_file::sign(governance, &by_file.from, &to, make)?]);
    }
    let mut centre = open()?;
    let new = Governance::open(governance, &centre)?.revoke(&mut centre, site, now())?;
    cosigned(&mut centre)?;
    say([format!("site {site} {}", if new { "is revoked" } else { "was revoked before" })])
}

/// Publishes who governs from now on; with `--from` and `--to`, signs it for the next signer, or to be published elsewhere.
pub fn rotate(
    wanted: &Signers,
    by_file: ByFile,
    open: impl FnOnce() -> Result<Centre, Fault>,
    governance: &Path,
) -> Result<(), Fault> {
    if let Some(to) = by_file.to {
        let make =
            |governance: &Governance, basis: &Basis| governance.sign_rotation(basis, wanted, now()).map(Signed::New);
        return say([by_file::sign(governance, &by_file.from, &to, make)?]);
    }
    let mut centre = open()?;
    Governance::open(governance, &centre)?.rotate(&mut centre, wanted, now())?;
    cosigned(&mut centre)?;
    let now = centre.registry().governance();
    say([format!("{} of {} governance keys must sign from now on", now.threshold, now.keys.len())])
}

/// Gives a party the keys that it asked for; with `--from` and `--to`, signs that to be published elsewhere.
pub fn grant(
    name: &Name,
    by_file: ByFile,
    open: impl FnOnce() -> Result<Centre, Fault>,
    governance: &Path,
) -> Result<(), Fault> {
    let party = if name.as_str() == "aggregator" { Party::Aggregator } else { Party::Site(name.clone()) };
    if let Some(to) = by_file.to {
        let make = |governance: &Governance, basis: &Basis| {
            let (attestation, new) = governance.sign_asked(basis, party, now())?;
            say([format!("{name} is to have: {new}")])?;
            Ok(Signed::New(attestation))
        };
        return say([by_file::sign(governance, &by_file.from, &to, make)?]);
    }
    let mut centre = open()?;
    let new = Governance::open(governance, &centre)?.grant(&mut centre, party, now())?;
    cosigned(&mut centre)?;
    say([format!("{name} has from now on: {new}")])
}
