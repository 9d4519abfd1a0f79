//! The answer of a journal to a plan.

use super::Journal;
use super::read::Seen;
use fedaudit_core::aggregate::{Aggregate, Named, Stratum, Truncation, Truth};
use fedaudit_core::contract::{Contract, Task};
use fedaudit_core::disclosure::{Counted, Transitions};
use fedaudit_core::event::{ABSENT, Outcome, Prediction};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::plan::Plan;
use fedaudit_core::time::{Time, Window};

/// Computes the aggregate of one window from the first `predictions` and the first `outcomes` records of the
/// contract's logs: the sizes of the checkpoints that the release will name.
///
/// An outcome counts if it was labelled until the window's end plus the plan's label maturity; the latest labelled
/// wins, and of equally late ones the later in the log. Blocks outside the window are not read, and nothing but the
/// window's events is held in memory, at some 56 bytes each, and 24 more where they came with subjects.
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
    let (named, tiers) = (named(journal, plan, contract)?, journal.tiers()?);
    let events = events(journal, plan, contract, window, predictions, outcomes, |seen| match seen {
        Seen::Prediction(event) => {
            let known = named.get(event.model_version as usize).copied().flatten();
            if let Some(((version, named), tier)) = known.zip(tiers.get(event.tier as usize)) {
                aggregate.identify((version, *tier), named);
            }
            aggregate.describe(event)
        }
        Seen::Tally(tally) => {
            aggregate.tally(tally);
            Ok(())
        }
    })?;
    aggregate.leave_out(events.left_out);
    events
        .each(|stratum, event, truth, labelled_at| {
            if let Some(labelled_at) = labelled_at {
                aggregate.delay(event.occurred_at, labelled_at);
            }
            aggregate.add(stratum, event, truth)
        })
        .and_then(|()| events.each_subject(|named, events| aggregate.subject(named, events)))
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
    let mut labels = old.labels.iter().map(|label| (*label != NO_LABEL).then_some(*label));
    let count = |stratum, event: &Prediction, truth: Option<Truth>, _| {
        transitions.add(stratum, event, labels.next(), truth.map(|truth| truth.label))
    };
    new.each(count).map_err(|error| strange(window, &error))
}

/// A window, and the sizes of predictions and outcomes that its release names.
pub type Measured = (Window, [u64; 2]);

/// Hands every event that some of these windows count to `count`, once: with, by plan, which of its windows counts it, in
/// which stratum and with which label. The plans are over one contract, and each window is read at the sizes of predictions and
/// outcomes that its release names.
///
/// All windows are in memory at once, as [`aggregate`] holds one: plans that overlap seldom have more than a few that do.
///
/// # Errors
/// As [`aggregate`]; what `count` says.
pub fn count_together(
    journal: &mut Journal,
    contract: &Contract,
    plans: &[(&Plan, Vec<Measured>)],
    mut count: impl FnMut(&Prediction, &[Option<Counted>]) -> Result<(), String>,
) -> Result<(), Fault> {
    // Of each window: its plan, its number there, its events, and the first of those that are still to come.
    let mut windows = Vec::new();
    for (at, (plan, of)) in plans.iter().enumerate() {
        for (nth, (window, [predictions, outcomes])) in of.iter().enumerate() {
            let events = events(journal, plan, contract, *window, *predictions, *outcomes, |_| Ok(()))?;
            windows.push((at, nth, *window, events, 0));
        }
    }
    let mut event = Prediction::default();
    while let Some(next) = windows.iter().filter_map(|(.., events, at)| events.positions.get(*at)).min().copied() {
        let mut counted = vec![None; plans.len()];
        for (plan, nth, window, events, at) in &mut windows {
            if events.positions.get(*at) == Some(&next) {
                let stratum = events.read(*at, &mut event).map_err(|error| strange(*window, &error))?;
                counted[*plan] = Some((*nth, stratum, events.truth(*at).map(|truth| truth.label)));
                *at += 1;
            }
        }
        let damaged = |error| Fault::new(Blame::Site, error, "run `fedaudit-agent journal verify`");
        count(&event, &counted).map_err(damaged)?;
    }
    Ok(())
}

