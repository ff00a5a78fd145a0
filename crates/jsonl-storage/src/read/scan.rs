use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::catalog::Catalog;
use crate::catalog::index::TimeOf;
use crate::error::Error;
use crate::format::damage::BreakKind;
use crate::format::segment::Part;
use crate::format::seq::Seq;
use crate::read::lines::{Check, Lines, Raw};

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
///
/// An item is an error when its record is damaged ([`Error::Corrupt`]) or not of this type
/// ([`Error::Type`]); the scan goes on behind it. It ends after any other error, and when the log ends
/// before the last record.
#[derive(Debug)]
pub struct Scan<T> {
    lines: Lines,
    /// The first record that is wanted; reading begins a bit before it.
    first: Seq,
    last: Seq,
    _data: PhantomData<fn() -> T>,
}

impl<T> Scan<T> {
    /// Reads the records of some parts, which follow one another, in a range with both ends.
    pub(crate) fn new(backend: Arc<dyn Backend>, parts: Vec<Part>, first: Seq, last: Seq) -> Self {
        Self {
            lines: Lines::new(backend, parts, Check::Sequence),
            first,
            // Nothing is read for a range without records.
            last: if first <= last { last } else { Seq::ZERO },
            _data: PhantomData,
        }
    }
}

impl<T> Scan<T> {
    /// Reads the records of a log in a range with both ends.
    pub(crate) fn between(catalog: &Catalog, first: Seq, last: Seq) -> Result<Self, Error> {
        let parts = catalog.parts(first, last)?;
        Ok(Self::new(Arc::clone(&catalog.backend), parts, first, last))
    }
}

impl<T: DeserializeOwned> Scan<T> {
    fn read(&mut self) -> Result<Option<Record<T>>, Error> {
        loop {
            let expected = self.lines.expected;
            // Broken lines may have been the records that belong here.
            let next = Seq(expected.0.saturating_add(self.lines.unnumbered()));
            if next > self.last {
                return Ok(None);
            }
            let Some(raw) = self.lines.advance()? else {
                self.last = Seq::ZERO;
                return Err(self.lines.corrupt(BreakKind::Missing { expected }));
            };
            match raw {
                Raw::Whole { seq, .. } if seq < self.first => {}
                Raw::Whole { seq, .. } => return typed(&self.lines, seq).map(Some),
                Raw::Own { .. } => {}
                Raw::Broken { .. } if next < self.first => {}
                Raw::Broken { kind } => return Err(self.lines.corrupt(kind)),
            }
        }
    }
}

impl<T: DeserializeOwned> Iterator for Scan<T> {
    type Item = Result<Record<T>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        if matches!(&item, Some(Err(error)) if !is_of_one_record(error)) {
            self.last = Seq::ZERO;
        }
        item
    }
}

/// The records with a time in a range, in the order of the log.
///
/// Files without any are not read, and of the others nothing before the first that has one.
pub struct Between<T> {
    lines: Lines,
    last: Seq,
    time: TimeOf<T>,
    times: Range<u64>,
    ended: bool,
}

impl<T> Between<T> {
    pub(crate) fn new(
        catalog: &Catalog,
        time: TimeOf<T>,
        times: Range<u64>,
    ) -> Result<Self, Error> {
        let last = catalog.last();
        let parts = catalog.parts_between(&times)?;
        Ok(Self {
            lines: Lines::new(Arc::clone(&catalog.backend), parts, Check::Lines),
            last,
            time,
            times,
            ended: false,
        })
    }
}

impl<T: DeserializeOwned> Between<T> {
    fn read(&mut self) -> Result<Option<Record<T>>, Error> {
        while let Some(raw) = self.lines.advance()? {
            let seq = match raw {
                Raw::Whole { seq, .. } if seq > self.last => return Ok(None),
                Raw::Whole { seq, .. } => seq,
                Raw::Own { .. } => continue,
                Raw::Broken { kind } => return Err(self.lines.corrupt(kind)),
            };
            let record: Record<T> = typed(&self.lines, seq)?;
            if self.times.contains(&(self.time)(&record.data)) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

impl<T: DeserializeOwned> Iterator for Between<T> {
    type Item = Result<Record<T>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.read().transpose();
        self.ended = match &item {
            Some(Ok(_)) => false,
            Some(Err(error)) => !is_of_one_record(error),
            None => true,
        };
        item
    }
}

impl<T> fmt::Debug for Between<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Between")
            .field("times", &self.times)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

/// Reads records from the last to the first, each one checked.
///
/// Memory is bounded by a few kilobytes and the longest line.
#[derive(Debug)]
pub struct ScanBack<T> {
    catalog: Arc<Catalog>,
    first: Seq,
    /// The next record to read, and those after it are done.
    next: Seq,
    /// Records that were read with it, in order.
    ready: Vec<Record<T>>,
}

impl<T> ScanBack<T> {
    pub(crate) fn new(catalog: Arc<Catalog>, first: Seq, last: Seq) -> Self {
        Self {
            catalog,
            first,
            next: last,
            ready: Vec::new(),
        }
    }
}

impl<T: DeserializeOwned> ScanBack<T> {
    fn read(&mut self) -> Result<Option<Record<T>>, Error> {
        // A part may hold nothing but a statement of the log itself.
        while self.ready.is_empty() && self.next >= self.first && self.next > Seq::ZERO {
            self.read_part()?;
        }
        Ok(self.ready.pop())
    }

    fn read_part(&mut self) -> Result<(), Error> {
        let Some(part) = self.catalog.part_with(self.next)? else {
            self.next = Seq::ZERO;
            return Ok(());
        };
        let first = self.first.max(part.start.seq);
        let backend = Arc::clone(&self.catalog.backend);
        let scan = Scan::new(backend, vec![part], first, self.next);
        self.next = Seq(first.0 - 1);
        for record in scan {
            self.ready.push(record?);
        }
        Ok(())
    }
}

impl<T: DeserializeOwned> Iterator for ScanBack<T> {
    type Item = Result<Record<T>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        if matches!(item, Some(Err(_))) {
            self.next = Seq::ZERO;
            self.ready.clear();
        }
        item
    }
}

fn typed<T: DeserializeOwned>(lines: &Lines, seq: Seq) -> Result<Record<T>, Error> {
    match parse(lines.data()) {
        Ok(data) => Ok(Record { seq, data }),
        Err(source) => Err(Error::Type {
            file: lines.path(),
            seq,
            source: Arc::new(source),
        }),
    }
}

/// Checking once that all of it is UTF-8 is cheaper than for each text in it.
pub(crate) fn parse<T: DeserializeOwned>(data: &[u8]) -> Result<T, serde_json::Error> {
    match std::str::from_utf8(data) {
        Ok(text) => serde_json::from_str(text),
        // Says where.
        Err(_) => serde_json::from_slice(data),
    }
}

/// Whether an error says that one record cannot be read, and nothing of the others.
fn is_of_one_record(error: &Error) -> bool {
    match error {
        Error::Type { .. } => true,
        Error::Corrupt { kind, .. } => *kind != BreakKind::Compression,
        _ => false,
    }
}
