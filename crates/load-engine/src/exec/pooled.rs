//! Blocking workloads on tokio's runtimes: users are tasks, and threads are lent to their iterations.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::context::RunContext;
use crate::step::{Failure, StepSpec};
use crate::workload::iteration::{Iteration, Lent};
use crate::workload::{AsyncWorkload, Workload};

/// A blocking workload as one of tasks.
pub(crate) struct Pooled<W> {
    pub(crate) workload: Arc<W>,
    pub(crate) context: Arc<RunContext<'static>>,
}

impl<W: Workload<User: 'static> + Send + 'static> AsyncWorkload for Pooled<W> {
    /// None while a thread has it.
    type User = Option<W::User>;

    fn steps(&self) -> Vec<StepSpec> {
        self.workload.steps()
    }

    async fn set_up(&self, user: u32) -> Result<Self::User, Failure> {
        let workload = Arc::clone(&self.workload);
        on_a_thread(move || workload.set_up(user).map(Some)).await
    }

    async fn iterate(&self, user: &mut Self::User, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let Some(mut state) = user.take() else {
            unreachable!("a task whose thread has not come back is not polled")
        };
        let (workload, context) = (Arc::clone(&self.workload), Arc::clone(&self.context));
        let lent = it.lend();
        let (state, lent, caught) = on_a_thread(move || {
            let (lent, caught) = iterate(&*workload, &context, &mut state, lent);
            (state, lent, caught)
        })
        .await;
        *user = Some(state);
        it.take_back(lent);
        // The task books a panic as that of its own code, to the step that it was in.
        caught.unwrap_or_else(|panic| resume_unwind(panic))
    }

    async fn tear_down(&self, user: Self::User) -> Result<(), Failure> {
        let workload = Arc::clone(&self.workload);
        on_a_thread(move || user.map_or(Ok(()), |user| workload.tear_down(user))).await
    }
}

/// Does an iteration on this thread.
fn iterate<W: Workload>(
    workload: &W,
    context: &RunContext<'static>,
    state: &mut W::User,
    lent: Lent,
) -> (Lent, std::thread::Result<Result<(), Failure>>) {
    let mut it = Iteration::resume(context, lent);
    let caught = catch_unwind(AssertUnwindSafe(|| workload.iterate(state, &mut it)));
    (it.lend(), caught)
}

/// Waits for a thread of the runtime's pool to do something.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends, and this task with it.
            Err(_) => pending().await,
        },
    }
}
