//! The answer to a request: its code, its body if wanted, and its times.

use std::fmt;
use std::time::Instant;

use crate::outcome::Code;

/// How much of an answer is looked at by expectations and captures.
pub const LARGEST_PARSED: usize = 1 << 20;

/// What is wanted of an answer's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: it is read and discarded.
    #[default]
    Nothing,
    /// All of it, in at most so many bytes.
    Whole {
        /// The most bytes.
        limit: usize,
    },
}

impl Wanted {
    /// The whole body, as far as expectations and captures look at it.
    pub const PARSED: Self = Self::Whole {
        limit: LARGEST_PARSED,
    };

    pub(crate) fn limit(self) -> Option<usize> {
        match self {
            Self::Nothing => None,
            Self::Whole { limit } => Some(limit),
        }
    }
}

/// The answer to one request. One of them serves all requests of a user: its buffers grow once.
#[derive(Debug, Default)]
pub struct Answer {
    /// The protocol's code: a status, an error word, or how the connection broke.
    pub code: Code,
    /// The body, decoded; of a stream of events the data of the last one that is JSON. Empty unless it
    /// was wanted.
    pub body: Vec<u8>,
    /// The answer's headers as they came, name by name, if a header was wanted.
    pub headers: Vec<u8>,
    /// What is wanted of the body.
    pub wanted: Wanted,
    /// Whether headers are wanted.
    pub wants_headers: bool,
    /// When the first byte was sent.
    pub sent: Option<Instant>,
    /// When the first byte of the answer came.
    pub first_byte: Option<Instant>,
    /// Which of the request's [variants](crate::Driver::variants) it was: its version and its tool.
    pub variants: [Option<usize>; 2],
    /// The times of a stream's events.
    pub events: EventTimes,
}

impl Answer {
    /// Forgets the last answer, but neither what is wanted nor the buffers.
    pub fn clear(&mut self) {
        self.code = Code::None;
        self.body.clear();
        self.headers.clear();
        self.sent = None;
        self.first_byte = None;
        self.variants = [None; 2];
        self.events.clear();
    }

    /// The first header of this name, whatever the case of its letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.split(|byte| *byte == b'\n').find_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            line[..colon]
                .eq_ignore_ascii_case(name.as_bytes())
                .then(|| line[colon + 1..].trim_ascii())
        })
    }

    pub(crate) fn keep_header(&mut self, name: &str, value: &[u8]) {
        self.headers.extend_from_slice(name.as_bytes());
        self.headers.push(b':');
        self.headers.extend_from_slice(value);
        self.headers.push(b'\n');
    }
}

/// Takes gaps between events, in nanoseconds.
type GapSink = dyn FnMut(&[u64]);

/// When the events of a stream came. However many they are, it is of one size: gaps go to a
/// [sink](Self::set_sink) whenever the buffer is full and when the stream ends.
pub struct EventTimes {
    /// When the first event came.
    pub first: Option<Instant>,
    /// How many came.
    pub count: u64,
    last: Option<Instant>,
    gaps: Box<[u64; BUFFERED_GAPS]>,
    buffered: usize,
    sink: Option<Box<GapSink>>,
}

const BUFFERED_GAPS: usize = 256;

impl EventTimes {
    /// Takes the gaps between events, in nanoseconds, some at a time. Without a sink the
    /// last ones, at most 256, stay to be [read](Self::gaps).
    pub fn set_sink(&mut self, sink: impl FnMut(&[u64]) + 'static) {
        self.sink = Some(Box::new(sink));
    }

    /// The gaps that were not given to a sink, in nanoseconds.
    #[must_use]
    pub fn gaps(&self) -> &[u64] {
        &self.gaps[..self.buffered]
    }

    pub(crate) fn event(&mut self, now: Instant) {
        self.count += 1;
        if let Some(last) = self.last.replace(now) {
            if self.buffered == BUFFERED_GAPS {
                self.flush();
            }
            let gap = now.saturating_duration_since(last).as_nanos();
            self.gaps[self.buffered] = u64::try_from(gap).unwrap_or(u64::MAX);
            self.buffered += 1;
        } else {
            self.first = Some(now);
        }
    }

    pub(crate) fn end(&mut self) {
        if self.sink.is_some() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Some(sink) = &mut self.sink {
            sink(&self.gaps[..self.buffered]);
        }
        self.buffered = 0;
    }

    fn clear(&mut self) {
        self.first = None;
        self.last = None;
        self.count = 0;
        self.buffered = 0;
    }
}

impl Default for EventTimes {
    fn default() -> Self {
        Self {
            first: None,
            count: 0,
            last: None,
            gaps: Box::new([0; BUFFERED_GAPS]),
            buffered: 0,
            sink: None,
        }
    }
}

impl fmt::Debug for EventTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventTimes")
            .field("first", &self.first)
            .field("count", &self.count)
            .field("gaps", &self.gaps())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_gap_reaches_the_sink_however_many_there_are() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let sink = seen.clone();
        let mut times = EventTimes::default();
        times.set_sink(move |gaps| sink.borrow_mut().extend_from_slice(gaps));
        let begin = Instant::now();
        for i in 0..=1000 {
            times.event(begin + Duration::from_nanos(i * i));
        }
        times.end();
        let expected: Vec<u64> = (0..1000).map(|i| 2 * i + 1).collect();
        assert_eq!(*seen.borrow(), expected);
        assert_eq!((times.count, times.first), (1001, Some(begin)));
    }

    #[test]
    fn a_header_is_found_whatever_its_case() {
        let mut answer = Answer::default();
        answer.keep_header("X-Cart", b"1:2");
        answer.keep_header("ETag", b" \"a\"");
        assert_eq!(answer.header("etag"), Some(&b"\"a\""[..]));
        assert_eq!(answer.header("x-cart"), Some(&b"1:2"[..]));
        assert_eq!(answer.header("x"), None);
    }
}
