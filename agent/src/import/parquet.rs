//! Parquet: flat columns of the usual types, each value as the text that a CSV file of the same table would hold.
//!
//! Times with a zone become RFC 3339 in UTC, times without one stay without and are refused as in CSV; numbers become
//! their shortest decimals; what is null is blank. Columns of other types are passed over, and refused where they count.

use super::columns::Columns;
use super::input::Input;
use super::map::{COLUMNS, Map};
use super::rows::Next;
use super::table::{Table, Unit};
use crate::foreign::guard;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use fedaudit_core::contract::ContractText;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::{CSV_LINE_BYTES, PARQUET_COLUMNS, PARQUET_FOOTER_BYTES, PARQUET_ROW_GROUP_BYTES};
use fedaudit_core::time::Time;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The rows of a Parquet file.
pub(crate) struct ParquetRows {
    path: PathBuf,
    /// Names of all columns of types that can be read, in the file's order.
    names: Vec<String>,
    /// Names and types of the others.
    strange: Vec<(String, String)>,
    reader: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    /// Row of the batch that comes next.
    next: usize,
    /// Rows handed out so far, and all of them.
    number: u64,
    rows: u64,
    bytes: u64,
    /// Values of the current row, with commas between them.
    text: String,
    fields: Vec<Range<usize>>,
}

/// Whether a file says of itself that it is Parquet.
pub(crate) fn is_parquet(path: &Path) -> bool {
    let mut start = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && (start == MAGIC || start == ENCRYPTED)
}

impl ParquetRows {
    /// Opens a file; memory that its footer asks for beyond the limits is refused before it is taken.
    ///
    /// # Errors
    /// No Parquet, an encrypted file, or one beyond the limits.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let refuse = |what: &str, hint: &str| {
            Err(Fault::new(Blame::Input, format!("{} was not imported: {what}", path.display()), hint))
        };
        let mut file = File::open(path).map_err(|error| broken(path, &error))?;
        let bytes = file.metadata().map_err(|error| broken(path, &error))?.len();
        match footer(&mut file, bytes) {
            Ok(length) if length > PARQUET_FOOTER_BYTES => return refuse("its footer is above 64 MiB", SMALLER),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {
                return refuse("it is encrypted", "decrypt it, or export it without encryption");
            }
            Err(error) => return Err(broken(path, &error)),
        }
        // The types that its writer had in memory do not matter: every string becomes a plain one.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = guard(|| ParquetRecordBatchReaderBuilder::try_new_with_options(file, options));
        let builder = builder.map_err(|error| broken(path, &error))?;
        let metadata = builder.metadata().clone();
        if builder.parquet_schema().num_columns() > PARQUET_COLUMNS {
            return refuse(&format!("it has more than {PARQUET_COLUMNS} columns"), "export the columns that count");
        }
        for (number, group) in metadata.row_groups().iter().enumerate() {
            if group.total_byte_size() > PARQUET_ROW_GROUP_BYTES {
                return refuse(&format!("row group {number} has more than 1 GiB unpacked"), SMALLER);
            }
        }
        let (mut names, mut strange, mut roots) = (Vec::new(), Vec::new(), Vec::new());
        for (root, field) in builder.schema().fields().iter().enumerate() {
            if readable(field.data_type()) {
                names.push(field.name().clone());
                roots.push(root);
            } else {
                strange.push((field.name().clone(), field.data_type().to_string()));
            }
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            let what = format!("column `{}` stands twice", twice.escape_debug());
            return refuse(&what, "rename or remove one of them");
        }
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
        let reader = guard(|| builder.with_projection(mask).with_batch_size(BATCH_ROWS).build());
        let reader = reader.map_err(|error| broken(path, &error))?;
        let (text, fields) = (String::new(), Vec::new());
        let path = path.to_owned();
        Ok(ParquetRows { path, names, strange, reader, batch: None, next: 0, number: 0, rows, bytes, text, fields })
    }

    /// Finds the columns of events.
    ///
    /// # Errors
    /// One is missing, or of a type that is not read; or the map does not fit.
    pub fn columns(&self, contract: &ContractText, map: &Map) -> Result<Columns, Fault> {
        let ours = COLUMNS.into_iter().chain(contract.attributes.iter().map(|attribute| attribute.name.as_str()));
        for ours in ours.filter(|ours| !map.constants.contains_key(*ours)) {
            if let Some((name, kind)) = self.strange.iter().find(|(name, _)| name == map.theirs(ours)) {
                let what = format!("column `{}` has type {kind}", name.escape_debug());
                let hint = "write it as text, numbers, booleans, or timestamps with a time zone";
                let path = self.path.display();
                return Err(Fault::new(Blame::Input, format!("{path} was not imported: {what}"), hint));
            }
        }
        let mut columns = Columns::named(&self.names, contract, map, &self.path)?;
        columns.ignored.extend(self.strange.iter().map(|(name, _)| name.clone()));
        Ok(columns)
    }

    /// Lays out the values of a row.
    fn take(&mut self, batch: &RecordBatch, row: usize) {
        self.text.clear();
        self.fields.clear();
        for column in batch.columns() {
            if !self.fields.is_empty() {
                self.text.push(',');
            }
            let start = self.text.len();
            if !column.is_null(row) {
                push(&mut self.text, column.as_ref(), row);
            }
            self.fields.push(start..self.text.len());
        }
    }
}

impl Table for ParquetRows {
    const UNIT: Unit = Unit::Row;

