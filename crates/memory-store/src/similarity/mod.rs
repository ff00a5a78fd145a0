//! The similarity tier: vectors in memory, derived from the metadata tier.
//!
//! A search takes a snapshot and reads it without any lock; a write copies only what a search is
//! still reading. So neither waits for the other longer than it takes to clone an `Arc`. Few
//! vectors are compared one by one; over many there is a graph (see `graph`), which is built behind
//! the writes (see `space`).

mod block;
mod codes;
mod file;
mod graph;
mod index;
mod indexer;
mod kernel;
mod metric;
mod restore;
mod search;
mod slab;
mod space;
mod top_k;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::change::{Change, DerivedTier};
use crate::model::names::{MemoryId, Namespace};

use indexer::Notify;
use restore::Restoring;
use space::Space;

pub(crate) use file::{FOLDER, damaged_graphs};
pub use index::{IndexOptions, VectorIndex};
pub(crate) use indexer::Indexer;
pub use metric::Metric;
pub(crate) use metric::{unit_cosine, unit_vector};
pub use restore::IndexOrigin;
pub(crate) use search::Allowed;
pub use space::IndexCoverage;

/// A memory's id and its score for a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Similar {
    pub(crate) id: MemoryId,
    pub(crate) score: f32,
}

/// How the index of a namespace is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IndexHealth {
    /// The namespace.
    pub namespace: Namespace,
    /// How far its graph has come; all zero below the number from which there is one.
    pub coverage: IndexCoverage,
    /// Where it came from when the store was opened.
    pub origin: IndexOrigin,
    /// Why it could not be saved the last time. It is derived: nothing is lost, but the next
    /// opening will have more to do.
    pub save_error: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct SimilarityTier {
    options: IndexOptions,
    spaces: RwLock<HashMap<Namespace, Arc<Space>>>,
    origins: Mutex<HashMap<Namespace, IndexOrigin>>,
    /// Where graphs are saved.
    folder: Option<PathBuf>,
    /// Held while files there are written, read or removed.
    files: Mutex<()>,
    /// Why one could not be saved.
    save_errors: Mutex<HashMap<Namespace, String>>,
    notify: Notify,
}

impl SimilarityTier {
    /// The `k` nearest of the allowed ones to a query of any length but zero, the best first;
    /// equals by id.
    pub(crate) fn search(
        &self,
        namespace: &Namespace,
        query: &[f32],
        k: usize,
        allowed: Allowed<'_>,
    ) -> Result<Vec<Similar>> {
        let query = unit_vector(query, || "the query".into())?;
        let Some(space) = self.space(namespace) else {
            return Ok(Vec::new());
        };
        if space.dimension() != query.len() {
            return Err(Error::Dimension {
                item: "the query".into(),
                namespace: namespace.clone(),
                found: query.len(),
                expected: space.dimension(),
            });
        }
        Ok(space.search(&query, k, allowed))
    }

    /// Adds a unit vector, in place of the memory's previous one. One of another dimension than the
    /// namespace's, which only a damaged database can hold, is left out and found by a check.
    pub(crate) fn insert(&self, namespace: &Namespace, id: MemoryId, unit: &[f32]) {
        let space = self.space_or_create(namespace, unit.len());
        if space.dimension() == unit.len() && space.insert(id, unit) {
            self.notify.wake();
        }
    }

    pub(crate) fn remove(&self, namespace: &Namespace, id: MemoryId) {
        if let Some(space) = self.space(namespace) {
            space.remove(id);
        }
    }

    /// Takes over the content of another tier, at once for every search.
    pub(crate) fn replace(&self, other: Self) {
        *self.origins.lock() = other.origins.into_inner();
        *self.spaces.write() = other.spaces.into_inner();
        self.notify.wake();
    }

    /// How the index of every namespace with vectors is, ordered by namespace.
    pub(crate) fn health(&self) -> Vec<IndexHealth> {
        let origins = self.origins.lock().clone();
        let errors = self.save_errors.lock().clone();
        let health = |(namespace, space): (Namespace, Arc<Space>)| IndexHealth {
            coverage: space.coverage(),
            origin: origins.get(&namespace).cloned().unwrap_or(IndexOrigin::New),
            save_error: errors.get(&namespace).cloned(),
            namespace,
        };
        self.all().into_iter().map(health).collect()
    }

