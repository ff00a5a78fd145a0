//! What everyone may see: the state after the events that are on disk, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use action::ActionDigest;
use dashmap::DashMap;
use jsonl_storage::Seq;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::fingerprint::{Fingerprint, Fingerprints, PassThrough};
use crate::permission::Gate;
use crate::second_factor::Verifier;
use crate::{
    AuditEntry, DenyReason, Event, GroupId, Need, Permission, Request, RequestId, Rulebook, State,
    Statistics, Timestamp, Verdict,
};

/// The requests and their indexes. Written by whoever publishes events, one at a time.
#[derive(Debug)]
pub(crate) struct View {
    rulebook: Arc<Rulebook>,
    verifier: Option<Arc<Verifier>>,
    names: Fingerprints,
    requests: DashMap<Fingerprint, Entry, PassThrough>,
    indexes: RwLock<Indexes>,
}

/// What the gate needs lies in the table itself: asking costs one or two cache misses, not four.
#[derive(Debug)]
struct Entry {
    gate: Gate,
    record: Box<Record>,
}

#[derive(Debug)]
struct Record {
    request: Arc<Request>,
    trail: Vec<AuditEntry>, // not empty
}

#[derive(Debug, Default)]
struct Indexes {
    /// All requests, in the order in which they were asked.
    order: Vec<RequestId>,
    /// Those without a decision, by the event that asked for them.
    pending: BTreeMap<Seq, Arc<Request>>,
    /// The same by the time to decide, so that expiry looks at the overdue ones only.
    due: BTreeSet<(Timestamp, Seq)>,
    /// Those approved in an emergency that nobody has looked at.
    owing: BTreeMap<Seq, Arc<Request>>,
    statistics: Statistics,
}

/// Which part of a listing is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Where the page before ended; none for the first page.
    pub after: Option<Cursor>,
    /// At most so many requests.
    pub limit: usize,
}

impl Page {
    /// The first so many requests.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }
}

/// A place in a listing. It stays good while requests come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(Seq);

/// One page of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The requests, the oldest first.
    pub requests: Vec<Arc<Request>>,
    /// Where to go on; none if this was the last page.
    pub next: Option<Cursor>,
}

impl View {
    pub(crate) fn new(rulebook: Arc<Rulebook>, verifier: Option<Arc<Verifier>>) -> Self {
        Self {
            rulebook,
            verifier,
            names: Fingerprints::default(),
            requests: DashMap::default(),
            indexes: RwLock::default(),
        }
    }

    /// Takes one event and the state after it.
    pub(crate) fn publish(&self, seq: Seq, event: Event, after: Arc<Request>) {
        let name = self.names.of(event.id());
        let mut indexes = self.indexes.write();
        match self.requests.entry(name) {
            dashmap::Entry::Vacant(vacant) => {
                indexes.publish(seq, &event, None, &after);
                let trail = vec![AuditEntry { seq, event }];
                vacant.insert(Entry {
                    gate: self.gate(&after),
                    record: Box::new(Record {
                        request: after,
                        trail,
                    }),
                });
            }
            dashmap::Entry::Occupied(mut occupied) => {
                let Entry { gate, record } = occupied.get_mut();
                indexes.publish(record.trail[0].seq, &event, Some(&record.request), &after);
                *gate = self.gate(&after);
                record.request = after;
                record.trail.push(AuditEntry { seq, event });
            }
        }
    }

    /// An approval holds as long as the policy still says the same about the action, and those who
    /// gave it could still give it.
    pub(crate) fn gate(&self, request: &Request) -> Gate {
        let gate = Gate::of(request);
        if !gate.is_open() {
            gate
        } else if !self.rulebook.agrees_with(&request.submission) {
            gate.shut(DenyReason::PolicyChanged)
        } else if !self.still_has_its_reviewers(request) {
            gate.shut(DenyReason::ReviewersChanged)
        } else {
            gate
        }
    }

