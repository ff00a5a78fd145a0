use std::path::Path;

use anyhow::ensure;
use jsonl_storage::{Log, LogOptions};

use crate::log::peer::Peer;
use crate::log::record::Record;

pub(crate) fn open(dir: &Path) -> anyhow::Result<Box<dyn Peer>> {
    Ok(Box::new(LogOptions::new().open::<Record>(dir)?))
}

pub(crate) fn open_chained(dir: &Path) -> anyhow::Result<Box<dyn Peer>> {
    Ok(Box::new(LogOptions::new().chained().open::<Record>(dir)?))
}

/// Checks every record, and the chain if there is one.
pub(crate) fn count(dir: &Path) -> anyhow::Result<u64> {
    let found = jsonl_storage::verify_log(dir)?;
    ensure!(found.breaks.is_empty(), "{:?}", found.breaks);
    let log = LogOptions::new().open::<Record>(dir)?;
    let mut records = 0;
    for record in log.scan()? {
        record?;
        records += 1;
    }
    Ok(records)
}

impl Peer for Log<Record> {
    fn append(&self, record: &Record) -> anyhow::Result<()> {
        Log::append(self, record)?;
        Ok(())
    }

    fn append_batch(&self, record: &mut Record, records: u64) -> anyhow::Result<()> {
        let mut last = None;
        for index in 0..records {
            last = Some(self.submit(record.number(index))?);
        }
        if let Some(ticket) = last {
            ticket.wait()?;
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> anyhow::Result<()> {
        Ok(Log::close(*self)?)
    }
}
