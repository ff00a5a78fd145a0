//! Export and import.

use std::io::{BufRead, Write};
use std::sync::Arc;

use crate::error::Result;
use crate::metadata::{begin_reading, for_each_record, open_for_verification};
use crate::model::change::Change;
use crate::model::names::Namespace;
use crate::store::tiers::Tiers;
use crate::transfer::{Exporter, PreparedNamespace, Transferred, read};

use super::MemoryStore;

impl MemoryStore {
    /// Writes all namespaces, or one, as JSON Lines: memories and edges with their history, runs
    /// with all versions of their state, checkpoints and quotas, as of one moment. Writes go on
    /// meanwhile; the write-ahead log grows until it is done.
    ///
    /// What is written for the same content is the same, byte by byte, also after an import.
    ///
    /// # Errors
    ///
    /// [`Error::Export`](crate::Error::Export) if it cannot be written, and if the database cannot
    /// be read.
    pub fn export(&self, to: impl Write, only: Option<&Namespace>) -> Result<Transferred> {
        let connection = open_for_verification(&self.database)?;
        begin_reading(&connection, &self.database)?;
        let mut exporter = Exporter::begin(to)?;
        for_each_record(&connection, &self.database, only, |record| {
            exporter.write(&record)
        })?;
        exporter.end()
    }

    /// Stores what was exported: all of it, on disk and in every tier, or nothing. It is read and
    /// checked whole before the first of it is written. Ids, versions and times are kept;
    /// checkpoints keep their numbers unless another namespace of this store has them.
    ///
    /// # Errors
    ///
    /// [`Error::Import`](crate::Error::Import) and [`Error::ImportState`](crate::Error::ImportState)
    /// for what is no whole export, [`Error::NamespaceExists`](crate::Error::NamespaceExists),
    /// [`Error::OtherEmbedder`](crate::Error::OtherEmbedder), and those of [`remember`](Self::remember) that concern the disk.
    pub fn import(&self, from: impl BufRead) -> Result<Transferred> {
        let (namespaces, transferred) = read(from)?;
        let embedders = namespaces.iter().filter_map(|namespace| {
            let embedder = namespace.embedder.as_deref()?;
            Some((&namespace.name, embedder))
        });
        self.check_embedders(embedders)?;
        let tiers = Arc::clone(&self.tiers);
        self.writer.inspect(move |session| {
            session.import(&namespaces)?;
            namespaces
                .into_iter()
                .for_each(|namespace| apply(&tiers, namespace));
            Ok(transferred)
        })?
    }
}

/// Brings the derived tiers up to date.
fn apply(tiers: &Tiers, from: PreparedNamespace) {
    let current = |replaced_at: &Option<_>| replaced_at.is_none();
    tiers.text.create(&from.name, from.language);
    let memories = from.memories.into_iter();
    for version in memories.filter(|version| current(&version.replaced_at)) {
        tiers.apply(&Change::Remembered {
            id: version.id,
            memory: version.prepared.memory,
            unit: version.prepared.unit,
        });
    }
    let edges = from.edges.into_iter();
    for (edge, _) in edges.filter(|(_, replaced_at)| current(replaced_at)) {
        tiers.apply(&Change::Linked(edge));
    }
}
