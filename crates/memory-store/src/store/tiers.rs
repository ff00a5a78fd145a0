//! The three derived tiers, brought up to date together.

use std::path::Path;

use rusqlite::Connection;

use crate::cache::CacheTier;
use crate::error::{Result, SqliteContext};
use crate::metadata::{count, for_each_edge, for_each_vector};
use crate::model::change::{Change, DerivedTier};
use crate::model::stats::Counters;
use crate::relations::RelationTier;
use crate::similarity::{self, IndexOptions, SimilarityTier, TierRestoring, unit_vector};

pub(crate) struct Tiers {
    pub(crate) cache: CacheTier,
    pub(crate) similarity: SimilarityTier,
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
        let tiers = Self {
            cache: CacheTier::new(cache_bytes),
            similarity: load_vectors(connection, vectors).sqlite("load the vectors", path)?,
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
        self.similarity
            .replace(load_vectors(connection, vectors).sqlite("load the vectors", path)?);
        self.load_others(connection, path)
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
        let derived: [&dyn DerivedTier; 3] = [&self.cache, &self.similarity, &self.relations];
        for tier in derived {
            tier.apply(change);
        }
        match change {
            Change::Remembered { .. } => self.counters.items.add(1),
            Change::Forgotten { .. } => self.counters.items.subtract(1),
            Change::NamespaceDeleted(_)
            | Change::Updated { .. }
            | Change::Ended { .. }
            | Change::Linked(_)
            | Change::Unlinked { .. } => {}
        }
    }
}

/// A vector that has no direction, which only a damaged database can hold, is left out: the store
/// must open for a check to name it.
fn load_vectors(
    connection: &Connection,
    mut tier: TierRestoring,
) -> rusqlite::Result<SimilarityTier> {
    for_each_vector(connection, |namespace, id, vector| {
        if let Ok(unit) = unit_vector(&vector, String::new) {
            tier.add(&namespace, id, &unit);
        }
    })?;
    Ok(tier.finish())
}

fn load_edges(connection: &Connection) -> rusqlite::Result<RelationTier> {
    let tier = RelationTier::default();
    for_each_edge(connection, |edge| tier.insert(&edge))?;
    Ok(tier)
}
