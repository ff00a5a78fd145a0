use load_engine::{Iteration, StepSpec};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{FORGET, GET, LINK, MemoryTarget, RELATED, REMEMBER, SIMILAR, UPDATE, WHERE};
use crate::targets::phased::{MixTable, Phased, Weights};

const STEPS: [StepSpec; 8] = [REMEMBER, GET, LINK, RELATED, SIMILAR, WHERE, UPDATE, FORGET];

/// What a user does in turn. With 100 users: 100 times across all tiers, then 1,000 operations on the
/// cache, 500 on the relations, 300 on the similarity tier and 800 on the metadata. The turn that has
/// every step in it comes first, so that the shortest load leaves none of them out.
const TURNS: [Turn; MemoryTarget::OPERATIONS_PER_USER as usize] = {
    use Turn::{Across, Cache, Metadata, Relations, Similarity};
    [
        Across, Metadata, Cache, Relations, Similarity, Cache, Metadata, Cache, Relations, Cache,
        Metadata, Similarity, Cache, Metadata, Cache, Relations, Metadata, Cache, Relations, Cache,
        Metadata, Similarity, Cache, Metadata, Cache, Relations, Metadata,
    ]
};

/// What a user does at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Cache,
    Relations,
    Similarity,
    Metadata,
    Update,
    Across,
}

impl Turn {
    /// Each turn with its name in a mix.
    pub(crate) const ALL: [(&'static str, Self); 6] = [
        ("cache", Self::Cache),
        ("relations", Self::Relations),
        ("similarity", Self::Similarity),
        ("metadata", Self::Metadata),
        ("update", Self::Update),
        ("across", Self::Across),
    ];

    fn steps(self) -> Vec<StepSpec> {
        match self {
            Self::Cache => vec![REMEMBER, GET],
            Self::Relations => vec![REMEMBER, LINK, RELATED],
            Self::Similarity => vec![REMEMBER, SIMILAR],
            Self::Metadata => vec![REMEMBER, WHERE],
            Self::Update => vec![REMEMBER, UPDATE],
            Self::Across => STEPS.to_vec(),
        }
    }
}

/// The keys of `[target]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryOptions {
    /// How often each turn comes, in proportion to the others: cache, relations, similarity, metadata,
    /// update, across (a fixed order).
    #[serde(default)]
    pub(super) mix: MixTable,
}

/// How the store is used.
#[derive(Debug, Clone, Default)]
pub struct MemoryUse {
    /// How often each turn comes; without it they come in a fixed order.
    pub(crate) mix: Option<Phased<Weights<Turn>>>,
}

impl MemoryUse {
    pub(crate) fn steps(&self) -> Vec<StepSpec> {
        let Some(mix) = &self.mix else {
            return STEPS.to_vec();
        };
        let taken = |step: &StepSpec| {
            let turns = Turn::ALL.iter().filter(|(_, turn)| mix.ever(*turn));
            turns
                .into_iter()
                .any(|(_, turn)| turn.steps().contains(step))
        };
        STEPS.into_iter().filter(taken).collect()
    }

    pub(super) fn turn(&self, it: &mut Iteration<'_>) -> Turn {
        match &self.mix {
            None => TURNS[(it.index() % MemoryTarget::OPERATIONS_PER_USER) as usize],
            Some(mix) => mix.at(it.phase_now()).draw(it.rng()),
        }
    }
}
