//! Generates load, measures latency and records acknowledged writes, so that they can be verified
//! afterwards.
//!
//! A [`Workload`] says what one user does, in named steps. [`run`] has many users do it, each on its
//! own thread, and gives a [`RunRecord`] (latencies per step, failures, memory, processor time) and
//! a [`Ledger`] of every effect that the target acknowledged. After the load, [`verify`] compares
//! the ledger with what the target really holds: an operation counts when its effect was found.
//!
//! The engine knows no target. This one is a map:
//!
//! ```
//! use std::collections::HashMap;
//! use std::convert::Infallible;
//! use std::num::{NonZeroU32, NonZeroU64};
//! use std::sync::Mutex;
//!
//! use load_engine::{
//!     Digest, Failure, Found, Iteration, Model, Plan, StepSpec, StopHandle, Workload, run, verify,
//! };
//!
//! const PUT: StepSpec = StepSpec::effectful("put");
//! const GET: StepSpec = StepSpec::new("get");
//!
//! #[derive(Default)]
//! struct MapUnderLoad(Mutex<HashMap<String, u64>>);
//!
//! impl Workload for MapUnderLoad {
//!     type User = ();
//!
//!     fn steps(&self) -> Vec<StepSpec> {
//!         vec![PUT, GET]
//!     }
//!
//!     fn set_up(&self, _user: u32) -> Result<(), Failure> {
//!         Ok(())
//!     }
//!
//!     fn iterate(&self, _: &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
//!         let (key, value) = (format!("{}-{}", it.user(), it.index()), it.rng().next_u64());
//!         it.step(&PUT, |effects| {
//!             self.0.lock().unwrap().insert(key.clone(), value);
//!             effects.created("entry", &key, Digest::of(&value.to_le_bytes()));
//!             Ok(())
//!         })?;
//!         it.step(&GET, |_| {
//!             let found = self.0.lock().unwrap().get(&key).copied();
//!             found.map(drop).ok_or_else(|| Failure::new("not found"))
//!         })
//!     }
//! }
//!
//! let workload = MapUnderLoad::default();
//! let model = Model::iterations(NonZeroU32::new(4).unwrap(), NonZeroU64::new(25).unwrap());
//! let plan = Plan::new("map", model).seed(7);
//! let (record, ledger) = run(&workload, &plan, &StopHandle::new(), |_| {})?;
//! assert_eq!(record.step("put").unwrap().succeeded, 100);
//! assert_eq!(record.vacuous_steps().count(), 0);
//!
//! let entries = workload.0.into_inner().unwrap();
//! let found = entries.into_iter().map(|(key, value)| {
//!     Ok::<_, Infallible>(Found::new("entry", key, Digest::of(&value.to_le_bytes())))
//! });
//! assert!(verify(&ledger, found).holds());
//! # Ok::<(), load_engine::RunError>(())
//! ```
//!
//! # Models of load
//!
//! A [`Model`] is *closed* (users who begin the next iteration when the last one ended: a fixed number
//! of them, or by [stages](UserStage), with a [`ThinkTime`]) or *open* (arrivals by a [`Schedule`],
//! whether or not the target keeps up). Only the open one feels a stall as users do: latency counts from
//! when an arrival was due, arrivals that could not start in time are counted, and nothing is guessed.
//!
//! ```
//! # use load_engine::{Failure, Iteration, StepSpec, Workload};
//! use std::num::NonZeroU32;
//! use std::time::Duration;
//! use load_engine::{Clock, Model, Plan, Schedule, SimulatedClock, StopHandle, Threshold, run_on};
//! # const CALL: StepSpec = StepSpec::new("call");
//! # struct Stalling<'c>(&'c SimulatedClock);
//! # impl Workload for Stalling<'_> {
//! #     type User = ();
//! #     fn steps(&self) -> Vec<StepSpec> { vec![CALL] }
//! #     fn set_up(&self, _: u32) -> Result<(), Failure> { Ok(()) }
//! #     fn iterate(&self, _: &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
//! #         it.step(&CALL, |_| {
//! #             let now = self.0.now_ns();
//! #             let stalled = (6_000_000_000..8_000_000_000).contains(&now);
//! #             self.0.sleep_until(if stalled { 8_000_000_000 } else { now });
//! #             Ok(())
//! #         })
//! #     }
//! # }
//!
//! // 500 arrivals a second for 14 s, at a target that answers nobody for 2 s.
//! let schedule = Schedule::constant(500.0, Duration::from_secs(14));
//! let plan = Plan::new("stall", Model::open(schedule, NonZeroU32::new(50).unwrap()));
//! let clock = SimulatedClock::new();
//! let (record, _) = run_on(&clock, &Stalling(&clock), &plan, &StopHandle::new(), |_| {})?;
//!
//! let seconds: Threshold = "p99(call) > 1.85s".parse()?;
//! assert_eq!(seconds.judge(&record, None).ruling, load_engine::Ruling::Held);
//! # Ok::<(), load_engine::RunError>(())
//! ```
//!
//! # Executors and deadlines
//!
//! [`run`] has a thread for each user and ends when every user has. [`run_shared`] ends when the plan
//! says, whatever the workload does: what is inside a step then is counted as in flight, and its thread
//! is left to the [`Stragglers`]. [`run_async`] does the same with tasks of an [`AsyncWorkload`], on a
//! current-thread runtime for each processor, and watches the [`RuntimeLag`]; [`run_pooled`] has the
//! users of a blocking workload as such tasks. Plan, record, ledger and thresholds are the same for all
//! of them.
//!
//! A phase can end on a [`Condition`], and a run on a violated [`Threshold`]. A ledger too long for memory
//! goes to disk by a [`SpillPolicy`]; another process is watched by [`Plan::watch`]; [`search`] finds
//! the highest rate that still holds.
//!
//! # Figures that can be believed
//!
//! Latencies are histograms to three digits, merged losslessly, in total, by second and by [`Phase`].
//! [`RunRecord::generator_limits`] says when the generator rather than the target was the limit, and
//! [`RunRecord::coordinated_omissions`] what a closed model hid. [`calibration`] compares what is
//! reported of known delays with the truth.
//!
//! # Data and mixed traffic
//!
//! A [`Feed`] shares a CSV or JSONL file out among users, each record once; a [`Mix`] draws what a user
//! does next by weights. [`Iteration::check`] counts what should hold, apart from failures. The example `mixed` is a whole workload with both.

