//! What sites show of the groups of a slice, and over which of them groups are added up: a group alone over the sites that show
//! it, groups that are compared over the sites that show all of those.

use super::State;
use super::compile::Part;
use super::group::total;
use crate::disclosure::{Counts, ReleasedSlice};
use crate::ids::Name;

/// What a site gave for a slice: the counts of each group that it shows in every window.
pub(super) struct SiteCounts {
    pub site: Name,
    pub state: State,
    pub groups: Vec<Option<Counts>>,
}

impl SiteCounts {
    /// `parts` is the slice in each window; none where a window has no release.
    pub fn of(site: &Name, parts: Option<&[&ReleasedSlice]>, groups: usize) -> SiteCounts {
        let site = site.clone();
        let Some(parts) = parts else { return SiteCounts { site, state: State::Missing, groups: vec![None; groups] } };
        let groups: Vec<_> = (0..groups).map(|at| over_windows(parts, at)).collect();
        let state = match () {
            () if groups.iter().all(Option::is_some) => State::Released,
            // That nobody is in a group says nothing of the others.
            () if groups.iter().flatten().any(|counts| total(counts) > 0) => State::Partial,
            () => State::Suppressed,
        };
        SiteCounts { site, state, groups }
    }

    /// The counts of these groups, if all of them are shown.
    pub fn all(&self, groups: &[usize]) -> Option<Vec<Counts>> {
        groups.iter().map(|at| *self.groups.get(*at)?).collect()
    }
}

fn over_windows(parts: &[&ReleasedSlice], group: usize) -> Option<Counts> {
    let mut sum = Counts::default();
    for part in parts {
        add(&mut sum, part.groups.get(group)?.counts.full()?);
    }
    Some(sum)
}

pub(super) fn add(sum: &mut Counts, part: &Counts) {
    sum.iter_mut().flatten().zip(part.iter().flatten()).for_each(|(sum, part)| *sum = sum.saturating_add(*part));
}

/// What all sites gave for a slice, in their order.
pub(super) struct Pools(pub Vec<SiteCounts>);

/// Groups added up over the sites that show all of them.
pub(super) struct Pooled {
    pub sites: u64,
    /// In the order asked for; none without such a site.
    pub counts: Option<Vec<Counts>>,
}

impl Pools {
    pub fn of<'a>(part: &Part<'a>, groups: usize) -> Pools {
        let of = |site: &'a Name| SiteCounts::of(site, part.slices(site).as_deref(), groups);
        Pools(part.sites.iter().map(of).collect())
    }

    /// Sites with a release in every window.
    pub fn released(&self) -> u64 {
        self.0.iter().filter(|site| site.state != State::Missing).count() as u64
    }

    /// Over the sites that show all of `groups`.
    pub fn sum(&self, groups: &[usize]) -> Pooled {
        let mut pooled = Pooled { sites: 0, counts: None };
        for own in self.0.iter().filter_map(|site| site.all(groups)) {
            pooled.sites += 1;
            match &mut pooled.counts {
                Some(sum) => sum.iter_mut().zip(&own).for_each(|(sum, part)| add(sum, part)),
                None => pooled.counts = Some(own),
            }
        }
        pooled
    }
}
