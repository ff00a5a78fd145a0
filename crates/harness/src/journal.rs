//! Acknowledgements outside of the process.
//!
//! A line for each, with the run and the scenario that it is of: one file may serve several scenarios,
//! and several runs one after another.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use load_engine::{Digest, Effect, Effects, Ledger, LedgerEntry};
use report::line_sum::{self, Sum};
use serde::Deserialize;

use crate::Error;
use crate::manifest::Manifest;

/// Where effects are acknowledged: in the run's ledger, and on request also in a file outside of
/// the process.
///
/// The file is what remains of the ledger when the process is killed. Each entry is one `write` of
/// one line; an acknowledgement is written after the target's answer, and an attempt before the
/// target is asked, so that neither says more than what had happened.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    file: Option<Arc<Outside>>,
    /// How each line begins: the run and the scenario, if they are known.
    head: Arc<[u8]>,
}

#[derive(Debug)]
struct Outside {
    file: File,
    path: PathBuf,
    /// Why the first line that could not be written was not. Nothing is written after it: half a line
    /// may stand there, and what would follow could not be told from it.
    failure: Mutex<Option<Failed>>,
}

#[derive(Debug)]
struct Failed {
    /// None once it was told.
    error: Option<io::Error>,
}

/// Says that the line before was not written to its end, since whoever wrote it was killed.
const TORN_BEFORE: &[u8] = b"{\"torn_before\":true}";

impl Journal {
    /// Keeps no file.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Appends each acknowledgement to a file, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be opened for appending.
    pub fn append_to(path: &Path) -> Result<Self, Error> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(Error::io("open", path))?;
        if ends_within_a_line(&mut file).map_err(Error::io("read", path))? {
            let mark = [b"\n", TORN_BEFORE, b"\n"].concat();
            file.write_all(&mark).map_err(Error::io("write", path))?;
        }
        Ok(Self {
            file: Some(Arc::new(Outside {
                file,
                path: path.to_owned(),
                failure: Mutex::new(None),
            })),
            head: Arc::default(),
        })
    }

    /// The same journal for the run that writes a data directory: its lines name that run, so that
    /// [`reread`](crate::reread) tells them from those of others.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::NotAScenario`] when the directory does not say which run that is.
    pub fn for_directory(&self, directory: &Path) -> Result<Self, Error> {
        if self.file.is_none() {
            return Ok(self.clone());
        }
        let manifest = Manifest::read(directory)?;
        let text = |text: &Option<String>| serde_json::json!(text).to_string();
        let (run, scenario) = (text(&manifest.run), text(&manifest.name));
        Ok(Self {
            file: self.file.clone(),
            head: format!("\"run\":{run},\"scenario\":{scenario},")
                .into_bytes()
                .into(),
        })
    }

    /// Enters that a write of this key is about to be asked for: until its acknowledgement, the
    /// target may have made it or not, and neither is held against it.
    pub fn attempted(&self, to: &mut Effects<'_>, kind: &'static str, key: &str) {
        to.attempted(kind, key);
        self.note(kind, key, Effect::Attempted);
    }

    /// Enters an effect that made something new.
    pub fn created(&self, to: &mut Effects<'_>, kind: &'static str, key: &str, digest: Digest) {
        to.created(kind, key, digest);
        self.note(kind, key, Effect::Created(digest));
    }

    /// Enters an effect that wrote something, whether or not it was there before.
    pub fn updated(&self, to: &mut Effects<'_>, kind: &'static str, key: &str, digest: Digest) {
        to.updated(kind, key, digest);
        self.note(kind, key, Effect::Updated(digest));
    }

    /// Enters an effect that removed something.
    pub fn removed(&self, to: &mut Effects<'_>, kind: &'static str, key: &str) {
        to.removed(kind, key);
        self.note(kind, key, Effect::Removed);
    }

    fn note(&self, kind: &'static str, key: &str, effect: Effect) {
        let Some(file) = &self.file else { return };
        let entry = LedgerEntry {
            kind: kind.into(),
            key: key.into(),
            effect,
            user: 0,
            started_ns: 0,
            settled_ns: 0,
        };
        let entry = serde_json::to_vec(&entry).expect("an entry has only text and numbers");
        let mut line = Vec::with_capacity(self.head.len() + entry.len() + 32);
        line.push(b'{');
        line.extend_from_slice(&self.head);
        line.extend_from_slice(&entry[1..]);
        line_sum::add(&mut line);
        line.push(b'\n');
        file.write(&line);
    }

    /// Gives the first failure to write a line. It is no failure of the target, so it is not
    /// counted among those; but a journal with a hole proves nothing.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut failed = file.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match failed.as_mut().and_then(|failed| failed.error.take()) {
            Some(error) => Err(Error::io("write the journal", &file.path)(error)),
            None => Ok(()),
        }
    }
}

