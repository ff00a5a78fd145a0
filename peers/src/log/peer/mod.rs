//! The peers, each at its best setting that keeps the promise: when a call returns, the record is
//! on disk.

mod bare;
mod fjall;
mod jsonlines;
mod okaywal;
mod ours;
mod redb;
mod sqlite;

use std::path::Path;

use crate::log::record::Record;

/// An open store.
pub(crate) trait Peer: Sync {
    /// Appends one record and returns when it is on disk.
    fn append(&self, record: &Record) -> anyhow::Result<()>;

    /// Appends many records and returns when all are on disk.
    fn append_batch(&self, record: &mut Record, records: u64) -> anyhow::Result<()> {
        let _ = (record, records);
        anyhow::bail!("this peer is measured one by one only")
    }

    fn close(self: Box<Self>) -> anyhow::Result<()>;
}

/// How a peer is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One record a call, from any number of threads.
    Single,
    /// So many records a call, from one thread.
    Batches(u64),
}

#[derive(Debug)]
pub(crate) struct PeerInfo {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) open: fn(&Path) -> anyhow::Result<Box<dyn Peer>>,
    /// How many records a closed store holds, by opening it again.
    pub(crate) count: fn(&Path) -> anyhow::Result<u64>,
}

/// In the order of the table; the first one of each kind is what the others are compared with.
pub(crate) static PEERS: [PeerInfo; 16] = [
    PeerInfo {
        name: "jsonl-storage, chained",
        kind: Kind::Single,
        open: ours::open_chained,
        count: ours::count,
    },
    PeerInfo {
        name: "jsonl-storage",
        kind: Kind::Single,
        open: ours::open,
        count: ours::count,
    },
    PeerInfo {
        name: "bare write + sync",
        kind: Kind::Single,
        open: bare::open,
        count: bare::count,
    },
    PeerInfo {
        name: "serde_jsonlines + sync",
        kind: Kind::Single,
        open: jsonlines::open,
        count: jsonlines::count,
    },
    PeerInfo {
        name: "SQLite, one a transaction",
        kind: Kind::Single,
        open: sqlite::open,
        count: sqlite::count,
    },
    PeerInfo {
        name: "SQLite, grouped by a channel",
        kind: Kind::Single,
        open: sqlite::open_grouped,
        count: sqlite::count,
    },
    PeerInfo {
        name: "SQLite, grouped by a condvar",
        kind: Kind::Single,
        open: sqlite::open_grouped_by_condvar,
        count: sqlite::count,
    },
    PeerInfo {
        name: "okaywal",
        kind: Kind::Single,
        open: okaywal::open,
        count: okaywal::count,
    },
    PeerInfo {
        name: "fjall",
        kind: Kind::Single,
        open: fjall::open,
        count: fjall::count,
    },
    PeerInfo {
        name: "redb",
        kind: Kind::Single,
        open: redb::open,
        count: redb::count,
    },
    PeerInfo {
        name: "jsonl-storage, chained, 1,000 a wait",
        kind: Kind::Batches(1_000),
        open: ours::open_chained,
        count: ours::count,
    },
    PeerInfo {
        name: "jsonl-storage, 1,000 a wait",
        kind: Kind::Batches(1_000),
        open: ours::open,
        count: ours::count,
    },
    PeerInfo {
        name: "SQLite, 1,000 a transaction",
        kind: Kind::Batches(1_000),
        open: sqlite::open,
        count: sqlite::count,
    },
    PeerInfo {
        name: "jsonl-storage, chained, 10,000 a wait",
        kind: Kind::Batches(10_000),
        open: ours::open_chained,
        count: ours::count,
    },
    PeerInfo {
        name: "jsonl-storage, 10,000 a wait",
        kind: Kind::Batches(10_000),
        open: ours::open,
        count: ours::count,
    },
    PeerInfo {
        name: "SQLite, 10,000 a transaction",
        kind: Kind::Batches(10_000),
        open: sqlite::open,
        count: sqlite::count,
    },
];
