//! Whatever tables agree with the releases of two plans, or three, are counted.

use super::super::tests::{plan_of, tiny};
use super::*;
use crate::aggregate::Aggregate;
use crate::aggregate::tests::{FULL, event, truth};
use crate::disclosure::{Overlap, disclose};
use crate::ids::{Digest, Name};
use crate::plan::Plan;
use crate::time::{HOUR_NS, Time, Window};

/// Events by category of a (two of them, other, unknown) and label (0, 1).
type Day = [[u64; 2]; 4];
type Days = [Day];

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

/// Solved together: by plan, the windows that are released (0 is both days).
fn learned(days: &Days, plans: &[(&Plan, &[usize])]) -> (Vec<(usize, ReleaseText)>, Vec<String>) {
    let texts = |(plan, windows): &(&Plan, &[usize])| -> Vec<(usize, ReleaseText)> {
        windows.iter().map(|window| (*window, release(days, plan, *window))).collect()
    };
    let texts: Vec<_> = plans.iter().map(texts).collect();
    let released = plans.iter().zip(&texts).map(|(of, texts)| (&**of.0, texts.iter().map(|of| &of.1).collect()));
    let mut together = Together::new(released.collect(), &tiny()).expect("no circle");
    each(days, |day, a, label| {
        let at = |windows: &[usize]| windows.iter().position(|window| *window == 0 || *window == day + 1);
        let counted = |of: &(&Plan, &[usize])| at(of.1).map(|at| (at, FULL, Some(u64::from(label))));
        together.add(&one(a), &plans.iter().map(counted).collect::<Vec<_>>()).expect("inside the contract");
    });
    let learned = together.learned();
    (texts.into_iter().flatten().collect(), learned)
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
fn tables(events: u64) -> Vec<Vec<Day>> {
    let mut all = vec![(Vec::new(), events)];
    for cell in 0..8 {
        let next = all.into_iter().flat_map(|(head, left): (Vec<u64>, u64)| {
            let least = if cell == 7 { left } else { 0 };
            (least..=left).map(move |n| ([head.clone(), vec![n]].concat(), left - n))
        });
        all = next.collect();
    }
    let days = |flat: Vec<u64>| {
        let of = |at: usize| [flat[at], flat[at + 1]];
        [0, 4].map(|day| [of(day), of(day + 2), [0; 2], [0; 2]]).to_vec()
    };
    all.into_iter().map(|(flat, _)| days(flat)).collect()
}

/// Of random tables with few events that pass: no hidden cell has fewer values than it must have. How many do not pass.
fn enumerate(seed: u64, tries: usize, plans: &[(&Plan, &[usize])]) -> usize {
    let (mut seed, mut said) = (seed, 0);
    for _ in 0..tries {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            [0, 0, 1, 2, 3, 4][(seed >> 33) as usize % 6]
        };
        let mut of = || [next(), next()];
        let days = [[of(), of(), [0; 2], [0; 2]], [of(), of(), [0; 2], [0; 2]]];
        let events = days.iter().flatten().flatten().sum();
        if events > 11 {
            continue;
        }
        let (texts, learned) = learned(&days, plans);
        match learned.is_empty() {
            true => each_keeps_its_values(&days, &texts, &tables(events)),
            false => said += 1,
        }
    }
    said
}

fn each_keeps_its_values(days: &Days, texts: &[(usize, ReleaseText)], all: &[Vec<Day>]) {
    let truths: Vec<_> = texts.iter().map(|(window, text)| shown(days, *window, text)).collect();
    let fits = |table: &Days, at: usize| shown(table, texts[at].0, &texts[at].1) == truths[at];
    let joint: Vec<_> = all.iter().filter(|table| (0..texts.len()).all(|at| fits(table, at))).collect();
    for (at, (window, text)) in texts.iter().enumerate() {
        let alone: Vec<_> = all.iter().filter(|table| fits(table, at)).collect();
        let Some(slice) = text.strata[0].slices.iter().position(|slice| slice.attributes == ["a"]) else { continue };
        for (a, l) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let inside = |day: &usize| *window == 0 || day + 1 == *window;
            let value = |table: &Days| -> u64 { (0..2).filter(inside).map(|day| table[day][a][l]).sum() };
            let counts = [0, 1].map(|l| (0..2).filter(inside).map(|d| days[d][a][l]).sum());
            let hidden = text.strata[0].slices[slice].groups[a].counts.rung() != Rung::Full;
            let fails = counts.iter().any(|count: &u64| *count > 0 && *count < 3);
            let values = |of: &[&Vec<_>]| of.iter().map(|table| value(table)).collect::<BTreeSet<u64>>();
            let (few, before) = (values(&joint), values(&alone));
            let need = 2.min(text.outcomes as usize + 1);
            let is_safe = few.len() >= need || before.len() < need || few.iter().all(|value| *value == 0);
            assert!(!hidden || !fails || is_safe, "{days:?}: window {window} a = {a} label {l}: {few:?} of {before:?}");
        }
    }
}

