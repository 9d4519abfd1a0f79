//! Whatever tables agree with all that is published are counted: no hidden cell may have too few values among them.

use super::super::rungs::{Block, Margins};
use super::*;
use crate::disclosure::Counts;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

type Named = (Vec<String>, Vec<Vec<String>>);

fn slice(attributes: &[&str], sizes: &[usize]) -> Named {
    let mut groups = vec![Vec::new()];
    for size in sizes {
        groups = groups
            .into_iter()
            .flat_map(|head: Vec<String>| (0..*size).map(move |code| [head.clone(), vec![code.to_string()]].concat()))
            .collect();
    }
    (attributes.iter().map(|name| (*name).to_owned()).collect(), groups)
}

/// The whole, a (2), b (2), a x b.
fn two_ways() -> Vec<Named> {
    vec![slice(&[], &[]), slice(&["a"], &[2]), slice(&["b"], &[2]), slice(&["a", "b"], &[2, 2])]
}

/// Blocks of all slices, from those of a x b.
fn sums(finest: &[Counts]) -> Vec<Vec<Counts>> {
    let sum = |of: &[usize]| {
        let mut sum = Counts::default();
        for at in of {
            sum.iter_mut().flatten().zip(finest[*at].iter().flatten()).for_each(|(sum, part)| *sum += part);
        }
        sum
    };
    vec![vec![sum(&[0, 1, 2, 3])], vec![sum(&[0, 1]), sum(&[2, 3])], vec![sum(&[0, 2]), sum(&[1, 3])], finest.to_vec()]
}

fn protected(finest: &[Counts], k: (u64, bool), bounds: Bounds) -> (Vec<Ladder>, Public) {
    let slices = sums(finest);
    let all = Margins::of(&slices[0][0]);
    let public = Public { events: all.total(), outcomes: all.labels[0] + all.labels[1] };
    let behind = slices.iter().map(|slice| slice.iter().map(|counts| Behind::of_events(*counts)).collect()).collect();
    let (mut ladders, _) = protect_within(&Views::new(&two_ways()), vec![behind], public, k, bounds);
    (ladders.remove(0), public)
}

/// Work for nothing, or for one thing alone: what is left is hidden in large steps.
const LITTLE: [Bounds; 4] = [
    Bounds { search: 0, ..BOUNDS },
    Bounds { search: 0, rounds: 0, ..BOUNDS },
    Bounds { search: 3_000, round: 3_000, ..BOUNDS },
    Bounds { search: 0, round: 0, rounds: 2 },
];

/// What of some counts a release shows, given who is folded.
fn seen(counts: &[Vec<Counts>], ladders: &[Ladder]) -> Vec<Vec<Block>> {
    let of = |(counts, ladder): (&Vec<Counts>, &Ladder)| {
        let mut other = ladder.clone();
        other.behind = counts.iter().map(|counts| Behind::of_events(*counts)).collect();
        let fold = ladder.fold().map(|(rung, _)| {
            let hidden = counts.iter().zip(&ladder.rungs).filter(|(_, rung)| **rung == Rung::Hidden);
            let mut sum = Counts::default();
            hidden.for_each(|(part, _)| sum.iter_mut().flatten().zip(part.iter().flatten()).for_each(|(s, p)| *s += p));
            Block::at(rung, &sum)
        });
        let own = counts.iter().zip(&ladder.rungs).map(|(counts, rung)| Block::at(*rung, counts));
        own.chain(fold).collect()
    };
    counts.iter().zip(ladders).map(of).collect()
}

/// All ways to write a number as a sum of four.
fn splits(n: u64) -> Vec<[u64; 4]> {
    let mut all = Vec::new();
    for a in 0..=n {
        for b in 0..=n - a {
            all.extend((0..=n - a - b).map(|c| [a, b, c, n - a - b - c]));
        }
    }
    all
}

#[test]
fn nothing_hidden_is_a_neighbours_difference() {
    // Of two groups one has a cell of 2: the other, full, would tell it from the total.
    let few = [[30, 2, 0], [40, 50, 0], [0; 3]];
    let many = [[30, 20, 0], [40, 50, 0], [0; 3]];
    let (ladders, _) = protected(&[few, many, many, many], (5, false), BOUNDS);
    assert!(ladders[3].rungs.iter().filter(|rung| **rung != Rung::Full).count() >= 2);
    assert_eq!(ladders[0].rungs, [Rung::Full]);
}

