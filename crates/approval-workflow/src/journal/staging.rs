//! The state that is ahead of the disk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use action::Timestamp;
use jsonl_storage::Seq;

use crate::error::Error;
use crate::model::event::Event;
use crate::model::keys::{KeyBook, Used};
use crate::model::names::RequestId;
use crate::model::request::Request;
use crate::model::token::FencingToken;
use crate::review::second_factor::FactorBook;
use crate::state::keyed::{ByName, Named};

/// An event that is not published yet: its place, its request, and the state after it.
pub(crate) type Staged = (Seq, Named, Event, Arc<Request>);

/// The state after every event that has its place in the log, on disk or not.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    /// The newest state of the requests with unpublished events.
    ahead: ByName<(Seq, Arc<Request>)>,
    /// The unpublished events, in the log's order.
    queue: VecDeque<Staged>,
    /// The last event that has its place.
    staged: Seq,
    /// The last event that the log acknowledged.
    pub(crate) acknowledged: Seq,
    pub(crate) published: Seq,
    pub(crate) factors: FactorBook,
    pub(crate) keys: KeyBook,
    /// How many requests there are.
    pub(crate) requests: u64,
    /// The highest token that was given out.
    pub(crate) last_token: FencingToken,
    /// When the directory was last restored; approvals are dated after it.
    pub(crate) restored: Option<Timestamp>,
    /// The time of the latest event.
    pub(crate) latest: Timestamp,
    /// The first event that the log refused, if its place was given to another one.
    refused: Option<Seq>,
    /// Set when an event did not reach the disk; nothing is written any more.
    pub(crate) failure: Option<jsonl_storage::Error>,
}

impl Staging {
    /// The state after the events of a log up to one of them.
    pub(crate) fn after(seq: Seq) -> Self {
        Self {
            staged: seq,
            acknowledged: seq,
            published: seq,
            ..Self::default()
        }
    }

    /// Takes an event that has its place; false if that place was given to another one before,
    /// which the log then refused.
    #[must_use]
    pub(crate) fn advance(
        &mut self,
        seq: Seq,
        named: Named,
        event: Event,
        after: &Arc<Request>,
    ) -> bool {
        if seq <= self.staged {
            self.refused = Some(self.refused.map_or(seq, |first| first.min(seq)));
            return false;
        }
        self.count(seq, &event);
        self.ahead.insert(named.clone(), (seq, Arc::clone(after)));
        self.queue.push_back((seq, named, event, Arc::clone(after)));
        true
    }

    /// The newest state of a request with unpublished events, and the last of these.
    pub(crate) fn ahead(&self, named: &Named) -> Option<(Seq, Arc<Request>)> {
        self.ahead.get(named).cloned()
    }

    /// The request of an unpublished event.
    pub(crate) fn request_of(&self, seq: Seq) -> Option<&RequestId> {
        let mut queue = self.queue.iter();
        queue.find_map(|(at, named, ..)| (*at == seq).then_some(&named.id))
    }

    /// The next event that is as durable as the log's level says, if it is.
    pub(crate) fn next_to_publish(&mut self, durable: Seq) -> Option<Staged> {
        let durable = self
            .refused
            .map_or(durable, |refused| durable.min(Seq(refused.0 - 1)));
        let staged = self.queue.pop_front_if(|(seq, ..)| *seq <= durable)?;
        let (seq, named, ..) = &staged;
        self.published = *seq;
        let ahead = self.ahead.get(named);
        if ahead.is_some_and(|(newest, _)| newest <= seq) {
            self.ahead.remove(named);
        }
        Some(staged)
    }

    fn on_the_way(&self) -> impl Iterator<Item = &Event> {
        self.queue.iter().map(|(_, _, event, _)| event)
    }

    /// Whether an unpublished event is about one-time codes.
    pub(crate) fn changes_factors(&self) -> bool {
        self.on_the_way().any(|event| match event {
            Event::Reviewed(review) => review.factor_step.is_some(),
            Event::BrokeGlass(glass) => glass.factor_step.is_some(),
            Event::FactorFailed { .. } => true,
            _ => false,
        })
    }

    /// The highest token of a published event.
    pub(crate) fn published_token(&self) -> FencingToken {
        let ahead = self
            .on_the_way()
            .filter(|event| matches!(event, Event::Claimed(_)));
        FencingToken(self.last_token.0 - ahead.count() as u64)
    }

    /// The keys of published events.
    pub(crate) fn published_keys(&self) -> impl Iterator<Item = (&[u8; 16], &Used)> {
        let keys = self.keys.entries();
        keys.filter(|(_, used)| used.seq <= self.published)
    }

    /// The first moment that an approval can be dated: after the last restore.
    pub(crate) fn earliest(&self) -> Timestamp {
        const TICK: Duration = Duration::from_micros(1);
        self.restored
            .map_or(Timestamp::MIN, |restored| restored.after(TICK))
    }

    pub(crate) fn next_token(&self) -> FencingToken {
        FencingToken(self.last_token.0 + 1)
    }

    pub(crate) fn check_token(&self, event: &Event) -> Result<(), Error> {
        let expected = self.next_token();
        match event {
            Event::Claimed(claim) if claim.token != expected => Err(Error::TokenOutOfOrder {
                token: claim.token,
                expected,
            }),
            Event::Restored(restored) if restored.token < self.last_token => {
                Err(Error::RestoreOutOfOrder {
                    token: restored.token,
                    given: self.last_token,
                })
            }
            _ => Ok(()),
        }
    }

    /// Counts an event of the log.
    pub(crate) fn count(&mut self, seq: Seq, event: &Event) {
        self.staged = seq;
        self.latest = self.latest.max(event.at());
        self.factors.apply(seq, event);
        self.keys.apply(seq, event);
        match event {
            Event::Claimed(claim) => self.last_token = claim.token,
            Event::Restored(restored) => {
                self.last_token = restored.token;
                self.restored = self.restored.max(Some(restored.at));
            }
            _ => {}
        }
        self.requests += u64::from(matches!(event, Event::Requested(_)));
    }
}
