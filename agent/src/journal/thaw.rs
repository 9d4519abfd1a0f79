//! Records that have left the journal, for a while in their place again: those who read find them as they were.

use super::sealed::{Sealed, copy_without_records, open_instead, sealed};
use super::segment::Segment;
use super::{Journal, chunk};
use fedaudit_core::contract::ContractText;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::limits::BLOCK_RECORDS;
use fedaudit_core::time::Window;
use rusqlite::params;
use std::collections::BTreeSet;
use std::path::Path;

/// Takes a record's log, position and bytes.
pub(crate) type Put<'a> = &'a mut dyn FnMut(i64, u64, &[u8]) -> Result<(), String>;

impl Journal {
    /// The segments, those in `thawed` among them, whose records have left the journal and may be needed for a window: by
    /// the zones of their blocks, which stay.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(crate) fn gone_for(
        &mut self,
        contract: &ContractText,
        window: Window,
        thawed: &BTreeSet<u32>,
    ) -> Result<BTreeSet<u32>, Fault> {
        self.sealed()?;
        let [predictions, outcomes] = contract.journal_logs();
        let times = (window.start.0, window.end.0.saturating_sub(1));
        let (mut found, mut positions) = (BTreeSet::new(), None);
        // An outcome comes after its prediction, and lies in the same segment or a later one.
        for (segment, number) in self.segments.iter().zip(1..) {
            let mut met = false;
            if let Some(row) = segment.log(&predictions)? {
                for block in segment.blocks(row.id, u64::MAX >> 1, Some(times))? {
                    let first = crate::db::int(block.number * BLOCK_RECORDS);
                    let (low, high) = positions.unwrap_or((first, first));
                    positions = Some((first.min(low), high.max(first + crate::db::int(BLOCK_RECORDS) - 1)));
                    met = true;
                }
            }
            if let Some((row, zone)) = segment.log(&outcomes)?.zip(positions) {
                met |= !segment.blocks(row.id, u64::MAX >> 1, Some(zone))?.is_empty();
            }
            if met && (segment.gone || thawed.contains(&number)) {
                found.insert(number);
            }
        }
        Ok(found)
    }

    /// Reads a segment's records from the new file `path` from here on: a copy of the segment, and what `fill` puts into it.
    /// That file is this program's alone, and lasts no longer than it.
    ///
    /// # Errors
    /// The file cannot be written, or what `fill` fails with: then the journal is as before.
    pub(crate) fn thaw(
        &mut self,
        number: u32,
        path: &Path,
        fill: impl FnOnce(&Sealed, Put) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let segment = self.closed(number)?;
        copy_without_records(segment, path)?;
        let copy = Segment::open(path)?;
        copy.db.run("set up", |c| {
            c.query_row("PRAGMA journal_mode = OFF", [], |_| Ok(()))?;
            c.execute_batch("PRAGMA synchronous = OFF; BEGIN")
        })?;
        // Records come a day after another, as files have them: each is a chunk of its own.
        let mut bytes = Vec::new();
        fill(&sealed(segment, number)?, &mut |log, position, record| {
            bytes.clear();
            chunk::push::<chunk::TooLong>(&mut bytes, |bytes| {
                bytes.extend(record);
                Ok(())
            })
            .map_err(|_| format!("record {position} is longer than any"))?;
            let put = || -> rusqlite::Result<usize> {
                let mut insert = copy.db.connection.prepare_cached("INSERT INTO chunk (key, bytes) VALUES (?, ?)")?;
                insert.execute(params![chunk::key(log, position), bytes])
            };
            put().map(|_| ()).map_err(|error| format!("cannot write {}: {error}", path.display()))
        })?;
        copy.db.commit()?;
        drop(copy);
        open_instead(segment, path)
    }

    /// Reads a segment from its own file again.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn freeze(&mut self, number: u32) -> Result<(), Fault> {
        let path = Segment::path(&self.folder, number);
        open_instead(self.closed(number)?, &path)
    }

    /// A segment that is not written to any more.
    pub(super) fn closed(&mut self, number: u32) -> Result<&mut Segment, Fault> {
        let at = usize::try_from(number).unwrap_or(usize::MAX).wrapping_sub(1);
        let closed = self.segments.len().saturating_sub(1);
        let not = || Fault::new(Blame::Site, format!("segment {number} is not closed"), "report this");
        self.segments.get_mut(at).filter(|_| at < closed).ok_or_else(not)
    }
}
