//! QUIC for both daemons: mutual authentication by raw public keys, one request a stream, bounds on everything.
//!
//! A TLS 1.3 client learns late that it was refused: [`connect`] returns, and the refusal shows at the first request.
//! So a link counts as up only after an answer.

use crate::frame::{FrameError, UNANSWERED, read_frame, refusal_code, write_frame};
pub use crate::refusal::CloseReason;
use crate::refusal::{connection_fault, no_answer, request_fault, wrong_key};
use crate::tls::{PinnedKey, client_config, raw_key, server_config};
use ed25519_dalek::SigningKey;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use quinn::{Endpoint, IdleTimeout, RecvStream, SendStream, TransportConfig, VarInt};
use rustls_pki_types::CertificateDer;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::debug;

/// Requests that a client may have open on one connection.
pub const STREAMS: u32 = 64;
/// A connection without a sign of life for so long is over.
pub const IDLE: Duration = Duration::from_secs(30);
/// A client gives its sign of life so often.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// A handshake takes at most this long, on either side.
pub const HANDSHAKE: Duration = Duration::from_secs(5);

/// The listening side. Dropping it ends its connections.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    /// Connections whose handshake is over; the lock lets several tasks wait in [`Server::accept`].
    ready: Mutex<mpsc::Receiver<Incoming>>,
    listener: JoinHandle<()>,
}

impl Server {
    /// Listens at `address` (port 0: any free one) as `key`. It must be called within a tokio runtime.
    ///
    /// # Errors
    /// An address that cannot be bound.
    pub fn bind(address: SocketAddr, key: &SigningKey) -> Result<Self, Fault> {
        let mut config = quinn::ServerConfig::with_crypto(server_config(key)?);
        config.transport_config(transport(STREAMS, None));
        let endpoint = Endpoint::server(config, address).map_err(|error| {
            let what = format!("cannot listen on UDP {address}: {error}");
            Fault::new(Blame::Operator, what, "choose an address of this machine and a free port")
        })?;
        let (sender, ready) = mpsc::channel(HANDSHAKES);
        let listener = tokio::spawn(listen(endpoint.clone(), sender));
        Ok(Server { endpoint, ready: Mutex::new(ready), listener })
    }

    /// The address it listens at.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub fn local_addr(&self) -> Result<SocketAddr, Fault> {
        self.endpoint.local_addr().map_err(|error| {
            let what = format!("the listening socket has no address: {error}");
            Fault::new(Blame::Operator, what, "restart this program")
        })
    }

    /// The next connection whose peer proved its key; `None` once closed. A slow handshake holds up no other.
    pub async fn accept(&self) -> Option<Incoming> {
        self.ready.lock().await.recv().await
    }

    /// Connections and handshakes that live now.
    pub fn open_connections(&self) -> usize {
        self.endpoint.open_connections()
    }

    /// Takes no more connections and ends those that live, telling the peers `reason` and `text`.
    pub fn close(&self, reason: CloseReason, text: &str) {
        self.endpoint.close(VarInt::from_u32(reason.code()), text.as_bytes());
        self.listener.abort();
    }

    /// Waits until the peers know of [`Server::close`], at most for about a second.
    pub async fn wait_idle(&self) {
        let _ = timeout(FAREWELL, self.endpoint.wait_idle()).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close(CloseReason::Shutdown, "");
    }
}

/// Runs handshakes side by side. Half full, it asks for proof of address first; full, it refuses.
async fn listen(endpoint: Endpoint, ready: mpsc::Sender<Incoming>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    let mut handshakes = JoinSet::new();
    while let Some(incoming) = endpoint.accept().await {
        while handshakes.try_join_next().is_some() {}
        if places.available_permits() < HANDSHAKES / 2 && incoming.may_retry() {
            // It fails only without `may_retry`.
            let _ = incoming.retry();
            continue;
        }
        let Ok(place) = places.clone().try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let ready = ready.clone();
        handshakes.spawn(async move {
            let remote = incoming.remote_address();
            match handshake(incoming).await {
                // The place is held until the connection is taken, so that a slow caller of `accept` is a bound too.
                Ok(connection) => drop(ready.send(connection).await),
                Err(error) => debug!(%remote, ?error, "handshake failed"),
            }
            drop(place);
        });
    }
}

async fn handshake(incoming: quinn::Incoming) -> Result<Incoming, String> {
    let connecting = incoming.accept().map_err(|error| error.to_string())?;
    let connection = timeout(HANDSHAKE, connecting).await.map_err(|_| "timed out".to_owned())?;
    let connection = connection.map_err(|error| error.to_string())?;
    let identity = connection.peer_identity().and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
    let key = identity.and_then(|chain| raw_key(&chain)).ok_or("no raw Ed25519 key")?;
    Ok(Incoming { connection, key })
}

/// The server's side of a connection whose peer proved that it holds [`Incoming::peer_key`]. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Incoming {
    connection: quinn::Connection,
    key: PublicKey,
}

