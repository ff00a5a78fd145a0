//! HTTP/2 over h2: one request at a time over a connection, whose frames are read while one is under way.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Reason as H2Reason, RecvStream, SendStream};

use super::call::Call;
use super::failure::{Progress, broken, malformed, reset};
use super::head::Coding;
use super::service::Service;
use super::session::HttpSession;
use super::sink::Sink;
use super::sse::Events;
use crate::answer::Answer;
use crate::net::{Broken, Deadline, Stream};
use crate::outcome::{Code, Failure, Unanswered};

/// A connection of HTTP/2.
pub(super) struct Http2 {
    connection: Connection<Stream, Bytes>,
    send: SendRequest<Bytes>,
    deadline: Deadline,
    events: Events,
    is_open: bool,
}

/// What the service may send without being asked for more: of one request at a time there is no other
/// to be kept back.
const WINDOW: u32 = 1 << 20;

impl Http2 {
    pub(super) async fn new(stream: Stream, service: &Service) -> Result<Self, Failure> {
        let shake = Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .enable_push(false)
            .handshake(stream);
        let told = |why: &str| {
            let told = format!("no HTTP/2 with `{}`: {why}", service.name);
            Failure::with_code(&told, Code::Connect)
        };
        match tokio::time::timeout(service.timeout, shake).await {
            Ok(Ok((send, connection))) => Ok(Self {
                connection,
                send,
                deadline: Deadline::new(Instant::now() + service.timeout),
                events: Events::default(),
                is_open: true,
            }),
            Ok(Err(error)) => Err(told(&error.to_string())),
            Err(_) => Err(told("no answer in time")),
        }
    }

    pub(super) fn is_open(&mut self) -> bool {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let ended = Pin::new(&mut self.connection).poll(&mut context).is_ready();
        self.is_open = self.is_open
            && !ended
            && !matches!(self.send.poll_ready(&mut context), Poll::Ready(Err(_)));
        self.is_open
    }

    pub(super) async fn exchange(
        &mut self,
        call: &Call<'_>,
        session: &mut HttpSession,
        answer: &mut Answer,
        location: &mut Vec<u8>,
    ) -> Result<u16, Unanswered> {
        let unsent = Unanswered::before;
        let (request, body) = request(call, session).map_err(unsent)?;
        if !self.is_open() {
            return Err(unsent(reset(
                "the connection was closed between two requests",
            )));
        }
        self.is_open = false;
        self.deadline.set(call.deadline);
        answer.sent.get_or_insert_with(Instant::now);
        let answered = self
            .answer(call, session, request, body, answer, location)
            .await;
        let status = answered.map_err(|(broken_by, progress)| {
            broken_by.unanswered(progress, call.request.timeout)
        })?;
        self.is_open = true;
        Ok(status)
    }

    async fn answer(
        &mut self,
        call: &Call<'_>,
        session: &mut HttpSession,
        request: http::Request<()>,
        body: Bytes,
        answer: &mut Answer,
        location: &mut Vec<u8>,
    ) -> Result<u16, (BrokenBy, Progress)> {
        let nothing = |how| (how, Progress::Nothing);
        let (response, stream) = self
            .send
            .send_request(request, body.is_empty())
            .map_err(|error| nothing(error.into()))?;
        let driver = Driver {
            connection: &mut self.connection,
            deadline: &mut self.deadline,
        };
        let mut driver = driver;
        let mut response = pin!(response);
        let mut sending = pin!(send_body(stream, body));
        let mut is_sending = true;
        let head = driver
            .drive(|context| {
                // A service may answer before it has taken the body: its answer counts.
                if is_sending && sending.as_mut().poll(context).is_ready() {
                    is_sending = false;
                }
                response.as_mut().poll(context)
            })
            .await
            .map_err(nothing)?;
        answer.first_byte.get_or_insert_with(Instant::now);
        let (head, mut body) = head.into_parts();
        let status = head.status.as_u16();
        answer.code = Code::Status(status);
        keep_headers(call, session, &head, answer, location);
        let in_body = |how| (how, Progress::Body);
        let value = |name| head.headers.get(name).map(http::HeaderValue::as_bytes);
        let streams = call.request.is_stream && (200..300).contains(&status);
        if streams && !value("content-type").is_some_and(is_event_stream) {
            let told = "it is no stream of events: its content-type is not text/event-stream";
            return Err(in_body(malformed(told).into()));
        }
        let events = streams.then_some(&mut self.events);
        let coding = Coding::of(value("content-encoding").unwrap_or_default());
        let mut sink =
            Sink::new(answer, events, coding).map_err(|failure| in_body(failure.into()))?;
        while let Some(bytes) = driver.next(&mut body).await.map_err(in_body)? {
            sink.take(&bytes)
                .map_err(|failure| in_body(failure.into()))?;
        }
        sink.end().map_err(|failure| in_body(failure.into()))?;
        Ok(status)
    }
}

