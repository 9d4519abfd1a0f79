//! What a witness answers, by the letter of C2SP tlog-witness.

use crate::{Witness, trust, world};
use ed25519_dalek::SigningKey;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::KeyUse;
use fedaudit_core::merkle::ProofError;
use fedaudit_core::merkle::{Frontier, consistency_proof, leaf_hash};
use fedaudit_core::note::{Checkpoint, Cosigner, NoteError, WitnessRequest, cosignatures};
use fedaudit_link::home::load_key;
use fedaudit_tests::http::{Answer, Http};
use fedaudit_tests::world::World;

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

/// A witness, the log key of its federation, and a plan's origin.
struct Bench {
    witness: Witness,
    log: SigningKey,
    stranger: SigningKey,
    federation: String,
    origin: String,
    world: World,
}

impl Bench {
    fn new() -> Bench {
        let mut witness = Witness::new("a.example/w");
        let world = world(&[&witness], "1");
        witness.start(&trust(&world));
        let key = |usage: KeyUse| load_key(&world.home().join("keys").join(format!("{usage}.key"))).expect("a key");
        let (log, stranger) = (key(KeyUse::Log), key(KeyUse::Attest));
        let federation = world.dataset.federation.to_string();
        let origin = format!("{federation}/plan/{}", "ab".repeat(32));
        Bench { witness, log, stranger, federation, origin, world }
    }

    fn post(&self, body: &str) -> Answer {
        let mut http = Http::connect(&self.witness.url()).expect("connects");
        http.ask("POST", "/add-checkpoint", &[], body.as_bytes()).expect("answers")
    }

    fn add(&self, old: u64, size: u64, last: u64, proof: &[Digest]) -> Answer {
        let checkpoint = signed(&self.origin, size, last, &self.log);
        self.post(&WitnessRequest { old, proof: proof.to_vec(), checkpoint }.to_text())
    }

    /// The size that a refusal names.
    fn conflict(&self, old: u64, size: u64, last: u64, proof: &[Digest]) -> String {
        let answer = self.add(old, size, last, proof);
        let kind = answer.headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
        assert_eq!((answer.status, kind), (409, Some("text/x.tlog.size")), "{answer:?}");
        answer.body
    }

    /// How many cosignatures of the log at this size a line is.
    fn cosigned(&self, size: u64, line: &str) -> Result<usize, NoteError> {
        let key = Cosigner::parse(&self.witness.key).expect("a key");
        let text = Checkpoint { origin: self.origin.clone(), size, root: tree(size, size - 1).0 }.text();
        let note = format!("{text}\n{line}");
        cosignatures(note.as_bytes(), std::slice::from_ref(&key)).map(|found| found.len())
    }

    fn held(&self) -> String {
        let mut http = Http::connect(&self.witness.url()).expect("connects");
        let path = format!("/checkpoint/{}", Digest::of(self.origin.as_bytes()));
        http.ask("GET", &path, &[], b"").expect("answers").body
    }
}

fn signed(origin: &str, size: u64, last: u64, key: &SigningKey) -> String {
    let checkpoint = Checkpoint { origin: origin.to_owned(), size, root: tree(size, last).0 };
    checkpoint.sign(key).expect("signs")
}

fn proof(old: u64, new: u64) -> Vec<Digest> {
    consistency_proof(old, new, tree(new, new - 1).1).expect("proves")
}

#[test]
fn each_status_where_the_specification_wants_it() {
    let bench = Bench::new();
    // Nothing of it is known yet.
    let first = bench.add(0, 5, 4, &[]);
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(bench.cosigned(5, &first.body), Ok(1));
    assert!(matches!(bench.cosigned(6, &first.body), Err(NoteError::BadSignature { .. })));
    assert_eq!(bench.conflict(0, 8, 7, &[]), "5\n");
    assert_eq!(bench.conflict(4, 8, 7, &proof(4, 8)), "5\n");
    assert_eq!(bench.conflict(5, 5, 99, &[]), "5\n", "another root of the size that it holds");
    assert_eq!(bench.conflict(3, 4, 3, &proof(3, 4)), "5\n", "rolled back");
    assert_eq!(bench.add(9, 8, 7, &[]).status, 400, "old size above the checkpoint's");
    assert_eq!(bench.add(5, 8, 7, &proof(4, 8)).status, 422);
    assert_eq!(bench.add(5, 8, 7, &[]).status, 422);
    assert_eq!(bench.add(5, 8, 99, &proof(5, 8)).status, 422, "forked");
    let unknown = |origin: &str| {
        let checkpoint = signed(origin, 5, 4, &bench.log);
        bench.post(&WitnessRequest { old: 0, proof: vec![], checkpoint }.to_text()).status
    };
    let federation = &bench.federation;
    for other in ["other/registry", &format!("{federation}/plan/x"), &format!("{federation}/a/1/ledger"), federation] {
        assert_eq!(unknown(other), 404, "{other}");
    }
    let request =
        |checkpoint: String| bench.post(&WitnessRequest { old: 5, proof: proof(5, 8), checkpoint }.to_text()).status;
    assert_eq!(request(signed(&bench.origin, 8, 7, &bench.stranger)), 403);
    // A line in the witness's own name that is not its own must not be kept.
    assert_eq!(request(signed(&bench.origin, 8, 7, &bench.log) + &first.body), 400);
    for body in ["", "old 5\n", "old 05\n\n", "old 5\nx\n\n"] {
        assert_eq!(bench.post(body).status, 400, "{body:?}");
    }
    assert_eq!(bench.post(&"x".repeat(100_000)).status, 413);
}

#[test]
fn a_witness_that_is_killed_knows_what_it_cosigned() {
    let mut bench = Bench::new();
    let first = bench.add(0, 5, 4, &[]);
    assert_eq!(first.status, 200, "{first:?}");
    bench.witness.kill();
    bench.witness.start(&trust(&bench.world));
    assert_eq!(bench.conflict(0, 8, 7, &[]), "5\n");
    assert_eq!(bench.held(), signed(&bench.origin, 5, 4, &bench.log) + &first.body, "the whole checkpoint, as it came");
    let second = bench.add(5, 8, 7, &proof(5, 8));
    assert_eq!((second.status, bench.cosigned(8, &second.body)), (200, Ok(1)), "{second:?}");
    assert_eq!(bench.held(), signed(&bench.origin, 8, 7, &bench.log) + &second.body);
    // What it keeps is altered: it cosigns nothing of that log, and does not start again.
    let path = bench.witness.home().join("checkpoints").join(Digest::of(bench.origin.as_bytes()).to_string());
    let kept = std::fs::read_to_string(&path).expect("reads");
    std::fs::write(&path, kept.replacen("\n8\n", "\n7\n", 1)).expect("writes");
    assert_eq!(bench.add(8, 9, 8, &proof(8, 9)).status, 500);
    bench.witness.kill();
    let trust = trust(&bench.world).display().to_string();
    bench.witness.command(&["--listen", "127.0.0.1:0", "--trust", &trust]).fault("operator", &["checkpoints/"]);
}
