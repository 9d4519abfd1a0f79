//! A witness after a change of the log key: the new trust file alone, and what it kept.

use crate::{PATIENCE, SITES, Witness, trust, world};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::KeyUse;
use fedaudit_core::note::{Checkpoint, WitnessRequest};
use fedaudit_core::roster::registry_origin;
use fedaudit_link::home::load_key;
use fedaudit_tests::http::{Answer, Http};
use std::time::{Duration, Instant};

/// Origin, size and root that the witness holds of the registry.
fn held(witness: &Witness, origin: &str) -> Checkpoint {
    let path = format!("/checkpoint/{}", Digest::of(origin.as_bytes()));
    let note =
        Http::connect(&witness.url()).and_then(|mut http| http.ask("GET", &path, &[], b"")).expect("answers").body;
    Checkpoint::parse_text(&note[..=note.find("\n\n").expect("a note")]).expect("a checkpoint")
}

#[test]
fn the_new_trust_file_takes_the_place_of_the_old_one() {
    let mut witness = Witness::new("one");
    let world = world(&[&witness], "1");
    let origin = registry_origin(&world.dataset.federation);
    witness.start(&trust(&world));
    world.enrol(SITES[0]);
    let given_up = load_key(&world.home().join("keys").join(format!("{}.key", KeyUse::Log))).expect("a key");
    world.aggregator(&["key", "rotate", "log"]).good();
    world.aggregator(&["site", "rotate", "aggregator"]).good();
    let before = held(&witness, &origin);
    witness.kill();
    let (first, present) = (trust(&world), world.scratch("present.json"));
    world.aggregator(&["trust", "export", "--for-witness", "--out", &present.to_string_lossy()]).good();
    let [old, new] = [&first, &present].map(|path| path.display().to_string());
    let said = witness.command(&["--listen", "127.0.0.1:0", "--trust", &old, "--trust", &new]);
    said.fault("operator", &["two trust files name different log keys", "the newest alone"]);

    // It goes on from what it kept.
    witness.start(&present);
    world.enrol(SITES[1]);
    let end = Instant::now() + PATIENCE;
    while held(&witness, &origin).size <= before.size {
        assert!(Instant::now() < end, "the next checkpoint is cosigned");
        std::thread::sleep(Duration::from_millis(50));
    }
    // Whoever has the key that was given up gets nothing by it: not the very checkpoint that is held, nor a longer log.
    let now = held(&witness, &origin);
    for (size, root) in [(now.size, now.root), (now.size + 1, Digest([7; 32]))] {
        let checkpoint = Checkpoint { origin: origin.clone(), size, root }.sign(&given_up).expect("signs");
        let body = WitnessRequest { old: now.size, proof: Vec::new(), checkpoint }.to_text();
        let mut http = Http::connect(&witness.url()).expect("connects");
        let Answer { status, .. } = http.ask("POST", "/add-checkpoint", &[], body.as_bytes()).expect("answers");
        assert_eq!(status, 403);
    }
    assert_eq!(held(&witness, &origin), now);
}
