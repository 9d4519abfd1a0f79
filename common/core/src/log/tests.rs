use super::*;
use crate::merkle::{Frontier, leaf_hash, verify_consistency, verify_inclusion};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The files of a log, as a directory would hold them.
#[derive(Clone, Default, PartialEq, Debug)]
struct Files(BTreeMap<String, Vec<u8>>);

#[derive(Debug, PartialEq)]
enum Failure {
    Log(LogError),
    Missing(String),
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Failure::Log(error)
    }
}

impl Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.0.get(path).cloned().ok_or_else(|| Failure::Missing(path.to_owned()))
    }

    fn store(&mut self, appended: &Appended) {
        for write in &appended.writes {
            let before = self.0.insert(write.path.clone(), write.bytes.clone());
            assert_eq!(before, None, "{} was written twice", write.path);
        }
    }

    fn full(&self) -> BTreeMap<&String, &Vec<u8>> {
        self.0.iter().filter(|(path, _)| !path.contains(".p/")).collect()
    }
}

fn entries(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    range.map(|i| format!("entry {i}").into_bytes()).collect()
}

fn root(size: u64) -> Digest {
    let mut frontier = Frontier::new();
    entries(0..size).iter().for_each(|entry| frontier.push(leaf_hash(entry)));
    frontier.root()
}

/// A log grown to `size` at once.
fn grown(size: u64) -> (Log, Files) {
    let (mut log, mut files) = (Log::new(), Files::default());
    files.store(&log.append(&entries(0..size)).expect("an append"));
    (log, files)
}

#[test]
fn a_log_is_the_same_in_any_batches() {
    let whole = grown(70_000);
    assert_eq!(whole.0.root(), root(70_000));
    // The example of the specification: 273 full level-0 tiles and one partial of 112, and so on up.
    let tiles = |level: &str| whole.1.0.keys().filter(|path| path.starts_with(level)).count();
    assert_eq!([tiles("tile/0/"), tiles("tile/1/"), tiles("tile/2/"), tiles("tile/entries/")], [274, 2, 1, 274]);
    for path in ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"] {
        assert!(whole.1.0.contains_key(path), "{path}");
    }
    let (mut log, mut files, mut at) = (Log::new(), Files::default(), 0);
    for step in [1, 254, 1, 0, 1, 255, 256, 257, 1000, 30_000, 33_511, 1, 1, 4_461, 1].iter().cycle() {
        let next = (at + step).min(70_000);
        let appended = log.append(&entries(at..next)).expect("an append");
        files.store(&appended);
        at = next;
        assert_eq!((appended.new_size, appended.root), (at, log.root()));
        let opened = Log::open(at, |path| files.read(path)).expect("a log");
        assert_eq!(format!("{opened:?}"), format!("{log:?}"), "opened at {at}");
        log = opened;
        if at == 70_000 {
            break;
        }
    }
    assert_eq!(log.root(), whole.0.root());
    assert_eq!(files.full(), whole.1.full());
    assert!(whole.1.0.iter().all(|(path, bytes)| files.0.get(path) == Some(bytes)));
}

#[test]
fn proofs_come_out_of_tiles() {
    let (log, files) = grown(66_000);
    let mut reads = 0;
    let mut reader = TileReader::new(log.size(), |path: &str| {
        reads += 1;
        files.read(path)
    });
    for (index, size) in
        [(0, 1), (0, 66_000), (255, 256), (256, 257), (65_535, 65_536), (65_536, 66_000), (300, 65_999)]
    {
        let proof = reader.inclusion_proof(index, size).expect("a proof");
        let found = reader.root_at(size).expect("a root");
        assert_eq!(found, root(size));
        let entry = log.entry(index, |path| files.read(path)).expect("an entry");
        let rest = log.entries(index, |path| files.read(path)).expect("entries");
        let end = log.size().min((index / TILE_WIDTH as u64 + 1) * TILE_WIDTH as u64);
        assert_eq!(rest, entries(index..end));
        assert_eq!(entry, format!("entry {index}").into_bytes());
        verify_inclusion(&leaf_hash(&entry), index, size, &proof, &found).expect("included");
        let old = index + 1;
        let proof = reader.consistency_proof(old, size).expect("a proof");
        verify_consistency(old, &root(old), size, &found, &proof).expect("consistent");
    }
    let outside = |result: Result<_, Failure>| matches!(result, Err(Failure::Log(_)));
    assert!(outside(reader.node(0, 66_000)));
    assert!(outside(reader.node(16, 1)));
    assert!(outside(reader.node(7, 515)));
    assert!(outside(reader.node(64, 0)));
    assert!(outside(reader.node(u32::MAX, u64::MAX)));
    assert!(outside(reader.root_at(66_001)));
    assert!(outside(reader.inclusion_proof(66_000, 66_000).map(|_| Digest([0; 32]))));
    assert!(outside(reader.consistency_proof(2, 1).map(|_| Digest([0; 32]))));
    assert!(outside(log.entries(66_000, |path| files.read(path)).map(|_| Digest([0; 32]))));
    assert!(outside(log.entry(66_000, |path| files.read(path)).map(|_| Digest([0; 32]))));
    assert!(reads < 60, "{reads} files read");
}

