//! Whatever tables agree with two plans' releases are counted.

use super::super::tests::{plan_of, tiny};
use super::*;
use crate::aggregate::Aggregate;
use crate::aggregate::tests::{FULL, event, truth};
use crate::disclosure::disclose;
use crate::ids::{Digest, Name};
use crate::plan::Plan;
use crate::time::{HOUR_NS, Time, Window};

/// Events by day (0, 1), category of a (0, 1), label (0, 1).
type Days = [[[u64; 2]; 2]; 2];

fn one(a: u16) -> Prediction {
    let mut one = event(1, None, [a, 0]);
    one.attributes.push(0);
    one
}

fn each(days: &Days, mut of: impl FnMut(usize, u16, u8)) {
    for (day, groups) in days.iter().enumerate() {
        for (a, labels) in groups.iter().enumerate() {
            for (label, n) in labels.iter().enumerate() {
                (0..*n).for_each(|_| of(day, a as u16, label as u8));
            }
        }
    }
}

fn release(days: &Days, plan: &Plan, window: usize) -> ReleaseText {
    let contract = tiny();
    let mut aggregate = Aggregate::empty(plan, &contract).expect("fits");
    each(days, |day, a, label| {
        if window == 0 || day + 1 == window {
            aggregate.add(FULL, &one(a), truth(label)).expect("inside the contract");
        }
    });
    let hours = Window { start: Time(window as i64 * HOUR_NS), end: Time((window as i64 + 1) * HOUR_NS) };
    let site = Name::new("s").expect("a name");
    (*disclose(&aggregate, plan, &contract, Digest([0; 32]), &site, hours).expect("fits").release).clone()
}

/// Both days together, by `a`, beside each day, without; and whether it is learned from all of them what one hides.
fn together(days: &Days, plans: [&Plan; 2]) -> (Vec<ReleaseText>, Vec<String>) {
    let texts = vec![release(days, plans[0], 0), release(days, plans[1], 1), release(days, plans[1], 2)];
    let mut together = Together::new([plans[0], plans[1]], &tiny()).expect("no circle");
    each(days, |day, a, label| {
        let label = usize::from(label);
        together.add(&one(a), 1, Some((FULL, label)), Some((day, FULL, label)));
    });
    let learned = together.learned(&[(&texts[0], plans[0]), (&texts[1], plans[1]), (&texts[2], plans[1])]);
    (texts, learned)
}

/// What a release shows of other tables: the same blocks.
fn shown(days: &Days, window: usize, text: &ReleaseText) -> Vec<Block> {
    let at = |a: usize| {
        let mut counts = Counts::default();
        for (_, groups) in days.iter().enumerate().filter(|(day, _)| window == 0 || day + 1 == window) {
            groups.get(a).into_iter().flat_map(|labels| labels.iter().enumerate()).for_each(|(l, n)| counts[1][l] += n);
        }
        counts
    };
    let sum = |groups: &[usize]| {
        let mut sum = Counts::default();
        groups.iter().for_each(|a| sum.iter_mut().flatten().zip(at(*a).iter().flatten()).for_each(|(s, p)| *s += p));
        sum
    };
    let mut seen = Vec::new();
    for slice in &text.strata[0].slices {
        let of = |at: usize| if slice.attributes.is_empty() { vec![0, 1] } else { vec![at] };
        let own = slice.groups.iter().enumerate().map(|(at, group)| Block::at(group.counts.rung(), &sum(&of(at))));
        seen.extend(own);
        let folded: Vec<usize> =
            (0..slice.groups.len()).filter(|at| matches!(slice.groups[*at].counts, Block::Folded(_))).collect();
        seen.extend(slice.folds.iter().map(|fold| Block::at(fold.rung(), &sum(&folded))));
    }
    let (events, outcomes) = (days.iter().flatten().flatten().sum::<u64>(), text.outcomes);
    let events = if window == 0 { events } else { days[window - 1].iter().flatten().sum() };
    seen.push(Block::N(events));
    seen.push(Block::N(outcomes));
    seen
}