impl Outside {
    fn write(&self, line: &[u8]) {
        let failure = || self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        // One call, so that lines of two threads do not mix: the file is open for appending.
        let written = match (&self.file).write(line) {
            Ok(written) if written == line.len() => return,
            Ok(_) => Err(io::ErrorKind::StorageFull.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                (&self.file).write_all(line)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            let error = Some(error);
            failure().get_or_insert(Failed { error });
        }
    }
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// The acknowledgements of one run.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    pub(crate) ledger: Ledger,
    /// How many lines there are of other runs.
    pub(crate) of_others: u64,
}

/// A line, as far as it is of interest here.
#[derive(Debug, Deserialize)]
struct Line<'a> {
    #[serde(default, borrow)]
    run: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    scenario: Option<Cow<'a, str>>,
    #[serde(flatten)]
    entry: LedgerEntry<'a>,
}

/// Reads the whole lines of a journal that are of the run that wrote a directory, by its manifest, or that
/// name no run. The last line may have been cut by the end of the process, before anyone could have
/// relied on it.
pub(crate) fn read(path: &Path, of: Option<&Manifest>) -> Result<Acknowledged, Error> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut found = Acknowledged::default();
    let mut lines = (1..)
        .zip(bytes.split_inclusive(|byte| *byte == b'\n'))
        .peekable();
    while let Some((number, line)) = lines.next() {
        let Some(line) = line.strip_suffix(b"\n") else {
            break;
        };
        let next = lines.peek().and_then(|(_, next)| next.strip_suffix(b"\n"));
        if line == TORN_BEFORE || next == Some(TORN_BEFORE) {
            continue;
        }
        let damaged = |reason: String| Error::JournalLine {
            path: path.to_owned(),
            line: number,
            reason,
        };
        if line_sum::check(line) == Sum::Wrong {
            return Err(damaged("its checksum does not fit".to_owned()));
        }
        let line: Line<'_> =
            serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
        let is_of = |own: Option<&str>, named: &Option<Cow<'_, str>>| {
            named.is_none() || own == named.as_deref()
        };
        let run = of.and_then(|of| of.run.as_deref());
        let scenario = of.and_then(|of| of.name.as_deref());
        if is_of(run, &line.run) && is_of(scenario, &line.scenario) {
            found.ledger.push(&line.entry);
        } else {
            found.of_others += 1;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(journal: &Journal, key: &str) {
        journal.note("record", key, Effect::Removed);
    }

    /// A data directory of a run.
    fn directory() -> (tempfile::TempDir, Manifest) {
        let dir = tempfile::tempdir().unwrap();
        let manifest = Manifest::begin("storage", "mine").unwrap();
        manifest.write(dir.path()).unwrap();
        (dir, manifest)
    }

    fn keys(path: &Path, of: Option<&Manifest>) -> Vec<String> {
        let found = read(path, of).unwrap();
        found
            .ledger
            .iter()
            .map(|entry| entry.key.into_owned())
            .collect()
    }

    /// Every scenario of a suite with one journal "did not hold": the lines of all were taken for its own.
    #[test]
    fn lines_of_several_runs_in_one_file_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let ((one, of_one), (other, of_other)) = (directory(), directory());
        let journal = Journal::append_to(&path).unwrap();
        note(&journal.for_directory(one.path()).unwrap(), "1");
        note(&journal.for_directory(other.path()).unwrap(), "2");
        note(&journal.for_directory(one.path()).unwrap(), "3");
        note(&journal, "of nobody");
        assert_eq!(keys(&path, Some(&of_one)), ["1", "3", "of nobody"]);
        assert_eq!(keys(&path, Some(&of_other)), ["2", "of nobody"]);
        assert_eq!(read(&path, Some(&of_other)).unwrap().of_others, 2);
    }

    #[test]
    fn a_line_that_a_kill_cut_is_left_out_and_the_next_run_goes_on_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        note(&Journal::append_to(&path).unwrap(), "1");
        let whole = std::fs::read(&path).unwrap();
        let torn = [&whole[..], &whole[..whole.len() / 2]].concat();
        std::fs::write(&path, &torn).unwrap();
        assert_eq!(keys(&path, None), ["1"]);
        note(&Journal::append_to(&path).unwrap(), "2");
        assert_eq!(keys(&path, None), ["1", "2"]);
    }

    #[test]
    fn a_flipped_bit_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let journal = Journal::append_to(&path).unwrap();
        note(&journal, "1");
        note(&journal, "2");
        let whole = std::fs::read(&path).unwrap();
        let second = whole.len() / 2;
        for at in second..whole.len() - 1 {
            let mut damaged = whole.clone();
            damaged[at] ^= 4;
            std::fs::write(&path, &damaged).unwrap();
            let error = read(&path, None).unwrap_err().to_string();
            assert!(error.contains("line 2"), "byte {at}: {error}");
        }
    }
}
