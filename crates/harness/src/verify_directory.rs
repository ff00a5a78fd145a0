//! What a run left in a directory, read without changing it.

use std::fs;
use std::path::{Path, PathBuf};

use approval_workflow::SnapshotComparison;
use load_engine::{Defect, Discrepancy, Effect, Failure, Ledger, LedgerEntry, Verification};
use report::history::{HISTORY_FILE, History};
use serde::Serialize;

use crate::journal::{self, Acknowledged};
use crate::manifest::{self, Manifest};
use crate::targets::{TARGETS, read_back};
use crate::{Error, Target};

/// How deep [`inspect`] looks for logs and memory stores below a directory.
const DEPTH: usize = 4;

/// Everything that was found below a directory.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Inspection {
    /// The logs, by path.
    pub logs: Vec<LogInspection>,
    /// The memory stores, by path.
    pub memory_stores: Vec<MemoryInspection>,
    /// The snapshots of approval logs, by path.
    pub approval_snapshots: Vec<SnapshotInspection>,
    /// Files that belong to a run and are damaged, each with what is wrong.
    pub damaged_files: Vec<String>,
    /// How many folders of saved reports were compared with their checksums.
    pub reports: u64,
    /// Checkpoints that are of none of the logs, by their origins.
    pub checkpoints_without_log: Vec<String>,
}

impl Inspection {
    /// Why the data may not be the whole of what was acknowledged, although nothing shows that it is
    /// not: as text.
    pub fn doubts(&self) -> impl Iterator<Item = &str> {
        let doubts = self.logs.iter().flat_map(|log| &log.doubts);
        doubts.map(String::as_str)
    }

    /// Whether everything that had been acknowledged is as it was written, as far as the data
    /// itself can tell. See also [`Inspection::doubts`].
    #[must_use]
    pub fn holds(&self) -> bool {
        self.checkpoints_without_log.is_empty()
            && self.damaged_files.is_empty()
            && self.logs.iter().all(|log| log.corruptions.is_empty())
            && self
                .memory_stores
                .iter()
                .all(|store| store.disagreements.is_empty())
            && self
                .approval_snapshots
                .iter()
                .all(|snapshot| snapshot.difference.is_none())
    }
}

/// One log.
#[derive(Debug, Clone, Serialize)]
pub struct LogInspection {
    /// Its directory.
    pub directory: PathBuf,
    /// Whole records.
    pub records: u64,
    /// The number of the last one.
    pub last: u64,
    /// Up to where the records say that the log had been synced.
    pub synced: u64,
    /// Whether its lines carry a hash chain, which was checked then.
    pub chained: bool,
    /// Damage to what had been synced, as text with file, line and byte.
    pub corruptions: Vec<String>,
    /// What stands behind it and cannot be read: the next opening sets it aside.
    pub torn: Vec<String>,
    /// Why it may not be the whole of what was acknowledged, as text.
    pub doubts: Vec<String>,
    /// Which log it is, if it states that.
    pub identity: Option<String>,
    /// What was removed from its beginning, as it states itself.
    pub removed: Option<String>,
    /// Index files that are damaged, and are made anew from the records when they are needed.
    pub damaged_indexes: Vec<PathBuf>,
}

/// One memory store.
#[derive(Debug, Clone, Serialize)]
pub struct MemoryInspection {
    /// Its directory.
    pub directory: PathBuf,
    /// Memories.
    pub items: u64,
    /// Edges.
    pub edges: u64,
    /// Memories with a vector.
    pub vectors: u64,
    /// What does not agree, as text.
    pub disagreements: Vec<String>,
    /// Saved graphs of vectors that are damaged, and are built anew when the store is opened.
    pub damaged_indexes: Vec<PathBuf>,
}

/// The snapshot beside the log of an approval workflow.
#[derive(Debug, Clone, Serialize)]
pub struct SnapshotInspection {
    /// Its directory.
    pub directory: PathBuf,
    /// About what it says something else than the log, or why the two cannot be compared.
    pub difference: Option<String>,
    /// Why an opening will not use it and read the whole log, if that is so.
    pub unusable: Option<String>,
}

