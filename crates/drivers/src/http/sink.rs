//! Where the bytes of a body go: nowhere, into the answer, or to the events of a stream.

use std::io::Write as _;
use std::time::Instant;

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::failure::{Malformed, malformed};
use super::head::Coding;
use super::sse::Events;
use crate::answer::Answer;

/// Where the bytes of one body go.
pub(super) struct Sink<'a> {
    answer: &'a mut Answer,
    kind: Kind<'a>,
    decoder: Option<Decoder>,
}

enum Kind<'a> {
    Discard,
    Keep { limit: usize },
    Events(&'a mut Events),
}

impl<'a> Sink<'a> {
    /// A body is decoded only where somebody looks at it.
    pub(super) fn new(
        answer: &'a mut Answer,
        events: Option<&'a mut Events>,
        coding: Coding,
    ) -> Result<Self, Malformed> {
        let kind = match (events, answer.wanted.limit()) {
            (Some(events), _) => {
                events.begin();
                Kind::Events(events)
            }
            (None, Some(limit)) => Kind::Keep { limit },
            (None, None) => Kind::Discard,
        };
        let decoder = match (&kind, coding) {
            (Kind::Discard, _) | (_, Coding::Identity) => None,
            (_, Coding::Gzip) => Some(Decoder::Gzip(MultiGzDecoder::new(Vec::new()))),
            (_, Coding::Deflate) => Some(Decoder::Unknown),
            (_, Coding::Other) => {
                return Err(malformed("its content-encoding is not gzip or deflate"));
            }
        };
        Ok(Self {
            answer,
            kind,
            decoder,
        })
    }

    /// Whether the bytes are looked at.
    pub(super) fn discards(&self) -> bool {
        matches!(self.kind, Kind::Discard)
    }

    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        match &mut self.decoder {
            None => give(&mut self.kind, self.answer, bytes),
            Some(decoder) => {
                let decoded = decoder.take(bytes)?;
                let given = give(&mut self.kind, self.answer, decoded);
                decoded.clear();
                given
            }
        }
    }

    pub(super) fn end(mut self) -> Result<(), Malformed> {
        if let Some(decoder) = &mut self.decoder {
            let rest = decoder.end()?;
            give(&mut self.kind, self.answer, &rest)?;
        }
        match self.kind {
            Kind::Events(events) => events.end(self.answer),
            _ => Ok(()),
        }
    }
}

fn give(kind: &mut Kind<'_>, answer: &mut Answer, bytes: &[u8]) -> Result<(), Malformed> {
    match kind {
        Kind::Discard => Ok(()),
        Kind::Keep { limit } if answer.body.len() + bytes.len() > *limit => Err(malformed(
            &format!("it is larger than the {limit} bytes that are looked at"),
        )),
        Kind::Keep { .. } => {
            answer.body.extend_from_slice(bytes);
            Ok(())
        }
        Kind::Events(events) => events.take(bytes, Instant::now(), answer),
    }
}

enum Decoder {
    Gzip(MultiGzDecoder<Vec<u8>>),
    Zlib(ZlibDecoder<Vec<u8>>),
    Deflate(DeflateDecoder<Vec<u8>>),
    /// `deflate` means zlib (RFC 9110), but some send bare deflate: the first byte tells.
    Unknown,
}

impl Decoder {
    fn take(&mut self, bytes: &[u8]) -> Result<&mut Vec<u8>, Malformed> {
        if let (Self::Unknown, Some(first)) = (&*self, bytes.first()) {
            // RFC 1950: the low half is the method, 8; the high half the window, at most 7.
            *self = match first & 0x0f == 8 && first >> 4 <= 7 {
                true => Self::Zlib(ZlibDecoder::new(Vec::new())),
                false => Self::Deflate(DeflateDecoder::new(Vec::new())),
            };
        }
        let written = match self {
            Self::Gzip(decoder) => decoder.write_all(bytes).and_then(|()| decoder.flush()),
            Self::Zlib(decoder) => decoder.write_all(bytes).and_then(|()| decoder.flush()),
            Self::Deflate(decoder) => decoder.write_all(bytes).and_then(|()| decoder.flush()),
            Self::Unknown => Ok(()),
        };
        written.map_err(|_| malformed("its content-encoding is broken"))?;
        match self {
            Self::Gzip(decoder) => Ok(decoder.get_mut()),
            Self::Zlib(decoder) => Ok(decoder.get_mut()),
            Self::Deflate(decoder) => Ok(decoder.get_mut()),
            Self::Unknown => Err(malformed("its content-encoding is broken")),
        }
    }

    fn end(&mut self) -> Result<Vec<u8>, Malformed> {
        let ended = match self {
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Zlib(decoder) => decoder.try_finish(),
            Self::Deflate(decoder) => decoder.try_finish(),
            Self::Unknown => return Ok(Vec::new()),
        };
        ended.map_err(|_| malformed("its content-encoding is broken or cut"))?;
        Ok(std::mem::take(self.take(&[])?))
    }
}
