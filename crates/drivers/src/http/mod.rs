//! HTTP/1.1 by an own client, HTTP/2 by h2.

mod failure;
mod h1;
mod h2;
mod head;
mod multipart;
mod options;
mod request;
mod session;
mod sink;
mod sse;
mod text;

pub use options::{HttpAction, HttpOptions, PartSpec, StreamKind, Version, Versions};
pub use request::HttpRequest;
pub use session::HttpSession;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use self::failure::of_status;
use self::h1::Http1;
use self::h2::Http2;
use self::request::{Header, Target};
use crate::answer::{Answer, Wanted};
use crate::driver::{Action, ActionSpec, Driver, Row, ServiceContext};
use crate::error::SpecError;
use crate::guard::check_host;
use crate::net::{Address, Scheme, Stream, Tls, connect};
use crate::outcome::{Code, Failure, Outcome};
use crate::template::{Encoding, Template};
use crate::values::{Scope, Traits, Values};

/// An HTTP service.
///
/// A connection keeps its buffers, so that an exchange over HTTP/1.1 allocates nothing once they have
/// grown to what its answers need. The guard's rules are those of every service: its host is of this
/// machine or allowed, and no redirect leaves it.
pub struct Http {
    service: Service,
    tls: Option<Tls>,
    versions: Box<[Version]>,
    /// How many connections were opened, to take the versions in turn.
    connections: AtomicUsize,
    redirects: u8,
}

/// What its requests need to know of a service.
struct Service {
    name: Box<str>,
    address: Address,
    headers: Vec<Header>,
    traits: Traits,
    cookies: bool,
    timeout: Duration,
    folder: PathBuf,
}

/// A connection of HTTP/1.1 or of HTTP/2.
pub struct HttpConnection {
    protocol: Protocol,
    /// Where a redirect leads to.
    location: Vec<u8>,
}

enum Protocol {
    One(Box<Http1>),
    Two(Box<Http2>),
}

const SCHEMES: [Scheme; 2] = [
    Scheme {
        name: "http",
        port: 80,
        tls: false,
    },
    Scheme {
        name: "https",
        port: 443,
        tls: true,
    },
];

/// The most bytes of one answer that rows are read from.
const LARGEST_READ: usize = 64 << 20;

impl HttpConnection {
    /// The version that is spoken: `1.1` or `2`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self.protocol {
            Protocol::One(_) => "1.1",
            Protocol::Two(_) => "2",
        }
    }
}

