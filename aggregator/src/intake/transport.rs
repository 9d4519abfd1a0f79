//! What a site says of its own keys: the next transport key, and a request for other ones.

use super::{Decision, refuse_site};
use crate::centre::Centre;
use fedaudit_core::continuity::claimed_transport;
use fedaudit_core::envelope::Attestation;
use fedaudit_core::fault::Refusal;
use fedaudit_core::ids::Name;
use fedaudit_core::roster::Party;
use fedaudit_link::protocol::{Document, RotateRequest};

/// Publish it, if it is the site's own word: governance signs everything else that stands in the registry.
pub fn transport(centre: &Centre, (envelope, artifact): Document, site: &Name) -> Decision {
    let check = || {
        let claimed = claimed_transport(&envelope)?;
        if claimed != *site {
            return Err(Refusal::new("signer", format!("the site of this connection, {site}"), claimed));
        }
        centre.registry().clone().apply(&envelope, &artifact)
    };
    match check() {
        Ok(()) => Decision::Publish(Box::new(Attestation { envelope, artifacts: vec![artifact] })),
        Err(refusal) => *refuse_site(refusal, "read the registry again, and sign what follows from it"),
    }
}

/// Keep the request, if it is the site's own; only governance does what it asks.
pub fn rotation(centre: &Centre, request: Option<Box<RotateRequest>>, site: &Name) -> Decision {
    let party = Party::Site(site.clone());
    let check = |request: &RotateRequest| match request.party == party {
        true => request.check(centre.registry()),
        false => {
            Err(Refusal::new("signer", format!("the site of this connection, {site}"), format!("{:?}", request.party)))
        }
    };
    match request.as_deref().map_or(Ok(()), check) {
        Ok(()) => Decision::Rotate(site.clone(), request),
        Err(refusal) => *refuse_site(refusal, "read the registry again, and ask for what follows from it"),
    }
}
