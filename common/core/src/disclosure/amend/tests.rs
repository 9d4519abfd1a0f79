//! Transitions counted a second time, in a plain way, and cases that must be told apart.

use super::*;
use crate::aggregate::tests::{FULL, documents, event, truth};
use crate::contract::Contract;
use crate::disclosure::disclose;
use crate::event::SCORE_ONE;
use crate::ids::{Digest, Name};
use crate::plan::Plan;
use crate::time::Window;
use proptest::prelude::*;

/// Decision, label before (none: not there), label after, score, attributes.
type Row = (u8, Option<u8>, u8, Option<u64>, [u16; 2]);

fn release(rows: &[Row], plan: &Plan, contract: &Contract, after: bool) -> Release {
    let mut aggregate = Aggregate::empty(plan, contract).expect("fits");
    for &(decision, before, late, q, attributes) in rows {
        let label = if after { Some(late) } else { before };
        if let Some(label) = label {
            aggregate.add(FULL, &event(decision, q, attributes), truth(label)).expect("inside the contract");
        }
    }
    let window = Window { start: crate::time::Time(0), end: crate::time::Time(crate::time::HOUR_NS) };
    disclose(&aggregate, plan, contract, Digest([7; 32]), &Name::new("s").expect("a name"), window)
        .expect("fits")
        .release
}

/// The verdict over rows, with the plan's own k of 5.
fn verdict(rows: &[Row]) -> Result<(), String> {
    let (plan, contract) = documents();
    let [before, after] = [false, true].map(|late| release(rows, &plan, &contract, late));
    let mut transitions = Transitions::new(&before, &after, &plan, &contract).expect("fits");
    for &(decision, before, after, q, attributes) in rows {
        let code = |label: u8| truth(label).map(|truth| truth.label);
        transitions
            .add(FULL, &event(decision, q, attributes), before.map(code), code(after))
            .expect("inside the contract");
    }
    transitions.check(plan.disclosure.k)
}

fn rows(n: usize, row: Row) -> Vec<Row> {
    vec![row; n]
}

const Q: Option<u64> = Some(SCORE_ONE / 2);

#[test]
fn few_late_labels_are_refused_and_many_pass() {
    let stay = rows(20, (1, Some(2), 2, Q, [0, 0]));
    for (late, good) in [(0, true), (1, false), (4, false), (5, true), (19, true)] {
        let all = [stay.clone(), rows(late, (1, Some(2), 1, Q, [0, 0]))].concat();
        assert_eq!(verdict(&all).is_ok(), good, "{late}: {:?}", verdict(&all));
    }
    let error = verdict(&[stay, rows(2, (1, Some(2), 1, Q, [0, 0]))].concat()).expect_err("two");
    assert_eq!(
        error,
        "all events (decision code 1): 2 events go from no label to label code 1; it must be none, or at least k = 5"
    );
}

#[test]
fn a_slice_may_hide_what_the_whole_does_not() {
    let stay = [rows(20, (1, Some(1), 1, Q, [0, 0])), rows(20, (1, Some(1), 1, Q, [1, 0]))].concat();
    let come = |a: usize, b: usize| [rows(a, (1, None, 1, Q, [0, 0])), rows(b, (1, None, 1, Q, [1, 0]))].concat();
    assert!(verdict(&[stay.clone(), come(5, 5)].concat()).is_ok());
    let error = verdict(&[stay, come(6, 4)].concat()).expect_err("four men");
    assert!(error.starts_with("gender Male (decision code 1): 4 events come in with label code 1"), "{error}");
}

#[test]
fn the_few_that_stay_count_too() {
    // 3 of 23 keep their state: the second release hides them, the first does not hide the sum.
    let all = [rows(20, (1, Some(2), 1, Q, [0, 0])), rows(3, (1, Some(2), 2, Q, [0, 0]))].concat();
    assert!(verdict(&all).expect_err("three").contains("3 events stay at no label"));
}

#[test]
fn exchanges_that_leave_every_count_as_it_was_are_seen() {
    let stay = [rows(9, (1, Some(0), 0, Q, [0, 0])), rows(9, (1, Some(1), 1, Q, [0, 0]))].concat();
    let swap = |n: usize| [rows(n, (1, Some(0), 1, Q, [0, 0])), rows(n, (1, Some(1), 0, Q, [0, 0]))].concat();
    assert!(verdict(&[stay.clone(), swap(1)].concat()).is_err());
    assert!(verdict(&[stay, swap(5)].concat()).is_ok());
}

