//! A client of the aggregator that says what it likes, over real QUIC.

use crate::forge::Signed;
use crate::world::World;
use ed25519_dalek::SigningKey;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::limits;
use fedaudit_core::note::LogProof;
use fedaudit_link::home::load_key;
use fedaudit_link::protocol::{Hello, PROTOCOL, Refused, Request, Response};
use fedaudit_link::quic::{Connection, connect};
use std::time::Duration;
use tokio::runtime::Runtime;

const ANSWER: Duration = Duration::from_secs(20);

/// A connection with a chosen transport key.
pub struct Client {
    runtime: Runtime,
    connection: Connection,
}

impl Client {
    /// Connects as the holder of `key`.
    ///
    /// # Panics
    /// The aggregator cannot be reached.
    pub fn connect(world: &World, key: &SigningKey) -> Client {
        let runtime = Runtime::new().expect("a runtime");
        let (address, pin) = world.address().expect("an address");
        let connection = runtime.block_on(connect(&address, key, pin)).expect("connects");
        Client { runtime, connection }
    }

    /// Connects with the transport key of a site.
    ///
    /// # Panics
    /// As [`Client::connect`].
    pub fn of_site(world: &World, site: &str) -> Client {
        Client::connect(world, &key(world, site, "transport"))
    }

    /// Sends a frame's body and reads the answer.
    ///
    /// # Errors
    /// There was none.
    pub fn frame(&self, body: &[u8]) -> Result<Response, Fault> {
        let answer = self.runtime.block_on(self.connection.request(body, limits::FRAME_BYTES, ANSWER))?;
        codec::decode(&answer).map_err(|e| Fault::new(Blame::Aggregator, e.to_string(), "an answer that decodes"))
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// There was none.
    pub fn ask(&self, request: &Request) -> Result<Response, Fault> {
        self.frame(&codec::encode(request).expect("encodes"))
    }

    /// Sends a request that must be refused by `check`, with a hint, and with the same words in the aggregator's log.
    ///
    /// # Panics
    /// It is not.
    #[track_caller]
    pub fn refused(&self, world: &World, request: &Request, blame: Blame, check: &str) -> Refused {
        self.frame_refused(world, &codec::encode(request).expect("encodes"), blame, check)
    }

    /// As [`Client::refused`], for a frame's body.
    ///
    /// # Panics
    /// It is not refused so.
    #[track_caller]
    pub fn frame_refused(&self, world: &World, body: &[u8], blame: Blame, check: &str) -> Refused {
        let refused = match self.frame(body) {
            Ok(Response::Refused(refused)) => refused,
            other => panic!("`{check}` should refuse this; the answer is {other:?}"),
        };
        assert_eq!((refused.blame, refused.refusal.check.as_str()), (blame, check), "{refused:?}");
        assert!(refused.hint.len() > 10 && !refused.refusal.expected.is_empty(), "{refused:?}");
        world.logged(&refused.refusal.to_string());
        refused
    }

    /// Sends a release that must be received: the index of its receipt, which is verified.
    ///
    /// # Panics
    /// It is refused, or the receipt proves nothing.
    #[track_caller]
    pub fn received(&self, signed: &Signed) -> u64 {
        match self.ask(&Request::Submit(Box::new(signed.submission()))) {
            Ok(Response::Receipt(receipt)) => {
                let proof = LogProof::parse(&receipt.proof).expect("a proof");
                assert!(proof.checkpoint.contains("/plan/"), "a receipt of the plan's log");
                proof.index
            }
            other => panic!("not received: {other:?}"),
        }
    }
}

/// A site's key.
///
/// # Panics
/// It has none.
pub fn key(world: &World, site: &str, usage: &str) -> SigningKey {
    load_key(&world.site(site).join("keys").join(format!("{usage}.key"))).expect("a key")
}

/// A hello of this protocol.
pub fn hello(site: &str) -> Request {
    let site = crate::world::name(site);
    Request::Hello(Hello { protocol: PROTOCOL, site, software: "a test".to_owned(), seen: Vec::new() })
}
