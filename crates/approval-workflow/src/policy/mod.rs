pub(crate) mod check;
pub(crate) mod condition;
pub(crate) mod engine;
pub(crate) mod rule_index;
pub(crate) mod rulebook;
pub(crate) mod source;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use action::PathPattern;
use serde::{Deserialize, Serialize};

use crate::model::names::GroupId;
use crate::model::requirement::Requirement;
use crate::model::signature::Signers;
use crate::model::terms::{Sensitivity, Terms, default_expiry, is_once, once};
use crate::model::time::text;
use crate::policy::condition::Condition;

/// Which actions need an approval, and on what terms.
///
/// The rule with the most specific pattern decides, and of several equally specific ones the first.
/// An action that no rule covers is never let through: it needs an approval on the terms of
/// [`default`](Self::default), which are critical unless the policy says otherwise.
///
/// A rule may also decide by itself, without a person: [`auto_deny`](Rule::auto_deny) denies a request
/// and [`auto_approve`](Rule::auto_approve) grants it, each on a [`Condition`] about the action, the
/// context, and whatever of a simulation's report was put into the context. A denial comes first. Either
/// way the request records the rule, and is settled from the start.
///
/// Read it from TOML, JSON, or any other format of serde:
///
/// ```
/// # use approval_workflow::Policy;
/// let policy: Policy = toml::from_str(r#"
///     [default]
///     sensitivity = "high"
///
///     [[rules]]
///     pattern = "reports/**"
///     sensitivity = "none"
///
///     [[rules]]
///     name = "small refunds"
///     pattern = "payments/refund"
///     sensitivity = "high"
///     requires_reason = true
///     expiry = "4h"
///     affected_systems = ["ledger"]
///     auto_approve.less_than = { field = "parameters.amount_cents", value = 5000 }
///     auto_deny.any = [
///         { equals = { field = "context.simulation.outcome", value = "failed" } },
///         { not.one_of = { field = "parameters.currency", values = ["EUR", "USD"] } },
///     ]
///
///     [[rules]]
///     pattern = "db/drop/**"
///     sensitivity = "critical"
///     auto_deny = "always"
/// "#)?;
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The public keys of reviewers (default: none). A review by one of them, or in the place of one
    /// of them, counts only with a [signature](crate::ReviewStatement). A request keeps the keys that
    /// it was made under; an approval that was given under other keys is not used any more.
    #[serde(default, skip_serializing_if = "Signers::is_empty")]
    pub signers: Signers,
    /// What holds for an action that no rule covers.
    #[serde(default)]
    pub default: Terms,
    /// The names of parameters, and of fields of the context, whose values are never written: a
    /// request has their [digests](crate::secret_digest) (default: none). At any depth, in upper or
    /// lower case, whatever the action. An approval is bound to the real values all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// The rules.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// One rule of a [`Policy`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "RuleText", into = "RuleText")]
pub struct Rule {
    /// What the rule is called where it decided something; its pattern, if this is none.
    pub name: Option<String>,
    /// Which actions it covers.
    pub pattern: PathPattern,
    /// What it demands.
    pub terms: Terms,
    /// What grants the action without a person, unless it is denied.
    pub auto_approve: Option<Condition>,
    /// What denies the action without a person. Where the condition is unknown, nothing is granted
    /// without a person either: who leaves a field out of a request gains nothing by it.
    pub auto_deny: Option<Condition>,
}

impl Rule {
    /// Makes a rule with the default terms at this sensitivity.
    #[must_use]
    pub fn new(pattern: PathPattern, sensitivity: Sensitivity) -> Self {
        Self {
            name: None,
            pattern,
            terms: Terms::new(sensitivity),
            auto_approve: None,
            auto_deny: None,
        }
    }

    /// What the rule is called where it decided something.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(self.pattern.as_str())
    }
}

