//! `serde_jsonlines`, buffered, flushed and synced after each record under a lock.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_jsonlines::JsonLinesWriter;

use crate::log::peer::Peer;
use crate::log::record::Record;

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("records.jsonl")
}

pub(crate) fn open(dir: &Path) -> anyhow::Result<Box<dyn Peer>> {
    let file = BufWriter::new(File::create(path(dir))?);
    Ok(Box::new(JsonLines(Mutex::new(JsonLinesWriter::new(file)))))
}

pub(crate) fn count(dir: &Path) -> anyhow::Result<u64> {
    let mut records = 0;
    for record in serde_jsonlines::json_lines::<Record, _>(path(dir))? {
        record?;
        records += 1;
    }
    Ok(records)
}

struct JsonLines(Mutex<JsonLinesWriter<BufWriter<File>>>);

impl Peer for JsonLines {
    fn append(&self, record: &Record) -> anyhow::Result<()> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write(record)?;
        writer.flush()?;
        writer.get_ref().get_ref().sync_data()?;
        Ok(())
    }

    fn close(self: Box<Self>) -> anyhow::Result<()> {
        Ok(())
    }
}
