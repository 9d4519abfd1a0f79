//! What disclosure control lets out passes; what was changed on the way does not.

use super::super::zeros::check_zeros;
use super::*;
use crate::aggregate::{Aggregate, Truth};
use crate::contract::{Contract, from_toml, tests::CLASSES, tests::VALUES};
use crate::disclosure::{Block, ReleaseText, disclose};
use crate::event::{ABSENT, Prediction, Tier};
use crate::ids::{Digest, Name};
use crate::plan::{PlanText, tests::plan};
use crate::time::{HOUR_NS, Time, Window};
use proptest::prelude::*;

/// Decision, score, sex, label, weight, rank, person (0: none).
type Row = (u8, Option<u64>, u16, Option<u64>, u32, Option<Option<u8>>, u8);

/// The plan of other tests, cut by sex.
fn documents(contract: &str, k: u64) -> (PlanText, Contract) {
    let contract = from_toml(contract).expect("valid");
    let mut text = (*plan()).clone();
    text.slices.truncate(1);
    text.slices[0].attributes = vec!["sex".to_owned()];
    text.slices[0].reference = vec!["m".to_owned()];
    text.disclosure.k = k;
    (text, contract)
}

fn release(plan: &PlanText, contract: &Contract, rows: &[Row]) -> ReleaseText {
    let mut aggregate = Aggregate::empty(plan, contract).expect("fits");
    let stratum = (0, Tier::Full);
    let event =
        |row: &Row| Prediction { decision: row.0, score_q: row.1, attributes: vec![row.2], ..Prediction::default() };
    for row in rows {
        let truth = row.3.map(|label| Truth { weight: row.4, rank: row.5, ..Truth::new(label) });
        aggregate.add(stratum, &event(row), truth).expect("inside the contract");
    }
    if rows.iter().any(|row| row.6 > 0) {
        for person in 0..=u8::MAX {
            let own: Vec<_> = rows.iter().filter(|row| row.6 == person).map(|row| (event(row), row.3)).collect();
            let own: Vec<_> = own.iter().map(|(event, label)| (stratum, event, *label)).collect();
            aggregate.subject(person > 0, &own).expect("inside the contract");
        }
    }
    let window = Window { start: Time(0), end: Time(HOUR_NS) };
    let name = Name::new("s").expect("a name");
    (*disclose(&aggregate, plan, contract, Digest([7; 32]), &name, window).expect("fits").release).clone()
}

fn checked(text: &ReleaseText, contract: &Contract) -> Result<(), String> {
    check_detail(&text.strata[0].slices, contract, text.k, Step::EXACT).map_err(|refusal| refusal.to_string())
}

/// Ten people of each sex: five go home as they should, five to the ward instead of intensive care.
fn triage() -> Vec<Row> {
    let of = |n: u8| {
        let (decision, label) = if n < 5 { (0, 0) } else { (1, 2) };
        (decision, None, u16::from(n.is_multiple_of(2)), Some(label), 1, Some((n < 5).then_some(0)), n + 1)
    };
    (0..20).map(|n| of(n % 10)).collect()
}

#[test]
fn classes_ranks_and_people_are_released_as_they_are() {
    let (plan, contract) = documents(CLASSES, 1);
    let text = release(&plan, &contract, &triage());
    checked(&text, &contract).expect("as disclosed");
    let whole = &text.strata[0].slices[0].groups[0];
    let classes = vec![vec![10, 0, 0, 0], vec![0, 0, 10, 0], vec![0; 4], vec![0; 4]];
    assert_eq!(whole.classes, Some(Cell::Value(classes)));
    // Home is decision 1 and label 1; all else is 0.
    assert_eq!(whole.counts, Block::Full([[10, 0, 0], [0, 10, 0], [0; 3]]));
    let ranks = whole.ranks.as_ref().and_then(Cell::value).expect("seen");
    assert_eq!((ranks[0], ranks[OUTPUTS], ranks.iter().sum::<u64>()), (10, 10, 20));
    // Everybody came twice, with the same outcome: two ordered pairs each, five people in either cell.
    let people = whole.subjects.as_ref().and_then(Cell::value).expect("seen");
    assert_eq!((people.subjects, people.without, &people.pairs[..]), (10, 0, &[(0, 0, 10), (4, 4, 10)][..]));
    assert_eq!((&whole.moments, &whole.label_weights), (&None, &None));
}

