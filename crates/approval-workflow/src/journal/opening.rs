//! Opening a workflow: from a snapshot and the events after it, or from the whole log.

use std::ops::RangeBounds;
use std::sync::Arc;

use action::Timestamp;
use jsonl_storage::{Backend, Durability, Log, LogOptions, Record, Seq};

use crate::error::Error;
use crate::gate::GateTable;
use crate::journal::publisher::Publisher;
use crate::journal::snapshot::{Opening, SnapshotUse, Snapshots};
use crate::journal::snapshot_format::{Content, SnapshotFault};
use crate::journal::staging::Staging;
use crate::journal::{Journal, rebuild};
use crate::model::event::Event;
use crate::model::names::PersonId;
use crate::model::request::Status;
use crate::model::restore::Restored;
use crate::model::token::FencingToken;
use crate::state::view::{Found, View};

/// Who restored the directory from an older copy, when, and the highest token that was seen elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Restore {
    pub(crate) by: PersonId,
    pub(crate) at: Timestamp,
    pub(crate) seen: Option<FencingToken>,
}

/// How the log is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogChoice {
    pub(crate) durability: Durability,
    pub(crate) is_chained: bool,
}

impl LogChoice {
    /// A log that was begun without a chain goes on without one.
    fn open(self, backend: Arc<dyn Backend>) -> Result<Log<Event>, Error> {
        let plain = LogOptions::new().durability(self.durability);
        if !self.is_chained {
            return Ok(plain.open_on(backend)?);
        }
        match plain.clone().chained().open_on(Arc::clone(&backend)) {
            Err(jsonl_storage::Error::NotChained { .. }) => Ok(plain.open_on(backend)?),
            result => Ok(result?),
        }
    }
}

/// Asked, decided, claimed, finished.
const EVENTS_OF_A_REQUEST: u64 = 4;
/// 100 MB of table.
const MOST_GUESSED: u64 = 1 << 20;

impl Journal {
    pub(crate) fn open(
        backend: Arc<dyn Backend>,
        log: LogChoice,
        snapshots: Snapshots,
        empty: impl Fn() -> View,
    ) -> Result<Self, Error> {
        let level = log.durability;
        let log = log.open(backend)?;
        let (view, staging, snapshot) = match restored(&log, &snapshots, &empty)? {
            Ok(Some((view, staging))) => {
                let covers = staging.published;
                (view, staging, SnapshotUse::Used { covers })
            }
            Ok(None) => (empty(), Staging::default(), SnapshotUse::None),
            Err(fault) => (empty(), Staging::default(), SnapshotUse::Ignored(fault)),
        };
        let from = staging.published.next();
        let mut view = view;
        if from == Seq(1) {
            // A guess, so that the table does not grow again and again while a long log is read.
            let requests = log.durable().0 / EVENTS_OF_A_REQUEST;
            view.gates = GateTable::with_capacity(requests.min(MOST_GUESSED) as usize);
        }
        let mut journal = Self {
            log,
            publisher: Arc::new(Publisher::new(staging, view)),
            snapshots,
            opening: Opening {
                snapshot,
                replayed: 0,
            },
        };
        journal.snapshots.opened_at(Seq(from.0 - 1));
        journal.opening.replayed = journal.replay_range(from..)?;
        if level != Durability::Buffered {
            let publisher = Arc::clone(&journal.publisher);
            let publish = move |durable| publisher.publish_in_passing(durable);
            journal.log.on_commit(publish);
        }
        Ok(journal)
    }

    /// As far as an event, without a snapshot.
    pub(crate) fn open_up_to(
        backend: Arc<dyn Backend>,
        log: LogChoice,
        snapshots: Snapshots,
        empty: impl Fn() -> View,
        last: Seq,
    ) -> Result<Self, Error> {
        let journal = Self {
            log: log.open(backend)?,
            publisher: Arc::new(Publisher::new(Staging::default(), empty())),
            snapshots,
            opening: Opening {
                snapshot: SnapshotUse::None,
                replayed: 0,
            },
        };
        journal.replay_range(..=last)?;
        Ok(journal)
    }

    fn replay_range(&self, range: impl RangeBounds<Seq>) -> Result<u64, Error> {
        let mut staging = self.publisher.staging.lock();
        let mut replayed = 0;
        for record in self.log.range(range)? {
            let Record { seq, data } = record?;
            let taken = self.replay(&mut staging, seq, data);
            taken.map_err(|error| Error::Replay {
                seq,
                source: Box::new(error),
            })?;
            replayed += 1;
        }
        if replayed > 0 {
            self.view().shrink();
        }
        Ok(replayed)
    }

    fn replay(&self, staging: &mut Staging, seq: Seq, event: Event) -> Result<(), Error> {
        staging.check_token(&event)?;
        let Some(id) = event.id() else {
            return self.replay_restore(staging, seq, &event);
        };
        let named = self.view().named(id);
        let current = self.look_up(&named)?;
        let after = rebuild::checked(current.as_deref(), &event)?;
        staging.factors.check(&event).map_err(|(_, error)| error)?;
        if let Some((key, first)) = staging.keys.reused(&event) {
            let id = rebuild::request_of(&self.log, first)?;
            return Err(Error::KeyConflict { key, id });
        }
        staging.count(seq, &event);
        self.view().publish(&named, seq, &event, &Arc::new(after));
        staging.acknowledged = seq;
        staging.published = seq;
        Ok(())
    }

