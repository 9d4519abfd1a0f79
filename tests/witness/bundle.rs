//! Bundles whose cosignatures were tampered with.

use crate::trust;
use fedaudit_core::bundle::{Bundle, pack, unpack};
use fedaudit_core::key::PublicKey;
use fedaudit_core::note::Cosigner;
use fedaudit_core::time::Time;
use fedaudit_tests::evidence::judge;
use fedaudit_tests::world::World;

/// The lines of a checkpoint: its text with the log's signature, then the cosignatures.
fn split(note: &[u8]) -> (String, Vec<String>) {
    let note = String::from_utf8(note.to_vec()).expect("text");
    let at = note.find("\n\n").expect("a blank line") + 2;
    let mut lines = note[at..].split_inclusive('\n').map(str::to_owned);
    let log = lines.next().expect("the log's line");
    (note[..at].to_owned() + &log, lines.collect())
}

fn edited(bundle: &[u8], edit: impl FnOnce(&mut Bundle)) -> Vec<u8> {
    let mut bundle = unpack(bundle).expect("a bundle");
    edit(&mut bundle);
    pack(&bundle).expect("packs")
}

/// What was made of the bundle of a federation whose trust file asks for both of two witnesses.
pub fn altered(world: &World) {
    let bundle = std::fs::read(world.scratch("out/bundle.zip")).expect("reads");
    let trust = std::fs::read(trust(world)).expect("reads");
    let stripped = edited(&bundle, |bundle| {
        let (head, lines) = split(&bundle.plan.checkpoint);
        assert_eq!(lines.len(), 2);
        bundle.plan.checkpoint = (head + &lines[0]).into_bytes();
    });
    let check = judge(&stripped, &trust);
    assert_eq!(check.is(2, "witnesses", "plan/checkpoint").found, "1 of 2");
    let none = edited(&bundle, |bundle| bundle.registry.checkpoint = split(&bundle.registry.checkpoint).0.into_bytes());
    assert_eq!(judge(&none, &trust).is(2, "witnesses", "registry/checkpoint").found, "0 of 2");
    // One witness twice is one witness.
    let twice = edited(&bundle, |bundle| {
        let (head, lines) = split(&bundle.plan.checkpoint);
        bundle.plan.checkpoint = (head + &lines[0] + &lines[0]).into_bytes();
    });
    assert_eq!(judge(&twice, &trust).is(2, "witnesses", "plan/checkpoint").found, "1 of 2");
    // One that nobody knows counts for nothing, under whatever name.
    let unknown = edited(&bundle, |bundle| {
        let (head, lines) = split(&bundle.plan.checkpoint);
        let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
        let text = head.split_inclusive('\n').take(3).collect::<String>();
        let stranger = Cosigner { name: "a.example/w".to_owned(), key: PublicKey::of(&key) };
        let line = stranger.cosign(&text, Time(0), &key).expect("signs");
        bundle.plan.checkpoint = (head + &lines[1] + &line).into_bytes();
    });
    assert_eq!(judge(&unknown, &trust).is(2, "witnesses", "plan/checkpoint").found, "1 of 2");
    // Cosignatures of another checkpoint, and of a flipped bit.
    let copied = edited(&bundle, |bundle| {
        let other = split(&bundle.registry.checkpoint).1.concat();
        bundle.plan.checkpoint = (split(&bundle.plan.checkpoint).0 + &other).into_bytes();
    });
    judge(&copied, &trust).is(1, "witnesses", "plan/checkpoint");
    let bent = edited(&bundle, |bundle| {
        let (head, mut lines) = split(&bundle.plan.checkpoint);
        let at = lines[1].len() - 20;
        let other = if lines[1].as_bytes()[at] == b'A' { "B" } else { "A" };
        lines[1].replace_range(at..=at, other);
        bundle.plan.checkpoint = (head + &lines.concat()).into_bytes();
    });
    judge(&bent, &trust).is(1, "witnesses", "plan/checkpoint");
}