    fn next(&mut self) -> Result<Next, Fault> {
        loop {
            if let Some(batch) = self.batch.take()
                && self.next < batch.num_rows()
            {
                self.take(&batch, self.next);
                self.next += 1;
                self.number += 1;
                self.batch = Some(batch);
                let long = self.text.len() > CSV_LINE_BYTES;
                return Ok(if long { Next::Bad("longer than 1 MiB".to_owned()) } else { Next::Row });
            }
            self.next = 0;
            match guard(|| self.reader.next().transpose()).map_err(|error| broken(&self.path, &error))? {
                Some(batch) => self.batch = Some(batch),
                None if self.number == self.rows => return Ok(Next::End),
                None => {
                    let what = format!("it has {} rows and says that it has {}", self.number, self.rows);
                    return Err(broken(&self.path, &what));
                }
            }
        }
    }

    fn fields(&self) -> usize {
        self.fields.len()
    }

    fn field(&self, at: usize) -> &str {
        self.fields.get(at).and_then(|range| self.text.get(range.clone())).unwrap_or_default().trim()
    }

    fn separator(&self) -> u8 {
        b','
    }

    fn number(&self) -> u64 {
        self.number
    }

    fn raw(&self) -> &[u8] {
        self.text.as_bytes().get(..CSV_LINE_BYTES).unwrap_or(self.text.as_bytes())
    }

    fn progress(&self) -> (u64, u64) {
        let done = u128::from(self.bytes) * u128::from(self.number) / u128::from(self.rows.max(1));
        (u64::try_from(done).unwrap_or(self.bytes), self.bytes)
    }

    fn digest(&mut self) -> Result<Digest, Fault> {
        Input::open(&self.path)?.digest()
    }
}

/// Bytes of the footer, as the file's last 8 bytes say (Parquet format, "File format").
fn footer(file: &mut File, bytes: u64) -> std::io::Result<u64> {
    let mut end = [0; 8];
    let from = bytes.checked_sub(8).ok_or(std::io::ErrorKind::UnexpectedEof)?;
    file.seek(SeekFrom::Start(from))?;
    file.read_exact(&mut end)?;
    file.rewind()?;
    let [a, b, c, d, magic @ ..] = end;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    match magic {
        MAGIC if length < from => Ok(length),
        ENCRYPTED => Err(std::io::ErrorKind::Unsupported.into()),
        _ => Err(std::io::Error::other("it does not end as Parquet does: it may be cut short")),
    }
}

fn readable(of: &DataType) -> bool {
    use DataType::{
        Boolean, Date32, Float32, Float64, Int8, Int16, Int32, Int64, Null, Timestamp, UInt8, UInt16, UInt32, UInt64,
        Utf8,
    };
    let integer = matches!(of, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64);
    integer || matches!(of, Boolean | Date32 | Float32 | Float64 | Null | Timestamp(..) | Utf8)
}

/// Appends a value, which is not null, as text.
fn push(text: &mut String, column: &dyn Array, row: usize) {
    macro_rules! number {
        ($kind:ty) => {
            _ = write!(text, "{}", column.as_primitive::<$kind>().value(row))
        };
    }
    match column.data_type() {
        DataType::Utf8 => text.push_str(column.as_string::<i32>().value(row)),
        DataType::Boolean => text.push_str(if column.as_boolean().value(row) { "true" } else { "false" }),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => number!(Float32Type),
        DataType::Float64 => number!(Float64Type),
        DataType::Date32 => {
            let days = i64::from(column.as_primitive::<Date32Type>().value(row));
            push_time(text, days.checked_mul(DAY_S), 1_000_000_000, 10);
        }
        DataType::Timestamp(unit, zone) => {
            let (value, unit_ns) = match unit {
                TimeUnit::Second => (column.as_primitive::<TimestampSecondType>().value(row), 1_000_000_000),
                TimeUnit::Millisecond => (column.as_primitive::<TimestampMillisecondType>().value(row), 1_000_000),
                TimeUnit::Microsecond => (column.as_primitive::<TimestampMicrosecondType>().value(row), 1_000),
                TimeUnit::Nanosecond => (column.as_primitive::<TimestampNanosecondType>().value(row), 1),
            };
            let start = text.len();
            push_time(text, Some(value), unit_ns, usize::MAX);
            if zone.is_none() && text.len() > start && text.ends_with('Z') {
                text.pop();
            }
        }
        _ => {}
    }
}

/// Appends a time, at most `length` characters of it; one beyond what nanoseconds can say as "out of range".
fn push_time(text: &mut String, value: Option<i64>, unit_ns: i64, length: usize) {
    match value.and_then(|value| value.checked_mul(unit_ns)) {
        Some(ns) => {
            let time = Time(ns).to_string();
            text.push_str(time.get(..length).unwrap_or(&time));
        }
        None => text.push_str("out of range"),
    }
}

fn broken(path: &Path, error: &dyn std::fmt::Display) -> Fault {
    let hint = "fetch or write the file again, then import it again: rows that are in are not counted twice";
    Fault::new(Blame::Input, format!("cannot read {} as Parquet: {error}", path.display()), hint)
}

/// First and last bytes of a Parquet file.
const MAGIC: [u8; 4] = *b"PAR1";
/// Those of one whose footer is encrypted.
const ENCRYPTED: [u8; 4] = *b"PARE";
/// Rows unpacked at once.
const BATCH_ROWS: usize = 4_096;
const DAY_S: i64 = 86_400;
const SMALLER: &str = "write it with smaller row groups (pyarrow: row_group_size), or as several files";

#[cfg(test)]
mod tests;
