//! redb, one insert a transaction, with its default (immediate) durability.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Database, ReadableDatabase as _, ReadableTableMetadata as _, TableDefinition};

use crate::log::peer::Peer;
use crate::log::record::Record;

const RECORDS: TableDefinition<'_, u64, &str> = TableDefinition::new("records");

pub(crate) fn open(dir: &Path) -> anyhow::Result<Box<dyn Peer>> {
    let database = Database::create(dir.join("records.redb"))?;
    Ok(Box::new(Redb {
        database,
        next: AtomicU64::new(0),
    }))
}

pub(crate) fn count(dir: &Path) -> anyhow::Result<u64> {
    let database = Database::open(dir.join("records.redb"))?;
    Ok(database.begin_read()?.open_table(RECORDS)?.len()?)
}

struct Redb {
    database: Database,
    next: AtomicU64,
}

impl Peer for Redb {
    fn append(&self, record: &Record) -> anyhow::Result<()> {
        let json = record.json()?;
        let transaction = self.database.begin_write()?;
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        transaction
            .open_table(RECORDS)?
            .insert(key, json.as_str())?;
        transaction.commit()?;
        Ok(())
    }

    fn close(self: Box<Self>) -> anyhow::Result<()> {
        Ok(())
    }
}
