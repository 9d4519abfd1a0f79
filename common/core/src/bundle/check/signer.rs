//! Whose document a check is about.

use crate::envelope::Claimed;
use crate::ids::Digest;
use crate::key::PublicKey;
use crate::roster::{Party, Registry};

/// Whom an envelope names as its signer, party and key; of several keys the first in the roster. It is only claimed.
pub(crate) fn signer_of(envelope: &[u8], registry: &Registry) -> Option<String> {
    let ids: Vec<Digest> = Claimed::parse(envelope).ok()?.signers().collect();
    let known = ids.iter().find_map(|id| key_of(id, registry));
    known.or_else(|| Some(format!("unknown key {}", ids.first()?.short())))
}

fn key_of(id: &Digest, registry: &Registry) -> Option<String> {
    if let Some(member) = registry.member(id) {
        let party = match &member.party {
            Party::Site(site) => site.as_str(),
            Party::Aggregator => "aggregator",
            Party::Governance => "governance",
        };
        return Some(format!("{party} {} {}", member.usage, id.short()));
    }
    let governance = registry.governance().keys.iter().chain(&registry.trust().governance.keys);
    governance.map(PublicKey::id).find(|key| key == id).map(|id| format!("governance {}", id.short()))
}

/// A key of the aggregator that signs logs.
pub(super) fn log_key(key: &PublicKey) -> String {
    format!("aggregator log {}", key.id().short())
}
