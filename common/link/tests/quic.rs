//! Client and server over real UDP on this machine.

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_link::frame::{FrameError, encode_frame, refusal_code};
use fedaudit_link::quic::{CloseReason, Connection, HANDSHAKE, Incoming, STREAMS, Server, connect};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, ClientSessionMemoryCache, Resumption};
use rustls::crypto::{ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const LIMIT: usize = 1 << 20;
const TIME: Duration = Duration::from_secs(20);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn pin(key: &SigningKey) -> Digest {
    PublicKey::of(key).id()
}

/// What an echoing server saw.
#[derive(Debug, PartialEq)]
enum Seen {
    Peer(PublicKey),
    Refused(FrameError),
    Answered,
}

/// A client that must be quick.
const HURRIED: u8 = 6;
/// A client that is not admitted.
const UNKNOWN: u8 = 9;

/// A server of key 1 that echoes frames but for some words.
fn echo() -> (String, Arc<Server>, mpsc::UnboundedReceiver<Seen>) {
    let server = Arc::new(Server::bind("127.0.0.1:0".parse().expect("an address"), &key(1)).expect("bind"));
    let address = server.local_addr().expect("an address").to_string();
    let (seen, log) = mpsc::unbounded_channel();
    let running = server.clone();
    tokio::spawn(async move {
        while let Some(incoming) = running.accept().await {
            if incoming.peer_key() == PublicKey::of(&key(UNKNOWN)) {
                incoming.close(CloseReason::NotAdmitted, "");
                continue;
            }
            let _ = seen.send(Seen::Peer(incoming.peer_key()));
            tokio::spawn(serve(incoming, seen.clone()));
        }
    });
    (address, server, log)
}

async fn serve(incoming: Incoming, seen: mpsc::UnboundedSender<Seen>) {
    loop {
        let time = if incoming.peer_key() == PublicKey::of(&key(HURRIED)) { Duration::from_millis(200) } else { TIME };
        match incoming.accept_request(LIMIT, time).await {
            Ok(None) => return,
            Err(error) => drop(seen.send(Seen::Refused(error))),
            Ok(Some(request)) => match request.frame.as_slice() {
                b"drop" => {}
                b"hang" => tokio::time::sleep(TIME).await,
                b"bye" => incoming.close(CloseReason::NotAdmitted, "key\x07 revoked"),
                frame => {
                    if request.reply.send(frame, TIME).await.is_ok() {
                        let _ = seen.send(Seen::Answered);
                    }
                }
            },
        }
    }
}

async fn ask(connection: &Connection, body: &[u8]) -> Result<Vec<u8>, Fault> {
    connection.request(body, LIMIT, TIME).await
}

#[tokio::test]
async fn requests_are_answered_and_the_server_knows_the_client() {
    let (address, server, mut log) = echo();
    let client = connect(&address, &key(2), pin(&key(1))).await.expect("connect");
    for body in [b"hello".to_vec(), Vec::new(), vec![7; LIMIT]] {
        assert_eq!(ask(&client, &body).await, Ok(body));
    }
    assert_eq!(log.recv().await, Some(Seen::Peer(PublicKey::of(&key(2)))));
    assert_eq!(client.ended(), None);
    client.close().await;
    server.wait_idle().await;
    assert_eq!(server.open_connections(), 0);
}

#[tokio::test]
async fn a_name_with_several_addresses_is_reached() {
    let (address, _server, _log) = echo();
    let named = address.replace("127.0.0.1", "localhost");
    let client = connect(&named, &key(2), pin(&key(1))).await.expect("connect");
    assert_eq!(ask(&client, b"x").await, Ok(b"x".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once() {
    let (address, _server, _log) = echo();
    let client = Arc::new(connect(&address, &key(2), pin(&key(1))).await.expect("connect"));
    let mut asking = tokio::task::JoinSet::new();
    for n in 0..u8::try_from(STREAMS).expect("small") {
        let client = client.clone();
        // Together more than the connection's window: none may stop another.
        asking.spawn(async move { ask(&client, &vec![n; LIMIT / 2]).await.map(|answer| answer == vec![n; LIMIT / 2]) });
    }
    while let Some(answer) = asking.join_next().await {
        assert_eq!(answer.expect("task"), Ok(true));
    }
}

#[tokio::test]
async fn another_key_than_pinned_is_refused() {
    let (address, _server, mut log) = echo();
    let fault = connect(&address, &key(2), pin(&key(3))).await.expect_err("wrong pin");
    assert_eq!(fault.blame, Blame::Aggregator);
    assert!(fault.what.starts_with(&format!("the aggregator at {address} holds a different key than the join token")));
    assert!(fault.what.contains(&pin(&key(1)).to_string()) && fault.what.contains(&pin(&key(3)).to_string()));
    let client = connect(&address, &key(2), pin(&key(1))).await.expect("connect");
    assert!(ask(&client, b"x").await.is_ok());
    // The refused attempt never became a connection.
    assert_eq!(log.recv().await, Some(Seen::Peer(PublicKey::of(&key(2)))));
    assert_eq!(log.recv().await, Some(Seen::Answered));
}

#[tokio::test]
async fn an_absent_server_is_the_networks_fault() {
    // Held open, so that no one else gets the port; nothing answers.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
    let address = silent.local_addr().expect("address").to_string();
    let start = Instant::now();
    let fault = connect(&address, &key(2), pin(&key(1))).await.expect_err("nobody");
    assert_eq!((fault.blame, fault.what), (Blame::Network, format!("no answer from {address}")));
    assert!(start.elapsed() < HANDSHAKE + TIME);
}

#[tokio::test]
async fn bad_addresses_are_told_apart() {
    for bad in ["nonsense", "127.0.0.1", "127.0.0.1:0", "a:b:c", "127.0.0.1:99999", ""] {
        let fault = connect(bad, &key(2), pin(&key(1))).await.expect_err(bad);
        assert_eq!(fault.blame, Blame::Input, "{bad}: {fault}");
    }
}

#[tokio::test]
async fn refusals_reach_the_client_with_their_blame() {
    let (address, server, _log) = echo();
    let client = connect(&address, &key(2), pin(&key(1))).await.expect("connect");
    let fault = ask(&client, &vec![0; LIMIT + 1]).await.expect_err("too large");
    assert_eq!(fault.blame, Blame::Site);
    assert!(fault.what.contains("longer than this peer may send"), "{fault}");
    assert_eq!(ask(&client, b"drop").await.expect_err("dropped").blame, Blame::Aggregator);
    let fault = client.request(b"longer", 3, TIME).await.expect_err("answer too large");
    assert_eq!(fault.blame, Blame::Aggregator);
    assert!(fault.what.contains("6 bytes, of which 3 are allowed"), "{fault}");
    assert!(ask(&client, b"the connection goes on").await.is_ok());
    let fault = client.request(b"hang", LIMIT, Duration::from_millis(100)).await.expect_err("hang");
    assert_eq!(fault.blame, Blame::Network);

    let client = connect(&address, &key(2), pin(&key(1))).await.expect("connect");
    let fault = ask(&client, b"bye").await.expect_err("closed");
    assert_eq!(fault.blame, Blame::Operator);
    assert!(fault.what.ends_with(r"does not admit this key: key\u{7} revoked"), "{fault}");
    assert_eq!(ask(&client, b"again").await, Err(fault.clone()));
    assert_eq!(client.ended(), Some(fault));

    // TLS 1.3: it connects, and learns only then.
    let client = connect(&address, &key(UNKNOWN), pin(&key(1))).await.expect("connect");
    let fault = ask(&client, b"x").await.expect_err("unknown");
    assert_eq!(fault.blame, Blame::Operator, "{fault}");

    let client = connect(&address, &key(2), pin(&key(1))).await.expect("connect");
    assert!(ask(&client, b"x").await.is_ok());
    server.close(CloseReason::Shutdown, "");
    let fault = ask(&client, b"x").await.expect_err("stopped");
    assert_eq!(fault.blame, Blame::Aggregator);
    assert!(fault.what.ends_with("is stopping"), "{fault}");
    assert!(server.accept().await.is_none());
}

#[tokio::test]
async fn bad_frames_are_refused_and_the_server_goes_on() {
    let (address, _server, mut log) = echo();
    let client = Raw::connect(&address, Some(raw_identity(2))).await.expect("connect");
    assert_eq!(log.recv().await, Some(Seen::Peer(PublicKey::of(&key(2)))));
    let whole = encode_frame(b"hello");
    let announced = u32::MAX.to_be_bytes();
    let cases: [(&[u8], bool, FrameError); 4] = [
        (&whole[..7], true, FrameError::Truncated),
        (&whole[..2], true, FrameError::Truncated),
        (&[&whole[..], b"!"].concat(), true, FrameError::TrailingBytes),
        (&announced, false, FrameError::TooLarge { bytes: u32::MAX as usize, limit: LIMIT }),
    ];
    for (bytes, finish, error) in cases {
        let (mut send, mut recv) = client.0.open_bi().await.expect("stream");
        send.write_all(bytes).await.expect("write");
        if finish {
            send.finish().expect("finish");
        }
        assert_eq!(log.recv().await, Some(Seen::Refused(error.clone())));
        let reset = recv.read_to_end(9).await.expect_err("reset");
        let code = quinn::VarInt::from_u32(refusal_code(&error));
        assert_eq!(reset, quinn::ReadToEndError::Read(quinn::ReadError::Reset(code)));
    }
    let (mut send, mut recv) = client.0.open_bi().await.expect("stream");
    send.write_all(&whole).await.expect("write");
    send.finish().expect("finish");
    assert_eq!(recv.read_to_end(LIMIT).await.expect("echo"), whole);
}

#[tokio::test]
async fn a_request_that_does_not_end_is_given_up() {
    let (address, _server, mut log) = echo();
    let client = Raw::connect(&address, Some(raw_identity(HURRIED))).await.expect("connect");
    assert_eq!(log.recv().await, Some(Seen::Peer(PublicKey::of(&key(HURRIED)))));
    let (mut send, mut recv) = client.0.open_bi().await.expect("stream");
    send.write_all(&encode_frame(b"hello")).await.expect("write");
    assert_eq!(log.recv().await, Some(Seen::Refused(FrameError::TimedOut)));
    assert!(recv.read_to_end(9).await.is_err());
}

#[tokio::test]
async fn only_raw_keys_open_a_connection() {
    let (address, _server, mut log) = echo();
    let no_key = Raw::connect(&address, None).await;
    assert!(was_refused(no_key).await);
    let certificate = Raw::with(&address, ClientIdentity::Certificate).await;
    assert!(was_refused(certificate).await);
    let two_keys = Raw::connect(&address, Some(chain_of_two(2))).await;
    assert!(was_refused(two_keys).await);
    let anothers_key = Raw::connect(&address, Some(stolen_identity(2, 4))).await;
    assert!(was_refused(anothers_key).await);
    let client = connect(&address, &key(5), pin(&key(1))).await.expect("connect");
    assert!(ask(&client, b"x").await.is_ok());
    // None of the others got so far.
    assert_eq!(log.recv().await, Some(Seen::Peer(PublicKey::of(&key(5)))));
}

#[tokio::test]
async fn another_protocol_is_refused() {
    let (address, _server, _log) = echo();
    let mut config = raw_config(Arc::default(), ClientIdentity::Raw(Some(raw_identity(2))));
    config.alpn_protocols = vec![b"fedaudit/2".to_vec()];
    assert!(Raw::open(&address, config).await.is_none());
}

#[tokio::test]
async fn reconnecting_is_a_full_handshake() {
    let (address, _server, _log) = echo();
    let checks = Arc::new(AtomicUsize::new(0));
    // A client that would resume, and send early data, if it ever got a ticket.
    let mut config = raw_config(checks.clone(), ClientIdentity::Raw(Some(raw_identity(2))));
    config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)));
    config.enable_early_data = true;
    let config = Arc::new(config);
    for nth in 1..=3 {
        let client = Raw::open(&address, config.clone()).await.expect("connect");
        let (mut send, mut recv) = client.0.open_bi().await.expect("stream");
        send.write_all(&encode_frame(b"x")).await.expect("write");
        send.finish().expect("finish");
        assert_eq!(recv.read_to_end(LIMIT).await.expect("echo"), encode_frame(b"x"));
        assert_eq!(checks.load(Ordering::SeqCst), nth);
    }
}

/// A client of quinn and rustls alone, which may do what ours would not.
struct Raw(quinn::Connection);

enum ClientIdentity {
    Raw(Option<Arc<CertifiedKey>>),
    Certificate,
}

impl Raw {
    async fn connect(address: &str, identity: Option<Arc<CertifiedKey>>) -> Option<Self> {
        Raw::with(address, ClientIdentity::Raw(identity)).await
    }

    async fn with(address: &str, identity: ClientIdentity) -> Option<Self> {
        Raw::open(address, raw_config(Arc::default(), identity)).await
    }

    async fn open(address: &str, config: impl Into<Arc<rustls::ClientConfig>>) -> Option<Self> {
        let config: Arc<rustls::ClientConfig> = config.into();
        let crypto = QuicClientConfig::try_from(config).expect("TLS 1.3");
        let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().expect("an address")).expect("bind");
        let config = quinn::ClientConfig::new(Arc::new(crypto));
        let connecting = endpoint.connect_with(config, address.parse().expect("an address"), "x.invalid");
        connecting.expect("config").await.ok().map(Raw)
    }
}

