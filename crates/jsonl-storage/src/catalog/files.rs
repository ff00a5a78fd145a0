//! The files of an open log.

use std::sync::{Arc, OnceLock};

use crate::backend::{Backend, BackendFile};
use crate::error::Error;
use crate::format::chain::Link;
use crate::format::marks::{self, Mark, MemoryIndex};
use crate::format::segment::{Part, Segment};
use crate::format::seq::Seq;
use crate::format::sidecar::{Places, Sidecar};
use crate::sync::Mutex;

/// A segment that is complete.
#[derive(Debug)]
pub(crate) struct Full {
    pub(crate) segment: Segment,
    pub(crate) sidecar: Sidecar,
    pub(crate) file: OnceLock<Arc<dyn BackendFile>>,
    pub(crate) places: Mutex<Option<Arc<Places>>>,
}

/// The segment that is appended to.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) segment: Segment,
    pub(crate) file: Arc<dyn BackendFile>,
    pub(crate) index: MemoryIndex,
    /// What an earlier close wrote; has the keys that `index` has not.
    pub(crate) older: Option<Arc<Full>>,
    pub(crate) end: u64,
    /// How much of it the sidecar that is on disk knows.
    pub(crate) noted: u64,
    /// The last record of the log.
    pub(crate) last: Seq,
    pub(crate) link: Option<Link>,
}

impl Full {
    pub(crate) fn new(segment: Segment, sidecar: Sidecar) -> Self {
        Self {
            segment,
            sidecar,
            file: OnceLock::new(),
            places: Mutex::new(None),
        }
    }

    pub(crate) fn last(&self) -> Seq {
        self.sidecar.summary.last
    }

    pub(crate) fn part(
        &self,
        backend: &dyn Backend,
        start: Mark,
        limit: u64,
    ) -> Result<Part, Error> {
        let mut part = Part {
            segment: self.segment.clone(),
            file: self.file.get().cloned(),
            start,
            limit,
        };
        if part.file.is_none() {
            let file = part.open(backend)?;
            part.file = Some(Arc::clone(self.file.get_or_init(|| file)));
        }
        Ok(part)
    }
}

impl Active {
    pub(crate) fn part(&self, start: Mark) -> Part {
        Part {
            segment: self.segment.clone(),
            file: Some(Arc::clone(&self.file)),
            start,
            limit: self.end,
        }
    }

    pub(crate) fn part_within(&self, first: Seq, last: Seq) -> Option<Part> {
        if self.last < self.segment.first || last < self.segment.first || self.last < first {
            return None;
        }
        let marks = &self.index.marks;
        let at = marks::last_mark(marks, |mark| mark.seq <= first);
        Some(self.part(at.map_or(Mark::start(self.segment.first), |at| marks[at])))
    }

    pub(crate) fn part_from(&self, marks: &[Mark], at: usize) -> Part {
        let limit = marks.get(at + 1).map_or(self.end, |next| next.offset);
        Part {
            limit,
            ..self.part(marks[at])
        }
    }
}
