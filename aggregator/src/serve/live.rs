//! The connections that live now. Those of keys that ended are cut, whichever process published that.

use super::Shared;
use crate::home::operator;
use fedaudit_core::fault::Fault;
use fedaudit_core::roster::Registry;
use fedaudit_link::quic::{CloseReason, Incoming};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the daemon looks whether the registry grew.
const LOOK: Duration = Duration::from_millis(300);

/// The connections that live now, each at its place.
#[derive(Default)]
pub struct Live(Mutex<(u64, BTreeMap<u64, Incoming>)>);

impl Live {
    /// Takes a connection in; its place.
    pub fn enter(&self, incoming: &Incoming) -> u64 {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.0 += 1;
        let place = held.0;
        held.1.insert(place, incoming.clone());
        place
    }

    /// A connection is over.
    pub fn leave(&self, place: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&place);
    }

    /// Cuts the connections of keys that ended.
    fn cut(&self, registry: &Registry) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for incoming in held.1.values() {
            let peer = incoming.peer_key().id();
            let Some(member) = registry.member(&peer).filter(|member| member.ended.is_some()) else { continue };
            tracing::warn!(peer = %peer.short(), party = ?member.party, "connection cut: its key has ended");
            incoming.close(CloseReason::NotAdmitted, "this key has ended");
        }
    }
}

/// Looks at the registry, and cuts connections, until the daemon ends.
pub async fn watch(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let worker = shared.clone();
        match tokio::task::spawn_blocking(move || look(&worker)).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => {
                tracing::error!(%fault, "halted");
                return shared.halt(fault).await;
            }
            Err(_) => return shared.broke("the look at the registry").await,
        }
    }
}

fn look(shared: &Shared) -> Result<(), Fault> {
    let mut centre = shared.centre.blocking_lock();
    let path = centre.home.registry_dir().join("checkpoint");
    let note = std::fs::read_to_string(&path).map_err(|e| operator(format!("{}: {e}", path.display())))?;
    if note != centre.registry_log().note() {
        centre.refresh()?;
    }
    shared.live.cut(centre.registry());
    Ok(())
}
