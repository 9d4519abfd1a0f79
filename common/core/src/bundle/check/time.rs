//! Whether a bundle stood as it does by some time: what witnesses cosigned then was there then.

use super::{Outcome, Verdict};
use crate::bundle::Bundle;
use crate::roster::Trust;
use crate::time::Time;
use std::collections::BTreeMap;

/// Each log's checkpoint needs cosignatures of as many witnesses as `trust` asks for, of that time or before: all entries under
/// it were there.
pub(super) fn check(bundle: &Bundle, trust: &Trust, at: Time, verdict: &mut Verdict) {
    for (folder, part) in [("registry", &bundle.registry), ("plan", &bundle.plan)] {
        let subject = format!("{folder}/checkpoint");
        // A bad cosignature is another check's matter, and vouches for nothing here.
        let mut first: BTreeMap<String, Time> = BTreeMap::new();
        for (witness, time) in trust.cosigned_at(&part.checkpoint).unwrap_or_default() {
            first.entry(witness).and_modify(|known| *known = time.min(*known)).or_insert(time);
        }
        let mut cosigned: Vec<_> = first.into_iter().collect();
        cosigned.sort_by_key(|(_, time)| *time);
        match cosigned.into_iter().nth(trust.witnesses.threshold.saturating_sub(1)) {
            Some((witness, time)) if time <= at => {
                verdict.pass("time", subject, format!("cosigned at {time}, by {at} at the latest"));
                verdict.by(Some(witness));
            }
            first => {
                let expected = format!(
                    "cosignatures of {} witnesses of trust.json, of {at} or before",
                    trust.witnesses.threshold.max(1)
                );
                let found = first
                    .map_or("none".to_owned(), |(witness, time)| format!("the last of them at {time}, by {witness}"));
                verdict.push("time", subject, Outcome::Undecidable, expected, found);
            }
        }
    }
}
