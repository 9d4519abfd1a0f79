//! The answer of a journal to a plan.

use super::Journal;
use super::read::Seen;
use fedaudit_core::aggregate::{Aggregate, Stratum};
use fedaudit_core::contract::Contract;
use fedaudit_core::disclosure::Transitions;
use fedaudit_core::event::{ABSENT, Prediction};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::plan::Plan;
use fedaudit_core::time::{Time, Window};

/// Computes the aggregate of one window from the first `predictions` and the first `outcomes` records of the
/// contract's logs: the sizes of the checkpoints that the release will name.
///
/// An outcome counts if it was labelled until the window's end plus the plan's label maturity; the latest labelled
/// wins, and of equally late ones the later in the log. Blocks outside the window are not read, and nothing but the
/// window's events is held in memory, at some 48 bytes each.
///
/// # Errors
/// A plan of another contract, sizes beyond the journal's, or a journal that is damaged.
pub fn aggregate(
    journal: &mut Journal,
    plan: &Plan,
    contract: &Contract,
    window: Window,
    predictions: u64,
    outcomes: u64,
) -> Result<Aggregate, Fault> {
    let mut aggregate = Aggregate::empty(plan, contract).map_err(misfit)?;
    let events = events(journal, plan, contract, window, predictions, outcomes, |seen| match seen {
        Seen::Prediction(event) => aggregate.describe(event),
        Seen::Tally(tally) => {
            aggregate.tally(tally);
            Ok(())
        }
    })?;
    events
        .each(|stratum, event, label, labelled_at| {
            if let Some(labelled_at) = labelled_at {
                aggregate.delay(event.occurred_at, labelled_at);
            }
            aggregate.add(stratum, event, label)
        })
        .map_err(|error| strange(window, &error))?;
    Ok(aggregate)
}

/// Counts into `transitions` what became of the window's events from `before` to `after`: the sizes of predictions and
/// outcomes that two releases name.
///
/// # Errors
/// As [`aggregate`]; a second release that was computed from less than the first.
pub fn count_transitions(
    journal: &mut Journal,
    plan: &Plan,
    contract: &Contract,
    window: Window,
    [before, after]: [[u64; 2]; 2],
    transitions: &mut Transitions,
) -> Result<(), Fault> {
    let old = events(journal, plan, contract, window, before[0], before[1], |_| Ok(()))?;
    let new = events(journal, plan, contract, window, after[0], after[1], |_| Ok(()))?;
    if !new.positions.starts_with(&old.positions) {
        return Err(strange(window, "it holds fewer events than a release that was signed"));
    }
    // Positions ascend, so that the events of the first come first in the second.
    let mut labels = old.labels.iter();
    let count = |stratum, event: &Prediction, label, _| transitions.add(stratum, event, labels.next().copied(), label);
    new.each(count).map_err(|error| strange(window, &error))
}

fn misfit(error: String) -> Fault {
    Fault::new(Blame::Input, error, "take the plan and contract that were published")
}

fn strange(window: Window, error: &str) -> Fault {
    Fault::new(Blame::Site, format!("{window}: {error}"), "run `fedaudit-agent journal verify`")
}

/// The window's events with the labels that count. Each event of the plan's model versions, and each tally of the window,
/// goes by `notice`.
fn events(
    journal: &mut Journal,
    plan: &Plan,
    contract: &Contract,
    window: Window,
    predictions: u64,
    outcomes: u64,
    mut notice: impl FnMut(Seen) -> Result<(), String>,
) -> Result<Events, Fault> {
    if plan.contract != contract.contract {
        let what = format!("plan {} measures contract {}, not {}", plan.plan, plan.contract, contract.contract);
        return Err(misfit(what));
    }
    let versions = versions(journal, plan, contract)?;
    // Tiers of one rate are one stratum.
    let tiers = journal.tiers()?;
    let mut events = Events { width: contract.attributes.len(), ..Events::default() };
    journal.predictions_in(contract, window, predictions, |position, seen| {
        if let Seen::Prediction(event) = &seen {
            let Some(version) = versions.get(event.model_version as usize).copied().flatten() else { return Ok(()) };
            let unknown =
                || strange(window, &format!("record {position} is of a tier that the ledger does not define"));
            let tier = tiers.get(event.tier as usize).ok_or_else(unknown)?;
            events.add(position, (version, *tier), event)?;
        }
        notice(seen).map_err(|error| strange(window, &error))
    })?;
    let (Some(first), Some(last)) = (events.positions.first(), events.positions.last()) else { return Ok(events) };
    let range = *first..last + 1;
    journal.outcomes_for(contract, range, outcomes, plan.release_time(&window), |_, outcome| {
        events.label(outcome.prediction, outcome.label, outcome.labelled_at);
        Ok(())
    })?;
    Ok(events)
}

