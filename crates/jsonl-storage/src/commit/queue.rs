//! The records that wait to be written.

use std::sync::Arc;

use crate::error::Error;
use crate::format::batch::{Batch, ChainOf, Facts};
use crate::format::chain::Link;
use crate::format::seq::Seq;
use crate::sync::OnceLock;

/// What waits, and the number of the last record that was given a place.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) batch: Batch,
    pub(crate) last: Seq,
    /// The link of the last record, in a chained log.
    pub(crate) chain: Option<Link>,
    /// Whether lines that are written together share a link.
    in_groups: bool,
    pub(crate) epoch: Arc<Epoch>,
    /// The commit that will write what waits.
    pub(crate) round: u32,
}

/// A record's place in the log.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) seq: Seq,
    pub(crate) epoch: Arc<Epoch>,
    /// The commit that is to write it.
    pub(crate) round: u32,
}

impl Queue {
    pub(crate) fn new(last: Seq, chain: Option<Link>, in_groups: bool) -> Self {
        Self {
            batch: Batch::default(),
            last,
            chain,
            in_groups,
            epoch: Arc::default(),
            round: 0,
        }
    }

    /// Gives a record its place.
    pub(crate) fn push(&mut self, synced: Seq, data: &[u8], facts: Facts) -> Place {
        let seq = self.last.next();
        self.last = seq;
        let chain = chain_of(&mut self.chain, self.in_groups);
        self.batch.push((seq, synced), data, facts, chain);
        self.last_place()
    }

    /// Ends the batch, which is about to be written, with a link over what has none.
    pub(crate) fn seal(&mut self) {
        if let (true, Some(link)) = (self.in_groups, &mut self.chain) {
            self.batch.seal(link);
        }
    }

    /// Gives a statement of the log about itself its place.
    pub(crate) fn push_own(&mut self, synced: Seq, statement: &[u8]) -> Place {
        let seq = self.last.next();
        self.last = seq;
        let chain = chain_of(&mut self.chain, self.in_groups);
        self.batch.push_own((seq, synced), statement, chain);
        self.last_place()
    }

    /// Where the last record is.
    pub(crate) fn last_place(&self) -> Place {
        let is_taken = self.batch.is_empty();
        Place {
            seq: self.last,
            epoch: Arc::clone(&self.epoch),
            round: self.round.wrapping_sub(u32::from(is_taken)),
        }
    }

    /// Drops what waits, tells so to everyone who has a place behind the last good one, and gives the numbers
    /// free for other records.
    pub(crate) fn fail(&mut self, good: (Seq, Option<Link>), error: Error, keep_bytes: usize) {
        let (last, chain) = good;
        let ended = std::mem::take(&mut self.epoch);
        ended.end(last, error);
        self.batch.clear(keep_bytes);
        self.last = last;
        self.chain = chain;
    }

    /// Puts a batch back in front, as if it had not been taken.
    pub(crate) fn restore(&mut self, mut batch: Batch) {
        batch.extend(&self.batch);
        self.batch = batch;
    }
}

fn chain_of(chain: &mut Option<Link>, in_groups: bool) -> ChainOf<'_> {
    match (chain, in_groups) {
        (None, _) => ChainOf::None,
        (Some(link), true) => ChainOf::Groups(link),
        (Some(link), false) => ChainOf::Lines(link),
    }
}

/// The time in which a sequence number means one record. A full disk ends it: the numbers of the
/// records that were taken back are given to others, and the old tickets must not mistake those
/// for theirs.
#[derive(Debug, Default)]
pub(crate) struct Epoch {
    end: OnceLock<(Seq, Error)>,
}

impl Epoch {
    fn end(&self, last: Seq, error: Error) {
        // Only the queue ends its epoch, and it drops it then.
        let _ = self.end.set((last, error));
    }

    /// How it ended for a record: `None` when it goes on.
    pub(crate) fn outcome(&self, seq: Seq) -> Option<Result<(), Error>> {
        let (last, error) = self.end.get()?;
        Some(if seq <= *last {
            Ok(())
        } else {
            Err(error.clone())
        })
    }
}
