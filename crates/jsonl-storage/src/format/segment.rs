//! The files of a log: `segment-<first sequence number>.jsonl`, and in an archive `.jsonl.zst`.

use std::path::{Path, PathBuf};

use std::sync::Arc;

use crate::backend::fs::FsBackend;
use crate::backend::{self, Backend, BackendFile, OpenMode};
use crate::error::Error;
use crate::format::damage::BreakKind;
use crate::format::line;
use crate::format::marks::Mark;
use crate::format::seq::Seq;

/// In an archive whose first record is not record 1: what was removed from the log before it.
pub(crate) const START: &str = "start.json";

const PREFIX: &str = "segment-";
const SUFFIX: &str = ".jsonl";
const COMPRESSED: &str = ".jsonl.zst";
const SIDECAR: &str = ".index";
const UNFINISHED: &str = ".index.tmp";

/// One file of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) first: Seq,
    pub(crate) name: String,
    /// For messages; the backend is asked by name.
    pub(crate) path: PathBuf,
    /// Only in an archive.
    pub(crate) compressed: bool,
}

impl Segment {
    pub(crate) fn new(dir: &Path, first: Seq) -> Self {
        Self::named(dir, first, SUFFIX)
    }

    pub(crate) fn compressed(dir: &Path, first: Seq) -> Self {
        Self::named(dir, first, COMPRESSED)
    }

    fn named(dir: &Path, first: Seq, suffix: &str) -> Self {
        let name = format!("{PREFIX}{:020}{suffix}", first.0);
        let path = dir.join(&name);
        Self {
            first,
            name,
            path,
            compressed: suffix == COMPRESSED,
        }
    }

    pub(crate) fn sidecar_name(&self) -> String {
        format!("{PREFIX}{:020}{SIDECAR}", self.first.0)
    }

    /// Under which name a sidecar is written before it gets its own.
    pub(crate) fn unfinished_name(&self) -> String {
        format!("{PREFIX}{:020}{UNFINISHED}", self.first.0)
    }
}

/// What to read of a segment.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) segment: Segment,
    /// Opened by name when it is `None`.
    pub(crate) file: Option<Arc<dyn BackendFile>>,
    pub(crate) start: Mark,
    pub(crate) limit: u64,
}

impl Part {
    pub(crate) fn whole(segment: Segment) -> Self {
        Self {
            start: Mark::start(segment.first),
            segment,
            file: None,
            limit: u64::MAX,
        }
    }

    pub(crate) fn open(&self, backend: &dyn Backend) -> Result<Arc<dyn BackendFile>, Error> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        backend
            .open(&self.segment.name, OpenMode::Read)
            .map_err(Error::io("open", &self.segment.path))
    }

    /// How many lines stand before the first that is read. All are records, but for the identity
    /// before record 1.
    pub(crate) fn lines_before(&self, file: &dyn BackendFile) -> u64 {
        let records = self.start.seq.0.saturating_sub(self.segment.first.0);
        if self.start.offset == 0 || self.segment.first != Seq(1) {
            return records;
        }
        let mut bytes = [0; line::IDENTITY_START.len()];
        let read = backend::read_full_at(file, &mut bytes, 0);
        // For messages only, so that a failed read is one of the lines themselves.
        let has_identity = read.is_ok() && bytes == *line::IDENTITY_START;
        records + u64::from(has_identity)
    }
}

/// Where a tail is torn.
#[derive(Debug)]
pub(crate) struct Tear {
    pub(crate) segment: Segment,
    pub(crate) line: u64,
    pub(crate) byte: u64,
}

impl Tear {
    pub(crate) fn corrupt(self, kind: BreakKind) -> Error {
        Error::Corrupt {
            file: self.segment.path,
            line: self.line,
            byte: self.byte,
            kind,
        }
    }
}

/// What a log's directory holds.
#[derive(Debug)]
pub(crate) struct Listing {
    /// In the order of their records. Of one that is there twice, the file that is not compressed.
    pub(crate) segments: Vec<Segment>,
    /// The first record of each segment that has a sidecar, in order.
    pub(crate) sidecars: Vec<Seq>,
    /// Sidecars that were not written to their end.
    pub(crate) unfinished: Vec<String>,
    /// The first of the files that are compressed, which a log that is written to must not have.
    pub(crate) compressed: Option<PathBuf>,
}

impl Listing {
    pub(crate) fn has_segment(&self, first: Seq) -> bool {
        self.segments.iter().any(|segment| segment.first == first)
    }
}

pub(crate) fn listing(backend: &dyn Backend) -> Result<Listing, Error> {
    let dir = backend.dir();
    let names = backend.list().map_err(Error::io("read directory", dir))?;
    let plain = names.iter().filter_map(|name| first_of(name));
    let mut segments: Vec<_> = plain.map(|first| Segment::new(dir, first)).collect();
    let compressed = |name: &String| number_in(name, COMPRESSED);
    let compressed = names.iter().filter_map(compressed);
    segments.extend(compressed.map(|first| Segment::compressed(dir, first)));
    segments.sort_by_key(|segment| (segment.first, segment.compressed));
    let first_compressed = segments.iter().find(|segment| segment.compressed);
    let first_compressed = first_compressed.map(|segment| segment.path.clone());
    segments.dedup_by_key(|segment| segment.first);
    let sidecar = |name: &String| number_in(name, SIDECAR);
    let mut sidecars: Vec<_> = names.iter().filter_map(sidecar).collect();
    sidecars.sort_unstable();
    let is_unfinished = |name: &String| number_in(name, UNFINISHED).is_some();
    Ok(Listing {
        segments,
        sidecars,
        unfinished: names.into_iter().filter(is_unfinished).collect(),
        compressed: first_compressed,
    })
}

/// The segments of a directory in the order of their records.
pub(crate) fn list(backend: &dyn Backend) -> Result<Vec<Segment>, Error> {
    listing(backend).map(|listing| listing.segments)
}

/// Whether a directory holds a log, that is, at least one segment.
#[must_use]
pub fn is_log(dir: &Path) -> bool {
    list(&FsBackend::new(dir)).is_ok_and(|segments| !segments.is_empty())
}

fn first_of(name: &str) -> Option<Seq> {
    number_in(name, SUFFIX)
}

fn number_in(name: &str, suffix: &str) -> Option<Seq> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(suffix)?;
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| digits.parse().ok())??;
    (number > 0).then_some(Seq(number))
}

/// Makes the names in a directory durable: a synced file whose name is lost is lost.
pub(crate) fn sync_dir(backend: &dyn Backend) -> Result<(), Error> {
    backend
        .sync_dir()
        .map_err(Error::io("sync directory", backend.dir()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_first_sequence_number() {
        let segment = Segment::new(Path::new("d"), Seq(42));
        assert_eq!(
            segment.path,
            Path::new("d/segment-00000000000000000042.jsonl")
        );
        assert_eq!(
            first_of("segment-00000000000000000042.jsonl"),
            Some(Seq(42))
        );
        for other in [
            "segment-42.jsonl",
            "segment-00000000000000000000.jsonl",
            "segment-+0000000000000000042.jsonl",
            "LOCK",
            "a.jsonl",
        ] {
            assert_eq!(first_of(other), None, "{other}");
        }
    }
}
