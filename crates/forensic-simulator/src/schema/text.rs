//! The words of a schema as people write them; [`Schema`](crate::Schema) is what they mean.

use std::collections::BTreeMap;

use action::PathPattern;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::run::handler::FailureMode;
use crate::run::report::{PredictedOutcome, Reversibility, Spread};

/// Kinds of actions, described by text: parameters, preconditions, effects, cost, duration and
/// whether each can be taken back. Texts with `{name}` in them take the parameter of that name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Action schemas")]
pub(crate) struct SchemaFile {
    /// What kinds of actions there are.
    #[serde(default)]
    pub(crate) schema: Vec<SchemaText>,
}

/// One kind of action.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemaText {
    /// The paths of the actions, divided into segments by `/`: `*` stands for one segment, `**` for
    /// any number of them.
    #[schemars(with = "String")]
    pub(crate) path: PathPattern,
    /// What such an action does, in words.
    #[serde(default)]
    pub(crate) summary: String,
    /// What such an action takes, by name.
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, ParameterText>,
    /// Whether parameters that are not listed may be given.
    #[serde(default)]
    pub(crate) other_parameters: bool,
    /// What has to hold before, looked at in this order up to the first that does not.
    #[serde(default)]
    pub(crate) requires: Vec<RequirementText>,
    /// What it does, in this order.
    #[serde(default)]
    pub(crate) effects: Vec<EffectText>,
    /// What it answers to its caller after its effects. An object `{"$read": "key"}` within stands
    /// for what the key holds then, or null if it does not exist.
    pub(crate) answer: Option<Value>,
    /// Whether it can be taken back.
    #[schemars(with = "ReversibilityText")]
    pub(crate) reversibility: Reversibility,
    /// The parameters of the action that makes up for this one.
    pub(crate) compensation: Option<BTreeMap<String, Value>>,
    /// How it may fail although every precondition holds. Without this list, with nothing done, or
    /// done without an acknowledgement.
    pub(crate) failure_modes: Option<Vec<FailureMode>>,
    /// How long it takes, in microseconds.
    #[serde(default)]
    pub(crate) duration_us: SpreadText,
    /// What it costs, in millionths of a unit.
    #[serde(default)]
    pub(crate) cost_micros: SpreadText,
    /// The verdict over every such action.
    pub(crate) always: Option<AlwaysText>,
}

/// [`Reversibility`] as its JSON has it; the type itself holds a path, of which the JSON schema
/// knows only that it is text.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case", rename = "Reversibility")]
#[expect(dead_code, reason = "only the shape is used, for the JSON schema")]
enum ReversibilityText {
    /// Writing the values from before undoes it.
    Reversible,
    /// The action of this path makes up for it.
    CompensatedBy(String),
    /// Nothing undoes it.
    Irreversible,
    /// Nobody said.
    Opaque,
}

/// What a parameter may be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParameterText {
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// What it is when it is not given; without a default it must be.
    pub(crate) default: Option<Value>,
    /// The least that it may be.
    #[schemars(with = "Option<f64>")]
    pub(crate) at_least: Option<Value>,
    /// The most that it may be.
    #[schemars(with = "Option<f64>")]
    pub(crate) at_most: Option<Value>,
}

/// The types of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Any,
    String,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
}

impl Kind {
    pub(crate) fn admits(self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }

    pub(crate) fn with_article(self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// Something that has to hold before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequirementText {
    /// The key that is looked at.
    pub(crate) key: String,
    /// What it is tested for.
    pub(crate) test: Test,
    /// What it is compared with, for the tests that compare.
    pub(crate) value: Option<Value>,
    /// The outcome where it does not hold.
    #[serde(default = "would_fail")]
    pub(crate) otherwise: PredictedOutcome,
    /// Why, in words.
    pub(crate) because: Option<String>,
    /// What would make it hold, in words.
    pub(crate) remedy: Option<String>,
}

fn would_fail() -> PredictedOutcome {
    PredictedOutcome::WouldFail
}

/// What a key is tested for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Test {
    Exists,
    Absent,
    Equals,
    Differs,
    AtLeast,
    AtMost,
}

impl Test {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Absent => "does not exist",
            Self::Equals => "is",
            Self::Differs => "is not",
            Self::AtLeast => "is at least",
            Self::AtMost => "is at most",
        }
    }

    pub(crate) fn takes_value(self) -> bool {
        !matches!(self, Self::Exists | Self::Absent)
    }
}

/// Something that it does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EffectText {
    /// What.
    #[serde(rename = "do")]
    pub(crate) verb: Verb,
    /// To which key, or at which target outside.
    pub(crate) key: String,
    /// With what, for the effects that take a value.
    pub(crate) value: Option<Value>,
    /// The least that a sum or a difference may come to.
    pub(crate) floor: Option<Value>,
    /// The most that it may.
    pub(crate) ceiling: Option<Value>,
}

/// What an effect does to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verb {
    /// Looks at the key.
    Read,
    /// Sets it to the value.
    Set,
    /// Removes it.
    Delete,
    /// Adds the value to the number there.
    Add,
    /// Subtracts the value from the number there.
    Subtract,
    /// Leaves a value that is not known; `value` says where it comes from.
    Forget,
    /// Acts outside of the world; `key` is the target, and `value` says how.
    External,
}

impl Verb {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Set => "set",
            Self::Delete => "delete",
            Self::Add => "add",
            Self::Subtract => "subtract",
            Self::Forget => "forget",
            Self::External => "external",
        }
    }

    pub(crate) fn takes_value(self) -> bool {
        !matches!(self, Self::Read | Self::Delete)
    }

    pub(crate) fn takes_limits(self) -> bool {
        matches!(self, Self::Add | Self::Subtract)
    }
}

/// A verdict that holds whatever the parameters are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlwaysText {
    /// The verdict.
    pub(crate) outcome: PredictedOutcome,
    /// Why, in words.
    pub(crate) because: String,
    /// What would be better, in words.
    pub(crate) remedy: Option<String>,
}

/// A number, or its spread.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a number, or a table of `least`, `likely` and `most`"
)]
pub(crate) enum SpreadText {
    Exactly(u64),
    Between(Spread),
}

impl Default for SpreadText {
    fn default() -> Self {
        Self::Exactly(0)
    }
}