    /// Shuts the gates of all approvals from before a restore.
    fn replay_restore(&self, staging: &mut Staging, seq: Seq, event: &Event) -> Result<(), Error> {
        staging.count(seq, event);
        let view = self.view();
        view.restored(event.at());
        view.indexes.write().events.skip(seq);
        self.judge_again(view.approved())?;
        staging.acknowledged = seq;
        staging.published = seq;
        Ok(())
    }

    /// Records that the directory was restored from an older copy, before anything is answered.
    pub(crate) fn mark_restored(&self, restore: Restore) -> Result<(), Error> {
        let mut staging = self.publisher.staging.lock();
        let known = staging.last_token.max(restore.seen.unwrap_or_default());
        let event = Event::Restored(Restored {
            at: restore.at.max(staging.latest),
            by: restore.by,
            token: Restored::token_above(known),
        });
        let seq = self.log.submit(&event)?.wait()?;
        self.replay(&mut staging, seq, event)
    }

    pub(crate) fn close(self) -> Result<(), Error> {
        let snapshot = self.snapshots.write_now(&self.log, &self.publisher);
        self.log.close()?;
        snapshot
    }
}

/// The state that a snapshot says, if there is one that is of this log; the inner error is that it
/// is not believed.
fn restored(
    log: &Log<Event>,
    snapshots: &Snapshots,
    empty: &impl Fn() -> View,
) -> Result<Result<Option<(View, Staging)>, SnapshotFault>, Error> {
    let content = match snapshots.load() {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(Ok(None)),
        Err(fault) => return Ok(Err(fault)),
    };
    let link = log.link(content.head.covers)?;
    if link.is_none_or(|link| link.hash != content.head.hash) {
        return Ok(Err(SnapshotFault::OtherLog));
    }
    let is_of_today = content.head.basis == snapshots.basis();
    let mut view = empty();
    let (staging, doubtful) = take(&mut view, content, is_of_today);
    for number in doubtful {
        if !restore_one(log, &view, number)? {
            return Ok(Err(SnapshotFault::Disagrees));
        }
    }
    Ok(Ok(Some((view, staging))))
}

/// Puts a snapshot into an empty view. Gives the requests that have to be read from the log: those
/// that a person still has to look at, and those whose gate the policy or the directory of today
/// may see otherwise.
fn take(view: &mut View, content: Content, is_of_today: bool) -> (Staging, Vec<u32>) {
    let Content {
        head,
        ids,
        slots,
        statuses,
        events,
        keys,
    } = content;
    let mut doubtful = head.owing;
    view.gates = GateTable::with_capacity(slots.len());
    for (number, packed) in slots {
        if let Some(id) = ids.get(number) {
            let name = view.gates.name(id);
            view.gates.set_packed(name, number, &packed);
        }
        let is_pending = statuses.get(number as usize) == Some(&Status::Pending);
        let holds = packed.is_final() || is_of_today && !packed.is_beyond();
        if is_pending || !holds {
            doubtful.push(number);
        }
    }
    doubtful.sort_unstable();
    doubtful.dedup();
    let mut staging = Staging::after(head.covers);
    staging.factors = head.factors;
    staging.keys = keys;
    staging.requests = head.requests;
    staging.last_token = head.claims;
    staging.restored = head.restored;
    staging.latest = head.latest;
    view.restored(head.restored.unwrap_or(Timestamp::MIN));
    let indexes = view.indexes.get_mut();
    for wanted in Status::ALL {
        let numbers = (0..).zip(&statuses);
        let numbers = numbers.filter_map(|(number, status)| (*status == wanted).then_some(number));
        if wanted != Status::Pending {
            // In order, which is how such a set is filled fastest.
            indexes.by_status.insert(wanted, numbers.collect());
        }
    }
    indexes.ids = ids;
    indexes.events = events;
    indexes.statuses = statuses;
    indexes.statistics = head.statistics;
    (staging, doubtful)
}

/// Takes a request as the log has it; false if the snapshot says otherwise.
fn restore_one(log: &Log<Event>, view: &View, number: u32) -> Result<bool, Error> {
    let found = view.slice(number as usize, 1).pop();
    let request = match found {
        Some(Found::Held(request)) => request,
        Some(Found::Stored(id, events)) => match rebuild::request(log, &id, &events) {
            Ok(request) => Arc::new(request),
            Err(error @ Error::Log(_)) => return Err(error),
            Err(_) => return Ok(false),
        },
        None => return Ok(false),
    };
    let status = view.indexes.read().statuses.get(number as usize).copied();
    if status != Some(request.state.status()) {
        return Ok(false);
    }
    view.restore(number, &request);
    Ok(true)
}
