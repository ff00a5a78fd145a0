//! Where the bytes of a body go: nowhere, into the answer, or to the events of a stream.

use std::time::Instant;

use super::failure::{Malformed, malformed};
use super::head::Coding;
use super::inflate::Inflate;
use super::sse::Events;
use crate::answer::Answer;

/// Where the bytes of one body go.
pub(super) struct Sink<'a> {
    answer: &'a mut Answer,
    kind: Kind<'a>,
    decoder: Option<Inflate>,
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
            (_, Coding::Gzip) => Some(Inflate::gzip()),
            (_, Coding::Deflate) => Some(Inflate::deflate()),
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
        let (kind, answer) = (&mut self.kind, &mut *self.answer);
        match &mut self.decoder {
            None => give(kind, answer, bytes),
            Some(decoder) => decoder.take(bytes, &mut |bytes| give(kind, answer, bytes)),
        }
    }

    pub(super) fn end(self) -> Result<(), Malformed> {
        if let Some(decoder) = &self.decoder {
            decoder.end()?;
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
