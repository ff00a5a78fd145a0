//! The head of an HTTP/1.1 answer: status, headers, and how the body ends.

use std::mem::MaybeUninit;

use httparse::{ParserConfig, Response, Status};

use super::failure::{Malformed, malformed};
use super::session::Jar;
use crate::answer::Answer;

/// The most bytes of a head, and the most headers: what servers allow for requests, several times.
pub(super) const LARGEST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 128;

/// What the head of an answer says, apart from what was kept of its headers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Head {
    /// Its length in bytes.
    pub(super) length: usize,
    pub(super) status: u16,
    pub(super) framing: Framing,
    pub(super) keeps_alive: bool,
    pub(super) coding: Coding,
    pub(super) is_event_stream: bool,
}

/// How the body ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// How the body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Coding {
    #[default]
    Identity,
    Gzip,
    Deflate,
    Other,
}

impl Coding {
    pub(super) fn of(value: &[u8]) -> Self {
        match value.trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Self::Identity,
            b"gzip" | b"x-gzip" => Self::Gzip,
            b"deflate" => Self::Deflate,
            _ => Self::Other,
        }
    }
}

/// Where the parts of a head go that are kept.
pub(super) struct Keep<'a> {
    pub(super) answer: &'a mut Answer,
    pub(super) cookies: Option<&'a mut Jar>,
    /// The `location` of a redirect.
    pub(super) location: &'a mut Vec<u8>,
}

/// Reads a head. `None`: it has not come whole yet.
pub(super) fn read(
    bytes: &[u8],
    of_head_request: bool,
    keep: &mut Keep<'_>,
) -> Result<Option<Head>, Malformed> {
    let mut headers = [MaybeUninit::uninit(); MOST_HEADERS];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut headers,
    );
    let length = match parsed {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() >= LARGEST_HEAD => {
            return Err(malformed("its head is larger than 64 KiB"));
        }
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(malformed("it has more than 128 headers"));
        }
        Err(error) => return Err(malformed(told(error))),
    };
    let status = response.code.unwrap_or_default();
    if status < 100 {
        return Err(malformed("its status is less than 100"));
    }
    let mut facts = Facts::default();
    for header in response.headers.iter() {
        facts.take(header.name, header.value)?;
        // An answer that goes on is none: what it says is not kept.
        if status >= 200 {
            keep_header(header.name, header.value, status, keep);
        }
    }
    let is_new = response.version == Some(1);
    facts
        .head(length, status, is_new, of_head_request)
        .map(Some)
}

fn told(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => "a header's name is not valid",
        httparse::Error::HeaderValue => "a header's value is not valid",
        httparse::Error::NewLine => "a line does not end as it should",
        httparse::Error::Status => "its status is not three digits",
        httparse::Error::Version => "it does not begin with HTTP/1.0 or HTTP/1.1",
        _ => "its head cannot be read",
    }
}

fn keep_header(name: &str, value: &[u8], status: u16, keep: &mut Keep<'_>) {
    if keep.answer.wants_headers {
        keep.answer.keep_header(name, value);
    }
    if name.eq_ignore_ascii_case("set-cookie") {
        if let Some(jar) = &mut keep.cookies {
            jar.take(value);
        }
    } else if (300..400).contains(&status) && name.eq_ignore_ascii_case("location") {
        keep.location.clear();
        keep.location.extend_from_slice(value);
    }
}

/// What the headers say that decide how the body is read.
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    keeps: bool,
    coding: Coding,
    is_event_stream: bool,
}

impl Facts {
    fn take(&mut self, name: &str, value: &[u8]) -> Result<(), Malformed> {
        // By length first: most headers are none of these.
        match name.len() {
            14 if name.eq_ignore_ascii_case("content-length") => self.content_length(value)?,
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                self.transfer_encoding(value)?;
            }
            10 if name.eq_ignore_ascii_case("connection") => self.connection(value),
            16 if name.eq_ignore_ascii_case("content-encoding") => self.coding = Coding::of(value),
            12 if name.eq_ignore_ascii_case("content-type") => {
                let kind = value.split(|byte| *byte == b';').next().unwrap_or_default();
                self.is_event_stream = kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream");
            }
            _ => {}
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Malformed> {
        // RFC 9112 section 6.3: a list of equal lengths counts as one.
        for part in value.split(|byte| *byte == b',') {
            let part = part.trim_ascii();
            let digits = !part.is_empty() && part.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(part)
                .ok()
                .filter(|_| digits)
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| malformed("its content-length is no number"))?;
            if self.length.is_some_and(|known| known != length) {
                return Err(malformed("it has two different content-lengths"));
            }
            self.length = Some(length);
        }
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if self.chunked {
            return Err(malformed("it is chunked twice"));
        }
        match value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            true => self.chunked = true,
            false => return Err(malformed("its transfer-encoding is not `chunked`")),
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            self.closes |= option.eq_ignore_ascii_case(b"close");
            self.keeps |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn head(
        &self,
        length: usize,
        status: u16,
        is_new: bool,
        of_head_request: bool,
    ) -> Result<Head, Malformed> {
        if self.chunked && self.length.is_some() {
            return Err(malformed("it has a content-length and is chunked"));
        }
        if self.chunked && !is_new {
            return Err(malformed("it is chunked in HTTP/1.0"));
        }
        let framing = match self.length {
            _ if of_head_request || matches!(status, 100..200 | 204 | 304) => Framing::None,
            _ if self.chunked => Framing::Chunked,
            Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        };
        let open = if is_new { !self.closes } else { self.keeps };
        Ok(Head {
            length,
            status,
            framing,
            keeps_alive: open && framing != Framing::UntilClose,
            coding: self.coding,
            is_event_stream: self.is_event_stream,
        })
    }
}
