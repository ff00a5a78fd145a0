//! The end of the log: where batches are written, and how a failed write is taken back.

use std::io;

use crate::queue::Batch;
use crate::recovery::Tail;
use crate::{Durability, Error, backend};

/// Why a batch is not in the log.
#[derive(Debug)]
pub(crate) enum Fault {
    /// There was no room, and nothing of the batch is left. A later one may fit.
    Full(Error),
    /// What is on disk now is not known.
    Fatal(Error),
}

impl Tail {
    /// Writes a batch behind the last one, and syncs it if the level asks for that.
    pub(crate) fn append(&mut self, batch: &Batch, level: Durability) -> Result<(), Fault> {
        if batch.is_empty() {
            return Ok(());
        }
        if let Err(error) = backend::write_all_at(&*self.file, &batch.bytes, self.end) {
            return Err(self.take_back(error));
        }
        self.end += batch.bytes.len() as u64;
        if level == Durability::Synced {
            self.sync().map_err(Fault::Fatal)?;
        }
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

    /// After a failed write: cuts off what it left, if the reason was want of room.
    fn take_back(&mut self, error: io::Error) -> Fault {
        let path = &self.segment.path;
        if !is_full(&error) {
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

/// Whether an error means that there is no room now.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
