//! What is certain over all sites when some cells are hidden. Pooling the visible sites alone is biased where small sites, or
//! sites that fail, hide more often.
//!
//! Of each release everything counts as known that it shows of a slice: full groups, totals, numbers of events, folds, the
//! slice without attributes, and the public numbers (`statistics/completion.rs`). Of a window without release nothing is known.

use super::compile::Part;
use super::figure::Below;
use super::group::Terms;
use crate::disclosure::{Block, Counts, ReleaseText, ReleasedSlice};
use crate::plan::{Slice, is_compared};
use crate::statistics::{
    Interval, NotEstimable, Possible, Range, SliceRange, TableRange, add_tables, identified_difference, identified_rate,
};
use serde::{Deserialize, Serialize};

/// Where rates of a group lie, whatever the cells that disclosure control hid in released windows hold. What is absent has
/// neither known nor hidden events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identified {
    /// Events that this group has in all released windows, at the least.
    pub known: u64,
    /// How many more it can have.
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

/// Events of each rate, those of pairs first.
const RATES: [fn(&TableRange) -> Possible; 5] = [
    |table| Possible { cases: table.decision(1), rest: table.decision(0) },
    |table| Possible { cases: table.cell(1, 1), rest: table.cell(0, 1) },
    |table| Possible { cases: table.cell(1, 0), rest: table.cell(0, 0) },
    |table| Possible { cases: table.cell(1, 1), rest: table.cell(1, 0) },
    |table| {
        let of = |one: Range, other: Range| {
            let sum = one.plus(other);
            Range { most: sum.most.min(table.labelled().most), ..sum }
        };
        Possible { cases: of(table.cell(0, 0), table.cell(1, 1)), rest: of(table.cell(0, 1), table.cell(1, 0)) }
    },
];
const SELECTION: usize = 0;
/// Events that the rates of pairs are of.
const PAIRED: [fn(&TableRange) -> Range; 3] = [TableRange::decided, |table| table.label(1), |table| table.label(0)];

/// What can be of a group, over all released windows.
#[derive(Clone)]
struct Possibly {
    hidden: bool,
    events: Range,
    rates: [Possible; RATES.len()],
    /// How many events beyond the least this group and the reference can have of a rate: the group's cases and the
    /// reference's rest, and the other way round.
    shared: [[u64; 2]; PAIRED.len()],
}

/// All that is known of a slice, window by window.
pub(super) struct Partial {
    groups: Vec<Possibly>,
    reference: Option<usize>,
    labels: bool,
}

impl Partial {
    /// Of the `part`'s slice, which `slice` is.
    pub fn of(part: &Part, slice: &Slice, groups: &[Vec<String>], terms: &Terms) -> Partial {
        let nothing = Possibly {
            hidden: false,
            events: Range::exactly(0),
            rates: [Possible::NOTHING; RATES.len()],
            shared: Default::default(),
        };
        let reference = groups.iter().position(|group| *group == slice.reference && !slice.attributes.is_empty());
        let labels = terms.contract.label.is_some();
        let mut partial = Partial { groups: vec![nothing; groups.len()], reference, labels };
        for (site, window) in part.sites.iter().flat_map(|site| part.windows.iter().map(move |window| (site, window))) {
            let Some(slice) = part.slice(site, window) else { continue };
            match slice.full() {
                Some(counts) => partial.add_known(&counts),
                None => {
                    let text = part.used.get(&(site, *window)).map(|release| release.text());
                    partial.add_hidden(slice, &ranges(slice, whole(part, text)), groups);
                }
            }
        }
        partial
    }

    fn add_known(&mut self, counts: &[Counts]) {
        for (group, counts) in self.groups.iter_mut().zip(counts) {
            group.add(&TableRange::exactly(counts));
        }
    }

    fn add_hidden(&mut self, slice: &ReleasedSlice, ranges: &SliceRange, names: &[Vec<String>]) {
        for (at, (group, name)) in self.groups.iter_mut().zip(names).enumerate() {
            group.add(ranges.group(at));
            group.hidden |= slice.groups.get(at).is_none_or(|group| group.counts.full().is_none());
            let Some(reference) = self.reference.filter(|reference| *reference != at && is_compared(name)) else {
                continue;
            };
            let both = ranges.both(at, reference);
            for (shared, (rate, events)) in group.shared.iter_mut().zip(RATES.into_iter().zip(PAIRED)) {
                let (one, other) = (rate(ranges.group(at)), rate(ranges.group(reference)));
                let least = one.cases.plus(one.rest).plus(other.cases).plus(other.rest).least;
                let beyond = events(&both).most.saturating_sub(least);
                let apart = [(one.cases, other.rest), (one.rest, other.cases)];
                for (shared, (one, other)) in shared.iter_mut().zip(apart) {
                    *shared = shared.saturating_add(one.width().saturating_add(other.width()).min(beyond));
                }
            }
        }
    }

    /// `mature`: whether enough labels are known. None where nothing of the group is hidden.
    pub fn group(&self, at: usize, mature: bool) -> Option<Identified> {
        let group = self.groups.get(at).filter(|group| group.hidden)?;
        let [selection_rate, tpr, fpr, ppv, accuracy] = group.rates.map(|rate| identified_rate(rate).ok());
        let of = |rate: Option<Interval>| rate.filter(|_| self.labels && mature);
        Some(Identified {
            known: group.events.least,
            hidden: group.events.width(),
            selection_rate,
            tpr: of(tpr),
            fpr: of(fpr),
            ppv: of(ppv),
            accuracy: of(accuracy),
        })
    }

