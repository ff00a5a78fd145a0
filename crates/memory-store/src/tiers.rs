//! The three derived tiers, brought up to date together.

use rusqlite::Connection;

use crate::cache::CacheTier;
use crate::change::{Change, DerivedTier};
use crate::error::Result;
use crate::error::SqliteContext;
use crate::metadata::{count, for_each_edge, for_each_vector};
use crate::relations::RelationTier;
use crate::similarity::{SimilarityTier, unit_vector};
use crate::stats::Counters;

pub(crate) struct Tiers {
    pub(crate) cache: CacheTier,
    pub(crate) similarity: SimilarityTier,
    pub(crate) relations: RelationTier,
    counters: Counters,
}

impl Tiers {
    /// Builds the derived tiers from the metadata.
    pub(crate) fn load(
        connection: &Connection,
        path: &std::path::Path,
        cache_bytes: u64,
    ) -> Result<Self> {
        let tiers = Self {
            cache: CacheTier::new(cache_bytes),
            similarity: SimilarityTier::default(),
            relations: RelationTier::default(),
            counters: Counters::default(),
        };
        tiers.load_vectors(connection, path)?;
        for_each_edge(connection, |edge| tiers.relations.insert(&edge))
            .sqlite("load the edges", path)?;
        let items = count(connection, "SELECT count(*) FROM memories")
            .sqlite("count the memories", path)?;
        tiers.counters.items.add(items);
        Ok(tiers)
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
            Change::Linked(_) | Change::Unlinked { .. } => {}
        }
    }

    fn load_vectors(&self, connection: &Connection, path: &std::path::Path) -> Result<()> {
        let mut unusable = Ok(());
        for_each_vector(connection, |namespace, id, vector| {
            let label = || format!("memory {id} in namespace {namespace}");
            match unit_vector(&vector, label) {
                Ok(unit) if unusable.is_ok() => self.similarity.insert(&namespace, id, &unit),
                Ok(_) => {}
                Err(error) => unusable = Err(error),
            }
        })
        .sqlite("load the vectors", path)?;
        unusable
    }
}
