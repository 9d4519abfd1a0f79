//! What may leave: signed documents without a receipt, as long as their plan is not refused.
//!
//! The ledger alone says what the steward decided; the outbox does not repeat it. A release that is ready when its plan is
//! refused is held, and whatever has a later number within the plan with it: no number may be missing from the plan's log.
//! Accepting the plan again lets them go.

use crate::outbox::{Kind, Listed, State};
use crate::site::{Decision, Site};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use std::collections::{BTreeMap, BTreeSet};

/// All that this site signed, by plan and sequence; what the steward holds is [`State::Held`], with the reason.
///
/// # Errors
/// An outbox or journal that cannot be read.
pub fn listed(site: &mut Site) -> Result<Vec<Listed>, Fault> {
    let mut listed = site.outbox.list()?;
    if listed.iter().any(|of| of.state == State::Ready) {
        hold(&mut listed, &site.decisions()?);
    }
    Ok(listed)
}

/// What is to be sent of it, in the order in which it is sent: nothing of a plan in which the aggregator refused something.
pub fn leaving(listed: &[Listed]) -> Vec<&Listed> {
    let stopped: BTreeSet<Digest> = listed.iter().filter(|of| of.state == State::Refused).map(|of| of.plan).collect();
    let mut leaving: Vec<_> =
        listed.iter().filter(|of| of.state == State::Ready && !stopped.contains(&of.plan)).collect();
    leaving.sort_by_key(|of| (of.sequence, of.plan));
    leaving
}

/// An abstention tells nothing that was refused: it is held only behind a release.
fn hold(listed: &mut [Listed], decisions: &BTreeMap<Digest, Decision>) {
    let mut holding = BTreeSet::new();
    for of in listed.iter_mut().filter(|of| of.state == State::Ready) {
        let Some(Decision::Refused(reason)) = decisions.get(&of.plan) else { continue };
        if of.kind == Kind::Release {
            holding.insert(of.plan);
        }
        if holding.contains(&of.plan) {
            of.state = State::Held;
            of.refusal = Some(format!("this site refused the plan: {reason}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fedaudit_core::time::{Time, Window};

    fn listed(plan: u8, sequence: u64, kind: Kind, state: State) -> Listed {
        let window = Window { start: Time(0), end: Time(1) };
        let envelope = Digest([plan + sequence as u8; 32]);
        Listed { kind, plan: Digest([plan; 32]), window, sequence, envelope, amends: None, state, refusal: None }
    }

    #[test]
    fn releases_of_a_refused_plan_stay_and_what_was_numbered_after_them() {
        use {Kind::Abstention, Kind::Release, State::Held, State::Ready, State::Received, State::Refused};
        let mut rows = vec![
            listed(10, 0, Release, Received),
            listed(10, 1, Abstention, Ready),
            listed(10, 2, Release, Ready),
            listed(10, 3, Abstention, Ready),
            listed(20, 0, Release, Ready),
            listed(20, 1, Release, Ready),
            listed(30, 0, Release, Ready),
            listed(40, 0, Release, Refused),
            listed(40, 1, Release, Ready),
        ];
        let refused = Decision::Refused("too much".to_owned());
        let decisions = [(10, refused), (20, Decision::Accepted), (40, Decision::Accepted)];
        hold(&mut rows, &decisions.map(|(plan, decision)| (Digest([plan; 32]), decision)).into());
        let states: Vec<_> = rows.iter().map(|of| of.state).collect();
        assert_eq!(states, [Received, Ready, Held, Held, Ready, Ready, Ready, Refused, Ready]);
        assert_eq!(rows[3].refusal.as_deref(), Some("this site refused the plan: too much"));
        let order: Vec<_> = leaving(&rows).iter().map(|of| (of.plan.0[0], of.sequence)).collect();
        assert_eq!(order, [(20, 0), (30, 0), (10, 1), (20, 1)]);
    }
}
