//! The bound on what is in memory of complete segments.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::catalog::files::Full;
use crate::format::sidecar::Places;
use crate::sync::Mutex;

/// The places that are in memory, up to a bound; those loaded first go first.
#[derive(Debug)]
pub(crate) struct Cache {
    bytes_max: usize,
    loaded: Mutex<Loaded>,
}

#[derive(Debug, Default)]
struct Loaded {
    bytes: usize,
    oldest_first: VecDeque<(Arc<Full>, usize)>,
}

impl Cache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            loaded: Mutex::default(),
        }
    }

    pub(crate) fn forget(&self, gone: impl Fn(&Full) -> bool) {
        let mut loaded = self.loaded.lock();
        loaded.oldest_first.retain(|(full, _)| !gone(full));
        loaded.bytes = loaded.oldest_first.iter().map(|(_, bytes)| bytes).sum();
    }

    /// Keeps a segment's places in its slot, and empties the oldest slots that are too much.
    pub(crate) fn keep(&self, full: &Arc<Full>, places: &Arc<Places>) {
        let mut loaded = self.loaded.lock();
        let mut slot = full.places.lock();
        if slot.is_some() {
            return;
        }
        *slot = Some(Arc::clone(places));
        drop(slot);
        loaded.bytes += places.bytes();
        loaded
            .oldest_first
            .push_back((Arc::clone(full), places.bytes()));
        while loaded.bytes > self.bytes_max && loaded.oldest_first.len() > 1 {
            if let Some((oldest, bytes)) = loaded.oldest_first.pop_front() {
                loaded.bytes -= bytes;
                *oldest.places.lock() = None;
            }
        }
    }
}
