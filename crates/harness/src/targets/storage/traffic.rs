use load_engine::StepSpec;

use super::{APPEND, PREPARE, QUERY, SCAN, STATISTICS};
use crate::targets::phased::{Phased, Weights};

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

/// How a log is used.
#[derive(Debug, Clone, Default)]
pub(crate) struct StorageOptions {
    /// Records that are written before anything else.
    pub(crate) records: u64,
    /// How often each operation comes. Without it an iteration is an append, and each hundredth one
    /// also a query and statistics.
    pub(crate) mix: Option<Phased<Weights<StorageOperation>>>,
}

impl StorageOptions {
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
