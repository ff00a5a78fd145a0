//! Where the records with a key may stand.

use std::sync::Arc;

use crate::catalog::files::Full;
use crate::catalog::{Candidates, Catalog};
use crate::error::Error;
use crate::format::batch::FactsOf;
use crate::format::marks::Mark;
use crate::format::segment::Part;
use crate::read::rebuild;

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

    /// The next ones. An index file that is found damaged is made anew from its segment, with what
    /// `facts` finds in each record.
    pub(crate) fn advance(&mut self, facts: FactsOf<'_>) -> Result<Option<Candidates>, Error> {
        let catalog = self.catalog;
        match std::mem::replace(&mut self.step, Step::Full(Vec::new())) {
            Step::Active => {
                let (found, older, full) = catalog.candidates(self.hash);
                self.step = Step::Older(found.part.clone(), older, full);
                Ok(Some(found))
            }
            Step::Older(part, older, full) => {
                self.step = Step::Full(full);
                let offsets = match older {
                    Some(older) => self.offsets(&older, facts)?,
                    None => Vec::new(),
                };
                Ok(Some(Candidates { part, offsets }))
            }
            Step::Full(mut left) => {
                let Some(full) = left.pop() else {
                    return Ok(None);
                };
                self.step = Step::Full(left);
                let offsets = self.offsets(&full, facts)?;
                let (start, limit) = (Mark::start(full.segment.first), full.sidecar.summary.bytes);
                let part = full.part(&*catalog.backend, start, limit)?;
                Ok(Some(Candidates { part, offsets }))
            }
        }
    }

    fn offsets(&self, full: &Arc<Full>, facts: FactsOf<'_>) -> Result<Vec<u64>, Error> {
        let catalog = self.catalog;
        if let Some(offsets) = catalog.offsets(full, self.hash) {
            return Ok(offsets);
        }
        let index = rebuild::index_of(catalog, full, facts)?;
        let rebuilt = catalog.replace_index(full, &index)?;
        catalog
            .offsets(&rebuilt, self.hash)
            .ok_or_else(|| Error::Index {
                file: catalog.backend.dir().join(full.segment.sidecar_name()),
            })
    }
}
