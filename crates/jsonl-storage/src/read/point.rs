//! One record, by its number or its key.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::backend::{self, BackendFile};
use crate::catalog::index::{self, Index, KeyOf};
use crate::catalog::{Candidates, Catalog};
use crate::error::Error;
use crate::format::chain::{ChainLink, Link};
use crate::format::damage::BreakKind;
use crate::format::line::{self, Line};
use crate::format::segment::Part;
use crate::format::seq::Seq;
use crate::read::candidates::Candidate;
use crate::read::scan::{self, Record};

/// What is read at first for a record of unknown length.
const GUESS_BYTES: usize = 1 << 10;
/// A buffer that once held a huge record is not kept for small ones.
const KEEP_BYTES: usize = 1 << 20;

thread_local!(static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });

/// Reads a record by its number; `None` when the log does not have it.
pub(crate) fn get<T: DeserializeOwned>(
    catalog: &Catalog,
    seq: Seq,
) -> Result<Option<Record<T>>, Error> {
    let read = |part: &Part, line: &Line<'_>| match line.is_own {
        true => Ok(None),
        false => typed(part, line).map(Some),
    };
    with_line(catalog, seq, read).map(Option::flatten)
}

/// Reads where a record stands in the chain; `None` when the log does not have it, or no chain.
pub(crate) fn link(catalog: &Catalog, seq: Seq) -> Result<Option<ChainLink>, Error> {
    let hash = |seq| with_line(catalog, seq, |_, line| Ok((line.synced, own_link(line))));
    let Some((synced, Some(link))) = hash(seq)? else {
        return Ok(None);
    };
    let before = match seq.0.checked_sub(1).map(Seq) {
        Some(Seq::ZERO) => Some(catalog.chain_start()),
        Some(before) => hash(before)?.and_then(|(_, link)| link),
        None => None,
    };
    Ok(before.map(|before| ChainLink {
        seq,
        synced,
        before: before.0,
        hash: link.0,
    }))
}

fn own_link(line: &Line<'_>) -> Option<Link> {
    line.chained.and_then(|chained| chained.link())
}

fn with_line<R>(
    catalog: &Catalog,
    seq: Seq,
    take: impl FnOnce(&Part, &Line<'_>) -> Result<R, Error>,
) -> Result<Option<R>, Error> {
    let Some(part) = catalog.part_with(seq)? else {
        return Ok(None);
    };
    BUFFER.with_borrow_mut(|buffer| {
        let length =
            usize::try_from(part.limit.saturating_sub(part.start.offset)).unwrap_or(usize::MAX);
        let bytes = fill(&part, buffer, part.start.offset, length)?;
        let skip = seq.0.saturating_sub(part.start.seq.0);
        let found = nth_line(bytes, skip)
            .map_or(Err(BreakKind::Missing { expected: seq }), |text| {
                decode(text, Some(seq))
            });
        match found {
            Ok(line) => take(&part, &line).map(Some),
            Err(kind) => Err(corrupt(&part, skip, kind)),
        }
    })
}

/// The records with a key, the newest first.
pub struct Matches<'a, T> {
    catalog: &'a Catalog,
    index: Index<T>,
    key_of: KeyOf<T>,
    key: String,
    /// The segments that were not looked into yet.
    left: Candidate<'a>,
    at: Option<(Candidates, usize)>,
}

impl<'a, T> Matches<'a, T> {
    pub(crate) fn new(catalog: &'a Catalog, index: Index<T>, key_of: KeyOf<T>, key: &str) -> Self {
        Self {
            catalog,
            index,
            key_of,
            key: key.to_owned(),
            left: Candidate::of(catalog, index::hash(key)),
            at: None,
        }
    }
}

impl<T: DeserializeOwned> Matches<'_, T> {
    fn read(&mut self) -> Result<Option<Record<T>>, Error> {
        loop {
            let Some((candidates, done)) = &mut self.at else {
                let facts = |data: &[u8]| self.index.facts_of(data);
                match self.left.advance(&facts)? {
                    Some(candidates) => self.at = Some((candidates, 0)),
                    None => return Ok(None),
                }
                continue;
            };
            let Some(&offset) = candidates.offsets.get(*done) else {
                self.at = None;
                continue;
            };
            *done += 1;
            let record = at_offset(&candidates.part, offset)?;
            // Two keys may share a hash.
            if (self.key_of)(&record.data).is_some_and(|key| key == self.key) {
                return Ok(Some(record));
            }
        }
    }
}

impl<T: DeserializeOwned> Iterator for Matches<'_, T> {
    type Item = Result<Record<T>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl<T> fmt::Debug for Matches<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matches")
            .field("dir", &self.catalog.backend.dir())
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

fn at_offset<T: DeserializeOwned>(part: &Part, offset: u64) -> Result<Record<T>, Error> {
    BUFFER.with_borrow_mut(|buffer| {
        let left = usize::try_from(part.limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut wanted = GUESS_BYTES;
        loop {
            let bytes = fill(part, buffer, offset, wanted.min(left))?;
            let found = match nth_line(bytes, 0) {
                Some(text) => decode(text, None),
                None if wanted >= left => Err(BreakKind::Unterminated),
                None => {
                    wanted *= 4;
                    continue;
                }
            };
            return match found {
                Ok(line) => typed(part, &line),
                Err(kind) => Err(Error::Corrupt {
                    file: part.segment.path.clone(),
                    line: 0,
                    byte: offset,
                    kind,
                }),
            };
        }
    })
}

fn fill<'a>(
    part: &Part,
    buffer: &'a mut Vec<u8>,
    offset: u64,
    length: usize,
) -> Result<&'a [u8], Error> {
    if buffer.len() > KEEP_BYTES {
        buffer.truncate(KEEP_BYTES);
        buffer.shrink_to_fit();
    }
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    let read = backend::read_full_at(file(part), &mut buffer[..length], offset)
        .map_err(Error::io("read", &part.segment.path))?;
    Ok(&buffer[..read])
}

fn file(part: &Part) -> &dyn BackendFile {
    let file = part.file.as_ref().expect("the catalog opens what it gives");
    &**file
}

fn nth_line(bytes: &[u8], skip: u64) -> Option<&[u8]> {
    let mut rest = bytes;
    for _ in 0..skip {
        let end = memchr::memchr(b'\n', rest)?;
        rest = &rest[end + 1..];
    }
    memchr::memchr(b'\n', rest).map(|end| &rest[..end])
}

fn decode(text: &[u8], expected: Option<Seq>) -> Result<Line<'_>, BreakKind> {
    let line = line::decode(text)?;
    match expected {
        Some(expected) if expected != line.seq => Err(BreakKind::OutOfOrder {
            expected,
            found: line.seq,
        }),
        _ => Ok(line),
    }
}

fn typed<T: DeserializeOwned>(part: &Part, line: &Line<'_>) -> Result<Record<T>, Error> {
    let seq = line.seq;
    match scan::parse(line.data) {
        Ok(data) => Ok(Record { seq, data }),
        Err(source) => Err(Error::Type {
            file: part.segment.path.clone(),
            seq,
            source: Arc::new(source),
        }),
    }
}

fn corrupt(part: &Part, skip: u64, kind: BreakKind) -> Error {
    Error::Corrupt {
        file: part.segment.path.clone(),
        line: part.lines_before(file(part)) + skip + 1,
        byte: part.start.offset,
        kind,
    }
}
