//! Namespaces as a whole, and the room that the store takes up.

use std::sync::Arc;

use crate::error::Result;
use crate::metadata::{find_namespaces, find_usage};
use crate::model::change::Change;
use crate::model::language::Language;
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

    /// Sets in which language the texts of a namespace are, and creates it if it is missing. Its
    /// texts are read anew; writes wait meanwhile. Default: [`Language::English`].
    ///
    /// # Errors
    ///
    /// Those of [`remember`](Self::remember) that concern the disk.
    pub fn set_language(&self, namespace: &Namespace, language: Language) -> Result<()> {
        let tiers = Arc::clone(&self.tiers);
        let namespace = namespace.clone();
        self.writer.inspect(move |session| {
            session.set_language(&namespace, language.name())?;
            let (connection, path) = (session.connection(), session.path());
            tiers.reload_texts(connection, path, &namespace, language)
        })?
    }

    /// In which language the texts of a namespace are.
    pub fn language(&self, namespace: &Namespace) -> Language {
        self.tiers.text.language(namespace)
    }

    /// Every namespace, in the order of their names.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn namespaces(&self) -> Result<Vec<Namespace>> {
        find_namespaces(&self.readers)
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

    /// Rewrites the database without free pages, and empties the write-ahead log. Writes wait meanwhile, and the disk needs room for the database once more.
    ///
    /// # Errors
    ///
    /// [`Error::LogInUse`](crate::Error::LogInUse) if somebody holds [`Entries`](crate::Entries),
    /// and those of [`remember`](Self::remember) that concern the disk.
    pub fn compact(&self) -> Result<()> {
        self.writer.inspect(crate::metadata::Session::compact)?
    }
}
