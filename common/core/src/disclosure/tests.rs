//! Releases of whole aggregates. What an attacker learns of hidden cells is in `protect/tests.rs`.

use super::*;
use crate::aggregate::tests::{FULL, documents, event, truth};
use crate::event::SCORE_ONE;
use crate::plan::Plan;
use crate::time::Time;
use proptest::prelude::*;

const CONTRACT: &str = r#"
contract = "tiny"
version = 1
title = "Three binary attributes"
task = "binary"
model = "m"
[decision]
values = ["0", "1"]
favourable = "1"
[[attribute]]
name = "a"
categories = ["0", "1"]
[[attribute]]
name = "b"
categories = ["0", "1"]
[[attribute]]
name = "c"
categories = ["0", "1"]
"#;

pub(super) fn plan_of(k: u64, slices: &[&[&str]]) -> Plan {
    let mut text = format!(
        "plan = \"tiny\"\nversion = 1\ntitle = \"t\"\ncontract = \"tiny\"\nmodel_versions = [\"v\"]\nrequired_sites = [\"s\"]\n\
         windows = {{ start = \"2026-01-01T00:00:00Z\", end = \"2026-02-01T00:00:00Z\", release_after_hours = 0 }}\n\
         disclosure = {{ k = {k} }}\n"
    );
    for slice in slices {
        let reference = vec!["0"; slice.len()];
        text += &format!("[[slice]]\nattributes = {slice:?}\nreference = {reference:?}\n");
    }
    crate::plan::from_toml(&text, |_| Some(Digest([0; 32]))).expect("valid")
}

pub(super) fn tiny() -> crate::contract::Contract {
    crate::contract::from_toml(CONTRACT).expect("valid")
}

fn window() -> Window {
    Window { start: Time(0), end: Time(crate::time::HOUR_NS) }
}

fn release(aggregate: &Aggregate, plan: &Plan, contract: &ContractText) -> Release {
    disclose(aggregate, plan, contract, Digest([0; 32]), &Name::new("s").expect("a name"), window())
        .expect("fits")
        .release
}

/// Rows of decision 1 by (a, b), with how many there are.
fn counted(rows: &[(u16, u16, u64)], k: u64, slices: &[&[&str]]) -> Disclosed {
    let plan = plan_of(k, slices);
    let contract = tiny();
    let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
    for &(a, b, n) in rows {
        for _ in 0..n {
            let mut one = event(1, None, [a, b]);
            one.attributes.push(0);
            aggregate.add(FULL, &one, None).expect("inside the contract");
        }
    }
    disclose(&aggregate, &plan, &contract, Digest([0; 32]), &Name::new("s").expect("a name"), window()).expect("fits")
}

#[test]
fn a_small_group_is_folded_and_the_desk_knows_why() {
    let Disclosed { release, reasons } = counted(&[(0, 0, 4), (1, 0, 30), (2, 0, 9)], 5, &[&["a"]]);
    let slice = &release.strata[0].slices[1];
    let shown: Vec<_> = slice.groups.iter().map(|group| group.counts.clone()).collect();
    let full = |n| Block::Full([[0; 3], [0, 0, n], [0; 3]]);
    assert_eq!(shown, [Block::Folded(0), full(30), Block::Folded(0), full(0)]);
    assert_eq!(slice.folds, [full(13)]);
    let of = |group, why| Reason { stratum: 0, slice: 1, group, why };
    assert_eq!(reasons, [of(0, Why::Few), of(2, Why::Fold)]);
    let json = serde_json::to_value(slice).expect("JSON");
    assert_eq!(json["groups"][0]["counts"], serde_json::json!({ "folded": 0 }));
    assert_eq!(json["folds"], serde_json::json!([{ "full": [[0, 0, 0], [0, 0, 13], [0, 0, 0]] }]));
}

#[test]
fn what_cannot_be_hidden_in_anybody_is_withheld() {
    let Disclosed { release, .. } = counted(&[(0, 0, 4)], 5, &[&["a"]]);
    let blocks = release.strata[0].slices.iter().flat_map(|slice| &slice.groups).map(|group| &group.counts);
    let shown: Vec<_> = blocks.filter(|block| block.events().is_none_or(|events| events > 0)).collect();
    assert_eq!(shown, [&Block::Withheld; 2]);
    assert_eq!((release.events, release.outcomes), (4, 0));
    let empty = counted(&[], 5, &[&["a"], &["a", "b"]]);
    assert!(empty.reasons.is_empty() && empty.release.strata[0].slices.iter().all(|slice| slice.full().is_some()));
}

#[test]
fn slices_that_overlap_in_a_circle_are_not_shown_beside_what_is_hidden() {
    let slices: &[&[&str]] = &[&["a", "b"], &["b", "c"], &["a", "c"]];
    let many = counted(&[(0, 0, 30), (1, 1, 30)], 5, slices);
    assert!(many.reasons.is_empty(), "nothing is hidden");
    let few = counted(&[(0, 0, 30), (1, 1, 30), (1, 0, 2)], 5, slices);
    assert!(few.reasons.iter().any(|reason| reason.why == Why::Circle));
    let seen = |at: usize| few.release.strata[0].slices[at].groups.iter().any(|group| group.counts != Block::Withheld);
    assert_eq!((1..4).filter(|at| seen(*at)).count(), 2);
}

proptest! {
    #[test]
    fn every_visible_count_is_zero_or_at_least_k(
        rows in proptest::collection::vec((0..2_u8, 0..3_u8, proptest::option::of(0..=SCORE_ONE), 0..2_u16, 0..2_u16), 0..200)
    ) {
        let (plan, contract) = documents();
        let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
        for &(decision, label, q, a, b) in &rows {
            aggregate.add(FULL, &event(decision, q, [a, b]), truth(label)).expect("inside");
        }
        let release = release(&aggregate, &plan, &contract);
        let fits = |count: u64| count == 0 || count >= plan.disclosure.k;
        for slice in &release.strata[0].slices {
            let resolutions: std::collections::BTreeSet<_> = slice
                .groups
                .iter()
                .map(|g| g.scores.as_ref().and_then(Cell::value).map(|s| s.bins))
                .collect();
            prop_assert_eq!(resolutions.len(), 1, "one resolution a slice");
            for group in &slice.groups {
                let totals = group.counts.margins();
                prop_assert!(totals.is_none_or(|of| of.decisions.into_iter().chain(of.labels).all(fits)));
                prop_assert!(group.counts.full().is_none_or(|counts| counts.iter().flatten().all(|&c| fits(c))));
                if let Some(scores) = group.scores.as_ref().and_then(Cell::value) {
                    prop_assert!(slice.full().is_some());
                    prop_assert!(scores.bins >= 10 && scores.no_score.iter().all(|&c| fits(c)));
                    prop_assert!(scores.histogram.iter().flatten().all(|bin| bin.0 < scores.bins && fits(bin.1)));
                }
            }
        }
    }
}
