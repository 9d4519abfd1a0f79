//! Leaving out events of low-risk tiers: one in N stays. The choice is a keyed hash of the event id, under a secret that
//! the ledger committed to before; so neither the site nor its callers can pick.

use super::events::EventRow;
use super::{Journal, StdRng};
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Which events stay.
pub struct Sampling {
    secret: Zeroizing<[u8; 32]>,
    /// Sampling tier and N, by risk tier.
    tiers: BTreeMap<String, (u32, u32)>,
}

impl std::fmt::Debug for Sampling {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Sampling").field("tiers", &self.tiers).finish_non_exhaustive()
    }
}

impl Sampling {
    /// The sampling tier of an event and whether it stays; none if its risk tier is not sampled.
    pub fn tier_of(&self, row: &EventRow) -> Option<(u32, bool)> {
        let (tier, one_in) = self.tiers.get(row.risk_tier.as_ref()?)?;
        let digest: [u8; 32] = Sha256::new().chain_update(*self.secret).chain_update(&row.event_id).finalize().into();
        let chosen = digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        // The chosen are the part of all hashes below 2^64 / N.
        Some((*tier, chosen <= u64::MAX / u64::from(*one_in)))
    }
}

impl Journal {
    /// Commits to `secret` and to one in N by risk tier, unless the ledger has: only then may events be left out.
    ///
    /// # Errors
    /// A journal that cannot be written.
    pub fn sample(
        &mut self,
        secret: [u8; 32],
        one_in: &BTreeMap<String, u32>,
        rng: &mut StdRng,
    ) -> Result<Sampling, Fault> {
        self.roll_over(false, rng)?;
        let commitment = Digest(Sha256::digest(secret).into());
        let mut known = BTreeMap::new();
        self.ledger(|_, entry| {
            if let LedgerEntry::Sampling { tier, one_in, commitment: of } = entry
                && of == commitment
            {
                known.insert(one_in, tier);
            }
            Ok(())
        })?;
        let mut tiers = BTreeMap::new();
        for (risk_tier, one_in) in one_in {
            let tier = match known.get(one_in) {
                Some(tier) => *tier,
                None => self.write(|batch| {
                    let tier = u32::try_from(batch.heads.dictionary.tiers.len() + 1).unwrap_or(u32::MAX);
                    batch.put_ledger(LedgerEntry::Sampling { tier, one_in: *one_in, commitment }, rng).map(|()| tier)
                })?,
            };
            known.insert(*one_in, tier);
            tiers.insert(risk_tier.clone(), (tier, (*one_in).max(1)));
        }
        Ok(Sampling { secret: Zeroizing::new(secret), tiers })
    }
}
