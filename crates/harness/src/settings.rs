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

    /// The load of a scenario whose full size is `users` times `each` iterations.
    pub(crate) fn load(&self, users: u32, each: u64) -> Load {
        let (users, each) = if self.quick {
            (users / 5, each / 5)
        } else {
            (users, each)
        };
        Load {
            users: self
                .threads
                .or(NonZeroU32::new(users))
                .unwrap_or(NonZeroU32::MIN),
            each: self
                .iterations
                .or(NonZeroU64::new(each))
                .unwrap_or(NonZeroU64::MIN),
        }
    }

    /// As [`Settings::load`], where the iterations of all users together follow from `total`.
    pub(crate) fn load_of_total(&self, users: u32, total: u64) -> Load {
        let users = self.load(users, 1).users;
        let total = if self.quick { total / 10 } else { total };
        let each = total.div_ceil(u64::from(users.get()));
        Load {
            users,
            each: NonZeroU64::new(each).unwrap_or(NonZeroU64::MIN),
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

/// Users and the iterations of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) users: NonZeroU32,
    pub(crate) each: NonZeroU64,
}

impl Load {
    pub(crate) fn total(self) -> u64 {
        u64::from(self.users.get()).saturating_mul(self.each.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_goes_before_what_is_quick() {
        let load = |settings: &Settings| {
            let load = settings.load(100, 10);
            (load.users.get(), load.each.get())
        };
        assert_eq!(load(&Settings::default()), (100, 10));
        assert_eq!(load(&Settings::quick()), (20, 2));
        let settings = Settings {
            threads: NonZeroU32::new(7),
            ..Settings::quick()
        };
        assert_eq!(load(&settings), (7, 2));
    }

    #[test]
    fn a_total_is_reached_with_whatever_number_of_users() {
        let settings = Settings {
            threads: NonZeroU32::new(7),
            ..Settings::default()
        };
        let load = settings.load_of_total(100, 5000);
        assert_eq!((load.users.get(), load.each.get()), (7, 715));
    }

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
