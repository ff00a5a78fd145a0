//! A policy made ready for look-ups: checked, ranked, and indexed by the literal start of each
//! pattern.

use std::sync::Arc;

use action::Action;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::model::event::Submission;
use crate::model::names::GroupId;
use crate::model::signature::Signers;
use crate::model::terms::{Disposition, PolicyDigest, Sensitivity, Terms};
use crate::policy::check::{check, place, refuse};
use crate::policy::condition::Condition;
use crate::policy::rule_index::RuleIndex;
use crate::policy::{Policy, Rule};

/// A [`Policy`] that was checked and can be asked.
#[derive(Debug, Clone)]
pub struct Rulebook {
    policy: Policy,
    digest: PolicyDigest,
    index: RuleIndex,
}

/// A policy's decision about one action.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolicyDecision<'a> {
    /// The rule that decided; none if the policy's default did.
    pub rule: Option<&'a Rule>,
    /// The terms that hold.
    pub terms: &'a Terms,
    /// Whether a person is needed.
    pub need: Disposition,
}

impl PolicyDecision<'_> {
    /// Whether it is what was decided when a request was made.
    pub(crate) fn agrees_with(&self, submission: &Submission) -> bool {
        self.need == submission.need && *self.terms == submission.terms
    }
}

impl Rulebook {
    /// Checks a policy and makes it ready.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] for a default that would let unknown actions through, a rule that
    /// contradicts itself or could never decide, a name that is used twice, and a condition without
    /// a part.
    pub fn new(policy: Policy) -> Result<Self, Error> {
        check(&policy)?;
        // Before the keys are in two places of it.
        let digest = digest(&with_signers(policy.clone(), &Arc::default()));
        let signers = Arc::new(policy.signers.clone());
        let policy = with_signers(policy, &signers);
        let mut order: Vec<usize> = (0..policy.rules.len()).collect();
        // A stable sort: equally specific rules stay in the policy's order.
        order.sort_by_key(|&index| std::cmp::Reverse(policy.rules[index].pattern.specificity()));
        let ranked = order
            .iter()
            .map(|&index| (index, &policy.rules[index].pattern));
        let index = RuleIndex::new(ranked);
        Ok(Self {
            digest,
            policy,
            index,
        })
    }

    /// Decides about an action in a context.
    #[must_use]
    pub fn judge(&self, action: &Action, context: &Map<String, Value>) -> PolicyDecision<'_> {
        let Some(rule) = self.rule_for(action) else {
            return PolicyDecision {
                rule: None,
                terms: &self.policy.default,
                need: Disposition::Approval,
            };
        };
        PolicyDecision {
            rule: Some(rule),
            terms: &rule.terms,
            need: need(rule, action, context),
        }
    }

    /// The rule that decides about an action; none if the policy's default does.
    #[must_use]
    pub fn rule_for(&self, action: &Action) -> Option<&Rule> {
        let found = self.index.find(&action.path)?;
        self.policy.rules.get(found)
    }

    /// Refuses a requirement that the people of a directory cannot meet, even all of them together.
    pub(crate) fn check_people(&self, people: &[&[GroupId]]) -> Result<(), Error> {
        let default = ("default".to_owned(), &self.policy.default);
        let rules = self.policy.rules.iter().enumerate();
        let rules = rules.map(|(index, rule)| (place(index, rule), &rule.terms));
        for (place, terms) in std::iter::once(default).chain(rules) {
            let grouped = !terms.requires.groups().is_empty();
            if (grouped || !people.is_empty()) && !terms.requires.is_met_by_groups(people) {
                let fault = format!(
                    "`requires` {}: the directory has no such people",
                    terms.requires
                );
                return Err(refuse(None, place, &fault).into());
            }
        }
        Ok(())
    }

    /// The policy as it was given.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The digest of the policy, which every request records.
    #[must_use]
    pub fn digest(&self) -> PolicyDigest {
        self.digest
    }
}