#[test]
fn every_bit_at_the_edge_counts() {
    for size in [1, 3, 256, 257, 512, 65_536, 65_537 + 256] {
        let (log, files) = grown(size);
        let mut touched = Vec::new();
        let opened = Log::open(size, |path| {
            touched.push(path.to_owned());
            files.read(path)
        });
        assert_eq!(opened.map(|log| log.root()), Ok(log.root()));
        for path in touched {
            let bytes = &files.0[&path];
            for at in [0, 1, 2, bytes.len() / 2, bytes.len() - 1] {
                let mut bent = files.clone();
                bent.0.insert(path.clone(), {
                    let mut bytes = bytes.clone();
                    bytes[at] ^= 1;
                    bytes
                });
                let opened = Log::open(size, |path| bent.read(path));
                assert!(
                    opened.is_err_and(|e| matches!(e, Failure::Log(_))) || hidden(size, &path, &bent, &log),
                    "{size} {path} {at}"
                );
            }
            for length in [0, bytes.len() - 1] {
                let mut bent = files.clone();
                bent.0.insert(path.clone(), bytes[..length].to_vec());
                assert!(Log::open(size, |path| bent.read(path)).is_err(), "{size} {path} cut to {length}");
            }
            let mut bent = files.clone();
            bent.0.remove(&path);
            assert_eq!(Log::open(size, |path| bent.read(path)).err(), Some(Failure::Missing(path)));
        }
    }
}

/// A hash in a partial tile above level 0, left of its last one, is checked by the root alone.
fn hidden(size: u64, path: &str, bent: &Files, log: &Log) -> bool {
    path.contains(".p/") && Log::open(size, |path| bent.read(path)).is_ok_and(|opened| opened.root() != log.root())
}

#[test]
fn errors_change_nothing() {
    let (mut log, _) = grown(300);
    let before = format!("{log:?}");
    let too_long = vec![vec![1], vec![0; limits::ENTRY_BYTES + 1]];
    assert_eq!(log.append(&too_long), Err(LogError::EntryBytes { found: 65_536 }));
    assert_eq!(format!("{log:?}"), before);
    assert_eq!(encode_entries(&too_long), Err(LogError::EntryBytes { found: 65_536 }));
    assert!(log.append(&[vec![0; limits::ENTRY_BYTES]]).is_ok());
    let none: [&[u8]; 0] = [];
    assert_eq!(log.append(&none).map(|appended| appended.writes), Ok(vec![]));
    let missing = |path: &str| Err(Failure::Missing(path.to_owned()));
    assert_eq!(Log::open(u64::MAX, missing).err(), Some(Failure::Log(LogError::Size { found: u64::MAX })));
    assert!(matches!(Log::open(MAX_LEAVES, missing).err(), Some(Failure::Missing(_))));
    assert_eq!(Log::open(0, missing).map(|log| log.root()), Ok(empty_root()));
}

proptest! {
    #[test]
    fn bundles_are_read_as_written(entries: Vec<Vec<u8>>) {
        let bytes = encode_entries(&entries)?;
        prop_assert_eq!(decode_entries(&bytes)?, entries);
    }

    #[test]
    fn what_is_read_is_what_was_written(bytes: Vec<u8>) {
        if let Ok(entries) = decode_entries(&bytes) {
            prop_assert_eq!(encode_entries(&entries)?, bytes);
        }
    }

    #[test]
    fn batches_do_not_matter(splits in prop::collection::vec(0..400_u64, 1..8)) {
        let (mut log, mut files, mut at) = (Log::new(), Files::default(), 0);
        for step in splits {
            files.store(&log.append(&entries(at..at + step))?);
            at += step;
        }
        let (whole, expected) = grown(at);
        prop_assert_eq!(log.root(), whole.root());
        prop_assert_eq!(files.full(), expected.full());
        prop_assert!(expected.0.iter().all(|(path, bytes)| files.0.get(path) == Some(bytes)));
        let opened = Log::open(at, |path| files.read(path)).map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
        prop_assert_eq!(opened.root(), log.root());
    }

    #[test]
    fn nodes_are_those_of_the_tree(size in 1..3000_u64, level in 0..12_u32, at: u64) {
        let (_, files) = grown(size);
        let mut reader = TileReader::new(size, |path: &str| files.read(path));
        let index = at % ((size >> level) + 1);
        let node = reader.node(level, index);
        if (index + 1) << level <= size {
            let mut frontier = Frontier::new();
            entries(index << level..(index + 1) << level).iter().for_each(|entry| frontier.push(leaf_hash(entry)));
            prop_assert_eq!(node, Ok(frontier.root()));
        } else {
            prop_assert_eq!(node, Err(Failure::Log(LogError::Node { level, index, size })));
        }
    }
}
