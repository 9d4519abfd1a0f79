//! One witness, over HTTP.

use crate::store::Head;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::limits::NOTE_BYTES;
use fedaudit_core::note::{Cosigner, WitnessRequest, cosignatures};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Longest time to connect to a witness.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Longest time for a request and its answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Requests for one checkpoint: the second with the size that the witness named.
const ATTEMPTS: usize = 2;

/// A witness and how to ask it.
#[derive(Clone)]
pub struct Ask {
    /// Its verifier key.
    pub key: Cosigner,
    url: String,
    http: ureq::Agent,
    /// The last size of each log, by origin, that it is known to have cosigned.
    sizes: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Ask {
    /// The witness with this key at `url`.
    pub fn new(url: &str, key: Cosigner) -> Ask {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIME))
            .timeout_global(Some(ANSWER_TIME))
            .user_agent(crate::home::SOFTWARE);
        let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
        Ask { key, url, http: config.build().into(), sizes: Arc::default() }
    }

    /// The witness's cosignature line of a checkpoint; `kept` is what was cosigned of that log before.
    ///
    /// # Errors
    /// It does not answer, or not with a cosignature; the fault names it.
    pub fn cosign(&self, head: &Head, kept: Option<&Head>) -> Result<String, Fault> {
        let (origin, here) = (&head.checkpoint.origin, head.checkpoint.size);
        let known = self.sizes.lock().unwrap_or_else(PoisonError::into_inner).get(origin).copied();
        let mut old = known.or_else(|| self.cosigned_before(kept?)).unwrap_or(0).min(here);
        for _ in 0..ATTEMPTS {
            let (status, body) = self.post(head, old)?;
            match status {
                200 => {
                    let line = self.line(head, &body)?;
                    self.learn(origin, here);
                    return Ok(line);
                }
                409 => old = self.size_held(head, old, &body)?,
                _ => return Err(self.refused(head, status, &body)),
            }
            self.learn(origin, old);
        }
        let what = format!("witness {} keeps naming other sizes of {origin}", self.key.label());
        Err(Fault::new(Blame::Network, what, "report it to the witness's operator"))
    }

    fn cosigned_before(&self, kept: &Head) -> Option<u64> {
        let found = cosignatures(kept.note.as_bytes(), std::slice::from_ref(&self.key)).ok()?;
        (!found.is_empty()).then_some(kept.checkpoint.size)
    }

    fn learn(&self, origin: &str, size: u64) {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).insert(origin.to_owned(), size);
    }

    fn post(&self, head: &Head, old: u64) -> Result<(u16, String), Fault> {
        let request = WitnessRequest { old, proof: head.consistency(old)?, checkpoint: head.note.clone() };
        let failed = |e: ureq::Error| {
            let what = format!("witness {} at {}: {e}", self.key.label(), self.url);
            let hint = "have the witness started, or mend its `url` in config.toml; then run this again";
            Fault::new(Blame::Network, what, hint)
        };
        let mut response = self.http.post(&self.url).send(request.to_text()).map_err(failed)?;
        let body = response.body_mut().with_config().limit(NOTE_BYTES as u64).read_to_string().map_err(failed)?;
        Ok((response.status().as_u16(), body))
    }

    /// The first line that is this witness's; those of unknown keys are nobody's here (tlog-witness).
    fn line(&self, head: &Head, body: &str) -> Result<String, Fault> {
        let text = head.checkpoint.text();
        for line in body.split_inclusive('\n') {
            let note = format!("{text}\n{line}");
            match cosignatures(note.as_bytes(), std::slice::from_ref(&self.key)) {
                Ok(found) if found.is_empty() => {}
                Ok(_) => return Ok(line.to_owned()),
                Err(e) => return Err(self.untrue(&format!("a bad cosignature: {e}"))),
            }
        }
        Err(self.untrue("no cosignature by that key"))
    }

    fn untrue(&self, why: &str) -> Fault {
        let what = format!("witness {} at {} answered with {why}", self.key.label(), self.url);
        Fault::new(Blame::Operator, what, "compare the verifier key that the witness prints with `key` in config.toml")
    }

    /// The size that a witness says it holds, if this log can lead on from there.
    fn size_held(&self, head: &Head, asked: u64, body: &str) -> Result<u64, Fault> {
        let (name, origin, here) = (self.key.label(), &head.checkpoint.origin, head.checkpoint.size);
        let size: u64 = body.trim_end().parse().map_err(|_| self.untrue("status 409 and no size"))?;
        if size > here {
            let what = format!("witness {name} has cosigned {size} entries of {origin}, here are {here}");
            let hint = "this home went back in time, or a copy of it is at work: restore the newest one";
            return Err(Fault::new(Blame::Aggregator, what, hint));
        }
        if size == here && asked == here {
            return Err(self.forked(head, &format!("another root at {size} entries")));
        }
        Ok(size)
    }

    fn forked(&self, head: &Head, what: &str) -> Fault {
        let what = format!("witness {} has cosigned another {}: {what}", self.key.label(), head.checkpoint.origin);
        let hint = "this home is not the one whose log the witness saw: restore that one, and tell the sites";
        Fault::new(Blame::Aggregator, what, hint)
    }

    fn refused(&self, head: &Head, status: u16, body: &str) -> Fault {
        let (name, origin) = (self.key.label(), &head.checkpoint.origin);
        let said = body.trim_end().chars().take(200).collect::<String>().escape_debug().to_string();
        let (blame, hint) = match status {
            404 => (Blame::Operator, "give the witness's operator this federation's trust.json"),
            403 => (Blame::Operator, "give the witness's operator the trust.json of now: it knows another log key"),
            422 => return self.forked(head, &format!("the proof does not lead on from it: {said}")),
            400..=499 => {
                (Blame::Operator, "check that `url` in config.toml is the witness's, and what stands in front of it")
            }
            _ => (Blame::Network, "the witness's operator must look after it"),
        };
        Fault::new(blame, format!("witness {name} refused a checkpoint of {origin}: status {status}: {said}"), hint)
    }
}
