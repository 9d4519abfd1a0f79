//! What comes and goes as Parquet: files to import, and the archive of the journal. Read and written by pyarrow as well.

#[path = "archive/import.rs"]
mod import;
