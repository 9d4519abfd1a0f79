use super::*;

const PLAN: Digest = Digest([1; 32]);
const DRAFT: Digest = Digest([2; 32]);
const WINDOW: Window = Window { start: Time(0), end: Time(1) };

fn drafted(artifact: Digest) -> LedgerEntry {
    let (journal, versions) = ([1_500, 0], [1, 1]);
    LedgerEntry::Drafted { plan: PLAN, window: WINDOW, artifact, journal, versions, amends: None, at: Time(5) }
}

fn approved(artifact: Digest, by: &str, needed: u32) -> LedgerEntry {
    LedgerEntry::Approved { plan: PLAN, window: WINDOW, artifact, needed, by: by.to_owned(), at: Time(6) }
}

fn declined() -> LedgerEntry {
    let (reason, by) = ("too much".to_owned(), "a".to_owned());
    LedgerEntry::Declined { plan: PLAN, window: WINDOW, artifact: DRAFT, reason, by, at: Time(7) }
}

fn dropped() -> LedgerEntry {
    LedgerEntry::Dropped { plan: PLAN, window: WINDOW, artifact: DRAFT, reason: "k".to_owned(), at: Time(7) }
}

fn accepted(review: bool) -> LedgerEntry {
    LedgerEntry::Accepted { plan: PLAN, review, by: "a".to_owned(), at: Time(8) }
}

fn reviewed() -> LedgerEntry {
    LedgerEntry::Reviewed { plan: PLAN, window: WINDOW, by: "a".to_owned(), at: Time(8) }
}

fn desk(entries: impl IntoIterator<Item = LedgerEntry>) -> Desk {
    let mut desk = Desk::default();
    entries.into_iter().for_each(|entry| desk.take(entry));
    desk
}

/// Waiting drafts, and windows that are not to be closed.
fn standing_of(entries: impl IntoIterator<Item = LedgerEntry>) -> (usize, usize) {
    let desk = desk(entries);
    (desk.waiting().count(), desk.windows(&PLAN).count())
}

#[test]
fn approvals_are_of_persons_and_of_one_draft() {
    let other = Digest([3; 32]);
    let is_approved = |entries: Vec<LedgerEntry>, now| {
        let desk = desk(entries);
        desk.waiting().all(|case| case.is_approved(now))
    };
    assert!(!is_approved(vec![drafted(DRAFT)], 1));
    assert!(is_approved(vec![drafted(DRAFT), approved(DRAFT, "a", 1)], 1));
    // Neither a second word of the same person, nor one about an earlier draft.
    assert!(!is_approved(vec![drafted(DRAFT), approved(DRAFT, "Ada L", 2), approved(DRAFT, " ada  l", 2)], 2));
    assert!(is_approved(vec![drafted(DRAFT), approved(DRAFT, "a", 2), approved(DRAFT, "b", 2)], 2));
    assert!(!is_approved(vec![drafted(DRAFT), approved(DRAFT, "a", 2), drafted(other), approved(other, "b", 2)], 2));
    assert!(!is_approved(vec![drafted(other), drafted(DRAFT), approved(other, "a", 1)], 1));
    // The stricter of what was asked then and is asked now.
    assert!(!is_approved(vec![drafted(DRAFT), approved(DRAFT, "a", 1)], 2));
    assert!(!is_approved(vec![drafted(DRAFT), approved(DRAFT, "a", 2)], 1));
}

#[test]
fn what_is_not_to_leave_stays_until_it_is_asked_for() {
    assert_eq!(standing_of([drafted(DRAFT)]), (1, 1));
    assert_eq!(standing_of([drafted(DRAFT), declined()]), (0, 1));
    assert_eq!(standing_of([drafted(DRAFT), dropped()]), (0, 1));
    assert_eq!(standing_of([drafted(DRAFT), declined(), approved(DRAFT, "a", 1)]), (0, 1));
    for (ended, after) in [(declined(), [(0, 1), (0, 1)]), (dropped(), [(0, 0), (0, 0)])] {
        assert_eq!(standing_of([drafted(DRAFT), ended.clone(), reviewed()]), (0, 0));
        for (review, after) in [true, false].into_iter().zip(after) {
            assert_eq!(standing_of([drafted(DRAFT), ended.clone(), accepted(review)]), after);
        }
    }
    // Asked for while it waits: it waits on.
    assert_eq!(standing_of([drafted(DRAFT), reviewed()]), (1, 1));
    // A standing approval lets what waits be closed as usual.
    assert_eq!(standing_of([drafted(DRAFT), accepted(true)]), (1, 1));
    assert_eq!(standing_of([drafted(DRAFT), accepted(false)]), (0, 0));
}
