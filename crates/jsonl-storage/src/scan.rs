use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::backend::{Backend, OpenMode};
use crate::reader::LineReader;
use crate::recovery::Tear;
use crate::segment::Segment;
use crate::{BreakKind, Error, Seq, line};

/// One record as it stands in the log; `serde_jsonlines` reads a segment as these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record<T> {
    /// Its number.
    pub seq: Seq,
    /// What was appended.
    pub data: T,
}

/// Reads records in order, each one checked, up to a point that is known to be on disk.
///
/// Memory is bounded by the longest line. Appends go on meanwhile.
#[derive(Debug)]
pub struct Scan<T> {
    lines: Lines,
    last: Seq,
    _data: PhantomData<fn() -> T>,
}

impl<T> Scan<T> {
    pub(crate) fn new(backend: Arc<dyn Backend>, segments: Vec<Segment>, last: Seq) -> Self {
        Self {
            lines: Lines::new(backend, segments),
            last,
            _data: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> Scan<T> {
    fn read(&mut self) -> Result<Option<Record<T>>, Error> {
        if self.lines.expected > self.last {
            return Ok(None);
        }
        let missing = Raw::Broken {
            kind: BreakKind::Missing {
                expected: self.lines.expected,
            },
        };
        match self.lines.advance()?.unwrap_or(missing) {
            Raw::Whole { seq, .. } => {
                let data =
                    serde_json::from_slice(self.lines.data()).map_err(|source| Error::Type {
                        file: self.lines.path(),
                        seq,
                        source: Arc::new(source),
                    })?;
                Ok(Some(Record { seq, data }))
            }
            Raw::Broken { kind } => Err(self.lines.corrupt(kind)),
        }
    }
}

impl<T: DeserializeOwned> Iterator for Scan<T> {
    type Item = Result<Record<T>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        if matches!(item, Some(Err(_))) {
            // One error ends the scan: what follows a break is not known to be in order.
            self.last = Seq::ZERO;
        }
        item
    }
}

/// What a line turned out to be.
#[derive(Debug)]
pub(crate) enum Raw {
    Whole { seq: Seq, synced: Seq },
    Broken { kind: BreakKind },
}

/// Reads lines over all segments, checks each one and that the numbers follow one another.
///
/// After a break it goes on at the next line, so that a verification can list every break.
#[derive(Debug)]
pub(crate) struct Lines {
    backend: Arc<dyn Backend>,
    segments: std::vec::IntoIter<Segment>,
    open: Option<Open>,
    data: std::ops::Range<usize>,
    /// The sequence number that the next line should have.
    pub(crate) expected: Seq,
    /// Where the last line stands: its number in the file from 1, and its first byte.
    pub(crate) line: u64,
    pub(crate) byte: u64,
}

#[derive(Debug)]
struct Open {
    segment: Segment,
    reader: LineReader,
}

impl Lines {
    pub(crate) fn new(backend: Arc<dyn Backend>, segments: Vec<Segment>) -> Self {
        let expected = segments.first().map_or(Seq(1), |segment| segment.first);
        Self {
            backend,
            segments: segments.into_iter(),
            open: None,
            data: 0..0,
            expected,
            line: 0,
            byte: 0,
        }
    }

    /// Reads the next line; `None` after the last one.
    pub(crate) fn advance(&mut self) -> Result<Option<Raw>, Error> {
        loop {
            if self.open.is_none() && !self.open_next()? {
                return Ok(None);
            }
            if let Some(raw) = self.read_line()? {
                return Ok(Some(raw));
            }
            self.open = None;
        }
    }

    /// The data of the last whole line.
    pub(crate) fn data(&self) -> &[u8] {
        match &self.open {
            Some(open) => open.reader.bytes(self.data.clone()),
            None => &[],
        }
    }

    /// The segment that the last line stands in.
    pub(crate) fn path(&self) -> PathBuf {
        self.open
            .as_ref()
            .map_or_else(PathBuf::new, |open| open.segment.path.clone())
    }

    /// The place of the last line, as that of a tear.
    ///
    /// # Panics
    ///
    /// When no line was read.
    pub(crate) fn tear(&self) -> Tear {
        let open = self.open.as_ref().expect("a line was read");
        Tear {
            segment: open.segment.clone(),
            line: self.line,
            byte: self.byte,
        }
    }

    pub(crate) fn corrupt(&self, kind: BreakKind) -> Error {
        Error::Corrupt {
            file: self.path(),
            line: self.line,
            byte: self.byte,
            kind,
        }
    }

    fn open_next(&mut self) -> Result<bool, Error> {
        let Some(segment) = self.segments.next() else {
            return Ok(false);
        };
        let file = self
            .backend
            .open(&segment.name, OpenMode::Read)
            .map_err(Error::io("open", &segment.path))?;
        let reader = LineReader::new(file, 0, u64::MAX);
        self.open = Some(Open { segment, reader });
        self.line = 0;
        Ok(true)
    }

    fn read_line(&mut self) -> Result<Option<Raw>, Error> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        let next = open.reader.next();
        let Some(span) = next.map_err(Error::io("read", &open.segment.path))? else {
            return Ok(None);
        };
        (self.line, self.byte) = (self.line + 1, span.byte);
        if !span.terminated {
            let kind = BreakKind::Unterminated;
            return Ok(Some(Raw::Broken { kind }));
        }
        let text = open.reader.bytes(span.text.clone());
        let parsed = match line::decode(text) {
            Ok(parsed) => parsed,
            Err(kind) => return Ok(Some(Raw::Broken { kind })),
        };
        let start = span.text.start + (parsed.data.as_ptr() as usize - text.as_ptr() as usize);
        self.data = start..start + parsed.data.len();
        let (seq, synced, expected) = (parsed.seq, parsed.synced, self.expected);
        self.expected = seq.next();
        if seq != expected {
            let found = seq;
            let kind = BreakKind::OutOfOrder { expected, found };
            return Ok(Some(Raw::Broken { kind }));
        }
        Ok(Some(Raw::Whole { seq, synced }))
    }
}
