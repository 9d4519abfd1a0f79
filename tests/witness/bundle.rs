//! Bundles whose cosignatures were tampered with.

use crate::trust;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use fedaudit_core::bundle::{Bundle, pack, unpack};
use fedaudit_core::key::PublicKey;
use fedaudit_core::note::Cosigner;
use fedaudit_core::time::Time;
use fedaudit_tests::evidence::{judge, judge_with};
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

/// When each cosignature of a checkpoint says that it was made, in seconds (tlog-cosignature: after the key's id).
fn cosigned(note: &[u8]) -> Vec<u64> {
    let time = |line: &String| {
        let bytes = STANDARD.decode(line.trim_end().rsplit(' ').next().expect("a word")).expect("base64");
        u64::from_be_bytes(bytes[4..12].try_into().expect("eight bytes"))
    };
    split(note).1.iter().map(time).collect()
}

/// `--at`: the log stood as it does once the last witness that is needed had cosigned it, and nobody knows before.
pub fn asked_when(world: &World) {
    let bytes = std::fs::read(world.scratch("out/bundle.zip")).expect("reads");
    let trust = std::fs::read(trust(world)).expect("reads");
    let bundle = unpack(&bytes).expect("a bundle");
    let needed = [&bundle.registry, &bundle.plan].map(|part| *cosigned(&part.checkpoint).iter().max().expect("two"));
    let at = |seconds: u64| {
        let text = Time(i64::try_from(seconds).expect("small") * 1_000_000_000).to_string();
        let verdict = judge_with(&bytes, &trust, &["--at".as_ref(), text.as_ref()]);
        let said = verdict.checks.iter().filter(|check| check.check == "time");
        let said: Vec<_> = said.map(|check| (check.subject.clone(), check.outcome.clone())).collect();
        let others = verdict.checks.iter().filter(|check| check.check != "time");
        assert!(others.clone().all(|check| check.outcome == "pass"), "{verdict:#?}");
        (verdict.code, said)
    };
    let both = |registry: &str, plan: &str| {
        [("registry/checkpoint", registry), ("plan/checkpoint", plan)]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .to_vec()
    };
    let [registry, plan] = needed;
    assert!(registry <= plan, "the report was logged and cosigned last");
    assert_eq!(at(plan + 86_400), (0, both("pass", "pass")), "a day later");
    assert_eq!(at(plan), (0, both("pass", "pass")), "the very second");
    assert_eq!(at(registry - 1), (2, both("undecidable", "undecidable")), "before both");
    if registry < plan {
        assert_eq!(at(plan - 1), (2, both("pass", "undecidable")), "between them");
    }
    // One of two is not what the trust file asks for, however early it was.
    let stripped = edited(&bytes, |bundle| {
        let (head, lines) = split(&bundle.plan.checkpoint);
        bundle.plan.checkpoint = (head + &lines[0]).into_bytes();
    });
    let verdict = judge_with(&stripped, &trust, &["--at".as_ref(), "2100-01-01T00:00:00Z".as_ref()]);
    let open: Vec<_> = verdict.checks.iter().filter(|check| check.outcome != "pass").collect();
    let open: Vec<_> = open.iter().map(|check| (check.check.as_str(), check.subject.as_str())).collect();
    assert_eq!((verdict.code, open), (2, vec![("witnesses", "plan/checkpoint"), ("time", "plan/checkpoint")]));
}
