//! Tests of whole files.

use super::*;
use crate::journal::LEDGER;
use crate::journal::tests::{contract, new, rng, state};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use tempfile::TempDir;

const BATCH: usize = super::BATCH_ROWS;
const HEADER: &str = "event_id,occurred_at,model_id,model_version,score,decision,label,labelled_at,gender";

struct Site {
    home: TempDir,
    journal: Journal,
    told: Vec<(u64, u64)>,
    map: Map,
    released: Vec<Released>,
}

impl Site {
    fn new() -> Self {
        let (home, journal) = new();
        Site { home, journal, told: Vec::new(), map: Map::default(), released: Vec::new() }
    }

    fn import(&mut self, bytes: &[u8]) -> Result<ImportSummary, Fault> {
        let path = self.home.path().join("data.csv");
        std::fs::write(&path, bytes).expect("written");
        let (rejects, told) = (self.home.path().join("rejects.csv"), &mut self.told);
        let mut progress = |done, total| told.push((done, total));
        let reading = Reading { contract: &contract(), map: &self.map, released: &self.released };
        import_file(&mut self.journal, &reading, &path, &rejects, &mut rng(1), &mut progress)
    }

    fn rejects(&self) -> Option<String> {
        std::fs::read_to_string(self.home.path().join("rejects.csv")).ok()
    }

    fn imports(&mut self) -> Vec<LedgerEntry> {
        let mut found = Vec::new();
        let keep = |_, entry| {
            if matches!(entry, LedgerEntry::Import { .. }) {
                found.push(entry);
            }
            Ok(())
        };
        self.journal.ledger(keep).expect("read");
        found
    }
}

fn file(rows: std::ops::Range<u64>) -> String {
    let mut text = format!("{HEADER}\n");
    for n in rows {
        let time = format!("2026-01-{:02}T{:02}:00:00Z", n / 24 % 28 + 1, n % 24);
        let label = if n % 2 == 0 { format!("{},{time}", n % 4 / 2) } else { ",".to_owned() };
        let gender = ["Female", "Male", "", "x"][n as usize % 4];
        text += &format!("e{n},{time},committee,v{},0.{:03},{},{label},{gender}\n", n % 2, n % 1_000, n % 2);
    }
    text
}

fn tally(summary: &ImportSummary) -> [u64; 5] {
    [summary.rows, summary.events, summary.outcomes, summary.duplicates, summary.rejected]
}

fn pack(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).expect("packed");
    packed.finish().expect("packed")
}

#[test]
fn importing_twice_changes_nothing() {
    let mut site = Site::new();
    let (rows, labels) = (2 * BATCH as u64 + 345, BATCH as u64 + 173);
    let text = file(0..rows);
    let first = site.import(text.as_bytes()).expect("imported");
    assert_eq!(tally(&first), [rows, rows, labels, 0, 0]);
    let total = text.len() as u64;
    assert_eq!(site.told.last(), Some(&(total, total)));
    let file = Digest::of(text.as_bytes());
    let entry = LedgerEntry::Import { file, events: rows, outcomes: labels, duplicates: 0, rejected: 0 };
    assert_eq!(site.imports(), [entry]);
    let before = state(&mut site.journal);
    assert_eq!(before["predictions/admission/1"].0, rows);
    assert_eq!(before[LEDGER].0, 3);
    let again = site.import(text.as_bytes()).expect("imported");
    assert_eq!(tally(&again), [rows, 0, 0, rows, 0]);
    // Packed, and with other line ends, it is the same again.
    let again = site.import(&pack(&text.replace('\n', "\r\n"))).expect("imported");
    assert_eq!(tally(&again), [rows, 0, 0, rows, 0]);
    assert_eq!(state(&mut site.journal), before);
    assert_eq!(site.rejects(), None);
}

