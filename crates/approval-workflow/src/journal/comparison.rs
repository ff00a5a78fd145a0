//! Whether a snapshot says what its log says, without any key: for whoever checks a directory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jsonl_storage::{Durability, FsBackend, Seq};

use crate::error::Error;
use crate::gate::packed::Packed;
use crate::journal::Journal;
use crate::journal::opening::LogChoice;
use crate::journal::snapshot::Snapshots;
use crate::journal::snapshot_format::{self, Content, SnapshotFault};
use crate::policy::Policy;
use crate::policy::rulebook::Rulebook;
use crate::state::basis::Basis;
use crate::state::view::View;

/// What comparing a snapshot with its log found; made by [`compare_snapshot`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotComparison {
    /// It says what the log says up to this event.
    Agrees {
        /// The last event that is in it.
        covers: Seq,
    },
    /// It cannot be compared: an opening reads the whole log instead.
    Unusable(SnapshotFault),
    /// It says something else than the log.
    Differs {
        /// About what.
        what: String,
    },
}

/// Compares the snapshot in a directory with the log beside it, event by event; none if there is no
/// snapshot. Takes no key: an opening without the right one does not believe the snapshot anyway.
///
/// Of gates that are open it compares when the approval was given, and not what a policy or a directory
/// of reviewers says about it today.
///
/// # Errors
///
/// [`Error::Log`] if the log is in use or cannot be read; [`Error::Replay`] if it holds an event that
/// cannot have happened.
pub fn compare_snapshot(dir: impl AsRef<Path>) -> Result<Option<SnapshotComparison>, Error> {
    let backend = Arc::new(FsBackend::new(dir.as_ref()));
    let basis = Basis::new(Arc::new(Rulebook::new(Policy::default())?), None, false)?;
    let basis = Arc::new(ArcSwap::from_pointee(basis));
    let files = Arc::<FsBackend>::clone(&backend);
    let snapshots = Snapshots::new(files, None, Arc::clone(&basis), None);
    let bytes = match snapshots.read() {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(fault) => return Ok(Some(SnapshotComparison::Unusable(fault))),
    };
    let content = match snapshot_format::decode_to_compare(&bytes) {
        Ok(content) => content,
        Err(fault) => return Ok(Some(SnapshotComparison::Unusable(fault))),
    };
    let choice = LogChoice {
        durability: Durability::default(),
        is_chained: true,
    };
    let view = || View::new(Arc::clone(&basis), 0);
    let covers = content.head.covers;
    let journal = Journal::open_up_to(backend, choice, snapshots, view, covers)?;
    let link = journal.link(covers)?;
    if link.is_none_or(|link| link.hash != content.head.hash) {
        let fault = SnapshotFault::OtherLog;
        return Ok(Some(SnapshotComparison::Unusable(fault)));
    }
    Ok(Some(match difference(&journal, &content) {
        None => SnapshotComparison::Agrees { covers },
        Some(what) => SnapshotComparison::Differs { what },
    }))
}

/// The first thing that differs.
fn difference(journal: &Journal, content: &Content) -> Option<String> {
    let view = journal.view();
    let indexes = view.indexes.read();
    let staging = journal.publisher.staging.lock();
    let head = &content.head;
    let requests = content.ids.len().max(indexes.ids.len());
    // Numbers have 32 bits, so the cast cuts nothing.
    for number in (0..requests).map(|number| number as u32) {
        let (stated, found) = (content.ids.get(number), indexes.ids.get(number));
        if stated != found {
            let name = found.or(stated).unwrap_or_default();
            return Some(format!("request {name}: its id or place"));
        }
    }
    let name = |number: usize| indexes.ids.get(number as u32).unwrap_or_default();
    let statuses = content.statuses.iter().zip(&indexes.statuses);
    if let Some(number) = statuses.clone().position(|(stated, found)| stated != found) {
        return Some(format!("request {}: its status", name(number)));
    }
    let mut gates: BTreeMap<u32, Packed> = BTreeMap::new();
    view.gates.each(|number, packed| {
        gates.insert(number, packed);
    });
    for (number, stated) in &content.slots {
        let found = gates.get(number);
        if !found.is_some_and(|found| found.agrees_with(stated)) {
            let name = name(*number as usize);
            return Some(format!("request {name}: whether it may run"));
        }
    }
    if content.events != indexes.events {
        return Some("the places of events".to_owned());
    }
    if content.keys != staging.keys {
        return Some("the idempotency keys".to_owned());
    }
    let owing: Vec<u32> = indexes.owing.keys().copied().collect();
    if head.owing != owing {
        return Some("the emergencies without a review".to_owned());
    }
    if head.factors != staging.factors {
        return Some("the one-time codes that were used".to_owned());
    }
    if head.claims != staging.last_token || head.restored != staging.restored {
        return Some("the tokens of claims".to_owned());
    }
    (head.statistics != indexes.statistics).then(|| "the statistics".to_owned())
}
