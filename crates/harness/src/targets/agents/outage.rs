//! A store that is killed and recovers while the load goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use load_engine::Failure;
use memory_store::MemoryStore;

/// A store in one of several generations of its directory: a kill ends one, and the next is made of
/// what the last one had on disk by then.
#[derive(Debug)]
pub(super) struct MortalStore {
    home: PathBuf,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    generation: u32,
    /// None while it is down.
    store: Option<MemoryStore>,
}

impl MortalStore {
    /// Opens the newest generation in a directory, or the first one.
    pub(super) fn open(home: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(home)?;
        let generation = newest(home)?.unwrap_or(1);
        let store = MemoryStore::open(place(home, generation))?;
        Ok(Self {
            home: home.to_owned(),
            state: RwLock::new(State {
                generation,
                store: Some(store),
            }),
        })
    }

    /// Uses the store, which lives at least as long as that.
    ///
    /// # Errors
    ///
    /// That of `action`, and when the store is down.
    pub(super) fn with<T>(
        &self,
        action: impl FnOnce(&MemoryStore) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let state = self.read();
        let store = state.store.as_ref();
        action(store.ok_or_else(|| Failure::new("the store is down"))?)
    }

    pub(super) fn is_down(&self) -> bool {
        self.read().store.is_none()
    }

    /// Kills the store: the files as they are now are all that is left of it. Nothing is flushed,
    /// closed or marked as whole first. Does nothing if it is down.
    pub(super) fn kill(&self) -> Result<(), Failure> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.store.is_none() {
            return Ok(());
        }
        let (dying, next) = (
            place(&self.home, state.generation),
            place(&self.home, state.generation + 1),
        );
        // Copied under another name first: half a copy must not be taken for a generation.
        let draft = self.home.join("store-draft");
        copy_files(&dying, &draft)?;
        fs::rename(&draft, &next)?;
        state.generation += 1;
        // What it still writes in the end goes to the files that nobody reads again.
        state.store = None;
        fs::remove_dir_all(&dying)?;
        Ok(())
    }

    /// Opens what the kill has left. Says whether it was down.
    pub(super) fn recover(&self) -> Result<bool, Failure> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.store.is_some() {
            return Ok(false);
        }
        state.store = Some(MemoryStore::open(place(&self.home, state.generation))?);
        Ok(true)
    }

    pub(super) fn close(self) -> Result<(), Failure> {
        let state = self.state.into_inner();
        match state.unwrap_or_else(PoisonError::into_inner).store {
            Some(store) => Ok(store.close()?),
            None => Ok(()),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(home: &Path, generation: u32) -> PathBuf {
    home.join(format!("store-{generation}"))
}

/// The number of the last generation that is there.
fn newest(home: &Path) -> Result<Option<u32>, Failure> {
    let mut newest = None;
    for entry in fs::read_dir(home)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("store-"));
        newest = newest.max(number.and_then(|number| number.parse().ok()));
    }
    Ok(newest)
}

/// Copies the files of a directory, and those below it.
fn copy_files(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_files(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use memory_store::{AgentRun, Expected, Namespace};

    use super::*;

    #[test]
    fn what_was_acknowledged_before_a_kill_is_there_after_the_recovery() {
        let dir = tempfile::tempdir().unwrap();
        let store = MortalStore::open(dir.path()).unwrap();
        let run = AgentRun::new(Namespace::new("team").unwrap(), "agent", "run").unwrap();
        let write = |value: u8| {
            store.with(|store| Ok(store.put_state(&run, "key", [value], Expected::Anything)?))
        };
        write(1).unwrap();
        store.kill().unwrap();
        assert!(store.is_down());
        assert_eq!(write(2).unwrap_err().message(), "the store is down");
        assert!(store.recover().unwrap());
        assert!(!store.recover().unwrap(), "only one recovers it");
        let read = store.with(|store| Ok(store.state(&run, "key")?)).unwrap();
        assert_eq!(read.unwrap().value, [1]);
        write(3).unwrap();
        store.kill().unwrap();
        store.close().unwrap();
        let again = MortalStore::open(dir.path()).unwrap();
        let read = again.with(|store| Ok(store.state(&run, "key")?)).unwrap();
        assert_eq!(read.unwrap().value, [3], "killed and reopened");
    }
}
