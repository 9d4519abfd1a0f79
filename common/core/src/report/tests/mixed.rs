//! A federation whose sites show different groups at different rungs, k = 3, worked by hand.

use super::*;
use crate::disclosure::{Block, Margins};
use proptest::prelude::*;
use serde_json::Value;

const PACK: &str = "four-fifths";
const NONE: Block = Block::Full([[0; 3]; 3]);

/// Women, men, `other`, unknown; and a site without release.
fn mixed() -> World {
    let of = |counts: [u64; 4]| labelled(counts, 0);
    let full = |counts| Block::Full(of(counts));
    // [13, 7] by decision and by label, of tp 2, fp 5, fn 5, tn 8.
    let men = Block::Margins(Margins::of(&of([2, 5, 5, 8])));
    let a = vec![full([6, 3, 3, 8]), full([9, 6, 5, 10]), full([3, 3, 4, 5]), NONE];
    let b = vec![full([5, 4, 3, 8]), men, Block::Folded(0), Block::Folded(0)];
    let c = vec![Block::N(7), full([4, 3, 3, 5]), Block::N(5), NONE];
    let sites = vec![
        ("a", Gave::Rungs(full([18, 12, 12, 23]), a, Vec::new())),
        ("b", Gave::Rungs(full([8, 10, 8, 21]), b, vec![Block::N(7)])),
        ("c", Gave::Rungs(full([7, 5, 5, 10]), c, Vec::new())),
        ("d", Gave::Nothing),
    ];
    World { k: 3, min_site_n: 5, ..World::new(sites) }
}

fn slice() -> SliceFigures {
    mixed().report().scopes.remove(0).slices.remove(1)
}

#[test]
fn a_group_counts_where_it_is_shown() {
    let slice = slice();
    let states: Vec<State> = slice.sites.iter().map(|site| site.state).collect();
    assert_eq!(states, [State::Released, State::Partial, State::Partial, State::Missing]);
    let known: Vec<_> = slice.groups.iter().map(|group| (group.known_at, group.of_sites)).collect();
    assert_eq!(known, [(2, 3), (2, 3), (1, 3), (2, 3)]);
    let pooled: Vec<_> = slice.groups.iter().map(|group| group.pooled.as_ref().expect("known somewhere")).collect();
    let counts: Vec<_> = pooled.iter().map(|of| (of.n, of.selected)).collect();
    assert_eq!(counts, [(40, 18), (45, 22), (15, 6), (0, 0)]);
    // Men at a and c: tp 13 of 21; at b only totals are known, which are in no point figure.
    near(pooled[1].outcomes.as_ref().and_then(|of| of.tpr.value()).expect("labels"), 13.0 / 21.0);
    let at: Vec<_> = slice.groups[0].sites.iter().map(Option::is_some).collect();
    assert_eq!(at, [true, true, false, false]);
    assert_eq!(slice.site_parity.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, false]);
}

