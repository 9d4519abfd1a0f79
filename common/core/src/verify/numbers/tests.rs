//! Rounded sums pass, and others do not.

use super::*;
use crate::aggregate::Aggregate;
use crate::aggregate::tests::{FULL, documents, event, truth};
use crate::disclosure::{Decimal, disclose};
use crate::event::SCORE_ONE;
use crate::ids::{Digest, Name};
use crate::plan::Fraction;
use crate::time::{HOUR_NS, Time, Window};
use proptest::prelude::*;

/// A release of scores (label, q, group) under a step, in millionths of the range.
fn release(scores: &[(u8, u64, u16)], millionths: Option<u64>) -> (ReleaseText, PlanText, ContractText) {
    let (plan, contract) = documents();
    let (mut plan, contract) = ((*plan).clone(), (*contract).clone());
    plan.disclosure.k = 2;
    plan.disclosure.moment_step = millionths.map(|parts| Fraction::of_parts(parts * 1_000_000));
    let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
    for (label, q, group) in scores {
        // Twice, so that nothing is below k.
        for _ in 0..2 {
            let event = event(u8::from(*q > SCORE_ONE / 2), Some(*q), [*group, 0]);
            aggregate.add(FULL, &event, truth(*label)).expect("inside the contract");
        }
    }
    let window = Window { start: Time(0), end: Time(HOUR_NS) };
    let name = Name::new("s").expect("a name");
    let text = (*disclose(&aggregate, &plan, &contract, Digest([7; 32]), &name, window).expect("fits").release).clone();
    (text, plan, contract)
}

fn check(text: &ReleaseText, plan: &PlanText, contract: &ContractText) -> Result<(), Refusal> {
    check_slices(&text.strata[0].slices, plan, contract, text)
}

/// What the verifier makes of the first histogram once it was changed.
fn altered(millionths: Option<u64>, change: impl Fn(&mut Scores)) -> Result<(), String> {
    let scores: Vec<_> = (0..40).map(|n| ((n % 2) as u8, n * SCORE_ONE / 41, (n % 3 / 2) as u16)).collect();
    let (mut text, plan, contract) = release(&scores, millionths);
    check(&text, &plan, &contract).expect("as disclosed");
    let group = &mut text.strata[0].slices[0].groups[0];
    let Some(Cell::Value(scores)) = &mut group.scores else { panic!("seen: {group:?}") };
    change(scores);
    check(&text, &plan, &contract).map_err(|refusal| refusal.to_string())
}

#[test]
fn sums_that_are_no_multiples_are_refused() {
    let wanted = "release: expected sums rounded to the plan's moment_step, found";
    for said in [
        altered(Some(1_000), |scores| scores.histogram[0][3].2.0 += 1),
        altered(Some(1_000), |scores| scores.square_sums[1].0 -= 1),
    ] {
        assert!(said.as_ref().is_err_and(|said| said.starts_with(wanted)), "{said:?}");
    }
    // A multiple, far from those of the groups: it does not add up.
    let step = 4_294_967;
    let far = altered(Some(1_000), |scores| scores.histogram[0][3].2.0 += 40 * step);
    assert!(far.as_ref().is_err_and(|said| said.starts_with("release: ")), "{far:?}");
    let square = altered(Some(1_000), |scores| scores.square_sums[1].0 += 40 * (step << 32));
    assert!(square.as_ref().is_err_and(|said| said.starts_with("release: ")), "{square:?}");
    // Without a step nothing is rounded, and nothing may differ.
    let exact = altered(None, |scores| scores.square_sums[0] = Decimal(scores.square_sums[0].0 + 1));
    assert!(exact.is_err(), "{exact:?}");
}

proptest! {
    #[test]
    fn what_was_rounded_passes(
        scores in proptest::collection::vec((0..3_u8, 0..=SCORE_ONE, 0..3_u16), 0..60),
        millionths in prop_oneof![Just(1), 1..=1_000_000_u64],
    ) {
        let (text, plan, contract) = release(&scores, Some(millionths));
        prop_assert_eq!(check(&text, &plan, &contract), Ok(()));
    }
}
