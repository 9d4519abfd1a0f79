//! What comes and goes as Parquet: files to import, and the archive of the journal. Read and written by pyarrow as well.

#[path = "archive/cold.rs"]
mod cold;
#[path = "archive/import.rs"]
mod import;
