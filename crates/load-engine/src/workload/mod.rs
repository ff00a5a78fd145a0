//! What a test author writes: the workload, its steps and its failures.

pub(crate) mod feed;
pub(crate) mod iteration;
pub(crate) mod mix;
pub(crate) mod rng;

use std::error::Error;
use std::fmt;

use crate::Iteration;

/// Something to put load on: a target and what users do with it.
///
/// The engine calls [`set_up`](Self::set_up) once a user, [`iterate`](Self::iterate) as often as
/// the plan says, and [`tear_down`](Self::tear_down) once, all on the user's own thread. The crate's
/// documentation shows a whole workload.
pub trait Workload: Sync {
    /// What one user keeps between its iterations: a connection, a session, nothing.
    type User: Send;

    /// Every step that an iteration may take.
    fn steps(&self) -> Vec<StepSpec>;

    /// Makes a user ready. No load starts before every user is.
    ///
    /// # Errors
    ///
    /// A failure ends the run with [`RunError::SetUp`](crate::RunError::SetUp).
    fn set_up(&self, user: u32) -> Result<Self::User, Failure>;

    /// Does once what a user does, in steps.
    ///
    /// # Errors
    ///
    /// A failure is counted, with its message, and the run goes on; so is a panic, after which the
    /// user's state is as the panic left it. (The process's panic hook still prints each one.)
    fn iterate(&self, user: &mut Self::User, it: &mut Iteration<'_>) -> Result<(), Failure>;

    /// Lets a user go.
    ///
    /// # Errors
    ///
    /// A failure is counted in [`RunRecord::tear_down_failures`](crate::RunRecord).
    fn tear_down(&self, user: Self::User) -> Result<(), Failure> {
        drop(user);
        Ok(())
    }
}

/// A [`Workload`] of asynchronous code, for [`run_async`](crate::run_async).
///
/// All of a user's code runs on one thread, so nothing of it has to be `Send`. What blocks that thread
/// keeps every other user of it from running, which [`RuntimeLag`](crate::RuntimeLag) shows.
pub trait AsyncWorkload: Send + Sync + 'static {
    /// What one user keeps between its iterations.
    type User: 'static;

    /// Every step that an iteration may take.
    fn steps(&self) -> Vec<StepSpec>;

    /// Makes a user ready. No load starts before every user is.
    ///
    /// # Errors
    ///
    /// A failure ends the run with [`RunError::SetUp`](crate::RunError::SetUp).
    fn set_up(&self, user: u32) -> impl Future<Output = Result<Self::User, Failure>>;

    /// Does once what a user does, in steps of [`Iteration::step_async`]. When the run ends at its
    /// deadline, the future of an iteration under way is dropped.
    ///
    /// # Errors
    ///
    /// A failure is counted, with its message, and the run goes on; so is a panic.
    fn iterate(
        &self,
        user: &mut Self::User,
        it: &mut Iteration<'_>,
    ) -> impl Future<Output = Result<(), Failure>>;

    /// Lets a user go.
    ///
    /// # Errors
    ///
    /// A failure is counted in [`RunRecord::tear_down_failures`](crate::RunRecord).
    fn tear_down(&self, user: Self::User) -> impl Future<Output = Result<(), Failure>> {
        async {
            drop(user);
            Ok(())
        }
    }
}

/// A named part of an iteration, timed on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepSpec {
    /// The step's name in every report, one of its kind in a workload.
    pub name: &'static str,
    /// Whether the step is meant to leave an effect. One that acknowledged none in a whole run is
    /// *vacuous*: whatever was measured, it was not the work.
    pub effect: bool,
    /// What reports may group steps by: names and values.
    pub tags: &'static [(&'static str, &'static str)],
}

impl StepSpec {
    /// A step that only looks.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            effect: false,
            tags: &[],
        }
    }

    /// A step that is meant to leave an effect.
    #[must_use]
    pub const fn effectful(name: &'static str) -> Self {
        Self {
            name,
            effect: true,
            tags: &[],
        }
    }

    /// The same step with tags, which its [`StepSummary`](crate::StepSummary) carries.
    ///
    /// ```
    /// use load_engine::StepSpec;
    ///
    /// const PUT: StepSpec = StepSpec::effectful("put").tagged(&[("tier", "cache")]);
    /// assert_eq!(PUT.tags[0].1, "cache");
    /// ```
    #[must_use]
    pub const fn tagged(self, tags: &'static [(&'static str, &'static str)]) -> Self {
        Self { tags, ..self }
    }
}

/// Why a step, a set-up or a tear-down failed: a message.
///
/// Any error converts into it by `?`, with the messages of its sources. (So it is no `Error` itself,
/// as with `anyhow::Error`.) Failures are counted by message: leave out what differs each time.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
    /// Whether a step has counted it, so that the iteration which it ends does not do so again.
    counted: bool,
}

impl Failure {
    /// A failure with a message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            counted: false,
        }
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn is_counted(&self) -> bool {
        self.counted
    }

    pub(crate) fn into_counted(self) -> Self {
        Self {
            counted: true,
            ..self
        }
    }

    /// The failure that a caught panic stands for.
    pub(crate) fn from_panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a value that is no text");
        Self::new(format!("panicked: {text}"))
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Many errors repeat their source in their own message.
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self::new(message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({:?})", self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot append")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_failure_carries_the_messages_of_its_sources() {
        let fail = || -> Result<(), Failure> { Err(Outer(std::io::Error::other("disk full")))? };
        assert_eq!(fail().unwrap_err().message(), "cannot append: disk full");
    }

    #[test]
    fn a_source_that_is_already_in_the_message_is_not_repeated() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot append: {0}")]
        struct Repeats(#[source] std::io::Error);
        let failure = Failure::from(Repeats(std::io::Error::other("disk full")));
        assert_eq!(failure.message(), "cannot append: disk full");
    }
}