/// A denial comes first; and as long as it is unknown whether it holds, nothing is granted either.
fn need(rule: &Rule, action: &Action, context: &Map<String, Value>) -> Disposition {
    let judge = |condition: &Condition| condition.judge(action, context);
    if rule.terms.sensitivity == Sensitivity::None {
        return Disposition::NotSensitive;
    }
    match rule.auto_deny.as_ref().map_or(Some(false), judge) {
        Some(true) => return Disposition::AutoDenied,
        Some(false) => {}
        None => return Disposition::Approval,
    }
    match rule.auto_approve.as_ref().and_then(judge) {
        Some(true) => Disposition::AutoApproved,
        Some(false) | None => Disposition::Approval,
    }
}

/// Copies the keys into the terms of requests that need a person.
fn with_signers(mut policy: Policy, signers: &Arc<Signers>) -> Policy {
    let rules = policy.rules.iter_mut().map(|rule| &mut rule.terms);
    let sensitive = |terms: &&mut Terms| terms.sensitivity != Sensitivity::None;
    for terms in rules.chain([&mut policy.default]).filter(sensitive) {
        terms.signers = Arc::clone(signers);
    }
    policy
}

fn digest(policy: &Policy) -> PolicyDigest {
    // A policy is made of strings, numbers, lists and maps with text keys.
    PolicyDigest::of(&serde_json::to_vec(policy).expect("a policy has a JSON form"))
}

#[cfg(test)]
mod tests {
    use action::{ActionPath, PathPattern};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rulebook(patterns: &[&str]) -> Rulebook {
        let rule = |text: &&str| Rule::new(PathPattern::new(*text).unwrap(), Sensitivity::Low);
        let policy = Policy {
            rules: patterns.iter().map(rule).collect(),
            ..Policy::default()
        };
        Rulebook::new(policy).unwrap()
    }

    fn action(path: &str) -> Action {
        Action::new(ActionPath::new(path).unwrap(), "n")
    }

