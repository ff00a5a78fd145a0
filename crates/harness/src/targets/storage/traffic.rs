use load_engine::StepSpec;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{APPEND, PREPARE, QUERY, SCAN, STATISTICS};
use crate::targets::phased::{MixTable, Phased, Weights};

/// What can be done with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StorageOperation {
    Append,
    Query,
    Scan,
    Statistics,
}

impl StorageOperation {
    /// Each operation with its name in a mix.
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("append", Self::Append),
        ("query", Self::Query),
        ("scan", Self::Scan),
        ("statistics", Self::Statistics),
    ];

    fn step(self) -> StepSpec {
        match self {
            Self::Append => APPEND,
            Self::Query => QUERY,
            Self::Scan => SCAN,
            Self::Statistics => STATISTICS,
        }
    }
}

/// The keys of `[target]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StorageOptions {
    /// Records that are there before the load begins (none).
    #[serde(default)]
    pub(super) initial_records: Option<u64>,
    /// How often each operation comes, in proportion to the others: append, query, scan, statistics.
    #[serde(default)]
    pub(super) mix: MixTable,
}

/// How a log is used.
#[derive(Debug, Clone, Default)]
pub struct StorageUse {
    /// Records that are written before anything else.
    pub(crate) records: u64,
    /// How often each operation comes. Without it an iteration is an append, and each hundredth one
    /// also a query and statistics.
    pub(crate) mix: Option<Phased<Weights<StorageOperation>>>,
}

impl StorageUse {
    pub(crate) fn steps(&self) -> Vec<StepSpec> {
        let prepare = (self.records > 0).then_some(PREPARE);
        let operations = match &self.mix {
            None => vec![APPEND, QUERY, STATISTICS],
            Some(mix) => StorageOperation::ALL
                .iter()
                .filter(|(_, operation)| mix.ever(*operation))
                .map(|(_, operation)| operation.step())
                .collect(),
        };
        prepare.into_iter().chain(operations).collect()
    }
}
