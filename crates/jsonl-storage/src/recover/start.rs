//! Where a log begins: with its identity, or where it states that records were removed.

use std::sync::Arc;

use crate::backend::Backend;
use crate::error::Error;
use crate::format::chain::Link;
use crate::format::line::IDENTITY_START;
use crate::format::segment::{Part, Segment};
use crate::format::seq::Seq;
use crate::format::statement::{Removal, Statement};
use crate::read::lines::{Check, Lines, Raw};

/// A line with an identity is shorter.
const IDENTITY_BYTES_MAX: u64 = 512;

/// Reads the statement of its identity from the first segment of a log; `None` when it has none.
pub(crate) fn identity(
    backend: &Arc<dyn Backend>,
    first: &Segment,
) -> Result<Option<Statement>, Error> {
    let part = Part {
        limit: IDENTITY_BYTES_MAX,
        ..Part::whole(first.clone())
    };
    let mut lines = Lines::new(Arc::clone(backend), vec![part], Check::Chain);
    match lines.advance()? {
        Some(Raw::Own { seq: Seq::ZERO, .. }) => Ok(lines.statement()),
        Some(Raw::Broken { kind }) if lines.text().starts_with(IDENTITY_START) => {
            Err(lines.corrupt(kind))
        }
        _ => Ok(None),
    }
}

/// Expects a log whose first record is not record 1 to state that those before were removed, and the
/// first record to follow the last one that it states.
pub(crate) fn check(
    backend: &Arc<dyn Backend>,
    first: &Segment,
    stated: Option<&Statement>,
) -> Result<(), Error> {
    let removed = stated.and_then(|statement| statement.removed.as_ref());
    let fits = match removed {
        Some(removed) if removed.last.next() == first.first => {
            let part = Part::whole(first.clone());
            let mut lines = Lines::new(Arc::clone(backend), vec![part], Check::Sequence);
            let mut beginning = Beginning::default();
            while !beginning.is_read() && lines.advance()?.is_some() {
                beginning.take(&lines);
            }
            beginning.follows(removed)
        }
        // A removal that was interrupted leaves some of the files.
        Some(removed) => removed.last >= first.first,
        None => false,
    };
    if fits {
        return Ok(());
    }
    Err(Error::CutStart {
        dir: backend.dir().to_owned(),
        first: first.first,
        stated: removed.map(|removed| removed.last),
    })
}

/// More is not kept to find the first link: a group is not much longer.
const BEGINNING_BYTES_MAX: usize = 1 << 20;

/// The first lines of a log, up to the first link, to be held against what is stated of the records
/// before them.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    body: Vec<u8>,
    link: Option<Link>,
}

impl Beginning {
    /// Whether no more is needed.
    pub(crate) fn is_read(&self) -> bool {
        self.link.is_some() || self.body.len() > BEGINNING_BYTES_MAX
    }

    /// Takes in the next line.
    pub(crate) fn take(&mut self, lines: &Lines) {
        if self.is_read() {
            return;
        }
        if let Some(line) = lines.chained() {
            self.body.extend_from_slice(line.body);
            self.link = line.link();
        } else {
            self.body.extend_from_slice(lines.text());
            self.body.push(b'\n');
        }
    }

    /// Whether these lines follow the last record of a removal, as far as their chain tells: where there
    /// is no link, nothing does.
    pub(crate) fn follows(&self, removed: &Removal) -> bool {
        match (removed.link(), self.link) {
            (Some(before), Some(link)) => before.next(&self.body) == link,
            _ => true,
        }
    }
}
