//! Numbers of a source that did not come, and hours in which it was silent: counted, and told in the ledger.

use super::{Intake, add};
use crate::journal::batch::{Batch, predictions_log};
use crate::journal::events::EventRow;
use crate::journal::sequence::{Followed, Sources, hours};
use crate::journal::{Journal, StdRng};
use fedaudit_core::contract::Contract;
use fedaudit_core::event::{LedgerEntry, Record, Tally, TallyKind};
use fedaudit_core::fault::Fault;
use fedaudit_core::time::Time;
use std::collections::BTreeMap;

impl Journal {
    /// Counts the hours before `until` in which sources under a contract were silent, unless that was done; before a
    /// window is closed.
    ///
    /// # Errors
    /// A journal that cannot be written.
    pub fn count_silence(&mut self, contract: &Contract, until: Time, rng: &mut StdRng) -> Result<(), Fault> {
        self.write(|batch| {
            let Some(known) = batch.sidecar.contract(&contract.journal_key())? else { return Ok(()) };
            let mut tallies = BTreeMap::new();
            let mut sources = Sources::default();
            for hour in sources.silent(batch.sidecar, known.id, until)?.into_iter().flat_map(hours) {
                *tallies.entry(hour).or_default() += 1;
            }
            sources.keep(batch.sidecar, known.id)?;
            let hours = tallies.values().sum::<i64>();
            if hours > 0 {
                batch.sidecar.add_counts(known.id, &BTreeMap::from([(TallyKind::SilentSource, hours)]))?;
            }
            for (hour, change) in tallies {
                let log = batch.log(&predictions_log(&known.key))?;
                batch.put(log, &Record::Tally(Tally { hour, kind: TallyKind::SilentSource, change }), rng)?;
            }
            Ok(())
        })
    }
}

impl Intake<'_> {
    /// Counts what the event's number says of others; the ledger says which numbers did not come.
    pub(super) fn follow(&mut self, batch: &mut Batch, row: &EventRow, rng: &mut StdRng) -> Result<(), Fault> {
        let Some((source, number)) = row.source.as_ref().filter(|_| self.rules.count) else { return Ok(()) };
        let hour = row.occurred_at.hour_start();
        let (followed, silent) = self.sources.follow(batch.sidecar, self.known.id, source, *number, row.occurred_at)?;
        for hour in hours(silent) {
            self.change(hour, TallyKind::SilentSource, 1);
        }
        match followed {
            Followed::InTurn => {}
            Followed::After(missing) => {
                self.change(hour, TallyKind::MissingSequence, i64::try_from(missing).unwrap_or(i64::MAX));
                let source = add::term(batch, source, rng)?;
                batch.put_ledger(LedgerEntry::Gap { source, first: number - missing, last: number - 1 }, rng)?;
            }
            Followed::Late(counted) => {
                self.count(row.occurred_at, TallyKind::OutOfOrder);
                if let Some(hour) = counted {
                    self.change(hour, TallyKind::MissingSequence, -1);
                }
            }
        }
        Ok(())
    }
}
