//! What can keep a run from giving a result, and a saved record from being read.

use std::io;

use crate::step::Failure;

/// Why a run gave no record, or why a saved record or ledger could not be read.
///
/// A failed operation is no error of the run: it is counted in the record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The process that was to be watched could not be. Check its number, and that it is of the same
    /// user.
    #[error("cannot watch process {pid}: {source}")]
    Watch {
        /// Its number.
        pid: u32,
        /// The operating system's reason.
        source: io::Error,
    },

    /// A user could not be set up, so no load was put on the target. The users that stood were torn
    /// down again. Repair what the message names; the target was not measured.
    #[error("set-up of user {user} failed ({failed} of {users} users failed): {message}")]
    SetUp {
        /// The failed user with the lowest number.
        user: u32,
        /// How many users failed.
        failed: u32,
        /// How many users the plan asked for.
        users: u32,
        /// The failure of `user`.
        message: String,
    },

    /// The operating system gave no thread. Ask for fewer users, or raise the limit of processes.
    #[error("cannot start thread {thread} of {users} users: {source}")]
    Spawn {
        /// The thread's role and number.
        thread: String,
        /// How many users the plan asked for.
        users: u32,
        /// The operating system's reason.
        source: io::Error,
    },

    /// A thread of the engine itself panicked. Panics of a workload are counted failures, so this is
    /// a defect of the engine.
    #[error("thread {thread} panicked: {message}")]
    ThreadPanicked {
        /// The thread's role.
        thread: &'static str,
        /// The panic's message.
        message: String,
    },

    /// The workload declares no step, so there would be nothing to measure. Return at least one from
    /// [`Workload::steps`](crate::Workload::steps).
    #[error("the workload declares no step")]
    NoSteps,

    /// Two steps share a name, so their figures could not be told apart. Rename one.
    #[error("step `{name}` is declared twice (as step {first} and step {second})")]
    DuplicateStep {
        /// The name in question.
        name: String,
        /// Index of its first declaration.
        first: usize,
        /// Index of its second declaration.
        second: usize,
    },

    /// The plan contradicts itself or asks for what no machine can do.
    #[error("the plan's {field} is {value}: {expected}")]
    Plan {
        /// The setting in question.
        field: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },

    /// A saved histogram is not what this engine writes: base64 of HdrHistogram V2. Take the record
    /// as damaged.
    #[error("cannot read a histogram of {length} characters: {reason}")]
    Histogram {
        /// How long the text is.
        length: usize,
        /// Why it was refused.
        reason: String,
    },

    /// A line of a saved ledger is no ledger entry.
    #[error("ledger line {line}: {source}")]
    LedgerLine {
        /// The line, counted from 1.
        line: u64,
        /// Why it was refused.
        source: serde_json::Error,
    },

    /// A saved ledger could not be read or written.
    #[error("cannot {operation} the ledger: {source}")]
    LedgerIo {
        /// `read` or `write`.
        operation: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },

    /// A threshold's text is none. The problem says what would be right at that column.
    #[error("threshold `{expression}`, column {column}: {problem}")]
    Threshold {
        /// The whole text.
        expression: String,
        /// Where the mistake is, in characters from 1.
        column: usize,
        /// What is wrong there, and what would be right.
        problem: String,
    },

    /// A mix has no choice with a weight, so there would be nothing to draw. Give one a weight.
    #[error("no choice of the mix has a weight")]
    NoWeight,

    /// A record of a data feed could not be read. Repair that line.
    #[error("line {line} of the data feed: {reason}")]
    Feed {
        /// The line at which the record begins, counted from 1.
        line: u64,
        /// Why it was refused.
        reason: String,
    },

    /// A sweep that says too little for the scalability law. Measure more numbers of users.
    #[error("cannot fit the scalability law: {problem}")]
    Scalability {
        /// What is wrong, and what would be right.
        problem: String,
    },

    /// An export could not be written.
    #[error("cannot write the export: {source}")]
    Export {
        /// The reason, of the writer or of the format.
        source: io::Error,
    },
}

/// A thread of the engine that panicked outside the workload.
pub(crate) fn panicked(thread: &'static str, failure: &Failure) -> RunError {
    RunError::ThreadPanicked {
        thread,
        message: failure.message().to_owned(),
    }
}