#[test]
fn a_crash_in_the_middle_is_completed() {
    let mut site = Site::new();
    // What a crash leaves is what a file leaves that ends early: the first batch, and nothing in the ledger.
    let batch = BATCH as u64;
    let packed = pack(&file(0..2 * batch));
    let fault = site.import(&packed[..packed.len() * 9 / 10]).expect_err("cut short");
    assert!(fault.what.contains("to its end") && fault.blame == Blame::Input, "{fault}");
    assert_eq!(site.journal.size("predictions/admission/1"), Ok(batch));
    assert_eq!(site.imports(), []);
    let rest = site.import(&packed).expect("imported");
    assert_eq!(tally(&rest), [2 * batch, batch, batch / 2, batch, 0]);
    let file = Digest::of(&packed);
    let entry = LedgerEntry::Import { file, events: batch, outcomes: batch / 2, duplicates: batch, rejected: 0 };
    assert_eq!(site.imports(), [entry]);
    state(&mut site.journal);
}

#[test]
fn bad_rows_are_named_and_the_rest_goes_in() {
    let good = "2026-01-01T00:00:00Z,committee,v1,0.5,1";
    let rows = [
        (format!("a,{good},1,2026-01-02T00:00:00+01:00,Female"), ""),
        (format!("a,{good},1,2026-01-01T23:00:00Z,Female"), ""), // the same time
        (format!("a,{good},1,2026-01-02T00:00:00+01:00,Male"), "another attribute `gender`"),
        ("b,2026-01-01,committee,v1,0.5,1,,,".to_owned(), "occurred_at: `2026-01-01` is not a time"),
        ("b,2026-01-01T00:00:00Z,jury,v1,0.5,1,,,".to_owned(), "model_id \"jury\""),
        ("b,2026-01-01T00:00:00Z,committee,,0.5,1,,,".to_owned(), "model_version is blank"),
        ("b,2026-01-01T00:00:00Z,committee,v1,NaN,1,,,".to_owned(), "score NaN"),
        ("b,2026-01-01T00:00:00Z,committee,v1,1.5,1,,,".to_owned(), "range is 0 to 1"),
        ("b,2026-01-01T00:00:00Z,committee,v1,inf,1,,,".to_owned(), "score inf"),
        ("b,2026-01-01T00:00:00Z,committee,v1,\"0,5\",1,,,".to_owned(), "is not a number"),
        ("b,2026-01-01T00:00:00Z,committee,v1,,yes,,,".to_owned(), "decision \"yes\""),
        (format!("b,{good},1,,"), "label without labelled_at"),
        (format!("b,{good},,2026-01-02T00:00:00Z,"), "labelled_at without label"),
        (format!("b,{good},2,2026-01-02T00:00:00Z,"), "label \"2\""),
        (format!("b,{good},1,2025-01-02T00:00:00Z,"), "before occurred_at"),
        (format!(",{good},,,"), "event_id is blank"),
        (format!("{},{good},,,", "x".repeat(201)), "at most 200"),
        (format!("b,{good},,"), "8 fields; the header has 9"),
        (format!("b,{good},,,,"), "10 fields"),
        (format!("b\"\"x,{good},,,\u{1}"), ""),
        ("c, 2026-01-01T00:00:00Z ,committee,v1,, 0 ,,,".to_owned(), ""),
    ];
    let mut site = Site::new();
    let mut bytes = vec![0xef, 0xbb, 0xbf];
    bytes.extend(format!("{HEADER}\n").bytes());
    for (row, _) in &rows {
        bytes.extend(format!("{row}\r\n").bytes());
    }
    bytes.extend(b"d\xff,2026-01-01T00:00:00Z,committee,v1,,0,,,\n");
    let summary = site.import(&bytes).expect("imported");
    let bad = rows.iter().filter(|(_, reason)| !reason.is_empty()).count() as u64 + 1;
    assert_eq!(tally(&summary), [rows.len() as u64 + 1, 3, 1, 1, bad]);
    assert_eq!(summary.first_rejects.len(), 10);
    let raw = std::fs::read(site.home.path().join("rejects.csv")).expect("written");
    let mut reader = csv::Reader::from_reader(&raw[..]);
    assert_eq!(reader.headers().expect("a header"), vec!["line", "reason", "content"]);
    let found: Vec<_> = reader.byte_records().map(|record| record.expect("a record")).collect();
    assert_eq!(found.len() as u64, bad);
    let number = |record: &csv::ByteRecord| String::from_utf8_lossy(&record[0]).parse::<usize>().expect("a line");
    for record in &found {
        let (row, expected) = rows.get(number(record) - 2).map_or(("", "not UTF-8"), |(row, e)| (row.as_str(), *e));
        let reason = String::from_utf8_lossy(&record[1]);
        assert!(!expected.is_empty() && reason.contains(expected), "{expected}: {reason}");
        assert!(row.is_empty() || record[2] == *row.as_bytes());
    }
    assert_eq!(found.last().map(|record| record[2].starts_with(b"d\xff")), Some(true));
}

