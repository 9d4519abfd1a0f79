//! The list of attacks: for each the check that it meets, and the test or vector that shows it.
//!
//! What is shown elsewhere is named; that it is there, and speaks of that check, is tested here.

use super::documents::{Federation, Template, entered, signed, taken, template, vector};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use fedaudit_core::ids::Digest;
use fedaudit_core::note::{Checkpoint, NoteError};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// What shows it.
enum Shown {
    /// A test that names the check: file below the workspace's root, and function.
    Test(&'static str, &'static str),
    /// A test, and the words by which it knows.
    Says(&'static str, &'static str, &'static str),
    /// A vector, and how the reason begins that it is refused for.
    Vector(&'static str, &'static str),
}
use Shown::{Says, Test, Vector};

const TAMPER: &str = "tests/tamper.rs";
const HERE: &str = "tests/matrix/attacks.rs";
const COLLECTED: &str = "tests/tamper/collected.rs";
const EPOCHS: &str = "tests/epochs.rs";
const PAST: &str = "tests/refusals/past.rs";

/// Attack, the check of `schemas/checks.md` that notices it, and what shows that.
#[rustfmt::skip]
const LIST: [(&str, &str, Shown); 43] = [
    ("the tail of a plan's log dropped", "report-logged",
        Test(TAMPER, "a_cut_log_with_an_old_checkpoint_lacks_the_report")),
    ("a dropped entry, held against its receipt", "receipt", Test(COLLECTED, "a_receipt_is_held_against_the_log")),
    ("the tail of a journal dropped", "fork",
        Says(PAST, "an_agent_with_an_older_home_halts_and_says_so", "that this journal does not lead to")),
    ("a journal rewritten behind a heartbeat", "journal",
        Test("tests/heartbeats.rs", "heartbeats_that_do_not_follow_are_refused_by_name")),
    ("the aggregator rolled back to a backup", "halted",
        Says(PAST, "an_aggregator_with_older_logs_halts_and_says_so", "halted: ")),
    ("a site rolled back to a backup", "fork",
        Says(EPOCHS, "an_older_home_goes_on_in_a_new_epoch", "older than what it signed")),
    ("an outbox rolled back to a backup", "sequence",
        Says(EPOCHS, "an_outbox_behind_its_fence_signs_nothing_and_is_mended_by_the_log",
            "outbox.sqlite is older than what it sent")),
    ("two histories of one log", "fork",
        Says("tests/witness/fork.rs", "two_histories", "the aggregator signed two histories of one log")),
    ("two homes of one site", "fork",
        Says(EPOCHS, "two_copies_of_a_home_release_once", "that this journal does not lead to")),
    ("entries of a log in another order", "plan-log", Test(TAMPER, "entries_cannot_be_dropped_doubled_or_moved")),
    ("a release again, by another site", "signer", Test(HERE, "a_release_said_again_elsewhere")),
    ("a release again, for another window", "release", Test(HERE, "a_release_said_again_elsewhere")),
    ("a release again, under another plan", "release", Test(HERE, "a_release_said_again_elsewhere")),
    ("a release again, under a later version of its plan", "release", Test(HERE, "a_release_said_again_elsewhere")),
    ("a release again, in another federation", "federation", Test(HERE, "a_release_said_again_elsewhere")),
    ("another federation's log", "plan-checkpoint", Test(TAMPER, "another_federation_is_no_witness")),
    ("a release again, in another epoch", "epoch", Test(HERE, "a_release_said_again_elsewhere")),
    ("a release of an epoch that ended", "epoch", Test(HERE, "a_release_of_an_epoch_that_ended")),
    ("an artifact of equal length in its place", "artifact", Test(HERE, "an_artifact_of_equal_length")),
    ("two artifacts swapped", "artifact", Test(TAMPER, "artifacts_cannot_be_swapped_or_left_out")),
    ("signed again by another site", "signer", Test(HERE, "signed_again_by_another_site")),
    ("a plan that came after its window", "report-numbers",
        Says("tests/federation.rs", "one_command_tells_berkeleys_story_and_is_verified",
            "retrospective: the plan was logged after its window began")),
    ("a plan switched inside the window", "report-numbers",
        Says("common/core/src/render/tests.rs", "a_plan_that_changed_inside_a_window_says_so",
            "a later version of the plan was signed inside a window")),
    ("a plan switched under its old signature", "artifact", Test(HERE, "an_artifact_of_equal_length")),
    ("a roster entry inserted late", "seen", Vector("release-seen-before-signer", "seen: ")),
    ("an entry of the registry that others had seen left out", "missing",
        Says(TAMPER, "entries_cannot_be_dropped_doubled_or_moved", "missing: ")),
    ("a report from a subset", "report-numbers", Test(TAMPER, "a_release_left_out_of_the_report_is_refuted")),
    ("a release kept out of log and report", "required-sites",
        Test(TAMPER, "a_release_left_out_of_the_log_too_leaves_the_question_open")),
    ("a cosignature by an unknown witness", "witnesses", Test("tests/witness/bundle.rs", "altered")),
    ("a proof for another log", "dispute", Vector("dispute-receipt-other-log", "dispute: ")),
    ("a receipt of another log", "receipt", Test(COLLECTED, "a_receipt_of_another_log_says_nothing")),
    ("a JSON key twice in an envelope", "envelope", Vector("envelope-twice", "duplicate field")),
    ("a JSON key twice in a statement", "statement", Vector("statement-twice", "duplicate field")),
    ("a JSON key twice in a release", "release", Vector("release-twice", "duplicate field")),
    ("base64 that is not canonical", "envelope", Test(HERE, "base64_that_is_not_canonical")),
    ("an envelope written otherwise by whoever carries it", "envelope", Vector("release-form-spaced", "envelope: ")),
    ("a stranger's signature beside a site's", "envelope", Vector("release-form-stranger-beside", "envelope: ")),
    ("a journal's checkpoint with a line of a key to come", "journal", Vector("release-journal-two-lines", "journal: ")),
    ("a document dated back, by naming nothing seen", "seen", Vector("release-seen-none", "seen: ")),
    ("evidence made with a stolen key", "key", Vector("conflict-key-revoked", "key: ")),
    ("two histories made with a log key that was given up", "signed-checkpoint",
        Says("tests/witness/fork.rs", "after_a_change_of_the_log_key_the_registry_says_who_signs", "a key that had ended")),
    ("bytes behind a document", "envelope", Vector("envelope-trailing", "envelope: ")),
    ("a TLS session resumed", "signer",
        Says("common/link/tests/quic.rs", "reconnecting_is_a_full_handshake", "Resumption::store")),
];

/// The text of a function, from its name to its last line.
fn function<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let at = text.find(&format!("fn {name}("))?;
    let end = text[at..].find("\n}\n").map_or(text.len(), |end| at + end);
    Some(&text[at..end])
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap_or_default()
}

