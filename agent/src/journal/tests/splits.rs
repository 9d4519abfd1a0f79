//! However rows are split over batches, repeated and interrupted, the answers are those of a plain recount.

use super::*;
use proptest::prelude::*;

fn any_row() -> impl Strategy<Value = EventRow> {
    (0..120_u64, proptest::option::of((0..2_u64, 0..6_i64))).prop_map(|(n, label)| match label {
        None => event(n),
        Some((label, after)) => labelled(n, label, after),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_split_gives_the_same_answers(
        rows in proptest::collection::vec(any_row(), 1..150),
        cuts in proptest::collection::vec((1..40_usize, any::<bool>(), any::<bool>()), 1..8),
    ) {
        let (home, journal) = new();
        let mut journal = journal.with_segment_records(1_500);
        let contract = contract();
        let (mut rest, mut seed) = (&rows[..], 0_u8);
        while !rest.is_empty() {
            let (length, twice, reopen) = cuts[usize::from(seed) % cuts.len()];
            let (batch, after) = rest.split_at(length.min(rest.len()));
            if reopen && twice {
                journal.seal(&mut rng(seed)).expect("sealed");
            }
            if reopen {
                journal = Journal::open(home.path()).expect("opened").with_segment_records(1_500);
            }
            for _ in 0..=usize::from(twice) {
                // More than 255 batches are rare, but there are such cases.
                seed = seed.wrapping_add(1);
                journal.record_events(&contract, batch, &mut rng(seed)).expect("written");
            }
            rest = after;
        }
        let events: std::collections::BTreeSet<_> = rows.iter().map(|row| &row.event_id).collect();
        let report = journal.verify().expect("whole");
        prop_assert_eq!(real(&report, LOGS[0]), events.len() as u64);
        let outcomes: std::collections::BTreeSet<_> =
            rows.iter().filter_map(|row| row.outcome.map(|outcome| (&row.event_id, outcome))).collect();
        prop_assert_eq!(real(&report, LOGS[1]), outcomes.len() as u64);
        for window in [hours(0, 1), hours(1, 2), hours(0, 24)] {
            prop_assert_eq!(answer(&mut journal, window), recount_first(&rows, window));
        }
    }
}

/// [`recount`] with each (event, label, time) taken once, at its first appearance.
fn recount_first(rows: &[EventRow], window: Window) -> Aggregate {
    let mut seen = std::collections::BTreeSet::new();
    let rows: Vec<_> = rows.iter().filter(|row| seen.insert((&row.event_id, row.outcome))).cloned().collect();
    recount(&rows, window)
}
