//! TLS 1.3 with Ed25519 raw public keys (RFC 7250) on both sides, without certificates and without resumption.
//!
//! Resumption would restore the peer's key without asking the verifier, so there are no tickets, no session storage
//! and no 0-RTT on either side.

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, KeypairBytes};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use std::sync::{Arc, OnceLock};
use subtle::ConstantTimeEq as _;

/// The protocol both sides must name (RFC 7301).
pub(crate) const ALPN: &[u8] = b"fedaudit/1";

/// The key that a verified peer presented as the only item of its certificate chain.
pub(crate) fn raw_key(chain: &[CertificateDer<'_>]) -> Option<PublicKey> {
    let [only] = chain else { return None };
    PublicKey::from_spki(only)
}

/// What a server presents and asks for: its own `key`, and any well-formed key of the client.
pub(crate) fn server_config(key: &SigningKey) -> Result<Arc<QuicServerConfig>, Fault> {
    let provider = Arc::new(ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS13]);
    let mut config = config
        .map_err(own_fault)?
        .with_client_cert_verifier(Arc::new(AnyClientKey(provider)))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(identity(key)?)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(Arc::new(QuicServerConfig::try_from(config).map_err(own_fault)?))
}

/// What a client presents and asks for: its own `key`, and the server key that `pinned` names.
pub(crate) fn client_config(key: &SigningKey, pinned: &Arc<PinnedKey>) -> Result<Arc<QuicClientConfig>, Fault> {
    let provider = pinned.provider.clone();
    let config = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]);
    let mut config = config
        .map_err(own_fault)?
        .dangerous()
        .with_custom_certificate_verifier(pinned.clone())
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(identity(key)?)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.enable_sni = false;
    Ok(Arc::new(QuicClientConfig::try_from(config).map_err(own_fault)?))
}

/// A private key for TLS. The copy in DER is wiped when it goes out of scope.
fn identity(key: &SigningKey) -> Result<Arc<CertifiedKey>, Fault> {
    let pair = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
    let der = pair.to_pkcs8_der().map_err(own_fault)?;
    let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(der.as_bytes())).map_err(own_fault)?;
    let public = CertificateDer::from(PublicKey::of(key).spki().to_vec());
    Ok(Arc::new(CertifiedKey::new(vec![public], signer)))
}

/// A failure of our own set-up; none is known to happen with a well-formed key.
fn own_fault(error: impl std::fmt::Display) -> Fault {
    let what = format!("TLS cannot be set up with this transport key: {error}");
    Fault::new(Blame::Operator, what, "check the transport key file; if it is sound, report this")
}

/// Accepts a server key whose SPKI has a pinned SHA-256.
#[derive(Debug)]
pub(crate) struct PinnedKey {
    pins: Vec<Digest>,
    provider: Arc<CryptoProvider>,
    other: OnceLock<Digest>,
}

impl PinnedKey {
    pub(crate) fn new(pins: &[Digest]) -> Self {
        PinnedKey { pins: pins.to_vec(), provider: Arc::new(ring::default_provider()), other: OnceLock::new() }
    }

    /// The key that a server presented instead of the pinned one.
    pub(crate) fn other(&self) -> Option<Digest> {
        self.other.get().copied()
    }
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = only_key(end_entity, intermediates)?.id();
        if self.pins.iter().any(|pin| bool::from(presented.0.ct_eq(&pin.0))) {
            return Ok(ServerCertVerified::assertion());
        }
        // Only the first is kept: a second can come from another address of the same name.
        let _ = self.other.set(presented);
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_signature(&self.provider, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Asks for a client key and accepts any that is well-formed: the roster decides at each request what it may do.
#[derive(Debug)]
struct AnyClientKey(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyClientKey {
    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        only_key(end_entity, intermediates).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_signature(&self.0, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

fn only_key(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<PublicKey, Error> {
    let key = if intermediates.is_empty() { PublicKey::from_spki(end_entity) } else { None };
    key.ok_or_else(|| CertificateError::BadEncoding.into())
}

fn verify_signature(
    provider: &CryptoProvider,
    message: &[u8],
    key: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let spki = SubjectPublicKeyInfoDer::from(key.as_ref());
    verify_tls13_signature_with_raw_key(message, &spki, dss, &provider.signature_verification_algorithms)
}
