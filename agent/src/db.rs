//! One SQLite file: made at once or not at all, opened through a gate, its errors turned into faults.

use fedaudit_core::fault::{Blame, Fault};
use fedaudit_link::home;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A database file that has passed the gate.
#[derive(Debug)]
pub(crate) struct Db {
    pub path: PathBuf,
    pub connection: Connection,
}

impl Db {
    /// Makes the file `path` with `schema` and what `fill` puts into it; it is for its owner only.
    ///
    /// Crash order: (1) a temporary file with schema, version and content, (2) it is closed, so that no write-ahead
    /// log is left, and synced, (3) it gets its name, (4) the folder is synced. A crash before (3) leaves a stray file
    /// that the next attempt removes; the caller holds the journal's lock, so nobody else is at work on it.
    pub fn create(
        path: &Path,
        schema: &str,
        fill: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), Fault> {
        let io = |error: std::io::Error| io_fault("create", path, &error);
        let folder = path.parent().unwrap_or(Path::new("."));
        let stray = beside(path, ".new");
        for file in [stray.clone(), beside(&stray, "-wal"), beside(&stray, "-shm"), beside(&stray, "-journal")] {
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
                _ => {}
            }
        }
        home::create_new(&stray, b"", 0o600)?;
        let made = || -> rusqlite::Result<()> {
            let mut connection = Connection::open_with_flags(&stray, FLAGS)?;
            connection.pragma_update(None, "page_size", PAGE_BYTES)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            let transaction = connection.transaction()?;
            transaction.execute_batch(schema)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            fill(&transaction)?;
            transaction.commit()?;
            connection.close().map_err(|(_, error)| error)
        };
        made().map_err(|error| sql_fault(path, "create", &error))?;
        File::open(&stray).and_then(|file| file.sync_all()).map_err(io)?;
        std::fs::rename(&stray, path).map_err(io)?;
        home::sync_dir(folder)
    }

    /// Opens an existing file of this schema version.
    ///
    /// # Errors
    /// It is missing, no database, or of a version that this program does not know.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let sql = |error: rusqlite::Error| sql_fault(path, "open", &error);
        let connection = Connection::open_with_flags(path, FLAGS).map_err(sql)?;
        connection.busy_timeout(BUSY).map_err(sql)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sql)?;
        if version != SCHEMA_VERSION {
            let found = if version == 0 { "no schema version".to_owned() } else { format!("schema version {version}") };
            let what = format!("{} has {found}; this program knows {SCHEMA_VERSION}", path.display());
            let hint = match version {
                0 => {
                    "it was not made by this program, or is damaged: restore this home as a whole from its newest backup"
                }
                _ => "use the version of this program that wrote it, or a later one",
            };
            return Err(Fault::new(Blame::Operator, what, hint));
        }
        for (pragma, value) in PRAGMAS {
            connection.pragma_update(None, pragma, value).map_err(sql)?;
        }
        // Plans must not depend on the values bound: otherwise SQLite plans every lookup again.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(sql)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Db { path: path.to_owned(), connection })
    }

    /// Writes one state of the file, whoever writes to it meanwhile, to the new file `path`, durably and for its owner only.
    pub fn copy(&self, path: &Path) -> Result<(), Fault> {
        // An empty file may be there: its owner and mode are set before there is anything to read.
        home::create_new(path, b"", 0o600)?;
        self.run("copy", |c| c.execute("VACUUM INTO ?", [path.to_string_lossy()]).map(|_| ()))?;
        let set = || -> rusqlite::Result<()> {
            // The copy of a file with a write-ahead log has none of its own.
            let copy = Connection::open_with_flags(path, FLAGS)?;
            copy.pragma_update(None, "journal_mode", "WAL")?;
            copy.close().map_err(|(_, error)| error)
        };
        set().map_err(|error| sql_fault(path, "create", &error))?;
        File::open(path).and_then(|file| file.sync_all()).map_err(|error| io_fault("create", path, &error))
    }

    /// Runs a piece of work on the connection; its errors name the file.
    pub fn run<T>(&self, doing: &str, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Fault> {
        work(&self.connection).map_err(|error| sql_fault(&self.path, doing, &error))
    }

    /// Begins a transaction that will write.
    pub fn begin(&self) -> Result<(), Fault> {
        self.run("begin to write", |c| c.execute_batch("BEGIN IMMEDIATE"))
    }

    /// Makes the transaction durable.
    pub fn commit(&self) -> Result<(), Fault> {
        self.run("commit to", |c| c.execute_batch("COMMIT"))
    }

    /// Drops a transaction, if one is open.
    pub fn rollback(&self) {
        if !self.connection.is_autocommit() {
            // If this fails as well, the first error is the one to tell, and SQLite drops it when the file is closed.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Moves what is committed from the write-ahead log to its place, without waiting for anybody.
    pub fn move_log(&self) -> Result<(), Fault> {
        self.run("move the log of", |c| c.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())))
    }

    /// Checks the file's pages and indices, without a word about what is in them.
    pub fn check_pages(&self) -> Result<(), Fault> {
        let answer: String = self.run("check", |c| c.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)))?;
        if answer == "ok" { Ok(()) } else { Err(damaged(&self.path, answer)) }
    }
}

/// A file of a home does not hold what it must. One file of an older state does not fit the others.
pub(crate) fn damaged(path: &Path, what: impl std::fmt::Display) -> Fault {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let hint = format!(
        "{file} is damaged: stop the agent, keep a copy, and restore this home as a whole from its newest backup; \
         what no backup has is lost"
    );
    Fault::new(Blame::Site, format!("{}: {what}", path.display()), hint)
}

/// An integer as SQLite holds it; sizes and positions are far below 2^63.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An integer as SQLite held it; a negative one can only be damage and becomes a position that nothing has.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX >> 1)
}

fn sql_fault(path: &Path, doing: &str, error: &rusqlite::Error) -> Fault {
    let what = format!("cannot {doing} {}: {error}", path.display());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Fault::new(Blame::Operator, what, "free space on this disk"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Fault::new(Blame::Operator, what, "close other programs that have this file open")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            let hint = "check that it exists and belongs to the user that runs this; has this home been initialised?";
            Fault::new(Blame::Operator, what, hint)
        }
        Some(ErrorCode::SystemIoFailure) => Fault::new(Blame::Operator, what, "check the disk"),
        _ => damaged(path, format!("cannot {doing} it: {error}")),
    }
}

pub(crate) fn io_fault(doing: &str, path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Blame::Operator, format!("cannot {doing} {}: {error}", path.display()), "check the disk and the path")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Stamped at creation; migrations only add, and raise it.
const SCHEMA_VERSION: i64 = 6;
/// Bytes of a page: chunks of records are larger than SQLite's usual 4 KiB, and each page costs two writes.
const PAGE_BYTES: i64 = 8_192;
/// How long to wait for another connection.
const BUSY: Duration = Duration::from_secs(30);
/// Prepared statements kept for a file; more than there are.
const STATEMENTS: usize = 64;
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
/// The write-ahead log itself is chosen at creation and stays chosen. Negative cache sizes are KiB.
const PRAGMAS: [(&str, i64); 4] =
    [("synchronous", 2), ("cache_size", -32_768), ("wal_autocheckpoint", 4_096), ("trusted_schema", 0)];