/// A TLS 1.3 client learns late: either there is no connection, or the server ends it by itself.
async fn was_refused(client: Option<Raw>) -> bool {
    let Some(client) = client else { return true };
    let ended = tokio::time::timeout(TIME, client.0.closed()).await;
    matches!(ended, Ok(quinn::ConnectionError::ConnectionClosed(_)))
}

fn raw_config(checks: Arc<AtomicUsize>, identity: ClientIdentity) -> rustls::ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Counting(checks)));
    let mut config = match identity {
        ClientIdentity::Raw(Some(identity)) => {
            builder.with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(identity)))
        }
        ClientIdentity::Raw(None) => builder.with_no_client_auth(),
        ClientIdentity::Certificate => {
            let key = raw_identity(2);
            let certificate = CertificateDer::from(PLAIN_CERTIFICATE.to_vec());
            let identity = CertifiedKey::new(vec![certificate], key.key.clone());
            builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity)))
        }
    };
    config.alpn_protocols = vec![b"fedaudit/1".to_vec()];
    config
}

fn stolen_identity(own: u8, shown: u8) -> Arc<CertifiedKey> {
    let der = key(own).to_pkcs8_der().expect("DER");
    let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(der.as_bytes())).expect("a key");
    Arc::new(CertifiedKey::new(vec![CertificateDer::from(PublicKey::of(&key(shown)).spki().to_vec())], signer))
}

fn raw_identity(seed: u8) -> Arc<CertifiedKey> {
    stolen_identity(seed, seed)
}

fn chain_of_two(seed: u8) -> Arc<CertifiedKey> {
    let one = raw_identity(seed);
    Arc::new(CertifiedKey::new([one.cert.clone(), one.cert.clone()].concat(), one.key.clone()))
}

/// Not a certificate that anyone would accept; the handshake must end before anyone looks inside.
const PLAIN_CERTIFICATE: &[u8] = &[0x30, 0x03, 0x02, 0x01, 0x00];

/// Takes any server key and counts how often it was asked.
#[derive(Debug)]
struct Counting(Arc<AtomicUsize>);

impl ServerCertVerifier for Counting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &SubjectPublicKeyInfoDer::from(cert.as_ref()), dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
