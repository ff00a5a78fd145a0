//! What everyone may see: the state after the events that are on disk, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use action::{ActionDigest, Timestamp};
use arc_swap::ArcSwap;
use jsonl_storage::Seq;
use parking_lot::RwLock;

use crate::gate::standing::Gate;
use crate::gate::{Answer, GateTable};
use crate::model::event::{Event, Vote};
use crate::model::names::{GroupId, RequestId};
use crate::model::permission::{DenyReason, Permission};
use crate::model::request::{Request, State, Status};
use crate::model::terms::Disposition;
use crate::state::basis::Basis;
use crate::state::event_index::{EventIndex, Ids};
use crate::state::keyed::{ByNumber, Named};
use crate::state::recent_requests::RecentRequests;
use crate::state::statistics::Statistics;

/// The requests and their indexes. Written by the thread that publishes events, one at a time.
///
/// Whole requests are held while they wait for a person, and the last few besides; of
/// all others there is what the gate needs, the id, and where their events are.
#[derive(Debug)]
pub(crate) struct View {
    basis: Arc<ArcSwap<Basis>>,
    pub(crate) gates: GateTable,
    pub(crate) indexes: RwLock<Indexes>,
    /// When the directory was last restored: approvals from before are not used.
    restored: AtomicI64, // microseconds
}

#[derive(Debug)]
pub(crate) struct Indexes {
    /// A request's number is its place in the order in which they were asked, from 0.
    pub(crate) ids: Ids,
    pub(crate) events: EventIndex,
    pub(crate) statuses: Vec<Status>,
    held: RecentRequests,
    /// Those without a decision.
    pub(crate) pending: BTreeMap<u32, Arc<Request>>,
    /// The same by the time to decide, so that expiry looks at the overdue ones only.
    due: BTreeSet<(Timestamp, u32)>,
    /// Those approved in an emergency that were not attested yet.
    pub(crate) owing: BTreeMap<u32, Arc<Request>>,
    /// All but the pending ones, by the status that their events imply.
    pub(crate) by_status: BTreeMap<Status, BTreeSet<u32>>,
    /// The gates with times that do not fit into the table.
    beyond: ByNumber<Gate>,
    pub(crate) statistics: Statistics,
}

/// What there is in memory of a request.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    Held(Arc<Request>),
    /// Its id and its events, which tell the rest.
    Stored(RequestId, Vec<Seq>),
}

impl View {
    pub(crate) fn new(basis: Arc<ArcSwap<Basis>>, held_requests: usize) -> Self {
        Self {
            basis,
            gates: GateTable::with_capacity(0),
            indexes: RwLock::new(Indexes::new(held_requests)),
            restored: AtomicI64::new(i64::MIN),
        }
    }

    /// Takes one event and the state after it.
    pub(crate) fn publish(&self, named: &Named, seq: Seq, event: &Event, after: &Arc<Request>) {
        let gate = self.gate(after);
        let mut indexes = self.indexes.write();
        let number = match self.gates.find(named.name) {
            Some(number) => number,
            None => indexes.begin(&named.id),
        };
        indexes.publish(number, seq, event, after);
        indexes.keep(number, after, &gate);
        // Last: what the gate says is in the indexes already.
        self.gates.set(named.name, number, &gate);
    }

    /// What a request is looked up by.
    pub(crate) fn named(&self, id: &RequestId) -> Named {
        let name = self.gates.name(id.as_str());
        let id = id.clone();
        Named { id, name }
    }

    /// Gives up the memory that was taken ahead while everything was read.
    pub(crate) fn shrink(&self) {
        let mut indexes = self.indexes.write();
        indexes.ids.shrink();
        indexes.events.shrink();
        indexes.statuses.shrink_to_fit();
        self.gates.shrink();
    }

    /// Takes a request that a snapshot has, as its events leave it.
    pub(crate) fn restore(&self, number: u32, request: &Arc<Request>) {
        let gate = self.gate(request);
        self.indexes.write().keep(number, request, &gate);
        let name = self.gates.name(request.submission.id.as_str());
        self.gates.set(name, number, &gate);
    }

    /// An approval holds as long as the policy still says the same about the action, and those who
    /// gave it could still give it.
    pub(crate) fn gate(&self, request: &Request) -> Gate {
        let gate = Gate::of(request);
        if !gate.is_open() {
            return gate;
        }
        let basis = self.basis.load();
        if self.is_from_before_a_restore(request) {
            gate.shut(DenyReason::Restored)
        } else if !basis.engine.agrees_with(&request.submission) {
            gate.shut(DenyReason::PolicyChanged)
        } else if !still_has_its_reviewers(&basis, request) {
            gate.shut(DenyReason::ReviewersChanged)
        } else {
            gate
        }
    }

    /// Notes that the directory was restored; gates are recomputed by the caller.
    pub(crate) fn restored(&self, at: Timestamp) {
        self.restored.fetch_max(at.as_micros(), Ordering::AcqRel);
    }

    fn is_from_before_a_restore(&self, request: &Request) -> bool {
        let restored = self.restored.load(Ordering::Acquire);
        let State::Approved { at } = request.state else {
            return false;
        };
        restored != i64::MIN && at.as_micros() <= restored
    }

    pub(crate) fn ask(&self, id: &RequestId, digest: &ActionDigest, now: Timestamp) -> Permission {
        match self.gates.ask(id, digest, now) {
            Answer::Known(permission) => permission,
            Answer::Unknown => Permission::Denied(DenyReason::UnknownRequest),
            Answer::Beyond => {
                let number = self.gates.find(self.gates.name(id.as_str()));
                let indexes = self.indexes.read();
                let gate = number.and_then(|number| indexes.beyond.get(&number));
                gate.map_or(Permission::Denied(DenyReason::UnknownRequest), |gate| {
                    gate.ask(digest, now)
                })
            }
        }
    }

