//! Taking in events and labels: what is new, what is there already, and what contradicts it.

mod add;
mod compare;
mod gaps;
mod pairs;
mod waiting;

use super::batch::{Batch, outcomes_log, predictions_log};
use super::events::{EventRow, Item, LabelRow, RowResult, check, check_label, check_name};
use super::ids::{Key, Kind};
use super::sampling::Sampling;
use super::sequence::Sources;
use super::sidecar::Known;
use super::{Journal, StdRng};
use fedaudit_core::contract::{Contract, ContractText};
use fedaudit_core::event::{FULL_TIER, LedgerEntry, Outcome, Record, Tally, TallyKind};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::time::{HOUR_NS, Time};
use std::collections::BTreeMap;

/// How items are taken in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules<'a> {
    /// Whether what is no event (duplicates, conflicts, refusals, numbers that a source left out) is counted in the
    /// journal. An import is not: taking a file in twice changes nothing.
    pub count: bool,
    /// This machine's time: what is dated far after it is refused, and what has waited for too long is forgotten.
    pub now: Option<Time>,
    /// Events before this are refused: ids are unique from here on only.
    pub horizon: Option<Time>,
    /// Until when windows have been released: events before come late.
    pub released_until: Option<Time>,
    /// Which events are left out.
    pub sampling: Option<&'a Sampling>,
}

impl Journal {
    /// Takes in a batch of events in one durable transaction; what became of each.
    ///
    /// An event id that is there already must come with the same content; a label that is there already is not
    /// written again. Rows of one batch obey the same rule.
    ///
    /// # Errors
    /// Nothing was written; or, where only the last step failed, all may have been: taking them in again counts
    /// nothing twice.
    pub fn record_events(
        &mut self,
        contract: &Contract,
        rows: &[EventRow],
        rng: &mut StdRng,
    ) -> Result<Vec<RowResult>, Fault> {
        self.record(contract, rows.iter().map(Item::Event), Rules::default(), rng, |_| None)
    }

    /// Takes in a batch of items by `rules`, and a ledger entry about them in the same transaction.
    ///
    /// # Errors
    /// As [`Journal::record_events`].
    pub fn record<'a>(
        &mut self,
        contract: &Contract,
        items: impl Iterator<Item = Item<'a>>,
        rules: Rules,
        rng: &mut StdRng,
        entry: impl FnOnce(&[RowResult]) -> Option<LedgerEntry>,
    ) -> Result<Vec<RowResult>, Fault> {
        self.roll_over(false, rng)?;
        self.write(|batch| {
            let mut intake = Intake::begin(batch, contract, rules)?;
            let results = items.map(|item| intake.take(batch, item, rng)).collect::<Result<Vec<_>, _>>()?;
            intake.end(batch, rng)?;
            if let Some(entry) = entry(&results) {
                batch.put_ledger(entry, rng)?;
            }
            Ok(results)
        })
    }

    /// Position of the prediction called `event_id`, unless it is unknown or erased.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn position_of(&mut self, contract: &Contract, event_id: &str) -> Result<Option<u64>, Fault> {
        self.write(|batch| {
            let Some(known) = batch.sidecar.contract(&contract.journal_key())? else { return Ok(None) };
            batch.cover(&known)?;
            let ids = batch.ids()?;
            ids.get(&ids.key(Kind::Event, known.id, event_id.as_bytes()))
        })
    }
}

/// What the items of a batch have in common.
struct Intake<'a> {
    contract: &'a ContractText,
    rules: Rules<'a>,
    /// The contract in the sidecar.
    known: Known,
    predictions: Place,
    outcomes: Place,
    /// Code of the model version of the event before, and that event's words for it.
    version: Option<(u32, String, [Option<fedaudit_core::ids::Digest>; 2])>,
    tallies: BTreeMap<(Time, TallyKind), i64>,
    sources: Sources,
    /// Keys of events that sampling leaves out.
    skipped: Vec<Key>,
    /// Whether labels wait for their events.
    waiting: bool,
}

/// A log and, once it is needed, its place among the heads: a log begins with its first record.
struct Place {
    name: String,
    at: Option<usize>,
}

impl Place {
    fn of(name: String) -> Self {
        Place { name, at: None }
    }

    fn get(&mut self, batch: &mut Batch) -> Result<usize, Fault> {
        match self.at {
            Some(at) => Ok(at),
            None => Ok(*self.at.insert(batch.log(&self.name)?)),
        }
    }
}

