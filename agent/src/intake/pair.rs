//! Requests and responses of an inference logger, joined to events. Pure: halves come in, events or a conflict come out.
//!
//! A half is coded when it comes, and nothing else of the message is kept: no value of a feature waits for its response.

use crate::journal::EventRow;
use fedaudit_core::codec;
use fedaudit_core::event::ABSENT;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::time::Time;
use serde::{Deserialize, Serialize};

/// One side of a conversation, in codes of its contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Half {
    /// SHA-256 over source, id, type and body: a message that comes again has the same.
    pub key: Digest,
    /// When the logger sent it, by its own clock; ours where it does not say.
    pub at: Time,
    /// Risk tier of what came to its address; that of the request counts.
    pub risk_tier: Option<String>,
    /// What it said.
    pub said: Said,
}

/// What one side says, an entry for each instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Said {
    /// What the model was asked.
    Request(Vec<Asked>),
    /// What it answered, and which version it was.
    Response(String, Vec<Answered>),
}

/// An instance of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// A code for each attribute of the contract.
    pub attributes: Vec<u16>,
    /// A code for each feature of the contract.
    pub features: Vec<u16>,
    /// SHA-256 of the features in canonical form; none where the contract lists no features.
    pub canonical: Option<[u8; 32]>,
}

/// An instance of a response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// 0, 1 or absent.
    pub decision: u8,
    /// The score, quantised.
    pub score_q: Option<u64>,
    /// The classes with their confidences, quantised.
    pub outputs: Vec<(String, u64)>,
}

impl Default for Answered {
    fn default() -> Self {
        Answered { decision: ABSENT, score_q: None, outputs: Vec::new() }
    }
}

impl Half {
    /// Number of instances.
    pub fn instances(&self) -> usize {
        match &self.said {
            Said::Request(asked) => asked.len(),
            Said::Response(_, answered) => answered.len(),
        }
    }

    /// Which side it is, as the sidecar numbers them; 0 is a label that waits.
    pub fn side(&self) -> u8 {
        match self.said {
            Said::Request(_) => 1,
            Said::Response(..) => 2,
        }
    }

    /// The bytes that wait in the sidecar.
    ///
    /// # Errors
    /// Never for a half of this program.
    pub fn encode(&self) -> Result<Vec<u8>, Fault> {
        codec::encode(self).map_err(|error| Fault::new(Blame::Site, error.to_string(), "report this"))
    }

    /// Reads bytes that waited.
    ///
    /// # Errors
    /// They are none of a half.
    pub fn decode(bytes: &[u8]) -> Result<Half, String> {
        codec::decode(bytes).map_err(|error| error.to_string())
    }

    /// What this half says of the event of its `nth` instance; all else as in `event`.
    pub fn overlay(&self, nth: usize, mut event: EventRow) -> EventRow {
        match &self.said {
            Said::Request(asked) => {
                if let Some(Asked { attributes, features, canonical }) = asked.get(nth).cloned() {
                    event.occurred_at = self.at;
                    event.risk_tier.clone_from(&self.risk_tier);
                    (event.attributes, event.features, event.canonical) = (attributes, features, canonical);
                }
            }
            Said::Response(version, answered) => {
                if let Some(Answered { decision, score_q, outputs }) = answered.get(nth).cloned() {
                    event.model_version.clone_from(version);
                    (event.decision, event.score_q, event.outputs) = (decision, score_q, outputs);
                }
            }
        }
        event
    }
}

/// The events of a conversation called `id`: under its own name if it has one instance, else `id/0`, `id/1` and so on.
/// They occurred when the request did.
///
/// # Errors
/// The sides speak of different numbers of instances, or are the same side.
pub fn join(id: &str, one: &Half, other: &Half) -> Result<Vec<EventRow>, String> {
    if one.side() == other.side() {
        return Err(format!("`{}` has two requests or two responses", id.escape_debug()));
    }
    let instances = one.instances();
    if instances != other.instances() {
        let id = id.escape_debug();
        return Err(format!("`{id}`: {instances} instances on one side, {} on the other", other.instances()));
    }
    let event = |nth| {
        let row = EventRow { event_id: name(id, nth, instances), ..EventRow::default() };
        one.overlay(nth, other.overlay(nth, row))
    };
    Ok((0..instances).map(event).collect())
}

/// What the event of an instance is called.
pub fn name(id: &str, nth: usize, instances: usize) -> String {
    if instances == 1 { id.to_owned() } else { format!("{id}/{nth}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(instances: u16) -> Half {
        let asked = |nth| Asked { attributes: vec![nth], features: vec![7, nth], canonical: Some([9; 32]) };
        Half {
            key: Digest([1; 32]),
            at: Time(5),
            risk_tier: Some("low".to_owned()),
            said: Said::Request((0..instances).map(asked).collect()),
        }
    }

    fn response(instances: u8) -> Half {
        let answered = |nth| Answered { decision: nth, score_q: Some(u64::from(nth)), outputs: vec![] };
        let said = Said::Response("v1".to_owned(), (0..instances).map(answered).collect());
        Half { key: Digest([2; 32]), at: Time(6), risk_tier: None, said }
    }

    #[test]
    fn sides_join_in_either_order() {
        let rows = join("c", &request(2), &response(2)).expect("joins");
        assert_eq!(join("c", &response(2), &request(2)), Ok(rows.clone()));
        let said = |row: &EventRow| (row.event_id.clone(), row.occurred_at, row.attributes.clone(), row.decision);
        let expected = [("c/0".to_owned(), Time(5), vec![0], 0), ("c/1".to_owned(), Time(5), vec![1], 1)];
        assert_eq!(rows.iter().map(said).collect::<Vec<_>>(), expected);
        assert_eq!(
            (rows[1].model_version.as_str(), rows[1].score_q, &rows[1].features[..]),
            ("v1", Some(1), &[7, 1][..])
        );
        let row = &join("c", &request(1), &response(1)).expect("joins")[0];
        assert_eq!((row.event_id.as_str(), row.risk_tier.as_deref()), ("c", Some("low")));
    }

    #[test]
    fn what_does_not_fit_is_a_conflict() {
        assert!(join("c", &request(2), &response(3)).is_err_and(|e| e.contains("2 instances on one side, 3")));
        assert!(join("c", &request(1), &request(1)).is_err_and(|e| e.contains("two requests")));
    }

    #[test]
    fn halves_survive_waiting() {
        for half in [request(3), response(0)] {
            assert_eq!(Half::decode(&half.encode().expect("encodes")), Ok(half));
        }
        assert!(Half::decode(b"\x01").is_err());
    }
}
