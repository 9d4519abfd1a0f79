//! Two plans over the same events: what must be refused, and what may pass.

use super::*;
use crate::aggregate::tests::{FEATURES, FULL, documents, event, truth};
use crate::contract::{from_toml, tests::ADMISSION};
use crate::disclosure::disclose;
use crate::event::SCORE_ONE;
use crate::ids::{Digest, Name};
use crate::time::{HOUR_NS, Time, Window};

/// Day, decision, label in the release of its day, label in that of all days, attributes.
type Row = (usize, u8, u8, u8, [u16; 2]);

const Q: Option<u64> = Some(SCORE_ONE / 2);

fn release(rows: &[(u8, u8, [u16; 2])]) -> ReleaseText {
    let (plan, contract) = documents();
    let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
    for (decision, label, attributes) in rows {
        aggregate.add(FULL, &event(*decision, Q, *attributes), truth(*label)).expect("inside the contract");
    }
    let window = Window { start: Time(0), end: Time(HOUR_NS) };
    let name = Name::new("s").expect("a name");
    (*disclose(&aggregate, &plan, &contract, Digest([7; 32]), &name, window).expect("fits").release).clone()
}

/// A release of `days` days together, beside one of each day; k is 5.
fn verdict(rows: &[Row], days: usize) -> Result<(), String> {
    let (plan, contract) = documents();
    let all: Vec<_> = rows.iter().filter(|row| row.0 < days).map(|row| (row.1, row.3, row.4)).collect();
    let last = rows.iter().map(|row| row.0).max().unwrap_or(0);
    let daily: Vec<_> = (0..=last)
        .map(|day| {
            release(&rows.iter().filter(|row| row.0 == day).map(|row| (row.1, row.2, row.4)).collect::<Vec<_>>())
        })
        .collect();
    let mut overlap = Overlap::new((&[&release(&all)], &plan), (&daily.iter().collect::<Vec<_>>(), &plan), &contract)?;
    let code = |label: u8| truth(label).map(|truth| truth.label);
    for (day, decision, before, after, attributes) in rows {
        let new = (*day < days).then(|| (0, FULL, code(*after)));
        overlap.add(&event(*decision, Q, *attributes), new, Some((*day, FULL, code(*before))))?;
    }
    overlap.check(plan.disclosure.k)
}

fn day(day: usize, n: usize, decision: u8) -> Vec<Row> {
    vec![(day, decision, 0, 0, [0, 0]); n]
}

#[test]
fn a_week_less_its_days_tells_of_the_day_that_was_withheld() {
    let week = [day(0, 20, 1), day(1, 20, 1), day(2, 20, 1)].concat();
    assert_eq!(verdict(&week, 3), Ok(()), "sums of what is shown");
    // The third day has three events, and was withheld; the week shows them.
    let week = [day(0, 20, 1), day(1, 20, 1), day(2, 3, 1)].concat();
    let error = verdict(&week, 3).expect_err("the week tells of day three");
    assert!(error.contains("all windows): 3 events that only the new one counts"), "{error}");
    let week = [day(0, 20, 1), day(1, 20, 1), day(2, 5, 1)].concat();
    assert_eq!(verdict(&week, 3), Ok(()));
}

#[test]
fn almost_the_same_window_tells_of_the_events_between() {
    // Two days against one: what the second day adds is 0 or at least k.
    assert_eq!(verdict(&[day(0, 20, 1), day(1, 8, 1)].concat(), 2), Ok(()));
    let mixed = [day(0, 20, 1), day(0, 10, 0), day(1, 2, 1), day(1, 8, 0)].concat();
    let error = verdict(&mixed, 2).expect_err("two were selected in between");
    // The second day shows its ten events alone; the eight of the other decision leave the two.
    assert!(error.contains("decision code 0") && error.contains("2 events that only the other counts"), "{error}");
}

#[test]
fn labels_that_came_in_between_are_events_of_another_cell() {
    let of = |late: usize| {
        let mut rows = [day(0, 30, 1), day(1, 30, 1)].concat();
        rows.iter_mut().take(late).for_each(|row| row.3 = 1);
        // Without the others the whole would be withheld.
        rows.extend(vec![(1, 1, 1, 1, [0, 0]); 10]);
        verdict(&rows, 2)
    };
    assert_eq!([of(0), of(5), of(30)], [Ok(()), Ok(()), Ok(())]);
    let error = of(3).expect_err("three labels");
    assert!(error.contains("3 events that only"), "{error}");
}

#[test]
fn what_nothing_bounds_is_withheld() {
    let (plan, _) = documents();
    let contract = from_toml(&format!("{ADMISSION}{FEATURES}")).expect("valid");
    let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
    for n in 0..20 {
        let event =
            Prediction { latency_us: Some(n), cost_micros: Some(n), features: vec![0, 1], ..event(1, Q, [0, 0]) };
        aggregate.describe(&event).and_then(|()| aggregate.add(FULL, &event, truth(1))).expect("inside the contract");
        aggregate.subject(true, &[(FULL, &event, Some(1))]).expect("counted");
    }
    let window = Window { start: Time(0), end: Time(HOUR_NS) };
    let name = Name::new("s").expect("a name");
    let mut release = disclose(&aggregate, &plan, &contract, Digest([7; 32]), &name, window).expect("fits").release;
    let group = |release: &Release| release.strata[0].slices[0].groups[0].clone();
    assert!(matches!(group(&release).subjects, Some(Cell::Value(_))));
    let before = (*release).clone();
    release.hide_beside_others();
    let quality = release.quality.as_ref().expect("the contract has features");
    assert!(quality.events == Cell::Suppressed && quality.features.iter().all(|of| of.missing == Cell::Suppressed));
    assert!(*release != before && !release.is_news_to(&before), "to hide more is no news");
    assert_eq!((&group(&release).subjects, &group(&release).classes), (&Some(Cell::Suppressed), &None));
    assert!(
        release
            .operations
            .as_ref()
            .is_some_and(|of| of.latency_us == Cell::Suppressed && of.cost_micros == Cell::Suppressed)
    );
    assert!(group(&release).counts.full().is_some() && group(&release).scores.is_some());
}

#[test]
fn days_that_leave_behind_their_week_are_added_too() {
    // A week of 103 left first. Six of its days left with 50 and 50; the seventh had 3 people.
    let (plan, contract) = documents();
    let day = |n: usize| release(&vec![(1, 1, [0, 0]); n]);
    let [week, first, second] = [103, 50, 50].map(day);
    let mut overlap = Overlap::new((&[&second, &first], &plan), (&[&week], &plan), &contract).expect("fits");
    for at in 0..103 {
        let own = (at < 100).then_some((usize::from(at < 50), FULL, Some(1)));
        overlap.add(&event(1, Q, [0, 0]), own, Some((0, FULL, Some(1)))).expect("inside the contract");
    }
    let why = overlap.check(plan.disclosure.k).expect_err("three are left");
    assert!(why.contains("3 events that only the other counts"), "{why}");
}
