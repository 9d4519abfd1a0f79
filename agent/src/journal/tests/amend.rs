//! What became of a window's events between two sizes of the journal.

use super::*;
use fedaudit_core::disclosure::{Release, Transitions, disclose};
use fedaudit_core::ids::Name;

/// Event `n` of the first hour: all alike, unlabelled.
fn alike(n: u64) -> EventRow {
    EventRow { model_version: "v1".to_owned(), decision: 1, score_q: None, attributes: vec![0], ..event(n) }
}

fn with_label(n: u64, label: u64, after_hours: i64) -> EventRow {
    EventRow { outcome: labelled(n, label, after_hours).outcome, ..alike(n) }
}

fn take(journal: &mut Journal, rows: Vec<EventRow>, seed: u8) -> [u64; 2] {
    journal.record_events(&contract(), &rows, &mut rng(seed)).expect("written");
    [journal.size(LOGS[0]).expect("a size"), journal.size(LOGS[1]).expect("a size")]
}

fn release(journal: &mut Journal, sizes: [u64; 2]) -> Release {
    let (plan, contract) = (plan(), contract());
    let raw = aggregate(journal, &plan, &contract, hours(0, 1), sizes[0], sizes[1]).expect("an answer");
    disclose(&raw, &plan, &contract, Digest([7; 32]), &Name::new("a").expect("a name"), hours(0, 1))
        .expect("fits")
        .release
}

fn verdict(journal: &mut Journal, before: [u64; 2], after: [u64; 2]) -> Result<(), String> {
    let (plan, contract) = (plan(), contract());
    let (old, new) = (release(journal, before), release(journal, after));
    let mut transitions = Transitions::new(&old, &new, &plan, &contract).expect("fits");
    count_transitions(journal, &plan, &contract, hours(0, 1), [before, after], &mut transitions).expect("counted");
    transitions.check(5)
}

#[test]
fn late_labels_and_late_events_are_counted_as_the_plan_counts_them() {
    let (_home, mut journal) = new();
    let first = take(&mut journal, (0..40).map(|n| if n < 10 { with_label(n, 1, 1) } else { alike(n) }).collect(), 1);
    // Labelled after the window's release time: it changes nothing.
    let after = take(&mut journal, vec![with_label(39, 1, 3)], 2);
    assert_eq!(release(&mut journal, after), release(&mut journal, first));
    let mut late: Vec<_> = (10..16).map(|n| with_label(n, 0, 2)).collect();
    late.extend((40..45).map(alike));
    let second = take(&mut journal, late, 3);
    assert_ne!(release(&mut journal, second), release(&mut journal, first));
    assert_eq!(verdict(&mut journal, first, second), Ok(()));
    // One of them corrected: told by subtraction from either.
    let third = take(&mut journal, vec![with_label(0, 0, 2)], 4);
    for before in [first, second] {
        let error = verdict(&mut journal, before, third).expect_err("one label");
        assert!(error.contains("1 events go from label code 1 to label code 0"), "{error}");
    }
    // An answer from less than before is none.
    let (plan, contract) = (plan(), contract());
    let (old, new) = (release(&mut journal, first), release(&mut journal, second));
    let mut transitions = Transitions::new(&new, &old, &plan, &contract).expect("fits");
    let sizes = [second, first];
    let fault = count_transitions(&mut journal, &plan, &contract, hours(0, 1), sizes, &mut transitions);
    assert!(fault.expect_err("fewer").what.contains("fewer events than a release that was signed"));
}