#[test]
fn score_bins_are_looked_at_as_they_are_released() {
    let scored =
        |n: usize, before: Option<u8>, bin: u64| rows(n, (1, before, 1, Some(bin * SCORE_ONE / 80 + 1), [0, 0]));
    // Forty events in bins 0 and 79 of 80, so that the finest resolution is released; labels come in both.
    let stay = [scored(20, Some(1), 0), scored(20, Some(1), 79)].concat();
    assert!(verdict(&[stay.clone(), scored(5, Some(2), 0), scored(5, Some(2), 79)].concat()).is_ok());
    let error = verdict(&[stay, scored(5, Some(2), 0), scored(4, Some(2), 79), scored(1, Some(2), 0)].concat());
    let error = error.expect_err("four in a bin");
    assert!(error.contains("(score bin ") && error.contains("4 events"), "{error}");
}

#[test]
fn what_both_releases_withhold_is_not_looked_at() {
    // One event alone in an intersection hides all of them, before and after; the margins have enough of each.
    let far =
        [rows(9, (1, Some(1), 1, Q, [0, 0])), rows(1, (1, Some(1), 1, Q, [0, 1])), rows(9, (1, Some(1), 1, Q, [1, 1]))];
    let late = [rows(4, (1, None, 1, Q, [0, 0])), rows(1, (1, None, 1, Q, [0, 1])), rows(5, (1, None, 1, Q, [1, 1]))];
    let (plan, contract) = documents();
    let all = [far.concat(), late.concat()].concat();
    let after = release(&all, &plan, &contract, true);
    assert!(after.strata[0].slices[2].groups[0].counts.full().is_none(), "the intersection is withheld");
    assert_eq!(verdict(&all), Ok(()));
}

/// Every transition of every slice that is full in both, from the rows alone: the least number of events; and whether all
/// slices are.
fn least(rows: &[Row], plan: &Plan, contract: &Contract) -> (Option<u64>, bool) {
    let both = [false, true].map(|late| release(rows, plan, contract, late));
    let axes: [&[usize]; 3] = [&[], &[0], &[0, 1]];
    let (mut least, mut all) = (None, true);
    for (slice, axes) in axes.iter().enumerate() {
        let of = |release: &Release| release.strata[0].slices[slice].clone();
        let counts = both.iter().all(|release| of(release).full().is_some());
        let bins = both.iter().filter_map(|r| Some(of(r).groups[0].scores.clone()?.value()?.bins)).min();
        all &= counts;
        let key = |row: &Row| {
            let group: Vec<u16> = axes.iter().map(|axis| row.4[*axis]).collect();
            (group, row.1, row.2)
        };
        let same = |row: &Row, with: &dyn Fn(&Row) -> Option<u64>| {
            rows.iter().filter(|other| key(other) == key(row) && with(other) == with(row)).count() as u64
        };
        let bin = |row: &Row| row.3.map(|q| bin_of(q, bins.unwrap_or(10)) as u64);
        for row in rows {
            let found = [counts.then(|| same(row, &|other| Some(u64::from(other.0)))), bins.map(|_| same(row, &bin))];
            least = found.into_iter().flatten().chain(least).min();
        }
    }
    (least, all)
}

#[test]
fn totals_are_held_against_totals_and_rungs_against_rungs() {
    // Three of decision 1 have label 0: totals are shown, before and after.
    let mixed = |before: bool| {
        let of = |n: usize, decision: u8, label: u8| rows(n, (decision, before.then_some(label), label, None, [0, 0]));
        [of(3, 1, 0), of(20, 1, 1), of(20, 0, 0), of(20, 0, 1)].concat()
    };
    let again = |rows: Vec<Row>| [mixed(true), rows].concat();
    assert_eq!(verdict(&mixed(true)), Ok(()));
    let late = |n: usize| rows(n, (0, None, 0, None, [0, 0]));
    assert_eq!(verdict(&again(late(6))), Ok(()));
    let error = verdict(&again(late(4))).expect_err("four");
    assert!(error.contains("(decision code 0): 4 events come in with any label"), "{error}");
    let full = rows(10, (1, None, 0, None, [0, 0]));
    assert!(verdict(&again(full)).is_err(), "what was hidden would be what is seen now less ten");
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let label = || prop_oneof![1 => Just(0_u8), 2 => Just(1), 2 => Just(2)];
    let q = prop_oneof![Just(None), Just(Some(0)), Just(Some(SCORE_ONE)), Just(Some(SCORE_ONE / 2))];
    let row = (0..2_u8, proptest::option::weighted(0.8, label()), label(), q, (0..2_u16, 0..2_u16));
    let row = row.prop_map(|(decision, before, after, q, (a, b))| (decision, before, after, q, [a, b]));
    proptest::collection::vec((row, 1..7_usize), 0..10)
        .prop_map(|parts| parts.into_iter().flat_map(|(row, n)| vec![row; n]).collect())
}

proptest! {
    #[test]
    fn the_verdict_is_the_least_transition(rows in any_rows()) {
        let (plan, contract) = documents();
        let (least, all) = least(&rows, &plan, &contract);
        let (good, fits) = (verdict(&rows).is_ok(), least.is_none_or(|least| least >= plan.disclosure.k));
        prop_assert!(if all { good == fits } else { !good || fits }, "{:?}", least);
    }
}
