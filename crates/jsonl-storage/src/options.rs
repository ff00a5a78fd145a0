use crate::catalog::index::Index;

/// How a log is opened; ends in [`LogOptions::open`].
#[derive(Debug, Clone)]
pub struct LogOptions {
    pub(crate) durability: Durability,
    pub(crate) queue_bytes: usize,
    pub(crate) queue_records: usize,
    pub(crate) segment_bytes: u64,
    pub(crate) segment_span: Option<u64>,
    pub(crate) chain: Chain,
    pub(crate) in_groups: bool,
    pub(crate) accepts_start: bool,
    pub(crate) index_cache_bytes: usize,
}

/// When an append counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When the record, and what is needed to find it, is on disk. Survives a loss of power.
    #[default]
    Synced,
    /// When the operating system has the record. Survives the end of the process in whatever way,
    /// and a loss of power only after `Log::sync`, `Log::close` or a rotation.
    Flushed,
    /// When the record is in this process's buffer of at most 256 KiB, which is written when it is
    /// full, and by `Log::flush`, `Log::sync` and `Log::close`. What is in it is lost with
    /// the process. `Log::scan` sees what was written.
    Buffered,
}

/// Whether a log has a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chain {
    None,
    WhenNew,
    Always,
}

impl LogOptions {
    /// Starts with every default.
    #[must_use]
    pub fn new() -> Self {
        Self {
            durability: Durability::default(),
            queue_bytes: 32 << 20,
            queue_records: 1 << 20,
            segment_bytes: 64 << 20,
            segment_span: None,
            chain: Chain::None,
            in_groups: false,
            accepts_start: false,
            index_cache_bytes: 32 << 20,
        }
    }

    /// Sets when an append counts as done (default: [`Durability::Synced`]).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Bounds what waits to be written, in bytes (default: 32 MiB; the last record may exceed
    /// it). A `Log::submit` beyond it first has what waits written, so memory stays bounded
    /// however fast the callers are.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Bounds what waits to be written, in records (default: 1,048,576), as
    /// [`LogOptions::queue_bytes`] does in bytes.
    #[must_use]
    pub fn queue_records(mut self, records: usize) -> Self {
        self.queue_records = records.max(1);
        self
    }

    /// Begins another file when one has so many bytes (default: 64 MiB). A group of records is never
    /// split, so a file may be longer by one group. After a kill, opening reads one file.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// Begins another file when the times in one would be so far apart (default: never), in the
    /// unit of [`Index::by_time`], without which this does nothing: a log reads no clock. See also
    /// `Log::rotate`.
    #[must_use]
    pub fn segment_span(mut self, span: u64) -> Self {
        self.segment_span = Some(span);
        self
    }

    /// Gives each line a hash over itself and all before it, so that whoever can change the files
    /// cannot change a record without changing all after it. A log that was begun like this goes
    /// on like this, whether it is asked for again or not; one that was begun without is refused with
    /// [`Error::NotChained`](crate::Error::NotChained).
    #[must_use]
    pub fn chained(mut self) -> Self {
        self.chain = Chain::Always;
        self
    }

    /// As [`LogOptions::chained`] for a log without records; one that was begun without a chain goes
    /// on without.
    #[must_use]
    pub fn chained_when_new(mut self) -> Self {
        self.chain = Chain::WhenNew;
        self
    }

    /// Has records that are written together share one hash, over all of them and what is before them
    /// (default: each has its own), in a log without records; one that has records goes on as it was
    /// begun. Costs many appends less than half as much, and proves the same of every byte. The place
    /// of an alteration is then a group of at most 32 KiB, and [`Log::link`](crate::Log::link) has no
    /// link of a record within one. Does nothing without a chain.
    #[must_use]
    pub fn chained_in_groups(mut self) -> Self {
        self.in_groups = true;
        self
    }

    /// Opens a log that does not begin with record 1 and does not state why (default: refused with
    /// [`Error::CutStart`](crate::Error::CutStart)), and has it state that this was accepted. Needed
    /// once, for a log whose oldest files were retired by a version that did not state it.
    #[must_use]
    pub fn accept_start(mut self) -> Self {
        self.accepts_start = true;
        self
    }

    /// Bounds what is kept in memory of the positions and keys in complete files (default: 32 MiB,
    /// enough for about 2 GB of log). Beyond it, a search reads them again.
    #[must_use]
    pub fn index_cache_bytes(mut self, bytes: usize) -> Self {
        self.index_cache_bytes = bytes;
        self
    }

    /// Lets the records be found by a time or a key.
    #[must_use]
    pub fn indexed<T>(self, index: Index<T>) -> IndexedOptions<T> {
        IndexedOptions {
            options: self,
            index,
        }
    }
}

/// How a log with an [`Index`] is opened; made by [`LogOptions::indexed`].
#[derive(Debug, Clone)]
pub struct IndexedOptions<T> {
    pub(crate) options: LogOptions,
    pub(crate) index: Index<T>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self::new()
    }
}
