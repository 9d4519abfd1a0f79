//! What sites show of each group beside its counts, added up over those that show it of all groups in every window.

use super::compile::Part;
use super::pools::add;
use crate::disclosure::{Counts, ReleasedGroup};
use crate::ids::Name;

/// A sum by group, over some sites.
pub(super) struct Shown<T> {
    /// Sites added up.
    pub sites: u64,
    /// By group; empty without sites.
    pub sums: Vec<T>,
    /// Counts of the same sites, by group.
    pub counts: Vec<Counts>,
}

/// How a release shows it, and how two are added.
pub(super) struct Kind<'r, T> {
    /// None where it is hidden or absent.
    pub read: &'r dyn Fn(&ReleasedGroup) -> Option<T>,
    pub add: fn(&mut T, &T),
}

impl<T> Shown<T> {
    /// Of all sites; `each` sees what every one of them shows by group, in their order.
    pub fn of<'a>(part: &Part<'a>, kind: &Kind<'_, T>, mut each: impl FnMut(Option<&Shown<T>>)) -> Shown<T> {
        let mut all = Shown { sites: 0, sums: Vec::new(), counts: Vec::new() };
        for site in part.sites {
            let own = Shown::at(part, site, kind);
            each(own.as_ref());
            if let Some(own) = own {
                all.add(own, kind);
            }
        }
        all
    }

    fn at<'a>(part: &Part<'a>, site: &'a Name, kind: &Kind<'_, T>) -> Option<Shown<T>> {
        let mut sum = Shown { sites: 0, sums: Vec::new(), counts: Vec::new() };
        for slice in part.slices(site)? {
            let counts = slice.full()?;
            let sums = slice.groups.iter().map(kind.read).collect::<Option<_>>()?;
            sum.add(Shown { sites: 0, sums, counts }, kind);
        }
        Some(Shown { sites: 1, ..sum })
    }

    fn add(&mut self, other: Shown<T>, kind: &Kind<'_, T>) {
        self.sites += other.sites;
        if self.sums.is_empty() {
            (self.sums, self.counts) = (other.sums, other.counts);
            return;
        }
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, part)| (kind.add)(sum, part));
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, part)| add(sum, part));
    }

    /// A group's sum, and the counts of the same sites.
    pub fn group(&self, at: usize) -> Option<(&T, &Counts)> {
        self.sums.get(at).zip(self.counts.get(at))
    }
}