    fn decides<'a>(book: &'a Rulebook, path: &str) -> &'a str {
        book.rule_for(&action(path)).map_or("default", Rule::label)
    }

    #[test]
    fn the_most_specific_rule_decides_and_then_the_first() {
        let book = rulebook(&["**", "a/**", "a/b*", "a/*c", "a/bc", "*/bd"]);
        assert_eq!(decides(&book, "a/bc"), "a/bc");
        assert_eq!(decides(&book, "a/bxc"), "a/b*");
        assert_eq!(decides(&book, "a/bd"), "a/b*");
        assert_eq!(decides(&book, "a/x/y"), "a/**");
        assert_eq!(decides(&book, "x"), "**");
    }

    #[test]
    fn an_action_that_no_rule_covers_needs_a_critical_approval() {
        let book = rulebook(&["a/*"]);
        for path in ["a", "a/b/c", "b/a", "A/b", "a/b "] {
            let Ok(path) = ActionPath::new(path) else {
                continue;
            };
            let action = Action::new(path, "n");
            let verdict = book.judge(&action, &Map::new());
            assert_eq!((verdict.rule, verdict.need), (None, Disposition::Approval));
            assert_eq!(verdict.terms.sensitivity, Sensitivity::Critical);
        }
    }

    #[test]
    fn the_condition_of_the_deciding_rule_alone_grants() {
        let text = r#"
            [[rules]]
            pattern = "a/**"
            sensitivity = "low"
            auto_approve.equals = { field = "context.env", value = "test" }
            [[rules]]
            pattern = "a/b"
            sensitivity = "high"
        "#;
        let book = Rulebook::new(toml::from_str(text).unwrap()).unwrap();
        let context = json!({"env": "test"}).as_object().unwrap().clone();
        assert_eq!(
            book.judge(&action("a/x"), &context).need,
            Disposition::AutoApproved
        );
        assert_eq!(
            book.judge(&action("a/x"), &Map::new()).need,
            Disposition::Approval
        );
        assert_eq!(
            book.judge(&action("a/b"), &context).need,
            Disposition::Approval
        );
    }

    #[test]
    fn a_denial_comes_before_a_grant_and_an_unknown_one_grants_nothing() {
        let text = r#"
            [[rules]]
            pattern = "a/**"
            sensitivity = "low"
            auto_approve.equals = { field = "context.env", value = "test" }
            auto_deny.equals = { field = "context.frozen", value = true }
            [[rules]]
            pattern = "a/drop"
            sensitivity = "critical"
            auto_deny = "always"
        "#;
        let book = Rulebook::new(toml::from_str(text).unwrap()).unwrap();
        let need = |path: &str, context: Value| {
            let context = context.as_object().unwrap().clone();
            book.judge(&action(path), &context).need
        };
        let test = |frozen: Value| json!({"env": "test", "frozen": frozen});
        assert_eq!(need("a/x", test(json!(false))), Disposition::AutoApproved);
        assert_eq!(need("a/x", test(json!(true))), Disposition::AutoDenied);
        assert_eq!(need("a/x", test(json!("yes"))), Disposition::Approval);
        assert_eq!(need("a/x", json!({"env": "test"})), Disposition::Approval);
        assert_eq!(
            need("a/x", json!({"frozen": true})),
            Disposition::AutoDenied
        );
        assert_eq!(need("a/x", json!({"frozen": false})), Disposition::Approval);
        assert_eq!(need("a/drop", json!({})), Disposition::AutoDenied);
        assert_eq!(need("a/drop", test(json!(false))), Disposition::AutoDenied);
        assert_eq!(need("b", test(json!(true))), Disposition::Approval);
    }

    #[test]
    fn a_policy_that_contradicts_itself_is_refused_and_the_rule_named() {
        let fault = |text: &str| {
            let policy: Policy = toml::from_str(text).unwrap();
            Rulebook::new(policy).unwrap_err().to_string()
        };
        let rule = "[[rules]]\npattern = \"a/*\"\nsensitivity = \"none\"\n";
        assert_eq!(
            fault("[default]\nsensitivity = \"none\""),
            "policy, default: `none` would let every action through that no rule covers"
        );
        assert_eq!(
            fault(&format!("{rule}{rule}")),
            "policy, rule 2 (\"a/*\"): an earlier rule has the same pattern, so this one never decides"
        );
        for extra in [
            "requires_reason = true",
            "expiry = \"0s\"",
            "execute_within = \"0s\"",
            "auto_approve.all = []",
            "auto_deny = \"always\"",
            "name = \" \"",
        ] {
            assert!(fault(&format!("{rule}{extra}")).starts_with("policy, rule 1"));
        }
        let rule = rule.replace("none", "low");
        for extra in [
            "auto_deny.any = []",
            "auto_approve = \"always\"",
            "auto_approve.not.any = [\"always\"]",
            "auto_deny = \"always\"\nauto_approve.equals = { field = \"context.a\", value = 1 }",
        ] {
            let fault = fault(&format!("{rule}{extra}"));
            assert!(fault.starts_with("policy, rule 1"), "{fault}");
        }
    }

    #[test]
    fn the_digest_changes_with_the_policy() {
        assert_eq!(rulebook(&["a"]).digest(), rulebook(&["a"]).digest());
        assert_ne!(rulebook(&["a"]).digest(), rulebook(&["b"]).digest());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_index_finds_what_a_search_of_all_rules_finds(
            patterns in prop::collection::btree_set(
                "(\\*\\*|\\*|[ab]\\*?)(/(\\*\\*|\\*|[ab]{1,2}|\\*?[ab]\\*?)){0,3}", 0..12),
            path in "[ab]{1,2}(/[ab]{1,2}){0,3}",
        ) {
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let book = rulebook(&patterns);
            let action = action(&path);
            let mut best: Option<&Rule> = None;
            for rule in &book.policy().rules {
                let better = best.is_none_or(|best| {
                    rule.pattern.specificity() > best.pattern.specificity()
                });
                if rule.pattern.matches(&action.path) && better {
                    best = Some(rule);
                }
            }
            prop_assert_eq!(book.rule_for(&action), best);
        }
    }
}
