//! Searches: several runs, each chosen by what the last ones showed.
//!
//! [`breaking_point`] finds the highest rate that a target still bears, [`scalability`] how its
//! throughput grows with its users. Both leave it to their caller to make a run, so that a target is
//! set up anew for each, and its effects are verified.
//!
//! ```
//! use load_engine::search::{RateSearch, ProbeResult, breaking_point};
//!
//! // A target that bears 730 a second. A real trial is a run with an open model.
//! let trial = |per_s: f64| Ok::<_, std::io::Error>(if per_s <= 730.0 {
//!     ProbeResult::Held
//! } else {
//!     ProbeResult::Violated("p99 is 900 ms of at most 200 ms".to_owned())
//! });
//! let found = breaking_point(&RateSearch::between(100.0, 10_000.0), trial)?;
//! let (held, broken) = (found.highest_held_per_s.unwrap(), found.lowest_violated_per_s.unwrap());
//! assert!(held <= 730.0 && 730.0 < broken && broken / held <= 1.1);
//! # Ok::<(), std::io::Error>(())
//! ```

pub(crate) mod breaking_point;
pub(crate) mod scalability;
pub(crate) mod sweep;

pub use breaking_point::{BreakingPoint, ProbeResult, RateSearch, RateTrial, breaking_point};
pub use scalability::check_sizes;
pub use sweep::{Scalability, scalability};
