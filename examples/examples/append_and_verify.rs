//! Appends records, verifies the files, and reads the records again.

#![allow(clippy::print_stdout, reason = "an example prints what it does")]

use jsonl_storage::{Log, LogOptions, verify_log};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Event {
    name: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let log: Log<Event> = LogOptions::new().chained().open(dir.path())?;
    for name in ["created", "approved", "executed"] {
        let seq = log.append(&Event { name: name.into() })?; // on disk when this returns
        println!("{name} is record {seq}");
    }
    log.close()?;

    // Reads the files without opening the log, and changes nothing.
    let found = verify_log(dir.path())?;
    assert!(found.holds(), "{:?}", found.breaks);
    assert_eq!(found.records, 3);

    let log: Log<Event> = LogOptions::new().open(dir.path())?;
    for record in log.scan()? {
        let record = record?;
        println!("{}: {}", record.seq, record.data.name);
    }
    Ok(())
}
