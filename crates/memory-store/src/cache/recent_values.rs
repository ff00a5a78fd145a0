//! The large values that were written last, by their keys: who writes a value again has changed
//! little of it as a rule, and what is the same need not be cut and hashed again. Nothing is read
//! from here but the cuts of bytes that were compared, so it need not agree with the database.

use std::fmt;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::model::chunking::PreparedValue;
use crate::model::state::AgentRun;

/// What is kept in all.
const MAX_BYTES: u64 = 32 << 20;
const TYPICAL_BYTES: u64 = 128 << 10;

type Key = (AgentRun, String);

pub(crate) struct RecentValues(Cache<Key, Arc<PreparedValue>, ByBytes>);

impl RecentValues {
    pub(crate) fn new() -> Self {
        let values = (MAX_BYTES / TYPICAL_BYTES) as usize;
        Self(Cache::with_weighter(values, MAX_BYTES, ByBytes))
    }

    pub(crate) fn prepare(&self, run: &AgentRun, key: &str, value: Vec<u8>) -> Arc<PreparedValue> {
        if PreparedValue::is_inline(&value) {
            return Arc::new(PreparedValue::new(value));
        }
        let key = (run.clone(), key.to_owned());
        let prepared = Arc::new(match self.0.get(&key) {
            Some(earlier) => PreparedValue::after(value, &earlier),
            None => PreparedValue::new(value),
        });
        self.0.insert(key, Arc::clone(&prepared));
        prepared
    }

    /// Forgets everything, as when a namespace is removed for good.
    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

impl fmt::Debug for RecentValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.0.len();
        f.debug_struct("RecentValues")
            .field("values", &values)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<Key, Arc<PreparedValue>> for ByBytes {
    fn weight(&self, _: &Key, value: &Arc<PreparedValue>) -> u64 {
        value.bytes.len() as u64
    }
}
