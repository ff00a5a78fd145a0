//! What a test author writes: the workload.

pub(crate) mod feed;
pub(crate) mod iteration;
pub(crate) mod mix;
pub(crate) mod rng;

use crate::step::{Failure, StepSpec};
use crate::workload::iteration::Iteration;

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
