//! What the requests of an HTTP service need to know of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::header::{Header, header_name};
use super::{HttpOptions, Version};
use crate::driver::ServiceContext;
use crate::error::SpecError;
use crate::net::{Address, Detour, Tls};
use crate::outcome::Failure;
use crate::template::{Encoding, Template};
use crate::values::{Scope, Traits};

/// What its requests need to know of a service.
pub(super) struct Service {
    pub(super) name: Box<str>,
    pub(super) address: Address,
    pub(super) headers: Vec<Header>,
    pub(super) traits: Traits,
    pub(super) cookies: bool,
    pub(super) timeout: Duration,
    pub(super) detour: Detour,
    pub(super) folder: PathBuf,
}

impl Service {
    /// Appends the target that a URL or a path leads to from a current one, if it stays here.
    pub(super) fn resolve(
        &self,
        given: &[u8],
        current: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let given = given.split(|byte| *byte == b'#').next().unwrap_or_default();
        let text = String::from_utf8_lossy(given);
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(Failure::new(
                "a URL in an answer has a space or a control character",
            ));
        }
        let scheme = if self.address.tls { "https:" } else { "http:" };
        let absolute = match text.split_once("//") {
            Some(("", rest)) => Some((scheme, rest)),
            Some((given, rest)) if given.ends_with(':') => Some((given, rest)),
            _ => None,
        };
        let Some((given_scheme, rest)) = absolute else {
            let path = current
                .split(|byte| *byte == b'?')
                .next()
                .unwrap_or_default();
            let folder = path
                .iter()
                .rposition(|byte| *byte == b'/')
                .unwrap_or_default();
            match given.first() {
                Some(b'/') => {}
                Some(b'?') | None => out.extend_from_slice(path),
                Some(_) => {
                    out.extend_from_slice(&path[..folder]);
                    out.push(b'/');
                }
            }
            out.extend_from_slice(given);
            return Ok(());
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let here = self.address.authority();
        let port = if self.address.tls { ":443" } else { ":80" };
        let authority = rest[..end].strip_suffix(port).unwrap_or(&rest[..end]);
        if !given_scheme.eq_ignore_ascii_case(scheme) || !authority.eq_ignore_ascii_case(&here) {
            let told = format!(
                "a URL leads to {given_scheme}//{}, away from `{}`, and is not followed",
                &rest[..end],
                self.name
            );
            return Err(Failure::new(&told));
        }
        if !rest[end..].starts_with('/') {
            out.push(b'/');
        }
        out.extend_from_slice(&rest.as_bytes()[end..]);
        Ok(())
    }
}

pub(super) fn headers(
    given: &BTreeMap<String, String>,
    address: &Address,
    scope: &mut Scope,
) -> Result<Vec<Header>, SpecError> {
    let mut headers = Vec::new();
    for (name, value) in given {
        let in_header = |error: SpecError| error.under(&**name).under("headers");
        let name = header_name(name, 0).map_err(in_header)?;
        let value = Template::parsed(value, scope, Encoding::Header).map_err(in_header)?;
        headers.push(Header {
            name,
            value,
            optional: true,
        });
    }
    let is_told = headers
        .iter()
        .any(|header| &*header.name == "authorization");
    if let (Some(user), false) = (&address.user, is_told) {
        let password = address.password.as_deref().unwrap_or_default();
        let credentials = BASE64.encode(format!("{user}:{password}"));
        scope.constants().secrets().add(&credentials);
        headers.push(Header {
            name: "authorization".into(),
            value: Template::literal(format!("Basic {credentials}").as_bytes()),
            optional: false,
        });
    }
    Ok(headers)
}

pub(super) fn tls(
    options: &HttpOptions,
    address: &Address,
    context: &ServiceContext,
) -> Result<Option<Tls>, SpecError> {
    if !address.tls {
        if options.ca.is_some() {
            let told = "`ca` is for TLS: the `url` begins with https:// then";
            return Err(SpecError::new(0, told).under("ca"));
        }
        return Ok(None);
    }
    let versions = &options.version.0;
    let offers = |version| versions.is_empty() || versions.contains(&version);
    let mut protocols: Vec<&[u8]> = Vec::new();
    if offers(Version::Http2) {
        protocols.push(b"h2");
    }
    if offers(Version::Http1) {
        protocols.push(b"http/1.1");
    }
    let ca = options.ca.as_ref().map(|ca| context.folder.join(ca));
    Tls::new(ca.as_deref(), &protocols)
        .map(Some)
        .map_err(|error| error.under("ca"))
}