#[test]
fn true_values_and_weights_are_summed() {
    let (plan, contract) = documents(VALUES, 1);
    let one = SCORE_ONE / 30;
    let row = |p: u64, t: u64, weight| (u8::from(p >= 10), Some(p * one), 0, Some(t * one), weight, None, 0);
    let text = release(&plan, &contract, &[row(3, 5, 1), row(12, 9, 4), row(20, 20, 4)]);
    checked(&text, &contract).expect("as disclosed");
    let whole = &text.strata[0].slices[0].groups[0];
    let moments = whole.moments.as_ref().and_then(Cell::value).expect("seen");
    let [one, square] = [u128::from(one), u128::from(one).pow(2)];
    assert_eq!((moments.events, moments.predicted.0, moments.actual.0), (3, 35 * one, 34 * one));
    assert_eq!((moments.predicted_squares.0, moments.actual_squares.0), (553 * square, 506 * square));
    assert_eq!((moments.products.0, moments.absolute_errors.0), (523 * square, 5 * one));
    // |p - t| of 2 and 3 thirtieths, rounded to 2^-16: 4,369 and 6,554.
    assert_eq!(moments.fourth_powers.0, 4_369_u128.pow(4) + 6_554_u128.pow(4));
    let weights = whole.label_weights.as_ref().and_then(Cell::value).expect("seen");
    assert_eq!(weights.sums.map(|row| row.map(|sum| sum.0)), [[1, 0], [4, 4], [0, 0]]);
    assert_eq!(weights.squares.map(|row| row.map(|sum| sum.0)), [[1, 0], [16, 16], [0, 0]]);
}

#[test]
fn few_hide_what_they_would_tell() {
    let (plan, contract) = documents(CLASSES, 5);
    let seen = |rows: &[Row]| {
        let text = release(&plan, &contract, rows);
        checked(&text, &contract).expect("as disclosed");
        let at = |slice: usize| {
            let group = &text.strata[0].slices[slice].groups[0];
            [shown(&group.classes), shown(&group.ranks), shown(&group.subjects)].map(|part| part == Some(true))
        };
        [at(0), at(1)]
    };
    assert_eq!(seen(&triage()), [[true; 3], [false; 3]], "two or three of each sex go home");
    let many: Vec<Row> = (0..4)
        .flat_map(|n| triage().into_iter().map(move |row| (row.0, row.1, row.2, row.3, 1, row.5, row.6 + 50 * n)))
        .collect();
    assert_eq!(seen(&many), [[true; 3]; 2]);
    // Four who are intensive care patients at home: the table of classes says so, two sides do not.
    let four = std::iter::repeat_n((0, None, 0, Some(2), 1, Some(None), 0), 4).collect::<Vec<Row>>();
    let home = std::iter::repeat_n((0, None, 0, Some(1), 1, Some(None), 0), 20).collect::<Vec<Row>>();
    let [whole, _] = seen(&[many.clone(), four, home].concat());
    assert_eq!(whole, [false, true, true]);
    // One comes forty times.
    let often: Vec<Row> = std::iter::repeat_n((0, None, 1, Some(0), 1, Some(Some(0)), 250), 40).collect();
    assert_eq!(seen(&[many, often].concat())[0], [true, true, false]);
}

#[test]
fn other_numbers_are_refused() {
    let (plan, contract) = documents(CLASSES, 1);
    let good = release(&plan, &contract, &triage());
    let refused = |change: &dyn Fn(&mut ReleasedGroup), slice: usize, what: &str| {
        let mut text = good.clone();
        change(&mut text.strata[0].slices[slice].groups[0]);
        let error = checked(&text, &contract).expect_err(what);
        assert!(error.contains(what), "{error}");
    };
    refused(&|group| group.classes = None, 0, "expected [true, true, false], found [false, true, false]");
    refused(
        &|group| group.classes = Some(Cell::Value(vec![vec![0; 3]; 3])),
        0,
        "expected [4, 4, 4, 4], found [3, 3, 3]",
    );
    refused(&|group| group.classes = Some(Cell::Suppressed), 0, "a part seen everywhere, or of all events only");
    refused(&|group| group.counts = Block::Withheld, 1, "no details of a group that is not full");
    let classes = |group: &mut ReleasedGroup, change: &dyn Fn(&mut Classes)| {
        if let Some(Cell::Value(classes)) = &mut group.classes {
            change(classes);
        }
    };
    refused(&|group| classes(group, &|of| of[0][0] += 1), 0, "expected [[10, 0, 0], [0, 10, 0], [0, 0, 0]]");
    // The same on two sides, but not what the groups add up to.
    refused(&|group| classes(group, &|of| of[1].swap(1, 2)), 0, "expected [10, 0, 0, 0, 0, 10, 0");
    refused(&|group| group.ranks = Some(Cell::Value(vec![0; 16])), 0, "expected 17, found 16");
    refused(&|group| group.ranks = Some(Cell::Value([vec![30], vec![0; 16]].concat())), 0, "to 20 events");

    let (plan, contract) = documents(VALUES, 1);
    let half = SCORE_ONE / 2;
    let rows: Vec<Row> = (0..4).map(|n| (1, Some(half + n), 0, Some(half), 1, None, 0)).collect();
    let good = release(&plan, &contract, &rows);
    let refused = |change: &dyn Fn(&mut Moments)| {
        let mut text = good.clone();
        for slice in 0..2 {
            if let Some(Cell::Value(moments)) = &mut text.strata[0].slices[slice].groups[0].moments {
                change(moments);
            }
        }
        let error = checked(&text, &contract).expect_err("changed");
        assert!(error.contains("sums that 4 predicted and true values can have"), "{error}");
    };
    checked(&good, &contract).expect("as disclosed");
    refused(&|of| of.predicted.0 = 4 * u128::from(SCORE_ONE) + 1);
    refused(&|of| of.predicted_squares.0 /= 2);
    refused(&|of| of.absolute_errors.0 = 5);
    refused(&|of| of.products.0 *= 2);
    refused(&|of| of.fourth_powers.0 = u128::MAX);
}

