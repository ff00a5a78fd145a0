//! Verification of a ledger on disk: what was found is spread over files in the same way, and then
//! each pair of files is compared on its own.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, scope};

use super::{PARTS, SpilledLedger, format, part_of, unreadable};
use crate::error::RunError;
use crate::ledger::verify::{Discrepancy, ErrorsInARow, Found, Verification, verify_part};

/// Discrepancies that a thread may be ahead of their reader.
const AHEAD: usize = 256;

/// How far a verification has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpillProgress {
    /// Things found in the target so far; all of them, when comparing has begun.
    pub found: u64,
    /// Entries of the ledger that have been compared.
    pub compared: u64,
    /// All entries of the ledger.
    pub entries: u64,
}

/// Things found, between two reports of progress.
const FOUND_STEP: u64 = 10_000;

/// What a thread tells of the file that it compares.
enum Message {
    Discrepancy(Discrepancy),
    Compared(Box<Verification>),
    Failed(RunError),
}

impl SpilledLedger {
    /// Compares the ledger with what was found, on so many threads.
    ///
    /// The memory needed is that of one file's entries a thread, a 64th of the ledger, whatever was
    /// found. `each` is called with every discrepancy, in an order that does not depend on the threads.
    ///
    /// # Errors
    ///
    /// When a file cannot be written or read. Errors of `found` are counted as unreadable.
    pub fn verify<E: Display>(
        &self,
        found: impl IntoIterator<Item = Result<Found, E>>,
        threads: NonZeroUsize,
        mut on_progress: impl FnMut(SpillProgress),
        mut each: impl FnMut(&Discrepancy),
    ) -> Result<Verification, RunError> {
        let mut progress = SpillProgress {
            found: 0,
            compared: 0,
            entries: self.len(),
        };
        let mut sum = Verification::default();
        let found = FoundFiles::write(
            &self.folder,
            found,
            |error| sum.count_unreadable(error, &mut each),
            |count| {
                progress.found = count;
                on_progress(progress);
            },
        )?;
        sum.abandoned = found.abandoned;
        let next = AtomicUsize::new(0);
        let (senders, receivers): (Vec<_>, Vec<Receiver<_>>) =
            (0..PARTS).map(|_| sync_channel(AHEAD)).unzip();
        let (found, next, senders) = (&found, &next, &senders);
        // The receivers end with this, also when it fails: nobody waits for them any more.
        scope(move |workers| {
            for _ in 0..threads.get().min(PARTS) {
                self.start(workers, found, next, senders)?;
            }
            // In the files' order. Who compares a later one waits when it is too far ahead.
            for (messages, entries) in receivers.into_iter().zip(&self.entries) {
                sum.absorb(collect(&messages, &mut each)?);
                progress.compared += entries;
                on_progress(progress);
            }
            Ok(sum)
        })
    }

    fn start<'scope>(
        &'scope self,
        workers: &'scope Scope<'scope, '_>,
        found: &'scope FoundFiles,
        next: &'scope AtomicUsize,
        senders: &'scope [SyncSender<Message>],
    ) -> Result<(), RunError> {
        let work = move || {
            loop {
                let part = next.fetch_add(1, Ordering::Relaxed);
                let Some(sender) = senders.get(part) else {
                    return;
                };
                let message = match self.compare(part, found, sender) {
                    Ok(verification) => Message::Compared(Box::new(verification)),
                    Err(error) => Message::Failed(error),
                };
                if sender.send(message).is_err() {
                    // The reader has given up.
                    return;
                }
            }
        };
        Builder::new()
            .name("load-engine:verify".to_owned())
            .spawn_scoped(workers, work)
            .map(drop)
            .map_err(|source| RunError::LedgerIo {
                operation: "start a thread to verify",
                source,
            })
    }

    fn compare(
        &self,
        part: usize,
        found: &FoundFiles,
        sender: &SyncSender<Message>,
    ) -> Result<Verification, RunError> {
        let ledger = self.part(part)?;
        let abandoned = found.abandoned;
        let mut failed = None;
        let found = found.read(part)?.map_while(|found| match found {
            Ok(found) => Some(Ok::<_, io::Error>(found)),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        let verification = verify_part(&ledger, found, abandoned, |discrepancy| {
            // The reader has given up, which the last message finds out too.
            drop(sender.send(Message::Discrepancy(discrepancy.clone())));
        });
        match failed {
            None => Ok(verification),
            Some(error) => Err(unreadable(error)),
        }
    }
}

/// Receives what one file showed.
fn collect(
    messages: &Receiver<Message>,
    each: &mut impl FnMut(&Discrepancy),
) -> Result<Verification, RunError> {
    loop {
        match messages.recv() {
            Ok(Message::Discrepancy(discrepancy)) => each(&discrepancy),
            Ok(Message::Compared(verification)) => return Ok(*verification),
            Ok(Message::Failed(error)) => return Err(error),
            Err(_) => unreachable!("the senders live as long as the receivers"),
        }
    }
}

/// What was found, by the same files as the ledger. They are removed when this is dropped.
struct FoundFiles {
    folder: PathBuf,
    counts: Vec<u64>,
    abandoned: bool,
}

impl FoundFiles {
    fn write<E: Display>(
        folder: &Path,
        found: impl IntoIterator<Item = Result<Found, E>>,
        mut on_error: impl FnMut(&E),
        mut on_found: impl FnMut(u64),
    ) -> Result<Self, RunError> {
        let mut files = Self {
            folder: folder.to_owned(),
            counts: vec![0; PARTS],
            abandoned: false,
        };
        let failed = |source| RunError::LedgerIo {
            operation: "write what was found beside",
            source,
        };
        let mut writers = (0..PARTS)
            .map(|part| File::create(found_file(folder, part)).map(BufWriter::new))
            .collect::<io::Result<Vec<_>>>()
            .map_err(failed)?;
        let mut errors = ErrorsInARow::default();
        let mut count = 0;
        for item in found {
            match &item {
                Ok(found) => {
                    let part = part_of(&found.kind, &found.key);
                    format::write_found(&mut writers[part], found).map_err(failed)?;
                    files.counts[part] += 1;
                    count += 1;
                    if count % FOUND_STEP == 0 {
                        on_found(count);
                    }
                }
                Err(error) => on_error(error),
            }
            if errors.are_too_many(item.is_err()) {
                files.abandoned = true;
                break;
            }
        }
        for writer in &mut writers {
            writer.flush().map_err(failed)?;
        }
        on_found(count);
        Ok(files)
    }

    fn read(
        &self,
        part: usize,
    ) -> Result<impl Iterator<Item = io::Result<Found>> + use<>, RunError> {
        let file = File::open(found_file(&self.folder, part)).map_err(unreadable)?;
        let mut reader = BufReader::new(file);
        Ok((0..self.counts[part]).map(move |_| format::read_found(&mut reader)))
    }
}

impl Drop for FoundFiles {
    fn drop(&mut self) {
        for part in 0..PARTS {
            // What is left of them the next verification overwrites.
            drop(fs::remove_file(found_file(&self.folder, part)));
        }
    }
}

fn found_file(folder: &Path, part: usize) -> PathBuf {
    folder.join(format!("found-{part:02}.bin"))
}
