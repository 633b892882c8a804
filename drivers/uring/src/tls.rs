//! TLS 1.3 with a key on both sides, and nothing else of it: no authorities, no names, no tickets, no resumption, no early data.
//!
//! A peer is its key. The signature over the handshake proves that the peer holds it and is verified for real; who signed the
//! certificate and what it says of dates and names is not looked at. Dates would add nothing to a pinned key, which is taken
//! back by removing it, and would lock out cameras whose clock is at 1970.
//!
//! Invariant: a handshake that succeeds ended at the key that was expected (dialled) or at a trusted one (accepted).

pub(crate) mod handshake;
pub(crate) mod record;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use hal::{Fingerprint, LinkError};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    AlertDescription, CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use zeroize::Zeroize;

use crate::errno;
use crate::identity::{Identity, fingerprint_of};

/// The keys that may come in.
pub(crate) type TrustedKeys = Arc<Mutex<BTreeSet<Fingerprint>>>;

/// Whether a key may come in.
pub(crate) fn is_trusted(trusted: &TrustedKeys, key: Fingerprint) -> bool {
    trusted.lock().unwrap_or_else(PoisonError::into_inner).contains(&key)
}

/// Suites in the order in which a dialler wants them: AES with the shorter key, which costs less and is as far out of reach; where the
/// processor has no AES, ChaCha20 is several times as fast.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    let has_aes = cpu_has_aes();
    provider.cipher_suites.sort_by_key(|suite| match suite.suite() {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => (!has_aes, 0),
        CipherSuite::TLS13_AES_256_GCM_SHA384 => (!has_aes, 1),
        _ => (has_aes, 2),
    });
    provider
}

/// Instructions for AES.
fn cpu_has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// Makes the two ends of handshakes.
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    own: Arc<SingleCertAndKey>,
    pub(crate) trusted: TrustedKeys,
}

/// What a verifier saw: it belongs to one connection.
#[derive(Debug, Default)]
pub(crate) struct Shown(Mutex<Option<Fingerprint>>);

impl Shown {
    /// The key that the other side showed, accepted or not.
    pub(crate) fn key(&self) -> Option<Fingerprint> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, key: Fingerprint) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }
}

impl Tls {
    /// With the identity's key.
    pub(crate) fn new(mut identity: Identity) -> Result<Tls, Error> {
        let provider = Arc::new(provider());
        let signer = ring::sign::any_supported_type(&identity.key)?;
        // The signer has a copy of its own, which it does not show.
        identity.key.zeroize();
        let own = Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![identity.certificate], signer)));
        Ok(Tls {
            provider,
            own,
            trusted: TrustedKeys::default(),
        })
    }

    /// The dialling end of one connection, which accepts one key.
    pub(crate) fn dialler(&self, expect: Fingerprint) -> Result<(Arc<ClientConfig>, Arc<Shown>), Error> {
        let shown = Arc::new(Shown::default());
        let verifier = KeyVerifier {
            provider: Arc::clone(&self.provider),
            accepts: Accepts::One(expect),
            shown: Arc::clone(&shown),
        };
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::clone(&self.own) as Arc<dyn ResolvesClientCert>);
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        config.enable_early_data = false;
        // For `record.rs`, and nobody else.
        config.enable_secret_extraction = true;
        Ok((Arc::new(config), shown))
    }

    /// The accepting end of one connection, which accepts the trusted keys.
    pub(crate) fn accepter(&self) -> Result<(Arc<ServerConfig>, Arc<Shown>), Error> {
        let shown = Arc::new(Shown::default());
        let accepts = Accepts::Trusted(Arc::clone(&self.trusted));
        let verifier = KeyVerifier {
            provider: Arc::clone(&self.provider),
            accepts,
            shown: Arc::clone(&shown),
        };
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::clone(&self.own) as Arc<dyn ResolvesServerCert>);
        // A ticket that nobody reads turns a close into a reset, which destroys bytes in flight.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_early_data_size = 0;
        // For `record.rs`, and nobody else.
        config.enable_secret_extraction = true;
        Ok((Arc::new(config), shown))
    }
}

/// What an error of a TLS stream means.
pub(crate) fn meaning(error: &io::Error) -> LinkError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => LinkError::KeyRefused,
        Some(Error::AlertReceived(alert)) => match alert {
            AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::NoCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate => LinkError::KeyRefused,
            _ => LinkError::NotTls,
        },
        Some(_) => LinkError::NotTls,
        None => errno::of_connection(error),
    }
}

#[derive(Debug)]
enum Accepts {
    One(Fingerprint),
    Trusted(TrustedKeys),
}

/// Accepts or refuses the key of one connection.
#[derive(Debug)]
struct KeyVerifier {
    provider: Arc<CryptoProvider>,
    accepts: Accepts,
    shown: Arc<Shown>,
}

impl KeyVerifier {
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let key = fingerprint_of(&ParsedCertificate::try_from(certificate)?.subject_public_key_info());
        self.shown.set(key);
        let accepted = match &self.accepts {
            Accepts::One(expected) => *expected == key,
            Accepts::Trusted(trusted) => is_trusted(trusted, key),
        };
        if accepted {
            Ok(())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// TLS 1.2 is not compiled in; a connection that got so far is refused all the same.
fn only_tls13() -> Error {
    Error::PeerIncompatible(rustls::PeerIncompatible::SupportedVersionsExtensionRequired)
}

impl ServerCertVerifier for KeyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for KeyVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