/// The place in the plan of each model version code; none for versions that it does not list.
fn versions(journal: &mut Journal, plan: &Plan, contract: &Contract) -> Result<Vec<Option<usize>>, Fault> {
    let versions = journal.model_versions()?;
    let place = |(model, version): &(String, String)| {
        plan.model_versions.iter().position(|listed| listed == version).filter(|_| *model == contract.model)
    };
    Ok(versions.iter().map(place).collect())
}

/// The events of a window, a vector for each field: a million of them stay small.
#[derive(Default)]
struct Events {
    /// Ascending.
    positions: Vec<u64>,
    /// Places in `met`.
    strata: Vec<u32>,
    /// The strata met, in any order.
    met: Vec<Stratum>,
    decisions: Vec<u8>,
    /// [`NO_SCORE`] where there is none.
    scores: Vec<u64>,
    /// `width` for each event.
    attributes: Vec<u16>,
    width: usize,
    occurred_at: Vec<i64>,
    labels: Vec<u8>,
    labelled_at: Vec<i64>,
    /// Where the last label went; outcomes mostly come in the order of their predictions.
    cursor: usize,
}

impl Events {
    fn add(&mut self, position: u64, stratum: Stratum, event: &Prediction) -> Result<(), Fault> {
        if event.attributes.len() != self.width {
            let what = format!("record {position} has {} attributes instead of {}", event.attributes.len(), self.width);
            return Err(Fault::new(Blame::Site, what, "run `fedaudit-agent journal verify`"));
        }
        self.positions.push(position);
        let place = self.met.iter().position(|met| *met == stratum).unwrap_or_else(|| {
            self.met.push(stratum);
            self.met.len() - 1
        });
        // There are few strata: model versions by sampling tiers.
        self.strata.push(u32::try_from(place).unwrap_or(u32::MAX));
        self.decisions.push(event.decision);
        self.scores.push(event.score_q.unwrap_or(NO_SCORE));
        self.attributes.extend_from_slice(&event.attributes);
        self.occurred_at.push(event.occurred_at.0);
        self.labels.push(ABSENT);
        self.labelled_at.push(i64::MIN);
        Ok(())
    }

    /// Called in the order of the outcomes log, so that of equally late labels the later one wins.
    fn label(&mut self, position: u64, label: u8, at: Time) {
        if self.positions.get(self.cursor + 1) == Some(&position) {
            self.cursor += 1;
        } else if let Ok(found) = self.positions.binary_search(&position) {
            self.cursor = found;
        } else {
            return;
        }
        if let (Some(best), Some(slot)) = (self.labelled_at.get_mut(self.cursor), self.labels.get_mut(self.cursor))
            && (*slot == ABSENT || at.0 >= *best)
        {
            (*best, *slot) = (at.0, label);
        }
    }

    /// Hands each event with its stratum, its label and when that came to `f`, in the order of their positions: of the event
    /// time, decision, score and attributes.
    fn each(
        &self,
        mut f: impl FnMut(Stratum, &Prediction, u8, Option<Time>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut event = Prediction { attributes: Vec::with_capacity(self.width), ..Prediction::default() };
        let codes = self.strata.iter().zip(&self.decisions).zip(&self.scores).zip(&self.labels);
        let times = self.occurred_at.iter().zip(&self.labelled_at);
        for (at, ((((stratum, decision), score), label), (occurred_at, labelled_at))) in codes.zip(times).enumerate() {
            event.occurred_at = Time(*occurred_at);
            event.decision = *decision;
            event.score_q = (*score != NO_SCORE).then_some(*score);
            event.attributes.clear();
            event.attributes.extend(self.attributes.iter().skip(at * self.width).take(self.width));
            let stratum = self.met.get(*stratum as usize).ok_or("an event's stratum was not met")?;
            f(*stratum, &event, *label, (*label != ABSENT).then_some(Time(*labelled_at)))?;
        }
        Ok(())
    }
}

/// Above every quantised score.
const NO_SCORE: u64 = u64::MAX;
