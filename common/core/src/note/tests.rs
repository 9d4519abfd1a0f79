use super::*;
use crate::merkle::{Frontier, consistency_proof, inclusion_proof, leaf_hash};
use proptest::prelude::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn verifier(name: &str, seed: u8) -> VerifierKey {
    VerifierKey { name: name.to_owned(), key: PublicKey::of(&key(seed)) }
}

/// The key `PRIVATE+KEY+PeterNeumann+...` that Go's note package publishes as its example.
#[test]
fn signs_what_go_signs() -> Result<(), NoteError> {
    let encoded = STANDARD.decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz").expect("base64");
    let key = SigningKey::from_bytes(encoded[1..].try_into().expect("32 bytes"));
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n";
    let line = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    assert_eq!(sign_note(text, "PeterNeumann", &key)?, format!("{text}\n{line}"));
    let verifier = VerifierKey { name: "PeterNeumann".to_owned(), key: PublicKey::of(&key) };
    assert_eq!(verifier.to_string(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    Ok(())
}

#[test]
fn only_notes_that_can_be_opened_are_signed() {
    for (text, name) in [
        ("", "a"),
        ("no newline", "a"),
        ("tab\t\n", "a"),
        ("cr\r\n", "a"),
        ("text\n", ""),
        ("text\n", "a b"),
        ("text\n", "a+b"),
        ("text\n", "a\nb"),
        ("text\n", "a\u{1}b"),
        ("text\n", "a\u{2003}b"),
        (&("x".repeat(limits::NOTE_BYTES) + "\n"), "a"),
    ] {
        let result = sign_note(text, name, &key(1));
        assert!(matches!(result, Err(NoteError::Malformed { .. })), "{name:?}: {result:?}");
    }
    let root = crate::ids::Digest([1; 32]);
    for (origin, size) in [("a b", 1), ("a\nb", 1), ("", 1), ("a", 0)] {
        assert!(Checkpoint { origin: origin.to_owned(), size, root }.sign(&key(1)).is_err(), "{origin:?} {size}");
    }
}

#[test]
fn keys_that_cannot_be_told_apart_are_refused() -> Result<(), NoteError> {
    let note = sign_note("text\n", "a", &key(1))?;
    let twice = [verifier("a", 1), verifier("a", 1)];
    assert_eq!(open_note(note.as_bytes(), &twice)?.signers, vec![verifier("a", 1)]);
    let both = [verifier("a", 1), verifier("a", 2), verifier("b", 1)];
    assert_eq!(open_note(note.as_bytes(), &both)?.signers, vec![verifier("a", 1)]);
    Ok(())
}

#[test]
fn errors_say_what_was_expected_and_found() -> Result<(), NoteError> {
    let note = sign_note("text\n", "a", &key(1))?;
    let unknown = open_note(note.as_bytes(), &[verifier("b", 1)]).expect_err("unknown");
    assert_eq!(
        unknown.to_string(),
        format!("expected a signature by {}, found 1 signature line(s), all by other keys", verifier("b", 1).label())
    );
    let malformed = open_note(b"x\r\n", &[]).expect_err("malformed");
    assert_eq!(malformed.to_string(), "malformed: expected no control characters but newline, found byte 0x0d");
    let large = open_note(&vec![b'x'; limits::NOTE_BYTES + 1], &[]).expect_err("large");
    assert_eq!(large.to_string(), "malformed: expected a note of at most 64 KiB, found 65537 bytes");
    Ok(())
}

fn log_proof(size: u64, index: u64, extra: Option<Vec<u8>>) -> Result<LogProof, NoteError> {
    let leaves: Vec<_> = (0..size).map(|i| leaf_hash(&i.to_be_bytes())).collect();
    let read = |level: u32, index: u64| -> Result<Digest, ProofError> {
        let mut frontier = Frontier::new();
        leaves[(index << level) as usize..((index + 1) << level) as usize].iter().for_each(|leaf| frontier.push(*leaf));
        Ok(frontier.root())
    };
    let checkpoint = Checkpoint { origin: "f/plan".to_owned(), size, root: crate::merkle::root_at(size, read)? };
    assert!(consistency_proof(index, size, read).is_ok());
    let hashes = inclusion_proof(index, size, read)?;
    Ok(LogProof { index, extra, hashes, checkpoint: checkpoint.sign(&key(1))? })
}

proptest! {
    #[test]
    fn notes_open_as_they_were_signed(text in "([^\\x00-\\x1f]|\n){0,60}", name in "[^\\s+\\x00-\\x1f]{1,20}", bit: usize) {
        let text = text + "\n";
        let note = sign_note(&text, &name, &key(1))?;
        let keys = [verifier(&name, 1)];
        let opened = open_note(note.as_bytes(), &keys)?;
        prop_assert_eq!(opened.text, text);
        prop_assert_eq!(&opened.signers[..], &keys[..]);
        let mut bent = note.into_bytes();
        let at = bit % (bent.len() * 8);
        bent[at / 8] ^= 1 << (at % 8);
        prop_assert!(open_note(&bent, &keys).is_err());
    }

    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>, text in "\\PC*\n\n\u{2014} \\PC*\n") {
        let keys = [verifier("a", 1)];
        prop_assert!(open_note(&bytes, &keys).is_err());
        prop_assert!(open_note(text.as_bytes(), &keys).is_err());
        prop_assert!(LogProof::parse(&text).is_err());
        prop_assert!(Checkpoint::parse_text(&text).is_err());
        prop_assert!(VerifierKey::parse(&text).is_err());
    }

    #[test]
    fn keys_and_checkpoints_are_read_as_written(seed: u8, name in "[^\\s+\\x00-\\x1f]{1,20}", size in 1_u64.., root: [u8; 32]) {
        let key_of = verifier(&name, seed);
        prop_assert_eq!(VerifierKey::parse(&key_of.to_string())?, key_of.clone());
        let checkpoint = Checkpoint { origin: name.clone(), size, root: Digest(root) };
        prop_assert_eq!(&Checkpoint::parse_text(&checkpoint.text())?, &checkpoint);
        let note = checkpoint.sign(&key(seed))?;
        prop_assert_eq!(&Checkpoint::open(note.as_bytes(), &name, &key_of.key)?, &checkpoint);
        prop_assert!(Checkpoint::open(note.as_bytes(), &(name + "x"), &key_of.key).is_err());
    }

    #[test]
    fn log_proofs_are_read_as_written(size in 1..60_u64, at: u64, extra: Option<Vec<u8>>, bit: usize) {
        let index = at % size;
        let proof = log_proof(size, index, extra)?;
        let text = proof.to_text();
        let read = LogProof::parse(&text)?;
        prop_assert_eq!(&read, &proof);
        let entry = index.to_be_bytes();
        let log = PublicKey::of(&key(1));
        prop_assert_eq!(read.verify(&entry, "f/plan", &log)?.size, size);
        prop_assert!(read.verify(b"another", "f/plan", &log).is_err());
        prop_assert!(read.verify(&entry, "f/plan2", &log).is_err());
        // A flipped bit is refused wherever it stands but in the extra data, which nothing authenticates.
        let mut bent = text.into_bytes();
        let at = bit % (bent.len() * 8);
        bent[at / 8] ^= 1 << (at % 8);
        let held = String::from_utf8(bent).ok().and_then(|text| LogProof::parse(&text).ok());
        if let Some(held) = held.filter(|held| held.verify(&entry, "f/plan", &log).is_ok()) {
            prop_assert!(held.extra != proof.extra);
        }
    }
}