    /// Calls back with each vector that a graph has and cannot lead to.
    pub(crate) fn for_each_unreachable(&self, mut visit: impl FnMut(&Namespace, MemoryId)) {
        for (namespace, space) in self.spaces.read().iter() {
            let unreachable = space.unreachable();
            unreachable.into_iter().for_each(|id| visit(namespace, id));
        }
    }

    /// Calls back with what is wrong with each saved graph that could not be used.
    pub(crate) fn for_each_bad_file(&self, mut visit: impl FnMut(&Namespace, String)) {
        let Some(folder) = &self.folder else { return };
        let _files = self.files.lock();
        for (namespace, space) in self.all() {
            let path = file::path_of(folder, &namespace);
            if path.exists()
                && let Err(reason) = file::load(&path, space.plan())
            {
                visit(&namespace, reason);
            }
        }
    }

    /// Removes a namespace whole, and what was saved of it.
    fn remove_namespace(&self, namespace: &Namespace) {
        let _files = self.files.lock();
        self.save_errors.lock().remove(namespace);
        self.origins.lock().remove(namespace);
        self.spaces.write().remove(namespace);
        if let Some(folder) = &self.folder {
            // If it cannot be removed now, the next opening removes what belongs to no namespace.
            let _ = fs::remove_file(file::path_of(folder, namespace));
        }
    }

    /// Removes every saved graph. What cannot be removed is no worse than it was.
    pub(crate) fn discard_saved(&self) {
        if let Some(folder) = &self.folder {
            let _files = self.files.lock();
            remove_others(folder, &HashSet::new());
        }
    }

    /// Calls back with a memory's vector, if it has one.
    pub(crate) fn with_vector<T>(
        &self,
        namespace: &Namespace,
        id: MemoryId,
        read: impl FnOnce(&[f32]) -> T,
    ) -> Option<T> {
        self.space(namespace)?.with_vector(id, read)
    }

    /// Works until no graph is behind.
    pub(crate) fn build(&self, mut progress: impl FnMut(IndexCoverage)) {
        const PIECE: usize = 256;
        loop {
            let was_behind = self.work(PIECE);
            let coverages = self.all().into_values().map(|space| space.coverage());
            let sum = coverages.fold(IndexCoverage::default(), |sum, coverage| IndexCoverage {
                vectors: sum.vectors + coverage.vectors,
                waiting: sum.waiting + coverage.waiting,
            });
            progress(sum);
            if !was_behind && sum.waiting == 0 {
                return;
            }
            // The last ones are in the hands of other threads.
            std::thread::yield_now();
        }
    }

    /// Links some vectors of every graph that is behind; whether there were any.
    fn work(&self, vectors: usize) -> bool {
        let spaces: Vec<Arc<Space>> = self.spaces.read().values().cloned().collect();
        let work = |space: &Arc<Space>| (0..vectors).take_while(|_| space.work()).count() > 0;
        spaces.iter().filter(|space| work(space)).count() > 0
    }

    /// Saves the graphs of which that many changes, of so many vectors, are worth it.
    fn save(&self, is_due: impl Fn(usize, usize) -> bool) {
        let Some(folder) = &self.folder else { return };
        for (namespace, space) in self.all() {
            let unsaved = space.unsaved();
            if space.graph().entry().is_none() || !is_due(unsaved, space.len()) {
                continue;
            }
            let _files = self.files.lock();
            // Not one that was replaced meanwhile.
            let is_current = |now: Arc<Space>| Arc::ptr_eq(&now, &space);
            if !self.space(&namespace).is_some_and(is_current) {
                continue;
            }
            let saved = file::save(folder, &namespace, &space);
            let mut errors = self.save_errors.lock();
            match saved {
                Ok(()) => {
                    space.note_saved(unsaved);
                    errors.remove(&namespace);
                }
                Err(error) => drop(errors.insert(namespace, error.to_string())),
            }
        }
    }

    fn all(&self) -> BTreeMap<Namespace, Arc<Space>> {
        let spaces = self.spaces.read();
        let spaces = spaces.iter();
        spaces
            .map(|(namespace, space)| (namespace.clone(), Arc::clone(space)))
            .collect()
    }

    fn notify(&self) -> &Notify {
        &self.notify
    }