impl<'a> Intake<'a> {
    fn begin(batch: &mut Batch, contract: &'a Contract, rules: Rules<'a>) -> Result<Self, Fault> {
        let key = contract.journal_key();
        let size = batch.size(&predictions_log(&key));
        let known = match batch.sidecar.contract(&key)? {
            Some(known) if known.size >= size => known,
            None if size == 0 => batch.sidecar.add_contract(&key)?,
            _ => {
                let path = batch.sidecar.db.path.display();
                let what = format!("{path} is older than the journal; it cannot tell events from duplicates");
                let hint = "put back the sidecar that belongs to this journal, or begin a new epoch of it";
                return Err(Fault::new(Blame::Operator, what, hint));
            }
        };
        batch.cover(&known)?;
        let sidecar = batch.sidecar;
        batch.ids()?.seal_if_full(sidecar)?;
        let (predictions, outcomes) = (Place::of(predictions_log(&key)), Place::of(outcomes_log(&key)));
        if let Some(now) = rules.now {
            sidecar.forget_halves(now)?;
        }
        let waiting = sidecar.any_half(known.id)?;
        Ok(Intake {
            contract,
            rules,
            known,
            predictions,
            outcomes,
            version: None,
            tallies: BTreeMap::new(),
            sources: Sources::default(),
            skipped: Vec::new(),
            waiting,
        })
    }

    /// Writes what was counted; the ids of the batch are covered from here on.
    fn end(&mut self, batch: &mut Batch, rng: &mut StdRng) -> Result<(), Fault> {
        let mut counts = BTreeMap::new();
        for ((hour, kind), change) in std::mem::take(&mut self.tallies) {
            if change != 0 {
                *counts.entry(kind).or_default() += change;
                let log = self.predictions.get(batch)?;
                batch.put(log, &Record::Tally(Tally { hour, kind, change }), rng)?;
            }
        }
        batch.sidecar.add_counts(self.known.id, &counts)?;
        self.sources.keep(batch.sidecar, self.known.id)?;
        if !self.skipped.is_empty() {
            batch.sidecar.add_skipped(self.known.id, &self.skipped)?;
        }
        let sizes = [&self.predictions, &self.outcomes].map(|log| batch.size(&log.name));
        batch.ids()?.covered.insert(self.known.id, sizes);
        Ok(())
    }

    fn count(&mut self, at: Time, kind: TallyKind) {
        if self.rules.count {
            self.change(at.hour_start(), kind, 1);
        }
    }

    fn change(&mut self, hour: Time, kind: TallyKind, by: i64) {
        let tally = self.tallies.entry((hour, kind)).or_default();
        *tally = tally.saturating_add(by);
    }

