//! Whatever tables agree with all that is published are counted: no hidden cell may have too few values among them.

use super::super::rungs::{Block, Margins};
use super::*;
use crate::disclosure::Counts;
use proptest::prelude::*;

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

fn protected(finest: &[Counts], k: u64) -> (Vec<Ladder>, Public) {
    let slices = sums(finest);
    let all = Margins::of(&slices[0][0]);
    let public = Public { events: all.total(), outcomes: all.labels[0] + all.labels[1] };
    let behind = slices.iter().map(|slice| slice.iter().map(|counts| Behind::of_events(*counts)).collect()).collect();
    let (mut ladders, _) = protect(&Views::new(&two_ways()), vec![behind], public, k);
    (ladders.remove(0), public)
}

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
    let (ladders, _) = protected(&[few, many, many, many], 5);
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
    let (ladders, _) = protect(&Views::new(&named), vec![behind], public, 10);
    assert!(unprotected(&Views::new(&named), &ladders, public, 10, &mut Work::new(u64::MAX)).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    /// One decision: cells fall apart, and every table of each label can be counted.
    #[test]
    fn every_hidden_cell_has_enough_values(
        finest in proptest::collection::vec(proptest::array::uniform2(prop_oneof![2 => Just(0_u64), 2 => 1..4_u64, 1 => 3..6_u64]), 4), k in 3..6_u64
    ) {
        prop_assume!(finest.iter().flatten().sum::<u64>() < 10);
        let finest: Vec<Counts> = finest.iter().map(|[no, yes]| [[0; 3], [*no, *yes, 0], [0; 3]]).collect();
        let (ladders, public) = protected(&finest, k);
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
            let is_zero = values.iter().all(|value| *value == 0);
            prop_assert!(!is_hidden || is_zero || nothing || values.len() >= need, "{at}: {values:?} of {truth:?}");
        }
    }

    #[test]
    fn the_attacker_is_content_with_what_is_left(
        finest in proptest::collection::vec(
            proptest::array::uniform2(proptest::array::uniform3(prop_oneof![0..3_u64, 0..30_u64])), 4), k in 1..9_u64
    ) {
        let finest: Vec<Counts> = finest.iter().map(|[no, yes]| [*no, *yes, [0; 3]]).collect();
        let (ladders, public) = protected(&finest, k);
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
}
