//! HTTP/1.1 by an own client, HTTP/2 by h2.

mod call;
mod failure;
mod h1;
mod h2;
mod head;
mod header;
mod inflate;
mod multipart;
mod options;
mod request;
mod service;
mod session;
mod sink;
mod sse;
mod text;

pub use options::{HttpAction, HttpOptions, PartSpec, StreamKind, Version, Versions};
pub use request::HttpRequest;
pub use session::HttpSession;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use self::call::{Call, is_redirect};
use self::failure::of_status;
use self::h1::Http1;
use self::h2::Http2;
use self::service::Service;
use crate::answer::Answer;
use crate::driver::{Action, ActionSpec, Driver, Row, ServiceContext, document};
use crate::error::SpecError;
use crate::guard::check_host;
use crate::net::{Address, Scheme, Stream, Tls, connect};
use crate::outcome::{Failure, Outcome, Unanswered};
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
        let headers = service::headers(&options.headers, &address, scope)?;
        let versions: Box<[Version]> = match (&*options.version.0, address.tls) {
            ([], false) => [Version::Http1].into(),
            (versions, _) => versions.into(),
        };
        let tls = service::tls(&options, &address, context)?;
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
                detour: context.detour.clone(),
                folder: context.folder.clone(),
            },
            tls,
            versions,
            connections: AtomicUsize::new(0),
            redirects: options.redirects,
        })
    }

    fn address(&self) -> Option<&Address> {
        Some(&self.service.address)
    }

    fn compile(&self, action: &ActionSpec, scope: &mut Scope) -> Result<HttpRequest, SpecError> {
        let Action::Http(http) = &action.action else {
            unreachable!("{}", crate::driver::OTHER_ACTION);
        };
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
            &service.detour,
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
            Err(unanswered) => {
                answer.code = unanswered.failure.code;
                unanswered.outcome()
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
        document(
            self,
            connection,
            session,
            request,
            values,
            LARGEST_READ,
            row,
        )
        .await
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
            let sent = Unanswered::after;
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
