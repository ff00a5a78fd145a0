//! How many requests each caller may make a second.

use std::time::Instant;

use dashmap::DashMap;

use crate::access::principal::Principal;
use crate::access::tokens::Role;
use crate::config::Rates;
use crate::http::problem::{Code, Problem};

/// One bucket for each caller, of whom there are no more than tokens were made for.
#[derive(Debug)]
pub(crate) struct Limiter {
    rates: Rates,
    buckets: DashMap<String, Bucket>,
}

/// What is left to a caller, and since when.
#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Limiter {
    pub(crate) fn new(rates: Rates) -> Self {
        let buckets = DashMap::new();
        Self { rates, buckets }
    }

    /// Takes one request from what a caller has left: as many as a second's worth at once, then one after the other.
    pub(crate) fn take(&self, who: &Principal) -> Result<(), Problem> {
        self.take_at(who, Instant::now())
    }

    fn take_at(&self, who: &Principal, now: Instant) -> Result<(), Problem> {
        let rate = match who.role {
            Role::Agent => self.rates.agent,
            Role::Reviewer | Role::Operator => self.rates.person,
        };
        let Some(rate) = rate.map(|rate| f64::from(rate.get())) else {
            return Ok(());
        };
        let new = || Bucket {
            left: rate,
            at: now,
        };
        let mut bucket = self
            .buckets
            .entry(who.person.to_string())
            .or_insert_with(new);
        let passed_s = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + passed_s * rate).min(rate);
        bucket.at = now;
        if bucket.left < 1.0 {
            let detail = format!("{} makes more than {rate} requests a second", who.person);
            return Err(Problem::new(Code::RateLimited, detail).retry_after(1));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use approval_workflow::PersonId;

    use super::*;

    #[test]
    fn a_caller_has_a_second_s_worth_at_once_and_then_its_rate() {
        let limiter = Limiter::new(Rates {
            agent: NonZeroU32::new(10),
            person: None,
        });
        let who = |name: &str, role| Principal {
            person: PersonId::new(name).unwrap(),
            role,
        };
        let (bot, other) = (who("bot", Role::Agent), who("other", Role::Agent));
        let start = Instant::now();
        let taken = |who: &Principal, at: f64| {
            let at = start + Duration::from_secs_f64(at);
            (0..100)
                .filter(|_| limiter.take_at(who, at).is_ok())
                .count()
        };
        assert_eq!(taken(&bot, 0.0), 10);
        assert_eq!(taken(&other, 0.0), 10, "each has its own");
        assert_eq!(taken(&bot, 0.5), 5);
        assert_eq!(taken(&bot, 60.0), 10, "what is not used is not saved up");
        assert_eq!(taken(&who("alice", Role::Reviewer), 0.0), 100, "no limit");
    }
}
