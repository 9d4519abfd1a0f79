//! What governance knows of the federation when it signs: from the aggregator's home, or from parcels.

use crate::centre::Centre;
use crate::governance::Governance;
use crate::home::{operator, operator_hint};
use fedaudit_core::codec;
use fedaudit_core::envelope::Seen;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::ids::Name;
use fedaudit_core::parcel::{Bytes, Content, Document, RegistryText};
use fedaudit_core::roster::{LogSize, Registry};
use fedaudit_link::parcel::{misdirected, read_parcel};
use fedaudit_link::protocol::{JoinRequest, RotateRequest};
use std::path::{Path, PathBuf};

/// The federation as governance knows it.
pub struct Basis {
    /// The registry.
    pub registry: Registry,
    /// The registry's checkpoint that was verified last.
    pub seen: Option<Seen>,
    /// `host:port` at which sites reach the aggregator.
    pub address: String,
    /// Sizes of the aggregator's logs: what stands below them goes on when a key ends.
    pub sizes: Vec<LogSize>,
    /// Join requests that wait. Nobody has checked them.
    pub joins: Vec<JoinRequest>,
    /// Requests for other keys that wait. Nobody has checked them.
    pub rotations: Vec<RotateRequest>,
}

impl Basis {
    /// What stands in the aggregator's home.
    ///
    /// # Errors
    /// A join request that cannot be read.
    pub fn of(centre: &Centre) -> Result<Basis, Fault> {
        let mut joins = Vec::new();
        for (_, path) in centre.home.joins()? {
            let bytes = std::fs::read(&path).map_err(|e| operator(format!("{}: {e}", path.display())))?;
            joins.push(codec::decode(&bytes).map_err(|e| operator(format!("{}: {e}", path.display())))?);
        }
        let address = centre.home.config.address.clone();
        let logs = centre.logs().filter(|log| log.size() > 0);
        let sizes = logs.map(|log| LogSize { origin: log.origin().to_owned(), size: log.size() }).collect();
        let rotations = centre.home.rotations()?.into_iter();
        let rotations = rotations.map(|bytes| codec::decode(&bytes).map_err(|e| operator(format!("a request: {e}"))));
        let rotations = rotations.collect::<Result<_, _>>()?;
        Ok(Basis {
            registry: centre.registry().clone(),
            seen: centre.registry().seen(),
            address,
            sizes,
            joins,
            rotations,
        })
    }

    /// What parcels say: one registry, whose every entry is checked; documents that governance signed and that are not
    /// published yet, in order; requests to join.
    ///
    /// # Errors
    /// A parcel that is none or does not pass, no registry, or two.
    pub fn of_parcels(governance: &Governance, files: &[PathBuf]) -> Result<Basis, Fault> {
        let (mut registry, mut documents, mut requests, mut rotations) = (None, Vec::new(), Vec::new(), Vec::new());
        for path in files {
            match read_parcel(path, &governance.trust.federation)? {
                Content::Registry(text) if registry.is_none() => registry = Some((path, text)),
                Content::Registry(_) => {
                    return Err(operator_hint("two registries are given", "give the one that was exported last"));
                }
                Content::Governance(signed) => documents.extend(signed.documents.into_iter().map(|d| (path, d))),
                Content::Join(join) => requests.push((path, join.request)),
                Content::Rotation(asked) => rotations.push((path, asked.request)),
                other => return Err(misdirected(path, &other)),
            }
        }
        let Some((path, text)) = registry else {
            let hint = "at the aggregator: fedaudit-aggregator registry export FILE";
            return Err(operator_hint("no registry is given", hint));
        };
        let mut basis = Basis::of_registry(governance, path, &text)?;
        requests.extend(text.joins.into_iter().map(|request| (path, request)));
        rotations.extend(text.rotations.into_iter().map(|request| (path, request)));
        for (path, document) in documents {
            basis.take(&document).map_err(|refusal| untrue(path, &refusal))?;
        }
        for (path, Bytes(request)) in requests {
            let bad = |e| untrue(path, &Refusal::new("frame", "a join request", e));
            basis.joins.push(codec::decode(&request).map_err(bad)?);
        }
        for (path, Bytes(request)) in rotations {
            let bad = |e| untrue(path, &Refusal::new("frame", "a request for other keys", e));
            basis.rotations.push(codec::decode(&request).map_err(bad)?);
        }
        Ok(basis)
    }

    fn of_registry(governance: &Governance, path: &Path, text: &RegistryText) -> Result<Basis, Fault> {
        let (registry, checkpoint) = text.open(&governance.trust).map_err(|refusal| untrue(path, &refusal))?;
        let seen = Some(Seen { origin: checkpoint.origin, size: checkpoint.size, root: checkpoint.root });
        let sizes = text.sizes(&registry).map_err(|refusal| untrue(path, &refusal))?;
        Ok(Basis { registry, seen, address: text.address.clone(), sizes, joins: Vec::new(), rotations: Vec::new() })
    }

    /// Takes a document as if it were published. Where several must sign, one that lacks signatures changes nothing.
    ///
    /// # Errors
    /// A document that does not follow from the registry.
    pub fn take(&mut self, document: &Document) -> Result<(), Refusal> {
        match self.registry.apply(&document.envelope.0, &document.artifact.0) {
            Err(refusal) if refusal.check == "signer" && self.registry.governance().threshold > 1 => Ok(()),
            done => done,
        }
    }

    /// Whether a site is in the roster.
    pub fn enrolled(&self, site: &Name) -> bool {
        self.registry.sites().any(|known| known == site)
    }
}

fn untrue(path: &Path, refusal: &Refusal) -> Fault {
    let hint = "carry the file again; if it repeats, compare fingerprints with whoever exported it; nothing was signed";
    Fault::new(Blame::Input, format!("{}: {refusal}", path.display()), hint)
}
