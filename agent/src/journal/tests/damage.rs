//! Whatever is changed in a stored file is found.

use super::*;
use rusqlite::Connection;

fn small(home: &Path) -> Journal {
    let mut journal = Journal::create(home).expect("created");
    let rows = [labelled(0, 1, 1), event(1), labelled(2, 0, 1)];
    journal.record_events(&contract(), &rows, &mut rng(1)).expect("written");
    journal
}

fn segment(home: &Path) -> Connection {
    Connection::open(home.join("journal/000001.sqlite")).expect("opened")
}

/// Flips every byte of a column's blobs, one at a time, in the first rows of each log and the last of a block.
fn flip_all(db: &Connection, table: &str, column: &str, key: &str, check: &mut dyn FnMut(&str)) -> usize {
    let (a, b) = key.split_once(',').expect("two columns");
    let select = format!("SELECT {key}, {column} FROM {table} WHERE {b} < 4 OR {b} > 1022");
    let mut rows = db.prepare(&select).expect("prepared");
    let rows: Vec<(i64, i64, Vec<u8>)> = rows
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect)
        .expect("read");
    let update = format!("UPDATE {table} SET {column} = ? WHERE {a} = ? AND {b} = ?");
    let put = |bytes: &[u8], row: &(i64, i64, Vec<u8>)| {
        assert_eq!(db.execute(&update, rusqlite::params![bytes, row.0, row.1]), Ok(1));
    };
    let mut flips = 0;
    for row in &rows {
        // All of what is small; of a chunk of many records, bytes of each of them.
        let step = if row.2.len() > 1_000 { 37 } else { 1 };
        for at in (0..row.2.len()).step_by(step) {
            let mut bytes = row.2.clone();
            bytes[at] ^= 1 << (at % 8);
            put(&bytes, row);
            check(&format!("{table} {} {} byte {at}", row.0, row.1));
            flips += 1;
        }
        put(&row.2, row);
    }
    flips
}

#[test]
fn every_flipped_byte_of_an_open_block_is_found() {
    let home = tempfile::tempdir().expect("a folder");
    let mut journal = small(home.path());
    let db = segment(home.path());
    let mut check = |what: &str| {
        let fault = journal.verify().expect_err(what);
        assert!(fault.what.contains("000001.sqlite") && fault.what.contains("record"), "{what}: {fault}");
        assert!(Journal::open(home.path()).is_err(), "{what}");
    };
    assert!(flip_all(&db, "chunk", "bytes", "key,key & 0xfffffffffff", &mut check) > 250);
    assert_eq!(flip_all(&db, "log", "tail", "id,size", &mut check), 3 * 32);
    journal.verify().expect("whole again");
}

#[test]
fn every_flipped_byte_of_a_full_block_is_found() {
    let home = tempfile::tempdir().expect("a folder");
    let mut journal = small(home.path());
    for log in LOGS {
        journal.pad(log, &mut rng(2)).expect("padded");
    }
    let db = segment(home.path());
    let mut check = |what: &str| {
        let fault = journal.verify().expect_err(what);
        assert!(fault.what.contains("block 0") || fault.what.contains("record"), "{what}: {fault}");
    };
    assert!(flip_all(&db, "chunk", "bytes", "key,key & 0xfffffffffff", &mut check) > 400);
    assert_eq!(flip_all(&db, "block", "root", "log,number", &mut check), 3 * 32);
    journal.verify().expect("whole again");
}