#[test]
fn a_large_release_is_protected_in_a_moment() {
    let sizes = [6, 3, 4];
    let names = ["a", "b", "c"];
    let slices = [vec![], vec![0], vec![1], vec![0, 1], vec![0, 1, 2]];
    let named: Vec<Named> = slices
        .iter()
        .map(|of| {
            let attributes: Vec<_> = of.iter().map(|at| names[*at]).collect();
            slice(&attributes, &of.iter().map(|at| sizes[*at]).collect::<Vec<_>>())
        })
        .collect();
    let mut counts: Vec<Vec<Counts>> = named.iter().map(|(_, groups)| vec![Counts::default(); groups.len()]).collect();
    let mut seed = 1_u64;
    for _ in 0..4_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut next = (seed >> 20) as usize;
        let mut take = |of: usize| {
            let code = next % of;
            next /= of;
            code
        };
        let codes = sizes.map(&mut take);
        let (decision, label) = (take(2), take(3));
        for (of, counts) in slices.iter().zip(&mut counts) {
            let group = of.iter().fold(0, |group, at| group * sizes[*at] + codes[*at]);
            counts[group][decision][label] += 1;
        }
    }
    let all = Margins::of(&counts[0][0]);
    let public = Public { events: all.total(), outcomes: all.labels[0] + all.labels[1] };
    let behind = counts.iter().map(|slice| slice.iter().map(|counts| Behind::of_events(*counts)).collect()).collect();
    let (ladders, _) = protect(&Views::new(&named), vec![behind], public, (10, false));
    assert!(unprotected(&Views::new(&named), &ladders, public, 10, &mut Work::new(u64::MAX)).is_empty());
}

#[test]
fn without_work_nothing_is_shown_beside_what_is_hidden() {
    let finest = [[[30, 2, 0], [40, 50, 0], [0; 3]]; 4];
    let (ladders, _) = protected(&finest, (5, false), LITTLE[3]);
    assert!(ladders.iter().all(|ladder| !is_seen(ladder)), "{ladders:?}");
    // A look at all blocks is enough to hide one beside another.
    let many = [[30, 20, 0], [40, 50, 0], [0; 3]];
    let (ladders, _) = protected(&[finest[0], many, many, many], (5, false), LITTLE[0]);
    assert!(ladders[0].rungs == [Rung::Full] && is_seen(&ladders[3]), "{ladders:?}");
    assert!(ladders[3].rungs.iter().filter(|rung| **rung == Rung::Hidden).count() >= 2);
    // Without rounds the finest slice goes as a whole, and what is all full stays.
    let (ladders, _) = protected(&[finest[0], many, many, many], (5, false), LITTLE[1]);
    assert!(ladders[0].rungs == [Rung::Full] && !is_seen(&ladders[3]), "{ladders:?}");
}

#[test]
fn all_events_are_shown_where_each_group_of_a_slice_is() {
    let many = Behind::of_events([[30, 20, 0], [40, 50, 0], [0; 3]]);
    let rule = Rule { k: 5, zeros: Zeros::ALL };
    let shown = |group: Rung| {
        let mut slices = vec![Ladder::new(vec![many], rule), Ladder::new(vec![many, many], rule)];
        slices[0].rungs[0] = Rung::N;
        slices[1].rungs[1] = group;
        let mut whys = vec![vec![Some(Why::Others)], vec![None; 2]];
        show_whole(&mut slices, &mut whys);
        (slices[0].rungs[0], whys[0][0])
    };
    assert_eq!(shown(Rung::Full), (Rung::Full, None));
    assert_eq!(shown(Rung::Margins), (Rung::N, Some(Why::Others)));
}

#[test]
fn a_group_never_selected_is_hidden_where_zeros_are() {
    // By a: one group is never selected; nobody's decision or label is absent.
    let never = [[9, 8, 0], [0; 3], [0; 3]];
    let many = [[30, 20, 0], [40, 50, 0], [0; 3]];
    let rungs = |hide| protected(&[never, never, many, many], (5, hide), BOUNDS).0[1].rungs.clone();
    assert_eq!(rungs(false), [Rung::Full; 2]);
    assert!(rungs(true)[0] > Rung::Margins, "{:?}", rungs(true));
    // Where nobody of any group is selected, it says nothing of one.
    let all = protected(&[never, never, never, never], (5, true), BOUNDS).0;
    assert!(all.iter().all(|ladder| ladder.rungs.iter().all(|rung| *rung == Rung::Full)));
    // A group without events is hidden like one with few.
    let rungs = |hide| protected(&[[[0; 3]; 3], many, many, many], (5, hide), BOUNDS).0[3].rungs.clone();
    assert_eq!(rungs(false), [Rung::Full; 4]);
    assert_eq!(rungs(true)[0], Rung::Hidden);
}

