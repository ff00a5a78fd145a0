use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The most failed operations in a scenario, as a share of all (0.05).
    pub error_rate: f64, // in [0, 1]
    /// The longest mean latency of a step, in milliseconds (100).
    pub mean_latency_ms: f64, // finite, not negative
    /// The most resident memory in a scenario, in megabytes of 10⁶ bytes (500).
    pub peak_memory_mb: f64, // finite, not negative
    /// The share of failed operations over all scenarios from which advice is given (0.01).
    pub overall_error_rate: f64, // in [0, 1]
    /// The most resident memory over all scenarios from which advice is given, in megabytes (1000).
    pub overall_memory_mb: f64, // finite, not negative
}

impl Limits {
    /// The arguments that set these limits on the command line, each with a space before it; none
    /// for those that are the default.
    #[must_use]
    pub fn to_arguments(&self) -> String {
        let default = Self::default();
        let limits = [
            (
                "max-error-rate",
                percent(self.error_rate),
                percent(default.error_rate),
            ),
            (
                "max-mean-latency",
                self.mean_latency_ms,
                default.mean_latency_ms,
            ),
            ("max-memory", self.peak_memory_mb, default.peak_memory_mb),
            (
                "advise-error-rate",
                percent(self.overall_error_rate),
                percent(default.overall_error_rate),
            ),
            (
                "advise-memory",
                self.overall_memory_mb,
                default.overall_memory_mb,
            ),
        ];
        let set = limits.iter().filter(|(_, value, default)| value != default);
        set.map(|(name, value, _)| format!(" --{name} {value}"))
            .collect()
    }
}

/// A share in percent, without the last digits of binary arithmetic: 0.07 is 7.
fn percent(share: f64) -> f64 {
    (share * 1e11).round() / 1e9
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            error_rate: 0.05,
            mean_latency_ms: 100.0,
            peak_memory_mb: 500.0,
            overall_error_rate: 0.01,
            overall_memory_mb: 1000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_repeated_as_they_were_given() {
        let limits = Limits {
            error_rate: 7.0 / 100.0,
            mean_latency_ms: 2.5,
            ..Limits::default()
        };
        let arguments = " --max-error-rate 7 --max-mean-latency 2.5";
        assert_eq!(limits.to_arguments(), arguments);
        assert_eq!(Limits::default().to_arguments(), "");
    }
}
