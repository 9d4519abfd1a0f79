//! A plan that hides zeros: none is seen but of what nobody has among all events.

use crate::disclosure::{Cell, ReleasedGroup, ReleasedSlice, Scores, Zeros, told};
use crate::fault::Refusal;

/// Checks the slices of a stratum. What nobody has must be seen of all events, so beside less than their totals no group shows
/// a 0, nor its cells or totals at all.
pub(super) fn check_zeros(slices: &[ReleasedSlice]) -> Result<(), Refusal> {
    let Some(whole) = slices.first().and_then(|slice| slice.groups.first()) else { return Ok(()) };
    let zeros = Zeros::structural(whole.counts.margins());
    let scores = |group: &ReleasedGroup| group.scores.as_ref().and_then(Cell::value).cloned();
    let all: Option<Scores> = scores(whole);
    for slice in slices {
        let blocks = slice.groups.iter().map(|group| &group.counts).chain(&slice.folds);
        for block in blocks {
            if !zeros.allow(block) {
                return Err(refusal(slice, "a 0 of a group"));
            }
            if block.margins().is_some() && whole.counts.margins().is_none() {
                return Err(refusal(slice, "totals of a group without those of all events"));
            }
        }
        for group in &slice.groups {
            let own = scores(group);
            if own.is_some_and(|own| all.as_ref().is_none_or(|all| !zeros.allow_scores(&own, all))) {
                return Err(refusal(slice, "an empty score bin of a group"));
            }
            if told(group, whole).contains(&true) {
                return Err(refusal(slice, "details with a 0 of a group"));
            }
        }
    }
    Ok(())
}

fn refusal(slice: &ReleasedSlice, found: &str) -> Refusal {
    let name = if slice.attributes.is_empty() { "all events".to_owned() } else { slice.attributes.join(" x ") };
    Refusal::new("release", "no 0 but of what nobody has: the plan hides zeros", format!("{name}: {found}"))
}