// The work of one user, and the load that is put on the target.
mod plan;
mod step;
mod workload;

// The run.
mod clock;
mod context;
mod exec;

// What a run records.
mod ledger;
mod monitor;
mod record;

// How the record is judged.
mod judge;
mod threshold;

// Several runs in search of one figure, and the engine's own accuracy.
pub mod calibration;
pub mod search;

mod error;
mod numbers;

pub use crate::clock::{Clock, MonotonicClock, SimulatedClock, StopHandle};
pub use crate::error::RunError;
pub use crate::exec::outcome::Outcome;
pub use crate::exec::progress::{Progress, Stage};
pub use crate::exec::stragglers::Stragglers;
pub use crate::exec::{run, run_async, run_on, run_pooled, run_shared};
pub use crate::judge::leak::{LeakRuling, LeakVerdict};
pub use crate::judge::trend;
pub use crate::judge::validity::{CoordinatedOmission, GeneratorLimit};
pub use crate::ledger::digest::Digest;
pub use crate::ledger::expectation::{Expected, ExpectedState};
pub use crate::ledger::spill::{SpillPolicy, SpillProgress, SpilledLedger};
pub use crate::ledger::tally::EffectTally;
pub use crate::ledger::verify::{
    Defect, Discrepancy, Expectation, Found, SHOWN_DISCREPANCIES, Verification, verify, verify_each,
};
pub use crate::ledger::{Effect, Ledger, LedgerEntry};
pub use crate::monitor::{
    MonitorGap, MonitorRecord, MonitorSample, MonitorSummary, WatchedProcess,
};
pub use crate::plan::Plan;
pub use crate::plan::abort::AbortRule;
pub use crate::plan::condition::Condition;
pub use crate::plan::model::{Model, Until};
pub use crate::plan::pacing::{ThinkTime, UserStage};
pub use crate::plan::phase::Phase;
pub use crate::plan::schedule::{RateStage, Schedule, Spacing};
pub use crate::record::abort::Abort;
pub use crate::record::fairness::{Fairness, UserTally};
pub use crate::record::generator::GeneratorRecord;
pub use crate::record::histogram::{MAX_LATENCY_NS, empty_histogram};
pub use crate::record::lag::RuntimeLag;
pub use crate::record::latency::LatencySummary;
pub use crate::record::open_summary::{ArrivalCounts, OpenSummary};
pub use crate::record::parts::{PartSummary, Parts};
pub use crate::record::phase::{PhaseStep, PhaseSummary};
pub use crate::record::service_memory::{MemorySample, ServiceMemory};
pub use crate::record::{
    CheckCount, FailureCount, FailureCounts, IntervalSummary, IterationCounts, RunRecord,
    SlowOperation, StepSummary, StoredEffects,
};
pub use crate::search::scalability::{ConfidenceInterval, ScalabilityFit, ScalePoint};
pub use crate::step::{Failure, StepName, StepSpec};
pub use crate::threshold::quantity;
pub use crate::threshold::{Judgement, Names, Ruling, Source, Threshold};
pub use crate::workload::feed::Feed;
pub use crate::workload::iteration::{Effects, Iteration};
pub use crate::workload::mix::Mix;
pub use crate::workload::rng::Rng;
pub use crate::workload::{AsyncWorkload, Workload};
