//! How well threads share syncs: on a disk whose sync takes exactly so long, in memory otherwise,
//! so that the figures do not depend on the machine's disk.
//!
//! A hundred threads can append at most a hundred records a sync; the share of that which is
//! reached is (sync / 100) / (time a record). Latencies are given as if each were one iteration.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jsonl_storage::{Backend, BackendFile, FsBackend, Lock, Log, LogOptions, OpenMode};

/// The real file system, with a sync that only takes time.
#[derive(Debug)]
struct TimedDisk {
    real: FsBackend,
    sync: Duration,
}

#[derive(Debug)]
struct TimedFile {
    real: Arc<dyn BackendFile>,
    sync: Duration,
}

impl Backend for TimedDisk {
    fn dir(&self) -> &Path {
        self.real.dir()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.real.list()
    }

    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn BackendFile>> {
        let (real, sync) = (self.real.open(name, mode)?, self.sync);
        Ok(Arc::new(TimedFile { real, sync }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.real.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.real.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.real.sync_dir()
    }

    fn lock(&self) -> io::Result<Lock> {
        self.real.lock()
    }
}

impl BackendFile for TimedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.real.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.real.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.real.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        std::thread::sleep(self.sync);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        self.real.size()
    }
}

/// Has 100 threads append so many records each; gives the whole time and all latencies, sorted.
fn run(log: &Log<String>, each: u64) -> (Duration, Vec<Duration>) {
    let record = "x".repeat(250);
    let began = Instant::now();
    let mut latencies: Vec<Duration> = std::thread::scope(|scope| {
        let append = || {
            let append = |_| {
                let began = Instant::now();
                log.append(&record).unwrap();
                began.elapsed()
            };
            (0..each).map(append).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..100).map(|_| scope.spawn(append)).collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        ended.flatten().collect()
    });
    latencies.sort_unstable();
    (began.elapsed(), latencies)
}

fn commit(c: &mut Criterion) {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() {
        memory
    } else {
        Path::new(".")
    };
    for millis in [1, 5] {
        let dir = tempfile::tempdir_in(place).unwrap();
        let disk = TimedDisk {
            real: FsBackend::new(dir.path()),
            sync: Duration::from_millis(millis),
        };
        let log: Log<String> = LogOptions::new().chained().open_on(Arc::new(disk)).unwrap();
        let mut group = c.benchmark_group(format!("100 threads, a sync of {millis} ms"));
        group.throughput(Throughput::Elements(1));
        group.bench_function("time a record", |b| {
            b.iter_custom(|iterations| run(&log, iterations.div_ceil(100)).0);
        });
        for percent in [50, 99] {
            group.bench_function(BenchmarkId::new("latency, percentile", percent), |b| {
                b.iter_custom(|iterations| {
                    let (_, latencies) = run(&log, 20);
                    let at = (latencies.len() - 1) * percent / 100;
                    latencies[at] * u32::try_from(iterations).unwrap_or(u32::MAX)
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1));
    targets = commit
}
criterion_main!(all);
