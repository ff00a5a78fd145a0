//! TLS by rustls with ring.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    self, AlertDescription, CertificateError, ClientConfig, Error, PeerIncompatible, RootCertStore,
};

use super::Stream;
use crate::error::SpecError;
use crate::outcome::{Code, Failure};

/// What every TLS connection of a service shares.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    /// Whether the file names its own authorities.
    own: bool,
}

impl Tls {
    /// TLS with the authorities of a file, or of the system. `protocols` are offered by ALPN.
    pub(crate) fn new(ca: Option<&Path>, protocols: &[&[u8]]) -> Result<Self, SpecError> {
        let roots = match ca {
            Some(path) => of_file(path)?,
            None => of_system(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            own: ca.is_some(),
        })
    }

    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
        host: &str,
        service: &str,
    ) -> Result<Stream, Failure> {
        let fail = |told: String| Failure::with_code(&told, Code::Connect);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| fail(format!("`{host}` is no name that a certificate can have")))?;
        let opened = self.connector.connect(name, stream).await;
        let stream = opened.map_err(|error| fail(self.told(&error, host, service)))?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    fn told(&self, error: &io::Error, host: &str, service: &str) -> String {
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>());
        let certificate = format!("the certificate of `{service}`");
        match inner {
            Some(Error::InvalidCertificate(problem)) => match problem {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    format!("{certificate} has expired")
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    format!("{certificate} is not valid yet")
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => {
                    format!("{certificate} is for another host than {host}")
                }
                CertificateError::UnknownIssuer | CertificateError::BadSignature if self.own => {
                    format!("{certificate} was not issued by the authority in `ca`")
                }
                CertificateError::UnknownIssuer => {
                    format!(
                        "{certificate} was issued by an unknown authority: name it, such as \
                         ca = \"test-ca.pem\""
                    )
                }
                other => format!("{certificate} is not valid: {other}"),
            },
            Some(
                Error::AlertReceived(AlertDescription::ProtocolVersion)
                | Error::PeerIncompatible(
                    PeerIncompatible::ServerDoesNotSupportTls12Or13
                    | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
                ),
            ) => format!("`{service}` speaks only versions of TLS before 1.2, which are not safe"),
            Some(Error::InvalidMessage(_)) => {
                format!("`{service}` does not speak TLS: is it http:// in place of https://?")
            }
            Some(
                Error::NoApplicationProtocol
                | Error::AlertReceived(AlertDescription::NoApplicationProtocol),
            ) => {
                format!("`{service}` does not speak the HTTP version of the file")
            }
            Some(other) => format!("no TLS with `{service}`: {other}"),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                format!("`{service}` closed the connection during the TLS handshake")
            }
            None => format!("no TLS with `{service}`: {error}"),
        }
    }
}

fn of_file(path: &Path) -> Result<RootCertStore, SpecError> {
    let shown = path.display();
    let text = std::fs::read(path).map_err(|error| {
        let told = match error.kind() {
            io::ErrorKind::NotFound => format!("cannot read `{shown}`: no such file"),
            _ => format!("cannot read `{shown}`: {error}"),
        };
        SpecError::new(0, told)
    })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|der| roots.add(der).map_err(|error| error.to_string()));
        if let Err(error) = added {
            let told = format!("`{shown}` has a certificate that cannot be read: {error}");
            return Err(SpecError::new(0, told));
        }
    }
    if roots.is_empty() {
        let told = format!("`{shown}` has no certificate: it is a PEM file with BEGIN CERTIFICATE");
        return Err(SpecError::new(0, told));
    }
    Ok(roots)
}

/// The system's authorities. A system without any trusts nobody, which the handshake then tells.
fn of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