impl Driver for Http {
    const KIND: &'static str = "http";
    const ACTIONS: &'static [&'static str] = &["http"];
    type Options = HttpOptions;
    type Request = HttpRequest;
    type Connection = HttpConnection;
    type Session = HttpSession;

    fn new(
        options: HttpOptions,
        context: &ServiceContext,
        scope: &mut Scope,
    ) -> Result<Self, SpecError> {
        let address = Address::parse(&options.url, Self::KIND, &SCHEMES, scope)
            .map_err(|error| error.under("url"))?;
        if address.port.is_some() {
            check_host(&address.host, context).map_err(|error| error.under("url"))?;
        }
        let headers = headers(&options.headers, &address, scope)?;
        let versions: Box<[Version]> = match (&*options.version.0, address.tls) {
            ([], false) => [Version::Http1].into(),
            (versions, _) => versions.into(),
        };
        let tls = tls(&options, &address, context)?;
        let traits = headers
            .iter()
            .fold(Traits::default(), |all, header| all | header.value.traits());
        Ok(Self {
            service: Service {
                name: context.name.clone(),
                address,
                headers,
                traits,
                cookies: options.cookies,
                timeout: context.timeout,
                folder: context.folder.clone(),
            },
            tls,
            versions,
            connections: AtomicUsize::new(0),
            redirects: options.redirects,
        })
    }

    fn compile(&self, action: &ActionSpec, scope: &mut Scope) -> Result<HttpRequest, SpecError> {
        let Action::Http(http) = &action.action;
        HttpRequest::compile(&self.service, http, action, scope)
    }

    fn traits(&self, request: &HttpRequest) -> Traits {
        request.traits
    }

    fn show(&self, request: &HttpRequest, values: &Values) -> Result<String, Failure> {
        let mut shown = Vec::new();
        let mut target = Vec::new();
        request.target.render(values, &mut target)?;
        request.render_head(Some((&request.method, &target)), values, &mut shown)?;
        shown.extend_from_slice(b"\r\n");
        if let Some(body) = &request.body {
            body.render(values, &mut shown)?;
        }
        Ok(String::from_utf8_lossy(&shown).replace("\r\n", "\n"))
    }

    async fn connect(&self, _: &Values) -> Result<HttpConnection, Failure> {
        let service = &self.service;
        let stream = connect(
            &service.address,
            self.tls.as_ref(),
            &service.name,
            service.timeout,
        )
        .await?;
        let protocol = match self.version_of(&stream) {
            Version::Http1 => Protocol::One(Box::new(Http1::new(stream, service.timeout))),
            Version::Http2 => Protocol::Two(Box::new(Http2::new(stream, service).await?)),
        };
        Ok(HttpConnection {
            protocol,
            location: Vec::new(),
        })
    }

    fn is_open(&self, connection: &mut HttpConnection) -> bool {
        match &mut connection.protocol {
            Protocol::One(one) => one.is_open(),
            Protocol::Two(two) => two.is_open(),
        }
    }

    async fn exchange(
        &self,
        connection: &mut HttpConnection,
        session: &mut HttpSession,
        request: &HttpRequest,
        values: &Values,
        answer: &mut Answer,
    ) -> Outcome {
        answer.clear();
        let answered = self
            .answered(connection, session, request, values, answer)
            .await;
        match answered {
            Ok(status) => of_status(status),
            Err(Unanswered { failure, sent }) => {
                answer.code = failure.code;
                match sent {
                    true => Outcome::Unknown(failure.reason),
                    false => Outcome::Refused(failure.reason),
                }
            }
        }
    }

    async fn rows(
        &self,
        connection: &mut HttpConnection,
        session: &mut HttpSession,
        request: &HttpRequest,
        values: &Values,
        row: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let mut answer = Answer {
            wanted: Wanted::Whole {
                limit: LARGEST_READ,
            },
            ..Answer::default()
        };
        let outcome = self
            .exchange(connection, session, request, values, &mut answer)
            .await;
        match outcome {
            Outcome::Acknowledged => {
                // There is one row, after which nothing is left to be stopped.
                let _ = row(Row::Document(&answer.body));
                Ok(())
            }
            Outcome::Refused(reason) | Outcome::Unknown(reason) => Err(Failure {
                reason,
                code: answer.code,
            }),
        }
    }

    async fn setting(&self, _: &mut HttpConnection, name: &str) -> Result<String, Failure> {
        let told = format!("an HTTP service has no setting `{name}` that could be asked for");
        Err(Failure::new(&told))
    }
}

impl Http {
    fn version_of(&self, stream: &Stream) -> Version {
        if let Stream::Tls(tls) = stream {
            return match tls.get_ref().1.alpn_protocol() {
                Some(b"h2") => Version::Http2,
                _ => Version::Http1,
            };
        }
        let turn = self.connections.fetch_add(1, Ordering::Relaxed);
        self.versions[turn % self.versions.len()]
    }

    /// Sends a request, follows redirects, and tells the last status.
    async fn answered(
        &self,
        connection: &mut HttpConnection,
        session: &mut HttpSession,
        request: &HttpRequest,
        values: &Values,
        answer: &mut Answer,
    ) -> Result<u16, Unanswered> {
        let mut call = Call {
            service: &self.service,
            request,
            values,
            redirected: None,
            deadline: Instant::now() + request.timeout,
        };
        let mut status = connection.exchange(&call, session, answer).await?;
        for _ in 0..self.redirects {
            if !is_redirect(status) || connection.location.is_empty() {
                break;
            }
            // Its first request was answered, so whatever fails from here on, something was sent.
            let sent = |failure| Unanswered {
                failure,
                sent: true,
            };
            let next = call.next(status, &connection.location).map_err(sent)?;
            call.redirected = Some(next);
            answer.body.clear();
            answer.headers.clear();
            if !self.is_open(connection) {
                *connection = self.connect(values).await.map_err(sent)?;
            }
            let answered = connection.exchange(&call, session, answer).await;
            status = answered.map_err(|unanswered| sent(unanswered.failure))?;
        }
        Ok(status)
    }
}