impl Incoming {
    /// The client's transport key. Who that is, and what it may do, is for the roster to say at each request.
    pub fn peer_key(&self) -> PublicKey {
        self.key
    }

    /// The client's address, for logs.
    pub fn remote_addr(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    /// Waits for the next request and reads it whole; `None` once the connection is over. The `limit` on its body is
    /// asked for when it begins, and from then on it has `time`.
    ///
    /// While one request arrives, others wait; use [`Incoming::accept_stream`] where that matters.
    ///
    /// # Errors
    /// This request was refused, and its sender told so; the connection goes on.
    pub async fn accept_request(&self, limit_bytes: usize, time: Duration) -> Result<Option<Request>, FrameError> {
        match self.accept_stream().await {
            Some(stream) => stream.read(limit_bytes, time).await.map(Some),
            None => Ok(None),
        }
    }

    /// Waits for the next request without reading it; `None` once the connection is over.
    pub async fn accept_stream(&self) -> Option<RequestStream> {
        let (send, recv) = self.connection.accept_bi().await.ok()?;
        Some(RequestStream { recv, reply: Reply { send, answered: false } })
    }

    /// Ends the connection, telling the peer `reason` and `text`. Answers on their way may be lost.
    pub fn close(&self, reason: CloseReason, text: &str) {
        self.connection.close(VarInt::from_u32(reason.code()), text.as_bytes());
    }

    /// Waits until the connection is over.
    pub async fn closed(&self) {
        self.connection.closed().await;
    }
}

/// A request that has begun to arrive.
#[derive(Debug)]
pub struct RequestStream {
    recv: RecvStream,
    reply: Reply,
}

impl RequestStream {
    /// Reads the request, at most `limit_bytes` of body within `time`.
    ///
    /// # Errors
    /// It was refused, and its sender told so.
    pub async fn read(mut self, limit_bytes: usize, time: Duration) -> Result<Request, FrameError> {
        let read = timeout(time, read_frame(&mut self.recv, limit_bytes)).await;
        match read.unwrap_or(Err(FrameError::TimedOut)) {
            Ok(frame) => Ok(Request { frame, reply: self.reply }),
            Err(error) => {
                let code = VarInt::from_u32(refusal_code(&error));
                // Both fail only where the peer has given up first.
                let _ = self.recv.stop(code);
                let _ = self.reply.send.reset(code);
                self.reply.answered = true;
                Err(error)
            }
        }
    }
}

/// A request and the way to answer it.
#[derive(Debug)]
pub struct Request {
    /// The body of its frame.
    pub frame: Vec<u8>,
    /// Where the answer goes.
    pub reply: Reply,
}

/// Where an answer goes. Dropped without one, the peer is told that there is none.
#[derive(Debug)]
pub struct Reply {
    send: SendStream,
    answered: bool,
}

impl Reply {
    /// Sends `body` as the only frame of the answer, within `time`.
    ///
    /// # Errors
    /// The peer is gone, does not want it, or reads too slowly.
    pub async fn send(mut self, body: &[u8], time: Duration) -> Result<(), FrameError> {
        timeout(time, write_frame(&mut self.send, body)).await.unwrap_or(Err(FrameError::TimedOut))?;
        self.answered = true;
        // Acknowledged, so that an end of the server does not overtake it. A peer that is gone by now may have it or not.
        let _ = timeout(time, self.send.stopped()).await;
        Ok(())
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.answered {
            let _ = self.send.reset(VarInt::from_u32(UNANSWERED));
        }
    }
}

/// The client's side of a connection. Dropping it ends the connection.
#[derive(Debug)]
pub struct Connection {
    endpoint: Endpoint,
    connection: quinn::Connection,
    address: String,
}

/// Connects to `address` (`host:port`) as `key` and checks that the server holds the key named `server_key_id`, the
/// SHA-256 of its SPKI. All addresses of a host are tried, each a little later than the one before.
///
/// # Errors
/// No usable address, no answer within [`HANDSHAKE`], or another key than expected.
pub async fn connect(address: &str, key: &SigningKey, server_key_id: Digest) -> Result<Connection, Fault> {
    connect_any(address, key, &[server_key_id]).await
}

/// The same to a server that shows any of the keys named.
///
/// # Errors
/// As [`connect`].
pub async fn connect_any(address: &str, key: &SigningKey, server_key_ids: &[Digest]) -> Result<Connection, Fault> {
    let pinned = Arc::new(PinnedKey::new(server_key_ids));
    let mut config = quinn::ClientConfig::new(client_config(key, &pinned)?);
    config.transport_config(transport(0, Some(KEEP_ALIVE)));
    let attempts = async {
        let mut attempts = JoinSet::new();
        for (nth, to) in (0..).zip(resolve(address).await?) {
            attempts.spawn(attempt(to, STAGGER * nth, config.clone(), address.to_owned()));
        }
        let mut worst = no_answer(address);
        while let Some(ended) = attempts.join_next().await {
            match ended {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(fault)) => worst = fault,
                Err(_) => {} // aborted with this program
            }
        }
        Err(worst)
    };
    let connected = timeout(HANDSHAKE, attempts).await.unwrap_or_else(|_| Err(no_answer(address)));
    connected.map_err(|fault| match pinned.other() {
        Some(other) => wrong_key(address, server_key_ids, other),
        None => fault,
    })
}