fn is_event_stream(kind: &[u8]) -> bool {
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
}

fn keep_headers(
    call: &Call<'_>,
    session: &mut HttpSession,
    head: &http::response::Parts,
    answer: &mut Answer,
    location: &mut Vec<u8>,
) {
    for (name, value) in &head.headers {
        if answer.wants_headers {
            answer.keep_header(name.as_str(), value.as_bytes());
        }
        match name.as_str() {
            "set-cookie" if call.service.cookies => session.jar.take(value.as_bytes()),
            "location" if head.status.is_redirection() => {
                location.clear();
                location.extend_from_slice(value.as_bytes());
            }
            _ => {}
        }
    }
}

/// The request in h2's form. Headers of a connection do not exist in HTTP/2.
fn request(call: &Call<'_>, session: &HttpSession) -> Result<(http::Request<()>, Bytes), Failure> {
    let mut target = Vec::new();
    call.render_target(&mut target)?;
    let scheme = if call.service.address.tls {
        "https"
    } else {
        "http"
    };
    let mut authority = call.service.address.authority();
    let mut builder = http::Request::builder()
        .method(call.method())
        .version(http::Version::HTTP_2);
    let mut value = Vec::new();
    for header in &call.request.headers {
        if header.optional && !header.value.is_filled(call.values) {
            continue;
        }
        value.clear();
        header.value.render(call.values, &mut value)?;
        match &*header.name {
            "host" => authority = String::from_utf8_lossy(&value).into_owned(),
            "connection" | "keep-alive" | "proxy-connection" | "upgrade" => {}
            name => builder = builder.header(name, &*value),
        }
    }
    value.clear();
    if session
        .jar
        .write(&target, call.service.address.tls, &mut value)
    {
        builder = builder.header("cookie", &*value);
    }
    let mut body = Vec::new();
    if let (Some(template), true) = (&call.request.body, call.keeps_body()) {
        template.render(call.values, &mut body)?;
        builder = builder.header("content-length", body.len());
    }
    let uri = http::Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(&*target)
        .build();
    let request = uri
        .and_then(|uri| builder.uri(uri).body(()))
        .map_err(|error| {
            Failure::new(&format!("the request cannot be sent over HTTP/2: {error}"))
        })?;
    Ok((request, body.into()))
}

async fn send_body(mut stream: SendStream<Bytes>, mut body: Bytes) -> Result<(), h2::Error> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let room = match poll_fn(|context| stream.poll_capacity(context)).await {
            Some(room) => room?,
            None => return Ok(()),
        };
        let part = body.split_to(room.min(body.len()));
        stream.send_data(part, body.is_empty())?;
    }
    Ok(())
}

/// What ends a request before its answer is complete.
enum BrokenBy {
    Connection(Broken),
    /// RST_STREAM or GOAWAY, from the service or from h2.
    Protocol(h2::Error),
    Answer(Failure),
}

