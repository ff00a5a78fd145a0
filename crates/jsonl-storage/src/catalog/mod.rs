//! Which segments a log has, and where in them a record stands.

pub(crate) mod cache;
pub(crate) mod files;
pub(crate) mod index;
pub(crate) mod retire;

use std::sync::Arc;

use crate::backend::{Backend, BackendFile};
use crate::catalog::cache::Cache;
use crate::catalog::files::{Active, Full};
use crate::error::Error;
use crate::format::batch::Batch;
use crate::format::chain::Link;
use crate::format::marks::{self, Mark, MemoryIndex};
use crate::format::segment::{Part, Segment};
use crate::format::seq::Seq;
use crate::format::sidecar::{Content, Places, Sidecar};
use crate::format::statement::{self, LogId, Removal, Statement};
use crate::sync::{Mutex, RwLock};

/// Readers take its lock to find out where to read, never while they read.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) backend: Arc<dyn Backend>,
    index_name: Option<String>,
    state: RwLock<State>,
    cache: Cache,
    identity: Option<LogId>,
    /// Whether lines that are written together share a link.
    in_groups: bool,
    /// The newest statement of what was removed from the beginning.
    removed: Mutex<Option<Statement>>,
    /// Held by whoever writes or removes index files.
    pub(crate) writing: Mutex<()>,
}

/// Where records with a key may stand, newest first.
#[derive(Debug)]
pub(crate) struct Candidates {
    pub(crate) part: Part,
    pub(crate) offsets: Vec<u64>,
}

/// What an opening found, in order.
pub(crate) struct Found {
    pub(crate) full: Vec<Arc<Full>>,
    pub(crate) active: Active,
    pub(crate) identity: Option<LogId>,
    pub(crate) in_groups: bool,
    pub(crate) removed: Option<Statement>,
}

#[derive(Debug)]
struct State {
    /// Those that are complete, in order.
    full: Vec<Arc<Full>>,
    active: Active,
}