/// A release of a plan that hides zeros.
fn hiding(plan: &PlanText, contract: &Contract, rows: &[Row]) -> ReleaseText {
    let mut plan = plan.clone();
    plan.disclosure.hide_zeros = true;
    release(&plan, contract, rows)
}

fn zeros(text: &ReleaseText) -> Result<(), String> {
    check_zeros(&text.strata[0].slices).map_err(|refusal| refusal.to_string())
}

#[test]
fn zeros_of_groups_are_refused_where_the_plan_hides_them() {
    let (plan, contract) = documents(VALUES, 2);
    let unit = SCORE_ONE / 30;
    // Of each sex, two stay for many days, and two for more, as foretold.
    let of = |sex: u16, p: u64| [(u8::from(p >= 10), Some(p * unit), sex, Some(p * unit), 1, None, 0); 2];
    let rows = |last: u64| -> Vec<Row> {
        (0..4).flat_map(|sex| [of(sex, 12), of(sex, if sex == 3 { last } else { 20 })]).flatten().collect()
    };
    let last = |text: &ReleaseText| text.strata[0].slices[1].groups[3].clone();
    let alike = hiding(&plan, &contract, &rows(20));
    assert_eq!((zeros(&alike), &alike), (Ok(()), &release(&plan, &contract, &rows(20))), "nobody has the other bins");
    assert!(
        last(&alike).scores.is_some_and(|scores| scores.value().is_some())
            && shown(&last(&alike).moments) == Some(true)
    );
    // One group alone is in a bin, or on one side only: it is shown where zeros are, and refused where they are hidden.
    for (at, found) in [(27, "an empty score bin"), (3, "a 0 of a group")] {
        let error = zeros(&release(&plan, &contract, &rows(at))).expect_err("zeros are published");
        assert!(error.contains(found), "{error}");
        let text = hiding(&plan, &contract, &rows(at));
        assert!(zeros(&text).is_ok() && last(&text).scores == Some(Cell::Suppressed), "{:?}", zeros(&text));
    }
    let mut text = alike;
    text.strata[0].slices[0].groups[0].counts = Block::N(16);
    assert!(zeros(&text).is_err(), "nobody knows which zeros are of everybody");
}

