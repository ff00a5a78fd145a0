//! okaywal, with segments so large that no checkpoint falls into a measurement.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use okaywal::{Configuration, Entry, EntryId, LogManager, SegmentReader, WriteAheadLog};

use crate::log::peer::Peer;
use crate::log::record::Record;

const SEGMENT_BYTES: u32 = 16 << 20;

pub(crate) fn open(dir: &Path) -> anyhow::Result<Box<dyn Peer>> {
    Ok(Box::new(Wal(recover(dir, Arc::default())?)))
}

pub(crate) fn count(dir: &Path) -> anyhow::Result<u64> {
    let entries = Arc::new(AtomicU64::new(0));
    recover(dir, Arc::clone(&entries))?.shutdown()?;
    Ok(entries.load(Ordering::SeqCst))
}

fn recover(dir: &Path, entries: Arc<AtomicU64>) -> io::Result<WriteAheadLog> {
    Configuration::default_for(dir.join("wal"))
        .preallocate_bytes(SEGMENT_BYTES)
        .checkpoint_after_bytes(SEGMENT_BYTES.into())
        .open(Counter(entries))
}

struct Wal(WriteAheadLog);

impl Peer for Wal {
    fn append(&self, record: &Record) -> anyhow::Result<()> {
        let json = record.json()?;
        let mut entry = self.0.begin_entry()?;
        entry.write_chunk(json.as_bytes())?;
        entry.commit()?;
        Ok(())
    }

    fn close(self: Box<Self>) -> anyhow::Result<()> {
        Ok(self.0.shutdown()?)
    }
}

/// Counts what recovery finds, and keeps all of it.
#[derive(Debug)]
struct Counter(Arc<AtomicU64>);

impl LogManager for Counter {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        if entry.read_all_chunks()?.is_some() {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _last: EntryId,
        _entries: &mut SegmentReader,
        _log: &WriteAheadLog,
    ) -> io::Result<()> {
        Ok(())
    }
}
