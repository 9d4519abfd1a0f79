//! Checkpoints, tiles, entry bundles and receipts through the crates `signed_note` and `tlog_tiles`.

use crate::artifacts::{Federation, federations, statement};
use fedaudit_agent::outbox::Outbox;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::KeyUse;
use fedaudit_core::log::Log;
use fedaudit_core::note::VerifierKey;
use fedaudit_core::roster::{Party, Registry, plan_origin, registry_origin};
use fedaudit_core::{codec, log::TileReader as OurReader};
use signed_note::{Note, StandardVerifier, VerifierList};
use std::collections::HashMap;
use std::path::Path;
use tlog_tiles::tlog::{Error, Hash, HashReader};
use tlog_tiles::{
    Checkpoint, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record, prove_tree, record_hash,
    stored_hash_index, stored_hashes, tree_hash,
};

/// Tiles by the specification's path, which unlike the crate's has no height in it.
struct Files<'a>(&'a dyn Fn(&str) -> Option<Vec<u8>>);

impl TileReader for Files<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| (self.0)(&tile.path().replacen("tile/8/", "tile/", 1)).ok_or(Error::InvalidTile);
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// All hashes of a tree, in the crate's order, made by the crate from the entries alone.
#[derive(Default)]
struct Memory(Vec<Hash>);

impl HashReader for Memory {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let at = |index: &u64| self.0.get(usize::try_from(*index).expect("small")).copied();
        indexes.iter().map(|index| at(index).ok_or(Error::IndexesNotInTree)).collect()
    }
}

impl Memory {
    fn of(entries: &[Vec<u8>]) -> Memory {
        let mut memory = Memory::default();
        for (index, entry) in (0..).zip(entries) {
            let more = stored_hashes(index, entry, &memory).expect("the tree grows");
            memory.0.extend(more);
        }
        memory
    }
}

/// A checkpoint that `signed_note` verified, as `tlog_tiles` reads it.
fn open(note: &[u8], key: &VerifierKey) -> Checkpoint {
    let verifier = StandardVerifier::new(&key.to_string()).expect("a verifier key that others can read");
    let note = Note::from_bytes(note).expect("a signed note");
    let (verified, unverified) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).expect("a good signature");
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let checkpoint = Checkpoint::from_bytes(note.text()).expect("a checkpoint");
    assert_eq!((checkpoint.origin(), checkpoint.extension()), (key.name.as_str(), ""));
    checkpoint
}

/// The registry that a bundle holds.
fn registry(federation: &Federation) -> Registry {
    let trust = std::fs::read(federation.out.join("trust.json")).expect("trust.json");
    let mut registry = Registry::new(codec::from_json(&trust).expect("valid"));
    let part = &federation.bundle.registry;
    for entry in &part.entries {
        let subject = &statement(entry)["subject"][0]["digest"]["sha256"];
        let digest = subject.as_str().and_then(Digest::from_hex).expect("a digest");
        registry.apply(entry, &part.artifacts[&digest]).expect("a real entry");
    }
    registry
}

fn log_key(registry: &Registry, origin: String) -> VerifierKey {
    let aggregator = registry.party(&Party::Aggregator).expect("it is in the roster");
    VerifierKey { name: origin, key: aggregator.key(KeyUse::Log).expect("it has a log key") }
}

fn plan_of(registry: &Registry) -> Digest {
    *registry.plans().next().expect("there is a plan").0
}

/// The entries of a log, from its entry bundles (C2SP tlog-tiles).
fn entries(size: u64, read: &dyn Fn(&str) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    for tile in Tile::new_tiles(8, 0, size).iter().filter(|tile| tile.level() == 0) {
        let bundle = read(&tile.path().replacen("tile/8/0/", "tile/entries/", 1)).expect("an entry bundle");
        let mut rest = &bundle[..];
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (entry, after) = after.split_at(u16::from_be_bytes(*length).into());
            entries.push(entry.to_vec());
            rest = after;
        }
        assert!(rest.is_empty());
    }
    assert_eq!(entries.len() as u64, size);
    entries
}

/// Root, inclusion and consistency, from the tiles and from the entries, by the crate alone.
fn check_log(size: u64, root: Hash, picks: &[u64], read: &dyn Fn(&str) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let entries = entries(size, read);
    let memory = Memory::of(&entries);
    assert_eq!(tree_hash(size, &memory).expect("a root"), root, "the entries lead to the root");
    let files = Files(read);
    let tiles = TileHashReader::new(size, root, &files);
    assert_eq!(tree_hash(size, &tiles).expect("a root"), root, "the tiles lead to the root");
    for &index in picks {
        let entry = record_hash(&entries[usize::try_from(index).expect("small")]);
        assert_eq!(tiles.read_hashes(&[stored_hash_index(0, index)]).expect("a leaf"), [entry]);
        let proof = prove_record(size, index, &tiles).expect("a proof");
        check_record(&proof, size, root, index, entry).expect("the entry is in the log");
        let older = tree_hash(index + 1, &memory).expect("an older root");
        let proof = prove_tree(size, index + 1, &tiles).expect("a proof");
        check_tree(&proof, size, root, index + 1, older).expect("the log only grew");
    }
    entries
}

