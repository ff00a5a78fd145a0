//! Requests by status, reviewer, place, and age, page by page.

use std::cmp::Reverse;
use std::ops::Bound;
use std::sync::Arc;

use action::{PathPattern, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::event::Vote;
use crate::model::names::{GroupId, PersonId};
use crate::model::request::{Request, Status};
use crate::state::view::{Found, Indexes};
use crate::workflow::ApprovalWorkflow;

/// Which requests are wanted.
///
/// ```
/// # use action::PathPattern;
/// # use approval_workflow::{PersonId, Query, Timestamp};
/// # let hour_ago = Timestamp::from_micros(1_700_000_000_000_000);
/// let query = Query::pending()
///     .for_reviewer(PersonId::new("alice")?)
///     .under(PathPattern::new("payments/**")?)
///     .asked_before(hour_ago);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    status: Status,
    reviewer: Option<PersonId>,
    pattern: Option<PathPattern>,
    asked_before: Option<Timestamp>,
    newest_first: bool,
}

impl Query {
    /// The requests that wait for a decision.
    #[must_use]
    pub fn pending() -> Self {
        Self::with_status(Status::Pending)
    }

    /// The requests with a status at the moment that is asked for.
    #[must_use]
    pub fn with_status(status: Status) -> Self {
        Self {
            status,
            reviewer: None,
            pattern: None,
            asked_before: None,
            newest_first: false,
        }
    }

    /// Of these, the ones that lack an approval which this person could give. Of requests that are
    /// not pending there are none.
    #[must_use]
    pub fn for_reviewer(mut self, person: PersonId) -> Self {
        self.reviewer = Some(person);
        self
    }

    /// Of these, the ones whose action the pattern covers.
    #[must_use]
    pub fn under(mut self, pattern: PathPattern) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// Of these, the ones that were asked before a moment.
    #[must_use]
    pub fn asked_before(mut self, moment: Timestamp) -> Self {
        self.asked_before = Some(moment);
        self
    }

    /// The same, the newest first. A cursor of one order is of no use in the other.
    #[must_use]
    pub fn newest_first(mut self) -> Self {
        self.newest_first = true;
        self
    }
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

/// A place in a listing. It stays good while requests come and go, and when the workflow is opened
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(u32);

/// One page of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The requests, in order.
    pub requests: Vec<Arc<Request>>,
    /// Where to go on; none if this was the last page.
    pub next: Option<Cursor>,
}

/// So many requests are looked at under the lock, and then read without it.
const AT_ONCE: usize = 256;
/// A page ends early, with a cursor, when so many requests were read from the log for it.
const MOST_READS: usize = 4096;

impl ApprovalWorkflow {
    /// The requests that wait for a decision, the oldest first. Its time does not depend on how many
    /// are settled.
    #[must_use]
    pub fn pending(&self, page: Page, now: Timestamp) -> Listing {
        let indexes = self.journal.view().indexes.read();
        list(&indexes.pending, page, |request| !request.is_overdue(now))
    }

    /// The requests that wait for a decision and could do most harm: the most sensitive first, of those the
    /// ones whose time to decide ends first, and of those the oldest. With a reviewer, only those that lack
    /// an approval which this person could give. Looks at all that wait, and at nothing else.
    #[must_use]
    pub fn riskiest(
        &self,
        reviewer: Option<&PersonId>,
        most: usize,
        now: Timestamp,
    ) -> Vec<Arc<Request>> {
        let waiting: Vec<Arc<Request>> = {
            let indexes = self.journal.view().indexes.read();
            indexes.pending.values().map(Arc::clone).collect()
        };
        let mut waiting: Vec<_> = waiting
            .into_iter()
            .filter(|request| !request.is_overdue(now))
            .filter(|request| {
                reviewer.is_none_or(|person| self.could_approve(request, person, now))
            })
            .collect();
        let risk = |request: &Arc<Request>| {
            let asked = &request.submission;
            (
                Reverse(asked.terms.sensitivity),
                asked.decide_by(),
                asked.at,
            )
        };
        // Stable, so that requests of one moment stay in the order of their numbers.
        waiting.sort_by_cached_key(risk);
        waiting.truncate(most);
        waiting
    }

    /// The requests that were approved in an emergency and owe a review, the oldest first.
    #[must_use]
    pub fn open_reviews(&self, page: Page) -> Listing {
        list(&self.journal.view().indexes.read().owing, page, |_| true)
    }

