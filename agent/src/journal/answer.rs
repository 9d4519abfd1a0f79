//! The answer of a journal to a plan.

use super::Journal;
use fedaudit_core::aggregate::Aggregate;
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
/// window's events is held in memory, at some 40 bytes each.
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
    let events = events(journal, plan, contract, window, predictions, outcomes)?;
    events
        .each(|stratum, event, label| aggregate.add(stratum, event, label))
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
    let old = events(journal, plan, contract, window, before[0], before[1])?;
    let new = events(journal, plan, contract, window, after[0], after[1])?;
    if !new.positions.starts_with(&old.positions) {
        return Err(strange(window, "it holds fewer events than a release that was signed"));
    }
    // Positions ascend, so that the events of the first come first in the second.
    let mut labels = old.labels.iter();
    let count =
        |stratum: usize, event: &Prediction, label| transitions.add(stratum, event, labels.next().copied(), label);
    new.each(count).map_err(|error| strange(window, &error))
}

fn misfit(error: String) -> Fault {
    Fault::new(Blame::Input, error, "take the plan and contract that were published")
}

fn strange(window: Window, error: &str) -> Fault {
    Fault::new(Blame::Site, format!("{window}: {error}"), "run `fedaudit-agent journal verify`")
}

/// The window's events with the labels that count.
fn events(
    journal: &mut Journal,
    plan: &Plan,
    contract: &Contract,
    window: Window,
    predictions: u64,
    outcomes: u64,
) -> Result<Events, Fault> {
    if plan.contract != contract.contract {
        let what = format!("plan {} measures contract {}, not {}", plan.plan, plan.contract, contract.contract);
        return Err(misfit(what));
    }
    let strata = strata(journal, plan, contract)?;
    let mut events = Events { width: contract.attributes.len(), ..Events::default() };
    journal.predictions_in(contract, window, predictions, |position, prediction| {
        let stratum = strata.get(prediction.model_version as usize).copied().flatten();
        stratum.map_or(Ok(()), |stratum| events.add(position, stratum, &prediction))
    })?;
    let (Some(first), Some(last)) = (events.positions.first(), events.positions.last()) else { return Ok(events) };
    let range = *first..last + 1;
    journal.outcomes_for(contract, range, outcomes, plan.release_time(&window), |_, outcome| {
        events.label(outcome.prediction, outcome.label, outcome.labelled_at);
        Ok(())
    })?;
    Ok(events)
}

/// The plan's stratum of each model version code; none for versions that it does not list.
fn strata(journal: &mut Journal, plan: &Plan, contract: &Contract) -> Result<Vec<Option<u32>>, Fault> {
    let versions = journal.model_versions()?;
    let stratum = |(model, version): &(String, String)| {
        let listed = plan.model_versions.iter().zip(0..).find(|(listed, _)| *listed == version);
        listed.filter(|_| *model == contract.model).map(|(_, stratum)| stratum)
    };
    Ok(versions.iter().map(stratum).collect())
}

/// The events of a window, a vector for each field: a million of them stay small.
#[derive(Default)]
struct Events {
    /// Ascending.
    positions: Vec<u64>,
    strata: Vec<u32>,
    decisions: Vec<u8>,
    /// [`NO_SCORE`] where there is none.
    scores: Vec<u64>,
    /// `width` for each event.
    attributes: Vec<u16>,
    width: usize,
    labels: Vec<u8>,
    labelled_at: Vec<i64>,
    /// Where the last label went; outcomes mostly come in the order of their predictions.
    cursor: usize,
}

impl Events {
    fn add(&mut self, position: u64, stratum: u32, event: &Prediction) -> Result<(), Fault> {
        if event.attributes.len() != self.width {
            let what = format!("record {position} has {} attributes instead of {}", event.attributes.len(), self.width);
            return Err(Fault::new(Blame::Site, what, "run `fedaudit-agent journal verify`"));
        }
        self.positions.push(position);
        self.strata.push(stratum);
        self.decisions.push(event.decision);
        self.scores.push(event.score_q.unwrap_or(NO_SCORE));
        self.attributes.extend_from_slice(&event.attributes);
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

    /// Hands each event with its stratum and label to `f`, in the order of their positions.
    fn each(&self, mut f: impl FnMut(usize, &Prediction, u8) -> Result<(), String>) -> Result<(), String> {
        let mut event = Prediction { attributes: Vec::with_capacity(self.width), ..Prediction::default() };
        let codes = self.strata.iter().zip(&self.decisions).zip(&self.scores).zip(&self.labels);
        for (at, (((stratum, decision), score), label)) in codes.enumerate() {
            event.decision = *decision;
            event.score_q = (*score != NO_SCORE).then_some(*score);
            event.attributes.clear();
            event.attributes.extend(self.attributes.iter().skip(at * self.width).take(self.width));
            f(*stratum as usize, &event, *label)?;
        }
        Ok(())
    }
}

/// Above every quantised score.
const NO_SCORE: u64 = u64::MAX;
