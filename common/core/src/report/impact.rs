//! Tables of policy packs: rates of groups and their ratios to the highest, as published audits show them.

use super::Scope;
use super::compile::Part;
use super::figure::{Below, Figure, TestFigure, figure, point, proportion, with_bounds};
use super::group::{Terms, rate_of, total};
use super::histogram::{all_counts, all_sums};
use super::identified::{Favourable, Partial};
use super::median::median;
use super::pools::{Pooled, Pools};
use crate::contract::ContractText;
use crate::disclosure::{ReleasedSlice, Scores};
use crate::event::Tier;
use crate::plan::{Plan, Slice, is_compared};
use crate::policy::{Pack, Table, pack};
use crate::statistics::{self as st, Interval, LEVEL, NotEstimable};
use serde::{Deserialize, Serialize};

/// A policy pack that the plan names, with what is computed by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackFigures {
    /// The pack, as it was when the report was made.
    pub pack: Pack,
    /// Its tables: a model version, sampling tier and slice each.
    pub tables: Vec<ImpactTable>,
}

/// Rates by group, and their ratios to the highest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpactTable {
    /// What the rate is.
    pub kind: Kind,
    /// The model version.
    pub model_version: String,
    /// The sampling tier.
    pub tier: Tier,
    /// The slice.
    pub attributes: Vec<String>,
    /// Sites added up: those that show all compared groups, or the scores of all groups.
    pub sites: u64,
    /// Sites with a release in every window.
    pub of_sites: u64,
    /// Median of the scores of all groups together, in the contract's unit, with bounds; of scoring tables.
    pub median: Option<Figure>,
    /// Events in no group at these sites, for an attribute of theirs is unknown; absent where one of them hides how many.
    pub unknown: Option<u64>,
    /// The group with the highest rate among those not left out; absent where no rate is defined.
    pub highest: Option<Vec<String>>,
    /// The groups with events.
    pub rows: Vec<ImpactRow>,
}

/// Rates of an impact table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Share of the favourable decision.
    Selection,
    /// Share of scores above the median of all.
    Scoring,
}

/// A group of an impact table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpactRow {
    /// The group.
    pub group: Vec<String>,
    /// Events with a decision, or a score.
    pub n: u64,
    /// Those with the favourable decision; absent in scoring tables.
    pub favourable: Option<u64>,
    /// Their share of the events of all groups.
    pub share: Figure,
    /// The rate.
    pub rate: Figure,
    /// The rate by the highest. Bounds are of the same two groups over all released windows, or of the median's bin.
    pub impact_ratio: Figure,
    /// Whether the rate is below the pack's threshold by the highest: where something is hidden, by the highest of any
    /// completion. Null where there is no threshold, or no ratio.
    pub below_threshold: Option<Below>,
    /// Pooled two-proportion test against the group with the highest rate, not corrected for several groups; null for that
    /// group, and in scoring tables.
    pub test: Option<TestFigure>,
    /// Why the plan leaves the group out of the ratios; it is left out if its share allows that.
    pub excluded: Option<String>,
    /// Whether its share is below what the pack asks for that; null where the group is not left out.
    pub may_be_excluded: Option<bool>,
}

/// (favourable, all) of a group: exact, or between two counts.
struct Row {
    /// Its place among the compared groups.
    at: usize,
    group: Vec<String>,
    /// Least and greatest count that is favourable, and the one in between that is taken.
    favourable: (u64, u64, f64),
    n: u64,
}

/// What tells for certain which side of a threshold a rate is on.
enum Certain<'a> {
    /// Where rates lie over all released windows.
    Rates(&'a Favourable),
    /// Nothing: whether a site hides its scores.
    Scores(bool),
}

/// The packs of a plan.
pub(super) fn pack_figures(plan: &Plan, terms: &Terms, scopes: &[Scope], all: &Part) -> Vec<PackFigures> {
    let packs = plan.packs.iter().filter_map(|id| pack(id).ok());
    packs
        .map(|pack| {
            let mut tables = Vec::new();
            for scope in scopes.iter().filter(|_| pack.table != Table::None) {
                for (slice, at) in plan.slices.iter().zip(1..) {
                    let part = Part { version: &scope.model_version, tier: scope.tier, slice: at, ..*all };
                    tables.push(selection(plan, terms, &pack, scope, slice, &part));
                    if pack.table == Table::SelectionAndScoring && terms.contract.score.is_some() {
                        let groups = score_counts(&part, &slice.groups(terms.contract));
                        tables.push(scoring(plan, terms.contract, &pack, scope, slice, &groups));
                    }
                }
            }
            PackFigures { pack, tables }
        })
        .collect()
}

