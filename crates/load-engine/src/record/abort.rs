//! Why a run was ended by a threshold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::threshold::Judgement;

/// Why a run ended before it was through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Abort {
    /// When it was judged, from the start of the load.
    pub at_ns: u64,
    /// The violated threshold with the figure that violated it. The whole run's figure may differ, since
    /// it includes what was under way.
    pub judgement: Judgement,
}