#[test]
fn the_aggregators_logs_are_tiled_logs() {
    for federation in federations() {
        let registry = registry(federation);
        let (name, plan) = (&registry.trust().federation, plan_of(&registry));
        let logs = federation.home("aggregator").join("logs");
        let cases = [
            (registry_origin(name), logs.join("registry"), &federation.bundle.registry),
            (plan_origin(name, &plan), logs.join("plan").join(plan.to_string()), &federation.bundle.plan),
        ];
        for (origin, folder, part) in cases {
            let key = log_key(&registry, origin.clone());
            let checkpoint = open(&std::fs::read(folder.join("checkpoint")).expect("a checkpoint"), &key);
            assert_eq!(open(&part.checkpoint, &key), checkpoint, "the bundle has the last checkpoint");
            let read = |path: &str| std::fs::read(folder.join(path)).ok();
            let all: Vec<u64> = (0..checkpoint.size()).collect();
            assert_eq!(check_log(checkpoint.size(), *checkpoint.hash(), &all, &read), part.entries);
        }
        assert_eq!(log_key(&registry, registry_origin(name)).to_string(), registry.trust().registry);
    }
}

#[test]
fn a_checkpoint_with_a_changed_byte_is_refused_elsewhere() {
    let federation = &federations()[0];
    let registry = registry(federation);
    let key = log_key(&registry, registry_origin(&registry.trust().federation));
    let verifier = || StandardVerifier::new(&key.to_string()).expect("a key");
    let note = &federation.bundle.registry.checkpoint;
    let verifies = |bytes: &[u8]| {
        Note::from_bytes(bytes).is_ok_and(|note| note.verify(&VerifierList::new(vec![Box::new(verifier())])).is_ok())
    };
    assert!(verifies(note));
    for at in 0..note.len() {
        let mut changed = note.clone();
        changed[at] ^= 1;
        assert!(!verifies(&changed), "byte {at}");
    }
}

/// Full tiles, and tiles of tiles, which no federation of a test is large enough for.
#[test]
fn large_logs_are_tiled_logs() {
    for size in [255_u64, 256, 257, 65_536 + 300] {
        let written: Vec<Vec<u8>> = (0..size).map(|n| n.to_string().into_bytes()).collect();
        let mut log = Log::new();
        let mut files = HashMap::new();
        let (first, second) = written.split_at(written.len() / 3);
        for part in [first, second] {
            let appended = log.append(part).expect("appends");
            files.extend(appended.writes.into_iter().map(|file| (file.path, file.bytes)));
        }
        let root = Hash(log.root().0);
        let read = |path: &str| files.get(path).cloned();
        let picks = [0, size / 3, 255.min(size - 1), size - 1];
        assert_eq!(check_log(size, root, &picks, &read), written);
        // Our proofs are theirs.
        let ours = |path: &str| files.get(path).cloned().ok_or(fedaudit_core::log::LogError::EntryBytes { found: 0 });
        let proof = OurReader::new(size, ours).consistency_proof(size / 3, size).expect("a proof");
        let memory = Memory::of(&written);
        assert_eq!(theirs(&proof), prove_tree(size, size / 3, &memory).expect("a proof"));
    }
}

fn theirs(hashes: &[Digest]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash(hash.0)).collect()
}

#[test]
fn every_receipt_proves_inclusion_elsewhere() {
    let federation = federations()[1];
    let registry = registry(federation);
    let key = log_key(&registry, plan_origin(&registry.trust().federation, &plan_of(&registry)));
    let sites: Vec<&Name> = registry.sites().collect();
    assert_eq!(sites.len(), 3);
    for site in sites {
        let releases = outbox(&federation.home(&format!("sites/{site}")));
        assert_eq!(releases.len(), 2, "one a window");
        for (envelope, receipt) in releases {
            // C2SP tlog-proof, read by hand: header, index, hashes, blank line, checkpoint.
            let (head, note) = receipt.split_once("\n\n").expect("a blank line");
            let mut lines = head.lines();
            assert_eq!(lines.next(), Some("c2sp.org/tlog-proof@v1"));
            let index = lines.next().and_then(|line| line.strip_prefix("index ")?.parse().ok()).expect("an index");
            let proof: Vec<Hash> = lines.map(|line| Hash::parse_hash(line).expect("a hash")).collect();
            let checkpoint = open(note.as_bytes(), &key);
            let (size, root) = (checkpoint.size(), *checkpoint.hash());
            check_record(&proof, size, root, index, record_hash(&envelope)).expect("the release is in the log");
            assert!(check_record(&proof, size, root, index, record_hash(b"another")).is_err());
        }
    }
}

fn outbox(home: &Path) -> Vec<(Vec<u8>, String)> {
    let releases = Outbox::open(home).and_then(|outbox| outbox.releases()).expect("a site's outbox");
    releases.into_iter().map(|release| (release.envelope, release.answer.expect("a receipt"))).collect()
}
