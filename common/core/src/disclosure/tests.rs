//! An attacker who enumerates every table: whatever gives the same release is indistinguishable.

use super::*;
use crate::aggregate::tests::{FULL, documents, event, truth};
use crate::event::SCORE_ONE;
use crate::plan::Plan;
use crate::time::Time;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What an attacker sees: the number of events, which slices are visible, their counts.
type Seen = (u64, Vec<bool>, Vec<u64>);

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

fn plan_of(k: u64, slices: &[&[&str]]) -> Plan {
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

fn window() -> Window {
    Window { start: Time(0), end: Time(crate::time::HOUR_NS) }
}

fn release(aggregate: &Aggregate, plan: &Plan, contract: &ContractText) -> Release {
    disclose(aggregate, plan, contract, Digest([0; 32]), &Name::new("s").expect("a name"), window()).expect("fits")
}

/// All tables of `cells` non-negative counts that sum to at most `most`.
fn tables(cells: usize, most: u8) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for _ in 0..cells {
        all = all
            .into_iter()
            .flat_map(|head| {
                let left = most - head.iter().sum::<u8>();
                (0..=left).map(move |count| [head.clone(), vec![count]].concat())
            })
            .collect();
    }
    all
}

/// For every table: what it releases, and the hidden counts between 0 and k of every slice. No release may pin one.
///
/// k begins at 3, because a hidden count below 2 is 1 by definition; and n itself is public.
fn nothing_hidden_is_pinned(
    k: u64,
    slices: &[&[&str]],
    (cells, most): (usize, u8),
    row: impl Fn(usize) -> (u8, [u16; 3]),
) {
    let plan = plan_of(k, slices);
    let contract = crate::contract::from_toml(CONTRACT).expect("valid");
    let mut seen: BTreeMap<Seen, Vec<Vec<u64>>> = BTreeMap::new();
    for table in tables(cells, most) {
        let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
        for (cell, &count) in table.iter().enumerate() {
            let (decision, attributes) = row(cell);
            for _ in 0..count {
                let mut one = event(decision, None, [0, 0]);
                one.attributes = attributes.to_vec();
                aggregate.add(FULL, &one, None).expect("inside the contract");
            }
        }
        let raw: Vec<u64> = aggregate.strata[&FULL].iter().flat_map(|slice| slice.counts.iter().copied()).collect();
        let release = release(&aggregate, &plan, &contract);
        let visible: Vec<_> = release.strata[0].slices.iter().map(|s| s.groups[0].counts.value().is_some()).collect();
        let counts = release.strata[0].slices.iter().flat_map(|s| &s.groups).filter_map(|g| g.counts.value());
        let key = (release.events, visible, counts.flatten().flatten().copied().collect::<Vec<u64>>());
        seen.entry(key).or_default().push(raw);
    }
    let mut hidden = 0;
    for (text, raws) in seen {
        for at in 0..raws[0].len() {
            let value = raws[0][at];
            let pinned = raws.iter().all(|raw| raw[at] == value);
            hidden += usize::from(!pinned);
            let small = value > 0 && value < k;
            let public = value == raws[0].iter().take(9).sum::<u64>();
            assert!(!small || !pinned || public, "count {at} = {value} of {:?} follows from\n{text:?}", raws[0]);
        }
    }
    assert!(hidden > 0, "nothing was ever hidden: this test would prove nothing");
}

#[test]
fn an_attacker_pins_no_small_count_of_two_attributes() {
    let slices: &[&[&str]] = &[&["a"], &["b"], &["a", "b"]];
    for k in [3, 4] {
        nothing_hidden_is_pinned(k, slices, (8, 8), |cell| {
            ((cell & 1) as u8, [(cell >> 1 & 1) as u16, (cell >> 2 & 1) as u16, 0])
        });
    }
}

/// Without rule 2 this fails: with no events in (1, 1, *), the three two-way margins give every cell.
#[test]
fn an_attacker_pins_no_small_count_of_three_attributes() {
    let slices: &[&[&str]] = &[&["a"], &["a", "b"], &["b", "c"], &["a", "c"], &["a", "b", "c"]];
    nothing_hidden_is_pinned(3, slices, (6, 15), |cell| {
        (1, [(cell >> 2 & 1) as u16, (cell >> 1 & 1) as u16, (cell & 1) as u16])
    });
}

#[test]
fn a_small_count_withholds_its_slice_and_not_its_margin() {
    let (plan, contract) = documents();
    let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
    for n in 0..24 {
        aggregate.add(FULL, &event(1, Some(SCORE_ONE), [u16::from(n < 4), 0]), truth(1)).expect("inside");
    }
    let release = release(&aggregate, &plan, &contract);
    let visible: Vec<_> =
        release.strata[0].slices.iter().map(|s| s.groups.iter().all(|g| g.counts.value().is_some())).collect();
    assert_eq!(visible, [true, false, false], "4 men are fewer than 5");
    assert_eq!((release.events, release.outcomes), (24, 24));
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
                if let Some(counts) = group.counts.value() {
                    prop_assert!(counts.iter().flatten().all(|&c| fits(c)));
                }
                if let Some(scores) = group.scores.as_ref().and_then(Cell::value) {
                    prop_assert!(group.counts.value().is_some());
                    prop_assert!(scores.bins >= 10 && scores.no_score.iter().all(|&c| fits(c)));
                    prop_assert!(scores.histogram.iter().flatten().all(|bin| bin.0 < scores.bins && fits(bin.1)));
                }
            }
        }
    }
}
