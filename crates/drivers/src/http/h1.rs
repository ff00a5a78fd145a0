//! HTTP/1.1: one request at a time over a connection that is kept.

use std::time::{Duration, Instant};

use super::call::Call;
use super::failure::{Malformed, Progress, broken, malformed, reset};
use super::head::{Framing, Head, Keep, LARGEST_HEAD, read as read_head};
use super::request::Target;
use super::service::Service;
use super::session::{HttpSession, Jar};
use super::sink::Sink;
use super::sse::Events;
use crate::answer::Answer;
use crate::net::{Broken, Buffer, Link, Stream};
use crate::outcome::{Code, Failure, Unanswered};

/// A connection of HTTP/1.1 with its buffers.
pub(super) struct Http1 {
    link: Link,
    input: Buffer,
    output: Vec<u8>,
    body: Vec<u8>,
    events: Events,
    is_open: bool,
}

/// How many answers that only tell of going on (1xx) are read before another.
const MOST_INTERIM: usize = 32;

/// The longest line of a chunk's size, and the most bytes of trailers.
const LONGEST_LINE: usize = 8 << 10;

impl Http1 {
    pub(super) fn new(stream: Stream, timeout: Duration) -> Self {
        Self {
            link: Link::new(stream, timeout),
            input: Buffer::default(),
            output: Vec::new(),
            body: Vec::new(),
            events: Events::default(),
            is_open: true,
        }
    }

    pub(super) fn is_open(&mut self) -> bool {
        self.is_open = self.is_open && self.input.is_empty() && self.link.is_quiet();
        self.is_open
    }

    /// Sends a request and reads its whole answer. The status is in the answer's code.
    pub(super) async fn exchange(
        &mut self,
        call: &Call<'_>,
        session: &mut HttpSession,
        answer: &mut Answer,
        location: &mut Vec<u8>,
    ) -> Result<u16, Unanswered> {
        let unsent = Unanswered::before;
        self.render(call, session).map_err(unsent)?;
        if !self.is_open() {
            return Err(unsent(reset(
                "the connection was closed between two requests",
            )));
        }
        // Whatever goes wrong from here on, and if the future is dropped, it is not used again.
        self.is_open = false;
        self.link.set_deadline(call.deadline);
        answer.sent.get_or_insert_with(Instant::now);
        let wrote = self.link.write(&self.output, &mut self.input).await;
        if let Err((0, how)) = wrote {
            return Err(unsent(broken(how, Progress::Nothing, call.request.timeout)));
        }
        let read = self.answer(call, session, answer, location).await;
        match read {
            Ok(head) => {
                // A service may answer before it has read everything, and then close.
                self.is_open = head.keeps_alive && wrote.is_ok();
                Ok(head.status)
            }
            Err(failure) => Err(Unanswered::after(failure)),
        }
    }

    fn render(&mut self, call: &Call<'_>, session: &HttpSession) -> Result<(), Failure> {
        self.output.clear();
        self.body.clear();
        let request = call.request;
        let line = match (&call.redirected, &request.target) {
            (None, Target::Parts { .. }) => None,
            _ => {
                call.render_target(&mut self.body)?;
                Some((call.method(), &*self.body))
            }
        };
        request.render_head(line, call.values, &mut self.output)?;
        self.body.clear();
        self.render_cookies(call.service, &session.jar);
        self.output.extend_from_slice(&session.carried.headers);
        if let Some(body) = &session.carried.body {
            self.body.extend_from_slice(body);
            self.render_length();
            self.output.extend_from_slice(&self.body);
            return Ok(());
        }
        match &request.body {
            Some(body) if call.keeps_body() => {
                body.render(call.values, &mut self.body)?;
                self.render_length();
                self.output.extend_from_slice(&self.body);
            }
            None if call.keeps_body() && request.tells_length() => self.render_length(),
            _ => self.output.extend_from_slice(b"\r\n"),
        }
        Ok(())
    }

    fn render_length(&mut self) {
        self.output.extend_from_slice(b"content-length: ");
        let mut digits = itoa::Buffer::new();
        self.output
            .extend_from_slice(digits.format(self.body.len()).as_bytes());
        self.output.extend_from_slice(b"\r\n\r\n");
    }

    fn render_cookies(&mut self, service: &Service, jar: &Jar) {
        if jar.is_empty() {
            return;
        }
        let target = self.output.split(|byte| *byte == b' ').nth(1);
        self.body.extend_from_slice(target.unwrap_or_default());
        let begin = self.output.len();
        self.output.extend_from_slice(b"cookie: ");
        match jar.write(&self.body, service.address.tls, &mut self.output) {
            true => self.output.extend_from_slice(b"\r\n"),
            false => self.output.truncate(begin),
        }
        self.body.clear();
    }

    async fn answer(
        &mut self,
        call: &Call<'_>,
        session: &mut HttpSession,
        answer: &mut Answer,
        location: &mut Vec<u8>,
    ) -> Result<Head, Failure> {
        let within = call.request.timeout;
        let head = self.head(call, session, answer, location).await?;
        answer.code = Code::Status(head.status);
        let streams = call.request.is_stream && (200..300).contains(&head.status);
        if streams && !head.is_event_stream {
            return Err(malformed(
                "it is no stream of events: its content-type is not text/event-stream",
            ));
        }
        let events = streams.then_some(&mut self.events);
        let mut sink = Sink::new(answer, events, head.coding)?;
        let mut body = Body {
            link: &mut self.link,
            input: &mut self.input,
            within,
        };
        match head.framing {
            Framing::None => {}
            Framing::Length(length) => body.fixed(length, &mut sink).await?,
            Framing::Chunked => body.chunks(&mut sink).await?,
            Framing::UntilClose => body.until_close(&mut sink).await?,
        }
        sink.end()?;
        match self.input.is_empty() {
            true => Ok(head),
            false => Err(malformed("more bytes follow it than it said")),
        }
    }

