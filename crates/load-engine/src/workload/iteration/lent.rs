//! An iteration that another thread does.

use super::{Iteration, OpenStep};
use crate::context::RunContext;
use crate::workload::rng::Rng;

/// Where an iteration stands, without the run that it is of: what can go to another thread and back.
pub(crate) struct Lent {
    user: u32,
    index: u64,
    began_ns: u64,
    deadline_ns: u64,
    last_ns: u64,
    phase: usize,
    stream: u32,
    due_ns: Option<u64>,
    rng: Option<Rng>,
    open_step: Option<OpenStep>,
}

impl<'r> Iteration<'r> {
    /// Gives away where the iteration stands. Nothing is to be done with it until that is
    /// [taken back](Self::take_back).
    pub(crate) fn lend(&mut self) -> Lent {
        Lent {
            user: self.user,
            index: self.index,
            began_ns: self.began_ns,
            deadline_ns: self.deadline_ns,
            last_ns: self.last_ns,
            phase: self.phase,
            stream: self.stream,
            due_ns: self.due_ns.take(),
            rng: self.rng.take(),
            open_step: self.open_step.take(),
        }
    }

    /// Goes on with an iteration that was lent.
    pub(crate) fn resume(context: &'r RunContext<'r>, lent: Lent) -> Self {
        let Lent {
            user,
            index,
            began_ns,
            deadline_ns,
            last_ns,
            phase,
            stream,
            due_ns,
            rng,
            open_step,
        } = lent;
        Self {
            index,
            deadline_ns,
            last_ns,
            phase,
            stream,
            due_ns,
            rng,
            open_step,
            ..Self::new(context, user, began_ns)
        }
    }

    /// Takes back what was lent, as the other thread left it.
    pub(crate) fn take_back(&mut self, lent: Lent) {
        *self = Self::resume(self.context, lent);
    }
}
