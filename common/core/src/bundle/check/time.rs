//! Whether a bundle stood as it does by some time: what witnesses cosigned then was there then.

use super::{Outcome, Verdict};
use crate::bundle::Bundle;
use crate::roster::Trust;
use crate::time::Time;

/// Each log's checkpoint needs a cosignature of a witness of `trust`, of that time or before: all entries under it were there.
pub(super) fn check(bundle: &Bundle, trust: &Trust, at: Time, verdict: &mut Verdict) {
    for (folder, part) in [("registry", &bundle.registry), ("plan", &bundle.plan)] {
        let subject = format!("{folder}/checkpoint");
        match cosigned_at(&part.checkpoint, trust).into_iter().min_by_key(|(_, time)| *time) {
            Some((witness, time)) if time <= at => {
                verdict.pass("time", subject, format!("cosigned at {time}, by {at} at the latest"));
                verdict.by(Some(witness));
            }
            first => {
                let expected = format!("a cosignature of a witness of trust.json, of {at} or before");
                let found =
                    first.map_or("none".to_owned(), |(witness, time)| format!("the first at {time}, by {witness}"));
                verdict.push("time", subject, Outcome::Undecidable, expected, found);
            }
        }
    }
}

/// Which witnesses of `trust` cosigned a checkpoint, and when: none as yet, as this version knows no witness
/// ([`Trust`]'s rules refuse a policy that asks for one).
fn cosigned_at(_checkpoint: &[u8], _trust: &Trust) -> Vec<(String, Time)> {
    Vec::new()
}
