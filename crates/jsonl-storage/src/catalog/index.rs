//! Where records stand: what finds a record by its number, its time or its key.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::format::batch::Facts;

/// What a log finds its records by, besides their numbers.
///
/// The name goes into the files: a log that is opened with another name builds its index anew, so
/// give another one when what you extract changes.
///
/// ```
/// use jsonl_storage::{Index, Log, LogOptions};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Event { id: String, at_ms: u64 }
///
/// let index = Index::new("events v1")
///     .by_key(|event: &Event| Some(event.id.as_str().into()))
///     .by_time(|event: &Event| event.at_ms);
/// let dir = tempfile::tempdir()?;
/// let log: Log<Event> = LogOptions::new().indexed(index).open(dir.path())?;
/// log.append(&Event { id: "a".into(), at_ms: 1000 })?;
/// assert_eq!(log.find("a")?.expect("just appended").data.at_ms, 1000);
/// assert_eq!(log.between(900..1100)?.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Index<T> {
    pub(crate) name: String,
    pub(crate) time: Option<TimeOf<T>>,
    pub(crate) key: Option<KeyOf<T>>,
}

pub(crate) type TimeOf<T> = Arc<dyn Fn(&T) -> u64 + Send + Sync>;
pub(crate) type KeyOf<T> = Arc<dyn for<'a> Fn(&'a T) -> Option<Cow<'a, str>> + Send + Sync>;

impl<T> Index<T> {
    /// Starts with nothing to find records by.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            time: None,
            key: None,
        }
    }

    /// Finds records by a time, in any unit that only grows, such as milliseconds since 1970.
    /// Records need not be in the order of their times.
    #[must_use]
    pub fn by_time(mut self, time: impl Fn(&T) -> u64 + Send + Sync + 'static) -> Self {
        self.time = Some(Arc::new(time));
        self
    }

    /// Finds records by a key; those for which there is `None` have none. Many records may share
    /// one.
    #[must_use]
    pub fn by_key(
        mut self,
        key: impl for<'a> Fn(&'a T) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    ) -> Self {
        self.key = Some(Arc::new(key));
        self
    }

    /// What is extracted from a record's JSON. A record of another type is an error for whoever reads
    /// it, not for the index.
    pub(crate) fn facts_of(&self, data: &[u8]) -> Facts
    where
        T: DeserializeOwned,
    {
        let record = serde_json::from_slice(data);
        record.map(|record| self.facts(&record)).unwrap_or_default()
    }

    pub(crate) fn facts(&self, record: &T) -> Facts {
        Facts {
            time: self.time.as_ref().map(|time| time(record)),
            key: self
                .key
                .as_ref()
                .and_then(|key| key(record))
                .map(|key| hash(&key)),
        }
    }
}

impl<T> Clone for Index<T> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            time: self.time.clone(),
            key: self.key.clone(),
        }
    }
}

impl<T> fmt::Debug for Index<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("name", &self.name)
            .field("by_time", &self.time.is_some())
            .field("by_key", &self.key.is_some())
            .finish()
    }
}

/// What stands for a key in the index: the first 8 bytes of its BLAKE3 hash, little endian. It is
/// in the files, so it has to be the same everywhere and for ever.
pub(crate) fn hash(key: &str) -> u64 {
    let hash = blake3::hash(key.as_bytes());
    let (start, _) = hash.as_bytes().split_first_chunk().expect("32 bytes");
    u64::from_le_bytes(*start)
}
