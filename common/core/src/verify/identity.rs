//! Model identity in a release.

use crate::disclosure::{Cell, ReleasedStratum, passes};
use crate::fault::Refusal;
use crate::plan::PlanText;
use crate::roster::same;

/// There exactly if the plan names the model of the version; counts of 0 or at least k, which add up to what is seen of the
/// stratum's number of events.
pub(super) fn check_identity(stratum: &ReleasedStratum, plan: &PlanText) -> Result<(), Refusal> {
    let wanted = plan.model_digest(&stratum.model_version).is_some();
    same("release", &wanted, &stratum.identity.is_some())?;
    let Some(identity) = stratum.identity.as_ref().and_then(Cell::value) else { return Ok(()) };
    let (counts, k) = (identity.counts(), plan.disclosure.k);
    if let Some(few) = counts.iter().find(|count| !passes(**count, k)) {
        return Err(Refusal::new("release", format!("numbers of events by model of 0 or at least {k}"), few));
    }
    let whole = stratum.slices.first().and_then(|slice| slice.groups.first());
    let sum = counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
    same("release", &whole.and_then(|group| group.counts.events()), &Some(sum))
}
