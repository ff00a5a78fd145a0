//! The one shape of histogram that the engine records in.

use hdrhistogram::Histogram;

/// The highest latency that is told apart; a longer one is recorded as this.
pub const MAX_LATENCY_NS: u64 = 3_600_000_000_000;

/// An empty histogram of the engine's one shape: 1 ns to 1 h, 3 significant digits.
#[must_use]
pub fn empty_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_LATENCY_NS, 3).expect("the constants are valid bounds")
}
