//! A user: its values, its connections, and how it makes requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drivers::{
    Answer, AnyConnection, AnySession, Code, DrawContext, Outcome, Random, Reason, Values,
};

use load_engine::Parts;

use super::judge::{capture, judge, want};
use super::meter::Meter;
use super::program::{Program, Request, Retry, Step};
use crate::clock;

/// Waits between attempts to connect, which double from the first to the last.
const FIRST_BACKOFF: Duration = Duration::from_millis(10);
const LAST_BACKOFF: Duration = Duration::from_secs(1);

/// Whoever makes requests: a user of the load, or the coordinator.
pub(super) struct User {
    pub(super) values: Values,
    pub(super) answer: Answer,
    links: Box<[Link]>,
    /// What is measured beside steps; nothing of the coordinator.
    pub(super) meter: Option<Meter>,
}

/// A user's connection to one service.
struct Link {
    session: AnySession,
    connection: Option<AnyConnection>,
    /// How long to wait before connecting; nothing while connecting succeeds.
    backoff: Duration,
}

impl User {
    pub(super) fn new(program: &Program, values: Values) -> Self {
        let link = |service: &super::program::Service| Link {
            session: service.driver.session(),
            connection: None,
            backoff: Duration::ZERO,
        };
        Self {
            values,
            answer: Answer::default(),
            links: program.services.iter().map(link).collect(),
            meter: None,
        }
    }

    /// A user whose times beside steps are measured.
    pub(super) fn metered(program: &Program, values: Values, parts: &Arc<Parts>) -> Self {
        let mut user = Self::new(program, values);
        user.meter = Some(Meter::new(parts, &mut user.answer));
        user
    }

    /// Opens the connection that a request needs, waiting first if the last attempt failed.
    ///
    /// A failure is told when the request is made.
    pub(super) async fn connect(&mut self, program: &Program, service: usize) {
        let driver = &program.services[service].driver;
        let link = &mut self.links[service];
        if let Some(connection) = &mut link.connection
            && !driver.is_open(connection)
        {
            link.connection = None;
        }
        if link.connection.is_some() {
            return;
        }
        if !link.backoff.is_zero() {
            tokio::time::sleep(link.backoff).await;
        }
        self.answer.clear();
        let began = Instant::now();
        match driver.connect(&self.values).await {
            Ok(connection) => {
                if let Some(meter) = &self.meter {
                    meter.book(program.services[service].connect_part, began.elapsed());
                }
                link.connection = Some(connection);
                link.backoff = Duration::ZERO;
            }
            Err(failure) => {
                self.answer.code = match failure.code {
                    Code::None => Code::Connect,
                    code => code,
                };
                self.answer
                    .body
                    .extend_from_slice(failure.reason.text().as_bytes());
                link.backoff = (link.backoff * 2).clamp(FIRST_BACKOFF, LAST_BACKOFF);
            }
        }
    }

    /// Opens a connection again that broke while nobody used it, so that the next request does not find out.
    async fn reopen(&mut self, program: &Program, service: usize) {
        if self.links[service].connection.is_some() {
            self.connect(program, service).await;
        }
    }

    /// Makes a request once, and tells what the protocol says of the answer.
    pub(super) async fn ask(&mut self, program: &Program, request: &Request) -> Outcome {
        let link = &self.links[request.service];
        if link.connection.is_none() {
            self.connect(program, request.service).await;
        }
        let driver = &program.services[request.service].driver;
        let link = &mut self.links[request.service];
        let Some(connection) = &mut link.connection else {
            // Nothing was sent. The reason was left where the answer would be.
            let told = String::from_utf8_lossy(&self.answer.body).into_owned();
            self.answer.body.clear();
            return Outcome::Refused(Reason::new(&told));
        };
        let outcome = driver
            .exchange(
                connection,
                &mut link.session,
                &request.request,
                &self.values,
                &mut self.answer,
            )
            .await;
        if !driver.is_open(connection) {
            link.connection = None;
        }
        outcome
    }

    /// The connection that was opened for a request, with what the user keeps for its service.
    pub(super) fn link(
        &mut self,
        service: usize,
    ) -> Option<(&mut AnyConnection, &mut AnySession, &Values)> {
        let link = &mut self.links[service];
        let connection = link.connection.as_mut()?;
        Some((connection, &mut link.session, &self.values))
    }

    /// Takes a connection of a pool for one step, or none where the pool has room for a new one.
    pub(super) fn lend(&mut self, service: usize, connection: Option<AnyConnection>) {
        self.links[service].connection = connection;
    }

    /// Gives the connection of a step to its pool.
    pub(super) fn take_back(&mut self, service: usize) -> Option<AnyConnection> {
        self.links[service].connection.take()
    }

    /// Drops a connection whose exchange did not end well.
    pub(super) fn drop_link(&mut self, service: usize) {
        self.links[service].connection = None;
    }

