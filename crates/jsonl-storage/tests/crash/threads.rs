//! Many threads on one log while the machine fails: whoever was answered was told the truth, and
//! everybody is answered.
//!
//! The order in which the threads run is the scheduler's, stirred by yields at every call of the
//! backend, so a seed does not repeat a run; it repeats what goes wrong and what the threads do.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use jsonl_storage::{Backend, BackendFile, Error, Lock, Log, LogOptions, OpenMode, Seq, Ticket};

use crate::backend::{CrashPoint, Machine, Plan};
use crate::disk::{Disk, Survival};
use crate::life::{Failure, ensure};
use crate::rng::Rng;

const THREADS: u64 = 6;
const STEPS: u64 = 25;

/// What one thread was told about its records.
#[derive(Debug, Default)]
struct Told {
    durable: Vec<(Seq, u64)>,
    refused: Vec<u64>,
}

/// As [`run`], and fails when it does not end: nobody takes this long.
pub(crate) fn run_to_its_end(seed: u64) -> Result<(), Failure> {
    let (done, result) = sync_channel(1);
    let runner = std::thread::Builder::new()
        .name("crash:threads".to_owned())
        .spawn(move || done.send(run(seed)))
        .expect("a thread can be started");
    match result.recv_timeout(Duration::from_secs(60)) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(Failure("somebody waits for ever".to_owned())),
        Err(RecvTimeoutError::Disconnected) => match runner.join() {
            Ok(_) => unreachable!("it sends before it ends"),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

fn run(seed: u64) -> Result<(), Failure> {
    let mut rng = Rng::new(seed);
    let machine = Machine::new(Disk::default(), plan(&mut rng));
    let stirred = Stirred {
        inner: machine.backend(),
        yields: Arc::new(AtomicU64::new(rng.next())),
    };
    let log = match options(&mut rng).open_on(Arc::new(stirred)) {
        Ok(log) => log,
        // There may be no room for an identity.
        Err(Error::Full { .. }) if machine.is_limited() => return Ok(()),
        Err(_) => {
            return ensure(machine.is_down() || machine.sync_has_failed(), || {
                "nothing was wrong, and the log does not open".to_owned()
            });
        }
    };
    let told = use_by_threads(&log, &machine, &mut rng)?;
    drop(log);

    let disk = machine.disk_after_power_cut(rng.pick(&Survival::ALL), &mut rng);
    check(disk, &told)
}

fn plan(rng: &mut Rng) -> Plan {
    let change = rng.below(250);
    Plan {
        crash_at: rng.chance(40).then(|| CrashPoint {
            change,
            bytes: rng.below(500),
        }),
        fail_sync: rng.chance(30).then(|| rng.next() % 60),
        fail_dir_sync: None,
        partial: rng.chance(30),
        capacity: rng.chance(40).then(|| rng.below(5_000)),
        seed: rng.next(),
    }
}

fn options(rng: &mut Rng) -> LogOptions {
    let options = LogOptions::new()
        .queue_bytes(rng.pick(&[150, 1_000, 1 << 20]))
        .queue_records(rng.pick(&[2, 1_000]))
        .segment_bytes(rng.pick(&[500, 10_000, 64 << 20]));
    match rng.below(6) {
        0 => options.chained(),
        1 | 2 => options.chained().chained_in_groups(),
        _ => options,
    }
}

fn use_by_threads(log: &Log<u64>, machine: &Machine, rng: &mut Rng) -> Result<Vec<Told>, Failure> {
    let start = Barrier::new(usize::try_from(THREADS).expect("few"));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (mut rng, start) = (rng.fork(), &start);
                scope.spawn(move || {
                    start.wait();
                    use_by_one(log, machine, thread, &mut rng)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .collect()
    })
}

fn use_by_one(
    log: &Log<u64>,
    machine: &Machine,
    thread: u64,
    rng: &mut Rng,
) -> Result<Told, Failure> {
    let mut told = Told::default();
    for step in 0..STEPS {
        let number = thread * STEPS + step;
        let result = match rng.below(12) {
            0 => log.flush().map(|()| None),
            1 => log.sync().map(|()| None),
            2 => log.rotate().map(|()| None),
            // Nobody waits for this one, so nobody is told.
            3 => log.submit(&number).map(|_| None),
            4..6 => log.submit(&number).and_then(Ticket::wait).map(Some),
            _ => log.append(&number).map(Some),
        };
        match result {
            Ok(None) => {}
            Ok(Some(seq)) => {
                ensure(log.durable() >= seq, || {
                    format!("{seq} is acknowledged, not durable")
                })?;
                told.durable.push((seq, number));
            }
            Err(Error::Full { .. }) if machine.is_limited() => {
                told.refused.push(number);
                machine.set_capacity(Some(machine.used() + rng.below(2_000)));
            }
            Err(_) if machine.is_down() || machine.sync_has_failed() => break,
            Err(error) => return Err(Failure(format!("nothing was wrong, but: {error:?}"))),
        }
    }
    Ok(told)
}

/// Every acknowledged record is there under its number, no refused one is, and none is twice.
fn check(disk: Disk, told: &[Told]) -> Result<(), Failure> {
    let machine = Machine::new(disk, Plan::default());
    let opened = LogOptions::new().open_on(machine.backend());
    let log: Log<u64> = opened.map_err(|error| Failure(format!("reopening: {error:?}")))?;
    let records = log.scan().and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let records = records.map_err(|error| Failure(format!("reading: {error:?}")))?;
    let found: BTreeMap<_, _> = records
        .iter()
        .map(|record| (record.seq, record.data))
        .collect();
    let numbers: BTreeSet<_> = found.values().collect();
    ensure(numbers.len() == records.len(), || {
        format!("a record is there twice: {found:?}")
    })?;
    for (seq, number) in told.iter().flat_map(|told| &told.durable) {
        ensure(found.get(seq) == Some(number), || {
            format!(
                "{number} was acknowledged as {seq}, where {:?} is",
                found.get(seq)
            )
        })?;
    }
    for number in told.iter().flat_map(|told| &told.refused) {
        ensure(!numbers.contains(number), || {
            format!("{number} was refused and is there")
        })?;
    }
    Ok(())
}

/// Lets other threads run at every call.
#[derive(Debug, Clone)]
struct Stirred<T> {
    inner: T,
    yields: Arc<AtomicU64>,
}

impl<T> Stirred<T> {
    fn stir(&self) -> &T {
        let number = self.yields.fetch_add(1, Ordering::Relaxed);
        for _ in 0..Rng::new(number).below(4) {
            std::thread::yield_now();
        }
        &self.inner
    }
}

impl Backend for Stirred<Arc<dyn Backend>> {
    /// The same for each log, so that a seed repeats a run byte by byte.
    fn identity(&self) -> io::Result<Option<[u8; 16]>> {
        Ok(Some([7; 16]))
    }

    fn dir(&self) -> &Path {
        self.inner.dir()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.stir().list()
    }

    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn BackendFile>> {
        let inner = self.stir().open(name, mode)?;
        Ok(Arc::new(Stirred {
            inner,
            yields: Arc::clone(&self.yields),
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.stir().rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.stir().remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.stir().sync_dir()
    }

    fn lock(&self) -> io::Result<Lock> {
        self.stir().lock()
    }
}

impl BackendFile for Stirred<Arc<dyn BackendFile>> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.stir().read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.stir().write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.stir().set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.stir().sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        self.stir().size()
    }
}
