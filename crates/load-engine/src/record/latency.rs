//! Latencies, summed up, and the histogram that they can be read from again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer as HistogramReader, Serializer as _, V2Serializer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::numbers::rounded;
use crate::record::histogram::empty_histogram;

/// Latencies in nanoseconds, and the histogram from which each figure is derived.
///
/// All figures are 0 when `count` is. Values are true to 3 significant digits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct LatencySummary {
    /// How many were recorded.
    pub count: u64,
    /// The shortest.
    pub min_ns: u64,
    /// The mean.
    pub mean_ns: f64,
    /// The median.
    pub p50_ns: u64,
    /// 90 of 100 are at most this.
    pub p90_ns: u64,
    /// 95 of 100 are at most this.
    pub p95_ns: u64,
    /// 99 of 100 are at most this.
    pub p99_ns: u64,
    /// 999 of 1,000 are at most this.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// All of them: base64 of a histogram in the HdrHistogram V2 encoding. Empty when `count` is 0.
    pub histogram: String,
}

impl LatencySummary {
    /// The summary of a histogram.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        Self {
            count: histogram.len(),
            min_ns: histogram.min(),
            mean_ns: rounded(histogram.mean(), 3),
            p50_ns: histogram.value_at_quantile(0.5),
            p90_ns: histogram.value_at_quantile(0.9),
            p95_ns: histogram.value_at_quantile(0.95),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
            histogram: encode(histogram),
        }
    }

    /// The median, if there are 2 or more.
    #[must_use]
    pub fn p50(&self) -> Option<u64> {
        self.supported(self.p50_ns, 2)
    }

    /// 90 of 100 are at most this, if there are 10 or more.
    #[must_use]
    pub fn p90(&self) -> Option<u64> {
        self.supported(self.p90_ns, 10)
    }

    /// 95 of 100 are at most this, if there are 20 or more.
    #[must_use]
    pub fn p95(&self) -> Option<u64> {
        self.supported(self.p95_ns, 20)
    }

    /// 99 of 100 are at most this, if there are 100 or more.
    #[must_use]
    pub fn p99(&self) -> Option<u64> {
        self.supported(self.p99_ns, 100)
    }

    /// 999 of 1,000 are at most this, if there are 1,000 or more.
    #[must_use]
    pub fn p999(&self) -> Option<u64> {
        self.supported(self.p999_ns, 1_000)
    }

    /// The histogram, for any other figure.
    ///
    /// # Errors
    ///
    /// When the saved text is damaged.
    pub fn to_histogram(&self) -> Result<Histogram<u64>, RunError> {
        if self.histogram.is_empty() {
            return Ok(empty_histogram());
        }
        let refused = |reason: &dyn std::fmt::Display| RunError::Histogram {
            length: self.histogram.len(),
            reason: reason.to_string(),
        };
        let bytes = STANDARD
            .decode(&self.histogram)
            .map_err(|error| refused(&error))?;
        HistogramReader::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| refused(&error))
    }

    /// The summary of both together, from their histograms: never an average of percentiles.
    ///
    /// ```
    /// use load_engine::{LatencySummary, empty_histogram};
    ///
    /// let (mut fast, mut slow) = (empty_histogram(), empty_histogram());
    /// fast.record_n(1_000, 99)?;
    /// slow.record_n(1_000_000, 1)?;
    /// let both = LatencySummary::of(&fast).merged(&LatencySummary::of(&slow))?;
    /// assert_eq!((both.count, both.p50_ns, both.max_ns / 1_000), (100, 1_000, 1_000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When either saved text is damaged.
    pub fn merged(&self, other: &Self) -> Result<Self, RunError> {
        let mut sum = self.to_histogram()?;
        other.add_to(&mut sum)?;
        Ok(Self::of(&sum))
    }

    fn supported(&self, figure_ns: u64, least: u64) -> Option<u64> {
        (self.count >= least).then_some(figure_ns)
    }

    /// Adds all latencies to a histogram; one from a file may be of another shape.
    pub(crate) fn add_to(&self, sum: &mut Histogram<u64>) -> Result<(), RunError> {
        sum.add(self.to_histogram()?)
            .map_err(|error| RunError::Histogram {
                length: self.histogram.len(),
                reason: error.to_string(),
            })
    }
}

fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2Serializer::new()
        .serialize(histogram, &mut bytes)
        .expect("a vector takes every byte");
    STANDARD.encode(bytes)
}
