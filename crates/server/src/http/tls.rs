//! TLS by rustls with ring: the server's certificate, read anew when the process is told to.

use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ServerConfig, version};

/// A certificate and its key, which can be replaced while connections are open.
#[derive(Debug)]
pub(crate) struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    pub(crate) fn open(certificate: &Path, key: &Path) -> Result<Arc<Self>> {
        let provider = Arc::new(ring::default_provider());
        let current = RwLock::new(read(certificate, key, &provider)?);
        Ok(Arc::new(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            provider,
            current,
        }))
    }

    /// Reads the files anew; what was read before stays where they are wrong.
    pub(crate) fn reload(&self) -> Result<()> {
        let fresh = read(&self.certificate, &self.key, &self.provider)?;
        *self.current.write() = fresh;
        Ok(())
    }

    pub(crate) fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let versions = builder.with_protocol_versions(&[&version::TLS13, &version::TLS12]);
        let versions = versions.expect("ring has what both versions need");
        let mut config = versions
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read()))
    }
}

fn read(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>> {
    let wrong = |path: &Path, told: String| {
        Error::new(
            ErrorKind::InvalidData,
            format!("{}: {told}", path.display()),
        )
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| wrong(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(
            certificate,
            "it has no certificate in PEM".to_owned(),
        ));
    }
    let facts = fs::metadata(key).map_err(|error| wrong(key, error.to_string()))?;
    if facts.permissions().mode() & 0o077 != 0 {
        let told = "others can read the key: chmod 600".to_owned();
        return Err(wrong(key, told));
    }
    let secret =
        PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let pair = CertifiedKey::from_der(chain, secret, provider);
    pair.map(Arc::new)
        .map_err(|error| wrong(key, error.to_string()))
}