    /// The requests that a query is about, the oldest first unless it says otherwise.
    ///
    /// Requests of another status are not looked at, so its time does not depend on how many there
    /// are. [Lapsed](Status::Lapsed) ones are looked for among all that were approved and not used.
    /// Of settled ones a page may hold fewer than its limit and still have a next one: it
    /// ends after so many were read from the log.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] or [`Error::EventMissing`] when a settled request cannot be read back.
    pub fn list(&self, query: &Query, page: Page, now: Timestamp) -> Result<Listing, Error> {
        let mut listing = Listing {
            requests: Vec::new(),
            next: None,
        };
        let mut after = page.after;
        let mut reads = 0;
        while listing.requests.len() < page.limit {
            let chunk = {
                let indexes = self.journal.view().indexes.read();
                candidates(&indexes, query, after, AT_ONCE)
            };
            if chunk.is_empty() {
                return Ok(listing);
            }
            for (number, found) in chunk {
                if listing.requests.len() == page.limit || reads == MOST_READS {
                    listing.next = after;
                    return Ok(listing);
                }
                reads += usize::from(matches!(found, Found::Stored(..)));
                let request = self.journal.read(found)?;
                if self.is_wanted(&request, query, now) {
                    listing.requests.push(request);
                }
                after = Some(Cursor(number));
            }
        }
        let indexes = self.journal.view().indexes.read();
        let is_more = !candidates(&indexes, query, after, 1).is_empty();
        listing.next = after.filter(|_| is_more);
        Ok(listing)
    }

    fn is_wanted(&self, request: &Request, query: &Query, now: Timestamp) -> bool {
        let asked = &request.submission;
        let covers = |pattern: &PathPattern| pattern.matches(&asked.action.path);
        request.status(now) == query.status
            && query.asked_before.is_none_or(|moment| asked.at < moment)
            && query.pattern.as_ref().is_none_or(covers)
            && query.reviewer.as_ref().is_none_or(|person| {
                query.status == Status::Pending && self.could_approve(request, person, now)
            })
    }

    /// Whether a person's approval would count for a request, and is missing. Reads nothing from the
    /// log; what the person would sign, or which code is needed, is not looked at.
    #[must_use]
    pub fn could_approve(&self, request: &Request, person: &PersonId, now: Timestamp) -> bool {
        let asked = &*request.submission;
        let voted = request
            .reviews
            .iter()
            .any(|vote| vote.reviewer == *person || vote.on_behalf_of.as_ref() == Some(person));
        if voted || *person == asked.requester {
            return false;
        }
        let basis = self.basis.load();
        let own: &[GroupId] = match basis.verifier.as_ref() {
            None => &[],
            Some(known) => match known.groups(person) {
                Some(groups) if !known.stands_in(person, &asked.requester, asked, now) => groups,
                _ => return false,
            },
        };
        let yes = request.reviews.iter();
        let yes = yes.filter(|review| review.verdict == Vote::Approve);
        let people: Vec<&[GroupId]> = yes.map(|review| &*review.groups).collect();
        let missing = asked.terms.requires.missing(&people);
        missing
            .into_iter()
            .any(|place| place.is_none_or(|group| own.contains(group)))
    }
}

/// The next requests that may have a status, by number. What the clock alone expired is among the
/// pending ones.
fn candidates(
    indexes: &Indexes,
    query: &Query,
    after: Option<Cursor>,
    most: usize,
) -> Vec<(u32, Found)> {
    let bounds = match (after, query.newest_first) {
        (None, _) => (Bound::Unbounded, Bound::Unbounded),
        (Some(Cursor(last)), false) => (Bound::Excluded(last), Bound::Unbounded),
        (Some(Cursor(last)), true) => (Bound::Unbounded, Bound::Excluded(last)),
    };
    let pending = match query.status {
        Status::Pending | Status::Expired => Some(indexes.pending.range(bounds)),
        _ => None,
    };
    let recorded = match query.status {
        Status::Lapsed => indexes.by_status.get(&Status::Approved),
        status => indexes.by_status.get(&status),
    };
    let recorded = recorded.map(|numbers| numbers.range(bounds));
    let pending = pending.into_iter().flatten().map(|(number, _)| *number);
    let recorded = recorded.into_iter().flatten().copied();
    let mut numbers: Vec<u32> = if query.newest_first {
        pending
            .rev()
            .take(most)
            .chain(recorded.rev().take(most))
            .collect()
    } else {
        pending.take(most).chain(recorded.take(most)).collect()
    };
    numbers.sort_unstable();
    if query.newest_first {
        numbers.reverse();
    }
    numbers.truncate(most);
    let found = numbers.into_iter();
    let found = found.filter_map(|number| Some((number, indexes.found(number)?)));
    found.collect()
}

fn list(
    index: &std::collections::BTreeMap<u32, Arc<Request>>,
    page: Page,
    wanted: impl Fn(&Request) -> bool,
) -> Listing {
    let from = page.after.map_or(0, |cursor| cursor.0.saturating_add(1));
    let entries = index.range(from..);
    let mut left = entries.filter(|(_, request)| wanted(request)).peekable();
    let mut listing = Listing {
        requests: Vec::new(),
        next: None,
    };
    let mut last = from;
    while listing.requests.len() < page.limit
        && let Some((number, request)) = left.next()
    {
        listing.requests.push(Arc::clone(request));
        last = *number;
    }
    if left.peek().is_some() && !listing.requests.is_empty() {
        listing.next = Some(Cursor(last));
    }
    listing
}