#[test]
fn whatever_is_derived_is_derived_again() {
    let changes = [
        ("UPDATE log SET size = size + 1 WHERE id = 1", "record"),
        ("UPDATE log SET size = size - 1 WHERE id = 3", "is not listed"),
        ("UPDATE log SET start = 1 WHERE id = 1", "is not listed"),
        ("DELETE FROM chunk WHERE key = 2 << 44", "is missing"),
        ("INSERT INTO chunk VALUES ((1 << 44) + 5000, x'00010a')", "is not listed"),
        ("INSERT INTO chunk VALUES (77 << 44, x'00010a')", "does not list"),
        ("UPDATE chunk SET bytes = substr(bytes, 1, length(bytes) - 1) WHERE key = 2 << 44", "is cut"),
        ("UPDATE chunk SET bytes = CAST(bytes || x'00010a' AS BLOB) WHERE key = 1 << 44", "not listed"),
        ("DELETE FROM block WHERE log = 2", "blocks"),
        ("INSERT INTO block VALUES (2, 9, zeroblob(32), 0, 0)", "blocks"),
        ("UPDATE block SET low = low + 1 WHERE log = 2", "zone"),
        ("UPDATE block SET root = x'00'", "cannot read"),
        ("UPDATE model SET version = 'v9' WHERE code = 0", "codes mean"),
        ("DELETE FROM model WHERE code = 2", "codes mean"),
        ("DELETE FROM model WHERE code = 0", "count from 0"),
        ("INSERT INTO model VALUES (3, 'm', 'v', NULL, NULL)", "codes mean"),
        ("INSERT INTO term VALUES (0, 't')", "codes mean"),
        ("INSERT INTO tier VALUES (1, 9)", "codes mean"),
    ];
    for (change, expected) in changes {
        let home = tempfile::tempdir().expect("a folder");
        let mut journal = small(home.path());
        journal.pad(LOGS[0], &mut rng(2)).expect("padded");
        segment(home.path()).execute_batch(change).expect(change);
        let fault = journal.verify().expect_err(change);
        assert!(fault.what.contains(expected), "{change}: {fault}");
    }
}

#[test]
fn the_sidecar_must_fit() {
    let changes = [
        // Each identity: length, offset, length of the id ("event 0"), id, salt, no subject, no explanation: 32 bytes.
        (
            "UPDATE identity SET bytes = CAST(substr(bytes, 1, 15) || zeroblob(16) || substr(bytes, 32) AS BLOB)",
            "not its own",
        ),
        ("UPDATE identity SET bytes = CAST(substr(bytes, 1, 9) || 'x' || substr(bytes, 11) AS BLOB)", "not its own"),
        ("UPDATE identity SET key = key + 1", "not its own"),
        ("UPDATE identity SET bytes = substr(bytes, 1, 20)", "it is cut"),
        ("UPDATE contract SET size = 3", "older"),
        ("DELETE FROM contract", "older"),
    ];
    for (change, expected) in changes {
        let home = tempfile::tempdir().expect("a folder");
        let mut journal = small(home.path());
        journal.pad(LOGS[0], &mut rng(2)).expect("padded");
        Connection::open(home.path().join("sidecar.sqlite")).expect("opened").execute_batch(change).expect(change);
        let fault = journal.verify().expect_err(change);
        assert!(fault.what.contains(expected), "{change}: {fault}");
    }
    let home = tempfile::tempdir().expect("a folder");
    let mut journal = small(home.path());
    let sidecar = Connection::open(home.path().join("sidecar.sqlite")).expect("opened");
    let erase = "UPDATE identity SET bytes = CAST(substr(bytes, 1, 6) || zeroblob(26) || substr(bytes, 33) AS BLOB)";
    sidecar.execute_batch(erase).expect("erased");
    assert_eq!(journal.verify().map(|report| report.erased), Ok(1));
}

#[test]
fn the_schema_version_is_a_gate() {
    for file in ["journal/000001.sqlite", "sidecar.sqlite"] {
        for (version, expected) in [(0, "no schema version"), (1, "schema version 1; this program knows 6")] {
            let home = tempfile::tempdir().expect("a folder");
            drop(small(home.path()));
            let db = Connection::open(home.path().join(file)).expect("opened");
            db.pragma_update(None, "user_version", version).expect("set");
            let fault = Journal::open(home.path()).expect_err("refused");
            assert!(fault.what.contains(expected), "{fault}");
        }
        let home = tempfile::tempdir().expect("a folder");
        drop(small(home.path()));
        std::fs::write(home.path().join(file), b"no database at all, but of some length").expect("written");
        assert!(Journal::open(home.path()).is_err());
    }
}

#[test]
fn segments_must_carry_on() {
    let home = tempfile::tempdir().expect("a folder");
    let mut journal = small(home.path()).with_segment_records(1);
    journal.record_events(&contract(), &[event(3)], &mut rng(2)).expect("written");
    journal.record_events(&contract(), &[event(4)], &mut rng(2)).expect("written");
    drop(journal);
    let file = |number: u32| home.path().join(format!("journal/{number:06}.sqlite"));
    assert!(file(3).exists());
    std::fs::rename(file(3), file(2)).expect("renamed");
    let fault = Journal::open(home.path()).expect_err("a gap");
    assert!(fault.what.contains("does not carry on"), "{fault}");
}