/// All tables with so many events.
fn tables(events: u64) -> Vec<Days> {
    let mut all = vec![(Vec::new(), events)];
    for cell in 0..8 {
        let next = all.into_iter().flat_map(|(head, left): (Vec<u64>, u64)| {
            let least = if cell == 7 { left } else { 0 };
            (least..=left).map(move |n| ([head.clone(), vec![n]].concat(), left - n))
        });
        all = next.collect();
    }
    let days = |flat: Vec<u64>| {
        std::array::from_fn(|d| std::array::from_fn(|a| std::array::from_fn(|l| flat[d * 4 + a * 2 + l])))
    };
    all.into_iter().map(|(flat, _)| days(flat)).collect()
}

#[test]
fn what_is_not_said_to_be_learned_is_not() {
    let plans = [plan_of(3, &[&["a"]]), plan_of(3, &[&["a"]])];
    let (mut seed, mut said) = (1_u64, 0);
    for _ in 0..60 {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            [0, 0, 1, 2, 3, 4][(seed >> 33) as usize % 6]
        };
        let days: Days = std::array::from_fn(|_| std::array::from_fn(|_| std::array::from_fn(|_| next())));
        let events = days.iter().flatten().flatten().sum();
        if events > 11 {
            continue;
        }
        let (texts, learned) = together(&days, [&plans[0], &plans[1]]);
        said += usize::from(!learned.is_empty());
        if !learned.is_empty() {
            continue;
        }
        let truths: Vec<_> = texts.iter().enumerate().map(|(at, text)| shown(&days, at, text)).collect();
        let all = tables(events);
        let fits = |table: &Days, at: usize| shown(table, at, &texts[at]) == truths[at];
        let joint: Vec<&Days> = all.iter().filter(|table| (0..3).all(|at| fits(table, at))).collect();
        for (at, text) in texts.iter().enumerate() {
            let alone: Vec<&Days> = all.iter().filter(|table| fits(table, at)).collect();
            for (a, l) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let value = |table: &Days| -> u64 {
                    (0..2).filter(|day| at == 0 || day + 1 == at).map(|day| table[day][a][l]).sum()
                };
                let counts = [0, 1].map(|l| (0..2).filter(|d| at == 0 || d + 1 == at).map(|d| days[d][a][l]).sum());
                let hidden = text.strata[0].slices[1].groups[a].counts.rung() != Rung::Full;
                let fails = counts.iter().any(|count: &u64| *count > 0 && *count < 3);
                let values = |of: &[&Days]| of.iter().map(|table| value(table)).collect::<BTreeSet<u64>>();
                let (few, before) = (values(&joint), values(&alone));
                let need = 2.min(text.outcomes as usize + 1);
                let is_safe = few.len() >= need || before.len() < need || few.iter().all(|value| *value == 0);
                assert!(
                    !hidden || !fails || is_safe,
                    "{days:?}: release {at} a = {a} label {l}: {few:?} of {before:?}"
                );
            }
        }
    }
    assert!(said > 0, "nothing is ever learned");
}

#[test]
fn a_day_by_group_follows_from_the_month_and_the_other_day() {
    // Each day hides its groups' labels, the month shows all of them; and what the other day shows is left out.
    let plans = [plan_of(5, &[&["a"]]), plan_of(5, &[&["a"]])];
    let few: Days = [[[20, 20], [20, 20]], [[20, 3], [20, 20]]];
    let (texts, learned) = together(&few, [&plans[0], &plans[1]]);
    let rungs = |text: &ReleaseText| text.strata[0].slices[1].full().is_some();
    assert_eq!(texts.iter().map(rungs).collect::<Vec<_>>(), [true, true, false]);
    assert!(!learned.is_empty() && learned[0].starts_with("a 0"), "{learned:?}");
    let many: Days = [[[20, 20], [20, 20]], [[20, 30], [20, 20]]];
    assert_eq!(together(&many, [&plans[0], &plans[1]]).1, Vec::<String>::new());
    // A label of another kind in each release is an event of another region.
    let mut late = Together::new([&plans[0], &plans[1]], &tiny()).expect("no circle");
    late.add(&one(0), 1, Some((FULL, 1)), Some((0, FULL, 2)));
    assert_eq!(late.tables.keys().next().map(|region| region.was), Some(Some(2)));
}