fn selection(plan: &Plan, terms: &Terms, pack: &Pack, scope: &Scope, slice: &Slice, part: &Part) -> ImpactTable {
    let groups = slice.groups(terms.contract);
    let (compared, unknown): (Vec<usize>, Vec<usize>) = (0..groups.len()).partition(|at| is_compared(&groups[*at]));
    let pools = Pools::of(part, groups.len());
    let Pooled { sites, counts } = pools.sum(&compared);
    let rows = counts.iter().flatten().zip(&compared).enumerate().map(|(at, (counts, group))| {
        let (count, n) = rate_of(counts, terms.contract.favourable_code());
        Row { at, group: groups[*group].clone(), favourable: (count, count, count as f64), n }
    });
    let rows: Vec<Row> = rows.filter(|row| row.n > 0).collect();
    let shown = pools.0.iter().filter(|site| site.all(&compared).is_some());
    let unknown: Option<Vec<u64>> = shown.map(|site| Some(site.all(&unknown)?.iter().map(total).sum())).collect();
    let certain = Partial::of(part, slice, &groups, terms).favourable(&compared, terms);
    let head = ImpactTable {
        sites,
        of_sites: pools.released(),
        unknown: unknown.filter(|all| !all.is_empty()).map(|all| all.into_iter().sum()),
        ..ImpactTable::new(Kind::Selection, scope, slice)
    };
    table(plan, pack, head, &rows, &Certain::Rates(&certain))
}

/// Scores of a group by bin, over the sites that show them.
struct ScoredGroup {
    group: Vec<String>,
    counts: Vec<u64>,
    /// Of q.
    sums: Vec<u128>,
}

