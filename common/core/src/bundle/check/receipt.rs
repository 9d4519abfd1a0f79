//! Receipts: what the aggregator promised to somebody when it took a document into a log.

use super::{Outcome, Verdict, signer_of};
use crate::bundle::Bundle;
use crate::ids::Digest;
use crate::merkle::{Frontier, leaf_hash};
use crate::note::LogProof;
use crate::roster::{Registry, plan_origin, registry_origin};

/// Whether the bundle's log holds what the receipt promises. Only what the log's key signed can refute: the rest of a receipt
/// anybody can write.
pub(super) fn check(name: &str, text: &[u8], bundle: &Bundle, registry: &Registry, verdict: &mut Verdict) {
    let (outcome, expected, found, by) = match judge(text, bundle, registry) {
        Ok((found, by)) => (Outcome::Pass, found.clone(), found, by),
        Err((outcome, expected, found)) => (outcome, expected, found, None),
    };
    verdict.push("receipt", name, outcome, expected, found);
    verdict.by(by);
}

type Unmet = (Outcome, String, String);

fn judge(text: &[u8], bundle: &Bundle, registry: &Registry) -> Result<(String, Option<String>), Unmet> {
    let malformed = |found: &dyn std::fmt::Display| {
        (Outcome::Malformed, "a receipt: a tlog-proof of an entry".to_owned(), found.to_string())
    };
    let text = std::str::from_utf8(text).map_err(|e| malformed(&e))?;
    let proof = LogProof::parse(text).map_err(|e| malformed(&e))?;
    let federation = &registry.trust().federation;
    let plan = super::named_plan(&bundle.plan, registry).map(|plan| plan_origin(federation, &plan));
    let origin = proof.checkpoint.lines().next().unwrap_or_default();
    let part = match origin {
        _ if origin == registry_origin(federation) => &bundle.registry,
        _ if plan.as_deref() == Some(origin) => &bundle.plan,
        _ => {
            let expected = format!("a receipt of {}", plan.unwrap_or_else(|| registry_origin(federation)));
            return Err((Outcome::Undecidable, expected, format!("one of {}", origin.escape_debug())));
        }
    };
    let unsigned = |e: &dyn std::fmt::Display| {
        (Outcome::Undecidable, format!("a checkpoint of {origin} signed by the log's key"), e.to_string())
    };
    let promised = registry.open_checkpoint(proof.checkpoint.as_bytes(), origin).map_err(|e| unsigned(&e))?;
    let held = part.entries.len() as u64;
    if promised.size > held {
        let expected = format!("{} entries, as the receipt says", promised.size);
        return Err((Outcome::Undecidable, expected, format!("{held}: the bundle is of an earlier log")));
    }
    let size = usize::try_from(promised.size).unwrap_or(usize::MAX);
    let mut tree = Frontier::new();
    part.entries.iter().take(size).for_each(|entry| tree.push(leaf_hash(entry)));
    if tree.root() != promised.root {
        let expected = format!("root {} over the first {size} entries, which {origin} signed", promised.root);
        return Err((Outcome::Fail, expected, format!("root {}: an entry is gone or another", tree.root())));
    }
    let entry = usize::try_from(proof.index).ok().and_then(|index| part.entries.get(index));
    let Some(entry) = entry.filter(|entry| proof.verify_in(entry, &promised).is_ok()) else {
        // The bundle holds all that was signed; the hashes beside it nobody signed.
        let expected = format!("hashes that lead from entry {} to the receipt's own root", proof.index);
        return Err((Outcome::Undecidable, expected, "others: the receipt was altered".to_owned()));
    };
    let found = format!("entry {} of {origin} is there, envelope {}", proof.index, Digest::of(entry));
    Ok((found, signer_of(entry, registry)))
}
