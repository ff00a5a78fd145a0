use clap::Args;
use report::Limits;

use super::values::amount;

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArguments {
    /// Most failed operations in a scenario, in percent [default: 5]
    #[arg(long, value_name = "PERCENT", value_parser = amount, allow_negative_numbers = true)]
    max_error_rate: Option<f64>,
    /// Longest mean latency of a step, in milliseconds [default: 100]
    #[arg(long, value_name = "MS", value_parser = amount, allow_negative_numbers = true)]
    max_mean_latency: Option<f64>,
    /// Most resident memory in a scenario, in megabytes [default: 500]
    #[arg(long, value_name = "MB", value_parser = amount, allow_negative_numbers = true)]
    max_memory: Option<f64>,
    /// Failed operations over all scenarios from which advice is given, in percent [default: 1]
    #[arg(long, value_name = "PERCENT", value_parser = amount, allow_negative_numbers = true)]
    advise_error_rate: Option<f64>,
    /// Resident memory from which advice is given, in megabytes [default: 1000]
    #[arg(long, value_name = "MB", value_parser = amount, allow_negative_numbers = true)]
    advise_memory: Option<f64>,
}

impl LimitArguments {
    /// Whether one that a scenario file's thresholds stand in place of is given.
    pub(crate) fn judges_scenarios(&self) -> bool {
        self.max_error_rate.is_some()
            || self.max_mean_latency.is_some()
            || self.max_memory.is_some()
    }

    /// These limits where they are given, and others where they are not.
    pub(crate) fn over(&self, others: Limits) -> Limits {
        let share = |percent: Option<f64>| percent.map(|percent| percent / 100.0);
        Limits {
            error_rate: share(self.max_error_rate).unwrap_or(others.error_rate),
            mean_latency_ms: self.max_mean_latency.unwrap_or(others.mean_latency_ms),
            peak_memory_mb: self.max_memory.unwrap_or(others.peak_memory_mb),
            overall_error_rate: share(self.advise_error_rate).unwrap_or(others.overall_error_rate),
            overall_memory_mb: self.advise_memory.unwrap_or(others.overall_memory_mb),
        }
    }
}
