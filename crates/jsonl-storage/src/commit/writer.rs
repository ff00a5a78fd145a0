//! The end of the log: where batches are written, where the next segment is begun, and how a
//! failed write is taken back.

use std::io;
use std::sync::Arc;

use crate::backend::{self, Backend, BackendFile, OpenMode};
use crate::catalog::{Catalog, Found};
use crate::error::Error;
use crate::format::batch::Batch;
use crate::format::chain::Link;
use crate::format::segment::{self, Segment};
use crate::format::seq::Seq;
use crate::options::{Durability, LogOptions};

/// Why a batch is not in the log.
#[derive(Debug)]
pub(crate) enum Fault {
    /// There was no room, and nothing of the batch is left. A later one may fit.
    Full(Error),
    /// What is on disk now is not known.
    Fatal(Error),
}

/// Where the log goes on.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) catalog: Arc<Catalog>,
    segment: Segment,
    file: Arc<dyn BackendFile>,
    end: u64,
    /// Up to where it is known to be durable; at most `end`.
    synced: u64,
    limits: Limits,
    level: Durability,
    pub(crate) last: Seq,
    /// The link of the last record, in a chained log.
    pub(crate) link: Option<Link>,
}

/// When a segment is full.
#[derive(Debug, Clone, Copy)]
struct Limits {
    bytes: u64,
    span: Option<u64>,
}

impl Tail {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        index_name: Option<&str>,
        found: Found,
        options: &LogOptions,
    ) -> Self {
        let active = &found.active;
        Self {
            segment: active.segment.clone(),
            file: Arc::clone(&active.file),
            end: active.end,
            synced: active.end,
            limits: Limits {
                bytes: options.segment_bytes,
                span: options.segment_span,
            },
            level: options.durability,
            last: active.last,
            link: active.link,
            catalog: Arc::new(Catalog::new(
                backend,
                index_name.map(str::to_owned),
                found,
                options.index_cache_bytes,
            )),
        }
    }

    /// Writes a batch behind the last one, in the next segment if this one is full, and syncs it
    /// if the level asks for that.
    pub(crate) fn append(
        &mut self,
        batch: &Batch,
        last: Seq,
        link: Option<Link>,
    ) -> Result<(), Fault> {
        if batch.is_empty() {
            return Ok(());
        }
        if self.is_full(batch) {
            self.rotate()?;
        }
        // A write behind the end would hide that the file was cut off, by zeros.
        self.expect_own_file().map_err(Fault::Fatal)?;
        if let Err(error) = backend::write_all_at(&*self.file, &batch.bytes, self.end) {
            return Err(self.take_back(error));
        }
        let base = self.end;
        self.end += batch.bytes.len() as u64;
        if self.level == Durability::Synced {
            self.sync().map_err(Fault::Fatal)?;
        }
        self.expect_own_file().map_err(Fault::Fatal)?;
        (self.last, self.link) = (last, link);
        self.catalog.note(base, batch, last, link);
        Ok(())
    }

    /// Makes durable what was written.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        if self.synced < self.end {
            self.file
                .sync_data()
                .map_err(Error::io("sync", &self.segment.path))?;
            self.synced = self.end;
        }
        Ok(())
    }

    /// Expects that the segment's name still leads to the file that was written, and that nobody
    /// else wrote to it or cut it off: an acknowledgement of what is in a file that was deleted,
    /// moved away or replaced would promise what no opening can find.
    fn expect_own_file(&self) -> Result<(), Error> {
        let path = &self.segment.path;
        let named = self.file.named_size();
        let found = match named.map_err(Error::io("examine", path))? {
            Some(size) if size == self.end => return Ok(()),
            found => found,
        };
        Err(Error::Replaced {
            path: path.clone(),
            expected: self.end,
            found,
        })
    }

    /// Begins the next segment, unless this one is empty.
    ///
    /// The order matters: that a segment exists says that everything before it is on disk, and no
    /// record is written to it before its name is.
    pub(crate) fn rotate(&mut self) -> Result<(), Fault> {
        if !self.has_records() {
            return Ok(());
        }
        self.sync().map_err(Fault::Fatal)?;
        let backend = Arc::clone(&self.catalog.backend);
        let segment = Segment::new(backend.dir(), self.last.next());
        let file = backend
            .open(&segment.name, OpenMode::CreateNew)
            .map_err(|error| {
                if backend::is_full(&error) {
                    Fault::Full(Error::full(&segment.path)(error))
                } else {
                    Fault::Fatal(Error::io("create", &segment.path)(error))
                }
            })?;
        segment::sync_dir(&*backend).map_err(Fault::Fatal)?;
        self.catalog
            .rotate(segment.clone(), Arc::clone(&file))
            .map_err(Fault::Fatal)?;
        (self.segment, self.file) = (segment, file);
        (self.end, self.synced) = (0, 0);
        Ok(())
    }

    /// Notes that the log ends here.
    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        self.sync().map_err(Fault::Fatal)?;
        self.catalog.mark_clean_close().map_err(Fault::Fatal)
    }

    /// Whether any record is in this segment: the identity alone is none.
    fn has_records(&self) -> bool {
        self.last >= self.segment.first
    }

    fn is_full(&self, batch: &Batch) -> bool {
        if !self.has_records() {
            return false;
        }
        let grown = self.end + batch.bytes.len() as u64;
        grown > self.limits.bytes || self.limits.span.is_some_and(|span| self.spans(batch, span))
    }

    fn spans(&self, batch: &Batch, span: u64) -> bool {
        let latest = batch.facts.iter().filter_map(|(_, facts)| facts.time).max();
        let earliest = self.catalog.earliest_time();
        matches!((earliest, latest), (Some(from), Some(to)) if to.saturating_sub(from) >= span)
    }

    /// After a failed write: cuts off what it left, if the reason was want of room.
    fn take_back(&mut self, error: io::Error) -> Fault {
        let path = &self.segment.path;
        if !backend::is_full(&error) {
            return Fault::Fatal(Error::io("write", path)(error));
        }
        // Synced, because a crash could otherwise bring back records that were refused.
        let cut = self
            .file
            .set_len(self.end)
            .and_then(|()| self.file.sync_data());
        match cut {
            Ok(()) => {
                self.synced = self.end;
                Fault::Full(Error::full(path)(error))
            }
            Err(error) => Fault::Fatal(Error::io("cut an unfinished write off", path)(error)),
        }
    }
}
