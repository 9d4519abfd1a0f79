//! What a document is by itself. That follows from the registry alone, so that many are checked at once.

use fedaudit_core::envelope::ReportClaim;
use fedaudit_core::fault::Refusal;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_core::roster::Registry;
use fedaudit_core::verify::{
    self, Entry, Kind, VerifiedAbstention, VerifiedDispute, VerifiedHeartbeat, VerifiedRelease,
};
use fedaudit_link::protocol::Request;
use std::panic::resume_unwind;

/// An entry of a log that passed every check which needs no other entry.
pub enum Checked {
    /// A release.
    Release(Box<VerifiedRelease>),
    /// An abstention.
    Abstention(Box<VerifiedAbstention>),
    /// A dispute.
    Dispute(Box<VerifiedDispute>),
    /// A report's claim, and the key that signed it.
    Report(ReportClaim, Digest),
    /// A heartbeat.
    Heartbeat(Box<VerifiedHeartbeat>),
}

impl Checked {
    /// Checks what a site sends to be logged with a plan. Of any other kind: the checks of a release say what is wrong.
    ///
    /// # Errors
    /// The check that it does not pass.
    pub fn of_site(envelope: &[u8], artifact: &[u8], registry: &Registry) -> Result<Checked, Refusal> {
        Ok(match verify::claimed_kind(envelope).unwrap_or(Kind::Other) {
            Kind::Abstention => Checked::Abstention(Box::new(verify::abstention(envelope, artifact, registry)?)),
            Kind::Dispute => Checked::Dispute(Box::new(verify::dispute(envelope, artifact, registry)?)),
            Kind::Release | Kind::Heartbeat | Kind::Other => {
                Checked::Release(Box::new(verify::release(envelope, artifact, registry)?))
            }
        })
    }

    /// Checks a heartbeat.
    ///
    /// # Errors
    /// As [`Checked::of_site`].
    pub fn heartbeat(envelope: &[u8], artifact: &[u8], registry: &Registry) -> Result<Checked, Refusal> {
        Ok(Checked::Heartbeat(Box::new(verify::heartbeat(envelope, artifact, registry)?)))
    }

    /// Checks the envelope of a report; what it says is for whoever verifies the report.
    ///
    /// # Errors
    /// As [`Checked::of_site`].
    pub fn report(envelope: &[u8], registry: &Registry) -> Result<Checked, Refusal> {
        match verify::entry(envelope, registry)? {
            Entry::Report(claim, signer) => Ok(Checked::Report(claim, signer)),
            _ => Err(Refusal::new("statement", "a report", "another document")),
        }
    }
}

/// Checks what a request of a site sends to be logged; none for other requests, and for strangers, who get no work done.
fn check(peer: &PublicKey, request: &Request, registry: &Registry) -> Option<Result<Checked, Refusal>> {
    registry.site_of(peer)?;
    match request {
        Request::Submit(sent) => Some(Checked::of_site(&sent.envelope, &sent.artifact, registry)),
        Request::Heartbeat(sent) => Some(Checked::heartbeat(&sent.envelope, &sent.artifact, registry)),
        _ => None,
    }
}

/// The same for many, in their order, on as many threads as there are processors.
pub fn check_all(requests: &[(PublicKey, Request)], registry: &Registry) -> Vec<Option<Result<Checked, Refusal>>> {
    let check_part = |part: &[(PublicKey, Request)]| -> Vec<_> {
        part.iter().map(|(peer, request)| check(peer, request, registry)).collect()
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if requests.len() <= 1 || threads == 1 {
        return check_part(requests);
    }
    std::thread::scope(|scope| {
        let parts = requests.chunks(requests.len().div_ceil(threads));
        let checks: Vec<_> = parts.map(|part| scope.spawn(move || check_part(part))).collect();
        let joined = checks.into_iter().flat_map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.collect()
    })
}
