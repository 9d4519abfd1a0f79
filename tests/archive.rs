//! What comes and goes as Parquet: files to import, and the archive of the journal, read and written by pyarrow as well.
//! And what a backup gives back.

#[path = "archive/backup.rs"]
mod backup;
#[path = "archive/cold.rs"]
mod cold;
#[path = "archive/import.rs"]
mod import;
#[path = "archive/reproduce.rs"]
mod reproduce;
#[path = "archive/erased.rs"]
mod erased;
#[path = "archive/asked.rs"]
mod asked;
#[path = "archive/once.rs"]
mod once;
