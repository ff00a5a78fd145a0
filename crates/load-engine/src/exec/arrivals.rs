//! One user's turns in an open model.

use crate::context::RunContext;
use crate::context::arrival_queue::ArrivalQueue;
use crate::exec::turn::Turn;
use crate::record::recorder::OpenTally;
use crate::workload::iteration::Iteration;

/// An arrival that a user has taken.
#[derive(Clone, Copy)]
struct Taken {
    number: u64,
    /// When it is due, by the model's time.
    after_ns: u64,
}

/// One user at the queue.
pub(crate) struct Arrivals<'c> {
    arrival_queue: &'c ArrivalQueue,
    began_ns: u64,
    /// What it waits for.
    awaited: Option<Taken>,
    /// When the arrival under way was due, and when it was started.
    under_way: (u64, u64),
    /// When the last one ended.
    pub(crate) ended_ns: u64,
}

impl<'c> Arrivals<'c> {
    pub(crate) fn new(arrival_queue: &'c ArrivalQueue, began_ns: u64) -> Self {
        Self {
            arrival_queue,
            began_ns,
            awaited: None,
            under_way: (0, 0),
            ended_ns: began_ns,
        }
    }

    pub(crate) fn next(&mut self, context: &RunContext<'_>, it: &mut Iteration<'_>) -> Turn {
        loop {
            let (taken, has_waited) = match self.awaited.take() {
                Some(taken) => (taken, true),
                None => match self.arrival_queue.next() {
                    Some((number, after_ns)) => (Taken { number, after_ns }, false),
                    None => return Turn::End { interrupted: false },
                },
            };
            if context.stop.is_stopped() {
                return Turn::End { interrupted: true };
            }
            let Some(elapsed_ns) = context.skips.elapsed_at(taken.after_ns) else {
                it.book(|recorder| recorder.arrivals().skipped += 1);
                continue;
            };
            let due_ns = self.began_ns + elapsed_ns;
            let now_ns = it.touch();
            let late_ns = now_ns.saturating_sub(due_ns);
            if now_ns < due_ns {
                self.awaited = Some(taken);
                let until_ns = context.skips.nap(now_ns, due_ns);
                return Turn::Pause { until_ns };
            } else if has_waited || late_ns == 0 {
                it.book(|recorder| recorder.arrivals().start_late(elapsed_ns, late_ns));
                return self.start(taken.number, due_ns, it);
            } else if late_ns > self.arrival_queue.max_start_delay_ns {
                it.book(|recorder| recorder.arrivals().dropped += 1);
            } else {
                it.book(|recorder| recorder.arrivals().late += 1);
                return self.start(taken.number, due_ns, it);
            }
        }
    }

    /// Books an arrival that has ended.
    pub(crate) fn end(&mut self, it: &mut Iteration<'_>, succeeded: bool) {
        let (due_ns, started_ns) = self.under_way;
        let end_ns = self.began_ns + self.arrival_queue.schedule_ns;
        let schedule_end_ns = end_ns.saturating_sub(it.skipped_ns());
        it.end_arrival(succeeded, |recorder, ended_ns| {
            recorder
                .arrivals()
                .book(due_ns, started_ns, ended_ns, schedule_end_ns);
        });
        self.ended_ns = it.last_ns();
    }

    fn start(&mut self, number: u64, due_ns: u64, it: &mut Iteration<'_>) -> Turn {
        self.under_way = (due_ns, it.last_ns());
        if !self.arrival_queue.start(number) {
            it.book(|recorder| recorder.arrivals().overtaken += 1);
        }
        it.begin_arrival(number, due_ns);
        Turn::Iterate
    }
}

impl OpenTally {
    fn book(&mut self, due_ns: u64, started_ns: u64, ended_ns: u64, schedule_end_ns: u64) {
        self.response.record(ended_ns.saturating_sub(due_ns));
        self.service.record(ended_ns.saturating_sub(started_ns));
        if ended_ns <= schedule_end_ns {
            self.done += 1;
        } else if started_ns <= schedule_end_ns {
            self.in_flight += 1;
        } else {
            self.queued += 1;
        }
    }
}
