//! A closed segment as Parquet files in a folder of this home, from where they go to the archive.

use super::columns::{Row, Texts};
use super::file::{Key, Meaning, Writer};
use super::names;
use crate::journal::Journal;
use crate::journal::sealed::{Sealed, SealedLog};
use fedaudit_core::contract::Contract;
use fedaudit_core::event;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_link::home::{create_dir_private, sync_dir};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Writes the segment's records into `folder`; the files' names within it.
///
/// The records are read once to learn their dates, and once more for every [`DATES_AT_ONCE`] of them: a segment of a
/// month's traffic is read twice. Memory: at most [`PENDING_BYTES`] of columns, and a batch for each date.
pub(super) fn stage(
    journal: &Journal,
    segment: &Sealed,
    contracts: &[Contract],
    texts: &Texts,
    key: Option<&Key>,
    folder: &Path,
) -> Result<Vec<String>, Fault> {
    let mut files = Vec::new();
    for log in &segment.logs {
        let contract = contracts.iter().find(|contract| contract.journal_logs().contains(&log.name));
        let meaning = Meaning { log: &log.name, contract, texts };
        let mut dates = BTreeSet::new();
        each(journal, segment, log, |row| {
            dates.insert(row.time().map(names::date_of));
            Ok(())
        })?;
        let dates: Vec<_> = dates.into_iter().collect();
        for dates in dates.chunks(DATES_AT_ONCE) {
            let mut writers = BTreeMap::new();
            for date in dates {
                let name = names::file(&log.name, segment.number, *date);
                let path = folder.join(&name);
                create_dir_private(path.parent().unwrap_or(folder))?;
                writers.insert(*date, Writer::new(path, &name, meaning, key)?);
                files.push(name);
            }
            each(journal, segment, log, |row| {
                let Some(writer) = writers.get_mut(&row.time().map(names::date_of)) else { return Ok(()) };
                writer.push(row)?;
                if writers.values().map(Writer::pending).sum::<usize>() > PENDING_BYTES {
                    writers.values_mut().try_for_each(Writer::flush)?;
                }
                Ok(())
            })?;
            writers.into_values().try_for_each(Writer::finish)?;
        }
    }
    for name in &files {
        sync_dir(folder.join(name).parent().unwrap_or(folder))?;
    }
    Ok(files)
}

fn each(
    journal: &Journal,
    segment: &Sealed,
    log: &SealedLog,
    mut f: impl FnMut(Row) -> Result<(), Fault>,
) -> Result<(), Fault> {
    journal.sealed_records(segment, log, &mut |position, bytes| {
        let record = event::decode_own_record(bytes).map_err(|error| {
            let what = format!("{}: record {position}: {error}", log.name);
            Fault::new(Blame::Site, what, "run `fedaudit-agent journal verify`")
        })?;
        f(Row { position, bytes: bytes.to_vec(), record })
    })
}

/// Dates whose files are written side by side.
const DATES_AT_ONCE: usize = 64;
/// Columns in memory.
const PENDING_BYTES: usize = 256 << 20;