    /// A group against the reference. None where nothing of either is hidden.
    pub fn contrast(&self, group: usize, mature: bool) -> Option<IdentifiedContrast> {
        let (group, reference) = (self.groups.get(group)?, self.groups.get(self.reference?)?);
        let of = |at: usize| identified_difference(group.rates[at], reference.rates[at], group.shared[at]).ok();
        let labelled = |at: usize| of(at).filter(|_| self.labels && mature);
        (group.hidden || reference.hidden).then(|| IdentifiedContrast {
            selection_rate: of(SELECTION),
            tpr: labelled(1),
            fpr: labelled(2),
        })
    }

    /// Rates of the favourable decision of `groups`.
    pub fn favourable(&self, groups: &[usize], terms: &Terms) -> Favourable {
        let of = |at: &usize| match terms.contract.favourable_code() {
            1 => self.groups[*at].rates[SELECTION],
            _ => self.groups[*at].rates[SELECTION].opposite(),
        };
        Favourable {
            hidden: groups.iter().any(|at| self.groups[*at].hidden),
            rates: groups.iter().map(|at| identified_rate(of(at)).ok()).collect(),
            certain: groups.iter().map(|at| of(at).least() > 0).collect(),
        }
    }
}

impl Possibly {
    fn add(&mut self, table: &TableRange) {
        self.events = self.events.plus(table.all());
        self.rates.iter_mut().zip(RATES).for_each(|(sum, rate)| *sum = sum.plus(rate(table)));
    }
}

/// Where rates of the favourable decision lie over all released windows, by group.
pub(super) struct Favourable {
    /// Whether something of these groups is hidden.
    hidden: bool,
    /// None of groups that can have no decision.
    rates: Vec<Option<Interval>>,
    /// Whether a group has decisions for certain: else it may have no rate.
    certain: Vec<bool>,
}

impl Favourable {
    /// Places of the groups.
    pub fn groups(&self) -> Vec<usize> {
        (0..self.rates.len()).collect()
    }

    /// Where a group's rate by another's lies; none where nothing is hidden, or where nothing bounds it.
    pub fn ratio(&self, group: usize, other: usize) -> Result<Interval, NotEstimable> {
        match (self.hidden, self.rates[group], self.rates[other]) {
            (true, Some(one), Some(other)) if other.lower > 0.0 => {
                Ok(Interval { lower: one.lower / other.upper, upper: one.upper / other.lower })
            }
            _ => Err(NotEstimable::NotFinite),
        }
    }

    /// Whether the group's rate is below `share` of the highest of `others`, whatever is hidden; `known` is what is found
    /// where nothing is.
    pub fn below(&self, group: usize, others: &[usize], share: f64, known: Option<bool>) -> Option<Below> {
        let exact = |below: bool| if below { Below::Yes } else { Below::No };
        let Some(own) = self.rates[group].filter(|_| self.hidden) else { return known.map(exact) };
        let (mut lower, mut upper) = (0.0_f64, 0.0_f64);
        for other in others.iter().filter(|other| **other != group) {
            let Some(rate) = self.rates[*other] else { continue };
            lower = lower.max(if self.certain[*other] { rate.lower } else { 0.0 });
            upper = upper.max(rate.upper);
        }
        // Products of rates are not exact: four fifths exactly are not below.
        Some(match () {
            () if upper == 0.0 => return known.map(exact),
            () if own.upper < share * lower - 1e-12 => Below::Yes,
            () if own.lower >= share * upper - 1e-12 => Below::No,
            () => Below::Undecided(EITHER.to_owned()),
        })
    }
}

const EITHER: &str = "hidden counts could put it on either side";

/// What a slice shows of its groups, beside what is known of all events.
fn ranges(slice: &ReleasedSlice, whole: TableRange) -> SliceRange {
    let members = |fold: usize| {
        let in_it = |at: &usize| slice.groups[*at].counts == Block::Folded(fold as u32);
        (0..slice.groups.len()).filter(in_it).collect()
    };
    let folds = slice.folds.iter().enumerate().map(|(at, fold)| (table(fold), members(at))).collect();
    SliceRange::new(whole, folds, slice.groups.iter().map(|group| table(&group.counts)).collect())
}

/// What is known of all events of the `part`'s stratum: the release's numbers of events and outcomes are those of all strata.
fn whole(part: &Part, text: Option<&ReleaseText>) -> TableRange {
    let Some(text) = text else { return TableRange::ANY };
    let is_own = |stratum: &&crate::disclosure::ReleasedStratum| {
        stratum.model_version == part.version && stratum.tier == part.tier
    };
    let of = |stratum: &crate::disclosure::ReleasedStratum| {
        stratum
            .slices
            .first()
            .and_then(|slice| slice.groups.first())
            .map_or(TableRange::ANY, |group| table(&group.counts))
    };
    let mut all = TableRange::of_labelled(text.events, text.outcomes);
    let (own, others): (Vec<_>, Vec<_>) = text.strata.iter().partition(is_own);
    let mut strata: Vec<TableRange> = own.into_iter().chain(others).map(of).collect();
    add_tables(&mut all, &mut strata);
    strata.first().copied().unwrap_or(TableRange::ANY)
}

fn table(block: &Block) -> TableRange {
    match (block.full(), block.margins(), block.events()) {
        (Some(counts), ..) => TableRange::exactly(counts),
        (_, Some(margins), _) => TableRange::of_totals(margins.decisions, margins.labels),
        (.., Some(events)) => TableRange::of_events(events),
        _ => TableRange::ANY,
    }
}

#[cfg(test)]
mod tests;