/// Reads every log, memory store and saved report in a directory and up to four levels below it.
///
/// # Errors
///
/// [`Error::NothingToVerify`] when there is none, and when one cannot be read at all. Damage is no
/// error here, it is the result.
pub fn inspect(directory: &Path) -> Result<Inspection, Error> {
    inspect_against(directory, &[])
}

/// As [`inspect`], and compares checkpoints that were kept elsewhere, each with its own log, by which a
/// cut tail or a log that was written anew is found.
///
/// # Errors
///
/// As [`inspect`].
pub fn inspect_against(
    directory: &Path,
    checkpoints: &[jsonl_storage::Checkpoint],
) -> Result<Inspection, Error> {
    let mut found = Inspection::default();
    visit(directory, DEPTH, &mut |directory| {
        if jsonl_storage::is_log(directory) {
            let verified = jsonl_storage::verify_log(directory)?;
            found.logs.push(LogInspection::new(directory, &verified));
            found
                .approval_snapshots
                .extend(inspect_snapshot(directory)?);
        }
        found.damaged_files.extend(inspect_manifest(directory));
        found.damaged_files.extend(inspect_history(directory)?);
        if let Some(damaged) = report::check_sums(directory)? {
            found.reports += 1;
            found.damaged_files.extend(damaged);
        }
        match memory_store::verify_store(directory) {
            Ok(report) => found
                .memory_stores
                .push(MemoryInspection::new(directory, &report)),
            Err(memory_store::Error::NoStore { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    })?;
    if found.logs.is_empty() && found.memory_stores.is_empty() && found.reports == 0 {
        return Err(Error::NothingToVerify {
            path: directory.to_owned(),
        });
    }
    compare_checkpoints(&mut found, checkpoints)?;
    Ok(found)
}

/// Compares each checkpoint with its own log only: the one whose identity it names, or else the only
/// one that has a chain.
fn compare_checkpoints(
    found: &mut Inspection,
    checkpoints: &[jsonl_storage::Checkpoint],
) -> Result<(), Error> {
    for checkpoint in checkpoints {
        let identity = checkpoint.log.map(|log| log.to_string());
        let mut own = found.logs.iter_mut().filter(|log| match &identity {
            Some(_) if log.identity.is_some() => log.identity == identity,
            _ => log.chained,
        });
        let (Some(log), None) = (own.next(), own.next()) else {
            let origin = checkpoint.origin.clone();
            found.checkpoints_without_log.push(origin);
            continue;
        };
        let options = jsonl_storage::VerifyOptions::new().against(checkpoint.clone());
        *log = LogInspection::new(&log.directory, &options.verify(&log.directory)?);
    }
    Ok(())
}

/// The directories that runs left in a directory and below it: those with a file that says which run wrote
/// them.
///
/// # Errors
///
/// [`Error::Io`] when a directory cannot be read.
pub fn data_directories(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    visit(directory, DEPTH, &mut |directory| {
        if directory.join(manifest::NAME).is_file() {
            found.push(directory.to_owned());
        }
        Ok(())
    })?;
    Ok(found)
}

/// Compares what a run left in a directory with the acknowledgements that a
/// [`Journal`](crate::Journal) kept outside of it. The directory says which run wrote it, and which of
/// [`TARGETS`]; the journal may have lines of other runs too.
///
/// What the run left is opened as the target itself would open it, in a copy, so that the recovery which
/// belongs to an opening changes nothing in the directory. A run may still be writing to it.
///
/// The journal says what was acknowledged; what was under way when the process ended may be there
/// or not, so things that nobody acknowledged are counted and held against nobody.
///
/// # Errors
///
/// When the journal or the directory cannot be read, or no known target wrote the directory.
pub fn reread(directory: &Path, journal: &Path) -> Result<Reread, Error> {
    let manifest = Manifest::read(directory)?;
    let entry = manifest.target(directory, TARGETS)?;
    reread_by(directory, journal, Some(&manifest), |copy, ledger, each| {
        entry.verify(copy, ledger, each)
    })
}

/// As [`reread`], for a target of your own: `open` opens it in a directory.
///
/// # Errors
///
/// When the journal or the directory cannot be read, or the target cannot be opened.
pub fn verify_directory<T: Target>(
    directory: &Path,
    journal: &Path,
    open: impl FnOnce(&Path) -> Result<T, Failure>,
) -> Result<Reread, Error> {
    let manifest = Manifest::read(directory).ok();
    reread_by(
        directory,
        journal,
        manifest.as_ref(),
        |copy, ledger, each| {
            let verified = open(copy).and_then(|target| read_back(target, ledger, each));
            verified.map_err(|failure| Error::Target {
                scenario: directory.display().to_string(),
                operation: "reopen",
                failure,
            })
        },
    )
}

/// Verifies a copy of a directory by the acknowledgements in a journal.
fn reread_by(
    directory: &Path,
    journal: &Path,
    manifest: Option<&Manifest>,
    verify: impl FnOnce(&Path, &Ledger, &mut dyn FnMut(&Discrepancy)) -> Result<Verification, Error>,
) -> Result<Reread, Error> {
    let copy = tempfile::tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
    let ledger = copy_between(directory, copy.path(), || journal::read(journal, manifest))?;
    if ledger.ledger.is_empty() && ledger.of_others > 0 {
        return Err(Error::JournalOfOthers {
            path: journal.to_owned(),
            directory: directory.to_owned(),
            others: ledger.of_others,
        });
    }
    let mut reread = Reread {
        directory: directory.to_owned(),
        ..Reread::default()
    };
    reread.verification = verify(copy.path(), &ledger.ledger, &mut |item| match item.defect {
        Defect::Unexpected if item.user.is_none() => reread.unacknowledged += 1,
        _ => reread.discrepancies.push(item.clone()),
    })?;
    Ok(reread)
}

/// Copies a directory, and reads the journal before and after: a run may be writing to both. What was
/// acknowledged before the copy began must be in it; what was acknowledged or tried meanwhile may be in it
/// or not, in either state.
fn copy_between(
    directory: &Path,
    to: &Path,
    read: impl Fn() -> Result<Acknowledged, Error>,
) -> Result<Acknowledged, Error> {
    let mut before = read()?;
    copy_all(directory, to)?;
    let after = read()?;
    for entry in after.ledger.iter().skip(before.ledger.len()) {
        let effect = Effect::Attempted;
        before.ledger.push(&LedgerEntry { effect, ..entry });
    }
    before.of_others = after.of_others;
    Ok(before)
}

/// What is wrong with the file that says which run wrote a directory, if there is one.
fn inspect_manifest(directory: &Path) -> Option<String> {
    let exists = directory.join(manifest::NAME).exists();
    let read = exists.then(|| Manifest::read(directory))?;
    read.err().map(|error| error.to_string())
}

/// The lines of a history of runs that are damaged, if there is one.
fn inspect_history(directory: &Path) -> Result<Option<String>, Error> {
    let path = directory.join(HISTORY_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let lines = History::read(&path)?.damaged;
    let lines: Vec<_> = lines.iter().map(usize::to_string).collect();
    Ok((!lines.is_empty()).then(|| format!("{}: line {}", path.display(), lines.join(", "))))
}

/// Compares a snapshot with its log, in a copy: both are opened as a workflow would.
fn inspect_snapshot(directory: &Path) -> Result<Option<SnapshotInspection>, Error> {
    if !directory.join(approval_workflow::SNAPSHOT_FILE).exists() {
        return Ok(None);
    }
    let copy = tempfile::tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
    copy_all(directory, copy.path())?;
    let (difference, unusable) = match approval_workflow::compare_snapshot(copy.path()) {
        Ok(Some(SnapshotComparison::Differs { what })) => (Some(what), None),
        Ok(Some(SnapshotComparison::Unusable(fault))) => (None, Some(fault.to_string())),
        Ok(_) => (None, None),
        // A damaged log is told as what it is, beside this.
        Err(error) => (Some(format!("the log cannot be opened: {error}")), None),
    };
    Ok(Some(SnapshotInspection {
        directory: directory.to_owned(),
        difference,
        unusable,
    }))
}

/// Copies a directory that may be written to meanwhile: logs only grow, so a copy of each file ends
/// somewhere; a memory store in use is copied as of one moment.
fn copy_all(from: &Path, to: &Path) -> Result<(), Error> {
    // All names first: a segment that is begun meanwhile is later than the copy.
    let entries = fs::read_dir(from).map_err(Error::io("read directory", from))?;
    let entries: Vec<fs::DirEntry> = entries
        .collect::<Result<_, _>>()
        .map_err(Error::io("read directory", from))?;
    let is_live = memory_store::copy_if_in_use(from, to)?;
    for entry in entries {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(Error::io("examine", &source))?;
        // A target writes files and directories. A link could lead in circles, and a pipe would
        // never end, so neither is followed.
        if kind.is_dir() {
            fs::create_dir(&target).map_err(Error::io("create directory", &target))?;
            copy_all(&source, &target)?;
        } else if kind.is_file() && !(is_live && memory_store::is_database_file(&source)) {
            fs::copy(&source, &target).map_err(Error::io("copy", &source))?;
        }
    }
    Ok(())
}

/// What [`reread`] found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Reread {
    /// The directory that was read.
    pub directory: PathBuf,
    /// The counts, in which everything that nobody acknowledged is `unexpected`.
    pub verification: Verification,
    /// How much is there that nobody acknowledged: what was under way when the process ended.
    pub unacknowledged: u64,
    /// What does not hold.
    pub discrepancies: Vec<Discrepancy>,
}

impl Reread {
    /// Whether everything that was acknowledged is there, as it was acknowledged.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.discrepancies.is_empty() && !self.verification.abandoned
    }
}

/// Calls back with a directory and those below it, in the order of their paths.
fn visit(
    directory: &Path,
    depth: usize,
    each: &mut impl FnMut(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut below = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::io("read directory", directory))? {
        let entry = entry.map_err(Error::io("read directory", directory))?;
        // A link could lead back up, and what it leads to is found by its own name.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below.push(entry.path());
        }
    }
    each(directory)?;
    below.sort();
    for directory in below.iter().filter(|_| depth > 0) {
        visit(directory, depth - 1, each)?;
    }
    Ok(())
}

impl LogInspection {
    fn new(directory: &Path, found: &jsonl_storage::Verified) -> Self {
        let text = |broken: &jsonl_storage::Break| {
            format!(
                "{} line {} (byte {}): {}",
                broken.file.display(),
                broken.line,
                broken.byte,
                broken.kind
            )
        };
        let corruptions: Vec<_> = found.corruptions().collect();
        let is_torn = |broken: &&jsonl_storage::Break| !corruptions.contains(broken);
        let removed = found.removed.as_ref().map(|(at, removal)| {
            let (first, last) = (removal.first, removal.last);
            format!(
                "records {first} to {last} ({}), as record {at} states",
                removal.why
            )
        });
        Self {
            directory: directory.to_owned(),
            records: found.records,
            last: found.last.0,
            synced: found.synced.0,
            chained: found.chained,
            torn: found.breaks.iter().filter(is_torn).map(text).collect(),
            corruptions: corruptions.iter().map(|broken| text(broken)).collect(),
            doubts: found.doubts().iter().map(ToString::to_string).collect(),
            identity: found.identity.map(|identity| identity.to_string()),
            removed,
            damaged_indexes: found.damaged_indexes.clone(),
        }
    }
}

impl MemoryInspection {
    fn new(directory: &Path, found: &memory_store::CheckReport) -> Self {
        Self {
            directory: directory.to_owned(),
            items: found.items,
            edges: found.edges,
            vectors: found.vectors,
            disagreements: found
                .disagreements
                .iter()
                .map(ToString::to_string)
                .collect(),
            damaged_indexes: found.damaged_indexes.clone(),
        }
    }
}