#[test]
fn what_is_not_said_to_be_learned_is_not() {
    let plan = plan_of(3, &[&["a"]]);
    let said = enumerate(1, 60, &[(&plan, &[0]), (&plan, &[1, 2])]);
    assert!(said > 0, "nothing is ever learned");
}

#[test]
fn nor_with_three_plans() {
    // The third asks without groups: its wholes are all that it shows.
    let (by, whole) = (plan_of(3, &[&["a"]]), plan_of(3, &[]));
    let said = enumerate(7, 30, &[(&by, &[0]), (&by, &[1]), (&by, &[2])]);
    let more = enumerate(7, 30, &[(&by, &[0]), (&by, &[1]), (&whole, &[2])]);
    assert!(said > 0 && more > 0, "nothing is ever learned: {said}, {more}");
}

#[test]
fn a_day_by_group_follows_from_the_month_and_the_other_day() {
    // Each day hides its groups' labels, the month shows all of them; and what the other day shows is left out.
    let plans = [plan_of(5, &[&["a"]]), plan_of(5, &[&["a"]])];
    let both: [(&Plan, &[usize]); 2] = [(&plans[0], &[0]), (&plans[1], &[1, 2])];
    let few = [[[20, 20], [20, 20], [0; 2], [0; 2]], [[20, 3], [20, 20], [0; 2], [0; 2]]];
    let (texts, found) = learned(&few, &both);
    let rungs = |(_, text): &(usize, ReleaseText)| text.strata[0].slices[1].full().is_some();
    assert_eq!(texts.iter().map(rungs).collect::<Vec<_>>(), [true, true, false]);
    assert!(!found.is_empty() && found[0].starts_with("a 0"), "{found:?}");
    let many = [[[20, 20], [20, 20], [0; 2], [0; 2]], [[20, 30], [20, 20], [0; 2], [0; 2]]];
    assert_eq!(learned(&many, &both).1, Vec::<String>::new());
}

#[test]
fn one_day_follows_from_three_plans_and_from_no_two() {
    // k is 5, all events have label 0. Of each category of a, days 1 and 3 have 20; day 2 has 3 of the first three, and shows
    // them together: each is 0 to 9 by itself.
    let (many, few) = ([[20, 0]; 4], [[3, 0], [3, 0], [3, 0], [20, 0]]);
    let days = [many, few, many];
    let plan = plan_of(5, &[&["a"]]);
    let [all, first, third]: [(&Plan, &[usize]); 3] = [(&plan, &[0]), (&plan, &[1, 2]), (&plan, &[3])];
    // All days have 43: less day 1, days 2 and 3 have 23, and day 2 still has 0 to 9.
    assert_eq!(learned(&days, &[all, first]).1, Vec::<String>::new());
    // Less day 3, days 1 and 2 have 23, which are not told apart; and nothing is hidden.
    assert_eq!(learned(&days, &[all, third]).1, Vec::<String>::new());
    // Days 1 and 2 say nothing of day 3.
    assert_eq!(learned(&days, &[first, third]).1, Vec::<String>::new());
    // 43 - 20 - 20 = 3.
    let (texts, found) = learned(&days, &[all, first, third]);
    assert_eq!(
        texts.iter().map(|of| of.1.strata[0].slices[1].full().is_some()).collect::<Vec<_>>(),
        [true, true, false, true]
    );
    let of = |group| format!("a {group} (tiny, 1970-01-01T02:00:00Z/1970-01-01T03:00:00Z)");
    assert_eq!(found, ["0", "1", "other"].map(of));
    // No two cells of two plans differ by fewer than 5.
    for (old, windows) in [(&texts[1..3], 1..3), (&texts[3..], 3..4)] {
        let old: Vec<&ReleaseText> = old.iter().map(|of| &of.1).collect();
        let mut pair = Overlap::new((&[&texts[0].1], &plan), (&old, &plan), &tiny()).expect("fits");
        each(&days, |day, a, label| {
            let label = Some(u64::from(label));
            let counted = windows.clone().position(|window| window == day + 1).map(|at| (at, FULL, label));
            pair.add(&one(a), Some((0, FULL, label)), counted).expect("inside the contract");
        });
        assert_eq!(pair.check(5), Ok(()));
    }
}

#[test]
fn a_label_of_its_own_in_each_release_is_an_event_of_a_region_of_its_own() {
    let plan = plan_of(5, &[&["a"]]);
    let mut late = Together::new(vec![(&plan, Vec::new()); 3], &tiny()).expect("no circle");
    let seen = |label| Some((0, FULL, label));
    late.add(&one(0), &[seen(Some(1)), None, seen(None)]).expect("inside the contract");
    late.add(&one(0), &[None, seen(None), seen(None)]).expect("inside the contract");
    let regions = [
        vec![None, Some((0, FULL, None)), Some((0, FULL, None))],
        vec![Some((0, FULL, None)), None, Some((0, FULL, Some(2)))],
    ];
    assert_eq!(late.tables.keys().cloned().collect::<Vec<_>>(), regions);
}