#[test]
fn groups_are_compared_where_both_are_shown() {
    let slice = slice();
    let pairs: Vec<_> = slice.pairs.iter().map(|pair| (&pair.group[0][..], pair.known_at)).collect();
    assert_eq!(pairs, [("Female", 1), ("other", 1)]);
    let women = &slice.pairs[0];
    near(women.crude.difference.value().expect("a difference"), 9.0 / 20.0 - 15.0 / 30.0);
    near(women.outcomes.as_ref().and_then(|of| of.tpr.value()).expect("labels"), 6.0 / 9.0 - 9.0 / 14.0);
    assert_eq!(women.counts, [labelled([6, 3, 3, 8], 0), labelled([9, 6, 5, 10], 0)]);
    let names = |sites: &[Name]| sites.iter().map(|site| site.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(
        (names(&women.mantel_haenszel.sites), names(&women.pooled.sites)),
        (vec!["a".to_owned()], vec!["a".to_owned()])
    );
    let out: Vec<_> = women.sites.iter().map(|site| site.left_out.as_deref()).collect();
    assert_eq!(out, [None, Some("suppressed"), Some("suppressed"), Some("no release")]);
    // Gaps over all groups: a alone shows all of them.
    assert_eq!(slice.compared_at, 1);
    let parity = slice.parity.expect("a cut");
    assert_eq!(parity.groups, 3);
    near(parity.demographic_parity.difference.value().expect("a gap"), 0.5 - 0.4);
}

#[test]
fn bounds_use_all_that_is_shown() {
    let slice = slice();
    let certain = |group: usize| slice.groups[group].identified.as_ref().expect("something is hidden");
    let is = |found: Option<Interval>, [lower, upper]: [f64; 2]| {
        let found = found.expect("bounds");
        near(found.lower, lower);
        near(found.upper, upper);
    };
    // Women at c: seven of the twelve that men leave of all, tp 3, fp 2, fn 2, tn 5.
    let women = certain(0);
    assert_eq!((women.known, women.hidden), (47, 0));
    is(women.selection_rate, [18.0 / 47.0, 23.0 / 47.0]);
    is(women.tpr, [11.0 / 19.0, 14.0 / 20.0]);
    // Men at b: decisions are known, tp is 2 or 3, as women leave 6 fp for their 7 selected and 5 fn for their 7 positives.
    let men = certain(1);
    is(men.selection_rate, [29.0 / 65.0, 29.0 / 65.0]);
    is(men.tpr, [15.0 / 28.0, 16.0 / 28.0]);
    // `other` has 15 at a, up to the 7 of the fold at b, 5 at c.
    let other = certain(2);
    assert_eq!((other.known, other.hidden), (20, 7));
    is(other.selection_rate, [6.0 / 25.0, 13.0 / 22.0]);
    assert_eq!(slice.groups[3].identified.as_ref().map(|of| (of.known, of.hidden)), Some((0, 7)));
    let pair = slice.pairs[0].identified.as_ref().expect("something is hidden");
    is(pair.selection_rate, [18.0 / 47.0 - 29.0 / 65.0, 23.0 / 47.0 - 29.0 / 65.0]);
}

#[test]
fn a_threshold_is_met_if_the_bounds_meet_it() {
    let flags = |hidden: Option<u64>| {
        let counts = Gave::Counts(vec![[30, 70], [60, 40], [0, 0], [0, 0]]);
        let hidden = hidden.map(|events| ("b", Gave::Hidden(events)));
        let sites = [("a", counts)].into_iter().chain(hidden).collect();
        let report = World::new(sites).report();
        let fairness = report.scopes[0].slices[1].fairness.clone().expect("a cut");
        let row = fairness.four_fifths.groups[0].clone();
        (row.below.expect("defined"), estimate(&row.impact_ratio).value, estimate(&row.impact_ratio).bounds)
    };
    assert_eq!(flags(None), (Below::Yes, 0.5, None));
    // Five hidden events, all selected: women at most 35 of 105, men at least 60 of 100.
    let (below, ratio, bounds) = flags(Some(5));
    assert_eq!((below, ratio), (Below::Yes, 0.5));
    let bounds = bounds.expect("hidden");
    near(bounds.lower, 0.3 / (65.0 / 105.0));
    near(bounds.upper, 35.0 / 105.0 / 0.6);
    // 200 could all be women.
    let (below, ratio, _) = flags(Some(200));
    assert!(matches!(below, Below::Undecided(_)) && ratio == 0.5);
    // At the mixed sites nothing is decided either: `other` could be anywhere from 0.24 to 0.59.
    let rows = slice().fairness.expect("a cut").four_fifths.groups;
    assert!(rows.iter().all(|row| matches!(row.below, Some(Below::Undecided(_)))), "{rows:?}");
}

#[test]
fn a_packs_threshold_likewise() {
    let table = |hidden: Gave| {
        let counts = Gave::Counts(vec![[30, 70], [60, 40], [0, 0], [3, 4]]);
        let world = World { packs: vec![PACK], ..World::new(vec![("a", counts), ("b", hidden)]) };
        world.report().packs.remove(0).tables.remove(0)
    };
    let flags = |table: &ImpactTable| table.rows.iter().map(|row| row.below_threshold.clone()).collect::<Vec<_>>();
    let found = table(Gave::Hidden(5));
    assert_eq!((found.sites, found.of_sites, found.unknown), (1, 2, Some(7)));
    assert_eq!(
        found.rows.iter().map(|row| (row.n, row.impact_ratio.value())).collect::<Vec<_>>(),
        [(100, Some(0.5)), (100, Some(1.0))]
    );
    // Women are below whatever is hidden; men are not, whatever women may have, but `other` may be five selected.
    assert_eq!(flags(&found)[0], Some(Below::Yes));
    assert!(matches!(flags(&found)[1], Some(Below::Undecided(_))), "{found:?}");
    let found = table(Gave::Hidden(200));
    assert!(flags(&found).iter().all(|flag| matches!(flag, Some(Below::Undecided(_)))), "{found:?}");
    // Nothing is hidden where there is no release: nothing is known.
    assert_eq!(flags(&table(Gave::Nothing)), [Some(Below::Yes), Some(Below::No)]);
    // Known groups and hidden unknown ones.
    let block = |n: u64| Block::Full([[0, 0, n], [0, 0, n], [0; 3]]);
    let hides = Gave::Rungs(block(30), vec![block(10), block(10), NONE, Block::N(20)], Vec::new());
    let found = table(hides);
    assert_eq!((found.sites, found.unknown, flags(&found)[0].clone()), (2, None, Some(Below::Yes)));
}

#[test]
fn where_no_site_shows_all_groups_there_is_no_gap() {
    let full = |n: u64| Block::Full([[0, n, 0], [n, 0, 0], [0; 3]]);
    let one = |women: Block, men: Block| Gave::Rungs(full(30), vec![women, men, NONE, NONE], Vec::new());
    let world = World::new(vec![("a", one(full(9), Block::N(42))), ("b", one(Block::N(40), full(10)))]);
    let slice = world.report().scopes.remove(0).slices.remove(1);
    let why = Figure::NotEstimable("no_site_shows_all_groups".to_owned());
    let parity = slice.parity.expect("a cut");
    assert_eq!((parity.groups, &parity.demographic_parity.difference), (0, &why));
    assert_eq!(parity.outcomes.expect("labels").equalized_odds.ratio, why);
    let fairness = slice.fairness.expect("a cut");
    assert_eq!((fairness.four_fifths.highest, fairness.differential_fairness), (None, why));
    assert!(slice.compared_at == 0 && slice.pairs.is_empty());
    assert_eq!(slice.groups.iter().map(|group| group.known_at).collect::<Vec<_>>(), [1, 1, 2, 2]);
}

/// Without what tells of hidden events, and of how many sites there are.
fn points(report: &Report) -> Vec<Value> {
    fn strip(value: &mut Value) {
        let aside = ["bounds", "below", "identified", "sites", "of_sites", "site_parity"];
        match value {
            Value::Object(members) => {
                members.retain(|key, value| !aside.contains(&&key[..]) || (key == "sites" && value.is_u64()));
                members.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut scopes: Vec<Value> =
        report.scopes.iter().map(|scope| serde_json::to_value(scope).expect("encodes")).collect();
    scopes.iter_mut().for_each(strip);
    scopes
}

/// The truth of a site, and what it shows of it: rung 3 is in a fold, rung 4 withheld.
fn gave() -> impl Strategy<Value = (Vec<Counts>, Gave)> {
    let count = || prop_oneof![Just(0_u64), 1_u64..40];
    let group = (prop::collection::vec(count(), 9), 0_u8..6)
        .prop_map(|(n, rung)| ([[n[0], n[1], n[2]], [n[3], n[4], n[5]], [n[6], n[7], n[8]]], rung));
    let groups = prop::collection::vec(group, 4);
    // Of all events, labels are shown: they are public numbers.
    (groups, 0_u8..2, 0_u8..3).prop_map(|(groups, whole, fold)| {
        let sum = |of: &dyn Fn(u8) -> bool| {
            let mut sum = Counts::default();
            groups.iter().filter(|(_, rung)| of(*rung)).for_each(|(counts, _)| pools::add(&mut sum, counts));
            sum
        };
        let folded = groups.iter().filter(|(_, rung)| *rung == 3).count() > 1;
        let folds = if folded { vec![at_rung(&sum(&|rung| rung == 3), fold)] } else { Vec::new() };
        let shown = groups.iter().map(|(counts, rung)| match rung {
            3 if folded => Block::Folded(0),
            3 | 4 => Block::Withheld,
            rung => at_rung(counts, *rung),
        });
        let shown: Vec<Block> = shown.collect();
        // All events are full where each group is.
        let whole = if shown.iter().all(|block| block.full().is_some()) { 0 } else { whole };
        let whole = at_rung(&sum(&|_| true), whole);
        (groups.iter().map(|(counts, _)| *counts).collect(), Gave::Rungs(whole, shown, folds))
    })
}

fn at_rung(counts: &Counts, rung: u8) -> Block {
    let margins = Margins::of(counts);
    match rung {
        1 if margins.total() > 0 => Block::Margins(margins),
        2 if margins.total() > 0 => Block::N(margins.total()),
        _ => Block::Full(*counts),
    }
}

/// Rates by group, and the group's less the men's.
fn rates(slice: &SliceFigures) -> Vec<[Option<f64>; 3]> {
    let of = |group: &GroupFigures| {
        let pooled = group.pooled.as_ref().expect("full");
        let outcomes = pooled.outcomes.as_ref().expect("labels");
        [&pooled.selection_rate, &outcomes.tpr, &outcomes.fpr].map(Figure::value)
    };
    slice.groups.iter().map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_site_that_hides_everything_changes_no_point(given in prop::collection::vec(gave(), 1..5), hidden in 1_u64..500) {
        let sites: Vec<_> = NAMES.into_iter().zip(given.into_iter().map(|(_, gave)| gave)).collect();
        let nothing = Gave::Rungs(Block::N(hidden), vec![Block::Withheld; 4], Vec::new());
        let before = World::new(sites.clone()).report();
        let after = World::new(sites.into_iter().chain([("z", nothing)]).collect()).report();
        prop_assert_eq!(points(&before), points(&after));
    }

    #[test]
    fn bounds_and_flags_hold_the_truth(given in prop::collection::vec(gave(), 1..4)) {
        let (truth, given): (Vec<_>, Vec<_>) = given.into_iter().unzip();
        let slice = |gave: Vec<Gave>| {
            let world = World { min_coverage: 0.0, ..World::new(NAMES.into_iter().zip(gave).collect()) };
            world.report().scopes.remove(0).slices.remove(1)
        };
        let truth = slice(truth.into_iter().map(Gave::Blocks).collect());
        let found = slice(given);
        let true_rates = rates(&truth);
        for (at, group) in found.groups.iter().enumerate() {
            let Some(certain) = &group.identified else { continue };
            let n = truth.groups[at].pooled.as_ref().expect("full").n;
            prop_assert!(certain.known <= n && n <= certain.known + certain.hidden);
            for (found, truth) in [certain.selection_rate, certain.tpr, certain.fpr].iter().zip(true_rates[at]) {
                let (Some(found), Some(truth)) = (found, truth) else { continue };
                prop_assert!(found.lower <= truth + 1e-12 && truth <= found.upper + 1e-12, "{:?} {}", found, truth);
            }
        }
        for pair in &found.pairs {
            let Some(certain) = &pair.identified else { continue };
            let at = found.groups.iter().position(|group| group.group == pair.group).expect("a group");
            for (found, rate) in [certain.selection_rate, certain.tpr, certain.fpr].iter().zip(0..) {
                let (Some(found), Some(one), Some(other)) = (found, true_rates[at][rate], true_rates[1][rate]) else { continue };
                let truth = one - other;
                prop_assert!(found.lower <= truth + 1e-12 && truth <= found.upper + 1e-12, "{:?} {}", found, truth);
            }
        }
        let highest = (0..3).filter_map(|at| true_rates[at][0]).fold(0.0, f64::max);
        for row in &found.fairness.as_ref().expect("a cut").four_fifths.groups {
            let at = found.groups.iter().position(|group| group.group == row.group).expect("a group");
            let own = true_rates[at][0].expect("decided");
            match row.below {
                Some(Below::Yes) => prop_assert!(own < 0.8 * highest, "{} of {}", own, highest),
                Some(Below::No) => prop_assert!(own >= 0.8 * highest - 1e-9, "{} of {}", own, highest),
                Some(Below::Undecided(_)) | None => {}
            }
        }
    }
}

const NAMES: [&str; 5] = ["s0", "s1", "s2", "s3", "s4"];
