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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::{Block, ModelIdentity, ReleasedGroup, ReleasedSlice};
    use crate::event::Tier;
    use crate::ids::Digest;
    use crate::plan::ModelDigest;

    fn found(named: bool, counts: Option<[u64; 3]>, whole: Block) -> Result<(), Refusal> {
        let mut plan = (*crate::plan::tests::plan()).clone();
        plan.disclosure.k = 5;
        let version = plan.model_versions[0].clone();
        let digest = ModelDigest { version: version.clone(), subject: Digest([7; 32]), manifest: None };
        plan.model_digests = if named { vec![digest] } else { Vec::new() };
        let value = |[equal, different, absent]: [u64; 3]| Cell::Value(ModelIdentity { equal, different, absent });
        let groups = vec![ReleasedGroup::new(Vec::new(), whole, None)];
        let slices = vec![ReleasedSlice { attributes: Vec::new(), groups, folds: Vec::new() }];
        check_identity(
            &ReleasedStratum { model_version: version, tier: Tier::Full, identity: counts.map(value), slices },
            &plan,
        )
    }

    #[test]
    fn identity_adds_up_and_hides_few() {
        assert!(found(true, Some([7, 5, 0]), Block::N(12)).is_ok());
        assert!(found(false, None, Block::N(12)).is_ok());
        for (named, counts, whole) in [
            (false, Some([7, 5, 0]), Block::N(12)),
            (true, None, Block::N(12)),
            (true, Some([8, 4, 0]), Block::N(12)),
            (true, Some([7, 5, 5]), Block::N(12)),
            (true, Some([7, 5, 0]), Block::Withheld),
        ] {
            assert_eq!(found(named, counts, whole).expect_err("refused").check, "release", "{named} {counts:?}");
        }
    }
}
