//! What users tell the coordinating thread, and what it passes on of them.

use std::sync::mpsc::Receiver;

use crate::context::counter::Doing;
use crate::exec::turn::UserEnd;
use crate::ledger::Ledger;
use crate::numbers::rounded;
use crate::record::abort::Abort;
use crate::record::failures::FailureTally;
use crate::record::lag::LagTally;
use crate::record::recorder::Recorder;
use crate::step::Failure;

/// What a user tells the coordinating thread.
pub(crate) enum UserReport {
    Ready,
    SetUpFailed {
        user: u32,
        failure: Failure,
    },
    LoadEnded {
        user: u32,
        end: UserEnd,
    },
    TornDown {
        user: u32,
        failure: Option<Failure>,
    },
    Panicked(Failure),
    /// The last that a thread sends.
    ThreadEnded,
}

/// What a load left behind.
pub(crate) struct Load {
    pub(crate) began_ns: u64,
    pub(crate) ended_ns: u64,
    /// By user, when its load ended; none of those whom the run ended without.
    pub(crate) user_ends_ns: Vec<Option<u64>>,
    /// The time by which users of a closed model came late out of their thoughts, all together.
    pub(crate) overslept_ns: u64,
    pub(crate) monitor_began_ns: u64,
    pub(crate) cpu_ns: Option<u64>,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) interrupted: bool,
    pub(crate) abort: Option<Abort>,
    pub(crate) recorders: Vec<Recorder>,
    pub(crate) ledgers: Vec<Ledger>,
    /// Of each runtime, if users are tasks.
    pub(crate) lags: Vec<LagTally>,
    pub(crate) tear_down_failures: FailureTally,
    /// What the users were doing when a signal or an abort rule cut them off, or a deadline that leaves no
    /// time to finish.
    pub(crate) in_flight: Vec<Doing>,
    /// Iterations that did not finish in the time that they had for it: they failed.
    pub(crate) unfinished: u64,
}

impl Load {
    /// The share of their time by which users came late out of their thoughts; nothing if there were none.
    pub(crate) fn overslept_share(&self) -> Option<f64> {
        let ends = self.user_ends_ns.iter().flatten();
        let time_ns: u64 = ends.map(|end| end.saturating_sub(self.began_ns)).sum();
        (time_ns > 0).then(|| rounded(self.overslept_ns as f64 / time_ns as f64, 6))
    }
}

/// What is left when a run is over: threads that did not come back, and how to hear of them.
pub(crate) struct Left {
    pub(crate) inbox: Receiver<UserReport>,
    pub(crate) threads: u32,
}
