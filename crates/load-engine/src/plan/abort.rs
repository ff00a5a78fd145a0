//! What ends a run before its time.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::nanoseconds;
use crate::threshold::Threshold;

/// A threshold that ends the run when it is violated while the load runs.
///
/// It is judged about twice a second on what the users have brought together until then, which
/// they do once a second; so a run ends a second or two after the violation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AbortRule {
    /// What has to hold. Times, `failed`, `error_rate` and `failed_iterations` are
    /// known while the load runs; other figures are not.
    pub threshold: Threshold,
    /// How long the load runs before it is judged: the first few operations say little.
    #[serde(rename = "after_ns", with = "nanoseconds", default)]
    #[schemars(with = "u64")]
    pub after: Duration,
}