/// When the first and the last event of a window occurred that a plan counts, at the sizes of its release; none without
/// events.
///
/// # Errors
/// As [`aggregate`].
pub fn span(
    journal: &mut Journal,
    plan: &Plan,
    contract: &Contract,
    window: Window,
    [predictions, outcomes]: [u64; 2],
) -> Result<Option<(Time, Time)>, Fault> {
    let times = events(journal, plan, contract, window, predictions, outcomes, |_| Ok(()))?.occurred_at;
    Ok(times.iter().min().zip(times.iter().max()).map(|(first, last)| (Time(*first), Time(*last))))
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
    let mut truncation = plan.disclosure.privacy.map(|privacy| Truncation::new(privacy.events_per_subject));
    let multiclass = contract.task == Task::Multiclass;
    let terms = if multiclass { journal.terms()? } else { Vec::new() };
    let place = |text: &String| contract.decision.values.iter().position(|class| class == text);
    let classes = terms.iter().map(|text| place(text).and_then(|at| u8::try_from(at).ok()));
    let mut events = Events {
        width: contract.attributes.len(),
        classes: classes.map(|place| place.unwrap_or(ABSENT)).collect(),
        ..Events::default()
    };
    journal.predictions_in(contract, window, predictions, |position, seen| {
        if let Seen::Prediction(event) = &seen {
            let Some(version) = versions.get(event.model_version as usize).copied().flatten() else { return Ok(()) };
            let unknown =
                || strange(window, &format!("record {position} is of a tier that the ledger does not define"));
            let tier = tiers.get(event.tier as usize).ok_or_else(unknown)?;
            if truncation.as_mut().is_some_and(|truncation| !truncation.counts(*tier, event.subject)) {
                return Ok(());
            }
            events.add(position, (version, *tier), event)?;
        }
        notice(seen).map_err(|error| strange(window, &error))
    })?;
    events.left_out = truncation.map_or(0, |truncation| truncation.left_out());
    let (Some(first), Some(last)) = (events.positions.first(), events.positions.last()) else { return Ok(events) };
    let range = *first..last + 1;
    journal.outcomes_for(contract, range, outcomes, plan.release_time(&window), |_, outcome| {
        events.label(outcome);
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

/// Which model each version code names, with the version's place in the plan; none for versions whose model the plan does
/// not name.
fn named(journal: &mut Journal, plan: &Plan, contract: &Contract) -> Result<Vec<Option<(usize, Named)>>, Fault> {
    if plan.model_digests.is_empty() {
        return Ok(Vec::new());
    }
    let digests = journal.model_digests()?;
    let named = versions(journal, plan, contract)?.into_iter().zip(digests).map(|(version, digest)| {
        let subject = plan.model_digest(plan.model_versions.get(version?)?)?.subject;
        let named = match digest {
            Some(digest) if digest == subject => Named::Equal,
            Some(_) => Named::Different,
            None => Named::Absent,
        };
        Some((version?, named))
    });
    Ok(named.collect())
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
    /// [`NO_LABEL`] where there is none.
    labels: Vec<u64>,
    labelled_at: Vec<i64>,
    /// Weights of labels; shorter than `labels`, those beyond are 1.
    weights: Vec<u32>,
    /// Subjects; shorter than `positions`, those beyond came without, as did those of [`NOBODY`].
    subjects: Vec<[u8; 16]>,
    /// The class of each term; [`ABSENT`] for other texts. Empty but for multiclass tasks.
    classes: Vec<u8>,
    /// Outputs of multiclass tasks, likeliest first; shorter than `positions`, those beyond came without.
    outputs: Vec<Option<Box<[u8]>>>,
    /// Those that the plan does not count.
    left_out: u64,
    /// Where the last label went; outcomes mostly come in the order of their predictions.
    cursor: usize,
}

impl Events {
    fn add(&mut self, position: u64, stratum: Stratum, event: &Prediction) -> Result<(), Fault> {
        if event.attributes.len() != self.width {
            let what = format!("record {position} has {} attributes instead of {}", event.attributes.len(), self.width);
            return Err(Fault::new(Blame::Site, what, "run `fedaudit-agent journal verify`"));
        }
        let place = self.met.iter().position(|met| *met == stratum).unwrap_or_else(|| {
            self.met.push(stratum);
            self.met.len() - 1
        });
        let at = self.positions.len();
        self.positions.push(position);
        // There are few strata: model versions by sampling tiers.
        self.strata.push(u32::try_from(place).unwrap_or(u32::MAX));
        self.decisions.push(event.decision);
        self.scores.push(event.score_q.unwrap_or(NO_SCORE));
        self.attributes.extend_from_slice(&event.attributes);
        self.occurred_at.push(event.occurred_at.0);
        self.labels.push(NO_LABEL);
        self.labelled_at.push(i64::MIN);
        if let Some(subject) = event.subject {
            *slot(&mut self.subjects, at, NOBODY) = subject;
        }
        if !self.classes.is_empty() && !event.outputs.is_empty() {
            *slot(&mut self.outputs, at, None) = Some(self.ranked(event));
        }
        Ok(())
    }

    /// The classes of an event's outputs, likeliest first; of equally likely ones, as the model gave them.
    fn ranked(&self, event: &Prediction) -> Box<[u8]> {
        let mut outputs: Vec<_> = event.outputs.iter().collect();
        outputs.sort_by_key(|output| std::cmp::Reverse(output.confidence_q));
        let class = |code: u32| usize::try_from(code).ok().and_then(|code| self.classes.get(code)).copied();
        outputs.into_iter().map(|output| class(output.class).unwrap_or(ABSENT)).collect()
    }

    /// Called in the order of the outcomes log, so that of equally late labels the later one wins.
    fn label(&mut self, outcome: &Outcome) {
        let position = outcome.prediction;
        if self.positions.get(self.cursor + 1) == Some(&position) {
            self.cursor += 1;
        } else if let Ok(found) = self.positions.binary_search(&position) {
            self.cursor = found;
        } else {
            return;
        }
        let at = outcome.labelled_at.0;
        if let (Some(best), Some(label)) = (self.labelled_at.get_mut(self.cursor), self.labels.get_mut(self.cursor))
            && (*label == NO_LABEL || at >= *best)
        {
            (*best, *label) = (at, outcome.label);
            if outcome.weight != 1 || self.cursor < self.weights.len() {
                *slot(&mut self.weights, self.cursor, 1) = outcome.weight;
            }
        }
    }

    /// Hands each event with its stratum, what is known of it and when that came to `f`, in the order of their positions:
    /// of the event time, decision, score and attributes.
    fn each(
        &self,
        mut f: impl FnMut(Stratum, &Prediction, Option<Truth>, Option<Time>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut event = Prediction { attributes: Vec::with_capacity(self.width), ..Prediction::default() };
        for at in 0..self.positions.len() {
            let stratum = self.read(at, &mut event)?;
            let truth = self.truth(at);
            let labelled_at = truth.and_then(|_| self.labelled_at.get(at)).map(|at| Time(*at));
            f(stratum, &event, truth, labelled_at)?;
        }
        Ok(())
    }

    /// Hands the events of each subject together to `f`, and one by one those that came without; nothing where no event came
    /// with one.
    fn each_subject(
        &self,
        mut f: impl FnMut(bool, &[(Stratum, &Prediction, Option<u64>)]) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.subjects.is_empty() {
            return Ok(());
        }
        let subject = |at: usize| self.subjects.get(at).copied().unwrap_or(NOBODY);
        let mut order: Vec<usize> = (0..self.positions.len()).collect();
        order.sort_unstable_by_key(|at| (subject(*at), *at));
        for together in order.chunk_by(|one, other| subject(*one) == subject(*other) && subject(*one) != NOBODY) {
            let mut events = Vec::with_capacity(together.len());
            for &at in together {
                let mut event = Prediction::default();
                events.push((self.read(at, &mut event)?, event, self.truth(at).map(|truth| truth.label)));
            }
            let named = together.first().is_some_and(|at| subject(*at) != NOBODY);
            f(named, &events.iter().map(|(stratum, event, label)| (*stratum, event, *label)).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Writes time, decision, score and attributes of an event into `event`; its stratum.
    fn read(&self, at: usize, event: &mut Prediction) -> Result<Stratum, String> {
        let codes = self.decisions.get(at).zip(self.scores.get(at)).zip(self.occurred_at.get(at));
        let ((decision, score), occurred_at) = codes.ok_or("an event that was not read")?;
        event.occurred_at = Time(*occurred_at);
        event.decision = *decision;
        event.score_q = (*score != NO_SCORE).then_some(*score);
        event.attributes.clear();
        event.attributes.extend(self.attributes.iter().skip(at * self.width).take(self.width));
        let stratum = self.strata.get(at).and_then(|place| self.met.get(*place as usize));
        stratum.copied().ok_or_else(|| "an event's stratum was not met".to_owned())
    }

    fn truth(&self, at: usize) -> Option<Truth> {
        let label = *self.labels.get(at).filter(|label| **label != NO_LABEL)?;
        let outputs = self.outputs.get(at).and_then(Option::as_ref);
        let place = |outputs: &[u8]| outputs.iter().position(|class| u64::from(*class) == label);
        Some(Truth {
            label,
            weight: self.weights.get(at).copied().unwrap_or(1),
            rank: outputs.map(|outputs| place(outputs).and_then(|place| u8::try_from(place).ok())),
        })
    }
}

/// The place of `at` in a list that is as long as needed.
fn slot<T: Clone>(list: &mut Vec<T>, at: usize, nothing: T) -> &mut T {
    if list.len() <= at {
        list.resize(at + 1, nothing);
    }
    &mut list[at]
}

/// Above every quantised score.
const NO_SCORE: u64 = u64::MAX;
/// Above every label.
const NO_LABEL: u64 = u64::MAX;
/// No token of a subject: those are cut from SHA-256.
const NOBODY: [u8; 16] = [0; 16];
