//! Whose key may sign what, and where: every kind of document under every state of a key, before its end and after
//! it; and the list of attacks.
//!
//! The verdicts stand in a table, written by hand from the rules: what a key signed holds where its end says so, and
//! nowhere else; a key that the roster does not name for this use signs nothing.

#[path = "matrix/attacks.rs"]
mod attacks;
#[path = "matrix/documents.rs"]
mod documents;

use documents::{Federation, KEYS, MAY};
use serde_json::{Value, json};

/// What became of the key that signs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// It holds.
    Active,
    /// Another one took its place, as planned: its last numbers are named, and the sizes of logs without numbers.
    Rotated,
    /// It may be in other hands: the sizes of logs are named. Of a document before the end it was revoked later; of one
    /// after it, before.
    Revoked,
    /// Nobody's.
    Unknown,
    /// Of small order, so that anybody can make its signatures.
    Weak,
    /// The same party's, for something else.
    WrongUse,
}

const STATES: [State; 6] =
    [State::Active, State::Rotated, State::Revoked, State::Unknown, State::Weak, State::WrongUse];

/// Taken.
const OK: &str = "";
/// Refused: nobody who may sign this signed it.
const NO: &str = "signer";
/// Refused: the key had ended.
const KEY: &str = "key";
/// Of a checkpoint: the same two.
const NOBODY: &str = "unknown signer";
const ENDED: &str = "ended";

/// Of each kind, and each state of the key: the check that refuses it where it stands before the key's end, and after
/// it. What governance signs is held against the keys that may sign the next entry: one that ended is like nobody's.
#[rustfmt::skip]
const TABLE: [(&str, [(&str, &str); 6]); 11] = [
    //                  active    rotated       revoked       unknown           weak              wrong use
    ("contract",      [(OK, OK), (OK, NO),     (OK, NO),     (NO, NO),         (NO, NO),         (NO, NO)]),
    ("plan",          [(OK, OK), (OK, NO),     (OK, NO),     (NO, NO),         (NO, NO),         (NO, NO)]),
    ("waiver",        [(OK, OK), (OK, NO),     (OK, NO),     (NO, NO),         (NO, NO),         (NO, NO)]),
    ("epoch",         [(OK, OK), (OK, NO),     (OK, NO),     (NO, NO),         (NO, NO),         (NO, NO)]),
    ("release",       [(OK, OK), (OK, KEY),    (OK, KEY),    (NO, NO),         (NO, NO),         (NO, NO)]),
    ("abstention",    [(OK, OK), (OK, KEY),    (OK, KEY),    (NO, NO),         (NO, NO),         (NO, NO)]),
    ("dispute",       [(OK, OK), (OK, KEY),    (OK, KEY),    (NO, NO),         (NO, NO),         (NO, NO)]),
    ("heartbeat",     [(OK, OK), (OK, KEY),    (OK, KEY),    (NO, NO),         (NO, NO),         (NO, NO)]),
    ("report",        [(OK, OK), (OK, KEY),    (OK, KEY),    (NO, NO),         (NO, NO),         (NO, NO)]),
    ("registry note", [(OK, OK), (OK, ENDED),  (OK, ENDED),  (NOBODY, NOBODY), (NOBODY, NOBODY), (NOBODY, NOBODY)]),
    ("plan log note", [(OK, OK), (OK, ENDED),  (OK, ENDED),  (NOBODY, NOBODY), (NOBODY, NOBODY), (NOBODY, NOBODY)]),
];

#[test]
fn every_kind_under_every_key() {
    let federation = Federation::open();
    let (mut wrong, mut cells) = (Vec::new(), 0);
    for (kind, row) in TABLE {
        for (state, (before, after)) in STATES.into_iter().zip(row) {
            for (is_before, expected) in [(true, before), (false, after)] {
                let found = federation.verdict(kind, state, is_before);
                cells += 1;
                if found != expected {
                    let place = if is_before { "before" } else { "after" };
                    wrong.push(format!("{kind}, {state:?}, {place} the end: expected `{expected}`, found `{found}`"));
                }
            }
        }
    }
    assert_eq!(cells, 11 * 6 * 2);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a rotated key signed may still be on its way: its number says that it holds, wherever it comes to stand. Of a
/// key without a last number only the place counts, and an end under another plan, or of another log, says nothing.
#[test]
fn a_number_holds_wherever_it_stands_and_only_there() {
    let federation = Federation::open();
    let (plan, other) = (federation.plan.clone(), "ab".repeat(32));
    let ended = |last: Value, logs: Value| json!({ "why": "rotated", "last": last, "logs": logs });
    let (log, stranger) = (format!("fed/plan/{plan}"), format!("fed/plan/{other}"));
    for (last, logs, expected) in [
        (json!([{ "plan": plan, "sequence": 0 }]), json!([{ "origin": log, "size": 0 }]), OK),
        (json!([{ "plan": plan, "sequence": 7 }]), json!([]), OK),
        (json!([{ "plan": other, "sequence": 7 }]), json!([]), KEY),
        (json!([]), json!([{ "origin": log, "size": 1 }]), OK),
        (json!([]), json!([{ "origin": stranger, "size": 9 }, { "origin": "fed/heartbeats", "size": 9 }]), KEY),
        (json!([]), json!([]), KEY),
    ] {
        for kind in ["release", "abstention"] {
            let found = federation.site_ended(kind, &ended(last.clone(), logs.clone()));
            assert_eq!(found, expected, "{kind}: {last} {logs}");
        }
    }
    // A heartbeat has no number within a plan.
    let last = json!([{ "plan": plan, "sequence": 7 }]);
    assert_eq!(federation.site_ended("heartbeat", &ended(last, json!([]))), KEY);
}

/// The note key of a site ends like its attest key: a release is signed by both.
#[test]
fn a_release_needs_the_note_key_too() {
    let federation = Federation::open();
    let log = format!("fed/plan/{}", federation.plan);
    for (size, expected) in [(1, OK), (0, KEY)] {
        let end = json!({ "why": "lost", "logs": [{ "origin": log, "size": size }] });
        assert_eq!(federation.note_ended("release", &end), expected, "{size}");
    }
    let heartbeat = |size: u64| json!({ "why": "lost", "logs": [{ "origin": "fed/heartbeats", "size": size }] });
    assert_eq!(
        (federation.note_ended("heartbeat", &heartbeat(1)), federation.note_ended("heartbeat", &heartbeat(0))),
        (OK.to_owned(), KEY.to_owned())
    );
}

/// A weak key cannot even be named: neither by the roster nor by `trust.json`.
#[test]
fn nobody_can_name_a_weak_key() {
    let federation = Federation::open();
    assert_eq!(federation.enrol_weak(), "artifact");
    assert!(federation.trust_weak().is_err());
}

/// Whose the key is decides, not only that it holds: each kind signed by the keys of every other party.
#[test]
fn no_party_signs_for_another() {
    let federation = Federation::open();
    for (kind, owner) in MAY {
        for (name, seed) in KEYS {
            let expected = if owner == name { OK } else { NO };
            assert_eq!(federation.signed_by(kind, seed), expected, "{kind} by {name}");
        }
    }
}
