//! What leaves of model identity: of a stratum's events, how many named the digest that the plan gives for their version.
//!
//! The three counts are seen together or not at all, and only where the stratum's number of events is seen, for they add up
//! to it: each must be 0 or at least k.

use super::{Block, Cell, ReleaseText, ReleasedSlice, passes};
use crate::aggregate::{Aggregate, Stratum};
use crate::plan::PlanText;
use serde::{Deserialize, Serialize};

/// Events of one model version and tier, by the model's digest that they came with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelIdentity {
    /// With the digest that the plan names.
    pub equal: u64,
    /// With another one.
    pub different: u64,
    /// With none.
    pub absent: u64,
}

impl ModelIdentity {
    /// All three.
    pub fn counts(&self) -> [u64; 3] {
        [self.equal, self.different, self.absent]
    }
}

/// What of a stratum may leave; absent where the plan names no digest for its version.
pub(super) fn identity(
    aggregate: &Aggregate,
    plan: &PlanText,
    stratum: Stratum,
    whole: Option<&ReleasedSlice>,
    k: u64,
) -> Option<Cell<ModelIdentity>> {
    plan.model_digest(plan.model_versions.get(stratum.0)?)?;
    let [equal, different, absent] = aggregate.identity.get(&stratum).copied().unwrap_or_default();
    let found = ModelIdentity { equal, different, absent };
    let seen = whole.and_then(|slice| slice.groups.first()).and_then(|group| Block::events(&group.counts)).is_some();
    let few = found.counts().iter().any(|count| !passes(*count, k));
    Some(if seen && !few { Cell::Value(found) } else { Cell::Suppressed })
}

/// Hides those of `after` that tell, beside `before`, of fewer than k events by subtraction.
pub(super) fn hide_differences(before: &ReleaseText, after: &mut ReleaseText) {
    let k = after.k;
    for stratum in &mut after.strata {
        let same =
            |of: &&super::ReleasedStratum| (&of.model_version, of.tier) == (&stratum.model_version, stratum.tier);
        let old = before.strata.iter().find(same).and_then(|of| of.identity.as_ref()).and_then(Cell::value);
        let new = stratum.identity.as_ref().and_then(Cell::value);
        let tells = old.zip(new).is_some_and(|(old, new)| {
            old.counts().iter().zip(new.counts()).any(|(old, new)| !passes(new.abs_diff(*old), k))
        });
        if tells {
            stratum.identity = Some(Cell::Suppressed);
        }
    }
}

/// Hides in `plain` what `own` hides.
pub(super) fn hide_alike(own: &ReleaseText, plain: &mut ReleaseText) {
    for (own, plain) in own.strata.iter().zip(&mut plain.strata) {
        if own.identity == Some(Cell::Suppressed) {
            plain.identity.clone_from(&own.identity);
        }
    }
}

/// Hides all of it.
pub(super) fn hide_all(release: &mut ReleaseText) {
    for stratum in release.strata.iter_mut().filter(|stratum| stratum.identity.is_some()) {
        stratum.identity = Some(Cell::Suppressed);
    }
}