    /// Whether this machine's clock can stand for a time: what lies far ahead would keep its segment from ever being old.
    fn check_time(&self, name: &str, at: Time) -> Result<(), String> {
        match self.rules.now {
            Some(now) if at > now.plus_ns(AHEAD_NS) => {
                Err(format!("{name} {at} is more than a day after this machine's clock, {now}: one of them is wrong"))
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, batch: &mut Batch, item: Item, rng: &mut StdRng) -> Result<RowResult, Fault> {
        let (at, result) = match item {
            Item::Event(row) => (row.occurred_at, self.take_event(batch, row, rng)?),
            Item::Label(row) => (row.labelled_at, self.take_label(batch, row, rng)?),
            Item::Half(id, half) => return self.take_half(batch, id, half, rng),
            Item::Refused(at, reason) => (at, RowResult::Rejected(reason.to_owned())),
        };
        match &result {
            RowResult::Duplicate => self.count(at, TallyKind::Duplicate),
            RowResult::Waiting => self.count(at, TallyKind::OutcomeWithoutEvent),
            RowResult::Rejected(_) => self.count(at, TallyKind::Refused),
            RowResult::Event { .. } | RowResult::Outcome | RowResult::Sampled => {}
        }
        Ok(result)
    }

    fn take_event(&mut self, batch: &mut Batch, row: &EventRow, rng: &mut StdRng) -> Result<RowResult, Fault> {
        let labelled_at = row.outcome.map_or(row.occurred_at, |(_, labelled_at)| labelled_at);
        let timely = || self.check_time("occurred_at", row.occurred_at);
        let checked = check(self.contract, row).and_then(|()| timely());
        if let Err(reason) = checked.and_then(|()| self.check_time("labelled_at", labelled_at)) {
            return Ok(RowResult::Rejected(reason));
        }
        if let Some(horizon) = self.rules.horizon.filter(|horizon| row.occurred_at < *horizon) {
            let what =
                format!("occurred_at {} is before {horizon}: ids are told apart from there on only", row.occurred_at);
            return Ok(RowResult::Rejected(what));
        }
        let ids = batch.ids()?;
        let key = ids.key(Kind::Event, self.known.id, row.event_id.as_bytes());
        let Some(position) = ids.get(&key)? else {
            let tier = self.rules.sampling.and_then(|sampling| sampling.tier_of(row));
            if tier.is_some() && self.skipped_key(batch, &row.event_id)?.1 {
                return Ok(RowResult::Duplicate);
            }
            if let Err(reason) = add::has_codes(batch, row) {
                return Ok(RowResult::Rejected(reason));
            }
            self.follow(batch, row, rng)?;
            if self.rules.released_until.is_some_and(|until| row.occurred_at < until) {
                self.count(row.occurred_at, TallyKind::Late);
            }
            if let Some((_, false)) = tier {
                return self.skip(batch, row);
            }
            let position = self.add(batch, row, tier.map_or(FULL_TIER, |(tier, _)| tier), rng)?;
            batch.ids()?.put(key, position);
            if let Some((label, labelled_at)) = row.outcome {
                let outcome = Outcome { prediction: position, label, labelled_at, weight: 1, previous: None };
                let log = self.outcomes.get(batch)?;
                batch.put(log, &Record::Outcome(outcome), rng)?;
            }
            if self.waiting {
                self.take_waiting(batch, row, position, rng)?;
            }
            return Ok(RowResult::Event { outcome: row.outcome.is_some() });
        };
        let log = self.predictions.get(batch)?;
        if batch.is_gone(log, position) {
            return Ok(RowResult::Rejected(gone(&row.event_id)));
        }
        let stored = batch.prediction(log, position)?;
        if let Some(field) = self.difference(batch, &stored, position, row)? {
            self.count(row.occurred_at, TallyKind::Conflicting);
            let id = row.event_id.escape_debug();
            return Ok(RowResult::Rejected(format!("event `{id}` is already journaled with another {field}")));
        }
        let Some((label, labelled_at)) = row.outcome else { return Ok(RowResult::Duplicate) };
        self.label(batch, Outcome { prediction: position, label, labelled_at, weight: 1, previous: None }, rng)
    }

    fn take_label(&mut self, batch: &mut Batch, row: &LabelRow, rng: &mut StdRng) -> Result<RowResult, Fault> {
        let LabelRow { event_id, label, labelled_at, weight } = row;
        let checked = check_name("event_id", event_id)
            .and_then(|()| check_label(self.contract, *label, *labelled_at, *labelled_at))
            .and_then(|()| self.check_time("labelled_at", *labelled_at));
        if let Err(reason) =
            checked.and_then(|()| if *weight == 0 { Err("weight is 0; at least 1".to_owned()) } else { Ok(()) })
        {
            return Ok(RowResult::Rejected(reason));
        }
        let ids = batch.ids()?;
        let Some(prediction) = ids.get(&ids.key(Kind::Event, self.known.id, event_id.as_bytes()))? else {
            if self.rules.sampling.is_some() && self.skipped_key(batch, event_id)?.1 {
                return Ok(RowResult::Sampled);
            }
            self.waiting = true;
            let new = batch.sidecar.add_label(self.known.id, row, (self.rules.count, self.rules.now))?;
            return Ok(if new { RowResult::Waiting } else { RowResult::Duplicate });
        };
        let log = self.predictions.get(batch)?;
        if batch.is_gone(log, prediction) {
            return Ok(RowResult::Rejected(gone(event_id)));
        }
        let occurred_at = batch.prediction(log, prediction)?.occurred_at;
        if let Err(reason) = check_label(self.contract, *label, *labelled_at, occurred_at) {
            return Ok(RowResult::Rejected(reason));
        }
        self.label(
            batch,
            Outcome { prediction, label: *label, labelled_at: *labelled_at, weight: *weight, previous: None },
            rng,
        )
    }

    /// A label of an event that is there.
    fn label(&mut self, batch: &mut Batch, mut outcome: Outcome, rng: &mut StdRng) -> Result<RowResult, Fault> {
        let ids = batch.ids()?;
        outcome.previous = ids.get(&ids.key(Kind::Label, self.known.id, &outcome.prediction.to_be_bytes()))?;
        if outcome.previous.is_none() {
            let identity = batch.identity(self.known.id, outcome.prediction)?;
            outcome.previous = identity.and_then(|identity| identity.outcome);
        }
        let mut before = outcome.previous;
        let mut changes = 0;
        while let Some(position) = before {
            changes += 1;
            if changes > LABEL_CHANGES {
                return Ok(RowResult::Rejected(format!("the label was changed {LABEL_CHANGES} times already")));
            }
            let log = self.outcomes.get(batch)?;
            let earlier = batch.outcome(log, position)?;
            let same =
                |a: &Outcome, b: &Outcome| (a.label, a.labelled_at, a.weight) == (b.label, b.labelled_at, b.weight);
            if same(&earlier, &outcome) {
                return Ok(RowResult::Duplicate);
            }
            before = earlier.previous;
        }
        if outcome.previous.is_some() {
            self.count(outcome.labelled_at, TallyKind::ChangedOutcome);
        }
        self.add_outcome(batch, outcome, rng)?;
        Ok(RowResult::Outcome)
    }

    fn add_outcome(&mut self, batch: &mut Batch, outcome: Outcome, rng: &mut StdRng) -> Result<(), Fault> {
        let prediction = outcome.prediction.to_be_bytes();
        let log = self.outcomes.get(batch)?;
        let position = batch.put(log, &Record::Outcome(outcome), rng)?;
        let ids = batch.ids()?;
        ids.put(ids.key(Kind::Label, self.known.id, &prediction), position);
        Ok(())
    }
}

/// Why nothing can be said of an event any more: neither whether it is the same, nor which label it has.
fn gone(event_id: &str) -> String {
    format!("event `{}` has left this journal, as its retention says", event_id.escape_debug())
}

/// How far ahead of this machine's clock an event may be dated.
const AHEAD_NS: i64 = 24 * HOUR_NS;
/// Labels that an event may have had: each new one is held against all of them.
const LABEL_CHANGES: u32 = 1_000;
