//! One thread's loop in an open model.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::crew::Crew;
use crate::iteration::Iteration;
use crate::recorder::OpenTally;
use crate::schedule::{Arrivals, Schedule};
use crate::user::{Seat, UserEnd, iterate};
use crate::workload::Workload;

/// The arrivals of a run, which its threads share.
///
/// Whichever thread is free takes the next one and waits until it is due. So there is no dispatcher
/// that could be late and no queue that could grow: an arrival that nobody has taken when it is due
/// is the queue.
pub(crate) struct Desk {
    /// Locked once an arrival, before the arrival is due or while it is late anyway.
    arrivals: Mutex<Arrivals>,
    schedule_ns: u64,
    patience_ns: u64,
}

impl Desk {
    pub(crate) fn new(schedule: &Schedule, patience: Duration, seed: u64) -> Self {
        Self {
            arrivals: Mutex::new(Arrivals::new(schedule.clone(), seed)),
            schedule_ns: schedule.duration().as_nanos() as u64,
            patience_ns: u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    fn next(&self) -> Option<(u64, u64)> {
        self.arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next()
    }
}

/// Takes arrivals until there are no more or someone stops the run.
pub(crate) fn serve<W: Workload>(
    crew: &Crew<'_>,
    desk: &Desk,
    workload: &W,
    seat: Seat<'_, W>,
) -> UserEnd {
    let Seat {
        user,
        state,
        recorder,
        counter,
        began_ns,
    } = seat;
    let mut tally = recorder.open.take().unwrap_or_else(OpenTally::new);
    let end = {
        let mut it = Iteration::new(
            recorder,
            crew.clock,
            crew.stop,
            crew.plan.seed,
            user,
            began_ns,
        );
        crew.clock.sharpen();
        it.touch();
        let mut interrupted = false;
        while let Some((number, after_ns)) = desk.next() {
            let due_ns = began_ns + after_ns;
            let Some(started_ns) = await_start(crew, desk, due_ns, &mut tally) else {
                interrupted = crew.stop.is_stopped();
                if interrupted {
                    break;
                }
                continue;
            };
            it.begin_arrival(number, due_ns);
            let succeeded = iterate(workload, state, &mut it);
            it.touch();
            it.end(succeeded);
            counter.count(succeeded);
            tally.book(
                due_ns,
                started_ns,
                it.last_ns(),
                began_ns + desk.schedule_ns,
            );
        }
        UserEnd::new(it.last_ns(), counter, interrupted)
    };
    recorder.open = Some(tally);
    end
}

/// Waits until an arrival is due, and gives the time of its start; nothing if it is not to be started.
fn await_start(crew: &Crew<'_>, desk: &Desk, due_ns: u64, tally: &mut OpenTally) -> Option<u64> {
    if crew.stop.is_stopped() {
        return None;
    }
    let taken_ns = crew.clock.now_ns();
    if taken_ns > due_ns {
        if taken_ns - due_ns > desk.patience_ns {
            tally.dropped += 1;
            return None;
        }
        tally.late += 1;
        return Some(taken_ns);
    }
    crew.clock.sleep_until_or_stopped(due_ns, crew.stop);
    if crew.stop.is_stopped() {
        return None;
    }
    let started_ns = crew.clock.now_ns();
    tally.lag.record(started_ns.saturating_sub(due_ns));
    Some(started_ns)
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
