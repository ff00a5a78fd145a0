//! Giving up the oldest files of a log, or moving them elsewhere.

use std::io;
use std::path::{Path, PathBuf};

use crate::backend::fs::FsBackend;
use crate::backend::{self, Appender, Backend, Contents, OpenMode};
use crate::catalog::Catalog;
use crate::catalog::files::Full;
use crate::error::Error;
use crate::format::compression::Form;
use crate::format::segment::{self, Segment};
use crate::format::seq::Seq;
use crate::format::statement::{Removal, Statement};

/// A file of a log that is complete, as far as its summary goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Where it is.
    pub path: PathBuf,
    /// Its first record.
    pub first: Seq,
    /// Its last record.
    pub last: Seq,
    /// Its length.
    pub bytes: u64,
    /// The earliest and the latest time, in a log with [`Index::by_time`](crate::Index::by_time).
    pub times: Option<(u64, u64)>,
}

impl SegmentInfo {
    pub(crate) fn of(full: &Full) -> Self {
        let summary = &full.sidecar.summary;
        Self {
            path: full.segment.path.clone(),
            first: summary.first,
            last: summary.last,
            bytes: summary.bytes,
            times: summary.times,
        }
    }
}

/// Which of the oldest files of a log are kept; the others are retired by
/// [`Log::retire`](crate::Log::retire). Without any limit, all are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    bytes_max: Option<u64>,
    since: Option<u64>,
    archive: Option<PathBuf>,
    form: Form,
}

impl Retention {
    /// Starts without any limit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Retires the oldest files until those that are complete have at most so many bytes.
    #[must_use]
    pub fn bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = Some(bytes);
        self
    }

    /// Retires the oldest files as long as every record in them has a time before this one. Does
    /// nothing in a log without [`Index::by_time`](crate::Index::by_time).
    #[must_use]
    pub fn since(mut self, time: u64) -> Self {
        self.since = Some(time);
        self
    }

    /// Copies what is retired to another directory first, which is made if it is missing.
    /// [`verify_log`](crate::verify_log) reads it like a log.
    #[must_use]
    pub fn archive(mut self, dir: impl Into<PathBuf>) -> Self {
        self.archive = Some(dir.into());
        self
    }

    /// Compresses what goes to the archive with zstd: `zstdcat segment-*.jsonl.zst | jq` reads it,
    /// and so do [`verify_log`](crate::verify_log) and [`salvage`](crate::salvage()).
    #[cfg(feature = "zstd")]
    #[must_use]
    pub fn compressed(mut self) -> Self {
        self.form = Form::Zstd;
        self
    }

    pub(crate) fn archive_dir(&self) -> Option<(&Path, Form)> {
        self.archive.as_deref().map(|dir| (dir, self.form))
    }

    /// In words, for the log's statement.
    pub(crate) fn why(&self) -> String {
        let bytes = self.bytes_max.map(|bytes| format!("at most {bytes} bytes"));
        let since = self
            .since
            .map(|since| format!("nothing before time {since}"));
        let limits: Vec<_> = bytes.into_iter().chain(since).collect();
        why(
            &format!("retention: {}", limits.join(", ")),
            self.archive.as_deref(),
        )
    }

    /// How many of the files, given oldest first, are not kept.
    pub(crate) fn expendable(&self, files: &[SegmentInfo]) -> usize {
        let mut left: u64 = files.iter().map(|file| file.bytes).sum();
        let mut expendable = 0;
        for file in files {
            let too_much = self.bytes_max.is_some_and(|most| left > most);
            let latest = file.times.map(|(_, latest)| latest);
            let too_old =
                matches!((latest, self.since), (Some(latest), Some(since)) if latest < since);
            if !too_much && !too_old {
                break;
            }
            left -= file.bytes;
            expendable += 1;
        }
        expendable
    }
}

/// Why files are removed, and where they went.
pub(crate) fn why(reason: &str, archive: Option<&Path>) -> String {
    match archive {
        Some(dir) => format!("{reason}; archived in {}", dir.display()),
        None => reason.to_owned(),
    }
}

/// Copies segments to a directory, durably, each under its name only when it is whole.
pub(crate) fn archive(
    from: &dyn Backend,
    files: &[SegmentInfo],
    before: Option<Removal>,
    (to, form): (&Path, Form),
) -> Result<(), Error> {
    let target = FsBackend::create(to).map_err(Error::io("create directory", to))?;
    if let Some(before) = before {
        state_start(&target, files, before)?;
    }
    for file in files {
        let source = Segment::new(from.dir(), file.first);
        let segment = form.segment(to, file.first);
        let unfinished = format!("{}.tmp", segment.name);
        copy(from, &source.name, &target, &unfinished, file.bytes, form)
            .and_then(|()| target.rename(&unfinished, &segment.name))
            .map_err(Error::io("archive to", &segment.path))?;
    }
    segment::sync_dir(&target)
}

/// Writes beside the files of a new archive what was removed from the log before them. An archive that
/// goes on has its beginning.
fn state_start(target: &FsBackend, files: &[SegmentInfo], before: Removal) -> Result<(), Error> {
    let path = target.dir().join(segment::START);
    if files
        .first()
        .is_none_or(|file| file.first != before.last.next())
        || !segment::list(target)?.is_empty()
    {
        return Ok(());
    }
    let text = Statement::removal(None, false, before).json();
    let write = || {
        match target.remove(segment::START) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = target.open(segment::START, OpenMode::CreateNew)?;
        backend::write_all_at(&*file, &text, 0)?;
        file.sync_data()
    };
    write().map_err(Error::io("write", &path))
}

fn copy(
    from: &dyn Backend,
    name: &str,
    to: &dyn Backend,
    target_name: &str,
    bytes: u64,
    form: Form,
) -> io::Result<()> {
    let source = from.open(name, OpenMode::Read)?;
    // Half of one from an interrupted attempt.
    match to.remove(target_name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let target = to.open(target_name, OpenMode::CreateNew)?;
    let mut contents = Contents {
        file: &*source,
        at: 0,
        end: bytes,
    };
    form.write(&mut contents, bytes, Appender::new(&*target))?;
    target.sync_data()
}

/// Removes the oldest segments from a log that is open.
///
/// The index of each goes first, and durably: one without its segment means a loss.
pub(crate) fn remove(catalog: &Catalog, files: &[SegmentInfo]) -> Result<(), Error> {
    let _alone = catalog.writing.lock();
    let backend = &*catalog.backend;
    let remove = |name: &str| match backend.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", &backend.dir().join(name))(error))
        }
        _ => Ok(()),
    };
    let segments: Vec<_> = files
        .iter()
        .map(|file| Segment::new(backend.dir(), file.first))
        .collect();
    for segment in &segments {
        remove(&segment.sidecar_name())?;
    }
    segment::sync_dir(backend)?;
    catalog.forget_before(files.last().map_or(Seq::ZERO, |file| file.last.next()));
    // One after the other: without its first segment a log is whole, without one in the middle not.
    for segment in &segments {
        remove(&segment.name)?;
        segment::sync_dir(backend)?;
    }
    Ok(())
}
