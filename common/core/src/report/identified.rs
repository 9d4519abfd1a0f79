//! What is certain over all sites when some cells are hidden. Pooling the visible sites alone is biased where small sites, or
//! sites that fail, hide more often.

use super::compile::Part;
use super::group::Terms;
use super::group::{decided, labelled, total};
use super::rates::{correct, false_positives, predicted_positives, true_positives};
use crate::disclosure::{Counts, ReleasedSlice};
use crate::statistics::{self as st, Interval, NotEstimable};
use serde::{Deserialize, Serialize};

/// Where rates of a group lie, whatever the cells that disclosure control hid in released windows hold. What is absent has
/// neither known nor hidden events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identified {
    /// Events of this group in all windows and sites that show the slice.
    pub known: u64,
    /// Events in those that hide it, of whatever group.
    pub hidden: u64,
    /// Selection rate.
    pub selection_rate: Option<Interval>,
    /// True positive rate.
    pub tpr: Option<Interval>,
    /// False positive rate.
    pub fpr: Option<Interval>,
    /// Positive predictive value.
    pub ppv: Option<Interval>,
    /// Accuracy.
    pub accuracy: Option<Interval>,
}

/// The same for rates of a group less those of the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentifiedContrast {
    /// Selection rate.
    pub selection_rate: Option<Interval>,
    /// True positive rate.
    pub tpr: Option<Interval>,
    /// False positive rate.
    pub fpr: Option<Interval>,
}

/// All that is known of a slice, window by window, and the size of what is hidden.
pub(super) struct Partial {
    groups: Vec<Counts>,
    events: u64,
    outcomes: u64,
    labels: bool,
}

impl Partial {
    /// None where nothing is hidden. Windows without release are no part of it: of them nothing is known.
    pub fn of(part: &Part, groups: usize, labels: bool) -> Option<Partial> {
        let mut partial = Partial { groups: vec![Counts::default(); groups], events: 0, outcomes: 0, labels };
        let mut hidden = false;
        for (site, window) in part.sites.iter().flat_map(|site| part.windows.iter().map(move |window| (site, window))) {
            let Some(slice) = part.slice(site, window) else { continue };
            match visible(slice) {
                Some(counts) => super::slices::add_counts(&mut partial.groups, &counts),
                None => {
                    // The slice without attributes may show how many events there are; the release always does, over all
                    // model versions and tiers.
                    let whole = Part { slice: 0, ..*part }.slice(site, window).and_then(visible);
                    let public = part.used.get(&(site, *window)).map(|release| release.text());
                    let (events, outcomes) = match (whole.as_ref().and_then(|whole| whole.first()), public) {
                        (Some(counts), _) => (total(counts), labelled(counts)),
                        (None, public) => public.map_or((0, 0), |text| (text.events, text.outcomes)),
                    };
                    partial.events = partial.events.saturating_add(events);
                    partial.outcomes = partial.outcomes.saturating_add(outcomes);
                    hidden = true;
                }
            }
        }
        hidden.then_some(partial)
    }

    pub fn group(&self, at: usize, terms: &Terms) -> Option<Identified> {
        let counts = self.groups.get(at)?;
        let of = |rate: fn(&Counts) -> (u64, u64)| {
            let (x, n) = rate(counts);
            st::identified_rate(x, n, self.outcomes).ok().filter(|_| self.labels && terms.is_mature(counts))
        };
        let (selected, n) = decided(counts);
        Some(Identified {
            known: total(counts),
            hidden: self.events,
            selection_rate: st::identified_rate(selected, n, self.events).ok(),
            tpr: of(true_positives),
            fpr: of(false_positives),
            ppv: of(predicted_positives),
            accuracy: of(correct),
        })
    }

    pub fn contrast(&self, group: usize, reference: usize, terms: &Terms) -> Option<IdentifiedContrast> {
        let (group, reference) = (self.groups.get(group)?, self.groups.get(reference)?);
        let of = |rate: fn(&Counts) -> (u64, u64), hidden: u64| -> Result<Interval, NotEstimable> {
            let ((x1, n1), (x0, n0)) = (rate(group), rate(reference));
            st::identified_difference(x1, n1, x0, n0, hidden)
        };
        let mature = self.labels && terms.is_mature(group) && terms.is_mature(reference);
        Some(IdentifiedContrast {
            selection_rate: of(decided, self.events).ok(),
            tpr: of(true_positives, self.outcomes).ok().filter(|_| mature),
            fpr: of(false_positives, self.outcomes).ok().filter(|_| mature),
        })
    }
}

fn visible(slice: &ReleasedSlice) -> Option<Vec<Counts>> {
    slice.groups.iter().map(|group| group.counts.full().copied()).collect()
}