    /// The head of the answer that is not an interim one.
    async fn head(
        &mut self,
        call: &Call<'_>,
        session: &mut HttpSession,
        answer: &mut Answer,
        location: &mut Vec<u8>,
    ) -> Result<Head, Failure> {
        let within = call.request.timeout;
        let of_head_request = call.method() == "HEAD";
        let mut interim = 0;
        loop {
            let mut keep = Keep {
                answer: &mut *answer,
                cookies: call.service.cookies.then_some(&mut session.jar),
                location: &mut *location,
            };
            let head = match self.input.is_empty() {
                true => None,
                false => read_head(self.input.filled(), of_head_request, &mut keep)?,
            };
            match head {
                Some(head) if head.status == 101 => {
                    return Err(malformed("it switches to another protocol, unasked"));
                }
                Some(head) if head.status < 200 => {
                    self.input.consume(head.length);
                    interim += 1;
                    if interim > MOST_INTERIM {
                        return Err(malformed("it only says that it goes on, again and again"));
                    }
                }
                Some(head) => {
                    self.input.consume(head.length);
                    return Ok(head);
                }
                None => {
                    let progress = match self.input.is_empty() {
                        true => Progress::Nothing,
                        false => Progress::Head,
                    };
                    let read = self.link.read(&mut self.input).await;
                    read.map_err(|how| broken(how, progress, within))?;
                    answer.first_byte.get_or_insert_with(Instant::now);
                }
            }
        }
    }
}

/// Reads a body.
struct Body<'a> {
    link: &'a mut Link,
    input: &'a mut Buffer,
    within: Duration,
}

impl Body<'_> {
    async fn fixed(&mut self, mut left: u64, sink: &mut Sink<'_>) -> Result<(), Failure> {
        loop {
            let here = self
                .input
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            if !sink.discards() && here > 0 {
                sink.take(&self.input.filled()[..here])?;
            }
            self.input.consume(here);
            left -= here as u64;
            if left == 0 {
                return Ok(());
            }
            self.more().await?;
        }
    }

    async fn until_close(&mut self, sink: &mut Sink<'_>) -> Result<(), Failure> {
        loop {
            if !self.input.is_empty() {
                sink.take(self.input.filled())?;
                self.input.clear();
            }
            match self.link.read(self.input).await {
                Ok(()) => {}
                Err(Broken::Closed) => return Ok(()),
                Err(how) => return Err(broken(how, Progress::Body, self.within)),
            }
        }
    }

    async fn chunks(&mut self, sink: &mut Sink<'_>) -> Result<(), Failure> {
        loop {
            let length = self.line().await?;
            let size = chunk_size(&self.input.filled()[..length])?;
            self.input.consume(length + 2);
            if size == 0 {
                return self.trailers().await;
            }
            self.fixed(size, sink).await?;
            while self.input.len() < 2 {
                self.more().await?;
            }
            if !self.input.filled().starts_with(b"\r\n") {
                return Err(malformed("a chunk is longer than it says"));
            }
            self.input.consume(2);
        }
    }

    async fn trailers(&mut self) -> Result<(), Failure> {
        let mut total = 0;
        loop {
            let length = self.line().await?;
            self.input.consume(length + 2);
            total += length;
            if length == 0 {
                return Ok(());
            }
            if total > LARGEST_HEAD {
                return Err(malformed("its trailers are larger than 64 KiB"));
            }
        }
    }

    /// The length of the next line, which is then in the input with its line end.
    async fn line(&mut self) -> Result<usize, Failure> {
        loop {
            let input = self.input.filled();
            match memchr::memchr(b'\n', input) {
                Some(0) => return Err(malformed("a line of its chunks ends without \\r")),
                Some(end) if input[end - 1] != b'\r' => {
                    return Err(malformed("a line of its chunks ends without \\r"));
                }
                Some(end) => return Ok(end - 1),
                // Where nothing but a line end can stand, other bytes need no line end to be wrong.
                None if input.len() > LONGEST_LINE => {
                    return Err(malformed("a line of its chunks is longer than 8 KiB"));
                }
                None => self.more().await?,
            }
        }
    }

    async fn more(&mut self) -> Result<(), Failure> {
        let read = self.link.read(self.input).await;
        read.map_err(|how| broken(how, Progress::Body, self.within))
    }
}

/// The size of a chunk: hexadecimal digits, then perhaps spaces and an extension.
fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let rest = line[digits..].trim_ascii_start();
    if digits == 0 || !(rest.is_empty() || rest.starts_with(b";")) {
        return Err(malformed("the size of a chunk is no hexadecimal number"));
    }
    if digits > 15 {
        return Err(malformed("the size of a chunk has more than 15 digits"));
    }
    let text = std::str::from_utf8(&line[..digits]).unwrap_or_default();
    u64::from_str_radix(text, 16)
        .map_err(|_| malformed("the size of a chunk is no hexadecimal number"))
}