#[test]
fn other_files_are_refused_before_anything_is_written() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "it is empty"),
        (
            b"event_id;occurred_at;decision\n1;2;3\n",
            "it lacks `model_id`, `model_version`, `score`, `gender`; it has `event_id`, `occurred_at`, `decision`",
        ),
        (b"event_id\toccurred_at\n", "it has `event_id`, `occurred_at`"),
        (b"event_id,occurred_at,model_id,model_version,decision,gender\n", "it lacks `score`; it has `event_id`"),
        (b"event_id,occurred_at,model_id,model_version,decision,score,Gender\n", "lacks `gender`"),
        (b"event_id,occurred_at,model_id,model_version,decision,score,gender,label\n", "lacks `labelled_at`"),
        (b"event_id,event_id,occurred_at\n", "column `event_id` stands twice"),
        (b"\xff\xfee\0v\0", "UTF-16"),
        (b"PK\x03\x04\xff\xff\n", "no header"),
    ];
    for (bytes, expected) in cases {
        let mut site = Site::new();
        let fault = site.import(bytes).expect_err(expected);
        assert!(fault.what.contains(expected) && fault.blame == Blame::Input, "{expected}: {fault}");
        assert_eq!(state(&mut site.journal).len(), 0);
    }
    let mut site = Site::new();
    let path = site.home.path().join("data.csv");
    std::fs::write(&path, file(0..2)).expect("written");
    let reading = Reading { contract: &contract(), map: &Map::default(), released: &[] };
    import_file(&mut site.journal, &reading, &path, &path, &mut rng(1), &mut |_, _| {}).expect_err("the same file");
    let none = site.home.path().join("none.csv");
    import_file(&mut site.journal, &reading, &none, &path, &mut rng(1), &mut |_, _| {}).expect_err("no file");
}

#[test]
fn what_comes_after_a_release_is_counted() {
    let mut site = Site::new();
    let at =
        |day: u32, label: &str, id: &str| format!("{id},2026-01-{day:02}T03:00:00Z,committee,v0,0.5,1,{label},Male\n");
    let import = |site: &mut Site, lines: &[String]| {
        let summary = site.import(format!("{HEADER}\n{}", lines.concat()).as_bytes()).expect("imported");
        (summary.events, summary.outcomes, summary.late)
    };
    assert_eq!(import(&mut site, &[at(2, ",", "a"), at(3, ",", "b"), at(4, ",", "c")]), (3, 0, 0));
    let time = |text: &str| Time::parse(text).expect("a time");
    let window = Window { start: time("2026-01-02T00:00:00Z"), end: time("2026-01-04T00:00:00Z") };
    // Two plans released the same window: an event is counted once.
    site.released = [(); 2].map(|()| Released { window, until: time("2026-01-10T00:00:00Z") }).into();
    let (in_time, too_late) = ("1,2026-01-10T00:00:00Z", "1,2026-01-10T00:00:01Z");
    let outcomes = [at(2, in_time, "a"), at(3, too_late, "b"), at(4, in_time, "c")];
    assert_eq!(import(&mut site, &outcomes), (0, 3, 1));
    assert_eq!(import(&mut site, &[at(1, ",", "d"), at(2, ",", "e"), at(3, in_time, "f"), at(4, ",", "g")]), (4, 1, 2));
    assert_eq!(import(&mut site, &outcomes), (0, 0, 0));
}

#[test]
fn columns_may_stand_in_any_order_and_others_are_named() {
    let mut site = Site::new();
    let text = "notes,gender,score,decision,model_version,model_id,occurred_at,event_id,age,\n\
                x,Male,,1,v1,committee,2026-01-01T00:00:00Z,a,7,\n";
    let summary = site.import(text.as_bytes()).expect("imported");
    assert_eq!(tally(&summary), [1, 1, 0, 0, 0]);
    assert_eq!(summary.ignored_columns, ["notes", "age"]);
    // The label comes later, in another file.
    let later = "event_id,occurred_at,model_id,model_version,score,decision,gender,labelled_at,label\n\
                 a,2026-01-01T00:00:00Z,committee,v1,,1,Male,2026-02-01T00:00:00Z,1\n";
    let summary = site.import(later.as_bytes()).expect("imported");
    assert_eq!(tally(&summary), [1, 0, 1, 0, 0]);
    assert_eq!(site.imports().len(), 2);
}