#[test]
fn each_attack_is_shown_to_be_noticed() {
    let checks = read("schemas/checks.md");
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for (attack, check, shown) in &LIST {
        if !checks.contains(&format!("| `{check}` |")) {
            wrong.push(format!("{attack}: schemas/checks.md has no `{check}`"));
        }
        let right = match shown {
            Test(path, name) => function(&read(path), name).is_some_and(|text| text.contains(&format!("\"{check}\""))),
            Says(path, name, words) => function(&read(path), name).is_some_and(|text| text.contains(words)),
            Vector(name, says) => {
                let text = read(&format!("schemas/vectors/documents/{name}.json"));
                let vector: Value = serde_json::from_str(&text).unwrap_or_default();
                vector["expect"]["reject"].as_str().is_some_and(|reject| reject.starts_with(says))
            }
        };
        if !right {
            wrong.push(format!("{attack}: what shows it is gone, or says something else"));
        }
        assert!(names.insert(attack), "{attack} twice");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is said of a release whose statement was changed: with the signature that it had, and signed by its site again.
fn changed(federation: &Federation, edit: impl FnOnce(&mut Value)) -> [String; 2] {
    let (envelope, _) = entered(&vector("release-good"));
    let mut of = template("release");
    edit(&mut of.statement["predicate"]);
    let mut kept: Value = serde_json::from_slice(&envelope).expect("an envelope");
    kept["payload"] = json!(STANDARD.encode(of.statement.to_string()));
    let more = [entered(&vector("registry-site")), entered(&vector("registry-plan-next"))];
    let registry = federation.registry(&more);
    [kept.to_string().into_bytes(), signed(&of.statement, 5)]
        .map(|envelope| taken("release", &of, &envelope, &registry))
}

#[test]
fn a_release_said_again_elsewhere() {
    let federation = Federation::open();
    let plan = |vector_name: &str| Digest::of(&entered(&vector(vector_name)).1).to_string();
    let [later, private] = [plan("registry-plan-next"), Digest::of(&federation.entries[4].1).to_string()];
    let next = json!({ "start": "2026-02-01T00:00:00Z", "end": "2026-03-01T00:00:00Z" });
    let claim = |name: &'static str, new: Value| move |predicate: &mut Value| predicate["claim"]["release"][name] = new;
    let said = |edit: Box<dyn FnOnce(&mut Value)>| changed(&federation, edit);
    for (check, edit) in [
        ("signer", Box::new(claim("site", json!("site-b"))) as Box<dyn FnOnce(&mut Value)>),
        ("release", Box::new(claim("window", next))),
        ("release", Box::new(claim("plan", json!(private)))),
        ("release", Box::new(claim("plan", json!(later)))),
        ("epoch", Box::new(claim("epoch", json!(2)))),
        ("federation", Box::new(|predicate: &mut Value| predicate["federation"] = json!("alien"))),
    ] {
        let [kept, again] = said(edit);
        assert_eq!((kept.as_str(), again.as_str()), ("signature", check));
    }
    // The control: the same with nothing changed.
    let same = |predicate: &mut Value| predicate["issued_at"] = json!("2025-12-01T00:00:00Z");
    assert_eq!(said(Box::new(same))[1], "");
}

#[test]
fn a_release_of_an_epoch_that_ended() {
    let federation = Federation::open();
    let of = template("release");
    let epoch = template("epoch");
    let more = [(signed(&epoch.statement, 1), epoch.artifact)];
    let registry = federation.registry(&more);
    let mut behind = of.statement.clone();
    behind["predicate"]["seen"] = json!(registry.seen());
    assert_eq!(taken("release", &of, &signed(&behind, 5), &registry), "epoch");
    // What had seen no end of it stays as it was, however the registry grows.
    for registry in [&registry, &federation.registry(&[])] {
        assert_eq!(taken("release", &of, &signed(&of.statement, 5), registry), "");
    }
}

#[test]
fn an_artifact_of_equal_length() {
    let federation = Federation::open();
    for (kind, seed, from, to) in
        [("release", 5, "\"k\":5", "\"k\":1"), ("plan", 1, "\"k\":5", "\"k\":1"), ("abstention", 5, "site-a", "site-b")]
    {
        let of = template(kind);
        let text = String::from_utf8(of.artifact.clone()).expect("text");
        assert!(text.contains(from), "{kind}: {text}");
        let other = Template { artifact: text.replacen(from, to, 1).into_bytes(), ..template(kind) };
        assert_eq!(other.artifact.len(), of.artifact.len());
        let said = |of: &Template| taken(kind, of, &signed(&of.statement, seed), &federation.registry(&[]));
        assert_eq!((said(&of), said(&other)), (String::new(), "artifact".to_owned()), "{kind}");
    }
}

#[test]
fn signed_again_by_another_site() {
    let federation = Federation::open();
    let registry = federation.registry(&[entered(&vector("registry-site"))]);
    for kind in ["release", "abstention", "dispute", "heartbeat"] {
        let mut of = template(kind);
        of.statement["predicate"]["seen"] = json!(registry.seen());
        // The attest key of `site-b`, which is enrolled.
        assert_eq!(taken(kind, &of, &signed(&of.statement, 8), &registry), "signer", "{kind}");
    }
}

/// The last letter before the padding with another of the bits that no byte takes.
fn uncanonical(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let at = text.trim_end_matches('=').len() - 1;
    assert!(at + 1 < text.len(), "padded: {text}");
    let letter = ALPHABET.iter().position(|of| *of == text.as_bytes()[at]).expect("a letter");
    format!("{}{}{}", &text[..at], char::from(ALPHABET[letter ^ 1]), &text[at + 1..])
}

#[test]
fn base64_that_is_not_canonical() {
    let federation = Federation::open();
    let of = template("release");
    let registry = federation.registry(&[]);
    let good: Value = serde_json::from_slice(&signed(&of.statement, 5)).expect("an envelope");
    let mut other = good.clone();
    let sig = other["signatures"][0]["sig"].as_str().expect("text").to_owned();
    other["signatures"][0]["sig"] = json!(uncanonical(&sig));
    assert_eq!(taken("release", &of, other.to_string().as_bytes(), &registry), "envelope");
    assert_eq!(taken("release", &of, good.to_string().as_bytes(), &registry), "");
    // The same of a checkpoint's root: what is signed is the text, so its key signs it like this.
    let origin = "fed/registry";
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let checkpoint = Checkpoint { origin: origin.to_owned(), size: 5, root: Digest::of(b"any") };
    let note = checkpoint.sign(&key).expect("signs");
    let line = note.lines().last().and_then(|line| line.rsplit(' ').next()).expect("a signature").to_owned();
    assert!(registry.open_checkpoint(note.as_bytes(), origin).is_ok());
    // 4 bytes of key id and 64 of the signature: 68 = 3 * 22 + 2, so there are two bits to spare.
    let other = note.replace(&line, &uncanonical(&line));
    let found = registry.open_checkpoint(other.as_bytes(), origin);
    assert!(matches!(found, Err(NoteError::Malformed { .. })), "{found:?}");
}
