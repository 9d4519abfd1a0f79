//! A client of quinn and rustls alone: it puts any bytes on a stream.

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use fedaudit_core::key::PublicKey;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// A connection to an aggregator whose key is not looked at.
pub struct Raw {
    runtime: Runtime,
    _endpoint: quinn::Endpoint,
    connection: quinn::Connection,
}

impl Raw {
    /// Connects to `address` with a transport key.
    ///
    /// # Panics
    /// The aggregator cannot be reached.
    pub fn connect(address: &str, key: &SigningKey) -> Raw {
        let runtime = Runtime::new().expect("a runtime");
        let (endpoint, connection) = runtime.block_on(async {
            let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().expect("an address")).expect("binds");
            let config = quinn::ClientConfig::new(Arc::new(config(key)));
            let to = address.parse().expect("an address");
            let connecting = endpoint.connect_with(config, to, "aggregator.invalid").expect("connects");
            (endpoint, connecting.await.expect("connects"))
        });
        Raw { runtime, _endpoint: endpoint, connection }
    }

    /// Puts `bytes` on a new stream and ends it, whatever the server says; the code with which the server gives up.
    ///
    /// # Panics
    /// The server answers, or ends the connection.
    pub fn given_up(&self, bytes: &[u8]) -> u64 {
        self.runtime.block_on(async {
            let (mut send, mut recv) = self.connection.open_bi().await.expect("a stream");
            // The server may stop reading at any time.
            let _ = send.write_all(bytes).await;
            let _ = send.finish();
            match recv.read_to_end(1 << 20).await {
                Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(code))) => code.into_inner(),
                other => panic!("the server should give this stream up: {other:?}"),
            }
        })
    }
}

fn config(key: &SigningKey) -> QuicClientConfig {
    let der = key.to_pkcs8_der().expect("encodes");
    let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(der.as_bytes())).expect("a key");
    let public = CertificateDer::from(PublicKey::of(key).spki().to_vec());
    let identity = Arc::new(CertifiedKey::new(vec![public], signer));
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13]);
    let mut config = builder
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(identity)));
    config.alpn_protocols = vec![b"fedaudit/1".to_vec()];
    QuicClientConfig::try_from(config).expect("a configuration for QUIC")
}

/// Takes any server for the right one.
#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("QUIC has TLS 1.3".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let key = SubjectPublicKeyInfoDer::from(cert.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
