use std::num::{NonZeroU32, NonZeroU64};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How large a load is. What is not set is the scenario's own size.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Where every random number comes from.
    pub seed: u64,
    /// A small load, for a first look and for tests: a fifth of the threads and of their work.
    #[serde(default)]
    pub quick: bool,
    /// Concurrent users, a thread each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<NonZeroU32>,
    /// Iterations of each user, in the scenarios that count by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<NonZeroU64>,
    /// How long each scenario's load goes on, in milliseconds, in place of its iterations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<NonZeroU64>,
    /// Records that the storage scenario writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<NonZeroU64>,
}

impl Settings {
    /// A small load with seed 0.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            quick: true,
            ..Self::default()
        }
    }

    /// The arguments that set these settings on the command line.
    #[must_use]
    pub fn to_arguments(&self) -> String {
        let mut arguments = format!("--seed {}", self.seed);
        if self.quick {
            arguments.push_str(" --quick");
        }
        let sizes = [
            ("threads", self.threads.map(|number| number.to_string())),
            (
                "iterations",
                self.iterations.map(|number| number.to_string()),
            ),
            ("duration", self.duration_ms.map(|ms| format!("{ms}ms"))),
            ("records", self.records.map(|number| number.to_string())),
        ];
        for (name, size) in sizes {
            if let Some(size) = size {
                arguments.push_str(&format!(" --{name} {size}"));
            }
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_repeat_the_settings() {
        let settings = Settings {
            seed: 3,
            records: NonZeroU64::new(500),
            ..Settings::quick()
        };
        assert_eq!(settings.to_arguments(), "--seed 3 --quick --records 500");
    }
}
