//! From where a page may be called: forged forms and names that were bound to this machine's address are refused.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, Method, header};

use crate::http::problem::{Code, Problem};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names that the pages have.
#[derive(Debug, Clone)]
pub(crate) struct Origins {
    /// Without a slash at its end.
    public: Option<String>,
    /// What is spoken here, before any proxy.
    scheme: &'static str,
}

impl Origins {
    pub(crate) fn new(public_url: Option<&str>, speaks_tls: bool) -> Self {
        let public = public_url.map(|url| url.trim_end_matches('/').to_owned());
        let scheme = if speaks_tls { "https" } else { "http" };
        Self { public, scheme }
    }

    /// Whether browsers reach the pages by TLS, so that a cookie need not cross the network readable.
    pub(crate) fn is_secure(&self) -> bool {
        let public = self.public.as_deref();
        self.scheme == "https" || public.is_some_and(|url| url.starts_with("https://"))
    }

    /// Where the pages are, for whoever called under a name that was checked.
    pub(crate) fn base(&self, headers: &HeaderMap) -> String {
        let host = headers
            .get(header::HOST)
            .and_then(|value| value.to_str().ok());
        let local = || format!("{}://{}", self.scheme, host.unwrap_or("localhost"));
        self.public.clone().unwrap_or_else(local)
    }

    /// Refuses a page's call that comes from elsewhere.
    pub(crate) fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(&header::HOST).unwrap_or_default();
        let public_host = self
            .public
            .as_ref()
            .and_then(|url| url.split_once("://"))
            .map(|(_, host)| host);
        let is_public = public_host == Some(host);
        if !is_public && !is_loopback(host) {
            let detail = format!(
                "the pages are not at {host:?}: start the server with --public-url to give them a name"
            );
            return Err(Problem::new(Code::OriginRefused, detail));
        }
        if *method == Method::GET {
            return Ok(());
        }
        let local = format!("{}://{host}", self.scheme);
        let is_own =
            |origin: &str| origin == local && !is_public || self.public.as_deref() == Some(origin);
        let from_here = text(&header::ORIGIN).is_none_or(is_own);
        let same_site =
            text(&SEC_FETCH_SITE).is_none_or(|site| matches!(site, "same-origin" | "none"));
        if from_here && same_site {
            return Ok(());
        }
        Err(Problem::new(
            Code::OriginRefused,
            "the form was sent from another site",
        ))
    }
}

/// Whether a name in `Host` is this machine by itself, whatever a name server says.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(public: Option<&str>, method: Method, fields: &[(HeaderName, &'static str)]) -> bool {
        let fields = fields
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        Origins::new(public, false)
            .check(&method, &fields.collect())
            .is_ok()
    }

    #[test]
    fn pages_are_called_by_their_own_names_and_forms_come_from_them() {
        let (host, origin) = (header::HOST, header::ORIGIN);
        for name in ["localhost:8787", "127.0.0.1:1", "[::1]:8787", "127.0.0.1"] {
            assert!(check(None, Method::GET, &[(host.clone(), name)]), "{name}");
        }
        for name in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:8787",
            "10.0.0.1",
            "",
        ] {
            assert!(!check(None, Method::GET, &[(host.clone(), name)]), "{name}");
        }
        let post = |origin_is| {
            check(
                None,
                Method::POST,
                &[(host.clone(), "localhost:1"), (origin.clone(), origin_is)],
            )
        };
        assert!(post("http://localhost:1"));
        assert!(!post("http://localhost:2") && !post("https://localhost:1") && !post("null"));
        let cross = [
            (host.clone(), "localhost:1"),
            (SEC_FETCH_SITE, "cross-site"),
        ];
        assert!(!check(None, Method::POST, &cross));
        let url = Some("https://gate.example.com/");
        let public = |origin_is| {
            check(
                url,
                Method::POST,
                &[
                    (host.clone(), "gate.example.com"),
                    (origin.clone(), origin_is),
                ],
            )
        };
        assert!(public("https://gate.example.com") && !public("http://gate.example.com"));
        let rewritten = [
            (host.clone(), "127.0.0.1:8787"),
            (origin.clone(), "https://gate.example.com"),
        ];
        assert!(
            check(url, Method::POST, &rewritten),
            "a proxy may rewrite Host"
        );
    }
}
