//! Facts that change, and what was known of them before.

use std::sync::Arc;

use action::Timestamp;

use crate::error::{Result, SqliteContext};
use crate::metadata::find_versions;
use crate::model::memory::{Memory, NewMemory};
use crate::model::millis::floor;
use crate::model::names::{MemoryId, Namespace};
use crate::model::time::{Moment, Version, When};
use crate::writer::{Write, Written};

use super::MemoryStore;

impl MemoryStore {
    /// Corrects what is known of a memory: the whole content is replaced, and what was known before
    /// is left in its history. The new version is returned once it is on disk. It is recorded no
    /// earlier than the version before it. The id that the new content may have is not used.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownMemory`](crate::Error::UnknownMemory), and those of
    /// [`remember`](Self::remember).
    pub fn update(&self, id: MemoryId, memory: NewMemory) -> Result<u32> {
        self.update_expecting(id, None, memory)
    }

    /// As [`update`](Self::update), if the memory still has the [version](Memory::version) that the
    /// caller read.
    ///
    /// # Errors
    ///
    /// [`Error::MemoryVersion`](crate::Error::MemoryVersion) if it has another one, and those of
    /// [`update`](Self::update).
    pub fn update_if(&self, id: MemoryId, version: u32, memory: NewMemory) -> Result<u32> {
        self.update_expecting(id, Some(version), memory)
    }

    fn update_expecting(
        &self,
        id: MemoryId,
        version: Option<u32>,
        memory: NewMemory,
    ) -> Result<u32> {
        let prepared = Box::new(self.prepare(memory)?);
        match self.writer.write(Write::Update(id, version, prepared))? {
            Written::Updated(version, _) => Ok(version),
            other => unreachable!("an update was answered with {other:?}"),
        }
    }

    /// Remembers what has taken the place of a memory in the world: the old one ends where the new
    /// one begins, and the new one is linked to it by the relation `supersedes`, all in one step.
    /// If the new one begins before the old one did, those that the old one had superseded end there
    /// too: no two of them are true at any moment. The new one's id is returned.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadySuperseded`](crate::Error::AlreadySuperseded) if another one has taken its
    /// place before, and those of [`update`](Self::update).
    pub fn supersede(&self, old: MemoryId, memory: NewMemory) -> Result<MemoryId> {
        self.supersede_expecting(old, None, memory)
    }

    /// As [`supersede`](Self::supersede), if the old memory still has the
    /// [version](Memory::version) that the caller read.
    ///
    /// # Errors
    ///
    /// [`Error::MemoryVersion`](crate::Error::MemoryVersion) if it has another one, and those of
    /// [`supersede`](Self::supersede).
    pub fn supersede_if(&self, old: MemoryId, version: u32, memory: NewMemory) -> Result<MemoryId> {
        self.supersede_expecting(old, Some(version), memory)
    }

    fn supersede_expecting(
        &self,
        old: MemoryId,
        version: Option<u32>,
        memory: NewMemory,
    ) -> Result<MemoryId> {
        let prepared = Box::new(self.prepare(memory)?);
        match self
            .writer
            .write(Write::Supersede(old, version, prepared))?
        {
            Written::Superseded(superseded) => Ok(superseded.new),
            other => unreachable!("supersede was answered with {other:?}"),
        }
    }

    /// Ends a memory: it is found as of earlier moments only. Whether it did not end as early
    /// before.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownMemory`](crate::Error::UnknownMemory), and those of
    /// [`remember`](Self::remember) that concern the disk.
    pub fn end(
        &self,
        namespace: &Namespace,
        id: MemoryId,
        until: Timestamp,
        recorded_at: Timestamp,
    ) -> Result<bool> {
        match self.writer.write(Write::End {
            namespace: namespace.clone(),
            id,
            until: floor(until),
            recorded_at: floor(recorded_at),
        })? {
            Written::Ended(ended) => Ok(ended.is_some()),
            other => unreachable!("an end was answered with {other:?}"),
        }
    }

    /// What was true of a memory at a moment, or what was known of it then.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn get_when(
        &self,
        namespace: &Namespace,
        id: MemoryId,
        moment: Moment,
    ) -> Result<Option<Arc<Memory>>> {
        match moment {
            Moment::TrueAt(moment) => self.find(namespace, id, When::AsOf(moment)),
            Moment::KnownAt(moment) => self.known_at(namespace, id, moment),
        }
    }

    fn known_at(
        &self,
        namespace: &Namespace,
        id: MemoryId,
        moment: Timestamp,
    ) -> Result<Option<Arc<Memory>>> {
        let mut versions = self.history(namespace, id)?;
        // The last of those: of two that were recorded at once, the earlier was known to nobody.
        let known = versions
            .iter()
            .rposition(|version| version.fact.recorded_at <= moment);
        Ok(known.map(|place| Arc::new(versions.swap_remove(place).fact)))
    }

    /// Every version of a memory, the oldest first; the last is what is known now. None if there is
    /// no such memory.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn history(&self, namespace: &Namespace, id: MemoryId) -> Result<Vec<Version<Memory>>> {
        find_versions(&self.readers.lend(), namespace, id)
            .sqlite("read the history of a memory", self.readers.path())
    }

    /// Removes what has expired by a moment, in all namespaces and from all tiers; how many
    /// memories. Other writes come in between.
    ///
    /// # Errors
    ///
    /// Those of [`remember`](Self::remember) that concern the disk; what was removed until then
    /// stays removed.
    pub fn sweep(&self, moment: Timestamp) -> Result<u64> {
        /// As many as the writes of a group, so that nobody waits longer for a sweep than for that.
        const AT_ONCE: u32 = 512;
        let mut removed = 0;
        loop {
            let limit = AT_ONCE;
            match self.writer.write(Write::Sweep { moment, limit })? {
                Written::Swept(swept) => {
                    removed += swept.len() as u64;
                    if swept.len() < limit as usize {
                        return Ok(removed);
                    }
                }
                other => unreachable!("a sweep was answered with {other:?}"),
            }
        }
    }
}
