//! What a run comes to, by its thresholds.

mod judge;
mod remedy;
mod thresholds;

use std::fmt;

use load_engine::Judgement;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::judge::is_violation;
pub use self::judge::judge;
pub(crate) use self::remedy::remedy;
pub use self::thresholds::{
    ALWAYS, ALWAYS_OPEN, DEFAULT_ADVICE, DEFAULTS, EFFECTS, EFFECTS_OF_SERVICES, advice,
    describe_figure, describe_judgement, figure_of, limited_by,
};
pub(crate) use self::thresholds::{expression, limit, margin_of, observed, value};

/// What a run comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// In one word.
    #[serde(alias = "health")]
    pub conclusion: Conclusion,
    /// In one sentence.
    pub reason: String,
    /// Thresholds that were violated; each of them fails the run.
    pub violations: Vec<Violation>,
    /// What is worth a look and fails nothing.
    pub recommendations: Vec<Violation>,
}

/// The verdict in one word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// All effects were verified and all thresholds met.
    Pass,
    /// An effect was wrong, a threshold was violated, or an abort rule ended the load.
    Fail,
    /// Nothing failed, but the run says too little to pass.
    #[default]
    #[serde(alias = "not_judged")]
    Inconclusive,
}

impl Conclusion {
    /// Whether it is [`Conclusion::Pass`].
    #[must_use]
    pub fn is_pass(self) -> bool {
        self == Self::Pass
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// A threshold that was violated, and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// In which scenario; nothing when it is about all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// The threshold with its figure.
    pub judgement: Judgement,
    /// What to do about it.
    pub advice: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.scenario.as_deref().unwrap_or("all scenarios");
        let Self {
            judgement, advice, ..
        } = self;
        write!(f, "{place}: {}; {advice}", describe_judgement(judgement))
    }
}