    pub(crate) fn find(&self, named: &Named) -> Option<Found> {
        let number = self.gates.find(named.name)?;
        let indexes = self.indexes.read();
        // Two ids could share a name in the table; they do not share a text.
        (indexes.ids.get(number)? == named.id.as_str()).then(|| indexes.found(number))?
    }

    /// Where the events of a request are.
    pub(crate) fn events(&self, id: &RequestId) -> Option<Vec<Seq>> {
        let number = self.gates.find(self.gates.name(id.as_str()))?;
        let indexes = self.indexes.read();
        (indexes.ids.get(number)? == id.as_str()).then(|| indexes.events.of(number))
    }

    /// The requests that were not decided in time and that are not recorded as expired yet.
    pub(crate) fn overdue(&self, now: Timestamp) -> Vec<RequestId> {
        let indexes = self.indexes.read();
        let overdue = indexes.due.range(..=(now, u32::MAX));
        overdue
            .filter_map(|(_, number)| indexes.pending.get(number))
            .map(|request| request.submission.id.clone())
            .collect()
    }

    pub(crate) fn statistics(&self, now: Timestamp) -> Statistics {
        let indexes = self.indexes.read();
        let overdue = indexes.due.range(..=(now, u32::MAX)).count();
        let mut statistics = indexes.statistics.clone();
        statistics.expire(overdue as u64);
        statistics
    }

    /// The requests that are approved by their events, by number.
    pub(crate) fn approved(&self) -> Vec<u32> {
        let indexes = self.indexes.read();
        let approved = indexes.by_status.get(&Status::Approved);
        approved.into_iter().flatten().copied().collect()
    }

    /// Some requests in the order in which they were asked, from a place in it.
    pub(crate) fn slice(&self, from: usize, most: usize) -> Vec<Found> {
        let indexes = self.indexes.read();
        let end = from.saturating_add(most).min(indexes.ids.len());
        // Numbers have 32 bits, so the cast cuts nothing.
        (from..end)
            .filter_map(|number| indexes.found(number as u32))
            .collect()
    }
}

/// Whether those who approved could still do so, by the directory of today.
fn still_has_its_reviewers(basis: &Basis, request: &Request) -> bool {
    let Some(verifier) = &basis.verifier else {
        return true;
    };
    if request.submission.need != Disposition::Approval {
        return true;
    }
    if let Some(glass) = &request.glass {
        let allowed = &request.submission.terms.break_glass;
        let groups = verifier.groups(&glass.by).unwrap_or_default();
        return groups.iter().any(|group| allowed.contains(group));
    }
    let people: Vec<&[GroupId]> = request
        .reviews
        .iter()
        .filter(|review| review.verdict == Vote::Approve)
        .filter_map(|review| verifier.counts_for(review, &request.submission))
        .collect();
    request.submission.terms.requires.is_met_by_groups(&people)
}

impl Indexes {
    pub(crate) fn new(held_requests: usize) -> Self {
        Self {
            ids: Ids::default(),
            events: EventIndex::default(),
            statuses: Vec::new(),
            held: RecentRequests::new(held_requests),
            pending: BTreeMap::new(),
            due: BTreeSet::new(),
            owing: BTreeMap::new(),
            by_status: BTreeMap::new(),
            beyond: ByNumber::default(),
            statistics: Statistics::default(),
        }
    }

    fn begin(&mut self, id: &RequestId) -> u32 {
        let number = u32::try_from(self.ids.len()).expect("there are fewer than 2^32 requests");
        self.ids.push(id.as_str());
        number
    }

    fn publish(&mut self, number: u32, seq: Seq, event: &Event, after: &Request) {
        let status = after.state.status();
        let before = self.statuses.get(number as usize).copied();
        self.events.push(number, seq);
        self.statistics.apply(event, before, after);
        match before {
            None => self.statuses.push(status),
            Some(_) => self.statuses[number as usize] = status,
        }
        if before == Some(status) {
            return;
        }
        if let Some(set) = before.and_then(|before| self.by_status.get_mut(&before)) {
            set.remove(&number);
        }
        if status != Status::Pending {
            self.by_status.entry(status).or_default().insert(number);
        }
    }

    /// Holds a request as long as it waits for a person, and otherwise for a while.
    fn keep(&mut self, number: u32, request: &Arc<Request>, gate: &Gate) {
        let due = (request.submission.decide_by(), number);
        let is_pending = matches!(request.state, State::Pending);
        if is_pending {
            self.pending.insert(number, Arc::clone(request));
            self.due.insert(due);
        } else if self.pending.remove(&number).is_some() {
            self.due.remove(&due);
        }
        if request.owes_review() {
            self.owing.insert(number, Arc::clone(request));
        } else {
            self.owing.remove(&number);
        }
        let is_pinned = is_pending || request.owes_review();
        self.held
            .keep(number, (!is_pinned).then(|| Arc::clone(request)));
        if crate::gate::packed::pack(gate).is_beyond() {
            self.beyond.insert(number, *gate);
        } else {
            self.beyond.remove(&number);
        }
    }

    pub(crate) fn found(&self, number: u32) -> Option<Found> {
        let pending = self.pending.get(&number);
        let held = pending.or_else(|| self.owing.get(&number));
        if let Some(request) = held.or_else(|| self.held.get(number)) {
            return Some(Found::Held(Arc::clone(request)));
        }
        let id = RequestId::kept(self.ids.get(number)?);
        Some(Found::Stored(id, self.events.of(number)))
    }
}