/// Counts all tables of one decision that agree with what is published.
fn check_by_counting(finest: &[[u64; 2]], (k, hide): (u64, bool), bounds: Bounds) -> Result<(), TestCaseError> {
    let finest: Vec<Counts> = finest.iter().map(|[no, yes]| [[0; 3], [*no, *yes, 0], [0; 3]]).collect();
    let (ladders, public) = protected(&finest, (k, hide), bounds);
    let truth = seen(&sums(&finest), &ladders);
    let labels = [0, 1].map(|label| finest.iter().map(|counts| counts[1][label]).collect::<Vec<_>>());
    let alone = |label: usize| labels[label].iter().sum::<u64>();
    let all = alone(0) + alone(1);
    // The attacker knows how many there are; how many of each label only if the whole tells.
    let mut values = vec![std::collections::BTreeSet::new(); 8];
    for no in 0..=all {
        if ladders[0].rungs[0] <= Rung::Margins && no != alone(0) {
            continue;
        }
        for first in splits(no) {
            for second in splits(all - no) {
                let table: Vec<Counts> =
                    first.iter().zip(&second).map(|(no, yes)| [[0; 3], [*no, *yes, 0], [0; 3]]).collect();
                if seen(&sums(&table), &ladders) == truth {
                    (0..4).for_each(|at| {
                        values[at].insert(first[at]);
                        values[at + 4].insert(second[at]);
                    });
                }
            }
        }
    }
    let need = (k - 1).min(public.outcomes + 1) as usize;
    let nothing = ladders.iter().all(|ladder| ladder.rungs.iter().all(|rung| *rung == Rung::Hidden));
    for (at, values) in values.iter().enumerate() {
        let is_hidden = ladders[3].own[at % 4] != Rung::Full;
        let is_zero = values.iter().all(|value| *value == 0) && (!hide || alone(at / 4) == 0);
        prop_assert!(!is_hidden || is_zero || nothing || values.len() >= need, "{at}: {values:?} of {truth:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    /// One decision: cells fall apart, and every table of each label can be counted.
    #[test]
    fn every_hidden_cell_has_enough_values(
        finest in proptest::collection::vec(proptest::array::uniform2(prop_oneof![2 => Just(0_u64), 2 => 1..4_u64, 1 => 3..6_u64]), 4), k in 3..6_u64,
        hide in any::<bool>(), little in proptest::option::weighted(0.3, 0..LITTLE.len())
    ) {
        prop_assume!(finest.iter().flatten().sum::<u64>() < 10);
        check_by_counting(&finest, (k, hide), little.map_or(BOUNDS, |at| LITTLE[at]))?;
    }

    #[test]
    fn the_attacker_is_content_with_what_is_left(
        finest in proptest::collection::vec(
            proptest::array::uniform2(proptest::array::uniform3(prop_oneof![0..3_u64, 0..30_u64])), 4), k in 1..9_u64, hide in any::<bool>()
    ) {
        let finest: Vec<Counts> = finest.iter().map(|[no, yes]| [*no, *yes, [0; 3]]).collect();
        let (ladders, public) = protected(&finest, (k, hide), BOUNDS);
        let shown = |ladder: &Ladder| ladder.fold().is_some() || ladder.rungs.iter().any(|rung| *rung != Rung::Hidden);
        let left = unprotected(
            &Views::new(&two_ways()),
            std::slice::from_ref(&ladders),
            public,
            k,
            &mut Work::new(u64::MAX),
        );
        prop_assert!(left.is_empty() || !ladders.iter().any(shown), "{left:?}");
    }

    #[test]
    fn no_zero_is_shown_but_of_what_nobody_has(
        finest in proptest::collection::vec(
            proptest::array::uniform3(proptest::array::uniform3(prop_oneof![2 => Just(0_u64), 1 => 1..3_u64, 3 => 0..90_u64])), 4),
        empty in proptest::array::uniform6(proptest::bool::weighted(0.3)), k in 1..9_u64,
        little in proptest::option::weighted(0.3, 0..LITTLE.len())
    ) {
        let mut finest = finest;
        for (d, l) in (0..3).flat_map(|d| (0..3).map(move |l| (d, l))) {
            finest.iter_mut().filter(|_| empty[d] || empty[3 + l]).for_each(|counts| counts[d][l] = 0);
        }
        let (ladders, _) = protected(&finest, (k, true), little.map_or(BOUNDS, |at| LITTLE[at]));
        let all = sums(&finest)[0][0];
        let nobody = |of: &dyn Fn(usize) -> u64| [0, 1, 2].map(|at| of(at) == 0);
        let decisions = nobody(&|d| all[d].iter().sum());
        let labels = nobody(&|l| all.iter().map(|row| row[l]).sum());
        let fits = |count: u64, nobody: bool| if count == 0 { nobody } else { count >= k };
        for (blocks, folds) in ladders.iter().map(Ladder::blocks) {
            for block in blocks.iter().chain(&folds) {
                for (d, l) in (0..3).flat_map(|d| (0..3).map(move |l| (d, l))) {
                    prop_assert!(block.full().is_none_or(|of| fits(of[d][l], decisions[d] || labels[l])), "{block:?}");
                }
                let totals = block.margins();
                prop_assert!(totals.is_none_or(|of| (0..3).all(|d| fits(of.decisions[d], decisions[d]))), "{block:?}");
                prop_assert!(totals.is_none_or(|of| (0..3).all(|l| fits(of.labels[l], labels[l]))), "{block:?}");
                prop_assert!(block.events().is_none_or(|n| fits(n, decisions == [true; 3])), "{block:?}");
                // What nobody has is known.
                prop_assert!(totals.is_none() || ladders[0].rungs[0] <= Rung::Margins, "{block:?}");
            }
        }
    }
}
