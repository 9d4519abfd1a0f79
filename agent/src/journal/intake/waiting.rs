//! Labels that wait for their event, and events that sampling leaves out.

use super::Intake;
use crate::journal::StdRng;
use crate::journal::batch::Batch;
use crate::journal::events::{EventRow, LabelRow, RowResult, check_label};
use crate::journal::ids::{Key, Kind};
use fedaudit_core::event::{Outcome, TallyKind};
use fedaudit_core::fault::Fault;

impl Intake<'_> {
    /// The key by which an event is known that was left out, and whether it was.
    pub(super) fn skipped_key(&self, batch: &mut Batch, event_id: &str) -> Result<(Key, bool), Fault> {
        let ids = batch.ids()?;
        let key = ids.key(Kind::Skipped, self.known.id, event_id.as_bytes());
        Ok((key, ids.get(&key)?.is_some()))
    }

    /// Leaves an event out, as sampling says, and the labels that wait for it.
    pub(super) fn skip(&mut self, batch: &mut Batch, row: &EventRow) -> Result<RowResult, Fault> {
        let (key, _) = self.skipped_key(batch, &row.event_id)?;
        batch.ids()?.put(key, 0);
        self.skipped.push(key);
        self.count(row.occurred_at, TallyKind::Sampled);
        if self.waiting {
            self.waited_for(batch, &row.event_id)?;
        }
        Ok(RowResult::Sampled)
    }

    /// Takes the labels that waited for an event: they are no longer without one.
    pub(super) fn waited_for(&mut self, batch: &Batch, event_id: &str) -> Result<Vec<LabelRow>, Fault> {
        let labels = batch.sidecar.take_labels(self.known.id, event_id)?.into_iter();
        let uncount = |(label, counted): (LabelRow, bool)| {
            if counted {
                self.change(label.labelled_at.hour_start(), TallyKind::OutcomeWithoutEvent, -1);
            }
            label
        };
        Ok(labels.map(uncount).collect())
    }

    /// Labels that came before their event.
    pub(super) fn take_waiting(
        &mut self,
        batch: &mut Batch,
        row: &EventRow,
        prediction: u64,
        rng: &mut StdRng,
    ) -> Result<(), Fault> {
        for LabelRow { label, labelled_at, weight, .. } in self.waited_for(batch, &row.event_id)? {
            if check_label(self.contract, label, labelled_at, row.occurred_at).is_ok() {
                self.label(batch, Outcome { prediction, label, labelled_at, weight, previous: None }, rng)?;
            } else {
                self.count(labelled_at, TallyKind::Refused);
            }
        }
        Ok(())
    }
}