impl ScoredGroup {
    fn scored(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Scores of each group of a slice over the `sites` that show them, of those with releases.
struct Scored {
    sites: u64,
    of_sites: u64,
    groups: Vec<ScoredGroup>,
}

/// Rates above the median of all groups.
fn scoring(
    plan: &Plan,
    contract: &ContractText,
    pack: &Pack,
    scope: &Scope,
    slice: &Slice,
    Scored { sites, of_sites, groups }: &Scored,
) -> ImpactTable {
    let of_people = |group: &&ScoredGroup| is_compared(&group.group);
    let compared: Vec<_> = groups.iter().filter(of_people).filter(|group| group.scored() > 0).collect();
    let unknown = groups.iter().filter(|group| !of_people(group)).map(ScoredGroup::scored).sum();
    let bins = compared.first().map_or(0, |group| group.counts.len());
    let (mut counts, mut sums) = (vec![0_u64; bins], vec![0_u128; bins]);
    for group in &compared {
        counts.iter_mut().zip(&group.counts).for_each(|(sum, count)| *sum += count);
        sums.iter_mut().zip(&group.sums).for_each(|(sum, part)| *sum += part);
    }
    let median = median(&counts, Some(&sums[..]).filter(|_| plan.disclosure.moment_step.is_none()));
    let row = |(at, group): (usize, &&ScoredGroup)| {
        let median = median.ok()?;
        let above = group.counts.iter().skip(median.bin + 1).sum::<u64>();
        let inside = group.counts.get(median.bin).copied().unwrap_or(0);
        let most = if median.exact { above } else { above + inside };
        let favourable = (above, most, above as f64 + median.above * inside as f64);
        Some(Row { at, group: group.group.clone(), favourable, n: group.scored() })
    };
    let rows: Vec<Row> = compared.iter().enumerate().filter_map(row).collect();
    let figure = contract.score.as_ref().map(|score| {
        let at = |unit: f64| score.min + (score.max - score.min) * unit;
        let known = median.is_ok_and(|median| median.bounds.lower == median.bounds.upper);
        let why = if known { "every score of its bin is the same" } else { "interpolated inside its bin" };
        let bounds = median.map(|m| Interval { lower: at(m.bounds.lower), upper: at(m.bounds.upper) });
        match sites {
            0 => Figure::Suppressed,
            _ => with_bounds(point(median.map(|median| at(median.value)), why), bounds),
        }
    });
    let head = ImpactTable {
        sites: *sites,
        of_sites: *of_sites,
        unknown: Some(unknown),
        median: figure,
        ..ImpactTable::new(Kind::Scoring, scope, slice)
    };
    table(plan, pack, head, &rows, &Certain::Scores(sites < of_sites))
}

impl ImpactTable {
    /// Without rows.
    fn new(kind: Kind, scope: &Scope, slice: &Slice) -> ImpactTable {
        ImpactTable {
            kind,
            model_version: scope.model_version.clone(),
            tier: scope.tier,
            attributes: slice.attributes.clone(),
            sites: 0,
            of_sites: 0,
            median: None,
            unknown: None,
            highest: None,
            rows: Vec::new(),
        }
    }
}

/// `head` with the figures of `rows`.
fn table(plan: &Plan, pack: &Pack, head: ImpactTable, rows: &[Row], certain: &Certain) -> ImpactTable {
    let (kind, attributes) = (head.kind, &head.attributes);
    let excluded = |group: &[String]| {
        let exclusion = plan.exclusions.iter().find(|one| one.attributes == *attributes && one.group == group);
        exclusion.filter(|_| pack.smallest_share.is_some()).map(|exclusion| exclusion.justification.clone())
    };
    let total = rows.iter().map(|row| row.n).sum::<u64>();
    let rate = |row: &Row| row.favourable.2 / row.n as f64;
    let small = |row: &Row| pack.smallest_share.is_some_and(|least| (row.n as f64) < least * total as f64);
    let (included, left_out): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| excluded(&row.group).is_none() || !small(row));
    let left_out: Vec<usize> = left_out.iter().map(|row| row.at).collect();
    let highest = included.into_iter().reduce(|best, row| if rate(row) > rate(best) { row } else { best });
    let figures = |row: &Row| {
        let excluded = excluded(&row.group);
        let impact_ratio = match highest {
            Some(highest) if excluded.is_none() || !small(row) => certain.bound(ratio(row, highest), row, highest),
            _ => Figure::NotEstimable("left_out".to_owned()),
        };
        let other = highest.filter(|highest| kind == Kind::Selection && highest.group != row.group);
        ImpactRow {
            group: row.group.clone(),
            n: row.n,
            favourable: (kind == Kind::Selection).then_some(row.favourable.0),
            share: proportion(row.n, total),
            rate: share_of(row),
            below_threshold: pack.threshold.and_then(|at| certain.below(&impact_ratio, row, &left_out, at)),
            test: other.map(|other| {
                let table = [row, other].map(|row| [row.favourable.0, row.n - row.favourable.0]);
                super::figure::test(st::pearson_chi2(&table))
            }),
            may_be_excluded: excluded.as_ref().map(|_| small(row)),
            excluded,
            impact_ratio,
        }
    };
    ImpactTable { highest: highest.map(|row| row.group.clone()), rows: rows.iter().map(figures).collect(), ..head }
}

impl Certain<'_> {
    /// The ratio with where it lies over all released windows.
    fn bound(&self, ratio: Figure, row: &Row, highest: &Row) -> Figure {
        match self {
            Certain::Rates(rates) if row.at != highest.at => with_bounds(ratio, rates.ratio(row.at, highest.at)),
            _ => ratio,
        }
    }

