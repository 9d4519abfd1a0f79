//! The contracts that events may name.

use fedaudit_core::contract::Contract;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::roster::Registry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The latest version of each contract in this site's copy of the registry.
#[derive(Default)]
pub(crate) struct Contracts(BTreeMap<Name, Arc<Known>>);

/// A contract, and where its features stand: there may be a thousand.
#[derive(Debug)]
pub(crate) struct Known {
    pub contract: Contract,
    features: HashMap<String, usize>,
    /// The plans that measure it: what comes for a window that one of them has released comes late.
    pub plans: BTreeSet<Digest>,
}

impl Known {
    /// Prepares a contract.
    pub fn new(contract: Contract) -> Self {
        let features = contract.features.iter().zip(0..).map(|(feature, at)| (feature.name.clone(), at)).collect();
        Known { contract, features, plans: BTreeSet::new() }
    }

    /// The position of a feature; senders mostly write them in the contract's order, so that `nth` is tried first.
    pub fn feature(&self, nth: usize, name: &str) -> Option<usize> {
        let expected = self.contract.features.get(nth).is_some_and(|feature| feature.name == name);
        if expected { Some(nth) } else { self.features.get(name).copied() }
    }
}

impl Contracts {
    /// Those of a registry.
    pub fn of(registry: &Registry) -> Self {
        let names = registry.contracts().map(|contract| contract.contract.clone());
        let latest = names.filter_map(|name| {
            let (_, _, contract) = registry.contract(&name)?;
            let mut known = Known::new(contract.clone());
            let plans = registry.plans().filter(|(_, published)| published.plan.contract == name);
            known.plans = plans.map(|(digest, _)| *digest).collect();
            Some((name, Arc::new(known)))
        });
        Contracts(latest.collect())
    }

    /// A single one.
    pub fn only(contract: Contract) -> Self {
        Contracts(BTreeMap::from([(contract.contract.clone(), Arc::new(Known::new(contract)))]))
    }

    /// The contract called `name`, or the only one.
    ///
    /// # Errors
    /// There is none, or more than one to choose from.
    pub fn find(&self, name: Option<&str>) -> Result<&Arc<Known>, String> {
        let known = || self.0.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
        match name {
            Some(name) => {
                let found = self.0.iter().find(|(of, _)| of.as_str() == name).map(|(_, contract)| contract);
                found.ok_or_else(|| {
                    format!("no contract is called `{}`; this site knows {}", name.escape_debug(), known())
                })
            }
            None if self.0.len() > 1 => {
                Err(format!("several contracts are known: name one in `contract` ({})", known()))
            }
            None => self.0.values().next().ok_or_else(|| NONE.to_owned()),
        }
    }

    /// The contract about a model that goes by one of these names, or that is called so itself; or the only one.
    ///
    /// # Errors
    /// There is none such, or several.
    pub fn of_model(&self, names: [Option<&str>; 2]) -> Result<&Arc<Known>, String> {
        let names: Vec<&str> = names.into_iter().flatten().collect();
        let fits = |known: &&Arc<Known>| {
            names.iter().any(|name| known.contract.model == *name || known.contract.contract.as_str() == *name)
        };
        let mut fitting = self.0.values().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(only),
            _ => self.find(None).map_err(|error| format!("{error}; the address may say which: ?contract=NAME")),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub fn with(contracts: impl IntoIterator<Item = Contract>) -> Self {
        Contracts(contracts.into_iter().map(|c| (c.contract.clone(), Arc::new(Known::new(c)))).collect())
    }
}

/// Before the first contract is published.
pub(crate) const NONE: &str = "this site's copy of the registry holds no contract yet";
