//! Where the records with a key may stand.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::files::Full;
use crate::error::Error;
use crate::format::marks::Mark;
use crate::format::segment::Part;

/// Where records with a key may stand, newest first.
#[derive(Debug)]
pub(crate) struct Candidates {
    pub(crate) part: Part,
    pub(crate) offsets: Vec<u64>,
}

/// Goes through the places where a key may be.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    catalog: &'a Catalog,
    hash: u64,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Active,
    /// What the active segment held at an earlier close.
    Older(Part, Option<Arc<Full>>, Vec<Arc<Full>>),
    Full(Vec<Arc<Full>>),
}

impl<'a> Candidate<'a> {
    /// Where the records with a key's hash may stand, the newest segment first.
    pub(crate) fn of(catalog: &'a Catalog, hash: u64) -> Self {
        Self {
            catalog,
            hash,
            step: Step::Active,
        }
    }

    fn advance(&mut self) -> Result<Option<Candidates>, Error> {
        let catalog = self.catalog;
        match std::mem::replace(&mut self.step, Step::Full(Vec::new())) {
            Step::Active => {
                let state = catalog.state.read();
                let active = &state.active;
                let part = active.part(Mark::start(active.segment.first));
                let offsets = active.index.keys.offsets(self.hash);
                let (older, full) = (active.older.clone(), state.full.clone());
                self.step = Step::Older(part.clone(), older, full);
                Ok(Some(Candidates { part, offsets }))
            }
            Step::Older(part, older, full) => {
                self.step = Step::Full(full);
                let offsets = match older {
                    Some(older) => catalog.offsets(&older, self.hash)?,
                    None => Vec::new(),
                };
                Ok(Some(Candidates { part, offsets }))
            }
            Step::Full(mut left) => {
                let Some(full) = left.pop() else {
                    return Ok(None);
                };
                self.step = Step::Full(left);
                let offsets = catalog.offsets(&full, self.hash)?;
                let (start, limit) = (Mark::start(full.segment.first), full.sidecar.summary.bytes);
                let part = full.part(&*catalog.backend, start, limit)?;
                Ok(Some(Candidates { part, offsets }))
            }
        }
    }
}

impl Iterator for Candidate<'_> {
    type Item = Result<Candidates, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
