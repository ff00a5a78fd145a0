use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::event::{Event, Vote};
use crate::model::names::PersonId;
use crate::model::request::{Request, Status};
use crate::model::terms::{Disposition, Sensitivity};

/// Counts over all requests, kept as events come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Statistics {
    /// All requests.
    pub requests: u64,
    /// Requests by their status at the moment that was asked for. Approvals count as approved, also
    /// when their time to run is over.
    pub by_status: BTreeMap<Status, u64>,
    /// Requests by sensitivity.
    pub by_sensitivity: BTreeMap<Sensitivity, u64>,
    /// Decisions by reviewer.
    pub by_reviewer: BTreeMap<PersonId, ReviewerCount>,
    /// Requests that a rule granted because its condition held.
    pub auto_approved: u64,
    /// Requests that a rule denied because its condition held.
    #[serde(default)]
    pub auto_denied: u64,
    /// Requests that needed no approval.
    pub not_sensitive: u64,
    /// Requests that no rule covered.
    pub uncovered: u64,
    /// Approvals by one person alone, in an emergency.
    pub broken_glass: u64,
    /// How many of these were not attested yet.
    pub open_reviews: u64,
    /// Decisions with a wrong one-time code.
    pub wrong_codes: u64,
    /// From a request to the person's decision that settled it.
    pub time_to_decision: TimeToDecision,
}

/// One reviewer's decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReviewerCount {
    /// How many were approvals.
    pub approved: u64,
    /// How many were denials.
    pub denied: u64,
}

impl Statistics {
    /// How many requests have a status.
    #[must_use]
    pub fn count(&self, status: Status) -> u64 {
        self.by_status.get(&status).copied().unwrap_or_default()
    }

    /// The share of approvals among the decisions that people made; none without decisions.
    #[must_use]
    pub fn approval_rate(&self) -> Option<f64> {
        let sum = |pick: fn(&ReviewerCount) -> u64| self.by_reviewer.values().map(pick).sum();
        let (approved, denied): (u64, u64) = (sum(|r| r.approved), sum(|r| r.denied));
        let all = approved + denied;
        // Counts are far below 2^53, so the division is exact enough for a rate.
        (all > 0).then(|| approved as f64 / all as f64)
    }

    pub(crate) fn apply(&mut self, event: &Event, before: Option<Status>, after: &Request) {
        if let Some(before) = before {
            self.shift(before, -1);
        }
        self.shift(after.state.status(), 1);
        match event {
            Event::Requested(submission) => {
                self.requests += 1;
                let sensitivity = submission.terms.sensitivity;
                *self.by_sensitivity.entry(sensitivity).or_default() += 1;
                self.auto_approved += u64::from(submission.need == Disposition::AutoApproved);
                self.auto_denied += u64::from(submission.need == Disposition::AutoDenied);
                self.not_sensitive += u64::from(submission.need == Disposition::NotSensitive);
                self.uncovered += u64::from(submission.rule.is_none());
            }
            Event::Reviewed(review) => {
                let count = self.by_reviewer.entry(review.reviewer.clone()).or_default();
                match review.verdict {
                    Vote::Approve => count.approved += 1,
                    Vote::Deny => count.denied += 1,
                }
                if after.decision() == Some(review) {
                    self.time_to_decision
                        .record(review.at.since(after.submission.at));
                }
            }
            Event::FactorFailed { .. } => self.wrong_codes += 1,
            Event::BrokeGlass(_) => {
                self.broken_glass += 1;
                self.open_reviews += 1;
            }
            Event::Attested(_) => self.open_reviews -= u64::from(!after.owes_review()),
            Event::Expired { .. }
            | Event::Escalated { .. }
            | Event::ChangesRequested(_)
            | Event::Claimed(_)
            | Event::Finished(_)
            | Event::Withdrawn { .. }
            | Event::Superseded { .. }
            | Event::Revoked { .. }
            | Event::Restored(_) => {}
        }
    }

    /// Counts requests as expired that were not decided in time, though no event says so yet.
    pub(crate) fn expire(&mut self, overdue: u64) {
        if overdue > 0 {
            *self.by_status.entry(Status::Pending).or_default() -= overdue;
            *self.by_status.entry(Status::Expired).or_default() += overdue;
        }
    }

    fn shift(&mut self, status: Status, by: i64) {
        let count = self.by_status.entry(status).or_default();
        *count = count
            .checked_add_signed(by)
            .expect("a state is left only after it was entered");
    }
}

/// A histogram of durations in buckets that double: bucket `n` counts those of at least
/// 2<sup>n-1</sup> and less than 2<sup>n</sup> µs, bucket 0 those of 0 µs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TimeToDecision {
    /// How many durations.
    pub count: u64,
    /// Their sum, in microseconds.
    pub total_us: u64,
    /// The shortest, in microseconds; 0 without any.
    pub min_us: u64,
    /// The longest, in microseconds.
    pub max_us: u64,
    /// The counts by bucket, up to the last one that is not empty.
    pub buckets: Vec<u64>, // at most 65
}

impl TimeToDecision {
    /// The mean; none without durations.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        self.total_us
            .checked_div(self.count)
            .map(Duration::from_micros)
    }

    /// An upper bound of a quantile, at most twice its value; none without durations. `quantile`
    /// is taken into 0 to 1.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let rank = (quantile.clamp(0.0, 1.0) * self.count as f64)
            .ceil()
            .max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        let top_us = 1_u64
            .checked_shl(bucket as u32)
            .map_or(u64::MAX, |end| end - 1);
        Some(Duration::from_micros(
            top_us.clamp(self.min_us, self.max_us),
        ))
    }

    fn record(&mut self, span: Duration) {
        let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - us.leading_zeros()) as usize;
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.min_us = if self.count == 0 {
            us
        } else {
            self.min_us.min(us)
        };
        self.max_us = self.max_us.max(us);
        self.count += 1;
        self.total_us = self.total_us.saturating_add(us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_bounded_by_the_bucket_and_by_the_extremes() {
        let mut times = TimeToDecision::default();
        assert_eq!((times.mean(), times.quantile(0.5)), (None, None));
        for us in [0, 3, 100, 100, 1_000_000] {
            times.record(Duration::from_micros(us));
        }
        let at = |q| times.quantile(q).unwrap().as_micros();
        assert_eq!((at(0.0), at(0.4), at(0.5), at(1.0)), (0, 3, 127, 1_000_000));
        assert_eq!(times.mean(), Some(Duration::from_micros(200_040)));
        times.record(Duration::MAX);
        assert_eq!(times.max_us, u64::MAX);
    }
}
