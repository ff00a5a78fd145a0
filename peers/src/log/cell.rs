//! One measurement: a peer, a number of threads, a medium.

use std::fmt;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;

use crate::log::peer::{Kind, Peer, PeerInfo};
use crate::log::record::Record;
use crate::log::sync;

/// Where the files are and what a sync does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Medium {
    /// In memory, each sync a sleep.
    Memory { sync: Duration },
    /// On the disk, each sync a sync.
    Disk,
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { sync } => write!(f, "sync {} ms", sync.as_millis()),
            Self::Disk => f.write_str("disk"),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) peer: &'static PeerInfo,
    pub(crate) threads: usize,
    pub(crate) medium: Medium,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:10} {:3} threads  {:38}",
            self.medium.to_string(),
            self.threads,
            self.peer.name
        )
    }
}

/// What came out of one round of a cell.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) records_per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) records_per_sync: f64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, p50, p99) = (self.records_per_second, self.p50, self.p99);
        write!(
            f,
            "{rate:9.0}/s  p50 {p50:8.2?}  p99 {p99:8.2?}  {:.1} a sync",
            self.records_per_sync
        )
    }
}

/// What one thread saw.
struct Seen {
    /// Acknowledged in all, warm-up and end included.
    acknowledged: u64,
    /// Acknowledged within the window.
    within: u64,
    /// Nanoseconds of each call that was under way within the window, also of those that ended
    /// after it: a thread that starves has a latency too.
    latencies: Histogram<u64>,
}

impl Cell {
    /// Appends for a while, closes, opens again and counts.
    pub(crate) fn measure(&self, folder: &Path, window: Duration) -> anyhow::Result<Measured> {
        let dir = tempfile::Builder::new()
            .prefix("peers-")
            .tempdir_in(folder)?;
        sync::replace_by_sleep(Duration::ZERO);
        let peer = (self.peer.open)(dir.path()).context("open")?;
        if let Medium::Memory { sync: length } = self.medium {
            sync::replace_by_sleep(length);
        }
        let syncs = sync::calls();
        let (seen, length) = self.run(&*peer, window)?;
        let syncs = sync::calls() - syncs;
        sync::replace_by_sleep(Duration::ZERO);
        peer.close().context("close")?;

        let acknowledged: u64 = seen.iter().map(|seen| seen.acknowledged).sum();
        let kept = (self.peer.count)(dir.path()).context("count")?;
        ensure!(
            kept == acknowledged,
            "{acknowledged} records acknowledged, {kept} kept"
        );

        let mut latencies = histogram();
        for seen in &seen {
            latencies.add(&seen.latencies)?;
        }
        let within: u64 = seen.iter().map(|seen| seen.within).sum();
        let quantile = |q| Duration::from_nanos(latencies.value_at_quantile(q));
        Ok(Measured {
            records_per_second: within as f64 / length.as_secs_f64(),
            p50: quantile(0.5),
            p99: quantile(0.99),
            records_per_sync: acknowledged as f64 / syncs as f64,
        })
    }

    fn run(&self, peer: &dyn Peer, window: Duration) -> anyhow::Result<(Vec<Seen>, Duration)> {
        let (begun, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        let start = Barrier::new(self.threads + 1);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads)
                .map(|thread| {
                    let (begun, ended, start) = (&begun, &ended, &start);
                    scope.spawn(move || {
                        start.wait();
                        append(peer, self.peer.kind, thread, begun, ended)
                    })
                })
                .collect();
            start.wait();
            std::thread::sleep(window / 4);
            begun.store(true, Ordering::Relaxed);
            let began = Instant::now();
            std::thread::sleep(window);
            ended.store(true, Ordering::Relaxed);
            let length = began.elapsed();
            let seen = workers
                .into_iter()
                .map(|worker| worker.join().expect("a worker does not panic"))
                .collect::<anyhow::Result<_>>()?;
            Ok((seen, length))
        })
    }
}

fn append(
    peer: &dyn Peer,
    kind: Kind,
    thread: usize,
    begun: &AtomicBool,
    ended: &AtomicBool,
) -> anyhow::Result<Seen> {
    let mut record = Record::new(thread);
    let mut seen = Seen {
        acknowledged: 0,
        within: 0,
        latencies: histogram(),
    };
    while !ended.load(Ordering::Relaxed) {
        let called = Instant::now();
        let records = match kind {
            Kind::Single => {
                peer.append(record.number(seen.acknowledged))?;
                1
            }
            Kind::Batches(records) => {
                peer.append_batch(&mut record, records)?;
                records
            }
        };
        let nanos = u64::try_from(called.elapsed().as_nanos()).expect("a call ends");
        seen.acknowledged += records;
        if begun.load(Ordering::Relaxed) {
            seen.latencies.record(nanos)?;
            seen.within += if ended.load(Ordering::Relaxed) {
                0
            } else {
                records
            };
        }
    }
    Ok(seen)
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("3 significant digits are valid")
}