#[test]
fn a_map_says_what_a_file_calls_its_columns() {
    let mut site = Site::new();
    site.map = Map::from_toml(
        "[columns]\nevent_id = \"id\"\noccurred_at = \"when\"\nlabelled_at = \"when\"\nscore = \"p\"\ngender = \"sex\"\n\
         [constants]\nmodel_id = \"committee\"\nmodel_version = \"v1\"\n",
    )
    .expect("a map");
    let text = "id;when;p;decision;label;sex;score;note\n\
                a;2026-01-01 00:00:00+01:00;0,25;1;1;Male;x;\"y;z\"\n\
                b;2026-01-01 00:00:00Z;0.5;0;;Female;x;\n\
                c;2026-01-01 00:00:00;0,5;0;;Female;x;\n";
    let summary = site.import(text.as_bytes()).expect("imported");
    assert_eq!(tally(&summary), [3, 2, 1, 0, 1]);
    assert_eq!(summary.ignored_columns, ["score", "note"]);
    assert!(summary.first_rejects[0].reason.contains("it names no time zone"), "{summary:?}");
    // The same events as another file writes them: the scores, times and outcomes were read right.
    site.map = Map::default();
    let same = format!(
        "{HEADER}\na,2025-12-31T23:00:00Z,committee,v1,0.25,1,1,2025-12-31T23:00:00Z,Male\n\
         b,2026-01-01T00:00:00Z,committee,v1,0.5,0,,,Female\n"
    );
    assert_eq!(tally(&site.import(same.as_bytes()).expect("imported")), [2, 0, 0, 2, 0]);
    // A file without labels needs none, whatever the map says of their time.
    site.map = Map::from_toml("[columns]\nlabelled_at = \"occurred_at\"").expect("a map");
    let unlabelled = "event_id,occurred_at,model_id,model_version,score,decision,gender\nd,2026-01-01T00:00:00Z,committee,v1,,1,Male\n";
    assert_eq!(tally(&site.import(unlabelled.as_bytes()).expect("imported")), [1, 1, 0, 0, 0]);
}

#[test]
fn a_map_that_does_not_fit_is_refused() {
    let file = "event_id,occurred_at,model_id,model_version,score,decision,gender\n";
    let cases = [
        ("[columns]\nsex = \"gender\"", "the map names `sex`; the contract has `event_id`"),
        ("[columns]\ngender = \"sex\"", "it lacks `sex`; it has `event_id`"),
        ("[constants]\nmodel_id = \"m\"", "the file has a column of that name"),
        ("[columns]\nlabel = \"outcome\"\nlabelled_at = \"occurred_at\"", "it lacks `outcome`"),
    ];
    for (map, expected) in cases {
        let mut site = Site::new();
        site.map = Map::from_toml(map).expect("a map");
        let fault = site.import(file.as_bytes()).expect_err(expected);
        assert!(fault.what.contains(expected) && fault.blame == Blame::Input, "{expected}: {fault}");
        assert_eq!(state(&mut site.journal).len(), 0);
    }
}

#[test]
fn a_file_without_a_good_row_leaves_nothing() {
    let mut site = Site::new();
    let rows: String = (0..BATCH + 5).map(|n| format!("e{n},31.12.2025,committee,v1,0.5,1,,,Male\n")).collect();
    let summary = site.import(format!("{HEADER}\n{rows}").as_bytes()).expect("looked at");
    let fault = summary.refused(Path::new("a.csv")).expect("refused");
    assert!(
        fault
            .what
            .contains(&format!("all {} rows were rejected and nothing was journaled; the first, line 2:", BATCH + 5)),
        "{fault}"
    );
    assert_eq!(state(&mut site.journal).len(), 0);
    assert_eq!(ImportSummary::default().refused(Path::new("empty.csv")), None);
}