    /// Whether those who approved could still do so, by the directory of today.
    fn still_has_its_reviewers(&self, request: &Request) -> bool {
        let Some(verifier) = &self.verifier else {
            return true;
        };
        if request.submission.need != Need::Approval {
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
            .filter(|review| review.verdict == Verdict::Approve)
            .filter_map(|review| verifier.counts_for(review, &request.submission))
            .collect();
        request.submission.terms.requires.is_met_by_groups(&people)
    }

    pub(crate) fn ask(&self, id: &RequestId, digest: &ActionDigest, now: Timestamp) -> Permission {
        match self.requests.get(&self.names.of(id)) {
            Some(entry) => entry.gate.ask(digest, now),
            None => Permission::Denied(DenyReason::UnknownRequest),
        }
    }

    pub(crate) fn get(&self, id: &RequestId) -> Option<Arc<Request>> {
        let entry = self.requests.get(&self.names.of(id))?;
        Some(Arc::clone(&entry.record.request))
    }

    pub(crate) fn trail(&self, id: &RequestId) -> Option<Vec<AuditEntry>> {
        let entry = self.requests.get(&self.names.of(id))?;
        Some(entry.record.trail.clone())
    }

    pub(crate) fn pending(&self, page: Page, now: Timestamp) -> Listing {
        let indexes = self.indexes.read();
        list(&indexes.pending, page, |request| !request.is_overdue(now))
    }

    pub(crate) fn owing(&self, page: Page) -> Listing {
        list(&self.indexes.read().owing, page, |_| true)
    }

    /// The requests that nobody decided in time and that are not recorded as expired yet.
    pub(crate) fn overdue(&self, now: Timestamp) -> Vec<RequestId> {
        let indexes = self.indexes.read();
        let overdue = indexes.due.range(..=(now, Seq(u64::MAX)));
        overdue
            .filter_map(|(_, seq)| indexes.pending.get(seq))
            .map(|request| request.submission.id.clone())
            .collect()
    }

    pub(crate) fn statistics(&self, now: Timestamp) -> Statistics {
        let indexes = self.indexes.read();
        let overdue = indexes.due.range(..=(now, Seq(u64::MAX))).count();
        let mut statistics = indexes.statistics.clone();
        statistics.expire(overdue as u64);
        statistics
    }

    /// Some requests in the order in which they were asked, from a place in it.
    pub(crate) fn slice(&self, from: usize, most: usize) -> Vec<Arc<Request>> {
        let indexes = self.indexes.read();
        let ids = indexes.order.iter().skip(from).take(most);
        ids.filter_map(|id| self.get(id)).collect()
    }
}

fn list(
    index: &BTreeMap<Seq, Arc<Request>>,
    page: Page,
    wanted: impl Fn(&Request) -> bool,
) -> Listing {
    let from = page.after.map_or(Seq::ZERO, |cursor| cursor.0).next();
    let entries = index.range(from..);
    let mut left = entries.filter(|(_, request)| wanted(request)).peekable();
    let mut listing = Listing {
        requests: Vec::new(),
        next: None,
    };
    let mut last = from;
    while listing.requests.len() < page.limit
        && let Some((seq, request)) = left.next()
    {
        listing.requests.push(Arc::clone(request));
        last = *seq;
    }
    if left.peek().is_some() && !listing.requests.is_empty() {
        listing.next = Some(Cursor(last));
    }
    listing
}

impl Indexes {
    fn publish(
        &mut self,
        asked: Seq,
        event: &Event,
        before: Option<&Request>,
        after: &Arc<Request>,
    ) {
        self.statistics.apply(event, before, after);
        if after.owes_review() {
            self.owing.insert(asked, Arc::clone(after));
        } else {
            self.owing.remove(&asked);
        }
        if before.is_none() {
            self.order.push(after.submission.id.clone());
        }
        let due = (after.submission.decide_by(), asked);
        if matches!(after.state, State::Pending) {
            self.pending.insert(asked, Arc::clone(after));
            self.due.insert(due);
        } else if self.pending.remove(&asked).is_some() {
            self.due.remove(&due);
        }
    }
}