async fn resolve(address: &str) -> Result<Vec<SocketAddr>, Fault> {
    let shown = address.escape_debug();
    let found = tokio::net::lookup_host(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidInput => {
            Fault::new(Blame::Input, format!("`{shown}` is not an address"), HOW_TO_ADDRESS)
        }
        _ => Fault::new(
            Blame::Network,
            format!("the name of `{shown}` cannot be resolved: {error}"),
            "check the address and this machine's name resolution",
        ),
    })?;
    let found: Vec<_> = found.filter(|to| to.port() != 0).take(ADDRESSES).collect();
    if found.is_empty() {
        let what = format!("`{shown}` leads to no address with a port");
        return Err(Fault::new(Blame::Input, what, HOW_TO_ADDRESS));
    }
    Ok(found)
}

async fn attempt(
    to: SocketAddr,
    delay: Duration,
    config: quinn::ClientConfig,
    address: String,
) -> Result<Connection, Fault> {
    sleep(delay).await;
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let unreachable = |error: &dyn std::fmt::Display| {
        let what = format!("{address} ({to}) cannot be reached from this machine: {error}");
        Fault::new(Blame::Network, what, "check the address and this machine's network")
    };
    let endpoint = Endpoint::client(SocketAddr::new(any, 0)).map_err(|error| unreachable(&error))?;
    let connecting = endpoint.connect_with(config, to, SERVER_NAME).map_err(|error| unreachable(&error))?;
    let connection = connecting.await.map_err(|error| connection_fault(&address, &error))?;
    Ok(Connection { endpoint, connection, address })
}

impl Connection {
    /// Sends `body` and returns the body of the answer, of at most `response_limit_bytes`, all within `time`.
    ///
    /// # Errors
    /// The network or the other side failed, or the other side refused; the fault says which. After a connection is
    /// lost, every request fails: connect again.
    pub async fn request(&self, body: &[u8], response_limit_bytes: usize, time: Duration) -> Result<Vec<u8>, Fault> {
        let answer = timeout(time, self.exchange(body, response_limit_bytes)).await;
        answer.unwrap_or(Err(FrameError::TimedOut)).map_err(|error| match self.connection.close_reason() {
            Some(reason) => connection_fault(&self.address, &reason),
            None => request_fault(&self.address, &error),
        })
    }

    async fn exchange(&self, body: &[u8], response_limit_bytes: usize) -> Result<Vec<u8>, FrameError> {
        let lost = |error: quinn::ConnectionError| FrameError::Stream(error.to_string());
        let (mut send, mut recv) = self.connection.open_bi().await.map_err(lost)?;
        write_frame(&mut send, body).await?;
        read_frame(&mut recv, response_limit_bytes).await
    }

    /// Why the connection is over, once it is.
    pub fn ended(&self) -> Option<Fault> {
        self.connection.close_reason().map(|reason| connection_fault(&self.address, &reason))
    }

    /// Ends the connection and waits, at most for about a second, until the other side knows.
    pub async fn close(self) {
        self.connection.close(VarInt::from_u32(CloseReason::Done.code()), b"");
        let _ = timeout(FAREWELL, self.endpoint.wait_idle()).await;
    }
}

/// Bounds for a connection on which the peer may open `streams`.
fn transport(streams: u32, keep_alive: Option<Duration>) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    config.max_concurrent_bidi_streams(streams.into());
    config.max_concurrent_uni_streams(0_u32.into());
    config.datagram_receive_buffer_size(None);
    config.max_idle_timeout(IdleTimeout::try_from(IDLE).ok());
    config.keep_alive_interval(keep_alive);
    // Unread streams must never stop one that is read. So the connection's window holds all streams' windows, twice:
    // credit for it comes back only by the eighth.
    config.stream_receive_window(STREAM_WINDOW_BYTES.into());
    config.receive_window((2 * STREAM_WINDOW_BYTES * STREAMS).into());
    Arc::new(config)
}

/// Handshakes that run at a time, and connections that wait to be taken.
const HANDSHAKES: usize = 256;
/// Bytes of a stream that may wait unread.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// Addresses of a host that are tried.
const ADDRESSES: usize = 8;
/// How much later the next address is tried (RFC 8305, section 8).
const STAGGER: Duration = Duration::from_millis(250);
/// What to do about an address that is none.
const HOW_TO_ADDRESS: &str = "write host:port, such as audit.example:7443";
/// How long an end is waited for.
const FAREWELL: Duration = Duration::from_secs(1);
/// TLS wants a name; none is sent, and the key is what is checked.
const SERVER_NAME: &str = "aggregator.invalid";
