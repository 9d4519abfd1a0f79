//! What a witness answers, by the letter of C2SP tlog-witness.

use crate::{Witness, trust, world};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::KeyUse;
use fedaudit_core::merkle::ProofError;
use fedaudit_core::merkle::{Frontier, consistency_proof, leaf_hash};
use fedaudit_core::note::{Checkpoint, Cosigner, NoteError, WitnessRequest, cosignatures};
use fedaudit_link::home::load_key;
use fedaudit_tests::http::{Answer, Http};

/// A log in memory of the entries 0, 1, 2, ..., the last of which is `last`.
fn tree(size: u64, last: u64) -> (Digest, impl Fn(u32, u64) -> Result<Digest, ProofError>) {
    let leaf = move |at: u64| leaf_hash(&if at + 1 == size { last } else { at }.to_be_bytes());
    let node = move |level: u32, index: u64| {
        let mut tree = Frontier::new();
        (index << level..(index + 1) << level).for_each(|at| tree.push(leaf(at)));
        Ok(tree.root())
    };
    let mut whole = Frontier::new();
    (0..size).for_each(|at| whole.push(leaf(at)));
    (whole.root(), node)
}

#[test]
fn each_status_where_the_specification_wants_it() {
    let mut witness = Witness::new("a.example/w");
    let world = world(&[&witness], "1");
    witness.start(&trust(&world));
    let log = load_key(&world.home().join("keys").join(format!("{}.key", KeyUse::Log))).expect("a key");
    let attest = load_key(&world.home().join("keys").join(format!("{}.key", KeyUse::Attest))).expect("a key");
    let federation = world.dataset.federation.to_string();
    let origin = format!("{federation}/plan/{}", "ab".repeat(32));
    let signed = |origin: &str, size: u64, last: u64, key| {
        let checkpoint = Checkpoint { origin: origin.to_owned(), size, root: tree(size, last).0 };
        checkpoint.sign(key).expect("signs")
    };
    let key = Cosigner::parse(&witness.key).expect("a key");
    let url = witness.url();
    let post = |body: &str| -> Answer {
        let mut http = Http::connect(&url).expect("connects");
        http.ask("POST", "/add-checkpoint", &[], body.as_bytes()).expect("answers")
    };
    let add = |old: u64, size: u64, last: u64, proof: &[Digest]| {
        let checkpoint = signed(&origin, size, last, &log);
        post(&WitnessRequest { old, proof: proof.to_vec(), checkpoint }.to_text())
    };
    let proof = |old: u64, new: u64| consistency_proof(old, new, tree(new, new - 1).1).expect("proves");
    // Nothing of it is known yet.
    let first = add(0, 5, 4, &[]);
    assert_eq!(first.status, 200, "{first:?}");
    let cosigned = |size: u64, line: &str| {
        let text = Checkpoint { origin: origin.clone(), size, root: tree(size, size - 1).0 }.text();
        let note = format!("{text}\n{line}");
        cosignatures(note.as_bytes(), std::slice::from_ref(&key)).map(|found| found.len())
    };
    assert_eq!(cosigned(5, &first.body), Ok(1));
    assert!(matches!(cosigned(6, &first.body), Err(NoteError::BadSignature { .. })));
    let conflict = |answer: Answer| {
        let kind = answer.headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.clone());
        assert_eq!((answer.status, kind.as_deref()), (409, Some("text/x.tlog.size")), "{answer:?}");
        answer.body
    };
    assert_eq!(conflict(add(0, 8, 7, &[])), "5\n");
    assert_eq!(conflict(add(4, 8, 7, &proof(4, 8))), "5\n");
    assert_eq!(conflict(add(5, 5, 99, &[])), "5\n", "another root of the size that it holds");
    assert_eq!(conflict(add(3, 4, 3, &proof(3, 4))), "5\n", "rolled back");
    assert_eq!(add(9, 8, 7, &[]).status, 400, "old size above the checkpoint's");
    assert_eq!(add(5, 8, 7, &proof(4, 8)).status, 422);
    assert_eq!(add(5, 8, 7, &[]).status, 422);
    assert_eq!(add(5, 8, 99, &proof(5, 8)).status, 422, "forked");
    let unknown = |origin: &str| {
        post(&WitnessRequest { old: 0, proof: vec![], checkpoint: signed(origin, 5, 4, &log) }.to_text()).status
    };
    for other in
        ["other/registry", &format!("{federation}/plan/x"), &format!("{federation}/dept-a/1/ledger"), &federation]
    {
        assert_eq!(unknown(other), 404, "{other}");
    }
    let request =
        |checkpoint: String| post(&WitnessRequest { old: 5, proof: proof(5, 8), checkpoint }.to_text()).status;
    assert_eq!(request(signed(&origin, 8, 7, &attest)), 403);
    let genuine = signed(&origin, 8, 7, &log);
    // A line in the witness's own name that is not its own must not be kept.
    assert_eq!(request(genuine.clone() + &first.body), 400);
    for body in ["", "old 5\n", "old 05\n\n", "old 5\nx\n\n"] {
        assert!([400, 404].contains(&post(body).status), "{body:?}");
    }
    assert_eq!(post(&"x".repeat(100_000)).status, 413);
    // Killed between two requests: it knows what it cosigned, and goes on from there.
    witness.kill();
    witness.start(&trust(&world));
    assert_eq!(conflict(add(0, 8, 7, &[])), "5\n");
    let held = |witness: &Witness| {
        let mut http = Http::connect(&witness.url()).expect("connects");
        let path = format!("/checkpoint/{}", Digest::of(origin.as_bytes()));
        http.ask("GET", &path, &[], b"").expect("answers").body
    };
    assert_eq!(held(&witness), signed(&origin, 5, 4, &log) + &first.body, "the whole signed checkpoint, as it came");
    let second = add(5, 8, 7, &proof(5, 8));
    assert_eq!((second.status, cosigned(8, &second.body)), (200, Ok(1)), "{second:?}");
    assert_eq!(held(&witness), genuine + &second.body);
    // What it keeps is altered: it cosigns nothing of that log, and does not start again.
    let path = witness.home().join("checkpoints").join(Digest::of(origin.as_bytes()).to_string());
    let kept = std::fs::read_to_string(&path).expect("reads");
    std::fs::write(&path, kept.replacen("\n8\n", "\n7\n", 1)).expect("writes");
    assert_eq!(add(8, 9, 8, &proof(8, 9)).status, 500);
    witness.kill();
    let trust = trust(&world).display().to_string();
    witness.command(&["--listen", "127.0.0.1:0", "--trust", &trust]).fault("operator", &["checkpoints/"]);
}
