//! Agent state: compare and set, checkpoints, forks.

use action::Timestamp;

use crate::error::{Error, Result, SqliteContext};
use crate::metadata::{StateReader, list_checkpoints};
use crate::model::names::check_name;
use crate::model::state::{
    AgentRun, Checkpoint, CheckpointId, Difference, Expected, Retention, StateWrite,
    StateWriteKind, Versioned, check_value,
};
use crate::writer::{Write, Written};

use super::MemoryStore;

impl MemoryStore {
    /// Sets a key of a run's state if the version there is the expected one; the new version is
    /// returned once it is on disk. The first write creates the run. Of a value above 4 KiB, only
    /// those parts are stored that no other version in the namespace has.
    ///
    /// # Errors
    ///
    /// [`Error::VersionConflict`], [`Error::InvalidName`] for the key, [`Error::TooLarge`] above
    /// 16 MiB, and those of [`remember`](Self::remember) that concern the disk.
    pub fn put_state(
        &self,
        run: &AgentRun,
        key: impl Into<String>,
        value: impl Into<Vec<u8>>,
        expected: Expected,
    ) -> Result<u64> {
        let (key, value) = (key.into(), value.into());
        check_name("key", &key)?;
        check_value(run, &key, &value)?;
        let value = self.values.prepare(run, &key, value);
        self.write_state(
            run,
            StateWriteKind::Put {
                key,
                value: Some(value),
                expected,
            },
        )
    }

    /// Removes a key of a run's state if the version there is the expected one.
    ///
    /// # Errors
    ///
    /// Those of [`put_state`](Self::put_state).
    pub fn remove_state(
        &self,
        run: &AgentRun,
        key: impl Into<String>,
        expected: Expected,
    ) -> Result<()> {
        let key = key.into();
        check_name("key", &key)?;
        self.write_state(
            run,
            StateWriteKind::Put {
                key,
                value: None,
                expected,
            },
        )
        .map(drop)
    }

    /// The value of a key of a run's state.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn state(&self, run: &AgentRun, key: &str) -> Result<Option<Versioned>> {
        let reader = self.readers.lend();
        let _snapshot = reader.snapshot()?;
        StateReader::new(&reader, run)
            .and_then(|state| state.get(key))
            .sqlite("read the state", self.readers.path())
    }

    /// The value that a key of a run's state had at a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownCheckpoint`], and if the database cannot be read.
    pub fn state_at(
        &self,
        run: &AgentRun,
        checkpoint: CheckpointId,
        key: &str,
    ) -> Result<Option<Versioned>> {
        let reader = self.readers.lend();
        let _snapshot = reader.snapshot()?;
        StateReader::new(&reader, run)
            .and_then(|state| state.get_at(checkpoint, key))
            .sqlite("read a checkpoint", self.readers.path())?
            .ok_or_else(|| Error::UnknownCheckpoint {
                run: Box::new(run.clone()),
                checkpoint,
            })
    }

    /// The keys of a run's state, in their order.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn state_keys(&self, run: &AgentRun) -> Result<Vec<String>> {
        let reader = self.readers.lend();
        let _snapshot = reader.snapshot()?;
        StateReader::new(&reader, run)
            .and_then(|state| state.keys())
            .sqlite("read the state", self.readers.path())
    }

    /// Marks the run's state of now, to return to it. Nothing is copied: a value is kept when it is
    /// next replaced.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRun`], and those of [`remember`](Self::remember) that concern the disk.
    pub fn checkpoint(
        &self,
        run: &AgentRun,
        label: impl Into<String>,
        at: Timestamp,
    ) -> Result<CheckpointId> {
        let label = label.into();
        self.write_state(run, StateWriteKind::Checkpoint { label, at })
            .map(CheckpointId)
    }

    /// The checkpoints of a run, the oldest first.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn checkpoints(&self, run: &AgentRun) -> Result<Vec<Checkpoint>> {
        let reader = self.readers.lend();
        list_checkpoints(&reader, run).sqlite("list the checkpoints", self.readers.path())
    }

    /// Removes the checkpoints of a run that a retention does not keep, and the versions that only
    /// they could see; how many checkpoints. A fork keeps what it began with.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRun`], and those of [`remember`](Self::remember) that concern the disk.
    pub fn retain_checkpoints(&self, run: &AgentRun, retention: Retention) -> Result<u64> {
        self.write_state(run, StateWriteKind::Retain(retention))
    }

    /// Returns a run's state to one of its checkpoints, in one step. Versions go on growing, so a
    /// writer that has not noticed fails its next compare and set.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRun`] or [`Error::UnknownCheckpoint`], and those of
    /// [`remember`](Self::remember) that concern the disk.
    pub fn restore(&self, run: &AgentRun, checkpoint: CheckpointId) -> Result<()> {
        self.write_state(run, StateWriteKind::Restore(checkpoint))
            .map(drop)
    }

    /// Begins a new run of the same agent at a checkpoint. Nothing is copied: the fork reads
    /// through to its parent.
    ///
    /// # Errors
    ///
    /// [`Error::RunExists`], [`Error::UnknownRun`], [`Error::UnknownCheckpoint`] or
    /// [`Error::InvalidName`], and those of [`remember`](Self::remember) that concern the disk.
    pub fn fork(
        &self,
        run: &AgentRun,
        checkpoint: CheckpointId,
        name: impl Into<String>,
    ) -> Result<AgentRun> {
        let fork = AgentRun::new(run.namespace.clone(), run.agent.clone(), name)?;
        let name = fork.run.clone();
        self.write_state(
            run,
            StateWriteKind::Fork {
                from: checkpoint,
                name,
            },
        )?;
        Ok(fork)
    }

    /// How the keys differ between two checkpoints of a run, in their order.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownCheckpoint`], and if the database cannot be read.
    pub fn diff(
        &self,
        run: &AgentRun,
        from: CheckpointId,
        to: CheckpointId,
    ) -> Result<Vec<Difference>> {
        let reader = self.readers.lend();
        let path = self.readers.path();
        let _snapshot = reader.snapshot()?;
        let state = StateReader::new(&reader, run).sqlite("read the state", path)?;
        let at = |checkpoint| {
            let keys = state
                .at_checkpoint(checkpoint)
                .sqlite("read a checkpoint", path)?;
            keys.ok_or_else(|| Error::UnknownCheckpoint {
                run: Box::new(run.clone()),
                checkpoint,
            })
        };
        let (from, to) = (at(from)?, at(to)?);
        let removed = from.keys().filter(|key| !to.contains_key(*key));
        let removed = removed.map(|key| (key, Difference::Removed(key.clone())));
        let written = to.iter().filter_map(|(key, version)| match from.get(key) {
            None => Some((key, Difference::Added(key.clone()))),
            Some(old) if old != version => Some((key, Difference::Changed(key.clone()))),
            Some(_) => None,
        });
        let mut differences: Vec<_> = removed.chain(written).collect();
        differences.sort_by_key(|(key, _)| *key);
        Ok(differences
            .into_iter()
            .map(|(_, difference)| difference)
            .collect())
    }

    fn write_state(&self, run: &AgentRun, kind: StateWriteKind) -> Result<u64> {
        match self.writer.write(Write::State(StateWrite {
            run: run.clone(),
            kind,
        }))? {
            Written::State(number) => Ok(number),
            other => unreachable!("a write of state was answered with {other:?}"),
        }
    }
}
