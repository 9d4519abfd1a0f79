//! A trial of what was drafted, by the very code that imports and releases: which rows would be rejected, and which
//! slices disclosure control would withhold.

use super::look::{Looked, fault};
use crate::import::Map;
use crate::import::columns::Columns;
use crate::import::input::Input;
use crate::import::rows::{Next, Rows};
use crate::journal::EventRow;
use fedaudit_core::aggregate::{Aggregate, Truth};
use fedaudit_core::contract::Contract;
use fedaudit_core::disclosure::disclose;
use fedaudit_core::event::{Prediction, Tier};
use fedaudit_core::fault::Fault;
use fedaudit_core::plan::Plan;
use fedaudit_core::time::Window;

/// How one file fared.
pub(super) struct Tried {
    /// Rows that an import would reject, each for itself; an event that stands twice is not seen here.
    pub rejected: u64,
    /// The first of them: line and reason.
    pub first_rejects: Vec<(u64, String)>,
    /// Slices that the site would not release, by their attributes; none in it is the slice of all events.
    pub withheld: Vec<Vec<String>>,
}

/// Reads a file as an import would, and counts it as a release would.
pub(super) fn attempt(file: &Looked, contract: &Contract, plan: &Plan, map: &Map) -> Result<Tried, Fault> {
    let misfit = |e: String| fault(&format!("the draft does not hold together: {e}"), "report this");
    let mut rows = Rows::new(Input::open(&file.path)?);
    let columns = Columns::read(&mut rows, contract, map, &file.path)?;
    let window = Window { start: plan.windows.start, end: plan.windows.end };
    let mut aggregate = Aggregate::empty(plan, contract).map_err(misfit)?;
    let mut tried = Tried { rejected: 0, first_rejects: Vec::new(), withheld: Vec::new() };
    loop {
        let read = match rows.next()? {
            Next::End => break,
            Next::Bad(reason) => Err(reason),
            Next::Row => {
                columns.event(&rows, contract).and_then(|row| crate::journal::check(contract, &row).map(|()| row))
            }
        };
        match read {
            Ok(row) => count(&mut aggregate, plan, &window, row).map_err(misfit)?,
            Err(reason) => {
                tried.rejected += 1;
                if tried.first_rejects.len() < FIRST_REJECTS {
                    tried.first_rejects.push((rows.line(), reason));
                }
            }
        }
    }
    let release =
        disclose(&aggregate, plan, contract, plan.contract_digest, &file.site, window).map_err(misfit)?.release;
    for slice in release.strata.iter().flat_map(|stratum| &stratum.slices) {
        if slice.full().is_none() && !tried.withheld.contains(&slice.attributes) {
            tried.withheld.push(slice.attributes.clone());
        }
    }
    Ok(tried)
}

fn count(aggregate: &mut Aggregate, plan: &Plan, window: &Window, row: EventRow) -> Result<(), String> {
    let stratum = plan.model_versions.iter().position(|version| *version == row.model_version);
    let Some(stratum) = stratum.filter(|_| window.contains(row.occurred_at)) else { return Ok(()) };
    let known = row.outcome.filter(|(_, at)| *at <= plan.release_time(window));
    let event = Prediction {
        occurred_at: row.occurred_at,
        decision: row.decision,
        score_q: row.score_q,
        attributes: row.attributes,
        ..Prediction::default()
    };
    aggregate.add((stratum, Tier::Full), &event, known.map(|(label, _)| Truth::new(label)))
}

/// Rejected rows that are named.
const FIRST_REJECTS: usize = 3;
