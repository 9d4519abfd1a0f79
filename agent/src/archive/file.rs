//! One Parquet file: zstd, encrypted where the site has a key for it (Parquet modular encryption, AES-GCM-256).

use super::columns::{Row, Texts, batch};
use crate::db::io_fault;
use crate::foreign::guard;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use fedaudit_core::contract::Contract;
use fedaudit_core::fault::{Blame, Fault};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The key of a site's archive.
pub type Key = Zeroizing<[u8; 32]>;

/// A log, and what is needed to say what its codes mean.
#[derive(Clone, Copy)]
pub(crate) struct Meaning<'a> {
    pub log: &'a str,
    pub contract: Option<&'a Contract>,
    pub texts: &'a Texts,
}

/// A file that is being written.
pub(crate) struct Writer<'a> {
    path: PathBuf,
    meaning: Meaning<'a>,
    properties: WriterProperties,
    /// Made with the first rows, which tell the columns.
    writer: Option<ArrowWriter<File>>,
    rows: Vec<Row>,
}

impl<'a> Writer<'a> {
    /// Begins the file that the archive will call `name`, at `path`.
    pub fn new(path: PathBuf, name: &str, meaning: Meaning<'a>, key: Option<&Key>) -> Result<Self, Fault> {
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(|error| report(&path, &error))?;
        let mut builder = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_created_by(crate::home::SOFTWARE.to_owned());
        // Random bytes: neither a dictionary nor a least and greatest value makes anything smaller or faster.
        for random in ["record", "event_token", "subject", "feature_hmac"] {
            let column = ColumnPath::from(random);
            builder = builder.set_column_dictionary_enabled(column.clone(), false);
            builder = builder.set_column_statistics_enabled(column, EnabledStatistics::None);
        }
        if let Some(key) = key {
            // Bound to its name: a file that is put in the place of another does not open.
            let encryption = FileEncryptionProperties::builder(key.to_vec())
                .with_aad_prefix(name.as_bytes().to_vec())
                .with_aad_prefix_storage(true)
                .build();
            builder = builder.with_file_encryption_properties(encryption.map_err(|error| report(&path, &error))?);
        }
        Ok(Writer { path, meaning, properties: builder.build(), writer: None, rows: Vec::new() })
    }

    /// Takes in a row.
    pub fn push(&mut self, row: Row) -> Result<(), Fault> {
        self.rows.push(row);
        if self.rows.len() < BATCH_ROWS { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<(), Fault> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let Meaning { log, contract, texts } = self.meaning;
        let batch = batch(log, contract, texts, &self.rows).map_err(|error| report(&self.path, &error))?;
        self.rows.clear();
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path);
                let file = file.map_err(|error| io_fault("create", &self.path, &error))?;
                let made = ArrowWriter::try_new(file, batch.schema(), Some(self.properties.clone()));
                self.writer.insert(made.map_err(|error| report(&self.path, &error))?)
            }
        };
        writer.write(&batch).map_err(|error| report(&self.path, &error))
    }

    /// Bytes in memory that are not in the file yet.
    pub fn pending(&self) -> usize {
        self.writer.as_ref().map_or(0, ArrowWriter::in_progress_size)
    }

    /// Writes what is pending as a row group of its own.
    pub fn flush(&mut self) -> Result<(), Fault> {
        let flushed = self.writer.as_mut().map_or(Ok(()), ArrowWriter::flush);
        flushed.map_err(|error| report(&self.path, &error))
    }

    /// Ends the file; it is durable when this returns.
    pub fn finish(mut self) -> Result<(), Fault> {
        self.write()?;
        let Some(writer) = self.writer else { return Ok(()) };
        let file = writer.into_inner().map_err(|error| report(&self.path, &error))?;
        file.sync_all().map_err(|error| io_fault("write", &self.path, &error))
    }
}

/// Hands position and bytes of each record of a file to `f`, in the file's order.
///
/// # Errors
/// The place up to which the file can be read, or what `f` fails with.
pub(crate) fn records(
    path: &Path,
    name: &str,
    key: Option<&Key>,
    mut f: impl FnMut(i64, &[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let mut options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let mut start = [0; 4];
    file.read_exact(&mut start).map_err(|error| error.to_string())?;
    if start == *b"PARE" {
        let key = key.ok_or("it is encrypted, and this home has no keys/archive.key")?;
        let decryption = FileDecryptionProperties::builder(key.to_vec()).with_aad_prefix(name.as_bytes().to_vec());
        options = options.with_file_decryption_properties(decryption.build().map_err(|error| error.to_string())?);
    }
    let mut reader = guard(|| {
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), ["position", "record"]);
        builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()
    })?;
    let mut last: Option<i64> = None;
    loop {
        let batch = guard(|| reader.next().transpose()).map_err(|error| after(last, error))?;
        let Some(batch) = batch else { return Ok(()) };
        let columns = batch.column_by_name("position").zip(batch.column_by_name("record"));
        let columns = columns.and_then(|(at, of)| at.as_primitive_opt::<Int64Type>().zip(of.as_binary_opt::<i32>()));
        let Some((positions, records)) = columns else {
            return Err("it lacks the columns `position` and `record`".to_owned());
        };
        for (position, record) in positions.iter().zip(records) {
            let (Some(position), Some(record)) = (position, record) else {
                return Err(after(last, "a row without position or record".to_owned()));
            };
            f(position, record)?;
            last = Some(position);
        }
    }
}

/// An error, and the last record that was read before it.
fn after(last: Option<i64>, error: String) -> String {
    match last {
        Some(position) => format!("after record {position}: {error}"),
        None => error,
    }
}

fn report(path: &Path, error: &dyn std::fmt::Display) -> Fault {
    let hint = "check that there is room on its disk; if there is, report this";
    Fault::new(Blame::Operator, format!("cannot write {}: {error}", path.display()), hint)
}

/// Rows that become columns at once.
const BATCH_ROWS: usize = 1_024;
/// Rows of a row group: with some 150 bytes each, what a reader holds in memory at once stays small.
const ROW_GROUP_ROWS: usize = 131_072;
/// Of 22: higher ones cost more than they save on records that are mostly random bytes.
const ZSTD_LEVEL: i32 = 3;
