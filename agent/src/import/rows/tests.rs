//! Tests of splitting.

use super::*;
use proptest::prelude::*;

/// Bytes that come in pieces.
struct Pieces<'a>(&'a [u8], usize);

impl Source for Pieces<'_> {
    fn read_to(&mut self, buffer: &mut Vec<u8>) -> Result<usize, Fault> {
        let (piece, rest) = self.0.split_at(self.1.min(self.0.len()));
        buffer.extend_from_slice(piece);
        self.0 = rest;
        Ok(piece.len())
    }
}

fn all(bytes: &[u8], piece: usize) -> Vec<(u64, Result<Vec<String>, String>)> {
    let mut rows = Rows::new(Pieces(bytes, piece));
    rows.find_separator().expect("no errors");
    let mut found = Vec::new();
    loop {
        match rows.next().expect("no errors") {
            Next::End => return found,
            Next::Bad(reason) => found.push((rows.line(), Err(reason))),
            Next::Row => {
                let fields = (0..rows.fields()).map(|at| rows.field(at).to_owned()).collect();
                found.push((rows.line(), Ok(fields)));
            }
        }
    }
}

#[test]
fn quotes_line_ends_and_blank_lines() {
    let text = b"a, b ,c\r\n\n\"x,\"\"y\"\"\",,\"two\nlines\"\r\nz\"z,1,2";
    for piece in 1..text.len() + 1 {
        let rows = all(text, piece);
        let ok = |fields: &[&str]| Ok(fields.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>());
        let expected =
            [(1, ok(&["a", "b", "c"])), (3, ok(&["x,\"y\"", "", "two\nlines"])), (5, ok(&["z\"z", "1", "2"]))];
        assert_eq!(rows, expected, "pieces of {piece}");
    }
}

#[test]
fn the_first_line_says_what_stands_between_columns() {
    let cases = [
        ("a,b\n1;2;3", b','),
        ("a;b\n1,2,3", b';'),
        ("\r\n\na\tb,c\td\n", b'\t'),
        ("a|b", b'|'),
        ("\"a;b;c\",d", b','),
        ("\"a,b\nc,d\";e\n", b';'),
        ("a;b,c", b','),
        ("alone", b','),
        ("", b','),
    ];
    for (text, separator) in cases {
        for piece in 1..text.len() + 2 {
            let mut rows = Rows::new(Pieces(text.as_bytes(), piece));
            rows.skip_mark().and_then(|()| rows.find_separator()).expect("no errors");
            assert_eq!(rows.separator() as char, separator as char, "{text:?} in pieces of {piece}");
        }
    }
    let mut rows = Rows::new(Pieces(b"\xef\xbb\xbfa;b\n1;2\n", 2));
    rows.skip_mark().and_then(|()| rows.find_separator()).expect("no errors");
    assert_eq!(rows.next(), Ok(Next::Row));
    assert_eq!((rows.field(0), rows.field(1), rows.line()), ("a", "b", 1));
}

#[test]
fn an_open_quote_costs_its_line_only() {
    let text = b"a,b\n1,\"open\n2,\"closed\"\n3,x\n4,\"open";
    for piece in [1, 7, 100] {
        let rows = all(text, piece);
        let bad: Vec<_> = rows.iter().map(|(line, row)| (*line, row.is_ok())).collect();
        assert_eq!(bad, [(1, true), (2, false), (3, true), (4, true), (5, false)]);
    }
}

#[test]
fn a_line_without_end_is_passed_over() {
    let mut text = b"a,b\n".to_vec();
    text.extend(vec![b'x'; 5 * CSV_LINE_BYTES]);
    text.extend(b"\n1,2\n\"");
    text.extend(vec![b'y'; 3 * CSV_LINE_BYTES]);
    text.extend(b"\n3,4\n\xff,5\n6,7");
    let mut rows = Rows::new(Pieces(&text, 100_000));
    let mut lines = Vec::new();
    while rows.next().map(|next| next != Next::End) == Ok(true) {
        assert!(rows.raw().len() <= CSV_LINE_BYTES && rows.buffer.len() <= CSV_LINE_BYTES + 200_002);
        lines.push((rows.line(), rows.field(0).get(..1).unwrap_or_default().to_owned()));
    }
    assert_eq!(lines.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!([2, 4, 6].map(|at| lines[at].1.as_str()), ["1", "3", "6"]);
}

proptest! {
    #[test]
    fn reads_what_a_csv_library_writes(
        table in proptest::collection::vec(proptest::collection::vec("[a-z,\"\n\r\t |;é]{0,6}", 3), 1..20),
        piece in 1..40_usize,
        separator in proptest::sample::select(SEPARATORS.to_vec()),
    ) {
        let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
        writer.write_record(["a", "b;,", "c"]).expect("written");
        for row in &table {
            writer.write_record(row).expect("written");
        }
        let text = writer.into_inner().expect("written");
        let read = all(&text, piece).into_iter().skip(1);
        let read: Vec<_> = read.map(|(_, row)| row.expect("a row")).collect();
        let trimmed: Vec<Vec<_>> =
            table.iter().map(|row| row.iter().map(|f| f.trim().to_owned()).collect()).collect();
        prop_assert_eq!(read, trimmed);
    }

    #[test]
    fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(
        proptest::sample::select(b"a,\"\n\r\xff\xc3".to_vec()), 0..60), piece in 1..9_usize) {
        let lines = bytes.iter().filter(|b| **b == b'\n').count() as u64 + 1;
        prop_assert!(all(&bytes, piece).iter().all(|(line, _)| *line <= lines));
    }
}
