//! Between an agent and its aggregator, with the keys of both: hears every request before it is encrypted.

use ed25519_dalek::SigningKey;
use fedaudit_core::key::PublicKey;
use fedaudit_core::limits::FRAME_BYTES;
use fedaudit_link::quic::{Incoming, Server, connect};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;

/// It listens for as long as it lives.
pub struct Listener {
    /// Where the agent is to connect.
    pub address: String,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    _runtime: Runtime,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Listener {
    /// Between the aggregator at `address` and a site.
    pub fn between(address: &str, aggregator: &SigningKey, site: &SigningKey) -> Listener {
        let runtime = Runtime::new().expect("a runtime");
        let server = runtime.block_on(async { Server::bind("127.0.0.1:0".parse().expect("an address"), aggregator) });
        let server = server.expect("binds");
        let own = server.local_addr().expect("an address").to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (to, site, pin) = (address.to_owned(), site.clone(), PublicKey::of(aggregator).id());
        let ears = heard.clone();
        runtime.spawn(async move {
            while let Some(agent) = server.accept().await {
                tokio::spawn(carry(agent, to.clone(), site.clone(), pin, ears.clone()));
            }
        });
        Listener { address: own, heard, _runtime: runtime }
    }

    /// All requests so far.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().expect("nobody panicked").clone()
    }
}

async fn carry(
    agent: Incoming,
    to: String,
    site: SigningKey,
    pin: fedaudit_core::ids::Digest,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
) {
    let aggregator = connect(&to, &site, pin).await.expect("the aggregator answers");
    while let Ok(Some(request)) = agent.accept_request(FRAME_BYTES, PATIENCE).await {
        heard.lock().expect("nobody panicked").push(request.frame.clone());
        let answer = aggregator.request(&request.frame, FRAME_BYTES, PATIENCE).await.expect("an answer");
        request.reply.send(&answer, PATIENCE).await.expect("the agent takes it");
    }
}
