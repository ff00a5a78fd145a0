//! TLS: what is wrong with a service's certificate or version has its own message.

use std::sync::Arc;
use std::time::Duration;

use drivers::{HttpOptions, Version, Versions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::service::{User, run};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for these names, valid in these years.
fn acceptor(
    authority: &Authority,
    names: &[&str],
    years: (i32, i32),
    protocols: &[&[u8]],
) -> TlsAcceptor {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A service that answers every request over TLS, and one that breaks off in the middle of it.
async fn serve(acceptor: TlsAcceptor, answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut asked = [0; 1000];
            while stream.read(&mut asked).await.is_ok_and(|count| count > 0) {
                stream.write_all(answer).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    });
    port
}

/// What a service that sends these bytes to a TLS client leads to.
async fn serve_bytes(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 2000];
        let _ = stream.read(&mut hello).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        // What the client says last is read, so that nothing resets the connection before.
        while stream.read(&mut hello).await.is_ok_and(|count| count > 0) {}
    });
    port
}

async fn told(port: u16, ca: Option<&str>, versions: &[Version]) -> String {
    let mut options = HttpOptions::new(&format!("https://127.0.0.1:{port}"));
    options.ca = ca.map(str::to_owned);
    options.version = Versions(versions.to_vec());
    User::new(options).unwrap().told("GET /").await
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
const NOW: (i32, i32) = (2020, 2120);

#[test]
fn each_mistake_of_tls_has_its_own_message() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority("ours");
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, ours.pem()).unwrap();
    let ca = path.to_str();
    let acceptor = |names: &[&str], years| acceptor(&ours, names, years, &[]);
    let here: &[&str] = &["127.0.0.1"];
    run(async {
        let good = serve(acceptor(here, NOW), OK).await;
        assert_eq!(told(good, ca, &[]).await, "acknowledged (200)");
        let refused = |why: &str| format!("refused: {why} (connect)");
        let expired = serve(acceptor(here, (2000, 2001)), OK).await;
        assert_eq!(
            told(expired, ca, &[]).await,
            refused("the certificate of `shop` has expired")
        );
        let early = serve(acceptor(here, (2110, 2120)), OK).await;
        assert_eq!(
            told(early, ca, &[]).await,
            refused("the certificate of `shop` is not valid yet")
        );
        let other_host = serve(acceptor(&["shop.example.com"], NOW), OK).await;
        assert_eq!(
            told(other_host, ca, &[]).await,
            refused("the certificate of `shop` is for another host than 127.0.0.1")
        );
        assert_eq!(
            told(good, None, &[]).await,
            refused(
                "the certificate of `shop` was issued by an unknown authority: name it, such as \
                 ca = \"test-ca.pem\""
            )
        );
        for name in ["theirs", "ours"] {
            let theirs = authority(name);
            let untrusted = serve(self::acceptor(&theirs, here, NOW, &[]), OK).await;
            assert_eq!(
                told(untrusted, ca, &[]).await,
                refused("the certificate of `shop` was not issued by the authority in `ca`")
            );
        }
        // A ServerHello of TLS 1.1 with a cipher suite of its time.
        let old_hello = serve_bytes(
            b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x020123456789abcdef0123456789abcdef\x00\x00\x2f\x00",
        )
        .await;
        let old = refused("`shop` speaks only versions of TLS before 1.2, which are not safe");
        assert_eq!(told(old_hello, ca, &[]).await, old);
        // The alert protocol_version, as servers send it that do not know the client's version.
        let old_alert = serve_bytes(b"\x15\x03\x01\x00\x02\x02\x46").await;
        assert_eq!(told(old_alert, ca, &[]).await, old);
        let plain = serve_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        assert_eq!(
            told(plain, ca, &[]).await,
            refused("`shop` does not speak TLS: is it http:// in place of https://?")
        );
        let only_new = serve(self::acceptor(&ours, here, NOW, &[b"h2"]), OK).await;
        assert_eq!(
            told(only_new, ca, &[Version::Http1]).await,
            refused("`shop` does not speak the HTTP version of the file")
        );
    });
}

#[test]
fn an_answer_that_is_cut_without_tls_saying_so_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority("ours");
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, ours.pem()).unwrap();
    let acceptor = acceptor(&ours, &["127.0.0.1"], NOW, &[]);
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut asked = [0; 1000];
            let _ = stream.read(&mut asked).await.unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\n\r\nhal")
                .await
                .unwrap();
            stream.flush().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            // Without close_notify: anybody on the way could have cut it here.
            drop(stream.into_inner().0);
        });
        assert_eq!(
            told(port, path.to_str(), &[]).await,
            "unknown: the connection was reset within the answer (reset)"
        );
    });
}

#[test]
fn a_file_that_is_no_authority_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, "nothing").unwrap();
    let mut options = HttpOptions::new("https://127.0.0.1:1");
    options.ca = path.to_str().map(str::to_owned);
    let error = User::new(options).err().unwrap();
    assert!(
        error
            .problem
            .ends_with("has no certificate: it is a PEM file with BEGIN CERTIFICATE"),
        "{error}"
    );
}
