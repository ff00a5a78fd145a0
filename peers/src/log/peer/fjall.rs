//! fjall: an insert, then its journal persisted.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::log::peer::Peer;
use crate::log::record::Record;

pub(crate) fn open(dir: &Path) -> anyhow::Result<Box<dyn Peer>> {
    let (database, records) = connect(dir)?;
    Ok(Box::new(Fjall {
        database,
        records,
        next: AtomicU64::new(0),
    }))
}

pub(crate) fn count(dir: &Path) -> anyhow::Result<u64> {
    let (_database, records) = connect(dir)?;
    let mut count = 0;
    for item in records.iter() {
        item.key()?;
        count += 1;
    }
    Ok(count)
}

fn connect(dir: &Path) -> anyhow::Result<(Database, Keyspace)> {
    let database = Database::builder(dir.join("fjall")).open()?;
    let records = database.keyspace("records", KeyspaceCreateOptions::default)?;
    Ok((database, records))
}

struct Fjall {
    database: Database,
    records: Keyspace,
    next: AtomicU64,
}

impl Peer for Fjall {
    fn append(&self, record: &Record) -> anyhow::Result<()> {
        let json = record.json()?;
        let key = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        self.records.insert(key, json)?;
        self.database.persist(PersistMode::SyncData)?;
        Ok(())
    }

    fn close(self: Box<Self>) -> anyhow::Result<()> {
        Ok(())
    }
}
