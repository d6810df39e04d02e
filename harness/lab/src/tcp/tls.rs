//! A certificate authority for one run, and certificates that are good, expired or for another host.
//!
//! Not responsible for who is told to trust it: its certificate is handed to the client under test
//! as a file. Its key never leaves the process.
//!
//! Invariant: nothing is resumed, so that every dial looks at the certificate that is shown to it.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use thiserror::Error;
pub use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::{self, ServerConfig};

/// The name of the file that [`Authority::write_pem`] writes.
const FILE: &str = "stateline-ca.pem";

/// How long before and after now certificates are good: clocks differ, and runs are shorter.
const DAYS: Duration = Duration::from_secs(30 * 24 * 3600);

/// Makes certificates that one run trusts.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// The key of all its certificates: a key for each dock would only cost time.
    key: KeyPair,
    provider: Arc<CryptoProvider>,
}

/// What a dock shows to whoever dials it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// One that is over.
    Expired,
    /// One that a client must accept.
    Good,
    /// One for another host.
    WrongHost,
}

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// It could not be made.
    #[error("failed to make a certificate")]
    Make(#[from] rcgen::Error),
    /// It could not be used.
    #[error("failed to use a certificate")]
    Use(#[from] rustls::Error),
}

impl Authority {
    /// An authority with a fresh key.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new() -> Result<Self, AuthorityError> {
        let mut params = params("stateline authority of one run");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
            key: KeyPair::generate()?,
            provider: Arc::new(ring::default_provider()),
        })
    }

    /// Its own certificate, which a client is told to trust.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes its own certificate into a folder, and says where.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_pem(&self, folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join(FILE);
        std::fs::write(&path, self.pem())?;
        Ok(path)
    }

    /// Accepts TLS at this address, with a certificate of this kind.
    ///
    /// # Errors
    /// The certificate cannot be made.
    pub fn acceptor(
        &self,
        address: IpAddr,
        kind: Certificate,
    ) -> Result<TlsAcceptor, AuthorityError> {
        let mut params = params("stateline dock");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Strict clients look for it in every certificate that is not the authority's own.
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names = vec![match kind {
            Certificate::Expired | Certificate::Good => SanType::IpAddress(address),
            Certificate::WrongHost => SanType::DnsName("elsewhere.invalid".try_into()?),
        }];
        if kind == Certificate::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 2, 1);
        }
        let certificate = params.signed_by(&self.key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    params.not_before = (now - DAYS).into();
    params.not_after = (now + DAYS).into();
    params
}
