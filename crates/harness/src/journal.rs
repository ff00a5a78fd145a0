use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use load_engine::{Digest, Effect, Effects, LedgerEntry};

use crate::Error;

/// Where effects are acknowledged: in the run's ledger, and on request also in a file outside of
/// the process.
///
/// The file is what remains of the ledger when the process is killed. Each entry is one `write` of
/// one line; an acknowledgement is written after the target's answer, and an attempt before the
/// target is asked, so that neither says more than what had happened.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    file: Option<Arc<Outside>>,
}

#[derive(Debug)]
struct Outside {
    file: File,
    path: PathBuf,
    /// Why the first line that could not be written was not.
    failure: Mutex<Option<io::Error>>,
}

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
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map_err(Error::io("open", path))?;
        Ok(Self {
            file: Some(Arc::new(Outside {
                file,
                path: path.to_owned(),
                failure: Mutex::new(None),
            })),
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
        let mut line = serde_json::to_vec(&entry).expect("an entry has only text and numbers");
        line.push(b'\n');
        // One call, so that lines of two threads do not mix: the file is open for appending.
        if let Err(error) = (&file.file).write_all(&line) {
            let mut failure = file.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(error);
        }
    }

    /// Gives the first failure to write a line. It is no failure of the target, so it is not
    /// counted among those; but a journal with a hole proves nothing.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut failure = file.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match failure.take() {
            Some(error) => Err(Error::io("write the journal", &file.path)(error)),
            None => Ok(()),
        }
    }
}
