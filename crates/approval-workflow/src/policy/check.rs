//! What makes a policy senseless.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;

use crate::error::Error;
use crate::model::requirement::Requirement;
use crate::model::terms::{Sensitivity, Terms};
use crate::policy::condition::Condition;
use crate::policy::{Policy, Rule};

/// What is wrong with a policy.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The rule, by its index; none if it is the default.
    pub(crate) rule: Option<usize>,
    place: String,
    fault: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.fault)
    }
}

impl From<Fault> for Error {
    fn from(Fault { place, fault, .. }: Fault) -> Self {
        Self::Policy { place, fault }
    }
}

pub(crate) fn check(policy: &Policy) -> Result<(), Fault> {
    if let Some(fault) = terms_fault(&policy.default) {
        return Err(refuse(None, "default".into(), fault));
    }
    if policy.default.sensitivity == Sensitivity::None {
        let fault = "`none` would let every action through that no rule covers";
        return Err(refuse(None, "default".into(), fault));
    }
    if let Some(fault) = signers_fault(policy) {
        return Err(refuse(None, "signers".into(), fault));
    }
    let mut patterns = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (index, rule) in policy.rules.iter().enumerate() {
        let refuse = |fault: &str| Err(refuse(Some(index), place(index, rule), fault));
        if let Some(fault) = rule_fault(rule) {
            return refuse(fault);
        }
        if !patterns.insert(&rule.pattern) {
            return refuse("an earlier rule has the same pattern, so this one never decides");
        }
        if !names.insert(rule.label()) {
            return refuse("an earlier rule has the same name");
        }
    }
    Ok(())
}

fn signers_fault(policy: &Policy) -> Option<&'static str> {
    let rules = policy.rules.iter().map(|rule| &rule.terms);
    let mut terms = rules.chain([&policy.default]);
    if policy.signers.values().any(|key| !key.is_sound()) {
        Some("a key is no point of the curve Ed25519, or one that anybody can sign for")
    } else if terms.any(|terms| !terms.signers.is_empty() && *terms.signers != policy.signers) {
        Some("keys stand with the policy, not with some of its terms")
    } else {
        None
    }
}

pub(crate) fn place(index: usize, rule: &Rule) -> String {
    const MOST: usize = 80;
    let label: String = rule.label().chars().take(MOST).collect();
    format!("rule {} ({label:?})", index + 1)
}

fn rule_fault(rule: &Rule) -> Option<&'static str> {
    let terms = &rule.terms;
    if let Some(fault) = terms_fault(terms) {
        return Some(fault);
    }
    if let Some(name) = &rule.name
        && (name.trim().is_empty() || !can_be_shown(name))
    {
        return Some("its name is blank, longer than 256 bytes, or has hidden characters");
    }
    if terms.sensitivity == Sensitivity::None {
        let demands = terms.requires_reason
            || terms.requires_second_factor
            || terms.requires != Requirement::anyone();
        if demands || rule.auto_approve.is_some() || rule.auto_deny.is_some() {
            return Some("sensitivity `none` needs no approval, so it can demand nothing of one");
        }
    }
    let is_always = |condition: &Option<Condition>| *condition == Some(Condition::Always);
    if rule
        .auto_approve
        .as_ref()
        .is_some_and(Condition::has_always)
    {
        return Some(
            "`always` is for `auto_deny`; for an action that needs no approval use sensitivity `none`",
        );
    }
    if is_always(&rule.auto_deny) && rule.auto_approve.is_some() {
        return Some("what it denies always it never grants");
    }
    let mut conditions = rule.auto_approve.iter().chain(&rule.auto_deny);
    conditions.find_map(Condition::fault)
}

/// A request holds all its claims, so their number is bounded.
const MOST_USES: NonZeroU32 = NonZeroU32::new(1000).expect("it is not 0");

fn terms_fault(terms: &Terms) -> Option<&'static str> {
    if terms.expiry.is_zero() {
        Some("`expiry` is zero, so nothing could be decided in time")
    } else if terms.execute_within.is_zero() {
        Some("`execute_within` is zero, so no approval could be used")
    } else if terms.uses > MOST_USES {
        Some("`uses` is above 1000; ask again, or give the approval in parts")
    } else if !terms.affected_systems.iter().all(|name| can_be_shown(name)) {
        Some("a name in `affected_systems` is longer than 256 bytes or has hidden characters")
    } else {
        terms.requires.fault()
    }
}

fn can_be_shown(name: &str) -> bool {
    crate::model::names::check_text("name", name, 256).is_ok()
}

pub(crate) fn refuse(rule: Option<usize>, place: String, fault: &str) -> Fault {
    let fault = fault.to_owned();
    Fault { rule, place, fault }
}
