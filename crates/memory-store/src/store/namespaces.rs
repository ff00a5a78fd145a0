//! Namespaces as a whole, and the room that the store takes up.

use std::sync::Arc;

use crate::error::Result;
use crate::metadata::find_usage;
use crate::model::change::Change;
use crate::model::names::Namespace;
use crate::model::quota::{Quota, Usage};
use crate::writer::Write;

use super::MemoryStore;

impl MemoryStore {
    /// Sets what a namespace may hold, and creates it if it is missing.
    ///
    /// # Errors
    ///
    /// Those of [`remember`](Self::remember) that concern the disk.
    pub fn set_quota(&self, namespace: &Namespace, quota: Quota) -> Result<()> {
        self.writer
            .write(Write::SetQuota(namespace.clone(), quota))
            .map(drop)
    }

    /// What a namespace holds and may hold; nothing and anything if there is none.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn usage(&self, namespace: &Namespace) -> Result<Usage> {
        find_usage(&self.readers, namespace)
    }

    /// Removes a namespace with all that is in it from all tiers, and leaves no byte of it in any
    /// file of the store; whether there was one. Rewrites the database to do so: writes wait
    /// meanwhile, and the disk needs room for it once more.
    ///
    /// # Errors
    ///
    /// [`Error::LogInUse`](crate::Error::LogInUse) if somebody holds [`Entries`](crate::Entries):
    /// the namespace is gone then, and [`compact`](Self::compact) removes what is left of its
    /// bytes. And those of [`remember`](Self::remember) that concern the disk.
    pub fn delete_namespace(&self, namespace: &Namespace) -> Result<bool> {
        let tiers = Arc::clone(&self.tiers);
        let namespace = namespace.clone();
        let existed = self.writer.inspect(move |session| {
            let existed = session.delete_namespace(&namespace)?;
            if existed {
                tiers.apply(&Change::NamespaceDeleted(namespace));
                tiers.count(session.connection(), session.path())?;
            }
            // Also without one: the last attempt may have failed here.
            session.compact()?;
            Ok(existed)
        })?;
        self.values.clear();
        existed
    }

    /// Merges the full-text index, rewrites the database without free pages, and empties the
    /// write-ahead log. Writes wait meanwhile, and the disk needs room for the database once more.
    ///
    /// # Errors
    ///
    /// [`Error::LogInUse`](crate::Error::LogInUse) if somebody holds [`Entries`](crate::Entries),
    /// and those of [`remember`](Self::remember) that concern the disk.
    pub fn compact(&self) -> Result<()> {
        self.writer.inspect(crate::metadata::Session::compact)?
    }
}