    /// The memories of a namespace that have a vector, in no order.
    pub(crate) fn ids(&self, namespace: &Namespace) -> Vec<MemoryId> {
        let mut ids = Vec::new();
        if let Some(space) = self.space(namespace) {
            space.for_each(|id, _| ids.push(id));
        }
        ids
    }

    /// How many vectors there are.
    pub(crate) fn len(&self) -> usize {
        self.spaces.read().values().map(|space| space.len()).sum()
    }

    /// Calls back with every vector, for comparison with the metadata tier.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Namespace, MemoryId, &[f32])) {
        for (namespace, space) in self.spaces.read().iter() {
            space.for_each(|id, unit| visit(namespace, id, unit));
        }
    }

    fn space(&self, namespace: &Namespace) -> Option<Arc<Space>> {
        self.spaces.read().get(namespace).cloned()
    }

    fn space_or_create(&self, namespace: &Namespace, dimension: usize) -> Arc<Space> {
        if let Some(space) = self.space(namespace) {
            return space;
        }
        let space = Space::new(self.options.plan(), dimension);
        Arc::clone(
            self.spaces
                .write()
                .entry(namespace.clone())
                .or_insert(Arc::new(space)),
        )
    }
}

/// A tier that is being filled from the database, with the graphs that were saved.
pub(crate) struct TierRestoring {
    options: IndexOptions,
    /// None if the graphs are to be built anew.
    folder: Option<PathBuf>,
    is_read_only: bool,
    spaces: HashMap<Namespace, Restoring>,
}

impl TierRestoring {
    pub(crate) fn begin(options: IndexOptions, folder: Option<PathBuf>) -> Self {
        Self {
            options,
            folder,
            is_read_only: false,
            spaces: HashMap::new(),
        }
    }

    pub(crate) fn options(&self) -> IndexOptions {
        self.options
    }

    /// Neither removes nor saves graphs.
    pub(crate) fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self
    }

    /// Adds a unit vector. One of another dimension than the namespace's is left out.
    pub(crate) fn add(&mut self, namespace: &Namespace, id: MemoryId, unit: &[f32]) {
        if !self.spaces.contains_key(namespace) {
            let (folder, plan) = (self.folder.as_deref(), self.options.plan());
            let restoring = Restoring::begin(folder, namespace, plan, unit.len());
            self.spaces.insert(namespace.clone(), restoring);
        }
        let space = self.spaces.get_mut(namespace).expect("just inserted");
        if space.dimension() == unit.len() {
            space.add(id, unit);
        }
    }

    pub(crate) fn finish(mut self) -> SimilarityTier {
        if self.is_read_only {
            self.folder = None;
        }
        if let Some(folder) = &self.folder {
            let usable = self
                .spaces
                .iter()
                .filter(|(_, space)| !space.has_bad_file());
            let files = usable.map(|(namespace, _)| file::path_of(folder, namespace));
            remove_others(folder, &files.collect());
        }
        let tier = SimilarityTier {
            options: self.options,
            folder: self.folder,
            ..SimilarityTier::default()
        };
        for (namespace, restoring) in self.spaces {
            let (space, origin) = restoring.finish();
            tier.origins.lock().insert(namespace.clone(), origin);
            tier.spaces.write().insert(namespace, Arc::new(space));
        }
        tier
    }
}

/// Removes files that cannot be used or belong to no namespace any more, and unfinished ones. What cannot be removed
/// is not read either, so nothing depends on it.
fn remove_others(folder: &Path, kept: &HashSet<PathBuf>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("hnsw" | "unfinished")) && !kept.contains(&path) {
            let _ = fs::remove_file(path);
        }
    }
}

impl DerivedTier for SimilarityTier {
    fn apply(&self, change: &Change) {
        match change {
            Change::Remembered {
                id,
                memory,
                unit: Some(unit),
            }
            | Change::Updated {
                id,
                memory,
                unit: Some(unit),
                ..
            } => self.insert(&memory.namespace, *id, unit),
            Change::Updated {
                id,
                memory,
                unit: None,
                ..
            } => self.remove(&memory.namespace, *id),
            Change::Forgotten(forgotten) => self.remove(&forgotten.namespace, forgotten.id),
            Change::NamespaceDeleted(namespace) => {
                self.remove_namespace(namespace);
            }
            Change::Remembered { unit: None, .. }
            | Change::Ended(_)
            | Change::Linked(_)
            | Change::Unlinked { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
