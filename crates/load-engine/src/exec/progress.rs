//! What a run tells while it goes on.

use std::sync::Arc;
use std::time::Duration;

use crate::record::RunRecord;

/// How far a run has come.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// What is going on.
    pub stage: Stage,
    /// Time since the load began; zero during set-up.
    pub elapsed: Duration,
    /// Users that stand and have not ended.
    pub users: u32,
    /// Iterations that have ended, failed ones included.
    pub done: u64,
    /// Failed iterations.
    pub failed: u64,
    /// Iterations that the model asks for, if it says.
    pub planned: Option<u64>,
    /// As much of the record as was there about a second ago, if the plan
    /// [asks](crate::Plan::record_so_far) for it. The last second or two of its intervals are not whole yet;
    /// arrivals, checks and failure messages come with the whole record only.
    pub record: Option<Arc<RunRecord>>,
}

/// The parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Users are being set up; there is no load yet.
    SettingUp,
    /// Users iterate.
    Running,
}
