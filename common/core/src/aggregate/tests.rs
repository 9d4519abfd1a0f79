use super::*;
use crate::contract::{Contract, from_toml, tests::ADMISSION};
use crate::event::{ABSENT, SCORE_ONE};
use crate::plan::{Plan, tests::plan};
use proptest::prelude::*;

pub(crate) const FULL: Stratum = (0, Tier::Full);

pub(crate) fn documents() -> (Plan, Contract) {
    (plan(), from_toml(ADMISSION).expect("valid"))
}

/// Decision 0, 1, or 2 for none.
pub(crate) fn event(decision: u8, score_q: Option<u64>, attributes: [u16; 2]) -> Prediction {
    let attributes = attributes.to_vec();
    let decision = if decision == 2 { ABSENT } else { decision };
    Prediction { decision, score_q, attributes, ..Prediction::default() }
}

/// Label 0, 1, or 2 for none.
pub(crate) fn truth(label: u8) -> Option<Truth> {
    (label < 2).then(|| Truth::new(u64::from(label)))
}

fn of(rows: &[(u8, u8, Option<u64>, u16, u16)]) -> Aggregate {
    let (plan, contract) = documents();
    let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
    for &(decision, label, q, a, b) in rows {
        aggregate.add((0, Tier::Full), &event(decision, q, [a, b]), truth(label)).expect("inside the contract");
    }
    aggregate
}

fn rows() -> impl Strategy<Value = Vec<(u8, u8, Option<u64>, u16, u16)>> {
    proptest::collection::vec((0..3_u8, 0..3_u8, proptest::option::of(0..=SCORE_ONE), 0..4_u16, 0..4_u16), 0..40)
}

#[test]
fn codes_outside_the_contract_are_refused() {
    let mut aggregate = of(&[]);
    assert!(aggregate.add((0, Tier::Full), &event(3, None, [0, 0]), truth(0)).is_err());
    assert!(aggregate.add((0, Tier::Full), &event(1, None, [4, 0]), truth(0)).is_err());
    assert!(aggregate.add((1, Tier::Full), &event(1, None, [0, 0]), truth(0)).is_err());
    assert_eq!(aggregate, of(&[]));
}

pub(crate) const FEATURES: &str = r#"
[[feature]]
name = "grade"
type = "number"
min = 0
max = 4
edges = [1, 2]
missing = true

[[feature]]
name = "first"
type = "boolean"
"#;

#[test]
fn tallies_features_and_tiers_are_counted_apart() {
    let (plan, _) = documents();
    let contract = from_toml(&format!("{ADMISSION}{FEATURES}")).expect("valid");
    let empty = Aggregate::empty(&plan, &contract).expect("fits");
    let of = |stratum: Stratum, features: &[u16], kind, change| {
        let mut aggregate = empty.clone();
        let event = Prediction { features: features.to_vec(), ..event(1, None, [0, 0]) };
        aggregate.describe(&event).and_then(|()| aggregate.add(stratum, &event, None)).expect("inside the contract");
        aggregate.tally(&Tally { hour: crate::time::Time(0), kind, change });
        aggregate
    };
    let parts = [
        of(FULL, &[3, 1], TallyKind::RequestOnly, 5),
        of((0, Tier::Sampled(20)), &[4, 3], TallyKind::RequestOnly, -2),
        of((0, Tier::Sampled(10)), &[2, 3], TallyKind::Refused, 1),
        of((0, Tier::Sampled(20)), &[], TallyKind::Refused, 1),
    ];
    let sum = parts.iter().try_fold(empty.clone(), |sum, part| sum.merge(part)).expect("same plan");
    let back = parts.iter().rev().try_fold(empty.clone(), |sum, part| sum.merge(part)).expect("same plan");
    assert_eq!(sum, back);
    assert_eq!((sum.events, sum.intake[1], sum.intake[11]), (4, 3, 2));
    assert_eq!(sum.quality, QualityCounts { described: 3, features: vec![vec![0, 0, 1, 1, 1], vec![0, 1, 0, 2]] });
    let events = |stratum: Stratum| sum.strata[&stratum][0].counts.sum();
    let tiers = [Tier::Full, Tier::Sampled(10), Tier::Sampled(20)].map(|tier| (0, tier));
    assert_eq!((sum.strata.len(), tiers.map(events)), (3, [1, 1, 2]));
    let digest = |aggregate: &Aggregate| aggregate.salted_digest(&[0; 16]).expect("encodes");
    let digests: std::collections::BTreeSet<_> = parts.iter().map(digest).collect();
    assert_eq!(digests.len(), 4, "each of them changes the digest");
    let mut outside = empty.clone();
    let described = |features: &[u16]| Prediction { features: features.to_vec(), ..event(1, None, [0, 0]) };
    assert!(outside.describe(&described(&[5, 0])).is_err() && outside.describe(&described(&[0])).is_err());
    assert_eq!(outside, empty);
}

proptest! {
    #[test]
    fn any_split_and_order_gives_the_same(a in rows(), b in rows()) {
        let both: Vec<_> = a.iter().chain(&b).copied().collect();
        let merged = of(&a).merge(&of(&b)).expect("same plan");
        prop_assert_eq!(&merged, &of(&b).merge(&of(&a)).expect("same plan"));
        prop_assert_eq!(&merged, &of(&both));
        let salt = [1; 16];
        prop_assert_eq!(merged.salted_digest(&salt), of(&both).salted_digest(&salt));
        prop_assert_eq!(merged.events as usize, both.len());
    }

    #[test]
    fn slices_add_up_to_the_whole(rows in rows()) {
        let aggregate = of(&rows);
        let whole = aggregate.strata[&FULL][0].counts.index_axis(ndarray::Axis(0), 0).to_owned();
        for slice in &aggregate.strata[&FULL] {
            prop_assert_eq!(slice.counts.sum_axis(ndarray::Axis(0)), whole.clone());
        }
    }
}