impl HttpConnection {
    async fn exchange(
        &mut self,
        call: &Call<'_>,
        session: &mut HttpSession,
        answer: &mut Answer,
    ) -> Result<u16, Unanswered> {
        self.location.clear();
        match &mut self.protocol {
            Protocol::One(one) => {
                one.exchange(call, session, answer, &mut self.location)
                    .await
            }
            Protocol::Two(two) => {
                two.exchange(call, session, answer, &mut self.location)
                    .await
            }
        }
    }
}

/// A request that could not be sent, or whose answer failed.
struct Unanswered {
    failure: Failure,
    /// Whether any of it was sent.
    sent: bool,
}

/// One request to be exchanged.
struct Call<'c> {
    service: &'c Service,
    request: &'c HttpRequest,
    values: &'c Values,
    redirected: Option<Redirected>,
    deadline: Instant,
}

/// What replaces a request's own line after a redirect.
struct Redirected {
    method: Box<str>,
    target: Vec<u8>,
    keeps_body: bool,
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

impl Call<'_> {
    fn method(&self) -> &str {
        match &self.redirected {
            Some(redirected) => &redirected.method,
            None => &self.request.method,
        }
    }

    fn keeps_body(&self) -> bool {
        self.redirected
            .as_ref()
            .is_none_or(|redirected| redirected.keeps_body)
    }

    /// Appends the request's target, whether its own or a redirect's.
    fn render_target(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match (&self.redirected, &self.request.target) {
            (Some(redirected), _) => out.extend_from_slice(&redirected.target),
            (None, Target::Whole(_)) => {
                let mut given = Vec::new();
                self.request.target.render(self.values, &mut given)?;
                self.service.resolve(&given, b"/", out)?;
            }
            (None, parts) => parts.render(self.values, out)?,
        }
        Ok(())
    }

    /// Where a redirect leads: RFC 9110, section 15.4, as all clients do it.
    fn next(&self, status: u16, location: &[u8]) -> Result<Redirected, Failure> {
        let mut current = Vec::new();
        self.render_target(&mut current)?;
        let mut target = Vec::new();
        let resolved = self.service.resolve(location, &current, &mut target);
        resolved.map_err(|failure| Failure {
            code: Code::Status(status),
            ..failure
        })?;
        let becomes_get = match status {
            303 => self.method() != "HEAD",
            301 | 302 => self.method() == "POST",
            _ => false,
        };
        Ok(Redirected {
            method: if becomes_get { "GET" } else { self.method() }.into(),
            target,
            keeps_body: self.keeps_body() && !becomes_get,
        })
    }
}

impl Service {
    /// Appends the target that a URL or a path leads to from a current one, if it stays here.
    fn resolve(&self, given: &[u8], current: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
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
        out.extend_from_slice(rest[end..].as_bytes());
        Ok(())
    }
}

fn headers(
    given: &BTreeMap<String, String>,
    address: &Address,
    scope: &mut Scope,
) -> Result<Vec<Header>, SpecError> {
    let mut headers = Vec::new();
    for (name, value) in given {
        let in_header = |error: SpecError| error.under(&**name).under("headers");
        let name = request::header_name(name, 0).map_err(in_header)?;
        let value = Template::parsed(value, scope, Encoding::Header).map_err(in_header)?;
        headers.push(Header {
            name,
            value,
            optional: true,
        });
    }
    if let (Some(user), false) = (&address.user, given.contains_key("authorization")) {
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

fn tls(
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