impl From<h2::Error> for BrokenBy {
    fn from(error: h2::Error) -> Self {
        match error.get_io().map(std::io::Error::kind) {
            // What h2 says of streams that are left when the connection ends.
            Some(std::io::ErrorKind::BrokenPipe) => Self::Connection(Broken::Closed),
            Some(_) => Self::Connection(Broken::Reset),
            None => Self::Protocol(error),
        }
    }
}

impl From<Failure> for BrokenBy {
    fn from(failure: Failure) -> Self {
        Self::Answer(failure)
    }
}

impl BrokenBy {
    fn unanswered(self, progress: Progress, within: std::time::Duration) -> Unanswered {
        let sent = Unanswered::after;
        let error = match self {
            Self::Connection(how) => return sent(broken(how, progress, within)),
            Self::Answer(failure) => return sent(failure),
            Self::Protocol(error) => error,
        };
        let why = error.reason().unwrap_or(H2Reason::INTERNAL_ERROR);
        // RFC 9113, sections 6.8 and 8.7: a refused stream, and one above the last of a GOAWAY, was not
        // processed. h2 gives a remote GOAWAY to those streams only.
        let is_early = progress == Progress::Nothing && error.is_remote();
        let (told, not_done) = match why {
            H2Reason::REFUSED_STREAM if is_early && error.is_reset() => {
                ("HTTP/2 REFUSED_STREAM".to_owned(), true)
            }
            _ if is_early && error.is_go_away() => {
                (format!("HTTP/2 GOAWAY ({why:?}) before this stream"), true)
            }
            // What h2 itself answers to a service that breaks the rules.
            _ if !error.is_remote() => (format!("malformed answer: {}", why.description()), false),
            _ if error.is_go_away() => (format!("HTTP/2 GOAWAY ({why:?})"), false),
            _ => (format!("HTTP/2 RST_STREAM ({why:?})"), false),
        };
        Unanswered {
            failure: reset(&told),
            sent: !not_done,
        }
    }
}

/// Runs a connection while something is waited for over it.
struct Driver<'a> {
    connection: &'a mut Connection<Stream, Bytes>,
    deadline: &'a mut Deadline,
}

impl Driver<'_> {
    async fn drive<T>(
        &mut self,
        mut wanted: impl FnMut(&mut Context<'_>) -> Poll<Result<T, h2::Error>>,
    ) -> Result<T, BrokenBy> {
        poll_fn(|context| {
            // First what came before, then what the connection brings, then whether it brought it.
            if let Poll::Ready(ready) = wanted(context) {
                return Poll::Ready(ready.map_err(BrokenBy::from));
            }
            let ended = Pin::new(&mut *self.connection).poll(context);
            if let Poll::Ready(ready) = wanted(context) {
                return Poll::Ready(ready.map_err(BrokenBy::from));
            }
            match ended {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
                Poll::Ready(Ok(())) => Poll::Ready(Err(BrokenBy::Connection(Broken::Closed))),
                Poll::Pending => match self.deadline.poll(context) {
                    Poll::Ready(()) => Poll::Ready(Err(BrokenBy::Connection(Broken::Timeout))),
                    Poll::Pending => Poll::Pending,
                },
            }
        })
        .await
    }

    /// The next bytes of a body, or its end, trailers included.
    async fn next(&mut self, body: &mut RecvStream) -> Result<Option<Bytes>, BrokenBy> {
        let next = self
            .drive(|context| match body.poll_data(context) {
                Poll::Ready(Some(data)) => Poll::Ready(data.map(Some)),
                Poll::Ready(None) => body.poll_trailers(context).map_ok(|_| None),
                Poll::Pending => Poll::Pending,
            })
            .await?;
        if let Some(bytes) = &next {
            // It fails only for more than was received.
            let _ = body.flow_control().release_capacity(bytes.len());
        }
        Ok(next)
    }
}