    /// Against all groups but `left_out`, without events or with, where this is about hidden ones.
    fn below(&self, ratio: &Figure, row: &Row, left_out: &[usize], threshold: f64) -> Option<Below> {
        let Figure::Estimate(estimate) = ratio else { return None };
        // Four fifths exactly is not below: 0.6 by 0.75 is less than 0.8 in binary.
        let is_below = |ratio: f64| ratio < threshold - 1e-12;
        let known = is_below(estimate.value);
        Some(match self {
            Certain::Rates(rates) => {
                let others: Vec<usize> = rates.groups().into_iter().filter(|at| !left_out.contains(at)).collect();
                return rates.below(row.at, &others, threshold, Some(known));
            }
            Certain::Scores(true) => Below::Undecided("a site hides its scores".to_owned()),
            Certain::Scores(false) if estimate.bounds.is_some_and(|i| is_below(i.lower) != is_below(i.upper)) => {
                Below::Undecided("it depends on scores inside the median's bin".to_owned())
            }
            Certain::Scores(false) if known => Below::Yes,
            Certain::Scores(false) => Below::No,
        })
    }
}

fn is_exact(row: &Row) -> bool {
    row.favourable.0 == row.favourable.1
}

fn share_of(row: &Row) -> Figure {
    let (least, most, taken) = row.favourable;
    if is_exact(row) {
        return proportion(least, row.n);
    }
    let share = |count: f64| count / row.n as f64;
    let bounds = Interval { lower: share(least as f64), upper: share(most as f64) };
    with_bounds(point(Ok(share(taken)), INSIDE), Ok(bounds))
}

fn ratio(row: &Row, highest: &Row) -> Figure {
    if is_exact(row) && is_exact(highest) {
        let ratio = st::katz_ratio(row.favourable.0, row.n, highest.favourable.0, highest.n, LEVEL);
        return figure(
            ratio.map(|r| (r.value, Ok(r.interval))),
            "katz or koopman, against the highest as if it were given",
        );
    }
    let rate = |row: &Row| row.favourable.2 / row.n as f64;
    let value =
        if rate(highest) > 0.0 { Ok(rate(row) / rate(highest)) } else { Err(NotEstimable::ZeroRateInDenominator) };
    match row.group == highest.group {
        true => point(value, "it is the highest"),
        false => {
            let share = |count: u64, of: &Row| count as f64 / of.n as f64;
            let upper = share(row.favourable.1, row) / share(highest.favourable.0, highest);
            let bounds = Interval { lower: share(row.favourable.0, row) / share(highest.favourable.1, highest), upper };
            with_bounds(
                point(value, INSIDE),
                if bounds.upper.is_finite() { Ok(bounds) } else { Err(NotEstimable::NotFinite) },
            )
        }
    }
}

const INSIDE: &str = "interpolated inside the median's bin";

/// Scores of each group of a slice over the sites that show them in every window, whatever their label.
fn score_counts(part: &Part, groups: &[Vec<String>]) -> Scored {
    let group = |group: &Vec<String>| ScoredGroup { group: group.clone(), counts: Vec::new(), sums: Vec::new() };
    let mut sum: Vec<ScoredGroup> = groups.iter().map(group).collect();
    let (mut sites, mut of_sites) = (0, 0);
    for site in part.sites {
        let Some(slices) = part.slices(site) else { continue };
        of_sites += 1;
        let windows: Option<Vec<Vec<&Scores>>> = slices.iter().map(|slice| shown(slice)).collect();
        let Some(windows) = windows else { continue };
        sites += 1;
        for scores in windows {
            let own = scores.first().map_or(0, |scores| scores.bins);
            let known = sum.first().map(|sum| sum.counts.len() as u32).filter(|bins| *bins > 0);
            let bins = known.map_or(own, |bins| own.min(bins));
            for (sum, scores) in sum.iter_mut().zip(scores) {
                let width = (sum.counts.len() / bins.max(1) as usize).max(1);
                sum.counts = sum.counts.chunks(width).map(|part| part.iter().sum()).collect();
                sum.sums = sum.sums.chunks(width).map(|part| part.iter().sum()).collect();
                sum.counts.resize(bins as usize, 0);
                sum.sums.resize(bins as usize, 0);
                sum.counts.iter_mut().zip(all_counts(scores, bins)).for_each(|(sum, count)| *sum += count);
                sum.sums.iter_mut().zip(all_sums(scores, bins)).for_each(|(sum, part)| *sum += part);
            }
        }
    }
    Scored { sites, of_sites, groups: sum }
}

fn shown(slice: &ReleasedSlice) -> Option<Vec<&Scores>> {
    slice.groups.iter().map(|group| group.scores.as_ref()?.value()).collect()
}