    /// Makes the values of a step.
    pub(super) fn draw(
        &mut self,
        step: &Step,
        context: &DrawContext,
    ) -> Result<(), drivers::Failure> {
        let mut draws = step.draws.iter();
        draws.try_for_each(|draw| draw.draw(context, &mut self.values))
    }

    /// Does a step: its attempts, polls and repeats. One acknowledgement makes it acknowledged, and else one
    /// unknown attempt unknown; the second is what fails the step all the same.
    pub(super) async fn perform(
        &mut self,
        program: &Program,
        step: &Step,
        context: &DrawContext,
    ) -> (Outcome, Option<String>) {
        want(step, &mut self.answer);
        if let Some(poll) = &step.poll {
            let until = Instant::now() + poll.timeout;
            loop {
                let outcome = self.attempts(program, step, None, context).await;
                if outcome == Outcome::Acknowledged {
                    return (outcome, None);
                }
                if Instant::now() + poll.every >= until {
                    let told = format!("unmet within {:?}: {outcome}", poll.timeout);
                    return (Outcome::Unknown(Reason::new(&told)), None);
                }
                tokio::time::sleep(poll.every).await;
                self.reopen(program, step.request.service).await;
            }
        }
        let outcome = self.attempts(program, step, None, context).await;
        if outcome != Outcome::Acknowledged {
            return (outcome, None);
        }
        for number in 2..=step.repeat {
            let again = self.attempts(program, step, Some(number), context).await;
            if again != Outcome::Acknowledged {
                return (
                    Outcome::Acknowledged,
                    Some(format!("repeat {number}: {again}")),
                );
            }
        }
        (Outcome::Acknowledged, None)
    }

    /// One request, and again as the step's retry says.
    async fn attempts(
        &mut self,
        program: &Program,
        step: &Step,
        again: Option<u8>,
        context: &DrawContext,
    ) -> Outcome {
        let mut overall: Option<Outcome> = None;
        let mut number = 0;
        loop {
            let outcome = self.attempt(program, step, again).await;
            overall = Some(match (overall, outcome) {
                (_, Outcome::Acknowledged) => return Outcome::Acknowledged,
                // It may have been done by the one attempt, whatever became of the other.
                (Some(unknown @ Outcome::Unknown(_)), Outcome::Refused(_)) => unknown,
                (_, outcome) => outcome,
            });
            let Some(retry) = &step.retry else { break };
            if number >= retry.times || !retry.on.contains(&self.answer.code) {
                break;
            }
            tokio::time::sleep(pause(retry, number, context)).await;
            self.reopen(program, step.request.service).await;
            if let Some(rerun) = retry.rerun {
                let set_up = &program.user_setup[rerun];
                want(set_up, &mut self.answer);
                // If it fails, so will the attempt after it, which is what is told.
                let _ = Box::pin(self.set_up_again(program, set_up, context)).await;
                want(step, &mut self.answer);
            }
            number += 1;
        }
        overall.unwrap_or(Outcome::Acknowledged)
    }

    async fn set_up_again(
        &mut self,
        program: &Program,
        set_up: &Step,
        context: &DrawContext,
    ) -> Outcome {
        match self.draw(set_up, context) {
            Ok(()) => self.attempt(program, set_up, None).await,
            Err(failure) => Outcome::Refused(failure.reason),
        }
    }

    async fn attempt(&mut self, program: &Program, step: &Step, again: Option<u8>) -> Outcome {
        if let Some(meter) = &self.meter {
            meter.begin(step);
        }
        let by_protocol = self.ask(program, &step.request).await;
        let ended = Instant::now();
        let outcome = judge(step, by_protocol, &self.answer, &self.values);
        if let Some(meter) = &self.meter {
            meter.end(step, &self.answer);
            meter.judged(step, &self.answer, ended, outcome);
        }
        if outcome != Outcome::Acknowledged {
            return outcome;
        }
        match capture(&step.captures, &self.answer, again, &mut self.values) {
            Ok(()) => outcome,
            Err(problem) => Outcome::Unknown(Reason::new(&problem)),
        }
    }
}

/// How long to wait before an attempt: twice as long each time, and up to half of it more or less, so that
/// users who failed together do not come back together.
fn pause(retry: &Retry, number: u32, context: &DrawContext) -> Duration {
    let mut random = Random::of(&[
        context.seed,
        context.who,
        context.iteration,
        u64::from(number),
    ]);
    let share = 0.5 + random.below(1000) as f64 / 1000.0;
    retry
        .delay
        .saturating_mul(1 << number.min(16))
        .mul_f64(share)
        .min(Duration::from_secs(60))
}

/// Where the values are drawn that are of no iteration: those of a set-up.
pub(super) fn outside_iterations(program: &Program, who: u64) -> DrawContext {
    DrawContext {
        seed: program.seed,
        who,
        iteration: u64::MAX,
        now_us: clock::now_micros,
    }
}