impl Catalog {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        index_name: Option<String>,
        found: Found,
        cache_bytes: usize,
    ) -> Self {
        let Found {
            full,
            active,
            identity,
            in_groups,
            removed,
        } = found;
        Self {
            backend,
            index_name,
            state: RwLock::new(State { full, active }),
            cache: Cache::new(cache_bytes),
            identity,
            in_groups,
            removed: Mutex::new(removed),
            writing: Mutex::new(()),
        }
    }

    /// Which log this is, if it states that.
    pub(crate) fn identity(&self) -> Option<LogId> {
        self.identity
    }

    /// Whether lines that are written together share a link.
    pub(crate) fn is_in_groups(&self) -> bool {
        self.in_groups
    }

    /// What record 1 is keyed with: the link of the line with the identity.
    pub(crate) fn chain_start(&self) -> Link {
        match self.identity {
            Some(identity) => statement::first_line(identity, self.in_groups).1,
            None => Link::root(),
        }
    }

    /// What the log states of its removed beginning.
    pub(crate) fn removed(&self) -> Option<Removal> {
        self.removed.lock().clone()?.removed
    }

    /// Notes a statement of what is removed from the beginning, once it is on disk.
    pub(crate) fn note_removal(&self, statement: Statement) {
        *self.removed.lock() = Some(statement);
    }

    /// The last record that can be read.
    pub(crate) fn last(&self) -> Seq {
        self.state.read().active.last
    }

    /// The first record that is still there, or would be.
    pub(crate) fn first(&self) -> Seq {
        let state = self.state.read();
        let active = state.active.segment.first;
        state.full.first().map_or(active, |full| full.segment.first)
    }

    /// The segments that can be given up, oldest first: all that are complete, but for the last one
    /// while the active one is empty, because a chain goes on from the last record.
    pub(crate) fn expendable(&self) -> Vec<Arc<Full>> {
        let state = self.state.read();
        let active = &state.active;
        let needed = usize::from(active.last < active.segment.first);
        let count = state.full.len().saturating_sub(needed);
        state.full[..count].to_vec()
    }

    /// The segments that are complete, oldest first.
    pub(crate) fn full(&self) -> Vec<Arc<Full>> {
        self.state.read().full.clone()
    }

    /// Takes the segments before a record out; whoever reads them goes on.
    pub(crate) fn forget_before(&self, first: Seq) {
        self.state.write().full.retain(|full| full.last() >= first);
        self.cache.forget(|full| full.last() < first);
    }

    /// The last record and its link.
    pub(crate) fn head(&self) -> (Seq, Option<Link>) {
        let state = self.state.read();
        (state.active.last, state.active.link)
    }

    pub(crate) fn earliest_time(&self) -> Option<u64> {
        let state = self.state.read();
        state.active.index.times.map(|(earliest, _)| earliest)
    }

    /// Takes in a batch that was written at `base` of the active segment.
    pub(crate) fn note(&self, base: u64, batch: &Batch, last: Seq, link: Option<Link>) {
        let active = &mut self.state.write().active;
        active.index.note_batch(base, batch);
        active.end = base + batch.bytes.len() as u64;
        active.last = last;
        active.link = link;
    }

    /// Makes another segment the active one.
    pub(crate) fn rotate(&self, segment: Segment, file: Arc<dyn BackendFile>) -> Result<(), Error> {
        let sidecar = self.write_sidecar(false)?;
        let mut state = self.state.write();
        let (last, link) = (state.active.last, state.active.link);
        let active = Active {
            segment,
            file,
            index: MemoryIndex::default(),
            older: None,
            end: 0,
            noted: 0,
            last,
            link,
        };
        let ended = std::mem::replace(&mut state.active, active);
        let full = Full::new(ended.segment, sidecar);
        let _ = full.file.set(ended.file);
        state.full.push(Arc::new(full));
        Ok(())
    }

    /// Writes down, durably, what the active segment holds. All of it must be on disk by now.
    pub(crate) fn mark_clean_close(&self) -> Result<(), Error> {
        // An index of an identity alone would say nothing.
        let is_empty = |active: &Active| active.last < active.segment.first;
        let noted = |active: &Active| active.noted == active.end || is_empty(active);
        if !noted(&self.state.read().active) {
            self.write_sidecar(true)?;
            let active = &mut self.state.write().active;
            active.noted = active.end;
        }
        Ok(())
    }

    fn write_sidecar(&self, keep: bool) -> Result<Sidecar, Error> {
        let _alone = self.writing.lock();
        let state = self.state.read();
        let active = &state.active;
        let older_keys = match &active.older {
            None => Some(Vec::new()),
            Some(older) => older.sidecar.keys(),
        };
        let content = Content {
            first: active.segment.first,
            last: active.last,
            bytes: active.end,
            chain: active.link,
            index: &active.index,
            // An index that lacks keys is better none: the next opening makes it anew.
            index_name: older_keys.as_ref().and(self.index_name.as_deref()),
            older_keys: older_keys.unwrap_or_default(),
            removed: self.removed.lock().clone(),
        };
        content.write(&*self.backend, &active.segment, keep)
    }

    /// What to read for the records in a range, both ends included.
    pub(crate) fn parts(&self, first: Seq, last: Seq) -> Result<Vec<Part>, Error> {
        let (full, active) = {
            let state = self.state.read();
            let overlaps = |full: &&Arc<Full>| full.last() >= first && full.segment.first <= last;
            let full: Vec<_> = state.full.iter().filter(overlaps).cloned().collect();
            (full, state.active.part_within(first, last))
        };
        let mut parts = Vec::with_capacity(full.len() + 1);
        for full in full {
            let start = if first <= full.segment.first {
                Mark::start(full.segment.first)
            } else {
                self.mark_before(&full, |mark| mark.seq <= first)
            };
            parts.push(full.part(&*self.backend, start, full.sidecar.summary.bytes)?);
        }
        parts.extend(active);
        Ok(parts)
    }

    /// What to read for the records that may have a time in a range; the end is not included.
    pub(crate) fn parts_between(&self, times: &std::ops::Range<u64>) -> Result<Vec<Part>, Error> {
        let overlaps = |found: Option<(u64, u64)>| {
            found.is_some_and(|(earliest, latest)| earliest < times.end && latest >= times.start)
        };
        let (full, active) = {
            let state = self.state.read();
            let active = &state.active;
            let part = overlaps(active.index.times).then(|| {
                let marks = &active.index.marks;
                let at = marks::last_mark(marks, |mark| mark.time_before < times.start);
                active.part(at.map_or(Mark::start(active.segment.first), |at| marks[at]))
            });
            (state.full.clone(), part)
        };
        let mut parts = Vec::new();
        for full in full {
            if overlaps(full.sidecar.summary.times) {
                let start = self.mark_before(&full, |mark| mark.time_before < times.start);
                parts.push(full.part(&*self.backend, start, full.sidecar.summary.bytes)?);
            }
        }
        parts.extend(active);
        Ok(parts)
    }

    /// The shortest part that holds a record; `None` when the log does not.
    pub(crate) fn part_with(&self, seq: Seq) -> Result<Option<Part>, Error> {
        let state = self.state.read();
        let active = &state.active;
        if seq > active.last {
            return Ok(None);
        }
        if seq >= active.segment.first {
            let at = marks::mark_of(&active.index.marks, seq);
            let marks = &active.index.marks;
            return Ok(at.map(|at| active.part_from(marks, at)));
        }
        let at = state.full.partition_point(|full| full.last() < seq);
        let full = state.full.get(at).map(Arc::clone);
        drop(state);
        let Some(full) = full.filter(|full| full.segment.first <= seq) else {
            return Ok(None);
        };
        let bytes = full.sidecar.summary.bytes;
        let Some(places) = self.places(&full) else {
            let start = Mark::start(full.segment.first);
            return full.part(&*self.backend, start, bytes).map(Some);
        };
        let at = marks::mark_of(&places.marks, seq).unwrap_or(0);
        let limit = places.marks.get(at + 1).map_or(bytes, |next| next.offset);
        full.part(&*self.backend, places.marks[at], limit).map(Some)
    }

    fn mark_before(&self, full: &Arc<Full>, before: impl Fn(&Mark) -> bool) -> Mark {
        let start = Mark::start(full.segment.first);
        let Some(places) = self.places(full) else {
            return start;
        };
        marks::last_mark(&places.marks, before).map_or(start, |at| places.marks[at])
    }

    /// The places of a segment; `None` when its sidecar was damaged since the opening.
    fn places(&self, full: &Arc<Full>) -> Option<Arc<Places>> {
        if let Some(places) = &*full.places.lock() {
            return Some(Arc::clone(places));
        }
        let places = Arc::new(full.sidecar.places()?);
        self.cache.keep(full, &places);
        Some(places)
    }

    /// The records with a key's hash in the active segment, what an earlier close wrote of it, and the
    /// complete segments.
    pub(crate) fn candidates(&self, hash: u64) -> (Candidates, Option<Arc<Full>>, Vec<Arc<Full>>) {
        let state = self.state.read();
        let active = &state.active;
        let found = Candidates {
            part: active.part(Mark::start(active.segment.first)),
            offsets: active.index.keys.offsets(hash),
        };
        (found, active.older.clone(), state.full.clone())
    }

    /// The records with a key's hash in a segment; `None` when its index file is damaged, or could not
    /// be written with all keys.
    pub(crate) fn offsets(&self, full: &Arc<Full>, hash: u64) -> Option<Vec<u64>> {
        if full.sidecar.summary.index != self.index_name {
            return None;
        }
        full.sidecar.offsets(&*self.places(full)?, hash)
    }

    /// Writes the index file of a segment anew, and has everybody use that one.
    pub(crate) fn replace_index(
        &self,
        full: &Arc<Full>,
        index: &MemoryIndex,
    ) -> Result<Arc<Full>, Error> {
        let _alone = self.writing.lock();
        let first = full.segment.first;
        let is_current = |other: &&Arc<Full>| other.segment.first == first;
        let state = self.state.read();
        let mut known = state.full.iter().chain(&state.active.older);
        let known = known.find(is_current).cloned();
        drop(state);
        match known {
            Some(known) if Arc::ptr_eq(&known, full) => {}
            // Somebody else was faster.
            Some(known) => return Ok(known),
            // It was retired: an index without its segment would mean a loss.
            None => {
                let index_file = self.backend.dir().join(full.segment.sidecar_name());
                return Err(Error::Index { file: index_file });
            }
        }
        let summary = &full.sidecar.summary;
        let content = Content {
            first: summary.first,
            last: summary.last,
            bytes: summary.bytes,
            chain: summary.link(),
            index,
            index_name: self.index_name.as_deref(),
            older_keys: Vec::new(),
            removed: summary.removed.clone(),
        };
        let sidecar = content.write(&*self.backend, &full.segment, true)?;
        let rebuilt = Arc::new(Full::new(full.segment.clone(), sidecar));
        let mut state = self.state.write();
        let State { full: all, active } = &mut *state;
        let places = all.iter_mut().chain(&mut active.older);
        for place in places.filter(|place| Arc::ptr_eq(place, full)) {
            *place = Arc::clone(&rebuilt);
        }
        drop(state);
        self.cache.forget(|gone| std::ptr::eq(gone, &**full));
        Ok(rebuilt)
    }
}
