//! The derived tiers, brought up to date together.

use std::path::Path;

use crossbeam::channel::bounded;
use rusqlite::Connection;

use crate::cache::CacheTier;
use crate::error::{Result, SqliteContext};
use crate::metadata::{count, for_each_edge, for_each_memory, languages};
use crate::model::change::{Change, DerivedTier};
use crate::model::language::Language;
use crate::model::memory::Memory;
use crate::model::names::Namespace;
use crate::model::stats::Counters;
use crate::relations::RelationTier;
use crate::similarity::{self, IndexOptions, SimilarityTier, TierRestoring, unit_vector};
use crate::text::TextTier;

pub(crate) struct Tiers {
    pub(crate) cache: CacheTier,
    pub(crate) similarity: SimilarityTier,
    pub(crate) text: TextTier,
    pub(crate) relations: RelationTier,
    counters: Counters,
    index: IndexOptions,
}

impl Tiers {
    /// Builds the derived tiers from the metadata.
    pub(crate) fn load(
        connection: &Connection,
        path: &Path,
        index: IndexOptions,
        cache_bytes: u64,
    ) -> Result<Self> {
        let folder = path.with_file_name(similarity::FOLDER);
        let vectors = TierRestoring::begin(index, Some(folder));
        Self::load_with(connection, path, vectors, cache_bytes)
    }

    /// Builds them and changes no file.
    pub(crate) fn load_read_only(
        connection: &Connection,
        path: &Path,
        index: IndexOptions,
        cache_bytes: u64,
    ) -> Result<Self> {
        let folder = path.with_file_name(similarity::FOLDER);
        let vectors = TierRestoring::begin(index, Some(folder)).read_only();
        Self::load_with(connection, path, vectors, cache_bytes)
    }

    fn load_with(
        connection: &Connection,
        path: &Path,
        vectors: TierRestoring,
        cache_bytes: u64,
    ) -> Result<Self> {
        let index = vectors.options();
        let (similarity, text) =
            load_memories(connection, vectors).sqlite("load the memories", path)?;
        let tiers = Self {
            cache: CacheTier::new(cache_bytes),
            similarity,
            text,
            index,
            relations: RelationTier::default(),
            counters: Counters::default(),
        };
        tiers.load_others(connection, path)?;
        Ok(tiers)
    }

    /// Builds them anew, whatever was saved; to be called while nothing is written.
    pub(crate) fn rebuild(&self, connection: &Connection, path: &Path) -> Result<()> {
        let vectors = TierRestoring::begin(self.index, None);
        self.similarity.discard_saved();
        let (similarity, text) =
            load_memories(connection, vectors).sqlite("load the memories", path)?;
        self.similarity.replace(similarity);
        self.text.replace(text);
        self.load_others(connection, path)
    }

    /// Reads the texts of a namespace anew, in another language.
    pub(crate) fn reload_texts(
        &self,
        connection: &Connection,
        path: &Path,
        namespace: &Namespace,
        language: Language,
    ) -> Result<()> {
        let text = TextTier::default();
        text.create(namespace, language);
        for_each_memory(connection, Some(namespace), |memory| {
            text.insert(memory.id, &memory.into());
        })
        .sqlite("load the memories", path)?;
        self.text.replace_namespace(namespace, &text);
        Ok(())
    }

    fn load_others(&self, connection: &Connection, path: &Path) -> Result<()> {
        self.relations
            .replace(load_edges(connection).sqlite("load the edges", path)?);
        self.cache.clear();
        self.count(connection, path)
    }

    /// Counts anew; to be called while nothing is written.
    pub(crate) fn count(&self, connection: &Connection, path: &Path) -> Result<()> {
        let items = count(connection, "SELECT count(*) FROM memories");
        self.counters
            .items
            .set(items.sqlite("count the memories", path)?);
        Ok(())
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Applies a committed change to every tier.
    pub(crate) fn apply(&self, change: &Change) {
        let derived: [&dyn DerivedTier; 4] =
            [&self.cache, &self.text, &self.similarity, &self.relations];
        for tier in derived {
            tier.apply(change);
        }
        match change {
            Change::Remembered { .. } => self.counters.items.add(1),
            Change::Forgotten(_) => self.counters.items.subtract(1),
            Change::NamespaceDeleted(_)
            | Change::Updated { .. }
            | Change::Ended(_)
            | Change::Linked(_)
            | Change::Unlinked { .. } => {}
        }
    }
}

/// A vector that has no direction, which only a damaged database can hold, is left out: the store
/// must open for a check to name it.
fn load_memories(
    connection: &Connection,
    mut vectors: TierRestoring,
) -> rusqlite::Result<(SimilarityTier, TextTier)> {
    /// Memories on their way to the thread that reads their words.
    const UNDER_WAY: usize = 4_096;
    let text = TextTier::default();
    for (namespace, language) in languages(connection)? {
        text.create(&namespace, Language::named(&language).unwrap_or_default());
    }
    let (memories, read) = bounded::<Memory>(UNDER_WAY);
    std::thread::scope(|scope| {
        let text = &text;
        let words = std::thread::Builder::new()
            .name("memory-store:load".into())
            .spawn_scoped(scope, move || {
                for memory in read {
                    text.insert(memory.id, &memory.into());
                }
            });
        let is_alone = words.is_err();
        for_each_memory(connection, None, |mut memory| {
            if let Some(vector) = memory.vector.take()
                && let Ok(unit) = unit_vector(&vector, String::new)
            {
                vectors.add(&memory.namespace, memory.id, &unit);
            }
            if is_alone {
                // The system gives no thread: then it takes longer.
                text.insert(memory.id, &memory.into());
            } else {
                // It ends when there is nothing more to come.
                let _ = memories.send(memory);
            }
        })
        .map(|()| drop(memories))
    })?;
    Ok((vectors.finish(), text))
}

fn load_edges(connection: &Connection) -> rusqlite::Result<RelationTier> {
    let tier = RelationTier::default();
    for_each_edge(connection, |edge| tier.insert(&edge))?;
    Ok(tier)
}
