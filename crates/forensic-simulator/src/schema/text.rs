//! The words of a schema as people write them; [`Schema`](crate::Schema) is what they mean.

use std::collections::BTreeMap;

use action::PathPattern;
use serde::Deserialize;
use serde_json::Value;

use crate::{FailureMode, Outcome, Reversibility, Spread};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemaFile {
    #[serde(default)]
    pub(crate) schema: Vec<SchemaText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemaText {
    pub(crate) path: PathPattern,
    #[serde(default)]
    pub(crate) summary: String,
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, ParameterText>,
    /// Whether parameters that are not listed may be given.
    #[serde(default)]
    pub(crate) other_parameters: bool,
    #[serde(default)]
    pub(crate) requires: Vec<RequirementText>,
    #[serde(default)]
    pub(crate) effects: Vec<EffectText>,
    pub(crate) reversibility: Reversibility,
    /// The parameters of the action that makes up for this one.
    pub(crate) compensation: Option<BTreeMap<String, Value>>,
    pub(crate) failure_modes: Option<Vec<FailureMode>>,
    #[serde(default)]
    pub(crate) duration_us: SpreadText,
    #[serde(default)]
    pub(crate) cost_micros: SpreadText,
    /// The verdict over every such action.
    pub(crate) always: Option<AlwaysText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParameterText {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) default: Option<Value>,
    pub(crate) at_least: Option<Value>,
    pub(crate) at_most: Option<Value>,
}

/// The types of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequirementText {
    pub(crate) key: String,
    pub(crate) test: Test,
    pub(crate) value: Option<Value>,
    /// The outcome where it does not hold.
    #[serde(default = "would_fail")]
    pub(crate) otherwise: Outcome,
    pub(crate) because: Option<String>,
    pub(crate) remedy: Option<String>,
}

fn would_fail() -> Outcome {
    Outcome::WouldFail
}

/// What a key is tested for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EffectText {
    #[serde(rename = "do")]
    pub(crate) verb: Verb,
    pub(crate) key: String,
    pub(crate) value: Option<Value>,
    /// The least that a sum or a difference may come to.
    pub(crate) floor: Option<Value>,
    /// The most that it may.
    pub(crate) ceiling: Option<Value>,
}

/// What an effect does to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlwaysText {
    pub(crate) outcome: Outcome,
    pub(crate) because: String,
    pub(crate) remedy: Option<String>,
}

/// A number, or its spread.
#[derive(Debug, Clone, Copy, Deserialize)]
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