#[test]
fn zeros_of_details_are_refused_where_the_plan_hides_them() {
    let (plan, contract) = documents(CLASSES, 2);
    // Nobody goes home, two of each sex to the ward; the last two may go to intensive care instead. No count tells.
    let all = |class: u8| -> Vec<Row> {
        let row = |sex: u16| if sex == 3 { class } else { 1 };
        (0..4).flat_map(|sex| [(row(sex), None, sex, Some(u64::from(row(sex))), 1, Some(Some(0)), 0); 2]).collect()
    };
    let seen = |text: &ReleaseText| {
        let of = |slice: &ReleasedSlice| [shown(&slice.groups[0].classes), shown(&slice.groups[0].ranks)];
        text.strata[0].slices.iter().flat_map(of).map(|seen| seen == Some(true)).collect::<Vec<_>>()
    };
    let (open, text) = (release(&plan, &contract, &all(1)), hiding(&plan, &contract, &all(1)));
    assert_eq!((zeros(&open), &text), (Ok(()), &open));
    assert_eq!(seen(&text), [true; 4]);
    let (open, text) = (release(&plan, &contract, &all(2)), hiding(&plan, &contract, &all(2)));
    assert_eq!((seen(&open), seen(&text)), (vec![true; 4], vec![false, true, false, true]));
    assert!(zeros(&text).is_ok() && text.strata[0].slices[1].full().is_some());
    assert!(zeros(&open).is_err_and(|error| error.contains("details with a 0")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_disclosed_passes(
        rows in proptest::collection::vec(
            (0..4_u8, proptest::option::of(0..=SCORE_ONE), 0..4_u16, proptest::option::of(0..3_u64), 1..4_u32,
                proptest::option::of(proptest::option::of(0..16_u8)), 0..12_u8),
            0..80,
        ),
        k in 1..6_u64,
    ) {
        let (plan, contract) = documents(CLASSES, k);
        let rows: Vec<Row> = rows.into_iter().map(|row| (if row.0 == 3 { ABSENT } else { row.0 }, None, row.2, row.3, row.4, row.5, row.6)).collect();
        let text = release(&plan, &contract, &rows);
        prop_assert_eq!(checked(&text, &contract), Ok(()));
        let text = hiding(&plan, &contract, &rows);
        prop_assert_eq!((checked(&text, &contract), zeros(&text)), (Ok(()), Ok(())));
        let (plan, contract) = documents(VALUES, k);
        let rows: Vec<Row> = rows.into_iter().map(|row| {
            let q = u64::from(row.0) * 16_777_213;
            (row.0.min(1), (row.4 > 1).then_some(q), row.2, row.3.map(|label| label * 123_456_789), row.4, None, row.6)
        }).collect();
        prop_assert_eq!(checked(&release(&plan, &contract, &rows), &contract), Ok(()));
        let text = hiding(&plan, &contract, &rows);
        prop_assert_eq!((checked(&text, &contract), zeros(&text)), (Ok(()), Ok(())));
    }

    #[test]
    fn any_split_of_rows_gives_the_same(at in 0..20_usize) {
        let (plan, contract) = documents(CLASSES, 1);
        let stratum = (0, Tier::Full);
        let of = |rows: &[Row]| {
            let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
            for row in rows {
                let event = Prediction { decision: row.0, attributes: vec![row.2], ..Prediction::default() };
                let truth = row.3.map(|label| Truth { weight: row.4, rank: row.5, ..Truth::new(label) });
                aggregate.add(stratum, &event, truth).expect("inside");
                aggregate.subject(true, &[(stratum, &event, row.3)]).expect("counted");
            }
            aggregate
        };
        let rows = triage();
        let (one, other) = (of(&rows[..at]), of(&rows[at..]));
        prop_assert_eq!(one.clone().merge(&other), Ok(of(&rows)));
        prop_assert_eq!(other.merge(&one), Ok(of(&rows)));
    }
}

#[test]
fn rounded_sums_of_values_pass_and_others_do_not() {
    let (mut plan, contract) = documents(VALUES, 2);
    plan.disclosure.moment_step = Some(crate::plan::Fraction::of_parts(crate::plan::Fraction::ONE / 100));
    let step = Step::of(&plan.disclosure);
    let row = |n: u64| {
        let (p, t) = (n * SCORE_ONE / 50, (n + 1) * SCORE_ONE / 50);
        (u8::from(n >= 10), Some(p), (n % 2) as u16, Some(t), 1, None, 0)
    };
    let rows: Vec<Row> = (0..40).map(row).collect();
    let good = release(&plan, &contract, &rows);
    let check = |text: &ReleaseText| {
        check_detail(&text.strata[0].slices, &contract, text.k, step).map_err(|refusal| refusal.to_string())
    };
    assert_eq!(check(&good), Ok(()));
    let changed = |change: fn(&mut Moments, u128)| {
        let mut text = good.clone();
        let Some(Cell::Value(moments)) = &mut text.strata[0].slices[0].groups[0].moments else { panic!("seen") };
        change(moments, 42_949_673);
        check(&text)
    };
    let wanted = "release: expected sums rounded to the plan's moment_step";
    for said in [changed(|of, _| of.predicted.0 += 1), changed(|of, step| of.products.0 -= step)] {
        assert!(said.as_ref().is_err_and(|said| said.starts_with(wanted)), "{said:?}");
    }
    assert!(changed(|of, step| of.actual.0 += 9 * step).is_err(), "beyond the groups' sums");
}
