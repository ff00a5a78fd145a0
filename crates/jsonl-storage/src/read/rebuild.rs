//! An index made anew from the records of its segment.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::files::Full;
use crate::error::Error;
use crate::format::batch::FactsOf;
use crate::format::marks::MemoryIndex;
use crate::format::segment::Part;
use crate::read::lines::{Check, Lines, Raw};

/// Reads a segment as far as its index file spoke for it.
pub(crate) fn index_of(
    catalog: &Catalog,
    full: &Full,
    facts: FactsOf<'_>,
) -> Result<MemoryIndex, Error> {
    let part = Part {
        limit: full.sidecar.summary.bytes,
        ..Part::whole(full.segment.clone())
    };
    let mut index = MemoryIndex::default();
    let mut lines = Lines::new(Arc::clone(&catalog.backend), vec![part], Check::Sequence);
    while let Some(raw) = lines.advance()? {
        match raw {
            Raw::Whole { seq, .. } => index.note(seq, lines.byte, facts(lines.data())),
            Raw::Own { seq, .. } => index.note_own(seq, lines.byte),
            Raw::Broken { kind } => return Err(lines.corrupt(kind)),
        }
    }
    Ok(index)
}