/// A rule as it is written: the terms stand beside the pattern. Spelled out, since serde's `flatten`
/// would let misspelt fields pass.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    pattern: PathPattern,
    sensitivity: Sensitivity,
    #[serde(default)]
    requires: Requirement,
    #[serde(default)]
    veto: Vec<GroupId>,
    #[serde(default)]
    break_glass: Vec<GroupId>,
    #[serde(default)]
    requires_reason: bool,
    #[serde(default)]
    requires_second_factor: bool,
    #[serde(default = "default_expiry", with = "text")]
    expiry: Duration,
    #[serde(default = "default_expiry", with = "text")]
    execute_within: Duration,
    #[serde(default = "once", skip_serializing_if = "is_once")]
    uses: NonZeroU32,
    #[serde(default)]
    affected_systems: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto_approve: Option<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto_deny: Option<Condition>,
}

impl From<RuleText> for Rule {
    fn from(text: RuleText) -> Self {
        Self {
            name: text.name,
            pattern: text.pattern,
            terms: Terms {
                sensitivity: text.sensitivity,
                requires: text.requires,
                veto: text.veto,
                break_glass: text.break_glass,
                requires_reason: text.requires_reason,
                requires_second_factor: text.requires_second_factor,
                expiry: text.expiry,
                execute_within: text.execute_within,
                uses: text.uses,
                affected_systems: text.affected_systems,
                signers: Arc::default(),
            },
            auto_approve: text.auto_approve,
            auto_deny: text.auto_deny,
        }
    }
}

impl From<Rule> for RuleText {
    fn from(rule: Rule) -> Self {
        Self {
            name: rule.name,
            pattern: rule.pattern,
            sensitivity: rule.terms.sensitivity,
            requires: rule.terms.requires,
            veto: rule.terms.veto,
            break_glass: rule.terms.break_glass,
            requires_reason: rule.terms.requires_reason,
            requires_second_factor: rule.terms.requires_second_factor,
            expiry: rule.terms.expiry,
            execute_within: rule.terms.execute_within,
            uses: rule.terms.uses,
            affected_systems: rule.terms.affected_systems,
            auto_approve: rule.auto_approve,
            auto_deny: rule.auto_deny,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        [[rules]]
        pattern = "payments/refund"
        sensitivity = "high"
        requires_reason = true
        expiry = "1h30m"
        auto_approve.not.equals = { field = "context.environment", value = "prod" }
        auto_deny.less_than = { field = "parameters.cents", value = 1 }
        [[rules]]
        pattern = "db/drop/**"
        sensitivity = "critical"
        auto_deny = "always"
    "#;

    #[test]
    fn a_policy_survives_toml_and_json() {
        let policy: Policy = toml::from_str(TEXT).unwrap();
        assert_eq!(policy.default.sensitivity, Sensitivity::Critical);
        assert_eq!(policy.rules[0].terms.expiry, Duration::from_secs(5400));
        assert_eq!(policy.rules[0].label(), "payments/refund");
        assert!(policy.rules[0].auto_deny.is_some());
        assert_eq!(policy.rules[1].auto_deny, Some(Condition::Always));
        let toml: Policy = toml::from_str(&toml::to_string(&policy).unwrap()).unwrap();
        let json = serde_json::to_string(&policy).unwrap();
        let json: Policy = serde_json::from_str(&json).unwrap();
        assert_eq!((&toml, &json), (&policy, &policy));
    }

    #[test]
    fn a_misspelt_field_is_an_error_and_not_a_rule_without_it() {
        for text in [
            TEXT.replace("requires_reason", "require_reason"),
            TEXT.replace("\"high\"", "\"hihg\""),
            TEXT.replace("1h30m", "soon"),
            TEXT.replace("auto_deny", "auto_denies"),
            TEXT.replace("always", "allways"),
            TEXT.replace("[[rules]]", "[[rule]]"),
            TEXT.replace("payments/refund", "payments//refund"),
        ] {
            assert!(toml::from_str::<Policy>(&text).is_err(), "{text}");
        }
    }
}
